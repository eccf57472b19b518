//! Proofs about a finished plan, for one number of ranks: what is needed arrives, exactly once, from who has it.

use super::panels::Panels;
use super::{Item, Plan, Step, StepKind};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::ScalarId;
use std::collections::BTreeSet;

/// Plans for more ranks than this are proved on a sample of them.
const ALL_RANKS: i64 = 32;

/// More boxes than this are not compared with one another.
const MOST_BOXES: i64 = 4096;

impl Plan {
    /// Checks the plan; the error names what does not hold.
    ///
    /// * Every piece's source lies in its sender's part, so every receive has its send: both follow from the same list.
    /// * Pieces do not overlap and lie in the receiver's storage.
    /// * No wait cycle: every rank sends before it waits, in every exchange, and all ranks go through the same exchanges.
    /// * Every exchange is used by a step, once a place.
    /// * Arrays that change places are divided alike.
    /// * What arrives panel by panel, the next one ahead, is not written between its rounds.
    pub fn verify(&self) -> Result<(), String> {
        let ranks: Vec<i64> = if self.ranks <= ALL_RANKS {
            (0..self.ranks).collect()
        } else {
            vec![0, 1, self.ranks / 2, self.ranks - 1]
        };
        for (k, exchange) in self.exchanges.iter().enumerate() {
            for round in 0..self.rounds_of(exchange) {
                for (item, &r) in exchange.items.iter().flat_map(|i| ranks.iter().map(move |r| (i, r))) {
                    self.verify_item(item, r, round).map_err(|why| format!("exchange {k}, rank {r}: {why}"))?;
                }
            }
        }
        self.verify_panels(&self.steps)?;
        let mut unlike = None;
        self.each_step(&self.steps, &mut |s| {
            if let StepKind::Swap(a, b) = s.kind
                && (self.array(a).layout != self.array(b).layout || self.array(a).ghost != self.array(b).ghost)
            {
                unlike =
                    Some(format!("`{}` and `{}` change places", self.array(a).array.name, self.array(b).array.name));
            }
        });
        if let Some(why) = unlike {
            return Err(format!("{why}, and are not divided alike"));
        }
        let mut used = BTreeSet::new();
        collect(&self.steps, &mut used);
        match (0..self.exchanges.len() as u32).find(|e| !used.contains(e)) {
            Some(e) => Err(format!("exchange {e} belongs to no step")),
            None => Ok(()),
        }
    }

    /// In the loop of an exchange of panels there is nothing but that exchange and nests that do not write what it sends.
    fn verify_panels(&self, steps: &[Step]) -> Result<(), String> {
        for s in steps {
            if let StepKind::For { counter, body, .. } = &s.kind {
                let sends = |s: &Step| match s.kind {
                    StepKind::Exchange(e) => self.panels_of(&self.exchanges[e.0 as usize]),
                    _ => None,
                };
                for p in body.iter().filter_map(sends) {
                    self.verify_loop(p, *counter, body)?;
                }
            }
            s.kind.blocks().into_iter().try_for_each(|b| self.verify_panels(b))?;
        }
        Ok(())
    }

    fn verify_loop(&self, panels: &Panels, counter: ScalarId, body: &[Step]) -> Result<(), String> {
        if panels.first != counter || self.rounds(counter) != Some(panels.rounds()) {
            return Err("panels arrive in a loop that is not theirs".into());
        }
        for s in body {
            let StepKind::Compute { nest, .. } = s.kind else {
                if matches!(s.kind, StepKind::Exchange(_)) {
                    continue;
                }
                return Err("something else is done between panels".into());
            };
            let n = &self.nest(nest).nest;
            let written = n.stores.iter().map(|s| n.operands[s.operand.0 as usize].array);
            if let Some(a) = written.into_iter().find(|a| panels.moving.contains(a)) {
                return Err(format!("`{}` is written while panels of it are under way", self.array(a).array.name));
            }
        }
        Ok(())
    }

    fn verify_item(&self, item: &Item, rank: i64, round: i64) -> Result<(), String> {
        let (id, _) = self.item_array(item);
        let a = self.array(id);
        let storage = match item {
            Item::View(v) => self.view_box_in(*v, rank, round),
            Item::Ghost { .. } => a.storage(rank),
        };
        let needs = self.needs_in(item, rank, round);
        for p in &needs.pieces {
            let (owned, (src, dst)) = (a.layout.part(p.from), p.around());
            if !owned.contains(&src) {
                return Err(format!("rank {} is to send {src} of `{}` and owns {owned}", p.from, a.array.name));
            }
            if !storage.contains(&dst) {
                return Err(format!("{dst} of `{}` does not fit the storage {storage}", a.array.name));
            }
        }
        if needs.pieces.iter().map(super::region::Piece::times).sum::<i64>() > MOST_BOXES {
            return Ok(());
        }
        let boxes: Vec<IndexBox> = needs.pieces.iter().flat_map(|p| p.each()).map(|b| b.1).collect();
        match overlapping(&mut boxes.iter().collect::<Vec<_>>()) {
            Some((p, o)) => Err(format!("{p} and {o} of `{}` arrive twice", a.array.name)),
            None => Ok(()),
        }
    }
}

/// Two boxes with a common point, if there are any. Boxes on two sides of a cut through no box are not compared.
fn overlapping<'a>(boxes: &mut [&'a IndexBox]) -> Option<(&'a IndexBox, &'a IndexBox)> {
    for d in 0..boxes.first().map_or(0, |b| b.rank()) {
        boxes.sort_by_key(|b| b.dims[d].lo);
        let (mut first, mut end, mut parted) = (0, i64::MIN, vec![]);
        for (k, b) in boxes.iter().enumerate() {
            if k > first && b.dims[d].lo >= end {
                parted.push(first..k);
                first = k;
            }
            end = end.max(b.dims[d].hi);
        }
        if !parted.is_empty() {
            parted.push(first..boxes.len());
            return parted.into_iter().find_map(|r| overlapping(&mut boxes[r]));
        }
    }
    let pair = |k: usize| boxes[..k].iter().find(|o| !o.intersect(boxes[k]).is_empty()).map(|o| (boxes[k], *o));
    (1..boxes.len()).find_map(pair)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::index_box::Interval;

    #[test]
    fn overlapping_boxes_are_found_as_by_comparing_all() {
        let mut state = 7u64;
        let mut next = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % n) as i64
        };
        let mut found = [0, 0];
        for _ in 0..2000 {
            let count = 2 + next(5);
            let mut side = || {
                let lo = next(9);
                Interval::new(lo, lo + 1 + next(3))
            };
            let boxes: Vec<IndexBox> = (0..count).map(|_| IndexBox::new(vec![side(), side(), side()])).collect();
            let all = (0..boxes.len()).any(|k| boxes[..k].iter().any(|b| !b.intersect(&boxes[k]).is_empty()));
            let pair = overlapping(&mut boxes.iter().collect::<Vec<_>>());
            assert_eq!(pair.is_some(), all, "{boxes:?}");
            assert!(pair.is_none_or(|(a, b)| !a.intersect(b).is_empty()));
            found[usize::from(all)] += 1;
        }
        assert!(found[0] > 100 && found[1] > 100, "{found:?}");
    }
}

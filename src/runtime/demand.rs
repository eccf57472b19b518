//! How much memory a plan asks for, against how much there is: what does not fit is refused before step 0.

use crate::ir::index_box::IndexBox;
use crate::ir::kernel::ArrayId;
use crate::ir::plan::{Plan, ViewId};
use crate::runtime::exchange::{Place, StorageOf};
use crate::runtime::failure::Problem;
use std::collections::{BTreeMap, HashSet};

/// The blocks of memory that ranks hold, by the array that first lies in each.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    by_name: BTreeMap<String, u64>,
}

impl Demand {
    /// Adds what one rank holds; `storage_of` gives the box in which it stores a place.
    pub fn add(&mut self, plan: &Plan, storage_of: StorageOf) {
        let bytes = |b: IndexBox, size: usize| (b.len() as u64).saturating_mul(size as u64);
        let mut seen = HashSet::new();
        for (k, a) in plan.arrays.iter().enumerate().filter(|(_, a)| a.used) {
            if seen.insert(a.buffer) {
                let size = a.array.ty.size();
                self.more(format!("`{}`", a.array.name), bytes(storage_of(Place::Array(ArrayId(k as u32))), size));
            }
        }
        for (k, v) in plan.views.iter().enumerate() {
            let a = &plan.array(v.array).array;
            self.more(
                format!("what is read of `{}`", a.name),
                bytes(storage_of(Place::View(ViewId(k as u32))), a.ty.size()),
            );
        }
    }

    /// Adds some bytes.
    pub fn more(&mut self, name: String, bytes: u64) {
        let sum = self.by_name.entry(name).or_default();
        *sum = sum.saturating_add(bytes);
    }

    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.by_name.values().fold(0, |a, b| a.saturating_add(*b))
    }

    /// Refuses what does not fit in `free` bytes: `who` needs so much of `whose`.
    pub fn refuse_beyond(&self, free: u64, who: &str, whose: &str, advice: &str) -> Result<(), Problem> {
        let total = self.bytes();
        if total <= free {
            return Ok(());
        }
        let gib = |b: u64| format!("{:.2} GiB", b as f64 / (1u64 << 30) as f64);
        let mut sizes: Vec<(&String, &u64)> = self.by_name.iter().collect();
        sizes.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let largest: Vec<String> =
            sizes.iter().filter(|s| *s.1 > total / 100).take(4).map(|(n, b)| format!("{n} {}", gib(**b))).collect();
        let mut p = Problem::new("E0602", format!("{who} {} of {whose}, of which {} are free", gib(total), gib(free)));
        p.help = Some(format!("the largest are {}; {advice}", largest.join(", ")));
        Err(p)
    }
}

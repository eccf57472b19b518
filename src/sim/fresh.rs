//! Which ghost cells hold what their owners hold: those of the arms that an exchange filled since the array was written.

use crate::ir::index_box::IndexBox;
use crate::ir::kernel::ArrayId;
use crate::ir::plan::prose::exchange_of;
use crate::ir::plan::region::extended;
use crate::ir::plan::{Arm, Item, Plan, Step, StepKind};
use std::collections::BTreeMap;

/// The valid arms of every array.
#[derive(Clone, Debug, Default)]
pub struct Fresh(BTreeMap<ArrayId, Vec<Arm>>);

impl Fresh {
    /// After a step.
    pub fn step(&mut self, plan: &Plan, step: &Step) {
        if let Some(e) = exchange_of(step) {
            for item in &plan.exchanges[e.0 as usize].items {
                if let Item::Ghost { array, arms } = item {
                    self.0.entry(*array).or_default().extend(arms.iter().cloned());
                }
            }
        }
        match &step.kind {
            StepKind::Compute { nest, .. } => {
                let n = &plan.nest(*nest).nest;
                for s in &n.stores {
                    self.0.remove(&n.operands[s.operand.0 as usize].array);
                }
            }
            StepKind::Load { array, .. } => {
                self.0.remove(array);
            }
            StepKind::Swap(a, b) => {
                let (x, y) = (self.0.remove(a), self.0.remove(b));
                self.0.extend(y.map(|y| (*a, y)));
                self.0.extend(x.map(|x| (*b, x)));
            }
            _ => {}
        }
    }

    /// Whether a ghost cell of a part is valid.
    pub fn holds(&self, array: ArrayId, part: &IndexBox, at: &[i64]) -> bool {
        let inside = |b: &IndexBox| b.dims.iter().zip(at).all(|(d, i)| d.lo <= *i && *i < d.hi);
        self.0.get(&array).is_some_and(|arms| arms.iter().any(|arm| inside(&extended(part, arm))))
    }
}

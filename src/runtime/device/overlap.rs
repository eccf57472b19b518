//! What a rank may compute while messages are under way.

use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::Sym;
use crate::ir::plan::{Arm, ExchangeId, Item, Plan, PlanNestId};

/// The points of a part that need nothing from an exchange of ghost cells; `None` when there is no such box.
pub fn interior(plan: &Plan, id: PlanNestId, ex: ExchangeId, part: &IndexBox) -> Option<IndexBox> {
    let nest = &plan.nest(id).nest;
    let mut interior = part.clone();
    for item in &plan.exchanges[ex.0 as usize].items {
        let Item::Ghost { array, arms } = item else { return None };
        for a in nest.accesses.iter().filter(|a| nest.operands[a.operand.0 as usize].array == *array) {
            for (k, ix) in a.index.iter().enumerate() {
                let (lo, hi) = widest(arms, k);
                if (lo, hi) == (0, 0) {
                    continue;
                }
                let [(Sym::Dim(d), 1)] =
                    ix.terms.iter().filter(|t| matches!(t.0, Sym::Dim(_))).copied().collect::<Vec<_>>()[..]
                else {
                    return None;
                };
                interior.dims[d] =
                    interior.dims[d].intersect(Interval::new(part.dims[d].lo + lo, part.dims[d].hi - hi));
            }
        }
    }
    (!interior.is_empty()).then_some(interior)
}

fn widest(arms: &[Arm], k: usize) -> (i64, i64) {
    arms.iter().fold((0, 0), |(lo, hi), a| (lo.max(a.widths[k].0), hi.max(a.widths[k].1)))
}

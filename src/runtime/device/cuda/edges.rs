//! Which edges the kernels of a plan resolve when they read ([`Fold`]), so that no ghost cells are kept for them.

use crate::codegen::cuda::{Fold, Rule};
use crate::ir::kernel::ArrayId;
use crate::ir::plan::region::Piece;
use crate::ir::plan::{Item, Plan, PlanArray, PlanNest, Source};
use crate::ir::program::Edge;

/// For each array and dimension, how reads past its ends are folded; `None`: through ghost cells.
pub struct Edges(Vec<Vec<Option<Fold>>>);

impl Edges {
    pub fn of(plan: &Plan) -> Edges {
        let mut all: Vec<Vec<Option<Fold>>> = plan.arrays.iter().map(folds).collect();
        // A nest that also writes the array would read what another thread writes.
        for n in &plan.nests {
            for (k, a) in n.nest.accesses.iter().enumerate() {
                let array = n.nest.operands[a.operand.0 as usize].array;
                let written = n.nest.stores.iter().any(|s| n.nest.operands[s.operand.0 as usize].array == array);
                if written && beyond(plan, n, k).contains(&true) {
                    all[array.0 as usize].iter_mut().for_each(|f| *f = None);
                }
            }
        }
        Edges(all)
    }

    /// The folds of an access of a nest, by subscript.
    pub fn access(&self, plan: &Plan, n: &PlanNest, k: usize) -> Vec<Option<Fold>> {
        let operand = n.nest.accesses[k].operand.0 as usize;
        let folds = &self.0[n.nest.operands[operand].array.0 as usize];
        let in_place = matches!(n.sources[operand], Source::Array(_));
        beyond(plan, n, k).into_iter().zip(folds).map(|(b, f)| f.filter(|_| b && in_place)).collect()
    }

    /// Whether nobody reads what this piece of an item fills.
    pub fn needless(&self, item: &Item, piece: &Piece) -> bool {
        let Item::Ghost { array, .. } = item else { return false };
        let folds = &self.0[array.0 as usize];
        folds.iter().zip(&piece.dst.dims).any(|(f, r)| f.is_some_and(|f| r.lo < 0 || r.hi > f.extent))
    }
}

fn folds(a: &PlanArray) -> Vec<Option<Fold>> {
    let fold = |d: usize| {
        let extent = a.layout.shape[d];
        let whole = a.layout.is_replicated() || a.layout.cuts[d].is_none_or(|c| c.parts == 1);
        let near = a.ghost[d].0.max(a.ghost[d].1) <= extent;
        let rule = match a.array.edges[d] {
            Edge::Clamp if extent > 0 => Rule::Clamp,
            Edge::Periodic if whole && near => Rule::Wrap,
            Edge::Mirror if whole && near => Rule::Mirror,
            _ => return None,
        };
        Some(Fold { rule, extent })
    };
    (0..a.layout.shape.len()).map(fold).collect()
}

/// Whether each subscript of an access can leave its dimension.
fn beyond(plan: &Plan, n: &PlanNest, k: usize) -> Vec<bool> {
    let access = &n.nest.accesses[k];
    let array: ArrayId = n.nest.operands[access.operand.0 as usize].array;
    let image = access.image(&access.within, &|s| plan.scalar_range(s));
    let leaves = |d: usize, extent: i64| match &image {
        Some(image) => !image.is_empty() && (image.dims[d].lo < 0 || image.dims[d].hi > extent),
        None => true,
    };
    plan.array(array).layout.shape.iter().enumerate().map(|(d, n)| leaves(d, *n)).collect()
}

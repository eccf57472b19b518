//! Where a nest runs: with the elements it writes, or, for reductions, with the array it reads.

use crate::ir::kernel::{Access, Affine, FoldOp, Nest, Reduction, Sym};
use crate::ir::layout::{Layout, choose_mesh};
use crate::ir::plan::{Home, Plan};

/// The home of a nest. Owner computes: a store runs where its element lives. A reduction runs where the largest array that
/// it reads element by element lives, in blocks if it is of floats; one that reads no such array is divided over all ranks.
pub fn choose_home(plan: &Plan, nest: &Nest) -> Home {
    if let Some(store) = nest.stores.first() {
        let layout = plan.array(nest.operands[store.operand.0 as usize].array).layout.clone();
        if layout.is_replicated() {
            return Home::Everywhere;
        }
        return Home::Owner { layout, index: store.index.clone(), leaf: None, dealt: vec![] };
    }
    let mut best: Option<(i64, &Access)> = None;
    let mut any_divided = false;
    for a in &nest.accesses {
        let layout = &plan.array(nest.operands[a.operand.0 as usize].array).layout;
        any_divided |= !layout.is_replicated();
        let size: i64 = layout.shape.iter().product();
        // Leaves are runs of indices, and of floats the last of equal extremes counts (0 and -0): no tiles may be dealt then.
        let ordered = || {
            let floats = nest.reductions.iter().any(|r| nest.code.regs[r.value.0 as usize].is_float());
            floats || leaves_home(a, nest, layout)
        };
        let divided = !layout.is_replicated() && (!layout.is_dealt() || !ordered());
        if divided && visits_each_point_once(a, nest, &layout.shape) && best.as_ref().is_none_or(|b| size > b.0) {
            best = Some((size, a));
        }
    }
    if let Some((_, a)) = best {
        let layout = plan.array(nest.operands[a.operand.0 as usize].array).layout.clone();
        let leaf = whole_leaves(nest).or_else(|| leaves_home(a, nest, &layout).then(|| vec![1; nest.domain.rank()]));
        return Home::Owner { layout, index: a.index.clone(), leaf, dealt: vec![] };
    }
    if nest.domain.rank() == 0
        || (!nest.accesses.is_empty() && !any_divided)
        || nest.domain.dims.iter().any(|d| d.lo < 0)
    {
        return Home::Everywhere;
    }
    spread(plan, nest)
}

/// The leaves that cuts must respect: only float sums and products depend on an order inside them.
fn whole_leaves(nest: &Nest) -> Option<Vec<i64>> {
    let ordered =
        |r: &Reduction| matches!(r.op, FoldOp::Sum | FoldOp::Prod) && nest.code.regs[r.value.0 as usize].is_float();
    nest.reductions.iter().any(ordered).then(|| nest.leaf.clone())
}

/// Whether some points lie past the ends of the array that they are divided like; only leaves reach there.
fn leaves_home(access: &Access, nest: &Nest, layout: &Layout) -> bool {
    access.index.iter().zip(&layout.shape).any(|(a, &n)| match a.terms[..] {
        [(Sym::Dim(d), _)] => nest.domain.dims[d].lo < 0 || nest.domain.dims[d].hi > n,
        _ => false,
    })
}

/// Whether the owner of `access` is one rank for every point, and cuts of the array are cuts of the domain: each subscript
/// is a constant or one index of its own.
fn visits_each_point_once(access: &Access, nest: &Nest, shape: &[i64]) -> bool {
    let mut used = vec![false; nest.domain.rank()];
    access.within == nest.domain
        && access.index.iter().zip(shape).all(|(a, &n)| match a.terms[..] {
            // Past an edge there is no owner.
            [] => (0..n).contains(&a.konst),
            [(Sym::Dim(d), 1)] if a.konst == 0 && !used[d] => {
                used[d] = true;
                true
            }
            _ => false,
        })
}

/// The index range itself, divided over all ranks along its dimensions.
fn spread(plan: &Plan, nest: &Nest) -> Home {
    let shape: Vec<i64> = nest.domain.dims.iter().map(|d| d.hi).collect();
    let Some(mesh) = choose_mesh(plan.ranks, &shape, &[]) else { return Home::Everywhere };
    let dists = vec![crate::ir::layout::Dist::Block; shape.len()];
    let layout = Layout::divided(&shape, &dists, mesh);
    let index = (0..shape.len()).map(|d| Affine::sym(Sym::Dim(d))).collect();
    Home::Owner { layout, index, leaf: whole_leaves(nest), dealt: vec![] }
}

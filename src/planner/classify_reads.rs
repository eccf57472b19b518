//! For every operand of every nest: read in place (with which ghost cells), or through a view of its own.

use super::deal_tiles::deals;
use super::inspect_views;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Access, Affine, Nest, OperandId, Sym};
use crate::ir::layout::Cuts;
use crate::ir::plan::{Arm, Deal, Home, Plan, PlanNestId, Source, View, ViewId};

/// What a nest needs before it runs, by operand: the arms of arrays read in place, or a view.
#[derive(Clone, Debug)]
pub enum Read {
    Arms(crate::ir::kernel::ArrayId, Vec<Arm>),
    View(ViewId),
}

/// Decides for all nests; sets their `sources`, adds the views and the ghost widths.
pub fn classify_reads(plan: &mut Plan) -> Vec<Vec<Read>> {
    (0..plan.nests.len()).map(|n| classify_nest(plan, PlanNestId(n as u32))).collect()
}

fn classify_nest(plan: &mut Plan, id: PlanNestId) -> Vec<Read> {
    split_far_reads(plan, id);
    let mut reads = vec![];
    let operands = plan.nest(id).nest.operands.clone();
    for (o, operand) in operands.iter().enumerate() {
        let arms = arms_of(plan, id, OperandId(o as u32));
        let source = match arms {
            Some(arms) => {
                let ghost = &mut plan.arrays[operand.array.0 as usize].ghost;
                for a in &arms {
                    for (g, w) in ghost.iter_mut().zip(&a.widths) {
                        *g = (g.0.max(w.0), g.1.max(w.1));
                    }
                }
                if !arms.is_empty() {
                    reads.push(Read::Arms(operand.array, arms));
                }
                Source::Array(operand.array)
            }
            None => {
                let view = ViewId(plan.views.len() as u32);
                let inspection = inspect_views::inspection(plan, id, OperandId(o as u32));
                let deals = orders(plan, id, OperandId(o as u32));
                plan.views.push(View { array: operand.array, nest: id, operand: o, deals, inspection });
                reads.push(Read::View(view));
                Source::View(view)
            }
        };
        plan.nests[id.0 as usize].sources.push(source);
    }
    reads
}

/// How the elements that an operand reads lie in a view: the same for all its reads.
fn orders(plan: &Plan, id: PlanNestId, operand: OperandId) -> Vec<Option<Deal>> {
    let n = plan.nest(id);
    let dealt = if let Home::Owner { dealt, .. } = &n.home { &dealt[..] } else { &[] };
    let first = n.nest.accesses.iter().find(|a| a.operand == operand);
    first.map_or(vec![None; n.nest.operands[operand.0 as usize].rank], |a| deals(dealt, a))
}

/// Gives the reads of an array that cannot be made in place an operand of their own, so that a nest may read one array both
/// ways (and may write an array that it also reads from afar).
fn split_far_reads(plan: &mut Plan, id: PlanNestId) {
    let n = plan.nest(id).clone();
    for o in 0..n.nest.operands.len() {
        let far: Vec<usize> = (0..n.nest.accesses.len())
            .filter(|&k| n.nest.accesses[k].operand.0 as usize == o)
            .filter(|&k| offsets(plan, &n.home, &n.nest, &n.nest.accesses[k]).is_none())
            .collect();
        let all = n.nest.accesses.iter().filter(|a| a.operand.0 as usize == o).count();
        if far.is_empty() || (far.len() == all && !n.nest.operands[o].written) {
            continue;
        }
        let nest = &mut plan.nests[id.0 as usize].nest;
        let mut operand = nest.operands[o].clone();
        operand.written = false;
        nest.operands.push(operand);
        let new = OperandId(nest.operands.len() as u32 - 1);
        for k in far {
            nest.accesses[k].operand = new;
        }
    }
}

/// The arms that the reads of an operand need around the owned part; `None` when it needs a view.
fn arms_of(plan: &Plan, id: PlanNestId, operand: OperandId) -> Option<Vec<Arm>> {
    let n = plan.nest(id);
    let mut found: Vec<Arm> = vec![];
    for a in n.nest.accesses.iter().filter(|a| a.operand == operand) {
        let offsets = offsets(plan, &n.home, &n.nest, a)?;
        let arm = Arm { widths: offsets.iter().map(|r| ((-r.lo).max(0), (r.hi - 1).max(0))).collect() };
        if !arm.is_zero() {
            found.push(arm);
        }
    }
    Some(merged(found))
}

/// Arms along the same dimensions become one; those inside another go.
fn merged(found: Vec<Arm>) -> Vec<Arm> {
    let support = |a: &Arm| a.widths.iter().map(|w| *w != (0, 0)).collect::<Vec<bool>>();
    let mut out: Vec<Arm> = vec![];
    for a in found {
        match out.iter_mut().find(|o| support(o) == support(&a)) {
            Some(o) => o.widths.iter_mut().zip(&a.widths).for_each(|(x, y)| *x = (x.0.max(y.0), x.1.max(y.1))),
            None => out.push(a),
        }
    }
    out.sort();
    let all = out.clone();
    out.retain(|a| !all.iter().any(|b| b != a && b.contains(a)));
    out
}

/// The offsets of a read from the owned part in each array dimension, as intervals that hold 0..1 when it needs nothing;
/// `None` when the read does not follow the division of the nest.
pub(super) fn offsets(plan: &Plan, home: &Home, nest: &Nest, access: &Access) -> Option<Vec<Interval>> {
    let array = plan.array(nest.operands[access.operand.0 as usize].array);
    let image = access.image(&access.within, &|s| plan.scalar_range(s))?;
    let dealt = if let Home::Owner { dealt, .. } = home { &dealt[..] } else { &[] };
    let orders = deals(dealt, access);
    let mut out = vec![];
    for (k, a) in access.index.iter().enumerate() {
        let n = array.layout.shape[k];
        let tiles = array.layout.cuts[k].filter(Cuts::is_dealt);
        if let (Some(_), _) | (_, Some(_)) = (tiles, orders[k]) {
            // Tiles are read in place only at the point's own element.
            let Home::Owner { layout, index, .. } = home else { return None };
            let own = tiles.is_some() && orders[k].map(|d| (d.cuts, d.shift)) == tiles.map(|cuts| (cuts, 0));
            let h = index.iter().position(|h| h == a)?;
            if !own || layout.mesh != array.layout.mesh || layout.axis(h) != array.layout.axis(k) {
                return None;
            }
            out.push(Interval::new(0, 1));
            continue;
        }
        let divided = array.layout.cuts[k].filter(|c| c.parts > 1);
        let Some(cuts) = divided else {
            let r = image.dims[k];
            // A whole dimension: only what lies past its ends.
            out.push(if r.is_empty() {
                Interval::new(0, 1)
            } else {
                Interval::new(r.lo.min(0), (r.hi - n).max(0) + 1)
            });
            continue;
        };
        out.push(along_cut(plan, home, nest, access, k, cuts)?);
    }
    Some(out)
}

/// The offsets along a divided dimension.
fn along_cut(plan: &Plan, home: &Home, nest: &Nest, access: &Access, k: usize, cuts: Cuts) -> Option<Interval> {
    let Home::Owner { layout, index, leaf, .. } = home else { return None };
    let a = &access.index[k];
    let dims: Vec<(usize, i64)> =
        a.terms.iter().filter_map(|(s, c)| if let Sym::Dim(d) = s { Some((*d, *c)) } else { None }).collect();
    let [(d, 1)] = dims[..] else { return part_by_part(plan, home, nest, access, k, cuts) };
    // The home cuts the same index at the same places, on the same axis of the mesh.
    let h = index.iter().position(|h| h.terms == [(Sym::Dim(d), 1)])?;
    let home_cuts = layout.cuts[h]?;
    let array = plan.array(nest.operands[access.operand.0 as usize].array);
    if !layout.cut_alike(h, &array.layout, k) || !same_starts(home_cuts, cuts) {
        return None;
    }
    let rest = Affine {
        konst: a.konst - index[h].konst,
        terms: a.terms.iter().filter(|t| t.0 != Sym::Dim(d)).copied().collect(),
    };
    let probe = Access { index: vec![rest], ..access.clone() };
    let mut r = probe.image(&access.within, &|s| plan.scalar_range(s))?.dims[0];
    if let Some(leaf) = leaf
        && home_cuts.granule % leaf[d] != 0
    {
        r.lo -= leaf[d] - 1;
    }
    // A reduction may run past the ends of its home; the first and the last part take those points.
    if leaf.is_some() {
        let domain = nest.domain.dims[d];
        r.lo -= (-domain.lo).max(0);
        r.hi += (domain.hi - home_cuts.extent).max(0);
    }
    // A rank without elements stores none of its neighbours' either.
    let bare = |k: i64| cuts.part(k).is_empty() && !home_cuts.part(k).is_empty();
    if home_cuts.extent != cuts.extent && (0..cuts.parts).any(bare) {
        return None;
    }
    // Parts of unequal arrays that share their starts may end apart.
    if home_cuts.extent > cuts.extent {
        r.hi += home_cuts.extent - cuts.extent;
    }
    let smallest = (cuts.base / cuts.parts).max(1);
    let far = r.lo < -4 * smallest - 64 || r.hi > 4 * smallest + 64;
    if far { None } else { Some(r.hull(Interval::new(0, 1))) }
}

/// The offsets of a read that follows the division in larger steps, such as `x[k]` for `k in l * 64 .. l * 64 + 64` with `l`
/// divided: what each part reads beside what it owns.
fn part_by_part(plan: &Plan, home: &Home, nest: &Nest, access: &Access, k: usize, cuts: Cuts) -> Option<Interval> {
    let Home::Owner { layout, index, leaf: None, .. } = home else { return None };
    let array = plan.array(nest.operands[access.operand.0 as usize].array);
    // The subscript of the home that is divided over the same ranks.
    let h = (0..index.len()).find(|&h| layout.cuts[h].is_some() && layout.cut_alike(h, &array.layout, k))?;
    let (home_cuts, [(Sym::Dim(d), 1)]) = (layout.cuts[h]?, &index[h].terms[..]) else { return None };
    if home_cuts.parts != cuts.parts || home_cuts.is_dealt() {
        return None;
    }
    // What a part reads beyond its own elements must be little beside them; else a copy of what it needs is better.
    let far = cuts.base / cuts.parts / 8;
    let mut out = Interval::new(0, 1);
    for part in 0..cuts.parts {
        let (points, own) = (home_cuts.part(part), cuts.part(part));
        let mut within = access.within.clone();
        within.dims[*d] =
            within.dims[*d].intersect(Interval::new(points.lo - index[h].konst, points.hi - index[h].konst));
        let image = access.image(&within, &|s| plan.scalar_range(s))?.dims[k];
        if image.is_empty() {
            continue;
        }
        out = Interval::new(out.lo.min(image.lo - own.lo), out.hi.max(image.hi - own.hi + 1));
        if own.is_empty() || out.lo < -far || out.hi > far {
            return None;
        }
    }
    Some(out)
}

fn same_starts(a: Cuts, b: Cuts) -> bool {
    a.base == b.base && a.parts == b.parts && a.granule == b.granule
}

//! Where elements lie in device memory: boxes padded so that rows begin at multiples of 128 bytes, with the same strides on
//! every rank, so that one compiled kernel serves all.

use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::plan::Plan;
use crate::ir::plan::panels::Panels;
use crate::runtime::exchange::Place;
use std::collections::BTreeSet;

/// The box that a place takes on a rank, padding included; of panels, the first.
pub fn padded(plan: &Plan, place: Place, rank: i64) -> IndexBox {
    padded_in(plan, place, rank, 0)
}

/// The box that a place takes on a rank in a round, padding included. Its extents are the same in all rounds.
pub fn padded_in(plan: &Plan, place: Place, rank: i64, round: i64) -> IndexBox {
    let real = place.storage_in(plan, rank, round);
    if real.is_empty() || real.rank() == 0 {
        return real;
    }
    let (lens, ghost) = shape(plan, place);
    let mut dims: Vec<Interval> = real.dims.iter().zip(&lens).map(|(d, n)| Interval::new(d.lo, d.lo + n)).collect();
    if let Some((last, n)) = dims.last_mut().zip(lens.last()) {
        // The first element that the rank owns is aligned; what the ghost cells leave free lies before them.
        let unit = unit(*n, size(plan, place));
        let before = (ghost + unit - 1) / unit * unit;
        let lo = last.lo + ghost - before;
        let len = (before - ghost + n + unit - 1) / unit * unit;
        *last = Interval::new(lo, lo + len);
    }
    IndexBox::new(dims)
}

/// The index in the last dimension that begins an aligned row on a rank.
pub fn first_aligned(plan: &Plan, place: Place, rank: i64) -> Option<i64> {
    let real = place.storage(plan, rank);
    if real.is_empty() { None } else { real.dims.last().map(|d| d.lo + shape(plan, place).1) }
}

/// How many boxes a place takes, one after the other.
pub fn rounds_in(plan: &Plan, place: Place) -> i64 {
    match place {
        Place::Array(_) => 1,
        Place::View(v) => plan.panels_of_view(v).map_or(1, Panels::rounds),
    }
}

fn size(plan: &Plan, place: Place) -> i64 {
    let array = match place {
        Place::Array(a) => a,
        Place::View(v) => plan.views[v.0 as usize].array,
    };
    plan.array(array).array.ty.size() as i64
}

/// The largest extents on any rank in any round, and the ghost cells before the last dimension.
fn shape(plan: &Plan, place: Place) -> (Vec<i64>, i64) {
    let mut lens: Vec<i64> = vec![];
    // What a panel takes along a dimension is convex in the round, but for the last panel, which may have fewer terms.
    let last = rounds_in(plan, place) - 1;
    let some: BTreeSet<i64> = [0, last - 1, last].into_iter().filter(|k| *k >= 0).collect();
    for (r, round) in (0..plan.ranks).flat_map(|r| some.iter().map(move |k| (r, *k))) {
        let b = place.storage_in(plan, r, round);
        if !b.is_empty() {
            lens.resize(b.rank(), 0);
            lens.iter_mut().zip(&b.dims).for_each(|(n, d)| *n = (*n).max(d.len()));
        }
    }
    let ghost = match place {
        Place::Array(a) => plan.array(a).ghost.last().map_or(0, |g| g.0),
        Place::View(_) => 0,
    };
    (lens, ghost)
}

/// Elements of which rows are a multiple: 128 bytes, less where rows are short.
fn unit(len: i64, size: i64) -> i64 {
    let bytes = match len * size {
        512.. => 128,
        64.. => 16,
        _ => size,
    };
    (bytes / size).max(1)
}

//! The static memory plan: temporaries whose lifetimes do not meet share one buffer.
//!
//! Input: the steps. Output: `buffer` of every array. Invariant: two arrays of one buffer have the same storage on every rank,
//! and no step runs while both hold values that are still read.

use crate::ir::kernel::ArrayId;
use crate::ir::plan::{Item, Plan, Source, Step, StepKind};
use crate::ir::program::PrintPart;
use std::collections::{BTreeMap, BTreeSet};

/// Every use of every array by position, and the loops as spans of positions.
#[derive(Default)]
struct Uses {
    at: BTreeMap<ArrayId, Vec<usize>>,
    loops: Vec<(usize, usize)>,
    pinned: BTreeSet<ArrayId>,
    next: usize,
}

/// A buffer that temporaries share.
struct Shared {
    buffer: u32,
    /// The array that it was made for; the others have the same storage.
    first: ArrayId,
    lives: Vec<(usize, usize)>,
}

/// Gives every used array a buffer.
pub fn assign_buffers(plan: &mut Plan) {
    let mut uses = Uses::default();
    walk(plan, &plan.steps, &mut uses);
    let mut shared: Vec<Shared> = vec![];
    let mut next = 0;
    for k in 0..plan.arrays.len() {
        let id = ArrayId(k as u32);
        let a = &plan.arrays[k];
        let Some(life) = uses.at.get(&id).map(|at| lifetime(at, &uses.loops)) else {
            plan.arrays[k].buffer = next;
            next += 1;
            continue;
        };
        let free = a.array.temporary && !uses.pinned.contains(&id);
        let fits = |other: &ArrayId| {
            let o = plan.array(*other);
            o.layout == a.layout && o.ghost == a.ghost && o.array.ty == a.array.ty
        };
        let apart = |lives: &[(usize, usize)]| lives.iter().all(|l| l.1 < life.0 || life.1 < l.0);
        let found = shared.iter_mut().find(|s| free && fits(&s.first) && apart(&s.lives));
        if let Some(s) = found {
            s.lives.push(life);
            plan.arrays[k].buffer = s.buffer;
            continue;
        }
        plan.arrays[k].buffer = next;
        if free {
            shared.push(Shared { buffer: next, first: id, lives: vec![life] });
        }
        next += 1;
    }
}

/// From the first to the last use; a loop that the array enters or leaves with a value counts whole.
fn lifetime(at: &[usize], loops: &[(usize, usize)]) -> (usize, usize) {
    let (mut lo, mut hi) = (at[0], at[at.len() - 1]);
    let mut changed = true;
    while changed {
        changed = false;
        for &(from, to) in loops {
            let crosses = (lo < from && hi >= from) || (lo <= to && hi > to);
            if crosses && (from < lo || to > hi) {
                (lo, hi) = (lo.min(from), hi.max(to));
                changed = true;
            }
        }
    }
    (lo, hi)
}

fn walk(plan: &Plan, steps: &[Step], uses: &mut Uses) {
    for s in steps {
        uses.next += 1;
        let here = uses.next;
        let mut touch = |id: ArrayId| uses.at.entry(id).or_default().push(here);
        match &s.kind {
            StepKind::Exchange(e) => {
                plan.exchanges[e.0 as usize].items.iter().for_each(|i| touch(plan.item_array(i).0))
            }
            StepKind::Compute { nest, overlap } => {
                if let Some(e) = overlap {
                    plan.exchanges[e.0 as usize].items.iter().for_each(|i: &Item| touch(plan.item_array(i).0));
                }
                for source in &plan.nest(*nest).sources {
                    if let Source::Array(a) = source {
                        touch(*a);
                    }
                }
            }
            StepKind::Swap(a, b) => {
                touch(*a);
                touch(*b);
                uses.pinned.extend([*a, *b]);
            }
            StepKind::Scatter { into, index, value, .. } => [*into, *index, *value].into_iter().for_each(&mut touch),
            StepKind::Load { array, .. }
            | StepKind::Save { array, .. }
            | StepKind::Plot { array, .. }
            | StepKind::Scan { array, .. } => touch(*array),
            StepKind::Print(parts) | StepKind::Assert { why: parts, .. } => {
                parts.iter().filter_map(PrintPart::array).for_each(&mut touch);
            }
            StepKind::For { body, .. } => looped(plan, &[body], uses),
            StepKind::While { before, body, .. } => looped(plan, &[before, body], uses),
            StepKind::Once { arrays, body, .. } => {
                arrays.iter().for_each(|a| touch(*a));
                walk(plan, body, uses);
                // What is computed once is read in later rounds of a loop.
                plan.each_step(body, &mut |s| {
                    if let StepKind::Compute { nest, .. } = s.kind {
                        uses.pinned.extend(super::schedule_steps::stores(plan, nest));
                    }
                });
            }
            StepKind::If { then, otherwise, .. } => {
                walk(plan, then, uses);
                walk(plan, otherwise, uses);
            }
            _ => {}
        }
    }
}

fn looped(plan: &Plan, bodies: &[&Vec<Step>], uses: &mut Uses) {
    let from = uses.next;
    bodies.iter().for_each(|b| walk(plan, b, uses));
    uses.loops.push((from, uses.next));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_crosses_a_loop_lives_through_it() {
        let loops = [(10, 20), (14, 16)];
        assert_eq!(lifetime(&[11, 13], &loops), (11, 13));
        assert_eq!(lifetime(&[11, 15], &loops), (11, 16));
        assert_eq!(lifetime(&[5, 12], &loops), (5, 20));
        assert_eq!(lifetime(&[15, 25], &loops), (10, 25));
    }
}

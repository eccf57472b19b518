//! The places of a scatter are computed apart from its values where a loop may leave them as they are.
//!
//! Input: fused nests. Output: for a scatter in a loop that does not write in every round what its places are made of, a nest of its own for the
//! places, which the schedule repeats only when that changes; messages between ranks then carry values only. Invariant: every
//! element has the bits that it had.
//!
//! Before: `for … { compute places and values; scatter }`. After: `for … { once { compute places }; compute values; scatter }`.

use super::fuse_nests::scalars_of;
use super::slice::{keep_needed, needed_by};
use crate::ir::kernel::{Access, ArrayId, Inst, Nest, Op, OperandId, ScalarId, Sym};
use crate::ir::plan::{Plan, PlanNest, PlanNestId, Source, Step, StepKind};
use crate::ir::program::{NestId, Stmt, StmtKind};
use std::collections::BTreeSet;

/// What the statements of a loop change in every round: scalars in any.
#[derive(Default)]
struct Changed {
    arrays: BTreeSet<ArrayId>,
    scalars: BTreeSet<ScalarId>,
}

/// Splits the nests; gives those that compute places only.
pub fn keep_places(plan: &mut Plan) -> BTreeSet<PlanNestId> {
    let mut body = std::mem::take(&mut plan.program.body);
    let mut kept = BTreeSet::new();
    in_block(plan, &mut body, None, &mut kept);
    plan.program.body = body;
    kept
}

fn in_block(plan: &mut Plan, body: &mut Vec<Stmt>, around: Option<&Changed>, kept: &mut BTreeSet<PlanNestId>) {
    for s in body.iter_mut() {
        match &mut s.kind {
            StmtKind::For { counter, body, .. } => {
                let mut changed = changed_by(plan, &[body]);
                changed.scalars.insert(*counter);
                in_block(plan, body, Some(&changed), kept);
            }
            StmtKind::While { before, body, .. } => {
                let changed = changed_by(plan, &[before, body]);
                in_block(plan, before, Some(&changed), kept);
                in_block(plan, body, Some(&changed), kept);
            }
            StmtKind::If { then, otherwise, .. } => {
                in_block(plan, then, around, kept);
                in_block(plan, otherwise, around, kept);
            }
            _ => {}
        }
    }
    let Some(changed) = around else { return };
    let mut k = 0;
    while k < body.len() {
        if let StmtKind::Scatter { index, .. } = body[k].kind
            && let Some((at, places)) = split(plan, &body[..k], index, changed)
        {
            let place = Stmt { kind: StmtKind::Compute(NestId(places.0)), ..body[at].clone() };
            body.insert(at, place);
            kept.insert(places);
            k += 1;
        }
        k += 1;
    }
}

/// Takes the places out of the nest that computes them, if the loop may leave them as they are; gives where that nest stands.
fn split(plan: &mut Plan, before: &[Stmt], index: ArrayId, changed: &Changed) -> Option<(usize, PlanNestId)> {
    let (at, id) = before.iter().enumerate().rev().find_map(|(at, s)| match s.kind {
        StmtKind::Compute(n) if super::schedule_steps::stores(plan, PlanNestId(n.0)).any(|a| a == index) => {
            Some((at, n))
        }
        _ => None,
    })?;
    let main = plan.nests[id.0 as usize].clone();
    let of_index = |nest: &Nest, k: usize| nest.operands[nest.stores[k].operand.0 as usize].array == index;
    let store = (0..main.nest.stores.len()).find(|&k| of_index(&main.nest, k))?;
    if main.nest.stores.len() + main.nest.reductions.len() == 1 {
        return None;
    }
    let mut places = main.nest.clone();
    places.stores = vec![main.nest.stores[store].clone()];
    places.reductions.clear();
    let decisive = needed_by(&places, [places.stores[0].value]);
    places.checks.retain(|c| decisive.contains(&c.reg));
    keep_needed(&mut places);
    let stays = |nest: &Nest| {
        nest.operands.iter().all(|o| o.written || !changed.arrays.contains(&o.array))
            && scalars_of(nest).is_disjoint(&changed.scalars)
    };
    if !stays(&places) {
        return None;
    }
    places.name = format!("places in {}", plan.array(index).array.name.trim_end_matches(".places"));
    let rest = &mut plan.nests[id.0 as usize].nest;
    rest.stores.remove(store);
    rest.checks.retain(|c| !decisive.contains(&c.reg));
    keep_needed(rest);
    plan.nests.push(PlanNest::new(places, main.home));
    Some((at, PlanNestId(plan.nests.len() as u32 - 1)))
}

/// The nest of the step before a scatter, if it computes nothing but the values and their order is free: beside what lies at its own
/// point, no code depends on the point.
pub(super) fn any_order(plan: &Plan, before: Option<&Step>, value: ArrayId) -> Option<PlanNestId> {
    let Some(Step { kind: StepKind::Compute { nest: id, .. }, .. }) = before else { return None };
    let n = plan.nest(*id);
    let nest = &n.nest;
    let [store] = &nest.stores[..] else { return None };
    let array = |o: OperandId| nest.operands[o.0 as usize].array;
    if array(store.operand) != value
        || !nest.reductions.is_empty()
        || nest.domain.rank() != 1
        || indexed(&nest.code.body)
    {
        return None;
    }
    let layout = &plan.array(value).layout;
    let own = |a: &Access| a.index == store.index;
    let far = |a: &Access| a.index.iter().flat_map(|i| &i.terms).all(|t| !matches!(t.0, Sym::Dim(_)));
    let free = (0..nest.operands.len() as u32).map(OperandId).all(|o| {
        let mut all = nest.accesses.iter().filter(|a| a.operand == o);
        let beside = n.sources[o.0 as usize] == Source::Array(array(o)) && plan.array(array(o)).layout == *layout;
        o == store.operand && all.clone().next().is_none() || beside && all.clone().all(own) || all.all(far)
    });
    free.then_some(*id)
}

/// Whether code reads the index of its point.
fn indexed(insts: &[Inst]) -> bool {
    insts.iter().any(|i| match i {
        Inst::Op { op, .. } => matches!(op, Op::Index(_)),
        Inst::Loop { body, .. } => indexed(body),
        Inst::If { then, otherwise, .. } => indexed(then) || indexed(otherwise),
        Inst::Break => false,
    })
}

fn changed_by(plan: &Plan, bodies: &[&Vec<Stmt>]) -> Changed {
    let mut out = Changed::default();
    for s in bodies.iter().flat_map(|b| b.iter()) {
        super::schedule_steps::effects_always(plan, s, &mut out.arrays);
        note(plan, s, &mut out);
    }
    out
}

fn note(plan: &Plan, s: &Stmt, out: &mut Changed) {
    match &s.kind {
        StmtKind::Compute(n) => out.scalars.extend(plan.nests[n.0 as usize].nest.reductions.iter().map(|r| r.into)),
        StmtKind::Scalars { results, .. } => out.scalars.extend(results.iter().map(|r| r.1)),
        StmtKind::For { counter, body, .. } => {
            out.scalars.insert(*counter);
            body.iter().for_each(|s| note(plan, s, out));
        }
        StmtKind::While { before, body, .. } => before.iter().chain(body).for_each(|s| note(plan, s, out)),
        StmtKind::If { then, otherwise, .. } => then.iter().chain(otherwise).for_each(|s| note(plan, s, out)),
        _ => {}
    }
}

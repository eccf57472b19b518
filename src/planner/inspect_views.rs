//! Views whose subscripts are values: the code that says which elements are read, and where it pays to ask.
//!
//! Input: a nest and an operand that it reads through a view. Output: the part of the nest's code that decides the subscripts. In a loop
//! that writes the array, and the subscripts not in every round, `schedule_steps` has the ranks go through that code once, tell the owners
//! which elements they read, and exchange only those (inspector and executor).

use super::schedule_steps::{Scheduler, code_scalars};
use super::slice::{needed_by, prune};
use crate::ir::kernel::*;
use crate::ir::plan::{Exchange, ExchangeId, Inspection, Item, Plan, PlanNestId, Source, Step, StepKind, ViewId};
use crate::source::Span;
use std::collections::BTreeSet;

/// The code that decides which elements of an operand a nest reads; `None` where the box around them is as good, or where more than
/// arrays decides.
pub fn inspection(plan: &Plan, id: PlanNestId, operand: OperandId) -> Option<Inspection> {
    let nest = &plan.nest(id).nest;
    let is_target = |a: AccessId| nest.accesses[a.0 as usize].operand == operand;
    let mut counted = BTreeSet::new();
    loop_counters(&nest.code.body, &mut counted);
    let shape = &plan.array(nest.operands[operand.0 as usize].array).layout.shape;
    let mut by_value = false;
    for a in nest.accesses.iter().filter(|a| a.operand == operand) {
        by_value |=
            a.index.iter().flat_map(|i| &i.terms).any(|t| matches!(t.0, Sym::Counter(r) if !counted.contains(&r)));
        let image = a.image(&a.within, &|_| None)?;
        if image.dims.iter().zip(shape).any(|(d, n)| !d.is_empty() && (d.lo < 0 || d.hi > *n)) {
            return None;
        }
    }
    if !by_value {
        return None;
    }
    let mut noted = BTreeSet::new();
    each_op(&nest.code.body, &mut |dst, op| {
        if matches!(op, Op::Load(a) if is_target(*a)) {
            noted.insert(dst);
        }
    });
    let needed = needed_by(nest, noted.iter().copied());
    let mut code = Code { regs: nest.code.regs.clone(), body: nest.code.body.clone(), calls: vec![] };
    prune(&mut code.body, &needed);
    let (mut alone, mut arrays) = (code_scalars(&code.body).is_empty(), BTreeSet::new());
    each_op(&code.body, &mut |_, op| {
        alone &= operands_of(op).iter().all(|r| !noted.contains(r));
        let Op::Load(a) = op else { return };
        let access = &nest.accesses[a.0 as usize];
        let terms = || access.index.iter().flat_map(|i| &i.terms);
        alone &= terms().all(|t| !matches!(t.0, Sym::Scalar(_)));
        alone &= terms().all(|t| !matches!(t.0, Sym::Counter(r) if noted.contains(&r)));
        if !is_target(*a) {
            arrays.insert(nest.operands[access.operand.0 as usize].array);
        }
    });
    alone &= controls(&code.body).is_disjoint(&noted);
    alone.then(|| Inspection { code, arrays: arrays.into_iter().collect() })
}

/// Calls `f` with every operation and its result.
fn each_op(insts: &[Inst], f: &mut dyn FnMut(Reg, &Op)) {
    for inst in insts {
        match inst {
            Inst::Op { dst, op } => f(*dst, op),
            Inst::Loop { body, .. } => each_op(body, f),
            Inst::If { then, otherwise, .. } => {
                each_op(then, f);
                each_op(otherwise, f);
            }
            Inst::Break => {}
        }
    }
}

fn loop_counters(insts: &[Inst], out: &mut BTreeSet<Reg>) {
    for inst in insts {
        match inst {
            Inst::Loop { counter, body, .. } => {
                out.insert(*counter);
                loop_counters(body, out);
            }
            Inst::If { then, otherwise, .. } => {
                loop_counters(then, out);
                loop_counters(otherwise, out);
            }
            _ => {}
        }
    }
}

/// The registers that say which instructions run.
fn controls(insts: &[Inst]) -> BTreeSet<Reg> {
    let mut out = BTreeSet::new();
    for inst in insts {
        match inst {
            Inst::Loop { from, to, body, .. } => {
                out.extend([*from, *to]);
                out.extend(controls(body));
            }
            Inst::If { cond, then, otherwise } => {
                out.insert(*cond);
                out.extend(controls(then));
                out.extend(controls(otherwise));
            }
            _ => {}
        }
    }
    out
}

impl Scheduler<'_> {
    /// Whether it pays to ask which elements of a view are read: the loop around writes the array, and the subscripts not in every round.
    pub(super) fn asks(&self, item: &Item) -> Option<ViewId> {
        let (Item::View(v), Some((written, always))) = (item, self.around.last()) else { return None };
        let view = &self.plan.views[v.0 as usize];
        let inspection = view.inspection.as_ref().filter(|_| self.plan.ranks > 1)?;
        let pays = written.contains(&view.array) && inspection.arrays.iter().all(|a| !always.contains(a));
        pays.then_some(*v)
    }

    /// The arrays that decide what is read of a view; none where its box is exchanged.
    pub(super) fn deciding(&self, view: ViewId) -> &[ArrayId] {
        self.plan.views[view.0 as usize].inspection.as_ref().map_or(&[], |i| &i.arrays)
    }

    /// Of what is stale, the views to ask about, in an order in which each is exchanged before another's subscripts are read through it, and
    /// the rest, which is exchanged before all of them: also views whose subscripts decide one another's.
    pub(super) fn asked(&self, items: Vec<Item>) -> (Vec<ViewId>, Vec<Item>) {
        let (mut waiting, mut ordered): (Vec<ViewId>, Vec<ViewId>) =
            (items.iter().filter_map(|i| self.asks(i)).collect(), vec![]);
        while let Some(next) = waiting.iter().position(|v| self.behind(*v).iter().all(|w| !waiting.contains(w))) {
            ordered.push(waiting.remove(next));
        }
        let rest = items.into_iter().filter(|i| !matches!(i, Item::View(v) if ordered.contains(v))).collect();
        (ordered, rest)
    }

    /// The views through which the nest of a view reads what decides its subscripts.
    fn behind(&self, view: ViewId) -> BTreeSet<ViewId> {
        let v = &self.plan.views[view.0 as usize];
        let (Some(inspection), nest) = (&v.inspection, self.plan.nest(v.nest)) else { return BTreeSet::new() };
        let mut out = BTreeSet::new();
        each_op(&inspection.code.body, &mut |_, op| {
            let Op::Load(a) = op else { return };
            let operand = nest.nest.accesses[a.0 as usize].operand.0 as usize;
            if let (Source::View(w), true) = (nest.sources[operand], operand != v.operand) {
                out.insert(w);
            }
        });
        out
    }

    /// The exchange of the elements that are read of a view, and before it, where that may have changed, the question which they are.
    pub(super) fn exchange_listed(&mut self, view: ViewId, span: Span, out: &mut Vec<Step>) {
        let arrays = self.deciding(view).to_vec();
        let body = vec![Step { kind: StepKind::Inspect(view), span }];
        let number = self.next_once();
        out.push(Step { kind: StepKind::Once { number, arrays, scalars: vec![], body }, span });
        self.plan.exchanges.push(Exchange { items: vec![Item::View(view)], span, listed: true });
        let id = ExchangeId(self.plan.exchanges.len() as u32 - 1);
        self.note_fresh(id);
        self.listed.insert(view);
        out.push(Step { kind: StepKind::Exchange(id), span });
    }
}

//! Statements to steps: an exchange only where something is stale, several arrays' halos in one, all-reduces batched.

use super::classify_reads::Read;
use super::guard_reads::Guard;
use crate::ir::kernel::{ArrayId, BinaryOp, Code, Inst, Nest, Op, Reg, ScalarId, Sym};
use crate::ir::plan::{Arm, Exchange, ExchangeId, Home, Inspection, Item, Plan, PlanNestId, Step, StepKind, ViewId};
use crate::ir::program::{RunCheck, Scalar, Stmt, StmtKind};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// What a rank holds beyond its own part and is still valid.
#[derive(Clone, Debug, Default)]
struct Fresh {
    arms: BTreeMap<ArrayId, Vec<Arm>>,
    views: BTreeSet<ViewId>,
}

pub(super) struct Scheduler<'a> {
    pub(super) plan: &'a mut Plan,
    reads: &'a [Vec<Read>],
    fresh: Fresh,
    /// Reductions whose partial results are not combined yet.
    pending: Vec<(PlanNestId, usize)>,
    pub(super) guards: &'a BTreeMap<PlanNestId, Guard>,
    /// Nests that run again only when what they read has changed.
    kept: &'a BTreeSet<PlanNestId>,
    /// What each loop around writes, the innermost last: at all, and in every round.
    pub(super) around: Vec<(BTreeSet<ArrayId>, BTreeSet<ArrayId>)>,
    /// Views of which only some elements were exchanged.
    pub(super) listed: BTreeSet<ViewId>,
    /// Steps of the kind `Once` so far.
    once: u32,
}

/// Writes the steps of the plan.
pub fn schedule_steps(
    plan: &mut Plan,
    reads: &[Vec<Read>],
    guards: &BTreeMap<PlanNestId, Guard>,
    kept: &BTreeSet<PlanNestId>,
) {
    let body = plan.program.body.clone();
    let mut s = Scheduler {
        plan,
        reads,
        fresh: Fresh::default(),
        pending: vec![],
        guards,
        kept,
        around: vec![],
        listed: BTreeSet::new(),
        once: 0,
    };
    let mut steps = s.block(&body);
    s.flush(&mut steps);
    plan.steps = steps;
}

impl Scheduler<'_> {
    fn block(&mut self, body: &[Stmt]) -> Vec<Step> {
        let mut out = vec![];
        let mut body = body.to_vec();
        for k in 0..body.len() {
            if let Some(m) = self.ready_behind(&body[k..]).or_else(|| self.reduction_behind(&body[k..])) {
                let earlier = body.remove(k + m);
                body.insert(k, earlier);
            }
            if self.reads_pending(&body[k]) {
                self.flush(&mut out);
            }
            self.stmt(&body[k], &body[k + 1..], &mut out);
        }
        out
    }

    fn nested(&mut self, body: &[Stmt]) -> Vec<Step> {
        let mut out = self.block(body);
        self.flush(&mut out);
        out
    }

    /// Combines what is pending.
    fn flush(&mut self, out: &mut Vec<Step>) {
        if self.pending.is_empty() {
            return;
        }
        let span = self.plan.nest(self.pending[0].0).nest.span;
        let items = std::mem::take(&mut self.pending);
        out.push(Step { kind: StepKind::AllReduce(items), span });
    }

    fn pending_scalars(&self) -> BTreeSet<ScalarId> {
        self.pending.iter().map(|(n, r)| self.plan.nest(*n).nest.reductions[*r].into).collect()
    }

    pub(super) fn reads_pending(&self, s: &Stmt) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let waiting = self.pending_scalars();
        match &s.kind {
            StmtKind::Compute(n) => {
                let nest = &self.plan.nests[n.0 as usize].nest;
                let in_code = code_scalars(&nest.code.body).iter().any(|s| waiting.contains(s));
                let subscripts = nest.accesses.iter().flat_map(|a| &a.index).flat_map(|a| &a.terms);
                in_code || subscripts.clone().any(|t| matches!(t.0, Sym::Scalar(s) if waiting.contains(&s)))
            }
            StmtKind::Swap(..) => false,
            StmtKind::Scalars { code, .. } => code_scalars(&code.body).iter().any(|s| waiting.contains(s)),
            _ => true,
        }
    }

    fn stmt(&mut self, s: &Stmt, rest: &[Stmt], out: &mut Vec<Step>) {
        let span = s.span;
        let kind = match &s.kind {
            StmtKind::Compute(n) => return self.compute(PlanNestId(n.0), rest, span, out),
            StmtKind::Scalars { code, results } => StepKind::Scalars { code: code.clone(), results: results.clone() },
            StmtKind::Swap(a, b) => {
                self.swap_fresh(*a, *b);
                StepKind::Swap(*a, *b)
            }
            StmtKind::For { counter, from, to, by, body } => {
                let body = self.loop_body(body, &[], span, out).0;
                StepKind::For { counter: *counter, from: *from, to: *to, by: *by, body }
            }
            StmtKind::While { before, cond, body } => {
                let (body, before) = self.loop_body(body, before, span, out);
                StepKind::While { before, cond: *cond, body }
            }
            StmtKind::If { cond, then, otherwise } => {
                let entry = self.fresh.clone();
                let then = self.nested(then);
                let after = std::mem::replace(&mut self.fresh, entry);
                let otherwise = self.nested(otherwise);
                self.fresh = meet(&after, &self.fresh);
                StepKind::If { cond: *cond, then, otherwise }
            }
            StmtKind::Scatter { into, index, value, op, complex } => {
                self.written(*into);
                let kept = self.kept.iter().any(|n| stores(self.plan, *n).any(|a| a == *index));
                let ordered = super::keep_places::any_order(self.plan, out.last(), *value).filter(|_| kept);
                let (into, index, value) = (*into, *index, *value);
                StepKind::Scatter { into, index, value, op: *op, complex: *complex, kept, ordered }
            }
            StmtKind::Scan { array, dim, op } => {
                self.written(*array);
                StepKind::Scan { array: *array, dim: *dim, op: *op }
            }
            StmtKind::Break => StepKind::Break,
            StmtKind::Print(p) => StepKind::Print(p.clone()),
            StmtKind::Assert { cond, why, check } => StepKind::Assert { cond: *cond, why: why.clone(), check: *check },
            StmtKind::Expect { cond, sides } => StepKind::Expect { cond: *cond, sides: sides.clone() },
            StmtKind::Load { array, path } => {
                self.written(*array);
                StepKind::Load { array: *array, path: path.clone() }
            }
            StmtKind::Save { array, path } => StepKind::Save { array: *array, path: path.clone() },
            StmtKind::Plot { array, path, animated } => {
                StepKind::Plot { array: *array, path: path.clone(), animated: *animated }
            }
        };
        out.push(Step { kind, span });
    }

    /// A loop: what its body does not write is exchanged once before it; what it writes is stale at its start.
    fn loop_body(&mut self, body: &[Stmt], before: &[Stmt], span: Span, out: &mut Vec<Step>) -> (Vec<Step>, Vec<Step>) {
        let mut written = BTreeSet::new();
        let mut nests = vec![];
        for s in before.iter().chain(body) {
            effects(self.plan, s, &mut written, &mut nests);
        }
        let mut hoisted = vec![];
        for n in nests {
            for item in self.stale_items(n) {
                let array = self.plan.item_array(&item).0;
                if !written.contains(&array) && !self.moves(&item) && !hoisted.contains(&item) {
                    hoisted.push(item);
                }
            }
        }
        // What is read stays the same only as long as the subscripts do, which may themselves be read through views that go stale.
        hoisted.retain(|i| self.asks(i).is_none_or(|v| self.deciding(v).iter().all(|a| !written.contains(a))));
        let (asked, hoisted) = self.asked(hoisted);
        if !hoisted.is_empty() {
            self.exchange(hoisted, span, out);
        }
        for view in asked {
            self.exchange_listed(view, span, out);
        }
        for a in &written {
            self.written(*a);
        }
        let mut always = BTreeSet::new();
        before.iter().chain(body).for_each(|s| effects_always(self.plan, s, &mut always));
        self.around.push((written, always));
        let entry = self.fresh.clone();
        let first = self.nested(before);
        let steps = self.nested(body);
        self.around.pop();
        // The loop may run no time.
        self.fresh = meet(&entry, &self.fresh);
        (steps, first)
    }

    fn compute(&mut self, id: PlanNestId, rest: &[Stmt], span: Span, out: &mut Vec<Step>) {
        if let Some(guard) = self.guards.get(&id) {
            self.guard(id, guard, out);
        }
        if self.kept.contains(&id) {
            let entry = self.fresh.clone();
            let mut body = vec![];
            self.unguarded(id, &[], span, &mut body);
            self.fresh = meet(&entry, &self.fresh);
            stores(self.plan, id).collect::<Vec<_>>().into_iter().for_each(|a| self.written(a));
            let nest = self.plan.nest(id).nest.clone();
            return self.once(&nest, body, span, out);
        }
        self.unguarded(id, rest, span, out);
    }

    /// The exchange that a nest waits for, and the nest.
    fn unguarded(&mut self, id: PlanNestId, rest: &[Stmt], span: Span, out: &mut Vec<Step>) {
        let (asked, mut items) = self.asked(self.stale_items(id));
        let mut overlap = None;
        if !items.is_empty() {
            self.look_ahead(id, rest, &mut items);
            overlap = Some(self.new_exchange(items, span));
        }
        let n = self.plan.nest(id).nest.clone();
        let everywhere = self.plan.nest(id).home == Home::Everywhere;
        if let Some(ex) = overlap {
            self.note_fresh(ex);
        }
        // Splitting pays only where most points need no message; reductions keep their leaves whole.
        let ghosts_only = overlap
            .is_some_and(|e| self.plan.exchanges[e.0 as usize].items.iter().all(|i| matches!(i, Item::Ghost { .. })));
        let alone = ghosts_only && n.reductions.is_empty() && !everywhere && asked.is_empty();
        if let (Some(ex), false) = (overlap, alone) {
            out.push(Step { kind: StepKind::Exchange(ex), span });
            overlap = None;
        }
        for view in asked {
            self.exchange_listed(view, span, out);
        }
        out.push(Step { kind: StepKind::Compute { nest: id, overlap }, span });
        for s in &n.stores {
            self.written(n.operands[s.operand.0 as usize].array);
        }
        if everywhere && !n.reductions.is_empty() {
            out.push(Step { kind: StepKind::Finish(id), span });
        } else {
            self.pending.extend((0..n.reductions.len()).map(|r| (id, r)));
        }
    }

    /// Checks the computed subscripts of a nest, once for the arrays and scalars that they are made of.
    fn guard(&mut self, id: PlanNestId, guard: &Guard, out: &mut Vec<Step>) {
        self.flush(out);
        let entry = self.fresh.clone();
        let (nest, find) = (self.plan.nest(id).nest.clone(), self.plan.nest(guard.find).nest.clone());
        let mut body = vec![];
        self.compute(guard.find, &[], nest.span, &mut body);
        self.flush(&mut body);
        let ok = self.new_scalar(Ty::Bool);
        let fine = Code {
            regs: vec![Ty::I64, Ty::I64, Ty::Bool],
            body: vec![
                Inst::Op { dst: Reg(0), op: Op::Scalar(guard.first) },
                Inst::Op { dst: Reg(1), op: Op::Const(Value::i64(i64::MAX)) },
                Inst::Op { dst: Reg(2), op: Op::Binary(BinaryOp::Eq, Reg(0), Reg(1)) },
            ],
            calls: vec![],
        };
        let step = |kind, span| Step { kind, span };
        body.push(step(StepKind::Scalars { code: fine, results: vec![(Reg(2), ok)] }, nest.span));
        let held = self.fresh.clone();
        let mut report = vec![];
        self.compute(guard.report, &[], nest.span, &mut report);
        self.flush(&mut report);
        self.fresh = held;
        let (code, regs) = guard.place(&nest);
        let results: Vec<(Reg, ScalarId)> =
            regs.iter().map(|r| (*r, self.new_scalar(code.regs[r.0 as usize]))).collect();
        let place: Vec<ScalarId> = results[guard.checks.len()..].iter().map(|r| r.1).collect();
        report.push(step(StepKind::Scalars { code, results: results.clone() }, nest.span));
        let stored = nest.stores.first().filter(|_| nest.checks.is_empty());
        let computed = stored.map_or(String::new(), |s| {
            let array = nest.operands[s.operand.0 as usize].array;
            self.plan.array(array).array.name.trim_end_matches('\'').to_string()
        });
        for (k, check) in guard.checks.iter().enumerate() {
            let why = guard.text(k, &computed, &place);
            report
                .push(step(StepKind::Assert { cond: results[k].1, why, check: Some(RunCheck::Subscript) }, check.span));
        }
        body.push(step(StepKind::If { cond: ok, then: vec![], otherwise: report }, nest.span));
        self.fresh = meet(&entry, &self.fresh);
        self.once(&find, body, nest.span, out);
    }

    /// Steps that are repeated only when what a nest reads has changed.
    fn once(&mut self, nest: &Nest, body: Vec<Step>, span: Span, out: &mut Vec<Step>) {
        let mut arrays: Vec<ArrayId> = nest.operands.iter().filter(|o| !o.written).map(|o| o.array).collect();
        arrays.sort();
        arrays.dedup();
        let number = self.next_once();
        let scalars = super::fuse_nests::scalars_of(nest).into_iter().collect();
        out.push(Step { kind: StepKind::Once { number, arrays, scalars, body }, span });
    }

    /// A number for a step of the kind `Once`.
    pub(super) fn next_once(&mut self) -> u32 {
        self.once += 1;
        self.once - 1
    }

    fn new_scalar(&mut self, ty: Ty) -> ScalarId {
        self.plan.program.scalars.push(Scalar { name: String::new(), ty, complex: false });
        ScalarId(self.plan.program.scalars.len() as u32 - 1)
    }

    /// What a nest needs and the rank does not hold.
    pub(super) fn stale_items(&self, id: PlanNestId) -> Vec<Item> {
        let mut out = vec![];
        for r in &self.reads[id.0 as usize] {
            match r {
                Read::View(v) if !self.fresh.views.contains(v) => out.push(Item::View(*v)),
                Read::View(_) => {}
                Read::Arms(array, arms) => {
                    let held = self.fresh.arms.get(array).map_or(&[][..], |a| a);
                    let stale: Vec<Arm> =
                        arms.iter().filter(|a| !held.iter().any(|h| h.contains(a))).cloned().collect();
                    if !stale.is_empty() {
                        out.push(Item::Ghost { array: *array, arms: stale });
                    }
                }
            }
        }
        out
    }

    fn new_exchange(&mut self, items: Vec<Item>, span: Span) -> ExchangeId {
        self.plan.exchanges.push(Exchange { items, span, listed: false });
        ExchangeId(self.plan.exchanges.len() as u32 - 1)
    }

    fn exchange(&mut self, items: Vec<Item>, span: Span, out: &mut Vec<Step>) {
        let id = self.new_exchange(items, span);
        self.note_fresh(id);
        out.push(Step { kind: StepKind::Exchange(id), span });
    }

    pub(super) fn note_fresh(&mut self, id: ExchangeId) {
        for item in &self.plan.exchanges[id.0 as usize].items {
            match item {
                // The next round needs another panel.
                Item::View(_) if self.moves(item) => {}
                Item::View(v) => {
                    self.fresh.views.insert(*v);
                }
                Item::Ghost { array, arms } => self.fresh.arms.entry(*array).or_default().extend(arms.iter().cloned()),
            }
        }
    }

    /// Whether an item is another one in every round of the loop around its nest.
    fn moves(&self, item: &Item) -> bool {
        matches!(item, Item::View(v) if self.plan.panels_of_view(*v).is_some())
    }

    fn written(&mut self, a: ArrayId) {
        self.fresh.arms.remove(&a);
        let fresh = std::mem::take(&mut self.fresh.views);
        self.fresh.views = fresh.into_iter().filter(|v| !self.stale_after(*v, a)).collect();
    }

    /// Whether a view does not hold what is read any more once an array is written.
    fn stale_after(&self, v: ViewId, written: ArrayId) -> bool {
        let view = &self.plan.views[v.0 as usize];
        let decides = |i: &Inspection| i.arrays.contains(&written);
        view.array == written || (self.listed.contains(&v) && view.inspection.as_ref().is_some_and(decides))
    }

    fn swap_fresh(&mut self, a: ArrayId, b: ArrayId) {
        let (x, y) = (self.fresh.arms.remove(&a), self.fresh.arms.remove(&b));
        self.fresh.arms.extend(y.map(|y| (a, y)));
        self.fresh.arms.extend(x.map(|x| (b, x)));
        let fresh = std::mem::take(&mut self.fresh.views);
        let stays = |v: &ViewId| !self.stale_after(*v, a) && !self.stale_after(*v, b);
        self.fresh.views = fresh.into_iter().filter(stays).collect();
    }
}

fn meet(a: &Fresh, b: &Fresh) -> Fresh {
    let arms = a.arms.iter().filter_map(|(id, x)| {
        let y = b.arms.get(id)?;
        let both: Vec<Arm> = x.iter().filter(|m| y.iter().any(|n| n.contains(m))).cloned().collect();
        Some((*id, both))
    });
    Fresh { arms: arms.collect(), views: a.views.intersection(&b.views).copied().collect() }
}

pub(super) fn stores(plan: &Plan, id: PlanNestId) -> impl Iterator<Item = ArrayId> + '_ {
    let n = &plan.nest(id).nest;
    n.stores.iter().map(|s| n.operands[s.operand.0 as usize].array)
}

/// The arrays that a statement may write and the nests it runs, nested statements included.
pub(super) fn effects(plan: &Plan, s: &Stmt, written: &mut BTreeSet<ArrayId>, nests: &mut Vec<PlanNestId>) {
    match &s.kind {
        StmtKind::Compute(n) => {
            nests.push(PlanNestId(n.0));
            written.extend(stores(plan, PlanNestId(n.0)));
        }
        StmtKind::Swap(a, b) => written.extend([*a, *b]),
        StmtKind::Load { array, .. } | StmtKind::Scatter { into: array, .. } | StmtKind::Scan { array, .. } => {
            written.insert(*array);
        }
        StmtKind::For { body, .. } => body.iter().for_each(|s| effects(plan, s, written, nests)),
        StmtKind::While { before, body, .. } => {
            before.iter().chain(body).for_each(|s| effects(plan, s, written, nests))
        }
        StmtKind::If { then, otherwise, .. } => {
            then.iter().chain(otherwise).for_each(|s| effects(plan, s, written, nests))
        }
        _ => {}
    }
}

/// The arrays that a statement writes whenever it runs.
pub(super) fn effects_always(plan: &Plan, s: &Stmt, written: &mut BTreeSet<ArrayId>) {
    match &s.kind {
        StmtKind::If { .. } => {}
        StmtKind::For { body, .. } => body.iter().for_each(|s| effects_always(plan, s, written)),
        StmtKind::While { before, body, .. } => {
            before.iter().chain(body).for_each(|s| effects_always(plan, s, written))
        }
        _ => effects(plan, s, written, &mut vec![]),
    }
}

/// The workflow scalars that code reads.
pub fn code_scalars(body: &[crate::ir::kernel::Inst]) -> BTreeSet<ScalarId> {
    use crate::ir::kernel::Inst;
    let mut out = BTreeSet::new();
    for i in body {
        match i {
            Inst::Op { op: Op::Scalar(s), .. } => {
                out.insert(*s);
            }
            Inst::Loop { body, .. } => out.extend(code_scalars(body)),
            Inst::If { then, otherwise, .. } => {
                out.extend(code_scalars(then));
                out.extend(code_scalars(otherwise));
            }
            _ => {}
        }
    }
    out
}

//! Conditions: `if` as an expression, and what a condition says about indices, loop counters and scalars where it holds.

use super::Checker;
use super::emit::Val;
use super::env::{Global, Local};
use super::range::ANYTHING;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, Inst, Op, Reg, ScalarId, Sym};
use crate::ir::ty::{Ty, Value};
use crate::syntax::ast::{BinaryOp, ExprId, ExprKind, UnaryOp};

/// What holds where code runs.
#[derive(Clone, Debug)]
pub(super) enum Fact {
    /// A dimension of the domain lies in an interval.
    Dim(usize, Interval),
    /// A loop counter is at least this.
    Low(Reg, Affine),
    /// A loop counter is below this.
    High(Reg, Affine),
    /// A workflow scalar lies in an interval.
    Scalar(ScalarId, Interval),
}

pub(super) type Narrowing = Vec<Fact>;

/// A condition on a scalar around the code being written.
#[derive(Clone, Debug)]
pub(super) struct ScalarFact {
    pub id: ScalarId,
    pub range: Interval,
    /// It is the workflow's: code under it runs only where it holds.
    pub solid: bool,
}

/// Branches up to this many plain operations are computed where the condition does not hold, too.
const CHEAP: usize = 8;

/// The opposite of a comparison, and the same one with the sides exchanged.
fn negated(op: BinaryOp) -> Option<BinaryOp> {
    use BinaryOp as O;
    Some(match op {
        O::Lt => O::Ge,
        O::Ge => O::Lt,
        O::Le => O::Gt,
        O::Gt => O::Le,
        O::Eq => O::Ne,
        O::Ne => O::Eq,
        _ => return None,
    })
}

fn turned(op: BinaryOp) -> BinaryOp {
    use BinaryOp as O;
    match op {
        O::Lt => O::Gt,
        O::Gt => O::Lt,
        O::Le => O::Ge,
        O::Ge => O::Le,
        op => op,
    }
}

/// The values `x` with `c * x OP t` for some `t` in `r`, for `c > 0`.
fn solutions(op: BinaryOp, c: i64, r: Interval) -> Interval {
    use BinaryOp as O;
    let up = |t: i64| -((-t).div_euclid(c));
    match op {
        O::Lt => Interval::new(ANYTHING.lo, up(r.hi - 1)),
        O::Le => Interval::new(ANYTHING.lo, (r.hi - 1).div_euclid(c) + 1),
        O::Gt => Interval::new(r.lo.div_euclid(c) + 1, ANYTHING.hi),
        O::Ge => Interval::new(up(r.lo), ANYTHING.hi),
        O::Eq => Interval::new(up(r.lo), (r.hi - 1).div_euclid(c) + 1),
        _ => ANYTHING,
    }
}

impl Checker<'_> {
    /// What the truth (or falsehood) of a condition says.
    pub(super) fn narrowing(&mut self, cond: ExprId, holds: bool) -> Narrowing {
        let e = self.node(cond);
        match e.kind {
            ExprKind::Binary { op: BinaryOp::And, left, right, .. } if holds => {
                let mut out = self.narrowing(left, true);
                out.extend(self.narrowing(right, true));
                out
            }
            ExprKind::Binary { op: BinaryOp::Or, left, right, .. } if !holds => {
                let mut out = self.narrowing(left, false);
                out.extend(self.narrowing(right, false));
                out
            }
            ExprKind::Unary { op: UnaryOp::Not, arg } => self.narrowing(arg, !holds),
            ExprKind::Binary { op, left, right, .. } => {
                self.compare_narrowing(op, left, right, holds).unwrap_or_default()
            }
            _ => vec![],
        }
    }

    fn compare_narrowing(&mut self, op: BinaryOp, left: ExprId, right: ExprId, holds: bool) -> Option<Narrowing> {
        let op = if holds { negated(negated(op)?)? } else { negated(op)? };
        if !self.is_index_expr(left) || !self.is_index_expr(right) {
            return None;
        }
        let (a, b) = (self.expr(left, None)?.as_affine()?, self.expr(right, None)?.as_affine()?);
        Some(self.compare_facts(&a, op, &b))
    }

    /// What `a OP b` says about each symbol of both.
    pub(super) fn compare_facts(&mut self, a: &Affine, op: BinaryOp, b: &Affine) -> Narrowing {
        let mut out = vec![];
        let Some(d) = b.scale(-1).and_then(|b| a.add(&b)) else { return out };
        for &(sym, coef) in &d.terms {
            // coef * sym OP rest, with a positive coefficient.
            let rest = Affine { konst: d.konst, terms: d.terms.iter().filter(|t| t.0 != sym).copied().collect() };
            let (op, rest) = if coef > 0 { (op, rest.scale(-1)) } else { (turned(op), Some(rest)) };
            let Some(rest) = rest else { continue };
            match sym {
                Sym::Counter(r) => self.counter_facts(r, op, coef.abs(), &rest, &mut out),
                Sym::Dim(dim) => {
                    let all = self.builder().within.get(dim).copied();
                    let found = self.interval_of(op, coef.abs(), &rest, all);
                    out.extend(found.map(|r| Fact::Dim(dim, r)));
                }
                Sym::Scalar(id) => {
                    let all = self.scalar_range(id);
                    let found = self.interval_of(op, coef.abs(), &rest, all);
                    out.extend(found.map(|r| Fact::Scalar(id, r)));
                }
            }
        }
        out
    }

    /// The interval that `coef * x OP rest` leaves to `x`, which lies in `all`.
    fn interval_of(&mut self, op: BinaryOp, coef: i64, rest: &Affine, all: Option<Interval>) -> Option<Interval> {
        if op == BinaryOp::Ne {
            // Only an end can be taken away.
            let all = all.filter(|_| rest.terms.is_empty() && rest.konst % coef == 0)?;
            let at = rest.konst / coef;
            return match () {
                _ if at == all.lo => Some(Interval::new(all.lo + 1, all.hi)),
                _ if at == all.hi - 1 => Some(Interval::new(all.lo, all.hi - 1)),
                _ => None,
            };
        }
        let r = self.affine_range(rest)?;
        (!r.is_empty()).then(|| solutions(op, coef, r))
    }

    fn counter_facts(&mut self, counter: Reg, op: BinaryOp, coef: i64, rest: &Affine, out: &mut Narrowing) {
        use BinaryOp as O;
        let at = self.builder().counters.iter().position(|c| c.0 == counter);
        let Some((at, Some((lo, hi)))) = at.map(|at| (at, self.builder().counters[at].1.clone())) else { return };
        // A bound names only what is outside of the loop.
        let outer = |s: Sym, c: &Checker| match (s, c.builders.last()) {
            (Sym::Counter(r), Some(b)) => b.counters[..at].iter().any(|k| k.0 == r),
            _ => true,
        };
        let plus = |a: &Affine, k: i64| a.add(&Affine::constant(k));
        let (low, high) = if coef == 1 && rest.terms.iter().all(|t| outer(t.0, self)) {
            match op {
                O::Lt => (None, Some(rest.clone())),
                O::Le => (None, plus(rest, 1)),
                O::Gt => (plus(rest, 1), None),
                O::Ge => (Some(rest.clone()), None),
                O::Eq => (Some(rest.clone()), plus(rest, 1)),
                O::Ne if *rest == lo => (plus(rest, 1), None),
                O::Ne if plus(rest, 1).as_ref() == Some(&hi) => (None, Some(rest.clone())),
                _ => (None, None),
            }
        } else {
            let Some(r) = self.interval_of(op, coef, rest, None) else { return };
            let end = |k: i64, open: i64| (k != open).then(|| Affine::constant(k));
            (end(r.lo, ANYTHING.lo), end(r.hi, ANYTHING.hi))
        };
        let better = |c: &mut Checker, new: &Affine, old: &Affine, low: bool| {
            if !new.terms.is_empty() {
                return c.affine_range(new).is_some();
            }
            c.affine_range(old).is_none_or(|r| if low { new.konst > r.lo } else { new.konst < r.hi - 1 })
        };
        if let Some(low) = low.filter(|l| better(self, l, &lo, true)) {
            out.push(Fact::Low(counter, low));
        }
        if let Some(high) = high.filter(|h| better(self, h, &hi, false)) {
            out.push(Fact::High(counter, high));
        }
    }

    /// Whether an expression is made of names, literals and `+ - * div mod` only, so that looking at it emits nothing odd.
    fn is_index_expr(&self, id: ExprId) -> bool {
        // Inside a nest no scalar changes; elsewhere a `var` may, before the code that a condition guards.
        let nest = self.builders.last().is_some_and(|b| b.nest);
        match &self.modules[self.module].ast.expr(id).kind {
            ExprKind::Int(_) => true,
            ExprKind::Name(n) => match self.env.find(n) {
                Some(Local::Val(v)) => v.ty == Ty::I64,
                Some(Local::Slot(_, ty)) => *ty == Ty::I64 && nest,
                Some(_) => false,
                None => {
                    matches!(self.modules[self.module].globals.get(n), Some((Global::Const(v), _)) if v.ty == Ty::I64)
                }
            },
            ExprKind::Unary { op: UnaryOp::Neg, arg } => self.is_index_expr(*arg),
            ExprKind::Binary { op, left, right, .. } => {
                use BinaryOp as O;
                matches!(op, O::Add | O::Sub | O::Mul | O::IntDiv | O::Mod)
                    && self.is_index_expr(*left)
                    && self.is_index_expr(*right)
            }
            _ => false,
        }
    }

    /// Takes facts into account until the scope of the builder closes and `scalar_facts` is cut back; whether they say
    /// anything new.
    pub(super) fn narrow(&mut self, facts: &Narrowing) -> bool {
        let before = (self.builder().within.clone(), self.builder().counters.clone());
        let mut news = false;
        for f in facts {
            match f {
                Fact::Dim(d, r) => {
                    let within = &mut self.builder().within[*d];
                    *within = within.intersect(*r);
                }
                Fact::Low(reg, a) | Fact::High(reg, a) => {
                    let low = matches!(f, Fact::Low(..));
                    let found = self.builder().counters.iter_mut().find(|c| c.0 == *reg);
                    if let Some((_, Some(bounds))) = found {
                        *(if low { &mut bounds.0 } else { &mut bounds.1 }) = a.clone();
                    }
                }
                Fact::Scalar(id, r) => {
                    let known = self.scalar_range(*id);
                    // A scalar that the place of a point decides says as much about the place.
                    let place = self.builder().picks.iter().find(|p| p.0 == *id).map(|p| p.1.clone());
                    if let Some(Affine { konst, terms }) = place
                        && let [(Sym::Dim(d), 1)] = terms[..]
                    {
                        let within = &mut self.builder().within[d];
                        *within = within.intersect(r.shift(-konst));
                    }
                    let solid = !self.builder().conditional;
                    self.scalar_facts.push(ScalarFact { id: *id, range: *r, solid });
                    news |= known != self.scalar_range(*id);
                }
            }
        }
        news || before.0 != self.builder().within || before.1 != self.builder().counters
    }

    /// Leaves out what holds only inside one element: for code that runs once, before it.
    pub(super) fn solid_facts(&mut self) -> Vec<ScalarFact> {
        let solid = self.scalar_facts.iter().filter(|f| f.solid).cloned().collect();
        std::mem::replace(&mut self.scalar_facts, solid)
    }

    pub(super) fn if_expr(
        &mut self,
        cond: ExprId,
        then: ExprId,
        otherwise: ExprId,
        expected: Option<Ty>,
    ) -> Option<Val> {
        let c = self.expr_as(cond, Ty::Bool)?;
        if let Some(k) = c.as_const() {
            let (taken, other) = if k.as_bool() { (then, otherwise) } else { (otherwise, then) };
            let v = self.expr(taken, expected)?;
            return if v.is_flex() { self.like_branch(v, taken, other, expected) } else { Some(v) };
        }
        let (yes, no) = (self.narrowing(cond, true), self.narrowing(cond, false));
        let (first, second) =
            if self.wants_hint(then) || self.is_literal(then) { (otherwise, then) } else { (then, otherwise) };
        let flip = first == otherwise;
        let (f1, f2) = if flip { (&no, &yes) } else { (&yes, &no) };
        let a = self.branch(first, f1, expected);
        let hint = a.as_ref().and_then(|a| if a.val.is_flex() { None } else { Some(a.val.ty) }).or(expected);
        let b = self.branch(second, f2, hint);
        let (mut a, mut b) = (a?, b?);
        let (at, bt) = (self.span(first), self.span(second));
        (a.val, b.val) = match expected {
            Some(ty) if a.val.is_flex() && b.val.is_flex() => {
                (self.convert(a.val, ty, at)?, self.convert(b.val, ty, bt)?)
            }
            _ => self.unify((a.val, at), (b.val, bt), "`if`")?,
        };
        let (yes, no) = if flip { (b, a) } else { (a, b) };
        Some(self.choose(&c, yes, no))
    }

    /// A literal as the other branch of an `if`, which is not computed, would have it.
    fn like_branch(&mut self, v: Val, id: ExprId, other: ExprId, expected: Option<Ty>) -> Option<Val> {
        let (held, reports) = (self.builder().clone(), self.reported());
        self.builders.push(held);
        let o = self.aside(|c| c.expr(other, expected));
        self.builders.pop();
        // It may be wrong where it is not computed.
        self.withdrawn(reports);
        let at = self.span(id);
        let ty = o.as_ref().filter(|o| !o.is_flex()).map(|o| o.ty).or(expected);
        match (o, ty) {
            (_, Some(ty)) if self.can_convert(&v, ty) => self.convert(v, ty, at),
            (Some(o), None) if o.ty == Ty::F64 => Some(v.as_const().map_or(v, |c| Val::flex(Value::f64(c.as_f64())))),
            _ => Some(v),
        }
    }

    /// `if c { yes } else { no }`: both computed where that is harmless, else one.
    fn choose(&mut self, c: &Val, yes: Branch, no: Branch) -> Val {
        let (a, b) = (self.settle(yes.val), self.settle(no.val));
        let range = yes.range.zip(no.range).map(|(x, y)| x.hull(y));
        if yes.pure && no.pure {
            for inst in yes.code.into_iter().chain(no.code) {
                self.builder().push(inst);
            }
            return self.builder().select(c, &a, &b).ranged(range);
        }
        let dst = self.builder().variable(a.ty);
        let (mut then, mut otherwise) = (yes.code, no.code);
        for (v, code) in [(&a, &mut then), (&b, &mut otherwise)] {
            let scope = self.builder().open();
            let r = self.builder().materialise(v);
            self.builder().set(dst, r);
            code.extend(self.builder().close(scope, false));
        }
        let cond = self.builder().materialise(c);
        self.builder().push(Inst::If { cond, then, otherwise });
        Val::reg(dst, a.ty).ranged(range)
    }

    /// `if cond { value() } else { other }`, where `facts` hold for the value.
    pub(super) fn guarded(
        &mut self,
        cond: &Val,
        facts: &Narrowing,
        value: impl FnOnce(&mut Self) -> Option<Val>,
        other: impl FnOnce(&mut Self, Ty) -> Val,
    ) -> Option<Val> {
        let mut yes = self.branch_of(facts, value)?;
        yes.val = self.settle(yes.val);
        yes.pure &= yes.code.len() <= CHEAP;
        let val = other(self, yes.val.ty);
        let no = Branch { val, code: vec![], pure: true, range: None };
        Some(self.choose(cond, yes, no))
    }

    /// `and` and `or` whose right side reads an array that the left side keeps in bounds: it runs only where needed.
    pub(super) fn guarded_logic(&mut self, and: bool, left: ExprId, right: ExprId) -> Option<Option<Val>> {
        if !self.builder().nest || !self.reads_arrays(right) {
            return None;
        }
        let facts = self.narrowing(left, and);
        if facts.is_empty() {
            return None;
        }
        Some(self.logic_branches(and, left, right, &facts))
    }

    fn logic_branches(&mut self, and: bool, left: ExprId, right: ExprId, facts: &Narrowing) -> Option<Val> {
        let c = self.expr_as(left, Ty::Bool)?;
        if let Some(k) = c.as_const() {
            return if k.as_bool() == and { self.expr_as(right, Ty::Bool) } else { Some(c) };
        }
        let v = self.branch_of(facts, |c| c.expr_as(right, Ty::Bool))?;
        let short = Branch { val: Val::constant(Value::bool(!and)), code: vec![], pure: true, range: None };
        let (yes, no) = if and { (v, short) } else { (short, v) };
        Some(self.choose(&c, yes, no))
    }

    pub(super) fn reads_arrays(&self, id: ExprId) -> bool {
        let ast = self.modules[self.module].ast.clone();
        matches!(ast.expr(id).kind, ExprKind::Index { .. })
            || super::infer::children(&ast, id).into_iter().any(|c| self.reads_arrays(c))
    }

    fn is_literal(&self, id: ExprId) -> bool {
        match &self.modules[self.module].ast.expr(id).kind {
            ExprKind::Int(_) | ExprKind::Float(_) => true,
            ExprKind::Unary { arg, .. } => self.is_literal(*arg),
            _ => false,
        }
    }

    fn branch(&mut self, id: ExprId, facts: &Narrowing, expected: Option<Ty>) -> Option<Branch> {
        self.branch_of(facts, |c| c.expr(id, expected))
    }

    /// One branch of an `if`: its value, its code, and whether the code may run where the condition does not hold.
    fn branch_of(&mut self, facts: &Narrowing, value: impl FnOnce(&mut Self) -> Option<Val>) -> Option<Branch> {
        let held = self.scalar_facts.len();
        let count = |c: &mut Self| c.builder().checks.len() + c.builder().guarded.len();
        let checks = count(self);
        let scope = self.builder().open();
        self.builder().conditional = true;
        let narrowed = self.narrow(facts);
        let v = value(self);
        let range = v.as_ref().filter(|v| v.ty.is_int()).and_then(|v| self.known_range(v));
        let code = self.builder().close(scope, false);
        self.scalar_facts.truncate(held);
        // Reads that the condition keeps in bounds must not run without it.
        let reads = |i: &Inst| matches!(i, Inst::Op { op: Op::Load(_) | Op::Table { .. }, .. });
        // So must checks of subscripts.
        let checked = |c: &Self, i: &Inst| match i {
            Inst::Op { op: Op::Load(a), .. } => {
                !c.builders.last().is_some_and(|b| b.accesses[a.0 as usize].checks.is_empty())
            }
            _ => false,
        };
        let guarded =
            narrowed && code.iter().any(reads) || code.iter().any(|i| checked(self, i)) || count(self) > checks;
        let pure = !guarded && code.iter().all(|i| matches!(i, Inst::Op { .. }));
        Some(Branch { val: v?, code, pure, range })
    }
}

/// One branch of an `if`.
struct Branch {
    val: Val,
    code: Vec<Inst>,
    /// Whether the code may run where the condition does not hold.
    pure: bool,
    /// What is known of an integer's value.
    range: Option<Interval>,
}

//! Conditions: `if` as an expression, and what a condition says about the indices where it holds.

use super::Checker;
use super::emit::Val;
use super::env::{Global, Local};
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Inst, Op, Sym};
use crate::ir::ty::Ty;
use crate::syntax::ast::{BinaryOp, ExprId, ExprKind, UnaryOp};

/// Comparisons on one domain dimension that hold where code runs.
pub(super) type Narrowing = Vec<(usize, Interval)>;

impl Checker<'_> {
    /// What the truth (or falsehood) of a condition says about the domain's indices.
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
                self.compare_narrowing(op, left, right, holds).into_iter().collect()
            }
            _ => vec![],
        }
    }

    fn compare_narrowing(
        &mut self,
        op: BinaryOp,
        left: ExprId,
        right: ExprId,
        holds: bool,
    ) -> Option<(usize, Interval)> {
        use BinaryOp as O;
        let op = match (op, holds) {
            (O::Lt, true) | (O::Ge, false) => O::Lt,
            (O::Le, true) | (O::Gt, false) => O::Le,
            (O::Gt, true) | (O::Le, false) => O::Gt,
            (O::Ge, true) | (O::Lt, false) => O::Ge,
            (O::Eq, true) | (O::Ne, false) => O::Eq,
            (O::Ne, true) | (O::Eq, false) => O::Ne,
            _ => return None,
        };
        if !self.is_index_expr(left) || !self.is_index_expr(right) {
            return None;
        }
        let (a, b) = (self.expr(left, None)?.as_affine()?, self.expr(right, None)?.as_affine()?);
        let d = a.add(&b.scale(-1)?)?; // d OP 0
        let [(Sym::Dim(dim), coef)] = d.terms[..] else { return None };
        // i OP bound / |coef|, with the comparison turned round when the coefficient is negative.
        let bound = if coef > 0 { -d.konst } else { d.konst };
        let (below, exact) = (bound.div_euclid(coef.abs()), bound.rem_euclid(coef.abs()) == 0);
        let op = match (op, coef > 0) {
            (O::Lt, false) => O::Gt,
            (O::Le, false) => O::Ge,
            (O::Gt, false) => O::Lt,
            (O::Ge, false) => O::Le,
            (op, _) => op,
        };
        let all = *self.builder().within.get(dim)?;
        let narrowed = match op {
            O::Lt => Interval::new(all.lo, below + i64::from(!exact)),
            O::Le => Interval::new(all.lo, below + 1),
            O::Gt => Interval::new(below + 1, all.hi),
            O::Ge => Interval::new(below + i64::from(!exact), all.hi),
            O::Eq if !exact => Interval::EMPTY,
            O::Eq => Interval::new(below, below + 1),
            _ if exact && below == all.lo => Interval::new(all.lo + 1, all.hi),
            _ if exact && below == all.hi - 1 => Interval::new(all.lo, all.hi - 1),
            _ => return None,
        };
        Some((dim, narrowed))
    }

    /// Whether an expression is made of names, literals and `+ - * div mod` only, so that looking at it emits nothing odd.
    fn is_index_expr(&self, id: ExprId) -> bool {
        match &self.modules[self.module].ast.expr(id).kind {
            ExprKind::Int(_) => true,
            ExprKind::Name(n) => match self.env.find(n) {
                Some(Local::Val(v)) => v.ty == Ty::I64,
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

    pub(super) fn narrow(&mut self, facts: &Narrowing) {
        let within = &mut self.builder().within;
        for (d, r) in facts {
            within[*d] = within[*d].intersect(*r);
        }
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
            return self.expr(if k.as_bool() { then } else { otherwise }, expected);
        }
        let (yes, no) = (self.narrowing(cond, true), self.narrowing(cond, false));
        let (first, second) =
            if self.wants_hint(then) || self.is_literal(then) { (otherwise, then) } else { (then, otherwise) };
        let flip = first == otherwise;
        let (f1, f2) = if flip { (&no, &yes) } else { (&yes, &no) };
        let a = self.branch(first, f1, expected);
        let hint = a.as_ref().and_then(|a| if a.0.is_flex() { None } else { Some(a.0.ty) }).or(expected);
        let b = self.branch(second, f2, hint);
        let ((a, a_code, a_pure), (b, b_code, b_pure)) = (a?, b?);
        let (at, bt) = (self.span(first), self.span(second));
        let (a, b) = match expected {
            Some(ty) if a.is_flex() && b.is_flex() => (self.convert(a, ty, at)?, self.convert(b, ty, bt)?),
            _ => self.unify((a, at), (b, bt), "`if`")?,
        };
        let (a, b) = (self.settle(a), self.settle(b));
        if a_pure && b_pure {
            for inst in a_code.into_iter().chain(b_code) {
                self.builder().push(inst);
            }
            let (x, y) = if flip { (b, a) } else { (a, b) };
            return Some(self.builder().select(&c, &x, &y));
        }
        let dst = self.builder().variable(a.ty);
        let (mut a_code, mut b_code) = (a_code, b_code);
        for (v, code) in [(&a, &mut a_code), (&b, &mut b_code)] {
            let scope = self.builder().open();
            let r = self.builder().materialise(v);
            code.extend(self.builder().close(scope, false));
            code.push(Inst::Op { dst, op: Op::Copy(r) });
        }
        let (then, otherwise) = if flip { (b_code, a_code) } else { (a_code, b_code) };
        let cond = self.builder().materialise(&c);
        self.builder().push(Inst::If { cond, then, otherwise });
        Some(Val::reg(dst, a.ty))
    }

    fn is_literal(&self, id: ExprId) -> bool {
        match &self.modules[self.module].ast.expr(id).kind {
            ExprKind::Int(_) | ExprKind::Float(_) => true,
            ExprKind::Unary { arg, .. } => self.is_literal(*arg),
            _ => false,
        }
    }

    /// One branch of an `if`: its value, its code, and whether the code may run where the condition does not hold.
    fn branch(&mut self, id: ExprId, facts: &Narrowing, expected: Option<Ty>) -> Option<(Val, Vec<Inst>, bool)> {
        let scope = self.builder().open();
        let outer = self.builder().within_box();
        self.narrow(facts);
        let v = self.expr(id, expected);
        // An affine or constant value must not become code in the branch's own list.
        let narrowed = self.builder().within_box() != outer;
        let code = self.builder().close(scope, false);
        // Reads that the condition keeps in bounds must not run without it.
        let guarded = narrowed && code.iter().any(|i| matches!(i, Inst::Op { op: Op::Load(_) | Op::Table { .. }, .. }));
        let pure = !guarded && code.iter().all(|i| matches!(i, Inst::Op { .. }));
        Some((v?, code, pure))
    }
}

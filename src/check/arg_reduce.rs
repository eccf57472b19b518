//! `argmin` and `argmax`: the place of an extreme, the lowest on a tie; a NaN is more extreme than any number.
//!
//! Over a whole space: the extreme itself, then the least place, counted in row-major order, whose term equals it. Both are
//! reductions that do not depend on an order. Inside an element: one loop that remembers the best so far.

use super::Checker;
use super::emit::{Builder, Val};
use super::reduce::{Reduce, identity};
use super::space::Space;
use crate::ir::kernel::{Affine, BinaryOp as B, FoldOp, Inst, Reduction, ScalarId, Sym, UnaryOp};
use crate::ir::program::{PrintPart, RunCheck, StmtKind};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::ReduceOp;

impl Checker<'_> {
    /// The place, one value an index.
    pub(super) fn arg_reduce(&mut self, r: Reduce) -> Option<Vec<Val>> {
        if self.varies(r.indices, r.term) {
            return self.arg_found(r).map(|f| f.0);
        }
        self.once(|c| c.arg_all(r))
    }

    fn arg_all(&mut self, r: Reduce) -> Option<Vec<Val>> {
        let Reduce { op, indices, term, span } = r;
        let space = self.space(indices, term, span)?;
        if !space.inner.is_empty() {
            return self.arg_at_one_point(r);
        }
        if space.total == 0 && !self.generic {
            let name = op.name();
            let help = "give it a range with an element";
            return self.fail_help("E0263", format!("`{name}` of no terms has no place"), span, "no terms", help);
        }
        let (fold, extreme) =
            if op == ReduceOp::ArgMin { (FoldOp::Min, ReduceOp::Min) } else { (FoldOp::Max, ReduceOp::Max) };
        // Both nests compare in a type that reductions have.
        let compared = |c: &mut Self| {
            let v = c.term_value(extreme, term, None)?;
            Some(if v.ty.is_half() { c.builder().cast(&v, Ty::F32) } else { v })
        };
        let none = Val::constant(Value::i64(i64::MAX));
        let best = self.over_space(&space, op.name(), fold, span, |c| {
            c.within_space(&space, compared, |_, ty| Val::constant(identity(extreme, ty)))
        })?;
        let place = self.over_space(&space, op.name(), FoldOp::Min, span, |c| {
            let at = |c: &mut Self| {
                let v = compared(c)?;
                let hit = c.as_extreme(&v, &best);
                let here = Val::affine(place_in(&space)?);
                Some(c.builder().select(&hit, &here, &none))
            };
            c.within_space(&space, at, |_, _| none.clone())
        })?;
        if !space.is_box() {
            let some = place.clone();
            let found = self.before("", |b| b.binary(B::Ne, &some, &none));
            self.assert_terms(op, found, span);
        }
        if let Some(Affine { terms, .. }) = place.as_affine()
            && let [(Sym::Scalar(id), _)] = terms[..]
        {
            self.program.scalar_ranges.insert(id, crate::ir::index_box::Interval::new(0, space.total));
        }
        Some(self.indices_at(&space, &place))
    }

    /// Where nothing bounds a range before the program runs, one rank looks at all terms.
    fn arg_at_one_point(&mut self, r: Reduce) -> Option<Vec<Val>> {
        let Reduce { op, span, .. } = r;
        self.push_builder(Builder::new_nest(vec![]));
        let found = self.arg_found(r);
        let results: Vec<(FoldOp, Val)> = found
            .iter()
            .flat_map(|(places, seen)| {
                std::iter::once((FoldOp::Any, seen.clone())).chain(places.iter().map(|p| (FoldOp::Max, p.clone())))
            })
            .collect();
        let regs: Vec<_> = results.iter().map(|r| self.builder().materialise(&r.1)).collect();
        let mut b = self.builders.pop()?;
        found?;
        let one = |((op, v), value): (&(FoldOp, Val), _)| Reduction { op: *op, value, into: self.new_scalar("", v.ty) };
        let reductions: Vec<Reduction> = results.iter().zip(regs).map(one).collect();
        let slots: Vec<_> = reductions.iter().map(|r| r.into).collect();
        self.push_nest(&mut b, op.name().into(), vec![], reductions, span);
        self.assert_terms(op, slots[0], span);
        Some(slots[1..].iter().map(|id| Val::slot(*id, Ty::I64)).collect())
    }

    /// The program ends with a report where a place is asked for among no terms.
    fn assert_terms(&mut self, op: ReduceOp, cond: ScalarId, span: Span) {
        let why = vec![PrintPart::Text(format!("`{}` of no terms has no place: its range is empty", op.name()))];
        self.emit_stmt(StmtKind::Assert { cond, why, check: Some(RunCheck::Place) }, span);
    }

    /// Whether a term is the extreme: equal, or both NaN.
    fn as_extreme(&mut self, v: &Val, best: &Val) -> Val {
        let b = self.builder();
        let equal = b.binary(B::Eq, v, best);
        if !v.ty.is_float() {
            return equal;
        }
        let (x, y) = (b.binary(B::Ne, v, v), b.binary(B::Ne, best, best));
        let both = b.binary(B::And, &x, &y);
        b.binary(B::Or, &equal, &both)
    }

    /// The indices at a place that was counted in row-major order.
    fn indices_at(&mut self, space: &Space, place: &Val) -> Vec<Val> {
        let mut out = vec![];
        let mut stride = space.total;
        for (d, axis) in space.axes.iter().enumerate() {
            let n = axis.range.len().max(1);
            let above = stride;
            stride /= n;
            let constant = |k: i64| Val::constant(Value::i64(k));
            let mut step = place.clone();
            if d > 0 {
                step = self.arithmetic(B::Mod, &step, &constant(above));
            }
            if stride > 1 {
                step = self.arithmetic(B::IntDiv, &step, &constant(stride));
            }
            let by = axis.index.coef(Sym::Dim(d));
            let scaled = self.arithmetic(B::Mul, &step, &constant(by));
            let first = axis.index.konst + by * axis.range.lo;
            out.push(self.arithmetic(B::Add, &scaled, &constant(first)));
        }
        out
    }

    /// One place for each element, and whether there was a term: a loop that remembers the best term so far and where it was.
    fn arg_found(&mut self, r: Reduce) -> Option<(Vec<Val>, Val)> {
        let Reduce { op, indices, term, .. } = r;
        let (best, seen) = (self.builder().variable(Ty::I64), self.builder().variable(Ty::Bool));
        let places: Vec<_> = indices.iter().map(|_| self.builder().variable(Ty::I64)).collect();
        let (beats, extreme) = if op == ReduceOp::ArgMin { (B::Lt, ReduceOp::Min) } else { (B::Gt, ReduceOp::Max) };
        let (ty, list) = self.loops(indices, term, |c, counters| {
            let v = c.term_value(extreme, term, None)?;
            c.builder().regs[best.0 as usize] = v.ty;
            let held = Val::reg(best, v.ty);
            let b = c.builder();
            let mut better = b.binary(beats, &v, &held);
            if v.ty.is_float() {
                let (new, old) = (b.binary(B::Ne, &v, &v), b.binary(B::Eq, &held, &held));
                let first_nan = b.binary(B::And, &new, &old);
                better = b.binary(B::Or, &better, &first_nan);
            }
            let unseen = b.unary(UnaryOp::Not, &Val::reg(seen, Ty::Bool));
            let better = b.binary(B::Or, &unseen, &better);
            let (cond, value) = (b.materialise(&better), b.materialise(&v));
            let scope = b.open();
            b.set(best, value);
            let yes = b.materialise(&Val::constant(Value::bool(true)));
            b.set(seen, yes);
            for (place, counter) in places.iter().zip(counters) {
                let k = b.materialise(counter);
                b.set(*place, k);
            }
            let then = b.close(scope, false);
            b.push(Inst::If { cond, then, otherwise: vec![] });
            Some(v.ty)
        })?;
        let zero = crate::ir::fold::cast(Value::i64(0), ty);
        self.start_at(best, zero);
        self.start_at(seen, Value::bool(false));
        places.iter().for_each(|p| self.start_at(*p, Value::i64(0)));
        for inst in list {
            self.builder().push(inst);
        }
        let places = places.into_iter().map(|p| self.finished(p, Ty::I64)).collect();
        Some((places, self.finished(seen, Ty::Bool)))
    }
}

/// The row-major number of a point in the space.
fn place_in(space: &Space) -> Option<Affine> {
    let (mut out, mut stride) = (Affine::constant(0), 1i64);
    for (d, axis) in space.axes.iter().enumerate().rev() {
        let step = Affine { konst: -axis.range.lo, terms: vec![(Sym::Dim(d), 1)] };
        out = out.add(&step.scale(stride)?)?;
        stride = stride.checked_mul(axis.range.len().max(1))?;
    }
    Some(out)
}

//! Reductions inside one element: written out when short, else loops whose terms are added in ascending order.

use super::Checker;
use super::emit::{Val, ValKind};
use super::env::Local;
use super::reduce::{Axis, Reduce, combine, identity};
use crate::ir::kernel::{Affine, BinaryOp as B, Inst, Op, Reg, Sym};
use crate::ir::ty::{Ty, Value};
use crate::syntax::ast::{ExprId, Ident, Range, ReduceOp};

/// Ranges up to this many terms, with constant bounds, are written out.
const UNROLL: i64 = 32;

impl Checker<'_> {
    /// A reduction inside one element: written out when short and constant, else a loop that adds in ascending order
    /// (see [`Checker::accumulate_term`]).
    pub(super) fn fold_inside(&mut self, r: Reduce, expected: Option<Ty>) -> Option<Val> {
        let Reduce { op, indices, term, span } = r;
        let mut count = None;
        if !self.nested_ranges(indices) {
            let axes = self.axes(indices, term)?;
            let total = axes.iter().try_fold(1i64, |p, a| p.checked_mul(a.count()?));
            // A loop without terms still says what type they would have.
            if let Some(total) = total.filter(|n| (1..=UNROLL).contains(n)) {
                return self.unroll(op, &axes, term, expected, total);
            }
            count = total;
            if let ([axis], 1) = (&axes[..], axes.first().map_or(0, |a| a.by))
                && let Some(ends) = axis.constants()
                && !self.mentions_complex(term)
                && let Some(v) = self.long_fold(op, &axis.name, ends, term, expected, span)
            {
                return v;
            }
        }
        self.fold_loop(r, expected, count)
    }

    /// Whether a range names an index before it.
    pub(super) fn nested_ranges(&self, indices: &[(Ident, Option<Range>)]) -> bool {
        let named = |id: ExprId| indices.iter().any(|i| self.mentions(id, &i.0.name));
        indices.iter().filter_map(|i| i.1.as_ref()).any(|r| named(r.from) || named(r.to))
    }

    fn unroll(&mut self, op: ReduceOp, axes: &[Axis], term: ExprId, expected: Option<Ty>, total: i64) -> Option<Val> {
        let (mut acc, mut ty): (Option<Val>, Option<Ty>) = (None, None);
        let env = self.env.clone();
        for k in 0..total {
            let mut rest = k;
            self.env = env.clone();
            let mut steps = vec![];
            for axis in axes.iter().rev() {
                let n = axis.count().unwrap_or(1).max(1);
                steps.push(rest % n);
                rest /= n;
            }
            for (axis, step) in axes.iter().zip(steps.into_iter().rev()) {
                let (from, _) = axis.constants()?;
                let v = Val::constant(Value::i64(from + step * axis.by));
                self.env = self.env.with(&axis.name.name, Local::Val(v));
            }
            let v = self.term_value(op, term, expected);
            self.env = env.clone();
            let v = v?;
            ty = Some(v.ty);
            let v = self.wide_term(v);
            acc = Some(match acc {
                None => v,
                Some(a) => self.builder().binary(combine(op), &a, &v),
            });
        }
        let (ty, sum) = ty.zip(acc)?;
        let count = Val::constant(Value::i64(total));
        let out = if op == ReduceOp::Mean { self.divide_by(sum, count) } else { sum };
        Some(if out.ty == ty { out } else { self.builder().cast(&out, ty) })
    }

    /// A loop; `count` is the number of terms where that is known.
    fn fold_loop(&mut self, r: Reduce, expected: Option<Ty>, count: Option<i64>) -> Option<Val> {
        let Reduce { op, indices, term, .. } = r;
        let acc = self.builder().variable(Ty::I64); // retyped below, when the term's type is known
        let counted = op == ReduceOp::Mean && count.is_none();
        let terms = self.builder().variable(Ty::I64);
        let mut held = None;
        let ((ty, wide), list) = self.loops(indices, term, |c, _| {
            let v = c.term_value(op, term, expected)?;
            let wide = if v.ty.is_complex() {
                let acc = c.builder().variable(Ty::C128);
                held = Some(acc);
                c.accumulate(acc, Ty::C128, combine(op), &v);
                Ty::C128
            } else {
                c.accumulate_term(op, acc, &v)
            };
            let ty = v.ty;
            if counted {
                c.accumulate(terms, Ty::I64, B::Add, &Val::constant(Value::i64(1)));
            }
            Some((ty, wide))
        })?;
        let acc = held.unwrap_or(acc);
        self.start_at(acc, identity(op, wide.part()));
        if held.is_some() {
            // The real part begins as that of real numbers does, the imaginary one with zero.
            self.start_at(Reg(acc.0 + 1), Value::f64(0.0));
        }
        if counted {
            self.start_at(terms, Value::i64(0));
        }
        for inst in list {
            self.builder().push(inst);
        }
        let sum = self.finished(acc, wide);
        let sum = match (op, count) {
            (ReduceOp::Mean, Some(n)) => self.divide_by(sum, Val::constant(Value::i64(n))),
            (ReduceOp::Mean, None) => {
                let n = self.finished(terms, Ty::I64);
                self.divide_by(sum, n)
            }
            _ => sum,
        };
        Some(self.builder().cast(&sum, ty))
    }

    /// Adds a term to a loop's accumulator and gives the accumulator its type. A product of two floats that both change with
    /// the index joins a chain of `fma`s in its own type; other `f32` sums and products are accumulated in `f64`. Floats of two bytes
    /// are taken as `f32`.
    pub(super) fn accumulate_term(&mut self, op: ReduceOp, acc: Reg, v: &Val) -> Ty {
        let b = self.builder();
        let v = if v.ty.is_half() { &b.unrounded_term(v) } else { v };
        let sum = matches!(op, ReduceOp::Sum | ReduceOp::Mean);
        if let (true, ValKind::Reg(r)) = (sum && v.ty.is_float(), &v.kind)
            && let Some((x, y)) = b.product(*r)
        {
            b.regs[acc.0 as usize] = v.ty;
            let next = b.emit(v.ty, Op::Fma(x, y, acc));
            b.set(acc, next);
            return v.ty;
        }
        let wide = if v.ty == Ty::F32 && (sum || op == ReduceOp::Prod) { Ty::F64 } else { v.ty };
        b.regs[acc.0 as usize] = wide;
        self.accumulate(acc, wide, combine(op), v);
        wide
    }

    /// `acc = acc op v`
    pub(super) fn accumulate(&mut self, acc: Reg, ty: Ty, op: B, v: &Val) {
        let v = self.builder().cast(v, ty);
        let next = self.builder().binary(op, &Val::reg(acc, ty), &v);
        let next = self.builder().materialise(&next);
        self.builder().set(acc, next);
    }

    pub(super) fn start_at(&mut self, var: Reg, value: Value) {
        let start = self.builder().materialise(&Val::constant(value));
        self.builder().set(var, start);
    }

    /// A variable's value after its loop.
    pub(super) fn finished(&mut self, var: Reg, ty: Ty) -> Val {
        let out = self.builder().variable(ty);
        self.builder().set(out, var);
        Val::reg(out, ty)
    }

    /// Loops over a reduction's indices inside one element; `body` writes what a round does, given the counters. Returns
    /// the loops, which are not written yet.
    pub(super) fn loops<T>(
        &mut self,
        indices: &[(Ident, Option<Range>)],
        term: ExprId,
        body: impl FnOnce(&mut Self, &[Val]) -> Option<T>,
    ) -> Option<(T, Vec<Inst>)> {
        let env = self.env.clone();
        let nested = self.nested_ranges(indices);
        let mut axes = if nested { vec![] } else { self.axes(indices, term)? };
        let (mut opened, mut counters, mut ok) = (vec![], vec![], Some(()));
        for (k, index) in indices.iter().enumerate() {
            if nested {
                // A range may name the indices before it.
                match self.axes(std::slice::from_ref(index), term) {
                    Some(found) => axes.extend(found),
                    None => {
                        ok = None;
                        break;
                    }
                }
            }
            let (from, to, by) = (axes[k].from.clone(), axes[k].to.clone(), axes[k].by);
            let runs = axes[k].constants().is_some_and(|(a, b)| a < b);
            let bounds = self.loop_bounds(&from, &to);
            let (from, to) = (self.builder().materialise(&from), self.builder().materialise(&to));
            let counter = self.builder().variable(Ty::I64);
            let scope = self.builder().open();
            self.builder().conditional |= !runs;
            self.builder().counters.push((counter, bounds));
            let v = Val::affine(Affine::sym(Sym::Counter(counter)));
            self.env = self.env.with(&index.0.name, Local::Val(v.clone()));
            opened.push((counter, from, to, by, scope));
            counters.push(v);
        }
        let out = ok.and_then(|()| body(self, &counters));
        self.env = env;
        let mut list = vec![];
        for (counter, from, to, by, scope) in opened.into_iter().rev() {
            let mut body = self.builder().close(scope, false);
            body.append(&mut list);
            list = vec![Inst::Loop { counter, from, to, by, body }];
        }
        Some((out?, list))
    }
}

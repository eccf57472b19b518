//! Reductions: over a whole index space into a scalar, or inside one element as a loop.

use super::Checker;
use super::combine::{Combination, With};
use super::emit::{Builder, Val, ValKind};
use super::env::Local;
use super::space::Space;
use crate::diag::Diagnostic;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, BinaryOp as B, FoldOp, Inst, Op, Reg, Sym};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{ExprId, Ident, Range, ReduceOp};

/// Ranges up to this many terms, with constant bounds, are written out.
const UNROLL: i64 = 32;

/// One index of a reduction: `from..to by by`.
pub(super) struct Axis {
    pub name: Ident,
    pub from: Val,
    pub to: Val,
    pub by: i64,
}

impl Axis {
    pub fn constants(&self) -> Option<(i64, i64)> {
        let int = |v: &Val| v.as_const().and_then(|c| c.as_int()).and_then(|i| i64::try_from(i).ok());
        int(&self.from).zip(int(&self.to))
    }

    /// The number of terms, if the bounds are constant.
    pub fn count(&self) -> Option<i64> {
        let (a, b) = self.constants()?;
        Some((b.checked_sub(a)?.max(0)).div_ceil_by(self.by))
    }
}

trait DivCeil {
    fn div_ceil_by(self, by: i64) -> i64;
}

impl DivCeil for i64 {
    fn div_ceil_by(self, by: i64) -> i64 {
        self / by + i64::from(self % by != 0)
    }
}

impl Checker<'_> {
    pub(super) fn reduce(
        &mut self,
        op: ReduceOp,
        indices: &[(Ident, Option<Range>)],
        term: ExprId,
        expected: Option<Ty>,
        span: Span,
    ) -> Option<Val> {
        if self.varies(indices, term) {
            return self.fold_inside(op, indices, term, expected, span);
        }
        self.once(|c| c.reduce_all(op, indices, term, expected, span).map(|v| vec![v]))?.pop()
    }

    /// Whether a reduction differs from element to element of the nest being written.
    pub(super) fn varies(&mut self, indices: &[(Ident, Option<Range>)], term: ExprId) -> bool {
        if !self.builder().nest {
            return false;
        }
        let env = self.env.clone();
        for (n, _) in indices {
            self.env = self.env.with(&n.name, Local::Val(Val::constant(Value::i64(0))));
        }
        let mut bounds = indices.iter().filter_map(|i| i.1.as_ref()).flat_map(|r| [r.from, r.to]);
        let out = self.needs_element(term) || bounds.any(|b| self.needs_element(b));
        self.env = env;
        out
    }

    /// Values that are the same for every element of the nest being written: computed once, before it.
    pub(super) fn once(&mut self, values: impl FnOnce(&mut Self) -> Option<Vec<Val>>) -> Option<Vec<Val>> {
        if !self.builder().nest {
            return values(self);
        }
        self.push_builder(Builder::new(vec![]));
        let held = self.solid_facts();
        let v = values(self);
        let v = v.map(|v| self.in_slots(&v.into_iter().map(|v| (v, "")).collect::<Vec<_>>()));
        self.scalar_facts = held;
        self.builders.pop();
        v
    }

    /// The ranges of a reduction's indices; an index with none takes the extent it subscripts.
    pub(super) fn axes(&mut self, indices: &[(Ident, Option<Range>)], term: ExprId) -> Option<Vec<Axis>> {
        let mut out = vec![];
        for (name, range) in indices {
            let axis = match range {
                Some(r) => Axis {
                    name: name.clone(),
                    from: self.expr_as(r.from, Ty::I64)?,
                    to: self.expr_as(r.to, Ty::I64)?,
                    by: self.step(r)?,
                },
                None => {
                    let n = self.inferred_extent(name, term)?;
                    Axis {
                        name: name.clone(),
                        from: Val::constant(Value::i64(0)),
                        to: Val::constant(Value::i64(n)),
                        by: 1,
                    }
                }
            };
            out.push(axis);
        }
        Some(out)
    }

    pub(super) fn inferred_extent(&mut self, name: &Ident, term: ExprId) -> Option<i64> {
        let found = self.extents_of(term, &name.name);
        let Some(&(n, at)) = found.first() else {
            if let Some(base) = self.unknown_base(term) {
                // The range is not known because the array is not.
                return if self.is_broken(&base) { None } else { self.unknown(&base.name, base.span, "array") };
            }
            return self.fail_help(
                "E0260",
                format!("the range of `{}` is not known", name.name),
                name.span,
                "it subscripts no dimension on its own",
                format!("write it: `{} in 0..n`", name.name),
            );
        };
        if let Some(&(m, other)) = found.iter().find(|f| f.0 != n) {
            let d = Diagnostic::error(
                "E0261",
                format!("`{}` runs over two extents, {n} and {m}", name.name),
                name.span,
                "this index",
            )
            .label(at, format!("extent {n} here"))
            .label(other, format!("extent {m} here"))
            .help(format!("write its range: `{} in 0..{}`", name.name, n.min(m)));
            self.report(d);
            return None;
        }
        Some(n)
    }

    /// The type that a reduction's terms are asked for, and how they combine.
    pub(super) fn term_value(&mut self, op: ReduceOp, term: ExprId, expected: Option<Ty>) -> Option<Val> {
        let at = self.span(term);
        match op {
            ReduceOp::Any | ReduceOp::All => self.expr_as(term, Ty::Bool),
            ReduceOp::Count => {
                let v = self.expr_as(term, Ty::Bool)?;
                Some(self.builder().cast(&v, Ty::I64))
            }
            _ => {
                let v = self.expr(term, expected)?;
                let v = match expected {
                    Some(ty) if v.is_flex() => self.convert(v, ty, at)?,
                    _ => self.settle(v),
                };
                if v.ty == Ty::Bool {
                    return self.fail_help(
                        "E0262",
                        "this reduction takes numbers",
                        at,
                        "the term is `bool`",
                        "write `count`, `any` or `all`",
                    );
                }
                if v.ty.is_complex() && !matches!(op, ReduceOp::Sum | ReduceOp::Mean | ReduceOp::Prod) {
                    return self.no_order(v.ty, at);
                }
                if op == ReduceOp::Mean && !v.ty.part().is_float() {
                    return self.convert(v, Ty::F64, at);
                }
                Some(v)
            }
        }
    }

    /// A reduction over a whole index space: one nest, one scalar.
    fn reduce_all(
        &mut self,
        op: ReduceOp,
        indices: &[(Ident, Option<Range>)],
        term: ExprId,
        expected: Option<Ty>,
        span: Span,
    ) -> Option<Val> {
        let space = self.space(indices, term, span)?;
        if op == ReduceOp::Prod && self.mentions_complex(term) {
            let env = self.env.clone();
            for a in &space.axes {
                self.env = self.env.with(&a.name, Local::Val(Val::affine(a.index.clone())));
            }
            for (index, _) in &space.inner {
                self.env = self.env.with(&index.name, Local::Val(Val::constant(Value::i64(0))));
            }
            let domain: Vec<Interval> = space.axes.iter().map(|a| a.range).collect();
            let ty = self.term_type(op, &domain, term, expected);
            self.env = env;
            let ty = ty?;
            if ty.is_complex() {
                let c = Combination { with: With::Product(ty), indices, term, span };
                return self.reduce_by(&c)?.pop();
            }
        }
        let (re, ty) = self.reduce_space(op, &space, term, expected, span, false)?;
        if !ty.is_complex() {
            return Some(re);
        }
        let (im, _) = self.reduce_space(op, &space, term, expected, span, true)?;
        Some(Val::complex(re, im))
    }

    /// The same with the type of the terms; of complex ones a reduction of one part.
    fn reduce_space(
        &mut self,
        op: ReduceOp,
        space: &Space,
        term: ExprId,
        expected: Option<Ty>,
        span: Span,
        imaginary: bool,
    ) -> Option<(Val, Ty)> {
        let mut ty = None;
        let sum = self.over_space(space, op.name(), fold_op(op), span, |c| {
            let value = |c: &mut Self| {
                let v = match space.inner.is_empty() {
                    true => c.term_value(op, term, expected)?,
                    false => c.inner_value(op, space, term, expected, span)?,
                };
                ty = Some(v.ty);
                Some(match v.parts() {
                    Some((re, im)) => {
                        if imaginary {
                            im
                        } else {
                            re
                        }
                    }
                    None => c.wide_term(v),
                })
            };
            c.within_space(space, value, |_, ty| Val::constant(identity(op, ty)))
        })?;
        let ty = ty.unwrap_or(sum.ty);
        if op != ReduceOp::Mean {
            return Some((self.builder().cast(&sum, ty.part()), ty));
        }
        if space.is_box() {
            let mean = self.divide_by(sum, Val::constant(Value::i64(space.total)));
            return Some((self.builder().cast(&mean, ty.part()), ty));
        }
        let count = self.over_space(space, "count", FoldOp::Sum, span, |c| {
            c.within_space(
                space,
                |c| match space.inner.is_empty() {
                    true => Some(Val::constant(Value::i64(1))),
                    false => c.terms_inside(&space.inner, term),
                },
                |_, ty| Val::constant(identity(ReduceOp::Count, ty)),
            )
        })?;
        let mean = self.divide_by(sum, count);
        Some((self.builder().cast(&mean, ty.part()), ty))
    }

    /// The terms of the indices that are loops inside a point, reduced.
    fn inner_value(
        &mut self,
        op: ReduceOp,
        space: &Space,
        term: ExprId,
        expected: Option<Ty>,
        span: Span,
    ) -> Option<Val> {
        let inner = if op == ReduceOp::Mean { ReduceOp::Sum } else { op };
        let v = self.fold_inside(inner, &space.inner, term, expected, span)?;
        if op == ReduceOp::Mean && !v.ty.part().is_float() { self.convert(v, Ty::F64, span) } else { Some(v) }
    }

    /// How many terms a reduction inside one element has.
    fn terms_inside(&mut self, indices: &[(Ident, Option<Range>)], term: ExprId) -> Option<Val> {
        let terms = self.builder().variable(Ty::I64);
        let (_, list) = self.loops(indices, term, |c, _| {
            c.accumulate(terms, Ty::I64, B::Add, &Val::constant(Value::i64(1)));
            Some(())
        })?;
        self.start_at(terms, Value::i64(0));
        list.into_iter().for_each(|inst| self.builder().push(inst));
        Some(self.finished(terms, Ty::I64))
    }

    /// A term as reductions take it: of a float of two bytes its `f32` value, before the last rounding.
    pub(super) fn wide_term(&mut self, v: Val) -> Val {
        if v.ty.is_half() { self.builder().unrounded(&v) } else { v }
    }

    /// `sum / count` in f64, rounded to the sum's type.
    pub(super) fn divide_by(&mut self, sum: Val, count: Val) -> Val {
        if let Some((re, im)) = sum.parts() {
            return Val::complex(self.divide_by(re, count.clone()), self.divide_by(im, count));
        }
        let b = self.builder();
        let wide = b.cast(&sum, Ty::F64);
        let n = b.cast(&count, Ty::F64);
        let q = b.binary(B::Div, &wide, &n);
        b.cast(&q, sum.ty)
    }

    /// A reduction inside one element: written out when short and constant, else a loop that adds in ascending order
    /// (see [`Checker::accumulate_term`]).
    fn fold_inside(
        &mut self,
        op: ReduceOp,
        indices: &[(Ident, Option<Range>)],
        term: ExprId,
        expected: Option<Ty>,
        span: Span,
    ) -> Option<Val> {
        let mut count = None;
        if !self.nested_ranges(indices) {
            let axes = self.axes(indices, term)?;
            let total = axes.iter().try_fold(1i64, |p, a| p.checked_mul(a.count()?));
            if let Some(total) = total.filter(|n| *n <= UNROLL) {
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
        self.fold_loop(op, indices, term, expected, count)
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
        let ty = ty.unwrap_or_else(|| result_type(op, expected.unwrap_or(Ty::F64)));
        let sum = match acc {
            Some(v) => v,
            None if ty.is_complex() => {
                let re = Val::constant(identity(op, ty.part()));
                Val::complex(re, Val::constant(Value::float(ty.part(), 0.0)))
            }
            None => Val::constant(identity(op, ty)),
        };
        let count = Val::constant(Value::i64(total));
        let out = if op == ReduceOp::Mean { self.divide_by(sum, count) } else { sum };
        Some(if out.ty == ty { out } else { self.builder().cast(&out, ty) })
    }

    /// A loop; `count` is the number of terms where that is known.
    fn fold_loop(
        &mut self,
        op: ReduceOp,
        indices: &[(Ident, Option<Range>)],
        term: ExprId,
        expected: Option<Ty>,
        count: Option<i64>,
    ) -> Option<Val> {
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

fn result_type(op: ReduceOp, ty: Ty) -> Ty {
    match op {
        ReduceOp::Any | ReduceOp::All => Ty::Bool,
        ReduceOp::Count => Ty::I64,
        _ => ty,
    }
}

pub(super) fn combine(op: ReduceOp) -> B {
    match op {
        ReduceOp::Prod => B::Mul,
        ReduceOp::Min => B::Min,
        ReduceOp::Max => B::Max,
        ReduceOp::Any => B::Or,
        ReduceOp::All => B::And,
        _ => B::Add,
    }
}

fn fold_op(op: ReduceOp) -> FoldOp {
    match op {
        ReduceOp::Prod => FoldOp::Prod,
        ReduceOp::Min => FoldOp::Min,
        ReduceOp::Max => FoldOp::Max,
        ReduceOp::Any => FoldOp::Any,
        ReduceOp::All => FoldOp::All,
        _ => FoldOp::Sum,
    }
}

/// What a reduction of no terms gives.
pub(super) fn identity(op: ReduceOp, ty: Ty) -> Value {
    let least = |ty: Ty| match ty {
        ty if ty.is_float() => Value::float(ty, f64::NEG_INFINITY),
        Ty::I32 => Value::int(ty, i32::MIN as i128),
        Ty::I64 => Value::int(ty, i64::MIN as i128),
        _ => Value::int(ty, 0),
    };
    let greatest = |ty: Ty| match ty {
        ty if ty.is_float() => Value::float(ty, f64::INFINITY),
        Ty::I32 => Value::int(ty, i32::MAX as i128),
        Ty::I64 => Value::int(ty, i64::MAX as i128),
        _ => Value::int(ty, -1),
    };
    match op {
        ReduceOp::Min => greatest(ty),
        ReduceOp::Max => least(ty),
        ReduceOp::Any => Value::bool(false),
        ReduceOp::All => Value::bool(true),
        ReduceOp::Prod if ty.is_float() => Value::float(ty, 1.0),
        ReduceOp::Prod => Value::int(ty, 1),
        _ if ty.is_float() => Value::float(ty, 0.0),
        _ => Value::int(ty, 0),
    }
}

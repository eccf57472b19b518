//! Reductions over a whole index space into a scalar; `fold_inside` has those inside one element.

use super::Checker;
use super::combine::{Combination, With};
use super::emit::{Builder, Val};
use super::env::Local;
use super::space::Space;
use crate::diag::Diagnostic;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{BinaryOp as B, FoldOp};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{ExprId, Ident, Range, ReduceOp};

/// A reduction as it is written.
#[derive(Clone, Copy)]
pub(super) struct Reduce<'a> {
    pub op: ReduceOp,
    pub indices: &'a [(Ident, Option<Range>)],
    pub term: ExprId,
    pub span: Span,
}

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
    pub(super) fn reduce(&mut self, r: Reduce, expected: Option<Ty>) -> Option<Val> {
        if self.varies(r.indices, r.term) {
            return self.fold_inside(r, expected);
        }
        self.once(|c| c.reduce_all(r, expected).map(|v| vec![v]))?.pop()
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
            if let Some(&(array, at)) = self.arrays_in(term).first() {
                let rank = self.program.arrays[array.0 as usize].extents().len();
                let text = self.sources.text(at).to_string();
                return self.whole_array(&text, rank, at);
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
            let (least, n, m) = (self.extent_text(n.min(m)), self.extent_text(n), self.extent_text(m));
            let d = Diagnostic::error(
                "E0261",
                format!("`{}` runs over two extents, {n} and {m}", name.name),
                name.span,
                "this index",
            )
            .label(at, format!("extent {n} here"))
            .label(other, format!("extent {m} here"))
            .help(format!("write its range: `{} in 0..{least}`", name.name));
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
    fn reduce_all(&mut self, r: Reduce, expected: Option<Ty>) -> Option<Val> {
        let Reduce { op, indices, term, span } = r;
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
        let (re, ty) = self.reduce_space(r, &space, expected, false)?;
        if !ty.is_complex() {
            return Some(re);
        }
        let (im, _) = self.reduce_space(r, &space, expected, true)?;
        Some(Val::complex(re, im))
    }

    /// The same with the type of the terms; of complex ones a reduction of one part.
    fn reduce_space(&mut self, r: Reduce, space: &Space, expected: Option<Ty>, imaginary: bool) -> Option<(Val, Ty)> {
        let Reduce { op, term, span, .. } = r;
        let mut ty = None;
        let sum = self.over_space(space, op.name(), fold_op(op), span, |c| {
            let value = |c: &mut Self| {
                let v = match space.inner.is_empty() {
                    true => c.term_value(op, term, expected)?,
                    false => c.inner_value(Reduce { indices: &space.inner, ..r }, expected)?,
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
    fn inner_value(&mut self, r: Reduce, expected: Option<Ty>) -> Option<Val> {
        let op = if r.op == ReduceOp::Mean { ReduceOp::Sum } else { r.op };
        let v = self.fold_inside(Reduce { op, ..r }, expected)?;
        if r.op == ReduceOp::Mean && !v.ty.part().is_float() { self.convert(v, Ty::F64, r.span) } else { Some(v) }
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

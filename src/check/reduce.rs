//! Reductions: over a whole index space into a scalar, or inside one element as a loop.

use super::Checker;
use super::emit::{Builder, Val};
use super::env::Local;
use crate::diag::Diagnostic;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, BinaryOp as B, FoldOp, Inst, Sym};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{ExprId, Ident, Range, ReduceOp};

/// Ranges up to this many terms, with constant bounds, are written out.
const UNROLL: i64 = 32;

/// One index of a reduction: `from..to by by`.
struct Axis {
    name: Ident,
    from: Val,
    to: Val,
    by: i64,
}

impl Axis {
    fn constants(&self) -> Option<(i64, i64)> {
        let int = |v: &Val| v.as_const().and_then(|c| c.as_int()).and_then(|i| i64::try_from(i).ok());
        int(&self.from).zip(int(&self.to))
    }

    /// The number of terms, if the bounds are constant.
    fn count(&self) -> Option<i64> {
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
        if matches!(op, ReduceOp::ArgMin | ReduceOp::ArgMax) {
            return self.not_yet("a reduction to the place of an element (`argmin`, `argmax`)", span);
        }
        let bounds = indices.iter().filter_map(|i| i.1.as_ref()).flat_map(|r| [r.from, r.to]);
        let names: Vec<String> = indices.iter().map(|i| i.0.name.clone()).collect();
        let inside = self.builder().nest
            && (self.needs_element_except(term, &names) || bounds.clone().any(|b| self.needs_element(b)));
        if inside {
            let axes = self.axes(indices, term)?;
            return self.fold_inside(op, &axes, term, expected, span);
        }
        if self.builder().nest {
            // The same for every element: computed once, before.
            self.builders.push(Builder::new(vec![]));
            let v = self.reduce_all(op, indices, term, expected, span);
            let v = v.and_then(|v| self.in_slot(v, ""));
            self.builders.pop();
            return v;
        }
        self.reduce_all(op, indices, term, expected, span)
    }

    fn needs_element_except(&mut self, term: ExprId, names: &[String]) -> bool {
        let env = self.env.clone();
        for n in names {
            self.env = self.env.with(n, Local::Val(Val::constant(Value::i64(0))));
        }
        let out = self.needs_element(term);
        self.env = env;
        out
    }

    /// The ranges of a reduction's indices; an index with none takes the extent it subscripts.
    fn axes(&mut self, indices: &[(Ident, Option<Range>)], term: ExprId) -> Option<Vec<Axis>> {
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

    fn inferred_extent(&mut self, name: &Ident, term: ExprId) -> Option<i64> {
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
    fn term_value(&mut self, op: ReduceOp, term: ExprId, expected: Option<Ty>) -> Option<Val> {
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
                if op == ReduceOp::Mean && !v.ty.is_float() {
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
        let axes = self.axes(indices, term)?;
        let mut domain = vec![];
        let mut env = self.env.clone();
        let mut total: i64 = 1;
        for (d, axis) in axes.iter().enumerate() {
            let Some((from, to)) = axis.constants() else {
                return self.not_yet("a reduction whose range changes while the program runs", axis.name.span);
            };
            let count = axis.count().unwrap_or(0);
            total = total.checked_mul(count).unwrap_or(i64::MAX);
            let value = if axis.by == 1 {
                domain.push(Interval::new(from, to.max(from)));
                Affine::sym(Sym::Dim(d))
            } else {
                domain.push(Interval::new(0, count));
                Affine { konst: from, terms: vec![(Sym::Dim(d), axis.by)] }
            };
            env = env.with(&axis.name.name, Local::Val(Val::affine(value)));
        }
        if total > 1 << 52 {
            return self.fail("E0303", format!("this reduction has {total} terms"), span, "the limit is 2^52");
        }
        let names = axes.iter().map(|a| a.name.name.clone()).collect();
        let names = std::mem::replace(&mut self.index_names, names);
        let outer = std::mem::replace(&mut self.env, env);
        self.builders.push(Builder::new_nest(domain));
        let v = self.term_value(op, term, expected);
        self.env = outer;
        self.index_names = names;
        let Some(v) = v else {
            self.builders.pop();
            return None;
        };
        let name = self.sources.text(span).split(char::is_whitespace).next().unwrap_or("").to_string();
        let name = name.split('[').next().unwrap_or("").to_string();
        let sum = self.finish_reduction(name, fold_op(op), v, span)?;
        if op != ReduceOp::Mean {
            return Some(sum);
        }
        Some(self.divide_by_count(sum, total))
    }

    /// `sum / count` in f64, rounded to the sum's type.
    fn divide_by_count(&mut self, sum: Val, count: i64) -> Val {
        let b = self.builder();
        let wide = b.cast(&sum, Ty::F64);
        let n = Val::constant(Value::f64(count as f64));
        let q = b.binary(B::Div, &wide, &n);
        b.cast(&q, sum.ty)
    }

    /// A reduction inside one element: written out when short and constant, else a loop that adds in ascending order,
    /// floats in f64.
    fn fold_inside(
        &mut self,
        op: ReduceOp,
        axes: &[Axis],
        term: ExprId,
        expected: Option<Ty>,
        span: Span,
    ) -> Option<Val> {
        let counts: Option<Vec<i64>> = axes.iter().map(|a| a.count()).collect();
        let total = counts.and_then(|c| c.iter().try_fold(1i64, |p, &n| p.checked_mul(n)));
        if let Some(total) = total
            && total <= UNROLL
        {
            return self.unroll(op, axes, term, expected, total);
        }
        self.fold_loop(op, axes, term, expected, span)
    }

    fn unroll(&mut self, op: ReduceOp, axes: &[Axis], term: ExprId, expected: Option<Ty>, total: i64) -> Option<Val> {
        let mut acc: Option<Val> = None;
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
            acc = Some(match acc {
                None => v,
                Some(a) => self.builder().binary(combine(op), &a, &v),
            });
        }
        let ty = expected.unwrap_or(Ty::F64);
        let sum = match acc {
            Some(v) => v,
            None => Val::constant(identity(op, result_type(op, ty))),
        };
        if op == ReduceOp::Mean { Some(self.divide_by_count(sum, total)) } else { Some(sum) }
    }

    fn fold_loop(
        &mut self,
        op: ReduceOp,
        axes: &[Axis],
        term: ExprId,
        expected: Option<Ty>,
        span: Span,
    ) -> Option<Val> {
        let acc = self.builder().variable(Ty::I64); // retyped below, when the term's type is known
        let env = self.env.clone();
        let mut opened = vec![];
        for axis in axes {
            let bounds = axis.from.as_affine().zip(axis.to.as_affine());
            let (from, to) = (self.builder().materialise(&axis.from), self.builder().materialise(&axis.to));
            let counter = self.builder().variable(Ty::I64);
            let scope = self.builder().open();
            self.builder().counters.push((counter, bounds));
            self.env = self.env.with(&axis.name.name, Local::Val(Val::affine(Affine::sym(Sym::Counter(counter)))));
            opened.push((counter, from, to, axis.by, scope));
        }
        let v = self.term_value(op, term, expected);
        self.env = env;
        let ty = v.as_ref().map_or(Ty::F64, |v| v.ty);
        let wide =
            if ty == Ty::F32 && matches!(op, ReduceOp::Sum | ReduceOp::Mean | ReduceOp::Prod) { Ty::F64 } else { ty };
        self.builder().regs[acc.0 as usize] = wide;
        if let Some(v) = &v {
            let v = self.builder().cast(v, wide);
            let next = self.builder().binary(combine(op), &Val::reg(acc, wide), &v);
            let next = self.builder().materialise(&next);
            self.builder().set(acc, next);
        }
        let mut list = vec![];
        for (counter, from, to, by, scope) in opened.into_iter().rev() {
            self.builder().counters.pop();
            let mut body = self.builder().close(scope, false);
            body.append(&mut list);
            list = vec![Inst::Loop { counter, from, to, by, body }];
        }
        let v = v?;
        let zero = Val::constant(identity(op, wide));
        let start = self.builder().materialise(&zero);
        self.builder().set(acc, start);
        for inst in list {
            self.builder().push(inst);
        }
        let out = self.builder().variable(wide);
        self.builder().set(out, acc);
        let sum = Val::reg(out, wide);
        let sum = match op {
            ReduceOp::Mean => {
                let count = axes.iter().try_fold(1i64, |p, a| p.checked_mul(a.count()?));
                match count {
                    Some(n) => self.divide_by_count(sum, n),
                    None => return self.not_yet("`mean` over a range that changes from element to element", span),
                }
            }
            _ => sum,
        };
        Some(self.builder().cast(&sum, v.ty))
    }
}

fn result_type(op: ReduceOp, ty: Ty) -> Ty {
    match op {
        ReduceOp::Any | ReduceOp::All => Ty::Bool,
        ReduceOp::Count => Ty::I64,
        _ => ty,
    }
}

fn combine(op: ReduceOp) -> B {
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
fn identity(op: ReduceOp, ty: Ty) -> Value {
    let least = |ty: Ty| match ty {
        Ty::F32 | Ty::F64 => Value::float(ty, f64::NEG_INFINITY),
        Ty::I32 => Value::int(ty, i32::MIN as i128),
        Ty::I64 => Value::int(ty, i64::MIN as i128),
        _ => Value::int(ty, 0),
    };
    let greatest = |ty: Ty| match ty {
        Ty::F32 | Ty::F64 => Value::float(ty, f64::INFINITY),
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

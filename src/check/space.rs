//! The index space of a whole reduction: a box, and where the ends of ranges change, the part of it that is meant.

use super::Checker;
use super::emit::{Builder, Val};
use super::env::Local;
use super::narrow::Narrowing;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, BinaryOp as B, FoldOp, Sym};
use crate::ir::ty::Ty;
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, ExprId, Ident, Range};

/// The points of a reduction.
pub(super) struct Space {
    pub axes: Vec<SpaceAxis>,
    /// Points of the box.
    pub total: i64,
    /// The ends of ranges that are not constant: which axis, which comparison, with what.
    pub ends: Vec<(usize, BinaryOp, Affine)>,
}

pub(super) struct SpaceAxis {
    pub name: String,
    /// The dimension of the domain, and the index as a function of it.
    pub range: Interval,
    pub index: Affine,
}

impl Checker<'_> {
    /// Evaluates the ranges of a whole reduction, in scalar code.
    pub(super) fn space(&mut self, indices: &[(Ident, Option<Range>)], term: ExprId, span: Span) -> Option<Space> {
        let mut space = Space { axes: vec![], total: 1, ends: vec![] };
        for (k, index) in indices.iter().enumerate() {
            let nested = index.1.as_ref().is_some_and(|r| {
                indices[..k].iter().any(|i| self.mentions(r.from, &i.0.name) || self.mentions(r.to, &i.0.name))
            });
            let axis = match nested {
                true => self.nested_axis(&mut space, index)?,
                false => self.plain_axis(&mut space, index, term)?,
            };
            space.total = space.total.checked_mul(axis.range.len()).unwrap_or(i64::MAX);
            space.axes.push(axis);
        }
        if space.total > 1 << 52 {
            let message = format!("this reduction has {} terms", space.total);
            return self.fail_help(
                "E0303",
                message,
                span,
                "the limit is 2^52",
                "reduce in two steps: rows first, then their results",
            );
        }
        Some(space)
    }

    fn plain_axis(&mut self, space: &mut Space, index: &(Ident, Option<Range>), term: ExprId) -> Option<SpaceAxis> {
        let axis = self.axes(std::slice::from_ref(index), term)?.pop()?;
        let (d, name) = (space.axes.len(), axis.name.name.clone());
        if let (Some((from, to)), Some(count)) = (axis.constants(), axis.count()) {
            return Some(SpaceAxis::new(name, d, from, to.max(from) - from, count, axis.by));
        }
        let (from, to) = (self.known_range(&axis.from), self.known_range(&axis.to));
        let (Some(from), Some(to)) = (from, to) else {
            return self
                .not_yet("a reduction over a range whose ends are not known before the program runs", axis.name.span);
        };
        let ends = [axis.from, axis.to].map(|v| self.in_slot(v, ""));
        let [Some(a), Some(b)] = ends.map(|v| v.and_then(|v| v.as_affine())) else { return None };
        self.changing_axis(space, name, (a, from), (b, to), axis.by, axis.name.span)
    }

    /// An axis whose range follows the indices before it.
    fn nested_axis(&mut self, space: &mut Space, (index, range): &(Ident, Option<Range>)) -> Option<SpaceAxis> {
        let r = range.as_ref()?;
        let by = self.step(r)?;
        let outer = self.env.clone();
        let domain = space.axes.iter().map(|a| a.range).collect();
        for a in &space.axes {
            self.env = self.env.with(&a.name, Local::Val(Val::affine(a.index.clone())));
        }
        self.push_builder(Builder::new_nest(domain));
        let mut ends = vec![];
        for end in [r.from, r.to] {
            let v = self.expr_as(end, Ty::I64);
            let a = v.as_ref().and_then(|v| v.as_affine());
            let range = a.as_ref().and_then(|a| self.affine_range(a));
            ends.push((v.is_some(), a.zip(range), self.span(end)));
        }
        self.builders.pop();
        self.env = outer;
        if ends.iter().any(|e| !e.0) {
            return None;
        }
        let mut found = vec![];
        for (_, end, at) in ends {
            match end {
                Some(end) => found.push(end),
                None => return self.not_yet("a reduction over a range that is not index arithmetic", at),
            }
        }
        let to = found.pop()?;
        self.changing_axis(space, index.name.clone(), found.pop()?, to, by, index.span)
    }

    fn changing_axis(
        &mut self,
        space: &mut Space,
        name: String,
        (a, from): (Affine, Interval),
        (b, to): (Affine, Interval),
        by: i64,
        span: Span,
    ) -> Option<SpaceAxis> {
        if by != 1 && !a.terms.is_empty() {
            return self.not_yet("a reduction over a range with a step whose start changes", span);
        }
        let length = (to.hi - 1 - from.lo).max(0);
        let count = length / by + i64::from(length % by != 0);
        let d = space.axes.len();
        if !a.terms.is_empty() {
            space.ends.push((d, BinaryOp::Ge, a));
        }
        if !b.terms.is_empty() {
            space.ends.push((d, BinaryOp::Lt, b));
        }
        Some(SpaceAxis::new(name, d, from.lo, length, count, by))
    }

    /// One nest over the space with one reduction of the value that `value` writes.
    pub(super) fn over_space(
        &mut self,
        space: &Space,
        name: &str,
        op: FoldOp,
        span: Span,
        value: impl FnOnce(&mut Self) -> Option<Val>,
    ) -> Option<Val> {
        let mut env = self.env.clone();
        for a in &space.axes {
            env = env.with(&a.name, Local::Val(Val::affine(a.index.clone())));
        }
        let names = space.axes.iter().map(|a| a.name.clone()).collect();
        let names = std::mem::replace(&mut self.index_names, names);
        let outer = std::mem::replace(&mut self.env, env);
        self.push_builder(Builder::new_nest(space.axes.iter().map(|a| a.range).collect()));
        let v = value(self);
        (self.env, self.index_names) = (outer, names);
        let Some(v) = v else {
            self.builders.pop();
            return None;
        };
        self.finish_reduction(name.to_string(), op, v, span)
    }

    /// The value where a point belongs to the space, else another.
    pub(super) fn within_space(
        &mut self,
        space: &Space,
        value: impl FnOnce(&mut Self) -> Option<Val>,
        other: impl FnOnce(&mut Self, Ty) -> Val,
    ) -> Option<Val> {
        let (mut all, mut facts): (Option<Val>, Narrowing) = (None, vec![]);
        for (d, op, end) in &space.ends {
            let i = &space.axes[*d].index;
            facts.extend(self.compare_facts(i, *op, end));
            let op = if *op == BinaryOp::Ge { B::Ge } else { B::Lt };
            let c = self.builder().binary(op, &Val::affine(i.clone()), &Val::affine(end.clone()));
            all = Some(match all {
                None => c,
                Some(a) => self.builder().binary(B::And, &a, &c),
            });
        }
        match all {
            None => value(self),
            Some(cond) => self.guarded(&cond, &facts, value, other),
        }
    }
}

impl SpaceAxis {
    fn new(name: String, d: usize, from: i64, length: i64, count: i64, by: i64) -> SpaceAxis {
        let (range, index) = match by {
            1 => (Interval::new(from, from + length), Affine::sym(Sym::Dim(d))),
            _ => (Interval::new(0, count), Affine { konst: from, terms: vec![(Sym::Dim(d), by)] }),
        };
        SpaceAxis { name, range, index }
    }
}

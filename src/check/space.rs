//! The index space of a whole reduction: a box, and where the ends of ranges change, the part of it that is meant. Where an end is
//! not known before the program runs, the extents that the index subscripts bound the box, and a check says that the range lies in
//! them; where nothing bounds an index, it and those behind it are loops inside the points of the others.

use super::Checker;
use super::emit::{Builder, Val};
use super::env::{Global, Local};
use super::infer::children;
use super::narrow::Narrowing;
use super::reduce::Axis;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, ArrayId, BinaryOp as B, FoldOp, Sym};
use crate::ir::program::{Edge, PrintPart, RunCheck, StmtKind};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, ExprId, ExprKind, Ident, Range};

/// The points of a reduction.
pub(super) struct Space {
    pub axes: Vec<SpaceAxis>,
    /// Points of the box.
    pub total: i64,
    /// The ends of ranges that are not constant: which axis, which comparison, with what.
    pub ends: Vec<(usize, BinaryOp, Affine)>,
    /// Axes whose points are every so many from a start that changes.
    pub steps: Vec<(usize, Affine, i64)>,
    /// The indices that are loops inside every point.
    pub inner: Vec<(Ident, Option<Range>)>,
}

impl Space {
    /// Whether every point of the box is meant, once.
    pub fn is_box(&self) -> bool {
        self.ends.is_empty() && self.steps.is_empty() && self.inner.is_empty()
    }
}

/// An end of a range, with what is known of it.
type End = (Affine, Option<Interval>);

pub(super) struct SpaceAxis {
    pub name: String,
    /// The dimension of the domain, and the index as a function of it.
    pub range: Interval,
    pub index: Affine,
}

impl Checker<'_> {
    /// Evaluates the ranges of a whole reduction, in scalar code.
    pub(super) fn space(&mut self, indices: &[(Ident, Option<Range>)], term: ExprId, span: Span) -> Option<Space> {
        let mut space = Space { axes: vec![], total: 1, ends: vec![], steps: vec![], inner: vec![] };
        for (k, index) in indices.iter().enumerate() {
            let nested = index.1.as_ref().is_some_and(|r| {
                indices[..k].iter().any(|i| self.mentions(r.from, &i.0.name) || self.mentions(r.to, &i.0.name))
            });
            let axis = match nested {
                true => self.nested_axis(&mut space, index)?,
                false => self.plain_axis(&mut space, index, term)?,
            };
            let Some(axis) = axis else {
                space.inner = indices[k..].to_vec();
                break;
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

    /// An axis whose range does not follow others; `None` of the inner kind: nothing bounds it.
    fn plain_axis(
        &mut self,
        space: &mut Space,
        index: &(Ident, Option<Range>),
        term: ExprId,
    ) -> Option<Option<SpaceAxis>> {
        // In code of its own, which ends with the slots: the registers of the code around it stay.
        let ranges = index.1.iter().flat_map(|r| [r.from, r.to]);
        let apart = !ranges.into_iter().any(|e| self.uses_registers(e));
        if apart {
            self.push_builder(Builder::new(vec![]));
        }
        let ends = self.axis_ends(index, term);
        if apart {
            self.builders.pop();
        }
        let (axis, [(a, from), (b, to)]) = ends?;
        let (d, name) = (space.axes.len(), axis.name.name.clone());
        if let (Some((from, to)), Some(count)) = (axis.constants(), axis.count()) {
            return Some(Some(SpaceAxis::new(name, d, from, to.max(from) - from, count, axis.by)));
        }
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => (from, to),
            _ => {
                let Some(hull) = self.subscript_hull(term, &name) else { return Some(None) };
                self.check_range(&axis.name, (&a, from), (&b, to), hull);
                let within = |r: Option<Interval>, lo, hi| r.unwrap_or(Interval::new(lo, hi));
                (within(from, hull.lo, hull.hi), within(to, hull.lo, hull.hi + 1))
            }
        };
        self.changing_axis(space, name, (a, from), (b, to), axis.by).map(Some)
    }

    /// An axis, and its ends as constants or scalars, with what is known of them.
    fn axis_ends(&mut self, index: &(Ident, Option<Range>), term: ExprId) -> Option<(Axis, [End; 2])> {
        let axis = self.axes(std::slice::from_ref(index), term)?.pop()?;
        let known = [&axis.from, &axis.to].map(|v| self.known_range(v));
        let slots = self.in_slots(&[(axis.from.clone(), ""), (axis.to.clone(), "")]);
        let [a, b] = [0, 1].map(|k| slots[k].as_affine());
        Some((axis, [(a?, known[0]), (b?, known[1])]))
    }

    /// The values of an index at which every array that it subscripts has an element, where the subscripts are the index plus a
    /// number and no condition says which of them are read.
    fn subscript_hull(&mut self, term: ExprId, name: &str) -> Option<Interval> {
        let mut hull = super::range::ANYTHING;
        let mut all = vec![term];
        let ast = self.ast();
        while let Some(id) = all.pop() {
            all.extend(children(&ast, id));
            let ExprKind::Index { base, subscripts } = &ast.expr(id).kind else {
                if matches!(ast.expr(id).kind, ExprKind::If { .. } | ExprKind::Block(_)) && self.mentions(id, name) {
                    return None;
                }
                continue;
            };
            for (k, &s) in subscripts.iter().enumerate().filter(|s| self.mentions(*s.1, name)) {
                let shift = self.plain_shift(s, name)?;
                let n = self.bare_extent(base, k)?;
                hull = hull.intersect(Interval::new(-shift, n - shift));
            }
        }
        (hull.lo > super::range::ANYTHING.lo).then_some(hull)
    }

    /// `i + 3` is 3.
    fn plain_shift(&self, id: ExprId, name: &str) -> Option<i64> {
        let ast = self.modules[self.module].ast.clone();
        let int = |id: ExprId| if let ExprKind::Int(v) = ast.expr(id).kind { i64::try_from(v).ok() } else { None };
        match &ast.expr(id).kind {
            ExprKind::Name(n) if n == name => Some(0),
            ExprKind::Binary { op: BinaryOp::Add, left, right, .. } if int(*right).is_some() => {
                self.plain_shift(*left, name)?.checked_add(int(*right)?)
            }
            ExprKind::Binary { op: BinaryOp::Add, left, right, .. } => {
                self.plain_shift(*right, name)?.checked_add(int(*left)?)
            }
            ExprKind::Binary { op: BinaryOp::Sub, left, right, .. } => {
                self.plain_shift(*left, name)?.checked_sub(int(*right)?)
            }
            _ => None,
        }
    }

    /// The extent of an array's dimension, or of a table, past which nothing stands.
    fn bare_extent(&self, base: &Ident, k: usize) -> Option<i64> {
        let array = |a: &ArrayId| {
            let a = &self.program.arrays[a.0 as usize];
            a.extents().get(k).copied().filter(|_| a.edges[k] == Edge::None)
        };
        match (self.env.find(&base.name), self.modules[self.module].globals.get(&base.name)) {
            (Some(Local::Array(a)), _) => array(a),
            (Some(_), _) => None,
            (None, Some((Global::Array(a), _))) => array(a),
            (None, Some((Global::Table(_, _, shape), _))) => shape.get(k).copied(),
            _ => None,
        }
    }

    /// The program ends with a report where a range that has points leaves the values that its index may have.
    fn check_range(
        &mut self,
        index: &Ident,
        (a, from): (&Affine, Option<Interval>),
        (b, to): (&Affine, Option<Interval>),
        hull: Interval,
    ) {
        if self.generic {
            return;
        }
        let (a, b) = (Val::affine(a.clone()), Val::affine(b.clone()));
        let cond = self.before("", |w| {
            let mut ok = w.binary(B::Ge, &a, &b);
            let mut inside = Val::constant(Value::bool(true));
            for (v, known, op, end) in [(&a, from, B::Ge, hull.lo), (&b, to, B::Le, hull.hi)] {
                let holds = match (known, op) {
                    (Some(r), B::Ge) => r.lo >= end,
                    (Some(r), _) => r.hi - 1 <= end,
                    _ => false,
                };
                if !holds {
                    let c = w.binary(op, v, &Val::constant(Value::i64(end)));
                    inside = if inside.as_const().is_some() { c } else { w.binary(B::And, &inside, &c) };
                }
            }
            ok = w.binary(B::Or, &ok, &inside);
            ok
        });
        let [first, end] = [a, b].map(|v| self.before("", |_| v));
        let why = vec![
            PrintPart::Text(format!("`{}` runs over ", index.name)),
            PrintPart::Scalar { id: first, format: None },
            PrintPart::Text("..".into()),
            PrintPart::Scalar { id: end, format: None },
            PrintPart::Text(format!(", and what it subscripts has elements for {}..{}", hull.lo, hull.hi)),
        ];
        self.emit_stmt(StmtKind::Assert { cond, why, check: Some(RunCheck::Range) }, index.span);
    }

    /// An axis whose range follows the indices before it.
    fn nested_axis(&mut self, space: &mut Space, (index, range): &(Ident, Option<Range>)) -> Option<Option<SpaceAxis>> {
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
            ends.push((v.is_some(), a.zip(range)));
        }
        self.builders.pop();
        self.env = outer;
        if ends.iter().any(|e| !e.0) {
            return None;
        }
        let mut found: Vec<(Affine, Interval)> = ends.into_iter().filter_map(|e| e.1).collect();
        let (Some(to), Some(from)) = (found.pop(), found.pop()) else { return Some(None) };
        self.changing_axis(space, index.name.clone(), from, to, by).map(Some)
    }

    fn changing_axis(
        &mut self,
        space: &mut Space,
        name: String,
        (a, from): (Affine, Interval),
        (b, to): (Affine, Interval),
        by: i64,
    ) -> Option<SpaceAxis> {
        let d = space.axes.len();
        let mut by = by;
        if by != 1 && !a.terms.is_empty() {
            space.steps.push((d, a.clone(), std::mem::replace(&mut by, 1)));
        }
        let length = (to.hi - 1 - from.lo).max(0);
        let count = length / by + i64::from(length % by != 0);
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
        let places: Vec<Affine> = (0..space.axes.len()).map(|d| Affine::sym(Sym::Dim(d))).collect();
        match self.in_space(space, &places) {
            None => value(self),
            Some((cond, facts)) => self.guarded(&cond, &facts, value, other),
        }
    }

    /// Whether the point at these places of the box belongs to the space, and what that says; `None`: all do.
    pub(super) fn in_space(&mut self, space: &Space, places: &[Affine]) -> Option<(Val, Narrowing)> {
        let put = |a: &Affine| {
            a.terms.iter().try_fold(Affine::constant(a.konst), |sum, &(sym, c)| match sym {
                Sym::Dim(d) => sum.add(&places[d].scale(c)?),
                _ => sum.add(&Affine { konst: 0, terms: vec![(sym, c)] }),
            })
        };
        let (mut all, mut facts): (Option<Val>, Narrowing) = (None, vec![]);
        let mut both = |b: &mut Builder, c: Val| {
            all = Some(match all.take() {
                None => c,
                Some(a) => b.binary(B::And, &a, &c),
            });
        };
        for (d, op, end) in &space.ends {
            let (i, end) = (put(&space.axes[*d].index)?, put(end)?);
            facts.extend(self.compare_facts(&i, *op, &end));
            let op = if *op == BinaryOp::Ge { B::Ge } else { B::Lt };
            let b = self.builder();
            let c = b.binary(op, &Val::affine(i), &Val::affine(end));
            both(b, c);
        }
        for (d, start, by) in &space.steps {
            let (i, start) = (put(&space.axes[*d].index)?, put(start)?);
            let b = self.builder();
            let k = |v: i64| Val::constant(Value::i64(v));
            let step = b.binary(B::Sub, &Val::affine(i), &Val::affine(start));
            let over = b.binary(B::Mod, &step, &k(*by));
            let c = b.binary(B::Eq, &over, &k(0));
            both(b, c);
        }
        all.map(|all| (all, facts))
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

//! Scatters: `h[bin[i]] += w[i]`. The left side's subscripts and the contributions are computed into arrays of their own, over the
//! index range; a statement then brings the contributions to the elements.

use super::Checker;
use super::emit::{Builder, Val};
use super::env::Local;
use super::equation::with_part;
use super::left::{Index, Left};
use crate::diag::Diagnostic;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, ArrayId, BinaryOp as B, Check, Store, Sym};
use crate::ir::layout::Dist;
use crate::ir::program::{Array, Edge, Placement, StmtKind};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{AssignOp, Clause, ExprId, ExprKind, Ident, Target};

impl Checker<'_> {
    /// Whether a left side names elements by values: `h[bin[i]]`, `h[i div 4]`.
    pub(super) fn scatters(&mut self, left: &Left, clause: &Clause) -> Option<bool> {
        let names = self.left_indices(left, clause)?;
        let mut env = self.env.clone();
        for (d, name) in names.iter().enumerate() {
            env = env.with(name, Local::Val(Val::affine(Affine::sym(Sym::Dim(d)))));
        }
        for &s in &left.subs {
            if !names.iter().any(|n| self.mentions(s, n)) || matches!(self.node(s).kind, ExprKind::Name(_)) {
                continue;
            }
            if self.reads_arrays(s) {
                return Some(true);
            }
            let outer = std::mem::replace(&mut self.env, env.clone());
            self.push_builder(Builder::new_nest(vec![Interval::new(0, 1); names.len()]));
            let v = self.expr_as(s, Ty::I64);
            self.builders.pop();
            self.env = outer;
            // A value, or a constant that only looks like one: `(2 * i) mod 2`.
            if v?.as_affine().is_none_or(|a| !a.terms.iter().any(|t| matches!(t.0, Sym::Dim(_)))) {
                return Some(true);
            }
        }
        Some(false)
    }

    /// The nest and the statement of a scatter.
    pub(super) fn scatter(&mut self, left: &Left, op: AssignOp, value: ExprId, clause: &Clause) -> Option<()> {
        let span = left.target.span;
        let ty = self.program.arrays[left.array.0 as usize].element();
        let Some(combine) = self.compound(op, ty, span)? else {
            return self.fail_help(
                "E0275",
                format!("several values may be meant for one element of `{}`", left.name),
                span,
                "the subscripts are values, and `=` gives no order",
                "accumulate: `+=`; or write what each element equals, and read with the subscript on the right",
            );
        };
        let indices = self.scatter_indices(left, value, clause)?;
        let (domain, names, outer) = self.enter_domain(&indices);
        self.push_builder(Builder::new_nest(domain.clone()));
        let index = self.linear_index(left);
        let v = self.expr_as(value, ty);
        // Of complex numbers both parts are contributions, in a last dimension of two as in the array.
        let mut complex = ty.is_complex() && matches!(combine, B::Mul | B::Div);
        let parts = index.zip(v).map(|(index, v)| match v.parts() {
            None => vec![(index, v)],
            Some((re, im)) => {
                // A real factor or divisor acts on both parts.
                let real = super::complex::is_zero(&im);
                let im = if complex && real { re.clone() } else { im };
                complex &= !real;
                let b = self.builder();
                let real = b.binary(B::Mul, &index, &Val::constant(Value::i64(2)));
                let imaginary = b.binary(B::Add, &real, &Val::constant(Value::i64(1)));
                vec![(real, re), (imaginary, im)]
            }
        });
        let b = self.builder();
        let parts: Option<Vec<_>> =
            parts.map(|p| p.iter().map(|(at, v)| (b.materialise(at), b.materialise(v))).collect());
        (self.env, self.index_names) = (outer, names);
        let mut b = self.builders.pop()?;
        let parts = parts?;
        if domain.iter().any(|d| d.is_empty()) {
            return Some(());
        }
        let mut shape: Vec<i64> = domain.iter().map(|d| d.len()).collect();
        shape.extend((parts.len() == 2).then_some(2));
        let places = self.contributions(format!("{}.places", left.name), Ty::I64, &shape, span);
        let values = self.contributions(format!("{}.values", left.name), ty.part(), &shape, span);
        self.program.arrays[values.0 as usize].complex = ty.is_complex();
        let at = Affine::from_start(&domain);
        let mut store = |array, ty: Ty, part: i64, value| {
            let index = if parts.len() == 2 { with_part(&at, part) } else { at.clone() };
            let operand = b.operand(array, ty, index.len(), true);
            Store { operand, index, value }
        };
        let mut stores = vec![];
        for (part, (place, value)) in parts.iter().enumerate() {
            stores.push(store(places, Ty::I64, part as i64, *place));
            stores.push(store(values, ty.part(), part as i64, *value));
        }
        self.push_nest(&mut b, format!("contributions to {}", left.name), stores, vec![], span);
        let into = left.array;
        self.pinned.insert(into);
        self.emit_stmt(StmtKind::Scatter { into, index: places, value: values, op: combine, complex }, span);
        Some(())
    }

    /// An array of contributions: its first dimension is divided, so that the ranks hold them in the order of the indices.
    fn contributions(&mut self, name: String, ty: Ty, shape: &[i64], span: Span) -> ArrayId {
        let dists = (0..shape.len()).map(|d| if d == 0 { Dist::Block } else { Dist::Whole }).collect();
        self.add_array(Array {
            name,
            ty,
            shape: shape.to_vec(),
            placement: Placement::Divided { dists, over: vec![] },
            edges: vec![Edge::None; shape.len()],
            span,
            temporary: true,
            complex: false,
        })
    }

    /// The row-major number of the element that the left side names; subscripts that are not proved are to be checked.
    fn linear_index(&mut self, left: &Left) -> Option<Val> {
        let mut sum = Val::constant(Value::i64(0));
        for (&s, &n) in left.subs.iter().zip(&left.shape) {
            let span = self.span(s);
            let v = self.expr(s, Some(Ty::I64))?;
            if !v.ty.is_int() {
                let message = format!("a subscript is an integer, and this is `{}`", v.ty);
                return self.fail_help(
                    "E0251",
                    message,
                    span,
                    "subscript",
                    "convert it: `i64(…)` cuts off what follows the point",
                );
            }
            let inside = self.known_range(&v).is_some_and(|r| r.is_empty() || (r.lo >= 0 && r.hi <= n));
            let mut v = self.builder().cast(&v, Ty::I64);
            if !inside {
                let from = self.builder().materialise(&v);
                let reg = self.builder().variable(Ty::I64);
                self.builder().set(reg, from);
                let (text, array) = (self.subscript_text(span), left.name.clone());
                self.builder().checks.push(Check { reg, extent: n, text, array, span });
                v = Val::reg(reg, Ty::I64);
            }
            let b = self.builder();
            let before = b.binary(crate::ir::kernel::BinaryOp::Mul, &sum, &Val::constant(Value::i64(n)));
            sum = b.binary(crate::ir::kernel::BinaryOp::Add, &before, &v);
        }
        Some(sum)
    }

    /// The indices of a scatter, each with the range of its clause or of the dimensions that it subscripts.
    fn scatter_indices(&mut self, left: &Left, value: ExprId, clause: &Clause) -> Option<Vec<Index>> {
        let mut names = self.left_indices(left, clause)?;
        let ranges = match clause {
            Clause::For(list) => list.as_slice(),
            _ => &[],
        };
        if let Some((extra, _)) = ranges.iter().find(|(i, _)| !names.contains(&i.name)) {
            let message = format!("`{}` is not an index of the left side", extra.name);
            return self.fail_help(
                "E0271",
                message,
                extra.span,
                "ranged here",
                "take the range away, or use the index in the equation",
            );
        }
        // The order of the contributions.
        names.sort_by_key(|n| ranges.iter().position(|r| r.0.name == *n).unwrap_or(ranges.len()));
        let mut out = vec![];
        for name in &names {
            if let Some((_, r)) = ranges.iter().find(|r| r.0.name == *name) {
                let by = self.step(r)?;
                let from = self.const_as(r.from, Ty::I64, "the range of a scatter")?.as_int()? as i64;
                let to = self.const_as(r.to, Ty::I64, "the range of a scatter")?.as_int()? as i64;
                let n = (to - from).max(0);
                out.push(Index::plain(name, (from, n / by + i64::from(n % by != 0), by)));
                continue;
            }
            out.push(Index::plain(name, (0, self.scattered_extent(left, name, value)?, 1)));
        }
        Some(out)
    }

    fn scattered_extent(&mut self, left: &Left, name: &str, value: ExprId) -> Option<i64> {
        let mut found = vec![];
        for (&s, &n) in left.subs.iter().zip(&left.shape) {
            if matches!(self.node(s).kind, ExprKind::Name(x) if x == name) {
                found.push((n, self.span(s)));
            }
            found.extend(self.extents_of(s, name));
        }
        if found.is_empty() {
            if let Some(base) = left.subs.iter().find_map(|&s| self.unknown_base(s)) {
                return if self.is_broken(&base) { None } else { self.unknown(&base.name, base.span, "array") };
            }
            let at = left.subs.iter().find(|s| self.mentions(**s, name)).map_or(left.target.span, |&s| self.span(s));
            return self.inferred_extent(&Ident { name: name.to_string(), span: at }, value);
        }
        let (n, at) = found[0];
        if let Some(&(m, other)) = found.iter().find(|f| f.0 != n) {
            let (least, n, m) = (self.extent_text(n.min(m)), self.extent_text(n), self.extent_text(m));
            let d = Diagnostic::error(
                "E0261",
                format!("`{name}` runs over two extents, {n} and {m}"),
                at,
                format!("extent {n} here"),
            )
            .label(other, format!("extent {m} here"))
            .help(format!("write its range: `for {name} in 0..{least}`"));
            self.report(d);
            return None;
        }
        Some(n)
    }

    /// What the left side of an update means.
    pub(super) fn left_of(&mut self, target: &Target, array: ArrayId, into: ArrayId) -> Option<Left> {
        let subs = target.subscripts.clone().unwrap_or_default();
        let (shape, name) = {
            let a = &self.program.arrays[array.0 as usize];
            (a.extents().to_vec(), a.name.clone())
        };
        if subs.len() != shape.len() {
            return self.fail_help(
                "E0252",
                super::subscripts_wanted(&name, shape.len(), subs.len()),
                target.span,
                super::counted(subs.len(), "subscript"),
                "write one subscript for each dimension",
            );
        }
        Some(Left { target: target.clone(), name, array, into, subs, shape })
    }
}

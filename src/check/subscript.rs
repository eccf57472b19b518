//! Subscripts at scalars of the workflow: in bounds by what is known of the scalar, else checked when the program runs.

use super::Checker;
use super::emit::{Builder, Val};
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, ArrayId, BinaryOp as B, ScalarId, Sym};
use crate::ir::program::{Edge, PrintPart, StmtKind};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::ExprId;

impl Checker<'_> {
    /// Replaces the scalars of a read's subscripts by ones whose range holds wherever the nest runs.
    pub(super) fn bound_scalars(&mut self, array: ArrayId, index: &mut [Affine], ids: &[ExprId]) -> Option<()> {
        for d in 0..index.len() {
            let (mut a, mut unknown) = (Affine::constant(index[d].konst), Affine::constant(0));
            for (sym, c) in std::mem::take(&mut index[d].terms) {
                let Sym::Scalar(id) = sym else {
                    a = a.add(&Affine { konst: 0, terms: vec![(sym, c)] })?;
                    continue;
                };
                let pick = self.builder().picks.iter().find(|p| p.0 == id).and_then(|p| p.1.scale(c));
                if let Some(place) = pick {
                    a = a.add(&place)?;
                    continue;
                }
                let (known, here) = (self.program.scalar_ranges.get(&id).copied(), self.scalar_range(id));
                match here {
                    Some(r) => {
                        let id = if known == here { id } else { self.clamped(id, r) };
                        a = a.add(&Affine { konst: 0, terms: vec![(Sym::Scalar(id), c)] })?;
                    }
                    None => unknown = unknown.add(&Affine { konst: 0, terms: vec![(sym, c)] })?,
                }
            }
            if !unknown.terms.is_empty() && !self.generic {
                let part = self.checked_part(array, d, &a, unknown, self.span(ids[d]))?;
                a = a.add(&Affine::sym(Sym::Scalar(part)))?;
            } else {
                a = a.add(&unknown)?;
            }
            index[d] = a;
        }
        Some(())
    }

    /// Scalar code that runs before the code being written.
    fn before(&mut self, name: &str, value: impl FnOnce(&mut Builder) -> Val) -> ScalarId {
        self.builders.push(Builder::new(vec![]));
        let v = value(self.builder());
        let id = self.new_scalar(name, v.ty);
        self.assign_slot(id, &v);
        self.builders.pop();
        id
    }

    /// A scalar that equals `id` wherever it lies in `r`, and lies in `r` always.
    fn clamped(&mut self, id: ScalarId, r: Interval) -> ScalarId {
        if let Some(made) = self.builder().clamped.iter().find(|c| (c.0, c.1) == (id, r)) {
            return made.2;
        }
        let (lo, hi) = (Val::constant(Value::i64(r.lo)), Val::constant(Value::i64((r.hi - 1).max(r.lo))));
        let new = self.before("", |b| {
            let v = b.binary(B::Max, &Val::slot(id, Ty::I64), &lo);
            b.binary(B::Min, &v, &hi)
        });
        self.program.scalar_ranges.insert(new, Interval::new(r.lo, r.hi.max(r.lo + 1)));
        self.builder().clamped.push((id, r, new));
        new
    }

    /// The part of a subscript whose range is not known, as a scalar that is checked before the nest runs.
    fn checked_part(&mut self, array: ArrayId, d: usize, rest: &Affine, part: Affine, span: Span) -> Option<ScalarId> {
        let a = self.program.arrays[array.0 as usize].clone();
        let around = self.affine_range(rest);
        let (Some(r), false) = (around, self.builder().conditional) else {
            return self.not_yet("a read, where a condition holds, at a scalar of unknown range", span);
        };
        let n = a.shape[d];
        let reach = if a.edges[d] == Edge::None { 0 } else { n };
        let (lo, hi) = (-reach - r.lo, n + reach - (r.hi - 1));
        let id = self.before("", |_| Val::affine(part));
        let text = self.sources.text(span).to_string();
        Some(self.checked_scalar(id, Interval::new(lo, hi.max(lo + 1)), (&text, &a.name, n), span))
    }

    /// A copy of a scalar that is checked to lie in `r`: the program ends with a report where it does not.
    pub(super) fn checked_scalar(
        &mut self,
        id: ScalarId,
        r: Interval,
        (text, name, n): (&str, &str, i64),
        span: Span,
    ) -> ScalarId {
        let cond = self.before("", |b| {
            let v = Val::slot(id, Ty::I64);
            let low = b.binary(B::Ge, &v, &Val::constant(Value::i64(r.lo)));
            let high = b.binary(B::Lt, &v, &Val::constant(Value::i64(r.hi)));
            b.binary(B::And, &low, &high)
        });
        let why = vec![
            PrintPart::Text(format!("the subscript `{text}` of `{name}` leaves its extent of {n} (")),
            PrintPart::Scalar { id, format: None },
            PrintPart::Text(")".into()),
        ];
        self.emit_stmt(StmtKind::Assert { cond, why }, span);
        let new = self.before("", |_| Val::slot(id, Ty::I64));
        self.program.scalar_ranges.insert(new, r);
        new
    }
}

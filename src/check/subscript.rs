//! Subscripts at scalars of the workflow: in bounds by what is known of the scalar, else checked when the program runs.

use super::Checker;
use super::emit::{Builder, Guarded, Val, ValKind};
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, ArrayId, BinaryOp as B, Check, Reg, ScalarId, Sym};
use crate::ir::program::{Edge, PrintPart, RunCheck, StmtKind};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{ExprId, Ident};

/// A subscript that is checked when the program runs: its text, the array's name and extent, and how the values that it
/// takes lie to the scalar's.
pub(super) struct Checked<'a> {
    pub text: &'a str,
    pub name: &'a str,
    pub extent: String,
    pub from: i64,
    pub reach: i64,
}

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

    /// A table's subscript at a scalar of unknown range: checked before the code being written, where that runs always.
    pub(super) fn checked_subscript(&mut self, v: Val, table: &Ident, n: i64, span: Span) -> Option<Val> {
        if self.builder().conditional {
            return Some(v);
        }
        let v = if self.builder().nest { v } else { self.in_slot(v, "")? };
        let ValKind::Slot(id) = v.kind else { return Some(v) };
        let text = self.sources.text(span).to_string();
        let extent = format!("the table has {}", super::counted(n as usize, "element"));
        let what = Checked { text: &text, name: &table.name, extent, from: 0, reach: 1 };
        Some(Val::slot(self.checked_scalar(id, Interval::new(0, n), what, span), Ty::I64))
    }

    /// A table's subscript at a value of the element, which the nest checks before it runs.
    pub(super) fn checked_in_place(&mut self, v: Val, table: &Ident, n: i64, span: Span) -> Val {
        let b = self.builder();
        let v = b.cast(&v, Ty::I64);
        let from = b.materialise(&v);
        let reg = b.variable(Ty::I64);
        b.set(reg, from);
        let (text, array) = (self.subscript_text(span), table.name.clone());
        self.builder().checks.push(Check { reg, extent: n, text, array, span });
        Val::reg(reg, Ty::I64).ranged(Some(Interval::new(0, n)))
    }

    /// A table's subscript in scalar code that may not run: it is noted, and checked behind the code ([`Checker::scalars`]); what is read where
    /// it lies outside is another element.
    pub(super) fn checked_behind(&mut self, v: Val, table: &Ident, extent: i64, span: Span) -> Val {
        let (text, table) = (self.sources.text(span).to_string(), table.name.clone());
        let b = self.builder();
        let v = b.cast(&v, Ty::I64);
        let from = b.materialise(&v);
        let reg = b.variable(Ty::I64);
        // The first that lies outside stays: the code may run in a loop.
        let noted = Val::reg(reg, Ty::I64);
        let low = b.binary(B::Ge, &noted, &Val::constant(Value::i64(0)));
        let high = b.binary(B::Lt, &noted, &Val::constant(Value::i64(extent)));
        let inside = b.binary(B::And, &low, &high);
        let next = b.select(&inside, &Val::reg(from, Ty::I64), &noted);
        let next = b.materialise(&next);
        b.set(reg, next);
        b.guarded.push(Guarded { reg, extent, text, table, span });
        let v = b.binary(B::Max, &Val::reg(from, Ty::I64), &Val::constant(Value::i64(0)));
        let v = b.binary(B::Min, &v, &Val::constant(Value::i64((extent - 1).max(0))));
        v.ranged(Some(Interval::new(0, extent)))
    }

    /// Ends the scalar code being written with these results, and checks the subscripts that it noted.
    pub(super) fn scalars(&mut self, mut results: Vec<(Reg, ScalarId)>, span: Span) {
        let guarded = self.builder().guarded.clone();
        let noted: Vec<ScalarId> = guarded.iter().map(|_| self.new_scalar("", Ty::I64)).collect();
        results.extend(guarded.iter().map(|g| g.reg).zip(noted.iter().copied()));
        let code = self.builder().finish();
        *self.builder() = Builder::new(vec![]);
        self.emit_stmt(StmtKind::Scalars { code, results }, span);
        for (g, id) in guarded.iter().zip(noted) {
            let extent = format!("the table has {}", super::counted(g.extent as usize, "element"));
            let what = Checked { text: &g.text, name: &g.table, extent, from: 0, reach: 1 };
            self.checked_scalar(id, Interval::new(0, g.extent), what, g.span);
        }
    }

    /// Scalar code that runs before the code being written.
    pub(super) fn before(&mut self, name: &str, value: impl FnOnce(&mut Builder) -> Val) -> ScalarId {
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
            return self.beyond("a read, where a condition holds, at a scalar of unknown range", span);
        };
        let n = a.shape[d];
        let past = if a.edges[d] == Edge::None { 0 } else { 2 * n + 64 };
        let (lo, hi) = (-past - r.lo, n + past - (r.hi - 1));
        let id = self.before("", |_| Val::affine(part));
        let text = self.sources.text(span).to_string();
        let extent = match past {
            0 => format!("the extent is {n}"),
            _ => format!("the extent is {n}, with {past} more past each edge"),
        };
        let what = Checked { text: &text, name: &a.name, extent, from: r.lo, reach: r.len() };
        Some(self.checked_scalar(id, Interval::new(lo, hi.max(lo + 1)), what, span))
    }

    /// A copy of a scalar that is checked to lie in `r`: the program ends with a report where it does not.
    pub(super) fn checked_scalar(
        &mut self,
        id: ScalarId,
        r: Interval,
        Checked { text, name, extent, from, reach }: Checked,
        span: Span,
    ) -> ScalarId {
        let cond = self.before("", |b| {
            let v = Val::slot(id, Ty::I64);
            let low = b.binary(B::Ge, &v, &Val::constant(Value::i64(r.lo)));
            let high = b.binary(B::Lt, &v, &Val::constant(Value::i64(r.hi)));
            b.binary(B::And, &low, &high)
        });
        let about = match reach {
            1 => format!("subscript `{text}` of `{name}` is "),
            _ => format!("subscript `{text}` of `{name}` runs over {reach} elements from "),
        };
        let first = self.before("", |b| b.binary(B::Add, &Val::slot(id, Ty::I64), &Val::constant(Value::i64(from))));
        let why = vec![
            PrintPart::Text(about),
            PrintPart::Scalar { id: first, format: None },
            PrintPart::Text(format!(", and {extent}")),
        ];
        self.emit_stmt(StmtKind::Assert { cond, why, check: Some(RunCheck::Subscript) }, span);
        let new = self.before("", |_| Val::slot(id, Ty::I64));
        self.program.scalar_ranges.insert(new, r);
        new
    }
}

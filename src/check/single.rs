//! Single elements that the workflow reads: `u[t]`. The rank that holds the element finds it and gives it to all.

use super::Checker;
use super::emit::{Builder, Val, ValKind};
use super::env::Local;
use super::subscript::Checked;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, ArrayId, BinaryOp, FoldOp, Op, Reduction, Sym};
use crate::ir::layout::Dist;
use crate::ir::program::{Edge, Placement};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind};

/// A subscript that scalars decide.
#[derive(Clone)]
struct Place {
    at: Val,
    range: Interval,
    /// The dimension is divided, so that the subscript picks a rank.
    picks: bool,
}

impl Checker<'_> {
    /// One element read by the workflow: its owner contributes it to a sum that every rank gets.
    pub(super) fn single_element(&mut self, id: ArrayId, ids: &[ExprId], span: Span) -> Option<Val> {
        let at = self.picked_places(id, ids)?;
        let re = self.single_part(id, (ids, &at), span, |z| z.0)?;
        if !self.program.arrays[id.0 as usize].complex {
            return Some(re);
        }
        Some(Val::complex(re, self.single_part(id, (ids, &at), span, |z| z.1)?))
    }

    /// The places in divided dimensions that scalars pick, with what is known of them: the rank that holds the element is to
    /// read it. Where a subscript cannot be known to lie in the array, the element travels to where it is needed.
    fn picked_places(&mut self, id: ArrayId, ids: &[ExprId]) -> Option<Vec<Option<Place>>> {
        let none = vec![None; ids.len()];
        let changes = |c: &Self, d: usize| c.divides(id, d) && !c.is_constant(ids[d]);
        if self.builder().conditional
            || self.generic
            || !(0..ids.len()).any(|d| changes(self, d))
            || ids.iter().any(|&s| self.uses_registers(s))
        {
            return Some(none);
        }
        let mut out = none.clone();
        for (d, &s) in ids.iter().enumerate() {
            if self.is_constant(s) {
                continue;
            }
            let (n, edge) = {
                let a = &self.program.arrays[id.0 as usize];
                (a.shape[d], a.edges[d])
            };
            self.push_builder(Builder::new(vec![]));
            let v = self.expr(s, Some(Ty::I64));
            let v = v.filter(|v| v.ty.is_int()).map(|v| self.cast_value(&v, Ty::I64));
            let v = v.and_then(|v| match v.kind {
                ValKind::Affine(_) => Some(v),
                _ => self.in_slot(v, ""),
            });
            let mut known = v.as_ref().and_then(|v| self.known_range(v)).filter(|r| !r.is_empty());
            let v = match v.as_ref().map(|v| (&v.kind, v)) {
                Some((ValKind::Slot(slot), _)) if known.is_none() && edge == Edge::None && n > 0 => {
                    let (whole, text) = (Interval::new(0, n), self.subscript_text(self.span(s)));
                    let name = self.program.arrays[id.0 as usize].name.clone();
                    let what =
                        Checked { text: &text, name: &name, extent: format!("the extent is {n}"), from: 0, reach: 1 };
                    known = Some(whole);
                    Some(Val::slot(self.checked_scalar(*slot, whole, what, self.span(s)), Ty::I64))
                }
                _ => v,
            };
            self.builders.pop();
            match (v, known) {
                (Some(v), Some(r)) if r.lo >= 0 && r.hi <= n && v.as_const().is_none() => {
                    out[d] = Some(Place { at: v, range: r, picks: self.divides(id, d) });
                }
                _ => return Some(none),
            }
        }
        Some(out)
    }

    /// Whether ranks divide a dimension of an array.
    fn divides(&self, id: ArrayId, d: usize) -> bool {
        match &self.program.arrays[id.0 as usize].placement {
            Placement::Replicated => false,
            Placement::Divided { dists, .. } => dists.get(d).is_some_and(|d| *d != Dist::Whole),
            Placement::Aligned(other) => self.divides(*other, d),
        }
    }

    /// Whether a subscript is a literal or a name of a constant.
    fn is_constant(&self, id: ExprId) -> bool {
        match &self.modules[self.module].ast.expr(id).kind {
            ExprKind::Int(_) => true,
            ExprKind::Name(n) => match self.env.find(n) {
                Some(Local::Val(v)) => v.as_const().is_some(),
                Some(_) => false,
                None => true,
            },
            ExprKind::Unary { arg, .. } => self.is_constant(*arg),
            ExprKind::Binary { left, right, .. } => self.is_constant(*left) && self.is_constant(*right),
            _ => false,
        }
    }

    /// One element, or of a complex one the part that `which` chooses.
    fn single_part(
        &mut self,
        id: ArrayId,
        (ids, at): (&[ExprId], &[Option<Place>]),
        span: Span,
        which: fn((Val, Val)) -> Val,
    ) -> Option<Val> {
        let (mut domain, mut given, mut picks) = (vec![], vec![], vec![]);
        for place in at {
            given.push(place.as_ref().map(|p| {
                if !p.picks {
                    return p.at.clone();
                }
                let dim = Val::affine(Affine::sym(Sym::Dim(domain.len())));
                domain.push(p.range);
                picks.push((dim.clone(), p.at.clone()));
                dim
            }));
        }
        self.push_builder(Builder::new_nest(domain));
        let b = self.builder();
        let mut here: Option<Val> = None;
        for (d, (dim, at)) in picks.iter().enumerate() {
            let same = b.binary(BinaryOp::Eq, dim, at);
            here = Some(here.map_or(same.clone(), |h| b.binary(BinaryOp::And, &h, &same)));
            b.only.extend(at.as_affine().map(|a| (d, a)));
        }
        let value = |c: &mut Self| c.read_at(id, ids, &given, span).map(|v| v.parts().map_or(v, which));
        let v = match here {
            None => value(self),
            Some(here) => self.guarded(&here, &vec![], value, |_, ty| Val::constant(nothing(ty))),
        };
        let Some(v) = v else {
            self.builders.pop();
            return None;
        };
        let name = format!("{}[…]", self.program.arrays[id.0 as usize].name);
        if v.ty.is_half() {
            let wide = self.builder().cast(&v, Ty::F32);
            let value = self.element_bits(name, wide, span)?;
            return Some(self.builder().cast(&value, v.ty));
        }
        self.element_bits(name, v, span)
    }

    /// Ends the nest of one element.
    fn element_bits(&mut self, name: String, v: Val, span: Span) -> Option<Val> {
        // The bits of a float travel as an integer: a sum would lose the sign of -0.
        let carrier = match v.ty {
            Ty::F32 => Ty::I32,
            Ty::F64 => Ty::I64,
            ty => ty,
        };
        if carrier == v.ty {
            let op = if v.ty == Ty::Bool { FoldOp::Any } else { FoldOp::Sum };
            return self.finish_reduction(name, op, v, span);
        }
        let reg = self.builder().materialise(&v);
        let bits = Val::reg(self.builder().emit(carrier, Op::Bits(reg)), carrier);
        let sum = self.finish_reduction(name, FoldOp::Sum, bits, span)?;
        let reg = self.builder().materialise(&sum);
        Some(Val::reg(self.builder().emit(v.ty, Op::Bits(reg)), v.ty))
    }

    /// Ends the innermost nest with one reduction into a new scalar.
    pub(super) fn finish_reduction(&mut self, name: String, op: FoldOp, v: Val, span: Span) -> Option<Val> {
        if v.ty.is_half() {
            let wide = self.builder().cast(&v, Ty::F32);
            let value = self.finish_reduction(name, op, wide, span)?;
            return Some(self.builder().cast(&value, v.ty));
        }
        let value = self.builder().materialise(&v);
        let into = self.new_scalar("", v.ty);
        let mut b = self.builders.pop()?;
        self.push_nest(&mut b, name, vec![], vec![Reduction { op, value, into }], span);
        Some(Val::slot(into, v.ty))
    }
}

/// What adds nothing to a sum.
fn nothing(ty: Ty) -> Value {
    if ty == Ty::Bool { Value::bool(false) } else { crate::ir::fold::cast(Value::i64(0), ty) }
}

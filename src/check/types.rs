//! The widening rule: which values may stand where a type is expected.

use super::Checker;
use super::emit::{Val, ValKind};
use crate::diag::Diagnostic;
use crate::ir::kernel::Sym;
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::TypeExpr;

/// Whether every value of `from` is a value of `to` (or, for large integers to `f64`, the nearest one).
pub fn widens(from: Ty, to: Ty) -> bool {
    use Ty::*;
    from == to
        || matches!(
            (from, to),
            (I32, I64) | (U32, U64) | (U32, I64) | (F32, F64) | (I32, F64) | (U32, F64) | (I64, F64) | (U64, F64)
        )
}

impl Checker<'_> {
    /// The element type that a type expression names; its shape is not looked at.
    pub(super) fn elem_type(&mut self, t: &TypeExpr) -> Option<Ty> {
        if let Some(ty) = Ty::from_name(&t.elem.name) {
            return Some(ty);
        }
        if t.elem.name == "kernel" {
            return self.fail_help(
                "E0256",
                "`kernel` is a type for parameters of workflows",
                t.elem.span,
                "not possible here",
                "a workflow takes it as `step: kernel` and calls it: `u = step(u)`",
            );
        }
        // The grammar lets no other words through than the types of later versions.
        let what = format!("the type `{}`", t.elem.name);
        self.not_yet(&what, t.elem.span)
    }

    /// `v` as a value of `ty`, by the widening rule.
    pub(super) fn convert(&mut self, v: Val, ty: Ty, span: Span) -> Option<Val> {
        if v.ty == ty && !v.is_flex() {
            return Some(v);
        }
        if let ValKind::Const { value, flex: true } = v.kind {
            return self.convert_literal(value, ty, span);
        }
        let exact_f32 = ty == Ty::F32 && v.ty.is_int() && self.fits_f32(&v);
        let exact_int = match v.as_const().and_then(|c| c.as_int()) {
            Some(i) => ty.is_int() && Value::int(ty, i).as_int() == Some(i),
            None => false,
        };
        if widens(v.ty, ty) || exact_f32 || exact_int {
            return Some(self.cast_value(&v, ty));
        }
        let (from, to) = (v.ty, ty);
        let help = match (from, to) {
            (Ty::Bool, _) => format!("write `{to}(…)` for 0 and 1, or `if … {{ … }} else {{ … }}`"),
            (_, Ty::Bool) => "write a comparison, such as `… != 0`".to_string(),
            _ => format!("narrowing is written: `{to}(…)`"),
        };
        self.fail_help("E0210", format!("expected `{to}`, found `{from}`"), span, format!("this is `{from}`"), help)
    }

    fn convert_literal(&mut self, value: Value, ty: Ty, span: Span) -> Option<Val> {
        match (value.as_int(), ty) {
            (Some(i), ty) if ty.is_int() => {
                let out = Value::int(ty, i);
                if out.as_int() == Some(i) {
                    return Some(Val::constant(out));
                }
                self.fail_help(
                    "E0211",
                    format!("the literal {i} does not fit `{ty}`"),
                    span,
                    format!("`{ty}` is expected here"),
                    format!("write a number that `{ty}` holds, or compute in a wider type"),
                )
            }
            (Some(i), ty) if ty.is_float() => Some(Val::constant(Value::float(ty, i as f64))),
            (None, ty) if ty.is_float() => {
                let out = Value::float(ty, value.as_f64());
                if value.as_f64().is_infinite() || !out.as_f64().is_infinite() {
                    return Some(Val::constant(out));
                }
                self.fail_help(
                    "E0211",
                    format!("the literal {:e} does not fit `{ty}`", value.as_f64()),
                    span,
                    "beyond 3.4e38",
                    "write `inf` for infinity, or compute in `f64`",
                )
            }
            _ => {
                let found = if value.ty.is_float() { "a float" } else { "an integer" };
                let message = format!("expected `{ty}`, found {found} literal");
                self.fail_help(
                    "E0210",
                    message,
                    span,
                    format!("`{ty}` is expected here"),
                    format!("write a value of `{ty}`, or convert it: `{ty}(…)`"),
                )
            }
        }
    }

    /// Whether an integer is index arithmetic whose every value is exact in `f32`.
    fn fits_f32(&mut self, v: &Val) -> bool {
        let Some(affine) = v.as_affine() else { return false };
        let within = self.builder().within.clone();
        let image = affine.image(&|s| match s {
            Sym::Dim(d) => within.get(d).copied(),
            _ => None,
        });
        image.is_some_and(|r| r.lo >= -(1 << 24) && r.hi <= (1 << 24) + 1)
    }

    /// Brings two operands to one type; the message names the operator.
    pub(super) fn unify(&mut self, a: (Val, Span), b: (Val, Span), what: &str) -> Option<(Val, Val)> {
        let ((a, at), (b, bt)) = (a, b);
        if a.is_flex() && b.is_flex() {
            let ty = if a.ty == b.ty { a.ty } else { Ty::F64 };
            let lift = |v: &Val| match v.as_const() {
                Some(c) if ty == Ty::F64 => Val::flex(Value::f64(c.as_f64())),
                _ => v.clone(),
            };
            return Some((lift(&a), lift(&b)));
        }
        if a.is_flex() || (!b.is_flex() && a.ty != b.ty && self.can_convert(&a, b.ty)) {
            let ty = b.ty;
            return Some((self.convert(a, ty, at)?, b));
        }
        if b.is_flex() || a.ty == b.ty || self.can_convert(&b, a.ty) {
            let ty = a.ty;
            return Some((a, self.convert(b, ty, bt)?));
        }
        let d = Diagnostic::error(
            "E0212",
            format!("{what} takes two values of one type"),
            at,
            format!("this is `{}`", a.ty),
        )
        .label(bt, format!("this is `{}`", b.ty))
        .help(format!("convert one: `{}(…)` or `{}(…)`", a.ty, b.ty));
        self.report(d);
        None
    }

    fn can_convert(&mut self, v: &Val, ty: Ty) -> bool {
        widens(v.ty, ty) || (ty == Ty::F32 && v.ty.is_int() && self.fits_f32(v))
    }

    /// A literal that nothing around it gave a type is `i64` or `f64`.
    pub(super) fn settle(&mut self, v: Val) -> Val {
        match v.kind {
            ValKind::Const { value, flex: true } => Val::constant(value),
            _ => v,
        }
    }
}

//! The widening rule: which values may stand where a type is expected.

use super::Checker;
use super::emit::{Val, ValKind};
use super::env::{Env, Local};
use super::kernel::Arg;
use crate::diag::Diagnostic;
use crate::ir::kernel::Sym;
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{Parameter, TypeExpr};

/// Whether every value of `from` is a value of `to` (or, for large integers to `f64`, the nearest one).
pub fn widens(from: Ty, to: Ty) -> bool {
    from.widens(to)
}

/// Whether a type is a variable, which takes its meaning from the arguments of a call.
pub(super) fn is_variable(t: &TypeExpr) -> bool {
    is_capital(t) && Ty::from_name(&t.elem.name.to_lowercase()).is_none()
}

/// Whether a type is no word of the language: a variable, or the mistaken name of a type.
fn is_capital(t: &TypeExpr) -> bool {
    t.elem.name.starts_with(|c: char| c.is_ascii_uppercase())
}

/// The types that the variables of parameters stand for, and what binds each: the first argument of a known type, arrays before single
/// values, literals last.
pub(super) fn bound_types<'a>(
    arguments: impl Iterator<Item = (&'a Parameter, Bound, Span)> + Clone,
) -> Vec<(String, Ty, Span)> {
    let mut out: Vec<(String, Ty, Span)> = vec![];
    // Of literals, one with a fraction decides.
    let kinds = [(Kind::Array, false), (Kind::Value, false), (Kind::Literal, true), (Kind::Literal, false)];
    for (kind, fraction) in kinds {
        let told = arguments.clone().filter(|(p, bound, _)| bound.kind == kind && is_variable(&p.ty));
        for (p, bound, at) in told.filter(|(_, bound, _)| !fraction || bound.ty.is_float()) {
            if !out.iter().any(|o| o.0 == p.ty.elem.name) {
                out.push((p.ty.elem.name.clone(), bound.ty, at));
            }
        }
    }
    out
}

/// What an argument tells about the type of its parameter.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    pub kind: Kind,
    pub ty: Ty,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Array,
    Value,
    Literal,
}

impl Bound {
    pub fn value(v: &Val) -> Bound {
        Bound { kind: if v.is_flex() { Kind::Literal } else { Kind::Value }, ty: v.ty }
    }
}

impl Checker<'_> {
    /// The types that arguments bind.
    pub(super) fn types_of(&self, params: &[Parameter], args: &[Option<Arg>]) -> Vec<(String, Ty, Span)> {
        let told = |a: &Option<Arg>| match a {
            Some(Arg::Array(id, at)) => {
                Some((Bound { kind: Kind::Array, ty: self.program.arrays[id.0 as usize].element() }, *at))
            }
            Some(Arg::Scalar(v, at)) => Some((Bound::value(v), *at)),
            _ => None,
        };
        bound_types(params.iter().zip(args).filter_map(|(p, a)| told(a).map(|(bound, at)| (p, bound, at))))
    }

    /// Says in the last report, if it came since there were `before`, which argument bound the type variable of a parameter.
    pub(super) fn note_binding(&mut self, before: usize, p: &Parameter, types: &[(String, Ty, Span)]) {
        let binding = types.iter().find(|t| is_variable(&p.ty) && t.0 == p.ty.elem.name);
        if let (Some((name, ty, by)), Some(d)) = (binding, self.sink.items.get_mut(before..).and_then(|d| d.last_mut()))
            && d.labels.iter().all(|l| l.0 != *by)
        {
            d.labels.push((*by, format!("`{name}` is `{ty}` from this argument")));
        }
    }

    /// The environment in which type variables have these types.
    pub(super) fn with_types(&self, env: Env, types: &[(String, Ty, Span)]) -> Env {
        types.iter().fold(env, |env, (name, ty, _)| env.with(name, Local::Type(*ty)))
    }

    /// The element type that a type expression names; its shape is not looked at.
    pub(super) fn elem_type(&mut self, t: &TypeExpr) -> Option<Ty> {
        if let Some(ty) = Ty::from_name(&t.elem.name) {
            return Some(ty);
        }
        if let Some(Local::Type(ty)) = self.env.find(&t.elem.name) {
            return Some(*ty);
        }
        if is_capital(t) {
            let name = &t.elem.name;
            let lower = Ty::from_name(&name.to_lowercase());
            let help = match lower {
                Some(ty) => format!("write `{ty}`"),
                None => format!(
                    "a type variable takes its type from an argument: declare a parameter `x: {name}` or `x: {name}[n]`"
                ),
            };
            return self.fail_help(
                "E0257",
                format!("`{name}` stands for no type here"),
                t.elem.span,
                "not a type",
                help,
            );
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
        self.unknown(&t.elem.name, t.elem.span, "type")
    }

    /// `v` as a value of `ty`, by the widening rule.
    pub(super) fn convert(&mut self, v: Val, ty: Ty, span: Span) -> Option<Val> {
        if v.ty == ty && !v.is_flex() {
            return Some(v);
        }
        if ty.is_complex() {
            if let Some((re, im)) = v.parts() {
                let narrow = ty == Ty::C64;
                if narrow {
                    let help = "narrowing is written: `c64(…)`";
                    let message = "expected `c64`, found `c128`";
                    return self.fail_help("E0210", message, span, "this is `c128`", help);
                }
                return Some(Val::complex(self.convert(re, ty.part(), span)?, self.convert(im, ty.part(), span)?));
            }
            if v.ty == Ty::Bool {
                let help = format!("write `{ty}(if … {{ 1 }} else {{ 0 }})`");
                return self.fail_help("E0210", format!("expected `{ty}`, found `bool`"), span, "this is `bool`", help);
            }
            let re = self.convert(v, ty.part(), span)?;
            return Some(Val::complex(re, Val::constant(Value::float(ty.part(), 0.0))));
        }
        if v.ty.is_complex() {
            return self.complex_as(v.ty, ty, span);
        }
        if let ValKind::Const { value, flex: true } = v.kind {
            return self.convert_literal(value, ty, span);
        }
        let exact_float = v.ty.is_int() && self.fits_float(&v, ty);
        let exact_int = match v.as_const().and_then(|c| c.as_int()) {
            Some(i) => ty.is_int() && Value::int(ty, i).as_int() == Some(i),
            None => false,
        };
        if widens(v.ty, ty) || exact_float || exact_int {
            return Some(self.cast_value(&v, ty));
        }
        let (from, to) = (v.ty, ty);
        let help = match (from, to) {
            (Ty::Bool, _) => format!("write `{to}(…)` for 0 and 1, or `if … {{ … }} else {{ … }}`"),
            (_, Ty::Bool) => "write a comparison, such as `… != 0`".to_string(),
            _ if from.is_half() && to.is_half() => format!("neither holds the other's values: write `{to}(…)`"),
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
            (Some(_), ty) if ty.is_float() && !ty.is_half() => Some(Val::constant(Value::float(ty, value.as_f64()))),
            (_, ty) if ty.is_float() => {
                let out = Value::float(ty, value.as_f64());
                if value.as_f64().is_infinite() || !out.as_f64().is_infinite() {
                    return Some(Val::constant(out));
                }
                self.fail_help(
                    "E0211",
                    format!("the literal {:e} does not fit `{ty}`", value.as_f64()),
                    span,
                    if ty == Ty::F16 { "beyond 65504" } else { "beyond 3.4e38" },
                    format!("write `inf` for infinity, or compute in `{}`", if ty.is_half() { "f32" } else { "f64" }),
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

    /// Whether an integer is index arithmetic whose every value is exact in the float type `ty`, narrower than `f64`.
    fn fits_float(&mut self, v: &Val, ty: Ty) -> bool {
        let (Some(affine), Some(bits), true) = (v.as_affine(), ty.precision(), ty != Ty::F64) else { return false };
        let within = self.builder().within.clone();
        let image = affine.image(&|s| match s {
            Sym::Dim(d) => within.get(d).copied(),
            _ => None,
        });
        image.is_some_and(|r| r.lo >= -(1 << bits) && r.hi <= (1 << bits) + 1)
    }

    /// Brings two operands to one type; the message names the operator.
    pub(super) fn unify(&mut self, a: (Val, Span), b: (Val, Span), what: &str) -> Option<(Val, Val)> {
        let ((a, at), (b, bt)) = (a, b);
        // A `c64` beside an `f64`, or an integer that `f32` does not hold, becomes a `c128`.
        let wide = |x: &Val, y: &Val, c: &mut Self| x.ty == Ty::C64 && !y.is_flex() && !c.can_convert(y, Ty::C64);
        if (wide(&a, &b, self) && widens(b.ty, Ty::C128)) || (wide(&b, &a, self) && widens(a.ty, Ty::C128)) {
            return Some((self.convert(a, Ty::C128, at)?, self.convert(b, Ty::C128, bt)?));
        }
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
        .help(match a.ty.is_half() && b.ty.is_half() {
            true => "convert both: `f32(…)` holds all values of either".to_string(),
            false => format!("convert one: `{}(…)` or `{}(…)`", a.ty, b.ty),
        });
        self.report(d);
        None
    }

    pub(super) fn can_convert(&mut self, v: &Val, ty: Ty) -> bool {
        widens(v.ty, ty) || (v.ty.is_int() && self.fits_float(v, ty.part()))
    }

    /// A literal that nothing around it gave a type is `i64` or `f64`.
    pub(super) fn settle(&mut self, v: Val) -> Val {
        match v.kind {
            ValKind::Const { value, flex: true } => Val::constant(value),
            _ => v,
        }
    }
}

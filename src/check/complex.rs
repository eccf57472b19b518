//! Complex numbers, as two real values each. Formulas are those of NumPy, but a real factor or divisor acts on both parts.
//!
//! ```text
//! (a + bi) * (c + di) = (a c - b d) + (a d + b c) i
//! (a + bi) / (c + di), where |c| >= |d|:  r = d / c, s = 1 / (c + d r):  (a + b r) s + (b - a r) s i
//!                      else:              r = c / d, s = 1 / (d + c r):  (a r + b) s + (b r - a) s i
//! ```
//!
//! The quotient is Smith's, "Algorithm 116: Complex division" (1962). `abs` is `hypot`, `arg` is `atan2`, `exp(a + bi)` is
//! `exp(a) * (cos(b) + sin(b) i)`, and `log(z)` is `log(abs(z)) + arg(z) i`.

use super::Checker;
use super::emit::{Builder, Val};
use super::env::{Env, Global, Local};
use super::infer::children;
use super::place::parse_value;
use crate::ir::kernel::{ArrayId, BinaryOp as B, UnaryOp as U};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind, ItemKind};

/// Functions that take complex numbers or give them.
pub(super) const NAMES: [&str; 8] = ["abs", "arg", "complex", "conj", "exp", "im", "log", "re"];

type Pair = (Val, Val);

impl Builder {
    /// An operation on two complex numbers: arithmetic, or whether they are equal.
    pub(super) fn complex_binary(&mut self, op: B, a: Pair, b: Pair) -> Val {
        match op {
            B::Eq | B::Ne => {
                let (re, im) = (self.binary(op, &a.0, &b.0), self.binary(op, &a.1, &b.1));
                let both = if op == B::Eq { B::And } else { B::Or };
                self.binary(both, &re, &im)
            }
            B::Mul if is_zero(&b.1) => self.scaled(B::Mul, &a, &b.0),
            B::Mul if is_zero(&a.1) => self.scaled(B::Mul, &b, &a.0),
            B::Div if is_zero(&b.1) => self.scaled(B::Div, &a, &b.0),
            B::Mul => {
                let [ac, bd] = [(&a.0, &b.0), (&a.1, &b.1)].map(|(x, y)| self.binary(B::Mul, x, y));
                let [ad, bc] = [(&a.0, &b.1), (&a.1, &b.0)].map(|(x, y)| self.binary(B::Mul, x, y));
                Val::complex(self.binary(B::Sub, &ac, &bd), self.binary(B::Add, &ad, &bc))
            }
            B::Div => self.quotient(a, b),
            op => Val::complex(self.binary(op, &a.0, &b.0), self.binary(op, &a.1, &b.1)),
        }
    }

    fn scaled(&mut self, op: B, a: &Pair, by: &Val) -> Val {
        Val::complex(self.binary(op, &a.0, by), self.binary(op, &a.1, by))
    }

    fn quotient(&mut self, (a, b): Pair, (c, d): Pair) -> Val {
        let ty = a.ty;
        let one = Val::constant(Value::float(ty, 1.0));
        let (size_c, size_d) = (self.unary(U::Abs, &c), self.unary(U::Abs, &d));
        let wide = self.binary(B::Ge, &size_c, &size_d);
        // The greater part, the lesser one, and their quotient; by zero each part is divided by zero.
        let (most, least) = (self.select(&wide, &c, &d), self.select(&wide, &d, &c));
        let zero = Val::constant(Value::float(ty, 0.0));
        let nothing = self.binary(B::Eq, &most, &zero);
        let ratio = self.binary(B::Div, &least, &most);
        let r = self.select(&nothing, &zero, &ratio);
        let length = self.binary(B::Mul, &least, &r);
        let length = self.binary(B::Add, &most, &length);
        let s = self.binary(B::Div, &one, &length);
        // (a + b r, b - a r) or (a r + b, b r - a).
        let (p, q) = (self.select(&wide, &a, &b), self.select(&wide, &b, &a));
        let (pr, qr) = (self.binary(B::Mul, &p, &r), self.binary(B::Mul, &q, &r));
        let re = self.binary(B::Add, &p, &qr);
        let (down, up) = (self.binary(B::Sub, &q, &pr), self.binary(B::Sub, &pr, &q));
        let im = self.select(&wide, &down, &up);
        Val::complex(self.binary(B::Mul, &re, &s), self.binary(B::Mul, &im, &s))
    }
}

/// Whether an imaginary part is zero: that of a real number.
pub(super) fn is_zero(v: &Val) -> bool {
    v.as_const().is_some_and(|c| c.bits == 0)
}

/// A complex number as Python writes it: `1.5-2j`, `3`, `0.5j`.
pub(super) fn parse_complex(text: &str, ty: Ty) -> Option<Val> {
    let clean = text.trim().trim_start_matches('(').trim_end_matches(')');
    let part = |t: &str| parse_value(t, ty.part()).map(Val::constant);
    let Some(parts) = clean.strip_suffix('j') else { return Some(Val::complex(part(clean)?, part("0")?)) };
    // The sign of the imaginary part is the last one that belongs to no exponent.
    let mut signs = parts.char_indices().filter(|(k, c)| matches!(c, '+' | '-') && !parts[..*k].ends_with(['e', 'E']));
    let at = signs.next_back().map_or(0, |s| s.0);
    let (re, im) = parts.split_at(at);
    let im = if matches!(im, "" | "+" | "-") { format!("{im}1") } else { im.to_string() };
    Some(Val::complex(part(if re.is_empty() { "0" } else { re })?, part(&im)?))
}

impl Checker<'_> {
    /// A function that takes complex numbers or gives them; `None` of the outer kind: the arguments are real, and the name is
    /// that of a function of reals too.
    pub(super) fn complex_call(
        &mut self,
        name: &str,
        args: &[ExprId],
        expected: Option<Ty>,
        span: Span,
    ) -> Option<Val> {
        if name == "complex" {
            self.arity(name, 2, args, span)?;
            let want = expected.filter(|t| t.is_complex()).map(Ty::part);
            let (re, im) = self.pair(args, want, "complex")?;
            let part = if re.is_flex() { want.unwrap_or(Ty::F64) } else { re.ty };
            let part = if part == Ty::F32 || part.is_half() { Ty::F32 } else { Ty::F64 };
            let (re, im) = (self.convert(re, part, self.span(args[0]))?, self.convert(im, part, self.span(args[1]))?);
            return Some(Val::complex(re, im));
        }
        self.arity(name, 1, args, span)?;
        let v = self.expr(args[0], expected.filter(|t| t.is_complex()))?;
        let at = self.span(args[0]);
        let Some(z) = v.parts() else {
            return self.fail_help(
                "E0213",
                format!("`{name}` takes a complex number"),
                at,
                format!("this is `{}`", v.ty),
                "make one with `complex(…, …)`",
            );
        };
        self.complex_function(name, z, at, span)
    }

    /// `name` of a complex number.
    pub(super) fn complex_function(&mut self, name: &str, z: Pair, at: Span, span: Span) -> Option<Val> {
        let (re, im) = z;
        let part = Some(re.ty);
        Some(match name {
            "re" => re,
            "im" => im,
            "conj" => {
                let im = self.builder().unary(U::Neg, &im);
                Val::complex(re, im)
            }
            "abs" => self.elementary("hypot", vec![(re, at), (im, at)], part, span)?,
            "arg" => self.elementary("atan2", vec![(im, at), (re, at)], part, span)?,
            "exp" => {
                let size = self.elementary("exp", vec![(re, at)], part, span)?;
                let x = self.elementary("cos", vec![(im.clone(), at)], part, span)?;
                let y = self.elementary("sin", vec![(im, at)], part, span)?;
                let b = self.builder();
                Val::complex(b.binary(B::Mul, &size, &x), b.binary(B::Mul, &size, &y))
            }
            "log" => {
                let size = self.complex_function("abs", (re.clone(), im.clone()), at, span)?;
                let size = self.elementary("log", vec![(size, at)], part, span)?;
                let angle = self.complex_function("arg", (re, im), at, span)?;
                Val::complex(size, angle)
            }
            _ => {
                let of = Ty::COMPLEX.into_iter().find(|t| Some(t.part()) == part).unwrap_or(Ty::C128);
                return self.fail_help(
                    "E0213",
                    format!("`{name}` takes real numbers"),
                    at,
                    format!("this is `{of}`"),
                    format!("{} take complex ones", NAMES.map(|n| format!("`{n}`")).join(", ")),
                );
            }
        })
    }

    /// Whether an expression names complex numbers.
    pub(super) fn mentions_complex(&self, id: ExprId) -> bool {
        self.names_complex((self.module, &self.env), id, 0)
    }

    fn names_complex(&self, (module, env): (usize, &Env), id: ExprId, depth: usize) -> bool {
        let ast = self.modules[module].ast.clone();
        let value = |v: &Val| v.ty.is_complex();
        let array = |a: &ArrayId| self.program.arrays[a.0 as usize].complex;
        let named = |name: &str| match (env.find(name), self.modules[module].globals.get(name)) {
            (Some(Local::Val(v)), _) => value(v),
            (Some(Local::Var(_, ty) | Local::Slot(_, ty)), _) => ty.is_complex(),
            (Some(Local::Array(a)), _) | (None, Some((Global::Array(a), _))) => array(a),
            (Some(Local::Indexed(def)), _) => match def.ty {
                Some(ty) => ty.is_complex(),
                None => depth > 64 || self.names_complex((def.module, &def.env), def.body, depth + 1),
            },
            (None, Some((Global::Const(v), _))) => value(v),
            (None, Some((Global::Table(_, ty, _), _))) => ty.is_complex(),
            (None, Some((Global::Fn(m, item), _))) => match &self.modules[*m].ast.items[*item].kind {
                ItemKind::Fn(f) => f.results.iter().any(|t| Ty::from_name(&t.elem.name).is_some_and(Ty::is_complex)),
                _ => false,
            },
            _ => name == "complex" || name == "c64" || name == "c128",
        };
        let own = match &ast.expr(id).kind {
            ExprKind::Name(n) => named(n),
            ExprKind::Index { base, .. } => named(&base.name),
            ExprKind::Call { callee, .. } => named(&callee.name),
            _ => false,
        };
        own || children(&ast, id).into_iter().any(|c| self.names_complex((module, env), c, depth))
    }

    /// Complex numbers have no order.
    pub(super) fn no_order<T>(&mut self, ty: Ty, span: Span) -> Option<T> {
        let help = "compare `abs(…)`, or `re(…)` and `im(…)`";
        self.fail_help("E0213", "complex numbers have no order", span, format!("these are `{ty}`"), help)
    }

    /// A complex number where a real one is wanted.
    pub(super) fn complex_as<T>(&mut self, from: Ty, to: Ty, span: Span) -> Option<T> {
        let message = format!("expected `{to}`, found `{from}`");
        let help = "write `re(…)`, `im(…)` or `abs(…)`";
        self.fail_help("E0210", message, span, format!("this is `{from}`"), help)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complex_numbers_are_read_as_python_writes_them() {
        for (text, want) in [
            ("1+2j", "(1+2j)"),
            ("3", "(3+0j)"),
            ("-0.5j", "-0.5j"),
            ("(1e-3-2.5e+2j)", "(0.001-250j)"),
            ("-j", "-1j"),
            ("inf-infj", "(inf-infj)"),
        ] {
            let v = parse_complex(text, Ty::C128).and_then(|v| v.text());
            assert_eq!(v.as_deref(), Some(want));
        }
        for text in ["", "i", "1+2i", "1+", "j1", "1+2j+3j", "1+é"] {
            assert!(parse_complex(text, Ty::C64).is_none(), "{text}");
        }
    }
}

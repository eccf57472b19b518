//! Reverse mode inside one term: how much each read and each scalar contributes, given how much the term does.
//!
//! At a tie `min` and `max` count for their first argument, `abs` at 0 for nothing; `floor` and its kin and conversions to
//! integers have the derivative 0, conditions have none.
//!
//! By a complex number `z = x + iy` the derivative of a real value is `d/dx - i d/dy`, as in JAX: when `z` changes a little by `dz`,
//! the value changes by `re(bar * dz)`. The rules of functions that have a complex derivative are then those of real ones; a real part
//! of a complex expression takes the real part of what arrives.

use super::expr::{E, R, add, binary, call, choose, div, leaf, mul, neg, sub};
use super::{complex, float};
use crate::ir::ty::Ty;
use crate::syntax::ast::BinaryOp as O;

/// What a term is made of, and the derivative of the result by it.
pub struct Partial {
    /// A read or a scalar.
    pub of: R,
    pub bar: R,
}

/// Why there is no derivative.
pub struct Unknown(pub String);

/// What the walk needs to know.
pub trait Known {
    /// Whether an expression depends on what is differentiated by.
    fn active(&self, e: &E) -> bool;
    /// The name of an expression's type, if it is known.
    fn ty(&self, e: &E) -> Option<&'static str>;
}

/// The derivatives of `e`, times `bar`, by the active reads and scalars in it.
pub fn partials(e: &R, bar: &R, known: &dyn Known, out: &mut Vec<Partial>) -> Result<(), Unknown> {
    if !known.active(e) {
        return Ok(());
    }
    let is_complex = |e: &R| known.ty(e).is_some_and(complex);
    let mut go = |part: &R, bar: R| {
        let bar = if is_complex(&bar) && !is_complex(part) { call("re", vec![bar]) } else { bar };
        partials(part, &bar, known, out)
    };
    let two = || leaf("2");
    // Where a part does not count, neither does its slope, which may be no number there.
    let under = |c: &R, part: &R, counts: bool, out: &mut Vec<Partial>| -> Result<(), Unknown> {
        let from = out.len();
        partials(part, bar, known, out)?;
        for p in &mut out[from..] {
            p.bar = if counts { choose(c, &p.bar, &leaf("0")) } else { choose(c, &leaf("0"), &p.bar) };
        }
        Ok(())
    };
    match &**e {
        E::Read(..) | E::Scalar(_) => out.push(Partial { of: e.clone(), bar: bar.clone() }),
        E::Leaf(_) | E::Var(_) | E::Not(_) => {}
        E::Neg(a) => go(a, neg(bar))?,
        E::If(c, a, b) => {
            under(c, a, true, out)?;
            under(c, b, false, out)?;
        }
        E::Binary(op, a, b) => match op {
            O::Add => {
                go(a, bar.clone())?;
                go(b, bar.clone())?;
            }
            O::Sub => {
                go(a, bar.clone())?;
                go(b, neg(bar))?;
            }
            O::Mul => {
                go(a, mul(bar, b))?;
                go(b, mul(bar, a))?;
            }
            O::Div => {
                go(a, div(bar, b))?;
                go(b, neg(&div(&mul(bar, a), &mul(b, b))))?;
            }
            O::Pow => {
                let less = match &**b {
                    E::Leaf(k) if k.parse::<i64>().is_ok() => leaf((k.parse::<i64>().unwrap_or(1) - 1).to_string()),
                    _ => sub(b, &leaf("1")),
                };
                let slope = match &*less {
                    E::Leaf(k) if k == "0" => leaf("1"),
                    E::Leaf(k) if k == "1" => a.clone(),
                    _ => binary(O::Pow, a, &less),
                };
                go(a, mul(&mul(bar, b), &slope))?;
                if known.active(b) {
                    go(b, mul(&mul(bar, e), &call("log", vec![a.clone()])))?;
                }
            }
            O::Mod => {
                // `a - floor(a / b) * b`
                go(a, bar.clone())?;
                go(b, neg(&mul(bar, &call("floor", vec![div(a, b)]))))?;
            }
            _ => {}
        },
        E::Call(name, args) => {
            let one = |f: &str| call(f, vec![args[0].clone()]);
            let square = |x: &R| mul(x, x);
            let a = args.first().cloned().unwrap_or_else(|| leaf("0"));
            match (name.as_str(), args.len()) {
                ("exp", 1) => go(&a, mul(bar, e))?,
                ("exp2", 1) => go(&a, mul(&mul(bar, e), &call("log", vec![two()])))?,
                ("expm1", 1) => go(&a, mul(bar, &one("exp")))?,
                ("log", 1) => go(&a, div(bar, &a))?,
                ("log2", 1) => go(&a, div(bar, &mul(&a, &call("log", vec![two()]))))?,
                ("log10", 1) => go(&a, div(bar, &mul(&a, &call("log", vec![leaf("10")]))))?,
                ("log1p", 1) => go(&a, div(bar, &add(&leaf("1"), &a)))?,
                ("sqrt", 1) => go(&a, div(bar, &mul(&two(), e)))?,
                ("cbrt", 1) => go(&a, div(bar, &mul(&leaf("3"), &square(e))))?,
                ("sin", 1) => go(&a, mul(bar, &one("cos")))?,
                ("cos", 1) => go(&a, neg(&mul(bar, &one("sin"))))?,
                ("tan", 1) => go(&a, mul(bar, &add(&leaf("1"), &square(e))))?,
                ("asin", 1) => go(&a, div(bar, &call("sqrt", vec![sub(&leaf("1"), &square(&a))])))?,
                ("acos", 1) => go(&a, neg(&div(bar, &call("sqrt", vec![sub(&leaf("1"), &square(&a))]))))?,
                ("atan", 1) => go(&a, div(bar, &add(&leaf("1"), &square(&a))))?,
                ("sinh", 1) => go(&a, mul(bar, &one("cosh")))?,
                ("cosh", 1) => go(&a, mul(bar, &one("sinh")))?,
                ("tanh", 1) => go(&a, mul(bar, &sub(&leaf("1"), &square(e))))?,
                // 2 / sqrt(pi)
                ("erf", 1) => {
                    let bell = call("exp", vec![neg(&square(&a))]);
                    go(&a, mul(bar, &mul(&leaf("1.1283791670955126"), &bell)))?;
                }
                ("re", 1) => go(&a, bar.clone())?,
                ("im", 1) => go(&a, call("complex", vec![leaf("0"), neg(bar)]))?,
                ("conj", 1) if is_complex(bar) => go(&a, call("conj", vec![bar.clone()]))?,
                ("conj", 1) => go(&a, bar.clone())?,
                ("complex", 2) if is_complex(bar) => {
                    go(&a, call("re", vec![bar.clone()]))?;
                    go(&args[1], neg(&call("im", vec![bar.clone()])))?;
                }
                ("complex", 2) => go(&a, bar.clone())?,
                ("abs", 1) if is_complex(&a) => {
                    let slope = div(&mul(bar, &one("conj")), e);
                    go(&a, choose(&binary(O::Gt, e, &leaf("0")), &slope, &leaf("0")))?;
                }
                ("arg", 1) => {
                    let (x, y) = (one("re"), one("im"));
                    let r2 = add(&square(&x), &square(&y));
                    go(&a, mul(&call("complex", vec![neg(&y), neg(&x)]), &div(bar, &r2)))?;
                }
                ("abs", 1) => {
                    let zero = leaf("0");
                    let rising = binary(O::Gt, &a, &zero);
                    let falling = binary(O::Lt, &a, &zero);
                    go(&a, choose(&rising, bar, &choose(&falling, &neg(bar), &zero)))?;
                }
                ("floor" | "ceil" | "round" | "trunc" | "i32" | "i64" | "u32" | "u64" | "bool", 1) => {}
                (to, 1) if float(to).is_some() || complex(to) => match known.ty(&a).and_then(Ty::from_name) {
                    // Bars are converted back; of a real number only the real part counts.
                    Some(ty) if ty.is_complex() && is_complex(bar) => go(&a, call(ty.name(), vec![bar.clone()]))?,
                    Some(ty) if ty.is_float() && ty.name() != name => {
                        let bar = if is_complex(bar) { call("re", vec![bar.clone()]) } else { bar.clone() };
                        go(&a, call(ty.name(), vec![bar]))?;
                    }
                    _ => go(&a, bar.clone())?,
                },
                ("min" | "max", n) => {
                    // `min(a, b, c)` is `min(min(a, b), c)`.
                    let first = if n == 2 { a.clone() } else { call(name, args[..n - 1].to_vec()) };
                    let takes = if name == "min" { O::Le } else { O::Ge };
                    let wins = binary(takes, &first, &args[n - 1]);
                    under(&wins, &first, true, out)?;
                    under(&wins, &args[n - 1], false, out)?;
                }
                ("select", 3) => {
                    under(&a, &args[1], true, out)?;
                    under(&a, &args[2], false, out)?;
                }
                ("fma", 3) => {
                    go(&a, mul(bar, &args[1]))?;
                    go(&args[1], mul(bar, &a))?;
                    go(&args[2], bar.clone())?;
                }
                ("pow", 2) => {
                    let less = call("pow", vec![a.clone(), sub(&args[1], &leaf("1"))]);
                    go(&a, mul(&mul(bar, &args[1]), &less))?;
                    if known.active(&args[1]) {
                        go(&args[1], mul(&mul(bar, e), &one("log")))?;
                    }
                }
                ("hypot", 2) => {
                    let away = binary(O::Gt, e, &leaf("0"));
                    go(&a, choose(&away, &mul(bar, &div(&a, e)), &leaf("0")))?;
                    go(&args[1], choose(&away, &mul(bar, &div(&args[1], e)), &leaf("0")))?;
                }
                ("atan2", 2) => {
                    let r2 = add(&square(&a), &square(&args[1]));
                    go(&a, div(&mul(bar, &args[1]), &r2))?;
                    go(&args[1], neg(&div(&mul(bar, &a), &r2)))?;
                }
                _ => return Err(Unknown(format!("`{name}` has no derivative here"))),
            }
        }
        E::Reduce(op, ..) => return Err(Unknown(format!("`{}` has no derivative", op.name()))),
    }
    Ok(())
}

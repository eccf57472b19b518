//! Expressions of a kernel with its `let`s and functions put in place, as derivatives need them: a tree that can be taken apart,
//! substituted in and written as text of the language.

use crate::syntax::ast::{BinaryOp, ReduceOp};
use std::fmt::Write;
use std::rc::Rc;

/// A shared expression.
pub type R = Rc<E>;

#[derive(Debug, PartialEq)]
pub enum E {
    /// A literal, or a name whose derivative nobody asks for.
    Leaf(String),
    /// An index or the index of a reduction.
    Var(String),
    /// A scalar parameter or a scalar intermediate.
    Scalar(String),
    Read(String, Vec<R>),
    Neg(R),
    Not(R),
    Binary(BinaryOp, R, R),
    Call(String, Vec<R>),
    If(R, R, R),
    Reduce(ReduceOp, Vec<Index>, R),
}

/// An index with its range.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    pub name: String,
    pub from: R,
    pub to: R,
}

pub fn leaf(text: impl Into<String>) -> R {
    Rc::new(E::Leaf(text.into()))
}

pub fn var(name: &str) -> R {
    Rc::new(E::Var(name.into()))
}

pub fn call(name: &str, args: Vec<R>) -> R {
    Rc::new(E::Call(name.into(), args))
}

fn is(e: &R, text: &str) -> bool {
    matches!(&**e, E::Leaf(t) if t == text)
}

pub fn is_zero(e: &R) -> bool {
    is(e, "0")
}

/// An operation, without those that change nothing.
pub fn binary(op: BinaryOp, a: &R, b: &R) -> R {
    use BinaryOp as O;
    let zero = || leaf("0");
    match op {
        O::Add if is_zero(a) => b.clone(),
        O::Add | O::Sub if is_zero(b) => a.clone(),
        O::Sub if is_zero(a) => neg(b),
        O::Mul if is_zero(a) || is_zero(b) => zero(),
        O::Mul if is(a, "1") => b.clone(),
        O::Mul | O::Div if is(b, "1") => a.clone(),
        O::Div if is_zero(a) => zero(),
        _ => Rc::new(E::Binary(op, a.clone(), b.clone())),
    }
}

pub fn add(a: &R, b: &R) -> R {
    binary(BinaryOp::Add, a, b)
}
pub fn sub(a: &R, b: &R) -> R {
    binary(BinaryOp::Sub, a, b)
}
pub fn mul(a: &R, b: &R) -> R {
    binary(BinaryOp::Mul, a, b)
}
pub fn div(a: &R, b: &R) -> R {
    binary(BinaryOp::Div, a, b)
}
pub fn neg(a: &R) -> R {
    match &**a {
        _ if is_zero(a) => a.clone(),
        E::Neg(b) => b.clone(),
        _ => Rc::new(E::Neg(a.clone())),
    }
}

/// `if c { a } else { b }`
pub fn choose(c: &R, a: &R, b: &R) -> R {
    if a == b { a.clone() } else { Rc::new(E::If(c.clone(), a.clone(), b.clone())) }
}

/// The conjunction of conditions; none: nothing to ask.
pub fn all(conditions: Vec<R>) -> Option<R> {
    conditions.into_iter().reduce(|a, b| binary(BinaryOp::And, &a, &b))
}

impl E {
    /// The direct parts.
    pub fn parts(&self) -> Vec<&R> {
        match self {
            E::Leaf(_) | E::Var(_) | E::Scalar(_) => vec![],
            E::Neg(a) | E::Not(a) => vec![a],
            E::Binary(_, a, b) => vec![a, b],
            E::Read(_, list) | E::Call(_, list) => list.iter().collect(),
            E::If(a, b, c) => vec![a, b, c],
            E::Reduce(_, ix, term) => ix.iter().flat_map(|i| [&i.from, &i.to]).chain([term]).collect(),
        }
    }

    /// Whether some part, itself included, satisfies a condition.
    pub fn any(&self, f: &dyn Fn(&E) -> bool) -> bool {
        f(self) || self.parts().into_iter().any(|p| p.any(f))
    }

    /// Whether an index stands in it.
    pub fn mentions(&self, name: &str) -> bool {
        self.any(&|e| matches!(e, E::Var(n) if n == name))
    }
}

/// The expression with its parts replaced; names of indices are unique, so nothing is captured.
pub fn rebuilt(e: &R, f: &mut dyn FnMut(&R) -> R) -> R {
    match &**e {
        E::Leaf(_) | E::Var(_) | E::Scalar(_) => e.clone(),
        E::Neg(a) => neg(&f(a)),
        E::Not(a) => Rc::new(E::Not(f(a))),
        E::Binary(op, a, b) => {
            let (a, b) = (f(a), f(b));
            binary(*op, &a, &b)
        }
        E::Read(name, list) => Rc::new(E::Read(name.clone(), list.iter().map(f).collect())),
        E::Call(name, list) => Rc::new(E::Call(name.clone(), list.iter().map(f).collect())),
        E::If(a, b, c) => {
            let (a, b, c) = (f(a), f(b), f(c));
            choose(&a, &b, &c)
        }
        E::Reduce(op, ix, term) => {
            let ix = ix.iter().map(|i| Index { name: i.name.clone(), from: f(&i.from), to: f(&i.to) }).collect();
            Rc::new(E::Reduce(*op, ix, f(term)))
        }
    }
}

/// The expression with indices replaced.
pub fn substituted(e: &R, map: &[(String, R)]) -> R {
    if let E::Var(n) = &**e {
        return map.iter().find(|m| m.0 == *n).map_or_else(|| e.clone(), |m| m.1.clone());
    }
    rebuilt(e, &mut |p| substituted(p, map))
}

/// A subscript as a whole number and multiples of indices; what holds no index counts as one term of its own.
pub struct Linear {
    pub terms: Vec<(String, i64)>,
    /// The rest, without indices.
    pub rest: R,
}

/// The linear form of a subscript in the indices; `None` where it is not linear.
pub fn linear(e: &R) -> Option<Linear> {
    let both = |a: &R, b: &R, sign: i64| -> Option<Linear> {
        let (a, b) = (linear(a)?, linear(b)?);
        let mut terms = a.terms;
        for (n, c) in b.terms {
            match terms.iter_mut().find(|t| t.0 == n) {
                Some(t) => t.1 += sign * c,
                None => terms.push((n, sign * c)),
            }
        }
        terms.retain(|t| t.1 != 0);
        let rest = if sign == 1 { add(&a.rest, &b.rest) } else { sub(&a.rest, &b.rest) };
        Some(Linear { terms, rest })
    };
    match &**e {
        E::Var(n) => Some(Linear { terms: vec![(n.clone(), 1)], rest: leaf("0") }),
        E::Leaf(_) | E::Scalar(_) => Some(Linear { terms: vec![], rest: e.clone() }),
        E::Binary(BinaryOp::Add, a, b) => both(a, b, 1),
        E::Binary(BinaryOp::Sub, a, b) => both(a, b, -1),
        E::Neg(a) => both(&leaf("0"), a, -1),
        E::Binary(BinaryOp::Mul, a, b) => {
            let (k, other) = match (constant(a), constant(b)) {
                (Some(k), _) => (k, b),
                (_, Some(k)) => (k, a),
                _ => return None,
            };
            let l = linear(other)?;
            let terms = l.terms.into_iter().map(|(n, c)| (n, c * k)).collect();
            Some(Linear { terms, rest: mul(&leaf(k.to_string()), &l.rest) })
        }
        _ if !e.any(&|p| matches!(p, E::Var(_))) => Some(Linear { terms: vec![], rest: e.clone() }),
        _ => None,
    }
}

/// A whole number made of literals.
pub fn constant(e: &R) -> Option<i64> {
    match &**e {
        E::Leaf(t) => t.parse().ok(),
        E::Neg(a) => constant(a)?.checked_neg(),
        E::Binary(op, a, b) => {
            let (a, b) = (constant(a)?, constant(b)?);
            match op {
                BinaryOp::Add => a.checked_add(b),
                BinaryOp::Sub => a.checked_sub(b),
                BinaryOp::Mul => a.checked_mul(b),
                _ => None,
            }
        }
        _ => None,
    }
}

/// How tightly an operation binds, as the parser does.
fn power(op: BinaryOp) -> u8 {
    use BinaryOp as O;
    match op {
        O::Or => 1,
        O::And => 2,
        O::Eq | O::Ne | O::Lt | O::Le | O::Gt | O::Ge => 4,
        O::BitOr => 5,
        O::BitXor => 6,
        O::BitAnd => 7,
        O::Shl | O::Shr => 8,
        O::Add | O::Sub => 9,
        O::Mul | O::Div | O::IntDiv | O::Mod => 11,
        O::Pow => 13,
    }
}

/// The expression as text.
pub fn text(e: &R) -> String {
    let mut out = String::new();
    write(e, 0, &mut out);
    out
}

/// The indices of a reduction or of a clause as text.
pub fn ranges(ix: &[Index]) -> String {
    ix.iter().map(|i| format!("{} in {}..{}", i.name, text(&i.from), text(&i.to))).collect::<Vec<_>>().join(", ")
}

fn list(items: &[R], out: &mut String) {
    for (k, item) in items.iter().enumerate() {
        out.push_str(if k == 0 { "" } else { ", " });
        write(item, 0, out);
    }
}

fn write(e: &R, around: u8, out: &mut String) {
    let bracketed = |own: u8, out: &mut String, inner: &dyn Fn(&mut String)| {
        let needed = own <= around;
        out.push_str(if needed { "(" } else { "" });
        inner(out);
        out.push_str(if needed { ")" } else { "" });
    };
    match &**e {
        E::Leaf(t) if t.starts_with('-') => bracketed(12, out, &|out| out.push_str(t)),
        E::Leaf(t) | E::Var(t) | E::Scalar(t) => out.push_str(t),
        E::Neg(a) => bracketed(12, out, &|out| {
            out.push('-');
            write(a, 12, out);
        }),
        E::Not(a) => bracketed(3, out, &|out| {
            out.push_str("not ");
            write(a, 4, out);
        }),
        E::Binary(op, a, b) => bracketed(power(*op), out, &|out| {
            let p = power(*op);
            // Comparisons do not chain, and a power groups from the right.
            let left = if p == 4 || p == 13 { p } else { p - 1 };
            write(a, left, out);
            let _ = write!(out, " {} ", crate::check::expr::operator(*op));
            write(b, if p == 13 { p - 1 } else { p }, out);
        }),
        E::Read(name, items) => {
            let _ = write!(out, "{name}[");
            list(items, out);
            out.push(']');
        }
        E::Call(name, items) => {
            let _ = write!(out, "{name}(");
            list(items, out);
            out.push(')');
        }
        E::If(c, a, b) => bracketed(0, out, &|out| {
            out.push_str("if ");
            write(c, 0, out);
            out.push_str(" { ");
            write(a, 0, out);
            out.push_str(" } else { ");
            write(b, 0, out);
            out.push_str(" }");
        }),
        E::Reduce(op, ix, term) => bracketed(0, out, &|out| {
            let _ = write!(out, "{}[{}] (", op.name(), ranges(ix));
            write(term, 0, out);
            out.push(')');
        }),
    }
}

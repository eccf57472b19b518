//! Constant folding: the meaning of every operation on [`Value`]s, exactly as `ir::kernel` fixes it.

use crate::ir::kernel::{BinaryOp, UnaryOp};
use crate::ir::ty::{Ty, Value};

/// The value of `op a`.
pub fn unary(op: UnaryOp, a: Value) -> Value {
    match a.ty {
        Ty::Bool => Value::bool(!a.as_bool()),
        Ty::F32 => Value::f32(float_unary(op, a.as_f64()) as f32),
        Ty::F64 => Value::f64(float_unary(op, a.as_f64())),
        ty => {
            let v = a.as_int().unwrap_or(0);
            Value::int(
                ty,
                match op {
                    UnaryOp::Neg => -v,
                    UnaryOp::Abs => v.abs(),
                    _ => v,
                },
            )
        }
    }
}

/// All of these are exact or correctly rounded in f64, so one rounding to f32 at the end gives the f32 result (the double
/// rounding of sqrt is innocuous: 53 >= 2 * 24 + 2).
fn float_unary(op: UnaryOp, v: f64) -> f64 {
    match op {
        UnaryOp::Neg | UnaryOp::Not => -v,
        UnaryOp::Abs => v.abs(),
        UnaryOp::Sqrt => v.sqrt(),
        UnaryOp::Floor => v.floor(),
        UnaryOp::Ceil => v.ceil(),
        UnaryOp::Round => v.round_ties_even(),
        UnaryOp::Trunc => v.trunc(),
    }
}

/// The value of `a op b`; both have one type.
pub fn binary(op: BinaryOp, a: Value, b: Value) -> Value {
    match a.ty {
        Ty::F32 | Ty::F64 => float_binary(op, a, b),
        _ => int_binary(op, a, b),
    }
}

fn float_binary(op: BinaryOp, a: Value, b: Value) -> Value {
    let (x, y) = (a.as_f64(), b.as_f64());
    let round = |v: f64| Value::float(a.ty, v);
    match op {
        BinaryOp::Add => round(x + y),
        BinaryOp::Sub => round(x - y),
        BinaryOp::Mul => round(x * y),
        BinaryOp::Div => round(x / y),
        BinaryOp::Mod if a.ty == Ty::F32 => {
            let (x, y) = (x as f32, y as f32);
            Value::f32(x - (x / y).floor() * y)
        }
        BinaryOp::Mod => round(x - (x / y).floor() * y),
        BinaryOp::Min => {
            if x < y || x.is_nan() {
                a
            } else {
                b
            }
        }
        BinaryOp::Max => {
            if x > y || x.is_nan() {
                a
            } else {
                b
            }
        }
        BinaryOp::Eq => Value::bool(x == y),
        BinaryOp::Ne => Value::bool(x != y),
        BinaryOp::Lt => Value::bool(x < y),
        BinaryOp::Le => Value::bool(x <= y),
        BinaryOp::Gt => Value::bool(x > y),
        BinaryOp::Ge => Value::bool(x >= y),
        _ => a,
    }
}

fn int_binary(op: BinaryOp, a: Value, b: Value) -> Value {
    let (x, y) = (a.as_int().unwrap_or(0), b.as_int().unwrap_or(0));
    let bits = (a.ty.size() * 8) as i128;
    let v = match op {
        BinaryOp::Add => x + y,
        BinaryOp::Sub => x - y,
        BinaryOp::Mul => return Value::int(a.ty, x.wrapping_mul(y)),
        BinaryOp::Div | BinaryOp::IntDiv => {
            if y == 0 {
                0
            } else {
                x.div_euclid(y) - i128::from(y < 0 && x.rem_euclid(y) != 0)
            }
        }
        BinaryOp::Mod => {
            if y == 0 {
                0
            } else {
                x - y * (x.div_euclid(y) - i128::from(y < 0 && x.rem_euclid(y) != 0))
            }
        }
        BinaryOp::Min => x.min(y),
        BinaryOp::Max => x.max(y),
        BinaryOp::MulHi => (((x as u128) * (y as u128)) >> bits) as i128,
        BinaryOp::And => x & y,
        BinaryOp::Or => x | y,
        BinaryOp::Xor => x ^ y,
        BinaryOp::Shl => return Value::int(a.ty, (a.bits as i128) << y.rem_euclid(bits)),
        BinaryOp::Shr => x >> y.rem_euclid(bits),
        BinaryOp::Eq => return Value::bool(x == y),
        BinaryOp::Ne => return Value::bool(x != y),
        BinaryOp::Lt => return Value::bool(x < y),
        BinaryOp::Le => return Value::bool(x <= y),
        BinaryOp::Gt => return Value::bool(x > y),
        BinaryOp::Ge => return Value::bool(x >= y),
    };
    Value::int(a.ty, v)
}

/// `a` converted to `ty`.
pub fn cast(a: Value, ty: Ty) -> Value {
    match (a.as_int(), ty) {
        (Some(v), Ty::F32) => Value::f32(v as f32),
        (Some(v), Ty::F64) => Value::f64(v as f64),
        (Some(v), ty) => Value::int(ty, v),
        (None, Ty::Bool) => Value::bool(a.as_f64() != 0.0),
        (None, Ty::I32) => Value::int(ty, a.as_f64() as i32 as i128),
        (None, Ty::I64) => Value::int(ty, a.as_f64() as i64 as i128),
        (None, Ty::U32) => Value::int(ty, a.as_f64() as u32 as i128),
        (None, Ty::U64) => Value::int(ty, a.as_f64() as u64 as i128),
        (None, ty) => Value::float(ty, a.as_f64()),
    }
}

/// `a * b + c` rounded once.
pub fn fma(a: Value, b: Value, c: Value) -> Value {
    if a.ty == Ty::F32 {
        let f = |v: Value| f32::from_bits(v.bits as u32);
        Value::f32(f(a).mul_add(f(b), f(c)))
    } else {
        Value::f64(a.as_f64().mul_add(b.as_f64(), c.as_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_floors_and_never_traps() {
        let i = |v: i64| Value::i64(v);
        for (a, b, q, r) in [(7, 2, 3, 1), (-7, 2, -4, 1), (7, -2, -4, -1), (-7, -2, 3, -1), (5, 0, 0, 0)] {
            assert_eq!(binary(BinaryOp::IntDiv, i(a), i(b)), i(q), "{a} div {b}");
            assert_eq!(binary(BinaryOp::Mod, i(a), i(b)), i(r), "{a} mod {b}");
        }
        assert_eq!(binary(BinaryOp::IntDiv, i(i64::MIN), i(-1)), i(i64::MIN));
    }
}

//! What operations on single values give, by their definitions.

use crate::elementary;
use crate::model::Fold;
use mgpu::ir::ty::{Ty, Value};

pub fn literal(ty: Ty, v: i64) -> Value {
    if ty.is_float() { Value::float(ty, v as f64) } else { Value::int(ty, v as i128) }
}

/// The nearest float of two bytes, by the definition of the formats: whole multiples of a last place, ties to even.
pub fn rounded(ty: Ty, x: f64) -> Value {
    let (bits, least, most) = if ty == Ty::F16 { (11, -24, 65504.0) } else { (8, -133, 255.0 * 2f64.powi(120)) };
    if x == 0.0 || !x.is_finite() {
        return Value::float(ty, x);
    }
    let exponent = (x.to_bits() >> 52 & 0x7ff) as i32 - 1023;
    let place = 2f64.powi((exponent + 1 - bits).max(least));
    let near = (x / place).round_ties_even() * place;
    Value::float(ty, if near.abs() > most { near.signum() * f64::INFINITY } else { near })
}

pub fn negate(v: Value) -> Value {
    match v.ty {
        Ty::F16 | Ty::Bf16 => Value::float(v.ty, -float(v)),
        Ty::F32 => Value::f32(-f32::from_bits(v.bits as u32)),
        Ty::F64 => Value::f64(-f64::from_bits(v.bits)),
        ty => Value::int(ty, -int(v)),
    }
}

pub fn int(v: Value) -> i128 {
    v.as_int().unwrap()
}

pub fn float(v: Value) -> f64 {
    v.as_f64()
}

pub fn cast(ty: Ty, v: Value) -> Value {
    if v.ty.is_float() && ty.is_int() {
        let x = float(v);
        let (lo, hi) = match ty {
            Ty::I32 => (i32::MIN as i128, i32::MAX as i128),
            Ty::U32 => (0, u32::MAX as i128),
            Ty::U64 => (0, u64::MAX as i128),
            _ => (i64::MIN as i128, i64::MAX as i128),
        };
        return Value::int(ty, (x as i128).clamp(lo, hi));
    }
    match (v.ty.is_float(), ty) {
        (true, Ty::Bool) => Value::bool(float(v) != 0.0),
        (true, ty) if ty.is_half() => rounded(ty, float(v)),
        (false, ty) if ty.is_half() => rounded(ty, int(v) as f64),
        (true, ty) => Value::float(ty, float(v)),
        (false, Ty::F32) => Value::f32(int(v) as f32),
        (false, Ty::F64) => Value::f64(int(v) as f64),
        (false, Ty::Bool) => Value::bool(int(v) != 0),
        (false, ty) => Value::int(ty, int(v)),
    }
}

fn floor_div(a: i128, b: i128) -> i128 {
    if b == 0 { 0 } else { a.div_euclid(b) - i128::from(b < 0 && a.rem_euclid(b) != 0) }
}

/// An operation on two floats of one type, in that type.
macro_rules! of_floats {
    ($op:expr, $x:expr, $y:expr) => {
        match $op {
            "+" => $x + $y,
            "-" => $x - $y,
            "*" => $x * $y,
            "/" => $x / $y,
            "mod" => $x - ($x / $y).floor() * $y,
            "min" if $x < $y || $x.is_nan() => $x,
            "max" if $x > $y || $x.is_nan() => $x,
            "min" | "max" => $y,
            op => panic!("{op}"),
        }
    };
}

pub fn binary(op: &str, a: Value, b: Value) -> Value {
    let compared = |o: Option<std::cmp::Ordering>| {
        use std::cmp::Ordering::*;
        Value::bool(match op {
            "==" => o == Some(Equal),
            "!=" => o != Some(Equal),
            "<" => o == Some(Less),
            "<=" => matches!(o, Some(Less | Equal)),
            ">" => o == Some(Greater),
            _ => matches!(o, Some(Greater | Equal)),
        })
    };
    let compares = matches!(op, "==" | "!=" | "<" | "<=" | ">" | ">=");
    match a.ty {
        Ty::Bool => match op {
            "and" => Value::bool(a.as_bool() && b.as_bool()),
            "or" => Value::bool(a.as_bool() || b.as_bool()),
            _ => compared(Some(a.bits.cmp(&b.bits))),
        },
        Ty::F16 | Ty::Bf16 => {
            let wide = |v: Value| Value::f32(float(v) as f32);
            let out = binary(op, wide(a), wide(b));
            if compares { out } else { rounded(a.ty, float(out)) }
        }
        Ty::F32 => {
            let (x, y) = (f32::from_bits(a.bits as u32), f32::from_bits(b.bits as u32));
            if compares { compared(x.partial_cmp(&y)) } else { Value::f32(of_floats!(op, x, y)) }
        }
        Ty::F64 => {
            let (x, y) = (float(a), float(b));
            if compares { compared(x.partial_cmp(&y)) } else { Value::f64(of_floats!(op, x, y)) }
        }
        ty => {
            let (x, y) = (int(a), int(b));
            if compares {
                return compared(Some(x.cmp(&y)));
            }
            let bits = 8 * ty.size() as i128;
            Value::int(
                ty,
                match op {
                    "+" => x + y,
                    "-" => x - y,
                    "*" => x.wrapping_mul(y),
                    "div" => floor_div(x, y),
                    "mod" => {
                        if y == 0 {
                            0
                        } else {
                            x - y * floor_div(x, y)
                        }
                    }
                    "min" => x.min(y),
                    "max" => x.max(y),
                    "bitand" => x & y,
                    "bitor" => x | y,
                    "bitxor" => x ^ y,
                    "shl" => x << y.rem_euclid(bits),
                    "shr" => x >> y.rem_euclid(bits),
                    _ => panic!("{op}"),
                },
            )
        }
    }
}

/// A whole power, as a product.
pub fn power(a: Value, k: i64) -> Value {
    if a.ty.is_half() {
        return rounded(a.ty, float(power(Value::f32(float(a) as f32), k)));
    }
    (1..k).fold(a, |v, _| binary("*", v, a))
}

/// The functions of the language.
pub fn built(f: &str, args: &[Value]) -> Value {
    let a = args[0];
    if a.ty.is_half() && f != "select" {
        let wide: Vec<Value> = args.iter().map(|v| Value::f32(float(*v) as f32)).collect();
        return rounded(a.ty, float(built(f, &wide)));
    }
    let one = |g: fn(f64) -> f64| Value::float(a.ty, g(float(a)));
    match f {
        "select" => args[if a.as_bool() { 1 } else { 2 }],
        "abs" if a.ty.is_float() => one(f64::abs),
        "abs" => Value::int(a.ty, int(a).abs()),
        // Of an f32 the root in f64, rounded, is the nearest too.
        "sqrt" => one(f64::sqrt),
        "floor" => one(f64::floor),
        "ceil" => one(f64::ceil),
        "trunc" => one(f64::trunc),
        "round" => one(f64::round_ties_even),
        "fma" if a.ty == Ty::F32 => {
            let [x, y, z] = [0, 1, 2].map(|k| f32::from_bits(args[k].bits as u32));
            Value::f32(x.mul_add(y, z))
        }
        "fma" => Value::f64(float(a).mul_add(float(args[1]), float(args[2]))),
        "mulhi" => {
            let product = int(a) as u128 * int(args[1]) as u128;
            Value::int(a.ty, (product >> (8 * a.ty.size())) as i128)
        }
        "min" | "max" => args[1..].iter().fold(a, |v, b| binary(f, v, *b)),
        _ => elementary::eval(f, args),
    }
}

/// The fold of no terms.
pub fn identity(op: Fold, ty: Ty) -> Value {
    match op {
        Fold::Sum | Fold::Once | Fold::Mean | Fold::Count | Fold::ArgMin | Fold::ArgMax => literal(ty, 0),
        Fold::Prod => literal(ty, 1),
        Fold::Any => Value::bool(false),
        Fold::All => Value::bool(true),
        Fold::Min if ty.is_float() => Value::float(ty, f64::INFINITY),
        Fold::Max if ty.is_float() => Value::float(ty, f64::NEG_INFINITY),
        Fold::Min => cast(ty, Value::f64(f64::INFINITY)),
        Fold::Max => cast(ty, Value::f64(f64::NEG_INFINITY)),
    }
}

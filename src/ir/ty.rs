//! Element types and scalar values.

use crate::ir::elem;
use crate::ir::half::{Bf16, F16};
use serde::{Deserialize, Serialize};

/// The type of an array's elements or of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ty {
    Bool,
    I32,
    I64,
    U32,
    U64,
    F16,
    Bf16,
    F32,
    F64,
    /// Complex numbers, of `f32` and of `f64`. They are types of a program's text and of files: the checker makes two values of
    /// each, and an array of them is one of their parts with a last dimension of two, so nothing behind it meets these types.
    C64,
    C128,
}

impl Ty {
    /// The types of elements and registers, in the order of the declaration.
    pub const ALL: [Ty; 9] = [Ty::Bool, Ty::I32, Ty::I64, Ty::U32, Ty::U64, Ty::F16, Ty::Bf16, Ty::F32, Ty::F64];

    /// The types of complex numbers.
    pub const COMPLEX: [Ty; 2] = [Ty::C64, Ty::C128];

    /// The name as written in a program.
    pub fn name(self) -> &'static str {
        match self {
            Ty::Bool => "bool",
            Ty::I32 => "i32",
            Ty::I64 => "i64",
            Ty::U32 => "u32",
            Ty::U64 => "u64",
            Ty::F16 => "f16",
            Ty::Bf16 => "bf16",
            Ty::F32 => "f32",
            Ty::F64 => "f64",
            Ty::C64 => "c64",
            Ty::C128 => "c128",
        }
    }

    /// The type with this name, if it is one.
    pub fn from_name(name: &str) -> Option<Ty> {
        Ty::ALL.into_iter().chain(Ty::COMPLEX).find(|t| t.name() == name)
    }

    /// Bytes of one element in memory and in files.
    pub fn size(self) -> usize {
        match self {
            Ty::Bool => 1,
            Ty::F16 | Ty::Bf16 => 2,
            Ty::I32 | Ty::U32 | Ty::F32 => 4,
            Ty::I64 | Ty::U64 | Ty::F64 | Ty::C64 => 8,
            Ty::C128 => 16,
        }
    }

    pub fn is_float(self) -> bool {
        matches!(self, Ty::F16 | Ty::Bf16 | Ty::F32 | Ty::F64)
    }

    /// Whether this is a float of two bytes, on which operations are those of `f32`, rounded ([`crate::ir::half`]).
    pub fn is_half(self) -> bool {
        matches!(self, Ty::F16 | Ty::Bf16)
    }

    /// Significant bits of a float, the leading one included: integers up to 2 to their power are exact.
    pub fn precision(self) -> Option<u32> {
        match self {
            Ty::F16 => Some(11),
            Ty::Bf16 => Some(8),
            Ty::F32 => Some(24),
            Ty::F64 => Some(53),
            _ => None,
        }
    }

    pub fn is_complex(self) -> bool {
        matches!(self, Ty::C64 | Ty::C128)
    }

    /// The type of the real and the imaginary part; of another type, itself.
    pub fn part(self) -> Ty {
        match self {
            Ty::C64 => Ty::F32,
            Ty::C128 => Ty::F64,
            ty => ty,
        }
    }

    /// Whether every value is a value of `to` (or, for large integers to `f64`, the nearest one).
    pub fn widens(self, to: Ty) -> bool {
        use Ty::*;
        self == to
            || self == C64 && to == C128
            || !self.is_complex() && to.is_complex() && self.widens(to.part())
            || matches!(
                (self, to),
                (I32, I64)
                    | (U32, U64)
                    | (U32, I64)
                    | (F16 | Bf16, F32)
                    | (F16 | Bf16 | F32, F64)
                    | (I32, F64)
                    | (U32, F64)
                    | (I64, F64)
                    | (U64, F64)
            )
    }

    pub fn is_int(self) -> bool {
        matches!(self, Ty::I32 | Ty::I64 | Ty::U32 | Ty::U64)
    }

    pub fn is_signed(self) -> bool {
        matches!(self, Ty::I32 | Ty::I64)
    }
}

impl std::fmt::Display for Ty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One typed value; the bits are those of the type, zero-extended to 64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Value {
    pub ty: Ty,
    pub bits: u64,
}

impl Value {
    pub fn bool(v: bool) -> Value {
        Value { ty: Ty::Bool, bits: v as u64 }
    }
    pub fn i64(v: i64) -> Value {
        Value { ty: Ty::I64, bits: v as u64 }
    }
    pub fn f64(v: f64) -> Value {
        Value { ty: Ty::F64, bits: v.to_bits() }
    }
    pub fn f32(v: f32) -> Value {
        Value { ty: Ty::F32, bits: v.to_bits() as u64 }
    }

    /// An integer of type `ty`, wrapped to its width.
    pub fn int(ty: Ty, v: i128) -> Value {
        let bits = match ty {
            Ty::Bool => (v != 0) as u64,
            Ty::I32 | Ty::U32 => v as u32 as u64,
            _ => v as u64,
        };
        Value { ty, bits }
    }

    /// A float of type `ty`, to nearest even.
    pub fn float(ty: Ty, v: f64) -> Value {
        Value { ty, bits: elem::cast(Ty::F64, ty, v.to_bits()) }
    }

    /// The value as an integer; `None` for floats. Booleans count as 0 and 1.
    pub fn as_int(self) -> Option<i128> {
        match self.ty {
            Ty::Bool | Ty::U32 | Ty::U64 => Some(self.bits as i128),
            Ty::I32 => Some(self.bits as u32 as i32 as i128),
            Ty::I64 => Some(self.bits as i64 as i128),
            Ty::F16 | Ty::Bf16 | Ty::F32 | Ty::F64 | Ty::C64 | Ty::C128 => None,
        }
    }

    /// The value as `f64`, rounded for large integers.
    pub fn as_f64(self) -> f64 {
        match self.ty {
            Ty::F16 => f64::from(F16(self.bits as u16).value()),
            Ty::Bf16 => f64::from(Bf16(self.bits as u16).value()),
            Ty::F32 => f32::from_bits(self.bits as u32) as f64,
            Ty::F64 => f64::from_bits(self.bits),
            _ => self.as_int().unwrap_or(0) as f64,
        }
    }

    /// The fewest digits that read back as the same float, in scientific form.
    pub fn shortest_digits(self) -> String {
        let x = self.as_f64();
        match self.ty {
            Ty::F16 | Ty::Bf16 => {
                // The nearest of so many digits; above a power of two, where steps double, also the next one.
                let texts = (0..6).flat_map(|n| {
                    let near = format!("{x:.n$e}");
                    let last = near.split_once('e').and_then(|t| t.1.parse::<i32>().ok()).unwrap_or(0) - n as i32;
                    let next = x + 10f64.powi(last).copysign(x);
                    [near, format!("{next:.n$e}")]
                });
                let reads_back = |t: &String| t.parse().is_ok_and(|v| Value::float(self.ty, v).bits == self.bits);
                texts.into_iter().find(reads_back).unwrap_or_else(|| format!("{x:e}"))
            }
            Ty::F32 => format!("{:e}", x as f32),
            _ => format!("{x:e}"),
        }
    }

    /// True for a `bool` that is true.
    pub fn as_bool(self) -> bool {
        self.bits != 0
    }
}

/// Shows the shortest decimal that reads back as the same value, as Python does (`1.0`, `1e-07`, `True` as `true`).
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.ty {
            Ty::Bool => write!(f, "{}", self.bits != 0),
            ty if ty.is_float() => f.write_str(&shortest(self.shortest_digits(), self.as_f64())),
            _ => write!(f, "{}", self.as_int().unwrap_or(0)),
        }
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}:{}", self.ty)
    }
}

/// Python's `repr` layout of a float, from Rust's shortest digits in scientific form.
fn shortest(scientific: String, v: f64) -> String {
    if !v.is_finite() {
        return if v.is_nan() {
            "nan".into()
        } else if v > 0.0 {
            "inf".into()
        } else {
            "-inf".into()
        };
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exp: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    if !(-4..16).contains(&exp) {
        let dot = if digits.len() > 1 { format!("{}.{}", &digits[..1], &digits[1..]) } else { digits };
        return format!("{sign}{dot}e{}{:02}", if exp < 0 { '-' } else { '+' }, exp.abs());
    }
    let text = if exp < 0 {
        format!("0.{}{digits}", "0".repeat((-exp - 1) as usize))
    } else if digits.len() <= exp as usize + 1 {
        format!("{digits}{}.0", "0".repeat(exp as usize + 1 - digits.len()))
    } else {
        format!("{}.{}", &digits[..exp as usize + 1], &digits[exp as usize + 1..])
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_python_prints_them() {
        for (v, text) in [
            (0.1, "0.1"),
            (1.0, "1.0"),
            (1e16, "1e+16"),
            (1.5e-7, "1.5e-07"),
            (123456.75, "123456.75"),
            (-0.0001, "-0.0001"),
            (1e15, "1000000000000000.0"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(Value::f64(v).to_string(), text);
        }
        assert_eq!(Value::f32(0.1).to_string(), "0.1");
        for (bits, text) in [(0x2e66, "0.1"), (0x7bff, "65500.0"), (1, "6e-08"), (0xfc00, "-inf"), (0x2400, "0.01563")]
        {
            assert_eq!(Value { ty: Ty::F16, bits }.to_string(), text);
        }
        assert_eq!(Value::float(Ty::Bf16, 0.1).to_string(), "0.1");
        assert_eq!(Value::float(Ty::Bf16, 2.7).to_string(), "2.7");
    }

    #[test]
    fn integers_wrap_to_their_width() {
        assert_eq!(Value::int(Ty::I32, 1 << 31).as_int(), Some(-(1 << 31)));
        assert_eq!(Value::int(Ty::U32, -1).as_int(), Some(u32::MAX as i128));
    }
}

//! The meaning of every operation on one element: the one place in Rust where it is written, for single values and for
//! the block machine's loops.

use crate::ir::kernel::{BinaryOp, UnaryOp};
use crate::ir::ty::Ty;

/// A machine type that holds one element. `bool` is `u8`, 0 or 1.
pub trait Elem: Copy + PartialEq + PartialOrd + Send + Sync + 'static {
    const TY: Ty;
    fn of_bits(bits: u64) -> Self;
    fn bits(self) -> u64;
    fn neg(self) -> Self;
    fn abs(self) -> Self;
    fn not(self) -> Self;
    fn sqrt(self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    fn round(self) -> Self;
    fn trunc(self) -> Self;
    fn add(self, o: Self) -> Self;
    fn sub(self, o: Self) -> Self;
    fn mul(self, o: Self) -> Self;
    fn div(self, o: Self) -> Self;
    fn int_div(self, o: Self) -> Self;
    fn modulo(self, o: Self) -> Self;
    fn min(self, o: Self) -> Self;
    fn max(self, o: Self) -> Self;
    fn mul_hi(self, o: Self) -> Self;
    fn and(self, o: Self) -> Self;
    fn or(self, o: Self) -> Self;
    fn xor(self, o: Self) -> Self;
    fn shl(self, o: Self) -> Self;
    fn shr(self, o: Self) -> Self;
    fn fma(self, b: Self, c: Self) -> Self;
    fn is_nan(self) -> bool;
}

/// Conversion between element types.
pub trait CastTo<T> {
    fn cast(self) -> T;
}

macro_rules! identity_rounding {
    () => {
        #[inline(always)]
        fn sqrt(self) -> Self {
            self
        }
        #[inline(always)]
        fn floor(self) -> Self {
            self
        }
        #[inline(always)]
        fn ceil(self) -> Self {
            self
        }
        #[inline(always)]
        fn round(self) -> Self {
            self
        }
        #[inline(always)]
        fn trunc(self) -> Self {
            self
        }
    };
}

macro_rules! int_elem {
    ($t:ident, $ty:ident, $u:ident, $wide:ident, |$d:ident| $abs:expr, |$a:ident, $b:ident| $floor_div:expr) => {
        impl Elem for $t {
            const TY: Ty = Ty::$ty;
            #[inline(always)]
            fn of_bits(bits: u64) -> Self {
                bits as $t
            }
            #[inline(always)]
            fn bits(self) -> u64 {
                self as $u as u64
            }
            #[inline(always)]
            fn neg(self) -> Self {
                self.wrapping_neg()
            }
            #[inline(always)]
            fn abs(self) -> Self {
                let $d = self;
                $abs
            }
            #[inline(always)]
            fn not(self) -> Self {
                !self
            }
            identity_rounding!();
            #[inline(always)]
            fn add(self, o: Self) -> Self {
                self.wrapping_add(o)
            }
            #[inline(always)]
            fn sub(self, o: Self) -> Self {
                self.wrapping_sub(o)
            }
            #[inline(always)]
            fn mul(self, o: Self) -> Self {
                self.wrapping_mul(o)
            }
            #[inline(always)]
            fn div(self, o: Self) -> Self {
                self.int_div(o)
            }
            #[inline(always)]
            fn int_div(self, o: Self) -> Self {
                let ($a, $b) = (self, o);
                if o == 0 { 0 } else { $floor_div }
            }
            #[inline(always)]
            fn modulo(self, o: Self) -> Self {
                if o == 0 { 0 } else { self.wrapping_sub(self.int_div(o).wrapping_mul(o)) }
            }
            #[inline(always)]
            fn min(self, o: Self) -> Self {
                if self < o { self } else { o }
            }
            #[inline(always)]
            fn max(self, o: Self) -> Self {
                if self > o { self } else { o }
            }
            #[inline(always)]
            fn mul_hi(self, o: Self) -> Self {
                ((self as $wide * o as $wide) >> $t::BITS) as $t
            }
            #[inline(always)]
            fn and(self, o: Self) -> Self {
                self & o
            }
            #[inline(always)]
            fn or(self, o: Self) -> Self {
                self | o
            }
            #[inline(always)]
            fn xor(self, o: Self) -> Self {
                self ^ o
            }
            #[inline(always)]
            fn shl(self, o: Self) -> Self {
                self.wrapping_shl(o as u32)
            }
            #[inline(always)]
            fn shr(self, o: Self) -> Self {
                self.wrapping_shr(o as u32)
            }
            #[inline(always)]
            fn fma(self, b: Self, c: Self) -> Self {
                self.wrapping_mul(b).wrapping_add(c)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                false
            }
        }
    };
}

/// Truncated quotient, less one where the signs differ and there is a remainder.
macro_rules! floor_div {
    ($a:ident, $b:ident) => {{
        let (q, r) = ($a.wrapping_div($b), $a.wrapping_rem($b));
        if r != 0 && (r < 0) != ($b < 0) { q - 1 } else { q }
    }};
}

int_elem!(i32, I32, u32, i64, |a| a.wrapping_abs(), |a, b| floor_div!(a, b));
int_elem!(i64, I64, u64, i128, |a| a.wrapping_abs(), |a, b| floor_div!(a, b));
int_elem!(u32, U32, u32, u64, |a| a, |a, b| a / b);
int_elem!(u64, U64, u64, u128, |a| a, |a, b| a / b);

/// `bool`: only the logical operations, comparisons and conversions are meaningful; the others keep it 0 or 1.
impl Elem for u8 {
    const TY: Ty = Ty::Bool;
    #[inline(always)]
    fn of_bits(bits: u64) -> Self {
        (bits != 0) as u8
    }
    #[inline(always)]
    fn bits(self) -> u64 {
        self as u64
    }
    #[inline(always)]
    fn neg(self) -> Self {
        self
    }
    #[inline(always)]
    fn abs(self) -> Self {
        self
    }
    #[inline(always)]
    fn not(self) -> Self {
        self ^ 1
    }
    identity_rounding!();
    #[inline(always)]
    fn add(self, o: Self) -> Self {
        self ^ o
    }
    #[inline(always)]
    fn sub(self, o: Self) -> Self {
        self ^ o
    }
    #[inline(always)]
    fn mul(self, o: Self) -> Self {
        self & o
    }
    #[inline(always)]
    fn div(self, o: Self) -> Self {
        self & o
    }
    #[inline(always)]
    fn int_div(self, o: Self) -> Self {
        self & o
    }
    #[inline(always)]
    fn modulo(self, _: Self) -> Self {
        0
    }
    #[inline(always)]
    fn min(self, o: Self) -> Self {
        self & o
    }
    #[inline(always)]
    fn max(self, o: Self) -> Self {
        self | o
    }
    #[inline(always)]
    fn mul_hi(self, _: Self) -> Self {
        0
    }
    #[inline(always)]
    fn and(self, o: Self) -> Self {
        self & o
    }
    #[inline(always)]
    fn or(self, o: Self) -> Self {
        self | o
    }
    #[inline(always)]
    fn xor(self, o: Self) -> Self {
        self ^ o
    }
    #[inline(always)]
    fn shl(self, _: Self) -> Self {
        self
    }
    #[inline(always)]
    fn shr(self, _: Self) -> Self {
        self
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        self & b ^ c
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        false
    }
}

macro_rules! float_elem {
    ($t:ident, $ty:ident, $u:ident) => {
        impl Elem for $t {
            const TY: Ty = Ty::$ty;
            #[inline(always)]
            fn of_bits(bits: u64) -> Self {
                $t::from_bits(bits as $u)
            }
            #[inline(always)]
            fn bits(self) -> u64 {
                self.to_bits() as u64
            }
            #[inline(always)]
            fn neg(self) -> Self {
                -self
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn not(self) -> Self {
                self
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn floor(self) -> Self {
                $t::floor(self)
            }
            #[inline(always)]
            fn ceil(self) -> Self {
                $t::ceil(self)
            }
            #[inline(always)]
            fn round(self) -> Self {
                $t::round_ties_even(self)
            }
            #[inline(always)]
            fn trunc(self) -> Self {
                $t::trunc(self)
            }
            #[inline(always)]
            fn add(self, o: Self) -> Self {
                self + o
            }
            #[inline(always)]
            fn sub(self, o: Self) -> Self {
                self - o
            }
            #[inline(always)]
            fn mul(self, o: Self) -> Self {
                self * o
            }
            #[inline(always)]
            fn div(self, o: Self) -> Self {
                self / o
            }
            #[inline(always)]
            fn int_div(self, o: Self) -> Self {
                $t::floor(self / o)
            }
            #[inline(always)]
            fn modulo(self, o: Self) -> Self {
                self - $t::floor(self / o) * o
            }
            #[inline(always)]
            #[allow(clippy::eq_op)]
            fn min(self, o: Self) -> Self {
                if self < o || self != self { self } else { o }
            }
            #[inline(always)]
            #[allow(clippy::eq_op)]
            fn max(self, o: Self) -> Self {
                if self > o || self != self { self } else { o }
            }
            #[inline(always)]
            fn mul_hi(self, _: Self) -> Self {
                0.0
            }
            #[inline(always)]
            fn and(self, _: Self) -> Self {
                self
            }
            #[inline(always)]
            fn or(self, _: Self) -> Self {
                self
            }
            #[inline(always)]
            fn xor(self, _: Self) -> Self {
                self
            }
            #[inline(always)]
            fn shl(self, _: Self) -> Self {
                self
            }
            #[inline(always)]
            fn shr(self, _: Self) -> Self {
                self
            }
            #[inline(always)]
            fn fma(self, b: Self, c: Self) -> Self {
                self.mul_add(b, c)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
        }
    };
}

float_elem!(f32, F32, u32);
float_elem!(f64, F64, u64);

macro_rules! casts {
    ($($from:ident: $($to:ident)*;)*) => { $($(
        impl CastTo<$to> for $from {
            #[inline(always)]
            #[allow(clippy::unnecessary_cast)]
            fn cast(self) -> $to {
                self as $to
            }
        }
    )*)* };
}
casts! {
    i32: i32 i64 u32 u64 f32 f64;
    i64: i32 i64 u32 u64 f32 f64;
    u32: i32 i64 u32 u64 f32 f64;
    u64: i32 i64 u32 u64 f32 f64;
    f32: i32 i64 u32 u64 f32 f64;
    f64: i32 i64 u32 u64 f32 f64;
    u8: u8 i32 i64 u32 u64;
}

macro_rules! bool_casts {
    ($($t:ident: $zero:expr;)*) => { $(
        impl CastTo<u8> for $t {
            #[inline(always)]
            fn cast(self) -> u8 {
                (self != $zero) as u8
            }
        }
    )* };
}
bool_casts! { i32: 0; i64: 0; u32: 0; u64: 0; f32: 0.0; f64: 0.0; }

impl CastTo<f32> for u8 {
    #[inline(always)]
    fn cast(self) -> f32 {
        f32::from(self)
    }
}
impl CastTo<f64> for u8 {
    #[inline(always)]
    fn cast(self) -> f64 {
        f64::from(self)
    }
}

/// Calls a macro with the machine type of a `Ty`; of a complex one, with that of its parts.
macro_rules! with_ty {
    ($ty:expr, $t:ident => $body:expr) => {
        match $ty {
            $crate::ir::ty::Ty::Bool => {
                type $t = u8;
                $body
            }
            $crate::ir::ty::Ty::I32 => {
                type $t = i32;
                $body
            }
            $crate::ir::ty::Ty::I64 => {
                type $t = i64;
                $body
            }
            $crate::ir::ty::Ty::U32 => {
                type $t = u32;
                $body
            }
            $crate::ir::ty::Ty::U64 => {
                type $t = u64;
                $body
            }
            $crate::ir::ty::Ty::F16 => {
                type $t = $crate::ir::half::F16;
                $body
            }
            $crate::ir::ty::Ty::Bf16 => {
                type $t = $crate::ir::half::Bf16;
                $body
            }
            $crate::ir::ty::Ty::F32 | $crate::ir::ty::Ty::C64 => {
                type $t = f32;
                $body
            }
            $crate::ir::ty::Ty::F64 | $crate::ir::ty::Ty::C128 => {
                type $t = f64;
                $body
            }
        }
    };
}
pub(crate) use with_ty;

/// A unary operation on bits.
pub fn unary(op: UnaryOp, ty: Ty, a: u64) -> u64 {
    with_ty!(ty, T => {
        let a = T::of_bits(a);
        match op {
            UnaryOp::Neg => a.neg(),
            UnaryOp::Not => a.not(),
            UnaryOp::Abs => Elem::abs(a),
            UnaryOp::Sqrt => Elem::sqrt(a),
            UnaryOp::Floor => Elem::floor(a),
            UnaryOp::Ceil => Elem::ceil(a),
            UnaryOp::Round => Elem::round(a),
            UnaryOp::Trunc => Elem::trunc(a),
        }
        .bits()
    })
}

/// A binary operation on bits of type `ty`; comparisons give a `bool`.
pub fn binary(op: BinaryOp, ty: Ty, a: u64, b: u64) -> u64 {
    with_ty!(ty, T => {
        let (a, b) = (T::of_bits(a), T::of_bits(b));
        let value = match op {
            BinaryOp::Eq => return (a == b) as u64,
            BinaryOp::Ne => return (a != b) as u64,
            BinaryOp::Lt => return (a < b) as u64,
            BinaryOp::Le => return (a <= b) as u64,
            BinaryOp::Gt => return (a > b) as u64,
            BinaryOp::Ge => return (a >= b) as u64,
            BinaryOp::Add => Elem::add(a, b),
            BinaryOp::Sub => Elem::sub(a, b),
            BinaryOp::Mul => Elem::mul(a, b),
            BinaryOp::Div => Elem::div(a, b),
            BinaryOp::IntDiv => a.int_div(b),
            BinaryOp::Mod => a.modulo(b),
            BinaryOp::Min => Elem::min(a, b),
            BinaryOp::Max => Elem::max(a, b),
            BinaryOp::MulHi => a.mul_hi(b),
            BinaryOp::And => a.and(b),
            BinaryOp::Or => a.or(b),
            BinaryOp::Xor => a.xor(b),
            BinaryOp::Shl => Elem::shl(a, b),
            BinaryOp::Shr => Elem::shr(a, b),
        };
        value.bits()
    })
}

/// `a * b + c` with one rounding, on bits.
pub fn fma(ty: Ty, a: u64, b: u64, c: u64) -> u64 {
    with_ty!(ty, T => T::of_bits(a).fma(T::of_bits(b), T::of_bits(c)).bits())
}

/// A conversion on bits.
pub fn cast(from: Ty, to: Ty, a: u64) -> u64 {
    with_ty!(from, F => {
        let a = F::of_bits(a);
        with_ty!(to, T => Elem::bits(CastTo::<T>::cast(a)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::ty::Value;

    fn int(op: BinaryOp, a: i64, b: i64) -> i64 {
        binary(op, Ty::I64, a as u64, b as u64) as i64
    }

    #[test]
    fn division_floors() {
        for (a, b, q, r) in
            [(7, 2, 3, 1), (-7, 2, -4, 1), (7, -2, -4, -1), (-7, -2, 3, -1), (5, 0, 0, 0), (6, -3, -2, 0)]
        {
            assert_eq!((int(BinaryOp::IntDiv, a, b), int(BinaryOp::Mod, a, b)), (q, r), "{a} and {b}");
        }
        assert_eq!(int(BinaryOp::IntDiv, i64::MIN, -1), i64::MIN);
        assert_eq!(int(BinaryOp::Mod, i64::MIN, -1), 0);
    }

    #[test]
    fn casts_saturate_and_bools_are_numbers() {
        assert_eq!(cast(Ty::F32, Ty::I32, Value::f32(3e9).bits), i32::MAX as u64);
        assert_eq!(cast(Ty::F64, Ty::U32, Value::f64(-1.0).bits), 0);
        assert_eq!(cast(Ty::F64, Ty::I64, Value::f64(f64::NAN).bits), 0);
        assert_eq!(cast(Ty::I32, Ty::I64, (-5i32) as u32 as u64), (-5i64) as u64);
        assert_eq!(cast(Ty::I64, Ty::Bool, 256), 1);
        assert_eq!(cast(Ty::F64, Ty::Bool, Value::f64(f64::NAN).bits), 1);
        assert_eq!(cast(Ty::Bool, Ty::F32, 1), Value::f32(1.0).bits);
    }

    #[test]
    fn shifts_wrap_their_amount() {
        assert_eq!(binary(BinaryOp::Shl, Ty::U32, 1, 33), 2);
        assert_eq!(binary(BinaryOp::Shr, Ty::I32, 0x8000_0000, 31), 0xffff_ffff);
        assert_eq!(binary(BinaryOp::Shr, Ty::I64, u64::MAX, 65), u64::MAX);
    }

    #[test]
    fn minimum_and_maximum_of_nan() {
        let nan = Value::f64(f64::NAN).bits;
        let one = Value::f64(1.0).bits;
        assert_eq!(binary(BinaryOp::Min, Ty::F64, nan, one), nan);
        assert_eq!(binary(BinaryOp::Min, Ty::F64, one, nan), nan);
        assert_eq!(binary(BinaryOp::Max, Ty::F64, one, nan), nan);
    }
}

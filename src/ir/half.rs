//! The types of two bytes, `f16` (IEEE 754 binary16) and `bf16` (the upper half of an `f32`).
//!
//! They are types of memory. Every operation on them is the `f32` operation on their exact values, rounded to the type: to nearest,
//! ties to even. Of `+ - * / sqrt` that is the correctly rounded result, since 24 >= 2 * 11 + 2. Every rounding gives one NaN.

use crate::ir::elem::{CastTo, Elem};
use crate::ir::ty::Ty;

/// An `f16`: 1 bit of sign, 5 of exponent, 10 of fraction.
#[derive(Clone, Copy, Debug)]
pub struct F16(pub u16);

/// A `bf16`: 1 bit of sign, 8 of exponent, 7 of fraction.
#[derive(Clone, Copy, Debug)]
pub struct Bf16(pub u16);

impl F16 {
    /// The nearest `f16`.
    #[inline(always)]
    pub fn of(x: f32) -> F16 {
        let (bits, sign) = (x.to_bits() & 0x7fff_ffff, (x.to_bits() >> 16 & 0x8000) as u16);
        // What is below 2^-14 is rounded by an addition: 2^-24 is the last place of 0.5.
        let small = (f32::from_bits(bits) + 0.5).to_bits().wrapping_sub(0x3f00_0000);
        // Exponents move by 112; half of the last place, less one where it is even, makes ties go to even.
        let normal = bits.wrapping_sub(112 << 23).wrapping_add(0xfff + (bits >> 13 & 1)) >> 13;
        let value = match bits {
            0x7f80_0001.. => 0x7e00,
            0x4780_0000.. => 0x7c00,
            0x3880_0000.. => normal,
            _ => small,
        };
        F16(if bits > 0x7f80_0000 { 0x7e00 } else { value as u16 | sign })
    }

    /// The value, which `f32` has exactly.
    #[inline(always)]
    pub fn value(self) -> f32 {
        let (bits, sign) = (u32::from(self.0 & 0x7fff) << 13, u32::from(self.0 & 0x8000) << 16);
        let value = match bits {
            0x0f80_0000.. => bits + (224 << 23),
            0x0080_0000.. => bits + (112 << 23),
            // Multiples of 2^-24.
            _ => (f32::from_bits(bits + (113 << 23)) - f32::from_bits(113 << 23)).to_bits(),
        };
        f32::from_bits(value | sign)
    }
}

impl Bf16 {
    /// The nearest `bf16`.
    #[inline(always)]
    pub fn of(x: f32) -> Bf16 {
        let bits = x.to_bits();
        let near = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
        Bf16(if x.is_nan() { 0x7fc0 } else { near as u16 })
    }

    /// The value, which `f32` has exactly.
    #[inline(always)]
    pub fn value(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
}

/// `x` in `f32`, rounded to odd: of the two neighbours of an inexact value the one with an odd last bit. Rounding that to fewer
/// bits gives what rounding `x` would (Boldo and Melquiond, "Emulation of FMA and Correctly Rounded Sums: Proved Algorithms Using
/// Rounding to Odd", 2008).
#[inline(always)]
pub fn to_odd(x: f64) -> f32 {
    let near = x as f32;
    let (bits, back) = (near.to_bits(), f64::from(near));
    if back == x || x.is_nan() || bits & 1 == 1 {
        return near;
    }
    f32::from_bits(if back.abs() < x.abs() { bits + 1 } else { bits - 1 })
}

macro_rules! half {
    ($t:ident, $ty:ident) => {
        impl PartialEq for $t {
            #[inline(always)]
            fn eq(&self, o: &Self) -> bool {
                self.value() == o.value()
            }
        }
        impl PartialOrd for $t {
            #[inline(always)]
            fn partial_cmp(&self, o: &Self) -> Option<std::cmp::Ordering> {
                self.value().partial_cmp(&o.value())
            }
        }
        impl Elem for $t {
            const TY: Ty = Ty::$ty;
            #[inline(always)]
            fn of_bits(bits: u64) -> Self {
                $t(bits as u16)
            }
            #[inline(always)]
            fn bits(self) -> u64 {
                self.0 as u64
            }
            half!($t: neg(), abs(), not(), sqrt(), floor(), ceil(), round(), trunc());
            half!($t: add(o), sub(o), mul(o), div(o), int_div(o), modulo(o), min(o), max(o), mul_hi(o));
            half!($t: and(o), or(o), xor(o), shl(o), shr(o), fma(b, c));
            #[inline(always)]
            fn is_nan(self) -> bool {
                self.value().is_nan()
            }
        }
        half_casts!($t: u8 i32 i64 u32 u64 f32 f64 F16 Bf16);
        impl CastTo<$t> for f32 {
            #[inline(always)]
            fn cast(self) -> $t {
                $t::of(self)
            }
        }
        impl CastTo<$t> for f64 {
            #[inline(always)]
            fn cast(self) -> $t {
                $t::of(to_odd(self))
            }
        }
        of_integers!($t: u8 i32 i64 u32 u64);
    };
    // An operation of `f32`, rounded.
    ($t:ident: $($op:ident($($o:ident),*)),*) => { $(
        #[inline(always)]
        fn $op(self, $($o: Self),*) -> Self {
            $t::of(Elem::$op(self.value(), $($o.value()),*))
        }
    )* };
}

/// Every value is one of `f32`.
macro_rules! half_casts {
    ($t:ident: $($to:ident)*) => { $(
        impl CastTo<$to> for $t {
            #[inline(always)]
            fn cast(self) -> $to {
                CastTo::<$to>::cast(self.value())
            }
        }
    )* };
}

/// Integers go through `f64`.
macro_rules! of_integers {
    ($t:ident: $($from:ident)*) => { $(
        impl CastTo<$t> for $from {
            #[inline(always)]
            fn cast(self) -> $t {
                CastTo::<$t>::cast(CastTo::<f64>::cast(self))
            }
        }
    )* };
}

half!(F16, F16);
half!(Bf16, Bf16);

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of the bits of a format with so many bits of exponent and fraction, by its definition.
    fn defined(bits: u16, exponent: u32, fraction: u32) -> f64 {
        let (e, f) = (u32::from(bits) >> fraction & ((1 << exponent) - 1), u32::from(bits) & ((1 << fraction) - 1));
        let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
        let bias = (1 << (exponent - 1)) - 1;
        let scale = |k: i32| 2f64.powi(k - bias - fraction as i32);
        match e {
            0 => sign * f64::from(f) * scale(1),
            e if e < (1 << exponent) - 1 => sign * f64::from(f + (1 << fraction)) * scale(e as i32),
            _ if f == 0 => sign * f64::INFINITY,
            _ => f64::NAN,
        }
    }

    /// All bits give the defined value and come back; between neighbours the nearest is taken, of two the even one.
    fn all_values(exponent: u32, fraction: u32, of: fn(f64) -> u16, of32: fn(f32) -> u16, value: fn(u16) -> f32) {
        let infinity = ((1u16 << exponent) - 1) << fraction;
        for bits in 0..=u16::MAX {
            let (v, want) = (f64::from(value(bits)), defined(bits, exponent, fraction));
            if want.is_nan() {
                assert!(v.is_nan());
                assert_eq!(of(v), of(f64::NAN));
                continue;
            }
            assert_eq!(v.to_bits(), want.to_bits(), "{bits:#x}");
            assert_eq!((of(v), of32(value(bits))), (bits, bits));
            if bits & 0x7fff >= infinity {
                continue;
            }
            // The next one away from zero; behind the greatest number, what would follow if exponents went on.
            let last = bits & 0x7fff == infinity - 1;
            let below = defined(bits - u16::from(last), exponent, fraction);
            let next = if last { 2.0 * v - below } else { defined(bits + 1, exponent, fraction) };
            let middle = (v + next) / 2.0;
            assert_eq!(of(middle), bits + (bits & 1), "the middle above {bits:#x}");
            assert_eq!(of32(middle as f32), bits + (bits & 1));
            let step = (next - v).abs() / 1e6 * middle.signum();
            assert_eq!((of(middle - step), of(middle + step)), (bits, bits + 1), "beside the middle above {bits:#x}");
        }
    }

    #[test]
    fn every_f16_is_the_nearest() {
        all_values(5, 10, |x| CastTo::<F16>::cast(x).0, |x| F16::of(x).0, |b| F16(b).value());
    }

    #[test]
    fn every_bf16_is_the_nearest() {
        all_values(8, 7, |x| CastTo::<Bf16>::cast(x).0, |x| Bf16::of(x).0, |b| Bf16(b).value());
    }

    #[test]
    fn numbers_out_of_range() {
        let f16 = |x: f64| CastTo::<F16>::cast(x).0;
        assert_eq!((f16(65519.99), f16(65520.0), f16(-1e300), f16(1e-300)), (0x7bff, 0x7c00, 0xfc00, 0));
        assert_eq!((f16(-1e-300), f16(2f64.powi(-25)), f16(2f64.powi(-25) * 1.000_000_1)), (0x8000, 0, 1));
        assert_eq!(CastTo::<Bf16>::cast(3.4e38f64).0, 0x7f80);
        assert_eq!(CastTo::<i32>::cast(F16(0xfc00)), i32::MIN);
        assert_eq!(CastTo::<F16>::cast(u64::MAX).0, 0x7c00);
        assert_eq!(CastTo::<Bf16>::cast(true as u8).0, 0x3f80);
    }

    #[test]
    fn operations_round_once() {
        let h = |x: f32| F16::of(x);
        // 2048 + 1 is a tie; 2048 + 3 too.
        assert_eq!((h(2048.0).add(h(1.0)).value(), h(2048.0).add(h(3.0)).value()), (2048.0, 2052.0));
        assert_eq!(h(1.0).div(h(3.0)).0, 0x3555);
        assert_eq!(Elem::sqrt(Bf16::of(2.0)).0, 0x3fb5);
        assert_eq!(h(60000.0).fma(h(2.0), h(-60000.0)).value(), 60000.0);
    }
}

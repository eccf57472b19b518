//! Sums that are rounded once.

use mgpu::ir::ty::{Ty, Value};

/// The sum of the terms as a value of `ty`, to the nearest, ties to even: partial sums that do not overlap (Shewchuk 1997, "Adaptive
/// Precision Floating-Point Arithmetic", grow-expansion), whose rest decides.
pub fn sum_once(ty: Ty, terms: &[f64]) -> Value {
    if terms.iter().any(|x| !x.is_finite()) {
        return Value::float(ty, terms.iter().sum());
    }
    let mut parts: Vec<f64> = vec![];
    for &x in terms {
        let mut carry = x;
        let mut kept = vec![];
        for &p in &parts {
            let sum = carry + p;
            let back = sum - carry;
            let rest = (carry - (sum - back)) + (p - back);
            if rest != 0.0 {
                kept.push(rest);
            }
            carry = sum;
        }
        kept.push(carry);
        parts = kept;
    }
    // From the largest: what is left below says where a half goes.
    let mut sum = parts.pop().unwrap_or(0.0);
    let mut below = 0.0;
    while let Some(p) = parts.pop() {
        let next = sum + p;
        below = p - (next - sum);
        sum = next;
        if below != 0.0 {
            break;
        }
    }
    let rest = if below != 0.0 { below } else { 0.0 };
    // The exact sum is `sum + rest + parts`; `rest` has the sign of all that is left when it is not half a last place.
    if ty == Ty::F64 {
        let tie = parts.last().copied().unwrap_or(0.0);
        let twice = 2.0 * rest;
        let next = sum + twice;
        let up = rest != 0.0 && tie != 0.0 && (rest > 0.0) == (tie > 0.0) && next - sum == twice;
        return Value::f64(if up { next } else { sum });
    }
    // Rounded to odd first, so that rounding again is rounding once.
    let odd = if rest != 0.0 && sum.to_bits() & 1 == 0 {
        let away = (rest > 0.0) == (sum > 0.0);
        f64::from_bits(if away { sum.to_bits() + 1 } else { sum.to_bits() - 1 })
    } else {
        sum
    };
    Value::float(ty, odd)
}

#[test]
fn sums_are_rounded_once() {
    let f64s = |terms: &[f64]| sum_once(Ty::F64, terms).as_f64();
    assert_eq!(f64s(&[1e100, 1.0, -1e100]), 1.0);
    assert_eq!(f64s(&[0.1; 10]), 1.0);
    // A half of the last place, and a little more or less.
    assert_eq!(f64s(&[1.0, 2f64.powi(-53)]), 1.0);
    assert_eq!(f64s(&[1.0, 2f64.powi(-53), 2f64.powi(-120)]), 1.0 + 2f64.powi(-52));
    assert_eq!(f64s(&[1.0, 3.0 * 2f64.powi(-53), -2f64.powi(-120)]), 1.0 + 2f64.powi(-52));
    let f32s = |terms: &[f64]| sum_once(Ty::F32, terms).as_f64();
    assert_eq!(f32s(&[1.0, 2f64.powi(-24)]), 1.0);
    assert_eq!(f32s(&[1.0, 2f64.powi(-24), 2f64.powi(-90)]), 1.0 + 2f64.powi(-23));
}

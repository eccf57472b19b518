//! Operations on complex numbers as pairs of parts, for single values. The checker writes the same formulas as code
//! (`check/complex`), and they agree to the bit.

use crate::ir::elem::{Elem, cast};
use crate::ir::ty::Ty;

/// `(a + bi) * (c + di)`, as `(a c - b d) + (a d + b c) i`.
pub fn product<T: Elem>((a, b): (T, T), (c, d): (T, T)) -> (T, T) {
    (a.mul(c).sub(b.mul(d)), a.mul(d).add(b.mul(c)))
}

/// `(a + bi) / (c + di)` by Smith's formula; by zero each part is divided by zero.
pub fn quotient<T: Elem>((a, b): (T, T), (c, d): (T, T)) -> (T, T) {
    let (zero, one) = (T::of_bits(0), T::of_bits(cast(Ty::F64, T::TY, 1f64.to_bits())));
    let wide = c.abs() >= d.abs();
    let (most, least) = if wide { (c, d) } else { (d, c) };
    let r = if most == zero { zero } else { least.div(most) };
    let s = one.div(most.add(least.mul(r)));
    let (p, q) = if wide { (a, b) } else { (b, a) };
    let (pr, qr) = (p.mul(r), q.mul(r));
    let im = if wide { q.sub(pr) } else { pr.sub(q) };
    (p.add(qr).mul(s), im.mul(s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_undo_products() {
        for (z, w) in [((3.0, -4.0), (0.5, 2.0)), ((1.0, 1.0), (-8.0, 0.25)), ((0.0, 2.0), (0.0, -4.0))] {
            let (re, im) = quotient(product(z, w), w);
            assert!((re - z.0).abs() < 1e-15 && (im - z.1).abs() < 1e-15, "{z:?} * {w:?} / {w:?}");
        }
        assert_eq!(quotient((1.0, -1.0), (0.0, 0.0)), (f64::INFINITY, f64::NEG_INFINITY));
    }
}

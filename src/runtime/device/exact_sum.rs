//! Exact, order-free sums of `f64` values: a fixed-point number wide enough for every finite value, rounded once at the end.
//!
//! # Reductions
//!
//! The result of a reduction does not depend on how the domain is split over ranks or calls. The domain is covered by
//! leaves, boxes of `nest.leaf` points whose grid is anchored at global index 0. Float `Sum` and `Prod` combine the
//! points of one leaf in a fixed order: `L = min(leaf of the last dimension, 64)` lanes of the value's own type start
//! at the identity, points are visited in row-major order, and the point with last index `j` goes to lane `j mod L`;
//! then lanes are folded by `acc[l] = acc[l] op acc[l + s]` for `s = L/2, L/4, .. 1`. For `Sum`, lane 0 is converted to
//! `f64` and deposited here, exactly, so leaves may come in any order. For `Prod` each leaf's lane 0 is kept with the
//! leaf's position, and the products are combined in that order at the end. All other reductions are order-free.
//!
//! # Form
//!
//! A finite value is `m * 2^(b - 1074)` with `|m| < 2^53` and `0 <= b <= 2045`; `m << (b % 32)` is cut in three pieces
//! of 32 bits, the top one signed, which are added to limbs `b / 32 ..+ 3`. Limbs have 64 bits, so more than 2^30
//! deposits fit before carries must be propagated (after the superaccumulators of Neal, arXiv:1505.05571).

/// Limbs 0 to 67 hold the number in base 2^32; 68, 69, 70 count +inf, -inf and NaN; 71 counts deposits since the
/// last [`normalise`](ExactSum::normalise).
#[repr(C)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactSum {
    pub limbs: [i64; 72],
}

const PAYLOAD: usize = 68;
const POS_INF: usize = 68;
const NEG_INF: usize = 69;
const NAN: usize = 70;
const DEPOSITS: usize = 71;
const MOST_DEPOSITS: i64 = 1 << 30;

impl Default for ExactSum {
    fn default() -> ExactSum {
        ExactSum { limbs: [0; 72] }
    }
}

impl ExactSum {
    /// Adds one value, exactly.
    #[inline]
    pub fn deposit(&mut self, x: f64) {
        let bits = x.to_bits();
        let exponent = (bits >> 52) as usize & 0x7ff;
        let fraction = bits & ((1 << 52) - 1);
        if exponent == 0x7ff {
            let slot = if fraction != 0 { NAN } else { POS_INF + (bits >> 63) as usize };
            self.limbs[slot] += 1;
            return;
        }
        let (m, b) = if exponent == 0 { (fraction, 0) } else { (fraction | 1 << 52, exponent - 1) };
        let m = if bits >> 63 == 1 { -(m as i64) } else { m as i64 };
        let wide = (m as i128) << (b % 32);
        let at = b / 32;
        self.limbs[at] += (wide as i64) & 0xffff_ffff;
        self.limbs[at + 1] += ((wide >> 32) as i64) & 0xffff_ffff;
        self.limbs[at + 2] += (wide >> 64) as i64;
        self.limbs[DEPOSITS] += 1;
        if self.limbs[DEPOSITS] >= MOST_DEPOSITS {
            self.normalise();
        }
    }

    /// Propagates carries: limbs 0 to 66 end in `0..2^32` and limb 67 carries the sign. Equal numbers get equal limbs.
    pub fn normalise(&mut self) {
        let mut carry = 0i64;
        for limb in &mut self.limbs[..PAYLOAD - 1] {
            let v = *limb + carry;
            *limb = v & 0xffff_ffff;
            carry = v >> 32;
        }
        self.limbs[PAYLOAD - 1] += carry;
        self.limbs[DEPOSITS] = 0;
    }

    /// Adds another sum, exactly.
    pub fn merge(&mut self, other: &ExactSum) {
        let mut other = other.clone();
        other.normalise();
        self.normalise();
        for (a, b) in self.limbs.iter_mut().zip(&other.limbs) {
            *a += b;
        }
        self.normalise();
    }

    /// The sum rounded to nearest, ties to even.
    pub fn value(&self) -> f64 {
        f64::from_bits(self.round(52, 11))
    }

    /// The sum rounded to `f32` in one step.
    pub fn value_f32(&self) -> f32 {
        f32::from_bits(self.round(23, 8) as u32)
    }

    /// The bits of the nearest float with the given widths of fraction and exponent.
    fn round(&self, fraction: usize, exponent: usize) -> u64 {
        let infinity = ((1u64 << exponent) - 1) << fraction;
        let sign_bit = 1u64 << (fraction + exponent);
        match (self.limbs[NAN] > 0, self.limbs[POS_INF] > 0, self.limbs[NEG_INF] > 0) {
            (true, _, _) | (_, true, true) => return infinity | 1 << (fraction - 1),
            (_, true, _) => return infinity,
            (_, _, true) => return infinity | sign_bit,
            _ => {}
        }
        let mut sum = self.clone();
        sum.normalise();
        let negative = sum.limbs[PAYLOAD - 1] < 0;
        if negative {
            sum.limbs[..PAYLOAD].iter_mut().for_each(|l| *l = -*l);
            sum.normalise();
        }
        let Some(top) = sum.limbs[..PAYLOAD].iter().rposition(|&l| l != 0) else { return 0 };
        let high = top * 32 + 63 - sum.limbs[top].leading_zeros() as usize;
        // The unit of the smallest subnormal: 2^-1074 or 2^-149, as a bit position.
        let smallest = 1074 - ((1 << (exponent - 1)) - 2 + fraction);
        let lowest = high.saturating_sub(fraction).max(smallest);
        let mut kept = sum.bits(lowest, fraction + 1);
        if lowest > 0 && sum.bits(lowest - 1, 1) == 1 && (kept & 1 == 1 || sum.any_below(lowest - 1)) {
            kept += 1;
        }
        // A fraction that rounds up to the next power of two carries into the exponent by itself.
        let magnitude = if kept >> fraction == 0 {
            kept
        } else {
            kept - (1 << fraction) + (((lowest - smallest + 1) as u64) << fraction)
        };
        magnitude.min(infinity) | if negative { sign_bit } else { 0 }
    }

    /// `count <= 53` bits from position `from` of a normalised, non-negative sum.
    fn bits(&self, from: usize, count: usize) -> u64 {
        let limb = |i: usize| if i < PAYLOAD { self.limbs[i] as u128 } else { 0 };
        let at = from / 32;
        let wide = limb(at) | limb(at + 1) << 32 | limb(at + 2) << 64;
        (wide >> (from % 32)) as u64 & ((1u64 << count) - 1)
    }

    /// Whether a bit below position `end` is set.
    fn any_below(&self, end: usize) -> bool {
        self.limbs[..end / 32].iter().any(|&l| l != 0)
            || (!end.is_multiple_of(32) && self.bits(end / 32 * 32, end % 32) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> ExactSum {
        let mut s = ExactSum::default();
        values.iter().for_each(|&v| s.deposit(v));
        s
    }

    /// xorshift64*, enough for tests.
    fn next(state: &mut u64) -> u64 {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    #[test]
    fn known_sums() {
        let tiny = f64::from_bits(1);
        for (values, expected) in [
            (vec![], 0.0),
            (vec![-0.0, -0.0], 0.0),
            (vec![1e308, -1e308, 1.0], 1.0),
            (vec![1e308, 1e308, -1e308], 1e308),
            (vec![1e308, 1e308], f64::INFINITY),
            (vec![-1e308, -1e308], f64::NEG_INFINITY),
            (vec![tiny, tiny, tiny], f64::from_bits(3)),
            (vec![f64::MIN_POSITIVE, -tiny], f64::from_bits((1 << 52) - 1)),
            (vec![1.0, f64::EPSILON / 2.0], 1.0),
            (vec![1.0 + f64::EPSILON, f64::EPSILON / 2.0], 1.0 + 2.0 * f64::EPSILON),
            (vec![1.0, f64::EPSILON / 2.0, tiny], 1.0 + f64::EPSILON),
            (vec![-1.0, -f64::EPSILON / 2.0, -tiny], -1.0 - f64::EPSILON),
            (vec![f64::MAX, f64::from_bits(0x7c90_0000_0000_0000)], f64::INFINITY),
            (vec![f64::MAX, f64::from_bits(0x7c8f_ffff_ffff_ffff)], f64::MAX),
            (vec![f64::INFINITY, 1.0], f64::INFINITY),
            (vec![f64::NEG_INFINITY, 1e308], f64::NEG_INFINITY),
            (vec![0.1; 10], 1.0),
        ] {
            assert_eq!(sum(&values).value().to_bits(), expected.to_bits(), "{values:?}");
        }
        assert_eq!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).value().to_bits(), 0x7ff8 << 48);
        assert_eq!(sum(&[-f64::NAN]).value_f32().to_bits(), 0x7fc0_0000);
    }

    #[test]
    fn f32_is_rounded_once() {
        // 1 + 2^-24 is a tie in f32; a little more must round up, although f64 cannot see it.
        let tie = 1.0 + (2f64).powi(-24);
        for (values, expected) in [
            (vec![tie], 1.0f32),
            (vec![tie, 1e-300], 1.0 + f32::EPSILON),
            (vec![tie, -1e-300], 1.0),
            (vec![1e39], f32::INFINITY),
            (vec![f32::MAX as f64, 1e30], f32::MAX),
            (vec![(2f64).powi(-150)], 0.0),
            (vec![(2f64).powi(-150), 1e-300], f32::from_bits(1)),
            (vec![(2f64).powi(-126), -(2f64).powi(-149)], f32::from_bits((1 << 23) - 1)),
            (vec![1e-300], 0.0),
        ] {
            assert_eq!(sum(&values).value_f32().to_bits(), expected.to_bits(), "{values:?}");
        }
    }

    #[test]
    fn a_single_value_comes_back() {
        let mut state = 7;
        for _ in 0..20_000 {
            let x = f64::from_bits(next(&mut state));
            if x.is_finite() {
                assert_eq!(sum(&[x]).value().to_bits(), (x + 0.0).to_bits());
                assert_eq!(sum(&[x]).value_f32().to_bits(), (x as f32 + if x == 0.0 { 0.0 } else { -0.0 }).to_bits());
            }
        }
    }

    /// Sums of values near 1 fit 128-bit integers, whose conversion to float rounds to nearest even.
    #[test]
    fn agrees_with_wide_integers() {
        let mut state = 11;
        for round in 0..2000 {
            let mut exact = 0i128;
            let mut s = ExactSum::default();
            for _ in 0..1 + round % 50 {
                let r = next(&mut state);
                let m = (r >> 11) as i64 * if r & 1 == 1 { -1 } else { 1 };
                let e = (r >> 1) as u32 % 40;
                exact += (m as i128) << e;
                s.deposit(m as f64 * (2f64).powi(e as i32));
            }
            assert_eq!(s.value(), exact as f64);
            assert_eq!(s.value_f32(), exact as f32);
        }
    }

    #[test]
    fn order_and_grouping_do_not_matter() {
        let mut state = 3;
        let mut values: Vec<f64> =
            (0..500).map(|_| f64::from_bits(next(&mut state))).filter(|v| v.is_finite()).collect();
        let mut whole = sum(&values);
        whole.normalise();
        for _ in 0..20 {
            for i in (1..values.len()).rev() {
                values.swap(i, next(&mut state) as usize % (i + 1));
            }
            let cut = next(&mut state) as usize % values.len();
            let mut parts = sum(&values[..cut]);
            parts.merge(&sum(&values[cut..]));
            assert_eq!(parts, whole);
            assert_eq!(parts.value().to_bits(), whole.value().to_bits());
        }
    }
}

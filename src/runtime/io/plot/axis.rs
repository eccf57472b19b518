//! The range of an axis, its round ticks, and their labels.

use crate::ir::format::format_value;
use crate::ir::ty::Value;

/// The least and greatest of the finite values, if there are any.
pub fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.filter(|v| v.is_finite());
    finite.fold(None, |r, v| r.map_or(Some((v, v)), |(lo, hi): (f64, f64)| Some((lo.min(v), hi.max(v)))))
}

/// Where `v` lies between `lo` (0) and `hi` (1); the middle when they are equal. Ranges beyond the largest float work.
pub fn position(v: f64, lo: f64, hi: f64) -> f64 {
    let scale = if (hi - lo).is_finite() { 1.0 } else { 0.25 };
    let span = hi * scale - lo * scale;
    if span > 0.0 { (v * scale - lo * scale) / span } else { 0.5 }
}

/// About `count` round values (1, 2 or 5 times a power of ten apart) from `lo` to `hi`, with their labels.
pub fn ticks(lo: f64, hi: f64, count: usize) -> Vec<(f64, String)> {
    let span = hi - lo;
    let step = round_step(span / count.max(1) as f64);
    if !span.is_finite() || span <= 0.0 || step <= 0.0 || !step.is_finite() {
        return vec![(lo, label(lo, 4))];
    }
    let first = (lo / step).ceil();
    let size = lo.abs().max(hi.abs());
    // Digits that tell neighbouring ticks apart.
    let digits = (exponent(size) - exponent(step) + 2).clamp(1, 15) as usize;
    let places = (0..4 * count as i64 + 4).map(|k| (first + k as f64) * step);
    // The slack admits a last tick that rounding moved beyond the end; adding zero turns -0 into 0.
    let inside = places.skip_while(|&v| v < lo - step * 1e-9).take_while(|&v| v.is_finite() && v <= hi + step * 1e-9);
    inside.map(|v| (v + 0.0, label(v + 0.0, digits))).collect()
}

/// The least step of ticks that is at least as large.
fn round_step(least: f64) -> f64 {
    let unit = power_of_ten(exponent(least));
    [1.0, 2.0, 5.0].iter().map(|m| m * unit).find(|&s| s >= least * 0.8).unwrap_or(10.0 * unit)
}

/// The exponent of the first decimal digit.
fn exponent(v: f64) -> i32 {
    format!("{v:e}").split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0)
}

/// Read from text, since the powers of the mathematics library differ between machines.
fn power_of_ten(e: i32) -> f64 {
    format!("1e{e}").parse().unwrap_or(1.0)
}

/// A number with so many significant digits, in the shorter of the two notations; whole numbers below 10^7 in full.
pub fn label(v: f64, digits: usize) -> String {
    if v == v.trunc() && v.abs() < 1e7 {
        return format!("{v:.0}");
    }
    format_value(Value::f64(v), Some(&format!(".{digits}g"))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let labels = |lo, hi| ticks(lo, hi, 5).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(labels(0.0, 99.0), ["0", "20", "40", "60", "80"]);
        assert_eq!(labels(-0.31, 0.72), ["-0.2", "0", "0.2", "0.4", "0.6"]);
        assert_eq!(labels(1e9, 1e9 + 1.0).len(), 6);
        assert_eq!(labels(3.0, 3.0), ["3"]);
        assert_eq!(labels(0.0, 19_999.0).last().map(String::as_str), Some("15000"));
        assert_eq!(labels(f64::MIN, f64::MAX).len(), 1);
        assert!(labels(0.0, 5e-324).len() < 30);
    }

    #[test]
    fn positions_of_huge_ranges_are_finite() {
        assert_eq!(position(0.0, f64::MIN, f64::MAX), 0.5);
        assert_eq!(position(5.0, 5.0, 5.0), 0.5);
    }
}

//! One dimension as a line over its index.

use super::canvas::{Canvas, Colour};
use super::{FRAME, GRID, INK, PAPER, TITLE_ROWS, Values, axis, draw_title, font};
use crate::runtime::io::IoError;

/// The plotted part, in pixels.
const WIDTH: i64 = 860;
const HEIGHT: i64 = 400;
const LABEL_GAP: i64 = 9;
/// The blue of the colour scale.
const LINE: Colour = 0x2f6c8e;
const LINE_WIDTH: f64 = 2.4;

/// Draws the chart; values that are not finite leave gaps.
pub fn draw(values: &Values, title: &str, scale: Option<(f64, f64)>) -> Result<Canvas, IoError> {
    let n = values.len();
    let own = || axis::range((0..n).map(|k| values.get(k))).map(|r| values.steady(r));
    let (lo, hi) = scale.or_else(own).unwrap_or((0.0, 1.0));
    let (lo, hi) = widened(lo, hi);
    let value_ticks = axis::ticks(lo, hi, 5);
    let index_ticks = axis::ticks(0.0, (n - 1) as f64, (n - 1).clamp(1, if n > 100_000 { 4 } else { 8 }));
    let widest = value_ticks.iter().map(|t| font::text_width(&t.1)).max().unwrap_or(0);
    let left = widest + LABEL_GAP + 20;
    let mut canvas = Canvas::new(left + WIDTH + 36, TITLE_ROWS + HEIGHT + 40, PAPER);

    let last = (n - 1).max(1) as f64;
    let x_of = |k: f64| left as f64 + (if n == 1 { 0.5 } else { 0.02 + 0.96 * k / last }) * WIDTH as f64;
    let y_of = |v: f64| TITLE_ROWS as f64 + (1.0 - axis::position(v, lo, hi)) * HEIGHT as f64;
    for (v, label) in &value_ticks {
        let y = y_of(*v) as i64;
        canvas.rect(left, y.min(TITLE_ROWS + HEIGHT - 1), WIDTH, 1, GRID);
        canvas.text(left - LABEL_GAP - font::text_width(label), y - font::HEIGHT / 2, label, INK);
    }
    for (k, label) in &index_ticks {
        let x = x_of(*k) as i64;
        canvas.rect(x, TITLE_ROWS, 1, HEIGHT, GRID);
        canvas.rect(x, TITLE_ROWS + HEIGHT + 1, 1, 5, FRAME);
        canvas.text(x - font::text_width(label) / 2, TITLE_ROWS + HEIGHT + 12, label, INK);
    }
    let finite = |k: usize| Some(values.get(k)).filter(|v| v.is_finite());
    let points: Vec<_> = samples(n)
        .flat_map(|part| extremes(part, &finite))
        .map(|(k, v)| v.map(|v| (x_of(k as f64), y_of(v))))
        .collect();
    canvas.polyline(&points, LINE_WIDTH, (left, TITLE_ROWS, WIDTH, HEIGHT), LINE);
    canvas.frame(left, TITLE_ROWS, WIDTH, HEIGHT, FRAME);
    draw_title(&mut canvas, title, left, WIDTH);
    Ok(canvas)
}

/// A margin above and below, also around a constant.
fn widened(lo: f64, hi: f64) -> (f64, f64) {
    let margin = match hi - lo {
        span if span > 0.0 => span * 0.05,
        _ if lo == 0.0 => 1.0,
        _ => lo.abs() * 0.1,
    };
    if (hi + margin).is_finite() && (lo - margin).is_finite() { (lo - margin, hi + margin) } else { (lo, hi) }
}

/// The indices that share a column of pixels.
fn samples(n: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let parts = n.min(WIDTH as usize);
    let cut = move |p: usize| (p as u128 * n as u128 / parts as u128) as usize;
    (0..parts).map(move |p| cut(p)..cut(p + 1))
}

/// The first, least, greatest and last value of a column, so that no spike is lost; just the value where it is alone.
fn extremes(part: std::ops::Range<usize>, value: &dyn Fn(usize) -> Option<f64>) -> Vec<(usize, Option<f64>)> {
    let (first, last) = (part.start, part.end - 1);
    if first == last {
        return vec![(first, value(first))];
    }
    match axis::range(part.filter_map(value)) {
        None => vec![(first, None)],
        Some((lo, hi)) => vec![(first, value(first)), (first, Some(lo)), (first, Some(hi)), (last, value(last))],
    }
}

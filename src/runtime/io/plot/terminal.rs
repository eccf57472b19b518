//! Arrays as text for a terminal: half blocks in the colours of the scale, or shades where colours are not wanted; a curve as bars.

use super::{Values, axis, colour};
use std::fmt::Write;

/// Columns of a picture, and rows of a curve.
const COLUMNS: i64 = 72;
const ROWS: i64 = 10;
/// From least to greatest, where there are no colours.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
/// Eighths of a cell, from below.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The array with a line of its name and range above it.
pub fn draw(values: &Values, shape: &[i64], title: &str, coloured: bool) -> String {
    let range = axis::range((0..values.len()).map(|k| values.get(k))).map(|r| values.steady(r));
    let (lo, hi) = range.unwrap_or((f64::NAN, f64::NAN));
    let span = if lo == hi { axis::label(lo, 6) } else { format!("{} to {}", axis::label(lo, 6), axis::label(hi, 6)) };
    let mut out = format!("{title}: {span}\n");
    match *shape {
        [n] => curve(values, n, (lo, hi), &mut out),
        [rows, columns] => field(values, (rows, columns), (lo, hi), coloured, &mut out),
        _ => {}
    }
    out
}

/// The mean of the finite elements of a box; NaN where there are none.
fn mean(values: &Values, rows: std::ops::Range<i64>, columns: std::ops::Range<i64>, width: i64) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for r in rows {
        for c in columns.clone() {
            let v = values.get((r * width + c) as usize);
            if v.is_finite() {
                (sum, count) = (sum + v, count + 1.0);
            }
        }
    }
    sum / count
}

/// The indices of `n` that cell `k` of `cells` stands for, at least one.
fn run(k: i64, cells: i64, n: i64) -> std::ops::Range<i64> {
    let start = k * n / cells;
    start..((k + 1) * n / cells).max(start + 1)
}

fn field(values: &Values, (rows, columns): (i64, i64), (lo, hi): (f64, f64), coloured: bool, out: &mut String) {
    // Cells are square: a character holds two, one above the other.
    let zoom = (COLUMNS / columns.max(rows)).clamp(1, 4);
    let across = (columns * zoom).min(COLUMNS);
    let down = (rows * across / columns).clamp(1, COLUMNS);
    let cell = |y: i64, x: i64| {
        let v = mean(values, run(y, down, rows), run(x, across, columns), columns);
        if v.is_nan() { v } else { axis::position(v, lo, hi) }
    };
    for y in (0..down).step_by(2) {
        for x in 0..across {
            let (upper, lower) = (cell(y, x), if y + 1 < down { Some(cell(y + 1, x)) } else { None });
            if coloured {
                let rgb = |t: f64| {
                    let c = colour(t);
                    format!("{};{};{}", c >> 16, c >> 8 & 255, c & 255)
                };
                let below = lower.map_or(String::new(), |t| format!("\x1b[48;2;{}m", rgb(t)));
                let _ = write!(out, "\x1b[38;2;{}m{below}▀\x1b[0m", rgb(upper));
            } else {
                let t = lower.map_or(upper, |l| (upper + l) / 2.0);
                out.push(if t.is_nan() { '?' } else { SHADES[(t * 4.0).round() as usize] });
            }
        }
        out.push('\n');
    }
}

fn curve(values: &Values, n: i64, (lo, hi): (f64, f64), out: &mut String) {
    let across = n.min(COLUMNS);
    let eighths: Vec<i64> = (0..across)
        .map(|x| mean(values, 0..1, run(x, across, n), n))
        .map(|v| if v.is_nan() { 0 } else { 1 + (axis::position(v, lo, hi) * (8 * ROWS - 1) as f64).round() as i64 })
        .collect();
    for row in (0..ROWS).rev() {
        let line: String = eighths.iter().map(|e| BARS[(e - 8 * row).clamp(0, 8) as usize]).collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

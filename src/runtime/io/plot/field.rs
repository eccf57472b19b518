//! Two dimensions as a field of colours, with a scale beside it.

use super::canvas::Canvas;
use super::{FRAME, INK, NAN, PAPER, TITLE_ROWS, Values, axis, draw_title, font, viridis};
use crate::runtime::io::IoError;

/// Larger sides are averaged down to this.
const LARGEST: i64 = 1024;
/// Smaller pictures are enlarged until their longer side has this.
const SMALLEST: i64 = 512;
/// No side is drawn smaller.
const THINNEST: i64 = 64;
/// The width of the colour scale, and the gap before it and its labels.
const SCALE: i64 = 22;
const GAP: i64 = 22;
const LABEL_GAP: i64 = 9;

/// Draws the field, the first row on top.
pub fn draw(
    values: &Values,
    rows: i64,
    columns: i64,
    title: &str,
    scale: Option<(f64, f64)>,
) -> Result<Canvas, IoError> {
    let grid = Grid::new(values, rows, columns);
    let own = || axis::range(grid.cells.iter().copied()).map(|r| values.steady(r));
    let (lo, hi) = scale.or_else(own).unwrap_or((f64::NAN, f64::NAN));
    let (width, height) = (grid.columns * grid.zoom.1, grid.rows * grid.zoom.0);
    let row_ticks = axis::ticks(0.0, (rows - 1) as f64, (height / 90).max(2) as usize);
    let column_ticks = axis::ticks(0.0, (columns - 1) as f64, (width / 110).max(2) as usize);
    let marks = scale_marks(lo, hi);

    let widest = |labels: &mut dyn Iterator<Item = &str>| labels.map(font::text_width).max().unwrap_or(0);
    let left = widest(&mut row_ticks.iter().map(|t| t.1.as_str())) + LABEL_GAP + 20;
    let right = GAP + SCALE + LABEL_GAP + widest(&mut marks.iter().map(|m| m.1.as_str())) + 16;
    let mut canvas = Canvas::new(left + width + right, TITLE_ROWS + height + 40, PAPER);
    for y in 0..height {
        for x in 0..width {
            let v = grid.cells[(y / grid.zoom.0 * grid.columns + x / grid.zoom.1) as usize];
            let colour = if v.is_nan() { NAN } else { viridis::colour(axis::position(v, lo, hi)) };
            canvas.set(left + x, TITLE_ROWS + y, colour);
        }
    }
    canvas.frame(left, TITLE_ROWS, width, height, FRAME);
    // A tick points at the middle of its row or column.
    let place = |index: f64, extent: i64, pixels: i64| ((index + 0.5) * pixels as f64 / extent as f64) as i64;
    for (row, label) in row_ticks {
        let y = TITLE_ROWS + place(row, rows, height);
        canvas.rect(left - 6, y, 5, 1, FRAME);
        canvas.text(left - LABEL_GAP - font::text_width(&label), y - font::HEIGHT / 2, &label, INK);
    }
    for (column, label) in column_ticks {
        let x = left + place(column, columns, width);
        canvas.rect(x, TITLE_ROWS + height + 1, 1, 5, FRAME);
        canvas.text(x - font::text_width(&label) / 2, TITLE_ROWS + height + 12, &label, INK);
    }
    let bar = left + width + GAP;
    for y in 0..height {
        let t = 1.0 - y as f64 / (height - 1).max(1) as f64;
        canvas.rect(bar, TITLE_ROWS + y, SCALE, 1, viridis::colour(t));
    }
    canvas.frame(bar, TITLE_ROWS, SCALE, height, FRAME);
    for (t, label) in marks {
        let y = TITLE_ROWS + ((1.0 - t) * (height - 1) as f64).round() as i64;
        canvas.rect(bar + SCALE + 1, y, 4, 1, FRAME);
        let top = (y - font::HEIGHT / 2).clamp(TITLE_ROWS, TITLE_ROWS + height - font::HEIGHT);
        canvas.text(bar + SCALE + LABEL_GAP, top, &label, INK);
    }
    draw_title(&mut canvas, title, left, width);
    Ok(canvas)
}

/// Places on the colour scale (0 below, 1 on top) and their labels: the ends and the middle, or the only value.
fn scale_marks(lo: f64, hi: f64) -> Vec<(f64, String)> {
    if lo.is_nan() {
        return vec![(0.5, "nan".into())];
    }
    if lo == hi {
        return vec![(0.5, axis::label(lo, 6))];
    }
    let middle = lo * 0.5 + hi * 0.5;
    // More digits where the values differ by little.
    let labels = |digits| [(0.0, lo), (0.5, middle), (1.0, hi)].map(|(t, v)| (t, axis::label(v, digits)));
    let apart = |l: &[(f64, String); 3]| l[0].1 != l[1].1 && l[1].1 != l[2].1;
    (4..=17).map(labels).find(apart).unwrap_or_else(|| labels(17)).into()
}

/// The array at the resolution in which it is drawn.
struct Grid {
    rows: i64,
    columns: i64,
    cells: Vec<f64>,
    /// Pixels of a cell, down and across.
    zoom: (i64, i64),
}

impl Grid {
    fn new(values: &Values, rows: i64, columns: i64) -> Grid {
        let longer = rows.max(columns);
        let shrink = ceil_div(longer, LARGEST);
        // A long thin array keeps what it has across.
        let keep = |n: i64| shrink.min((n / THINNEST).max(1));
        let (down, across) = (keep(rows), keep(columns));
        let grow = if shrink > 1 { 1 } else { ceil_div(SMALLEST, longer) };
        let (rows_out, columns_out) = (ceil_div(rows, down), ceil_div(columns, across));
        let zoom = |n: i64| grow.max(ceil_div(THINNEST, n));
        let mut cells = Vec::with_capacity((rows_out * columns_out) as usize);
        for r in 0..rows_out {
            for c in 0..columns_out {
                let (mut sum, mut count) = (0.0, 0);
                for i in r * down..((r + 1) * down).min(rows) {
                    for j in c * across..((c + 1) * across).min(columns) {
                        let v = values.get((i * columns + j) as usize);
                        if !v.is_nan() {
                            sum += v;
                            count += 1;
                        }
                    }
                }
                // Alone, a value stays as it is; an average leaves out NaN.
                cells.push(if count == 1 { sum } else { sum / count as f64 });
            }
        }
        Grid { rows: rows_out, columns: columns_out, cells, zoom: (zoom(rows_out), zoom(columns_out)) }
    }
}

/// `a / b`, rounded up, of positive numbers.
fn ceil_div(a: i64, b: i64) -> i64 {
    (a + b - 1) / b
}

//! Arrays as pictures: a chart of one dimension, a field of colours of two, the middle plane of three.

mod axis;
mod canvas;
mod chart;
mod field;
mod font;
mod terminal;
mod viridis;

use super::IoError;
use crate::ir::ty::{Ty, Value};
use canvas::{Canvas, Colour};

/// The paper, the ink of titles and labels, the ink of frames, and of the lines behind a chart.
const PAPER: Colour = 0xffffff;
const INK: Colour = 0x2b2b2b;
const FRAME: Colour = 0x8a8a8a;
const GRID: Colour = 0xe4e4e4;
/// The colour of NaN, which viridis does not contain.
const NAN: Colour = 0xb4b4b4;
/// The rows above a picture that its title takes.
const TITLE_ROWS: i64 = 44;

/// Draws a row-major array as a PNG file; the same array gives the same bytes on every machine.
pub fn plot_png(ty: Ty, shape: &[i64], data: &[u8], title: &str) -> Result<Vec<u8>, IoError> {
    drawn(ty, shape, data, title, None)?.png()
}

/// Draws arrays of one shape as the frames of an animated PNG file, all on one scale.
pub fn animated_png(ty: Ty, shape: &[i64], frames: &[Vec<u8>], title: &str) -> Result<Vec<u8>, IoError> {
    let all = frames.iter().map(|data| Values { ty, data });
    let scale = axis::range(all.flat_map(|v| (0..v.len()).map(move |k| v.get(k)))).unwrap_or((0.0, 0.0));
    let drawn: Result<Vec<Canvas>, IoError> =
        frames.iter().map(|data| drawn(ty, shape, data, title, Some(scale))).collect();
    canvas::animated_png(&drawn?)
}

/// A picture of an array; `scale`: the least and greatest value, else the array's own.
fn drawn(ty: Ty, shape: &[i64], data: &[u8], title: &str, scale: Option<(f64, f64)>) -> Result<Canvas, IoError> {
    let elements = shape.iter().try_fold(1i64, |n, &d| n.checked_mul(d.max(0)));
    if elements.and_then(|n| (n as usize).checked_mul(ty.size())) != Some(data.len()) {
        return Err(IoError::new(format!("cannot plot {ty}{shape:?}: it comes with {} bytes", data.len())));
    }
    if data.is_empty() {
        return Err(IoError::new(format!("cannot plot {ty}{shape:?}: it has no elements")));
    }
    let values = Values { ty, data };
    match *shape {
        [_] => chart::draw(&values, title, scale),
        [rows, columns] => field::draw(&values, rows, columns, title, scale),
        [planes, rows, columns] => {
            let (middle, plane) = (planes / 2, (rows * columns) as usize * ty.size());
            let values = Values { ty, data: &data[middle as usize * plane..][..plane] };
            field::draw(&values, rows, columns, &format!("{title} [{middle}, :, :]"), scale)
        }
        _ => Err(IoError::new(format!("cannot plot {ty}{shape:?}: it has {} dimensions", shape.len()))
            .help("plot takes arrays of 1, 2 or 3 dimensions; copy a part into a smaller array first")),
    }
}

/// An array of one or two dimensions as text for a terminal, of three the middle plane; nothing for others.
pub fn plot_text(ty: Ty, shape: &[i64], data: &[u8], title: &str, coloured: bool) -> String {
    let values = Values { ty, data };
    match *shape {
        _ if data.is_empty() => String::new(),
        [_] | [_, _] => terminal::draw(&values, shape, title, coloured),
        [planes, rows, columns] => {
            let (middle, plane) = (planes / 2, (rows * columns) as usize * ty.size());
            let values = Values { ty, data: &data[middle as usize * plane..][..plane] };
            terminal::draw(&values, &[rows, columns], &format!("{title} [{middle}, :, :]"), coloured)
        }
        _ => String::new(),
    }
}

/// The colour (0xRRGGBB) of `t` from 0 to 1, grey for NaN: viridis, which colour-blind eyes can read.
pub fn colour(t: f64) -> u32 {
    if t.is_nan() { NAN } else { viridis::colour(t) }
}

/// The elements of an array, read as `f64`.
struct Values<'a> {
    ty: Ty,
    data: &'a [u8],
}

impl Values<'_> {
    fn len(&self) -> usize {
        self.data.len() / self.ty.size()
    }

    /// The range of an axis, as one number where it is no wider than rounding.
    fn steady(&self, (lo, hi): (f64, f64)) -> (f64, f64) {
        let rounding = match self.ty {
            Ty::F64 => f64::EPSILON,
            Ty::F32 => f32::EPSILON as f64,
            _ => return (lo, hi),
        };
        if hi - lo <= 8.0 * rounding * lo.abs().max(hi.abs()) { (hi, hi) } else { (lo, hi) }
    }

    /// The element at a place, NaN beyond the end.
    fn get(&self, k: usize) -> f64 {
        let size = self.ty.size();
        let Some(source) = self.data.get(k * size..(k + 1) * size) else { return f64::NAN };
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(source);
        Value { ty: self.ty, bits: u64::from_le_bytes(bytes) }.as_f64()
    }
}

/// Draws the title centred over a part of the picture, shortened to fit.
fn draw_title(canvas: &mut Canvas, title: &str, x: i64, width: i64) {
    let most = (width / font::ADVANCE).max(4) as usize;
    let text: String = match title.chars().count() {
        n if n > most => title.chars().take(most - 3).chain("...".chars()).collect(),
        _ => title.into(),
    };
    canvas.text((x + (width - font::text_width(&text)) / 2).max(2), (TITLE_ROWS - font::HEIGHT) / 2, &text, INK);
}

#[cfg(test)]
mod tests;

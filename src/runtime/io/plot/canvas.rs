//! A picture under construction: rectangles, text and smooth lines on RGB pixels, encoded as PNG.

use super::font;
use crate::runtime::io::IoError;

/// Red, green and blue in one number, `0xrrggbb`.
pub type Colour = u32;

/// An RGB picture; what falls outside it is not drawn.
pub struct Canvas {
    pub width: i64,
    pub height: i64,
    pixels: Vec<u8>,
}

impl Canvas {
    /// A picture filled with one colour.
    pub fn new(width: i64, height: i64, fill: Colour) -> Canvas {
        let bytes = [(fill >> 16) as u8, (fill >> 8) as u8, fill as u8];
        Canvas { width, height, pixels: bytes.repeat((width * height) as usize) }
    }

    fn at(&mut self, x: i64, y: i64) -> Option<&mut [u8]> {
        let inside = (0..self.width).contains(&x) && (0..self.height).contains(&y);
        if inside { self.pixels.get_mut((y * self.width + x) as usize * 3..)?.get_mut(..3) } else { None }
    }

    pub fn set(&mut self, x: i64, y: i64, colour: Colour) {
        if let Some(p) = self.at(x, y) {
            p.copy_from_slice(&[(colour >> 16) as u8, (colour >> 8) as u8, colour as u8]);
        }
    }

    /// Mixes a colour in; `cover` is from 0 to 1.
    pub fn blend(&mut self, x: i64, y: i64, colour: Colour, cover: f64) {
        if let Some(p) = self.at(x, y) {
            for (k, old) in p.iter_mut().enumerate() {
                let new = (colour >> (16 - 8 * k)) as u8;
                *old = (*old as f64 + (new as f64 - *old as f64) * cover).round() as u8;
            }
        }
    }

    pub fn rect(&mut self, x: i64, y: i64, width: i64, height: i64, colour: Colour) {
        for row in y..y + height {
            for column in x..x + width {
                self.set(column, row, colour);
            }
        }
    }

    /// A frame one pixel wide just outside the rectangle.
    pub fn frame(&mut self, x: i64, y: i64, width: i64, height: i64, colour: Colour) {
        self.rect(x - 1, y - 1, width + 2, 1, colour);
        self.rect(x - 1, y + height, width + 2, 1, colour);
        self.rect(x - 1, y - 1, 1, height + 2, colour);
        self.rect(x + width, y - 1, 1, height + 2, colour);
    }

    /// Text with its upper left corner at a place.
    pub fn text(&mut self, x: i64, y: i64, text: &str, colour: Colour) {
        for (k, c) in text.chars().enumerate() {
            let glyph = font::glyph(c);
            for (row, bits) in glyph.iter().enumerate() {
                for column in (0..font::WIDTH).filter(|c| bits >> c & 1 == 1) {
                    self.set(x + k as i64 * font::ADVANCE + column, y + row as i64, colour);
                }
            }
        }
    }

    /// A smooth line through the points, in pixels; a missing point interrupts it. Clipped to a rectangle.
    pub fn polyline(&mut self, points: &[Option<(f64, f64)>], width: f64, clip: (i64, i64, i64, i64), colour: Colour) {
        let (left, top, clip_width, clip_height) = clip;
        let mut mask = vec![0f32; (clip_width * clip_height) as usize];
        let reach = width / 2.0 + 0.5;
        for (k, point) in points.iter().enumerate() {
            let Some(a) = *point else { continue };
            // A point alone is a dot.
            let b = points.get(k + 1).copied().flatten().unwrap_or(a);
            let span = |a: f64, b: f64, low: i64, size: i64| {
                let first = (a.min(b) - reach).floor().max(low as f64) as i64;
                let last = (a.max(b) + reach).ceil().min((low + size - 1) as f64) as i64;
                first..=last
            };
            for y in span(a.1, b.1, top, clip_height) {
                for x in span(a.0, b.0, left, clip_width) {
                    let cover = (reach - distance((x as f64 + 0.5, y as f64 + 0.5), a, b)).clamp(0.0, 1.0) as f32;
                    if let Some(m) = mask.get_mut(((y - top) * clip_width + x - left) as usize) {
                        *m = m.max(cover);
                    }
                }
            }
        }
        for (k, cover) in mask.iter().enumerate().filter(|m| *m.1 > 0.0) {
            let (x, y) = (left + k as i64 % clip_width, top + k as i64 / clip_width);
            self.blend(x, y, colour, *cover as f64);
        }
    }

    /// The picture as a PNG file.
    pub fn png(&self) -> Result<Vec<u8>, IoError> {
        let mut out = vec![];
        let failed = |e: png::EncodingError| IoError::new(format!("cannot encode the picture: {e}"));
        let mut encoder = png::Encoder::new(&mut out, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&self.pixels).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(out)
    }
}

/// Pictures of one size as the frames of an animated PNG file, ten a second, repeated for ever.
pub fn animated_png(frames: &[Canvas]) -> Result<Vec<u8>, IoError> {
    let mut out = vec![];
    let failed = |e: png::EncodingError| IoError::new(format!("cannot encode the animation: {e}"));
    let Some(first) = frames.first() else { return Err(IoError::new("an animation without frames")) };
    let mut encoder = png::Encoder::new(&mut out, first.width as u32, first.height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(frames.len() as u32, 0).map_err(failed)?;
    encoder.set_frame_delay(1, 10).map_err(failed)?;
    let mut writer = encoder.write_header().map_err(failed)?;
    for frame in frames {
        writer.write_image_data(&frame.pixels).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    Ok(out)
}

/// The distance of a point from the segment `a` to `b`.
fn distance(p: (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx * dx + dy * dy;
    let t = if length > 0.0 { (((p.0 - a.0) * dx + (p.1 - a.1) * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    let (x, y) = (a.0 + t * dx - p.0, a.1 + t * dy - p.1);
    (x * x + y * y).sqrt()
}

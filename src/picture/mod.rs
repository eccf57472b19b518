//! The plan as pictures: a page that steps through it, and a figure for slides. Everything is drawn here, as SVG; the page's script
//! only shows and hides.

mod draw;
mod figure;
mod frames;
mod page;
mod palette;
mod stage;

pub use figure::figure;
pub use page::page;

/// The most ranks that a picture shows; more would be dots.
pub const MOST_RANKS: i64 = 64;

/// A text for HTML and SVG.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            c => out.push(c),
        }
    }
    out
}

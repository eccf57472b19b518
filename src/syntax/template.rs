//! Strings with `{expr:format}` holes: the text is cut at its braces, and what a hole holds is parsed on its own.

use pest::iterators::Pair;

use super::ast::*;
use super::build::Builder;
use super::build_expr::kids;
use super::explain;
use super::grammar::{Rule, run};
use super::lines::MAX_NESTING;
use crate::diag::Diagnostic;
use crate::source::Span;

/// A part of a raw string: bytes `start..end` of it.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(usize, usize),
    Hole(usize, usize),
    /// A `{` without its `}`.
    Open(usize),
    /// A `}` without its `{`.
    Close(usize),
    /// Brackets nested too deep.
    Deep(usize),
}

/// Cuts the inside of a string at its holes; `{{` and `}}` stay in the text.
fn cut(raw: &str) -> Vec<Piece> {
    let bytes = raw.as_bytes();
    let mut out = Vec::new();
    let (mut i, mut text) = (0, 0);
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b @ (b'{' | b'}') if bytes.get(i + 1) == Some(&b) => i += 2,
            b'{' => {
                out.push(Piece::Text(text, i));
                let (end, piece) = hole_end(bytes, i);
                out.push(piece);
                i = end;
                text = end;
            }
            b'}' => {
                out.push(Piece::Text(text, i));
                out.push(Piece::Close(i));
                i += 1;
                text = i;
            }
            _ => i += 1,
        }
    }
    out.push(Piece::Text(text.min(bytes.len()), bytes.len()));
    out.retain(|p| !matches!(p, Piece::Text(a, b) if a == b));
    out
}

/// The end of the hole that opens at `open`, and the piece it makes.
fn hole_end(bytes: &[u8], open: usize) -> (usize, Piece) {
    let (mut depth, mut format) = (0usize, false);
    for (i, b) in bytes.iter().enumerate().skip(open + 1) {
        match b {
            b'}' if depth == 0 || format => return (i + 1, Piece::Hole(open + 1, i)),
            b':' if depth == 0 => format = true,
            b'(' | b'[' | b'{' => {
                depth += 1;
                if depth > MAX_NESTING {
                    return (bytes.len(), Piece::Deep(i));
                }
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    (bytes.len(), Piece::Open(open))
}

impl Builder<'_> {
    /// A `string` pair with holes.
    pub fn template(&mut self, pair: &Pair<'_, Rule>) -> Template {
        let span = self.span(pair);
        let raw = pair.as_str().get(1..pair.as_str().len().saturating_sub(1)).unwrap_or("");
        let at = span.start as usize + 1;
        let mut parts = Vec::new();
        for piece in cut(raw) {
            match piece {
                Piece::Text(a, b) => {
                    let text = self.unescape(raw.get(a..b).unwrap_or(""), at + a);
                    parts.push(TemplatePart::Text(text.replace("{{", "{").replace("}}", "}")));
                }
                Piece::Hole(a, b) => parts.extend(self.hole(raw.get(a..b).unwrap_or(""), at + a)),
                Piece::Open(a) => {
                    let span = Span::new(self.file(), at + a, at + a + 1);
                    let d = Diagnostic::error("E0104", "this `{` in the text is never closed", span, "opened here");
                    self.error(d.help("write `{expr}` for a value, `{{` for a brace"));
                }
                Piece::Close(a) => {
                    let span = Span::new(self.file(), at + a, at + a + 1);
                    let d = Diagnostic::error("E0107", "this `}` in the text closes nothing", span, "no `{` before it");
                    self.error(d.help("write `}}` for a brace"));
                }
                Piece::Deep(a) => {
                    let span = Span::new(self.file(), at + a, at + a + 1);
                    let message = format!("brackets are nested more than {MAX_NESTING} deep");
                    self.error(Diagnostic::error("E0110", message, span, "this one is too deep"));
                }
            }
        }
        Template { parts, span }
    }

    /// What stands between the braces of a hole.
    fn hole(&mut self, raw: &str, at: usize) -> Option<TemplatePart> {
        let span = Span::new(self.file(), at.saturating_sub(1), at + raw.len() + 1);
        if raw.trim().is_empty() {
            let d = Diagnostic::error("E0106", "this hole in the text is empty", span, "an expression belongs here");
            self.error(d.help("write `{expr}`, or `{{}}` for the braces themselves"));
            return None;
        }
        let before = self.sink().items.len();
        let file = self.file();
        let code = raw.get(..raw.find(':').unwrap_or(raw.len())).unwrap_or(raw);
        let toks = super::scan::scan(file, at, code, self.sink());
        if self.sink().items.len() > before {
            self.bad = true;
            return None;
        }
        let pairs = match run(Rule::one_hole, raw) {
            Ok(pairs) => pairs,
            Err(e) => {
                let text = explain::Place {
                    file,
                    origin: at,
                    text: raw,
                    toks: &toks,
                    soft: &vec![false; toks.len()],
                    base: 0,
                    unpaired: Vec::new(),
                };
                self.error(explain::explain(&e, &text));
                return None;
            }
        };
        let outer = std::mem::replace(&mut self.base, at);
        if let Some((format, _)) = raw.split_once(':').and_then(|(_, f)| f.split_once(" for ")) {
            let from = at + raw.find(" for ").unwrap_or(0) + 1;
            let span = Span::new(file, from, from + "for".len());
            let d = Diagnostic::error("E0106", "a format stands at the end of its hole", span, "not part of a format");
            self.error(d.help(format!("write `{{… for k in a..b:{format}}}`")));
        }
        let part = pairs.flat_map(kids).find(|p| p.as_rule() == Rule::hole).map(|p| self.hole_parts(p, span));
        self.base = outer;
        part
    }

    fn hole_parts(&mut self, pair: Pair<'_, Rule>, span: Span) -> TemplatePart {
        let mut kids = kids(pair);
        let value = self.next_expr(&mut kids, span);
        let (mut over, mut format) = (None, None);
        for p in kids {
            match p.as_rule() {
                Rule::hole_for => over = self.binders(super::build_expr::kids(p)).pop(),
                _ => format = p.into_inner().next().map(|f| f.as_str().trim_end().to_string()),
            }
        }
        TemplatePart::Hole { value, over, format, span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_cut_out() {
        use Piece::*;
        assert_eq!(cut("a {b} c"), [Text(0, 2), Hole(3, 4), Text(5, 7)]);
        assert_eq!(cut("{{x}}"), [Text(0, 5)]);
        assert_eq!(cut("{f({ 1 }):3}"), [Hole(1, 11)]);
        assert_eq!(cut("a {b"), [Text(0, 2), Open(2)]);
        assert_eq!(cut("b}"), [Text(0, 1), Close(1)]);
    }
}

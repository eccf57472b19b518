//! A failed parse to a diagnostic: what was expected, in words, at the place where it was, with what to write instead.

use pest::error::{Error, ErrorVariant, InputLocation};

use super::expected::{Expected, expected_words};
use super::grammar::Rule;
use super::hints::hint;
use super::scan::{Kind, Tok};
use crate::diag::Diagnostic;
use crate::source::{FileId, Span};

/// Where a text given to pest stands.
pub(super) struct Place<'a> {
    pub file: FileId,
    /// Where byte 0 of `text` stands in the file.
    pub origin: usize,
    /// The text that the tokens count in.
    pub text: &'a str,
    /// The tokens of the text given to pest.
    pub toks: &'a [Tok],
    /// For each token, a newline that does not end a statement.
    pub soft: &'a [bool],
    /// Where the text given to pest starts in `text`.
    pub base: usize,
    /// Brackets without a partner, by their place among `toks`.
    pub unpaired: Vec<usize>,
}

/// A place where parsing stopped, seen from the tokens.
pub(super) struct Stop<'a> {
    pub place: &'a Place<'a>,
    /// Where parsing stopped, in `place.text`.
    pub at: usize,
    /// The token of code where it stopped, unless the line ended there.
    pub found: Option<Tok>,
    /// The token of code before.
    pub before: Option<Tok>,
    /// The next token of code, on this line or a later one.
    pub next: Option<Tok>,
    /// The first token of the statement.
    pub first: Option<Tok>,
    /// The brackets open there, outermost first.
    pub open: Vec<Tok>,
    pub expected: Expected,
}

impl<'a> Stop<'a> {
    /// A token's text.
    pub fn word(&self, tok: Option<Tok>) -> &'a str {
        tok.map_or("", |t| t.text(self.place.text))
    }

    /// A token's place in the file.
    pub fn span(&self, t: Tok) -> Span {
        Span::new(self.place.file, self.place.origin + t.start, self.place.origin + t.end)
    }
}

/// Where a failed parse stopped, in the coordinates of `place.text`.
pub(super) fn stop_at(e: &Error<Rule>, place: &Place<'_>) -> usize {
    place.base
        + match e.location {
            InputLocation::Pos(p) => p,
            InputLocation::Span((p, _)) => p,
        }
}

/// Describes a failed parse.
pub(super) fn explain(e: &Error<Rule>, place: &Place<'_>) -> Diagnostic {
    let at = stop_at(e, place);
    let ErrorVariant::ParsingError { positives, .. } = &e.variant else {
        let span = Span::new(place.file, place.origin + place.base, place.origin + place.base + 1);
        let d = Diagnostic::error("E0110", "this is too involved to be read", span, "starts here");
        return d.help("split it into several statements");
    };
    let stop = look(at, place, expected_words(positives));
    if let Some(d) = hint(&stop) {
        return d;
    }
    generic(&stop)
}

/// What stands around byte `at`.
fn look<'a>(at: usize, place: &'a Place<'a>, expected: Expected) -> Stop<'a> {
    let (mut before, mut first, mut found, mut next) = (None, None, None, None);
    let mut open: Vec<Tok> = Vec::new();
    let mut firsts: Vec<Option<Tok>> = Vec::new();
    let mut opened: Vec<usize> = Vec::new();
    let (mut ended, mut new_line) = (false, false);
    for (i, (t, soft)) in place.toks.iter().zip(place.soft).enumerate() {
        let hard = t.kind == Kind::Semi || t.kind == Kind::Newline && !soft;
        new_line |= t.kind == Kind::Newline;
        if t.end > at && t.kind == Kind::Semi {
            ended = true;
        } else if t.end > at || t.start >= at {
            if hard {
                ended = true;
            } else if t.is_code() {
                next = Some(*t);
                // In a bracket that is never closed, the line's end is where it should have been.
                ended |= new_line && opened.last().is_some_and(|o| place.unpaired.binary_search(o).is_ok());
                found = (!ended).then_some(*t);
                break;
            }
            continue;
        }
        if hard {
            first = None;
        } else if t.is_code() {
            first = first.or(Some(*t));
            before = Some(*t);
            new_line = false;
            match t.kind {
                Kind::Open => {
                    open.push(*t);
                    opened.push(i);
                    firsts.push(first);
                    if t.text(place.text) == "{" {
                        first = None;
                    }
                }
                Kind::Close => {
                    open.pop();
                    opened.pop();
                    first = firsts.pop().unwrap_or(first);
                }
                _ => {}
            }
        }
    }
    Stop { place, at, found, before, next, first: first.or(found), open, expected }
}

/// What a token is called in a message.
pub(super) fn describe(stop: &Stop<'_>) -> String {
    match (stop.found, stop.next) {
        (Some(t), _) => {
            let text = t.text(stop.place.text);
            match t.kind {
                Kind::Str => "a text".to_string(),
                Kind::Number if text.len() < 40 => format!("the number `{text}`"),
                _ if text.len() < 60 => format!("`{text}`"),
                _ => "something else".to_string(),
            }
        }
        (None, Some(_)) => "the end of the line".to_string(),
        (None, None) => "the end".to_string(),
    }
}

/// `expected A, B or C, found D`
pub(super) fn generic(stop: &Stop<'_>) -> Diagnostic {
    let wanted = stop.expected.sentence();
    let message = if wanted.is_empty() {
        format!("unexpected {}", describe(stop))
    } else {
        format!("expected {wanted}, found {}", describe(stop))
    };
    let mut d = match (stop.found, stop.before) {
        (Some(t), _) => Diagnostic::error("E0106", message, stop.span(t), label(&wanted, "here")),
        (None, Some(t)) => Diagnostic::error("E0106", message, stop.span(t), label(&wanted, "after this")),
        (None, None) => {
            let at = stop.place.origin + stop.at;
            Diagnostic::error("E0106", message, Span::new(stop.place.file, at, at), label(&wanted, "here"))
        }
    };
    if let Some(open) = stop.open.last()
        && (stop.found.is_none() || open.text(stop.place.text) != "{")
        && stop.expected.closes(open.text(stop.place.text))
    {
        let text = open.text(stop.place.text);
        if d.labels.first().is_none_or(|l| l.0 != stop.span(*open)) {
            d = d.label(stop.span(*open), format!("this `{text}` is still open"));
        }
    }
    d
}

fn label(wanted: &str, place: &str) -> String {
    if wanted.is_empty() || wanted.len() > 40 {
        format!("not expected {place}")
    } else {
        format!("expected {wanted} {place}")
    }
}

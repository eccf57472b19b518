//! Which tokens of a line have a blank between them.

use super::scan::{Kind, Tok};

/// Words with a meaning of their own where they stand before a bracket with a blank, names where they do not.
const SOFT: &[&str] = &[
    "by",
    "to",
    "over",
    "edge",
    "with",
    "from",
    "like",
    "assert",
    "expect",
    "print",
    "bitand",
    "bitor",
    "bitxor",
    "shl",
    "shr",
    "otherwise",
];
/// Words that always stand apart from a bracket.
const APART: &[&str] = &[
    "in",
    "if",
    "while",
    "for",
    "else",
    "let",
    "var",
    "and",
    "or",
    "not",
    "div",
    "mod",
    "param",
    "array",
    "partition",
    "fn",
    "workflow",
    "use",
    "test",
    "break",
    "true",
    "false",
];
/// Words that join or precede values, so that a `-` after them has one operand.
const BEFORE_VALUE: &[&str] = &[
    "if", "while", "and", "or", "not", "div", "mod", "in", "by", "bitand", "bitor", "bitxor", "shl", "shr", "assert",
    "expect", "else",
];
/// Words that begin a term after their index list.
const REDUCTIONS: &[&str] =
    &["sum", "prod", "min", "max", "any", "all", "count", "mean", "argmin", "argmax", "scan", "reduce"];

/// What surrounds a pair of tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around<'a> {
    /// The innermost open bracket.
    pub open: &'a str,
    /// Within the bounds of a range, or in subscripts: `+ - * /` stand as they were written.
    pub as_written: bool,
}

/// Whether the token `i` is a `-` with one operand.
pub(super) fn is_unary(text: &str, toks: &[Tok], i: usize) -> bool {
    let Some(before) = i.checked_sub(1).and_then(|p| toks.get(p)) else { return true };
    let word = before.text(text);
    match before.kind {
        Kind::Number | Kind::Str => false,
        Kind::Word => BEFORE_VALUE.contains(&word),
        Kind::Close => {
            word == "]" && after_reduction(text, toks, i) && before.end < toks[i].start && is_tight_after(toks, i)
        }
        _ => true,
    }
}

/// Whether the token after `i` stands right behind it.
fn is_tight_after(toks: &[Tok], i: usize) -> bool {
    toks.get(i + 1).is_some_and(|n| n.start == toks[i].end)
}

/// Whether the `]` before `i` closes the index list of a reduction.
fn after_reduction(text: &str, toks: &[Tok], i: usize) -> bool {
    let mut depth = 0usize;
    for j in (0..i).rev() {
        match toks[j].kind {
            Kind::Close => depth += 1,
            Kind::Open => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    let name = j.checked_sub(1).map_or("", |p| toks[p].text(text));
                    return REDUCTIONS.contains(&name) || name == ")";
                }
            }
            Kind::Newline => return false,
            _ => {}
        }
    }
    false
}

/// Whether a blank stands between tokens `i` and `i + 1`, which stand on one line.
pub(super) fn blank_between(text: &str, toks: &[Tok], i: usize, around: Around<'_>) -> bool {
    let (Some(a), Some(b)) = (toks.get(i), toks.get(i + 1)) else { return false };
    let (x, y) = (a.text(text), b.text(text));
    let written = a.end < b.start;
    match (x, y) {
        ("{", "}") => return false,
        (_, "," | ";" | ")" | "]") | ("(" | "[", _) => return false,
        ("{", _) | (_, "{" | "}") | ("}", _) => return true,
        (_, ":") | (".", _) | (_, ".") | ("..", _) | (_, "..") => return false,
        (":" | "," | ";", _) => return true,
        ("^", _) | (_, "^") => return false,
        _ => {}
    }
    if b.kind == Kind::Open {
        return match a.kind {
            Kind::Word if APART.contains(&x) => true,
            Kind::Word if SOFT.contains(&x) => written,
            Kind::Word => false,
            Kind::Op if x == "-" => !is_unary(text, toks, i) && is_spaced(text, toks, i, around),
            Kind::Op => is_spaced(text, toks, i, around),
            _ => true,
        };
    }
    if a.kind == Kind::Op {
        return !(x == "-" && is_unary(text, toks, i)) && is_spaced(text, toks, i, around);
    }
    if b.kind == Kind::Op {
        if y == "-" && is_unary(text, toks, i + 1) {
            return true;
        }
        return is_spaced(text, toks, i + 1, around);
    }
    true
}

/// Whether the operator `i` has blanks around it.
fn is_spaced(text: &str, toks: &[Tok], i: usize, around: Around<'_>) -> bool {
    let arithmetic = matches!(toks[i].text(text), "+" | "-" | "*" | "/");
    if !arithmetic || !(around.as_written || around.open == "[") {
        return true;
    }
    let before = i.checked_sub(1).is_none_or(|p| toks[p].end < toks[i].start);
    let after = toks.get(i + 1).is_none_or(|n| n.start > toks[i].end);
    before || after
}

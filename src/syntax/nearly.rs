//! Constructs of the language that are written nearly right: what to write, in the program's own words.

use super::explain::Stop;
use super::habits;
use super::scan::{Kind, Tok};
use super::words;
use crate::diag::did_you_mean;

/// The help for a construct that can be recognised.
pub(super) fn nearly(stop: &Stop<'_>) -> Option<String> {
    let kinds: [fn(&Stop<'_>) -> Option<String>; 7] =
        [declaration, in_brackets, step, block, value, quotient, reduction];
    kinds.iter().find_map(|f| f(stop))
}

/// The code from a byte on, up to the end of its statement, a closing bracket of what is around it, or a block.
fn phrase<'a>(stop: &Stop<'a>, from: usize) -> &'a str {
    let (mut depth, mut quoted, mut end) = (0, false, from);
    let text = stop.place.text.get(from..).unwrap_or("");
    for (k, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '\n' => break,
            _ if quoted => {}
            ';' => break,
            '/' if text[k..].starts_with("//") => break,
            '{' if depth == 0 => break,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        end = from + k + c.len_utf8();
    }
    stop.place.text[from..end].trim()
}

/// The token of code before another.
fn before(stop: &Stop<'_>, t: Tok) -> Option<Tok> {
    stop.place.toks.iter().rev().find(|o| o.end <= t.start && o.is_code()).copied()
}

/// The word in front of the innermost open bracket, and the bracket.
fn bracket<'a>(stop: &Stop<'a>) -> Option<(&'a str, Tok)> {
    let open = *stop.open.last()?;
    Some((before(stop, open).map_or("", |t| stop.word(Some(t))), open))
}

fn is_reduction(word: &str) -> bool {
    words::reductions().iter().any(|w| w == word)
}

/// A value behind `name[…]`: only a reduction has one.
fn reduction(stop: &Stop<'_>) -> Option<String> {
    let close = stop.before.filter(|t| stop.word(Some(*t)) == "]")?;
    let mut depth = 0;
    let toks = stop.place.toks.iter().rev().filter(|t| t.end <= close.end && t.is_code());
    let open = toks.clone().find(|t| {
        depth += i32::from(t.kind == Kind::Close) - i32::from(t.kind == Kind::Open);
        depth == 0
    })?;
    let name = before(stop, *open).filter(|t| t.kind == Kind::Word && t.end == open.start)?;
    let word = stop.word(Some(name));
    let all = words::reductions();
    let near = habits::reduction(word).or_else(|| did_you_mean(word, all.iter().map(AsRef::as_ref)))?;
    Some(format!("did you mean `{near}{}`?", &stop.place.text[open.start..close.end]))
}

/// Arrays with their parts in another order, or with brackets of another kind.
fn declaration(stop: &Stop<'_>) -> Option<String> {
    let (found, first, at) = (stop.word(stop.found), stop.first?, stop.found?);
    let is_type = |t: Tok| words::types().iter().any(|w| w == stop.word(Some(t)));
    if found == "(" && stop.expected.says("`[`") && stop.before.is_some_and(is_type) {
        let extents = phrase(stop, at.end);
        return Some(format!("extents stand in square brackets: `{}[{extents}]`", stop.word(stop.before)));
    }
    if stop.word(Some(first)) != "array" {
        return None;
    }
    let toks = stop.place.toks.iter().filter(|t| t.start > first.start && t.end <= at.start && t.is_code());
    let edge = toks.clone().find(|t| stop.word(Some(**t)) == "edge");
    if found == "=" {
        let (name, value) = (toks.clone().next().map_or("", |t| stop.word(Some(*t))), phrase(stop, at.end));
        let word = !value.is_empty()
            && value.bytes().all(super::scan::is_word)
            && !value.starts_with(|c: char| c.is_ascii_digit());
        let equation = if word { format!("{name} = {value}") } else { format!("{name}[i] = {value}") };
        return Some(format!("an array begins with zeros; set it below, in a workflow: `{equation}`"));
    }
    let edge = edge?;
    match found {
        "in" | "aligned" | "from" => {
            let text = stop.place.text;
            let (shape, edges) = (text[first.start..edge.start].trim(), text[edge.start..at.start].trim());
            Some(format!("the edge stands last: `{shape} {} {edges}`", phrase(stop, at.start)))
        }
        "," => Some(format!("the edges of several dimensions stand in brackets: `edge ({})`", phrase(stop, edge.end))),
        _ if (at.kind == Kind::Number || found == "-") && before(stop, at).is_some_and(|t| t.start == edge.start) => {
            Some(format!("a value past the ends is a rule of its own: `edge constant({})`", phrase(stop, at.start)))
        }
        _ => None,
    }
}

/// Ranges, arguments and texts in brackets.
fn in_brackets(stop: &Stop<'_>) -> Option<String> {
    let (found, at) = (stop.word(stop.found), stop.found?);
    let (head, open) = bracket(stop)?;
    let kind = stop.word(Some(open));
    let first = stop.word(stop.first);
    match found {
        "=" if kind == "[" && is_reduction(head) => {
            let (index, range) = (stop.word(stop.before), phrase(stop, at.end));
            Some(format!("a range stands behind `in`: `{head}[{index} in {range}]`"))
        }
        ".." if kind == "[" && is_reduction(head) => {
            Some(format!("a reduction names its index: `{head}[i in {}]`", phrase(stop, open.end)))
        }
        "in" if kind == "(" && is_reduction(head) => {
            Some(format!("the indices stand in square brackets: `{head}[{}]`", phrase(stop, open.end)))
        }
        ":" if kind == "(" && !matches!(first, "fn" | "kernel" | "workflow" | "array" | "param") => {
            Some("arguments are given by their place, without names".into())
        }
        _ if at.kind == Kind::Str && kind == "(" && matches!(head, "print" | "assert" | "expect") && head == first => {
            Some(format!("`{head}` takes no brackets: `{head} {}`", phrase(stop, open.end)))
        }
        _ => None,
    }
}

/// `0..8 step 2` and `0..8..2`.
fn step(stop: &Stop<'_>) -> Option<String> {
    let at = stop.found.filter(|_| stop.expected.says("`by`"))?;
    let found = stop.word(stop.found);
    matches!(found, ".." | "step" | "stride")
        .then(|| format!("a step stands behind `by`: `by {}`", phrase(stop, at.end)))
}

/// `while u[0] < 3` with its body on the next line.
fn block(stop: &Stop<'_>) -> Option<String> {
    let first = stop.word(stop.first);
    let ends = stop.found.is_none() && stop.expected.says("`{`") && stop.word(stop.next) != "{";
    (ends && matches!(first, "for" | "while" | "if")).then(|| format!("a block stands in braces: `{first} … {{ … }}`"))
}

/// Conversions, comparisons and results as other languages write them.
fn value(stop: &Stop<'_>) -> Option<String> {
    let (found, at) = (stop.word(stop.found), stop.found?);
    if found == "is" && stop.expected.says("an operator") {
        return Some("write `==`, or `!=` for `is not`".into());
    }
    if stop.word(stop.first) == "return" && stop.before == stop.first {
        return result(stop, phrase(stop, at.start));
    }
    let close = stop.before.filter(|t| stop.word(Some(*t)) == ")")?;
    let inner = before(stop, close)?;
    let open = before(stop, inner).filter(|t| stop.word(Some(*t)) == "(")?;
    let ty = stop.word(Some(inner));
    let cast = words::types().iter().any(|w| w == ty) && before(stop, open).is_none_or(|t| t.kind != Kind::Word);
    cast.then(|| format!("a conversion is a call: `{ty}({found})`"))
}

/// `return u` where results have names.
fn result(stop: &Stop<'_>, value: &str) -> Option<String> {
    let code: Vec<&str> = stop.place.toks.iter().filter(|t| t.is_code()).map(|t| stop.word(Some(*t))).collect();
    let arrow = code.iter().position(|w| *w == "->")?;
    let [name, ":", _, next, ..] = code.get(arrow + 1..)? else { return None };
    if !matches!(code[0], "kernel" | "workflow") {
        return None;
    }
    let whole = !value.is_empty() && value.bytes().all(super::scan::is_word);
    let equation = match (*next, whole) {
        ("[", true) if code[0] == "kernel" => format!("{name}[i] = {value}[i]"),
        ("[", false) => format!("{name}[i] = …"),
        _ => format!("{name} = {value}"),
    };
    Some(format!("the result has a name: `{equation}`"))
}

/// `7 // 2`
fn quotient(stop: &Stop<'_>) -> Option<String> {
    let before =
        stop.before.filter(|t| stop.found.is_none() && matches!(t.kind, Kind::Word | Kind::Number | Kind::Close))?;
    let next = stop.place.toks.iter().find(|t| t.start >= before.end && t.kind == Kind::Comment)?;
    let divisor = next.text(stop.place.text)[2..].trim();
    let value = !divisor.is_empty() && divisor.bytes().all(super::scan::is_word);
    (value && stop.expected.says("a value")).then(|| {
        format!("`//` begins a comment; the floor of a quotient is `{} div {divisor}`", stop.word(Some(before)))
    })
}

//! Completion: what may stand at a place, from the words before it and the names visible there.

use super::names::{Kind, Symbol};
use super::navigate::{Other, path_beside};
use super::serve::Answer;
use super::text::word_at;
use super::{View, builtins, library};
use crate::syntax::lex::{Token, TokenKind, tokens};
use crate::syntax::words;
use serde_json::{Value, json};

// Kinds of the protocol.
const FUNCTION: u32 = 3;
const VARIABLE: u32 = 6;
const MODULE: u32 = 9;
const VALUE: u32 = 12;
const KEYWORD: u32 = 14;
const SNIPPET: u32 = 15;
const CONSTANT: u32 = 21;
const TYPE: u32 = 25;

/// Answers `textDocument/completion`.
pub fn complete(view: &View, params: &Value) -> Answer {
    let byte = view.byte(params);
    let start = match word_at(&view.now.text, byte) {
        Some((s, _)) if s < byte => s,
        _ => byte,
    };
    let toks = tokens(&view.now.text);
    let inside = toks.iter().find(|t| t.start < byte && byte <= t.end);
    if inside.is_some_and(|t| matches!(t.kind, TokenKind::Comment | TokenKind::Doc)) {
        return Ok(json!([]));
    }
    if inside.is_some_and(|t| t.kind == TokenKind::Text && byte < t.end) && !in_hole(&view.now.text, byte) {
        return Ok(json!([]));
    }
    let before: Vec<Token> = toks.into_iter().filter(|t| t.end <= start).collect();
    Ok(json!(candidates(view, byte, &before)))
}

/// Whether a byte inside a text stands between braces.
fn in_hole(text: &str, byte: usize) -> bool {
    let line = text.get(..byte).and_then(|t| t.rsplit('\n').next()).unwrap_or("");
    line.matches('{').count() > line.matches('}').count()
}

/// The last line of tokens: what stands before the word on its line.
fn candidates(view: &View, byte: usize, before: &[Token]) -> Vec<Value> {
    let text = &view.now.text;
    let word = |t: &Token| text.get(t.start..t.end).unwrap_or("");
    let code: Vec<&Token> = before.iter().filter(|t| !matches!(t.kind, TokenKind::Comment | TokenKind::Doc)).collect();
    let line = code.rsplit(|t| t.kind == TokenKind::End && word(t) != ";").next().unwrap_or(&[]);
    let written: Vec<&str> = line.iter().map(|t| word(t)).collect();
    let depth =
        code.iter().filter(|t| word(t) == "{").count() as i64 - code.iter().filter(|t| word(t) == "}").count() as i64;
    if written.first() == Some(&"use") {
        return in_use(view, &written);
    }
    match written.last() {
        Some(&"edge") => return edges(),
        Some(&"(") if written.len() > 1 && written[written.len() - 2] == "edge" => return edges(),
        Some(&"in") if written.first() == Some(&"array") => return placements(view, byte),
        Some(&"=") if written.first() == Some(&"partition") => return placements(view, byte),
        Some(&"like" | &"aligned") => return visible(view, byte, |s| s.kind == Kind::Array),
        Some(&":") => return types(),
        Some(&"->") => return types(),
        None if depth <= 0 => return items(),
        _ => {}
    }
    let mut out = visible(view, byte, |_| true);
    out.extend(indices(view, byte, &written));
    out.extend(builtin_items());
    if written.is_empty() || matches!(written.last(), Some(&"{" | &";")) {
        out.extend(statements());
    }
    if written.first() == Some(&"array") {
        out.extend(["in", "edge", "from", "like", "aligned"].map(|w| item(w, KEYWORD, w, "")));
    }
    out
}

fn item(label: &str, kind: u32, detail: &str, doc: &str) -> Value {
    let mut out = json!({"label": label, "kind": kind, "detail": detail});
    if !doc.is_empty() {
        out["documentation"] = json!({"kind": "markdown", "value": doc});
    }
    out
}

fn snippet(label: &str, text: &str) -> Value {
    json!({"label": label, "kind": SNIPPET, "insertText": text, "insertTextFormat": 2})
}

fn of_symbol(s: &Symbol) -> Value {
    let kind = match s.kind {
        Kind::Function | Kind::Kernel | Kind::Workflow => FUNCTION,
        Kind::Param | Kind::Const | Kind::Extent => CONSTANT,
        _ => VARIABLE,
    };
    item(&s.name, kind, &s.detail, s.doc.as_deref().unwrap_or(""))
}

fn visible(view: &View, byte: usize, keep: impl Fn(&Symbol) -> bool) -> Vec<Value> {
    view.now.names.visible_at(byte).into_iter().filter(|s| keep(s)).map(of_symbol).collect()
}

/// The indices that the line at hand names in brackets, while it cannot be read.
fn indices(view: &View, byte: usize, written: &[&str]) -> Vec<Value> {
    let known = view.now.names.visible_at(byte);
    let (mut depth, mut found): (usize, Vec<&str>) = (0, vec![]);
    for w in written {
        match *w {
            "[" => depth += 1,
            "]" => depth = depth.saturating_sub(1),
            w if depth > 0 && w.starts_with(|c: char| c.is_ascii_alphabetic()) && w != "in" => found.push(w),
            _ => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    let new = found.into_iter().filter(|f| !known.iter().any(|s| s.name == *f));
    new.map(|w| item(w, VARIABLE, &format!("{w}: i64, an index of this line"), "")).collect()
}

fn builtin_items() -> Vec<Value> {
    let entry = |kind| move |e: &builtins::Entry| item(e.0, kind, e.1, e.2);
    let mut out: Vec<Value> = builtins::FUNCTIONS.iter().map(entry(FUNCTION)).collect();
    out.extend(builtins::VALUES.iter().map(entry(VALUE)));
    let twice = |n: &str| builtins::FUNCTIONS.iter().any(|f| f.0 == n);
    out.extend(builtins::REDUCTIONS.iter().filter(|e| !twice(e.0)).map(entry(FUNCTION)));
    out.extend(builtins::TYPES.iter().map(entry(TYPE)));
    let names = crate::check::BUILTIN_FUNCTIONS.iter();
    out.extend(
        names
            .filter_map(|n| library::elementary(n).first().map(|(_, s)| (n, *s)))
            .map(|(n, s)| item(n, FUNCTION, &s.detail.replacen(&s.name, n, 1), s.doc.as_deref().unwrap_or(""))),
    );
    let words = ["if", "else", "true", "false", "and", "or", "not", "div", "mod"];
    out.extend(words.map(|w| item(w, KEYWORD, w, "")));
    out
}

fn types() -> Vec<Value> {
    builtins::TYPES.iter().map(|e| item(e.0, TYPE, e.1, e.2)).collect()
}

fn edges() -> Vec<Value> {
    let names = ["clamp", "periodic", "mirror", "odd", "constant", "none"];
    names.iter().filter_map(|n| builtins::find(n, false)).map(|e| item(e.0, KEYWORD, e.1, e.2)).collect()
}

fn placements(view: &View, byte: usize) -> Vec<Value> {
    let mut out = visible(view, byte, |s| s.kind == Kind::Partition);
    out.extend(
        ["block", "replicated"].iter().filter_map(|n| builtins::find(n, false)).map(|e| item(e.0, KEYWORD, e.1, e.2)),
    );
    out.push(snippet("(block, *)", "(block, *)"));
    out
}

fn in_use(view: &View, written: &[&str]) -> Vec<Value> {
    let Some(colon) = written.iter().position(|w| *w == ":") else {
        let modules = library::modules().iter();
        if written.last() == Some(&".") {
            return modules.map(|m| item(m.name, MODULE, &format!("std.{}", m.name), "")).collect();
        }
        return modules.map(|m| item(&format!("std.{}", m.name), MODULE, "library", "")).collect();
    };
    let path = written.get(1..colon).unwrap_or(&[]).join("");
    if let Some(name) = path.strip_prefix("std.") {
        return library::module(name)
            .map_or(vec![], |m| m.names.symbols.iter().filter(|s| s.top).map(of_symbol).collect());
    }
    let other = path_beside(view, path.trim_matches('"')).and_then(|p| Other::read(view, &p));
    other.map_or(vec![], |o| o.names.symbols.iter().filter(|s| s.top).map(of_symbol).collect())
}

fn items() -> Vec<Value> {
    let mut out: Vec<Value> = words::item_words()
        .iter()
        .map(|w| match builtins::find(w, false) {
            Some(e) => item(w, KEYWORD, e.1, e.2),
            None => item(w, KEYWORD, w, ""),
        })
        .collect();
    out.push(snippet("workflow main", "workflow main {\n    $0\n}"));
    out.push(snippet("kernel …", "kernel ${1:name}(${2:u}: f64[n]) -> ${3:next}: f64[n] {\n    $3[i] = $0\n}"));
    out.push(snippet("array …", "array ${1:u}: ${2:f64}[${3:n}] in (block) edge ${4:clamp}"));
    out.push(snippet("use std.random", "use std.random: uniform"));
    out
}

fn statements() -> Vec<Value> {
    let words = ["let", "var", "for", "while", "array", "print", "assert", "load", "save", "plot", "animate", "break"];
    let mut out: Vec<Value> = words
        .iter()
        .map(|w| builtins::find(w, false).map_or_else(|| item(w, KEYWORD, w, ""), |e| item(w, KEYWORD, e.1, e.2)))
        .collect();
    out.push(snippet("for … in", "for ${1:t} in 0..${2:n} {\n    $0\n}"));
    out.push(snippet("print …", "print \"${1:text} {${2:value}}\""));
    out
}

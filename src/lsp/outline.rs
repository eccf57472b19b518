//! The outline of a file, and what of it folds.

use super::View;
use super::names::{Kind, Symbol};
use super::serve::Answer;
use crate::source::Span;
use crate::syntax::ast::{Item, ItemKind};
use crate::syntax::lex::{TokenKind, tokens};
use serde_json::{Value, json};

/// Answers `textDocument/documentSymbol`.
pub fn symbols(view: &View, _: &Value) -> Answer {
    let Some(ast) = &view.now.ast else { return Ok(json!([])) };
    let names = &view.now.names;
    let mut out = vec![];
    for (i, item) in ast.items.iter().enumerate() {
        if let ItemKind::Test(t) = &item.kind {
            out.push(entry(view, &t.title.text, "test", 6, item.span, t.title.span, vec![]));
        }
        let own = |s: &&Symbol| s.item == Some(i) && !s.name.is_empty();
        let inner: Vec<Value> = names
            .symbols
            .iter()
            .filter(own)
            .filter(|s| !s.top && !matches!(s.kind, Kind::Index | Kind::Extent | Kind::Argument))
            .map(|s| entry(view, &s.name, s.kind.word(), kind(s.kind), s.span, s.span, vec![]))
            .collect();
        let tops =
            names.symbols.iter().filter(own).filter(|s| s.top && s.kind != Kind::Import && s.kind != Kind::Extent);
        out.extend(tops.map(|s| {
            let whole = if one_name(item) { item.span } else { s.span };
            entry(view, &s.name, &s.detail, kind(s.kind), whole, s.span, inner.clone())
        }));
    }
    let lost = names.symbols.iter().filter(|s| s.kind == Kind::Unreadable);
    out.extend(lost.map(|s| entry(view, &s.name, s.kind.word(), kind(s.kind), s.span, s.span, vec![])));
    Ok(json!(out))
}

/// Whether a declaration declares one name only.
fn one_name(item: &Item) -> bool {
    !matches!(&item.kind, ItemKind::Array(a) if a.names.len() > 1)
}

fn entry(view: &View, name: &str, detail: &str, kind: u32, whole: Span, own: Span, inner: Vec<Value>) -> Value {
    let range = |s| view.now.lines.range_of(&view.now.text, s);
    json!({
        "name": if name.is_empty() { "…" } else { name }, "detail": detail, "kind": kind,
        "range": range(whole), "selectionRange": range(own), "children": inner,
    })
}

/// The protocol's kinds.
fn kind(kind: Kind) -> u32 {
    match kind {
        Kind::Function | Kind::Workflow => 12,
        Kind::Kernel => 6,
        Kind::Param | Kind::Const => 14,
        Kind::Array => 18,
        Kind::Partition => 11,
        _ => 13,
    }
}

/// Answers `textDocument/foldingRange`: blocks in braces, and runs of comment lines.
pub fn folds(view: &View, _: &Value) -> Answer {
    let (text, lines) = (&view.now.text, &view.now.lines);
    let (mut open, mut out, mut run): (Vec<usize>, Vec<Value>, Option<(usize, usize)>) = (vec![], vec![], None);
    let mut fold = |from: usize, to: usize, kind: &str| {
        if to > from {
            out.push(json!({"startLine": from, "endLine": to, "kind": kind}));
        }
    };
    for t in tokens(text) {
        let line = lines.line_of(t.start);
        match (t.kind, text.get(t.start..t.end).unwrap_or("")) {
            (TokenKind::Open, "{") => open.push(line),
            (TokenKind::Close, "}") => {
                if let Some(from) = open.pop() {
                    fold(from, line.saturating_sub(1), "region");
                }
            }
            _ => {}
        }
        let alone = text.get(lines.bytes_of(line).start..t.start).is_some_and(|b| b.trim().is_empty());
        if matches!(t.kind, TokenKind::Comment | TokenKind::Doc) && alone {
            run = match run {
                Some((from, last)) if last + 1 == line => Some((from, line)),
                Some((from, last)) => {
                    fold(from, last, "comment");
                    Some((line, line))
                }
                None => Some((line, line)),
            };
        }
    }
    if let Some((from, last)) = run {
        fold(from, last, "comment");
    }
    Ok(json!(out))
}

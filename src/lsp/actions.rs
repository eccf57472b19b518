//! Quick fixes made from the help of diagnostics, and formatting.

use super::names::Kind;
use super::serve::Answer;
use super::{View, publish};
use crate::diag::Diagnostic;
use crate::source::{FileId, Span};
use crate::syntax::words;
use serde_json::{Value, json};

/// A change that mends a diagnostic: its title, and what to put in place of which bytes.
struct Fix {
    title: String,
    edits: Vec<(usize, usize, String)>,
}

/// Answers `textDocument/codeAction`.
pub fn actions(view: &View, params: &Value) -> Answer {
    let line = |k: &str| params["range"][k]["line"].as_u64().unwrap_or(0);
    let (from, to) = (line("start"), line("end"));
    let mut out = vec![];
    for d in &view.now.compiled.diagnostics {
        let Some((span, _)) = d.labels.first().filter(|l| l.0.file == FileId(0)) else { continue };
        let at = view.now.lines.line_of(span.start as usize) as u64;
        if at < from || at > to {
            continue;
        }
        let fixes = fixes(view, d, *span);
        let one = fixes.len() == 1;
        out.extend(fixes.into_iter().map(|f| action(view, d, f, one)));
    }
    Ok(json!(out))
}

fn action(view: &View, d: &Diagnostic, fix: Fix, preferred: bool) -> Value {
    let edit = |(start, end, new): &(usize, usize, String)| {
        let range = view.now.lines.range(&view.now.text, *start, *end);
        json!({"range": range, "newText": new})
    };
    let edits: Vec<Value> = fix.edits.iter().map(edit).collect();
    json!({
        "title": fix.title, "kind": "quickfix", "isPreferred": preferred,
        "diagnostics": [publish::one(view, d)], "edit": {"changes": {view.uri: edits}},
    })
}

/// The changes that a diagnostic's help names.
fn fixes(view: &View, d: &Diagnostic, span: Span) -> Vec<Fix> {
    let (start, end) = (span.start as usize, span.end as usize);
    let text = view.now.text.get(start..end).unwrap_or("");
    let help = d.help.as_deref().unwrap_or("");
    let replace = |new: String| Fix { title: format!("write `{new}`"), edits: vec![(start, end, new)] };
    let quoted = |after: &str| help.strip_prefix(after)?.split('`').next().map(str::to_string);
    if let Some(new) = quoted("did you mean `") {
        return vec![replace(new)];
    }
    match d.code {
        "E0101" | "E0102" | "E0214" => {
            let new = help.starts_with("write ").then(|| help.split('`').nth(1)).flatten();
            new.filter(|n| is_operator(n)).map(|n| replace(n.to_string())).into_iter().collect()
        }
        "E0105" if d.message.contains("end with a point") => quoted("write `").map(replace).into_iter().collect(),
        "E0106" if help == "write `=` to define" => vec![replace("=".into())],
        "E0108" => chain(view, d, help).into_iter().collect(),
        "E0113" => quoted("choose another name, such as `").map(replace).into_iter().collect(),
        "E0200" => import(view, text).into_iter().collect(),
        "E0210" => match quoted("narrowing is written: `").or_else(|| quoted("write `")) {
            Some(new) if new.ends_with("(…)") => vec![replace(new.replace('…', text))],
            _ => vec![],
        },
        "E0261" => quoted("write its range: `").map(replace).into_iter().collect(),
        "E0302" => edges(view, help),
        _ => vec![],
    }
}

/// Whether a help's word can stand as it is: an operator or a word of the language.
fn is_operator(text: &str) -> bool {
    let sign = !text.is_empty() && text.bytes().all(|b| b.is_ascii_punctuation() || b.is_ascii_digit() || b == b' ');
    sign && !text.contains('`') || words::reserved().iter().chain(&words::soft()).any(|w| w == text)
}

/// `a < b < c` as the help writes it out.
fn chain(view: &View, d: &Diagnostic, help: &str) -> Option<Fix> {
    let new = help.strip_prefix("write `")?.strip_suffix('`')?.to_string();
    let (op, left) = (d.labels.first()?.0, d.labels.get(1)?.0);
    let text = &view.now.text;
    let sign = text.get(op.start as usize..op.end as usize)?.trim();
    let right = new.rsplit_once(&format!(" {sign} "))?.1;
    let at = op.end as usize + text.get(op.end as usize..)?.find(right)?;
    Some(Fix { title: format!("write `{new}`"), edits: vec![(left.start as usize, at + right.len(), new.clone())] })
}

/// A name that a module of the library has.
fn import(view: &View, name: &str) -> Option<Fix> {
    let own = |s: &super::names::Symbol| s.kind != super::names::Kind::Import;
    let module = super::library::modules().iter().find(|m| m.name != "math" && m.names.top(name).is_some_and(own))?;
    let line = format!("use std.{}: {name}", module.name);
    let at = match view.now.ast.as_ref().and_then(|a| a.items.first()) {
        Some(item) => view.now.lines.bytes_of(view.now.lines.line_of(item.span.start as usize)).start,
        None => 0,
    };
    Some(Fix { title: format!("add `{line}`"), edits: vec![(at, at, format!("{line}\n"))] })
}

/// An edge for the array that is read past its end.
fn edges(view: &View, help: &str) -> Vec<Fix> {
    let Some(name) = help.strip_prefix("give `").and_then(|h| h.split('`').next()) else { return vec![] };
    let names = &view.now.names;
    let Some(s) = names.symbols.iter().find(|s| s.name == name && s.kind == Kind::Array) else { return vec![] };
    if s.detail.contains(" edge ") || s.ty.is_none() {
        return vec![];
    }
    let Some(end) = declaration_end(view, s.span) else { return vec![] };
    let one = |edge: &str| Fix {
        title: format!("give `{name}` `edge {edge}`"),
        edits: vec![(end, end, format!(" edge {edge}"))],
    };
    ["clamp", "periodic", "mirror", "constant(0)"].map(one).into()
}

/// Where the array declaration around a place ends.
fn declaration_end(view: &View, at: Span) -> Option<usize> {
    use crate::syntax::lex::{TokenKind, tokens};
    let (mut depth, mut end) = (0i64, None);
    for t in tokens(&view.now.text).iter().filter(|t| t.start >= at.start as usize) {
        match t.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth -= 1,
            TokenKind::End if depth <= 0 => break,
            TokenKind::Comment | TokenKind::Doc => break,
            _ => {}
        }
        if depth < 0 {
            break;
        }
        end = Some(t.end);
    }
    end
}

/// Answers `textDocument/formatting`: nothing while the text has errors of syntax.
pub fn format(view: &View, _: &Value) -> Answer {
    let text = &view.now.text;
    let mut sink = crate::diag::Sink::default();
    let ast = crate::syntax::parse::parse(FileId(0), text, &mut sink);
    let Some(ast) = ast.filter(|_| !sink.has_errors()) else { return Ok(Value::Null) };
    let new = crate::syntax::print::format(&ast, text);
    if new == **text {
        return Ok(json!([]));
    }
    Ok(json!([{"range": view.now.lines.range(text, 0, text.len()), "newText": new}]))
}

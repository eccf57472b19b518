//! Hover: what a name is, its type and value, where an array lives, what a line communicates, and what its comments say.

use super::names::{Kind, Symbol};
use super::navigate::{Target, target};
use super::serve::Answer;
use super::text::word_at;
use super::{View, builtins, library};
use crate::ir::plan::PlanArray;
use crate::source::{FileId, Span};
use crate::syntax::ast::{ExprKind, TypeExpr};
use serde_json::{Value, json};

/// Answers `textDocument/hover`.
pub fn hover(view: &View, params: &Value) -> Answer {
    let byte = view.byte(params);
    let mut parts: Vec<String> = about(view, byte).into_iter().collect();
    parts.extend(line_text(view, byte));
    if parts.is_empty() {
        return Ok(Value::Null);
    }
    let mut out = json!({"contents": {"kind": "markdown", "value": parts.join("\n\n---\n\n")}});
    if let Some((start, end)) = word_at(&view.now.text, byte) {
        out["range"] = json!(view.now.lines.range(&view.now.text, start, end));
    }
    Ok(out)
}

/// What is known about the name at a byte.
fn about(view: &View, byte: usize) -> Option<String> {
    match target(view, byte) {
        Some(Target::Here(k)) => Some(symbol_text(view, &view.now.names.symbols[k], byte)),
        Some(Target::There(there)) => {
            let (o, s) = &*there;
            let file = o.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            Some(declared(s, &format!("{}, from `{file}`", s.kind.word())))
        }
        Some(Target::Library(m, s)) => Some(library_text(view, byte, m, s)),
        Some(Target::Whole(_)) => None,
        None => {
            let (start, end) = word_at(&view.now.text, byte)?;
            let word = view.now.text.get(start..end)?;
            let subscripted = view.now.text.get(end..).is_some_and(|t| t.trim_start().starts_with('['));
            let inside = view.now.names.other_at(byte).is_some() || is_code(view, start);
            let e = builtins::find(word, subscripted).filter(|_| inside)?;
            Some(format!("```mgpu\n{}\n```\n{}", e.1, e.2))
        }
    }
}

/// Whether a byte stands in neither a comment nor a text.
fn is_code(view: &View, byte: usize) -> bool {
    use crate::syntax::lex::{TokenKind, tokens};
    let toks = tokens(&view.now.text);
    let at = toks.iter().find(|t| t.start <= byte && byte < t.end);
    at.is_some_and(|t| !matches!(t.kind, TokenKind::Comment | TokenKind::Doc | TokenKind::Text))
}

/// A declaration with a line that says what it is, and its documentation.
fn declared(s: &Symbol, what: &str) -> String {
    let mut out = format!("```mgpu\n{}\n```\n{what}", s.detail);
    if let Some(doc) = &s.doc {
        out += &format!("\n\n{doc}");
    }
    out
}

fn library_text(view: &View, byte: usize, m: &library::Module, s: &Symbol) -> String {
    let name = view.now.names.other_at(byte).map(|i| i.name.clone());
    let both = name.map(|n| library::elementary(&n)).unwrap_or_default();
    if both.len() < 2 {
        return declared(s, &format!("{} of `std.{}`", s.kind.word(), m.name));
    }
    let heads: Vec<&str> = both.iter().map(|(_, s)| s.detail.as_str()).collect();
    let docs: Vec<String> =
        both.iter().filter_map(|(_, s)| Some(format!("`{}`: {}", s.name, s.doc.as_ref()?))).collect();
    format!("```mgpu\n{}\n```\nalways there; in `f32` if the argument is\n\n{}", heads.join("\n"), docs.join("\n\n"))
}

fn symbol_text(view: &View, s: &Symbol, byte: usize) -> String {
    let mut what = s.kind.word().to_string();
    if let Some((ty, value)) = value_of(view, s, byte) {
        let value = value.map_or(String::new(), |v| format!(" = {v}"));
        what += &format!(", `{ty}{value}`");
    }
    if let Some(text) = s.ty.as_ref().and_then(|t| bound_type(view, t)) {
        what += &format!(", here `{text}`");
    }
    let mut out = declared(s, &what);
    if let Some(text) = layout(view, s) {
        out += &format!("\n\n{text}");
    }
    out
}

/// The type of a value, and the value if it is known before the run.
pub fn value_of(view: &View, s: &Symbol, byte: usize) -> Option<(String, Option<String>)> {
    if matches!(s.kind, Kind::Array | Kind::Partition) || s.kind.is_callable() {
        return None;
    }
    let names = &view.now.names;
    let facts = &view.now.compiled.facts;
    let here = names.at(byte).and_then(|o| facts.at(o.span));
    let k = names.symbols.iter().position(|o| std::ptr::eq(o, s));
    let used = || k.and_then(|k| names.places(k).find_map(|o| facts.at(o.span)));
    let (ty, value) = here.or_else(used).or_else(|| s.value.and_then(|v| facts.at(v)))?;
    let shown = value.filter(|_| matches!(s.kind, Kind::Param | Kind::Const | Kind::Extent | Kind::Let));
    Some((ty.to_string(), shown.map(|v| v.to_string())))
}

/// `f32[512, 512]`: a declared type with its extents as numbers.
pub fn bound_type(view: &View, t: &TypeExpr) -> Option<String> {
    let dims = t.shape.as_ref()?;
    let ast = view.now.ast.as_ref()?;
    let one = |d: &crate::syntax::ast::ExprId| {
        let e = ast.expr(*d);
        match e.kind {
            ExprKind::Int(_) => None,
            _ => view.now.compiled.facts.at(e.span)?.1.map(|v| v.to_string()),
        }
    };
    let dims: Option<Vec<String>> = dims.iter().map(one).collect();
    Some(format!("{}[{}]", t.elem.name, dims?.join(", ")))
}

/// The plan's array that a symbol declares; of the last good plan while the text has errors.
pub fn plan_array<'a>(view: &'a View, s: &Symbol) -> Option<&'a PlanArray> {
    let from = |a: &'a super::Analysis| a.compiled.plan.as_ref();
    if let Some(plan) = from(view.now) {
        return plan.arrays.iter().find(|a| a.array.name == s.name && (a.array.span == s.span || s.kind == Kind::Let));
    }
    if s.kind != Kind::Array {
        return None;
    }
    from(view.good?)?.arrays.iter().find(|a| a.array.name == s.name && a.used)
}

/// Where an array lives.
fn layout(view: &View, s: &Symbol) -> Option<String> {
    let a = plan_array(view, s)?;
    let (layout, place) = a.layout_text();
    let ranks = view.server.settings.ranks;
    let (part, stored) = (a.owned_text(0), a.storage_text(0));
    let mut out = format!("on {ranks} ranks: `{layout}`, {place}; rank 0 owns `{part}`");
    if stored != part {
        out += &format!(" and keeps `{stored}`");
    }
    Some(out)
}

/// What the line of a byte computes and communicates, and the kernels called on it.
fn line_text(view: &View, byte: usize) -> Option<String> {
    let plan = view.now.compiled.plan.as_ref()?;
    let ast = view.now.ast.as_ref()?;
    let lines = &view.now.lines;
    let row = lines.bytes_of(lines.line_of(byte));
    let on_row =
        |s: Span| s.file == FileId(0) && s.end > 0 && row.start <= s.start as usize && (s.start as usize) <= row.end;
    let called: Vec<Span> = view
        .now
        .names
        .occurrences
        .iter()
        .filter(|o| !o.declares && on_row(o.span))
        .map(|o| &view.now.names.symbols[o.symbol])
        .filter(|s| s.kind == Kind::Kernel)
        .filter_map(|s| Some(ast.items.get(s.item?)?.span))
        .collect();
    let here = |s: Span| {
        on_row(s) || called.iter().any(|c| s.file == c.file && c.start <= s.start && s.end <= c.end && s.end > 0)
    };
    let text = plan.text_at(&here);
    if text.is_empty() {
        return None;
    }
    Some(format!("on {} ranks this line does:\n```text\n{}\n```", plan.ranks, text.join("\n")))
}

//! Diagnostics for the editor: the compiler's own, all of them.

use super::View;
use super::files::{tidy, uri_of};
use crate::diag::{Diagnostic, Severity};
use crate::source::{FileId, Span};
use serde_json::{Value, json};

/// The diagnostics of a file, as the protocol wants them.
pub fn diagnostics(view: &View) -> Vec<Value> {
    view.now.compiled.diagnostics.iter().map(|d| one(view, d)).collect()
}

/// One diagnostic. A place in another file is shown at the `use` that brought that file in.
pub fn one(view: &View, d: &Diagnostic) -> Value {
    let (span, prefix) = place(view, d);
    let label = d.labels.first().map_or("", |l| l.1.as_str());
    let mut message = format!("{prefix}{}", d.message);
    if !label.is_empty() {
        message += &format!("\n{label}");
    }
    if let Some(help) = &d.help {
        message += &format!("\nhelp: {help}");
    }
    let mut out = json!({
        "range": view.now.lines.range_of(&view.now.text, span),
        "severity": match d.severity { Severity::Error => 1, Severity::Warning => 2 },
        "code": d.code,
        "source": "mgpu",
        "message": message,
    });
    if view.server.related {
        let others: Vec<Value> = d.labels.iter().skip(1).filter_map(|(s, text)| related(view, *s, text)).collect();
        out["relatedInformation"] = json!(others);
    }
    out
}

fn place(view: &View, d: &Diagnostic) -> (Span, String) {
    let main = FileId(0);
    let Some((first, _)) = d.labels.first() else { return (Span::new(main, 0, 0), String::new()) };
    if first.file == main {
        return (*first, String::new());
    }
    let name = &view.now.compiled.sources.file(first.file).name;
    let (line, _) = view.now.compiled.sources.line_col(*first);
    let inside = d.labels.iter().map(|l| l.0).find(|s| s.file == main);
    let used = view.now.names.uses.first().map(|u| u.1);
    (inside.or(used).unwrap_or(Span::new(main, 0, 0)), format!("{name}:{line}: "))
}

fn related(view: &View, span: Span, text: &str) -> Option<Value> {
    let here = span.file == FileId(0);
    if here {
        let range = view.now.lines.range_of(&view.now.text, span);
        return Some(json!({"location": {"uri": view.uri, "range": range}, "message": text}));
    }
    let file = view.now.compiled.sources.file(span.file);
    if file.name.starts_with("std/") {
        return None;
    }
    let path = tidy(&view.path?.parent()?.join(&file.name));
    let range = super::text::Lines::new(&file.text).range_of(&file.text, span);
    Some(json!({"location": {"uri": uri_of(&path), "range": range}, "message": text}))
}

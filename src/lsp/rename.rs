//! Renaming: every place of a name, in all files near, or a reason why not.

use super::View;
use super::names::Kind;
use super::navigate::{Target, places, through};
use super::serve::Answer;
use crate::syntax::words;
use serde_json::{Value, json};

/// Answers `textDocument/prepareRename`.
pub fn prepare(view: &View, params: &Value) -> Answer {
    let byte = view.byte(params);
    let k = renamed(view, byte)?;
    let Some(o) = view.now.names.at(byte) else { return Ok(Value::Null) };
    let range = view.now.lines.range_of(&view.now.text, o.span);
    Ok(json!({"range": range, "placeholder": view.now.names.symbols[k].name}))
}

/// The symbol at a byte, if it can be renamed.
fn renamed(view: &View, byte: usize) -> Result<usize, String> {
    let Some(o) = view.now.names.at(byte) else {
        return Err(match view.now.names.other_at(byte) {
            Some(i) => format!("`{}` is not declared in this program", i.name),
            None => "there is no name here".to_string(),
        });
    };
    match through(view, o.symbol) {
        Target::Library(_, s) => Err(format!("`{}` belongs to the library", s.name)),
        _ if view.now.names.symbols[o.symbol].kind == Kind::Import => match through(view, o.symbol) {
            Target::There(..) => Ok(o.symbol),
            _ => Err("the module that declares it cannot be read".to_string()),
        },
        _ => Ok(o.symbol),
    }
}

/// Answers `textDocument/rename`.
pub fn rename(view: &View, params: &Value) -> Answer {
    let byte = view.byte(params);
    let k = renamed(view, byte)?;
    let new = params["newName"].as_str().unwrap_or("");
    if !is_name(new) {
        return Err(format!(
            "`{new}` is not a name: a letter or `_`, then letters, digits and `_`, and no reserved word"
        ));
    }
    let symbol = &view.now.names.symbols[k];
    if new == "main" || symbol.name == "main" && symbol.kind == Kind::Workflow {
        return Err("`main` is the workflow that a run carries out".to_string());
    }
    conflicts(view, k, new)?;
    let mut changes = serde_json::Map::new();
    for (uri, range) in places(view, byte, true) {
        let edits = changes.entry(uri).or_insert_with(|| json!([]));
        if let Some(edits) = edits.as_array_mut() {
            edits.push(json!({"range": range, "newText": new}));
        }
    }
    Ok(json!({"changes": changes}))
}

/// Refuses a name that already means something where the symbol is seen.
fn conflicts(view: &View, k: usize, new: &str) -> Result<(), String> {
    let names = &view.now.names;
    let symbol = &names.symbols[k];
    let meets = |s: &super::names::Symbol| s.visible.0 < symbol.visible.1 && symbol.visible.0 < s.visible.1;
    match names.symbols.iter().enumerate().find(|(i, s)| *i != k && s.name == new && meets(s)) {
        None => Ok(()),
        Some((_, s)) => {
            let line = view.now.lines.line_of(s.span.start as usize) + 1;
            Err(format!("`{new}` already is a name here, declared on line {line}"))
        }
    }
}

fn is_name(text: &str) -> bool {
    let start = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let word = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    start && word && text != "_" && !words::reserved().iter().any(|w| w == text)
}

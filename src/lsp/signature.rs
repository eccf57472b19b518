//! Signature help: the call around a place, found by its brackets, so that it works while the line is being written.

use super::navigate::{Target, through};
use super::serve::Answer;
use super::{View, builtins, library};
use crate::syntax::lex::{Token, TokenKind, tokens};
use serde_json::{Value, json};

/// Answers `textDocument/signatureHelp`.
pub fn help(view: &View, params: &Value) -> Answer {
    let byte = view.byte(params);
    let text = &view.now.text;
    // A hole of a printed text is code: its tokens are those of the text up to the place, from the brace on.
    let all = tokens(text);
    let found = match all.iter().find(|t| t.kind == TokenKind::Text && t.start < byte && byte < t.end) {
        Some(t) => {
            let inner = text.get(t.start..byte).unwrap_or("");
            let from = inner.rfind('{').map_or(t.start, |i| t.start + i + 1);
            let inside = tokens(text.get(from..byte).unwrap_or(""));
            let moved = inside.into_iter().map(|k| Token { start: k.start + from, end: k.end + from, ..k });
            call_around(text, &moved.collect::<Vec<_>>())
        }
        None => call_around(text, &all.into_iter().filter(|t| t.end <= byte).collect::<Vec<_>>()),
    };
    let Some((name, argument)) = found else { return Ok(Value::Null) };
    let list = signatures(view, byte, &name);
    if list.is_empty() {
        return Ok(Value::Null);
    }
    Ok(json!({"signatures": list, "activeSignature": 0, "activeParameter": argument}))
}

/// The name before the innermost open `(`, and how many commas follow it.
fn call_around(text: &str, before: &[Token]) -> Option<(String, usize)> {
    let (mut depth, mut commas) = (0, 0);
    for (i, t) in before.iter().enumerate().rev() {
        match (t.kind, text.get(t.start..t.end)?) {
            (TokenKind::Close, "}") => return None,
            (TokenKind::Close, _) => depth += 1,
            (TokenKind::Open, "{") => return None,
            (TokenKind::Open, "(") if depth == 0 => {
                let name = before.get(i.checked_sub(1)?)?;
                let called = name.kind == TokenKind::Word && name.end == t.start;
                return called.then(|| (text[name.start..name.end].to_string(), commas));
            }
            (TokenKind::Open, "[") if depth == 0 => commas = 0,
            (TokenKind::Open, _) => depth -= 1,
            (TokenKind::Operator, ",") if depth == 0 => commas += 1,
            _ => {}
        }
    }
    None
}

fn signatures(view: &View, byte: usize, name: &str) -> Vec<Value> {
    let names = &view.now.names;
    if let Some(s) = names.visible_at(byte).into_iter().find(|s| s.name == name) {
        let k = names.symbols.iter().position(|o| std::ptr::eq(o, s));
        let found = match k.map(|k| through(view, k)) {
            Some(Target::There(there)) => Some(there.1),
            Some(Target::Library(_, s)) => Some(s.clone()),
            _ => Some(s.clone()),
        };
        let callable = found.filter(|s| s.kind.is_callable());
        return callable.iter().map(|s| signature(&s.detail, s.doc.as_deref())).collect();
    }
    let own = library::elementary(name);
    if !own.is_empty() {
        return own.iter().map(|(_, s)| signature(&s.detail.replacen(&s.name, name, 1), s.doc.as_deref())).collect();
    }
    builtins::FUNCTIONS.iter().filter(|e| e.0 == name).map(|e| signature(e.1, Some(e.2))).collect()
}

/// A head `fn f(x: f64, y: f64) -> f64` with its parameters marked.
fn signature(head: &str, doc: Option<&str>) -> Value {
    let mut out = json!({"label": head, "parameters": parameters(head)});
    if let Some(doc) = doc {
        out["documentation"] = json!({"kind": "markdown", "value": doc});
    }
    out
}

/// The parameters of a head, as ranges of UTF-16 units.
fn parameters(head: &str) -> Vec<Value> {
    let Some(open) = head.find('(') else { return vec![] };
    let units = |byte: usize| head.get(..byte).map_or(0, |t| t.encode_utf16().count());
    let (mut depth, mut start, mut out) = (0, open + 1, vec![]);
    for (i, c) in head.char_indices().skip_while(|c| c.0 <= open) {
        match c {
            '(' | '[' => depth += 1,
            ')' if depth == 0 => {
                if i > start {
                    out.push(json!({"label": [units(start), units(i)]}));
                }
                break;
            }
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                out.push(json!({"label": [units(start), units(i)]}));
                start = i + 2;
            }
            _ => {}
        }
    }
    out
}

//! Quick fixes made from the help of diagnostics, and formatting.

use super::names::Kind;
use super::serve::Answer;
use super::{View, publish};
use crate::diag::Diagnostic;
use crate::source::{FileId, Span};
use crate::syntax::ast::AssignOp;
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
        "E0104" | "E0106" => punctuation(help, (start, end)),
        "E0108" => chain(view, d, help).into_iter().collect(),
        "E0113" | "E0204" => quoted("choose another name, such as `").map(replace).into_iter().collect(),
        "E0200" => match help.strip_prefix("write `").and_then(|h| h.strip_suffix('`')) {
            Some(word) if word.bytes().all(|b| b.is_ascii_alphanumeric()) => vec![replace(word.into())],
            _ => import(view, text).into_iter().collect(),
        },
        "E0210" => match quoted("narrowing is written: `").or_else(|| quoted("write `")) {
            Some(new) if new.ends_with("(…)") => vec![replace(new.replace('…', text))],
            None => with_place(help, "write a comparison, such as `", text).map(replace).into_iter().collect(),
            _ => vec![],
        },
        "E0212" => converted(view, d, help),
        "E0213" if help == "write `not …`" => {
            let minus = view.now.text.get(..start).map_or(0, |t| t.trim_end().len());
            let sign = view.now.text.get(..minus).is_some_and(|t| t.ends_with('-'));
            let new = format!("not {text}");
            if sign {
                vec![Fix { title: format!("write `{new}`"), edits: vec![(minus - 1, end, new)] }]
            } else {
                vec![]
            }
        }
        "E0213" if d.message.contains("number") => match quoted("write `") {
            Some(new) if new.contains('…') => with_place(help, "write `", text).map(replace).into_iter().collect(),
            new => new.map(replace).into_iter().collect(),
        },
        "E0222" => quoted("write its subscripts, as in `").map(replace).into_iter().collect(),
        "E0229" if help == "declare it with `var`" => as_variable(view, start).into_iter().collect(),
        "E0240" => element(view, start, end).into_iter().collect(),
        "E0274" => quoted("write `")
            .and_then(|h| h.strip_suffix(" = …").map(str::to_string))
            .map(replace)
            .into_iter()
            .collect(),
        "E0521" if help.contains("one `=`") => compares(view, start, end).into_iter().collect(),
        "E0522" => quoted("write `")
            .or_else(|| quoted("write the equation of one element: `").filter(|h| !h.contains('…')))
            .and_then(|h| equation(view, &h, (start, end)))
            .into_iter()
            .collect(),
        "E0523" => assigned(view, end).into_iter().collect(),
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

/// What a help says to write before or behind the token that is marked, or in its place.
fn punctuation(help: &str, (start, end): (usize, usize)) -> Vec<Fix> {
    let fix = |title: &str, at: (usize, usize), new: String| {
        vec![Fix { title: title.into(), edits: vec![(at.0, at.1, new)] }]
    };
    let close = help.split_once(": write ").map_or(help, |h| h.1);
    let close = close.strip_prefix("write ").unwrap_or(close);
    let sign = |w: &str| w.len() == 1 || w == "->" || w == "..";
    if let Some((word, behind)) = close.strip_prefix('`').and_then(|h| h.split_once('`'))
        && sign(word)
    {
        if behind.starts_with(" before ") {
            let gap = if matches!(word, ")" | "]" | ":") { " " } else { "" };
            let before = if gap.is_empty() { " " } else { "" };
            return fix(&format!("write `{word}`"), (start, start), format!("{word}{before}{gap}"));
        }
        if behind.starts_with(" behind ") {
            let gap = if matches!(word, ")" | "]" | ":") { "" } else { " " };
            return fix(&format!("write `{word}`"), (end, end), format!("{gap}{word}"));
        }
    }
    match help {
        "write `else if`" => fix(help, (start, end), "else if".into()),
        _ if let Some(path) =
            help.strip_prefix("write the text in double quotes: `\"").and_then(|h| h.strip_suffix("\"`")) =>
        {
            fix("put it in quotes", (start, start + path.len()), format!("\"{path}\""))
        }
        _ if help.starts_with("a statement ends with its line") && help.contains("begin a new line before") => {
            fix("begin a new line", (start, start), "\n".into())
        }
        _ => vec![],
    }
}

/// `f64(…)`, `not …` or `… != 0` of a help, with the text that is marked in the place of the dots.
fn with_place(help: &str, after: &str, text: &str) -> Option<String> {
    let form = help.strip_prefix(after)?.split('`').next()?;
    let simple = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_[]., ".contains(&b));
    let operand = if simple || form.ends_with("(…)") { text.to_string() } else { format!("({text})") };
    (form.matches('…').count() == 1).then(|| form.replace('…', &operand))
}

/// Either operand converted to the type of the other.
fn converted(view: &View, d: &Diagnostic, help: &str) -> Vec<Fix> {
    let Some(forms) = help.strip_prefix("convert one: ") else { return vec![] };
    let forms: Vec<&str> = forms.split('`').skip(1).step_by(2).collect();
    let [(left, is_left), (right, is_right)] = &d.labels[..] else { return vec![] };
    let text = |s: &Span| view.now.text.get(s.start as usize..s.end as usize).unwrap_or("").to_string();
    let mut out = vec![];
    for form in forms {
        let ty = form.trim_end_matches("(…)");
        for (side, said, other) in [(left, is_left, is_right), (right, is_right, is_left)] {
            if !said.contains(&format!("`{ty}`")) && other.contains(&format!("`{ty}`")) {
                let new = form.replace('…', &text(side));
                out.push(Fix {
                    title: format!("write `{new}`"),
                    edits: vec![(side.start as usize, side.end as usize, new)],
                });
            }
        }
    }
    out
}

/// `var` in place of the `let` that declared the name at a place.
fn as_variable(view: &View, at: usize) -> Option<Fix> {
    let symbol = &view.now.names.symbols[view.now.names.at(at)?.symbol];
    let before = view.now.text.get(..symbol.span.start as usize)?;
    let end = before.trim_end().len();
    let start = end.checked_sub("let".len())?;
    (before.get(start..end)? == "let").then(|| Fix {
        title: format!("declare `{}` with `var`", symbol.name),
        edits: vec![(start, end, "var".into())],
    })
}

/// Brackets in place of the parentheses behind an array's name.
fn element(view: &View, start: usize, end: usize) -> Option<Fix> {
    let (text, symbol) = (&view.now.text, view.now.names.at(start)?.symbol);
    if view.now.names.symbols[symbol].kind != Kind::Array || !text.get(end..)?.starts_with('(') {
        return None;
    }
    let mut depth = 0;
    let close = text[end..].char_indices().find(|(_, c)| {
        depth += match c {
            '(' | '[' => 1,
            ')' | ']' => -1,
            _ => 0,
        };
        depth == 0
    })?;
    let close = end + close.0;
    let new = format!("{}[{}]", &text[start..end], &text[end + 1..close]);
    Some(Fix {
        title: format!("write `{new}`"),
        edits: vec![(end, end + 1, "[".into()), (close, close + 1, "]".into())],
    })
}

/// `=` in place of the `==` of a comparison that is a statement.
fn compares(view: &View, start: usize, end: usize) -> Option<Fix> {
    let at = start + view.now.text.get(start..end)?.find("==")?;
    Some(Fix { title: "write `=`".into(), edits: vec![(at, at + 2, "=".into())] })
}

/// Subscripts for the array on the left, which stands before the value that is marked, and for those in the value.
fn equation(view: &View, help: &str, (start, end): (usize, usize)) -> Option<Fix> {
    let (left, right) = help.split_once(" = ")?;
    let name = left.split('[').next()?;
    let line = view.now.text.get(..start)?.rfind('\n').map_or(0, |n| n + 1);
    let at = line + view.now.text[line..start].rfind(name)?;
    let alone = view.now.text[at + name.len()..start].trim() == "=";
    let mut edits = vec![(at, at + name.len(), left.to_string())];
    edits.extend((right != "…").then(|| (start, end, right.to_string())));
    alone.then(|| Fix { title: format!("write `{left}`"), edits })
}

/// `=` in place of the operator behind a whole array.
fn assigned(view: &View, end: usize) -> Option<Fix> {
    let rest = view.now.text.get(end..)?;
    let at = end + rest.len() - rest.trim_start().len();
    let operator = AssignOp::COMPOUND.iter().map(|o| o.0).find(|o| view.now.text[at..].starts_with(o))?;
    Some(Fix { title: "write `=`".into(), edits: vec![(at, at + operator.len(), "=".into())] })
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
    let Some(name) = help.split_once("give `").and_then(|h| h.1.split('`').next()) else { return vec![] };
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

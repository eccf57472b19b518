//! Semantic tokens: every name by what it means, every other token by what it is.

use super::View;
use super::names::Kind;
use super::serve::Answer;
use crate::syntax::ast::{Ast, TemplatePart};
use crate::syntax::lex::{TokenKind, tokens as lex};
use crate::syntax::words;
use lsp_types::{SemanticTokenModifier, SemanticTokenType, SemanticTokensLegend};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The types of tokens, in the order of their numbers.
const TYPES: [SemanticTokenType; 13] = [
    SemanticTokenType::KEYWORD,
    SemanticTokenType::TYPE,
    SemanticTokenType::FUNCTION,
    SemanticTokenType::VARIABLE,
    SemanticTokenType::PARAMETER,
    SemanticTokenType::PROPERTY,
    SemanticTokenType::ENUM_MEMBER,
    SemanticTokenType::NUMBER,
    SemanticTokenType::STRING,
    SemanticTokenType::COMMENT,
    SemanticTokenType::OPERATOR,
    SemanticTokenType::NAMESPACE,
    SemanticTokenType::MACRO,
];

const KEYWORD: u32 = 0;
const TYPE: u32 = 1;
const FUNCTION: u32 = 2;
const VARIABLE: u32 = 3;
const PARAMETER: u32 = 4;
const PROPERTY: u32 = 5;
const ENUM_MEMBER: u32 = 6;
const NUMBER: u32 = 7;
const STRING: u32 = 8;
const COMMENT: u32 = 9;
const OPERATOR: u32 = 10;
const NAMESPACE: u32 = 11;

const DECLARATION: u32 = 1;
const READONLY: u32 = 2;
const LIBRARY: u32 = 4;
const DOCUMENTATION: u32 = 8;

/// The numbers that tokens use.
pub fn legend() -> SemanticTokensLegend {
    SemanticTokensLegend {
        token_types: TYPES.to_vec(),
        token_modifiers: vec![
            SemanticTokenModifier::DECLARATION,
            SemanticTokenModifier::READONLY,
            SemanticTokenModifier::DEFAULT_LIBRARY,
            SemanticTokenModifier::DOCUMENTATION,
        ],
    }
}

/// A token: first byte, byte past the last, type, modifiers.
type Painted = (usize, usize, u32, u32);

/// Answers `textDocument/semanticTokens/full`.
pub fn tokens(view: &View, _: &Value) -> Answer {
    let mut painted = paint(view);
    painted.sort();
    let text = &view.now.text;
    let lines = &view.now.lines;
    let (mut data, mut last): (Vec<u32>, (u32, u32)) = (vec![], (0, 0));
    let mut end_of_last = 0;
    for (start, end, kind, modifiers) in painted {
        if start < end_of_last || text.get(start..end).is_none_or(|t| t.is_empty() || t.contains('\n')) {
            continue;
        }
        end_of_last = end;
        let at = lines.position(text, start);
        let length = text[start..end].encode_utf16().count() as u32;
        let column = if at.line == last.0 { at.character - last.1 } else { at.character };
        data.extend([at.line - last.0, column, length, kind, modifiers]);
        last = (at.line, at.character);
    }
    Ok(json!({"data": data}))
}

fn paint(view: &View) -> Vec<Painted> {
    let text = &view.now.text;
    let known = meanings(view);
    let (reserved, types) = (words::reserved(), words::types());
    let holes = view.now.ast.as_ref().map_or(vec![], holes);
    let word = |start: usize, end: usize| -> Option<Painted> {
        let w = text.get(start..end)?;
        if reserved.iter().any(|r| r == w) {
            return Some((start, end, KEYWORD, 0));
        }
        if let Some((kind, modifiers)) = known.get(&start) {
            return Some((start, end, *kind, *modifiers));
        }
        Some((start, end, if types.iter().any(|t| t == w) { TYPE } else { KEYWORD }, 0))
    };
    let mut out = vec![];
    for t in lex(text) {
        match t.kind {
            TokenKind::Word => out.extend(word(t.start, t.end)),
            TokenKind::Number => out.push((t.start, t.end, NUMBER, 0)),
            TokenKind::Operator => out.push((t.start, t.end, OPERATOR, 0)),
            TokenKind::Comment => out.push((t.start, t.end, COMMENT, 0)),
            TokenKind::Doc => out.push((t.start, t.end, COMMENT, DOCUMENTATION)),
            TokenKind::Text => text_token(text, (t.start, t.end), &holes, &word, &mut out),
            TokenKind::Open | TokenKind::Close | TokenKind::End | TokenKind::Bad => {}
        }
    }
    out
}

/// A printed text: its own pieces, and the code in its holes.
fn text_token(
    text: &str,
    (start, end): (usize, usize),
    holes: &[(usize, usize)],
    word: &dyn Fn(usize, usize) -> Option<Painted>,
    out: &mut Vec<Painted>,
) {
    let mut at = start;
    for &(from, to) in holes.iter().filter(|h| start <= h.0 && h.1 <= end) {
        out.push((at, from, STRING, 0));
        for t in lex(text.get(from..to).unwrap_or("")) {
            let (s, e) = (t.start + from, t.end + from);
            match t.kind {
                TokenKind::Word => out.extend(word(s, e)),
                TokenKind::Number => out.push((s, e, NUMBER, 0)),
                TokenKind::Operator => out.push((s, e, OPERATOR, 0)),
                _ => {}
            }
        }
        at = to;
    }
    out.push((at, end, STRING, 0));
}

/// The code in the holes of all printed texts: from the first byte of the value to its last.
fn holes(ast: &Ast) -> Vec<(usize, usize)> {
    let mut out = vec![];
    let mut note = |t: &crate::syntax::ast::Template| {
        for p in &t.parts {
            if let TemplatePart::Hole { value, over, .. } = p {
                let v = ast.expr(*value).span;
                let end = over.as_ref().map_or(v.end, |o| o.1.span.end);
                out.push((v.start as usize, end as usize));
            }
        }
    };
    crate::syntax::walk::templates(ast, &mut note);
    out.sort();
    out
}

/// What every name means, by the byte where it starts.
fn meanings(view: &View) -> HashMap<usize, (u32, u32)> {
    let names = &view.now.names;
    let mut out = HashMap::new();
    for (_, span) in &names.uses {
        let text = view.now.text.get(span.start as usize..span.end as usize).unwrap_or("");
        if !text.starts_with('"') {
            for t in lex(text).iter().filter(|t| t.kind == TokenKind::Word) {
                out.insert(span.start as usize + t.start, (NAMESPACE, LIBRARY));
            }
        }
    }
    for o in &names.occurrences {
        let s = &names.symbols[o.symbol];
        let (kind, extra) = match s.kind {
            Kind::Function | Kind::Kernel | Kind::Workflow => (FUNCTION, 0),
            Kind::Param | Kind::Const | Kind::Extent => (VARIABLE, READONLY),
            Kind::Partition => (ENUM_MEMBER, 0),
            Kind::Argument => (PARAMETER, 0),
            Kind::Index => (PROPERTY, READONLY),
            Kind::Let | Kind::Intermediate => (VARIABLE, READONLY),
            Kind::Import => (FUNCTION, LIBRARY),
            Kind::Array | Kind::Result | Kind::Var | Kind::Unreadable => (VARIABLE, 0),
        };
        out.insert(o.span.start as usize, (kind, extra | if o.declares { DECLARATION } else { 0 }));
    }
    for i in &names.others {
        let called = view.now.text.get(i.span.end as usize..).is_some_and(|t| t.starts_with('('));
        let kind = if words::types().contains(&i.name) {
            TYPE
        } else if called {
            FUNCTION
        } else {
            VARIABLE
        };
        out.insert(i.span.start as usize, (kind, LIBRARY | READONLY));
    }
    out
}

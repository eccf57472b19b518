//! The programs of the language page parse; faulty ones get the messages they should; nothing panics.

use super::ast::*;
use super::parse::parse;
use super::samples::PROGRAMS;
use crate::diag::Sink;
use crate::source::FileId;

/// Parses a program and returns its tree and messages.
fn read(text: &str) -> (Option<Ast>, Sink) {
    let mut sink = Sink::default();
    let ast = parse(FileId(0), text, &mut sink);
    (ast, sink)
}

#[test]
fn the_language_pages_programs_parse() {
    for (name, text) in PROGRAMS {
        let (ast, sink) = read(text);
        let messages: Vec<_> = sink.items.iter().map(|d| (&d.message, &d.labels, &d.help)).collect();
        assert!(messages.is_empty(), "{name}: {messages:#?}");
        assert!(ast.is_some_and(|a| !a.items.is_empty()), "{name}");
    }
}

/// Not a check: shows the messages of one file named by `MGPU_SHOW`.
#[test]
fn show() {
    let Ok(path) = std::env::var("MGPU_SHOW") else { return };
    for text in std::fs::read_to_string(&path).unwrap_or_default().split("=====\n") {
        let mut map = crate::source::SourceMap::default();
        map.add("t.mgpu", text);
        let (_, sink) = read(text);
        for d in &sink.items {
            println!("{}", crate::diag::render::render(d, &map, false));
        }
        println!("-----------------------------------------");
    }
}

//! `mgpu doc`: the documentation comments of programs and library modules, as Markdown.

use super::MessageFormat;
use super::compile::Session;
use crate::check::LIBRARY;
use crate::diag::Diagnostic;
use crate::runtime::failure::exit;
use crate::source::{SourceMap, Span};
use crate::syntax::ast::{Ast, Item, ItemKind, KernelBody};
use clap::Args;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(Args, Clone)]
pub struct DocArgs {
    /// Programs, modules of the library (`std.stats`), or `std` for all of it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How diagnostics are printed
    #[arg(long, value_enum, default_value_t = MessageFormat::Human)]
    message_format: MessageFormat,
}

/// What stands at the head of the library's pages.
const LIBRARY_HEAD: &str = "# The library\n\n\
    Written in the language; `use std.NAME: …` brings functions into a program. The examples are the modules' own tests, which\n\
    `mgpu test std.NAME` runs. This page is what `mgpu doc std` prints.\n\n";

/// Prints the pages; gives the exit code.
pub fn doc(args: &DocArgs) -> u8 {
    let mut session = Session::new(args.message_format);
    let pages = session.on_deep_stack(|s| {
        let mut out = String::new();
        for file in &args.files {
            if file == Path::new("std") {
                out += LIBRARY_HEAD;
                for (name, _) in LIBRARY {
                    out += &page(s, Path::new(&format!("std.{name}")), "##")?;
                }
            } else {
                out += &page(s, file, "#")?;
            }
        }
        Some(out)
    });
    let code = match &pages {
        Some(text) if !session.sink.has_errors() => {
            print!("{text}");
            exit::OK
        }
        _ => session.refusal(),
    };
    session.flush();
    code
}

/// The page of one file; `level` is the mark of its heading.
fn page(session: &mut Session, path: &Path, level: &str) -> Option<String> {
    let ast = session.tree(path)?;
    if session.sink.has_errors() {
        return None;
    }
    let name = path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
    let mut out = format!("{level} {name}\n\n");
    if let Some(text) = &ast.doc {
        let _ = writeln!(out, "{}\n", trimmed(text));
    }
    let before = out.len();
    for item in &ast.items {
        if let (Some(text), Some((name, signature))) = (&item.doc, declared(item, &ast, &session.sources)) {
            let _ = writeln!(out, "{level}# {name}\n\n```text\n{signature}\n```\n\n{}\n", trimmed(text));
            for example in examples(&ast, name, &session.sources) {
                let _ = writeln!(out, "```mgpu,fragment\n{example}\n```\n");
            }
        }
    }
    if out.len() == before && ast.doc.is_none() {
        let help = "a line `/// …` before a declaration documents it";
        session.sink.push(Diagnostic::bare("E0003", format!("`{name}` has no documentation")).help(help));
        return None;
    }
    Some(out)
}

/// The lines of a comment without the blank behind `///`.
fn trimmed(doc: &str) -> String {
    doc.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

/// The name and the head of a declaration that documentation shows.
fn declared<'a>(item: &'a Item, ast: &Ast, sources: &SourceMap) -> Option<(&'a str, String)> {
    let whole = sources.text(item.span);
    let until = |body: Span| {
        let head = whole.get(..(body.start - item.span.start) as usize).unwrap_or(whole).trim_end();
        head.strip_suffix('=').unwrap_or(head).trim_end().to_string()
    };
    match &item.kind {
        ItemKind::Param { name, .. } => Some((&name.name, whole.trim_end().to_string())),
        ItemKind::Fn(f) => Some((&f.name.name, until(ast.expr(f.body).span))),
        ItemKind::Kernel(k) => Some((
            &k.name.name,
            until(match &k.body {
                KernelBody::Expr(e) => ast.expr(*e).span,
                KernelBody::Block(b) => b.span,
            }),
        )),
        ItemKind::Workflow(w) => Some((&w.name.name, until(w.body.span))),
        _ => None,
    }
}

/// The tests whose titles have the name as a word.
fn examples<'a>(ast: &'a Ast, name: &'a str, sources: &'a SourceMap) -> impl Iterator<Item = &'a str> {
    ast.items.iter().filter_map(move |item| match &item.kind {
        ItemKind::Test(t) if words(&t.title.text).any(|w| w == name) => Some(sources.text(item.span).trim_end()),
        _ => None,
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

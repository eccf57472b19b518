//! Everything the server knows about one version of one file. The tree and its names are always there; types, ranges and the plan
//! as far as the compiler gets.

use super::files::Folder;
use super::names::Names;
use super::text::Lines;
use crate::check::{Facts, Options, check_noting};
use crate::diag::{Diagnostic, Sink};
use crate::ir::index_box::IndexBox;
use crate::ir::plan::Plan;
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::ast::Ast;
use crate::syntax::parse::{parse, parse_tolerant};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// The longest that the compiler may take; what it would have found is then left out.
const PATIENCE: Duration = Duration::from_secs(5);
/// Deep enough for any program that the parser accepts.
const STACK: usize = 256 << 20;

/// What the editor asks the compiler to assume.
#[derive(Clone, Debug)]
pub struct Settings {
    pub ranks: i64,
    /// Values of parameters, as after `-p`.
    pub params: Vec<(String, String)>,
}

/// One version of one file.
pub struct Analysis {
    pub text: Arc<str>,
    pub lines: Lines,
    pub ast: Option<Ast>,
    pub names: Names,
    pub compiled: Compiled,
}

/// What the compiler found.
#[derive(Default)]
pub struct Compiled {
    /// The program's file is the first.
    pub sources: SourceMap,
    pub diagnostics: Vec<Diagnostic>,
    pub facts: Facts,
    /// The equations and reductions of the program with the index ranges they run over.
    pub sweeps: Vec<(Span, IndexBox)>,
    pub plan: Option<Plan>,
}

impl Analysis {
    /// Analyses a text.
    pub fn of(name: &str, text: Arc<str>, folder: Folder, settings: Settings) -> Analysis {
        let mut sink = Sink::default();
        let file = FileId(0);
        let ast = parse_tolerant(file, &text, &mut sink);
        let names = ast.as_ref().map_or_else(Names::default, |a| Names::of(a, &text));
        let strict = if sink.items.is_empty() { ast.clone() } else { parse(file, &text, &mut Sink::default()) };
        let lines = Lines::new(&text);
        let mut sources = SourceMap::default();
        sources.add(name, text.clone());
        let found = sink.items.clone();
        let (send, receive) = channel();
        let work = move || {
            let compiled = compile(strict, sources, sink, &folder, &settings);
            let _ = send.send(compiled);
        };
        let started = std::thread::Builder::new().stack_size(STACK).spawn(work).is_ok();
        let compiled = started.then(|| receive.recv_timeout(PATIENCE).ok()).flatten();
        let compiled = compiled.unwrap_or_else(|| {
            let mut sources = SourceMap::default();
            sources.add(name, text.clone());
            Compiled { sources, diagnostics: found, ..Compiled::default() }
        });
        Analysis { text, lines, ast, names, compiled }
    }
}

/// Checks and plans.
fn compile(ast: Option<Ast>, sources: SourceMap, sink: Sink, folder: &Folder, settings: &Settings) -> Compiled {
    let mut out = Compiled { sources, ..Compiled::default() };
    let mut sink = sink;
    if let Some(ast) = ast {
        let options = Options { params: &settings.params, ranks: settings.ranks };
        let facts = Some(&mut out.facts);
        if let Some(program) = check_noting(ast, &mut out.sources, folder, &options, &mut sink, facts) {
            out.sweeps = program.nests.iter().map(|n| (n.span, n.domain.clone())).collect();
            out.plan = crate::planner::plan(program, settings.ranks, &mut sink);
        }
    }
    out.diagnostics = sink.items;
    out
}

//! Tree to bound program: names, types, shapes, coverage and bounds, with every parameter's value known.
//!
//! Kernels and functions are expanded where they are called, with concrete extents; those that nothing calls are expanded
//! once with made-up extents so that their names and types are checked too.

mod alone;
mod arg_reduce;
mod around;
mod assign;
mod bind;
mod block;
mod bounds;
mod calls;
mod clear;
mod combine;
mod complex;
mod cover;
mod declare;
mod emit;
mod env;
mod equation;
mod expr;
mod facts;
mod fold_inside;
mod grad;
mod indirect;
mod infer;
mod kernel;
mod left;
mod long_fold;
mod mistaken;
mod modules;
mod narrow;
mod outcome;
mod partial;
mod place;
mod range;
mod reduce;
mod scan;
mod scatter;
mod shared;
mod single;
mod space;
mod subscript;
mod table;
mod template;
mod test_block;
mod types;
mod unknown;
mod workflow;

pub use calls::NAMES as BUILTIN_FUNCTIONS;
pub use facts::Facts;
pub use modules::{LIBRARY, Loader, NoFiles};

use crate::diag::{Diagnostic, Sink};
use crate::ir::kernel::ArrayId;
use crate::ir::program::{Program, Stmt, StmtKind};
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::ast::{Ast, Expr, ExprId};
use emit::Builder;
use env::{Env, Globals};
use std::rc::Rc;

/// What the checker is told besides the source.
pub struct Options<'a> {
    /// `-p name=value`, in order; a later one wins.
    pub params: &'a [(String, String)],
    pub ranks: i64,
}

/// One module: its tree and its top-level names.
struct Module {
    ast: Rc<Ast>,
    globals: Globals,
    /// Items used by other modules or calls, by index: what remains is checked on its own.
    used: std::collections::BTreeSet<usize>,
}

/// A function, kernel, workflow or test being expanded.
struct Expansion {
    /// Its module and its number there.
    item: (usize, usize),
    /// Its name and the place of the call.
    call: Option<(String, Span)>,
}

/// The state of checking one program.
pub struct Checker<'a> {
    sink: &'a mut Sink,
    sources: &'a mut SourceMap,
    loader: &'a dyn Loader,
    options: &'a Options<'a>,
    modules: Vec<Module>,
    program: Program,
    /// The module and the local names of the code being checked.
    module: usize,
    env: Env,
    /// The code being written: the last is innermost.
    builders: Vec<Builder>,
    /// The statements being written: the last is innermost.
    blocks: Vec<Vec<Stmt>>,
    /// Functions and kernels being expanded, to find recursion.
    expanding: Vec<Expansion>,
    /// The workflow's statement being checked.
    statement: Span,
    /// Loops of the workflow around the statement being checked.
    loops: usize,
    /// The calls of the kernels being expanded.
    calls: Vec<Span>,
    /// Loops around the statement being checked, those around the calls of its workflow included.
    repeated: usize,
    /// Clearing nests that may turn out needless.
    clears: Vec<clear::Clear>,
    /// Arrays that statements other than nests name, so that no other array may take their place in nests.
    pinned: std::collections::BTreeSet<ArrayId>,
    /// The modules of derivatives that were written, by what they derive.
    derivatives: std::collections::BTreeMap<String, usize>,
    /// Bounds are not reported: the extents are made up.
    generic: bool,
    /// The names of those extents, in the order of their values.
    made_up: Vec<String>,
    /// The names of the indices of the nest being written, by domain dimension, for messages.
    index_names: Vec<String>,
    /// The extents of the kernel being expanded: not indices.
    extent_names: Vec<String>,
    /// Intermediates being expanded inside each other.
    depth: usize,
    /// Files being loaded, to find a circle.
    loading: Vec<String>,
    /// Parameters declared so far.
    params_seen: Vec<String>,
    /// Names of the kernels being expanded, for the plan.
    naming: Vec<String>,
    /// Arrays that `let`s of the blocks being written named, and whole copies from such.
    lets: Vec<ArrayId>,
    copies: Vec<clear::Copy>,
    /// What the statement being checked names several times.
    shared: shared::Shared,
    /// Conditions on scalars around the code being written.
    scalar_facts: Vec<narrow::ScalarFact>,
    /// Array parameters of the workflow being expanded.
    read_only: Vec<ArrayId>,
    /// The test of the main module that is checked in place of `main`.
    test: Option<usize>,
    /// Unknown names that were reported, and where nothing more is said of them.
    told: Vec<(String, Span)>,
    /// Tables of literals take the type around an element: not where it is about to be converted.
    tables_adapt: bool,
    /// What editors want to know, where one asks.
    facts: Option<&'a mut Facts>,
}

/// Checks the module `file` (already parsed as `ast`) and everything it uses.
pub fn check(
    ast: Ast,
    sources: &mut SourceMap,
    loader: &dyn Loader,
    options: &Options,
    sink: &mut Sink,
) -> Option<Program> {
    check_noting(ast, sources, loader, options, sink, None)
}

/// [`check`], with the types and values of the main module's expressions written down, whether or not it succeeds.
pub fn check_noting(
    ast: Ast,
    sources: &mut SourceMap,
    loader: &dyn Loader,
    options: &Options,
    sink: &mut Sink,
    facts: Option<&mut Facts>,
) -> Option<Program> {
    bound(ast, None, sources, loader, options, sink, facts)
}

/// The program that one `test` of the main module is, by its place among the items, with the parameters that it sets.
pub fn check_test(
    ast: Ast,
    test: usize,
    sources: &mut SourceMap,
    loader: &dyn Loader,
    options: &Options,
    sink: &mut Sink,
) -> Option<Program> {
    bound(ast, Some(test), sources, loader, options, sink, None)
}

fn bound(
    ast: Ast,
    test: Option<usize>,
    sources: &mut SourceMap,
    loader: &dyn Loader,
    options: &Options,
    sink: &mut Sink,
    facts: Option<&mut Facts>,
) -> Option<Program> {
    let mut checker = Checker {
        sink,
        sources,
        loader,
        options,
        modules: vec![],
        program: Program::default(),
        module: 0,
        env: Env::default(),
        builders: vec![],
        blocks: vec![vec![]],
        expanding: vec![],
        statement: Span::new(FileId(0), 0, 0),
        loops: 0,
        repeated: 0,
        calls: vec![],
        clears: vec![],
        pinned: Default::default(),
        derivatives: Default::default(),
        generic: false,
        made_up: vec![],
        index_names: vec![],
        extent_names: vec![],
        depth: 0,
        loading: vec![],
        params_seen: vec![],
        naming: vec![],
        lets: vec![],
        copies: vec![],
        shared: shared::Shared::default(),
        scalar_facts: vec![],
        read_only: vec![],
        test,
        told: vec![],
        tables_adapt: true,
        facts,
    };
    checker.program(ast);
    let mut program = std::mem::take(&mut checker.program);
    program.body = checker.blocks.pop().unwrap_or_default();
    if sink.has_errors() { None } else { Some(program) }
}

/// `1 subscript`, `2 subscripts`
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn subscripts_wanted(name: &str, dimensions: usize, written: usize) -> String {
    let are = if written == 1 { "is" } else { "are" };
    format!("`{name}` has {}, and {} {are} written", counted(dimensions, "dimension"), counted(written, "subscript"))
}

fn arguments_wanted(name: &str, takes: usize, given: usize) -> String {
    let are = if given == 1 { "is" } else { "are" };
    format!("`{name}` takes {}, and {given} {are} given", counted(takes, "argument"))
}

impl Checker<'_> {
    fn ast(&self) -> Rc<Ast> {
        self.modules[self.module].ast.clone()
    }

    fn node(&self, id: ExprId) -> Expr {
        self.modules[self.module].ast.expr(id).clone()
    }

    fn span(&self, id: ExprId) -> Span {
        self.modules[self.module].ast.expr(id).span
    }

    fn report(&mut self, d: Diagnostic) {
        let d = self.seen_from_a_call(d);
        self.sink.push(d);
    }

    /// What is wrong in the text of the library is told where the program calls it: nobody edits the library.
    fn seen_from_a_call(&self, d: Diagnostic) -> Diagnostic {
        let library = |s: Span| modules::is_library(&self.sources.file(s.file).name);
        let Some((at, label)) = d.labels.first().filter(|l| library(l.0)) else { return d };
        let calls = self.expanding.iter().rev().filter_map(|e| e.call.as_ref());
        let Some((name, call)) = calls.into_iter().find(|c| !library(c.1)) else { return d };
        let place = format!("{}:{}", self.sources.file(at.file).name, self.sources.line_col(*at).0);
        let text = self.short_text(*at).map_or(String::new(), |t| format!(", `{t}`"));
        let message = format!("`{name}` is not made for what it is given: {}", d.message);
        let other = if matches!(d.code, "E0210" | "E0213") { "; give it elements of another type" } else { "" };
        let help = format!("in its text ({place}{text}): {label}{other}");
        let whole = Diagnostic { labels: vec![], help: None, ..d };
        Diagnostic { message, ..whole }.label(*call, "called here").help(help)
    }

    /// Reports an error with what to write in its place.
    fn fail_help<T>(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.report(Diagnostic::error(code, message, span, label).help(help));
        None
    }

    /// What no program is known to reach.
    fn beyond<T>(&mut self, what: &str, span: Span) -> Option<T> {
        let help = "this is a defect of mgpu; please report it with the program";
        self.fail_help("E0800", format!("internal error: {what} cannot be compiled"), span, "used here", help)
    }

    fn builder(&mut self) -> &mut Builder {
        if self.builders.is_empty() {
            self.builders.push(Builder::new(vec![]));
        }
        let last = self.builders.len() - 1;
        &mut self.builders[last]
    }

    /// Starts other code, which runs only where the present code does.
    fn push_builder(&mut self, mut b: Builder) {
        b.conditional = self.builders.last().is_some_and(|top| top.conditional);
        self.builders.push(b);
    }

    fn emit_stmt(&mut self, kind: StmtKind, span: Span) {
        if let Some(block) = self.blocks.last_mut() {
            block.push(Stmt { kind, span, source: self.statement });
        }
    }

    /// Runs `f` with the names of `module` and `env` in scope.
    fn in_scope<T>(&mut self, module: usize, env: Env, f: impl FnOnce(&mut Self) -> T) -> T {
        let before = (std::mem::replace(&mut self.module, module), std::mem::replace(&mut self.env, env));
        let out = self.tables_adapting(true, f);
        (self.module, self.env) = before;
        out
    }
}

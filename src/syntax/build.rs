//! The state of building a tree: the arena of expressions with its limits, and the errors met on the way.

use pest::iterators::Pair;

use super::ast::{Expr, ExprId, ExprKind, Ident, StrLit};
use super::grammar::Rule;
use crate::diag::{Diagnostic, Sink};
use crate::source::{FileId, Span};

/// The most expressions in one file.
pub(super) const MAX_EXPRS: usize = 100_000;
/// The deepest expression.
pub(super) const MAX_DEPTH: usize = 1_000;

/// Builds the trees of one file, declaration by declaration.
pub(super) struct Builder<'a> {
    file: FileId,
    text: &'a str,
    /// Where the text given to pest starts in the file.
    pub base: usize,
    exprs: Vec<Expr>,
    /// The depth of each expression.
    depths: Vec<u32>,
    sink: &'a mut Sink,
    /// An error was met in the declaration at hand.
    pub bad: bool,
    full: bool,
}

impl<'a> Builder<'a> {
    /// A builder for one file.
    pub fn new(file: FileId, text: &'a str, sink: &'a mut Sink) -> Builder<'a> {
        Builder { file, text, base: 0, exprs: Vec::new(), depths: Vec::new(), sink, bad: false, full: false }
    }

    /// The expressions built.
    pub fn exprs(&self) -> &[Expr] {
        &self.exprs
    }

    /// The expressions built, at the end.
    pub fn finish(self) -> Vec<Expr> {
        self.exprs
    }

    /// The file at hand.
    pub fn file(&self) -> FileId {
        self.file
    }

    /// Forgets the expressions from `len` on: those of a faulty declaration.
    pub fn truncate(&mut self, len: usize) {
        self.exprs.truncate(len);
        self.depths.truncate(len);
    }

    /// Whether the limit on expressions is reached, so that nothing more is worth building.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Reports an error of the declaration at hand.
    pub fn error(&mut self, d: Diagnostic) {
        self.bad = true;
        self.sink.push(d);
    }

    /// Where errors go.
    pub fn sink(&mut self) -> &mut Sink {
        self.sink
    }

    /// Reports that an expression is too deep.
    pub fn too_deep(&mut self, span: Span) {
        let first = Span { end: (span.start + 1).min(span.end), ..span };
        let message = format!("this expression is nested more than {MAX_DEPTH} deep");
        self.error(Diagnostic::error("E0110", message, first, "starts here").help("name parts of it with `let`"));
    }

    /// Adds an expression.
    pub fn expr(&mut self, kind: ExprKind, span: Span) -> ExprId {
        if self.exprs.len() >= MAX_EXPRS {
            if !self.full {
                self.full = true;
                let message = format!("the file has more than {MAX_EXPRS} expressions");
                let d = Diagnostic::error("E0110", message, span, "this one is too many");
                self.error(d.help("split the file, or read data with `load`"));
            }
            return ExprId(0);
        }
        let mut deepest = 0;
        children(&kind, &mut |c| deepest = deepest.max(self.depths.get(c.0 as usize).copied().unwrap_or(0)));
        if deepest as usize + 1 > MAX_DEPTH && !self.bad {
            self.too_deep(span);
        }
        self.exprs.push(Expr { kind, span });
        self.depths.push(deepest + 1);
        ExprId(self.exprs.len() as u32 - 1)
    }

    /// A stand-in where an error was reported.
    pub fn dummy(&mut self, span: Span) -> ExprId {
        self.bad = true;
        self.expr(ExprKind::Int(0), span)
    }

    /// The place of a pair in the file, without blanks at its end.
    pub fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let s = pair.as_span();
        let end = s.start() + pair.as_str().trim_end().len();
        Span::new(self.file, self.base + s.start(), self.base + end.max(s.start()))
    }

    /// The text that a span of this file covers.
    pub fn text_of(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// A name.
    pub fn ident(&self, pair: &Pair<'_, Rule>) -> Ident {
        Ident { name: pair.as_str().trim_end().to_string(), span: self.span(pair) }
    }

    /// A name that stands at the place of a pair that should have held one.
    pub fn no_ident(&mut self, span: Span) -> Ident {
        self.bad = true;
        Ident { name: String::new(), span }
    }

    /// A string without holes.
    pub fn string(&mut self, pair: &Pair<'_, Rule>) -> StrLit {
        let span = self.span(pair);
        let inner = pair.as_str().get(1..pair.as_str().len().saturating_sub(1)).unwrap_or("");
        let text = self.unescape(inner, span.start as usize + 1);
        StrLit { text, span }
    }

    /// Resolves `\n \t \\ \"`; `at` is where `raw` stands in the file.
    pub fn unescape(&mut self, raw: &str, at: usize) -> String {
        let mut out = String::with_capacity(raw.len());
        let mut chars = raw.char_indices();
        while let Some((i, c)) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, c @ ('\\' | '"'))) => out.push(c),
                other => {
                    let c = other.map_or('\\', |o| o.1);
                    let span = Span::new(self.file, at + i, at + i + 1 + c.len_utf8());
                    let d = Diagnostic::error("E0103", format!("`\\{c}` is not an escape"), span, "unknown escape");
                    self.error(d.help("the escapes are `\\n`, `\\t`, `\\\\` and `\\\"`; `\\\\` is one backslash"));
                }
            }
        }
        out
    }
}

/// Calls `f` with each expression directly under an expression, those in statements included.
fn children(kind: &ExprKind, f: &mut dyn FnMut(ExprId)) {
    use super::walk::{block, index_list};
    match kind {
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Name(_) | ExprKind::Hole => {}
        ExprKind::Index { subscripts: list, .. }
        | ExprKind::Call { args: list, .. }
        | ExprKind::Tuple(list)
        | ExprKind::Table(list) => list.iter().for_each(|e| f(*e)),
        ExprKind::Unary { arg, .. } => f(*arg),
        ExprKind::Binary { left, right, .. } => [left, right].into_iter().for_each(|e| f(*e)),
        ExprKind::If { cond, then, otherwise } => [cond, then, otherwise].into_iter().for_each(|e| f(*e)),
        ExprKind::Block(b) => block(b, f),
        ExprKind::Reduce { indices, term, .. } | ExprKind::Scan { indices, term, .. } => {
            index_list(indices, f);
            f(*term);
        }
        ExprKind::Combine { start, indices, term, .. } => {
            f(*start);
            index_list(indices, f);
            f(*term);
        }
        ExprKind::Grad { call, .. } => f(*call),
    }
}

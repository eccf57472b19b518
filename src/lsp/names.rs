//! What the names of one file mean: its symbols, where each is visible, and every place that names it. From the tree alone, so
//! that a program with errors has names too.

use super::resolve::Resolver;
use crate::source::Span;
use crate::syntax::ast::{Ast, Ident, TypeExpr};

/// What a symbol is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Param,
    Const,
    Partition,
    Array,
    Function,
    Kernel,
    Workflow,
    Argument,
    Extent,
    Result,
    Index,
    Let,
    Var,
    /// `let flux[i] = …`
    Intermediate,
    /// Brought in by a `use`.
    Import,
    /// Declared, but its declaration cannot be read.
    Unreadable,
}

impl Kind {
    /// The word that hover shows.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Param => "parameter of the program",
            Kind::Const => "constant",
            Kind::Partition => "partition",
            Kind::Array => "array",
            Kind::Function => "function",
            Kind::Kernel => "kernel",
            Kind::Workflow => "workflow",
            Kind::Argument => "argument",
            Kind::Extent => "extent",
            Kind::Result => "result",
            Kind::Index => "index",
            Kind::Let => "value",
            Kind::Var => "variable",
            Kind::Intermediate => "intermediate, evaluated where it is read",
            Kind::Import => "imported",
            Kind::Unreadable => "declaration with errors",
        }
    }

    pub fn is_callable(self) -> bool {
        matches!(self, Kind::Function | Kind::Kernel | Kind::Workflow)
    }
}

/// A declared name.
#[derive(Clone, Debug)]
pub struct Symbol {
    pub name: String,
    pub kind: Kind,
    /// Where its name is declared.
    pub span: Span,
    /// The bytes where it can be named.
    pub visible: (u32, u32),
    /// Its declaration as written, on one line.
    pub detail: String,
    pub doc: Option<String>,
    /// The top-level declaration it belongs to, by index into [`Ast::items`].
    pub item: Option<usize>,
    /// It stands at the top of the file.
    pub top: bool,
    /// An expression whose value it is (`let x = …`), for its type.
    pub value: Option<Span>,
    /// Its type as declared.
    pub ty: Option<TypeExpr>,
    /// For an import, the module it comes from.
    pub module: Option<Module>,
}

/// The module of a `use`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Module {
    /// `std.NAME`
    Library(String),
    /// A path, relative to the file that uses it.
    File(String),
}

/// A place that names a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    pub span: Span,
    /// An index into [`Names::symbols`].
    pub symbol: usize,
    /// It is where the symbol is declared.
    pub declares: bool,
    /// It is assigned there.
    pub writes: bool,
}

/// The names of one file.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub symbols: Vec<Symbol>,
    /// In order of place, no place twice.
    pub occurrences: Vec<Occurrence>,
    /// Names that the file does not declare: built in, or unknown.
    pub others: Vec<Ident>,
    /// The modules that the file uses, with the places of their names.
    pub uses: Vec<(Module, Span)>,
}

impl Names {
    /// The names of a parsed file.
    pub fn of(ast: &Ast, text: &str) -> Names {
        Resolver::new(ast, text).run()
    }

    /// The occurrence that holds a byte, or ends at it.
    pub fn at(&self, byte: usize) -> Option<&Occurrence> {
        let byte = byte as u32;
        let after = self.occurrences.partition_point(|o| o.span.start <= byte);
        self.occurrences[..after].last().filter(|o| byte <= o.span.end)
    }

    /// The name at a byte that the file does not declare.
    pub fn other_at(&self, byte: usize) -> Option<&Ident> {
        let byte = byte as u32;
        self.others.iter().find(|i| i.span.start <= byte && byte <= i.span.end)
    }

    /// All places of a symbol.
    pub fn places(&self, symbol: usize) -> impl Iterator<Item = &Occurrence> {
        self.occurrences.iter().filter(move |o| o.symbol == symbol)
    }

    /// The symbols that can be named at a byte, inner ones first; of several with one name the innermost.
    pub fn visible_at(&self, byte: usize) -> Vec<&Symbol> {
        let byte = byte as u32;
        let mut out: Vec<&Symbol> = vec![];
        for s in self.symbols.iter().rev().filter(|s| s.visible.0 <= byte && byte <= s.visible.1) {
            if !out.iter().any(|o| o.name == s.name) {
                out.push(s);
            }
        }
        out
    }

    /// The symbol at the top of the file with a name.
    pub fn top(&self, name: &str) -> Option<&Symbol> {
        self.symbols.iter().find(|s| s.top && s.name == name)
    }
}

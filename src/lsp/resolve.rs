//! The walk over a tree that finds what every name means.

use super::names::{Kind, Module, Names, Occurrence, Symbol};
use crate::source::Span;
use crate::syntax::ast::*;
use std::collections::HashMap;

/// The state of the walk.
pub(super) struct Resolver<'a> {
    pub ast: &'a Ast,
    pub text: &'a str,
    pub out: Names,
    /// Local names in scope, the innermost last.
    pub scope: Vec<usize>,
    /// Names at the top; of several the first.
    tops: HashMap<String, usize>,
    /// The declaration being walked.
    item: Option<usize>,
}

/// What the walk knows of a new symbol besides its name.
pub(super) struct New {
    pub kind: Kind,
    pub visible: (u32, u32),
    pub detail: String,
    pub value: Option<Span>,
    pub ty: Option<TypeExpr>,
}

impl<'a> Resolver<'a> {
    pub fn new(ast: &'a Ast, text: &'a str) -> Resolver<'a> {
        Resolver { ast, text, out: Names::default(), scope: vec![], tops: HashMap::new(), item: None }
    }

    /// All names of the file.
    pub fn run(mut self) -> Names {
        for (i, item) in self.ast.items.iter().enumerate() {
            self.item = Some(i);
            self.declare_item(item);
        }
        self.item = None;
        for name in &self.ast.faulty {
            self.declare_top(name, Kind::Unreadable, format!("{} …", name.name), None);
        }
        for (i, item) in self.ast.items.iter().enumerate() {
            self.item = Some(i);
            self.walk_item(item);
            self.scope.clear();
        }
        let mut out = self.out;
        out.occurrences.sort_by_key(|o| (o.span.start, !o.declares));
        out.occurrences.dedup_by_key(|o| o.span.start);
        out
    }

    /// A declaration's head: up to its body.
    fn head(&self, item: &Item, body: Option<Span>) -> String {
        let end = body.map_or(item.span.end, |b| b.start);
        let text = self.text.get(item.span.start as usize..end as usize).unwrap_or("");
        one_line(text.trim_end().trim_end_matches(['=', '{']))
    }

    fn declare_item(&mut self, item: &Item) {
        let doc = item.doc.clone();
        let whole = self.head(item, None);
        let body = |id: ExprId| Some(self.ast.expr(id).span);
        match &item.kind {
            ItemKind::Use { path, names } => self.declare_use(path, names, &whole),
            ItemKind::Param { name, .. } => self.declare_top(name, Kind::Param, whole, doc),
            ItemKind::Let { name, value, .. } => {
                let at = body(*value);
                self.declare_top(name, Kind::Const, whole, doc);
                if let Some(s) = self.out.symbols.last_mut() {
                    s.value = at;
                }
            }
            ItemKind::Partition { name, .. } => self.declare_top(name, Kind::Partition, whole, doc),
            ItemKind::Array(a) => self.declare_arrays(a, whole, doc),
            ItemKind::Fn(f) => {
                let head = self.head(item, body(f.body));
                self.declare_top(&f.name, Kind::Function, head, doc);
            }
            ItemKind::Kernel(k) => {
                let at = match &k.body {
                    KernelBody::Expr(e) => self.ast.expr(*e).span,
                    KernelBody::Block(b) => b.span,
                };
                let head = self.head(item, Some(at));
                self.declare_top(&k.name, Kind::Kernel, head, doc);
            }
            ItemKind::Workflow(w) => {
                let head = self.head(item, Some(w.body.span));
                self.declare_top(&w.name, Kind::Workflow, head, doc);
            }
            ItemKind::Test(_) => {}
        }
    }

    fn declare_use(&mut self, path: &UsePath, names: &[Ident], detail: &str) {
        let (module, span) = match path {
            UsePath::File(lit) => (Module::File(lit.text.clone()), lit.span),
            UsePath::Library(parts) => {
                let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return };
                (Module::Library(last.name.clone()), first.span.to(last.span))
            }
        };
        self.out.uses.push((module.clone(), span));
        for n in names {
            self.declare_top(n, Kind::Import, detail.to_string(), None);
            if let Some(s) = self.out.symbols.last_mut() {
                s.module = Some(module.clone());
            }
        }
    }

    fn declare_arrays(&mut self, a: &ArrayDecl, detail: String, doc: Option<String>) {
        if let ArrayBody::Typed { ty, from: Some(_), .. } = &a.body {
            // Extents that the file gives.
            for &d in ty.shape.iter().flatten() {
                let e = self.ast.expr(d);
                if let ExprKind::Name(n) = &e.kind
                    && !self.tops.contains_key(n)
                {
                    let name = Ident { name: n.clone(), span: e.span };
                    self.declare_top(&name, Kind::Extent, format!("{n}, an extent of the file"), None);
                }
            }
        }
        for n in &a.names {
            self.declare_top(n, Kind::Array, detail.clone(), doc.clone());
            if let (ArrayBody::Typed { ty, .. }, Some(s)) = (&a.body, self.out.symbols.last_mut()) {
                s.ty = Some(ty.clone());
            }
        }
    }

    fn declare_top(&mut self, name: &Ident, kind: Kind, detail: String, doc: Option<String>) {
        let new = New { kind, visible: (0, self.text.len() as u32), detail, value: None, ty: None };
        let k = self.add(name, new);
        self.tops.entry(name.name.clone()).or_insert(k);
        self.out.symbols[k].doc = doc;
        self.out.symbols[k].top = true;
    }

    fn add(&mut self, name: &Ident, new: New) -> usize {
        let symbol = self.out.symbols.len();
        self.out.symbols.push(Symbol {
            name: name.name.clone(),
            kind: new.kind,
            span: name.span,
            visible: if name.name.is_empty() { (1, 0) } else { new.visible },
            detail: new.detail,
            doc: None,
            item: self.item,
            top: false,
            value: new.value,
            ty: new.ty,
            module: None,
        });
        if !name.name.is_empty() {
            self.out.occurrences.push(Occurrence { span: name.span, symbol, declares: true, writes: true });
        }
        symbol
    }

    /// Brings a local name into scope.
    pub fn local(&mut self, name: &Ident, new: New) {
        let k = self.add(name, new);
        self.scope.push(k);
    }

    /// The symbol that a local name means.
    pub fn find_local(&self, name: &str) -> Option<usize> {
        self.scope.iter().rev().copied().find(|&k| self.out.symbols[k].name == name)
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.find_local(name).or_else(|| self.tops.get(name).copied())
    }

    /// Whether a name at the top is a value, so that it is no index.
    pub fn is_top_value(&self, name: &str) -> bool {
        let value =
            |k: &usize| matches!(self.out.symbols[*k].kind, Kind::Param | Kind::Const | Kind::Import | Kind::Extent);
        self.tops.get(name).is_some_and(value)
    }

    /// Notes that a name is used.
    pub fn refer(&mut self, name: &Ident, writes: bool) {
        if name.name.is_empty() {
            return;
        }
        match self.find(&name.name) {
            Some(symbol) => {
                self.out.occurrences.push(Occurrence { span: name.span, symbol, declares: false, writes });
            }
            None => self.out.others.push(name.clone()),
        }
    }

    /// The text of a place, on one line.
    pub fn text_of(&self, span: Span) -> String {
        one_line(self.text.get(span.start as usize..span.end as usize).unwrap_or(""))
    }
}

/// A text with its comments left out and its blanks and newlines made single.
pub(super) fn one_line(text: &str) -> String {
    let lines = text.lines().map(|l| l.split("//").next().unwrap_or(""));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ")
}

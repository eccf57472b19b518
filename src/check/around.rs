//! What stands around a place in the program, for the help of reports.

use super::Checker;
use super::infer::children;
use crate::source::Span;
use crate::syntax::ast::{
    Ast, BinaryOp, Block, Expr, ExprId, ExprKind, FnDecl, Ident, Item, ItemKind, KernelBody, KernelDecl, Range, Stmt,
    StmtKind, WorkflowDecl,
};

/// The longest piece of a program that help repeats.
const SHORT: usize = 60;

/// Whether a place lies within another.
pub(super) fn within(inner: Span, outer: Span) -> bool {
    inner.file == outer.file && outer.start <= inner.start && inner.end <= outer.end
}

/// The statements around a place, the innermost last.
pub(super) fn statements_around(ast: &Ast, at: Span) -> Vec<&Stmt> {
    let items = ast.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Kernel(k) => match &k.body {
            KernelBody::Block(b) => Some(b),
            KernelBody::Expr(_) => None,
        },
        ItemKind::Workflow(w) => Some(&w.body),
        ItemKind::Test(t) => Some(&t.body),
        _ => None,
    });
    let inside = ast.exprs.iter().filter_map(|e| if let ExprKind::Block(b) = &e.kind { Some(b) } else { None });
    let mut out = vec![];
    items.chain(inside).for_each(|b| collect(b, at, &mut out));
    out.sort_by_key(|s| std::cmp::Reverse(s.span.end - s.span.start));
    out
}

fn collect<'a>(block: &'a Block, at: Span, out: &mut Vec<&'a Stmt>) {
    for s in block.stmts.iter().filter(|s| within(at, s.span)) {
        out.push(s);
        match &s.kind {
            StmtKind::For { body, .. } | StmtKind::While { body, .. } => collect(body, at, out),
            StmtKind::If { then, otherwise, .. } => {
                collect(then, at, out);
                otherwise.iter().for_each(|b| collect(b, at, out));
            }
            _ => {}
        }
    }
}

/// The names that a declaration at the top declares.
pub(super) fn names_of(item: &Item) -> &[Ident] {
    match &item.kind {
        ItemKind::Array(decl) => &decl.names,
        ItemKind::Param { name, .. } | ItemKind::Let { name, .. } | ItemKind::Partition { name, .. } => {
            std::slice::from_ref(name)
        }
        ItemKind::Fn(FnDecl { name, .. }) => std::slice::from_ref(name),
        ItemKind::Kernel(KernelDecl { name, .. }) => std::slice::from_ref(name),
        ItemKind::Workflow(WorkflowDecl { name, .. }) => std::slice::from_ref(name),
        ItemKind::Use { .. } | ItemKind::Test(_) => &[],
    }
}

/// The indices of a reduction or scan.
pub(super) fn indices(e: &Expr) -> &[(Ident, Option<Range>)] {
    match &e.kind {
        ExprKind::Reduce { indices, .. } | ExprKind::Scan { indices, .. } | ExprKind::Combine { indices, .. } => {
            indices
        }
        _ => &[],
    }
}

/// Whether a reduction's term would end inside an expression.
pub(super) fn is_loose(e: &Expr) -> bool {
    let products = [BinaryOp::Mul, BinaryOp::Div, BinaryOp::IntDiv, BinaryOp::Mod, BinaryOp::Pow];
    matches!(e.kind, ExprKind::Binary { op, .. } if !products.contains(&op))
}

/// Whether every bracket that closes in a text was opened in it.
pub(super) fn balanced(text: &str) -> bool {
    let mut depth = 0;
    text.bytes().all(|b| {
        depth += i32::from(matches!(b, b'(' | b'[' | b'{')) - i32::from(matches!(b, b')' | b']' | b'}'));
        depth >= 0
    })
}

/// `sum[i in 0..n]` of `sum[i in 0..n] u[i]`.
pub(super) fn head_of(reduction: &str) -> &str {
    let mut depth = 0;
    let end = reduction.bytes().position(|b| {
        depth += i32::from(matches!(b, b'(' | b'[')) - i32::from(matches!(b, b')' | b']'));
        b == b']' && depth == 0
    });
    end.map_or(reduction, |end| &reduction[..=end])
}

impl Checker<'_> {
    /// The text of a place, if help may repeat it.
    pub(super) fn short_text(&self, span: Span) -> Option<String> {
        let text = self.sources.text(span);
        (text.len() <= SHORT && !text.contains('\n')).then(|| text.to_string())
    }

    /// The places where a name stands in an expression.
    pub(super) fn places_of(&self, id: ExprId, name: &str) -> Vec<Span> {
        let ast = self.ast();
        let mut out: Vec<Span> = children(&ast, id).into_iter().flat_map(|c| self.places_of(c, name)).collect();
        let e = ast.expr(id);
        out.extend(matches!(&e.kind, ExprKind::Name(n) if n == name).then_some(e.span));
        out
    }

    /// Subscripts for an array of so many dimensions: the indices of the equation or reduction around a place, if they are as many.
    pub(super) fn indices_for(&self, rank: usize, at: Span) -> String {
        let ast = self.ast();
        let name = |id: &ExprId| if let ExprKind::Name(n) = &ast.expr(*id).kind { Some(n.clone()) } else { None };
        let reductions = ast.exprs.iter().filter(|e| within(at, e.span)).map(indices).filter(|i| i.len() == rank);
        // What is inside comes first in the arena.
        let reduced = reductions.map(|list| list.iter().map(|i| i.0.name.clone()).collect::<Vec<_>>()).next();
        let equation = statements_around(&ast, at).last().and_then(|s| match &s.kind {
            StmtKind::Assign { targets, .. } => targets.first()?.subscripts.as_ref()?.iter().map(name).collect(),
            _ => None,
        });
        match reduced.or(equation).filter(|names: &Vec<String>| names.len() == rank && rank > 0) {
            Some(names) => names.join(", "),
            None => self.free_indices(rank),
        }
    }

    /// Names for so many indices that mean nothing here yet.
    pub(super) fn free_indices(&self, count: usize) -> String {
        let free =
            |name: &String| self.env.find(name).is_none() && !self.modules[self.module].globals.contains_key(name);
        let letters = ('i'..='z').chain('a'..='h').map(String::from).filter(free);
        letters.take(count).collect::<Vec<_>>().join(", ")
    }
}

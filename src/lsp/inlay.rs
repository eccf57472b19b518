//! Inlay hints: what the compiler inferred and the text does not say: the ranges of indices, halos, types of values.

use super::View;
use super::hover::{plan_array, value_of};
use super::names::{Kind, Symbol};
use super::serve::Answer;
use crate::source::Span;
use crate::syntax::ast::{Ast, Block, Clause, ExprId, ExprKind, Ident, ItemKind, KernelBody, Stmt, StmtKind, Target};
use serde_json::{Value, json};

/// Answers `textDocument/inlayHint`.
pub fn hints(view: &View, params: &Value) -> Answer {
    let line = |k: &str| params["range"][k]["line"].as_u64();
    let (from, to) = (line("start").unwrap_or(0), line("end").unwrap_or(u64::MAX));
    let mut found: Vec<(u32, String)> = vec![];
    if let Some(ast) = &view.now.ast {
        let mut w = Walk { view, ast, out: &mut found };
        ast.items.iter().for_each(|i| w.item(&i.kind));
        reductions(view, ast, &mut found);
    }
    declared(view, &mut found);
    found.sort();
    let one = |(at, text): &(u32, String)| {
        let position = view.now.lines.position(&view.now.text, *at as usize);
        json!({"position": position, "label": text, "kind": 1, "paddingLeft": !text.starts_with(':')})
    };
    let inside = |h: &&(u32, String)| {
        let line = view.now.lines.line_of(h.0 as usize) as u64;
        from <= line && line <= to
    };
    let list: Vec<Value> = found.iter().filter(inside).map(one).collect();
    Ok(json!(list))
}

/// Types of values and halos of arrays, at their declarations.
fn declared(view: &View, out: &mut Vec<(u32, String)>) {
    for s in &view.now.names.symbols {
        match s.kind {
            Kind::Let | Kind::Var | Kind::Const if s.ty.is_none() && !annotated(view, s) => {
                if let Some((ty, _)) = value_of(view, s, s.span.start as usize) {
                    out.push((s.span.end, format!(": {ty}")));
                }
            }
            Kind::Array => {
                if let Some(a) = plan_array(view, s).filter(|a| a.ghost.iter().any(|g| *g != (0, 0))) {
                    let text = a.layout_text().0;
                    let halo = text.split(" | ").nth(1).unwrap_or("").trim_end_matches(']').to_string();
                    out.push((s.span.end, halo));
                }
            }
            _ => {}
        }
    }
}

/// Whether a type is written behind the name.
fn annotated(view: &View, s: &Symbol) -> bool {
    view.now.text.get(s.span.end as usize..).is_some_and(|t| t.trim_start().starts_with([':', ',']))
}

struct Walk<'a, 'b> {
    view: &'a View<'a>,
    ast: &'a Ast,
    out: &'b mut Vec<(u32, String)>,
}

impl Walk<'_, '_> {
    fn item(&mut self, kind: &ItemKind) {
        match kind {
            ItemKind::Kernel(k) => {
                if let KernelBody::Block(b) = &k.body {
                    self.block(b);
                }
            }
            ItemKind::Workflow(w) => self.block(&w.body),
            ItemKind::Test(t) => self.block(&t.body),
            _ => {}
        }
    }

    fn block(&mut self, b: &Block) {
        b.stmts.iter().for_each(|s| self.stmt(s));
    }

    fn stmt(&mut self, s: &Stmt) {
        match &s.kind {
            StmtKind::Assign { targets, clause, .. } => {
                if let ([t], Clause::Everywhere | Clause::For(_)) = (&targets[..], clause) {
                    self.equation(t, clause, s.span);
                }
            }
            StmtKind::For { body, .. } | StmtKind::While { body, .. } => self.block(body),
            StmtKind::If { then, otherwise, .. } => {
                self.block(then);
                otherwise.iter().for_each(|b| self.block(b));
            }
            _ => {}
        }
    }

    /// The ranges of an equation's indices, written as its own clause would be.
    fn equation(&mut self, t: &Target, clause: &Clause, stmt: Span) {
        let Some(subs) = &t.subscripts else { return };
        let ranged: Vec<&str> = match clause {
            Clause::For(list) => list.iter().map(|b| b.0.name.as_str()).collect(),
            _ => vec![],
        };
        let names = indices(self.view, self.ast, subs);
        let sweeps: Vec<_> = self.view.now.compiled.sweeps.iter().filter(|s| s.0 == t.span).collect();
        let Some((_, first)) = sweeps.first() else { return };
        if sweeps.iter().any(|s| s.1 != *first) || first.dims.len() != names.len() {
            return;
        }
        let shown: Vec<String> = names
            .iter()
            .zip(&first.dims)
            .filter(|(n, _)| !ranged.contains(&n.as_str()))
            .map(|(n, d)| format!("{n} in {}..{}", d.lo, d.hi))
            .collect();
        if !shown.is_empty() {
            let joint = if ranged.is_empty() { "for " } else { ", " };
            self.out.push((stmt.end, format!("{joint}{}", shown.join(", "))));
        }
    }
}

/// The indices of a left side, in order of their first place.
fn indices(view: &View, ast: &Ast, subs: &[ExprId]) -> Vec<String> {
    let (Some(first), Some(last)) = (subs.first(), subs.last()) else { return vec![] };
    let (start, end) = (ast.expr(*first).span.start, ast.expr(*last).span.end);
    let names = &view.now.names;
    let mut out: Vec<String> = vec![];
    for o in names.occurrences.iter().filter(|o| start <= o.span.start && o.span.end <= end) {
        let s = &names.symbols[o.symbol];
        // The index of a loop around the statement is a value here.
        let own = s.visible.0 <= start && s.detail.contains(": i64, ");
        if s.kind == Kind::Index && own && !out.contains(&s.name) {
            out.push(s.name.clone());
        }
    }
    out
}

/// The ranges of reductions' indices that have none written.
fn reductions(view: &View, ast: &Ast, out: &mut Vec<(u32, String)>) {
    for e in &ast.exprs {
        let ExprKind::Reduce { indices, term, .. } = &e.kind else { continue };
        for (name, range) in indices {
            if range.is_none()
                && let Some(n) = extent(view, ast, name, *term)
            {
                out.push((name.span.end, format!("in 0..{n}")));
            }
        }
    }
}

/// The extent of the dimension that an index subscripts on its own.
fn extent(view: &View, ast: &Ast, name: &Ident, term: ExprId) -> Option<String> {
    let span = ast.expr(term).span;
    let inside = |s: Span| span.start <= s.start && s.end <= span.end;
    ast.exprs.iter().filter(|e| inside(e.span)).find_map(|e| {
        let ExprKind::Index { base, subscripts } = &e.kind else { return None };
        let alone = |s: &ExprId| matches!(&ast.expr(*s).kind, ExprKind::Name(n) if *n == name.name);
        let d = subscripts.iter().position(alone)?;
        let o = view.now.names.at(base.span.start as usize)?;
        let s = &view.now.names.symbols[o.symbol];
        let dim = ast.expr(*s.ty.as_ref()?.shape.as_ref()?.get(d)?);
        match dim.kind {
            ExprKind::Int(n) => Some(n.to_string()),
            _ => view.now.compiled.facts.at(dim.span)?.1.map(|v| v.to_string()),
        }
    })
}

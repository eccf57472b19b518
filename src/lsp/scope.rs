//! Scopes: the names that declarations' bodies, statements and expressions bring in.

use super::names::Kind;
use super::resolve::{New, Resolver};
use crate::source::Span;
use crate::syntax::ast::*;

impl Resolver<'_> {
    pub(super) fn walk_item(&mut self, item: &Item) {
        let all = (item.span.start, item.span.end);
        match &item.kind {
            ItemKind::Use { .. } => {}
            ItemKind::Param { ty, default, .. } => {
                self.type_expr(ty);
                self.expr(*default);
            }
            ItemKind::Let { ty, value, .. } => {
                ty.iter().for_each(|t| self.type_expr(t));
                self.expr(*value);
            }
            ItemKind::Partition { placement, .. } => self.placement(placement),
            ItemKind::Array(a) => self.array_body(a),
            ItemKind::Fn(f) => {
                self.parameters(&f.params, all, false);
                f.results.iter().for_each(|t| self.type_expr(t));
                self.expr(f.body);
            }
            ItemKind::Kernel(k) => {
                self.parameters(&k.params, all, true);
                self.results(&k.results, all);
                match &k.body {
                    KernelBody::Expr(e) => self.expr(*e),
                    KernelBody::Block(b) => self.block(b),
                }
            }
            ItemKind::Workflow(w) => {
                self.parameters(&w.params, all, true);
                self.results(&w.results, all);
                self.block(&w.body);
            }
            ItemKind::Test(t) => {
                for (name, value) in &t.with {
                    self.refer(name, false);
                    self.expr(*value);
                }
                self.block(&t.body);
            }
        }
    }

    fn parameters(&mut self, params: &[Parameter], visible: (u32, u32), extents: bool) {
        for p in params {
            let detail = self.text_of(p.name.span.to(p.ty.span));
            let ty = Some(p.ty.clone());
            self.local(&p.name, New { kind: Kind::Argument, visible, detail, value: None, ty });
        }
        if extents {
            self.bind_extents(params, visible);
        }
        params.iter().for_each(|p| self.type_expr(&p.ty));
    }

    /// A plain name in an array parameter's shape is bound there.
    fn bind_extents(&mut self, params: &[Parameter], visible: (u32, u32)) {
        let dims = params.iter().flat_map(|p| p.ty.shape.iter().flatten().map(move |d| (p, *d)));
        for (p, d) in dims {
            let e = self.ast.expr(d);
            if let ExprKind::Name(n) = &e.kind
                && self.find_local(n).is_none()
            {
                let name = Ident { name: n.clone(), span: e.span };
                let detail = format!("{n}: i64, an extent of `{}`", p.name.name);
                self.local(&name, New { kind: Kind::Extent, visible, detail, value: Some(e.span), ty: None });
            }
        }
    }

    fn results(&mut self, results: &[ResultDecl], visible: (u32, u32)) {
        for r in results {
            self.type_expr(&r.ty);
            if let Some(name) = &r.name {
                let detail = self.text_of(name.span.to(r.ty.span));
                let ty = Some(r.ty.clone());
                self.local(name, New { kind: Kind::Result, visible, detail, value: None, ty });
            }
        }
    }

    fn type_expr(&mut self, t: &TypeExpr) {
        t.shape.iter().flatten().for_each(|e| self.expr(*e));
    }

    fn placement(&mut self, p: &Placement) {
        match p {
            Placement::Named(n) | Placement::Aligned(n) => self.refer(n, false),
            Placement::Replicated(_) => {}
            Placement::Dists { .. } => crate::syntax::walk::placement(p, &mut |e| self.expr(e)),
        }
    }

    fn array_body(&mut self, a: &ArrayDecl) {
        match &a.body {
            ArrayBody::Like(other) => self.refer(other, false),
            ArrayBody::Typed { ty, placement, edges, .. } => {
                self.type_expr(ty);
                placement.iter().for_each(|p| self.placement(p));
                for e in edges {
                    if let Edge::Constant(v, _) = e {
                        self.expr(*v);
                    }
                }
            }
        }
    }

    fn block(&mut self, b: &Block) {
        let outer = self.scope.len();
        b.stmts.iter().for_each(|s| self.stmt(s, b.span.end));
        b.value.into_iter().for_each(|v| self.expr(v));
        self.scope.truncate(outer);
    }

    fn stmt(&mut self, s: &Stmt, end: u32) {
        let rest = (s.span.end, end);
        match &s.kind {
            StmtKind::Let { targets, ty, value } => self.let_stmt(targets, ty.as_ref(), *value, s.span, end),
            StmtKind::Var { name, ty, value } => {
                ty.iter().for_each(|t| self.type_expr(t));
                self.expr(*value);
                self.named(name, Kind::Var, rest, *value);
            }
            StmtKind::Assign { targets, value, clause, .. } => self.assign(targets, *value, clause, s.span),
            StmtKind::For { index, range, body } => {
                self.range(range);
                let outer = self.scope.len();
                let detail = format!("{} in {}", index.name, self.text_of(range.span));
                let visible = (index.span.start, body.span.end);
                self.local(index, New { kind: Kind::Index, visible, detail, value: None, ty: None });
                self.block(body);
                self.scope.truncate(outer);
            }
            StmtKind::While { cond, body } => {
                self.expr(*cond);
                self.block(body);
            }
            StmtKind::If { cond, then, otherwise } => {
                self.expr(*cond);
                self.block(then);
                otherwise.iter().for_each(|b| self.block(b));
            }
            StmtKind::Break => {}
            StmtKind::Print { text } => self.template(text),
            StmtKind::Assert { cond, why } => {
                self.expr(*cond);
                why.iter().for_each(|t| self.template(t));
            }
            StmtKind::Expect { cond } => self.expr(*cond),
            StmtKind::Load { array, path } => self.file_stmt(array, path, true),
            StmtKind::Save { array, path } | StmtKind::Plot { array, path, .. } => self.file_stmt(array, path, false),
            StmtKind::Array(a) => {
                self.array_body(a);
                let detail = self.text_of(a.span);
                let ty = if let ArrayBody::Typed { ty, .. } = &a.body { Some(ty.clone()) } else { None };
                for n in &a.names {
                    let (detail, ty) = (detail.clone(), ty.clone());
                    self.local(n, New { kind: Kind::Array, visible: rest, detail, value: None, ty });
                }
            }
            StmtKind::Expr(e) => self.expr(*e),
        }
    }

    fn file_stmt(&mut self, array: &Ident, path: &Template, writes: bool) {
        self.refer(array, writes);
        self.template(path);
    }

    fn named(&mut self, name: &Ident, kind: Kind, visible: (u32, u32), value: ExprId) {
        let word = if kind == Kind::Var { "var" } else { "let" };
        let detail = format!("{word} {} = {}", name.name, shortened(&self.text_of(self.ast.expr(value).span)));
        self.local(name, New { kind, visible, detail, value: Some(self.ast.expr(value).span), ty: None });
    }

    fn let_stmt(&mut self, targets: &[Target], ty: Option<&TypeExpr>, value: ExprId, span: Span, end: u32) {
        ty.iter().for_each(|t| self.type_expr(t));
        let outer = self.scope.len();
        let inner = (span.start, span.end);
        for &s in targets.iter().flat_map(|t| t.subscripts.iter().flatten()) {
            let e = self.ast.expr(s);
            match &e.kind {
                ExprKind::Name(n) => {
                    self.index(&Ident { name: n.clone(), span: e.span }, inner, "an index of the intermediate")
                }
                _ => self.expr(s),
            }
        }
        self.expr(value);
        self.scope.truncate(outer);
        for t in targets {
            if t.subscripts.is_some() {
                let detail = shortened(&self.text_of(span));
                let value = Some(self.ast.expr(value).span);
                self.local(
                    &t.name,
                    New { kind: Kind::Intermediate, visible: (span.end, end), detail, value, ty: None },
                );
            } else {
                self.named(&t.name, Kind::Let, (span.end, end), value);
                if targets.len() > 1
                    && let Some(s) = self.out.symbols.last_mut()
                {
                    s.value = None;
                }
            }
        }
    }

    fn index(&mut self, name: &Ident, visible: (u32, u32), what: &str) {
        let detail = format!("{}: i64, {what}", name.name);
        self.local(name, New { kind: Kind::Index, visible, detail, value: None, ty: None });
    }

    fn assign(&mut self, targets: &[Target], value: ExprId, clause: &Clause, span: Span) {
        let ranged: &[(Ident, Range)] = match clause {
            Clause::For(list) => list,
            _ => &[],
        };
        ranged.iter().for_each(|(_, r)| self.range(r));
        targets.iter().for_each(|t| self.refer(&t.name, true));
        let outer = self.scope.len();
        let visible = (span.start, span.end);
        for (name, r) in ranged {
            let what = format!("in {}", self.text_of(r.span));
            self.index(name, visible, &what);
        }
        for &s in targets.iter().flat_map(|t| t.subscripts.iter().flatten()) {
            for name in self.names_in(s) {
                if self.find_local(&name.name).is_none() && !self.is_top_value(&name.name) && !is_constant(&name.name) {
                    self.index(&name, visible, "runs over the dimension that it subscripts");
                }
            }
            self.expr(s);
        }
        self.expr(value);
        self.scope.truncate(outer);
    }

    /// The plain names in a subscript.
    fn names_in(&self, id: ExprId) -> Vec<Ident> {
        let e = self.ast.expr(id);
        match &e.kind {
            ExprKind::Name(n) => vec![Ident { name: n.clone(), span: e.span }],
            ExprKind::Unary { arg, .. } => self.names_in(*arg),
            ExprKind::Binary { left, right, .. } => [self.names_in(*left), self.names_in(*right)].concat(),
            _ => vec![],
        }
    }

    fn range(&mut self, r: &Range) {
        crate::syntax::walk::range(r, &mut |e| self.expr(e));
    }

    fn template(&mut self, t: &Template) {
        for part in &t.parts {
            let TemplatePart::Hole { value, over, span, .. } = part else { continue };
            let outer = self.scope.len();
            if let Some((name, r)) = over {
                self.range(r);
                let what = format!("in {}", self.text_of(r.span));
                self.index(name, (span.start, span.end), &what);
            }
            self.expr(*value);
            self.scope.truncate(outer);
        }
    }

    pub(super) fn expr(&mut self, id: ExprId) {
        let e = self.ast.expr(id);
        match &e.kind {
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Bool(_) | ExprKind::Hole => {}
            ExprKind::Name(n) => self.refer(&Ident { name: n.clone(), span: e.span }, false),
            ExprKind::Index { base: name, subscripts: list } | ExprKind::Call { callee: name, args: list } => {
                self.refer(name, false);
                list.iter().for_each(|x| self.expr(*x));
            }
            ExprKind::Tuple(list) | ExprKind::Table(list) => list.iter().for_each(|x| self.expr(*x)),
            ExprKind::Unary { arg, .. } => self.expr(*arg),
            ExprKind::Binary { left, right, .. } => [left, right].into_iter().for_each(|x| self.expr(*x)),
            ExprKind::If { cond, then, otherwise } => {
                [cond, then, otherwise].into_iter().for_each(|x| self.expr(*x));
            }
            ExprKind::Block(b) => self.block(b),
            ExprKind::Reduce { indices, term, .. } | ExprKind::Scan { indices, term, .. } => {
                self.reduction(indices, *term, e.span);
            }
            ExprKind::Combine { with, start, indices, term, .. } => {
                self.refer(with, false);
                self.expr(*start);
                self.reduction(indices, *term, e.span);
            }
            ExprKind::Grad { call, wrt } => {
                self.expr(*call);
                wrt.iter().for_each(|n| self.refer(n, false));
            }
        }
    }

    fn reduction(&mut self, indices: &[(Ident, Option<Range>)], term: ExprId, span: Span) {
        let outer = self.scope.len();
        for (name, range) in indices {
            range.iter().for_each(|r| self.range(r));
            let what = match range {
                Some(r) => format!("in {}", self.text_of(r.span)),
                None => "runs over the dimension that it subscripts".to_string(),
            };
            self.index(name, (name.span.start, span.end), &what);
        }
        self.expr(term);
        self.scope.truncate(outer);
    }
}

/// Built-in values, which are never indices.
fn is_constant(name: &str) -> bool {
    matches!(name, "ranks" | "pi" | "inf")
}

/// A text of at most 80 characters.
fn shortened(text: &str) -> String {
    if text.chars().count() <= 80 {
        return text.to_string();
    }
    text.chars().take(79).collect::<String>() + "…"
}

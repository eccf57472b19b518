//! Pairs to declarations.

use pest::iterators::Pair;

use super::ast::*;
use super::build::Builder;
use super::build_expr::kids;
use super::grammar::Rule;
use crate::source::Span;

impl Builder<'_> {
    /// An `item` pair.
    pub fn item(&mut self, pair: Pair<'_, Rule>) -> Option<(ItemKind, Span)> {
        let inner = pair.into_inner().next()?;
        let span = self.span(&inner);
        let rule = inner.as_rule();
        if rule == Rule::array_decl {
            return Some((ItemKind::Array(self.array_decl(inner)), span));
        }
        let mut parts = kids(inner).peekable();
        let kind = match rule {
            Rule::use_item => {
                let path = parts.next()?;
                let path = match path.as_rule() {
                    Rule::string => UsePath::File(self.string(&path)),
                    _ => UsePath::Library(kids(path).map(|p| self.ident(&p)).collect()),
                };
                ItemKind::Use { path, names: parts.map(|p| self.ident(&p)).collect() }
            }
            Rule::param_item => {
                let name = self.next_ident(&mut parts, span);
                let ty = self.type_expr(parts.next()?);
                ItemKind::Param { name, ty, default: self.next_expr(&mut parts, span) }
            }
            Rule::let_item => {
                let name = self.next_ident(&mut parts, span);
                let ty = parts.next_if(|p| p.as_rule() == Rule::type_expr).map(|p| self.type_expr(p));
                ItemKind::Let { name, ty, value: self.next_expr(&mut parts, span) }
            }
            Rule::partition_item => {
                let name = self.next_ident(&mut parts, span);
                ItemKind::Partition { name, placement: self.placement(parts.next()?) }
            }
            Rule::fn_item => {
                let name = self.next_ident(&mut parts, span);
                let params = self.parameters(parts.next()?);
                let mut results = Vec::new();
                for p in kids(parts.next()?) {
                    results.push(self.type_expr(p));
                }
                ItemKind::Fn(FnDecl { name, params, results, body: self.body_value(parts.next()?) })
            }
            Rule::kernel_item => {
                let name = self.next_ident(&mut parts, span);
                let params = self.parameters(parts.next()?);
                let results = self.results(parts.next()?);
                let body = parts.next()?;
                let body = match body.as_rule() {
                    Rule::block => KernelBody::Block(self.block(body, true)),
                    _ => KernelBody::Expr(self.expression(body)),
                };
                ItemKind::Kernel(KernelDecl { name, params, results, body })
            }
            Rule::workflow_item => {
                let name = self.next_ident(&mut parts, span);
                let params = parts.next_if(|p| p.as_rule() == Rule::parameters).map(|p| self.parameters(p));
                let results = parts.next_if(|p| p.as_rule() == Rule::results).map(|p| self.results(p));
                let results = results.unwrap_or_default();
                let value = results.iter().any(|r| r.name.is_none());
                let body = self.next_block(&mut parts, span, value);
                ItemKind::Workflow(WorkflowDecl { name, params: params.unwrap_or_default(), results, body })
            }
            _ => {
                let title = self.string(&parts.next()?);
                let mut with = Vec::new();
                for p in parts.next_if(|p| p.as_rule() == Rule::with_clause).into_iter().flat_map(kids) {
                    let mut binding = kids(p);
                    let name = self.next_ident(&mut binding, span);
                    with.push((name, self.next_expr(&mut binding, span)));
                }
                ItemKind::Test(TestDecl { title, with, body: self.next_block(&mut parts, span, false) })
            }
        };
        Some((kind, span))
    }

    fn body_value(&mut self, pair: Pair<'_, Rule>) -> ExprId {
        if pair.as_rule() == Rule::block {
            let block = self.block(pair, true);
            let span = block.span;
            return self.expr(ExprKind::Block(block), span);
        }
        self.expression(pair)
    }

    fn parameters(&mut self, pair: Pair<'_, Rule>) -> Vec<Parameter> {
        let mut out = Vec::new();
        for p in kids(pair) {
            let span = self.span(&p);
            let mut parts = kids(p);
            let name = self.next_ident(&mut parts, span);
            if let Some(t) = parts.next() {
                out.push(Parameter { name, ty: self.type_expr(t) });
            }
        }
        out
    }

    fn results(&mut self, pair: Pair<'_, Rule>) -> Vec<ResultDecl> {
        let mut out = Vec::new();
        for p in kids(pair) {
            let mut parts = kids(p).peekable();
            let name = parts.next_if(|p| p.as_rule() == Rule::ident).map(|p| self.ident(&p));
            if let Some(t) = parts.next() {
                out.push(ResultDecl { name, ty: self.type_expr(t) });
            }
        }
        out
    }

    /// A `type_expr` pair.
    pub fn type_expr(&mut self, pair: Pair<'_, Rule>) -> TypeExpr {
        let span = self.span(&pair);
        let shaped = pair.clone().into_inner().any(|p| p.as_rule() == Rule::lbracket);
        let elem = pair.clone().into_inner().next();
        let elem = elem.map_or_else(|| Ident { name: String::new(), span }, |p| self.ident(&p));
        let shape = shaped.then(|| self.list(pair));
        TypeExpr { elem, shape, span }
    }

    /// An `array_decl` pair.
    pub fn array_decl(&mut self, pair: Pair<'_, Rule>) -> ArrayDecl {
        let span = self.span(&pair);
        let mut names = Vec::new();
        let mut body = None;
        for p in kids(pair) {
            match p.as_rule() {
                Rule::ident => names.push(self.ident(&p)),
                Rule::like_clause => body = kids(p).next().map(|p| ArrayBody::Like(self.ident(&p))),
                _ => body = Some(self.typed_array(p)),
            }
        }
        let body = body.unwrap_or_else(|| ArrayBody::Like(self.no_ident(span)));
        ArrayDecl { names, body, span }
    }

    fn typed_array(&mut self, pair: Pair<'_, Rule>) -> ArrayBody {
        let span = self.span(&pair);
        let mut ty = None;
        let (mut from, mut placement, mut edges) = (None, None, Vec::new());
        for p in kids(pair) {
            match p.as_rule() {
                Rule::type_expr => ty = Some(self.type_expr(p)),
                Rule::from_clause => from = kids(p).next().map(|p| self.string(&p)),
                Rule::in_clause => placement = kids(p).next().map(|p| self.placement(p)),
                Rule::aligned_clause => placement = kids(p).next().map(|p| Placement::Aligned(self.ident(&p))),
                _ => {
                    for e in kids(p) {
                        let edge = self.edge(e);
                        edges.push(edge);
                    }
                }
            }
        }
        let ty = ty.unwrap_or_else(|| TypeExpr { elem: self.no_ident(span), shape: None, span });
        ArrayBody::Typed { ty, from, placement, edges }
    }

    fn edge(&mut self, pair: Pair<'_, Rule>) -> Edge {
        let span = self.span(&pair);
        match kids(pair).next() {
            Some(p) if p.as_rule() == Rule::expr => Edge::Constant(self.expression(p), span),
            Some(p) => match p.as_str().trim_end() {
                "clamp" => Edge::Clamp(span),
                "periodic" => Edge::Periodic(span),
                "mirror" => Edge::Mirror(span),
                "odd" => Edge::Odd(span),
                _ => Edge::None(span),
            },
            None => Edge::None(span),
        }
    }

    fn placement(&mut self, pair: Pair<'_, Rule>) -> Placement {
        let span = self.span(&pair);
        let mut dists = Vec::new();
        let mut over = None;
        for p in kids(pair) {
            match p.as_rule() {
                Rule::word_replicated => return Placement::Replicated(span),
                Rule::ident => return Placement::Named(self.ident(&p)),
                Rule::dists => {
                    for d in kids(p) {
                        let at = self.span(&d);
                        let dist = self.dist(d);
                        dists.push((dist, at));
                    }
                }
                _ => over = Some(self.mesh(p)),
            }
        }
        Placement::Dists { dists, over, span }
    }

    fn dist(&mut self, pair: Pair<'_, Rule>) -> Dist {
        let mut parts = kids(pair);
        match parts.next().map(|p| p.as_rule()) {
            Some(Rule::word_cyclic) => Dist::Cyclic(parts.next().map(|p| self.expression(p))),
            Some(Rule::star) => Dist::Whole,
            _ => Dist::Block,
        }
    }

    fn mesh(&mut self, pair: Pair<'_, Rule>) -> Vec<Option<ExprId>> {
        let mut out = Vec::new();
        for side in kids(pair) {
            let expr = kids(side).find(|p| p.as_rule() == Rule::expr);
            out.push(expr.map(|p| self.expression(p)));
        }
        out
    }
}

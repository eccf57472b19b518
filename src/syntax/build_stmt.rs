//! Pairs to statements and blocks.

use pest::iterators::Pair;

use super::ast::*;
use super::build::Builder;
use super::build_expr::kids;
use super::grammar::Rule;
use crate::diag::Diagnostic;
use crate::source::Span;

impl Builder<'_> {
    /// A `block` pair; `value`: whether its last expression is its value.
    pub fn block(&mut self, pair: Pair<'_, Rule>, value: bool) -> Block {
        let span = self.span(&pair);
        let mut pairs = kids(pair).peekable();
        let mut block = Block { stmts: Vec::new(), value: None, span };
        while let Some(p) = pairs.next() {
            let last = value && pairs.peek().is_none();
            let stmt = self.stmt(p, last);
            block.stmts.push(stmt);
        }
        if value {
            self.lift_value(&mut block);
        }
        block
    }

    /// Makes the last statement the block's value, if it has one.
    fn lift_value(&mut self, block: &mut Block) {
        let Some(last) = block.stmts.pop() else { return };
        match last.kind {
            StmtKind::Expr(e) => block.value = Some(e),
            StmtKind::If { cond, mut then, otherwise: Some(mut other) } => {
                if then.value.is_some() && has_value(&other) {
                    let then = self.branch(then);
                    self.lift_value(&mut other);
                    let otherwise = self.branch(other);
                    let kind = ExprKind::If { cond, then, otherwise };
                    block.value = Some(self.expr(kind, last.span));
                } else {
                    lower_value(&mut then);
                    lower_value(&mut other);
                    block
                        .stmts
                        .push(Stmt { kind: StmtKind::If { cond, then, otherwise: Some(other) }, span: last.span });
                }
            }
            StmtKind::If { cond, mut then, otherwise: None } => {
                lower_value(&mut then);
                block.stmts.push(Stmt { kind: StmtKind::If { cond, then, otherwise: None }, span: last.span });
            }
            kind => block.stmts.push(Stmt { kind, span: last.span }),
        }
    }

    /// A branch of an `if` with a value: the value alone where the block holds nothing else.
    fn branch(&mut self, block: Block) -> ExprId {
        match block.value {
            Some(v) if block.stmts.is_empty() => v,
            _ => {
                let span = block.span;
                self.expr(ExprKind::Block(block), span)
            }
        }
    }

    /// An `if_chain` pair as a value.
    pub fn if_value(&mut self, pair: Pair<'_, Rule>) -> ExprId {
        let span = self.span(&pair);
        let mut block = Block { stmts: vec![self.if_chain(pair, true)], value: None, span };
        let lacks_else = lacks_else(&block.stmts[0]);
        self.lift_value(&mut block);
        if let Some(v) = block.value {
            return v;
        }
        let first = Span { end: (span.start + 2).min(span.end), ..span };
        let d = if lacks_else {
            Diagnostic::error("E0106", "an `if` that is a value needs an `else`", first, "no value when this is false")
                .help("write `if c { a } else { b }`")
        } else {
            Diagnostic::error("E0106", "a branch of this `if` has no value", first, "used as a value")
                .help("end each branch with an expression: `if c { a } else { b }`")
        };
        self.error(d);
        self.dummy(span)
    }

    /// An `if_chain` pair as a statement; `value`: whether its branches may end in values.
    fn if_chain(&mut self, pair: Pair<'_, Rule>, value: bool) -> Stmt {
        let span = self.span(&pair);
        let mut otherwise = None;
        let mut branches = Vec::new();
        let mut condition = None;
        for p in kids(pair) {
            match p.as_rule() {
                Rule::expr => condition = Some((self.expression(p), span)),
                Rule::block => {
                    let block = self.block(p, value);
                    branches.extend(condition.take().map(|(c, s)| (c, block, s)));
                }
                Rule::else_if => {
                    let at = self.span(&p);
                    let mut parts = kids(p);
                    let cond = self.next_expr(&mut parts, at);
                    if let Some(b) = parts.next() {
                        let block = self.block(b, value);
                        branches.push((cond, block, Span { end: span.end, ..at }));
                    }
                }
                _ => otherwise = kids(p).next().map(|b| self.block(b, value)),
            }
        }
        let mut stmt = None;
        for (cond, then, at) in branches.into_iter().rev() {
            let inner = stmt.take().map(|s: Stmt| Block { span: s.span, stmts: vec![s], value: None });
            stmt = Some(Stmt { kind: StmtKind::If { cond, then, otherwise: inner.or(otherwise.take()) }, span: at });
        }
        stmt.unwrap_or(Stmt { kind: StmtKind::Break, span })
    }

    fn stmt(&mut self, pair: Pair<'_, Rule>, last: bool) -> Stmt {
        let span = self.span(&pair);
        let Some(inner) = pair.into_inner().next() else { return Stmt { kind: StmtKind::Break, span } };
        let rule = inner.as_rule();
        if rule == Rule::if_chain {
            return self.if_chain(inner, last);
        }
        if rule == Rule::simple_stmt {
            return Stmt { kind: self.simple(inner), span };
        }
        let kind = match rule {
            Rule::array_decl => StmtKind::Array(self.array_decl(inner)),
            Rule::let_stmt => self.let_stmt(inner),
            Rule::var_stmt => self.var_stmt(inner),
            Rule::for_stmt => self.for_stmt(inner),
            Rule::while_stmt => {
                let mut kids = kids(inner);
                let cond = self.next_expr(&mut kids, span);
                StmtKind::While { cond, body: self.next_block(&mut kids, span, false) }
            }
            Rule::print_stmt => StmtKind::Print { text: self.next_template(kids(inner), span) },
            Rule::assert_stmt => {
                let mut kids = kids(inner);
                let cond = self.next_expr(&mut kids, span);
                StmtKind::Assert { cond, why: kids.next().map(|p| self.template(&p)) }
            }
            Rule::expect_stmt => StmtKind::Expect { cond: self.next_expr(&mut kids(inner), span) },
            Rule::load_stmt | Rule::save_stmt | Rule::plot_stmt | Rule::animate_stmt => {
                let mut kids = kids(inner);
                let array = self.next_ident(&mut kids, span);
                let path = self.next_template(kids, span);
                match rule {
                    Rule::load_stmt => StmtKind::Load { array, path },
                    Rule::save_stmt => StmtKind::Save { array, path },
                    _ => StmtKind::Plot { array, path, animated: rule == Rule::animate_stmt },
                }
            }
            _ => StmtKind::Break,
        };
        Stmt { kind, span }
    }

    /// The next block of an iterator; the grammar says there is one.
    pub fn next_block<'i>(
        &mut self,
        kids: &mut impl Iterator<Item = Pair<'i, Rule>>,
        span: Span,
        value: bool,
    ) -> Block {
        match kids.next() {
            Some(p) => self.block(p, value),
            None => Block { stmts: Vec::new(), value: None, span },
        }
    }

    fn next_template<'i>(&mut self, mut kids: impl Iterator<Item = Pair<'i, Rule>>, span: Span) -> Template {
        match kids.next() {
            Some(p) => self.template(&p),
            None => Template { parts: Vec::new(), span },
        }
    }

    fn let_stmt(&mut self, pair: Pair<'_, Rule>) -> StmtKind {
        let span = self.span(&pair);
        let (mut targets, mut ty, mut value) = (Vec::new(), None, None);
        for p in kids(pair) {
            match p.as_rule() {
                Rule::target => {
                    let at = self.span(&p);
                    let mut parts = kids(p);
                    let name = self.next_ident(&mut parts, at);
                    let subscripts = parts.next().map(|s| self.list(s));
                    targets.push(Target { name, subscripts, span: at });
                }
                Rule::type_expr => ty = Some(self.type_expr(p)),
                _ => value = Some(self.tuple(p)),
            }
        }
        let value = value.unwrap_or_else(|| self.dummy(span));
        StmtKind::Let { targets, ty, value }
    }

    fn var_stmt(&mut self, pair: Pair<'_, Rule>) -> StmtKind {
        let span = self.span(&pair);
        let mut kids = kids(pair).peekable();
        let name = self.next_ident(&mut kids, span);
        let ty = kids.next_if(|p| p.as_rule() == Rule::type_expr).map(|p| self.type_expr(p));
        let value = self.next_expr(&mut kids, span);
        StmtKind::Var { name, ty, value }
    }

    fn for_stmt(&mut self, pair: Pair<'_, Rule>) -> StmtKind {
        let span = self.span(&pair);
        let mut kids = kids(pair);
        let index = self.next_ident(&mut kids, span);
        match kids.next() {
            Some(r) => {
                let range = self.range(r);
                StmtKind::For { index, range, body: self.next_block(&mut kids, span, false) }
            }
            None => StmtKind::Break,
        }
    }

    /// An assignment, or an expression alone.
    fn simple(&mut self, pair: Pair<'_, Rule>) -> StmtKind {
        let span = self.span(&pair);
        let (mut left, mut op, mut value, mut clause) = (Vec::new(), None, None, Clause::Everywhere);
        for p in kids(pair) {
            match p.as_rule() {
                Rule::assign_op => op = Some((assign_op(p.as_str().trim_end()), self.span(&p))),
                Rule::clause => clause = self.clause(p),
                Rule::values => value = Some(self.tuple(p)),
                _ => {
                    let at = self.span(&p);
                    left.push((self.expression(p), at));
                }
            }
        }
        match (op, value) {
            (Some((op, op_span)), Some(value)) => {
                let mut targets = Vec::new();
                for (e, at) in left {
                    targets.extend(self.target(e, at, op_span));
                }
                StmtKind::Assign { targets, op, value, clause }
            }
            _ => {
                if let Some((_, second)) = left.get(1) {
                    let d = Diagnostic::error("E0106", "a list of values is no statement", *second, "after a `,`");
                    self.error(d.help("write `a, b = f(x)` to keep several results"));
                }
                StmtKind::Expr(left.first().map_or_else(|| self.dummy(span), |l| l.0))
            }
        }
    }

    /// A `values` pair: one expression, or a tuple.
    fn tuple(&mut self, pair: Pair<'_, Rule>) -> ExprId {
        let span = self.span(&pair);
        let mut list: Vec<ExprId> = kids(pair).map(|p| self.expression(p)).collect();
        match list.len() {
            1 => list.remove(0),
            _ => self.expr(ExprKind::Tuple(list), span),
        }
    }

    /// The left side of an assignment.
    fn target(&mut self, e: ExprId, at: Span, op: Span) -> Option<Target> {
        let found = self.exprs().get(e.0 as usize).map(|e| (e.kind.clone(), e.span));
        match found {
            Some((ExprKind::Name(name), span)) if span == at => {
                Some(Target { name: Ident { name, span }, subscripts: None, span })
            }
            Some((ExprKind::Index { base, subscripts }, span)) if span == at => {
                Some(Target { name: base, subscripts: Some(subscripts), span })
            }
            Some((ExprKind::Binary { op: BinaryOp::Eq, .. }, _)) | None => {
                self.bad = true;
                None
            }
            Some(_) => {
                let d = Diagnostic::error("E0106", "this cannot be assigned to", at, "not a name or an element")
                    .label(op, "assigned here")
                    .help("write `name = …` or `name[i, j] = …`; `==` compares");
                self.error(d);
                None
            }
        }
    }

    fn clause(&mut self, pair: Pair<'_, Rule>) -> Clause {
        let span = self.span(&pair);
        match kids(pair).next() {
            Some(p) if p.as_rule() == Rule::for_clause => Clause::For(self.binders(kids(p))),
            _ => Clause::Otherwise(span),
        }
    }
}

fn assign_op(text: &str) -> AssignOp {
    AssignOp::COMPOUND.iter().find(|(t, _)| *t == text).map_or(AssignOp::Set, |(_, op)| *op)
}

/// Whether a block ends in a value, or in an `if` all of whose branches do.
fn has_value(b: &Block) -> bool {
    b.value.is_some()
        || b.stmts.last().is_some_and(|s| match &s.kind {
            StmtKind::If { then, otherwise: Some(o), .. } => then.value.is_some() && has_value(o),
            _ => false,
        })
}

/// Whether an `if` statement ends without an `else`.
fn lacks_else(s: &Stmt) -> bool {
    match &s.kind {
        StmtKind::If { otherwise: None, .. } => true,
        StmtKind::If { otherwise: Some(b), .. } => {
            b.value.is_none() && b.stmts.len() == 1 && b.stmts[0].span.end == s.span.end && lacks_else(&b.stmts[0])
        }
        _ => false,
    }
}

/// Makes a block's value a statement again.
fn lower_value(b: &mut Block) {
    if let Some(v) = b.value.take() {
        b.stmts.push(Stmt { kind: StmtKind::Expr(v), span: b.span });
    }
    if let Some(Stmt { kind: StmtKind::If { then, otherwise, .. }, .. }) = b.stmts.last_mut() {
        lower_value(then);
        otherwise.iter_mut().for_each(lower_value);
    }
}

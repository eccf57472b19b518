//! Pairs to expressions.

use pest::iterators::Pair;

use super::ast::*;
use super::build::Builder;
use super::climb::{Combine, Piece, climb, infix};
use super::grammar::Rule;
use crate::diag::Diagnostic;
use crate::source::Span;

/// The pairs within a pair, without punctuation and words that carry no value.
pub(super) fn kids<'i>(pair: Pair<'i, Rule>) -> impl Iterator<Item = Pair<'i, Rule>> {
    pair.into_inner().filter(|p| !is_mark(p.as_rule()))
}

/// Whether a rule only marks a place.
fn is_mark(rule: Rule) -> bool {
    use Rule::*;
    matches!(
        rule,
        lparen
            | rparen
            | lbracket
            | rbracket
            | lbrace
            | rbrace
            | comma
            | colon
            | dot
            | dotdot
            | equals
            | arrow
            | nl
            | EOI
    ) || matches!(
        rule,
        kw_use
            | kw_param
            | kw_let
            | kw_var
            | kw_array
            | kw_partition
            | kw_fn
            | kw_kernel
            | kw_workflow
            | kw_test
            | kw_if
    ) || matches!(
        rule,
        kw_else | kw_for | kw_while | kw_break | word_in | word_by | word_to | word_from | word_like | word_aligned
    ) || matches!(
        rule,
        word_edge
            | word_over
            | word_with
            | word_print
            | word_assert
            | word_expect
            | word_load
            | word_save
            | word_plot
            | word_animate
    ) || matches!(rule, word_scan | word_reduce | word_exclusive | word_grad | word_constant)
}

impl Builder<'_> {
    /// An `expr` pair.
    pub fn expression(&mut self, pair: Pair<'_, Rule>) -> ExprId {
        let whole = self.span(&pair);
        let mut row = Vec::new();
        for piece in pair.into_inner() {
            if self.is_full() {
                return self.dummy(whole);
            }
            let span = self.span(&piece);
            match piece.as_rule() {
                Rule::infix => match infix(&piece) {
                    Some(op) => row.push(Piece::Infix(op, span)),
                    None => return self.dummy(whole),
                },
                Rule::prefix => {
                    for p in piece.into_inner() {
                        let piece = self.prefix(p, span);
                        row.push(piece);
                    }
                }
                _ => {
                    let id = self.value(piece);
                    row.push(Piece::Value(id, span));
                }
            }
        }
        climb(self, row, whole).0
    }

    /// The next expression of an iterator; the grammar says there is one.
    pub fn next_expr<'i>(&mut self, kids: &mut impl Iterator<Item = Pair<'i, Rule>>, whole: Span) -> ExprId {
        match kids.next() {
            Some(p) => self.expression(p),
            None => self.dummy(whole),
        }
    }

    /// The next name of an iterator; the grammar says there is one.
    pub fn next_ident<'i>(&mut self, kids: &mut impl Iterator<Item = Pair<'i, Rule>>, whole: Span) -> Ident {
        match kids.next() {
            Some(p) => self.ident(&p),
            None => self.no_ident(whole),
        }
    }

    fn prefix(&mut self, pair: Pair<'_, Rule>, span: Span) -> Piece {
        match pair.as_rule() {
            Rule::op_neg => Piece::Unary(UnaryOp::Neg, span),
            Rule::op_not => Piece::Unary(UnaryOp::Not, span),
            Rule::scan => {
                let exclusive = pair.clone().into_inner().any(|p| p.as_rule() == Rule::word_exclusive);
                let mut kids = kids(pair).peekable();
                let with = match kids.next() {
                    Some(p) => Ident { name: p.as_str().trim_end().to_string(), span: self.span(&p) },
                    None => self.no_ident(span),
                };
                if kids.peek().is_some_and(|p| p.as_rule() == Rule::expr) {
                    let start = self.next_expr(&mut kids, span);
                    return Piece::Combine(
                        Combine { with, start, scan: Some(exclusive), indices: self.indices(kids) },
                        span,
                    );
                }
                Piece::Scan(with.name, exclusive, self.indices(kids), span)
            }
            Rule::combine => {
                let mut kids = kids(pair);
                let (with, start) = (self.next_ident(&mut kids, span), self.next_expr(&mut kids, span));
                Piece::Combine(Combine { with, start, scan: None, indices: self.indices(kids) }, span)
            }
            _ => {
                let mut kids = kids(pair);
                let op = kids.next().map_or(ReduceOp::Sum, |p| reduce_op(p.as_str().trim_end()));
                Piece::Reduce(op, self.indices(kids), span)
            }
        }
    }

    fn indices<'i>(&mut self, pairs: impl Iterator<Item = Pair<'i, Rule>>) -> Vec<(Ident, Option<Range>)> {
        let mut out = Vec::new();
        for p in pairs {
            let span = self.span(&p);
            let mut kids = kids(p);
            let name = self.next_ident(&mut kids, span);
            let range = kids.next().map(|r| self.range(r));
            out.push((name, range));
        }
        out
    }

    /// A `range` pair.
    pub fn range(&mut self, pair: Pair<'_, Rule>) -> Range {
        let span = self.span(&pair);
        let mut kids = kids(pair);
        let from = self.next_expr(&mut kids, span);
        let to = self.next_expr(&mut kids, span);
        let by = kids.next().map(|p| self.expression(p));
        Range { from, to, by, span }
    }

    /// The names and ranges of a `for` clause.
    pub fn binders<'i>(&mut self, pairs: impl Iterator<Item = Pair<'i, Rule>>) -> Vec<(Ident, Range)> {
        let mut out = Vec::new();
        for p in pairs {
            let span = self.span(&p);
            let mut kids = kids(p);
            let name = self.next_ident(&mut kids, span);
            if let Some(r) = kids.next() {
                let range = self.range(r);
                out.push((name, range));
            }
        }
        out
    }

    /// All expressions directly within a pair.
    pub fn list(&mut self, pair: Pair<'_, Rule>) -> Vec<ExprId> {
        let mut out = Vec::new();
        for p in kids(pair).filter(|p| p.as_rule() == Rule::expr) {
            out.push(self.expression(p));
        }
        out
    }

    fn value(&mut self, pair: Pair<'_, Rule>) -> ExprId {
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::number => {
                let kind = self.number(pair.as_str().trim_end(), span);
                self.expr(kind, span)
            }
            Rule::boolean => self.expr(ExprKind::Bool(pair.as_str().starts_with('t')), span),
            Rule::blank => self.expr(ExprKind::Hole, span),
            Rule::if_chain => self.if_value(pair),
            Rule::block => {
                let block = self.block(pair, true);
                self.expr(ExprKind::Block(block), span)
            }
            Rule::paren => {
                let comma = pair.clone().into_inner().any(|p| p.as_rule() == Rule::comma);
                let list = self.list(pair);
                match list[..] {
                    [one] if !comma => one,
                    _ => self.expr(ExprKind::Tuple(list), span),
                }
            }
            Rule::table => {
                let list = self.list(pair);
                self.expr(ExprKind::Table(list), span)
            }
            Rule::grad => {
                let mut kids = kids(pair);
                let call = match kids.next() {
                    Some(p) => self.value(p),
                    None => self.dummy(span),
                };
                let wrt = kids.map(|p| self.ident(&p)).collect();
                self.expr(ExprKind::Grad { call, wrt }, span)
            }
            _ => self.postfix(pair),
        }
    }

    fn postfix(&mut self, pair: Pair<'_, Rule>) -> ExprId {
        let span = self.span(&pair);
        let mut kids = kids(pair);
        let name = self.next_ident(&mut kids, span);
        let kind = match kids.next() {
            None => ExprKind::Name(name.name),
            Some(p) if p.as_rule() == Rule::arguments => ExprKind::Call { callee: name, args: self.list(p) },
            Some(p) => ExprKind::Index { base: name, subscripts: self.list(p) },
        };
        self.expr(kind, span)
    }

    fn number(&mut self, text: &str, span: Span) -> ExprKind {
        let digits: String = text.chars().filter(|c| *c != '_').collect();
        if let Some(hex) = digits.strip_prefix("0x") {
            return self.integer(u64::from_str_radix(hex, 16).ok(), span);
        }
        if !digits.contains(['.', 'e', 'E']) {
            return self.integer(digits.parse().ok(), span);
        }
        let value = digits.parse::<f64>().unwrap_or(f64::INFINITY);
        if value.is_infinite() {
            let d = Diagnostic::error("E0109", "this number is too large for any type", span, "above 1.8e308");
            self.error(d.help("write `inf` for infinity"));
        }
        ExprKind::Float(value)
    }

    fn integer(&mut self, value: Option<u64>, span: Span) -> ExprKind {
        if value.is_none() {
            let d = Diagnostic::error("E0109", "this integer is too large for any type", span, "above 2^64 - 1");
            self.error(d.help("write a float: `1e20`"));
        }
        ExprKind::Int(value.unwrap_or(0))
    }
}

/// The reduction a word names.
fn reduce_op(word: &str) -> ReduceOp {
    match word {
        "prod" => ReduceOp::Prod,
        "min" => ReduceOp::Min,
        "max" => ReduceOp::Max,
        "any" => ReduceOp::Any,
        "all" => ReduceOp::All,
        "count" => ReduceOp::Count,
        "mean" => ReduceOp::Mean,
        "argmin" => ReduceOp::ArgMin,
        "argmax" => ReduceOp::ArgMax,
        _ => ReduceOp::Sum,
    }
}

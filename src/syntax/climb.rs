//! Operator precedence: a row of prefixes, values and operators to a tree, by precedence climbing.

use pest::iterators::Pair;

use super::ast::{BinaryOp, ExprId, ExprKind, Ident, Range, ReduceOp, UnaryOp};
use super::build::Builder;
use super::grammar::Rule;
use crate::diag::Diagnostic;
use crate::source::Span;

/// Binding power of `not`, of comparisons, of what stops a reduction's term, and of unary minus.
const NOT: u8 = 30;
const COMPARE: u8 = 40;
const REDUCE: u8 = 95;
const NEGATE: u8 = 110;
/// The term of `count`, `any` and `all` takes comparisons in.
const CONDITION: u8 = 35;

/// `reduce(f, 0)[i]` or `scan(f, 0)[i]` before its term.
pub(super) struct Combine {
    pub with: Ident,
    pub start: ExprId,
    pub scan: Option<bool>,
    pub indices: Vec<(Ident, Option<Range>)>,
}

/// One element of a row.
pub(super) enum Piece {
    Value(ExprId, Span),
    Infix(BinaryOp, Span),
    Unary(UnaryOp, Span),
    Reduce(ReduceOp, Vec<(Ident, Option<Range>)>, Span),
    Scan(String, bool, Vec<(Ident, Option<Range>)>, Span),
    Combine(Combine, Span),
}

/// The operator a pair of rule `infix` holds, with its binding power.
pub(super) fn infix(pair: &Pair<'_, Rule>) -> Option<BinaryOp> {
    Some(match pair.clone().into_inner().next()?.as_rule() {
        Rule::op_or => BinaryOp::Or,
        Rule::op_and => BinaryOp::And,
        Rule::op_eq => BinaryOp::Eq,
        Rule::op_ne => BinaryOp::Ne,
        Rule::op_le => BinaryOp::Le,
        Rule::op_ge => BinaryOp::Ge,
        Rule::op_lt => BinaryOp::Lt,
        Rule::op_gt => BinaryOp::Gt,
        Rule::op_bitor => BinaryOp::BitOr,
        Rule::op_bitxor => BinaryOp::BitXor,
        Rule::op_bitand => BinaryOp::BitAnd,
        Rule::op_shl => BinaryOp::Shl,
        Rule::op_shr => BinaryOp::Shr,
        Rule::op_add => BinaryOp::Add,
        Rule::op_sub => BinaryOp::Sub,
        Rule::op_mul => BinaryOp::Mul,
        Rule::op_div => BinaryOp::Div,
        Rule::op_int_div => BinaryOp::IntDiv,
        Rule::op_mod => BinaryOp::Mod,
        Rule::op_pow => BinaryOp::Pow,
        _ => return None,
    })
}

/// How tightly an operator binds.
fn power(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 10,
        BinaryOp::And => 20,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => COMPARE,
        BinaryOp::BitOr => 50,
        BinaryOp::BitXor => 60,
        BinaryOp::BitAnd => 70,
        BinaryOp::Shl | BinaryOp::Shr => 80,
        BinaryOp::Add | BinaryOp::Sub => 90,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::IntDiv | BinaryOp::Mod => 100,
        BinaryOp::Pow => 120,
    }
}

/// A tree so far: its root, the bytes it covers with its brackets, and whether its root is a comparison without brackets.
type Tree = (ExprId, Span, bool);

/// Builds the tree of a whole row.
pub(super) fn climb(b: &mut Builder<'_>, row: Vec<Piece>, whole: Span) -> (ExprId, Span) {
    let mut row = row.into_iter().peekable();
    let (id, span, _) = level(b, &mut row, 0, whole, 0);
    (id, span)
}

type Row = std::iter::Peekable<std::vec::IntoIter<Piece>>;

/// Builds the part of the row whose operators bind at least as tightly as `min`.
fn level(b: &mut Builder<'_>, row: &mut Row, min: u8, whole: Span, deep: usize) -> Tree {
    if deep > super::build::MAX_DEPTH {
        b.too_deep(whole);
        row.by_ref().for_each(drop);
        return (b.dummy(whole), whole, false);
    }
    let deep = deep + 1;
    let mut left = operand(b, row, whole, deep);
    while let Some(&Piece::Infix(op, op_span)) = row.peek() {
        let power = power(op);
        if power < min {
            break;
        }
        row.next();
        let right = level(b, row, if op == BinaryOp::Pow { power } else { power + 1 }, whole, deep);
        let span = left.1.to(right.1);
        if power == COMPARE && left.2 {
            b.error(chained(b, left, op_span, right.1));
        }
        let kind = ExprKind::Binary { op, left: left.0, right: right.0, op_span };
        left = (b.expr(kind, span), span, power == COMPARE);
    }
    left
}

/// A value with its prefixes; a looser prefix takes in what binds more tightly than it does.
fn operand(b: &mut Builder<'_>, row: &mut Row, whole: Span, deep: usize) -> Tree {
    match row.next() {
        Some(Piece::Value(id, span)) => (id, span, false),
        Some(Piece::Unary(op, at)) => {
            let (arg, span, _) = level(b, row, if op == UnaryOp::Neg { NEGATE } else { NOT }, whole, deep);
            let span = at.to(span);
            (b.expr(ExprKind::Unary { op, arg }, span), span, false)
        }
        Some(Piece::Reduce(op, indices, at)) => {
            let condition = matches!(op, ReduceOp::Count | ReduceOp::Any | ReduceOp::All);
            let (term, span, _) = level(b, row, if condition { CONDITION } else { REDUCE }, whole, deep);
            let span = at.to(span);
            (b.expr(ExprKind::Reduce { op, indices, term }, span), span, false)
        }
        Some(Piece::Scan(op, exclusive, indices, at)) => {
            let condition = matches!(op.as_str(), "any" | "all");
            let (term, span, _) = level(b, row, if condition { CONDITION } else { REDUCE }, whole, deep);
            let span = at.to(span);
            (b.expr(ExprKind::Scan { op, exclusive, indices, term }, span), span, false)
        }
        Some(Piece::Combine(c, at)) => {
            let (term, span, _) = level(b, row, REDUCE, whole, deep);
            let span = at.to(span);
            let Combine { with, start, scan, indices } = c;
            (b.expr(ExprKind::Combine { with, start, scan, indices, term }, span), span, false)
        }
        Some(Piece::Infix(..)) | None => (b.dummy(whole), whole, false),
    }
}

/// The error for `a < b < c`.
fn chained(b: &Builder<'_>, left: Tree, op: Span, right: Span) -> Diagnostic {
    let middle = match &b.exprs()[left.0.0 as usize].kind {
        ExprKind::Binary { right, .. } => b.exprs()[right.0 as usize].span,
        _ => left.1,
    };
    let (first, middle) = (b.text_of(left.1), b.text_of(middle));
    let long = first.len() + middle.len() + b.text_of(right).len() > 70;
    let short = !long && !b.text_of(left.1.to(right)).contains('\n');
    let help = if short {
        format!("write `{first} and {middle} {} {}`", b.text_of(op), b.text_of(right))
    } else {
        "join two comparisons with `and`".to_string()
    };
    Diagnostic::error("E0108", "comparisons do not chain", op, "a second comparison of the same row")
        .label(left.1, "this is `true` or `false` already")
        .help(help)
}

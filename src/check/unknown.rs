//! Names that mean nothing where they stand, and what to write in their place.

use super::Checker;
use super::around::{balanced, head_of, indices, is_loose, names_of, statements_around, within};
use crate::diag::{Diagnostic, did_you_mean};
use crate::source::Span;
use crate::syntax::ast::{AssignOp, BinaryOp, Block, Expr, ExprId, ExprKind, StmtKind, Target};
use crate::syntax::habits;

/// How many reports there are, and how many names nothing more is said of.
#[derive(Clone, Copy)]
pub(super) struct Reported(pub usize, usize);

impl Checker<'_> {
    /// Reports an unknown name with the nearest known one.
    pub(super) fn unknown<T>(&mut self, name: &str, span: Span, what: &str) -> Option<T> {
        if self.sink.is_full() || self.told.iter().any(|(told, around)| told == name && within(span, *around)) {
            return None;
        }
        if what == "name" && (self.outside_a_term(name, span) || self.index_of_an_equation(name, span)) {
            return None;
        }
        let near = self.nearest(name, what);
        if what == "name" && near.is_none() && self.not_on_the_left(name, span) {
            return None;
        }
        let offered = super::modules::offering(name).filter(|_| !matches!(what, "array" | "partition" | "result"));
        let habit = match what {
            "kernel" | "workflow" | "function" => habits::function(name),
            "name" => habits::value(name),
            _ => None,
        };
        let d = Diagnostic::error("E0200", format!("unknown {what} `{name}`"), span, "not declared");
        let help = match near {
            _ if let Some(below) = self.declared_below(name, span) => below,
            _ if let Some(habit) = habit => habit,
            _ if let Some(module) = offered => format!("the library has it: `use std.{module}: {name}`"),
            Some(n) => format!("did you mean `{n}`?"),
            None => how_to_declare(name, what),
        };
        // Once is enough for the function, kernel or workflow that it stands in.
        let around = self.ast().items.iter().map(|i| i.span).find(|item| within(span, *item)).unwrap_or(span);
        self.report_once(name, d.help(help), around);
        None
    }

    fn nearest(&self, name: &str, what: &str) -> Option<String> {
        let globals = self.modules[self.module].globals.keys().map(String::as_str);
        let all = self.env.names().into_iter().chain(globals).chain(super::calls::NAMES.iter().copied());
        let words = ["block", "replicated"].into_iter().filter(|_| what == "partition");
        did_you_mean(name, all.chain(words)).map(str::to_string)
    }

    /// What to do where the name is declared further down.
    fn declared_below(&self, name: &str, span: Span) -> Option<String> {
        let ast = self.ast();
        let after = ast.items.iter().filter(|i| i.span.file == span.file && i.span.start > span.start);
        let below = after.flat_map(names_of).find(|n| n.name == name)?;
        let line = self.sources.line_col(below.span).0;
        Some(format!("`{name}` is declared in line {line}: move that line up, above this one"))
    }

    /// `sum[i] u[i] - c[i]`: the term has ended where the index stands. Says whether that was it.
    fn outside_a_term(&mut self, name: &str, at: Span) -> bool {
        let Some((d, row)) = self.short_term(name, at) else { return false };
        self.report_once(name, d, row);
        true
    }

    /// An index of a reduction that ends `left`, where it stands in `right`, and means nothing there.
    pub(super) fn behind_its_term(&self, left: ExprId, right: ExprId) -> Option<(String, Span)> {
        let ast = self.ast();
        let mut last = left;
        while let ExprKind::Binary { right, .. } | ExprKind::Unary { arg: right, .. } = ast.expr(last).kind {
            last = right;
        }
        let bound =
            |name: &String| self.env.find(name).is_some() || self.modules[self.module].globals.contains_key(name);
        let free = indices(ast.expr(last)).iter().map(|i| &i.0.name).filter(|name| !bound(name));
        let (name, at) = free.filter_map(|n| Some((n.clone(), *self.places_of(right, n).first()?))).next()?;
        self.short_term(&name, at).map(|_| (name, at))
    }

    /// The report for an index behind the end of its reduction's term, and the row of operators that both stand in.
    fn short_term(&self, name: &str, at: Span) -> Option<(Diagnostic, Span)> {
        let ast = self.ast();
        let text = |from: u32, to: u32| self.sources.text(Span { start: from, end: to, ..at });
        let ends_before =
            |e: &&Expr| e.span.file == at.file && e.span.end <= at.start && indices(e).iter().any(|i| i.0.name == name);
        let r = ast.exprs.iter().filter(ends_before).max_by_key(|e| e.span.end)?.span;
        let rows = ast.exprs.iter().filter_map(|e| match e.kind {
            ExprKind::Binary { left, right, op_span, .. } if within(r, ast.expr(left).span) => {
                Some((e.span, right, op_span))
            }
            _ => None,
        });
        let rows: Vec<_> = rows.filter(|row| balanced(text(r.end, row.0.end))).collect();
        let stop = rows.iter().find(|row| text(r.end, row.2.start.max(r.end)).trim().is_empty())?.2;
        let row = rows.iter().filter(|row| self.mentions(row.1, name)).map(|row| row.0).max_by_key(|s| s.end)?;
        if !within(at, row) {
            return None;
        }
        let head = head_of(text(r.start, r.end));
        let (operator, term) = (text(stop.start, stop.end), text(r.start + head.len() as u32, row.end).trim());
        let short = term.len() <= 60 && !term.contains('\n');
        let help = match short {
            true if operator == "and"
                && let Some(nothing) = nothing_for(head) =>
            {
                let (term, when) = (text(r.start + head.len() as u32, stop.start), text(stop.end, row.end));
                let (term, when) = (term.trim(), when.trim());
                format!("only some terms count: `{head} (if {when} {{ {term} }} else {{ {nothing} }})`")
            }
            true => format!("put the term in brackets: `{head} ({term})`"),
            false => format!("put the term in brackets: `{head} (… {operator} …)`"),
        };
        let message = format!("unknown name `{name}`: the term of `{head}` ends before `{operator}`");
        let d = Diagnostic::error("E0200", message, at, "behind the term");
        Some((d.label(stop, "the term ends before this").help(help), row))
    }

    /// `if i > 3 { u[i] = 1 }` in a workflow. Says whether that was it.
    fn index_of_an_equation(&mut self, name: &str, at: Span) -> bool {
        let ast = self.ast();
        let around = statements_around(&ast, at);
        let Some(StmtKind::If { cond, then, otherwise }) = around.last().map(|s| &s.kind) else { return false };
        let other = otherwise.as_ref().and_then(|b| self.equation_of(b, name));
        let Some((target, value)) = self.equation_of(then, name).or(other).filter(|_| within(at, self.span(*cond)))
        else {
            return false;
        };
        let stays = match (otherwise, other) {
            (None, _) => self.short_text(target.span),
            (Some(_), Some(o)) => self.short_text(self.span(o.1)).filter(|_| o.0.span != target.span),
            _ => None,
        };
        let help = self.condition_inside(name, *cond, (target.span, self.span(value)), stays, otherwise.is_none());
        let message = format!("unknown name `{name}`: it is an index only inside the equation");
        let d = Diagnostic::error("E0200", message, at, "outside of it");
        let cond = self.span(*cond);
        self.report_once(name, d.label(target.span, format!("`{name}` is an index here")).help(help), cond);
        true
    }

    /// The left and the right side of the first equation in a block that has an index of this name.
    fn equation_of<'a>(&self, block: &'a Block, name: &str) -> Option<(&'a Target, ExprId)> {
        block.stmts.iter().find_map(|s| {
            let StmtKind::Assign { targets, op: AssignOp::Set, value, .. } = &s.kind else { return None };
            let [target @ Target { subscripts: Some(subs), .. }] = &targets[..] else { return None };
            subs.iter().any(|s| self.mentions(*s, name)).then_some((target, *value))
        })
    }

    /// The equation with the condition on its right side, and as a range if it is one.
    fn condition_inside(
        &self,
        name: &str,
        cond: ExprId,
        (left, value): (Span, Span),
        stays: Option<String>,
        alone: bool,
    ) -> String {
        let ([Some(c), Some(left), Some(v)], Some(stays)) =
            ([self.span(cond), left, value].map(|s| self.short_text(s)), stays)
        else {
            return "choose on the right side of the equation: `u[i] = if … { … } else { u[i] }`".into();
        };
        let choice = format!("`{left} = if {c} {{ {v} }} else {{ {stays} }}`");
        match self.range_of(name, cond).filter(|_| alone) {
            Some(range) => format!("write `{left} = {v} for {name} in {range}`, or {choice}"),
            None => format!("write {choice}"),
        }
    }

    /// The range that `i > 3` or `i < 7` leaves.
    fn range_of(&self, name: &str, cond: ExprId) -> Option<String> {
        let ExprKind::Binary { op, left, right, .. } = self.node(cond).kind else { return None };
        let (ExprKind::Name(n), ExprKind::Int(k)) = (self.node(left).kind, self.node(right).kind) else { return None };
        let k = i64::try_from(k).ok().filter(|_| n == name)?;
        Some(match op {
            BinaryOp::Gt => format!("{}..n", k.checked_add(1)?),
            BinaryOp::Ge => format!("{k}..n"),
            BinaryOp::Lt => format!("0..{k}"),
            BinaryOp::Le => format!("0..{}", k.checked_add(1)?),
            _ => return None,
        })
    }

    /// `c[i, j] = a[i, k] * b[k, j]`: an index that only the right side has. Says whether that was it.
    fn not_on_the_left(&mut self, name: &str, at: Span) -> bool {
        let ast = self.ast();
        let around = statements_around(&ast, at);
        let (target, value) = match around.last().map(|s| &s.kind) {
            Some(StmtKind::Assign { targets, value, .. } | StmtKind::Let { targets, value, .. }) => {
                match &targets[..] {
                    [t] if t.subscripts.is_some() => (t.name.name.clone(), *value),
                    _ => return false,
                }
            }
            _ => return false,
        };
        let subscripted = |e: &ExprKind| matches!(e, ExprKind::Index { subscripts, .. } if subscripts.iter().any(|s| self.mentions(*s, name)));
        if !ast.exprs.iter().any(|e| within(e.span, self.span(value)) && subscripted(&e.kind)) {
            return false;
        }
        let sum = self.sum_over(name, value);
        let message = format!("unknown name `{name}`: it is not an index of `{target}[…]` on the left");
        let d = Diagnostic::error("E0200", message, at, "not an index here");
        let help = format!("`{sum}` adds over it; a value is declared above: `let {name} = …`");
        let whole = self.span(value);
        self.report_once(name, d.help(help), whole);
        true
    }

    /// `sum[k] TERM`, of the least part of an expression that holds the name wherever it stands.
    fn sum_over(&self, name: &str, value: ExprId) -> String {
        let ast = self.ast();
        let places = self.places_of(value, name);
        let holds = |e: &&Expr| places.iter().all(|p| within(*p, e.span));
        let least = |of: &mut dyn Iterator<Item = &Expr>| of.min_by_key(|e| e.span.end - e.span.start).map(|e| e.span);
        // A subscript is no term: the element is.
        let element = |e: &&Expr| matches!(e.kind, ExprKind::Index { .. }) && places.iter().any(|p| within(*p, e.span));
        let element = ast.exprs.iter().filter(element).map(|e| e.span).reduce(|a, b| if within(a, b) { b } else { a });
        let within_all =
            least(&mut ast.exprs.iter().filter(holds).filter(|e| element.is_some_and(|x| within(x, e.span))));
        let loose = within_all.and_then(|s| ast.exprs.iter().find(|e| e.span == s && is_loose(e)));
        match (within_all.and_then(|s| self.short_text(s)), loose) {
            (Some(text), None) => format!("sum[{name}] {text}"),
            (Some(text), Some(e)) if self.in_every_part(e, name) => format!("sum[{name}] ({text})"),
            _ => format!("sum[{name}] …"),
        }
    }

    /// Whether a name stands in every part of a sum.
    fn in_every_part(&self, e: &Expr, name: &str) -> bool {
        let ExprKind::Binary { left, right, .. } = e.kind else { return false };
        [left, right].into_iter().all(|part| match self.node(part) {
            part if is_loose(&part) => self.in_every_part(&part, name),
            _ => self.mentions(part, name),
        })
    }

    /// What has been reported so far, for [`Checker::withdrawn`].
    pub(super) fn reported(&self) -> Reported {
        Reported(self.sink.items.len(), self.told.len())
    }

    /// Takes back what has been reported since; names may be reported again.
    pub(super) fn withdrawn(&mut self, since: Reported) -> Vec<Diagnostic> {
        self.told.truncate(since.1);
        self.sink.items.split_off(since.0)
    }

    /// Reports, and nothing more of this name within `around`.
    fn report_once(&mut self, name: &str, d: Diagnostic, around: Span) {
        self.told.push((name.to_string(), around));
        self.report(d);
    }
}

/// What leaves the result of a reduction of numbers as it is: `max[i]` begins with the least number.
fn nothing_for(head: &str) -> Option<&'static str> {
    Some(match head.split('[').next()? {
        "sum" => "0",
        "prod" => "1",
        "max" | "argmax" => "-inf",
        "min" | "argmin" => "inf",
        _ => return None,
    })
}

fn how_to_declare(name: &str, what: &str) -> String {
    match what {
        "name" => format!(
            "declare it above: `param {name}: i64 = 64` or `let {name} = …`; an index has a value only in its equation or reduction"
        ),
        "array" => format!("declare it above: `array {name}: f64[n]`"),
        "array or variable" => format!(
            "declare it first: `let {name} = …`, `var {name} = …` for a value that changes, or `array {name}: f64[n]`"
        ),
        "partition" => format!("declare it above: `partition {name} = (block, *)`"),
        "kernel" => format!("declare it: `kernel {name}(u: f64[n]) -> v: f64[n] {{ … }}`"),
        "workflow" => format!("declare it: `workflow {name}(…) {{ … }}`"),
        "function" => format!("declare it: `fn {name}(x: f64) -> f64 = …`"),
        "result" => format!("name it behind `->`, as in `-> {name}: f64[n]`"),
        _ => format!("declare it first: `var {name} = …`"),
    }
}

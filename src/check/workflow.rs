//! Workflows: statements in order.

use super::emit::{Builder, Val, ValKind};
use super::env::{Env, Local};
use super::narrow::Narrowing;
use super::shared::Shared;
use super::{Checker, Expansion};
use crate::ir::index_box::Interval;
use crate::ir::kernel::{ArrayId, ScalarId};
use crate::ir::program::{Counted, PrintPart, StmtKind};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{self, Block, ExprId, ExprKind, Ident, ItemKind, Template};

impl Checker<'_> {
    pub(super) fn main_workflow(&mut self, module: usize, item: usize) {
        let ast = self.modules[module].ast.clone();
        let ItemKind::Workflow(w) = &ast.items[item].kind else { return };
        self.modules[module].used.insert(item);
        if !w.params.is_empty() && w.name.name == "main" {
            self.fail_help::<()>(
                "E0510",
                "`main` takes no parameters",
                w.name.span,
                "declared here",
                "write `param name: type = value` at the top",
            );
            return;
        }
        self.expanding.push(Expansion { item: (module, item), call: None });
        self.in_scope(module, Env::default(), |c| c.workflow_body(&w.body));
        self.drop_needless_clears();
        self.expanding.pop();
    }

    /// The statements of a workflow in the current scope.
    pub(super) fn workflow_body(&mut self, body: &Block) -> bool {
        self.builders.push(Builder::new(vec![]));
        let ok = self.statements(body);
        self.builders.pop();
        ok
    }

    fn statements(&mut self, block: &Block) -> bool {
        let mut ok = true;
        let mark = (self.lets.len(), self.copies.len());
        for s in &block.stmts {
            let outer = std::mem::replace(&mut self.statement, s.span);
            let shared = self.shared_of(s);
            self.shared = shared;
            ok &= self.statement(s).is_some();
            // Whatever the statement around this one knew may have changed.
            self.shared = Shared::default();
            self.statement = outer;
            // What a faulty statement left behind must not leak into the next.
            self.builders.truncate(self.builders.len().max(1));
        }
        if let Some(v) = block.value {
            let span = self.span(v);
            let outer = std::mem::replace(&mut self.statement, span);
            ok &= self.call_statement(v, span).is_some();
            self.statement = outer;
        }
        self.swap_last_copies(mark);
        ok
    }

    /// A nested block: its own names, its own statement list.
    fn nested(&mut self, block: &Block) -> Option<Vec<crate::ir::program::Stmt>> {
        let env = self.env.clone();
        self.blocks.push(vec![]);
        let ok = self.statements(block);
        self.drop_needless_clears();
        self.env = env;
        let out = self.blocks.pop();
        if ok { out } else { None }
    }

    /// A nested block under a condition.
    fn nested_where(&mut self, block: &Block, facts: &Narrowing) -> Option<Vec<crate::ir::program::Stmt>> {
        let held = self.scalar_facts.len();
        self.narrow(facts);
        let out = self.nested(block);
        self.scalar_facts.truncate(held);
        out
    }

    fn statement(&mut self, s: &ast::Stmt) -> Option<()> {
        use ast::StmtKind as S;
        let span = s.span;
        match &s.kind {
            S::Let { targets, ty, value } => {
                let done = self.workflow_let(targets, ty.as_ref(), *value);
                self.broken_unless(done, targets.iter().map(|t| &t.name))
            }
            S::Var { name, ty, value } => {
                let done = self.workflow_var(name, ty.as_ref(), *value);
                self.broken_unless(done, std::iter::once(name))
            }
            S::Assign { targets, op, value, clause } => self.assign(targets, *op, *value, clause, span),
            S::For { index, range, body } => self.for_statement(index, range, body, span),
            S::While { cond, body } => {
                self.blocks.push(vec![]);
                let c = self.expr_as(*cond, Ty::Bool).map(|c| self.force_slot(&c));
                let before = self.blocks.pop()?;
                (self.loops, self.repeated) = (self.loops + 1, self.repeated + 1);
                let body = self.nested(body);
                (self.loops, self.repeated) = (self.loops - 1, self.repeated - 1);
                self.emit_stmt(StmtKind::While { before, cond: c?, body: body? }, span);
                Some(())
            }
            S::If { cond, then, otherwise } => {
                let c = self.expr_as(*cond, Ty::Bool).map(|c| self.force_slot(&c));
                let facts = c.map(|_| (self.narrowing(*cond, true), self.narrowing(*cond, false)));
                let (yes, no) = facts.unwrap_or_default();
                let then = self.nested_where(then, &yes);
                let otherwise = match otherwise {
                    Some(b) => self.nested_where(b, &no),
                    None => Some(vec![]),
                };
                self.emit_stmt(StmtKind::If { cond: c?, then: then?, otherwise: otherwise? }, span);
                Some(())
            }
            S::Break if self.loops == 0 => self.fail_help(
                "E0225",
                "`break` stands outside a loop",
                span,
                "no loop around it",
                "take it away, or put it into a `for` or a `while`",
            ),
            S::Break => {
                self.emit_stmt(StmtKind::Break, span);
                Some(())
            }
            S::Print { text } => {
                let parts = self.template(text)?;
                self.emit_stmt(StmtKind::Print(parts), span);
                Some(())
            }
            S::Assert { cond, why } => self.assertion(*cond, why.as_ref(), span),
            S::Expect { cond } => self.expectation(*cond),
            S::Load { array, path } => {
                self.file_statement(array, path, span, |array, path| StmtKind::Load { array, path })
            }
            S::Save { array, path } => {
                self.file_statement(array, path, span, |array, path| StmtKind::Save { array, path })
            }
            S::Plot { array, path, animated } => {
                let animated = *animated;
                self.file_statement(array, path, span, |array, path| StmtKind::Plot { array, path, animated })
            }
            S::Array(decl) => {
                let ids = self.declare_arrays(decl);
                let ids = self.broken_unless(ids.is_some().then_some(()), decl.names.iter()).and(ids)?;
                for (n, id) in decl.names.iter().zip(ids) {
                    self.env = self.env.with(&n.name, Local::Array(id));
                    self.begins(id, n.span);
                }
                Some(())
            }
            S::Expr(e) => self.call_statement(*e, span),
        }
    }

    fn workflow_var(&mut self, name: &Ident, ty: Option<&ast::TypeExpr>, value: ExprId) -> Option<()> {
        let v = match ty {
            Some(t) => {
                let ty = self.elem_type(t)?;
                self.expr_as(value, ty)?
            }
            None => {
                let v = self.expr(value, None)?;
                self.settle(v)
            }
        };
        let id = self.new_scalar(&name.name, v.ty);
        self.assign_slot(id, &v);
        self.env = self.env.with(&name.name, Local::Slot(id, v.ty));
        Some(())
    }

    fn file_statement(
        &mut self,
        array: &Ident,
        path: &Template,
        span: Span,
        make: impl Fn(ArrayId, Vec<PrintPart>) -> StmtKind,
    ) -> Option<()> {
        let id = self.array_named(array)?;
        let parts = self.template(path)?;
        self.emit_stmt(make(id, parts), span);
        Some(())
    }

    fn assertion(&mut self, cond: ExprId, why: Option<&Template>, span: Span) -> Option<()> {
        let c = self.expr_as(cond, Ty::Bool)?;
        let cond = self.force_slot(&c);
        let why = match why {
            Some(t) => self.template(t)?,
            None => vec![],
        };
        self.emit_stmt(StmtKind::Assert { cond, why, check: None }, span);
        Some(())
    }

    /// `expect cond`; the values of a comparison's sides are kept for the report.
    fn expectation(&mut self, cond: ExprId) -> Option<()> {
        let span = self.span(cond);
        let (cond, sides) = match self.node(cond).kind {
            ExprKind::Binary { op, left, right, .. } if let Some(compare) = super::expr::comparison(op) => {
                let (a, b) = self.compared(op, left, right)?;
                let vals = self.in_slots(&[(a, ""), (b, "")]);
                let slots: Vec<ScalarId> = vals.iter().map(|v| self.force_slot(v)).collect();
                let [a, b] = [0, 1].map(|k| Val::slot(slots[k], vals[k].ty));
                let holds = self.builder().binary(compare, &a, &b);
                (holds, [left, right].map(|e| self.span(e)).into_iter().zip(slots).collect())
            }
            _ => (self.expr_as(cond, Ty::Bool)?, vec![]),
        };
        let cond = self.force_slot(&cond);
        self.emit_stmt(StmtKind::Expect { cond, sides }, span);
        Some(())
    }

    /// A value in a slot of its own, constants too.
    pub(super) fn force_slot(&mut self, v: &Val) -> ScalarId {
        if let ValKind::Slot(id) = v.kind {
            return id;
        }
        let v = self.settle(v.clone());
        let id = self.new_scalar("", v.ty);
        self.assign_slot(id, &v);
        id
    }

    fn for_statement(&mut self, index: &Ident, range: &ast::Range, body: &Block, span: Span) -> Option<()> {
        let from = self.expr_as(range.from, Ty::I64)?;
        let to = self.expr_as(range.to, Ty::I64)?;
        let by = self.step(range)?;
        let ends = self.known_range(&from).zip(self.known_range(&to)).filter(|(a, b)| a.len() == 1 && b.len() == 1);
        let counted = ends.map(|(a, b)| Counted { from: a.lo, to: b.lo, by });
        let bounds = self.known_range(&from).zip(self.known_range(&to)).map(|(a, b)| {
            let last = if a.len() == 1 { a.lo + (b.hi - 2 - a.lo).div_euclid(by) * by } else { b.hi - 2 };
            Interval::new(a.lo, (last + 1).max(a.lo))
        });
        let vals = [from, to, Val::constant(Value::i64(by))];
        let slots = vals.map(|v| (self.new_scalar("", Ty::I64), v));
        self.assign_slots(&slots);
        let [(from, _), (to, _), (by, _)] = slots;
        let counter = self.new_scalar(&index.name, Ty::I64);
        if let Some(range) = bounds {
            self.program.scalar_ranges.insert(counter, range);
        }
        if let Some(counted) = counted {
            self.program.counted.insert(counter, counted);
        }
        let env = self.env.clone();
        self.env = self.env.with(&index.name, Local::Val(Val::slot(counter, Ty::I64)));
        (self.loops, self.repeated) = (self.loops + 1, self.repeated + 1);
        let body = self.nested(body);
        (self.loops, self.repeated) = (self.loops - 1, self.repeated - 1);
        self.env = env;
        self.emit_stmt(StmtKind::For { counter, from, to, by, body: body? }, span);
        Some(())
    }
}

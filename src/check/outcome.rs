//! Calls of kernels and of other workflows, and the `let`s that name what they give.

use super::Checker;
use super::emit::Val;
use super::env::{Env, Global, Local};
use super::kernel::{Arg, Outcome};
use crate::diag::Diagnostic;
use crate::ir::kernel::{ArrayId, ScalarId};
use crate::ir::program::Array;
use crate::ir::ty::Value;
use crate::source::Span;
use crate::syntax::ast::{self, ExprId, ExprKind, Ident, ItemKind, Target};
use crate::syntax::habits;

impl Checker<'_> {
    pub(super) fn workflow_let(&mut self, targets: &[Target], ty: Option<&ast::TypeExpr>, value: ExprId) -> Option<()> {
        let want = match ty {
            Some(t) => Some(self.elem_type(t)?),
            None => None,
        };
        if let Some(t) = targets.iter().find(|t| t.subscripts.is_some()) {
            return self.fail_help(
                "E0228",
                "an indexed `let` stands in a kernel",
                t.span,
                "indexed here",
                format!("declare `array {}: …` and assign it", t.name.name),
            );
        }
        let e = self.node(value);
        let none = vec![None; targets.len()];
        let out = match &e.kind {
            ExprKind::Call { callee, args } if self.gives_outcomes(callee) => {
                Some(self.call_outcomes(callee, args, &none, e.span)?)
            }
            ExprKind::Grad { call, wrt } => Some(self.grad(*call, wrt, &none, e.span)?),
            _ => None,
        };
        if let Some(out) = out {
            self.same_count(targets.len(), out.len(), e.span)?;
            let mut new = vec![];
            for (t, o) in targets.iter().zip(out) {
                let local = match o {
                    Outcome::Array(id) => {
                        self.program.arrays[id.0 as usize].name = t.name.name.clone();
                        self.lets.push(id);
                        Local::Array(id)
                    }
                    Outcome::Scalar(v) => Local::Val(self.named_copy(v, &t.name.name, &mut new)),
                };
                self.env = self.env.with(&t.name.name, local);
            }
            self.assign_slots(&new);
            return Some(());
        }
        if let (ExprKind::Name(n), [t]) = (&e.kind, targets)
            && let Some(from) = self.array_if_named(n)
        {
            // The contents now: what happens to the array later does not change them.
            let copy =
                Array { name: t.name.name.clone(), span: t.span, ..self.program.arrays[from.0 as usize].clone() };
            let id = self.add_array(copy);
            self.lets.push(id);
            self.copy_array(id, from, t.span)?;
            self.env = self.env.with(&t.name.name, Local::Array(id));
            return Some(());
        }
        if let ([t], [(array, _), ..]) = (targets, &self.arrays_in(value)[..]) {
            return self.no_whole_let(&t.name.name, *array, value);
        }
        let vals = self.values(value, targets.len(), want)?;
        let (mut locals, mut new) = (vec![], vec![]);
        for (t, v) in targets.iter().zip(vals) {
            let at = self.span(value);
            let v = match want {
                Some(ty) => self.convert(v, ty, at)?,
                None => v,
            };
            locals.push((t, self.named_copy(v, &t.name.name, &mut new)));
        }
        self.assign_slots(&new);
        for (t, v) in locals {
            self.env = self.env.with(&t.name.name, Local::Val(v));
        }
        Some(())
    }

    /// The value now, in a slot that nothing else writes; constants stay. What the slots are set to joins `new`.
    fn named_copy(&mut self, v: Val, name: &str, new: &mut Vec<(ScalarId, Val)>) -> Val {
        if v.as_const().is_some() {
            return v;
        }
        let id = self.scalar_for(&v, name);
        let out = Val::slot(id, v.ty);
        new.push((id, v));
        out
    }

    /// Whether a name is a kernel or workflow, whose call may give arrays.
    pub(super) fn gives_outcomes(&self, callee: &Ident) -> bool {
        if let Some(local) = self.env.find(&callee.name) {
            return matches!(local, Local::Kernel(_));
        }
        let global = self.modules[self.module].globals.get(&callee.name);
        matches!(global, Some((Global::Kernel(..) | Global::Workflow(..), _)))
    }

    /// Whether a name belongs to a faulty declaration, which was reported.
    pub(super) fn is_broken(&self, name: &Ident) -> bool {
        match self.env.find(&name.name) {
            Some(local) => matches!(local, Local::Broken),
            None => matches!(self.modules[self.module].globals.get(&name.name), Some((Global::Broken, _))),
        }
    }

    pub(super) fn is_workflow(&self, callee: &Ident) -> bool {
        matches!(self.modules[self.module].globals.get(&callee.name), Some((Global::Workflow(..), _)))
    }

    /// Calls a kernel or workflow by name.
    pub(super) fn call_outcomes(
        &mut self,
        callee: &Ident,
        args: &[ExprId],
        targets: &[Option<ArrayId>],
        span: Span,
    ) -> Option<Vec<Outcome>> {
        if self.is_broken(callee) {
            return None;
        }
        if let Some(Local::Kernel(k)) = self.env.find(&callee.name).cloned() {
            return self.partial_call(&k, callee, args, targets, span);
        }
        match self.modules[self.module].globals.get(&callee.name).map(|g| g.0.clone()) {
            Some(Global::Kernel(m, item)) => self.kernel_call(m, item, args, targets, span),
            Some(Global::Workflow(m, item)) => self.workflow_call(m, item, args, targets, span),
            Some(_) => self.fail_help("E0240", format!("`{}` is not a kernel", callee.name), callee.span, "called here", format!("call a kernel, as in `kernel {}(u: f64[n]) -> v: f64[n] {{ … }}`; a function is called inside an equation", callee.name)),
            None => self.unknown(&callee.name, callee.span, "kernel"),
        }
    }

    fn workflow_call(
        &mut self,
        module: usize,
        item: usize,
        args: &[ExprId],
        targets: &[Option<ArrayId>],
        span: Span,
    ) -> Option<Vec<Outcome>> {
        let ast = self.modules[module].ast.clone();
        let ItemKind::Workflow(w) = &ast.items[item].kind else { return None };
        let args = self.arguments(module, &w.name.name, &w.params, args, span)?;
        self.modules[module].used.insert(item);
        self.enter((module, item), &w.name.name, span)?;
        let (names, loops) = (std::mem::take(&mut self.extent_names), std::mem::take(&mut self.loops));
        let out = self.in_scope(module, Env::default(), |c| c.expand_workflow(w, args, targets, span));
        (self.extent_names, self.loops) = (names, loops);
        self.expanding.pop();
        out
    }

    pub(super) fn expand_workflow(
        &mut self,
        w: &ast::WorkflowDecl,
        args: Vec<Arg>,
        targets: &[Option<ArrayId>],
        span: Span,
    ) -> Option<Vec<Outcome>> {
        self.bind_params(&w.name.name, &w.params, &args, span)?;
        let arrays: Vec<ArrayId> =
            args.iter().filter_map(|a| if let Arg::Array(id, _) = a { Some(*id) } else { None }).collect();
        self.results_in_sight(w)?;
        let held = std::mem::replace(&mut self.read_only, arrays.clone());
        let whose = ("a workflow names its results", "write `-> x: f64[n]` and assign `x`");
        let mut results = vec![];
        for r in self.named_results(&w.results, targets, &arrays, whose)? {
            let local = match r.array {
                Some(id) => {
                    self.begins(id, r.span);
                    results.push(Outcome::Array(id));
                    Local::Array(id)
                }
                None => {
                    let id = self.new_scalar(&r.name, r.ty);
                    let zero = self.builder().cast(&Val::constant(Value::i64(0)), r.ty);
                    self.assign_slot(id, &zero);
                    results.push(Outcome::Scalar(Val::slot(id, r.ty)));
                    Local::Slot(id, r.ty)
                }
            };
            self.env = self.env.with(&r.name, local);
        }
        let ok = self.workflow_body(&w.body);
        self.read_only = held;
        if !ok {
            return None;
        }
        Some(results)
    }

    /// No name of the body hides a result, which would stay what it begins with.
    fn results_in_sight(&mut self, w: &ast::WorkflowDecl) -> Option<()> {
        let mut open: Vec<&ast::Stmt> = w.body.stmts.iter().collect();
        while let Some(s) = open.pop() {
            use ast::StmtKind as S;
            let (names, blocks): (Vec<&ast::Ident>, Vec<&ast::Block>) = match &s.kind {
                S::Let { targets, .. } => (targets.iter().map(|t| &t.name).collect(), vec![]),
                S::Var { name, .. } => (vec![name], vec![]),
                S::Array(decl) => (decl.names.iter().collect(), vec![]),
                S::For { index, body, .. } => (vec![index], vec![body]),
                S::While { body, .. } => (vec![], vec![body]),
                S::If { then, otherwise, .. } => (vec![], std::iter::once(then).chain(otherwise).collect()),
                _ => continue,
            };
            let results = w.results.iter().filter_map(|r| r.name.as_ref());
            for (result, again) in results.flat_map(|r| names.iter().map(move |n| (r, *n))) {
                if result.name == again.name {
                    let message = format!("`{}` is declared twice", again.name);
                    let d = Diagnostic::error("E0202", message, again.span, "declared again, which hides the result")
                        .label(result.span, "first declared here, as a result");
                    let help = format!(
                        "assign the result (`{} = …`), which takes the partition that the caller gives it, or give one of them another name",
                        again.name
                    );
                    self.report(d.help(help));
                    return None;
                }
            }
            open.extend(blocks.iter().flat_map(|b| &b.stmts));
        }
        Some(())
    }

    pub(super) fn call_statement(&mut self, e: ExprId, span: Span) -> Option<()> {
        let node = self.node(e);
        match &node.kind {
            ExprKind::Call { callee, args } if self.gives_outcomes(callee) => {
                let out = self.call_outcomes(callee, args, &[], node.span)?;
                if out.is_empty() {
                    return Some(());
                }
                self.fail_help(
                    "E0520",
                    format!("the result of `{}` is not used", callee.name),
                    span,
                    "dropped here",
                    format!("assign it: `… = {}(…)`", callee.name),
                )
            }
            ExprKind::Call { callee, .. } if self.is_broken(callee) => None,
            ExprKind::Call { callee, .. } => self.unknown(&callee.name, callee.span, "workflow"),
            ExprKind::Binary { op: ast::BinaryOp::Eq, .. } => self.fail_help(
                "E0521",
                "this compares and drops the answer",
                span,
                "not a statement",
                "an assignment is written with one `=`",
            ),
            ExprKind::Name(name) if let Some(help) = habits::statement(name) => {
                self.fail_help("E0521", format!("`{name}` is not a statement"), span, "unknown here", help)
            }
            _ => self.fail_help(
                "E0521",
                "this value is not used",
                span,
                "not a statement",
                "give it a name with `let`, assign it, or print it",
            ),
        }
    }
}

//! Workflows: statements in order, calls of kernels and of other workflows, hidden double buffers.

use super::Checker;
use super::emit::{Builder, Val};
use super::env::{Env, Global, Local};
use super::kernel::{Arg, Outcome};
use crate::diag::Diagnostic;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Access, Affine, ArrayId, ScalarId, Store, Sym};
use crate::ir::program::{Array, PrintPart, StmtKind};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{
    self, AssignOp, Block, Clause, ExprId, ExprKind, Ident, ItemKind, Target, Template, TemplatePart,
};

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
        self.expanding.push((module, item));
        self.in_scope(module, Env::default(), |c| c.workflow_body(&w.body));
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
        for s in &block.stmts {
            ok &= self.statement(s).is_some();
            // What a faulty statement left behind must not leak into the next.
            self.builders.truncate(self.builders.len().max(1));
        }
        if let Some(v) = block.value {
            let span = self.span(v);
            ok &= self.call_statement(v, span).is_some();
        }
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
                let then = self.nested(then);
                let otherwise = match otherwise {
                    Some(b) => self.nested(b),
                    None => Some(vec![]),
                };
                self.emit_stmt(StmtKind::If { cond: c?, then: then?, otherwise: otherwise? }, span);
                Some(())
            }
            S::Break if self.loops == 0 => {
                self.fail("E0225", "`break` stands outside a loop", span, "no loop around it")
            }
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
            S::Expect { cond } => self.assertion(*cond, None, span),
            S::Load { array, path } => {
                self.file_statement(array, path, span, |array, path| StmtKind::Load { array, path })
            }
            S::Save { array, path } => {
                self.file_statement(array, path, span, |array, path| StmtKind::Save { array, path })
            }
            S::Plot { array, path } => {
                self.file_statement(array, path, span, |array, path| StmtKind::Plot { array, path })
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
        self.emit_stmt(StmtKind::Assert { cond, why }, span);
        Some(())
    }

    /// A value in a slot of its own, constants too.
    fn force_slot(&mut self, v: &Val) -> ScalarId {
        if let super::emit::ValKind::Slot(id) = v.kind {
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
        let known = |v: &Val| v.as_const().and_then(|c| c.as_int()).and_then(|i| i64::try_from(i).ok());
        let bounds = known(&from).zip(known(&to));
        let vals = [from, to, Val::constant(Value::i64(by))];
        let slots = vals.map(|v| (self.new_scalar("", Ty::I64), v));
        self.assign_slots(&slots);
        let [(from, _), (to, _), (by, _)] = slots;
        let counter = self.new_scalar(&index.name, Ty::I64);
        if let Some((a, b)) = bounds {
            self.program.scalar_ranges.insert(counter, Interval::new(a, b.max(a)));
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

    fn workflow_let(&mut self, targets: &[Target], ty: Option<&ast::TypeExpr>, value: ExprId) -> Option<()> {
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
        if let ExprKind::Call { callee, args } = &e.kind
            && self.gives_outcomes(callee)
        {
            let out = self.call_outcomes(callee, args, &vec![None; targets.len()], e.span)?;
            if out.len() != targets.len() {
                return self.fail(
                    "E0242",
                    format!(
                        "{} on the left, {} on the right",
                        super::counted(targets.len(), "name"),
                        super::counted(out.len(), "result")
                    ),
                    e.span,
                    super::counted(out.len(), "result"),
                );
            }
            let mut new = vec![];
            for (t, o) in targets.iter().zip(out) {
                let local = match o {
                    Outcome::Array(id) => {
                        self.program.arrays[id.0 as usize].name = t.name.name.clone();
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
            self.copy_array(id, from, t.span)?;
            self.env = self.env.with(&t.name.name, Local::Array(id));
            return Some(());
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
        let id = self.new_scalar(name, v.ty);
        let out = Val::slot(id, v.ty);
        new.push((id, v));
        out
    }

    /// Whether a name is a kernel or workflow, whose call may give arrays.
    fn gives_outcomes(&self, callee: &Ident) -> bool {
        let global = self.modules[self.module].globals.get(&callee.name);
        self.env.find(&callee.name).is_none() && matches!(global, Some((Global::Kernel(..) | Global::Workflow(..), _)))
    }

    /// Whether a name belongs to a faulty declaration, which was reported.
    pub(super) fn is_broken(&self, name: &Ident) -> bool {
        match self.env.find(&name.name) {
            Some(local) => matches!(local, Local::Broken),
            None => matches!(self.modules[self.module].globals.get(&name.name), Some((Global::Broken, _))),
        }
    }

    fn is_workflow(&self, callee: &Ident) -> bool {
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
        match self.modules[self.module].globals.get(&callee.name).map(|g| g.0.clone()) {
            Some(Global::Kernel(m, item)) => self.kernel_call(m, item, args, targets, span),
            Some(Global::Workflow(m, item)) => self.workflow_call(m, item, args, targets, span),
            Some(Global::Broken) => None,
            Some(_) => self.fail("E0240", format!("`{}` is not a kernel", callee.name), callee.span, "called here"),
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
        if let Some(p) = w.params.iter().find(|p| p.ty.elem.name == "kernel") {
            return self.not_yet("a kernel as a workflow's parameter", p.ty.span);
        }
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
        let held = std::mem::replace(&mut self.read_only, arrays.clone());
        let mut results = vec![];
        for (k, r) in w.results.iter().enumerate() {
            let ty = self.elem_type(&r.ty)?;
            match (&r.name, &r.ty.shape) {
                (Some(name), Some(dims)) => {
                    let id =
                        self.result_array(&name.name, ty, dims, targets.get(k).copied().flatten(), &arrays, r.ty.span)?;
                    self.env = self.env.with(&name.name, Local::Array(id));
                    self.begins(id, name.span);
                    results.push(Ok(id));
                }
                (Some(name), None) => {
                    let id = self.new_scalar(&name.name, ty);
                    let zero = Val::constant(crate::ir::fold::cast(Value::i64(0), ty));
                    self.assign_slot(id, &zero);
                    self.env = self.env.with(&name.name, Local::Slot(id, ty));
                    results.push(Err(Val::slot(id, ty)));
                }
                (None, _) => {
                    return self.fail_help(
                        "E0248",
                        "a workflow names its results",
                        r.ty.span,
                        "no name",
                        "write `-> x: f64[n]` and assign `x`",
                    );
                }
            }
        }
        let ok = self.workflow_body(&w.body);
        self.read_only = held;
        if !ok {
            return None;
        }
        Some(results.into_iter().map(|r| r.map_or_else(Outcome::Scalar, Outcome::Array)).collect())
    }

    fn call_statement(&mut self, e: ExprId, span: Span) -> Option<()> {
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
            _ => self.fail_help(
                "E0521",
                "this value is not used",
                span,
                "not a statement",
                "give it a name with `let`, assign it, or print it",
            ),
        }
    }

    fn assign(&mut self, targets: &[Target], op: AssignOp, value: ExprId, clause: &Clause, span: Span) -> Option<()> {
        if let [target] = targets
            && target.subscripts.is_some()
        {
            return self.direct_equation(target, op, value, clause);
        }
        if !matches!(clause, Clause::Everywhere) {
            return self.fail(
                "E0271",
                "a range follows an equation with subscripts",
                span,
                "no subscripts on the left",
            );
        }
        let mut places = vec![];
        for t in targets {
            if t.subscripts.is_some() {
                return self.fail("E0229", "several targets are plain names", t.span, "subscripted");
            }
            places.push(self.assignable(&t.name)?);
        }
        for (k, t) in targets.iter().enumerate() {
            if let Some(other) = targets[..k].iter().find(|o| o.name.name == t.name.name) {
                let d = Diagnostic::error(
                    "E0525",
                    format!("`{}` is assigned twice at once", t.name.name),
                    t.span,
                    "again here",
                );
                self.report(d.label(other.span, "first here"));
                return None;
            }
        }
        let wanted: Vec<Option<ArrayId>> = places.iter().map(|p| p.as_ref().ok().copied()).collect();
        let e = self.node(value);
        let first_nest = self.program.nests.len();
        let out = match &e.kind {
            ExprKind::Call { callee, args } if self.gives_outcomes(callee) => {
                self.call_outcomes(callee, args, &wanted, e.span)?
            }
            ExprKind::Call { callee, .. } if self.is_broken(callee) => return None,
            _ if wanted.iter().all(|w| w.is_none()) => {
                let ty = places.first().and_then(|p| p.as_ref().err()).map(|p| p.1);
                self.values(value, targets.len(), ty)?.into_iter().map(Outcome::Scalar).collect()
            }
            ExprKind::Name(_) if targets.len() == 1 => {
                let from = self.array_argument(value)?;
                return self.copy_array(places[0].as_ref().ok().copied()?, from, e.span);
            }
            _ => {
                let name = &targets[0].name.name;
                return self.fail_help(
                    "E0522",
                    format!("`{name}` is an array, and the right side is a single value"),
                    e.span,
                    "one value",
                    format!("write `{name}[i] = …` to set every element"),
                );
            }
        };
        if out.len() != targets.len() {
            return self.fail(
                "E0242",
                format!(
                    "{} on the left, {} on the right",
                    super::counted(targets.len(), "name"),
                    super::counted(out.len(), "result")
                ),
                e.span,
                super::counted(out.len(), "result"),
            );
        }
        // A workflow may read its argument again in a loop, or set only a part: it never writes in place.
        let straight = !matches!(&e.kind, ExprKind::Call { callee, .. } if self.is_workflow(callee));
        self.adopt(targets, places, out, op, straight.then_some(first_nest), e.span)
    }

    /// Puts the results of a call where they go.
    fn adopt(
        &mut self,
        targets: &[Target],
        places: Vec<Result<ArrayId, (ScalarId, Ty)>>,
        out: Vec<Outcome>,
        op: AssignOp,
        first_nest: Option<usize>,
        span: Span,
    ) -> Option<()> {
        let mut scalars = vec![];
        for ((t, place), o) in targets.iter().zip(places).zip(out) {
            match (place, o) {
                (Ok(array), Outcome::Array(result)) => {
                    if op != AssignOp::Set {
                        return self.fail("E0523", "a whole array is assigned with `=`", t.span, "not `=`");
                    }
                    self.take_over(array, result, first_nest, span)?;
                }
                (Err((id, ty)), Outcome::Scalar(v)) => {
                    let v = self.convert(v, ty, span)?;
                    let v = match super::expr::compound(op) {
                        None => v,
                        Some(op) => self.builder().binary(op, &Val::slot(id, ty), &v),
                    };
                    scalars.push((id, v));
                }
                (Ok(_), Outcome::Scalar(_)) => {
                    return self.fail_help(
                        "E0522",
                        format!("`{}` is an array, and this result is a single value", t.name.name),
                        span,
                        "one value",
                        format!("write `{}[i] = …` to set every element", t.name.name),
                    );
                }
                (Err(_), Outcome::Array(_)) => {
                    return self.fail(
                        "E0524",
                        format!("`{}` is a single value, and this result is an array", t.name.name),
                        t.span,
                        "a single value",
                    );
                }
            }
        }
        // All right sides are read before any left side changes.
        let regs: Vec<_> = scalars.iter().map(|(id, v)| (self.builder().materialise(v), *id)).collect();
        if !regs.is_empty() {
            let code = self.builder().finish();
            *self.builder() = Builder::new(vec![]);
            self.emit_stmt(StmtKind::Scalars { code, results: regs }, span);
        }
        Some(())
    }

    /// The array or scalar that a plain name on the left means.
    fn assignable(&mut self, name: &Ident) -> Option<Result<ArrayId, (ScalarId, Ty)>> {
        match self.env.find(&name.name).cloned() {
            Some(Local::Array(id)) if self.read_only.contains(&id) => self.fail_help(
                "E0229",
                format!("`{}` is a parameter, and parameters are not written", name.name),
                name.span,
                "assigned here",
                "name a result after `->`",
            ),
            Some(Local::Array(id)) => Some(Ok(id)),
            Some(Local::Slot(id, ty)) => Some(Err((id, ty))),
            Some(Local::Broken) => None,
            Some(_) => self.fail_help(
                "E0229",
                format!("`{}` cannot be assigned again", name.name),
                name.span,
                "declared with `let`, or a loop's index",
                "declare it with `var`",
            ),
            None => match self.modules[self.module].globals.get(&name.name).map(|g| g.0.clone()) {
                Some(Global::Array(id)) => Some(Ok(id)),
                Some(Global::Broken) => None,
                Some(Global::Const(_)) => self.fail_help(
                    "E0229",
                    format!("`{}` is a parameter or a top-level `let`", name.name),
                    name.span,
                    "cannot be assigned",
                    "declare a `var` in the workflow",
                ),
                Some(_) => self.fail(
                    "E0229",
                    format!("`{}` cannot be assigned", name.name),
                    name.span,
                    "not an array or variable",
                ),
                None => {
                    let d = self.unknown::<()>(&name.name, name.span, "array or variable");
                    d?;
                    None
                }
            },
        }
    }

    /// `target` takes the contents of `result`, which a call just made: written in place where nothing still reads the old
    /// contents, else the two buffers change roles.
    fn take_over(&mut self, target: ArrayId, result: ArrayId, first_nest: Option<usize>, span: Span) -> Option<()> {
        let (t, r) = (self.program.arrays[target.0 as usize].clone(), self.program.arrays[result.0 as usize].clone());
        if t.shape != r.shape || t.ty != r.ty {
            let d = Diagnostic::error(
                "E0310",
                format!("`{}` is {}{}, and this result is {}{}", t.name, t.ty, extents(&t), r.ty, extents(&r)),
                span,
                format!("{}{}", r.ty, extents(&r)),
            )
            .label(t.span, format!("`{}` is declared here", t.name));
            self.report(d);
            return None;
        }
        if t.placement != r.placement || t.edges != r.edges || !r.temporary {
            return self.copy_array(target, result, span);
        }
        if let Some(first) = first_nest.filter(|&first| self.in_place(target, result, first)) {
            self.rename(result, target, first);
        } else {
            self.emit_stmt(StmtKind::Swap(target, result), span);
        }
        Some(())
    }

    /// Whether the nests from `first` on may write `target` itself in place of `result`: from the first writer on, `target`
    /// is read only at the element that the same point writes.
    fn in_place(&self, target: ArrayId, result: ArrayId, first: usize) -> bool {
        let nests = &self.program.nests[first..];
        let writes = |s: &Store, n: &crate::ir::kernel::Nest| n.operands[s.operand.0 as usize].array == result;
        let Some(start) = nests.iter().position(|n| n.stores.iter().any(|s| writes(s, n))) else { return false };
        nests[start..].iter().all(|n| {
            let pointwise = |a: &Access| n.stores.iter().any(|s| writes(s, n) && s.index == a.index);
            n.accesses.iter().all(|a| n.operands[a.operand.0 as usize].array != target || pointwise(a))
        })
    }

    /// Replaces an array by another in the nests from `first` on.
    fn rename(&mut self, from: ArrayId, to: ArrayId, first: usize) {
        for n in &mut self.program.nests[first..] {
            let known = n.operands.iter().position(|o| o.array == to);
            let Some(old) = n.operands.iter().position(|o| o.array == from) else { continue };
            let Some(known) = known else {
                n.operands[old].array = to;
                continue;
            };
            let (old_id, new_id) =
                (crate::ir::kernel::OperandId(old as u32), crate::ir::kernel::OperandId(known as u32));
            n.operands[known].written |= n.operands[old].written;
            n.stores.iter_mut().filter(|s| s.operand == old_id).for_each(|s| s.operand = new_id);
            n.accesses.iter_mut().filter(|a| a.operand == old_id).for_each(|a| a.operand = new_id);
            n.operands.remove(old);
            let shift = |o: &mut crate::ir::kernel::OperandId| {
                if o.0 > old as u32 {
                    o.0 -= 1;
                }
            };
            n.stores.iter_mut().for_each(|s| shift(&mut s.operand));
            n.accesses.iter_mut().for_each(|a| shift(&mut a.operand));
        }
    }

    /// `to = from` for whole arrays, of any partitions.
    fn copy_array(&mut self, to: ArrayId, from: ArrayId, span: Span) -> Option<()> {
        let (t, f) = (self.program.arrays[to.0 as usize].clone(), self.program.arrays[from.0 as usize].clone());
        if t.shape != f.shape || t.ty != f.ty {
            let d = Diagnostic::error(
                "E0310",
                format!("`{}` is {}{}, and `{}` is {}{}", t.name, t.ty, extents(&t), f.name, f.ty, extents(&f)),
                span,
                format!("{}{}", f.ty, extents(&f)),
            )
            .label(t.span, format!("`{}` is declared here", t.name));
            self.report(d);
            return None;
        }
        if to == from {
            return Some(());
        }
        let domain = t.shape.iter().map(|&n| Interval::new(0, n)).collect();
        self.copy_region(to, from, domain, |d| Affine::sym(Sym::Dim(d)), t.shape.len(), span);
        Some(())
    }

    fn copy_region(
        &mut self,
        to: ArrayId,
        from: ArrayId,
        domain: Vec<Interval>,
        index: impl Fn(usize) -> Affine,
        rank: usize,
        span: Span,
    ) {
        let (ty, name) = (self.program.arrays[to.0 as usize].ty, self.program.arrays[to.0 as usize].name.clone());
        let index: Vec<Affine> = (0..rank).map(index).collect();
        let mut b = Builder::new_nest(domain);
        let operand = b.operand(from, ty, rank, false);
        let within = b.within_box();
        let access = b.access(Access { operand, index: index.clone(), within, counters: vec![], span });
        let value = b.emit(ty, crate::ir::kernel::Op::Load(access));
        let operand = b.operand(to, ty, rank, true);
        if b.domain.iter().all(|d| !d.is_empty()) {
            self.push_nest(&mut b, format!("copy to {name}"), vec![Store { operand, index, value }], vec![], span);
        }
    }

    /// `c[i, j] = …` in a workflow: the elements it names change, the rest stays.
    fn direct_equation(&mut self, target: &Target, op: AssignOp, value: ExprId, clause: &Clause) -> Option<()> {
        let place = self.assignable(&target.name)?;
        let Ok(array) = place else {
            return self.fail(
                "E0250",
                format!("`{}` is a single value", target.name.name),
                target.span,
                "subscripted here",
            );
        };
        let proto = self.program.arrays[array.0 as usize].clone();
        let shape = proto.shape.clone();
        let temp = self.add_array(Array { name: format!("{}'", proto.name), temporary: true, ..proto });
        let first = self.program.nests.len();
        let regions = self.equation(target, array, temp, op, value, clause, &[])?;
        if self.in_place(array, temp, first) || self.program.nests[first..].is_empty() {
            self.rename(temp, array, first);
            return Some(());
        }
        let Some(region) = regions.first() else { return Some(()) };
        let whole = crate::ir::index_box::IndexBox::whole(&shape);
        if region.hull() == whole && region.dims.iter().all(|d| d.2 == 1) {
            self.emit_stmt(StmtKind::Swap(array, temp), target.span);
            return Some(());
        }
        // Only a part changes: compute it aside, then copy it back.
        let dims = region.dims.clone();
        let domain = dims.iter().map(|d| Interval::new(0, d.1)).collect();
        self.copy_region(
            array,
            temp,
            domain,
            |d| Affine { konst: dims[d].0, terms: vec![(Sym::Dim(d), dims[d].2)] },
            shape.len(),
            target.span,
        );
        Some(())
    }

    /// The array that a name means, if it means one.
    fn array_if_named(&self, name: &str) -> Option<ArrayId> {
        match self.env.find(name) {
            Some(Local::Array(id)) => Some(*id),
            Some(_) => None,
            None => match self.modules[self.module].globals.get(name) {
                Some((Global::Array(id), _)) => Some(*id),
                _ => None,
            },
        }
    }

    /// A string with its holes evaluated.
    fn template(&mut self, t: &Template) -> Option<Vec<PrintPart>> {
        let mut out = vec![];
        let mut ok = true;
        for p in &t.parts {
            match p {
                TemplatePart::Text(s) => out.push(PrintPart::Text(s.clone())),
                TemplatePart::Hole { value, over, format, span } => {
                    match self.hole(*value, over.as_ref(), format.as_ref(), *span) {
                        Some(parts) => out.extend(parts),
                        None => ok = false,
                    }
                }
            }
        }
        ok.then_some(out)
    }

    fn hole(
        &mut self,
        value: ExprId,
        over: Option<&(Ident, ast::Range)>,
        format: Option<&String>,
        span: Span,
    ) -> Option<Vec<PrintPart>> {
        if let Some((index, range)) = over {
            return self.list_hole(value, index, range, format, span);
        }
        let e = self.node(value);
        if let ExprKind::Name(n) = &e.kind
            && let Some(id) = self.array_if_named(n)
        {
            self.format_suits(format, self.program.arrays[id.0 as usize].ty, span)?;
            return Some(vec![PrintPart::Array { id, format: format.cloned() }]);
        }
        let v = self.expr(value, None)?;
        let v = self.settle(v);
        self.format_suits(format, v.ty, span)?;
        let id = self.force_slot(&v);
        Some(vec![PrintPart::Scalar { id, format: format.cloned() }])
    }

    /// A format of a hole fits values of type `ty`.
    fn format_suits(&mut self, format: Option<&String>, ty: Ty, span: Span) -> Option<()> {
        match format.map(|spec| (spec, crate::ir::format::check_spec(spec, ty))) {
            Some((spec, Err(why))) => {
                self.fail("E0530", format!("`{spec}` does not format `{ty}`: {why}"), span, "this format")
            }
            _ => Some(()),
        }
    }

    /// `{p[k, k] for k in 0..m by 8}`: a list in brackets.
    fn list_hole(
        &mut self,
        value: ExprId,
        index: &Ident,
        range: &ast::Range,
        format: Option<&String>,
        span: Span,
    ) -> Option<Vec<PrintPart>> {
        let from = self.const_as(range.from, Ty::I64, "the range of a list")?.as_int()? as i64;
        let to = self.const_as(range.to, Ty::I64, "the range of a list")?.as_int()? as i64;
        let by = self.step(range)?;
        if (to - from) / by > 256 {
            return self.not_yet("a printed list of more than 256 values", span);
        }
        let mut out = vec![PrintPart::Text("[".into())];
        let env = self.env.clone();
        let mut k = from;
        while k < to {
            if k > from {
                out.push(PrintPart::Text(", ".into()));
            }
            self.env = env.with(&index.name, Local::Val(Val::constant(Value::i64(k))));
            let parts = self.hole(value, None, format, span);
            self.env = env.clone();
            out.extend(parts?);
            k += by;
        }
        out.push(PrintPart::Text("]".into()));
        Some(out)
    }
}

/// `[4096, 512]`
fn extents(a: &Array) -> String {
    let dims: Vec<String> = a.shape.iter().map(|n| n.to_string()).collect();
    format!("[{}]", dims.join(", "))
}

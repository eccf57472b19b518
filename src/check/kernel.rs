//! Kernels, expanded at the call: extents bound from the arguments, equations to nests, results to arrays or scalars.

use super::Checker;
use super::bind::Named;
use super::cover::Region;
use super::emit::{Builder, Val, ValKind};
use super::env::{Env, IndexedLet, Local};
use super::partial::Partial;
use crate::ir::kernel::{ArrayId, ScalarId};
use crate::ir::ty::Ty;
use crate::source::Span;
use crate::syntax::ast::{self, AssignOp, Clause, ExprId, ExprKind, ItemKind, KernelBody, KernelDecl, Target};
use std::rc::Rc;

/// An argument of a kernel or workflow.
#[derive(Clone, Debug)]
pub(super) enum Arg {
    Array(ArrayId, Span),
    Scalar(Val, Span),
    /// For a workflow's kernel parameter.
    Kernel(Rc<Partial>, Span),
    /// For a kernel parameter of a workflow that nothing calls.
    Unknown(Span),
}

/// A result of a kernel or workflow.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Array(ArrayId),
    Scalar(Val),
}

/// A result while its kernel is being expanded.
struct Pending {
    result: Named,
    regions: Vec<Region>,
    value: Option<Val>,
}

impl Checker<'_> {
    pub(super) fn kernel_decl(&self, module: usize, item: usize) -> Option<KernelDecl> {
        match &self.modules[module].ast.items[item].kind {
            ItemKind::Kernel(k) => Some(k.clone()),
            _ => None,
        }
    }

    /// A kernel call as one value of an expression; `call` expands it.
    pub(super) fn kernel_value(
        &mut self,
        args: &[ExprId],
        span: Span,
        call: impl FnOnce(&mut Self) -> Option<Vec<Outcome>>,
    ) -> Option<Val> {
        if self.builder().nest && args.iter().any(|&a| self.needs_element(a)) {
            return self.fail_help(
                "E0245",
                "a kernel runs over whole arrays, not once an element",
                span,
                "its arguments change from element to element",
                "write a `fn` for scalar code",
            );
        }
        self.push_builder(Builder::new(vec![]));
        let held = self.solid_facts();
        let out = call(self);
        let out = out.and_then(|mut out| match out.pop() {
            Some(Outcome::Scalar(v)) if out.is_empty() => self.in_slot(v, ""),
            _ => self.fail_help(
                "E0246",
                "this kernel gives arrays, and one value is needed here",
                span,
                "called here",
                "assign its result to an array first",
            ),
        });
        self.scalar_facts = held;
        self.builders.pop();
        out
    }

    /// Evaluates the arguments and expands the kernel. `targets`: arrays whose layout the results take, by position.
    pub(super) fn kernel_call(
        &mut self,
        module: usize,
        item: usize,
        args: &[ExprId],
        targets: &[Option<ArrayId>],
        span: Span,
    ) -> Option<Vec<Outcome>> {
        let decl = self.kernel_decl(module, item)?;
        self.no_kernel_params(&decl.params)?;
        let args = self.arguments(module, &decl.name.name, &decl.params, args, span)?;
        self.expand_kernel(module, item, args, targets, span)
    }

    /// A value as a constant or workflow scalar, so that nests can read it.
    pub(super) fn in_slot(&mut self, v: Val, name: &str) -> Option<Val> {
        let v = self.settle(v);
        match v.kind {
            ValKind::Const { .. } | ValKind::Slot(_) => Some(v),
            _ => {
                let id = self.scalar_for(&v, name);
                self.assign_slot(id, &v);
                Some(Val::slot(id, v.ty))
            }
        }
    }

    /// A new scalar that will hold a value and is not set again, with what is known of it.
    pub(super) fn scalar_for(&mut self, v: &Val, name: &str) -> ScalarId {
        let id = self.new_scalar(name, v.ty);
        if v.ty == Ty::I64
            && let Some(r) = self.known_range(v)
        {
            self.program.scalar_ranges.insert(id, r);
        }
        id
    }

    /// Values as constants or workflow scalars, all read at once; the names are those of the new scalars.
    pub(super) fn in_slots(&mut self, vals: &[(Val, &str)]) -> Vec<Val> {
        let (mut out, mut new) = (vec![], vec![]);
        for (v, name) in vals {
            let v = self.settle(v.clone());
            if matches!(v.kind, ValKind::Const { .. } | ValKind::Slot(_)) {
                out.push(v);
                continue;
            }
            let id = self.scalar_for(&v, name);
            out.push(Val::slot(id, v.ty));
            new.push((id, v));
        }
        self.assign_slots(&new);
        out
    }

    /// Ends the scalar code being written with `id = v`. Registers of the code end with it.
    pub(super) fn assign_slot(&mut self, id: ScalarId, v: &Val) {
        self.assign_slots(&[(id, v.clone())]);
    }

    /// Ends the scalar code being written with several results.
    pub(super) fn assign_slots(&mut self, vals: &[(ScalarId, Val)]) {
        if vals.is_empty() {
            return;
        }
        let results = vals.iter().flat_map(|(id, v)| self.builder().results(v, *id)).collect();
        self.scalars(results, Span::new(crate::source::FileId(0), 0, 0));
    }

    pub(super) fn expand_kernel(
        &mut self,
        module: usize,
        item: usize,
        args: Vec<Arg>,
        targets: &[Option<ArrayId>],
        span: Span,
    ) -> Option<Vec<Outcome>> {
        let decl = self.kernel_decl(module, item)?;
        self.no_kernel_params(&decl.params)?;
        self.modules[module].used.insert(item);
        self.enter((module, item), &decl.name.name, span)?;
        let names = std::mem::take(&mut self.extent_names);
        self.naming.push(decl.name.name.clone());
        self.calls.push(span);
        let out = self.in_scope(module, Env::default(), |c| c.kernel_body(&decl, args, targets, span));
        self.calls.pop();
        self.naming.pop();
        self.extent_names = names;
        self.expanding.pop();
        out
    }

    fn kernel_body(
        &mut self,
        decl: &KernelDecl,
        args: Vec<Arg>,
        targets: &[Option<ArrayId>],
        span: Span,
    ) -> Option<Vec<Outcome>> {
        self.bind_params(&decl.name.name, &decl.params, &args, span)?;
        let arrays: Vec<ArrayId> =
            args.iter().filter_map(|a| if let Arg::Array(id, _) = a { Some(*id) } else { None }).collect();
        if let [only] = &decl.results[..]
            && only.name.is_none()
        {
            return self.unnamed_result(decl, only);
        }
        let whose = ("a kernel with several results names each", "write `-> a: …, b: …`");
        let mut pending = vec![];
        for r in self.named_results(&decl.results, targets, &arrays, whose)? {
            self.env = self.env.with(&r.name, Local::Unset(r.span));
            pending.push(Pending { result: r, regions: vec![], value: None });
        }
        let KernelBody::Block(block) = &decl.body else {
            return self.fail_help(
                "E0248",
                "a kernel with named results has a body in braces",
                decl.name.span,
                "this kernel",
                "write `{ out[i, j] = … }`",
            );
        };
        let mut ok = self.kernel_stmts(&block.stmts, &mut pending);
        if let Some(v) = block.value {
            let at = self.span(v);
            let result = match &decl.results[0] {
                ast::ResultDecl { name: Some(name), ty } => match &ty.shape {
                    Some(dims) => format!("{}[{}]", name.name, self.free_indices(dims.len())),
                    None => name.name.clone(),
                },
                _ => "out[i]".into(),
            };
            self.fail_help::<()>(
                "E0249",
                "a kernel with named results has no value",
                at,
                "this expression is not used",
                format!("define a result with it, as in `{result} = …`, or take it away"),
            );
            ok = false;
        }
        if !ok {
            return None;
        }
        self.finish_results(pending)
    }

    fn finish_results(&mut self, pending: Vec<Pending>) -> Option<Vec<Outcome>> {
        let mut out = vec![];
        for p in pending {
            match (p.result.array, p.value) {
                (Some(id), _) => {
                    if p.regions.is_empty() && self.program.arrays[id.0 as usize].shape.iter().all(|n| *n > 0) {
                        return self.fail_help(
                            "E0402",
                            format!("the result `{}` is never defined", p.result.name),
                            p.result.span,
                            "declared here",
                            format!("write `{}[…] = …`", p.result.name),
                        );
                    }
                    self.prove_cover(id, &p.result.name, &p.regions, p.result.span);
                    out.push(Outcome::Array(id));
                }
                (None, Some(v)) => out.push(Outcome::Scalar(v)),
                (None, None) => {
                    return self.fail_help(
                        "E0402",
                        format!("the result `{}` is never defined", p.result.name),
                        p.result.span,
                        "declared here",
                        format!("write `{} = …`", p.result.name),
                    );
                }
            }
        }
        Some(out)
    }

    fn unnamed_result(&mut self, decl: &KernelDecl, result: &ast::ResultDecl) -> Option<Vec<Outcome>> {
        let ty = self.elem_type(&result.ty)?;
        if result.ty.shape.is_some() {
            return self.fail_help(
                "E0248",
                "an array result has a name",
                result.ty.span,
                "no name",
                "write `-> out: f32[n]` and define `out[i] = …`",
            );
        }
        let v = match &decl.body {
            KernelBody::Expr(e) => self.expr_as(*e, ty)?,
            KernelBody::Block(block) => {
                let ok = self.kernel_stmts(&block.stmts, &mut []);
                match block.value {
                    Some(v) if ok => self.expr_as(v, ty)?,
                    Some(_) => return None,
                    None => {
                        return self.fail_help(
                            "E0224",
                            format!("`{}` has no value", decl.name.name),
                            block.span,
                            "its last line is not an expression",
                            "end it with an expression, without `let`: that is its value",
                        );
                    }
                }
            }
        };
        let v = self.in_slot(v, &decl.name.name)?;
        Some(vec![Outcome::Scalar(v)])
    }

    fn kernel_stmts(&mut self, stmts: &[ast::Stmt], pending: &mut [Pending]) -> bool {
        let mut ok = true;
        for (k, s) in stmts.iter().enumerate() {
            ok &= match &s.kind {
                ast::StmtKind::Var { name, .. } => self.kernel_var(name, s.span, &stmts[k + 1..]).is_some(),
                _ => self.kernel_stmt(s, pending).is_some(),
            };
        }
        ok
    }

    fn kernel_stmt(&mut self, s: &ast::Stmt, pending: &mut [Pending]) -> Option<()> {
        match &s.kind {
            ast::StmtKind::Let { targets, ty, value } => {
                let done = self.kernel_let(targets, ty.as_ref(), *value);
                self.broken_unless(done, targets.iter().map(|t| &t.name))
            }
            ast::StmtKind::Assign { targets, op, value, clause } => {
                let [target] = &targets[..] else {
                    return self.fail_help(
                        "E0229",
                        "an equation defines one result",
                        s.span,
                        "several names on the left",
                        "write one equation for each result",
                    );
                };
                self.kernel_equation(target, *op, *value, clause, pending)
            }
            ast::StmtKind::For { body, .. }
                if self.accumulates(body).is_some_and(|(t, ..)| self.is_broken(&t.name)) =>
            {
                None
            }
            ast::StmtKind::For { .. } | ast::StmtKind::While { .. } | ast::StmtKind::If { .. } => self.fail_help(
                "E0227",
                "a kernel's body is made of equations",
                s.span,
                "not an equation",
                "loops and conditions stand inside an expression (`{ … }`, `if c { a } else { b }`) or in the workflow",
            ),
            _ => self.fail_help(
                "E0227",
                "this statement belongs to a workflow",
                s.span,
                "not inside a kernel",
                "write it in a workflow, as in `workflow main { … }`",
            ),
        }
    }

    fn kernel_let(&mut self, targets: &[Target], ty: Option<&ast::TypeExpr>, value: ExprId) -> Option<()> {
        let want = match ty {
            Some(t) => Some(self.elem_type(t)?),
            None => None,
        };
        if let [Target { name, subscripts: Some(subs), span }] = targets {
            let mut indices = vec![];
            for &s in subs {
                match self.node(s).kind {
                    ExprKind::Name(n) => indices.push(n),
                    _ => {
                        let at = self.span(s);
                        return self.fail_help(
                            "E0273",
                            "the subscripts of an intermediate are plain indices",
                            at,
                            "not a name",
                            "name the indices alone, as in `t[i, j] = …`, and do the arithmetic where it is read",
                        );
                    }
                }
            }
            let def =
                IndexedLet { module: self.module, indices, body: value, env: self.env.clone(), ty: want, span: *span };
            self.env = self.env.with(&name.name, Local::Indexed(Rc::new(def)));
            return Some(());
        }
        let vals = self.values(value, targets.len(), want)?;
        let mut named = vec![];
        for (t, v) in targets.iter().zip(vals) {
            let at = self.span(value);
            let v = match want {
                Some(ty) => self.convert(v, ty, at)?,
                None => v,
            };
            named.push((v, t.name.name.as_str()));
        }
        let kept: Vec<(Val, &str)> = named.iter().filter(|n| !n.0.is_flex()).cloned().collect();
        let mut slots = self.in_slots(&kept).into_iter();
        for (v, name) in named {
            let v = if v.is_flex() { Some(v) } else { slots.next() };
            self.env = self.env.with(name, v.map_or(Local::Broken, Local::Val));
        }
        Some(())
    }

    fn kernel_equation(
        &mut self,
        target: &Target,
        op: AssignOp,
        value: ExprId,
        clause: &Clause,
        pending: &mut [Pending],
    ) -> Option<()> {
        let name = &target.name.name;
        let Some(k) = pending.iter().position(|p| p.result.name == *name) else { return self.no_result(target) };
        let Some(array) = pending[k].result.array else {
            if target.subscripts.is_some() {
                return self.fail_help(
                    "E0250",
                    format!("the result `{name}` is a single value"),
                    target.span,
                    "subscripted here",
                    format!("write `{name} = …`, or declare the result as an array: `{name}: f64[n]`"),
                );
            }
            let ty = pending[k].result.ty;
            let v = self.expr_as(value, ty)?;
            let v = self.in_slot(v, name)?;
            self.env = self.env.with(name, Local::Val(v.clone()));
            pending[k].value = Some(v);
            return Some(());
        };
        if target.subscripts.is_none() {
            return self.fail_help(
                "E0274",
                format!("the result `{name}` is an array"),
                target.span,
                "no subscripts",
                format!("write `{name}[i] = …`"),
            );
        }
        if op != AssignOp::Set {
            return self.accumulate_result(target, array, op, value, clause, &pending[k]);
        }
        let earlier = pending[k].regions.clone();
        let regions = self.equation(target, array, array, op, value, clause, &earlier)?;
        pending[k].regions.extend(regions);
        self.env = self.env.with(name, Local::Array(array));
        Some(())
    }

    /// `h[bin[i]] += w[i]` in a kernel, for a result that is defined.
    fn accumulate_result(
        &mut self,
        target: &Target,
        array: ArrayId,
        op: AssignOp,
        value: ExprId,
        clause: &Clause,
        pending: &Pending,
    ) -> Option<()> {
        let name = &pending.result.name;
        if pending.regions.is_empty() && !self.program.arrays[array.0 as usize].shape.contains(&0) {
            return self.fail_help(
                "E0223",
                format!("`{name}` is accumulated before it is defined"),
                target.span,
                "accumulated here",
                format!("define it first: `{name}[…] = 0`"),
            );
        }
        self.prove_cover(array, name, &pending.regions, pending.result.span);
        self.update(target, array, op, value, clause)
    }
}

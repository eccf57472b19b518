//! Kernels as arguments of workflows: which of a kernel's arguments are given, and which the workflow gives.

use super::Checker;
use super::env::{Global, Local};
use super::kernel::{Arg, Outcome};
use crate::diag::Diagnostic;
use crate::ir::kernel::ArrayId;
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind, Ident, KernelDecl, Parameter, TypeExpr};
use std::rc::Rc;

/// A kernel with some of its arguments; `None` is a hole.
#[derive(Debug)]
pub struct Partial {
    module: usize,
    item: usize,
    args: Vec<Option<Arg>>,
    /// Where the program gives it to a workflow.
    span: Span,
}

/// Whether a type is that of a workflow's kernel parameter.
pub(super) fn is_kernel(t: &TypeExpr) -> bool {
    t.elem.name == "kernel" && t.shape.is_none()
}

impl Checker<'_> {
    /// The argument for a workflow's kernel parameter: `k(_, v)`, or a kernel's name for one that is all holes.
    pub(super) fn kernel_argument(&mut self, param: &Ident, id: ExprId) -> Option<Rc<Partial>> {
        let e = self.node(id);
        match &e.kind {
            ExprKind::Name(name) => {
                let name = Ident { name: name.clone(), span: e.span };
                if self.is_broken(&name) {
                    return None;
                }
                if let Some(k) = self.kernel_named(&name) {
                    return Some(k);
                }
            }
            ExprKind::Call { callee, args } => {
                if self.is_broken(callee) {
                    return None;
                }
                if let Some(k) = self.kernel_named(callee) {
                    let given = self.filled(&k, callee, args, e.span)?;
                    if given.iter().any(Option::is_none) {
                        return Some(Rc::new(Partial { args: given, span: e.span, ..*k }));
                    }
                }
            }
            _ => {}
        }
        self.fail_help(
            "E0254",
            format!("a kernel with holes is expected for `{}`", param.name),
            e.span,
            "not such a kernel",
            "write a kernel's call with `_` for what the workflow gives: `step(_, alpha)`",
        )
    }

    /// The kernel that a name means here.
    fn kernel_named(&self, name: &Ident) -> Option<Rc<Partial>> {
        if let Some(local) = self.env.find(&name.name) {
            return if let Local::Kernel(k) = local { Some(k.clone()) } else { None };
        }
        let (global, _) = self.modules[self.module].globals.get(&name.name)?;
        let Global::Kernel(module, item) = *global else { return None };
        let args = vec![None; self.kernel_decl(module, item)?.params.len()];
        Some(Rc::new(Partial { module, item, args, span: name.span }))
    }

    /// The kernel's arguments with these in its holes, in order; `_` leaves one open.
    fn filled(&mut self, k: &Partial, callee: &Ident, args: &[ExprId], span: Span) -> Option<Vec<Option<Arg>>> {
        let decl = self.kernel_decl(k.module, k.item)?;
        let holes: Vec<usize> = (0..k.args.len()).filter(|&i| k.args[i].is_none()).collect();
        if args.len() != holes.len() {
            return self.wrong_holes(k, &decl, callee, (holes.len(), args.len()), span);
        }
        let mut out = k.args.clone();
        let mut ok = true;
        for (&at, &a) in holes.iter().zip(args) {
            if matches!(self.node(a).kind, ExprKind::Hole) {
                continue;
            }
            let types = self.types_of(&decl.params, &out);
            match self.argument(k.module, &decl.params[at], a, &types) {
                Some(arg) => out[at] = Some(arg),
                None => ok = false,
            }
        }
        ok.then_some(out)
    }

    fn wrong_holes<T>(
        &mut self,
        k: &Partial,
        decl: &KernelDecl,
        callee: &Ident,
        (open, given): (usize, usize),
        span: Span,
    ) -> Option<T> {
        let name = &decl.name.name;
        if k.span == callee.span {
            let takes: Vec<&str> = decl.params.iter().map(|p| p.name.name.as_str()).collect();
            return self.fail_help(
                "E0243",
                super::arguments_wanted(name, open, given),
                span,
                format!("{given} given"),
                format!("it takes ({}); `_` stands for one that the workflow gives", takes.join(", ")),
            );
        }
        let message = format!(
            "`{}` is called with {}, and `{name}` has {} here",
            callee.name,
            super::counted(given, "argument"),
            super::counted(open, "hole")
        );
        let d = Diagnostic::error("E0255", message, k.span, super::counted(open, "hole"));
        let d = d.label(span, format!("called with {}", super::counted(given, "argument")));
        self.report(d.help("write one `_` for each argument that the workflow gives"));
        None
    }

    /// A call of a workflow's kernel parameter.
    pub(super) fn partial_call(
        &mut self,
        k: &Rc<Partial>,
        callee: &Ident,
        args: &[ExprId],
        targets: &[Option<ArrayId>],
        span: Span,
    ) -> Option<Vec<Outcome>> {
        let before = self.sink.items.len();
        let given = self.filled(k, callee, args, span)?;
        let Some(given) = given.into_iter().collect::<Option<Vec<Arg>>>() else {
            return self.fail_help(
                "E0220",
                "`_` stands only for an argument of a kernel that a workflow is given",
                span,
                "called here",
                "write a value; `_` stands only where a workflow takes a kernel, as in `cg(conduct(_, k), b)`",
            );
        };
        let out = self.expand_kernel(k.module, k.item, given, targets, span);
        // What does not fit was chosen where the kernel was given.
        for d in &mut self.sink.items[before..] {
            if d.labels.iter().all(|l| l.0 != k.span) {
                d.labels.push((k.span, format!("given for `{}` here", callee.name)));
            }
        }
        out
    }

    /// Refuses kernel parameters where no workflow takes them.
    pub(super) fn no_kernel_params(&mut self, params: &[Parameter]) -> Option<()> {
        match params.iter().find(|p| is_kernel(&p.ty)) {
            Some(p) => self.elem_type(&p.ty).map(|_| ()),
            None => Some(()),
        }
    }
}

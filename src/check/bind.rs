//! Parameters and results of kernels and workflows: arguments by kind, extents by name, arrays for results.

use super::emit::Val;
use super::env::{Env, Local};
use super::kernel::{Arg, Outcome};
use super::partial::is_kernel;
use super::types::is_variable;
use super::{Checker, counted};
use crate::diag::Diagnostic;
use crate::ir::kernel::ArrayId;
use crate::ir::program::Array;
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{self, ExprId, ExprKind, Parameter, ResultDecl};

/// A result with its name; one without an array is a single value.
pub(super) struct Named {
    pub name: String,
    pub ty: Ty,
    pub array: Option<ArrayId>,
    pub span: Span,
}

impl Checker<'_> {
    /// The arguments of a call, by the kinds of the parameters.
    pub(super) fn arguments(
        &mut self,
        module: usize,
        name: &str,
        params: &[Parameter],
        args: &[ExprId],
        span: Span,
    ) -> Option<Vec<Arg>> {
        if args.len() != params.len() {
            let takes: Vec<&str> = params.iter().map(|p| p.name.name.as_str()).collect();
            return self.fail_help(
                "E0243",
                super::arguments_wanted(name, params.len(), args.len()),
                span,
                format!("{} given", args.len()),
                format!("it takes ({})", takes.join(", ")),
            );
        }
        let mut out: Vec<Option<Arg>> = vec![None; args.len()];
        // Single values of a type variable come last: arrays bind it.
        let late = |p: &Parameter| is_variable(&p.ty) && p.ty.shape.is_none();
        let mut ok = true;
        for second in [false, true] {
            for (k, (p, &a)) in params.iter().zip(args).enumerate().filter(|k| late(k.1.0) == second) {
                let types = self.types_of(params, &out);
                out[k] = self.argument(module, p, a, &types);
                ok &= out[k].is_some();
            }
        }
        if ok { out.into_iter().collect() } else { None }
    }

    /// One argument for a parameter that `module` declares.
    pub(super) fn argument(
        &mut self,
        module: usize,
        p: &Parameter,
        a: ExprId,
        types: &[(String, Ty, Span)],
    ) -> Option<Arg> {
        let at = self.span(a);
        if is_kernel(&p.ty) {
            return self.kernel_argument(&p.name, a).map(|k| Arg::Kernel(k, at));
        }
        if p.ty.shape.is_some() {
            if !is_variable(&p.ty) {
                self.in_scope(module, Env::default(), |c| c.elem_type(&p.ty))?;
            }
            return self.array_argument(a).map(|id| Arg::Array(id, at));
        }
        if is_variable(&p.ty) && types.iter().all(|t| t.0 != p.ty.elem.name) {
            let v = self.expr(a, None)?;
            // A literal waits for the arrays of a call that comes later.
            let v = if v.is_flex() { Some(v) } else { self.in_slot(v, &p.name.name) };
            return v.map(|v| Arg::Scalar(v, at));
        }
        let env = self.with_types(Env::default(), types);
        let ty = self.in_scope(module, env, |c| c.elem_type(&p.ty))?;
        let before = self.sink.items.len();
        let Some(v) = self.expr_as(a, ty) else {
            self.note_binding(before, p, types);
            return None;
        };
        self.in_slot(v, &p.name.name).map(|v| Arg::Scalar(v, at))
    }

    /// An array by name, or the array that a kernel call gives.
    pub(super) fn array_argument(&mut self, id: ExprId) -> Option<ArrayId> {
        let e = self.node(id);
        match &e.kind {
            ExprKind::Name(name) => self.array_named(&ast::Ident { name: name.clone(), span: e.span }),
            ExprKind::Call { callee, args } => {
                let out = self.call_outcomes(callee, args, &[], e.span)?;
                match out[..] {
                    [Outcome::Array(id)] => Some(id),
                    _ => self.fail_help(
                        "E0247",
                        "an array is expected here",
                        e.span,
                        "this is not one array",
                        "name an array; assign an expression of arrays to one first",
                    ),
                }
            }
            ExprKind::Hole => self.expr(id, None).and(None),
            _ => self.fail_help(
                "E0247",
                "an array is expected here",
                e.span,
                "this is a single value",
                "name an array, or assign the values to one first",
            ),
        }
    }

    /// Binds parameters and extents.
    pub(super) fn bind_params(&mut self, name: &str, params: &[Parameter], args: &[Arg], span: Span) -> Option<()> {
        let given: Vec<Option<Arg>> = args.iter().cloned().map(Some).collect();
        let types = self.types_of(params, &given);
        self.env = self.with_types(self.env.clone(), &types);
        let mut bound: Vec<(String, i64, Span)> = vec![];
        let mut later = vec![];
        for (p, a) in params.iter().zip(args) {
            match a {
                Arg::Kernel(k, _) => {
                    self.env = self.env.with(&p.name.name, Local::Kernel(k.clone()));
                    continue;
                }
                Arg::Unknown(_) => {
                    self.env = self.env.with(&p.name.name, Local::Broken);
                    continue;
                }
                Arg::Array(..) | Arg::Scalar(..) => {}
            }
            let ty = self.elem_type(&p.ty)?;
            match (a, &p.ty.shape) {
                (Arg::Array(id, at), Some(dims)) => {
                    let array = self.program.arrays[id.0 as usize].clone();
                    if array.element() != ty {
                        let d = Diagnostic::error(
                            "E0311",
                            format!(
                                "`{name}` takes `{ty}` for `{}`, and `{}` is `{}`",
                                p.name.name,
                                array.name,
                                array.element()
                            ),
                            *at,
                            format!("this is `{}`", array.element()),
                        )
                        .label(p.ty.span, format!("declared as `{}`", p.ty.elem.name))
                        .help(format!(
                            "copy it into an array of `{ty}`, as in `a[i] = {ty}({}[i])`, or declare it so",
                            array.name
                        ));
                        let before = self.sink.items.len();
                        self.report(d);
                        self.note_binding(before, p, &types);
                        return None;
                    }
                    let rank = array.extents().len();
                    if rank != dims.len() {
                        let d = Diagnostic::error(
                            "E0312",
                            format!(
                                "`{name}` takes {} for `{}`, and `{}` has {}",
                                counted(dims.len(), "dimension"),
                                p.name.name,
                                array.name,
                                rank
                            ),
                            *at,
                            counted(rank, "dimension"),
                        )
                        .label(p.ty.span, counted(dims.len(), "dimension"))
                        .help(format!("give an array of {}", counted(dims.len(), "dimension")));
                        self.report(d);
                        return None;
                    }
                    for (&d, &n) in dims.iter().zip(array.extents()) {
                        later.push((d, n, *at, p.name.name.clone()));
                    }
                    self.env = self.env.with(&p.name.name, Local::Array(*id));
                }
                (Arg::Scalar(v, at), None) => {
                    let before = self.sink.items.len();
                    let v = if is_variable(&p.ty) { self.convert(v.clone(), ty, *at) } else { Some(v.clone()) };
                    let Some(v) = v else {
                        self.note_binding(before, p, &types);
                        return None;
                    };
                    self.env = self.env.with(&p.name.name, Local::Val(v));
                }
                (Arg::Array(_, at) | Arg::Kernel(_, at) | Arg::Unknown(at), _) | (Arg::Scalar(_, at), Some(_)) => {
                    return self.fail_help(
                        "E0247",
                        format!("the parameter `{}` of `{name}` is of another kind", p.name.name),
                        *at,
                        "this argument",
                        "give an array for an array, and one value for a value",
                    );
                }
            }
        }
        // Plain names bind; what is left must agree.
        for (d, n, at, _) in &later {
            let ExprKind::Name(e) = self.node(*d).kind else { continue };
            if bound.iter().any(|b| b.0 == e) || self.env.find(&e).is_some() {
                continue;
            }
            // A kernel's own extent hides a name of the program.
            bound.push((e.clone(), *n, *at));
            self.extent_names.push(e.clone());
            self.env = self.env.with(&e, Local::Val(Val::constant(Value::i64(*n))));
        }
        for (d, n, at, param) in later {
            let e = self.node(d);
            let want = self.const_as(d, Ty::I64, "an extent")?.as_int()? as i64;
            if want != n && !self.generic {
                let text = self.sources.text(e.span).to_string();
                let mut d = Diagnostic::error(
                    "E0310",
                    format!("the extents of `{name}` do not agree: `{text}` is {want}, and `{param}` has {n}"),
                    at,
                    format!("{n} here"),
                )
                .label(e.span, format!("`{text}` stands here"));
                if let Some(b) = bound.iter().find(|b| b.0 == text) {
                    d = d.label(b.2, format!("`{text}` is {want} from this argument"));
                }
                self.report(d.help("give arrays whose extents agree, or another name to the extent that may differ"));
                return None;
            }
        }
        let _ = span;
        Some(())
    }

    /// The array of a result: laid out as the target it goes to, else by the rule for temporaries.
    fn result_array(
        &mut self,
        name: &str,
        ty: Ty,
        dims: &[ExprId],
        target: Option<ArrayId>,
        among: &[ArrayId],
        span: Span,
    ) -> Option<ArrayId> {
        let shape = self.shape(dims, span)?;
        let (mut name, mut proto) = (name.to_string(), self.temporary_like(&shape, ty, among));
        if let Some(t) = target {
            let t = self.program.arrays[t.0 as usize].clone();
            if t.extents() == shape && t.element() == ty {
                name = format!("{}'", t.name);
                proto = t.declared();
            }
        }
        Some(self.add_array(Array { temporary: true, ..Array::of(name, ty, shape, proto, span) }))
    }

    /// The results of a kernel or workflow, each with a name; `whose` says so where one lacks it. `targets`: arrays whose
    /// layout they take, by position; `among`: arguments whose layout they take otherwise.
    pub(super) fn named_results(
        &mut self,
        results: &[ResultDecl],
        targets: &[Option<ArrayId>],
        among: &[ArrayId],
        whose: (&str, &str),
    ) -> Option<Vec<Named>> {
        let mut out = vec![];
        for (k, r) in results.iter().enumerate() {
            let Some(name) = &r.name else { return self.fail_help("E0248", whose.0, r.ty.span, "no name", whose.1) };
            let ty = self.elem_type(&r.ty)?;
            let target = targets.get(k).copied().flatten();
            let array = match &r.ty.shape {
                None => None,
                Some(dims) => Some(self.result_array(&name.name, ty, dims, target, among, r.ty.span)?),
            };
            out.push(Named { name: name.name.clone(), ty, array, span: name.span });
        }
        Some(out)
    }
}

//! Calls: conversions, built-in functions, the program's functions (expanded in place) and kernels with a scalar result.

use super::emit::{Val, ValKind};
use super::env::{Env, Global, Local};
use super::reduce::Reduce;
use super::types::{Bound, bound_types, is_variable, widens};
use super::{Checker, Expansion};
use crate::ir::kernel::{Argument, BinaryOp as B, Call, Op, UnaryOp as U};
use crate::ir::ty::Ty;
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind, FnDecl, Ident, ItemKind, ReduceOp};

/// Functions that are always in scope.
pub const NAMES: &[&str] = &[
    "sqrt",
    "abs",
    "min",
    "max",
    "floor",
    "ceil",
    "round",
    "trunc",
    "fma",
    "select",
    "mulhi",
    "bits",
    "from_bits",
    "complex",
    "re",
    "im",
    "conj",
    "arg",
    "exp",
    "exp2",
    "log",
    "log2",
    "log10",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "atan2",
    "sinh",
    "cosh",
    "tanh",
    "erf",
    "pow",
    "expm1",
    "log1p",
    "cbrt",
    "hypot",
];

/// Functions of the library's `math` that are written once a float type, as `NAME_f32` and `NAME_f64`.
pub(super) fn is_elementary(name: &str) -> bool {
    NAMES.iter().skip_while(|n| **n != "exp").any(|n| *n == name)
}

/// What a function takes, for reports: `seed: u64, index: i64`.
fn takes(decl: &FnDecl) -> String {
    let all = decl.params.iter().map(|p| format!("{}: {}", p.name.name, p.ty.elem.name));
    all.collect::<Vec<_>>().join(", ")
}

/// The types that a function's variables stand for, by its arguments so far.
fn fn_types(decl: &FnDecl, args: &[(Val, Span)]) -> Vec<(String, Ty, Span)> {
    bound_types(decl.params.iter().zip(args).map(|(p, (v, at))| (p, Bound::value(v), *at)))
}

impl Checker<'_> {
    pub(super) fn call(&mut self, callee: &Ident, args: &[ExprId], expected: Option<Ty>, span: Span) -> Option<Val> {
        let variable = if let Some(Local::Type(ty)) = self.env.find(&callee.name) { Some(*ty) } else { None };
        if let Some(ty) = Ty::from_name(&callee.name).or(variable) {
            return self.conversion(ty, args, span);
        }
        if self.is_broken(callee) {
            return None;
        }
        if let Some(Local::Kernel(k)) = self.env.find(&callee.name).cloned() {
            return self.kernel_value(args, span, |c| c.partial_call(&k, callee, args, &[], span));
        }
        if self.env.find(&callee.name).is_some() {
            return self.fail_help(
                "E0240",
                format!("`{}` is not a function", callee.name),
                callee.span,
                "called here",
                format!("an array's element is written `{}[…]`", callee.name),
            );
        }
        match self.modules[self.module].globals.get(&callee.name).map(|g| g.0.clone()) {
            Some(Global::Fn(m, item)) => {
                let vals = self.expand_fn(m, item, args, span)?;
                return self.single(vals, &callee.name, span);
            }
            Some(Global::Kernel(m, item)) => {
                return self.kernel_value(args, span, |c| c.kernel_call(m, item, args, &[], span));
            }
            Some(Global::Workflow(..)) => {
                return self.fail_help(
                    "E0241",
                    format!("`{}` is a workflow, called inside an expression", callee.name),
                    span,
                    "called here",
                    "assign its result to a name first",
                );
            }
            Some(Global::Broken) => return None,
            Some(_) => {
                return self.fail_help(
                    "E0240",
                    format!("`{}` is not a function", callee.name),
                    callee.span,
                    "called here",
                    format!("an array's element is written `{}[…]`", callee.name),
                );
            }
            None => {}
        }
        self.builtin(callee, args, expected, span)
    }

    pub(super) fn single(&mut self, mut vals: Vec<Val>, name: &str, span: Span) -> Option<Val> {
        if vals.len() == 1 {
            return vals.pop();
        }
        let n = vals.len();
        self.fail_help(
            "E0242",
            format!("`{name}` gives {n} values, and one is needed here"),
            span,
            format!("{n} values"),
            "name them first: `let a, b = …`",
        )
    }

    /// `n` values of one right side: a tuple, a function with several results, or one expression.
    pub(super) fn values(&mut self, id: ExprId, n: usize, expected: Option<Ty>) -> Option<Vec<Val>> {
        let e = self.node(id);
        let vals = match &e.kind {
            ExprKind::Tuple(list) => {
                let all: Vec<Option<Val>> = list.iter().map(|&x| self.expr(x, None)).collect();
                all.into_iter().collect::<Option<Vec<Val>>>()?
            }
            ExprKind::Reduce { op: op @ (ReduceOp::ArgMin | ReduceOp::ArgMax), indices, term } => {
                self.arg_reduce(Reduce { op: *op, indices, term: *term, span: e.span })?
            }
            ExprKind::Combine { .. } => self.combined(&e)?,
            ExprKind::Call { callee, args } if self.env.find(&callee.name).is_none() => {
                match self.modules[self.module].globals.get(&callee.name).map(|g| g.0.clone()) {
                    Some(Global::Fn(m, item)) => self.expand_fn(m, item, args, e.span)?,
                    _ => vec![self.expr(id, expected)?],
                }
            }
            _ => vec![self.expr(id, expected)?],
        };
        if vals.len() == n {
            return Some(vals);
        }
        let found = vals.len();
        self.fail_help(
            "E0242",
            format!("{} on the left, {} on the right", super::counted(n, "name"), super::counted(found, "value")),
            e.span,
            super::counted(found, "value"),
            "write as many names on the left as there are values on the right",
        )
    }

    pub(super) fn arity(&mut self, name: &str, want: usize, args: &[ExprId], span: Span) -> Option<()> {
        if args.len() == want {
            return Some(());
        }
        self.fail_help(
            "E0243",
            super::arguments_wanted(name, want, args.len()),
            span,
            format!("{} given", args.len()),
            format!("give it {}, in parentheses", super::counted(want, "argument")),
        )
    }

    fn conversion(&mut self, ty: Ty, args: &[ExprId], span: Span) -> Option<Val> {
        self.arity(ty.name(), 1, args, span)?;
        // What is converted is computed in its own type.
        let expected = (ty.is_float() || ty.is_complex()).then_some(ty);
        let v = self.tables_adapting(false, |c| c.expr(args[0], expected))?;
        if v.ty.is_complex() && !ty.is_complex() {
            return self.complex_as(v.ty, ty, self.span(args[0]));
        }
        Some(self.cast_value(&v, ty))
    }

    fn builtin(&mut self, callee: &Ident, args: &[ExprId], expected: Option<Ty>, span: Span) -> Option<Val> {
        let name = callee.name.as_str();
        let unary = match name {
            "abs" => Some(U::Abs),
            "sqrt" => Some(U::Sqrt),
            "floor" => Some(U::Floor),
            "ceil" => Some(U::Ceil),
            "round" => Some(U::Round),
            "trunc" => Some(U::Trunc),
            _ => None,
        };
        if let Some(op) = unary {
            self.arity(name, 1, args, span)?;
            let v = self.expr(args[0], expected)?;
            if let Some(z) = v.parts() {
                let at = self.span(args[0]);
                return self.complex_function(name, z, at, span);
            }
            let v = if op == U::Abs { v } else { self.as_float(v, args[0])? };
            if v.ty == Ty::Bool {
                let at = self.span(args[0]);
                return self.fail_help(
                    "E0213",
                    format!("`{name}` takes a number"),
                    at,
                    "this is `bool`",
                    "convert it: `i32(…)` gives 0 and 1",
                );
            }
            return Some(self.arithmetic_unary(op, &v));
        }
        match name {
            "complex" | "re" | "im" | "conj" | "arg" => self.complex_call(name, args, expected, span),
            "min" | "max" => self.min_max(name, args, expected, span),
            "mulhi" => {
                self.arity(name, 2, args, span)?;
                let (a, b) = self.pair(args, expected, name)?;
                if matches!(a.ty, Ty::U32 | Ty::U64) {
                    return Some(self.builder().binary(B::MulHi, &a, &b));
                }
                self.fail_help(
                    "E0213",
                    "`mulhi` takes `u32` or `u64`",
                    span,
                    format!("the operands are `{}`", a.ty),
                    "convert the operands: `u64(…)`",
                )
            }
            "fma" => {
                self.arity(name, 3, args, span)?;
                let (a, b) = self.pair(args, expected, name)?;
                let c = self.expr(args[2], Some(a.ty))?;
                let (at, bt) = (self.span(args[0]), self.span(args[2]));
                let (a, c) = self.unify((a, at), (c, bt), "`fma`")?;
                let (a, b) = self.unify((a, at), (b, bt), "`fma`")?;
                let (a, b, c) = (self.settle(a), self.settle(b), self.settle(c));
                if !a.ty.is_float() || !b.ty.is_float() || !c.ty.is_float() {
                    return self.fail_help(
                        "E0213",
                        "`fma` takes floats",
                        span,
                        format!("the operands are `{}`", a.ty),
                        "convert the operands: `f64(…)`",
                    );
                }
                if let (Some(x), Some(y), Some(z)) = (a.as_const(), b.as_const(), c.as_const()) {
                    return Some(Val::constant(crate::ir::fold::fma(x, y, z)));
                }
                let b_ = self.builder();
                let (x, y, z) = (b_.materialise(&a), b_.materialise(&b), b_.materialise(&c));
                Some(Val::reg(b_.emit(a.ty, Op::Fma(x, y, z)), a.ty))
            }
            "select" => {
                self.arity(name, 3, args, span)?;
                let c = self.expr_as(args[0], Ty::Bool)?;
                let (a, b) = self.pair(&args[1..], expected, name)?;
                let (a, b) = (self.settle(a), self.settle(b));
                Some(self.builder().select(&c, &a, &b))
            }
            "bits" | "from_bits" => {
                self.arity(name, 1, args, span)?;
                let v = self.expr(args[0], None)?;
                let v = self.settle(v);
                let to = match (name, v.ty) {
                    ("bits", Ty::F32) => Ty::I32,
                    ("bits", Ty::F64) => Ty::I64,
                    ("from_bits", Ty::I32 | Ty::U32) => Ty::F32,
                    ("from_bits", Ty::I64 | Ty::U64) => Ty::F64,
                    ("bits", ty) if ty.is_half() => {
                        let help = "write `bits(f32(…))`, which has the bits of the same value";
                        let message = "`bits` takes `f32` or `f64`";
                        return self.fail_help("E0213", message, span, format!("this is `{ty}`"), help);
                    }
                    (_, ty) => {
                        let takes = if name == "bits" { "a float" } else { "an integer" };
                        return self.fail_help(
                            "E0213",
                            format!("`{name}` takes {takes}"),
                            span,
                            format!("this is `{ty}`"),
                            "convert it, as in `f64(…)` or `i64(…)`",
                        );
                    }
                };
                if let Some(c) = v.as_const() {
                    return Some(Val::constant(crate::ir::ty::Value { ty: to, bits: c.bits }));
                }
                let r = self.builder().materialise(&v);
                Some(Val::reg(self.builder().emit(to, Op::Bits(r)), to))
            }
            _ if is_elementary(name) => {
                let mut vals = vec![];
                for &a in args {
                    let v = self.expr(a, expected)?;
                    vals.push((v, self.span(a)));
                }
                self.elementary(name, vals, expected, span)
            }
            "sum" | "prod" | "any" | "all" | "count" | "mean" | "argmin" | "argmax" => self.fail_help(
                "E0200",
                format!("`{name}` is a reduction, not a function"),
                callee.span,
                "called here",
                self.reduction_for(name, args),
            ),
            _ => self.unknown(name, callee.span, "function"),
        }
    }

    /// A float: integers that may, widen.
    fn as_float(&mut self, v: Val, id: ExprId) -> Option<Val> {
        if v.ty.is_float() && !v.is_flex() {
            return Some(v);
        }
        if v.is_flex()
            && let Some(c) = v.as_const()
        {
            // Literals stay literals.
            return Some(Val::flex(crate::ir::ty::Value::f64(c.as_f64())));
        }
        let at = self.span(id);
        if v.ty == Ty::Bool {
            return self.fail_help(
                "E0213",
                "expected a float",
                at,
                "this is `bool`",
                "convert it: `f64(…)` gives 0 and 1",
            );
        }
        self.convert(v, Ty::F64, at)
    }

    pub(super) fn pair(&mut self, args: &[ExprId], expected: Option<Ty>, name: &str) -> Option<(Val, Val)> {
        let a = self.expr(args[0], expected)?;
        let hint = if a.is_flex() { expected } else { Some(a.ty) };
        let b = self.expr(args[1], hint)?;
        let (at, bt) = (self.span(args[0]), self.span(args[1]));
        let (a, b) = self.unify((a, at), (b, bt), &format!("`{name}`"))?;
        match expected {
            Some(ty) if a.is_flex() => Some((self.convert(a, ty, at)?, self.convert(b, ty, bt)?)),
            _ => Some((a, b)),
        }
    }

    fn min_max(&mut self, name: &str, args: &[ExprId], expected: Option<Ty>, span: Span) -> Option<Val> {
        if args.len() < 2 {
            return self.fail_help(
                "E0243",
                format!("`{name}` takes 2 or more arguments"),
                span,
                format!("{} given", args.len()),
                self.reduction_for(name, args),
            );
        }
        let op = if name == "min" { B::Min } else { B::Max };
        let (mut best, mut b) = self.pair(args, expected, name)?;
        if best.ty.is_complex() {
            return self.no_order(best.ty, span);
        }
        best = self.arithmetic(op, &best, &b);
        for &next in &args[2..] {
            b = self.expr(next, Some(best.ty))?;
            let at = self.span(next);
            let (x, y) = self.unify((best, span), (b, at), &format!("`{name}`"))?;
            best = self.arithmetic(op, &x, &y);
        }
        Some(best)
    }

    /// A function of the library's `math`, in the float type of its arguments.
    pub(super) fn elementary(
        &mut self,
        name: &str,
        vals: Vec<(Val, Span)>,
        expected: Option<Ty>,
        span: Span,
    ) -> Option<Val> {
        if let Some((z, at)) = vals.iter().find_map(|(v, at)| v.parts().map(|z| (z, *at))) {
            let name = if vals.len() == 1 { name } else { "pow" };
            return self.complex_function(name, z, at, span);
        }
        let mut ty = None;
        for (v, at) in &vals {
            match v.ty {
                Ty::Bool => {
                    return self.fail_help(
                        "E0213",
                        format!("`{name}` takes floats"),
                        *at,
                        "this is `bool`",
                        "convert it: `f64(…)` gives 0 and 1",
                    );
                }
                _ if v.is_flex() => {}
                found => {
                    let found = if found.is_float() { found } else { Ty::F64 };
                    ty = Some(match ty {
                        None => found,
                        Some(t) if t == found || widens(found, t) => t,
                        Some(t) if widens(t, found) => found,
                        Some(_) => Ty::F32,
                    });
                }
            }
        }
        let ty = ty.or(expected.filter(|t| t.is_float())).unwrap_or(Ty::F64);
        if ty.is_half() {
            // Computed in f32, rounded once.
            let wide = vals.into_iter().map(|(v, at)| {
                let v = self.convert(v, ty, at)?;
                Some((self.builder().cast(&v, Ty::F32), at))
            });
            let wide = wide.collect::<Option<Vec<_>>>()?;
            let out = self.elementary(name, wide, Some(Ty::F32), span)?;
            return Some(self.builder().narrowed(&out, ty));
        }
        let module = self.library("math", span)?;
        let item = match self.modules[module].globals.get(&format!("{name}_{ty}")) {
            Some((Global::Fn(m, item), _)) => (*m, *item),
            _ => return self.beyond(&format!("`{name}` of `{ty}`"), span),
        };
        let mut args = vec![];
        for (v, at) in vals {
            let v = self.convert(v, ty, at)?;
            args.push((v, at));
        }
        let given: Vec<Val> = args.iter().map(|a| a.0.clone()).collect();
        let out = self.expand_fn_values(item.0, item.1, args, span)?;
        let out = self.single(out, name, span)?;
        if let ValKind::Reg(result) = out.kind {
            let b = self.builder();
            let args = given.iter().map(|v| match v.as_const() {
                Some(c) => Argument::Const(c),
                None => Argument::Reg(b.materialise(v)),
            });
            let args = args.collect();
            b.calls.push(Call { name: name.to_string(), args, result });
        }
        Some(out)
    }

    pub(super) fn expand_fn(&mut self, module: usize, item: usize, args: &[ExprId], span: Span) -> Option<Vec<Val>> {
        let decl = self.fn_decl(module, item)?;
        if args.len() != decl.params.len() {
            let takes = takes(&decl);
            return self.fail_help(
                "E0243",
                super::arguments_wanted(&decl.name.name, decl.params.len(), args.len()),
                span,
                format!("{} given", args.len()),
                format!("it takes ({takes})"),
            );
        }
        let mut vals: Vec<(Val, Span)> = vec![];
        for (&a, p) in args.iter().zip(&decl.params) {
            let types = fn_types(&decl, &vals);
            // A variable that nothing has bound yet takes what comes.
            let open = is_variable(&p.ty) && types.iter().all(|t| t.0 != p.ty.elem.name);
            let env = self.with_types(Env::default(), &types);
            let ty = if open { None } else { Some(self.in_scope(module, env, |c| c.elem_type(&p.ty))?) };
            let v = self.expr(a, ty)?;
            vals.push((v, self.span(a)));
        }
        self.expand_fn_values(module, item, vals, span)
    }

    fn fn_decl(&self, module: usize, item: usize) -> Option<FnDecl> {
        match &self.modules[module].ast.items[item].kind {
            ItemKind::Fn(f) => Some(f.clone()),
            _ => None,
        }
    }

    pub(super) fn expand_fn_values(
        &mut self,
        module: usize,
        item: usize,
        args: Vec<(Val, Span)>,
        span: Span,
    ) -> Option<Vec<Val>> {
        let decl = self.fn_decl(module, item)?;
        self.modules[module].used.insert(item);
        self.enter((module, item), &decl.name.name, span)?;
        let out = self.expand_body(module, &decl, args, span);
        self.expanding.pop();
        out
    }

    /// Notes that a declaration is being expanded; a second time on the way is recursion.
    pub(super) fn enter(&mut self, what: (usize, usize), name: &str, span: Span) -> Option<()> {
        if self.expanding.iter().any(|e| e.item == what) {
            return self.fail_help(
                "E0244",
                format!("`{name}` calls itself"),
                span,
                "on the way from its own body",
                "functions and kernels are expanded where they are called; write a loop in a block, or in a workflow",
            );
        }
        self.expanding.push(Expansion { item: what, call: Some((name.to_string(), span)) });
        Some(())
    }

    fn expand_body(&mut self, module: usize, decl: &FnDecl, args: Vec<(Val, Span)>, span: Span) -> Option<Vec<Val>> {
        if args.len() != decl.params.len() {
            return self.fail_help(
                "E0243",
                format!("`{}` takes {} arguments, and {} are given", decl.name.name, decl.params.len(), args.len()),
                span,
                "called here",
                "give one argument for each parameter, in their order",
            );
        }
        let bound = fn_types(decl, &args);
        let mut env = self.with_types(Env::default(), &bound);
        let types: Vec<Option<Ty>> =
            self.in_scope(module, env.clone(), |c| decl.params.iter().map(|p| c.elem_type(&p.ty)).collect());
        for ((p, ty), (v, at)) in decl.params.iter().zip(types).zip(args) {
            let reports = self.sink.items.len();
            let Some(v) = self.convert(v, ty?, at) else {
                self.note_binding(reports, p, &bound);
                let takes = takes(decl);
                if let Some(d) = self.sink.items.get_mut(reports) {
                    let text = format!("`{}` takes ({takes})", decl.name.name);
                    d.help = Some(d.help.take().map_or(text.clone(), |h| format!("{h}; {text}")));
                }
                return None;
            };
            env = env.with(&p.name.name, Local::Val(v));
        }
        self.in_scope(module, env, |c| {
            let types: Vec<Option<Ty>> = decl.results.iter().map(|t| c.elem_type(t)).collect();
            let types: Vec<Ty> = types.into_iter().collect::<Option<_>>()?;
            let body = c.node(decl.body);
            let vals = match &body.kind {
                ExprKind::Block(block) => {
                    if !c.local_stmts_ok(block) {
                        return None;
                    }
                    match block.value {
                        Some(v) => c.typed_values(v, &types)?,
                        None => {
                            return c.fail_help(
                                "E0224",
                                format!("`{}` has no value", decl.name.name),
                                block.span,
                                "its last line is not an expression",
                                "end it with an expression, without `let`: that is its value",
                            );
                        }
                    }
                }
                _ => c.typed_values(decl.body, &types)?,
            };
            Some(vals)
        })
    }

    /// The values of an expression converted to `types`.
    pub(super) fn typed_values(&mut self, id: ExprId, types: &[Ty]) -> Option<Vec<Val>> {
        let e = self.node(id);
        let vals = match &e.kind {
            ExprKind::Tuple(list) if list.len() == types.len() => {
                let all: Vec<Option<Val>> = list.iter().zip(types).map(|(&x, &ty)| self.expr(x, Some(ty))).collect();
                all.into_iter().collect::<Option<Vec<Val>>>()?
            }
            ExprKind::If { cond, then, otherwise } if types.len() > 1 => {
                let c = self.expr_as(*cond, Ty::Bool)?;
                let (a, b) = (self.typed_values(*then, types)?, self.typed_values(*otherwise, types)?);
                return Some(a.iter().zip(&b).map(|(a, b)| self.builder().select(&c, a, b)).collect());
            }
            ExprKind::Block(block) if types.len() > 1 && block.stmts.is_empty() && block.value.is_some() => {
                return self.typed_values(block.value?, types);
            }
            _ => self.values(id, types.len(), types.first().copied())?,
        };
        let mut out = vec![];
        for (v, &ty) in vals.into_iter().zip(types) {
            out.push(self.convert(v, ty, e.span)?);
        }
        Some(out)
    }
}

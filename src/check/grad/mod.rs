//! Derivatives: `grad loss(w, b, x, y) for w, b`. The adjoint of an indexed equation is an indexed equation, so the derivative of a kernel
//! is a kernel: it is written as text of the language, in a module of its own beside the program's, and expanded like any other.
//!
//! ```text
//! kernel loss(w: f32[n], x: f32[m, n]) -> f32 = sum[s] (sum[j] w[j] * x[s, j])^2
//!
//! t__0[s] = sum[j] w[j] * x[s, j]               every reduction inside another gets an array
//! let t__1 = sum[s] t__0[s]^2
//! a__0[s] = 2 * t__0[s]                         what the result changes by, when t__0[s] does
//! g__w[j] = sum[s] a__0[s] * x[s, j]
//! ```
//!
//! Of `tanh` and `exp` of a reduction the value is held and not what it is a function of: the slope follows from the value.

mod equations;
mod expr;
mod gather;
mod read;
mod reverse;
mod scatter;

use super::emit::Builder;
use super::env::{Env, Global};
use super::kernel::{Arg, Outcome};
use super::unknown::Reported;
use super::{Checker, Module};
use crate::ir::kernel::ArrayId;
use crate::ir::program::Edge;
use crate::ir::ty::Ty;
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind, Ident, KernelBody, KernelDecl, Parameter};
use equations::{Equations, Parameters};
use read::{Meaning, Names, Reader};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a call's arguments say of the parameters: the edges of arrays, the extents, and what type variables stand for.
struct Given {
    edges: BTreeMap<String, Vec<Edge>>,
    sizes: BTreeMap<String, i64>,
    bound: BTreeMap<String, Ty>,
}

/// Puts the types in place of the variables that stand for them.
fn without_variables(decl: &mut KernelDecl, bound: &BTreeMap<String, Ty>) {
    let types = decl.params.iter_mut().map(|p| &mut p.ty).chain(decl.results.iter_mut().map(|r| &mut r.ty));
    for t in types {
        if let Some(ty) = bound.get(&t.elem.name) {
            t.elem.name = ty.name().to_string();
        }
    }
}

impl Checker<'_> {
    /// Expands the derivative of a kernel call; its outcomes are those by each of `wrt`.
    pub(super) fn grad(
        &mut self,
        call: ExprId,
        wrt: &[Ident],
        targets: &[Option<ArrayId>],
        span: Span,
    ) -> Option<Vec<Outcome>> {
        let ExprKind::Call { callee, args } = self.node(call).kind else {
            let help = "write `grad loss(w, x) for w`";
            return self.fail_help("E0265", "`grad` takes the call of a kernel", span, "no call", help);
        };
        let found = self.modules[self.module].globals.get(&callee.name).map(|g| g.0.clone());
        let (module, item) = match found {
            Some(Global::Kernel(m, item)) => (m, item),
            Some(Global::Broken) => return None,
            Some(_) => {
                let message = format!("`{}` is not a kernel", callee.name);
                return self.fail_help(
                    "E0240",
                    message,
                    callee.span,
                    "differentiated here",
                    "name a kernel that gives one float",
                );
            }
            None => return self.unknown(&callee.name, callee.span, "kernel"),
        };
        let mut decl = self.kernel_decl(module, item)?;
        let named = args;
        let args = self.arguments(module, &decl.name.name, &decl.params, &named, span)?;
        let given: Vec<Option<Arg>> = args.iter().cloned().map(Some).collect();
        let bound: BTreeMap<String, Ty> = self.types_of(&decl.params, &given).into_iter().map(|t| (t.0, t.1)).collect();
        without_variables(&mut decl, &bound);
        let wrt = self.differentiated_by(&decl, &named, wrt)?;
        let (mut edges, mut sizes) = (BTreeMap::new(), BTreeMap::new());
        let ast = self.modules[module].ast.clone();
        for (p, a) in decl.params.iter().zip(&args) {
            let Arg::Array(id, _) = a else { continue };
            let array = &self.program.arrays[id.0 as usize];
            edges.insert(p.name.name.clone(), array.declared().1);
            for (dim, &n) in p.ty.shape.iter().flatten().zip(&array.shape) {
                if let ExprKind::Name(name) = &ast.expr(*dim).kind {
                    sizes.insert(name.clone(), n);
                }
            }
        }
        let before = self.reported();
        let made = self.derivative(module, item, &wrt, Given { edges, sizes, bound });
        let out = made.and_then(|made| self.expand_kernel(made, 0, args.clone(), targets, span));
        if self.reported().0 > before.0 {
            self.reports_of_source((module, item), args, before, span);
        }
        let mut out = out?;
        out.truncate(wrt.len());
        Some(out)
    }

    /// What is wrong with a kernel is told of its own text, in place of the reports from `before` on, which are of its derivative.
    fn reports_of_source(&mut self, (module, item): (usize, usize), args: Vec<Arg>, before: Reported, span: Span) {
        let of_derivative = self.withdrawn(before);
        self.builders.push(Builder::new(vec![]));
        self.aside(|c| c.expand_kernel(module, item, args, &[], span));
        self.builders.pop();
        if self.reported().0 == before.0 {
            self.sink.items.extend(of_derivative);
        }
    }

    /// The parameters behind the names after `for`: those of arguments of the call, else those of parameters.
    fn differentiated_by(&mut self, decl: &KernelDecl, args: &[ExprId], wrt: &[Ident]) -> Option<Vec<String>> {
        let mut out: Vec<String> = vec![];
        for w in wrt {
            let named = |&&a: &&ExprId| matches!(self.node(a).kind, ExprKind::Name(n) if n == w.name);
            let argument = args.iter().find(named).and_then(|a| args.iter().position(|b| a == b));
            let parameter = decl.params.iter().position(|p| p.name.name == w.name);
            let Some(p) = argument.or(parameter).and_then(|k| decl.params.get(k)) else {
                let known: Vec<&str> = decl.params.iter().map(|p| p.name.name.as_str()).collect();
                return self.fail_help(
                    "E0265",
                    format!("`{}` is neither an argument nor a parameter of `{}`", w.name, decl.name.name),
                    w.span,
                    "differentiated by this",
                    format!("its parameters are {}", known.join(", ")),
                );
            };
            let name = &p.name.name;
            if float(&p.ty.elem.name).is_none() && !complex(&p.ty.elem.name) {
                let message =
                    format!("`{name}` is `{}`, and derivatives are by floats and complex numbers", p.ty.elem.name);
                return self.fail_help(
                    "E0265",
                    message,
                    w.span,
                    "differentiated by this",
                    "derive by a parameter of floats or complex numbers",
                );
            }
            if out.contains(name) {
                return self.fail_help(
                    "E0265",
                    format!("`{name}` is named twice"),
                    w.span,
                    "for the second time",
                    "name each once",
                );
            }
            out.push(name.clone());
        }
        Some(out)
    }

    /// The module that holds the derivative of a kernel by some parameters, as its only item.
    fn derivative(
        &mut self,
        module: usize,
        item: usize,
        wrt: &[String],
        Given { edges, sizes, bound }: Given,
    ) -> Option<usize> {
        let mut decl = self.kernel_decl(module, item)?;
        without_variables(&mut decl, &bound);
        let title = format!("grad of {} by {}", decl.name.name, wrt.join(", "));
        // The same derivative again, of the same kernel with arrays of the same edges and extents.
        let key = format!("{title}, file {}, {edges:?}, {sizes:?}, {bound:?}", self.modules[module].ast.file.0);
        if let Some(m) = self.derivatives.get(&key) {
            return Some(*m);
        }
        let [result] = &decl.results[..] else { return self.one_float(&decl.name) };
        let (Some(ty), None) = (float(&result.ty.elem.name), &result.ty.shape) else {
            return self.one_float(&decl.name);
        };
        let ast = self.modules[module].ast.clone();
        let shape_text = |c: &Self, ids: &[ExprId]| -> Vec<expr::R> {
            ids.iter().map(|&id| expr::leaf(format!("({})", c.sources.text(ast.expr(id).span)))).collect()
        };
        let (mut shapes, mut types, mut meanings) = (BTreeMap::new(), BTreeMap::new(), Names::new());
        for p in &decl.params {
            let name = &p.name.name;
            types.insert(name.clone(), Ty::from_name(&p.ty.elem.name).map_or("", |t| t.name()));
            match &p.ty.shape {
                Some(dims) => {
                    shapes.insert(name.clone(), shape_text(self, dims));
                }
                None => {
                    meanings.insert(name.clone(), Meaning::Value(Rc::new(expr::E::Scalar(name.clone()))));
                }
            }
        }
        let mut reader =
            Reader { checker: self, module, ast: ast.clone(), shapes: shapes.clone(), bound, count: 0, depth: 0 };
        let value = match (&decl.body, &result.name) {
            (KernelBody::Expr(e), _) => reader.expr(*e, &meanings)?,
            (KernelBody::Block(b), None) => reader.block(b, &meanings)?,
            (KernelBody::Block(_), Some(_)) => return self.one_float(&decl.name),
        };
        let one = |c: &Self, p: &Parameter| {
            let extents = |d: &ExprId| c.sources.text(ast.expr(*d).span).to_string();
            let dims = p.ty.shape.as_ref().map(|d| d.iter().map(extents).collect::<Vec<_>>().join(", "));
            format!("{}: {}{}", p.name.name, p.ty.elem.name, dims.map_or(String::new(), |d| format!("[{d}]")))
        };
        let params: Vec<String> = decl.params.iter().map(|p| one(self, p)).collect();
        let mut equations = Equations::new(Parameters { shapes, types, edges, sizes }, wrt.to_vec(), ty);
        let text = match equations.kernel(
            &value,
            &format!("{}__{}", decl.name.name, self.modules.len()),
            &params.join(", "),
        ) {
            Ok(text) => text,
            Err(reverse::Unknown(why)) => {
                let help = "see `mgpu explain E0265` for what `grad` goes through";
                return self.fail_help("E0265", why, decl.name.span, "differentiated by `grad`", help);
            }
        };
        let made = self.add_derivative(module, &title, &text)?;
        self.derivatives.insert(key, made);
        Some(made)
    }

    fn one_float<T>(&mut self, name: &Ident) -> Option<T> {
        self.fail_help(
            "E0265",
            format!("`grad` needs a kernel with one value, and `{}` has other results", name.name),
            name.span,
            "not one float",
            "write `-> f32 = sum[i] …`",
        )
    }

    /// A module with a written kernel, which sees what the module of the original sees.
    fn add_derivative(&mut self, module: usize, title: &str, text: &str) -> Option<usize> {
        let id = self.sources.add(title, text);
        let ast = crate::syntax::parse::parse(id, text, self.sink)?;
        let mut globals = self.modules[module].globals.clone();
        for m in &self.modules {
            for (name, global) in &m.globals {
                globals.entry(name.clone()).or_insert_with(|| global.clone());
            }
        }
        self.modules.push(Module { ast: Rc::new(ast), globals, used: [0].into_iter().collect() });
        let m = self.modules.len() - 1;
        self.in_scope(m, Env::default(), |c| c.declarations());
        Some(m)
    }
}

/// The name of a float type, if it is one.
fn float(name: &str) -> Option<&'static str> {
    Ty::from_name(name).filter(|t| t.is_float()).map(Ty::name)
}

/// Whether a type's name is that of complex numbers.
fn complex(name: &str) -> bool {
    Ty::from_name(name).is_some_and(Ty::is_complex)
}

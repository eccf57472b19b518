//! Declarations that nothing uses: checked once with made-up arguments, for their names and types.

use super::emit::{Builder, Val};
use super::env::{Env, Local};
use super::kernel::Arg;
use super::types::is_variable;
use super::{Checker, Expansion};
use crate::ir::program::{Array, Edge};
use crate::ir::ty::{Ty, Value};
use crate::syntax::ast::{ExprId, ExprKind, FnDecl, ItemKind, KernelDecl, Parameter, ResultDecl, WorkflowDecl};

/// The first made-up extent, and how far the next ones lie apart: distinct, large enough for any stencil, and an array of five is not
/// too large.
const EXTENT: i64 = 509;
const APART: i64 = 10;

/// Types for the variables of a declaration, one choice after the other: all `f64`, then with `i64` among them.
fn made_up_types(item: &ItemKind) -> Vec<Vec<(String, Ty)>> {
    let params = match item {
        ItemKind::Fn(f) => &f.params[..],
        ItemKind::Kernel(k) => &k.params[..],
        ItemKind::Workflow(w) => &w.params[..],
        _ => &[],
    };
    let mut names: Vec<&String> = params.iter().filter(|p| is_variable(&p.ty)).map(|p| &p.ty.elem.name).collect();
    names.sort();
    names.dedup();
    names.truncate(4);
    let ty = |bits: usize, k: usize| if bits >> k & 1 == 1 { Ty::I64 } else { Ty::F64 };
    let choice = |bits| names.iter().enumerate().map(|(k, n)| (n.to_string(), ty(bits, k))).collect();
    (0..1 << names.len()).map(choice).collect()
}

impl Checker<'_> {
    /// Functions, kernels and workflows of the main module that nothing used: checked with made-up arguments, so that
    /// their names and types are reported; what they would add to the program is dropped.
    pub(super) fn unused_items(&mut self) {
        let ast = self.modules[0].ast.clone();
        // Tests first: what they call is looked at there, with their arguments.
        let (tests, others): (Vec<usize>, Vec<usize>) =
            (0..ast.items.len()).partition(|&i| matches!(ast.items[i].kind, ItemKind::Test(_)));
        for i in tests.into_iter().chain(others) {
            let item = &ast.items[i];
            if self.modules[0].used.contains(&i) {
                continue;
            }
            let (before, mut first) = (self.reported(), None);
            for types in made_up_types(&item.kind) {
                self.check_alone(i, &item.kind, &types);
                let reports = self.withdrawn(before);
                if reports.is_empty() {
                    first = None;
                    break;
                }
                // Its types may have to be others: what is wrong with the first ones counts.
                first.get_or_insert(reports);
            }
            self.sink.items.extend(first.into_iter().flatten());
        }
    }

    /// Checks one declaration whose type variables stand for these types.
    fn check_alone(&mut self, i: usize, item: &ItemKind, types: &[(String, Ty)]) {
        self.aside(|c| c.check_item(i, item, types));
    }

    /// Does something whose effect on the program is dropped.
    pub(super) fn aside<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        let sizes = self.program.sizes();
        self.blocks.push(vec![]);
        let out = f(self);
        self.blocks.pop();
        self.program.cut_back(sizes);
        out
    }

    fn check_item(&mut self, i: usize, item: &ItemKind, types: &[(String, Ty)]) {
        self.builders.push(Builder::new_nest(vec![]));
        self.module = 0;
        self.env = types.iter().fold(Env::default(), |env, (name, ty)| env.with(name, Local::Type(*ty)));
        self.generic = true;
        match item {
            ItemKind::Fn(f) => self.check_fn_alone(i, f),
            ItemKind::Kernel(k) => self.check_kernel_alone(i, k),
            ItemKind::Workflow(w) if w.name.name != "main" => self.check_workflow_alone(i, w),
            ItemKind::Test(t) => {
                // Other parameters may be what makes its reads and shapes fit: `mgpu test` checks those.
                self.generic = !t.with.is_empty();
                self.set_by_tests(t);
                self.workflow_body(&t.body);
            }
            _ => {}
        }
        self.generic = false;
        self.made_up.clear();
        self.builders.pop();
    }

    /// An extent as reports name it: a made-up one by its name.
    pub(super) fn extent_text(&self, n: i64) -> String {
        let name = usize::try_from(n - EXTENT).ok().filter(|k| k % APART as usize == 0);
        name.and_then(|k| self.made_up.get(k / APART as usize)).cloned().unwrap_or_else(|| n.to_string())
    }

    fn check_fn_alone(&mut self, item: usize, f: &FnDecl) {
        let mut args = vec![];
        for p in &f.params {
            let Some(ty) = self.elem_type(&p.ty) else { return };
            let reg = self.builder().variable(ty);
            args.push((Val::reg(reg, ty), p.name.span));
        }
        let span = f.name.span;
        self.expand_fn_values(0, item, args, span);
    }

    fn check_kernel_alone(&mut self, item: usize, k: &KernelDecl) {
        let Some(args) = self.made_up_args(&k.params, &k.results) else { return };
        self.builders.push(Builder::new(vec![]));
        self.expand_kernel(0, item, args, &[], k.name.span);
        self.builders.pop();
    }

    fn check_workflow_alone(&mut self, item: usize, w: &WorkflowDecl) {
        // Without parameters nothing is made up: bounds are reported.
        self.generic = !w.params.is_empty();
        let Some(args) = self.made_up_args(&w.params, &w.results) else { return };
        self.modules[0].used.insert(item);
        self.expanding.push(Expansion { item: (0, item), call: None });
        self.expand_workflow(w, args, &[], w.name.span);
        self.expanding.pop();
    }

    /// Arguments for the parameters of an uncalled declaration.
    fn made_up_args(&mut self, params: &[Parameter], results: &[ResultDecl]) -> Option<Vec<Arg>> {
        let mut extents: Vec<String> = vec![];
        let sizes = self.names_in_shapes(params, results);
        let mut args = vec![];
        for p in params {
            if super::partial::is_kernel(&p.ty) {
                args.push(Arg::Unknown(p.name.span));
                continue;
            }
            let ty = self.elem_type(&p.ty)?;
            args.push(match &p.ty.shape {
                Some(dims) => self.made_up_array(p, ty, dims, &mut extents)?,
                None if ty.is_int() && sizes.contains(&p.name.name) => {
                    Arg::Scalar(Val::constant(Value::int(ty, EXTENT as i128)), p.name.span)
                }
                None => Arg::Scalar(Val::slot(self.new_scalar(&p.name.name, ty), ty), p.name.span),
            });
        }
        self.made_up = extents;
        Some(args)
    }

    /// The names that stand in the shapes of parameters and results.
    fn names_in_shapes(&self, params: &[Parameter], results: &[ResultDecl]) -> Vec<String> {
        let shapes = params.iter().map(|p| &p.ty).chain(results.iter().map(|r| &r.ty));
        let mut sized: Vec<ExprId> = shapes.filter_map(|t| t.shape.clone()).flatten().collect();
        let mut out = vec![];
        while let Some(id) = sized.pop() {
            sized.extend(super::infer::children(&self.ast(), id));
            if let ExprKind::Name(n) = self.node(id).kind {
                out.push(n);
            }
        }
        out
    }

    fn made_up_array(&mut self, p: &Parameter, ty: Ty, dims: &[ExprId], extents: &mut Vec<String>) -> Option<Arg> {
        let mut shape = vec![];
        for &d in dims {
            if let ExprKind::Name(n) = self.node(d).kind {
                let at = extents.iter().position(|e| *e == n).unwrap_or_else(|| {
                    extents.push(n.clone());
                    extents.len() - 1
                });
                shape.push(EXTENT + APART * at as i64);
                continue;
            }
            let mut env = Env::default();
            for (k, e) in extents.iter().enumerate() {
                env = env.with(e, Local::Val(Val::constant(Value::i64(EXTENT + APART * k as i64))));
            }
            let n = self.in_scope(0, env, |c| c.const_as(d, Ty::I64, "an extent"))?;
            shape.push(n.as_int()? as i64);
        }
        let (placement, _) = self.temporary_like(&shape, ty, &[]);
        let edges = vec![Edge::Clamp; shape.len()];
        let (name, span) = (p.name.name.clone(), p.name.span);
        let id = self.add_array(Array { temporary: true, ..Array::of(name, ty, shape, (placement, edges), span) });
        Some(Arg::Array(id, span))
    }
}

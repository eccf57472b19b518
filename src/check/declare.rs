//! The declarations of a module, in order, and the order of the whole check.

use super::emit::{Builder, Val};
use super::env::{Env, Global};
use super::{Checker, Module};
use crate::diag::Diagnostic;
use crate::ir::stored::Stored;
use crate::ir::ty::Ty;
use crate::ir::ty::Value;
use crate::syntax::ast::{
    ArrayBody, ArrayDecl, Ast, ExprId, ExprKind, FnDecl, Ident, ItemKind, Parameter, Placement, ResultDecl, TypeExpr,
};
use std::rc::Rc;

impl Checker<'_> {
    /// Checks the main module: declarations, the main workflow, then whatever nothing used.
    pub(super) fn program(&mut self, ast: Ast) {
        self.modules.push(Module { ast: Rc::new(ast), globals: Default::default(), used: Default::default() });
        self.in_scope(0, Env::default(), |c| c.declarations());
        let options = self.options;
        for (name, _) in options.params {
            let lost = self.modules[0].ast.faulty.iter().any(|l| l.name == *name);
            if !self.params_seen.contains(name) && !lost {
                let near =
                    crate::diag::did_you_mean(name, self.params_seen.iter().map(|s| s.as_str())).map(str::to_string);
                let known = if self.params_seen.is_empty() {
                    "the program has none".to_string()
                } else {
                    format!("the program has {}", self.params_seen.join(", "))
                };
                let d = Diagnostic::bare("E0203", format!("the program has no parameter `{name}`"));
                self.report(d.help(near.map_or(known, |n| format!("did you mean `{n}`?"))));
            }
        }
        if let Some(item) = self.test {
            self.test_body(item);
            return;
        }
        if let Some((Global::Workflow(m, item), _)) = self.modules[0].globals.get("main").cloned() {
            self.program.has_main = true;
            self.main_workflow(m, item);
        }
        self.unused_items();
    }

    /// Binds a name at the top of the current module.
    pub(super) fn declare(&mut self, name: &Ident, global: Global) {
        if let Some((_, at)) = self.modules[self.module].globals.get(&name.name) {
            // Kernels and the like are known from the start: what comes later in the text is the second.
            let (first, again) = if at.file == name.span.file && at.start > name.span.start {
                (name.span, *at)
            } else {
                (*at, name.span)
            };
            let message = format!("`{}` is declared twice", name.name);
            let d = Diagnostic::error("E0202", message, again, "declared again").label(first, "first declared here");
            self.report(d.help("give one of them another name"));
            return;
        }
        if matches!(name.name.as_str(), "ranks" | "pi" | "inf" | "nan") || Ty::from_name(&name.name).is_some() {
            self.fail_help::<()>(
                "E0204",
                format!("`{}` is built in", name.name),
                name.span,
                "cannot be declared",
                format!("choose another name, such as `{}_`", name.name),
            );
            // One report is enough for what uses it.
            self.modules[self.module].globals.insert(name.name.clone(), (Global::Broken, name.span));
            return;
        }
        self.modules[self.module].globals.insert(name.name.clone(), (global, name.span));
    }

    /// All declarations of the current module. Functions, kernels and workflows may be used before they are declared.
    pub(super) fn declarations(&mut self) {
        let (ast, m) = (self.ast(), self.module);
        for item in &ast.items {
            if let ItemKind::Use { path, names } = &item.kind {
                self.use_names(path, names, item.span);
            }
        }
        for name in &ast.faulty {
            self.modules[m].globals.insert(name.name.clone(), (Global::Broken, name.span));
        }
        for (i, item) in ast.items.iter().enumerate() {
            match &item.kind {
                ItemKind::Fn(f) => {
                    let sound = self.single_values(f) && self.names_once(&f.params, &[]);
                    self.declare_code(&f.name, Global::Fn(m, i), sound);
                }
                ItemKind::Kernel(k) => {
                    let sound = self.names_once(&k.params, &k.results);
                    self.declare_code(&k.name, Global::Kernel(m, i), sound);
                }
                ItemKind::Workflow(w) => {
                    let sound = self.names_once(&w.params, &w.results);
                    self.declare_code(&w.name, Global::Workflow(m, i), sound);
                }
                _ => {}
            }
        }
        for item in &ast.items {
            self.builders.push(Builder::new(vec![]));
            self.declaration(&item.kind);
            self.builders.pop();
        }
    }

    /// A function, kernel or workflow; where its head is faulty, neither calls nor its body are looked at.
    fn declare_code(&mut self, name: &Ident, code: Global, sound: bool) {
        if sound {
            return self.declare(name, code);
        }
        if let Global::Fn(m, i) | Global::Kernel(m, i) | Global::Workflow(m, i) = code {
            self.modules[m].used.insert(i);
        }
        self.declare(name, Global::Broken);
    }

    /// Parameters and results of a `fn` have no extents.
    fn single_values(&mut self, f: &FnDecl) -> bool {
        let types = f.params.iter().map(|p| &p.ty).chain(&f.results);
        let Some(array) = types.into_iter().find(|t| t.shape.is_some()) else { return true };
        let help = format!("write `kernel {}(…)`, which takes whole arrays, or give the `fn` one element", f.name.name);
        self.fail_help::<()>("E0222", "a `fn` takes and gives single values", array.span, "a whole array", help);
        false
    }

    /// No two parameters and results have one name.
    fn names_once(&mut self, params: &[Parameter], results: &[ResultDecl]) -> bool {
        let names: Vec<&Ident> =
            params.iter().map(|p| &p.name).chain(results.iter().filter_map(|r| r.name.as_ref())).collect();
        for (k, again) in names.iter().enumerate() {
            if let Some(first) = names[..k].iter().find(|n| n.name == again.name) {
                let d = Diagnostic::error(
                    "E0202",
                    format!("`{}` is declared twice", again.name),
                    again.span,
                    "declared again",
                )
                .label(first.span, "first declared here");
                self.report(d.help("parameters and results are apart: give one of them another name"));
                return false;
            }
        }
        true
    }

    fn declaration(&mut self, item: &ItemKind) {
        match item {
            ItemKind::Param { name, ty, default } => {
                let v = self.param(name, ty, *default);
                if let Some(text) = v.as_ref().and_then(Val::text)
                    && self.module == 0
                {
                    self.program.params.push((name.name.clone(), text));
                }
                self.declare(name, v.map_or(Global::Broken, Global::Const));
            }
            ItemKind::Let { name, ty, value } => {
                let g = self.top_let(ty.as_ref(), *value);
                self.declare(name, g.unwrap_or(Global::Broken));
            }
            ItemKind::Partition { name, placement } => {
                let p = match placement {
                    Placement::Dists { dists, over, span } => self.divided(dists, over.as_deref(), *span),
                    Placement::Replicated(_) => Some(crate::ir::program::Placement::Replicated),
                    Placement::Named(other) => {
                        match self.modules[self.module].globals.get(&other.name).map(|g| g.0.clone()) {
                            Some(Global::Partition(p)) => Some(p),
                            Some(Global::Broken) => None,
                            Some(_) => self.fail_help(
                                "E0281",
                                format!("`{}` is not a partition", other.name),
                                other.span,
                                "used as one", format!("name a partition, such as `partition {} = (block, *)`, or write one: `in (block, *)`", other.name)),
                            None => self.unknown(&other.name, other.span, "partition"),
                        }
                    }
                    Placement::Aligned(other) => self.fail_help(
                        "E0281",
                        "`aligned` follows an array's shape",
                        other.span,
                        "not a partition",
                        format!("write `in {}` for the partition, or `aligned` with the name of an array", other.name),
                    ),
                };
                self.declare(name, p.map_or(Global::Broken, Global::Partition));
            }
            ItemKind::Array(decl) => self.top_arrays(decl),
            _ => {}
        }
    }

    fn param(&mut self, name: &Ident, ty: &TypeExpr, default: ExprId) -> Option<Val> {
        // A module's have their defaults.
        if self.module == 0 {
            self.params_seen.push(name.name.clone());
        }
        let ty = self.elem_type(ty)?;
        let given = self.options.params.iter().rev().find(|p| p.0 == name.name && self.module == 0);
        let default = self.known_as(default, ty, "a parameter's default");
        if let Some(value) = self.set_by_test(&name.name) {
            return self.known_as(value, ty, "a parameter's value");
        }
        let Some((_, text)) = given else { return default };
        let value = match ty.is_complex() {
            true => super::complex::parse_complex(text, ty),
            false => super::place::parse_value(text, ty).map(Val::constant),
        };
        match value {
            Some(v) => Some(v),
            None => self.fail_help(
                "E0205",
                format!("`{text}` is not a value of `{ty}`"),
                name.span,
                format!("the parameter `{}` is `{ty}`", name.name),
                super::place::values(ty),
            ),
        }
    }

    fn top_let(&mut self, ty: Option<&TypeExpr>, value: ExprId) -> Option<Global> {
        let want = match ty {
            Some(t) => Some(self.elem_type(t)?),
            None => None,
        };
        if let ExprKind::Table(list) = self.node(value).kind {
            return self.constant_table(&list, want);
        }
        let v = self.expr(value, want)?;
        let span = self.span(value);
        let v = match want {
            Some(ty) => self.convert(v, ty, span)?,
            None => v,
        };
        if !v.is_known() {
            return self.fail_help(
                "E0221",
                "a `let` at the top must be known before the program runs",
                span,
                "this value changes while the program runs",
                "move it into the workflow",
            );
        }
        Some(Global::Const(v))
    }

    fn top_arrays(&mut self, decl: &ArrayDecl) {
        let from = match &decl.body {
            ArrayBody::Typed { ty, from: Some(path), .. } => match self.extents_from_file(ty, &path.text, path.span) {
                Some(()) => Some(path.clone()),
                None => {
                    decl.names.iter().for_each(|n| self.declare(n, Global::Broken));
                    self.broken_extents(ty);
                    return;
                }
            },
            _ => None,
        };
        let ids = self.declare_arrays(decl);
        for (k, n) in decl.names.iter().enumerate() {
            let g = ids.as_ref().map_or(Global::Broken, |ids| Global::Array(ids[k]));
            self.declare(n, g);
        }
        if let (Some(path), Some(ids)) = (from, ids) {
            for id in ids {
                let parts = vec![crate::ir::program::PrintPart::Text(path.text.clone())];
                self.emit_stmt(crate::ir::program::StmtKind::Load { array: id, path: parts }, path.span);
            }
        }
    }

    /// The extents that a faulty `from` would have bound.
    fn broken_extents(&mut self, ty: &TypeExpr) {
        for &d in ty.shape.iter().flatten() {
            let e = self.node(d);
            if let ExprKind::Name(name) = e.kind {
                self.modules[self.module].globals.entry(name).or_insert((Global::Broken, e.span));
            }
        }
    }

    /// `array g: f32[h, w] from "f.npy"` binds `h` and `w` to the file's extents.
    fn extents_from_file(&mut self, ty: &TypeExpr, path: &str, span: crate::source::Span) -> Option<()> {
        let elem = self.elem_type(ty)?;
        let (stored, shape) = match self.loader.array(path) {
            Ok(found) => found,
            Err(why) => {
                let help = "paths are relative to the program's folder, or to `--root`";
                return self.fail_help("E0295", why, span, "loaded here", help);
            }
        };
        if !stored.widens(elem) {
            return self.fail_help(
                "E0296",
                format!("`{path}` holds `{stored}`, and the array is `{elem}`"),
                span,
                format!("declared as `{elem}`"),
                match stored {
                    Stored::Of(ty) => format!("declare the array as `{ty}`, or write the file anew as `{elem}`"),
                    Stored::Small { .. } => "declare the array as `i32`, or as `f32`".into(),
                },
            );
        }
        let dims = ty.shape.clone().unwrap_or_default();
        if dims.len() != shape.len() {
            return self.fail_help(
                "E0296",
                format!("`{path}` has {}, and the array {}", super::counted(shape.len(), "dimension"), dims.len()),
                span,
                "loaded here",
                "declare as many dimensions as the file has",
            );
        }
        for (&d, &n) in dims.iter().zip(&shape) {
            let e = self.node(d);
            if let ExprKind::Name(name) = &e.kind
                && !self.modules[self.module].globals.contains_key(name)
            {
                let id = Ident { name: name.clone(), span: e.span };
                self.declare(&id, Global::Const(Val::constant(Value::i64(n))));
                continue;
            }
            let want = self.const_as(d, Ty::I64, "an extent")?.as_int()? as i64;
            if want != n {
                return self.fail_help(
                    "E0296",
                    format!("an extent of `{path}` is {n}, and the array's is {want}"),
                    e.span,
                    format!("this is {want}"),
                    format!("write {n} there, or leave the extents to the file, as in `array g: f32[h, w] from …`"),
                );
            }
        }
        Some(())
    }
}

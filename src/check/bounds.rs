//! Reads of arrays and tables: subscripts in affine form, every one proved inside the array or caught by its edge rule.

use super::Checker;
use super::around::{indices, statements_around, within};
use super::emit::Val;
use super::env::{Env, Global, IndexedLet, Local};
use super::indirect::Computed;
use crate::diag::Diagnostic;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Access, Affine, ArrayId, BinaryOp, Op, Sym};
use crate::ir::program::Edge;
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{Clause, ExprId, Ident, StmtKind};
use std::rc::Rc;

/// How far past an edge a read may reach: what lies between is stored.
fn far(extent: i64) -> i64 {
    extent.saturating_mul(4).max(1 << 16)
}

impl Checker<'_> {
    /// `base[subscripts]`
    pub(super) fn index(
        &mut self,
        base: &Ident,
        subscripts: &[ExprId],
        expected: Option<Ty>,
        span: Span,
    ) -> Option<Val> {
        match self.env.find(&base.name).cloned() {
            Some(Local::Array(id)) => return self.read(id, subscripts, span),
            Some(Local::Broken) => return None,
            Some(Local::Indexed(def)) => return self.expand_indexed(&base.name, &def, subscripts, span),
            Some(Local::Unset(at)) => {
                let d = Diagnostic::error(
                    "E0223",
                    format!("`{}` is read before it is defined", base.name),
                    span,
                    "read here",
                )
                .label(at, "declared here")
                .help("a result can be read in the equations that follow its own");
                self.report(d);
                return None;
            }
            Some(_) => {
                return self.fail_help(
                    "E0250",
                    format!("`{}` is a single value, not an array", base.name),
                    base.span,
                    "subscripted here",
                    "write it without subscripts, or declare it as an array",
                );
            }
            None => {}
        }
        match self.modules[self.module].globals.get(&base.name).map(|g| g.0.clone()) {
            Some(Global::Array(id)) => self.read(id, subscripts, span),
            Some(Global::Table(id, ty, shape)) => {
                let (id, ty) = self.table_as((id, ty), expected);
                self.table(base, (id, ty), &shape, subscripts, span)
            }
            Some(Global::Broken) => None,
            Some(Global::Kernel(..) | Global::Fn(..)) => self.fail_help(
                "E0250",
                format!("`{}` is called, not subscripted", base.name),
                base.span,
                "subscripted here",
                "assign its result to an array first",
            ),
            Some(_) => self.fail_help(
                "E0250",
                format!("`{}` is a single value, not an array", base.name),
                base.span,
                "subscripted here",
                "write it without subscripts, or declare it as an array",
            ),
            None => self.unknown(&base.name, base.span, "array"),
        }
    }

    /// The subscripts in affine form; those that cannot be proved are registers of their own.
    fn subscripts(
        &mut self,
        array: ArrayId,
        ids: &[ExprId],
        given: &[Option<Val>],
    ) -> Option<(Vec<Affine>, Vec<Computed>)> {
        let mut values = vec![];
        for (d, &id) in ids.iter().enumerate() {
            let v = match given.get(d) {
                Some(Some(v)) => v.clone(),
                _ => self.expr(id, Some(Ty::I64))?,
            };
            let span = self.span(id);
            if !v.ty.is_int() {
                return self.fail_help(
                    "E0251",
                    format!("a subscript is an integer, and this is `{}`", v.ty),
                    span,
                    "subscript",
                    "convert it: `i64(…)` cuts off what follows the point",
                );
            }
            let proved = v.as_affine().filter(|a| self.provable(a));
            values.push((v, proved, span));
        }
        let any_computed = values.iter().any(|v| v.1.is_none());
        let (mut out, mut computed) = (vec![], vec![]);
        for (d, (v, proved, span)) in values.into_iter().enumerate() {
            // The first dimension past a constant edge decides, so none of them may be left to ghost cells.
            let constant = any_computed && self.program.arrays[array.0 as usize].edges[d].constant().is_some();
            match proved.filter(|_| !constant) {
                Some(a) => out.push(a),
                None => {
                    let c = self.computed_subscript(array, d, v, span)?;
                    out.push(Affine::sym(Sym::Counter(c.reg)));
                    computed.push(c);
                }
            }
        }
        Some((out, computed))
    }

    fn read(&mut self, id: ArrayId, ids: &[ExprId], span: Span) -> Option<Val> {
        self.read_at(id, ids, &[], span)
    }

    /// The same; subscripts that are given are values already.
    pub(super) fn read_at(&mut self, id: ArrayId, ids: &[ExprId], given: &[Option<Val>], span: Span) -> Option<Val> {
        let (ty, complex, rank) = {
            let a = &self.program.arrays[id.0 as usize];
            (a.ty, a.complex, a.extents().len())
        };
        if ids.len() != rank {
            let name = self.program.arrays[id.0 as usize].name.clone();
            return self.fail_help(
                "E0252",
                super::subscripts_wanted(&name, rank, ids.len()),
                span,
                super::counted(ids.len(), "subscript"),
                "write one subscript for each dimension",
            );
        }
        if !self.builder().nest {
            return self.single_element(id, ids, span);
        }
        let (mut index, computed) = self.subscripts(id, ids, given)?;
        self.bound_scalars(id, &mut index, ids)?;
        let Some(mut counters) = self.builder().counters_of(&index) else {
            return self.beyond("a read at a loop counter whose bounds are not index arithmetic", span);
        };
        let bound = |c: &Computed| (c.reg, Affine::constant(c.range.lo), Affine::constant(c.range.hi));
        counters.extend(computed.iter().map(bound));
        let checks = computed.iter().filter_map(|c| c.check.clone()).collect();
        let within = self.builder().within_box();
        let operand = self.builder().operand(id, ty, rank + usize::from(complex), false);
        let access = Access { operand, index, within, counters, checks, span };
        self.prove_read(id, &access, ids)?;
        if complex {
            let [re, im] = [0, 1].map(|part| {
                let index = super::equation::with_part(&access.index, part);
                let v = self.load_of(Access { index, ..access.clone() }, ty);
                self.mended(v, &computed, part as usize)
            });
            let im = if computed.is_empty() { self.past_edges(id, &access.index, im) } else { im };
            return Some(Val::complex(re, im));
        }
        let v = self.load_of(access, ty);
        Some(self.mended(v, &computed, 0))
    }

    /// The imaginary part of an element where complex constants stand past edges: what was read there is the real part of the
    /// constant. The first dimension past such an edge decides.
    fn past_edges(&mut self, id: ArrayId, index: &[Affine], im: Val) -> Val {
        let a = &self.program.arrays[id.0 as usize];
        if !a.edges.iter().any(|e| matches!(e, Edge::Complex(..))) {
            return im;
        }
        let (edges, shape) = (a.edges.clone(), a.shape.clone());
        let mut im = im;
        for (d, at) in index.iter().enumerate().rev() {
            let (Edge::Complex(_, past) | Edge::Constant(past)) = edges[d] else { continue };
            if self.affine_range(at).is_some_and(|r| r.lo >= 0 && r.hi <= shape[d]) {
                continue;
            }
            let inside = self.within_extent(&Val::affine(at.clone()), shape[d]);
            im = self.builder().select(&inside, &im, &Val::constant(past));
        }
        im
    }

    /// `0 <= v < n`
    pub(super) fn within_extent(&mut self, v: &Val, n: i64) -> Val {
        let [zero, n] = [0, n].map(|k| Val::constant(Value::i64(k)));
        let b = self.builder();
        let (low, high) = (b.binary(BinaryOp::Ge, v, &zero), b.binary(BinaryOp::Lt, v, &n));
        b.binary(BinaryOp::And, &low, &high)
    }

    fn load_of(&mut self, access: Access, ty: Ty) -> Val {
        let b = self.builder();
        let access = b.access(access);
        Val::reg(b.emit(ty, Op::Load(access)), ty)
    }

    /// Every subscript lies in the array for all points that reach the read, or an edge rule catches it.
    fn prove_read(&mut self, id: ArrayId, access: &Access, ids: &[ExprId]) -> Option<()> {
        if self.generic {
            return Some(());
        }
        let image = access.image(&access.within, &|s| self.scalar_range(s));
        let (shape, edges, name) = {
            let a = &self.program.arrays[id.0 as usize];
            (a.extents().to_vec(), a.edges.clone(), a.name.clone())
        };
        let mut ok = Some(());
        for (d, (&n, edge)) in shape.iter().zip(&edges).enumerate() {
            let span = self.span(ids[d]);
            let Some(image) = &image else {
                let message = format!("subscript `{}` of `{name}` goes beyond 64 bits", self.subscript_text(span));
                let help = "write a subscript that stays in the array, or an edge brings back from near by";
                ok = self.fail_help("E0302", message, span, format!("the extent is {n}"), help);
                continue;
            };
            let r = image.dims[d];
            if !r.is_empty() && n == 0 {
                ok = self.fail_help(
                    "E0301",
                    format!("`{name}` has no elements to read in dimension {d}"),
                    span,
                    "its extent is 0",
                    "let its extent be at least 1",
                );
            } else if *edge == Edge::None && (r.lo < 0 || r.hi > n) && !r.is_empty() {
                ok = self.out_of_bounds(&name, access, d, n, r, span);
            } else if !r.is_empty() && (r.lo < -far(n) || r.hi > n.saturating_add(far(n))) {
                let worst = if r.lo < 0 { r.lo } else { r.hi - 1 };
                let message = format!("a subscript of `{name}` reaches {worst}, too far past the edge");
                ok = self.fail_help(
                    "E0302",
                    message,
                    span,
                    format!("an edge of extent {n} reaches {} elements far", far(n)),
                    "bring the subscript nearer, with `mod`, `min` or `max`",
                );
            }
        }
        ok
    }

    fn out_of_bounds(&mut self, name: &str, access: &Access, d: usize, n: i64, r: Interval, span: Span) -> Option<()> {
        let text = self.sources.text(span).to_string();
        let worst = if r.lo < 0 { r.lo } else { r.hi - 1 };
        let at = self.witness(access, d, worst);
        let fixed = access.index[d].terms.is_empty();
        let message = if fixed {
            format!("`{name}` has no element {worst}")
        } else {
            format!("subscript `{text}` of `{name}` reaches {worst}{at}")
        };
        let label = if fixed {
            format!("the extent is {n}")
        } else {
            format!("runs over {}..{}, the extent is {n}", r.lo, r.hi)
        };
        let first = match self.written_range(&text, span).filter(|_| r.hi > n && n > 0) {
            Some(range) => format!("let the range of `{text}` end at {n}: `{text} in {range}..{n}`; or "),
            None if fixed && n > 0 => format!("the elements are 0 to {}; ", n - 1),
            None => String::new(),
        };
        let mut d = Diagnostic::error("E0302", message, span, label).help(format!(
            "{first}give `{name}` an edge (`edge clamp`, `periodic`, `mirror` or `constant(0)`), restrict the equation (`for … in …`), or guard the read (`if … {{ … }} else {{ … }}`)"
        ));
        // In a kernel the extents and edges are those of the call.
        if let Some(call) = self.calls.last().filter(|c| c.file == span.file) {
            d = d.label(*call, format!("`{name}` comes from this call"));
        }
        self.report(d);
        None
    }

    /// The beginning of the range that is written for a subscript which is an index of a reduction, an equation or a loop.
    fn written_range(&self, name: &str, at: Span) -> Option<String> {
        let ast = self.ast();
        // What is inside comes first in the arena.
        let mut reductions = ast.exprs.iter().filter(|e| within(at, e.span)).flat_map(indices);
        let reduced = reductions.find(|i| i.0.name == name);
        let around = statements_around(&ast, at);
        let range = match reduced {
            Some((_, range)) => range.as_ref()?,
            None => around.iter().rev().find_map(|s| match &s.kind {
                StmtKind::For { index, range, .. } if index.name == name => Some(range),
                StmtKind::Assign { clause: Clause::For(list), .. } => {
                    list.iter().find(|b| b.0.name == name).map(|b| &b.1)
                }
                _ => None,
            })?,
        };
        self.short_text(self.span(range.from)).filter(|_| range.by.is_none())
    }

    /// ` when i = 0`, where one index decides the subscript.
    fn witness(&self, access: &Access, d: usize, worst: i64) -> String {
        let a = &access.index[d];
        match a.terms[..] {
            [(sym, c)] if (worst - a.konst) % c == 0 => {
                let name = match sym {
                    Sym::Dim(k) => self.index_names.get(k).map(|n| n.trim_start_matches('\u{1}').to_string()),
                    Sym::Scalar(id) => Some(self.program.scalars[id.0 as usize].name.clone()),
                    Sym::Counter(_) => None,
                };
                match name.filter(|n| !n.is_empty()) {
                    Some(name) => format!(" when {name} = {}", (worst - a.konst) / c),
                    None => String::new(),
                }
            }
            _ => String::new(),
        }
    }

    fn expand_indexed(&mut self, name: &str, def: &Rc<IndexedLet>, ids: &[ExprId], span: Span) -> Option<Val> {
        if ids.len() != def.indices.len() {
            return self.fail_help(
                "E0252",
                super::subscripts_wanted(name, def.indices.len(), ids.len()),
                span,
                super::counted(ids.len(), "subscript"),
                "write one subscript for each index of its `let`",
            );
        }
        let mut env: Env = def.env.clone();
        for (&id, index) in ids.iter().zip(&def.indices) {
            let v = self.expr_as(id, Ty::I64)?;
            env = env.with(index, Local::Val(v));
        }
        if self.depth > 200 {
            return self.fail_help(
                "E0253",
                "intermediates are nested too deeply",
                span,
                "expanded here",
                "give one of them an array of its own, which a workflow assigns",
            );
        }
        self.depth += 1;
        let v = self.in_scope(def.module, env, |c| {
            let v = c.expr(def.body, def.ty)?;
            match def.ty {
                Some(ty) => c.convert(v, ty, def.span),
                None => Some(v),
            }
        });
        self.depth -= 1;
        v
    }
}

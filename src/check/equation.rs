//! Equations: `out[i, j] = EXPR` to loop nests, and the proof that a result is defined exactly once.

use super::Checker;
use super::emit::{Builder, Val};
use super::env::{Global, Local};
use super::infer::children;
use crate::diag::Diagnostic;
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{Affine, ArrayId, Nest, Reduction, Store, Sym};
use crate::ir::layout::granule;
use crate::ir::program::{NestId, StmtKind};
use crate::ir::ty::Ty;
use crate::source::Span;
use crate::syntax::ast::{AssignOp, Clause, ExprId, ExprKind, Target};

/// The elements that one equation defines: first, count and step in each dimension.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub dims: Vec<(i64, i64, i64)>,
    pub span: Span,
}

impl Region {
    fn count(&self) -> i64 {
        self.dims.iter().map(|d| d.1).product()
    }

    /// The smallest box around it.
    pub fn hull(&self) -> IndexBox {
        let dims = self
            .dims
            .iter()
            .map(|&(lo, n, by)| if n == 0 { Interval::EMPTY } else { Interval::new(lo, lo + (n - 1) * by + 1) });
        IndexBox::new(dims.collect())
    }

    fn overlaps(&self, o: &Region) -> bool {
        self.dims.iter().zip(&o.dims).all(|(&a, &b)| progressions_meet(a, b))
    }
}

/// Whether two arithmetic progressions (first, count, step) share a term.
fn progressions_meet(a: (i64, i64, i64), b: (i64, i64, i64)) -> bool {
    if a.1 == 0 || b.1 == 0 {
        return false;
    }
    let (mut s, mut t) = (a.2, b.2);
    while t != 0 {
        (s, t) = (t, s % t);
    }
    if (a.0 - b.0) % s != 0 {
        return false;
    }
    let lo = a.0.max(b.0);
    let hi = (a.0 + (a.1 - 1) * a.2).min(b.0 + (b.1 - 1) * b.2);
    // The first common term at or after `lo` lies within one least common multiple.
    let lcm = a.2 / s * b.2;
    let mut x = lo + (a.0 - lo).rem_euclid(a.2);
    while x <= hi && x < lo + lcm + a.2 {
        if (x - b.0) % b.2 == 0 {
            return true;
        }
        x += a.2;
    }
    false
}

/// The first point of a box that no region holds; looks at a million points at most.
fn first_outside(b: &IndexBox, regions: &[&Region]) -> Option<Vec<i64>> {
    let mut at: Vec<i64> = b.dims.iter().map(|d| d.lo).collect();
    for _ in 0..b.len().min(1 << 20) {
        let holds = |r: &&Region| {
            r.dims.iter().zip(&at).all(|(d, &i)| i >= d.0 && (i - d.0) % d.2 == 0 && (i - d.0) / d.2 < d.1)
        };
        if !regions.iter().any(holds) {
            return Some(at);
        }
        for d in (0..at.len()).rev() {
            at[d] += 1;
            if at[d] < b.dims[d].hi {
                break;
            }
            at[d] = b.dims[d].lo;
        }
    }
    None
}

/// An index of an equation with its range.
struct Index {
    name: String,
    from: i64,
    count: i64,
    by: i64,
}

impl Checker<'_> {
    /// Checks `target[subscripts] = value` and adds its nests. `array` is what the target names, `into` where the elements
    /// go. Returns the regions defined. `earlier`: what `otherwise` excludes.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn equation(
        &mut self,
        target: &Target,
        array: ArrayId,
        into: ArrayId,
        op: AssignOp,
        value: ExprId,
        clause: &Clause,
        earlier: &[Region],
    ) -> Option<Vec<Region>> {
        let subs = target.subscripts.clone().unwrap_or_default();
        let (shape, name) = {
            let a = &self.program.arrays[array.0 as usize];
            (a.shape.clone(), a.name.clone())
        };
        if subs.len() != shape.len() {
            return self.fail(
                "E0252",
                super::subscripts_wanted(&name, shape.len(), subs.len()),
                target.span,
                super::counted(subs.len(), "subscript"),
            );
        }
        let names = self.left_indices(&subs, clause)?;
        let Clause::Otherwise(at) = clause else {
            let indices = self.index_ranges(&names, &subs, &shape, clause)?;
            return Some(vec![self.nest_of_equation(target, &name, into, array, &subs, &shape, indices, op, value)?]);
        };
        let plain = subs.iter().all(|&s| matches!(self.node(s).kind, ExprKind::Name(_))) && names.len() == subs.len();
        if !plain || earlier.iter().any(|r| r.dims.iter().any(|d| d.2 != 1)) {
            return self.not_yet("`otherwise` beside strided or picked subscripts", *at);
        }
        let mut rest = vec![IndexBox::whole(&shape)];
        for r in earlier {
            rest = rest.iter().flat_map(|b| b.minus(&r.hull())).collect();
        }
        let mut out = vec![];
        for b in rest {
            let indices = names
                .iter()
                .zip(&b.dims)
                .map(|(n, r)| Index { name: n.clone(), from: r.lo, count: r.len(), by: 1 })
                .collect();
            out.push(self.nest_of_equation(target, &name, into, array, &subs, &shape, indices, op, value)?);
        }
        Some(out)
    }

    /// The names on the left that are not bound yet, in order: the indices.
    fn left_indices(&mut self, subs: &[ExprId], clause: &Clause) -> Option<Vec<String>> {
        let mut names: Vec<String> = vec![];
        let ast = self.ast();
        for &s in subs {
            let mut stack = vec![s];
            while let Some(id) = stack.pop() {
                stack.extend(children(&ast, id));
                let ExprKind::Name(name) = &ast.expr(id).kind else { continue };
                let alone = id == s;
                let ranged = matches!(clause, Clause::For(list) if list.iter().any(|(i, _)| i.name == *name));
                match self.env.find(name) {
                    Some(Local::Val(v)) if !ranged && alone && v.as_const().is_some() && self.is_extent(name) => {
                        let at = v.as_const().map(|c| c.to_string()).unwrap_or_default();
                        return self.fail_help(
                            "E0270",
                            format!("`{name}` is an extent, so it is not an index here"),
                            ast.expr(id).span,
                            if self.generic {
                                "this would pick one element".into()
                            } else {
                                format!("this would pick element {at}")
                            },
                            "use another letter for the index; to pick one element write `0 + …` or a number",
                        );
                    }
                    Some(_) if !ranged => continue,
                    _ => {}
                }
                if !ranged
                    && self.env.find(name).is_none()
                    && matches!(self.modules[self.module].globals.get(name), Some((Global::Const(_), _)))
                {
                    if alone {
                        return self.fail_help(
                            "E0270",
                            format!("`{name}` is declared at the top, so it is not an index here"),
                            ast.expr(id).span,
                            "this would pick one element",
                            "use another letter for the index",
                        );
                    }
                    continue;
                }
                if matches!(name.as_str(), "ranks" | "pi" | "inf") && !ranged {
                    continue;
                }
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
        Some(names)
    }

    fn is_extent(&self, name: &str) -> bool {
        self.extent_names.iter().any(|n| n == name)
    }

    fn index_ranges(
        &mut self,
        names: &[String],
        subs: &[ExprId],
        shape: &[i64],
        clause: &Clause,
    ) -> Option<Vec<Index>> {
        let clauses = match clause {
            Clause::For(list) => list.as_slice(),
            _ => &[],
        };
        if let Some((extra, _)) = clauses.iter().find(|(i, _)| !names.contains(&i.name)) {
            return self.fail(
                "E0271",
                format!("`{}` is not an index of the left side", extra.name),
                extra.span,
                "ranged here",
            );
        }
        let mut out = vec![];
        for name in names {
            if let Some((_, r)) = clauses.iter().find(|(i, _)| i.name == *name) {
                let from = self.const_as(r.from, Ty::I64, "the range of an equation")?.as_int()? as i64;
                let to = self.const_as(r.to, Ty::I64, "the range of an equation")?.as_int()? as i64;
                let by = self.step(r)?;
                let n = (to - from).max(0);
                out.push(Index { name: name.clone(), from, count: n / by + i64::from(n % by != 0), by });
                continue;
            }
            let bare = subs.iter().position(|&s| matches!(self.node(s).kind, ExprKind::Name(n) if n == *name));
            let Some(d) = bare else {
                let ast = self.ast();
                let nested = |s: ExprId| {
                    children(&ast, s).into_iter().chain([s]).any(|e| matches!(ast.expr(e).kind, ExprKind::Index { .. }))
                };
                if let Some(&s) = subs.iter().find(|&&s| nested(s)) {
                    let at = self.span(s);
                    return self.not_yet("a scatter (a left side at a subscript that is not index arithmetic)", at);
                }
                let span = subs.first().map_or(Span::new(crate::source::FileId(0), 0, 0), |&s| self.span(s));
                return self.fail_help(
                    "E0260",
                    format!("the range of `{name}` is not known"),
                    span,
                    "it subscripts no dimension on its own",
                    format!("write it: `for {name} in 0..…`"),
                );
            };
            out.push(Index { name: name.clone(), from: 0, count: shape[d], by: 1 });
        }
        Some(out)
    }

    #[allow(clippy::too_many_arguments)]
    fn nest_of_equation(
        &mut self,
        target: &Target,
        name: &str,
        into: ArrayId,
        array: ArrayId,
        subs: &[ExprId],
        shape: &[i64],
        indices: Vec<Index>,
        op: AssignOp,
        value: ExprId,
    ) -> Option<Region> {
        let mut domain = vec![];
        let mut env = self.env.clone();
        for (d, ix) in indices.iter().enumerate() {
            let v = if ix.by == 1 {
                domain.push(Interval::new(ix.from, ix.from + ix.count));
                Affine::sym(Sym::Dim(d))
            } else {
                domain.push(Interval::new(0, ix.count));
                Affine { konst: ix.from, terms: vec![(Sym::Dim(d), ix.by)] }
            };
            env = env.with(&ix.name, Local::Val(Val::affine(v)));
        }
        let names = std::mem::replace(&mut self.index_names, indices.iter().map(|i| i.name.clone()).collect());
        let outer = std::mem::replace(&mut self.env, env);
        self.builders.push(Builder::new_nest(domain.clone()));
        let out = self.equation_body(target, name, into, array, subs, shape, &domain, op, value);
        self.env = outer;
        self.index_names = names;
        let mut b = self.builders.pop()?;
        let (region, store) = out?;
        if domain.iter().all(|d| !d.is_empty()) {
            self.push_nest(&mut b, format!("{name} ="), vec![store], vec![], target.span);
        }
        Some(region)
    }

    #[allow(clippy::too_many_arguments)]
    fn equation_body(
        &mut self,
        target: &Target,
        name: &str,
        into: ArrayId,
        array: ArrayId,
        subs: &[ExprId],
        shape: &[i64],
        domain: &[Interval],
        op: AssignOp,
        value: ExprId,
    ) -> Option<(Region, Store)> {
        let (index, dims) = self.left_subscripts(name, subs, shape, domain)?;
        let ty = self.program.arrays[array.0 as usize].ty;
        let v = self.expr_as(value, ty)?;
        let v = match super::expr::compound(op) {
            None => v,
            Some(op) => {
                let old = self.index_target(array, subs, target.span)?;
                self.builder().binary(op, &old, &v)
            }
        };
        let value = self.builder().materialise(&v);
        let operand = self.builder().operand(into, ty, shape.len(), true);
        Some((Region { dims, span: target.span }, Store { operand, index, value }))
    }

    fn index_target(&mut self, array: ArrayId, subs: &[ExprId], span: Span) -> Option<Val> {
        let env = self.env.clone();
        self.env = self.env.with("\u{1}target", Local::Array(array));
        let base = crate::syntax::ast::Ident { name: "\u{1}target".into(), span };
        let v = self.index(&base, subs, span);
        self.env = env;
        v
    }

    /// The store's subscripts: each a constant or a multiple of one index of its own, inside the array.
    #[allow(clippy::type_complexity)]
    fn left_subscripts(
        &mut self,
        name: &str,
        subs: &[ExprId],
        shape: &[i64],
        domain: &[Interval],
    ) -> Option<(Vec<Affine>, Vec<(i64, i64, i64)>)> {
        let (mut index, mut dims, mut used) = (vec![], vec![], vec![false; domain.len()]);
        for (&s, &n) in subs.iter().zip(shape) {
            let span = self.span(s);
            let v = self.expr_as(s, Ty::I64)?;
            let Some(a) = v.as_affine() else {
                return self.not_yet("a scatter (a left side at a subscript that is not index arithmetic)", span);
            };
            let dim = match a.terms[..] {
                [] => (a.konst, 1, 1),
                [(Sym::Dim(d), c)] if c > 0 && !used[d] => {
                    used[d] = true;
                    (a.konst + c * domain[d].lo, domain[d].len(), c)
                }
                [(Sym::Dim(d), _)] if used[d] => {
                    let index = self.index_names.get(d).cloned().unwrap_or_default();
                    return self.fail_help("E0272", format!("`{index}` subscripts two dimensions on the left"), span, "for the second time", "an index picks the place in one dimension; for a diagonal write `if i == j { … } else { … }` on the right");
                }
                [(Sym::Scalar(_), _)] => {
                    return self.not_yet("a left side that picks an element by a scalar of the workflow", span);
                }
                [(Sym::Dim(d), _)] if used[d] => {
                    let name = self.index_names.get(d).cloned().unwrap_or_default();
                    return self.fail_help(
                        "E0272",
                        format!("`{name}` subscripts two dimensions on the left"),
                        span,
                        "a second time here",
                        "give each dimension an index, and choose: `if i == j { … } else { … }`",
                    );
                }
                _ => {
                    return self.fail_help(
                        "E0272",
                        "a subscript on the left is a number, or one index times a positive constant",
                        span,
                        "not such a subscript",
                        "put the arithmetic on the right side",
                    );
                }
            };
            let last = dim.0 + (dim.1 - 1) * dim.2;
            if !self.generic && dim.1 > 0 && (dim.0 < 0 || last >= n) {
                let text = self.sources.text(span).to_string();
                let worst = if dim.0 < 0 { dim.0 } else { last };
                if a.terms.is_empty() {
                    return self.fail(
                        "E0304",
                        format!("`{name}` has no element {worst} to define"),
                        span,
                        format!("the extent is {n}"),
                    );
                }
                return self.fail_help(
                    "E0304",
                    format!("subscript `{text}` of `{name}` reaches {worst}"),
                    span,
                    format!("the extent is {n}"),
                    "let the range end earlier: `for … in …`",
                );
            }
            index.push(a);
            dims.push(dim);
        }
        if let Some(d) = used.iter().position(|u| !u) {
            let name = self.index_names.get(d).cloned().unwrap_or_default();
            let span = subs.first().map_or(Span::new(crate::source::FileId(0), 0, 0), |&s| self.span(s));
            return self.fail(
                "E0272",
                format!("`{name}` does not subscript a dimension of its own on the left"),
                span,
                "left side",
            );
        }
        Some((index, dims))
    }

    /// Adds a finished nest and the statement that runs it.
    pub(super) fn push_nest(
        &mut self,
        b: &mut Builder,
        name: String,
        stores: Vec<Store>,
        reductions: Vec<Reduction>,
        span: Span,
    ) {
        let domain = IndexBox::new(b.domain.clone());
        let name = self.naming.last().cloned().unwrap_or(name);
        let mut nest = Nest {
            name,
            span,
            domain,
            operands: std::mem::take(&mut b.operands),
            accesses: std::mem::take(&mut b.accesses),
            code: b.finish(),
            stores,
            reductions,
            leaf: vec![],
        };
        nest.leaf = self.leaf_of(&nest);
        self.program.nests.push(nest);
        let id = NestId(self.program.nests.len() as u32 - 1);
        self.emit_stmt(StmtKind::Compute(id), span);
    }

    /// The reduction leaf: the granule of the extent that each dimension runs along, so that it agrees with array cuts.
    fn leaf_of(&self, nest: &Nest) -> Vec<i64> {
        if nest.reductions.is_empty() {
            return vec![1; nest.domain.rank()];
        }
        let leaf = |d: usize| {
            let along = nest.accesses.iter().flat_map(|a| {
                let shape = &self.program.arrays[nest.operands[a.operand.0 as usize].array.0 as usize].shape;
                a.index.iter().zip(shape).filter(move |(ix, _)| ix.terms == [(Sym::Dim(d), 1)]).map(|(_, &n)| n)
            });
            granule(along.max().unwrap_or(nest.domain.dims[d].hi))
        };
        (0..nest.domain.rank()).map(leaf).collect()
    }

    /// Every element of a result is defined exactly once.
    pub(super) fn prove_cover(&mut self, array: ArrayId, name: &str, regions: &[Region], declared: Span) {
        if self.generic {
            return;
        }
        let shape = self.program.arrays[array.0 as usize].shape.clone();
        for (k, a) in regions.iter().enumerate() {
            if let Some(b) = regions[..k].iter().find(|b| b.overlaps(a)) {
                let both = a.hull().intersect(&b.hull());
                let d = Diagnostic::error(
                    "E0401",
                    format!("two equations define the same elements of `{name}`, such as {both}"),
                    a.span,
                    "this equation",
                )
                .label(b.span, "and this one")
                .help("restrict one with `for … in …`, or write `otherwise` for the rest");
                self.report(d);
                return;
            }
        }
        let total: i64 = shape.iter().product();
        let covered: i64 = regions.iter().map(|r| r.count()).sum();
        if covered == total {
            return;
        }
        let mut rest = vec![IndexBox::whole(&shape)];
        for r in regions.iter().filter(|r| r.dims.iter().all(|d| d.2 == 1)) {
            rest = rest.iter().flat_map(|b| b.minus(&r.hull())).collect();
        }
        let strided: Vec<&Region> = regions.iter().filter(|r| r.dims.iter().any(|d| d.2 != 1)).collect();
        let missing = match &strided[..] {
            [] => rest.first().map(|b| format!(", such as {b}")),
            _ => rest.iter().find_map(|b| first_outside(b, &strided)).map(|at| format!(", such as {at:?}")),
        };
        let missing = missing.unwrap_or_default();
        let at = regions.last().map_or(declared, |r| r.span);
        let d = Diagnostic::error(
            "E0402",
            format!("{} of {total} elements of `{name}` are not defined{missing}", total - covered),
            at,
            "the equations stop short of the whole result",
        )
        .label(declared, format!("`{name}` has {total} elements"))
        .help(format!("add `{name}[…] = … otherwise` for the rest"));
        self.report(d);
    }
}

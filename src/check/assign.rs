//! Assignments of workflows: whole arrays, hidden double buffers, direct equations.

use super::Checker;
use super::emit::{Builder, Val};
use super::env::{Global, Local};
use super::kernel::Outcome;
use crate::diag::Diagnostic;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Access, Affine, ArrayId, ScalarId, Store, Sym};
use crate::ir::program::{Array, StmtKind};
use crate::ir::ty::Ty;
use crate::source::Span;
use crate::syntax::ast::{AssignOp, Clause, ExprId, ExprKind, Ident, Target};

impl Checker<'_> {
    pub(super) fn assign(
        &mut self,
        targets: &[Target],
        op: AssignOp,
        value: ExprId,
        clause: &Clause,
        span: Span,
    ) -> Option<()> {
        if let [target] = targets
            && target.subscripts.is_some()
        {
            return self.direct_equation(target, op, value, clause);
        }
        if !matches!(clause, Clause::Everywhere) {
            return self.fail_help(
                "E0271",
                "a range follows an equation with subscripts",
                span,
                "no subscripts on the left",
                "write subscripts on the left, as in `u[i] = … for i in 1..n`, or take the range away",
            );
        }
        let places = self.places(targets)?;
        let wanted: Vec<Option<ArrayId>> = places.iter().map(|p| p.as_ref().ok().copied()).collect();
        let e = self.node(value);
        let first_nest = self.program.nests.len();
        let out = match &e.kind {
            ExprKind::Call { callee, args } if self.gives_outcomes(callee) => {
                self.call_outcomes(callee, args, &wanted, e.span)?
            }
            ExprKind::Grad { call, wrt } => self.grad(*call, wrt, &wanted, e.span)?,
            ExprKind::Call { callee, .. } if self.is_broken(callee) => return None,
            ExprKind::Tuple(list) if wanted.iter().all(|w| w.is_none()) && list.len() == targets.len() => {
                let types = places.iter().filter_map(|p| p.as_ref().err()).map(|p| p.1);
                let vals: Vec<Option<Val>> = list.iter().zip(types).map(|(&x, ty)| self.expr_as(x, ty)).collect();
                vals.into_iter().collect::<Option<Vec<Val>>>()?.into_iter().map(Outcome::Scalar).collect()
            }
            _ if wanted.iter().all(|w| w.is_none()) => {
                let ty = places.first().and_then(|p| p.as_ref().err()).map(|p| p.1);
                self.values(value, targets.len(), ty)?.into_iter().map(Outcome::Scalar).collect()
            }
            _ => {
                if let (Some(Some(array)), [target, ..]) = (wanted.first(), targets) {
                    self.whole_with_equals(op, target, *array)?;
                }
                return self.assign_arrays(targets, &wanted, value);
            }
        };
        self.same_count(targets.len(), out.len(), e.span)?;
        // A workflow may read its argument again in a loop, or set only a part: it never writes in place.
        let straight = !matches!(&e.kind, ExprKind::Call { callee, .. } if self.is_workflow(callee));
        self.adopt(targets, places, out, op, straight.then_some(first_nest), e.span)
    }

    /// What the plain names on a left side mean.
    #[allow(clippy::type_complexity)]
    fn places(&mut self, targets: &[Target]) -> Option<Vec<Result<ArrayId, (ScalarId, Ty)>>> {
        let mut places = vec![];
        for t in targets {
            if t.subscripts.is_some() {
                return self.fail_help(
                    "E0229",
                    "several targets are plain names",
                    t.span,
                    "subscripted",
                    "write the names alone, as in `a, b = f(x)`; elements get an equation each, after a `let` for what another one changes",
                );
            }
            places.push(self.assignable(&t.name)?);
        }
        for (k, t) in targets.iter().enumerate() {
            if let Some(other) = targets[..k].iter().find(|o| o.name.name == t.name.name) {
                let message = format!("`{}` is assigned twice at once", t.name.name);
                let d = Diagnostic::error("E0525", message, t.span, "again here").label(other.span, "first here");
                self.report(d.help("name another array, or assign in two statements"));
                return None;
            }
        }
        Some(places)
    }

    /// Whole arrays do not accumulate.
    fn whole_with_equals(&mut self, op: AssignOp, target: &Target, array: ArrayId) -> Option<()> {
        if op == AssignOp::Set {
            return Some(());
        }
        self.fail_help(
            "E0523",
            "a whole array is assigned with `=`",
            target.span,
            "not `=`",
            format!(
                "write `=`, or an equation of its elements, as in `{}[{}] {} …`",
                target.name.name,
                self.indices_of(array),
                op.text()
            ),
        )
    }

    /// As many results as names.
    pub(super) fn same_count(&mut self, names: usize, results: usize, span: Span) -> Option<()> {
        if names == results {
            return Some(());
        }
        let (left, right) = (super::counted(names, "name"), super::counted(results, "result"));
        self.fail_help(
            "E0242",
            format!("{left} on the left, {right} on the right"),
            span,
            right,
            "write as many names on the left as there are values on the right",
        )
    }

    /// `u = v` and `u, v = v, u`.
    fn assign_arrays(&mut self, targets: &[Target], wanted: &[Option<ArrayId>], value: ExprId) -> Option<()> {
        let (e, n) = (self.node(value), targets.len());
        let right = if let ExprKind::Tuple(list) = &e.kind { list.clone() } else { vec![value] };
        let arrays = self.array_list(&right);
        if let (Some(to), Some(from)) = (wanted.iter().copied().collect::<Option<Vec<_>>>(), &arrays) {
            self.same_count(n, right.len(), e.span)?;
            return match (&to[..], &from[..]) {
                ([to], [from]) => self.assign_array(*to, *from, e.span),
                _ => {
                    let spans: Vec<Span> = right.iter().map(|&x| self.span(x)).collect();
                    self.permute(&to, from, &spans)
                }
            };
        }
        if let ([_], ExprKind::Name(_)) = (targets, &e.kind) {
            self.array_argument(value)?;
        }
        if right.len() > 1 {
            return self.fail_help(
                "E0522",
                "a list on the right holds whole arrays, or single values, for a left side of the same",
                e.span,
                "not such a list",
                "write one assignment for each",
            );
        }
        if let ExprKind::Call { callee, .. } = &e.kind
            && !self.modules[self.module].globals.contains_key(&callee.name)
            && !super::calls::NAMES.contains(&callee.name.as_str())
        {
            return self.unknown(&callee.name, callee.span, "kernel");
        }
        let at = wanted.iter().position(|w| w.is_some()).unwrap_or(0);
        self.no_whole_array(&targets[at].name.name, wanted[at]?, value)
    }

    /// `u = v`: a copy, unless nothing needs `v` any more.
    fn assign_array(&mut self, to: ArrayId, from: ArrayId, span: Span) -> Option<()> {
        let (depth, at) = (self.blocks.len(), self.blocks.last().map_or(0, |b| b.len()));
        self.copy_array(to, from, span)?;
        let written = self.blocks.last().is_some_and(|b| b.len() == at + 1);
        if written && self.lets.contains(&from) {
            self.copies.push(super::clear::Copy { depth, at, to, from });
        }
        Some(())
    }

    /// The arrays that expressions name, if all do.
    fn array_list(&mut self, list: &[ExprId]) -> Option<Vec<ArrayId>> {
        let array = |&x: &ExprId| match self.node(x).kind {
            ExprKind::Name(name) => self.array_if_named(&name),
            _ => None,
        };
        list.iter().map(array).collect()
    }

    /// `u, v = v, u`: all right sides are taken before any left side changes.
    fn permute(&mut self, targets: &[ArrayId], from: &[ArrayId], spans: &[Span]) -> Option<()> {
        for ((&t, &f), &at) in targets.iter().zip(from).zip(spans) {
            self.same_kind(t, f, at)?;
        }
        let span = spans[0];
        if let ([a, b], [c, d]) = (targets, from)
            && (a, b) == (d, c)
        {
            let (x, y) = (&self.program.arrays[a.0 as usize], &self.program.arrays[b.0 as usize]);
            if x.shape == y.shape && x.ty == y.ty && x.placement == y.placement && x.edges == y.edges {
                self.emit_stmt(StmtKind::Swap(*a, *b), span);
                return Some(());
            }
        }
        let mut held = vec![];
        for (&t, &f) in targets.iter().zip(from) {
            let proto = self.program.arrays[t.0 as usize].clone();
            let temp = self.add_array(Array { name: format!("{}'", proto.name), temporary: true, ..proto });
            self.copy_array(temp, f, span)?;
            held.push(temp);
        }
        for (&t, temp) in targets.iter().zip(held) {
            self.emit_stmt(StmtKind::Swap(t, temp), span);
        }
        Some(())
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
                    self.whole_with_equals(op, t, array)?;
                    self.take_over(array, result, first_nest, span)?;
                }
                (Err((id, ty)), Outcome::Scalar(v)) => {
                    let compound = self.compound(op, ty, t.span)?;
                    let v = self.convert(v, ty, span)?;
                    let v = match compound {
                        None => v,
                        Some(op) => self.builder().binary(op, &Val::slot(id, ty), &v),
                    };
                    scalars.push((id, v));
                }
                (Ok(array), Outcome::Scalar(_)) => {
                    return self.fail_help(
                        "E0522",
                        format!("`{}` is an array, and this result is a single value", t.name.name),
                        span,
                        "one value",
                        format!("write `{}[{}] = …` to set every element", t.name.name, self.indices_of(array)),
                    );
                }
                (Err(_), Outcome::Array(_)) => {
                    return self.fail_help(
                        "E0524",
                        format!("`{}` is a single value, and this result is an array", t.name.name),
                        t.span,
                        "a single value",
                        "assign it to an array, or reduce it to one value, as in `sum[i] …`",
                    );
                }
            }
        }
        // All right sides are read before any left side changes.
        let regs: Vec<_> = scalars.iter().flat_map(|(id, v)| self.builder().results(v, *id)).collect();
        if !regs.is_empty() {
            self.scalars(regs, span);
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
                Some(_) => self.fail_help(
                    "E0229",
                    format!("`{}` cannot be assigned", name.name),
                    name.span,
                    "not an array or variable",
                    format!("declare it before: `var {0} = …`, or `array {0}: f64[n]`", name.name),
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
        if t.extents() != r.extents() || t.element() != r.element() {
            let d = Diagnostic::error(
                "E0310",
                format!("`{}` is {}, and this result is {}", t.name, kind(&t), kind(&r)),
                span,
                kind(&r),
            )
            .label(t.span, format!("`{}` is declared here", t.name))
            .help(format!("declare an array for it: `array {}_2: {}`", t.name, kind(&r)));
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
        if self.pinned.contains(&result) {
            return false;
        }
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

    /// Two arrays have one type and shape.
    fn same_kind(&mut self, to: ArrayId, from: ArrayId, span: Span) -> Option<()> {
        let (t, f) = (self.program.arrays[to.0 as usize].clone(), self.program.arrays[from.0 as usize].clone());
        if t.extents() != f.extents() || t.element() != f.element() {
            let d = Diagnostic::error(
                "E0310",
                format!("`{}` is {}, and `{}` is {}", t.name, kind(&t), f.name, kind(&f)),
                span,
                kind(&f),
            )
            .label(t.span, format!("`{}` is declared here", t.name))
            .help("declare both alike, or write an equation: `a[i] = b[i] for i in 0..n`");
            self.report(d);
            return None;
        }
        Some(())
    }

    /// `to = from` for whole arrays, of any partitions.
    pub(super) fn copy_array(&mut self, to: ArrayId, from: ArrayId, span: Span) -> Option<()> {
        self.same_kind(to, from, span)?;
        let t = self.program.arrays[to.0 as usize].clone();
        if to == from {
            return Some(());
        }
        let domain = t.extents().iter().map(|&n| Interval::new(0, n)).collect();
        self.copy_region(to, from, domain, |d| Affine::sym(Sym::Dim(d)), t.extents().len(), span);
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
        let mut index: Vec<Affine> = (0..rank).map(index).collect();
        let (mut domain, mut rank) = (domain, rank);
        if self.program.arrays[to.0 as usize].complex {
            // Both parts.
            index.push(Affine::sym(Sym::Dim(domain.len())));
            domain.push(Interval::new(0, 2));
            rank += 1;
        }
        let mut b = Builder::new_nest(domain);
        let operand = b.operand(from, ty, rank, false);
        let within = b.within_box();
        let access = b.access(Access { operand, index: index.clone(), within, counters: vec![], checks: vec![], span });
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
            return self.fail_help(
                "E0250",
                format!("`{}` is a single value", target.name.name),
                target.span,
                "subscripted here",
                "write it without subscripts, or declare it as an array",
            );
        };
        self.update(target, array, op, value, clause)
    }

    /// The elements of an array that a left side names change, the rest stays.
    pub(super) fn update(
        &mut self,
        target: &Target,
        array: ArrayId,
        op: AssignOp,
        value: ExprId,
        clause: &Clause,
    ) -> Option<()> {
        if let Clause::Otherwise(at) = clause {
            return self.fail_help(
                "E0276",
                "`otherwise` belongs to the equations that define a kernel's result",
                *at,
                "here it would leave nothing out",
                "write a range, as in `for i in 1..n`, or write this equation first and the exceptions behind it",
            );
        }
        let left = self.left_of(target, array, array)?;
        if self.scatters(&left, clause)? {
            return self.scatter(&left, op, value, clause);
        }
        let proto = self.program.arrays[array.0 as usize].clone();
        let shape = proto.extents().to_vec();
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
            self.pinned.insert(array);
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
    pub(super) fn array_if_named(&self, name: &str) -> Option<ArrayId> {
        match self.env.find(name) {
            Some(Local::Array(id)) => Some(*id),
            Some(_) => None,
            None => match self.modules[self.module].globals.get(name) {
                Some((Global::Array(id), _)) => Some(*id),
                _ => None,
            },
        }
    }
}

/// `f32[4096, 512]`
fn kind(a: &Array) -> String {
    let dims: Vec<String> = a.extents().iter().map(|n| n.to_string()).collect();
    format!("{}[{}]", a.element(), dims.join(", "))
}

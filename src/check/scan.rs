//! Running reductions: `s[i] = scan(+)[i] x[i]`. The terms are computed into an array of their own, a statement replaces them by
//! the running values, and the element reads its own; an exclusive scan's element reads the one before, and past the array's edge
//! stands what the operator begins with.

use super::Checker;
use super::combine::{Combination, With, element};
use super::emit::{Builder, Val, ValKind};
use super::env::Local;
use super::infer::children;
use super::reduce::{combine, identity};
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, ArrayId, Store, Sym};
use crate::ir::layout::Dist;
use crate::ir::program::{Array, Edge, Placement, StmtKind};
use crate::ir::ty::Ty;
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind, Ident, Range, ReduceOp};

impl Checker<'_> {
    /// `scan(op)[index] term`, or `scan(op, exclusive)[index] term`, at the element being computed.
    pub(super) fn scan(
        &mut self,
        (op, exclusive): (&str, bool),
        indices: &[(Ident, Option<Range>)],
        term: ExprId,
        expected: Option<Ty>,
        span: Span,
    ) -> Option<Val> {
        let reduce = match op {
            "+" => ReduceOp::Sum,
            "*" => ReduceOp::Prod,
            "min" => ReduceOp::Min,
            "max" => ReduceOp::Max,
            "any" => ReduceOp::Any,
            "all" => ReduceOp::All,
            _ => {
                return self.fail_help(
                    "E0264",
                    format!("a scan does not combine by `{op}`"),
                    span,
                    "no such scan",
                    "it combines by `+`, `*`, `min`, `max`, `any` or `all`",
                );
            }
        };
        let dim = self.scanned(indices, term, span)?;
        let domain = self.builder().domain.clone();
        if reduce == ReduceOp::Prod
            && self.mentions_complex(term)
            && let ty = self.term_type(reduce, &domain, term, expected)?
            && ty.is_complex()
        {
            // The parts of a product are not products of parts.
            let c = Combination { with: With::Product(ty), indices, term, span };
            return self.scan_by(&c, exclusive)?.pop();
        }
        self.push_builder(Builder::new_nest(domain.clone()));
        let v = self.term_value(reduce, term, expected);
        let mut b = self.builders.pop()?;
        let v = v?;
        // The parts of a complex number are added up apart.
        let parts = v.parts().map_or(vec![v.clone()], |z| vec![z.0, z.1]);
        let ty = v.ty.part();
        let shape: Vec<i64> = domain.iter().map(|d| d.len()).collect();
        let mut edges = vec![Edge::None; shape.len()];
        if exclusive {
            edges[dim] = Edge::Constant(identity(reduce, ty));
        }
        let placement = self.placement_like(&b, &shape);
        let array = Array { name: "scan".into(), ty, placement, edges, span, temporary: true, complex: false, shape };
        let arrays: Vec<ArrayId> = parts.iter().map(|_| self.add_array(array.clone())).collect();
        let mut index = Affine::from_start(&domain);
        if domain.iter().all(|d| !d.is_empty()) {
            let mut store = |(v, &array): (&Val, &ArrayId)| {
                let value = b.materialise(v);
                Store { operand: b.operand(array, ty, index.len(), true), index: index.clone(), value }
            };
            let stores = parts.iter().zip(&arrays).map(&mut store).collect();
            self.push_nest(&mut b, "terms of a scan".into(), stores, vec![], span);
            for &array in &arrays {
                self.emit_stmt(StmtKind::Scan { array, dim, op: combine(reduce) }, span);
            }
        }
        index[dim].konst -= i64::from(exclusive);
        let b = self.builder();
        let mut running = arrays.iter().map(|&array| element(b, (array, ty), &index, span));
        let first = running.next()?;
        Some(match running.next() {
            Some(im) => Val::complex(first, im),
            None => first,
        })
    }

    /// The type of a term; nothing of its code stays.
    pub(super) fn term_type(
        &mut self,
        op: ReduceOp,
        domain: &[Interval],
        term: ExprId,
        expected: Option<Ty>,
    ) -> Option<Ty> {
        let sizes = self.program.sizes();
        self.blocks.push(vec![]);
        self.push_builder(Builder::new_nest(domain.to_vec()));
        let v = self.term_value(op, term, expected);
        self.builders.pop();
        self.blocks.pop();
        self.program.cut_back(sizes);
        v.map(|v| v.ty)
    }

    /// The dimension of the domain that a scan's index runs along.
    pub(super) fn scanned(&mut self, indices: &[(Ident, Option<Range>)], term: ExprId, span: Span) -> Option<usize> {
        let [(name, None)] = indices else {
            let help = "write `scan(+)[i] x[i]`, where `i` is an index of the equation";
            return self.fail_help("E0264", "a scan has one index, without a range", span, "this scan", help);
        };
        let dim = match self.env.find(&name.name) {
            Some(Local::Val(Val { kind: ValKind::Affine(a), .. })) if a.konst == 0 => a.dim(),
            _ => None,
        };
        let value = match self.env.find(&name.name) {
            Some(Local::Slot(..)) => true,
            Some(Local::Val(Val { kind: ValKind::Affine(a), .. })) => {
                a.terms.iter().all(|t| matches!(t.0, Sym::Scalar(_)))
            }
            Some(Local::Val(_)) => true,
            _ => false,
        };
        if dim.is_none() && value {
            return self.fail_help(
                "E0264",
                format!("`{0}` is a value here, so `[{0}]` on the left picks one element, and a scan has no index to run along", name.name),
                name.span,
                "a value that was declared before",
                "give the index a name that is free: `s[k] = scan(+)[k] x[k]`",
            );
        }
        let Some(dim) = dim.filter(|_| self.builder().nest) else {
            let indices = if self.builder().nest { &self.index_names[..] } else { &[] };
            let indices: Vec<String> =
                indices.iter().filter(|n| !n.starts_with('\u{1}')).map(|n| format!("`scan(+)[{n}]`")).collect();
            let help = match indices.is_empty() {
                true => "define an array first: `s[i] = scan(+)[i] x[i]`, then read it where it is needed".to_string(),
                false => format!("scan along an index of the equation: {}", indices.join(" or ")),
            };
            return self.fail_help(
                "E0264",
                format!("`{}` is not an index of the equation around the scan", name.name),
                name.span,
                "scanned along",
                help,
            );
        };
        if self.builder().conditional || !self.builder().counters.is_empty() || self.uses_registers(term) {
            return self.fail_help(
                "E0264",
                "a scan runs over all elements, and this place is inside one of them",
                span,
                "under a condition, in a loop, or made of values of a block",
                "define an array first: `s[i] = scan(+)[i] x[i]`, then read it where it is needed",
            );
        }
        Some(dim)
    }

    /// Whether an expression reads values that the code of one element has computed.
    pub(super) fn uses_registers(&self, id: ExprId) -> bool {
        let ast = self.modules[self.module].ast.clone();
        let own = match &ast.expr(id).kind {
            ExprKind::Name(n) => match self.env.find(n) {
                Some(Local::Var(..)) => true,
                Some(Local::Val(Val { kind: ValKind::Reg(_) | ValKind::Parts(_), .. })) => true,
                Some(Local::Val(Val { kind: ValKind::Affine(a), .. })) => {
                    a.terms.iter().any(|t| matches!(t.0, Sym::Counter(_)))
                }
                _ => false,
            },
            _ => false,
        };
        own || children(&ast, id).into_iter().any(|c| self.uses_registers(c))
    }

    /// Whether an expression contains a scan.
    pub(super) fn has_scan(&self, id: ExprId) -> bool {
        let ast = self.modules[self.module].ast.clone();
        matches!(ast.expr(id).kind, ExprKind::Scan { .. } | ExprKind::Combine { scan: Some(_), .. })
            || children(&ast, id).into_iter().any(|c| self.has_scan(c))
    }

    /// The placement of the first array of this shape that a nest reads, in blocks where that has tiles; else blocks.
    pub(super) fn placement_like(&self, b: &Builder, shape: &[i64]) -> Placement {
        let reads = b.operands.iter().map(|o| &self.program.arrays[o.array.0 as usize]);
        let like = reads.into_iter().find(|a| a.shape == shape).map(|a| a.placement.clone());
        let blocks = || Placement::Divided { dists: vec![Dist::Block; shape.len()], over: vec![] };
        // What is combined along the indices is combined in blocks.
        like.filter(|p| !self.is_dealt(p)).unwrap_or_else(blocks)
    }

    /// Whether arrays of a placement have tiles that are dealt.
    fn is_dealt(&self, p: &Placement) -> bool {
        match p {
            Placement::Divided { dists, .. } => dists.iter().any(|d| matches!(d, Dist::Cyclic(_))),
            Placement::Aligned(other) => self.is_dealt(&self.program.arrays[other.0 as usize].placement),
            Placement::Replicated => false,
        }
    }
}

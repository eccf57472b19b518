//! What cannot be done where dealt tiles lie is done in blocks beside them.
//!
//! Input: a program's statements. Output: the same, where files, printing, scans and scatters, and nests whose elements do not follow
//! the tiles (`u[2 * i]`, `u[i, i]`), use a copy of the array that is divided in blocks. It is filled before, and what was written
//! is copied back, by nests like any others, so their messages stand in the plan. Invariant: every element has the bits that it had.

use crate::ir::index_box::IndexBox;
use crate::ir::kernel::*;
use crate::ir::layout::Dist;
use crate::ir::plan::{Plan, PlanArray};
use crate::ir::program::{Array, NestId, Placement, PrintPart, Stmt, StmtKind};
use std::collections::BTreeMap;

/// Rewrites the statements of a plan whose layouts are known.
pub fn work_beside(plan: &mut Plan) {
    if !plan.arrays.iter().any(|a| a.layout.is_dealt()) {
        return;
    }
    let body = std::mem::take(&mut plan.program.body);
    let mut w = Beside { plan, copies: BTreeMap::new() };
    let body = w.block(body);
    plan.program.body = body;
}

struct Beside<'a> {
    plan: &'a mut Plan,
    /// The copy in blocks of an array.
    copies: BTreeMap<ArrayId, ArrayId>,
}

/// What a statement does with an array that it works on beside.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    Reads,
    Writes,
    Both,
}

impl Beside<'_> {
    fn block(&mut self, body: Vec<Stmt>) -> Vec<Stmt> {
        body.into_iter().flat_map(|s| self.stmt(s)).collect()
    }

    /// The statement with what comes before and behind it.
    fn stmt(&mut self, mut s: Stmt) -> Vec<Stmt> {
        let mut used: Vec<(ArrayId, Use)> = vec![];
        match &mut s.kind {
            StmtKind::For { body, .. } => *body = self.block(std::mem::take(body)),
            StmtKind::While { before, body, .. } => {
                *before = self.block(std::mem::take(before));
                *body = self.block(std::mem::take(body));
            }
            StmtKind::If { then, otherwise, .. } => {
                *then = self.block(std::mem::take(then));
                *otherwise = self.block(std::mem::take(otherwise));
            }
            StmtKind::Compute(n) => used = self.scattered_stores(*n),
            StmtKind::Scatter { into, index, value, .. } => {
                used = vec![(*into, Use::Both), (*index, Use::Reads), (*value, Use::Reads)]
            }
            StmtKind::Scan { array, .. } => used = vec![(*array, Use::Both)],
            StmtKind::Load { array, path } => {
                used = shown(path);
                used.push((*array, Use::Writes));
            }
            StmtKind::Save { array, path } | StmtKind::Plot { array, path, .. } => {
                used = shown(path);
                used.push((*array, Use::Reads));
            }
            StmtKind::Print(parts) | StmtKind::Assert { why: parts, .. } => used = shown(parts),
            StmtKind::Scalars { .. } | StmtKind::Swap(..) | StmtKind::Expect { .. } | StmtKind::Break => {}
        }
        used.retain(|u| self.plan.array(u.0).layout.is_dealt());
        used.sort_by_key(|u| u.0);
        used.dedup_by_key(|u| u.0);
        let (mut before, mut behind) = (vec![], vec![]);
        for &(array, how) in &used {
            let copy = self.copy_of(array);
            if how != Use::Writes {
                before.push(self.copied(array, copy, &s));
            }
            if how != Use::Reads {
                behind.push(self.copied(copy, array, &s));
            }
        }
        let beside = |id: &mut ArrayId| *id = if used.iter().any(|u| u.0 == *id) { self.copies[id] } else { *id };
        if let StmtKind::Compute(n) = &s.kind {
            self.plan.program.nests[n.0 as usize].operands.iter_mut().for_each(|o| beside(&mut o.array));
        } else {
            each_array(&mut s.kind, &beside);
        }
        before.into_iter().chain([s]).chain(behind).collect()
    }

    /// The dealt arrays in which a nest's elements do not follow the tiles.
    fn scattered_stores(&self, n: NestId) -> Vec<(ArrayId, Use)> {
        let nest = &self.plan.program.nests[n.0 as usize];
        let mut out = vec![];
        for s in &nest.stores {
            let array = nest.operands[s.operand.0 as usize].array;
            let cuts = &self.plan.array(array).layout.cuts;
            let times = |d: usize| s.index.iter().filter(|a| a.coef(Sym::Dim(d)) != 0).count();
            let follows = |a: &Affine| a.terms.is_empty() || a.dim().is_some_and(|d| times(d) == 1);
            let apart = |k: usize| cuts[k].is_some_and(|c| c.is_dealt()) && !follows(&s.index[k]);
            if (0..cuts.len()).any(apart) {
                out.push((array, Use::Both));
            }
        }
        out
    }

    /// The copy in blocks of an array.
    fn copy_of(&mut self, array: ArrayId) -> ArrayId {
        if let Some(copy) = self.copies.get(&array) {
            return *copy;
        }
        let a = self.plan.array(array).clone();
        let dists: Vec<Dist> =
            a.layout.dists.iter().map(|d| if *d == Dist::Whole { Dist::Whole } else { Dist::Block }).collect();
        let layout = super::divide(&self.plan.program, None, &a.layout.shape, &dists, a.layout.mesh.clone());
        let over = a.layout.mesh.iter().map(|m| Some(*m)).collect();
        let array_in_blocks =
            Array { placement: Placement::Divided { dists, over }, temporary: true, ..a.array.clone() };
        self.plan.program.arrays.push(array_in_blocks.clone());
        self.plan.arrays.push(PlanArray { array: array_in_blocks, layout, ..a });
        let copy = ArrayId(self.plan.arrays.len() as u32 - 1);
        self.copies.insert(array, copy);
        copy
    }

    /// The statement that copies all elements of an array into another one.
    fn copied(&mut self, from: ArrayId, to: ArrayId, around: &Stmt) -> Stmt {
        let a = &self.plan.array(from).array;
        let (ty, rank, domain) = (a.ty, a.shape.len(), IndexBox::whole(&a.shape));
        let how = if self.plan.array(to).layout.is_dealt() { "tiles" } else { "blocks" };
        let operand = |array, written| Operand { array, ty, rank, written };
        let index: Vec<Affine> = (0..rank).map(|d| Affine::sym(Sym::Dim(d))).collect();
        let within = domain.clone();
        let access = Access {
            operand: OperandId(1),
            index: index.clone(),
            within,
            counters: vec![],
            checks: vec![],
            span: around.span,
        };
        let body = vec![Inst::Op { dst: Reg(0), op: Op::Load(AccessId(0)) }];
        let nest = Nest {
            name: format!("{} in {how}", a.name.trim_end_matches('\'')),
            span: around.span,
            leaf: vec![1; rank],
            only: vec![],
            domain,
            operands: vec![operand(to, true), operand(from, false)],
            accesses: vec![access],
            code: Code { regs: vec![ty], body, calls: vec![] },
            stores: vec![Store { operand: OperandId(0), index, value: Reg(0) }],
            reductions: vec![],
            checks: vec![],
        };
        self.plan.program.nests.push(nest);
        let nest = NestId(self.plan.program.nests.len() as u32 - 1);
        Stmt { kind: StmtKind::Compute(nest), span: around.span, source: around.source }
    }
}

/// The arrays in a text.
fn shown(parts: &[PrintPart]) -> Vec<(ArrayId, Use)> {
    parts
        .iter()
        .filter_map(|p| if let PrintPart::Array { id, .. } = p { Some((*id, Use::Reads)) } else { None })
        .collect()
}

/// Calls `f` with every array of a statement that is not a nest.
fn each_array(kind: &mut StmtKind, f: &dyn Fn(&mut ArrayId)) {
    let text = |parts: &mut Vec<PrintPart>| {
        parts.iter_mut().for_each(|p| {
            if let PrintPart::Array { id, .. } = p {
                f(id)
            }
        })
    };
    match kind {
        StmtKind::Scatter { into, index, value, .. } => [into, index, value].into_iter().for_each(f),
        StmtKind::Scan { array, .. } => f(array),
        StmtKind::Load { array, path } | StmtKind::Save { array, path } | StmtKind::Plot { array, path, .. } => {
            f(array);
            text(path);
        }
        StmtKind::Print(parts) | StmtKind::Assert { why: parts, .. } => text(parts),
        _ => {}
    }
}

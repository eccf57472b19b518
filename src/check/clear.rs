//! What the end of a block decides: needless clears go, last copies become swaps.
//!
//! Arrays that live for one round of a loop (local arrays) and results of workflows begin with zeros every time.
//!
//! A nest that clears the array is written where it begins to live, and taken out again when the statements that follow
//! write the whole array before anything reads it.
//!
//! `let v = step(u); u = v`: nothing reads `v` behind the copy, so the two buffers change roles.

use super::Checker;
use super::emit::Builder;
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{Affine, ArrayId, Nest, Store, Sym};
use crate::ir::program::{PrintPart, Program, Stmt, StmtKind};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;

/// A clearing nest: the depth of its statement list, its place there, and the array.
pub(super) struct Clear {
    depth: usize,
    at: usize,
    array: ArrayId,
}

/// A whole copy from an array that a `let` named: the depth of its statement list, its place there, and both arrays.
pub(super) struct Copy {
    pub depth: usize,
    pub at: usize,
    pub to: ArrayId,
    pub from: ArrayId,
}

/// What a statement does first to an array.
#[derive(PartialEq)]
enum Use {
    None,
    Reads,
    Overwrites,
}

impl Checker<'_> {
    /// An array begins to live here; in a loop it may hold what the last round left, and a result of a workflow what another
    /// array left in the buffer that they share.
    pub(super) fn begins(&mut self, array: ArrayId, span: Span) {
        let a = self.program.arrays[array.0 as usize].clone();
        if (self.repeated == 0 && !a.temporary) || a.shape.contains(&0) {
            return;
        }
        let mut b = Builder::new_nest(a.shape.iter().map(|&n| Interval::new(0, n)).collect());
        let zero = crate::ir::fold::cast(Value::i64(0), a.ty);
        let zero = if a.ty == Ty::Bool { Value::bool(false) } else { zero };
        let value = b.materialise(&super::emit::Val::constant(zero));
        let operand = b.operand(array, a.ty, a.shape.len(), true);
        let index = (0..a.shape.len()).map(|d| Affine::sym(Sym::Dim(d))).collect();
        let (depth, at) = (self.blocks.len(), self.blocks.last().map_or(0, |b| b.len()));
        self.push_nest(&mut b, format!("clear {}", a.name), vec![Store { operand, index, value }], vec![], span);
        self.clears.push(Clear { depth, at, array });
    }

    /// The block that began at `mark` ends: copies from its own arrays that nothing reads any more become swaps.
    pub(super) fn swap_last_copies(&mut self, (lets, copies): (usize, usize)) {
        let own = self.lets.split_off(lets);
        for c in self.copies.split_off(copies) {
            let (depth, program) = (self.blocks.len(), &self.program);
            let Some(block) = self.blocks.last_mut().filter(|_| c.depth == depth && own.contains(&c.from)) else {
                continue;
            };
            let (a, b) = (&program.arrays[c.to.0 as usize], &program.arrays[c.from.0 as usize]);
            let alike = a.placement == b.placement && a.edges == b.edges;
            let behind = block.get(c.at + 1..).unwrap_or(&[]);
            if alike && !behind.iter().any(|s| mentions(program, s, c.from)) {
                block[c.at].kind = StmtKind::Swap(c.to, c.from);
            }
        }
    }

    /// The statement list being written ends: takes out the clearing nests that nothing sees.
    pub(super) fn drop_needless_clears(&mut self) {
        while let Some(c) = self.clears.pop_if(|c| c.depth >= self.blocks.len()) {
            let depth = self.blocks.len();
            let Some(block) = self.blocks.last_mut().filter(|_| c.depth == depth) else { continue };
            let first = block
                .get(c.at + 1..)
                .unwrap_or(&[])
                .iter()
                .map(|s| first_use(&self.program, s, c.array))
                .find(|u| *u != Use::None);
            if first != Some(Use::Reads) {
                block.remove(c.at);
            }
        }
    }
}

fn first_use(program: &Program, s: &Stmt, array: ArrayId) -> Use {
    match &s.kind {
        StmtKind::Compute(n) => {
            let nest = &program.nests[n.0 as usize];
            let is = |k: u32| nest.operands[k as usize].array == array;
            match () {
                _ if nest.accesses.iter().any(|a| is(a.operand.0)) => Use::Reads,
                _ if nest
                    .stores
                    .iter()
                    .any(|s| is(s.operand.0) && whole(nest, s, &program.arrays[array.0 as usize].shape)) =>
                {
                    Use::Overwrites
                }
                _ if nest.stores.iter().any(|s| is(s.operand.0)) => Use::Reads,
                _ => Use::None,
            }
        }
        StmtKind::Load { array: a, .. } if *a == array => Use::Overwrites,
        // A hidden buffer, written whole before, takes the place of the contents, which nothing reads any more.
        StmtKind::Swap(a, b) if *a == array && program.arrays[b.0 as usize].temporary => Use::Overwrites,
        _ if mentions(program, s, array) => Use::Reads,
        _ => Use::None,
    }
}

fn whole(nest: &Nest, store: &Store, shape: &[i64]) -> bool {
    let plain = store.index.iter().enumerate().all(|(d, a)| *a == Affine::sym(Sym::Dim(d)));
    plain && nest.domain == IndexBox::whole(shape)
}

fn mentions(program: &Program, s: &Stmt, array: ArrayId) -> bool {
    let any = |list: &[Stmt]| list.iter().any(|s| mentions(program, s, array));
    let shown = |parts: &[PrintPart]| parts.iter().any(|p| p.array() == Some(array));
    match &s.kind {
        StmtKind::Compute(n) => program.nests[n.0 as usize].operands.iter().any(|o| o.array == array),
        StmtKind::Swap(a, b) => *a == array || *b == array,
        StmtKind::Scatter { into, index, value, .. } => [into, index, value].into_iter().any(|a| *a == array),
        StmtKind::Scan { array: a, .. } => *a == array,
        StmtKind::For { body, .. } => any(body),
        StmtKind::While { before, body, .. } => any(before) || any(body),
        StmtKind::If { then, otherwise, .. } => any(then) || any(otherwise),
        StmtKind::Print(parts) | StmtKind::Assert { why: parts, .. } => shown(parts),
        StmtKind::Load { array: a, path }
        | StmtKind::Save { array: a, path }
        | StmtKind::Plot { array: a, path, .. } => *a == array || shown(path),
        StmtKind::Scalars { .. } | StmtKind::Expect { .. } | StmtKind::Break => false,
    }
}

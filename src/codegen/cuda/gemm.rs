//! Products that a library of NVIDIA's could carry out as they stand: `out[i, j] = sum[k] left[i, k] * right[k, j]` and batches of
//! it, with nothing around the sum and factors that are what lies in memory. Used only where the user allows another order of
//! the terms (`--math`).

use crate::codegen::cuda::body::Writer;
use crate::ir::contraction::{Contraction, Factor};
use crate::ir::kernel::{AccessId, Inst, Op, Reg, Sym};
use crate::ir::ty::Ty;

/// A matrix of a product: a group of the kernel, elements from the group's address, and elements from one row (or column) and
/// from one term to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matrix {
    pub group: usize,
    pub from: i64,
    pub across: i64,
    pub along: i64,
}

/// A product of matrices: the elements' type of both factors, and of the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Gemm {
    pub ty: Ty,
    pub into: Ty,
    pub terms: i64,
    pub left: Matrix,
    pub right: Matrix,
    /// `across` is from row to row; columns lie side by side.
    pub out: Matrix,
    /// A dimension of many such products, and the elements from one to the next in the left, right and resulting matrices.
    pub batch: Option<(usize, [i64; 3])>,
}

/// The product that a contraction over `row` and the last dimension is, if it is one.
pub fn of(w: &Writer, c: &Contraction, row: usize) -> Option<Gemm> {
    let (nest, column) = (w.nest, w.nest.domain.rank() - 1);
    let (from, to) = c.range()?;
    let body = &nest.code.body;
    let (before, behind) = (&body[..c.chain.at], &body[c.chain.at + 1..]);
    if !before.iter().all(|i| matches!(i, Inst::Op { op: Op::Const(_) | Op::Copy(_), .. })) || to <= from {
        return None;
    }
    // What is stored is the sum, under whichever name, rounded to the type of two bytes or not.
    let mut names: Vec<Reg> = vec![c.chain.acc];
    for i in behind {
        match i {
            Inst::Op { dst, op: Op::Copy(r) | Op::Cast(r) } if names.contains(r) => names.push(*dst),
            _ => return None,
        }
    }
    let [store] = &nest.stores[..] else { return None };
    let route = w.routes[nest.accesses.len()];
    let (ty, into) = (factor_ty(w, &c.left)?, w.memory_ty(route.0));
    // Factors of two bytes are multiplied and added in f32.
    let sums = if ty.is_half() { Ty::F32 } else { ty };
    if c.chain.ty != sums || into != sums && into != ty || !names.contains(&store.value) {
        return None;
    }
    let plain = |g: usize| w.groups[g].index.iter().flat_map(|a| &a.terms).all(|t| !matches!(t.0, Sym::Scalar(_)));
    let term = Sym::Counter(c.chain.counter);
    let factor = |f: &Factor, across: usize| -> Option<Matrix> {
        let access = read(w, f, ty)?;
        let (group, konst) = w.routes[access.0 as usize];
        let folded = w.placed.folds[access.0 as usize].iter().any(Option::is_some);
        let (across, along) = (w.step(group, Sym::Dim(across)), w.step(group, term));
        let whole = across > 0 && along > 0 && (across == 1 || along == 1);
        (whole && !folded && plain(group)).then_some(Matrix { group, from: konst + from * along, across, along })
    };
    let (left, right) = (factor(&c.left, row)?, factor(&c.right, column)?);
    let out = Matrix { group: route.0, from: route.1, across: w.step(route.0, Sym::Dim(row)), along: 1 };
    if w.step(route.0, Sym::Dim(column)) != 1 || out.across < 1 || !plain(out.group) {
        return None;
    }
    let batch = match (0..column).filter(|d| *d != row).collect::<Vec<_>>()[..] {
        [] => None,
        [d] => Some((d, [left.group, right.group, out.group].map(|g| w.step(g, Sym::Dim(d))))),
        _ => return None,
    };
    Some(Gemm { ty, into, terms: to - from, left, right, out, batch })
}

/// The type of the elements that a factor reads.
fn factor_ty(w: &Writer, f: &Factor) -> Option<Ty> {
    let Some(Inst::Op { op: Op::Load(a), .. }) = f.code.first() else { return None };
    Some(w.nest.operands[w.nest.accesses[a.0 as usize].operand.0 as usize].ty)
}

/// The read of elements of a type that a factor is; those of two bytes are then made f32.
fn read(w: &Writer, f: &Factor, ty: Ty) -> Option<AccessId> {
    let (a, last) = match &f.code[..] {
        [Inst::Op { op: Op::Load(a), dst }] if !ty.is_half() => (a, dst),
        [Inst::Op { op: Op::Load(a), dst: x }, Inst::Op { op: Op::Cast(y), dst }] if ty.is_half() && x == y => (a, dst),
        _ => return None,
    };
    (*last == f.value && factor_ty(w, f) == Some(ty)).then_some(*a)
}

//! Which accesses share rows in registers, and along which dimension a nest marches.

use std::collections::{BTreeMap, BTreeSet};

use crate::codegen::cuda::body::Writer;
use crate::codegen::cuda::{Group, reduce};
use crate::ir::kernel::{Affine, Nest, OperandId, Sym};

/// The row and column offset of an access: each subscript is one index of its own with coefficient 1, the last domain
/// dimension is the last subscript, and nothing but constants and scalars is added.
pub fn offset(nest: &Nest, operand: OperandId, index: &[Affine], dim: Option<usize>) -> Option<(i64, i64)> {
    let last = nest.domain.rank() - 1;
    let (tail, others) = index.split_last()?;
    let dims = |a: &Affine| -> Option<Vec<(usize, i64)>> {
        let mut out = vec![];
        for (s, c) in &a.terms {
            match s {
                Sym::Dim(d) => out.push((*d, *c)),
                Sym::Scalar(_) => {}
                Sym::Counter(_) => return None,
            }
        }
        Some(out)
    };
    // A scalar beside the last index could begin anywhere in a vector.
    let aligned = tail.terms.iter().all(|t| matches!(t.0, Sym::Dim(_)));
    if !aligned || dims(tail)? != [(last, 1)] || nest.operands[operand.0 as usize].rank != index.len() {
        return None;
    }
    let mut row = None;
    for a in others {
        match dims(a)?[..] {
            [] => {}
            // Two subscripts with the index of the rows would need two offsets.
            [(d, 1)] if d != last && dim == Some(d) && row.is_some() => return None,
            [(d, 1)] if d != last => {
                if dim == Some(d) {
                    row = Some(a.konst);
                }
            }
            _ => return None,
        }
    }
    Some((row.unwrap_or(0), tail.konst))
}

/// The group of an access; constants of the rows and columns are left out of marched ones.
pub fn route(w: &mut Writer, operand: OperandId, mut index: Vec<Affine>, store: bool, marched: bool) -> (usize, i64) {
    let strides = w.placed.strides[operand.0 as usize].clone();
    let mut konst = 0;
    if marched {
        // Constants of further dimensions make families of their own; those of rows and columns do not.
        let dim = march_dim(w.nest, reduce::any_ordered(w.nest));
        let n = index.len();
        for (k, a) in index.iter_mut().enumerate() {
            if k + 1 == n || dim.is_some_and(|d| a.coef(Sym::Dim(d)) == 1) {
                a.konst = 0;
            }
        }
    } else {
        konst = index.iter().zip(&strides).map(|(a, s)| a.konst.wrapping_mul(*s)).fold(0i64, i64::wrapping_add);
        index.iter_mut().for_each(|a| a.konst = 0);
    }
    let same = |g: &Group| g.operand == operand && g.index == index && g.store == store && g.marched == marched;
    let at = w.groups.iter().position(same);
    let at = at.unwrap_or_else(|| {
        w.groups.push(Group { operand, index, store, marched });
        w.groups.len() - 1
    });
    (at, konst)
}

/// The dimension to march along: the outermost one in which the nest reads neighbours, else the one before the last.
pub fn march_dim(nest: &Nest, ordered: bool) -> Option<usize> {
    let last = nest.domain.rank() - 1;
    if last == 0 {
        return None;
    }
    if ordered {
        return Some(last - 1);
    }
    let mut consts: BTreeMap<usize, BTreeSet<i64>> = BTreeMap::new();
    for a in nest.accesses.iter().flat_map(|a| &a.index) {
        if let Some(d) = a.dim() {
            consts.entry(d).or_default().insert(a.konst);
        }
    }
    (0..last).find(|d| consts.get(d).is_some_and(|c| c.len() > 1)).or(Some(last - 1))
}

/// Sizes of the elements that move as vectors; those of one byte move by four.
pub fn sizes<'n>(nest: &'n Nest, offsets: &'n [Option<(i64, i64)>]) -> impl Iterator<Item = usize> + 'n {
    let operands = nest.accesses.iter().map(|a| a.operand).chain(nest.stores.iter().map(|s| s.operand));
    operands.zip(offsets).filter(|(_, o)| o.is_some()).map(|(o, _)| width(nest, o))
}

/// Bytes of an operand's elements, as they count for vectors.
pub fn width(nest: &Nest, operand: OperandId) -> usize {
    match nest.operands[operand.0 as usize].ty.size() {
        1 => 4,
        size => size,
    }
}

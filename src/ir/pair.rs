//! Pairs of products that share a matrix: what a product makes of its rows is multiplied by the same rows again, in blocks of them.
//!
//! ```text
//! r[i, c] = f(sum[k] x[i, k] * w[k, c], …)
//! g[l, k, c] = sum[i in block l] x[i, k] * r[i, c]
//! ```
//!
//! This is the derivative of a model that is linear in its weights: `r` are the residuals of the samples `x`, and `g` adds up to the
//! gradient. One who runs both at once reads `x` once. A third nest may ride along that adds up `r` itself, in the same blocks:
//! `s[l, c] = sum[i in block l] r[i, c]`.

use crate::ir::contraction::{Chain, Contraction, Factor, chain, product};
use crate::ir::index_box::Interval;
use crate::ir::kernel::{AccessId, Affine, BinaryOp, Inst, Nest, Op, OperandId, Reg, Sym};
use crate::ir::ty::Ty;
use std::collections::BTreeMap;

/// Most columns of `w`, and terms of `r`, for which the pair pays: a block of threads holds `g` of a block of rows in registers.
pub const MOST_COLUMNS: i64 = 16;
pub const MOST_TERMS: i64 = 128;
const FEWEST_TERMS: i64 = 16;

/// What is known of two nests that are such a pair.
#[derive(Clone, Debug)]
pub struct Pair {
    pub first: Contraction,
    pub second: Contraction,
    /// How many columns `x` has.
    pub terms: i64,
    /// `x` as the operand of the first and of the second nest.
    pub shared: (OperandId, OperandId),
    /// The store of `r` in the first nest, and `r` as an operand of the second.
    pub stored: usize,
    pub read: OperandId,
}

/// Whether two nests, the second right behind the first, are a pair.
pub fn of(a: &Nest, b: &Nest) -> Option<Pair> {
    let (first, second) = (product(a)?, product(b)?);
    if a.domain.rank() != 2 || b.domain.rank() != 3 || first.row != Some(0) || second.row != Some(1) {
        return None;
    }
    if [&first, &second].iter().any(|c| c.chain.ty != Ty::F32 || c.chain.start.is_none()) {
        return None;
    }
    let terms = first.count().filter(|n| (FEWEST_TERMS..=MOST_TERMS).contains(n))?;
    let columns = a.domain.dims[1];
    let alike = first.range() == Some((0, terms)) && columns.lo == 0 && columns.len() <= MOST_COLUMNS;
    if !alike || b.domain.dims[1] != Interval::new(0, terms) || b.domain.dims[2] != columns {
        return None;
    }
    let x = read(a, &first.left, [Sym::Dim(0), Sym::Counter(first.chain.counter)])?;
    let again = read(b, &second.left, [Sym::Counter(second.chain.counter), Sym::Dim(1)])?;
    let r = read(b, &second.right, [Sym::Counter(second.chain.counter), Sym::Dim(2)])?;
    let array = |n: &Nest, o: OperandId| n.operands[o.0 as usize].array;
    let stored = a.stores.iter().position(|s| {
        array(a, s.operand) == array(b, r)
            && s.index.len() == 2
            && (0..2).all(|d| s.index[d] == Affine::sym(Sym::Dim(d)))
    })?;
    if array(a, x) != array(b, again) || a.operands[a.stores[stored].operand.0 as usize].ty != Ty::F32 {
        return None;
    }
    // Blocks of the second run while rows of the first are still to come: nothing else passes from one to the other.
    if passes(a, b, Some(r)) || passes(b, a, None) {
        return None;
    }
    Some(Pair { first, second, terms, shared: (x, again), stored, read: r })
}

/// The chain of the nest that rides along with the pair of `a` and `b`, right behind them, and `r` as its operand.
pub fn rider(a: &Nest, b: &Nest, pair: &Pair, c: &Nest) -> Option<(Chain, OperandId)> {
    let chain = chain(c)?;
    let array = |n: &Nest, o: OperandId| n.operands[o.0 as usize].array;
    let r = (0..c.operands.len() as u32).map(OperandId).find(|o| array(c, *o) == array(b, pair.read))?;
    if c.domain.dims[..] != [b.domain.dims[0], b.domain.dims[2]] || chain.start.is_none() || chain.limits.contains(&1) {
        return None;
    }
    let at = [Affine::sym(Sym::Counter(chain.counter)), Affine::sym(Sym::Dim(1))];
    let mut code = chain.terms.iter().flat_map(|f| &f.code);
    let own = code.all(|i| match i {
        Inst::Op { op: Op::Load(k), .. } => {
            let access = &c.accesses[k.0 as usize];
            access.operand == r && access.index[..] == at
        }
        Inst::Op { .. } => true,
        _ => false,
    });
    let free = !passes(a, c, Some(r)) && !passes(c, a, None) && !passes(b, c, None) && !passes(c, b, None);
    (own && free && c.operands[r.0 as usize].ty == Ty::F32).then_some((chain, r))
}

/// Whether `to` reads or writes what `from` writes, other than by this operand.
fn passes(from: &Nest, to: &Nest, but: Option<OperandId>) -> bool {
    let array = |n: &Nest, o: OperandId| n.operands[o.0 as usize].array;
    let touches = |o: OperandId| Some(o) != but && from.stores.iter().any(|s| array(from, s.operand) == array(to, o));
    (0..to.operands.len() as u32).map(OperandId).any(touches)
}

/// The operand that a factor is an element of, read at these subscripts, if it is nothing else.
fn read(nest: &Nest, f: &Factor, at: [Sym; 2]) -> Option<OperandId> {
    let [Inst::Op { op: Op::Load(AccessId(a)), .. }] = f.code[..] else { return None };
    let access = &nest.accesses[a as usize];
    let same = access.index.len() == 2 && access.index.iter().zip(at).all(|(x, s)| *x == Affine::sym(s));
    (same && nest.operands[access.operand.0 as usize].ty == Ty::F32).then_some(access.operand)
}

/// The terms of a chain at the index `at` of the first dimension, where its bounds are whole numbers made of that.
pub fn range(chain: &Chain, at: i64) -> Option<(i64, i64)> {
    let mut known: BTreeMap<Reg, i64> = BTreeMap::new();
    for i in &chain.bounds {
        let Inst::Op { dst, op } = i else { return None };
        let value = match op {
            Op::Const(v) => i64::try_from(v.as_int()?).ok()?,
            Op::Index(0) => at,
            Op::Copy(r) => *known.get(r)?,
            Op::Binary(op, x, y) => {
                let (x, y) = (*known.get(x)?, *known.get(y)?);
                match op {
                    BinaryOp::Add => x.checked_add(y)?,
                    BinaryOp::Sub => x.checked_sub(y)?,
                    BinaryOp::Mul => x.checked_mul(y)?,
                    BinaryOp::Min => x.min(y),
                    BinaryOp::Max => x.max(y),
                    _ => return None,
                }
            }
            _ => return None,
        };
        known.insert(*dst, value);
    }
    Some((*known.get(&chain.from)?, *known.get(&chain.to)?))
}

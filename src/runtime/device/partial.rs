//! What a rank knows of a reduction before all ranks' contributions are combined.

use crate::ir::elem;
use crate::ir::kernel::FoldOp;
use crate::ir::ty::{Ty, Value};
use crate::runtime::device::exact_sum::ExactSum;

/// A partial result; see [`exact_sum`](crate::runtime::device::exact_sum) for why floats need more than one word.
#[derive(Clone, Debug, PartialEq)]
pub enum Partial {
    /// Float sums.
    Exact(Box<ExactSum>),
    /// Order-free folds: the value so far.
    Bits(u64),
    /// Float products: the position of each leaf and its product, converted to `f64`.
    Leaves(Vec<(u64, u64)>),
}

impl Partial {
    /// The reduction of nothing.
    pub fn new(op: FoldOp, ty: Ty) -> Partial {
        match op {
            FoldOp::Sum if ty.is_float() => Partial::Exact(Box::default()),
            FoldOp::Prod if ty.is_float() => Partial::Leaves(vec![]),
            _ => Partial::Bits(identity(op, ty)),
        }
    }

    /// Adds the contribution of disjoint points.
    pub fn merge(&mut self, op: FoldOp, ty: Ty, other: &Partial) {
        match (self, other) {
            (Partial::Exact(a), Partial::Exact(b)) => a.merge(b),
            (Partial::Bits(a), Partial::Bits(b)) => *a = fold(op, ty, *a, *b),
            (Partial::Leaves(a), Partial::Leaves(b)) => a.extend_from_slice(b),
            _ => debug_assert!(false, "partials of different reductions"),
        }
    }

    /// The value of the reduction.
    pub fn finish(&self, ty: Ty) -> Value {
        match self {
            Partial::Exact(sum) if ty == Ty::F32 => Value::f32(sum.value_f32()),
            Partial::Exact(sum) => Value::f64(sum.value()),
            Partial::Bits(bits) => Value { ty, bits: canonical(ty, *bits) },
            Partial::Leaves(leaves) => {
                let mut sorted = leaves.clone();
                sorted.sort_unstable();
                let mut bits = identity(FoldOp::Prod, ty);
                for (_, leaf) in sorted {
                    bits = fold(FoldOp::Prod, ty, bits, elem::cast(Ty::F64, ty, leaf));
                }
                Value { ty, bits: if is_nan(ty, bits) { canonical(ty, bits) } else { bits } }
            }
        }
    }

    /// The words to exchange; equal partial results give equal words, whatever order they were built in.
    pub fn as_words(&self) -> Vec<i64> {
        match self {
            Partial::Exact(sum) => {
                let mut sum = sum.clone();
                sum.normalise();
                sum.limbs.to_vec()
            }
            Partial::Bits(bits) => vec![*bits as i64],
            Partial::Leaves(leaves) => {
                let mut sorted = leaves.clone();
                sorted.sort_unstable();
                sorted.iter().flat_map(|&(at, bits)| [at as i64, bits as i64]).collect()
            }
        }
    }

    /// The partial of a reduction from its exchanged words; missing words count as nothing.
    pub fn from_words(op: FoldOp, ty: Ty, words: &[i64]) -> Partial {
        let mut partial = Partial::new(op, ty);
        match &mut partial {
            Partial::Exact(sum) => sum.limbs.iter_mut().zip(words).for_each(|(l, w)| *l = *w),
            Partial::Bits(bits) => words.first().into_iter().for_each(|w| *bits = *w as u64),
            Partial::Leaves(leaves) => {
                leaves.extend(words.chunks_exact(2).map(|pair| (pair[0] as u64, pair[1] as u64)))
            }
        }
        partial
    }
}

/// The bits of the value that changes nothing.
pub fn identity(op: FoldOp, ty: Ty) -> u64 {
    let extreme = |highest: bool| match ty {
        Ty::Bool => highest as u64,
        Ty::I32 => (if highest { i32::MAX } else { i32::MIN }) as u32 as u64,
        Ty::I64 => (if highest { i64::MAX } else { i64::MIN }) as u64,
        Ty::U32 => {
            if highest {
                u32::MAX as u64
            } else {
                0
            }
        }
        Ty::U64 => {
            if highest {
                u64::MAX
            } else {
                0
            }
        }
        Ty::F32 | Ty::F64 => Value::float(ty, if highest { f64::INFINITY } else { f64::NEG_INFINITY }).bits,
    };
    match op {
        FoldOp::Sum | FoldOp::Any => 0,
        FoldOp::All => 1,
        FoldOp::Prod if ty.is_float() => Value::float(ty, 1.0).bits,
        FoldOp::Prod => 1,
        FoldOp::Min => extreme(true),
        FoldOp::Max => extreme(false),
    }
}

/// One step of a fold. For floats `Min` and `Max` let NaN win.
pub fn fold(op: FoldOp, ty: Ty, a: u64, b: u64) -> u64 {
    use crate::ir::kernel::BinaryOp as B;
    if is_nan(ty, b) && matches!(op, FoldOp::Min | FoldOp::Max) {
        return b;
    }
    let op = match op {
        FoldOp::Sum => B::Add,
        FoldOp::Prod => B::Mul,
        FoldOp::Min => B::Min,
        FoldOp::Max => B::Max,
        FoldOp::Any => B::Or,
        FoldOp::All => B::And,
    };
    elem::binary(op, ty, a, b)
}

fn is_nan(ty: Ty, bits: u64) -> bool {
    ty.is_float() && Value { ty, bits }.as_f64().is_nan()
}

/// One NaN, one zero.
fn canonical(ty: Ty, bits: u64) -> u64 {
    match ty {
        Ty::F32 if is_nan(ty, bits) => 0x7fc0_0000,
        Ty::F64 if is_nan(ty, bits) => 0x7ff8 << 48,
        Ty::F32 | Ty::F64 => elem::binary(crate::ir::kernel::BinaryOp::Add, ty, bits, 0),
        _ => bits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_reductions_give_the_identity() {
        assert_eq!(Partial::new(FoldOp::Min, Ty::F32).finish(Ty::F32), Value::f32(f32::INFINITY));
        assert_eq!(Partial::new(FoldOp::Max, Ty::I32).finish(Ty::I32), Value::int(Ty::I32, i32::MIN as i128));
        assert_eq!(Partial::new(FoldOp::Sum, Ty::F64).finish(Ty::F64), Value::f64(0.0));
        assert_eq!(Partial::new(FoldOp::Prod, Ty::F32).finish(Ty::F32), Value::f32(1.0));
        assert_eq!(Partial::new(FoldOp::All, Ty::Bool).finish(Ty::Bool), Value::bool(true));
        assert_eq!(Partial::new(FoldOp::Any, Ty::Bool).finish(Ty::Bool), Value::bool(false));
    }

    #[test]
    fn minimum_lets_nan_win_and_has_one_zero() {
        let mut p = Partial::Bits(Value::f64(-0.0).bits);
        p.merge(FoldOp::Min, Ty::F64, &Partial::Bits(Value::f64(3.0).bits));
        assert_eq!(p.finish(Ty::F64).bits, 0);
        p.merge(FoldOp::Min, Ty::F64, &Partial::Bits((-f64::NAN).to_bits()));
        p.merge(FoldOp::Min, Ty::F64, &Partial::Bits(Value::f64(-1.0).bits));
        assert_eq!(p.finish(Ty::F64).bits, 0x7ff8 << 48);
    }

    #[test]
    fn words_carry_every_kind() {
        let mut sum = Partial::new(FoldOp::Sum, Ty::F32);
        if let Partial::Exact(s) = &mut sum {
            s.deposit(-0.1);
            s.deposit(f64::INFINITY);
        }
        let back = Partial::from_words(FoldOp::Sum, Ty::F32, &sum.as_words());
        assert_eq!(back.finish(Ty::F32), Value::f32(f32::INFINITY));
        let leaves = Partial::Leaves(vec![(2, Value::f64(3.0).bits), (0, Value::f64(0.1).bits)]);
        let back = Partial::from_words(FoldOp::Prod, Ty::F32, &leaves.as_words());
        assert_eq!(back.finish(Ty::F32), Value::f32(0.1f32 * 3.0));
    }
}

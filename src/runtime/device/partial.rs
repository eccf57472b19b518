//! What a rank knows of a reduction before all ranks' contributions are combined.

use crate::ir::elem;
use crate::ir::kernel::FoldOp;
use crate::ir::ty::{Ty, Value};
use crate::runtime::device::exact_sum::ExactSum;

/// A partial result; see [`exact_sum`](crate::runtime::device::exact_sum) for why floats need more than one word. It stands
/// in place: there are few of them, and a loop makes one a step.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum Partial {
    /// Float sums.
    Exact(ExactSum),
    /// Order-free folds: the value so far.
    Bits(u64),
    /// Float products: the position of each leaf and its product, converted to `f64`.
    Leaves(Vec<(u64, u64)>),
}

impl Partial {
    /// The reduction of nothing.
    pub fn new(op: FoldOp, ty: Ty) -> Partial {
        match op {
            FoldOp::Sum if ty.is_float() => Partial::Exact(ExactSum::default()),
            FoldOp::Prod if ty.is_float() => Partial::Leaves(vec![]),
            _ => Partial::Bits(identity(op, ty)),
        }
    }

    /// Back to the reduction of nothing; a list keeps its memory.
    pub fn reset(&mut self, op: FoldOp, ty: Ty) {
        match self {
            Partial::Leaves(leaves) if op == FoldOp::Prod && ty.is_float() => leaves.clear(),
            _ => *self = Partial::new(op, ty),
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
    pub fn finish(&mut self, ty: Ty) -> Value {
        match self {
            Partial::Exact(sum) if ty == Ty::F32 => Value::f32(sum.value_f32()),
            Partial::Exact(sum) => Value::f64(sum.value()),
            Partial::Bits(bits) => Value { ty, bits: canonical(ty, *bits) },
            Partial::Leaves(leaves) => {
                leaves.sort_unstable();
                let mut bits = identity(FoldOp::Prod, ty);
                for (_, leaf) in leaves {
                    bits = fold(FoldOp::Prod, ty, bits, elem::cast(Ty::F64, ty, *leaf));
                }
                Value { ty, bits: if is_nan(ty, bits) { canonical(ty, bits) } else { bits } }
            }
        }
    }

    /// Appends what is exchanged: the number of words, then the words. Equal partial results give equal words, whatever
    /// order they were built in.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        let mut put = |w: u64| out.extend_from_slice(&w.to_le_bytes());
        match self {
            Partial::Exact(sum) => {
                sum.normalise();
                put(sum.limbs.len() as u64);
                sum.limbs.iter().for_each(|l| put(*l as u64));
            }
            Partial::Bits(bits) => {
                put(1);
                put(*bits);
            }
            Partial::Leaves(leaves) => {
                leaves.sort_unstable();
                put(2 * leaves.len() as u64);
                leaves.iter().for_each(|&(at, bits)| {
                    put(at);
                    put(bits);
                });
            }
        }
    }

    /// Adds what another rank wrote at `at` and moves on; missing words count as nothing.
    pub fn merge_written(&mut self, op: FoldOp, ty: Ty, bytes: &[u8], at: &mut usize) {
        let word = |k: usize| bytes.get(k..k + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
        let (n, start) = (word(*at) as usize, *at + 8);
        *at = start + 8 * n;
        let word = |k: usize| word(start + 8 * k);
        match self {
            Partial::Exact(sum) => {
                let mut other = ExactSum::default();
                other.limbs.iter_mut().zip(0..n).for_each(|(l, k)| *l = word(k) as i64);
                sum.merge(&other);
            }
            Partial::Bits(bits) if n > 0 => *bits = fold(op, ty, *bits, word(0)),
            Partial::Bits(_) => {}
            Partial::Leaves(leaves) => leaves.extend((0..n / 2).map(|k| (word(2 * k), word(2 * k + 1)))),
        }
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
        Ty::F16 | Ty::Bf16 | Ty::F32 | Ty::F64 | Ty::C64 | Ty::C128 => {
            Value::float(ty, if highest { f64::INFINITY } else { f64::NEG_INFINITY }).bits
        }
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
        ty if is_nan(ty, bits) => Value::float(ty, f64::NAN).bits,
        ty if ty.is_float() => elem::binary(crate::ir::kernel::BinaryOp::Add, ty, bits, 0),
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
    fn what_is_written_carries_every_kind() {
        let mut sum = Partial::new(FoldOp::Sum, Ty::F32);
        if let Partial::Exact(s) = &mut sum {
            s.deposit(-0.1);
            s.deposit(f64::INFINITY);
        }
        let mut product = Partial::Leaves(vec![(2, Value::f64(3.0).bits), (0, Value::f64(0.1).bits)]);
        let mut wire = vec![];
        sum.write(&mut wire);
        product.write(&mut wire);
        Partial::Bits(7).write(&mut wire);
        let mut at = 0;
        let mut back = |op, ty| {
            let mut p = Partial::new(op, ty);
            p.merge_written(op, ty, &wire, &mut at);
            p.finish(ty)
        };
        assert_eq!(back(FoldOp::Sum, Ty::F32), Value::f32(f32::INFINITY));
        assert_eq!(back(FoldOp::Prod, Ty::F32), Value::f32(0.1f32 * 3.0));
        assert_eq!(back(FoldOp::Max, Ty::U64).bits, 7);
        assert_eq!(at, wire.len());
    }
}

//! Constant folding: the operations of [`elem`] on typed [`Value`]s.

use crate::ir::elem;
use crate::ir::kernel::{BinaryOp, UnaryOp};
use crate::ir::ty::{Ty, Value};

/// The value of `op a`.
pub fn unary(op: UnaryOp, a: Value) -> Value {
    Value { ty: a.ty, bits: elem::unary(op, a.ty, a.bits) }
}

/// The value of `a op b`; both have one type.
pub fn binary(op: BinaryOp, a: Value, b: Value) -> Value {
    let ty = if op.compares() { Ty::Bool } else { a.ty };
    Value { ty, bits: elem::binary(op, a.ty, a.bits, b.bits) }
}

/// `a` converted to `ty`.
pub fn cast(a: Value, ty: Ty) -> Value {
    Value { ty, bits: elem::cast(a.ty, ty, a.bits) }
}

/// `a * b + c` rounded once.
pub fn fma(a: Value, b: Value, c: Value) -> Value {
    Value { ty: a.ty, bits: elem::fma(a.ty, a.bits, b.bits, c.bits) }
}

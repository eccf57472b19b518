//! Scatters: a kernel for every type and operation that a plan's scatters use, and one that packs what travels.

use std::fmt::Write;

use crate::codegen::c_body::{binary, c_memory};
use crate::ir::kernel::BinaryOp;
use crate::ir::ty::Ty;

/// What the kernels share.
pub const PRELUDE: &str = include_str!("scatter.cu");

/// Threads of a block; a warp does a task.
pub const THREADS: u32 = 256;

/// The order in which elements take values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// That of the lists; places and positions have 8 bytes where `wide`, else 4.
    Listed { wide: bool },
    /// Any: no lists. Of integers, but not division.
    Any,
}

/// A kernel that applies values to elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Take {
    ty: Ty,
    op: BinaryOp,
    complex: bool,
    pub order: Order,
}

impl Take {
    /// The kernel for elements of a type; `complex` where two of them are the parts of a number.
    pub fn new(ty: Ty, op: BinaryOp, complex: bool, order: Order) -> Take {
        // The bits of a sum or a product that wraps do not depend on the sign.
        let ty = match (ty, op) {
            (Ty::I32, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul) => Ty::U32,
            (Ty::I64, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul) => Ty::U64,
            _ => ty,
        };
        Take { ty, op, complex, order }
    }

    pub fn name(&self) -> String {
        let complex = if self.complex { "_complex" } else { "" };
        let order = match self.order {
            Order::Listed { wide: false } => "",
            Order::Listed { wide: true } => "_wide",
            Order::Any => "_any",
        };
        format!("mgpu_take_{}_{}{complex}{order}", c_memory(self.ty), self.word())
    }

    fn word(&self) -> &'static str {
        match self.op {
            BinaryOp::Sub => "sub",
            BinaryOp::Mul => "mul",
            BinaryOp::Div => "div",
            BinaryOp::Min => "min",
            BinaryOp::Max => "max",
            _ => "add",
        }
    }

    /// The operation on `a` and `b`.
    fn text(&self) -> String {
        match (self.complex, self.op, self.ty) {
            (true, BinaryOp::Mul, _) => "mg_product(a, b)".into(),
            (true, ..) => "mg_quotient(a, b)".into(),
            // Every operation on a type of two bytes is that of f32, rounded.
            (_, op, Ty::F16 | Ty::Bf16) => {
                let name = c_memory(self.ty);
                let wide = |x: &str| format!("mg_cast_f32_{name}({x})");
                format!("mg_cast_{name}_f32({})", binary(op, Ty::F32, &wide("a"), &wide("b")))
            }
            (_, op, ty) => binary(op, ty, "a", "b"),
        }
    }

    fn write(&self, out: &mut String) {
        let (ty, name) = (c_memory(self.ty), self.name());
        let head = format!("extern \"C\" __global__ void __launch_bounds__({THREADS}) {name}");
        let Order::Listed { wide } = self.order else {
            let _ = writeln!(
                out,
                "{head}({ty} *data, const {ty} *values, const i64 *places, u64 n) {{\n\
                 \x20   const u64 step = (u64)gridDim.x * blockDim.x;\n\
                 \x20   for (u64 k = (u64)blockIdx.x * blockDim.x + threadIdx.x; k < n; k += step)\n\
                 \x20       mg_meet_{}(data + places[k], values[k]);\n}}",
                self.word()
            );
            return;
        };
        let (base, index) = (if self.complex { "mg_pair" } else { "mg_single" }, if wide { "u64" } else { "u32" });
        let _ = writeln!(
            out,
            "struct {name}_how : {base}<{ty}> {{ FN whole join(whole a, whole b) {{ return {}; }} }};\n\
             {head}({ty} *data, const {ty} *values, const {index} *elements, const u32 *counts, const u64 *first,\n\
             \x20   const {index} *positions, u64 longs, u64 tasks) {{\n\
             \x20   mg_take<{name}_how, {index}>(data, values, elements, counts, first, positions, longs, tasks);\n}}",
            self.text()
        );
    }
}

/// Appends the kernels, if there are any.
pub fn write(out: &mut String, takes: &[Take]) {
    if takes.is_empty() {
        return;
    }
    out.push_str(PRELUDE);
    let mut written: Vec<Take> = vec![];
    for take in takes {
        if !written.contains(take) {
            take.write(out);
            written.push(*take);
        }
    }
}

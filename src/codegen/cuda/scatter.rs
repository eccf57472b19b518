//! Scatters: a kernel for every type and operation that a plan's scatters use, and one that packs what travels.

use std::fmt::Write;

use crate::codegen::c_body::{binary, c_memory};
use crate::ir::kernel::BinaryOp;
use crate::ir::ty::Ty;

/// What the kernels share.
pub const PRELUDE: &str = include_str!("scatter.cu");

/// Sorts values by their elements, which then take them.
pub const SORT: &str = include_str!("sort.cu");
/// Values that a block of the sort moves, and what a digit can be: `MG_TILE` and `MG_DIGITS` of its text.
pub const TILE: u64 = 4096;
pub const DIGITS: u64 = 256;
/// Elements with more values are done by a warp: `MG_LONG`.
pub const LONG: u64 = 128;

/// Threads of a block; a warp does a task.
pub const THREADS: u32 = 256;

/// The order in which elements take values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// That of the lists; places and positions have 8 bytes where `wide`, else 4.
    Listed { wide: bool },
    /// Any: no lists. Of integers, but not division.
    Any,
    /// That of the values, which the GPU sorts by their elements: for places that change.
    Sorted,
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
            Order::Sorted => "_sorted",
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
            (true, BinaryOp::Mul, _) => "mg_complex_product(a, b)".into(),
            (true, ..) => "mg_complex_quotient(a, b)".into(),
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
        let head = |name: &str| format!("extern \"C\" __global__ void __launch_bounds__({THREADS}) {name}");
        if self.order == Order::Any {
            let _ = writeln!(
                out,
                "{}({ty} *data, const {ty} *values, const i64 *places, u64 n) {{\n\
                 \x20   const u64 step = (u64)gridDim.x * blockDim.x;\n\
                 \x20   for (u64 k = (u64)blockIdx.x * blockDim.x + threadIdx.x; k < n; k += step)\n\
                 \x20       mg_meet_{}(data + places[k], values[k]);\n}}",
                head(&name),
                self.word()
            );
            return;
        }
        let base = if self.complex { "mg_parts" } else { "mg_single" };
        let _ = writeln!(
            out,
            "struct {name}_how : {base}<{ty}> {{ FN whole join(whole a, whole b) {{ return {}; }} }};",
            self.text()
        );
        let Order::Listed { wide } = self.order else {
            for (kernel, fold) in [(&name, "mg_fold"), (&self.long_name(), "mg_fold_long")] {
                let _ = writeln!(
                    out,
                    "{}({ty} *data, const {ty} *values, const u32 *keys, const u32 *positions, u64 n, u32 *longs) {{\n\
                     \x20   {fold}<{name}_how>(data, values, keys, positions, n, longs);\n}}",
                    head(kernel)
                );
            }
            return;
        };
        let index = if wide { "u64" } else { "u32" };
        let _ = writeln!(
            out,
            "{}({ty} *data, const {ty} *values, const {index} *elements, const u32 *counts, const u64 *first,\n\
             \x20   const {index} *positions, u64 longs, u64 tasks) {{\n\
             \x20   mg_take<{name}_how, {index}>(data, values, elements, counts, first, positions, longs, tasks);\n}}",
            head(&name)
        );
    }

    /// The kernel for elements that take many sorted values.
    pub fn long_name(&self) -> String {
        format!("{}_long", self.name())
    }
}

/// Appends the kernels, if there are any.
pub fn write(out: &mut String, takes: &[Take]) {
    if takes.is_empty() {
        return;
    }
    out.push_str(PRELUDE);
    if takes.iter().any(|t| t.order == Order::Sorted) {
        out.push_str(SORT);
    }
    let mut written: Vec<Take> = vec![];
    for take in takes {
        if !written.contains(take) {
            take.write(out);
            written.push(*take);
        }
    }
}

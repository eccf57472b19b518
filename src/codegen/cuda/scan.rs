//! Scans: the kernels for every type, operation and order in memory that a plan's scans use (`scan.cu`).

use std::fmt::Write;

use crate::codegen::c_body::{binary, c_memory, c_ty};
use crate::ir::kernel::BinaryOp;
use crate::ir::ty::Ty;

/// What the kernels share.
pub const PRELUDE: &str = include_str!("scan.cu");

/// Threads of a block that goes through leaves or lines, and of one that adds up totals.
pub const THREADS: u32 = 128;
pub const STRIP_THREADS: u32 = 256;
/// Lines of a block that adds up totals: `MG_STRIP`.
pub const STRIP: u64 = 32;
/// Bits of what is carried: `MG_DONE` and `MG_OPEN`.
pub const DONE: u64 = 1;
pub const OPEN: u64 = 2;

/// Running values of arrays of a type by an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Running {
    ty: Ty,
    op: BinaryOp,
    /// Whether the elements of a line lie beside each other.
    beside: bool,
}

/// A kernel of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// What each leaf comes to.
    Totals,
    /// What stands before each.
    Prefix,
    /// The values of leaves.
    Values,
    /// The values of whole lines.
    Lines,
}

impl Running {
    pub fn new(ty: Ty, op: BinaryOp, beside: bool) -> Running {
        // Sums and products that wrap have the same bits without a sign.
        let ty = match (ty.part(), op) {
            (Ty::I32, BinaryOp::Add | BinaryOp::Mul) => Ty::U32,
            (Ty::I64, BinaryOp::Add | BinaryOp::Mul) => Ty::U64,
            (ty, _) => ty,
        };
        Running { ty, op, beside }
    }

    /// The name of a kernel.
    pub fn name(&self, step: Step) -> String {
        let op = match self.op {
            BinaryOp::Mul => "mul",
            BinaryOp::Min => "min",
            BinaryOp::Max => "max",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            _ => "add",
        };
        let step = match step {
            Step::Totals => "totals",
            Step::Prefix => "prefix",
            Step::Values => "values",
            Step::Lines => "lines",
        };
        let beside = if self.beside { "_beside" } else { "" };
        format!("mgpu_scan_{step}_{}_{op}{beside}", c_memory(self.ty))
    }

    /// The type that values are carried in: wider than that of floats of less than 64 bits.
    fn whole(&self) -> Ty {
        if self.ty.is_float() { Ty::F64 } else { self.ty }
    }

    fn write(&self, out: &mut String) {
        let (ty, whole, how) = (c_memory(self.ty), c_ty(self.whole()), format!("{}_how", self.name(Step::Values)));
        let (get, put) = match self.ty {
            Ty::F16 | Ty::Bf16 => (format!("(f64)mg_cast_f32_{ty}(*p)"), format!("mg_cast_{ty}_f64(x)")),
            _ => (format!("({whole})*p"), format!("({ty})x")),
        };
        let join = binary(self.op, self.whole(), "a", "b");
        let _ = writeln!(
            out,
            "struct {how} {{\n    typedef {ty} part;\n    typedef {whole} whole;\n\
             \x20   FN whole get(const part *p) {{ return {get}; }}\n    FN void put(part *p, whole x) {{ *p = {put}; }}\n\
             \x20   FN whole join(whole a, whole b) {{ return {join}; }}\n}};"
        );
        let beside = self.beside;
        let mut kernel = |step: Step, threads: u32, params: &str, call: &str| {
            let _ = writeln!(
                out,
                "extern \"C\" __global__ void __launch_bounds__({threads}) {}({params}) {{ {call}; }}",
                self.name(step)
            );
        };
        let data = format!("{ty} *data");
        kernel(
            Step::Totals,
            THREADS,
            &format!("{data}, u64 *slots, const mg_scan s"),
            &format!("mg_scan_totals<{how}, {beside}>(data, slots, s)"),
        );
        kernel(
            Step::Prefix,
            STRIP_THREADS,
            "u64 *slots, u64 *state, i64 lines, i64 leaves, u64 any",
            &format!("mg_scan_prefix<{how}>(slots, state, lines, leaves, any)"),
        );
        kernel(
            Step::Values,
            THREADS,
            &format!("{data}, const u64 *slots, u64 any, const mg_scan s"),
            &format!("mg_scan_values<{how}, {beside}>(data, slots, any, s)"),
        );
        kernel(
            Step::Lines,
            THREADS,
            &format!("{data}, u64 *state, u64 any, const mg_scan s"),
            &format!("mg_scan_lines<{how}, {beside}>(data, state, any, s)"),
        );
    }
}

/// Appends the kernels, if there are any.
pub fn write(out: &mut String, all: &[Running]) {
    if !all.is_empty() {
        out.push_str(PRELUDE);
    }
    for (k, running) in all.iter().enumerate() {
        if !all[..k].contains(running) {
            running.write(out);
        }
    }
}

//! The general form: a thread a point, any subscripts, order-free reductions.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::codegen::c_body::{Body, Surroundings};
use crate::codegen::cuda::body::{Writer, declare_registers};
use crate::codegen::cuda::{BLOCK, Form, Kernel, Placed, reduce};
use crate::ir::kernel::{AccessId, Code, Reg, ScalarId};
use crate::ir::ty::Ty;

/// Appends the kernel of a nest without ordered reductions.
pub fn write(out: &mut String, number: usize, placed: &Placed, moving: &BTreeSet<ScalarId>) -> Kernel {
    let w = Writer::new(placed, moving);
    let (nest, name, words) = (placed.nest, format!("mgpu_{number}"), w.words());
    w.head(out, &name, &words, &format!("__launch_bounds__({BLOCK})"));
    reduce::declare(out, nest);
    reduce::clear(out, nest);
    let rank = nest.domain.rank();
    let rows: Vec<String> = (0..rank.saturating_sub(1)).map(|d| format!("(hi{d} - lo{d})")).collect();
    let rows = if rows.is_empty() { "1LL".into() } else { rows.join(" * ") };
    let _ = writeln!(out, "    const i64 rows = {rows};");
    let _ = writeln!(
        out,
        "    for (i64 row = (i64)blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += (i64)gridDim.y * blockDim.y) {{"
    );
    let _ = writeln!(out, "        i64 rest = row;");
    for d in (0..rank.saturating_sub(1)).rev() {
        let _ = writeln!(out, "        const i64 x{d} = rest % (hi{d} - lo{d}); rest /= hi{d} - lo{d};");
    }
    match rank.checked_sub(1) {
        Some(d) => {
            // Blocks have no third dimension, which the assembler does not know: it keeps the step in a register. Else it multiplies
            // again in every round, on the unit that random numbers need most.
            out.push_str("        const i64 step = (i64)gridDim.x * blockDim.x + threadIdx.z;\n");
            let _ = writeln!(
                out,
                "        for (i64 x{d} = (i64)blockIdx.x * blockDim.x + threadIdx.x; x{d} < hi{d} - lo{d}; x{d} += step) {{"
            );
        }
        None => out.push_str("        if (!(blockIdx.x | threadIdx.x)) {\n"),
    }
    w.point(out, &w, 12);
    w.stores(out, 12);
    reduce::feed(out, nest, 12);
    out.push_str("        }\n    }\n");
    reduce::flush(out, nest);
    out.push_str("}\n");
    Kernel { name, words, groups: w.groups, form: Form::Points }
}

struct ScalarCode<'a>(&'a Code);

impl Surroundings for ScalarCode<'_> {
    fn ty(&self, r: Reg) -> Ty {
        self.0.regs[r.0 as usize]
    }
    fn load(&self, _: AccessId, _: &dyn Fn(Reg) -> String) -> String {
        "0".into()
    }
    fn index(&self, _: usize) -> String {
        "0".into()
    }
    fn scalar(&self, id: ScalarId) -> String {
        format!("scalars[{}]", id.0)
    }
}

/// Appends the scalar code of a program: functions, and one that finds them by number, from 1.
pub fn write_scalars(out: &mut String, all: &[(&Code, &[(Reg, ScalarId)])]) {
    for (k, (code, results)) in all.iter().enumerate() {
        let _ = writeln!(out, "static __device__ __noinline__ void mgpu_code_{}(u64 *scalars) {{", k + 1);
        declare_registers(out, code, 4);
        let names = (0..code.regs.len()).map(|i| format!("r{i}")).collect();
        let around = ScalarCode(code);
        out.push_str(&Body::new(&around, names, 1).write(&code.body));
        for (reg, id) in *results {
            let _ = writeln!(out, "    scalars[{}] = mg_word(r{});", id.0, reg.0);
        }
        out.push_str("}\n");
    }
    out.push_str("static __device__ void mgpu_code(u64 *scalars, u32 number) {\n    switch (number) {\n");
    for k in 1..=all.len() {
        let _ = writeln!(out, "    case {k}: mgpu_code_{k}(scalars); break;");
    }
    out.push_str("    }\n}\n");
}

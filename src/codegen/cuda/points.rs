//! The general form: a thread a point, any subscripts, order-free reductions.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::codegen::c_body::{Body, Surroundings};
use crate::codegen::cuda::body::{Writer, declare_registers};
use crate::codegen::cuda::{BLOCK, Form, Kernel, Placed, reduce};
use crate::ir::kernel::{AccessId, Code, Reg, ScalarId};
use crate::ir::ty::Ty;

/// Points that a thread visits before small integers are added up in 64 bits.
pub const SOME: i64 = 2048;

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
    // Blocks have no third dimension, which the assembler does not know: it keeps the step in a register. Else it multiplies
    // again in every round, on the unit that random numbers need most.
    let step = "        const i64 step = (i64)gridDim.x * blockDim.x + threadIdx.z;\n";
    let point = |out: &mut String, indent: usize| {
        w.point(out, &w, indent);
        w.stores(out, indent);
    };
    match rank.checked_sub(1) {
        Some(d) if !nest.reductions.is_empty() => {
            // The high half of the index does not change in the inner loop, and rounds are counted in 32 bits: that leaves the units
            // alone that random numbers need, and what they make of the high half is made once.
            out.push_str(step);
            let _ = writeln!(out, "        i64 at = lo{d} + (i64)blockIdx.x * blockDim.x + threadIdx.x;");
            let _ = writeln!(out, "        while (at < hi{d}) {{");
            let _ = writeln!(out, "            u32 low = (u32)at;\n            const u64 high = (u64)at >> 32 << 32;");
            let _ = writeln!(
                out,
                "            const i64 left = (hi{d} - at - 1) / step + 1, room = (0xffffffffLL - low) / step + 1;"
            );
            let _ = writeln!(out, "            u32 some = {SOME};");
            out.push_str(
                "            if (left < some) some = (u32)left;\n            if (room < some) some = (u32)room;\n",
            );
            out.push_str("            at += step * some;\n");
            reduce::declare_near(out, nest, 12);
            out.push_str("            do {\n");
            let _ = writeln!(out, "                const i64 x{d} = (i64)(high | low) - lo{d};");
            point(out, 16);
            reduce::feed(out, nest, 16, true);
            let _ = writeln!(out, "                low += (u32)step;\n            }} while (--some);");
            reduce::gather_near(out, nest, 12);
        }
        Some(d) => {
            out.push_str(step);
            let _ = writeln!(
                out,
                "        for (i64 x{d} = (i64)blockIdx.x * blockDim.x + threadIdx.x; x{d} < hi{d} - lo{d}; x{d} += step) {{"
            );
            point(out, 12);
        }
        None => {
            out.push_str("        if (!(blockIdx.x | threadIdx.x)) {\n");
            reduce::declare_near(out, nest, 12);
            point(out, 12);
            reduce::feed(out, nest, 12, true);
            reduce::gather_near(out, nest, 12);
        }
    }
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

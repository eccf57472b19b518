//! Kernel IR to C: one translation unit for a program's nests.
//!
//! Each nest becomes `void mgpu_N(box, ptr, geom, scalars, acc, scratch, flags)`:
//! * `box`: low and high index of the part, dimension by dimension;
//! * `ptr`: for each operand, where its element with all indices 0 lies or would lie;
//! * `geom`: for each operand its strides in elements (the last is 1 and not read), then, when a float product is among
//!   the reductions, the first leaf and the number of leaves of each dimension;
//! * `scalars`: the words of the workflow's scalars;
//! * `acc`: for each reduction the limbs of an exact sum, the word of an order-free fold, or room for one pair of words
//!   for each leaf of the part;
//! * `scratch`: `columns * lanes` words for each reduction (see `runtime::device::leaf`), or what [`c_contraction`] packs;
//! * `flags`: bit 0 asks for stores past the caches.
//!
//! Shapes are arguments, so one object serves all parts and rank counts. The row loop is a function of its own whose
//! pointers are `restrict` where nothing else writes or reads what they point to.

use std::fmt::Write;

use crate::codegen::c_body::{c_const, c_memory, c_ty};
use crate::codegen::c_contraction;
use crate::codegen::c_nest::{self, fold_name};
use crate::ir::contraction::product;
use crate::ir::kernel::{FoldOp, Nest, Table};
use crate::ir::ty::{Ty, Value};

/// The text in front of every unit.
pub const PRELUDE: &str = concat!(include_str!("types.h"), include_str!("scalar.h"), include_str!("prelude.h"));

/// Compiler options that every unit needs for its results: no contraction, no reassociation, wrapping integers.
pub const FLAGS: &[&str] = &[
    "-std=gnu11",
    "-O3",
    "-march=native",
    "-shared",
    "-fPIC",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fopenmp-simd",
    "-fwrapv",
    "-fno-strict-aliasing",
];

/// Points of a strip whose values wait for a reduction or a store past the caches.
pub const STRIP: usize = 512;

/// Leaves of the last dimension that are read in turn: several streams keep more of the memory's bandwidth busy than one.
pub const ABREAST: usize = 4;

/// Points of the last dimension whose leaves, of `leaf` points each, are open at once.
pub fn band(leaf: i64) -> i64 {
    leaf.saturating_mul(ABREAST as i64).max(4096)
}

/// The name of a nest's function.
pub fn symbol(nest: usize) -> String {
    format!("mgpu_{nest}")
}

/// The C text of a program.
pub fn unit(nests: &[Nest], tables: &[Table]) -> String {
    let mut out = String::from(PRELUDE);
    for (i, table) in tables.iter().enumerate() {
        let values: Vec<String> = table.values.iter().map(|v| c_const(*v)).collect();
        let n = values.len().max(1);
        let _ = writeln!(out, "static const {} mgpu_table_{i}[{n}] = {{{}}};", c_memory(table.ty), values.join(", "));
    }
    let mut folds = vec![];
    for nest in nests {
        for r in &nest.reductions {
            let ty = nest.code.regs[r.value.0 as usize];
            let exact = ty.is_float() && matches!(r.op, FoldOp::Sum | FoldOp::Prod);
            // One definition gives both ordered folds of a type.
            let key = if exact { (FoldOp::Sum, ty) } else { (r.op, ty) };
            if !folds.contains(&key) {
                folds.push(key);
                out.push_str(&if exact { format!("MG_ORDERED({ty})\n") } else { fold(r.op, ty) });
            }
        }
    }
    let tiled: Vec<_> = nests.iter().map(product).collect();
    if tiled.iter().any(Option::is_some) {
        out.push_str(c_contraction::PRELUDE);
    }
    for (i, (nest, contraction)) in nests.iter().zip(tiled).enumerate() {
        match contraction {
            Some(c) => c_contraction::write(&mut out, i, nest, &c),
            None => c_nest::write(&mut out, i, nest),
        }
    }
    out
}

/// The definition of an order-free fold.
fn fold(op: FoldOp, ty: Ty) -> String {
    let name = c_ty(ty);
    format!("MG_FOLD({name}, {}, {}, {})\n", fold_name(op), c_const(first(op, ty)), join(op, ty))
}

/// One step of a fold of `a` and the new value `b`.
pub fn join(op: FoldOp, ty: Ty) -> String {
    let name = c_ty(ty);
    match op {
        FoldOp::Sum => "a + b".to_string(),
        FoldOp::Prod => "a * b".to_string(),
        FoldOp::Min | FoldOp::Max => {
            let nan = if ty.is_float() { "b != b ? b : " } else { "" };
            format!("{nan}mg_{}_{name}(a, b)", if op == FoldOp::Min { "min" } else { "max" })
        }
        FoldOp::Any => "a | b".to_string(),
        FoldOp::All => "a & b".to_string(),
    }
}

/// The value that a fold begins with.
pub fn first(op: FoldOp, ty: Ty) -> Value {
    let float = |x| Value::float(ty, x);
    let extreme = |highest: bool| match ty {
        Ty::Bool => highest as i128,
        Ty::I32 => {
            if highest {
                i32::MAX as i128
            } else {
                i32::MIN as i128
            }
        }
        Ty::I64 => {
            if highest {
                i64::MAX as i128
            } else {
                i64::MIN as i128
            }
        }
        Ty::U32 => {
            if highest {
                u32::MAX as i128
            } else {
                0
            }
        }
        _ => {
            if highest {
                u64::MAX as i128
            } else {
                0
            }
        }
    };
    match op {
        FoldOp::Min if ty.is_float() => float(f64::INFINITY),
        FoldOp::Max if ty.is_float() => float(f64::NEG_INFINITY),
        FoldOp::Min | FoldOp::Max => Value::int(ty, extreme(op == FoldOp::Min)),
        FoldOp::Sum | FoldOp::Any => Value::int(ty, 0),
        FoldOp::Prod | FoldOp::All => Value::int(ty, 1),
    }
}

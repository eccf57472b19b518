//! Reductions in kernels: accumulators in device memory, combined without an order; `mgpu_finish` of the prelude finishes them.

use std::fmt::Write;

use super::points::SOME;
use super::small;
use crate::ir::kernel::{FoldOp, Nest, Reduction};
use crate::ir::ty::{Ty, Value};

/// Copies of an exact sum in device memory, to which blocks add in turns.
pub const COPIES: usize = 16; // The prelude reads so many at once.

/// The type of a reduction.
pub fn ty(nest: &Nest, r: &Reduction) -> Ty {
    nest.code.regs[r.value.0 as usize]
}

/// Whether a reduction's terms have an order inside their leaf.
pub fn ordered(nest: &Nest, r: &Reduction) -> bool {
    ty(nest, r).is_float() && matches!(r.op, FoldOp::Sum | FoldOp::Prod)
}

pub fn any_ordered(nest: &Nest) -> bool {
    nest.reductions.iter().any(|r| ordered(nest, r))
}

/// Words that a reduction accumulates in: copies of an exact sum, the key of an order-free fold, or one for each of
/// `leaves` leaves of a float product.
pub fn acc_words(nest: &Nest, r: &Reduction, leaves: usize) -> usize {
    match r.op {
        FoldOp::Sum if ordered(nest, r) => 72 * COPIES,
        FoldOp::Prod if ordered(nest, r) => leaves,
        _ => 1,
    }
}

/// The class of the prelude that joins keys.
pub fn class(op: FoldOp) -> &'static str {
    match op {
        FoldOp::Sum => "mg_sum",
        FoldOp::Prod => "mg_prod",
        FoldOp::Min => "mg_least",
        FoldOp::Max => "mg_most",
        FoldOp::Any => "mg_any",
        FoldOp::All => "mg_all",
    }
}

/// The key of a value.
pub fn key(op: FoldOp, value: &str) -> String {
    match op {
        FoldOp::Min => format!("mg_key_least({value})"),
        FoldOp::Max => format!("mg_key_most({value})"),
        _ => format!("(u64)(i64){value}"),
    }
}

/// The key that an order-free fold begins with.
pub fn first_key(op: FoldOp) -> u64 {
    match op {
        FoldOp::Sum | FoldOp::Any | FoldOp::Max => 0,
        FoldOp::Prod | FoldOp::All => 1,
        FoldOp::Min => u64::MAX,
    }
}

fn exact_sums(nest: &Nest) -> usize {
    nest.reductions.iter().filter(|r| r.op == FoldOp::Sum && ordered(nest, r)).count()
}

/// Clears the block's exact sums; every thread of the block must come here.
pub fn clear(out: &mut String, nest: &Nest) {
    let sums = exact_sums(nest);
    if sums > 0 {
        let _ = writeln!(out, "    mg_clear_shared(limbs, {});", 72 * sums);
    }
}

/// Declares what a thread (and its block) accumulates in; exact sums are to be cleared before they are added to.
pub fn declare(out: &mut String, nest: &Nest) {
    let sums = exact_sums(nest);
    if sums > 0 {
        let _ = writeln!(out, "    __shared__ u64 limbs[{}];", 72 * sums);
    }
    if nest.reductions.iter().any(|r| !ordered(nest, r)) {
        let _ = writeln!(out, "    __shared__ u64 scratch[32];");
    }
    for (r, red) in nest.reductions.iter().enumerate().filter(|(_, red)| !ordered(nest, red)) {
        let _ = writeln!(out, "    u64 key{r} = {}ULL;", first_key(red.op));
    }
}

/// Sums whose terms are so small that [`SOME`] of them fit 32 bits.
fn near(nest: &Nest) -> impl Iterator<Item = (usize, &Reduction)> {
    let fits = |r: &Reduction| {
        let most = i64::from(i32::MAX) / SOME;
        r.op == FoldOp::Sum && small::range(&nest.code, r.value).is_some_and(|(lo, hi)| lo >= -most && hi <= most)
    };
    nest.reductions.iter().enumerate().filter(move |(_, r)| ty(nest, r).is_int() && fits(r))
}

/// Declares what small terms are added to first.
pub fn declare_near(out: &mut String, nest: &Nest, indent: usize) {
    for (r, _) in near(nest) {
        let _ = writeln!(out, "{:indent$}i32 near{r} = 0;", "");
    }
}

/// Adds the sums of small terms to the thread's keys.
pub fn gather_near(out: &mut String, nest: &Nest, indent: usize) {
    for (r, _) in near(nest) {
        let _ = writeln!(out, "{:indent$}key{r} += (u64)(i64)near{r};", "");
    }
}

/// Adds a point's values to the thread's keys, or small ones to what [`declare_near`] has declared.
pub fn feed(out: &mut String, nest: &Nest, indent: usize, small: bool) {
    let near: Vec<usize> = near(nest).map(|n| n.0).filter(|_| small).collect();
    for (r, red) in nest.reductions.iter().enumerate().filter(|(_, red)| !ordered(nest, red)) {
        if near.contains(&r) {
            let _ = writeln!(out, "{:indent$}near{r} += (i32)r{};", "", red.value.0);
            continue;
        }
        let value = key(red.op, &format!("r{}", red.value.0));
        let _ = writeln!(out, "{:indent$}key{r} = {}::join(key{r}, {value});", "", class(red.op));
    }
}

/// The index of an ordered sum among the block's shared sums.
pub fn shared_sum(nest: &Nest, r: usize) -> usize {
    nest.reductions[..r].iter().filter(|x| x.op == FoldOp::Sum && ordered(nest, x)).count()
}

/// Ends a kernel: the block's results go to device memory.
pub fn flush(out: &mut String, nest: &Nest) {
    for (r, red) in nest.reductions.iter().enumerate() {
        if !ordered(nest, red) {
            let c = class(red.op);
            let _ = writeln!(out, "    key{r} = mg_block<{c}>(key{r}, scratch);");
            let _ = writeln!(out, "    if (!(threadIdx.x | threadIdx.y)) {c}::add((u64 *)acc{r}, key{r});");
        } else if red.op == FoldOp::Sum {
            let at = 72 * shared_sum(nest, r);
            let _ = writeln!(out, "    mg_flush_shared(limbs + {at}, (u64 *)acc{r}, {COPIES});");
        }
    }
}

/// The bits of a least or most of nothing.
pub fn nothing(op: FoldOp, ty: Ty) -> u64 {
    super::super::c::first(op, ty).bits
}

/// The value of an order-free fold from its key, on the host.
pub fn value_of_key(op: FoldOp, ty: Ty, key: u64) -> u64 {
    if !matches!(op, FoldOp::Min | FoldOp::Max) {
        return match ty {
            Ty::I32 | Ty::U32 => key as u32 as u64,
            Ty::Bool => key & 1,
            _ => key,
        };
    }
    if key == first_key(op) {
        return nothing(op, ty);
    }
    let bits = match ty {
        Ty::I32 => (key ^ 1 << 63) as u32 as u64,
        Ty::I64 => key ^ 1 << 63,
        Ty::F32 if key >> 31 & 1 == 1 => key & 0x7fff_ffff,
        Ty::F32 => !key & 0xffff_ffff,
        Ty::F64 if key >> 63 == 1 => key & !(1 << 63),
        Ty::F64 => !key,
        _ => key,
    };
    let nan = ty.is_float() && Value { ty, bits }.as_f64().is_nan();
    match ty {
        Ty::F32 if nan => 0x7fc0_0000,
        Ty::F64 if nan => 0x7ff8 << 48,
        _ => bits,
    }
}

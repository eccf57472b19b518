//! Reductions of the block machine: strips of values into partial results.

use crate::ir::elem::{CastTo, Elem, with_ty};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::FoldOp;
use crate::ir::ty::Ty;
use crate::runtime::device::leaf;
use crate::runtime::device::partial::{Partial, fold, identity};
use crate::runtime::device::vm::frame::{Frame, element, read};
use crate::runtime::device::vm::kernels::{Src, wide};
use crate::runtime::device::vm::memory::Strip;
use crate::runtime::device::vm::program::{FoldInfo, Program};

/// Whether a fold keeps lanes for each leaf.
fn ordered(fold: &FoldInfo) -> bool {
    fold.ty.is_float() && matches!(fold.op, FoldOp::Sum | FoldOp::Prod)
}

/// Makes the accumulators ready.
pub fn open(p: &Program, f: &mut Frame, part: &IndexBox) {
    if f.columns.len() < p.folds.len() {
        f.columns.resize(p.folds.len(), vec![]);
    }
    let words = leaf::open_columns(part, &p.leaf) * leaf::lanes(&p.leaf) as usize;
    for (info, columns) in p.folds.iter().zip(&mut f.columns) {
        if ordered(info) {
            columns.clear();
            columns.resize(words, start(info));
        }
    }
}

/// The accumulator word of an untouched lane (or two lanes of `f32`).
fn start(info: &FoldInfo) -> u64 {
    let one = identity(info.op, info.ty);
    if info.ty == Ty::F32 { one << 32 | one } else { one }
}

/// Adds a strip to the accumulators. `band` is the first point of the open band.
pub fn add(p: &Program, f: &mut Frame, strip: Strip, band: i64, partials: &mut [Partial]) {
    for (i, info) in p.folds.iter().enumerate() {
        let src = f.srcs[info.value as usize];
        if !ordered(info) {
            if let Partial::Bits(bits) = &mut partials[i] {
                *bits = with_ty!(info.ty, T => run::<T>(info.op, *bits, src, strip.n));
            }
            continue;
        }
        let size = leaf::lanes(&p.leaf);
        let leaf_size = p.leaf.last().copied().unwrap_or(1);
        let columns = &mut f.columns[i];
        let mut j = strip.j0;
        let end = strip.j0 + strip.n as i64;
        while j < end {
            // Points of one leaf, from lane `j mod L`.
            let stop = Ord::min(leaf::start(j, leaf_size).saturating_add(leaf_size), end);
            let column = (leaf::start(j, leaf_size) - leaf::start(band, leaf_size)) / leaf_size;
            let lanes = Lanes {
                at: (column * size) as usize,
                count: size as usize,
                first: (j & (size - 1)) as usize,
                from: (j - strip.j0) as usize,
                n: (stop - j) as usize,
            };
            match info.ty {
                Ty::F32 => spread::<f32>(info.op, columns, src, lanes),
                _ => spread::<f64>(info.op, columns, src, lanes),
            }
            j = stop;
        }
    }
}

/// Which lanes of the accumulators meet which elements of a strip.
#[derive(Clone, Copy)]
struct Lanes {
    at: usize,
    count: usize,
    first: usize,
    from: usize,
    n: usize,
}

fn spread<T: Elem>(op: FoldOp, columns: &mut [u64], src: Src, l: Lanes) {
    #[cfg(target_arch = "x86_64")]
    if wide() {
        // SAFETY: the features were detected.
        return unsafe { spread_wide::<T>(op, columns, src, l) };
    }
    spread_body::<T>(op, columns, src, l);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx,avx2,fma,bmi1,bmi2,popcnt,lzcnt")]
fn spread_wide<T: Elem>(op: FoldOp, columns: &mut [u64], src: Src, l: Lanes) {
    spread_body::<T>(op, columns, src, l);
}

#[inline(always)]
fn spread_body<T: Elem>(op: FoldOp, columns: &mut [u64], src: Src, l: Lanes) {
    // SAFETY: a column word holds one f64 or two f32 lanes; there are `columns * lanes` words.
    let acc = unsafe { std::slice::from_raw_parts_mut((columns.as_mut_ptr() as *mut T).add(l.at), l.count) };
    if op == FoldOp::Sum { spread_by(acc, src, l, Elem::add) } else { spread_by(acc, src, l, Elem::mul) }
}

#[inline(always)]
fn spread_by<T: Elem>(acc: &mut [T], src: Src, l: Lanes, join: impl Fn(T, T) -> T) {
    let at = |i: usize| {
        // SAFETY: the strip has `from + n` elements.
        unsafe { (element(src, l.from + i, size_of::<T>()) as *const T).read_unaligned() }
    };
    let head = (l.count - l.first).min(l.n) % l.count;
    for i in 0..head {
        acc[l.first + i] = join(acc[l.first + i], at(i));
    }
    let mut i = head;
    if let (true, Ok(acc)) = (src.step != 0, <&mut [T; 64]>::try_from(&mut acc[..])) {
        let mut sums = *acc;
        while i + 64 <= l.n {
            // SAFETY: as above; strips are contiguous.
            let x = unsafe { ((src.ptr as *const T).add(l.from + i) as *const [T; 64]).read_unaligned() };
            for k in 0..64 {
                sums[k] = join(sums[k], x[k]);
            }
            i += 64;
        }
        *acc = sums;
    }
    let mut lane = if head == 0 { l.first } else { 0 };
    if i > head {
        lane = 0;
    }
    while i < l.n {
        acc[lane] = join(acc[lane], at(i));
        lane = if lane + 1 == l.count { 0 } else { lane + 1 };
        i += 1;
    }
}

/// Closes the leaves of a band: folds their lanes and hands the results over.
pub fn flush(p: &Program, f: &mut Frame, outer: &[i64], j0: i64, j1: i64, partials: &mut [Partial]) {
    let size = leaf::lanes(&p.leaf);
    let leaf_size = p.leaf.last().copied().unwrap_or(1);
    for (i, info) in p.folds.iter().enumerate() {
        if !ordered(info) {
            continue;
        }
        let columns = &mut f.columns[i];
        let mut j = leaf::start(j0, leaf_size);
        let mut column = 0;
        while j < j1 {
            let value = match info.ty {
                Ty::F32 => close::<f32>(info, columns, column, size as usize),
                _ => close::<f64>(info, columns, column, size as usize),
            };
            match &mut partials[i] {
                Partial::Exact(sum) => sum.deposit(f64::from_bits(value)),
                Partial::Leaves(leaves) => {
                    leaves.push((position(&p.domain, &p.leaf, outer, j), value));
                }
                Partial::Bits(_) => {}
            }
            j = j.saturating_add(leaf_size);
            column += 1;
        }
    }
}

/// The position of the leaf with this first point.
fn position(domain: &IndexBox, leaf: &[i64], outer: &[i64], j: i64) -> u64 {
    leaf::position(domain, leaf, outer.iter().copied().chain([j]))
}

/// Folds the lanes of a column to one `f64` and resets them.
fn close<T: Elem + CastTo<f64>>(info: &FoldInfo, columns: &mut [u64], column: usize, count: usize) -> u64 {
    // SAFETY: as in `spread_body`.
    let acc = unsafe { std::slice::from_raw_parts_mut((columns.as_mut_ptr() as *mut T).add(column * count), count) };
    let mut s = count / 2;
    while s > 0 {
        for l in 0..s {
            acc[l] = if info.op == FoldOp::Sum { Elem::add(acc[l], acc[l + s]) } else { Elem::mul(acc[l], acc[l + s]) };
        }
        s /= 2;
    }
    let value: f64 = acc[0].cast();
    acc.fill(T::of_bits(identity(info.op, info.ty)));
    value.to_bits()
}

/// An order-free fold of a strip.
fn run<T: Elem>(op: FoldOp, bits: u64, src: Src, n: usize) -> u64 {
    if src.step == 0 && matches!(op, FoldOp::Min | FoldOp::Max | FoldOp::Any | FoldOp::All) {
        // SAFETY: a splat has one element at least.
        return fold(op, T::TY, bits, unsafe { read(src.ptr, size_of::<T>()) });
    }
    #[cfg(target_arch = "x86_64")]
    if wide() {
        // SAFETY: the features were detected.
        return unsafe { run_wide::<T>(op, bits, src, n) };
    }
    run_body::<T>(op, bits, src, n)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx,avx2,fma,bmi1,bmi2,popcnt,lzcnt")]
fn run_wide<T: Elem>(op: FoldOp, bits: u64, src: Src, n: usize) -> u64 {
    run_body::<T>(op, bits, src, n)
}

#[inline(always)]
fn run_body<T: Elem>(op: FoldOp, bits: u64, src: Src, n: usize) -> u64 {
    let nan_or = |a: T, b: T, join: fn(T, T) -> T| if b.is_nan() { b } else { join(a, b) };
    let first = T::of_bits(identity(op, T::TY));
    let total = match op {
        FoldOp::Sum => run_by(first, src, n, |a, b| Elem::add(a, b)),
        FoldOp::Prod => run_by(first, src, n, |a, b| Elem::mul(a, b)),
        FoldOp::Min => run_by(first, src, n, |a, b| nan_or(a, b, Elem::min)),
        FoldOp::Max => run_by(first, src, n, |a, b| nan_or(a, b, Elem::max)),
        FoldOp::Any => run_by(first, src, n, |a, b| a.or(b)),
        FoldOp::All => run_by(first, src, n, |a, b| a.and(b)),
    };
    fold(op, T::TY, bits, total.bits())
}

/// Folds with 32 lanes, which any order allows.
#[inline(always)]
fn run_by<T: Elem>(first: T, src: Src, n: usize, join: impl Fn(T, T) -> T) -> T {
    let mut lanes = [first; 32];
    for k in 0..n / 32 {
        // SAFETY: strips have `n` elements, splats one chunk.
        let x = unsafe { (src.ptr.wrapping_add(k * src.step) as *const [T; 32]).read_unaligned() };
        for i in 0..32 {
            lanes[i] = join(lanes[i], x[i]);
        }
    }
    for i in n / 32 * 32..n {
        // SAFETY: as above.
        let x = unsafe { (element(src, i, size_of::<T>()) as *const T).read_unaligned() };
        lanes[i % 32] = join(lanes[i % 32], x);
    }
    lanes.iter().fold(first, |a, &b| join(a, b))
}

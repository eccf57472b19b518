//! Loads and stores of the block machine: where elements lie, and the bounds checks of debug builds.

use crate::ir::kernel::{Reg, Sym};
use crate::runtime::device::Binding;
use crate::runtime::device::vm::frame::{Frame, Held, Way, element, read};
use crate::runtime::device::vm::kernels::{CHUNK, Src};
use crate::runtime::device::vm::program::{ALL, Program, Route, Slot};

/// A strip of points: `n` from `j0` in the last dimension, at `outer` indices of the others.
#[derive(Clone, Copy)]
pub struct Strip<'a> {
    pub outer: &'a [i64],
    pub j0: i64,
    pub n: usize,
}

/// Resolves the routes of a program for the bindings of a call.
pub fn resolve(p: &Program, f: &mut Frame, bindings: &[Binding], scalars: &[u64]) {
    let rank = p.domain.rank();
    f.ways.clear();
    f.coefs.clear();
    f.coefs.resize(p.routes.len() * rank, 0);
    f.counters.clear();
    for (w, route) in p.routes.iter().enumerate() {
        let binding = &bindings[route.operand];
        let coefs = &mut f.coefs[w * rank..(w + 1) * rank];
        let first = f.counters.len();
        f.counters.resize(first + route.counters.len(), 0);
        let mut offset = 0i64;
        for ((affine, &lo), &stride) in route.index.iter().zip(&binding.lo).zip(&binding.strides) {
            offset = offset.wrapping_add(affine.konst.wrapping_sub(lo).wrapping_mul(stride));
            for &(sym, c) in &affine.terms {
                let c = c.wrapping_mul(stride);
                match sym {
                    Sym::Dim(d) => coefs[d] = coefs[d].wrapping_add(c),
                    Sym::Scalar(id) => offset = offset.wrapping_add(c.wrapping_mul(scalars[id.0 as usize] as i64)),
                    Sym::Counter(r) => {
                        if let Ok(k) = route.counters.binary_search_by_key(&r, |c| c.0) {
                            f.counters[first + k] = f.counters[first + k].wrapping_add(c);
                        }
                    }
                }
            }
        }
        let origin = (binding.ptr as usize).wrapping_add_signed((offset.wrapping_mul(route.size as i64)) as isize);
        f.ways.push(Way { origin, strip: origin, last: coefs.last().copied().unwrap_or(0) });
    }
}

/// Moves all routes to a strip.
pub fn aim(p: &Program, f: &mut Frame, strip: Strip) {
    let rank = p.domain.rank();
    for (w, route) in p.routes.iter().enumerate() {
        let coefs = &f.coefs[w * rank..(w + 1) * rank];
        let mut offset = 0i64;
        for (c, i) in coefs.iter().zip(strip.outer.iter().chain([&strip.j0])) {
            offset = offset.wrapping_add(c.wrapping_mul(*i));
        }
        let way = &mut f.ways[w];
        way.strip = way.origin.wrapping_add_signed(offset.wrapping_mul(route.size as i64) as isize);
    }
}

/// The address of a route's first point at the present loop counters, as far as they are equal along the strip, and
/// whether each point must add its own.
fn start(p: &Program, f: &Frame, w: usize) -> usize {
    let route = &p.routes[w];
    let mut at = f.ways[w].strip;
    if !route.counters.is_empty() && !route.gathers {
        let first: usize = p.routes[..w].iter().map(|r| r.counters.len()).sum();
        for (k, &(_, slot)) in route.counters.iter().enumerate() {
            let step = f.counters[first + k].wrapping_mul(f.first(slot, crate::ir::ty::Ty::I64) as i64);
            at = at.wrapping_add_signed(step.wrapping_mul(route.size as i64) as isize);
        }
    }
    at
}

/// Reads the one element of a route that does not vary along the strip.
///
/// # Safety
/// The binding must cover it.
pub unsafe fn load_one(p: &Program, f: &Frame, w: usize) -> u64 {
    unsafe { read(start(p, f, w) as *const u8, p.routes[w].size) }
}

/// Reads a strip into `dst`, only where `mask` holds.
///
/// # Safety
/// The bindings must cover the elements that the points read.
pub unsafe fn load(p: &Program, f: &mut Frame, dst: Slot, w: usize, mask: Slot, alias: bool, n: usize) {
    let route = &p.routes[w];
    let size = route.size;
    let whole = mask == ALL || f.held[mask as usize] == Held::All;
    let at = start(p, f, w);
    let last = f.ways[w].last;
    if alias && whole && last == 1 && !route.gathers {
        f.srcs[dst as usize] = Src { ptr: at as *const u8, step: CHUNK * size };
        return;
    }
    let to = f.strip(p, dst);
    f.srcs[dst as usize] = to;
    let to = to.ptr as *mut u8;
    unsafe {
        if whole && last == 1 && !route.gathers {
            std::ptr::copy_nonoverlapping(at as *const u8, to, n * size);
        } else if whole && !route.gathers {
            match size {
                1 => strided::<u8>(to, at, last, n),
                2 => strided::<u16>(to, at, last, n),
                4 => strided::<u32>(to, at, last, n),
                _ => strided::<u64>(to, at, last, n),
            }
        } else {
            for i in 0..n {
                if whole || *f.dst(mask).add(i) != 0 {
                    let from = at.wrapping_add_signed(lane(p, f, w, i).wrapping_mul(size as i64) as isize);
                    std::ptr::copy_nonoverlapping(from as *const u8, to.add(i * size), size);
                }
            }
        }
    }
}

/// Elements from the strip's start to point `i`'s element, beyond what [`start`] has.
fn lane(p: &Program, f: &Frame, w: usize, i: usize) -> i64 {
    let route = &p.routes[w];
    let mut at = f.ways[w].last.wrapping_mul(i as i64);
    if route.gathers {
        let first: usize = p.routes[..w].iter().map(|r| r.counters.len()).sum();
        for (k, &(_, slot)) in route.counters.iter().enumerate() {
            at = at.wrapping_add(f.counters[first + k].wrapping_mul(counter(f, slot, i)));
        }
    }
    at
}

fn counter(f: &Frame, slot: Slot, i: usize) -> i64 {
    // SAFETY: counters are i64 slots of at least `i + 1` elements or splats.
    unsafe { (element(f.srcs[slot as usize], i, 8) as *const i64).read_unaligned() }
}

unsafe fn strided<T: Copy>(to: *mut u8, from: usize, step: i64, n: usize) {
    let bytes = step.wrapping_mul(size_of::<T>() as i64) as isize;
    let mut from = from;
    for i in 0..n {
        unsafe { (to as *mut T).add(i).write_unaligned((from as *const T).read_unaligned()) };
        from = from.wrapping_add_signed(bytes);
    }
}

/// Writes a slot's strip to a route.
///
/// # Safety
/// The bindings must cover the elements that the points write.
pub unsafe fn store(p: &Program, f: &Frame, w: usize, value: Slot, n: usize) {
    let size = p.routes[w].size;
    let src = f.srcs[value as usize];
    let way = f.ways[w];
    unsafe {
        if way.last == 1 && src.step != 0 {
            if src.ptr as usize == way.strip {
                return;
            }
            std::ptr::copy(src.ptr, way.strip as *mut u8, n * size);
            return;
        }
        for i in 0..n {
            let to = way.strip.wrapping_add_signed(way.last.wrapping_mul((i * size) as i64) as isize);
            std::ptr::copy_nonoverlapping(element(src, i, size), to as *mut u8, size);
        }
    }
}

/// Checks that what a strip reads or writes lies in the stored box.
pub fn check(
    p: &Program,
    f: &Frame,
    w: usize,
    mask: Slot,
    bindings: &[Binding],
    scalars: &[u64],
    strip: Strip,
) -> Result<(), String> {
    let route = &p.routes[w];
    let binding = &bindings[route.operand];
    let whole = mask == ALL || f.held[mask as usize] == Held::All;
    for i in 0..strip.n {
        // SAFETY: masks have `n` elements.
        if !whole && unsafe { *f.dst(mask).add(i) } == 0 {
            continue;
        }
        if whole && !route.gathers && i != 0 && i + 1 != strip.n {
            continue;
        }
        for (d, affine) in route.index.iter().enumerate() {
            let value = |sym| subscript(route, f, scalars, strip, i, sym);
            let at = affine.terms.iter().fold(affine.konst, |sum, &(s, c)| sum.wrapping_add(c.wrapping_mul(value(s))));
            if at < binding.lo[d] || at >= binding.hi[d] {
                let what = if w < p.loads { "reads" } else { "writes" };
                return Err(format!(
                    "`{}` {what} operand {} at {at} in dimension {d}, outside of the stored {}..{}",
                    p.name, route.operand, binding.lo[d], binding.hi[d]
                ));
            }
        }
    }
    Ok(())
}

fn subscript(route: &Route, f: &Frame, scalars: &[u64], strip: Strip, i: usize, sym: Sym) -> i64 {
    let slot = |r: Reg| route.counters.iter().find(|c| c.0 == r).map(|c| c.1);
    match sym {
        Sym::Dim(d) => strip.outer.get(d).copied().unwrap_or(strip.j0.wrapping_add(i as i64)),
        Sym::Scalar(id) => scalars[id.0 as usize] as i64,
        Sym::Counter(r) => slot(r).map_or(0, |slot| counter(f, slot, i)),
    }
}

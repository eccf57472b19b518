//! Executes bytecode on the strips of a part.

use crate::ir::index_box::IndexBox;
use crate::ir::ty::Ty;
use crate::runtime::device::leaf::Visitor;
use crate::runtime::device::scalar::{table_entry, trips};
use crate::runtime::device::vm::frame::{Frame, Held, element};
use crate::runtime::device::vm::kernels::Src;
use crate::runtime::device::vm::memory::{self, Strip};
use crate::runtime::device::vm::program::*;
use crate::runtime::device::vm::{TableBytes, fold};
use crate::runtime::device::{Binding, Partial, elem};

/// Whether loads and stores are checked against the stored boxes.
const CHECK: bool = cfg!(debug_assertions);

/// One call.
pub struct Call<'a> {
    pub program: &'a Program,
    pub frame: &'a mut Frame,
    pub bindings: &'a [Binding],
    pub scalars: &'a [u64],
    pub tables: &'a [TableBytes],
    pub partials: &'a mut [Partial],
}

impl Visitor for Call<'_> {
    fn row(&mut self, outer: &[i64], j0: i64, j1: i64) -> Result<(), String> {
        let mut j = j0;
        while j < j1 {
            let n = (j1 - j).min(self.program.block as i64) as usize;
            let strip = Strip { outer, j0: j, n };
            memory::aim(self.program, self.frame, strip);
            for (i, store) in self.program.stores.iter().enumerate() {
                let w = self.program.loads + i;
                self.check(w, ALL, strip)?;
                let way = self.frame.ways[w];
                if store.in_place && way.last == 1 {
                    self.frame.srcs[store.value as usize].ptr = way.strip as *const u8;
                }
            }
            self.strip(strip)?;
            for (i, store) in self.program.stores.iter().enumerate() {
                // SAFETY: the bindings cover what the part writes.
                unsafe { memory::store(self.program, self.frame, self.program.loads + i, store.value, n) };
            }
            fold::add(self.program, self.frame, strip, j0, self.partials);
            j += n as i64;
        }
        Ok(())
    }

    fn flush(&mut self, outer: &[i64], j0: i64, j1: i64) {
        fold::flush(self.program, self.frame, outer, j0, j1, self.partials);
    }
}

impl Call<'_> {
    /// Makes the frame ready and runs what is equal for all points.
    pub fn open(&mut self, part: &IndexBox) {
        self.frame.prepare(self.program);
        memory::resolve(self.program, self.frame, self.bindings, self.scalars);
        fold::open(self.program, self.frame, part);
        for &(dst, op) in &self.program.prologue {
            self.uniform(dst, op, &[]);
        }
    }

    fn check(&self, w: usize, mask: Slot, strip: Strip) -> Result<(), String> {
        if !CHECK {
            return Ok(());
        }
        memory::check(self.program, self.frame, w, mask, self.bindings, self.scalars, strip)
    }

    fn strip(&mut self, strip: Strip) -> Result<(), String> {
        let p = self.program;
        let n = strip.n;
        let mut pc = 0;
        loop {
            let ins = &p.body[pc];
            pc += 1;
            match *ins {
                Ins::Strip { kernel, dst, srcs } => {
                    let srcs = srcs.map(|s| self.frame.srcs[s as usize]);
                    // SAFETY: slots have room for a strip; the compiler chose the kernel by their types.
                    unsafe { kernel(self.frame.dst(dst), &srcs, n) };
                }
                Ins::Masked { kernel, dst, srcs, mask, blend, tmp } => {
                    let srcs = srcs.map(|s| self.frame.srcs[s as usize]);
                    let to = self.frame.dst(dst);
                    // SAFETY: as above.
                    unsafe {
                        if self.frame.held[mask as usize] == Held::All {
                            kernel(to, &srcs, n);
                        } else {
                            let size = p.slots[dst as usize].ty.size();
                            let tmp = Src { ptr: self.frame.dst(tmp), step: size * super::kernels::CHUNK };
                            kernel(tmp.ptr as *mut u8, &srcs, n);
                            let old = self.frame.srcs[dst as usize];
                            blend(to, &[self.frame.srcs[mask as usize], tmp, old], n);
                        }
                    }
                }
                Ins::Uniform { dst, op } => {
                    if let Uniform::Load(w) = op {
                        self.check(w, ALL, Strip { n: 1, ..strip })?;
                    }
                    self.uniform(dst, op, strip.outer);
                }
                Ins::Iota { dst } => {
                    let to = self.frame.dst(dst) as *mut i64;
                    for i in 0..n {
                        // SAFETY: the strip has room for n elements.
                        unsafe { to.add(i).write(strip.j0 + i as i64) };
                    }
                }
                Ins::Table { dst, index, table } => self.table(dst, index, table, n),
                Ins::Load { dst, route, mask, alias } => {
                    self.check(route, mask, strip)?;
                    // SAFETY: the bindings cover what the part reads.
                    unsafe { memory::load(p, self.frame, dst, route, mask, alias, n) };
                }
                Ins::Jump(to) => pc = to,
                Ins::Unless { cond, to } => {
                    if self.frame.first(cond, Ty::Bool) == 0 {
                        pc = to;
                    }
                }
                Ins::Split { cond, outer, then, otherwise } => {
                    self.mask(then, n, |f, i| held(f, outer, i) & at(f, cond, i));
                    self.mask(otherwise, n, |f, i| held(f, outer, i) & (at(f, cond, i) ^ 1));
                }
                Ins::IfNone { mask, to } => {
                    if self.frame.held[mask as usize] == Held::None {
                        pc = to;
                    }
                }
                Ins::And { mask, other, not } => {
                    self.mask(mask, n, |f, i| at(f, mask, i) & (held(f, other, i) ^ not as u8));
                }
                Ins::CopyMask { dst, src } => self.mask(dst, n, |f, i| at(f, src, i)),
                Ins::Enter { id, exit } => {
                    if !self.enter(id, n) {
                        pc = exit;
                    }
                }
                Ins::Again { id, top } => {
                    if self.again(id, n) {
                        pc = top;
                    }
                }
                Ins::End => return Ok(()),
            }
        }
    }

    fn uniform(&mut self, dst: Slot, op: Uniform, outer: &[i64]) {
        let p = self.program;
        let f = &*self.frame;
        let ty_of = |s: Slot| p.slots[s as usize].ty;
        let get = |s: Slot| f.first(s, ty_of(s));
        let ty = ty_of(dst);
        let bits = match op {
            Uniform::Const(bits) => bits,
            Uniform::Copy(a) => get(a),
            Uniform::Index(d) => outer[d] as u64,
            Uniform::Scalar(id) => self.scalars[id.0 as usize],
            // SAFETY: the bindings cover what the part reads.
            Uniform::Load(w) => unsafe { memory::load_one(p, f, w) },
            Uniform::Table(table, index) => table_entry(&self.tables[table].table, get(index) as i64),
            Uniform::Unary(op, a) => elem::unary(op, ty, get(a)),
            Uniform::Binary(op, a, b) => elem::binary(op, ty_of(a), get(a), get(b)),
            Uniform::Fma(a, b, c) => elem::fma(ty, get(a), get(b), get(c)),
            Uniform::Select(c, a, b) => get(if get(c) != 0 { a } else { b }),
            Uniform::Cast(a) => elem::cast(ty_of(a), ty, get(a)),
        };
        self.frame.splat(dst, ty, bits);
    }

    fn table(&mut self, dst: Slot, index: Slot, table: usize, n: usize) {
        let table = &self.tables[table];
        let size = self.program.slots[dst as usize].ty.size();
        let (from, to) = (self.frame.srcs[index as usize], self.frame.dst(dst));
        for i in 0..n {
            // SAFETY: slots have n elements; an index outside, of a point that does not run, reads entry 0.
            unsafe {
                let k = (element(from, i, 8) as *const u64).read_unaligned();
                let k = if k < table.table.values.len() as u64 { k as usize } else { 0 };
                std::ptr::copy_nonoverlapping(table.bytes.as_ptr().add(k * size), to.add(i * size), size);
            }
        }
    }

    /// Writes a mask and counts it.
    fn mask(&mut self, slot: Slot, n: usize, value: impl Fn(&Frame, usize) -> u8) {
        let to = self.frame.dst(slot);
        let (mut any, mut all) = (0u8, 1u8);
        for i in 0..n {
            let v = value(self.frame, i);
            any |= v;
            all &= v;
            // SAFETY: masks have n elements.
            unsafe { *to.add(i) = v };
        }
        self.frame.held[slot as usize] = match (any, all) {
            (0, _) => Held::None,
            (_, 0) => Held::Some,
            _ => Held::All,
        };
    }

    /// Begins a loop; false when no point enters.
    fn enter(&mut self, id: usize, n: usize) -> bool {
        let info = self.program.loops[id];
        let f = &mut *self.frame;
        let count = |f: &Frame, i: usize| trips(word(f, info.from, i) as i64, word(f, info.to, i) as i64, info.by);
        if info.trips == ALL {
            f.loops[id] = (0, count(f, 0));
        } else {
            let to = f.dst(info.trips) as *mut u64;
            for i in 0..n {
                // SAFETY: the strip has room for n elements.
                unsafe { to.add(i).write(count(f, i)) };
            }
            f.loops[id] = (0, u64::MAX);
        }
        self.count_from(info, n);
        if info.live == ALL {
            return self.frame.loops[id].1 > 0;
        }
        if info.trips == ALL && self.frame.loops[id].1 == 0 {
            return false;
        }
        let runs = |f: &Frame, i: usize| info.trips == ALL || word(f, info.trips, i) > 0;
        self.mask(info.live, n, |f, i| held(f, info.outer, i) & runs(f, i) as u8);
        self.frame.held[info.live as usize] != Held::None
    }

    /// The counter's first values.
    fn count_from(&mut self, info: LoopInfo, n: usize) {
        let f = &mut *self.frame;
        if let Home::Strip { .. } = self.program.slots[info.counter as usize].home {
            let to = f.dst(info.counter) as *mut u64;
            for i in 0..n {
                // SAFETY: the strip has room for n elements.
                unsafe { to.add(i).write(word(f, info.from, i)) };
            }
        } else {
            let first = word(f, info.from, 0);
            f.splat(info.counter, Ty::I64, first);
        }
    }

    /// Steps a loop; false when it is over.
    fn again(&mut self, id: usize, n: usize) -> bool {
        let info = self.program.loops[id];
        let (done, total) = &mut self.frame.loops[id];
        *done += 1;
        let done = *done;
        if done >= *total {
            return false;
        }
        if info.live != ALL {
            if info.trips != ALL {
                self.mask(info.live, n, |f, i| at(f, info.live, i) & (word(f, info.trips, i) > done) as u8);
            }
            if self.frame.held[info.live as usize] == Held::None {
                return false;
            }
        }
        let f = &mut *self.frame;
        if let Home::Strip { .. } = self.program.slots[info.counter as usize].home {
            let to = f.dst(info.counter) as *mut i64;
            for i in 0..n {
                // SAFETY: the strip has room for n elements.
                unsafe { *to.add(i) = (*to.add(i)).wrapping_add(info.by) };
            }
        } else {
            let next = (word(f, info.counter, 0) as i64).wrapping_add(info.by);
            f.splat(info.counter, Ty::I64, next as u64);
        }
        true
    }
}

/// Element `i` of a slot of 8-byte elements.
fn word(f: &Frame, slot: Slot, i: usize) -> u64 {
    // SAFETY: slots have a strip of elements or a splat.
    unsafe { (element(f.srcs[slot as usize], i, 8) as *const u64).read_unaligned() }
}

/// Element `i` of a slot of `bool`.
fn at(f: &Frame, slot: Slot, i: usize) -> u8 {
    // SAFETY: as in `word`.
    unsafe { *element(f.srcs[slot as usize], i, 1) }
}

/// Whether point `i` is in a mask.
fn held(f: &Frame, mask: Slot, i: usize) -> u8 {
    if mask == ALL { 1 } else { at(f, mask, i) }
}

//! Working memory of the block machine: one frame a thread, reused by all calls.

use std::cell::RefCell;

use crate::ir::ty::Ty;
use crate::runtime::device::vm::kernels::{CHUNK, Src};
use crate::runtime::device::vm::program::{Home, Program, Slot, group};

/// Where an access's elements lie in this call.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// The address for index 0 in every dimension, as an integer: it may lie outside of the array.
    pub origin: usize,
    /// The address for the strip's first point.
    pub strip: usize,
    /// Elements between neighbours of the last dimension.
    pub last: i64,
}

/// How many points of a strip a mask holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    None,
    Some,
    All,
}

#[derive(Default)]
pub struct Frame {
    memory: Vec<Line>,
    pub srcs: Vec<Src>,
    /// Of mask slots; others are unused.
    pub held: Vec<Held>,
    /// Rounds done and, where points leave together, rounds to do.
    pub loops: Vec<(u64, u64)>,
    pub ways: Vec<Way>,
    /// Elements a step in each dimension moves, a row of `rank` for each way.
    pub coefs: Vec<i64>,
    /// The same for loop counters, in the order of the routes' counters.
    pub counters: Vec<i64>,
    /// Lane accumulators of ordered folds.
    pub columns: Vec<Vec<u64>>,
}

/// A cache line.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code)] [u8; 64]);

thread_local! {
    static FRAME: RefCell<Frame> = RefCell::default();
}

/// Calls `f` with this thread's frame.
pub fn with<R>(f: impl FnOnce(&mut Frame) -> R) -> Option<R> {
    FRAME.with(|frame| frame.try_borrow_mut().ok().map(|mut frame| f(&mut frame)))
}

impl Frame {
    /// Makes room for a program and points its slots at their memory.
    pub fn prepare(&mut self, p: &Program) {
        if self.memory.len() * 64 < p.memory {
            self.memory.resize(p.memory.div_ceil(64), Line([0; 64]));
        }
        let base = self.memory.as_mut_ptr() as *mut u8;
        let consts = p.consts.as_ptr() as *const u8;
        self.srcs.clear();
        self.srcs.extend(p.slots.iter().map(|s| match s.home {
            Home::Const(at) => Src { ptr: consts.wrapping_add(at), step: 0 },
            Home::Splat(at) => Src { ptr: base.wrapping_add(at), step: 0 },
            Home::Strip { index } => {
                let size = s.ty.size();
                let at = p.groups[group(s.ty)] + index * stride(p.block, size);
                Src { ptr: base.wrapping_add(at), step: CHUNK * size }
            }
        }));
        self.held.clear();
        self.held.resize(p.slots.len(), Held::None);
        self.loops.clear();
        self.loops.resize(p.loops.len(), (0, 0));
    }

    /// The memory of a slot, to write. Slots with constants or array aliases are never written.
    pub fn dst(&self, slot: Slot) -> *mut u8 {
        self.srcs[slot as usize].ptr as *mut u8
    }

    /// The memory of a strip, even when the slot points at an array now.
    pub fn strip(&self, p: &Program, slot: Slot) -> Src {
        let info = p.slots[slot as usize];
        let Home::Strip { index } = info.home else { return self.srcs[slot as usize] };
        let size = info.ty.size();
        let at = p.groups[group(info.ty)] + index * stride(p.block, size);
        Src { ptr: (self.memory.as_ptr() as *const u8).wrapping_add(at), step: CHUNK * size }
    }

    /// The bits of the first element of a slot.
    pub fn first(&self, slot: Slot, ty: Ty) -> u64 {
        // SAFETY: every slot points at one element at least.
        unsafe { read(self.srcs[slot as usize].ptr, ty.size()) }
    }

    /// Fills a splat.
    pub fn splat(&mut self, slot: Slot, ty: Ty, bits: u64) {
        let ptr = self.dst(slot);
        // SAFETY: splats have one chunk of 8-byte elements.
        unsafe {
            match ty.size() {
                1 => (ptr as *mut [u8; CHUNK]).write([bits as u8; CHUNK]),
                2 => (ptr as *mut [u16; CHUNK]).write([bits as u16; CHUNK]),
                4 => (ptr as *mut [u32; CHUNK]).write([bits as u32; CHUNK]),
                _ => (ptr as *mut [u64; CHUNK]).write([bits; CHUNK]),
            }
        }
    }
}

/// Bytes from one strip to the next: a few cache lines more than it needs, since loads and stores a multiple of 4096
/// bytes apart delay each other.
pub fn stride(block: usize, size: usize) -> usize {
    block * size + 192
}

/// The bits of an element.
///
/// # Safety
/// `ptr` must be readable for `size` bytes.
pub unsafe fn read(ptr: *const u8, size: usize) -> u64 {
    unsafe {
        match size {
            1 => *ptr as u64,
            2 => (ptr as *const u16).read_unaligned() as u64,
            4 => (ptr as *const u32).read_unaligned() as u64,
            _ => (ptr as *const u64).read_unaligned(),
        }
    }
}

/// The address of element `i` of a source.
pub fn element(src: Src, i: usize, size: usize) -> *const u8 {
    src.ptr.wrapping_add(i / CHUNK * src.step + i % CHUNK * size)
}

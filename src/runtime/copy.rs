//! Strided copies of boxes: packing, unpacking and local moves.

use crate::ir::index_box::IndexBox;
use crate::ir::plan::region::Mode;
use crate::ir::ty::Ty;

/// One dimension of a copy: how many elements, and the byte steps on either side (0 repeats, negative reverses).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dim {
    count: usize,
    src: isize,
    dst: isize,
}

/// Dimensions of a copy that every device can do at once.
pub const MOST_DIMENSIONS: usize = 6;

/// A copy whose two ends are byte offsets into two blocks.
#[derive(Clone, Debug)]
pub struct BoxCopy {
    dims: Vec<Dim>,
    src: isize,
    dst: isize,
    size: usize,
    /// Turn the sign of elements of this type.
    negate: Option<Ty>,
}

/// A box stored row-major.
pub struct Stored<'a> {
    pub storage: &'a IndexBox,
    pub part: &'a IndexBox,
}

/// Element strides of a box stored row-major.
pub fn strides(storage: &IndexBox) -> Vec<i64> {
    let mut out = vec![1; storage.rank()];
    for d in (0..storage.rank().saturating_sub(1)).rev() {
        out[d] = out[d + 1] * storage.dims[d + 1].len();
    }
    out
}

/// A copy as numbers: for each dimension how many and the byte steps of source and destination, then the byte offsets.
#[derive(Clone, Debug)]
pub struct Numbers {
    pub dims: Vec<(usize, isize, isize)>,
    pub src: isize,
    pub dst: isize,
    pub size: usize,
    pub negate: Option<Ty>,
}

impl BoxCopy {
    /// What a device needs to do the same.
    pub fn numbers(&self) -> Numbers {
        let dims = self.dims.iter().map(|d| (d.count, d.src, d.dst)).collect();
        Numbers { dims, src: self.src, dst: self.dst, size: self.size, negate: self.negate }
    }

    /// Copies `from.part` to `to.part`; along each dimension by its mode.
    pub fn new(from: Stored, to: Stored, modes: &[Mode], ty: Ty, negate: bool) -> BoxCopy {
        let size = ty.size() as isize;
        let (fs, ts) = (strides(from.storage), strides(to.storage));
        let (mut src, mut dst, mut dims) = (0isize, 0isize, vec![]);
        for d in 0..to.part.rank() {
            let step = fs[d] as isize * size;
            let at = from.part.dims[d].lo - from.storage.dims[d].lo;
            let (at, step) = match modes.get(d).copied().unwrap_or(Mode::Shift) {
                Mode::Shift => (at, step),
                Mode::Repeat => (at, 0),
                Mode::Reverse => (at + from.part.dims[d].len() - 1, -step),
            };
            src += at as isize * fs[d] as isize * size;
            dst += (to.part.dims[d].lo - to.storage.dims[d].lo) as isize * ts[d] as isize * size;
            dims.push(Dim { count: to.part.dims[d].len() as usize, src: step, dst: ts[d] as isize * size });
        }
        BoxCopy { dims: merged(dims, size), src, dst, size: size as usize, negate: negate.then_some(ty) }
    }

    /// Comes `count` times as often, moved each time by so many bytes on either side.
    pub fn repeated(mut self, count: i64, src: i64, dst: i64) -> BoxCopy {
        if count != 1 {
            self.dims.insert(0, Dim { count: count as usize, src: src as isize, dst: dst as isize });
        }
        self
    }

    /// The same as copies of at most [`MOST_DIMENSIONS`] dimensions each.
    pub fn apart(self) -> Vec<BoxCopy> {
        if self.dims.len() <= MOST_DIMENSIONS {
            return vec![self];
        }
        let first = self.dims[0];
        let one = |k: usize| {
            let (src, dst) = (self.src + k as isize * first.src, self.dst + k as isize * first.dst);
            BoxCopy { dims: self.dims[1..].to_vec(), src, dst, ..self.clone() }
        };
        (0..first.count).flat_map(|k| one(k).apart()).collect()
    }

    /// Moves the destination by whole bytes (the place in a message).
    pub fn at_dst(mut self, offset: usize) -> BoxCopy {
        self.dst += offset as isize;
        self
    }

    /// Moves the source by whole bytes.
    pub fn at_src(mut self, offset: usize) -> BoxCopy {
        self.src += offset as isize;
        self
    }

    /// Runs the copy.
    ///
    /// # Safety
    /// Both blocks hold every byte that the boxes given to [`BoxCopy::new`] cover, and do not overlap in them.
    pub unsafe fn run(&self, src: *const u8, dst: *mut u8) {
        // SAFETY: the caller's promise; offsets stay inside the boxes.
        unsafe {
            self.level(0, src.offset(self.src), dst.offset(self.dst));
        }
    }

    unsafe fn level(&self, d: usize, src: *const u8, dst: *mut u8) {
        // SAFETY: as for `run`.
        unsafe {
            let Some(dim) = self.dims.get(d) else {
                return self.element(src, dst);
            };
            if d + 1 == self.dims.len() && self.negate.is_none() {
                return run_of(*dim, self.size, src, dst);
            }
            for k in 0..dim.count as isize {
                self.level(d + 1, src.offset(k * dim.src), dst.offset(k * dim.dst));
            }
        }
    }

    unsafe fn element(&self, src: *const u8, dst: *mut u8) {
        // SAFETY: as for `run`; elements need not be aligned inside messages.
        unsafe {
            std::ptr::copy_nonoverlapping(src, dst, self.size);
            match self.negate {
                // The sign is the highest bit.
                Some(Ty::F16 | Ty::Bf16) => dst.add(1).write(dst.add(1).read() ^ 0x80),
                Some(Ty::F32) => dst.cast::<f32>().write_unaligned(-dst.cast::<f32>().read_unaligned()),
                Some(Ty::F64) => dst.cast::<f64>().write_unaligned(-dst.cast::<f64>().read_unaligned()),
                Some(Ty::I32) => dst.cast::<i32>().write_unaligned(dst.cast::<i32>().read_unaligned().wrapping_neg()),
                Some(Ty::I64) => dst.cast::<i64>().write_unaligned(dst.cast::<i64>().read_unaligned().wrapping_neg()),
                _ => {}
            }
        }
    }
}

/// Adjacent dimensions that run on in both blocks become one.
fn merged(dims: Vec<Dim>, size: isize) -> Vec<Dim> {
    let mut out: Vec<Dim> = vec![];
    for d in dims.into_iter().filter(|d| d.count != 1) {
        if let Some(last) = out.last_mut()
            && last.src == d.src * d.count as isize
            && last.dst == d.dst * d.count as isize
            && d.dst == size
            && d.src == size
        {
            *last = Dim { count: last.count * d.count, src: d.src, dst: d.dst };
            continue;
        }
        out.push(d);
    }
    out
}

unsafe fn run_of(d: Dim, size: usize, src: *const u8, dst: *mut u8) {
    // SAFETY: as for `BoxCopy::run`.
    unsafe {
        if d.src == size as isize && d.dst == size as isize {
            return std::ptr::copy_nonoverlapping(src, dst, d.count * size);
        }
        for k in 0..d.count as isize {
            let (s, t) = (src.offset(k * d.src), dst.offset(k * d.dst));
            match size {
                2 => t.cast::<u16>().write_unaligned(s.cast::<u16>().read_unaligned()),
                4 => t.cast::<u32>().write_unaligned(s.cast::<u32>().read_unaligned()),
                8 => t.cast::<u64>().write_unaligned(s.cast::<u64>().read_unaligned()),
                n => std::ptr::copy_nonoverlapping(s, t, n),
            }
        }
    }
}

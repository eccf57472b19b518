//! Running values along a dimension, across ranks.
//!
//! The result does not depend on the cuts: the dimension is divided into leaves of `granule(extent)` elements; element `k` of
//! leaf `l` is `(t0 op t1 op … op t(l-1)) op (x0 op … op xk)`, both from the left, where `t` are the totals of whole leaves. Sums and
//! products of `f16`, `bf16` and `f32` are carried in `f64`.
//!
//! In one dimension, where ranks hold whole leaves, they exchange the totals and each goes on from there. Otherwise a rank waits for
//! what its neighbour before it carries.

use crate::ir::elem::{CastTo, Elem};
use crate::ir::half::{Bf16, F16};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{ArrayId, BinaryOp};
use crate::ir::layout::{Layout, granule};
use crate::ir::ty::Ty;
use crate::runtime::failure::Failure;
use crate::runtime::rank::Rank;
use crate::runtime::state::RankState;
use crate::runtime::trace::Kind;
use std::time::Instant;

/// What is carried along each line: the fold of whole leaves, and that of the leaf which has begun.
struct Carry<A> {
    done: Vec<A>,
    open: Vec<A>,
    any_done: bool,
    any_open: bool,
}

/// `array` becomes its running values along a dimension.
#[derive(Clone, Copy, Debug)]
pub struct Scan {
    pub array: ArrayId,
    pub dim: usize,
    pub op: BinaryOp,
}

impl Scan {
    /// Whether lines run through several ranks, and whether these exchange the totals of their leaves.
    pub fn across(&self, layout: &Layout) -> (bool, bool) {
        let across = layout.cuts[self.dim].is_some_and(|c| c.parts > 1) && !layout.is_replicated();
        (across, across && layout.shape.len() == 1 && layout.leaves_aligned(self.dim))
    }
}

/// The elements of a rank's part as lines along the scanned dimension.
#[derive(Debug)]
pub struct Lines {
    outer: usize,
    len: usize,
    inner: usize,
    /// The place of the first element along the dimension.
    from: i64,
    leaf: i64,
}

impl Rank<'_> {
    /// Replaces an array's elements by running values. A collective.
    pub(super) fn scan(&mut self, s: Scan) -> Result<(), Failure> {
        let ty = self.plan.array(s.array).array.ty;
        self.versions.written(s.array);
        if self.device.scan(&s, &mut self.state)? {
            return Ok(());
        }
        match ty {
            // Minima and maxima of the narrower types are exact in either type.
            Ty::F16 => self.scan_as::<F16, f64>(s),
            Ty::Bf16 => self.scan_as::<Bf16, f64>(s),
            Ty::F32 | Ty::C64 => self.scan_as::<f32, f64>(s),
            Ty::F64 | Ty::C128 => self.scan_as::<f64, f64>(s),
            Ty::I32 => self.scan_as::<i32, i32>(s),
            Ty::I64 => self.scan_as::<i64, i64>(s),
            Ty::U32 => self.scan_as::<u32, u32>(s),
            Ty::U64 => self.scan_as::<u64, u64>(s),
            Ty::Bool => self.scan_as::<u8, u8>(s),
        }
    }

    fn scan_as<T, A>(&mut self, s: Scan) -> Result<(), Failure>
    where
        T: Elem + CastTo<A>,
        A: Elem + CastTo<T>,
    {
        let Scan { array, dim, op } = s;
        let me = self.state.comm.rank();
        let layout = &self.plan.array(array).layout;
        let part = layout.part(me);
        let lines = Lines::new(&part, dim, layout.shape[dim]);
        let clock = Instant::now();
        let mut data = self.device.read(array, &part)?;
        self.state.stats.spent(Kind::Compute, clock);
        let (across, totals) = s.across(layout);
        let mut carry = match (across, totals) {
            (false, _) => lines.start(),
            (true, true) => self.carry_of_totals::<T, A>(&data, &lines, op)?,
            (true, false) => self.carry_of_neighbour(&lines, neighbour(layout, me, dim, -1))?,
        };
        let clock = Instant::now();
        lines.run::<T, A>(&mut data, &mut carry, op, &mut |_| {});
        self.state.stats.spent(Kind::Compute, clock);
        if across && !totals {
            self.pass_on(&lines, &carry, neighbour(layout, me, dim, 1))?;
        }
        let clock = Instant::now();
        self.device.write(array, &part, &data)?;
        self.state.stats.spent(Kind::Compute, clock);
        Ok(())
    }

    /// Exchanges the totals of all leaves; gives what is carried to this rank's first element.
    fn carry_of_totals<T, A>(&mut self, data: &[u8], lines: &Lines, op: BinaryOp) -> Result<Carry<A>, Failure>
    where
        T: Elem + CastTo<A>,
        A: Elem + CastTo<T>,
    {
        let clock = Instant::now();
        let mut mine: Vec<u8> = vec![];
        let mut scratch = data.to_vec();
        let mut carry = lines.start();
        lines.run::<T, A>(&mut scratch, &mut carry, op, &mut |leaf| mine.extend(leaf.bits().to_le_bytes()));
        mine.extend(carry.open.iter().filter(|_| carry.any_open).flat_map(|v| v.bits().to_le_bytes()));
        self.state.stats.spent(Kind::Compute, clock);
        let clock = Instant::now();
        let all = self.state.comm.gathered(&mine)?;
        let mut out = lines.start();
        let before = 0..self.state.comm.rank();
        if let Some(total) = total::<A>(op, &mut before.flat_map(|r| all.part(r as usize).chunks_exact(8))) {
            (out.done, out.any_done) = (vec![total], true);
        }
        self.state.stats.spent(Kind::Wait, clock);
        Ok(out)
    }

    /// Waits for what the rank before this one carries.
    fn carry_of_neighbour<A: Elem>(&mut self, lines: &Lines, before: Option<i64>) -> Result<Carry<A>, Failure> {
        let mut carry = lines.start();
        let (Some(peer), true) = (before, lines.count() > 0) else { return Ok(carry) };
        let m = receive(&mut self.state, peer, lines)?;
        (carry.any_done, carry.any_open) = (m[0] != 0, m[1] != 0);
        let mut words = m[8..].chunks_exact(8).map(of_bytes);
        carry.done = words.by_ref().take(lines.count()).collect();
        carry.open = words.collect();
        self.state.comm.recycle(peer, m);
        Ok(carry)
    }

    fn pass_on<A: Elem>(&mut self, lines: &Lines, carry: &Carry<A>, behind: Option<i64>) -> Result<(), Failure> {
        let (Some(peer), true) = (behind, lines.count() > 0) else { return Ok(()) };
        let words: Vec<u8> = carry.done.iter().chain(&carry.open).flat_map(|v| v.bits().to_le_bytes()).collect();
        send(&mut self.state, peer, (carry.any_done, carry.any_open), &words)
    }
}

/// Waits for what the rank before carries: whether words for whole leaves and for open ones count, eight bytes in all, then these words
/// of all lines.
pub fn receive(state: &mut RankState, peer: i64, lines: &Lines) -> Result<Vec<u8>, Failure> {
    let clock = Instant::now();
    let m = state.comm.receive(peer, lines.message())?;
    state.stats.spent(Kind::Wait, clock);
    state.stats.messages(std::iter::once(peer), false);
    Ok(m)
}

/// Sends on what is carried, as [`receive`] has it.
pub fn send(state: &mut RankState, peer: i64, (done, open): (bool, bool), words: &[u8]) -> Result<(), Failure> {
    let clock = Instant::now();
    let mut m = state.comm.buffer(8 + words.len());
    m[..8].copy_from_slice(&[done as u8, open as u8, 0, 0, 0, 0, 0, 0]);
    m[8..].copy_from_slice(words);
    state.stats.sent_beside((1, m.len() as u64));
    state.comm.send(peer, m)?;
    state.stats.spent(Kind::Send, clock);
    state.stats.messages(std::iter::once(peer), true);
    Ok(())
}

/// What leaves come to, from the left; `None` of none.
fn total<A: Elem>(op: BinaryOp, leaves: &mut dyn Iterator<Item = &[u8]>) -> Option<A> {
    leaves.map(of_bytes).reduce(|a, b| combine(op, a, b))
}

/// The same of an array's type, in the words of what is carried.
pub fn total_of(ty: Ty, op: BinaryOp, leaves: &mut dyn Iterator<Item = &[u8]>) -> Option<u64> {
    match ty.part() {
        Ty::F16 | Ty::Bf16 | Ty::F32 | Ty::F64 => total::<f64>(op, leaves).map(Elem::bits),
        Ty::I32 => total::<i32>(op, leaves).map(Elem::bits),
        Ty::U32 => total::<u32>(op, leaves).map(Elem::bits),
        Ty::U64 => total::<u64>(op, leaves).map(Elem::bits),
        Ty::Bool => total::<u8>(op, leaves).map(Elem::bits),
        _ => total::<i64>(op, leaves).map(Elem::bits),
    }
}

fn of_bytes<A: Elem>(bytes: &[u8]) -> A {
    A::of_bits(u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
}

/// The rank one step further along a dimension's axis of the mesh.
pub fn neighbour(layout: &Layout, me: i64, dim: usize, step: i64) -> Option<i64> {
    let axis = layout.axis(dim);
    let to = layout.coordinates(me)[axis] + step;
    let stride: i64 = layout.mesh[axis + 1..].iter().product();
    (0..layout.mesh[axis]).contains(&to).then_some(me + step * stride)
}

fn combine<A: Elem>(op: BinaryOp, a: A, b: A) -> A {
    match op {
        BinaryOp::Mul => a.mul(b),
        BinaryOp::Min => a.min(b),
        BinaryOp::Max => a.max(b),
        BinaryOp::And => a.and(b),
        BinaryOp::Or => a.or(b),
        _ => a.add(b),
    }
}

impl<A: Elem> Carry<A> {
    /// The open leaves of some lines are whole.
    fn close(&mut self, op: BinaryOp, lines: std::ops::Range<usize>) {
        for i in lines {
            self.done[i] = if self.any_done { combine(op, self.done[i], self.open[i]) } else { self.open[i] };
        }
        (self.any_done, self.any_open) = (true, false);
    }
}

impl Lines {
    /// The lines of a part along a dimension, of so many elements on all ranks.
    pub fn new(part: &IndexBox, dim: usize, extent: i64) -> Lines {
        let product = |dims: &[crate::ir::index_box::Interval]| dims.iter().map(|d| d.len() as usize).product();
        Lines {
            outer: product(&part.dims[..dim]),
            len: part.dims[dim].len() as usize,
            inner: product(&part.dims[dim + 1..]),
            from: part.dims[dim].lo,
            leaf: granule(extent),
        }
    }

    pub fn count(&self) -> usize {
        self.outer * self.inner
    }

    /// Elements of a leaf, and the place of the first element in its own.
    pub fn leaf(&self) -> i64 {
        self.leaf
    }

    pub fn first_in_leaf(&self) -> i64 {
        self.from % self.leaf
    }

    /// Leaves of a line that have elements here.
    pub fn leaves(&self) -> usize {
        (self.first_in_leaf() as usize + self.len).div_ceil(self.leaf as usize)
    }

    /// Whether there are whole leaves and an open one behind these elements, given whether there were before them.
    pub fn carried(&self, done: bool, open: bool) -> (bool, bool) {
        let begins = |k: usize| (self.from + k as i64) % self.leaf == 0;
        (done || (open && self.len > 0 && begins(0)) || (1..self.len).any(begins), open || self.len > 0)
    }

    /// Bytes of a message with what is carried.
    fn message(&self) -> usize {
        8 + 16 * self.count()
    }

    /// Nothing is carried.
    fn start<A: Elem>(&self) -> Carry<A> {
        let zero = vec![A::of_bits(0); self.count()];
        Carry { done: zero.clone(), open: zero, any_done: false, any_open: false }
    }

    /// Replaces the elements by running values; `closed` hears the total of every leaf that another follows.
    fn run<T, A>(&self, data: &mut [u8], carry: &mut Carry<A>, op: BinaryOp, closed: &mut dyn FnMut(A))
    where
        T: Elem + CastTo<A>,
        A: Elem + CastTo<T>,
    {
        let size = T::TY.size();
        let start = (carry.any_done, carry.any_open);
        let mut end = start;
        for o in 0..self.outer {
            (carry.any_done, carry.any_open) = start;
            let lines = o * self.inner..(o + 1) * self.inner;
            for k in 0..self.len {
                if (self.from + k as i64) % self.leaf == 0 && carry.any_open {
                    carry.open[lines.clone()].iter().for_each(|v| closed(*v));
                    carry.close(op, lines.clone());
                }
                let row = (o * self.len + k) * self.inner * size;
                let elements = data[row..row + self.inner * size].chunks_exact_mut(size);
                for (i, element) in lines.clone().zip(elements) {
                    let mut bits = [0; 8];
                    bits[..size].copy_from_slice(element);
                    let x: A = T::of_bits(u64::from_le_bytes(bits)).cast();
                    let open = if carry.any_open { combine(op, carry.open[i], x) } else { x };
                    carry.open[i] = open;
                    let value: T = if carry.any_done { combine(op, carry.done[i], open) } else { open }.cast();
                    element.copy_from_slice(&value.bits().to_le_bytes()[..size]);
                }
                carry.any_open = true;
            }
            end = (carry.any_done, carry.any_open);
        }
        (carry.any_done, carry.any_open) = end;
    }
}

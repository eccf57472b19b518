//! Scatters in device memory. Where the places of the values stay, lists of who takes what lie there, and a kernel applies them; values for
//! other ranks are packed by a kernel and travel through the host. Where they change, see [`super::sort`].

use std::collections::HashMap;
use std::ops::Range;
use std::time::Instant;

use super::carry::bytes_of;
use super::device::{CudaDevice, broken};
use super::driver::{Call, CudaError, Function, Gpu, Launch};
use super::sort::{self, Sorter};
use super::start::Setup;
use super::storage::padded;
use crate::codegen::cuda::scatter::{Order, THREADS, Take};
use crate::ir::kernel::{ArrayId, BinaryOp};
use crate::ir::plan::{Plan, StepKind};
use crate::runtime::exchange::Place;
use crate::runtime::failure::{Failure, Problem};
use crate::runtime::numbers::{Numbers, width};
use crate::runtime::scatter::chains::{Chains, LANES, Spots};
use crate::runtime::scatter::{Picks, Scatter};
use crate::runtime::state::RankState;
use crate::runtime::trace::Kind;

/// Memory that is used again and grows where it is too small.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub at: u64,
    bytes: usize,
}

impl Room {
    /// Makes room in the device's memory; what was there is lost, and nothing queued may need it.
    pub fn on_device(&mut self, bytes: usize, gpu: &mut Gpu) -> Result<(), CudaError> {
        if self.bytes < bytes {
            gpu.free(std::mem::take(self).at)?;
            // Lists that change are seldom of just the same length.
            let bytes = bytes + bytes / 8;
            *self = Room { at: gpu.alloc(bytes)?, bytes };
        }
        Ok(())
    }

    /// The same in page-locked memory of the host.
    pub fn on_host(&mut self, bytes: usize, gpu: &mut Gpu) -> Result<(), CudaError> {
        if self.bytes < bytes {
            gpu.unpin(std::mem::take(self).at)?;
            let bytes = bytes + bytes / 8;
            *self = Room { at: gpu.pin(bytes)? as u64, bytes };
        }
        Ok(())
    }
}

/// The values of one sender.
#[derive(Debug)]
struct Part {
    /// The addresses of elements, counts, first positions and positions; how many long tasks there are, and tasks.
    words: [u64; 6],
    /// Where they arrive, in bytes, if they come from another rank.
    arrives: Range<usize>,
}

/// What a scatter keeps.
#[derive(Debug, Default)]
struct Kept {
    lists: Room,
    /// By sender.
    parts: Vec<Part>,
    /// Where the positions of the values that travel lie, and how many there are.
    picks: (u64, usize),
    /// By receiver, bytes of the packed values.
    sends: Vec<Range<usize>>,
    packed: Room,
    arrived: Room,
    /// The same on the host.
    packed_here: Room,
    arrived_here: Room,
}

/// What a device has for scatters.
#[derive(Default)]
pub struct Scatters {
    /// The kernels, by the arrays of places.
    takes: HashMap<ArrayId, (Take, Function)>,
    /// Packs the values that travel.
    pub pick: Option<Function>,
    kept: HashMap<ArrayId, Kept>,
    /// For those whose places change.
    pub(super) sorter: Option<Sorter>,
}

impl Scatters {
    /// Finds the kernels of a plan, and room for what is sorted; nothing is kept yet.
    pub fn new(setup: &mut Setup) -> Result<Scatters, Problem> {
        let mut out = Scatters::default();
        for ([_, index], take) in takes(setup.plan) {
            out.takes.insert(index, (take, (setup.function)(&take.name())?));
            out.pick = Some((setup.function)("mgpu_pick")?);
        }
        if out.takes.values().any(|t| t.0.order == Order::Sorted) {
            out.sorter = Some(Sorter::new(setup)?);
        }
        Ok(out)
    }
}

/// Lists one behind the other, to be brought to the device in one go.
#[derive(Default)]
pub(super) struct Image(pub Vec<u8>);

impl Image {
    /// Adds a list; gives its offset.
    pub fn add(&mut self, bytes: &[u8]) -> u64 {
        self.0.resize(self.0.len().next_multiple_of(16), 0);
        self.0.extend_from_slice(bytes);
        (self.0.len() - bytes.len()) as u64
    }
}

/// Where the elements of a rank's part of an array lie.
pub(super) fn spots(plan: &Plan, id: ArrayId, rank: i64) -> Spots {
    Spots::new(&plan.array(id).layout.part(rank), &padded(plan, Place::Array(id), rank))
}

/// The kernel that applies a scatter's values.
fn take_of(plan: &Plan, arrays: [ArrayId; 3], (op, complex, kept): (BinaryOp, bool, bool)) -> Take {
    let [into, _, value] = arrays;
    let ty = plan.array(into).array.ty;
    let gapless = || arrays.iter().all(|a| spots(plan, *a, 0).gapless().is_some());
    let order = if plan.ranks == 1 && ty.is_int() && op != BinaryOp::Div && gapless() {
        Order::Any
    } else if !kept && !complex && sort::sorts(plan, arrays) {
        Order::Sorted
    } else {
        // All ranks that hold elements store equally many.
        let stored = |a: ArrayId| (0..plan.ranks).map(|r| padded(plan, Place::Array(a), r)).find(|b| !b.is_empty());
        let longest = |a: ArrayId| stored(a).map_or(0, |b| b.len());
        Order::Listed { wide: width(longest(into).max(longest(value))) != 4 }
    };
    Take::new(ty, op, complex, order)
}

/// Bytes that the lists of a plan's scatters take at least, by their arrays of places; what sorts is shared, and counts for the largest.
pub fn demand(plan: &Plan, me: i64) -> Vec<(ArrayId, u64)> {
    let (mut out, mut sorts) = (vec![], None);
    for ([_, index], take) in takes(plan) {
        match take.order {
            Order::Any => {}
            Order::Sorted => sorts = sorts.max(Some((sort::bytes(plan, index, me), index))),
            Order::Listed { wide } => {
                let values = plan.array(index).layout.part(me).len() as u64;
                out.push((index, values * if wide { 8 } else { 4 }));
            }
        }
    }
    out.extend(sorts.map(|(bytes, index)| (index, bytes)));
    out
}

/// The kernels that a plan's scatters need: elements, places, kernel.
pub fn takes(plan: &Plan) -> Vec<([ArrayId; 2], Take)> {
    let mut out = vec![];
    plan.each_step(&plan.steps, &mut |s| {
        if let StepKind::Scatter { into, index, value, op, complex, kept, .. } = &s.kind {
            out.push(([*into, *index], take_of(plan, [*into, *index, *value], (*op, *complex, *kept))));
        }
    });
    out
}

impl CudaDevice<'_> {
    pub(super) fn take(&self, s: &Scatter) -> Result<(Take, Function), Failure> {
        let known = self.scatters.takes.get(&s.key()).copied();
        known.ok_or_else(|| Failure::Internal("a scatter has no kernel".into()))
    }

    /// Runs a scatter that needs no lists; says whether it was one.
    pub(super) fn scatter_by_itself(&mut self, s: &Scatter, state: &mut RankState) -> Result<bool, Failure> {
        let (take, function) = self.take(s)?;
        match take.order {
            Order::Any => self.scatter_in_any_order(s, function)?,
            Order::Sorted => self.scatter_sorted(s, function, state)?,
            Order::Listed { .. } => return Ok(false),
        }
        Ok(true)
    }

    /// Lets values come in any order, which gives the same bits.
    fn scatter_in_any_order(&mut self, s: &Scatter, function: Function) -> Result<(), Failure> {
        self.settle()?;
        let count = self.plan.array(s.value).layout.part(self.me).len() as u64;
        let first = |id: ArrayId| {
            let size = self.plan.array(id).array.ty.size() as u64;
            let gapless = spots(self.plan, id, self.me).gapless();
            gapless.map(|first| self.address(Place::Array(id)) + first * size)
        };
        let [Some(data), Some(values), Some(places)] = [s.into, s.value, s.index].map(first) else {
            return Err(Failure::Internal("an array has gaps".into()));
        };
        let blocks = count.div_ceil(u64::from(THREADS)).clamp(1, u64::from(self.most_blocks) * 8) as u32;
        self.queue.push(Launch {
            call: Call::Kernel(function),
            grid: (blocks, 1, 1),
            block: (THREADS, 1),
            words: vec![data, values, places, count],
        });
        Ok(())
    }

    /// Brings the lists of a scatter into device memory, in place of the last ones.
    pub(super) fn keep_lists(&mut self, s: &Scatter, sends: &[Picks], takes: &[Numbers]) -> Result<(), Failure> {
        let (take, _) = self.take(s)?;
        let width = if take.order == (Order::Listed { wide: true }) { 8 } else { 4 };
        let (me, size) = (self.me as usize, self.plan.array(s.into).array.ty.size());
        let (target, source) = (spots(self.plan, s.into, self.me), spots(self.plan, s.value, self.me));
        let elements = self.plan.array(s.into).layout.part(self.me).len() as u64;
        let mut kept = self.scatters.kept.remove(&s.key()).unwrap_or_default();
        let mut image = Image::default();
        (kept.parts, kept.sends) = (vec![], vec![]);
        let mut arrives = 0;
        for (sender, list) in takes.iter().enumerate() {
            let own = |k: usize| match &sends[me] {
                Picks::List(list) => source.of(list.at(k)),
                _ => source.of(k as u64),
            };
            // Complex numbers follow their first parts.
            let per = if s.complex { 2 } else { 1 };
            let position = |k: usize| if sender == me { own(per * k) } else { (per * k) as u64 };
            let chains = Chains::new(&mut list.iter().step_by(per), &position, (elements, &target), width);
            let words = [
                image.add(&chains.elements.bytes),
                image.add(bytes_of(&chains.counts)),
                image.add(bytes_of(&chains.first)),
                image.add(&chains.positions.bytes),
                chains.longs as u64,
                chains.tasks() as u64,
            ];
            let bytes = if sender == me { 0 } else { list.len() * size };
            kept.parts.push(Part { words, arrives: arrives..arrives + bytes });
            arrives = (arrives + bytes).next_multiple_of(256);
        }
        let picked = self.travelling(s, &source, sends, (&mut kept.sends, width));
        kept.picks = (image.add(&picked.bytes), picked.len());
        // Nothing queued may need what is about to go.
        self.queue.flush(&self.gpu).map_err(broken)?;
        let gpu = &mut self.gpu;
        gpu.wait().map_err(broken)?;
        let mut made = || {
            kept.lists.on_device(image.0.len(), gpu)?;
            kept.packed.on_device(picked.len() * size, gpu)?;
            kept.packed_here.on_host(picked.len() * size, gpu)?;
            kept.arrived.on_device(arrives, gpu)?;
            kept.arrived_here.on_host(arrives, gpu)?;
            gpu.put(kept.lists.at, &image.0)
        };
        made().map_err(broken)?;
        kept.parts.iter_mut().flat_map(|p| &mut p.words[..4]).for_each(|offset| *offset += kept.lists.at);
        kept.picks.0 += kept.lists.at;
        self.scatters.kept.insert(s.key(), kept);
        Ok(())
    }

    /// Where the values lie that go to other ranks, one after the other, and which bytes of them each rank takes.
    fn travelling(
        &self,
        s: &Scatter,
        source: &Spots,
        sends: &[Picks],
        (ranges, width): (&mut Vec<Range<usize>>, usize),
    ) -> Numbers {
        let size = self.plan.array(s.into).array.ty.size();
        let mut out = Numbers::new(width);
        // Where everybody takes all, it is packed once.
        let mut all = None;
        for (peer, picks) in sends.iter().enumerate() {
            let first = out.len();
            let range = match picks {
                _ if peer == self.me as usize => first..first,
                Picks::List(list) => {
                    list.iter().for_each(|k| out.push(source.of(k)));
                    first..out.len()
                }
                Picks::Row(row) => {
                    row.clone().for_each(|k| out.push(source.of(k as u64)));
                    first..out.len()
                }
                Picks::All => all
                    .get_or_insert_with(|| {
                        let count = self.plan.array(s.value).layout.part(self.me).len() as u64;
                        (0..count).for_each(|k| out.push(source.of(k)));
                        first..out.len()
                    })
                    .clone(),
            };
            ranges.push(range.start * size..range.end * size);
        }
        out
    }

    /// Sends the values of other ranks, and applies those of each rank, one rank after the other.
    pub(super) fn scatter_lists(&mut self, s: &Scatter, state: &mut RankState) -> Result<(), Failure> {
        let kept = self.scatters.kept.remove(&s.key()).unwrap_or_default();
        let done = self.apply_all(s, &kept, state);
        self.scatters.kept.insert(s.key(), kept);
        done
    }

    fn apply_all(&mut self, s: &Scatter, kept: &Kept, state: &mut RankState) -> Result<(), Failure> {
        let (_, function) = self.take(s)?;
        self.settle()?;
        if kept.sends.iter().any(|r| !r.is_empty()) || kept.parts.iter().any(|p| !p.arrives.is_empty()) {
            self.send_values(s, kept, state)?;
        }
        let (data, own) = (self.address(Place::Array(s.into)), self.address(Place::Array(s.value)));
        for (sender, part) in kept.parts.iter().enumerate() {
            let values = if part.arrives.is_empty() { own } else { self.arrived(sender, part, kept, state)? };
            let tasks = part.words[5];
            if tasks == 0 {
                continue;
            }
            let blocks = tasks.div_ceil(u64::from(THREADS) / LANES as u64);
            self.queue.push(Launch {
                call: Call::Kernel(function),
                grid: (blocks as u32, 1, 1),
                block: (THREADS, 1),
                words: [data, values].into_iter().chain(part.words).collect(),
            });
        }
        Ok(())
    }

    /// Packs what travels, waits for it, and sends it. Whoever waits for this rank's kernels finds them queued; what arrived last is no
    /// longer needed.
    fn send_values(&mut self, s: &Scatter, kept: &Kept, state: &mut RankState) -> Result<(), Failure> {
        let clock = Instant::now();
        let size = self.plan.array(s.into).array.ty.size();
        let (picks, count) = kept.picks;
        if count > 0 {
            let function = self.scatters.pick.ok_or_else(|| Failure::Internal("no kernel packs values".into()))?;
            let wide = self.take(s)?.0.order == (Order::Listed { wide: true });
            let blocks = (count as u64).div_ceil(u64::from(THREADS)).clamp(1, u64::from(self.most_blocks) * 8) as u32;
            let from = self.address(Place::Array(s.value));
            self.queue.push(Launch {
                call: Call::Kernel(function),
                grid: (blocks, 1, 1),
                block: (THREADS, 1),
                words: vec![kept.packed.at, from, picks, count as u64, size as u64, u64::from(wide)],
            });
        }
        self.queue.flush(&self.gpu).map_err(broken)?;
        // SAFETY: both blocks have room for so many elements; the wait follows.
        unsafe { self.gpu.download(kept.packed_here.at as *mut u8, kept.packed.at, count * size) }.map_err(broken)?;
        self.gpu.wait().map_err(broken)?;
        let mut sent = (0, 0);
        for (peer, range) in kept.sends.iter().enumerate().filter(|r| !r.1.is_empty()) {
            let mut message = state.comm.buffer(range.len());
            // SAFETY: page-locked memory, whose copy has ended.
            let packed = unsafe { std::slice::from_raw_parts(kept.packed_here.at as *const u8, count * size) };
            message.copy_from_slice(&packed[range.clone()]);
            sent = (sent.0 + 1, sent.1 + range.len() as u64);
            state.comm.send(peer as i64, message)?;
        }
        state.stats.sent_beside(sent);
        state.stats.spent(Kind::Send, clock);
        Ok(())
    }

    /// Waits for a rank's values and brings them to the device; gives their address.
    fn arrived(&mut self, sender: usize, part: &Part, kept: &Kept, state: &mut RankState) -> Result<u64, Failure> {
        let (clock, bytes) = (Instant::now(), part.arrives.len());
        let message = state.comm.receive(sender as i64, bytes)?;
        state.stats.spent(Kind::Wait, clock);
        let here = kept.arrived_here.at + part.arrives.start as u64;
        let there = kept.arrived.at + part.arrives.start as u64;
        // SAFETY: both blocks have room for all that arrives; the last copy from there has ended.
        unsafe {
            std::ptr::copy_nonoverlapping(message.as_ptr(), here as *mut u8, bytes.min(message.len()));
            self.gpu.upload(there, here as *const u8, bytes).map_err(broken)?;
        }
        state.comm.recycle(sender as i64, message);
        Ok(there)
    }
}

//! Scatters whose places change from one to the next: the GPU sorts the values by their elements, those of one element in the order of the
//! values, and every element takes its own in a row (`codegen/cuda/sort.cu`). Of several ranks each sorts its own. What belongs to another
//! rank's elements then lies in a row too, and travels with its places through the host; every rank takes what arrives rank by rank. So
//! elements meet their values in the order of the indices, as `runtime/scatter.rs` has it.

use std::time::Instant;

use super::device::{CudaDevice, broken};
use super::driver::{Call, CudaError, Function, Gpu, Launch};
use super::scatter::{Room, spots, takes};
use crate::codegen::cuda::scatter::{DIGITS, LONG, Order, THREADS, TILE};
use crate::ir::kernel::ArrayId;
use crate::ir::plan::Plan;
use crate::runtime::exchange::Place;
use crate::runtime::failure::{Failure, Problem};
use crate::runtime::numbers::word;
use crate::runtime::scatter::Scatter;
use crate::runtime::state::RankState;
use crate::runtime::trace::Kind;
use std::collections::HashMap;
use std::ops::Range;

/// Bits of a digit.
const BITS: u32 = DIGITS.ilog2();

/// Whether the GPU can sort a scatter's values: places fit 4 bytes, every rank owns a run of elements in the order of their places, and nothing
/// lies between what it reads and writes.
pub fn sorts(plan: &Plan, arrays: [ArrayId; 3]) -> bool {
    let layout = &plan.array(arrays[0]).layout;
    let few = |n: i64| n < i64::from(u32::MAX);
    let run = |r: i64| {
        let part = layout.part(r);
        part.is_empty() || part.dims.iter().zip(&layout.shape).skip(1).all(|(d, n)| d.len() == *n)
    };
    let gapless = |r: i64| {
        let held = |a: &&ArrayId| !plan.array(**a).layout.part(r).is_empty();
        arrays.iter().filter(held).all(|a| spots(plan, *a, r).gapless().is_some())
    };
    few(layout.shape.iter().product())
        && !layout.is_dealt()
        && (0..plan.ranks).all(|r| few(plan.array(arrays[1]).layout.part(r).len()) && run(r) && gapless(r))
}

/// The places of the elements that a rank owns.
fn owned(plan: &Plan, into: ArrayId, rank: i64) -> Range<u64> {
    let (layout, part) = (&plan.array(into).layout, plan.array(into).layout.part(rank));
    if part.is_empty() {
        return 0..0;
    }
    let row: i64 = layout.shape[1..].iter().product();
    (part.dims[0].lo * row) as u64..(part.dims[0].hi * row) as u64
}

/// Values that a rank sorts, and tiles of them.
fn amount(plan: &Plan, index: ArrayId, rank: i64) -> (u64, u64) {
    let n = plan.array(index).layout.part(rank).len() as u64;
    (n, n.div_ceil(TILE))
}

/// Bytes that a rank needs to sort the values of a scatter, without those that arrive.
pub fn bytes(plan: &Plan, index: ArrayId, rank: i64) -> u64 {
    let (n, tiles) = amount(plan, index, rank);
    let travels = if plan.ranks > 1 { 8 * n } else { 0 };
    16 * n + 4 * DIGITS * tiles + long_words(plan, index) * 4 + travels
}

/// Elements that may take many values of one rank, which all ranks sort: their list, and how long it is.
fn long_words(plan: &Plan, index: ArrayId) -> u64 {
    (0..plan.ranks).map(|r| amount(plan, index, r).0 / LONG + 2).max().unwrap_or(2)
}

/// Kernels, and room that all sorted scatters of a plan share.
#[derive(Debug)]
pub struct Sorter {
    /// Of the first digit and of the others.
    count: [Function; 2],
    moves: [Function; 2],
    places: Function,
    find: Function,
    /// Of elements with many values, by the arrays of places.
    long: HashMap<ArrayId, Function>,
    /// Where the places lie at which the ranks' elements begin and end, by the arrays of places.
    ends: HashMap<ArrayId, u64>,
    /// Places and positions, before and after a digit.
    keys: [u64; 2],
    positions: [u64; 2],
    counts: u64,
    totals: u64,
    longs: u64,
    /// How many values lie before each of those ends, here and on the host.
    found: u64,
    found_here: *mut u8,
    /// Values in the order of their elements, and what comes from other ranks.
    packed: Room,
    sent_here: Room,
    arrived: Room,
    arrived_here: Room,
    /// Bytes that arrived at most, by rank.
    most: Vec<u64>,
}

impl Sorter {
    /// Finds the kernels of a plan's scatters and makes room for the largest.
    pub fn new(
        plan: &Plan,
        me: i64,
        gpu: &mut Gpu,
        function: &dyn Fn(&str) -> Result<Function, Problem>,
        bad: &dyn Fn(CudaError) -> Problem,
    ) -> Result<Sorter, Problem> {
        let sorted: Vec<_> = takes(plan).into_iter().filter(|t| t.1.order == Order::Sorted).collect();
        let (mut n, mut tiles, mut longs, mut long, mut ends) = (0, 0, 2, HashMap::new(), HashMap::new());
        // The largest element, and how many ranks a value may travel to.
        let (mut size, mut copies) = (1, 1);
        plan.each_step(&plan.steps, &mut |s| {
            if let crate::ir::plan::StepKind::Scatter { into, index, .. } = &s.kind
                && sorted.iter().any(|t| t.0 == *index)
            {
                let all = (0..plan.ranks).map(|r| owned(plan, *into, r)).flat_map(|r| [r.start, r.end]);
                ends.insert(*index, all.flat_map(u64::to_le_bytes).collect::<Vec<u8>>());
                size = size.max(plan.array(*into).array.ty.size());
                if plan.array(*into).layout.is_replicated() {
                    copies = plan.ranks as usize;
                }
            }
        });
        for (index, take) in &sorted {
            let (values, pieces) = amount(plan, *index, me);
            (n, tiles, longs) = (n.max(values), tiles.max(pieces), longs.max(long_words(plan, *index)));
            long.insert(*index, function(&take.long_name())?);
        }
        let mut at = HashMap::new();
        for (index, list) in ends {
            let place = gpu.list(list.len()).map_err(bad)?;
            gpu.put(place, &list).map_err(bad)?;
            at.insert(index, place);
        }
        let mut room = |bytes: u64| gpu.alloc(bytes as usize).map_err(bad);
        let (words, ranks) = (4 * n, plan.ranks as u64);
        let mut out = Sorter {
            count: [function("mgpu_sort_count_first")?, function("mgpu_sort_count")?],
            moves: [function("mgpu_sort_move_first")?, function("mgpu_sort_move")?],
            places: function("mgpu_sort_places")?,
            find: function("mgpu_sort_find")?,
            long,
            ends: at,
            keys: [room(words)?, room(words)?],
            positions: [room(words)?, room(words)?],
            counts: room(4 * DIGITS * tiles)?,
            totals: room(4 * DIGITS)?,
            longs: room(4 * longs)?,
            found: room(16 * ranks)?,
            found_here: std::ptr::null_mut(),
            packed: Room::default(),
            sent_here: Room::default(),
            arrived: Room::default(),
            arrived_here: Room::default(),
            most: vec![0; plan.ranks as usize],
        };
        out.found_here = gpu.pin(16 * plan.ranks as usize).map_err(bad)?;
        if plan.ranks > 1 {
            out.packed.on_device(n as usize * size, gpu).map_err(bad)?;
            out.sent_here.on_host(n as usize * (4 + size) * copies, gpu).map_err(bad)?;
        }
        Ok(out)
    }
}

/// Sorted values, or what is left of them: the addresses of their places, of their positions (0: they lie in a row) and of the values.
#[derive(Clone, Copy)]
struct Sorted {
    keys: u64,
    positions: u64,
    values: u64,
    count: u64,
}

impl CudaDevice<'_> {
    fn sorter(&mut self) -> Result<&mut Sorter, Failure> {
        self.scatters.sorter.as_mut().ok_or_else(|| Failure::Internal("nothing sorts".into()))
    }

    fn go(&mut self, kernel: Function, blocks: u64, words: Vec<u64>) {
        let grid = (blocks.max(1) as u32, 1, 1);
        self.queue.push(Launch { call: Call::Kernel(kernel), grid, block: (THREADS, 1), words });
    }

    /// Where a rank's part of an array begins.
    fn beginning(&self, id: ArrayId) -> u64 {
        let size = self.plan.array(id).array.ty.size() as u64;
        self.address(Place::Array(id)) + spots(self.plan, id, self.me).gapless().unwrap_or(0) * size
    }

    /// Sorts the values and applies them; `function` applies those of elements with few.
    pub(super) fn scatter_sorted(
        &mut self,
        s: &Scatter,
        function: Function,
        state: &mut RankState,
    ) -> Result<(), Failure> {
        self.settle()?;
        let mut own = self.sorted(s)?;
        if self.plan.ranks == 1 {
            return self.fold(s, function, own);
        }
        let (me, ranks, size) = (self.me as usize, self.plan.ranks as usize, self.plan.array(s.into).array.ty.size());
        let found = self.split_by_owner(s, own)?;
        let send = |r: usize| found[2 * r] as usize..(found[2 * r + 1] as usize).max(found[2 * r] as usize);
        let clock = Instant::now();
        let counts: Vec<u8> = (0..ranks).flat_map(|r| (send(r).len() as u64).to_le_bytes()).collect();
        let all = state.comm.gathered(&counts)?;
        let count = |from: usize, to: usize| word(&all.part(from)[8 * to..8 * to + 8]) as usize;
        self.make_room(&count, size, state)?;
        state.stats.spent(Kind::Wait, clock);
        self.send_sorted(own, &send, size, state)?;
        let range = send(me);
        own = Sorted {
            keys: own.keys + 4 * range.start as u64,
            positions: own.positions + 4 * range.start as u64,
            count: range.len() as u64,
            ..own
        };
        let mut at = 0;
        for from in 0..ranks {
            let count = count(from, me);
            let sorted = if from == me { own } else { self.arrived_from(from, count, (&mut at, size), state)? };
            self.fold(s, function, sorted)?;
        }
        Ok(())
    }

    /// Sorts this rank's values.
    fn sorted(&mut self, s: &Scatter) -> Result<Sorted, Failure> {
        let (n, tiles) = amount(self.plan, s.index, self.me);
        let (places, values) = (self.beginning(s.index), self.beginning(s.value));
        let elements: i64 = self.plan.array(s.into).layout.shape.iter().product();
        let digits = (64 - (elements as u64).saturating_sub(1).leading_zeros()).div_ceil(BITS).max(1);
        let w = self.sorter()?;
        let (count, moves, place) = (w.count, w.moves, w.places);
        let (counts, totals, keys, positions) = (w.counts, w.totals, w.keys, w.positions);
        let mut from = (places, 0);
        for d in 0..digits {
            let (later, shift) = (usize::from(d > 0), u64::from(d * BITS));
            let to = (keys[d as usize % 2], positions[d as usize % 2]);
            if n > 0 {
                self.go(count[later], tiles, vec![from.0, counts, n, shift]);
                self.go(place, DIGITS, vec![counts, totals, tiles]);
                self.go(moves[later], tiles, vec![from.0, from.1, to.0, to.1, counts, totals, n, shift]);
            }
            from = to;
        }
        Ok(Sorted { keys: from.0, positions: from.1, values, count: n })
    }

    /// Applies sorted values to this rank's elements.
    fn fold(&mut self, s: &Scatter, function: Function, v: Sorted) -> Result<(), Failure> {
        if v.count == 0 {
            return Ok(());
        }
        let size = self.plan.array(s.into).array.ty.size() as u64;
        let first = owned(self.plan, s.into, self.me).start;
        let data = self.beginning(s.into).wrapping_sub(first * size);
        let w = self.sorter()?;
        let (longs, long) = (w.longs, w.long.get(&s.key()).copied());
        let long = long.ok_or_else(|| Failure::Internal("a scatter has no kernel".into()))?;
        self.queue.push(Launch::single(self.set, vec![longs, 0, 0]));
        let words = vec![data, v.values, v.keys, v.positions, v.count, longs];
        self.go(function, v.count.div_ceil(u64::from(THREADS)), words.clone());
        // A warp an element; nobody here knows how many there are.
        let most = (v.count / LONG).div_ceil(u64::from(THREADS) / 32);
        self.go(long, most.min(u64::from(self.most_blocks)), words);
        Ok(())
    }

    /// Packs the sorted values, and finds for each rank how many of them lie before its first element, and before what is behind its last.
    fn split_by_owner(&mut self, s: &Scatter, v: Sorted) -> Result<Vec<u64>, Failure> {
        let count = 2 * self.plan.ranks as u64;
        let size = self.plan.array(s.into).array.ty.size() as u64;
        let w = self.sorter()?;
        let (find, found, here, packed) = (w.find, w.found, w.found_here, w.packed.at);
        let ends = w.ends.get(&s.key()).copied().unwrap_or(0);
        self.go(find, count.div_ceil(u64::from(THREADS)), vec![v.keys, v.count, ends, found, count]);
        if v.count > 0 {
            let pick = self.scatters.pick.ok_or_else(|| Failure::Internal("no kernel packs values".into()))?;
            let blocks = v.count.div_ceil(u64::from(THREADS)).min(u64::from(self.most_blocks) * 8);
            self.go(pick, blocks, vec![packed, v.values, v.positions, v.count, size, 0]);
        }
        self.queue.flush(&self.gpu).map_err(broken)?;
        // SAFETY: both blocks have room for so many numbers; the wait follows.
        unsafe { self.gpu.download(here, found, 8 * count as usize) }.map_err(broken)?;
        self.gpu.wait().map_err(broken)?;
        // SAFETY: page-locked memory that stays; the copy has ended.
        let bytes = unsafe { std::slice::from_raw_parts(here.cast_const(), 8 * count as usize) };
        Ok(bytes.chunks_exact(8).map(word).collect())
    }

    /// Makes room for what arrives. All ranks know how much that is for each; where one has too little, all wait, because making room may
    /// wait for kernels that wait for what has yet to be queued.
    fn make_room(
        &mut self,
        count: &dyn Fn(usize, usize) -> usize,
        size: usize,
        state: &mut RankState,
    ) -> Result<(), Failure> {
        let (me, ranks) = (self.me as usize, self.plan.ranks as usize);
        let needs = |to: usize| -> u64 {
            (0..ranks).filter(|r| *r != to).map(|r| room_for(count(r, to), size)).sum::<usize>() as u64
        };
        let w = self.scatters.sorter.as_mut().ok_or_else(|| Failure::Internal("nothing sorts".into()))?;
        let grows = (0..ranks).any(|r| needs(r) > w.most[r]);
        (0..ranks).for_each(|r| w.most[r] = w.most[r].max(needs(r)));
        if grows {
            w.arrived.on_device(needs(me) as usize, &mut self.gpu).map_err(broken)?;
            w.arrived_here.on_host(needs(me) as usize, &mut self.gpu).map_err(broken)?;
            state.comm.gathered(&[])?;
        }
        Ok(())
    }

    /// Sends the places and values that belong to other ranks.
    fn send_sorted(
        &mut self,
        v: Sorted,
        send: &dyn Fn(usize) -> Range<usize>,
        size: usize,
        state: &mut RankState,
    ) -> Result<(), Failure> {
        let clock = Instant::now();
        let w = self.sorter()?;
        let (packed, here) = (w.packed.at, w.sent_here.at);
        let others: Vec<(i64, Range<usize>)> =
            (0..self.plan.ranks).filter(|r| *r != self.me).map(|r| (r, send(r as usize))).collect();
        let mut at = here;
        for (_, range) in others.iter().filter(|o| !o.1.is_empty()) {
            let (first, n) = (range.start as u64, range.len());
            // SAFETY: a value belongs to one of these ranks, or to all of them, and there is room for all copies; the wait follows.
            unsafe {
                self.gpu.download(at as *mut u8, v.keys + 4 * first, 4 * n).map_err(broken)?;
                self.gpu
                    .download((at as usize + 4 * n) as *mut u8, packed + first * size as u64, n * size)
                    .map_err(broken)?;
            }
            at += (n * (4 + size)) as u64;
        }
        self.gpu.wait().map_err(broken)?;
        let (mut at, mut sent) = (here, (0, 0));
        for (peer, range) in others.into_iter().filter(|o| !o.1.is_empty()) {
            let bytes = range.len() * (4 + size);
            let mut message = state.comm.buffer(bytes);
            // SAFETY: page-locked memory, whose copy has ended.
            message.copy_from_slice(unsafe { std::slice::from_raw_parts(at as *const u8, bytes) });
            at += bytes as u64;
            sent = (sent.0 + 1, sent.1 + bytes as u64);
            state.comm.send(peer, message)?;
        }
        state.stats.sent_beside(sent);
        state.stats.spent(Kind::Send, clock);
        Ok(())
    }

    /// Waits for a rank's places and values and brings them to the device, `at` bytes behind what came before.
    fn arrived_from(
        &mut self,
        from: usize,
        count: usize,
        (at, size): (&mut usize, usize),
        state: &mut RankState,
    ) -> Result<Sorted, Failure> {
        let w = self.sorter()?;
        let (there, here) = (w.arrived.at + *at as u64, w.arrived_here.at + *at as u64);
        *at += room_for(count, size);
        let values = there + (4 * count).next_multiple_of(256) as u64;
        if count > 0 {
            let clock = Instant::now();
            let message = state.comm.receive(from as i64, count * (4 + size))?;
            state.stats.spent(Kind::Wait, clock);
            // SAFETY: both blocks have room for what arrives, and the last copy from there has ended.
            unsafe {
                std::ptr::copy_nonoverlapping(message.as_ptr(), here as *mut u8, message.len());
                self.gpu.upload(there, here as *const u8, 4 * count).map_err(broken)?;
                self.gpu.upload(values, (here as usize + 4 * count) as *const u8, count * size).map_err(broken)?;
            }
            state.comm.recycle(from as i64, message);
        }
        Ok(Sorted { keys: there, positions: 0, values, count: count as u64 })
    }
}

/// Bytes that so many places and values take where they arrive.
fn room_for(count: usize, size: usize) -> usize {
    (4 * count).next_multiple_of(256) + (count * size).next_multiple_of(256)
}

//! Scatters whose places change from one to the next: the GPU sorts the values by their elements, those of one element in the order of the
//! values, and every element takes its own in a row (`codegen/cuda/sort.cu`). Of several ranks each sorts its own. What belongs to another
//! rank's elements then lies in a row too: a peer reads it where it lies, to others it travels with its places. Every rank takes what the
//! ranks have for it rank by rank, so elements meet their values in the order of the indices, as `runtime/scatter.rs` has it.

use std::time::Instant;

use super::carry;
use super::device::{CudaDevice, broken};
use super::driver::{Call, Function, Launch};
use super::scatter::{Room, spots, takes};
use super::start::Setup;
use super::transport::peer::{Carrying, link};
use super::transport::staging::Staged;
use crate::codegen::cuda::scatter::{DIGITS, LONG, Order, THREADS, TILE, Take};
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

/// Bytes that a rank needs to sort the values of a scatter, without those that travel through the host.
pub fn bytes(plan: &Plan, index: ArrayId, rank: i64) -> u64 {
    let (n, tiles) = amount(plan, index, rank);
    Shelf::of(plan).bytes + 8 * n + 4 * DIGITS * tiles + long_words(plan, index) * 4
}

/// Elements that may take many values of one rank, which all ranks sort: their list, and how long it is.
fn long_words(plan: &Plan, index: ArrayId) -> u64 {
    (0..plan.ranks).map(|r| amount(plan, index, r).0 / LONG + 2).max().unwrap_or(2)
}

/// What sorted scatters of a plan share, and peers read: in bytes from where it begins, alike on every rank.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shelf {
    /// Places before and after a digit.
    keys: [u64; 2],
    /// Values in the order of their elements.
    values: u64,
    pub bytes: u64,
}

impl Shelf {
    /// Room for the largest of a plan's scatters, on any rank.
    pub fn of(plan: &Plan) -> Shelf {
        let most = |a: ArrayId| (0..plan.ranks).map(|r| amount(plan, a, r).0).max().unwrap_or(0);
        let (mut keys, mut values) = (0, 0);
        for ([into, index], _) in sorted(plan) {
            let size = plan.array(into).array.ty.size() as u64;
            keys = (4 * most(index)).next_multiple_of(512).max(keys);
            values = (size * most(index)).max(values);
        }
        let values = if plan.ranks > 1 { values } else { 0 };
        Shelf { keys: [0, keys], values: 2 * keys, bytes: 2 * keys + values }
    }
}

/// The plan's sorted scatters: elements, places, and the kernel that applies values.
fn sorted(plan: &Plan) -> Vec<([ArrayId; 2], Take)> {
    takes(plan).into_iter().filter(|t| t.1.order == Order::Sorted).collect()
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
    shelf: Shelf,
    /// Positions, before and after a digit.
    positions: [u64; 2],
    counts: u64,
    totals: u64,
    longs: u64,
    /// How many values lie before each of those ends, here and on the host.
    found: u64,
    found_here: *mut u8,
    /// Says to all peers that this rank has read what they have for it, and waits for their word.
    read: Option<Carrying>,
    /// Places and values that travel: for other ranks, on the host only, and of them.
    sent_here: Room,
    arrived: Room,
    arrived_here: Room,
    /// Bytes that travelled at most, by rank.
    most: Vec<usize>,
}

impl Sorter {
    /// Finds the kernels of a plan's scatters and makes room for the largest.
    pub fn new(setup: &mut Setup) -> Result<Sorter, Problem> {
        let Setup { plan, me, gpu, memory, links, function, bad } = setup;
        let (plan, me, function, bad) = (*plan, *me, *function, *bad);
        let (mut n, mut tiles, mut longs) = (0, 0, 2);
        let (mut long, mut ends) = (HashMap::new(), HashMap::new());
        for ([into, index], take) in sorted(plan) {
            let (values, pieces) = amount(plan, index, me);
            (n, tiles, longs) = (n.max(values), tiles.max(pieces), longs.max(long_words(plan, index)));
            long.insert(index, function(&take.long_name())?);
            let all = (0..plan.ranks).map(|r| owned(plan, into, r)).flat_map(|r| [r.start, r.end]);
            let all: Vec<u64> = all.collect();
            ends.insert(index, carry::keep(gpu, &all).map_err(bad)?);
        }
        let peers = (0..plan.ranks).filter(|q| links.is_peer(*q));
        let peers: Vec<_> =
            peers.filter_map(|q| Some(link(memory.arena, links.remotes[q as usize].as_ref()?, me, q))).collect();
        let read = if peers.is_empty() {
            None
        } else {
            let words: Vec<_> = peers.iter().map(|p| (*p, vec![])).collect();
            Some(Carrying::new(gpu, &words, &peers).map_err(bad)?)
        };
        let found_here = gpu.pin(16 * plan.ranks as usize).map_err(bad)?;
        let mut room = |bytes: u64| gpu.alloc(bytes as usize).map_err(bad);
        Ok(Sorter {
            count: [function("mgpu_sort_count_first")?, function("mgpu_sort_count")?],
            moves: [function("mgpu_sort_move_first")?, function("mgpu_sort_move")?],
            places: function("mgpu_sort_places")?,
            find: function("mgpu_sort_find")?,
            long,
            ends,
            shelf: Shelf::of(plan),
            positions: [room(4 * n)?, room(4 * n)?],
            counts: room(4 * DIGITS * tiles)?,
            totals: room(4 * DIGITS)?,
            longs: room(4 * longs)?,
            found: room(16 * plan.ranks as u64)?,
            found_here,
            read,
            sent_here: Room::default(),
            arrived: Room::default(),
            arrived_here: Room::default(),
            most: vec![0; plan.ranks as usize],
        })
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

impl Sorted {
    /// Some of the values, which lie in a row.
    fn part(self, some: Range<u64>, size: usize) -> Sorted {
        Sorted {
            keys: self.keys + 4 * some.start,
            values: self.values + size as u64 * some.start,
            count: some.end.saturating_sub(some.start),
            ..self
        }
    }

    /// The messages that bring the places and the values to a rank, by way of the host's memory from `host` on.
    fn messages(self, peer: i64, size: usize, host: usize) -> [Staged; 2] {
        let n = self.count as usize;
        let of = |device: u64, bytes: usize, host: usize| Staged { peer, bytes, device, host: host as *mut u8 };
        [of(self.keys, 4 * n, host), of(self.values, size * n, host + places_room(n))]
    }
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
        let own = self.sorted(s)?;
        if self.plan.ranks == 1 {
            return self.fold(s, function, own);
        }
        let size = self.plan.array(s.into).array.ty.size();
        let own = self.in_a_row(own, size)?;
        let found = self.split_by_owner(s, own)?;
        let clock = Instant::now();
        // Behind this every rank's values lie in a row.
        let all = state.comm.gathered(&found)?;
        state.stats.spent(Kind::Wait, clock);
        let some = |from: i64, to: i64| -> Range<u64> {
            let ends = &all.part(from as usize)[16 * to as usize..];
            word(&ends[..8])..word(&ends[8..16]).max(word(&ends[..8]))
        };
        for part in self.parts(own, &some, size, state)? {
            self.fold(s, function, part)?;
        }
        // The next scatter writes where peers have read.
        if let Some(read) = &self.sorter()?.read {
            let launch = read.clone().launch(self.carry, 0, 0, self.stop);
            self.queue.push_using(launch, &[]);
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
        let (counts, totals, shelf, positions) = (w.counts, w.totals, w.shelf, w.positions);
        let keys = shelf.keys.map(|at| self.memory.shelf() + at);
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

    /// Brings sorted values in a row.
    fn in_a_row(&mut self, v: Sorted, size: usize) -> Result<Sorted, Failure> {
        let pick = self.scatters.pick.ok_or_else(|| Failure::Internal("no kernel packs values".into()))?;
        let to = self.memory.shelf() + self.sorter()?.shelf.values;
        if v.count > 0 {
            let blocks = v.count.div_ceil(u64::from(THREADS)).min(u64::from(self.most_blocks) * 8);
            self.go(pick, blocks, vec![to, v.values, v.positions, v.count, size as u64, 0]);
        }
        Ok(Sorted { positions: 0, values: to, ..v })
    }

    /// Finds for each rank how many of the values lie before its first element, and before what is behind its last: two words of 8 bytes.
    /// Everything queued has run then.
    fn split_by_owner(&mut self, s: &Scatter, v: Sorted) -> Result<Vec<u8>, Failure> {
        let count = 2 * self.plan.ranks as u64;
        let w = self.sorter()?;
        let (find, found, here) = (w.find, w.found, w.found_here);
        let ends = w.ends.get(&s.key()).copied().unwrap_or(0);
        self.go(find, count.div_ceil(u64::from(THREADS)), vec![v.keys, v.count, ends, found, count]);
        self.queue.flush(&self.gpu).map_err(broken)?;
        // SAFETY: both blocks have room for so many numbers; the wait follows.
        unsafe { self.gpu.download(here, found, 8 * count as usize) }.map_err(broken)?;
        self.gpu.wait().map_err(broken)?;
        // SAFETY: page-locked memory that stays; the copy has ended.
        Ok(unsafe { std::slice::from_raw_parts(here.cast_const(), 8 * count as usize) }.to_vec())
    }

    /// What each rank has for this one, `some(from, to)` of all that `from` has: peers' where it lies, others' brought here.
    fn parts(
        &mut self,
        own: Sorted,
        some: &dyn Fn(i64, i64) -> Range<u64>,
        size: usize,
        state: &mut RankState,
    ) -> Result<Vec<Sorted>, Failure> {
        let clock = Instant::now();
        let (me, ranks) = (self.me, self.plan.ranks);
        if !self.links.all_peers {
            self.make_room(&|from, to| room_for(own.part(some(from, to), size).count as usize, size), state)?;
        }
        let (shelf, w) = (self.memory.shelf(), self.sorter()?);
        let (mut sent_here, mut arrived, mut arrived_here) = (w.sent_here.at, w.arrived.at, w.arrived_here.at);
        let (mut parts, mut sends, mut receives, mut sent) = (vec![], vec![], vec![], (0, 0));
        for q in 0..ranks {
            let (to, from) = (own.part(some(me, q), size), some(q, me));
            let remote = self.links.remotes[q as usize].as_ref().filter(|_| self.links.is_peer(q));
            if q == me {
                parts.push(to);
                continue;
            }
            if to.count > 0 {
                sent = (sent.0 + 1, sent.1 + to.count * (4 + size as u64));
            }
            if let Some(remote) = remote {
                let there = |at: u64| remote.shelf + (at - shelf);
                let all = Sorted { keys: there(own.keys), values: there(own.values), ..own };
                parts.push(all.part(from, size));
                continue;
            }
            sends.extend(to.messages(q, size, sent_here as usize));
            sent_here += room_for(to.count as usize, size) as u64;
            let count = from.end - from.start;
            let values = arrived + places_room(count as usize) as u64;
            let part = Sorted { keys: arrived, positions: 0, values, count };
            receives.extend(part.messages(q, size, arrived_here as usize));
            (arrived, arrived_here) =
                (arrived + room_for(count as usize, size) as u64, arrived_here + room_for(count as usize, size) as u64);
            parts.push(part);
        }
        sends.retain(|m| m.bytes > 0);
        receives.retain(|m| m.bytes > 0);
        if !sends.is_empty() || !receives.is_empty() {
            self.carry_packed(&sends, &receives, state)?;
        }
        state.stats.sent_beside(sent);
        state.stats.spent(Kind::Send, clock);
        Ok(parts)
    }

    /// Makes room for what travels, `bytes(from, to)`. All ranks know that of each; where one has too little, all wait, because making room
    /// may wait for kernels that wait for what has yet to be queued.
    fn make_room(&mut self, bytes: &dyn Fn(i64, i64) -> usize, state: &mut RankState) -> Result<(), Failure> {
        let ranks = self.plan.ranks;
        let others = |r: i64| (0..ranks).filter(move |q| *q != r);
        let sent = |r: i64| others(r).map(|q| bytes(r, q)).sum::<usize>();
        let arrives = |r: i64| others(r).map(|q| bytes(q, r)).sum::<usize>();
        let (me, gpu) = (self.me, &mut self.gpu);
        let w = self.scatters.sorter.as_mut().ok_or_else(|| Failure::Internal("nothing sorts".into()))?;
        let needs: Vec<usize> = (0..ranks).map(|r| sent(r).max(arrives(r))).collect();
        if needs.iter().zip(&w.most).any(|(n, most)| n > most) {
            w.most.iter_mut().zip(&needs).for_each(|(most, n)| *most = (*most).max(*n));
            let most = w.most[me as usize];
            let mut made = || {
                w.sent_here.on_host(most, gpu)?;
                w.arrived_here.on_host(most, gpu)?;
                w.arrived.on_device(most, gpu)
            };
            made().map_err(broken)?;
            state.comm.gathered(&[])?;
        }
        Ok(())
    }
}

/// Bytes that so many places take where they travel.
fn places_room(count: usize) -> usize {
    (4 * count).next_multiple_of(256)
}

/// The same with their values.
fn room_for(count: usize, size: usize) -> usize {
    places_room(count) + (count * size).next_multiple_of(256)
}

//! Sweeps linked with their exchanges. Where ghost cells are rows of the array that a sweep has just written, the sweep itself stores
//! its first and last rows into the neighbours' memory and delivers the messages (`mg_rim` of the prelude); the next sweep waits
//! for what arrives in the blocks that read it, while all others run. An exchange then costs no kernel of its own.
//!
//! The launch of a sweep waits in the queue, so it can still be changed when its exchange comes. What cannot be linked travels by
//! the kernel that carries messages, with the same counters, so both ends decide for themselves.

use super::beside::{Small, leaves_room};
use super::carry;
use super::device::{CudaDevice, broken};
use super::driver::{Call, Launch};
use super::storage::padded;
use super::transport::peer::{Carrying, WHOLE, link};
use crate::codegen::cuda::{Form, Kernel, March};
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{ArrayId, Store};
use crate::ir::plan::region::{Mode, Piece};
use crate::ir::plan::{ExchangeId, Item, PlanNestId};
use crate::runtime::copy::strides;
use crate::runtime::exchange::Place;
use crate::runtime::failure::Failure;

/// `mg_rim` of the prelude.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Rim {
    wait: [u64; 2],
    to: [u64; 2],
    theirs: [u64; 2],
    far: [i64; 2],
    rows: [i64; 2],
    chunks: [u32; 2],
    blocks: [u32; 2],
    share: [u32; 2],
    store: [u32; 2],
    first: u64,
    stop: u64,
}

/// The last sweep, while its launch may still be changed.
pub struct Sweep {
    pub number: u64,
    nest: PlanNestId,
    plain: Launch,
    rim: Rim,
    /// Where its stores went.
    stores: Vec<u64>,
}

/// An exchange whose messages are on the way and have not been waited for.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    exchange: ExchangeId,
    /// Where the array lies.
    at: u64,
}

/// What a sweep delivers to the rank below or above: its rows, and from its store to their copies.
#[derive(Clone, Copy, Debug)]
struct End {
    peer: i64,
    rows: i64,
    far: i64,
    store: u32,
}

/// What is known of linking an exchange with the sweep before or after it.
#[derive(Clone, Debug, Default)]
pub struct Known {
    ends: Option<[Option<End>; 2]>,
}

/// The peers below and above from whom ghost rows come, and how many rows.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    peers: [Option<i64>; 2],
    reach: [i64; 2],
}

/// How a march divides its rows into chunks.
struct Chunks {
    dim: usize,
    rows: i64,
    count: i64,
    blocks: i64,
}

impl Chunks {
    fn of(m: &March, part: &IndexBox, launch: &Launch) -> Option<Chunks> {
        let dim = m.dim?;
        if m.anchored && part.dims[dim].lo % m.rows != 0 {
            return None;
        }
        let (x, y, z) = (i64::from(launch.grid.0), i64::from(launch.grid.1), i64::from(launch.grid.2));
        match m.others.split_last() {
            None => Some(Chunks { dim, rows: m.rows * i64::from(m.block.1), count: y, blocks: x }),
            Some((_, outer)) => {
                let each: i64 = outer.iter().map(|o| part.dims[*o].len()).product();
                Some(Chunks { dim, rows: m.rows, count: z / each.max(1), blocks: x * y * each })
            }
        }
    }

    /// Makes the chunks with the first `low` or the last `high` rows wait and deliver.
    fn cover(&self, rim: &mut Rim, low: i64, high: i64, rows: i64) {
        let below = (low + self.rows - 1) / self.rows;
        let above = if high == 0 { self.count } else { (rows - high) / self.rows };
        rim.chunks[0] = rim.chunks[0].max(below as u32);
        rim.chunks[1] = rim.chunks[1].min(above as u32);
        let high = self.count - i64::from(rim.chunks[1]).min(self.count);
        rim.first = (u64::from(rim.chunks[1])).min(self.count as u64) * self.blocks as u64;
        rim.blocks = [(i64::from(rim.chunks[0]) * self.blocks) as u32, (high * self.blocks) as u32];
        rim.share = rim.blocks.map(|n| WHOLE / n.max(1));
    }
}

/// The march of a kernel.
fn march(k: &Kernel) -> Option<&March> {
    if let Form::March(m) = &k.form { Some(m) } else { None }
}

impl CudaDevice<'_> {
    /// The array and the dimension of an exchange of ghost rows along one dimension, and the widths below and above.
    fn rows_of(&self, ex: ExchangeId) -> Option<(ArrayId, usize, [i64; 2])> {
        let [Item::Ghost { array, arms }] = &self.plan.exchanges[ex.0 as usize].items[..] else { return None };
        let layout = &self.plan.array(*array).layout;
        let divided = |k: &usize| layout.cuts[*k].is_some_and(|c| c.parts > 1);
        let widths =
            |k: usize| arms.iter().fold([0, 0], |w: [i64; 2], a| [w[0].max(a.widths[k].0), w[1].max(a.widths[k].1)]);
        // Along other dimensions there are edges only, which kernels find when they read.
        let mut wide = (0..layout.shape.len()).filter(divided).filter(|k| widths(*k) != [0, 0]);
        let dim = wide.next().filter(|_| wide.next().is_none())?;
        Some((*array, dim, widths(dim)))
    }

    fn pieces(&self, ex: ExchangeId, from: i64, to: i64) -> Vec<Piece> {
        let items = &self.plan.exchanges[ex.0 as usize].items;
        items.iter().flat_map(|i| self.plan.needs(i, to).pieces).filter(|p| p.from == from).collect()
    }

    /// Delivers an exchange by the last sweep, if it wrote just what travels; `false` if not. Nobody may have to ask.
    pub(super) fn deliver(&mut self, ex: ExchangeId, to: &[i64]) -> Option<()> {
        let sweep = self.sweep.as_ref()?;
        let (array, _, _) = self.rows_of(ex)?;
        // The sweep's arrays may have changed roles since.
        let here = self.address(Place::Array(array));
        let mut stores = (0..sweep.stores.len()).filter(|s| sweep.stores[*s] == here);
        let store = stores.next().filter(|_| stores.next().is_none())?;
        let key = (ex.0, sweep.nest.0, here, store);
        if !self.known.contains_key(&key) {
            let ends = self.ends(ex, to, sweep.nest, store);
            self.known.insert(key, Known { ends });
        }
        let ends = self.known[&key].ends?;
        let sweep = self.sweep.as_ref()?;
        let k = sweep.nest.0 as usize;
        let (part, m) = (self.work[k].part.as_ref()?, march(self.unit.kernels[k].linked.as_ref()?)?);
        let chunks = Chunks::of(m, part, &sweep.plain)?;
        let (mut rim, rows) = (sweep.rim, part.dims[chunks.dim].len());
        rim.rows = [0, rows];
        for (side, end) in ends.iter().enumerate() {
            let Some(end) = end else { continue };
            let remote = self.links.remotes[end.peer as usize].as_ref()?;
            let (mine, theirs) = link(self.memory.arena, remote, self.me, end.peer);
            if rim.wait[1 - side] == mine {
                // The blocks that store there do not wait for that rank, which may still read what they would overwrite.
                return None;
            }
            (rim.to[side], rim.theirs[side]) = (mine, theirs);
            (rim.far[side], rim.store[side]) = (end.far, end.store);
            rim.rows[side] = if side == 0 { end.rows } else { rows - end.rows };
        }
        let wide = |side: usize| ends[side].map_or(0, |e: End| e.rows);
        chunks.cover(&mut rim, wide(0), wide(1), rows);
        let launch = self.linked(k, &sweep.plain.clone(), rim).ok()?;
        let number = self.sweep.as_ref()?.number;
        *self.queue.waiting(number)? = launch;
        self.sweep = None;
        self.due = Some(Due { exchange: ex, at: here });
        self.delivered += 1;
        Some(())
    }

    /// Where the messages of an exchange leave from the part of a sweep, by store number `number` of it.
    fn ends(&self, ex: ExchangeId, to: &[i64], nest: PlanNestId, number: usize) -> Option<[Option<End>; 2]> {
        let (array, dim, _) = self.rows_of(ex)?;
        let part = self.work[nest.0 as usize].part.as_ref()?;
        let m = march(self.unit.kernels[nest.0 as usize].linked.as_ref()?)?;
        let here = self.address(Place::Array(array));
        let store = &self.plan.nest(nest).nest.stores[number];
        let layout = &self.plan.array(array).layout;
        let owned = layout.part(self.me);
        // The store writes every owned element at its own index.
        let mut used = vec![];
        for (k, a) in store.index.iter().enumerate() {
            let d = a.dim().filter(|d| a.konst == 0 && !used.contains(d))?;
            if part.dims[d] != owned.dims[k] {
                return None;
            }
            used.push(d);
        }
        if m.dim != store.index[dim].dim() {
            return None;
        }
        let mut ends: [Option<End>; 2] = [None, None];
        for peer in to {
            let [piece] = &self.pieces(ex, self.me, *peer)[..] else { return None };
            let plain = piece.modes.iter().all(|m| *m == Mode::Shift) && !piece.negate;
            let whole = (0..owned.rank()).all(|k| k == dim || piece.src.dims[k] == owned.dims[k]);
            let (s, o) = (piece.src.dims[dim], owned.dims[dim]);
            if !plain || !whole || s.len() >= o.len() {
                return None;
            }
            let side = if s.lo == o.lo {
                0
            } else if s.hi == o.hi {
                1
            } else {
                return None;
            };
            let place = Place::Array(array);
            let far = self.links.remotes[*peer as usize].as_ref()?.address(place, &self.arrays, &self.memory.turned);
            let at = |rank: i64, index: &IndexBox| {
                let b = padded(self.plan, place, rank);
                let steps = strides(&b);
                let offset: i64 = (0..b.rank()).map(|k| (index.dims[k].lo - b.dims[k].lo) * steps[k]).sum();
                offset * self.plan.array(array).array.ty.size() as i64
            };
            let distance = (far as i64 + at(*peer, &piece.dst)).wrapping_sub(here as i64 + at(self.me, &piece.src));
            let end = End { peer: *peer, rows: s.len(), far: distance, store: number as u32 + 1 };
            if ends[side].replace(end).is_some() {
                return None;
            }
        }
        Some(ends)
    }

    /// Notes the launch of a sweep, and makes it wait for the messages that are on the way where it reads them.
    pub(super) fn sweeps(&mut self, id: PlanNestId, fast: Option<Launch>, launch: Launch) -> Result<(), Failure> {
        let k = id.0 as usize;
        let scalars = self.work[k].moving.iter().map(|s| self.scalar(*s));
        let places = self.work[k].places.iter().map(|p| self.address(*p));
        let words: Vec<u64> = self.work[k].accumulators.iter().copied().chain(scalars).chain(places).collect();
        let Some(plain) = fast.filter(|_| self.unit.kernels[k].linked.is_some()) else {
            self.settle()?;
            self.beside_last(k, &launch);
            let few = leaves_room(&launch);
            let number = self.queue.push_sweep(launch, &words);
            self.small = few.then(|| Small { nest: k, number, words, touched: self.touched(k) });
            self.sweep = None;
            return Ok(());
        };
        let mut rim = Rim { stop: self.stop, chunks: [0, u32::MAX], ..Rim::default() };
        let mut launch = launch;
        if let Some(due) = self.due {
            match self.waiting(id, due, &plain, &mut rim) {
                Some(()) => {
                    self.due = None;
                    launch = self.linked(k, &plain, rim)?;
                }
                None => self.settle()?,
            }
        }
        let number = self.queue.push_sweep(launch, &words);
        let place = |s: &Store| self.address(self.work[k].places[s.operand.0 as usize]);
        let stores = self.plan.nest(id).nest.stores.iter().map(place).collect();
        self.sweep = Some(Sweep { number, nest: id, plain, rim, stores });
        Ok(())
    }

    /// Lets the blocks of a sweep wait that read ghost rows of an exchange.
    fn waiting(&mut self, id: PlanNestId, due: Due, plain: &Launch, rim: &mut Rim) -> Option<()> {
        let key = (due.exchange.0, id.0, due.at);
        if !self.waits.contains_key(&key) {
            let waits = self.waits_of(id, due);
            self.waits.insert(key, waits);
        }
        let waits = self.waits[&key]?;
        let k = id.0 as usize;
        let (part, m) = (self.work[k].part.as_ref()?, march(self.unit.kernels[k].linked.as_ref()?)?);
        let chunks = Chunks::of(m, part, plain)?;
        for (side, peer) in waits.peers.iter().enumerate() {
            let Some(peer) = peer else { continue };
            rim.wait[side] = link(self.memory.arena, self.links.remotes[*peer as usize].as_ref()?, self.me, *peer).0;
        }
        chunks.cover(rim, waits.reach[0], waits.reach[1], part.dims[chunks.dim].len());
        Some(())
    }

    fn waits_of(&self, id: PlanNestId, due: Due) -> Option<Waits> {
        let (array, dim, widths) = self.rows_of(due.exchange)?;
        let (n, work) = (self.plan.nest(id), &self.work[id.0 as usize]);
        let part = work.part.as_ref()?;
        let d = march(self.unit.kernels[id.0 as usize].linked.as_ref()?)?.dim?;
        let owned = self.plan.array(array).layout.part(self.me);
        if part.dims[d] != owned.dims[dim] {
            return None;
        }
        for a in &n.nest.accesses {
            if self.address(work.places[a.operand.0 as usize]) == due.at && a.index[dim].dim() != Some(d) {
                return None;
            }
        }
        let (mut peers, mut reach) = ([None, None], [0, 0]);
        for m in &self.legs[due.exchange.0 as usize][0].schedule.receives {
            let side = |p: &Piece| -> Option<usize> {
                let (r, o): (Interval, Interval) = (p.dst.dims[dim], owned.dims[dim]);
                if r.hi <= o.lo {
                    Some(0)
                } else if r.lo >= o.hi {
                    Some(1)
                } else {
                    None
                }
            };
            let pieces = self.pieces(due.exchange, m.peer, self.me);
            let s = side(pieces.first()?)?;
            if pieces.iter().any(|p| side(p) != Some(s)) || peers[s].replace(m.peer).is_some() {
                return None;
            }
            reach[s] = widths[s];
        }
        Some(Waits { peers, reach })
    }

    /// The linked launch of a sweep.
    fn linked(&self, k: usize, plain: &Launch, rim: Rim) -> Result<Launch, Failure> {
        let function = self.work[k].linked.ok_or_else(|| Failure::Internal("a sweep has no linked form".into()))?;
        // The rim is the last argument.
        let words = plain.words.iter().copied().chain(carry::words(&rim)).collect();
        Ok(Launch { call: Call::Kernel(function), words, ..plain.clone() })
    }

    /// What comes next may read anything: waits for messages that are on the way, and leaves the last sweep as it is.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        self.sweep = None;
        let Some(due) = self.due.take() else { return Ok(()) };
        let e = due.exchange.0;
        if !self.awaited.contains_key(&e) {
            let peers: Vec<i64> = self.legs[e as usize][0].schedule.receives.iter().map(|m| m.peer).collect();
            let links = peers
                .iter()
                .filter_map(|q| Some(link(self.memory.arena, self.links.remotes[*q as usize].as_ref()?, self.me, *q)));
            let made = Carrying::new(&mut self.gpu, &[], &links.collect::<Vec<_>>()).map_err(broken)?;
            self.awaited.insert(e, made);
        }
        self.queue.push_using(self.awaited[&e].launch(self.carry, 0, 0, self.stop), &[]);
        Ok(())
    }
}

//! Views of which only the elements that are read travel, where subscripts are values. The ranks tell one another once which elements
//! these are and where they belong; then a kernel stores them into the views of peers, and packs those for others. GPUs that are all
//! peers of one another exchange whole boxes: that takes less time than reading the subscripts on the host.

use std::collections::HashMap;
use std::time::Instant;

use super::carry::{self, DeviceCopy, bytes_of};
use super::device::{CudaDevice, broken};
use super::driver::{CudaError, Gpu};
use super::edges::Edges;
use super::scatter::{Image, Room};
use super::storage::padded;
use super::transport::peer::{Carrying, link};
use super::transport::staging::Staged;
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::Access;
use crate::ir::plan::{Inspection, Plan, ViewId};
use crate::runtime::copy::strides;
use crate::runtime::device::Binding;
use crate::runtime::device::inspect::{self, Lists};
use crate::runtime::exchange::Place;
use crate::runtime::failure::Failure;
use crate::runtime::numbers::{Numbers, tell};
use crate::runtime::scatter::chains::Spots;
use crate::runtime::state::RankState;
use crate::runtime::trace::Kind;

/// Lists that were used fewer times than this before they changed are not made again.
const WORTH: u64 = 8;

/// What a device has for such views.
#[derive(Default)]
pub struct Gathers {
    kept: HashMap<ViewId, Kept>,
    /// Exchanges of listed elements.
    pub carried: u64,
}

/// What is kept of a view.
#[derive(Default)]
struct Kept {
    /// The lists; none: whole boxes travel.
    lists: Option<Listed>,
    /// How often these lists have been made and used.
    made: u64,
    used: u64,
    numbers: Room,
    /// Staging memory, on the device and on the host.
    packed: Room,
    pinned: Room,
    /// Descriptions of copies in device memory, by the block that the array is in.
    slots: HashMap<u32, Slot>,
}

/// Elements of one message: where their numbers lie, and how many there are.
#[derive(Clone, Copy, Default)]
struct Part {
    from: u64,
    to: u64,
    count: usize,
}

/// Where the elements lie that travel.
struct Listed {
    /// By receiver, this rank too: the elements here, and their places there.
    sends: Vec<Part>,
    /// By owner: the places here.
    takes: Vec<Part>,
    /// Messages that are packed, and the first bytes of their staging memory.
    packed: [Vec<Staged>; 2],
}

/// Copies for one block of the array, as they are in device memory.
struct Slot {
    at: u64,
    /// Which lists they are of.
    made: u64,
    carrying: Option<Carrying>,
    packing: [(u64, Vec<DeviceCopy>); 2],
}

/// Whether subscripts stand past an edge that kernels find when they read: no ghost cell has them.
fn folds(plan: &Plan, view: ViewId, inspection: &Inspection) -> bool {
    let n = plan.nest(plan.views[view.0 as usize].nest);
    let decides = |a: &Access| inspection.arrays.contains(&n.nest.operands[a.operand.0 as usize].array);
    let deciding = (0..n.nest.accesses.len()).filter(|k| decides(&n.nest.accesses[*k]));
    let edges = Edges::of(plan);
    deciding.into_iter().any(|k| edges.access(plan, n, k).iter().any(Option::is_some))
}

impl CudaDevice<'_> {
    /// Lists the elements of a view that this rank's part of its nest reads, and tells their owners. A collective.
    pub(super) fn inspect_view(&mut self, view: ViewId, state: &mut RankState) -> Result<(), Failure> {
        let plan = self.plan;
        let Some(inspection) = &plan.views[view.0 as usize].inspection else { return Ok(()) };
        // All ranks know this alike.
        if self.links.all_peers && std::env::var_os("MGPU_LISTS").is_none() {
            return Ok(());
        }
        let mut kept = self.gathers.kept.remove(&view).unwrap_or_default();
        let array = plan.views[view.0 as usize].array;
        let short = |place: Place| (0..plan.ranks).all(|r| padded(plan, place, r).len() < 1 << 32);
        let worth = kept.made == 0 || kept.lists.is_some() && kept.used >= WORTH;
        kept.lists = None;
        if worth && short(Place::View(view)) && short(Place::Array(array)) && !folds(plan, view, inspection) {
            (kept.made, kept.used) = (kept.made + 1, 0);
            self.make_lists(view, inspection, &mut kept, state)?;
        }
        self.gathers.kept.insert(view, kept);
        Ok(())
    }

    fn make_lists(
        &mut self,
        view: ViewId,
        inspection: &Inspection,
        kept: &mut Kept,
        state: &mut RankState,
    ) -> Result<(), Failure> {
        // Nothing queued may need what was listed last; other ranks' kernels may wait for what is queued here.
        self.settle()?;
        self.queue.flush(&self.gpu).map_err(broken)?;
        self.gpu.wait().map_err(broken)?;
        let clock = Instant::now();
        let read = self.read_of(view, inspection)?;
        state.stats.spent(Kind::Compute, clock);
        let Some(lists) = Lists::agreed(self.plan, view, &read, state)? else { return Ok(()) };
        let theirs = tell(state, lists.takes.clone(), 4)?;
        kept.lists = Some(self.bring(view, &lists, &theirs, kept).map_err(broken)?);
        // Allocating may wait for kernels that wait for another rank's: nobody sends before all have.
        state.comm.gathered(&[])?;
        Ok(())
    }

    /// For every element of the view's box whether this rank reads it.
    fn read_of(&self, view: ViewId, inspection: &Inspection) -> Result<Vec<bool>, Failure> {
        let v = &self.plan.views[view.0 as usize];
        let (n, work) = (self.plan.nest(v.nest), &self.work[v.nest.0 as usize]);
        let Some(part) = &work.part else { return Ok(vec![]) };
        let mut data: Vec<Vec<u8>> = vec![];
        let mut bindings = vec![];
        for (k, place) in work.places.iter().enumerate() {
            let (real, stored) = (place.storage(self.plan, self.me), padded(self.plan, *place, self.me));
            let decides = k != v.operand && inspection.arrays.contains(&n.nest.operands[k].array);
            let bytes = if decides { stored.len().max(0) as usize * n.nest.operands[k].ty.size() } else { 0 };
            let mut here = vec![0u8; bytes];
            self.gpu.get(self.address(*place), &mut here).map_err(broken)?;
            bindings.push(Binding {
                ptr: if bytes == 0 { std::ptr::null_mut() } else { here.as_mut_ptr() },
                lo: stored.dims.iter().map(|d| d.lo).collect(),
                hi: real.dims.iter().map(|d| d.hi).collect(),
                strides: strides(&stored),
            });
            data.push(here);
        }
        let read = inspect::read_elements(self.plan, (view, inspection), part, &bindings, self.me);
        drop(data);
        Ok(read)
    }

    /// Brings the lists into device memory, in place of the last ones.
    fn bring(&mut self, view: ViewId, lists: &Lists, theirs: &[Numbers], kept: &mut Kept) -> Result<Listed, CudaError> {
        let (plan, me) = (self.plan, self.me);
        let array = plan.views[view.0 as usize].array;
        let size = plan.array(array).array.ty.size();
        let spots = |real: IndexBox, place: Place, r: i64| Spots::new(&real, &padded(plan, place, r));
        let own = spots(plan.array(array).storage(me), Place::Array(array), me);
        let inside = |r: i64| spots(plan.view_box(view, r), Place::View(view), r);
        let mut image = Image::default();
        let mut add = |numbers: &Numbers, spots: &Spots| {
            let all: Vec<u32> = numbers.iter().map(|k| spots.of(k) as u32).collect();
            image.add(bytes_of(&all))
        };
        let (mut sends, mut takes, mut packed) = (vec![], vec![], [vec![], vec![]]);
        let mut staged = 0;
        for r in 0..plan.ranks {
            let (out, into) = (&lists.sends[r as usize], &lists.takes[r as usize]);
            let (peer, count) = (self.is_peer(r), out.len());
            let to = if (peer || r == me) && count > 0 { add(&theirs[r as usize], &inside(r)) } else { 0 };
            sends.push(Part { from: if count > 0 { add(out, &own) } else { 0 }, to, count });
            let places = if !peer && r != me && !into.is_empty() { add(into, &inside(me)) } else { 0 };
            takes.push(Part { from: 0, to: places, count: into.len() });
            for (k, n) in [count, into.len()].into_iter().enumerate() {
                if !peer && r != me && n > 0 {
                    let here = Staged { peer: r, bytes: n * size, device: staged, host: std::ptr::null_mut() };
                    packed[k].push(here);
                    staged += (n * size).next_multiple_of(256) as u64;
                }
            }
        }
        kept.numbers.on_device(image.0.len(), &mut self.gpu)?;
        kept.packed.on_device(staged as usize, &mut self.gpu)?;
        kept.pinned.on_host(staged as usize, &mut self.gpu)?;
        self.gpu.put(kept.numbers.at, &image.0)?;
        for part in sends.iter_mut().chain(&mut takes) {
            (part.from, part.to) = (part.from + kept.numbers.at, part.to + kept.numbers.at);
        }
        for m in packed.iter_mut().flatten() {
            (m.host, m.device) = ((kept.pinned.at + m.device) as *mut u8, kept.packed.at + m.device);
        }
        Ok(Listed { sends, takes, packed })
    }

    /// Whether only listed elements of a view travel now.
    pub(super) fn is_listed(&self, view: ViewId) -> bool {
        self.gathers.kept.get(&view).is_some_and(|k| k.lists.is_some())
    }

    /// Queues the exchange of a view's listed elements.
    pub(super) fn exchange_listed(&mut self, view: ViewId, state: &mut RankState) -> Result<(), Failure> {
        let mut kept = self.gathers.kept.remove(&view).unwrap_or_default();
        let done = self.carry_listed(view, &mut kept, state);
        self.gathers.kept.insert(view, kept);
        done
    }

    fn carry_listed(&mut self, view: ViewId, kept: &mut Kept, state: &mut RankState) -> Result<(), Failure> {
        let clock = Instant::now();
        kept.used += 1;
        self.gathers.carried += 1;
        let Some(lists) = &kept.lists else { return Ok(()) };
        let elements = |list: &[Part]| -> Vec<i64> {
            let some = list.iter().enumerate().filter(|p| p.1.count > 0).map(|p| p.0 as i64);
            some.filter(|r| *r != self.me && self.is_peer(*r)).collect()
        };
        let (to, from) = (elements(&lists.sends), elements(&lists.takes));
        let bit = |k: usize| 1u64 << k.min(63);
        let place = || std::iter::once(Place::View(view));
        let asks = to.iter().enumerate().filter(|p| self.order.asks(*p.1, &mut place(), &self.arrays));
        let ask = asks.fold(0, |all, p| all | bit(p.0));
        let tells = from.iter().enumerate().filter(|p| self.order.tells(*p.1, &mut place(), &self.arrays));
        let tell = tells.fold(0, |all, p| all | bit(p.0));
        self.order.exchanged(to.iter().copied(), from.iter().copied());
        self.settle()?;
        let array = self.plan.views[view.0 as usize].array;
        let block = self.arrays[array.0 as usize];
        if kept.slots.get(&block).is_none_or(|s| s.made != kept.made) {
            let at = kept.slots.remove(&block).map(|s| s.at);
            let slot = self.slot(view, (lists, kept.made), (&to, &from), at)?;
            kept.slots.insert(block, slot);
        }
        let slot = &kept.slots[&block];
        let queue = |d: &mut Self, list: &(u64, Vec<DeviceCopy>)| {
            if !list.1.is_empty() {
                d.queue.push_using(carry::launch(d.copies, list.0, &list.1), &[]);
            }
        };
        // Peers first, as with boxes.
        if let Some(carrying) = &slot.carrying {
            self.queue.push_using(carrying.launch(self.carry, ask, tell, self.stop), &[]);
        }
        if lists.packed.iter().any(|m| !m.is_empty()) {
            queue(self, &slot.packing[0]);
            self.queue.flush(&self.gpu).map_err(broken)?;
            self.carry_packed(&lists.packed[0], &lists.packed[1], state)?;
            queue(self, &slot.packing[1]);
        }
        let size = self.plan.array(array).array.ty.size();
        let away = lists.sends.iter().enumerate().filter(|p| p.0 as i64 != self.me && p.1.count > 0);
        state.stats.sent_beside(away.fold((0, 0), |sum, p| (sum.0 + 1, sum.1 + (p.1.count * size) as u64)));
        state.stats.spent(Kind::Send, clock);
        Ok(())
    }

    /// The copies of a view's elements from the block in which the array is now.
    fn slot(
        &mut self,
        view: ViewId,
        (lists, made): (&Listed, u64),
        (to, from): (&[i64], &[i64]),
        at: Option<u64>,
    ) -> Result<Slot, Failure> {
        let array = self.plan.views[view.0 as usize].array;
        let size = self.plan.array(array).array.ty.size();
        let (source, here) = (self.address(Place::Array(array)), self.address(Place::View(view)));
        let none = || Failure::Internal("a peer's memory is not mapped".into());
        let mut sends = vec![];
        for q in to {
            let remote = self.links.remotes[*q as usize].as_ref().ok_or_else(none)?;
            let (part, there) =
                (lists.sends[*q as usize], remote.address(Place::View(view), &self.arrays, &self.memory.turned));
            let copy = carry::listed((source, there), (part.from, part.to), part.count, size);
            sends.push((link(self.memory.arena, remote, self.me, *q), vec![copy]));
        }
        let own = lists.sends[self.me as usize];
        if own.count > 0 {
            sends.push(((0, 0), vec![carry::listed((source, here), (own.from, own.to), own.count, size)]));
        }
        let mut receives = vec![];
        for q in from {
            let remote = self.links.remotes[*q as usize].as_ref().ok_or_else(none)?;
            receives.push(link(self.memory.arena, remote, self.me, *q));
        }
        let pack = |m: &Staged| {
            let part = lists.sends[m.peer as usize];
            carry::listed((source, m.device), (part.from, 0), part.count, size)
        };
        let unpack = |m: &Staged| {
            let part = lists.takes[m.peer as usize];
            carry::listed((m.device, here), (0, part.to), part.count, size)
        };
        let packing: [Vec<DeviceCopy>; 2] =
            [lists.packed[0].iter().map(pack).collect(), lists.packed[1].iter().map(unpack).collect()];
        let ranks = self.plan.ranks as usize;
        let (most, list) = (Carrying::bytes(ranks, ranks, ranks), ranks * size_of::<DeviceCopy>());
        let put = |gpu: &mut Gpu| -> Result<Slot, CudaError> {
            let at = match at {
                Some(at) => at,
                None => gpu.list(most + 2 * list)?,
            };
            let some = !sends.is_empty() || !receives.is_empty();
            let carrying = if some { Some(Carrying::put(gpu, at, &sends, &receives)?) } else { None };
            let places = [at + most as u64, at + (most + list) as u64];
            for (place, copies) in places.iter().zip(&packing) {
                gpu.put(*place, bytes_of(copies))?;
            }
            let [a, b] = packing;
            Ok(Slot { at, made, carrying, packing: [(places[0], a), (places[1], b)] })
        };
        put(&mut self.gpu).map_err(broken)
    }
}

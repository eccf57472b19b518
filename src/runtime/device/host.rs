//! A rank on the CPU: arrays in this process's memory, nests run by an [`Executor`], messages packed and unpacked here.

use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{Access, ArrayId, Code, Reg, ScalarId};
use crate::ir::plan::panels::Panels;
use crate::ir::plan::region::Mode;
use crate::ir::plan::{ExchangeId, Item, Plan, PlanNestId, Source, Step, StepKind, ViewId};
use crate::runtime::comm::Comm;
use crate::runtime::copy::{BoxCopy, Stored, strides};
use crate::runtime::demand::Demand;
use crate::runtime::device::inspect::{self, Lists};
use crate::runtime::device::overlap::interior;
use crate::runtime::device::{Binding, Device, Executor, Partial};
use crate::runtime::exchange::{Place, Schedule};
use crate::runtime::failure::{Failure, Problem};
use crate::runtime::memory::{self, Buffer};
use crate::runtime::numbers::{Numbers, picked};
use crate::runtime::state::RankState;
use crate::runtime::trace::Kind;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

/// Parts of at least this many points are split so that messages travel meanwhile.
const OVERLAP_POINTS: i64 = 1 << 16;

/// What a rank runs for one nest.
struct Work {
    part: Option<IndexBox>,
    /// By operand; one list for each round of a nest that runs panel by panel.
    bindings: Vec<Vec<Binding>>,
    places: Vec<Place>,
    partials: Vec<Partial>,
}

/// The points of a part that need nothing from an exchange, and the rest.
struct Split {
    interior: IndexBox,
    rim: Vec<IndexBox>,
}

/// Where everything lies: the blocks of the static memory plan, and which of them each array is in now.
struct Memory {
    blocks: Vec<Option<Buffer>>,
    arrays: Vec<u32>,
    views: Vec<Option<Buffer>>,
    /// Bytes of all of them.
    bytes: u64,
}

/// One rank's arrays on the CPU.
pub struct HostDevice<'a> {
    plan: &'a Plan,
    me: i64,
    executor: &'a dyn Executor,
    memory: Memory,
    work: Vec<Work>,
    /// By exchange and round.
    schedules: Vec<Vec<Schedule>>,
    /// Messages and bytes that each exchange brings, by the plan and round.
    traffic: Vec<Vec<(i64, i64)>>,
    splits: Vec<Option<Split>>,
    /// What ranks read of views, where that is less than their boxes.
    lists: BTreeMap<ViewId, Option<Lists>>,
    /// Nests that run in another order: where they find their operands, and what is laid out for them.
    ordered: BTreeMap<PlanNestId, (Vec<Binding>, Vec<Option<Buffer>>)>,
}

impl<'a> HostDevice<'a> {
    /// Allocates everything that the plan names.
    pub fn new(plan: &'a Plan, me: i64, executor: &'a dyn Executor) -> Result<HostDevice<'a>, Problem> {
        let memory = Memory::new(plan, me)?;
        let mut device = HostDevice {
            plan,
            me,
            executor,
            memory,
            work: (0..plan.nests.len()).map(|n| work_of(plan, PlanNestId(n as u32), me)).collect(),
            schedules: (0..plan.exchanges.len()).map(|e| Schedule::rounds(plan, ExchangeId(e as u32), me)).collect(),
            traffic: (plan.exchanges.iter())
                .map(|e| (0..plan.rounds_of(e)).map(|round| plan.traffic_in(e, me, round)).collect())
                .collect(),
            splits: (0..plan.nests.len()).map(|_| None).collect(),
            lists: BTreeMap::new(),
            ordered: BTreeMap::new(),
        };
        device.find_splits(&plan.steps);
        Ok(device)
    }

    /// Works out which nests are split for overlap.
    fn find_splits(&mut self, steps: &[Step]) {
        for s in steps {
            if let StepKind::Compute { nest, overlap: Some(ex) } = &s.kind {
                self.splits[nest.0 as usize] = self.split(*nest, *ex);
            }
            s.kind.blocks().into_iter().for_each(|b| self.find_splits(b));
        }
    }

    fn split(&self, id: PlanNestId, ex: ExchangeId) -> Option<Split> {
        let part = self.work[id.0 as usize].part.clone()?;
        if part.len() < OVERLAP_POINTS || self.schedules[ex.0 as usize][0].receives.is_empty() {
            return None;
        }
        let interior = interior(self.plan, id, ex, &part)?;
        Some(Split { rim: part.minus(&interior), interior })
    }

    fn start(&self, ex: ExchangeId, state: &mut RankState) -> Result<(), Failure> {
        self.send(ex, 0, true, state)
    }

    /// Sends what others need in a round; `own`: fills what needs no message, too.
    fn send(&self, ex: ExchangeId, round: usize, own: bool, state: &mut RankState) -> Result<(), Failure> {
        let clock = Instant::now();
        let schedule = &self.schedules[ex.0 as usize][round];
        schedule.send(&|p| self.memory.address(p), state.comm)?;
        if own {
            schedule.fill(&|p| self.memory.address(p));
        }
        state.stats.sent(schedule.sent());
        state.stats.spent(Kind::Send, clock);
        state.stats.messages(schedule.sends.iter().map(|m| m.peer), true);
        Ok(())
    }

    /// Fills what needs no message in a round.
    fn fill(&self, ex: ExchangeId, round: usize, state: &mut RankState) {
        let clock = Instant::now();
        self.schedules[ex.0 as usize][round].fill(&|p| self.memory.address(p));
        state.stats.spent(Kind::Send, clock);
    }

    fn arrive(&self, ex: ExchangeId, round: usize, state: &mut RankState) -> Result<(), Failure> {
        let e = ex.0 as usize;
        arrive(&self.schedules[e][round], &self.memory, self.traffic[e][round], state)
    }

    /// The panels of a round; those of the next one set out before this round computes, and wait on the way until then.
    fn exchange_panels(&self, ex: ExchangeId, panels: &Panels, state: &mut RankState) -> Result<(), Failure> {
        let round = state.scalars.round_of(panels);
        match round {
            0 => self.start(ex, state)?,
            _ => self.fill(ex, round, state),
        }
        self.arrive(ex, round, state)?;
        if round + 1 < self.schedules[ex.0 as usize].len() {
            self.send(ex, round + 1, false, state)?;
        }
        Ok(())
    }

    /// Carries the elements of a view that are read, or, where that is most of them, its box.
    fn exchange_listed(&mut self, view: ViewId, ex: ExchangeId, state: &mut RankState) -> Result<(), Failure> {
        let Some(Some(lists)) = self.lists.get(&view) else {
            let clock = Instant::now();
            let schedule = &self.schedules[ex.0 as usize][0];
            schedule.start(&|p| self.memory.address(p), state.comm)?;
            state.stats.sent_beside(schedule.sent());
            state.stats.spent(Kind::Send, clock);
            let clock = Instant::now();
            schedule.finish(&|p| self.memory.address(p), state.comm)?;
            state.stats.spent(Kind::Wait, clock);
            return Ok(());
        };
        let id = self.plan.views[view.0 as usize].array;
        let a = self.plan.array(id);
        let size = a.array.ty.size();
        let bytes = |region: IndexBox| region.len().max(0) as usize * size;
        let (from, to) = (self.memory.address(Place::Array(id)), self.memory.address(Place::View(view)));
        let (n, m) = (bytes(a.storage(self.me)), bytes(self.plan.view_box(view, self.me)));
        if n > 0 && from.is_null() || m > 0 && to.is_null() {
            return Err(Failure::Internal(format!("`{}` has no memory", a.array.name)));
        }
        // SAFETY: the blocks of an array and of a view are two, hold these boxes, and belong to this device, which is borrowed.
        let (from, to) = unsafe {
            let from = if n == 0 { &[][..] } else { std::slice::from_raw_parts(from, n) };
            (from, if m == 0 { &mut [][..] } else { std::slice::from_raw_parts_mut(to, m) })
        };
        lists.carry(from, to, size, state)
    }

    /// Where the part of an array lies that has no ghost cells, and its bytes.
    fn bare(&self, id: ArrayId) -> Option<(*mut u8, usize)> {
        let a = self.plan.array(id);
        let ptr = self.memory.address(Place::Array(id));
        let bare = a.ghost.iter().all(|g| *g == (0, 0)) && !ptr.is_null();
        bare.then(|| (ptr, a.layout.part(self.me).len() as usize * a.array.ty.size()))
    }

    fn copy_between(&self, id: ArrayId, region: &IndexBox, out: bool) -> BoxCopy {
        let a = self.plan.array(id);
        let storage = a.storage(self.me);
        let (array, packed) = (Stored { storage: &storage, part: region }, Stored { storage: region, part: region });
        let (from, to) = if out { (array, packed) } else { (packed, array) };
        BoxCopy::new(from, to, &vec![Mode::Shift; region.rank()], a.array.ty, false)
    }
}

/// Receives and unpacks what the schedule says.
fn arrive(schedule: &Schedule, memory: &Memory, planned: (i64, i64), state: &mut RankState) -> Result<(), Failure> {
    let clock = Instant::now();
    let arrived = schedule.finish(&|p| memory.address(p), state.comm)?;
    state.stats.arrived(arrived, planned);
    if schedule.receives.is_empty() {
        return Ok(());
    }
    state.stats.spent(Kind::Wait, clock);
    state.stats.messages(schedule.receives.iter().map(|m| m.peer), false);
    Ok(())
}

/// A nest that runs, part by part.
struct Sweep<'a> {
    nest: usize,
    bindings: &'a [Binding],
    executor: &'a dyn Executor,
    plan: &'a Plan,
}

impl Sweep<'_> {
    fn run(&self, parts: &[IndexBox], partials: &mut [Partial], state: &mut RankState) -> Result<(), Failure> {
        let clock = Instant::now();
        self.uncounted(parts, partials, &state.scalars.bits)?;
        state.stats.spent(Kind::Compute, clock);
        Ok(())
    }

    /// The same, whose time somebody else counts.
    fn uncounted(&self, parts: &[IndexBox], partials: &mut [Partial], scalars: &[u64]) -> Result<(), Failure> {
        for part in parts {
            self.executor.run(self.nest, part, self.bindings, scalars, partials).map_err(|why| {
                // Only a defect of the compiler ends here (the reference executor checks bounds in debug builds).
                let nest = &self.plan.nests[self.nest].nest;
                Failure::Internal(format!("in `{}` (byte {} of the sources): {why}", nest.name, nest.span.start))
            })?;
        }
        Ok(())
    }
}

impl Device for HostDevice<'_> {
    fn compute(&mut self, id: PlanNestId, overlap: Option<ExchangeId>, state: &mut RankState) -> Result<(), Failure> {
        let k = id.0 as usize;
        if let Some(ex) = overlap {
            self.start(ex, state)?;
            if self.splits[k].is_none() {
                self.arrive(ex, 0, state)?;
            }
        }
        let round = self.plan.nest(id).panels.as_ref().map_or(0, |p| state.scalars.round_of(p));
        let work = &mut self.work[k];
        let bindings = &mut work.bindings[round];
        for (b, place) in bindings.iter_mut().zip(&work.places) {
            b.ptr = self.memory.address(*place);
        }
        reset(&mut work.partials, self.plan, id);
        let Some(part) = &work.part else { return Ok(()) };
        let nest = &self.plan.nest(id).nest;
        if !nest.only.is_empty() && overlap.is_none() {
            let part = nest.picked(part, &|s| state.scalars.bits[s.0 as usize] as i64);
            let sweep = Sweep { nest: k, bindings, executor: self.executor, plan: self.plan };
            return if part.is_empty() { Ok(()) } else { sweep.run(&[part], &mut work.partials, state) };
        }
        let split = self.splits[k].as_ref().filter(|_| overlap.is_some());
        let first = split.map_or(part, |s| &s.interior);
        let sweep = Sweep { nest: k, bindings, executor: self.executor, plan: self.plan };
        sweep.run(std::slice::from_ref(first), &mut work.partials, state)?;
        if let (Some(split), Some(ex)) = (split, overlap) {
            let e = ex.0 as usize;
            arrive(&self.schedules[e][0], &self.memory, self.traffic[e][0], state)?;
            sweep.run(&split.rim, &mut work.partials, state)?;
        }
        Ok(())
    }

    fn exchange(&mut self, ex: ExchangeId, state: &mut RankState) -> Result<(), Failure> {
        let e = &self.plan.exchanges[ex.0 as usize];
        if let (true, [Item::View(v)]) = (e.listed, &e.items[..]) {
            return self.exchange_listed(*v, ex, state);
        }
        if let Some(panels) = self.plan.panels_of(e) {
            return self.exchange_panels(ex, panels, state);
        }
        self.start(ex, state)?;
        self.arrive(ex, 0, state)
    }

    fn inspect(&mut self, view: ViewId, state: &mut RankState) -> Result<(), Failure> {
        let v = &self.plan.views[view.0 as usize];
        let Some(inspection) = &v.inspection else { return Ok(()) };
        let clock = Instant::now();
        let work = &mut self.work[v.nest.0 as usize];
        for (b, place) in work.bindings[0].iter_mut().zip(&work.places) {
            b.ptr = self.memory.address(*place);
        }
        let read = match &work.part {
            Some(part) => inspect::read_elements(self.plan, (view, inspection), part, &work.bindings[0], self.me),
            None => vec![],
        };
        state.stats.spent(Kind::Compute, clock);
        let lists = Lists::agreed(self.plan, view, &read, state)?;
        self.lists.insert(view, lists);
        Ok(())
    }

    fn orders(&self) -> bool {
        true
    }

    fn order(&mut self, id: PlanNestId, order: &Numbers, changed: &[bool]) -> Result<(), Failure> {
        let n = self.plan.nest(id);
        let Some(store) = n.nest.stores.first() else { return Ok(()) };
        let (_, mut laid) = self.ordered.remove(&id).unwrap_or_default();
        laid.resize_with(n.nest.operands.len(), || None);
        let mut bindings = self.work[id.0 as usize].bindings[0].clone();
        let own = bindings[store.operand.0 as usize].clone();
        for (k, b) in bindings.iter_mut().enumerate() {
            b.ptr = self.memory.address(Place::from(n.sources[k]));
            let reads = |a: &Access| a.operand.0 as usize == k && a.index == store.index;
            if k == store.operand.0 as usize || !n.nest.accesses.iter().any(reads) {
                continue;
            }
            let (array, size) = (n.nest.operands[k].array, n.nest.operands[k].ty.size());
            if changed[k] || laid[k].is_none() {
                let bytes = order.len() * size;
                let part = self.plan.array(array).layout.part(self.me);
                let mut from = vec![];
                self.read_into(array, &part, &mut from)?;
                let place = match laid[k].take() {
                    Some(place) => place,
                    None => {
                        Buffer::new(bytes).ok_or_else(|| Failure::Internal(format!("no memory for {bytes} bytes")))?
                    }
                };
                // SAFETY: the buffer was made for these bytes, and is this device's.
                let to = unsafe { std::slice::from_raw_parts_mut(place.ptr(), bytes) };
                picked(order, &from, size, to);
                laid[k] = Some(place);
            }
            *b = Binding { ptr: laid[k].as_ref().map_or(std::ptr::null_mut(), |l| l.ptr()), ..own.clone() };
        }
        self.ordered.insert(id, (bindings, laid));
        Ok(())
    }

    fn compute_in_order(&mut self, id: PlanNestId, points: Range<usize>, state: &mut RankState) -> Result<(), Failure> {
        let (Some((bindings, _)), Some(part)) = (self.ordered.get(&id), &self.work[id.0 as usize].part) else {
            return Ok(());
        };
        let lo = part.dims[0].lo;
        let part = IndexBox::new(vec![Interval::new(lo + points.start as i64, lo + points.end as i64)]);
        let sweep = Sweep { nest: id.0 as usize, bindings, executor: self.executor, plan: self.plan };
        sweep.uncounted(&[part], &mut [], &state.scalars.bits)
    }

    fn all_reduce(&mut self, items: &[(PlanNestId, usize)], state: &mut RankState) -> Result<(), Failure> {
        if state.comm.size() == 1 {
            for (n, r) in items {
                state.set_reduced(self.plan, *n, *r, &mut self.work[n.0 as usize].partials[*r]);
            }
            return Ok(());
        }
        state.all_reduce(self.plan, items, &mut |k, out| {
            let (n, r) = items[k];
            self.work[n.0 as usize].partials[r].write(out);
        })
    }

    fn finish(&mut self, id: PlanNestId, state: &mut RankState) -> Result<(), Failure> {
        for (r, p) in self.work[id.0 as usize].partials.iter_mut().enumerate() {
            state.set_reduced(self.plan, id, r, p);
        }
        Ok(())
    }

    fn scalars(&mut self, code: &Code, results: &[(Reg, ScalarId)], state: &mut RankState) -> Result<(), Failure> {
        state.scalars.eval(code, results, &self.plan.program.tables);
        Ok(())
    }

    fn swap(&mut self, a: ArrayId, b: ArrayId) {
        self.memory.arrays.swap(a.0 as usize, b.0 as usize);
    }

    fn read(&mut self, id: ArrayId, region: &IndexBox) -> Result<Vec<u8>, Failure> {
        let mut out = vec![];
        self.read_into(id, region, &mut out)?;
        Ok(out)
    }

    fn read_into(&mut self, id: ArrayId, region: &IndexBox, out: &mut Vec<u8>) -> Result<(), Failure> {
        out.resize(region.len() as usize * self.plan.array(id).array.ty.size(), 0);
        if !region.is_empty() {
            // SAFETY: the box lies in the storage, and `out` holds the box.
            unsafe { self.copy_between(id, region, true).run(self.memory.address(Place::Array(id)), out.as_mut_ptr()) };
        }
        Ok(())
    }

    fn write(&mut self, id: ArrayId, region: &IndexBox, data: &[u8]) -> Result<(), Failure> {
        if !region.is_empty() {
            // SAFETY: `data` holds the box, and the box lies in the storage.
            unsafe { self.copy_between(id, region, false).run(data.as_ptr(), self.memory.address(Place::Array(id))) };
        }
        Ok(())
    }

    fn in_place(&mut self, read: ArrayId, written: ArrayId) -> Option<(&[u8], &mut [u8])> {
        let (from, to) = (self.bare(read)?, self.bare(written)?);
        if self.memory.arrays[read.0 as usize] == self.memory.arrays[written.0 as usize] {
            return None;
        }
        // SAFETY: the blocks hold these parts, are two different ones, and belong to this device, which is borrowed.
        unsafe { Some((std::slice::from_raw_parts(from.0, from.1), std::slice::from_raw_parts_mut(to.0, to.1))) }
    }

    fn memory(&self) -> Option<u64> {
        Some(self.memory.bytes)
    }

    fn learn(&mut self, _: &mut RankState) -> Result<(), Failure> {
        Ok(())
    }
}

impl Memory {
    fn new(plan: &Plan, me: i64) -> Result<Memory, Problem> {
        let mut total = 0;
        let mut block = |bytes: i64, name: &str| {
            total += bytes.max(0) as u64;
            usize::try_from(bytes)
                .ok()
                .and_then(Buffer::new)
                .ok_or_else(|| Problem::new("E0602", format!("no memory for {bytes} bytes of `{name}` on rank {me}")))
        };
        let mut blocks: Vec<Option<Buffer>> = (0..plan.arrays.len()).map(|_| None).collect();
        for a in plan.arrays.iter().filter(|a| a.used) {
            let bytes = a.storage(me).len().saturating_mul(a.array.ty.size() as i64);
            let place = &mut blocks[a.buffer as usize];
            if place.is_none() {
                *place = Some(block(bytes, &a.array.name)?);
            }
        }
        let mut views = vec![];
        for (k, v) in plan.views.iter().enumerate() {
            let a = &plan.array(v.array).array;
            let bytes = plan.view_box(ViewId(k as u32), me).len().saturating_mul(a.ty.size() as i64);
            views.push(Some(block(bytes, &a.name)?));
        }
        Ok(Memory { blocks, arrays: plan.arrays.iter().map(|a| a.buffer).collect(), views, bytes: total })
    }

    fn address(&self, place: Place) -> *mut u8 {
        let block = match place {
            Place::Array(a) => &self.blocks[self.arrays[a.0 as usize] as usize],
            Place::View(v) => &self.views[v.0 as usize],
        };
        block.as_ref().map_or(std::ptr::null_mut(), |b| b.ptr())
    }
}

/// Refuses a plan that the ranks of this machine cannot hold together, before anything is allocated. The first of them
/// says so. A collective.
pub fn refuse_too_much(plan: &Plan, comm: &mut dyn Comm) -> Result<(), Problem> {
    let here = comm.here().map_err(|e| Problem::new("E0602", e.0))?;
    let Some(free) = memory::free().filter(|_| here.first() == Some(&comm.rank())) else { return Ok(()) };
    let mut demand = Demand::default();
    here.iter().for_each(|&r| demand.add(plan, &|p| p.storage(plan, r)));
    let who = if here.len() == 1 {
        "the rank needs".into()
    } else {
        format!("the {} ranks of this machine need", here.len())
    };
    demand.refuse_beyond(free, &who, "memory", "use more machines, smaller arrays, or `f32` in place of `f64`")
}

fn reset(partials: &mut Vec<Partial>, plan: &Plan, id: PlanNestId) {
    let nest = &plan.nest(id).nest;
    partials.resize(nest.reductions.len(), Partial::Bits(0));
    for (p, r) in partials.iter_mut().zip(&nest.reductions) {
        p.reset(r.op, nest.code.regs[r.value.0 as usize]);
    }
}

fn work_of(plan: &Plan, id: PlanNestId, me: i64) -> Work {
    let n = plan.nest(id);
    let places: Vec<Place> = n.sources.iter().map(|s| Place::from(*s)).collect();
    let binding = |source: &Source, round: i64| {
        let storage = Place::from(*source).storage_in(plan, me, round);
        Binding {
            ptr: std::ptr::null_mut(),
            lo: storage.dims.iter().map(|d| d.lo).collect(),
            hi: storage.dims.iter().map(|d| d.hi).collect(),
            strides: strides(&storage),
        }
    };
    let rounds = n.panels.as_ref().map_or(1, Panels::rounds);
    let bindings = (0..rounds).map(|k| n.sources.iter().map(|s| binding(s, k)).collect());
    let mut partials = vec![];
    reset(&mut partials, plan, id);
    Work { part: n.part(me), bindings: bindings.collect(), places, partials }
}

//! One rank's arrays on a GPU. Work is queued in the order of the plan; the host waits only where it needs a value.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Instant;

use super::carry::{self, DeviceCopy};
use super::driver::{CudaError, Function, Gpu, GpuInfo, Launch};
use super::edges::Edges;
use super::engine::device_code;
use super::launch::Around;
use super::queue::Queue;
use super::storage::padded;
use super::work::{Work, leaf_positions, memory, refuse_too_much, work_of};
use crate::codegen::cuda::{self as generate, COPIES, Unit, first_key, ordered, value_of_key};
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{ArrayId, Code, FoldOp, Reg, ScalarId};
use crate::ir::plan::region::{Mode, Piece};
use crate::ir::plan::{ExchangeId, Item, Plan, PlanNestId};
use crate::runtime::copy::{BoxCopy, Stored};
use crate::runtime::device::{Device, ExactSum, Partial};
use crate::runtime::exchange::{Place, Schedule};
use crate::runtime::failure::{Failure, Problem};
use crate::runtime::state::RankState;
use crate::runtime::trace::Kind;

/// Bytes of a chunk that travels between device and files.
const CHUNK: i64 = 64 << 20;

/// Staging memory of a message.
#[derive(Clone, Copy)]
struct Staged {
    device: u64,
    host: *mut u8,
}

/// A list of copies in device memory.
#[derive(Clone)]
struct List {
    at: u64,
    copies: Vec<DeviceCopy>,
}

/// Which list of an exchange.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    Local,
    Constants,
    Send,
    Receive,
}

pub struct CudaDevice<'a> {
    plan: &'a Plan,
    unit: &'a Unit,
    me: i64,
    // The queue's graphs go before the device that they belong to.
    queue: Queue,
    gpu: Gpu,
    most_blocks: u32,
    blocks: Vec<u64>,
    arrays: Vec<u32>,
    views: Vec<u64>,
    scalars: u64,
    /// The version of each scalar that the device's table holds.
    table: Vec<Option<u32>>,
    work: Vec<Work>,
    schedules: Vec<Schedule>,
    traffic: Vec<(i64, i64)>,
    staged: Vec<(Vec<Staged>, Vec<Staged>)>,
    lists: HashMap<(u32, Which, Vec<u64>), List>,
    /// Constant ghost cells that hold their value already: exchange and address.
    filled: HashSet<(u32, Vec<u64>)>,
    scalar_code: HashMap<*const Code, Function>,
    copies: Function,
    set: Function,
    scratch: (u64, usize),
}

fn lost(e: CudaError) -> Failure {
    Failure::Lost(format!("GPU: {e}"))
}

impl<'a> CudaDevice<'a> {
    /// Takes a GPU and allocates everything that the plan names.
    pub fn new(
        plan: &'a Plan,
        me: i64,
        info: &GpuInfo,
        unit: &'a Unit,
        code: &[u8],
    ) -> Result<CudaDevice<'a>, Problem> {
        let bad = |e: CudaError| Problem::new("E0620", format!("GPU {} of rank {me}: {e}", info.ordinal));
        let mut gpu = Gpu::new(info.ordinal).map_err(bad)?;
        refuse_too_much(plan, me, gpu.free_memory().map_err(bad)?)?;
        let module = gpu.load(code).map_err(bad)?;
        let (blocks, views) = memory(plan, me, &mut gpu).map_err(bad)?;
        let scalars = gpu.alloc(8 * plan.program.scalars.len()).map_err(bad)?;
        let mut work = vec![];
        for (k, kernels) in unit.kernels.iter().enumerate() {
            work.push(work_of(plan, PlanNestId(k as u32), me, kernels, &module, &mut gpu).map_err(bad)?);
        }
        let edges = Edges::of(plan);
        let schedule = |e: usize| {
            let needless = |item: &Item, piece: &Piece| edges.needless(item, piece);
            Schedule::new(plan, ExchangeId(e as u32), me, &|p| padded(plan, p, me), &needless)
        };
        let schedules: Vec<Schedule> = (0..plan.exchanges.len()).map(schedule).collect();
        let mut staged = vec![];
        for s in &schedules {
            let mut of = |bytes: usize| -> Result<Staged, Problem> {
                Ok(Staged { device: gpu.alloc(bytes).map_err(bad)?, host: gpu.pin(bytes).map_err(bad)? })
            };
            let sends = s.sends.iter().map(|m| of(m.bytes)).collect::<Result<_, _>>()?;
            let receives = s.receives.iter().map(|m| of(m.bytes)).collect::<Result<_, _>>()?;
            staged.push((sends, receives));
        }
        let mut scalar_code = HashMap::new();
        for ((code, _), kernel) in device_code(plan).into_iter().zip(&unit.scalars) {
            scalar_code.insert(std::ptr::from_ref(code), module.function(&kernel.name).map_err(bad)?);
        }
        gpu.wait().map_err(bad)?;
        Ok(CudaDevice {
            plan,
            unit,
            me,
            queue: Queue::default(),
            most_blocks: info.multiprocessors as u32 * 8,
            blocks,
            arrays: plan.arrays.iter().map(|a| a.buffer).collect(),
            views,
            scalars,
            table: vec![None; plan.program.scalars.len()],
            work,
            schedules,
            traffic: plan.exchanges.iter().map(|e| plan.traffic(e, me)).collect(),
            staged,
            lists: HashMap::new(),
            filled: HashSet::new(),
            scalar_code,
            copies: module.function("mgpu_copies").map_err(bad)?,
            set: module.function("mgpu_set").map_err(bad)?,
            scratch: (0, 0),
            gpu,
        })
    }

    fn address(&self, place: Place) -> u64 {
        match place {
            Place::Array(a) => self.blocks[self.arrays[a.0 as usize] as usize],
            Place::View(v) => self.views[v.0 as usize],
        }
    }

    /// Brings the device's table up to date where the host has newer values.
    fn send_scalars(&mut self, ids: &[ScalarId], state: &RankState) -> Result<(), Failure> {
        for id in ids {
            let version = Some(state.scalars.version(*id));
            if state.scalars.is_known(*id) && self.table[id.0 as usize] != version {
                self.table[id.0 as usize] = version;
                let words = vec![self.scalars, id.0 as u64, state.scalars.bits[id.0 as usize]];
                self.queue.push(Launch { function: self.set, grid: (1, 1, 1), block: (1, 1), words });
            }
        }
        Ok(())
    }

    /// The device has computed a scalar.
    fn computed(&mut self, id: ScalarId, state: &mut RankState) {
        state.scalars.forget(id);
        self.table[id.0 as usize] = Some(state.scalars.version(id));
    }

    fn launch(&mut self, k: usize, part: &IndexBox, state: &RankState) -> Result<(), Failure> {
        let moving = self.work[k].moving.clone();
        self.send_scalars(&moving, state)?;
        let (work, kernels) = (&self.work[k], &self.unit.kernels[k]);
        let operands =
            work.places.iter().zip(&work.boxes).map(|(p, (lo, s))| (self.address(*p), &lo[..], &s[..])).collect();
        let around = Around {
            nest: &self.plan.nests[k].nest,
            part,
            operands,
            scalars: self.scalars,
            value: &|id| state.scalars.bits[id.0 as usize],
            accumulators: &work.accumulators,
            most_blocks: self.most_blocks,
        };
        let fast = kernels.fast.as_ref().zip(work.fast).and_then(|(kernel, f)| around.fast(kernel, f));
        let launch = fast.unwrap_or_else(|| around.general(&kernels.general, work.general));
        self.queue.push(launch);
        Ok(())
    }

    /// Runs a list of copies of an exchange.
    fn run_list(&mut self, ex: ExchangeId, which: Which) -> Result<(), Failure> {
        let schedule = &self.schedules[ex.0 as usize];
        let places: Vec<Place> = match which {
            Which::Local => schedule.local.iter().flat_map(|(a, b, _)| [*a, *b]).collect(),
            Which::Constants => schedule.constants.iter().map(|c| c.0).collect(),
            Which::Send => schedule.sends.iter().flat_map(|m| m.copies.iter().map(|c| c.0)).collect(),
            Which::Receive => schedule.receives.iter().flat_map(|m| m.copies.iter().map(|c| c.0)).collect(),
        };
        if places.is_empty() {
            return Ok(());
        }
        let key = (ex.0, which, places.iter().map(|p| self.address(*p)).collect::<Vec<u64>>());
        if which == Which::Constants && !self.filled.insert((ex.0, key.2.clone())) {
            return Ok(());
        }
        let list = match self.lists.get(&key) {
            Some(list) => list.clone(),
            None => {
                let copies = self.list(ex, which).map_err(Failure::Internal)?;
                let list = List { at: carry::keep(&mut self.gpu, &copies).map_err(lost)?, copies };
                self.lists.insert(key, list.clone());
                list
            }
        };
        self.queue.push(carry::launch(self.copies, list.at, &list.copies));
        Ok(())
    }

    fn list(&self, ex: ExchangeId, which: Which) -> Result<Vec<DeviceCopy>, String> {
        let (s, (sends, receives)) = (&self.schedules[ex.0 as usize], &self.staged[ex.0 as usize]);
        let at = |p: &Place| self.address(*p);
        match which {
            Which::Local => s.local.iter().map(|(a, b, c)| carry::device_copy(c, at(a), at(b), None)).collect(),
            Which::Constants => s.constants.iter().map(|(p, c, v)| carry::device_copy(c, 0, at(p), Some(*v))).collect(),
            Which::Send => {
                let all = s.sends.iter().zip(sends).flat_map(|(m, st)| m.copies.iter().map(move |c| (c, st.device)));
                all.map(|((p, c), to)| carry::device_copy(c, at(p), to, None)).collect()
            }
            Which::Receive => {
                let all =
                    s.receives.iter().zip(receives).flat_map(|(m, st)| m.copies.iter().map(move |c| (c, st.device)));
                all.map(|((p, c), from)| carry::device_copy(c, from, at(p), None)).collect()
            }
        }
    }

    /// Packs and sends what others need.
    fn start(&mut self, ex: ExchangeId, state: &mut RankState) -> Result<(), Failure> {
        let clock = Instant::now();
        self.run_list(ex, Which::Local)?;
        self.run_list(ex, Which::Constants)?;
        let e = ex.0 as usize;
        if self.schedules[e].sends.is_empty() {
            return Ok(());
        }
        self.run_list(ex, Which::Send)?;
        self.queue.flush(&self.gpu).map_err(lost)?;
        for (m, st) in self.schedules[e].sends.iter().zip(&self.staged[e].0) {
            // SAFETY: both blocks of staging memory have the bytes of the message.
            unsafe { self.gpu.download(st.host, st.device, m.bytes) }.map_err(lost)?;
        }
        self.gpu.wait().map_err(lost)?;
        for (m, st) in self.schedules[e].sends.iter().zip(&self.staged[e].0) {
            let mut buffer = state.comm.buffer(m.bytes);
            // SAFETY: the staging memory holds the message.
            buffer.copy_from_slice(unsafe { std::slice::from_raw_parts(st.host, m.bytes) });
            state.comm.send(m.peer, buffer)?;
        }
        state.stats.sent(self.schedules[e].sent());
        state.stats.spent(Kind::Send, clock);
        state.stats.messages(self.schedules[e].sends.iter().map(|m| m.peer), true);
        Ok(())
    }

    /// Receives and unpacks what this rank needs.
    fn arrive(&mut self, ex: ExchangeId, state: &mut RankState) -> Result<(), Failure> {
        let (clock, e) = (Instant::now(), ex.0 as usize);
        let mut arrived = (0, 0);
        for (m, st) in self.schedules[e].receives.iter().zip(&self.staged[e].1) {
            let buffer = state.comm.receive(m.peer, m.bytes)?;
            // SAFETY: the staging memory has the bytes of the message, and its last use is over: an exchange waits for
            // the device before it sends.
            unsafe {
                std::ptr::copy_nonoverlapping(buffer.as_ptr(), st.host, m.bytes.min(buffer.len()));
                self.gpu.upload(st.device, st.host, m.bytes).map_err(lost)?;
            }
            arrived = (arrived.0 + 1, arrived.1 + buffer.len() as u64);
            state.comm.recycle(m.peer, buffer);
        }
        state.stats.arrived(arrived, self.traffic[e]);
        self.run_list(ex, Which::Receive)?;
        if arrived.0 > 0 {
            // The staging memory is free for the next exchange.
            self.queue.flush(&self.gpu).map_err(lost)?;
            self.gpu.wait().map_err(lost)?;
            state.stats.spent(Kind::Wait, clock);
            state.stats.messages(self.schedules[e].receives.iter().map(|m| m.peer), false);
        }
        Ok(())
    }

    /// What this rank's part of a nest contributed to a reduction; leaves the accumulator ready for the next run.
    fn partial(&mut self, id: PlanNestId, r: usize) -> Result<Partial, Failure> {
        let k = id.0 as usize;
        self.queue.flush(&self.gpu).map_err(lost)?;
        let nest = &self.plan.nests[k].nest;
        let (red, ty) = (&nest.reductions[r], nest.code.regs[nest.reductions[r].value.0 as usize]);
        let (at, words) = (self.work[k].accumulators[r], self.work[k].acc_words[r]);
        let mut data = vec![0u8; 8 * words];
        self.gpu.get(at, &mut data).map_err(lost)?;
        let word = |i: usize| u64::from_le_bytes(data[8 * i..8 * i + 8].try_into().unwrap_or_default());
        if !ordered(nest, red) {
            self.gpu.put(at, &first_key(red.op).to_le_bytes()).map_err(lost)?;
            return Ok(Partial::Bits(value_of_key(red.op, ty, word(0))));
        }
        if red.op == FoldOp::Prod {
            let Some(part) = self.work[k].part.as_ref() else { return Ok(Partial::Leaves(vec![])) };
            return Ok(Partial::Leaves(
                leaf_positions(nest, part).into_iter().enumerate().map(|(i, p)| (p, word(i))).collect(),
            ));
        }
        let mut sum = ExactSum::default();
        for c in 0..COPIES {
            sum.limbs.iter_mut().enumerate().for_each(|(i, l)| *l = l.wrapping_add(word(72 * c + i) as i64));
        }
        self.gpu.put(at, &vec![0u8; 8 * words]).map_err(lost)?;
        Ok(Partial::Exact(sum))
    }

    /// Turns what a nest accumulated into scalars, on the device.
    fn finish_here(&mut self, id: PlanNestId, state: &mut RankState) -> Result<(), Failure> {
        let k = id.0 as usize;
        let nest = &self.plan.nests[k].nest;
        let host = |r: &crate::ir::kernel::Reduction| r.op == FoldOp::Prod && ordered(nest, r);
        if let Some(f) = self.work[k].finish {
            let words = std::iter::once(self.scalars).chain(self.work[k].accumulators.iter().copied()).collect();
            self.queue.push(Launch { function: f, grid: (1, 1, 1), block: (32, 1), words });
        }
        for (r, red) in nest.reductions.iter().enumerate() {
            if host(red) {
                let mut partial = self.partial(id, r)?;
                state.set_reduced(self.plan, id, r, &mut partial);
            } else {
                self.computed(red.into, state);
            }
        }
        Ok(())
    }

    /// Memory for packed elements on the device.
    fn scratch(&mut self, bytes: usize) -> Result<u64, Failure> {
        if self.scratch.1 < bytes {
            self.scratch = (self.gpu.alloc(bytes).map_err(lost)?, bytes);
        }
        Ok(self.scratch.0)
    }

    /// Moves a box of an array to or from packed memory on the device.
    fn pack(&mut self, id: ArrayId, region: &IndexBox, packed: u64, out: bool) -> Result<(), Failure> {
        let place = Place::Array(id);
        let storage = padded(self.plan, place, self.me);
        let (array, flat) = (Stored { storage: &storage, part: region }, Stored { storage: region, part: region });
        let ty = self.plan.array(id).array.ty;
        let (from, to) = if out { (array, flat) } else { (flat, array) };
        let copy = BoxCopy::new(from, to, &vec![Mode::Shift; region.rank()], ty, false);
        let (from, to) = if out { (self.address(place), packed) } else { (packed, self.address(place)) };
        let copies = [carry::device_copy(&copy, from, to, None).map_err(Failure::Internal)?];
        // Kept only as long as this copy runs.
        let bytes = std::mem::size_of::<DeviceCopy>();
        let list = self.scratch.0 + self.scratch.1 as u64 - bytes.next_multiple_of(64) as u64;
        let launch = carry::launch(self.copies, list, &copies);
        self.queue.flush(&self.gpu).map_err(lost)?;
        // SAFETY: the list is plain numbers of that size.
        let data = unsafe { std::slice::from_raw_parts(copies.as_ptr().cast::<u8>(), bytes) };
        self.gpu.put(list, data).map_err(lost)?;
        self.gpu.launch(&launch).map_err(lost)
    }

    /// Boxes of at most [`CHUNK`] bytes that make up a region.
    fn chunks(region: &IndexBox, size: i64) -> Vec<IndexBox> {
        let Some(first) = region.dims.first().copied().filter(|_| !region.is_empty()) else {
            return vec![region.clone()];
        };
        let row = (region.len() / first.len() * size).max(1);
        let rows = (CHUNK / row).max(1);
        let mut out = vec![];
        let mut lo = first.lo;
        while lo < first.hi {
            let hi = (lo + rows).min(first.hi);
            let mut b = region.clone();
            b.dims[0] = Interval::new(lo, hi);
            out.push(b);
            lo = hi;
        }
        out
    }
}

impl Device for CudaDevice<'_> {
    fn compute(&mut self, id: PlanNestId, overlap: Option<ExchangeId>, state: &mut RankState) -> Result<(), Failure> {
        if let Some(ex) = overlap {
            self.exchange(ex, state)?;
        }
        let k = id.0 as usize;
        let Some(part) = self.work[k].part.clone() else { return Ok(()) };
        self.launch(k, &part, state)
    }

    fn exchange(&mut self, ex: ExchangeId, state: &mut RankState) -> Result<(), Failure> {
        self.start(ex, state)?;
        self.arrive(ex, state)
    }

    fn all_reduce(&mut self, items: &[(PlanNestId, usize)], state: &mut RankState) -> Result<(), Failure> {
        if state.comm.size() == 1 {
            let mut nests: Vec<PlanNestId> = items.iter().map(|i| i.0).collect();
            nests.dedup();
            return nests.into_iter().try_for_each(|n| self.finish_here(n, state));
        }
        let mut mine = vec![];
        for (n, r) in items {
            mine.push(self.partial(*n, *r)?);
        }
        state.all_reduce(self.plan, items, &mut |k, out| mine[k].write(out))
    }

    fn finish(&mut self, id: PlanNestId, state: &mut RankState) -> Result<(), Failure> {
        self.finish_here(id, state)
    }

    fn scalars(&mut self, code: &Code, results: &[(Reg, ScalarId)], state: &mut RankState) -> Result<(), Failure> {
        let mut inputs = std::collections::BTreeSet::new();
        generate::read_scalars(&code.body, &mut inputs);
        if inputs.iter().all(|s| state.scalars.is_known(*s)) {
            state.scalars.eval(code, results, &self.plan.program.tables);
            return Ok(());
        }
        let Some(f) = self.scalar_code.get(&std::ptr::from_ref(code)).copied() else {
            self.learn(state)?;
            state.scalars.eval(code, results, &self.plan.program.tables);
            return Ok(());
        };
        self.send_scalars(&inputs.into_iter().collect::<Vec<_>>(), state)?;
        self.queue.push(Launch { function: f, grid: (1, 1, 1), block: (1, 1), words: vec![self.scalars] });
        results.iter().for_each(|(_, id)| self.computed(*id, state));
        Ok(())
    }

    fn swap(&mut self, a: ArrayId, b: ArrayId) {
        self.arrays.swap(a.0 as usize, b.0 as usize);
    }

    fn read(&mut self, id: ArrayId, region: &IndexBox) -> Result<Vec<u8>, Failure> {
        let size = self.plan.array(id).array.ty.size() as i64;
        let mut out = vec![0u8; (region.len() * size) as usize];
        let mut at = 0;
        for b in CudaDevice::chunks(region, size).iter().filter(|b| !b.is_empty()) {
            let bytes = (b.len() * size) as usize;
            let scratch = self.scratch(bytes.next_multiple_of(256) + 1024)?;
            self.pack(id, b, scratch, true)?;
            self.gpu.get(scratch, &mut out[at..at + bytes]).map_err(lost)?;
            at += bytes;
        }
        Ok(out)
    }

    fn write(&mut self, id: ArrayId, region: &IndexBox, data: &[u8]) -> Result<(), Failure> {
        let size = self.plan.array(id).array.ty.size() as i64;
        let mut at = 0;
        for b in CudaDevice::chunks(region, size).iter().filter(|b| !b.is_empty()) {
            let bytes = (b.len() * size) as usize;
            let scratch = self.scratch(bytes.next_multiple_of(256) + 1024)?;
            self.gpu.put(scratch, &data[at..at + bytes]).map_err(lost)?;
            self.pack(id, b, scratch, false)?;
            self.gpu.wait().map_err(lost)?;
            at += bytes;
        }
        Ok(())
    }

    fn learn(&mut self, state: &mut RankState) -> Result<(), Failure> {
        self.queue.flush(&self.gpu).map_err(lost)?;
        let n = self.table.len();
        let mut data = vec![0u8; 8 * n];
        self.gpu.get(self.scalars, &mut data).map_err(lost)?;
        for k in 0..n {
            let id = ScalarId(k as u32);
            if !state.scalars.is_known(id) {
                let word = u64::from_le_bytes(data[8 * k..8 * k + 8].try_into().unwrap_or_default());
                state.scalars.fetched(id, word);
            }
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<(), Failure> {
        self.queue.turn(&self.gpu).map_err(lost)
    }

    fn wait(&mut self) -> Result<(), Failure> {
        self.queue.flush(&self.gpu).map_err(lost)?;
        self.gpu.wait().map_err(lost)
    }
}

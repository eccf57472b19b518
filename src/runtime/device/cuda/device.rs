//! One rank's arrays on a GPU. Work is queued in the order of the plan; the host waits only where it needs a value.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Instant;

use super::beside::{Beside, Small};
use super::blas::Math;
use super::by_hand::scratch_bytes;
use super::driver::{CudaError, Function, Gpu, GpuInfo, Launch, Module};
use super::edges::Edges;
use super::engine::{Cubins, Stop, alone, device_code};
use super::exchange::{At, Leg, List, Which};
use super::launch::Around;
use super::link::{Due, Known, Sweep, Waits};
use super::listed::Gathers;
use super::pairs::Pairs;
use super::queue::Queue;
use super::record::Recorder;
use super::reduce::PEERS;
use super::rounds::{self, Alone, Rounds};
use super::scatter::Scatters;
use super::transport::card::Card;
use super::transport::choose::{Chooser, Links};
use super::transport::peer::{Carrying, Order};
use super::transport::{Link, Transport};
use super::work::{Memory, Work, refuse_too_much, work_of};
use crate::codegen::cuda::{self as generate, Unit};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{ArrayId, Code, Reg, ScalarId};
use crate::ir::plan::{ExchangeId, Plan, PlanArray, PlanNestId, Step, ViewId};
use crate::runtime::comm::Comm;
use crate::runtime::device::Device;
use crate::runtime::exchange::Place;
use crate::runtime::failure::{Failure, Problem};
use crate::runtime::numbers::Numbers;
use crate::runtime::say::say;
use crate::runtime::scatter::{Picks, Scatter};
use crate::runtime::startup;
use crate::runtime::state::RankState;
use crate::runtime::trace::{Event, Kind};

pub struct CudaDevice<'a> {
    pub(super) plan: &'a Plan,
    pub(super) unit: &'a Unit,
    pub(super) me: i64,
    ordinal: i32,
    // The graphs of the queue and of loops go before the device that they belong to.
    pub(super) queue: Queue,
    /// The rounds of the loop that runs now.
    pub(super) rounds: Rounds,
    pub(super) gpu: Gpu,
    pub(super) most_blocks: u32,
    math: Math,
    pub(super) memory: Memory,
    /// In which block each array is now.
    pub(super) arrays: Vec<u32>,
    pub(super) scalars: u64,
    /// Where the host reads the table of scalars.
    learned: *mut u8,
    /// The version of each scalar that the device's table holds.
    pub(super) table: Vec<Option<u32>>,
    pub(super) work: Vec<Work>,
    pub(super) beside: Beside,
    pub(super) pairs: Pairs,
    /// The last launch, if it is a sweep of few threads.
    pub(super) small: Option<Small>,
    /// Loops that run by themselves, and the kernel that looks at their conditions.
    pub(super) alone: Alone,
    pub(super) again: Option<Function>,
    /// By exchange and round.
    pub(super) legs: Vec<Vec<Leg>>,
    /// How messages travel to each rank, and what is kept for that.
    pub(super) links: Links,
    /// Whether all ranks are peers of one another, and few enough for all-reduces of their own.
    pub(super) all_peers: bool,
    pub(super) order: Order,
    pub(super) carrying: HashMap<(At, Vec<u32>), Carrying>,
    /// The last sweep, and the exchange that is on its way: see [`super::link`].
    pub(super) sweep: Option<Sweep>,
    pub(super) due: Option<Due>,
    pub(super) known: HashMap<(u32, u32, u64, usize), Known>,
    pub(super) waits: HashMap<(u32, u32, u64), Option<Waits>>,
    pub(super) awaited: HashMap<u32, Carrying>,
    /// Exchanges delivered by sweeps, and carried by a kernel of their own.
    pub(super) delivered: u64,
    pub(super) carried: u64,
    /// A word in host memory: not zero when a rank of this process has given up.
    pub(super) stop: u64,
    pub(super) ended: bool,
    pub verbose: bool,
    pub(super) lists: HashMap<(At, Which, Vec<u64>), List>,
    /// Constant ghost cells that hold their value already: exchange and address.
    pub(super) filled: HashSet<(u32, Vec<u64>)>,
    /// The numbers of the scalar code that devices may run.
    pub(super) scalar_code: HashMap<*const Code, u64>,
    pub(super) codes: Function,
    pub(super) copies: Function,
    pub(super) carry: Function,
    pub(super) finish: Function,
    pub(super) set: Function,
    pub(super) scratch: (u64, usize),
    pub(super) scatters: Scatters,
    pub(super) gathers: Gathers,
}

/// What a rank is given to begin with.
pub struct Given<'a> {
    /// The device, woken up.
    pub gpu: Result<Gpu, CudaError>,
    pub code: Result<Cubins, Problem>,
    pub unit: &'a Unit,
    /// The transports to choose from; all if none.
    pub wish: &'a [Transport],
    pub math: Math,
    pub stop: &'a Stop,
}

/// A call failed at a moment when others may wait for this device.
pub(super) fn broken(e: CudaError) -> Failure {
    Failure::Device(e.to_string())
}

/// A device failed by itself, or because kernels that waited for another rank were ended.
fn failed(device: &str, why: String, stop: u64) -> Failure {
    if Stop::is_set(stop) {
        return Failure::Lost(format!("{device} waited for a rank that has ended"));
    }
    Failure::Device(format!("{device}: {why}"))
}

/// What a device holds before it knows of others.
struct Prepared {
    gpu: Gpu,
    module: Module,
    /// The kernels that all programs share.
    common: Module,
    memory: Memory,
    stop: u64,
}

impl<'a> CudaDevice<'a> {
    /// Takes a GPU, allocates everything that the plan names, and finds out how to reach the other ranks. A collective: a rank
    /// that has a problem takes part to the end, and all agree on it afterwards. Where a device breaks while others wait for what
    /// it sends, that is a failure at once.
    pub fn new(
        plan: &'a Plan,
        comm: &mut dyn Comm,
        info: &GpuInfo,
        given: Given<'a>,
    ) -> Result<Result<CudaDevice<'a>, Problem>, Failure> {
        let Given { gpu, code, unit, wish, math, stop } = given;
        let me = comm.rank();
        let called = format!("GPU {} of rank {me}", info.ordinal);
        let bad = |e: CudaError| Problem::new("E0620", format!("{called}: {e}"));
        let mut card = Card {
            host: Card::host(),
            process: std::process::id(),
            ordinal: info.ordinal,
            bus: info.bus.clone(),
            gpu: info.name.clone(),
            ..Card::default()
        };
        let prepare = |[program, common]: &[Vec<u8>; 2]| -> Result<Prepared, Problem> {
            let mut gpu = gpu.map_err(bad)?;
            refuse_too_much(plan, me, gpu.free_memory().map_err(bad)?)?;
            let module = gpu.load(program).map_err(bad)?;
            let common = gpu.load(common).map_err(bad)?;
            if math != Math::Exact {
                let needs = |why| Problem::new("E0620", format!("`--math` other than `exact` needs cuBLAS: {why}"));
                gpu.take_blas().map_err(needs)?;
            }
            let memory = Memory::new(plan, me, &mut gpu).map_err(bad)?;
            gpu.wait().map_err(bad)?;
            let stop = stop.address().map_err(bad)?;
            Ok(Prepared { gpu, module, common, memory, stop })
        };
        let mut own = match code.and_then(|code| prepare(&code)) {
            Ok(own) => own,
            Err(problem) => {
                card.failed = true;
                card.exchange(comm)?;
                return Ok(Err(problem));
            }
        };
        let memory = &own.memory;
        (card.arena, card.blocks, card.views) = (memory.arena, memory.blocks.clone(), memory.views.clone());
        card.handle = own.gpu.share(memory.arena).ok().map(|h| h.to_vec());
        startup::ended("GPU memory");
        let carry = own.common.function("mgpu_carry");
        card.failed = carry.is_err();
        let cards = card.exchange(comm)?;
        let carry = match carry {
            Ok(carry) => carry,
            Err(e) => return Ok(Err(bad(e))),
        };
        let chooser = Chooser { gpu: &mut own.gpu, comm, memory: &own.memory, carry, stop: own.stop };
        let links = chooser.choose(&card, &cards, wish).map_err(|f| {
            let f = if let Failure::Device(why) = f { failed(&called, why, own.stop) } else { f };
            // Kernels of other ranks wait for this one.
            Stop::set(own.stop);
            f
        })?;
        startup::ended("transports");
        let made = links.and_then(|links| CudaDevice::with(plan, me, info, unit, math, own, carry, links, &bad));
        Ok(made)
    }

    /// The device of a rank that knows how to reach the others.
    #[allow(clippy::too_many_arguments)]
    fn with(
        plan: &'a Plan,
        me: i64,
        info: &GpuInfo,
        unit: &'a Unit,
        math: Math,
        own: Prepared,
        carry: Function,
        links: Links,
        bad: &dyn Fn(CudaError) -> Problem,
    ) -> Result<CudaDevice<'a>, Problem> {
        let Prepared { mut gpu, module, common, memory, stop } = own;
        let function = |name: &str| module.function(name).map_err(bad);
        let common = |name: &str| common.function(name).map_err(bad);
        let ends: &dyn Fn(&str) -> Result<Function, Problem> = if unit.own_ends { &function } else { &common };
        let finish = ends("mgpu_finish")?;
        let scalars = gpu.alloc(8 * (plan.program.scalars.len() + rounds::WORDS)).map_err(bad)?;
        let learned = gpu.pin(8 * plan.program.scalars.len()).map_err(bad)?;
        let beside = Beside::of(plan, &|n| unit.kernels[n.0 as usize].moving.clone());
        let mut work = vec![];
        for (k, kernels) in unit.kernels.iter().enumerate() {
            let id = PlanNestId(k as u32);
            work.push(work_of(plan, id, me, kernels, &module, &mut gpu, beside.nests.contains(&id)).map_err(bad)?);
        }
        let pairs = Pairs::new(plan, unit, &work, &module).map_err(bad)?;
        let edges = Edges::of(plan);
        let codes = device_code(plan).into_iter().map(|c| std::ptr::from_ref(c.0)).zip(1..);
        let scatters = Scatters::new(plan, &function)?;
        let alike = |a: &PlanArray, b: &PlanArray| a.layout == b.layout && a.ghost == b.ghost;
        let class = plan.arrays.iter().map(|a| plan.arrays.iter().position(|b| alike(a, b)).unwrap_or(0) as u32);
        let mut device = CudaDevice {
            plan,
            unit,
            me,
            ordinal: info.ordinal,
            queue: Queue::default(),
            most_blocks: info.multiprocessors as u32 * 8,
            math,
            order: Order::new(class.collect(), memory.views.len(), plan.ranks as usize),
            memory,
            arrays: plan.arrays.iter().map(|a| a.buffer).collect(),
            scalars,
            learned,
            table: vec![None; plan.program.scalars.len()],
            work,
            beside,
            pairs,
            small: None,
            again: None,
            alone: alone(plan),
            rounds: Rounds::default(),
            legs: vec![],
            all_peers: plan.ranks as usize <= PEERS && links.all_peers,
            links,
            carrying: HashMap::new(),
            sweep: None,
            due: None,
            known: HashMap::new(),
            waits: HashMap::new(),
            awaited: HashMap::new(),
            delivered: 0,
            carried: 0,
            stop,
            ended: false,
            verbose: false,
            lists: HashMap::new(),
            filled: HashSet::new(),
            scalar_code: codes.collect(),
            codes: ends("mgpu_codes")?,
            copies: common("mgpu_copies")?,
            carry,
            finish,
            set: common("mgpu_set")?,
            scratch: (0, 0),
            scatters,
            gathers: Gathers::default(),
            gpu,
        };
        if plan.ranks == 1 || device.all_peers {
            device.again = rounds::again(&device.alone, &|name| module.function(name).ok());
        }
        for e in 0..plan.exchanges.len() {
            let legs = device.legs_of(ExchangeId(e as u32), &edges).map_err(bad)?;
            device.legs.push(legs);
        }
        // Later, allocating might wait for kernels of other ranks that wait for this one.
        device.scratch(scratch_bytes(plan, me)).map_err(bad)?;
        device.gpu.wait().map_err(bad)?;
        // Nobody may write here before this rank has cleared its memory, which the trials have seen to.
        Ok(device)
    }

    /// How messages travel to the other ranks.
    pub fn links(&self) -> impl Iterator<Item = (usize, &Link)> {
        self.links.links.iter().enumerate().filter_map(|(q, l)| Some((q, l.as_ref()?)))
    }

    pub(super) fn address(&self, place: Place) -> u64 {
        self.memory.address(place, &self.arrays)
    }

    /// Brings the device's table up to date where the host has newer values.
    fn send_scalars(&mut self, ids: &[ScalarId], state: &RankState) -> Result<(), Failure> {
        for id in ids {
            let version = Some(state.scalars.version(*id));
            if state.scalars.is_known(*id) && self.table[id.0 as usize] != version {
                self.table[id.0 as usize] = version;
                let words = vec![self.scalars, id.0 as u64, state.scalars.bits[id.0 as usize]];
                let set = Launch::single(self.set, words);
                self.queue.push_using(set, &[self.scalar(*id)]);
            }
        }
        Ok(())
    }

    /// Where a scalar lies in the device's table.
    pub(super) fn scalar(&self, id: ScalarId) -> u64 {
        self.scalars + 8 * u64::from(id.0)
    }

    /// The device has computed a scalar.
    pub(super) fn computed(&mut self, id: ScalarId, state: &mut RankState) {
        state.scalars.forget(id);
        self.table[id.0 as usize] = Some(state.scalars.version(id));
    }

    fn launch(&mut self, k: usize, part: &IndexBox, state: &RankState) -> Result<(), Failure> {
        let moving = self.work[k].moving.clone();
        self.send_scalars(&moving, state)?;
        self.work[k].turn();
        let (work, kernels) = (&self.work[k], &self.unit.kernels[k]);
        let round = self.plan.nests[k].panels.as_ref().map_or(0, |p| state.scalars.round_of(p));
        let operands = work
            .places
            .iter()
            .zip(&work.boxes[round])
            .map(|(p, (lo, s))| (self.address(*p), &lo[..], &s[..]))
            .collect();
        let around = Around {
            nest: &self.plan.nests[k].nest,
            part,
            operands,
            scalars: self.scalars,
            value: &|id| state.scalars.bits[id.0 as usize],
            accumulators: &work.accumulators,
            most_blocks: self.most_blocks,
            math: self.math,
        };
        let fast = kernels.fast.as_ref().zip(work.fast).and_then(|(kernel, f)| around.fast(kernel, f));
        let launch = match &fast {
            Some(launch) => launch.clone(),
            None => around.general(&kernels.general, work.general),
        };
        if self.join_pair(k, &launch) {
            return Ok(());
        }
        self.sweeps(PlanNestId(k as u32), fast, launch)?;
        self.may_be_joined(k);
        Ok(())
    }
}

impl Device for CudaDevice<'_> {
    fn failed(&self, why: String) -> Failure {
        failed(&format!("GPU {} of rank {}", self.ordinal, self.me), why, self.stop)
    }

    fn compute(&mut self, id: PlanNestId, overlap: Option<ExchangeId>, state: &mut RankState) -> Result<(), Failure> {
        if let Some(ex) = overlap {
            self.run_exchange(ex, state)?;
        }
        let k = id.0 as usize;
        let n = self.plan.nest(id);
        for (o, (operand, source)) in n.nest.operands.iter().zip(&n.sources).enumerate() {
            let reads = n.nest.accesses.iter().any(|a| a.operand.0 as usize == o);
            self.order.uses(Place::from(*source), operand.written && !reads, &self.arrays);
        }
        let Some(part) = self.work[k].part.clone() else { return self.settle() };
        self.launch(k, &part, state)
    }

    fn exchange(&mut self, ex: ExchangeId, state: &mut RankState) -> Result<(), Failure> {
        self.run_exchange(ex, state)
    }

    fn inspect(&mut self, view: ViewId, state: &mut RankState) -> Result<(), Failure> {
        self.inspect_view(view, state)
    }

    fn all_reduce(&mut self, items: &[(PlanNestId, usize)], state: &mut RankState) -> Result<(), Failure> {
        self.reduce_all(items, state)
    }

    fn finish(&mut self, id: PlanNestId, state: &mut RankState) -> Result<(), Failure> {
        self.finish_here(id, state)
    }

    fn scalars(&mut self, code: &Code, results: &[(Reg, ScalarId)], state: &mut RankState) -> Result<(), Failure> {
        let mut inputs = std::collections::BTreeSet::new();
        generate::read_scalars(&code.body, &mut inputs);
        let here = self.again.is_none() || !self.alone.code.contains(&std::ptr::from_ref(code));
        if here && inputs.iter().all(|s| state.scalars.is_known(*s)) {
            state.scalars.eval(code, results, &self.plan.program.tables);
            return Ok(());
        }
        let Some(number) = self.scalar_code.get(&std::ptr::from_ref(code)).copied() else {
            self.learn(state)?;
            state.scalars.eval(code, results, &self.plan.program.tables);
            return Ok(());
        };
        let inputs: Vec<ScalarId> = inputs.into_iter().collect();
        self.send_scalars(&inputs, state)?;
        let beside = self.beside.code.contains(&std::ptr::from_ref(code));
        let used = inputs.iter().copied().chain(results.iter().map(|r| r.1)).map(|s| self.scalar(s));
        let used: Vec<u64> = used.collect();
        if !self.queue.add_code(number, beside, &used) {
            let launch = Launch::single(self.codes, vec![self.scalars, number, 0]);
            if beside {
                self.queue.push_beside(launch, used);
            } else {
                self.queue.push(launch);
            }
            self.queue.takes_codes(1);
        }
        results.iter().for_each(|(_, id)| self.computed(*id, state));
        Ok(())
    }

    fn scatters(&self) -> bool {
        true
    }

    fn scatter_unordered(&mut self, s: &Scatter) -> Result<bool, Failure> {
        self.scatter_in_any_order(s)
    }

    fn keep_route(&mut self, s: &Scatter, sends: &[Picks], takes: &[Numbers]) -> Result<(), Failure> {
        self.keep_lists(s, sends, takes)
    }

    fn scatter(&mut self, s: &Scatter, state: &mut RankState) -> Result<(), Failure> {
        self.scatter_lists(s, state)
    }

    fn swap(&mut self, a: ArrayId, b: ArrayId) {
        self.arrays.swap(a.0 as usize, b.0 as usize);
    }

    fn read(&mut self, id: ArrayId, region: &IndexBox) -> Result<Vec<u8>, Failure> {
        self.read_box(id, region)
    }

    fn write(&mut self, id: ArrayId, region: &IndexBox, data: &[u8]) -> Result<(), Failure> {
        self.write_box(id, region, data)
    }

    fn learn(&mut self, state: &mut RankState) -> Result<(), Failure> {
        self.queue.flush(&self.gpu).map_err(broken)?;
        let n = self.table.len();
        // Page-locked memory: the copy needs no buffer of the driver's, and loops may ask once an iteration.
        // SAFETY: the block has room for every scalar and stays.
        unsafe { self.gpu.download(self.learned, self.scalars, 8 * n) }.map_err(broken)?;
        self.gpu.wait().map_err(broken)?;
        // SAFETY: as above; the copy has ended.
        let data = unsafe { std::slice::from_raw_parts(self.learned, 8 * n) };
        for k in 0..n {
            let id = ScalarId(k as u32);
            if !state.scalars.is_known(id) {
                let word = u64::from_le_bytes(data[8 * k..8 * k + 8].try_into().unwrap_or_default());
                state.scalars.fetched(id, word);
            }
        }
        Ok(())
    }

    fn record(&mut self, origin: Instant) -> Result<(), Failure> {
        let titles = self.plan.step_titles();
        let mut kinds: HashMap<Function, Kind> =
            [(self.carry, Kind::Send), (self.copies, Kind::Send), (self.finish, Kind::Reduce)].into();
        kinds.extend(self.scatters.pick.map(|f| (f, Kind::Send)));
        self.queue.recorder = Some(Recorder::new(&self.gpu, titles, kinds, origin).map_err(broken)?);
        Ok(())
    }

    fn at(&mut self, step: u32) {
        self.queue.step = step;
    }

    fn recorded(&mut self) -> Result<Vec<Event>, Failure> {
        match &mut self.queue.recorder {
            Some(recorder) => recorder.take(&self.gpu).map_err(broken),
            None => Ok(vec![]),
        }
    }

    fn copy_bandwidth(&self) -> f64 {
        self.gpu.copy_bandwidth().unwrap_or(0.0)
    }

    fn waits_for_others(&self) -> bool {
        self.links().any(|(_, l)| [l.small, l.large].iter().any(|t| matches!(t, Transport::Peer | Transport::Nccl)))
    }

    fn by_hand(&mut self) -> Result<(), Failure> {
        self.order.uses_all();
        if self.plan.ranks > 1 {
            // Other ranks' kernels may wait for what is queued here, while this rank waits for their messages.
            self.settle()?;
            self.queue.flush(&self.gpu).map_err(broken)?;
        }
        Ok(())
    }

    fn round(&mut self, body: &[Step], first: bool) -> Option<u64> {
        self.round_begins(body, first)
    }

    fn rounds(&mut self, cond: ScalarId, period: u64) -> Result<u64, Failure> {
        self.run_rounds(cond, period)
    }

    fn dismiss(&mut self) {
        self.queue.dismiss();
    }

    fn rounds_over(&mut self) {
        // Nobody compares what goes out from now on.
        self.queue.log = None;
    }

    fn turn(&mut self) -> Result<(), Failure> {
        self.queue.turn(&self.gpu, self.sweep.as_ref().map(|s| s.number)).map_err(broken)
    }

    fn wait(&mut self) -> Result<(), Failure> {
        self.settle()?;
        self.queue.flush(&self.gpu).map_err(broken)?;
        self.gpu.wait().map_err(broken)?;
        self.ended = true;
        if self.verbose && self.rounds.done > 0 {
            say(format!("rank {}: the GPU ran {} rounds of `while` loops by itself", self.me, self.rounds.done));
        }
        if self.verbose && self.gathers.carried > 0 {
            say(format!(
                "rank {}: {} exchanges carried only the elements that are read",
                self.me, self.gathers.carried
            ));
        }
        if self.verbose && self.pairs.joined > 0 {
            let (joined, riders) = (self.pairs.joined, self.pairs.riders);
            say(format!(
                "rank {}: {joined} launches made two products that share a matrix, {riders} of them a sum too",
                self.me
            ));
        }
        if self.verbose && self.delivered + self.carried > 0 {
            let (me, all, own) = (self.me, self.delivered + self.carried, self.delivered);
            say(format!(
                "rank {me}: {own} of {all} exchanges with peers were delivered by the sweeps that wrote the elements"
            ));
        }
        Ok(())
    }
}

impl Drop for CudaDevice<'_> {
    /// A rank that goes before its end frees kernels of other ranks that wait for it.
    fn drop(&mut self) {
        if !self.ended {
            Stop::set(self.stop);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_behind_another_rank_is_not_its_own_failure() {
        let word = std::cell::UnsafeCell::new(0u32);
        let stop = word.get() as u64;
        let text = |f: Failure| match f {
            Failure::Device(why) => format!("device: {why}"),
            Failure::Lost(why) => format!("lost: {why}"),
            other => format!("{other:?}"),
        };
        assert_eq!(text(failed("GPU 1 of rank 0", "cuX: y".into(), stop)), "device: GPU 1 of rank 0: cuX: y");
        Stop::set(stop);
        assert_eq!(
            text(failed("GPU 1 of rank 0", "cuX: y".into(), stop)),
            "lost: GPU 1 of rank 0 waited for a rank that has ended"
        );
    }
}

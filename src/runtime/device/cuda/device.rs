//! One rank's arrays on a GPU. Work is queued in the order of the plan; the host waits only where it needs a value.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Instant;

use super::beside::{Beside, Small};
use super::blas::Math;
use super::driver::{CudaError, Function, Gpu, Launch};
use super::engine::Stop;
use super::exchange::{At, Leg, List, Which};
use super::launch::Around;
use super::link::{Due, Known, Sweep, Waits};
use super::listed::Gathers;
use super::pairs::Pairs;
use super::queue::Queue;
use super::record::Recorder;
use super::rounds::{Alone, Rounds};
use super::scan::Scans;
use super::scatter::Scatters;
use super::transport::choose::Links;
use super::transport::peer::{Carrying, Order};
use super::transport::{Link, Transport};
use super::work::{Memory, Work};
use crate::codegen::cuda::{self as generate, Unit};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{ArrayId, Code, Reg, ScalarId};
use crate::ir::plan::{ExchangeId, Plan, PlanNestId, Step, ViewId};
use crate::runtime::device::Device;
use crate::runtime::exchange::Place;
use crate::runtime::failure::Failure;
use crate::runtime::numbers::Numbers;
use crate::runtime::say::say;
use crate::runtime::scan::Scan;
use crate::runtime::scatter::{Picks, Scatter};
use crate::runtime::state::RankState;
use crate::runtime::trace::{Event, Kind};

pub struct CudaDevice<'a> {
    pub(super) plan: &'a Plan,
    pub(super) unit: &'a Unit,
    pub(super) me: i64,
    pub(super) ordinal: i32,
    // The graphs of the queue and of loops go before the device that they belong to.
    pub(super) queue: Queue,
    /// The rounds of the loop that runs now.
    pub(super) rounds: Rounds,
    pub(super) gpu: Gpu,
    pub(super) most_blocks: u32,
    pub(super) math: Math,
    pub(super) memory: Memory,
    /// In which block each array is now.
    pub(super) arrays: Vec<u32>,
    pub(super) scalars: u64,
    /// Where the host reads the table of scalars.
    pub(super) learned: *mut u8,
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
    pub(super) scans: Scans,
    pub(super) gathers: Gathers,
}

/// A call failed at a moment when others may wait for this device.
pub(super) fn broken(e: CudaError) -> Failure {
    Failure::Device(e.to_string())
}

/// A device failed by itself, or because kernels that waited for another rank were ended.
pub(super) fn failed(device: &str, why: String, stop: u64) -> Failure {
    if Stop::is_set(stop) {
        return Failure::Lost(format!("{device} waited for a rank that has ended"));
    }
    Failure::Device(format!("{device}: {why}"))
}

impl CudaDevice<'_> {
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

    fn scan(&mut self, s: &Scan, state: &mut RankState) -> Result<bool, Failure> {
        self.scan_here(s, state)
    }

    fn scatters(&self) -> bool {
        true
    }

    fn scatter_alone(&mut self, s: &Scatter, state: &mut RankState) -> Result<bool, Failure> {
        self.scatter_by_itself(s, state)
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

//! Scans in device memory (`codegen/cuda/scan.cu`), in the order of `runtime/scan.rs`. What ranks tell one another is what ranks without a
//! GPU do: totals where they hold whole leaves of the only dimension, else what is carried along each line.

use std::collections::HashMap;
use std::time::Instant;

use super::carry;
use super::device::{CudaDevice, broken};
use super::driver::{Call, Function, Launch};
use super::scatter::{Room, spots};
use super::start::Setup;
use super::storage::padded;
use crate::codegen::cuda::scan::{DONE, OPEN, Running, STRIP, STRIP_THREADS, Step, THREADS};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::ArrayId;
use crate::ir::plan::{Plan, StepKind};
use crate::runtime::copy::{MOST_DIMENSIONS, strides};
use crate::runtime::exchange::Place;
use crate::runtime::failure::{Failure, Problem};
use crate::runtime::scan::{self, Lines, Scan};
use crate::runtime::state::RankState;
use crate::runtime::trace::Kind;

/// From so many lines on, a thread goes through each.
const MANY: usize = 1 << 16;
/// Fewer lines that are carried from rank to rank within a leaf are left to the host.
const FEW: usize = 1 << 10;

/// `mg_scan` of the template.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Geometry {
    count: [i64; 6],
    step: [i64; 6],
    lines: i64,
    len: i64,
    along: i64,
    first: i64,
    leaf: i64,
    leaves: i64,
}

/// What a device has for scans.
#[derive(Default)]
pub struct Scans {
    /// Totals, prefix, values and lines.
    kernels: HashMap<Running, [Function; 4]>,
    /// A word for every leaf of every line.
    slots: Room,
    /// Two words for every line, and the same on the host, or a word for every leaf.
    state: Room,
    state_here: Room,
}

/// The scans of a plan.
fn scans(plan: &Plan) -> Vec<Scan> {
    let mut out = vec![];
    plan.each_step(&plan.steps, &mut |s| {
        if let StepKind::Scan { array, dim, op } = &s.kind {
            out.push(Scan { array: *array, dim: *dim, op: *op });
        }
    });
    out
}

/// The kernels that a scan needs: steps are the same on all ranks that hold elements.
fn running(plan: &Plan, s: &Scan) -> Running {
    let mut storage = (0..plan.ranks).map(|r| padded(plan, Place::Array(s.array), r)).filter(|b| !b.is_empty());
    let beside = storage.next().is_some_and(|b| strides(&b)[s.dim] == 1);
    Running::new(plan.array(s.array).array.ty, s.op, beside)
}

/// The kernels of a plan's scans.
pub fn runnings(plan: &Plan) -> Vec<Running> {
    scans(plan).iter().map(|s| running(plan, s)).collect()
}

/// The lines of a rank's part, and how many leaves one has; `None` if there is nothing or it has too many dimensions.
fn lines(plan: &Plan, s: &Scan, rank: i64) -> Option<(Lines, IndexBox)> {
    let layout = &plan.array(s.array).layout;
    let part = layout.part(rank);
    (!part.is_empty() && part.rank() <= MOST_DIMENSIONS).then(|| (Lines::new(&part, s.dim, layout.shape[s.dim]), part))
}

/// Bytes of slots, of the state of lines, and of one line's slots that a scan needs.
fn room(lines: &Lines) -> [usize; 3] {
    let leaves = if lines.count() < MANY { lines.leaves() } else { 0 };
    [8 * lines.count() * leaves, 16 * lines.count(), 8 * leaves]
}

/// Bytes that the largest scan of a plan needs, and of which array it is.
pub fn demand(plan: &Plan, me: i64) -> Option<(ArrayId, u64)> {
    let bytes = |s: &Scan| {
        let [slots, state, _] = room(&lines(plan, s, me)?.0);
        Some((s.array, (slots + state) as u64))
    };
    scans(plan).iter().filter_map(bytes).max_by_key(|s| s.1)
}

impl Scans {
    /// Finds the kernels of a plan's scans, and makes room for the largest.
    pub fn new(setup: &mut Setup) -> Result<Scans, Problem> {
        let mut out = Scans::default();
        let mut most = [0; 3];
        for s in scans(setup.plan) {
            let running = running(setup.plan, &s);
            let find = |step: Step| (setup.function)(&running.name(step));
            let found = [find(Step::Totals)?, find(Step::Prefix)?, find(Step::Values)?, find(Step::Lines)?];
            out.kernels.insert(running, found);
            if let Some((lines, _)) = lines(setup.plan, &s, setup.me) {
                most.iter_mut().zip(room(&lines)).for_each(|(most, n)| *most = n.max(*most));
            }
        }
        let [slots, state, line] = most;
        if state > 0 {
            let gpu = &mut *setup.gpu;
            out.slots.on_device(slots, gpu).map_err(setup.bad)?;
            out.state.on_device(state, gpu).map_err(setup.bad)?;
            out.state_here.on_host(state.max(line), gpu).map_err(setup.bad)?;
        }
        Ok(out)
    }
}

/// A scan of this rank's part on its way.
struct Run {
    kernels: [Function; 4],
    data: u64,
    geometry: Geometry,
}

impl CudaDevice<'_> {
    /// Replaces an array's elements by running values; says whether the device did. A collective.
    pub(super) fn scan_here(&mut self, s: &Scan, state: &mut RankState) -> Result<bool, Failure> {
        let layout = &self.plan.array(s.array).layout;
        let Some((lines, part)) = lines(self.plan, s, self.me) else { return Ok(false) };
        let kernels = self.scans.kernels.get(&running(self.plan, s)).copied();
        let kernels = kernels.ok_or_else(|| Failure::Internal("a scan has no kernel".into()))?;
        let first = spots(self.plan, s.array, self.me).of(0) * self.plan.array(s.array).array.ty.size() as u64;
        let data = self.address(Place::Array(s.array)) + first;
        let run = Run { kernels, data, geometry: self.geometry(s, &part, &lines) };
        let (across, totals) = s.across(layout);
        let whole_leaves = layout.leaves_aligned(s.dim);
        if across && !whole_leaves && lines.count() < FEW {
            return Ok(false);
        }
        self.settle()?;
        if !across {
            if lines.count() >= MANY || run.geometry.leaves == 1 {
                self.scan_lines(&run, 0);
            } else {
                self.scan_totals(&run);
                self.scan_values(&run, 0);
            }
        } else if totals {
            self.scan_totals(&run);
            let any = self.exchange_totals(s, &run, state)?;
            self.scan_values(&run, any);
        } else {
            self.scan_carried(s, &run, (&lines, whole_leaves && lines.count() < MANY), state)?;
        }
        Ok(true)
    }

    /// Runs a scan that is carried from rank to rank, `by_leaves` or by lines.
    fn scan_carried(
        &mut self,
        s: &Scan,
        run: &Run,
        (lines, by_leaves): (&Lines, bool),
        state: &mut RankState,
    ) -> Result<(), Failure> {
        let layout = &self.plan.array(s.array).layout;
        let neighbour = |step: i64| scan::neighbour(layout, self.me, s.dim, step);
        let (before, behind) = (neighbour(-1), neighbour(1));
        if by_leaves {
            // Beside the wait.
            self.scan_totals(run);
        }
        let any = self.carried_here(before, lines, state)?;
        if !by_leaves {
            self.scan_lines(run, any);
            return self.carry_on(behind, lines, lines.carried(any & DONE != 0, any & OPEN != 0), state);
        }
        self.scan_prefix(run, any);
        self.carry_on(behind, lines, (true, false), state)?;
        self.scan_after_prefix(run, any);
        Ok(())
    }

    fn geometry(&self, s: &Scan, part: &IndexBox, lines: &Lines) -> Geometry {
        let steps = strides(&padded(self.plan, Place::Array(s.array), self.me));
        let mut g = Geometry {
            count: [1; 6],
            lines: lines.count() as i64,
            len: part.dims[s.dim].len(),
            along: steps[s.dim],
            first: lines.first_in_leaf(),
            leaf: lines.leaf(),
            leaves: lines.leaves() as i64,
            ..Geometry::default()
        };
        let others = (0..part.rank()).rev().filter(|d| *d != s.dim);
        for (at, d) in (0..6).rev().zip(others) {
            (g.count[at], g.step[at]) = (part.dims[d].len(), steps[d]);
        }
        g
    }

    fn queue_scan(&mut self, kernel: Function, (threads, tasks): (u32, i64), words: Vec<u64>) {
        let blocks = (tasks as u64).div_ceil(u64::from(threads)).max(1);
        let grid = (blocks as u32, 1, 1);
        self.queue.push(Launch { call: Call::Kernel(kernel), grid, block: (threads, 1), words });
    }

    fn scan_totals(&mut self, run: &Run) {
        let words = [run.data, self.scans.slots.at].into_iter().chain(carry::words(&run.geometry)).collect();
        let g = &run.geometry;
        self.queue_scan(run.kernels[0], (THREADS, g.lines * g.leaves), words);
    }

    fn scan_prefix(&mut self, run: &Run, any: u64) {
        let (g, at) = (&run.geometry, (self.scans.slots.at, self.scans.state.at));
        let grid = ((g.lines as u64).div_ceil(STRIP) as u32, 1, 1);
        let words = vec![at.0, at.1, g.lines as u64, g.leaves as u64, any];
        self.queue.push(Launch { call: Call::Kernel(run.kernels[1]), grid, block: (STRIP_THREADS, 1), words });
    }

    fn scan_after_prefix(&mut self, run: &Run, any: u64) {
        let first = [run.data, self.scans.slots.at, any];
        let words = first.into_iter().chain(carry::words(&run.geometry)).collect();
        let g = &run.geometry;
        self.queue_scan(run.kernels[2], (THREADS, g.lines * g.leaves), words);
    }

    fn scan_values(&mut self, run: &Run, any: u64) {
        self.scan_prefix(run, any);
        self.scan_after_prefix(run, any);
    }

    fn scan_lines(&mut self, run: &Run, any: u64) {
        let first = [run.data, self.scans.state.at, any];
        let words = first.into_iter().chain(carry::words(&run.geometry)).collect();
        self.queue_scan(run.kernels[3], (THREADS, run.geometry.lines), words);
    }

    /// Runs what is queued, and copies words from the device.
    fn words_here(&mut self, from: u64, words: usize) -> Result<&[u8], Failure> {
        self.queue.flush(&self.gpu).map_err(broken)?;
        let here = self.scans.state_here.at as *mut u8;
        // SAFETY: both blocks have room for so many words; the wait follows.
        unsafe { self.gpu.download(here, from, 8 * words) }.map_err(broken)?;
        self.gpu.wait().map_err(broken)?;
        // SAFETY: page-locked memory that stays; the copy has ended.
        Ok(unsafe { std::slice::from_raw_parts(here.cast_const(), 8 * words) })
    }

    /// Puts words where a scan's state is; what was queued and copied before must be over.
    fn words_there(&mut self, words: &[u8]) -> Result<(), Failure> {
        let (here, there) = (self.scans.state_here.at as *mut u8, self.scans.state.at);
        // SAFETY: both blocks have room for the state of all lines; nothing reads the host's now.
        unsafe {
            std::ptr::copy_nonoverlapping(words.as_ptr(), here, words.len());
            self.gpu.upload(there, here, words.len()).map_err(broken)
        }
    }

    /// Exchanges the totals of the only line; says what is carried to this rank, which lies on the device then.
    fn exchange_totals(&mut self, s: &Scan, run: &Run, state: &mut RankState) -> Result<u64, Failure> {
        let clock = Instant::now();
        let (slots, leaves) = (self.scans.slots.at, run.geometry.leaves as usize);
        let mine = self.words_here(slots, leaves)?.to_vec();
        let all = state.comm.gathered(&mine)?;
        let ty = self.plan.array(s.array).array.ty;
        let before = scan::total_of(ty, s.op, &mut (0..self.me).flat_map(|r| all.part(r as usize).chunks_exact(8)));
        if let Some(before) = before {
            self.words_there(&before.to_le_bytes())?;
        }
        state.stats.spent(Kind::Wait, clock);
        Ok(if before.is_some() { DONE } else { 0 })
    }

    /// Waits for what the rank before carries, and brings it to the device; says which words count.
    fn carried_here(&mut self, before: Option<i64>, lines: &Lines, state: &mut RankState) -> Result<u64, Failure> {
        // The host's memory may still be on its way to the device, and others wait for what is queued.
        self.queue.flush(&self.gpu).map_err(broken)?;
        self.gpu.wait().map_err(broken)?;
        let Some(peer) = before else { return Ok(0) };
        let m = scan::receive(state, peer, lines)?;
        let flag = |k: usize, bit: u64| if m[k] != 0 { bit } else { 0 };
        let any = flag(0, DONE) | flag(1, OPEN);
        self.words_there(&m[8..])?;
        state.comm.recycle(peer, m);
        Ok(any)
    }

    /// Sends on what is carried.
    fn carry_on(
        &mut self,
        behind: Option<i64>,
        lines: &Lines,
        any: (bool, bool),
        state: &mut RankState,
    ) -> Result<(), Failure> {
        let Some(peer) = behind else { return Ok(()) };
        let at = self.scans.state.at;
        let words = self.words_here(at, 2 * lines.count())?;
        scan::send(state, peer, any, words)
    }
}

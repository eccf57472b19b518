//! `while` loops that a device runs by itself. Once some rounds have queued the same launches as those before them, a graph with a
//! conditional node runs such rounds until the condition, which a kernel looks at, does not hold. The host then follows: what the
//! rounds would have queued is dismissed.
//!
//! Ranks need not begin this in the same round: messages among peers are the same either way.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::device::{CudaDevice, broken};
use super::driver::{Call, Function, Launch};
use super::graphs::Graph;
use crate::codegen::cuda::ordered;
use crate::ir::kernel::{Code, FoldOp, ScalarId};
use crate::ir::plan::{Plan, Step, StepKind};
use crate::runtime::failure::Failure;

/// The longest period that is looked for: arrays that change roles come back after two rounds.
const PERIODS: [usize; 2] = [1, 2];
/// Rounds whose launches are kept.
const KEPT: usize = 4;
/// The host looks in about so often.
const LOOK: Duration = Duration::from_millis(500);
/// Words behind the table of scalars: rounds done, and the number at which the host looks in.
pub const WORDS: usize = 2;

/// The `while` loops of a plan that a device may run by itself, by the address of their steps, and their scalar code.
#[derive(Debug, Default)]
pub struct Alone {
    loops: BTreeSet<*const Step>,
    pub code: BTreeSet<*const Code>,
    /// Scalars that such loops set.
    pub set: BTreeSet<ScalarId>,
}

impl Alone {
    /// The loops whose steps are all of the device's kind and whose conditions follow from `born`, scalars that devices compute.
    pub fn of(plan: &Plan, born: &BTreeSet<ScalarId>) -> Alone {
        let mut out = Alone::default();
        out.look(plan, &plan.steps, born);
        out
    }

    pub fn is_empty(&self) -> bool {
        self.loops.is_empty()
    }

    fn look(&mut self, plan: &Plan, steps: &[Step], born: &BTreeSet<ScalarId>) {
        for s in steps {
            if let StepKind::While { before, cond, body } = &s.kind
                && born.contains(cond)
                && before.iter().chain(body).all(|s| on_device(plan, &s.kind))
            {
                self.loops.insert(body.as_ptr());
                for s in before.iter().chain(body) {
                    if let StepKind::Scalars { code, results } = &s.kind {
                        self.code.insert(code);
                        self.set.extend(results.iter().map(|r| r.1));
                    }
                }
            }
            s.kind.blocks().into_iter().for_each(|b| self.look(plan, b, born));
        }
    }
}

/// Whether a step is nothing but launches, where all ranks are peers.
fn on_device(plan: &Plan, kind: &StepKind) -> bool {
    // The factors of a float product are multiplied on the host.
    let device = |n: &crate::ir::plan::PlanNestId, r: usize| {
        let nest = &plan.nest(*n).nest;
        nest.reductions[r].op != FoldOp::Prod || !ordered(nest, &nest.reductions[r])
    };
    match kind {
        StepKind::Scalars { .. } | StepKind::Exchange(_) | StepKind::Compute { .. } | StepKind::Swap(..) => true,
        StepKind::AllReduce(items) => items.iter().all(|(n, r)| device(n, *r)),
        StepKind::Finish(n) => (0..plan.nest(*n).nest.reductions.len()).all(|r| device(n, r)),
        _ => false,
    }
}

/// The rounds of the loop that runs now.
#[derive(Default)]
pub struct Rounds {
    /// Launches of the last rounds, the newest last.
    past: VecDeque<Vec<Launch>>,
    /// When the last round began, and how long the one before took.
    clock: Option<Instant>,
    took: Duration,
    graphs: Vec<(Vec<Vec<Launch>>, Graph)>,
    /// Rounds that the device has run by itself.
    pub done: u64,
}

impl Rounds {
    /// In how many rounds everything comes again, if that can be seen.
    fn period(&self) -> Option<usize> {
        let n = self.past.len();
        if n < KEPT || self.past.iter().flatten().any(|l| !matches!(l.call, Call::Kernel(_))) {
            return None;
        }
        let again = |p: &usize| (0..2).all(|k| self.past[n - 1 - k] == self.past[n - 1 - k - p]);
        PERIODS.into_iter().find(again)
    }
}

impl CudaDevice<'_> {
    /// A round begins, and everything queued before has gone out; whether the device can go on by itself, and the period.
    pub(super) fn round_begins(&mut self, body: &[Step], first: bool) -> Option<u64> {
        if self.again.is_none() || self.queue.recorder.is_some() || !self.alone.loops.contains(&body.as_ptr()) {
            return None;
        }
        let log = self.queue.log.replace(vec![]);
        let now = Instant::now();
        let rounds = &mut self.rounds;
        if first {
            rounds.past.clear();
        } else if let Some(log) = log {
            rounds.past.push_back(log);
            rounds.took = rounds.clock.map_or(LOOK, |c| now - c);
            if rounds.past.len() > KEPT {
                rounds.past.pop_front();
            }
        }
        rounds.clock = Some(now);
        let period = rounds.period();
        if period.is_some() {
            // What the host queues while it follows is no round of its own.
            self.queue.log = None;
        }
        period.map(|p| p as u64)
    }

    /// Runs rounds until the condition does not hold or the host is to look in; how many.
    pub(super) fn run_rounds(&mut self, cond: ScalarId, period: u64) -> Result<u64, Failure> {
        let Some(again) = self.again else { return Err(Failure::Internal("no kernel for rounds".into())) };
        let some = LOOK.as_nanos() / self.rounds.took.as_nanos().max(1);
        let limit = (some as u64).clamp(1, 1 << 20).next_multiple_of(period);
        let count = self.plan.program.scalars.len() as u64;
        let past = &self.rounds.past;
        let last: Vec<Vec<Launch>> = past.range(past.len() - period as usize..).cloned().collect();
        let at = match self.rounds.graphs.iter().position(|g| g.0 == last) {
            Some(at) => at,
            None => {
                let look = |whole: u64, next: u64| {
                    Launch::single(again, vec![self.scalars, u64::from(cond.0), count, whole, next])
                };
                let graph = self.gpu.rounds(&last, &look).map_err(broken)?;
                self.rounds.graphs.push((last, graph));
                self.rounds.graphs.len() - 1
            }
        };
        for (at, bits) in [(count, 0), (count + 1, limit)] {
            self.gpu.launch(&Launch::single(self.set, vec![self.scalars, at, bits])).map_err(broken)?;
        }
        self.gpu.run(&self.rounds.graphs[at].1).map_err(broken)?;
        let mut word = [0u8; 8];
        self.gpu.get(self.scalars + 8 * count, &mut word).map_err(broken)?;
        let rounds = u64::from_le_bytes(word);
        let launches: usize = self.rounds.graphs[at].0.iter().map(Vec::len).sum();
        self.rounds.done += rounds;
        self.queue.launched += rounds / period * launches as u64;
        Ok(rounds)
    }
}

/// The kernel that looks at conditions, where the plan has loops for it and the driver has conditional nodes.
pub fn again(alone: &Alone, function: &dyn Fn(&str) -> Option<Function>) -> Option<Function> {
    if alone.is_empty() || super::driver::version() < 12040 { None } else { function("mgpu_again") }
}

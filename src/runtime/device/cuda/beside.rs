//! Reductions whose results nobody asks for before the next sweep has begun, such as a norm that is printed at the end. They are
//! finished, and the scalars that follow from them computed, beside that sweep, so that ranks need not wait for one another there.
//!
//! Sweeps of few threads, one right behind the other, run beside one another if neither writes what the other touches: small steps are
//! bound by latency.

use std::collections::BTreeSet;

use super::device::CudaDevice;
use super::driver::{Call, Launch};
use super::engine::reads;
use super::pairs::Touched;
use crate::ir::kernel::{Code, ScalarId};
use crate::ir::plan::{Plan, PlanNestId, Step, StepKind};

/// What may run beside the next sweep.
#[derive(Debug, Default)]
pub struct Beside {
    /// Nests whose reductions are finished so.
    pub nests: BTreeSet<PlanNestId>,
    /// Scalar code.
    pub code: BTreeSet<*const Code>,
}

impl Beside {
    /// Looks at the loops of a plan; `moving` says which scalars the kernel of a nest reads from the table.
    pub fn of(plan: &Plan, moving: &dyn Fn(PlanNestId) -> Vec<ScalarId>) -> Beside {
        let mut out = Beside::default();
        out.look(plan, &plan.steps, moving);
        out
    }

    fn look(&mut self, plan: &Plan, steps: &[Step], moving: &dyn Fn(PlanNestId) -> Vec<ScalarId>) {
        for s in steps {
            if let StepKind::For { body, .. } = &s.kind {
                for at in 0..body.len() {
                    self.reduction(plan, body, at, moving);
                }
            }
            s.kind.blocks().into_iter().for_each(|b| self.look(plan, b, moving));
        }
    }

    /// Whether the reductions of step `at` of a loop may be finished beside the sweep that comes next.
    fn reduction(&mut self, plan: &Plan, body: &[Step], at: usize, moving: &dyn Fn(PlanNestId) -> Vec<ScalarId>) {
        let nests: Vec<PlanNestId> = match &body[at].kind {
            StepKind::AllReduce(items) => items.iter().map(|i| i.0).collect(),
            StepKind::Finish(nest) => vec![*nest],
            _ => return,
        };
        let results = nests.iter().flat_map(|n| plan.nest(*n).nest.reductions.iter().map(|r| r.into));
        let mut fresh: BTreeSet<ScalarId> = results.collect();
        let mut code_beside = vec![];
        for s in body[at + 1..].iter().chain(&body[..at]) {
            match &s.kind {
                StepKind::Scalars { code, results } => {
                    let results = results.iter().map(|r| r.1);
                    if !reads(code).is_disjoint(&fresh) {
                        fresh.extend(results);
                        code_beside.push(std::ptr::from_ref(code));
                    } else if results.into_iter().any(|r| fresh.contains(&r)) {
                        return;
                    }
                }
                StepKind::Exchange(_) | StepKind::Swap(..) => {}
                StepKind::Compute { nest, .. } => {
                    if moving(*nest).iter().all(|s| !fresh.contains(s)) {
                        self.nests.extend(nests);
                        self.code.extend(code_beside);
                    }
                    return;
                }
                _ => return,
            }
        }
    }
}

/// More threads than this fill a GPU by themselves: half of what the 132 multiprocessors of an H200 run at once.
const FEW: u64 = 132 * 1024;

/// A sweep of few threads in the queue.
pub struct Small {
    pub nest: usize,
    /// The number of its launch.
    pub number: u64,
    /// The words that it uses, and where its arrays begin.
    pub words: Vec<u64>,
    pub touched: Touched,
}

/// Whether a launch leaves room for another.
pub fn leaves_room(launch: &Launch) -> bool {
    let ((x, y, z), (a, b)) = (launch.grid, launch.block);
    let threads = [x, y, z, a, b].into_iter().map(u64::from).product::<u64>();
    matches!(launch.call, Call::Kernel(_)) && threads <= FEW
}

impl CudaDevice<'_> {
    /// Lets the last launch run beside that of this nest, which is about to be queued, if both are small and have nothing to do with one
    /// another.
    pub(super) fn beside_last(&mut self, nest: usize, launch: &Launch) {
        let Some(last) = self.small.take() else { return };
        let reduces = |k: usize| !self.plan.nests[k].nest.reductions.is_empty();
        let alone = self.queue.last() == Some(last.number) && leaves_room(launch);
        if alone && !reduces(last.nest) && !reduces(nest) && !last.touched.clashes(&self.touched(nest), None) {
            self.queue.let_beside(last.words);
        }
    }
}

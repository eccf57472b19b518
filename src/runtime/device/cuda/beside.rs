//! Reductions whose results nobody asks for before the next sweep has begun, such as a norm that is printed at the end. They are
//! finished, and the scalars that follow from them computed, beside that sweep, so that ranks need not wait for one another there.

use std::collections::BTreeSet;

use super::engine::reads;
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

//! Behind two products that share a matrix, the nest that adds up what the first one gave moves up, so that whoever runs them at once can
//! run it too: see [`crate::ir::pair`].
//!
//! Input: sweeps are joined. Output: the same nests in another order. Invariant: every nest reads what it read.

use super::join_messages::{FAR, computed, may_precede};
use crate::ir::pair;
use crate::ir::plan::{Plan, PlanNestId};
use crate::ir::program::Stmt;

/// Moves riders to where they ride.
pub fn ride_along(plan: &mut Plan) {
    let mut body = std::mem::take(&mut plan.program.body);
    block(plan, &mut body);
    plan.program.body = body;
}

fn block(plan: &Plan, body: &mut [Stmt]) {
    body.iter_mut().flat_map(|s| s.kind.blocks_mut()).for_each(|b| block(plan, b));
    for k in 0..body.len() {
        let run: Vec<PlanNestId> = body[k..].iter().map_while(computed).take(FAR).collect();
        let nest = |m: usize| &plan.nest(run[m]).nest;
        if run.len() < 4 {
            continue;
        }
        let Some(two) = pair::of(nest(0), nest(1)) else { continue };
        let rides = |m: &usize| {
            pair::rider(nest(0), nest(1), &two, nest(*m)).is_some()
                && run[2..*m].iter().all(|j| may_precede(plan, run[*m], *j))
        };
        if let Some(m) = (2..run.len()).find(rides) {
            body[k + 2..=k + m].rotate_right(1);
        }
    }
}

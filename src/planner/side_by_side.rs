//! The pieces of long sums that have nothing to do with one another come next to each other: first what adds up the terms of each sum in
//! blocks, then what adds up these. A GPU runs such sweeps side by side, which it is otherwise too large for: a chain of additions takes as
//! long for a few blocks as for many.
//!
//! Input: sweeps are joined. Output: the same nests in another order. Invariant: every nest reads what it read.

use super::join_messages::{FAR, computed, may_precede};
use crate::ir::kernel::ArrayId;
use crate::ir::plan::{Plan, PlanNestId};
use crate::ir::program::Stmt;

/// Orders the pieces of sums that stand behind one another.
pub fn side_by_side(plan: &mut Plan) {
    let mut body = std::mem::take(&mut plan.program.body);
    block(plan, &mut body);
    plan.program.body = body;
}

fn block(plan: &Plan, body: &mut [Stmt]) {
    body.iter_mut().flat_map(|s| s.kind.blocks_mut()).for_each(|b| block(plan, b));
    let mut k = 0;
    while k < body.len() {
        let run: Vec<PlanNestId> = body[k..].iter().map_while(|s| piece(plan, s)).take(FAR).collect();
        // How many nests of the run must run one after the other before each.
        let mut depth: Vec<usize> = vec![];
        for m in 0..run.len() {
            let before = (0..m).filter(|j| !may_precede(plan, run[m], run[*j])).map(|j| depth[j] + 1);
            depth.push(before.max().unwrap_or(0));
        }
        let mut order: Vec<usize> = (0..run.len()).collect();
        order.sort_by_key(|m| depth[*m]);
        let sorted: Vec<Stmt> = order.iter().map(|m| body[k + m].clone()).collect();
        body[k..k + run.len()].clone_from_slice(&sorted);
        k += run.len().max(1);
    }
}

/// Sums of more blocks' elements than this stay as they are: those of one sum could not lie where those of the one before did.
const MOST: i64 = 1 << 20;

/// The nest of a statement that is a piece of a long sum: one that writes or reads sums of blocks.
fn piece(plan: &Plan, s: &Stmt) -> Option<PlanNestId> {
    let id = computed(s)?;
    let operands = plan.nest(id).nest.operands.iter();
    let mut sums = operands.filter(|o| plan.program.runs.contains_key(&o.array)).peekable();
    let elements = |a: ArrayId| plan.array(a).array.shape.iter().product::<i64>();
    (sums.peek().is_some() && sums.all(|o| elements(o.array) <= MOST)).then_some(id)
}

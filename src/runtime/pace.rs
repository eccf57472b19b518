//! How long a round of a loop takes on GPUs, roughly: enough to say when fewer of them would be faster.

use crate::ir::index_box::IndexBox;
use crate::ir::plan::{ExchangeId, Home, Plan, PlanNestId, Step, StepKind};
use crate::runtime::exchange::Place;
use crate::source::Span;

/// Microseconds of a kernel in a CUDA graph beside what it moves, of a message to a neighbour, and of an all-reduce; measured on H200
/// with NVLink (bench/RESULTS.md).
const KERNEL: f64 = 1.0;
const MESSAGE: f64 = 2.0;
const REDUCE: f64 = 2.5;
/// Bytes a microsecond of device memory, of the second-level cache where a round fits it, and between GPUs.
const MEMORY: f64 = 4.2e6;
const CACHE: f64 = 5.7e6;
const CACHED: f64 = 40e6;
const LINK: f64 = 3.5e5;
/// How much longer a round takes before it is worth a word.
const WORTH: f64 = 1.2;

/// A loop's round in microseconds: on all ranks' GPUs and on one.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub span: Span,
    pub all: f64,
    pub one: f64,
}

/// The loop whose rounds take longest, if one GPU would be clearly faster there.
pub fn slower_than_one(plan: &Plan) -> Option<Pace> {
    slowest(plan).filter(|p| plan.ranks > 1 && p.all > WORTH * p.one)
}

/// The loop whose rounds take longest.
pub fn slowest(plan: &Plan) -> Option<Pace> {
    let mut all = vec![];
    loops(plan, &plan.steps, &mut all);
    all.into_iter().max_by(|a, b| a.all.total_cmp(&b.all))
}

fn loops(plan: &Plan, steps: &[Step], out: &mut Vec<Pace>) {
    for s in steps {
        if matches!(s.kind, StepKind::For { .. } | StepKind::While { .. }) {
            let mut round = Round::default();
            s.kind.blocks().into_iter().for_each(|b| round.add(plan, b));
            out.push(Pace { span: s.span, all: round.time(true), one: round.time(false) });
        }
        s.kind.blocks().into_iter().for_each(|b| loops(plan, b, out));
    }
}

/// What a round runs and moves; loops inside it are loops of their own.
#[derive(Default)]
struct Round {
    kernels: f64,
    reductions: f64,
    messages: f64,
    /// Bytes of memory on the busiest rank and on one that has everything, and bytes that travel.
    most: f64,
    whole: f64,
    travel: f64,
}

impl Round {
    fn add(&mut self, plan: &Plan, steps: &[Step]) {
        for s in steps {
            match &s.kind {
                StepKind::Compute { nest, overlap } => {
                    let bytes = |r| compulsory_bytes(plan, *nest, r) as f64;
                    let most = (0..plan.ranks).map(bytes).fold(0.0, f64::max);
                    let everywhere = plan.nest(*nest).home == Home::Everywhere;
                    self.kernels += 1.0;
                    self.most += most;
                    self.whole += if everywhere { most } else { (0..plan.ranks).map(bytes).sum() };
                    overlap.iter().for_each(|e| self.exchange(plan, *e));
                }
                StepKind::Exchange(e) => self.exchange(plan, *e),
                StepKind::AllReduce(_) | StepKind::Finish(_) => self.reductions += 1.0,
                StepKind::For { .. } | StepKind::While { .. } => {}
                kind => kind.blocks().into_iter().for_each(|b| self.add(plan, b)),
            }
        }
    }

    fn exchange(&mut self, plan: &Plan, id: ExchangeId) {
        let bytes = (0..plan.ranks).map(|r| plan.traffic(&plan.exchanges[id.0 as usize], r).1).max().unwrap_or(0);
        if bytes > 0 {
            self.messages += 1.0;
            self.travel += bytes as f64;
        }
    }

    fn time(&self, all: bool) -> f64 {
        let bytes = if all { self.most } else { self.whole };
        let memory = bytes / if bytes < CACHED { CACHE } else { MEMORY };
        let alone = KERNEL * (self.kernels + self.reductions) + memory;
        if all { alone + MESSAGE * self.messages + self.travel / LINK + REDUCE * self.reductions } else { alone }
    }
}

/// Every element of the part once, read and written operands twice.
pub fn compulsory_bytes(plan: &Plan, id: PlanNestId, me: i64) -> u64 {
    let n = plan.nest(id);
    let points = n.part(me).as_ref().map_or(0, IndexBox::len);
    let mut bytes = 0;
    for (operand, source) in n.nest.operands.iter().zip(&n.sources) {
        let own = points.min(Place::from(*source).storage(plan, me).len()) as u64;
        let reads = n.nest.accesses.iter().any(|a| n.nest.operands[a.operand.0 as usize].array == operand.array);
        bytes += own * operand.ty.size() as u64 * (u64::from(operand.written) + u64::from(reads));
    }
    bytes
}

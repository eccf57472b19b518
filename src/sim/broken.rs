//! A plan with one exchange or one all-reduce left out, for the picture that this gives.

use crate::ir::kernel::{ArrayId, ScalarId};
use crate::ir::plan::{ExchangeId, Home, Item, Plan, PlanNestId, Step, StepKind};
use crate::source::{FileId, SourceMap, Span};
use std::collections::BTreeSet;

/// What is left out.
#[derive(Clone, Copy, PartialEq)]
pub enum Break {
    /// An exchange of ghost cells or of copies.
    Halo,
    /// An all-reduce: every rank goes on with its own share.
    Reduce,
}

/// A broken plan, and in words what it lacks.
pub struct Broken {
    pub plan: Plan,
    pub lacks: String,
}

/// Takes the steps out that write files: a simulation leaves none behind.
pub fn without_files(plan: &mut Plan) {
    fn walk(steps: &mut Vec<Step>) {
        steps.retain(|s| !matches!(s.kind, StepKind::Save { .. } | StepKind::Plot { .. }));
        each_block(steps, &mut walk);
    }
    walk(&mut plan.steps);
}

/// Calls `f` with the lists of steps inside of some steps.
fn each_block(steps: &mut [Step], f: &mut dyn FnMut(&mut Vec<Step>)) {
    for s in steps {
        match &mut s.kind {
            StepKind::For { body, .. } => f(body),
            StepKind::While { before: a, body: b, .. } | StepKind::If { then: a, otherwise: b, .. } => {
                f(a);
                f(b);
            }
            _ => {}
        }
    }
}

/// The plan without the first exchange (or all-reduce) of a line, or of the program; `Err` says why there is none.
pub fn broken(plan: &Plan, what: Break, line: Option<usize>, sources: &SourceMap) -> Result<Broken, String> {
    let here = |s: Span| s.end > 0 && s.file == FileId(0) && line.is_none_or(|l| sources.line_col(s).0 == l);
    let said = |s: Span| format!("line {}", sources.line_col(s).0);
    let place = line.map_or("the plan".to_string(), |l| format!("line {l}"));
    let on = if plan.ranks == 1 { "1 rank".to_string() } else { format!("{} ranks", plan.ranks) };
    match what {
        Break::Halo => {
            let sends = |e: &ExchangeId| (0..plan.ranks).any(|r| plan.traffic(&plan.exchanges[e.0 as usize], r).0 > 0);
            let all: Vec<ExchangeId> = plan
                .find(&here)
                .iter()
                .filter_map(|f| crate::ir::plan::prose::exchange_of(f.step))
                .filter(sends)
                .collect();
            // Ghost cells go stale in the way that everybody meets first.
            let ghosts =
                |e: &&ExchangeId| plan.exchanges[e.0 as usize].items.iter().all(|i| matches!(i, Item::Ghost { .. }));
            let Some(id) = all.iter().find(ghosts).or(all.first()) else {
                let sending = |s: &Step| crate::ir::plan::prose::exchange_of(s).is_some_and(|e| sends(&e));
                return Err(format!(
                    "{place} has no exchange with messages on {on}{}",
                    elsewhere(plan, sources, &sending)
                ));
            };
            let mut out = plan.clone();
            let e = &mut out.exchanges[id.0 as usize];
            let names: Vec<String> =
                e.items.iter().map(|i| format!("`{}`", plan.array(plan.item_array(i).0).array.name)).collect();
            e.items.clear();
            Ok(Broken {
                lacks: format!("without the exchange of {} for {}", names.join(", "), said(e.span)),
                plan: out,
            })
        }
        Break::Reduce => {
            let mut found: Vec<(Vec<(PlanNestId, usize)>, Span)> = vec![];
            plan.each_step(&plan.steps, &mut |s| {
                if let StepKind::AllReduce(items) = &s.kind
                    && here(s.span)
                {
                    found.push((items.clone(), s.span));
                }
            });
            if found.is_empty() || plan.ranks == 1 {
                let reduces = |s: &Step| matches!(s.kind, StepKind::AllReduce(_)) && plan.ranks > 1;
                return Err(format!("{place} has no all-reduce on {on}{}", elsewhere(plan, sources, &reduces)));
            }
            let Some((items, span)) = found.into_iter().find(|(items, _)| !decides(plan, items)) else {
                return Err(format!(
                    "the all-reduces of {place} decide how the run goes on, so ranks without them would wait for each other for ever"
                ));
            };
            let mut out = plan.clone();
            let tainted = tainted(plan, &items);
            replace(&mut out.steps, &items, &tainted);
            Ok(Broken { lacks: format!("without the all-reduce of {}", said(span)), plan: out })
        }
    }
}

/// The lines whose steps could be left out in place of those that were asked for.
fn elsewhere(plan: &Plan, sources: &SourceMap, could: &dyn Fn(&Step) -> bool) -> String {
    let mut lines = BTreeSet::new();
    plan.each_step(&plan.steps, &mut |s| {
        if could(s) && s.span.end > 0 && s.span.file == FileId(0) {
            lines.insert(sources.line_col(s.span).0);
        }
    });
    let lines: Vec<String> = lines.iter().map(usize::to_string).collect();
    if lines.is_empty() { String::new() } else { format!("; these lines have: {}", lines.join(", ")) }
}

/// Puts every rank's own share in place of an all-reduce, and takes assertions out that ranks would answer differently.
fn replace(steps: &mut Vec<Step>, items: &[(PlanNestId, usize)], tainted: &Tainted) {
    let mut out = vec![];
    for s in std::mem::take(steps) {
        match &s.kind {
            StepKind::AllReduce(i) if i == items => {
                let nests: BTreeSet<PlanNestId> = items.iter().map(|i| i.0).collect();
                out.extend(nests.into_iter().map(|n| Step { kind: StepKind::Finish(n), ..s }));
                // Keeps the place of the all-reduce among the states.
                out.push(Step { kind: StepKind::AllReduce(vec![]), ..s });
            }
            StepKind::Assert { cond, .. } if tainted.scalars.contains(cond) => {
                out.push(Step { kind: StepKind::AllReduce(vec![]), ..s });
            }
            _ => out.push(s),
        }
    }
    each_block(&mut out, &mut |b| replace(b, items, tainted));
    *steps = out;
}

/// What differs between the ranks without an all-reduce.
struct Tainted {
    scalars: BTreeSet<ScalarId>,
    arrays: BTreeSet<ArrayId>,
}

fn tainted(plan: &Plan, items: &[(PlanNestId, usize)]) -> Tainted {
    let scalars = items.iter().map(|(n, r)| plan.nest(*n).nest.reductions[*r].into).collect();
    let mut out = Tainted { scalars, arrays: BTreeSet::new() };
    loop {
        let before = (out.scalars.len(), out.arrays.len());
        plan.each_step(&plan.steps, &mut |s| match &s.kind {
            StepKind::Scalars { code, results } if reads(&code.body, &out.scalars) => {
                out.scalars.extend(results.iter().map(|r| r.1));
            }
            StepKind::Compute { nest, .. } if plan.nest(*nest).home == Home::Everywhere => {
                let n = &plan.nest(*nest).nest;
                if reads(&n.code.body, &out.scalars) || n.operands.iter().any(|o| out.arrays.contains(&o.array)) {
                    out.arrays.extend(n.stores.iter().map(|s| n.operands[s.operand.0 as usize].array));
                    out.scalars.extend(n.reductions.iter().map(|r| r.into));
                }
            }
            StepKind::Swap(a, b) if out.arrays.contains(a) || out.arrays.contains(b) => out.arrays.extend([*a, *b]),
            _ => {}
        });
        if before == (out.scalars.len(), out.arrays.len()) {
            return out;
        }
    }
}

/// Whether ranks would go different ways, or read different elements, without an all-reduce.
fn decides(plan: &Plan, items: &[(PlanNestId, usize)]) -> bool {
    let t = tainted(plan, items);
    let mut out = false;
    plan.each_step(&plan.steps, &mut |s| {
        out |= match &s.kind {
            StepKind::For { from, to, by, .. } => [from, to, by].iter().any(|id| t.scalars.contains(id)),
            StepKind::While { cond, .. } | StepKind::If { cond, .. } => t.scalars.contains(cond),
            StepKind::Compute { nest, .. } => {
                let terms = plan.nest(*nest).nest.accesses.iter().flat_map(|a| &a.index).flat_map(|i| &i.terms);
                let mut picks = terms.filter_map(|x| match x.0 {
                    crate::ir::kernel::Sym::Scalar(id) => Some(id),
                    _ => None,
                });
                picks.any(|id| t.scalars.contains(&id))
            }
            _ => false,
        }
    });
    out
}

/// Whether code reads one of these scalars.
fn reads(body: &[crate::ir::kernel::Inst], of: &BTreeSet<ScalarId>) -> bool {
    use crate::ir::kernel::{Inst, Op};
    body.iter().any(|i| match i {
        Inst::Op { op: Op::Scalar(id), .. } => of.contains(id),
        Inst::Loop { body, .. } => reads(body, of),
        Inst::If { then, otherwise, .. } => reads(then, of) || reads(otherwise, of),
        _ => false,
    })
}

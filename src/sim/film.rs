//! The frames of a simulation: each state with its step, and before an exchange one with its messages under way.

use super::broken::Broken;
use super::fresh::Fresh;
use super::record::{Record, record};
use crate::ir::kernel::ScalarId;
use crate::ir::plan::prose::exchange_of;
use crate::ir::plan::text::bytes;
use crate::ir::plan::{ExchangeId, Plan, Step, StepKind};
use crate::runtime::io::root::Root;
use crate::source::{FileId, SourceMap};
use std::collections::BTreeMap;

/// A run and what is known of every moment of it.
pub struct Take {
    pub plan: Plan,
    pub record: Record,
    /// By state, after it.
    fresh: Vec<Fresh>,
    /// The state from which on a scalar has a value, by scalar; loop counters have none here.
    set: BTreeMap<ScalarId, usize>,
}

impl Take {
    /// Runs a plan.
    pub fn new(plan: Plan, root: &Root) -> Take {
        let record = record(&plan, root);
        let steps = steps(&plan);
        let mut now = Fresh::default();
        let (mut fresh, mut set) = (vec![], BTreeMap::new());
        for k in 0..record.states() {
            let step = steps[record.ranks[0][k].step];
            now.step(&plan, step);
            fresh.push(now.clone());
            let given: Vec<ScalarId> = match &step.kind {
                StepKind::Scalars { results, .. } => results.iter().map(|r| r.1).collect(),
                StepKind::AllReduce(items) => {
                    items.iter().map(|(n, r)| plan.nest(*n).nest.reductions[*r].into).collect()
                }
                _ => vec![],
            };
            given.into_iter().for_each(|id| {
                set.entry(id).or_insert(k);
            });
        }
        Take { plan, record, fresh, set }
    }

    /// Whether a scalar has got a value by a state.
    pub fn has(&self, id: ScalarId, state: usize) -> bool {
        self.set.get(&id).is_some_and(|first| *first <= state)
    }

    /// What is valid after a state; nothing before the first.
    pub fn fresh(&self, state: Option<usize>) -> Fresh {
        state.and_then(|k| self.fresh.get(k)).cloned().unwrap_or_default()
    }
}

/// One picture.
pub struct Frame {
    /// The state that it shows; `None`: before the first step, all zeros.
    pub state: Option<usize>,
    pub title: String,
    /// Line of the program's file, and its text.
    pub line: Option<(usize, String)>,
    /// `t = 3`, of the loops around.
    pub counters: Vec<(ScalarId, String)>,
    /// Messages that travel, one line each.
    pub messages: Vec<String>,
}

/// Everything that is shown.
pub struct Film {
    pub title: String,
    pub take: Take,
    /// A run with something left out, and in words what.
    pub wrong: Option<(Take, String)>,
    pub frames: Vec<Frame>,
}

/// The steps in the order of the plan's text.
fn steps(plan: &Plan) -> Vec<&Step> {
    let mut out = vec![];
    plan.each_step(&plan.steps, &mut |s| out.push(s));
    out
}

impl Film {
    /// Runs a plan, and with it a broken one, and cuts them into frames.
    pub fn new(plan: Plan, broken: Option<Broken>, root: &Root, sources: &SourceMap, title: &str) -> Film {
        let take = Take::new(plan, root);
        let wrong = broken.map(|b| (Take::new(b.plan, root), b.lacks));
        let frames = frames(&take, sources);
        Film { title: title.to_string(), take, wrong, frames }
    }
}

fn frames(take: &Take, sources: &SourceMap) -> Vec<Frame> {
    let plan = &take.plan;
    let steps = steps(plan);
    let mut counters: BTreeMap<usize, Vec<ScalarId>> = BTreeMap::new();
    let mut count = 0;
    around(&plan.steps, &mut vec![], &mut count, &mut counters);
    let mut out: Vec<Frame> = vec![];
    for k in 0..take.record.states() {
        let number = take.record.ranks[0][k].step;
        let step = steps[number];
        if let StepKind::Scalars { results, .. } = &step.kind
            && results.iter().all(|r| plan.scalar_name(r.1).is_empty())
        {
            continue;
        }
        let own = step.span.end > 0 && step.span.file == FileId(0);
        let line = own.then(|| {
            let n = sources.line_col(step.span).0;
            (n, sources.file(FileId(0)).text.lines().nth(n - 1).unwrap_or("").trim().to_string())
        });
        let counters: Vec<(ScalarId, String)> = counters
            .get(&number)
            .into_iter()
            .flatten()
            .map(|id| (*id, plan.scalar_name(*id)))
            .filter(|c| !c.1.is_empty())
            .collect();
        let messages = exchange_of(step).map_or(vec![], |e| messages(plan, e));
        if !messages.is_empty() {
            let how = if matches!(step.kind, StepKind::Compute { .. }) { ", while the interior computes" } else { "" };
            out.push(Frame {
                state: k.checked_sub(1),
                title: format!(
                    "{} message{} under way{how}",
                    messages.len(),
                    if messages.len() == 1 { "" } else { "s" }
                ),
                line: line.clone(),
                counters: counters.clone(),
                messages,
            });
        }
        out.push(Frame { state: Some(k), title: plan.step_title(step), line, counters, messages: vec![] });
    }
    out
}

/// The loop counters around every step, by its number.
fn around(steps: &[Step], now: &mut Vec<ScalarId>, count: &mut usize, out: &mut BTreeMap<usize, Vec<ScalarId>>) {
    for s in steps {
        out.insert(*count, now.clone());
        *count += 1;
        match &s.kind {
            StepKind::For { counter, body, .. } => {
                now.push(*counter);
                around(body, now, count, out);
                now.pop();
            }
            _ => s.kind.blocks().into_iter().for_each(|b| around(b, now, count, out)),
        }
    }
}

/// All messages of an exchange in words.
fn messages(plan: &Plan, id: ExchangeId) -> Vec<String> {
    let e = &plan.exchanges[id.0 as usize];
    let mut by_pair: BTreeMap<(i64, i64), (i64, Vec<String>)> = BTreeMap::new();
    for item in &e.items {
        let a = &plan.array(plan.item_array(item).0).array;
        for rank in 0..plan.ranks {
            for p in plan.needs(item, rank).pieces.iter().filter(|p| p.from != rank) {
                let m = by_pair.entry((p.from, rank)).or_default();
                m.0 += p.src.len() * a.ty.size() as i64;
                m.1.push(format!("{}{}", a.name, p.src));
            }
        }
    }
    let line = |((from, to), (size, boxes)): ((i64, i64), (i64, Vec<String>))| {
        format!("{from} -> {to}: {}, {}", boxes.join(", "), bytes(size))
    };
    by_pair.into_iter().map(line).collect()
}

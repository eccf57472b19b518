//! The frames of a simulation: each state with its step, and before an exchange one with its messages under way.

use super::broken::Broken;
use super::fresh::Fresh;
use super::record::{Record, element, record};
use crate::ir::kernel::{ArrayId, ScalarId};
use crate::ir::plan::prose::exchange_of;
use crate::ir::plan::text::messages_text;
use crate::ir::plan::{Plan, Step, StepKind};
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
    /// The arrays as they are shown: first those that are wrong at the end of a wrong run.
    pub order: Vec<ArrayId>,
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
        let mut film = Film { title: title.to_string(), take, wrong, frames, order: vec![] };
        let arrays = film.take.plan.arrays.iter().enumerate();
        let mut order: Vec<ArrayId> = arrays.filter(|a| a.1.used).map(|a| ArrayId(a.0 as u32)).collect();
        if let Some(last) = film.frames.iter().rev().find_map(|f| f.state) {
            order.sort_by_cached_key(|id| film.differing(last, *id) == 0);
        }
        film.order = order;
        film
    }

    /// How many own elements of an array are other than in the right run, after a state.
    pub fn differing(&self, state: usize, id: ArrayId) -> usize {
        let Some((wrong, _)) = &self.wrong else { return 0 };
        let right = &self.take;
        let a = right.plan.array(id);
        let ranks = if a.layout.is_replicated() { 1 } else { right.plan.ranks };
        let mut count = 0;
        for rank in 0..ranks {
            let held = |take: &'_ Take| take.record.ranks[rank as usize].get(state).cloned();
            let (Some(x), Some(y)) = (held(wrong), held(right)) else { continue };
            let part = a.layout.part(rank);
            let mut at: Vec<i64> = part.dims.iter().map(|d| d.lo).collect();
            for _ in 0..part.len() {
                count +=
                    usize::from(element(&wrong.plan, id, &x, rank, &at) != element(&right.plan, id, &y, rank, &at));
                for d in (0..at.len()).rev() {
                    at[d] += 1;
                    if at[d] < part.dims[d].hi {
                        break;
                    }
                    at[d] = part.dims[d].lo;
                }
            }
        }
        count
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
        let messages = exchange_of(step).map_or(vec![], |e| {
            let exchange = &plan.exchanges[e.0 as usize];
            let scalars = &take.record.ranks[0][k].scalars;
            let round = plan.panels_of(exchange).map_or(0, |p| p.round_of(scalars[p.first.0 as usize] as i64));
            plan.messages_in(exchange, round)
        });
        let messages: Vec<String> = messages.iter().map(|m| m.line(plan)).collect();
        if !messages.is_empty() {
            let how = if matches!(step.kind, StepKind::Compute { .. }) { ", while the interior computes" } else { "" };
            out.push(Frame {
                state: k.checked_sub(1),
                title: format!("{} under way{how}", messages_text(messages.len() as i64)),
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

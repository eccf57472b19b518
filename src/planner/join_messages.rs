//! What nests behind an exchange need travels with it: their regions join its messages, and nests that wait for nothing run
//! first, so that what reads their results may join too.

use super::fuse_nests::scalars_of;
use super::schedule_steps::{Scheduler, code_scalars, stores};
use crate::ir::kernel::{ArrayId, Nest, ScalarId};
use crate::ir::plan::{Home, Item, Plan, PlanNestId};
use crate::ir::program::{Stmt, StmtKind};
use std::collections::BTreeSet;

/// Nests further behind are not looked at.
pub(super) const FAR: usize = 32;

impl Scheduler<'_> {
    /// Behind a nest that waits for a view: the next nest that waits for nothing, and that it and those between may follow. Run
    /// first, it lets what reads its result join the same messages.
    pub(super) fn ready_behind(&self, body: &[Stmt]) -> Option<usize> {
        let first = computed(body.first()?)?;
        if !self.stale_items(first).iter().any(|i| matches!(i, Item::View(_))) {
            return None;
        }
        let run: Vec<PlanNestId> = body.iter().map_while(computed).take(FAR).collect();
        (1..run.len()).find(|&m| {
            run[..m].iter().all(|j| may_precede(self.plan, run[m], *j))
                && !self.guards.contains_key(&run[m])
                && !self.reads_pending(&body[m])
                && self.stale_items(run[m]).is_empty()
        })
    }

    /// Behind scalar code that waits for an all-reduce: the next nest that reduces, if neither it nor the code in between notices
    /// which runs first. Its results then join the same message.
    pub(super) fn reduction_behind(&self, body: &[Stmt]) -> Option<usize> {
        if !self.reads_pending(body.first()?) {
            return None;
        }
        let code = |s: &Stmt| {
            if let StmtKind::Scalars { code, results } = &s.kind {
                Some((code_scalars(&code.body), results.clone()))
            } else {
                None
            }
        };
        let between: Vec<_> = body.iter().map_while(code).take(FAR).collect();
        let StmtKind::Compute(n) = body.get(between.len()).filter(|_| !between.is_empty())?.kind else { return None };
        let (id, nest) = (PlanNestId(n.0), &self.plan.nest(PlanNestId(n.0)).nest);
        let (read, made): (BTreeSet<ScalarId>, BTreeSet<ScalarId>) =
            (scalars_of(nest), nest.reductions.iter().map(|r| r.into).collect());
        let free = between.iter().all(|(inputs, results)| {
            inputs.is_disjoint(&made) && results.iter().all(|(_, s)| !read.contains(s) && !made.contains(s))
        });
        let joins = !made.is_empty() && self.plan.nest(id).home != Home::Everywhere;
        let ready = free && joins && !self.guards.contains_key(&id) && !self.reads_pending(&body[between.len()]);
        ready.then_some(between.len())
    }

    /// Regions that the nests right behind need too, of arrays that nothing writes in between, join the same messages.
    pub(super) fn look_ahead(&mut self, id: PlanNestId, rest: &[Stmt], items: &mut Vec<Item>) {
        let mut written: BTreeSet<ArrayId> = stores(self.plan, id).collect();
        // Beside a view nothing computes while messages travel, so other views cost no waiting.
        let views = items.iter().any(|i| matches!(i, Item::View(_)));
        for s in rest {
            let StmtKind::Compute(n) = &s.kind else { break };
            let next = PlanNestId(n.0);
            for item in self.stale_items(next) {
                let array = self.plan.item_array(&item).0;
                let alone = self.asks(&item).is_some();
                if !alone && !written.contains(&array) && (views || matches!(item, Item::Ghost { .. })) {
                    join(items, item);
                }
            }
            written.extend(stores(self.plan, next));
        }
    }
}

/// The nest that a statement runs.
pub(super) fn computed(s: &Stmt) -> Option<PlanNestId> {
    if let StmtKind::Compute(n) = s.kind { Some(PlanNestId(n.0)) } else { None }
}

/// Whether a nest may run before another one that stands before it.
pub(super) fn may_precede(plan: &Plan, nest: PlanNestId, before: PlanNestId) -> bool {
    let (x, y) = (&plan.nest(nest).nest, &plan.nest(before).nest);
    let touched = |n: &Nest| -> BTreeSet<ArrayId> { n.operands.iter().map(|o| o.array).collect() };
    let made: BTreeSet<ScalarId> = y.reductions.iter().map(|r| r.into).collect();
    x.reductions.is_empty()
        && stores(plan, nest).all(|a| !touched(y).contains(&a))
        && stores(plan, before).all(|a| !touched(x).contains(&a))
        && scalars_of(x).is_disjoint(&made)
}

fn join(items: &mut Vec<Item>, item: Item) {
    if let Item::Ghost { array, arms } = &item {
        for old in items.iter_mut() {
            if let Item::Ghost { array: a, arms: held } = old
                && a == array
            {
                held.extend(arms.iter().filter(|x| !held.iter().any(|h| h.contains(x))).cloned().collect::<Vec<_>>());
                return;
            }
        }
    }
    if !items.contains(&item) {
        items.push(item);
    }
}

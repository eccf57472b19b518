//! The plan as JSON (format version 1).

use super::message::{Carried, Message};
use super::text::path_text;
use super::{Exchange, Home, Item, Plan, Step, StepKind};
use crate::source::SourceMap;
use serde_json::{Value, json};

/// Messages are listed rank by rank up to this many ranks.
const LISTED: i64 = 16;

impl Plan {
    /// The whole plan. Up to 16 ranks every exchange lists its messages (from, to, boxes, bytes); beyond, its largest and
    /// total loads only.
    pub fn json(&self, sources: &SourceMap) -> Value {
        let params: serde_json::Map<String, Value> =
            self.program.params.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
        let arrays: Vec<Value> = self
            .arrays
            .iter()
            .filter(|a| a.used)
            .map(|a| {
                let parts: Vec<String> = if self.ranks <= LISTED { (0..self.ranks).map(|r| a.owned_text(r)).collect() } else { vec![] };
                json!({
                    "name": a.array.name, "type": a.array.element(), "shape": a.array.extents(), "layout": a.layout_seen(),
                    "mesh": a.layout.mesh, "ghost": a.seen_ghost(), "edges": a.array.declared().1, "temporary": a.array.temporary, "parts": parts,
                })
            })
            .collect();
        let memory: Vec<i64> = self.sampled_ranks().iter().map(|&r| self.memory(r)).collect();
        let totals = self
            .totals()
            .map(|t| json!({"messages": t.messages, "bytes": t.bytes, "all_reduces": t.all_reduces, "exact": t.exact}));
        let under_way = self.under_way().and_then(|u| u.into_iter().max());
        json!({
            "version": 1, "ranks": self.ranks, "params": params, "depends_on_ranks": self.program.depends_on_ranks,
            "arrays": arrays, "memory_per_rank": memory.iter().max(), "messages_under_way": under_way, "totals": totals,
            "exchanges": self.exchanges.iter().map(|e| self.exchange_json(e)).collect::<Vec<_>>(),
            "steps": self.steps_json(&self.steps, sources),
        })
    }

    fn exchange_json(&self, e: &Exchange) -> Value {
        let items: Vec<Value> = e
            .items
            .iter()
            .map(|i| match i {
                Item::Ghost { array, arms } => json!({"halo": self.array(*array).array.name, "arms": arms.iter().map(|arm| &arm.widths[..self.array(*array).array.extents().len()]).collect::<Vec<_>>()}),
                Item::View(v) => {
                    let v = &self.views[v.0 as usize];
                    json!({"view": self.array(v.array).array.name, "reader": self.nest(v.nest).nest.name})
                }
            })
            .collect();
        let (most, total) = self.load(e);
        let mut out = json!({"items": items, "listed": e.listed, "panels": self.rounds_of(e), "most_messages": most.0, "most_bytes": most.1});
        if let Some(t) = total {
            out["messages"] = json!(t.0);
            out["bytes"] = json!(t.1);
        }
        if self.ranks <= LISTED {
            out["list"] = self.messages(e).iter().map(|m| self.message_json(m)).collect();
        }
        out
    }

    fn message_json(&self, m: &Message) -> Value {
        let one = |c: &Carried| json!({"array": self.array(c.array).array.name, "box": c.text.0, "to": c.text.1});
        json!({"from": m.from, "to": m.to, "bytes": m.bytes, "boxes": m.carried.iter().map(one).collect::<Vec<_>>()})
    }

    fn steps_json(&self, steps: &[Step], sources: &SourceMap) -> Vec<Value> {
        let one = |s: &Step| {
            let name = |id| self.array(id).array.name.clone();
            let scalar = |id: crate::ir::kernel::ScalarId| self.program.scalars[id.0 as usize].name.clone();
            let mut v = match &s.kind {
                StepKind::Exchange(e) => json!({"step": "exchange", "exchange": e.0}),
                StepKind::Inspect(v) => {
                    let v = &self.views[v.0 as usize];
                    json!({"step": "inspect", "view": name(v.array), "reader": self.nest(v.nest).nest.name})
                }
                StepKind::Compute { nest, overlap } => {
                    let n = self.nest(*nest);
                    json!({
                        "step": "compute", "name": n.nest.name, "domain": self.seen_points(&n.nest, &n.domain()).to_string(), "everywhere": n.home == Home::Everywhere,
                        "overlaps": overlap.map(|e| e.0), "reductions": n.nest.reductions.len(),
                        "reads": n.nest.operands.iter().map(|o| name(o.array)).collect::<Vec<_>>(),
                        "writes": n.nest.stores.iter().map(|s| name(n.nest.operands[s.operand.0 as usize].array)).collect::<Vec<_>>(),
                    })
                }
                StepKind::AllReduce(items) => json!({"step": "all-reduce", "values": items.len()}),
                StepKind::Finish(_) => json!({"step": "finish"}),
                StepKind::Scalars { results, .. } => {
                    json!({"step": "scalars", "sets": results.iter().map(|r| scalar(r.1)).collect::<Vec<_>>()})
                }
                StepKind::Swap(a, b) => json!({"step": "swap", "arrays": [name(*a), name(*b)]}),
                StepKind::For { counter, body, .. } => {
                    let counted = self.program.counted.get(counter);
                    json!({
                        "step": "for", "counter": scalar(*counter), "range": counted.map(|c| [c.from, c.to]), "by": counted.map(|c| c.by),
                        "rounds": counted.map(|c| c.rounds()), "body": self.steps_json(body, sources),
                    })
                }
                StepKind::While { before, body, .. } => {
                    json!({"step": "while", "before": self.steps_json(before, sources), "body": self.steps_json(body, sources)})
                }
                StepKind::If { then, otherwise, .. } => {
                    json!({"step": "if", "then": self.steps_json(then, sources), "else": self.steps_json(otherwise, sources)})
                }
                StepKind::Scatter { into, index, value, kept, .. } => {
                    json!({"step": "scatter", "into": name(*into), "index": name(*index), "value": name(*value), "kept": kept})
                }
                StepKind::Scan { array, dim, .. } => {
                    json!({"step": "scan", "array": name(*array), "dimension": dim})
                }
                StepKind::Once { arrays, body, .. } => {
                    let arrays: Vec<String> = arrays.iter().map(|a| name(*a)).collect();
                    json!({"step": "once", "arrays": arrays, "body": self.steps_json(body, sources)})
                }
                StepKind::Break => json!({"step": "break"}),
                StepKind::Print(_) => json!({"step": "print"}),
                StepKind::Assert { .. } => json!({"step": "assert"}),
                StepKind::Expect { .. } => json!({"step": "expect"}),
                StepKind::Load { array, path } => {
                    json!({"step": "load", "array": name(*array), "path": path_text(path)})
                }
                StepKind::Save { array, path } => {
                    json!({"step": "save", "array": name(*array), "path": path_text(path)})
                }
                StepKind::Plot { array, path, animated } => {
                    json!({"step": if *animated { "animate" } else { "plot" }, "array": name(*array), "path": path_text(path)})
                }
            };
            if s.span.end > 0 {
                v["line"] = json!(sources.line_col(s.span).0);
                v["file"] = json!(sources.file(s.span.file).name);
            }
            v
        };
        steps.iter().map(one).collect()
    }
}

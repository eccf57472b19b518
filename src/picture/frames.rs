//! The steps of a plan one behind the other, each with its messages: what the slider goes through.

use crate::ir::index_box::IndexBox;
use crate::ir::kernel::ArrayId;
use crate::ir::plan::prose::exchange_of;
use crate::ir::plan::text::bytes;
use crate::ir::plan::{ExchangeId, Item, Plan, PlanNestId, Step, StepKind};
use crate::source::{FileId, SourceMap};

/// Elements that travel from one rank to another in one array.
pub struct Carried {
    pub array: ArrayId,
    pub source: IndexBox,
    /// Where they go in the receiver's storage; `None` for a copy of their own.
    pub target: Option<IndexBox>,
}

/// One message.
pub struct Message {
    pub from: i64,
    pub to: i64,
    pub bytes: i64,
    pub carried: Vec<Carried>,
}

impl Message {
    /// The message in words.
    pub fn text(&self, plan: &Plan) -> String {
        let boxes: Vec<String> =
            self.carried.iter().map(|c| format!("{}{}", plan.array(c.array).array.name, c.source)).collect();
        format!("rank {} to rank {}: {}, {}", self.from, self.to, boxes.join(", "), bytes(self.bytes))
    }
}

/// One position of the slider.
pub struct Frame {
    pub depth: usize,
    /// `exchange`, `compute`, `reduce`, …: the class of the frame.
    pub kind: &'static str,
    pub title: String,
    /// Further lines.
    pub more: Vec<String>,
    /// The line of the program's file, from 1.
    pub line: Option<usize>,
    /// The loops around it.
    pub loops: Vec<String>,
    pub times: Option<i64>,
    pub messages: Vec<Message>,
    /// Messages travel while the interior computes.
    pub overlapped: bool,
    pub nest: Option<PlanNestId>,
    pub reduces: bool,
    /// Arrays that a file or a picture is made of, or from.
    pub touched: Vec<ArrayId>,
}

/// All frames of a plan.
pub fn frames(plan: &Plan, sources: &SourceMap) -> Vec<Frame> {
    let mut out = vec![];
    let everywhere = |_| true;
    for f in plan.find(&everywhere) {
        let step = f.step;
        let mut lines = vec![];
        match &step.kind {
            StepKind::For { counter, .. } => {
                lines.push(format!("for {}{}", plan.scalar_name(*counter), plan.range_text(*counter)));
            }
            StepKind::While { .. } => lines.push("while".into()),
            StepKind::If { .. } => lines.push("if".into()),
            StepKind::Once { .. } => lines.push(plan.step_title(step)),
            StepKind::Compute { nest, .. } => lines.push(plan.compute_text(*nest)),
            _ => plan.leaf_text(step, &mut |l| lines.push(l.trim().to_string())),
        }
        let exchange = exchange_of(step);
        if let (Some(e), StepKind::Compute { .. }) = (exchange, &step.kind) {
            plan.exchange_text(&plan.exchanges[e.0 as usize], "exchange", &mut |l| lines.push(l.trim().to_string()));
        }
        if lines.is_empty() {
            continue;
        }
        let own = step.span.end > 0 && step.span.file == FileId(0);
        out.push(Frame {
            depth: f.loops.len(),
            kind: kind(step),
            title: lines.remove(0),
            more: lines,
            line: own.then(|| sources.line_col(step.span).0),
            times: f.times,
            loops: f.loops,
            messages: exchange.map_or(vec![], |e| messages(plan, e)),
            overlapped: matches!(step.kind, StepKind::Compute { overlap: Some(_), .. }),
            nest: if let StepKind::Compute { nest, .. } = step.kind { Some(nest) } else { None },
            reduces: matches!(step.kind, StepKind::AllReduce(_)),
            touched: match step.kind {
                StepKind::Load { array, .. } | StepKind::Save { array, .. } | StepKind::Plot { array, .. } => {
                    vec![array]
                }
                StepKind::Swap(a, b) => vec![a, b],
                StepKind::Scatter { into, .. } | StepKind::Scan { array: into, .. } => vec![into],
                _ => vec![],
            },
        });
    }
    out
}

fn kind(step: &Step) -> &'static str {
    match step.kind {
        StepKind::Exchange(_) | StepKind::Inspect(_) | StepKind::Scatter { .. } | StepKind::Scan { .. } => "exchange",
        StepKind::Compute { .. } => "compute",
        StepKind::AllReduce(_) => "reduce",
        StepKind::For { .. } | StepKind::While { .. } | StepKind::If { .. } | StepKind::Once { .. } => "control",
        StepKind::Load { .. } | StepKind::Save { .. } | StepKind::Plot { .. } => "file",
        _ => "scalar",
    }
}

/// The messages of an exchange, by receiver and sender.
pub fn messages(plan: &Plan, id: ExchangeId) -> Vec<Message> {
    let e = &plan.exchanges[id.0 as usize];
    let mut out: Vec<Message> = vec![];
    for to in 0..plan.ranks {
        let first = out.len();
        for item in &e.items {
            let (array, in_place) = (plan.item_array(item).0, matches!(item, Item::Ghost { .. }));
            let size = plan.array(array).array.ty.size() as i64;
            for p in plan.needs(item, to).pieces.into_iter().filter(|p| p.from != to) {
                let k = match out[first..].iter().position(|m| m.from == p.from) {
                    Some(k) => first + k,
                    None => {
                        out.push(Message { from: p.from, to, bytes: 0, carried: vec![] });
                        out.len() - 1
                    }
                };
                out[k].bytes += p.src.len() * size;
                out[k].carried.push(Carried { array, source: p.src, target: in_place.then_some(p.dst) });
            }
        }
        out[first..].sort_by_key(|m| m.from);
    }
    out
}

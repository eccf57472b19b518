//! The steps of a plan one behind the other, each with its messages: what the slider goes through.

use crate::ir::kernel::ArrayId;
use crate::ir::plan::message::Message;
use crate::ir::plan::prose::exchange_of;
use crate::ir::plan::{Plan, PlanNestId, Step, StepKind};
use crate::source::{FileId, SourceMap};

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
            // The exchange of a sweep stands behind it: it travels meanwhile.
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
            messages: exchange.map_or(vec![], |e| plan.messages(&plan.exchanges[e.0 as usize])),
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

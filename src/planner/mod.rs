//! Program to plan: layouts, where every nest runs, what it needs, and the steps with their exchanges.

mod assign_buffers;
mod choose_homes;
mod classify_reads;
mod deal_tiles;
mod fuse_nests;
mod guard_reads;
mod inspect_views;
mod join_messages;
mod keep_places;
mod panel_products;
mod ride_along;
mod schedule_steps;
mod slice;
mod work_beside;

use crate::diag::{Diagnostic, Sink};
use crate::ir::kernel::ArrayId;
use crate::ir::layout::{Cuts, Dist, Layout, choose_mesh};
use crate::ir::plan::{Plan, PlanArray, PlanNest};
use crate::ir::program::{Placement, Program, Runs, Stmt, StmtKind};
pub use panel_products::Panelling;
use std::collections::BTreeSet;

/// Bytes that reach every rank about as soon as a message of a few.
const LITTLE: i64 = 256 << 10;

/// What may be chosen about plans; the results of a program do not depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Sweeps over the same points become one; else every statement has its own, as one reads it.
    pub fused: bool,
    /// Which products of matrices are made panel by panel.
    pub panels: Panelling,
}

impl Default for Options {
    fn default() -> Options {
        Options { fused: true, panels: Panelling::Large }
    }
}

/// Plans a program for `ranks` ranks. Every rank that is given the same program derives the same plan.
pub fn plan(program: Program, ranks: i64, sink: &mut Sink) -> Option<Plan> {
    plan_with(program, ranks, Options::default(), sink)
}

/// Plans a program in a chosen way, which must be the same on every rank.
pub fn plan_with(program: Program, ranks: i64, options: Options, sink: &mut Sink) -> Option<Plan> {
    let mut layouts: Vec<Layout> = vec![];
    for (i, a) in program.arrays.iter().enumerate() {
        match layout_of(&program, i, &layouts, ranks) {
            Some(l) => layouts.push(l),
            None => {
                sink.push(
                    Diagnostic::error(
                        "E0283",
                        format!("no mesh of {ranks} ranks fits `{}`", a.name),
                        a.span,
                        "this array",
                    )
                    .help("change `over`, or the number of ranks"),
                );
                return None;
            }
        }
    }
    let arrays = program.arrays.iter().zip(layouts).map(|(a, layout)| PlanArray {
        array: a.clone(),
        ghost: vec![(0, 0); a.shape.len()],
        layout,
        used: false,
        buffer: 0,
    });
    let mut plan = Plan {
        ranks,
        arrays: arrays.collect(),
        nests: vec![],
        views: vec![],
        exchanges: vec![],
        steps: vec![],
        program,
    };
    work_beside::work_beside(&mut plan);
    for nest in plan.program.nests.clone() {
        let home = choose_homes::choose_home(&plan, &nest);
        plan.nests.push(PlanNest::new(nest, home));
    }
    if options.fused {
        fuse_nests::fuse_nests(&mut plan);
        ride_along::ride_along(&mut plan);
    }
    panel_products::panel_products(&mut plan, options.panels);
    let kept = keep_places::keep_places(&mut plan);
    let guards = guard_reads::guard_reads(&mut plan);
    deal_tiles::deal_tiles(&mut plan);
    let reads = classify_reads::classify_reads(&mut plan);
    share_ghosts(&mut plan);
    schedule_steps::schedule_steps(&mut plan, &reads, &guards, &kept);
    mark_used(&mut plan);
    assign_buffers::assign_buffers(&mut plan);
    if let Err(why) = plan.verify() {
        sink.push(
            Diagnostic::bare("E0800", format!("internal error: the plan cannot be proved: {why}"))
                .help("this is a defect of mgpu; please report it with the program"),
        );
        return None;
    }
    Some(plan)
}

/// The layout of one array; arrays aligned with another come after it.
fn layout_of(program: &Program, i: usize, done: &[Layout], ranks: i64) -> Option<Layout> {
    let a = &program.arrays[i];
    match &a.placement {
        Placement::Replicated => Some(Layout::replicated(&a.shape)),
        Placement::Divided { dists, over } => {
            let divided: Vec<i64> = a.shape.iter().zip(dists).filter(|d| *d.1 != Dist::Whole).map(|d| *d.0).collect();
            if divided.is_empty() {
                return Some(Layout::replicated(&a.shape));
            }
            let mesh = choose_mesh(ranks, &divided, over)?;
            if added_up_everywhere(program, ArrayId(i as u32), ranks) {
                return Some(Layout::replicated(&a.shape));
            }
            Some(divide(program, program.runs.get(&ArrayId(i as u32)), &a.shape, dists, mesh))
        }
        Placement::Aligned(other) => {
            let mut o = done.get(other.0 as usize)?.clone();
            // Of complex arrays, the parts lie in one more dimension, which is whole.
            o.dists.resize(a.shape.len(), Dist::Whole);
            o.cuts.resize(a.shape.len(), None);
            Some(Layout { cuts: stretch(&o.cuts, &a.shape), shape: a.shape.clone(), ..o })
        }
    }
}

/// Sums of runs that are cut are made by every rank from what it is sent anyway, if that is little: one exchange in place of two.
fn added_up_everywhere(program: &Program, array: ArrayId, ranks: i64) -> bool {
    let Some((runs, from)) = program.runs.get(&array).and_then(|r| Some((r, &program.arrays[r.from?.0 as usize])))
    else {
        return false;
    };
    let cuts = Cuts::in_units(runs.extent, ranks, &lengths(program, runs.extent));
    let bytes = from.shape.iter().fold(from.ty.size() as i64, |b, n| b.saturating_mul(*n));
    cuts.granule % runs.length != 0 && bytes <= LITTLE
}

/// A layout whose cuts respect the runs in which the program adds up long ranges; `runs`: what an element of the first dimension stands for.
fn divide(program: &Program, runs: Option<&Runs>, shape: &[i64], dists: &[Dist], mesh: Vec<i64>) -> Layout {
    let mut layout = Layout::divided(shape, dists, mesh);
    for (k, cuts) in layout.cuts.iter_mut().enumerate().filter(|c| dists[c.0] == Dist::Block) {
        let Some(cuts) = cuts else { continue };
        let in_units = |n: i64| Cuts::in_units(n, cuts.parts, &lengths(program, n));
        *cuts = match runs.filter(|_| k == 0) {
            Some(r) => in_units(r.extent).of_runs(shape[k], r.length),
            None => in_units(shape[k]),
        };
    }
    layout
}

/// The lengths of the runs in which an extent is added up, the longest first.
fn lengths(program: &Program, extent: i64) -> Vec<i64> {
    let all = program.runs.values().filter(|r| r.extent == extent).map(|r| r.length);
    all.collect::<BTreeSet<i64>>().into_iter().rev().collect()
}

/// The cuts of another array for a slightly different extent: the last part takes the difference.
fn stretch(cuts: &[Option<crate::ir::layout::Cuts>], shape: &[i64]) -> Vec<Option<crate::ir::layout::Cuts>> {
    cuts.iter().zip(shape).map(|(c, &n)| c.map(|c| c.stretched(n))).collect()
}

/// Arrays whose buffers change roles store the same ghost cells.
fn share_ghosts(plan: &mut Plan) {
    let mut pairs = vec![];
    swaps(&plan.program.body, &mut pairs);
    let mut changed = true;
    while changed {
        changed = false;
        for &(a, b) in &pairs {
            let (x, y) = (plan.array(a).ghost.clone(), plan.array(b).ghost.clone());
            let both: Vec<(i64, i64)> = x.iter().zip(&y).map(|(x, y)| (x.0.max(y.0), x.1.max(y.1))).collect();
            changed |= both != x || both != y;
            plan.arrays[a.0 as usize].ghost = both.clone();
            plan.arrays[b.0 as usize].ghost = both;
        }
    }
}

fn swaps(body: &[Stmt], out: &mut Vec<(ArrayId, ArrayId)>) {
    for s in body {
        match &s.kind {
            StmtKind::Swap(a, b) => out.push((*a, *b)),
            StmtKind::For { body, .. } => swaps(body, out),
            StmtKind::While { before, body, .. } => {
                before.iter().chain(body).for_each(|s| swaps(std::slice::from_ref(s), out))
            }
            StmtKind::If { then, otherwise, .. } => {
                then.iter().chain(otherwise).for_each(|s| swaps(std::slice::from_ref(s), out))
            }
            _ => {}
        }
    }
}

/// Marks the arrays that some statement touches; one that is only declared takes no memory.
fn mark_used(plan: &mut Plan) {
    let mut used = std::collections::BTreeSet::new();
    fuse_nests::outside(&plan.program.body, &mut used);
    used.extend(plan.nests.iter().flat_map(|n| n.nest.operands.iter().map(|o| o.array)));
    used.extend(plan.views.iter().map(|v| v.array));
    for id in used {
        plan.arrays[id.0 as usize].used = true;
    }
}

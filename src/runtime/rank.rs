//! The interpreter: one rank follows the plan.

use crate::diag::Diagnostic;
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{ArrayId, ScalarId, Sym};
use crate::ir::plan::{Arm, ExchangeId, Item, Plan, PlanNestId, Source, Step, StepKind, ViewId};
use crate::ir::ty::{Ty, Value};
use crate::runtime::comm::Comm;
use crate::runtime::copy::strides;
use crate::runtime::device::{Binding, Executor, Partial, scalar};
use crate::runtime::exchange::Schedule;
use crate::runtime::failure::{Failure, Problem, agree, nowhere};
use crate::runtime::io::root::Root;
use crate::runtime::memory::Buffer;
use crate::runtime::progress::Progress;
use crate::runtime::stats::Stats;
use crate::runtime::watch::Watch;
use std::time::Instant;

/// Where elements lie on a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    Array(ArrayId),
    View(ViewId),
}

/// Parts of at least this many points are split so that messages travel meanwhile.
const OVERLAP_POINTS: i64 = 1 << 16;

/// What a rank runs for one nest.
struct Work {
    part: Option<IndexBox>,
    bindings: Vec<Binding>,
    places: Vec<Place>,
    partials: Vec<Partial>,
    /// Elements written by the whole part, in bytes, and elements read or written at least once.
    bytes: u64,
}

/// The points of a part that need nothing from an exchange, and the rest.
struct Split {
    interior: IndexBox,
    rim: Vec<IndexBox>,
}

/// One rank of a run.
pub struct Rank<'a> {
    pub plan: &'a Plan,
    pub comm: &'a mut dyn Comm,
    pub root: &'a Root,
    pub out: &'a mut dyn std::io::Write,
    executor: &'a dyn Executor,
    /// The blocks of the static memory plan, and which of them each array lies in now.
    blocks: Vec<Option<Buffer>>,
    arrays: Vec<u32>,
    views: Vec<Option<Buffer>>,
    /// Bits of the workflow's scalars.
    pub scalars: Vec<u64>,
    work: Vec<Work>,
    schedules: Vec<Schedule>,
    /// Messages and bytes that each exchange brings, by the plan.
    traffic: Vec<(i64, i64)>,
    splits: Vec<Option<Split>>,
    regs: Vec<u64>,
    watch: Watch,
    /// The step at which this rank panics, for tests (`MGPU_FAULT=rank:step`).
    fault: Option<u64>,
    /// A progress bar for the outermost loop, on a terminal.
    pub progress: bool,
    pub stats: Stats,
}

/// Whether a loop goes on.
#[derive(PartialEq)]
enum Flow {
    Next,
    Break,
}

impl<'a> Rank<'a> {
    /// Allocates everything that the plan names. A collective: all ranks fail together when one has no memory.
    pub fn new(
        plan: &'a Plan,
        comm: &'a mut dyn Comm,
        executor: &'a dyn Executor,
        root: &'a Root,
        out: &'a mut dyn std::io::Write,
        watch: Watch,
    ) -> Result<Rank<'a>, Failure> {
        let me = comm.rank();
        let mut missing = Ok(());
        let mut block = |bytes: i64, name: &str| {
            let b = usize::try_from(bytes).ok().and_then(Buffer::new);
            if b.is_none() {
                missing = Err(Problem::new("E0602", format!("no memory for {bytes} bytes of `{name}` on rank {me}")));
            }
            b
        };
        let mut blocks: Vec<Option<Buffer>> = (0..plan.arrays.len()).map(|_| None).collect();
        for a in plan.arrays.iter().filter(|a| a.used) {
            let bytes = a.storage(me).len().saturating_mul(a.array.ty.size() as i64);
            let place = &mut blocks[a.buffer as usize];
            if place.is_none() {
                *place = block(bytes, &a.array.name);
            }
        }
        let arrays = plan.arrays.iter().map(|a| a.buffer).collect();
        let mut views = vec![];
        for (k, v) in plan.views.iter().enumerate() {
            let a = &plan.array(v.array).array;
            let bytes = plan.view_box(ViewId(k as u32), me).len().saturating_mul(a.ty.size() as i64);
            views.push(block(bytes, &a.name));
        }
        agree(comm, missing, nowhere(), "allocated here")?;
        let work = (0..plan.nests.len()).map(|n| work_of(plan, PlanNestId(n as u32), me)).collect();
        let schedules: Vec<Schedule> =
            (0..plan.exchanges.len()).map(|e| Schedule::new(plan, ExchangeId(e as u32), me)).collect();
        let mut rank = Rank {
            plan,
            comm,
            root,
            out,
            executor,
            blocks,
            arrays,
            views,
            scalars: vec![0; plan.program.scalars.len()],
            work,
            traffic: plan.exchanges.iter().map(|e| plan.traffic(e, me)).collect(),
            schedules,
            splits: vec![],
            regs: vec![],
            watch,
            fault: fault(me),
            progress: false,
            stats: Stats::default(),
        };
        rank.splits = (0..plan.nests.len()).map(|_| None).collect();
        rank.find_splits(&plan.steps);
        Ok(rank)
    }

    /// Works out which nests are split for overlap.
    fn find_splits(&mut self, steps: &[Step]) {
        for s in steps {
            match &s.kind {
                StepKind::Compute { nest, overlap: Some(ex) } => self.splits[nest.0 as usize] = self.split(*nest, *ex),
                StepKind::For { body, .. } => self.find_splits(body),
                StepKind::While { before, body, .. } => {
                    self.find_splits(before);
                    self.find_splits(body);
                }
                StepKind::If { then, otherwise, .. } => {
                    self.find_splits(then);
                    self.find_splits(otherwise);
                }
                _ => {}
            }
        }
    }

    fn split(&self, id: PlanNestId, ex: ExchangeId) -> Option<Split> {
        let n = self.plan.nest(id);
        let part = self.work[id.0 as usize].part.clone()?;
        if part.len() < OVERLAP_POINTS || self.schedules[ex.0 as usize].receives.is_empty() {
            return None;
        }
        let mut interior = part.clone();
        for item in &self.plan.exchanges[ex.0 as usize].items {
            let Item::Ghost { array, arms } = item else { return None };
            for a in n.nest.accesses.iter().filter(|a| n.nest.operands[a.operand.0 as usize].array == *array) {
                for (k, ix) in a.index.iter().enumerate() {
                    let (lo, hi) = widest(arms, k);
                    if (lo, hi) == (0, 0) {
                        continue;
                    }
                    let [(Sym::Dim(d), 1)] =
                        ix.terms.iter().filter(|t| matches!(t.0, Sym::Dim(_))).copied().collect::<Vec<_>>()[..]
                    else {
                        return None;
                    };
                    interior.dims[d] =
                        interior.dims[d].intersect(Interval::new(part.dims[d].lo + lo, part.dims[d].hi - hi));
                }
            }
        }
        if interior.is_empty() {
            return None;
        }
        Some(Split { rim: part.minus(&interior), interior })
    }

    /// Runs the whole plan.
    pub fn run(&mut self) -> Result<(), Failure> {
        let steps = &self.plan.steps;
        self.block(steps).map(|_| ())
    }

    fn block(&mut self, steps: &'a [Step]) -> Result<Flow, Failure> {
        for s in steps {
            if self.step(s)? == Flow::Break {
                return Ok(Flow::Break);
            }
        }
        Ok(Flow::Next)
    }

    fn step(&mut self, s: &'a Step) -> Result<Flow, Failure> {
        self.stats.steps += 1;
        self.watch.step();
        if let Some(at) = self.fault
            && at == self.stats.steps
        {
            panic!("fault injected at step {at}");
        }
        match &s.kind {
            StepKind::Scalars { code, results } => {
                scalar::eval(code, &self.scalars, &self.plan.program.tables, &mut self.regs);
                for (reg, id) in results {
                    self.scalars[id.0 as usize] = self.regs[reg.0 as usize];
                }
            }
            StepKind::Swap(a, b) => self.arrays.swap(a.0 as usize, b.0 as usize),
            StepKind::Exchange(ex) => {
                self.start(*ex)?;
                self.finish(*ex)?;
            }
            StepKind::Compute { nest, overlap } => self.compute(*nest, *overlap, s)?,
            StepKind::AllReduce(items) => self.all_reduce(items)?,
            StepKind::Finish(nest) => self.finish_nest(*nest),
            StepKind::For { counter, from, to, by, body } => return self.for_loop(*counter, (*from, *to, *by), body),
            StepKind::While { before, cond, body } => loop {
                if self.block(before)? == Flow::Break
                    || self.scalars[cond.0 as usize] == 0
                    || self.block(body)? == Flow::Break
                {
                    return Ok(Flow::Next);
                }
            },
            StepKind::If { cond, then, otherwise } => {
                return self.block(if self.scalars[cond.0 as usize] != 0 { then } else { otherwise });
            }
            StepKind::Break => return Ok(Flow::Break),
            StepKind::Print(parts) => self.print(parts)?,
            StepKind::Assert { cond, why, bounds } => {
                if self.scalars[cond.0 as usize] == 0 {
                    let why = self.text(why)?;
                    if *bounds {
                        return Err(Failure::Agreed(Diagnostic::error("E0611", why, s.span, "read or written here")));
                    }
                    let message = if why.is_empty() {
                        "the assertion does not hold".to_string()
                    } else {
                        format!("assertion failed: {why}")
                    };
                    return Err(Failure::Agreed(Diagnostic::error("E0610", message, s.span, "this is false")));
                }
            }
            StepKind::Load { array, path } => self.load(*array, path, s.span)?,
            StepKind::Save { array, path } => self.save(*array, path, s.span)?,
            StepKind::Plot { array, path } => self.plot(*array, path, s.span)?,
        }
        Ok(Flow::Next)
    }

    fn for_loop(
        &mut self,
        counter: ScalarId,
        (from, to, by): (ScalarId, ScalarId, ScalarId),
        body: &'a [Step],
    ) -> Result<Flow, Failure> {
        let [mut i, to, by] = [from, to, by].map(|s| self.scalars[s.0 as usize] as i64);
        let bar = std::mem::take(&mut self.progress).then(|| Progress::new(i, to));
        while i < to {
            self.scalars[counter.0 as usize] = i as u64;
            if self.block(body)? == Flow::Break {
                break;
            }
            i = i.saturating_add(by);
            if let Some(bar) = &bar {
                bar.at(i);
            }
        }
        self.progress = bar.is_some();
        Ok(Flow::Next)
    }

    fn address(blocks: &[Option<Buffer>], arrays: &[u32], views: &[Option<Buffer>], place: Place) -> *mut u8 {
        let block = match place {
            Place::Array(a) => &blocks[arrays[a.0 as usize] as usize],
            Place::View(v) => &views[v.0 as usize],
        };
        block.as_ref().map_or(std::ptr::null_mut(), |b| b.ptr())
    }

    /// The address of an array's storage on this rank.
    pub(super) fn array_ptr(&self, id: ArrayId) -> *mut u8 {
        Rank::address(&self.blocks, &self.arrays, &self.views, Place::Array(id))
    }

    fn start(&mut self, ex: ExchangeId) -> Result<(), Failure> {
        let clock = Instant::now();
        let schedule = &self.schedules[ex.0 as usize];
        let (blocks, arrays, views) = (&self.blocks, &self.arrays, &self.views);
        schedule.start(&|p| Rank::address(blocks, arrays, views, p), self.comm)?;
        let (messages, bytes) = schedule.sent();
        self.stats.messages += messages;
        self.stats.bytes += bytes;
        self.stats.communication += clock.elapsed();
        Ok(())
    }

    fn finish(&mut self, ex: ExchangeId) -> Result<(), Failure> {
        let clock = Instant::now();
        let (blocks, arrays, views) = (&self.blocks, &self.arrays, &self.views);
        let arrived = self.schedules[ex.0 as usize].finish(&|p| Rank::address(blocks, arrays, views, p), self.comm)?;
        self.stats.arrived(arrived, self.traffic[ex.0 as usize]);
        self.stats.communication += clock.elapsed();
        Ok(())
    }

    fn compute(&mut self, id: PlanNestId, overlap: Option<ExchangeId>, s: &Step) -> Result<(), Failure> {
        let k = id.0 as usize;
        if let Some(ex) = overlap {
            self.start(ex)?;
            if self.splits[k].is_none() {
                self.finish(ex)?;
            }
        }
        let work = &mut self.work[k];
        for (b, place) in work.bindings.iter_mut().zip(&work.places) {
            b.ptr = Rank::address(&self.blocks, &self.arrays, &self.views, *place);
        }
        let reductions = &self.plan.nests[k].nest.reductions;
        if !reductions.is_empty() {
            reset(&mut work.partials, self.plan, id);
        }
        let Some(part) = &work.part else { return Ok(()) };
        let clock = Instant::now();
        let run = |part: &IndexBox, partials: &mut [Partial]| {
            self.executor.run(k, part, &work.bindings, &self.scalars, partials)
        };
        let mut result = match (&self.splits[k], overlap) {
            (Some(split), Some(_)) => run(&split.interior, &mut work.partials),
            _ => run(part, &mut work.partials),
        };
        self.stats.computation += clock.elapsed();
        self.stats.touched += work.bytes;
        if let (Some(split), Some(ex)) = (&self.splits[k], overlap) {
            let clock = Instant::now();
            let (blocks, arrays, views) = (&self.blocks, &self.arrays, &self.views);
            let arrived =
                self.schedules[ex.0 as usize].finish(&|p| Rank::address(blocks, arrays, views, p), self.comm)?;
            self.stats.arrived(arrived, self.traffic[ex.0 as usize]);
            self.stats.communication += clock.elapsed();
            let clock = Instant::now();
            for rim in &split.rim {
                result =
                    result.and_then(|()| self.executor.run(k, rim, &work.bindings, &self.scalars, &mut work.partials));
            }
            self.stats.computation += clock.elapsed();
        }
        // Only a defect of the compiler ends here (the reference executor checks bounds in debug builds).
        result.map_err(|why| {
            Failure::Internal(format!("in `{}` (line of source {}): {why}", self.plan.nests[k].nest.name, s.span.start))
        })
    }

    /// Combines partial results of all ranks; one message a rank for all of them.
    fn all_reduce(&mut self, items: &[(PlanNestId, usize)]) -> Result<(), Failure> {
        if self.comm.size() == 1 {
            items.iter().for_each(|(n, r)| self.set_reduced(*n, *r));
            return Ok(());
        }
        let clock = Instant::now();
        let mut mine: Vec<u8> = vec![];
        for (n, r) in items {
            let words = self.work[n.0 as usize].partials[*r].as_words();
            mine.extend((words.len() as u64).to_le_bytes());
            words.iter().for_each(|w| mine.extend(w.to_le_bytes()));
        }
        let all = self.comm.all_gather(&mine)?;
        self.stats.reductions += 1;
        let mut at = vec![0usize; all.len()];
        for (n, r) in items {
            let red = &self.plan.nests[n.0 as usize].nest.reductions[*r];
            let ty = self.plan.nests[n.0 as usize].nest.code.regs[red.value.0 as usize];
            let mut total = Partial::new(red.op, ty);
            for (bytes, at) in all.iter().zip(&mut at) {
                let words = take_words(bytes, at);
                total.merge(red.op, ty, &Partial::from_words(red.op, ty, &words));
            }
            self.work[n.0 as usize].partials[*r] = total;
            self.set_reduced(*n, *r);
        }
        self.stats.communication += clock.elapsed();
        Ok(())
    }

    fn finish_nest(&mut self, id: PlanNestId) {
        (0..self.plan.nest(id).nest.reductions.len()).for_each(|r| self.set_reduced(id, r));
    }

    fn set_reduced(&mut self, id: PlanNestId, r: usize) {
        let nest = &self.plan.nest(id).nest;
        let red = &nest.reductions[r];
        let v = self.work[id.0 as usize].partials[r].finish(nest.code.regs[red.value.0 as usize]);
        self.scalars[red.into.0 as usize] = v.bits;
    }

    /// The value of a workflow scalar.
    pub fn scalar(&self, id: ScalarId) -> Value {
        let ty: Ty = self.plan.program.scalars[id.0 as usize].ty;
        Value { ty, bits: self.scalars[id.0 as usize] }
    }
}

/// The step at which `MGPU_FAULT=rank:step` makes this rank panic.
fn fault(me: i64) -> Option<u64> {
    let text = std::env::var("MGPU_FAULT").ok()?;
    let (rank, step) = text.split_once(':')?;
    if rank.parse() == Ok(me) { step.parse().ok() } else { None }
}

fn widest(arms: &[Arm], k: usize) -> (i64, i64) {
    arms.iter().fold((0, 0), |(lo, hi), a| (lo.max(a.widths[k].0), hi.max(a.widths[k].1)))
}

fn reset(partials: &mut Vec<Partial>, plan: &Plan, id: PlanNestId) {
    let nest = &plan.nest(id).nest;
    partials.clear();
    partials.extend(nest.reductions.iter().map(|r| Partial::new(r.op, nest.code.regs[r.value.0 as usize])));
}

fn take_words(bytes: &[u8], at: &mut usize) -> Vec<i64> {
    let word = |k: usize| bytes.get(k..k + 8).and_then(|b| b.try_into().ok()).map_or(0, i64::from_le_bytes);
    let n = word(*at) as usize;
    let words = (0..n).map(|i| word(*at + 8 + 8 * i)).collect();
    *at += 8 + 8 * n;
    words
}

fn work_of(plan: &Plan, id: PlanNestId, me: i64) -> Work {
    let n = plan.nest(id);
    let part = n.part(me);
    let (mut bindings, mut places) = (vec![], vec![]);
    let mut bytes = 0u64;
    for (operand, source) in n.nest.operands.iter().zip(&n.sources) {
        let (storage, place) = match source {
            Source::Array(a) => (plan.array(*a).storage(me), Place::Array(*a)),
            Source::View(v) => (plan.view_box(*v, me), Place::View(*v)),
        };
        bindings.push(Binding {
            ptr: std::ptr::null_mut(),
            lo: storage.dims.iter().map(|d| d.lo).collect(),
            hi: storage.dims.iter().map(|d| d.hi).collect(),
            strides: strides(&storage),
        });
        places.push(place);
        // Compulsory traffic: every element of the part once, read and written operands twice.
        let own = part.as_ref().map_or(0, |p| p.len()).min(storage.len()) as u64;
        let reads = n.nest.accesses.iter().any(|a| n.nest.operands[a.operand.0 as usize].array == operand.array);
        bytes += own * operand.ty.size() as u64 * (u64::from(operand.written) + u64::from(reads));
    }
    let mut partials = vec![];
    reset(&mut partials, plan, id);
    Work { part, bindings, places, partials, bytes }
}

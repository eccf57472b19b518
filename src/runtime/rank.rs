//! The interpreter: one rank follows the plan.

use crate::diag::Diagnostic;
use crate::ir::kernel::{ArrayId, ScalarId};
use crate::ir::plan::prose::exchange_of;
use crate::ir::plan::{Plan, PlanNestId, Step, StepKind};
use crate::ir::ty::{Ty, Value};
use crate::runtime::animation::Animation;
use crate::runtime::comm::Comm;
use crate::runtime::device::{Device, Engine};
use crate::runtime::failure::{Failure, agree, nowhere};
use crate::runtime::io::root::Root;
use crate::runtime::launch::Term;
use crate::runtime::observe::Observer;
use crate::runtime::pace::compulsory_bytes;
use crate::runtime::progress::Progress;
use crate::runtime::scan::Scan;
use crate::runtime::scatter::{Scatter, Scatters};
use crate::runtime::state::RankState;
use crate::runtime::trace::Kind;
use crate::runtime::versions::Versions;
use crate::runtime::watch::Watch;
use crate::source::Span;
use std::collections::BTreeMap;
use std::time::Instant;

/// One rank of a run.
pub struct Rank<'a> {
    pub plan: &'a Plan,
    pub root: &'a Root,
    pub out: &'a mut dyn std::io::Write,
    pub device: Box<dyn Device + 'a>,
    pub state: RankState<'a>,
    /// Compulsory bytes of each nest: every element of the part read or written at least once.
    bytes: Vec<u64>,
    watch: Watch,
    pub(super) versions: Versions,
    /// What scatters keep, so that a loop neither asks for new memory nor works out its messages in every round.
    pub(super) scattered: Scatters,
    /// The step at which this rank panics, for tests (`MGPU_FAULT=rank:step`).
    fault: Option<u64>,
    /// A progress bar for the outermost loop, on a terminal.
    pub progress: bool,
    /// How many moments each collection has (`save u to "u.pvd"`).
    pub(super) series: BTreeMap<String, usize>,
    /// The animations so far, by path; the frames are kept on rank 0.
    pub(super) animations: BTreeMap<String, Animation>,
    /// Plots are shown on the terminal too.
    pub term: Option<Term>,
    /// Looks on, after every step.
    pub observer: Option<&'a dyn Observer>,
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
        engine: &'a dyn Engine,
        root: &'a Root,
        out: &'a mut dyn std::io::Write,
        watch: Watch,
    ) -> Result<Rank<'a>, Failure> {
        let me = comm.rank();
        let admitted = engine.admit(plan, comm);
        agree(comm, admitted, nowhere(), "allocated here")?;
        let (device, made) = match engine.device(plan, comm)? {
            Ok(device) => (Some(device), Ok(())),
            Err(problem) => (None, Err(problem)),
        };
        agree(comm, made, nowhere(), "allocated here")?;
        let Some(device) = device else { return Err(Failure::Internal("a rank has no device".into())) };
        let mut state = RankState::new(comm, plan.program.scalars.len());
        state.stats.exchanges = vec![0; plan.exchanges.len()];
        state.stats.memory = device.memory();
        Ok(Rank {
            plan,
            root,
            out,
            device,
            state,
            bytes: (0..plan.nests.len()).map(|n| compulsory_bytes(plan, PlanNestId(n as u32), me)).collect(),
            watch,
            versions: Versions::new(plan.arrays.len()),
            scattered: Scatters::new(plan),
            fault: fault(me),
            progress: false,
            series: BTreeMap::new(),
            animations: BTreeMap::new(),
            term: None,
            observer: None,
        })
    }

    /// Runs the whole plan.
    pub fn run(&mut self) -> Result<(), Failure> {
        let steps = &self.plan.steps;
        self.block(steps)?;
        self.finish_animations()?;
        self.device.wait()
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
        self.state.stats.steps += 1;
        self.watch.step();
        if let Some(trace) = &mut self.state.stats.trace {
            self.device.at(trace.at(s));
        }
        if let Some(e) = exchange_of(s)
            && !self.plan.exchanges[e.0 as usize].listed
        {
            self.state.stats.exchanges[e.0 as usize] += 1;
        }
        let clock = Instant::now();
        if self.fault == Some(self.state.stats.steps) {
            panic!("fault injected at step {}", self.state.stats.steps);
        }
        if s.kind.is_by_hand() {
            self.device.by_hand()?;
        }
        match &s.kind {
            StepKind::Scalars { code, results } => self.device.scalars(code, results, &mut self.state)?,
            StepKind::Swap(a, b) => {
                self.versions.swap(*a, *b);
                self.device.swap(*a, *b);
            }
            StepKind::Inspect(view) => self.device.inspect(*view, &mut self.state)?,
            StepKind::Exchange(ex) => self.device.exchange(*ex, &mut self.state)?,
            StepKind::Compute { nest, overlap } => {
                let bytes = self.bytes[nest.0 as usize];
                self.state.stats.touched += bytes;
                if let Some(trace) = &mut self.state.stats.trace {
                    trace.touched(bytes);
                }
                let n = &self.plan.nest(*nest).nest;
                n.stores.iter().for_each(|s| self.versions.written(n.operands[s.operand.0 as usize].array));
                if self.scattered.waits(*nest) && self.device.orders() {
                    // The scatter behind it runs it.
                    if let Some(ex) = overlap {
                        self.device.exchange(*ex, &mut self.state)?;
                    }
                } else {
                    self.device.compute(*nest, *overlap, &mut self.state)?;
                }
            }
            StepKind::AllReduce(items) => self.device.all_reduce(items, &mut self.state)?,
            StepKind::Finish(nest) => self.device.finish(*nest, &mut self.state)?,
            StepKind::For { counter, from, to, by, body } => return self.for_loop(*counter, (*from, *to, *by), body),
            StepKind::While { before, cond, body } => {
                let flow = self.while_loop(before, *cond, body);
                self.device.rounds_over();
                return flow;
            }
            StepKind::If { cond, then, otherwise } => {
                return if self.holds(*cond)? { self.block(then) } else { self.block(otherwise) };
            }
            StepKind::Scatter { into, index, value, op, complex, kept, ordered } => {
                let ordered = ordered.filter(|_| self.device.orders());
                let (into, index, value) = (*into, *index, *value);
                self.scatter(Scatter { into, index, value, op: *op, complex: *complex, kept: *kept, ordered })?
            }
            StepKind::Scan { array, dim, op } => self.scan(Scan { array: *array, dim: *dim, op: *op })?,
            StepKind::Once { number, arrays, scalars, body } => {
                if self.changed(*number, arrays, scalars)? {
                    return self.block(body);
                }
            }
            StepKind::Break => return Ok(Flow::Break),
            StepKind::Print(parts) => self.print(parts)?,
            StepKind::Assert { cond, why, check } => {
                if !self.holds(*cond)? {
                    let why = self.text(why)?;
                    if let Some((label, help)) = check.map(|c| c.words()) {
                        return Err(Failure::Agreed(Diagnostic::error("E0611", why, s.span, label).help(help)));
                    }
                    let message = if why.is_empty() {
                        "the assertion does not hold".to_string()
                    } else {
                        format!("assertion failed: {why}")
                    };
                    return Err(Failure::Agreed(Diagnostic::error("E0610", message, s.span, "this is false")));
                }
            }
            StepKind::Expect { cond, sides } => {
                if !self.holds(*cond)? {
                    return Err(Failure::Agreed(self.unmet(s.span, sides)?));
                }
            }
            StepKind::Load { array, path } => {
                self.versions.written(*array);
                self.load(*array, path, s.span)?;
            }
            StepKind::Save { array, path } => self.save(*array, path, s.span)?,
            StepKind::Plot { array, path, animated: true } => self.animate(*array, path, s.span)?,
            StepKind::Plot { array, path, .. } => self.plot(*array, path, s.span)?,
        }
        if (s.kind.is_by_hand() || matches!(s.kind, StepKind::Inspect(_))) && self.device.waits_for_others() {
            self.state.comm.complete();
        }
        if let StepKind::Print(_) | StepKind::Load { .. } | StepKind::Save { .. } | StepKind::Plot { .. } = s.kind {
            self.state.stats.spent(Kind::Io, clock);
        }
        if let Some(observer) = self.observer {
            observer.after(self.state.comm.rank(), s, &mut *self.device, &self.state.scalars)?;
        }
        Ok(Flow::Next)
    }

    fn for_loop(
        &mut self,
        counter: ScalarId,
        (from, to, by): (ScalarId, ScalarId, ScalarId),
        body: &'a [Step],
    ) -> Result<Flow, Failure> {
        for bound in [from, to, by] {
            self.know(bound)?;
        }
        let [mut i, to, by] = [from, to, by].map(|s| self.state.scalars.bits[s.0 as usize] as i64);
        let bar = std::mem::take(&mut self.progress).then(|| Progress::new(i, to));
        while i < to {
            self.state.scalars.set(counter, i as u64);
            if self.block(body)? == Flow::Break {
                break;
            }
            self.device.turn()?;
            i = i.saturating_add(by);
            if let Some(bar) = &bar {
                bar.at(i);
            }
        }
        self.progress = bar.is_some();
        Ok(Flow::Next)
    }

    fn while_loop(&mut self, before: &'a [Step], cond: ScalarId, body: &'a [Step]) -> Result<Flow, Failure> {
        let mut first = true;
        loop {
            if self.block(before)? == Flow::Break || !self.holds(cond)? {
                return Ok(Flow::Next);
            }
            while let Some(period) = self.device.round(body, first) {
                let rounds = self.device.rounds(cond, period)?;
                self.follow(before, body, (period, rounds))?;
                if !self.holds(cond)? {
                    return Ok(Flow::Next);
                }
            }
            first = false;
            if self.block(body)? == Flow::Break {
                return Ok(Flow::Next);
            }
            self.device.turn()?;
        }
    }

    /// Catches up with a device that has run rounds by itself: all of them do what those of one period do.
    fn follow(&mut self, before: &'a [Step], body: &'a [Step], (period, rounds): (u64, u64)) -> Result<(), Failure> {
        let some = |rank: &mut Self, count: u64| -> Result<(), Failure> {
            for _ in 0..count {
                rank.block(body)?;
                rank.block(before)?;
                rank.device.dismiss();
            }
            Ok(())
        };
        if rounds >= period {
            let was = self.state.stats.clone();
            some(self, period)?;
            self.state.stats.repeat(&was, rounds / period - 1);
        }
        some(self, rounds % period)
    }

    /// Whether an array or scalar is not what it was when this was last asked with the same number.
    fn changed(&mut self, number: u32, arrays: &[ArrayId], scalars: &[ScalarId]) -> Result<bool, Failure> {
        for s in scalars {
            self.know(*s)?;
        }
        let bits = &self.state.scalars.bits;
        Ok(self.versions.changed(number, arrays, scalars.iter().map(|s| bits[s.0 as usize])))
    }

    /// Makes a scalar's value known here.
    pub(super) fn know(&mut self, id: ScalarId) -> Result<(), Failure> {
        if self.state.scalars.is_known(id) { Ok(()) } else { self.device.learn(&mut self.state) }
    }

    fn holds(&mut self, cond: ScalarId) -> Result<bool, Failure> {
        self.know(cond)?;
        Ok(self.state.scalars.bits[cond.0 as usize] != 0)
    }

    /// The report of an expectation that does not hold.
    fn unmet(&mut self, span: Span, sides: &[(Span, ScalarId)]) -> Result<Diagnostic, Failure> {
        let mut values = vec![];
        for (at, id) in sides {
            values.push((*at, self.scalar_text(*id, None)?));
        }
        let message = "the expectation does not hold";
        Ok(match &values[..] {
            [(left, a), (right, b)] => {
                let message = format!("{message}: {a} on the left, {b} on the right");
                Diagnostic::error("E0612", message, *left, a).label(*right, b)
            }
            _ => Diagnostic::error("E0612", message, span, "this is false"),
        })
    }

    /// The value of a workflow scalar that is known here.
    pub fn scalar(&self, id: ScalarId) -> Value {
        let ty: Ty = self.plan.program.scalars[id.0 as usize].ty;
        Value { ty, bits: self.state.scalars.bits[id.0 as usize] }
    }
}

/// The step at which `MGPU_FAULT=rank:step` makes this rank panic.
fn fault(me: i64) -> Option<u64> {
    let text = std::env::var("MGPU_FAULT").ok()?;
    let (rank, step) = text.split_once(':')?;
    if rank.parse() == Ok(me) { step.parse().ok() } else { None }
}

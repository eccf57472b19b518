//! The states of a run: after every step, what each rank holds.

use crate::diag::Diagnostic;
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::ArrayId;
use crate::ir::plan::{Plan, Step, StepKind};
use crate::ir::ty::Value;
use crate::runtime::device::{Device, Engine, OnHost, vm::Vm};
use crate::runtime::failure::{Failure, nowhere};
use crate::runtime::io::root::Root;
use crate::runtime::launch::{Manner, run_observed};
use crate::runtime::observe::Observer;
use crate::runtime::state::Scalars;
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of one state of all ranks at most; more would not fit a screen either.
pub const MOST_BYTES: i64 = 1 << 20;
/// Bytes of all states together at most.
const MOST_KEPT: i64 = 256 << 20;
/// States at most.
const MOST_STATES: i64 = 20_000;

/// What one rank holds after a step.
#[derive(Clone)]
pub struct Held {
    /// The step's number in the order of the plan's text.
    pub step: usize,
    /// By array: the storage, ghost cells included, row-major; empty for arrays that no step uses.
    pub arrays: Vec<Arc<[u8]>>,
    pub scalars: Arc<[u64]>,
    /// Bytes that rank 0 has printed.
    pub printed: usize,
}

/// A whole run.
pub struct Record {
    /// By rank; all have the same number of states.
    pub ranks: Vec<Vec<Held>>,
    pub printed: String,
    /// How the run ended, where it did not end well or went on beyond the last state.
    pub ending: Option<String>,
}

impl Record {
    /// How many states there are.
    pub fn states(&self) -> usize {
        self.ranks.iter().map(Vec::len).min().unwrap_or(0)
    }
}

/// Bytes that all ranks hold in one state.
pub fn bytes(plan: &Plan) -> i64 {
    let one = |r: i64| -> i64 {
        let used = plan.arrays.iter().filter(|a| a.used);
        used.map(|a| a.storage(r).len().saturating_mul(a.array.ty.size() as i64)).fold(0, i64::saturating_add)
    };
    (0..plan.ranks).map(one).fold(0, i64::saturating_add)
}

/// The numbers of the steps, by where they lie.
pub fn numbers(plan: &Plan) -> HashMap<usize, usize> {
    let mut out = HashMap::new();
    plan.each_step(&plan.steps, &mut |s| {
        let next = out.len();
        out.insert(std::ptr::from_ref(s) as usize, next);
    });
    out
}

struct Recorder<'a> {
    plan: &'a Plan,
    numbers: HashMap<usize, usize>,
    ranks: Vec<Mutex<Vec<Held>>>,
    printed: &'a Mutex<Vec<u8>>,
    most: usize,
}

/// What the run is ended with when there is no more room.
const FULL: &str = "no more states are kept";

impl Observer for Recorder<'_> {
    fn after(&self, rank: i64, step: &Step, device: &mut dyn Device, scalars: &Scalars) -> Result<(), Failure> {
        // What an all-reduce became in a broken plan is several steps, which count as one.
        if let StepKind::Finish(_) = step.kind {
            return Ok(());
        }
        let number = self.numbers.get(&(std::ptr::from_ref(step) as usize)).copied().unwrap_or(0);
        let mut states = self.ranks[rank as usize].lock().unwrap_or_else(PoisonError::into_inner);
        let last = states.last().cloned();
        let mut arrays = vec![];
        for (k, a) in self.plan.arrays.iter().enumerate() {
            let storage = if a.used { a.storage(rank) } else { IndexBox::new(vec![]) };
            let now = if a.used && !storage.is_empty() { device.read(ArrayId(k as u32), &storage)? } else { vec![] };
            let same = last.as_ref().map(|l| &l.arrays[k]).filter(|old| old[..] == now[..]);
            arrays.push(same.cloned().unwrap_or_else(|| now.into()));
        }
        let same = last.as_ref().map(|l| &l.scalars).filter(|old| old[..] == scalars.bits[..]);
        let scalars = same.cloned().unwrap_or_else(|| scalars.bits.clone().into());
        let printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner).len();
        states.push(Held { step: number, arrays, scalars, printed });
        if states.len() >= self.most {
            return Err(Failure::Agreed(Diagnostic::error("E0003", FULL, nowhere(), "")));
        }
        Ok(())
    }
}

/// Text that ranks print, readable while they do.
struct Shared<'a>(&'a Mutex<Vec<u8>>);

impl Write for Shared<'_> {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(data);
        Ok(data.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a plan on the block machine and keeps its states. A run that fails is kept up to there.
pub fn record(plan: &Plan, root: &Root) -> Record {
    let nests: Vec<_> = plan.nests.iter().map(|n| n.nest.clone()).collect();
    let engine: Box<dyn Engine> = Box::new(OnHost(Box::new(Vm::new(&nests, &plan.program.tables))));
    let printed = Mutex::new(vec![]);
    let most = (MOST_KEPT / bytes(plan).max(1)).clamp(2, MOST_STATES) as usize;
    let recorder = Recorder {
        plan,
        numbers: numbers(plan),
        ranks: (0..plan.ranks).map(|_| Mutex::new(vec![])).collect(),
        printed: &printed,
        most,
    };
    let outcome = run_observed(plan, &*engine, root, &mut Shared(&printed), Manner::default(), Some(&recorder));
    let ranks: Vec<Vec<Held>> =
        recorder.ranks.into_iter().map(|r| r.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();
    let ending = match outcome {
        Ok(_) => None,
        Err(Failure::Agreed(d)) if d.message == FULL => {
            Some(format!("the run goes on; these are its first {most} states"))
        }
        Err(Failure::Agreed(d)) => Some(format!("the run fails here: {} {}", d.code, d.message)),
        Err(Failure::Lost(why) | Failure::Device(why) | Failure::Internal(why)) => {
            Some(format!("the run ends here: {why}"))
        }
    };
    let printed = printed.into_inner().unwrap_or_else(PoisonError::into_inner);
    Record { ranks, printed: String::from_utf8_lossy(&printed).into_owned(), ending }
}

/// One element of what a rank holds.
pub fn element(plan: &Plan, id: ArrayId, held: &Held, rank: i64, at: &[i64]) -> Option<Value> {
    let a = plan.array(id);
    let storage = a.storage(rank);
    let mut place = 0usize;
    for (i, d) in at.iter().zip(&storage.dims) {
        if *i < d.lo || *i >= d.hi {
            return None;
        }
        place = place * d.len() as usize + (i - d.lo) as usize;
    }
    let size = a.array.ty.size();
    let bytes = held.arrays.get(id.0 as usize)?.get(place * size..(place + 1) * size)?;
    let mut word = [0; 8];
    word[..size].copy_from_slice(bytes);
    Some(Value { ty: a.array.ty, bits: u64::from_le_bytes(word) })
}

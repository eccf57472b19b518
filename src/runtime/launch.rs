//! Starts the ranks: threads of this process, or this process as one rank of an MPI job.

use crate::ir::plan::Plan;
use crate::runtime::comm::Comm;
use crate::runtime::comm::threads::{ThreadComm, World};
use crate::runtime::device::Engine;
use crate::runtime::failure::Failure;
use crate::runtime::io::root::Root;
use crate::runtime::observe::Observer;
use crate::runtime::rank::Rank;
use crate::runtime::startup;
use crate::runtime::stats::Stats;
use crate::runtime::trace::{self, Trace};
use crate::runtime::watch::Watch;
use std::io::Write;
use std::time::{Duration, Instant};

/// What a run leaves behind: the statistics of the ranks that ran here, lowest first, or the failure that all agreed on.
pub type Outcome = Result<Vec<Stats>, Failure>;

/// Stack of a rank's thread.
const STACK: usize = 16 << 20;

/// How plots look on a terminal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Term {
    Coloured,
    Plain,
}

/// What a run may be told besides its plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// End the run when no rank finishes a step for this long.
    pub timeout: Option<Duration>,
    /// Show a progress bar.
    pub progress: bool,
    /// Show plots on the terminal too.
    pub term: Option<Term>,
    /// Record what every rank does when.
    pub trace: bool,
    /// Say at the end what the arrays hold.
    pub contents: bool,
}

/// Runs all ranks of a plan as threads. Rank 0 prints to `out`.
pub fn run_threads(
    plan: &Plan,
    engine: &dyn Engine,
    root: &Root,
    out: &mut (dyn Write + Send),
    manner: Manner,
) -> Outcome {
    run_observed(plan, engine, root, out, manner, None)
}

/// The same while somebody looks on.
pub fn run_observed(
    plan: &Plan,
    engine: &dyn Engine,
    root: &Root,
    out: &mut (dyn Write + Send),
    manner: Manner,
    observer: Option<&dyn Observer>,
) -> Outcome {
    let mut ends = World::ranks(plan.ranks as usize).into_iter();
    let Some(mut first) = ends.next() else { return Ok(vec![]) };
    let watch = Watch::start(manner.timeout, |code| std::process::exit(code));
    let quiet = Manner { timeout: None, progress: false, ..manner };
    let results = std::thread::scope(|scope| {
        let others: Vec<_> = ends
            .map(|mut comm| {
                let name = format!("rank {}", comm.rank());
                let watch = watch.clone();
                let body = move || {
                    guarded(&mut comm, |comm| {
                        rank_to_end(plan, comm, engine, root, &mut std::io::sink(), quiet, watch, observer)
                    })
                };
                std::thread::Builder::new().name(name).stack_size(STACK).spawn_scoped(scope, body)
            })
            .collect();
        let mut results = vec![];
        if others.iter().any(|o| o.is_err()) {
            first.mark_dead();
            results.push(Err(Failure::Lost("cannot start a thread for every rank".into())));
        } else {
            results.push(guarded(&mut first, |comm| {
                rank_to_end(plan, comm, engine, root, out, manner, watch.clone(), observer)
            }));
        }
        for handle in others.into_iter().flatten() {
            results.push(handle.join().unwrap_or_else(|_| Err(Failure::Internal("a rank panicked".into()))));
        }
        results
    });
    watch.stop();
    // A defect says more than a broken device, that more than an agreed failure, and that more than a lost peer.
    let weight = |r: &Result<Stats, Failure>| match r {
        Err(Failure::Internal(_)) => 4,
        Err(Failure::Device(_)) => 3,
        Err(Failure::Agreed(_)) => 2,
        Err(Failure::Lost(_)) => 1,
        Ok(_) => 0,
    };
    let mut results = results;
    if let Some(worst) =
        (0..results.len()).rev().max_by_key(|k| weight(&results[*k])).filter(|k| weight(&results[*k]) > 0)
    {
        return results.swap_remove(worst).map(|s| vec![s]);
    }
    results.into_iter().collect()
}

/// Runs a rank's thread so that the others learn when it ends out of turn.
fn guarded(
    comm: &mut ThreadComm,
    body: impl FnOnce(&mut ThreadComm) -> Result<Stats, Failure>,
) -> Result<Stats, Failure> {
    let rank = comm.rank();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(comm)))
        .unwrap_or_else(|_| Err(Failure::Internal(format!("rank {rank} panicked; its message stands above"))));
    if !matches!(result, Ok(_) | Err(Failure::Agreed(_))) {
        comm.mark_dead();
    }
    result
}

/// Runs one rank to its end.
pub fn run_rank(
    plan: &Plan,
    comm: &mut dyn Comm,
    engine: &dyn Engine,
    root: &Root,
    out: &mut dyn Write,
    manner: Manner,
    watch: Watch,
) -> Result<Stats, Failure> {
    rank_to_end(plan, comm, engine, root, out, manner, watch, None)
}

#[allow(clippy::too_many_arguments)]
fn rank_to_end(
    plan: &Plan,
    comm: &mut dyn Comm,
    engine: &dyn Engine,
    root: &Root,
    out: &mut dyn Write,
    manner: Manner,
    watch: Watch,
    observer: Option<&dyn Observer>,
) -> Result<Stats, Failure> {
    let mut rank = Rank::new(plan, comm, engine, root, out, watch)?;
    from_start_to_end(plan, &mut rank, manner, observer).map_err(|f| match f {
        Failure::Device(why) => rank.device.failed(why),
        other => other,
    })
}

/// The same once the rank has its device.
fn from_start_to_end<'a>(
    plan: &'a Plan,
    rank: &mut Rank<'a>,
    manner: Manner,
    observer: Option<&'a dyn Observer>,
) -> Result<Stats, Failure> {
    rank.progress = manner.progress;
    rank.term = manner.term;
    rank.observer = observer;
    if manner.trace {
        // All ranks begin together: their clocks then agree to some microseconds.
        let clocks = rank.state.comm.gathered(&trace::clock())?;
        let trace = Box::new(Trace::new(plan, trace::origin(clocks.part(0))));
        rank.device.record(trace.origin())?;
        rank.state.stats.trace = Some(trace);
    }
    startup::ended("allocation");
    let clock = Instant::now();
    rank.run()?;
    rank.state.stats.ran = clock.elapsed();
    if manner.trace {
        let kernels = rank.device.recorded()?;
        if let Some(trace) = &mut rank.state.stats.trace {
            trace.busy(kernels);
        }
        rank.state.comm.gathered(&[])?;
    }
    if manner.contents {
        rank.state.stats.contents = rank.contents()?;
    }
    let mut stats = std::mem::take(&mut rank.state.stats);
    if let Some(trace) = &mut stats.trace {
        trace.bandwidth = rank.device.copy_bandwidth();
    }
    if stats.received != stats.planned {
        let (got, said) = (stats.received, stats.planned);
        return Err(Failure::Internal(format!(
            "{} messages of {} bytes arrived where the plan says {} of {}",
            got.0, got.1, said.0, said.1
        )));
    }
    Ok(stats)
}

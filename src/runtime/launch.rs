//! Starts the ranks: threads of this process, or this process as one rank of an MPI job.

use crate::ir::plan::Plan;
use crate::runtime::comm::Comm;
use crate::runtime::comm::threads::World;
use crate::runtime::device::Executor;
use crate::runtime::failure::Failure;
use crate::runtime::io::root::Root;
use crate::runtime::rank::Rank;
use crate::runtime::stats::Stats;
use std::io::Write;

/// What a run leaves behind: the statistics of the ranks that ran here, lowest first, or the failure that all agreed on.
pub type Outcome = Result<Vec<Stats>, Failure>;

/// Stack of a rank's thread.
const STACK: usize = 16 << 20;

/// Runs all ranks of a plan as threads. Rank 0 prints to `out`.
pub fn run_threads(plan: &Plan, executor: &dyn Executor, root: &Root, out: &mut (dyn Write + Send)) -> Outcome {
    let mut ends = World::ranks(plan.ranks as usize).into_iter();
    let Some(mut first) = ends.next() else { return Ok(vec![]) };
    std::thread::scope(|scope| {
        let others: Vec<_> = ends
            .map(|mut comm| {
                let name = format!("rank {}", comm.rank());
                let body = move || {
                    let result = run_rank(plan, &mut comm, executor, root, &mut std::io::sink());
                    if matches!(result, Err(Failure::Lost(_))) {
                        comm.mark_dead();
                    }
                    result
                };
                std::thread::Builder::new().name(name).stack_size(STACK).spawn_scoped(scope, body)
            })
            .collect();
        let mut results = vec![run_rank(plan, &mut first, executor, root, out)];
        if matches!(results[0], Err(Failure::Lost(_))) {
            first.mark_dead();
        }
        for handle in others {
            results.push(match handle {
                Ok(h) => h.join().unwrap_or_else(|_| Err(Failure::Lost("a rank panicked".into()))),
                Err(e) => {
                    first.mark_dead();
                    Err(Failure::Lost(format!("cannot start a thread: {e}")))
                }
            });
        }
        // An agreed failure says more than a lost peer.
        let agreed = results.iter().position(|r| matches!(r, Err(Failure::Agreed(_))));
        if let Some(k) = agreed {
            return results.swap_remove(k).map(|s| vec![s]);
        }
        results.into_iter().collect()
    })
}

/// Runs one rank to its end.
pub fn run_rank(plan: &Plan, comm: &mut dyn Comm, executor: &dyn Executor, root: &Root, out: &mut dyn Write) -> Result<Stats, Failure> {
    let mut rank = Rank::new(plan, comm, executor, root, out)?;
    rank.run()?;
    Ok(std::mem::take(&mut rank.stats))
}

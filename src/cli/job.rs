//! Many runs in one process, for tests and tools: MPI starts once, and GPUs stay awake from one run to the next.

use super::run::{self, RunArgs};
use super::{Cli, Verb, launcher};
#[cfg(feature = "mpi")]
use crate::runtime::comm::{Comm, mpi::MpiComm};
use clap::Parser;
use std::io::Write;

/// This process: alone, with ranks as threads, or as one rank of an MPI job.
pub struct Job {
    #[cfg(feature = "mpi")]
    comm: Option<MpiComm>,
}

impl Job {
    /// Joins the job that a launcher has started, if one has.
    pub fn start() -> Result<Job, String> {
        #[cfg(feature = "mpi")]
        return Ok(Job { comm: launcher::launched().map(|_| MpiComm::start()).transpose()? });
        #[cfg(not(feature = "mpi"))]
        match launcher::launched() {
            Some(_) => Err("this mgpu was built without MPI (feature `mpi`)".into()),
            None => Ok(Job {}),
        }
    }

    /// This process's rank and the number of processes.
    pub fn place(&self) -> (i64, i64) {
        #[cfg(feature = "mpi")]
        if let Some(comm) = &self.comm {
            return (comm.rank(), comm.size());
        }
        (0, 1)
    }

    /// Waits until every process is here.
    pub fn meet(&mut self) {
        #[cfg(feature = "mpi")]
        if let Some(comm) = &mut self.comm {
            // A lost process ends the job.
            let _ = comm.gathered(&[]);
        }
    }

    /// What `mgpu run WORDS` does, as the whole job; rank 0 prints to `out`. Gives the exit code, the same on all ranks.
    pub fn run(&mut self, words: &[String], out: &mut (dyn Write + Send)) -> Result<u8, String> {
        let args = parsed(words)?;
        #[cfg(feature = "mpi")]
        if let Some(comm) = &mut self.comm {
            let size = comm.size();
            return Ok(run::run_as_rank(&args, size, comm, out));
        }
        Ok(run::run_here(&args, out))
    }

    /// The same with ranks as threads of this process alone.
    pub fn run_alone(words: &[String], out: &mut (dyn Write + Send)) -> Result<u8, String> {
        Ok(run::run_here(&parsed(words)?, out))
    }
}

/// Whether MPI takes addresses of device memory, as the exit code; a crash is an answer too.
#[cfg(all(feature = "mpi", feature = "cuda"))]
pub fn takes_device_memory(device: i32) -> u8 {
    use crate::runtime::device::cuda::{driver, transport::trial};
    match (driver::present(), MpiComm::start()) {
        (Ok(()), Ok(mut comm)) => trial::alone(&mut comm, device),
        _ => trial::UNTRIED,
    }
}

/// The same if this process is started for that: a program that runs jobs asks this first.
#[cfg(all(feature = "mpi", feature = "cuda"))]
pub fn is_a_trial() -> Option<u8> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [verb, device] = &words[..] else { return None };
    (verb == crate::runtime::device::cuda::transport::trial::VERB)
        .then(|| takes_device_memory(device.parse().unwrap_or(0)))
}

fn parsed(words: &[String]) -> Result<RunArgs, String> {
    let line = ["mgpu", "run"].map(str::to_string).into_iter().chain(words.iter().cloned());
    match Cli::try_parse_from(line).map(|c| c.verb) {
        Ok(Some(Verb::Run(args))) => Ok(args),
        Ok(_) => Err("not a run".into()),
        Err(e) => Err(e.to_string()),
    }
}

//! Launchers of MPI jobs: what they say to the processes that they start, and `--launcher mpirun`.

use crate::runtime::failure::exit;
use std::process::Command;

/// The number of ranks of the MPI job that this process belongs to, if a launcher started it.
pub fn launched() -> Option<i64> {
    // Open MPI; MPICH and its relatives; srun. Slurm's other variables stand in batch scripts too, where nothing is launched.
    ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"]
        .iter()
        .find_map(|v| std::env::var(v).ok()?.parse::<i64>().ok())
}

/// Where the launcher counts this process among those that it started on this machine, from 0, if it says so.
#[cfg(feature = "cuda")]
pub fn place_on_machine() -> Option<u64> {
    // Open MPI; Intel MPI and MPICH's Hydra; MVAPICH2; srun.
    ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "MV2_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"]
        .iter()
        .find_map(|v| std::env::var(v).ok()?.parse().ok())
}

/// The MPI library's name and version.
#[cfg(feature = "mpi")]
pub fn library_name() -> String {
    let text = crate::runtime::comm::mpi::MpiComm::library();
    text.split(',').next().unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What to say when the launcher and the MPI library disagree about the number of ranks: each process is alone.
#[cfg(feature = "mpi")]
pub fn mismatch(size: i64, sees: i64) -> String {
    let library = library_name();
    format!(
        "the launcher started {size} ranks, and the MPI library ({library}) sees {sees}: start mgpu with that library's own mpirun, or with `srun --mpi=pmix` (pmi2 for MPICH)"
    )
}

/// Runs the same command under mpirun; gives its exit code, or says why it cannot start.
pub fn start_mpirun(ranks: i64, verbose: bool) -> Result<u8, String> {
    let mut command = Command::new("mpirun");
    // MPICH's knows no `--oversubscribe` and needs none.
    let version = Command::new("mpirun").arg("--version").output().map(|o| o.stdout).unwrap_or_default();
    if String::from_utf8_lossy(&version).contains("Open MPI") {
        command.arg("--oversubscribe");
        // SAFETY: reads the user of this process.
        if unsafe { libc::geteuid() } == 0 {
            command.arg("--allow-run-as-root");
        }
    }
    command.args(["-n", &ranks.to_string()]);
    command.arg(std::env::current_exe().unwrap_or_else(|_| "mgpu".into()));
    command.args(own_arguments());
    if verbose {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        eprintln!("{}", words.map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" "));
    }
    match command.status() {
        Ok(status) => Ok(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(exit::LOST)),
        Err(e) => Err(format!(
            "cannot start mpirun: {e}; `apt-get install openmpi-bin` has it, and without it `mgpu run -n {ranks}` runs the ranks as threads"
        )),
    }
}

/// The arguments of this process without those that mpirun takes over.
fn own_arguments() -> Vec<String> {
    let mut all = std::env::args().skip(1);
    let mut kept = vec![];
    while let Some(a) = all.next() {
        if a == "--launcher" || a == "-n" || a == "--ranks" {
            all.next();
        } else if !["--launcher=", "--ranks=", "-n"].iter().any(|own| a.starts_with(own)) {
            kept.push(a);
        }
    }
    kept
}

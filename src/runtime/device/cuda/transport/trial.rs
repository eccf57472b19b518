//! Whether an MPI library that says it takes addresses of device memory really does. One that is wrong crashes the process that
//! believes it, so a process of its own believes it first.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::runtime::comm::Comm;
use crate::runtime::device::cuda::driver::Gpu;
use crate::runtime::device::cuda::work::PROBES;

/// The hidden verb of `mgpu` that is tried: `mgpu mpi-takes-device-memory DEVICE`.
pub const VERB: &str = "mpi-takes-device-memory";
/// The child's exit code when what arrived is something else.
pub const WRONG: u8 = 1;
/// The child's exit code when there was nothing to be tried.
pub const UNTRIED: u8 = 3;
/// How long a trial may take: MPI and a device are to be woken up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends device memory to this rank itself; gives the exit code.
pub fn alone(comm: &mut dyn Comm, ordinal: i32) -> u8 {
    let Ok(mut gpu) = Gpu::new(ordinal) else { return UNTRIED };
    let me = comm.rank();
    for bytes in PROBES {
        let (Ok(from), Ok(to)) = (gpu.alloc(bytes), gpu.alloc(bytes)) else { return UNTRIED };
        let sent = pattern(me, bytes);
        if gpu.put(from, &sent).is_err() {
            return UNTRIED;
        }
        // SAFETY: both blocks have so many bytes. Whether the library takes their addresses is the question.
        let carried = unsafe { comm.carry(&[(me, from, bytes)], &[(me, to, bytes)]) };
        let mut got = vec![0; bytes];
        if carried.is_err() || gpu.get(to, &mut got).is_err() || got != sent {
            return WRONG;
        }
    }
    0
}

/// Tries it with a device, in a process of its own. Where that cannot be started the library is believed.
pub fn in_a_child(ordinal: i32) -> Result<(), String> {
    let Ok(program) = std::env::current_exe() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args([VERB, &ordinal.to_string()]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    std::env::vars_os().filter(|(name, _)| of_a_launcher(&name.to_string_lossy())).for_each(|(name, _)| {
        command.env_remove(name);
    });
    // Open MPI starts no daemon for a process alone.
    let Ok(mut child) = command.env("OMPI_MCA_ess_singleton_isolated", "1").spawn() else { return Ok(()) };
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(end)) => {
                return match (end.signal(), end.code()) {
                    (Some(signal), _) => Err(format!("a trial in a process of its own crashed (signal {signal})")),
                    (_, Some(code)) if code == i32::from(WRONG) => {
                        Err("a trial in a process of its own brought something else than was sent".into())
                    }
                    _ => Ok(()),
                };
            }
            Ok(None) if begin.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("a trial in a process of its own did not end in {} s", PATIENCE.as_secs()));
            }
        }
    }
}

/// Variables that say which rank of which job a process is; without them it is alone. What users set for MPI itself stays.
fn of_a_launcher(name: &str) -> bool {
    let ours = ["OMPI_MCA_ess", "OMPI_MCA_orte", "OMPI_MCA_pmix", "OMPI_MCA_prte", "PRTE_MCA_ess"];
    let kept = name.starts_with("OMPI_MCA_") || name.starts_with("OMPI_ALLOW_RUN_AS_ROOT");
    let jobs = ["OMPI_", "PMIX_", "PMI_", "PMI2_", "HYDRA_", "HYDI_", "MPI_LOCAL", "PALS_", "SLURM_", "MV2_COMM_"];
    ours.iter().any(|p| name.starts_with(p)) || !kept && jobs.iter().any(|p| name.starts_with(p))
}

/// The bytes that a rank sends in a trial.
pub fn pattern(rank: i64, bytes: usize) -> Vec<u8> {
    (0..bytes as u64)
        .map(|k| (k.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(rank as u64 * 77) >> 32) as u8)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_no_rank_but_keeps_what_users_set() {
        for gone in
            ["OMPI_COMM_WORLD_RANK", "OMPI_MCA_ess", "OMPI_MCA_orte_hnp_uri", "PMIX_RANK", "PMI_SIZE", "SLURM_PROCID"]
        {
            assert!(of_a_launcher(gone), "{gone}");
        }
        for kept in
            ["OMPI_MCA_opal_cuda_support", "OMPI_ALLOW_RUN_AS_ROOT", "CUDA_VISIBLE_DEVICES", "PATH", "MGPU_CUDA_LIB"]
        {
            assert!(!of_a_launcher(kept), "{kept}");
        }
    }
}

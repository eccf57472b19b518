//! What a process concludes from its launcher's variables, set here by hand: no launcher is needed.

mod support;

use std::process::Command;
use support::{MGPU, Run, run_command};

const HELLO: &str = "workflow main {\n    print \"hello from {ranks}\"\n}\n";

fn run(args: &[&str], variables: &[(&str, &str)]) -> Run {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.mgpu"), HELLO).unwrap();
    let mut command = Command::new(MGPU);
    for v in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"] {
        command.env_remove(v);
    }
    command.args(["run", "-q", "p.mgpu", "--executor", "vm"]).args(args).envs(variables.iter().copied());
    run_command(command.current_dir(dir.path()), dir.path())
}

/// A binary of one MPI under the launcher of another is a process alone: a report, not several whole runs.
#[cfg(feature = "mpi")]
#[test]
fn a_launcher_of_another_mpi_is_noticed() {
    // Each MPI ignores the other's variable, so one of the two is foreign to this binary.
    for variable in ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE"] {
        let got = run(&[], &[(variable, "2")]);
        assert_ne!(got.exit, 0, "{variable}: {}", got.out);
        assert!(!got.out.contains("hello"), "{variable}: {}", got.out);
        if variable == foreign() {
            assert_eq!(got.exit, 2, "{variable}: {}", got.err);
            let flat = got.err.replace("\n  │ ", " ");
            assert!(flat.contains("the launcher started 2 ranks") && flat.contains("sees 1"), "{}", got.err);
        }
    }
}

#[cfg(feature = "mpi")]
fn foreign() -> &'static str {
    let said = Command::new(MGPU).arg("doctor").output().unwrap().stdout;
    if String::from_utf8_lossy(&said).contains("MPICH") { "OMPI_COMM_WORLD_SIZE" } else { "PMI_SIZE" }
}

#[cfg(not(feature = "mpi"))]
#[test]
fn a_build_without_mpi_says_so_under_any_launcher() {
    for variable in ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"] {
        let got = run(&[], &[(variable, "2")]);
        assert_eq!(got.exit, 2, "{variable}: {}", got.err);
        assert!(got.err.contains("built without MPI"), "{variable}: {}", got.err);
        assert_eq!(run(&["--launcher", "threads", "-n", "2"], &[(variable, "2")]).out, "hello from 2\n");
    }
}

#[test]
fn a_batch_script_is_no_job() {
    // Slurm sets these in the script itself, outside any `srun`.
    let batch = [("SLURM_NTASKS", "3"), ("SLURM_NPROCS", "3"), ("SLURM_PROCID", "0"), ("SLURM_JOB_ID", "7")];
    assert_eq!(run(&["-n", "3"], &batch).out, "hello from 3\n");
    // The shell of an interactive allocation is a step of one task.
    assert_eq!(run(&["-n", "2"], &[("SLURM_STEP_NUM_TASKS", "1")]).out, "hello from 2\n");
}

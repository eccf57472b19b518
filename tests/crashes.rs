//! Runs that end out of turn: a rank that panics, hangs or is killed ends all, soon, with the code that says so, and files
//! are whole or not there. As threads, and as processes under a launcher.

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use support::{MGPU, Run, run_command};

/// Two arrays, halos, a reduction, files read and written: a step of every kind.
const PROGRAM: &str = "array u: f64[600] edge clamp\nworkflow main {\n    u[i] = i\n    var s: f64 = 0\n    for t in 0..2 {\n        u[i] = (u[i-1] + u[i+1]) / 2\n        s = sum[i] u[i]\n    }\n    print \"{s}\"\n    save u to \"u.npy\"\n    load u from \"u.npy\"\n    plot u to \"u.png\"\n}\n";

/// One point takes for ever.
const ENDLESS: &str = "array u: f64[8]\nworkflow main {\n    print \"before\"\n    u[i] = { var s: f64 = i\n        for k in 0..1000000000000 { s = s * 0.5 + 1 }\n        s }\n    print \"{u}\"\n}\n";

/// All ends within this time of the fault.
const SOON: Duration = Duration::from_secs(3);

fn folder(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.mgpu"), text).unwrap();
    dir
}

fn threads(more: &[&str]) -> Command {
    let mut command = Command::new(MGPU);
    command.args(["run", "-q", "p.mgpu", "-n", "3", "--executor", "vm"]).args(more);
    command
}

fn timed(command: &mut Command, dir: &Path) -> (Run, Duration) {
    let clock = Instant::now();
    let run = run_command(command.current_dir(dir), dir);
    (run, clock.elapsed())
}

/// The files of a whole run, and those of a run that stopped: each as it should be, or absent.
fn whole_or_absent(whole: &Run, got: &Run, parts: bool) {
    for (name, data) in &got.files {
        if parts && name.starts_with('.') && name.ends_with(".part") {
            continue;
        }
        assert!(whole.files.get(name) == Some(data), "{name} is half written, or should not be there");
    }
}

#[test]
fn a_panic_on_one_rank_ends_all_threads_at_every_step() {
    let dir = folder(PROGRAM);
    let (whole, _) = timed(&mut threads(&[]), dir.path());
    assert_eq!(whole.exit, 0, "{}", whole.err);
    for rank in 0..3 {
        let mut step = 1;
        loop {
            let dir = folder(PROGRAM);
            let fault = format!("{rank}:{step}");
            let (got, took) = timed(threads(&[]).env("MGPU_FAULT", &fault), dir.path());
            assert!(took < SOON, "{fault}: {took:?}");
            if got.exit == 0 {
                break;
            }
            assert_eq!(got.exit, 101, "{fault}: {}", got.err);
            let codes: Vec<String> = support::reports(&got.err).into_iter().map(|r| r.0).collect();
            assert_eq!(codes, ["E0800"], "{fault}: {}", got.err);
            assert!(got.err.contains(&format!("rank {rank} panicked")), "{fault}: {}", got.err);
            whole_or_absent(&whole, &got, false);
            step += 1;
        }
        assert!(step > 10, "the program has few steps: {step}");
    }
}

#[test]
fn a_run_without_progress_is_ended() {
    let dir = folder(ENDLESS);
    let (got, took) = timed(&mut threads(&["--timeout", "0.5"]), dir.path());
    assert_eq!(got.exit, 4, "{}", got.err);
    assert!(got.err.contains("no step completed for 0.5 s"), "{}", got.err);
    assert!(took < SOON, "{took:?}");
}

#[cfg(feature = "mpi")]
mod launched {
    use super::*;

    fn job(more: &[&str]) -> Command {
        let mut command = support::launcher(3);
        command.args([MGPU, "run", "-q", "p.mgpu", "--executor", "vm"]).args(more);
        command
    }

    /// How long a job takes that does nothing wrong: launchers are slow to start.
    fn start() -> (Run, Duration) {
        timed(&mut job(&[]), folder(PROGRAM).path())
    }

    #[test]
    fn a_panic_on_one_rank_ends_all_processes() {
        let (whole, usual) = start();
        assert_eq!(whole.exit, 0, "{}", whole.err);
        for fault in ["0:3", "1:1", "1:5", "2:8"] {
            let dir = folder(PROGRAM);
            let (got, took) = timed(job(&[]).env("MGPU_FAULT", fault), dir.path());
            assert_eq!(got.exit, 101, "{fault}: {}", got.err);
            assert!(got.err.contains("fault injected"), "{fault}: {}", got.err);
            assert!(took < usual + SOON, "{fault}: {took:?}, and {usual:?} without a fault");
            whole_or_absent(&whole, &got, true);
        }
    }

    #[test]
    fn a_process_that_is_killed_ends_all() {
        let dir = folder(ENDLESS);
        let (_, usual) = start();
        let shell = format!(
            "echo $$ >> pids; sync; while [ $(wc -l < pids) -lt 3 ]; do sleep 0.05; done; \
             first=$(head -n 1 pids); [ $first = $$ ] && (sleep 1; kill -9 $$) & exec '{MGPU}' run -q p.mgpu --executor vm"
        );
        let (got, took) = timed(support::launcher(3).args(["sh", "-c", &shell]), dir.path());
        assert!(![0, 1, 2, 3].contains(&got.exit), "exit code {}\n{}", got.exit, got.err);
        assert!(took < usual + SOON + Duration::from_secs(1), "{took:?}, and {usual:?} without a fault");
    }

    #[test]
    fn a_job_without_progress_is_ended() {
        let dir = folder(ENDLESS);
        let (_, usual) = start();
        let (got, took) = timed(&mut job(&["--timeout", "0.5"]), dir.path());
        assert_eq!(got.exit, 4, "{}", got.err);
        assert!(got.err.contains("no step completed for 0.5 s"), "{}", got.err);
        assert!(took < usual + SOON, "{took:?}, and {usual:?} without a fault");
    }

    #[test]
    fn agreed_failures_are_reported_once() {
        for (text, exit, code) in [
            (PROGRAM.replace("save u to", "load u from"), 3, "E0601"),
            (PROGRAM.replace("\"u.npy\"", "\"none/u.npy\""), 3, "E0601"),
            (PROGRAM.replace("print", "assert s < 0, \"positive\"\n    print"), 3, "E0610"),
            (PROGRAM.replace("array u", "array v"), 1, "E0200"),
            ("param n: i64 = 3".into(), 2, "E0003"),
        ] {
            let dir = folder(&text);
            let (got, _) = timed(&mut job(&[]), dir.path());
            assert_eq!(got.exit, exit, "{}", got.err);
            let reports = support::reports(&got.err);
            assert!(!reports.is_empty() && reports.iter().all(|r| r.0 == code), "{}", got.err);
            assert_eq!(
                reports.len(),
                reports.iter().map(|r| (r.1, &r.2)).collect::<std::collections::BTreeSet<_>>().len()
            );
            assert_eq!(got.files.len(), 1, "files left behind: {:?}", got.files.keys());
        }
    }
}

//! `mgpu run --trace` and `--stats`: what they say agrees with the run, as threads and as MPI processes.

mod support;

use std::path::Path;
use std::process::Command;
use support::{MGPU, Run, run_command};

const PROGRAM: &str = "array u: f64[64, 40] in (block, *) edge clamp
kernel smooth(u: f64[n, m]) -> v: f64[n, m] {
    v[i, j] = (u[i-1, j] + u[i+1, j]) / 2
}
workflow main {
    u[i, j] = f64(i * j)
    for t in 0..20 { u = smooth(u) }
    print \"{sum[i, j] u[i, j]}\"
    save u to \"u.npy\"
}
";

fn traced(command: &mut Command, dir: &Path, more: &[&str]) -> Run {
    std::fs::write(dir.join("p.mgpu"), PROGRAM).unwrap();
    command.args(["run", "p.mgpu", "--executor", "vm", "--json", "--trace", "t.json"]).args(more).current_dir(dir);
    run_command(command, dir)
}

/// Checks a trace against the summary of its run.
fn agrees(run: &Run, ranks: u64) {
    assert_eq!(run.exit, 0, "{}", run.err);
    let summary = run.err.lines().find(|l| l.starts_with('{')).unwrap();
    let summary: serde_json::Value = serde_json::from_str(summary).unwrap();
    let trace: serde_json::Value = serde_json::from_slice(&run.files["t.json"]).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |ph: &str| events.iter().filter(|e| e["ph"] == ph).collect::<Vec<_>>();
    assert_eq!(of("M").len() as u64, 1 + ranks);
    // An arrow for every message, from its sender's slice to its receiver's.
    let messages = summary["messages"].as_u64().unwrap();
    assert_eq!(messages, 20 * 2 * (ranks - 1));
    assert_eq!(of("s").len() as u64, messages);
    for (s, f) in of("s").into_iter().zip(of("f")) {
        assert_eq!(s["id"], f["id"]);
        // Viewers leave out arrows that go back in time: the ranks' clocks begin at one moment.
        assert!(s["ts"].as_f64() < f["ts"].as_f64(), "{s} {f}");
        assert_eq!(s["tid"].as_i64().unwrap().abs_diff(f["tid"].as_i64().unwrap()), 1, "{s} {f}");
    }
    for rank in 0..ranks {
        let mine: Vec<_> = of("X").into_iter().filter(|e| e["tid"] == rank).collect();
        let kind = |k: &str| mine.iter().filter(|e| e["cat"] == k).count();
        // One sweep before the loop, one a step (two where messages travel meanwhile), one for the sum.
        assert!((22..=62).contains(&kind("compute")), "{}", kind("compute"));
        assert_eq!(kind("I/O"), 2);
        assert_eq!(kind("all-reduce"), usize::from(ranks > 1));
        assert_eq!(kind("wait"), if ranks > 1 { 20 } else { 0 });
        for (kind, name) in [("send", "send halo of u (1 x 0)"), ("wait", "wait for halo of u (1 x 0)")] {
            assert!(mine.iter().all(|e| (e["cat"] == kind) == (e["name"] == name)), "{kind}");
        }
        // Slices of a rank follow each other.
        let time = |e: &serde_json::Value, k: &str| e[k].as_f64().unwrap();
        for pair in mine.windows(2) {
            assert!(
                time(pair[0], "ts") + time(pair[0], "dur") <= time(pair[1], "ts") + 0.01,
                "{} {}",
                pair[0],
                pair[1]
            );
        }
        let sweeps = mine.iter().filter(|e| e["name"] == "compute smooth over [0..64, 0..40]");
        assert!(sweeps.clone().count() >= 20 && sweeps.into_iter().all(|e| e["args"]["line"] == "p.mgpu:3"));
    }
}

#[test]
fn the_trace_of_threads() {
    for ranks in ["1", "3"] {
        let dir = tempfile::tempdir().unwrap();
        let run = traced(&mut Command::new(MGPU), dir.path(), &["-n", ranks]);
        agrees(&run, ranks.parse().unwrap());
    }
}

#[cfg(feature = "mpi")]
#[test]
fn the_trace_of_processes() {
    let dir = tempfile::tempdir().unwrap();
    agrees(&traced(support::launcher(3).arg(MGPU), dir.path(), &[]), 3);
}

#[test]
fn the_table() {
    let dir = tempfile::tempdir().unwrap();
    let run = traced(&mut Command::new(MGPU), dir.path(), &["-n", "3", "--stats"]);
    assert_eq!(run.exit, 0, "{}", run.err);
    let row = |name: &str| {
        let line = run.err.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {}", run.err));
        line.to_string()
    };
    assert!(row("compute smooth over").contains("p.mgpu:3                 20 "), "{}", run.err);
    assert!(row("save u to").contains(" 1 "));
    assert!(row("the ranks together copy").contains("GB/s"));
    row("all ");
    assert!(run.err.trim_end().lines().last().unwrap().contains("% of the time"), "{}", run.err);
}

/// `--json` is asked for by programs: `-q` does not take it away.
#[test]
fn a_quiet_run_still_prints_the_json() {
    let dir = tempfile::tempdir().unwrap();
    let run = traced(&mut Command::new(MGPU), dir.path(), &["-n", "2", "-q"]);
    assert_eq!(run.exit, 0, "{}", run.err);
    let summary: serde_json::Value = serde_json::from_str(run.err.trim()).expect("JSON and nothing else");
    assert_eq!((summary["ranks"].as_u64(), summary["messages"].as_u64()), (Some(2), Some(40)));
}

#[test]
fn a_trace_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.mgpu"), PROGRAM).unwrap();
    let mut command = Command::new(MGPU);
    command
        .args(["run", "p.mgpu", "-n", "2", "--executor", "vm", "--trace", "no/folder/t.json"])
        .current_dir(dir.path());
    let run = run_command(&mut command, dir.path());
    assert_eq!(run.exit, 2, "{}", run.err);
    assert!(run.err.contains("cannot write the trace to `no/folder/t.json`"), "{}", run.err);
}

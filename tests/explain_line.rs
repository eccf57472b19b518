//! `mgpu explain prog.mgpu:LINE`: goldens in `tests/explain_line`, written anew with MGPU_BLESS=1.

mod support;

use std::path::Path;
use support::{bless, first_difference, run};

/// Example, line, ranks. The name of the golden says the same.
const CASES: &[(&str, usize, usize)] = &[
    ("04_ring", 24, 4),
    ("05_heat", 23, 4),
    ("05_heat", 41, 4),
    ("05_heat", 30, 4),
    ("05_heat", 41, 1),
    ("05_heat", 41, 64),
    ("05_heat", 42, 4),
    ("06_game_of_life", 42, 6),
    ("09_digits", 30, 4),
    ("10_power", 32, 3),
];

fn explain(what: &str, ranks: usize, here: &Path) -> support::Run {
    run(&["explain".into(), what.into(), "-n".into(), ranks.to_string()], here)
}

#[test]
fn lines_are_explained_as_they_were() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tempfile::tempdir().unwrap();
    let mut wrong = vec![];
    for (name, line, ranks) in CASES {
        let file = root.join(format!("examples/{name}.mgpu"));
        let got = explain(&format!("{}:{line}", file.display()), *ranks, scratch.path());
        assert_eq!(got.exit, 0, "{name}:{line}: {}", got.err);
        let golden = root.join(format!("tests/explain_line/{name}_{line}_on_{ranks}.txt"));
        if bless() {
            std::fs::write(&golden, &got.out).unwrap();
        }
        let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
        if wanted != got.out {
            wrong.push(format!("{}: {}", golden.display(), first_difference(&wanted, &got.out)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_be_explained_is_said() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("a.mgpu"), "array u: f64[8]\nworkflow main { u[i] = u[i-1] }\n").unwrap();
    std::fs::write(here.path().join("b.mgpu"), "workflow main { print \"x\" }\n").unwrap();
    let at = |name: &str| here.path().join(name).display().to_string();
    let rejected = explain(&format!("{}:2", at("a.mgpu")), 4, here.path());
    assert!(rejected.exit == 1 && rejected.err.contains("E0302"), "{}", rejected.err);
    let beyond = explain(&format!("{}:9", at("b.mgpu")), 4, here.path());
    assert!(beyond.exit == 2 && beyond.err.contains("has no line 9"), "{}", beyond.err);
    assert_eq!(explain("nothing.mgpu:1", 4, here.path()).exit, 2);
    assert_eq!(explain("b.mgpu:x", 4, here.path()).exit, 2);
    assert_eq!(explain("E9999", 4, here.path()).exit, 2);
}

/// A line of a kernel is written as the line of the workflow that calls it; only the heading differs.
#[test]
fn a_line_of_a_kernel_has_the_script_of_its_call() {
    let here = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/programs/epidemic.mgpu").display().to_string();
    let script = |line: usize| {
        let got =
            run(&["explain", &format!("{file}:{line}"), "-n", "3", "--as", "mpi4py"].map(String::from), here.path());
        assert_eq!(got.exit, 0, "line {line}: {}", got.err);
        let (head, body) = got.out.split_once("# mpirun").unwrap();
        (head.to_string(), body.to_string())
    };
    let (call, first, second) = (script(22), script(14), script(15));
    assert!(call.1.contains("np.minimum(") && call.1 == first.1 && call.1 == second.1, "{}", first.1);
    assert!(
        first.0.contains("which line 22 of the workflow computes") && !call.0.contains("which line"),
        "{}",
        first.0
    );
    let none = run(&["explain", &format!("{file}:3"), "--as", "mpi4py"].map(String::from), here.path());
    assert!(none.exit == 1 && none.err.contains("E0901"), "{}", none.err);
}

/// `by` and ends that depend on another loop: what is known is counted, what is not known is not made up; and the run counts the same.
#[test]
fn loops_are_counted_by_their_steps() {
    let here = tempfile::tempdir().unwrap();
    let text = "array u: f64[40] edge clamp\nworkflow main {\n    u[i] = f64(i)\n    for t in 0..100 by 7 {\n        u[i] = u[i-1] + f64(t)\n    }\n    \
                for a in 0..5 {\n        for b in 0..a {\n            u[i] = u[i+1] * 2\n        }\n    }\n    print \"{sum[i] u[i]}\"\n}\n";
    let file = here.path().join("loops.mgpu");
    std::fs::write(&file, text).unwrap();
    let at = |line: usize| explain(&format!("{}:{line}", file.display()), 3, here.path()).out;
    assert!(
        at(5).contains("This happens 15 times (for t in 0..100 by 7): 30 messages, 240 B in the whole run."),
        "{}",
        at(5)
    );
    assert!(at(4).contains("Every rank repeats what is inside 15 times."), "{}", at(4));
    assert!(at(9).contains("This happens once a round of `for a in 0..5, for b within 0..4`."), "{}", at(9));
    let file = file.display().to_string();
    let json = |args: &[&str], err: bool| -> serde_json::Value {
        let got = run(&args.iter().map(|a| a.to_string()).collect::<Vec<_>>(), here.path());
        serde_json::from_str(if err { &got.err } else { &got.out }).unwrap()
    };
    let plan = json(&["plan", &file, "-n", "3", "--json"], false);
    assert_eq!(plan["totals"], serde_json::json!({"messages": 30, "bytes": 240, "all_reduces": 1, "exact": false}));
    let ran = json(&["run", &file, "-n", "3", "-q", "--json"], true);
    // Ten rounds of the inner loop come on top.
    assert_eq!((ran["messages"].as_u64(), ran["reductions"].as_u64()), (Some(30 + 20), Some(1)));
}

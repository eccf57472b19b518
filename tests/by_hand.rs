//! `mgpu explain --as mpi4py`: the scripts run under MPI and print and save what mgpu does. Needs Python with mpi4py and NumPy, and
//! mpirun; where they are missing the test says so and does nothing.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{MGPU, bless, first_difference, launcher, run_command, scratch, scripts_run};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn explain(what: &str, ranks: u64, more: &[&str], dir: &Path) -> support::Run {
    let ranks = ranks.to_string();
    let args = ["explain", what, "-n", &ranks, "--as", "mpi4py"];
    run_command(Command::new(MGPU).args(args).args(more).current_dir(dir), dir)
}

/// The shape and the values of an `.npy` file, by NumPy's description of the format.
fn npy(data: &[u8]) -> (String, Vec<f64>) {
    let size = u16::from_le_bytes([data[8], data[9]]) as usize;
    let head = String::from_utf8_lossy(&data[10..10 + size]).trim().to_string();
    let body = &data[10 + size..];
    let of = |c: &[u8]| match c.len() {
        4 => f64::from(f32::from_le_bytes(c.try_into().unwrap())),
        _ => f64::from_le_bytes(c.try_into().unwrap()),
    };
    let width = if head.contains("<f4") || head.contains("<c8") { 4 } else { 8 };
    (head.replace(' ', ""), body.chunks(width).map(of).collect())
}

/// What a program's script does differently from `mgpu run`.
fn wrong(program: &Path, lines: &str, ranks: u64, params: &[&str]) -> Vec<String> {
    let dir = scratch(program, &BTreeMap::new());
    let name = program.file_name().unwrap().to_string_lossy().into_owned();
    // Pictures need a library of their own.
    let file = dir.path().join(&name);
    let text = std::fs::read_to_string(&file).unwrap();
    let kept: Vec<&str> = text.lines().map(|l| if l.trim().starts_with("plot ") { "" } else { l }).collect();
    std::fs::write(&file, kept.join("\n") + "\n").unwrap();
    let given: Vec<&str> = params.iter().flat_map(|p| ["-p", p]).collect();
    let script = explain(&format!("{name}{lines}"), ranks, &given, dir.path());
    assert_eq!(script.exit, 0, "{name}: {}", script.err);
    let ranks_text = ranks.to_string();
    let args = ["run", &name, "-n", &ranks_text, "-q", "--executor", "vm"];
    let ours = run_command(Command::new(MGPU).args(args).args(&given).current_dir(dir.path()), dir.path());
    assert_eq!(ours.exit, 0, "{name}: {}", ours.err);
    std::fs::write(dir.path().join("script.py"), &script.out).unwrap();
    let mut python = launcher(ranks);
    let theirs = run_command(python.args(["python3", "-m", "mpi4py", "script.py"]).current_dir(dir.path()), dir.path());
    let mut out = vec![];
    let mut say = |what: String| out.push(format!("{name}{lines} on {ranks}: {what}"));
    if theirs.exit != 0 {
        say(format!("exit code {}\n{}", theirs.exit, theirs.err));
    }
    if theirs.out != ours.out {
        say(first_difference(&ours.out, &theirs.out));
    }
    for (file, data) in ours.files.iter().filter(|f| f.0.ends_with(".npy")) {
        let ((head, a), (other, b)) = (npy(data), npy(&theirs.files[file]));
        let far = |(x, y): (&f64, &f64)| (x - y).abs() > 1e-6 + 1e-5 * x.abs();
        if head != other || a.iter().zip(&b).any(far) {
            say(format!("{file} differs"));
        }
    }
    out
}

#[test]
fn scripts_do_what_mgpu_does() {
    if !scripts_run() {
        return;
    }
    let forms = root().join("tests/by_hand/forms.mgpu");
    let example = |name: &str| -> PathBuf { root().join(format!("examples/{name}.mgpu")) };
    let mut found = vec![];
    for ranks in [1, 3, 4] {
        found.extend(wrong(&forms, "", ranks, &[]));
        found.extend(wrong(&forms, ":20-47", ranks, &[]));
    }
    found.extend(wrong(&root().join("tests/by_hand/half.mgpu"), "", 3, &[]));
    for ranks in [1, 3, 4] {
        found.extend(wrong(&root().join("tests/by_hand/complex.mgpu"), "", ranks, &[]));
    }
    found.extend(wrong(&example("04_ring"), "", 4, &[]));
    found.extend(wrong(&example("05_heat"), "", 3, &["n=48", "steps=20"]));
    found.extend(wrong(&example("10_power"), "", 3, &[]));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// One line alone is a script that runs: its arrays are zeros.
#[test]
fn the_script_of_every_line_runs() {
    if !scripts_run() {
        return;
    }
    let forms = root().join("tests/by_hand/forms.mgpu");
    let dir = scratch(&forms, &BTreeMap::new());
    let text = std::fs::read_to_string(&forms).unwrap();
    let main = text.lines().position(|l| l.starts_with("workflow main")).unwrap() + 1;
    let mut all = String::from("import runpy\n");
    for line in main + 1..text.lines().count() {
        let script = explain(&format!("forms.mgpu:{line}"), 3, &[], dir.path());
        assert_eq!(script.exit, 0, "line {line}: {}", script.err);
        std::fs::write(dir.path().join(format!("line{line}.py")), script.out).unwrap();
        all += &format!("runpy.run_path('line{line}.py')\n");
    }
    std::fs::write(dir.path().join("all.py"), all).unwrap();
    let got = run_command(launcher(3).args(["python3", "-m", "mpi4py", "all.py"]).current_dir(dir.path()), dir.path());
    assert_eq!(got.exit, 0, "{}", got.err);
}

#[test]
fn a_script_reads_as_it_did() {
    let scratch = tempfile::tempdir().unwrap();
    let file = root().join("examples/05_heat.mgpu");
    let got = explain(&format!("{}:41", file.display()), 4, &[], scratch.path());
    let golden = root().join("tests/by_hand/heat_41_on_4.py");
    if bless() {
        std::fs::write(&golden, &got.out).unwrap();
    }
    let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(wanted == got.out, "{}", first_difference(&wanted, &got.out));
}

#[test]
fn what_has_no_script_is_said() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("a.mgpu"),
        "array u: f64[8]\nworkflow main {\n    for t in 0..3 {\n        u[i] = t\n    }\n}\n",
    )
    .unwrap();
    let head = explain("a.mgpu:3", 2, &[], dir.path());
    assert!(head.exit == 1 && head.err.contains("E0901") && head.out.is_empty(), "{}", head.err);
    assert_eq!(explain("a.mgpu:3-5", 2, &[], dir.path()).exit, 0);
    assert!(explain("a.mgpu:30", 2, &[], dir.path()).err.contains("there is no line 30"));
    assert_eq!(explain("a.mgpu:4", 65, &[], dir.path()).exit, 2);
}

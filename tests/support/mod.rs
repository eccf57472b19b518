//! Running the built command in a folder of its own, for the tests that look from outside.
#![allow(dead_code)]

#[cfg(feature = "lsp")]
pub mod editor;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What one run left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub exit: i32,
    pub out: String,
    pub err: String,
    /// Every file in the run's folder.
    pub files: BTreeMap<String, Vec<u8>>,
}

pub const MGPU: &str = env!("CARGO_BIN_EXE_mgpu");

/// Whether goldens are written, not compared.
pub fn bless() -> bool {
    std::env::var_os("MGPU_BLESS").is_some()
}

/// The executors that this machine can test: native C only where a compiler is found.
pub fn executors() -> Vec<&'static str> {
    let compiler = Command::new("cc").arg("--version").output().is_ok_and(|o| o.status.success());
    if compiler && NATIVE { vec!["vm", "native"] } else { vec!["vm"] }
}

/// Whether `--executor native` runs C.
const NATIVE: bool = true;

/// A new folder that holds a program and its inputs (by the names that the program uses).
pub fn scratch(program: &Path, inputs: &BTreeMap<String, PathBuf>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(program, dir.path().join(program.file_name().unwrap())).unwrap();
    for (name, from) in inputs {
        std::fs::copy(from, dir.path().join(name)).unwrap();
    }
    dir
}

/// Runs `mgpu ARGS`, without colours, and collects what it prints and the files then in `dir`.
pub fn run(args: &[String], dir: &Path) -> Run {
    run_command(Command::new(MGPU).args(args), dir)
}

/// A launcher of so many processes: Open MPI's, or what `MGPU_TEST_LAUNCHER` says (`mpirun.mpich`, `srun --mpi=pmix`).
pub fn launcher(ranks: u64) -> Command {
    let words = std::env::var("MGPU_TEST_LAUNCHER").unwrap_or("mpirun --allow-run-as-root --oversubscribe".into());
    let mut words = words.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["-n", &ranks.to_string()]);
    command
}

/// Whether scripts can be run here.
pub fn scripts_run() -> bool {
    let modules = "import mpi4py, numpy; assert int(numpy.__version__.split('.')[0]) >= 2";
    let python = Command::new("python3").args(["-c", modules]).output();
    let ready =
        python.is_ok_and(|o| o.status.success()) && launcher(1).arg("true").output().is_ok_and(|o| o.status.success());
    if !ready {
        eprintln!("SKIPPED: scripts by hand are not run: python3 with mpi4py and NumPy 2, or mpirun, is missing");
    }
    ready
}

/// Runs a prepared command.
pub fn run_command(command: &mut Command, dir: &Path) -> Run {
    let out = command.env("NO_COLOR", "1").output().unwrap();
    let mut files = BTreeMap::new();
    collect(dir, dir, &mut files);
    Run {
        exit: out.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&out.stdout).into_owned(),
        err: String::from_utf8_lossy(&out.stderr).into_owned(),
        files,
    }
}

fn collect(root: &Path, folder: &Path, out: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for e in entries.flatten() {
        let path = e.path();
        if path.is_dir() {
            collect(root, &path, out);
        } else if let Ok(data) = std::fs::read(&path) {
            out.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), data);
        }
    }
}

/// The reports in rendered diagnostics: code, line of the place, and text.
pub fn reports(err: &str) -> Vec<(String, usize, String)> {
    let mut out: Vec<(String, usize, String)> = vec![];
    for line in err.lines() {
        let word = line.split_whitespace().next().unwrap_or("");
        if !line.starts_with("  ")
            && word.len() == 5
            && word.starts_with('E')
            && word[1..].chars().all(|d| d.is_ascii_digit())
        {
            out.push((word.to_string(), 0, String::new()));
        }
        let Some(last) = out.last_mut() else { continue };
        if let Some((_, place)) = line.split_once("─[") {
            let at = place.split(']').next().unwrap_or("");
            last.1 = at.rsplit(':').nth(1).and_then(|l| l.parse().ok()).unwrap_or(0);
        }
        last.2 += line;
        last.2.push('\n');
    }
    out
}

/// The first line that two texts do not share.
pub fn first_difference(wanted: &str, found: &str) -> String {
    let (mut a, mut b) = (wanted.lines(), found.lines());
    let mut line = 0;
    loop {
        line += 1;
        match (a.next(), b.next()) {
            (None, None) => return "the line ends".into(),
            (x, y) if x == y => {}
            (x, y) => {
                return format!(
                    "line {line}\n  wanted {}\n  found  {}",
                    x.unwrap_or("(nothing)"),
                    y.unwrap_or("(nothing)")
                );
            }
        }
    }
}

//! Runs every program of `tests/suite` with the built command, on several numbers of ranks and every executor, against the
//! files beside it. `tests/suite/README.md` says what a case is made of. `MGPU_BLESS=1` writes the goldens anew.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{MGPU, Run, bless, executors, first_difference, run_command, scratch};

/// Ranks of a case that does not say.
const RANKS: [i64; 5] = [1, 2, 3, 4, 7];

/// One program with its directives.
struct Case {
    path: PathBuf,
    /// The path beneath `tests/suite`, without `.mgpu`.
    name: String,
    args: Vec<String>,
    /// Variables of the environment.
    env: Vec<(String, String)>,
    ranks: Vec<i64>,
    /// Codes of the reports that the program must get, in order; empty: it runs.
    codes: Vec<String>,
    /// The exit code.
    exit: i32,
    /// `//~ E0302 fragment` by line.
    marks: Vec<(usize, String, String)>,
    /// The output may differ between numbers of ranks: one golden each.
    by_ranks: bool,
}

fn suite() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite")
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for e in entries {
        if e.is_dir() { files(&e, out) } else { out.push(e) }
    }
}

fn case(path: &Path) -> Case {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.strip_prefix(suite()).unwrap().with_extension("").to_string_lossy().into_owned();
    let mut c = Case {
        path: path.into(),
        name,
        args: vec![],
        env: vec![],
        ranks: RANKS.to_vec(),
        codes: vec![],
        exit: 0,
        marks: vec![],
        by_ranks: false,
    };
    for (k, line) in text.lines().enumerate() {
        if let Some((_, mark)) = line.split_once("//~ ") {
            let (code, fragment) = mark.trim().split_once(' ').unwrap_or((mark.trim(), ""));
            c.marks.push((k + 1, code.to_string(), fragment.to_string()));
        }
        let Some(rest) = line.strip_prefix("// ") else { continue };
        let Some((key, value)) = rest.split_once(':') else { continue };
        let words: Vec<String> = value.split_whitespace().map(str::to_string).collect();
        match key {
            "args" => c.args = words,
            "env" => {
                let pair = |w: &String| w.split_once('=').map(|(k, v)| (k.to_string(), v.to_string())).unwrap();
                c.env = words.iter().map(pair).collect();
            }
            "ranks" => c.ranks = words.iter().map(|w| w.parse().unwrap()).collect(),
            "output" => {
                assert_eq!(value.trim(), "depends on ranks", "{}: unknown `output:`", c.name);
                c.by_ranks = true;
            }
            "expect" => {
                c.exit = match words[0].as_str() {
                    "error" => 1,
                    "usage" => 2,
                    "failure" => 3,
                    other => panic!("{}: `// expect: {other}` is unknown", c.name),
                };
                c.codes = words[1..].to_vec();
                assert!(!c.codes.is_empty(), "{}: `// expect:` names no code", c.name);
            }
            _ => {}
        }
    }
    c
}

fn cases() -> Vec<Case> {
    let mut all = vec![];
    files(&suite(), &mut all);
    all.iter().filter(|p| p.extension().is_some_and(|e| e == "mgpu") && !is_input(p)).map(|p| case(p)).collect()
}

/// `NAME.in.FILE` is put beside the program as `FILE`.
fn is_input(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().contains(".in.")
}

/// Files beside a case whose names continue with `middle`, by what follows it.
fn beside(c: &Case, middle: &str) -> BTreeMap<String, PathBuf> {
    let stem = format!("{}{middle}", c.path.file_stem().unwrap().to_string_lossy());
    let entries = std::fs::read_dir(c.path.parent().unwrap()).unwrap().map(|e| e.unwrap());
    let named =
        entries.filter_map(|e| Some((e.file_name().to_string_lossy().strip_prefix(&stem)?.to_string(), e.path())));
    named.collect()
}

/// Compares with the file at `path`, or writes it when blessing.
fn golden(path: &Path, found: &str, wrong: &mut String) {
    if bless() {
        match found.is_empty() {
            true => drop(std::fs::remove_file(path)),
            false => std::fs::write(path, found).unwrap(),
        }
        return;
    }
    let wanted = std::fs::read_to_string(path).unwrap_or_default();
    if wanted != found {
        let name = path.strip_prefix(suite()).unwrap().display();
        let _ = writeln!(wrong, "differs from {name}: {}", first_difference(&wanted, found));
    }
}

/// Runs one case everywhere; what is wrong, or nothing.
fn check(c: &Case) -> String {
    let mut wrong = String::new();
    let inputs = beside(c, ".in.");
    let mut first: Option<(String, Run)> = None;
    for executor in executors() {
        for &n in &c.ranks {
            let dir = scratch(&c.path, &inputs);
            let file = dir.path().join(c.path.file_name().unwrap());
            let mut args =
                ["run", "-q", file.to_str().unwrap(), "-n"].iter().map(|s| s.to_string()).collect::<Vec<_>>();
            args.extend([n.to_string(), "--executor".into(), executor.into()]);
            args.extend(c.args.clone());
            let mut command = Command::new(MGPU);
            let mut got = run_command(command.args(&args).envs(c.env.clone()), dir.path());
            got.files.retain(|name, _| {
                !inputs.contains_key(name) && *name != *c.path.file_name().unwrap().to_string_lossy()
            });
            let here = format!("{} on {n} ranks ({executor})", c.name);
            if got.exit != c.exit {
                let _ = writeln!(wrong, "{here}: exit code {}, wanted {}\n{}{}", got.exit, c.exit, got.out, got.err);
                return wrong;
            }
            if c.by_ranks {
                golden(&c.path.with_extension(format!("{n}.out")), &got.out, &mut wrong);
                continue;
            }
            match &first {
                None => {
                    compare_with_goldens(c, &got, &mut wrong);
                    first = Some((here.clone(), got));
                }
                Some((there, one)) => same(c, (there, one), (&here, &got), &mut wrong),
            }
            if !wrong.is_empty() {
                return format!("{here}: {wrong}");
            }
        }
    }
    wrong
}

/// The output of two runs of one program is the same to the byte.
fn same(c: &Case, (there, a): (&str, &Run), (here, b): (&str, &Run), wrong: &mut String) {
    if a.out != b.out {
        let _ = writeln!(wrong, "{here} prints otherwise than {there}: {}", first_difference(&a.out, &b.out));
    }
    if c.exit == 1 && a.err != b.err {
        let _ = writeln!(wrong, "{here} reports otherwise than {there}: {}", first_difference(&a.err, &b.err));
    }
    if a.files != b.files {
        let names = |r: &Run| r.files.iter().map(|(n, d)| (n.clone(), d.len())).collect::<Vec<_>>();
        let _ = writeln!(wrong, "{here} leaves other files than {there}: {:?} and {:?}", names(b), names(a));
    }
}

fn compare_with_goldens(c: &Case, got: &Run, wrong: &mut String) {
    golden(&c.path.with_extension("out"), &got.out, wrong);
    let err = got.err.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let err = if err.is_empty() || err.ends_with('\n') { err } else { err + "\n" };
    // Reports of a run name the rank that met the problem; those are looked at on one rank.
    golden(&c.path.with_extension("err"), &err, wrong);
    for (name, path) in beside(c, ".want.") {
        match got.files.get(&name) {
            None => {
                let _ = writeln!(wrong, "does not write {name}");
            }
            Some(data) if *data != std::fs::read(&path).unwrap() => {
                let _ = writeln!(wrong, "writes another {name} than {}", path.display());
            }
            Some(_) => {}
        }
    }
    check_codes(c, &got.err, wrong);
}

/// The reports have the codes that the case names, and stand at the lines that it marks.
fn check_codes(c: &Case, err: &str, wrong: &mut String) {
    let is_code = |w: &&str| w.len() == 5 && w.starts_with('E') && w[1..].chars().all(|d| d.is_ascii_digit());
    let heads: Vec<&str> = err.lines().filter_map(|l| l.split_whitespace().next().filter(is_code)).collect();
    if heads != c.codes {
        let _ = writeln!(wrong, "reports {heads:?}, wanted {:?}\n{err}", c.codes);
    }
    let reports: Vec<(String, usize, String)> = support::reports(err);
    for (line, code, fragment) in &c.marks {
        let found = reports.iter().any(|r| r.0 == *code && r.1 == *line && r.2.contains(fragment.trim()));
        if !found {
            let _ = writeln!(wrong, "no {code} with `{fragment}` at line {line}\n{err}");
        }
    }
}

#[test]
fn every_file_belongs_to_a_case() {
    let mut all = vec![];
    files(&suite(), &mut all);
    let mut known: BTreeSet<PathBuf> = BTreeSet::from([suite().join("README.md")]);
    for c in cases() {
        known.insert(c.path.clone());
        if c.by_ranks {
            known.extend(c.ranks.iter().map(|n| c.path.with_extension(format!("{n}.out"))));
        } else {
            known.insert(c.path.with_extension("out"));
        }
        if c.exit != 0 {
            known.insert(c.path.with_extension("err"));
        }
        known.extend(beside(&c, ".in.").into_values());
        known.extend(beside(&c, ".want.").into_values());
    }
    let unknown: Vec<_> = all.iter().filter(|p| !known.contains(*p)).collect();
    assert!(unknown.is_empty(), "these files belong to no case: {unknown:#?}");
}

/// What programs of the suite and lessons say in `test` blocks.
#[test]
fn tests_in_programs_pass() {
    let mut paths = vec![];
    files(&suite().join("run"), &mut paths);
    files(&suite().join("../../examples"), &mut paths);
    let has_tests = |p: &&PathBuf| {
        p.extension().is_some_and(|e| e == "mgpu")
            && std::fs::read_to_string(p).is_ok_and(|t| t.lines().any(|l| l.starts_with("test \"")))
    };
    let with_tests: Vec<&PathBuf> = paths.iter().filter(has_tests).collect();
    assert!(with_tests.len() >= 3, "{with_tests:?}");
    for path in with_tests {
        let dir = scratch(path, &BTreeMap::new());
        let done = run_command(Command::new(MGPU).arg("test").arg(path).current_dir(dir.path()), dir.path());
        assert_eq!(done.exit, 0, "{}: {}{}", path.display(), done.out, done.err);
    }
}

#[test]
fn programs_do_what_the_files_beside_them_say() {
    let only = std::env::var("MGPU_SUITE").unwrap_or_default();
    let cases: Vec<Case> = cases().into_iter().filter(|c| c.name.contains(&only)).collect();
    assert!(!cases.is_empty(), "no case is named like MGPU_SUITE={only}");
    let next = std::sync::atomic::AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(c) = cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            let text = check(c);
            if !text.is_empty() {
                wrong.lock().unwrap().insert(c.name.clone(), text);
            }
        }
    };
    std::thread::scope(|s| (0..2).for_each(|_| drop(s.spawn(work))));
    let wrong = wrong.into_inner().unwrap();
    for (name, text) in &wrong {
        eprintln!("---- {name}\n{text}");
    }
    assert!(wrong.is_empty(), "{} of {} cases are wrong", wrong.len(), cases.len());
}

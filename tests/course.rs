//! The course's exercises: each has a hole, a solution that fills it, and a check that takes the solution and none of the wrong answers that the
//! check's file lists.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/course")
}

/// The exercises by name, with their numbers.
fn exercises() -> Vec<(String, String)> {
    let files = std::fs::read_dir(folder().join("exercises")).unwrap();
    let mut names: Vec<String> =
        files.map(|e| e.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names.into_iter().map(|n| (n[..2].to_string(), n)).collect()
}

fn read(kind: &str, name: &str, end: &str) -> String {
    let path = folder().join(kind).join(format!("{name}.{end}"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Whether the check of an exercise takes a program, and what it says.
fn check(number: &str, text: &str) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mine.mgpu");
    std::fs::write(&file, text).unwrap();
    let mut python = Command::new("python3");
    python.arg(folder().join("check.py")).arg(number).arg(&file).env("MGPU", support::MGPU);
    let got = support::run_command(&mut python, dir.path());
    (got.exit == 0, got.out + &got.err)
}

#[test]
fn exercises_have_one_hole_that_the_solution_fills() {
    assert_eq!(exercises().len(), 10);
    for (_, name) in exercises() {
        let (exercise, solution) = (read("exercises", &name, "mgpu"), read("solutions", &name, "mgpu"));
        let parts: Vec<&str> = exercise.split("...").collect();
        assert_eq!(parts.len(), 2, "{name} has {} holes", parts.len() - 1);
        assert!(
            solution.starts_with(parts[0]) && solution.ends_with(parts[1]),
            "{name}: the solution is another program"
        );
        let page = read("", &name, "md");
        assert!(page.contains(&format!("exercises/{name}.mgpu")), "{name}.md does not show its exercise");
    }
}

#[test]
fn checks_take_the_solutions_and_no_wrong_answers() {
    if !Command::new("python3").arg("--version").output().is_ok_and(|o| o.status.success()) {
        eprintln!("SKIPPED: python3 is missing");
        return;
    }
    let mut wrong = vec![];
    for (number, name) in exercises() {
        let exercise = read("exercises", &name, "mgpu");
        let (right, said) = check(&number, &read("solutions", &name, "mgpu"));
        if !right {
            wrong.push(format!("{name}: the solution is refused: {said}"));
        }
        let (taken, said) = check(&number, &exercise);
        if taken || !said.contains("E0102") {
            wrong.push(format!("{name}: the exercise without an answer: {said}"));
        }
        let list = read("checks", &name, "txt");
        let answers: Vec<&str> = list.lines().filter_map(|l| l.strip_prefix("wrong: ")).collect();
        assert!(!answers.is_empty(), "{name}: no wrong answer is listed");
        for answer in answers {
            if check(&number, &exercise.replace("...", answer)).0 {
                wrong.push(format!("{name}: the check takes `{answer}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

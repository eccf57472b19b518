//! The library: its tests pass, every documented function has an example that runs, and docs/library.md is current.

mod support;

use std::path::Path;
use support::{bless, executors, first_difference, run};

const MODULES: &[&str] = &["image", "init", "linalg", "math", "ml", "patterns", "random", "stats", "stencil"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn mgpu(args: &[&str]) -> support::Run {
    let dir = tempfile::tempdir().unwrap();
    run(&args.iter().map(|a| a.to_string()).collect::<Vec<_>>(), dir.path())
}

#[test]
fn every_module_is_known() {
    let entries = std::fs::read_dir(root().join("stdlib")).unwrap().map(|e| e.unwrap().path());
    let mut found: Vec<String> = entries.map(|p| p.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    found.sort();
    assert_eq!(found, MODULES);
}

#[test]
fn the_modules_tests_pass_on_every_executor() {
    for executor in executors() {
        // Native code is compiled for every test and number of ranks, which takes long: one module of solvers speaks for all.
        let (ranks, modules) = if executor == "vm" { ("1,2,3,4,7", MODULES) } else { ("3", &["linalg"][..]) };
        let mut args: Vec<String> = ["test", "-n", ranks, "--executor", executor].map(String::from).into();
        args.extend(modules.iter().map(|m| format!("std.{m}")));
        let got = mgpu(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(got.exit, 0, "{}{}", got.out, got.err);
    }
}

#[test]
fn every_function_has_an_example() {
    // The accuracy of the elementary functions is measured by tests/math.
    for m in MODULES.iter().filter(|m| **m != "math") {
        let page = mgpu(&["doc", &format!("std.{m}")]).out;
        let bare: Vec<&str> = page.split("\n## ").skip(1).filter(|s| !s.contains("```mgpu,fragment")).collect();
        assert!(bare.is_empty(), "std.{m}: no test is named after\n{}", bare.join("\n"));
        assert!(page.matches("\n## ").count() > 2, "{page}");
    }
}

#[test]
fn the_page_is_what_doc_prints() {
    let got = mgpu(&["doc", "std"]);
    assert_eq!(got.exit, 0, "{}", got.err);
    let path = root().join("docs/library.md");
    if bless() {
        std::fs::write(&path, &got.out).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == got.out, "docs/library.md: {}", first_difference(&page, &got.out));
}

#[test]
fn programs_have_pages_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("heat.mgpu");
    let text = "/// Heat in a plate.\n\nparam n: i64 = 8    /// cells on a side\n\n/// Half of it.\nfn half(x: f64) -> f64 = x / 2\n\nfn hidden(x: f64) -> f64 = x\n\ntest \"half\" { expect half(4) == 2 }\n\nworkflow main { print \"{n}\" }\n";
    std::fs::write(&file, text).unwrap();
    let got = run(&["doc".into(), file.to_string_lossy().into_owned()], dir.path());
    let want = "# heat.mgpu\n\nHeat in a plate.\n\n## n\n\n```text\nparam n: i64 = 8\n```\n\ncells on a side\n\n## half\n\n```text\nfn half(x: f64) -> f64\n```\n\nHalf of it.\n\n```mgpu,fragment\ntest \"half\" { expect half(4) == 2 }\n```\n\n";
    assert_eq!(got.out, want, "{}", got.err);
    std::fs::write(&file, "workflow main { }\n").unwrap();
    let got = run(&["doc".into(), file.to_string_lossy().into_owned()], dir.path());
    assert!(got.exit != 0 && got.err.contains("has no documentation"), "{}", got.err);
}

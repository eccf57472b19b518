//! Who may know whom: the table of ARCHITECTURE.md, scanned for in the sources.

use std::path::{Path, PathBuf};

/// A folder and the modules and crates that its files never name.
const NEVER: &[(&str, &[&str])] = &[
    ("src/source", &["crate::"]),
    (
        "src/diag",
        &[
            "crate::syntax",
            "crate::ir",
            "crate::check",
            "crate::planner",
            "crate::codegen",
            "crate::runtime",
            "crate::cli",
        ],
    ),
    ("src/syntax", &["crate::ir", "crate::check", "crate::planner", "crate::codegen", "crate::runtime", "crate::cli"]),
    (
        "src/ir",
        &[
            "crate::syntax",
            "crate::check",
            "crate::planner",
            "crate::codegen",
            "crate::runtime",
            "crate::cli",
            "pest",
            "miette",
        ],
    ),
    ("src/check", &["crate::planner", "crate::codegen", "crate::runtime", "crate::cli", "pest::", "miette::"]),
    (
        "src/picture",
        &["crate::syntax", "crate::check", "crate::planner", "crate::codegen", "crate::runtime", "crate::cli"],
    ),
    ("src/sim", &["crate::syntax", "crate::check", "crate::planner", "crate::codegen", "crate::cli", "miette::"]),
    (
        "src/mpi4py",
        &["crate::syntax", "crate::check", "crate::planner", "crate::codegen", "crate::runtime", "crate::cli"],
    ),
    ("src/planner", &["crate::syntax", "crate::check", "crate::codegen", "crate::runtime", "crate::cli"]),
    ("src/codegen", &["crate::syntax", "crate::check", "crate::planner", "crate::cli"]),
    (
        "src/lsp",
        &[
            "crate::cli",
            "crate::codegen",
            "crate::runtime::rank",
            "crate::runtime::comm",
            "crate::runtime::launch",
            "crate::runtime::exchange",
            "pest::",
            "miette::",
        ],
    ),
    ("src/runtime", &["crate::syntax", "crate::check", "crate::planner", "crate::cli", "miette::"]),
];

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

fn files(folder: &str) -> Vec<(String, String)> {
    let mut out = vec![];
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut out);
    out.sort();
    let name = |p: &Path| p.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
    out.iter().map(|p| (name(p), std::fs::read_to_string(p).unwrap())).collect()
}

/// The text without comments and without what stands behind `#[cfg(test)]` at the end of a file.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    text.lines().map(|l| l.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

#[test]
fn modules_know_only_what_they_may() {
    let mut wrong = vec![];
    for (folder, never) in NEVER {
        for (name, text) in files(folder) {
            let text = code(&text);
            wrong.extend(never.iter().filter(|n| text.contains(**n)).map(|n| format!("{name} names {n}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn fences_hold() {
    let mut wrong = vec![];
    for (name, text) in files("src") {
        let text = code(&text);
        if name.ends_with("_tests.rs") {
            continue;
        }
        let mut fence = |what: &str, allowed: &[&str]| {
            if text.contains(what) && !allowed.iter().any(|a| name.starts_with(a)) {
                wrong.push(format!("{name} uses {what}"));
            }
        };
        fence("mpi::ffi", &["src/runtime/comm/mpi.rs"]);
        fence("cudarc::", &["src/runtime/device/cuda"]);
        fence("unsafe {", &["src/runtime", "src/cli"]);
        fence("println!", &["src/cli", "src/runtime"]);
        fence("std::fs::", &["src/cli", "src/lsp", "src/runtime"]);
        fence("std::env::", &["src/cli", "src/lsp", "src/runtime"]);
        fence("lsp_server::", &["src/lsp"]);
        fence("lsp_types::", &["src/lsp"]);
        fence("ratatui::", &["src/sim"]);
        // So scripts/test.sh need not test the compiler again without features.
        fence("cfg(feature", &["src/lib.rs", "src/cli", "src/runtime/device/mod.rs", "src/runtime/comm/mod.rs"]);
        fence("cfg(not(feature", &["src/cli"]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_file_opens_with_a_sentence() {
    let bare: Vec<String> = files("src").into_iter().filter(|(_, t)| !t.starts_with("//!")).map(|f| f.0).collect();
    assert!(bare.is_empty(), "{}", bare.join("\n"));
}

//! The pages of `mgpu explain`: every code of the sources has one, and its programs do what it says.
//!
//! A page holds two programs, each in a block fenced with `mgpu`: the first is reported with the page's code alone, the second is
//! not. They are checked, or run where the nearest block fenced with `sh` before them says so; the program's file is `heat.mgpu`.
//! A block `mgpu,file=NAME` is put beside the programs, a block `mgpu,before` is run first, for the files it writes. A block
//! `mgpu,ignore` is not looked at; a comment in the page says why.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use support::{reports, run};

/// The fenced blocks of a page: what stands behind the fence, and the text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = vec![];
    let mut open = false;
    for line in page.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(info), false) => out.push((info.to_string(), String::new())),
            (Some(_), true) => {}
            (None, true) => out.last_mut().unwrap().1 += &format!("{line}\n"),
            (None, false) => continue,
        }
        if line.starts_with("```") {
            open = !open;
        }
    }
    out
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_string).collect()
}

/// What is wrong with a page, or nothing.
fn wrong(code: &str, page: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let (mut out, mut command, mut programs) = (vec![], None, 0);
    for (info, text) in blocks(page) {
        if let Some(name) = info.strip_prefix("mgpu,file=") {
            std::fs::write(dir.path().join(name), &text).unwrap();
            continue;
        }
        let file = dir.path().join("heat.mgpu");
        match info.as_str() {
            "sh" => command = Some(words(&text)),
            "mgpu,before" => {
                std::fs::write(&file, &text).unwrap();
                let got = in_folder(&words("mgpu run heat.mgpu -q -n 2"), dir.path());
                assert_eq!(got.exit, 0, "{code}: {}", got.err);
            }
            "mgpu,ignore" => {
                programs += 1;
                assert!(page.contains("<!-- ignore: "), "{code}: the page does not say why a block is not looked at");
            }
            "mgpu" => {
                std::fs::write(&file, &text).unwrap();
                let command = command.take().unwrap_or_else(|| words("mgpu check heat.mgpu"));
                let got = in_folder(&command, dir.path());
                let codes: Vec<String> = reports(&got.err).into_iter().map(|r| r.0).collect();
                let wanted: &[&str] = if programs == 0 { &[code] } else { &[] };
                if codes != wanted || (got.exit == 0) != wanted.is_empty() {
                    out.push(format!(
                        "{code}: `{}` gives {codes:?}, exit code {}\n{}",
                        command.join(" "),
                        got.exit,
                        got.err
                    ));
                }
                programs += 1;
            }
            other => out.push(format!("{code}: a block fenced with `{other}`")),
        }
    }
    if programs != 2 {
        out.push(format!("{code}: {programs} programs"));
    }
    out
}

/// Runs a command line that begins with `mgpu` in a folder.
fn in_folder(command: &[String], dir: &Path) -> support::Run {
    assert_eq!(command[0], "mgpu");
    let mut mgpu = std::process::Command::new(support::MGPU);
    support::run_command(mgpu.args(&command[1..]).current_dir(dir), dir)
}

/// `E0123` and its kin in quotes, in all sources but the list of pages.
fn codes_of_sources(folder: &Path, out: &mut BTreeSet<String>) {
    for e in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = e.unwrap().path();
        if path.is_dir() {
            codes_of_sources(&path, out);
            continue;
        }
        if path.ends_with("diag/pages.rs") || path.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let quoted = text.split('"').filter(|w| {
            w.len() == 5 && w.starts_with('E') && w[1..].bytes().all(|b| b.is_ascii_digit()) && w.is_char_boundary(1)
        });
        out.extend(quoted.map(str::to_string));
    }
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let mut used = BTreeSet::new();
    codes_of_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
    let listed: Vec<&str> = mgpu::diag::pages::PAGES.iter().map(|p| p.0).collect();
    assert!(listed.is_sorted(), "the pages are not in order");
    assert_eq!(used.iter().map(String::as_str).collect::<Vec<_>>(), listed);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors");
    let mut files: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    files.sort();
    assert_eq!(files, listed.iter().map(|c| format!("{c}.md")).collect::<Vec<_>>());
}

#[test]
fn the_programs_of_the_pages_do_what_the_pages_say() {
    let all: Vec<String> = mgpu::diag::pages::PAGES.iter().flat_map(|(code, page)| wrong(code, page)).collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn explain_prints_pages_and_the_list() {
    let here = tempfile::tempdir().unwrap();
    let page = run(&["explain".into(), "e0302".into()], here.path());
    assert!(page.exit == 0 && page.out.starts_with("# a read outside the array") && !page.out.contains("```"));
    let list = run(&["explain".into()], here.path());
    assert_eq!(list.out.lines().count(), mgpu::diag::pages::PAGES.len());
    assert_eq!(run(&["explain".into(), "E9999".into()], here.path()).exit, 2);
}

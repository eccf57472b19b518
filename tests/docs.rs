//! The programs of the pages: every block fenced with `mgpu` in README.md and docs/*.md passes `mgpu check`, and every block fenced
//! with `mgpu,fragment` parses, alone or as the body of a workflow.

mod support;

use mgpu::diag::Sink;
use mgpu::source::SourceMap;
use std::path::{Path, PathBuf};

/// The fenced blocks of a page: the line of the fence, what stands behind it, and the text.
fn blocks(page: &str) -> Vec<(usize, String, String)> {
    let mut out: Vec<(usize, String, String)> = vec![];
    let mut open = false;
    for (k, line) in page.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(info) if !open => {
                out.push((k + 1, info.to_string(), String::new()));
                open = true;
            }
            Some(_) => open = false,
            None if open => out.last_mut().unwrap().2 += &format!("{line}\n"),
            None => {}
        }
    }
    out
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = vec![root.join("README.md")];
    out.extend(std::fs::read_dir(root.join("docs")).unwrap().map(|e| e.unwrap().path()));
    out.retain(|p| p.extension().is_some_and(|e| e == "md"));
    out.sort();
    out
}

fn parses(text: &str) -> bool {
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let id = sources.add("fragment.mgpu", text);
    mgpu::syntax::parse::parse(id, text, &mut sink).is_some() && !sink.has_errors()
}

#[test]
fn the_programs_of_the_pages_are_right() {
    let (mut wrong, mut programs) = (vec![], 0);
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        for (line, info, text) in blocks(&page) {
            let here = format!("{}:{line}", path.file_name().unwrap().to_string_lossy());
            match info.as_str() {
                "mgpu" => {
                    let dir = tempfile::tempdir().unwrap();
                    let file = dir.path().join("program.mgpu");
                    std::fs::write(&file, &text).unwrap();
                    let got = support::run(&["check".into(), file.to_string_lossy().into_owned()], dir.path());
                    if got.exit != 0 {
                        wrong.push(format!("{here}: {}", got.err));
                    }
                    programs += 1;
                }
                "mgpu,fragment" => {
                    let fine = parses(&text) || parses(&format!("workflow main {{\n{text}\n}}\n"));
                    wrong.extend((!fine).then(|| format!("{here}: the fragment does not parse")));
                }
                other if other.starts_with("mgpu") => wrong.push(format!("{here}: a block fenced with `{other}`")),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(programs > 10, "only {programs} programs were found");
}

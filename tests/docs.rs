//! What the pages say is so: README.md and every page of the book in `docs`. The blocks of a page run in one folder, in order:
//!
//! * `mgpu` passes `mgpu check`; with `file=NAME` it is kept under that name; `mgpu,wrong` is rejected; `mgpu,fragment` parses, alone or as
//!   the body of a workflow;
//! * `console` holds commands behind `$ ` and what they print. A line `…` stands for any lines, `…` in a line for any text.
//!   A block with `mpirun`, `python3` (with NumPy and mpi4py) or `emit cuda` is skipped, and says so, where there is none. `console,ignore` is
//!   not run, and a comment `<!-- ignore: … -->` in the page says why;
//! * `rust,from=PATH` is part of that file; `{{#include PATH}}` puts a file into a block, and into the folder;
//! * the programs of `docs/programs` are in every page's folder;
//! * a picture of the book is a file that a `console` block of its page writes.
//!
//! `MGPU_BLESS=1` writes outputs that differ, and pictures, anew. The pages of `docs/errors` are run by `tests/explain.rs`.

mod support;

use mgpu::diag::Sink;
use mgpu::source::SourceMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A fenced block: the line of its fence, what stands behind it, and its lines.
struct Block {
    line: usize,
    info: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut out: Vec<Block> = vec![];
    let mut open = false;
    for (k, line) in page.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(info) if !open => {
                out.push(Block { line: k + 1, info: info.to_string(), text: String::new() });
                open = true;
            }
            Some(_) => open = false,
            None if open => out.last_mut().unwrap().text += &format!("{line}\n"),
            None => {}
        }
    }
    out
}

fn markdown(folder: &Path, out: &mut Vec<PathBuf>) {
    for e in std::fs::read_dir(folder).unwrap() {
        let path = e.unwrap().path();
        if path.is_dir() {
            markdown(&path, out);
        } else if path.extension().is_some_and(|e| e == "md") {
            out.push(path);
        }
    }
}

/// README.md and the pages of the book, without those of the errors.
fn pages() -> Vec<PathBuf> {
    let mut out = vec![];
    markdown(&root().join("docs"), &mut out);
    out.retain(|p| !p.starts_with(root().join("docs/errors")));
    out.push(root().join("README.md"));
    out.sort();
    out
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

fn parses(text: &str) -> bool {
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let id = sources.add("fragment.mgpu", text);
    mgpu::syntax::parse::parse(id, text, &mut sink).is_some() && !sink.has_errors()
}

/// Whether a text has the form of a pattern in which `…` stands for anything.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('…') {
        None => pattern.trim_end() == text.trim_end(),
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|c| c.0).chain([rest.len()]);
            ends.into_iter().any(|k| like(after, &rest[k..]))
        }),
    }
}

/// The same for lines, where a line `…` stands for any number of them.
fn alike(pattern: &[&str], lines: &[&str]) -> bool {
    match (pattern.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((&"…", rest)), _) => (0..=lines.len()).any(|k| alike(rest, &lines[k..])),
        (Some((p, rest)), Some((l, more))) => like(p, l) && alike(rest, more),
        _ => false,
    }
}

/// A page on its way: where its blocks run, what was wrong, and the page as the blocks would have it.
struct Page<'a> {
    path: &'a Path,
    text: String,
    dir: tempfile::TempDir,
    wrong: Vec<String>,
    skipped: Vec<String>,
    programs: usize,
}

fn works(command: &str, args: &[&str]) -> bool {
    Command::new(command).args(args).output().is_ok_and(|o| o.status.success())
}

/// Python with what the hand-written programs import.
fn python() -> Option<String> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let own = root().join(".venv/bin/python").display().to_string();
    let find = || [own, "python3".into()].into_iter().find(|p| works(p, &["-c", "import numpy, mpi4py"]));
    FOUND.get_or_init(find).clone()
}

impl Page<'_> {
    fn here(&self, block: &Block) -> String {
        format!("{}:{}", name(self.path), block.line)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The block's text with its includes; the files are put into the folder.
    fn included(&mut self, block: &Block) -> String {
        let mut out = String::new();
        for line in block.text.lines() {
            let Some(path) = line.strip_prefix("{{#include ").and_then(|l| l.strip_suffix("}}")) else {
                out += &format!("{line}\n");
                continue;
            };
            let from = self.path.parent().unwrap().join(path);
            match std::fs::read_to_string(&from) {
                Ok(text) => {
                    std::fs::write(self.file(&from.file_name().unwrap().to_string_lossy()), &text).unwrap();
                    out += &text;
                }
                Err(e) => self.wrong.push(format!("{}: {path}: {e}", self.here(block))),
            }
        }
        out
    }

    fn block(&mut self, block: &Block) {
        let text = self.included(block);
        let here = self.here(block);
        let (kind, how) = block.info.split_once(',').unwrap_or((&block.info, ""));
        match (kind, how) {
            ("mgpu", "" | "wrong") => {
                self.check(&here, "program.mgpu", &text, how.is_empty());
                if how.is_empty() && self.path.ends_with("docs/language.md") {
                    self.same_on_ranks(&here, "program.mgpu", &text);
                }
            }
            ("mgpu", "fragment") => {
                if !parses(&text) && !parses(&format!("workflow main {{\n{text}\n}}\n")) {
                    self.wrong.push(format!("{here}: the fragment does not parse"));
                }
            }
            ("mgpu", _) if how.starts_with("file=") => self.check(&here, &how[5..], &text, true),
            // A course's exercise: tests/course.rs fills the hole.
            ("mgpu", "hole") if block.text.contains("{{#include") => {}
            ("python", "") if block.text.contains("{{#include") => {}
            ("console", "") => self.console(block),
            ("console", "ignore") => {
                if !self.text.contains("<!-- ignore: ") {
                    self.wrong.push(format!("{here}: the page does not say why a block is not run"));
                }
            }
            ("rust", _) if how.starts_with("from=") => {
                let source = std::fs::read_to_string(root().join(&how[5..])).unwrap_or_default();
                let tidy = |t: &str| t.lines().map(str::trim).collect::<Vec<_>>().join("\n");
                for part in tidy(&text).split("\n// …\n") {
                    if !tidy(&source).contains(part.trim()) {
                        self.wrong.push(format!("{here}: {} has no such lines:\n{part}", &how[5..]));
                    }
                }
            }
            // Answers of the language server, which `tests/editor_page.rs` asks for.
            ("text", "") if self.path.ends_with("editor.md") => {}
            // Signatures, which `tests/library.rs` compares with what `mgpu doc` prints.
            ("text", _) if self.path.ends_with("library.md") => {}
            _ if self.path.ends_with("README.md") && !self.path.starts_with(root().join("docs")) => {}
            _ => self.wrong.push(format!("{here}: a block fenced with `{}`", block.info)),
        }
    }

    /// A whole program that needs no file and does not ask how many ranks there are prints the same on every number of them.
    fn same_on_ranks(&mut self, here: &str, file: &str, text: &str) {
        let code = text.lines().map(|l| l.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
        let asks = code
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|w| ["ranks", "rank", "load", "from"].contains(&w));
        if !code.contains("workflow main") || asks {
            return;
        }
        let mut first: Option<String> = None;
        for ranks in ["1", "3", "7"] {
            let file = self.file(file).display().to_string();
            let words = ["run", "-q", "-n", ranks, "--executor", "vm", &file].map(String::from);
            let got = support::run(&words, self.dir.path());
            if got.exit != 0 {
                self.wrong.push(format!("{here}: on {ranks} ranks it ends with {}\n{}", got.exit, got.err));
            } else if first.get_or_insert_with(|| got.out.clone()) != &got.out {
                self.wrong.push(format!("{here}: on {ranks} ranks it prints\n{}", got.out));
            }
        }
    }

    fn check(&mut self, here: &str, file: &str, text: &str, right: bool) {
        std::fs::write(self.file(file), text).unwrap();
        let got = support::run(&["check".into(), self.file(file).display().to_string()], self.dir.path());
        if (got.exit == 0) != right {
            self.wrong.push(format!("{here}: `mgpu check` ends with {}\n{}", got.exit, got.err));
        }
        self.programs += 1;
    }

    /// Runs the commands of a block and compares what they print.
    fn console(&mut self, block: &Block) {
        let here = self.here(block);
        let python = python();
        let needs = |what: &str| block.text.contains(what);
        let missing = if needs("mpirun") && !(cfg!(feature = "mpi") && works("mpirun", &["--version"])) {
            "mpirun"
        } else if needs("python3") && python.is_none() {
            "Python with numpy and mpi4py"
        } else if needs("emit cuda") && !cfg!(feature = "cuda") {
            "the feature `cuda`"
        } else if needs("mgpu sim") && !cfg!(feature = "sim") {
            "the feature `sim`"
        } else {
            ""
        };
        if !missing.is_empty() {
            self.skipped.push(format!("{here}: {missing} is missing"));
            return;
        }
        let mut new = String::new();
        let mut lines = block.text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some(command) = line.strip_prefix("$ ") else {
                self.wrong.push(format!("{here}: `{line}` stands before a command"));
                continue;
            };
            let mut wanted = vec![];
            while let Some(l) = lines.next_if(|l| !l.starts_with("$ ")) {
                wanted.push(l);
            }
            let got = self.shell(command, python.as_deref());
            let found: Vec<&str> = got.trim_end().lines().map(str::trim_end).collect();
            let found: &[&str] = if got.trim().is_empty() { &[] } else { &found };
            let same = alike(&wanted, found);
            if !same && !support::bless() {
                let (wanted, found) = (wanted.join("\n"), found.join("\n"));
                self.wrong.push(format!("{here}: `{command}`\n--- the page says\n{wanted}\n--- it prints\n{found}"));
            }
            let _ = writeln!(new, "$ {command}");
            for l in if same { &wanted } else { found } {
                let _ = writeln!(new, "{l}");
            }
        }
        if support::bless() && new != block.text {
            self.text = self.text.replace(&format!("\n{}```", block.text), &format!("\n{new}```"));
        }
    }

    fn shell(&self, command: &str, python: Option<&str>) -> String {
        let folders = [Path::new(support::MGPU).parent(), python.and_then(|p| Path::new(p).parent())];
        let folders: Vec<String> = folders.into_iter().flatten().map(|f| f.display().to_string()).collect();
        let path = format!("{}:{}", folders.join(":"), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("exec 2>&1; {command}")]).current_dir(self.dir.path()).env("PATH", path);
        shell.env("NO_COLOR", "1").env("MGPU_DOCS", root().join("docs")).env("COLUMNS", "100");
        for (key, value) in [
            ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
            ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
            ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
            ("OMPI_MCA_btl_base_warn_component_unused", "0"),
        ] {
            shell.env(key, value);
        }
        let out = shell.output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// The book's pictures are those that the page's commands wrote.
    fn pictures(&mut self) {
        if !self.path.starts_with(root().join("docs")) {
            return;
        }
        let text = self.text.clone();
        for (line, target) in links(&text).into_iter().filter(|l| l.1.ends_with(".png") || l.1.ends_with(".svg")) {
            let kept = self.path.parent().unwrap().join(&target);
            let name_of_file = kept.file_name().unwrap().to_string_lossy().into_owned();
            // Pictures of a page in a browser, which scripts/pages.sh takes.
            if name_of_file.starts_with("screen-") && kept.exists() {
                continue;
            }
            let written = self.file(&name_of_file);
            if support::bless() && written.exists() {
                std::fs::create_dir_all(kept.parent().unwrap()).unwrap();
                std::fs::copy(&written, &kept).unwrap();
            }
            if std::fs::read(&written).ok() != std::fs::read(&kept).ok() || !kept.exists() {
                let page = name(self.path);
                self.wrong.push(format!("{page}:{line}: {target} is not the picture that the page's commands write"));
            }
        }
    }
}

/// The targets of a page's links and pictures outside its blocks, with their lines.
fn links(page: &str) -> Vec<(usize, String)> {
    let (mut out, mut open) = (vec![], false);
    for (k, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            open = !open;
        }
        if open {
            continue;
        }
        // What stands in backquotes is no link.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for part in prose.split("](").skip(1) {
            out.push((k + 1, part.split(')').next().unwrap_or("").to_string()));
        }
    }
    out
}

/// The anchors of a page's headings.
fn anchors(page: &str) -> Vec<String> {
    let headings = page.lines().filter(|l| l.starts_with('#')).map(|l| l.trim_start_matches('#').trim().to_lowercase());
    let keep = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings.map(|h| h.chars().filter(keep).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn the_blocks_of_the_pages_do_what_the_pages_say() {
    let pages = pages();
    let only = std::env::var("MGPU_PAGE").unwrap_or_default();
    let (next, done) = (AtomicUsize::new(0), Mutex::new((vec![], vec![], 0)));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if !name(path).contains(&only) {
                        continue;
                    }
                    let text = std::fs::read_to_string(path).unwrap();
                    let (wrong, skipped) = (vec![], vec![]);
                    let dir = tempfile::tempdir().unwrap();
                    for program in std::fs::read_dir(root().join("docs/programs")).unwrap().map(|e| e.unwrap().path()) {
                        std::fs::copy(&program, dir.path().join(program.file_name().unwrap())).unwrap();
                    }
                    let mut page = Page { path, text: text.clone(), dir, wrong, skipped, programs: 0 };
                    blocks(&text).iter().for_each(|b| page.block(b));
                    page.pictures();
                    if support::bless() && page.text != text {
                        std::fs::write(path, &page.text).unwrap();
                    }
                    let mut done = done.lock().unwrap();
                    done.0.extend(page.wrong);
                    done.1.extend(page.skipped);
                    done.2 += page.programs;
                }
            });
        }
    });
    let (wrong, skipped, programs) = done.into_inner().unwrap();
    for s in skipped {
        eprintln!("SKIPPED: {s}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(programs > 10 || !only.is_empty(), "only {programs} programs were found");
}

#[test]
fn links_lead_somewhere() {
    let mut all = pages();
    markdown(&root().join("docs/errors"), &mut all);
    let mut wrong = vec![];
    for path in all {
        let page = std::fs::read_to_string(&path).unwrap();
        for (line, target) in links(&page) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            if !file.exists() || (!anchor.is_empty() && !anchors(&text).iter().any(|a| a == anchor)) {
                wrong.push(format!("{}:{line}: {target}", name(&path)));
            }
            let inside =
                |p: &Path| p.canonicalize().is_ok_and(|p| p.starts_with(root().join("docs").canonicalize().unwrap()));
            if inside(&path) && !inside(&file) {
                wrong.push(format!("{}:{line}: {target} leads out of the book", name(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_stands_in_the_summary_once() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let mut listed: Vec<PathBuf> = links(&summary).into_iter().map(|l| root().join("docs").join(l.1)).collect();
    listed.sort();
    let mut files = vec![];
    markdown(&root().join("docs"), &mut files);
    files.retain(|f| !f.ends_with("SUMMARY.md"));
    files.sort();
    assert_eq!(listed, files);
}

/// The index of the errors and its part of the summary are written from the pages.
#[test]
fn the_index_of_errors_lists_every_page() {
    let pages = mgpu::diag::pages::PAGES;
    let title = |page: &str| page.lines().next().unwrap_or("").trim_start_matches("# ").to_string();
    let mut index = String::from(
        "# Errors\n\nEvery report of the compiler has a code and a page: what it means, a program that gets it, and the program mended. `mgpu \
         explain E0302`\nprints the page.\n\n| code | |\n|---|---|\n",
    );
    let mut summary = String::new();
    for (code, page) in pages {
        let title = title(page);
        let _ = writeln!(index, "| [{code}](../errors/{code}.md) | {} |", title.replace('|', "\\|"));
        let _ = writeln!(summary, "    - [{code}: {title}](errors/{code}.md)");
    }
    let place = "- [Errors](reference/errors.md)\n";
    let file = root().join("docs/SUMMARY.md");
    let old = std::fs::read_to_string(&file).unwrap();
    let (before, after) = old.split_once(place).expect("the summary has a line for the errors");
    let rest: Vec<&str> = after.lines().skip_while(|l| l.starts_with("    - [E")).collect();
    let new = format!("{before}{place}{summary}{}\n", rest.join("\n"));
    for (path, text) in [(root().join("docs/reference/errors.md"), index), (file, new)] {
        if support::bless() {
            std::fs::write(&path, &text).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        let hint = "MGPU_BLESS=1 cargo test --test docs writes it";
        assert!(found == text, "{}: {}\n{hint}", name(&path), support::first_difference(&text, &found));
    }
}

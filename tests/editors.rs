//! The editors' word lists are those of the grammar and of the library: every list in `editors` is written from them, and a test fails where
//! a file differs. `MGPU_BLESS=1 cargo test --test editors` writes the lists anew. Where tree-sitter's command is found, every
//! program that mgpu parses is parsed by the grammar for editors too; `scripts/editors.sh` installs it and runs the editors themselves.

mod support;

use mgpu::diag::Sink;
use mgpu::source::SourceMap;
use mgpu::syntax::words;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A list of words by its name in the editors' files.
struct List {
    name: &'static str,
    words: Vec<String>,
}

/// The lists of the grammar, in its order; the builtins are those of the grammar and the elementary functions of the library.
fn lists() -> Vec<List> {
    let mut builtins = words::builtins();
    builtins.extend(mgpu::check::BUILTIN_FUNCTIONS.iter().map(|s| s.to_string()));
    builtins.sort();
    builtins.dedup();
    let list = |name, words| List { name, words };
    vec![
        list("reserved", words::reserved()),
        list("soft", words::soft()),
        list("type", words::types()),
        list("reduction", words::reductions()),
        list("builtin", builtins),
    ]
}

fn list(name: &str) -> Vec<String> {
    lists().into_iter().find(|l| l.name == name).unwrap().words
}

/// `text` with what stands between the first `open` and the next `close` replaced.
fn replace(text: &str, open: &str, close: &str, inner: &str) -> String {
    let (before, rest) = text.split_once(open).unwrap_or_else(|| panic!("`{open}` is missing"));
    let (_, after) = rest.split_once(close).unwrap_or_else(|| panic!("`{close}` is missing after `{open}`"));
    format!("{before}{open}{inner}{close}{after}")
}

/// Words in quotes, `separator` between them, in lines of at most 120 characters that begin with `indent`.
fn quoted(words: &[String], separator: &str, indent: &str) -> String {
    let (mut out, mut line) = (String::new(), indent.to_string());
    for (k, w) in words.iter().enumerate() {
        let last = k + 1 == words.len();
        let item = format!("\"{w}\"{}", if last { "" } else { separator.trim_end() });
        let gap = if line == indent { "" } else { " " };
        if line.len() + gap.len() + item.len() > 120 {
            out += &format!("{line}\n");
            line = format!("{indent}{item}");
        } else {
            line += &format!("{gap}{item}");
        }
    }
    out + &line
}

/// A file of `editors` equals what `make` makes of it, or is written.
fn generated(path: &str, make: impl Fn(&str) -> String) {
    let file = root().join("editors").join(path);
    let old = std::fs::read_to_string(&file).unwrap_or_default();
    let new = make(&old);
    if support::bless() {
        std::fs::write(&file, new).unwrap();
    } else {
        let hint = "MGPU_BLESS=1 cargo test --test editors writes it";
        assert!(new == old, "editors/{path} has other words; {hint}\n{}", support::first_difference(&new, &old));
    }
}

#[test]
fn vscode_highlights_the_words_of_the_grammar() {
    generated("vscode/syntaxes/mgpu.tmLanguage.json", |old| {
        let mut text = old.to_string();
        for l in lists() {
            let place = format!("\"{}\": {{\n      \"name\"", l.name);
            let (before, after) = text.split_once(&place).unwrap_or_else(|| panic!("`{}` is missing", l.name));
            text = format!("{before}{place}{}", replace(after, "\\\\b(?:", ")", &l.words.join("|")));
        }
        replace(&text, "\\\\b(?!(?:", ")", &list("reserved").join("|"))
    });
    for file in ["package.json", "language-configuration.json", "syntaxes/mgpu.tmLanguage.json"] {
        let text = std::fs::read_to_string(root().join("editors/vscode").join(file)).unwrap();
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&text);
        assert!(parsed.is_ok(), "{file}: {parsed:?}");
    }
}

#[test]
fn vim_highlights_the_words_of_the_grammar() {
    generated("vim/syntax/mgpu.vim", |old| {
        let mut text = old.to_string();
        for l in lists() {
            let capital = l.name[..1].to_uppercase() + &l.name[1..];
            text = if l.name == "reduction" {
                replace(&text, "syn match mgpuReduction \"\\<\\%(", "\\)", &l.words.join("\\|"))
            } else {
                replace(&text, &format!("syn keyword mgpu{capital} "), "\n", &l.words.join(" "))
            };
        }
        text
    });
}

#[test]
fn tree_sitter_has_the_words_of_the_grammar() {
    generated("tree-sitter-mgpu/words.js", |_| {
        let mut text = String::from("// Written from grammar/mgpu.pest by tests/editors.rs.\nmodule.exports = {\n");
        for (name, words) in [("types", words::types()), ("reductions", words::reductions()), ("edges", words::edges())]
        {
            text += &format!("  {name}: [\n{},\n  ],\n", quoted(&words, ", ", "    "));
        }
        text + "};\n"
    });
    generated("tree-sitter-mgpu/queries/highlights.scm", |old| {
        let pattern = |capture: &str, test: &str, words: &[String]| {
            let words = quoted(words, " ", "    ");
            format!("\n((call function: (identifier) @{capture})\n  (#{test}? @{capture}\n{words}))\n; ")
        };
        let known = [list("type"), list("builtin")].concat();
        let text = pattern("type.builtin", "any-of", &list("type"));
        let text = replace(old, "; types: begin", "types: end", &text);
        let text = replace(
            &text,
            "; builtins: begin",
            "builtins: end",
            &pattern("function.builtin", "any-of", &list("builtin")),
        );
        replace(&text, "; others: begin", "others: end", &pattern("function", "not-any-of", &known))
    });
}

#[test]
fn zed_has_the_highlights_of_the_tree_sitter_grammar() {
    let ours = std::fs::read_to_string(root().join("editors/tree-sitter-mgpu/queries/highlights.scm")).unwrap();
    generated("zed/languages/mgpu/highlights.scm", |_| ours.clone());
}

/// Helix has other names for some colours.
#[test]
fn helix_has_the_highlights_of_the_tree_sitter_grammar() {
    let ours = std::fs::read_to_string(root().join("editors/tree-sitter-mgpu/queries/highlights.scm")).unwrap();
    let names = [
        ("@number", "@constant.numeric"),
        ("@boolean", "@constant.builtin.boolean"),
        ("@string.escape", "@constant.character.escape"),
        ("@comment.documentation", "@comment.line.documentation"),
        ("@keyword.conditional", "@keyword.control.conditional"),
        ("@keyword.repeat", "@keyword.control.repeat"),
        ("@module", "@namespace"),
    ];
    let text = names.iter().fold(ours, |text, (from, to)| text.replace(from, to));
    generated("helix/queries/highlights.scm", |_| {
        format!("; Written from tree-sitter-mgpu/queries/highlights.scm by tests/editors.rs.\n{text}")
    });
}

#[test]
fn pygments_has_the_words_of_the_grammar() {
    generated("pygments/mgpu_pygments/words.py", |_| {
        let mut text = String::from(
            "\"\"\"The words of the language. Written from grammar/mgpu.pest by tests/editors.rs.\"\"\"\n",
        );
        for l in lists() {
            text += &format!("\n{} = (\n{},\n)\n", l.name.to_uppercase(), quoted(&l.words, ", ", "    "));
        }
        text
    });
}

#[test]
fn emacs_has_the_words_of_the_grammar() {
    generated("emacs/mgpu-mode.el", |old| {
        let mut text = String::from("\n");
        for l in lists() {
            let words = quoted(&l.words, " ", "    ");
            text += &format!("(defconst mgpu--{}\n  '(\n{words}))\n\n", l.name);
        }
        replace(old, ";; words: begin", ";; words: end", &text)
    });
}

#[test]
fn the_book_has_the_words_of_the_grammar() {
    generated("../docs/mgpu.js", |old| {
        let mut text = String::from("\n  const words = {\n");
        for l in lists() {
            text += &format!("    {}: [\n{},\n    ],\n", l.name, quoted(&l.words, ", ", "      "));
        }
        replace(old, "// words: begin", "// words: end", &format!("{text}  }};\n  "))
    });
}

/// Every file in `folder` that ends in `.mgpu`.
fn programs(folder: &Path, out: &mut Vec<PathBuf>) {
    for e in std::fs::read_dir(folder).unwrap() {
        let path = e.unwrap().path();
        if path.is_dir() {
            programs(&path, out);
        } else if path.extension().is_some_and(|e| e == "mgpu") {
            out.push(path);
        }
    }
}

fn parses(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let id = sources.add("program.mgpu", text.as_str());
    mgpu::syntax::parse::parse(id, &text, &mut sink).is_some() && !sink.has_errors()
}

/// Tree-sitter's command: `MGPU_TREE_SITTER`, or `tree-sitter` where it is installed.
fn tree_sitter() -> Option<String> {
    let name = std::env::var("MGPU_TREE_SITTER").unwrap_or("tree-sitter".into());
    let works = Command::new(&name).arg("--version").output().is_ok_and(|o| o.status.success());
    works.then_some(name)
}

#[test]
fn tree_sitter_parses_what_mgpu_parses() {
    let mut files = vec![];
    for folder in ["examples", "stdlib", "tests", "docs", "bench"] {
        programs(&root().join(folder), &mut files);
    }
    files.retain(|f| parses(f));
    assert!(files.len() > 100, "only {} programs were found", files.len());
    let Some(command) = tree_sitter() else {
        eprintln!("SKIPPED: tree-sitter is not installed; scripts/editors.sh installs it");
        assert!(std::env::var_os("MGPU_REQUIRE_EDITORS").is_none(), "MGPU_REQUIRE_EDITORS is set");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
    let list = dir.path().join("programs.txt");
    std::fs::write(&list, names.join("\n")).unwrap();
    let mut parse = Command::new(command);
    parse.args(["parse", "--quiet", "--paths"]).arg(&list).current_dir(root().join("editors/tree-sitter-mgpu"));
    // The parser that it builds is kept here.
    let got = support::run_command(parse.env("XDG_CACHE_HOME", dir.path()), dir.path());
    assert_eq!(got.exit, 0, "programs with error nodes:\n{}{}", got.out, got.err);
}

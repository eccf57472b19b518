//! `docs/howto/editor.md` is a session with `mgpu lsp`: a comment before each of its blocks says what is asked, and the block is the answer.
//! `MGPU_BLESS=1 cargo test --test editor_page` writes the blocks anew.
#![cfg(feature = "lsp")]

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use support::editor::{Editor, applied, place};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file as the editor holds it.
struct Open {
    uri: String,
    text: String,
    version: i64,
}

/// The session: one server, the files of the page.
struct Session {
    editor: Editor,
    files: BTreeMap<String, Open>,
}

/// A line of a text, from 0, without its margins.
fn line(text: &str, n: u64) -> &str {
    text.lines().nth(n as usize).unwrap_or("").trim()
}

/// The lines of `new` that are not those of `old` there, with their numbers.
fn changed(old: &str, new: &str) -> String {
    let mut out = String::new();
    let olds: Vec<&str> = old.lines().collect();
    for (n, l) in new.lines().enumerate().filter(|(n, l)| olds.get(*n) != Some(l)) {
        let _ = writeln!(out, "{:3} | {l}", n + 1);
    }
    out
}

impl Session {
    fn open(&mut self, name: &str) {
        if !self.files.contains_key(name) {
            let text = std::fs::read_to_string(root().join("docs/programs").join(name)).unwrap();
            let uri = self.editor.open(name, &text);
            self.editor.diagnostics(&uri, 1);
            self.files.insert(name.to_string(), Open { uri, text, version: 1 });
        }
    }

    /// Replaces `old` by `new` as if it were typed; gives the diagnostics.
    fn edit(&mut self, name: &str, old: &str, new: &str) -> Value {
        let f = self.files.get_mut(name).unwrap();
        assert!(f.text.contains(old), "{name} has no `{old}`");
        f.text = f.text.replacen(old, new, 1);
        f.version += 1;
        let (uri, version, text) = (f.uri.clone(), f.version, f.text.clone());
        self.editor.change(&uri, version, &text);
        self.editor.diagnostics(&uri, version)
    }

    /// The place of a result: the file's name and the line's text.
    fn target(&self, found: &Value) -> String {
        let path = found["uri"].as_str().unwrap().strip_prefix("file://").unwrap();
        let n = found["range"]["start"]["line"].as_u64().unwrap();
        let name = Path::new(path).file_name().unwrap().to_string_lossy().into_owned();
        match self.files.get(&name) {
            Some(f) => format!("{name}:{}: {}\n", n + 1, line(&f.text, n)),
            // Lines of the library move; what stands there does not.
            None => format!("std/{name}: {}\n", line(&std::fs::read_to_string(path).unwrap(), n)),
        }
    }

    /// What is asked, as the page shows the answer.
    fn answer(&mut self, verb: &str, name: &str, args: &[&str]) -> String {
        self.open(name);
        let (uri, text) = (self.files[name].uri.clone(), self.files[name].text.clone());
        let about = |e: &mut Editor, method: &str| e.about(&format!("textDocument/{method}"), &uri);
        let at = |e: &mut Editor, method: &str| e.at(&format!("textDocument/{method}"), &uri, &text, args[0], 0);
        // Behind the text that is named.
        let behind = || {
            let mut at = place(&text, args[0], 0);
            at["character"] = json!(at["character"].as_u64().unwrap() + args[0].encode_utf16().count() as u64);
            json!({"textDocument": {"uri": uri}, "position": at})
        };
        let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
        let mut out = String::new();
        match verb {
            "type" => {
                let reports = list(&self.edit(name, args[0], args[1]));
                if reports.is_empty() {
                    out += "no report";
                }
                for d in reports {
                    let start = &d["range"]["start"];
                    let (l, c) = (start["line"].as_u64().unwrap() + 1, start["character"].as_u64().unwrap() + 1);
                    // The message; its labels and help follow in lines of their own.
                    let said = d["message"].as_str().unwrap().lines().next().unwrap_or("").to_string();
                    let _ = writeln!(out, "{name}:{l}:{c}: {} {said}", d["code"].as_str().unwrap());
                }
            }
            "fix" => {
                // Every report offers its own; the same title twice says nothing more.
                for a in list(&about(&mut self.editor, "codeAction")) {
                    let title = format!("{}\n", a["title"].as_str().unwrap());
                    let first = out.is_empty();
                    if !out.contains(&title) {
                        out += &title;
                    }
                    if first {
                        out += &changed(&text, &applied(&text, &a["edit"]["changes"][&uri]));
                    }
                }
            }
            "hover" => {
                let told = self.editor.hover(&uri, &text, args[0], 0);
                told.lines().filter(|l| !l.starts_with("```")).for_each(|l| out += &format!("{l}\n"));
            }
            "hints" => {
                let mut lines: BTreeMap<u64, Vec<(usize, String)>> = BTreeMap::new();
                for h in list(&about(&mut self.editor, "inlayHint")) {
                    let p = &h["position"];
                    let label = h["label"].as_str().unwrap().to_string();
                    lines
                        .entry(p["line"].as_u64().unwrap())
                        .or_default()
                        .push((p["character"].as_u64().unwrap() as usize, label));
                }
                for (n, hints) in lines {
                    let mut shown: Vec<u16> = text.lines().nth(n as usize).unwrap().encode_utf16().collect();
                    for (at, label) in hints.into_iter().rev() {
                        shown.splice(at..at, format!("⟨{label}⟩").encode_utf16());
                    }
                    let _ = writeln!(out, "{:3} | {}", n + 1, String::from_utf16(&shown).unwrap());
                }
            }
            "definition" => {
                let found = at(&mut self.editor, "definition");
                out += &self.target(&found);
            }
            "references" => {
                let found = list(&at(&mut self.editor, "references"));
                found.iter().for_each(|r| out += &self.target(r));
            }
            "rename" => {
                let params =
                    json!({"textDocument": {"uri": uri}, "position": place(&text, args[0], 0), "newName": args[1]});
                let edits = self.editor.request("textDocument/rename", params);
                out += &changed(&text, &applied(&text, &edits["changes"][&uri]));
            }
            "complete" => {
                let found = list(&self.editor.request("textDocument/completion", behind()));
                for c in found.iter().take(6) {
                    let detail = c["detail"].as_str().unwrap_or("");
                    let _ = writeln!(out, "{:12} {detail}", c["label"].as_str().unwrap());
                }
                // How many there are grows with the language.
                if found.len() > 6 {
                    out += "…\n";
                }
            }
            "signature" => {
                let told = self.editor.request("textDocument/signatureHelp", behind());
                let s = &told["signatures"][0];
                let label = s["label"].as_str().unwrap();
                let active = &s["parameters"][told["activeParameter"].as_u64().unwrap() as usize]["label"];
                let (from, to) = (active[0].as_u64().unwrap() as usize, active[1].as_u64().unwrap() as usize);
                let _ = writeln!(out, "{label}\n{}{}", " ".repeat(from), "^".repeat(to - from));
            }
            "outline" => {
                for s in list(&about(&mut self.editor, "documentSymbol")) {
                    let _ = writeln!(out, "{}  {}", s["name"].as_str().unwrap(), s["detail"].as_str().unwrap_or(""));
                    for c in list(&s["children"]) {
                        let _ = writeln!(out, "    {}", c["name"].as_str().unwrap());
                    }
                }
            }
            "format" => out += &changed(&text, &applied(&text, &about(&mut self.editor, "formatting"))),
            "fold" => {
                for f in list(&about(&mut self.editor, "foldingRange")) {
                    let lines = f["startLine"].as_u64().unwrap() + 1..=f["endLine"].as_u64().unwrap() + 1;
                    let _ = writeln!(out, "lines {} to {}", lines.start(), lines.end());
                }
            }
            "marks" => {
                for m in list(&at(&mut self.editor, "documentHighlight")) {
                    let start = &m["range"]["start"];
                    let n = start["line"].as_u64().unwrap();
                    let _ = writeln!(out, "{}:{}: {}", n + 1, start["character"].as_u64().unwrap() + 1, line(&text, n));
                }
            }
            "tokens" => {
                let legend = list(&self.editor.capabilities["semanticTokensProvider"]["legend"]["tokenTypes"]);
                let data = about(&mut self.editor, "semanticTokens/full")["data"].clone();
                let numbers: Vec<usize> = list(&data).iter().map(|n| n.as_u64().unwrap() as usize).collect();
                let wanted = place(&text, args[0], 0)["line"].as_u64().unwrap() as usize;
                let (mut row, mut column) = (0, 0);
                for t in numbers.chunks(5) {
                    column = if t[0] == 0 { column + t[1] } else { t[1] };
                    row += t[0];
                    if row == wanted {
                        let units: Vec<u16> = text.lines().nth(row).unwrap().encode_utf16().collect();
                        let word = String::from_utf16(&units[column..column + t[2]]).unwrap();
                        let _ = writeln!(out, "{word:12} {}", legend[t[3]].as_str().unwrap());
                    }
                }
            }
            _ => panic!("the page asks for `{verb}`"),
        }
        out
    }
}

#[test]
fn the_page_is_a_session_with_the_server() {
    let page: PathBuf = root().join("docs/howto/editor.md");
    let old = std::fs::read_to_string(&page).unwrap();
    let mut session = Session { editor: Editor::start(json!({"ranks": 4})), files: BTreeMap::new() };
    let (mut new, mut asked, mut lines) = (String::new(), 0, old.lines());
    while let Some(l) = lines.next() {
        new += &format!("{l}\n");
        let Some(ask) = l.strip_prefix("<!-- editor: ").and_then(|a| a.strip_suffix(" -->")) else {
            assert!(!l.starts_with("```text"), "a block without its question");
            continue;
        };
        let (words, args) = ask.split_once('`').unwrap_or((ask, ""));
        let args: Vec<&str> = args.split('`').step_by(2).collect();
        let (verb, file) = words.trim().split_once(' ').expect("a verb and a file");
        new += &format!("```text\n{}\n```\n", session.answer(verb, file, &args).trim_end());
        asked += 1;
        assert_eq!(lines.next(), Some("```text"), "a block follows `{l}`");
        lines.by_ref().find(|l| *l == "```");
    }
    session.editor.end();
    assert!(asked >= 20, "{asked} questions");
    if support::bless() {
        std::fs::write(&page, &new).unwrap();
    }
    let hint = "MGPU_BLESS=1 cargo test --test editor_page writes docs/howto/editor.md";
    assert!(new == std::fs::read_to_string(&page).unwrap(), "{hint}\n{}", support::first_difference(&new, &old));
}

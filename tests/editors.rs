//! The editors' word lists are those of the grammar.

use std::collections::BTreeSet;
use std::path::Path;

use mgpu::syntax::words;

type Words = BTreeSet<String>;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("editors").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The lists of the grammar, by the name that the editors' files give them.
fn lists() -> [(&'static str, Words); 5] {
    let set = |words: Vec<String>| words.into_iter().collect::<Words>();
    [
        ("reserved", set(words::reserved())),
        ("soft", set(words::soft())),
        ("type", set(words::types())),
        ("reduction", set(words::reductions())),
        ("builtin", set(words::builtins())),
    ]
}

/// What stands between the first `open` and the next `close`.
fn between<'a>(text: &'a str, open: &str, close: &str) -> &'a str {
    text.split_once(open).and_then(|(_, rest)| rest.split_once(close)).map_or("", |(inner, _)| inner)
}

#[test]
fn vscode_highlights_the_words_of_the_grammar() {
    let text = read("vscode/syntaxes/mgpu.tmLanguage.json");
    let json: serde_json::Value = serde_json::from_str(&text).expect("the grammar is JSON");
    for (name, wanted) in lists() {
        let pattern = json["repository"][name]["match"].as_str().unwrap_or("");
        let found: Words = between(pattern, "(?:", ")").split('|').map(str::to_string).collect();
        assert_eq!(found, wanted, "`{name}` in editors/vscode/syntaxes/mgpu.tmLanguage.json");
    }
    let reserved = json["repository"]["call"]["match"].as_str().unwrap_or("");
    let found: Words = between(reserved, "(?!(?:", ")").split('|').map(str::to_string).collect();
    assert_eq!(found, lists()[0].1, "`call` in editors/vscode/syntaxes/mgpu.tmLanguage.json");
    for file in ["package.json", "language-configuration.json"] {
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&read(&format!("vscode/{file}")));
        assert!(parsed.is_ok(), "{file}: {parsed:?}");
    }
}

#[test]
fn vim_highlights_the_words_of_the_grammar() {
    let text = read("vim/syntax/mgpu.vim");
    for (name, wanted) in lists() {
        let capital = name[..1].to_uppercase() + &name[1..];
        let found: Words = if name == "reduction" {
            between(&text, "syn match mgpuReduction \"\\<\\%(", "\\)").split("\\|").map(str::to_string).collect()
        } else {
            let line = between(&text, &format!("syn keyword mgpu{capital} "), "\n");
            line.split_whitespace().map(str::to_string).collect()
        };
        assert_eq!(found, wanted, "mgpu{capital} in editors/vim/syntax/mgpu.vim");
    }
}

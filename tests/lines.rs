//! Lines of the lessons beside those of the same programs by hand: the table in docs/explanation/by-hand.md, written anew with MGPU_BLESS=1.
//!
//! Counted are lines that are neither blank nor comments alone. Pictures and `test` blocks are not counted, since the versions by hand have
//! none; in these not the lines that take NumPy where there is no CuPy.

mod support;

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn lesson_lines(text: &str) -> usize {
    let text = text.split("\ntest \"").next().unwrap_or(text);
    let counted = |l: &&str| {
        let l = l.trim();
        !(l.is_empty() || l.starts_with("//") || l.starts_with("plot ") || l.contains("animate "))
    };
    text.lines().filter(counted).count()
}

fn by_hand_lines(text: &str) -> usize {
    let counted = |l: &&str| {
        let l = l.trim();
        !(l.is_empty() || l.starts_with('#') || l.starts_with("\"\"\"") || l.ends_with("# not counted"))
    };
    text.lines().filter(counted).count()
}

fn table() -> String {
    let entries = std::fs::read_dir(root().join("tests/by_hand/lessons")).unwrap();
    let mut scripts: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    scripts.sort();
    let mut out = String::from("| lesson | mgpu | by hand | |\n|---|---|---|---|\n");
    let (mut all, mut theirs) = (0, 0);
    for script in scripts {
        let name = script.file_stem().unwrap().to_string_lossy().into_owned();
        let read = |p: &Path| std::fs::read_to_string(p).unwrap();
        let ours = lesson_lines(&read(&root().join(format!("examples/{name}.mgpu"))));
        let hand = by_hand_lines(&read(&script));
        out += &format!("| {name} | {ours} | {hand} | {:.2} |\n", ours as f64 / hand as f64);
        all += ours;
        theirs += hand;
    }
    out + &format!("| all | {all} | {theirs} | {:.2} |\n", all as f64 / theirs as f64)
}

#[test]
fn the_table_of_lines_is_current() {
    let path = root().join("docs/explanation/by-hand.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- lines -->\n").expect("the page has a table of lines");
    let (_, after) = rest.split_once("<!-- end -->").expect("the table ends");
    let new = format!("{before}<!-- lines -->\n{}<!-- end -->{after}", table());
    if support::bless() {
        std::fs::write(&path, &new).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(found == new, "docs/explanation/by-hand.md: {}", support::first_difference(&new, &found));
}

#[test]
fn comments_blanks_and_pictures_are_not_counted() {
    let text = "// a\n\nparam n: i64 = 1\nworkflow main {\n    plot u to \"u.png\"\n}\ntest \"t\" {\n}\n";
    assert_eq!(lesson_lines(text), 3);
    assert_eq!(by_hand_lines("# a\ntry:  # not counted\n    x = 1\n\n\"\"\"Text.\"\"\"\n"), 1);
}

//! A recorded session with `mgpu lsp`: every request over the standard streams, as an editor speaks.
#![cfg(feature = "lsp")]

mod support;

use serde_json::{Value, json};
use std::path::Path;
use support::editor::{Editor, applied, labels, place};

const HEAT: &str = "\
/// Heat spreads: \u{1d6fc} is the speed.

param n: i64 = 64        /// cells on a side
let half = n div 2
partition tiles = (block, block)

array u: f32[n, n] in tiles edge clamp

/// One step in time.
kernel diffuse(u: f32[n, m], alpha: f32) -> next: f32[n, m] {
    let centre[i, j] = 4 * u[i, j]
    next[i, j] = u[i, j] + alpha * (u[i-1, j] + u[i+1, j] + u[i, j-1] + u[i, j+1] - centre[i, j])
}

fn bump(x: f64) -> f64 = exp(-x^2)

workflow main {
    u[i, j] = f32(bump(f64(i - half)))
    for t in 0..10 { u = diffuse(u, 0.2) }
    let total = sum[i, j] u[i, j]
    print \"\u{1d6fc}: heat left {total:.3f} of {n}\"
    save u to \"heat.npy\"
}
";

#[test]
fn diagnostics_are_those_of_check_and_come_after_every_change() {
    let mut e = Editor::start(json!({"ranks": 4}));
    let uri = e.open("heat.mgpu", HEAT);
    assert_eq!(e.diagnostics(&uri, 1), json!([]));
    let bad = HEAT.replace("edge clamp", "").replace("f32(bump(", "f32(bmp(").replace("{total:.3f}", "{totl:.3f}");
    e.change(&uri, 2, &bad);
    let found = e.diagnostics(&uri, 2);
    let codes: Vec<&str> = found.as_array().unwrap().iter().map(|d| d["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["E0200", "E0302", "E0302", "E0302", "E0302", "E0200"], "{found:#}");
    // Columns count UTF-16 units: the letter before `totl` takes two.
    assert_eq!(found[5]["range"]["start"], place(&bad, "totl:", 0));
    assert_eq!(found[5]["range"]["start"]["character"], json!(26));
    assert!(found[1]["message"].as_str().unwrap().contains("reaches -1 when i = 0"), "{found:#}");
    assert!(found[1]["relatedInformation"][0]["message"].as_str().unwrap().contains("comes from this call"));
    e.change(&uri, 3, HEAT);
    assert_eq!(e.diagnostics(&uri, 3), json!([]));
    e.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    e.end();
}

#[test]
fn quick_fixes_mend_what_they_belong_to() {
    let mut e = Editor::start(json!({}));
    let cases = [
        ("fn f(x: f64) -> f64 = sqt(x)\n", "fn f(x: f64) -> f64 = sqrt(x)\n"),
        ("fn f(x: bool, y: bool) -> bool = x && y\n", "fn f(x: bool, y: bool) -> bool = x and y\n"),
        ("fn f(x: f64) -> f64 = x \u{d7} 2\n", "fn f(x: f64) -> f64 = x * 2\n"),
        ("fn f(x: f64) -> bool = 0 < x < 1\n", "fn f(x: f64) -> bool = 0 < x and x < 1\n"),
        ("fn f(x: f64) -> f32 = x\n", "fn f(x: f64) -> f32 = f32(x)\n"),
        ("fn f(a: i64, b: i64) -> i64 = a / b\n", "fn f(a: i64, b: i64) -> i64 = a div b\n"),
        ("array u: float[8]\n", "array u: f32[8]\n"),
        ("fn f(x: f64) -> f64 = x * 2.\n", "fn f(x: f64) -> f64 = x * 2.0\n"),
        (
            "workflow main { print \"{uniform(1, 2, 0)}\" }\n",
            "use std.random: uniform\nworkflow main { print \"{uniform(1, 2, 0)}\" }\n",
        ),
        (
            "array u: f64[8]\nworkflow main { u[i] = u[i-1] }\n",
            "array u: f64[8] edge clamp\nworkflow main { u[i] = u[i-1] }\n",
        ),
    ];
    let inside = [
        ("x = (1 + 2", "x = (1 + 2)"),
        ("x = f(2", "x = f(2)"),
        ("x == 3", "x = 3"),
        ("if c { x = 1 } elif c { x = 2 }", "if c { x = 1 } else if c { x = 2 }"),
        ("u = 3", "u[i] = 3"),
        ("u = 2 * w", "u[i] = 2 * w[i]"),
        ("u[i] = 2 * w", "u[i] = 2 * w[i]"),
        ("x = 2 * (x > 1)", "x = 2 * (f64(x > 1))"),
        ("c = True", "c = true"),
        ("save u to u.npy", "save u to \"u.npy\""),
        ("x = u(2)", "x = u[2]"),
        ("c = -c", "c = not c"),
        ("let y = x; y = 4", "var y = x; y = 4"),
        ("while m[0] { x = 1 }", "while m[0] != 0 { x = 1 }"),
    ];
    let program = |line: &str| {
        format!(
            "fn f(x: f64) -> f64 = x\narray u, w: f64[8]\narray m: i64[8]\nworkflow main {{\n    var c = true\n    var x = 1.0\n    {line}\n    \
             print \"{{x}} {{c}} {{w[0]}} {{m[0]}}\"\n}}\n"
        )
    };
    let more: Vec<(String, String)> = inside.iter().map(|(bad, good)| (program(bad), program(good))).collect();
    let cases = cases.iter().map(|(bad, good)| (bad.to_string(), good.to_string())).chain(more);
    for (k, (bad, good)) in cases.enumerate() {
        let uri = e.open(&format!("case{k}.mgpu"), &bad);
        let actions = e.about("textDocument/codeAction", &uri);
        let first = &actions[0];
        assert_eq!(first["kind"], "quickfix", "{bad}: {actions:#}");
        assert_eq!(applied(&bad, &first["edit"]["changes"][&uri]), good);
        e.change(&uri, 2, &good);
        assert_eq!(e.diagnostics(&uri, 2), json!([]), "{good}");
    }
    e.end();
}

/// In all cases of the suite: every report says what to write, and the first fix of a report mends it, whatever else is wrong in the file.
#[test]
fn every_first_fix_mends_its_report() {
    let mut files = vec![];
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/check")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()) {
            match path.extension() {
                None => folders.push(path),
                Some(e) if e == "mgpu" => files.push(path),
                Some(_) => {}
            }
        }
    }
    files.sort();
    let (mut e, mut fixes, mut wrong) = (Editor::start(json!({})), 0, vec![]);
    for path in files {
        let (uri, text) = (format!("file://{}", path.display()), std::fs::read_to_string(&path).unwrap());
        e.notify(
            "textDocument/didOpen",
            json!({"textDocument": {"uri": uri, "languageId": "mgpu", "version": 1, "text": text}}),
        );
        let mut version = 1;
        let before = e.diagnostics(&uri, version);
        for d in before.as_array().unwrap() {
            assert!(d["message"].as_str().unwrap().contains("\nhelp: "), "{}: no help in {d}", path.display());
        }
        let mut mended: Vec<Value> = vec![];
        for action in e.about("textDocument/codeAction", &uri).as_array().unwrap() {
            let report = &action["diagnostics"][0];
            if mended.contains(report) {
                continue;
            }
            mended.push(report.clone());
            version += 1;
            e.change(&uri, version, &applied(&text, &action["edit"]["changes"][&uri]));
            let after = e.diagnostics(&uri, version);
            let same = |list: &Value| {
                let line = |d: &Value| d["range"]["start"]["line"].clone();
                let said = |d: &Value| d["message"].as_str().unwrap().lines().next().map(str::to_string);
                let all = list.as_array().unwrap().iter();
                all.filter(|d| line(d) == line(report) && said(d) == said(report)).count()
            };
            fixes += 1;
            if same(&after) >= same(&before) {
                wrong.push(format!("{}: {} does not mend {report}", path.display(), action["title"]));
            }
        }
        e.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    }
    e.end();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(fixes >= 50, "{fixes} fixes");
}

#[test]
fn hover_says_type_shape_layout_messages_and_documentation() {
    let mut e = Editor::start(json!({"ranks": 4}));
    let uri = e.open("heat.mgpu", HEAT);
    let array = e.hover(&uri, HEAT, "u: f32", 0);
    for part in [
        "array u: f32[n, n] in tiles edge clamp",
        "here `f32[64, 64]`",
        "f32[64@0, 64@1 | halo 1, 1]",
        "mesh 2 x 2",
        "rank 0 owns `[0..32, 0..32]` and keeps `[-1..33, -1..33]`",
    ] {
        assert!(array.contains(part), "{part} in {array}");
    }
    let step = e.hover(&uri, HEAT, "diffuse(u, 0.2)", 0);
    for part in [
        "kernel diffuse(u: f32[n, m], alpha: f32) -> next: f32[n, m]",
        "One step in time.",
        "on 4 ranks this line does",
        "halo of u (0 x 1, 1 x 0)",
        "a rank receives at most 2 messages, 256 B; all ranks 8 messages, 1024 B",
    ] {
        assert!(step.contains(part), "{part} in {step}");
    }
    assert!(e.hover(&uri, HEAT, "n: i64", 0).contains("`i64 = 64`"));
    assert!(e.hover(&uri, HEAT, "n: i64", 0).contains("cells on a side"));
    assert!(e.hover(&uri, HEAT, "total:.3f", 0).contains("`f32`"));
    let exp = e.hover(&uri, HEAT, "exp(-x", 0);
    assert!(
        exp.contains("fn exp_f64(x: f64) -> f64") && exp.contains("fn exp_f32") && exp.contains("Error 1.0 ulp"),
        "{exp}"
    );
    assert!(e.hover(&uri, HEAT, "clamp", 0).contains("the nearest element"));
    assert!(e.hover(&uri, HEAT, "sum[i", 0).contains("same bits on any number of ranks"));
    assert_eq!(e.hover(&uri, HEAT, "spreads", 0), "");
    // With an error elsewhere the last layout is still told.
    let bad = HEAT.replace("let total = sum", "let total = smu");
    e.change(&uri, 2, &bad);
    assert!(e.hover(&uri, &bad, "u: f32", 0).contains("f32[64@0, 64@1 | halo 1, 1]"));
    e.end();
}

#[test]
fn inlay_hints_show_ranges_halos_and_types() {
    let mut e = Editor::start(json!({}));
    let uri = e.open("heat.mgpu", HEAT);
    let hints = e.about("textDocument/inlayHint", &uri);
    let shown: Vec<(u64, String)> = hints
        .as_array()
        .unwrap()
        .iter()
        .map(|h| (h["position"]["line"].as_u64().unwrap() + 1, h["label"].as_str().unwrap().to_string()))
        .collect();
    let wanted = [
        (4, ": i64"),
        (7, "halo 1, 1"),
        (12, "for i in 0..64, j in 0..64"),
        (18, "for i in 0..64, j in 0..64"),
        (20, ": f32"),
        (20, "in 0..64"),
        (20, "in 0..64"),
    ];
    assert_eq!(shown, wanted.map(|(l, t)| (l, t.to_string())));
    e.end();
}

#[test]
fn definitions_lead_into_other_files_and_the_library() {
    let mut e = Editor::start(json!({}));
    let flux = "/// Half of it.\nfn half(x: f64) -> f64 = x / 2\n";
    e.open("flux.mgpu", flux);
    let main = "use \"flux.mgpu\": half\nuse std.random: uniform\n\nworkflow main { print \"{half(uniform(1, 2, 0))} {log(2.0)}\" }\n";
    let uri = e.open("main.mgpu", main);
    let local = e.at("textDocument/definition", &uri, main, "half(", 0);
    assert_eq!(
        (local["uri"].as_str().unwrap(), &local["range"]["start"]),
        (e.uri("flux.mgpu").as_str(), &place(flux, "half", 0))
    );
    for (name, file) in [("uniform(", "random.mgpu"), ("log(", "math.mgpu"), ("std.random", "random.mgpu")] {
        let found = e.at("textDocument/definition", &uri, main, name, 0);
        let path = found["uri"].as_str().unwrap().strip_prefix("file://").unwrap().to_string();
        assert!(path.ends_with(&format!("/{file}")), "{found}");
        let text = std::fs::read_to_string(Path::new(&path)).unwrap();
        let line = text.lines().nth(found["range"]["start"]["line"].as_u64().unwrap() as usize).unwrap();
        assert!(line.starts_with(&format!("fn {}", name.trim_end_matches('('))) || name == "std.random", "{line}");
    }
    assert!(e.hover(&uri, main, "half(", 0).contains("Half of it."));
    e.end();
}

#[test]
fn references_and_rename_reach_every_file() {
    let mut e = Editor::start(json!({}));
    let flux = "fn half(x: f64) -> f64 = x / 2\nfn quarter(x: f64) -> f64 = half(half(x))\n";
    let flux_uri = e.open("flux.mgpu", flux);
    let main = "use \"flux.mgpu\": half\n\nworkflow main { print \"\u{1d6fc} {half(1.0)}\" }\n";
    let uri = e.open("main.mgpu", main);
    let found = e.at("textDocument/references", &flux_uri, flux, "half", 0);
    assert_eq!(found.as_array().unwrap().len(), 5, "{found:#}");
    let params = json!({"textDocument": {"uri": uri}, "position": place(main, "half(", 0), "newName": "halved"});
    let edits = e.request("textDocument/rename", params)["changes"].clone();
    assert_eq!(applied(flux, &edits[&flux_uri]), flux.replace("half", "halved"));
    assert_eq!(applied(main, &edits[&uri]), main.replace("half", "halved"));
    let prepared = e.at("textDocument/prepareRename", &uri, main, "half(", 0);
    assert_eq!(prepared["placeholder"], "half");
    for (name, why) in [("for", "is not a name"), ("2x", "is not a name"), ("quarter", "already is a name here")] {
        let params = json!({"textDocument": {"uri": flux_uri}, "position": place(flux, "half", 0), "newName": name});
        let refused = e.answer("textDocument/rename", params);
        assert!(refused["error"]["message"].as_str().unwrap().contains(why), "{refused}");
    }
    // An index is renamed where it is seen, and nowhere else.
    let heat = e.open("heat.mgpu", HEAT);
    let params = json!({"textDocument": {"uri": heat}, "position": place(HEAT, "i, j] = u", 0), "newName": "row"});
    let edits = e.request("textDocument/rename", params)["changes"][&heat].clone();
    let renamed = applied(HEAT, &edits);
    assert!(renamed.contains("next[row, j] = u[row, j] + alpha * (u[row-1, j] + u[row+1, j]"), "{renamed}");
    assert!(renamed.contains("let centre[i, j] = 4 * u[i, j]"), "{renamed}");
    let marks = e.at("textDocument/documentHighlight", &heat, HEAT, "centre[i, j])", 0);
    assert_eq!(marks.as_array().unwrap().len(), 2);
    e.end();
}

#[test]
fn completion_knows_the_place() {
    let mut e = Editor::start(json!({}));
    let uri = e.open("heat.mgpu", HEAT);
    let mut ask = |text: &str, needle: &str| {
        e.change(&uri, 2, text);
        let mut at = place(text, needle, 0);
        at["character"] = json!(at["character"].as_u64().unwrap() + needle.encode_utf16().count() as u64);
        labels(&e.request("textDocument/completion", json!({"textDocument": {"uri": uri}, "position": at})))
    };
    let has = |list: &[String], wanted: &[&str], not: &[&str]| {
        assert!(wanted.iter().all(|w| list.iter().any(|l| l == w)), "{wanted:?} in {list:?}");
        assert!(!not.iter().any(|w| list.iter().any(|l| l == w)), "{not:?} not in {list:?}");
    };
    has(
        &ask(&HEAT.replace("    save", "    sa\n    save"), "    sa"),
        &["save", "u", "total", "half", "diffuse", "exp"],
        &["alpha", "centre", "kernel"],
    );
    has(
        &ask(&HEAT.replace("- centre[i, j])", "- )"), "- "),
        &["alpha", "centre", "i", "j", "u", "n", "m"],
        &["total", "x"],
    );
    has(&ask(&HEAT.replace("edge clamp", "edge "), "in tiles edge "), &["clamp", "periodic"], &["u"]);
    has(&ask(&HEAT.replace("in tiles edge clamp", "in "), "f32[n, n] in "), &["tiles", "block", "replicated"], &["u"]);
    has(&ask(&HEAT.replace("alpha: f32", "alpha: "), "alpha: "), &["f32", "f64"], &["u"]);
    has(&ask(&format!("{HEAT}\nwor\n"), "\nwor"), &["workflow", "kernel", "array"], &["u"]);
    has(&ask(&format!("use std.\n{HEAT}"), "use std."), &["math", "random"], &["u"]);
    has(&ask(&format!("use std.random: \n{HEAT}"), "use std.random: "), &["uniform", "normal"], &["u"]);
    assert_eq!(ask(HEAT, "// Heat sp"), Vec::<String>::new());
    e.end();
}

#[test]
fn signature_help_follows_the_arguments() {
    let mut e = Editor::start(json!({}));
    let uri = e.open("heat.mgpu", HEAT);
    let mut ask = |text: &str, needle: &str| {
        e.change(&uri, 2, text);
        let mut at = place(text, needle, 0);
        at["character"] = json!(at["character"].as_u64().unwrap() + needle.encode_utf16().count() as u64);
        e.request("textDocument/signatureHelp", json!({"textDocument": {"uri": uri}, "position": at}))
    };
    let open = HEAT.replace("u = diffuse(u, 0.2)", "u = diffuse(u, ");
    let told = ask(&open, "u = diffuse(u, ");
    let label = told["signatures"][0]["label"].as_str().unwrap();
    assert_eq!(label, "kernel diffuse(u: f32[n, m], alpha: f32) -> next: f32[n, m]");
    assert_eq!(told["activeParameter"], 1);
    let range = &told["signatures"][0]["parameters"][1]["label"];
    assert_eq!(&label[range[0].as_u64().unwrap() as usize..range[1].as_u64().unwrap() as usize], "alpha: f32");
    assert_eq!(ask(HEAT, "exp(")["signatures"][0]["label"], "fn exp(x: f64) -> f64");
    assert_eq!(ask(&HEAT.replace("exp(-x^2)", "fma(x, x, "), "fma(x, x, ")["activeParameter"], 2);
    assert_eq!(ask(HEAT, "workflow main "), Value::Null);
    e.end();
}

#[test]
fn outline_folds_format_and_tokens() {
    let mut e = Editor::start(json!({}));
    let uri = e.open("heat.mgpu", HEAT);
    let symbols = e.about("textDocument/documentSymbol", &uri);
    let names: Vec<&str> = symbols.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["n", "half", "tiles", "u", "diffuse", "bump", "main"]);
    let inner: Vec<&str> =
        symbols[4]["children"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(inner, ["next", "centre"]);
    let folds = e.about("textDocument/foldingRange", &uri);
    assert_eq!(folds.as_array().unwrap().len(), 2, "{folds}");
    let rough = HEAT.replace("let total = sum[i, j] u[i, j]", "let   total=sum[i,j]u[i,j]");
    e.change(&uri, 2, &rough);
    let edits = e.about("textDocument/formatting", &uri);
    assert_eq!(applied(&rough, &edits), HEAT);
    e.change(&uri, 3, HEAT);
    let data = e.about("textDocument/semanticTokens/full", &uri)["data"].clone();
    let numbers: Vec<u64> = data.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    let (mut line, mut column, mut seen) = (0, 0, vec![]);
    let text: Vec<Vec<u16>> = HEAT.lines().map(|l| l.encode_utf16().collect()).collect();
    for t in numbers.chunks(5) {
        column = if t[0] == 0 { column + t[1] } else { t[1] };
        line += t[0];
        let word = String::from_utf16(&text[line as usize][column as usize..(column + t[2]) as usize]).unwrap();
        seen.push((line + 1, word, t[3], t[4]));
    }
    let has = |line: u64, word: &str, kind: u64, modifiers: u64| {
        assert!(seen.contains(&(line, word.to_string(), kind, modifiers)), "{word} on line {line} in {seen:?}");
    };
    has(3, "param", 0, 0);
    has(3, "n", 3, 3);
    has(3, "i64", 1, 0);
    has(10, "diffuse", 2, 1);
    has(12, "alpha", 4, 0);
    has(15, "exp", 2, 6);
    has(21, "total", 3, 2);
    has(21, "\"\u{1d6fc}: heat left {", 8, 0);
    e.end();
}

#[test]
fn a_file_with_errors_still_has_symbols_hover_and_completion() {
    let mut e = Editor::start(json!({}));
    let bad = HEAT
        .replace("let centre[i, j] = 4 * u[i, j]", "let centre[i, j] = 4 * * u[i,")
        .replace("partition tiles = (block, block)", "partition tiles = (");
    let uri = e.open("heat.mgpu", &bad);
    let found = e.diagnostics(&uri, 1);
    assert!(found.as_array().unwrap().len() >= 2, "{found:#}");
    let symbols = e.about("textDocument/documentSymbol", &uri);
    let names: Vec<&str> = symbols.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    for n in ["n", "half", "tiles", "u", "diffuse", "bump", "main"] {
        assert!(names.contains(&n), "{n} in {names:?}");
    }
    assert!(e.hover(&uri, &bad, "diffuse(u, 0.2)", 0).contains("One step in time."));
    assert!(e.hover(&uri, &bad, "n: i64", 0).contains("`i64 = 64`"));
    e.end();
}

/// Texts that are no programs, and programs cut off anywhere: every request is answered, none with a defect.
#[test]
fn no_text_makes_it_panic() {
    let mut e = Editor::start(json!({}));
    let uri = e.open("heat.mgpu", HEAT);
    let mut texts: Vec<String> = vec![
        String::new(),
        "\u{1d6fc}\u{1d6fc}".into(),
        "{{{{((((".into(),
        "}\n)]\"\n".into(),
        "use\nuse :\nuse \"\": x\nuse std.".into(),
        "array u: f32[u] from \"nothing.npy\"\narray v like v\n".into(),
        "kernel k(u: f32[n]) -> v: f32[n] { v[i] = w for i in 0.. }\r\n\tlet\r\n".into(),
        "(".repeat(4000),
    ];
    texts.extend(HEAT.char_indices().step_by(23).map(|(i, _)| HEAT[..i].to_string()));
    texts.extend(
        HEAT.char_indices().step_by(37).map(|(i, _)| format!("{}{}", &HEAT[..i], HEAT.get(i + 9..).unwrap_or(""))),
    );
    let asked =
        ["hover", "definition", "references", "documentHighlight", "prepareRename", "completion", "signatureHelp"];
    let whole = ["inlayHint", "documentSymbol", "foldingRange", "formatting", "codeAction", "semanticTokens/full"];
    for (k, text) in texts.iter().enumerate() {
        e.change(&uri, k as i64 + 2, text);
        let lines = text.lines().count() as u64;
        for (line, character) in [(0, 0), (lines / 2, 7), (lines, 3), (9999, 9999)] {
            for method in asked {
                let at = json!({"line": line, "character": character});
                let m =
                    e.answer(&format!("textDocument/{method}"), json!({"textDocument": {"uri": uri}, "position": at}));
                assert_ne!(m["error"]["code"], json!(-32603), "{method} at {line}:{character} of\n{text}");
            }
        }
        for method in whole {
            e.about(&format!("textDocument/{method}"), &uri);
        }
    }
    assert_eq!(e.answer("textDocument/unheardOf", json!({}))["error"]["code"], json!(-32601));
    e.notify("textDocument/didChange", json!({"nonsense": []}));
    e.end();
}

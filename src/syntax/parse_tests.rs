//! The programs of the language page parse; faulty ones get the messages they should; nothing panics.

use super::ast::*;
use super::parse::parse;
use super::samples::PROGRAMS;
use crate::diag::Sink;
use crate::source::FileId;

/// Parses a program and returns its tree and messages.
fn read(text: &str) -> (Option<Ast>, Sink) {
    let mut sink = Sink::default();
    let ast = parse(FileId(0), text, &mut sink);
    (ast, sink)
}

#[test]
fn the_language_pages_programs_parse() {
    for (name, text) in PROGRAMS {
        let (ast, sink) = read(text);
        let messages: Vec<_> = sink.items.iter().map(|d| (&d.message, &d.labels, &d.help)).collect();
        assert!(messages.is_empty(), "{name}: {messages:#?}");
        assert!(ast.is_some_and(|a| !a.items.is_empty()), "{name}");
    }
}

/// An expression of an arena in prefix form.
fn show(a: &Ast, id: ExprId) -> String {
    let list = |l: &[ExprId]| l.iter().map(|e| show(a, *e)).collect::<Vec<_>>().join(" ");
    match &a.expr(id).kind {
        ExprKind::Int(v) => v.to_string(),
        ExprKind::Float(v) => format!("{v:?}"),
        ExprKind::Bool(v) => v.to_string(),
        ExprKind::Name(n) => n.clone(),
        ExprKind::Hole => "_".into(),
        ExprKind::Index { base, subscripts } => format!("{}[{}]", base.name, list(subscripts)),
        ExprKind::Call { callee, args } => format!("{}({})", callee.name, list(args)),
        ExprKind::Unary { op, arg } => format!("({op:?} {})", show(a, *arg)),
        ExprKind::Binary { op, left, right, .. } => format!("({op:?} {} {})", show(a, *left), show(a, *right)),
        ExprKind::If { cond, then, otherwise } => {
            format!("(If {} {} {})", show(a, *cond), show(a, *then), show(a, *otherwise))
        }
        ExprKind::Block(b) => {
            format!("{{{} stmts; {}}}", b.stmts.len(), b.value.map_or("-".into(), |v| show(a, v)))
        }
        ExprKind::Reduce { op, indices, term } => format!("({op:?}{} {})", indices.len(), show(a, *term)),
        ExprKind::Scan { op, exclusive, term, .. } => {
            let kind = if *exclusive { "Before" } else { "Scan" };
            format!("({kind} {op} {})", show(a, *term))
        }
        ExprKind::Combine { with, start, scan, indices, term } => {
            let kind = match scan {
                None => "By",
                Some(false) => "ScanBy",
                Some(true) => "BeforeBy",
            };
            format!("({kind} {} {} {} {})", with.name, show(a, *start), indices.len(), show(a, *term))
        }
        ExprKind::Tuple(l) => format!("<{}>", list(l)),
        ExprKind::Table(l) => format!("[{}]", list(l)),
        ExprKind::Grad { call, wrt } => {
            format!("(Grad {} {})", show(a, *call), wrt.iter().map(|w| w.name.as_str()).collect::<Vec<_>>().join(" "))
        }
    }
}

/// The one top-level `let` of a text, shown.
fn value_of(expr: &str) -> String {
    let (ast, sink) = read(&format!("let x = {expr}\n"));
    assert!(sink.items.is_empty(), "{expr}: {:?}", sink.items);
    let ast = ast.unwrap_or_else(|| panic!("{expr}"));
    match &ast.items[0].kind {
        ItemKind::Let { value, .. } => show(&ast, *value),
        other => panic!("{other:?}"),
    }
}

#[test]
fn operators_bind_as_documented() {
    let cases = [
        ("a + b * c", "(Add a (Mul b c))"),
        ("a - b - c", "(Sub (Sub a b) c)"),
        ("-x^2", "(Neg (Pow x 2))"),
        ("2^-x * y", "(Mul (Pow 2 (Neg x)) y)"),
        ("a^b^c", "(Pow a (Pow b c))"),
        ("-a * b", "(Mul (Neg a) b)"),
        ("a div b mod c", "(Mod (IntDiv a b) c)"),
        ("a or b and not c == d", "(Or a (And b (Not (Eq c d))))"),
        ("a bitor b bitxor c bitand d shl 1 + 2", "(BitOr a (BitXor b (BitAnd c (Shl d (Add 1 2)))))"),
        ("a < b and c >= d", "(And (Lt a b) (Ge c d))"),
        ("(a < b) == c", "(Eq (Lt a b) c)"),
        ("sum[k] a[k] * b[k] + c", "(Add (Sum1 (Mul a[k] b[k])) c)"),
        ("sum[k] a[k] / 2 < c", "(Lt (Sum1 (Div a[k] 2)) c)"),
        ("2 * sum[k] a[k] * b - 1", "(Sub (Mul 2 (Sum1 (Mul a[k] b))) 1)"),
        ("-max[i, j in 0..3] -a[i, j]", "(Neg (Max2 (Neg a[i j])))"),
        ("count[s in 0..n] a[s] + 1 <= 1 and b", "(And (Count1 (Le (Add a[s] 1) 1)) b)"),
        ("any[i] x[i] > 0 or y", "(Or (Any1 (Gt x[i] 0)) y)"),
        ("sum[i] sum[j] a[i, j]", "(Sum1 (Sum1 a[i j]))"),
        ("sum[i] x[i]^2", "(Sum1 (Pow x[i] 2))"),
        ("min(a, b) + count", "(Add min(a b) count)"),
        ("sum[k] + 1", "(Add sum[k] 1)"),
        ("reduce(f, 0)[i in 0..n, j] x[i] * 2 + 1", "(Add (By f 0 2 (Mul x[i] 2)) 1)"),
        ("scan(f, (0, n))[i] (x[i], i)", "(ScanBy f <0 n> 1 <x[i] i>)"),
        ("scan(f, exclusive, exclusive)[i] x[i]", "(BeforeBy f exclusive 1 x[i])"),
        ("reduce(f, 0)", "reduce(f 0)"),
        ("scan(max, exclusive)[i] x[i] * 2", "(Before max (Mul x[i] 2))"),
        ("scan(+)[i] x[i] + scan(max)[i] y[i]", "(Add (Scan + x[i]) (Scan max y[i]))"),
        ("grad loss(w, x) for w, b", "(Grad loss(w x) w b)"),
        ("if a { 1 } else if b { 2 } else { 3 }", "(If a 1 (If b 2 3))"),
        ("{ var z = 0; z = 1; z }", "{2 stmts; z}"),
        ("{ if a { 1 } else { let y = 2; y } }", "{0 stmts; (If a 1 {1 stmts; y})}"),
        ("[1, -2, 0x_ff, 1_000, 1e-3, 2.5]", "[1 (Neg 2) 255 1000 0.001 2.5]"),
        ("cg(f(_, k), b)", "cg(f(_ k) b)"),
        ("(a, b)", "<a b>"),
        ("orange + android * inx", "(Add orange (Mul android inx))"),
        ("true and not falsey", "(And true (Not falsey))"),
    ];
    for (text, expected) in cases {
        assert_eq!(value_of(text), expected, "{text}");
    }
}

#[test]
fn lines_end_statements_unless_they_go_on() {
    let text = "kernel f(u: f32[n])\n    -> v: f32[n] {\n    v[i] = u[i] +\n        1\n        for i in 1..n-1,\n            j in 0..3\n    v[0] = f(\n        1\n    )\n    v[i] = 2\n        otherwise\n    for i in 0..3 {\n        x = 1; y = 2\n    }\n    if a { b = 1 }\n    else { b = 2 }\n}\n";
    let (ast, sink) = read(text);
    assert!(sink.items.is_empty(), "{:?}", sink.items);
    let ast = ast.unwrap_or_else(|| panic!());
    let ItemKind::Kernel(k) = &ast.items[0].kind else { panic!() };
    let KernelBody::Block(b) = &k.body else { panic!() };
    assert_eq!(b.stmts.len(), 5, "{b:#?}");
    let StmtKind::Assign { clause: Clause::For(binders), .. } = &b.stmts[0].kind else { panic!() };
    assert_eq!(binders.len(), 2);
    let StmtKind::For { body, .. } = &b.stmts[3].kind else { panic!() };
    assert_eq!(body.stmts.len(), 2);
}

#[test]
fn docs_and_comments_are_kept() {
    let (ast, _) = read(super::samples::HEAT);
    let ast = ast.unwrap_or_else(|| panic!());
    assert_eq!(ast.doc.as_deref(), Some("Heat spreading over a square plate, split into tiles over all ranks."));
    assert!(ast.items[0].doc.as_deref().is_some_and(|d| d.starts_with("cells on a side")), "{:?}", ast.items[0].doc);
    assert_eq!(ast.items[1].doc, None);
    assert_eq!(ast.items[2].doc.as_deref(), Some("stable below 0.25"));
    assert_eq!(ast.comments.len(), 4);
    assert!(!ast.comments[0].own_line);
    let (ast, _) = read("/// One\n/// two\nlet a = 1\n\n// plain\n/// Three\nlet b = 2\n");
    let ast = ast.unwrap_or_else(|| panic!());
    assert_eq!(ast.items[0].doc.as_deref(), Some("One\ntwo"));
    assert_eq!(ast.items[1].doc.as_deref(), Some("Three"));
    assert!(ast.comments[0].own_line && ast.comments.len() == 1);
}

#[test]
fn texts_have_holes() {
    let (ast, sink) = read("workflow main { print \"a {x + 1:.3e} {{b}} {p[k] for k in 0..m by 8}\\n\" }\n");
    assert!(sink.items.is_empty(), "{:?}", sink.items);
    let ast = ast.unwrap_or_else(|| panic!());
    let ItemKind::Workflow(w) = &ast.items[0].kind else { panic!() };
    let StmtKind::Print { text } = &w.body.stmts[0].kind else { panic!() };
    let shown: Vec<String> = text
        .parts
        .iter()
        .map(|p| match p {
            TemplatePart::Text(t) => t.clone(),
            TemplatePart::Hole { value, over, format, .. } => {
                format!("{}|{}|{format:?}", show(&ast, *value), over.as_ref().map_or("", |o| &o.0.name))
            }
        })
        .collect();
    assert_eq!(shown, ["a ", "(Add x 1)||Some(\".3e\")", " {b} ", "p[k]|k|None", "\n"]);
}

#[test]
fn every_faulty_declaration_is_reported_and_the_others_stay() {
    let text = "param n i64 = 4\nparam m: i64 = 5\nlet a = (1 + 2\nlet b = 3\nkernel f(u: f32[n]) -> f64 = sum[i u[i]\nlet c = 1\n";
    let (ast, sink) = read(text);
    assert_eq!(sink.items.len(), 3, "{:#?}", sink.items);
    assert_eq!(ast.map(|a| a.items.len()), Some(3));
    let text = "workflow main {\n    x = 1 +* 2\n    y = a < b < c\n    let = 3\n    z = (1\n    w = 2 $ 3\n}\n";
    let (_, sink) = read(text);
    let lines: Vec<usize> =
        sink.items.iter().map(|d| text[..d.labels[0].0.start as usize].matches('\n').count() + 1).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6], "{:#?}", sink.items);
}

#[test]
fn limits_are_diagnostics() {
    let start = std::time::Instant::now();
    let codes = |text: &str| read(text).1.items.iter().map(|d| d.code).collect::<Vec<_>>();
    assert_eq!(codes(&format!("let x = {}", "(".repeat(100_000)))[0], "E0110");
    assert_eq!(codes(&format!("let x = {}1{}", "(".repeat(100_000), ")".repeat(100_000))), ["E0110"]);
    assert_eq!(codes(&format!("let x = {}1{}", "(".repeat(128), ")".repeat(128))), [""; 0]);
    assert_eq!(codes(&format!("let x = {}1", "1+".repeat(1_000_000))), ["E0110"]);
    assert_eq!(codes(&format!("let x = {}1", "1+".repeat(100_000)))[0], "E0110");
    assert_eq!(codes(&format!("let x = {}1", "1+".repeat(2_000)))[0], "E0110");
    assert_eq!(codes(&format!("let x = {}1", "1+".repeat(900))), [""; 0]);
    assert_eq!(codes(&format!("let x = [{}1]", "1,".repeat(200_000))), ["E0110"]);
    assert_eq!(codes(&format!("let x = {}1", "-".repeat(100_000))), ["E0110"]);
    assert_eq!(codes(&format!("let x = {}1", "not ".repeat(100_000)))[0], "E0110");
    assert_eq!(codes(&format!("let x = {}1", "2^".repeat(100_000)))[0], "E0110");
    assert_eq!(codes(&format!("let x = {}1", "sum[i] ".repeat(100_000)))[0], "E0110");
    assert_eq!(codes(&format!("workflow main {{ if a {{ }}{} }}", " else if a { }".repeat(10_000))), ["E0110"]);
    assert_eq!(codes(&format!("workflow main {{ print \"{{{}\" }}", "(".repeat(100_000))), ["E0110"]);
    assert!(!codes(&format!("let x = {}", "{ a[{ sum[k in 0..{ assert(".repeat(30))).is_empty());
    assert!(!codes(&"if a { ".repeat(120)).is_empty());
    assert!(!codes(&format!("workflow main {{ {} + }}", "if a { ".repeat(120))).is_empty());
    assert!(!codes(&format!("{}for", "\n".repeat(500_000))).is_empty());
    let seconds = start.elapsed().as_secs_f64();
    assert!(seconds < 120.0, "{seconds} s");
}

/// A small generator of random numbers with a fixed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// Parses, renders and formats a text that may be anything.
fn survive(text: &str) {
    let start = std::time::Instant::now();
    let (ast, sink) = read(text);
    let mut map = crate::source::SourceMap::default();
    map.add("fuzz.mgpu", text);
    for d in &sink.items {
        assert!(!crate::diag::render::render(d, &map, false).is_empty());
        for (span, _) in &d.labels {
            assert!(text.is_char_boundary(span.start as usize) && text.is_char_boundary(span.end as usize), "{d:?}");
        }
    }
    if let (Some(ast), true) = (ast, sink.items.is_empty()) {
        let once = super::print::format(&ast, text);
        let (again, sink) = read(&once);
        assert!(sink.items.is_empty(), "{:?}\n{text}\n-----\n{once}", sink.items);
        let again = again.map(|a| super::print::format(&a, &once));
        assert_eq!(again.as_deref(), Some(once.as_str()), "of\n{text}");
    }
    assert!(start.elapsed().as_secs_f64() < 1.0, "slow: {text}");
}

#[test]
fn damaged_programs_never_panic() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let scraps = [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "\n",
        ";",
        ",",
        "..",
        "=",
        "==",
        "->",
        ":",
        "^",
        "-",
        "+",
        "*",
        "/",
        "//",
        "///",
        "/*",
        "in",
        "for",
        "if",
        "else",
        "sum[k]",
        "scan(+)[i]",
        "grad",
        "not",
        "0x",
        "1.",
        "é",
        "\u{0}",
        "\\",
        "param",
        "kernel",
        "workflow",
        "print",
        "otherwise",
        "{x:",
        "{{",
        "}}",
        "\u{feff}",
        "∑",
        "\r\n",
        "\t",
        "_",
        "let",
        "array",
        "by",
    ];
    for round in 0..400 {
        let (_, program) = PROGRAMS[random.below(PROGRAMS.len())];
        let mut bytes = program.as_bytes().to_vec();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            match (round + random.below(5)) % 5 {
                0 => bytes[at] = random.below(256) as u8,
                1 => drop(bytes.drain(at..(at + 1 + random.below(12)).min(bytes.len()))),
                2 => drop(bytes.splice(at..at, scraps[random.below(scraps.len())].bytes())),
                3 => bytes.truncate(at.max(1)),
                _ => {
                    let part = bytes[at..(at + random.below(60)).min(bytes.len())].to_vec();
                    let to = random.below(bytes.len());
                    drop(bytes.splice(to..to, part));
                }
            }
        }
        survive(&String::from_utf8_lossy(&bytes));
    }
    for _ in 0..200 {
        let text: Vec<&str> = (0..random.below(40)).map(|_| scraps[random.below(scraps.len())]).collect();
        survive(&text.join(if random.below(2) == 0 { " " } else { "" }));
    }
}

#[test]
fn small_damage_to_blanks_and_lines_never_panics() {
    let mut random = Random(42);
    for _ in 0..200 {
        let (_, program) = PROGRAMS[random.below(PROGRAMS.len())];
        let mut text = String::new();
        for c in program.chars() {
            match (c, random.below(20)) {
                (' ', 0) => text.push_str("  "),
                (' ', 1) => text.push('\n'),
                ('\n', 0) => text.push_str("\n\n\n"),
                (',', 0..4) => text.push_str(",\n"),
                ('(', 0..2) => text.push_str("( // note\n"),
                (c, _) => text.push(c),
            }
        }
        survive(&text);
    }
}

//! The printer keeps the program, is stable, and lays out as the documentation shows.

use super::ast::Ast;
use super::parse::parse;
use super::print::format;
use super::samples::PROGRAMS;
use crate::diag::Sink;
use crate::source::FileId;

/// Parses a program that must be right.
fn tree(text: &str) -> Ast {
    let mut sink = Sink::default();
    let ast = parse(FileId(0), text, &mut sink);
    assert!(sink.items.is_empty(), "{:#?} in\n{text}", sink.items);
    ast.unwrap_or_else(|| panic!("no tree of {text}"))
}

/// The tree as text, without places.
fn shape(ast: &Ast) -> String {
    let text = format!("{:?} {:?}", ast.items, ast.exprs);
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("Span {") {
        out += &rest[..at];
        rest = &rest[at..];
        rest = rest.find("} }").or(rest.find('}')).map_or("", |_| {
            let close = rest.find("end: ").map_or(0, |e| e + rest[e..].find('}').unwrap_or(0) + 1);
            &rest[close..]
        });
    }
    out + rest
}

/// Formats, and checks that the tree stays and that formatting again changes nothing.
fn check(text: &str) -> String {
    let ast = tree(text);
    let once = format(&ast, text);
    let again = tree(&once);
    assert_eq!(shape(&ast), shape(&again), "{once}");
    assert_eq!(format(&again, &once), once);
    assert_eq!(ast.comments.len(), again.comments.len());
    once
}

#[test]
fn sample_programs_stay_what_they_are() {
    for (_, text) in PROGRAMS {
        check(text);
    }
}

#[test]
fn a_program_in_standard_layout_stays() {
    let (_, heat) = PROGRAMS[0];
    assert_eq!(check(heat), heat);
}

#[test]
fn badly_spaced_programs_are_laid_out() {
    let cases = [
        ("param   n:i64=4\n", "param n: i64 = 4\n"),
        ("\n\n\nparam n : i64 = 4\n\n\n\nparam m:i64=-n+ 3*n\n\n", "param n: i64 = 4\n\nparam m: i64 = -n + 3 * n\n"),
        (
            "workflow main{\n\n  u[ i,j ]=u[i-1,j]*2-( a+b )^2\n\n\n  // note\n     if a<b{x=1}\n   else  {x=2}\n\n}\n",
            "workflow main {\n    u[i, j] = u[i-1, j] * 2 - (a + b)^2\n\n    // note\n    if a < b { x = 1 }\n    else { x = 2 }\n}\n",
        ),
        (
            "kernel f(u:f32[n ,m])\n->f64=\nsum [i,j]u[i,j]\n",
            "kernel f(u: f32[n, m])\n    -> f64 =\n    sum[i, j] u[i, j]\n",
        ),
        (
            "kernel f(u: f32[n])\n-> v: f32[n]{\nv[i]=1\n}\n",
            "kernel f(u: f32[n])\n    -> v: f32[n] {\n    v[i] = 1\n}\n",
        ),
        ("array u:f32[n]in(block ,*)edge constant( 0.5 )\n", "array u: f32[n] in (block, *) edge constant(0.5)\n"),
        ("let s = sum[k in 0..n - 1 by 2] -x[k]\n", "let s = sum[k in 0..n - 1 by 2] -x[k]\n"),
        ("let w=[1.0,-8.0]  // eight\nlet x=1// one\n", "let w = [1.0, -8.0]  // eight\nlet x = 1            // one\n"),
        (
            "workflow main { for t in 0 .. n { x=f( - t ) }; y = not(a) }\n",
            "workflow main { for t in 0..n { x = f(-t) }; y = not (a) }\n",
        ),
        ("workflow main {\nx = f(a,\nb\n)\n}", "workflow main {\n    x = f(a,\n        b\n    )\n}\n"),
        ("workflow main { x = 1 - -y; z = 2^-k; w = a-b }", "workflow main { x = 1 - -y; z = 2^-k; w = a - b }\n"),
        (
            "use \"a.mgpu\" :flux\nuse std . random:normal,uniform\n",
            "use \"a.mgpu\": flux\nuse std.random: normal, uniform\n",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(check(text), expected);
    }
    assert_eq!(check("let a = 1 // x\r\n\tlet b = 2\r\n"), "let a = 1  // x\nlet b = 2\n");
    let long = "param_value_".repeat(3);
    let text = format!("workflow main {{\n    let w0, w1, w2, w3 = philox({long}, {long}, {long}, {long})\n}}\n");
    assert!(check(&text).contains("w3 = philox("), "{}", check(&text));
}

#[test]
fn long_lines_are_broken() {
    let terms: Vec<String> = (0..40).map(|i| format!("alpha{i} * u[i+{i}, j]")).collect();
    let text = format!("kernel f(u: f32[n, m]) -> v: f32[n, m] {{\n    v[i, j] = {} // end\n}}\n", terms.join(" + "));
    let out = check(&text);
    assert!(out.lines().all(|l| l.chars().count() <= 110 || l.contains("//")), "{out}");
    assert!(out.lines().count() > 8, "{out}");
    let args: Vec<String> = (0..60).map(|i| format!("argument{i}")).collect();
    let out = check(&format!("workflow main {{\n    x = solve({})\n}}\n", args.join(",")));
    assert!(out.lines().all(|l| l.chars().count() <= 110), "{out}");
}

#[test]
fn the_projects_own_programs_parse_and_stay_stable() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    let mut folders = vec![root.join("examples"), root.join("stdlib")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "mgpu") {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                check(&text);
                seen += 1;
            }
        }
    }
    assert!(seen > 0);
}

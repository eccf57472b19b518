//! What faulty programs are told: the place, the message and the help of each.

use super::parse::parse;
use crate::diag::{Diagnostic, Sink};
use crate::source::{FileId, SourceMap};

/// The messages of a text, and the line and column of each.
fn messages(text: &str) -> Vec<((usize, usize), Diagnostic)> {
    let mut sink = Sink::default();
    parse(FileId(0), text, &mut sink);
    let mut map = SourceMap::default();
    map.add("t.mgpu", text);
    sink.items.into_iter().map(|d| (d.labels.first().map_or((0, 0), |l| map.line_col(l.0)), d)).collect()
}

/// A faulty text, the place of its one message, how the message starts, and a part of its help (empty: no help).
type Case = (&'static str, (usize, usize), &'static str, &'static str);

/// Checks all cases and shows every one that differs.
fn check(cases: &[Case], text: impl Fn(&str) -> String) {
    let mut wrong = String::new();
    for (fault, place, message, help) in cases {
        let found = messages(&text(fault));
        let right = match &found[..] {
            [(at, d)] => {
                let told = d.help.as_deref().unwrap_or("");
                at == place
                    && d.message.starts_with(message)
                    && told.contains(help)
                    && help.is_empty() == told.is_empty()
            }
            _ => false,
        };
        if !right {
            let shown: Vec<_> = found.iter().map(|(at, d)| (at, &d.message, &d.help)).collect();
            wrong += &format!("{fault}\n  wanted {place:?} {message} | {help}\n  found {shown:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn faulty_declarations() {
    let cases: &[Case] = &[
        ("param n i64 = 4", (1, 9), "expected `:`, found `i64`", "param n: i64 = 64"),
        ("param n: i64", (1, 10), "expected `=`", "every parameter has a default"),
        ("param n: int = 4", (1, 10), "there is no type `int`", "did you mean `i64`?"),
        ("param n: f31 = 4", (1, 10), "there is no type `f31`", "did you mean `f32`?"),
        ("param n: tensor = 4", (1, 10), "there is no type `tensor`", "the types are `bool`"),
        ("parm n: i64 = 4", (1, 1), "expected a declaration, found `parm`", "did you mean `param`?"),
        ("array u: i16[8]", (1, 10), "there is no type `i16`", "the integers are `i32`"),
        ("array u: uint8[8]", (1, 10), "there is no type `uint8`", "the integers are"),
        ("array u: float[8]", (1, 10), "there is no type `float`", "did you mean `f32`, or `f64`?"),
        ("array u: double[8]", (1, 10), "there is no type `double`", "did you mean `f64`?"),
        ("array u: f64(8, n)", (1, 13), "expected `[`", "square brackets: `f64[8, n]`"),
        ("array u: f64[8] edge clamp in (block)", (1, 28), "expected", "`array u: f64[8] in (block) edge clamp`"),
        ("array u: f64[8] edge clamp aligned v", (1, 28), "expected", "`array u: f64[8] aligned v edge clamp`"),
        ("array u: f64[8, 8] edge periodic, clamp", (1, 33), "expected", "`edge (periodic, clamp)`"),
        ("array z: f64[8] = u // a copy", (1, 17), "expected", "in a workflow: `z = u`"),
        ("array z: f64[8] = 2 * x", (1, 17), "expected", "`z[i] = 2 * x`"),
        ("kernel k(u: f64(n)) -> f64 = u[0]", (1, 16), "expected", "`f64[n]`"),
        ("kernel k(u: f64[n]) -> v: f64[n] { return u }", (1, 43), "expected", "`v[i] = u[i]`"),
        ("kernel k(u: f64[n]) -> v: f64 { return 2 * u[0] }", (1, 40), "expected", "`v = 2 * u[0]`"),
        ("def f(x) { }", (1, 1), "expected a declaration", "write `fn name"),
        ("x = 3", (1, 1), "a statement cannot stand outside a workflow", "workflow main"),
        ("for t in 0..3 { }", (1, 1), "a statement cannot stand outside a workflow", "workflow main"),
        ("let test = 3", (1, 5), "`test` is a reserved word", "`test_`"),
        ("let x =\nlet y = 1", (1, 7), "expected a value", "write a value behind `=`"),
        ("let x == 3", (1, 7), "expected `=`, found `==`", "write `=`"),
        ("array u f32[n]", (1, 9), "expected `:`", "array u: f32[n, m]"),
        ("array u: f32[n] in tiles edge wrap", (1, 31), "expected an edge such as `clamp`, found `wrap`", "`periodic`"),
        ("partition p (block)", (1, 13), "expected `=`, found `(`", "write `=` before `(`"),
        ("use std.random", (1, 9), "expected `:` or `.`", "use std.random: uniform"),
        ("fn f(x: f32) = x", (1, 14), "expected `->`, found `=`", "a function has a result"),
        ("kernel f(u) -> f64 = 1", (1, 11), "expected `:`, found `)`", "every parameter has a type"),
        ("kernel f(u: f32[n]) { }", (1, 21), "expected `->`, found `{`", "a kernel names its result"),
        ("kernel f() -> (v: f32[n]) { }", (1, 15), "expected a result", "without parentheses"),
        ("test energy { }", (1, 6), "expected a text in double quotes, found `energy`", "`\"energy\"`"),
        ("workflow main\n{\n}\n", (2, 1), "this `{` belongs to the line before", ""),
        ("workflow main {\n    x = 1\n", (1, 15), "this `{` is never closed", "write the `}`"),
        ("workflow main {\n    x = 1\n}\n}\n", (4, 1), "this `}` closes nothing", ""),
        (
            "workflow a {\n    for t in 0..3 {\n        x = 1\n}\n\nkernel f() -> f64 = 1\n",
            (1, 12),
            "this `{` is never",
            "`}`",
        ),
    ];
    check(cases, str::to_string);
}

#[test]
fn faulty_statements() {
    let cases: &[Case] = &[
        ("u[i, j = 3", (2, 8), "expected `]`, `,` or an operator, found `=`", "write `]` before `=`"),
        ("x = (1 + 2", (2, 10), "expected `)`, `,` or an operator, found the end of the line", "write `)` behind `2`"),
        ("x = f(1, 2", (2, 10), "expected `)`, `,` or an operator, found the end of the line", "write `)` behind `2`"),
        ("if a == 1 then { x = 2 }", (2, 11), "expected `{` or an operator, found `then`", "write `if … { … }`"),
        ("x = a && b", (2, 7), "`&&` is not an operator", "write `and`"),
        ("x = a || b", (2, 7), "`||` is not an operator", "write `or`"),
        ("x = !a", (2, 5), "`!` is not an operator", "write `not`"),
        ("x = a % b", (2, 7), "`%` is not an operator", "write `mod`"),
        ("x = a ** 2", (2, 7), "`**` is not an operator", "write `^`"),
        ("x++", (2, 2), "`++` is not an operator", "`+= 1`"),
        ("x = 0..=3", (2, 6), "`..=` is not a range", "a..b+1"),
        ("# note", (2, 1), "`#` starts nothing", "`//`"),
        ("/* note */", (2, 1), "comments between", "`//`"),
        ("x = 'a'", (2, 5), "text in these quotes", "double quotes"),
        ("if a = b { x = 1 }", (2, 6), "expected `{` or an operator, found `=`", "`==` compares"),
        ("x = a < b < c", (2, 11), "comparisons do not chain", "`a < b and b < c`"),
        ("for i = 0 { }", (2, 7), "expected `in`, found `=`", "for i in 0..n"),
        ("for i in 9 { }", (2, 12), "expected `..` or an operator", "a range is"),
        ("z = a[i][j]", (2, 9), "`[` cannot follow `]`", "a[i, j]"),
        ("x = summ[i, j] u[i, j]", (2, 16), "expected", "did you mean `sum[i, j]`?"),
        ("x = average[i] u[i]", (2, 16), "expected", "did you mean `mean[i]`?"),
        ("swap u, v", (2, 6), "expected `=`", "`u, v = v, u`"),
        ("z = f(x)[j]", (2, 9), "`[` cannot follow `)`", "`let`"),
        ("z = [1, 2][j]", (2, 11), "`[` cannot follow `]`", "`let table = […]`"),
        ("print x", (2, 7), "expected", "print \"{x}\""),
        ("u[1:-1] = 3", (2, 4), "expected", "there are no slices"),
        ("for k in range(n) { u[k] = 1 }", (2, 19), "expected", "a range is `0..n`"),
        ("x = np.sum(u)", (2, 7), "expected", "a reduction names its indices: `sum[i] u[i]`"),
        ("x = np.sqrt(2.0)", (2, 7), "expected", "`sqrt` is always there"),
        ("a = b.T", (2, 6), "expected", "write `c[i, j] = b[j, i]`"),
        ("a[i] = b[i].real", (2, 12), "expected", "write `re(u[i])`"),
        ("if n > 3: x = 1", (2, 9), "expected", "a block stands in braces: `if … { … }`"),
        ("u[i] = v[i] where v[i] > 0", (2, 13), "expected", "`if c { a } else { b }`"),
        ("print f\"{n}\"", (2, 7), "expected", "every text takes `{x}`"),
        ("save u", (2, 6), "expected `to`", "name the file: `save u to \"u.npy\"`"),
        ("u[i] min = 3", (2, 6), "expected `=`", "write it without a blank: `min=`"),
        ("pint \"x\"", (2, 6), "expected", "did you mean `print`?"),
        ("lett x = 3", (2, 6), "expected", "did you mean `let`?"),
        ("x = 3 fro i in 0..n", (2, 7), "expected an operator", "did you mean `for`?"),
        ("return x", (2, 8), "expected", "last expression"),
        ("x = if a { 3 }", (2, 5), "an `if` that is a value needs an `else`", "else"),
        ("f(x) = 3", (2, 1), "this cannot be assigned to", "name[i, j]"),
        ("a, b", (2, 4), "a list of values is no statement", "a, b = f(x)"),
        ("x = f(a = 3)", (2, 9), "expected `)`, `,` or an operator, found `=`", "by their place"),
        ("print(\"hi {3}\")", (2, 7), "expected", "no brackets: `print \"hi {3}\"`"),
        ("assert(u[0] == 0, \"x\")", (2, 19), "expected", "`assert u[0] == 0, \"x\"`"),
        ("x = sum[j=0..6] u[j]", (2, 10), "expected", "`sum[j in 0..6]`"),
        ("x = sum[0..6] u[i]", (2, 10), "expected", "`sum[i in 0..6]`"),
        ("x = sum(j in 0..6) u[j]", (2, 11), "expected", "`sum[j in 0..6]`"),
        ("u[1..7] = 3", (2, 4), "expected", "there are no slices"),
        ("u = k(u, a: 2)", (2, 11), "expected", "by their place"),
        ("for t in 0..8 step 2 { y = 1 }", (2, 15), "expected", "`by 2`"),
        ("for t in 0..8..2 { y = 1 }", (2, 14), "expected", "`by 2`"),
        ("print \"{7 // 2}\"", (2, 9), "expected a value", "`7 div 2`"),
        ("for t in 0..10\n    u[i] += 1", (2, 13), "expected `{`", "`for … { … }`"),
        ("while u[0] < 3\n    u[i] += 1", (2, 14), "expected `{`", "`while … { … }`"),
        ("u[i] = (f64) i", (2, 14), "expected", "`f64(i)`"),
        ("x = a is b", (2, 7), "expected", "write `==`"),
        ("save u to u.npy", (2, 11), "expected", "`\"u.npy\"`"),
        ("x = 1 + 2j", (2, 9), "`2j` is not a number", "`complex(1, 2)`"),
        ("x = 1 - 2i", (2, 9), "`2i` is not a number", "`complex(1, -2)`"),
        ("x = 2i * y", (2, 5), "`2i` is not a number", "`2 * i` for a product"),
        ("x = 2y", (2, 5), "`2y` is not a number", "2 * y"),
        ("x = 1.", (2, 5), "a number cannot end with a point", "1.0"),
        ("x = .5", (2, 5), "a number cannot start with a point", "0.5"),
        ("x = 99999999999999999999", (2, 5), "this integer is too large", "1e20"),
        ("x = 1e999", (2, 5), "this number is too large", "inf"),
        ("x = é", (2, 5), "`é` is not a name", "a-z"),
        ("print \"x", (2, 7), "this text has no closing", "on the line"),
        ("print \"{x\"", (2, 8), "this `{` in the text is never closed", "{{"),
        ("print \"x}\"", (2, 9), "this `}` in the text closes nothing", "}}"),
        ("print \"{x +}\"", (2, 11), "expected a value", "write a value behind `+`"),
        ("print \"{}\"", (2, 8), "this hole in the text is empty", "{expr}"),
        ("print \"a\\q\"", (2, 9), "`\\q` is not an escape", "\\\\"),
        ("x = \"a\"", (2, 5), "expected a value, found a text", "print"),
        ("x = 1\n  + 2", (3, 3), "expected", "end of the line before"),
        ("if a { x = 1 } elif b { x = 2 }", (2, 16), "expected", "else if"),
        ("animate u to \"u.png\" every 20", (2, 22), "expected the end of the statement", "a new line before `every`"),
        ("x = 1]", (2, 6), "this `]` closes nothing", ""),
    ];
    check(cases, |line| format!("workflow main {{\n{line}\n    y = 1\n}}\n"));
}

#[test]
fn an_open_bracket_is_shown_where_it_stands() {
    let (_, d) = &messages("workflow main {\n    u[i, j = 3\n}\n")[0];
    assert_eq!(d.code, "E0104");
    assert!(d.labels.iter().any(|l| l.0.start == 21 && l.1.contains("`[`")), "{d:?}");
    let (_, d) = &messages("workflow a {\n    for t in 0..3 {\n        x = 1\n}\n")[0];
    assert!(d.labels.iter().any(|l| l.1.contains("indentation")), "{d:?}");
}

//! Texts and shapes beyond every limit get a report within a second, whatever they hold.

mod support;

use std::os::unix::process::CommandExt;
use std::process::Command;
use support::{MGPU, Run, reports, run_command};

/// `mgpu check` of a text.
fn check(text: &str) -> Run {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.mgpu"), text).unwrap();
    let mut command = Command::new(MGPU);
    // A second of the processor's, whatever else the machine does: the system ends what takes longer.
    let second = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
    let limited = move || match unsafe { libc::setrlimit(libc::RLIMIT_CPU, &second) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    };
    // SAFETY: the new process only lowers its limit.
    unsafe { command.pre_exec(limited) };
    run_command(command.args(["check", "p.mgpu"]).current_dir(dir.path()), dir.path())
}

/// `mgpu check` refuses the text with one of these codes.
fn refused(name: &str, text: &str, codes: &[&str]) {
    let got = check(text);
    let found = reports(&got.err);
    let said = &got.err[..got.err.floor_char_boundary(2000)];
    assert_eq!(got.exit, 1, "{name}: {said}");
    assert!(found.iter().all(|r| codes.contains(&r.0.as_str())) && !found.is_empty(), "{name}: {said}");
    assert!(got.err.len() < 20_000, "{name}: a report of {} bytes", got.err.len());
}

/// The same for a text with thousands of mistakes: the first hundred are reported.
fn refused_in_short(name: &str, text: &str) {
    let got = check(text);
    let found = reports(&got.err).len();
    assert_eq!(got.exit, 1, "{name}: {}", &got.err[..got.err.floor_char_boundary(2000)]);
    assert!((1..=100).contains(&found) && got.err.len() < 100_000, "{name}: {found} reports, {} bytes", got.err.len());
    assert!(found < 100 || got.err.ends_with("first 100 reports.\n"), "{name}");
}

fn main_with(expression: &str) -> String {
    format!("workflow main {{\n    let x = {expression}\n    print \"{{x}}\"\n}}\n")
}

#[test]
fn a_hundred_thousand_brackets() {
    const N: usize = 100_000;
    for (open, close) in
        [("(", ")"), ("[", "]"), ("{", "}"), ("if true {", "}"), ("{ let a = ", "; a }"), ("max(", ", 1)")]
    {
        refused(open, &main_with(&format!("{}1{}", open.repeat(N), close.repeat(N))), &["E0110"]);
        refused(open, &main_with(&open.repeat(N)), &["E0110"]);
        refused(open, &open.repeat(N), &["E0110"]);
    }
    refused("mixed", &main_with(&"([{".repeat(N / 3)), &["E0110"]);
    refused(
        "in a string",
        &format!("workflow main {{ print \"{{{}1{}}}\" }}", "(".repeat(N), ")".repeat(N)),
        &["E0110"],
    );
}

#[test]
fn long_chains() {
    const N: usize = 150_000;
    for (name, text) in [
        ("a sum", main_with(&"1 + ".repeat(N))),
        ("a whole sum", main_with(&format!("{}1", "1 + ".repeat(N)))),
        ("minus", main_with(&format!("{}1", "-".repeat(N)))),
        ("not", main_with(&format!("{}true", "not ".repeat(N)))),
        ("powers", main_with(&format!("{}1", "1 ^ ".repeat(N)))),
        ("else if", main_with(&format!("{}{{ 1 }}", "if true { 1 } else ".repeat(N / 3)))),
        ("subscripts", main_with(&format!("u{}", "[0]".repeat(N)))),
    ] {
        refused(name, &text, &["E0106", "E0110", "E0111"]);
    }
}

#[test]
fn a_source_of_more_than_a_mebibyte() {
    refused("blanks", &" ".repeat((1 << 20) + 1), &["E0110"]);
    refused("comment", &format!("// {}", "x".repeat(1 << 20)), &["E0110"]);
}

#[test]
fn more_elements_than_any_machine_has() {
    let array = |shape: &str, indices: &str| format!("array u: f64[{shape}]\nworkflow main {{ u[{indices}] = 1 }}\n");
    // 2^70 elements in one, two and three dimensions, and a product that wraps to 0 in 64 bits.
    refused("one", &array("1180591620717411303424", "i"), &["E0109"]);
    refused("two", &array("34359738368, 34359738368", "i, j"), &["E0307"]);
    refused("three", &array("4194304, 8388608, 33554432", "i, j, k"), &["E0307"]);
    refused("wraps", &array("4294967296, 4294967296", "i, j"), &["E0307"]);
    refused("computed", &array("1 shl 35, 1 shl 35", "i, j"), &["E0307"]);
    refused("local", "workflow main {\n    array u: f32[1 shl 35, 1 shl 35]\n    u[i, j] = 0\n}\n", &["E0307"]);
    refused(
        "a result",
        "kernel k(n: i64) -> r: f64[n, n] { r[i, j] = 0 }\nworkflow main { let u = k(1 shl 35) }\n",
        &["E0307"],
    );
    refused("a sum", "workflow main { print \"{sum[i in 0..(1 shl 35), j in 0..(1 shl 35)] 1}\" }\n", &["E0303"]);
}

#[test]
fn thousands_of_mistakes() {
    let inside = |line: &str, n: usize| format!("workflow main {{\n{}}}\n", line.repeat(n));
    for (name, text) in [
        ("signs", "$".repeat(500_000)),
        ("lines of signs", "$\n".repeat(200_000)),
        ("signs in a workflow", inside("    $\n", 40_000)),
        ("strays", inside("    let x = )\n", 20_000)),
        ("closing brackets", ")".repeat(300_000)),
        ("open heads", "kernel k(\n".repeat(30_000)),
        ("quotes", "\"\n".repeat(200_000)),
        ("numbers", "fn f(x) = 1e999999\n".repeat(20_000)),
        ("templates", inside("    print \"{$}\"\n", 20_000)),
        ("words", "x\n".repeat(200_000)),
        ("unknown names", inside("    x = y\n", 20_000)),
        ("declared twice", "fn f(x: f64) -> f64 = x\n".repeat(10_000)),
        ("comments of another language", "/*".repeat(200_000)),
        ("open calls", "fn f() = g(\n".repeat(20_000)),
        ("loops", inside(&format!("{}x[i] = 1\n", "for t in 0..1 {\n".repeat(100)), 100)),
    ] {
        refused_in_short(name, &text);
    }
}

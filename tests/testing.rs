//! `mgpu test`: what it runs, prints and answers.

mod support;

use std::path::Path;
use support::{Run, reports, run};

const PROGRAM: &str = r#"
param n: i64 = 8
array u, v: f64[n] edge clamp
fn double(x: i64) -> i64 = 2 * x
kernel smooth(u: f64[n], w: f64) -> v: f64[n] { v[i] = (u[i-1] + w * u[i] + u[i+1]) / 4 }

test "doubling" with n = 4 {
    expect double(n) == n + n
    expect n == 4
}
test "smoothing keeps the sum" with n = 5 * 8 {
    u[i] = i
    v = smooth(u, 2)
    print "sums {sum[i] v[i]} {sum[i] u[i]}"
    save v to "v.npy"
    expect sum[i] v[i] == sum[i] u[i]
}
test "smoothing with another weight keeps it" {
    u[i] = i
    v = smooth(u, 1)
    print "weight 1"
    expect sum[i] v[i] == sum[i] u[i]
}
test "all are positive" {
    expect all[i] (u[i] > 0)
}
workflow main { print "main runs" }
"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

fn test(dir: &Path, args: &[&str]) -> Run {
    let mut words = vec!["test".to_string()];
    words.extend(args.iter().map(|a| match a.strip_prefix("./") {
        Some(path) => dir.join(path).to_string_lossy().into_owned(),
        None => a.to_string(),
    }));
    run(&words, dir)
}

#[test]
fn failures_show_both_sides_and_the_others_run() {
    let dir = folder(&[("heat.mgpu", PROGRAM)]);
    for executor in support::executors() {
        let got = test(dir.path(), &["./heat.mgpu", "--executor", executor]);
        assert_eq!(got.exit, 1, "{}{}", got.out, got.err);
        for line in [
            "test doubling ... ok",
            "test smoothing keeps the sum ... ok",
            "test smoothing with another weight keeps it ... FAILED",
            "test all are positive ... FAILED",
            "heat.mgpu: smoothing with another weight keeps it, on 1 rank ----",
            "printed:\nweight 1",
            "test result: FAILED. 2 passed; 2 failed; 0 filtered out",
        ] {
            assert!(got.out.contains(line), "no `{line}` in\n{}", got.out);
        }
        assert!(!got.out.contains("main runs") && !got.out.contains("sums"), "{}", got.out);
        let found = reports(&got.err);
        assert_eq!(found.len(), 2, "{}", got.err);
        // 0 + 1 + … + 7 is 28; with the ends repeated the weights of 3/4 give (28 + 28 + 28) / 4.
        assert_eq!((found[0].0.as_str(), found[0].1), ("E0612", 22));
        assert!(found[0].2.contains("21.0 on the left, 28.0 on the right"), "{}", found[0].2);
        assert_eq!((found[1].0.as_str(), found[1].1), ("E0612", 25));
        assert!(found[1].2.contains("this is false"), "{}", found[1].2);
        // What tests write goes nowhere.
        assert_eq!(got.files.len(), 1);
    }
}

#[test]
fn filters_ranks_and_parameters() {
    let dir = folder(&[("heat.mgpu", PROGRAM)]);
    let got = test(dir.path(), &["./heat.mgpu", "--filter", "doub", "-n", "1,7"]);
    assert_eq!(got.exit, 0, "{}{}", got.out, got.err);
    assert!(got.out.contains("test result: ok. 1 passed; 0 failed; 3 filtered out"), "{}", got.out);
    let got = test(dir.path(), &["./heat.mgpu", "--filter", "doub", "-p", "n=6"]);
    assert_eq!(got.exit, 0, "the test's own value wins\n{}{}", got.out, got.err);
    assert_eq!(test(dir.path(), &["./heat.mgpu", "-n", "0"]).exit, 2);
    assert_eq!(test(dir.path(), &["./none.mgpu"]).exit, 1);
}

#[test]
fn folders_are_searched_and_faulty_programs_count() {
    let good = "test \"one\" { expect 1 + 1 == 2 }\n";
    let dir = folder(&[("a/one.mgpu", good), ("a/b/two.mgpu", good), ("a/none.mgpu", "workflow main { }\n")]);
    let got = test(dir.path(), &["./a"]);
    assert_eq!(got.exit, 0, "{}{}", got.out, got.err);
    assert!(got.out.contains("two.mgpu\ntest one ... ok") && got.out.contains("2 passed"), "{}", got.out);
    std::fs::write(dir.path().join("a/bad.mgpu"), "test \"bad\" { expect k == 2 }\n").unwrap();
    let got = test(dir.path(), &["./a"]);
    assert_eq!((got.exit, reports(&got.err)[0].0.as_str()), (1, "E0200"), "{}{}", got.out, got.err);
    assert!(got.out.contains("2 passed; 0 failed; 0 filtered out; 1 rejected"), "{}", got.out);
}

#[test]
fn a_file_that_cannot_be_read_may_have_held_tests() {
    let dir = folder(&[("a.mgpu", "test unquoted { expect 1 == 2 }\n"), ("b.mgpu", "workflow main { }\n")]);
    let got = test(dir.path(), &["./a.mgpu", "./b.mgpu"]);
    assert_eq!(got.exit, 1, "{}", got.out);
    assert!(got.out.contains("0 passed; 0 failed; 0 filtered out; 1 rejected"), "{}", got.out);
    assert_eq!(reports(&got.err)[0].0, "E0106", "{}", got.err);
}

#[test]
fn tests_read_the_programs_files_and_their_own() {
    let text = "array u, v: f64[6]\ntest \"round trip\" {\n    u[i] = i^2\n    save u to \"out/u.npy\"\n    load v from \"out/u.npy\"\n    expect all[i] (u[i] == v[i])\n    expect sum[i] v[i] == 55\n}\n";
    let dir = folder(&[("io.mgpu", text), ("out/kept.txt", "kept")]);
    let got = test(dir.path(), &["./io.mgpu"]);
    assert_eq!(got.exit, 0, "{}{}", got.out, got.err);
    assert_eq!(got.files.len(), 2, "{:?}", got.files.keys());
}

#[test]
fn a_run_that_fails_fails_the_test() {
    let text = "test \"asserts\" { assert 1 > 2, \"one is less\" }\ntest \"unknown\" with m = 2 { expect 1 == 1 }\n";
    let dir = folder(&[("t.mgpu", text)]);
    let got = test(dir.path(), &["./t.mgpu"]);
    assert_eq!(got.exit, 1);
    assert_eq!(reports(&got.err)[0].0, "E0203", "{}", got.err);
    std::fs::write(dir.path().join("t.mgpu"), text.lines().next().unwrap()).unwrap();
    let got = test(dir.path(), &["./t.mgpu"]);
    assert_eq!((got.exit, reports(&got.err)[0].0.as_str()), (1, "E0610"), "{}", got.err);
}

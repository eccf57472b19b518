//! What is recognised as a contraction: the plan says so, and both code generators have tiles for it; and what is not.

use std::process::Command;

fn mgpu(verb: &[&str], program: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.mgpu");
    std::fs::write(&path, program).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_mgpu")).args(verb).arg(&path).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// A program with one equation, whose term has 50 values of `k`.
fn program(equation: &str) -> String {
    format!(
        "array a, b, c: f32[50, 50] in (block, *) edge periodic\narray d: f64[50, 50]\narray x, y: f32[50]\n\
         array s: i64[50]\nworkflow main {{\n    {equation}\n}}\n"
    )
}

#[test]
fn contractions_are_recognised_and_named() {
    for equation in [
        "c[i, j] = sum[k] a[i, k] * b[k, j]",
        "c[i, j] = sum[k] b[k, j] * a[i, k]",
        "c[i, j] = sum[k] a[k, i] * b[j, k]",
        "c[i, j] += 2 * (sum[k] (a[i, k] - x[k]) * b[k, j]^2) - 1",
        "c[i, j] = sum[k] a[i-1, k+1] * b[s[k], j]",
        "c[i, j] = mean[k] a[i, k] * x[k] * b[k, j]",
        "d[i, j] = sum[k] f64(a[i, k]) * f64(b[k, j])",
        "c[2*i, j] = sum[k] a[2*i+1, k] * b[k, j]",
    ] {
        let text = program(equation);
        let plan = mgpu(&["plan"], &text);
        assert!(plan.contains("a contraction of 50 terms"), "{equation}:\n{plan}");
        let c = mgpu(&["emit", "c"], &text);
        assert!(c.contains("mgpu_left_0") && c.contains("mg_any_tile"), "{equation}");
        #[cfg(feature = "cuda")]
        assert!(mgpu(&["emit", "cuda"], &text).contains("mgpu_product_0"), "{equation}");
    }
}

#[test]
fn other_sums_stay_loops() {
    for equation in [
        // One factor does not change with the index.
        "c[i, j] = sum[k] 2 * a[i, k]",
        // Both factors follow the last index of the equation, or none does.
        "c[i, j] = sum[k] a[k, j] * b[k, j]",
        "c[i, j] = sum[k] a[i, k] * x[k]",
        // A matrix and a vector: no rows that share the right factor.
        "y[i] = sum[k] a[i, k] * x[k]",
        // The range follows the columns.
        "c[i, j] = sum[k in 0..j] a[i, k] * b[k, j]",
        // Not a sum of products, or not of floats.
        "c[i, j] = max[k] a[i, k] * b[k, j]",
        "s[i] = sum[k] s[k] * k",
        "c[i, j] = sum[k] (a[i, k] + b[k, j])",
        "c[i, j] = sum[k] (if k > i { a[i, k] * b[k, j] } else { 0 })",
    ] {
        let text = program(equation);
        assert!(!mgpu(&["plan"], &text).contains("contraction"), "{equation}");
        assert!(!mgpu(&["emit", "c"], &text).contains("mg_any_tile"), "{equation}");
    }
}

#[test]
fn a_sweep_joins_a_product_only_where_it_stays_one() {
    let body = "c[i, j] = sum[k] a[i, k] * b[k, j]\n    print \"{sum[i, j] c[i, j]}\"";
    let plan = mgpu(&["plan"], &program(body));
    assert!(plan.contains("a contraction of 50 terms"), "{plan}");
    assert!(plan.contains("reduce sum over"), "{plan}");
}

#[test]
fn many_long_results_are_tiles_and_few_are_made_in_blocks() {
    let text = "array a: f32[800, 9000] in (block, *)\narray b: f32[9000, 800]\narray c: f32[800, 800]\n\
                array d: f32[4, 4]\nworkflow main {\n    c[i, j] = sum[k] a[i, k] * b[k, j]\n    \
                d[i, j] = sum[k] a[i, k] * b[k, j]\n}\n";
    let plan = mgpu(&["plan"], text);
    assert!(plan.contains("compute c over [0..800, 0..800], a contraction, 2304 of 9000 terms a panel"), "{plan}");
    assert!(plan.contains("compute blocks of terms over [0..140, 0..4, 0..4], a contraction"), "{plan}");
}

#[test]
fn explain_tells_of_a_contraction() {
    let text = program("c[i, j] = sum[k] a[i, k] * b[k, j]");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.mgpu");
    std::fs::write(&path, text).unwrap();
    let place = format!("{}:6", path.display());
    let done = Command::new(env!("CARGO_BIN_EXE_mgpu")).args(["explain", &place, "-n", "2"]).output().unwrap();
    let story = String::from_utf8_lossy(&done.stdout);
    let one_line = story.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(one_line.contains("It is a contraction: each point adds up 50 products"), "{story}");
}

/// `--math library` may give cuBLAS products that stand alone, however their factors lie, and no others.
#[cfg(feature = "cuda")]
#[test]
fn products_that_a_library_can_carry_out() {
    let cases = [
        ("c[i, j] = sum[k] a[i, k] * b[k, j]", true),
        ("c[i, j] = sum[k] a[k, i] * b[j, k]", true),
        ("c[i, j] = sum[k in 3..40] b[k, j] * a[i, k]", true),
        ("d[i, j] = sum[k] d2[i, k] * d3[k, j]", true),
        // Batches.
        ("q[g, i, j] = sum[k] q2[g, i, k] * b[k, j]", true),
        // Two bytes, added in f32.
        ("h[i, j] = sum[k] h2[i, k] * h3[k, j]", true),
        ("c[i, j] = sum[k] h2[i, k] * h3[j, k]", true),
        ("h[i, j] = bf16(sum[k] h2[i, k] * a[k, j])", false),
        // Something stands around the sum, or a factor is computed.
        ("c[i, j] += sum[k] a[i, k] * b[k, j]", false),
        ("c[i, j] = 2 * (sum[k] a[i, k] * b[k, j])", false),
        ("c[i, j] = sum[k] (a[i, k] - 1) * b[k, j]", false),
        ("d[i, j] = sum[k] f64(a[i, k]) * f64(b[k, j])", false),
        // Reads across an edge, and every other column.
        ("c[i, j] = sum[k] a[i-1, k] * b[k, j]", false),
        ("c[i, 2*j] = sum[k] a[i, k] * b[k, 2*j]", false),
    ];
    let arrays = "array d2, d3: f64[50, 50]\narray q, q2: f32[5, 50, 50]\narray h, h2, h3: bf16[50, 50]\n";
    for (equation, wanted) in cases {
        let text = mgpu(&["emit", "cuda"], &format!("{arrays}{}", program(equation)));
        assert_eq!(text.contains("gives this product to cuBLAS"), wanted, "{equation}");
    }
}

/// A program that runs these statements after one another in a loop: `x` is 9000 by 40, `w` 40 by 8.
#[cfg(feature = "cuda")]
fn regression(statements: &str) -> String {
    format!(
        "array x: f32[9000, 40] in (block, *)\narray r, y: f32[9000, 8] in (block, *)\narray w, g: f32[40, 8]\n\
         array b, s: f32[8]\nworkflow main {{\n    for t in 0..3 {{\n{statements}\n    }}\n}}\n"
    )
}

#[test]
#[cfg(feature = "cuda")]
fn two_products_that_share_a_matrix_are_one_kernel() {
    let r = "r[i, c] = (sum[k] x[i, k] * w[k, c]) + b[c]";
    let g = "g[k, c] = sum[i] x[i, k] * r[i, c]";
    let (s, step) = ("s[c] = sum[i] r[i, c]", "w[k, c] -= g[k, c]");
    let kernel = |statements: &[&str]| {
        let cuda = mgpu(&["emit", "cuda"], &regression(&statements.join("\n")));
        let at = cuda.find("mg_pair<40, MG_PAIR_ROWS, ");
        at.map(|at| cuda[at..].lines().next().unwrap_or_default().contains("true"))
    };
    // The sum of the residuals rides along, wherever it stands behind the gradient.
    assert_eq!(kernel(&[r, g]), Some(false));
    assert_eq!(kernel(&[r, g, s]), Some(true));
    assert_eq!(kernel(&[r, g, step, s]), Some(true));
    // Something else stands between them; what passes on is not the residuals; the rows are not those of the first.
    assert_eq!(kernel(&[r, "b[c] = b[c] * 2", g]), None);
    assert_eq!(kernel(&[r, "g[k, c] = sum[i] x[i, k] * y[i, c]"]), None);
    assert_eq!(kernel(&[r, "g[k, c] = sum[i in 0..8999] x[i+1, k] * r[i, c]"]), None);
}

#[test]
fn an_update_joins_the_sum_that_it_follows_over_other_sweeps() {
    let program = "array x: f32[900, 4] in (block, *)\narray r: f32[900] in (block)\narray w, g: f32[4] in replicated\narray b, s: f32[8] in replicated\n\
                   workflow main {\n    g[k] = sum[i] x[i, k] * r[i]\n    s[c] = b[c] + 1\n    w[k] -= g[k]\n    b[c] -= s[c]\n}\n";
    let plan = mgpu(&["plan"], program);
    assert!(plan.contains("compute g, w over [0..4]") && plan.contains("compute s, b over [0..8]"), "{plan}");
    // Not over one that changes what it reads.
    let plan = mgpu(&["plan"], &program.replace("s[c] = b[c] + 1", "w[k] = b[k] for k in 1..4"));
    assert!(plan.contains("compute g over [0..4]"), "{plan}");
}

//! Float sums and products: the threads of a group run one leaf, each the points of its lanes in order, then fold the lanes.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::codegen::c_body::c_ty;
use crate::codegen::cuda::body::Writer;
use crate::codegen::cuda::{BLOCK, Form, Kernel, Placed, reduce};
use crate::ir::kernel::{FoldOp, Nest, ScalarId};

/// Lanes of an ordered reduction.
pub fn lanes(nest: &Nest) -> i64 {
    nest.leaf.last().map_or(1, |&n| n.min(64))
}

/// Appends the kernel of a nest with ordered reductions.
pub fn write(out: &mut String, number: usize, placed: &Placed, moving: &BTreeSet<ScalarId>) -> Kernel {
    let w = Writer::new(placed, moving);
    let (nest, name, words) = (placed.nest, format!("mgpu_{number}"), w.words());
    let lanes = lanes(nest);
    let threads = lanes.min(32);
    w.head(out, &name, &words, &format!("__launch_bounds__({BLOCK})"));
    reduce::declare(out, nest);
    reduce::clear(out, nest);
    grid(out, nest);
    let _ = writeln!(out, "    const int t = threadIdx.x & {};", threads - 1);
    // All threads of a warp take part in the shuffles, also those behind the last leaf.
    let _ = writeln!(
        out,
        "    for (i64 at = ((i64)blockIdx.x * blockDim.x + threadIdx.x) / {threads}; at - (threadIdx.x & 31) / {threads} < leaves; at += (i64)gridDim.x * blockDim.x / {threads}) {{"
    );
    accumulators(out, nest, lanes / threads);
    out.push_str("        if (at < leaves) {\n");
    let depth = loops(out, nest, lanes);
    let indent = 12 + 4 * depth;
    for q in 0..lanes / threads {
        one_lane(out, &w, q, threads, indent);
    }
    for d in (0..depth).rev() {
        let _ = writeln!(out, "{:indent$}}}", "", indent = 12 + 4 * d);
    }
    out.push_str("        }\n");
    fold(out, nest, threads, lanes / threads);
    out.push_str("    }\n");
    reduce::flush(out, nest);
    out.push_str("}\n");
    Kernel { name, words, groups: w.groups, form: Form::Leaves { threads } }
}

/// First leaf and number of leaves of each dimension of the part.
fn grid(out: &mut String, nest: &Nest) {
    let mut all = vec![];
    for (d, &n) in nest.leaf.iter().enumerate() {
        let shift = n.trailing_zeros();
        let _ = writeln!(out, "    const i64 f{d} = lo{d} >> {shift}, c{d} = ((hi{d} - 1) >> {shift}) - f{d} + 1;");
        all.push(format!("c{d}"));
    }
    let all = if all.is_empty() { "1LL".to_string() } else { all.join(" * ") };
    let _ = writeln!(out, "    const i64 leaves = {all};");
}

fn accumulators(out: &mut String, nest: &Nest, each: i64) {
    for (r, red) in nest.reductions.iter().enumerate().filter(|(_, red)| reduce::ordered(nest, red)) {
        let one = if red.op == FoldOp::Sum { "0" } else { "1" };
        let first = vec![one; each as usize].join(", ");
        let _ = writeln!(out, "        {} sum{r}[{each}] = {{{first}}};", c_ty(reduce::ty(nest, red)));
    }
}

/// Opens the loops over the leaf; gives how many.
fn loops(out: &mut String, nest: &Nest, lanes: i64) -> usize {
    let rank = nest.domain.rank();
    out.push_str("            i64 rest = at;\n");
    for d in (0..rank).rev() {
        let shift = nest.leaf[d].trailing_zeros();
        let _ = writeln!(
            out,
            "            const i64 b{d} = (f{d} + rest % c{d}) << {shift}; rest /= c{d};\n            const i64 z{d} = b{d} + {} < hi{d} ? b{d} + {} : hi{d};",
            nest.leaf[d], nest.leaf[d]
        );
    }
    for d in 0..rank.saturating_sub(1) {
        let _ = writeln!(
            out,
            "{:indent$}for (i64 i{d} = b{d} > lo{d} ? b{d} : lo{d}; i{d} < z{d}; i{d}++) {{ const i64 x{d} = i{d} - lo{d};",
            "",
            indent = 12 + 4 * d
        );
    }
    if let Some(d) = rank.checked_sub(1) {
        let indent = 12 + 4 * d;
        let _ = writeln!(out, "{:indent$}for (i64 j = b{d} + t; j < z{d}; j += {lanes}) {{", "");
    }
    rank
}

/// The point of lane `t + threads * q` of a row.
fn one_lane(out: &mut String, w: &Writer, q: i64, threads: i64, indent: usize) {
    let nest = w.nest;
    match nest.domain.rank().checked_sub(1) {
        Some(d) => {
            let offset = q * threads;
            let _ = writeln!(
                out,
                "{:indent$}if (j + {offset} >= lo{d} && j + {offset} < z{d}) {{ const i64 x{d} = j + {offset} - lo{d};",
                ""
            );
        }
        None => {
            let _ = writeln!(out, "{:indent$}{{", "");
        }
    }
    w.point(out, w, indent + 4);
    w.stores(out, indent + 4);
    reduce::feed(out, nest, indent + 4, false);
    for (r, red) in nest.reductions.iter().enumerate().filter(|(_, red)| reduce::ordered(nest, red)) {
        let op = if red.op == FoldOp::Sum { "+" } else { "*" };
        let _ = writeln!(out, "{:i$}sum{r}[{q}] = sum{r}[{q}] {op} r{};", "", red.value.0, i = indent + 4);
    }
    let _ = writeln!(out, "{:indent$}}}", "");
}

/// Folds the lanes of a leaf; thread 0 of the group keeps the result.
fn fold(out: &mut String, nest: &Nest, threads: i64, each: i64) {
    for (r, red) in nest.reductions.iter().enumerate().filter(|(_, red)| reduce::ordered(nest, red)) {
        let op = if red.op == FoldOp::Sum { "+" } else { "*" };
        let mut s = each / 2;
        while s > 0 {
            for q in 0..s {
                let _ = writeln!(out, "        sum{r}[{q}] = sum{r}[{q}] {op} sum{r}[{}];", q + s);
            }
            s /= 2;
        }
        let mut s = threads / 2;
        while s > 0 {
            let _ =
                writeln!(out, "        sum{r}[0] = sum{r}[0] {op} __shfl_down_sync(~0u, sum{r}[0], {s}, {threads});");
            s /= 2;
        }
        keep(out, nest, r, &format!("sum{r}[0]"), "!t && at < leaves", "at");
    }
}

/// Deposits a leaf's sum, or stores its product at the leaf's position in the part.
pub fn keep(out: &mut String, nest: &Nest, r: usize, value: &str, when: &str, leaf: &str) {
    if nest.reductions[r].op == FoldOp::Sum {
        let at = 72 * reduce::shared_sum(nest, r);
        let _ = writeln!(out, "        if ({when}) mg_deposit(limbs + {at}, (f64){value});");
    } else {
        let _ = writeln!(out, "        if ({when}) acc{r}[{leaf}] = mg_bits_u64_f64((f64){value});");
    }
}

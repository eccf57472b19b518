//! Two products that share a matrix as one kernel (`pair.cu`): see [`crate::ir::pair`].
//!
//! The kernel takes the arguments of both nests. What the second one does stands in functions with its own parameters, as both
//! count points, pointers and registers from 0.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::codegen::cuda::body::Writer;
use crate::codegen::cuda::contraction::{Generator, code, registers};
use crate::codegen::cuda::{Placed, Word};
use crate::ir::kernel::ScalarId;
use crate::ir::pair;

/// The text in front of units with pairs; behind that of products.
pub const PRELUDE: &str = include_str!("pair.cu");

/// Threads of a block.
pub const THREADS: u32 = 128;

/// A kernel for two nests; its arguments are those of the first one's product, then those of the second's.
#[derive(Clone, Debug)]
pub struct Pair {
    pub first: usize,
    pub second: usize,
    pub name: String,
    /// Bytes of shared memory that a launch gives, or all there are.
    pub shared: u32,
    pub pair: pair::Pair,
}

/// Appends the kernel of two nests, if they are a pair whose factors lie as it wants them.
pub fn write(
    out: &mut String,
    (first, second): (usize, usize),
    nests: &[Placed],
    moving: &BTreeSet<ScalarId>,
) -> Option<Pair> {
    let (a, b) = (&nests[first], &nests[second]);
    let pair = pair::of(a.nest, b.nest)?;
    let one = Generator { w: Writer::new(a, moving), c: &pair.first };
    let two = Generator { w: Writer::new(b, moving), c: &pair.second };
    if [a, b].iter().any(|p| p.folds.iter().flatten().any(Option::is_some)) || !two.w.scalars().is_disjoint(moving) {
        return None;
    }
    let parameters = two.w.parameters(&two.w.words());
    let declared = |rename: &str| parameters.iter().map(|(ty, name)| format!("{ty}{rename}{name}")).collect::<Vec<_>>();
    let given: Vec<String> = parameters.iter().map(|(_, name)| format!("then_{name}")).collect();
    let given = given.join(", ");

    let _ = writeln!(out, "FN void mgpu_terms_{second}({}, i64 x0, i64 &from, i64 &to) {{", declared("").join(", "));
    let chain = &pair.second.chain;
    registers(out, b.nest, &chain.bounds, 4);
    out.push_str(&code(&two.w, &chain.bounds, 1));
    let _ = writeln!(out, "    from = r{}, to = r{};\n}}", chain.from.0, chain.to.0);
    let _ = writeln!(
        out,
        "FN void mgpu_result_{second}({}, i64 x0, i64 x1, i64 x2, f32 value) {{",
        declared("").join(", ")
    );
    two.w.pointers(out);
    two.result(out, 4);
    out.push_str("}\n");

    let name = format!("mgpu_pair_{first}_{second}");
    let words = one.w.words();
    let parameters: Vec<String> = one.w.parameters(&words).into_iter().map(|(ty, name)| ty + &name).collect();
    let _ = writeln!(
        out,
        "extern \"C\" __global__ void __launch_bounds__({THREADS}, 2) {name}({}, {}) {{",
        parameters.join(", "),
        declared("then_").join(", ")
    );
    one.w.pointers(out);
    let _ = writeln!(out, "    typedef mg_pair<{}, MG_PAIR_ROWS> Pair;", pair.terms);
    out.push_str("    extern __shared__ __align__(16) u8 room[];\n");
    // The rows behind the last block of the second nest, in blocks as long.
    let _ = writeln!(
        out,
        "    const i64 sums = then_hi0 - then_lo0;
    i64 block = (i64)blockIdx.x, from, to, length;
    mgpu_terms_{second}({given}, 0, from, to);
    length = to - from;
    if (block < sums) mgpu_terms_{second}({given}, block, from, to);
    else {{
        mgpu_terms_{second}({given}, sums - 1, from, to);
        from = to + (block - sums) * length;
        to = from + length < hi0 ? from + length : hi0;
    }}
    from -= lo0, to -= lo0;"
    );
    let whole = one.factor(out, "left", &pair.first.left, 0).replace(" + from", "");
    one.factor(out, "right", &pair.first.right, 1);
    out.push_str("    const auto results = [&](i64 x0, i64 x1, f32 value) {\n");
    one.result(out, 8);
    let _ = writeln!(out, "        return r{};\n    }};", a.nest.stores[pair.stored].value.0);
    let _ = writeln!(
        out,
        "    const auto then = [&](i64 x1, i64 x2, f32 value) {{ mgpu_result_{second}({given}, block, x1, x2, value); }};"
    );
    let _ = writeln!(
        out,
        "    Pair::run(room, left, right, results, then, from, (int)(to - from), hi1 - lo1, {whole}, block < sums);\n}}"
    );
    let (rows, line) = (64, if pair.terms <= 64 { 64 } else { 128 });
    let shared = 4 * (3 * rows * line + 2 * rows * pair::MOST_COLUMNS + pair.terms * pair::MOST_COLUMNS) as u32;
    debug_assert!(!words.contains(&Word::Rim), "products are not linked");
    Some(Pair { first, second, name, shared, pair })
}

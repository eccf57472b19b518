//! Float sums in a march: the lanes of a leaf over the threads of a group.

use std::fmt::Write;

use super::Marcher;
use crate::codegen::cuda::{leaves, reduce};
use crate::ir::kernel::Nest;

impl Marcher<'_> {
    /// Folds the lanes of each leaf over its threads.
    pub fn fold(&self, out: &mut String, threads: i64) {
        let (nest, v) = (self.w.nest, self.m.vector);
        for (r, _) in nest.reductions.iter().enumerate().filter(|(_, red)| reduce::ordered(nest, red)) {
            let mut s = threads / 2;
            while s > 0 {
                let _ = writeln!(
                    out,
                    "    #pragma unroll\n    for (int v = 0; v < {v}; v++) sum{r}[v] = sum{r}[v] + __shfl_down_sync(~0u, sum{r}[v], {s}, {threads});"
                );
                s /= 2;
            }
            let mut s = v / 2;
            while s > 0 {
                for q in 0..s {
                    let _ = writeln!(out, "    sum{r}[{q}] = sum{r}[{q}] + sum{r}[{}];", q + s);
                }
                s /= 2;
            }
            let leads = format!("!(threadIdx.x % {threads}) && leaf_live");
            if r == first_ordered(nest) {
                self.leaf_live(out, threads);
            }
            leaves::keep(out, nest, r, &format!("sum{r}[0]"), &leads, "0");
        }
    }

    /// Whether the leaf of this thread's group has a point: its first thread may stand before the part.
    fn leaf_live(&self, out: &mut String, threads: i64) {
        let v = self.m.vector;
        let rest = match self.m.dim {
            Some(_) => " && n > 0".to_string(),
            None => String::new(),
        };
        let _ = writeln!(
            out,
            "    const i64 leaf0 = c0 - (threadIdx.x % {threads}) * {v};\n    const bool leaf_live = leaf0 < cols{rest};"
        );
    }
}

fn first_ordered(nest: &Nest) -> usize {
    nest.reductions.iter().position(|r| reduce::ordered(nest, r)).unwrap_or(0)
}

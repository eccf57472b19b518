//! Where the threads of a march stand: blocks, rows of a thread, pointers.

use std::fmt::Write;

use super::{March, Marcher};
use crate::codegen::c_body::c_memory;
use crate::codegen::cuda::Placed;
use crate::ir::kernel::{Reg, Sym};

/// With fewer threads of four rows (a few thousand warps) than this, threads have four rows, and with fewer than
/// [`MANY_THREADS`] eight, in blocks of several rows of threads; with more, long rows of vectors are faster. Measured on an H200
/// with the 5-point stencil, 1024^2 to 16384^2.
const FEW_THREADS: i64 = 1 << 17;
const MANY_THREADS: i64 = 1 << 19;

impl March {
    /// The geometry for a nest; `aligned` are the groups that need aligned vectors.
    pub fn new(
        placed: &Placed,
        dim: Option<usize>,
        vector: i64,
        ordered: bool,
        lanes: i64,
        aligned: Vec<usize>,
    ) -> March {
        let nest = placed.nest;
        let last = nest.domain.rank() - 1;
        let vectors = placed.extent[last] / vector + 1;
        let wide = |most: i64| {
            (32..=most as u32).rev().find(|b| b.is_power_of_two() && *b as i64 <= vectors.max(32)).unwrap_or(32)
        };
        let mut m = March {
            vector,
            block: (256, 1),
            rows: 2,
            dim,
            row_step: 256 * vector,
            others: (0..last).filter(|d| Some(*d) != dim).collect(),
            anchored: ordered && dim.is_some(),
            leaf: None,
            lanes: if ordered { lanes } else { 1 },
            aligned,
            whole_vectors: placed.even[last] % vector == 0,
            whole_chunks: false,
        };
        let whole = |m: &March| m.dim.is_some_and(|d| placed.even[d] % m.rows == 0);
        if ordered {
            match dim {
                Some(d) => {
                    m.rows = nest.leaf[d];
                    m.block = (wide(128), 1);
                }
                None => {
                    m.leaf = Some((nest.leaf[last], lanes / vector));
                    m.row_step = lanes;
                    m.rows = nest.leaf[last] / lanes;
                }
            }
            m.whole_chunks = whole(&m);
            return m;
        }
        if dim.is_some() {
            let points: i64 = placed.extent.iter().product();
            let threads = points / vector / 4;
            let block = |bx: u32, all: u32| (bx, all / bx);
            (m.block, m.rows) = match m.others[..] {
                [] if threads < FEW_THREADS => (block(32, 256), 4),
                [] if threads < MANY_THREADS => (block(32, 128), 8),
                [] => (block(wide(128), 128), 4),
                _ if threads < 8 * MANY_THREADS => (block(32, 256), 8),
                _ => (block(32, 128), 32),
            };
        }
        m.whole_chunks = whole(&m);
        m
    }

    /// The lanes of a warp stand in several rows where a row has few vectors. For nests that read nothing beside their vectors.
    pub fn in_narrow_rows(mut self, placed: &Placed) -> March {
        let vectors = placed.extent.last().map_or(0, |n| n / self.vector);
        if self.dim.is_some() && self.others.is_empty() && self.whole_vectors && !self.anchored && vectors <= 16 {
            let bx = (vectors.max(1) as u32).next_power_of_two();
            self.block = (bx, self.block.0 * self.block.1 / bx);
        }
        self
    }

    /// Whether the lanes of a warp go through their rows together.
    pub fn in_step(&self) -> bool {
        self.dim.is_some() && (self.block.0 >= 32 || self.whole_chunks)
    }
}

impl Marcher<'_> {
    /// Which vector, rows and other indices this thread has; `live` says whether they lie in the part.
    pub fn place(&self, out: &mut String) {
        let (m, last) = (&self.m, self.w.nest.domain.rank() - 1);
        let v = m.vector;
        let (bx, by) = m.block;
        let shift = if m.whole_vectors { "" } else { " - (col)shift" };
        let _ = writeln!(out, "    const int X = (int)(blockIdx.x * {bx} + threadIdx.x);");
        let mut live = vec!["c0 < cols".to_string()];
        match (m.dim, m.leaf) {
            (None, Some((leaf, threads))) => {
                let shift = leaf.trailing_zeros();
                let _ = writeln!(
                    out,
                    "    const i64 first = lo{last} >> {shift};\n    const i64 c0 = ((first + X / {threads}) << {shift}) - lo{last} + (X % {threads}) * {v};"
                );
                let _ = writeln!(out, "    const int n = {};", m.rows);
            }
            (None, None) => {
                let _ = writeln!(
                    out,
                    "    const i64 c0 = ((i64)blockIdx.x * {} + threadIdx.x) * {v}{shift};\n    const int n = {};",
                    bx as i64 * m.rows,
                    m.rows
                );
            }
            (Some(d), _) => {
                let _ = writeln!(out, "    const col c0 = X * {v}{shift};");
                self.chunk(out, d, by, &mut live);
            }
        }
        let _ = writeln!(out, "    const bool live = {};", live.join(" && "));
        if m.dim.is_some() {
            out.push_str("    const u32 warp = __ballot_sync(~0u, live);\n");
            let _ = writeln!(
                out,
                "    const bool warp_first = (threadIdx.x & 31) == 0, warp_last = (threadIdx.x & 31) == 31 || c0 + {v} >= cols;"
            );
        }
    }

    /// The rows `x_d .. x_d + n` and the other indices.
    fn chunk(&self, out: &mut String, d: usize, by: u32, live: &mut Vec<String>) {
        let m = &self.m;
        let (mut y, mut z) = ("blockIdx.y", "blockIdx.z");
        if self.linked {
            let (name, axis) = if m.others.is_empty() { (&mut y, "y") } else { (&mut z, "z") };
            let _ = writeln!(out, "    const u32 block_{axis} = mg_ends_first(blockIdx.{axis}, gridDim.{axis});");
            *name = if axis == "y" { "block_y" } else { "block_z" };
        }
        let _ = writeln!(out, "    const i64 Y = (i64){y} * {by} + threadIdx.y;\n    i64 Z = {z};");
        let (others, inner) = m.others.split_at(m.others.len().saturating_sub(1));
        for o in others.iter().rev() {
            let _ = writeln!(out, "    const i64 x{o} = Z % (hi{o} - lo{o}); Z /= hi{o} - lo{o};");
        }
        let chunk = match inner.first() {
            Some(o) => {
                let _ = writeln!(out, "    const i64 x{o} = Y;");
                live.push(format!("x{o} < hi{o} - lo{o}"));
                "Z"
            }
            None => "Y",
        };
        let rows = m.rows;
        if m.whole_chunks {
            let _ = writeln!(out, "    const i64 x{d} = {chunk} * {rows};\n    const int n = {rows};");
            live.push(format!("x{d} < hi{d} - lo{d}"));
            return;
        }
        if m.anchored {
            let shift = rows.trailing_zeros();
            let _ = writeln!(
                out,
                "    const i64 from = ((lo{d} >> {shift}) + {chunk}) << {shift};\n    const i64 x{d} = (from > lo{d} ? from : lo{d}) - lo{d};"
            );
            let _ = writeln!(
                out,
                "    const i64 end = from + {rows} < hi{d} ? from + {rows} : hi{d};\n    const int n = (int)(end - lo{d} - x{d});"
            );
        } else {
            let _ = writeln!(
                out,
                "    const i64 x{d} = {chunk} * {rows};\n    const i64 left = hi{d} - lo{d} - x{d};\n    const int n = left < {rows} ? (int)left : {rows};"
            );
        }
        live.push("n > 0".into());
    }

    /// Where each family's row 0, column 0 of this thread lies.
    pub fn pointers(&self, out: &mut String) {
        let last = self.w.nest.domain.rank() - 1;
        for g in 0..self.w.groups.len() {
            if !self.w.groups[g].marched {
                continue;
            }
            let mut at = vec!["c0".to_string()];
            for d in 0..last {
                let step = self.w.step(g, Sym::Dim(d));
                if step != 0 {
                    at.push(format!("x{d} * {step}LL"));
                }
            }
            self.other_folds(g, &mut at);
            let ty = c_memory(self.w.memory_ty(g));
            let (constant, restrict) = (
                if self.w.groups[g].store { "" } else { "const " },
                if self.w.aliased(g) || self.linked { "" } else { "__restrict__ " },
            );
            let _ = writeln!(out, "    {constant}{ty} *{restrict}q{g} = p{g} + ({});", at.join(" + "));
            self.ends(out, g);
            self.column_ends(out, g);
        }
    }

    /// What edge rules add to a family's pointer in dimensions besides the rows' and the last.
    fn other_folds(&self, g: usize, at: &mut Vec<String>) {
        let nest = self.w.nest;
        let last = nest.domain.rank() - 1;
        // All accesses of a family agree in these.
        let Some(k) = (0..nest.accesses.len()).find(|k| self.w.routes[*k].0 == g) else { return };
        let other = |s: usize| {
            let a = &nest.accesses[k].index[s];
            a.coef(Sym::Dim(last)) == 0 && self.m.dim.is_none_or(|d| a.coef(Sym::Dim(d)) == 0)
        };
        let text = self.w.folded(k, &other, &|_: Reg| String::new());
        if !text.is_empty() {
            at.push(text.trim_start_matches(" + ").to_string());
        }
    }

    /// Where rows and columns of the array end, seen from this thread's.
    fn ends(&self, out: &mut String, g: usize) {
        let last = self.w.nest.domain.rank() - 1;
        if let (Some(f), Some(d)) = (self.families[g].row_fold, self.m.dim) {
            let ty = row_ty(f.extent);
            let _ = writeln!(
                out,
                "    const {ty} rl{g} = ({ty})-(lo{d} + x{d}), rh{g} = ({ty})({}LL - (lo{d} + x{d}));",
                f.extent
            );
        }
        if let (Some(f), Some(_)) = (self.mending(g), self.m.dim) {
            let v = self.m.vector;
            let _ =
                writeln!(out, "    const bool across{g} = lo{last} + c0 < 0 || lo{last} + c0 + {v} > {}LL;", f.extent);
        }
    }
}

/// The type that row numbers of a dimension fit in.
pub fn row_ty(extent: i64) -> &'static str {
    if extent < 1 << 29 { "int" } else { "i64" }
}

//! The fast form: a thread owns a vector of neighbours along the last dimension and marches over rows of another one,
//! carrying the rows that its stencil reads in registers.
//!
//! Input: a nest whose stores, and the reads worth vectors, have the last domain dimension as their last subscript with
//! coefficient 1. At run time all of them must be aligned alike ([`Word::Shift`]); otherwise the general kernel runs.
//!
//! ```text
//! next[i, j] = u[i, j] + a * (u[i-1, j] + u[i+1, j] + u[i, j-1] + u[i, j+1] - 4 * u[i, j])
//!
//! load rows -1 and 0 of u          16 bytes each
//! for 4 rows: load row r + 1; 4 points from rows r-1, r, r+1 and the two elements beside; store 16 bytes
//! ```
//!
//! Float sums keep the order of `exact_sum`: the march covers the rows of a leaf, a lane is a column of a vector.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::codegen::c_body::{Surroundings, c_memory, c_ty};
use crate::codegen::cuda::body::Writer;
use crate::codegen::cuda::{Form, Group, Kernel, Placed, Word, leaves, reduce};
use crate::ir::kernel::{AccessId, Affine, FoldOp, Inst, Nest, Op, OperandId, Reg, ScalarId, Sym};
use crate::ir::ty::Ty;

/// Bytes of a vector.
const VECTOR: i64 = 16;

/// The geometry of a march, from which the host computes the grid.
#[derive(Clone, Debug)]
pub struct March {
    /// Elements of a vector.
    pub vector: i64,
    /// Threads of a block along the vectors and along the next dimension.
    pub block: (u32, u32),
    /// Rows of a thread.
    pub rows: i64,
    /// The dimension of the rows; `None` in one dimension, where rows are `row_step` elements apart.
    pub dim: Option<usize>,
    pub row_step: i64,
    /// Dimensions besides the rows' and the last, outermost first.
    pub others: Vec<usize>,
    /// Chunks of rows begin at multiples of `rows` (leaves of a sum).
    pub anchored: bool,
    /// In one dimension with ordered sums: elements of a leaf, which `leaf_threads` threads share.
    pub leaf: Option<(i64, i64)>,
    /// Lanes of an ordered sum: the first vector must begin at a multiple.
    pub lanes: i64,
    /// Groups whose first vector must be aligned.
    pub aligned: Vec<usize>,
}

/// One array's accesses that differ by constants along the rows and the last dimension.
struct Family {
    /// Row offsets and column offsets of its reads.
    reads: BTreeSet<(i64, i64)>,
    /// Rows kept in registers, from the lowest to the highest offset; empty if none is worth it.
    window: Option<(i64, i64)>,
}

struct Marcher<'a> {
    w: Writer<'a>,
    m: March,
    families: Vec<Family>,
    /// Row and column offset of each access and store; `None` for reads of any other form.
    offsets: Vec<Option<(i64, i64)>>,
    /// Points outside the part must not run: their reads or tables could be out of bounds.
    guarded: bool,
}

/// Appends the fast kernel of a nest, if it has one.
pub fn write(out: &mut String, number: usize, placed: &Placed, moving: &BTreeSet<ScalarId>) -> Option<Kernel> {
    let m = Marcher::new(placed, moving)?;
    let name = format!("mgpu_fast_{number}");
    let mut words = m.w.words();
    words.push(Word::Shift);
    if !placed.nest.stores.is_empty() {
        words.extend([Word::Pieces, Word::PieceCount]);
        let rank = placed.nest.domain.rank();
        words.extend((0..rank).flat_map(|d| [Word::InnerLo(d), Word::InnerHi(d)]));
    }
    m.kernel(out, &name, &words);
    let stores = m.w.routes[placed.nest.accesses.len()..].iter().map(|r| r.0).collect();
    Some(Kernel { name, words, groups: m.w.groups, stores, form: Form::March(m.m) })
}

impl<'a> Marcher<'a> {
    fn new(placed: &'a Placed<'a>, moving: &'a BTreeSet<ScalarId>) -> Option<Marcher<'a>> {
        let nest = placed.nest;
        let last = nest.domain.rank().checked_sub(1)?;
        let ordered = reduce::any_ordered(nest);
        if nest.domain.rank() > 4 || nest.operands.is_empty() || ordered && last > 1 {
            return None;
        }
        let products = nest.reductions.iter().any(|r| reduce::ordered(nest, r) && r.op == FoldOp::Prod);
        let lanes = leaves::lanes(nest);
        if products || ordered && last == 1 && nest.leaf[1] > 64 {
            return None;
        }
        let dim = march_dim(nest, ordered);
        // Reads under a condition and those of another form stay as they are.
        let mut offsets: Vec<Option<(i64, i64)>> = vec![];
        for a in &nest.accesses {
            let plain = a.within == nest.domain && a.counters.is_empty();
            offsets.push(if plain { offset(nest, a.operand, &a.index, dim) } else { None });
        }
        for s in &nest.stores {
            offsets.push(Some(offset(nest, s.operand, &s.index, dim)?));
        }
        if offsets.iter().all(|o| o.is_none()) {
            return None;
        }
        let mut w = Writer { nest, placed, moving, groups: vec![], routes: vec![] };
        let all = nest.accesses.iter().map(|a| (a.operand, a.index.clone(), false));
        let all = all.chain(nest.stores.iter().map(|s| (s.operand, s.index.clone(), true)));
        for ((operand, index, store), offset) in all.zip(&offsets) {
            let route = route(&mut w, operand, index, store, offset.is_some());
            w.routes.push(route);
        }
        let size = sizes(nest, &offsets).max()? as i64;
        let vector = VECTOR / size;
        if ordered && (lanes < vector || lanes % vector != 0) {
            return None;
        }
        let mut families: Vec<Family> =
            w.groups.iter().map(|_| Family { reads: BTreeSet::new(), window: None }).collect();
        for (k, o) in offsets.iter().enumerate().take(nest.accesses.len()) {
            if let Some(o) = o {
                families[w.routes[k].0].reads.insert(*o);
            }
        }
        for f in &mut families {
            let near: Vec<i64> = f.reads.iter().filter(|o| o.1.abs() < vector).map(|o| o.0).collect();
            f.window = near.iter().min().zip(near.iter().max()).map(|(a, b)| (*a, *b));
        }
        let aligned: Vec<usize> =
            (0..w.groups.len()).filter(|g| families[*g].window.is_some() || w.groups[*g].store).collect();
        // A store whose column offset is no multiple of a vector would be split.
        let stores = nest.accesses.len()..offsets.len();
        if offsets[stores].iter().flatten().any(|o| o.1 % vector != 0) {
            return None;
        }
        // Rows that are not whole vectors apart would be misaligned.
        let steps = |g: usize| (0..last).map(move |d| (g, d));
        let odd = |(g, d): (usize, usize)| w.step(g, Sym::Dim(d)) % vector != 0;
        // Scalars move whole addresses; the host does not know their values.
        let moved = |g: &usize| {
            let terms = w.groups[*g].index.iter().flat_map(|a| &a.terms);
            terms.clone().any(|(s, _)| matches!(s, Sym::Scalar(_)) && w.step(*g, *s) % vector != 0)
        };
        if aligned.iter().any(moved) {
            return None;
        }
        if aligned.iter().flat_map(|g| steps(*g)).any(odd) {
            return None;
        }
        let guarded =
            offsets.iter().any(|o| o.is_none()) || reads_tables(&nest.code.body) || !nest.reductions.is_empty();
        let m = geometry(placed, dim, vector, ordered, lanes, aligned);
        Some(Marcher { w, m, families, offsets, guarded })
    }

    fn kernel(&self, out: &mut String, name: &str, words: &[Word]) {
        let (nest, m) = (self.w.nest, &self.m);
        let threads = m.block.0 * m.block.1;
        self.w.head(out, name, words, &format!("__launch_bounds__({threads})"));
        reduce::declare(out, nest);
        let last = nest.domain.rank() - 1;
        // Columns fit in 32 bits but in one dimension.
        let index = if last == 0 { "i64" } else { "int" };
        let _ = writeln!(out, "    typedef {index} col;\n    const col cols = (col)(hi{last} - lo{last});");
        self.place(out);
        self.pointers(out);
        self.rows(out);
        if !nest.stores.is_empty() {
            self.extras(out);
        }
        if let Some((_, leaf_threads)) = m.leaf.or(m.anchored.then_some((0, m.lanes / m.vector))) {
            self.fold(out, leaf_threads);
        }
        reduce::flush(out, nest);
        out.push_str("}\n");
    }

    /// Which vector, rows and other indices this thread has; `live` says whether they lie in the part.
    fn place(&self, out: &mut String) {
        let (m, last) = (&self.m, self.w.nest.domain.rank() - 1);
        let v = m.vector;
        let (bx, by) = m.block;
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
                    "    const i64 c0 = ((i64)blockIdx.x * {} + threadIdx.x) * {v} - shift;\n    const int n = {};",
                    bx as i64 * m.rows,
                    m.rows
                );
            }
            (Some(d), _) => {
                let _ = writeln!(out, "    const col c0 = X * {v} - (int)shift;");
                self.chunk(out, d, by, &mut live);
            }
        }
        let _ = writeln!(out, "    const bool live = {};", live.join(" && "));
    }

    /// The rows `x_d .. x_d + n` and the other indices.
    fn chunk(&self, out: &mut String, d: usize, by: u32, live: &mut Vec<String>) {
        let m = &self.m;
        let _ = writeln!(out, "    const i64 Y = (i64)blockIdx.y * {by} + threadIdx.y;");
        out.push_str("    i64 Z = blockIdx.z;\n");
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
    fn pointers(&self, out: &mut String) {
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
            let ty = c_memory(self.w.memory_ty(g));
            let (constant, restrict) = (
                if self.w.groups[g].store { "" } else { "const " },
                if self.w.aliased(g) { "" } else { "__restrict__ " },
            );
            let _ = writeln!(out, "    {constant}{ty} *{restrict}q{g} = p{g} + ({});", at.join(" + "));
        }
    }

    fn row_step(&self, g: usize) -> i64 {
        match self.m.dim {
            Some(d) => self.w.step(g, Sym::Dim(d)),
            None => self.m.row_step,
        }
    }

    fn windows(&self) -> impl Iterator<Item = (usize, (i64, i64))> + '_ {
        self.families.iter().enumerate().filter_map(|(g, f)| f.window.map(|w| (g, w)))
    }

    fn load_row(&self, out: &mut String, g: usize, slot: &str, row: &str, indent: usize) {
        let _ = writeln!(out, "{:indent$}mg_get(w{g}[{slot}], q{g} + (i64)({row}) * {}LL);", "", self.row_step(g));
    }

    fn rows(&self, out: &mut String) {
        let (nest, m) = (self.w.nest, &self.m);
        let unroll = self.unroll();
        for (g, (lo, hi)) in self.windows() {
            let ty = c_memory(self.w.memory_ty(g));
            let _ = writeln!(out, "    mg_vec<{ty}, {}> w{g}[{}];", m.vector, unroll + hi - lo);
        }
        for (r, red) in nest.reductions.iter().enumerate().filter(|(_, red)| reduce::ordered(nest, red)) {
            let zeros = vec!["0"; m.vector as usize].join(", ");
            let _ = writeln!(out, "    {} sum{r}[{}] = {{{zeros}}};", c_ty(reduce::ty(nest, red)), m.vector);
        }
        out.push_str("    if (live) {\n");
        for (g, (lo, hi)) in self.windows() {
            for k in lo..hi {
                self.load_row(out, g, &(k - lo).to_string(), &k.to_string(), 8);
            }
        }
        let more = if unroll < m.rows { "n" } else { "1" };
        let _ = writeln!(out, "    for (int first_row = 0; first_row < {more}; first_row += {unroll}) {{");
        let _ = writeln!(out, "        #pragma unroll\n        for (int u = 0; u < {unroll}; u++) {{");
        self.condition(out, 12);
        for (g, (lo, hi)) in self.windows() {
            self.load_row(out, g, &format!("u + {}", hi - lo), &format!("first_row + u + {hi}"), 16);
        }
        out.push_str("            }\n        }\n");
        let _ = writeln!(out, "        #pragma unroll\n        for (int u = 0; u < {unroll}; u++) {{");
        self.condition(out, 12);
        out.push_str("            const int r = first_row + u;\n");
        self.vector(out);
        out.push_str("            }\n        }\n");
        if unroll < m.rows {
            for (g, (lo, hi)) in self.windows().filter(|(_, (lo, hi))| lo < hi) {
                let _ = writeln!(
                    out,
                    "        #pragma unroll\n        for (int k = 0; k < {}; k++) w{g}[k] = w{g}[k + {unroll}];",
                    hi - lo
                );
            }
        }
        out.push_str("    }\n    }\n");
    }

    /// Rows whose loads are in flight together.
    fn unroll(&self) -> i64 {
        let most = match self.m.dim {
            Some(_) if !self.m.others.is_empty() => 1,
            Some(_) if self.m.anchored => 4,
            _ => 8,
        };
        self.m.rows.min(most)
    }

    /// Opens the block of a row that the part has.
    fn condition(&self, out: &mut String, indent: usize) {
        let step = self.m.row_step;
        let inside = match self.m.dim {
            Some(_) => "first_row + u < n".to_string(),
            None => format!("c0 + (i64)(first_row + u) * {step} < cols"),
        };
        let _ = writeln!(out, "{:indent$}if ({inside}) {{", "");
    }

    /// The points of one vector: values, stores, sums.
    fn vector(&self, out: &mut String) {
        let (nest, m) = (self.w.nest, &self.m);
        let last = nest.domain.rank() - 1;
        let v = m.vector;
        for (s, store) in nest.stores.iter().enumerate() {
            let ty = c_memory(nest.operands[store.operand.0 as usize].ty);
            let _ = writeln!(out, "            mg_vec<{ty}, {v}> out{s};");
        }
        let column = match m.dim {
            Some(_) => "c0".to_string(),
            None => format!("(c0 + (i64)r * {})", m.row_step),
        };
        let _ = writeln!(out, "            const col c = {column};");
        let _ = writeln!(out, "            #pragma unroll\n            for (int v = 0; v < {v}; v++) {{");
        let _ = writeln!(out, "                const i64 x{last} = c + v;");
        if let Some(d) = m.dim {
            let _ = writeln!(out, "                const i64 y{d} = x{d} + r;");
        }
        if self.guarded {
            let _ = writeln!(out, "                if (x{last} < 0 || x{last} >= cols) continue;");
        }
        self.w.point(out, self, 16);
        for (s, store) in nest.stores.iter().enumerate() {
            let _ = writeln!(out, "                out{s}.v[v] = r{};", store.value.0);
        }
        reduce::feed(out, nest, 16);
        for (r, red) in nest.reductions.iter().enumerate().filter(|(_, red)| reduce::ordered(nest, red)) {
            let _ = writeln!(out, "                sum{r}[v] = sum{r}[v] + r{};", red.value.0);
        }
        out.push_str("            }\n");
        self.store(out);
    }

    fn store(&self, out: &mut String) {
        let v = self.m.vector;
        for s in 0..self.w.nest.stores.len() {
            let at = self.stored_at(s);
            let _ = writeln!(
                out,
                "            if (c >= 0 && c + {v} <= cols) mg_put({at}, out{s});\n            else for (int v = 0; v < {v}; v++) if (c + v >= 0 && c + v < cols) ({at})[v] = out{s}.v[v];"
            );
        }
    }

    /// The points of this thread's block: low and high local index of each dimension, clipped to the part.
    fn block_box(&self) -> Vec<(String, String)> {
        let (nest, m) = (self.w.nest, &self.m);
        let last = nest.domain.rank() - 1;
        let (bx, by) = (m.block.0 as i64, m.block.1 as i64);
        let width = bx * m.vector;
        let mut out: Vec<(String, String)> = (0..last).map(|d| (format!("x{d}"), format!("x{d} + 1"))).collect();
        if let Some(d) = m.dim {
            out[d] = match m.others.last() {
                Some(o) => {
                    out[*o] = (format!("(i64)blockIdx.y * {by}"), format!("(i64)blockIdx.y * {by} + {by}"));
                    (format!("x{d}"), format!("x{d} + n"))
                }
                None => {
                    let begin = if m.anchored {
                        let shift = m.rows.trailing_zeros();
                        format!("((((lo{d} >> {shift}) + (i64)blockIdx.y * {by}) << {shift}) - lo{d})")
                    } else {
                        format!("(i64)blockIdx.y * {}", by * m.rows)
                    };
                    (begin.clone(), format!("{begin} + {}", by * m.rows))
                }
            };
        }
        let wide = if m.dim.is_some() { width } else { width * m.rows };
        let begin = match m.leaf {
            Some((leaf, threads)) => {
                let leaves = bx / threads;
                let begin = format!("((first + (i64)blockIdx.x * {leaves}) * {leaf} - lo{last})");
                out.push((begin.clone(), format!("{begin} + {}", leaves * leaf)));
                return out;
            }
            None => format!("((i64)blockIdx.x * {wide} - shift)"),
        };
        out.push((begin.clone(), format!("{begin} + {wide}")));
        out
    }

    /// Copies of elements near the edges of the part, for ghost cells: read again behind the sweep by the whole block, which
    /// costs blocks inside of the part nothing.
    fn extras(&self, out: &mut String) {
        let nest = self.w.nest;
        out.push_str("    if (piece_count) {\n        __syncthreads();\n");
        let mut outside = vec![];
        let mut there = vec![];
        let mut ranges = vec![];
        for (d, (from, to)) in self.block_box().into_iter().enumerate() {
            let _ = writeln!(
                out,
                "        i64 bf{d} = {from}, bt{d} = {to};\n        if (bf{d} < 0) bf{d} = 0;\n        if (bt{d} > hi{d} - lo{d}) bt{d} = hi{d} - lo{d};"
            );
            outside.push(format!("bf{d} < inner_lo{d} || bt{d} > inner_hi{d}"));
            there.push(format!("bf{d} < bt{d}"));
            ranges.push((format!("bf{d}"), format!("bt{d}")));
        }
        let _ = writeln!(out, "        if ({} && ({})) {{", there.join(" && "), outside.join(" || "));
        let last = outside.len() - 1;
        let faces = if last == 0 { "false".to_string() } else { outside[..last].join(" || ") };
        let _ = writeln!(out, "            const bool faces = {faces};");
        for (s, store) in nest.stores.iter().enumerate() {
            let ends = |high: bool| {
                store.index.iter().map(|a| self.subscript(a, &ranges, high)).collect::<Vec<_>>().join(", ")
            };
            let route = nest.accesses.len() + s;
            let g = self.w.routes[route].0;
            let (row, col) = self.offsets[route].unwrap_or((0, 0));
            let mut at = vec![format!("{row}LL * {}LL + {col}", self.row_step(g))];
            for d in 0..nest.domain.rank() {
                at.push(format!("bf{d} * {}LL", self.w.step(g, Sym::Dim(d))));
            }
            let (rank, operand) = (store.index.len(), store.operand.0 as usize);
            let ty = c_memory(nest.operands[operand].ty);
            let strides: Vec<String> = self.w.placed.strides[operand].iter().map(|s| format!("{s}LL")).collect();
            let _ = writeln!(
                out,
                "            {{ const i64 from[{rank}] = {{{}}}, to[{rank}] = {{{}}}, stride[{rank}] = {{{}}};\n              mg_extra<{ty}, {rank}>((int)pieces, (int)piece_count, {s}, faces, from, to, p{g} + ({}), stride); }}",
                ends(false),
                ends(true),
                strides.join(", "),
                at.join(" + ")
            );
        }
        out.push_str("        }\n    }\n");
    }

    /// The address of a store's vector in row `r`.
    fn stored_at(&self, s: usize) -> String {
        let route = self.w.nest.accesses.len() + s;
        let g = self.w.routes[route].0;
        let (row, col) = self.offsets[route].unwrap_or((0, 0));
        format!("q{g} + ((i64)(r + {row}) * {}LL + {col})", self.row_step(g))
    }

    /// A store's subscript in global indices, at one end of the ranges of local indices; coefficients are 0 or 1. The high
    /// end of a subscript without an index lies one further.
    fn subscript(&self, a: &Affine, ranges: &[(String, String)], high: bool) -> String {
        let mut text = format!("{}LL", a.konst);
        let mut ranged = false;
        for (sym, c) in &a.terms {
            let what = match sym {
                Sym::Dim(d) => {
                    ranged = true;
                    format!("(lo{d} + ({}))", if high { &ranges[*d].1 } else { &ranges[*d].0 })
                }
                Sym::Scalar(s) => format!("(i64){}", self.w.word(*s)),
                Sym::Counter(_) => "0".into(),
            };
            let _ = write!(text, " + {what} * {c}");
        }
        if high && !ranged { text + " + 1" } else { text }
    }

    /// Folds the lanes of each leaf over its threads.
    fn fold(&self, out: &mut String, threads: i64) {
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

impl Surroundings for Marcher<'_> {
    fn ty(&self, r: Reg) -> Ty {
        self.w.nest.code.regs[r.0 as usize]
    }
    fn load(&self, access: AccessId, name: &dyn Fn(Reg) -> String) -> String {
        let k = access.0 as usize;
        let Some((row, col)) = self.offsets[k] else {
            return self.w.loaded(access, self.any_element(k, name));
        };
        let g = self.w.routes[k].0;
        let beside = format!("q{g}[(i64)(r + {row}) * {}LL + v + {col}]", self.row_step(g));
        let text = match self.families[g].window {
            Some((lo, _)) if col == 0 => format!("w{g}[u + {}].v[v]", row - lo),
            Some((lo, _)) if col.abs() < self.m.vector => {
                let v = self.m.vector;
                format!(
                    "(v + {col} >= 0 && v + {col} < {v} ? w{g}[u + {}].v[(v + {col}) & {}] : {beside})",
                    row - lo,
                    v - 1
                )
            }
            _ => beside,
        };
        self.w.loaded(access, text)
    }
    fn index(&self, dim: usize) -> String {
        if self.m.dim == Some(dim) { format!("(lo{dim} + y{dim})") } else { format!("(lo{dim} + x{dim})") }
    }
    fn scalar(&self, id: ScalarId) -> String {
        self.w.word(id)
    }
}

impl Marcher<'_> {
    /// An access of another form, with the row's own index.
    fn any_element(&self, route: usize, name: &dyn Fn(Reg) -> String) -> String {
        let text = self.w.element(route, name);
        match self.m.dim {
            Some(d) => text.replace(&format!("(i64)x{d} *"), &format!("(i64)y{d} *")),
            None => text,
        }
    }
}

/// The row and column offset of an access: each subscript is one index of its own with coefficient 1, the last domain
/// dimension is the last subscript, and nothing but constants and scalars is added.
fn offset(nest: &Nest, operand: OperandId, index: &[Affine], dim: Option<usize>) -> Option<(i64, i64)> {
    let last = nest.domain.rank() - 1;
    let (tail, others) = index.split_last()?;
    let dims = |a: &Affine| -> Option<Vec<(usize, i64)>> {
        let mut out = vec![];
        for (s, c) in &a.terms {
            match s {
                Sym::Dim(d) => out.push((*d, *c)),
                Sym::Scalar(_) => {}
                Sym::Counter(_) => return None,
            }
        }
        Some(out)
    };
    // A scalar beside the last index could begin anywhere in a vector.
    let aligned = tail.terms.iter().all(|t| matches!(t.0, Sym::Dim(_)));
    if !aligned || dims(tail)? != [(last, 1)] || nest.operands[operand.0 as usize].rank != index.len() {
        return None;
    }
    let mut row = 0;
    for a in others {
        match dims(a)?[..] {
            [] => {}
            [(d, 1)] if d != last => {
                if dim == Some(d) {
                    row = a.konst;
                }
            }
            _ => return None,
        }
    }
    Some((row, tail.konst))
}

/// The group of an access; constants of the rows and columns are left out of marched ones.
fn route(w: &mut Writer, operand: OperandId, mut index: Vec<Affine>, store: bool, marched: bool) -> (usize, i64) {
    let strides = w.placed.strides[operand.0 as usize].clone();
    let mut konst = 0;
    if marched {
        // Constants of further dimensions make families of their own; those of rows and columns do not.
        let dim = march_dim(w.nest, reduce::any_ordered(w.nest));
        let n = index.len();
        for (k, a) in index.iter_mut().enumerate() {
            if k + 1 == n || dim.is_some_and(|d| a.coef(Sym::Dim(d)) == 1) {
                a.konst = 0;
            }
        }
    } else {
        konst = index.iter().zip(&strides).map(|(a, s)| a.konst.wrapping_mul(*s)).fold(0i64, i64::wrapping_add);
        index.iter_mut().for_each(|a| a.konst = 0);
    }
    let same = |g: &Group| g.operand == operand && g.index == index && g.store == store && g.marched == marched;
    let at = w.groups.iter().position(same);
    let at = at.unwrap_or_else(|| {
        w.groups.push(Group { operand, index, store, marched });
        w.groups.len() - 1
    });
    (at, konst)
}

/// The dimension to march along: the outermost one in which the nest reads neighbours, else the one before the last.
fn march_dim(nest: &Nest, ordered: bool) -> Option<usize> {
    let last = nest.domain.rank() - 1;
    if last == 0 {
        return None;
    }
    if ordered {
        return Some(last - 1);
    }
    let mut consts: BTreeMap<usize, BTreeSet<i64>> = BTreeMap::new();
    for a in nest.accesses.iter().flat_map(|a| &a.index) {
        if let [(Sym::Dim(d), 1)] = a.terms[..] {
            consts.entry(d).or_default().insert(a.konst);
        }
    }
    (0..last).find(|d| consts.get(d).is_some_and(|c| c.len() > 1)).or(Some(last - 1))
}

/// Sizes of the elements that move as vectors.
fn sizes<'n>(nest: &'n Nest, offsets: &'n [Option<(i64, i64)>]) -> impl Iterator<Item = usize> + 'n {
    let operands = nest.accesses.iter().map(|a| a.operand).chain(nest.stores.iter().map(|s| s.operand));
    operands.zip(offsets).filter(|(_, o)| o.is_some()).map(|(o, _)| nest.operands[o.0 as usize].ty.size().max(4))
}

fn reads_tables(insts: &[Inst]) -> bool {
    insts.iter().any(|i| match i {
        Inst::Op { op, .. } => matches!(op, Op::Table { .. }),
        Inst::If { then, otherwise, .. } => reads_tables(then) || reads_tables(otherwise),
        Inst::Loop { body, .. } => reads_tables(body),
        Inst::Break => false,
    })
}

fn geometry(placed: &Placed, dim: Option<usize>, vector: i64, ordered: bool, lanes: i64, aligned: Vec<usize>) -> March {
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
    };
    if ordered {
        match dim {
            Some(d) => {
                m.rows = nest.leaf[d];
                m.block = (wide(256), 1);
            }
            None => {
                m.leaf = Some((nest.leaf[last], lanes / vector));
                m.row_step = lanes;
                m.rows = nest.leaf[last] / lanes;
            }
        }
        return m;
    }
    if dim.is_some() {
        let bx = if m.others.is_empty() { wide(256) } else { 32 };
        m.block = (bx, 256 / bx);
        m.rows = if m.others.is_empty() { 4 } else { 8 };
    }
    m
}

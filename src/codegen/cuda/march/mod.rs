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
//! The elements beside come from the neighbouring threads of the warp. Rows and columns past the ends of the array are those
//! that the edge rule names ([`Fold`]).
//!
//! Float sums keep the order of `exact_sum`: the march covers the rows of a leaf, a lane is a column of a vector.

mod families;
mod place;
mod rows;
mod sums;

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::codegen::c_body::Surroundings;
use crate::codegen::cuda::body::Writer;
use crate::codegen::cuda::{Fold, Form, Kernel, Placed, Word, leaves, reduce};
use crate::ir::kernel::{AccessId, FoldOp, Inst, Op, Reg, ScalarId, Sym};
use crate::ir::ty::Ty;
use families::{march_dim, offset, route, sizes, width};

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
    /// Vectors cover the columns of every part exactly, and chunks of rows its rows.
    pub whole_vectors: bool,
    pub whole_chunks: bool,
}

/// One array's accesses that differ by constants along the rows and the last dimension.
#[derive(Default)]
struct Family {
    /// Row offsets and column offsets of its reads.
    reads: BTreeSet<(i64, i64)>,
    /// Rows kept in registers, from the lowest to the highest offset; empty if none is worth it.
    window: Option<(i64, i64)>,
    /// How rows and columns past the ends of the array are found, if reads can go there.
    row_fold: Option<Fold>,
    column_fold: Option<Fold>,
}

struct Marcher<'a> {
    w: Writer<'a>,
    m: March,
    families: Vec<Family>,
    /// Row and column offset of each access and store; `None` for reads of any other form.
    offsets: Vec<Option<(i64, i64)>>,
    /// Points outside the part must not run: their reads or tables could be out of bounds.
    guarded: bool,
    /// The kernel waits for messages and delivers its own: [`Word::Rim`].
    linked: bool,
}

/// Appends the fast kernel of a nest, if it has one, and the one that is linked with other ranks.
pub fn write(
    out: &mut String,
    number: usize,
    placed: &Placed,
    moving: &BTreeSet<ScalarId>,
) -> Option<(Kernel, Option<Kernel>)> {
    let mut m = Marcher::new(placed, moving)?;
    let name = format!("mgpu_fast_{number}");
    let mut words = m.w.words();
    words.push(Word::Shift);
    m.kernel(out, &name, &words);
    let mut linked = None;
    if placed.linked && m.m.dim.is_some() {
        m.linked = true;
        let name = format!("mgpu_linked_{number}");
        let words: Vec<Word> = words.iter().copied().chain([Word::Rim]).collect();
        m.kernel(out, &name, &words);
        linked = Some(Kernel { name, words, groups: m.w.groups.clone(), form: Form::March(m.m.clone()) });
    }
    Some((Kernel { name, words, groups: m.w.groups, form: Form::March(m.m) }, linked))
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
        for (a, folds) in nest.accesses.iter().zip(&placed.folds) {
            // A scalar moves rows by what the host does not know.
            let moved = |k: usize| a.index[k].terms.iter().any(|t| matches!(t.0, Sym::Scalar(_)));
            // So does the edge that brings a fixed place back into the array; rows that are no whole vectors apart would be misaligned.
            let strides = &placed.strides[a.operand.0 as usize];
            let odd = |k: usize| strides[k] % (VECTOR / width(nest, a.operand) as i64) != 0;
            let fixed = |k: usize| a.index[k].terms.is_empty() && odd(k);
            let unknown = folds.iter().enumerate().any(|(k, f)| f.is_some() && (moved(k) || fixed(k)));
            let plain = a.within == nest.domain && a.counters.is_empty() && !unknown;
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
        // Elements of short rows, read one by one: lanes that stand a vector apart would touch as many more lines of memory.
        let reads = 0..nest.accesses.len();
        let near = |k: &usize| (2..32).contains(&w.step(w.routes[*k].0, Sym::Dim(last)).abs());
        let apart = reads.clone().filter(|k| offsets[*k].is_none()).filter(near).count();
        if !ordered && apart > reads.filter(|k| offsets[*k].is_some()).count() {
            return None;
        }
        let size = sizes(nest, &offsets).max()? as i64;
        let vector = VECTOR / size;
        if ordered && (lanes < vector || lanes % vector != 0) {
            return None;
        }
        let mut families: Vec<Family> = w.groups.iter().map(|_| Family::default()).collect();
        for (k, o) in offsets.iter().enumerate().take(nest.accesses.len()) {
            let Some(o) = o else { continue };
            let f = &mut families[w.routes[k].0];
            f.reads.insert(*o);
            for (a, fold) in nest.accesses[k].index.iter().zip(&placed.folds[k]) {
                if a.coef(Sym::Dim(last)) == 1 {
                    f.column_fold = f.column_fold.or(*fold);
                } else if dim.is_some_and(|d| a.coef(Sym::Dim(d)) == 1) {
                    f.row_fold = f.row_fold.or(*fold);
                }
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
        let mut m = March::new(placed, dim, vector, ordered, lanes, aligned);
        if offsets.iter().flatten().all(|o| o.1 == 0) {
            m = m.in_narrow_rows(placed);
        }
        let risky = offsets.iter().any(|o| o.is_none()) || reads_tables(&nest.code.body) || !nest.reductions.is_empty();
        let guarded = risky && !m.whole_vectors;
        Some(Marcher { w, m, families, offsets, guarded, linked: false })
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
        if self.linked {
            // Chunks of rows, of which a block has one (or one in each of its rows of threads), and blocks in their order.
            let (chunk, block) = if m.others.is_empty() {
                ("block_y", "(u64)block_y * gridDim.x + blockIdx.x")
            } else {
                ("(u32)Z", "((u64)block_z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x")
            };
            let _ = writeln!(out, "    const u32 chunk = {chunk};\n    const bool at_rim = mg_rim_wait(rim, chunk);");
            self.rows(out);
            let _ = writeln!(out, "    if (at_rim) mg_rim_done(rim, chunk, {block});");
        } else {
            self.rows(out);
        }
        if let Some((_, leaf_threads)) = m.leaf.or(m.anchored.then_some((0, m.lanes / m.vector))) {
            // Not before: the loads do not wait for it.
            reduce::clear(out, nest);
            self.fold(out, leaf_threads);
        }
        reduce::flush(out, nest);
        out.push_str("}\n");
    }
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
        let (v, mask) = (self.m.vector, self.m.vector - 1);
        let beside = self.beside(g, row, " + v", col);
        let text = match self.families[g].window {
            Some((lo, _)) if col == 0 => format!("w{g}[u + {}].v[v]", row - lo),
            Some((lo, _)) if col.abs() < v => {
                // Held by this thread, or beside: `b`efore or `f`urther.
                let held = format!("w{g}[u + {}].v[(v + {col}) & {mask}]", row - lo);
                let side = if col < 0 { "b" } else { "f" };
                let beside = match self.m.dim {
                    Some(_) => format!("{side}{g}_{}.v[(v + {col}) & {mask}]", row - lo),
                    None => beside,
                };
                format!("(v + {col} >= 0 && v + {col} < {v} ? {held} : {beside})")
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

fn reads_tables(insts: &[Inst]) -> bool {
    insts.iter().any(|i| match i {
        Inst::Op { op, .. } => matches!(op, Op::Table { .. }),
        Inst::If { then, otherwise, .. } => reads_tables(then) || reads_tables(otherwise),
        Inst::Loop { body, .. } => reads_tables(body),
        Inst::Break => false,
    })
}

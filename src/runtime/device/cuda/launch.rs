//! From a kernel and a part to a launch: grid, addresses, arguments.

use super::blas::{Math, Product};
use super::driver::{Call, Function, Launch};
use crate::codegen::cuda::gemm::Matrix;
use crate::codegen::cuda::{BLOCK, Form, Group, Kernel, March, Tiles, Word};
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{Nest, ScalarId, Sym};
use crate::ir::ty::Ty;

/// What arguments are made of.
pub struct Around<'a> {
    pub nest: &'a Nest,
    pub part: &'a IndexBox,
    /// Address, first stored index and element strides of each operand.
    pub operands: Vec<(u64, &'a [i64], &'a [i64])>,
    pub scalars: u64,
    pub value: &'a dyn Fn(ScalarId) -> u64,
    pub accumulators: &'a [u64],
    /// Most blocks of a kernel that ends with additions to device memory.
    pub most_blocks: u32,
    pub math: Math,
}

const MOST_Y: i64 = 65535;

impl Around<'_> {
    /// The address of a group's element at the low corner of the part.
    fn address(&self, g: &Group) -> u64 {
        let o = g.operand.0 as usize;
        let (base, lo, strides) = &self.operands[o];
        let mut at = 0i64;
        for ((a, lo), stride) in g.index.iter().zip(*lo).zip(*strides) {
            let mut index = a.konst;
            for (sym, c) in &a.terms {
                if let Sym::Dim(d) = sym {
                    index = index.wrapping_add(c.wrapping_mul(self.part.dims[*d].lo));
                }
            }
            at = at.wrapping_add(index.wrapping_sub(*lo).wrapping_mul(*stride));
        }
        base.wrapping_add(at.wrapping_mul(self.nest.operands[o].ty.size() as i64) as u64)
    }

    /// Elements before the part at which the first vector of every aligned group begins; `None` if they differ.
    fn shift(&self, k: &Kernel, m: &March) -> Option<i64> {
        let mut shift = None;
        for g in &m.aligned {
            let size = self.nest.operands[k.groups[*g].operand.0 as usize].ty.size() as u64;
            let address = self.address(&k.groups[*g]);
            if !address.is_multiple_of(size) {
                return None;
            }
            let s = (address / size % m.vector as u64) as i64;
            if *shift.get_or_insert(s) != s {
                return None;
            }
        }
        shift.or(Some(0))
    }

    fn fast_fits(&self, m: &March, shift: i64) -> bool {
        let last = self.part.dims.len() - 1;
        let lo = self.part.dims[last].lo;
        if m.whole_vectors && (shift != 0 || self.part.dims[last].len() % m.vector != 0) {
            return false;
        }
        if m.whole_chunks
            && let Some(d) = m.dim
        {
            let r = self.part.dims[d];
            if r.len() % m.rows != 0 || m.anchored && r.lo % m.rows != 0 {
                return false;
            }
        }
        if let Some((leaf, _)) = m.leaf {
            return lo % leaf == 0 && shift == 0;
        }
        (lo - shift).rem_euclid(m.lanes) == 0
    }

    /// The launch of the fast kernel, if this part allows it.
    pub fn fast(&self, k: &Kernel, f: Function) -> Option<Launch> {
        let m = match &k.form {
            Form::March(m) => m,
            Form::Product(tiles) => return self.product(k, f, tiles),
            Form::Chains { first, columns, threads } => {
                let (others, of_columns) = self.part.dims.split_at(*first);
                let len = |dims: &[Interval]| dims.iter().try_fold(1i64, |n, d| n.checked_mul(d.len()));
                let blocks = len(others)?.checked_mul((len(of_columns)? + columns - 1) / columns)?;
                let grid = (i32::try_from(blocks).ok()? as u32, 1, 1);
                return Some(Launch { call: Call::Kernel(f), grid, block: (*threads, 1), words: self.words(k, 0) });
            }
            _ => return None,
        };
        let shift = self.shift(k, m)?;
        if !self.fast_fits(m, shift) {
            return None;
        }
        let last = self.part.dims.len() - 1;
        let len = |d: usize| self.part.dims[d].len();
        let up = |a: i64, b: i64| (a + b - 1) / b;
        let (bx, by) = (m.block.0 as i64, m.block.1 as i64);
        let vectors = up(len(last) + shift, m.vector);
        if m.dim.is_some() && vectors * 4 <= bx {
            // Most lanes of a warp would have nothing to do.
            return None;
        }
        let grid = match (m.dim, m.leaf) {
            (None, Some((leaf, threads))) => (up(up(len(last), leaf) * threads, bx), 1, 1),
            (None, None) => (up(vectors, bx * m.rows), 1, 1),
            (Some(d), _) => {
                let chunks = if m.anchored {
                    let r = self.part.dims[d];
                    (r.hi - 1).div_euclid(m.rows) - r.lo.div_euclid(m.rows) + 1
                } else {
                    up(len(d), m.rows)
                };
                match m.others.split_last() {
                    None => (up(vectors, bx), up(chunks, by), 1),
                    Some((inner, outer)) => {
                        let z: i64 = outer.iter().map(|o| len(*o)).product();
                        (up(vectors, bx), up(len(*inner), by), z * chunks)
                    }
                }
            }
        };
        if grid.1 > MOST_Y
            || grid.2 > MOST_Y
            || grid.0 > i32::MAX as i64
            || (m.dim.is_some() && len(last) > i32::MAX as i64 / 2)
        {
            return None;
        }
        let grid = (grid.0 as u32, grid.1 as u32, grid.2 as u32);
        Some(Launch { call: Call::Kernel(f), grid, block: m.block, words: self.words(k, shift) })
    }

    /// The launch of a product of matrices: a block of threads for each tile of results.
    fn product(&self, k: &Kernel, f: Function, tiles: &Tiles) -> Option<Launch> {
        if let Some(launch) = self.by_library(k, tiles) {
            return Some(launch);
        }
        let blocks = self.part.dims.iter().enumerate().try_fold(1i64, |n, (d, r)| {
            let tile = match d {
                d if d == tiles.row => tiles.rows,
                d if d == tiles.column => tiles.columns,
                _ => 1,
            };
            n.checked_mul((r.len() + tile - 1) / tile)
        })?;
        let grid = (i32::try_from(blocks).ok()? as u32, 1, 1);
        Some(Launch { call: Call::Kernel(f), grid, block: (tiles.threads, 1), words: self.words(k, 0) })
    }

    /// The same product by the library, if it is one and no part is empty.
    fn by_library(&self, k: &Kernel, tiles: &Tiles) -> Option<Launch> {
        let g = tiles.gemm.as_ref()?;
        if self.math == Math::Exact || self.part.is_empty() {
            return None;
        }
        let address =
            |m: &Matrix, ty: Ty| self.address(&k.groups[m.group]).wrapping_add((m.from * ty.size() as i64) as u64);
        let len = |d: usize| self.part.dims[d].len();
        let small = |n: i64| i32::try_from(n).ok();
        let (count, apart) = g.batch.map_or((1, [0; 3]), |(d, apart)| (len(d), apart));
        // Column-major: a factor whose lines go with the result's columns, or with the terms, lies as it should.
        let factor = |m: &Matrix, lines: i64, transposed: bool, apart: i64| -> Option<(u64, bool, i32, i64)> {
            let (line, step) = if m.across == 1 { (lines, m.along) } else { (g.terms, m.across) };
            (step >= line).then_some((address(m, g.ty), transposed, small(step)?, apart))
        };
        let product = Product {
            ty: g.ty,
            into: g.into,
            sizes: [small(len(tiles.column))?, small(len(tiles.row))?, small(g.terms)?],
            right: factor(&g.right, len(tiles.column), g.right.across != 1, apart[1])?,
            left: factor(&g.left, len(tiles.row), g.left.across == 1, apart[0])?,
            out: (address(&g.out, g.into), small(g.out.across)?, apart[2]),
            count: small(count)?,
            tf32: self.math == Math::Tf32 && g.ty == Ty::F32,
        };
        Some(Launch { call: Call::Product(product), grid: (1, 1, 1), block: (1, 1), words: vec![] })
    }

    /// The launch of the general kernel.
    pub fn general(&self, k: &Kernel, f: Function) -> Launch {
        let words = self.words(k, 0);
        let (grid, block) = match &k.form {
            Form::Leaves { threads } => {
                let leaves: i64 = self
                    .part
                    .dims
                    .iter()
                    .zip(&self.nest.leaf)
                    .map(|(d, n)| {
                        let shift = n.trailing_zeros();
                        ((d.hi - 1) >> shift) - (d.lo >> shift) + 1
                    })
                    .product();
                let blocks = (leaves * threads + BLOCK as i64 - 1) / BLOCK as i64;
                ((blocks.clamp(1, self.most_blocks as i64) as u32, 1, 1), (BLOCK, 1))
            }
            _ => self.points(),
        };
        Launch { call: Call::Kernel(f), grid, block, words }
    }

    /// Blocks over the last dimension and the rows before it.
    fn points(&self) -> ((u32, u32, u32), (u32, u32)) {
        let (cols, rows) = match self.part.dims.split_last() {
            Some((last, rest)) => (last.len(), rest.iter().map(|d| d.len()).product()),
            None => (1, 1),
        };
        let bx = (cols.max(1) as u64).next_power_of_two().min(BLOCK as u64) as i64;
        let by = BLOCK as i64 / bx;
        let up = |a: i64, b: i64| (a + b - 1) / b;
        let (mut gx, mut gy) = (up(cols, bx), up(rows, by));
        if !self.nest.reductions.is_empty() {
            // Several blocks for each place on a processor: some warps get ahead of others, and new blocks follow them.
            let most = self.most_blocks as i64 * 8;
            gx = gx.min(most);
            gy = gy.min((most / gx).max(1));
        }
        ((gx.clamp(1, 1 << 30) as u32, gy.clamp(1, MOST_Y) as u32, 1), (bx as u32, by as u32))
    }

    fn words(&self, k: &Kernel, shift: i64) -> Vec<u64> {
        let word = |w: &Word| match w {
            Word::Lo(d) => self.part.dims[*d].lo as u64,
            Word::Hi(d) => self.part.dims[*d].hi as u64,
            Word::Group(g) => self.address(&k.groups[*g]),
            Word::Scalars => self.scalars,
            Word::Value(s) => (self.value)(*s),
            Word::Accumulator(r) => self.accumulators[*r],
            Word::Shift => shift as u64,
            // Put in place of this when the launch is linked.
            Word::Rim => 0,
        };
        k.words.iter().map(word).collect()
    }
}

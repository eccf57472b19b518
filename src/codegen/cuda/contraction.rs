//! Products of matrices on a GPU: a block of threads for each tile of results (`contraction.cu`).
//!
//! The template moves panels of both factors to shared memory, asynchronously where a factor is what lies in memory, and keeps
//! a block of results in the registers of each thread. Here the factors become functions of a row (or column) and a term, and
//! the code around the loop a function of a result. The shape of the tiles follows the extents: large ones where there are enough
//! of them for all multiprocessors, tall ones where there are few columns, so that a long factor is read once, at the speed of
//! the memory.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::codegen::c_body::{Body, assigns, c_ty};
use crate::codegen::cuda::body::Writer;
use crate::codegen::cuda::gemm::{self, Gemm};
use crate::codegen::cuda::{Form, Kernel, Placed};
use crate::ir::contraction::{Chain, Contraction, Factor, product};
use crate::ir::kernel::{AccessId, Inst, Nest, Op, Reg, ScalarId, Sym};
use crate::ir::ty::Ty;

/// The text in front of units with contractions.
pub const PRELUDE: &str = include_str!("contraction.cu");

/// How a product's results are divided.
#[derive(Clone, Debug, PartialEq)]
pub struct Tiles {
    /// The dimensions of the rows and the columns.
    pub row: usize,
    pub column: usize,
    /// Results of a tile along them.
    pub rows: i64,
    pub columns: i64,
    pub threads: u32,
    /// Bytes of shared memory that a launch gives besides what the kernel declares, or all there are if those are fewer.
    pub shared: u32,
    /// The same product for a library, if it is one.
    pub gemm: Option<Gemm>,
}

/// The shape of a product's tiles: an instance of `mg_product`.
struct Shape {
    /// What threads do with a panel: `mg_fmas`, `mg_lines` or `mg_tensors` with its numbers.
    threads: String,
    warps: i64,
    rows: i64,
    columns: i64,
    terms: i64,
    /// Whether panels of rows keep the order of memory, and those of columns.
    lines: (bool, bool),
    /// Panels under way; `MG_DEEP`, which is not more, on tensor cores.
    stages: i64,
    /// Blocks of threads that a multiprocessor holds at least.
    resident: i64,
}

/// Multiprocessors of the GPU that the choice of tiles is made for.
pub const MULTIPROCESSORS: i64 = 132;
/// Of products of so few results each, a tile would be mostly empty: a warp has one.
const FEW_RESULTS: i64 = 64;

impl Shape {
    /// `batch` products of so many rows and columns; `plain`: both factors are what lies in memory; `along`: the rows' terms lie
    /// beside each other there.
    fn of(ty: Ty, batch: i64, rows: i64, columns: i64, plain: bool, along: bool) -> Shape {
        // Large tiles take the least from memory, if there are enough of them.
        let tiles = batch.saturating_mul((rows + 127) / 128).saturating_mul((columns + 127) / 128);
        let small = rows <= 64 || columns <= 64 || 2 * tiles < MULTIPROCESSORS;
        match ty {
            Ty::F64 if columns <= 16 => Shape::fmas(ty, (4, 1), (8, 4), (4, 4), 8, 3, 4),
            _ if columns <= 16 && along => Shape::fmas(ty, (4, 1), (16, 2), (2, 8), 32, 2, 4).by_lines(),
            _ if columns <= 16 => Shape::fmas(ty, (4, 1), (8, 4), (4, 4), 16, 3, 4),
            Ty::F64 if small => Shape::tensors((2, 2), (2, 4), 2),
            Ty::F64 => Shape::tensors((4, 2), (2, 8), 1),
            _ if small => Shape::fmas(ty, (4, 2), (4, 8), (4, 4), 16, 3, 2),
            // Elements that are computed wait in registers.
            _ if !plain || tiles <= MULTIPROCESSORS => Shape::fmas(ty, (4, 2), (4, 8), (8, 8), 16, 3, 2),
            _ => Shape::fmas(ty, (2, 2), (4, 8), (16, 8), 8, 4, 2),
        }
    }

    /// Warps, lanes of a warp, and results of a thread along rows and columns.
    fn fmas(
        ty: Ty,
        warps: (i64, i64),
        lanes: (i64, i64),
        each: (i64, i64),
        terms: i64,
        stages: i64,
        resident: i64,
    ) -> Shape {
        let ((wm, wn), (lm, ln), (m, n)) = (warps, lanes, each);
        Shape {
            threads: format!("mg_fmas<{}, {wm}, {wn}, {lm}, {ln}, {m}, {n}, {terms}>", c_ty(ty)),
            warps: wm * wn,
            rows: wm * lm * m,
            columns: wn * ln * n,
            terms,
            lines: (false, false),
            stages,
            resident,
        }
    }

    /// A warp for all of a product's results, which are few.
    fn few(ty: Ty, rows: i64, columns: i64) -> Shape {
        let [rows, columns] = [rows, columns].map(|n| (n.max(4) as u64).next_power_of_two() as i64);
        let terms = 64;
        Shape {
            threads: format!("mg_few<{}, {rows}, {columns}, {terms}>", c_ty(ty)),
            warps: 1,
            rows,
            columns,
            terms,
            lines: (false, false),
            stages: 4,
            resident: 4,
        }
    }

    /// The same where the rows' terms lie beside each other and stay so.
    fn by_lines(self) -> Shape {
        Shape { threads: self.threads.replace("mg_fmas", "mg_lines"), lines: (true, false), ..self }
    }

    /// Warps, and fragments of 16 by 8 results of f64 of a warp, along rows and columns.
    fn tensors((wm, wn): (i64, i64), (m, n): (i64, i64), resident: i64) -> Shape {
        Shape {
            threads: format!("mg_tensors<{wm}, {wn}, {m}, {n}>"),
            warps: wm * wn,
            rows: wm * m * 16,
            columns: wn * n * 8,
            terms: 16,
            lines: (true, true),
            stages: 4,
            resident,
        }
    }

    /// The tiles; `left` and `right` say whether terms lie beside each other.
    fn tiles(&self, row: usize, column: usize, size: i64, left: bool, right: bool) -> Tiles {
        let panel = |tile: i64, lines: bool| if lines { tile * (self.terms + 4) } else { self.terms * (tile + 4) };
        Tiles {
            row,
            column,
            rows: self.rows,
            columns: self.columns,
            threads: 32 * self.warps as u32,
            shared: (size
                * self.stages
                * (panel(self.rows, left && self.lines.0) + panel(self.columns, right && self.lines.1)))
                as u32,
            gemm: None,
        }
    }
}

/// The shapes that are ever taken, for tests of the template: what threads do with a panel, and how many panels are under way.
pub fn shapes() -> Vec<(String, i64)> {
    let mut out: Vec<(String, i64)> = vec![];
    for ty in [Ty::F32, Ty::F64] {
        for (rows, columns) in [(4, 4), (4, 8), (8, 8), (4, 16), (16, 4), (32, 2), (64, 1)] {
            let shape = Shape::few(ty, rows, columns);
            let one = (shape.threads, shape.stages);
            if !out.contains(&one) {
                out.push(one);
            }
        }
        for (rows, columns) in [(8192, 8192), (1024, 1024), (256, 256), (8192, 16)] {
            for (plain, along) in [(true, true), (true, false), (false, true)] {
                let shape = Shape::of(ty, 1, rows, columns, plain, along);
                let one = (shape.threads, shape.stages);
                if !out.contains(&one) {
                    out.push(one);
                }
            }
        }
    }
    out
}

/// Declares the registers that some instructions of a nest assign.
pub fn registers(out: &mut String, nest: &Nest, code: &[Inst], indent: usize) {
    let mut assigned = vec![];
    assigns(code, &mut assigned);
    for r in assigned {
        let _ = writeln!(out, "{:indent$}{} r{} = 0;", "", c_ty(nest.code.regs[r.0 as usize]), r.0);
    }
}

/// Some instructions of a nest.
pub fn code(w: &Writer, code: &[Inst], indent: usize) -> String {
    let names = (0..w.nest.code.regs.len()).map(|i| format!("r{i}")).collect();
    Body::new(w, names, indent).write(code)
}

/// Appends what stands around a nest's loop, for the result `value`. What these read is in `ahead` already.
pub fn around(out: &mut String, w: &Writer, chain: &Chain, ahead: &[Reg], indent: usize) {
    let body = &w.nest.code.body;
    let (before, behind) = (&body[..chain.at], &body[chain.at + 1..]);
    registers(out, w.nest, &[before, behind].concat(), indent);
    let part = |out: &mut String, insts: &[Inst]| {
        for i in insts {
            match i {
                Inst::Op { dst, op: Op::Load(_) } if ahead.contains(dst) => {
                    let _ = writeln!(out, "{:indent$}r{} = ahead.r{};", "", dst.0, dst.0);
                }
                _ => out.push_str(&code(w, std::slice::from_ref(i), indent / 4)),
            }
        }
    };
    part(out, before);
    let _ = writeln!(out, "{:indent$}r{} = value;", "", chain.acc.0);
    part(out, behind);
    w.stores(out, indent);
}

/// Appends the kernel of a nest that is a product of matrices.
pub fn write(out: &mut String, number: usize, placed: &Placed, moving: &BTreeSet<ScalarId>) -> Option<Kernel> {
    let c = product(placed.nest)?;
    let row = c.row?;
    let column = placed.nest.domain.rank() - 1;
    let w = Generator { w: Writer::new(placed, moving), c: &c };
    let (rows, columns) = (placed.extent[row], placed.extent[column]);
    let few = rows.saturating_mul(columns) <= FEW_RESULTS;
    let batch = (0..column).filter(|d| *d != row).map(|d| placed.extent[d]).fold(1, i64::saturating_mul);
    let plain = w.read(&c.left).is_some() && w.read(&c.right).is_some();
    let (left, right) = (w.along(&c.left, row), w.along(&c.right, column));
    if few && (!plain || batch < MULTIPROCESSORS) {
        return None;
    }
    let shape = if few {
        Shape::few(c.chain.ty, rows, columns)
    } else {
        Shape::of(c.chain.ty, batch, rows, columns, plain, left)
    };
    let mut tiles = shape.tiles(row, column, c.chain.ty.size() as i64, left, right);
    tiles.gemm = gemm::of(&w.w, &c, row);
    let (name, words) = (format!("mgpu_product_{number}"), w.w.words());
    w.w.head(out, &name, &words, &format!("__launch_bounds__({}, {})", tiles.threads, shape.resident));
    if tiles.gemm.is_some() {
        out.push_str("    /* `--math library` gives this product to cuBLAS. */\n");
    }
    let threads = &shape.threads;
    let stages = if shape.lines.1 { "MG_DEEP".to_string() } else { shape.stages.to_string() };
    let _ = writeln!(out, "    typedef mg_product<{threads}, {stages}, {left}, {right}> Tiles;");
    let _ = writeln!(out, "    static_assert(Tiles::BYTES <= {}, \"\");", tiles.shared);
    out.push_str("    extern __shared__ __align__(16) u8 room[];\n");
    w.body(out, &tiles);
    out.push_str("}\n");
    Some(Kernel { name, words, groups: w.w.groups, form: Form::Product(tiles) })
}

/// Writes what a product's kernel is made of.
pub struct Generator<'a> {
    pub w: Writer<'a>,
    pub c: &'a Contraction,
}

impl Generator<'_> {
    fn body(&self, out: &mut String, tiles: &Tiles) {
        let (row, column) = (tiles.row, tiles.column);
        let _ = writeln!(out, "    const i64 rows = hi{row} - lo{row}, columns = hi{column} - lo{column};");
        out.push_str("    const i64 high = (rows + Tiles::ROWS - 1) / Tiles::ROWS, wide = (columns + Tiles::COLUMNS - 1) / Tiles::COLUMNS;\n");
        out.push_str("    i64 rest = blockIdx.x / (high * wide), tile = blockIdx.x % (high * wide);\n");
        for d in (0..column).rev().filter(|d| *d != row) {
            let _ = writeln!(out, "    const i64 x{d} = rest % (hi{d} - lo{d}); rest /= hi{d} - lo{d};");
        }
        // Blocks that run at one time share rows and columns, so that the second cache holds what they read.
        out.push_str("    const i64 band = tile / (8 * wide), most = high - 8 * band < 8 ? high - 8 * band : 8;\n");
        out.push_str("    tile -= band * 8 * wide;\n");
        out.push_str(
            "    const i64 row = (band * 8 + tile % most) * Tiles::ROWS, column = tile / most * Tiles::COLUMNS;\n",
        );
        registers(out, self.w.nest, &self.c.chain.bounds, 4);
        out.push_str(&code(&self.w, &self.c.chain.bounds, 1));
        let _ = writeln!(out, "    const i64 from = r{}, to = r{};", self.c.chain.from.0, self.c.chain.to.0);
        let whole_left = self.factor(out, "left", &self.c.left, row);
        let whole_right = self.factor(out, "right", &self.c.right, column);
        self.results(out, row, column);
        let start = self.start(out, row, column);
        let _ = writeln!(
            out,
            "    Tiles::run(room, left, right, results, {start}, row, rows, column, columns, from, to, {whole_left}, {whole_right});"
        );
    }

    /// The read that a factor is, if it is nothing else.
    fn read(&self, f: &Factor) -> Option<AccessId> {
        let (last, before) = f.code.split_last()?;
        let Inst::Op { op: Op::Load(a), .. } = last else { return None };
        let nest = self.w.nest;
        let access = &nest.accesses[a.0 as usize];
        let plain = access.index.iter().flat_map(|x| &x.terms).all(|t| match t.0 {
            Sym::Counter(r) => r == self.c.chain.counter,
            _ => true,
        });
        (plain && before.is_empty() && nest.operands[access.operand.0 as usize].ty == self.c.chain.ty).then_some(*a)
    }

    /// Whether a factor's elements lie beside each other along the terms, not along the dimension.
    fn along(&self, f: &Factor, dim: usize) -> bool {
        let (mut terms, mut across) = (0, 0);
        for i in &f.code {
            let Inst::Op { op: Op::Load(a), .. } = i else { continue };
            let group = self.w.routes[a.0 as usize].0;
            terms += i64::from(self.w.step(group, Sym::Counter(self.c.chain.counter)).abs() == 1);
            across += i64::from(self.w.step(group, Sym::Dim(dim)).abs() == 1);
        }
        terms > across
    }

    /// Appends the function of a factor: an element's address, or its value where it is computed. Returns the condition under
    /// which its elements travel as vectors.
    pub fn factor(&self, out: &mut String, name: &str, f: &Factor, dim: usize) -> String {
        let head = format!("const auto {name} = [&](i64 x{dim}, i64 r{})", self.c.chain.counter.0);
        let Some(access) = self.read(f) else {
            let _ = writeln!(out, "    {head} {{");
            registers(out, self.w.nest, &f.code, 8);
            out.push_str(&code(&self.w, &f.code, 2));
            let _ = writeln!(out, "        return r{};\n    }};", f.value.0);
            return "false".into();
        };
        let at = self.w.element(access.0 as usize, &|r| format!("r{}", r.0));
        let ty = c_ty(self.c.chain.ty);
        let _ = writeln!(out, "    {head} -> const {ty} * {{ return &{at}; }};");
        let (group, konst) = self.w.routes[access.0 as usize];
        let vector = 16 / self.c.chain.ty.size() as i64;
        let step = |s: Sym| self.w.step(group, s);
        let (terms, across) = (step(Sym::Counter(self.c.chain.counter)), step(Sym::Dim(dim)));
        let along = self.along(f, dim);
        let (near, far) = if along { (terms, across) } else { (across, terms) };
        let others = (0..self.w.nest.domain.rank()).filter(|d| *d != dim);
        let apart = others.map(|d| step(Sym::Dim(d))).chain([far]).all(|s| s % vector == 0);
        let folded = self.w.placed.folds[access.0 as usize].iter().any(Option::is_some);
        if near != 1 || !apart || folded {
            return "false".into();
        }
        // Where the terms lie beside each other, the first one is aligned if its number is.
        let first = if along { " + from" } else { "" };
        format!("((u64)(p{group} + {konst}LL{first}) & 15) == 0")
    }

    /// What a result's chain starts from; appends the function for that, where it is what an array holds.
    fn start(&self, out: &mut String, row: usize, column: usize) -> &'static str {
        let chain = &self.c.chain;
        if chain.start.is_some() {
            return "mg_zeros()";
        }
        let before = &self.w.nest.code.body[..chain.at];
        let _ = writeln!(out, "    const auto start = [&](i64 x{row}, i64 x{column}) {{");
        registers(out, self.w.nest, before, 8);
        out.push_str(&code(&self.w, before, 2));
        let _ = writeln!(out, "        return r{};\n    }};", chain.acc.0);
        "start"
    }

    /// Appends the function that carries out what stands around the loop for one result.
    fn results(&self, out: &mut String, row: usize, column: usize) {
        let ty = c_ty(self.c.chain.ty);
        let _ = writeln!(out, "    const auto results = [&](i64 x{row}, i64 x{column}, {ty} value) {{");
        around(out, &self.w, &self.c.chain, &[], 8);
        out.push_str("    };\n");
    }
}

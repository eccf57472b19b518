//! Products of matrices on a GPU: a block of threads for each tile of results (`contraction.cu`).
//!
//! The template moves panels of both factors to shared memory, asynchronously where a factor is what lies in memory, and keeps
//! a block of results in the registers of each thread. Here the factors become functions of a row (or column) and a term, and
//! the code around the loop a function of a result. The shape of the tiles follows the extents: large ones where both sides
//! are long, tall ones where there are few columns, so that a long factor is read once, at the speed of the memory.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::codegen::c_body::{Body, assigns, c_ty};
use crate::codegen::cuda::body::Writer;
use crate::codegen::cuda::gemm::{self, Gemm};
use crate::codegen::cuda::{Form, Kernel, Placed};
use crate::ir::contraction::{Contraction, Factor, product};
use crate::ir::kernel::{AccessId, Inst, Nest, Op, ScalarId, Sym};
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
    /// Bytes of shared memory that a launch gives besides what the kernel declares.
    pub shared: u32,
    /// The same product for a library, if it is one.
    pub gemm: Option<Gemm>,
}

/// Fragments of f64 on tensor cores: warps along rows and columns, fragments of 16 by 8 results of a warp, terms of a panel, panels
/// under way, and elements of padding (`mg_tensor`).
const TENSOR: ((i64, i64), (i64, i64), i64, i64, i64) = ((2, 4), (4, 4), 16, 2, 4);

/// Warps, lanes of a warp, and results of a thread along rows and columns; terms of a panel; panels under way.
struct Shape {
    warps: (i64, i64),
    lanes: (i64, i64),
    each: (i64, i64),
    terms: i64,
    stages: i64,
    /// Blocks of threads that a multiprocessor holds at least.
    resident: i64,
}

impl Shape {
    fn of(ty: Ty, rows: i64, columns: i64) -> Shape {
        let double = ty == Ty::F64;
        let terms = if double { 8 } else { 16 };
        if columns <= 16 {
            return Shape { warps: (4, 1), lanes: (8, 4), each: (4, 4), terms, stages: 4, resident: 2 };
        }
        if rows <= 64 || columns <= 64 {
            return Shape { warps: (4, 2), lanes: (4, 8), each: (4, 4), terms, stages: 3, resident: 2 };
        }
        let each = if double { (8, 4) } else { (8, 8) };
        Shape { warps: (4, 2), lanes: (4, 8), each, terms, stages: 2, resident: if double { 1 } else { 2 } }
    }

    fn tiles(&self, row: usize, column: usize) -> Tiles {
        Tiles {
            row,
            column,
            rows: self.warps.0 * self.lanes.0 * self.each.0,
            columns: self.warps.1 * self.lanes.1 * self.each.1,
            threads: 32 * (self.warps.0 * self.warps.1) as u32,
            shared: 0,
            gemm: None,
        }
    }
}

/// The tiles of a product on tensor cores; `left` and `right` say whether terms lie beside each other.
fn tensor_tiles(row: usize, column: usize, left: bool, right: bool) -> Tiles {
    let ((wm, wn), (m, n), terms, stages, pad) = TENSOR;
    let (rows, columns) = (wm * m * 16, wn * n * 8);
    let panel = |lines: i64, along: bool| if along { lines * (terms + pad) } else { terms * (lines + pad) };
    let elements = stages * (panel(rows, left) + panel(columns, right));
    Tiles { row, column, rows, columns, threads: 32 * (wm * wn) as u32, shared: 8 * elements as u32, gemm: None }
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

/// Appends the kernel of a nest that is a product of matrices.
pub fn write(out: &mut String, number: usize, placed: &Placed, moving: &BTreeSet<ScalarId>) -> Option<Kernel> {
    let c = product(placed.nest).filter(|c| c.chain.start.is_some())?;
    let row = c.row?;
    let column = placed.nest.domain.rank() - 1;
    let w = Generator { w: Writer::new(placed, moving), c: &c };
    let (rows, columns) = (placed.extent[row], placed.extent[column]);
    let shape = Shape::of(c.chain.ty, rows, columns);
    let tensor = c.chain.ty == Ty::F64 && rows > 64 && columns > 64;
    let (left, right) = (w.along(&c.left, row), w.along(&c.right, column));
    let mut tiles = if tensor { tensor_tiles(row, column, left, right) } else { shape.tiles(row, column) };
    tiles.gemm = gemm::of(&w.w, &c, row);
    let (name, words) = (format!("mgpu_product_{number}"), w.w.words());
    let bounds = format!("__launch_bounds__({}, {})", tiles.threads, if tensor { 1 } else { shape.resident });
    w.w.head(out, &name, &words, &bounds);
    if tiles.gemm.is_some() {
        out.push_str("    /* `--math library` gives this product to cuBLAS. */\n");
    }
    let ty = c_ty(c.chain.ty);
    if tensor {
        let ((wm, wn), (m, n), _, stages, _) = TENSOR;
        let _ = writeln!(out, "    typedef mg_tensor<{wm}, {wn}, {m}, {n}, {stages}, {left}, {right}> Tiles;");
        let _ = writeln!(out, "    extern __shared__ __align__(16) f64 room[];");
    } else {
        let ((wm, wn), (lm, ln), (m, n)) = (shape.warps, shape.lanes, shape.each);
        let (terms, stages) = (shape.terms, shape.stages);
        let numbers = format!("{wm}, {wn}, {lm}, {ln}, {m}, {n}, {terms}, {stages}");
        let _ = writeln!(out, "    typedef mg_contraction<{ty}, {numbers}, {left}, {right}> Tiles;");
        let _ = writeln!(out, "    __shared__ __align__(16) {ty} room[Tiles::ROOM];");
    }
    w.body(out, &tiles);
    out.push_str("}\n");
    Some(Kernel { name, words, groups: w.w.groups, form: Form::Product(tiles) })
}

struct Generator<'a> {
    w: Writer<'a>,
    c: &'a Contraction,
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
        let _ = writeln!(
            out,
            "    Tiles::run(room, left, right, results, row, rows, column, columns, from, to, {whole_left}, {whole_right});"
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
    fn factor(&self, out: &mut String, name: &str, f: &Factor, dim: usize) -> String {
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

    /// Appends the function that carries out what stands around the loop for one result.
    fn results(&self, out: &mut String, row: usize, column: usize) {
        let nest = self.w.nest;
        let (before, behind) = (&nest.code.body[..self.c.chain.at], &nest.code.body[self.c.chain.at + 1..]);
        let _ = writeln!(
            out,
            "    const auto results = [&](i64 x{row}, i64 x{column}, {} value) {{",
            c_ty(self.c.chain.ty)
        );
        registers(out, self.w.nest, &[before, behind].concat(), 8);
        out.push_str(&code(&self.w, before, 2));
        let _ = writeln!(out, "        r{} = value;", self.c.chain.acc.0);
        out.push_str(&code(&self.w, behind, 2));
        self.w.stores(out, 8);
        out.push_str("    };\n");
    }
}

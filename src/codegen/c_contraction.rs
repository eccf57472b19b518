//! Contractions in C ([`crate::ir::contraction`]): loops over blocks that fit the caches, around a tile in vector registers.
//!
//! For every block of columns and rows the result begins in a buffer, at zero or at what the chain starts from. For every panel of terms both factors are
//! evaluated into packed memory, tile by tile, and every tile of the buffer takes in the panel's terms. At the end the code
//! around the loop runs for every element, with the buffer's value as that of the chain. The blocking is that of Goto and van de Geijn,
//! "Anatomy of High-Performance Matrix Multiplication" (2008). Packing evaluates the factors' code, so transposed, strided
//! and computed factors are the same case.

use std::fmt::Write;

use crate::codegen::c_body::{Body, Surroundings, c_memory, c_ty};
use crate::ir::contraction::{Contraction, Factor, product};
use crate::ir::kernel::{AccessId, Affine, Inst, Nest, Op, OperandId, Reg, Store, Sym};
use crate::ir::ty::Ty;

/// The text in front of units with contractions.
pub const PRELUDE: &str = include_str!("contraction.h");

/// Terms of a panel.
const TERMS: i64 = 256;
/// Rows of the left factor that are packed at once: a panel of them stays in the second cache.
const ROWS: i64 = 96;
/// Rows and columns of the buffer of results.
const MOST_ROWS: i64 = 1056;
const MOST_COLUMNS: i64 = 1024;
/// Up to so many columns a left factor that lies in memory is read where it lies: packing it would cost more than it saves.
const FEW_COLUMNS: i64 = 64;
/// No tile of any machine has more rows or columns.
const LARGEST_TILE: i64 = 64;
/// Tiles of columns that are packed at a time.
const GROUP: i64 = 8;

/// Elements of the packed factors and of the buffer, and of a row of the buffer.
struct Room {
    left: i64,
    right: i64,
    row: i64,
    buffer: i64,
}

fn room(nest: &Nest, c: &Contraction) -> Room {
    let extent = |d: usize, most: i64| nest.domain.dims[d].len().min(most);
    let rows = c.row.map_or(1, |d| extent(d, MOST_ROWS)) + LARGEST_TILE;
    let columns = (extent(nest.domain.rank() - 1, MOST_COLUMNS) + LARGEST_TILE - 1) / LARGEST_TILE * LARGEST_TILE;
    // One vector more, so that rows do not fall on the same sets of a cache.
    let row = columns + 16;
    Room { left: (rows.min(ROWS) + LARGEST_TILE) * TERMS, right: columns * TERMS, row, buffer: rows * row }
}

/// Words of scratch memory that a nest in tiles needs.
pub fn scratch(nest: &Nest) -> usize {
    product(nest).map_or(0, |c| {
        let room = room(nest, &c);
        (room.left + room.right + room.buffer) as usize * c.chain.ty.size() / 8 + 3 * 16
    })
}

/// Appends the functions of a nest.
pub fn write(out: &mut String, number: usize, nest: &Nest, c: &Contraction) {
    let _ = writeln!(out, "\n/* {} */", nest.name.replace("*/", "* /"));
    let Some(row) = c.row else { return };
    let w = Writer { nest, number, c, row, last: nest.domain.rank() - 1 };
    w.pack(out, "left", &c.left, row);
    w.pack(out, "right", &c.right, w.last);
    w.bounds(out);
    let in_place = w.place(out);
    if !in_place && w.result(out) {
        return w.drive_in_result(out);
    }
    w.start(out);
    w.finish(out);
    w.drive(out, in_place);
}

struct Writer<'a> {
    nest: &'a Nest,
    number: usize,
    c: &'a Contraction,
    row: usize,
    last: usize,
}

impl Surroundings for Writer<'_> {
    fn ty(&self, r: Reg) -> Ty {
        self.nest.code.regs[r.0 as usize]
    }
    fn load(&self, access: AccessId, name: &dyn Fn(Reg) -> String) -> String {
        let access = &self.nest.accesses[access.0 as usize];
        let at = self.element(access.operand, &access.index, name);
        if self.nest.operands[access.operand.0 as usize].ty == Ty::Bool { format!("{at} != 0") } else { at }
    }
    fn index(&self, dim: usize) -> String {
        format!("i{dim}")
    }
}

impl Writer<'_> {
    fn element(&self, operand: OperandId, index: &[Affine], name: &dyn Fn(Reg) -> String) -> String {
        let mut sum = String::new();
        for (k, a) in index.iter().enumerate() {
            let mut part = format!("{}LL", a.konst);
            for (sym, coef) in &a.terms {
                let what = match sym {
                    Sym::Dim(d) => format!("i{d}"),
                    Sym::Counter(r) => name(*r),
                    Sym::Scalar(id) => format!("(i64)scalars[{}]", id.0),
                };
                let _ = write!(part, " + {coef}LL * {what}");
            }
            let stride = if k + 1 == index.len() { String::new() } else { format!(" * s{}_{k}", operand.0) };
            let _ = write!(sum, "{}({part}){stride}", if k == 0 { "" } else { " + " });
        }
        format!("p{}[{}]", operand.0, if sum.is_empty() { "0" } else { &sum })
    }

    /// The parameters that all functions share, and the arguments of their calls.
    fn around(&self) -> (String, String) {
        let all: Vec<usize> = (0..self.nest.domain.rank()).collect();
        let parameters: String = all.iter().map(|d| format!(", i64 i{d}")).collect();
        let arguments: String = all.iter().map(|d| format!(", i{d}")).collect();
        (
            format!("char *const *ptr, const i64 *geom, const u64 *scalars{parameters}"),
            format!("ptr, geom, scalars{arguments}"),
        )
    }

    /// Pointers and strides of the operands; what is not used goes away in the compiler.
    fn names(&self, out: &mut String) {
        let mut at = 0;
        for (o, operand) in self.nest.operands.iter().enumerate() {
            let constant = if operand.written { "" } else { "const " };
            let ty = c_memory(operand.ty);
            let _ = writeln!(out, "    {constant}{ty} *const p{o} = ({constant}{ty} *)ptr[{o}];");
            for k in 0..operand.rank.saturating_sub(1) {
                let _ = writeln!(out, "    const i64 s{o}_{k} = geom[{}];", at + k);
            }
            at += operand.rank;
        }
    }

    fn registers(&self, out: &mut String, code: &[Inst], indent: usize) {
        let mut assigned = vec![];
        crate::codegen::c_body::assigns(code, &mut assigned);
        for r in assigned {
            let _ = writeln!(out, "{:indent$}{} r{} = 0;", "", c_ty(self.ty(r)), r.0);
        }
    }

    fn body(&self, code: &[Inst], indent: usize) -> String {
        let names = (0..self.nest.code.regs.len()).map(|i| format!("r{i}")).collect();
        Body::new(self, names, indent).write(code)
    }

    /// Whether a factor's elements lie beside each other along the counter.
    fn along_terms(&self, f: &Factor, dim: usize) -> bool {
        let loads = f.code.iter().filter_map(|i| match i {
            Inst::Op { op: Op::Load(a), .. } => self.nest.accesses[a.0 as usize].index.last(),
            _ => None,
        });
        let (mut counted, mut across) = (0, 0);
        for a in loads {
            counted += usize::from(a.coef(Sym::Counter(self.c.chain.counter)) != 0);
            across += usize::from(a.coef(Sym::Dim(dim)) != 0);
        }
        counted > across
    }

    /// The function that evaluates `n` rows (or columns) from `at` on and `terms` terms from `first` on, tile by tile: the
    /// elements of a tile that belong to a term lie together, zeros fill the last tile.
    fn pack(&self, out: &mut String, side: &str, f: &Factor, dim: usize) {
        let ty = c_ty(self.c.chain.ty);
        let tile = if side == "left" { "MG_ROWS".into() } else { format!("MG_COLUMNS({ty})") };
        let _ = writeln!(
            out,
            "OUTLINE void mgpu_{side}_{}({ty} *restrict to, {}, i64 n, i64 first, i64 terms) {{",
            self.number,
            self.around().0
        );
        self.names(out);
        let _ =
            writeln!(out, "    enum {{ TILE = {tile}, GROUP = {GROUP} }};\n    const i64 at = i{dim};\n    i64 t = 0;");
        let element = |out: &mut String, place: &str, to: &str| {
            let counter = self.c.chain.counter.0;
            let _ = writeln!(out, "            const i64 i{dim} = at + t + {place}, r{counter} = first + q;");
            self.registers(out, &f.code, 12);
            out.push_str(&self.body(&f.code, 3));
            let _ = writeln!(out, "            to[{to}] = r{};\n        }}", f.value.0);
        };
        let (one, along) = ("q * TILE + l", self.along_terms(f, dim));
        if !along {
            // Several tiles at a time, so that what is read are long pieces.
            out.push_str("    for (; t + GROUP * TILE <= n; t += GROUP * TILE, to += GROUP * TILE * terms)\n");
            out.push_str(
                "        for (i64 q = 0; q < terms; q++)\n        for (i64 g = 0; g < GROUP; g++)\n        MG_SIMD\n",
            );
            out.push_str("        for (i64 l = 0; l < TILE; l++) {\n");
            element(out, "g * TILE + l", "(g * terms + q) * TILE + l");
        }
        out.push_str("    for (; t < n; t += TILE, to += TILE * terms) {\n");
        let _ = writeln!(out, "        const i64 w = mg_least(TILE, n - t);");
        let plain = matches!(f.code[..], [Inst::Op { op: Op::Load(_), .. }]);
        let (terms, lines) = ("for (i64 q = 0; q < terms; q++)", "for (i64 l = 0; l < w; l++)");
        // What is only read is written in order, from as many lines; what is computed is computed along the terms.
        let whole = match (along, plain) {
            (true, false) => None,
            (true, true) => Some("MG_UNROLL"),
            (false, _) => Some("MG_SIMD"),
        };
        if let Some(hint) = whole {
            let _ = writeln!(
                out,
                "        if (w == TILE)\n        {terms}\n        {hint}\n        for (i64 l = 0; l < TILE; l++) {{"
            );
            element(out, "l", one);
            out.push_str("        else\n");
        }
        if along {
            let _ = writeln!(out, "        {lines}\n        MG_SIMD\n        {terms} {{");
        } else {
            let _ = writeln!(out, "        {terms}\n        {lines} {{");
        }
        element(out, "l", one);
        out.push_str("        for (i64 q = 0; w < TILE && q < terms; q++)\n            for (i64 l = w; l < TILE; l++) to[q * TILE + l] = 0;\n");
        out.push_str("    }\n}\n");
    }

    /// The function that sets a block of results to the elements from which their chains start, where that is not zero.
    fn start(&self, out: &mut String) {
        if self.c.chain.start.is_some() {
            return;
        }
        let before = &self.nest.code.body[..self.c.chain.at];
        let parameters = format!("{} *restrict sum", c_ty(self.c.chain.ty));
        self.each_result(out, "start", &parameters, before, |out| {
            out.push_str(&self.body(before, 2));
            let _ = writeln!(out, "        sum[l] = r{};", self.c.chain.acc.0);
        });
    }

    /// The function that carries out what stands around the loop, for a block of results.
    fn finish(&self, out: &mut String) {
        let (before, behind) = (&self.nest.code.body[..self.c.chain.at], &self.nest.code.body[self.c.chain.at + 1..]);
        let parameters = format!("const {} *restrict sum", c_ty(self.c.chain.ty));
        self.each_result(out, "finish", &parameters, &[before, behind].concat(), |out| {
            out.push_str(&self.body(before, 2));
            let _ = writeln!(out, "        r{} = sum[l];", self.c.chain.acc.0);
            out.push_str(&self.body(behind, 2));
            for store in &self.nest.stores {
                let at = self.element(store.operand, &store.index, &|_| String::new());
                let _ = writeln!(out, "        {at} = r{};", store.value.0);
            }
        });
    }

    /// A function that does something for every result of a block, whose registers are those of `code`.
    fn each_result(&self, out: &mut String, name: &str, sum: &str, code: &[Inst], inside: impl FnOnce(&mut String)) {
        let (row, last) = (self.row, self.last);
        let _ = writeln!(
            out,
            "OUTLINE void mgpu_{name}_{}({sum}, {}, i64 rows, i64 columns) {{",
            self.number,
            self.around().0
        );
        self.names(out);
        let length = room(self.nest, self.c).row;
        let _ = writeln!(out, "    const i64 top = i{row}, left = i{last};");
        let _ = writeln!(out, "    for (i64 m = 0; m < rows; m++, sum += {length})\n    MG_SIMD");
        let _ = writeln!(out, "    for (i64 l = 0; l < columns; l++) {{");
        let _ = writeln!(out, "        const i64 i{row} = top + m, i{last} = left + l;");
        self.registers(out, code, 8);
        inside(out);
        out.push_str("    }\n}\n");
    }

    /// The function that gives the range of the terms.
    fn bounds(&self, out: &mut String) {
        let _ = writeln!(out, "FN void mgpu_bounds_{}(i64 *ends, {}) {{", self.number, self.around().0);
        self.names(out);
        self.registers(out, &self.c.chain.bounds, 4);
        out.push_str(&self.body(&self.c.chain.bounds, 1));
        let _ = writeln!(out, "    ends[0] = r{};\n    ends[1] = r{};\n}}", self.c.chain.from.0, self.c.chain.to.0);
    }

    /// The function that gives the address of an element of the left factor, if it is read where it lies.
    fn place(&self, out: &mut String) -> bool {
        let [Inst::Op { op: Op::Load(a), .. }] = self.c.left.code[..] else { return false };
        let access = &self.nest.accesses[a.0 as usize];
        let alike = self.nest.operands[access.operand.0 as usize].ty == self.c.chain.ty;
        if !alike || self.nest.domain.dims[self.last].len() > FEW_COLUMNS {
            return false;
        }
        let (n, ty, counter) = (self.number, c_ty(self.c.chain.ty), self.c.chain.counter.0);
        let _ = writeln!(out, "FN const {ty} *mgpu_place_{n}({}, i64 r{counter}) {{", self.around().0);
        self.names(out);
        let at = self.element(access.operand, &access.index, &|r| format!("r{}", r.0));
        let _ = writeln!(out, "    return &{at};\n}}");
        true
    }

    /// The function that gives the address of an element of the result, where that holds the sums before and behind: chains go on
    /// from there and nothing else is done with them.
    fn result(&self, out: &mut String) -> bool {
        let (c, nest) = (&self.c.chain, self.nest);
        let [store] = &nest.stores[..] else { return false };
        let from = |i: &Inst| matches!(i, Inst::Op { op: Op::Load(a), .. } if self.starts_at(*a, store));
        let last = store.index.last().map_or(0, |i| i.coef(Sym::Dim(self.last)));
        let across = store.index.iter().filter(|i| i.coef(Sym::Dim(self.last)) != 0).count();
        let plain = c.start.is_none() && store.value == c.acc && nest.code.body.len() == c.at + 1;
        if !plain || !nest.code.body[..c.at].iter().any(from) || (last, across) != (1, 1) {
            return false;
        }
        let (n, ty) = (self.number, c_ty(c.ty));
        let _ = writeln!(out, "FN {ty} *mgpu_result_{n}({}) {{", self.around().0);
        self.names(out);
        let at = self.element(store.operand, &store.index, &|_| String::new());
        let _ = writeln!(out, "    return &{at};\n}}");
        true
    }

    /// Whether an access reads what a store writes, in the chain's type.
    fn starts_at(&self, access: AccessId, store: &Store) -> bool {
        let a = &self.nest.accesses[access.0 as usize];
        let ty = self.nest.operands[store.operand.0 as usize].ty;
        a.operand == store.operand && a.index == store.index && ty == self.c.chain.ty
    }

    /// The loops around tiles of the result itself.
    fn drive_in_result(&self, out: &mut String) {
        let (n, row, ty) = (self.number, self.row, c_ty(self.c.chain.ty));
        let around = self.around().1;
        let one_more = around.replace(&format!("i{row}"), &format!("i{row} + 1"));
        self.open(out);
        let _ = writeln!(out, "    {ty} *const to = mgpu_result_{n}({around});");
        let _ = writeln!(out, "    const i64 down = mgpu_result_{n}({one_more}) - to;");
        self.terms(out);
        let _ = writeln!(out, "            mgpu_left_{n}(left, {around}, some, k, terms);");
        let _ = writeln!(out, "            for (i64 c = 0; c < columns; c += COLUMNS)");
        let _ = writeln!(out, "                for (i64 r = 0; r < some; r += MG_ROWS)");
        let _ = writeln!(
            out,
            "                    mg_part_{ty}(terms, left + r * terms, right + c * terms, to + (m + r) * down + c, down, \
             some - r, columns - c);"
        );
        out.push_str("        }\n    }\n    }\n    }\n}\n");
    }

    /// The head of a nest's function, and its loops over blocks of columns and rows.
    fn open(&self, out: &mut String) {
        let (n, row, last, ty) = (self.number, self.row, self.last, c_ty(self.c.chain.ty));
        let Room { left, right, .. } = room(self.nest, self.c);
        let _ = writeln!(
            out,
            "void mgpu_{n}(const i64 *box, char *const *ptr, const i64 *geom, const u64 *scalars, void *const *acc, \
             void *scratch, i64 flags) {{"
        );
        let _ = writeln!(out, "    {ty} *const left = ({ty} *)mg_aligned(scratch);");
        let _ = writeln!(out, "    {ty} *const right = ({ty} *)mg_aligned(left + {left});");
        let _ = writeln!(out, "    {ty} *const sum = ({ty} *)mg_aligned(right + {right});");
        let _ = writeln!(out, "    enum {{ COLUMNS = MG_COLUMNS({ty}) }};");
        for d in (0..last).filter(|d| *d != row) {
            let _ = writeln!(out, "    for (i64 i{d} = box[{}]; i{d} < box[{}]; i{d}++)", 2 * d, 2 * d + 1);
        }
        for (d, name, most) in [(last, "columns", MOST_COLUMNS), (row, "rows", MOST_ROWS)] {
            let (lo, hi) = (2 * d, 2 * d + 1);
            let _ = writeln!(out, "    for (i64 i{d} = box[{lo}], {name}; i{d} < box[{hi}]; i{d} += {name}) {{");
            let _ = writeln!(out, "    {name} = mg_least({most}, box[{hi}] - i{d});");
        }
    }

    /// The loops over panels of terms and the rows that are packed at once.
    fn terms(&self, out: &mut String) {
        let (n, row, around) = (self.number, self.row, self.around().1);
        let _ = writeln!(out, "    i64 ends[2];\n    mgpu_bounds_{n}(ends, {around});");
        let _ = writeln!(out, "    for (i64 k = ends[0]; k < ends[1]; k += {TERMS}) {{");
        let _ = writeln!(out, "        const i64 terms = mg_least({TERMS}, ends[1] - k);");
        let _ = writeln!(out, "        mgpu_right_{n}(right, {around}, columns, k, terms);");
        let _ = writeln!(out, "        const i64 top = i{row};");
        let _ = writeln!(out, "        for (i64 m = 0; m < rows; m += {ROWS}) {{");
        let _ = writeln!(out, "            const i64 i{row} = top + m, some = mg_least({ROWS}, rows - m);");
    }

    fn drive(&self, out: &mut String, in_place: bool) {
        let (n, row, ty) = (self.number, self.row, c_ty(self.c.chain.ty));
        let Room { row: length, .. } = room(self.nest, self.c);
        let around = self.around().1;
        self.open(out);
        let _ = writeln!(out, "    const i64 wide = mg_tiles(columns, COLUMNS), high = mg_tiles(rows, MG_ROWS);");
        let _ = writeln!(out, "    for (i64 m = 0; m < high; m++)");
        let _ = writeln!(out, "        for (i64 l = 0; l < wide; l++) sum[m * {length} + l] = 0;");
        if self.c.chain.start.is_none() {
            let _ = writeln!(out, "    mgpu_start_{n}(sum, {around}, rows, columns);");
        }
        self.terms(out);
        if in_place {
            // Whole tiles; what is left of the rows is packed.
            let one_more = around.replace(&format!("i{row}"), &format!("i{row} + 1"));
            let _ = writeln!(out, "            const {ty} *const from = mgpu_place_{n}({around}, k);");
            let _ = writeln!(out, "            const i64 down = mgpu_place_{n}({one_more}, k) - from;");
            let _ = writeln!(out, "            const i64 on = mgpu_place_{n}({around}, k + 1) - from;");
            let _ = writeln!(out, "            const i64 full = some / MG_ROWS * MG_ROWS;");
            let _ = writeln!(out, "            for (i64 c = 0; c < wide; c += COLUMNS)");
            let _ = writeln!(out, "                for (i64 r = 0; r < full; r += MG_ROWS)");
            let _ = writeln!(
                out,
                "                    mg_tile_in_place_{ty}(terms, from + r * down, down, on, right + c * terms, sum + (m + r) * {length} + c, {length});"
            );
            let _ = writeln!(out, "            if (full == some) continue;");
            let rest = around.replace(&format!("i{row}"), &format!("i{row} + full"));
            let _ = writeln!(out, "            mgpu_left_{n}(left, {rest}, some - full, k, terms);");
            let _ = writeln!(out, "            for (i64 c = 0; c < wide; c += COLUMNS)");
            let _ = writeln!(
                out,
                "                mg_tile_{ty}(terms, left, right + c * terms, sum + (m + full) * {length} + c, {length});"
            );
            out.push_str("        }\n    }\n");
            let _ = writeln!(out, "    mgpu_finish_{n}(sum, {around}, rows, columns);\n    }}\n    }}\n}}");
            return;
        }
        let _ = writeln!(out, "            mgpu_left_{n}(left, {around}, some, k, terms);");
        let _ = writeln!(out, "            for (i64 c = 0; c < wide; c += COLUMNS)");
        let _ = writeln!(out, "                for (i64 r = 0; r < some; r += MG_ROWS)");
        let _ = writeln!(
            out,
            "                    mg_tile_{ty}(terms, left + r * terms, right + c * terms, sum + (m + r) * {length} + c, {length});"
        );
        out.push_str("        }\n    }\n");
        let _ = writeln!(out, "    mgpu_finish_{n}(sum, {around}, rows, columns);\n    }}\n    }}\n}}");
    }
}

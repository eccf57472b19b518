//! Blocks of points in C: for nests that reduce, that store past the caches, or whose points all run the same loops.
//!
//! A row function handles any number of points one by one, which suits most nests. Here a block of `W` points runs
//! together: registers that outlive a piece of straight code become arrays of `W`, each piece is a loop over the
//! block, and a loop with equal bounds for all points is around such pieces. The compiler keeps the arrays of short
//! pieces in vector registers. Example: `for k { s += a[i, k] * b[k, j] }` reads `b` by rows.

use std::fmt::Write;

use crate::codegen::c::{self, ABREAST};
use crate::codegen::c_body::{Body, Surroundings, assigns, c_const, c_memory, c_ty};
use crate::codegen::c_facts::Facts;
use crate::codegen::c_nest::{Writer, fold_name};
use crate::ir::kernel::{Inst, Reg};

/// Why a nest runs by blocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// Reductions in lanes.
    Fold,
    /// Stores past the caches, with so many points in a block.
    Past(usize),
    /// Loops with equal bounds.
    Loops,
}

impl Mode {
    fn points(self) -> usize {
        match self {
            Mode::Fold | Mode::Loops => 64,
            Mode::Past(n) => n,
        }
    }
}

/// Most operations of a body that is worth a second copy for stores past the caches.
const MOST_PAST: usize = 64;
/// Most operations of a body that waits for memory, so that reading several leaves at once pays.
const MOST_ABREAST: usize = 16;

/// Whether a nest sums leaves abreast: short bodies whose reductions all meet lanes in order.
fn abreast(w: &Writer) -> bool {
    let nest = w.nest;
    (0..nest.reductions.len()).all(|r| w.ordered(r))
        && nest.reductions.len() <= 2
        && nest.code.body.len() <= MOST_ABREAST
        && nest.code.body.iter().all(|i| matches!(i, Inst::Op { .. }))
        && !nest.accesses.is_empty()
}

/// Decides how a nest runs by blocks.
pub fn mode(w: &Writer) -> Option<Mode> {
    let nest = w.nest;
    nest.domain.rank().checked_sub(1)?;
    if !nest.reductions.is_empty() {
        let whole_lanes = nest.leaf.last().is_some_and(|&n| n >= 64);
        return (whole_lanes || (0..nest.reductions.len()).all(|r| !w.ordered(r))).then_some(Mode::Fold);
    }
    let facts = Facts::new(w);
    if facts.has_loop(&nest.code.body) {
        return Some(Mode::Loops);
    }
    let plain = nest.code.body.iter().all(|i| matches!(i, Inst::Op { .. }));
    let streams = (0..nest.stores.len()).all(|s| w.streams(s));
    let smallest = nest.stores.iter().map(|s| w.ty(s.value).size()).min().unwrap_or(1);
    (plain && streams && smallest > 1 && nest.code.body.len() <= MOST_PAST).then(|| Mode::Past(64 / smallest))
}

/// A part of a block's code.
enum Piece<'a> {
    /// Once for all points.
    Once(&'a Inst),
    /// Point by point.
    Points(Vec<&'a Inst>),
    Loop {
        counter: Reg,
        from: Reg,
        to: Reg,
        by: i64,
        body: Vec<Piece<'a>>,
    },
}

fn pieces<'a>(facts: &Facts, insts: &'a [Inst]) -> Vec<Piece<'a>> {
    let mut out = vec![];
    let mut open: Vec<&Inst> = vec![];
    for inst in insts {
        match inst {
            // Written once from values written once: it may move in front of the open piece.
            Inst::Op { dst, .. } if facts.is(*dst) => out.push(Piece::Once(inst)),
            Inst::Loop { counter, from, to, by, body } if facts.together(inst) => {
                if !open.is_empty() {
                    out.push(Piece::Points(std::mem::take(&mut open)));
                }
                let body = pieces(facts, body);
                out.push(Piece::Loop { counter: *counter, from: *from, to: *to, by: *by, body });
            }
            inst => open.push(inst),
        }
    }
    if !open.is_empty() {
        out.push(Piece::Points(open));
    }
    out
}

/// How often each register occurs in different pieces: 2 means more than one.
struct Occurrences<'a> {
    w: &'a Writer<'a>,
    piece: usize,
    seen: Vec<Option<usize>>,
    several: Vec<bool>,
}

impl Occurrences<'_> {
    fn pieces(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            match piece {
                Piece::Once(_) => {}
                Piece::Points(insts) => {
                    self.piece += 1;
                    insts.iter().for_each(|inst| self.inst(inst));
                }
                Piece::Loop { body, .. } => self.pieces(body),
            }
        }
    }
    fn reg(&mut self, r: Reg) {
        let seen = &mut self.seen[r.0 as usize];
        self.several[r.0 as usize] |= seen.is_some_and(|p| p != self.piece);
        *seen = Some(self.piece);
    }
    fn inst(&mut self, inst: &Inst) {
        match inst {
            Inst::Op { dst, op } => {
                self.w.nest.operands_of(op).into_iter().for_each(|r| self.reg(r));
                self.reg(*dst);
            }
            Inst::If { cond, then, otherwise } => {
                self.reg(*cond);
                then.iter().chain(otherwise).for_each(|i| self.inst(i));
            }
            Inst::Loop { counter, from, to, body, .. } => {
                [*counter, *from, *to].into_iter().for_each(|r| self.reg(r));
                body.iter().for_each(|i| self.inst(i));
            }
            Inst::Break => {}
        }
    }
}

/// Appends the functions for blocks of points.
pub fn write(out: &mut String, w: &Writer, mode: Mode) {
    function(out, w, mode, 1);
    if mode == Mode::Fold && abreast(w) {
        function(out, w, mode, ABREAST);
    }
}

/// The name of the function for blocks of so many leaves.
fn name(w: &Writer, leaves: usize) -> String {
    format!("mgpu_{}_{}", if leaves == 1 { "wide" } else { "abreast" }, w.number)
}

/// The lanes of a reduction in a leaf.
fn lanes(r: usize, leaf: usize) -> String {
    if leaf == 0 { format!("s{r}") } else { format!("s{r}_{leaf}") }
}

/// One function, for blocks of one leaf or the same blocks of several leaves in turn.
fn function(out: &mut String, w: &Writer, mode: Mode, leaves: usize) {
    let nest = w.nest;
    let facts = Facts::new(w);
    let mut pieces = pieces(&facts, &nest.code.body);
    if !matches!(pieces.last(), Some(Piece::Points(_))) {
        pieces.push(Piece::Points(vec![]));
    }
    let n = nest.code.regs.len();
    let mut occurrences = Occurrences { w, piece: 0, seen: vec![None; n], several: vec![false; n] };
    occurrences.pieces(&pieces);
    // Results belong to the last piece.
    nest.stores.iter().map(|s| s.value).chain(nest.reductions.iter().map(|r| r.value)).for_each(|r| occurrences.reg(r));
    let several = occurrences.several;

    let mut parameters: Vec<String> = w.parameters().into_iter().map(|p| p.0).collect();
    if mode == Mode::Fold {
        for (r, reduction) in nest.reductions.iter().enumerate() {
            parameters.push(format!("{} *restrict v{r}", c_ty(w.ty(reduction.value))));
        }
    }
    let _ = writeln!(out, "OUTLINE void {}({}) {{", name(w, leaves), parameters.join(", "));
    let points = mode.points();
    for r in 0..n {
        if facts.uniform[r] {
            let _ = writeln!(out, "    {} r{r} = 0;", c_ty(nest.code.regs[r]));
        }
    }
    if mode == Mode::Fold {
        for (r, reduction) in nest.reductions.iter().enumerate() {
            let ty = c_ty(w.ty(reduction.value));
            for leaf in 0..leaves {
                let (s, first) = (lanes(r, leaf), points * leaf);
                let _ = writeln!(out, "    {ty} {s}[{points}];");
                let _ = writeln!(out, "    for (int l = 0; l < {points}; l++) {s}[l] = v{r}[{first} + l];");
            }
        }
    }
    let _ = writeln!(out, "    for (i64 c = 0; c < n; c += {points}) {{");
    for (r, ty) in nest.code.regs.iter().enumerate().filter(|(r, _)| several[*r] && !facts.uniform[*r]) {
        let _ = writeln!(out, "        {} r{r}[{points}];", c_ty(*ty));
    }
    if let Mode::Past(_) = mode {
        for (s, store) in nest.stores.iter().enumerate() {
            let ty = c_memory(w.ty(store.value));
            let _ = writeln!(out, "        {ty} past{s}[{points}] __attribute__((aligned(64)));");
        }
    }
    let names = (0..n).map(|r| if several[r] && !facts.uniform[r] { format!("r{r}[l]") } else { format!("r{r}") });
    let body = Body::new(w, names.collect(), 3);
    let mut emit = Emit { w, mode, facts: &facts, several: &several, body, loops: 0, leaf: 0 };
    for leaf in 0..leaves {
        emit.leaf = leaf;
        emit.pieces(out, &pieces, true);
    }
    if let Mode::Past(_) = mode {
        for (s, store) in nest.stores.iter().enumerate() {
            let at = w.element(nest.accesses.len() + s, &|_| String::new());
            let bytes = points * w.ty(store.value).size();
            let _ = writeln!(out, "        {{ const i64 k = c; mg_stream(&{at}, past{s}, {bytes}); }}");
        }
    }
    out.push_str("    }\n");
    if mode == Mode::Fold {
        for r in 0..nest.reductions.len() {
            for leaf in 0..leaves {
                let (s, first) = (lanes(r, leaf), points * leaf);
                let _ = writeln!(out, "    for (int l = 0; l < {points}; l++) v{r}[{first} + l] = {s}[l];");
            }
        }
    }
    out.push_str("}\n");
}

struct Emit<'a> {
    w: &'a Writer<'a>,
    mode: Mode,
    facts: &'a Facts<'a>,
    several: &'a [bool],
    body: Body<'a>,
    loops: usize,
    /// Which of the leaves abreast is written.
    leaf: usize,
}

impl Emit<'_> {
    fn pieces(&mut self, out: &mut String, pieces: &[Piece], outermost: bool) {
        for (i, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Once(inst) => out.push_str(&self.body.write([*inst])),
                Piece::Points(insts) => self.points(out, insts, outermost && i + 1 == pieces.len()),
                Piece::Loop { counter, from, to, by, body } => {
                    self.loops += 1;
                    let (id, counter) = (self.loops, counter.0);
                    let _ = writeln!(out, "        const u64 m{id} = mg_trips(r{}, r{}, {by});", from.0, to.0);
                    let _ = writeln!(out, "        r{counter} = r{};", from.0);
                    let _ = writeln!(out, "        for (u64 q{id} = 0; q{id} < m{id}; q{id}++, r{counter} += {by}) {{");
                    self.pieces(out, body, false);
                    out.push_str("        }\n");
                }
            }
        }
    }

    /// A loop over the block; the last one also has the results.
    fn points(&mut self, out: &mut String, insts: &[&Inst], last: bool) {
        let nest = self.w.nest;
        let _ = writeln!(out, "        MG_SIMD\n        for (int l = 0; l < {}; l++) {{", self.mode.points());
        let ahead = self.leaf as i64 * nest.leaf.last().copied().unwrap_or(1);
        let _ = writeln!(out, "            const i64 k = c + {ahead} + l;");
        let mut assigned = vec![];
        insts.iter().for_each(|inst| assigns(std::slice::from_ref(*inst), &mut assigned));
        for r in assigned {
            if !self.several[r.0 as usize] && !self.facts.is(r) {
                let _ = writeln!(out, "            {} r{} = 0;", c_ty(self.w.ty(r)), r.0);
            }
        }
        out.push_str(&self.body.write(insts.iter().copied()));
        if last {
            for (s, store) in nest.stores.iter().enumerate() {
                let value = self.body.name(store.value);
                let at = match self.mode {
                    Mode::Past(_) => format!("past{s}[l]"),
                    _ => self.w.element(nest.accesses.len() + s, &|_| String::new()),
                };
                let _ = writeln!(out, "            {at} = {value};");
            }
            for (r, f) in nest.reductions.iter().enumerate() {
                let (ty, s) = (self.w.ty(f.value), lanes(r, self.leaf));
                let (value, join) = (self.body.name(f.value), c::join(f.op, ty));
                let _ =
                    writeln!(out, "            {{ const {0} a = {s}[l], b = {value}; {s}[l] = {join}; }}", c_ty(ty));
            }
        }
        out.push_str("        }\n");
    }
}

/// Appends the choice of the block function: an `if` whose `else` the caller writes.
pub fn call(out: &mut String, w: &Writer, mode: Mode) {
    let nest = w.nest;
    let mut arguments: Vec<String> = w.parameters().into_iter().map(|p| p.1).collect();
    let points = mode.points();
    match mode {
        Mode::Loops => {
            let _ = writeln!(out, "        if (n >= {points}) {{\n        n &= -{points};");
        }
        Mode::Past(_) => past(out, w, points),
        Mode::Fold => fold(out, w, &mut arguments),
    }
    let _ = writeln!(out, "        {}({});", name(w, 1), arguments.join(", "));
    if mode == Mode::Fold {
        for (r, f) in nest.reductions.iter().enumerate().filter(|(r, _)| !w.ordered(*r)) {
            let _ = writeln!(out, "        acc{r} = mg_{}_{}(acc{r}, t{r}, 64);", fold_name(f.op), c_ty(w.ty(f.value)));
        }
    }
    out.push_str("        }");
}

/// Blocks of a reduction, with the arguments that say where their lanes are.
fn fold(out: &mut String, w: &Writer, arguments: &mut Vec<String>) {
    let nest = w.nest;
    let leaf = nest.leaf.last().copied().unwrap_or(1);
    let (shift, mask) = (leaf.trailing_zeros(), leaf - 1);
    arguments.extend((0..nest.reductions.len()).map(|r| match w.ordered(r) {
        true => format!("cols{r} + 64 * ((j >> {shift}) - (ja >> {shift}))"),
        false => format!("t{r}"),
    }));
    if abreast(w) {
        let _ =
            writeln!(out, "        if (n >= {}LL && !(j & {mask}LL)) {{\n        n = {leaf}LL;", leaf * ABREAST as i64);
        let _ = writeln!(out, "        {}({});", name(w, ABREAST), arguments.join(", "));
        let _ = writeln!(out, "        n = {}LL;\n        continue;\n        }}", leaf * ABREAST as i64);
    }
    if (0..nest.reductions.len()).any(|r| w.ordered(r)) {
        // One leaf at a time, from a point in lane 0.
        let _ = writeln!(out, "        if (n > {leaf}LL - (j & {mask}LL)) n = {leaf}LL - (j & {mask}LL);");
        let _ = writeln!(out, "        if (j & 63) {{ if (n > 64 - (j & 63)) n = 64 - (j & 63); }}");
        let _ = writeln!(out, "        if (n >= 64 && !(j & 63)) {{\n        n &= -64;");
    } else {
        let _ = writeln!(out, "        if (n >= 64) {{\n        n &= -64;");
    }
    for (r, f) in nest.reductions.iter().enumerate().filter(|(r, _)| !w.ordered(*r)) {
        let first = c_const(c::first(f.op, w.ty(f.value)));
        let _ = writeln!(out, "        for (int l = 0; l < 64; l++) t{r}[l] = {first};");
    }
}

/// Blocks begin where all stores are aligned; points before that run by rows.
fn past(out: &mut String, w: &Writer, points: usize) {
    let stores = 0..w.nest.stores.len();
    let apart: Vec<String> = stores.map(|s| format!("({} & 63)", w.row_start(s))).collect();
    let size = w.ty(w.nest.stores[0].value).size();
    let _ = writeln!(out, "        if (flags & 1) {{");
    let _ = writeln!(out, "        i64 head = -({} / {size}) & {};", w.row_start(0), 64 / size - 1);
    let _ = writeln!(out, "        if (head && head < n) n = head;\n        }}");
    let _ = writeln!(
        out,
        "        if ((flags & 1) && n >= {points} && !({})) {{\n        n &= -{points};",
        apart.join(" | ")
    );
}

//! The rows of a thread: loads, points, stores.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::Marcher;
use super::place::row_ty;
use crate::codegen::c_body::{c_memory, c_ty};
use crate::codegen::cuda::{Fold, reduce};
use crate::ir::index_box::Interval;
use crate::ir::kernel::Sym;

/// An element of the vector before or behind this thread's that its points read.
struct Beside {
    g: usize,
    row: i64,
    /// The row's place in the window.
    slot: i64,
    before: bool,
    element: i64,
}

impl Beside {
    /// The vector that holds it for the points of a row.
    fn vector(&self) -> String {
        format!("{}{}_{}", if self.before { "b" } else { "f" }, self.g, self.slot)
    }

    /// What a thread at the end of a warp loads, for each row.
    fn far(&self) -> String {
        format!("far_{}_{}", self.vector(), self.element)
    }
}

impl Marcher<'_> {
    pub fn row_step(&self, g: usize) -> i64 {
        match self.m.dim {
            Some(d) => self.w.step(g, Sym::Dim(d)),
            None => self.m.row_step,
        }
    }

    fn windows(&self) -> impl Iterator<Item = (usize, (i64, i64))> + '_ {
        self.families.iter().enumerate().filter_map(|(g, f)| f.window.map(|w| (g, w)))
    }

    /// Elements from a family's row 0 to the row `row + offset`, where `row` lies in the part and `offset` may lead past an
    /// end of the array.
    fn row_at(&self, g: usize, row: &str, offset: i64) -> String {
        let at = if row.is_empty() { format!("{offset}") } else { format!("{row} + {offset}") };
        let at = match (self.families[g].row_fold, self.m.dim) {
            (Some(f), Some(d)) => {
                let at = format!("({})({at})", row_ty(f.extent));
                f.beside(self.w.nest.domain.dims[d], offset, at, &format!("rl{g}"), &format!("rh{g}"))
            }
            _ => format!("({at})"),
        };
        format!("(i64){at} * {}LL", self.row_step(g))
    }

    /// The range of the columns.
    fn columns(&self) -> Interval {
        self.w.nest.domain.dims[self.w.nest.domain.rank() - 1]
    }

    /// The rule by which the vectors of a family must be mended, where they can lie across an end of the array.
    pub fn mending(&self, g: usize) -> Option<Fold> {
        let fold = self.families[g].column_fold?;
        (!self.m.whole_vectors || fold.left_by(self.columns())).then_some(fold)
    }

    /// An element of row `r + row` beside a vector: `offset` columns from the first, or from column `v` of it.
    pub fn beside(&self, g: usize, row: i64, from: &str, offset: i64) -> String {
        let last = self.w.nest.domain.rank() - 1;
        let column = format!("c{from} + {offset}");
        let shift = match self.families[g].column_fold {
            Some(f) => {
                let i = format!("lo{last} + {column}");
                let inside = f.beside(self.columns(), offset, i.clone(), "0LL", &format!("{}LL", f.extent));
                format!(" + ({inside} - ({i}))")
            }
            None => String::new(),
        };
        format!("q{g}[{}{from} + {offset}{shift}]", self.row_at(g, "r", row))
    }

    /// Loads the vector of row `row + offset`.
    fn load_row(&self, out: &mut String, g: usize, slot: &str, (row, offset): (&str, i64), indent: usize) {
        let last = self.w.nest.domain.rank() - 1;
        let at = format!("q{g} + {}", self.row_at(g, row, offset));
        let _ = writeln!(out, "{:indent$}mg_get(w{g}[{slot}], {at});", "");
        let Some(f) = self.mending(g) else { return };
        let (when, first) = match self.m.dim {
            Some(_) => (format!("if (across{g}) "), format!("lo{last} + c0")),
            None => (String::new(), format!("lo{last} + c0 + (i64)({row}) * {}", self.m.row_step)),
        };
        let _ = writeln!(out, "{:indent$}{when}{}(w{g}[{slot}], {at}, {first}, {}LL);", "", f.mend(), f.extent);
    }

    /// The rows of a family whose points read elements beside their vector, and how many before and behind.
    fn near(&self, g: usize) -> BTreeMap<i64, (i64, i64)> {
        let mut near: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        for (row, col) in self.families[g].reads.iter().filter(|o| o.1 != 0 && o.1.abs() < self.m.vector) {
            let n = near.entry(*row).or_default();
            *n = (n.0.max(-col), n.1.max(*col));
        }
        near
    }

    /// How far edge rules move the columns beside this thread's vector: the same in all of its rows.
    pub fn column_ends(&self, out: &mut String, g: usize) {
        let (last, v) = (self.w.nest.domain.rank() - 1, self.m.vector);
        let (Some(f), Some(_), Some(_)) = (self.families[g].column_fold, self.m.dim, self.families[g].window) else {
            return;
        };
        let widest = self.near(g).values().fold((0, 0), |a, b| (a.0.max(b.0), a.1.max(b.1)));
        let ty = row_ty(f.extent);
        for offset in (-widest.0..0).chain(v..v + widest.1) {
            let (i, lo, hi) =
                (format!("({ty})(lo{last} + c0 + {offset})"), format!("({ty})0"), format!("({ty}){}", f.extent));
            let inside = f.beside(self.columns(), offset, i.clone(), &lo, &hi);
            let _ = writeln!(out, "    const {ty} {} = {inside} - {i};", moved(g, offset));
        }
    }

    /// The elements beside vectors that points read: family, row, whether before the vector, and which of the neighbouring
    /// vector.
    fn beside_vectors(&self) -> Vec<Beside> {
        let v = self.m.vector;
        let mut out = vec![];
        for (g, (lo, _)) in self.windows().filter(|_| self.m.dim.is_some()) {
            for (row, (before, behind)) in self.near(g) {
                let elements = (v - before..v).map(|e| (true, e)).chain((0..behind).map(|e| (false, e)));
                out.extend(elements.map(|(before, element)| Beside { g, row, slot: row - lo, before, element }));
            }
        }
        out
    }

    /// Loads what threads at the ends of a warp need from beside it, with the row's vector.
    fn load_beside(&self, out: &mut String, b: &Beside) {
        let offset = b.element + if b.before { -self.m.vector } else { self.m.vector };
        let moved = match self.families[b.g].column_fold {
            Some(_) => format!(" + {}", moved(b.g, offset)),
            None => String::new(),
        };
        let end = if b.before { "warp_first" } else { "warp_last" };
        let at = self.row_at(b.g, "first_row + u", b.row);
        let _ = writeln!(out, "                if ({end}) {}[u] = q{}[{at} + {offset}{moved}];", b.far(), b.g);
    }

    /// The elements beside this row's vectors, from the threads that hold them.
    fn take_beside(&self, out: &mut String) {
        let v = self.m.vector;
        let mut declared = BTreeSet::new();
        for b in self.beside_vectors() {
            let (name, ty, element) = (b.vector(), c_memory(self.w.memory_ty(b.g)), b.element);
            if declared.insert(name.clone()) {
                let _ = writeln!(out, "            mg_vec<{ty}, {v}> {name};");
            }
            let (function, end) = if b.before { ("mg_before", "warp_first") } else { ("mg_behind", "warp_last") };
            let held = format!("w{}[u + {}].v[{element}]", b.g, b.slot);
            let _ = writeln!(out, "            {name}.v[{element}] = {function}(warp, {held}, {end}, {}[u]);", b.far());
        }
    }

    pub fn rows(&self, out: &mut String) {
        let (nest, m) = (self.w.nest, &self.m);
        let unroll = self.unroll();
        for (g, (lo, hi)) in self.windows() {
            let ty = c_memory(self.w.memory_ty(g));
            let _ = writeln!(out, "    mg_vec<{ty}, {}> w{g}[{}];", m.vector, unroll + hi - lo);
        }
        let beside = self.beside_vectors();
        for b in &beside {
            let _ = writeln!(out, "    {} {}[{unroll}];", c_memory(self.w.memory_ty(b.g)), b.far());
        }
        for (r, red) in nest.reductions.iter().enumerate().filter(|(_, red)| reduce::ordered(nest, red)) {
            let zeros = vec!["0"; m.vector as usize].join(", ");
            let _ = writeln!(out, "    {} sum{r}[{}] = {{{zeros}}};", c_ty(reduce::ty(nest, red)), m.vector);
        }
        out.push_str("    if (live) {\n");
        for (g, (lo, hi)) in self.windows() {
            for k in lo..hi {
                self.load_row(out, g, &(k - lo).to_string(), ("", k), 8);
            }
        }
        let more = if unroll < m.rows { "n" } else { "1" };
        let _ = writeln!(out, "    for (int first_row = 0; first_row < {more}; first_row += {unroll}) {{");
        let _ = writeln!(out, "        #pragma unroll\n        for (int u = 0; u < {unroll}; u++) {{");
        self.condition(out, 12);
        for (g, (lo, hi)) in self.windows() {
            self.load_row(out, g, &format!("u + {}", hi - lo), ("first_row + u", hi), 16);
        }
        beside.iter().for_each(|b| self.load_beside(out, b));
        out.push_str("            }\n        }\n");
        if m.in_step() {
            // The assembler would move loads behind the first use of others; it moves none over this.
            out.push_str("        __syncwarp(warp);\n");
        }
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
            Some(_) if !self.m.others.is_empty() => 2,
            // Measured: a sum's long chunks of rows leave fewer threads, which need more loads each.
            Some(_) if self.m.anchored => 16,
            _ => 8,
        };
        self.m.rows.min(most)
    }

    /// Opens the block of a row that the part has.
    fn condition(&self, out: &mut String, indent: usize) {
        let step = self.m.row_step;
        let inside = match self.m.dim {
            Some(_) if self.m.whole_chunks => {
                let _ = writeln!(out, "{:indent$}{{", "");
                return;
            }
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
        self.take_beside(out);
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
        reduce::feed(out, nest, 16, false);
        for (r, red) in nest.reductions.iter().enumerate().filter(|(_, red)| reduce::ordered(nest, red)) {
            let _ = writeln!(out, "                sum{r}[v] = sum{r}[v] + r{};", red.value.0);
        }
        out.push_str("            }\n");
        self.store(out);
    }

    fn store(&self, out: &mut String) {
        for s in 0..self.w.nest.stores.len() {
            let at = self.stored_at(s);
            self.store_at(out, s, &at);
            let Some(d) = self.m.dim.filter(|_| self.linked) else { continue };
            // The same row in the memory of the rank below or above, if it is a ghost row there.
            let ty = c_memory(self.w.nest.operands[self.w.nest.stores[s].operand.0 as usize].ty);
            for (end, when) in
                [format!("x{d} + r < rim.rows[0]"), format!("x{d} + r >= rim.rows[1]")].iter().enumerate()
            {
                let _ = writeln!(out, "            if (at_rim && rim.store[{end}] == {} && {when}) {{", s + 1);
                let _ = writeln!(out, "            {ty} *far = ({ty} *)((u64)({at}) + rim.far[{end}]);");
                self.store_at(out, s, "far");
                out.push_str("            }\n");
            }
        }
    }

    /// Stores a row's vector at an address.
    fn store_at(&self, out: &mut String, s: usize, at: &str) {
        let v = self.m.vector;
        if self.m.whole_vectors {
            let _ = writeln!(out, "            mg_put({at}, out{s});");
            return;
        }
        let _ = writeln!(
            out,
            "            if (c >= 0 && c + {v} <= cols) mg_put({at}, out{s});\n            else for (int v = 0; v < {v}; v++) if (c + v >= 0 && c + v < cols) ({at})[v] = out{s}.v[v];"
        );
    }

    /// The address of a store's vector in row `r`.
    fn stored_at(&self, s: usize) -> String {
        let route = self.w.nest.accesses.len() + s;
        let g = self.w.routes[route].0;
        let (row, col) = self.offsets[route].unwrap_or((0, 0));
        format!("q{g} + ((i64)(r + {row}) * {}LL + {col})", self.row_step(g))
    }
}

/// The name of the distance that an edge rule moves a column.
fn moved(g: usize, offset: i64) -> String {
    format!("k{g}_{}{}", if offset < 0 { "m" } else { "p" }, offset.abs())
}

//! The rows of a thread: loads, points, stores.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Marcher;
use super::place::row_ty;
use crate::codegen::c_body::{c_memory, c_ty};
use crate::codegen::cuda::reduce;
use crate::ir::kernel::Sym;

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

    /// Elements from a family's row 0 to a row, which may lie past the array's ends.
    fn row_at(&self, g: usize, row: &str) -> String {
        let row = match self.families[g].row_fold {
            Some(f) => f.between(&format!("({})({row})", row_ty(f.extent)), &format!("rl{g}"), &format!("rh{g}")),
            None => format!("({row})"),
        };
        format!("(i64){row} * {}LL", self.row_step(g))
    }

    /// An element of row `r + row`, so many columns after the first of the vector.
    pub fn beside(&self, g: usize, row: i64, column: &str) -> String {
        let last = self.w.nest.domain.rank() - 1;
        let shift = match self.families[g].column_fold {
            Some(f) => format!(" + {}", f.shift(&format!("lo{last} + c + {column}"))),
            None => String::new(),
        };
        // In one dimension rows lie beside each other.
        format!("q{g}[{} + {column}{shift}]", self.row_at(g, &format!("r + {row}")))
    }

    fn load_row(&self, out: &mut String, g: usize, slot: &str, row: &str, indent: usize) {
        let last = self.w.nest.domain.rank() - 1;
        let at = format!("q{g} + {}", self.row_at(g, row));
        let _ = writeln!(out, "{:indent$}mg_get(w{g}[{slot}], {at});", "");
        let Some(f) = self.families[g].column_fold else { return };
        let (when, first) = match self.m.dim {
            Some(_) => (format!("if (across{g}) "), format!("lo{last} + c0")),
            None => (String::new(), format!("lo{last} + c0 + (i64)({row}) * {}", self.m.row_step)),
        };
        let _ = writeln!(out, "{:indent$}{when}{}(w{g}[{slot}], {at}, {first}, {}LL);", "", f.mend(), f.extent);
    }

    /// The elements beside the vectors that this row's points read, from the threads that hold them.
    fn neighbours(&self, out: &mut String) {
        if self.m.dim.is_none() {
            return;
        }
        let v = self.m.vector;
        for (g, (lo, _)) in self.windows() {
            let ty = c_memory(self.w.memory_ty(g));
            let mut near: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
            for (row, col) in self.families[g].reads.iter().filter(|o| o.1.abs() < v) {
                let n = near.entry(*row).or_default();
                *n = (n.0.max(-col), n.1.max(*col));
            }
            for (row, (before, further)) in near {
                let slot = row - lo;
                for (name, from, count, shift, function, end) in [
                    ("b", v - before, before, -v, "mg_before", "warp_first"),
                    ("f", 0, further, v, "mg_behind", "warp_last"),
                ] {
                    if count == 0 {
                        continue;
                    }
                    let _ = writeln!(out, "            mg_vec<{ty}, {v}> {name}{g}_{slot};");
                    for e in from..from + count {
                        let far = self.beside(g, row, &(e + shift).to_string());
                        let _ = writeln!(
                            out,
                            "            {name}{g}_{slot}.v[{e}] = {function}(warp, w{g}[u + {slot}].v[{e}], {end}, &{far});"
                        );
                    }
                }
            }
        }
    }

    pub fn rows(&self, out: &mut String) {
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
        self.neighbours(out);
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

    /// The address of a store's vector in row `r`.
    fn stored_at(&self, s: usize) -> String {
        let route = self.w.nest.accesses.len() + s;
        let g = self.w.routes[route].0;
        let (row, col) = self.offsets[route].unwrap_or((0, 0));
        format!("q{g} + ((i64)(r + {row}) * {}LL + {col})", self.row_step(g))
    }
}

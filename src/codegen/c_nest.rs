//! The loops around a body in C: rows of a part, leaf by leaf where a reduction needs it.

use std::fmt::Write;

use crate::codegen::c::{STRIP, band};
use crate::codegen::c_body::{Body, Surroundings, c_from_word, c_memory, c_ty};
use crate::codegen::c_wide::{self, Mode};
use crate::ir::kernel::{AccessId, Affine, FoldOp, Nest, OperandId, Reduction, Reg, Sym};
use crate::ir::ty::Ty;

/// Side of the squares in which transposed arrays are visited.
const SQUARE: i64 = 32;

/// The name of an order-free fold in the prelude's functions.
pub fn fold_name(op: FoldOp) -> &'static str {
    match op {
        FoldOp::Sum => "wrapsum",
        FoldOp::Prod => "wrapprod",
        FoldOp::Min => "least",
        FoldOp::Max => "most",
        FoldOp::Any => "any",
        FoldOp::All => "all",
    }
}

/// Appends the functions of one nest.
pub fn write(out: &mut String, number: usize, nest: &Nest) {
    let mut w = Writer { nest, number, groups: vec![], routes: vec![], wide: None };
    for access in &nest.accesses {
        let route = w.route(access.operand, &access.index, false);
        w.routes.push(route);
    }
    for store in &nest.stores {
        let route = w.route(store.operand, &store.index, true);
        w.routes.push(route);
    }
    let _ = writeln!(out, "\n/* {} */", nest.name.replace("*/", "* /"));
    w.wide = c_wide::mode(&w);
    w.row(out);
    if let Some(mode) = w.wide {
        c_wide::write(out, &w, mode);
    }
    w.nest(out);
}

/// Accesses that differ only by a constant along the last array dimension share a pointer.
struct Group {
    operand: OperandId,
    /// Subscripts without the last constant.
    index: Vec<Affine>,
    store: bool,
    /// What a step of the last domain dimension moves: a number when the strides do not matter.
    last: Step,
    /// The same for loop counters.
    counters: Vec<(Reg, Step)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Step {
    Elements(i64),
    Strides,
}

pub(super) struct Writer<'a> {
    pub nest: &'a Nest,
    pub number: usize,
    groups: Vec<Group>,
    /// The group and constant of each access, then of each store.
    pub routes: Vec<(usize, i64)>,
    /// How blocks of points run, if they do.
    wide: Option<Mode>,
}

impl Surroundings for Writer<'_> {
    fn ty(&self, r: Reg) -> Ty {
        self.nest.code.regs[r.0 as usize]
    }
    fn load(&self, access: AccessId, name: &dyn Fn(Reg) -> String) -> String {
        let at = self.element(access.0 as usize, name);
        let ty = self.nest.operands[self.nest.accesses[access.0 as usize].operand.0 as usize].ty;
        if ty == Ty::Bool { format!("{at} != 0") } else { at }
    }
    fn index(&self, dim: usize) -> String {
        if dim + 1 == self.nest.domain.rank() { "(j0 + k)".into() } else { format!("i{dim}") }
    }
}

impl Writer<'_> {
    pub fn last(&self) -> Option<usize> {
        self.nest.domain.rank().checked_sub(1)
    }

    fn route(&mut self, operand: OperandId, index: &[Affine], store: bool) -> (usize, i64) {
        let mut index = index.to_vec();
        let konst = index.last_mut().map_or(0, |a| std::mem::take(&mut a.konst));
        if let Some(g) = self.groups.iter().position(|g| g.operand == operand && g.index == index && g.store == store) {
            return (g, konst);
        }
        let step = |sym: Sym| match index.split_last() {
            Some((last, others)) if others.iter().all(|a| a.coef(sym) == 0) => Step::Elements(last.coef(sym)),
            Some(_) => Step::Strides,
            None => Step::Elements(0),
        };
        let mut counters: Vec<(Reg, Step)> = vec![];
        for sym in index.iter().flat_map(|a| &a.terms).map(|t| t.0) {
            if let Sym::Counter(r) = sym
                && !counters.iter().any(|c| c.0 == r)
            {
                counters.push((r, step(sym)));
            }
        }
        let last = self.last().map_or(Step::Elements(0), |d| step(Sym::Dim(d)));
        self.groups.push(Group { operand, index, store, last, counters });
        (self.groups.len() - 1, konst)
    }

    /// The address at which a store's row begins.
    pub fn row_start(&self, store: usize) -> String {
        let (g, konst) = self.routes[self.nest.accesses.len() + store];
        format!("(u64)(a{g} + {konst})")
    }

    /// The element of an access or store at point `k` of a row.
    pub fn element(&self, route: usize, name: &dyn Fn(Reg) -> String) -> String {
        let (g, konst) = self.routes[route];
        let group = &self.groups[g];
        let mut at = match group.last {
            Step::Elements(0) => String::new(),
            Step::Elements(1) => "k".into(),
            Step::Elements(c) => format!("k * {c}"),
            Step::Strides => format!("k * e{g}"),
        };
        for (r, step) in &group.counters {
            let step = match step {
                Step::Elements(c) => c.to_string(),
                Step::Strides => format!("m{g}_{}", r.0),
            };
            let _ = write!(at, "{}{} * {step}", if at.is_empty() { "" } else { " + " }, name(*r));
        }
        if konst != 0 || at.is_empty() {
            let _ = write!(at, "{}{konst}", if at.is_empty() { "" } else { " + " });
        }
        format!("p{g}[{at}]")
    }

    /// Whether an array is written by this nest, and how many pointers reach it.
    fn shared(&self, operand: OperandId) -> bool {
        let array = |o: OperandId| self.nest.operands[o.0 as usize].array;
        let mine: Vec<&Group> = self.groups.iter().filter(|g| array(g.operand) == array(operand)).collect();
        mine.iter().any(|g| g.store) && mine.len() > 1
    }

    /// Whether a store may go past the caches: contiguous, of an array that nothing else in the nest touches.
    pub fn streams(&self, store: usize) -> bool {
        let group = &self.groups[self.routes[self.nest.accesses.len() + store].0];
        group.last == Step::Elements(1)
            && !self.shared(group.operand)
            && self.nest.stores.iter().filter(|s| s.operand == group.operand).count() == 1
    }

    /// The parameters of the row function and the arguments of its call.
    pub fn parameters(&self) -> Vec<(String, String)> {
        let mut all = vec![("i64 j0".into(), "j".into()), ("i64 n".into(), "n".into())];
        for d in 0..self.last().unwrap_or(0) {
            all.push((format!("i64 i{d}"), format!("i{d}")));
        }
        all.push(("const u64 *scalars".into(), "scalars".into()));
        for (g, group) in self.groups.iter().enumerate() {
            let ty = c_memory(self.nest.operands[group.operand.0 as usize].ty);
            let constant = if group.store { "" } else { "const " };
            let restrict = if self.shared(group.operand) { "" } else { "restrict " };
            all.push((format!("{constant}{ty} *{restrict}p{g}"), format!("a{g}")));
            if group.last == Step::Strides {
                all.push((format!("i64 e{g}"), format!("e{g}")));
            }
            for (r, step) in &group.counters {
                if *step == Step::Strides {
                    all.push((format!("i64 m{g}_{}", r.0), format!("m{g}_{}", r.0)));
                }
            }
        }
        all
    }

    /// The parameters of a row's reductions: where to leave values.
    fn values(&self) -> Vec<(String, String)> {
        let value =
            |(r, f): (usize, &Reduction)| (format!("{} *restrict t{r}", c_ty(self.ty(f.value))), format!("t{r}"));
        self.nest.reductions.iter().enumerate().map(value).collect()
    }

    fn row(&self, out: &mut String) {
        let parameters: Vec<String> = self.parameters().into_iter().chain(self.values()).map(|p| p.0).collect();
        let _ = writeln!(out, "OUTLINE void mgpu_row_{}({}) {{", self.number, parameters.join(", "));
        let _ = writeln!(out, "    MG_SIMD\n    for (i64 k = 0; k < n; k++) {{");
        for (i, ty) in self.nest.code.regs.iter().enumerate() {
            let _ = writeln!(out, "        {} r{i} = 0;", c_ty(*ty));
        }
        let names = (0..self.nest.code.regs.len()).map(|i| format!("r{i}")).collect();
        out.push_str(&Body::new(self, names, 2).write(&self.nest.code.body));
        for (s, store) in self.nest.stores.iter().enumerate() {
            let at = self.element(self.nest.accesses.len() + s, &|_| String::new());
            let _ = writeln!(out, "        {at} = r{};", store.value.0);
        }
        for (r, reduction) in self.nest.reductions.iter().enumerate() {
            let _ = writeln!(out, "        t{r}[k] = r{};", reduction.value.0);
        }
        out.push_str("    }\n}\n");
    }

    /// Where an operand's strides begin in `geom`.
    fn strides(&self, operand: OperandId) -> usize {
        self.nest.operands[..operand.0 as usize].iter().map(|o| o.rank).sum()
    }

    /// `Σ strides * part(subscript)` in elements.
    fn weighted(&self, group: &Group, part: impl Fn(&Affine) -> Vec<String>) -> String {
        let at = self.strides(group.operand);
        let n = group.index.len();
        let mut terms = vec![];
        for (a, affine) in group.index.iter().enumerate() {
            for term in part(affine) {
                terms.push(if a + 1 == n { term } else { format!("{term} * geom[{}]", at + a) });
            }
        }
        if terms.is_empty() { "0".into() } else { terms.join(" + ") }
    }

    fn coefficient(&self, group: &Group, sym: Sym) -> String {
        self.weighted(group, |a| {
            Some(a.coef(sym)).filter(|c| *c != 0).map(|c| format!("(i64){c}")).into_iter().collect()
        })
    }

    pub fn ordered(&self, r: usize) -> bool {
        let reduction = &self.nest.reductions[r];
        self.ty(reduction.value).is_float() && matches!(reduction.op, FoldOp::Sum | FoldOp::Prod)
    }

    fn nest(&self, out: &mut String) {
        let nest = self.nest;
        let _ = writeln!(
            out,
            "void mgpu_{}(const i64 *box, char *const *ptr, const i64 *geom, const u64 *scalars, void *const *acc, \
             void *scratch, i64 flags) {{",
            self.number
        );
        let rank = nest.domain.rank();
        for (g, group) in self.groups.iter().enumerate() {
            let base = self.weighted(group, |a| {
                let scalar = |&(s, c): &(Sym, i64)| match s {
                    Sym::Scalar(id) => Some(format!("(i64){c} * (i64)scalars[{}]", id.0)),
                    _ => None,
                };
                let konst = Some(format!("(i64){}", a.konst)).filter(|_| a.konst != 0);
                konst.into_iter().chain(a.terms.iter().filter_map(scalar)).collect()
            });
            let _ = writeln!(out, "    const i64 from{g} = {base};");
            for d in 0..rank {
                let name = if d + 1 == rank { format!("e{g}") } else { format!("d{g}_{d}") };
                let _ = writeln!(out, "    const i64 {name} = {};", self.coefficient(group, Sym::Dim(d)));
            }
            for (r, step) in &group.counters {
                if *step == Step::Strides {
                    let _ =
                        writeln!(out, "    const i64 m{g}_{} = {};", r.0, self.coefficient(group, Sym::Counter(*r)));
                }
            }
        }
        self.accumulators(out);
        self.loops(out);
        for (r, reduction) in nest.reductions.iter().enumerate() {
            if !self.ordered(r) {
                let ty = self.ty(reduction.value);
                let bits = match ty {
                    Ty::F32 => format!("mg_bits_u32_f32(acc{r})"),
                    Ty::F64 => format!("mg_bits_u64_f64(acc{r})"),
                    Ty::I32 => format!("(u32)acc{r}"),
                    _ => format!("(u64)acc{r}"),
                };
                let _ = writeln!(out, "    *(u64 *)acc[{r}] = {bits};");
            }
        }
        if matches!(self.wide, Some(Mode::Past(_))) {
            let _ = writeln!(out, "    if (flags & 1) mg_stream_end();");
        }
        out.push_str("}\n");
    }

    fn accumulators(&self, out: &mut String) {
        let nest = self.nest;
        let leaf = nest.leaf.last().copied().unwrap_or(1);
        let lanes = leaf.min(64);
        let columns = if nest.leaf.is_empty() { 1 } else { band(leaf) / leaf };
        if (0..nest.reductions.len()).any(|r| self.ordered(r)) {
            // Lanes to make ready: of the leaves that can be open at once in this part.
            let touched = match self.last() {
                Some(d) => {
                    let shift = leaf.trailing_zeros();
                    format!("((box[{}] - 1) >> {shift}) - (box[{}] >> {shift}) + 1", 2 * d + 1, 2 * d)
                }
                None => "1".into(),
            };
            let _ = writeln!(
                out,
                "    i64 lanes = {touched};\n    lanes = (lanes < {columns} ? lanes : {columns}) * {lanes};"
            );
        }
        for (r, reduction) in nest.reductions.iter().enumerate() {
            let ty = self.ty(reduction.value);
            let c = c_ty(ty);
            let _ = writeln!(out, "    {c} t{r}[{STRIP}] __attribute__((aligned(64)));");
            if self.ordered(r) {
                let one = if reduction.op == FoldOp::Sum { 0 } else { 1 };
                let _ =
                    writeln!(out, "    {c} *const cols{r} = ({c} *)((u64 *)scratch + {});", r as i64 * columns * lanes);
                let _ = writeln!(out, "    for (i64 l = 0; l < lanes; l++) cols{r}[l] = {one};");
                if reduction.op == FoldOp::Prod {
                    let _ = writeln!(out, "    u64 *leaves{r} = (u64 *)acc[{r}];");
                }
            } else {
                let word = c_from_word(ty, &format!("*(const u64 *)acc[{r}]"));
                let _ = writeln!(out, "    {c} acc{r} = {word};");
            }
        }
    }

    /// The domain dimension that some array has as its contiguous one instead of the last, if any.
    fn turned(&self) -> Option<usize> {
        let last = self.last()?;
        let contiguous =
            |g: &Group| (0..last).find(|&d| g.index.last().is_some_and(|a| a.coef(Sym::Dim(d)).abs() == 1));
        self.groups.iter().filter(|g| g.last == Step::Strides).find_map(contiguous)
    }

    fn loops(&self, out: &mut String) {
        let nest = self.nest;
        let Some(last) = self.last() else {
            let _ = writeln!(out, "    const i64 j = 0, ja = 0, jz = 1, n = 1;\n    {{");
            self.strip(out);
            self.flush(out);
            out.push_str("    }\n");
            return;
        };
        let ordered = (0..nest.reductions.len()).any(|r| self.ordered(r));
        let turned = if nest.reductions.is_empty() { self.turned() } else { None };
        // Leaves, or squares that keep both sides of a transposition in the caches.
        let size = |d: usize| match turned {
            Some(t) if d == t || d == last => Some(SQUARE),
            _ if ordered && d == last => Some(band(nest.leaf[d])),
            _ if ordered => Some(nest.leaf[d]),
            _ => None,
        };
        for d in 0..=last {
            let (a, z) = if d == last { ("ja".into(), "jz".into()) } else { (format!("a{d}"), format!("z{d}")) };
            let (lo, hi) = (format!("box[{}]", 2 * d), format!("box[{}]", 2 * d + 1));
            let _ = writeln!(out, "    for (i64 {a} = {lo}, {z}; {a} < {hi}; {a} = {z}) {{");
            let _ = writeln!(out, "    {z} = {hi};");
            if let Some(size) = size(d) {
                let _ =
                    writeln!(out, "    if (({a} & -{size}LL) + {size}LL < {z}) {z} = ({a} & -{size}LL) + {size}LL;");
            }
        }
        for d in 0..last {
            let _ = writeln!(out, "    for (i64 i{d} = a{d}; i{d} < z{d}; i{d}++) {{");
        }
        let _ = writeln!(out, "    for (i64 j = ja, n; j < jz; j += n) {{\n        n = jz - j;");
        self.strip(out);
        out.push_str("    }\n");
        out.push_str(&"    }\n".repeat(last));
        self.flush(out);
        out.push_str(&"    }\n".repeat(last + 1));
    }

    /// One call of the row function, or of the one for blocks of points.
    fn strip(&self, out: &mut String) {
        let nest = self.nest;
        let rank = nest.domain.rank();
        for (g, group) in self.groups.iter().enumerate() {
            let ty = c_memory(nest.operands[group.operand.0 as usize].ty);
            let constant = if group.store { "" } else { "const " };
            let mut at = format!("from{g}");
            for d in 0..rank {
                let (c, i) =
                    if d + 1 == rank { (format!("e{g}"), "j".into()) } else { (format!("d{g}_{d}"), format!("i{d}")) };
                let _ = write!(at, " + {c} * {i}");
            }
            let o = group.operand.0;
            let _ = writeln!(out, "        {constant}{ty} *a{g} = ({constant}{ty} *)ptr[{o}] + ({at});");
        }
        if let Some(mode) = self.wide {
            c_wide::call(out, self, mode);
            out.push_str(" else {\n");
        }
        if !nest.reductions.is_empty() && rank > 0 {
            let _ = writeln!(out, "        if (n > {STRIP}) n = {STRIP};");
        }
        let arguments: Vec<String> = self.parameters().into_iter().chain(self.values()).map(|p| p.1).collect();
        let _ = writeln!(out, "        mgpu_row_{}({});", self.number, arguments.join(", "));
        let leaf = nest.leaf.last().copied().unwrap_or(1);
        for (r, reduction) in nest.reductions.iter().enumerate() {
            let ty = c_ty(self.ty(reduction.value));
            if self.ordered(r) {
                let name = if reduction.op == FoldOp::Sum { "sum" } else { "prod" };
                let _ = writeln!(out, "        mg_{name}_{ty}(cols{r}, t{r}, j, n, ja, {leaf}LL, {});", leaf.min(64));
            } else {
                let _ = writeln!(out, "        acc{r} = mg_{}_{ty}(acc{r}, t{r}, n);", fold_name(reduction.op));
            }
        }
        if self.wide.is_some() {
            out.push_str("        }\n");
        }
    }

    /// Closes the leaves of a band.
    fn flush(&self, out: &mut String) {
        let nest = self.nest;
        let rank = nest.domain.rank();
        let leaf = nest.leaf.last().copied().unwrap_or(1);
        let shift = leaf.trailing_zeros();
        for (r, reduction) in nest.reductions.iter().enumerate().filter(|(r, _)| self.ordered(*r)) {
            let ty = c_ty(self.ty(reduction.value));
            let count = format!("((jz - 1) >> {shift}) - (ja >> {shift}) + 1");
            if reduction.op == FoldOp::Sum {
                let _ = writeln!(out, "    mg_flush_sum_{ty}(cols{r}, {count}, {}, (i64 *)acc[{r}]);", leaf.min(64));
                continue;
            }
            let at: usize = nest.operands.iter().map(|o| o.rank).sum();
            let mut position = "(u64)0".to_string();
            for d in 0..rank {
                let i = if d + 1 == rank { "ja".into() } else { format!("a{d}") };
                let (first, extent) = (at + 2 * d, at + 2 * d + 1);
                let shift = nest.leaf[d].trailing_zeros();
                position = format!("({position} * (u64)geom[{extent}] + (u64)(({i} >> {shift}) - geom[{first}]))");
            }
            let _ = writeln!(
                out,
                "    leaves{r} = mg_flush_prod_{ty}(cols{r}, {count}, {}, leaves{r}, {position});",
                leaf.min(64)
            );
        }
    }
}

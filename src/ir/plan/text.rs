//! The plan as text for people.

use super::message::Totals;
use super::prose::exchange_of;
use super::{Exchange, Home, Item, Plan, PlanArray, PlanNestId, Step, StepKind, ViewId};
use crate::ir::contraction::product;
use crate::ir::format::complex_text;
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{ArrayId, Nest, ScalarId, Sym};
use crate::ir::program::{Edge, PrintPart};
use crate::source::{SourceMap, Span};
use std::fmt::Write;

/// Bytes with a unit that keeps three or four digits.
pub fn bytes(n: i64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut v, mut k) = (n as f64, 0);
    while v >= 10_000.0 && k + 1 < units.len() {
        v /= 1024.0;
        k += 1;
    }
    if v.fract() == 0.0 || k == 0 { format!("{v:.0} {}", units[k]) } else { format!("{v:.1} {}", units[k]) }
}

/// `1 message`, `2 messages`
pub fn messages_text(n: i64) -> String {
    format!("{n} message{}", if n == 1 { "" } else { "s" })
}

/// What a whole run sends, in a line.
pub fn totals_text(t: &Totals) -> String {
    let more = match (t.exact, t.listed) {
        (true, _) => "",
        (false, false) => ", and what `while`, `if` and `break` decide on",
        (false, true) => ", and what is listed or `while`, `if` and `break` decide on",
    };
    let reduces = format!("{} all-reduce{}", t.all_reduces, if t.all_reduces == 1 { "" } else { "s" });
    format!("the whole run: {} with {}, {reduces}{more}", messages_text(t.messages), bytes(t.bytes))
}

/// Messages of an exchange that are listed.
const LISTED: usize = 16;

/// Ranks whose traffic is looked at one by one; of more ranks, this many spread evenly.
const LOOKED_AT: i64 = 64;

impl PlanArray {
    /// `[512@0, 512]`, as the program sees the array.
    pub fn layout_seen(&self) -> String {
        let all = self.layout.to_string();
        match all.rsplit_once(", ").filter(|_| self.array.complex) {
            Some((seen, _)) => format!("{seen}]"),
            None => all,
        }
    }

    /// Ghost cells below and above each dimension that the program sees.
    pub fn seen_ghost(&self) -> &[(i64, i64)] {
        &self.ghost[..self.array.extents().len()]
    }

    /// `f32[512@0, 512@1 | halo 1, 1]`, and the mesh.
    pub fn layout_text(&self) -> (String, String) {
        let one = |g: &(i64, i64)| if g.0 == g.1 { g.0.to_string() } else { format!("-{}+{}", g.0, g.1) };
        let halo: Vec<String> = self.seen_ghost().iter().map(one).collect();
        let stored = self.ghost.iter().any(|g| *g != (0, 0));
        let halo = if stored { format!(" | halo {}", halo.join(", ")) } else { String::new() };
        let layout = self.layout_seen();
        let mesh: Vec<String> = self.layout.mesh.iter().map(|m| m.to_string()).collect();
        let place = if mesh.is_empty() { "on every rank".to_string() } else { format!("mesh {}", mesh.join(" x ")) };
        (format!("{}{}{halo}]", self.array.element(), layout.trim_end_matches(']')), place)
    }
}

impl Plan {
    /// The ranks that stand for all: every one, or an even sample.
    pub fn sampled_ranks(&self) -> Vec<i64> {
        if self.ranks <= LOOKED_AT {
            return (0..self.ranks).collect();
        }
        (0..LOOKED_AT).map(|k| k * (self.ranks - 1) / (LOOKED_AT - 1)).collect()
    }

    /// Largest numbers of messages and bytes that one rank receives, and, up to 64 ranks, the totals over all of them.
    pub fn load(&self, exchange: &Exchange) -> ((i64, i64), Option<(i64, i64)>) {
        let each: Vec<(i64, i64)> = self.sampled_ranks().iter().map(|&r| self.traffic(exchange, r)).collect();
        let most = each.iter().fold((0, 0), |m, t| (m.0.max(t.0), m.1.max(t.1)));
        let total = each.iter().fold((0, 0), |s, t| (s.0 + t.0, s.1 + t.1));
        (most, (self.ranks <= LOOKED_AT).then_some(total))
    }

    /// The whole plan as text: arrays with their layouts, memory, then the steps with their messages.
    pub fn text(&self, sources: &SourceMap) -> String {
        let mut out = String::new();
        let params: Vec<String> = self.program.params.iter().map(|(n, v)| format!("{n} = {v}")).collect();
        let _ = writeln!(
            out,
            "{} rank{}{}",
            self.ranks,
            if self.ranks == 1 { "" } else { "s" },
            if params.is_empty() { String::new() } else { format!(", {}", params.join(", ")) }
        );
        if self.program.depends_on_ranks {
            let _ = writeln!(out, "a value of this program depends on `ranks`: results may differ between rank counts");
        }
        let _ = writeln!(out, "\narrays");
        for a in self.arrays.iter().filter(|a| a.used) {
            let (layout, place) = a.layout_text();
            let part = a.owned_text(0);
            let edge = edges(&a.array.declared().1);
            let _ = writeln!(out, "  {:12} {layout}  {place}, rank 0 owns {part}{edge}", a.array.name);
        }
        let memory: Vec<i64> = self.sampled_ranks().iter().map(|&r| self.memory(r)).collect();
        let _ = write!(out, "memory: at most {} a rank", bytes(memory.iter().copied().max().unwrap_or(0)));
        match self.under_way().and_then(|u| u.into_iter().max()).filter(|most| *most > 0) {
            Some(most) => drop(writeln!(out, ", and {} for messages on their way", bytes(most))),
            None => out.push('\n'),
        }
        let _ = writeln!(out, "\nsteps");
        self.steps_text(&self.steps, 1, sources, &mut out);
        out += &self.totals().map_or(String::new(), |t| format!("\n{}\n", totals_text(&t)));
        out
    }

    fn steps_text(&self, steps: &[Step], depth: usize, sources: &SourceMap, out: &mut String) {
        for s in steps {
            let line = match sources.line_col(s.span) {
                (line, _) if s.span.end > 0 => format!("{}:{line}", sources.file(s.span.file).name),
                _ => String::new(),
            };
            let say = |text: String, out: &mut String| {
                let (indent, width) = (2 * depth, 76usize.saturating_sub(2 * depth));
                let _ = writeln!(out, "{:indent$}{text:<width$}  {line}", "");
            };
            match &s.kind {
                StepKind::For { counter, body, .. } => {
                    say(format!("for {}{}", self.scalar_name(*counter), self.range_text(*counter)), out);
                    self.steps_text(body, depth + 1, sources, out);
                }
                StepKind::While { before, body, .. } => {
                    say("while".into(), out);
                    self.steps_text(before, depth + 1, sources, out);
                    self.steps_text(body, depth + 1, sources, out);
                }
                StepKind::If { then, otherwise, .. } => {
                    say("if".into(), out);
                    self.steps_text(then, depth + 1, sources, out);
                    if !otherwise.is_empty() {
                        let _ = writeln!(out, "{:indent$}else", "", indent = 2 * depth);
                        self.steps_text(otherwise, depth + 1, sources, out);
                    }
                }
                StepKind::Once { body, .. } => {
                    say(self.once_text(s), out);
                    self.steps_text(body, depth + 1, sources, out);
                }
                _ => {
                    self.messages_of(s, &mut |text| say(text, out));
                    let messages = exchange_of(s).filter(|_| self.ranks <= LOOKED_AT);
                    let all = messages.map_or(vec![], |e| self.messages(&self.exchanges[e.0 as usize]));
                    for m in all.iter().take(LISTED) {
                        let _ = writeln!(out, "{:indent$}{}", "", m.line(self), indent = 2 * depth + 4);
                    }
                    if all.len() > LISTED {
                        let _ =
                            writeln!(out, "{:indent$}… and {} more", "", all.len() - LISTED, indent = 2 * depth + 4);
                    }
                    self.work_text(s, &mut |text| say(text, out));
                }
            }
        }
    }

    /// `once, again when idx has changed`
    pub(crate) fn once_text(&self, s: &Step) -> String {
        let StepKind::Once { arrays, scalars, .. } = &s.kind else { return String::new() };
        let arrays = arrays.iter().map(|a| self.array(*a).array.name.clone());
        let scalars = scalars.iter().map(|s| self.scalar_name(*s)).filter(|n| !n.is_empty());
        let mut names: Vec<String> = arrays.chain(scalars).collect();
        names.dedup();
        let have = if names.len() == 1 { "has" } else { "have" };
        if names.is_empty() { "once".into() } else { format!("once, again when {} {have} changed", names.join(", ")) }
    }

    /// Every step in a few words, in the order of [`Plan::each_step`].
    pub fn step_titles(&self) -> Vec<String> {
        let mut out = vec![];
        self.each_step(&self.steps, &mut |s| out.push(self.step_title(s)));
        out
    }

    /// A step in a few words.
    pub fn step_title(&self, s: &Step) -> String {
        match &s.kind {
            StepKind::Compute { nest, .. } => self.compute_text(*nest),
            StepKind::For { .. } => "for".into(),
            StepKind::While { .. } => "while".into(),
            StepKind::If { .. } => "if".into(),
            StepKind::Once { .. } => self.once_text(s),
            _ => {
                let mut first = None;
                self.leaf_text(s, &mut |line| {
                    first.get_or_insert(line);
                });
                first.unwrap_or_else(|| "set".into())
            }
        }
    }

    /// What the steps of some places compute and communicate, one line each.
    pub fn text_at(&self, here: &dyn Fn(Span) -> bool) -> Vec<String> {
        let mut out = vec![];
        self.each_step(&self.steps, &mut |s| {
            if here(s.span) {
                self.leaf_text(s, &mut |line| out.push(line));
            }
        });
        out
    }

    /// Calls `f` with every step, those inside loops and choices included, in the order of the text.
    pub fn each_step<'a>(&'a self, steps: &'a [Step], f: &mut dyn FnMut(&'a Step)) {
        for s in steps {
            f(s);
            s.kind.blocks().into_iter().for_each(|b| self.each_step(b, f));
        }
    }

    /// Why an exchange has no message.
    pub(super) fn why_silent(&self) -> &'static str {
        if self.ranks == 1 { "there is one rank" } else { "every rank owns what it reads" }
    }

    /// ` in 0..500`, where the ends of a loop are known, ` within 0..500`, where only bounds are.
    pub fn range_text(&self, counter: ScalarId) -> String {
        match (self.program.counted.get(&counter), self.scalar_range(counter)) {
            (Some(c), _) => format!(" in {c}"),
            (None, Some(r)) => format!(" within {}..{}", r.lo, r.hi),
            (None, None) => String::new(),
        }
    }

    /// How often a loop turns, where its ends are known.
    pub fn rounds(&self, counter: ScalarId) -> Option<i64> {
        self.program.counted.get(&counter).map(|c| c.rounds())
    }

    /// A step that holds no others.
    pub fn leaf_text(&self, s: &Step, say: &mut dyn FnMut(String)) {
        self.messages_of(s, say);
        self.work_text(s, say);
    }

    /// The exchange of a step.
    fn messages_of(&self, s: &Step, say: &mut dyn FnMut(String)) {
        let Some(e) = exchange_of(s) else { return };
        let exchange = &self.exchanges[e.0 as usize];
        let what = match s.kind {
            StepKind::Compute { .. } => "exchange, while the interior computes",
            _ if self.panels_of(exchange).is_some() => "exchange of a panel, while the one before is multiplied",
            _ => "exchange",
        };
        self.exchange_text(exchange, what, say);
    }

    /// What a step does besides its exchange.
    fn work_text(&self, s: &Step, say: &mut dyn FnMut(String)) {
        let name = |a: &crate::ir::kernel::ArrayId| self.array(*a).array.name.clone();
        match &s.kind {
            StepKind::Inspect(v) => say(self.inspect_text(*v)),
            StepKind::Compute { nest, .. } => say(self.compute_text(*nest)),
            StepKind::AllReduce(items) => {
                let one = |(n, r): &(PlanNestId, usize)| {
                    let nest = &self.nest(*n).nest;
                    format!("{:?} of {}", nest.reductions[*r].op, nest.name).to_lowercase()
                };
                let names: Vec<String> = items.iter().map(one).collect();
                say(format!("all-reduce, one message: {}", names.join(", ")));
            }
            StepKind::Scalars { results, .. } => {
                let named: Vec<String> =
                    results.iter().map(|(_, id)| self.scalar_name(*id)).filter(|n| !n.is_empty()).collect();
                if !named.is_empty() {
                    say(format!("set {}", named.join(", ")));
                }
            }
            StepKind::Swap(a, b) => say(format!("swap {} and {}", name(a), name(b))),
            StepKind::Scatter { into, index, value, kept, .. } => {
                say(self.scatter_text(*into, *index, *value, *kept));
            }
            StepKind::Scan { array, dim, .. } => say(self.scan_text(*array, *dim)),
            StepKind::Break => say("break".into()),
            StepKind::Print(_) => say("print".into()),
            StepKind::Assert { .. } => say("assert".into()),
            StepKind::Expect { .. } => say("expect".into()),
            StepKind::Load { array, path } => say(format!("load {} from {}", name(array), path_text(path))),
            StepKind::Save { array, path } => {
                say(format!("save {} to {}, every rank its part", name(array), path_text(path)))
            }
            StepKind::Plot { array, path, animated: true } => {
                say(format!("add a frame of {} to {}, gathered on rank 0", name(array), path_text(path)))
            }
            StepKind::Plot { array, path, .. } => {
                say(format!("plot {} to {}, gathered on rank 0", name(array), path_text(path)))
            }
            StepKind::Exchange(_)
            | StepKind::Finish(_)
            | StepKind::For { .. }
            | StepKind::While { .. }
            | StepKind::If { .. }
            | StepKind::Once { .. } => {}
        }
    }

    /// What travels in an exchange, in words.
    pub fn items_text(&self, e: &Exchange) -> String {
        let one = |i: &Item| match i {
            Item::Ghost { array, arms } => {
                let a = &self.array(*array).array;
                let widths: Vec<String> = arms.iter().map(|arm| arm_text(&arm.widths[..a.extents().len()])).collect();
                format!("halo of {} ({})", a.name, widths.join(", "))
            }
            Item::View(v) => {
                let v = &self.views[v.0 as usize];
                format!("what `{}` reads of {}", self.nest(v.nest).nest.name, self.array(v.array).array.name)
            }
        };
        e.items.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn exchange_text(&self, e: &Exchange, what: &str, say: &mut dyn FnMut(String)) {
        let items = self.items_text(e);
        let (most, total) = self.load(e);
        let (what, at_most) =
            if e.listed { (format!("{what} of listed elements"), "at most ") } else { (what.to_string(), "") };
        say(format!("{what}: {items}"));
        if total == Some((0, 0)) {
            return say(format!("    no message: {}", self.why_silent()));
        }
        let total =
            total.map_or(String::new(), |t| format!("; all ranks {at_most}{}, {}", messages_text(t.0), bytes(t.1)));
        let rounds = self.panels_of(e).map_or(String::new(), |p| format!("in {} panels ", p.rounds()));
        say(format!("    {rounds}a rank receives at most {}, {}{total}", messages_text(most.0), bytes(most.1)));
    }

    /// What finding out which elements of a view are read costs: a number for each, at most.
    pub(crate) fn inspect_text(&self, v: ViewId) -> String {
        let view = &self.views[v.0 as usize];
        let (a, reader) = (self.array(view.array), &self.nest(view.nest).nest.name);
        let size = a.array.ty.size() as i64;
        let whole = Exchange { items: vec![Item::View(v)], span: a.array.span, listed: false };
        let one = |r: i64| self.traffic(&whole, r).1 / size * if a.storage(r).len() <= 1 << 32 { 4 } else { 8 };
        let most = self.sampled_ranks().into_iter().map(one).max().unwrap_or(0);
        format!("list what `{reader}` reads of {}: a rank sends at most {}", a.array.name, bytes(most))
    }

    /// What a scatter sends: at most everything that a rank holds of it, and the places only where they are not known from before.
    pub(crate) fn scatter_text(&self, into: ArrayId, index: ArrayId, value: ArrayId, kept: bool) -> String {
        let (a, size) = (self.array(into), self.array(value).array.ty.size() as i64);
        let part = |r: i64| a.layout.part(r).len();
        let place = if (0..self.ranks.min(2)).all(|r| part(r) <= 1 << 32) { 4 } else { 8 };
        let most = self.sampled_ranks().iter().map(|r| self.array(index).layout.part(*r).len()).max().unwrap_or(0);
        let name = &a.array.name;
        match (self.ranks, kept) {
            (1, false) => format!("scatter into {name}"),
            (1, true) => format!("scatter into {name}, in an order that is kept"),
            (_, false) => {
                format!("scatter into {name}: a rank sends at most {} to the owners", bytes(most * (place + size)))
            }
            (_, true) => format!(
                "scatter into {name}: a rank sends at most {} to the owners, and {} more when places have changed",
                bytes(most * size),
                bytes(most * place)
            ),
        }
    }

    /// What a scan passes on from rank to rank.
    pub(crate) fn scan_text(&self, array: ArrayId, dim: usize) -> String {
        let layout = &self.array(array).layout;
        let across = layout.cuts[dim].filter(|c| c.parts > 1 && self.ranks > 1);
        let way = match across {
            None => "within every rank".into(),
            Some(_) if layout.shape.len() == 1 && layout.leaves_aligned(dim) => {
                let leaf = crate::ir::layout::granule(layout.shape[dim]);
                let sums = (layout.shape[dim] + leaf - 1) / leaf;
                format!("all ranks exchange the totals of {leaf} elements each, {}", bytes(sums * 8))
            }
            Some(c) => format!("carried through {} ranks, one after the other", c.parts),
        };
        format!("scan along dimension {dim}: {way}")
    }

    pub(crate) fn compute_text(&self, id: PlanNestId) -> String {
        let n = self.plan_nest_places(id);
        let nest = &self.nest(id).nest;
        let kind = if nest.stores.is_empty() { "reduce" } else { "compute" };
        let how = match (product(nest).map(|c| c.count()), &self.nest(id).panels) {
            (_, Some(p)) => format!(", a contraction, {} of {} terms a panel", p.terms.by, p.terms.to - p.terms.from),
            (Some(Some(terms)), _) => format!(", a contraction of {terms} terms"),
            (Some(None), _) => ", a contraction".into(),
            (None, _) => String::new(),
        };
        format!("{kind} {} over {}{how}{n}", nest.name, self.seen_points(nest, &self.nest(id).domain()))
    }

    /// Points of a nest as the program sees them: where it goes over the parts of complex numbers, without their dimension.
    pub(crate) fn seen_points(&self, nest: &Nest, points: &IndexBox) -> IndexBox {
        let parts = nest.stores.iter().find_map(|s| {
            let complex = self.array(nest.operands[s.operand.0 as usize].array).array.complex;
            match s.index.last().filter(|_| complex)?.terms[..] {
                [(Sym::Dim(d), _)] => Some(d),
                _ => None,
            }
        });
        let kept = points.dims.iter().enumerate().filter(|(d, _)| Some(*d) != parts);
        IndexBox::new(kept.map(|(_, r)| *r).collect())
    }

    fn plan_nest_places(&self, id: PlanNestId) -> String {
        match &self.nest(id).home {
            Home::Everywhere if self.ranks > 1 => ", whole on every rank".into(),
            _ => String::new(),
        }
    }

    pub fn scalar_name(&self, id: ScalarId) -> String {
        self.program.scalars[id.0 as usize].name.clone()
    }
}

fn arm_text(widths: &[(i64, i64)]) -> String {
    let each: Vec<String> =
        widths.iter().map(|w| if w.0 == w.1 { w.0.to_string() } else { format!("-{}+{}", w.0, w.1) }).collect();
    each.join(" x ")
}

pub(crate) fn edges(edges: &[Edge]) -> String {
    let name = |e: &Edge| match e {
        Edge::None => "none".to_string(),
        Edge::Clamp => "clamp".into(),
        Edge::Periodic => "periodic".into(),
        Edge::Mirror => "mirror".into(),
        Edge::Odd => "odd".into(),
        Edge::Constant(v) => format!("constant({v})"),
        Edge::Complex(re, im) => format!("constant{}", complex_text(*re, *im, None)),
    };
    if edges.iter().all(|e| *e == Edge::None) {
        return String::new();
    }
    if edges.windows(2).all(|w| w[0] == w[1]) {
        return edges.first().map_or(String::new(), |e| format!(", edge {}", name(e)));
    }
    format!(", edge ({})", edges.iter().map(name).collect::<Vec<_>>().join(", "))
}

pub(super) fn path_text(parts: &[PrintPart]) -> String {
    let one = |p: &PrintPart| match p {
        PrintPart::Text(t) => t.clone(),
        PrintPart::Scalar { .. } | PrintPart::Array { .. } | PrintPart::List { .. } => "{…}".into(),
    };
    format!("\"{}\"", parts.iter().map(one).collect::<String>())
}

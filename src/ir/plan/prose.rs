//! The plan of one line as prose: what each rank owns, what is exchanged and why, and what it costs.

use super::message::{Message, has_break};
use super::text::{bytes, edges, messages_text};
use super::{Deal, Exchange, ExchangeId, Home, Item, Plan, PlanNestId, Source, Step, StepKind, ViewId};
use crate::ir::contraction::product;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Access, ArrayId, FoldOp, Sym};
use crate::source::{SourceMap, Span};

/// Ranks that are listed one by one; of more, the first ones and the last.
const LISTED: i64 = 8;

/// A step with the loops around it.
pub struct Found<'a> {
    pub step: &'a Step,
    /// How often it runs; `None` where that is decided during the run.
    pub times: Option<i64>,
    /// The loops in words, the outermost first.
    pub loops: Vec<String>,
}

impl Plan {
    /// The steps of some places.
    pub fn find(&self, here: &dyn Fn(Span) -> bool) -> Vec<Found<'_>> {
        let mut out = vec![];
        self.find_in(&self.steps, here, &mut vec![], Some(1), &mut out);
        out
    }

    fn find_in<'a>(
        &'a self,
        steps: &'a [Step],
        here: &dyn Fn(Span) -> bool,
        loops: &mut Vec<String>,
        times: Option<i64>,
        out: &mut Vec<Found<'a>>,
    ) {
        for step in steps {
            if here(step.span) {
                out.push(Found { step, times, loops: loops.clone() });
            }
            let (inner, name, more): ([&[Step]; 2], String, Option<i64>) = match &step.kind {
                StepKind::For { counter, body, .. } => {
                    let name = format!("for {}{}", self.scalar_name(*counter), self.range_text(*counter));
                    let count = self.rounds(*counter).filter(|_| !has_break(body));
                    ([body, &[]], name, times.zip(count).map(|(a, b)| a.saturating_mul(b)))
                }
                StepKind::While { before, body, .. } => ([before, body], "while".into(), None),
                StepKind::If { then, otherwise, .. } => ([then, otherwise], "if".into(), None),
                StepKind::Once { body, .. } => ([body, &[]], self.once_text(step), Some(1)),
                _ => continue,
            };
            loops.push(name);
            inner.iter().for_each(|s| self.find_in(s, here, loops, more, out));
            loops.pop();
        }
    }

    /// Messages and bytes that all ranks receive in the exchanges of some places, each counted once.
    pub fn traffic_at(&self, here: &dyn Fn(Span) -> bool) -> (i64, i64) {
        let ids = self.find(here).into_iter().filter_map(|f| exchange_of(f.step));
        let loads = ids.map(|e| self.total(&self.exchanges[e.0 as usize]));
        loads.fold((0, 0), |s, t| (s.0 + t.0, s.1 + t.1))
    }

    fn total(&self, e: &Exchange) -> (i64, i64) {
        let each = (0..self.ranks).map(|r| self.traffic(e, r));
        each.fold((0, 0), |s, t| (s.0 + t.0, s.1 + t.1))
    }

    /// The plan of some places in paragraphs: owners, then every step in order.
    pub fn prose(&self, sources: &SourceMap, here: &dyn Fn(Span) -> bool) -> Vec<String> {
        let found = self.find(here);
        let mut out: Vec<String> = vec![];
        let mut groups: Vec<Vec<ArrayId>> = vec![];
        for id in self.arrays_at(&found, here) {
            let a = self.array(id);
            let alike = |g: &&mut Vec<ArrayId>| {
                let o = self.array(g[0]);
                o.layout == a.layout && o.ghost == a.ghost && o.array.ty == a.array.ty && o.array.edges == a.array.edges
            };
            match groups.iter_mut().find(alike) {
                Some(g) => g.push(id),
                None => groups.push(vec![id]),
            }
        }
        let mut say = |text: String| {
            if !out.contains(&text) {
                out.push(text);
            }
        };
        groups.iter().for_each(|g| say(self.owner_text(g)));
        for f in &found {
            if let Some(e) = exchange_of(f.step) {
                say(self.exchange_story(e, f, sources));
            }
            self.step_story(f).into_iter().for_each(&mut say);
        }
        out
    }

    /// The arrays that steps touch, and those declared at the places.
    fn arrays_at(&self, found: &[Found], here: &dyn Fn(Span) -> bool) -> Vec<ArrayId> {
        let mut out: Vec<ArrayId> = vec![];
        let mut add = |a: ArrayId| {
            if !out.contains(&a) {
                out.push(a);
            }
        };
        for (k, a) in self.arrays.iter().enumerate() {
            if a.used && !a.array.temporary && here(a.array.span) {
                add(ArrayId(k as u32));
            }
        }
        for f in found {
            match &f.step.kind {
                StepKind::Compute { nest, .. } => self.nest(*nest).nest.operands.iter().for_each(|o| add(o.array)),
                StepKind::Exchange(e) => {
                    self.exchanges[e.0 as usize].items.iter().for_each(|i| add(self.item_array(i).0))
                }
                StepKind::Load { array, .. } | StepKind::Save { array, .. } | StepKind::Plot { array, .. } => {
                    add(*array)
                }
                _ => {}
            }
        }
        out
    }

    /// Who owns what of arrays that lie alike.
    fn owner_text(&self, alike: &[ArrayId]) -> String {
        let a = self.array(alike[0]);
        let (layout, place) = a.layout_text();
        let mut names: Vec<String> = alike.iter().map(|id| format!("`{}`", self.array(*id).array.name)).collect();
        names.dedup();
        let (names, is) = (names.join(", "), if alike.len() > 1 { "are" } else { "is" });
        if a.layout.is_replicated() {
            return format!("{names}, {layout}, {is} kept whole on every rank.");
        }
        let mut out = format!("{names}, {layout}, {is} cut into parts on the {place}{}:", edges(&a.array.declared().1));
        for r in listed(self.ranks) {
            match r {
                Some(r) => out += &format!("\n    rank {r} owns {}", a.owned_text(r)),
                None => out += "\n    …",
            }
        }
        if a.ghost.iter().any(|g| *g != (0, 0)) {
            let kept = a.storage_text(0);
            out += &format!("\nA rank keeps copies of its neighbours' elements around its part: rank 0 keeps {kept}.");
        }
        out
    }

    fn exchange_story(&self, id: ExchangeId, f: &Found, sources: &SourceMap) -> String {
        let e = &self.exchanges[id.0 as usize];
        let total = self.total(e);
        let mut out: Vec<String> = e.items.iter().map(|i| self.reason(i, f, sources)).collect();
        if total.0 == 0 {
            out.push(format!("No message is needed: {}.", self.why_silent()));
            return out.join("\n");
        }
        let busiest = (0..self.ranks).max_by_key(|&r| (self.traffic(e, r).1, -r)).unwrap_or(0);
        let most = self.traffic(e, busiest);
        let at_most = if e.listed { "at most " } else { "" };
        let rounds = self.rounds_of(e);
        let together = match (e.items.len(), rounds) {
            (1, 1) => String::new(),
            (_, 1) => ", in one message a pair of ranks".into(),
            _ => format!(", panel by panel, {rounds} in all"),
        };
        out.push(format!(
            "Together the ranks receive {at_most}{} with {}{together}; rank {busiest} the most, {} with {}:",
            messages_text(total.0),
            bytes(total.1),
            most.0,
            bytes(most.1)
        ));
        out.extend(self.message_lines(e, busiest));
        if e.listed {
            out.push("Of these boxes only the listed elements travel.".into());
        }
        if rounds > 1 {
            out.push("A panel travels while each rank multiplies with the one before.".into());
        }
        // The rounds of panels are counted already.
        if let Some(n) = f.times.map(|n| n / rounds).filter(|n| *n > 1) {
            let (m, b) = (total.0.saturating_mul(n), total.1.saturating_mul(n));
            out.push(format!(
                "This happens {n} times ({}): {at_most}{m} messages, {} in the whole run.",
                f.loops.join(", "),
                bytes(b)
            ));
        } else if f.times.is_none() {
            out.push(format!("This happens once a round of `{}`.", f.loops.join(", ")));
        }
        if matches!(f.step.kind, StepKind::Compute { .. }) {
            out.push("The messages travel while each rank computes the points that need none of them.".into());
        }
        out.join("\n")
    }

    /// Why an item of an exchange is needed.
    fn reason(&self, item: &Item, f: &Found, sources: &SourceMap) -> String {
        match item {
            Item::View(v) => self.view_reason(*v, sources),
            Item::Ghost { array, arms } => {
                let a = self.array(*array);
                let mut out = format!("`{}` is read past the end of a rank's own part", a.array.name);
                let mut parts = vec![];
                for (d, cut) in a.layout.cuts.iter().enumerate() {
                    let reach = arms.iter().fold((0, 0), |m, arm| (m.0.max(arm.widths[d].0), m.1.max(arm.widths[d].1)));
                    if reach == (0, 0) {
                        continue;
                    }
                    let divided = cut.is_some_and(|c| c.parts > 1);
                    let reads = self.reads_along(*array, d, f, sources);
                    let by = if reads.is_empty() { String::new() } else { format!(" by {}", reads.join(", ")) };
                    let far = match reach {
                        (0, n) => format!("{n} after it"),
                        (n, 0) => format!("{n} before it"),
                        (n, m) if n == m => format!("{n} on both sides"),
                        (n, m) => format!("{n} before and {m} after it"),
                    };
                    let how = if divided {
                        "which is divided: neighbours send"
                    } else {
                        "which is whole: the edge gives them"
                    };
                    parts.push(format!("    along dimension {d}{by}: {far}, {how}"));
                }
                if parts.is_empty() {
                    out += ".";
                } else {
                    out += &format!(":\n{}", parts.join("\n"));
                }
                out
            }
        }
    }

    /// The reads of an array that leave a rank's part along a dimension, as written.
    fn reads_along(&self, array: ArrayId, d: usize, f: &Found, sources: &SourceMap) -> Vec<String> {
        let nests: Vec<PlanNestId> = match f.step.kind {
            StepKind::Compute { nest, .. } => vec![nest],
            _ => (0..self.nests.len() as u32).map(PlanNestId).collect(),
        };
        let mut out: Vec<String> = vec![];
        for n in nests.iter().map(|n| self.nest(*n)) {
            for a in &n.nest.accesses {
                let o = a.operand.0 as usize;
                let own = n.nest.operands[o].array == array && n.sources.get(o) == Some(&Source::Array(array));
                let moved =
                    a.index.get(d).is_some_and(|i| i.konst != 0 && i.terms.iter().any(|t| matches!(t.0, Sym::Dim(_))));
                if own && (moved || a.index.get(d).is_some_and(|i| i.terms.len() > 1)) {
                    let text = written(a, sources);
                    if !out.contains(&text) {
                        out.push(text);
                    }
                }
            }
        }
        out
    }

    fn view_reason(&self, v: ViewId, sources: &SourceMap) -> String {
        let view = &self.views[v.0 as usize];
        let n = self.nest(view.nest);
        let mut reads: Vec<String> = vec![];
        for a in n.nest.accesses.iter().filter(|a| a.operand.0 as usize == view.operand) {
            let text = written(a, sources);
            if !reads.contains(&text) {
                reads.push(text);
            }
        }
        let a = self.array(view.array);
        let why = match &n.home {
            Home::Everywhere => "every rank computes the whole result, so each needs all that it reads".to_string(),
            Home::Owner { dealt, .. } if a.layout.is_dealt() || !dealt.is_empty() => {
                "its tiles and the points that read it are not dealt alike, so each rank gathers what it needs".into()
            }
            Home::Owner { .. } => {
                format!(
                    "these subscripts do not follow the cuts of `{}`, so each rank gathers what it needs",
                    a.array.name
                )
            }
        };
        let kept = self.view_box_in(v, 0, 0);
        let along = |(d, deal): (&Interval, &Option<Deal>)| match deal {
            Some(deal) if !d.is_empty() && deal.shift == 0 => deal.cuts.indices_text(*d),
            Some(deal) if !d.is_empty() => {
                format!("{} of {}..{}", d.len(), deal.index(d.lo), deal.index(d.hi - 1) + 1)
            }
            _ => d.to_string(),
        };
        let whole: Vec<String> = kept.dims.iter().zip(&view.deals).take(a.array.extents().len()).map(along).collect();
        let whole = format!("[{}]", whole.join(", "));
        let panel = self.panels_of_view(v);
        let part = panel.map_or(String::new(), |p| format!(", {} terms at a time", p.terms.by));
        let first = if panel.is_some() { ", first" } else { "" };
        format!(
            "`{}` reads {} of `{}`: {why}{part} (rank 0{first}: {whole}).",
            n.nest.name,
            reads.join(", "),
            a.array.name
        )
    }

    /// The messages that a rank receives, one line a sender.
    fn message_lines(&self, e: &Exchange, rank: i64) -> Vec<String> {
        let all = self.messages_to(e, rank);
        let line = |m: &Message| {
            let boxes = m.boxes(self);
            let more = if boxes.len() > 3 { ", …" } else { "" };
            format!("    from rank {}: {}{more}, {}", m.from, boxes[..boxes.len().min(3)].join(", "), bytes(m.bytes))
        };
        let mut out: Vec<String> = all.iter().take(LISTED as usize).map(line).collect();
        if all.len() as i64 > LISTED {
            out.push(format!("    … and {} more", all.len() as i64 - LISTED));
        }
        out
    }

    fn step_story(&self, f: &Found) -> Option<String> {
        let name = |a: &ArrayId| self.array(*a).array.name.clone();
        Some(match &f.step.kind {
            StepKind::Compute { nest, .. } => self.compute_story(*nest),
            StepKind::Inspect(v) => format!(
                "{}; where most elements are wanted, the whole array travels.",
                self.inspect_text(*v).replacen('l', "L", 1)
            ),
            StepKind::AllReduce(items) => self.reduce_story(items),
            StepKind::Swap(a, b) => format!("`{}` and `{}` change places; nothing is copied.", name(a), name(b)),
            StepKind::Scatter { into, index, value, kept, .. } => format!(
                "{}; each owner takes what arrives in the order of the indices, so the number of ranks does not matter.",
                self.scatter_text(*into, *index, *value, *kept).replacen('s', "S", 1)
            ),
            StepKind::Scan { array, dim, .. } => format!("{}.", self.scan_text(*array, *dim).replacen('s', "S", 1)),
            StepKind::Print(_) => "Rank 0 prints; all ranks know the values.".into(),
            StepKind::Assert { .. } | StepKind::Expect { .. } => {
                "Every rank checks the condition, with the same answer.".into()
            }
            StepKind::Load { array, .. } => {
                format!("Every rank reads its own part of `{}` from the file.", name(array))
            }
            StepKind::Save { array, .. } => {
                format!("Every rank writes its own part of `{}` into one file.", name(array))
            }
            StepKind::Plot { array, .. } => {
                let a = self.array(*array);
                let all = a.layout.shape.iter().product::<i64>() * a.array.ty.size() as i64;
                format!("`{}` is gathered on rank 0 ({} at most), which draws it.", a.array.name, bytes(all))
            }
            StepKind::For { counter, body, .. } => match self.rounds(*counter) {
                Some(n) if has_break(body) => {
                    format!("Every rank repeats what is inside at most {n} times, all as often.")
                }
                Some(n) => format!("Every rank repeats what is inside {n} times."),
                None => "Every rank repeats what is inside as often.".into(),
            },
            StepKind::While { .. } => {
                "Every rank repeats what is inside until the condition fails, with the same answer.".into()
            }
            StepKind::If { .. } => "Every rank takes the same branch.".into(),
            StepKind::Once { .. } => "What is inside is done once, and again only when it has to be.".into(),
            StepKind::Scalars { results, .. } => {
                let named: Vec<String> =
                    results.iter().map(|r| self.scalar_name(r.1)).filter(|n| !n.is_empty()).collect();
                if named.is_empty() {
                    return None;
                }
                format!("Every rank computes `{}` itself; nothing is sent.", named.join("`, `"))
            }
            StepKind::Break | StepKind::Exchange(_) | StepKind::Finish(_) => return None,
        })
    }

    fn compute_story(&self, id: PlanNestId) -> String {
        let n = self.nest(id);
        let domain = self.seen_points(&n.nest, &n.domain());
        let points = domain.len();
        let what = if n.nest.stores.is_empty() { "reduced over" } else { "computed at" };
        let plural = if points == 1 { "" } else { "s" };
        let out = format!("`{}` is {what} {points} point{plural}, {domain}", n.nest.name);
        let how = match (product(&n.nest).map(|c| c.count()), &n.panels) {
            (_, Some(p)) => format!(
                " It is a contraction: each point takes in the products of {} terms, many points at a time, and goes on from what it had.",
                p.terms.by
            ),
            (Some(Some(terms)), _) => {
                format!(" It is a contraction: each point adds up {terms} products, many points at a time.")
            }
            (Some(None), _) => " It is a contraction: each point adds up products, many points at a time.".into(),
            (None, _) => String::new(),
        };
        if n.home == Home::Everywhere {
            return out + ": by every rank, all of them, with the same results." + &how;
        }
        let seen = |r: i64| n.part(r).map(|p| self.seen_points(&n.nest, &p));
        let part = |r: i64| seen(r).map_or(0, |p| p.len());
        let most = self.sampled_ranks().into_iter().max_by_key(|&r| (part(r), -r)).unwrap_or(0);
        let where_ = seen(most).map_or(String::new(), |p| format!(" (rank {most}: {p})"));
        out + &format!(": each rank does those whose element it owns, at most {}{where_}.", part(most)) + &how
    }

    fn reduce_story(&self, items: &[(PlanNestId, usize)]) -> String {
        let one = |(n, r): &(PlanNestId, usize)| {
            let nest = &self.nest(*n).nest;
            let word = match nest.reductions[*r].op {
                FoldOp::Sum => "sum",
                FoldOp::Prod => "product",
                FoldOp::Min => "least",
                FoldOp::Max => "greatest",
                FoldOp::Any => "any",
                FoldOp::All => "all",
            };
            format!("{word} of `{}`", nest.name)
        };
        let names: Vec<String> = items.iter().map(one).collect();
        let mut out = format!(
            "All-reduce: the ranks' partial results are combined, and every rank knows the {}",
            names.join(", ")
        );
        out += if items.len() > 1 { "; they share one message." } else { "." };
        out + " The result has the same bits on any number of ranks."
    }
}

/// The exchange that a step makes.
pub fn exchange_of(step: &Step) -> Option<ExchangeId> {
    match step.kind {
        StepKind::Exchange(e) => Some(e),
        StepKind::Compute { overlap, .. } => overlap,
        _ => None,
    }
}

/// The ranks to list; `None` stands for those left out.
fn listed(ranks: i64) -> Vec<Option<i64>> {
    if ranks <= LISTED {
        return (0..ranks).map(Some).collect();
    }
    (0..LISTED - 2).map(Some).chain([None, Some(ranks - 1)]).collect()
}

/// A read as the program writes it.
fn written(a: &Access, sources: &SourceMap) -> String {
    let text: Vec<&str> = sources.text(a.span).split_whitespace().collect();
    format!("`{}`", text.join(" "))
}

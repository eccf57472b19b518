//! Where elements lie: bounds of parts as Python expressions, and the slices that read and write them.

use super::Script;
use super::expr::{Py, level};
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Affine, ArrayId, Sym};
use crate::ir::plan::{Home, PlanNest, PlanNestId, Source, ViewId};

/// `name + k`, or the number `k`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    pub name: Option<String>,
    pub k: i64,
}

impl Bound {
    pub fn number(k: i64) -> Bound {
        Bound { name: None, k }
    }
    pub fn named(name: &str) -> Bound {
        Bound { name: Some(name.to_string()), k: 0 }
    }
    pub fn plus(&self, k: i64) -> Bound {
        Bound { name: self.name.clone(), k: self.k + k }
    }
    /// `self - o` where it is a number.
    pub fn minus(&self, o: &Bound) -> Option<i64> {
        (self.name == o.name).then_some(self.k - o.k)
    }
    pub fn text(&self) -> String {
        match (&self.name, self.k) {
            (None, k) => k.to_string(),
            (Some(n), 0) => n.clone(),
            (Some(n), k) if k < 0 => format!("{n} - {}", -k),
            (Some(n), k) => format!("{n} + {k}"),
        }
    }
}

/// `a - b + k` as text.
fn difference(a: &Bound, b: &Bound, k: i64) -> String {
    if let Some(d) = a.minus(b) {
        return (d + k).to_string();
    }
    let k = k + a.k - b.k;
    let mut out = a.name.clone().unwrap_or_default();
    if let Some(b) = &b.name {
        out = if out.is_empty() { format!("{k} - {b}") } else { format!("{out} - {b}") };
        if a.name.is_none() {
            return out;
        }
    }
    match k {
        0 => out,
        k if k < 0 => format!("{out} - {}", -k),
        k => format!("{out} + {k}"),
    }
}

/// The box that an array of the script holds: its ends in global indices.
#[derive(Clone, Debug)]
pub struct Held {
    pub name: String,
    pub lo: Vec<Bound>,
    pub hi: Vec<Bound>,
}

/// The part of a nest's domain that a rank computes.
#[derive(Clone, Debug)]
pub struct Part {
    pub lo: Vec<Bound>,
    pub hi: Vec<Bound>,
    /// Ranks that compute anything, where not all do.
    pub only: Option<Vec<i64>>,
}

/// Letters of the domain's dimensions.
pub const LETTERS: [&str; 5] = ["i", "j", "k", "l", "m"];

impl Script<'_> {
    /// The part of a nest by the cuts of arrays; lines that compute its bounds go before the nest.
    pub fn part(&mut self, id: PlanNestId) -> Part {
        let n = self.plan.nest(id).clone();
        let domain = &n.nest.domain.dims;
        let mut out = Part {
            lo: domain.iter().map(|d| Bound::number(d.lo)).collect(),
            hi: domain.iter().map(|d| Bound::number(d.hi)).collect(),
            only: None,
        };
        let Home::Owner { layout, index, leaf, .. } = &n.home else { return out };
        if self.ranks == 1 {
            return out;
        }
        let plain = Home::Owner { layout: layout.clone(), index: index.clone(), leaf: None, dealt: vec![] };
        let moved = leaf.is_some() && !self.unmoved.contains(&id);
        let divided = |d: usize| layout.cuts[d].is_some_and(|c| c.parts > 1);
        let simple = !moved && index.iter().enumerate().all(|(d, a)| a.dim().is_some() || !divided(d));
        if domain.is_empty() || !simple {
            let home = if moved { &n.home } else { &plain };
            return self.tabled(&n, home, out);
        }
        let holder = self.holder(layout);
        for (d, a) in index.iter().enumerate().filter(|(d, _)| divided(*d)) {
            let [(Sym::Dim(i), _)] = a.terms[..] else { continue };
            let (lo, hi) = (holder.0[d].plus(-a.konst), holder.1[d].plus(-a.konst));
            let all = Interval::new(-a.konst, layout.shape[d] - a.konst);
            if domain[i].contains(all) {
                (out.lo[i], out.hi[i]) = (lo, hi);
                continue;
            }
            let (x, y) = (format!("{}0", LETTERS[i]), format!("{}1", LETTERS[i]));
            self.line(format!("{x} = max({}, {})", lo.text(), domain[i].lo));
            self.line(format!("{y} = max(min({}, {}), {x})", hi.text(), domain[i].hi));
            (out.lo[i], out.hi[i]) = (Bound::named(&x), Bound::named(&y));
        }
        out
    }

    /// A part that is listed rank by rank.
    fn tabled(&mut self, n: &PlanNest, home: &Home, mut out: Part) -> Part {
        let dims = n.nest.domain.rank();
        let parts: Vec<Option<Vec<Interval>>> = (0..self.ranks)
            .map(|r| Some(home.part(&n.nest.domain, r)).filter(|p| p.rank() == dims && !p.is_empty()).map(|p| p.dims))
            .collect();
        if dims == 0 || parts.iter().any(|p| p.is_none()) {
            out.only = Some((0..self.ranks).filter(|r| parts[*r as usize].is_some()).collect());
        }
        for d in 0..dims {
            let of = |p: &Option<Vec<Interval>>| p.as_ref().map_or((0, 0), |p| (p[d].lo, p[d].hi));
            let list: Vec<(i64, i64)> = parts.iter().map(of).collect();
            if list.windows(2).all(|w| w[0] == w[1]) {
                (out.lo[d], out.hi[d]) = (Bound::number(list[0].0), Bound::number(list[0].1));
                continue;
            }
            let text: Vec<String> = list.iter().map(|(a, b)| format!("({a}, {b})")).collect();
            let (x, y) = (format!("{}0", LETTERS[d]), format!("{}1", LETTERS[d]));
            self.line(format!("{x}, {y} = [{}][rank]", text.join(", ")));
            (out.lo[d], out.hi[d]) = (Bound::named(&x), Bound::named(&y));
        }
        out
    }

    /// Whether every rank's image of an access lies in what is held.
    pub fn fits(&self, id: PlanNestId, access: &crate::ir::kernel::Access, source: Source) -> bool {
        let n = self.plan.nest(id);
        (0..self.ranks).all(|r| {
            let Some(part) = n.part(r) else { return true };
            let everywhere = crate::ir::kernel::Access { within: n.nest.domain.clone(), ..access.clone() };
            let storage = match source {
                Source::Array(a) => self.plan.array(a).storage(r),
                Source::View(v) => self.plan.view_box(v, r),
            };
            everywhere.image(&part, &|s| self.plan.scalar_range(s)).is_some_and(|b| storage.contains(&b))
        })
    }

    /// The subscript of an element range: slices where each subscript follows one dimension, index arrays else. `extra`:
    /// axes behind the domain's, with their counters and bounds.
    pub fn subscript(&mut self, held: &Held, index: &[Affine], axes: &Axes, clip: bool) -> Option<Subscript> {
        let mut seen: Vec<usize> = vec![];
        let mut sliced = !clip;
        for a in index {
            let along: Vec<(usize, i64)> = a.terms.iter().filter_map(|t| Some((axes.of(t.0)?, t.1))).collect();
            match along[..] {
                [] => {}
                [(d, c)] if c > 0 && !seen.contains(&d) => seen.push(d),
                _ => sliced = false,
            }
        }
        if !sliced || !seen.is_sorted() && seen.len() > 2 {
            return self.gathered(held, index, axes, clip);
        }
        let mut parts: Vec<String> = vec![];
        for (d, a) in index.iter().enumerate() {
            parts.push(self.one(held, d, a, axes)?);
        }
        let mut over = seen.iter().fold(0u64, |m, d| m | 1 << d);
        let transposed = !seen.is_sorted();
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        // New axes where a dimension is missing behind the first one present.
        let first = sorted.first().copied().unwrap_or(axes.count());
        let missing = (first..axes.count()).any(|d| !sorted.contains(&d));
        let mut tail = String::new();
        if transposed {
            tail += ".T";
        }
        if missing && !transposed {
            let mut out = vec![];
            let mut at = first;
            for (text, a) in parts.iter().zip(index) {
                let along = a.terms.iter().find_map(|t| axes.of(t.0));
                if let Some(d) = along {
                    (at..d).for_each(|_| out.push("None".to_string()));
                    at = d + 1;
                }
                out.push(text.clone());
            }
            (at..axes.count()).for_each(|_| out.push("None".to_string()));
            parts = out;
        } else if missing {
            let marks: Vec<&str> =
                (first..axes.count()).map(|d| if sorted.contains(&d) { ":" } else { "None" }).collect();
            tail += &format!("[{}]", marks.join(", "));
        }
        if seen.is_empty() {
            over = 0;
        }
        let whole = parts.iter().all(|p| p == ":");
        let text = if whole { held.name.clone() } else { format!("{}[{}]", held.name, parts.join(", ")) };
        Some(Subscript { text: text + &tail, over, plain: !transposed && !missing })
    }

    /// One subscript as a slice or a number.
    fn one(&mut self, held: &Held, d: usize, a: &Affine, axes: &Axes) -> Option<String> {
        let along = a.terms.iter().find_map(|t| Some((axes.of(t.0)?, t.1)));
        let others = self.others(a, axes)?;
        let Some((dim, c)) = along else {
            let at = Bound::number(a.konst);
            let text = difference(&at, &held.lo[d], 0);
            return Some(match (others.is_empty(), text.as_str()) {
                (true, t) => t.to_string(),
                (false, "0") => others,
                (false, t) if t.starts_with('-') => format!("{others} - {}", &t[1..]),
                (false, t) => format!("{others} + {t}"),
            });
        };
        let (lo, hi) = (&axes.lo[dim], &axes.hi[dim]);
        if c > 1 {
            let scaled = |b: &Bound, k: i64| match &b.name {
                None => Bound::number(c * b.k + k).text(),
                Some(_) => format!(
                    "{c} * {} + {k}",
                    Py::compound(b.text(), level::SUM, crate::ir::ty::Ty::I64, 0).at(level::PRODUCT)
                ),
            };
            let base = match (&held.lo[d].name, held.lo[d].k) {
                (None, 0) => String::new(),
                _ => format!(" - ({})", held.lo[d].text()),
            };
            let plus = if others.is_empty() { String::new() } else { format!(" + {others}") };
            return Some(format!(
                "{}{plus}{base}:{}{plus}{base}:{c}",
                scaled(lo, a.konst),
                scaled(hi, a.konst - c + 1)
            ));
        }
        let start = difference(&lo.plus(a.konst), &held.lo[d], 0);
        let stop = difference(&hi.plus(a.konst), &held.lo[d], 0);
        if !others.is_empty() {
            return Some(format!("{others} + {start}:{others} + {stop}"));
        }
        let start = if start == "0" { String::new() } else { start };
        let stop = match hi.plus(a.konst).minus(&held.hi[d]) {
            Some(0) => String::new(),
            Some(e) if e < 0 && stop.parse::<i64>().is_err() => e.to_string(),
            _ => stop,
        };
        Some(format!("{start}:{stop}"))
    }

    /// The terms of a subscript beside the domain's: counters and scalars.
    fn others(&mut self, a: &Affine, axes: &Axes) -> Option<String> {
        let mut out = String::new();
        for (s, c) in a.terms.iter().filter(|t| axes.of(t.0).is_none()) {
            let text = match s {
                Sym::Scalar(id) => self.scalar(*id).text,
                Sym::Counter(r) => axes.counters.iter().find(|x| x.0 == *r)?.1.clone(),
                Sym::Dim(_) => return None,
            };
            let text = if text.contains(' ') { format!("({text})") } else { text };
            let term = if c.abs() == 1 { text } else { format!("{} * {text}", c.abs()) };
            out = match (out.is_empty(), *c < 0) {
                (true, true) => format!("-{term}"),
                (true, false) => term,
                (false, true) => format!("{out} - {term}"),
                (false, false) => format!("{out} + {term}"),
            };
        }
        Some(out)
    }

    /// Subscripts by arrays of indices.
    fn gathered(&mut self, held: &Held, index: &[Affine], axes: &Axes, clip: bool) -> Option<Subscript> {
        let mut parts = vec![];
        let mut over = 0u64;
        for (d, a) in index.iter().enumerate() {
            let mut text = String::new();
            for (s, c) in &a.terms {
                let Some(dim) = axes.of(*s) else { continue };
                over |= 1 << dim;
                let letter = axes.grid(dim);
                let term = if c.abs() == 1 { letter } else { format!("{} * {letter}", c.abs()) };
                text = match (text.is_empty(), *c < 0) {
                    (true, true) => format!("-{term}"),
                    (true, false) => term,
                    (false, true) => format!("{text} - {term}"),
                    (false, false) => format!("{text} + {term}"),
                };
            }
            let others = self.others(a, axes)?;
            if !others.is_empty() {
                text = if text.is_empty() { others } else { format!("{text} + {others}") };
            }
            if a.konst != 0 || text.is_empty() {
                text = match (text.is_empty(), a.konst) {
                    (true, k) => k.to_string(),
                    (false, k) if k < 0 => format!("{text} - {}", -k),
                    (false, k) => format!("{text} + {k}"),
                };
            }
            if clip {
                text = format!("np.clip({text}, {}, {})", held.lo[d].text(), held.hi[d].plus(-1).text());
            }
            parts.push(match (&held.lo[d].name, held.lo[d].k) {
                (None, 0) => text,
                (None, k) if k < 0 => format!("{text} + {}", -k),
                (None, k) => format!("{text} - {k}"),
                (Some(_), 0) => format!("{text} - {}", held.lo[d].text()),
                (Some(n), k) if k < 0 => format!("{text} - {n} + {}", -k),
                (Some(n), k) => format!("{text} - {n} - {k}"),
            });
        }
        self.grids |= over;
        Some(Subscript { text: format!("{}[{}]", held.name, parts.join(", ")), over, plain: false })
    }

    /// What an array or a view holds in the script.
    pub fn held(&self, source: Source) -> Option<Held> {
        match source {
            Source::Array(a) => self.arrays.get(&a).cloned(),
            Source::View(v) if self.direct.contains(&v) => self.arrays.get(&self.view_array(v)).cloned(),
            Source::View(v) => self.views.get(&v).cloned(),
        }
    }

    pub fn view_array(&self, v: ViewId) -> ArrayId {
        self.plan.views[v.0 as usize].array
    }
}

/// A read or written range of elements.
pub struct Subscript {
    pub text: String,
    pub over: u64,
    /// Its axes are those of the array, in order.
    pub plain: bool,
}

/// The axes of array expressions: the domain's dimensions, and behind them the counters of reductions.
#[derive(Clone, Debug, Default)]
pub struct Axes {
    pub lo: Vec<Bound>,
    pub hi: Vec<Bound>,
    pub domain: usize,
    /// Counters that are axes, in order.
    pub summed: Vec<crate::ir::kernel::Reg>,
    /// Counters that are Python variables, with their names.
    pub counters: Vec<(crate::ir::kernel::Reg, String)>,
}

impl Axes {
    pub fn count(&self) -> usize {
        self.lo.len()
    }
    /// The axis of a symbol.
    pub fn of(&self, s: Sym) -> Option<usize> {
        match s {
            Sym::Dim(d) => Some(d),
            Sym::Counter(r) => self.summed.iter().position(|c| *c == r).map(|k| self.domain + k),
            Sym::Scalar(_) => None,
        }
    }
    /// The indices along an axis, as an array that spans it.
    pub fn grid(&self, axis: usize) -> String {
        let behind = self.count() - 1 - axis;
        if axis < self.domain {
            let extra = self.count() - self.domain;
            let more = if extra > 0 { format!("[...{}]", ", None".repeat(extra)) } else { String::new() };
            return format!("{}{more}", LETTERS[axis]);
        }
        let more = if behind > 0 { format!("[:{}]", ", None".repeat(behind)) } else { String::new() };
        format!("np.arange({}, {}){more}", self.lo[axis].text(), self.hi[axis].text())
    }
}

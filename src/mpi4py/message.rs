//! Exchanges: neighbours that shift the rims of their parts, a gather of the whole, or a list of pieces.

use super::place::{Bound, Held};
use super::{No, Script};
use crate::ir::format::complex_text;
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::ArrayId;
use crate::ir::plan::region::Mode;
use crate::ir::plan::{Arm, ExchangeId, Item, ViewId};
use crate::ir::program::Edge;
use std::fmt::Write;

/// Pieces that a list shows at most.
const MOST_PIECES: usize = 2000;

impl Script<'_> {
    /// The code of an exchange.
    pub fn exchange(&mut self, id: ExchangeId) -> Result<(), No> {
        for item in self.plan.exchanges[id.0 as usize].items.clone() {
            match &item {
                Item::View(v) if self.direct.contains(v) => {}
                Item::View(v) => self.view(*v, &item)?,
                Item::Ghost { array, arms } => {
                    if self.has_neighbours(*array, arms) {
                        self.halo(*array, arms);
                    } else {
                        let held =
                            self.arrays.get(array).cloned().ok_or_else(|| No::new("an array that is not stored"))?;
                        self.pieces(&item, &held, *array)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether only the ranks beside a part hold its ghost cells, and the edges can be filled one dimension after another.
    fn has_neighbours(&self, array: ArrayId, arms: &[Arm]) -> bool {
        let a = self.plan.array(array);
        let reach = reach(arms, a.layout.shape.len());
        let constants: Vec<&Edge> = a.array.edges.iter().filter(|e| e.constant().is_some()).collect();
        let odd = a.array.edges.contains(&Edge::Odd);
        if constants.windows(2).any(|w| w[0] != w[1]) || odd && !constants.is_empty() {
            return false;
        }
        (0..a.layout.shape.len()).all(|d| {
            let (lo, hi) = reach[d];
            let least = match a.layout.cuts[d] {
                Some(c) => (0..c.parts).map(|k| c.part(k).len()).min().unwrap_or(0),
                None => a.layout.shape[d],
            };
            least >= lo.max(hi).max(1)
        })
    }

    /// Ghost cells from the neighbours, dimension by dimension; corners come along with the second one.
    fn halo(&mut self, array: ArrayId, arms: &[Arm]) {
        let a = self.plan.array(array).clone();
        let name = self.names.array(self.plan, array);
        let dims = a.layout.shape.len();
        let reach = reach(arms, dims);
        let mut order: Vec<usize> = (0..dims).filter(|d| reach[*d] != (0, 0)).collect();
        // A constant wins in the corners, so it is written last.
        order.sort_by_key(|d| a.array.edges[*d].constant().is_some());
        for d in order {
            let (lo, hi) = reach[d];
            let ghost = a.ghost[d];
            let axis = a.layout.cuts[..d].iter().filter(|c| c.is_some()).count();
            let parts = a.layout.cuts[d].map_or(1, |c| c.parts);
            let at = |range: String| {
                let mut list = vec![":".to_string(); d];
                list.push(range);
                format!("np.s_[{}]", list.join(", "))
            };
            // The ghost cells below and above, and the own elements beside them, counted from the ends of the storage.
            let below = at(range(ghost.0 - lo, ghost.0));
            let above = at(range_back(ghost.1, ghost.1 - hi));
            let first = at(range(ghost.0, ghost.0 + hi));
            let last = at(range_back(ghost.1 + lo, ghost.1));
            let edge = a.array.edges[d];
            if parts > 1 {
                let stride: i64 = a.layout.mesh[axis + 1..].iter().product();
                let place = if stride == 1 && axis == 0 && a.layout.mesh.len() == 1 {
                    "rank".to_string()
                } else if axis == 0 {
                    format!("rank // {stride}")
                } else if stride == 1 {
                    format!("rank % {parts}")
                } else {
                    format!("rank // {stride} % {parts}")
                };
                let wrap = edge == Edge::Periodic;
                let none = "MPI.PROC_NULL".to_string();
                let far = stride * (parts - 1);
                self.line(format!(
                    "before = rank - {stride} if {place} > 0 else {}",
                    if wrap { format!("rank + {far}") } else { none.clone() }
                ));
                self.line(format!(
                    "after = rank + {stride} if {place} < {} else {}",
                    parts - 1,
                    if wrap { format!("rank - {far}") } else { none }
                ));
                self.uses_shift = true;
                if lo > 0 {
                    self.line(format!("shift({name}, {last}, after, {below}, before)"));
                }
                if hi > 0 {
                    self.line(format!("shift({name}, {first}, before, {above}, after)"));
                }
                if wrap {
                    continue;
                }
            }
            for (w, cells, ghost_cells, side) in [(lo, 0, below, "before"), (hi, 1, above, "after")] {
                if w == 0 {
                    continue;
                }
                let low = cells == 0;
                let plain = |t: &str| t.trim_start_matches("np.s_[").trim_end_matches(']').to_string();
                let target = format!("{name}[{}]", plain(&ghost_cells));
                let own = |from: i64, to: i64| at(if low { range(from, to) } else { range_back(from, to) });
                let part = |range: &str| format!("{name}[{}]", plain(range));
                let value = match edge {
                    Edge::None => continue,
                    Edge::Constant(v) => super::expr::Py::value(v).text,
                    Edge::Complex(re, im) => complex_text(re, im, None),
                    Edge::Clamp if low => part(&own(ghost.0, ghost.0 + 1)),
                    Edge::Clamp => part(&own(ghost.1 + 1, ghost.1)),
                    Edge::Periodic if low => part(&at(range_back(ghost.1 + w, ghost.1))),
                    Edge::Periodic => part(&at(range(ghost.0, ghost.0 + w))),
                    Edge::Mirror | Edge::Odd => {
                        let range = if low { own(ghost.0, ghost.0 + w) } else { own(ghost.1 + w, ghost.1) };
                        let sign = if edge == Edge::Odd { "-" } else { "" };
                        format!("{sign}np.flip({}, {d})", part(&range))
                    }
                };
                if parts > 1 {
                    self.line(format!("if {side} == MPI.PROC_NULL:"));
                    self.line(format!("    {target} = {value}"));
                } else {
                    self.line(format!("{target} = {value}"));
                }
            }
        }
    }

    /// A copy of what a rank reads of an array that lies elsewhere.
    fn view(&mut self, v: ViewId, item: &Item) -> Result<(), No> {
        let id = self.view_array(v);
        let a = self.plan.array(id).clone();
        let source = self.names.array(self.plan, id);
        let boxes: Vec<IndexBox> = (0..self.ranks).map(|r| self.plan.view_box(v, r)).collect();
        let name = match self.views.get(&v) {
            Some(held) => held.name.clone(),
            None => self.names.fresh(&format!("{source}_seen")),
        };
        let whole = IndexBox::whole(&a.layout.shape);
        let one_axis = a.layout.cuts.iter().filter(|c| c.is_some_and(|c| c.parts > 1)).count() == 1;
        let dims = a.layout.shape.len();
        if boxes.iter().all(|b| *b == whole) && (one_axis || a.layout.is_replicated()) {
            let lo = vec![Bound::number(0); dims];
            let hi = a.layout.shape.iter().map(|n| Bound::number(*n)).collect();
            self.views.insert(v, Held { name: name.clone(), lo, hi });
            let own = self.own(id);
            let d = a.layout.cuts.iter().position(|c| c.is_some_and(|c| c.parts > 1)).unwrap_or(0);
            self.line(match a.layout.is_replicated() {
                true => format!("{name} = {own}"),
                false => format!("{name} = np.concatenate(comm.allgather(np.ascontiguousarray({own})), axis={d})"),
            });
            return Ok(());
        }
        let (mut lo, mut hi) = (vec![], vec![]);
        for d in 0..dims {
            // Where nothing is needed one element stands, for what conditions leave out.
            let one = Interval::new(0, 1);
            let of = |b: &IndexBox| if b.is_empty() { one } else { b.dims.get(d).copied().unwrap_or(one) };
            let list: Vec<Interval> = boxes.iter().map(of).collect();
            if list.windows(2).all(|w| w[0] == w[1]) {
                lo.push(Bound::number(list[0].lo));
                hi.push(Bound::number(list[0].hi));
                continue;
            }
            if let Some((x, y)) = self.known_ends(&list) {
                lo.push(x);
                hi.push(y);
                continue;
            }
            let text: Vec<String> = list.iter().map(|r| format!("({}, {})", r.lo, r.hi)).collect();
            let (x, y) = (format!("{name}_lo{d}"), format!("{name}_hi{d}"));
            self.line(format!("{x}, {y} = [{}][rank]", text.join(", ")));
            lo.push(Bound::named(&x));
            hi.push(Bound::named(&y));
        }
        let held = Held { name: name.clone(), lo, hi };
        let shape: Vec<String> = held.lo.iter().zip(&held.hi).map(|(a, b)| extent(a, b)).collect();
        let shape = if dims == 1 { shape[0].clone() } else { format!("({})", shape.join(", ")) };
        self.line(format!("{name} = np.zeros({shape}, {})", super::expr::dtype(a.array.ty)));
        self.views.insert(v, held.clone());
        self.pieces(item, &held, id)
    }

    /// The names of ends that every rank has already.
    fn known_ends(&self, list: &[Interval]) -> Option<(Bound, Bound)> {
        self.holders.iter().find_map(|(layout, lo, hi)| {
            let same = |d: &usize| list.iter().zip(0..).all(|(x, r)| layout.part(r).dims[*d] == *x);
            (0..layout.shape.len()).find(same).map(|d| (lo[d].clone(), hi[d].clone()))
        })
    }

    /// Any other exchange: a list of who sends which elements to whom.
    fn pieces(&mut self, item: &Item, target: &Held, array: ArrayId) -> Result<(), No> {
        let source = self.arrays.get(&array).cloned().ok_or_else(|| No::new("an array that is not stored"))?;
        let slices = |b: &IndexBox| {
            let each: Vec<String> = b.dims.iter().map(|d| format!("{}:{}", d.lo, d.hi)).collect();
            format!("np.s_[{}]", each.join(", ") + if each.len() == 1 { "," } else { "" })
        };
        let (mut list, mut constants) = (String::new(), vec![]);
        let mut count = 0;
        for r in 0..self.ranks {
            let needs = self.plan.needs(item, r);
            constants.extend(needs.constants.iter().map(|(b, v)| (r, b.clone(), *v)));
            for p in &needs.pieces {
                if p.negate || p.modes.contains(&Mode::Reverse) {
                    return Err(No::new("a mirrored edge beyond the next rank"));
                }
                count += 1;
                let _ = writeln!(list, "    ({}, {r}, {}, {}),", p.from, slices(&p.src), slices(&p.dst));
            }
        }
        if count > MOST_PIECES {
            return Err(No::new(format!("an exchange of {count} pieces, more than anybody writes by hand")));
        }
        self.uses_exchange = true;
        let origin = |h: &Held| {
            let each: Vec<String> = h.lo.iter().map(|b| b.text()).collect();
            format!("({}{})", each.join(", "), if each.len() == 1 { "," } else { "" })
        };
        self.line(format!("# {}: from, to, which elements, where they go", source.name));
        self.line("pieces = [".into());
        list.lines().map(str::to_string).collect::<Vec<_>>().into_iter().for_each(|l| self.line(l));
        self.line("]".into());
        self.line(format!(
            "exchange({}, {}, {}, {}, pieces)",
            source.name,
            origin(&source),
            target.name,
            origin(target)
        ));
        for (r, b, v) in constants {
            self.line(format!("if rank == {r}:"));
            self.line(format!(
                "    {}[local({}, {})] = {}",
                target.name,
                slices(&b),
                origin(target),
                super::expr::Py::value(v).text
            ));
        }
        Ok(())
    }

    /// The own part of an array, without its ghost cells.
    pub fn own(&mut self, id: ArrayId) -> String {
        let a = self.plan.array(id).clone();
        let name = self.names.array(self.plan, id);
        if a.ghost.iter().all(|g| *g == (0, 0)) {
            return name;
        }
        let end = |k: i64| if k == 0 { String::new() } else { format!("-{k}") };
        let each: Vec<String> = a
            .ghost
            .iter()
            .map(|g| format!("{}:{}", if g.0 == 0 { String::new() } else { g.0.to_string() }, end(g.1)))
            .collect();
        format!("{name}[{}]", each.join(", "))
    }
}

/// The extent between two bounds.
pub fn extent(lo: &Bound, hi: &Bound) -> String {
    match (hi.minus(lo), &lo.name, lo.k) {
        (Some(n), ..) => n.to_string(),
        (None, None, 0) => hi.text(),
        (None, Some(lo_name), k) => {
            let more = match hi.k - k {
                0 => String::new(),
                d if d < 0 => format!(" - {}", -d),
                d => format!(" + {d}"),
            };
            format!("{} - {lo_name}{more}", hi.name.clone().unwrap_or_default())
        }
        (None, None, k) => format!("{} - ({k})", hi.text()),
    }
}

/// The greatest widths of all arms.
fn reach(arms: &[Arm], dims: usize) -> Vec<(i64, i64)> {
    let of = |d: usize| arms.iter().fold((0, 0), |m: (i64, i64), a| (m.0.max(a.widths[d].0), m.1.max(a.widths[d].1)));
    (0..dims).map(of).collect()
}

/// A slice counted from the start.
fn range(from: i64, to: i64) -> String {
    format!("{}:{to}", if from == 0 { String::new() } else { from.to_string() })
}

/// A slice counted from the end: from the `from`-th last element to before the `to`-th last.
fn range_back(from: i64, to: i64) -> String {
    format!("-{from}:{}", if to == 0 { String::new() } else { format!("-{to}") })
}

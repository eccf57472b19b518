//! Scatters: `h[bin[i]] += w[i]`. Every rank holds a contiguous run of the contributions, in the order of the indices; those for
//! elements of other ranks travel to their owners, who take all contributions rank by rank. So every element meets its
//! contributions in the order of the indices, whatever the number of ranks, and sums of floats have the same bits.
//!
//! Who sends what to whom follows from the places alone (an inspector and an executor: Saltz et al., 1991). Where the plan says that they
//! stay, the ranks keep it, and only values travel until the places change.
//!
//! Integers may be combined in any order: where the array has fewer elements than a rank has contributions, the rank
//! combines its own first.

use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{ArrayId, BinaryOp};
use crate::ir::layout::Layout;
use crate::ir::plan::{Plan, PlanNestId, StepKind};
use crate::ir::ty::Ty;
use crate::runtime::failure::Failure;
use crate::runtime::numbers::{Numbers, picked, tell, width, word};
use crate::runtime::rank::Rank;
use crate::runtime::trace::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Instant;

mod take;

use take::{How, apply, apply_groups, combined};

/// Who takes which contributions.
#[derive(Default)]
pub(super) struct Route {
    /// The version of the places that it was made from.
    version: u64,
    /// Where contributions are combined before they travel: the slot of each, and how many slots there are.
    slots: Option<(Numbers, usize)>,
    /// The order in which values are computed, and the versions of what the nest reads that is laid out so.
    order: Option<(Numbers, Vec<u64>)>,
    /// By receiver: which of this rank's values it takes.
    sends: Vec<Picks>,
    /// By sender: which elements of this rank's part take the values.
    takes: Vec<Taken>,
}

/// Which elements take values that arrive in a row.
#[derive(Debug)]
enum Taken {
    /// One each.
    List(Numbers),
    Groups(Groups),
}

/// Elements that take equally many values, [`LANES`] together or one alone: the first value of each, then the second of each, and so
/// on. (Kreutzer et al., A unified sparse matrix data format, 2014: SELL-C-σ, without its padding.)
#[derive(Clone, Debug, Default, PartialEq)]
struct Groups {
    /// How many elements, and how many values each takes.
    sizes: Vec<(usize, usize)>,
    places: Numbers,
}

/// Which of a rank's values a receiver takes.
#[derive(Debug, PartialEq)]
enum Picks {
    All,
    List(Numbers),
    /// Those in a row, where they are computed in the order in which they are taken.
    Row(Range<usize>),
}

/// What scatters keep from one to the next.
#[derive(Default)]
pub(super) struct Scatters {
    /// Nests that run with the scatter behind them.
    waiting: BTreeSet<PlanNestId>,
    routes: BTreeMap<ArrayId, Route>,
    places: Vec<u8>,
    values: Vec<u8>,
    data: Vec<u8>,
}

/// A scatter and its arrays.
#[derive(Clone, Copy)]
pub(super) struct Scatter {
    pub into: ArrayId,
    pub index: ArrayId,
    pub value: ArrayId,
    pub op: BinaryOp,
    /// Values that follow one another, and their elements, are the parts of complex numbers, and so is the operation.
    pub complex: bool,
    pub kept: bool,
    /// The nest that computes the values, to be run here, in the order of the elements that take them.
    pub ordered: Option<PlanNestId>,
}

impl Scatter {
    fn how(&self, ty: Ty) -> How {
        How { ty, op: self.op, complex: self.complex }
    }
}

/// Elements of a group.
const LANES: usize = 8;
/// So many elements in a row are sorted by how many values they take.
const WINDOW: usize = 4096;
/// Values that are computed and taken before the next ones are: they stay in the nearest cache.
const AT_ONCE: usize = 8192;

impl Scatters {
    pub(super) fn new(plan: &Plan) -> Scatters {
        let mut out = Scatters::default();
        plan.each_step(&plan.steps, &mut |s| {
            if let StepKind::Scatter { ordered, .. } = s.kind {
                out.waiting.extend(ordered);
            }
        });
        out
    }

    /// Whether the scatter behind a nest runs it.
    pub(super) fn waits(&self, nest: PlanNestId) -> bool {
        self.waiting.contains(&nest)
    }
}

impl Rank<'_> {
    /// `into[index] op= value` for all elements of `index` and `value`, whose linear indices are inside. A collective.
    pub(super) fn scatter(&mut self, s: Scatter) -> Result<(), Failure> {
        let mut kept = std::mem::take(&mut self.scattered);
        let version = self.versions.version(s.index);
        let old = kept.routes.remove(&s.index).filter(|r| r.version == version);
        let mut route = match old {
            Some(route) => route,
            None => self.route(s, &mut kept.places, version)?,
        };
        let done = self.carry(s, &mut route, &mut kept);
        if s.kept {
            kept.routes.insert(s.index, route);
        }
        self.scattered = kept;
        self.versions.written(s.into);
        done
    }

    /// Works out who takes which contributions. A collective: the ranks tell one another the places.
    fn route(&mut self, s: Scatter, places: &mut Vec<u8>, version: u64) -> Result<Route, Failure> {
        let (me, clock) = (self.state.comm.rank(), Instant::now());
        let (target, from) = (self.plan.array(s.into), self.plan.array(s.index));
        self.device.read_into(s.index, &from.layout.part(me), places)?;
        let elements = target.layout.shape.iter().product::<i64>() as usize;
        let exact = target.array.ty.is_int() && s.op != BinaryOp::Div;
        let few = exact && s.ordered.is_none() && elements < places.len() / 8;
        let slots = few.then(|| slots(places, elements));
        if let Some((_, kept)) = &slots {
            *places = kept.iter().flat_map(|k| (*k as u64).to_le_bytes()).collect();
        }
        let (mut sends, mut takes) = routed(&target.layout, places, self.plan.ranks);
        let order = s.ordered.map(|_| (in_order(&mut sends, &mut takes, places.len() / 8), vec![]));
        self.state.stats.spent(Kind::Compute, clock);
        if self.state.comm.size() > 1 {
            takes = tell(&mut self.state, takes, width(target.layout.part(me).len()))?;
        }
        let clock = Instant::now();
        let taken = |list| if s.ordered.is_some() { Taken::Groups(groups(&list).0) } else { Taken::List(list) };
        let takes = takes.into_iter().map(taken).collect();
        self.state.stats.spent(Kind::Compute, clock);
        Ok(Route { version, slots: slots.map(|(of, kept)| (of, kept.len())), order, sends, takes })
    }

    /// Sends the values and takes what arrives.
    fn carry(&mut self, s: Scatter, route: &mut Route, kept: &mut Scatters) -> Result<(), Failure> {
        if let Some((nest, (order, seen))) = s.ordered.zip(route.order.as_mut()) {
            let arrays = self.plan.nest(nest).nest.operands.iter().map(|o| self.versions.version(o.array));
            let now: Vec<u64> = arrays.collect();
            let changed: Vec<bool> = (0..now.len()).map(|k| seen.get(k) != Some(&now[k])).collect();
            self.device.order(nest, order, &changed)?;
            *seen = now;
        }
        let (me, clock) = (self.state.comm.rank(), Instant::now());
        let target = self.plan.array(s.into);
        let (ty, part) = (target.array.ty, target.layout.part(me));
        let alone = self.state.comm.size() == 1 && route.slots.is_none();
        if let Some(nest) = s.ordered {
            let count = self.plan.array(s.value).layout.part(me).len() as usize;
            if alone {
                return self.compute_and_take(s, nest, &route.takes[0], count);
            }
            self.device.compute_in_order(nest, 0..count, &mut self.state)?;
        }
        if alone && let Some((values, data)) = self.device.in_place(s.value, s.into) {
            apply(data, &route.takes[0], (values, &Picks::All), s.how(ty));
            self.state.stats.spent(Kind::Compute, clock);
            return Ok(());
        }
        let Scatters { values, data, .. } = kept;
        self.device.read_into(s.value, &self.plan.array(s.value).layout.part(me), values)?;
        if let Some((slots, count)) = &route.slots {
            *values = combined(values, slots, *count, ty, s.op);
        }
        self.device.read_into(s.into, &part, data)?;
        self.state.stats.spent(Kind::Compute, clock);
        self.send_values(route, values, ty.size())?;
        for (peer, takes) in route.takes.iter().enumerate() {
            let own = peer as i64 == me;
            let clock = Instant::now();
            let arrived = match takes.values() * ty.size() {
                0 => continue,
                _ if own => None,
                bytes => Some(self.state.comm.receive(peer as i64, bytes)?),
            };
            self.state.stats.spent(Kind::Wait, clock);
            let clock = Instant::now();
            match arrived {
                Some(m) => {
                    apply(data, takes, (&m, &Picks::All), s.how(ty));
                    self.state.comm.recycle(peer as i64, m);
                }
                None => apply(data, takes, (values, &route.sends[peer]), s.how(ty)),
            }
            self.state.stats.spent(Kind::Compute, clock);
        }
        let clock = Instant::now();
        self.device.write(s.into, &part, data)?;
        self.state.stats.spent(Kind::Compute, clock);
        Ok(())
    }

    /// On one rank: some values are computed and taken, then the next.
    fn compute_and_take(&mut self, s: Scatter, nest: PlanNestId, takes: &Taken, count: usize) -> Result<(), Failure> {
        let (target, clock) = (self.plan.array(s.into), Instant::now());
        let (ty, part) = (target.array.ty, target.layout.part(0));
        let Taken::Groups(all) = takes else {
            return Err(Failure::Internal("values in an order without groups".into()));
        };
        if self.device.in_place(s.value, s.into).is_none() {
            // Ghost cells lie between the elements.
            self.device.compute_in_order(nest, 0..count, &mut self.state)?;
            let values = self.device.read(s.value, &self.plan.array(s.value).layout.part(0))?;
            let mut data = self.device.read(s.into, &part)?;
            apply(&mut data, takes, (&values, &Picks::All), s.how(ty));
            self.device.write(s.into, &part, &data)?;
            self.state.stats.spent(Kind::Compute, clock);
            return Ok(());
        }
        let (mut first, mut group, mut place) = (0, 0, 0);
        while group < all.sizes.len() {
            let (mut end, mut last, mut behind) = (first, group, place);
            while last < all.sizes.len() && end < first + AT_ONCE {
                let (lanes, terms) = all.sizes[last];
                (end, last, behind) = (end + lanes * terms, last + 1, behind + lanes);
            }
            self.device.compute_in_order(nest, first..end, &mut self.state)?;
            if let Some((values, data)) = self.device.in_place(s.value, s.into) {
                let values = &values[first * ty.size()..end * ty.size()];
                apply_groups(data, (&all.sizes[group..last], all.places.row(place..behind)), values, s.how(ty));
            }
            (first, group, place) = (end, last, behind);
        }
        self.state.stats.spent(Kind::Compute, clock);
        Ok(())
    }

    fn send_values(&mut self, route: &Route, values: &[u8], size: usize) -> Result<(), Failure> {
        let comm = &mut *self.state.comm;
        let (me, mut sent, clock) = (comm.rank(), (0, 0), Instant::now());
        for (peer, picks) in route.sends.iter().enumerate().filter(|p| p.0 as i64 != me) {
            let bytes = match picks {
                Picks::All => values.len(),
                Picks::List(list) => list.len() * size,
                Picks::Row(row) => row.len() * size,
            };
            if bytes == 0 {
                continue;
            }
            let mut m = comm.buffer(bytes);
            match picks {
                Picks::All => m.copy_from_slice(values),
                Picks::List(list) => picked(list, values, size, &mut m),
                Picks::Row(row) => m.copy_from_slice(&values[row.start * size..row.end * size]),
            }
            sent = (sent.0 + 1, sent.1 + bytes as u64);
            comm.send(peer as i64, m)?;
        }
        self.state.stats.sent_beside(sent);
        self.state.stats.spent(Kind::Send, clock);
        Ok(())
    }
}

impl Taken {
    /// How many values are taken.
    fn values(&self) -> usize {
        match self {
            Taken::List(list) => list.len(),
            Taken::Groups(g) => g.sizes.iter().map(|(lanes, terms)| lanes * terms).sum(),
        }
    }
}

/// The groups of elements that take values, in a list sorted by element, and in which order the groups take them.
fn groups(sorted: &Numbers) -> (Groups, Vec<usize>) {
    // An element, the position of its first value, and how many there are.
    let mut runs: Vec<(u64, usize, usize)> = vec![];
    for (k, place) in sorted.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.0 == place => run.2 += 1,
            _ => runs.push((place, k, 1)),
        }
    }
    let mut out = Groups { sizes: vec![], places: Numbers::new(sorted.width) };
    let mut order = Vec::with_capacity(sorted.len());
    for window in runs.chunks_mut(WINDOW) {
        window.sort_by_key(|run| run.2);
        for alike in window.chunk_by(|a, b| a.2 == b.2) {
            let (together, alone) = alike.as_chunks::<LANES>();
            for group in together.iter().map(|g| &g[..]).chain(alone.chunks(1)) {
                out.sizes.push((group.len(), group[0].2));
                group.iter().for_each(|run| out.places.push(run.0));
                (0..group[0].2).for_each(|t| order.extend(group.iter().map(|run| run.1 + t)));
            }
        }
    }
    (out, order)
}

/// For every contribution the number of its element among those that have any, and these elements.
fn slots(places: &[u8], elements: usize) -> (Numbers, Vec<usize>) {
    let mut touched = vec![false; elements];
    places.chunks_exact(8).for_each(|at| touched[word(at) as usize] = true);
    let kept: Vec<usize> = (0..elements).filter(|k| touched[*k]).collect();
    let mut slot = vec![0; elements];
    kept.iter().enumerate().for_each(|(s, k)| slot[*k] = s as u64);
    let mut of = Numbers::new(width(kept.len() as i64));
    places.chunks_exact(8).for_each(|at| of.push(slot[word(at) as usize]));
    (of, kept)
}

/// By owner: which contributions it takes (where that is not all of them), and where they belong in its part. Of an array that every
/// rank keeps whole, everybody takes all.
fn routed(layout: &Layout, places: &[u8], ranks: i64) -> (Vec<Picks>, Vec<Numbers>) {
    let lists = |all: &dyn Fn(i64) -> usize| -> Vec<Numbers> { (0..ranks).map(|r| Numbers::new(all(r))).collect() };
    let mut takes = lists(&|r| width(layout.part(r).len()));
    if ranks == 1 || layout.is_replicated() {
        for list in &mut takes {
            places.chunks_exact(8).for_each(|at| list.push(word(at)));
        }
        return ((0..ranks).map(|_| Picks::All).collect(), takes);
    }
    let mut sends = lists(&|_| width(places.len() as i64 / 8));
    let parts: Vec<IndexBox> = (0..ranks).map(|r| layout.part(r)).collect();
    let mut at = vec![0; layout.shape.len()];
    for (k, linear) in places.chunks_exact(8).enumerate() {
        let mut rest = word(linear) as i64;
        for d in (0..at.len()).rev() {
            at[d] = rest % layout.shape[d];
            rest /= layout.shape[d];
        }
        let owner = layout.owner(&at);
        let place = parts[owner as usize].dims.iter().zip(&at).fold(0, |sum, (d, i)| sum * d.len() + i - d.lo);
        sends[owner as usize].push(k as u64);
        takes[owner as usize].push(place as u64);
    }
    (sends.into_iter().map(Picks::List).collect(), takes)
}

/// Puts the contributions of every receiver in the order in which groups of elements take them, those of one element in the order that
/// they had, and the receivers' elements in theirs; gives the order of all.
fn in_order(sends: &mut [Picks], takes: &mut [Numbers], count: usize) -> Numbers {
    let mut order = Numbers::new(width(count as i64));
    // Where everybody takes all, the first stands for all.
    let all = matches!(sends.first(), Some(Picks::All));
    let lists = if all { 1 } else { sends.len() };
    for (send, take) in sends.iter_mut().zip(takes.iter_mut()).take(lists) {
        let mut pairs: Vec<(u64, u64)> = match send {
            Picks::List(list) => take.iter().zip(list.iter()).collect(),
            _ => take.iter().zip(0..).collect(),
        };
        pairs.sort_unstable();
        let first = order.len();
        take.bytes.clear();
        pairs.iter().for_each(|p| take.push(p.0));
        groups(take).1.into_iter().for_each(|k| order.push(pairs[k].1));
        if !all {
            *send = Picks::Row(first..order.len());
        }
    }
    if all && let Some((first, rest)) = takes.split_first_mut() {
        rest.iter_mut().for_each(|t| *t = first.clone());
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::layout::Dist;

    fn words(b: &[u64]) -> Vec<u8> {
        b.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn every_contribution_reaches_its_element() {
        let layout = Layout::divided(&[5, 7], &[Dist::Block, Dist::Block], vec![2, 3]);
        let places: Vec<u64> = (0..35).rev().collect();
        let values: Vec<u8> = (0..35).flat_map(|k| (k as f64).to_le_bytes()).collect();
        let (sends, takes) = routed(&layout, &words(&places), 6);
        let mut seen = 0;
        for rank in 0..6 {
            let part = layout.part(rank);
            let mut data = vec![0; part.len() as usize * 8];
            let (picks, takes) = (&sends[rank as usize], Taken::List(takes[rank as usize].clone()));
            apply(&mut data, &takes, (&values, picks), How { ty: Ty::F64, op: BinaryOp::Add, complex: false });
            let mut sent = vec![0; takes.values() * 8];
            let Picks::List(list) = picks else { panic!("{picks:?}") };
            picked(list, &values, 8, &mut sent);
            let mut again = vec![0; data.len()];
            apply(&mut again, &takes, (&sent, &Picks::All), How { ty: Ty::F64, op: BinaryOp::Add, complex: false });
            assert_eq!(data, again);
            seen += takes.values();
            for i in part.dims[0].lo..part.dims[0].hi {
                for j in part.dims[1].lo..part.dims[1].hi {
                    let k = (i - part.dims[0].lo) * part.dims[1].len() + j - part.dims[1].lo;
                    assert_eq!(f64::from_bits(word(&data[8 * k as usize..][..8])), (34 - (i * 7 + j)) as f64);
                }
            }
        }
        assert_eq!(seen, 35);
    }

    #[test]
    fn wide_numbers_mean_the_same_as_narrow_ones() {
        let of = |width, list: &[u64]| {
            let mut n = Numbers::new(width);
            list.iter().for_each(|k| n.push(*k));
            n
        };
        let values: Vec<u8> = [1.5f32, 2.25, -7.0, 0.125].iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut seen = vec![];
        for (wide, narrow) in [(4, 4), (4, 8), (8, 4), (8, 8)] {
            let (places, picks) = (Taken::List(of(wide, &[2, 0, 2])), of(narrow, &[3, 1, 0]));
            let mut data = vec![0; 12];
            apply(
                &mut data,
                &places,
                (&values, &Picks::List(picks.clone())),
                How { ty: Ty::F32, op: BinaryOp::Sub, complex: false },
            );
            let mut sent = vec![0; 12];
            picked(&picks, &values, 4, &mut sent);
            let mut again = vec![0; 12];
            apply(&mut again, &places, (&sent, &Picks::All), How { ty: Ty::F32, op: BinaryOp::Sub, complex: false });
            assert_eq!(data, again);
            seen.push(data);
        }
        let expected: Vec<u8> = [-2.25f32, 0.0, -1.625].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert!(seen.iter().all(|s| *s == expected), "{seen:?}");
    }

    #[test]
    fn combined_contributions_do_the_same() {
        let places = words(&[3, 1, 3, 3, 0]);
        let values: Vec<u8> = [7i32, -2, i32::MAX, 5, 11].iter().flat_map(|v| v.to_le_bytes()).collect();
        let layout = Layout::replicated(&[4]);
        for op in [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Min, BinaryOp::Max] {
            let start: Vec<u8> = [1i32, 2, 3, 4].iter().flat_map(|v| v.to_le_bytes()).collect();
            let (mut one, mut two) = (start.clone(), start);
            apply(
                &mut one,
                &Taken::List(routed(&layout, &places, 1).1[0].clone()),
                (&values, &Picks::All),
                How { ty: Ty::I32, op, complex: false },
            );
            let (of, kept) = slots(&places, 4);
            assert_eq!(kept, [0, 1, 3]);
            let sums = combined(&values, &of, kept.len(), Ty::I32, op);
            let kept = words(&kept.iter().map(|k| *k as u64).collect::<Vec<_>>());
            apply(
                &mut two,
                &Taken::List(routed(&layout, &kept, 1).1[0].clone()),
                (&sums, &Picks::All),
                How { ty: Ty::I32, op, complex: false },
            );
            assert_eq!(one, two, "{op:?}");
        }
    }

    #[test]
    fn groups_take_what_a_list_takes() {
        let mut state = 9u64;
        let mut next = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        };
        for elements in [1, 7, 40, 9000] {
            let count = 3 * elements as usize + 5;
            // Some take none, one takes many.
            let places: Vec<u64> = (0..count).map(|k| if k % 5 == 0 { 0 } else { next(elements) }).collect();
            let values: Vec<u8> = (0..count).flat_map(|_| (1.0 / (1 + next(99)) as f64).to_le_bytes()).collect();
            let layout = Layout::replicated(&[elements as i64]);
            let (mut sends, mut takes) = routed(&layout, &words(&places), 1);
            let mut one = vec![0; 8 * elements as usize];
            let mut two = one.clone();
            apply(
                &mut one,
                &Taken::List(takes[0].clone()),
                (&values, &Picks::All),
                How { ty: Ty::F64, op: BinaryOp::Add, complex: false },
            );
            let order = in_order(&mut sends, &mut takes, count);
            let mut sorted = vec![0; values.len()];
            picked(&order, &values, 8, &mut sorted);
            let taken = Taken::Groups(groups(&takes[0]).0);
            assert_eq!(taken.values(), count);
            apply(&mut two, &taken, (&sorted, &Picks::All), How { ty: Ty::F64, op: BinaryOp::Add, complex: false });
            assert_eq!(one, two, "{elements}");
        }
    }
}

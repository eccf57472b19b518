//! Scatters: `h[bin[i]] += w[i]`. Every rank holds a contiguous run of the contributions, in the order of the indices; those for
//! elements of other ranks travel to their owners, who take all contributions rank by rank. So every element meets its
//! contributions in the order of the indices, whatever the number of ranks, and sums of floats have the same bits.
//!
//! Who sends what to whom follows from the places alone (an inspector and an executor: Saltz et al., 1991). Where the plan says that they
//! stay, the ranks keep it, and only values travel until the places change.
//!
//! Integers may be combined in any order: where the array has fewer elements than a rank has contributions, the rank
//! combines its own first.
//!
//! A device that runs scatters itself is given the same lists ([`chains`]).

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

pub mod chains;
mod take;
#[cfg(test)]
mod tests;

use take::{How, apply, apply_groups, combined};

/// Who takes which contributions.
#[derive(Default)]
pub(super) struct Route {
    /// The version of the places that it was made from.
    version: u64,
    /// The device keeps the rest.
    on_device: bool,
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
pub enum Picks {
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
pub struct Scatter {
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
    /// Names what is kept for it.
    pub fn key(&self) -> ArrayId {
        self.index
    }

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
        if self.device.scatter_alone(&s, &mut self.state)? {
            self.versions.written(s.into);
            return Ok(());
        }
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
        let here = self.device.scatters();
        let travels = self.state.comm.size() > 1 || !here;
        let few = exact && travels && s.ordered.is_none() && elements < places.len() / 8;
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
        let on_device = here && slots.is_none();
        if on_device {
            let clock = Instant::now();
            self.device.keep_route(&s, &sends, &takes)?;
            self.state.stats.spent(Kind::Compute, clock);
        }
        if here && self.state.comm.size() > 1 {
            // A device that makes room may wait for the others' kernels: none of these may wait for what it has yet to queue.
            self.state.comm.gathered(&[])?;
        }
        if on_device {
            return Ok(Route { version, on_device, ..Route::default() });
        }
        let clock = Instant::now();
        let taken = |list| if s.ordered.is_some() { Taken::Groups(groups(&list).0) } else { Taken::List(list) };
        let takes = takes.into_iter().map(taken).collect();
        self.state.stats.spent(Kind::Compute, clock);
        let slots = slots.map(|(of, kept)| (of, kept.len()));
        Ok(Route { version, on_device: false, slots, order, sends, takes })
    }

    /// Sends the values and takes what arrives.
    fn carry(&mut self, s: Scatter, route: &mut Route, kept: &mut Scatters) -> Result<(), Failure> {
        if route.on_device {
            return self.device.scatter(&s, &mut self.state);
        }
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
        let reads_target = self.plan.nest(nest).nest.operands.iter().any(|o| o.array == s.into);
        if reads_target || self.device.in_place(s.value, s.into).is_none() {
            // Values are made of what the elements were, or ghost cells lie between the elements.
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

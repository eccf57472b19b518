//! Needed less owned: from the rules of an exchange to the pieces that one rank receives.

use super::shares::{Deal, Share, Step, Zone, zones};
use super::{Arm, Exchange, Item, Plan, ViewId};
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::ArrayId;
use crate::ir::program::Edge;
use crate::ir::ty::Value;

/// How source elements become destination elements along one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In order.
    Shift,
    /// One source element repeated.
    Repeat,
    /// In reverse order.
    Reverse,
}

/// Elements that a rank receives: `src` of the array on rank `from` fills `dst` of the rank's storage.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    pub from: i64,
    /// In the array: of indices, or of positions where tiles are dealt.
    pub src: IndexBox,
    /// In the receiver's storage; may lie past the array's edges.
    pub dst: IndexBox,
    pub modes: Vec<Mode>,
    /// The sign is turned (`odd` edges).
    pub negate: bool,
    /// The boxes come again, moved along these dimensions; the first one outermost.
    pub steps: Vec<(usize, Step)>,
}

impl Piece {
    /// Elements that travel.
    pub fn len(&self) -> i64 {
        self.src.len() * self.times()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often the boxes come.
    pub fn times(&self) -> i64 {
        self.steps.iter().map(|s| s.1.count).product()
    }

    /// The boxes around all that it comes from and goes to.
    pub fn around(&self) -> (IndexBox, IndexBox) {
        let (mut src, mut dst) = (self.src.clone(), self.dst.clone());
        for (d, s) in &self.steps {
            let far = s.count - 1;
            src.dims[*d] = src.dims[*d].hull(src.dims[*d].shift(far * s.src));
            dst.dims[*d] = dst.dims[*d].hull(dst.dims[*d].shift(far * s.dst));
        }
        (src, dst)
    }

    /// One by one, without steps.
    pub fn each(&self) -> Vec<(IndexBox, IndexBox)> {
        let mut out = vec![(self.src.clone(), self.dst.clone())];
        for (d, s) in &self.steps {
            let moved = |b: &IndexBox, by: i64| {
                let mut b = b.clone();
                b.dims[*d] = b.dims[*d].shift(by);
                b
            };
            out = (out.iter())
                .flat_map(|(a, b)| (0..s.count).map(move |k| (moved(a, k * s.src), moved(b, k * s.dst))))
                .collect();
        }
        out
    }
}

/// What one item needs on one rank.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Needs {
    pub pieces: Vec<Piece>,
    /// Regions past a `constant` edge.
    pub constants: Vec<(IndexBox, Value)>,
}

/// A run of one dimension with one mapping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub dst: Interval,
    pub src: Interval,
    pub mode: Mode,
    pub negate: bool,
    pub constant: Option<Value>,
}

/// The runs of `want` along a dimension of extent `n`, in order.
pub(super) fn segments(want: Interval, n: i64, edge: Edge) -> Vec<Segment> {
    let mut out = vec![];
    let mut at = want.lo;
    if n == 0 {
        return out;
    }
    // All images of one element are that element: one run, not as many as there are images.
    let edge = if n == 1 && matches!(edge, Edge::Periodic | Edge::Mirror) { Edge::Clamp } else { edge };
    while at < want.hi {
        let plain = |dst: Interval, src: Interval, mode| Segment { dst, src, mode, negate: false, constant: None };
        let seg = if (0..n).contains(&at) {
            let dst = Interval::new(at, want.hi.min(n));
            plain(dst, dst, Mode::Shift)
        } else {
            // Up to the next multiple of the extent.
            let q = at.div_euclid(n);
            let dst = Interval::new(at, want.hi.min((q + 1) * n));
            let to_edge = Interval::new(at, if at < 0 { want.hi.min(0) } else { want.hi });
            let wrapped = dst.shift(-q * n);
            let mirrored = Interval::new(n - wrapped.hi, n - wrapped.lo);
            match edge {
                Edge::None => {
                    at = to_edge.hi;
                    continue;
                }
                Edge::Periodic => plain(dst, wrapped, Mode::Shift),
                Edge::Clamp => {
                    let i = if at < 0 { 0 } else { n - 1 };
                    plain(to_edge, Interval::new(i, i + 1), Mode::Repeat)
                }
                Edge::Constant(v) | Edge::Complex(v, _) => {
                    Segment { constant: Some(v), ..plain(to_edge, Interval::EMPTY, Mode::Shift) }
                }
                Edge::Mirror | Edge::Odd if q.rem_euclid(2) == 0 => plain(dst, wrapped, Mode::Shift),
                Edge::Mirror => plain(dst, mirrored, Mode::Reverse),
                Edge::Odd => Segment { negate: true, ..plain(dst, mirrored, Mode::Reverse) },
            }
        };
        at = seg.dst.hi;
        out.push(seg);
    }
    out
}

/// The part of `seg.dst` that the share `src` of its source fills.
pub(super) fn share(seg: &Segment, src: Interval) -> Interval {
    match seg.mode {
        Mode::Shift => src.shift(seg.dst.lo - seg.src.lo),
        Mode::Repeat => seg.dst,
        Mode::Reverse => {
            let lo = seg.dst.lo + (seg.src.hi - src.hi);
            Interval::new(lo, lo + src.len())
        }
    }
}

/// More arms than this travel as one region around them all: cut out of one another they would be too many boxes.
const MOST_ARMS: usize = 8;

/// The arms themselves, or the one around them if they are many.
fn few(arms: &[Arm]) -> std::borrow::Cow<'_, [Arm]> {
    let around = |a: Arm, b: &Arm| Arm {
        widths: a.widths.iter().zip(&b.widths).map(|(a, b)| (a.0.max(b.0), a.1.max(b.1))).collect(),
    };
    match arms.split_first() {
        Some((first, rest)) if arms.len() > MOST_ARMS => vec![rest.iter().fold(first.clone(), around)].into(),
        _ => arms.into(),
    }
}

impl Plan {
    /// The disjoint boxes that an item needs on a rank beyond what the rank owns in place.
    fn wanted(&self, item: &Item, rank: i64, round: i64) -> (ArrayId, Vec<IndexBox>) {
        match item {
            Item::View(v) => {
                let b = self.view_box_in(*v, rank, round);
                (self.views[v.0 as usize].array, if b.is_empty() { vec![] } else { vec![b] })
            }
            Item::Ghost { array, arms } => {
                let a = self.array(*array);
                let own = a.layout.part(rank);
                let mut out: Vec<IndexBox> = vec![];
                if own.is_empty() {
                    return (*array, out);
                }
                for arm in few(arms).iter() {
                    let mut rest = extended(&own, arm).minus(&own);
                    for known in &out {
                        rest = rest.iter().flat_map(|b| b.minus(known)).collect();
                    }
                    out.extend(rest);
                }
                (*array, out)
            }
        }
    }

    /// What an item needs on a rank, from whom; pieces in a fixed order. Of panels, the first.
    pub fn needs(&self, item: &Item, rank: i64) -> Needs {
        self.needs_in(item, rank, 0)
    }

    /// What an item needs on a rank in a round.
    pub fn needs_in(&self, item: &Item, rank: i64, round: i64) -> Needs {
        let (id, boxes) = self.wanted(item, rank, round);
        let a = self.array(id);
        let mut out = Needs::default();
        for b in boxes {
            let zones = self.zones(item, &b);
            product(&zones, &mut |zones: &[&Zone]| {
                if let Some(v) = zones.iter().find_map(|z| z.constant) {
                    out.constants.push((IndexBox::new(zones.iter().map(|z| z.dst).collect()), v));
                    return;
                }
                let shares: Vec<&[Share]> = zones.iter().map(|z| &z.shares[..]).collect();
                product(&shares, &mut |shares: &[&Share]| {
                    // A replicated array is read from the rank's own copy.
                    let from = if a.layout.is_replicated() { rank } else { a.layout.rank_at(|d| shares[d].owner) };
                    let steps = shares.iter().enumerate().flat_map(|(d, s)| s.steps.iter().map(move |st| (d, *st)));
                    out.pieces.push(Piece {
                        from,
                        src: IndexBox::new(shares.iter().map(|s| s.src).collect()),
                        dst: IndexBox::new(shares.iter().map(|s| s.dst).collect()),
                        modes: shares.iter().map(|s| s.mode).collect(),
                        negate: shares.iter().filter(|s| s.negate).count() % 2 == 1,
                        steps: steps.collect(),
                    });
                });
            });
        }
        out
    }

    /// The zones of a box of an item's storage along every dimension.
    fn zones(&self, item: &Item, b: &IndexBox) -> Vec<Vec<Zone>> {
        let a = self.array(self.item_array(item).0);
        let deals = self.deals(item);
        let one = |d: usize| zones(b.dims[d], deals[d], a.layout.shape[d], a.array.edges[d], a.layout.cuts[d]);
        (0..b.rank()).map(one).collect()
    }

    /// How the storage that an item fills is ordered along every dimension; `None` by indices.
    pub fn deals(&self, item: &Item) -> Vec<Option<Deal>> {
        match item {
            Item::View(v) => self.views[v.0 as usize].deals.clone(),
            Item::Ghost { array, .. } => {
                let dealt = |c: &Option<crate::ir::layout::Cuts>| c.filter(|c| c.is_dealt());
                let cuts = self.array(*array).layout.cuts.iter().enumerate();
                cuts.map(|(dim, c)| dealt(c).map(|cuts| Deal { cuts, shift: 0, dim })).collect()
            }
        }
    }

    /// Messages and bytes that a rank receives in an exchange, all its rounds together.
    pub fn traffic(&self, exchange: &Exchange, rank: i64) -> (i64, i64) {
        let each = (0..self.rounds_of(exchange)).map(|k| self.traffic_in(exchange, rank, k));
        each.fold((0, 0), |s, t| (s.0 + t.0, s.1 + t.1))
    }

    /// Messages and bytes that a rank receives in one round of an exchange.
    pub fn traffic_in(&self, exchange: &Exchange, rank: i64, round: i64) -> (i64, i64) {
        let mut peers = std::collections::BTreeSet::new();
        let mut bytes = 0;
        let mut counted = 0;
        for item in &exchange.items {
            if let (Item::View(v), true) = (item, self.ranks > 64) {
                let (m, b) = self.view_traffic(*v, rank, round);
                counted += m;
                bytes += b;
                continue;
            }
            let (id, _) = self.item_array(item);
            let size = self.array(id).array.ty.size() as i64;
            for p in self.needs_in(item, rank, round).pieces.iter().filter(|p| p.from != rank) {
                peers.insert(p.from);
                bytes += p.len() * size;
            }
        }
        (peers.len() as i64 + counted, bytes)
    }

    /// The traffic of one view without listing its pieces: along every dimension, how many parts hold something and how much.
    fn view_traffic(&self, v: ViewId, rank: i64, round: i64) -> (i64, i64) {
        let a = self.array(self.views[v.0 as usize].array);
        let b = self.view_box_in(v, rank, round);
        if a.layout.is_replicated() || b.is_empty() {
            return (0, 0);
        }
        let (mut owners, mut all, mut own) = (1, 1, 1);
        for (d, zones) in self.zones(&Item::View(v), &b).iter().enumerate() {
            let shares: Vec<&Share> = zones.iter().flat_map(|z| &z.shares).collect();
            let held = |s: &&&Share| s.src.len() * s.steps.iter().map(|s| s.count).product::<i64>();
            let here = a.layout.coordinate(rank, d);
            let mine = |s: &&&Share| a.layout.cuts[d].is_none() || s.owner == here;
            owners *= shares.iter().map(|s| s.owner).collect::<std::collections::BTreeSet<_>>().len() as i64;
            all *= shares.iter().map(|s| held(&s)).sum::<i64>();
            own *= shares.iter().filter(mine).map(|s| held(&s)).sum::<i64>();
        }
        (owners - i64::from(own > 0), (all - own) * a.array.ty.size() as i64)
    }

    /// The array that an item carries, and whether into its own storage.
    pub fn item_array(&self, item: &Item) -> (ArrayId, bool) {
        match item {
            Item::Ghost { array, .. } => (*array, true),
            Item::View(v) => (self.views[v.0 as usize].array, false),
        }
    }
}

/// A part widened by an arm.
pub fn extended(part: &IndexBox, arm: &Arm) -> IndexBox {
    let dims = part.dims.iter().zip(&arm.widths).map(|(d, w)| Interval::new(d.lo - w.0, d.hi + w.1));
    IndexBox::new(dims.collect())
}

/// Calls `f` for every choice of one thing a dimension, the last dimension fastest.
fn product<'a, T, L: std::ops::Deref<Target = [T]>>(lists: &'a [L], f: &mut dyn FnMut(&[&'a T])) {
    fn go<'a, T, L: std::ops::Deref<Target = [T]>>(
        lists: &'a [L],
        chosen: &mut Vec<&'a T>,
        f: &mut dyn FnMut(&[&'a T]),
    ) {
        let Some(first) = lists.first() else { return f(chosen) };
        for s in first.iter() {
            chosen.push(s);
            go(&lists[1..], chosen, f);
            chosen.pop();
        }
    }
    go(lists, &mut vec![], f);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What index `i` past the edges of `0..n` sees, by the definition of each rule.
    fn sees(i: i64, n: i64, edge: Edge) -> Option<(i64, bool)> {
        let m = i.rem_euclid(2 * n);
        match edge {
            Edge::Periodic => Some((i.rem_euclid(n), false)),
            Edge::Clamp => Some((i.clamp(0, n - 1), false)),
            Edge::Mirror => Some((if m < n { m } else { 2 * n - 1 - m }, false)),
            Edge::Odd => Some(if m < n { (m, false) } else { (2 * n - 1 - m, true) }),
            _ => (0..n).contains(&i).then_some((i, false)),
        }
    }

    #[test]
    fn segments_agree_with_the_definition_of_each_edge() {
        for edge in [Edge::Periodic, Edge::Clamp, Edge::Mirror, Edge::Odd, Edge::None] {
            for n in 1..6 {
                for lo in -14..8 {
                    for hi in lo..14 {
                        let mut seen = std::collections::BTreeMap::new();
                        for s in segments(Interval::new(lo, hi), n, edge) {
                            for k in 0..s.dst.len() {
                                let src = match s.mode {
                                    Mode::Shift => s.src.lo + k,
                                    Mode::Repeat => s.src.lo,
                                    Mode::Reverse => s.src.hi - 1 - k,
                                };
                                assert!(seen.insert(s.dst.lo + k, (src, s.negate)).is_none());
                            }
                        }
                        for i in lo..hi {
                            assert_eq!(seen.get(&i).copied(), sees(i, n, edge), "{edge:?} {i} of {n}");
                        }
                    }
                }
            }
        }
    }
}

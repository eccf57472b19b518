//! One dimension of an exchange: which parts of the mesh's axis hold what is wanted, as runs of elements, moved by fixed steps where
//! tiles are dealt. So the number of pieces follows the parts, not the tiles.

use super::region::{Mode, Segment, segments, share};
use crate::ir::index_box::Interval;
use crate::ir::layout::Cuts;
use crate::ir::program::Edge;
use crate::ir::ty::Value;

/// How a dimension of a view is stored where it is not by indices: coordinate `x` is for the index at position `x - shift` of `cuts`,
/// plus `shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deal {
    pub cuts: Cuts,
    pub shift: i64,
    /// The dimension of the nest that counts these positions: along another one a rank has another part of the same cuts, so what
    /// one view holds belongs to one part.
    pub dim: usize,
}

impl Deal {
    /// The index that a coordinate stands for.
    pub fn index(&self, x: i64) -> i64 {
        self.cuts.index(x - self.shift) + self.shift
    }
}

/// A run that comes `count` times, each time this much further in the owner's storage and in the receiver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub count: i64,
    pub src: i64,
    pub dst: i64,
}

/// What one part of the axis holds of what is wanted: a run, or several alike.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Share {
    /// The coordinate of the owner; 0 where the dimension is whole.
    pub owner: i64,
    /// In the owner's storage.
    pub src: Interval,
    /// In the receiver's storage.
    pub dst: Interval,
    pub mode: Mode,
    pub negate: bool,
    pub steps: Vec<Step>,
}

/// A stretch of what is wanted: beyond a `constant` edge, or with its shares.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    /// In the receiver's storage.
    pub dst: Interval,
    pub constant: Option<Value>,
    pub shares: Vec<Share>,
}

/// Who holds what of the coordinates `want` along a dimension of extent `n` that is divided by `cuts`.
pub(super) fn zones(want: Interval, deal: Option<Deal>, n: i64, edge: Edge, cuts: Option<Cuts>) -> Vec<Zone> {
    if want.is_empty() {
        return vec![];
    }
    if let (Some(d), Some(c)) = (deal, cuts)
        && d.shift == 0
        && d.cuts == c
    {
        // The same order on both sides.
        let owner = c.holder(want.lo);
        let share = Share { owner, src: want, dst: want, mode: Mode::Shift, negate: false, steps: vec![] };
        return vec![Zone { dst: want, constant: None, shares: vec![share] }];
    }
    let indices = deal.map_or(want, |d| Interval::new(d.index(want.lo), d.index(want.hi - 1) + 1));
    let held = Held { cuts, deal, receiver: deal.map_or(0, |d| d.cuts.holder(want.lo - d.shift)) };
    let zone = |s: Segment| {
        let dst = Interval::new(held.place(s.dst.lo), held.place(s.dst.hi));
        let shares = if s.constant.is_some() || dst.is_empty() { vec![] } else { held.shares(&s, dst) };
        Zone { dst, constant: s.constant, shares }
    };
    segments(indices, n, edge).into_iter().map(zone).filter(|z| !z.dst.is_empty()).collect()
}

/// Both sides of a dimension.
struct Held {
    cuts: Option<Cuts>,
    deal: Option<Deal>,
    /// The part whose positions the receiver stores, where it stores positions.
    receiver: i64,
}

/// Tiles over the indices that are wanted: tile `t(y) / tile` holds `y`, where `t(y) = from + y` or, turned, `from - y`.
#[derive(Clone, Copy)]
struct Tiling {
    tile: i64,
    parts: i64,
    from: i64,
    turned: bool,
    /// Only tiles of this part are wanted.
    only: Option<i64>,
}

impl Tiling {
    /// The tile of `y`, and where it ends.
    fn at(&self, y: i64) -> (i64, i64) {
        let t = if self.turned { self.from - y } else { self.from + y };
        let k = t.div_euclid(self.tile);
        let end = if self.turned { t - k * self.tile + 1 } else { (k + 1).saturating_mul(self.tile).saturating_sub(t) };
        (k, y.saturating_add(end))
    }
}

impl Held {
    /// Where the receiver stores the first wanted index that is not before `y`.
    fn place(&self, y: i64) -> i64 {
        self.deal.map_or(y, |d| d.cuts.positions(self.receiver, Interval::new(0, y - d.shift)).hi + d.shift)
    }

    /// The shares of a segment, which fills `dst`.
    fn shares(&self, s: &Segment, dst: Interval) -> Vec<Share> {
        let dealt = self.cuts.filter(Cuts::is_dealt);
        if s.mode == Mode::Repeat {
            let owner = self.cuts.map_or(0, |c| c.part_of(s.src.lo));
            let at = dealt.map_or(s.src.lo, |c| c.position(s.src.lo));
            let src = Interval::new(at, at + 1);
            return vec![Share { owner, src, dst, mode: s.mode, negate: s.negate, steps: vec![] }];
        }
        let mut tilings = vec![];
        if let Some(d) = self.deal {
            let (tile, parts, from) = (d.cuts.tile, d.cuts.parts, -d.shift);
            tilings.push(Tiling { tile, parts, from, turned: false, only: Some(self.receiver) });
        }
        if let Some(c) = dealt {
            let turned = s.mode == Mode::Reverse;
            let from = if turned { s.src.hi - 1 + s.dst.lo } else { s.src.lo - s.dst.lo };
            tilings.push(Tiling { tile: c.tile, parts: c.parts, from, turned, only: None });
        }
        // The larger tiles outside: inside each the smaller ones come in equal steps.
        tilings.sort_by_key(|t| -t.tile);
        let blocks = match self.cuts {
            Some(c) if dealt.is_none() => {
                let (first, last) = c.owners(s.src);
                (first..last).map(|k| (k, c.part(k).intersect(s.src))).filter(|b| !b.1.is_empty()).collect()
            }
            _ => vec![(0, s.src)],
        };
        let mut out = vec![];
        for (owner, src) in blocks {
            walk(share(s, src), &tilings, &mut vec![], &mut |ys, steps| out.push(self.share(s, owner, ys, steps)));
        }
        out
    }

    /// The share that fills a run of indices, and those at these steps of indices behind it.
    fn share(&self, s: &Segment, owner: i64, ys: Interval, steps: &[(i64, i64)]) -> Share {
        let dealt = self.cuts.filter(Cuts::is_dealt);
        // The lowest element of the source.
        let low = |by: i64| match s.mode {
            Mode::Reverse => s.src.hi - 1 - (ys.hi - 1 + by - s.dst.lo),
            _ => s.src.lo + ys.lo + by - s.dst.lo,
        };
        let stored = |by: i64| dealt.map_or(low(by), |c| c.position(low(by)));
        let place = |by: i64| self.place(ys.lo + by);
        let run = |lo: i64| Interval::new(lo, lo + ys.len());
        let step = |&(count, by): &(i64, i64)| Step { count, src: stored(by) - stored(0), dst: place(by) - place(0) };
        Share {
            owner: dealt.map_or(owner, |c| c.part_of(low(0))),
            src: run(stored(0)),
            dst: run(place(0)),
            mode: s.mode,
            negate: s.negate,
            steps: steps.iter().map(step).collect(),
        }
    }
}

/// Takes a run of indices, and how often it comes again by what step of indices.
type Found<'a> = dyn FnMut(Interval, &[(i64, i64)]) + 'a;

/// Calls `found` for every run inside one tile of each tiling.
fn walk(ys: Interval, tilings: &[Tiling], steps: &mut Vec<(i64, i64)>, found: &mut Found) {
    if ys.is_empty() {
        return;
    }
    if tilings.is_empty() {
        return found(ys, steps);
    }
    // After the common period everything comes again.
    let period = tilings.iter().try_fold(1, |l, t| common(l, t.tile.checked_mul(t.parts)?));
    let rounds = period.map_or(0, |p| ys.len() / p);
    if let Some(period) = period.filter(|_| rounds >= 2) {
        steps.push((rounds, period));
        tiles(Interval::new(ys.lo, ys.lo + period), tilings, steps, found);
        steps.pop();
        return tiles(Interval::new(ys.lo + rounds * period, ys.hi), tilings, steps, found);
    }
    tiles(ys, tilings, steps, found);
}

fn tiles(ys: Interval, tilings: &[Tiling], steps: &mut Vec<(i64, i64)>, found: &mut Found) {
    let Some((first, rest)) = tilings.split_first() else { return };
    let mut y = ys.lo;
    while y < ys.hi {
        let (tile, end) = first.at(y);
        let others = first.only.map_or(0, |k| (k - tile).rem_euclid(first.parts));
        if others > 0 {
            y = end.saturating_add((others - 1).saturating_mul(first.tile));
            continue;
        }
        walk(Interval::new(y, end.min(ys.hi)), rest, steps, found);
        y = end;
    }
}

/// The least common multiple; `None` where it is too large for an index.
fn common(a: i64, b: i64) -> Option<i64> {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x).checked_mul(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every wanted element arrives once, from its owner's place for it, whatever tiles are dealt on either side.
    #[test]
    fn shares_bring_every_wanted_index_once() {
        let cuts = |n: i64| {
            let mut out = vec![None];
            for parts in [2, 3] {
                out.push(Some(Cuts::new(n, parts)));
                out.extend([1, 2, 3, 9].map(|t| Some(Cuts::cyclic(n, parts, t))));
            }
            out
        };
        let mut steps = 0;
        for n in [1, 5, 12, 29] {
            for edge in [Edge::Periodic, Edge::Clamp, Edge::Mirror] {
                for from in cuts(n) {
                    for to in cuts(n) {
                        for shift in [-3, 0, 2] {
                            steps += one(n, edge, from, to, shift);
                        }
                    }
                }
            }
        }
        assert!(steps > 1000, "only {steps} steps");
    }

    /// All receivers of one layout; gives the number of runs that come again.
    fn one(n: i64, edge: Edge, from: Option<Cuts>, to: Option<Cuts>, shift: i64) -> usize {
        let mut steps = 0;
        for k in 0..to.map_or(1, |t| t.parts) {
            let part = to.map_or(Interval::new(0, n), |t| t.part(k)).shift(shift);
            let deal = to.filter(Cuts::is_dealt).map(|cuts| Deal { cuts, shift, dim: 0 });
            let mut seen = std::collections::BTreeMap::new();
            for s in zones(part, deal, n, edge, from).iter().flat_map(|z| &z.shares) {
                steps += s.steps.len();
                let mut starts = vec![(s.src.lo, s.dst.lo)];
                for st in &s.steps {
                    starts = (starts.iter())
                        .flat_map(|&(a, b)| (0..st.count).map(move |c| (a + c * st.src, b + c * st.dst)))
                        .collect();
                }
                for (src, dst) in starts {
                    for i in 0..s.dst.len() {
                        let at = match s.mode {
                            Mode::Shift => src + i,
                            Mode::Repeat => src,
                            Mode::Reverse => src + s.src.len() - 1 - i,
                        };
                        let index = from.map_or(at, |c| c.index(at));
                        assert_eq!(from.map_or(0, |c| c.part_of(index)), s.owner);
                        assert!(seen.insert(dst + i, index).is_none(), "{from:?} {to:?} {shift}: twice");
                    }
                }
            }
            for x in part.lo..part.hi {
                let i = deal.map_or(x, |d| d.index(x));
                let m = i.rem_euclid(2 * n);
                let want = match edge {
                    Edge::Periodic => i.rem_euclid(n),
                    Edge::Clamp => i.clamp(0, n - 1),
                    _ => {
                        if m < n {
                            m
                        } else {
                            2 * n - 1 - m
                        }
                    }
                };
                assert_eq!(seen.get(&x), Some(&want), "{n} {edge:?} {from:?} {to:?} {shift}: {x}");
            }
            assert_eq!(seen.len() as i64, part.len());
        }
        steps
    }
}

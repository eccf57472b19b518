//! Intervals and boxes of global indices: the arithmetic behind "needed less owned".

use serde::{Deserialize, Serialize};

/// A half-open interval `lo..hi` of indices; empty when `hi <= lo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    pub lo: i64,
    pub hi: i64,
}

impl Interval {
    pub const EMPTY: Interval = Interval { lo: 0, hi: 0 };

    pub fn new(lo: i64, hi: i64) -> Interval {
        Interval { lo, hi }
    }
    pub fn len(self) -> i64 {
        (self.hi - self.lo).max(0)
    }
    pub fn is_empty(self) -> bool {
        self.hi <= self.lo
    }
    pub fn intersect(self, o: Interval) -> Interval {
        let r = Interval { lo: self.lo.max(o.lo), hi: self.hi.min(o.hi) };
        if r.is_empty() { Interval::EMPTY } else { r }
    }
    /// The smallest interval that holds both; an empty one adds nothing.
    pub fn hull(self, o: Interval) -> Interval {
        match (self.is_empty(), o.is_empty()) {
            (true, _) => o,
            (_, true) => self,
            _ => Interval { lo: self.lo.min(o.lo), hi: self.hi.max(o.hi) },
        }
    }
    pub fn contains(self, o: Interval) -> bool {
        o.is_empty() || (self.lo <= o.lo && o.hi <= self.hi)
    }
    pub fn shift(self, by: i64) -> Interval {
        Interval { lo: self.lo + by, hi: self.hi + by }
    }
}

/// A product of intervals, one a dimension. A box with no dimension holds one point.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IndexBox {
    pub dims: Vec<Interval>,
}

impl IndexBox {
    pub fn new(dims: Vec<Interval>) -> IndexBox {
        IndexBox { dims }
    }
    /// The box `0..extent` in every dimension.
    pub fn whole(shape: &[i64]) -> IndexBox {
        IndexBox { dims: shape.iter().map(|&n| Interval::new(0, n)).collect() }
    }
    pub fn rank(&self) -> usize {
        self.dims.len()
    }
    /// Number of points.
    pub fn len(&self) -> i64 {
        self.dims.iter().map(|d| d.len()).product()
    }
    pub fn is_empty(&self) -> bool {
        self.dims.iter().any(|d| d.is_empty())
    }
    pub fn intersect(&self, o: &IndexBox) -> IndexBox {
        IndexBox { dims: self.dims.iter().zip(&o.dims).map(|(a, b)| a.intersect(*b)).collect() }
    }
    /// The smallest box that holds both; an empty one adds nothing.
    pub fn hull(&self, o: &IndexBox) -> IndexBox {
        match (self.is_empty(), o.is_empty()) {
            (true, _) => o.clone(),
            (_, true) => self.clone(),
            _ => IndexBox { dims: self.dims.iter().zip(&o.dims).map(|(a, b)| a.hull(*b)).collect() },
        }
    }
    pub fn contains(&self, o: &IndexBox) -> bool {
        o.is_empty() || self.dims.iter().zip(&o.dims).all(|(a, b)| a.contains(*b))
    }
    /// `self` without `o`, as disjoint boxes (at most two a dimension), in a fixed order.
    pub fn minus(&self, o: &IndexBox) -> Vec<IndexBox> {
        if self.is_empty() {
            return vec![];
        }
        let common = self.intersect(o);
        if common.is_empty() {
            return vec![self.clone()];
        }
        let mut rest = self.clone();
        let mut out = vec![];
        for d in 0..self.dims.len() {
            let (whole, cut) = (rest.dims[d], common.dims[d]);
            for part in [Interval::new(whole.lo, cut.lo), Interval::new(cut.hi, whole.hi)] {
                if !part.is_empty() {
                    let mut piece = rest.clone();
                    piece.dims[d] = part;
                    out.push(piece);
                }
            }
            rest.dims[d] = cut;
        }
        out
    }
    /// Extents of the dimensions.
    pub fn shape(&self) -> Vec<i64> {
        self.dims.iter().map(|d| d.len()).collect()
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}..{}", self.lo, self.hi)
    }
}

impl std::fmt::Display for IndexBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<String> = self.dims.iter().map(Interval::to_string).collect();
        write!(f, "[{}]", parts.join(", "))
    }
}

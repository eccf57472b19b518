//! Layouts: which rank owns which box of an array, as plain arithmetic that every rank can do for every other.

use crate::ir::index_box::{IndexBox, Interval};
use serde::{Deserialize, Serialize};

/// How one dimension of an array is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dist {
    /// Every rank of the mesh axis keeps the whole dimension.
    Whole,
    /// Balanced contiguous parts, one a coordinate of the next mesh axis.
    Block,
    /// Tiles of so many indices, dealt in turn to the coordinates of the next mesh axis.
    Cyclic(i64),
}

/// The cut positions of one divided dimension: parts are balanced in units of `granule` elements.
///
/// Where tiles are dealt, cuts are cuts of *positions*: the indices in the order of their owners, and of one owner in ascending
/// order. So a part is an interval of positions, as it is one of indices where parts are contiguous; there the two are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cuts {
    pub extent: i64,
    pub parts: i64,
    pub granule: i64,
    /// The extent that the cuts were made for; the last part takes what `extent` has beyond it (`aligned`).
    pub base: i64,
    /// Indices of a tile, where tile `k` belongs to part `k mod parts`; 0 where parts are contiguous.
    pub tile: i64,
}

impl Cuts {
    /// The cuts of `extent` indices into `parts` parts.
    pub fn new(extent: i64, parts: i64) -> Cuts {
        let g = granule(extent);
        // Fine cuts where a granule would unbalance the parts; reductions then exchange the straddled leaves.
        let granule = if extent / g >= 8 * parts { g } else { 1 };
        Cuts { extent, parts, granule, base: extent, tile: 0 }
    }

    /// The same, at multiples of the first of these units that leaves no part more than a twentieth above its share; where none does, as
    /// [`Cuts::new`].
    pub fn in_units(extent: i64, parts: i64, units: &[i64]) -> Cuts {
        let even = |unit: &&i64| {
            let count = (extent + **unit - 1) / **unit;
            let largest = ((count + parts - 1) / parts).saturating_mul(**unit);
            count >= parts && largest.saturating_mul(20 * parts) <= extent.saturating_mul(21)
        };
        match units.iter().find(even) {
            Some(&granule) => Cuts { extent, parts, granule, base: extent, tile: 0 },
            None => Cuts::new(extent, parts),
        }
    }

    /// The cuts of `extent` runs of `length` indices each, where the indices are cut if that is between runs.
    pub fn of_runs(&self, extent: i64, length: i64) -> Cuts {
        match self.granule % length {
            0 if self.tile == 0 => Cuts { extent, base: extent, granule: self.granule / length, ..*self },
            _ => Cuts::new(extent, self.parts),
        }
    }

    /// Tiles of `tile` indices (at least 1), dealt to `parts` parts in turn.
    pub fn cyclic(extent: i64, parts: i64, tile: i64) -> Cuts {
        Cuts { extent, parts, granule: 1, base: extent, tile: tile.max(1) }
    }

    /// Whether parts are several tiles: positions are then not indices.
    pub fn is_dealt(&self) -> bool {
        self.tile > 0 && self.parts > 1
    }

    /// The indices after which the tiles begin with the first part again.
    pub fn period(&self) -> i64 {
        self.tile.saturating_mul(self.parts)
    }

    /// How many indices before `i` belong to part `k`, where tiles are dealt.
    fn dealt_before(&self, k: i64, i: i64) -> i64 {
        let i = i.clamp(0, self.extent);
        i / self.period() * self.tile + (i % self.period() - k.saturating_mul(self.tile)).clamp(0, self.tile)
    }

    /// The positions of the indices in `range` that belong to part `k`.
    pub fn positions(&self, k: i64, range: Interval) -> Interval {
        if !self.is_dealt() {
            return self.part(k).intersect(range);
        }
        let at = |i| self.start(k) + self.dealt_before(k, i);
        Interval::new(at(range.lo), at(range.hi.max(range.lo)))
    }

    /// The position of an index.
    pub fn position(&self, i: i64) -> i64 {
        if self.is_dealt() { self.positions(self.part_of(i), Interval::new(i, i + 1)).lo } else { i }
    }

    /// The part that holds a position.
    pub fn holder(&self, position: i64) -> i64 {
        let (mut lo, mut hi) = (0, self.parts);
        while hi - lo > 1 {
            let mid = lo + (hi - lo) / 2;
            if self.start(mid) <= position { lo = mid } else { hi = mid }
        }
        lo
    }

    /// The index at a position.
    pub fn index(&self, position: i64) -> i64 {
        if !self.is_dealt() {
            return position;
        }
        let k = self.holder(position);
        let within = position - self.start(k);
        (within / self.tile * self.parts + k) * self.tile + within % self.tile
    }

    /// Indices as text, given by an interval of positions of one part: `3..7`, or `0..16 by 64` for tiles that come again every 64.
    pub fn indices_text(&self, positions: Interval) -> String {
        if positions.is_empty() || !self.is_dealt() {
            return positions.to_string();
        }
        let (first, last) = (self.index(positions.lo), self.index(positions.hi - 1));
        let end = (first / self.tile + 1) * self.tile;
        let begin = last / self.tile * self.tile;
        match last < end {
            true => Interval::new(first, last + 1).to_string(),
            // All tiles are whole, but for the one at the end of the dimension.
            false if first % self.tile == 0 && (last + 1 == begin + self.tile || last + 1 == self.extent) => {
                format!("{first}..{end} by {}", self.period())
            }
            false => format!("{} of {first}..{}", positions.len(), last + 1),
        }
    }

    /// The same cuts for another extent: parts keep their starts and the last one ends at `extent`, or there are more or
    /// fewer tiles.
    pub fn stretched(&self, extent: i64) -> Cuts {
        if self.tile > 0 { Cuts::cyclic(extent, self.parts, self.tile) } else { Cuts { extent, ..*self } }
    }

    /// The first index of part `k`; part `parts` begins at the extent.
    pub fn start(&self, k: i64) -> i64 {
        if k >= self.parts {
            return self.extent;
        }
        if self.is_dealt() {
            let each = self.extent / self.period() * self.tile;
            return k * each + (self.extent % self.period()).min(k.saturating_mul(self.tile));
        }
        let units = (self.base + self.granule - 1) / self.granule;
        let (each, extra) = (units / self.parts, units % self.parts);
        ((k * each + k.min(extra)) * self.granule).min(self.base).min(self.extent)
    }

    /// The indices of part `k`; positions, where tiles are dealt.
    pub fn part(&self, k: i64) -> Interval {
        Interval::new(self.start(k), self.start(k + 1))
    }

    /// The parts (first inclusive, last exclusive) that hold an index of `of`, which lies inside the extent, where parts are contiguous.
    pub fn owners(&self, of: Interval) -> (i64, i64) {
        if of.is_empty() {
            return (0, 0);
        }
        (self.part_of(of.lo), self.part_of(of.hi - 1) + 1)
    }

    /// The part that holds index `i`.
    pub fn part_of(&self, i: i64) -> i64 {
        if self.is_dealt() {
            return i / self.tile % self.parts;
        }
        if i >= self.start(self.parts - 1) {
            return self.parts - 1;
        }
        let units = (self.base + self.granule - 1) / self.granule;
        let (each, extra) = (units / self.parts, units % self.parts);
        let unit = i / self.granule;
        if unit < extra * (each + 1) { unit / (each + 1) } else { extra + (unit - extra * (each + 1)) / each.max(1) }
    }
}

/// The unit in which an extent is cut and in which float sums have a fixed order: a power of two near a quarter of the
/// square root, so that parts stay balanced within `sqrt(extent) / 4` elements whatever the number of ranks.
pub fn granule(extent: i64) -> i64 {
    let quarter = (extent.max(0) as u64).isqrt() / 4;
    if quarter < 1 { 1 } else { 1 << quarter.ilog2() }
}

/// Where an array lives on a given number of ranks. `mesh` has one extent for each divided dimension, in order; its
/// product is the number of ranks. Rank `r` has the row-major coordinates of `r` in the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Layout {
    pub shape: Vec<i64>,
    pub dists: Vec<Dist>,
    pub mesh: Vec<i64>,
    /// Cuts a dimension; `None` for a whole one.
    pub cuts: Vec<Option<Cuts>>,
}

impl Layout {
    /// A full copy on every rank.
    pub fn replicated(shape: &[i64]) -> Layout {
        Layout {
            shape: shape.to_vec(),
            dists: vec![Dist::Whole; shape.len()],
            mesh: vec![],
            cuts: vec![None; shape.len()],
        }
    }

    /// A layout over `mesh`; see the type for its meaning.
    pub fn divided(shape: &[i64], dists: &[Dist], mesh: Vec<i64>) -> Layout {
        let mut axis = mesh.iter();
        let cuts = shape
            .iter()
            .zip(dists)
            .map(|(&n, d)| match d {
                Dist::Whole => None,
                Dist::Block => axis.next().map(|&p| Cuts::new(n, p)),
                Dist::Cyclic(tile) => axis.next().map(|&p| Cuts::cyclic(n, p, *tile)),
            })
            .collect();
        Layout { shape: shape.to_vec(), dists: dists.to_vec(), mesh, cuts }
    }

    /// Whether every rank holds the whole array.
    pub fn is_replicated(&self) -> bool {
        self.mesh.iter().all(|&m| m == 1)
    }

    /// Whether tiles are dealt along some dimension: parts are then boxes of positions ([`Cuts`]), not of indices.
    pub fn is_dealt(&self) -> bool {
        self.cuts.iter().flatten().any(Cuts::is_dealt)
    }

    /// Whether the cuts of a dimension lie on its granules.
    pub fn leaves_aligned(&self, dim: usize) -> bool {
        self.cuts[dim].is_none_or(|c| c.granule % granule(self.shape[dim]) == 0)
    }

    /// The axis of the mesh along which a divided dimension is cut.
    pub fn axis(&self, dim: usize) -> usize {
        self.cuts[..dim].iter().filter(|c| c.is_some()).count()
    }

    /// Whether every rank has the same coordinate along a divided dimension of this layout and along one of another. Meshes of 4 and of
    /// 4 x 1 are one: an axis is told by its length and by how far apart its neighbours are.
    pub fn cut_alike(&self, dim: usize, other: &Layout, k: usize) -> bool {
        let axis = |l: &Layout, d: usize| {
            let a = l.axis(d);
            (l.mesh.get(a).copied(), l.mesh.iter().skip(a + 1).product::<i64>())
        };
        axis(self, dim) == axis(other, k)
    }

    /// The mesh coordinates of a rank.
    pub fn coordinates(&self, rank: i64) -> Vec<i64> {
        let mut rest = rank;
        let mut out = vec![0; self.mesh.len()];
        for (c, &m) in out.iter_mut().zip(&self.mesh).rev() {
            *c = rest % m;
            rest /= m;
        }
        out
    }

    /// The coordinate of a rank on the axis of a divided dimension.
    pub fn coordinate(&self, rank: i64, dim: usize) -> i64 {
        self.coordinates(rank).get(self.axis(dim)).copied().unwrap_or(0)
    }

    /// The box that a rank owns: of indices, and of positions where tiles are dealt.
    pub fn part(&self, rank: i64) -> IndexBox {
        let coordinates = self.coordinates(rank);
        let mut axis = coordinates.iter();
        let dims = self.shape.iter().zip(&self.cuts).map(|(&n, cut)| match cut {
            None => Interval::new(0, n),
            Some(c) => c.part(*axis.next().unwrap_or(&0)),
        });
        IndexBox::new(dims.collect())
    }

    /// The rank at a coordinate along every divided dimension.
    pub fn rank_at(&self, coordinate: impl Fn(usize) -> i64) -> i64 {
        let divided = (0..self.cuts.len()).filter(|d| self.cuts[*d].is_some());
        divided.zip(&self.mesh).fold(0, |rank, (d, mesh)| rank * mesh + coordinate(d))
    }

    /// The boxes of indices that a rank owns, in ascending order: one, or one a tile.
    pub fn tiles(&self, rank: i64) -> Vec<IndexBox> {
        let mut out = vec![vec![]];
        for (d, part) in self.part(rank).dims.iter().enumerate() {
            let runs = match self.cuts[d].filter(Cuts::is_dealt) {
                None => vec![*part],
                Some(c) => (0..(part.len() + c.tile - 1) / c.tile)
                    .map(|t| part.lo + t * c.tile)
                    .map(|p| Interval::new(c.index(p), c.index(p) + c.tile.min(part.hi - p)))
                    .collect(),
            };
            out = out.iter().flat_map(|o: &Vec<Interval>| runs.iter().map(|r| [&o[..], &[*r]].concat())).collect();
        }
        out.into_iter().map(IndexBox::new).collect()
    }

    /// The rank that owns the element at `index`; the lowest, if several do.
    pub fn owner(&self, index: &[i64]) -> i64 {
        self.rank_at(|d| self.cuts[d].map_or(0, |c| c.part_of(index[d])))
    }
}

/// `[4096@0, 512]`: each divided dimension names its mesh axis; `[4096@0/16]` has dealt tiles of 16.
impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut axis = 0;
        let dims: Vec<String> = self
            .shape
            .iter()
            .zip(&self.cuts)
            .map(|(n, cut)| match cut {
                None => n.to_string(),
                Some(c) => {
                    axis += 1;
                    let tile = if c.tile > 0 { format!("/{}", c.tile) } else { String::new() };
                    format!("{n}@{}{tile}", axis - 1)
                }
            })
            .collect();
        write!(f, "[{}]", dims.join(", "))
    }
}

/// The mesh of `ranks` for an array: one factor a divided dimension, the product is `ranks`. Among all factorisations the
/// one with the least halo surface (the sum of factor over extent); on a tie more parts go to the earlier dimension, whose
/// faces are contiguous. A fixed entry of `over` is kept. `None` when the fixed entries do not divide `ranks`.
pub fn choose_mesh(ranks: i64, extents: &[i64], over: &[Option<i64>]) -> Option<Vec<i64>> {
    let mut best: Option<(f64, Vec<i64>)> = None;
    let mut current = vec![];
    search(ranks, extents, over, &mut current, &mut best);
    best.map(|b| b.1)
}

fn search(
    left: i64,
    extents: &[i64],
    over: &[Option<i64>],
    current: &mut Vec<i64>,
    best: &mut Option<(f64, Vec<i64>)>,
) {
    let d = current.len();
    if d == extents.len() {
        if left == 1 {
            // Parts beyond the extent hold nothing: weigh them as a full surface each.
            let cost = |(&m, &n): (&i64, &i64)| m as f64 / n.max(1) as f64 + if m > n { m as f64 } else { 0.0 };
            let cost: f64 = current.iter().zip(extents).map(cost).sum();
            if best.as_ref().is_none_or(|b| cost < b.0 * (1.0 - 1e-12)) {
                *best = Some((cost, current.clone()));
            }
        }
        return;
    }
    let fixed = over.get(d).copied().flatten();
    for m in (1..=left).rev().filter(|m| left % m == 0) {
        if fixed.is_none_or(|f| f == m) {
            current.push(m);
            search(left / m, extents, over, current, best);
            current.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_tile_the_extent_in_order() {
        for n in [0, 1, 2, 5, 7, 63, 64, 100, 1000, 4097, 1 << 20] {
            for p in [1, 2, 3, 4, 7, 16, 100] {
                let cuts = Cuts::new(n, p);
                assert_eq!((cuts.start(0), cuts.start(p)), (0, n), "{n} over {p}");
                for k in 0..p {
                    let part = cuts.part(k);
                    assert!(part.lo <= part.hi);
                    for i in [part.lo, part.hi - 1] {
                        if !part.is_empty() {
                            assert_eq!(cuts.owners(Interval::new(i, i + 1)), (k, k + 1), "{n} over {p} at {i}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn dealt_tiles_have_one_position_an_index() {
        for n in [0, 1, 2, 5, 7, 16, 23, 64, 100] {
            for p in [2, 3, 4, 7, 16] {
                for tile in [1, 2, 3, 5, 16, 200, 1 << 48] {
                    let cuts = Cuts::cyclic(n, p, tile);
                    assert_eq!((cuts.start(0), cuts.start(p)), (0, n), "{n} over {p} by {tile}");
                    // The definition: by owner, then by index.
                    let owner = |i: i64| i / tile % p;
                    let mut order: Vec<i64> = (0..n).collect();
                    order.sort_by_key(|&i| (owner(i), i));
                    for (at, &i) in order.iter().enumerate() {
                        let at = at as i64;
                        assert_eq!((cuts.index(at), cuts.position(i)), (i, at), "{n} over {p} by {tile}");
                        assert_eq!((cuts.part_of(i), cuts.holder(at)), (owner(i), owner(i)));
                        let part = cuts.part(owner(i));
                        assert!(part.lo <= at && at < part.hi);
                    }
                    for k in 0..p {
                        let range = Interval::new(n / 3, n - n / 4);
                        let inside = order.iter().filter(|&&i| owner(i) == k && range.lo <= i && i < range.hi).count();
                        assert_eq!(cuts.positions(k, range).len(), inside as i64);
                    }
                }
            }
        }
    }

    #[test]
    fn one_index_a_rank_when_the_extent_is_the_rank_count() {
        for p in [1, 3, 64, 1000] {
            assert!((0..p).all(|k| Cuts::new(p, p).part(k) == Interval::new(k, k + 1)));
        }
    }

    #[test]
    fn meshes_are_near_square_and_follow_the_shape() {
        assert_eq!(choose_mesh(6, &[4096, 4096], &[]), Some(vec![3, 2]));
        assert_eq!(choose_mesh(4, &[4096, 4096], &[]), Some(vec![2, 2]));
        assert_eq!(choose_mesh(4, &[100_000, 10], &[]), Some(vec![4, 1]));
        assert_eq!(choose_mesh(8, &[64, 64], &[Some(4), None]), Some(vec![4, 2]));
        assert_eq!(choose_mesh(7, &[64, 64], &[Some(4), None]), None);
    }
}

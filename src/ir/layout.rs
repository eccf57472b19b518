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
}

/// The cut positions of one divided dimension: parts are balanced in units of `granule` elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cuts {
    pub extent: i64,
    pub parts: i64,
    pub granule: i64,
    /// The extent that the cuts were made for; the last part takes what `extent` has beyond it (`aligned`).
    pub base: i64,
}

impl Cuts {
    /// The cuts of `extent` indices into `parts` parts.
    pub fn new(extent: i64, parts: i64) -> Cuts {
        let g = granule(extent);
        // Fine cuts where a granule would unbalance the parts; reductions then exchange the straddled leaves.
        let granule = if extent / g >= 8 * parts { g } else { 1 };
        Cuts { extent, parts, granule, base: extent }
    }

    /// The same cuts for another extent: parts keep their starts, the last one ends at `extent`.
    pub fn stretched(&self, extent: i64) -> Cuts {
        Cuts { extent, ..*self }
    }

    /// The first index of part `k`; part `parts` begins at the extent.
    pub fn start(&self, k: i64) -> i64 {
        if k >= self.parts {
            return self.extent;
        }
        let units = (self.base + self.granule - 1) / self.granule;
        let (each, extra) = (units / self.parts, units % self.parts);
        ((k * each + k.min(extra)) * self.granule).min(self.base).min(self.extent)
    }

    /// The indices of part `k`.
    pub fn part(&self, k: i64) -> Interval {
        Interval::new(self.start(k), self.start(k + 1))
    }

    /// The parts (first inclusive, last exclusive) that hold an index of `of`, which lies inside the extent.
    pub fn owners(&self, of: Interval) -> (i64, i64) {
        if of.is_empty() {
            return (0, 0);
        }
        (self.part_of(of.lo), self.part_of(of.hi - 1) + 1)
    }

    /// The part that holds index `i`.
    fn part_of(&self, i: i64) -> i64 {
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

/// Where an array lives on a given number of ranks. `mesh` has one extent for each `Block` dimension, in order; its
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
            })
            .collect();
        Layout { shape: shape.to_vec(), dists: dists.to_vec(), mesh, cuts }
    }

    /// Whether every rank holds the whole array.
    pub fn is_replicated(&self) -> bool {
        self.mesh.iter().all(|&m| m == 1)
    }

    /// Whether the cuts of a dimension lie on its granules.
    pub fn leaves_aligned(&self, dim: usize) -> bool {
        self.cuts[dim].is_none_or(|c| c.granule % granule(self.shape[dim]) == 0)
    }

    /// The axis of the mesh along which a divided dimension is cut.
    pub fn axis(&self, dim: usize) -> usize {
        self.cuts[..dim].iter().filter(|c| c.is_some()).count()
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

    /// The box that a rank owns.
    pub fn part(&self, rank: i64) -> IndexBox {
        let coordinates = self.coordinates(rank);
        let mut axis = coordinates.iter();
        let dims = self.shape.iter().zip(&self.cuts).map(|(&n, cut)| match cut {
            None => Interval::new(0, n),
            Some(c) => c.part(*axis.next().unwrap_or(&0)),
        });
        IndexBox::new(dims.collect())
    }

    /// The ranks that own part of `region` (inside the array), each with its share, in ascending rank order.
    pub fn owners(&self, region: &IndexBox) -> Vec<(i64, IndexBox)> {
        if region.is_empty() {
            return vec![];
        }
        let mut found: Vec<(i64, Vec<Interval>)> = vec![(0, vec![])];
        let mut axis = 0;
        for (d, cut) in self.cuts.iter().enumerate() {
            let Some(cut) = cut else {
                found.iter_mut().for_each(|f| f.1.push(region.dims[d]));
                continue;
            };
            let (first, last) = cut.owners(region.dims[d]);
            let mesh = self.mesh[axis];
            axis += 1;
            let mut next = vec![];
            for (rank, dims) in &found {
                for k in first..last {
                    let share = cut.part(k).intersect(region.dims[d]);
                    if !share.is_empty() {
                        let mut dims = dims.clone();
                        dims.push(share);
                        next.push((rank * mesh + k, dims));
                    }
                }
            }
            found = next;
        }
        found.into_iter().map(|(r, dims)| (r, IndexBox::new(dims))).collect()
    }

    /// The rank that owns the element at `index`; the lowest, if several do.
    pub fn owner(&self, index: &[i64]) -> i64 {
        let mut axis = self.mesh.iter();
        let parts = index.iter().zip(&self.cuts).filter_map(|(&i, cut)| cut.map(|c| c.part_of(i)));
        parts.fold(0, |rank, k| rank * axis.next().copied().unwrap_or(1) + k)
    }

    /// How many ranks own part of `region`, without listing them.
    pub fn owner_count(&self, region: &IndexBox) -> i64 {
        if region.is_empty() {
            return 0;
        }
        let per_dim = region.dims.iter().zip(&self.cuts).map(|(r, cut)| match cut {
            None => 1,
            Some(c) => {
                let (a, b) = c.owners(*r);
                b - a
            }
        });
        per_dim.product()
    }
}

/// `f32[4096@0, 512]`: each divided dimension names its mesh axis.
impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut axis = 0;
        let dims: Vec<String> = self
            .shape
            .iter()
            .zip(&self.cuts)
            .map(|(n, cut)| match cut {
                None => n.to_string(),
                Some(_) => {
                    axis += 1;
                    format!("{n}@{}", axis - 1)
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

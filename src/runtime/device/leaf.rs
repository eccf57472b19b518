//! Walks a part of a domain so that reductions meet their leaves in order (see [`exact_sum`](super::exact_sum)).

use crate::codegen::c;
use crate::ir::index_box::IndexBox;

/// Most dimensions that a nest may have.
pub const MAX_RANK: usize = 16;

/// Lanes of a float sum or product.
pub fn lanes(leaf: &[i64]) -> i64 {
    leaf.last().map_or(1, |&n| n.min(64))
}

/// The first point of the leaf (or band) of `size` points, a power of two, in which `at` lies.
pub fn start(at: i64, size: i64) -> i64 {
    at & -size
}

/// Width of a band: whole leaves of the last dimension, which are open at once.
pub fn band(leaf: &[i64]) -> i64 {
    leaf.last().map_or(1, |&n| c::band(n))
}

/// How many leaves of the last dimension a band has at most.
pub fn columns(leaf: &[i64]) -> usize {
    leaf.last().map_or(1, |&n| (band(leaf) / n) as usize)
}

/// How many leaves of the last dimension are open at once in a part.
pub fn open_columns(part: &IndexBox, leaf: &[i64]) -> usize {
    let touched =
        part.dims.last().zip(leaf.last()).map_or(1, |(d, &n)| ((start(d.hi - 1, n) - start(d.lo, n)) / n + 1) as usize);
    touched.min(columns(leaf))
}

/// How many leaves `part` touches.
pub fn count(part: &IndexBox, leaf: &[i64]) -> usize {
    part.dims.iter().zip(leaf).map(|(d, &n)| ((start(d.hi - 1, n) - start(d.lo, n)) / n + 1) as usize).product()
}

/// The position of the leaf that holds `point` among the leaves of the whole domain, in row-major order.
pub fn position(domain: &IndexBox, leaf: &[i64], point: impl Iterator<Item = i64>) -> u64 {
    let mut at = 0u64;
    for ((dim, &n), i) in domain.dims.iter().zip(leaf).zip(point) {
        let first = start(dim.lo, n) / n;
        let extent = start(dim.hi - 1, n) / n - first + 1;
        at = at.wrapping_mul(extent as u64).wrapping_add((start(i, n) / n - first) as u64);
    }
    at
}

/// What [`walk`] calls.
pub trait Visitor {
    /// Points `j0..j1` of the last dimension at `outer` indices.
    fn row(&mut self, outer: &[i64], j0: i64, j1: i64) -> Result<(), String>;
    /// All rows of the leaves that begin at `outer` and cover `j0..j1` have been visited.
    fn flush(&mut self, outer: &[i64], j0: i64, j1: i64);
}

/// Visits every point of `part` once. With `ordered`, rows come leaf by leaf in bands of the last dimension, each band
/// followed by a flush; else whole rows, with no flush. `part` must not be empty.
pub fn walk<V: Visitor>(part: &IndexBox, leaf: &[i64], ordered: bool, visitor: &mut V) -> Result<(), String> {
    let Some(last) = part.rank().checked_sub(1) else {
        visitor.row(&[], 0, 1)?;
        if ordered {
            visitor.flush(&[], 0, 1);
        }
        return Ok(());
    };
    let end = |d: usize, at: i64, size: i64| {
        let hi = part.dims[d].hi;
        if ordered { start(at, size).saturating_add(size).min(hi) } else { hi }
    };
    let (mut lo, mut hi, mut at) = ([0i64; MAX_RANK], [0i64; MAX_RANK], [0i64; MAX_RANK]);
    for d in 0..last {
        lo[d] = part.dims[d].lo;
        hi[d] = end(d, lo[d], leaf[d]);
    }
    loop {
        let mut j0 = part.dims[last].lo;
        while j0 < part.dims[last].hi {
            let j1 = end(last, j0, band(leaf));
            at[..last].copy_from_slice(&lo[..last]);
            loop {
                visitor.row(&at[..last], j0, j1)?;
                let Some(d) = (0..last).rev().find(|&d| at[d] + 1 < hi[d]) else { break };
                at[d] += 1;
                at[d + 1..last].copy_from_slice(&lo[d + 1..last]);
            }
            if ordered {
                visitor.flush(&lo[..last], j0, j1);
            }
            j0 = j1;
        }
        let Some(d) = (0..last).rev().find(|&d| hi[d] < part.dims[d].hi) else { return Ok(()) };
        lo[d] = hi[d];
        hi[d] = end(d, lo[d], leaf[d]);
        for e in d + 1..last {
            lo[e] = part.dims[e].lo;
            hi[e] = end(e, lo[e], leaf[e]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::index_box::Interval;

    struct Record(Vec<(Vec<i64>, i64, i64)>, usize);

    impl Visitor for Record {
        fn row(&mut self, outer: &[i64], j0: i64, j1: i64) -> Result<(), String> {
            self.0.push((outer.to_vec(), j0, j1));
            Ok(())
        }
        fn flush(&mut self, _: &[i64], _: i64, _: i64) {
            self.1 += 1;
        }
    }

    #[test]
    fn visits_leaf_by_leaf() {
        let part = IndexBox::new(vec![Interval::new(-1, 3), Interval::new(0, 2), Interval::new(5, 9)]);
        let mut seen = Record(vec![], 0);
        walk(&part, &[2, 1, 4], true, &mut seen).unwrap();
        // Leaves of dimension 0: {-1}, {0, 1}, {2}; of dimension 1: {0}, {1}; one band.
        assert_eq!(seen.1, 6);
        assert_eq!(seen.0.len(), 8);
        assert_eq!(seen.0[2].0, [0, 0]);
        assert_eq!(seen.0[3].0, [1, 0]);
        assert_eq!(count(&part, &[2, 1, 4]), 12);
    }

    #[test]
    fn positions_count_from_the_first_leaf() {
        let domain = IndexBox::new(vec![Interval::new(3, 9), Interval::new(-3, 9)]);
        assert_eq!(position(&domain, &[2, 4], [3, -3].into_iter()), 0);
        assert_eq!(position(&domain, &[2, 4], [4, 8].into_iter()), 7);
    }
}

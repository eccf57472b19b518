//! Cuts long messages into pieces whose 32-bit counts one MPI call can carry.

use std::ops::Range;

/// Bytes of one call: half of what a 32-bit count could say. `MGPU_MESSAGE_LIMIT` makes it smaller, for tests.
pub const LIMIT: usize = 1 << 30;

/// The limit of this process.
pub fn limit() -> usize {
    let wanted = std::env::var("MGPU_MESSAGE_LIMIT").ok().and_then(|v| v.parse().ok());
    wanted.map_or(LIMIT, |l: usize| l.clamp(1, LIMIT))
}

/// The pieces of a message of so many bytes, in order.
pub fn pieces(bytes: usize, limit: usize) -> impl Iterator<Item = Range<usize>> {
    (0..bytes.div_ceil(limit)).map(move |k| k * limit..bytes.min((k + 1) * limit))
}

/// One collective of a long all-gather: each rank's bytes from `at` on.
#[derive(Debug, PartialEq)]
pub struct Round {
    pub at: usize,
    /// How many bytes each rank gives, and where they begin among all.
    pub counts: Vec<i32>,
    pub starts: Vec<i32>,
}

impl Round {
    /// The bytes of rank `rank` among those of all.
    pub fn range(&self, rank: usize) -> Range<usize> {
        let start = self.starts[rank] as usize;
        start..start + self.counts[rank] as usize
    }

    /// The bytes of all ranks.
    pub fn bytes(&self) -> usize {
        self.counts.iter().map(|c| *c as usize).sum()
    }
}

/// The rounds that gather contributions of these lengths, each of at most `limit` bytes in all (or one byte a rank).
pub fn rounds(lengths: &[usize], limit: usize) -> impl Iterator<Item = Round> {
    let share = (limit / lengths.len().max(1)).max(1);
    let longest = lengths.iter().copied().max().unwrap_or(0);
    pieces(longest, share).map(move |piece| {
        let counts: Vec<i32> = lengths.iter().map(|l| l.saturating_sub(piece.start).min(share) as i32).collect();
        let starts = counts.iter().scan(0, |next, c| Some(std::mem::replace(next, *next + c))).collect();
        Round { at: piece.start, counts, starts }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_covered_once_in_order() {
        for limit in 1..9 {
            for bytes in 0..40 {
                let all: Vec<Range<usize>> = pieces(bytes, limit).collect();
                assert!(all.iter().all(|p| !p.is_empty() && p.len() <= limit), "{bytes} by {limit}: {all:?}");
                let flat: Vec<usize> = all.into_iter().flatten().collect();
                assert_eq!(flat, (0..bytes).collect::<Vec<_>>(), "{bytes} by {limit}");
            }
        }
        assert_eq!(pieces(10, 4).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
        assert_eq!(pieces(8, 4).count(), 2);
    }

    #[test]
    fn counts_fit_32_bits() {
        let bytes = (1usize << 32) + 5;
        let all: Vec<Range<usize>> = pieces(bytes, LIMIT).collect();
        assert_eq!(all.len(), 5);
        assert_eq!(all[4], 1 << 32..bytes);
        assert!(all.iter().all(|p| i32::try_from(p.len()).is_ok()));
        // Ranks that together have more than a count can say.
        for round in rounds(&[1 << 31, 3, (1 << 33) + 1], LIMIT) {
            assert!(round.bytes() <= LIMIT);
            assert_eq!(round.range(2).end, round.bytes());
        }
    }

    #[test]
    fn rounds_put_every_contribution_together() {
        for lengths in [vec![0, 0], vec![5], vec![3, 0, 11], vec![1, 7, 7, 2, 30]] {
            let data: Vec<Vec<u8>> =
                lengths.iter().enumerate().map(|(r, &l)| (0..l).map(|k| (r * 50 + k) as u8).collect()).collect();
            for limit in 1..25 {
                let mut out = vec![vec![]; lengths.len()];
                for round in rounds(&lengths, limit) {
                    assert!(round.bytes() <= limit.max(lengths.len()), "{lengths:?} by {limit}: {round:?}");
                    let mut wire = vec![0; round.bytes()];
                    for (r, d) in data.iter().enumerate() {
                        let n = round.counts[r] as usize;
                        wire[round.range(r)].copy_from_slice(&d[round.at.min(d.len())..][..n]);
                    }
                    (0..data.len()).for_each(|r| out[r].extend_from_slice(&wire[round.range(r)]));
                }
                assert_eq!(out, data, "{lengths:?} by {limit}");
            }
        }
    }
}

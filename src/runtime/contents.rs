//! What the arrays of a program hold, as one number each: for comparing runs on different numbers of ranks.

use crate::ir::kernel::ArrayId;
use crate::runtime::failure::Failure;
use crate::runtime::rank::Rank;
use crate::runtime::stats::Contents;

impl Rank<'_> {
    /// The contents of every array that the program declares and uses. A collective.
    pub(super) fn contents(&mut self) -> Result<Vec<Contents>, Failure> {
        let declared = |k: &usize| self.plan.arrays[*k].used && !self.plan.arrays[*k].array.temporary;
        let ids: Vec<ArrayId> = (0..self.plan.arrays.len()).filter(declared).map(|k| ArrayId(k as u32)).collect();
        let mut mine = vec![];
        for &id in &ids {
            mine.extend(self.part_digest(id)?.to_le_bytes());
        }
        let all = self.state.comm.gathered(&mine)?;
        let digest = |k: usize| {
            let word = |part: &[u8]| part.get(8 * k..8 * k + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
            all.iter().filter_map(word).fold(0, u64::wrapping_add)
        };
        let name = |id: ArrayId| self.plan.array(id).array.name.clone();
        Ok(ids.iter().enumerate().map(|(k, &id)| Contents { array: name(id), digest: digest(k) }).collect())
    }

    /// The sum of a hash of place and bits over the elements that this rank answers for: the ranks' sums add up to the same
    /// number, however the array is divided.
    fn part_digest(&mut self, id: ArrayId) -> Result<u64, Failure> {
        let layout = &self.plan.array(id).layout;
        let me = self.state.comm.rank();
        if layout.is_replicated() && me != 0 {
            return Ok(0);
        }
        let part = layout.part(me);
        if part.is_empty() {
            return Ok(0);
        }
        let elements = self.elements(id, &part)?;
        Ok(elements.into_iter().fold(0, |sum: u64, (at, bits)| sum.wrapping_add(mixed(mixed(at) ^ bits))))
    }
}

/// The finaliser of splitmix64: near numbers give far ones.
fn mixed(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

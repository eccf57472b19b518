//! Reductions of a rank on a GPU: accumulators in device memory become scalars, joined with those of the other ranks by a kernel
//! where all are peers, through the host where not.

use super::carry;
use super::device::{CudaDevice, lost};
use super::driver::Launch;
use super::work::{copies, leaf_positions};
use crate::codegen::cuda::{COPIES, first_key, ordered, value_of_key};
use crate::ir::kernel::{FoldOp, Reduction};
use crate::ir::plan::PlanNestId;
use crate::runtime::device::{ExactSum, Partial};
use crate::runtime::failure::Failure;
use crate::runtime::state::RankState;

/// Threads of the block that joins accumulators.
const JOINERS: u32 = 256;

/// `mg_item` of the prelude.
#[repr(C)]
#[derive(Clone, Copy)]
struct Joined {
    acc: u64,
    words: u32,
    copies: u32,
    op: u32,
    spare: u32,
}

impl CudaDevice<'_> {
    /// What this rank's part of a nest contributed to a reduction; leaves the accumulator ready for the next run.
    pub(super) fn partial(&mut self, id: PlanNestId, r: usize) -> Result<Partial, Failure> {
        let k = id.0 as usize;
        self.queue.flush(&self.gpu).map_err(lost)?;
        let nest = &self.plan.nests[k].nest;
        let (red, ty) = (&nest.reductions[r], nest.code.regs[nest.reductions[r].value.0 as usize]);
        let (at, words) = (self.work[k].accumulators[r], self.work[k].acc_words[r]);
        let mut data = vec![0u8; 8 * words];
        self.gpu.get(at, &mut data).map_err(lost)?;
        let word = |i: usize| u64::from_le_bytes(data[8 * i..8 * i + 8].try_into().unwrap_or_default());
        if !ordered(nest, red) {
            self.gpu.put(at, &first_key(red.op).to_le_bytes()).map_err(lost)?;
            return Ok(Partial::Bits(value_of_key(red.op, ty, word(0))));
        }
        if red.op == FoldOp::Prod {
            let Some(part) = self.work[k].part.as_ref() else { return Ok(Partial::Leaves(vec![])) };
            return Ok(Partial::Leaves(
                leaf_positions(nest, part).into_iter().enumerate().map(|(i, p)| (p, word(i))).collect(),
            ));
        }
        let mut sum = ExactSum::default();
        for c in 0..COPIES {
            sum.limbs.iter_mut().enumerate().for_each(|(i, l)| *l = l.wrapping_add(word(72 * c + i) as i64));
        }
        self.gpu.put(at, &vec![0u8; 8 * words]).map_err(lost)?;
        Ok(Partial::Exact(sum))
    }

    /// Turns what a nest accumulated into scalars, on the device.
    pub(super) fn finish_here(&mut self, id: PlanNestId, state: &mut RankState) -> Result<(), Failure> {
        let k = id.0 as usize;
        let nest = &self.plan.nests[k].nest;
        let host = |r: &Reduction| r.op == FoldOp::Prod && ordered(nest, r);
        if let Some(f) = self.work[k].finish {
            let words = std::iter::once(self.scalars).chain(self.work[k].accumulators.iter().copied()).collect();
            self.queue.push(Launch { function: f, grid: (1, 1, 1), block: (32, 1), words });
        }
        for (r, red) in nest.reductions.iter().enumerate() {
            if host(red) {
                let mut partial = self.partial(id, r)?;
                state.set_reduced(self.plan, id, r, &mut partial);
            } else {
                self.computed(red.into, state);
            }
        }
        Ok(())
    }

    /// Combines reductions over all ranks and sets the scalars.
    pub(super) fn reduce_all(&mut self, items: &[(PlanNestId, usize)], state: &mut RankState) -> Result<(), Failure> {
        let product = |(n, r): &(PlanNestId, usize)| {
            let nest = &self.plan.nest(*n).nest;
            nest.reductions[*r].op == FoldOp::Prod && ordered(nest, &nest.reductions[*r])
        };
        let mut nests: Vec<PlanNestId> = items.iter().map(|i| i.0).collect();
        nests.dedup();
        let alone = state.comm.size() == 1;
        if alone || self.all_peers && !items.iter().any(product) {
            if !alone {
                self.join(items)?;
                state.stats.reductions += 1;
            }
            return nests.into_iter().try_for_each(|n| self.finish_here(n, state));
        }
        let mut mine = vec![];
        for (n, r) in items {
            mine.push(self.partial(*n, *r)?);
        }
        state.all_reduce(self.plan, items, &mut |k, out| mine[k].write(out))
    }

    /// Queues the kernel that joins these accumulators with those of all peers.
    fn join(&mut self, items: &[(PlanNestId, usize)]) -> Result<(), Failure> {
        if !self.joins.contains_key(items) {
            let mut list = vec![];
            for (n, r) in items {
                let (nest, work) = (&self.plan.nest(*n).nest, &self.work[n.0 as usize]);
                let op = match nest.reductions[*r].op {
                    FoldOp::Sum => 0,
                    FoldOp::Prod => 1,
                    FoldOp::Min => 2,
                    FoldOp::Max => 3,
                    FoldOp::Any => 4,
                    FoldOp::All => 5,
                };
                let copies = copies(nest, *r);
                let words = work.acc_words[*r] as u32 / copies;
                list.push(Joined { acc: work.accumulators[*r], words, copies, op, spare: 0 });
            }
            let inbox = self.memory.inbox - self.memory.arena;
            let bases = self.links.remotes.iter().map(|r| r.as_ref().map_or(self.memory.arena, |r| r.base) + inbox);
            let inboxes: Vec<u64> = bases.collect();
            let words = vec![
                carry::keep(&mut self.gpu, &list).map_err(lost)?,
                list.len() as u64,
                carry::keep(&mut self.gpu, &inboxes).map_err(lost)?,
                self.me as u64,
                self.plan.ranks as u64,
                self.memory.most_words as u64,
                self.memory.round,
                self.stop,
            ];
            self.joins
                .insert(items.to_vec(), Launch { function: self.join, grid: (1, 1, 1), block: (JOINERS, 1), words });
        }
        self.queue.push(self.joins[items].clone());
        // Every rank hears every other.
        let ranks = 0..self.plan.ranks;
        self.order.exchanged(ranks.clone().filter(|q| *q != self.me), ranks.filter(|q| *q != self.me));
        Ok(())
    }
}

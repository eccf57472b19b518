//! Reductions of a rank on a GPU: a kernel turns accumulators in device memory into scalars, joined with those of the other ranks
//! on the way where all are peers, through the host where not.

use super::carry;
use super::device::{CudaDevice, broken};
use super::driver::{Call, Launch};
use super::work::{copies, leaf_positions};
use crate::codegen::cuda::{COPIES, first_key, nothing, ordered, value_of_key};
use crate::ir::kernel::FoldOp;
use crate::ir::plan::PlanNestId;
use crate::ir::ty::Ty;
use crate::runtime::device::{ExactSum, Partial};
use crate::runtime::failure::Failure;
use crate::runtime::state::RankState;

/// `MG_FINISHERS`, `MG_ITEMS` and `MG_PEERS` of the prelude.
const FINISHERS: u32 = 96;
pub const ITEMS: usize = 8;
pub const PEERS: usize = 16;
/// Where `mgpu_finish` takes scalar code.
const CODES_AT: usize = 6;

/// `mg_item` of the prelude.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Finishing {
    acc: u64,
    first: u64,
    nothing: u64,
    words: u32,
    copies: u32,
    op: u32,
    ty: u32,
    into: u32,
    spare: u32,
}

/// `mg_items` of the prelude.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Finishings {
    items: [Finishing; ITEMS],
    inbox: [u64; PEERS],
}

impl CudaDevice<'_> {
    /// What this rank's part of a nest contributed to a reduction; leaves the accumulator ready for the next run.
    pub(super) fn partial(&mut self, id: PlanNestId, r: usize) -> Result<Partial, Failure> {
        let k = id.0 as usize;
        self.queue.flush(&self.gpu).map_err(broken)?;
        let nest = &self.plan.nests[k].nest;
        let (red, ty) = (&nest.reductions[r], nest.code.regs[nest.reductions[r].value.0 as usize]);
        let (at, words) = (self.work[k].accumulators[r], self.work[k].acc_words[r]);
        let mut data = vec![0u8; 8 * words];
        self.gpu.get(at, &mut data).map_err(broken)?;
        let word = |i: usize| u64::from_le_bytes(data[8 * i..8 * i + 8].try_into().unwrap_or_default());
        if !ordered(nest, red) {
            self.gpu.put(at, &first_key(red.op).to_le_bytes()).map_err(broken)?;
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
        self.gpu.put(at, &vec![0u8; 8 * words]).map_err(broken)?;
        Ok(Partial::Exact(sum))
    }

    /// Whether the host finishes a reduction: the factors of a float product are multiplied in their order.
    fn on_host(&self, (n, r): &(PlanNestId, usize)) -> bool {
        let nest = &self.plan.nest(*n).nest;
        nest.reductions[*r].op == FoldOp::Prod && ordered(nest, &nest.reductions[*r])
    }

    /// Turns what a nest accumulated on this rank alone into scalars.
    pub(super) fn finish_here(&mut self, id: PlanNestId, state: &mut RankState) -> Result<(), Failure> {
        let count = self.plan.nest(id).nest.reductions.len();
        let all: Vec<(PlanNestId, usize)> = (0..count).map(|r| (id, r)).collect();
        self.finish_items(&all, false, state)
    }

    fn finish_items(
        &mut self,
        items: &[(PlanNestId, usize)],
        joined: bool,
        state: &mut RankState,
    ) -> Result<(), Failure> {
        let (host, device): (Vec<_>, Vec<_>) = items.iter().copied().partition(|i| self.on_host(i));
        for (n, r) in host {
            let mut partial = self.partial(n, r)?;
            state.set_reduced(self.plan, n, r, &mut partial);
        }
        let beside = items.iter().all(|i| self.beside.nests.contains(&i.0));
        for some in device.chunks(ITEMS) {
            let launch = self.finishing(some, joined);
            if beside {
                let words = |(n, r): &(PlanNestId, usize)| {
                    let into = self.plan.nest(*n).nest.reductions[*r].into;
                    [self.work[n.0 as usize].accumulators[*r], self.scalar(into)]
                };
                self.queue.push_beside(launch, some.iter().flat_map(words).collect());
            } else {
                self.queue.push(launch);
            }
            if some.len() == 1 {
                self.queue.takes_codes(CODES_AT);
            }
        }
        for (n, r) in device {
            self.computed(self.plan.nest(n).nest.reductions[r].into, state);
        }
        Ok(())
    }

    /// Combines reductions over all ranks and sets the scalars.
    pub(super) fn reduce_all(&mut self, items: &[(PlanNestId, usize)], state: &mut RankState) -> Result<(), Failure> {
        if state.comm.size() == 1 {
            return self.finish_items(items, false, state);
        }
        if self.all_peers && !items.iter().any(|i| self.on_host(i)) {
            self.finish_items(items, true, state)?;
            state.stats.reductions += 1;
            // Every rank hears every other, unless what comes next does not wait for that.
            let waits = !items.iter().all(|i| self.beside.nests.contains(&i.0));
            let others = || (0..self.plan.ranks).filter(|q| waits && *q != self.me);
            self.order.exchanged(others(), others());
            return Ok(());
        }
        let mut mine = vec![];
        for (n, r) in items {
            mine.push(self.partial(*n, *r)?);
        }
        state.all_reduce(self.plan, items, &mut |k, out| mine[k].write(out))
    }

    /// The kernel that turns these accumulators into scalars, joined with those of all peers or not.
    fn finishing(&self, items: &[(PlanNestId, usize)], joined: bool) -> Launch {
        let mut all = Finishings::default();
        for (item, (n, r)) in all.items.iter_mut().zip(items) {
            let (nest, work) = (&self.plan.nest(*n).nest, &self.work[n.0 as usize]);
            let red = &nest.reductions[*r];
            let ty = nest.code.regs[red.value.0 as usize];
            let op = match red.op {
                FoldOp::Sum => 0,
                FoldOp::Prod => 1,
                FoldOp::Min => 2,
                FoldOp::Max => 3,
                FoldOp::Any => 4,
                FoldOp::All => 5,
            };
            let copies = copies(nest, *r);
            *item = Finishing {
                acc: work.accumulators[*r],
                first: if ordered(nest, red) { 0 } else { first_key(red.op) },
                nothing: nothing(red.op, ty),
                words: work.acc_words[*r] as u32 / copies,
                copies,
                op,
                ty: number(ty),
                into: red.into.0,
                spare: 0,
            };
        }
        let inbox = self.memory.inbox - self.memory.arena;
        for (at, remote) in all.inbox.iter_mut().zip(&self.links.remotes) {
            *at = remote.as_ref().map_or(self.memory.arena, |r| r.base) + inbox;
        }
        let (ranks, me) = if joined { (self.plan.ranks as u64, self.me as u64) } else { (1, 0) };
        let first = [self.scalars, ranks, me, self.memory.most_lines as u64, self.memory.rounds, self.stop, 0, 0];
        let words = first.into_iter().chain(carry::words(&all)).collect();
        Launch { call: Call::Kernel(self.finish), grid: (items.len() as u32, 1, 1), block: (FINISHERS, 1), words }
    }
}

/// The number by which the prelude's `mg_value` knows a type.
fn number(ty: Ty) -> u32 {
    match ty {
        // Halves are reduced as f32, complex numbers as their two parts.
        Ty::Bool | Ty::F16 | Ty::Bf16 | Ty::C64 | Ty::C128 => 0,
        Ty::I32 => 1,
        Ty::I64 => 2,
        Ty::U32 => 3,
        Ty::U64 => 4,
        Ty::F32 => 5,
        Ty::F64 => 6,
    }
}

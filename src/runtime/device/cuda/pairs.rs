//! Two products that share a matrix go out as one launch: see [`crate::ir::pair`].
//!
//! The first one waits in the queue. If the second is next, the launch becomes that of both.

use super::device::CudaDevice;
use super::driver::{Call, CudaError, Function, Launch, Module};
use super::work::Work;
use crate::codegen::cuda::Unit;
use crate::codegen::cuda::pair::{Pair, THREADS};
use crate::ir::index_box::Interval;
use crate::ir::kernel::OperandId;
use crate::ir::pair::range;
use crate::ir::plan::Plan;

/// The pairs of this rank.
#[derive(Default)]
pub struct Pairs {
    ready: Vec<Ready>,
    /// The nest that was queued last, and the number of its launch.
    last: Option<(usize, u64)>,
    /// Launches that became those of two nests.
    pub joined: u64,
}

/// A pair whose parts fit one another here.
struct Ready {
    first: usize,
    second: usize,
    function: Function,
    /// Blocks of rows.
    blocks: u32,
    /// `r` as an operand of the second nest.
    read: OperandId,
}

impl Pairs {
    pub fn new(plan: &Plan, unit: &Unit, work: &[Work], module: &Module) -> Result<Pairs, CudaError> {
        let mut ready = vec![];
        for p in &unit.pairs {
            if let Some(blocks) = blocks(plan, p, work) {
                let function = module.function(&p.name)?.with_shared(p.shared)?;
                ready.push(Ready { first: p.first, second: p.second, function, blocks, read: p.pair.read });
            }
        }
        Ok(Pairs { ready, last: None, joined: 0 })
    }

    /// A launch was queued: of this nest, with this number.
    pub fn queued(&mut self, nest: usize, number: u64) {
        self.last = Some((nest, number));
    }
}

/// In how many blocks of rows a rank runs a pair; `None` where the rows that it has of the two nests do not fit.
fn blocks(plan: &Plan, p: &Pair, work: &[Work]) -> Option<u32> {
    let (a, b) = (&work[p.first], &work[p.second]);
    let (rows, part) = (a.part.as_ref()?, b.part.as_ref()?);
    let place = |w: &Work, o: OperandId| w.places[o.0 as usize];
    let stored = plan.nests[p.first].nest.stores[p.pair.stored].operand;
    if place(a, p.pair.shared.0) != place(b, p.pair.shared.1) || place(a, stored) != place(b, p.pair.read) {
        return None;
    }
    if part.dims[1] != Interval::new(0, p.pair.terms) || part.dims[2] != rows.dims[1] || rows.dims[1].lo != 0 {
        return None;
    }
    // The second nest's blocks follow one another from this rank's first row on, all of one length.
    let chain = &p.pair.second.chain;
    let (from, to) = range(chain, part.dims[0].lo)?;
    let length = to - from;
    let follow =
        |l: i64| range(chain, l) == Some((from + (l - part.dims[0].lo) * length, to + (l - part.dims[0].lo) * length));
    let end = from + part.dims[0].len() * length;
    if !(1..=1 << 30).contains(&length) || from != rows.dims[0].lo || end > rows.dims[0].hi {
        return None;
    }
    if part.dims[0].len() > 1 << 20 || !(part.dims[0].lo..part.dims[0].hi).all(follow) {
        return None;
    }
    u32::try_from(part.dims[0].len() + (rows.dims[0].hi - end + length - 1) / length).ok()
}

impl CudaDevice<'_> {
    /// Lets the last launch run this nest too, whose own launch is given, if they are a pair; says whether it does.
    pub(super) fn join_pair(&mut self, nest: usize, launch: &Launch) -> bool {
        let Some((first, number)) = self.pairs.last.take() else { return false };
        let Some(pair) = self.pairs.ready.iter().find(|p| p.first == first && p.second == nest) else { return false };
        let product = |k: usize, call: Call| self.work[k].fast.is_some_and(|f| call == Call::Kernel(f));
        let last = self.due.is_none() && self.queue.last() == Some(number);
        if !last || !product(nest, launch.call) || self.shares_memory(pair) {
            return false;
        }
        let Some(waiting) = self.queue.waiting(number).filter(|l| product(first, l.call)) else { return false };
        waiting.call = Call::Kernel(pair.function);
        (waiting.grid, waiting.block) = ((pair.blocks, 1, 1), (THREADS, 1));
        waiting.words.extend(&launch.words);
        self.pairs.joined += 1;
        true
    }

    /// Whether one nest of a pair writes where the other reads or writes, other than the array that passes between them: arrays that
    /// are not in use at one time may have one block of memory.
    fn shares_memory(&self, p: &Ready) -> bool {
        let address = |nest: usize, o: OperandId| self.address(self.work[nest].places[o.0 as usize]);
        let all = |nest: usize| (0..self.plan.nests[nest].nest.operands.len() as u32).map(OperandId);
        let stored = |nest: usize| self.plan.nests[nest].nest.stores.iter().map(|s| s.operand);
        let clash = |a: usize, b: usize| {
            stored(a).any(|x| all(b).any(|y| address(a, x) == address(b, y) && !(b == p.second && y == p.read)))
        };
        clash(p.first, p.second) || clash(p.second, p.first)
    }
}

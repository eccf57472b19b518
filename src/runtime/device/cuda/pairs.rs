//! Two products that share a matrix go out as one launch: see [`crate::ir::pair`].
//!
//! The first one waits in the queue. If the second is next, the launch becomes that of both; the one behind may ride along.

use super::device::CudaDevice;
use super::driver::{Call, CudaError, Function, Launch, Module};
use super::work::Work;
use crate::codegen::cuda::Unit;
use crate::codegen::cuda::pair::{self as generate, Pair};
use crate::ir::index_box::Interval;
use crate::ir::kernel::OperandId;
use crate::ir::pair::range;
use crate::ir::plan::Plan;

/// The pairs of this rank.
#[derive(Default)]
pub struct Pairs {
    ready: Vec<Ready>,
    /// The nest that was queued last, if it is one of a pair.
    last: Option<Last>,
    /// Launches that became those of two nests, and those in which a third one rides along.
    pub joined: u64,
    pub riders: u64,
}

/// What a nest's launch works on: the address of each operand, and which it writes. Arrays change their places while programs run.
pub struct Touched {
    all: Vec<u64>,
    stored: Vec<OperandId>,
}

impl Touched {
    fn at(&self, o: OperandId) -> u64 {
        self.all[o.0 as usize]
    }

    /// Whether one of two nests writes where the other reads or writes, other than by operand `but` of the other: arrays that are not
    /// in use at one time may have one block of memory.
    pub fn clashes(&self, other: &Touched, but: Option<OperandId>) -> bool {
        let met = |a: &Touched, b: &Touched, but: Option<OperandId>| {
            let others = (0..b.all.len() as u32).map(OperandId).filter(|o| Some(*o) != but);
            others.into_iter().any(|o| a.stored.iter().any(|s| a.at(*s) == b.at(o)))
        };
        met(self, other, but) || met(other, self, None)
    }
}

/// The nest that was queued last, of a pair.
struct Last {
    nest: usize,
    /// The number of its launch.
    number: u64,
    /// What the launch's nests work on: the first one, the second.
    touched: Vec<Touched>,
}

/// A pair whose parts fit one another here.
struct Ready {
    first: usize,
    second: usize,
    function: Function,
    /// Blocks of rows, and threads of each.
    blocks: u32,
    threads: u32,
    /// `x` as an operand of both, `r` as one of the first and of the second nest.
    shared: (OperandId, OperandId),
    made: OperandId,
    read: OperandId,
    rider: Option<Rider>,
}

/// A nest that may ride along.
struct Rider {
    nest: usize,
    /// It has as many blocks as the second nest here.
    fits: bool,
    read: OperandId,
    words: usize,
}

impl Pairs {
    pub fn new(plan: &Plan, unit: &Unit, work: &[Work], module: &Module) -> Result<Pairs, CudaError> {
        let mut ready = vec![];
        for p in &unit.pairs {
            if let Some(blocks) = blocks(plan, p, work) {
                let function = module.function(&p.name)?.with_shared(p.shared)?;
                let rider = p.rider.as_ref().map(|r| Rider {
                    nest: r.nest,
                    fits: rides(p, r, work).is_some(),
                    read: r.read,
                    words: r.words,
                });
                ready.push(Ready {
                    first: p.first,
                    second: p.second,
                    function,
                    blocks,
                    threads: p.threads,
                    shared: p.pair.shared,
                    made: plan.nests[p.first].nest.stores[p.pair.stored].operand,
                    read: p.pair.read,
                    rider,
                });
            }
        }
        Ok(Pairs { ready, ..Pairs::default() })
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

/// Whether a rider's part here is that of the second nest, block by block.
fn rides(p: &Pair, r: &generate::Rider, work: &[Work]) -> Option<()> {
    let (b, c) = (&work[p.second], &work[r.nest]);
    let (part, own) = (b.part.as_ref()?, c.part.as_ref()?);
    let same = own.dims[..] == [part.dims[0], part.dims[2]]
        && b.places[p.pair.read.0 as usize] == c.places[r.read.0 as usize]
        && (own.dims[0].lo..own.dims[0].hi).all(|l| range(&r.chain, l) == range(&p.pair.second.chain, l));
    same.then_some(())
}

impl CudaDevice<'_> {
    /// What a nest would work on now.
    pub(super) fn touched(&self, nest: usize) -> Touched {
        let stores = &self.plan.nests[nest].nest.stores;
        Touched {
            all: self.work[nest].places.iter().map(|p| self.address(*p)).collect(),
            stored: stores.iter().map(|s| s.operand).collect(),
        }
    }

    /// A nest's launch was queued: another may join it.
    pub(super) fn may_be_joined(&mut self, nest: usize) {
        if let Some(number) = self.queue.last().filter(|_| self.pairs.ready.iter().any(|p| p.first == nest)) {
            self.pairs.last = Some(Last { nest, number, touched: vec![self.touched(nest)] });
        }
    }

    /// Lets the last launch run this nest too, whose own launch is given, if they are a pair or this one rides along; says whether it does.
    pub(super) fn join_pair(&mut self, nest: usize, launch: &Launch) -> bool {
        let Some(mut last) = self.pairs.last.take() else { return false };
        let product = |k: usize, call: Call| self.work[k].fast.is_some_and(|f| call == Call::Kernel(f));
        if self.due.is_some() || self.queue.last() != Some(last.number) || !product(nest, launch.call) {
            return false;
        }
        let own = self.touched(nest);
        // The last launch does not wait for it.
        if self.queue.runs_beside(&own.all) {
            return false;
        }
        let fits = |p: &&Ready| match (&p.rider, &last.touched[..]) {
            (_, [a]) => {
                let same = a.at(p.shared.0) == own.at(p.shared.1) && a.at(p.made) == own.at(p.read);
                p.first == last.nest && p.second == nest && same && !a.clashes(&own, Some(p.read))
            }
            (Some(r), [a, b]) if r.fits => {
                let free = !a.clashes(&own, Some(r.read)) && !b.clashes(&own, None);
                p.second == last.nest && r.nest == nest && a.at(p.made) == own.at(r.read) && free
            }
            _ => false,
        };
        let Some(pair) = self.pairs.ready.iter().find(fits) else { return false };
        let Some(waiting) = self.queue.waiting(last.number) else { return false };
        if pair.second == nest {
            if !product(last.nest, waiting.call) {
                return false;
            }
            waiting.call = Call::Kernel(pair.function);
            (waiting.grid, waiting.block) = ((pair.blocks, 1, 1), (pair.threads, 1));
            waiting.words.extend(&launch.words);
            waiting.words.extend(pair.rider.iter().flat_map(|r| vec![0; r.words + 1]));
            self.pairs.joined += 1;
            // The next one may ride along.
            last.nest = nest;
            last.touched.push(own);
            self.pairs.last = Some(last);
        } else {
            if waiting.call != Call::Kernel(pair.function) {
                return false;
            }
            let at = waiting.words.len() - launch.words.len() - 1;
            waiting.words[at..].copy_from_slice(&[&launch.words[..], &[1]].concat());
            self.pairs.riders += 1;
        }
        // What is noted of the launch would not be all that it uses.
        self.small = None;
        true
    }
}

//! Messages stored straight into the other GPU's memory. Two ranks of one machine map each other's arena (CUDA IPC between
//! processes, peer access between threads); a kernel copies elements to where they belong and then raises a counter there, for
//! which the receiver's kernel waits. The host takes no part, so exchanges are nodes of a graph like any sweep.
//!
//! Before a message may overwrite ghost cells, their reader must have read them. Mostly that follows from an earlier message: what
//! the receiver ran before it sent its last message to this rank is over. [`Order`] keeps count of that, alike on both sides, and
//! only where it does not follow does the sender wait for a word of the receiver (`ask` and `tell`).

use super::card::Card;
use crate::runtime::device::cuda::carry::{self, DeviceCopy};
use crate::runtime::device::cuda::driver::{Call, Function, Gpu, Launch, Result};
use crate::runtime::exchange::Place;

/// Bytes of a link: see `mg_link` of the prelude.
pub const LINK: u64 = 32;
/// What a message counts: `MG_WHOLE` of the prelude.
pub const WHOLE: u32 = 65536;
/// Threads of a block that carries.
const THREADS: i64 = 256;
/// Most blocks that carry one message: enough to fill NVLink.
const MOST_BLOCKS: i64 = 64;

/// Another rank's memory, mapped here.
#[derive(Clone, Debug)]
pub struct Remote {
    pub base: u64,
    /// What sorted scatters share.
    pub shelf: u64,
    pub blocks: Vec<u64>,
    pub views: Vec<u64>,
}

impl Remote {
    /// Maps a rank's memory.
    pub fn open(gpu: &mut Gpu, mine: &Card, other: &Card) -> std::result::Result<Remote, String> {
        let base = if mine.process == other.process {
            gpu.reach(other.ordinal).map(|()| other.arena)
        } else {
            let handle = other.handle.as_ref().and_then(|h| <[u8; 64]>::try_from(&h[..]).ok());
            gpu.open(&handle.ok_or("its memory cannot be shared between processes")?)
        };
        let base = base.map_err(|e| e.to_string())?;
        let shelf = base + other.shelf;
        Ok(Remote { base, shelf, blocks: other.blocks.clone(), views: other.views.clone() })
    }

    /// Where a place lies; `arrays` says in which block each array is now, `turned` how far each view is from where it begins.
    pub fn address(&self, place: Place, arrays: &[u32], turned: &[u64]) -> u64 {
        self.base
            + match place {
                Place::Array(a) => self.blocks[arrays[a.0 as usize] as usize],
                Place::View(v) => self.views[v.0 as usize] + turned[v.0 as usize],
            }
    }
}

/// `mg_send` of the prelude.
#[repr(C)]
#[derive(Clone, Copy)]
struct Send {
    mine: u64,
    theirs: u64,
    first: u64,
    count: u64,
}

/// `mg_receive` of the prelude.
#[repr(C)]
#[derive(Clone, Copy)]
struct Receive {
    mine: u64,
    theirs: u64,
}

/// An exchange's lists in device memory, for one assignment of arrays to blocks.
#[derive(Clone, Debug)]
pub struct Carrying {
    words: Vec<u64>,
    blocks: u32,
    messages: u32,
}

/// Two counters' addresses for each of two ranks: mine here, theirs there.
pub fn link(base: u64, remote: &Remote, me: i64, peer: i64) -> (u64, u64) {
    (base + LINK * peer as u64, remote.base + LINK * me as u64)
}

impl Carrying {
    /// Puts the lists into device memory for good: for each message its links and copies, and the links of what arrives. Links of zero:
    /// what this rank copies for itself.
    pub fn new(gpu: &mut Gpu, sends: &[((u64, u64), Vec<DeviceCopy>)], receives: &[(u64, u64)]) -> Result<Carrying> {
        let at = gpu.list(Carrying::bytes(sends.len(), sends.iter().map(|s| s.1.len()).sum(), receives.len()))?;
        Carrying::put(gpu, at, sends, receives)
    }

    /// Bytes of the lists of so many messages with so many copies, and so many that arrive.
    pub fn bytes(sends: usize, copies: usize, receives: usize) -> usize {
        copies * size_of::<DeviceCopy>() + sends * size_of::<Send>() + receives * size_of::<Receive>()
    }

    /// Puts the lists into device memory at `at`, where nothing queued needs what was there.
    pub fn put(
        gpu: &Gpu,
        at: u64,
        sends: &[((u64, u64), Vec<DeviceCopy>)],
        receives: &[(u64, u64)],
    ) -> Result<Carrying> {
        let copies: Vec<DeviceCopy> = sends.iter().flat_map(|s| s.1.iter().copied()).collect();
        let mut list = vec![];
        let mut first = 0;
        for ((mine, theirs), of) in sends {
            list.push(Send { mine: *mine, theirs: *theirs, first, count: of.len() as u64 });
            first += of.len() as u64;
        }
        let from: Vec<Receive> = receives.iter().map(|r| Receive { mine: r.0, theirs: r.1 }).collect();
        let all = [carry::bytes_of(&copies), carry::bytes_of(&list), carry::bytes_of(&from)];
        let (list_at, from_at) = (at + all[0].len() as u64, at + (all[0].len() + all[1].len()) as u64);
        gpu.put(at, &all.concat())?;
        let words = vec![at, list_at, list.len() as u64, from_at, from.len() as u64];
        // A thread moves some vectors; a block too many costs less than a link half used.
        let most = sends.iter().map(|s| s.1.iter().map(|c| c.elements()).sum::<i64>()).max().unwrap_or(0);
        let blocks = (most + THREADS * 4 - 1) / (THREADS * 4);
        Ok(Carrying { words, blocks: blocks.clamp(1, MOST_BLOCKS) as u32, messages: list.len() as u32 })
    }

    /// The launch; `ask` and `tell` have a bit a message.
    pub fn launch(&self, carry: Function, ask: u64, tell: u64, stop: u64) -> Launch {
        let words = self.words.iter().copied().chain([ask, tell, stop]).collect();
        Launch {
            call: Call::Kernel(carry),
            grid: (self.blocks, self.messages + 1, 1),
            block: (THREADS as u32, 1),
            words,
        }
    }
}

/// When memory was last used, and when each peer was last heard of, in numbers of exchanges. Every rank keeps the same count of
/// uses, because all follow one plan.
#[derive(Clone, Debug)]
pub struct Order {
    now: u64,
    /// For each array, the first one whose parts and ghost cells lie alike: writing one's own elements does not touch the
    /// ghost cells of such an array.
    class: Vec<u32>,
    /// The last use of each block that reads, and the last write by an array of each class.
    reads: Vec<u64>,
    writes: Vec<Vec<(u32, u64)>>,
    views: Vec<u64>,
    /// The last exchange in which a message came from each rank, or went to it.
    heard: Vec<u64>,
    told: Vec<u64>,
}

impl Order {
    pub fn new(class: Vec<u32>, views: usize, ranks: usize) -> Order {
        let n = class.len();
        Order {
            now: 0,
            class,
            reads: vec![0; n],
            writes: vec![vec![]; n],
            views: vec![0; views],
            heard: vec![0; ranks],
            told: vec![0; ranks],
        }
    }

    /// A nest of the plan reads a place, or writes it, whether or not this rank has a part of it.
    pub fn uses(&mut self, place: Place, written: bool, arrays: &[u32]) {
        match place {
            Place::View(v) => self.views[v.0 as usize] = self.now,
            Place::Array(a) => {
                let (a, block) = (a.0 as usize, arrays[a.0 as usize] as usize);
                if !written {
                    self.reads[block] = self.now;
                    return;
                }
                let class = self.class[a];
                match self.writes[block].iter_mut().find(|w| w.0 == class) {
                    Some(w) => w.1 = self.now,
                    None => self.writes[block].push((class, self.now)),
                }
            }
        }
    }

    /// A step may have used anything.
    pub fn uses_all(&mut self) {
        let now = self.now;
        self.reads.iter_mut().chain(&mut self.views).for_each(|b| *b = now);
    }

    /// The last use of these places that their ghost cells must survive.
    fn last(&self, places: &mut dyn Iterator<Item = Place>, arrays: &[u32]) -> u64 {
        let of = |p: Place| match p {
            Place::View(v) => self.views[v.0 as usize],
            Place::Array(a) => {
                let (class, block) = (self.class[a.0 as usize], arrays[a.0 as usize] as usize);
                let others = self.writes[block].iter().filter(|w| w.0 != class).map(|w| w.1);
                others.fold(self.reads[block], u64::max)
            }
        };
        places.map(of).max().unwrap_or(0)
    }

    /// Whether this rank, which sends to `peer` into these places, must wait until it may.
    pub fn asks(&self, peer: i64, places: &mut dyn Iterator<Item = Place>, arrays: &[u32]) -> bool {
        self.heard[peer as usize] <= self.last(places, arrays)
    }

    /// Whether `peer`, which sends to this rank into these places, waits for this rank's word.
    pub fn tells(&self, peer: i64, places: &mut dyn Iterator<Item = Place>, arrays: &[u32]) -> bool {
        self.told[peer as usize] <= self.last(places, arrays)
    }

    /// An exchange was queued that sends to and receives from these ranks.
    pub fn exchanged(&mut self, to: impl Iterator<Item = i64>, from: impl Iterator<Item = i64>) {
        self.now += 1;
        to.for_each(|p| self.told[p as usize] = self.now);
        from.for_each(|p| self.heard[p as usize] = self.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::kernel::ArrayId;

    /// What both ranks do in six steps of a sweep from array 0 to array 1, after which the arrays change roles or not.
    fn asked(classes: [u32; 2], swap: bool) -> Vec<bool> {
        let mut ranks = [Order::new(classes.to_vec(), 0, 2), Order::new(classes.to_vec(), 0, 2)];
        let mut arrays = [0u32, 1];
        let place = || std::iter::once(Place::Array(ArrayId(0)));
        let mut asked = vec![];
        for _ in 0..6 {
            let asks = ranks[0].asks(1, &mut place(), &arrays);
            assert_eq!(asks, ranks[1].tells(0, &mut place(), &arrays));
            asked.push(asks);
            for (r, o) in ranks.iter_mut().enumerate() {
                let other = 1 - r as i64;
                o.exchanged(std::iter::once(other), std::iter::once(other));
                o.uses(Place::Array(ArrayId(0)), false, &arrays);
                o.uses(Place::Array(ArrayId(1)), true, &arrays);
            }
            if swap {
                arrays.swap(0, 1);
            }
        }
        asked
    }

    #[test]
    fn a_word_is_needed_where_no_message_came_between() {
        // Two blocks in turns: the message before the last use of a block has said that it is over.
        assert_eq!(asked([0, 0], true), [true, false, false, false, false, false]);
        // One block: its ghost cells are read right before the next message.
        assert_eq!(asked([0, 0], false), [true; 6]);
        // Arrays that lie differently share memory: what one writes may be the other's ghost cells.
        assert_eq!(asked([0, 1], true), [true; 6]);
    }
}

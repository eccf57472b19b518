//! Exchanges of a rank on a GPU: what comes from itself is copied, messages to peers are stored into their memory by a kernel, all
//! others are packed and carried by their transport.

use std::time::Instant;

use super::carry::{self, DeviceCopy};
use super::device::{CudaDevice, broken};
use super::storage::padded;
use super::transport::peer::{Carrying, link};
use super::transport::staging::{self, Staged};
use super::transport::{Link, Transport};
use crate::ir::plan::ExchangeId;
use crate::runtime::exchange::{Message, Place, Schedule};
use crate::runtime::failure::Failure;
use crate::runtime::state::RankState;
use crate::runtime::trace::Kind;

/// A list of copies in device memory.
#[derive(Clone)]
pub struct List {
    at: u64,
    copies: Vec<DeviceCopy>,
}

/// Which list of an exchange.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Which {
    Local,
    Constants,
    Send,
    Receive,
}

/// The packed messages of an exchange, in the order of its schedule; `None` where the receiver is a peer.
#[derive(Default)]
pub struct Packed {
    pub sends: Vec<Option<Staged>>,
    pub receives: Vec<Option<Staged>>,
}

impl CudaDevice<'_> {
    /// Whether the messages between this rank and another are stored straight into memory.
    fn is_peer(&self, rank: i64) -> bool {
        self.links.links[rank as usize].as_ref().is_some_and(Link::is_peer)
    }

    /// Runs a list of copies of an exchange.
    fn run_list(&mut self, ex: ExchangeId, which: Which) -> Result<(), Failure> {
        let schedule = &self.schedules[ex.0 as usize];
        let of = |all: &[Message]| -> Vec<Place> {
            let packed = all.iter().filter(|m| !self.is_peer(m.peer));
            packed.flat_map(|m| m.copies.iter().map(|c| c.0)).collect()
        };
        let places: Vec<Place> = match which {
            Which::Local => schedule.local.iter().flat_map(|(a, b, _)| [*a, *b]).collect(),
            Which::Constants => schedule.constants.iter().map(|c| c.0).collect(),
            Which::Send => of(&schedule.sends),
            Which::Receive => of(&schedule.receives),
        };
        if places.is_empty() {
            return Ok(());
        }
        let key = (ex.0, which, places.iter().map(|p| self.address(*p)).collect::<Vec<u64>>());
        if which == Which::Constants && !self.filled.insert((ex.0, key.2.clone())) {
            return Ok(());
        }
        self.settle()?;
        let list = match self.lists.get(&key) {
            Some(list) => list.clone(),
            None => {
                let copies = self.list(ex, which).map_err(Failure::Internal)?;
                let list = List { at: carry::keep(&mut self.gpu, &copies).map_err(broken)?, copies };
                self.lists.insert(key, list.clone());
                list
            }
        };
        self.queue.push_using(carry::launch(self.copies, list.at, &list.copies), &[]);
        Ok(())
    }

    fn list(&self, ex: ExchangeId, which: Which) -> Result<Vec<DeviceCopy>, String> {
        let (s, packed) = (&self.schedules[ex.0 as usize], &self.packed[ex.0 as usize]);
        let at = |p: &Place| self.address(*p);
        match which {
            Which::Local => s.local.iter().map(|(a, b, c)| carry::device_copy(c, at(a), at(b), None)).collect(),
            Which::Constants => s.constants.iter().map(|(p, c, v)| carry::device_copy(c, 0, at(p), Some(*v))).collect(),
            Which::Send => {
                let all = s.sends.iter().zip(&packed.sends).filter_map(|(m, st)| Some((m, st.as_ref()?.device)));
                let all = all.flat_map(|(m, to)| m.copies.iter().map(move |c| (c, to)));
                all.map(|((p, c), to)| carry::device_copy(c, at(p), to, None)).collect()
            }
            Which::Receive => {
                let all = s.receives.iter().zip(&packed.receives).filter_map(|(m, st)| Some((m, st.as_ref()?.device)));
                let all = all.flat_map(|(m, from)| m.copies.iter().map(move |c| (c, from)));
                all.map(|((p, c), from)| carry::device_copy(c, from, at(p), None)).collect()
            }
        }
    }

    /// Staging memory for the messages of a schedule that do not go to peers.
    pub(super) fn pack_of(&mut self, schedule: &Schedule) -> Result<Packed, super::driver::CudaError> {
        let mut out = Packed::default();
        for (messages, into) in [(&schedule.sends, &mut out.sends), (&schedule.receives, &mut out.receives)] {
            for m in messages {
                let packed = !self.is_peer(m.peer);
                into.push(if packed {
                    let (device, host) = (self.gpu.alloc(m.bytes)?, self.gpu.pin(m.bytes)?);
                    Some(Staged { peer: m.peer, bytes: m.bytes, device, host })
                } else {
                    None
                });
            }
        }
        Ok(out)
    }

    /// Queues everything that an exchange moves; what follows in the queue finds it in place.
    pub(super) fn run_exchange(&mut self, ex: ExchangeId, state: &mut RankState) -> Result<(), Failure> {
        let (clock, e) = (Instant::now(), ex.0 as usize);
        self.run_list(ex, Which::Constants)?;
        // Peers first: nobody waits for the host while others wait for a kernel that is not queued.
        self.carry_to_peers(ex)?;
        let sends: Vec<Staged> = self.packed[e].sends.iter().flatten().copied().collect();
        let receives: Vec<Staged> = self.packed[e].receives.iter().flatten().copied().collect();
        if !sends.is_empty() || !receives.is_empty() {
            self.run_list(ex, Which::Send)?;
            self.queue.flush(&self.gpu).map_err(broken)?;
            for t in [Transport::Nccl, Transport::GpuAware, Transport::Staged] {
                let by = |all: &[Staged]| -> Vec<Staged> {
                    let link = |m: &Staged| self.links.links[m.peer as usize].as_ref();
                    let same = |m: &&Staged| link(m).is_some_and(|l| l.of(m.bytes) == t);
                    all.iter().filter(same).copied().collect()
                };
                let (sends, receives) = (by(&sends), by(&receives));
                if !sends.is_empty() || !receives.is_empty() {
                    staging::carry(t, (&sends, &receives), &self.gpu, self.links.nccl.as_ref(), state.comm)?;
                }
            }
            self.run_list(ex, Which::Receive)?;
        }
        let s = &self.schedules[e];
        state.stats.sent(s.sent());
        state
            .stats
            .arrived((s.receives.len() as u64, s.receives.iter().map(|m| m.bytes as u64).sum()), self.traffic[e]);
        if !s.sends.is_empty() || !s.receives.is_empty() {
            state.stats.spent(Kind::Send, clock);
            state.stats.messages(s.sends.iter().map(|m| m.peer), true);
            state.stats.messages(s.receives.iter().map(|m| m.peer), false);
        }
        Ok(())
    }

    /// Stores what peers need into their memory and waits for what they store here, in one kernel, which copies what this rank needs
    /// from itself too.
    fn carry_to_peers(&mut self, ex: ExchangeId) -> Result<(), Failure> {
        let e = ex.0 as usize;
        let to: Vec<i64> = self.schedules[e].sends.iter().map(|m| m.peer).filter(|q| self.is_peer(*q)).collect();
        let of = |m: &&Message| self.is_peer(m.peer);
        let from: Vec<i64> = self.schedules[e].receives.iter().filter(of).map(|m| m.peer).collect();
        if to.is_empty() && from.is_empty() {
            self.order.exchanged(std::iter::empty(), std::iter::empty());
            return self.run_list(ex, Which::Local);
        }
        if self.direct[e].is_empty() && !to.is_empty() {
            let storage = |p: Place, r: i64| padded(self.plan, p, r);
            self.direct[e] = to.iter().map(|q| Schedule::direct(self.plan, ex, self.me, *q, &storage)).collect();
        }
        let bit = |k: usize| 1u64 << k.min(63);
        let (mut ask, mut tell) = (0, 0);
        for (k, q) in to.iter().enumerate() {
            if self.order.asks(*q, &mut self.direct[e][k].iter().map(|c| c.1), &self.arrays) {
                ask |= bit(k);
            }
        }
        for (k, m) in self.schedules[e].receives.iter().filter(|m| self.is_peer(m.peer)).enumerate() {
            if self.order.tells(m.peer, &mut m.copies.iter().map(|c| c.0), &self.arrays) {
                tell |= bit(k);
            }
        }
        self.order.exchanged(to.iter().copied(), from.iter().copied());
        let alone = self.packed[e].sends.iter().chain(&self.packed[e].receives).all(|m| m.is_none());
        let own = &self.schedules[e].local;
        if (ask, tell) == (0, 0) && own.is_empty() && alone && self.due.is_none() && self.deliver(ex, &to).is_some() {
            return Ok(());
        }
        self.settle()?;
        let copies = self.direct[e].iter().flatten().chain(&self.schedules[e].local);
        let arrays: Vec<u32> = copies.flat_map(|(a, b, _)| [*a, *b]).map(|p| self.block(p)).collect();
        let key = (ex.0, arrays);
        if !self.carrying.contains_key(&key) {
            let made = self.carrying_of(ex, &to, &from)?;
            self.carrying.insert(key.clone(), made);
        }
        self.carried += 1;
        self.queue.push_using(self.carrying[&key].launch(self.carry, ask, tell, self.stop), &[]);
        Ok(())
    }

    /// Which memory a place is in now.
    fn block(&self, place: Place) -> u32 {
        match place {
            Place::Array(a) => self.arrays[a.0 as usize],
            Place::View(v) => u32::MAX - v.0,
        }
    }

    fn carrying_of(&mut self, ex: ExchangeId, to: &[i64], from: &[i64]) -> Result<Carrying, Failure> {
        let none = || Failure::Internal("a peer's memory is not mapped".into());
        let between = |d: &Self, q: i64| {
            d.links.remotes[q as usize].as_ref().map(|r| link(d.memory.arena, r, d.me, q)).ok_or_else(none)
        };
        let mut sends = vec![];
        for (q, copies) in to.iter().zip(&self.direct[ex.0 as usize]) {
            let remote = self.links.remotes[*q as usize].as_ref().ok_or_else(none)?;
            let copy = |(a, b, c): &(Place, Place, _)| {
                carry::device_copy(c, self.address(*a), remote.address(*b, &self.arrays), None)
                    .map_err(Failure::Internal)
            };
            sends.push((between(self, *q)?, copies.iter().map(copy).collect::<Result<Vec<_>, _>>()?));
        }
        let own = self.list(ex, Which::Local).map_err(Failure::Internal)?;
        if !own.is_empty() {
            sends.push(((0, 0), own));
        }
        let receives = from.iter().map(|q| between(self, *q)).collect::<Result<Vec<_>, _>>()?;
        Carrying::new(&mut self.gpu, &sends, &receives).map_err(broken)
    }
}

//! Exchanges of a rank on a GPU: what comes from itself is copied, messages to peers are stored into their memory by a kernel, all
//! others are packed and carried by their transport. Panels of a product travel between peers while the one before is multiplied.

use std::collections::HashMap;
use std::time::Instant;

use super::carry::{self, DeviceCopy};
use super::device::{CudaDevice, broken};
use super::driver::CudaError;
use super::edges::Edges;
use super::storage::padded_in;
use super::transport::Transport;
use super::transport::peer::{Carrying, link};
use super::transport::staging::{self, Staged};
use crate::ir::plan::region::Piece;
use crate::ir::plan::{ExchangeId, Item, ViewId};
use crate::runtime::copy::BoxCopy;
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

/// An exchange, and which round of it; 0 where it brings no panels.
pub(super) type At = (ExchangeId, usize);

/// What a rank does in an exchange, or in one round of it.
pub struct Leg {
    pub schedule: Schedule,
    /// Messages and bytes that arrive, by the plan.
    traffic: (i64, i64),
    packed: Packed,
    /// What goes to each peer: from here, to there.
    direct: Vec<Vec<(Place, Place, BoxCopy)>>,
}

/// Staging memory that the rounds of an exchange use one after the other: by peer and direction, and how much.
type Room = HashMap<(i64, bool), (u64, *mut u8, usize)>;

impl CudaDevice<'_> {
    /// Whether the messages between this rank and another are stored straight into memory.
    pub(super) fn is_peer(&self, rank: i64) -> bool {
        self.links.is_peer(rank)
    }

    /// Runs a list of copies of an exchange.
    fn run_list(&mut self, at: At, which: Which) -> Result<(), Failure> {
        let schedule = &self.leg(at).schedule;
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
        let key = (at, which, places.iter().map(|p| self.address(*p)).collect::<Vec<u64>>());
        // Panels of other rounds lie there too.
        let once = self.legs[at.0.0 as usize].len() == 1;
        if which == Which::Constants && once && !self.filled.insert((at.0.0, key.2.clone())) {
            return Ok(());
        }
        self.settle()?;
        let list = match self.lists.get(&key) {
            Some(list) => list.clone(),
            None => {
                let copies = self.list(at, which).map_err(Failure::Internal)?;
                let list = List { at: carry::keep(&mut self.gpu, &copies).map_err(broken)?, copies };
                self.lists.insert(key, list.clone());
                list
            }
        };
        self.queue.push_using(carry::launch(self.copies, list.at, &list.copies), &[]);
        Ok(())
    }

    fn list(&self, at: At, which: Which) -> Result<Vec<DeviceCopy>, String> {
        let Leg { schedule: s, packed, .. } = self.leg(at);
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

    fn leg(&self, (ex, round): At) -> &Leg {
        &self.legs[ex.0 as usize][round]
    }

    /// The rounds of an exchange, with staging memory for the messages that do not go to peers.
    pub(super) fn legs_of(&mut self, ex: ExchangeId, edges: &Edges) -> Result<Vec<Leg>, CudaError> {
        let (plan, me) = (self.plan, self.me);
        let e = &plan.exchanges[ex.0 as usize];
        let needless = |item: &Item, piece: &Piece| edges.needless(item, piece);
        let schedules: Vec<Schedule> = (0..plan.rounds_of(e))
            .map(|k| Schedule::new(plan, (ex, k), me, &|p| padded_in(plan, p, me, k), &needless))
            .collect();
        let mut room = Room::new();
        for s in &schedules {
            for (m, out) in s.sends.iter().map(|m| (m, true)).chain(s.receives.iter().map(|m| (m, false))) {
                let bytes = &mut room.entry((m.peer, out)).or_insert((0, std::ptr::null_mut(), 0)).2;
                *bytes = m.bytes.max(*bytes);
            }
        }
        for ((peer, _), (device, host, bytes)) in &mut room {
            if !self.is_peer(*peer) {
                (*device, *host) = (self.gpu.alloc(*bytes)?, self.gpu.pin(*bytes)?);
            }
        }
        let leg = |(k, schedule): (usize, Schedule)| {
            let staged = |m: &Message, out: bool| {
                let (device, host, _) = room[&(m.peer, out)];
                (!self.is_peer(m.peer)).then_some(Staged { peer: m.peer, bytes: m.bytes, device, host })
            };
            let packed = Packed {
                sends: schedule.sends.iter().map(|m| staged(m, true)).collect(),
                receives: schedule.receives.iter().map(|m| staged(m, false)).collect(),
            };
            Leg { schedule, traffic: plan.traffic_in(e, me, k as i64), packed, direct: vec![] }
        };
        Ok(schedules.into_iter().enumerate().map(leg).collect())
    }

    /// Queues an exchange. Of panels, that of this round; where they all go to peers, the messages of the next round set out too, and
    /// arrive while this round computes. What a rank copies for itself waits for its round.
    pub(super) fn run_exchange(&mut self, ex: ExchangeId, state: &mut RankState) -> Result<(), Failure> {
        let plan = self.plan;
        let e = &plan.exchanges[ex.0 as usize];
        if let (true, [Item::View(v)]) = (e.listed, &e.items[..])
            && self.is_listed(*v)
        {
            return self.exchange_listed(*v, state);
        }
        let Some(panels) = plan.panels_of(e) else {
            return self.run_leg((ex, 0), false, state);
        };
        let round = state.scalars.round_of(panels);
        let legs = &self.legs[ex.0 as usize];
        let to_peers = |l: &Leg| l.packed.sends.iter().chain(&l.packed.receives).all(Option::is_none);
        let views = e.items.iter();
        let views: Vec<ViewId> = views.filter_map(|i| if let Item::View(v) = i { Some(*v) } else { None }).collect();
        // Nobody but the nest waits for what goes ahead.
        let computes = views.iter().all(|v| self.work[plan.views[v.0 as usize].nest.0 as usize].part.is_some());
        let (ahead, last) = (computes && legs.iter().all(to_peers), round + 1 == legs.len());
        self.memory.turn(&views, round);
        if round == 0 || !ahead {
            self.run_leg((ex, round), false, state)?;
        } else {
            self.run_list((ex, round), Which::Constants)?;
            self.run_list((ex, round), Which::Local)?;
        }
        if ahead && !last {
            self.memory.turn(&views, round + 1);
            self.run_leg((ex, round + 1), true, state)?;
            self.memory.turn(&views, round);
        }
        Ok(())
    }

    /// Queues everything that an exchange moves; what follows in the queue finds it in place. `beside`: only the messages, for which
    /// nothing waits but what uses the views where they arrive.
    fn run_leg(&mut self, at: At, beside: bool, state: &mut RankState) -> Result<(), Failure> {
        let clock = Instant::now();
        if !beside {
            self.run_list(at, Which::Constants)?;
        }
        // Peers first: nobody waits for the host while others wait for a kernel that is not queued.
        self.carry_to_peers(at, beside)?;
        let packed = &self.leg(at).packed;
        let sends: Vec<Staged> = packed.sends.iter().flatten().copied().collect();
        let receives: Vec<Staged> = packed.receives.iter().flatten().copied().collect();
        if !sends.is_empty() || !receives.is_empty() {
            self.run_list(at, Which::Send)?;
            self.queue.flush(&self.gpu).map_err(broken)?;
            self.carry_packed(&sends, &receives, state)?;
            self.run_list(at, Which::Receive)?;
        }
        let Leg { schedule: s, traffic, .. } = self.leg(at);
        if self.plan.exchanges[at.0.0 as usize].listed {
            state.stats.sent_beside(s.sent());
        } else {
            state.stats.sent(s.sent());
            state.stats.arrived((s.receives.len() as u64, s.receives.iter().map(|m| m.bytes as u64).sum()), *traffic);
        }
        if !s.sends.is_empty() || !s.receives.is_empty() {
            state.stats.spent(Kind::Send, clock);
            state.stats.messages(s.sends.iter().map(|m| m.peer), true);
            state.stats.messages(s.receives.iter().map(|m| m.peer), false);
        }
        Ok(())
    }

    /// Carries packed messages, each by the transport of its link.
    pub(super) fn carry_packed(
        &mut self,
        sends: &[Staged],
        receives: &[Staged],
        state: &mut RankState,
    ) -> Result<(), Failure> {
        for t in [Transport::Nccl, Transport::GpuAware, Transport::Staged] {
            let by = |all: &[Staged]| -> Vec<Staged> {
                let link = |m: &Staged| self.links.links[m.peer as usize].as_ref();
                let same = |m: &&Staged| link(m).is_some_and(|l| l.of(m.bytes) == t);
                all.iter().filter(same).copied().collect()
            };
            let (sends, receives) = (by(sends), by(receives));
            if !sends.is_empty() || !receives.is_empty() {
                staging::carry(t, (&sends, &receives), &self.gpu, self.links.nccl.as_ref(), state.comm)?;
            }
        }
        Ok(())
    }

    /// Stores what peers need into their memory and waits for what they store here, in one kernel, which copies what this rank needs
    /// from itself too.
    fn carry_to_peers(&mut self, at: At, beside: bool) -> Result<(), Failure> {
        let (plan, me, round) = (self.plan, self.me, at.1 as i64);
        let schedule = &self.leg(at).schedule;
        let to: Vec<i64> = schedule.sends.iter().map(|m| m.peer).filter(|q| self.is_peer(*q)).collect();
        let of = |m: &&Message| self.is_peer(m.peer);
        let from: Vec<i64> = schedule.receives.iter().filter(of).map(|m| m.peer).collect();
        if to.is_empty() && from.is_empty() {
            self.order.exchanged(std::iter::empty(), std::iter::empty());
            return if beside { Ok(()) } else { self.run_list(at, Which::Local) };
        }
        if self.leg(at).direct.is_empty() && !to.is_empty() {
            let storage = |p: Place, r: i64| padded_in(plan, p, r, round);
            let direct = |q: &i64| Schedule::direct(plan, (at.0, round), me, *q, &storage);
            self.legs[at.0.0 as usize][at.1].direct = to.iter().map(direct).collect();
        }
        let leg = self.leg(at);
        // Ranks may send panels ahead or not, so what they have heard of one another does not count.
        let panels = self.legs[at.0.0 as usize].len() > 1;
        let bit = |k: usize| 1u64 << k.min(63);
        let (mut ask, mut tell) = (0, 0);
        for (k, q) in to.iter().enumerate() {
            if panels || self.order.asks(*q, &mut leg.direct[k].iter().map(|c| c.1), &self.arrays) {
                ask |= bit(k);
            }
        }
        for (k, m) in leg.schedule.receives.iter().filter(|m| self.is_peer(m.peer)).enumerate() {
            if panels || self.order.tells(m.peer, &mut m.copies.iter().map(|c| c.0), &self.arrays) {
                tell |= bit(k);
            }
        }
        let alone = leg.packed.sends.iter().chain(&leg.packed.receives).all(|m| m.is_none());
        let linked = (ask, tell) == (0, 0) && leg.schedule.local.is_empty() && alone && self.due.is_none();
        self.order.exchanged(to.iter().copied(), from.iter().copied());
        if linked && self.deliver(at.0, &to).is_some() {
            return Ok(());
        }
        self.settle()?;
        let leg = self.leg(at);
        let own = if beside { &[][..] } else { &leg.schedule.local[..] };
        let copies = leg.direct.iter().flatten().chain(own);
        let arrays: Vec<u32> = copies.flat_map(|(a, b, _)| [*a, *b]).map(|p| self.block(p)).collect();
        let key = (at, arrays);
        if !self.carrying.contains_key(&key) {
            let made = self.carrying_of(at, beside, &to, &from)?;
            self.carrying.insert(key.clone(), made);
        }
        self.carried += 1;
        let launch = self.carrying[&key].launch(self.carry, ask, tell, self.stop);
        if beside {
            let views = plan.exchanges[at.0.0 as usize].items.iter();
            let views =
                views.filter_map(|i| if let Item::View(v) = i { Some(self.address(Place::View(*v))) } else { None });
            let views = views.collect();
            self.queue.push_beside(launch, views);
        } else {
            self.queue.push_using(launch, &[]);
        }
        Ok(())
    }

    /// Which memory a place is in now.
    fn block(&self, place: Place) -> u32 {
        match place {
            Place::Array(a) => self.arrays[a.0 as usize],
            Place::View(v) => u32::MAX - v.0,
        }
    }

    fn carrying_of(&mut self, at: At, beside: bool, to: &[i64], from: &[i64]) -> Result<Carrying, Failure> {
        let none = || Failure::Internal("a peer's memory is not mapped".into());
        let between = |d: &Self, q: i64| {
            d.links.remotes[q as usize].as_ref().map(|r| link(d.memory.arena, r, d.me, q)).ok_or_else(none)
        };
        let mut sends = vec![];
        for (q, copies) in to.iter().zip(&self.leg(at).direct) {
            let remote = self.links.remotes[*q as usize].as_ref().ok_or_else(none)?;
            let copy = |(a, b, c): &(Place, Place, _)| {
                carry::device_copy(c, self.address(*a), remote.address(*b, &self.arrays, &self.memory.turned), None)
                    .map_err(Failure::Internal)
            };
            sends.push((between(self, *q)?, copies.iter().map(copy).collect::<Result<Vec<_>, _>>()?));
        }
        let own = if beside { vec![] } else { self.list(at, Which::Local).map_err(Failure::Internal)? };
        if !own.is_empty() {
            sends.push(((0, 0), own));
        }
        let receives = from.iter().map(|q| between(self, *q)).collect::<Result<Vec<_>, _>>()?;
        Carrying::new(&mut self.gpu, &sends, &receives).map_err(broken)
    }
}

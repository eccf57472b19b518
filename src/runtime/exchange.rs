//! One rank's share of an exchange, worked out once: what to pack for whom, what to unpack from whom.

use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::ArrayId;
use crate::ir::plan::region::{Mode, Piece};
use crate::ir::plan::{ExchangeId, Item, Plan, Source, ViewId};
use crate::ir::ty::{Ty, Value};
use crate::runtime::comm::{Comm, Lost};
use crate::runtime::copy::{BoxCopy, Stored, strides};
use std::collections::BTreeMap;

/// Where elements lie on a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    Array(ArrayId),
    View(ViewId),
}

impl From<Source> for Place {
    fn from(s: Source) -> Place {
        match s {
            Source::Array(a) => Place::Array(a),
            Source::View(v) => Place::View(v),
        }
    }
}

impl Place {
    /// The box of elements that lies there on a rank, without a device's padding.
    pub fn storage(self, plan: &Plan, rank: i64) -> IndexBox {
        match self {
            Place::Array(a) => plan.array(a).storage(rank),
            Place::View(v) => plan.view_box(v, rank),
        }
    }

    /// That box in one round of a nest that runs panel by panel.
    pub fn storage_in(self, plan: &Plan, rank: i64, round: i64) -> IndexBox {
        match self {
            Place::Array(a) => plan.array(a).storage(rank),
            Place::View(v) => plan.view_box_in(v, rank, round),
        }
    }
}

/// The box in which a place is stored row-major on this rank.
pub type StorageOf<'a> = &'a dyn Fn(Place) -> IndexBox;

/// All copies to or from one peer, in one message.
#[derive(Debug, Default)]
pub struct Message {
    pub peer: i64,
    pub bytes: usize,
    pub copies: Vec<(Place, BoxCopy)>,
}

/// What a rank does in one exchange.
#[derive(Debug, Default)]
pub struct Schedule {
    pub sends: Vec<Message>,
    pub receives: Vec<Message>,
    /// From, to.
    pub local: Vec<(Place, Place, BoxCopy)>,
    /// Where, the copy that repeats one element, and that element.
    pub constants: Vec<(Place, BoxCopy, Value)>,
}

impl Schedule {
    /// The schedules of `rank` on the CPU, one for each round of an exchange of panels.
    pub fn rounds(plan: &Plan, id: ExchangeId, rank: i64) -> Vec<Schedule> {
        let rounds = plan.rounds_of(&plan.exchanges[id.0 as usize]);
        (0..rounds)
            .map(|k| Schedule::new(plan, (id, k), rank, &|p| p.storage_in(plan, rank, k), &|_, _| false))
            .collect()
    }

    /// The schedule of `rank` in a round (0 where an exchange brings no panels). Sender and receiver list the pieces of a message in
    /// the same order. Pieces that come from the rank itself may be left out (`needless`).
    pub fn new(
        plan: &Plan,
        (id, round): (ExchangeId, i64),
        rank: i64,
        storage_of: StorageOf,
        needless: &dyn Fn(&Item, &Piece) -> bool,
    ) -> Schedule {
        let exchange = &plan.exchanges[id.0 as usize];
        let mut out = Schedule::default();
        let mut receives: BTreeMap<i64, Message> = BTreeMap::new();
        for item in &exchange.items {
            let (array, place, ty) = ends(plan, item);
            let storage = storage_of(place);
            let needs = plan.needs_in(item, rank, round);
            for (region, v) in needs.constants {
                out.constants.push((place, repeated(&storage, &region, v), v));
            }
            for p in needs.pieces {
                if p.from == rank {
                    if needless(item, &p) {
                        continue;
                    }
                    let copies = between(&p, Some(&storage_of(Place::Array(array))), Some(&storage), ty);
                    out.local.extend(copies.into_iter().map(|c| (Place::Array(array), place, c)));
                    continue;
                }
                let m = receives.entry(p.from).or_insert_with(|| Message { peer: p.from, ..Message::default() });
                let copies = between(&p, None, Some(&storage), ty).into_iter();
                m.copies.extend(copies.map(|c| (place, c.at_src(m.bytes))));
                m.bytes += p.len() as usize * ty.size();
            }
        }
        out.receives = receives.into_values().collect();
        for peer in (0..plan.ranks).filter(|q| *q != rank) {
            let m = Schedule::message_to(plan, (id, round), rank, peer, storage_of);
            if !m.copies.is_empty() {
                out.sends.push(m);
            }
        }
        out
    }

    fn message_to(plan: &Plan, (id, round): (ExchangeId, i64), rank: i64, peer: i64, storage_of: StorageOf) -> Message {
        let mut m = Message { peer, ..Message::default() };
        for item in &plan.exchanges[id.0 as usize].items {
            let (array, _, ty) = ends(plan, item);
            let storage = storage_of(Place::Array(array));
            for p in plan.needs_in(item, peer, round).pieces.into_iter().filter(|p| p.from == rank) {
                let copies = between(&p, Some(&storage), None, ty).into_iter();
                m.copies.extend(copies.map(|c| (Place::Array(array), c.at_dst(m.bytes))));
                m.bytes += p.len() as usize * ty.size();
            }
        }
        m
    }

    /// What `rank` sends to `peer` in a round, as copies from its own storage to the peer's: from, to.
    pub fn direct(
        plan: &Plan,
        (id, round): (ExchangeId, i64),
        rank: i64,
        peer: i64,
        storage_of: &dyn Fn(Place, i64) -> IndexBox,
    ) -> Vec<(Place, Place, BoxCopy)> {
        let mut out = vec![];
        for item in &plan.exchanges[id.0 as usize].items {
            let (array, place, ty) = ends(plan, item);
            let (from, to) = (storage_of(Place::Array(array), rank), storage_of(place, peer));
            for p in plan.needs_in(item, peer, round).pieces.into_iter().filter(|p| p.from == rank) {
                let copies = between(&p, Some(&from), Some(&to), ty).into_iter();
                out.extend(copies.map(|c| (Place::Array(array), place, c)));
            }
        }
        out
    }

    /// Packs and sends, and fills what comes from this rank itself.
    pub fn start(&self, address: &dyn Fn(Place) -> *mut u8, comm: &mut dyn Comm) -> Result<(), Lost> {
        self.send(address, comm)?;
        self.fill(address);
        Ok(())
    }

    /// Packs and sends.
    pub fn send(&self, address: &dyn Fn(Place) -> *mut u8, comm: &mut dyn Comm) -> Result<(), Lost> {
        for m in &self.sends {
            let mut buffer = comm.buffer(m.bytes);
            for (place, copy) in &m.copies {
                // SAFETY: the copy was made for this array's storage and for its place in a message of these bytes.
                unsafe { copy.run(address(*place), buffer.as_mut_ptr()) };
            }
            comm.send(m.peer, buffer)?;
        }
        Ok(())
    }

    /// Fills what comes from this rank itself, or from no rank.
    pub fn fill(&self, address: &dyn Fn(Place) -> *mut u8) {
        for (from, to, copy) in &self.local {
            // SAFETY: made for these two storages; pieces lie outside the owned part, so the ends do not overlap.
            unsafe { copy.run(address(*from), address(*to)) };
        }
        for (place, copy, v) in &self.constants {
            // SAFETY: the source is one element repeated in every dimension; the region lies in the storage.
            unsafe { copy.run(v.bits.to_le_bytes().as_ptr(), address(*place)) };
        }
    }

    /// Receives and unpacks; gives the messages and bytes that arrived.
    pub fn finish(&self, address: &dyn Fn(Place) -> *mut u8, comm: &mut dyn Comm) -> Result<(u64, u64), Lost> {
        let mut arrived = (0, 0);
        for m in &self.receives {
            let buffer = comm.receive(m.peer, m.bytes)?;
            for (place, copy) in &m.copies {
                // SAFETY: the message has the bytes that the plan says, and the copy was made for this storage.
                unsafe { copy.run(buffer.as_ptr(), address(*place)) };
            }
            arrived = (arrived.0 + 1, arrived.1 + buffer.len() as u64);
            comm.recycle(m.peer, buffer);
        }
        Ok(arrived)
    }

    /// Messages and bytes that this rank sends.
    pub fn sent(&self) -> (u64, u64) {
        (self.sends.len() as u64, self.sends.iter().map(|m| m.bytes as u64).sum())
    }
}

/// The array of an item, where its elements go, and the element type.
fn ends(plan: &Plan, item: &Item) -> (ArrayId, Place, Ty) {
    let (array, in_place) = plan.item_array(item);
    let ty = plan.array(array).array.ty;
    match item {
        Item::View(v) => (array, Place::View(*v), ty),
        Item::Ghost { .. } => {
            debug_assert!(in_place);
            (array, Place::Array(array), ty)
        }
    }
}

/// The copies of a piece between the storage of the array and that of the receiver. Without one of them, that side is a message, in
/// which the elements of the source lie in order, box after box.
fn between(p: &Piece, from: Option<&IndexBox>, to: Option<&IndexBox>, ty: Ty) -> Vec<BoxCopy> {
    let plain = vec![Mode::Shift; p.src.rank()];
    let (target, modes, negate) = if to.is_some() { (&p.dst, &p.modes, p.negate) } else { (&p.src, &plain, false) };
    let (from_box, to_box) = (from.unwrap_or(&p.src), to.unwrap_or(&p.src));
    let (from_part, to_part) = (Stored { storage: from_box, part: &p.src }, Stored { storage: to_box, part: target });
    let mut copy = BoxCopy::new(from_part, to_part, modes, ty, negate);
    let (from_steps, to_steps) = (strides(from_box), strides(to_box));
    // The last step is the innermost.
    let mut packed = p.src.len();
    for (d, s) in p.steps.iter().rev() {
        let src = if from.is_some() { s.src * from_steps[*d] } else { packed };
        let dst = if to.is_some() { s.dst * to_steps[*d] } else { packed };
        copy = copy.repeated(s.count, src * ty.size() as i64, dst * ty.size() as i64);
        packed *= s.count;
    }
    copy.apart()
}

/// The copy that sets every element of `region` to one element.
fn repeated(storage: &IndexBox, region: &IndexBox, v: Value) -> BoxCopy {
    let point = IndexBox::new(region.dims.iter().map(|d| Interval::new(d.lo, d.lo + 1)).collect());
    BoxCopy::new(
        Stored { storage: &point, part: &point },
        Stored { storage, part: region },
        &vec![Mode::Repeat; region.rank()],
        v.ty,
        false,
    )
}

//! Scatters: `h[bin[i]] += w[i]`. Every rank holds a contiguous run of the contributions, in the order of the indices; those for
//! elements of other ranks travel to their owners, who take all contributions rank by rank. So every element meets its
//! contributions in the order of the indices, whatever the number of ranks, and sums of floats have the same bits.
//!
//! Who sends what to whom follows from the places alone (an inspector and an executor: Saltz et al., 1991). Where the plan says that they
//! stay, the ranks keep it, and only values travel until the places change.
//!
//! Integers may be combined in any order: where the array has fewer elements than a rank has contributions, the rank
//! combines its own first.

use crate::ir::elem::{Elem, with_ty};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{ArrayId, BinaryOp};
use crate::ir::layout::Layout;
use crate::ir::ty::Ty;
use crate::runtime::failure::Failure;
use crate::runtime::numbers::{Numbers, number, picked, tell, width, word};
use crate::runtime::rank::Rank;
use crate::runtime::trace::Kind;
use std::time::Instant;

/// Who takes which contributions.
#[derive(Default)]
pub(super) struct Route {
    /// The version of the places that it was made from.
    version: u64,
    /// Where contributions are combined before they travel: the slot of each, and how many slots there are.
    slots: Option<(Numbers, usize)>,
    /// By receiver: which of this rank's values it takes, unless it takes all.
    sends: Vec<Option<Numbers>>,
    /// By sender: which elements of this rank's part take the values.
    takes: Vec<Numbers>,
}

/// What scatters keep from one to the next.
#[derive(Default)]
pub(super) struct Scatters {
    routes: std::collections::BTreeMap<ArrayId, Route>,
    places: Vec<u8>,
    values: Vec<u8>,
    data: Vec<u8>,
}

/// A scatter and its arrays.
#[derive(Clone, Copy)]
pub(super) struct Scatter {
    pub into: ArrayId,
    pub index: ArrayId,
    pub value: ArrayId,
    pub op: BinaryOp,
    pub kept: bool,
}

impl Rank<'_> {
    /// `into[index] op= value` for all elements of `index` and `value`, whose linear indices are inside. A collective.
    pub(super) fn scatter(&mut self, s: Scatter) -> Result<(), Failure> {
        let mut kept = std::mem::take(&mut self.scattered);
        let version = self.versions.version(s.index);
        let old = kept.routes.remove(&s.index).filter(|r| r.version == version);
        let route = match old {
            Some(route) => route,
            None => self.route(s, &mut kept.places, version)?,
        };
        let done = self.carry(s, &route, &mut kept);
        if s.kept {
            kept.routes.insert(s.index, route);
        }
        self.scattered = kept;
        self.versions.written(s.into);
        done
    }

    /// Works out who takes which contributions. A collective: the ranks tell one another the places.
    fn route(&mut self, s: Scatter, places: &mut Vec<u8>, version: u64) -> Result<Route, Failure> {
        let (me, clock) = (self.state.comm.rank(), Instant::now());
        let (target, from) = (self.plan.array(s.into), self.plan.array(s.index));
        self.device.read_into(s.index, &from.layout.part(me), places)?;
        let elements = target.layout.shape.iter().product::<i64>() as usize;
        let exact = target.array.ty.is_int() && s.op != BinaryOp::Div;
        let slots = (exact && elements < places.len() / 8).then(|| slots(places, elements));
        if let Some((_, kept)) = &slots {
            *places = kept.iter().flat_map(|k| (*k as u64).to_le_bytes()).collect();
        }
        let (sends, mut takes) = routed(&target.layout, places, self.plan.ranks);
        self.state.stats.spent(Kind::Compute, clock);
        if self.state.comm.size() > 1 {
            takes = tell(&mut self.state, takes, width(target.layout.part(me).len()))?;
        }
        Ok(Route { version, slots: slots.map(|(of, kept)| (of, kept.len())), sends, takes })
    }

    /// Sends the values and takes what arrives.
    fn carry(&mut self, s: Scatter, route: &Route, kept: &mut Scatters) -> Result<(), Failure> {
        let (me, clock) = (self.state.comm.rank(), Instant::now());
        let target = self.plan.array(s.into);
        let (ty, part) = (target.array.ty, target.layout.part(me));
        let alone = self.state.comm.size() == 1 && route.slots.is_none();
        if alone && let Some((values, data)) = self.device.in_place(s.value, s.into) {
            apply(data, &route.takes[0], (values, None), ty, s.op);
            self.state.stats.spent(Kind::Compute, clock);
            return Ok(());
        }
        let Scatters { values, data, .. } = kept;
        self.device.read_into(s.value, &self.plan.array(s.value).layout.part(me), values)?;
        if let Some((slots, count)) = &route.slots {
            *values = combined(values, slots, *count, ty, s.op);
        }
        self.device.read_into(s.into, &part, data)?;
        self.state.stats.spent(Kind::Compute, clock);
        self.send_values(route, values, ty.size())?;
        for (peer, takes) in route.takes.iter().enumerate() {
            let own = peer as i64 == me;
            let clock = Instant::now();
            let arrived = match takes.len() * ty.size() {
                0 => continue,
                _ if own => None,
                bytes => Some(self.state.comm.receive(peer as i64, bytes)?),
            };
            self.state.stats.spent(Kind::Wait, clock);
            let clock = Instant::now();
            match arrived {
                Some(m) => {
                    apply(data, takes, (&m, None), ty, s.op);
                    self.state.comm.recycle(peer as i64, m);
                }
                None => apply(data, takes, (values, route.sends[peer].as_ref()), ty, s.op),
            }
            self.state.stats.spent(Kind::Compute, clock);
        }
        let clock = Instant::now();
        self.device.write(s.into, &part, data)?;
        self.state.stats.spent(Kind::Compute, clock);
        Ok(())
    }

    fn send_values(&mut self, route: &Route, values: &[u8], size: usize) -> Result<(), Failure> {
        let comm = &mut *self.state.comm;
        let (me, mut sent, clock) = (comm.rank(), (0, 0), Instant::now());
        for (peer, picks) in route.sends.iter().enumerate().filter(|p| p.0 as i64 != me) {
            let bytes = picks.as_ref().map_or(values.len(), |p| p.len() * size);
            if bytes == 0 {
                continue;
            }
            let mut m = comm.buffer(bytes);
            match picks {
                None => m.copy_from_slice(values),
                Some(picks) => picked(picks, values, size, &mut m),
            }
            sent = (sent.0 + 1, sent.1 + bytes as u64);
            comm.send(peer as i64, m)?;
        }
        self.state.stats.sent_beside(sent);
        self.state.stats.spent(Kind::Send, clock);
        Ok(())
    }
}

/// The bits of element `k`.
#[inline(always)]
fn get(data: &[u8], k: usize, size: usize) -> u64 {
    let mut bits = [0; 8];
    bits[..size].copy_from_slice(&data[k * size..][..size]);
    u64::from_le_bytes(bits)
}

#[inline(always)]
fn set(data: &mut [u8], k: usize, size: usize, bits: u64) {
    data[k * size..][..size].copy_from_slice(&bits.to_le_bytes()[..size]);
}

/// Values, and which of them count: all, or those of these numbers.
type Values<'a> = (&'a [u8], Option<&'a Numbers>);

/// Takes contributions, one after the other.
fn apply(data: &mut [u8], places: &Numbers, values: Values, ty: Ty, op: BinaryOp) {
    with_ty!(ty, T => match op {
        BinaryOp::Sub => take(data, places, values, |x: T, y: T| Elem::sub(x, y)),
        BinaryOp::Mul => take(data, places, values, |x: T, y: T| Elem::mul(x, y)),
        BinaryOp::Div => take(data, places, values, |x: T, y: T| Elem::div(x, y)),
        _ => take(data, places, values, |x: T, y: T| Elem::add(x, y)),
    })
}

/// [`apply`] for one type and operation.
fn take<T: Elem>(data: &mut [u8], places: &Numbers, (values, picks): Values, op: impl Fn(T, T) -> T) {
    let size = T::TY.size();
    let all = values.chunks_exact(size).map(|v| T::of_bits(get(v, 0, size)));
    match (places.width, picks) {
        (4, None) => take_at::<T, 4>(data, &places.bytes, all, op),
        (_, None) => take_at::<T, 8>(data, &places.bytes, all, op),
        (4, Some(picks)) if picks.width == 4 => {
            let some = picks.bytes.chunks_exact(4).map(|k| T::of_bits(get(values, number::<4>(k), size)));
            take_at::<T, 4>(data, &places.bytes, some, op)
        }
        (_, Some(picks)) => {
            let of = |k: &[u8]| if picks.width == 4 { number::<4>(k) } else { number::<8>(k) };
            let some = picks.bytes.chunks_exact(picks.width).map(|k| T::of_bits(get(values, of(k), size)));
            if places.width == 4 {
                take_at::<T, 4>(data, &places.bytes, some, op)
            } else {
                take_at::<T, 8>(data, &places.bytes, some, op)
            }
        }
    }
}

#[inline(always)]
fn take_at<T: Elem, const W: usize>(
    data: &mut [u8],
    places: &[u8],
    values: impl Iterator<Item = T>,
    op: impl Fn(T, T) -> T,
) {
    let size = T::TY.size();
    for (place, value) in places.chunks_exact(W).zip(values) {
        let at = number::<W>(place);
        let old = T::of_bits(get(data, at, size));
        set(data, at, size, op(old, value).bits());
    }
}

/// For every contribution the number of its element among those that have any, and these elements.
fn slots(places: &[u8], elements: usize) -> (Numbers, Vec<usize>) {
    let mut touched = vec![false; elements];
    places.chunks_exact(8).for_each(|at| touched[word(at) as usize] = true);
    let kept: Vec<usize> = (0..elements).filter(|k| touched[*k]).collect();
    let mut slot = vec![0; elements];
    kept.iter().enumerate().for_each(|(s, k)| slot[*k] = s as u64);
    let mut of = Numbers::new(width(kept.len() as i64));
    places.chunks_exact(8).for_each(|at| of.push(slot[word(at) as usize]));
    (of, kept)
}

/// One contribution for each slot, of integers.
fn combined(values: &[u8], slots: &Numbers, count: usize, ty: Ty, op: BinaryOp) -> Vec<u8> {
    // What is subtracted adds up.
    let (op, start) = if op == BinaryOp::Mul { (op, 1) } else { (BinaryOp::Add, 0) };
    let size = ty.size();
    let mut sums = vec![0; count * size];
    (0..count).for_each(|k| set(&mut sums, k, size, start));
    apply(&mut sums, slots, (values, None), ty, op);
    sums
}

/// By owner: which contributions it takes (where that is not all of them), and where they belong in its part. Of an array that every
/// rank keeps whole, everybody takes all.
fn routed(layout: &Layout, places: &[u8], ranks: i64) -> (Vec<Option<Numbers>>, Vec<Numbers>) {
    let lists = |all: &dyn Fn(i64) -> usize| -> Vec<Numbers> { (0..ranks).map(|r| Numbers::new(all(r))).collect() };
    let mut takes = lists(&|r| width(layout.part(r).len()));
    if ranks == 1 || layout.is_replicated() {
        for list in &mut takes {
            places.chunks_exact(8).for_each(|at| list.push(word(at)));
        }
        return (vec![None; ranks as usize], takes);
    }
    let mut sends = lists(&|_| width(places.len() as i64 / 8));
    let parts: Vec<IndexBox> = (0..ranks).map(|r| layout.part(r)).collect();
    let mut at = vec![0; layout.shape.len()];
    for (k, linear) in places.chunks_exact(8).enumerate() {
        let mut rest = word(linear) as i64;
        for d in (0..at.len()).rev() {
            at[d] = rest % layout.shape[d];
            rest /= layout.shape[d];
        }
        let owner = layout.owner(&at);
        let place = parts[owner as usize].dims.iter().zip(&at).fold(0, |sum, (d, i)| sum * d.len() + i - d.lo);
        sends[owner as usize].push(k as u64);
        takes[owner as usize].push(place as u64);
    }
    (sends.into_iter().map(Some).collect(), takes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::layout::Dist;

    fn words(b: &[u64]) -> Vec<u8> {
        b.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn every_contribution_reaches_its_element() {
        let layout = Layout::divided(&[5, 7], &[Dist::Block, Dist::Block], vec![2, 3]);
        let places: Vec<u64> = (0..35).rev().collect();
        let values: Vec<u8> = (0..35).flat_map(|k| (k as f64).to_le_bytes()).collect();
        let (sends, takes) = routed(&layout, &words(&places), 6);
        let mut seen = 0;
        for rank in 0..6 {
            let part = layout.part(rank);
            let mut data = vec![0; part.len() as usize * 8];
            let (picks, takes) = (sends[rank as usize].as_ref(), &takes[rank as usize]);
            apply(&mut data, takes, (&values, picks), Ty::F64, BinaryOp::Add);
            let mut sent = vec![0; takes.len() * 8];
            picked(picks.unwrap(), &values, 8, &mut sent);
            let mut again = vec![0; data.len()];
            apply(&mut again, takes, (&sent, None), Ty::F64, BinaryOp::Add);
            assert_eq!(data, again);
            seen += takes.len();
            for i in part.dims[0].lo..part.dims[0].hi {
                for j in part.dims[1].lo..part.dims[1].hi {
                    let k = (i - part.dims[0].lo) * part.dims[1].len() + j - part.dims[1].lo;
                    assert_eq!(f64::from_bits(get(&data, k as usize, 8)), (34 - (i * 7 + j)) as f64);
                }
            }
        }
        assert_eq!(seen, 35);
    }

    #[test]
    fn wide_numbers_mean_the_same_as_narrow_ones() {
        let of = |width, list: &[u64]| {
            let mut n = Numbers::new(width);
            list.iter().for_each(|k| n.push(*k));
            n
        };
        let values: Vec<u8> = [1.5f32, 2.25, -7.0, 0.125].iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut seen = vec![];
        for (wide, narrow) in [(4, 4), (4, 8), (8, 4), (8, 8)] {
            let (places, picks) = (of(wide, &[2, 0, 2]), of(narrow, &[3, 1, 0]));
            let mut data = vec![0; 12];
            apply(&mut data, &places, (&values, Some(&picks)), Ty::F32, BinaryOp::Sub);
            let mut sent = vec![0; 12];
            picked(&picks, &values, 4, &mut sent);
            let mut again = vec![0; 12];
            apply(&mut again, &places, (&sent, None), Ty::F32, BinaryOp::Sub);
            assert_eq!(data, again);
            seen.push(data);
        }
        let expected: Vec<u8> = [-2.25f32, 0.0, -1.625].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert!(seen.iter().all(|s| *s == expected), "{seen:?}");
    }

    #[test]
    fn combined_contributions_do_the_same() {
        let places = words(&[3, 1, 3, 3, 0]);
        let values: Vec<u8> = [7i32, -2, i32::MAX, 5, 11].iter().flat_map(|v| v.to_le_bytes()).collect();
        let layout = Layout::replicated(&[4]);
        for op in [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul] {
            let start: Vec<u8> = [1i32, 2, 3, 4].iter().flat_map(|v| v.to_le_bytes()).collect();
            let (mut one, mut two) = (start.clone(), start);
            apply(&mut one, &routed(&layout, &places, 1).1[0], (&values, None), Ty::I32, op);
            let (of, kept) = slots(&places, 4);
            assert_eq!(kept, [0, 1, 3]);
            let sums = combined(&values, &of, kept.len(), Ty::I32, op);
            let kept = words(&kept.iter().map(|k| *k as u64).collect::<Vec<_>>());
            apply(&mut two, &routed(&layout, &kept, 1).1[0], (&sums, None), Ty::I32, op);
            assert_eq!(one, two, "{op:?}");
        }
    }
}

//! Scatters: `h[bin[i]] += w[i]`. Every rank holds a contiguous run of the contributions, in the order of the indices; those for
//! elements of other ranks travel to their owners, who take all contributions rank by rank. So every element meets its
//! contributions in the order of the indices, whatever the number of ranks, and sums of floats have the same bits.
//!
//! Integers may be combined in any order: where the array has fewer elements than a rank has contributions, the rank
//! combines its own first.

use crate::ir::elem::{Elem, with_ty};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{ArrayId, BinaryOp};
use crate::ir::layout::Layout;
use crate::ir::ty::Ty;
use crate::runtime::failure::Failure;
use crate::runtime::rank::Rank;
use crate::runtime::trace::Kind;
use std::time::Instant;

/// Contributions for one rank: where in its part (`u64`), and the value, both in memory form.
#[derive(Default)]
struct Bundle {
    places: Vec<u8>,
    values: Vec<u8>,
}

/// Memory for what a scatter reads of this rank's parts.
#[derive(Default)]
pub(super) struct Read {
    own: Bundle,
    data: Vec<u8>,
}

impl Rank<'_> {
    /// `into[index] op= value` for all elements of `index` and `value`, whose linear indices are inside. A collective.
    pub(super) fn scatter(
        &mut self,
        into: ArrayId,
        index: ArrayId,
        value: ArrayId,
        op: BinaryOp,
    ) -> Result<(), Failure> {
        let me = self.state.comm.rank();
        let clock = Instant::now();
        let (target, from) = (self.plan.array(into), self.plan.array(index));
        let ty = target.array.ty;
        let mine = from.layout.part(me);
        let Read { mut own, mut data } = std::mem::take(&mut self.scattered);
        self.device.read_into(index, &mine, &mut own.places)?;
        self.device.read_into(value, &mine, &mut own.values)?;
        let elements = target.layout.shape.iter().product::<i64>() as usize;
        if ty.is_int() && op != BinaryOp::Div && elements < own.places.len() / 8 {
            own = combined(&own, elements, ty, op);
        }
        let part = target.layout.part(me);
        self.device.read_into(into, &part, &mut data)?;
        if self.state.comm.size() > 1 {
            let bundles = bundled(&target.layout, &own, ty.size(), self.plan.ranks);
            self.state.stats.spent(Kind::Compute, clock);
            let arrived = self.exchange_bundles(bundles, ty.size())?;
            let clock = Instant::now();
            arrived.iter().for_each(|b| apply(&mut data, b, ty, op));
            self.state.stats.spent(Kind::Compute, clock);
        } else {
            apply(&mut data, &own, ty, op);
            self.state.stats.spent(Kind::Compute, clock);
        }
        let clock = Instant::now();
        self.device.write(into, &part, &data)?;
        self.versions.written(into);
        self.scattered = Read { own, data };
        self.state.stats.spent(Kind::Compute, clock);
        Ok(())
    }

    /// Sends every rank its bundle; gives those of all ranks for this one, in the order of ranks.
    fn exchange_bundles(&mut self, bundles: Vec<Bundle>, size: usize) -> Result<Vec<Bundle>, Failure> {
        let comm = &mut *self.state.comm;
        let (me, mut own) = (comm.rank(), Bundle::default());
        let mut sent = (0, 0);
        let clock = Instant::now();
        for (peer, b) in bundles.into_iter().enumerate() {
            if peer as i64 == me {
                own = b;
                continue;
            }
            let mut head = comm.buffer(8);
            head.copy_from_slice(&(b.places.len() as u64 / 8).to_le_bytes());
            comm.send(peer as i64, head)?;
            sent = (sent.0 + 1, sent.1 + 8);
            if !b.places.is_empty() {
                let mut m = comm.buffer(b.places.len() + b.values.len());
                let (head, tail) = m.split_at_mut(b.places.len());
                head.copy_from_slice(&b.places);
                tail.copy_from_slice(&b.values);
                sent = (sent.0 + 1, sent.1 + m.len() as u64);
                comm.send(peer as i64, m)?;
            }
        }
        self.state.stats.sent_beside(sent);
        self.state.stats.spent(Kind::Send, clock);
        let clock = Instant::now();
        let comm = &mut *self.state.comm;
        let mut out = vec![];
        for peer in 0..comm.size() {
            if peer == me {
                out.push(std::mem::take(&mut own));
                continue;
            }
            let head = comm.receive(peer, 8)?;
            let count = word(&head) as usize;
            comm.recycle(peer, head);
            if count == 0 {
                continue;
            }
            let m = comm.receive(peer, count * (8 + size))?;
            let (head, tail) = m.split_at(count * 8);
            out.push(Bundle { places: head.to_vec(), values: tail.to_vec() });
            comm.recycle(peer, m);
        }
        self.state.stats.spent(Kind::Wait, clock);
        Ok(out)
    }
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap_or_default())
}

/// The bits of element `k`.
#[inline(always)]
fn get(data: &[u8], k: usize, size: usize) -> u64 {
    let mut bits = [0; 8];
    bits[..size].copy_from_slice(&data[k * size..(k + 1) * size]);
    u64::from_le_bytes(bits)
}

#[inline(always)]
fn set(data: &mut [u8], k: usize, size: usize, bits: u64) {
    data[k * size..(k + 1) * size].copy_from_slice(&bits.to_le_bytes()[..size]);
}

/// Takes contributions, one after the other.
fn apply(data: &mut [u8], b: &Bundle, ty: Ty, op: BinaryOp) {
    with_ty!(ty, T => match op {
        BinaryOp::Sub => take(data, b, |x: T, y: T| Elem::sub(x, y)),
        BinaryOp::Mul => take(data, b, |x: T, y: T| Elem::mul(x, y)),
        BinaryOp::Div => take(data, b, |x: T, y: T| Elem::div(x, y)),
        _ => take(data, b, |x: T, y: T| Elem::add(x, y)),
    })
}

/// [`apply`] for one type and operation.
fn take<T: Elem>(data: &mut [u8], b: &Bundle, op: impl Fn(T, T) -> T) {
    let size = T::TY.size();
    for (at, value) in b.places.chunks_exact(8).zip(b.values.chunks_exact(size)) {
        let (at, value) = (word(at) as usize, T::of_bits(get(value, 0, size)));
        let old = T::of_bits(get(data, at, size));
        set(data, at, size, op(old, value).bits());
    }
}

/// One contribution for each element that has any, of integers.
fn combined(own: &Bundle, elements: usize, ty: Ty, op: BinaryOp) -> Bundle {
    // What is subtracted adds up.
    let (op, start) = if op == BinaryOp::Mul { (op, 1) } else { (BinaryOp::Add, 0) };
    let size = ty.size();
    let mut sums = vec![0; elements * size];
    (0..elements).for_each(|k| set(&mut sums, k, size, start));
    let mut touched = vec![false; elements];
    own.places.chunks_exact(8).for_each(|at| touched[word(at) as usize] = true);
    apply(&mut sums, own, ty, op);
    let kept: Vec<usize> = (0..elements).filter(|k| touched[*k]).collect();
    let values = kept.iter().flat_map(|k| &sums[k * size..(k + 1) * size]).copied().collect();
    Bundle { places: kept.into_iter().flat_map(|k| (k as u64).to_le_bytes()).collect(), values }
}

/// Contributions by owner, at places in the owner's part. Of an array that every rank keeps whole, everybody gets all.
fn bundled(layout: &Layout, own: &Bundle, size: usize, ranks: i64) -> Vec<Bundle> {
    let whole = || Bundle { places: own.places.clone(), values: own.values.clone() };
    if layout.is_replicated() {
        return (0..ranks).map(|_| whole()).collect();
    }
    let parts: Vec<IndexBox> = (0..ranks).map(|r| layout.part(r)).collect();
    let mut out: Vec<Bundle> = (0..ranks).map(|_| Bundle::default()).collect();
    let mut at = vec![0; layout.shape.len()];
    for (linear, value) in own.places.chunks_exact(8).zip(own.values.chunks_exact(size)) {
        let mut rest = word(linear) as i64;
        for d in (0..at.len()).rev() {
            at[d] = rest % layout.shape[d];
            rest /= layout.shape[d];
        }
        let owner = layout.owner(&at);
        let place = parts[owner as usize].dims.iter().zip(&at).fold(0, |sum, (d, i)| sum * d.len() + i - d.lo);
        let bundle = &mut out[owner as usize];
        bundle.places.extend_from_slice(&place.to_le_bytes());
        bundle.values.extend_from_slice(value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::layout::Dist;

    fn words(b: &[u64]) -> Vec<u8> {
        b.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    fn floats(b: &[f64]) -> Vec<u8> {
        b.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn every_contribution_reaches_its_element() {
        let layout = Layout::divided(&[5, 7], &[Dist::Block, Dist::Block], vec![2, 3]);
        let places: Vec<u64> = (0..35).rev().collect();
        let values = floats(&(0..35).map(|k| k as f64).collect::<Vec<_>>());
        let bundles = bundled(&layout, &Bundle { places: words(&places), values }, 8, 6);
        let mut seen = 0;
        for (rank, b) in bundles.iter().enumerate() {
            let part = layout.part(rank as i64);
            let mut data = vec![0; part.len() as usize * 8];
            apply(&mut data, b, Ty::F64, BinaryOp::Add);
            seen += b.places.len() / 8;
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
    fn combined_contributions_do_the_same() {
        let places = words(&[3, 1, 3, 3, 0]);
        let values: Vec<u8> = [7i32, -2, i32::MAX, 5, 11].iter().flat_map(|v| v.to_le_bytes()).collect();
        for op in [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul] {
            let start: Vec<u8> = [1i32, 2, 3, 4].iter().flat_map(|v| v.to_le_bytes()).collect();
            let (mut one, mut two) = (start.clone(), start);
            let own = Bundle { places: places.clone(), values: values.clone() };
            apply(&mut one, &own, Ty::I32, op);
            let kept = combined(&own, 4, Ty::I32, op);
            assert_eq!(kept.places, words(&[0, 1, 3]));
            apply(&mut two, &kept, Ty::I32, op);
            assert_eq!(one, two, "{op:?}");
        }
    }
}

//! The lists of a scatter as a GPU goes through them: which values an element takes, one after the other.
//!
//! A warp does a task. Elements that take many values come first, one a task: the warp's threads fetch values together, and the chain of
//! operations goes on as before. The others are sorted by how many they take, so that the threads of a warp end together, and lie in
//! slices of [`LANES`], whose positions lie in turns (Kreutzer et al., 2014: SELL-C-σ).

use super::WINDOW;
use crate::ir::index_box::IndexBox;
use crate::runtime::copy::strides;
use crate::runtime::numbers::Numbers;

/// Threads of a warp.
pub const LANES: usize = 32;
/// An element that takes so many values is a task of its own.
const LONG: usize = 128;

/// Chains of operations, by tasks.
#[derive(Clone, Debug, Default)]
pub struct Chains {
    /// Tasks of one element.
    pub longs: usize,
    /// Where the elements lie in the stored array: one of each long task, then [`LANES`] of each slice.
    pub elements: Numbers,
    /// How many values each element of a slice takes; none where a slice is not full.
    pub counts: Vec<u32>,
    /// The first position of each task, and at last how many there are.
    pub first: Vec<u64>,
    /// Where the values lie that are taken: those of a long task in a row, value `j` of element `l` of a slice at `LANES * j + l`.
    pub positions: Numbers,
}

/// An element and its values: the first in the order of all, and how many.
#[derive(Clone, Copy, Debug)]
struct Run {
    place: u64,
    first: usize,
    count: usize,
}

/// Where the elements of a part lie, row-major numbers of the part to elements of its storage.
#[derive(Clone, Debug)]
pub struct Spots {
    /// For each dimension, the last first: the part's extent and the storage's step.
    dims: Vec<(u64, u64)>,
    first: u64,
    /// Numbers and spots differ by `first` alone.
    gapless: bool,
}

impl Spots {
    pub fn new(part: &IndexBox, storage: &IndexBox) -> Spots {
        let steps = strides(storage);
        let all = part.dims.iter().zip(&storage.dims).zip(&steps);
        let first = all.clone().map(|((p, s), step)| (p.lo - s.lo) * step).sum::<i64>() as u64;
        let dims = all.rev().map(|((p, _), step)| (p.len() as u64, *step as u64)).collect();
        let gapless = part.dims.iter().zip(&storage.dims).skip(1).all(|(p, s)| p == s);
        Spots { dims, first, gapless }
    }

    /// Where the part begins, if its elements lie there row-major without gaps.
    pub fn gapless(&self) -> Option<u64> {
        self.gapless.then_some(self.first)
    }

    pub fn of(&self, number: u64) -> u64 {
        if self.gapless {
            return self.first + number;
        }
        let mut rest = number;
        self.dims.iter().fold(self.first, |at, (extent, step)| {
            let i = rest % extent;
            rest /= extent;
            at + i * step
        })
    }
}

impl Chains {
    /// The lists of elements that take values: `places` has the element of each value, among `elements` of them, `positions` where it lies,
    /// and `spot` where an element lies. Numbers have `width` bytes.
    pub fn new(
        places: &mut dyn Iterator<Item = u64>,
        positions: &dyn Fn(usize) -> u64,
        (elements, spot): (u64, &Spots),
        width: usize,
    ) -> Chains {
        let places: Vec<u64> = places.collect();
        let (mut runs, order) = runs(&places, elements);
        let mut out = Chains { elements: Numbers::new(width), positions: Numbers::new(width), ..Chains::default() };
        let (longs, shorts): (Vec<Run>, Vec<Run>) = runs.drain(..).partition(|r| r.count >= LONG);
        out.longs = longs.len();
        // The longest first: they take the longest.
        let mut longs = longs;
        longs.sort_by_key(|r| std::cmp::Reverse(r.count));
        for run in longs {
            out.first.push(out.positions.len() as u64);
            out.elements.push(spot.of(run.place));
            order[run.first..run.first + run.count].iter().for_each(|k| out.positions.push(positions(*k)));
        }
        let mut shorts = shorts;
        for window in shorts.chunks_mut(WINDOW) {
            window.sort_by_key(|r| std::cmp::Reverse(r.count));
        }
        for slice in shorts.chunks(LANES) {
            out.first.push(out.positions.len() as u64);
            let most = slice.iter().map(|r| r.count).max().unwrap_or(0);
            for l in 0..LANES {
                out.elements.push(slice.get(l).map_or(0, |r| spot.of(r.place)));
                out.counts.push(slice.get(l).map_or(0, |r| r.count as u32));
            }
            for j in 0..most {
                for l in 0..LANES {
                    let value = slice.get(l).filter(|r| j < r.count).map(|r| order[r.first + j]);
                    out.positions.push(value.map_or(0, positions));
                }
            }
        }
        out.first.push(out.positions.len() as u64);
        out
    }

    /// How many warps there is work for.
    pub fn tasks(&self) -> usize {
        self.first.len().saturating_sub(1)
    }
}

/// The elements that take values, in their order, and the numbers of the values, element by element.
fn runs(places: &[u64], elements: u64) -> (Vec<Run>, Vec<usize>) {
    let mut runs: Vec<Run> = vec![];
    if elements > 4 * places.len() as u64 + 1024 {
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by_key(|k| places[*k]);
        for (first, k) in order.iter().enumerate() {
            match runs.last_mut() {
                Some(run) if run.place == places[*k] => run.count += 1,
                _ => runs.push(Run { place: places[*k], first, count: 1 }),
            }
        }
        return (runs, order);
    }
    let mut next = vec![0usize; elements as usize];
    places.iter().for_each(|p| next[*p as usize] += 1);
    let mut first = 0;
    for (place, n) in next.iter_mut().enumerate() {
        let count = std::mem::replace(n, first);
        if count > 0 {
            runs.push(Run { place: place as u64, first, count });
        }
        first += count;
    }
    let mut order = vec![0; places.len()];
    for (k, p) in places.iter().enumerate() {
        let at = &mut next[*p as usize];
        order[*at] = k;
        *at += 1;
    }
    (runs, order)
}

#[cfg(test)]
mod tests {
    use super::super::take::{How, apply};
    use super::super::{Picks, Taken};
    use super::*;
    use crate::ir::complex;
    use crate::ir::elem::{binary, with_ty};
    use crate::ir::index_box::Interval;
    use crate::ir::kernel::BinaryOp;
    use crate::ir::ty::Ty;
    use crate::runtime::numbers::word;
    use proptest::prelude::*;

    /// What the threads of the kernel do, the last task first.
    fn go(c: &Chains, take: &mut dyn FnMut(u64, u64)) {
        let (elements, positions): (Vec<u64>, Vec<u64>) = (c.elements.iter().collect(), c.positions.iter().collect());
        assert_eq!(c.counts.len(), (c.tasks() - c.longs) * LANES);
        for task in (0..c.tasks()).rev() {
            let list = &positions[c.first[task] as usize..c.first[task + 1] as usize];
            if task < c.longs {
                list.iter().for_each(|p| take(elements[task], *p));
                continue;
            }
            for lane in 0..LANES {
                let e = (task - c.longs) * LANES + lane;
                (0..c.counts[e] as usize).for_each(|j| take(elements[c.longs + e], list[LANES * j + lane]));
            }
        }
    }

    fn bits(data: &[u8], size: usize, at: u64) -> u64 {
        let mut w = [0; 8];
        w[..size].copy_from_slice(&data[at as usize * size..][..size]);
        u64::from_le_bytes(w)
    }

    fn put(data: &mut [u8], size: usize, at: u64, value: u64) {
        data[at as usize * size..][..size].copy_from_slice(&value.to_le_bytes()[..size]);
    }

    /// `join` as the kernel has it.
    fn join(data: &mut [u8], (at, value): (u64, &[u64]), how: How) {
        let size = how.ty.size();
        if !how.complex {
            let new = binary(how.op, how.ty, bits(data, size, at), value[0]);
            return put(data, size, at, new);
        }
        let (a, b) = (bits(data, size, at), bits(data, size, at + 1));
        let (re, im) = with_ty!(how.ty, T => {
            use crate::ir::elem::Elem;
            let [a, b, c, d] = [a, b, value[0], value[1]].map(T::of_bits);
            let (re, im) = if how.op == BinaryOp::Mul { complex::product((a, b), (c, d)) } else { complex::quotient((a, b), (c, d)) };
            (re.bits(), im.bits())
        });
        put(data, size, at, re);
        put(data, size, at + 1, im);
    }

    /// The bits of `x` as an element.
    fn of(ty: Ty, x: f64) -> u64 {
        crate::ir::elem::cast(Ty::F64, ty, x.to_bits())
    }

    /// Both ways to the same bits: contributions `(place, value)` to `elements` elements, or pairs of them.
    fn agree(elements: u64, given: &[(u64, f64)], how: How, width: usize) {
        let (size, per) = (how.ty.size(), if how.complex { 2 } else { 1 });
        let start: Vec<u8> =
            (0..elements * per).flat_map(|k| of(how.ty, 1.0 + (k % 7) as f64).to_le_bytes()[..size].to_vec()).collect();
        let mut places = Numbers::new(4);
        let mut values = vec![];
        for (k, (place, x)) in given.iter().enumerate() {
            for part in 0..per {
                places.push(place * per + part);
                values.extend(&of(how.ty, x + 0.25 * part as f64 + (k % 3) as f64).to_le_bytes()[..size]);
            }
        }
        let mut one = start.clone();
        apply(&mut one, &Taken::List(places.clone()), (&values, &Picks::All), how);
        // In storage with room before the part, as an array of one dimension and as one of two.
        let shape = |at: i64| {
            let mut dims = vec![Interval::new(0, elements as i64 + 3 * at)];
            dims.extend((per == 2).then_some(Interval::new(0, 2)));
            dims[0] = Interval::new(-at, dims[0].hi);
            IndexBox::new(dims)
        };
        let mut part = shape(0);
        part.dims[0] = Interval::new(0, elements as i64);
        let spots = Spots::new(&part, &shape(5));
        assert_eq!(spots.gapless(), Some(5 * per));
        let chains =
            Chains::new(&mut places.iter().step_by(per as usize), &|k| k as u64 * per, (elements * per, &spots), width);
        let mut two = vec![0; 5 * per as usize * size];
        two.extend(&start);
        let mut seen = 0;
        go(&chains, &mut |at, position| {
            let value: Vec<u64> = (0..per).map(|p| bits(&values, size, position + p)).collect();
            join(&mut two, (at, &value), how);
            seen += 1;
        });
        assert_eq!(seen, given.len());
        assert_eq!(one, two[5 * per as usize * size..], "{:?} {:?}", how.ty, how.op);
    }

    const OPS: [BinaryOp; 6] =
        [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Min, BinaryOp::Max];
    const TYPES: [Ty; 8] = [Ty::I32, Ty::I64, Ty::U32, Ty::U64, Ty::F16, Ty::Bf16, Ty::F32, Ty::F64];

    #[test]
    fn chains_of_every_type_and_operation_do_what_lists_do() {
        let mut state = 5u64;
        let mut next = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        };
        // Some take none, one takes nine of ten.
        let given: Vec<(u64, f64)> =
            (0..3000).map(|_| (if next(10) < 9 { 17 } else { next(500) }, (1 + next(90)) as f64 / 8.0)).collect();
        for op in OPS {
            for ty in TYPES {
                agree(500, &given, How { ty, op, complex: false }, 4);
            }
            if matches!(op, BinaryOp::Mul | BinaryOp::Div) {
                agree(500, &given, How { ty: Ty::F32, op, complex: true }, 4);
                agree(500, &given, How { ty: Ty::F64, op, complex: true }, 8);
            }
        }
        // Far more elements than values, and no values.
        agree(90_000, &given, How { ty: Ty::F64, op: BinaryOp::Add, complex: false }, 8);
        agree(3, &[], How { ty: Ty::F64, op: BinaryOp::Add, complex: false }, 4);
    }

    proptest! {
        #[test]
        fn chains_do_what_lists_do(
            elements in 1u64..9000,
            given in prop::collection::vec((any::<u64>(), -9.0f64..9.0), 0..2500),
            skew in 1u64..60,
            op in 0usize..6,
            ty in 4usize..8,
        ) {
            let some = |p: u64| if p % 60 < skew { p % elements } else { p % elements.min(3) };
            let given: Vec<(u64, f64)> = given.into_iter().map(|(p, x)| (some(p), x)).collect();
            agree(elements, &given, How { ty: TYPES[ty], op: OPS[op], complex: false }, 4);
        }

        #[test]
        fn spots_are_where_boxes_say(
            dims in prop::collection::vec((1i64..6, 0i64..3, 0i64..3), 1..4),
        ) {
            let part = IndexBox::new(dims.iter().map(|(n, lo, _)| Interval::new(*lo, lo + n)).collect());
            let storage = dims.iter().map(|(n, lo, beside)| Interval::new(lo - beside, lo + n + 2 * beside));
            let storage = IndexBox::new(storage.collect());
            let (spots, steps) = (Spots::new(&part, &storage), strides(&storage));
            for number in 0..part.len() {
                let (mut rest, mut at) = (number, 0);
                for d in (0..dims.len()).rev() {
                    at += (part.dims[d].lo + rest % part.dims[d].len() - storage.dims[d].lo) * steps[d];
                    rest /= part.dims[d].len();
                }
                prop_assert_eq!(spots.of(number as u64), at as u64);
                if let Some(first) = spots.gapless() {
                    prop_assert_eq!(first + number as u64, at as u64);
                }
            }
        }
    }

    #[test]
    fn threads_of_a_warp_have_alike_lists() {
        let places: Vec<u64> = (0..50_000u64).map(|k| (k * k) % 9973).collect();
        let part = IndexBox::new(vec![Interval::new(0, 9973)]);
        let chains = Chains::new(&mut places.iter().copied(), &|k| k as u64, (9973, &Spots::new(&part, &part)), 4);
        let positions = chains.positions.len();
        assert!(positions < 60_000, "{positions} positions for 50000 values");
        assert!(word(&chains.positions.len().to_le_bytes()) >= 50_000);
    }
}

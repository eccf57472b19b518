//! What contributions do to elements: loops for every type and operation.

use super::{LANES, Picks, Taken};
use crate::ir::complex;
use crate::ir::elem::{Elem, with_ty};
use crate::ir::kernel::{BinaryOp, FoldOp};
use crate::ir::ty::Ty;
use crate::runtime::device::partial::identity;
use crate::runtime::numbers::{Numbers, Row, number};

/// What contributions do to elements.
#[derive(Clone, Copy)]
pub(super) struct How {
    pub ty: Ty,
    pub op: BinaryOp,
    pub complex: bool,
}

/// The element that these bytes hold.
#[inline(always)]
fn element<T: Elem, const S: usize>(bytes: &[u8; S]) -> T {
    let mut bits = [0; 8];
    bits[..S].copy_from_slice(bytes);
    T::of_bits(u64::from_le_bytes(bits))
}

#[inline(always)]
fn bytes_of<T: Elem, const S: usize>(value: T) -> [u8; S] {
    let mut out = [0; S];
    out.copy_from_slice(&value.bits().to_le_bytes()[..S]);
    out
}

/// Calls a loop for a type, whose size is a constant in it, and an operation.
macro_rules! for_each_op {
    ($ty:expr, $op:expr, $run:ident ( $($arg:expr),* )) => {
        with_ty!($ty, T => match $op {
            BinaryOp::Sub => for_each_size!(T, sub, $run($($arg),*)),
            BinaryOp::Mul => for_each_size!(T, mul, $run($($arg),*)),
            BinaryOp::Div => for_each_size!(T, div, $run($($arg),*)),
            BinaryOp::Min => for_each_size!(T, min, $run($($arg),*)),
            BinaryOp::Max => for_each_size!(T, max, $run($($arg),*)),
            _ => for_each_size!(T, add, $run($($arg),*)),
        })
    };
}

macro_rules! for_each_size {
    ($t:ident, $method:ident, $run:ident ( $($arg:expr),* )) => {
        match $t::TY.size() {
            8 => $run::<$t, 8>($($arg),*, |x: $t, y: $t| Elem::$method(x, y)),
            4 => $run::<$t, 4>($($arg),*, |x: $t, y: $t| Elem::$method(x, y)),
            2 => $run::<$t, 2>($($arg),*, |x: $t, y: $t| Elem::$method(x, y)),
            _ => $run::<$t, 1>($($arg),*, |x: $t, y: $t| Elem::$method(x, y)),
        }
    };
}

/// Values, and which of them count.
type Values<'a> = (&'a [u8], &'a Picks);

/// Takes contributions: every element its own in their order.
pub(super) fn apply(data: &mut [u8], taken: &Taken, values: Values, how: How) {
    let How { ty, op, complex } = how;
    match (taken, values) {
        (Taken::List(places), values) if complex => take_complex(data, places.all(), values, (ty, op)),
        (Taken::List(places), values) => for_each_op!(ty, op, take(data, places.all(), values)),
        (Taken::Groups(g), (values, picks)) => {
            let values = match picks {
                Picks::Row(row) => &values[row.start * ty.size()..row.end * ty.size()],
                _ => values,
            };
            apply_groups(data, (&g.sizes, g.places.all()), values, how);
        }
    }
}

/// The same for some groups in a row and their values.
pub(super) fn apply_groups(data: &mut [u8], groups: (&[(usize, usize)], Row), values: &[u8], how: How) {
    for_each_op!(how.ty, how.op, take_groups(data, groups, values))
}

/// One value each.
fn take<T: Elem, const S: usize>(data: &mut [u8], places: Row, (values, picks): Values, op: impl Fn(T, T) -> T) {
    let (data, all) = (data.as_chunks_mut::<S>().0, values.as_chunks::<S>().0);
    let mut one = |at: usize, value: &[u8; S]| data[at] = bytes_of(op(element(&data[at]), element(value)));
    let wide = places.width != 4;
    let place = |p: &[u8]| if wide { number::<8>(p) } else { number::<4>(p) };
    match picks {
        Picks::List(list) => {
            places
                .bytes
                .chunks_exact(places.width.max(1))
                .zip(list.iter())
                .for_each(|(p, k)| one(place(p), &all[k as usize]));
        }
        _ => {
            let row = if let Picks::Row(row) = picks { &all[row.clone()] } else { all };
            places.bytes.chunks_exact(places.width.max(1)).zip(row).for_each(|(p, v)| one(place(p), v));
        }
    }
}

/// An operation on complex numbers.
type Both<T> = fn((T, T), (T, T)) -> (T, T);

/// The same of complex numbers: two places and two values that follow one another are those of their parts.
fn take_complex(data: &mut [u8], places: Row, (values, picks): Values, (ty, op): (Ty, BinaryOp)) {
    fn run<T: Elem, const S: usize>(data: &mut [u8], places: &[usize], (values, picks): (&[u8], &Picks), op: Both<T>) {
        let (data, all) = (data.as_chunks_mut::<S>().0, values.as_chunks::<S>().0);
        let list: Vec<usize> = match picks {
            Picks::All => (0..places.len()).collect(),
            Picks::List(list) => list.iter().map(|k| k as usize).collect(),
            Picks::Row(row) => row.clone().collect(),
        };
        for (at, from) in places.as_chunks::<2>().0.iter().zip(list.as_chunks::<2>().0) {
            let old = (element(&data[at[0]]), element(&data[at[1]]));
            let (re, im) = op(old, (element(&all[from[0]]), element(&all[from[1]])));
            (data[at[0]], data[at[1]]) = (bytes_of(re), bytes_of(im));
        }
    }
    let wide = places.width != 4;
    let place = |p: &[u8]| if wide { number::<8>(p) } else { number::<4>(p) };
    let places: Vec<usize> = places.bytes.chunks_exact(places.width.max(1)).map(place).collect();
    let values = (values, picks);
    match (ty, op) {
        (Ty::F32, BinaryOp::Mul) => run::<f32, 4>(data, &places, values, complex::product),
        (Ty::F32, _) => run::<f32, 4>(data, &places, values, complex::quotient),
        (_, BinaryOp::Mul) => run::<f64, 8>(data, &places, values, complex::product),
        _ => run::<f64, 8>(data, &places, values, complex::quotient),
    }
}

/// [`apply_groups`] for one type and operation.
fn take_groups<T: Elem, const S: usize>(
    data: &mut [u8],
    (sizes, places): (&[(usize, usize)], Row),
    values: &[u8],
    op: impl Fn(T, T) -> T,
) {
    let (data, mut values) = (data.as_chunks_mut::<S>().0, values.as_chunks::<S>().0);
    let wide = places.width != 4;
    let mut places = places.bytes.chunks_exact(places.width.max(1));
    let mut place = || places.next().map_or(0, |p| if wide { number::<8>(p) } else { number::<4>(p) });
    for &(lanes, terms) in sizes {
        let (own, rest) = values.split_at(lanes * terms);
        values = rest;
        if lanes == LANES {
            let at: [usize; LANES] = std::array::from_fn(|_| place());
            let mut sums: [T; LANES] = std::array::from_fn(|l| element(&data[at[l]]));
            for row in own.as_chunks::<LANES>().0 {
                for l in 0..LANES {
                    sums[l] = op(sums[l], element(&row[l]));
                }
            }
            (0..LANES).for_each(|l| data[at[l]] = bytes_of(sums[l]));
        } else {
            let at = place();
            data[at] = bytes_of(own.iter().fold(element(&data[at]), |sum, v| op(sum, element(v))));
        }
    }
}

/// One contribution for each slot, of integers.
pub(super) fn combined(values: &[u8], slots: &Numbers, count: usize, ty: Ty, op: BinaryOp) -> Vec<u8> {
    let (op, fold) = match op {
        BinaryOp::Mul => (op, FoldOp::Prod),
        BinaryOp::Min => (op, FoldOp::Min),
        BinaryOp::Max => (op, FoldOp::Max),
        // What is subtracted adds up.
        _ => (BinaryOp::Add, FoldOp::Sum),
    };
    let size = ty.size();
    let mut sums = vec![0; count * size];
    let start = u64::to_le_bytes(identity(fold, ty));
    sums.chunks_exact_mut(size).for_each(|s| s.copy_from_slice(&start[..size]));
    for_each_op!(ty, op, take(&mut sums, slots.all(), (values, &Picks::All)));
    sums
}

//! The naive reference: one point at a time, by the definition.

use std::collections::BTreeMap;

use mgpu::ir::index_box::IndexBox;
use mgpu::ir::kernel::{AccessId, Affine, FoldOp, Nest, Sym, Table};
use mgpu::ir::ty::{Ty, Value};
use mgpu::runtime::device::{Binding, Partial, elem, partial, scalar};

/// An array with the part that is stored.
#[derive(Clone)]
pub struct Array {
    pub ty: Ty,
    pub stored: IndexBox,
    pub strides: Vec<i64>,
    pub words: Vec<u64>,
}

impl Array {
    pub fn new(ty: Ty, stored: IndexBox, pad: i64) -> Array {
        let mut strides = vec![1; stored.rank()];
        let mut len = 1;
        for d in (0..stored.rank()).rev() {
            strides[d] = len;
            len *= stored.dims[d].len() + if d + 1 == stored.rank() { pad } else { 0 };
        }
        Array { ty, stored, strides, words: vec![0; (len.max(1) as usize * ty.size()).div_ceil(8)] }
    }
    pub fn len(&self) -> usize {
        self.words.len() * 8 / self.ty.size()
    }
    fn bytes(&self, i: usize) -> std::ops::Range<usize> {
        i * self.ty.size()..(i + 1) * self.ty.size()
    }
    pub fn get(&self, i: usize) -> u64 {
        let at = self.bytes(i);
        let mut bits = [0u8; 8];
        for (k, b) in at.enumerate() {
            bits[k] = (self.words[b / 8] >> (b % 8 * 8)) as u8;
        }
        u64::from_le_bytes(bits)
    }
    pub fn set(&mut self, i: usize, bits: u64) {
        for (k, b) in self.bytes(i).enumerate() {
            let shift = b % 8 * 8;
            self.words[b / 8] = self.words[b / 8] & !(0xff << shift) | (bits >> (k * 8) & 0xff) << shift;
        }
    }
    pub fn at(&self, index: &[i64]) -> usize {
        let mut at = 0;
        for (d, &i) in index.iter().enumerate() {
            assert!(self.stored.dims[d].lo <= i && i < self.stored.dims[d].hi, "{index:?} outside {}", self.stored);
            at += (i - self.stored.dims[d].lo) * self.strides[d];
        }
        at as usize
    }
    pub fn binding(&mut self) -> Binding {
        Binding {
            ptr: self.words.as_mut_ptr() as *mut u8,
            lo: self.stored.dims.iter().map(|d| d.lo).collect(),
            strides: self.strides.clone(),
            hi: self.stored.dims.iter().map(|d| d.hi).collect(),
        }
    }
    /// The first element that differs, NaNs being equal.
    pub fn differs(&self, o: &Array) -> Option<(usize, Value, Value)> {
        let value = |bits| Value { ty: self.ty, bits };
        (0..self.len()).map(|i| (i, value(self.get(i)), value(o.get(i)))).find(|&(_, a, b)| !same(a, b))
    }
}

/// Equal bits, or both NaN.
pub fn same(a: Value, b: Value) -> bool {
    a.bits == b.bits || a.ty.is_float() && a.as_f64().is_nan() && b.as_f64().is_nan()
}

struct At<'a> {
    nest: &'a Nest,
    arrays: &'a [Array],
    scalars: &'a [u64],
    index: &'a [i64],
}

impl At<'_> {
    fn subscripts(&self, index: &[Affine], regs: &[u64]) -> Vec<i64> {
        let value = |s: Sym| match s {
            Sym::Dim(d) => self.index[d],
            Sym::Counter(r) => regs[r.0 as usize] as i64,
            Sym::Scalar(id) => self.scalars[id.0 as usize] as i64,
        };
        index.iter().map(|a| a.konst + a.terms.iter().map(|&(s, c)| c * value(s)).sum::<i64>()).collect()
    }
}

impl scalar::Point for At<'_> {
    fn index(&mut self, dim: usize) -> i64 {
        self.index[dim]
    }
    fn load(&mut self, access: AccessId, regs: &[u64]) -> u64 {
        let access = &self.nest.accesses[access.0 as usize];
        let array = &self.arrays[access.operand.0 as usize];
        array.get(array.at(&self.subscripts(&access.index, regs)))
    }
}

/// All points of a box in row-major order.
pub fn points(domain: &IndexBox) -> Vec<Vec<i64>> {
    domain.dims.iter().fold(vec![vec![]], |points, d| {
        points.iter().flat_map(|p| (d.lo..d.hi).map(move |i| [&p[..], &[i]].concat())).collect()
    })
}

/// Runs a nest on its whole domain; returns the values of its reductions.
pub fn run(nest: &Nest, arrays: &mut [Array], scalars: &[u64], tables: &[Table]) -> Vec<Value> {
    let before = arrays.to_vec();
    let mut regs = vec![];
    let mut terms: Vec<Vec<(Vec<i64>, u64)>> = vec![vec![]; nest.reductions.len()];
    for index in points(&nest.domain) {
        let mut at = At { nest, arrays: &before, scalars, index: &index };
        scalar::eval_at(&nest.code, scalars, tables, &mut regs, &mut at);
        for store in &nest.stores {
            let array = &mut arrays[store.operand.0 as usize];
            let i = array.at(&at.subscripts(&store.index, &regs));
            array.set(i, regs[store.value.0 as usize]);
        }
        for (r, terms) in nest.reductions.iter().zip(&mut terms) {
            terms.push((index.clone(), regs[r.value.0 as usize]));
        }
    }
    let ty = |r: usize| nest.code.regs[nest.reductions[r].value.0 as usize];
    terms.iter().enumerate().map(|(r, terms)| reduce(nest, nest.reductions[r].op, ty(r), terms)).collect()
}

fn reduce(nest: &Nest, op: FoldOp, ty: Ty, terms: &[(Vec<i64>, u64)]) -> Value {
    let mut result = Partial::new(op, ty);
    if let Partial::Bits(bits) = &mut result {
        terms.iter().for_each(|(_, v)| *bits = partial::fold(op, ty, *bits, *v));
        return result.finish(ty);
    }
    let lanes = nest.leaf.last().map_or(1, |&n| n.min(64)) as usize;
    let one = partial::identity(op, ty);
    // Row-major order of the leaves is the order of the keys.
    let mut leaves: BTreeMap<Vec<i64>, Vec<u64>> = BTreeMap::new();
    for (index, v) in terms {
        let key = index.iter().zip(&nest.leaf).map(|(i, n)| i.div_euclid(*n)).collect();
        let acc = leaves.entry(key).or_insert_with(|| vec![one; lanes]);
        let lane = index.last().map_or(0, |j| j.rem_euclid(lanes as i64) as usize);
        acc[lane] = partial::fold(op, ty, acc[lane], *v);
    }
    for (k, acc) in leaves.values_mut().enumerate() {
        let mut s = lanes / 2;
        while s > 0 {
            (0..s).for_each(|l| acc[l] = partial::fold(op, ty, acc[l], acc[l + s]));
            s /= 2;
        }
        let value = elem::cast(ty, Ty::F64, acc[0]);
        match &mut result {
            Partial::Exact(sum) => sum.deposit(f64::from_bits(value)),
            Partial::Leaves(leaves) => leaves.push((k as u64, value)),
            Partial::Bits(_) => unreachable!(),
        }
    }
    result.finish(ty)
}

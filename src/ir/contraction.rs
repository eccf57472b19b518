//! Contractions: nests whose elements are sums of products, `c[i, j] = sum[k] a[i, k] * b[k, j]` and their kin.
//!
//! A nest is recognised by its code: one loop that is a chain of `Fma`s from zero, whose two factors are straight code. One
//! factor changes along the last dimension of the domain (the columns), the other does not. What stands around the loop is
//! carried out for every element as in any nest. Every executor may run such a nest as the loop that it is; one that knows
//! more computes many elements at a time from packed factors, each element still the same chain, so that the bits are equal.

use crate::ir::kernel::{Inst, Nest, Op, Reg, Sym};
use crate::ir::ty::{Ty, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A factor of the terms.
#[derive(Clone, Debug)]
pub struct Factor {
    /// The register that holds it.
    pub value: Reg,
    /// What computes it at a point and a value of the counter: operations only.
    pub code: Vec<Inst>,
    /// The dimensions of the domain along which it changes.
    pub dims: BTreeSet<usize>,
}

/// What is known of a nest that is a contraction.
#[derive(Clone, Debug)]
pub struct Contraction {
    /// Where the loop stands in the nest's code.
    pub at: usize,
    pub counter: Reg,
    /// The registers with the bounds of the loop, and the operations that compute them.
    pub from: Reg,
    pub to: Reg,
    pub bounds: Vec<Inst>,
    /// The register that the chain accumulates in, of the factors' type.
    pub acc: Reg,
    pub ty: Ty,
    /// The factor that does not change along the last dimension.
    pub left: Factor,
    /// The one that does.
    pub right: Factor,
    /// The dimension of the rows: the longest along which only the left factor changes. A matrix times a vector has none.
    pub row: Option<usize>,
}

/// Along which dimensions a register changes, and whether it changes with the counter.
type Changes = (BTreeSet<usize>, bool);

/// What is known of the operations in front of the loop and in it.
struct Known<'a> {
    nest: &'a Nest,
    counter: Reg,
    /// The operation that writes a register, if it is only one.
    made: BTreeMap<Reg, &'a Inst>,
    twice: BTreeSet<Reg>,
    order: Vec<Reg>,
}

/// Fewer rows than this are not worth packing the right factor.
const FEWEST_ROWS: i64 = 4;
/// A factor of more operations is not worth evaluating outside of the loop.
const MOST_CODE: usize = 64;

/// The contraction of a nest that is a product of matrices, worth tiles.
pub fn product(nest: &Nest) -> Option<Contraction> {
    let c = of(nest)?;
    let rows = nest.domain.dims[c.row?].len();
    let code = c.left.code.len() + c.right.code.len();
    (rows >= FEWEST_ROWS && code <= MOST_CODE).then_some(c)
}

/// The contraction that a nest is.
pub fn of(nest: &Nest) -> Option<Contraction> {
    let last = nest.domain.rank().checked_sub(1)?;
    if !nest.reductions.is_empty() || !nest.checks.is_empty() || nest.stores.is_empty() {
        return None;
    }
    let body = &nest.code.body;
    let at = body.iter().position(|i| matches!(i, Inst::Loop { .. }))?;
    let Inst::Loop { counter, from, to, by: 1, body: terms } = &body[at] else { return None };
    if body.iter().enumerate().any(|(k, i)| k != at && loops(i)) {
        return None;
    }
    // The chain stands at the end of the loop.
    let [terms @ .., fma, copy] = &terms[..] else { return None };
    let Inst::Op { dst: next, op: Op::Fma(x, y, acc) } = fma else { return None };
    if !matches!(copy, Inst::Op { dst, op: Op::Copy(r) } if dst == acc && r == next) || x == acc || y == acc {
        return None;
    }
    let mut known = Known { nest, counter: *counter, made: BTreeMap::new(), twice: BTreeSet::new(), order: vec![] };
    body[..at].iter().chain(terms).try_for_each(|i| known.note(i, *acc))?;
    let ty = nest.code.regs[acc.0 as usize];
    starts_at_zero(&body[..at], *acc, ty).then_some(())?;
    if body[at + 1..].iter().any(|i| writes(i, *acc)) {
        return None;
    }
    let (x, y) = (known.factor(*x)?, known.factor(*y)?);
    let (left, right) = match (x.dims.contains(&last), y.dims.contains(&last)) {
        (false, true) => (x, y),
        (true, false) => (y, x),
        _ => return None,
    };
    let mut bounds = known.code(*from)?;
    known.code(*to)?.into_iter().for_each(|i| {
        if !bounds.contains(&i) {
            bounds.push(i);
        }
    });
    let mut limits = known.changes(*from)?.0;
    limits.extend(known.changes(*to)?.0);
    let only_left = left.dims.iter().copied().filter(|d| !right.dims.contains(d) && !limits.contains(d));
    let row = only_left.max_by_key(|&d| nest.domain.dims[d].len());
    let reads_written = |f: &Factor| {
        f.code.iter().any(|i| matches!(i, Inst::Op { op: Op::Load(a), .. } if nest.operands[nest.accesses[a.0 as usize].operand.0 as usize].written))
    };
    if limits.contains(&last) || reads_written(&left) || reads_written(&right) {
        return None;
    }
    Some(Contraction { at, counter: *counter, from: *from, to: *to, bounds, acc: *acc, ty, left, right, row })
}

fn loops(inst: &Inst) -> bool {
    match inst {
        Inst::Loop { .. } => true,
        Inst::If { then, otherwise, .. } => then.iter().chain(otherwise).any(loops),
        _ => false,
    }
}

fn writes(inst: &Inst, r: Reg) -> bool {
    match inst {
        Inst::Op { dst, .. } => *dst == r,
        Inst::Loop { counter, body, .. } => *counter == r || body.iter().any(|i| writes(i, r)),
        Inst::If { then, otherwise, .. } => then.iter().chain(otherwise).any(|i| writes(i, r)),
        Inst::Break => false,
    }
}

/// Whether the accumulator is set once, to zero, in front of the loop.
fn starts_at_zero(before: &[Inst], acc: Reg, ty: Ty) -> bool {
    let sets: Vec<&Inst> = before.iter().filter(|i| writes(i, acc)).collect();
    let [Inst::Op { op: Op::Copy(start), .. }] = sets[..] else { return false };
    let zero = |i: &&Inst| matches!(i, Inst::Op { dst, .. } if dst == start);
    matches!(before.iter().rfind(zero), Some(Inst::Op { op: Op::Const(v), .. }) if *v == Value::float(ty, 0.0))
}

impl<'a> Known<'a> {
    /// Notes what an instruction writes; in the loop only operations may stand.
    fn note(&mut self, inst: &'a Inst, acc: Reg) -> Option<()> {
        match inst {
            Inst::Op { dst, .. } if *dst == acc => {}
            Inst::Op { dst, .. } => {
                if self.made.insert(*dst, inst).is_some() {
                    self.twice.insert(*dst);
                }
                self.order.push(*dst);
            }
            // What a branch writes is not looked into: a factor that needs it is not recognised.
            Inst::If { then, otherwise, .. } => {
                for i in then.iter().chain(otherwise) {
                    self.note(i, acc)?;
                    if let Inst::Op { dst, .. } = i {
                        self.twice.insert(*dst);
                    }
                }
            }
            Inst::Loop { .. } | Inst::Break => return None,
        }
        Some(())
    }

    fn operands(&self, op: &Op) -> Vec<Reg> {
        match op {
            Op::Load(a) => (self.nest.accesses[a.0 as usize].index.iter().flat_map(|x| &x.terms))
                .filter_map(|t| if let Sym::Counter(r) = t.0 { Some(r) } else { None })
                .collect(),
            op => crate::ir::kernel::operands_of(op),
        }
    }

    /// The registers that a value is made of, itself included.
    fn needs(&self, value: Reg) -> Option<BTreeSet<Reg>> {
        let (mut found, mut open) = (BTreeSet::new(), vec![value]);
        while let Some(r) = open.pop() {
            if r == self.counter || !found.insert(r) {
                continue;
            }
            if self.twice.contains(&r) {
                return None;
            }
            let Inst::Op { op, .. } = self.made.get(&r)? else { return None };
            open.extend(self.operands(op));
        }
        Some(found)
    }

    fn code(&self, value: Reg) -> Option<Vec<Inst>> {
        let needed = self.needs(value)?;
        Some(self.order.iter().filter(|r| needed.contains(r)).map(|r| self.made[r].clone()).collect())
    }

    fn changes(&self, value: Reg) -> Option<Changes> {
        let (mut dims, mut counted) = (BTreeSet::new(), value == self.counter);
        for r in self.needs(value)? {
            let Inst::Op { op, .. } = self.made[&r] else { continue };
            match op {
                Op::Index(d) => {
                    dims.insert(*d);
                }
                Op::Load(a) => {
                    for (sym, _) in self.nest.accesses[a.0 as usize].index.iter().flat_map(|x| &x.terms) {
                        match sym {
                            Sym::Dim(d) => {
                                dims.insert(*d);
                            }
                            Sym::Counter(c) => counted |= *c == self.counter,
                            Sym::Scalar(_) => {}
                        }
                    }
                }
                op => counted |= self.operands(op).contains(&self.counter),
            }
        }
        Some((dims, counted))
    }

    fn factor(&self, value: Reg) -> Option<Factor> {
        let (dims, counted) = self.changes(value)?;
        counted.then_some(())?;
        Some(Factor { value, code: self.code(value)?, dims })
    }
}

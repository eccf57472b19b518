//! Contractions: nests whose elements are sums of products, `c[i, j] = sum[k] a[i, k] * b[k, j]` and their kin.
//!
//! A nest is recognised by its code: one loop that is a [`Chain`] of `Fma`s from zero (or from what an array holds), whose two factors are straight code. One
//! factor changes along the last dimension of the domain (the columns), the other does not. What stands around the loop is
//! carried out for every element as in any nest. Every executor may run such a nest as the loop that it is; one that knows
//! more computes many elements at a time from packed factors, each element still the same chain, so that the bits are equal.

use crate::ir::kernel::{AccessId, Affine, Inst, Nest, Op, Reg, Store, Sym};
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

/// A loop inside an element that adds up, multiplies or chooses: `acc = next(acc, terms)` from the first term to the last.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Where the loop stands in the nest's code.
    pub at: usize,
    pub counter: Reg,
    /// The registers with the bounds of the loop, and the operations that compute them.
    pub from: Reg,
    pub to: Reg,
    pub bounds: Vec<Inst>,
    /// The dimensions along which the bounds change.
    pub limits: BTreeSet<usize>,
    /// The register that the chain accumulates in, its type, and what it holds in front of the loop; `None`: an element of an array.
    pub acc: Reg,
    pub ty: Ty,
    pub start: Option<Value>,
    /// What a round does with the accumulator and the terms, none of which depends on the accumulator.
    pub next: Op,
    /// One term, or two that `next` multiplies.
    pub terms: Vec<Factor>,
}

/// What is known of a nest that is a contraction.
#[derive(Clone, Debug)]
pub struct Contraction {
    pub chain: Chain,
    /// The factor that does not change along the last dimension.
    pub left: Factor,
    /// The one that does.
    pub right: Factor,
    /// The dimension of the rows: the longest along which only the left factor changes. A matrix times a vector has none.
    pub row: Option<usize>,
}

/// What is known of the operations in front of the loop and in it.
struct Known<'a> {
    nest: &'a Nest,
    counter: Reg,
    /// The operation that writes a register, if it is only one.
    made: BTreeMap<Reg, &'a Inst>,
    twice: BTreeSet<Reg>,
    order: Vec<Reg>,
}

impl Contraction {
    /// How many terms an element has, where that is a number.
    pub fn count(&self) -> Option<i64> {
        self.range().map(|(from, to)| (to - from).max(0))
    }

    /// The first term and the end of the terms, where those are numbers.
    pub fn range(&self) -> Option<(i64, i64)> {
        let constant = |r: Reg| {
            self.chain.bounds.iter().find_map(|i| match i {
                Inst::Op { dst, op: Op::Const(v) } if *dst == r => v.as_int().map(|n| n as i64),
                _ => None,
            })
        };
        Some((constant(self.chain.from)?, constant(self.chain.to)?))
    }
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
    let chain = chain(nest)?;
    let [x, y] = &chain.terms[..] else { return None };
    if chain.start.is_some_and(|v| v != Value::float(chain.ty, 0.0)) || chain.limits.contains(&last) {
        return None;
    }
    let (left, right) = match (x.dims.contains(&last), y.dims.contains(&last)) {
        (false, true) => (x.clone(), y.clone()),
        (true, false) => (y.clone(), x.clone()),
        _ => return None,
    };
    let only_left = left.dims.iter().copied().filter(|d| !right.dims.contains(d) && !chain.limits.contains(d));
    let row = only_left.max_by_key(|&d| nest.domain.dims[d].len());
    Some(Contraction { chain, left, right, row })
}

/// The chain that a nest is, with any code around it: the only loop of a nest that stores.
pub fn chain(nest: &Nest) -> Option<Chain> {
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
    let [terms @ .., step, copy] = &terms[..] else { return None };
    let Inst::Op { dst: next, op } = step else { return None };
    let (acc, values) = match op {
        Op::Fma(x, y, acc) => (*acc, vec![*x, *y]),
        Op::Binary(op, acc, x) if !op.compares() => (*acc, vec![*x]),
        _ => return None,
    };
    if !matches!(copy, Inst::Op { dst, op: Op::Copy(r) } if *dst == acc && r == next) || values.contains(&acc) {
        return None;
    }
    let mut known = Known { nest, counter: *counter, made: BTreeMap::new(), twice: BTreeSet::new(), order: vec![] };
    body[..at].iter().chain(terms).try_for_each(|i| known.note(i, acc))?;
    let start = start_of(&body[..at], acc)?;
    let behind = &body[at + 1..];
    if terms.iter().chain(behind).any(|i| writes(i, acc)) {
        return None;
    }
    // What else a round leaves behind would be lost: another sum, the last term.
    let lost = |r: Reg| r != acc && writes(&body[at], r);
    let stored = |s: &Store| lost(s.value) || s.index.iter().flat_map(Affine::registers).any(lost);
    if behind.iter().any(|i| reads(nest, i, &lost)) || nest.stores.iter().any(stored) {
        return None;
    }
    let terms = values.into_iter().map(|v| known.factor(v)).collect::<Option<Vec<_>>>()?;
    let mut bounds = known.code(*from)?;
    known.code(*to)?.into_iter().for_each(|i| {
        if !bounds.contains(&i) {
            bounds.push(i);
        }
    });
    let mut limits = known.changes(*from)?;
    limits.extend(known.changes(*to)?);
    // What a point stores, another one must not read as its term.
    let written = |a: &AccessId| nest.operands[nest.accesses[a.0 as usize].operand.0 as usize].written;
    let reads = terms.iter().flat_map(|f| &f.code).any(|i| matches!(i, Inst::Op { op: Op::Load(a), .. } if written(a)));
    if reads {
        return None;
    }
    let ty = nest.code.regs[acc.0 as usize];
    Some(Chain { at, counter: *counter, from: *from, to: *to, bounds, limits, acc, ty, start, next: op.clone(), terms })
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

/// Whether an instruction reads a register that is asked for.
fn reads(nest: &Nest, inst: &Inst, asked: &dyn Fn(Reg) -> bool) -> bool {
    match inst {
        Inst::Op { op, .. } => nest.operands_of(op).into_iter().any(asked),
        Inst::Loop { from, to, body, .. } => asked(*from) || asked(*to) || body.iter().any(|i| reads(nest, i, asked)),
        Inst::If { cond, then, otherwise } => {
            asked(*cond) || then.iter().chain(otherwise).any(|i| reads(nest, i, asked))
        }
        Inst::Break => false,
    }
}

/// The constant that the accumulator is set to, once, in front of the loop; `None` inside: an element that is read there.
fn start_of(before: &[Inst], acc: Reg) -> Option<Option<Value>> {
    let sets: Vec<&Inst> = before.iter().filter(|i| writes(i, acc)).collect();
    let [Inst::Op { op: Op::Copy(start), .. }] = sets[..] else { return None };
    match before.iter().rfind(|i| matches!(i, Inst::Op { dst, .. } if dst == start))? {
        Inst::Op { op: Op::Const(v), .. } => Some(Some(*v)),
        Inst::Op { op: Op::Load(_), .. } => Some(None),
        _ => None,
    }
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
            open.extend(self.nest.operands_of(op));
        }
        Some(found)
    }

    fn code(&self, value: Reg) -> Option<Vec<Inst>> {
        let needed = self.needs(value)?;
        Some(self.order.iter().filter(|r| needed.contains(r)).map(|r| self.made[r].clone()).collect())
    }

    /// The dimensions along which a register changes.
    fn changes(&self, value: Reg) -> Option<BTreeSet<usize>> {
        let mut dims = BTreeSet::new();
        for r in self.needs(value)? {
            match self.made[&r] {
                Inst::Op { op: Op::Index(d), .. } => {
                    dims.insert(*d);
                }
                Inst::Op { op: Op::Load(a), .. } => {
                    let terms = self.nest.accesses[a.0 as usize].index.iter().flat_map(|x| &x.terms);
                    dims.extend(terms.filter_map(|t| if let Sym::Dim(d) = t.0 { Some(d) } else { None }));
                }
                _ => {}
            }
        }
        Some(dims)
    }

    fn factor(&self, value: Reg) -> Option<Factor> {
        Some(Factor { value, code: self.code(value)?, dims: self.changes(value)? })
    }
}

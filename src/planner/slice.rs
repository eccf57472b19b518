//! The part of a nest's code on which its results depend.
//!
//! Input: a nest from which stores, reductions or checks were taken away. Output: the same nest without the code, accesses and
//! operands that only those needed.

use crate::ir::kernel::*;
use std::collections::BTreeSet;

/// The registers on which some registers of a nest depend, themselves included.
pub fn needed_by(nest: &Nest, roots: impl IntoIterator<Item = Reg>) -> BTreeSet<Reg> {
    let mut needed: BTreeSet<Reg> = roots.into_iter().collect();
    loop {
        let before = needed.len();
        want(nest, &nest.code.body, &mut needed);
        if needed.len() == before {
            return needed;
        }
    }
}

/// Removes code on which no store, reduction or check depends, and then the accesses and operands that are left over.
pub fn keep_needed(nest: &mut Nest) {
    let results = nest.stores.iter().map(|s| s.value).chain(nest.reductions.iter().map(|r| r.value));
    let needed = needed_by(nest, results.chain(nest.checks.iter().map(|c| c.reg)));
    let mut body = std::mem::take(&mut nest.code.body);
    prune(&mut body, &needed);
    let mut used = BTreeSet::new();
    loads(&body, &mut used);
    let kept: Vec<AccessId> = used.into_iter().collect();
    let written: BTreeSet<OperandId> = nest.stores.iter().map(|s| s.operand).collect();
    let read = kept.iter().map(|a| nest.accesses[a.0 as usize].operand);
    let operands: BTreeSet<OperandId> = read.chain(written.iter().copied()).collect();
    let operands: Vec<OperandId> = operands.into_iter().collect();
    let at = |o: OperandId| OperandId(operands.iter().position(|p| *p == o).unwrap_or(0) as u32);
    nest.accesses = (kept.iter().map(|a| nest.accesses[a.0 as usize].clone()))
        .map(|a| Access { operand: at(a.operand), ..a })
        .collect();
    nest.stores.iter_mut().for_each(|s| s.operand = at(s.operand));
    nest.operands = (operands.iter().map(|o| (o, nest.operands[o.0 as usize].clone())))
        .map(|(id, o)| Operand { written: written.contains(id), ..o })
        .collect();
    renumber(&mut body, &kept);
    nest.code.body = body;
}

/// Adds what the needed registers depend on. Returns whether the list sets a needed one.
fn want(nest: &Nest, insts: &[Inst], needed: &mut BTreeSet<Reg>) -> bool {
    let mut any = false;
    for inst in insts {
        match inst {
            Inst::Op { dst, op } if needed.contains(dst) => {
                any = true;
                if let Op::Load(a) = op {
                    needed.extend(nest.accesses[a.0 as usize].counters.iter().map(|c| c.0));
                }
                needed.extend(crate::ir::kernel::operands_of(op));
            }
            Inst::Loop { from, to, body, .. } if want(nest, body, needed) => {
                any = true;
                needed.extend([*from, *to]);
            }
            Inst::If { cond, then, otherwise } => {
                let inside = want(nest, then, needed) | want(nest, otherwise, needed);
                if inside || breaks(then) || breaks(otherwise) {
                    any |= inside;
                    needed.insert(*cond);
                }
            }
            _ => {}
        }
    }
    any
}

fn breaks(insts: &[Inst]) -> bool {
    insts.iter().any(|i| match i {
        Inst::Break => true,
        Inst::If { then, otherwise, .. } => breaks(then) || breaks(otherwise),
        _ => false,
    })
}

/// Keeps what sets needed registers, and what leaves loops that do.
pub fn prune(insts: &mut Vec<Inst>, needed: &BTreeSet<Reg>) {
    insts.retain_mut(|inst| match inst {
        Inst::Op { dst, .. } => needed.contains(dst),
        Inst::Loop { body, .. } => {
            prune(body, needed);
            body.iter().any(|i| !matches!(i, Inst::Break))
        }
        Inst::If { then, otherwise, .. } => {
            prune(then, needed);
            prune(otherwise, needed);
            !then.is_empty() || !otherwise.is_empty()
        }
        Inst::Break => true,
    });
}

fn loads(insts: &[Inst], out: &mut BTreeSet<AccessId>) {
    for inst in insts {
        match inst {
            Inst::Op { op: Op::Load(a), .. } => {
                out.insert(*a);
            }
            Inst::Loop { body, .. } => loads(body, out),
            Inst::If { then, otherwise, .. } => {
                loads(then, out);
                loads(otherwise, out);
            }
            _ => {}
        }
    }
}

fn renumber(insts: &mut [Inst], kept: &[AccessId]) {
    for inst in insts {
        match inst {
            Inst::Op { op: Op::Load(a), .. } => {
                *a = AccessId(kept.iter().position(|k| k == a).unwrap_or(0) as u32);
            }
            Inst::Loop { body, .. } => renumber(body, kept),
            Inst::If { then, otherwise, .. } => {
                renumber(then, kept);
                renumber(otherwise, kept);
            }
            _ => {}
        }
    }
}

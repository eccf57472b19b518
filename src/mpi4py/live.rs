//! Which registers a script needs, and how often each is read: what is read once stands where it is used.

use super::code::Writer;
use crate::ir::kernel::{Argument, BinaryOp, Inst, Op, Reg};
use std::collections::{BTreeMap, BTreeSet};

impl Writer<'_> {
    /// Counts how often each register that matters is read.
    pub(super) fn count(&mut self, roots: &[Reg]) {
        let mut live: BTreeSet<Reg> = roots.iter().copied().collect();
        loop {
            let before = live.len();
            self.mark(&self.code.body, &mut live);
            if live.len() == before {
                break;
            }
        }
        let mut uses: BTreeMap<Reg, usize> = live.iter().map(|r| (*r, 0)).collect();
        roots.iter().for_each(|r| *uses.entry(*r).or_default() += 1);
        let mut called = BTreeSet::new();
        self.tally(&self.code.body, &live, &mut called, &mut uses);
        self.uses = uses;
    }

    fn mark(&self, body: &[Inst], live: &mut BTreeSet<Reg>) {
        for inst in body {
            match inst {
                Inst::Op { dst, op } if live.contains(dst) => live.extend(self.reads(*dst, op)),
                Inst::Op { .. } | Inst::Break => {}
                Inst::If { cond, then, otherwise } => {
                    self.mark(then, live);
                    self.mark(otherwise, live);
                    if [then, otherwise].iter().any(|b| self.matters(b, live)) {
                        live.insert(*cond);
                    }
                }
                Inst::Loop { from, to, body, .. } => {
                    self.mark(body, live);
                    if self.matters(body, live) {
                        live.extend([*from, *to]);
                    }
                }
            }
        }
    }

    fn tally(&self, body: &[Inst], live: &BTreeSet<Reg>, called: &mut BTreeSet<Reg>, uses: &mut BTreeMap<Reg, usize>) {
        for inst in body {
            let mut read = |r: Reg| *uses.entry(r).or_default() += 1;
            match inst {
                Inst::Op { dst, op } if live.contains(dst) => {
                    if self.calls.contains_key(dst) && !called.insert(*dst) {
                        continue;
                    }
                    match op {
                        // A square names its operand once.
                        Op::Binary(BinaryOp::Mul, a, b) if a == b => read(*a),
                        _ => self.reads(*dst, op).into_iter().for_each(&mut read),
                    }
                }
                Inst::If { cond, then, otherwise } if self.matters(then, live) || self.matters(otherwise, live) => {
                    // Once a register that the branches set.
                    read(*cond);
                    read(*cond);
                    self.tally(then, live, called, uses);
                    self.tally(otherwise, live, called, uses);
                }
                Inst::Loop { from, to, body, .. } if self.matters(body, live) => {
                    read(*from);
                    read(*to);
                    self.tally(body, live, called, uses);
                }
                _ => {}
            }
        }
    }

    /// The registers that an operation, or the function that it is the end of, reads.
    pub(super) fn reads(&self, dst: Reg, op: &Op) -> Vec<Reg> {
        if let Some(call) = self.calls.get(&dst) {
            return call.args.iter().filter_map(|a| if let Argument::Reg(r) = a { Some(*r) } else { None }).collect();
        }
        match op {
            Op::Const(_) | Op::Index(_) | Op::Scalar(_) | Op::Load(_) => vec![],
            Op::Copy(a) | Op::Table { index: a, .. } | Op::Unary(_, a) | Op::Cast(a) | Op::Bits(a) => vec![*a],
            Op::Binary(_, a, b) => vec![*a, *b],
            Op::Fma(a, b, c) | Op::Select(a, b, c) => vec![*a, *b, *c],
        }
    }

    /// Whether instructions set a register that matters.
    fn matters(&self, body: &[Inst], live: &BTreeSet<Reg>) -> bool {
        body.iter().any(|i| match i {
            Inst::Op { dst, .. } => live.contains(dst),
            Inst::If { then, otherwise, .. } => self.matters(then, live) || self.matters(otherwise, live),
            Inst::Loop { body, .. } => self.matters(body, live),
            Inst::Break => true,
        })
    }

    pub(super) fn lives(&self, body: &[Inst]) -> bool {
        let live = self.uses.keys().copied().collect();
        self.matters(body, &live)
    }
}

//! Which registers of a nest are equal for all points of a row, so that a block of points needs them once.

use crate::codegen::c_nest::Writer;
use crate::ir::kernel::{Inst, Op, Reg, Sym};

/// Which registers are equal for all points of a row.
pub struct Facts<'a> {
    w: &'a Writer<'a>,
    defs: Vec<usize>,
    pub uniform: Vec<bool>,
}

impl<'a> Facts<'a> {
    pub fn new(w: &'a Writer<'a>) -> Facts<'a> {
        let n = w.nest.code.regs.len();
        let mut facts = Facts { w, defs: vec![0; n], uniform: vec![false; n] };
        facts.count(&w.nest.code.body);
        facts.find(&w.nest.code.body);
        facts
    }

    fn count(&mut self, insts: &[Inst]) {
        for inst in insts {
            match inst {
                Inst::Op { dst, .. } => self.defs[dst.0 as usize] += 1,
                Inst::If { then, otherwise, .. } => {
                    self.count(then);
                    self.count(otherwise);
                }
                Inst::Loop { counter, body, .. } => {
                    self.defs[counter.0 as usize] += 1;
                    self.count(body);
                }
                Inst::Break => {}
            }
        }
    }

    /// Registers written once, where all points are, from equal values.
    fn find(&mut self, insts: &[Inst]) {
        for inst in insts {
            match inst {
                Inst::Op { dst, op } => self.uniform[dst.0 as usize] = self.defs[dst.0 as usize] == 1 && self.equal(op),
                Inst::Loop { counter, body, .. } if self.together(inst) => {
                    self.uniform[counter.0 as usize] = true;
                    self.find(body);
                }
                _ => {}
            }
        }
    }

    pub fn is(&self, r: Reg) -> bool {
        self.uniform[r.0 as usize]
    }

    fn equal(&self, op: &Op) -> bool {
        let last = self.w.last();
        match op {
            Op::Index(d) => Some(*d) != last,
            Op::Load(id) => {
                let terms = self.w.nest.accesses[id.0 as usize].index.iter().flat_map(|a| &a.terms);
                terms.into_iter().all(|&(sym, _)| match sym {
                    Sym::Dim(d) => Some(d) != last,
                    Sym::Counter(r) => self.is(r),
                    Sym::Scalar(_) => true,
                })
            }
            op => self.w.nest.operands_of(op).into_iter().all(|r| self.is(r)),
        }
    }

    /// Whether all points of a row run this loop in step.
    pub fn together(&self, inst: &Inst) -> bool {
        let Inst::Loop { counter, from, to, body, .. } = inst else { return false };
        self.is(*from) && self.is(*to) && self.defs[counter.0 as usize] == 1 && !breaks(body)
    }

    pub fn has_loop(&self, insts: &[Inst]) -> bool {
        insts.iter().any(|inst| self.together(inst))
    }
}

fn breaks(insts: &[Inst]) -> bool {
    insts.iter().any(|inst| match inst {
        Inst::Break => true,
        Inst::If { then, otherwise, .. } => breaks(then) || breaks(otherwise),
        _ => false,
    })
}

//! Integers that are known to be small, such as counts of hits: a thread adds some in 32 bits before it adds to its key of 64.

use std::collections::BTreeMap;

use crate::ir::kernel::{BinaryOp, Code, Inst, Op, Reg};
use crate::ir::ty::Ty;

/// How far back a value is followed.
const DEPTH: u32 = 32;

/// Where each register gets its value, if that is one place that always runs.
struct Sources<'a> {
    code: &'a Code,
    of: BTreeMap<Reg, Option<&'a Op>>,
}

/// The least and the most that an integer or truth value can be, where that follows from constants and choices alone.
pub fn range(code: &Code, reg: Reg) -> Option<(i64, i64)> {
    let mut sources = Sources { code, of: BTreeMap::new() };
    sources.collect(&code.body, true);
    sources.range(reg, DEPTH)
}

impl<'a> Sources<'a> {
    fn collect(&mut self, body: &'a [Inst], always: bool) {
        for inst in body {
            match inst {
                Inst::Op { dst, op } => {
                    let first = !self.of.contains_key(dst);
                    self.of.insert(*dst, (first && always).then_some(op));
                }
                Inst::Loop { counter, body, .. } => {
                    self.of.insert(*counter, None);
                    self.collect(body, false);
                }
                Inst::If { then, otherwise, .. } => {
                    self.collect(then, false);
                    self.collect(otherwise, false);
                }
                Inst::Break => {}
            }
        }
    }

    fn range(&self, reg: Reg, depth: u32) -> Option<(i64, i64)> {
        let ty = self.code.regs[reg.0 as usize];
        if ty == Ty::Bool {
            return Some((0, 1));
        }
        let of = |r: &Reg| self.range(*r, depth.checked_sub(1)?);
        let (lo, hi) = match self.of.get(&reg).copied().flatten()? {
            Op::Const(v) => {
                let v = i64::try_from(v.as_int()?).ok()?;
                (v, v)
            }
            Op::Copy(a) | Op::Cast(a) if ty.is_int() => of(a)?,
            Op::Select(_, a, b) => {
                let (a, b) = (of(a)?, of(b)?);
                (a.0.min(b.0), a.1.max(b.1))
            }
            Op::Binary(BinaryOp::Add, a, b) => {
                let (a, b) = (of(a)?, of(b)?);
                (a.0.checked_add(b.0)?, a.1.checked_add(b.1)?)
            }
            Op::Binary(BinaryOp::Sub, a, b) => {
                let (a, b) = (of(a)?, of(b)?);
                (a.0.checked_sub(b.1)?, a.1.checked_sub(b.0)?)
            }
            _ => return None,
        };
        // Nothing wrapped around, in any integer type.
        let least = if matches!(ty, Ty::I32 | Ty::I64) { i64::from(i32::MIN) } else { 0 };
        (lo >= least && hi <= i64::from(i32::MAX)).then_some((lo, hi))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::ty::Value;

    fn code(ops: Vec<(Ty, Op)>) -> Code {
        let body = ops.iter().enumerate().map(|(k, (_, op))| Inst::Op { dst: Reg(k as u32), op: op.clone() });
        Code { body: body.collect(), regs: ops.iter().map(|o| o.0).collect(), ..Code::default() }
    }

    #[test]
    fn ranges_follow_choices_and_sums() {
        let int = |v: i64| Op::Const(Value { ty: Ty::I64, bits: v as u64 });
        let ops = vec![
            (Ty::I64, int(3)),
            (Ty::I64, int(-2)),
            (Ty::Bool, Op::Binary(BinaryOp::Lt, Reg(0), Reg(1))),
            (Ty::I64, Op::Select(Reg(2), Reg(0), Reg(1))),
            (Ty::I64, Op::Cast(Reg(2))),
            (Ty::I64, Op::Binary(BinaryOp::Add, Reg(3), Reg(4))),
            (Ty::I64, Op::Binary(BinaryOp::Sub, Reg(1), Reg(5))),
            (Ty::U32, Op::Cast(Reg(1))),
            (Ty::I64, Op::Index(0)),
            (Ty::I64, Op::Binary(BinaryOp::Add, Reg(8), Reg(0))),
        ];
        let code = code(ops);
        let got: Vec<_> = (2..10).map(|r| range(&code, Reg(r))).collect();
        let some = |lo, hi| Some((lo, hi));
        assert_eq!(got, [some(0, 1), some(-2, 3), some(0, 1), some(-2, 4), some(-6, 0), None, None, None]);
    }

    #[test]
    fn what_is_set_twice_or_perhaps_has_none() {
        let one = |r: u32| Inst::Op { dst: Reg(r), op: Op::Const(Value { ty: Ty::I64, bits: 1 }) };
        let perhaps = Inst::If { cond: Reg(3), then: vec![one(1)], otherwise: vec![] };
        let body = vec![one(0), one(0), perhaps, one(2)];
        let code = Code { regs: vec![Ty::I64, Ty::I64, Ty::I64, Ty::Bool], body, ..Code::default() };
        assert_eq!([0, 1, 2].map(|r| range(&code, Reg(r))), [None, None, Some((1, 1))]);
    }
}

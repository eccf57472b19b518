//! Evaluates code one point at a time: the workflow's scalar expressions, and the reference that tests compare with.

use crate::ir::elem;
use crate::ir::kernel::{AccessId, Code, Inst, Op, Reg, Table};

/// What code at one point of a domain can see besides scalars and tables.
pub trait Point {
    /// The global index of a domain dimension.
    fn index(&mut self, dim: usize) -> i64;
    /// The bits of the element that an access reads; `regs` holds the loop counters.
    fn load(&mut self, access: AccessId, regs: &[u64]) -> u64;
}

/// No point: scalar code has neither indices nor loads (both give 0).
pub struct NoPoint;

impl Point for NoPoint {
    fn index(&mut self, _: usize) -> i64 {
        0
    }
    fn load(&mut self, _: AccessId, _: &[u64]) -> u64 {
        0
    }
}

/// Runs scalar code. The registers' final bits are left in `regs`, whose memory is reused.
pub fn eval(code: &Code, scalars: &[u64], tables: &[Table], regs: &mut Vec<u64>) {
    eval_at(code, scalars, tables, regs, &mut NoPoint);
}

/// Runs code at a point.
pub fn eval_at(code: &Code, scalars: &[u64], tables: &[Table], regs: &mut Vec<u64>, point: &mut dyn Point) {
    regs.clear();
    regs.resize(code.regs.len(), 0);
    Machine { code, scalars, tables, regs, point }.block(&code.body);
}

struct Machine<'a> {
    code: &'a Code,
    scalars: &'a [u64],
    tables: &'a [Table],
    regs: &'a mut [u64],
    point: &'a mut dyn Point,
}

/// Whether a block ran to its end or left its loop.
#[derive(PartialEq)]
enum Flow {
    Next,
    Left,
}

impl Machine<'_> {
    fn get(&self, r: Reg) -> u64 {
        self.regs[r.0 as usize]
    }

    fn block(&mut self, insts: &[Inst]) -> Flow {
        for inst in insts {
            match inst {
                Inst::Op { dst, op } => {
                    let bits = self.op(*dst, op);
                    self.regs[dst.0 as usize] = bits;
                }
                Inst::If { cond, then, otherwise } => {
                    let taken = if self.get(*cond) != 0 { then } else { otherwise };
                    if self.block(taken) == Flow::Left {
                        return Flow::Left;
                    }
                }
                Inst::Loop { counter, from, to, by, body } => {
                    let (from, to) = (self.get(*from) as i64, self.get(*to) as i64);
                    for k in 0..trips(from, to, *by) {
                        let at = from.wrapping_add((k as i64).wrapping_mul(*by));
                        self.regs[counter.0 as usize] = at as u64;
                        if self.block(body) == Flow::Left {
                            break;
                        }
                    }
                }
                Inst::Break => return Flow::Left,
            }
        }
        Flow::Next
    }

    fn op(&mut self, dst: Reg, op: &Op) -> u64 {
        let ty_of = |r: &Reg| self.code.regs[r.0 as usize];
        let ty = ty_of(&dst);
        match op {
            Op::Const(v) => v.bits,
            Op::Copy(a) | Op::Bits(a) => self.get(*a),
            Op::Index(d) => self.point.index(*d) as u64,
            Op::Scalar(id) => self.scalars[id.0 as usize],
            Op::Load(access) => self.point.load(*access, self.regs),
            Op::Table { table, index } => table_entry(&self.tables[table.0 as usize], self.get(*index) as i64),
            Op::Unary(op, a) => elem::unary(*op, ty, self.get(*a)),
            Op::Binary(op, a, b) => elem::binary(*op, ty_of(a), self.get(*a), self.get(*b)),
            Op::Fma(a, b, c) => elem::fma(ty, self.get(*a), self.get(*b), self.get(*c)),
            Op::Select(c, a, b) => self.get(if self.get(*c) != 0 { *a } else { *b }),
            Op::Cast(a) => elem::cast(ty_of(a), ty, self.get(*a)),
        }
    }
}

/// The bits of a table's entry, 0 outside (which the checker has excluded).
pub fn table_entry(table: &Table, index: i64) -> u64 {
    usize::try_from(index).ok().and_then(|i| table.values.get(i)).map_or(0, |v| v.bits)
}

/// How often a loop runs, whatever its bounds.
pub fn trips(from: i64, to: i64, by: i64) -> u64 {
    if from < to { (to as u64).wrapping_sub(from as u64).wrapping_sub(1) / by.max(1) as u64 + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::kernel::BinaryOp;
    use crate::ir::ty::{Ty, Value};

    #[test]
    fn a_loop_with_a_break() {
        // sum = 0; for k in 0..10 by 3: if sum > 5 { break }; sum += k
        let r = Reg;
        let op = |dst, op| Inst::Op { dst: r(dst), op };
        let int = |v| Op::Const(Value::i64(v));
        let code = Code {
            regs: vec![Ty::I64, Ty::I64, Ty::I64, Ty::I64, Ty::I64, Ty::Bool],
            calls: vec![],
            body: vec![
                op(0, int(0)),
                op(1, int(0)),
                op(2, int(10)),
                op(3, int(5)),
                Inst::Loop {
                    counter: r(4),
                    from: r(1),
                    to: r(2),
                    by: 3,
                    body: vec![
                        op(5, Op::Binary(BinaryOp::Gt, r(0), r(3))),
                        Inst::If { cond: r(5), then: vec![Inst::Break], otherwise: vec![] },
                        op(0, Op::Binary(BinaryOp::Add, r(0), r(4))),
                    ],
                },
            ],
        };
        let mut regs = vec![];
        eval(&code, &[], &[], &mut regs);
        assert_eq!((regs[0], regs[4]), (9, 9));
    }

    #[test]
    fn trip_counts() {
        assert_eq!(trips(0, 10, 3), 4);
        assert_eq!(trips(5, 5, 1), 0);
        assert_eq!(trips(i64::MIN, i64::MAX, 1), u64::MAX);
    }
}

//! Nests that check computed subscripts before they are used.
//!
//! Input: nests whose accesses have [`Check`]s. Output: for each such nest two more over the same points on the same ranks. The
//! first finds the lowest point with a subscript outside of its array; the second, which runs only then, that subscript. Both
//! are the nest's own code, less what does not decide its subscripts. A subscript that is outside is moved inside before the
//! element is read, so they are safe themselves.

use super::slice::keep_needed;
use crate::ir::index_box::Interval;
use crate::ir::kernel::*;
use crate::ir::plan::{Plan, PlanNest, PlanNestId};
use crate::ir::program::{PrintPart, Scalar};
use crate::ir::ty::{Ty, Value};
use std::collections::BTreeMap;

/// The checks of one nest.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Finds `first`: the number of the lowest point times the number of checks, plus the number of the check that fails
    /// there; `i64::MAX` if none does.
    pub find: PlanNestId,
    pub first: ScalarId,
    /// Finds `value`, the subscript at `first`.
    pub report: PlanNestId,
    pub value: ScalarId,
    pub checks: Vec<Check>,
}

/// Adds the guards of all nests that need one.
pub fn guard_reads(plan: &mut Plan) -> BTreeMap<PlanNestId, Guard> {
    let mut out = BTreeMap::new();
    for n in 0..plan.nests.len() {
        if all_checks(&plan.nests[n].nest).next().is_some() {
            let guard = guard(plan, n);
            out.insert(PlanNestId(n as u32), guard);
        }
    }
    out
}

/// The checks of a nest in the order of their numbers.
fn all_checks(nest: &Nest) -> impl Iterator<Item = &Check> {
    nest.accesses.iter().flat_map(|a| &a.checks).chain(&nest.checks)
}

fn guard(plan: &mut Plan, n: usize) -> Guard {
    let main = plan.nests[n].clone();
    let checks: Vec<Check> = all_checks(&main.nest).cloned().collect();
    let mut scalar = || {
        plan.program.scalars.push(Scalar { name: String::new(), ty: Ty::I64, complex: false });
        ScalarId(plan.program.scalars.len() as u32 - 1)
    };
    let (first, value) = (scalar(), scalar());
    let mut add = |seek: Option<ScalarId>, into| {
        let nest = Rewriter::new(&main.nest, checks.len() as i64, seek).finish(into);
        plan.nests.push(PlanNest::new(nest, main.home.clone()));
        PlanNestId(plan.nests.len() as u32 - 1)
    };
    Guard { find: add(None, first), report: add(Some(first), value), first, value, checks }
}

impl Guard {
    /// What the report of check `k` says; `place` are the subscripts of the element that was being computed.
    pub fn text(&self, k: usize, computed: &str, place: &[ScalarId]) -> Vec<PrintPart> {
        let c = &self.checks[k];
        let mut out = vec![
            PrintPart::Text(format!("subscript `{}` of `{}` is ", c.text, c.array)),
            PrintPart::Scalar { id: self.value, format: None },
            PrintPart::Text(format!(", and the extent is {}", c.extent)),
        ];
        for (d, &id) in place.iter().enumerate() {
            let before = match d {
                0 if computed.is_empty() => " (at [".into(),
                0 => format!(" (for {computed}["),
                _ => ", ".into(),
            };
            out.extend([PrintPart::Text(before), PrintPart::Scalar { id, format: None }]);
        }
        if !place.is_empty() {
            out.push(PrintPart::Text("])".into()));
        }
        out
    }

    /// Code that works out which check failed and the subscripts of the element being computed; its results are, in order:
    /// whether each check held, then the subscripts.
    pub fn place(&self, nest: &Nest) -> (Code, Vec<Reg>) {
        let mut c = Writer::default();
        let first = c.op(Ty::I64, Op::Scalar(self.first));
        let checks = c.int(self.checks.len() as i64);
        let point = c.op(Ty::I64, Op::Binary(BinaryOp::IntDiv, first, checks));
        let which = c.op(Ty::I64, Op::Binary(BinaryOp::Mod, first, checks));
        let mut out = vec![];
        for k in 0..self.checks.len() {
            let k = c.int(k as i64);
            out.push(c.op(Ty::Bool, Op::Binary(BinaryOp::Ne, which, k)));
        }
        let mut dims = vec![];
        for (dim, stride) in nest.domain.dims.iter().zip(strides(&nest.domain.dims)) {
            let (stride, len, lo) = (c.int(stride), c.int(dim.len()), c.int(dim.lo));
            let q = c.op(Ty::I64, Op::Binary(BinaryOp::IntDiv, point, stride));
            let q = c.op(Ty::I64, Op::Binary(BinaryOp::Mod, q, len));
            dims.push(c.op(Ty::I64, Op::Binary(BinaryOp::Add, q, lo)));
        }
        let own: Vec<Affine> = (0..dims.len()).map(|d| Affine::sym(Sym::Dim(d))).collect();
        let subscripts = nest.stores.first().map_or(&own, |s| &s.index);
        for a in subscripts {
            let mut sum = c.int(a.konst);
            for &(sym, k) in &a.terms {
                let k = c.int(k);
                let v = match sym {
                    Sym::Dim(d) => dims[d],
                    Sym::Scalar(id) => c.op(Ty::I64, Op::Scalar(id)),
                    Sym::Counter(_) => continue,
                };
                let v = c.op(Ty::I64, Op::Binary(BinaryOp::Mul, v, k));
                sum = c.op(Ty::I64, Op::Binary(BinaryOp::Add, sum, v));
            }
            out.push(sum);
        }
        (c.code, out)
    }
}

/// Row-major strides of the points of a domain.
fn strides(dims: &[Interval]) -> Vec<i64> {
    let mut out = vec![1; dims.len()];
    for d in (1..dims.len()).rev() {
        out[d - 1] = out[d] * dims[d].len().max(1);
    }
    out
}

/// Code in the making.
#[derive(Default)]
struct Writer {
    code: Code,
}

impl Writer {
    fn reg(&mut self, ty: Ty) -> Reg {
        self.code.regs.push(ty);
        Reg(self.code.regs.len() as u32 - 1)
    }
    fn op(&mut self, ty: Ty, op: Op) -> Reg {
        let dst = self.reg(ty);
        self.code.body.push(Inst::Op { dst, op });
        dst
    }
    fn int(&mut self, v: i64) -> Reg {
        self.op(Ty::I64, Op::Const(Value::i64(v)))
    }
}

/// Writes a guard from a nest's code.
struct Rewriter {
    nest: Nest,
    w: Writer,
    /// The point's number times the number of checks.
    base: Reg,
    /// What is found so far.
    found: Reg,
    /// The number of each access's first check.
    numbers: Vec<i64>,
    /// The point and check whose subscript is looked for, as a register.
    seek: Option<Reg>,
}

impl Rewriter {
    fn new(main: &Nest, checks: i64, seek: Option<ScalarId>) -> Rewriter {
        let mut w = Writer { code: Code { regs: main.code.regs.clone(), ..Code::default() } };
        let mut base = w.int(0);
        for (d, stride) in strides(&main.domain.dims).into_iter().enumerate() {
            let (stride, lo) = (w.int(stride * checks), w.int(main.domain.dims[d].lo));
            let i = w.op(Ty::I64, Op::Index(d));
            let i = w.op(Ty::I64, Op::Binary(BinaryOp::Sub, i, lo));
            let i = w.op(Ty::I64, Op::Binary(BinaryOp::Mul, i, stride));
            base = w.op(Ty::I64, Op::Binary(BinaryOp::Add, base, i));
        }
        let found = w.reg(Ty::I64);
        let start = w.int(if seek.is_some() { i64::MIN } else { i64::MAX });
        w.code.body.push(Inst::Op { dst: found, op: Op::Copy(start) });
        let seek = seek.map(|s| w.op(Ty::I64, Op::Scalar(s)));
        let mut next = 0;
        let numbers = main.accesses.iter().map(|a| {
            let number = next;
            next += a.checks.len() as i64;
            number
        });
        let numbers = numbers.collect();
        Rewriter { nest: main.clone(), w, base, found, numbers, seek }
    }

    fn finish(mut self, into: ScalarId) -> Nest {
        let body = std::mem::take(&mut self.nest.code.body);
        self.block(&body);
        let op = if self.seek.is_some() { FoldOp::Max } else { FoldOp::Min };
        let Rewriter { mut nest, w, found, .. } = self;
        nest.code = w.code;
        nest.name = format!("check of {}", nest.name);
        nest.stores.clear();
        nest.reductions = vec![Reduction { op, value: found, into }];
        nest.leaf = vec![1; nest.domain.rank()];
        nest.checks.clear();
        nest.accesses.iter_mut().for_each(|a| a.checks.clear());
        keep_needed(&mut nest);
        nest
    }

    fn block(&mut self, insts: &[Inst]) {
        for inst in insts {
            match inst {
                Inst::Op { op: Op::Load(a), .. } => {
                    let checks = self.nest.accesses[a.0 as usize].checks.clone();
                    for (k, check) in checks.iter().enumerate() {
                        self.check(check, self.numbers[a.0 as usize] + k as i64);
                    }
                    self.w.code.body.push(inst.clone());
                }
                Inst::Op { dst, op: Op::Copy(_) } => {
                    self.w.code.body.push(inst.clone());
                    let first = all_checks(&self.nest).count() - self.nest.checks.len();
                    let own = self.nest.checks.iter().position(|c| c.reg == *dst);
                    if let Some(k) = own {
                        let check = self.nest.checks[k].clone();
                        self.check(&check, (first + k) as i64);
                    }
                }
                Inst::Op { .. } | Inst::Break => self.w.code.body.push(inst.clone()),
                Inst::Loop { counter, from, to, by, body } => {
                    let body = self.inner(body);
                    let (counter, from, to, by) = (*counter, *from, *to, *by);
                    self.w.code.body.push(Inst::Loop { counter, from, to, by, body });
                }
                Inst::If { cond, then, otherwise } => {
                    let (then, otherwise) = (self.inner(then), self.inner(otherwise));
                    self.w.code.body.push(Inst::If { cond: *cond, then, otherwise });
                }
            }
        }
    }

    fn inner(&mut self, insts: &[Inst]) -> Vec<Inst> {
        let outer = std::mem::take(&mut self.w.code.body);
        self.block(insts);
        std::mem::replace(&mut self.w.code.body, outer)
    }

    /// Notes a subscript that is outside, and moves it inside.
    fn check(&mut self, &Check { reg, extent, .. }: &Check, number: i64) {
        let w = &mut self.w;
        let (zero, extent, number) = (w.int(0), w.int(extent), w.int(number));
        let low = w.op(Ty::Bool, Op::Binary(BinaryOp::Lt, reg, zero));
        let high = w.op(Ty::Bool, Op::Binary(BinaryOp::Ge, reg, extent));
        let mut outside = w.op(Ty::Bool, Op::Binary(BinaryOp::Or, low, high));
        let key = w.op(Ty::I64, Op::Binary(BinaryOp::Add, self.base, number));
        let (op, candidate) = match self.seek {
            None => (BinaryOp::Min, key),
            Some(seek) => {
                let same = w.op(Ty::Bool, Op::Binary(BinaryOp::Eq, key, seek));
                outside = w.op(Ty::Bool, Op::Binary(BinaryOp::And, outside, same));
                (BinaryOp::Max, reg)
            }
        };
        let better = w.op(Ty::I64, Op::Binary(op, self.found, candidate));
        let next = w.op(Ty::I64, Op::Select(outside, better, self.found));
        w.code.body.push(Inst::Op { dst: self.found, op: Op::Copy(next) });
        let one = w.int(1);
        let last = w.op(Ty::I64, Op::Binary(BinaryOp::Sub, extent, one));
        let inside = w.op(Ty::I64, Op::Binary(BinaryOp::Max, reg, zero));
        let inside = w.op(Ty::I64, Op::Binary(BinaryOp::Min, inside, last));
        w.code.body.push(Inst::Op { dst: reg, op: Op::Copy(inside) });
    }
}

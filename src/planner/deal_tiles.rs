//! Nests that run where dealt tiles live count positions instead of indices.
//!
//! Input: nests whose home is a layout with dealt tiles. Output: the same nests over positions ([`crate::ir::layout::Cuts`]), in which
//! every rank's part is a box. What stays a subscript `i + c` is stored by positions too, in the array itself or in a view of the
//! nest's own; where the code or any other subscript uses the index, a register holds it, worked out from the position.

use crate::ir::index_box::Interval;
use crate::ir::kernel::*;
use crate::ir::layout::{Cuts, Layout};
use crate::ir::plan::{Deal, Dealt, Home, Plan};
use crate::ir::ty::{Ty, Value};

/// Rewrites all nests whose homes are dealt.
pub fn deal_tiles(plan: &mut Plan) {
    for n in 0..plan.nests.len() {
        let layouts = plan.nests[n].nest.operands.iter().map(|o| plan.array(o.array).layout.clone()).collect();
        let p = &mut plan.nests[n];
        let Home::Owner { layout, index, dealt, .. } = &mut p.home else { continue };
        if !layout.is_dealt() {
            continue;
        }
        for (k, cuts) in layout.cuts.iter().enumerate() {
            let Some(cuts) = cuts.filter(Cuts::is_dealt) else { continue };
            let a = &mut index[k];
            match a.dim() {
                Some(dim) => dealt.push(Dealt { dim, cuts, shift: a.konst, range: p.nest.domain.dims[dim] }),
                // One element or row: `work_beside` leaves nothing else here.
                _ => {
                    a.konst = cuts.position(a.konst);
                    p.nest.stores.iter_mut().for_each(|s| s.index[k].konst = a.konst);
                }
            }
        }
        let mut t = Tiles { layout, home: index, dealt, layouts, indices: vec![] };
        t.rewrite(&mut p.nest);
    }
}

/// How the accesses of a nest with this home are stored along a dimension: as the nest counts, where its subscript is `i + c`.
pub fn deals(dealt: &[Dealt], access: &Access) -> Vec<Option<Deal>> {
    let deal = |a: &Affine| {
        let t = dealt.iter().find(|t| a.dim() == Some(t.dim))?;
        Some(Deal { cuts: t.cuts, shift: a.konst - t.shift, dim: t.dim })
    };
    access.index.iter().map(deal).collect()
}

struct Tiles<'a> {
    layout: &'a Layout,
    home: &'a [Affine],
    dealt: &'a [Dealt],
    /// Of the operands.
    layouts: Vec<Layout>,
    /// The registers that hold indices, and their dimensions.
    indices: Vec<(Reg, Dealt)>,
}

impl Tiles<'_> {
    fn rewrite(&mut self, nest: &mut Nest) {
        for t in self.dealt {
            nest.code.regs.push(Ty::I64);
            self.indices.push((Reg(nest.code.regs.len() as u32 - 1), *t));
        }
        let mut used = vec![false; self.dealt.len()];
        for a in &mut nest.accesses {
            let follows = self.follows(a);
            let layout = &self.layouts[a.operand.0 as usize];
            for (k, ix) in a.index.iter_mut().enumerate() {
                let shifted = ix.dim().is_some();
                let whole = layout.cuts[k].is_none_or(|c| c.parts == 1);
                if !shifted || (follows && whole) {
                    self.in_indices(ix, &mut used);
                }
            }
            let mut counters = std::mem::take(&mut a.counters);
            for (_, from, to) in &mut counters {
                self.in_indices(from, &mut used);
                self.in_indices(to, &mut used);
            }
            let ends = |(reg, t): &(Reg, Dealt)| {
                let r = a.within.dims[t.dim];
                (*reg, Affine::constant(r.lo), Affine::constant(r.hi))
            };
            a.counters = self.indices.iter().map(ends).chain(counters).collect();
            self.dealt.iter().for_each(|t| a.within.dims[t.dim] = positions(t));
        }
        self.code(&mut nest.code.body, &mut used);
        let mut prelude = Prelude { code: Code { regs: std::mem::take(&mut nest.code.regs), ..Code::default() } };
        for ((reg, t), _) in self.indices.iter().zip(&used).filter(|u| *u.1) {
            prelude.index(*reg, t);
        }
        nest.code.regs = prelude.code.regs;
        nest.code.body.splice(0..0, prelude.code.body);
        let used: Vec<Reg> = self.indices.iter().zip(&used).filter(|u| *u.1).map(|u| u.0.0).collect();
        let gone = |r: &Reg| self.indices.iter().any(|i| i.0 == *r) && !used.contains(r);
        nest.accesses.iter_mut().for_each(|a| a.counters.retain(|c| !gone(&c.0)));
        self.dealt.iter().for_each(|t| nest.domain.dims[t.dim] = positions(t));
        // Picked places are indices: along dealt dimensions all points are gone through.
        nest.only.retain(|(d, _)| self.dealt.iter().all(|t| t.dim != *d));
        self.split(nest);
    }

    /// Whether an access reads what lies with the point, as far as dealt dimensions go.
    fn follows(&self, a: &Access) -> bool {
        let layout = &self.layouts[a.operand.0 as usize];
        let dealt = |k: &usize| layout.cuts[*k].is_some_and(|c| c.is_dealt());
        layout == self.layout && (0..a.index.len()).filter(dealt).all(|k| a.index[k] == self.home[k])
    }

    /// The register of a dealt dimension's index.
    fn register(&self, dim: usize, used: &mut [bool]) -> Option<Reg> {
        let k = self.dealt.iter().position(|t| t.dim == dim)?;
        used[k] = true;
        Some(self.indices[k].0)
    }

    /// A subscript in terms of indices.
    fn in_indices(&self, a: &mut Affine, used: &mut [bool]) {
        for t in &mut a.terms {
            if let Sym::Dim(d) = t.0
                && let Some(r) = self.register(d, used)
            {
                t.0 = Sym::Counter(r);
            }
        }
        a.terms.sort();
    }

    fn code(&self, insts: &mut [Inst], used: &mut [bool]) {
        for inst in insts {
            match inst {
                Inst::Op { op, .. } => {
                    if let Op::Index(d) = op
                        && let Some(r) = self.register(*d, used)
                    {
                        *op = Op::Copy(r);
                    }
                }
                Inst::Loop { body, .. } => self.code(body, used),
                Inst::If { then, otherwise, .. } => {
                    self.code(then, used);
                    self.code(otherwise, used);
                }
                Inst::Break => {}
            }
        }
    }

    /// Reads of one array that are stored in different orders get operands of their own.
    fn split(&self, nest: &mut Nest) {
        for o in 0..nest.operands.len() {
            let of = |n: &Nest, k: usize| n.accesses[k].operand.0 as usize == o;
            let mut orders: Vec<(Vec<Option<Deal>>, OperandId)> = vec![];
            if nest.operands[o].written
                && let Some(s) = nest.stores.iter().find(|s| s.operand.0 as usize == o)
            {
                // What is written is read where it lies.
                let own: Vec<Option<Deal>> = (s.index.iter().zip(&self.layouts[o].cuts))
                    .map(|(ix, cut)| {
                        let dim = ix.dim().unwrap_or(0);
                        cut.filter(Cuts::is_dealt).map(|cuts| Deal { cuts, shift: 0, dim })
                    })
                    .collect();
                orders.push((own, OperandId(o as u32)));
            }
            for k in (0..nest.accesses.len()).filter(|&k| of(nest, k)).collect::<Vec<_>>() {
                let order = deals(self.dealt, &nest.accesses[k]);
                let known = orders.iter().find(|x| x.0 == order).map(|x| x.1);
                let operand = known.unwrap_or_else(|| {
                    let new = if orders.is_empty() {
                        OperandId(o as u32)
                    } else {
                        let operand = Operand { written: false, ..nest.operands[o].clone() };
                        nest.operands.push(operand);
                        OperandId(nest.operands.len() as u32 - 1)
                    };
                    orders.push((order, new));
                    new
                });
                nest.accesses[k].operand = operand;
            }
        }
    }
}

/// The positions that a dimension of a nest may count.
fn positions(t: &Dealt) -> Interval {
    Interval::new(-t.shift, t.cuts.extent - t.shift)
}

/// The code that works out indices.
struct Prelude {
    code: Code,
}

impl Prelude {
    fn op(&mut self, ty: Ty, op: Op) -> Reg {
        self.code.regs.push(ty);
        let dst = Reg(self.code.regs.len() as u32 - 1);
        self.code.body.push(Inst::Op { dst, op });
        dst
    }

    fn int(&mut self, v: i64) -> Reg {
        self.op(Ty::I64, Op::Const(Value::i64(v)))
    }

    fn with(&mut self, op: BinaryOp, a: Reg, b: i64) -> Reg {
        let b = self.int(b);
        self.op(if op.compares() { Ty::Bool } else { Ty::I64 }, Op::Binary(op, a, b))
    }

    fn both(&mut self, op: BinaryOp, a: Reg, b: Reg) -> Reg {
        self.op(Ty::I64, Op::Binary(op, a, b))
    }

    /// Sets a register to the index of a point: [`Cuts::index`] as code.
    fn index(&mut self, into: Reg, t: &Dealt) {
        use BinaryOp::*;
        let Cuts { extent, parts, tile, .. } = t.cuts;
        let (each, rest) = (extent / t.cuts.period() * tile, extent % t.cuts.period());
        let (more, last) = (rest / tile, rest % tile);
        // The first parts have a tile more than the last ones, and one between them part of a tile.
        let (end, end_last) = (more * (each + tile), more * (each + tile) + if last > 0 { each + last } else { 0 });
        let dim = self.op(Ty::I64, Op::Index(t.dim));
        let at = self.with(Add, dim, t.shift);
        let short = self.with(Sub, at, end_last);
        let short = self.with(IntDiv, short, each);
        let mut part = self.with(Add, short, more + i64::from(last > 0));
        if last > 0 {
            let (inside, more) = (self.with(Lt, at, end_last), self.int(more));
            part = self.op(Ty::I64, Op::Select(inside, more, part));
        }
        if more > 0 {
            let (inside, long) = (self.with(Lt, at, end), self.with(IntDiv, at, each + tile));
            part = self.op(Ty::I64, Op::Select(inside, long, part));
        }
        let start = self.with(Mul, part, each);
        let full = self.with(Mul, part, tile.min(extent));
        let full = self.with(Min, full, rest);
        let start = self.both(Add, start, full);
        let within = self.both(Sub, at, start);
        let round = self.with(IntDiv, within, tile);
        let round = self.with(Mul, round, parts);
        let number = self.both(Add, round, part);
        let first = self.with(Mul, number, tile);
        let inside = self.with(Mod, within, tile);
        let index = self.both(Add, first, inside);
        let index = self.with(Sub, index, t.shift);
        self.code.body.push(Inst::Op { dst: into, op: Op::Copy(index) });
    }
}

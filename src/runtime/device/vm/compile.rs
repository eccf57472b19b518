//! Kernel IR to bytecode.
//!
//! Input: a nest. Output: a [`Program`]. Invariant: an instruction that runs under a mask changes a register only where
//! the mask holds, unless the register is local to the masked block, where the other points never read it.

use crate::ir::kernel::{AccessId, Inst, Nest, Op, Reg};
use crate::ir::ty::Ty;
use crate::runtime::device::leaf::MAX_RANK;
use crate::runtime::device::vm::analyse::{BlockId, Facts, access_varies, analyse, breaks, counters};
use crate::runtime::device::vm::frame::stride;
use crate::runtime::device::vm::kernels::{self, CHUNK, Kernel};
use crate::runtime::device::vm::program::*;

/// Bytes of strips that should stay in the first-level cache, and the strip lengths allowed.
const CACHE: usize = 24 << 10;
const LONGEST: usize = 1024;
const SHORTEST: usize = 128;
/// Strips of loops that points leave one by one: short, so that few points wait for the last.
const DIVERGENT: usize = 64;

/// Compiles a nest. Fails only for code that no checker lets through.
pub fn compile(nest: &Nest) -> Result<Program, String> {
    if nest.domain.rank() > MAX_RANK {
        return Err(format!("`{}` has {} dimensions, more than {MAX_RANK}", nest.name, nest.domain.rank()));
    }
    let mut c = Compiler {
        nest,
        facts: analyse(nest),
        slots: vec![],
        strips: [0; 4],
        splats: 0,
        consts: vec![],
        prologue: vec![],
        early: vec![false; nest.code.regs.len()],
        body: vec![],
        labels: vec![],
        loops: vec![],
        next_block: 1,
        tmp: None,
    };
    c.allocate();
    c.block(&nest.code.body, Context { mask: ALL, masked: None, end: 0, around: None })?;
    c.body.push(Ins::End);
    c.finish()
}

/// Where an instruction stands.
#[derive(Clone, Copy)]
struct Context {
    mask: Slot,
    /// The innermost varying block.
    masked: Option<BlockId>,
    /// The label after that block.
    end: Label,
    /// The innermost loop: its live mask (`ALL` when points leave together) and its exit label.
    around: Option<(Slot, Label)>,
}

struct Compiler<'a> {
    nest: &'a Nest,
    facts: Facts,
    slots: Vec<SlotInfo>,
    strips: [usize; 4],
    splats: usize,
    consts: Vec<[u64; 8]>,
    prologue: Vec<(Slot, Uniform)>,
    /// Registers that the prologue computes.
    early: Vec<bool>,
    body: Vec<Ins>,
    labels: Vec<usize>,
    loops: Vec<LoopInfo>,
    next_block: BlockId,
    tmp: Option<Slot>,
}

impl Compiler<'_> {
    /// Gives every register a slot; varying registers whose lives do not overlap share strips.
    fn allocate(&mut self) {
        let mut order: Vec<usize> = (0..self.nest.code.regs.len()).collect();
        order.sort_by_key(|&r| self.facts.regs[r].live.map(|l| l.0));
        let mut homes = vec![Home::Splat(0); order.len()];
        let mut active: [Vec<(u32, usize)>; 4] = Default::default();
        let mut free: [Vec<usize>; 4] = Default::default();
        for r in order {
            let ty = self.nest.code.regs[r];
            let Some((lo, hi)) = self.facts.regs[r].live else { continue };
            if !self.facts.regs[r].varying {
                homes[r] = self.splat_home();
                continue;
            }
            let g = group(ty);
            // A result may share with an operand that dies here: loops read a chunk before they write it.
            active[g].retain(|&(end, index)| {
                if end <= lo {
                    free[g].push(index);
                }
                end > lo
            });
            let index = free[g].pop().unwrap_or_else(|| {
                self.strips[g] += 1;
                self.strips[g] - 1
            });
            active[g].push((hi, index));
            homes[r] = Home::Strip { index };
        }
        self.slots = self.nest.code.regs.iter().zip(homes).map(|(&ty, home)| SlotInfo { ty, home }).collect();
    }

    fn splat_home(&mut self) -> Home {
        self.splats += 1;
        Home::Splat((self.splats - 1) * CHUNK * 8)
    }

    fn slot(&mut self, ty: Ty, home: Home) -> Slot {
        self.slots.push(SlotInfo { ty, home });
        self.slots.len() as Slot - 1
    }

    /// A strip that shares with no other.
    fn strip(&mut self, ty: Ty) -> Slot {
        let g = group(ty);
        self.strips[g] += 1;
        let index = self.strips[g] - 1;
        self.slot(ty, Home::Strip { index })
    }

    fn label(&mut self) -> Label {
        self.labels.push(usize::MAX);
        self.labels.len() - 1
    }

    fn place(&mut self, label: Label) {
        self.labels[label] = self.body.len();
    }

    fn ty(&self, r: Reg) -> Ty {
        self.nest.code.regs[r.0 as usize]
    }

    fn block(&mut self, insts: &[Inst], ctx: Context) -> Result<(), String> {
        for (i, inst) in insts.iter().enumerate() {
            match inst {
                Inst::Op { dst, op } => self.op(*dst, op, ctx)?,
                Inst::If { cond, then, otherwise } => self.branch(*cond, then, otherwise, ctx)?,
                Inst::Loop { counter, from, to, by, body } => self.repeat(*counter, *from, *to, *by, body, ctx)?,
                Inst::Break => {
                    match ctx.around {
                        Some((ALL, exit)) => self.body.push(Ins::Jump(exit)),
                        Some((live, _)) => self.body.push(Ins::And { mask: live, other: ctx.mask, not: true }),
                        None => return Err(format!("`{}` has a break outside of a loop", self.nest.name)),
                    }
                    self.skip_blocks(&insts[i + 1..]);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Code that cannot be reached still has block numbers.
    fn skip_blocks(&mut self, insts: &[Inst]) {
        for inst in insts {
            match inst {
                Inst::If { then, otherwise, .. } => {
                    self.next_block += 1;
                    self.skip_blocks(then);
                    self.next_block += 1;
                    self.skip_blocks(otherwise);
                }
                Inst::Loop { body, .. } => {
                    self.next_block += 1;
                    self.skip_blocks(body);
                }
                _ => {}
            }
        }
    }

    fn branch(&mut self, cond: Reg, then: &[Inst], otherwise: &[Inst], ctx: Context) -> Result<(), String> {
        let (middle, end) = (self.label(), self.label());
        if !self.facts.varying(cond) {
            self.body.push(Ins::Unless { cond: cond.0, to: middle });
            self.next_block += 1;
            self.block(then, ctx)?;
            self.body.push(Ins::Jump(end));
            self.place(middle);
            self.next_block += 1;
            self.block(otherwise, ctx)?;
            self.place(end);
        } else {
            let (yes, no) = (self.strip(Ty::Bool), self.strip(Ty::Bool));
            self.body.push(Ins::Split { cond: cond.0, outer: ctx.mask, then: yes, otherwise: no });
            for (branch, mask, end) in [(then, yes, middle), (otherwise, no, end)] {
                let masked = Some(self.next_block);
                self.next_block += 1;
                if !branch.is_empty() {
                    self.body.push(Ins::IfNone { mask, to: end });
                    self.block(branch, Context { mask, masked, end, ..ctx })?;
                }
                self.place(end);
            }
        }
        if let Some((live, _)) = ctx.around
            && live != ALL
            && (breaks(then) || breaks(otherwise))
        {
            self.body.push(Ins::And { mask: ctx.mask, other: live, not: false });
            self.body.push(Ins::IfNone { mask: ctx.mask, to: ctx.end });
        }
        Ok(())
    }

    fn repeat(&mut self, counter: Reg, from: Reg, to: Reg, by: i64, body: &[Inst], ctx: Context) -> Result<(), String> {
        let id = self.loops.len();
        let block = self.next_block;
        self.next_block += 1;
        let varying = self.facts.block_varying(block);
        let bounds = self.facts.varying(from) || self.facts.varying(to);
        let live = if varying { self.strip(Ty::Bool) } else { ALL };
        let trips = if bounds { self.strip(Ty::U64) } else { ALL };
        self.loops.push(LoopInfo { from: from.0, to: to.0, by, counter: counter.0, live, outer: ctx.mask, trips });
        let (exit, next) = (self.label(), self.label());
        self.body.push(Ins::Enter { id, exit });
        let top = self.body.len();
        let inner = if varying {
            let mask = self.strip(Ty::Bool);
            self.body.push(Ins::CopyMask { dst: mask, src: live });
            Context { mask, masked: Some(block), end: next, around: Some((live, exit)) }
        } else {
            Context { around: Some((ALL, exit)), ..ctx }
        };
        self.block(body, inner)?;
        self.place(next);
        self.body.push(Ins::Again { id, top });
        self.place(exit);
        Ok(())
    }

    fn op(&mut self, dst: Reg, op: &Op, ctx: Context) -> Result<(), String> {
        if !self.facts.varying(dst) {
            return self.uniform(dst, op);
        }
        let ty = self.ty(dst);
        let masked = ctx.masked.is_some_and(|block| !self.facts.local(dst, block));
        let kernel1 = |kernel: Kernel, a: Reg| (kernel, [a.0, a.0, a.0]);
        let meaningless = || format!("`{}` applies {op:?} to values of a type that does not have it", self.nest.name);
        let (kernel, srcs) = match op {
            Op::Load(id) if access_varies(self.nest, *id, &|r| self.facts.varying(r)) => {
                let alias = self.facts.regs[dst.0 as usize].defs == 1 && !masked && !self.written(*id);
                self.body.push(Ins::Load { dst: dst.0, route: id.0 as usize, mask: ctx.mask, alias });
                return Ok(());
            }
            Op::Const(_) | Op::Scalar(_) | Op::Load(_) => {
                let src = self.hidden(ty, op);
                (kernels::copy(ty), [src; 3])
            }
            Op::Index(d) if Some(*d) != self.nest.domain.rank().checked_sub(1) => {
                let src = self.hidden(ty, op);
                (kernels::copy(ty), [src; 3])
            }
            Op::Index(_) => {
                let to = if masked { self.strip(Ty::I64) } else { dst.0 };
                self.body.push(Ins::Iota { dst: to });
                if !masked {
                    return Ok(());
                }
                (kernels::copy(ty), [to; 3])
            }
            Op::Table { table, index } => {
                let to = if masked { self.strip(ty) } else { dst.0 };
                self.body.push(Ins::Table { dst: to, index: index.0, table: table.0 as usize });
                if !masked {
                    return Ok(());
                }
                (kernels::copy(ty), [to; 3])
            }
            Op::Copy(a) | Op::Bits(a) => kernel1(kernels::copy(ty), *a),
            Op::Cast(a) => kernel1(kernels::cast(self.ty(*a), ty), *a),
            Op::Unary(op, a) => kernel1(kernels::unary(*op, ty).ok_or_else(meaningless)?, *a),
            Op::Binary(op, a, b) => (kernels::binary(*op, self.ty(*a)).ok_or_else(meaningless)?, [a.0, b.0, b.0]),
            Op::Fma(a, b, c) => (kernels::fma(ty).ok_or_else(meaningless)?, [a.0, b.0, c.0]),
            Op::Select(c, a, b) => (kernels::select(ty), [c.0, a.0, b.0]),
        };
        if !masked {
            self.body.push(Ins::Strip { kernel, dst: dst.0, srcs });
            return Ok(());
        }
        let tmp = match self.tmp {
            Some(tmp) => tmp,
            None => self.strip(Ty::U64),
        };
        self.tmp = Some(tmp);
        self.body.push(Ins::Masked { kernel, dst: dst.0, srcs, mask: ctx.mask, blend: kernels::select(ty), tmp });
        Ok(())
    }

    /// A uniform slot with the value of an operation that reads no register.
    fn hidden(&mut self, ty: Ty, op: &Op) -> Slot {
        match op {
            Op::Const(v) => self.constant(ty, v.bits),
            Op::Scalar(id) => {
                let home = self.splat_home();
                let slot = self.slot(ty, home);
                self.prologue.push((slot, Uniform::Scalar(*id)));
                slot
            }
            op => {
                let home = self.splat_home();
                let slot = self.slot(ty, home);
                let op = if let Op::Index(d) = op { Uniform::Index(*d) } else { self.uniform_op(op) };
                self.body.push(Ins::Uniform { dst: slot, op });
                slot
            }
        }
    }

    fn constant(&mut self, ty: Ty, bits: u64) -> Slot {
        let home = self.const_home(ty, bits);
        self.slot(ty, home)
    }

    fn const_home(&mut self, ty: Ty, bits: u64) -> Home {
        let word = match ty.size() {
            1 => (bits & 1) * 0x0101_0101_0101_0101,
            2 => (bits & 0xffff) * 0x0001_0001_0001_0001,
            4 => bits << 32 | (bits & 0xffff_ffff),
            _ => bits,
        };
        let at = self.consts.len() * 64;
        // One chunk of the element size.
        self.consts.resize(self.consts.len() + (CHUNK * ty.size()).div_ceil(64), [word; 8]);
        Home::Const(at)
    }

    fn uniform(&mut self, dst: Reg, op: &Op) -> Result<(), String> {
        let at = dst.0 as usize;
        let once = self.facts.regs[at].defs == 1;
        if let (true, Op::Const(v)) = (once, op) {
            self.slots[at].home = self.const_home(self.ty(dst), v.bits);
            self.early[at] = true;
            return Ok(());
        }
        let op_code = self.uniform_op(op);
        let movable = once
            && !matches!(op, Op::Load(_) | Op::Index(_))
            && crate::runtime::device::vm::analyse::operands(self.nest, op).iter().all(|r| self.early[r.0 as usize]);
        if movable {
            self.early[at] = true;
            self.prologue.push((dst.0, op_code));
        } else {
            self.body.push(Ins::Uniform { dst: dst.0, op: op_code });
        }
        Ok(())
    }

    fn uniform_op(&self, op: &Op) -> Uniform {
        match op {
            Op::Const(v) => Uniform::Const(v.bits),
            Op::Copy(a) | Op::Bits(a) => Uniform::Copy(a.0),
            Op::Index(d) => Uniform::Index(*d),
            Op::Scalar(id) => Uniform::Scalar(*id),
            Op::Load(id) => Uniform::Load(id.0 as usize),
            Op::Table { table, index } => Uniform::Table(table.0 as usize, index.0),
            Op::Unary(op, a) => Uniform::Unary(*op, a.0),
            Op::Binary(op, a, b) => Uniform::Binary(*op, a.0, b.0),
            Op::Fma(a, b, c) => Uniform::Fma(a.0, b.0, c.0),
            Op::Select(c, a, b) => Uniform::Select(c.0, a.0, b.0),
            Op::Cast(a) => Uniform::Cast(a.0),
        }
    }

    /// Whether the nest writes the array that an access reads.
    fn written(&self, id: AccessId) -> bool {
        let operands = &self.nest.operands;
        let array = operands[self.nest.accesses[id.0 as usize].operand.0 as usize].array;
        operands.iter().any(|o| o.written && o.array == array)
            || self.nest.stores.iter().any(|s| operands[s.operand.0 as usize].array == array)
    }

    /// Whether a store's value may be computed where it is stored: one operation on whole strips makes it, no other
    /// store took it, and nothing in the nest reads the array.
    fn in_place(&self, store: usize) -> bool {
        let stores = &self.nest.stores;
        let value = stores[store].value;
        let array = |s: usize| self.nest.operands[stores[s].operand.0 as usize].array;
        let made_by_strip = self.body.iter().any(|i| matches!(i, Ins::Strip { dst, .. } if *dst == value.0));
        made_by_strip
            && self.facts.regs[value.0 as usize].defs == 1
            && (0..stores.len())
                .all(|s| s == store || (array(s) != array(store) && (s > store || stores[s].value != value)))
            && self.nest.accesses.iter().all(|a| self.nest.operands[a.operand.0 as usize].array != array(store))
    }

    fn finish(mut self) -> Result<Program, String> {
        let labels = std::mem::take(&mut self.labels);
        for ins in &mut self.body {
            match ins {
                Ins::Jump(to) | Ins::Unless { to, .. } | Ins::IfNone { to, .. } | Ins::Enter { exit: to, .. } => {
                    *to = labels[*to]
                }
                _ => {}
            }
        }
        let routes = (self.nest.accesses.iter().map(|a| (a.operand, &a.index)))
            .chain(self.nest.stores.iter().map(|s| (s.operand, &s.index)))
            .map(|(operand, index)| {
                let mut regs: Vec<Reg> = counters(index).collect();
                regs.sort();
                regs.dedup();
                Route {
                    operand: operand.0 as usize,
                    size: self.nest.operands[operand.0 as usize].ty.size(),
                    index: index.clone(),
                    gathers: regs.iter().any(|&r| self.facts.varying(r)),
                    counters: regs.into_iter().map(|r| (r, r.0)).collect(),
                }
            })
            .collect();
        let folds: Vec<FoldInfo> = (self.nest.reductions.iter())
            .map(|r| FoldInfo { op: r.op, ty: self.ty(r.value), value: r.value.0 })
            .collect();
        let stores = (0..self.nest.stores.len())
            .map(|s| StoreInfo { value: self.nest.stores[s].value.0, in_place: self.in_place(s) })
            .collect();
        let per_point = self.strips[0] + 4 * self.strips[1] + 8 * self.strips[2];
        let divergent = self.loops.iter().any(|l| l.live != ALL);
        let longest = if divergent { DIVERGENT } else { LONGEST };
        let shortest = if divergent { DIVERGENT } else { SHORTEST };
        let block = (CACHE / per_point.max(1) / 64 * 64).clamp(shortest, longest);
        let mut memory = self.splats * CHUNK * 8;
        let mut groups = [0; 4];
        for (g, size) in [1, 2, 4, 8].into_iter().enumerate() {
            groups[g] = memory;
            memory += self.strips[g] * stride(block, size);
        }
        use crate::ir::kernel::FoldOp::{Prod, Sum};
        Ok(Program {
            name: self.nest.name.clone(),
            domain: self.nest.domain.clone(),
            leaf: self.nest.leaf.clone(),
            operands: self.nest.operands.len(),
            ordered: folds.iter().any(|f| f.ty.is_float() && matches!(f.op, Sum | Prod)),
            block,
            slots: self.slots,
            groups,
            memory,
            consts: self.consts,
            prologue: self.prologue,
            body: self.body,
            loops: self.loops,
            routes,
            loads: self.nest.accesses.len(),
            stores,
            folds,
        })
    }
}

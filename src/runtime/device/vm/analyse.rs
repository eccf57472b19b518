//! Facts about a nest's code that the block machine compiles by: which registers are equal along a row, which belong to
//! one block, and how long each lives.

use crate::ir::kernel::{AccessId, Affine, Inst, Nest, Op, Reg, Sym};

/// A block: the root, a branch of an `If`, or the body of a `Loop`. Numbered in source order.
pub type BlockId = usize;

/// What is known of a register.
#[derive(Clone, Debug, Default)]
pub struct RegFacts {
    /// It may differ from point to point of a row.
    pub varying: bool,
    /// The innermost block that holds all its uses and definitions.
    home: Option<BlockId>,
    /// Number of definitions.
    pub defs: usize,
    /// First and last position at which its storage is in use.
    pub live: Option<(u32, u32)>,
}

#[derive(Clone, Debug, Default)]
struct Block {
    parent: BlockId,
    /// Some points of a strip may run it and others not.
    varying: bool,
}

/// The facts of one nest.
#[derive(Debug, Default)]
pub struct Facts {
    pub regs: Vec<RegFacts>,
    blocks: Vec<Block>,
}

/// Finds the facts.
pub fn analyse(nest: &Nest) -> Facts {
    let mut facts = Facts { regs: vec![RegFacts::default(); nest.code.regs.len()], blocks: vec![Block::default()] };
    let mut walk = Walk { nest, facts: &mut facts, at: 0 };
    walk.occurrences(&nest.code.body, 0);
    let end = walk.at + 1;
    for value in nest.stores.iter().map(|s| s.value).chain(nest.reductions.iter().map(|r| r.value)) {
        facts.occurs(value, 0, end);
    }
    loop {
        let mut next = 1;
        let mut spread = Spread { nest, facts: &mut facts };
        if !spread.block(&nest.code.body, 0, None, &mut next) {
            return facts;
        }
    }
}

impl Facts {
    pub fn varying(&self, r: Reg) -> bool {
        self.regs[r.0 as usize].varying
    }
    pub fn block_varying(&self, b: BlockId) -> bool {
        self.blocks[b].varying
    }
    /// Whether all uses and definitions lie inside `block`.
    pub fn local(&self, r: Reg, block: BlockId) -> bool {
        self.regs[r.0 as usize].home.is_some_and(|home| self.inside(home, block))
    }

    fn inside(&self, mut b: BlockId, of: BlockId) -> bool {
        while b > of {
            b = self.blocks[b].parent;
        }
        b == of
    }

    fn occurs(&mut self, r: Reg, block: BlockId, at: u32) {
        let mut home = self.regs[r.0 as usize].home.unwrap_or(block);
        while !self.inside(block, home) {
            home = self.blocks[home].parent;
        }
        let reg = &mut self.regs[r.0 as usize];
        reg.home = Some(home);
        reg.live = Some(reg.live.map_or((at, at), |(lo, hi)| (lo.min(at), hi.max(at))));
    }
}

/// Whether an access reads other elements for other points of a row: by the last dimension or by a varying counter.
pub fn access_varies(nest: &Nest, id: AccessId, varying: &dyn Fn(Reg) -> bool) -> bool {
    let last = nest.domain.rank().checked_sub(1);
    nest.accesses[id.0 as usize].index.iter().flat_map(|a| &a.terms).any(|&(sym, _)| match sym {
        Sym::Dim(d) => Some(d) == last,
        Sym::Counter(r) => varying(r),
        Sym::Scalar(_) => false,
    })
}

/// The registers that an operation reads.
pub fn operands(nest: &Nest, op: &Op) -> Vec<Reg> {
    match op {
        Op::Const(_) | Op::Index(_) | Op::Scalar(_) => vec![],
        Op::Load(id) => counters(&nest.accesses[id.0 as usize].index).collect(),
        Op::Copy(a) | Op::Table { index: a, .. } | Op::Unary(_, a) | Op::Cast(a) | Op::Bits(a) => vec![*a],
        Op::Binary(_, a, b) => vec![*a, *b],
        Op::Fma(a, b, c) | Op::Select(a, b, c) => vec![*a, *b, *c],
    }
}

/// The loop counters of a subscript list.
pub fn counters(index: &[Affine]) -> impl Iterator<Item = Reg> + '_ {
    index.iter().flat_map(|a| &a.terms).filter_map(|&(sym, _)| match sym {
        Sym::Counter(r) => Some(r),
        _ => None,
    })
}

/// Whether a block leaves the loop around it (not an inner one).
pub fn breaks(insts: &[Inst]) -> bool {
    insts.iter().any(|inst| match inst {
        Inst::Break => true,
        Inst::If { then, otherwise, .. } => breaks(then) || breaks(otherwise),
        _ => false,
    })
}

struct Walk<'a> {
    nest: &'a Nest,
    facts: &'a mut Facts,
    at: u32,
}

impl Walk<'_> {
    fn open(&mut self, parent: BlockId) -> BlockId {
        self.facts.blocks.push(Block { parent, varying: false });
        self.facts.blocks.len() - 1
    }

    fn occurrences(&mut self, insts: &[Inst], block: BlockId) {
        for inst in insts {
            self.at += 1;
            match inst {
                Inst::Op { dst, op } => {
                    for r in operands(self.nest, op) {
                        self.facts.occurs(r, block, self.at);
                    }
                    self.facts.occurs(*dst, block, self.at);
                    self.facts.regs[dst.0 as usize].defs += 1;
                }
                Inst::If { cond, then, otherwise } => {
                    self.facts.occurs(*cond, block, self.at);
                    for branch in [then, otherwise] {
                        let inner = self.open(block);
                        self.occurrences(branch, inner);
                    }
                }
                Inst::Loop { counter, from, to, body, .. } => {
                    self.facts.occurs(*from, block, self.at);
                    self.facts.occurs(*to, block, self.at);
                    self.at += 1;
                    let start = self.at;
                    let inner = self.open(block);
                    self.facts.occurs(*counter, inner, self.at);
                    self.facts.regs[counter.0 as usize].defs += 1;
                    self.occurrences(body, inner);
                    self.at += 1;
                    self.facts.occurs(*counter, inner, self.at);
                    self.keep_through(start);
                }
                Inst::Break => {}
            }
        }
    }

    /// Registers that were in use before a loop live through all of it. (One that occurs first inside is written before
    /// it is read in every round, so it carries nothing.)
    fn keep_through(&mut self, start: u32) {
        let end = self.at;
        for (lo, hi) in self.facts.regs.iter_mut().filter_map(|r| r.live.as_mut()) {
            if *lo < start && *hi >= start {
                *hi = end;
            }
        }
    }
}

/// One round of spreading "varying" from operands to results and from conditions to blocks.
struct Spread<'a> {
    nest: &'a Nest,
    facts: &'a mut Facts,
}

impl Spread<'_> {
    /// `masked` is the innermost varying block. Returns whether anything changed.
    fn block(&mut self, insts: &[Inst], block: BlockId, masked: Option<BlockId>, next: &mut BlockId) -> bool {
        let masked = if self.facts.block_varying(block) { Some(block) } else { masked };
        let mut changed = false;
        for inst in insts {
            match inst {
                Inst::Op { dst, op } => changed |= self.op(*dst, op, masked),
                Inst::If { cond, then, otherwise } => {
                    let varying = self.facts.varying(*cond);
                    for branch in [then, otherwise] {
                        changed |= self.open(branch, varying, masked, next);
                    }
                }
                Inst::Loop { counter, from, to, body, .. } => {
                    let id = *next;
                    let bounds = self.facts.varying(*from) || self.facts.varying(*to);
                    let varying = bounds || self.breaks_apart(body, &mut (id + 1));
                    let start = self.facts.varying(*from);
                    let shared = !self.facts.local(*counter, id);
                    changed |= (start || shared) && self.mark(*counter);
                    changed |= self.open(body, varying, masked, next);
                }
                Inst::Break => {}
            }
        }
        changed
    }

    fn open(&mut self, insts: &[Inst], varying: bool, masked: Option<BlockId>, next: &mut BlockId) -> bool {
        let id = *next;
        *next += 1;
        let changed = varying && !std::mem::replace(&mut self.facts.blocks[id].varying, true);
        self.block(insts, id, masked, next) || changed
    }

    fn op(&mut self, dst: Reg, op: &Op, masked: Option<BlockId>) -> bool {
        let last = self.nest.domain.rank().checked_sub(1);
        let varying = match op {
            Op::Index(d) => Some(*d) == last,
            Op::Load(id) => access_varies(self.nest, *id, &|r| self.facts.varying(r)),
            op => operands(self.nest, op).into_iter().any(|r| self.facts.varying(r)),
        };
        let partial = masked.is_some_and(|block| !self.facts.local(dst, block));
        (varying || partial) && self.mark(dst)
    }

    fn mark(&mut self, r: Reg) -> bool {
        !std::mem::replace(&mut self.facts.regs[r.0 as usize].varying, true)
    }

    /// Whether some points may leave the loop with this body while others stay. `next` is the body's first inner block.
    fn breaks_apart(&self, body: &[Inst], next: &mut BlockId) -> bool {
        let mut found = false;
        for inst in body {
            match inst {
                Inst::If { then, otherwise, .. } => {
                    for branch in [then, otherwise] {
                        let id = *next;
                        *next += 1;
                        found |= breaks(branch) && self.facts.block_varying(id);
                        found |= self.breaks_apart(branch, next);
                    }
                }
                Inst::Loop { body, .. } => {
                    *next += 1;
                    // Its breaks are its own, but its blocks have numbers.
                    self.breaks_apart(body, next);
                }
                _ => {}
            }
        }
        found
    }
}

//! Joins nests that run over the same points on the same ranks into one sweep.
//!
//! Input: homes are chosen. Output: fewer nests; temporaries that only passed values on are no longer stored. Invariant: every
//! element and every reduction has the bits that it had.
//!
//! A nest further behind moves up if nothing in between minds and it needs no message.
//!
//! Before: `a[i] = f(x[i])`, `b[i] = g(a[i])`, `s = sum[i] b[i]`: three sweeps. After: one sweep that reads `x` and adds up.

use super::join_messages::{FAR, computed, may_precede};
use super::schedule_steps::code_scalars;
use crate::ir::contraction::product;
use crate::ir::kernel::*;
use crate::ir::plan::{Home, Plan, PlanNest, PlanNestId};
use crate::ir::program::{NestId, Placement, PrintPart, Stmt, StmtKind};
use std::collections::{BTreeMap, BTreeSet};

/// A sweep with more reads than this is not joined further: it would run out of registers.
const MOST_ACCESSES: usize = 40;

/// Fuses wherever it is possible, in the order of the program.
pub fn fuse_nests(plan: &mut Plan) {
    let mut body = std::mem::take(&mut plan.program.body);
    fuse_block(plan, &mut body);
    plan.program.body = body;
    drop_unread_stores(plan);
    renumber(plan);
}

fn fuse_block(plan: &mut Plan, body: &mut Vec<Stmt>) {
    body.iter_mut().flat_map(|s| s.kind.blocks_mut()).for_each(|b| fuse_block(plan, b));
    let mut k = 0;
    while k < body.len() {
        // A joined nest stands at `k` or behind it: look again from the same place.
        if !fuse_with_next(plan, body, k) && !fuse_with_later(plan, body, k) {
            k += 1;
        }
    }
}

/// Joins the nest at `k` with the next nest behind it, if only scalar code and swaps stand between.
fn fuse_with_next(plan: &mut Plan, body: &mut Vec<Stmt>, k: usize) -> bool {
    let StmtKind::Compute(first) = body[k].kind else { return false };
    let count =
        body[k + 1..].iter().take_while(|s| matches!(s.kind, StmtKind::Scalars { .. } | StmtKind::Swap(..))).count();
    let Some(StmtKind::Compute(second)) = body.get(k + 1 + count).map(|s| s.kind.clone()) else { return false };
    let between: Vec<Stmt> = body[k + 1..k + 1 + count].to_vec();
    // The second nest as it reads before the swaps.
    let mut other = plan.nests[second.0 as usize].clone();
    for s in between.iter().rev() {
        if let StmtKind::Swap(a, b) = s.kind {
            other.nest.operands.iter_mut().for_each(|o| {
                o.array = if o.array == a {
                    b
                } else if o.array == b {
                    a
                } else {
                    o.array
                }
            });
        }
    }
    // Scalar code that the second nest reads goes before the joined sweep, the rest behind it.
    let mut needed = scalars_of(&other.nest);
    let (mut before, mut behind) = (vec![], vec![]);
    for s in between.into_iter().rev() {
        match &s.kind {
            StmtKind::Scalars { code, results } if results.iter().any(|r| needed.contains(&r.1)) => {
                if !may_move_up(plan, &s, first) {
                    return false;
                }
                needed.extend(code_scalars(&code.body));
                before.insert(0, s);
            }
            _ => behind.insert(0, s),
        }
    }
    // What stays behind must not be read by what goes before.
    let set_behind: BTreeSet<ScalarId> = behind
        .iter()
        .flat_map(|s| {
            if let StmtKind::Scalars { results, .. } = &s.kind { results.iter().map(|r| r.1).collect() } else { vec![] }
        })
        .collect();
    if !set_behind.is_disjoint(&needed) {
        return false;
    }
    let Some(joined) = join(&plan.nests[first.0 as usize], &other) else { return false };
    plan.nests[first.0 as usize] = joined;
    let nest = body[k].clone();
    body.splice(k..k + 2 + count, before.into_iter().chain([nest]).chain(behind));
    true
}

/// Joins the nest at `k` with one that stands behind other nests, which it may precede.
fn fuse_with_later(plan: &mut Plan, body: &mut Vec<Stmt>, k: usize) -> bool {
    let run: Vec<PlanNestId> = body[k..].iter().map_while(computed).take(FAR).collect();
    for m in 2..run.len() {
        let (first, later) = (&plan.nests[run[0].0 as usize], &plan.nests[run[m].0 as usize]);
        if !reads_where_it_is(plan, &later.nest) || !run[1..m].iter().all(|j| may_precede(plan, run[m], *j)) {
            continue;
        }
        if let Some(joined) = join(first, later) {
            plan.nests[run[0].0 as usize] = joined;
            body.remove(k + m);
            return true;
        }
    }
    false
}

/// Whether a nest reads elements at its own points only, or what every rank has, and checks nothing: it waits for no message, and no
/// report comes before another one's.
fn reads_where_it_is(plan: &Plan, nest: &Nest) -> bool {
    let own = |a: &Access| a.index.iter().enumerate().all(|(d, x)| *x == Affine::sym(Sym::Dim(d)));
    let everywhere = |a: &Access| plan.array(array_of(nest, a.operand)).array.placement == Placement::Replicated;
    nest.checks.is_empty() && nest.accesses.iter().all(|a| a.checks.is_empty() && (own(a) || everywhere(a)))
}

/// Whether a statement behind a nest may run before it.
fn may_move_up(plan: &Plan, s: &Stmt, first: NestId) -> bool {
    let StmtKind::Scalars { code, results } = &s.kind else { return true };
    let nest = &plan.nests[first.0 as usize].nest;
    let made: BTreeSet<ScalarId> = nest.reductions.iter().map(|r| r.into).collect();
    let read = scalars_of(nest);
    code_scalars(&code.body).is_disjoint(&made)
        && results.iter().all(|(_, id)| !read.contains(id) && !made.contains(id))
}

/// The workflow scalars that a nest reads.
pub fn scalars_of(nest: &Nest) -> BTreeSet<ScalarId> {
    let mut out = code_scalars(&nest.code.body);
    for a in nest.accesses.iter().flat_map(|a| &a.index) {
        out.extend(a.terms.iter().filter_map(|t| if let Sym::Scalar(s) = t.0 { Some(s) } else { None }));
    }
    out
}

fn array_of(nest: &Nest, o: OperandId) -> ArrayId {
    nest.operands[o.0 as usize].array
}

/// The two nests as one; `None` where that could change a value.
fn join(a: &PlanNest, b: &PlanNest) -> Option<PlanNest> {
    let (x, y) = (&a.nest, &b.nest);
    if x.domain != y.domain || x.accesses.len() + y.accesses.len() > MOST_ACCESSES {
        return None;
    }
    let (home, leaf) = common_home(a, b)?;
    let stored = |n: &Nest| -> BTreeMap<ArrayId, Vec<Affine>> {
        n.stores.iter().map(|s| (array_of(n, s.operand), s.index.clone())).collect()
    };
    let (sx, sy) = (stored(x), stored(y));
    // Every array is written once; what one nest writes, the other touches at the same element only.
    let apart = |read: &Nest, stores: &BTreeMap<ArrayId, Vec<Affine>>| {
        read.accesses.iter().all(|acc| stores.get(&array_of(read, acc.operand)).is_none_or(|ix| *ix == acc.index))
    };
    if sx.keys().any(|k| sy.contains_key(k)) || !apart(y, &sx) || !apart(x, &sy) {
        return None;
    }
    let made: BTreeSet<ScalarId> = x.reductions.iter().map(|r| r.into).collect();
    if !scalars_of(y).is_disjoint(&made)
        || y.reductions.iter().any(|r| made.contains(&r.into) || scalars_of(x).contains(&r.into))
    {
        return None;
    }
    let mut nest = x.clone();
    nest.leaf = leaf;
    if !nest.name.contains(&y.name) {
        nest.name = format!("{}, {}", x.name, y.name);
    }
    append(&mut nest, y, &sx);
    // A product of matrices stays one: a sweep more costs less than its tiles save.
    if (product(x).is_some() || product(y).is_some()) && product(&nest).is_none() {
        return None;
    }
    Some(PlanNest::new(nest, home))
}

/// The home and leaves of a joined nest, when both run the same points on every rank.
fn common_home(a: &PlanNest, b: &PlanNest) -> Option<(Home, Vec<i64>)> {
    let leaf = if a.nest.reductions.is_empty() { b.nest.leaf.clone() } else { a.nest.leaf.clone() };
    if !a.nest.reductions.is_empty() && !b.nest.reductions.is_empty() && a.nest.leaf != b.nest.leaf {
        return None;
    }
    if a.home == b.home {
        return Some((a.home.clone(), leaf));
    }
    let (Home::Owner { layout: la, index: ia, leaf: fa, .. }, Home::Owner { layout: lb, index: ib, leaf: fb, .. }) =
        (&a.home, &b.home)
    else {
        return None;
    };
    if la != lb || ia != ib {
        return None;
    }
    match (fa, fb) {
        // One is tied to its elements, the other to whole leaves: the same parts if every cut is a leaf's.
        (None, Some(leaves)) | (Some(leaves), None) => {
            let aligned = ia.iter().zip(&la.cuts).all(|(ix, cuts)| match (&ix.terms[..], cuts) {
                ([(Sym::Dim(d), 1)], Some(c)) => c.parts == 1 || (c.granule % leaves[*d] == 0 && ix.konst == 0),
                _ => true,
            });
            let stores = !a.nest.stores.is_empty() || !b.nest.stores.is_empty();
            let home = Home::Owner {
                layout: la.clone(),
                index: ia.clone(),
                leaf: if stores { None } else { Some(leaves.clone()) },
                dealt: vec![],
            };
            aligned.then_some((home, leaf))
        }
        _ => None,
    }
}

/// Adds the code of `y` behind that of `nest`; reads of what `nest` just stored take the value itself.
fn append(nest: &mut Nest, y: &Nest, stored: &BTreeMap<ArrayId, Vec<Affine>>) {
    let base = nest.code.regs.len() as u32;
    nest.code.regs.extend(&y.code.regs);
    let reg = |r: Reg| Reg(r.0 + base);
    let mut passed: BTreeMap<AccessId, Reg> = BTreeMap::new();
    let mut reads: BTreeMap<AccessId, AccessId> = BTreeMap::new();
    let mut place: BTreeMap<u32, OperandId> = BTreeMap::new();
    for (k, acc) in y.accesses.iter().enumerate() {
        let array = array_of(y, acc.operand);
        if stored.contains_key(&array)
            && let Some(s) = nest.stores.iter().find(|s| array_of(nest, s.operand) == array)
        {
            passed.insert(AccessId(k as u32), s.value);
            continue;
        }
        let operand = operand_in(nest, y, acc.operand, &mut place);
        let counters = acc.counters.iter().map(|(r, lo, hi)| (reg(*r), moved(lo, base), moved(hi, base))).collect();
        let checks = acc.checks.iter().map(|c| Check { reg: reg(c.reg), ..c.clone() }).collect();
        let index = acc.index.iter().map(|a| moved(a, base)).collect();
        let acc = Access { operand, index, counters, checks, ..acc.clone() };
        let same = |o: &Access| {
            o.operand == acc.operand
                && o.index == acc.index
                && o.within == acc.within
                && o.counters.is_empty()
                && acc.counters.is_empty()
        };
        let at = nest.accesses.iter().position(same).unwrap_or_else(|| {
            nest.accesses.push(acc.clone());
            nest.accesses.len() - 1
        });
        reads.insert(AccessId(k as u32), AccessId(at as u32));
    }
    let body = y.code.body.iter().map(|i| inst(i, &reg, &passed, &reads)).collect::<Vec<_>>();
    nest.code.body.extend(body);
    for s in &y.stores {
        let operand = operand_in(nest, y, s.operand, &mut place);
        nest.operands[operand.0 as usize].written = true;
        nest.stores.push(Store { operand, index: s.index.clone(), value: reg(s.value) });
    }
    if nest.only != y.only {
        nest.only.clear();
    }
    nest.checks.extend(y.checks.iter().map(|c| Check { reg: reg(c.reg), ..c.clone() }));
    nest.reductions.extend(y.reductions.iter().map(|r| Reduction { value: reg(r.value), ..r.clone() }));
}

fn operand_in(nest: &mut Nest, y: &Nest, o: OperandId, place: &mut BTreeMap<u32, OperandId>) -> OperandId {
    if let Some(id) = place.get(&o.0) {
        return *id;
    }
    let array = array_of(y, o);
    let at = nest.operands.iter().position(|p| p.array == array).unwrap_or_else(|| {
        nest.operands.push(Operand { written: false, ..y.operands[o.0 as usize].clone() });
        nest.operands.len() - 1
    });
    place.insert(o.0, OperandId(at as u32));
    OperandId(at as u32)
}

fn moved(a: &Affine, base: u32) -> Affine {
    let shift = |s: Sym| if let Sym::Counter(r) = s { Sym::Counter(Reg(r.0 + base)) } else { s };
    Affine { konst: a.konst, terms: a.terms.iter().map(|t| (shift(t.0), t.1)).collect() }
}

fn inst(
    i: &Inst,
    reg: &dyn Fn(Reg) -> Reg,
    passed: &BTreeMap<AccessId, Reg>,
    reads: &BTreeMap<AccessId, AccessId>,
) -> Inst {
    let list = |l: &[Inst]| l.iter().map(|i| inst(i, reg, passed, reads)).collect();
    match i {
        Inst::Op { dst, op } => {
            let op = match op {
                Op::Load(a) => match (passed.get(a), reads.get(a)) {
                    (Some(r), _) => Op::Copy(*r),
                    (None, Some(b)) => Op::Load(*b),
                    (None, None) => op.clone(),
                },
                Op::Copy(a) => Op::Copy(reg(*a)),
                Op::Table { table, index } => Op::Table { table: *table, index: reg(*index) },
                Op::Unary(o, a) => Op::Unary(*o, reg(*a)),
                Op::Binary(o, a, b) => Op::Binary(*o, reg(*a), reg(*b)),
                Op::Fma(a, b, c) => Op::Fma(reg(*a), reg(*b), reg(*c)),
                Op::Select(a, b, c) => Op::Select(reg(*a), reg(*b), reg(*c)),
                Op::Cast(a) => Op::Cast(reg(*a)),
                Op::Bits(a) => Op::Bits(reg(*a)),
                Op::Const(_) | Op::Index(_) | Op::Scalar(_) => op.clone(),
            };
            Inst::Op { dst: reg(*dst), op }
        }
        Inst::Loop { counter, from, to, by, body } => {
            Inst::Loop { counter: reg(*counter), from: reg(*from), to: reg(*to), by: *by, body: list(body) }
        }
        Inst::If { cond, then, otherwise } => {
            Inst::If { cond: reg(*cond), then: list(then), otherwise: list(otherwise) }
        }
        Inst::Break => Inst::Break,
    }
}

/// Removes stores to temporaries that nothing reads any more.
fn drop_unread_stores(plan: &mut Plan) {
    let live = live_nests(&plan.program.body);
    let mut read: BTreeSet<ArrayId> = BTreeSet::new();
    for n in &live {
        let nest = &plan.nests[n.0 as usize].nest;
        read.extend(nest.accesses.iter().map(|a| array_of(nest, a.operand)));
    }
    outside(&plan.program.body, &mut read);
    for n in live {
        let arrays = &plan.program.arrays;
        let nest = &mut plan.nests[n.0 as usize].nest;
        let dead = |nest: &Nest, s: &Store| {
            let a = array_of(nest, s.operand);
            arrays[a.0 as usize].temporary && !read.contains(&a)
        };
        let keep: Vec<Store> = nest.stores.iter().filter(|s| !dead(nest, s)).cloned().collect();
        // A nest that does nothing else keeps its store: its home hangs on it.
        if keep.is_empty() && nest.reductions.is_empty() {
            continue;
        }
        let gone: Vec<OperandId> = nest.stores.iter().filter(|s| dead(nest, s)).map(|s| s.operand).collect();
        nest.stores = keep;
        for o in gone.into_iter().rev() {
            remove_operand(nest, o);
        }
    }
}

fn remove_operand(nest: &mut Nest, o: OperandId) {
    nest.operands.remove(o.0 as usize);
    let shift = |p: &mut OperandId| {
        if p.0 > o.0 {
            p.0 -= 1;
        }
    };
    nest.stores.iter_mut().for_each(|s| shift(&mut s.operand));
    nest.accesses.iter_mut().for_each(|a| shift(&mut a.operand));
}

fn live_nests(body: &[Stmt]) -> Vec<NestId> {
    let mut out = vec![];
    for s in body {
        if let StmtKind::Compute(n) = s.kind {
            out.push(n);
        }
        s.kind.blocks().into_iter().for_each(|b| out.extend(live_nests(b)));
    }
    out
}

/// Arrays that statements other than nests use.
pub(super) fn outside(body: &[Stmt], read: &mut BTreeSet<ArrayId>) {
    let parts = |p: &[PrintPart], read: &mut BTreeSet<ArrayId>| read.extend(p.iter().filter_map(PrintPart::array));
    for s in body {
        match &s.kind {
            StmtKind::Swap(a, b) => read.extend([*a, *b]),
            StmtKind::Scatter { into, index, value, .. } => read.extend([*into, *index, *value]),
            StmtKind::Print(p) => parts(p, read),
            StmtKind::Assert { why, .. } => parts(why, read),
            StmtKind::Load { array, .. }
            | StmtKind::Save { array, .. }
            | StmtKind::Plot { array, .. }
            | StmtKind::Scan { array, .. } => {
                read.insert(*array);
            }
            _ => s.kind.blocks().into_iter().for_each(|b| outside(b, read)),
        }
    }
}

/// Keeps only the nests that the program still runs, numbered in order.
fn renumber(plan: &mut Plan) {
    let mut number: BTreeMap<NestId, NestId> = BTreeMap::new();
    let mut kept = vec![];
    for n in live_nests(&plan.program.body) {
        number.entry(n).or_insert_with(|| {
            kept.push(plan.nests[n.0 as usize].clone());
            NestId(kept.len() as u32 - 1)
        });
    }
    plan.nests = kept;
    plan.program.nests = plan.nests.iter().map(|n| n.nest.clone()).collect();
    let mut body = std::mem::take(&mut plan.program.body);
    rename(&mut body, &number);
    plan.program.body = body;
}

fn rename(body: &mut [Stmt], number: &BTreeMap<NestId, NestId>) {
    for s in body {
        if let StmtKind::Compute(n) = &mut s.kind {
            *n = number.get(n).copied().unwrap_or(*n);
        }
        s.kind.blocks_mut().into_iter().for_each(|b| rename(b, number));
    }
}

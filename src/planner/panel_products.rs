//! Products of matrices whose factors other ranks own are made panel by panel.
//!
//! Input: fused nests with their homes. Output: in place of a contraction whose factors would be fetched whole, a loop over panels
//! of its terms, each of which fetches and multiplies one panel. Invariant: every element has the bits that it had, since its chain
//! goes on from what the round before has stored, in the chain's own type, in the order of the terms.
//!
//! Before: `c = f(sum[k in 0..n] a[i, k] * b[k, j])`. After, with `s` in place of `c` where `f` is more than a copy:
//!
//! ```text
//! s = 0
//! for panel in 0..n by w { s = chain of a[i, k] * b[k, j] from s for k in panel..min(panel + w, n) }
//! c = f(s)
//! ```
//!
//! On a mesh of rows that is a broadcast of `b`'s panels, on a square one SUMMA (van de Geijn and Watts 1997): both are what a panel
//! needs less what a rank owns.

use super::classify_reads::offsets;
use super::schedule_steps::effects;
use super::slice::keep_needed;
use crate::ir::contraction::{Contraction, product};
use crate::ir::kernel::*;
use crate::ir::plan::panels::Panels;
use crate::ir::plan::{Home, Plan, PlanArray, PlanNest, PlanNestId};
use crate::ir::program::{Array, Counted, Edge, NestId, Scalar, Stmt, StmtKind};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use std::collections::BTreeSet;

/// Which products are made panel by panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Panelling {
    /// None: factors are fetched whole.
    Never,
    /// Those whose factors are large.
    #[default]
    Large,
    /// The same in panels for GPUs, which multiply faster and so are given more at a time.
    LargeOnGpus,
    /// All whose factors other ranks own, in panels of so many terms; for tests.
    Terms(i64),
}

/// Fewer panels than this save little memory.
const FEWEST: i64 = 4;
/// More are not made, however many ranks there are: every one has its own messages.
const MOST: i64 = 256;

/// When panels pay, and how large they are.
struct Sizes {
    /// Bytes that a rank fetches of a product's factors, at least.
    fetched: i64,
    /// Panels of fewer terms cost more for taking results up again than they save.
    fewest_terms: i64,
    /// Bytes of a panel on a rank, where it has terms enough.
    bytes: i64,
}

const ON_CPU: Sizes = Sizes { fetched: 4 << 20, fewest_terms: 128, bytes: 32 << 20 };
/// Factors of 768 MiB take 7 % longer in four panels than whole, measured on four H200: their owner stores each panel into three others'
/// memory with threads that do not multiply meanwhile. That share falls with the size, and memory becomes what counts.
const ON_GPU: Sizes = Sizes { fetched: 4 << 30, fewest_terms: 4096, bytes: 1 << 30 };

/// Rewrites the products.
pub fn panel_products(plan: &mut Plan, panelling: Panelling) {
    if plan.ranks == 1 || panelling == Panelling::Never {
        return;
    }
    let mut body = std::mem::take(&mut plan.program.body);
    let mut nests = vec![];
    body.iter().for_each(|s| effects(plan, s, &mut BTreeSet::new(), &mut nests));
    // A nest that runs at several places stays whole: its panels are those of one loop.
    let (mut once, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for n in nests {
        if seen.insert(n) {
            once.insert(n)
        } else {
            once.remove(&n)
        };
    }
    in_block(plan, &mut body, None, &Choice { panelling, once });
    plan.program.body = body;
}

/// Which nests are looked at, and how.
struct Choice {
    panelling: Panelling,
    once: BTreeSet<PlanNestId>,
}

/// `around`: what the innermost loop around writes.
fn in_block(plan: &mut Plan, body: &mut Vec<Stmt>, around: Option<&BTreeSet<ArrayId>>, how: &Choice) {
    let mut out = vec![];
    for mut s in std::mem::take(body) {
        match &mut s.kind {
            StmtKind::For { body, .. } => {
                let written = written_by(plan, &[body]);
                in_block(plan, body, Some(&written), how);
            }
            StmtKind::While { before, body, .. } => {
                let written = written_by(plan, &[before, body]);
                in_block(plan, before, Some(&written), how);
                in_block(plan, body, Some(&written), how);
            }
            StmtKind::If { then, otherwise, .. } => {
                in_block(plan, then, around, how);
                in_block(plan, otherwise, around, how);
            }
            StmtKind::Compute(n) => {
                if let Some(panelled) = Product::find(plan, *n, around, how) {
                    panelled.rewrite(plan, &s, &mut out);
                    continue;
                }
            }
            _ => {}
        }
        out.push(s);
    }
    *body = out;
}

fn written_by(plan: &Plan, bodies: &[&Vec<Stmt>]) -> BTreeSet<ArrayId> {
    let mut out = BTreeSet::new();
    bodies.iter().flat_map(|b| b.iter()).for_each(|s| effects(plan, s, &mut out, &mut vec![]));
    out
}

/// A product that is worth panels.
struct Product {
    id: NestId,
    contraction: Contraction,
    terms: Counted,
    moving: Vec<ArrayId>,
}

impl Product {
    fn find(plan: &Plan, id: NestId, around: Option<&BTreeSet<ArrayId>>, how: &Choice) -> Option<Product> {
        let n = plan.nest(PlanNestId(id.0));
        if !how.once.contains(&PlanNestId(id.0)) {
            return None;
        }
        let contraction = product(&n.nest).filter(|c| c.chain.start.is_some())?;
        // Nests that count positions of dealt tiles fetch their factors whole.
        let dealt = matches!(&n.home, Home::Owner { layout, .. } if layout.is_dealt());
        if dealt || n.nest.accesses.iter().any(|a| !a.checks.is_empty()) {
            return None;
        }
        let (from, to) = contraction.range()?;
        let term = contraction.chain.counter;
        let mut moving: Vec<ArrayId> = vec![];
        for a in far_factors(plan, n, term) {
            let array = n.nest.operands[a.operand.0 as usize].array;
            // What a loop does not write is fetched once, before it, and kept.
            if around.is_none_or(|w| w.contains(&array)) && !moving.contains(&array) {
                moving.push(array);
            }
        }
        let by = width(plan, n, term, (from, to), &moving, how.panelling)?;
        Some(Product { id, contraction, terms: Counted { from, to, by }, moving })
    }

    /// Puts the loop and what stands around it in place of the nest's statement.
    fn rewrite(self, plan: &mut Plan, s: &Stmt, out: &mut Vec<Stmt>) {
        let n = plan.nest(PlanNestId(self.id.0)).clone();
        let direct = self.in_place(&n);
        let sums = match direct {
            true => n.nest.operands[n.nest.stores[0].operand.0 as usize].array,
            false => sums_like(plan, &n, self.contraction.chain.ty),
        };
        let stmt = |kind| Stmt { kind, ..s.clone() };
        let compute = |plan: &mut Plan, nest: PlanNest| {
            plan.nests.push(nest);
            stmt(StmtKind::Compute(NestId(plan.nests.len() as u32 - 1)))
        };
        let zeros = PlanNest::new(self.zeros(&n.nest, sums), n.home.clone());
        out.push(compute(plan, zeros));
        let bounds = [("", self.terms.from), ("", self.terms.to), ("", self.terms.by), ("panel", self.terms.from)];
        let [from, to, by, counter] = bounds.map(|(name, _)| new_scalar(plan, name));
        let mut code = Code::default();
        for (k, (_, v)) in bounds[..3].iter().enumerate() {
            code.regs.push(Ty::I64);
            code.body.push(Inst::Op { dst: Reg(k as u32), op: Op::Const(Value::i64(*v)) });
        }
        let results = vec![(Reg(0), from), (Reg(1), to), (Reg(2), by)];
        out.push(stmt(StmtKind::Scalars { code, results }));
        plan.program.counted.insert(counter, self.terms);
        let nest = self.panel(&n.nest, sums, counter);
        plan.nests[self.id.0 as usize] =
            PlanNest { panels: Some(self.panels(counter)), ..PlanNest::new(nest, n.home.clone()) };
        let body = vec![stmt(StmtKind::Compute(self.id))];
        out.push(stmt(StmtKind::For { counter, from, to, by, body }));
        if !direct {
            let rest = PlanNest::new(self.rest(&n.nest, sums), n.home);
            out.push(compute(plan, rest));
        }
    }

    fn panels(&self, counter: ScalarId) -> Panels {
        Panels { term: self.contraction.chain.counter, first: counter, terms: self.terms, moving: self.moving.clone() }
    }

    /// Whether the results themselves can hold the sums between rounds: they are nothing but the sums, and nobody reads them.
    fn in_place(&self, n: &PlanNest) -> bool {
        let [store] = &n.nest.stores[..] else { return false };
        let operand = &n.nest.operands[store.operand.0 as usize];
        let read = n.nest.accesses.iter().any(|a| n.nest.operands[a.operand.0 as usize].array == operand.array);
        let mut same = vec![self.contraction.chain.acc];
        for inst in &n.nest.code.body[self.contraction.chain.at + 1..] {
            match inst {
                Inst::Op { dst, op: Op::Copy(r) } if same.contains(r) => same.push(*dst),
                _ => return false,
            }
        }
        operand.ty == self.contraction.chain.ty && !read && same.contains(&store.value)
    }

    /// Sets the sums to zero.
    fn zeros(&self, nest: &Nest, sums: ArrayId) -> Nest {
        let ty = self.contraction.chain.ty;
        let mut out = stores_only(nest, sums, ty);
        out.name = format!("zeros for {}", nest.name);
        let zero = new_reg(&mut out, ty);
        out.code.body = vec![Inst::Op { dst: zero, op: Op::Const(Value::float(ty, 0.0)) }];
        out.stores[0].value = zero;
        keep_needed(&mut out);
        out
    }

    /// Takes a panel of terms into the sums.
    fn panel(&self, nest: &Nest, sums: ArrayId, counter: ScalarId) -> Nest {
        let chain = &self.contraction.chain;
        let mut out = stores_only(nest, sums, chain.ty);
        let mut body = out.code.body[..chain.at].to_vec();
        let so_far = read(&mut out, sums, chain.ty, &nest.stores[0].index, nest.span);
        let start = new_reg(&mut out, chain.ty);
        body.push(Inst::Op { dst: start, op: so_far });
        // The accumulator is set once, here.
        body.retain(|i| !matches!(i, Inst::Op { dst, .. } if *dst == chain.acc));
        body.push(Inst::Op { dst: chain.acc, op: Op::Copy(start) });
        let mut op = |out: &mut Nest, op: Op| {
            let dst = new_reg(out, Ty::I64);
            body.push(Inst::Op { dst, op });
            dst
        };
        let from = op(&mut out, Op::Scalar(counter));
        let width = op(&mut out, Op::Const(Value::i64(self.terms.by)));
        let end = op(&mut out, Op::Const(Value::i64(self.terms.to)));
        let next = op(&mut out, Op::Binary(BinaryOp::Add, from, width));
        let to = op(&mut out, Op::Binary(BinaryOp::Min, next, end));
        if let Inst::Loop { counter, by, body: terms, .. } = &nest.code.body[chain.at] {
            body.push(Inst::Loop { counter: *counter, from, to, by: *by, body: terms.clone() });
        }
        out.code.body = body;
        out.stores[0].value = chain.acc;
        keep_needed(&mut out);
        out
    }

    /// What the nest does with its sums.
    fn rest(&self, nest: &Nest, sums: ArrayId) -> Nest {
        let chain = &self.contraction.chain;
        let mut out = nest.clone();
        out.name = format!("{} from its sums", nest.name);
        let op = read(&mut out, sums, chain.ty, &nest.stores[0].index, nest.span);
        out.code.body[chain.at] = Inst::Op { dst: chain.acc, op };
        keep_needed(&mut out);
        out
    }
}

/// The reads of factors at the terms that do not follow the nest's division.
fn far_factors<'a>(plan: &Plan, n: &'a PlanNest, term: Reg) -> Vec<&'a Access> {
    let at_term = |a: &Access| a.index.iter().any(|i| i.coef(Sym::Counter(term)) != 0);
    n.nest.accesses.iter().filter(|a| at_term(a) && offsets(plan, &n.home, &n.nest, a).is_none()).collect()
}

/// Terms of a panel, where panels pay: parts of what an owner of the terms holds, so that few panels have two owners.
fn width(
    plan: &Plan,
    n: &PlanNest,
    term: Reg,
    (from, to): (i64, i64),
    moving: &[ArrayId],
    how: Panelling,
) -> Option<i64> {
    let count = to - from;
    let factors = far_factors(plan, n, term);
    let array = |a: &Access| n.nest.operands[a.operand.0 as usize].array;
    let factors: Vec<&&Access> = factors.iter().filter(|a| moving.contains(&array(a))).collect();
    if factors.is_empty() || count < 1 {
        return None;
    }
    if let Panelling::Terms(terms) = how {
        return Some(terms.max(1)).filter(|t| *t < count);
    }
    let fetched = |rank: i64| -> i64 {
        let Some(part) = n.part(rank) else { return 0 };
        let one = |a: &&&Access| {
            let size = plan.array(array(a)).array.ty.size() as i64;
            a.image(&part, &|s| plan.scalar_range(s)).map_or(0, |b| b.len().saturating_mul(size))
        };
        factors.iter().map(one).fold(0, i64::saturating_add)
    };
    let bytes = plan.sampled_ranks().into_iter().map(fetched).max().unwrap_or(0);
    // What one owner holds of the terms.
    let mut held = count;
    for a in &factors {
        let layout = &plan.array(array(a)).layout;
        for (index, cuts) in a.index.iter().zip(&layout.cuts) {
            if let (Some(cuts), c @ 1..) = (cuts.filter(|c| c.parts > 1), index.coef(Sym::Counter(term)).abs()) {
                held = held.min((cuts.start(1) / c).max(1));
            }
        }
    }
    let up = |a: i64, b: i64| (a + b - 1) / b;
    let sizes = if how == Panelling::LargeOnGpus { ON_GPU } else { ON_CPU };
    if bytes < sizes.fetched || count < FEWEST * sizes.fewest_terms {
        return None;
    }
    let mut pieces = up(bytes / count * held, sizes.bytes).max(1);
    while up(count, up(held, pieces)) < FEWEST {
        pieces += 1;
    }
    // Whole tiles of terms, and no panel of two owners, where that is near.
    pieces = (pieces..=2 * pieces).find(|p| held % (16 * p) == 0).unwrap_or(pieces);
    let whole_parts = held * up(sizes.fewest_terms, held);
    let width = if held < sizes.fewest_terms { whole_parts } else { up(held, pieces).max(sizes.fewest_terms) };
    Some(width.max(up(count, MOST)))
}

/// An array for sums of the type `ty`, laid out like what the nest stores.
fn sums_like(plan: &mut Plan, n: &PlanNest, ty: Ty) -> ArrayId {
    let like = plan.array(n.nest.operands[n.nest.stores[0].operand.0 as usize].array).clone();
    let array = Array {
        name: format!("sums of {}", like.array.name.trim_end_matches('\'')),
        ty,
        edges: vec![Edge::None; like.array.shape.len()],
        temporary: true,
        complex: false,
        ..like.array
    };
    let ghost = vec![(0, 0); array.shape.len()];
    plan.program.arrays.push(array.clone());
    plan.arrays.push(PlanArray { array, layout: like.layout, ghost, used: false, buffer: 0 });
    ArrayId(plan.arrays.len() as u32 - 1)
}

fn new_scalar(plan: &mut Plan, name: &str) -> ScalarId {
    plan.program.scalars.push(Scalar { name: name.into(), ty: Ty::I64, complex: false });
    ScalarId(plan.program.scalars.len() as u32 - 1)
}

fn new_reg(nest: &mut Nest, ty: Ty) -> Reg {
    nest.code.regs.push(ty);
    Reg(nest.code.regs.len() as u32 - 1)
}

/// The operand of the sums.
fn operand(nest: &mut Nest, array: ArrayId, ty: Ty) -> OperandId {
    let rank = nest.stores[0].index.len();
    let at = nest.operands.iter().position(|o| o.array == array).unwrap_or_else(|| {
        nest.operands.push(Operand { array, ty, rank, written: false });
        nest.operands.len() - 1
    });
    OperandId(at as u32)
}

/// The nest with one store, to the sums.
fn stores_only(nest: &Nest, sums: ArrayId, ty: Ty) -> Nest {
    let mut out = nest.clone();
    let operand = operand(&mut out, sums, ty);
    out.stores = vec![Store { operand, ..nest.stores[0].clone() }];
    out
}

/// A read of the sums at the point's own element.
fn read(nest: &mut Nest, sums: ArrayId, ty: Ty, index: &[Affine], span: Span) -> Op {
    let (operand, within) = (operand(nest, sums, ty), nest.domain.clone());
    nest.accesses.push(Access { operand, index: index.to_vec(), within, counters: vec![], checks: vec![], span });
    Op::Load(AccessId(nest.accesses.len() as u32 - 1))
}

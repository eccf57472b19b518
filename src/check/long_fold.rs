//! Long reductions inside an element: `g[j] = sum[s] a[s] * x[s, j]` over thousands of terms.
//!
//! They are made in up to [`BLOCKS`] blocks of terms, each from its first term to its last, then from block to block of a group
//! ([`GROUP`]), and then from group to group; this order depends on the range and the number of elements alone. Where the terms come from
//! arrays that are divided along the index, and the results are few, blocks and groups are computed where their terms lie, into arrays of
//! their own, and only the values of groups travel:
//!
//! ```text
//! p[l, j] = sum[s in l * B .. (l + 1) * B] a[s] * x[s, j]
//! q[m, j] = sum[l in 16 * m .. 16 * (m + 1)] p[l, j]
//! g[j] = sum[m] q[m, j]
//! ```

use super::Checker;
use super::emit::{Builder, Val, ValKind};
use super::env::{Env, Global, Local};
use super::infer::children;
use super::reduce::{combine, identity};
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Access, Affine, ArrayId, Inst, Op, Reg, Store, Sym};
use crate::ir::layout::{Dist, granule};
use crate::ir::program::{Array, Edge, Placement, Runs};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind, Ident, ReduceOp};

/// Reductions of at least this many terms are made in blocks.
const LONG: i64 = 8192;
/// Most blocks, and the fewest terms of one.
const BLOCKS: i64 = 512;
const FEWEST: i64 = 64;
/// Blocks of a group.
const GROUP: i64 = 16;
/// With more elements for each term than this, an element's terms follow one another: there is work enough without blocks, and
/// a product of large matrices is one chain for each element.
const MOST_RESULTS: i64 = 64;

/// A long reduction: its index, the terms and how they combine.
struct Long<'a> {
    op: ReduceOp,
    name: &'a Ident,
    from: i64,
    count: i64,
    term: ExprId,
    expected: Option<Ty>,
}

/// An accumulator with the type it adds up in and that of the terms.
struct Sum {
    acc: Reg,
    wide: Ty,
    ty: Ty,
}

impl Sum {
    /// The type in which blocks are added to one another.
    fn total(&self, op: ReduceOp) -> Ty {
        let floats = matches!(op, ReduceOp::Sum | ReduceOp::Mean | ReduceOp::Prod);
        if self.wide == Ty::F32 && floats { Ty::F64 } else { self.wide }
    }
}

impl Long<'_> {
    /// Terms of a block: whole granules of the range, so that cuts between blocks leave the units of whole reductions whole.
    fn block(&self) -> i64 {
        let granule = granule(self.count);
        let fewest = ((self.count + BLOCKS - 1) / BLOCKS).max(FEWEST);
        (fewest + granule - 1) / granule * granule
    }
}

impl Checker<'_> {
    /// The reduction over `from..to`, if it is long.
    pub(super) fn long_fold(
        &mut self,
        op: ReduceOp,
        name: &Ident,
        (from, to): (i64, i64),
        term: ExprId,
        expected: Option<Ty>,
        span: Span,
    ) -> Option<Option<Val>> {
        let results = self.builder().domain.iter().try_fold(1i64, |p, d| p.checked_mul(d.len()));
        if to - from < LONG || results.is_none_or(|n| n / MOST_RESULTS > to - from) {
            return None;
        }
        let long = Long { op, name, from, count: to - from, term, expected };
        Some(if self.pays(&long) { self.apart(&long, span) } else { self.in_blocks(&long) })
    }

    /// Whether blocks are to be computed where their terms lie: an array is divided along the index, the whole of which is
    /// meant, and the blocks' values are few beside its elements.
    fn pays(&mut self, long: &Long) -> bool {
        let b = self.builder();
        if b.conditional || !b.counters.is_empty() || long.from != 0 || self.uses_registers(long.term) || self.generic {
            return false;
        }
        let blocks = (long.count + long.block() - 1) / long.block();
        let points = self.builder().domain.iter().try_fold(blocks, |p, d| p.checked_mul(d.len()));
        let most = self.divided_along((self.module, &self.env), long.term, &long.name.name, long.count, 0);
        points.is_some_and(|p| p.saturating_mul(4) <= most)
    }

    /// The elements of the largest array that the index subscripts alone in a divided dimension of `count` elements.
    fn divided_along(&self, (module, env): (usize, &Env), id: ExprId, index: &str, count: i64, depth: usize) -> i64 {
        let ast = self.modules[module].ast.clone();
        let mut most = 0;
        if let ExprKind::Index { base, subscripts } = &ast.expr(id).kind {
            let local = env.find(&base.name);
            let array = match (local, self.modules[module].globals.get(&base.name)) {
                (Some(Local::Array(a)), _) | (None, Some((Global::Array(a), _))) => Some(*a),
                _ => None,
            };
            for (d, &s) in subscripts.iter().enumerate() {
                if !matches!(&ast.expr(s).kind, ExprKind::Name(n) if n == index) {
                    continue;
                }
                if let (Some(Local::Indexed(def)), true) = (local, depth < 64)
                    && let Some(inner) = def.indices.get(d)
                {
                    most = most.max(self.divided_along((def.module, &def.env), def.body, inner, count, depth + 1));
                }
                let Some(a) = array.map(|a| &self.program.arrays[a.0 as usize]) else { continue };
                let divided =
                    matches!(&a.placement, Placement::Divided { dists, .. } if dists.get(d) == Some(&Dist::Block));
                if divided && a.shape.get(d) == Some(&count) {
                    most = most.max(a.shape.iter().product());
                }
            }
        }
        let inner = children(&ast, id).into_iter().map(|c| self.divided_along((module, env), c, index, count, depth));
        most.max(inner.max().unwrap_or(0))
    }

    /// Block after block inside the element.
    fn in_blocks(&mut self, long: &Long) -> Option<Val> {
        let (size, whole) = (long.block(), long.count / long.block());
        let total = self.builder().variable(Ty::I64);
        let groups = whole / GROUP;
        let sum = self.repeat(long, total, groups, |c, counter| {
            let from = Affine { konst: long.from, terms: vec![(Sym::Counter(counter), GROUP * size)] };
            c.group(long, &from, GROUP)
        })?;
        // What is left: whole blocks, and perhaps a part of one.
        let from = Affine::constant(long.from + groups * GROUP * size);
        let (left, rest) = (whole - groups * GROUP, long.count - whole * size);
        if left > 0 || rest > 0 {
            let group = self.builder().variable(sum.wide);
            self.start_at(group, identity(long.op, sum.wide));
            if left > 0 {
                let blocks = self.group(long, &from, left)?;
                self.accumulate(group, sum.wide, combine(long.op), &Val::reg(blocks.acc, sum.wide));
            }
            if rest > 0 {
                let from = Affine::constant(long.from + whole * size);
                let block = self.block_of_terms(long, from, rest)?;
                self.accumulate(group, sum.wide, combine(long.op), &Val::reg(block.acc, block.wide));
            }
            self.accumulate(total, sum.wide, combine(long.op), &Val::reg(group, sum.wide));
        }
        self.whole(long, total, &sum)
    }

    /// So many blocks from a term on, one after the other.
    fn group(&mut self, long: &Long, from: &Affine, blocks: i64) -> Option<Sum> {
        let group = self.builder().variable(Ty::I64);
        self.repeat(long, group, blocks, |c, counter| {
            let from = from.add(&Affine { konst: 0, terms: vec![(Sym::Counter(counter), long.block())] })?;
            c.block_of_terms(long, from, long.block())
        })
    }

    /// A loop that adds what `part` makes to an accumulator.
    fn repeat(
        &mut self,
        long: &Long,
        acc: Reg,
        times: i64,
        part: impl FnOnce(&mut Self, Reg) -> Option<Sum>,
    ) -> Option<Sum> {
        let (zero, end) = (self.int(0), self.int(times));
        let counter = self.builder().variable(Ty::I64);
        let scope = self.builder().open();
        let bounds = (Affine::constant(0), Affine::constant(times));
        self.builder().counters.push((counter, Some(bounds)));
        let sum = part(self, counter);
        if let Some(s) = &sum {
            let wide = s.total(long.op);
            self.builder().regs[acc.0 as usize] = wide;
            self.accumulate(acc, wide, combine(long.op), &Val::reg(s.acc, s.wide));
        }
        let body = self.builder().close(scope, false);
        let sum = sum?;
        let wide = sum.total(long.op);
        self.start_at(acc, identity(long.op, wide));
        self.builder().push(Inst::Loop { counter, from: zero, to: end, by: 1, body });
        Some(Sum { acc, wide, ty: sum.ty })
    }

    /// Blocks in an array of their own, beside their terms, and groups of blocks in another.
    fn apart(&mut self, long: &Long, span: Span) -> Option<Val> {
        let domain = self.builder().domain.clone();
        let (outer, names) = (self.env.clone(), self.index_names.clone());
        self.shift_indices();
        self.index_names.insert(0, "\u{1}block".into());
        let blocks = self.parts("blocks", (long.count, long.block()), &domain, span, |c, from, terms| {
            c.block_of_terms(long, from, terms)
        });
        let groups = blocks.and_then(|(blocks, sum)| {
            let count = self.program.arrays[blocks.0 as usize].shape[0];
            self.program.runs.insert(blocks, Runs { extent: long.count, length: long.block(), from: None });
            let groups = self.parts("groups of blocks", (count, GROUP), &domain, span, |c, from, count| {
                c.added_up(long, (blocks, &sum), (from, count), 1, span)
            })?;
            let length = long.block() * GROUP;
            self.program.runs.insert(groups.0, Runs { extent: long.count, length, from: Some(blocks) });
            Some(groups)
        });
        (self.env, self.index_names) = (outer, names);
        let (groups, sum) = groups?;
        let count = self.program.arrays[groups.0 as usize].shape[0];
        let total = self.added_up(long, (groups, &sum), (Affine::constant(0), count), 0, span)?;
        self.whole(long, total.acc, &total)
    }

    /// An array with a value of every `size` of `count` things, and of what is left of them; `value` makes one, of so many from one on.
    fn parts(
        &mut self,
        name: &str,
        (count, size): (i64, i64),
        domain: &[Interval],
        span: Span,
        mut value: impl FnMut(&mut Self, Affine, i64) -> Option<Sum>,
    ) -> Option<(ArrayId, Sum)> {
        let (whole, rest) = (count / size, count % size);
        let parts = whole + i64::from(rest > 0);
        let tail = (rest > 0).then_some((whole, parts, rest));
        let mut made: Option<(ArrayId, Sum)> = None;
        for (lo, hi, things) in [(0, whole, size)].into_iter().chain(tail) {
            let mut dims = vec![Interval::new(lo, hi)];
            dims.extend(domain);
            self.push_builder(Builder::new_nest(dims.clone()));
            let from = Affine { konst: 0, terms: vec![(Sym::Dim(0), size)] };
            let sum = value(self, from, things);
            let mut b = self.builders.pop()?;
            let sum = sum?;
            let array = match &made {
                Some((array, _)) => *array,
                None => self.array_for_parts(name, parts, domain, sum.wide, span),
            };
            let start = |d: usize, r: &Interval| if d == 0 { 0 } else { -r.lo };
            let index = dims.iter().enumerate();
            let index = index.map(|(d, r)| Affine { konst: start(d, r), terms: vec![(Sym::Dim(d), 1)] }).collect();
            let operand = b.operand(array, sum.wide, dims.len(), true);
            if dims.iter().all(|d| !d.is_empty()) {
                let store = Store { operand, index, value: sum.acc };
                self.push_nest(&mut b, format!("{name} of terms"), vec![store], vec![], span);
            }
            made = Some((array, sum));
        }
        made
    }

    /// `count` elements of an array along its first dimension, one after the other; the point's own subscripts in the others, which begin
    /// with this dimension of the domain.
    fn added_up(
        &mut self,
        long: &Long,
        (array, part): (ArrayId, &Sum),
        (from, count): (Affine, i64),
        first: usize,
        span: Span,
    ) -> Option<Sum> {
        let wide = part.total(long.op);
        let total = self.builder().variable(wide);
        // The range is constant, so that compilers know how often the loop runs.
        let (zero, end) = (self.int(0), self.int(count));
        let counter = self.builder().variable(Ty::I64);
        let scope = self.builder().open();
        let mut index = vec![from.add(&Affine::sym(Sym::Counter(counter)))?];
        index.extend(Affine::from_start(&self.builder().domain.clone()).split_off(first));
        let b = self.builder();
        let (operand, within) = (b.operand(array, part.wide, index.len(), false), b.within_box());
        let counters = vec![(counter, Affine::constant(0), Affine::constant(count))];
        let access = b.access(Access { operand, index, within, counters, checks: vec![], span });
        let value = b.emit(part.wide, Op::Load(access));
        self.accumulate(total, wide, combine(long.op), &Val::reg(value, part.wide));
        let body = self.builder().close(scope, false);
        self.start_at(total, identity(long.op, wide));
        self.builder().push(Inst::Loop { counter, from: zero, to: end, by: 1, body });
        Some(Sum { acc: total, wide, ty: part.ty })
    }

    /// The indices of the equation, with one more dimension of the domain before theirs.
    fn shift_indices(&mut self) {
        let names: Vec<String> = self.env.names().into_iter().map(str::to_string).collect();
        let mut env = self.env.clone();
        for n in names.into_iter().rev() {
            if let Some(Local::Val(Val { kind: ValKind::Affine(a), .. })) = self.env.find(&n)
                && a.terms.iter().any(|t| matches!(t.0, Sym::Dim(_)))
            {
                let shift = |s: Sym| if let Sym::Dim(d) = s { Sym::Dim(d + 1) } else { s };
                let terms = a.terms.iter().map(|t| (shift(t.0), t.1)).collect();
                env = env.with(&n, Local::Val(Val::affine(Affine { konst: a.konst, terms })));
            }
        }
        self.env = env;
    }

    fn array_for_parts(&mut self, name: &str, parts: i64, domain: &[Interval], ty: Ty, span: Span) -> ArrayId {
        let shape: Vec<i64> = std::iter::once(parts).chain(domain.iter().map(|d| d.len())).collect();
        let dists = (0..shape.len()).map(|d| if d == 0 { Dist::Block } else { Dist::Whole }).collect();
        self.add_array(Array {
            name: name.into(),
            ty,
            placement: Placement::Divided { dists, over: vec![] },
            edges: vec![Edge::None; shape.len()],
            span,
            temporary: true,
            complex: false,
            shape,
        })
    }

    /// `len` terms from `from` on, one after the other.
    fn block_of_terms(&mut self, long: &Long, from: Affine, len: i64) -> Option<Sum> {
        let acc = self.builder().variable(Ty::I64); // retyped below, when the term's type is known
        let to = from.add(&Affine::constant(len))?;
        let first = self.builder().materialise(&Val::affine(from.clone()));
        let end = self.builder().materialise(&Val::affine(to.clone()));
        let counter = self.builder().variable(Ty::I64);
        let env = self.env.clone();
        let scope = self.builder().open();
        self.builder().counters.push((counter, Some((from, to))));
        self.env = env.with(&long.name.name, Local::Val(Val::affine(Affine::sym(Sym::Counter(counter)))));
        let v = self.term_value(long.op, long.term, long.expected);
        let types = v.map(|v| (self.accumulate_term(long.op, acc, &v), v.ty));
        self.env = env;
        let body = self.builder().close(scope, false);
        let (wide, ty) = types?;
        self.start_at(acc, identity(long.op, wide));
        self.builder().push(Inst::Loop { counter, from: first, to: end, by: 1, body });
        Some(Sum { acc, wide, ty })
    }

    fn int(&mut self, v: i64) -> Reg {
        self.builder().materialise(&Val::constant(Value::i64(v)))
    }

    fn whole(&mut self, long: &Long, total: Reg, sum: &Sum) -> Option<Val> {
        let mut v = self.finished(total, sum.total(long.op));
        if long.op == ReduceOp::Mean {
            v = self.divide_by(v, Val::constant(Value::i64(long.count)));
        }
        Some(self.builder().cast(&v, sum.ty))
    }
}

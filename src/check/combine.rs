//! Reductions and scans by a function of the program: `reduce(f, 0)[i] x[i]`, `scan(f, 0)[i] x[i]`.
//!
//! The order depends on the ranges alone. Over a whole index space the first index is cut into blocks of terms, which lie in an array of
//! their own beside their terms and are combined one after the other:
//!
//! ```text
//! p[l] = { for i in l * B .. (l + 1) * B { s = f(s, x[i]) } }
//! s = { for l in 0 .. L { s = f(s, p[l]) } }
//! ```
//!
//! A scan doubles the distance over which elements are combined (Hillis, Steele: Data parallel algorithms, 1986):
//!
//! ```text
//! for d = 1, 2, 4, … { s'[i] = if i >= d { f(s[i - d], s[i]) } else { s[i] } }
//! ```

use super::Checker;
use super::emit::{Builder, Val};
use super::env::{Env, Global, Local};
use super::space::Space;
use super::types::is_variable;
use crate::ir::index_box::Interval;
use crate::ir::kernel::{Access, Affine, ArrayId, BinaryOp as B, FoldOp, Inst, Op, Reduction, Reg, Store, Sym};
use crate::ir::layout::Dist;
use crate::ir::program::{Array, Edge, Placement};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use crate::syntax::ast::{ExprId, ExprKind, Ident, ItemKind, Range};

/// Most blocks of a reduction, and the fewest terms of one.
const BLOCKS: i64 = 512;
const FEWEST: i64 = 64;

/// What combines two values of one kind, and what it begins with. Values are taken apart: a complex number is two.
struct Operator {
    rule: Rule,
    name: String,
    /// The types that the program sees, and those of the parts.
    whole: Vec<Ty>,
    types: Vec<Ty>,
    start: Vec<Value>,
    span: Span,
}

enum Rule {
    /// A function of the program.
    Function(usize, usize),
    /// The product of complex numbers.
    Product,
}

/// Complex numbers as two values each.
fn apart(values: Vec<Val>) -> Vec<Val> {
    let parts = |v: Val| match v.parts() {
        Some((re, im)) => vec![re, im],
        None => vec![v],
    };
    values.into_iter().flat_map(parts).collect()
}

impl Operator {
    /// The values that parts make up.
    fn joined(&self, parts: Vec<Val>) -> Vec<Val> {
        let mut parts = parts.into_iter();
        let mut next = |ty: &Ty| match ty.is_complex() {
            true => Some(Val::complex(parts.next()?, parts.next()?)),
            false => parts.next(),
        };
        self.whole.iter().filter_map(&mut next).collect()
    }
}

/// By what values are combined.
#[derive(Clone, Copy)]
pub(super) enum With<'a> {
    /// A function's name, and what it begins with.
    Function(&'a Ident, ExprId),
    /// The product of complex numbers of this type.
    Product(Ty),
}

/// What stands in the program.
pub(super) struct Combination<'a> {
    pub with: With<'a>,
    pub indices: &'a [(Ident, Option<Range>)],
    pub term: ExprId,
    pub span: Span,
}

/// The terms of a reduction over a whole index space.
struct Terms<'a> {
    op: &'a Operator,
    c: &'a Combination<'a>,
    space: &'a Space,
    /// The arrays that hold them, if they had to be made first.
    made: &'a [ArrayId],
}

impl Checker<'_> {
    /// The values of a reduction by a function.
    pub(super) fn reduce_by(&mut self, c: &Combination) -> Option<Vec<Val>> {
        let op = self.operator(c)?;
        if self.varies(c.indices, c.term) {
            return self.reduce_by_inside(&op, c);
        }
        self.once(|checker| Some(op.joined(checker.reduce_all_by(&op, c)?)))
    }

    fn operator(&mut self, c: &Combination) -> Option<Operator> {
        match c.with {
            With::Function(name, start) => self.function_operator(c, name, start),
            With::Product(ty) => {
                let (whole, types) = (vec![ty], vec![ty.part(); 2]);
                let start = [1.0, 0.0].map(|v| Value::float(ty.part(), v)).to_vec();
                Some(Operator { rule: Rule::Product, name: "prod".into(), whole, types, start, span: c.span })
            }
        }
    }

    /// The function, whose parameters are two values of the kind that it gives.
    fn function_operator(&mut self, c: &Combination, name: &Ident, start: ExprId) -> Option<Operator> {
        let (name, at) = (name.name.clone(), name.span);
        let found = self.modules[self.module].globals.get(&name).map(|g| g.0.clone());
        let (module, item) = match found.filter(|_| self.env.find(&name).is_none()) {
            Some(Global::Fn(module, item)) => (module, item),
            Some(Global::Broken) => return None,
            other => {
                let help = "name a function of two values, `fn f(a: f64, b: f64) -> f64 = …`; sums, products and extremes are written `sum[i] …`, `scan(+)[i] …`";
                let label = if other.is_some() { "not a function" } else { "no function of the program has this name" };
                return self.fail_help("E0266", format!("`{name}` cannot combine values"), at, label, help);
            }
        };
        let ItemKind::Fn(decl) = self.modules[module].ast.items[item].kind.clone() else { return None };
        if let Some(p) = decl.params.iter().find(|p| is_variable(&p.ty)) {
            let (message, variable) = (format!("`{name}` cannot combine values"), &p.ty.elem.name);
            let label = format!("it takes `{variable}`, which terms do not bind");
            return self.fail_help("E0266", message, at, label, "write a function for one type, which may call it");
        }
        let kinds = self.in_scope(module, Env::default(), |c| {
            let params: Option<Vec<Ty>> = decl.params.iter().map(|p| c.elem_type(&p.ty)).collect();
            let results: Option<Vec<Ty>> = decl.results.iter().map(|t| c.elem_type(t)).collect();
            params.zip(results)
        });
        let (params, types) = kinds?;
        if params != [types.clone(), types.clone()].concat() {
            let list = |types: &[Ty]| types.iter().map(|t| t.to_string()).collect::<Vec<_>>().join(", ");
            let gives = if types.len() == 1 { list(&types) } else { format!("({})", list(&types)) };
            let twice = [types.clone(), types.clone()].concat();
            return self.fail_help(
                "E0266",
                format!("`{name}` takes ({}) and gives {gives}", list(&params)),
                at,
                "it is to combine two values of one kind into a third",
                format!("with this result it takes {} parameters: ({})", twice.len(), list(&twice)),
            );
        }
        let each = match self.node(start).kind {
            ExprKind::Tuple(list) => list,
            _ => vec![start],
        };
        if each.len() != types.len() {
            let (n, m) = (super::counted(types.len(), "value"), super::counted(each.len(), "value"));
            let span = self.span(start);
            let help = format!("begin with {n}, one for each that `{name}` gives");
            return self.fail_help("E0266", format!("`{name}` combines {n}, and begins with {m}"), span, m, help);
        }
        if let ExprKind::Tuple(list) = self.node(c.term).kind
            && list.len() != types.len()
        {
            let (n, m) = (super::counted(types.len(), "value"), super::counted(list.len(), "value"));
            let span = self.span(c.term);
            let message = format!("`{name}` combines {n}, and a term has {}", list.len());
            return self.fail_help("E0266", message, span, m, format!("write a term of {n}"));
        }
        let mut start = vec![];
        for (&e, &ty) in each.iter().zip(&types) {
            let value = self.known_as(e, ty, "what a function begins with")?;
            start.extend(apart(vec![value]).iter().filter_map(Val::as_const));
        }
        let parts = types.iter().flat_map(|ty| vec![ty.part(); 1 + usize::from(ty.is_complex())]).collect();
        Some(Operator { rule: Rule::Function(module, item), name, whole: types, types: parts, start, span: c.span })
    }

    fn combine(&mut self, op: &Operator, a: Vec<Val>, b: Vec<Val>) -> Option<Vec<Val>> {
        let values: Vec<Val> = [op.joined(a), op.joined(b)].concat();
        let out = match op.rule {
            Rule::Product => vec![self.builder().binary(B::Mul, &values[0], &values[1])],
            Rule::Function(module, item) => {
                let args = values.into_iter().map(|v| (v, op.span)).collect();
                self.expand_fn_values(module, item, args, op.span)?
            }
        };
        Some(apart(out))
    }

    /// The parts of a term.
    fn term_parts(&mut self, op: &Operator, term: ExprId) -> Option<Vec<Val>> {
        self.typed_values(term, &op.whole).map(apart)
    }

    /// New variables for the values so far.
    fn held(&mut self, op: &Operator) -> Vec<Reg> {
        op.types.iter().map(|ty| self.builder().variable(*ty)).collect()
    }

    /// `held = f(held, values)`
    fn take_values(&mut self, op: &Operator, held: &[Reg], values: Vec<Val>) -> Option<()> {
        let before = held.iter().zip(&op.types).map(|(r, ty)| Val::reg(*r, *ty)).collect();
        let after = self.combine(op, before, values)?;
        // All are computed before one changes.
        let b = self.builder();
        let after: Vec<Reg> = after.iter().map(|v| b.materialise(v)).collect();
        let copies: Vec<Reg> = op.types.iter().map(|ty| b.variable(*ty)).collect();
        copies.iter().zip(after).for_each(|(to, from)| b.set(*to, from));
        held.iter().zip(copies).for_each(|(to, from)| b.set(*to, from));
        Some(())
    }

    fn begin(&mut self, op: &Operator, held: &[Reg]) {
        held.iter().zip(&op.start).for_each(|(r, v)| self.start_at(*r, *v));
    }

    /// The terms of one element, one after the other.
    fn reduce_by_inside(&mut self, op: &Operator, c: &Combination) -> Option<Vec<Val>> {
        let held = self.held(op);
        let (_, list) = self.loops(c.indices, c.term, |checker, _| {
            let values = checker.term_parts(op, c.term)?;
            checker.take_values(op, &held, values)
        })?;
        self.begin(op, &held);
        list.into_iter().for_each(|inst| self.builder().push(inst));
        let parts = held.into_iter().zip(&op.types).map(|(r, ty)| self.finished(r, *ty)).collect();
        Some(op.joined(parts))
    }

    /// Over a whole index space: blocks of terms, then the blocks.
    fn reduce_all_by(&mut self, op: &Operator, c: &Combination) -> Option<Vec<Val>> {
        let space = self.space(c.indices, c.term, c.span)?;
        if !space.inner.is_empty() {
            // Nothing bounds a range before the program runs: one rank goes from the first term to the last.
            self.push_builder(Builder::new_nest(vec![]));
            let parts = self.reduce_by_inside(op, c).map(apart);
            let held = parts.iter().flatten().map(|v| self.builder().materialise(v)).collect();
            return self.one_point(op, held, c.span).filter(|_| parts.is_some());
        }
        if space.total == 0 {
            return Some(op.start.iter().map(|v| Val::constant(*v)).collect());
        }
        // A scan runs over the whole space: its terms are made first.
        let made = if self.has_scan(c.term) { self.terms_apart(op, c, &space)? } else { vec![] };
        let terms = Terms { op, c, space: &space, made: &made };
        let first = space.axes[0].range.len();
        let rest = (space.total / first).max(1);
        let size = ((first + BLOCKS - 1) / BLOCKS).max((FEWEST + rest - 1) / rest).min(first);
        let whole = first / size;
        let blocks = whole + i64::from(whole * size < first);
        let arrays: Vec<ArrayId> = op.types.iter().map(|ty| self.array_of_parts(blocks, *ty, c.span)).collect();
        self.blocks_of_terms(&terms, (0..whole, size), &arrays)?;
        if blocks > whole {
            self.blocks_of_terms(&terms, (whole..blocks, size), &arrays)?;
        }
        self.push_builder(Builder::new_nest(vec![]));
        let held = self.held(op);
        self.begin(op, &held);
        let out = self.loop_over(0, blocks, |checker, counter| {
            let b = checker.builder();
            let mut values = vec![];
            for (&array, &ty) in arrays.iter().zip(&op.types) {
                let operand = b.operand(array, ty, 1, false);
                let counters = vec![(counter, Affine::constant(0), Affine::constant(blocks))];
                let index = vec![Affine::sym(Sym::Counter(counter))];
                let within = b.within_box();
                let access = b.access(Access { operand, index, within, counters, checks: vec![], span: c.span });
                values.push(Val::reg(b.emit(ty, Op::Load(access)), ty));
            }
            checker.take_values(op, &held, values)
        });
        let slots = self.one_point(op, held, c.span);
        out?;
        slots
    }

    /// Ends the nest of one point that holds the values.
    fn one_point(&mut self, op: &Operator, held: Vec<Reg>, span: Span) -> Option<Vec<Val>> {
        let mut b = self.builders.pop()?;
        let one = |(value, ty): (Reg, &Ty)| {
            let op = if *ty == Ty::Bool { FoldOp::Any } else { FoldOp::Max };
            Reduction { op, value, into: self.new_scalar("", *ty) }
        };
        let reductions: Vec<Reduction> = held.into_iter().zip(&op.types).map(one).collect();
        let slots = reductions.iter().zip(&op.types).map(|(r, ty)| Val::slot(r.into, *ty)).collect();
        self.push_nest(&mut b, op.name.clone(), vec![], reductions, span);
        Some(slots)
    }

    /// Blocks `range` of the first index, of `size` terms each; the last may be shorter.
    fn blocks_of_terms(
        &mut self,
        all: &Terms,
        (range, size): (std::ops::Range<i64>, i64),
        arrays: &[ArrayId],
    ) -> Option<()> {
        let (op, axis, span) = (all.op, &all.space.axes[0], all.c.span);
        let terms = (axis.range.len() - range.start * size).min(size);
        self.push_builder(Builder::new_nest(vec![Interval::new(range.start, range.end)]));
        let outer = self.env.clone();
        let names = std::mem::replace(&mut self.index_names, vec!["\u{1}block".into()]);
        let held = self.held(op);
        self.begin(op, &held);
        let from = Affine { konst: axis.range.lo, terms: vec![(Sym::Dim(0), size)] };
        let done = self.inner_terms(all, &held, vec![], (from, terms));
        (self.env, self.index_names) = (outer, names);
        let mut b = self.builders.pop()?;
        done?;
        let mut store = |(value, (&array, &ty)): (Reg, (&ArrayId, &Ty))| {
            let operand = b.operand(array, ty, 1, true);
            Store { operand, index: vec![Affine::sym(Sym::Dim(0))], value }
        };
        let stores = held.into_iter().zip(arrays.iter().zip(&op.types)).map(&mut store).collect();
        self.push_nest(&mut b, format!("blocks of {}", op.name), stores, vec![], span);
        Some(())
    }

    /// Loops over the next index of a space, which has `len` values from `from` on, and over those behind it; `at` are the counters of
    /// those before it, with their bounds.
    fn inner_terms(
        &mut self,
        all: &Terms,
        held: &[Reg],
        mut at: Vec<(Reg, Affine, Affine)>,
        (from, len): (Affine, i64),
    ) -> Option<()> {
        let k = at.len();
        let axis = &all.space.axes[k];
        let to = from.add(&Affine::constant(len))?;
        let b = self.builder();
        let (first, end) = (b.materialise(&Val::affine(from.clone())), b.materialise(&Val::affine(to.clone())));
        let counter = b.variable(Ty::I64);
        let scope = b.open();
        b.counters.push((counter, Some((from.clone(), to.clone()))));
        at.push((counter, from, to));
        let by = axis.index.coef(Sym::Dim(k));
        let index = Affine { konst: axis.index.konst, terms: vec![(Sym::Counter(counter), by)] };
        self.env = self.env.with(&all.c.indices[k].0.name, Local::Val(Val::affine(index)));
        let done = match all.space.axes.get(k + 1) {
            Some(next) => self.inner_terms(all, held, at, (Affine::constant(next.range.lo), next.range.len())),
            None => self.take_term(all, held, at),
        };
        let body = self.builder().close(scope, false);
        self.builder().push(Inst::Loop { counter, from: first, to: end, by: 1, body });
        done
    }

    /// Takes the term at these counters, where it belongs to the space.
    fn take_term(&mut self, all: &Terms, held: &[Reg], at: Vec<(Reg, Affine, Affine)>) -> Option<()> {
        let places: Vec<Affine> = at.iter().map(|c| Affine::sym(Sym::Counter(c.0))).collect();
        let Some((cond, facts)) = self.in_space(all.space, &places) else {
            let values = self.term(all, at)?;
            return self.take_values(all.op, held, values);
        };
        let cond = self.builder().materialise(&cond);
        let facts_held = self.scalar_facts.len();
        let scope = self.builder().open();
        self.builder().conditional = true;
        self.narrow(&facts);
        let done = self.term(all, at).and_then(|values| self.take_values(all.op, held, values));
        let then = self.builder().close(scope, false);
        self.scalar_facts.truncate(facts_held);
        self.builder().push(Inst::If { cond, then, otherwise: vec![] });
        done
    }

    /// The term at these counters: computed, or read where it was made.
    fn term(&mut self, all: &Terms, counters: Vec<(Reg, Affine, Affine)>) -> Option<Vec<Val>> {
        if all.made.is_empty() {
            return self.term_parts(all.op, all.c.term);
        }
        let lows = all.space.axes.iter().map(|a| a.range.lo);
        let at = counters.iter().zip(lows).map(|(c, lo)| Affine { konst: -lo, terms: vec![(Sym::Counter(c.0), 1)] });
        let index: Vec<Affine> = at.collect();
        let b = self.builder();
        let mut out = vec![];
        for (&array, &ty) in all.made.iter().zip(&all.op.types) {
            let (operand, within) = (b.operand(array, ty, index.len(), false), b.within_box());
            let (index, counters) = (index.clone(), counters.clone());
            let access = b.access(Access { operand, index, within, counters, checks: vec![], span: all.c.span });
            out.push(Val::reg(b.emit(ty, Op::Load(access)), ty));
        }
        Some(out)
    }

    /// All terms, in arrays of their own.
    fn terms_apart(&mut self, op: &Operator, c: &Combination, space: &Space) -> Option<Vec<ArrayId>> {
        let domain: Vec<Interval> = space.axes.iter().map(|a| a.range).collect();
        let outer = self.env.clone();
        for a in &space.axes {
            self.env = self.env.with(&a.name, Local::Val(Val::affine(a.index.clone())));
        }
        let names = space.axes.iter().map(|a| a.name.clone()).collect();
        let names = std::mem::replace(&mut self.index_names, names);
        self.push_builder(Builder::new_nest(domain.clone()));
        let values = self.term_parts(op, c.term);
        (self.env, self.index_names) = (outer, names);
        let mut b = self.builders.pop()?;
        let values = values?.iter().map(|v| b.materialise(v)).collect();
        let shape: Vec<i64> = domain.iter().map(|d| d.len()).collect();
        let placement = self.placement_like(&b, &shape);
        let array = |ty: &Ty| Array {
            name: "terms".into(),
            ty: *ty,
            shape: shape.clone(),
            placement: placement.clone(),
            edges: vec![Edge::None; shape.len()],
            span: c.span,
            temporary: true,
            complex: false,
        };
        let arrays: Vec<ArrayId> = op.types.iter().map(|ty| self.add_array(array(ty))).collect();
        let at = Affine::from_start(&domain);
        let stores = stores(&mut b, &arrays, op, &at, values);
        self.push_nest(&mut b, format!("terms of {}", op.name), stores, vec![], c.span);
        Some(arrays)
    }

    /// A loop over constants.
    fn loop_over(&mut self, from: i64, to: i64, body: impl FnOnce(&mut Self, Reg) -> Option<()>) -> Option<()> {
        let [first, end] = [from, to].map(|v| self.builder().materialise(&Val::constant(Value::i64(v))));
        let counter = self.builder().variable(Ty::I64);
        let scope = self.builder().open();
        self.builder().counters.push((counter, Some((Affine::constant(from), Affine::constant(to)))));
        let done = body(self, counter);
        let body = self.builder().close(scope, false);
        self.builder().push(Inst::Loop { counter, from: first, to: end, by: 1, body });
        done
    }

    fn array_of_parts(&mut self, blocks: i64, ty: Ty, span: Span) -> ArrayId {
        self.add_array(Array {
            name: "blocks".into(),
            ty,
            shape: vec![blocks],
            placement: Placement::Divided { dists: vec![Dist::Block], over: vec![] },
            edges: vec![Edge::None],
            span,
            temporary: true,
            complex: false,
        })
    }

    /// The values of a scan by a function at the element being computed.
    pub(super) fn scan_by(&mut self, c: &Combination, exclusive: bool) -> Option<Vec<Val>> {
        let op = self.operator(c)?;
        let dim = self.scanned(c.indices, c.term, c.span)?;
        let domain = self.builder().domain.clone();
        self.push_builder(Builder::new_nest(domain.clone()));
        let terms = self.term_parts(&op, c.term);
        let mut b = self.builders.pop()?;
        let terms: Vec<Reg> = terms?.iter().map(|v| b.materialise(v)).collect();
        let shape: Vec<i64> = domain.iter().map(|d| d.len()).collect();
        let placement = self.placement_like(&b, &shape);
        let array = |checker: &mut Self, (ty, start): (&Ty, &Value)| {
            let mut edges = vec![Edge::None; shape.len()];
            if exclusive {
                edges[dim] = Edge::Constant(*start);
            }
            let (placement, shape) = (placement.clone(), shape.clone());
            let (name, ty, span) = ("scan".into(), *ty, c.span);
            checker.add_array(Array { name, ty, placement, edges, span, temporary: true, complex: false, shape })
        };
        let mut now: Vec<ArrayId> = op.types.iter().zip(&op.start).map(|k| array(self, k)).collect();
        let mut next: Vec<ArrayId> = op.types.iter().zip(&op.start).map(|k| array(self, k)).collect();
        let at = Affine::from_start(&domain);
        if domain.iter().all(|d| !d.is_empty()) {
            let stores = stores(&mut b, &now, &op, &at, terms);
            self.push_nest(&mut b, "terms of a scan".into(), stores, vec![], c.span);
            let mut distance = 1;
            while distance < domain[dim].len() {
                self.doubled(&op, c.span, (&now, &next), (&domain, &at), (dim, distance))?;
                std::mem::swap(&mut now, &mut next);
                distance *= 2;
            }
        }
        let b = self.builder();
        let mut index = at;
        index[dim].konst -= i64::from(exclusive);
        Some(op.joined(now.iter().zip(&op.types).map(|(&a, &ty)| element(b, (a, ty), &index, c.span)).collect()))
    }

    /// Every element combined with the one at a distance before it.
    fn doubled(
        &mut self,
        op: &Operator,
        span: Span,
        (now, next): (&[ArrayId], &[ArrayId]),
        (domain, at): (&[Interval], &[Affine]),
        (dim, distance): (usize, i64),
    ) -> Option<()> {
        self.push_builder(Builder::new_nest(domain.to_vec()));
        let held = self.held(op);
        let b = self.builder();
        let own: Vec<Val> = now.iter().zip(&op.types).map(|(&a, &ty)| element(b, (a, ty), at, span)).collect();
        for (to, v) in held.iter().zip(&own) {
            let from = b.materialise(v);
            b.set(*to, from);
        }
        let first = Val::constant(Value::i64(domain[dim].lo + distance));
        let cond = b.binary(B::Ge, &Val::affine(Affine::sym(Sym::Dim(dim))), &first);
        let cond = b.materialise(&cond);
        let scope = b.open();
        b.within[dim].lo += distance;
        b.conditional = true;
        let mut before = at.to_vec();
        before[dim].konst -= distance;
        let before = now.iter().zip(&op.types).map(|(&a, &ty)| element(b, (a, ty), &before, span)).collect();
        let both = self.combine(op, before, own);
        let b = self.builder();
        for (to, v) in held.iter().zip(both.iter().flatten()) {
            let from = b.materialise(v);
            b.set(*to, from);
        }
        let then = b.close(scope, false);
        b.push(Inst::If { cond, then, otherwise: vec![] });
        let mut b = self.builders.pop()?;
        both?;
        let stores = stores(&mut b, next, op, at, held);
        self.push_nest(&mut b, format!("{} over {distance}", op.name), stores, vec![], span);
        Some(())
    }
}

/// A read of an element.
pub(super) fn element(b: &mut Builder, (array, ty): (ArrayId, Ty), index: &[Affine], span: Span) -> Val {
    let (operand, within) = (b.operand(array, ty, index.len(), false), b.within_box());
    let access = b.access(Access { operand, index: index.to_vec(), within, counters: vec![], checks: vec![], span });
    Val::reg(b.emit(ty, Op::Load(access)), ty)
}

fn stores(b: &mut Builder, arrays: &[ArrayId], op: &Operator, at: &[Affine], values: Vec<Reg>) -> Vec<Store> {
    let one = |(value, (&array, &ty)): (Reg, (&ArrayId, &Ty))| {
        let operand = b.operand(array, ty, at.len(), true);
        Store { operand, index: at.to_vec(), value }
    };
    values.into_iter().zip(arrays.iter().zip(&op.types)).map(one).collect()
}

//! Builds the code of one nest (or of one scalar computation), sharing equal pure operations as it goes.

use crate::ir::fold;
use crate::ir::format::complex_text;
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::*;
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// A value during checking.
#[derive(Clone, Debug)]
pub struct Val {
    pub ty: Ty,
    pub kind: ValKind,
    /// What is known about an integer that is not index arithmetic.
    pub range: Option<Interval>,
}

#[derive(Clone, Debug)]
pub enum ValKind {
    /// A constant. `flex`: made of literals only, so it takes the type around it.
    Const { value: Value, flex: bool },
    /// An `i64` that is affine in indices, counters and scalars.
    Affine(Affine),
    /// A workflow scalar.
    Slot(ScalarId),
    /// A register of the builder in whose code it was made.
    Reg(Reg),
    /// The real and the imaginary part of a complex number. One in registers or scalars is two that follow one another.
    Parts(Box<(Val, Val)>),
}

impl Val {
    pub fn constant(value: Value) -> Val {
        Val { ty: value.ty, kind: ValKind::Const { value, flex: false }, range: None }
    }
    pub fn flex(value: Value) -> Val {
        Val { ty: value.ty, kind: ValKind::Const { value, flex: true }, range: None }
    }
    pub fn affine(a: Affine) -> Val {
        if a.terms.is_empty() {
            Val::constant(Value::i64(a.konst))
        } else {
            Val { ty: Ty::I64, kind: ValKind::Affine(a), range: None }
        }
    }
    pub fn reg(reg: Reg, ty: Ty) -> Val {
        Val { ty, kind: ValKind::Reg(reg), range: None }
    }
    pub fn slot(id: ScalarId, ty: Ty) -> Val {
        Val { ty, kind: ValKind::Slot(id), range: None }
    }
    /// A complex number of two values of one type.
    pub fn complex(re: Val, im: Val) -> Val {
        let ty = if re.ty == Ty::F32 { Ty::C64 } else { Ty::C128 };
        Val { ty, kind: ValKind::Parts(Box::new((re, im))), range: None }
    }
    /// The real and the imaginary part, of a complex number.
    pub fn parts(&self) -> Option<(Val, Val)> {
        let part = self.ty.part();
        match &self.kind {
            ValKind::Parts(parts) => Some((parts.0.clone(), parts.1.clone())),
            _ if !self.ty.is_complex() => None,
            ValKind::Slot(id) => Some((Val::slot(*id, part), Val::slot(ScalarId(id.0 + 1), part))),
            ValKind::Reg(r) => Some((Val::reg(*r, part), Val::reg(Reg(r.0 + 1), part))),
            _ => None,
        }
    }
    /// The same value, known to lie in `range`.
    pub fn ranged(self, range: Option<Interval>) -> Val {
        Val { range, ..self }
    }
    pub fn is_flex(&self) -> bool {
        matches!(self.kind, ValKind::Const { flex: true, .. })
    }
    pub fn as_const(&self) -> Option<Value> {
        match self.kind {
            ValKind::Const { value, .. } => Some(value),
            _ => None,
        }
    }
    /// The text of a value that is known before the program runs.
    pub fn text(&self) -> Option<String> {
        match &self.kind {
            ValKind::Parts(parts) => Some(complex_text(parts.0.as_const()?, parts.1.as_const()?, None)),
            _ => self.as_const().map(|v| v.to_string()),
        }
    }
    /// Whether the value is known before the program runs.
    pub fn is_known(&self) -> bool {
        match &self.kind {
            ValKind::Parts(parts) => parts.0.is_known() && parts.1.is_known(),
            _ => self.as_const().is_some(),
        }
    }
    /// The affine form of an integer: constants, indices, `i64` scalars.
    pub fn as_affine(&self) -> Option<Affine> {
        match &self.kind {
            ValKind::Const { value, .. } => value.as_int().and_then(|v| i64::try_from(v).ok()).map(Affine::constant),
            ValKind::Affine(a) => Some(a.clone()),
            ValKind::Slot(id) if self.ty == Ty::I64 => Some(Affine::sym(Sym::Scalar(*id))),
            _ => None,
        }
    }
}

/// What an operation is, for sharing: the result type and the operation's text form.
type Key = (Ty, String);

/// A subscript of a table where a condition holds.
#[derive(Clone, Debug)]
pub struct Guarded {
    pub reg: Reg,
    /// The extent, the subscript's text, the table's name, the place.
    pub extent: i64,
    pub text: String,
    pub table: String,
    pub span: Span,
}

/// One nest or scalar computation in the making.
#[derive(Clone, Default)]
pub struct Builder {
    pub regs: Vec<Ty>,
    /// Instruction lists: the last is the one being written.
    blocks: Vec<Vec<Inst>>,
    shared: BTreeMap<Key, Reg>,
    /// Registers that change after they were first written, and those computed from them: never shared.
    varying: BTreeSet<Reg>,
    pub operands: Vec<Operand>,
    pub accesses: Vec<Access>,
    /// The domain, and the part of it in which the code being written runs.
    pub domain: Vec<Interval>,
    pub within: Vec<Interval>,
    /// Enclosing loop counters with their bounds; `None` where a bound is not affine.
    pub counters: Vec<(Reg, Option<(Affine, Affine)>)>,
    /// Whether this is the code of a nest (else of workflow scalars).
    pub nest: bool,
    /// Scalars that equal a function of the point where the code being written runs.
    pub picks: Vec<(ScalarId, Affine)>,
    /// Scalars made to lie in a range wherever the nest runs.
    pub clamped: Vec<(ScalarId, Interval, ScalarId)>,
    /// Places that scalars pick, by dimension: other points contribute nothing.
    pub only: Vec<(usize, Affine)>,
    /// Subscripts that are to be checked.
    pub checks: Vec<Check>,
    /// Subscripts of tables in scalar code that may not run: what they were, if they were computed.
    pub guarded: Vec<Guarded>,
    /// Whether the code being written may not run at all.
    pub conditional: bool,
    /// The elementary functions among the code.
    pub calls: Vec<Call>,
    /// Results of operations on floats of two bytes, and the registers that hold them before they are rounded.
    exact: BTreeMap<Reg, Reg>,
    /// Registers that hold the real part of a complex number, whose imaginary part is in the next one.
    complex: BTreeSet<Reg>,
}

impl Builder {
    /// A builder for scalar code (`domain` is empty).
    pub fn new(domain: Vec<Interval>) -> Builder {
        Builder { within: domain.clone(), domain, blocks: vec![vec![]], ..Builder::default() }
    }

    /// A builder for a nest, which may have no dimension.
    pub fn new_nest(domain: Vec<Interval>) -> Builder {
        Builder { nest: true, ..Builder::new(domain) }
    }

    pub fn fresh(&mut self, ty: Ty) -> Reg {
        let r = Reg(self.regs.len() as u32);
        self.regs.push(ty.part());
        if ty.is_complex() {
            self.regs.push(ty.part());
            self.complex.insert(r);
        }
        r
    }

    pub fn push(&mut self, inst: Inst) {
        if let Some(block) = self.blocks.last_mut() {
            block.push(inst);
        }
    }

    /// Starts a nested instruction list.
    pub fn open(&mut self) -> Scope {
        self.blocks.push(vec![]);
        Scope {
            shared: self.shared.clone(),
            within: self.within.clone(),
            counters: self.counters.clone(),
            conditional: self.conditional,
        }
    }

    /// Ends the nested list. With `inline` its instructions join the enclosing list and stay shared; else they are returned
    /// for use in a loop or branch.
    pub fn close(&mut self, scope: Scope, inline: bool) -> Vec<Inst> {
        let list = self.blocks.pop().unwrap_or_default();
        self.within = scope.within;
        self.counters = scope.counters;
        self.conditional = scope.conditional;
        if inline {
            if let Some(block) = self.blocks.last_mut() {
                block.extend(list);
            }
            return vec![];
        }
        self.shared = scope.shared;
        list
    }

    /// Emits a pure operation, or finds the register that already holds it. An operation on floats of two bytes becomes that of
    /// `f32` on their values, rounded.
    pub fn emit(&mut self, ty: Ty, op: Op) -> Reg {
        let of = |b: &Builder, r: Reg| b.regs[r.0 as usize];
        match op {
            Op::Unary(op, a) if ty.is_half() => {
                let a = self.emit(Ty::F32, Op::Cast(a));
                let exact = self.emit(Ty::F32, Op::Unary(op, a));
                self.rounded(ty, exact)
            }
            Op::Binary(op, a, b) if of(self, a).is_half() => {
                let (a, b) = (self.emit(Ty::F32, Op::Cast(a)), self.emit(Ty::F32, Op::Cast(b)));
                if op.compares() {
                    return self.emit(ty, Op::Binary(op, a, b));
                }
                let exact = self.emit(Ty::F32, Op::Binary(op, a, b));
                self.rounded(ty, exact)
            }
            Op::Fma(a, b, c) if ty.is_half() => {
                let [a, b, c] = [a, b, c].map(|r| self.emit(Ty::F32, Op::Cast(r)));
                let exact = self.emit(Ty::F32, Op::Fma(a, b, c));
                self.rounded(ty, exact)
            }
            Op::Cast(a) if of(self, a).is_half() && ty != Ty::F32 => {
                let value = self.emit(Ty::F32, Op::Cast(a));
                self.emit(ty, Op::Cast(value))
            }
            Op::Cast(a) if ty.is_half() && !of(self, a).is_float() => {
                let value = self.emit(Ty::F64, Op::Cast(a));
                self.emit(ty, Op::Cast(value))
            }
            op => self.emit_as(ty, op, ""),
        }
    }

    /// The `f32` result of an operation, rounded to the type of its operands. A register of its own, apart from conversions that
    /// the program asks for: sums take such values before they are rounded.
    fn rounded(&mut self, ty: Ty, exact: Reg) -> Reg {
        let r = self.emit_as(ty, Op::Cast(exact), "rounded ");
        self.exact.insert(r, exact);
        r
    }

    /// The `f32` result of several operations as the value of a float of two bytes.
    pub fn narrowed(&mut self, v: &Val, ty: Ty) -> Val {
        match v.kind {
            ValKind::Const { .. } => self.cast(v, ty),
            _ => {
                let exact = self.materialise(v);
                Val::reg(self.rounded(ty, exact), ty)
            }
        }
    }

    /// The `f32` value of a float of two bytes; of the result of an operation, what it was before it was rounded.
    pub fn unrounded(&mut self, v: &Val) -> Val {
        match v.kind {
            ValKind::Reg(r) if self.exact.contains_key(&r) => Val::reg(self.exact[&r], Ty::F32),
            _ => self.cast(v, Ty::F32),
        }
    }

    /// The same of a term in the loop being written, where nothing else reads the rounded value.
    pub fn unrounded_term(&mut self, v: &Val) -> Val {
        if let ValKind::Reg(r) = v.kind
            && let Some(&exact) = self.exact.get(&r)
            && self.varying.contains(&r)
            && let Some(block) = self.blocks.last_mut()
        {
            block.pop_if(|i| matches!(i, Inst::Op { dst, .. } if *dst == r));
            return Val::reg(exact, Ty::F32);
        }
        self.unrounded(v)
    }

    fn emit_as(&mut self, ty: Ty, op: Op, what: &str) -> Reg {
        let varying = operands_of(&op).iter().any(|r| self.varying.contains(r)) || self.reads_counter(&op);
        let key = (ty, format!("{what}{op:?}"));
        if !varying && let Some(&r) = self.shared.get(&key) {
            return r;
        }
        let dst = self.fresh(ty);
        if varying {
            self.varying.insert(dst);
        } else {
            self.shared.insert(key, dst);
        }
        self.push(Inst::Op { dst, op });
        dst
    }

    fn reads_counter(&self, op: &Op) -> bool {
        let Op::Load(a) = op else { return false };
        !self.accesses[a.0 as usize].counters.is_empty()
    }

    /// A register that the code may write again (`var`, loop counters).
    pub fn variable(&mut self, ty: Ty) -> Reg {
        let r = self.fresh(ty);
        self.varying.insert(r);
        if ty.is_complex() {
            self.varying.insert(Reg(r.0 + 1));
        }
        r
    }

    pub fn is_varying(&self, r: Reg) -> bool {
        self.varying.contains(&r)
    }

    /// Copies a register, or both of a complex number. (The first of two is also that of the real part alone.)
    pub fn set(&mut self, dst: Reg, from: Reg) {
        self.push(Inst::Op { dst, op: Op::Copy(from) });
        if self.complex.contains(&dst) && self.complex.contains(&from) {
            self.push(Inst::Op { dst: Reg(dst.0 + 1), op: Op::Copy(Reg(from.0 + 1)) });
        }
    }

    /// The factors of a register that holds a product, if both change with the loop being written. The product itself is
    /// dropped where it was computed last.
    pub fn product(&mut self, r: Reg) -> Option<(Reg, Reg)> {
        let made = |i: &Inst| matches!(i, Inst::Op { dst, .. } if *dst == r);
        let block = self.blocks.last_mut()?;
        let Inst::Op { op: Op::Binary(BinaryOp::Mul, x, y), .. } = *block.iter().rfind(|i| made(i))? else {
            return None;
        };
        if !self.varying.contains(&x) || !self.varying.contains(&y) {
            return None;
        }
        block.pop_if(|i| made(i));
        Some((x, y))
    }

    /// The register that holds a value; of a complex number, the first of two.
    pub fn materialise(&mut self, v: &Val) -> Reg {
        if let Some((re, im)) = v.parts() {
            let (re, im) = (self.materialise(&re), self.materialise(&im));
            if self.complex.contains(&re) && im.0 == re.0 + 1 {
                return re;
            }
            let r = self.variable(v.ty);
            self.push(Inst::Op { dst: r, op: Op::Copy(re) });
            self.push(Inst::Op { dst: Reg(r.0 + 1), op: Op::Copy(im) });
            return r;
        }
        match &v.kind {
            ValKind::Const { value, .. } => self.emit(v.ty, Op::Const(*value)),
            ValKind::Slot(id) => self.emit(v.ty, Op::Scalar(*id)),
            ValKind::Reg(r) => *r,
            ValKind::Affine(a) => self.affine(a),
            // Taken apart above.
            ValKind::Parts(parts) => self.materialise(&parts.0),
        }
    }

    fn affine(&mut self, a: &Affine) -> Reg {
        let mut sum: Option<Reg> = None;
        for &(s, c) in &a.terms {
            let r = match s {
                Sym::Dim(d) => self.emit(Ty::I64, Op::Index(d)),
                Sym::Counter(r) => r,
                Sym::Scalar(id) => self.emit(Ty::I64, Op::Scalar(id)),
            };
            let r = match c {
                1 => r,
                c => {
                    let k = self.emit(Ty::I64, Op::Const(Value::i64(c)));
                    self.emit(Ty::I64, Op::Binary(BinaryOp::Mul, r, k))
                }
            };
            sum = Some(match sum {
                None => r,
                Some(s) => self.emit(Ty::I64, Op::Binary(BinaryOp::Add, s, r)),
            });
        }
        let k = |b: &mut Builder| b.emit(Ty::I64, Op::Const(Value::i64(a.konst)));
        match sum {
            None => k(self),
            Some(s) if a.konst == 0 => s,
            Some(s) => {
                let k = k(self);
                self.emit(Ty::I64, Op::Binary(BinaryOp::Add, s, k))
            }
        }
    }

    /// The registers of a value with the scalars that they go to.
    pub fn results(&mut self, v: &Val, into: ScalarId) -> Vec<(Reg, ScalarId)> {
        let r = self.materialise(v);
        let next = v.ty.is_complex().then_some((Reg(r.0 + 1), ScalarId(into.0 + 1)));
        std::iter::once((r, into)).chain(next).collect()
    }

    /// The operand for an array, added at first use.
    pub fn operand(&mut self, array: ArrayId, ty: Ty, rank: usize, written: bool) -> OperandId {
        if let Some(i) = self.operands.iter().position(|o| o.array == array) {
            self.operands[i].written |= written;
            return OperandId(i as u32);
        }
        self.operands.push(Operand { array, ty, rank, written });
        OperandId(self.operands.len() as u32 - 1)
    }

    /// The counters that affine subscripts use, with their bounds; `None` when one has unknown bounds.
    pub fn counters_of(&self, index: &[Affine]) -> Option<Vec<(Reg, Affine, Affine)>> {
        let uses = |index: &[Affine], r: Reg| index.iter().any(|a| a.coef(Sym::Counter(r)) != 0);
        let mut needed: BTreeSet<Reg> = BTreeSet::new();
        for (r, bounds) in self.counters.iter().rev() {
            let direct = uses(index, *r);
            if direct || needed.contains(r) {
                needed.insert(*r);
                let (lo, hi) = bounds.as_ref()?;
                for (s, _) in lo.terms.iter().chain(&hi.terms) {
                    if let Sym::Counter(outer) = s {
                        needed.insert(*outer);
                    }
                }
            }
        }
        let keep = self.counters.iter().filter(|c| needed.contains(&c.0));
        keep.map(|(r, b)| b.as_ref().map(|(lo, hi)| (*r, lo.clone(), hi.clone()))).collect()
    }

    /// Adds a read, sharing equal ones. Under another condition a loop's counter has other bounds, and so has the read.
    pub fn access(&mut self, access: Access) -> AccessId {
        let same = |a: &Access| {
            a.operand == access.operand
                && a.index == access.index
                && a.within == access.within
                && a.counters == access.counters
        };
        if let Some(i) = self.accesses.iter().position(same) {
            return AccessId(i as u32);
        }
        self.accesses.push(access);
        AccessId(self.accesses.len() as u32 - 1)
    }

    /// The part of the domain in which the code being written runs.
    pub fn within_box(&self) -> IndexBox {
        IndexBox::new(self.within.clone())
    }

    /// The finished code.
    pub fn finish(&mut self) -> Code {
        let inside = |g: &Guarded| Inst::Op { dst: g.reg, op: Op::Const(Value::i64(0)) };
        let before = self.guarded.iter().map(inside);
        Code {
            regs: std::mem::take(&mut self.regs),
            body: before.chain(self.blocks.pop().unwrap_or_default()).collect(),
            calls: std::mem::take(&mut self.calls),
        }
    }

    /// An operation on two values of one type, folded when both are constants.
    pub fn binary(&mut self, op: BinaryOp, a: &Val, b: &Val) -> Val {
        if let (Some(x), Some(y)) = (a.parts(), b.parts()) {
            return self.complex_binary(op, x, y);
        }
        let ty = if op.compares() { Ty::Bool } else { a.ty };
        if let (Some(x), Some(y)) = (a.as_const(), b.as_const()) {
            let value = fold::binary(op, x, y);
            let flex = a.is_flex() && b.is_flex() && !op.compares();
            return Val { ty, kind: ValKind::Const { value, flex }, range: None };
        }
        if a.ty == Ty::I64
            && let Some(v) = affine_binary(op, a, b)
        {
            return Val::affine(v);
        }
        let (x, y) = (self.materialise(a), self.materialise(b));
        Val::reg(self.emit(ty, Op::Binary(op, x, y)), ty)
    }

    pub fn unary(&mut self, op: UnaryOp, a: &Val) -> Val {
        if let Some((re, im)) = a.parts() {
            return Val::complex(self.unary(op, &re), self.unary(op, &im));
        }
        if let Some(x) = a.as_const() {
            let kind = ValKind::Const { value: fold::unary(op, x), flex: a.is_flex() };
            return Val { ty: a.ty, kind, range: None };
        }
        if let (UnaryOp::Neg, Some(f)) = (op, a.as_affine())
            && let Some(f) = f.scale(-1)
        {
            return Val::affine(f);
        }
        let x = self.materialise(a);
        Val::reg(self.emit(a.ty, Op::Unary(op, x)), a.ty)
    }

    /// The value converted to `ty`, without asking whether the language allows it.
    pub fn cast(&mut self, a: &Val, ty: Ty) -> Val {
        if a.ty == ty && !a.is_flex() {
            return a.clone();
        }
        if ty.is_complex() {
            let zero = Val::constant(Value::float(ty.part(), 0.0));
            let (re, im) = a.parts().unwrap_or((a.clone(), zero));
            return Val::complex(self.cast(&re, ty.part()), self.cast(&im, ty.part()));
        }
        if let Some(x) = a.as_const() {
            return Val::constant(fold::cast(x, ty));
        }
        let x = self.materialise(a);
        Val::reg(self.emit(ty, Op::Cast(x)), ty)
    }

    pub fn select(&mut self, c: &Val, a: &Val, b: &Val) -> Val {
        if let Some(c) = c.as_const() {
            return if c.as_bool() { a.clone() } else { b.clone() };
        }
        if let (Some(x), Some(y)) = (a.parts(), b.parts()) {
            return Val::complex(self.select(c, &x.0, &y.0), self.select(c, &x.1, &y.1));
        }
        let (c, x, y) = (self.materialise(c), self.materialise(a), self.materialise(b));
        if x == y {
            return a.clone();
        }
        Val::reg(self.emit(a.ty, Op::Select(c, x, y)), a.ty)
    }
}

/// What [`Builder::open`] remembers.
pub struct Scope {
    shared: BTreeMap<Key, Reg>,
    within: Vec<Interval>,
    counters: Vec<(Reg, Option<(Affine, Affine)>)>,
    conditional: bool,
}

fn affine_binary(op: BinaryOp, a: &Val, b: &Val) -> Option<Affine> {
    let (x, y) = (a.as_affine()?, b.as_affine()?);
    match op {
        BinaryOp::Add => x.add(&y),
        BinaryOp::Sub => x.add(&y.scale(-1)?),
        BinaryOp::Mul if y.terms.is_empty() => x.scale(y.konst),
        BinaryOp::Mul if x.terms.is_empty() => y.scale(x.konst),
        BinaryOp::IntDiv | BinaryOp::Mod if y.terms.is_empty() => divided(op, &x, y.konst),
        _ => None,
    }
}

/// `(2 * i + 3) div 2` is `i + 1`, and `mod` 1: exact where the divisor divides every coefficient.
fn divided(op: BinaryOp, a: &Affine, by: i64) -> Option<Affine> {
    if by <= 0 || a.terms.iter().any(|t| t.1 % by != 0) {
        return None;
    }
    if op == BinaryOp::Mod {
        return Some(Affine::constant(a.konst.rem_euclid(by)));
    }
    Some(Affine { konst: a.konst.div_euclid(by), terms: a.terms.iter().map(|t| (t.0, t.1 / by)).collect() })
}

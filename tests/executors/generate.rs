//! Random nests with their arrays, from a fixed seed.

use mgpu::ir::index_box::{IndexBox, Interval};
use mgpu::ir::kernel::*;
use mgpu::ir::ty::{Ty, Value};
use mgpu::source::{FileId, Span};

use crate::oracle::Array;

/// xorshift64*.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    pub fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 16) % n
    }
    pub fn range(&mut self, lo: i64, hi: i64) -> i64 {
        lo + self.below((hi - lo) as u64) as i64
    }
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
    /// A value with the awkward ones often.
    pub fn value(&mut self, ty: Ty) -> Value {
        let special = self.chance(15);
        match ty {
            Ty::Bool => Value::bool(self.chance(50)),
            ty if ty.is_float() && special => {
                let of = [
                    f64::NAN,
                    f64::INFINITY,
                    f64::NEG_INFINITY,
                    -0.0,
                    0.0,
                    1e-310,
                    1e-42,
                    3e38,
                    1e300,
                    -1e18,
                    0.5,
                    65519.0,
                    3e-8,
                ];
                Value::float(ty, self.pick(&of))
            }
            ty if ty.is_float() => {
                Value::float(ty, self.range(-4000, 4000) as f64 / self.pick(&[1.0, 7.0, 64.0, 1000.0]))
            }
            _ if special => Value::int(
                ty,
                self.pick(&[i64::MIN, i64::MAX, i32::MIN as i64, i32::MAX as i64, -1, 0, 1 << 40]) as i128,
            ),
            _ => Value::int(ty, self.range(-40, 100) as i128),
        }
    }
}

pub fn span() -> Span {
    Span::new(FileId(0), 0, 0)
}

/// A nest with all that it needs.
pub struct Case {
    pub nest: Nest,
    pub arrays: Vec<Array>,
    pub scalars: Vec<u64>,
}

pub fn tables() -> Vec<Table> {
    let of = |ty, n: i128| Table { ty, values: (0..n).map(|i| Value::int(ty, i * i - 7)).collect(), literal: false };
    let floats =
        |ty, n| Table { ty, values: (0..n).map(|i| Value::float(ty, i as f64 * 0.3)).collect(), literal: false };
    vec![floats(Ty::F32, 5), of(Ty::I64, 7), of(Ty::U32, 16), floats(Ty::F64, 3), of(Ty::Bool, 4), floats(Ty::F16, 6)]
}

const SCALARS: [Ty; 7] = [Ty::I64, Ty::I64, Ty::F32, Ty::F64, Ty::Bool, Ty::U64, Ty::Bf16];

struct Gen<'a> {
    rng: &'a mut Rng,
    nest: Nest,
    scalars: Vec<u64>,
    /// Registers that may be read here.
    seen: Vec<Reg>,
    /// Counters that may be used here, with inclusive low and exclusive high bound.
    counters: Vec<(Reg, i64, i64)>,
    /// Counters must not be assigned.
    fixed: Vec<Reg>,
    within: IndexBox,
    budget: usize,
}

/// A random case; `size` bounds the number of instructions.
pub fn case(rng: &mut Rng, size: usize) -> Case {
    let rank = rng.pick(&[0, 1, 1, 1, 2, 2, 2, 3]);
    let longest = rng.pick(&[3, 9, 70, 70, 200, 1500]);
    let dims: Vec<Interval> = (0..rank)
        .map(|d| {
            let lo = rng.range(-5, 6);
            let n = if d + 1 == rank { rng.range(1, longest + 1) } else { rng.range(1, 6) };
            Interval::new(lo, lo + n)
        })
        .collect();
    let leaf = (0..rank).map(|d| 1 << rng.below(if d + 1 == rank { 9 } else { 3 })).collect();
    let domain = IndexBox::new(dims);
    let mut scalars: Vec<u64> = SCALARS.iter().map(|&ty| rng.value(ty).bits).collect();
    scalars[0] = rng.range(-3, 4) as u64;
    scalars[1] = rng.range(0, 5) as u64;
    let nest = Nest {
        name: "random".into(),
        span: span(),
        domain: domain.clone(),
        operands: vec![],
        accesses: vec![],
        code: Code::default(),
        stores: vec![],
        reductions: vec![],
        checks: vec![],
        only: vec![],
        leaf,
    };
    let mut g = Gen { rng, nest, scalars, seen: vec![], counters: vec![], fixed: vec![], within: domain, budget: size };
    g.operands();
    let body = g.block(0, false);
    g.nest.code.body = body;
    g.results();
    let Gen { mut nest, scalars, .. } = g;
    let arrays = storage(rng, &mut nest, &scalars);
    Case { nest, arrays, scalars }
}

impl Gen<'_> {
    fn operands(&mut self) {
        for k in 0..self.rng.range(1, 5) {
            let rank = self.rng.range(0, 4) as usize;
            let ty = self.rng.pick(&Ty::ALL);
            self.nest.operands.push(Operand { array: ArrayId(k as u32), ty, rank, written: false });
        }
    }

    fn reg(&mut self, ty: Ty) -> Reg {
        self.nest.code.regs.push(ty);
        Reg(self.nest.code.regs.len() as u32 - 1)
    }
    fn ty(&self, r: Reg) -> Ty {
        self.nest.code.regs[r.0 as usize]
    }
    fn known(&mut self, ty: Ty) -> Option<Reg> {
        let of: Vec<Reg> = self.seen.iter().copied().filter(|&r| self.ty(r) == ty).collect();
        (!of.is_empty()).then(|| self.rng.pick(&of))
    }
    /// A readable register of this type, made if there is none.
    fn value(&mut self, ty: Ty, out: &mut Vec<Inst>) -> Reg {
        match self.known(ty) {
            Some(r) if self.rng.chance(85) => r,
            _ => {
                let op = Op::Const(self.rng.value(ty));
                self.define(ty, op, out)
            }
        }
    }
    fn define(&mut self, ty: Ty, op: Op, out: &mut Vec<Inst>) -> Reg {
        let dst = self.reg(ty);
        out.push(Inst::Op { dst, op });
        self.seen.push(dst);
        dst
    }

    fn block(&mut self, depth: usize, in_loop: bool) -> Vec<Inst> {
        let (seen, mut out) = (self.seen.len(), vec![]);
        for _ in 0..self.rng.range(1, if depth == 0 { 14 } else { 6 }) {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            match self.rng.below(100) {
                0..10 if depth < 3 => self.branch(depth, in_loop, &mut out),
                10..18 if depth < 3 => self.repeat(depth, &mut out),
                18..24 if in_loop => {
                    let cond = self.value(Ty::Bool, &mut out);
                    out.push(Inst::If { cond, then: vec![Inst::Break], otherwise: vec![] });
                }
                24..36 => self.load(&mut out),
                _ => self.simple(&mut out),
            }
        }
        if depth > 0 {
            self.seen.truncate(seen);
        }
        out
    }

    fn branch(&mut self, depth: usize, in_loop: bool, out: &mut Vec<Inst>) {
        let within = self.within.clone();
        let rank = self.nest.domain.rank();
        let cond = if rank > 0 && self.rng.chance(50) {
            // A condition on an index narrows where the branch's loads happen.
            let d = self.rng.below(rank as u64) as usize;
            let bound = self.rng.range(within.dims[d].lo - 1, within.dims[d].hi + 1);
            self.within.dims[d] = within.dims[d].intersect(Interval::new(bound, i64::MAX));
            let index = self.define(Ty::I64, Op::Index(d), out);
            let bound = self.define(Ty::I64, Op::Const(Value::i64(bound)), out);
            self.define(Ty::Bool, Op::Binary(BinaryOp::Ge, index, bound), out)
        } else {
            self.value(Ty::Bool, out)
        };
        let mut then = self.block(depth + 1, in_loop);
        self.within = within;
        if in_loop && self.rng.chance(20) {
            then.push(Inst::Break);
        }
        let otherwise = if self.rng.chance(50) { self.block(depth + 1, in_loop) } else { vec![] };
        out.push(Inst::If { cond, then, otherwise });
    }

    fn repeat(&mut self, depth: usize, out: &mut Vec<Inst>) {
        let bound = |g: &mut Self, lo: i64, hi: i64, out: &mut Vec<Inst>| {
            if g.rng.chance(50) {
                let v = g.rng.range(lo, hi);
                return (g.define(Ty::I64, Op::Const(Value::i64(v)), out), v, v);
            }
            let x = g.value(Ty::I64, out);
            let n = g.define(Ty::I64, Op::Const(Value::i64(hi - lo)), out);
            let x = g.define(Ty::I64, Op::Binary(BinaryOp::Mod, x, n), out);
            let lo_reg = g.define(Ty::I64, Op::Const(Value::i64(lo)), out);
            (g.define(Ty::I64, Op::Binary(BinaryOp::Add, x, lo_reg), out), lo, hi - 1)
        };
        let (from, low, _) = bound(self, -2, 2, out);
        let (to, _, high) = bound(self, 0, 7, out);
        let counter = self.reg(Ty::I64);
        let by = self.rng.pick(&[1, 1, 1, 2, 3]);
        self.counters.push((counter, low, high.max(low)));
        self.fixed.push(counter);
        self.seen.push(counter);
        let body = self.block(depth + 1, true);
        self.seen.retain(|&r| r != counter);
        self.counters.pop();
        out.push(Inst::Loop { counter, from, to, by, body });
    }

    fn load(&mut self, out: &mut Vec<Inst>) {
        let operand = self.rng.below(self.nest.operands.len() as u64) as usize;
        let Operand { ty, rank, .. } = self.nest.operands[operand];
        let dims = self.nest.domain.rank();
        let mut counters = vec![];
        let mut index = vec![];
        for a in 0..rank {
            let mut affine = Affine::constant(self.rng.range(-2, 3));
            if dims > 0 && self.rng.chance(75) {
                // Mostly in the natural order, so that contiguous reads are common.
                let d = if self.rng.chance(70) {
                    (a + dims).saturating_sub(rank)
                } else {
                    self.rng.below(dims as u64) as usize
                };
                // A long dimension in several subscripts would need a huge array.
                let long = self.nest.domain.dims[d].len() > 20 && a + 1 < rank;
                let c = if long { 0 } else { self.rng.pick(&[1, 1, 1, 1, 2, -1]) };
                affine = affine.add(&Affine { konst: 0, terms: vec![(Sym::Dim(d), c)] }).unwrap();
                affine.terms.retain(|t| t.1 != 0);
            }
            if !self.counters.is_empty() && self.rng.chance(40) {
                let (r, lo, hi) = self.rng.pick(&self.counters);
                affine = affine.add(&Affine::sym(Sym::Counter(r))).unwrap();
                if !counters.iter().any(|c: &(Reg, Affine, Affine)| c.0 == r) {
                    counters.push((r, Affine::constant(lo), Affine::constant(hi)));
                }
            }
            if self.rng.chance(15) {
                affine = affine.add(&Affine::sym(Sym::Scalar(ScalarId(0)))).unwrap();
            }
            index.push(affine);
        }
        let id = AccessId(self.nest.accesses.len() as u32);
        let operand = OperandId(operand as u32);
        self.nest.accesses.push(Access {
            operand,
            index,
            within: self.within.clone(),
            counters,
            checks: vec![],
            span: span(),
        });
        self.assign(ty, Op::Load(id), out);
    }

    /// Into a new register, or one that exists.
    fn assign(&mut self, ty: Ty, op: Op, out: &mut Vec<Inst>) {
        match self.known(ty) {
            Some(dst) if self.rng.chance(30) && !self.fixed.contains(&dst) => out.push(Inst::Op { dst, op }),
            _ => {
                self.define(ty, op, out);
            }
        }
    }

    fn simple(&mut self, out: &mut Vec<Inst>) {
        let mut ty = self.rng.pick(&[Ty::F32, Ty::F64, Ty::F32, Ty::I64, Ty::I32, Ty::U32, Ty::U64, Ty::Bool]);
        let what = self.rng.below(100);
        if what < 32 && self.rng.chance(25) {
            ty = self.rng.pick(&[Ty::F16, Ty::Bf16]);
        }
        let op = match what {
            0..8 => Op::Copy(self.value(ty, out)),
            8..22 => {
                let known: Vec<Ty> = Ty::ALL.into_iter().filter(|from| converts(*from, ty)).collect();
                let from = self.rng.pick(&known);
                Op::Cast(self.value(from, out))
            }
            22..32 => {
                let cond = self.value(Ty::Bool, out);
                Op::Select(cond, self.value(ty, out), self.value(ty, out))
            }
            32..38 => {
                let dims = self.nest.domain.rank() as u64;
                if dims == 0 {
                    return;
                }
                let op = Op::Index(self.rng.below(dims) as usize);
                return self.assign(Ty::I64, op, out);
            }
            38..43 => {
                let id = self.rng.below(SCALARS.len() as u64);
                return self.assign(SCALARS[id as usize], Op::Scalar(ScalarId(id as u32)), out);
            }
            43..48 => {
                let of = tables();
                let table = self.rng.below(of.len() as u64) as usize;
                let n = self.define(Ty::I64, Op::Const(Value::i64(of[table].values.len() as i64)), out);
                let x = self.value(Ty::I64, out);
                let index = self.define(Ty::I64, Op::Binary(BinaryOp::Mod, x, n), out);
                return self.assign(of[table].ty, Op::Table { table: TableId(table as u32), index }, out);
            }
            48..53 => return self.bits(out),
            53..58 if ty.is_float() => Op::Fma(self.value(ty, out), self.value(ty, out), self.value(ty, out)),
            58..70 => Op::Unary(self.rng.pick(unary_ops(ty)), self.value(ty, out)),
            70..82 => {
                use BinaryOp::*;
                let known: Vec<Ty> = Ty::ALL.into_iter().filter(|ty| !ty.is_half()).collect();
                let of = self.rng.pick(&known);
                let op = self.rng.pick(&[Eq, Ne, Lt, Le, Gt, Ge]);
                let op = Op::Binary(op, self.value(of, out), self.value(of, out));
                return self.assign(Ty::Bool, op, out);
            }
            _ => Op::Binary(self.rng.pick(binary_ops(ty)), self.value(ty, out), self.value(ty, out)),
        };
        self.assign(ty, op, out);
    }

    /// Bits of another type; of a float that is NaN the bits are not defined, so it is replaced first.
    fn bits(&mut self, out: &mut Vec<Inst>) {
        let (from, to) = self.rng.pick(&[
            (Ty::F32, Ty::U32),
            (Ty::U32, Ty::F32),
            (Ty::I32, Ty::F32),
            (Ty::F64, Ty::I64),
            (Ty::U64, Ty::F64),
            (Ty::I64, Ty::U64),
        ]);
        let mut x = self.value(from, out);
        if from.is_float() {
            let ok = self.define(Ty::Bool, Op::Binary(BinaryOp::Eq, x, x), out);
            let zero = self.define(from, Op::Const(Value::float(from, 0.0)), out);
            x = self.define(from, Op::Select(ok, x, zero), out);
        }
        self.assign(to, Op::Bits(x), out);
    }

    fn results(&mut self) {
        let mut more = vec![];
        let rank = self.nest.domain.rank();
        for _ in 0..self.rng.range(1, 3) {
            let ty = self.rng.pick(&Ty::ALL);
            let value = self.value(ty, &mut more);
            let mut order: Vec<usize> = (0..rank).collect();
            if rank > 1 && self.rng.chance(25) {
                order.swap(rank - 1, rank - 2);
            }
            let mut index: Vec<Affine> = (order.iter())
                .map(|&d| Affine {
                    konst: self.rng.range(-3, 4),
                    terms: vec![(Sym::Dim(d), self.rng.pick(&[1, 1, 1, 1, 1, 2, -1]))],
                })
                .collect();
            if self.rng.chance(20) {
                index.insert(0, Affine::constant(self.rng.range(-3, 4)));
            }
            let array = ArrayId(self.nest.operands.len() as u32);
            let operand = OperandId(array.0);
            self.nest.operands.push(Operand { array, ty, rank: index.len(), written: true });
            let mut value = value;
            if self.rng.chance(30) {
                // In place: read the element that is written.
                let id = AccessId(self.nest.accesses.len() as u32);
                let (index, within) = (index.clone(), self.nest.domain.clone());
                self.nest.accesses.push(Access {
                    operand,
                    index,
                    within,
                    counters: vec![],
                    checks: vec![],
                    span: span(),
                });
                let old = self.define(ty, Op::Load(id), &mut more);
                if !ty.is_half() && self.rng.chance(70) {
                    let op = if ty == Ty::Bool { BinaryOp::Xor } else { BinaryOp::Add };
                    value = self.define(ty, Op::Binary(op, old, value), &mut more);
                }
            }
            self.nest.stores.push(Store { operand, index, value });
        }
        for _ in 0..self.rng.below(4) {
            let ty = self.rng.pick(&[Ty::F32, Ty::F64, Ty::F32, Ty::Bool, Ty::I32, Ty::U32, Ty::I64, Ty::U64]);
            let value = self.value(ty, &mut more);
            use FoldOp::*;
            let op = self.rng.pick(if ty == Ty::Bool { &[Any, All, Any, All] } else { &[Sum, Prod, Min, Max] });
            self.nest.reductions.push(Reduction { op, value, into: ScalarId(0) });
        }
        self.nest.code.body.append(&mut more);
    }
}

/// Whether the kernel IR has a conversion: floats of two bytes become `f32`, and come from `f32` and `f64`.
pub fn converts(from: Ty, to: Ty) -> bool {
    if from.is_half() { to == Ty::F32 } else { !to.is_half() || matches!(from, Ty::F32 | Ty::F64) }
}

/// Unary operations that a type has.
pub fn unary_ops(ty: Ty) -> &'static [UnaryOp] {
    use UnaryOp::*;
    match ty {
        Ty::Bool => &[Not],
        Ty::F16 | Ty::Bf16 => &[],
        Ty::F32 | Ty::F64 => &[Neg, Abs, Sqrt, Floor, Ceil, Round, Trunc],
        _ => &[Neg, Abs, Not],
    }
}

/// Binary operations that a type has, without comparisons.
pub fn binary_ops(ty: Ty) -> &'static [BinaryOp] {
    use BinaryOp::*;
    match ty {
        Ty::Bool => &[And, Or, Xor, Min, Max],
        Ty::F16 | Ty::Bf16 => &[],
        Ty::F32 | Ty::F64 => &[Add, Sub, Mul, Div, Mod, Min, Max],
        Ty::U32 | Ty::U64 => &[Add, Sub, Mul, IntDiv, Mod, Min, Max, MulHi, And, Or, Xor, Shl, Shr],
        _ => &[Add, Sub, Mul, IntDiv, Mod, Min, Max, And, Or, Xor, Shl, Shr],
    }
}

/// Arrays that hold exactly what the nest reads and writes.
fn storage(rng: &mut Rng, nest: &mut Nest, scalars: &[u64]) -> Vec<Array> {
    let scalar = |id: ScalarId| {
        let v = scalars[id.0 as usize] as i64;
        Some(Interval::new(v, v + 1))
    };
    let mut boxes: Vec<Option<IndexBox>> = vec![None; nest.operands.len()];
    let mut add = |operand: OperandId, image: IndexBox| {
        let b = &mut boxes[operand.0 as usize];
        *b = Some(b.take().map_or(image.clone(), |b| b.hull(&image)));
    };
    for access in &nest.accesses {
        add(access.operand, access.image(&nest.domain, &scalar).unwrap());
    }
    for store in &nest.stores {
        let of = |s| if let Sym::Dim(d) = s { Some(nest.domain.dims[d]) } else { None };
        add(store.operand, IndexBox::new(store.index.iter().map(|a| a.image(&of).unwrap()).collect()));
    }
    let mut arrays = vec![];
    for (operand, stored) in nest.operands.iter().zip(boxes) {
        let stored = stored.unwrap_or_else(|| IndexBox::new(vec![Interval::EMPTY; operand.rank]));
        let mut array = Array::new(operand.ty, stored, rng.pick(&[0, 0, 3]));
        (0..array.len()).for_each(|i| array.set(i, rng.value(operand.ty).bits));
        arrays.push(array);
    }
    arrays
}

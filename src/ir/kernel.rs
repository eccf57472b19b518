//! The kernel IR: loop nests over a box of global indices whose body is straight register code. One IR, three executors.
//!
//! Every operation's result is fixed to the bit, so that all executors agree:
//! * integer `Add Sub Mul Neg` wrap; `IntDiv` and `Mod` floor, a divisor of 0 gives 0, `MIN div -1` wraps; shifts use the
//!   amount modulo the width, `Shr` is arithmetic for signed types;
//! * float arithmetic is IEEE 754 in the type itself, never contracted (only `Fma` fuses); `Mod` is `a - floor(a / b) * b`;
//! * `f16` and `bf16` are types of memory: their registers are constants, loaded, stored, copied, selected and converted, to `f32` and
//!   from `f32` and `f64`, and nothing else; no reduction is of these types. Conversions to them round once, to nearest even;
//! * a complex number is two values, and an array of them has its parts in a last dimension of two;
//! * float `Min` is `(a < b or a is NaN) ? a : b`, `Max` is `(a > b or a is NaN) ? a : b`;
//! * comparisons give `bool`; `Eq`-like comparisons with NaN are false, `Ne` true;
//! * `Cast` float to integer truncates and saturates, NaN gives 0; integer to float rounds to nearest even; integer to
//!   integer wraps; bool to number gives 0 or 1; number to bool is `!= 0`.

use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::ty::{Ty, Value};
use crate::source::Span;

/// A virtual register of one nest; its type is `Code::regs[reg]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(pub u32);

/// A scalar of the workflow: a slot in one table that every rank holds with the same values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScalarId(pub u32);

/// An array read or written by a nest: an index into [`Nest::operands`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperandId(pub u32);

/// A global array of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArrayId(pub u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    Neg,
    /// Of a `bool`.
    Not,
    Abs,
    Sqrt,
    Floor,
    Ceil,
    /// To nearest, ties to even.
    Round,
    Trunc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    /// Of floats only.
    Div,
    /// Of integers only: floor division.
    IntDiv,
    Mod,
    Min,
    Max,
    /// High half of the double-width product, of u32 and u64.
    MulHi,
    /// On `bool` logical, on integers bitwise.
    And,
    Or,
    Xor,
    Shl,
    Shr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl BinaryOp {
    /// Whether the result is `bool` whatever the operands are.
    pub fn compares(self) -> bool {
        matches!(self, BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge)
    }
}

/// What one instruction computes. Operands have the type of the result unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    Const(Value),
    Copy(Reg),
    /// The global index of a domain dimension, `i64`.
    Index(usize),
    /// A workflow scalar, the same for every element.
    Scalar(ScalarId),
    /// An element of an array. Inside [`Inst::If`] it is read only where the condition holds.
    Load(AccessId),
    /// An element of a constant table; the `i64` index is proved in bounds.
    Table {
        table: TableId,
        index: Reg,
    },
    Unary(UnaryOp, Reg),
    /// Comparisons take two registers of one type and give `bool`.
    Binary(BinaryOp, Reg, Reg),
    /// `a * b + c` with one rounding.
    Fma(Reg, Reg, Reg),
    /// `Select(cond, a, b)`; both are computed.
    Select(Reg, Reg, Reg),
    /// Conversion to the type of the destination.
    Cast(Reg),
    /// The same bits as another type of the same size.
    Bits(Reg),
}

/// The registers that an operation reads, those of a read's subscripts aside.
pub fn operands_of(op: &Op) -> Vec<Reg> {
    match op {
        Op::Const(_) | Op::Index(_) | Op::Scalar(_) | Op::Load(_) => vec![],
        Op::Copy(a) | Op::Table { index: a, .. } | Op::Unary(_, a) | Op::Cast(a) | Op::Bits(a) => vec![*a],
        Op::Binary(_, a, b) => vec![*a, *b],
        Op::Fma(a, b, c) | Op::Select(a, b, c) => vec![*a, *b, *c],
    }
}

/// An index into [`Nest::accesses`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessId(pub u32);

/// An index into the program's constant tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u32);

/// A constant table: values of one type.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub ty: Ty,
    pub values: Vec<Value>,
    /// All of them are literals of the program.
    pub literal: bool,
}

/// An instruction. Registers may be written more than once (`var`s); every path writes a register before it reads it.
#[derive(Clone, Debug, PartialEq)]
pub enum Inst {
    Op {
        dst: Reg,
        op: Op,
    },
    /// `for counter in from..to by by`: bounds are `i64` registers read once before the loop, `by >= 1`. The counter is a
    /// register of type `i64` that the body does not write. Bounds may differ from element to element.
    Loop {
        counter: Reg,
        from: Reg,
        to: Reg,
        by: i64,
        body: Vec<Inst>,
    },
    If {
        cond: Reg,
        then: Vec<Inst>,
        otherwise: Vec<Inst>,
    },
    /// Leaves the innermost loop (for this element).
    Break,
}

/// A variable of an affine subscript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sym {
    /// A dimension of the nest's domain.
    Dim(usize),
    /// The counter of an enclosing [`Inst::Loop`], or another register that holds a subscript which the code computed.
    Counter(Reg),
    /// A workflow scalar of type `i64`.
    Scalar(ScalarId),
}

/// `konst + Σ coefficient · symbol`; terms are sorted by symbol, with no zero coefficient and no symbol twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Affine {
    pub konst: i64,
    pub terms: Vec<(Sym, i64)>,
}

/// A read of an array at affine subscripts, in global indices; a subscript that is a value (`x[idx[i]]`) is a register of its
/// own with bounds, like a loop counter. A subscript may lie outside the array where the operand's
/// buffer has ghost cells for it.
#[derive(Clone, Debug)]
pub struct Access {
    pub operand: OperandId,
    pub index: Vec<Affine>,
    /// The part of the domain in which this access can execute (narrowed by enclosing `if`s).
    pub within: IndexBox,
    /// Bounds (inclusive low, exclusive high) of each loop counter or computed subscript that `index` uses.
    pub counters: Vec<(Reg, Affine, Affine)>,
    /// Computed subscripts whose bounds hold only if a check says so before the nest runs.
    pub checks: Vec<Check>,
    pub span: Span,
}

/// A computed subscript that must lie in `0..extent`.
#[derive(Clone, Debug)]
pub struct Check {
    pub reg: Reg,
    pub extent: i64,
    /// The subscript as it is written, and the name of the array.
    pub text: String,
    pub array: String,
    pub span: Span,
}

/// Registers and instructions.
#[derive(Clone, Debug, Default)]
pub struct Code {
    pub regs: Vec<Ty>,
    pub body: Vec<Inst>,
    /// Which registers hold what elementary functions give. Notes for readers: their instructions stand in `body`.
    pub calls: Vec<Call>,
}

/// An elementary function of the library, expanded into instructions.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub name: String,
    pub args: Vec<Argument>,
    pub result: Reg,
}

/// What a [`Call`] was given.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    Reg(Reg),
    Const(Value),
}

/// A write of one element for every point of the domain. No two points write the same element.
#[derive(Clone, Debug)]
pub struct Store {
    pub operand: OperandId,
    pub index: Vec<Affine>,
    pub value: Reg,
}

/// How the terms of a reduction are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FoldOp {
    Sum,
    Prod,
    Min,
    Max,
    Any,
    All,
}

/// A reduction of `value` over the whole domain into a workflow scalar of the same type.
#[derive(Clone, Debug)]
pub struct Reduction {
    pub op: FoldOp,
    pub value: Reg,
    pub into: ScalarId,
}

/// An array that a nest uses.
#[derive(Clone, Debug)]
pub struct Operand {
    pub array: ArrayId,
    pub ty: Ty,
    /// Number of dimensions of the array.
    pub rank: usize,
    pub written: bool,
}

/// A loop nest: for every point of `domain`, run `code`, then do the stores, and feed the reductions.
///
/// Stores happen after all loads of the same point. An operand that is both read and written is read only at the element
/// that the same point writes, so points are independent and may run in any order.
#[derive(Clone, Debug)]
pub struct Nest {
    /// A name for people: `diffuse`, `u =`.
    pub name: String,
    pub span: Span,
    pub domain: IndexBox,
    pub operands: Vec<Operand>,
    pub accesses: Vec<Access>,
    pub code: Code,
    pub stores: Vec<Store>,
    pub reductions: Vec<Reduction>,
    /// Subscripts of a scatter, and of tables, that must be checked before the nest runs; a copy to the register makes each.
    pub checks: Vec<Check>,
    /// The reduction leaf in each dimension: a power of two (1 allowed). See [`leaf`](Nest::leaf) in the module docs of
    /// `runtime::device::exact_sum`: floats are summed in a fixed order inside a leaf, leaves are added exactly.
    pub leaf: Vec<i64>,
    /// Places that scalars of the workflow pick, by dimension: other points contribute nothing, so they may be left out.
    pub only: Vec<(usize, Affine)>,
}

impl Nest {
    /// The registers that an operation reads, those of a read's subscripts among them.
    pub fn operands_of(&self, op: &Op) -> Vec<Reg> {
        match op {
            Op::Load(a) => self.accesses[a.0 as usize].index.iter().flat_map(Affine::registers).collect(),
            op => operands_of(op),
        }
    }

    /// The points of a part of the domain that may contribute, given the values of the scalars.
    pub fn picked(&self, part: &IndexBox, scalar: &dyn Fn(ScalarId) -> i64) -> IndexBox {
        let mut out = part.clone();
        for (d, at) in &self.only {
            let value = |(sym, c): &(Sym, i64)| if let Sym::Scalar(id) = sym { c.wrapping_mul(scalar(*id)) } else { 0 };
            let at = at.terms.iter().fold(at.konst, |sum, t| sum.wrapping_add(value(t)));
            out.dims[*d] = match out.dims[*d].lo <= at && at < out.dims[*d].hi {
                true => Interval::new(at, at + 1),
                false => Interval::EMPTY,
            };
        }
        out
    }
}

impl Affine {
    /// The registers in it: counters, and subscripts that the code computed.
    pub fn registers(&self) -> impl Iterator<Item = Reg> {
        self.terms.iter().filter_map(|t| if let Sym::Counter(r) = t.0 { Some(r) } else { None })
    }

    pub fn constant(konst: i64) -> Affine {
        Affine { konst, terms: vec![] }
    }
    pub fn sym(sym: Sym) -> Affine {
        Affine { konst: 0, terms: vec![(sym, 1)] }
    }
    /// The indices of a domain, counted from its start: where its points lie in an array of its shape.
    pub fn from_start(domain: &[Interval]) -> Vec<Affine> {
        let one = |(d, r): (usize, &Interval)| Affine { konst: -r.lo, terms: vec![(Sym::Dim(d), 1)] };
        domain.iter().enumerate().map(one).collect()
    }
    /// The dimension whose index this is, but for a constant: `i + c`.
    pub fn dim(&self) -> Option<usize> {
        if let [(Sym::Dim(d), 1)] = self.terms[..] { Some(d) } else { None }
    }
    /// The coefficient of a symbol, 0 when it does not occur.
    pub fn coef(&self, sym: Sym) -> i64 {
        self.terms.iter().find(|t| t.0 == sym).map_or(0, |t| t.1)
    }
    /// The sum; `None` on overflow.
    pub fn add(&self, o: &Affine) -> Option<Affine> {
        let mut terms = self.terms.clone();
        for &(s, c) in &o.terms {
            match terms.iter_mut().find(|t| t.0 == s) {
                Some(t) => t.1 = t.1.checked_add(c)?,
                None => terms.push((s, c)),
            }
        }
        terms.retain(|t| t.1 != 0);
        terms.sort();
        Some(Affine { konst: self.konst.checked_add(o.konst)?, terms })
    }
    /// The product with a constant; `None` on overflow.
    pub fn scale(&self, by: i64) -> Option<Affine> {
        let mut terms = vec![];
        for &(s, c) in &self.terms {
            terms.push((s, c.checked_mul(by)?));
        }
        terms.retain(|t| t.1 != 0);
        Some(Affine { konst: self.konst.checked_mul(by)?, terms })
    }
    /// The smallest interval that holds every value, given an interval for each symbol; `None` when a symbol's is unknown
    /// or the arithmetic overflows. An empty input interval gives an empty result.
    pub fn image(&self, of: &dyn Fn(Sym) -> Option<Interval>) -> Option<Interval> {
        let (mut lo, mut hi) = (self.konst, self.konst);
        for &(s, c) in &self.terms {
            let r = of(s)?;
            if r.is_empty() {
                return Some(Interval::EMPTY);
            }
            let (a, b) = (c.checked_mul(r.lo)?, c.checked_mul(r.hi - 1)?);
            lo = lo.checked_add(a.min(b))?;
            hi = hi.checked_add(a.max(b))?;
        }
        Some(Interval::new(lo, hi.checked_add(1)?))
    }
}

impl Access {
    /// The elements that the points of `part` read, as the smallest box; `scalar` gives the values of workflow scalars.
    pub fn image(&self, part: &IndexBox, scalar: &dyn Fn(ScalarId) -> Option<Interval>) -> Option<IndexBox> {
        let part = part.intersect(&self.within);
        if part.is_empty() {
            return Some(IndexBox::new(vec![Interval::EMPTY; self.index.len()]));
        }
        let outer = |s: Sym| match s {
            Sym::Dim(d) => Some(part.dims[d]),
            Sym::Scalar(id) => scalar(id),
            Sym::Counter(_) => None,
        };
        // Counters may depend on outer counters: resolve in order.
        let mut known: Vec<(Reg, Interval)> = vec![];
        for (reg, lo, hi) in &self.counters {
            let look = |s: Sym| match s {
                Sym::Counter(r) => known.iter().find(|k| k.0 == r).map(|k| k.1),
                s => outer(s),
            };
            let (lo, hi) = (lo.image(&look)?, hi.image(&look)?);
            known.push((*reg, Interval::new(lo.lo, hi.hi - 1)));
        }
        let look = |s: Sym| match s {
            Sym::Counter(r) => known.iter().find(|k| k.0 == r).map(|k| k.1),
            s => outer(s),
        };
        let mut dims = vec![];
        for a in &self.index {
            // Bounds that follow the outer indices can be tighter: `u[i-k]` with `k in 0..i+1` begins at 0.
            let bound = |low: bool| self.without_counters(a, low).and_then(|b| b.image(&outer));
            let (low, high) = (bound(true), bound(false));
            let r = a.image(&look)?;
            let lo = low.filter(|b| !b.is_empty()).map_or(r.lo, |b| b.lo.max(r.lo));
            let hi = high.filter(|b| !b.is_empty()).map_or(r.hi, |b| b.hi.min(r.hi));
            dims.push(if r.is_empty() || hi <= lo { Interval::EMPTY } else { Interval::new(lo, hi) });
        }
        Some(IndexBox::new(dims))
    }

    /// The least (or greatest) value of a subscript while its loops run, in terms of what is outside of them.
    fn without_counters(&self, a: &Affine, low: bool) -> Option<Affine> {
        let mut a = a.clone();
        for (reg, from, to) in self.counters.iter().rev() {
            let c = a.coef(Sym::Counter(*reg));
            if c == 0 {
                continue;
            }
            a.terms.retain(|t| t.0 != Sym::Counter(*reg));
            let end = if (c > 0) == low { from.clone() } else { to.add(&Affine::constant(-1))? };
            a = a.add(&end.scale(c)?)?;
        }
        Some(a)
    }
}

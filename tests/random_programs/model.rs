//! Programs as the generator knows them. Nothing here is shared with the compiler but the element types.

use mgpu::ir::ty::Ty;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edge {
    None,
    Clamp,
    Periodic,
    Mirror,
    Odd,
    Constant(i64),
}

#[derive(Clone, Debug)]
pub struct Array {
    pub name: String,
    pub ty: Ty,
    pub shape: Vec<i64>,
    /// `in (block, *)` or `aligned a0`.
    pub placement: String,
    pub edges: Vec<Edge>,
    /// Its elements are in `0..below` for ever (0: anything): what subscripts and bounds are read from, and what `grad` works on.
    pub below: i64,
}

/// `konst + Σ coefficient · index`, over the indices in scope by name.
#[derive(Clone, Debug)]
pub struct Sub {
    pub konst: i64,
    pub terms: Vec<(String, i64)>,
    /// An index `div 2`, or `mod 2`, besides.
    pub half: Option<(String, bool)>,
    /// A value of the element `mod` a number (0: as it is), besides: an indirect read.
    pub value: Option<(Box<Expr>, i64)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fold {
    Sum,
    /// A sum over a whole index space of few elements: exact, and rounded once.
    Once,
    Prod,
    Min,
    Max,
    Any,
    All,
    Count,
    Mean,
    ArgMin,
    ArgMax,
}

/// `name in lo..hi by by`; `from` begins at another index's value, `upto` ends there.
#[derive(Clone, Debug)]
pub struct Axis {
    pub name: String,
    pub lo: i64,
    pub hi: i64,
    pub by: i64,
    pub upto: Option<String>,
    /// Both ends, where they are read from arrays.
    pub ends: Option<Box<(Expr, Expr)>>,
}

#[derive(Clone, Debug)]
pub enum Expr {
    Lit(Ty, i64),
    /// An `i64` literal as written in conditions on indices.
    Plain(i64),
    Floor(Ty, Box<Expr>),
    /// An index, as a value of the type.
    Index(Ty, String),
    Scalar(Ty, String),
    /// By the name that the array has where the expression stands.
    Read(Ty, String, Vec<Sub>),
    Bin(Ty, &'static str, Box<Expr>, Box<Expr>),
    /// `min(a, b)`, `max(a, b)`.
    Call(Ty, &'static str, Box<Expr>, Box<Expr>),
    Neg(Ty, Box<Expr>),
    Not(Box<Expr>),
    If(Ty, Box<Expr>, Box<Expr>, Box<Expr>),
    Cast(Ty, Box<Expr>),
    Fold(Ty, Fold, Vec<Axis>, Box<Expr>),
    /// `scan(op)[index] term`, where the index begins at the number, or without the element's own term.
    Scan(Ty, (Fold, bool), String, i64, Box<Expr>),
    /// The reduction or scan, written with a function of the program that combines like it.
    By(Box<Expr>),
    /// A function of the language that is exact, of one to three values, or an elementary one ([`ELEMENTARY`]).
    Built(Ty, &'static str, Vec<Expr>),
    /// `a^k`
    Power(Ty, Box<Expr>, i64),
    /// A call of a function of the program.
    Apply(Ty, usize, Vec<Expr>),
    /// A kernel's intermediate at a place.
    Local(Ty, String, Vec<Sub>),
    /// A kernel that gives one value, of arrays.
    Total(Ty, usize, Vec<String>),
    /// The real or the imaginary part.
    Part(Ty, bool, Box<Complex>),
    /// `{ var v = first; for k in lo..hi { [if cond { break }] [for …] v = step }; v }`, or with another variable beside it
    Loop {
        ty: Ty,
        var: String,
        first: Box<Expr>,
        axis: Axis,
        /// A loop in the loop, around the step.
        inner: Option<Axis>,
        stop: Option<Box<Expr>>,
        step: Box<Expr>,
        beside: Option<Box<Beside>>,
    },
}

/// A second variable of a loop, which is added to the first one behind it: `w = step` ahead of what a round does with the first, or behind it.
#[derive(Clone, Debug)]
pub struct Beside {
    pub var: String,
    pub first: Expr,
    pub step: Expr,
    pub ahead: bool,
}

impl Expr {
    pub fn ty(&self) -> Ty {
        match self {
            Expr::Not(_) => Ty::Bool,
            Expr::Plain(_) => Ty::I64,
            Expr::Floor(t, _) => *t,
            Expr::Lit(t, ..)
            | Expr::Index(t, _)
            | Expr::Scalar(t, _)
            | Expr::Read(t, ..)
            | Expr::Bin(t, ..)
            | Expr::Built(t, ..)
            | Expr::Power(t, ..)
            | Expr::Apply(t, ..)
            | Expr::Local(t, ..)
            | Expr::Total(t, ..)
            | Expr::Part(t, ..)
            | Expr::Call(t, ..) => *t,
            Expr::Neg(t, _) | Expr::If(t, ..) | Expr::Cast(t, _) | Expr::Fold(t, ..) | Expr::Scan(t, ..) => *t,
            Expr::Loop { ty: t, .. } => *t,
            Expr::By(e) => e.ty(),
        }
    }
}

/// An expression of complex numbers; what is real in it has the type of their parts.
#[derive(Clone, Debug)]
pub enum Complex {
    Read(String, Vec<Sub>),
    Make(Expr, Expr),
    Bin(&'static str, Box<Complex>, Box<Complex>),
    /// By a real number.
    Scale(&'static str, Box<Complex>, Expr),
    /// `-` or `conj`.
    Turned(&'static str, Box<Complex>),
    If(Expr, Box<Complex>, Box<Complex>),
    /// A sum of whole numbers, and of such imaginary parts.
    Sum(Axis, Expr, Expr),
}

/// A subscript on the left.
#[derive(Clone, Debug)]
pub enum Left {
    /// `coef * name + konst`
    Index(String, i64, i64),
    At(i64),
    /// A value `mod` a number (0: as it is): the equation scatters.
    Value(Box<Expr>, i64),
}

/// `target[left] op value for axes`; axes without a range of their own run over the extent.
#[derive(Clone, Debug)]
pub struct Equation {
    pub target: String,
    pub left: Vec<Left>,
    pub op: &'static str,
    pub value: Expr,
    pub axes: Vec<Axis>,
    /// Whether the ranges are written.
    pub clause: bool,
    pub otherwise: bool,
}

/// An array parameter or result of a kernel or workflow.
#[derive(Clone, Debug)]
pub struct Port {
    pub name: String,
    pub ty: Ty,
    /// Extents as written.
    pub extents: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Kernel {
    pub name: String,
    pub params: Vec<Port>,
    pub scalars: Vec<(String, Ty)>,
    pub results: Vec<Port>,
    /// With the equation that each stands before.
    pub locals: Vec<(usize, Intermediate)>,
    pub body: Vec<Equation>,
}

/// `let name[indices] = value` in a kernel; without indices, one value.
#[derive(Clone, Debug)]
pub struct Intermediate {
    pub name: String,
    pub indices: Vec<String>,
    pub value: Expr,
}

/// `fn fK(x0: …) -> ty = value`
#[derive(Clone, Debug)]
pub struct Function {
    pub params: Vec<(String, Ty)>,
    pub value: Expr,
}

/// `kernel hK(p0: …) -> ty = value`
#[derive(Clone, Debug)]
pub struct Total {
    pub params: Vec<Port>,
    pub value: Expr,
}

/// `let tableK = [values]`, in rows where it has more than one dimension.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub shape: Vec<i64>,
    pub values: Vec<i64>,
}

/// `workflow name(a) -> x { x = …; for … }`: one argument, one result of the same shape.
#[derive(Clone, Debug)]
pub struct Workflow {
    pub name: String,
    pub param: Port,
    pub result: Port,
    pub body: Vec<Stmt>,
}

/// `kernel gK(p0: …) -> f64 = sum[axes] (term)`, whose values and derivatives are whole numbers.
#[derive(Clone, Debug)]
pub struct Loss {
    pub params: Vec<Port>,
    pub axes: Vec<Axis>,
    pub term: Expr,
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Equation(Equation),
    /// `target[left] op value for axes`
    OfComplex {
        target: String,
        left: Vec<Left>,
        op: &'static str,
        value: Box<Complex>,
        axes: Vec<Axis>,
        clause: bool,
    },
    /// `target = grad gK(arrays) for pW`, and zeros without a sign.
    Grad {
        loss: usize,
        target: String,
        arrays: Vec<String>,
        wrt: usize,
        rank: usize,
    },
    /// `to = from`, by way of a file of this number if there is one.
    Copy(String, String, Option<usize>),
    /// `let name = array`
    Keep(String, String),
    Call {
        kernel: usize,
        targets: Vec<String>,
        arrays: Vec<String>,
        scalars: Vec<Expr>,
        /// The kernel is handed to a workflow, which calls it with the first array.
        handed: bool,
    },
    CallWorkflow {
        workflow: usize,
        target: String,
        array: String,
    },
    /// `let` (new) or assignment of a scalar.
    Scalar {
        name: String,
        ty: Ty,
        new: bool,
        value: Expr,
    },
    For {
        index: String,
        lo: i64,
        hi: i64,
        by: i64,
        body: Vec<Stmt>,
    },
    /// `var c = 0; while c < n and cond { c += 1; … }`
    While {
        counter: String,
        rounds: i64,
        body: Vec<Stmt>,
    },
    If {
        cond: Expr,
        then: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    /// Leaves the loop when the scalar condition holds.
    BreakIf(Expr),
    /// An array of a block, which starts as zeros.
    Declare(Array),
    /// `let a, b = argmax[axes] (term)`
    Places {
        names: Vec<String>,
        op: Fold,
        axes: Vec<Axis>,
        term: Expr,
    },
    Print(Vec<Expr>),
    PrintArray(String),
}

#[derive(Clone, Debug, Default)]
pub struct Program {
    pub arrays: Vec<Array>,
    pub kernels: Vec<Kernel>,
    pub workflows: Vec<Workflow>,
    pub losses: Vec<Loss>,
    pub functions: Vec<Function>,
    pub totals: Vec<Total>,
    pub tables: Vec<Table>,
    /// Arrays of complex numbers, which nothing prints.
    pub complex: Vec<Array>,
    /// Functions and kernels whose types are variables where they can be: those with a number that this one divides (0: none).
    pub generic: usize,
    /// Functions, kernels and tables stand in a file of their own.
    pub module: bool,
    pub body: Vec<Stmt>,
}

/// Reductions of a type that any function could make: their order does not show.
pub const FREE: &[Fold] = &[Fold::Sum, Fold::Prod, Fold::Min, Fold::Max, Fold::Any, Fold::All];

/// Elementary functions of one value.
pub const ELEMENTARY: &[&str] = &[
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "tanh", "erf", "cbrt",
];
/// Those of two.
pub const OF_TWO: &[&str] = &["atan2", "pow", "hypot"];

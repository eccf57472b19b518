//! The syntax tree: data only. Expressions live in one arena per file, so no tree is ever dropped recursively.

use crate::source::{FileId, Span};

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    pub name: String,
    pub span: Span,
}

/// An expression in [`Ast::exprs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExprId(pub u32);

/// One parsed file.
#[derive(Clone, Debug)]
pub struct Ast {
    pub file: FileId,
    pub items: Vec<Item>,
    /// Names that declarations left out of `items` were to declare.
    pub faulty: Vec<Ident>,
    pub exprs: Vec<Expr>,
    /// Every comment that is not documentation, in source order, for the printer.
    pub comments: Vec<Comment>,
    /// The `///` lines at the head of the file, when an empty line follows them.
    pub doc: Option<String>,
}

impl Ast {
    /// The expression behind a handle.
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }
}

/// A `//` comment.
#[derive(Clone, Debug)]
pub struct Comment {
    pub span: Span,
    /// The text after `//`, trailing blanks removed.
    pub text: String,
    /// Nothing but blanks stands before it on its line.
    pub own_line: bool,
}

/// A string literal; `text` has its escapes resolved.
#[derive(Clone, Debug)]
pub struct StrLit {
    pub text: String,
    pub span: Span,
}

/// A top-level declaration.
#[derive(Clone, Debug)]
pub struct Item {
    pub kind: ItemKind,
    /// Lines of `///` before it (or behind it on its line), joined by newlines, without the slashes.
    pub doc: Option<String>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ItemKind {
    /// `use std.random: uniform, normal` or `use "lib/flux.mgpu": flux`
    Use {
        path: UsePath,
        names: Vec<Ident>,
    },
    /// `param n: i64 = 4096`
    Param {
        name: Ident,
        ty: TypeExpr,
        default: ExprId,
    },
    /// `let w = [1.0, 2.0]`
    Let {
        name: Ident,
        ty: Option<TypeExpr>,
        value: ExprId,
    },
    /// `partition tiles = (block, block) over (4, auto)`
    Partition {
        name: Ident,
        placement: Placement,
    },
    Array(ArrayDecl),
    Fn(FnDecl),
    Kernel(KernelDecl),
    Workflow(WorkflowDecl),
    Test(TestDecl),
}

#[derive(Clone, Debug)]
pub enum UsePath {
    /// `std.random`: the segments in order.
    Library(Vec<Ident>),
    /// A path relative to the file.
    File(StrLit),
}

/// How one dimension is divided.
#[derive(Clone, Copy, Debug)]
pub enum Dist {
    Block,
    Cyclic(Option<ExprId>),
    /// `*`
    Whole,
}

/// Where an array lives.
#[derive(Clone, Debug)]
pub enum Placement {
    /// `(block, *) over (4, auto)`; a bare `block` is one dimension. `over` holds `None` for `auto`.
    Dists { dists: Vec<(Dist, Span)>, over: Option<Vec<Option<ExprId>>>, span: Span },
    /// `replicated`
    Replicated(Span),
    /// The name of a declared partition.
    Named(Ident),
    /// `aligned OTHER`
    Aligned(Ident),
}

/// An edge rule for one dimension.
#[derive(Clone, Debug)]
pub enum Edge {
    Clamp(Span),
    Periodic(Span),
    Mirror(Span),
    Odd(Span),
    Constant(ExprId, Span),
    None(Span),
}

impl Edge {
    /// Where the rule stands.
    pub fn span(&self) -> Span {
        match self {
            Edge::Clamp(s) | Edge::Periodic(s) | Edge::Mirror(s) | Edge::Odd(s) | Edge::None(s) => *s,
            Edge::Constant(_, s) => *s,
        }
    }
}

/// `array a, b: f32[n, m] from "x.npy" in tiles edge clamp`, or `array r, p like b`; also a local array.
#[derive(Clone, Debug)]
pub struct ArrayDecl {
    pub names: Vec<Ident>,
    pub body: ArrayBody,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ArrayBody {
    Typed {
        ty: TypeExpr,
        from: Option<StrLit>,
        placement: Option<Placement>,
        /// One rule for all dimensions, or one a dimension (`edge (periodic, clamp)`); empty: none written.
        edges: Vec<Edge>,
    },
    Like(Ident),
}

/// `f32`, `f32[n, m+1]`, or the word `kernel` for a workflow's kernel parameter.
#[derive(Clone, Debug)]
pub struct TypeExpr {
    /// `bool i32 i64 u32 u64 f32 f64 f16 bf16 c64 c128 kernel`
    pub elem: Ident,
    /// `None` for a scalar.
    pub shape: Option<Vec<ExprId>>,
    pub span: Span,
}

/// A parameter of a `fn`, kernel or workflow.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: Ident,
    pub ty: TypeExpr,
}

/// A result after `->`; unnamed for `-> f64`.
#[derive(Clone, Debug)]
pub struct ResultDecl {
    pub name: Option<Ident>,
    pub ty: TypeExpr,
}

#[derive(Clone, Debug)]
pub struct FnDecl {
    pub name: Ident,
    pub params: Vec<Parameter>,
    /// One type, or several for a tuple `-> (f32, f32)`.
    pub results: Vec<TypeExpr>,
    /// An [`ExprKind::Block`] for a braced body.
    pub body: ExprId,
}

#[derive(Clone, Debug)]
pub struct KernelDecl {
    pub name: Ident,
    pub params: Vec<Parameter>,
    pub results: Vec<ResultDecl>,
    pub body: KernelBody,
}

#[derive(Clone, Debug)]
pub enum KernelBody {
    /// `= EXPR`
    Expr(ExprId),
    /// `{ … }`, with a last expression as its value when the result is unnamed.
    Block(Block),
}

#[derive(Clone, Debug)]
pub struct WorkflowDecl {
    pub name: Ident,
    pub params: Vec<Parameter>,
    pub results: Vec<ResultDecl>,
    pub body: Block,
}

/// `test "title" with n = 64, m = 3 { … }`
#[derive(Clone, Debug)]
pub struct TestDecl {
    pub title: StrLit,
    pub with: Vec<(Ident, ExprId)>,
    pub body: Block,
}

/// Statements between braces and, where it has one, the last expression that is its value.
#[derive(Clone, Debug)]
pub struct Block {
    pub stmts: Vec<Stmt>,
    pub value: Option<ExprId>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum StmtKind {
    /// `let x: f32 = …`, `let flux[k, i] = …`, `let a, b = …`
    Let {
        targets: Vec<Target>,
        ty: Option<TypeExpr>,
        value: ExprId,
    },
    /// `var x: f32 = …`
    Var {
        name: Ident,
        ty: Option<TypeExpr>,
        value: ExprId,
    },
    /// `u = …`, `h, hu = …`, `out[i, j] = … for i in 1..n-1`, `x += …`, `b[i] = … otherwise`
    Assign {
        targets: Vec<Target>,
        op: AssignOp,
        value: ExprId,
        clause: Clause,
    },
    For {
        index: Ident,
        range: Range,
        body: Block,
    },
    While {
        cond: ExprId,
        body: Block,
    },
    /// `else if` is a block that holds one `If`.
    If {
        cond: ExprId,
        then: Block,
        otherwise: Option<Block>,
    },
    Break,
    Print {
        text: Template,
    },
    /// `assert cond, "why"`
    Assert {
        cond: ExprId,
        why: Option<Template>,
    },
    /// `expect cond` in a test.
    Expect {
        cond: ExprId,
    },
    /// `load A from "f.npy"`
    Load {
        array: Ident,
        path: Template,
    },
    /// `save A to "f.npy"`
    Save {
        array: Ident,
        path: Template,
    },
    /// `plot A to "f.png"`; `animate A to "f.png"` adds a frame each time.
    Plot {
        array: Ident,
        path: Template,
        animated: bool,
    },
    Array(ArrayDecl),
    /// A call for its effect.
    Expr(ExprId),
}

/// A name on a left side, with its subscripts if it has any.
#[derive(Clone, Debug)]
pub struct Target {
    pub name: Ident,
    pub subscripts: Option<Vec<ExprId>>,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignOp {
    Set,
    Add,
    Sub,
    Mul,
    Div,
    /// `min=`: the smaller of the two.
    Min,
    /// `max=`: the larger.
    Max,
}

impl AssignOp {
    /// How all but `=` are written.
    pub const COMPOUND: [(&str, AssignOp); 6] = [
        ("+=", AssignOp::Add),
        ("-=", AssignOp::Sub),
        ("*=", AssignOp::Mul),
        ("/=", AssignOp::Div),
        ("min=", AssignOp::Min),
        ("max=", AssignOp::Max),
    ];

    /// How it is written.
    pub fn text(self) -> &'static str {
        AssignOp::COMPOUND.iter().find(|(_, op)| *op == self).map_or("=", |(text, _)| text)
    }

    /// Whether a token is `=` or one of its kin.
    pub fn is(token: &str) -> bool {
        token == "=" || AssignOp::COMPOUND.iter().any(|(text, _)| *text == token)
    }
}

/// What may follow an equation: `for i in 1..n-1, j in 0..m` or `otherwise`.
#[derive(Clone, Debug)]
pub enum Clause {
    Everywhere,
    For(Vec<(Ident, Range)>),
    Otherwise(Span),
}

/// `a..b` or `a..b by c`; the end is not included.
#[derive(Clone, Debug)]
pub struct Range {
    pub from: ExprId,
    pub to: ExprId,
    pub by: Option<ExprId>,
    pub span: Span,
}

/// A string with `{expr:format}` holes.
#[derive(Clone, Debug)]
pub struct Template {
    pub parts: Vec<TemplatePart>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum TemplatePart {
    /// Escapes resolved (`\n \t \\ \" {{ }}`).
    Text(String),
    /// `{e}`, `{e:.3e}` (`format` is what follows the colon), `{e for k in a..b}`.
    Hole { value: ExprId, over: Option<(Ident, Range)>, format: Option<String>, span: Span },
}

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    /// Also `0x…` and digits with `_`; values above 2^64-1 are a diagnostic of the parser.
    Int(u64),
    Float(f64),
    Bool(bool),
    /// Also `pi`, `inf`, `ranks`.
    Name(String),
    /// `u[i-1, j]`
    Index {
        base: Ident,
        subscripts: Vec<ExprId>,
    },
    /// `exp(x)`, `f32(x)`, `diffuse(u, alpha)`; an argument may be [`ExprKind::Hole`].
    Call {
        callee: Ident,
        args: Vec<ExprId>,
    },
    /// `_`
    Hole,
    Unary {
        op: UnaryOp,
        arg: ExprId,
    },
    Binary {
        op: BinaryOp,
        left: ExprId,
        right: ExprId,
        op_span: Span,
    },
    If {
        cond: ExprId,
        then: ExprId,
        otherwise: ExprId,
    },
    /// `{ var z = 0.0; …; z }`
    Block(Block),
    /// `sum[k in 0..n, l] TERM`
    Reduce {
        op: ReduceOp,
        indices: Vec<(Ident, Option<Range>)>,
        term: ExprId,
    },
    /// `scan(+)[i] TERM` or `scan(+, exclusive)[i] TERM`: the operator's text (`+ * min max …`).
    Scan {
        op: String,
        /// Without the element's own term.
        exclusive: bool,
        indices: Vec<(Ident, Option<Range>)>,
        term: ExprId,
    },
    /// `reduce(f, 0)[k in 0..n] TERM`, or `scan(f, 0)[i] TERM` and `scan(f, 0, exclusive)[i] TERM`: a function of two values, and what
    /// it begins with.
    Combine {
        with: Ident,
        start: ExprId,
        /// A scan, and whether it is without the element's own term.
        scan: Option<bool>,
        indices: Vec<(Ident, Option<Range>)>,
        term: ExprId,
    },
    Tuple(Vec<ExprId>),
    /// `[1.0, -8.0]`
    Table(Vec<ExprId>),
    /// `grad loss(w, x) for w`
    Grad {
        call: ExprId,
        wrt: Vec<Ident>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    Neg,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Add,
    Sub,
    Mul,
    Div,
    /// `div`: floor division
    IntDiv,
    /// `mod`: of the divisor's sign
    Mod,
    /// `^`, right associative, binds tighter than unary minus
    Pow,
    BitAnd,
    BitOr,
    BitXor,
    Shl,
    Shr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    Sum,
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

impl ReduceOp {
    /// The word in a program.
    pub fn name(self) -> &'static str {
        match self {
            ReduceOp::Sum => "sum",
            ReduceOp::Prod => "prod",
            ReduceOp::Min => "min",
            ReduceOp::Max => "max",
            ReduceOp::Any => "any",
            ReduceOp::All => "all",
            ReduceOp::Count => "count",
            ReduceOp::Mean => "mean",
            ReduceOp::ArgMin => "argmin",
            ReduceOp::ArgMax => "argmax",
        }
    }
}

//! The bound program: concrete shapes, typed loop nests and a workflow, still independent of the number of ranks.

use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{ArrayId, BinaryOp, Code, Nest, Reg, ScalarId, Table};
use crate::ir::layout::Dist;
use crate::ir::ty::{Ty, Value};
use crate::source::Span;
use std::collections::BTreeMap;

/// What a read past an edge of an array sees, one rule a dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Edge {
    /// Such a read is an error.
    None,
    /// The nearest element.
    Clamp,
    /// The element at the index modulo the extent.
    Periodic,
    /// Mirrored about the face: index -1 sees 0.
    Mirror,
    /// Mirrored with the sign turned: index -1 sees minus element 0.
    Odd,
    /// This value.
    Constant(Value),
    /// This complex number: real and imaginary part. Ghost cells hold the real one in both places; code that reads past the edge
    /// puts the imaginary one in (`check/bounds`).
    Complex(Value, Value),
}

impl Edge {
    /// What stands past the edge in memory, where that is one value.
    pub fn constant(self) -> Option<Value> {
        match self {
            Edge::Constant(v) | Edge::Complex(v, _) => Some(v),
            _ => None,
        }
    }
}

/// Where the program wants an array; the mesh follows from the number of ranks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    Replicated,
    /// One distribution a dimension; `over` has an entry (fixed or free) for each `Block` dimension, or is empty.
    Divided {
        dists: Vec<Dist>,
        over: Vec<Option<i64>>,
    },
    /// Cut where another array is cut.
    Aligned(ArrayId),
}

/// An array of the program, or a temporary that the compiler made.
#[derive(Clone, Debug)]
pub struct Array {
    pub name: String,
    pub ty: Ty,
    pub shape: Vec<i64>,
    pub placement: Placement,
    /// One a dimension.
    pub edges: Vec<Edge>,
    pub span: Span,
    pub temporary: bool,
    /// Its last dimension, of two, holds the real and the imaginary parts of complex numbers.
    pub complex: bool,
}

impl Array {
    /// The type of the elements that the program sees.
    pub fn element(&self) -> Ty {
        match (self.complex, self.ty) {
            (true, Ty::F32) => Ty::C64,
            (true, _) => Ty::C128,
            (false, ty) => ty,
        }
    }

    /// The extents that the program sees.
    pub fn extents(&self) -> &[i64] {
        if self.complex { &self.shape[..self.shape.len() - 1] } else { &self.shape }
    }

    /// A box as the program sees it: without the dimension of the parts of complex numbers.
    pub fn seen(&self, b: &IndexBox) -> IndexBox {
        IndexBox::new(b.dims[..b.rank().min(self.extents().len())].to_vec())
    }

    /// Placement and edges as the program sees them.
    pub fn declared(&self) -> (Placement, Vec<Edge>) {
        let (mut placement, mut edges) = (self.placement.clone(), self.edges.clone());
        if self.complex {
            edges.pop();
            if let Placement::Divided { dists, .. } = &mut placement {
                dists.pop();
            }
        }
        (placement, edges)
    }

    /// An array of elements of any type, complex ones included; shape, placement and edges are those that the program sees.
    pub fn of(name: String, element: Ty, shape: Vec<i64>, laid: (Placement, Vec<Edge>), span: Span) -> Array {
        let (mut placement, mut edges) = laid;
        let (mut shape, complex) = (shape, element.is_complex());
        if complex {
            shape.push(2);
            edges.push(Edge::None);
            if let Placement::Divided { dists, .. } = &mut placement {
                dists.push(Dist::Whole);
            }
        }
        Array { name, ty: element.part(), shape, placement, edges, span, temporary: false, complex }
    }
}

/// A scalar of the workflow.
#[derive(Clone, Debug)]
pub struct Scalar {
    pub name: String,
    pub ty: Ty,
    /// This and the next one are the real and the imaginary part of one number.
    pub complex: bool,
}

/// An index into [`Program::nests`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NestId(pub u32);

#[derive(Clone, Debug)]
pub struct Stmt {
    pub kind: StmtKind,
    pub span: Span,
    /// The workflow's statement that it was made for, where `span` may lie in a kernel.
    pub source: Span,
}

#[derive(Clone, Debug)]
pub enum StmtKind {
    /// Run a nest over its whole domain.
    Compute(NestId),
    /// Evaluate scalar code; every rank does, with the same result.
    Scalars {
        code: Code,
        results: Vec<(Reg, ScalarId)>,
    },
    /// Exchange the contents of two arrays of equal shape, type and placement (a hidden double buffer).
    Swap(ArrayId, ArrayId),
    /// `into[index] op= value`: `index` holds linear indices of `into`, inside it; the elements are taken in row-major order.
    Scatter {
        into: ArrayId,
        index: ArrayId,
        value: ArrayId,
        op: BinaryOp,
        /// The operation is that of complex numbers: elements, and contributions, that follow one another are the parts of one.
        complex: bool,
    },
    /// Replaces the elements of an array by running values along a dimension.
    Scan {
        array: ArrayId,
        dim: usize,
        op: BinaryOp,
    },
    /// `counter` runs over `from..to by by` (slots read once).
    For {
        counter: ScalarId,
        from: ScalarId,
        to: ScalarId,
        by: ScalarId,
        body: Vec<Stmt>,
    },
    /// Repeat: run `before`, leave unless `cond`, run `body`.
    While {
        before: Vec<Stmt>,
        cond: ScalarId,
        body: Vec<Stmt>,
    },
    If {
        cond: ScalarId,
        then: Vec<Stmt>,
        otherwise: Vec<Stmt>,
    },
    Break,
    Print(Vec<PrintPart>),
    Assert {
        cond: ScalarId,
        why: Vec<PrintPart>,
        /// It is the compiler's.
        check: Option<RunCheck>,
    },
    /// A test wants this; `sides` are the values of a comparison's two sides, for the report.
    Expect {
        cond: ScalarId,
        sides: Vec<(Span, ScalarId)>,
    },
    Load {
        array: ArrayId,
        path: Vec<PrintPart>,
    },
    Save {
        array: ArrayId,
        path: Vec<PrintPart>,
    },
    Plot {
        array: ArrayId,
        path: Vec<PrintPart>,
        /// One more frame of an animation.
        animated: bool,
    },
}

impl StmtKind {
    /// The statements inside this one, block by block.
    pub fn blocks(&self) -> Vec<&Vec<Stmt>> {
        match self {
            StmtKind::For { body, .. } => vec![body],
            StmtKind::While { before, body, .. } => vec![before, body],
            StmtKind::If { then, otherwise, .. } => vec![then, otherwise],
            _ => vec![],
        }
    }

    /// The same, to be changed.
    pub fn blocks_mut(&mut self) -> Vec<&mut Vec<Stmt>> {
        match self {
            StmtKind::For { body, .. } => vec![body],
            StmtKind::While { before, body, .. } => vec![before, body],
            StmtKind::If { then, otherwise, .. } => vec![then, otherwise],
            _ => vec![],
        }
    }
}

/// What the compiler has the program check when it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunCheck {
    /// A subscript lies in its array or table.
    Subscript,
    /// The range of a reduction lies in what its index subscripts.
    Range,
    /// There is a term whose place `argmin` or `argmax` gives.
    Place,
    /// Equations for elements that scalars pick define different ones.
    Picks,
}

impl RunCheck {
    /// What stands at the place in the program, and what to do about it.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            RunCheck::Subscript => (
                "read or written here",
                "keep the subscript inside (`min(max(k, 0), n - 1)`, `k mod n`) or guard it with `if`; an array with an edge catches reads",
            ),
            RunCheck::Range => {
                ("ranged here", "let the range end inside, `min(k, n)`; an array with an edge catches reads")
            }
            RunCheck::Place => ("no terms", "guard the statement: `if … { … }`, or let the range have an element"),
            RunCheck::Picks => {
                ("for the second time", "pick different elements, or choose in one equation: `if … { … } else { … }`")
            }
        }
    }
}

/// A piece of printed text.
#[derive(Clone, Debug)]
pub enum PrintPart {
    Text(String),
    Scalar {
        id: ScalarId,
        format: Option<String>,
    },
    Array {
        id: ArrayId,
        format: Option<String>,
    },
    /// All elements of an array of one dimension, in brackets with commas between.
    List {
        id: ArrayId,
        format: Option<String>,
    },
}

impl PrintPart {
    /// The array that it shows.
    pub fn array(&self) -> Option<ArrayId> {
        match self {
            PrintPart::Array { id, .. } | PrintPart::List { id, .. } => Some(*id),
            _ => None,
        }
    }
}

/// `for t in from..to by by`, in numbers.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    pub from: i64,
    pub to: i64,
    /// At least 1.
    pub by: i64,
}

impl Counted {
    /// How often the loop turns, unless it is left.
    pub fn rounds(&self) -> i64 {
        let length = i128::from(self.to) - i128::from(self.from);
        let by = i128::from(self.by.max(1));
        i64::try_from(((length + by - 1) / by).max(0)).unwrap_or(i64::MAX)
    }
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}..{}", self.from, self.to)?;
        if self.by == 1 { Ok(()) } else { write!(f, " by {}", self.by) }
    }
}

/// Runs of `length` indices each of an extent, the last perhaps shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runs {
    pub extent: i64,
    pub length: i64,
    /// The array whose elements add up to those of the runs, if shorter runs have been added up already.
    pub from: Option<ArrayId>,
}

/// A program with every parameter bound.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Bound parameters, for the plan's header.
    pub params: Vec<(String, String)>,
    pub arrays: Vec<Array>,
    /// Arrays with an element, along their first dimension, for every run of indices of a longer extent.
    pub runs: BTreeMap<ArrayId, Runs>,
    pub scalars: Vec<Scalar>,
    pub tables: Vec<Table>,
    pub nests: Vec<Nest>,
    pub body: Vec<Stmt>,
    /// Values that a loop counter can have, where bounds are known before the program runs.
    pub scalar_ranges: BTreeMap<ScalarId, Interval>,
    /// Loops, by their counters, whose ends are known before the program runs.
    pub counted: BTreeMap<ScalarId, Counted>,
    /// There is a `workflow main`.
    pub has_main: bool,
    /// A value of the program depends on `ranks`, so its results may too.
    pub depends_on_ranks: bool,
}

impl Program {
    /// How many arrays, scalars and nests there are, for [`Program::cut_back`].
    pub fn sizes(&self) -> [usize; 3] {
        [self.arrays.len(), self.scalars.len(), self.nests.len()]
    }

    /// Drops what came since there were so many arrays, scalars and nests, and what was noted of it: others will have its numbers.
    pub fn cut_back(&mut self, [arrays, scalars, nests]: [usize; 3]) {
        self.arrays.truncate(arrays);
        self.runs.retain(|id, _| (id.0 as usize) < arrays);
        self.scalars.truncate(scalars);
        self.scalar_ranges.retain(|id, _| (id.0 as usize) < scalars);
        self.counted.retain(|id, _| (id.0 as usize) < scalars);
        self.nests.truncate(nests);
    }
}

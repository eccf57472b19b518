//! Kernel IR to CUDA C: one translation unit for a program's nests, compiled by NVRTC when the program runs.
//!
//! A nest becomes a kernel in a general form: [`points`] runs any nest, a thread a point; [`leaves`] runs float sums
//! and products, some threads a leaf, in the order that `runtime::device::exact_sum` fixes; [`march`] is the fast form of
//! sweeps whose arrays lie alike: vectors along the last dimension, rows carried in registers; [`contraction`] is the fast form
//! of products of matrices, [`chains`] that of long loops in few elements, [`mod@pair`] that of two products that share a matrix. Strides are numbers in the
//! text; parts, addresses and scalars are arguments, listed by [`Kernel::words`], so that all ranks share one text.

mod body;
mod chains;
pub mod contraction;
mod fold;
pub mod gemm;
mod leaves;
mod march;
pub mod pair;
mod points;
mod reduce;
pub mod scan;
pub mod scatter;
mod small;

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::codegen::c_body::{c_const, c_memory};
use crate::ir::contraction::{chain, product};
use crate::ir::kernel::{Affine, Code, Nest, OperandId, Reg, ScalarId, Table};

pub use body::read_scalars;
pub use contraction::Tiles;
pub use fold::{Fold, Rule};
pub use march::March;
pub use reduce::{COPIES, acc_words, any_ordered, first_key, nothing, ordered, value_of_key};

/// The text in front of every unit.
pub const PRELUDE: &str = concat!(include_str!("types.cu"), include_str!("../scalar.h"), include_str!("prelude.cu"));

/// Compiler options that every unit needs for its results: no contraction, IEEE division and roots, subnormal numbers.
pub const FLAGS: &[&str] = &[
    "--std=c++17",
    "--fmad=false",
    "--prec-div=true",
    "--prec-sqrt=true",
    "--ftz=false",
    "--device-int128",
    "--device-as-default-execution-space",
    "-lineinfo",
    "--disable-warnings",
];

/// Threads of a block in the general forms.
pub const BLOCK: u32 = 256;

/// An argument of a kernel: one word of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Low and high index of the part along a dimension.
    Lo(usize),
    Hi(usize),
    /// Where a group's element at the low corner of the part lies, constants left out.
    Group(usize),
    /// The table of the workflow's scalars.
    Scalars,
    /// A scalar that does not change while loops run.
    Value(ScalarId),
    /// Where a reduction of this nest accumulates.
    Accumulator(usize),
    /// How many elements before the part the first vector begins (aligned).
    Shift,
    /// The rim that the part shares with other ranks: `mg_rim` of the prelude.
    Rim,
}

/// Accesses that differ by constants share a pointer.
#[derive(Clone, Debug)]
pub struct Group {
    pub operand: OperandId,
    /// Subscripts without the constants that the kernel adds itself.
    pub index: Vec<Affine>,
    pub store: bool,
    /// The kernel adds the offsets of rows and columns itself, in vectors.
    pub marched: bool,
}

/// How a kernel divides its part over threads.
#[derive(Clone, Debug)]
pub enum Form {
    /// A thread a point, in blocks over the last dimension and the rows.
    Points,
    /// `threads` threads a leaf.
    Leaves {
        threads: i64,
    },
    March(March),
    /// A block of threads a tile of results.
    Product(Tiles),
    /// A block of `threads` threads for so many elements of the dimensions from `first` on, the columns.
    Chains {
        first: usize,
        columns: i64,
        threads: u32,
    },
}

/// One generated kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub name: String,
    pub words: Vec<Word>,
    pub groups: Vec<Group>,
    pub form: Form,
}

/// A nest's kernels: one that always works, and a fast one for parts that are aligned alike.
#[derive(Clone, Debug)]
pub struct Kernels {
    pub general: Kernel,
    pub fast: Option<Kernel>,
    /// The fast one again, which waits for messages where it reads them and delivers its own where it writes them.
    pub linked: Option<Kernel>,
    /// Scalars of the table that the kernels read.
    pub moving: Vec<ScalarId>,
}

/// What a generator needs to know of a program on a device.
pub struct Program<'a> {
    pub nests: Vec<Placed<'a>>,
    pub tables: &'a [Table],
    /// Scalars that change while loops run or that a reduction gives; kernels read them from the table.
    pub moving: &'a BTreeSet<ScalarId>,
    /// Scalar code that a device may have to evaluate.
    pub scalar_code: Vec<(&'a Code, &'a [(Reg, ScalarId)])>,
    pub scalar_types: Vec<crate::ir::ty::Ty>,
    /// Nests that run right behind one another: by number, the first and the second.
    pub neighbours: Vec<(usize, usize)>,
    /// The kernels that scatters need.
    pub takes: Vec<scatter::Take>,
    /// And those of scans.
    pub scans: Vec<scan::Running>,
    /// Loops run on the device by themselves.
    pub rounds: bool,
}

/// A nest with the element strides of its operands' storage, the same on every rank; the last is 1.
pub struct Placed<'a> {
    pub nest: &'a Nest,
    pub strides: Vec<Vec<i64>>,
    /// For each access and subscript, how it is read past the ends of the array.
    pub folds: Vec<Vec<Option<Fold>>>,
    /// Points of the largest part in each dimension.
    pub extent: Vec<i64>,
    /// What the low ends and lengths of all parts are multiples of, in each dimension. In the last one, low ends count from
    /// the first aligned element of each operand.
    pub even: Vec<i64>,
    /// Its arrays have ghost cells that other ranks fill.
    pub linked: bool,
    /// The file and line that the kernel comes from, for compilers and profilers.
    pub line: Option<(String, usize)>,
}

/// The kernels that finish reductions, and may run scalar code of the program behind them.
const FINISH: &str = include_str!("finish.cu");

/// The text of the kernels that all programs share: copies, messages, and the end of reductions that no scalar code follows.
pub fn common() -> String {
    let no_code = "static __device__ void mgpu_code(u64 *, u32) {}\n";
    [PRELUDE, include_str!("common.cu"), FINISH, no_code].concat()
}

/// The text of a program and what its kernels expect.
pub struct Unit {
    pub text: String,
    /// Whether reductions end with kernels of the program's own, which run its scalar code too, and not with those of [`common`].
    pub own_ends: bool,
    pub kernels: Vec<Kernels>,
    /// Kernels for two nests at once.
    pub pairs: Vec<pair::Pair>,
}

/// Generates the kernels of a program.
pub fn unit(program: &Program) -> Unit {
    let mut text = String::from(PRELUDE);
    for (i, table) in program.tables.iter().enumerate() {
        let values: Vec<String> = table.values.iter().map(|v| c_const(*v)).collect();
        let n = values.len().max(1);
        let ty = c_memory(table.ty);
        let _ = writeln!(text, "static __device__ const {ty} mgpu_table_{i}[{n}] = {{{}}};", values.join(", "));
    }
    if program.nests.iter().any(|p| product(p.nest).is_some()) {
        text.push_str(contraction::PRELUDE);
    }
    if program.nests.iter().any(|p| chain(p.nest).is_some()) {
        text.push_str(chains::PRELUDE);
    }
    let mut kernels = vec![];
    for (i, placed) in program.nests.iter().enumerate() {
        let _ = writeln!(text, "\n/* {} */", placed.nest.name.replace("*/", "* /"));
        if let Some((file, line)) = &placed.line {
            let _ = writeln!(text, "#line {line} \"{}\"", file.replace(['"', '\\', '\n'], "_"));
        }
        let ordered = reduce::any_ordered(placed.nest);
        let general = if ordered {
            leaves::write(&mut text, i, placed, program.moving)
        } else {
            points::write(&mut text, i, placed, program.moving)
        };
        let product = contraction::write(&mut text, i, placed, program.moving)
            .or_else(|| chains::write(&mut text, i, placed, program.moving))
            .map(|k| (k, None));
        let (fast, linked) = product.or_else(|| march::write(&mut text, i, placed, program.moving)).unzip();
        let linked = linked.flatten();
        let read = body::Writer::new(placed, program.moving).scalars();
        let moving = read.intersection(program.moving).copied().collect();
        kernels.push(Kernels { general, fast, linked, moving });
    }
    let mut both = String::new();
    let behind = |k: usize| program.neighbours.iter().find(|n| n.0 == k).map(|n| n.1);
    let pair = |n: &(usize, usize)| pair::write(&mut both, *n, behind(n.1), &program.nests, program.moving);
    let pairs: Vec<pair::Pair> = program.neighbours.iter().filter_map(pair).collect();
    if !pairs.is_empty() {
        text.push_str(pair::PRELUDE);
        text.push_str(&both);
    }
    if program.rounds {
        text.push_str(include_str!("rounds.cu"));
    }
    let own_ends = !program.scalar_code.is_empty();
    if own_ends {
        text.push_str(FINISH);
        points::write_scalars(&mut text, &program.scalar_code);
    }
    scatter::write(&mut text, &program.takes);
    scan::write(&mut text, &program.scans);
    Unit { text, own_ends, kernels, pairs }
}

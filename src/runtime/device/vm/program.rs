//! The bytecode of one nest.

use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{Affine, BinaryOp, FoldOp, ScalarId, UnaryOp};
use crate::ir::ty::Ty;
use crate::runtime::device::vm::kernels::Kernel;

/// A slot: where a register (or mask, or constant) is found. Masks are slots of `bool`.
pub type Slot = u32;

/// An instruction number.
pub type Label = usize;

/// No mask: all points of the strip run.
pub const ALL: Slot = u32::MAX;

/// Where a slot's elements are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// A splat in the program's constants, at this byte.
    Const(usize),
    /// A splat in the frame, at this byte.
    Splat(usize),
    /// A strip in the frame: number `index` of the strips of this slot's element size.
    Strip { index: usize },
}

#[derive(Clone, Copy, Debug)]
pub struct SlotInfo {
    pub ty: Ty,
    pub home: Home,
}

/// An operation on single values, whose result is equal along a strip.
#[derive(Clone, Copy, Debug)]
pub enum Uniform {
    Const(u64),
    Copy(Slot),
    Index(usize),
    Scalar(ScalarId),
    Load(usize),
    Table(usize, Slot),
    Unary(UnaryOp, Slot),
    Binary(BinaryOp, Slot, Slot),
    Fma(Slot, Slot, Slot),
    Select(Slot, Slot, Slot),
    Cast(Slot),
}

/// A loop's parts that both of its instructions need.
#[derive(Clone, Copy, Debug)]
pub struct LoopInfo {
    pub from: Slot,
    pub to: Slot,
    pub by: i64,
    pub counter: Slot,
    /// The points that still run; `ALL` when points leave only together.
    pub live: Slot,
    /// The points that enter.
    pub outer: Slot,
    /// Trip counts of the points when bounds differ, else `ALL`.
    pub trips: Slot,
}

#[derive(Clone, Debug)]
pub enum Ins {
    /// `dst = kernel(srcs)` on the whole strip.
    Strip {
        kernel: Kernel,
        dst: Slot,
        srcs: [Slot; 3],
    },
    /// The same where `mask` holds; other points keep their value. `tmp` is a strip of its own.
    Masked {
        kernel: Kernel,
        dst: Slot,
        srcs: [Slot; 3],
        mask: Slot,
        blend: Kernel,
        tmp: Slot,
    },
    /// `dst = uniform operation`.
    Uniform {
        dst: Slot,
        op: Uniform,
    },
    /// The global indices of the last dimension.
    Iota {
        dst: Slot,
    },
    Table {
        dst: Slot,
        index: Slot,
        table: usize,
    },
    /// Reads only where `mask` holds. With `alias`, a contiguous read makes the slot point at the array.
    Load {
        dst: Slot,
        route: usize,
        mask: Slot,
        alias: bool,
    },
    Jump(Label),
    /// Jumps when a uniform condition is false.
    Unless {
        cond: Slot,
        to: Label,
    },
    /// `then = outer and cond`, `otherwise = outer and not cond`.
    Split {
        cond: Slot,
        outer: Slot,
        then: Slot,
        otherwise: Slot,
    },
    /// Jumps when no point of the mask is left.
    IfNone {
        mask: Slot,
        to: Label,
    },
    /// `mask = mask and other`, or `and not other`.
    And {
        mask: Slot,
        other: Slot,
        not: bool,
    },
    CopyMask {
        dst: Slot,
        src: Slot,
    },
    Enter {
        id: usize,
        exit: Label,
    },
    /// Goes back to `top` when there is another round.
    Again {
        id: usize,
        top: Label,
    },
    End,
}

/// An access or a store: where its elements lie.
#[derive(Clone, Debug)]
pub struct Route {
    pub operand: usize,
    pub size: usize,
    pub index: Vec<Affine>,
    /// The slots of the loop counters that `index` uses, sorted by register.
    pub counters: Vec<(crate::ir::kernel::Reg, Slot)>,
    /// A counter among them differs from point to point.
    pub gathers: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct StoreInfo {
    pub value: Slot,
    /// Where the stored elements are contiguous, the value is computed in its place.
    pub in_place: bool,
}

#[derive(Clone, Debug)]
pub struct FoldInfo {
    pub op: FoldOp,
    pub ty: Ty,
    pub value: Slot,
}

/// Everything that runs one nest.
#[derive(Debug)]
pub struct Program {
    pub name: String,
    pub domain: IndexBox,
    pub leaf: Vec<i64>,
    pub operands: usize,
    /// Some reduction needs leaves in order.
    pub ordered: bool,
    /// Most points of a strip.
    pub block: usize,
    pub slots: Vec<SlotInfo>,
    /// The byte at which the strips of 1, 4 and 8 byte elements begin.
    pub groups: [usize; 4],
    /// Bytes of frame memory.
    pub memory: usize,
    pub consts: Vec<[u64; 8]>,
    /// Once a call.
    pub prologue: Vec<(Slot, Uniform)>,
    pub body: Vec<Ins>,
    pub loops: Vec<LoopInfo>,
    /// First the accesses, then the stores.
    pub routes: Vec<Route>,
    pub loads: usize,
    pub stores: Vec<StoreInfo>,
    pub folds: Vec<FoldInfo>,
}

/// The group of a strip: by element size.
pub fn group(ty: Ty) -> usize {
    match ty.size() {
        1 => 0,
        2 => 1,
        4 => 2,
        _ => 3,
    }
}

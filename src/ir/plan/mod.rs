//! The plan: what every rank does, as data that is the same on all of them. Regions are kept as rules from which any rank's
//! messages follow, so a plan does not grow with ranks or steps.

pub mod json;
pub mod message;
pub mod panels;
pub mod prose;
pub mod region;
mod shares;
pub mod text;
pub mod verify;

use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::{Affine, ArrayId, BinaryOp, Code, Nest, Reg, ScalarId, Sym};
use crate::ir::layout::{Cuts, Layout};
use crate::ir::program::{Array, PrintPart, Program, RunCheck};
use crate::ir::ty::Ty;
use crate::source::Span;
pub use shares::Deal;

/// An index into [`Plan::nests`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlanNestId(pub u32);

/// An index into [`Plan::views`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewId(pub u32);

/// An index into [`Plan::exchanges`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub u32);

/// How the points of a nest's domain are divided over the ranks.
#[derive(Clone, Debug, PartialEq)]
pub enum Home {
    /// Every rank runs the whole domain, with the same results.
    Everywhere,
    /// A point runs where the element at `index` lives. `leaf` moves the cuts of reductions down to whole leaves. Along the
    /// dimensions of `dealt` the nest counts positions ([`crate::ir::layout::Cuts`]).
    Owner { layout: Layout, index: Vec<Affine>, leaf: Option<Vec<i64>>, dealt: Vec<Dealt> },
}

/// A dimension of a nest's domain that counts the positions of dealt tiles instead of indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dealt {
    pub dim: usize,
    /// The point `p` stands for the index at position `p + shift` of `cuts`, less `shift`.
    pub cuts: Cuts,
    pub shift: i64,
    /// The indices of the domain.
    pub range: Interval,
}

impl Home {
    /// The part of `domain` that a rank runs.
    pub fn part(&self, domain: &IndexBox, rank: i64) -> IndexBox {
        let Home::Owner { layout, index, leaf, dealt } = self else { return domain.clone() };
        let owned = layout.part(rank);
        let mut out = domain.clone();
        for (k, ((a, own), &n)) in index.iter().zip(&owned.dims).zip(&layout.shape).enumerate() {
            match a.terms[..] {
                [(Sym::Dim(d), 1)] if let Some(t) = dealt.iter().find(|t| t.dim == d) => {
                    out.dims[d] = t.cuts.positions(layout.coordinate(rank, k), t.range.shift(t.shift)).shift(-t.shift);
                }
                [(Sym::Dim(d), c)] => {
                    let mut r = preimage(*own, a.konst, c);
                    if let Some(leaf) = leaf {
                        let down = |x: i64| x.div_euclid(leaf[d]) * leaf[d];
                        // The first and the last part reach to the ends of the domain.
                        let lo = if own.lo == 0 { domain.dims[d].lo } else { down(r.lo) };
                        let hi = if own.hi == n { domain.dims[d].hi } else { down(r.hi) };
                        r = if own.is_empty() { Interval::EMPTY } else { Interval::new(lo, hi) };
                    }
                    out.dims[d] = out.dims[d].intersect(r);
                }
                _ if own.lo <= a.konst && a.konst < own.hi => {}
                _ => return IndexBox::new(vec![Interval::EMPTY; domain.rank().max(1)]),
            }
        }
        out
    }
}

/// The points `i` with `c * i + k` in `own`, for `c > 0`.
fn preimage(own: Interval, k: i64, c: i64) -> Interval {
    let up = |x: i64| -((-x).div_euclid(c));
    Interval::new(up(own.lo - k), up(own.hi - k))
}

/// Where a nest finds an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The array's own storage, ghost cells included.
    Array(ArrayId),
    /// A copy of what the rank needs.
    View(ViewId),
}

/// A nest with its division and the places of its operands.
#[derive(Clone, Debug)]
pub struct PlanNest {
    pub nest: Nest,
    pub home: Home,
    pub sources: Vec<Source>,
    /// It runs once a panel, in a loop of the plan.
    pub panels: Option<panels::Panels>,
}

impl PlanNest {
    /// A nest whose operands have no places yet.
    pub fn new(nest: Nest, home: Home) -> PlanNest {
        PlanNest { nest, home, sources: vec![], panels: None }
    }

    /// The indices that the nest runs over.
    pub fn domain(&self) -> IndexBox {
        let mut out = self.nest.domain.clone();
        if let Home::Owner { dealt, .. } = &self.home {
            dealt.iter().for_each(|t| out.dims[t.dim] = t.range);
        }
        out
    }

    /// The part of the domain that a rank runs; no dimension means one point or none.
    pub fn part(&self, rank: i64) -> Option<IndexBox> {
        let part = self.home.part(&self.nest.domain, rank);
        if part.rank() != self.nest.domain.rank() || part.is_empty() { None } else { Some(part) }
    }
}

/// A copy of the elements of an array that a rank's part of a nest reads.
#[derive(Clone, Debug)]
pub struct View {
    pub array: ArrayId,
    pub nest: PlanNestId,
    pub operand: usize,
    /// How it is ordered along each dimension: by indices, or as the nest counts.
    pub deals: Vec<Option<Deal>>,
    /// Where subscripts are values, the view's box is more than the nest reads.
    pub inspection: Option<Inspection>,
}

/// How a rank finds out which elements of a view its part of the nest reads.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The part of the nest's code that decides the subscripts. The reads of the view stand in it to be noted; nothing depends on them.
    pub code: Code,
    /// The arrays that decide.
    pub arrays: Vec<ArrayId>,
}

/// A region around every rank's part: offsets from `-lo` to `hi` in each dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arm {
    pub widths: Vec<(i64, i64)>,
}

impl Arm {
    pub fn contains(&self, o: &Arm) -> bool {
        self.widths.iter().zip(&o.widths).all(|(a, b)| a.0 >= b.0 && a.1 >= b.1)
    }
    pub fn is_zero(&self) -> bool {
        self.widths.iter().all(|w| *w == (0, 0))
    }
}

/// One array's share of an exchange.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Fill the ghost cells of `array` in these arms.
    Ghost { array: ArrayId, arms: Vec<Arm> },
    /// Fill a view.
    View(ViewId),
}

/// Several arrays' regions that travel together: one message a pair of ranks.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub items: Vec<Item>,
    pub span: Span,
    /// Of its one view, only the elements travel that the last [`StepKind::Inspect`] has found, where these are few.
    pub listed: bool,
}

/// An array with its place on this number of ranks.
#[derive(Clone, Debug)]
pub struct PlanArray {
    pub array: Array,
    pub layout: Layout,
    /// Ghost cells below and above each dimension, the same on every rank that owns elements.
    pub ghost: Vec<(i64, i64)>,
    /// Some step uses it.
    pub used: bool,
    /// The buffer that holds it at the start; arrays with the same number take turns.
    pub buffer: u32,
}

impl PlanArray {
    /// The box that a rank stores: its part and the ghost cells around it.
    pub fn storage(&self, rank: i64) -> IndexBox {
        let mut part = self.layout.part(rank);
        if part.is_empty() {
            return IndexBox::new(vec![Interval::EMPTY; part.rank()]);
        }
        for (d, g) in part.dims.iter_mut().zip(&self.ghost) {
            *d = Interval::new(d.lo - g.0, d.hi + g.1);
        }
        part
    }
}

impl PlanArray {
    /// A box of a rank's storage in indices, as the program sees the array: `[0..16 by 64, 0..8]` for tiles that are dealt.
    fn indices_text(&self, b: &IndexBox) -> String {
        let one = |(d, cut): (&Interval, &Option<Cuts>)| cut.map_or(d.to_string(), |c| c.indices_text(*d));
        let seen = b.dims.iter().zip(&self.layout.cuts).take(self.array.extents().len());
        format!("[{}]", seen.map(one).collect::<Vec<_>>().join(", "))
    }

    /// What a rank owns as text.
    pub fn owned_text(&self, rank: i64) -> String {
        self.indices_text(&self.layout.part(rank))
    }

    /// What a rank stores as text: its part with the ghost cells around it.
    pub fn storage_text(&self, rank: i64) -> String {
        self.indices_text(&self.storage(rank))
    }
}

/// One thing that every rank does, in this order.
#[derive(Clone, Debug)]
pub struct Step {
    pub kind: StepKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum StepKind {
    Exchange(ExchangeId),
    /// Find out which elements of a view are read, and tell their owners.
    Inspect(ViewId),
    /// Run a rank's part of a nest. With `overlap`, its messages travel while the points that need none of them run.
    Compute {
        nest: PlanNestId,
        overlap: Option<ExchangeId>,
    },
    /// Combine the partial results of these nests' reductions over all ranks, in one message.
    AllReduce(Vec<(PlanNestId, usize)>),
    /// Turn the partial results of a nest that every rank ran whole into scalars.
    Finish(PlanNestId),
    Scalars {
        code: Code,
        results: Vec<(Reg, ScalarId)>,
    },
    Swap(ArrayId, ArrayId),
    /// Send contributions to the owners of elements of `into`, who take them in row-major order of `index`.
    Scatter {
        into: ArrayId,
        index: ArrayId,
        value: ArrayId,
        op: BinaryOp,
        /// The operation is that of complex numbers, whose parts follow one another.
        complex: bool,
        /// It comes again with the same `index`, so the ranks remember who takes what.
        kept: bool,
        /// The nest that computes the values, right before, if it may do so in any order: then in that of the elements that take them.
        ordered: Option<PlanNestId>,
    },
    /// Replace the elements by running values along a dimension; ranks behind one another there pass on what they carry.
    Scan {
        array: ArrayId,
        dim: usize,
        op: BinaryOp,
    },
    For {
        counter: ScalarId,
        from: ScalarId,
        to: ScalarId,
        by: ScalarId,
        body: Vec<Step>,
    },
    While {
        before: Vec<Step>,
        cond: ScalarId,
        body: Vec<Step>,
    },
    If {
        cond: ScalarId,
        then: Vec<Step>,
        otherwise: Vec<Step>,
    },
    /// Run `body`, unless none of these arrays and scalars has changed since it last ran.
    Once {
        /// The number of this step among those of its kind.
        number: u32,
        arrays: Vec<ArrayId>,
        scalars: Vec<ScalarId>,
        body: Vec<Step>,
    },
    Break,
    Print(Vec<PrintPart>),
    Assert {
        cond: ScalarId,
        why: Vec<PrintPart>,
        /// It is the compiler's.
        check: Option<RunCheck>,
    },
    /// A test wants this; the values of a comparison's sides are for the report.
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

impl StepKind {
    /// The step works on arrays by other means than nests, exchanges and all-reduces: files, printing, scatters, scans.
    pub fn is_by_hand(&self) -> bool {
        matches!(
            self,
            StepKind::Scatter { .. }
                | StepKind::Scan { .. }
                | StepKind::Print(_)
                | StepKind::Assert { .. }
                | StepKind::Load { .. }
                | StepKind::Save { .. }
                | StepKind::Plot { .. }
        )
    }
    /// The steps inside this one.
    pub fn blocks(&self) -> Vec<&[Step]> {
        match self {
            StepKind::For { body, .. } | StepKind::Once { body, .. } => vec![body],
            StepKind::While { before, body, .. } => vec![before, body],
            StepKind::If { then, otherwise, .. } => vec![then, otherwise],
            _ => vec![],
        }
    }
}

/// The whole plan for one number of ranks.
#[derive(Clone, Debug)]
pub struct Plan {
    pub ranks: i64,
    pub program: Program,
    pub arrays: Vec<PlanArray>,
    pub nests: Vec<PlanNest>,
    pub views: Vec<View>,
    pub exchanges: Vec<Exchange>,
    pub steps: Vec<Step>,
}

impl Plan {
    pub fn array(&self, id: ArrayId) -> &PlanArray {
        &self.arrays[id.0 as usize]
    }
    pub fn nest(&self, id: PlanNestId) -> &PlanNest {
        &self.nests[id.0 as usize]
    }

    /// The range of a workflow scalar that a subscript uses.
    pub fn scalar_range(&self, id: ScalarId) -> Option<Interval> {
        self.program.scalar_ranges.get(&id).copied()
    }

    /// What ranks compare before they start: equal plans have equal fingerprints (32 bytes).
    pub fn fingerprint(&self) -> Vec<u8> {
        let mut h = blake3::Hasher::new();
        h.update(env!("CARGO_PKG_VERSION").as_bytes());
        for n in &self.nests {
            h.update(format!("{:?} {:?} {:?} {:?}", n.nest, n.home, n.sources, n.panels).as_bytes());
        }
        for a in &self.arrays {
            h.update(format!("{:?} {:?} {:?}", a.array, a.layout, a.ghost).as_bytes());
        }
        h.update(
            format!("{} {:?} {:?} {:?} {:?}", self.ranks, self.views, self.exchanges, self.steps, self.program.tables)
                .as_bytes(),
        );
        h.finalize().as_bytes().to_vec()
    }

    /// Bytes that a rank keeps for arrays and views.
    pub fn memory(&self, rank: i64) -> i64 {
        let mut buffers = std::collections::BTreeMap::new();
        for a in self.arrays.iter().filter(|a| a.used) {
            buffers.insert(a.buffer, a.storage(rank).len() * a.array.ty.size() as i64);
        }
        let views = (0..self.views.len()).map(|v| {
            let ty: Ty = self.array(self.views[v].array).array.ty;
            self.view_box(ViewId(v as u32), rank).len() * ty.size() as i64
        });
        buffers.values().sum::<i64>() + views.sum::<i64>()
    }
}

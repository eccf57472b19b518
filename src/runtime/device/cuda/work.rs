//! What a rank sets up on its GPU before step 0: memory that other ranks may write to, and each nest's functions and accumulators.

use super::driver::{CudaError, Function, Gpu};
use super::reduce::ITEMS;
use super::sort::Shelf;
use super::storage::{padded, padded_in, rounds_in};
use super::transport::peer::LINK;
use super::{scan, scatter};
use crate::codegen::cuda::{self as generate, COPIES, Form, Kernel, acc_words, first_key, ordered};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{ArrayId, FoldOp, Nest, ScalarId};
use crate::ir::plan::panels::Panels;
use crate::ir::plan::{Plan, PlanNestId, Step, StepKind, ViewId};
use crate::runtime::copy::strides;
use crate::runtime::demand::Demand;
use crate::runtime::device::leaf;
use crate::runtime::exchange::Place;
use crate::runtime::failure::Problem;

/// A nest on this rank.
pub struct Work {
    pub part: Option<IndexBox>,
    pub places: Vec<Place>,
    /// The first stored index and the strides of each operand; one list for each round of a nest that runs panel by panel.
    pub boxes: Vec<Vec<(Vec<i64>, Vec<i64>)>>,
    pub general: Function,
    pub fast: Option<Function>,
    pub linked: Option<Function>,
    /// Where each reduction accumulates, and in how many words; a second place for each where the last run's may still be read.
    pub accumulators: Vec<u64>,
    pub others: Option<Vec<u64>>,
    pub acc_words: Vec<usize>,
    /// Scalars of the table that the kernels read.
    pub moving: Vec<ScalarId>,
}

/// Words of an exact sum.
const SUM_WORDS: usize = 72;
/// Bytes of the messages with which transports are tried: a small one and a large one.
pub const PROBES: [usize; 2] = [4 << 10, 512 << 10];

/// One allocation for everything that other ranks may write to, so that it has one name for other processes: counters, what
/// all-reduces bring, room to try transports and to sort, then the blocks of the static memory plan and the views.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub arena: u64,
    /// For each place in an all-reduce among peers the number of its last one, and where words of others arrive: lines of 16
    /// bytes, see `mgpu_finish`.
    pub rounds: u64,
    pub inbox: u64,
    /// Lines of the largest all-reduce from one rank.
    pub most_lines: usize,
    probe: u64,
    /// The offset of what sorted scatters share.
    shelf: u64,
    /// Offsets in the arena.
    pub blocks: Vec<u64>,
    pub views: Vec<u64>,
    /// From a view to the place of the panels of every second round, which arrive while the others are read, on whichever rank; 0: no
    /// panels.
    pub second: Vec<u64>,
    /// From each view to where it lies now: 0 or that.
    pub turned: Vec<u64>,
}

impl Work {
    /// The next run accumulates where the last one did not.
    pub fn turn(&mut self) {
        if let Some(others) = &mut self.others {
            std::mem::swap(&mut self.accumulators, others);
        }
    }
}

impl Memory {
    pub fn new(plan: &Plan, me: i64, gpu: &mut Gpu) -> Result<Memory, CudaError> {
        let ranks = plan.ranks as u64;
        let mut most = 0;
        all_reduces(&plan.steps, &mut |items| most = items.len().max(most));
        let most = most.min(ITEMS);
        let most_lines = SUM_WORDS * most;
        let mut bytes = 0u64;
        let mut take = |n: u64| {
            // Large blocks begin as the driver would let them begin.
            bytes = bytes.next_multiple_of(if n >= 2 << 20 { 2 << 20 } else { 512 });
            bytes += n;
            bytes - n
        };
        take(LINK * ranks);
        let rounds = take(4 * most as u64);
        let inbox = take(32 * ranks * most_lines as u64);
        let probe = take(if ranks == 1 { 0 } else { (ranks + 1) * PROBES[1] as u64 });
        let shelf = take(Shelf::of(plan).bytes);
        let mut blocks = vec![None; plan.arrays.len()];
        for (k, a) in plan.arrays.iter().enumerate().filter(|(_, a)| a.used) {
            let elements = padded(plan, Place::Array(ArrayId(k as u32)), me).len() as u64;
            blocks[a.buffer as usize].get_or_insert_with(|| take(elements * a.array.ty.size() as u64));
        }
        let (mut views, mut second) = (vec![], vec![]);
        for k in 0..plan.views.len() {
            let bytes = |r: i64| view_bytes(plan, ViewId(k as u32), r).next_multiple_of(512);
            let twice = rounds_in(plan, Place::View(ViewId(k as u32))) > 1;
            views.push(take(if twice { 2 * bytes(me) } else { bytes(me) }));
            // All that hold some of it hold as much; a rank that holds none may send to them.
            second.push(if twice { (0..plan.ranks).map(bytes).max().unwrap_or(0) } else { 0 });
        }
        let arena = gpu.alloc(bytes as usize)?;
        let blocks = blocks.into_iter().map(|b| b.unwrap_or(0)).collect();
        let turned = vec![0; views.len()];
        let (rounds, inbox) = (arena + rounds, arena + inbox);
        Ok(Memory { arena, rounds, inbox, most_lines, probe, shelf, blocks, views, second, turned })
    }

    /// Where what a trial sends lies, or what it receives from a rank.
    pub fn probe(&self, from: Option<usize>) -> u64 {
        self.arena + from.map_or(self.probe, |q| self.probe_of(q))
    }

    /// The offset of what a trial brings from a rank.
    pub fn probe_of(&self, from: usize) -> u64 {
        self.probe + (1 + from) as u64 * PROBES[1] as u64
    }

    /// Where what sorted scatters share lies.
    pub fn shelf(&self) -> u64 {
        self.arena + self.shelf
    }

    /// The address of a place; `arrays` says in which block each array is now.
    pub fn address(&self, place: Place, arrays: &[u32]) -> u64 {
        self.arena
            + match place {
                Place::Array(a) => self.blocks[arrays[a.0 as usize] as usize],
                Place::View(v) => self.views[v.0 as usize] + self.turned[v.0 as usize],
            }
    }

    /// The views hold a round's panels from now on.
    pub fn turn(&mut self, views: &[ViewId], round: usize) {
        for v in views.iter().map(|v| v.0 as usize) {
            self.turned[v] = if round % 2 == 1 { self.second[v] } else { 0 };
        }
    }
}

/// Bytes of a view, of one panel.
fn view_bytes(plan: &Plan, id: ViewId, me: i64) -> u64 {
    let size = plan.array(plan.views[id.0 as usize].array).array.ty.size();
    padded(plan, Place::View(id), me).len() as u64 * size as u64
}

/// Copies of the words of a reduction.
pub fn copies(nest: &Nest, r: usize) -> u32 {
    let red = &nest.reductions[r];
    if ordered(nest, red) && red.op == FoldOp::Sum { COPIES as u32 } else { 1 }
}

fn all_reduces(steps: &[Step], f: &mut impl FnMut(&[(PlanNestId, usize)])) {
    for s in steps {
        if let StepKind::AllReduce(items) = &s.kind {
            f(items);
        }
        s.kind.blocks().into_iter().for_each(|b| all_reduces(b, f));
    }
}

/// Refuses a plan that the device cannot hold, before anything is allocated.
pub fn refuse_too_much(plan: &Plan, me: i64, free: u64) -> Result<(), Problem> {
    let mut demand = Demand::default();
    demand.add(plan, &|p| padded(plan, p, me));
    for id in (0..plan.views.len()).map(|k| ViewId(k as u32)).filter(|v| rounds_in(plan, Place::View(*v)) > 1) {
        let name = &plan.array(plan.views[id.0 as usize].array).array.name;
        demand.more(format!("what is read of `{name}`"), view_bytes(plan, id, me));
    }
    for (index, bytes) in scatter::demand(plan, me) {
        demand.more(format!("the lists of `{}`", plan.array(index).array.name), bytes);
    }
    if let Some((array, bytes)) = scan::demand(plan, me) {
        demand.more(format!("what leaves of `{}` come to", plan.array(array).array.name), bytes);
    }
    // The driver, the code and staging memory need some room too.
    let free = free.saturating_sub(256 << 20);
    demand.refuse_beyond(
        free,
        &format!("rank {me} needs"),
        "its GPU's memory",
        "use more ranks on more GPUs, or smaller arrays",
    )
}

pub fn work_of(
    plan: &Plan,
    id: PlanNestId,
    me: i64,
    kernels: &generate::Kernels,
    module: &super::driver::Module,
    gpu: &mut Gpu,
    beside: bool,
) -> Result<Work, CudaError> {
    let n = plan.nest(id);
    let part = n.part(me);
    let places: Vec<Place> = n.sources.iter().map(|s| Place::from(*s)).collect();
    let stored = |p: &Place, round: i64| {
        let b = padded_in(plan, *p, me, round);
        (b.dims.iter().map(|d| d.lo).collect(), strides(&b))
    };
    let rounds = n.panels.as_ref().map_or(1, Panels::rounds);
    let boxes = (0..rounds).map(|round| places.iter().map(|p| stored(p, round)).collect());
    let leaves = part.as_ref().map_or(1, |p| leaf::count(p, &n.nest.leaf));
    let counts: Vec<usize> = n.nest.reductions.iter().map(|r| acc_words(&n.nest, r, leaves)).collect();
    let room = |gpu: &mut Gpu| -> Result<Vec<u64>, CudaError> {
        let mut at = vec![];
        for (r, count) in n.nest.reductions.iter().zip(&counts) {
            at.push(gpu.alloc(8 * count)?);
            if !ordered(&n.nest, r) {
                gpu.put(at[at.len() - 1], &first_key(r.op).to_le_bytes())?;
            }
        }
        Ok(at)
    };
    let accumulators = room(gpu)?;
    let others = if beside { Some(room(gpu)?) } else { None };
    let function = |k: &Kernel| module.function(&k.name);
    let fast =
        kernels.fast.as_ref().filter(|k| matches!(k.form, Form::March(_) | Form::Product(_) | Form::Chains { .. }));
    let allowed = |k: &Kernel| {
        let f = function(k)?;
        match &k.form {
            Form::Product(tiles) if tiles.shared > 0 => f.with_shared(tiles.shared),
            _ => Ok(f),
        }
    };
    Ok(Work {
        part,
        boxes: boxes.collect(),
        places,
        general: function(&kernels.general)?,
        fast: fast.map(allowed).transpose()?,
        linked: kernels.linked.as_ref().map(function).transpose()?,
        accumulators,
        others,
        acc_words: counts,
        moving: kernels.moving.clone(),
    })
}

/// The position in the domain of each leaf of a part, in the order in which the kernel numbers them.
pub fn leaf_positions(nest: &Nest, part: &IndexBox) -> Vec<u64> {
    let mut out = vec![];
    let grid: Vec<(i64, i64)> = part
        .dims
        .iter()
        .zip(&nest.leaf)
        .map(|(d, n)| (leaf::start(d.lo, *n), (leaf::start(d.hi - 1, *n) - leaf::start(d.lo, *n)) / n + 1))
        .collect();
    for at in 0..leaf::count(part, &nest.leaf) as i64 {
        let mut rest = at;
        let mut corner = vec![0; grid.len()];
        for d in (0..grid.len()).rev() {
            corner[d] = (grid[d].0 + rest % grid[d].1 * nest.leaf[d]).max(nest.domain.dims[d].lo);
            rest /= grid[d].1;
        }
        out.push(leaf::position(&nest.domain, &nest.leaf, corner.into_iter()));
    }
    out
}

//! What a rank sets up on its GPU before step 0: memory for arrays and views, and each nest's functions and accumulators.

use super::driver::{CudaError, Function, Gpu};
use super::storage::padded;
use crate::codegen::cuda::{self as generate, Form, Kernel, acc_words, first_key, ordered};
use crate::ir::index_box::IndexBox;
use crate::ir::kernel::{ArrayId, Nest, ScalarId};
use crate::ir::plan::{Plan, PlanNestId, ViewId};
use crate::runtime::copy::strides;
use crate::runtime::demand::Demand;
use crate::runtime::device::leaf;
use crate::runtime::exchange::Place;
use crate::runtime::failure::Problem;

/// A nest on this rank.
pub struct Work {
    pub part: Option<IndexBox>,
    pub places: Vec<Place>,
    pub boxes: Vec<(Vec<i64>, Vec<i64>)>,
    pub general: Function,
    pub fast: Option<Function>,
    pub finish: Option<Function>,
    /// Where each reduction accumulates, and in how many words.
    pub accumulators: Vec<u64>,
    pub acc_words: Vec<usize>,
    /// Scalars of the table that the kernels read.
    pub moving: Vec<ScalarId>,
}

/// The blocks of the static memory plan and the views.
pub fn memory(plan: &Plan, me: i64, gpu: &mut Gpu) -> Result<(Vec<u64>, Vec<u64>), CudaError> {
    let mut blocks = vec![0; plan.arrays.len()];
    for (k, a) in plan.arrays.iter().enumerate().filter(|(_, a)| a.used) {
        let block = &mut blocks[a.buffer as usize];
        if *block == 0 {
            let elements = padded(plan, Place::Array(ArrayId(k as u32)), me).len();
            *block = gpu.alloc(elements as usize * a.array.ty.size())?;
        }
    }
    let mut views = vec![];
    for (k, v) in plan.views.iter().enumerate() {
        let elements = padded(plan, Place::View(ViewId(k as u32)), me).len();
        views.push(gpu.alloc(elements as usize * plan.array(v.array).array.ty.size())?);
    }
    Ok((blocks, views))
}

/// Refuses a plan that the device cannot hold, before anything is allocated.
pub fn refuse_too_much(plan: &Plan, me: i64, free: u64) -> Result<(), Problem> {
    let mut demand = Demand::default();
    demand.add(plan, &|p| padded(plan, p, me));
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
) -> Result<Work, CudaError> {
    let n = plan.nest(id);
    let part = n.part(me);
    let places: Vec<Place> = n.sources.iter().map(|s| Place::from(*s)).collect();
    let boxes = places.iter().map(|p| {
        let b = padded(plan, *p, me);
        (b.dims.iter().map(|d| d.lo).collect(), strides(&b))
    });
    let leaves = part.as_ref().map_or(1, |p| leaf::count(p, &n.nest.leaf));
    let (mut accumulators, mut words) = (vec![], vec![]);
    for r in &n.nest.reductions {
        let count = acc_words(&n.nest, r, leaves);
        let at = gpu.alloc(8 * count)?;
        if !ordered(&n.nest, r) {
            gpu.put(at, &first_key(r.op).to_le_bytes())?;
        }
        accumulators.push(at);
        words.push(count);
    }
    let function = |k: &Kernel| module.function(&k.name);
    let fast = kernels.fast.as_ref().filter(|k| matches!(k.form, Form::March(_) | Form::Product(_)));
    Ok(Work {
        part,
        boxes: boxes.collect(),
        places,
        general: function(&kernels.general)?,
        fast: fast.map(function).transpose()?,
        finish: kernels.finish.as_ref().map(function).transpose()?,
        accumulators,
        acc_words: words,
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

//! GPUs for the ranks of a run: which rank takes which device, and the code that all of them share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock};

use super::blas::Math;
use super::device::CudaDevice;
use super::driver::{self, CudaError, Gpu, GpuInfo};
use super::edges::Edges;
use super::rounds::Alone;
use super::seat::Seat;
use super::start::Given;
use super::transport::{SMALL, Transport, card::Card};
use super::{nvrtc, scan, scatter, storage};
use crate::codegen::cuda as generate;
use crate::ir::kernel::{ArrayId, Code, Reg, ScalarId};
use crate::ir::plan::{Item, Plan, PlanNest, Step, StepKind};
use crate::runtime::comm::{Comm, host_name};
use crate::runtime::copy::strides;
use crate::runtime::device::{Engine, Made, Placement};
use crate::runtime::exchange::Place;
use crate::runtime::failure::{Failure, Problem};
use crate::runtime::say::say;
use crate::runtime::startup;

/// How a run uses GPUs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Devices to use, in this order; all that are visible if empty.
    pub devices: Vec<i32>,
    /// Print which rank takes which device, and how messages travel.
    pub verbose: bool,
    /// How messages travel; the fastest that works if none.
    pub transport: Vec<Transport>,
    /// How products of matrices may be computed.
    pub math: Math,
    /// Where the launcher counts this process among those that it started on this machine, if it says so.
    pub launched_as: Option<u64>,
}

/// A word of host memory that kernels look at while they wait for other ranks: not zero when one of this process has given up.
/// It is never given back, because a kernel may look at it last.
#[derive(Default)]
pub struct Stop(OnceLock<u64>);

impl Stop {
    /// Its address; made with the first device that asks.
    pub fn address(&self) -> Result<u64, CudaError> {
        match self.0.get() {
            Some(at) => Ok(*at),
            None => driver::shared_word().map(|at| *self.0.get_or_init(|| at)),
        }
    }

    /// Whether a rank of this process has given up: what fails from then on fails because of that.
    pub fn is_set(address: u64) -> bool {
        // SAFETY: as below.
        unsafe { (address as *const u32).read_volatile() != 0 }
    }

    /// Ends what waits.
    pub fn set(address: u64) {
        // SAFETY: the address of a word that is never given back.
        unsafe { (address as *mut u32).write_volatile(1) };
    }
}

/// Code for one architecture: of the program, then of what all programs share.
pub(super) type Cubins = std::sync::Arc<[Vec<u8>; 2]>;
type Compiled = Result<Cubins, String>;

/// GPUs and the generated code of one plan.
pub struct CudaEngine {
    gpus: Vec<GpuInfo>,
    options: Options,
    pub unit: generate::Unit,
    code: Mutex<BTreeMap<(i32, i32), Compiled>>,
    stop: Stop,
    /// By rank, as JSON.
    devices: Mutex<BTreeMap<i64, serde_json::Value>>,
    links: Mutex<Vec<LinkReport>>,
}

/// How messages travel from one rank to another, and why; for reports.
#[derive(Clone, Debug, serde::Serialize)]
pub struct LinkReport {
    pub from: i64,
    pub to: i64,
    /// What carries messages of more than 64 KiB.
    pub transport: Transport,
    /// What carries smaller ones.
    pub small: Transport,
    pub why: String,
}

impl std::fmt::Display for LinkReport {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "rank {} to rank {}: ", self.from, self.to)?;
        if self.small != self.transport {
            write!(f, "{} up to {} KiB, ", self.small.name(), SMALL >> 10)?;
        }
        write!(f, "{} ({})", self.transport.name(), self.why)
    }
}

impl CudaEngine {
    /// Finds the devices and generates the kernels; `line` gives the file and line of a place in the sources. Nothing is
    /// allocated or compiled yet.
    pub fn new(
        plan: &Plan,
        options: Options,
        line: &dyn Fn(crate::source::Span) -> Option<(String, usize)>,
    ) -> Result<CudaEngine, String> {
        let all = driver::gpus()?;
        startup::ended("CUDA driver");
        nvrtc::present()?;
        let gpus = if options.devices.is_empty() {
            all
        } else {
            let find = |o: &i32| {
                all.iter().find(|g| g.ordinal == *o).cloned().ok_or_else(|| {
                    format!("there is no device {o}: this process sees {} (0 to {})", all.len(), all.len() as i32 - 1)
                })
            };
            options.devices.iter().map(find).collect::<Result<_, _>>()?
        };
        if gpus.is_empty() {
            return Err("the CUDA driver sees no device".into());
        }
        Ok(CudaEngine {
            gpus,
            options,
            unit: unit(plan, line),
            code: Mutex::default(),
            stop: Stop::default(),
            devices: Mutex::default(),
            links: Mutex::default(),
        })
    }

    /// How messages of the ranks of this process travel, once they have their devices.
    pub fn links(&self) -> Vec<LinkReport> {
        let mut links = self.links.lock().map(|l| l.clone()).unwrap_or_default();
        links.sort_by_key(|l| (l.from, l.to));
        links
    }

    /// How many devices the ranks of this process can take.
    pub fn count(&self) -> usize {
        self.gpus.len()
    }

    /// The machine code for an architecture, compiled once in this process; ranks of other processes find it on disk.
    fn code(&self, capability: (i32, i32)) -> Compiled {
        let mut known = self.code.lock().map_err(|_| "a rank panicked while it compiled".to_string())?;
        known
            .entry(capability)
            .or_insert_with(|| {
                let arch = format!("sm_{}{}", capability.0, capability.1);
                let cubin = |text: &str| nvrtc::cubin(text, &arch, driver::version()).map(|(code, _)| code);
                std::thread::scope(|scope| {
                    let common = scope.spawn(|| cubin(&generate::common()));
                    let own = cubin(&self.unit.text)?;
                    let common = common.join().unwrap_or_else(|_| Err("the compiler's thread panicked".into()))?;
                    Ok(std::sync::Arc::new([own, common]))
                })
            })
            .clone()
    }
}

impl Engine for CudaEngine {
    fn name(&self) -> String {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        self.gpus.iter().for_each(|g| *names.entry(&g.name).or_default() += 1);
        let text: Vec<String> =
            names.iter().map(|(n, k)| if *k == 1 { n.to_string() } else { format!("{k} {n}") }).collect();
        text.join(", ")
    }

    fn placement(&self) -> Placement {
        let devices = self.devices.lock().map(|d| d.values().cloned().collect()).unwrap_or_default();
        let links = self.links().iter().filter_map(|l| serde_json::to_value(l).ok()).collect();
        Placement { devices, links }
    }

    fn device<'a>(&'a self, plan: &'a Plan, comm: &mut dyn Comm) -> Result<Made<'a>, Failure> {
        let bad = |why: String| Problem::new("E0620", why);
        let (rank, near) = (comm.rank(), comm.here()?);
        let said = self.options.launched_as.map_or(vec![], |n| n.to_le_bytes().to_vec());
        let said = comm.gathered(&said)?;
        let said: Vec<Option<u64>> = said.iter().map(|b| Some(u64::from_le_bytes(b[..].try_into().ok()?))).collect();
        let seat = Seat::of(rank, &near, &said);
        let gpu = &self.gpus[seat.device(self.gpus.len())];
        let host = host_name();
        if self.options.verbose {
            say(format!("rank {rank} on {host}: GPU {} {gpu}: {seat}", gpu.ordinal));
        }
        if let Ok(mut devices) = self.devices.lock() {
            let why = seat.to_string();
            devices.insert(rank, serde_json::json!({"rank": rank, "host": host, "device": gpu, "why": why}));
        }
        // The first rank of a machine compiles; the others find the code on disk.
        // The device wakes up meanwhile.
        let first = near.first() == Some(&rank);
        let (mut code, woken) = std::thread::scope(|scope| {
            let compiler = first.then(|| scope.spawn(|| self.code(gpu.capability)));
            let woken = Gpu::new(gpu.ordinal);
            startup::ended("CUDA context");
            let failed = || Err("the compiler's thread panicked".to_string());
            (compiler.map(|c| c.join().unwrap_or_else(|_| failed())), woken)
        });
        // Processes may see one device each, under the same number: its address tells them apart.
        let taken = comm.gathered(format!("{} {}", Card::host(), gpu.bus).as_bytes())?;
        let distinct = taken.iter().collect::<BTreeSet<_>>().len();
        if distinct < taken.ranks() && rank == 0 {
            say(format!("mgpu: {} ranks share {distinct} GPU(s) in turns", taken.ranks()));
        }
        let code = code.take().unwrap_or_else(|| self.code(gpu.capability)).map_err(bad);
        startup::ended("kernels compiled");
        let given = Given {
            gpu: woken,
            code,
            unit: &self.unit,
            wish: &self.options.transport,
            math: self.options.math,
            stop: &self.stop,
        };
        let mut device = match CudaDevice::new(plan, comm, gpu, given)? {
            Ok(device) => device,
            Err(problem) => return Ok(Err(problem)),
        };
        device.verbose = self.options.verbose;
        for (q, link) in device.links() {
            let (from, to, why) = (comm.rank(), q as i64, link.why.clone());
            let report = LinkReport { from, to, transport: link.large, small: link.small, why };
            if self.options.verbose {
                say(&report);
            }
            if let Ok(mut links) = self.links.lock() {
                links.push(report);
            }
        }
        Ok(Ok(Box::new(device)))
    }
}

/// Generates the kernels of a plan.
pub fn unit(plan: &Plan, line: &dyn Fn(crate::source::Span) -> Option<(String, usize)>) -> generate::Unit {
    let moving = moving(plan);
    let edges = Edges::of(plan);
    let links = linked(plan);
    let nests = plan.nests.iter().enumerate().map(|(k, n)| {
        let place_strides = |s: &crate::ir::plan::Source| {
            let boxes = (0..plan.ranks).map(|r| storage::padded(plan, Place::from(*s), r));
            boxes.into_iter().find(|b| !b.is_empty()).map_or(vec![], |b| strides(&b))
        };
        let mut extent = vec![0; n.nest.domain.rank()];
        for part in (0..plan.ranks).filter_map(|r| n.part(r)) {
            extent.iter_mut().zip(&part.dims).for_each(|(e, d)| *e = (*e).max(d.len()));
        }
        let even = even(plan, n);
        let mut strides: Vec<Vec<i64>> = n.sources.iter().map(place_strides).collect();
        strides.iter_mut().zip(&n.nest.operands).for_each(|(s, o)| s.resize(o.rank, 1));
        let folds = (0..n.nest.accesses.len()).map(|k| edges.access(plan, n, k)).collect();
        let linked = links.contains(&(k as u32));
        generate::Placed { nest: &n.nest, strides, folds, extent, even, linked, line: line(n.nest.span) }
    });
    generate::unit(&generate::Program {
        nests: nests.collect(),
        tables: &plan.program.tables,
        moving: &moving,
        scalar_code: device_code(plan),
        neighbours: neighbours(&plan.steps),
        rounds: !alone(plan).is_empty(),
        takes: scatter::takes(plan).into_iter().map(|t| t.1).collect(),
        scans: scan::runnings(plan),
        scalar_types: plan.program.scalars.iter().map(|s| s.ty).collect(),
    })
}

/// Nests that run right behind one another, with no message between them.
fn neighbours(steps: &[Step]) -> Vec<(usize, usize)> {
    let mut out: Vec<(usize, usize)> = vec![];
    for two in steps.windows(2) {
        if let [StepKind::Compute { nest: a, .. }, StepKind::Compute { nest: b, overlap: None }] =
            [&two[0].kind, &two[1].kind]
            && !out.contains(&(a.0 as usize, b.0 as usize))
        {
            out.push((a.0 as usize, b.0 as usize));
        }
    }
    for inner in steps.iter().flat_map(|s| s.kind.blocks()) {
        for two in neighbours(inner) {
            if !out.contains(&two) {
                out.push(two);
            }
        }
    }
    out
}

/// Nests in loops that read or write an array whose ghost cells come from other ranks.
fn linked(plan: &Plan) -> BTreeSet<u32> {
    fn in_loops(steps: &[Step], inside: bool, out: &mut BTreeSet<u32>) {
        for s in steps {
            if let (StepKind::Compute { nest, .. }, true) = (&s.kind, inside) {
                out.insert(nest.0);
            }
            let inner = inside || matches!(s.kind, StepKind::For { .. } | StepKind::While { .. });
            s.kind.blocks().into_iter().for_each(|b| in_loops(b, inner, out));
        }
    }
    let mut out = BTreeSet::new();
    if plan.ranks > 1 {
        in_loops(&plan.steps, false, &mut out);
    }
    let ghost = |i: &Item| if let Item::Ghost { array, .. } = i { Some(*array) } else { None };
    let arrays: Vec<ArrayId> = plan.exchanges.iter().flat_map(|e| &e.items).filter_map(ghost).collect();
    let alike = |a: ArrayId, b: ArrayId| a == b || plan.array(a).layout == plan.array(b).layout;
    out.retain(|n| plan.nests[*n as usize].nest.operands.iter().any(|o| arrays.iter().any(|a| alike(*a, o.array))));
    out
}

/// What the low ends and lengths of a nest's parts are multiples of; see [`generate::Placed::even`].
fn even(plan: &Plan, n: &PlanNest) -> Vec<i64> {
    let mut out = vec![0; n.nest.domain.rank()];
    let Some(last) = out.len().checked_sub(1) else { return out };
    if n.panels.is_some() {
        // Panels begin anywhere.
        return vec![1; out.len()];
    }
    for (rank, part) in (0..plan.ranks).filter_map(|r| Some((r, n.part(r)?))) {
        for (d, (g, r)) in out.iter_mut().zip(&part.dims).enumerate() {
            *g = gcd(*g, r.len());
            if d < last {
                *g = gcd(*g, r.lo);
            }
        }
        for s in &n.sources {
            let aligned = storage::first_aligned(plan, Place::from(*s), rank);
            out[last] = aligned.map_or(out[last], |a| gcd(out[last], part.dims[last].lo - a));
        }
    }
    out
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

type ScalarCode<'a> = (&'a Code, &'a [(Reg, ScalarId)]);

/// The scalar code of the workflow, in the order of the steps.
fn scalar_steps<'a>(steps: &'a [Step], in_loop: bool, out: &mut Vec<(ScalarCode<'a>, bool)>) {
    for s in steps {
        if let StepKind::Scalars { code, results } = &s.kind {
            out.push(((code, results), in_loop));
        }
        let inner = in_loop || matches!(s.kind, StepKind::For { .. } | StepKind::While { .. });
        s.kind.blocks().into_iter().for_each(|b| scalar_steps(b, inner, out));
    }
}

/// The scalars that code reads.
pub fn reads(code: &Code) -> BTreeSet<ScalarId> {
    let mut out = BTreeSet::new();
    generate::read_scalars(&code.body, &mut out);
    out
}

/// The `while` loops that a device may run by itself.
pub fn alone(plan: &Plan) -> Alone {
    Alone::of(plan, &following(plan, BTreeSet::new()))
}

/// Scalars that a device may compute: results of reductions, what loops set that it runs by itself, and what follows from them.
fn born_on_device(plan: &Plan) -> BTreeSet<ScalarId> {
    following(plan, alone(plan).set)
}

/// Results of reductions, these scalars and what follows from them.
fn following(plan: &Plan, more: BTreeSet<ScalarId>) -> BTreeSet<ScalarId> {
    let mut born = more;
    born.extend(plan.nests.iter().flat_map(|n| n.nest.reductions.iter().map(|r| r.into)));
    let mut steps = vec![];
    scalar_steps(&plan.steps, false, &mut steps);
    loop {
        let before = born.len();
        for ((code, results), _) in &steps {
            if !reads(code).is_disjoint(&born) {
                born.extend(results.iter().map(|r| r.1));
            }
        }
        if born.len() == before {
            return born;
        }
    }
}

/// The scalar code that a device may have to evaluate, in the order of the steps: in loops, where the host is not to be asked. What runs
/// once the host computes, and programs without such code compile sooner.
pub fn device_code(plan: &Plan) -> Vec<ScalarCode<'_>> {
    let (born, alone) = (born_on_device(plan), alone(plan));
    let mut steps = vec![];
    scalar_steps(&plan.steps, false, &mut steps);
    let kept = |((code, _), in_loop): &(ScalarCode, bool)| {
        *in_loop && !reads(code).is_disjoint(&born) || alone.code.contains(&std::ptr::from_ref(*code))
    };
    steps.into_iter().filter(kept).map(|s| s.0).collect()
}

/// Scalars that change while loops run or that a device computes; kernels read them from the table in device memory.
fn moving(plan: &Plan) -> BTreeSet<ScalarId> {
    fn counters(steps: &[Step], out: &mut BTreeSet<ScalarId>) {
        for s in steps {
            if let StepKind::For { counter, .. } = &s.kind {
                out.insert(*counter);
            }
            s.kind.blocks().into_iter().for_each(|b| counters(b, out));
        }
    }
    let mut out = born_on_device(plan);
    counters(&plan.steps, &mut out);
    let mut steps = vec![];
    scalar_steps(&plan.steps, false, &mut steps);
    out.extend(steps.iter().filter(|s| s.1).flat_map(|s| s.0.1.iter().map(|r| r.1)));
    out
}

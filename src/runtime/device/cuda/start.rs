//! From a device that is awake to one that runs a plan: its memory, its kernels, how it reaches the other ranks.

use std::collections::{HashMap, HashSet};

use super::beside::Beside;
use super::blas::Math;
use super::by_hand::scratch_bytes;
use super::device::{CudaDevice, failed};
use super::driver::{CudaError, Function, Gpu, GpuInfo, Module};
use super::edges::Edges;
use super::engine::{Cubins, Stop, alone, device_code};
use super::listed::Gathers;
use super::pairs::Pairs;
use super::queue::Queue;
use super::reduce::PEERS;
use super::rounds::{self, Rounds};
use super::scan::Scans;
use super::scatter::Scatters;
use super::transport::Transport;
use super::transport::card::Card;
use super::transport::choose::{Chooser, Links};
use super::transport::peer::Order;
use super::work::{Memory, refuse_too_much, work_of};
use crate::codegen::cuda::Unit;
use crate::ir::plan::{ExchangeId, Plan, PlanArray, PlanNestId};
use crate::runtime::comm::Comm;
use crate::runtime::failure::{Failure, Problem};
use crate::runtime::startup;

/// What a rank is given to begin with.
pub struct Given<'a> {
    /// The device, woken up.
    pub gpu: Result<Gpu, CudaError>,
    pub code: Result<Cubins, Problem>,
    pub unit: &'a Unit,
    /// The transports to choose from; all if none.
    pub wish: &'a [Transport],
    pub math: Math,
    pub stop: &'a Stop,
}

/// What a rank has before it knows of others.
struct Prepared<'a> {
    plan: &'a Plan,
    unit: &'a Unit,
    me: i64,
    math: Math,
    gpu: Gpu,
    module: Module,
    /// The kernels that all programs share.
    common: Module,
    /// That of them which stores into other ranks' memory.
    carry: Function,
    memory: Memory,
    stop: u64,
}

/// What the parts of a device are made with.
pub(super) struct Setup<'a> {
    pub plan: &'a Plan,
    pub me: i64,
    pub gpu: &'a mut Gpu,
    pub memory: &'a Memory,
    pub links: &'a Links,
    /// Finds a kernel of the program.
    pub function: &'a dyn Fn(&str) -> Result<Function, Problem>,
    /// The report of a driver's error.
    pub bad: &'a dyn Fn(CudaError) -> Problem,
}

impl<'a> CudaDevice<'a> {
    /// Takes a GPU, allocates everything that the plan names, and finds out how to reach the other ranks. A collective: a rank
    /// that has a problem takes part to the end, and all agree on it afterwards. Where a device breaks while others wait for what
    /// it sends, that is a failure at once.
    pub fn new(
        plan: &'a Plan,
        comm: &mut dyn Comm,
        info: &GpuInfo,
        given: Given<'a>,
    ) -> Result<Result<CudaDevice<'a>, Problem>, Failure> {
        let Given { gpu, code, unit, wish, math, stop } = given;
        let me = comm.rank();
        let called = format!("GPU {} of rank {me}", info.ordinal);
        let bad = |e: CudaError| Problem::new("E0620", format!("{called}: {e}"));
        let mut card = Card {
            host: Card::host(),
            process: std::process::id(),
            ordinal: info.ordinal,
            bus: info.bus.clone(),
            gpu: info.name.clone(),
            ..Card::default()
        };
        let prepare = |[program, common]: &[Vec<u8>; 2]| -> Result<Prepared, Problem> {
            let mut gpu = gpu.map_err(bad)?;
            refuse_too_much(plan, me, gpu.free_memory().map_err(bad)?)?;
            let module = gpu.load(program).map_err(bad)?;
            let common = gpu.load(common).map_err(bad)?;
            if math != Math::Exact {
                let needs = |why| Problem::new("E0620", format!("`--math` other than `exact` needs cuBLAS: {why}"));
                gpu.take_blas().map_err(needs)?;
            }
            let carry = common.function("mgpu_carry").map_err(bad)?;
            let memory = Memory::new(plan, me, &mut gpu).map_err(bad)?;
            gpu.wait().map_err(bad)?;
            let stop = stop.address().map_err(bad)?;
            Ok(Prepared { plan, unit, me, math, gpu, module, common, carry, memory, stop })
        };
        let mut own = match code.and_then(|code| prepare(&code)) {
            Ok(own) => own,
            Err(problem) => {
                card.failed = true;
                card.exchange(comm)?;
                return Ok(Err(problem));
            }
        };
        let memory = &own.memory;
        (card.arena, card.shelf) = (memory.arena, memory.shelf() - memory.arena);
        (card.blocks, card.views) = (memory.blocks.clone(), memory.views.clone());
        card.handle = own.gpu.share(memory.arena).ok().map(|h| h.to_vec());
        startup::ended("GPU memory");
        let cards = card.exchange(comm)?;
        let chooser = Chooser { gpu: &mut own.gpu, comm, memory: &own.memory, carry: own.carry, stop: own.stop };
        let links = chooser.choose(&card, &cards, wish).map_err(|f| {
            let f = if let Failure::Device(why) = f { failed(&called, why, own.stop) } else { f };
            // Kernels of other ranks wait for this one.
            Stop::set(own.stop);
            f
        })?;
        startup::ended("transports");
        Ok(links.and_then(|links| CudaDevice::with(own, info, links, &bad)))
    }

    /// The device of a rank that knows how to reach the others.
    fn with(
        own: Prepared<'a>,
        info: &GpuInfo,
        links: Links,
        bad: &dyn Fn(CudaError) -> Problem,
    ) -> Result<CudaDevice<'a>, Problem> {
        let Prepared { plan, unit, me, math, mut gpu, module, common, carry, memory, stop } = own;
        let function = |name: &str| module.function(name).map_err(bad);
        let common = |name: &str| common.function(name).map_err(bad);
        let ends: &dyn Fn(&str) -> Result<Function, Problem> = if unit.own_ends { &function } else { &common };
        let finish = ends("mgpu_finish")?;
        let scalars = gpu.alloc(8 * (plan.program.scalars.len() + rounds::WORDS)).map_err(bad)?;
        let learned = gpu.pin(8 * plan.program.scalars.len()).map_err(bad)?;
        let beside = Beside::of(plan, &|n| unit.kernels[n.0 as usize].moving.clone());
        let mut work = vec![];
        for (k, kernels) in unit.kernels.iter().enumerate() {
            let id = PlanNestId(k as u32);
            work.push(work_of(plan, id, me, kernels, &module, &mut gpu, beside.nests.contains(&id)).map_err(bad)?);
        }
        let pairs = Pairs::new(plan, unit, &work, &module).map_err(bad)?;
        let edges = Edges::of(plan);
        let codes = device_code(plan).into_iter().map(|c| std::ptr::from_ref(c.0)).zip(1..);
        let mut setup = Setup { plan, me, gpu: &mut gpu, memory: &memory, links: &links, function: &function, bad };
        let (scatters, scans) = (Scatters::new(&mut setup)?, Scans::new(&mut setup)?);
        let alike = |a: &PlanArray, b: &PlanArray| a.layout == b.layout && a.ghost == b.ghost;
        let class = plan.arrays.iter().map(|a| plan.arrays.iter().position(|b| alike(a, b)).unwrap_or(0) as u32);
        let mut device = CudaDevice {
            plan,
            unit,
            me,
            ordinal: info.ordinal,
            queue: Queue::default(),
            most_blocks: info.multiprocessors as u32 * 8,
            math,
            order: Order::new(class.collect(), memory.views.len(), plan.ranks as usize),
            memory,
            arrays: plan.arrays.iter().map(|a| a.buffer).collect(),
            scalars,
            learned,
            table: vec![None; plan.program.scalars.len()],
            work,
            beside,
            pairs,
            small: None,
            again: None,
            alone: alone(plan),
            rounds: Rounds::default(),
            legs: vec![],
            all_peers: plan.ranks as usize <= PEERS && links.all_peers,
            links,
            carrying: HashMap::new(),
            sweep: None,
            due: None,
            known: HashMap::new(),
            waits: HashMap::new(),
            awaited: HashMap::new(),
            delivered: 0,
            carried: 0,
            stop,
            ended: false,
            verbose: false,
            lists: HashMap::new(),
            filled: HashSet::new(),
            scalar_code: codes.collect(),
            codes: ends("mgpu_codes")?,
            copies: common("mgpu_copies")?,
            carry,
            finish,
            set: common("mgpu_set")?,
            scratch: (0, 0),
            scatters,
            scans,
            gathers: Gathers::default(),
            gpu,
        };
        if plan.ranks == 1 || device.all_peers {
            device.again = rounds::again(&device.alone, &|name| module.function(name).ok());
        }
        for e in 0..plan.exchanges.len() {
            let legs = device.legs_of(ExchangeId(e as u32), &edges).map_err(bad)?;
            device.legs.push(legs);
        }
        // Later, allocating might wait for kernels of other ranks that wait for this one.
        device.scratch(scratch_bytes(plan, me)).map_err(bad)?;
        device.gpu.wait().map_err(bad)?;
        // Nobody may write here before this rank has cleared its memory, which the trials have seen to.
        Ok(device)
    }
}

//! What runs a program's kernels: the CPU's executors or GPUs.

use super::compile::Multiplier;
use crate::ir::plan::Plan;
use crate::runtime::device::{Engine, Executor, OnHost, native::Native, vm::Vm};
use crate::source::SourceMap;
#[cfg(feature = "cuda")]
use crate::source::Span;
use clap::Args;

/// Where kernels run.
#[derive(Args, Clone)]
pub struct EngineArgs {
    /// What runs the kernels on a CPU: the built-in machine, native C, or native C where a compiler is found
    #[arg(long, value_enum, default_value_t = ExecutorChoice::Auto)]
    pub executor: ExecutorChoice,
    /// Device to run on; a chosen executor means the CPU
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    pub device: Device,
    /// GPUs to use, in this order, one rank each (`0,2`) [default: all that are visible]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub devices: Vec<i32>,
    /// How messages travel between GPUs; of several (`nccl,staged`) the fastest [default: of all, for each pair of ranks and size]
    #[arg(long, value_enum, value_name = "HOW", value_delimiter = ',')]
    pub transport: Vec<Transport>,
    /// How GPUs multiply matrices: as defined, with the same bits everywhere, or as cuBLAS does, whose bits depend on the library,
    /// the GPU and the shape of each rank's part
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Math::Exact)]
    pub math: Math,
    /// Say what is done: executor, launcher command
    #[arg(short, long)]
    pub verbose: bool,
}

impl EngineArgs {
    /// No GPU is wanted.
    pub fn on_cpu(&self) -> bool {
        match self.device {
            Device::Cpu => true,
            Device::Cuda => false,
            Device::Auto => self.executor != ExecutorChoice::Auto,
        }
    }

    /// What multiplies matrices, on GPUs or not.
    pub fn multiplier(&self, gpus: bool) -> Multiplier {
        match self.math {
            _ if !gpus => Multiplier::Cpu,
            Math::Exact => Multiplier::Gpu,
            Math::Library | Math::Tf32 => Multiplier::Library,
        }
    }
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
pub enum ExecutorChoice {
    Auto,
    Vm,
    Native,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
pub enum Device {
    /// GPUs where the machine has them, else the CPU
    Auto,
    Cpu,
    /// NVIDIA GPUs, one rank each
    Cuda,
}

/// How GPUs multiply matrices.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
pub enum Math {
    /// A chain of fused multiply-adds for every element
    Exact,
    /// By cuBLAS, in the elements' type
    Library,
    /// By cuBLAS, f32 rounded to TF32 on the way
    Tf32,
}

/// What carries messages between GPUs.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
pub enum Transport {
    /// Kernels store into the other GPU's memory
    Peer,
    /// NVIDIA's library of collectives
    Nccl,
    /// An MPI library that takes addresses of device memory
    GpuAware,
    /// Through page-locked host memory
    Staged,
}

/// How many ranks a run on one machine has when nobody says: one a GPU, or one a core.
pub fn default_ranks(args: &EngineArgs) -> i64 {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as i64);
    if args.on_cpu() { cores } else { gpus(args).filter(|n| *n > 0).unwrap_or(cores) }
}

/// Whether kernels are to run on GPUs: they are asked for, or nobody says otherwise and there are some.
pub fn uses_gpus(args: &EngineArgs) -> bool {
    !args.on_cpu() && (args.device == Device::Cuda || gpus(args).is_some_and(|n| n > 0))
}

/// The engine that the arguments ask for; with `-v` the one process of a job that `speaks` says what is not used.
pub fn engine(args: &EngineArgs, speaks: bool, plan: &Plan, sources: &SourceMap) -> Result<Box<dyn Engine>, String> {
    let verbose = args.verbose && speaks;
    let for_gpus = [
        ("--devices", !args.devices.is_empty()),
        ("--transport", !args.transport.is_empty()),
        ("--math", args.math != Math::Exact),
    ];
    let for_gpus = for_gpus.iter().find(|o| o.1).map(|o| o.0);
    if args.on_cpu() {
        if let Some(option) = for_gpus {
            return Err(format!(
                "`{option}` is for GPUs, and `--device cpu` or `--executor` keeps this run on the CPU"
            ));
        }
    } else {
        match cuda(args, plan, sources) {
            Ok(engine) => {
                crate::runtime::startup::ended("kernels written");
                return Ok(engine);
            }
            Err(why) if args.device == Device::Cuda => return Err(why),
            Err(why) => {
                if let Some(option) = for_gpus {
                    return Err(format!("`{option}` is for GPUs, and none can be used: {why}"));
                }
                if verbose {
                    eprintln!("GPUs are not used: {why}");
                }
            }
        }
    }
    let nests: Vec<_> = plan.nests.iter().map(|n| n.nest.clone()).collect();
    let tables = &plan.program.tables;
    if args.executor == ExecutorChoice::Vm {
        return Ok(on_host(Vm::new(&nests, tables)));
    }
    match Native::new(&nests, tables) {
        Ok(native) => Ok(on_host(native)),
        Err(why) if args.executor == ExecutorChoice::Native => Err(why),
        Err(why) => {
            if verbose {
                eprintln!("native C is not used: {why}");
            }
            Ok(on_host(Vm::new(&nests, tables)))
        }
    }
}

fn on_host(executor: impl Executor + 'static) -> Box<dyn Engine> {
    Box::new(OnHost(Box::new(executor)))
}

/// The file and line of a place in the sources.
#[cfg(feature = "cuda")]
pub fn line(sources: &SourceMap, span: Span) -> Option<(String, usize)> {
    let file = sources.file(span.file);
    let before = file.text.get(..span.start as usize)?;
    Some((file.name.clone(), before.matches('\n').count() + 1))
}

#[cfg(feature = "cuda")]
fn gpus(args: &EngineArgs) -> Option<i64> {
    use crate::runtime::device::cuda::{driver, nvrtc};
    nvrtc::present().ok()?;
    let seen = driver::gpus().ok()?.len();
    Some(if args.devices.is_empty() { seen } else { args.devices.len() } as i64)
}

#[cfg(feature = "cuda")]
fn cuda(args: &EngineArgs, plan: &Plan, sources: &SourceMap) -> Result<Box<dyn Engine>, String> {
    use crate::runtime::device::cuda::blas::Math as Allowed;
    use crate::runtime::device::cuda::transport::Transport as Carrier;
    use crate::runtime::device::cuda::{CudaEngine, Options};
    let carriers = args.transport.iter().map(|t| match t {
        Transport::Peer => Carrier::Peer,
        Transport::Nccl => Carrier::Nccl,
        Transport::GpuAware => Carrier::GpuAware,
        Transport::Staged => Carrier::Staged,
    });
    let transport = carriers.collect();
    let math = match args.math {
        Math::Exact => Allowed::Exact,
        Math::Library => Allowed::Library,
        Math::Tf32 => Allowed::Tf32,
    };
    let launched_as = super::launcher::place_on_machine();
    let options = Options { devices: args.devices.clone(), verbose: args.verbose, transport, math, launched_as };
    Ok(Box::new(CudaEngine::new(plan, options, &|span| line(sources, span))?))
}

#[cfg(not(feature = "cuda"))]
fn gpus(_: &EngineArgs) -> Option<i64> {
    None
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: &EngineArgs, _: &Plan, _: &SourceMap) -> Result<Box<dyn Engine>, String> {
    Err("this mgpu was built without CUDA (feature `cuda`)".into())
}

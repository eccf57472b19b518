//! A rank on an NVIDIA GPU: kernels as CUDA C compiled by NVRTC, launches queued and sent as CUDA graphs.

mod beside;
pub mod blas;
mod by_hand;
mod carry;
mod device;
pub mod driver;
mod edges;
mod engine;
mod exchange;
mod graphs;
mod launch;
mod link;
mod listed;
pub mod nvrtc;
mod pairs;
mod queue;
pub mod record;
mod reduce;
mod rounds;
mod scan;
mod scatter;
mod seat;
mod sort;
mod start;
mod storage;
pub mod transport;
mod work;

pub use engine::{CudaEngine, LinkReport, Options, unit};

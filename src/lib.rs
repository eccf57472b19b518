//! mgpu: a declarative language and compiler for array programs on many GPUs over MPI. `ARCHITECTURE.md` has the stages.

pub mod check;
pub mod cli;
pub mod codegen;
pub mod diag;
pub mod ir;
#[cfg(feature = "lsp")]
pub mod lsp;
pub mod mpi4py;
pub mod picture;
pub mod planner;
pub mod runtime;
#[cfg(feature = "sim")]
pub mod sim;
pub mod source;
pub mod syntax;

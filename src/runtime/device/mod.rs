//! Executors of loop nests: the built-in block machine ([`vm`]) and native C ([`native`]), which agree to the bit.
//!
//! This folder is one of the few that use `unsafe`: operands are raw addresses, because one nest reads and writes
//! parts of several buffers that the plan proved to be disjoint or equal point by point.

pub mod exact_sum;
pub mod leaf;
pub mod native;
pub mod native_cache;
pub mod partial;
pub mod scalar;
pub mod vm;

use crate::ir::index_box::IndexBox;

pub use crate::ir::elem;
pub use exact_sum::ExactSum;
pub use partial::Partial;

/// Where an operand's local part lies.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The address of the first stored element.
    pub ptr: *mut u8,
    /// The global index of that element.
    pub lo: Vec<i64>,
    /// Steps between neighbours in each dimension, in elements; the last is 1.
    pub strides: Vec<i64>,
    /// The end of the stored box, for the bounds checks of debug builds.
    pub hi: Vec<i64>,
}

/// Runs nests on parts of their domain. Shared by the rank threads; scratch memory is per thread.
pub trait Executor: Send + Sync {
    /// The name that reports show.
    fn name(&self) -> &str;

    /// Runs nest number `nest` on `part`, whose cuts lie on leaf boundaries (or at the domain's own end), and adds the
    /// contributions of each reduction to `partials`, in the order of the nest's reductions.
    ///
    /// `bindings` are in the order of the nest's operands and must cover what the part reads and writes.
    fn run(
        &self,
        nest: usize,
        part: &IndexBox,
        bindings: &[Binding],
        scalars: &[u64],
        partials: &mut [Partial],
    ) -> Result<(), String>;
}

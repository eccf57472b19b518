//! What looks at a run from outside, after every step of every rank.

use crate::ir::plan::Step;
use crate::runtime::device::Device;
use crate::runtime::failure::Failure;
use crate::runtime::state::Scalars;

/// Sees what each rank holds. All ranks call it at the same steps in the same order, each on its own thread.
pub trait Observer: Sync {
    /// A step has ended on a rank. An agreed failure ends the run; it must be given on all ranks at the same step.
    fn after(&self, rank: i64, step: &Step, device: &mut dyn Device, scalars: &Scalars) -> Result<(), Failure>;
}

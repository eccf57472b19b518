//! `mgpu plan`

use clap::Args;

#[derive(Args, Clone)]
pub struct PlanArgs {}

/// Not there yet.
pub fn plan(_args: &PlanArgs) -> u8 {
    2
}

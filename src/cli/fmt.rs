//! `mgpu fmt`

use clap::Args;

#[derive(Args, Clone)]
pub struct FmtArgs {}

/// Not there yet.
pub fn fmt(_args: &FmtArgs) -> u8 {
    2
}

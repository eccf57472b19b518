//! `mgpu emit`

use clap::Args;

#[derive(Args, Clone)]
pub struct EmitArgs {}

/// Not there yet.
pub fn emit(_args: &EmitArgs) -> u8 {
    2
}

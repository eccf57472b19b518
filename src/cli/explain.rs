//! `mgpu explain`

use clap::Args;

#[derive(Args, Clone)]
pub struct ExplainArgs {}

/// Not there yet.
pub fn explain(_args: &ExplainArgs) -> u8 {
    2
}

//! `mgpu doctor`

use clap::Args;

#[derive(Args, Clone)]
pub struct DoctorArgs {}

/// Not there yet.
pub fn doctor(_args: &DoctorArgs) -> u8 {
    2
}

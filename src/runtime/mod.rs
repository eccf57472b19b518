//! Plan and kernels to effects on one rank.

pub mod animation;
pub mod comm;
mod contents;
pub mod copy;
pub mod demand;
pub mod device;
pub mod exchange;
pub mod failure;
pub mod io;
pub mod launch;
pub mod memory;
pub mod numbers;
pub mod observe;
mod output;
pub mod pace;
pub mod progress;
pub mod rank;
pub mod say;
pub mod scan;
pub mod scatter;
pub mod startup;
pub mod state;
pub mod stats;
pub mod trace;
pub mod versions;
pub mod watch;

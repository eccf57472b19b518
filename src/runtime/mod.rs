//! Plan and kernels to effects on one rank.

pub mod io;

//! Runs plans: everything that happens on one rank.

pub mod device;

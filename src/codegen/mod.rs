//! Spells kernels for compilers: one lowering, several languages.

pub mod c;
mod c_body;
pub mod c_contraction;
mod c_facts;
mod c_nest;
mod c_wide;
pub mod cuda;

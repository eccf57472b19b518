//! The intermediate representations: data only, each with its printer and its verifier.

pub mod complex;
pub mod contraction;
pub mod elem;
pub mod fold;
pub mod format;
pub mod half;
pub mod index_box;
pub mod kernel;
pub mod layout;
pub mod pair;
pub mod plan;
pub mod program;
pub mod stored;
pub mod ty;

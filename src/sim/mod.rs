//! `mgpu sim`: a run on ranks in lock step, kept state by state, to be gone through forwards and backwards. The interpreter runs
//! as it always does; a recorder looks on.

pub mod broken;
mod draw;
pub mod film;
mod fresh;
pub mod record;
pub mod screen;

pub use draw::text;

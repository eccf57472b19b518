//! NumPy's `.npy` files: the header, boxes of an array read from a file, and one file written by many ranks.

mod boxes;
mod header;
mod write;

pub use boxes::read_box;
pub use header::{NpyHeader, header_bytes, read_header};
pub use write::{PartName, create_framed, create_part, discard, finish, sync_part, write_box};

use super::{IoError, quoted};
use crate::ir::index_box::IndexBox;
use crate::ir::stored::Stored;
use crate::ir::ty::Ty;

// Elements travel between memory and file as they are; both are little-endian.
const _: () = assert!(cfg!(target_endian = "little"), "`.npy` input and output needs a little-endian machine");

/// Bytes of an array, or an error that shows the shape when they do not fit in 63 bits.
pub fn array_bytes(element: impl Into<Stored>, shape: &[i64]) -> Result<u64, IoError> {
    let element = element.into();
    let bytes = shape.iter().try_fold(element.size() as i64, |n, &d| if d < 0 { None } else { n.checked_mul(d) });
    bytes
        .map(|n| n as u64)
        .ok_or_else(|| IoError::new(format!("an array {element}{shape:?} is too large for any file")))
}

/// Checks that `bx` lies in an array of `shape` and that `bytes` is the size of its elements.
fn check_box(path: &str, ty: Ty, shape: &[i64], bx: &IndexBox, bytes: usize) -> Result<(), IoError> {
    array_bytes(ty, shape)?;
    let inside = bx.rank() == shape.len() && IndexBox::whole(shape).contains(bx);
    if !inside {
        return Err(IoError::new(format!("the box {bx} is not inside the array {ty}{shape:?} of {}", quoted(path))));
    }
    let want = bx.len() as u64 * ty.size() as u64;
    if want != bytes as u64 {
        return Err(IoError::new(format!(
            "the box {bx} of {} holds {want} bytes, but the buffer {bytes}",
            quoted(path)
        )));
    }
    Ok(())
}

//! Boxes of an array in a file: their contiguous runs, and reading just those bytes.

use super::{NpyHeader, check_box};
use crate::ir::index_box::IndexBox;
use crate::ir::stored::Stored;
use crate::ir::ty::Ty;
use crate::runtime::io::IoError;
use crate::runtime::io::root::Root;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Short runs this near to each other, in bytes, are read together with what lies between.
const NEAR: u64 = 16 << 10;
/// Bytes read at once for short runs.
const WINDOW: u64 = 1 << 20;

/// Reads one box of an array into `out` as elements of `ty`, to which those of the file widen, in row-major order, touching no more
/// of the file than it needs.
///
/// A file in Fortran order, or of another type, is read through a buffer as large as the box.
pub fn read_box(
    root: &Root,
    path: &str,
    header: &NpyHeader,
    bx: &IndexBox,
    ty: Ty,
    out: &mut [u8],
) -> Result<(), IoError> {
    check_box(path, ty, &header.shape, bx, out.len())?;
    if bx.is_empty() {
        return Ok(());
    }
    if header.element == Stored::Of(ty) {
        return read_as_stored(root, path, header, bx, out);
    }
    let size = header.element.size();
    let mut stored = buffer(path, bx.len() as usize * size)?;
    read_as_stored(root, path, header, bx, &mut stored)?;
    for (from, to) in stored.chunks_exact(size).zip(out.chunks_exact_mut(ty.size())) {
        to.copy_from_slice(&header.element.widened(from, ty).to_le_bytes()[..ty.size()]);
    }
    Ok(())
}

fn buffer(path: &str, bytes: usize) -> Result<Vec<u8>, IoError> {
    let mut out = vec![];
    out.try_reserve_exact(bytes)
        .map_err(|_| IoError::from_os("read", path, &std::io::ErrorKind::OutOfMemory.into()))?;
    out.resize(bytes, 0);
    Ok(out)
}

/// The same without a conversion.
fn read_as_stored(root: &Root, path: &str, header: &NpyHeader, bx: &IndexBox, out: &mut [u8]) -> Result<(), IoError> {
    let file = root.open_read(path)?;
    let os = |e: std::io::Error| IoError::from_os("read", path, &e);
    if header.fortran && header.shape.len() > 1 {
        let mut columns = buffer(path, out.len())?;
        let shape: Vec<i64> = header.shape.iter().rev().copied().collect();
        let flipped = IndexBox::new(bx.dims.iter().rev().copied().collect());
        read_runs(&file, header, &Runs::new(&shape, &flipped), &mut columns).map_err(os)?;
        columns_to_rows(&columns, &bx.shape(), header.element.size(), out);
    } else {
        read_runs(&file, header, &Runs::new(&header.shape, bx), out).map_err(os)?;
    }
    if header.element == Stored::Of(Ty::Bool) {
        // Any other byte than 0 and 1 would be no valid bool to the kernels.
        out.iter_mut().for_each(|b| *b = u8::from(*b != 0));
    }
    Ok(())
}

/// The contiguous runs of a box in a row-major array; all counts are in elements.
pub(super) struct Runs {
    /// Elements of one run.
    pub len: u64,
    /// Where the first run starts in the array.
    start: u64,
    /// Number and distance of the runs along each dimension that still varies, outermost first.
    steps: Vec<(u64, u64)>,
}

impl Runs {
    /// The runs of a box that lies in the array and is not empty; whole rows merge.
    pub fn new(shape: &[i64], bx: &IndexBox) -> Runs {
        let mut runs = Runs { len: 1, start: 0, steps: vec![] };
        let mut stride = 1u64;
        let mut whole = true;
        for (extent, part) in shape.iter().zip(&bx.dims).rev() {
            runs.start += part.lo as u64 * stride;
            if whole {
                runs.len *= part.len() as u64;
                whole = part.len() == *extent;
            } else {
                runs.steps.push((part.len() as u64, stride));
            }
            stride *= *extent as u64;
        }
        runs.steps.reverse();
        runs.steps.retain(|s| s.0 != 1);
        runs
    }

    /// The distance from one run to the next in the innermost dimension that varies.
    fn distance(&self) -> u64 {
        self.steps.last().map_or(u64::MAX, |s| s.1)
    }

    /// The start of every run in the array, in order.
    pub fn starts(&self) -> impl Iterator<Item = u64> + '_ {
        let mut at = vec![0u64; self.steps.len()];
        let mut next = Some(self.start);
        std::iter::from_fn(move || {
            let here = next?;
            next = None;
            let mut start = here;
            for (k, &(count, stride)) in self.steps.iter().enumerate().rev() {
                if at[k] + 1 < count {
                    at[k] += 1;
                    next = Some(start + stride);
                    break;
                }
                start -= at[k] * stride;
                at[k] = 0;
            }
            Some(here)
        })
    }
}

fn read_runs(file: &File, header: &NpyHeader, runs: &Runs, out: &mut [u8]) -> std::io::Result<()> {
    let size = header.element.size() as u64;
    let run = (runs.len * size) as usize;
    let elements: u64 = header.shape.iter().map(|&d| d as u64).product();
    let end = header.offset + elements * size;
    let together = runs.distance().saturating_mul(size) <= NEAR;
    let (mut window, mut window_at) = (vec![], 0u64);
    for (start, piece) in runs.starts().zip(out.chunks_exact_mut(run)) {
        let at = header.offset + start * size;
        if !together {
            file.read_exact_at(piece, at)?;
            continue;
        }
        if at < window_at || at + run as u64 > window_at + window.len() as u64 {
            window.resize((end - at).min(WINDOW.max(run as u64)) as usize, 0);
            window_at = at;
            file.read_exact_at(&mut window, at)?;
        }
        let from = (at - window_at) as usize;
        piece.copy_from_slice(&window[from..from + run]);
    }
    Ok(())
}

/// Turns a box stored with its first index fastest into row-major order.
fn columns_to_rows(columns: &[u8], shape: &[i64], size: usize, out: &mut [u8]) {
    let mut strides = vec![size; shape.len()];
    for k in 1..shape.len() {
        strides[k] = strides[k - 1] * shape[k - 1] as usize;
    }
    let mut index = vec![0i64; shape.len()];
    let mut from = 0;
    for element in out.chunks_exact_mut(size) {
        element.copy_from_slice(&columns[from..from + size]);
        for k in (0..shape.len()).rev() {
            index[k] += 1;
            from += strides[k];
            if index[k] < shape[k] {
                break;
            }
            from -= strides[k] * shape[k] as usize;
            index[k] = 0;
        }
    }
}

//! One `.npy` file written by many ranks, which appears under its name whole or not at all.

use super::boxes::Runs;
use super::{array_bytes, check_box, header_bytes};
use crate::ir::index_box::IndexBox;
use crate::ir::ty::Ty;
use crate::runtime::io::root::Root;
use crate::runtime::io::{IoError, quoted};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::FileExt;

/// An unfinished file: rank 0 creates it and tells the other ranks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartName {
    /// The name that the finished file gets, which reports show.
    pub target: String,
    /// `.NAME.<unique>.part`, in the folder of the final file.
    pub path: String,
    /// Where the elements start, in bytes.
    pub data_offset: u64,
}

/// Rank 0: creates the unfinished file beside `path`, at its full size and with its header.
pub fn create_part(root: &Root, path: &str, ty: Ty, shape: &[i64]) -> Result<PartName, IoError> {
    create_framed(root, path, ty, shape, (&header_bytes(ty, shape), &[]))
}

/// The same for any format that has the elements in row-major order: what stands before and behind them.
pub fn create_framed(
    root: &Root,
    path: &str,
    ty: Ty,
    shape: &[i64],
    (header, behind): (&[u8], &[u8]),
) -> Result<PartName, IoError> {
    let elements = array_bytes(ty, shape)?;
    let more = (header.len() + behind.len()) as u64;
    let size = elements.checked_add(more).filter(|&n| n <= i64::MAX as u64);
    let size = size.ok_or_else(|| IoError::new(format!("{ty}{shape:?} is too large for the file {}", quoted(path))))?;
    let (part, file) = root.create_part_file(path)?;
    if let Err(e) = file
        .set_len(size)
        .and_then(|()| file.write_all_at(header, 0))
        .and_then(|()| file.write_all_at(behind, header.len() as u64 + elements))
    {
        root.remove(&part);
        return Err(IoError::from_os("write", path, &e));
    }
    Ok(PartName { target: path.into(), path: part, data_offset: header.len() as u64 })
}

/// Every rank: writes one box of the array, given in row-major order. Boxes of different ranks must not overlap.
pub fn write_box(
    root: &Root,
    part: &PartName,
    ty: Ty,
    shape: &[i64],
    bx: &IndexBox,
    data: &[u8],
) -> Result<(), IoError> {
    check_box(&part.target, ty, shape, bx, data.len())?;
    if bx.is_empty() {
        return Ok(());
    }
    let file = root.open_write(&part.path)?;
    let (size, runs) = (ty.size() as u64, Runs::new(shape, bx));
    for (start, piece) in runs.starts().zip(data.chunks_exact((runs.len * size) as usize)) {
        file.write_all_at(piece, part.data_offset + start * size)
            .map_err(|e| IoError::from_os("write", &part.target, &e))?;
    }
    Ok(())
}

/// Every rank of another machine than rank 0's, after its boxes: brings them to the shared disk, where delayed errors
/// show. Rank 0 need not, since [`finish`] does.
pub fn sync_part(root: &Root, part: &PartName) -> Result<(), IoError> {
    let file = root.open_write(&part.path)?;
    file.sync_all().map_err(|e| IoError::from_os("write", &part.target, &e))
}

/// Rank 0, after all ranks wrote: makes the file durable and gives it its name. The part is gone either way.
pub fn finish(root: &Root, part: &PartName) -> Result<(), IoError> {
    let done = sync_part(root, part).and_then(|()| root.replace(&part.path, &part.target));
    if done.is_err() {
        discard(root, part);
    }
    done
}

/// Rank 0, when any rank failed: removes the unfinished file.
pub fn discard(root: &Root, part: &PartName) {
    root.remove(&part.path);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::index_box::Interval;
    use crate::runtime::io::npy::{read_box, read_header};

    /// All boxes that balanced blocks over a mesh of ranks give.
    fn tiles(shape: &[i64], mesh: &[i64]) -> Vec<IndexBox> {
        let mut out = vec![IndexBox::new(vec![])];
        for (n, p) in shape.iter().zip(mesh) {
            let cut = |k: i64| n * k / p;
            let parts = (0..*p).map(|k| Interval::new(cut(k), cut(k + 1)));
            out = parts
                .flat_map(|i| out.iter().map(move |b| (i, b.clone())))
                .map(|(i, mut b)| {
                    b.dims.push(i);
                    b
                })
                .collect();
        }
        out
    }

    /// The elements of a box, by definition.
    fn pick(array: &[u8], size: usize, shape: &[i64], bx: &IndexBox, fortran: bool) -> Vec<u8> {
        let mut out = vec![];
        for k in 0..bx.len() {
            let (mut rest, mut index) = (k, vec![0; shape.len()]);
            for d in (0..shape.len()).rev() {
                index[d] = bx.dims[d].lo + rest % bx.dims[d].len();
                rest /= bx.dims[d].len();
            }
            let fold = |at: i64, d: usize| at * shape[d] + index[d];
            let at = if fortran { (0..shape.len()).rev().fold(0, fold) } else { (0..shape.len()).fold(0, fold) };
            out.extend_from_slice(&array[at as usize * size..(at as usize + 1) * size]);
        }
        out
    }

    #[test]
    fn ranks_write_one_file_and_read_any_box() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        for (ty, shape, mesh) in [
            (Ty::F32, vec![7, 10], vec![2, 3]),
            (Ty::F64, vec![5, 4, 6], vec![1, 2, 2]),
            (Ty::I32, vec![13], vec![4]),
            (Ty::Bool, vec![3, 1, 2, 5], vec![2, 1, 2, 5]),
            (Ty::I64, vec![], vec![]),
            (Ty::U32, vec![4, 0], vec![2, 1]),
            (Ty::F64, vec![40, 3000], vec![2, 7]),
            (Ty::F32, vec![3000, 100], vec![1, 3]),
        ] {
            let bytes = array_bytes(ty, &shape).unwrap() as usize;
            let array: Vec<u8> =
                (0..bytes).map(|k| if ty == Ty::Bool { (k % 3 == 0) as u8 } else { (k * 7 % 251) as u8 }).collect();
            let part = create_part(&root, "a.npy", ty, &shape).unwrap();
            for bx in tiles(&shape, &mesh) {
                write_box(&root, &part, ty, &shape, &bx, &pick(&array, ty.size(), &shape, &bx, false)).unwrap();
            }
            finish(&root, &part).unwrap();
            let file = std::fs::read(dir.path().join("a.npy")).unwrap();
            assert_eq!(file, [header_bytes(ty, &shape), array.clone()].concat());
            let mut header = read_header(&root, "a.npy").unwrap();
            for fortran in [false, true] {
                header.fortran = fortran;
                for bx in tiles(&shape, &mesh).into_iter().chain([IndexBox::whole(&shape)]) {
                    let want = pick(&array, ty.size(), &shape, &bx, fortran);
                    let mut got = vec![9; want.len()];
                    read_box(&root, "a.npy", &header, &bx, ty, &mut got).unwrap();
                    assert_eq!(got, want, "{ty}{shape:?} {bx} fortran: {fortran}");
                }
            }
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        std::fs::write(dir.path().join("a.npy"), b"old").unwrap();
        let part = create_part(&root, "a.npy", Ty::F32, &[4, 4]).unwrap();
        let outside = IndexBox::new(vec![Interval::new(0, 5), Interval::new(0, 4)]);
        assert!(write_box(&root, &part, Ty::F32, &[4, 4], &outside, &[0; 80]).is_err());
        assert!(write_box(&root, &part, Ty::F32, &[4, 4], &IndexBox::whole(&[4, 4]), &[0; 63]).is_err());
        discard(&root, &part);
        assert!(finish(&root, &part).is_err());
        assert_eq!(std::fs::read(dir.path().join("a.npy")).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(create_part(&root, "b.npy", Ty::F64, &[i64::MAX / 8]).is_err());
        assert!(create_part(&root, "b.npy", Ty::F64, &[i64::MAX, 2]).is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_box_outside_and_a_cut_file_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let part = create_part(&root, "a.npy", Ty::F32, &[4]).unwrap();
        finish(&root, &part).unwrap();
        let header = read_header(&root, "a.npy").unwrap();
        let bx = IndexBox::new(vec![Interval::new(2, 5)]);
        assert!(read_box(&root, "a.npy", &header, &bx, Ty::F32, &mut [0; 12]).unwrap_err().message.contains("[2..5]"));
        std::fs::File::options().write(true).open(dir.path().join("a.npy")).unwrap().set_len(130).unwrap();
        let e = read_box(&root, "a.npy", &header, &IndexBox::whole(&[4]), Ty::F32, &mut [0; 16]).unwrap_err();
        assert!(e.message.contains("shorter than its header says"), "{e}");
    }
}

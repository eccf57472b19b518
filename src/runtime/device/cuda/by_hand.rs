//! What steps by hand (print, load, save, plot) read and write of a rank's arrays: packed on the device in chunks.

use super::carry::{self, DeviceCopy};
use super::device::{CudaDevice, broken};
use super::driver::CudaError;
use super::storage::padded;
use crate::ir::index_box::{IndexBox, Interval};
use crate::ir::kernel::ArrayId;
use crate::ir::plan::region::Mode;
use crate::ir::plan::{Plan, PlanArray, Step, StepKind};
use crate::runtime::copy::{BoxCopy, Stored};
use crate::runtime::exchange::Place;
use crate::runtime::failure::Failure;

/// Bytes of a chunk that travels between device and files.
const CHUNK: i64 = 64 << 20;

/// What moving so many bytes by hand takes: the elements, and the copy's own description.
fn packed_bytes(bytes: usize) -> usize {
    bytes.next_multiple_of(256) + 1024
}

/// The most that a rank moves by hand at once.
pub fn scratch_bytes(plan: &Plan, me: i64) -> usize {
    fn moves(steps: &[Step]) -> bool {
        let by_hand = |k: &StepKind| k.is_by_hand() && !matches!(k, StepKind::Assert { .. });
        steps.iter().any(|s| by_hand(&s.kind) || s.kind.blocks().into_iter().any(moves))
    }
    let of = |a: &PlanArray| {
        let size = a.array.ty.size() as i64;
        let most = CudaDevice::chunks(&a.layout.part(me), size).iter().map(IndexBox::len).max().unwrap_or(0);
        (most.max(0) * size) as usize
    };
    let most = if moves(&plan.steps) { plan.arrays.iter().filter(|a| a.used).map(of).max() } else { None };
    most.map_or(256, packed_bytes)
}

impl CudaDevice<'_> {
    /// The elements of a box of this rank's part, row-major.
    pub(super) fn read_box(&mut self, id: ArrayId, region: &IndexBox) -> Result<Vec<u8>, Failure> {
        let size = self.plan.array(id).array.ty.size() as i64;
        let mut out = vec![0u8; (region.len() * size) as usize];
        let mut at = 0;
        for b in CudaDevice::chunks(region, size).iter().filter(|b| !b.is_empty()) {
            let bytes = (b.len() * size) as usize;
            let scratch = self.scratch(packed_bytes(bytes)).map_err(broken)?;
            self.pack(id, b, scratch, true)?;
            self.gpu.get(scratch, &mut out[at..at + bytes]).map_err(broken)?;
            at += bytes;
        }
        Ok(out)
    }

    /// Sets the elements of a box of this rank's part.
    pub(super) fn write_box(&mut self, id: ArrayId, region: &IndexBox, data: &[u8]) -> Result<(), Failure> {
        let size = self.plan.array(id).array.ty.size() as i64;
        let mut at = 0;
        for b in CudaDevice::chunks(region, size).iter().filter(|b| !b.is_empty()) {
            let bytes = (b.len() * size) as usize;
            let scratch = self.scratch(packed_bytes(bytes)).map_err(broken)?;
            self.gpu.put(scratch, &data[at..at + bytes]).map_err(broken)?;
            self.pack(id, b, scratch, false)?;
            self.gpu.wait().map_err(broken)?;
            at += bytes;
        }
        Ok(())
    }

    /// Memory for packed elements on the device.
    pub(super) fn scratch(&mut self, bytes: usize) -> Result<u64, CudaError> {
        if self.scratch.1 < bytes {
            self.scratch = (self.gpu.alloc(bytes)?, bytes);
        }
        Ok(self.scratch.0)
    }

    /// Moves a box of an array to or from packed memory on the device.
    fn pack(&mut self, id: ArrayId, region: &IndexBox, packed: u64, out: bool) -> Result<(), Failure> {
        self.settle()?;
        let place = Place::Array(id);
        let storage = padded(self.plan, place, self.me);
        let (array, flat) = (Stored { storage: &storage, part: region }, Stored { storage: region, part: region });
        let ty = self.plan.array(id).array.ty;
        let (from, to) = if out { (array, flat) } else { (flat, array) };
        let copy = BoxCopy::new(from, to, &vec![Mode::Shift; region.rank()], ty, false);
        let (from, to) = if out { (self.address(place), packed) } else { (packed, self.address(place)) };
        let copies = [carry::device_copy(&copy, from, to, None).map_err(Failure::Internal)?];
        // Kept only as long as this copy runs.
        let bytes = std::mem::size_of::<DeviceCopy>();
        let list = self.scratch.0 + self.scratch.1 as u64 - bytes.next_multiple_of(64) as u64;
        let launch = carry::launch(self.copies, list, &copies);
        self.queue.flush(&self.gpu).map_err(broken)?;
        // SAFETY: the list is plain numbers of that size.
        let data = unsafe { std::slice::from_raw_parts(copies.as_ptr().cast::<u8>(), bytes) };
        self.gpu.put(list, data).map_err(broken)?;
        self.gpu.launch(&launch).map_err(broken)
    }

    /// Boxes of at most [`CHUNK`] bytes, or of one row, that make up a region.
    fn chunks(region: &IndexBox, size: i64) -> Vec<IndexBox> {
        let Some(first) = region.dims.first().copied().filter(|_| !region.is_empty()) else {
            return vec![region.clone()];
        };
        let row = (region.len() / first.len() * size).max(1);
        let rows = (CHUNK / row).max(1);
        let mut out = vec![];
        let mut lo = first.lo;
        while lo < first.hi {
            let hi = (lo + rows).min(first.hi);
            let mut b = region.clone();
            b.dims[0] = Interval::new(lo, hi);
            out.push(b);
            lo = hi;
        }
        out
    }
}

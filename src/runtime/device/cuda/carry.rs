//! Regions between places of one device: lists of strided copies that one kernel runs.

use super::driver::{Call, Function, Gpu, Launch, Result};
use crate::ir::ty::Value;
use crate::runtime::copy::{BoxCopy, MOST_DIMENSIONS};

/// `mg_copy` of the prelude.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct DeviceCopy {
    from: u64,
    to: u64,
    constant: u64,
    total: i64,
    count: [u32; 6],
    from_step: [i64; 6],
    to_step: [i64; 6],
    size: u32,
    negate: u32,
    from_list: u64,
    to_list: u64,
}

/// The copies that a copy of a schedule needs on a device: one, or several where a dimension is very long.
pub fn device_copy(
    copy: &BoxCopy,
    from: u64,
    to: u64,
    constant: Option<Value>,
) -> std::result::Result<DeviceCopy, String> {
    let n = copy.numbers();
    if n.dims.len() > MOST_DIMENSIONS {
        return Err("a region has more than six dimensions".into());
    }
    let mut c = DeviceCopy {
        from: if constant.is_some() { 0 } else { from.wrapping_add(n.src as u64) },
        to: to.wrapping_add(n.dst as u64),
        constant: constant.map_or(0, |v| v.bits),
        total: n.dims.iter().map(|d| d.0 as i64).product(),
        count: [1; 6],
        size: n.size as u32,
        negate: match n.negate {
            Some(ty) if ty.is_float() => 1,
            Some(ty) if ty.is_int() => 2,
            _ => 0,
        },
        ..DeviceCopy::default()
    };
    for (k, (count, src, dst)) in n.dims.iter().enumerate() {
        c.count[k] =
            u32::try_from(*count).map_err(|_| "a region has a dimension of more than 2^32 elements".to_string())?;
        (c.from_step[k], c.to_step[k]) = (*src as i64, *dst as i64);
    }
    c.widen(n.dims.len());
    Ok(c)
}

/// So many single elements: the numbers of those behind an address, and of their places behind another, lie at `lists`; 0: they stand one
/// after the other.
pub fn listed((from, to): (u64, u64), lists: (u64, u64), count: usize, size: usize) -> DeviceCopy {
    let (from_list, to_list) = lists;
    DeviceCopy {
        from,
        to,
        total: count as i64,
        count: [1; 6],
        size: size as u32,
        from_list,
        to_list,
        ..DeviceCopy::default()
    }
}

/// So many bytes, a multiple of 16, from one address to another.
pub fn plain(from: u64, to: u64, bytes: usize) -> DeviceCopy {
    let count = (bytes / 16) as u32;
    let mut c = DeviceCopy { from, to, total: i64::from(count), count: [1; 6], size: 16, ..DeviceCopy::default() };
    (c.count[0], c.from_step[0], c.to_step[0]) = (count, 16, 16);
    c
}

impl DeviceCopy {
    /// Elements, or vectors of them, that threads move one by one.
    pub fn elements(&self) -> i64 {
        self.total
    }

    /// Moves 16 bytes at a time where both sides allow it.
    fn widen(&mut self, dims: usize) {
        let (Some(last), per) = (dims.checked_sub(1), 16 / self.size.max(1)) else { return };
        let size = i64::from(self.size);
        let others = (0..last).all(|d| self.from_step[d] % 16 == 0 && self.to_step[d] % 16 == 0);
        if self.from == 0
            || self.negate != 0
            || !matches!(self.size, 2 | 4 | 8)
            || !(self.from | self.to).is_multiple_of(16)
            || !others
            || (self.from_step[last], self.to_step[last]) != (size, size)
            || !self.count[last].is_multiple_of(per)
        {
            return;
        }
        self.count[last] /= per;
        self.total /= i64::from(per);
        (self.from_step[last], self.to_step[last], self.size) = (16, 16, 16);
    }
}

pub fn bytes_of<T: Copy>(items: &[T]) -> &[u8] {
    // SAFETY: plain numbers without gaps that matter; the device reads the same layout.
    unsafe { std::slice::from_raw_parts(items.as_ptr().cast(), std::mem::size_of_val(items)) }
}

/// Puts a list into device memory for good.
pub fn keep<T: Copy>(gpu: &mut Gpu, items: &[T]) -> Result<u64> {
    let bytes = bytes_of(items);
    let at = gpu.list(bytes.len())?;
    gpu.put(at, bytes)?;
    Ok(at)
}

/// A structure of whole words as the end of a kernel's arguments.
pub fn words<T: Copy>(value: &T) -> Vec<u64> {
    bytes_of(std::slice::from_ref(value))
        .chunks_exact(8)
        .map(|b| u64::from_ne_bytes(b.try_into().unwrap_or_default()))
        .collect()
}

/// The launch that runs a list of copies.
pub fn launch(f: Function, list: u64, copies: &[DeviceCopy]) -> Launch {
    let most = copies.iter().map(|c| c.total).max().unwrap_or(1).max(1);
    let blocks = ((most + 255) / 256).min(1024) as u32;
    Launch { call: Call::Kernel(f), grid: (blocks, copies.len() as u32, 1), block: (256, 1), words: vec![list] }
}

//! Storage of arrays and views: zeroed, aligned, on huge pages where they pay.

use std::alloc::{Layout, alloc, dealloc};

/// Blocks from this size on lie on 2 MiB pages if the system gives them.
const HUGE: usize = 4 << 20;

/// Bytes that this machine can still give: the kernel's estimate (`MemAvailable` of proc(5)), or what the control group of
/// this process has left, if that is less. `None` where the system does not say.
pub fn free() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let machine = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024;
    Some(machine.min(group_left().unwrap_or(u64::MAX)))
}

/// What is left of the limit of this process's control group (version 2, as containers see it); cached files count as free.
fn group_left() -> Option<u64> {
    let number = |name: &str| {
        let text = std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let (most, used) = (number("memory.max")?, number("memory.current")?);
    let stat = std::fs::read_to_string("/sys/fs/cgroup/memory.stat").ok()?;
    let cached = stat.lines().find_map(|l| l.strip_prefix("inactive_file ")?.parse::<u64>().ok()).unwrap_or(0);
    Some(most.saturating_sub(used.saturating_sub(cached)))
}

/// Bytes a second that this thread copies in memory, read and written: the best of a few copies of 32 MiB.
pub fn copy_bandwidth() -> f64 {
    const BYTES: usize = 32 << 20;
    let (from, mut to) = (vec![1u8; BYTES], vec![0u8; BYTES]);
    let best = (0..5).map(|_| {
        let clock = std::time::Instant::now();
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(&mut to);
        clock.elapsed().as_secs_f64()
    });
    2.0 * BYTES as f64 / best.fold(f64::INFINITY, f64::min).max(1e-9)
}

/// A zeroed block of bytes.
pub struct Buffer {
    ptr: *mut u8,
    layout: Layout,
}

// The block is plain memory; who may touch it when is the plan's business.
unsafe impl Send for Buffer {}

impl Buffer {
    /// A block of `bytes` zero bytes, or `None` when the system has no more.
    pub fn new(bytes: usize) -> Option<Buffer> {
        let align = if bytes >= HUGE { 2 << 20 } else { 128 };
        let layout = Layout::from_size_align(bytes.max(1), align).ok()?;
        // SAFETY: the layout has a size of at least 1.
        let ptr = unsafe { alloc(layout) };
        if ptr.is_null() {
            return None;
        }
        if bytes >= HUGE {
            // Before anything is written: pages that are there keep their size.
            // SAFETY: the range was just allocated; the call is advice only.
            unsafe { libc::madvise(ptr.cast(), bytes, libc::MADV_HUGEPAGE) };
        }
        // SAFETY: the whole block.
        unsafe { ptr.write_bytes(0, layout.size()) };
        Some(Buffer { ptr, layout })
    }

    /// The address of the first byte.
    pub fn ptr(&self) -> *mut u8 {
        self.ptr
    }

    /// Bytes of the block.
    pub fn len(&self) -> usize {
        self.layout.size()
    }

    /// Whether the block is empty (it never is: the least size is 1).
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { dealloc(self.ptr, self.layout) }
    }
}

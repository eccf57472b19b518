//! Messages that are packed first: memory on the device and on the host, and the three ways from there to a peer. What goes through the
//! host's memory goes in pieces, of which one is on its way to the host while the one before travels and those before it go to the device.

use super::Transport;
use super::nccl::Nccl;
use crate::runtime::comm::Comm;
use crate::runtime::device::cuda::device::broken;
use crate::runtime::device::cuda::driver::{CudaError, Event, Gpu};
use crate::runtime::failure::Failure;

/// Memory of one message: packed on the device, and page-locked on the host where it is staged.
#[derive(Clone, Copy, Debug)]
pub struct Staged {
    pub peer: i64,
    pub bytes: usize,
    pub device: u64,
    pub host: *mut u8,
}

impl Staged {
    /// Piece number `k` of the message, of so many bytes or what is left.
    fn piece(&self, k: usize, bytes: usize) -> Option<Staged> {
        let from = k * bytes;
        let left = self.bytes.checked_sub(from).filter(|n| *n > 0)?;
        // `wrapping_add`: what has no host memory is never touched there.
        let (device, host) = (self.device + from as u64, self.host.wrapping_add(from));
        Some(Staged { peer: self.peer, bytes: left.min(bytes), device, host })
    }
}

/// Bytes of a piece that is staged; `MGPU_PIECE`, the same for all ranks, for tests.
fn piece() -> usize {
    let asked = std::env::var("MGPU_PIECE").ok().and_then(|v| v.parse().ok());
    asked.filter(|n| *n > 0).unwrap_or(1 << 20)
}

/// Carries packed messages with one transport. Those that need the host wait for the stream; afterwards, what arrived lies in device
/// memory, in the order of the stream.
pub fn carry(
    transport: Transport,
    (sends, receives): (&[Staged], &[Staged]),
    gpu: &Gpu,
    nccl: Option<&Nccl>,
    comm: &mut dyn Comm,
) -> Result<(), Failure> {
    let lost = |e: String| Failure::Lost(e);
    let on_device = |all: &[Staged]| -> Vec<_> { all.iter().map(|m| (m.peer, m.device, m.bytes)).collect() };
    match transport {
        Transport::Peer => Err(Failure::Internal("a message to a peer was packed".into())),
        Transport::Nccl => {
            let nccl = nccl.ok_or_else(|| Failure::Internal("no communicator of NCCL".into()))?;
            // SAFETY: the staging memory lives as long as the device, and the stream orders its uses.
            unsafe { nccl.carry(&on_device(sends), &on_device(receives), gpu.stream()) }.map_err(lost)
        }
        Transport::GpuAware => {
            gpu.wait().map_err(broken)?;
            // SAFETY: the library says that it takes device addresses; the call ends when all messages have arrived.
            unsafe { comm.carry(&on_device(sends), &on_device(receives)) }?;
            Ok(())
        }
        Transport::Staged => {
            let piece = piece();
            let of =
                |all: &[Staged], k: usize| -> Vec<Staged> { all.iter().filter_map(|m| m.piece(k, piece)).collect() };
            let download = |k: usize| -> Result<Event, CudaError> {
                for m in of(sends, k) {
                    // SAFETY: both blocks have the bytes of the message.
                    unsafe { gpu.download(m.host, m.device, m.bytes) }?;
                }
                gpu.mark()
            };
            let pieces = sends.iter().chain(receives).map(|m| m.bytes.div_ceil(piece)).max().unwrap_or(0);
            let mut next = download(0).map_err(broken)?;
            for k in 0..pieces {
                let ready = std::mem::replace(&mut next, download(k + 1).map_err(broken)?);
                ready.wait().map_err(broken)?;
                let (sends, receives) = (of(sends, k), of(receives, k));
                through_host(&sends, &receives, comm)?;
                for m in &receives {
                    // SAFETY: as above; the host's memory is written again only after a wait for what is queued behind this.
                    unsafe { gpu.upload(m.device, m.host, m.bytes) }.map_err(broken)?;
                }
            }
            Ok(())
        }
    }
}

/// Carries what lies in page-locked memory; ends when all of it has arrived.
fn through_host(sends: &[Staged], receives: &[Staged], comm: &mut dyn Comm) -> Result<(), Failure> {
    let on_host = |all: &[Staged]| -> Vec<_> { all.iter().map(|m| (m.peer, m.host as u64, m.bytes)).collect() };
    // SAFETY: page-locked memory of these sizes; the call ends when all messages have arrived.
    if unsafe { comm.carry(&on_host(sends), &on_host(receives)) }? {
        return Ok(());
    }
    for m in sends {
        let mut buffer = comm.buffer(m.bytes);
        // SAFETY: the staging memory holds the message.
        buffer.copy_from_slice(unsafe { std::slice::from_raw_parts(m.host, m.bytes) });
        comm.send(m.peer, buffer)?;
    }
    for m in receives {
        let buffer = comm.receive(m.peer, m.bytes)?;
        // SAFETY: the staging memory has the bytes of the message, and its last use is over.
        unsafe { std::ptr::copy_nonoverlapping(buffer.as_ptr(), m.host, m.bytes.min(buffer.len())) };
        comm.recycle(m.peer, buffer);
    }
    Ok(())
}

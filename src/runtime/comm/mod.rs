//! Messages between ranks. One trait; ranks are threads of one process or MPI processes.

#[cfg(feature = "mpi")]
pub mod mpi;
#[cfg_attr(not(feature = "mpi"), allow(dead_code))]
mod pieces;
pub mod threads;

/// Why communication ended: another rank is gone. The text names what was waited for.
#[derive(Clone, Debug)]
pub struct Lost(pub String);

/// What the interpreter asks of its peers. All ranks call the collectives in the same order.
pub trait Comm {
    fn rank(&self) -> i64;
    fn size(&self) -> i64;

    /// A buffer of `bytes` bytes to fill for [`Comm::send`]; its contents are unspecified.
    fn buffer(&mut self, bytes: usize) -> Vec<u8>;

    /// Sends without waiting. Messages between two ranks arrive in the order in which they were sent.
    fn send(&mut self, to: i64, message: Vec<u8>) -> Result<(), Lost>;

    /// The next message from a rank, of `bytes` bytes.
    fn receive(&mut self, from: i64, bytes: usize) -> Result<Vec<u8>, Lost>;

    /// Gives back a received buffer for reuse.
    fn recycle(&mut self, from: i64, buffer: Vec<u8>);

    /// Every rank's contribution, in rank order. Contributions may differ in length.
    fn all_gather(&mut self, mine: &[u8]) -> Result<Vec<Vec<u8>>, Lost>;

    /// Ends all ranks with this exit code, now.
    fn abort(&self, code: i32) -> !;
}

//! Messages between ranks. One trait; ranks are threads of one process or MPI processes.

#[cfg(feature = "mpi")]
pub mod mpi;
#[cfg_attr(not(feature = "mpi"), allow(dead_code))]
mod pieces;
pub mod threads;

/// Why communication ended: another rank is gone. The text names what was waited for.
#[derive(Clone, Debug)]
pub struct Lost(pub String);

/// Every rank's contribution to an all-gather, in rank order. Contributions may differ in length. The memory is reused.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    bytes: Vec<u8>,
    /// Where each contribution ends.
    ends: Vec<usize>,
}

impl Gathered {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn push(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(part);
        self.ends.push(self.bytes.len());
    }

    /// How many ranks contributed.
    pub fn ranks(&self) -> usize {
        self.ends.len()
    }

    /// What a rank contributed.
    pub fn part(&self, rank: usize) -> &[u8] {
        let start = if rank == 0 { 0 } else { self.ends[rank - 1] };
        &self.bytes[start..self.ends[rank]]
    }

    /// All contributions.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ranks()).map(|r| self.part(r))
    }
}

/// What the interpreter asks of its peers. All ranks call the collectives in the same order.
pub trait Comm {
    fn rank(&self) -> i64;
    fn size(&self) -> i64;

    /// A buffer of `bytes` bytes to fill for [`Comm::send`]; its contents are unspecified.
    fn buffer(&mut self, bytes: usize) -> Vec<u8>;

    /// The ranks that run on this machine, in order. A collective.
    fn here(&mut self) -> Result<Vec<i64>, Lost> {
        Ok((0..self.size()).collect())
    }

    /// Sends without waiting. Messages between two ranks arrive in the order in which they were sent.
    fn send(&mut self, to: i64, message: Vec<u8>) -> Result<(), Lost>;

    /// The next message from a rank, of `bytes` bytes.
    fn receive(&mut self, from: i64, bytes: usize) -> Result<Vec<u8>, Lost>;

    /// Waits until no message of this rank needs it any more. For ranks that go on to wait by other means for what others do once they
    /// have these messages: a library may move long ones only while it is called.
    fn complete(&mut self) {}

    /// Gives back a received buffer for reuse.
    fn recycle(&mut self, from: i64, buffer: Vec<u8>);

    /// Gives every rank every rank's contribution.
    fn all_gather(&mut self, mine: &[u8], all: &mut Gathered) -> Result<(), Lost>;

    /// The same into new memory.
    fn gathered(&mut self, mine: &[u8]) -> Result<Gathered, Lost> {
        let mut all = Gathered::default();
        self.all_gather(mine, &mut all)?;
        Ok(all)
    }

    /// Whether [`Comm::carry`] takes addresses of device memory: the library says so.
    fn takes_device_memory(&self) -> Result<(), String> {
        Err("ranks are threads of one process: there is no MPI library".into())
    }

    /// Sends and receives messages that lie at these addresses (peer, address, bytes), and waits for all of them. Where ranks have
    /// no such means, nothing is sent and the answer is false.
    ///
    /// # Safety
    /// The addresses hold so many bytes; addresses of device memory only where the library takes them.
    unsafe fn carry(&mut self, _: &[(i64, u64, usize)], _: &[(i64, u64, usize)]) -> Result<bool, Lost> {
        Ok(false)
    }

    /// Ends all ranks with this exit code, now.
    fn abort(&self, code: i32) -> !;
}

/// Takes the smallest spare buffer that holds `bytes` bytes, sized to them.
fn reuse(spare: &mut Vec<Vec<u8>>, bytes: usize) -> Option<Vec<u8>> {
    let fits = spare.iter().enumerate().filter(|(_, b)| b.capacity() >= bytes);
    let (k, _) = fits.min_by_key(|(_, b)| b.capacity())?;
    let mut b = spare.swap_remove(k);
    b.resize(bytes, 0);
    Some(b)
}

/// What this machine is called.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_string()
}

/// Keeps a buffer for reuse, `most` of them; the smallest goes.
fn keep(spare: &mut Vec<Vec<u8>>, buffer: Vec<u8>, most: usize) {
    spare.push(buffer);
    if spare.len() > most
        && let Some((k, _)) = spare.iter().enumerate().min_by_key(|(_, b)| b.capacity())
    {
        spare.swap_remove(k);
    }
}

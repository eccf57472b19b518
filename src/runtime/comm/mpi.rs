//! Ranks as MPI processes. The only file that knows MPI.
//!
//! Point-to-point messages follow MPI 4.0 section 3.7 (nonblocking sends, kept until complete) and section 3.5 (messages of
//! one pair with one tag do not overtake). Collectives are `MPI_Allgather` and `MPI_Allgatherv` (section 6.7). Ranks of one machine are those
//! that could share memory (`MPI_Comm_split_type`, section 7.4.2), whatever the machines are called.

use super::pieces::{limit, pieces, rounds};
use super::{Comm, Gathered, Lost};
use mpi::environment::Universe;
use mpi::ffi;
use mpi::traits::{AsRaw, Communicator, CommunicatorCollectives};
use std::collections::VecDeque;

/// Bytes of a contribution that travel with its length in one collective.
const FRAME: usize = 1024;
const TAG: i32 = 17;
/// Emptied buffers that are kept.
const MOST_SPARE: usize = 64;

/// This process as one rank.
pub struct MpiComm {
    comm: ffi::MPI_Comm,
    rank: i64,
    size: i64,
    /// Bytes of one call; longer messages travel in pieces.
    limit: usize,
    flying: VecDeque<(Vec<ffi::MPI_Request>, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
    /// Lists of requests that are free again.
    requests: Vec<Vec<ffi::MPI_Request>>,
    /// What a collective brings, before it is taken apart.
    frames: Vec<u8>,
    /// Finalises MPI when it goes.
    universe: Universe,
}

impl MpiComm {
    /// Starts MPI. A rank that panics from here on ends the whole job: unwinding into `MPI_Finalize` would hang it.
    pub fn start() -> Result<MpiComm, String> {
        let Some((universe, _)) = mpi::initialize_with_threading(mpi::Threading::Funneled) else {
            return Err("MPI is already initialised".into());
        };
        let world = universe.world();
        let (rank, size) = (i64::from(world.rank()), i64::from(world.size()));
        let comm = world.as_raw();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            before(info);
            abort(crate::runtime::failure::exit::INTERNAL.into())
        }));
        Ok(MpiComm {
            comm,
            rank,
            size,
            limit: limit(),
            flying: VecDeque::new(),
            spare: vec![],
            requests: vec![],
            frames: vec![],
            universe,
        })
    }

    /// The library's name and version.
    pub fn library() -> String {
        let text = mpi::environment::library_version().unwrap_or_default();
        text.lines().next().unwrap_or("").trim_end_matches('\0').to_string()
    }

    /// Ends all processes of the job with this exit code; for threads other than the rank's own.
    pub fn end(code: i32) {
        abort(code)
    }

    /// Takes back the buffers of sends that are complete; with `all`, waits for every one.
    fn settle(&mut self, all: bool) {
        while let Some((requests, _)) = self.flying.front_mut() {
            let mut done = 1;
            for r in requests.iter_mut() {
                let mut flag = 0;
                // SAFETY: the request belongs to a send of this rank; a completed one becomes the null request.
                unsafe {
                    if all {
                        ffi::MPI_Wait(r, ffi::RSMPI_STATUS_IGNORE);
                    } else {
                        ffi::MPI_Test(r, &mut flag, ffi::RSMPI_STATUS_IGNORE);
                        done &= flag;
                    }
                }
            }
            if done == 0 {
                return;
            }
            if let Some((mut requests, buffer)) = self.flying.pop_front() {
                requests.clear();
                self.requests.push(requests);
                super::keep(&mut self.spare, buffer, MOST_SPARE);
            }
        }
    }
}

/// Ends all processes of the job.
fn abort(code: i32) -> ! {
    // SAFETY: may be called at any time between initialisation and finalisation; ends the process.
    unsafe {
        let (mut up, mut down) = (0, 0);
        ffi::MPI_Initialized(&mut up);
        ffi::MPI_Finalized(&mut down);
        if up != 0 && down == 0 {
            ffi::MPI_Abort(ffi::RSMPI_COMM_WORLD, code);
        }
    }
    std::process::exit(code)
}

impl Comm for MpiComm {
    fn rank(&self) -> i64 {
        self.rank
    }

    fn here(&mut self) -> Result<Vec<i64>, Lost> {
        let machine = self.universe.world().split_shared(self.rank as i32);
        let mut out = vec![0i64; machine.size() as usize];
        machine.all_gather_into(&self.rank, &mut out[..]);
        Ok(out)
    }

    fn size(&self) -> i64 {
        self.size
    }

    fn buffer(&mut self, bytes: usize) -> Vec<u8> {
        self.settle(false);
        super::reuse(&mut self.spare, bytes).unwrap_or_else(|| vec![0; bytes])
    }

    fn send(&mut self, to: i64, message: Vec<u8>) -> Result<(), Lost> {
        let mut requests = self.requests.pop().unwrap_or_default();
        for chunk in pieces(message.len(), self.limit).map(|p| &message[p]) {
            // SAFETY: the buffer lives in `flying` until the request completes; `Vec` contents do not move with it.
            unsafe {
                let mut r = ffi::RSMPI_REQUEST_NULL;
                ffi::MPI_Isend(
                    chunk.as_ptr().cast(),
                    chunk.len() as i32,
                    ffi::RSMPI_UINT8_T,
                    to as i32,
                    TAG,
                    self.comm,
                    &mut r,
                );
                requests.push(r);
            }
        }
        self.flying.push_back((requests, message));
        Ok(())
    }

    fn receive(&mut self, from: i64, bytes: usize) -> Result<Vec<u8>, Lost> {
        let mut out = self.buffer(bytes);
        for piece in pieces(bytes, self.limit) {
            let chunk = &mut out[piece];
            // SAFETY: the chunk is writable for its length; a longer message would be an MPI error, which ends the job.
            unsafe {
                ffi::MPI_Recv(
                    chunk.as_mut_ptr().cast(),
                    chunk.len() as i32,
                    ffi::RSMPI_UINT8_T,
                    from as i32,
                    TAG,
                    self.comm,
                    ffi::RSMPI_STATUS_IGNORE,
                );
            }
        }
        Ok(out)
    }

    fn complete(&mut self) {
        self.settle(true);
    }

    fn recycle(&mut self, _from: i64, buffer: Vec<u8>) {
        super::keep(&mut self.spare, buffer, MOST_SPARE);
    }

    fn all_gather(&mut self, mine: &[u8], gathered: &mut Gathered) -> Result<(), Lost> {
        let n = self.size as usize;
        let mut frame = [0u8; FRAME];
        frame[..8].copy_from_slice(&(mine.len() as u64).to_le_bytes());
        let short = mine.len().min(FRAME - 8);
        frame[8..8 + short].copy_from_slice(&mine[..short]);
        self.frames.resize(FRAME * n, 0);
        // SAFETY: `frames` holds one frame of each rank.
        unsafe {
            ffi::MPI_Allgather(
                frame.as_ptr().cast(),
                FRAME as i32,
                ffi::RSMPI_UINT8_T,
                self.frames.as_mut_ptr().cast(),
                FRAME as i32,
                ffi::RSMPI_UINT8_T,
                self.comm,
            );
        }
        let length = |f: &[u8]| f[..8].try_into().map_or(0, u64::from_le_bytes) as usize;
        gathered.clear();
        if self.frames.chunks(FRAME).all(|f| length(f) <= FRAME - 8) {
            self.frames.chunks(FRAME).for_each(|f| gathered.push(&f[8..8 + length(f)]));
            return Ok(());
        }
        let lengths: Vec<usize> = self.frames.chunks(FRAME).map(length).collect();
        // Long contributions: rounds of what 32-bit counts can carry together.
        let mut out: Vec<Vec<u8>> = lengths.iter().map(|&l| Vec::with_capacity(l)).collect();
        for round in rounds(&lengths, self.limit) {
            let mut all = vec![0u8; round.bytes()];
            // SAFETY: counts and displacements describe `all`; the own part lies in `mine`.
            unsafe {
                let from = mine.as_ptr().wrapping_add(round.at.min(mine.len()));
                ffi::MPI_Allgatherv(
                    from.cast(),
                    round.counts[self.rank as usize],
                    ffi::RSMPI_UINT8_T,
                    all.as_mut_ptr().cast(),
                    round.counts.as_ptr(),
                    round.starts.as_ptr(),
                    ffi::RSMPI_UINT8_T,
                    self.comm,
                );
            }
            for (r, o) in out.iter_mut().enumerate() {
                o.extend_from_slice(&all[round.range(r)]);
            }
        }
        out.iter().for_each(|o| gathered.push(o));
        Ok(())
    }

    fn takes_device_memory(&self) -> Result<(), String> {
        let library = MpiComm::library();
        // Open MPI and MPICH export one of these where they know of CUDA at all.
        for (name, kind) in [(c"MPIX_Query_cuda_support", None), (c"MPIX_GPU_query_support", Some(0))] {
            // SAFETY: looks a symbol up in what is loaded.
            let at = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
            if at.is_null() {
                continue;
            }
            let mut yes = 0;
            match kind {
                None => {
                    // SAFETY: int MPIX_Query_cuda_support(void).
                    let query: unsafe extern "C" fn() -> i32 = unsafe { std::mem::transmute(at) };
                    // SAFETY: as above.
                    yes = unsafe { query() };
                }
                Some(cuda) => {
                    // SAFETY: int MPIX_GPU_query_support(int kind, int *supported).
                    let query: unsafe extern "C" fn(i32, *mut i32) -> i32 = unsafe { std::mem::transmute(at) };
                    // SAFETY: as above.
                    unsafe { query(cuda, &mut yes) };
                }
            }
            return if yes != 0 { Ok(()) } else { Err(format!("{library} says that it was built without CUDA")) };
        }
        Err(format!("{library} does not say that it takes device addresses"))
    }

    unsafe fn carry(&mut self, sends: &[(i64, u64, usize)], receives: &[(i64, u64, usize)]) -> Result<bool, Lost> {
        let mut requests = vec![];
        for (all, sending) in [(receives, false), (sends, true)] {
            for (peer, at, bytes) in all {
                for p in pieces(*bytes, self.limit) {
                    let (address, count) = ((*at as usize + p.start) as *mut std::ffi::c_void, p.len() as i32);
                    // SAFETY: the caller's promise; all requests are waited for below.
                    let r = unsafe {
                        let mut r = ffi::RSMPI_REQUEST_NULL;
                        if sending {
                            ffi::MPI_Isend(address, count, ffi::RSMPI_UINT8_T, *peer as i32, TAG, self.comm, &mut r);
                        } else {
                            ffi::MPI_Irecv(address, count, ffi::RSMPI_UINT8_T, *peer as i32, TAG, self.comm, &mut r);
                        }
                        r
                    };
                    requests.push(r);
                }
            }
        }
        for r in &mut requests {
            // SAFETY: a request of this function.
            unsafe { ffi::MPI_Wait(r, ffi::RSMPI_STATUS_IGNORE) };
        }
        Ok(true)
    }

    fn abort(&self, code: i32) -> ! {
        abort(code)
    }
}

impl Drop for MpiComm {
    fn drop(&mut self) {
        self.settle(true);
    }
}

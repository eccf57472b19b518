//! NCCL, opened when the program runs: cudarc does not know its name (`libnccl.so.2`), and machines without it need none.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

use libloading::Library;

/// `ncclUniqueId`: names a communicator to all of its ranks.
pub type Id = [u8; 128];

type Comm = *mut c_void;

/// The functions used, with the signatures of NCCL 2 (nccl.h).
struct Calls {
    _library: Library,
    version: unsafe extern "C" fn(*mut c_int) -> c_int,
    id: unsafe extern "C" fn(*mut Id) -> c_int,
    init: unsafe extern "C" fn(*mut Comm, c_int, UniqueId, c_int) -> c_int,
    destroy: unsafe extern "C" fn(Comm) -> c_int,
    send: unsafe extern "C" fn(*const c_void, usize, c_int, c_int, Comm, *mut c_void) -> c_int,
    receive: unsafe extern "C" fn(*mut c_void, usize, c_int, c_int, Comm, *mut c_void) -> c_int,
    start: unsafe extern "C" fn() -> c_int,
    end: unsafe extern "C" fn() -> c_int,
    text: unsafe extern "C" fn(c_int) -> *const c_char,
}

/// By value, as C passes the structure.
#[repr(C)]
struct UniqueId(Id);

/// `ncclUint8`
const BYTES: c_int = 1;

fn calls() -> Result<&'static Calls, String> {
    static CALLS: OnceLock<Result<Calls, String>> = OnceLock::new();
    let load = || {
        // SAFETY: loads a library of NVIDIA's for good.
        let library =
            unsafe { Library::new("libnccl.so.2") }.map_err(|_| "no libnccl.so.2 on this machine".to_string())?;
        macro_rules! symbol {
            ($name:literal) => {
                // SAFETY: the type is that of nccl.h.
                *unsafe { library.get($name) }.map_err(|e| format!("libnccl.so.2: {e}"))?
            };
        }
        Ok(Calls {
            version: symbol!(b"ncclGetVersion\0"),
            id: symbol!(b"ncclGetUniqueId\0"),
            init: symbol!(b"ncclCommInitRank\0"),
            destroy: symbol!(b"ncclCommDestroy\0"),
            send: symbol!(b"ncclSend\0"),
            receive: symbol!(b"ncclRecv\0"),
            start: symbol!(b"ncclGroupStart\0"),
            end: symbol!(b"ncclGroupEnd\0"),
            text: symbol!(b"ncclGetErrorString\0"),
            _library: library,
        })
    };
    CALLS.get_or_init(load).as_ref().map_err(|e| e.clone())
}

/// The version, such as 2.28.3.
pub fn version() -> Result<String, String> {
    let mut v = 0;
    // SAFETY: writes a number.
    check(unsafe { (calls()?.version)(&mut v) }, "ncclGetVersion")?;
    Ok(format!("{}.{}.{}", v / 10000, v / 100 % 100, v % 100))
}

/// A name for a new communicator.
pub fn id() -> Result<Id, String> {
    let mut id = [0; 128];
    // SAFETY: writes the name.
    check(unsafe { (calls()?.id)(&mut id) }, "ncclGetUniqueId")?;
    Ok(id)
}

fn check(code: c_int, call: &str) -> Result<(), String> {
    if code == 0 {
        return Ok(());
    }
    let text = calls()?.text;
    // SAFETY: the text is a static string.
    let why = unsafe { CStr::from_ptr(text(code)) }.to_string_lossy().into_owned();
    Err(format!("{call}: {why}"))
}

/// One rank's end of a communicator of all ranks, each on a GPU of its own.
pub struct Nccl {
    calls: &'static Calls,
    comm: Comm,
}

impl Nccl {
    /// Joins; every rank calls this with the same name, its device current.
    pub fn join(id: &Id, rank: i64, size: i64) -> Result<Nccl, String> {
        let (calls, mut comm) = (calls()?, std::ptr::null_mut());
        // SAFETY: the name comes from `id`.
        check(unsafe { (calls.init)(&mut comm, size as c_int, UniqueId(*id), rank as c_int) }, "ncclCommInitRank")?;
        Ok(Nccl { calls, comm })
    }

    /// Queues messages in a stream: peer, device address, bytes.
    ///
    /// # Safety
    /// Each address holds so many bytes until the stream has come that far.
    pub unsafe fn carry(
        &self,
        sends: &[(i64, u64, usize)],
        receives: &[(i64, u64, usize)],
        stream: *mut c_void,
    ) -> Result<(), String> {
        // SAFETY: the caller's promise.
        unsafe {
            check((self.calls.start)(), "ncclGroupStart")?;
            let sent = sends.iter().try_for_each(|(peer, at, bytes)| {
                check(
                    (self.calls.send)(*at as *const c_void, *bytes, BYTES, *peer as c_int, self.comm, stream),
                    "ncclSend",
                )
            });
            let received = receives.iter().try_for_each(|(peer, at, bytes)| {
                check(
                    (self.calls.receive)(*at as *mut c_void, *bytes, BYTES, *peer as c_int, self.comm, stream),
                    "ncclRecv",
                )
            });
            check((self.calls.end)(), "ncclGroupEnd")?;
            sent.and(received)
        }
    }
}

impl Drop for Nccl {
    fn drop(&mut self) {
        // SAFETY: the communicator is this rank's own, and its stream has been waited for.
        unsafe { (self.calls.destroy)(self.comm) };
    }
}

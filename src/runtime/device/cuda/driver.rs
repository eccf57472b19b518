//! The CUDA driver: every call that mgpu makes, with errors as text. Nothing here runs before [`present`] says that the
//! library exists, because cudarc panics where it does not.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_void};
use std::sync::{Mutex, OnceLock};

use cudarc::driver::sys::{self, CUresult};

use super::blas::{Blas, Product};

/// A call that failed: its name and what the driver says. Most such errors leave the device unusable for this process.
#[derive(Clone, Debug)]
pub struct CudaError {
    pub code: CUresult,
    pub what: String,
}

impl std::fmt::Display for CudaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

pub type Result<T> = std::result::Result<T, CudaError>;

pub(super) fn check(code: CUresult, call: &str) -> Result<()> {
    if code == CUresult::CUDA_SUCCESS {
        return Ok(());
    }
    let mut text = std::ptr::null();
    // SAFETY: writes the address of a static string.
    let known = unsafe { sys::cuGetErrorString(code, &mut text) } == CUresult::CUDA_SUCCESS && !text.is_null();
    // SAFETY: the driver's strings end with a zero byte.
    let why = if known { unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned() } else { format!("{code:?}") };
    Err(CudaError { code, what: format!("{call}: {why}") })
}

macro_rules! call {
    ($name:ident($($arg:expr),* $(,)?)) => {{
        // SAFETY: the arguments are what this function of the driver asks for; see the caller.
        check(unsafe { sys::$name($($arg),*) }, stringify!($name))
    }};
}
pub(super) use call;

/// Whether there is a CUDA driver; the first call initialises it.
pub fn present() -> std::result::Result<(), String> {
    static STATE: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    STATE
        .get_or_init(|| {
            // SAFETY: opens the library, nothing else.
            if !unsafe { sys::is_culib_present() } {
                return Err("no CUDA driver (libcuda.so.1) on this machine".into());
            }
            if std::env::var_os("CUDA_MODULE_LOADING").is_none() {
                // Loading a kernel late would wait for kernels that wait for other ranks.
                // SAFETY: the first call comes before ranks are threads.
                unsafe { std::env::set_var("CUDA_MODULE_LOADING", "EAGER") };
            }
            call!(cuInit(0)).map_err(|e| e.to_string())
        })
        .clone()
}

/// What is known of a GPU without using it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct GpuInfo {
    /// Its number among the devices that this process sees.
    pub ordinal: i32,
    pub name: String,
    /// Compute capability, such as 9.0.
    pub capability: (i32, i32),
    pub memory: u64,
    pub multiprocessors: i32,
    pub bus: String,
}

impl std::fmt::Display for GpuInfo {
    /// Its name, architecture, memory and address.
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let ((a, b), memory) = (self.capability, self.memory >> 30);
        write!(f, "{} (sm_{a}{b}, {memory} GiB, {})", self.name, self.bus)
    }
}

/// The version of the driver's CUDA, as 13000 for 13.0; 0 without a driver.
pub fn version() -> i32 {
    let mut v = 0;
    // SAFETY: opens the library, nothing else.
    if !unsafe { sys::is_culib_present() } {
        return v;
    }
    call!(cuDriverGetVersion(&mut v)).map_or(0, |()| v)
}

/// The devices that this process sees (`CUDA_VISIBLE_DEVICES` counts).
pub fn gpus() -> std::result::Result<Vec<GpuInfo>, String> {
    present()?;
    let list = || -> Result<Vec<GpuInfo>> {
        let mut n = 0;
        call!(cuDeviceGetCount(&mut n))?;
        (0..n).map(info).collect()
    };
    list().map_err(|e| e.to_string())
}

fn info(ordinal: i32) -> Result<GpuInfo> {
    use sys::CUdevice_attribute_enum as A;
    let mut dev = 0;
    call!(cuDeviceGet(&mut dev, ordinal))?;
    let mut text = [0 as std::ffi::c_char; 128];
    call!(cuDeviceGetName(text.as_mut_ptr(), 128, dev))?;
    // SAFETY: the driver ends the name with a zero byte.
    let name = unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned();
    call!(cuDeviceGetPCIBusId(text.as_mut_ptr(), 128, dev))?;
    // SAFETY: as above.
    let bus = unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned();
    let mut bytes = 0;
    call!(cuDeviceTotalMem_v2(&mut bytes, dev))?;
    let attribute = |a| {
        let mut v = 0;
        call!(cuDeviceGetAttribute(&mut v, a, dev)).map(|()| v)
    };
    let major = attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    let minor = attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
    let multiprocessors = attribute(A::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
    Ok(GpuInfo { ordinal, name, capability: (major, minor), memory: bytes as u64, multiprocessors, bus })
}

/// A device in use: its primary context, one stream, and everything allocated, which goes with it.
pub struct Gpu {
    pub(super) context: sys::CUcontext,
    device: sys::CUdevice,
    pub(super) stream: sys::CUstream,
    /// What runs beside that: see [`Lane`](super::graphs::Lane).
    pub(super) side: sys::CUstream,
    owned: Vec<u64>,
    modules: Vec<sys::CUmodule>,
    pinned: Vec<*mut c_void>,
    /// Other processes' memory that is mapped here.
    opened: Vec<u64>,
    blas: Option<Blas>,
    /// Memory for lists: where the next one goes, and what is left. Allocating while kernels wait for other ranks may wait too.
    pool: (u64, usize),
}

/// Keeps a device's context to the end of the process: waking it up takes longer than most runs of tests.
fn keep_awake(device: sys::CUdevice) {
    static AWAKE: Mutex<BTreeSet<sys::CUdevice>> = Mutex::new(BTreeSet::new());
    let mut context = std::ptr::null_mut();
    if AWAKE.lock().is_ok_and(|mut awake| awake.insert(device)) {
        let _ = call!(cuDevicePrimaryCtxRetain(&mut context, device));
    }
}

/// Bytes that lists are given at once.
const POOL: usize = 4 << 20;

/// Names an allocation to other processes of this machine.
pub type Handle = [u8; 64];

impl Gpu {
    /// Takes a device for this thread.
    pub fn new(ordinal: i32) -> Result<Gpu> {
        let (mut device, mut context) = (0, std::ptr::null_mut());
        call!(cuDeviceGet(&mut device, ordinal))?;
        call!(cuDevicePrimaryCtxRetain(&mut context, device))?;
        keep_awake(device);
        call!(cuCtxSetCurrent(context))?;
        let (mut stream, mut side) = (std::ptr::null_mut(), std::ptr::null_mut());
        for s in [&mut stream, &mut side] {
            call!(cuStreamCreate(s, sys::CUstream_flags_enum::CU_STREAM_NON_BLOCKING as u32))?;
        }
        let (owned, modules, pinned, opened) = (vec![], vec![], vec![], vec![]);
        let mut gpu = Gpu { context, device, stream, side, owned, modules, pinned, opened, blas: None, pool: (0, 0) };
        gpu.pool = (gpu.alloc(POOL)?, POOL);
        Ok(gpu)
    }

    /// Lets kernels of this device use the memory of another device that this process uses too.
    pub fn reach(&self, ordinal: i32) -> Result<()> {
        let (mut other, mut can, mut context) = (0, 0, std::ptr::null_mut());
        call!(cuDeviceGet(&mut other, ordinal))?;
        if other == self.device {
            return Ok(());
        }
        call!(cuDeviceCanAccessPeer(&mut can, self.device, other))?;
        if can == 0 {
            let what = format!("device {} cannot access device {ordinal}", self.device);
            return Err(CudaError { code: CUresult::CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, what });
        }
        // The rank on the other device holds its context too; this reference is given back at once.
        call!(cuDevicePrimaryCtxRetain(&mut context, other))?;
        let enabled = call!(cuCtxEnablePeerAccess(context, 0));
        call!(cuDevicePrimaryCtxRelease_v2(other))?;
        match enabled {
            Err(e) if e.code == CUresult::CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED => Ok(()),
            other => other,
        }
    }

    /// Names an allocation to other processes.
    pub fn share(&self, at: u64) -> Result<Handle> {
        let mut handle = sys::CUipcMemHandle { reserved: [0; 64] };
        call!(cuIpcGetMemHandle(&mut handle, at))?;
        Ok(handle.reserved.map(|b| b as u8))
    }

    /// Maps another process's allocation; gives its address here.
    pub fn open(&mut self, handle: &Handle) -> Result<u64> {
        let mut at = 0;
        let handle = sys::CUipcMemHandle { reserved: handle.map(|b| b as std::ffi::c_char) };
        let flags = sys::CUipcMem_flags_enum::CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS as u32;
        call!(cuIpcOpenMemHandle_v2(&mut at, handle, flags))?;
        self.opened.push(at);
        Ok(at)
    }

    /// The stream that everything is queued in, for libraries.
    pub fn stream(&self) -> *mut c_void {
        self.stream.cast()
    }

    /// Lets other libraries work on this device from this thread.
    pub fn make_current(&self) -> Result<()> {
        call!(cuCtxSetCurrent(self.context))
    }

    /// Bytes that are free now.
    pub fn free_memory(&self) -> Result<u64> {
        let (mut free, mut total) = (0, 0);
        call!(cuMemGetInfo_v2(&mut free, &mut total))?;
        Ok(free as u64)
    }

    /// A block of zero bytes, aligned to 256, and as much of them: vectors that begin in it may end behind what was asked for.
    pub fn alloc(&mut self, bytes: usize) -> Result<u64> {
        let (mut at, bytes) = (0, bytes.max(1).next_multiple_of(256));
        call!(cuMemAlloc_v2(&mut at, bytes))?;
        self.owned.push(at);
        call!(cuMemsetD8Async(at, 0, bytes, self.stream))?;
        Ok(at)
    }

    /// Gives back a block, if there is one, that nothing queued needs.
    pub fn free(&mut self, at: u64) -> Result<()> {
        match self.owned.iter().position(|o| *o == at) {
            Some(k) => call!(cuMemFree_v2(self.owned.swap_remove(k))),
            None => Ok(()),
        }
    }

    /// A small block that stays, aligned to 64.
    pub fn list(&mut self, bytes: usize) -> Result<u64> {
        let bytes = bytes.next_multiple_of(64).max(64);
        if bytes > self.pool.1 {
            self.pool = (self.alloc(POOL.max(bytes))?, POOL.max(bytes));
        }
        let at = self.pool.0;
        self.pool = (at + bytes as u64, self.pool.1 - bytes);
        Ok(at)
    }

    /// A block of page-locked host memory.
    pub fn pin(&mut self, bytes: usize) -> Result<*mut u8> {
        let mut at = std::ptr::null_mut();
        call!(cuMemHostAlloc(&mut at, bytes.max(64), 0))?;
        self.pinned.push(at);
        Ok(at.cast())
    }

    /// Gives back page-locked memory, if it is some, that nothing queued needs.
    pub fn unpin(&mut self, at: u64) -> Result<()> {
        match self.pinned.iter().position(|p| *p as u64 == at) {
            Some(k) => call!(cuMemFreeHost(self.pinned.swap_remove(k))),
            None => Ok(()),
        }
    }

    /// Copies host memory to the device, behind what was queued; page-locked memory must stay unchanged until then.
    ///
    /// # Safety
    /// Both ranges hold `bytes` bytes.
    pub unsafe fn upload(&self, to: u64, from: *const u8, bytes: usize) -> Result<()> {
        if bytes == 0 { Ok(()) } else { call!(cuMemcpyHtoDAsync_v2(to, from.cast(), bytes, self.stream)) }
    }

    /// Copies device memory to the host, behind what was queued.
    ///
    /// # Safety
    /// Both ranges hold `bytes` bytes, and the host's stays until [`wait`](Gpu::wait).
    pub unsafe fn download(&self, to: *mut u8, from: u64, bytes: usize) -> Result<()> {
        if bytes == 0 { Ok(()) } else { call!(cuMemcpyDtoHAsync_v2(to.cast(), from, bytes, self.stream)) }
    }

    /// Copies a slice to the device and waits.
    pub fn put(&self, to: u64, data: &[u8]) -> Result<()> {
        // SAFETY: the slice lives until the wait is over.
        unsafe { self.upload(to, data.as_ptr(), data.len()) }?;
        self.wait()
    }

    /// Copies from the device and waits.
    pub fn get(&self, from: u64, data: &mut [u8]) -> Result<()> {
        // SAFETY: the slice lives until the wait is over.
        unsafe { self.download(data.as_mut_ptr(), from, data.len()) }?;
        self.wait()
    }

    /// Waits for everything queued.
    pub fn wait(&self) -> Result<()> {
        call!(cuStreamSynchronize(self.stream))
    }

    /// What has been queued so far.
    pub fn mark(&self) -> Result<Event> {
        Event::mark(self.stream)
    }

    /// Loads compiled code.
    pub fn load(&mut self, image: &[u8]) -> Result<Module> {
        let mut module = std::ptr::null_mut();
        call!(cuModuleLoadData(&mut module, image.as_ptr().cast()))?;
        self.modules.push(module);
        Ok(Module(module))
    }

    /// Lets products be computed by the library.
    pub fn take_blas(&mut self) -> std::result::Result<(), String> {
        self.blas = Some(Blas::new(self)?);
        Ok(())
    }

    /// Queues a kernel, or a product of the library. Every argument is a word of 64 bits.
    pub fn launch(&self, l: &Launch) -> Result<()> {
        self.launch_in(l, self.stream)
    }

    pub(super) fn launch_in(&self, l: &Launch, stream: sys::CUstream) -> Result<()> {
        let function = match &l.call {
            Call::Kernel(f) => f,
            Call::Product(p) => {
                let queued = self.blas.as_ref().map_or(Err("no library for products".into()), |b| b.queue(p));
                return queued.map_err(|what| CudaError { code: CUresult::CUDA_ERROR_UNKNOWN, what });
            }
        };
        let mut words: Vec<*mut c_void> = l.words.iter().map(|w| std::ptr::from_ref(w).cast_mut().cast()).collect();
        let ((gx, gy, gz), (bx, by)) = (l.grid, l.block);
        call!(cuLaunchKernel(
            function.0,
            gx,
            gy,
            gz,
            bx,
            by,
            1,
            function.1,
            stream,
            words.as_mut_ptr(),
            std::ptr::null_mut()
        ))
    }

    /// A point in the queue whose time can be read.
    pub fn event(&self) -> Result<Event> {
        let mut event = std::ptr::null_mut();
        call!(cuEventCreate(&mut event, 0))?;
        let event = Event(event);
        call!(cuEventRecord(event.0, self.stream))?;
        Ok(event)
    }

    /// Bytes a second, read and written, of the best of a few copies inside the device's memory; `None` where there is no room.
    pub fn copy_bandwidth(&self) -> Option<f64> {
        const BYTES: usize = 256 << 20;
        let mut at = 0;
        call!(cuMemAlloc_v2(&mut at, 2 * BYTES)).ok()?;
        let copy = || -> Result<f32> {
            let start = self.event()?;
            call!(cuMemcpyDtoDAsync_v2(at, at + BYTES as u64, BYTES, self.stream))?;
            let end = self.event()?;
            self.wait()?;
            end.after(&start)
        };
        let _ = call!(cuMemsetD8Async(at, 0, 2 * BYTES, self.stream));
        let best = (0..5).filter_map(|_| copy().ok()).fold(f32::INFINITY, f32::min);
        let _ = call!(cuMemFree_v2(at));
        (best > 0.0 && best.is_finite()).then(|| 2.0 * BYTES as f64 / (1e-3 * f64::from(best)))
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // Errors no longer matter: the process ends or the device is lost.
        let _ = call!(cuStreamSynchronize(self.stream));
        self.blas = None;
        for at in &self.opened {
            let _ = call!(cuIpcCloseMemHandle(*at));
        }
        for at in &self.owned {
            let _ = call!(cuMemFree_v2(*at));
        }
        for at in &self.pinned {
            let _ = call!(cuMemFreeHost(*at));
        }
        for module in &self.modules {
            let _ = call!(cuModuleUnload(*module));
        }
        for stream in [self.stream, self.side] {
            let _ = call!(cuStreamDestroy_v2(stream));
        }
        let _ = self.context;
        let _ = call!(cuDevicePrimaryCtxRelease_v2(self.device));
    }
}

/// A word of page-locked host memory, zero, that every device of this process sees at the same address.
pub fn shared_word() -> Result<u64> {
    let mut at = std::ptr::null_mut();
    let flags = sys::CU_MEMHOSTALLOC_PORTABLE | sys::CU_MEMHOSTALLOC_DEVICEMAP;
    call!(cuMemHostAlloc(&mut at, 64, flags))?;
    // SAFETY: memory of 64 bytes.
    unsafe { at.cast::<u32>().write_volatile(0) };
    Ok(at as u64)
}

/// A point in the queue of a device.
pub struct Event(pub(super) sys::CUevent);

impl Event {
    /// What a stream has been given so far; without a time.
    pub(super) fn mark(stream: sys::CUstream) -> Result<Event> {
        let mut event = std::ptr::null_mut();
        call!(cuEventCreate(&mut event, sys::CUevent_flags_enum::CU_EVENT_DISABLE_TIMING as u32))?;
        let event = Event(event);
        call!(cuEventRecord(event.0, stream)).map(|()| event)
    }

    /// Waits until it has happened.
    pub fn wait(&self) -> Result<()> {
        call!(cuEventSynchronize(self.0))
    }

    /// Milliseconds since an earlier event; both have happened.
    pub fn after(&self, earlier: &Event) -> Result<f32> {
        let mut ms = 0.0;
        call!(cuEventElapsedTime_v2(&mut ms, earlier.0, self.0)).map(|()| ms)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let _ = call!(cuEventDestroy_v2(self.0));
    }
}

/// Loaded code; it goes with the device that loaded it.
pub struct Module(sys::CUmodule);

impl Module {
    pub fn function(&self, name: &str) -> Result<Function> {
        let name = CString::new(name).unwrap_or_default();
        let mut f = std::ptr::null_mut();
        call!(cuModuleGetFunction(&mut f, self.0, name.as_ptr()))?;
        Ok(Function(f, 0))
    }
}

/// A kernel, and the bytes of shared memory that launches give it besides what it declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Function(sys::CUfunction, u32);

impl Function {
    /// No kernel, for tests of what is queued.
    #[cfg(test)]
    pub fn none() -> Function {
        Function(std::ptr::null_mut(), 0)
    }

    /// The kernel with so many bytes of shared memory, which may be more than it could declare, or with all that the GPU gives
    /// a block.
    pub fn with_shared(self, bytes: u32) -> Result<Function> {
        let (mut device, mut most) = (0, 0);
        call!(cuCtxGetDevice(&mut device))?;
        let limit = sys::CUdevice_attribute_enum::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
        call!(cuDeviceGetAttribute(&mut most, limit, device))?;
        let bytes = bytes.min(most as u32);
        let what = sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        call!(cuFuncSetAttribute(self.0, what, bytes as i32)).map(|()| Function(self.0, bytes))
    }
}

/// What a launch runs: a kernel, or a product by the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Kernel(Function),
    Product(Product),
}

/// A kernel with its grid and arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Launch {
    pub call: Call,
    pub grid: (u32, u32, u32),
    pub block: (u32, u32),
    pub words: Vec<u64>,
}

impl Launch {
    /// One thread.
    pub fn single(kernel: Function, words: Vec<u64>) -> Launch {
        Launch { call: Call::Kernel(kernel), grid: (1, 1, 1), block: (1, 1), words }
    }
}

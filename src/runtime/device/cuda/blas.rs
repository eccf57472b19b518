//! cuBLAS, opened when a run allows its sums (`--math`): products of matrices in whatever order of terms the library likes, which
//! depends on its version and on the shape of each rank's part.

use std::ffi::{c_int, c_longlong, c_void};
use std::sync::OnceLock;

use libloading::Library;

use super::driver::Gpu;
use crate::ir::ty::Ty;

/// How products of matrices may be computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Math {
    /// As defined: the same bits everywhere.
    #[default]
    Exact,
    /// By the library, in the type of the elements.
    Library,
    /// By the library, factors of f32 rounded to TF32 (10 bits behind the point).
    Tf32,
}

/// One product, as `cublasGemmStridedBatchedEx` takes it: matrices in column-major order, so that the library's first factor is the
/// right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Product {
    /// Of the factors, and of the result.
    pub ty: Ty,
    pub into: Ty,
    /// Columns, rows, terms.
    pub sizes: [i32; 3],
    /// Address, whether transposed, leading dimension and elements to the next product: right, left, result.
    pub right: (u64, bool, i32, i64),
    pub left: (u64, bool, i32, i64),
    pub out: (u64, i32, i64),
    pub count: i32,
    pub tf32: bool,
}

type Status = c_int;
type Handle = *mut c_void;
type Gemm = unsafe extern "C" fn(
    Handle,
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
    *const c_void,
    *const c_void,
    c_int,
    c_int,
    c_longlong,
    *const c_void,
    c_int,
    c_int,
    c_longlong,
    *const c_void,
    *mut c_void,
    c_int,
    c_int,
    c_longlong,
    c_int,
    c_int,
    c_int,
) -> Status;

/// The functions used, with the signatures of cuBLAS 12 and 13 (cublas_api.h).
struct Calls {
    _library: Library,
    create: unsafe extern "C" fn(*mut Handle) -> Status,
    destroy: unsafe extern "C" fn(Handle) -> Status,
    stream: unsafe extern "C" fn(Handle, *mut c_void) -> Status,
    workspace: unsafe extern "C" fn(Handle, *mut c_void, usize) -> Status,
    gemm: Gemm,
}

const NAMES: [&str; 3] = ["libcublas.so.13", "libcublas.so.12", "libcublas.so"];

fn calls() -> Result<&'static Calls, String> {
    static CALLS: OnceLock<Result<Calls, String>> = OnceLock::new();
    let load = || {
        // SAFETY: loads a library of NVIDIA's for good.
        let found = NAMES.iter().find_map(|n| unsafe { Library::new(*n) }.ok());
        let library = found.ok_or_else(|| format!("no cuBLAS on this machine ({})", NAMES.join(", ")))?;
        macro_rules! symbol {
            ($name:literal) => {
                // SAFETY: the type is that of cublas_api.h.
                *unsafe { library.get($name) }.map_err(|e| format!("cuBLAS: {e}"))?
            };
        }
        Ok(Calls {
            create: symbol!(b"cublasCreate_v2\0"),
            destroy: symbol!(b"cublasDestroy_v2\0"),
            stream: symbol!(b"cublasSetStream_v2\0"),
            workspace: symbol!(b"cublasSetWorkspace_v2\0"),
            gemm: symbol!(b"cublasGemmStridedBatchedEx\0"),
            _library: library,
        })
    };
    CALLS.get_or_init(load).as_ref().map_err(|e| e.clone())
}

fn check(code: Status, call: &str) -> Result<(), String> {
    if code == 0 { Ok(()) } else { Err(format!("{call} failed (status {code})")) }
}

/// Bytes of memory for the library, as NVIDIA advises for Hopper; a graph may not allocate.
const WORKSPACE: usize = 32 << 20;
/// `CUBLAS_OP_N` and `CUBLAS_OP_T`.
const PLAIN: c_int = 0;
const TRANSPOSED: c_int = 1;
/// `CUBLAS_GEMM_DEFAULT`.
const ANY_ALGORITHM: c_int = -1;

/// The library at work on one device.
pub struct Blas {
    handle: Handle,
    calls: &'static Calls,
}

impl Blas {
    /// Takes the library for the device that is current in this thread.
    pub fn new(gpu: &mut Gpu) -> Result<Blas, String> {
        let calls = calls()?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: writes the handle.
        check(unsafe { (calls.create)(&mut handle) }, "cublasCreate")?;
        let blas = Blas { handle, calls };
        let room = gpu.alloc(WORKSPACE).map_err(|e| e.to_string())?;
        // SAFETY: the stream and the memory live as long as the device, which drops the library first.
        check(unsafe { (calls.stream)(handle, gpu.stream()) }, "cublasSetStream")?;
        // SAFETY: as above.
        check(unsafe { (calls.workspace)(handle, room as *mut c_void, WORKSPACE) }, "cublasSetWorkspace")?;
        Ok(blas)
    }

    /// Queues a product.
    pub fn queue(&self, p: &Product) -> Result<(), String> {
        // cudaDataType and cublasComputeType_t of library_types.h and cublas_api.h.
        let number = |ty: Ty| match ty {
            Ty::F64 => 1,
            Ty::F16 => 2,
            Ty::Bf16 => 14,
            _ => 0,
        };
        let (ty, into) = (number(p.ty), number(p.into));
        let compute = match p.ty {
            Ty::F64 => 70,
            _ if p.tf32 => 77,
            _ => 68,
        };
        let (one, zero) = (1.0f64, 0.0f64);
        let (one32, zero32) = (1.0f32, 0.0f32);
        let (alpha, beta): (*const c_void, *const c_void) = match p.ty {
            Ty::F64 => ((&raw const one).cast(), (&raw const zero).cast()),
            _ => ((&raw const one32).cast(), (&raw const zero32).cast()),
        };
        let op = |transposed: bool| if transposed { TRANSPOSED } else { PLAIN };
        let [m, n, k] = p.sizes;
        // SAFETY: addresses, sizes and strides are those of the rank's parts; the factors are read, the result written.
        let status = unsafe {
            (self.calls.gemm)(
                self.handle,
                op(p.right.1),
                op(p.left.1),
                m,
                n,
                k,
                alpha,
                p.right.0 as *const c_void,
                ty,
                p.right.2,
                p.right.3,
                p.left.0 as *const c_void,
                ty,
                p.left.2,
                p.left.3,
                beta,
                p.out.0 as *mut c_void,
                into,
                p.out.1,
                p.out.2,
                p.count,
                compute,
                ANY_ALGORITHM,
            )
        };
        check(status, "cublasGemmStridedBatchedEx")
    }
}

impl Drop for Blas {
    fn drop(&mut self) {
        // SAFETY: made by cublasCreate.
        unsafe { (self.calls.destroy)(self.handle) };
    }
}

//! CUDA C to machine code for one architecture, by NVRTC, kept on disk.

use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};

use cudarc::nvrtc::sys;

use crate::codegen::cuda::FLAGS;
use crate::runtime::device::native_cache;

/// Whether NVRTC can be used. Libraries outside the loader's path (pip wheels, toolkits without `ldconfig`) are opened by
/// absolute path first, which makes the later search by name succeed.
pub fn present() -> Result<(), String> {
    use std::sync::OnceLock;
    static STATE: OnceLock<Result<(), String>> = OnceLock::new();
    STATE
        .get_or_init(|| {
            preload();
            // SAFETY: opens the library, nothing else.
            if unsafe { sys::is_culib_present() } {
                return Ok(());
            }
            Err("no NVRTC (libnvrtc.so): install the CUDA toolkit, or `pip install nvidia-cuda-nvrtc` and set MGPU_CUDA_LIB to the folder with libnvrtc.so.*".into())
        })
        .clone()
}

fn preload() {
    let mut folders: Vec<PathBuf> = vec![];
    folders.extend(std::env::var_os("MGPU_CUDA_LIB").map(PathBuf::from));
    folders.extend(std::env::var_os("CUDA_HOME").map(|h| Path::new(&h).join("lib64")));
    folders.push("/usr/local/cuda/lib64".into());
    for folder in folders {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut found: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        found.sort();
        // The builtins first: NVRTC looks for them by name when it compiles.
        let named = |p: &PathBuf, stem: &str| {
            p.file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with(stem) && !n.to_string_lossy().contains(".alt"))
        };
        for stem in ["libnvrtc-builtins.so", "libnvrtc.so"] {
            if let Some(path) = found.iter().rev().find(|p| named(p, stem)) {
                let path = CString::new(path.as_os_str().as_encoded_bytes()).unwrap_or_default();
                // SAFETY: loads a library of NVIDIA's for good.
                unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
            }
        }
    }
}

/// The version of NVRTC.
pub fn version() -> (i32, i32) {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: writes two numbers.
    unsafe { sys::nvrtcVersion(&mut major, &mut minor) };
    (major, minor)
}

/// The machine code of `source` for an architecture such as `sm_90`, compiled now or found on disk. The flag says which.
pub fn cubin(source: &str, arch: &str, driver: i32) -> Result<(Vec<u8>, bool), String> {
    present()?;
    let folder = native_cache::folder()?;
    native_cache::make_private(&folder)?;
    let arch = format!("--gpu-architecture={arch}");
    let key = key(source, &arch, driver);
    let path = folder.join(format!("{key}.cubin"));
    if let Some(code) = stored(&path) {
        return Ok((code, true));
    }
    let code = compile(source, &arch)?;
    store(&folder, &path, &code).map(|()| (code, false))
}

fn key(source: &str, arch: &str, driver: i32) -> String {
    let mut hash = blake3::Hasher::new();
    let (major, minor) = version();
    for part in [env!("CARGO_PKG_VERSION"), source, arch, &format!("{major}.{minor} {driver}")]
        .into_iter()
        .chain(FLAGS.iter().copied())
    {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().to_hex()[..32].to_string()
}

/// A file of the cache: a hash of the code, then the code. Anything else is as good as missing.
fn stored(path: &Path) -> Option<Vec<u8>> {
    let data = std::fs::read(path).ok()?;
    let (hash, code) = data.split_at_checked(32)?;
    (blake3::hash(code).as_bytes() == hash).then(|| code.to_vec())
}

/// Ranks may race: each writes a file of its own, and the last to rename wins with the same contents.
fn store(folder: &Path, path: &Path, code: &[u8]) -> Result<(), String> {
    use std::io::Write;
    let failed = |e: std::io::Error| format!("cannot write {}: {e}", path.display());
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(blake3::hash(code).as_bytes()).and_then(|()| file.write_all(code)).map_err(failed)?;
    file.persist(path).map(|_| ()).map_err(|e| failed(e.error))
}

/// Compiles without the cache.
fn compile(source: &str, arch: &str) -> Result<Vec<u8>, String> {
    present()?;
    let text = CString::new(source).map_err(|_| "the generated code holds a zero byte".to_string())?;
    let options: Vec<CString> = FLAGS.iter().copied().chain([arch]).filter_map(|o| CString::new(o).ok()).collect();
    let options: Vec<_> = options.iter().map(|o| o.as_ptr()).collect();
    let ok = |r: sys::nvrtcResult, call: &str| {
        if r == sys::nvrtcResult::NVRTC_SUCCESS { Ok(()) } else { Err(format!("{call}: {r:?}")) }
    };
    let mut program = std::ptr::null_mut();
    // SAFETY: the strings live through the calls, and buffers have the sizes that NVRTC asked for.
    unsafe {
        let name = c"mgpu.cu".as_ptr();
        ok(
            sys::nvrtcCreateProgram(&mut program, text.as_ptr(), name, 0, std::ptr::null_mut(), std::ptr::null_mut()),
            "nvrtcCreateProgram",
        )?;
        let result = sys::nvrtcCompileProgram(program, options.len() as i32, options.as_ptr());
        if result != sys::nvrtcResult::NVRTC_SUCCESS {
            let mut n = 0;
            sys::nvrtcGetProgramLogSize(program, &mut n);
            let mut log = vec![0u8; n.max(1)];
            sys::nvrtcGetProgramLog(program, log.as_mut_ptr().cast());
            let log = CStr::from_bytes_until_nul(&log).map(|c| c.to_string_lossy().into_owned()).unwrap_or_default();
            sys::nvrtcDestroyProgram(&mut program);
            return Err(format!("NVRTC rejects the generated code ({result:?}): {}", log.trim()));
        }
        let mut n = 0;
        ok(sys::nvrtcGetCUBINSize(program, &mut n), "nvrtcGetCUBINSize")?;
        let mut code = vec![0u8; n];
        ok(sys::nvrtcGetCUBIN(program, code.as_mut_ptr().cast()), "nvrtcGetCUBIN")?;
        sys::nvrtcDestroyProgram(&mut program);
        Ok(code)
    }
}

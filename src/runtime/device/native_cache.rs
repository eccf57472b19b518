//! Finds the system's C compiler and keeps what it built.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::codegen::c::FLAGS;

/// A C compiler and the words before our own arguments.
pub struct Compiler {
    pub path: PathBuf,
    arguments: Vec<String>,
}

/// `$MGPU_CC` (a name or path, with arguments after it), else the first of `cc`, `gcc`, `clang` on the path.
pub fn compiler() -> Result<Compiler, String> {
    if let Some(wanted) = std::env::var("MGPU_CC").ok().filter(|w| !w.trim().is_empty()) {
        let mut words = wanted.split_whitespace().map(String::from);
        let name = words.next().unwrap_or_default();
        let path = find(&name).ok_or_else(|| format!("MGPU_CC names `{name}`, which is not a program on the path"))?;
        return Ok(Compiler { path, arguments: words.collect() });
    }
    ["cc", "gcc", "clang"]
        .into_iter()
        .find_map(find)
        .map(|path| Compiler { path, arguments: vec![] })
        .ok_or_else(|| "no C compiler: none of cc, gcc, clang is on the path (MGPU_CC can name one)".to_string())
}

fn find(name: &str) -> Option<PathBuf> {
    let runs = |p: &Path| fs::metadata(p).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|p| runs(p));
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(|p| runs(p))
}

/// The shared object of a translation unit in a folder, compiled now or before.
pub fn object(compiler: &Compiler, source: &str, folder: &Path) -> Result<PathBuf, String> {
    make_private(folder)?;
    let path = folder.join(format!("{}.so", key(compiler, source)));
    if fs::metadata(&path).is_ok() {
        return Ok(path);
    }
    let failed = |what: &str, e: std::io::Error| format!("cannot {what} in {}: {e}", folder.display());
    let mut text =
        tempfile::Builder::new().suffix(".c").tempfile_in(folder).map_err(|e| failed("write a source file", e))?;
    text.write_all(source.as_bytes()).map_err(|e| failed("write a source file", e))?;
    let built =
        tempfile::Builder::new().suffix(".so.part").tempfile_in(folder).map_err(|e| failed("write an object", e))?;
    let output = Command::new(&compiler.path)
        .args(&compiler.arguments)
        .args(FLAGS)
        .arg("-o")
        .args([built.path(), text.path()])
        .arg("-lm")
        .output()
        .map_err(|e| format!("cannot run {}: {e}", compiler.path.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: Vec<&str> = said.lines().take(12).collect();
        return Err(format!("{} rejects the generated code:\n{}", compiler.path.display(), said.join("\n")));
    }
    // Ranks that race replace each other's equal objects; an object in use keeps its pages.
    fs::rename(built.path(), &path).map_err(|e| failed("keep an object", e))?;
    let _ = built.keep();
    Ok(path)
}

/// `$MGPU_CACHE`, else `mgpu` in the user's cache folder.
pub fn folder() -> Result<PathBuf, String> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("MGPU_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|p| p.join("mgpu")))
        .or_else(|| set("HOME").map(|p| p.join(".cache").join("mgpu")))
        .ok_or_else(|| "no folder for compiled kernels: set MGPU_CACHE".to_string())
}

/// Makes a folder that only its owner may enter; refuses one that others can write.
pub(super) fn make_private(folder: &Path) -> Result<(), String> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let meta = fs::metadata(folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?;
    // SAFETY: geteuid has no preconditions.
    if meta.uid() != unsafe { libc::geteuid() } || meta.mode() & 0o022 != 0 {
        return Err(format!("{} can be written by others, so no code is loaded from it", folder.display()));
    }
    Ok(())
}

/// What an object depends on. The compiler's own version is taken from its file, which costs no process.
fn key(compiler: &Compiler, source: &str) -> String {
    let mut hash = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(env!("CARGO_PKG_VERSION").as_bytes());
    add(source.as_bytes());
    let path = fs::canonicalize(&compiler.path).unwrap_or_else(|_| compiler.path.clone());
    add(path.as_os_str().as_encoded_bytes());
    if let Ok(meta) = fs::metadata(&path) {
        add(&meta.mtime().to_le_bytes());
        add(&meta.mtime_nsec().to_le_bytes());
        add(&meta.size().to_le_bytes());
    }
    compiler.arguments.iter().map(String::as_str).chain(FLAGS.iter().copied()).for_each(|f| add(f.as_bytes()));
    add(cpu().as_bytes());
    hash.finalize().to_hex()[..32].to_string()
}

/// The first processor's model and features: `-march=native` code runs only there.
fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let keeps = [
        "vendor_id",
        "cpu family",
        "model",
        "model name",
        "stepping",
        "flags",
        "Features",
        "CPU implementer",
        "CPU part",
    ];
    let first = text.split("\n\n").next().unwrap_or_default();
    first
        .lines()
        .filter(|l| l.split_once(':').is_some_and(|(name, _)| keeps.contains(&name.trim())))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Bytes of the largest cache of the first processor, 32 MiB where the system does not say.
pub fn last_level_bytes() -> usize {
    let size = |i: usize| {
        let text = fs::read_to_string(format!("/sys/devices/system/cpu/cpu0/cache/index{i}/size")).ok()?;
        let text = text.trim();
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let scale = match unit {
            "K" => 1 << 10,
            "M" => 1 << 20,
            _ => 1,
        };
        digits.parse::<usize>().ok().map(|n| n * scale)
    };
    (0..8).filter_map(size).max().unwrap_or(32 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_built_once_and_bad_code_is_reported() {
        let Ok(compiler) = compiler() else { return };
        let folder = tempfile::tempdir().unwrap();
        let first = object(&compiler, "int mgpu_test;", folder.path()).unwrap();
        let built = fs::metadata(&first).unwrap().ino();
        assert_eq!(object(&compiler, "int mgpu_test;", folder.path()).unwrap(), first);
        assert_eq!(fs::metadata(&first).unwrap().ino(), built);
        assert_ne!(object(&compiler, "int mgpu_other;", folder.path()).unwrap(), first);
        let error = object(&compiler, "int mgpu_test = ;", folder.path()).unwrap_err();
        assert!(error.contains("rejects the generated code"), "{error}");
        // Nothing but the two objects is left.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn folders_that_others_can_write_are_refused() {
        let Ok(compiler) = compiler() else { return };
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = object(&compiler, "int mgpu_test;", folder.path()).unwrap_err();
        assert!(error.contains("can be written by others"), "{error}");
    }
}

//! The one folder beneath which a program may read and write, opened by handle so that no path leads out of it.

use super::{INSIDE, IoError, quoted};
use crate::diag::did_you_mean;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Component, Path};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A folder; every path given to its methods is relative to it and stays beneath it, symbolic links included.
#[derive(Debug)]
pub struct Root {
    dir: Dir,
    /// Where written files go instead; they are read from there too.
    aside: Option<Dir>,
}

impl Root {
    /// Opens a folder of the machine (usually that of the program).
    pub fn open(folder: impl AsRef<Path>) -> Result<Root, IoError> {
        let folder = folder.as_ref();
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        match Dir::open_ambient_dir(folder, ambient_authority()) {
            Ok(dir) => Ok(Root { dir, aside: None }),
            Err(e) => Err(IoError::from_os("open the folder", &folder.to_string_lossy(), &e)),
        }
    }

    /// The same folder, but what is written goes to `aside`, and is read from there.
    pub fn writing_to(self, aside: impl AsRef<Path>) -> Result<Root, IoError> {
        Ok(Root { aside: Some(Root::open(aside)?.dir), ..self })
    }

    /// The folder that is written to.
    fn out(&self) -> &Dir {
        self.aside.as_ref().unwrap_or(&self.dir)
    }

    /// Where files are written aside, a folder of the program's is there too.
    fn mirror_folder(&self, folder: &str) {
        if let Some(aside) = self.aside.as_ref().filter(|_| !folder.is_empty() && self.dir.is_dir(folder)) {
            let _ = aside.create_dir_all(folder);
        }
    }

    /// Opens a regular file for reading; a folder, FIFO, socket or device is refused and never waited for.
    pub fn open_read(&self, path: &str) -> Result<File, IoError> {
        let mut options = OpenOptions::new();
        // Without O_NONBLOCK, opening a FIFO that nobody writes to would wait for ever.
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let written = self.aside.as_ref().filter(|aside| check(path).is_ok() && aside.is_file(path));
        self.open_with(written.unwrap_or(&self.dir), "read", path, &options)
    }

    /// Opens a file that exists for writing at any place.
    pub fn open_write(&self, path: &str) -> Result<File, IoError> {
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(libc::O_NONBLOCK);
        self.open_with(self.out(), "write", path, &options)
    }

    /// Creates a file that must not exist yet and opens it for writing.
    pub fn create_new(&self, path: &str) -> Result<File, IoError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        self.open_with(self.out(), "create", path, &options)
    }

    /// Writes a small file that appears whole or not at all.
    pub fn write_whole(&self, path: &str, bytes: &[u8]) -> Result<(), IoError> {
        let (part, mut file) = self.create_part_file(path)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        let done = written.map_err(|e| IoError::from_os("write", path, &e)).and_then(|()| self.replace(&part, path));
        if done.is_err() {
            self.remove(&part);
        }
        done
    }

    /// Creates `.NAME.<unique>.part` beside `path`, where `path` itself may be written later by [`Root::replace`].
    pub fn create_part_file(&self, path: &str) -> Result<(String, File), IoError> {
        let (folder, name) = split(path)?;
        self.mirror_folder(folder);
        if self.out().symlink_metadata(path).is_ok_and(|m| m.is_dir()) {
            return Err(IoError::new(format!("cannot write {}: it is a folder", quoted(path))));
        }
        let name: String = name.chars().take(48).collect();
        let part = format!("{folder}.{name}.{:016x}.part", unique());
        let error = match self.create_new(&part) {
            Ok(file) => return Ok((part, file)),
            Err(error) => error,
        };
        if !folder.is_empty() && !self.out().is_dir(folder) {
            let text = format!("cannot write {}: there is no folder {}", quoted(path), quoted(folder));
            return Err(IoError::new(text).help("make the folder first, or write beside the program"));
        }
        // The report names the file that the program asked for, not the temporary one.
        let why = error.message.rsplit_once("`: ").map_or(error.message.clone(), |(_, why)| why.to_string());
        Err(IoError { message: format!("cannot write {}: {why}", quoted(path)), help: error.help })
    }

    /// Gives the file `part` its final name `path` in one step, and makes that durable.
    pub fn replace(&self, part: &str, path: &str) -> Result<(), IoError> {
        let (folder, _) = split(path)?;
        self.out().rename(part, self.out(), path).map_err(|e| IoError::from_os("write", path, &e))?;
        // Some file systems cannot sync a folder; the file itself is on disk already.
        let here = if folder.is_empty() { "." } else { folder };
        if let Ok(handle) = self.out().open(here) {
            let _ = handle.sync_all();
        }
        Ok(())
    }

    /// Removes a file if it is there.
    pub fn remove(&self, path: &str) {
        let _ = self.out().remove_file(path);
    }

    fn open_with(&self, dir: &Dir, doing: &str, path: &str, options: &OpenOptions) -> Result<File, IoError> {
        check(path)?;
        let file = match dir.open_with(path, options) {
            Ok(file) => file.into_std(),
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(self.missing(doing, path, &e)),
            // What opening a FIFO without a reader, or a socket, answers.
            Err(e) if matches!(e.raw_os_error(), Some(libc::ENXIO | libc::EOPNOTSUPP)) => {
                return Err(not_regular(doing, path, "a FIFO, socket or device"));
            }
            Err(e) => return Err(IoError::from_os(doing, path, &e)),
        };
        let kind = file.metadata().map_err(|e| IoError::from_os(doing, path, &e))?.file_type();
        match () {
            _ if kind.is_file() => Ok(file),
            _ if kind.is_dir() => Err(not_regular(doing, path, "a folder")),
            _ => Err(not_regular(doing, path, "a FIFO, socket or device")),
        }
    }

    /// The error for a file that is not there, with the name that was likely meant.
    fn missing(&self, doing: &str, path: &str, error: &std::io::Error) -> IoError {
        let plain = IoError::from_os(doing, path, error);
        let Ok((folder, name)) = split(path) else { return plain };
        let Ok(entries) = self.dir.read_dir(if folder.is_empty() { "." } else { folder }) else {
            return plain.help(format!("there is no folder {} beside the program", quoted(folder)));
        };
        let mut names: Vec<String> =
            entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).take(10_000).collect();
        names.sort();
        match did_you_mean(name, names.iter().map(String::as_str)) {
            Some(near) => plain.help(format!("did you mean {}?", quoted(&format!("{folder}{near}")))),
            None => plain.help("paths are relative to the program's folder"),
        }
    }
}

fn not_regular(doing: &str, path: &str, what: &str) -> IoError {
    IoError::new(format!("cannot {doing} {}: it is {what}, not a regular file", quoted(path)))
}

/// Refuses by its text alone what could never lie beneath the folder.
fn check(path: &str) -> Result<(), IoError> {
    if path.is_empty() || path.contains('\0') {
        return Err(IoError::new(format!("{} is not the name of a file", quoted(path))));
    }
    let mut depth = 0i64;
    for part in Path::new(path).components() {
        depth += match part {
            Component::Normal(_) => 1,
            Component::CurDir => 0,
            Component::ParentDir => -1,
            Component::RootDir | Component::Prefix(_) => {
                return Err(IoError::new(format!("{} is an absolute path", quoted(path))).help(INSIDE));
            }
        };
        if depth < 0 {
            return Err(IoError::new(format!("{} leads out of the program's folder", quoted(path))).help(INSIDE));
        }
    }
    Ok(())
}

/// The folder of a path (empty, or with its last slash) and the name of the file in it.
fn split(path: &str) -> Result<(&str, &str), IoError> {
    check(path)?;
    let (folder, name) = path.rfind('/').map_or(("", path), |k| path.split_at(k + 1));
    if matches!(name, "" | "." | "..") {
        return Err(IoError::new(format!("{} names a folder, not a file", quoted(path))));
    }
    Ok((folder, name))
}

/// A number that no other rank, process or call of this machine uses at the same time.
fn unique() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    let mixed = now ^ ((std::process::id() as u64) << 40) ^ (call << 20);
    // One round of splitmix64, so that near moments give far names.
    let z = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
    (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("data")).unwrap();
        std::fs::write(dir.path().join("data/elevation.npy"), b"x").unwrap();
        let root = Root::open(dir.path()).unwrap();
        (dir, root)
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        let (dir, root) = folder();
        symlink("/etc", dir.path().join("etc")).unwrap();
        symlink("../..", dir.path().join("data/up")).unwrap();
        symlink("/etc/hostname", dir.path().join("name")).unwrap();
        for path in ["../x", "data/../../x", "/etc/passwd", "etc/passwd", "data/up/x", "name", "", "a\0b"] {
            let e = root.open_read(path).unwrap_err();
            assert!(!e.message.contains("os error"), "{e}");
            assert!(root.create_part_file(path).is_err() || path == "name", "{path:?}");
        }
        assert!(root.open_read("name").unwrap_err().message.contains("leads out of the program's folder"));
        assert!(root.open_read("data/../data/elevation.npy").is_ok());
    }

    #[test]
    fn links_that_stay_inside_work() {
        let (dir, root) = folder();
        symlink("elevation.npy", dir.path().join("data/link.npy")).unwrap();
        assert!(root.open_read("data/link.npy").is_ok());
    }

    #[test]
    fn only_regular_files_are_read() {
        let (dir, root) = folder();
        let made = std::process::Command::new("mkfifo").arg(dir.path().join("pipe")).status();
        if made.is_ok_and(|s| s.success()) {
            assert!(root.open_read("pipe").unwrap_err().message.contains("not a regular file"));
            assert!(root.open_write("pipe").unwrap_err().message.contains("not a regular file"));
        }
        assert!(root.open_read("data").unwrap_err().message.contains("it is a folder"));
    }

    #[test]
    fn a_missing_file_gets_a_suggestion() {
        let (_dir, root) = folder();
        let e = root.open_read("data/elevaton.npy").unwrap_err();
        assert_eq!(e.help.as_deref(), Some("did you mean `data/elevation.npy`?"));
        let e = root.write_whole("out/a.txt", b"x").unwrap_err();
        assert_eq!(e.message, "cannot write `out/a.txt`: there is no folder `out/`");
    }

    #[test]
    fn files_written_aside_leave_the_folder_alone() {
        let (dir, root) = folder();
        let aside = tempfile::tempdir().unwrap();
        let root = root.writing_to(aside.path()).unwrap();
        root.write_whole("data/elevation.npy", b"new").unwrap();
        assert_eq!(std::fs::read(dir.path().join("data/elevation.npy")).unwrap(), b"x");
        assert_eq!(std::fs::read(aside.path().join("data/elevation.npy")).unwrap(), b"new");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut root.open_read("data/elevation.npy").unwrap(), &mut text).unwrap();
        assert_eq!(text, "new");
        assert!(root.write_whole("../x", b"x").is_err());
        assert!(root.write_whole("out/x", b"x").unwrap_err().message.contains("there is no folder `out/`"));
    }

    #[test]
    fn a_file_appears_whole() {
        let (dir, root) = folder();
        root.write_whole("data/a.txt", b"one").unwrap();
        root.write_whole("data/a.txt", b"two").unwrap();
        assert_eq!(std::fs::read(dir.path().join("data/a.txt")).unwrap(), b"two");
        assert!(root.write_whole("data", b"x").unwrap_err().message.contains("it is a folder"));
        assert_eq!(std::fs::read_dir(dir.path().join("data")).unwrap().count(), 2);
    }
}

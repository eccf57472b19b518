//! Files as editors name them, and the text of a program's other files: what is open in the editor before what is on disk.

use crate::check::Loader;
use crate::ir::stored::Stored;
use crate::runtime::io::npy::read_header;
use crate::runtime::io::root::Root;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The texts that the editor holds, by path.
pub type Open = HashMap<PathBuf, Arc<str>>;

/// The path of a `file:` URI.
pub fn path_of(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    let mut out: Vec<u8> = vec![];
    let mut bytes = rest.bytes();
    while let Some(b) = bytes.next() {
        if b != b'%' {
            out.push(b);
            continue;
        }
        let (high, low) = (bytes.next()?, bytes.next()?);
        let digit = |b: u8| (b as char).to_digit(16);
        out.push((digit(high)? * 16 + digit(low)?) as u8);
    }
    Some(tidy(Path::new(&String::from_utf8(out).ok()?)))
}

/// The URI of a path.
pub fn uri_of(path: &Path) -> String {
    let mut out = String::from("file://");
    for b in path.to_string_lossy().bytes() {
        if b.is_ascii_alphanumeric() || b"/-._~".contains(&b) {
            out.push(b as char);
        } else {
            out += &format!("%{b:02X}");
        }
    }
    out
}

/// The path without `.` and with `..` resolved by its text.
pub fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for c in path.components() {
        match c {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            c => out.push(c),
        }
    }
    out
}

/// The text of a file: the editor's, or the disk's.
pub fn text_of(path: &Path, open: &Open) -> Option<Arc<str>> {
    open.get(path).cloned().or_else(|| std::fs::read_to_string(path).ok().map(Arc::from))
}

/// Reads what a program uses, beneath its folder.
pub struct Folder {
    /// `None`: the program has not been saved yet.
    pub folder: Option<PathBuf>,
    pub open: Arc<Open>,
}

impl Loader for Folder {
    fn source(&self, path: &str) -> Result<String, String> {
        let folder = self.folder.as_ref().ok_or_else(unsaved)?;
        if let Some(text) = self.open.get(&tidy(&folder.join(path))) {
            return Ok(text.to_string());
        }
        let mut file = Root::open(folder).and_then(|r| r.open_read(path)).map_err(|e| e.message)?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut file, &mut text).map_err(|e| e.to_string())?;
        Ok(text)
    }

    fn array(&self, path: &str) -> Result<(Stored, Vec<i64>), String> {
        let folder = self.folder.as_ref().ok_or_else(unsaved)?;
        let root = Root::open(folder).map_err(|e| e.message)?;
        read_header(&root, path).map(|h| (h.element, h.shape)).map_err(|e| e.message)
    }
}

fn unsaved() -> String {
    "the program has no folder yet: save it first".to_string()
}

/// The programs near a file: those in its folder and beneath, at most 500.
pub fn programs_near(path: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = path.parent().map(Path::to_path_buf).into_iter().collect();
    let (mut out, mut seen) = (vec![], 0);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for e in entries.flatten() {
            seen += 1;
            let hidden = e.file_name().to_string_lossy().starts_with('.');
            let kind = e.file_type();
            if seen > 20_000 || out.len() >= 500 {
                return out;
            }
            match kind {
                Ok(k) if k.is_dir() && !hidden => folders.push(e.path()),
                Ok(k) if k.is_file() && e.path().extension().is_some_and(|x| x == "mgpu") => out.push(e.path()),
                _ => {}
            }
        }
    }
    out.sort();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_go_there_and_back() {
        let path = Path::new("/tmp/a b/é%/heat.mgpu");
        assert_eq!(uri_of(path), "file:///tmp/a%20b/%C3%A9%25/heat.mgpu");
        assert_eq!(path_of(&uri_of(path)).as_deref(), Some(path));
        assert_eq!(path_of("file:///a/./b/../c"), Some(PathBuf::from("/a/c")));
        assert_eq!(path_of("untitled:Untitled-1"), None);
        assert_eq!(path_of("file:///a%2"), None);
    }
}

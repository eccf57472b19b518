//! What a program reads, writes and shows: files beneath its folder, `.npy` arrays, pictures, and formatted text.

pub mod format_array;
pub mod npy;
pub mod plot;
pub mod root;
pub mod vtk;

use std::io::ErrorKind;

/// A failed read or write: a sentence in lower case with the path and concrete numbers, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoError {
    pub message: String,
    pub help: Option<String>,
}

impl IoError {
    /// An error without help.
    pub fn new(message: impl Into<String>) -> IoError {
        IoError { message: message.into(), help: None }
    }

    /// Adds what to do instead.
    pub fn help(mut self, text: impl Into<String>) -> IoError {
        self.help = Some(text.into());
        self
    }

    /// What the operating system refused while `doing` ("write", "open") something with `path`.
    pub fn from_os(doing: &str, path: &str, error: &std::io::Error) -> IoError {
        let path = quoted(path);
        let refused = |why: &str| IoError::new(format!("cannot {doing} {path}: {why}"));
        match error.kind() {
            ErrorKind::NotFound => refused("there is no such file or folder"),
            // cap-std reports a path that leaves the folder without an error number of the system.
            ErrorKind::PermissionDenied if error.raw_os_error().is_none() => {
                refused("it leads out of the program's folder").help(INSIDE)
            }
            ErrorKind::PermissionDenied => refused("permission denied"),
            ErrorKind::StorageFull => refused("the disk is full").help("free some space, or write smaller arrays"),
            ErrorKind::QuotaExceeded => refused("the disk quota is used up").help("free some space, or ask for more"),
            ErrorKind::FileTooLarge => refused("the file would be larger than this system allows"),
            ErrorKind::ReadOnlyFilesystem => refused("the file system is read-only"),
            ErrorKind::IsADirectory => refused("it is a folder"),
            ErrorKind::NotADirectory => refused("a part of the path is a file, not a folder"),
            ErrorKind::UnexpectedEof => refused("the file is shorter than its header says")
                .help("it may have been cut off, or another program is still writing it"),
            ErrorKind::OutOfMemory => refused("out of memory"),
            _ => refused(&error.to_string()),
        }
    }
}

/// The help of every path that leaves the folder.
const INSIDE: &str = "paths are relative to the program's folder and stay beneath it, as in `data/elevation.npy`";

/// A path as reports show it: in backquotes, control characters escaped.
fn quoted(path: &str) -> String {
    let shown: String = path
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    format!("`{shown}`")
}

impl std::fmt::Display for IoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for IoError {}

//! What ranks tell a person while they run.

use std::io::Write;

/// Prints a line to stderr in one piece: processes that share it would mix the pieces of theirs.
pub fn say(line: impl std::fmt::Display) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

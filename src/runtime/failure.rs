//! How a run ends early, the same on every rank.

use crate::diag::Diagnostic;
use crate::runtime::comm::{Comm, Lost};
use crate::source::{FileId, Span};

/// Exit codes of a run.
pub mod exit {
    pub const OK: u8 = 0;
    pub const REJECTED: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const FAILED: u8 = 3;
    pub const LOST: u8 = 4;
    pub const INTERNAL: u8 = 101;
}

/// Why a run stopped.
#[derive(Clone, Debug)]
pub enum Failure {
    /// Agreed by all ranks: one report, exit code 3.
    Agreed(Diagnostic),
    /// A peer is gone; there is nobody to agree with.
    Lost(String),
    /// This rank's device is gone, at a moment when others may wait for it in kernels of theirs.
    Device(String),
    /// A defect of mgpu itself.
    Internal(String),
}

impl From<Lost> for Failure {
    fn from(l: Lost) -> Failure {
        Failure::Lost(l.0)
    }
}

/// What one rank found wrong, before the ranks agree.
#[derive(Clone, Debug)]
pub struct Problem {
    pub code: &'static str,
    pub message: String,
    pub help: Option<String>,
}

impl Problem {
    pub fn new(code: &'static str, message: impl Into<String>) -> Problem {
        Problem { code, message: message.into(), help: None }
    }
}

impl From<crate::runtime::io::IoError> for Problem {
    fn from(e: crate::runtime::io::IoError) -> Problem {
        Problem { code: "E0601", message: e.message, help: e.help }
    }
}

/// All ranks learn whether one of them has a problem; the lowest rank's is everybody's failure. A collective.
pub fn agree(comm: &mut dyn Comm, mine: Result<(), Problem>, span: Span, label: &str) -> Result<(), Failure> {
    let words = match &mine {
        Ok(()) => vec![],
        Err(p) => [p.code, &p.message, p.help.as_deref().unwrap_or("")].join("\u{1f}").into_bytes(),
    };
    let all = comm.gathered(&words)?;
    let bad: Vec<usize> = (0..all.ranks()).filter(|r| !all.part(*r).is_empty()).collect();
    let Some(&first) = bad.first() else { return Ok(()) };
    let text = String::from_utf8_lossy(all.part(first)).into_owned();
    let mut parts = text.split('\u{1f}');
    let code = match parts.next().unwrap_or("") {
        "E0602" => "E0602",
        "E0603" => "E0603",
        "E0620" => "E0620",
        _ => "E0601",
    };
    let message = parts.next().unwrap_or("").to_string();
    let help = parts.next().filter(|h| !h.is_empty()).map(str::to_string);
    let place = if all.ranks() == 1 {
        String::new()
    } else {
        format!(" (rank {first}; {} of {} ranks)", bad.len(), all.ranks())
    };
    let mut d = Diagnostic::error(code, message, span, format!("{label}{place}"));
    d.help = help;
    Err(Failure::Agreed(d))
}

/// A span for steps that the compiler made.
pub fn nowhere() -> Span {
    Span::new(FileId(0), 0, 0)
}

//! Diagnostics: what is wrong, where, and what to write instead. Built where the check is; rendered in [`render`].

mod excerpt;
pub mod pages;
pub mod render;

use crate::source::Span;

/// How bad a diagnostic is. A warning never changes the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

/// One report: a code such as `E0203`, a sentence in lower case with concrete numbers, labelled places, and help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub code: &'static str,
    pub message: String,
    pub labels: Vec<(Span, String)>,
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error with its first label.
    pub fn error(code: &'static str, message: impl Into<String>, span: Span, label: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code,
            message: message.into(),
            labels: vec![(span, label.into())],
            help: None,
        }
    }

    /// A warning with its first label.
    pub fn warning(code: &'static str, message: impl Into<String>, span: Span, label: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, message, span, label) }
    }

    /// An error that belongs to no place in a source file (a missing file, a bad option).
    pub fn bare(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Error, code, message: message.into(), labels: vec![], help: None }
    }

    /// Adds what another place contributes.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push((span, text.into()));
        self
    }

    /// Adds what to write instead.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }
}

/// Collects the diagnostics of a phase, each place and code once.
#[derive(Debug, Default)]
pub struct Sink {
    pub items: Vec<Diagnostic>,
}

/// Errors of one program that are reported; nobody reads more, and the next ones often follow from these.
pub const MOST_ERRORS: usize = 100;

impl Sink {
    /// Whether so much was reported that the rest is left out.
    pub fn is_full(&self) -> bool {
        self.items.iter().filter(|d| d.severity == Severity::Error).count() >= MOST_ERRORS
    }

    /// Adds a diagnostic unless the same code was already reported at the same place, or enough was reported.
    pub fn push(&mut self, d: Diagnostic) {
        if self.is_full() || (d.severity == Severity::Warning && self.items.len() >= MOST_ERRORS) {
            return;
        }
        let place = d.labels.first().map(|l| l.0);
        let known =
            place.is_some() && self.items.iter().any(|o| o.code == d.code && o.labels.first().map(|l| l.0) == place);
        if !known {
            self.items.push(d);
        }
    }

    /// Whether any error (not only warnings) was reported.
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|d| d.severity == Severity::Error)
    }
}

/// The candidate nearest to `name` by edit distance, if it is near enough to be a likely typing error.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    // One letter is near to every other: no guess.
    let limit = if length < 2 { 0 } else { (length / 3).max(1) };
    candidates
        .into_iter()
        .map(|c| (edit_distance(name, c), c))
        // A name of one letter is near every other.
        .filter(|(d, c)| *d <= limit && *c != name && *d < name.chars().count())
        .min()
        .map(|(_, c)| c)
}

/// Edit distance with transpositions counted once (optimal string alignment).
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_near_names_only() {
        assert_eq!(did_you_mean("enrgy", ["energy", "bump"]), Some("energy"));
        assert_eq!(did_you_mean("dt", ["td", "x"]), Some("td"));
        assert_eq!(did_you_mean("speed", ["energy", "bump"]), None);
    }
}

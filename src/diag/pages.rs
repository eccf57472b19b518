//! The pages of `mgpu explain`, one a code.

/// Code and page, in the order of the codes.
pub const PAGES: &[(&str, &str)] = &[("E0900", include_str!("../../docs/errors/E0900.md"))];

//! Diagnostics to text (through miette) and to JSON.

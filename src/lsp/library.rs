//! The library that is part of the binary, as files that an editor can open: written to the cache folder when first needed.

use super::names::{Names, Symbol};
use super::text::Lines;
use crate::check::LIBRARY;
use crate::diag::Sink;
use crate::source::FileId;
use crate::syntax::parse::parse;
use std::path::PathBuf;
use std::sync::OnceLock;

/// A module of the library.
pub struct Module {
    pub name: &'static str,
    pub text: &'static str,
    pub lines: Lines,
    pub names: Names,
}

/// All modules, parsed once.
pub fn modules() -> &'static [Module] {
    static ALL: OnceLock<Vec<Module>> = OnceLock::new();
    let read = |(name, text): &(&'static str, &'static str)| {
        let ast = parse(FileId(0), text, &mut Sink::default());
        let names = ast.map_or_else(Names::default, |a| Names::of(&a, text));
        Module { name, text, lines: Lines::new(text), names }
    };
    ALL.get_or_init(|| LIBRARY.iter().map(read).collect())
}

/// A module by its name after `std.`.
pub fn module(name: &str) -> Option<&'static Module> {
    modules().iter().find(|m| m.name == name)
}

/// An elementary function's declarations in `std.math`: one for each float type.
pub fn elementary(name: &str) -> Vec<(&'static Module, &'static Symbol)> {
    let Some(math) = module("math") else { return vec![] };
    let both = ["f64", "f32"].map(|ty| format!("{name}_{ty}"));
    both.iter().filter_map(|n| math.names.top(n)).map(|s| (math, s)).collect()
}

impl Module {
    /// The file that an editor opens: the module's text in the cache folder, written there if it is not yet.
    pub fn path(&self) -> Option<PathBuf> {
        let cache =
            crate::runtime::device::native_cache::folder().unwrap_or_else(|_| std::env::temp_dir().join("mgpu"));
        let folder = cache.join("std").join(env!("CARGO_PKG_VERSION"));
        let path = folder.join(format!("{}.mgpu", self.name));
        if std::fs::read_to_string(&path).is_ok_and(|t| t == self.text) {
            return Some(path);
        }
        std::fs::create_dir_all(&folder).ok()?;
        let part = folder.join(format!("{}.{}.part", self.name, std::process::id()));
        std::fs::write(&part, self.text).ok()?;
        std::fs::rename(&part, &path).ok()?;
        Some(path)
    }
}

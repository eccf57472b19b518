//! Modules: the program's file, the files it uses, and the library that is part of the binary.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use super::around::names_of;
use super::calls::is_elementary;
use super::env::{Global, Globals};
use super::{Checker, Module};
use crate::diag::Sink;
use crate::ir::stored::Stored;
use crate::source::{FileId, Span};
use crate::syntax::ast::{Ast, Ident, UsePath};
use crate::syntax::parse::parse;
use crate::syntax::words;
use std::rc::Rc;

/// What the checker needs from outside: text of used files and shapes of arrays in files. Paths are relative to the program.
pub trait Loader {
    /// The text of a used source file, or why it cannot be had.
    fn source(&self, path: &str) -> Result<String, String>;
    /// Element type and shape of a `.npy` file, or why it cannot be read.
    fn array(&self, path: &str) -> Result<(Stored, Vec<i64>), String>;
}

/// A loader for programs that use no files and take no array from one.
pub struct NoFiles;

impl Loader for NoFiles {
    fn source(&self, _: &str) -> Result<String, String> {
        Err("no files here".into())
    }

    fn array(&self, _: &str) -> Result<(Stored, Vec<i64>), String> {
        Err("no files here".into())
    }
}

/// The tree of a module of the library, whose text never changes: read once in a process for each number that the file may have. A
/// language server checks anew at every keystroke, and the library's `math` takes longer to read than most programs.
fn parsed_once(name: &'static str, id: FileId, text: &str, sink: &mut Sink) -> Option<Ast> {
    static TREES: Mutex<BTreeMap<(&str, FileId), Ast>> = Mutex::new(BTreeMap::new());
    let trees = || TREES.lock().unwrap_or_else(|e| e.into_inner());
    if let Some(tree) = trees().get(&(name, id)) {
        return Some(tree.clone());
    }
    let tree = parse(id, text, sink)?;
    trees().insert((name, id), tree.clone());
    Some(tree)
}

/// The library's modules by name.
pub const LIBRARY: &[(&str, &str)] = &[
    ("image", include_str!("../../stdlib/image.mgpu")),
    ("init", include_str!("../../stdlib/init.mgpu")),
    ("linalg", include_str!("../../stdlib/linalg.mgpu")),
    ("math", include_str!("../../stdlib/math.mgpu")),
    ("ml", include_str!("../../stdlib/ml.mgpu")),
    ("patterns", include_str!("../../stdlib/patterns.mgpu")),
    ("random", include_str!("../../stdlib/random.mgpu")),
    ("stats", include_str!("../../stdlib/stats.mgpu")),
    ("stencil", include_str!("../../stdlib/stencil.mgpu")),
];

/// The module of the library that declares a function, kernel or workflow of this name; the first, if several do.
pub(super) fn offering(name: &str) -> Option<&'static str> {
    // A program may have thousands of unknown names.
    static NAMES: OnceLock<HashMap<&'static str, &'static str>> = OnceLock::new();
    let names = || {
        let mut out = HashMap::new();
        for (module, text) in LIBRARY {
            for line in text.lines() {
                let rest = ["fn ", "kernel ", "workflow "].iter().find_map(|w| line.strip_prefix(w));
                if let Some((declared, _)) = rest.and_then(|r| r.split_once('(')) {
                    out.entry(declared).or_insert(*module);
                }
            }
        }
        out
    };
    NAMES.get_or_init(names).get(name).copied()
}

/// Whether a file of this name is one of the library.
pub(super) fn is_library(file: &str) -> bool {
    let module = file.strip_prefix("std/").and_then(|f| f.strip_suffix(".mgpu"));
    module.is_some_and(|m| LIBRARY.iter().any(|l| l.0 == m))
}

/// Files one program may use.
const MOST_MODULES: usize = 256;

impl Checker<'_> {
    /// The module of the library with this name, loaded at first use.
    pub(super) fn library(&mut self, name: &str, span: Span) -> Option<usize> {
        let file = format!("std/{name}.mgpu");
        if let Some(m) = self.loaded(&file) {
            return Some(m);
        }
        match LIBRARY.iter().find(|l| l.0 == name) {
            Some((name, text)) => self.load(&file, text, &|id, sink| parsed_once(name, id, text, sink), span),
            None => {
                let names: Vec<String> = LIBRARY.iter().map(|l| format!("std.{}", l.0)).collect();
                self.fail_help(
                    "E0290",
                    format!("the library has no module `std.{name}`"),
                    span,
                    "used here",
                    format!("it has {}", names.join(", ")),
                )
            }
        }
    }

    fn loaded(&self, file: &str) -> Option<usize> {
        self.modules.iter().position(|m| self.sources.file(m.ast.file).name == file)
    }

    fn load(
        &mut self,
        file: &str,
        text: &str,
        parsed: &dyn Fn(FileId, &mut Sink) -> Option<Ast>,
        span: Span,
    ) -> Option<usize> {
        if self.modules.len() >= MOST_MODULES {
            return self.fail_help(
                "E0291",
                format!("a program uses at most {MOST_MODULES} files"),
                span,
                "one too many",
                "put declarations that belong together into one file",
            );
        }
        let id = self.sources.add(file, text);
        let ast = parsed(id, self.sink)?;
        self.modules.push(Module { ast: Rc::new(ast), globals: Globals::new(), used: Default::default() });
        let m = self.modules.len() - 1;
        self.in_scope(m, Default::default(), |c| c.declarations());
        Some(m)
    }

    /// Brings the names of a `use` into scope.
    pub(super) fn use_names(&mut self, path: &UsePath, names: &[Ident], span: Span) {
        if let UsePath::File(path) = path
            && self.is_this_file(&path.text)
        {
            let help = "take the line away: what a file declares is known everywhere in it";
            self.fail_help::<()>("E0293", format!("`{}` uses itself", path.text), path.span, "this file", help);
            let ast = self.ast();
            let own = |n: &&Ident| ast.items.iter().flat_map(names_of).any(|o| o.name == n.name);
            names.iter().filter(|n| !own(n)).for_each(|n| self.declare(n, Global::Broken));
            return;
        }
        let module = match path {
            UsePath::Library(segments) => {
                let text: Vec<&str> = segments.iter().map(|s| s.name.as_str()).collect();
                match text[..] {
                    ["std", name] => self.library(name, span),
                    _ => self.fail_help("E0290", format!("`{}` is not a module", text.join(".")), span, "used here", "the library's modules begin with `std.`; a file is written in quotes, `use \"lib/flux.mgpu\": flux`"),
                }
            }
            UsePath::File(path) => self.file_module(&path.text, path.span),
        };
        for n in names {
            let found = module.and_then(|m| self.modules[m].globals.get(&n.name).map(|g| g.0.clone()));
            let global = match (module, found) {
                (_, Some(g)) => g,
                (None, None) => Global::Broken,
                (Some(m), None) => {
                    let known: Vec<String> = self.modules[m].globals.keys().cloned().collect();
                    let name = &n.name;
                    let near = crate::diag::did_you_mean(name, known.iter().map(|s| s.as_str()));
                    let help = match near {
                        _ if words::reductions().contains(name) => {
                            format!("it is a reduction, and always there: `{name}[i] x[i]`")
                        }
                        _ if is_elementary(name) || words::builtins().contains(name) => {
                            format!("`{name}` is always there: take it out of the `use`")
                        }
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("it has {}", known.join(", ")),
                    };
                    self.fail_help::<()>(
                        "E0292",
                        format!("this module has no `{}`", n.name),
                        n.span,
                        "used here",
                        help,
                    );
                    Global::Broken
                }
            };
            self.declare(n, global);
        }
    }

    /// Whether a path in a `use` is that of the file with the `use`.
    fn is_this_file(&self, path: &str) -> bool {
        let own = &self.sources.file(self.modules[self.module].ast.file).name;
        own.rsplit_once('/').map_or(own.as_str(), |(_, name)| name) == path
    }

    fn file_module(&mut self, path: &str, span: Span) -> Option<usize> {
        // Relative to the file that uses it.
        let user = self.sources.file(self.modules[self.module].ast.file).name.clone();
        let path = &match user.rsplit_once('/') {
            Some((folder, _)) if self.module != 0 => tidy(&format!("{folder}/{path}")),
            _ => tidy(path),
        };
        if self.loading.iter().any(|p| p == path) {
            return self.fail_help(
                "E0293",
                format!("`{path}` uses itself"),
                span,
                "on the way from its own `use`",
                "move what both files need into a third",
            );
        }
        if let Some(m) = self.loaded(path) {
            return Some(m);
        }
        match self.loader.source(path) {
            Err(why) => self.fail_help(
                "E0294",
                why,
                span,
                "used here",
                "the path begins at the folder of the file that uses it",
            ),
            Ok(text) => {
                self.loading.push(path.to_string());
                let m = self.load(path, &text, &|id, sink| parse(id, &text, sink), span);
                self.loading.pop();
                m
            }
        }
    }
}

/// A path without `.` and, where it does not begin there, without `..`: a file is one module by whichever path it is named.
fn tidy(path: &str) -> String {
    let mut parts: Vec<&str> = vec![];
    for (k, part) in path.split('/').enumerate() {
        match part {
            "." => {}
            "" if k > 0 => {}
            ".." if parts.last().is_some_and(|p| !p.is_empty() && *p != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn a_file_has_one_path() {
    let paths = ["./a.mgpu", "lib/../a.mgpu", "lib//.//b.mgpu", "../up.mgpu", "lib/../../up.mgpu", "/etc/x", "/../x"];
    assert_eq!(paths.map(tidy), ["a.mgpu", "a.mgpu", "lib/b.mgpu", "../up.mgpu", "../up.mgpu", "/etc/x", "/../x"]);
}

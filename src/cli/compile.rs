//! From a file name to a plan, with the diagnostics on the way.

use super::{MessageFormat, ProgramArgs};
use crate::check::{LIBRARY, Loader, Options, check, check_test};
use crate::diag::{Diagnostic, MOST_ERRORS, Sink, render};
use crate::ir::plan::Plan;
use crate::ir::program::Program;
use crate::ir::stored::Stored;
use crate::planner::{self, Panelling};
use crate::runtime::failure::exit;
use crate::runtime::io::IoError;
use crate::runtime::io::npy::read_header;
use crate::runtime::io::root::Root;
use crate::source::SourceMap;
use crate::syntax::ast::Ast;
use crate::syntax::parse::parse;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// A program being compiled: its files, and what was reported.
pub struct Session {
    pub sources: SourceMap,
    pub sink: Sink,
    format: MessageFormat,
}

struct Files<'a> {
    /// Beneath which the program reads and writes.
    root: &'a Root,
    /// The program's folder, in which its modules are, whatever `--root` says.
    beside: &'a Root,
}

impl Loader for Files<'_> {
    fn source(&self, path: &str) -> Result<String, String> {
        let mut file = self.beside.open_read(path).map_err(|e| e.message)?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut file, &mut text).map_err(|e| e.to_string())?;
        Ok(text)
    }

    fn array(&self, path: &str) -> Result<(Stored, Vec<i64>), String> {
        read_header(self.root, path).map(|h| (h.element, h.shape)).map_err(|e| e.message)
    }
}

/// The folder beneath which a program reads and writes.
pub fn root_of(args: &ProgramArgs) -> PathBuf {
    args.root.clone().unwrap_or_else(|| folder_of(args))
}

/// The program's folder.
fn folder_of(args: &ProgramArgs) -> PathBuf {
    args.file.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

impl Session {
    pub fn new(format: MessageFormat) -> Session {
        Session { sources: SourceMap::default(), sink: Sink::default(), format }
    }

    /// Reads and checks a program for a number of ranks.
    pub fn program(&mut self, args: &ProgramArgs, ranks: i64) -> Option<Program> {
        let ast = self.tree(&args.file)?;
        self.checked(args, ranks, |ast, sources, loader, options, sink| check(ast, sources, loader, options, sink), ast)
    }

    /// The same for one `test` of the program, by its place among the declarations.
    pub fn test(&mut self, args: &ProgramArgs, item: usize, ranks: i64) -> Option<Program> {
        let ast = self.tree(&args.file)?;
        self.checked(
            args,
            ranks,
            |ast, sources, loader, options, sink| check_test(ast, item, sources, loader, options, sink),
            ast,
        )
    }

    /// Reads and parses a file, or a module of the library by its name (`std.stats`).
    pub fn tree(&mut self, path: &Path) -> Option<Ast> {
        let named = path.to_str().and_then(|p| p.strip_prefix("std."));
        if let Some((name, text)) = LIBRARY.iter().find(|l| Some(l.0) == named) {
            let id = self.sources.add(format!("std/{name}.mgpu"), *text);
            return parse(id, text, &mut self.sink);
        }
        let text = match std::fs::read_to_string(path) {
            Ok(t) => t,
            Err(e) => {
                let e = IoError::from_os("read", &path.display().to_string(), &e);
                return self.bare("E0001", e.message);
            }
        };
        let name = path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
        let id = self.sources.add(name, text.as_str());
        parse(id, &text, &mut self.sink)
    }

    fn checked(
        &mut self,
        args: &ProgramArgs,
        ranks: i64,
        check: impl FnOnce(Ast, &mut SourceMap, &dyn Loader, &Options, &mut Sink) -> Option<Program>,
        ast: Ast,
    ) -> Option<Program> {
        let (root, beside) = match Root::open(root_of(args)).and_then(|r| Ok((r, Root::open(folder_of(args))?))) {
            Ok(both) => both,
            Err(e) => return self.bare("E0001", e.message),
        };
        let params = match parameters(&args.param) {
            Ok(p) => p,
            Err(why) => return self.bare("E0002", why),
        };
        let options = Options { params: &params, ranks };
        check(ast, &mut self.sources, &Files { root: &root, beside: &beside }, &options, &mut self.sink)
    }

    /// Compiles a program to the plan for `ranks` ranks, on a thread with a stack deep enough for any accepted program.
    pub fn plan(&mut self, args: &ProgramArgs, ranks: i64) -> Option<Plan> {
        self.plan_for(Multiplier::Cpu, args, ranks)
    }

    /// The same for what multiplies matrices.
    pub fn plan_for(&mut self, by: Multiplier, args: &ProgramArgs, ranks: i64) -> Option<Plan> {
        self.on_deep_stack(|s| {
            let program = s.program(args, ranks)?;
            crate::planner::plan_with(program, ranks, planning(by), &mut s.sink)
        })
    }

    /// The plan of a program that is not in a file and uses none.
    #[cfg(feature = "cuda")]
    pub fn plan_of(&mut self, name: &str, text: &str, ranks: i64) -> Option<Plan> {
        struct Nothing;
        impl Loader for Nothing {
            fn source(&self, path: &str) -> Result<String, String> {
                Err(format!("there is no `{path}`"))
            }
            fn array(&self, path: &str) -> Result<(Stored, Vec<i64>), String> {
                Err(format!("there is no `{path}`"))
            }
        }
        let id = self.sources.add(name, text);
        let ast = parse(id, text, &mut self.sink)?;
        let options = Options { params: &[], ranks };
        let program = check(ast, &mut self.sources, &Nothing, &options, &mut self.sink)?;
        crate::planner::plan(program, ranks, &mut self.sink)
    }

    /// Runs `f` on a thread with a stack deep enough for any accepted program.
    pub fn on_deep_stack<T: Send>(&mut self, f: impl FnOnce(&mut Session) -> Option<T> + Send) -> Option<T> {
        std::thread::scope(|scope| {
            let body = || f(self);
            std::thread::Builder::new().stack_size(256 << 20).spawn_scoped(scope, body).ok()?.join().ok()?
        })
    }

    /// The exit code of a program that was refused: wrong usage where it could not be read, or its parameters.
    pub fn refusal(&self) -> u8 {
        let usage = self.sink.items.iter().any(|d| matches!(d.code, "E0001" | "E0002"));
        if usage { exit::USAGE } else { exit::REJECTED }
    }

    fn bare<T>(&mut self, code: &'static str, message: String) -> Option<T> {
        self.sink.push(Diagnostic::bare(code, message));
        None
    }

    /// Prints everything reported so far to stderr (JSON: one object a line) and forgets it.
    pub fn flush(&mut self) {
        let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let mut err = std::io::stderr().lock();
        let full = self.sink.is_full();
        for d in self.sink.items.drain(..) {
            let text = match self.format {
                MessageFormat::Human => render::render(&d, &self.sources, color),
                MessageFormat::Json => format!("{}\n", render::to_json(&d, &self.sources)),
            };
            let _ = err.write_all(text.as_bytes());
        }
        if full && self.format == MessageFormat::Human {
            let _ = writeln!(err, "More may be wrong; these are the first {MOST_ERRORS} reports.");
        }
    }
}

/// `name=value` pairs; `@file.json` stands for the members of a JSON object.
fn parameters(given: &[String]) -> Result<Vec<(String, String)>, String> {
    let mut out = vec![];
    for g in given {
        if let Some(path) = g.strip_prefix('@') {
            let text = std::fs::read_to_string(path).map_err(|e| IoError::from_os("read", path, &e).message)?;
            let json: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&text).map_err(|e| format!("`{path}` is not a JSON object of parameters: {e}"))?;
            for (k, v) in json {
                out.push((k, v.as_str().map_or_else(|| v.to_string(), str::to_string)));
            }
            continue;
        }
        match g.split_once('=') {
            Some((k, v)) => out.push((k.trim().to_string(), v.trim().to_string())),
            None => return Err(format!("`{g}` is not NAME=VALUE")),
        }
    }
    Ok(out)
}

/// What multiplies matrices.
#[derive(Clone, Copy, PartialEq)]
pub enum Multiplier {
    Cpu,
    Gpu,
    /// NVIDIA's library, which needs its factors whole.
    Library,
}

/// How plans are made here. `MGPU_PANELS` says, for tests, of how many terms the panels of products are; 0: there are none.
pub fn planning(by: Multiplier) -> planner::Options {
    let asked = std::env::var("MGPU_PANELS").ok().and_then(|v| v.parse().ok());
    let panels = match asked {
        _ if by == Multiplier::Library => Panelling::Never,
        None if by == Multiplier::Gpu => Panelling::LargeOnGpus,
        None => Panelling::Large,
        Some(0) => Panelling::Never,
        Some(terms) => Panelling::Terms(terms),
    };
    planner::Options { panels, ..planner::Options::default() }
}

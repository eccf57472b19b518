//! Where names are declared and used, in this file, in the files around it and in the library.

use super::files::{programs_near, text_of, tidy, uri_of};
use super::names::{Kind, Module, Names, Symbol};
use super::serve::Answer;
use super::text::Lines;
use super::{View, library};
use crate::diag::Sink;
use crate::source::{FileId, Span};
use crate::syntax::parse::parse_tolerant;
use lsp_types::Range;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file beside the one at hand.
pub struct Other {
    pub path: PathBuf,
    pub text: Arc<str>,
    pub lines: Lines,
    pub names: Names,
}

impl Other {
    /// The editor's or the disk's version of a file.
    pub fn read(view: &View, path: &Path) -> Option<Other> {
        let text = text_of(path, &view.server.texts())?;
        let ast = parse_tolerant(FileId(0), &text, &mut Sink::default())?;
        let names = Names::of(&ast, &text);
        Some(Other { path: path.to_path_buf(), lines: Lines::new(&text), names, text })
    }
}

/// What stands at a place.
pub enum Target<'a> {
    /// A symbol of this file, by index.
    Here(usize),
    /// A symbol of a file that this one uses.
    There(Box<(Other, Symbol)>),
    /// A symbol of the library.
    Library(&'static library::Module, &'static Symbol),
    /// A whole module: the place between the quotes or after `use`.
    Whole(&'a Module),
}

/// Finds what a byte names, through imports.
pub fn target<'a>(view: &View<'a>, byte: usize) -> Option<Target<'a>> {
    let names = &view.now.names;
    if let Some(o) = names.at(byte) {
        return Some(through(view, o.symbol));
    }
    if let Some((module, _)) = names.uses.iter().find(|u| holds(u.1, byte)) {
        return Some(Target::Whole(module));
    }
    let name = &names.other_at(byte)?.name;
    library::elementary(name).first().map(|(m, s)| Target::Library(m, s))
}

fn holds(span: Span, byte: usize) -> bool {
    span.start as usize <= byte && byte <= span.end as usize
}

/// The declaration behind an import; the symbol itself where it is none, or its module cannot be read.
pub fn through<'a>(view: &View<'a>, symbol: usize) -> Target<'a> {
    let s = &view.now.names.symbols[symbol];
    match &s.module {
        Some(Module::Library(m)) => match library::module(m).and_then(|m| Some((m, m.names.top(&s.name)?))) {
            Some((m, s)) => Target::Library(m, s),
            None => Target::Here(symbol),
        },
        Some(Module::File(p)) => {
            let other = path_beside(view, p).and_then(|p| Other::read(view, &p));
            match other.and_then(|o| Some((o.names.top(&s.name)?.clone(), o))) {
                Some((s, o)) => Target::There(Box::new((o, s))),
                None => Target::Here(symbol),
            }
        }
        None => Target::Here(symbol),
    }
}

/// The path that a `use` means.
pub fn path_beside(view: &View, path: &str) -> Option<PathBuf> {
    Some(tidy(&view.path?.parent()?.join(path)))
}

fn location(uri: &str, range: Range) -> Value {
    json!({"uri": uri, "range": range})
}

/// Answers `textDocument/definition`.
pub fn definition(view: &View, params: &Value) -> Answer {
    let byte = view.byte(params);
    let found = target(view, byte).and_then(|t| match t {
        Target::Here(k) => {
            let span = view.now.names.symbols[k].span;
            Some(location(view.uri, view.now.lines.range_of(&view.now.text, span)))
        }
        Target::There(there) => {
            let (o, s) = &*there;
            Some(location(&uri_of(&o.path), o.lines.range_of(&o.text, s.span)))
        }
        Target::Library(m, s) => Some(location(&uri_of(&m.path()?), m.lines.range_of(m.text, s.span))),
        Target::Whole(Module::Library(name)) => {
            Some(location(&uri_of(&library::module(name)?.path()?), Range::default()))
        }
        Target::Whole(Module::File(p)) => {
            let path = path_beside(view, p).filter(|p| p.is_file())?;
            Some(location(&uri_of(&path), Range::default()))
        }
    });
    Ok(found.unwrap_or(Value::Null))
}

/// Answers `textDocument/references`.
pub fn references(view: &View, params: &Value) -> Answer {
    let declaration = params["context"]["includeDeclaration"].as_bool().unwrap_or(true);
    let byte = view.byte(params);
    let list: Vec<Value> =
        places(view, byte, declaration).into_iter().map(|(uri, range)| location(&uri, range)).collect();
    Ok(json!(list))
}

/// Every place that names what a byte names, as URI and range.
pub fn places(view: &View, byte: usize, declaration: bool) -> Vec<(String, Range)> {
    let mut out = vec![];
    let Some(o) = view.now.names.at(byte) else {
        // A built-in name: where this file uses it.
        let name = view.now.names.other_at(byte).map(|i| i.name.clone());
        let same = view.now.names.others.iter().filter(|i| Some(&i.name) == name.as_ref());
        return same.map(|i| (view.uri.to_string(), view.now.lines.range_of(&view.now.text, i.span))).collect();
    };
    for p in view.now.names.places(o.symbol).filter(|p| declaration || !p.declares) {
        out.push((view.uri.to_string(), view.now.lines.range_of(&view.now.text, p.span)));
    }
    let (home, name) = match through(view, o.symbol) {
        Target::There(there) => {
            let (other, s) = *there;
            out.extend(of_symbol(&other, &s.name, declaration));
            (Some(other.path), s.name)
        }
        Target::Here(k) if view.now.names.symbols[k].top => {
            (view.path.map(Path::to_path_buf), view.now.names.symbols[k].name.clone())
        }
        _ => (None, String::new()),
    };
    if let Some(home) = home {
        out.extend(importers(view, &home, &name));
    }
    out
}

/// The places of a symbol at the top of another file.
fn of_symbol(other: &Other, name: &str, declaration: bool) -> Vec<(String, Range)> {
    let Some(k) = other.names.symbols.iter().position(|s| s.top && s.name == name) else { return vec![] };
    let uri = uri_of(&other.path);
    let places = other.names.places(k).filter(|p| declaration || !p.declares);
    places.map(|p| (uri.clone(), other.lines.range_of(&other.text, p.span))).collect()
}

/// The places in other files near `home` that bring its symbol `name` in.
fn importers(view: &View, home: &Path, name: &str) -> Vec<(String, Range)> {
    let mut out = vec![];
    for path in programs_near(home) {
        if path == home || Some(path.as_path()) == view.path {
            continue;
        }
        let open = view.server.texts();
        if !text_of(&path, &open).is_some_and(|t| t.contains(name) && t.contains("use")) {
            continue;
        }
        let Some(other) = Other::read(view, &path) else { continue };
        let imports = |s: &Symbol| match &s.module {
            Some(Module::File(p)) => {
                s.kind == Kind::Import && s.name == name && path.parent().is_some_and(|d| tidy(&d.join(p)) == home)
            }
            _ => false,
        };
        if other.names.symbols.iter().any(imports) {
            out.extend(of_symbol(&other, name, true));
        }
    }
    out
}

/// Answers `textDocument/documentHighlight`.
pub fn highlights(view: &View, params: &Value) -> Answer {
    let Some(o) = view.now.names.at(view.byte(params)) else { return Ok(Value::Null) };
    let one = |p: &super::names::Occurrence| {
        let range = view.now.lines.range_of(&view.now.text, p.span);
        json!({"range": range, "kind": if p.writes { 3 } else { 2 }})
    };
    let list: Vec<Value> = view.now.names.places(o.symbol).map(one).collect();
    Ok(json!(list))
}

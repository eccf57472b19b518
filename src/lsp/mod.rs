//! The language server: one process an editor, speaking the protocol over its standard streams. Every answer is made from one
//! [`analysis::Analysis`] of one version of one file; a request waits for the analysis of the text it asks about.

mod actions;
mod analysis;
mod builtins;
mod capabilities;
mod complete;
mod files;
mod hover;
mod inlay;
mod library;
mod names;
mod navigate;
mod outline;
mod publish;
mod rename;
mod resolve;
mod scope;
mod serve;
mod signature;
mod text;
mod tokens;

pub use serve::serve;

use analysis::{Analysis, Settings};
use files::{Folder, Open};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that the editor holds.
struct Document {
    path: Option<PathBuf>,
    version: i64,
    text: Arc<str>,
    /// Of the text as it is now, once it was asked for.
    analysis: Option<Arc<Analysis>>,
    /// The last one with a plan: layouts while the text has errors.
    good: Option<Arc<Analysis>>,
    /// Its diagnostics are those that the editor shows.
    published: bool,
}

/// All files that the editor holds, and what it asked to assume.
struct Server {
    documents: BTreeMap<String, Document>,
    settings: Settings,
    /// The editor shows where else a diagnostic points.
    related: bool,
}

/// One file as it is now, for one request.
struct View<'a> {
    server: &'a Server,
    uri: &'a str,
    path: Option<&'a Path>,
    now: &'a Analysis,
    good: Option<&'a Analysis>,
}

impl Server {
    fn new() -> Server {
        let settings = Settings { ranks: 4, params: vec![] };
        Server { documents: BTreeMap::new(), settings, related: false }
    }

    /// `{"ranks": 4, "params": {"n": 64}}`, alone or under `mgpu`.
    fn configure(&mut self, options: &Value) {
        let options = options.get("mgpu").unwrap_or(options);
        if let Some(n) = options.get("ranks").and_then(Value::as_i64) {
            self.settings.ranks = n.clamp(1, 4096);
        }
        if let Some(params) = options.get("params").and_then(Value::as_object) {
            let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_string);
            self.settings.params = params.iter().map(|(k, v)| (k.clone(), text(v))).collect();
        }
        self.forget();
    }

    fn open(&mut self, uri: &str, version: i64, text: &str) {
        let document = Document {
            path: files::path_of(uri),
            version,
            text: Arc::from(text),
            analysis: None,
            good: None,
            published: false,
        };
        self.documents.insert(uri.to_string(), document);
        self.forget();
    }

    fn change(&mut self, uri: &str, version: i64, text: &str) {
        if let Some(d) = self.documents.get_mut(uri) {
            (d.version, d.text) = (version, Arc::from(text));
        }
        self.forget();
    }

    /// A text or a setting changed: a program may use any other file.
    fn forget(&mut self) {
        for d in self.documents.values_mut() {
            d.analysis = None;
            d.published = false;
        }
    }

    /// The texts that the editor holds.
    fn texts(&self) -> Open {
        self.documents.values().filter_map(|d| Some((d.path.clone()?, d.text.clone()))).collect()
    }

    /// Makes sure that a file is analysed.
    fn analyse(&mut self, uri: &str) {
        let open = Arc::new(self.texts());
        let settings = self.settings.clone();
        let Some(d) = self.documents.get_mut(uri).filter(|d| d.analysis.is_none()) else { return };
        let name = d.path.as_ref().and_then(|p| p.file_name()).map(|n| n.to_string_lossy().into_owned());
        let folder = Folder { folder: d.path.as_ref().and_then(|p| p.parent()).map(Path::to_path_buf), open };
        let name = name.unwrap_or_else(|| uri.to_string());
        let done = Arc::new(Analysis::of(&name, d.text.clone(), folder, settings));
        if done.compiled.plan.is_some() {
            d.good = Some(done.clone());
        }
        d.analysis = Some(done);
    }

    /// A file as it is now, once it is analysed.
    fn view<'a>(&'a self, uri: &'a str) -> Option<View<'a>> {
        let d = self.documents.get(uri)?;
        let now = d.analysis.as_deref()?;
        Some(View { server: self, uri, path: d.path.as_deref(), now, good: d.good.as_deref() })
    }
}

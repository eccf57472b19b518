//! An editor's side of `mgpu lsp`.

use super::MGPU;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// An editor that talks to one server in a folder of its own.
pub struct Editor {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    folder: tempfile::TempDir,
    /// What the server said of itself.
    pub capabilities: Value,
    next: i64,
    /// Diagnostics as they came, with URI and version.
    published: Vec<(String, Option<i64>, Value)>,
}

fn read_messages(output: impl Read + Send + 'static) -> Receiver<Value> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        loop {
            let mut length = 0;
            loop {
                let mut line = String::new();
                if output.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                if line.trim().is_empty() {
                    break;
                }
                if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            if output.read_exact(&mut body).is_err() || send.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    receive
}

impl Editor {
    /// Starts a server with options.
    pub fn start(options: Value) -> Editor {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(MGPU)
            .arg("lsp")
            .env("MGPU_CACHE", folder.path().join("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let messages = read_messages(child.stdout.take().unwrap());
        let mut e = Editor { child, input, messages, folder, capabilities: Value::Null, next: 0, published: vec![] };
        let related = json!({"textDocument": {"publishDiagnostics": {"relatedInformation": true}}});
        let hello =
            json!({"processId": null, "rootUri": null, "capabilities": related, "initializationOptions": options});
        let told = e.request("initialize", hello);
        assert_eq!(told["serverInfo"]["name"], "mgpu");
        assert_eq!(told["capabilities"]["textDocumentSync"], 1);
        e.capabilities = told["capabilities"].clone();
        e.notify("initialized", json!({}));
        e
    }

    /// Sends a message.
    pub fn send(&mut self, message: &Value) {
        let body = message.to_string();
        let input = self.input.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        input.flush().unwrap();
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// The next message.
    pub fn receive(&mut self) -> Value {
        self.messages.recv_timeout(Duration::from_secs(60)).expect("the server answers")
    }

    /// The whole answer to a request.
    pub fn answer(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let m = self.receive();
            if m["id"] == id {
                return m;
            }
            self.note(&m);
        }
    }

    /// The result of a request that succeeds.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let m = self.answer(method, params);
        assert!(m.get("error").is_none(), "{method}: {m}");
        m["result"].clone()
    }

    /// Keeps published diagnostics.
    pub fn note(&mut self, m: &Value) {
        if m["method"] == "textDocument/publishDiagnostics" {
            let uri = m["params"]["uri"].as_str().unwrap().to_string();
            self.published.push((uri, m["params"]["version"].as_i64(), m["params"]["diagnostics"].clone()));
        }
    }

    /// The diagnostics of a version of a file, once they are published.
    pub fn diagnostics(&mut self, uri: &str, version: i64) -> Value {
        loop {
            if let Some(k) = self.published.iter().position(|p| p.0 == uri && p.1 == Some(version)) {
                return self.published.remove(k).2;
            }
            let m = self.receive();
            self.note(&m);
        }
    }

    /// The address of a file in the folder.
    pub fn uri(&self, name: &str) -> String {
        format!("file://{}", self.path(name).display())
    }

    /// Its path.
    pub fn path(&self, name: &str) -> PathBuf {
        std::fs::canonicalize(self.folder.path()).unwrap().join(name)
    }

    /// Writes a file and opens it.
    pub fn open(&mut self, name: &str, text: &str) -> String {
        let uri = self.uri(name);
        std::fs::write(self.path(name), text).unwrap();
        self.notify(
            "textDocument/didOpen",
            json!({"textDocument": {"uri": uri, "languageId": "mgpu", "version": 1, "text": text}}),
        );
        uri
    }

    /// Sends a new text of an open file.
    pub fn change(&mut self, uri: &str, version: i64, text: &str) {
        let document = json!({"uri": uri, "version": version});
        self.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": [{"text": text}]}));
    }

    /// A request about the place of `needle` (its `nth` occurrence, from 0) in `text`.
    pub fn at(&mut self, method: &str, uri: &str, text: &str, needle: &str, nth: usize) -> Value {
        let params = json!({"textDocument": {"uri": uri}, "position": place(text, needle, nth), "context": {"includeDeclaration": true}});
        self.request(method, params)
    }

    /// What hovering over a place shows.
    pub fn hover(&mut self, uri: &str, text: &str, needle: &str, nth: usize) -> String {
        self.at("textDocument/hover", uri, text, needle, nth)["contents"]["value"].as_str().unwrap_or("").to_string()
    }

    /// A request about a whole file.
    pub fn about(&mut self, method: &str, uri: &str) -> Value {
        let range = json!({"start": {"line": 0, "character": 0}, "end": {"line": 9999, "character": 0}});
        self.request(method, json!({"textDocument": {"uri": uri}, "range": range, "context": {"diagnostics": []}, "options": {"tabSize": 4, "insertSpaces": true}}))
    }

    /// Ends the server in good order.
    pub fn end(mut self) {
        assert_eq!(self.request("shutdown", Value::Null), Value::Null);
        self.notify("exit", Value::Null);
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }
}

/// The protocol's place of the `nth` occurrence of `needle`.
pub fn place(text: &str, needle: &str, nth: usize) -> Value {
    let (at, _) = text.match_indices(needle).nth(nth).unwrap_or_else(|| panic!("no `{needle}` in the text"));
    let line = text[..at].matches('\n').count();
    let column = text[..at].rsplit('\n').next().unwrap().encode_utf16().count();
    json!({"line": line, "character": column})
}

/// The text with edits of one file applied.
pub fn applied(text: &str, edits: &Value) -> String {
    let offset = |p: &Value| {
        let line = p["line"].as_u64().unwrap() as usize;
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let (mut left, mut at) = (p["character"].as_u64().unwrap() as usize, start);
        for c in text[start..].chars().take_while(|c| *c != '\n') {
            if left == 0 {
                break;
            }
            left -= c.len_utf16();
            at += c.len_utf8();
        }
        at
    };
    let mut list: Vec<(usize, usize, String)> = edits
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            let new = e["newText"].as_str().unwrap().to_string();
            (offset(&e["range"]["start"]), offset(&e["range"]["end"]), new)
        })
        .collect();
    list.sort();
    let mut out = text.to_string();
    for (start, end, new) in list.into_iter().rev() {
        out.replace_range(start..end, &new);
    }
    out
}

/// The labels of a list of completions.
pub fn labels(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|i| i["label"].as_str().unwrap().to_string()).collect()
}

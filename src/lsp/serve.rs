//! Messages in, messages out.

use super::{
    Server, View, actions, capabilities, complete, hover, inlay, navigate, outline, publish, rename, signature, tokens,
};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a request has no answer, in words for the user.
pub(super) type Answer = Result<Value, String>;

/// Serves an editor on the standard streams until it says goodbye; gives whether the talk ended as agreed.
pub fn serve() -> bool {
    let (connection, threads) = Connection::stdio();
    let ended = talk(&connection);
    drop(connection);
    threads.join().is_ok() && ended
}

fn talk(connection: &Connection) -> bool {
    let Ok((id, params)) = connection.initialize_start() else { return false };
    let mut server = Server::new();
    server.configure(&params["initializationOptions"]);
    server.related = params["capabilities"]["textDocument"]["publishDiagnostics"]["relatedInformation"] == true;
    let hello = json!({
        "capabilities": capabilities::capabilities(),
        "serverInfo": {"name": "mgpu", "version": env!("CARGO_PKG_VERSION")},
    });
    if connection.initialize_finish(id, hello).is_err() {
        return false;
    }
    loop {
        // Diagnostics wait until nothing else does: a burst of keystrokes is analysed once.
        let message = match connection.receiver.try_recv() {
            Ok(m) => m,
            Err(_) => {
                publish_changed(&mut server, connection);
                let Ok(m) = connection.receiver.recv() else { return false };
                m
            }
        };
        match message {
            Message::Request(r) => match connection.handle_shutdown(&r) {
                Ok(true) => return true,
                Ok(false) => {
                    let answer = answer(&mut server, r);
                    let _ = connection.sender.send(Message::Response(answer));
                }
                Err(_) => return false,
            },
            Message::Notification(n) => {
                let gone = guarded(|| notice(&mut server, &n)).flatten();
                if let Some(uri) = gone {
                    send_diagnostics(connection, json!({"uri": uri, "diagnostics": []}));
                }
            }
            Message::Response(_) => {}
        }
    }
}

/// Runs `f`; a defect in it ends only itself.
fn guarded<T>(f: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

fn publish_changed(server: &mut Server, connection: &Connection) {
    let stale: Vec<String> = server.documents.iter().filter(|d| !d.1.published).map(|d| d.0.clone()).collect();
    for uri in stale {
        let found = guarded(|| {
            server.analyse(&uri);
            server.view(&uri).map(|v| publish::diagnostics(&v))
        });
        if let Some(d) = server.documents.get_mut(&uri) {
            d.published = true;
        }
        if let Some(Some(found)) = found {
            let version = server.documents.get(&uri).map(|d| d.version);
            send_diagnostics(connection, json!({"uri": uri, "version": version, "diagnostics": found}));
        }
    }
}

fn send_diagnostics(connection: &Connection, params: Value) {
    let note = Notification { method: "textDocument/publishDiagnostics".into(), params };
    let _ = connection.sender.send(Message::Notification(note));
}

/// Takes notice of a change; gives the URI of a file that was closed.
fn notice(server: &mut Server, n: &Notification) -> Option<String> {
    let document = &n.params["textDocument"];
    let uri = document["uri"].as_str();
    let version = document["version"].as_i64().unwrap_or(0);
    match n.method.as_str() {
        "textDocument/didOpen" => server.open(uri?, version, document["text"].as_str()?),
        "textDocument/didChange" => {
            let text = n.params["contentChanges"].as_array()?.last()?["text"].as_str()?;
            server.change(uri?, version, text);
        }
        "textDocument/didClose" => {
            server.documents.remove(uri?);
            server.forget();
            return uri.map(str::to_string);
        }
        "workspace/didChangeConfiguration" => server.configure(&n.params["settings"]),
        "textDocument/didSave" | "workspace/didChangeWatchedFiles" => server.forget(),
        _ => {}
    }
    None
}

fn answer(server: &mut Server, r: Request) -> Response {
    let Some(handler) = handler(&r.method) else {
        let message = format!("`{}` is not served", r.method);
        return Response::new_err(r.id, ErrorCode::MethodNotFound as i32, message);
    };
    let Some(uri) = r.params["textDocument"]["uri"].as_str().map(str::to_string) else {
        let message = "the request names no document".to_string();
        return Response::new_err(r.id, ErrorCode::InvalidParams as i32, message);
    };
    let made = guarded(|| {
        server.analyse(&uri);
        server.view(&uri).map_or(Ok(Value::Null), |v| handler(&v, &r.params))
    });
    match made {
        Some(Ok(value)) => Response::new_ok(r.id, value),
        Some(Err(why)) => Response::new_err(r.id, ErrorCode::InvalidParams as i32, why),
        None => Response::new_err(r.id, ErrorCode::InternalError as i32, "a defect of mgpu; please report it".into()),
    }
}

type Handler = fn(&View, &Value) -> Answer;

fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "textDocument/hover" => hover::hover,
        "textDocument/inlayHint" => inlay::hints,
        "textDocument/definition" => navigate::definition,
        "textDocument/references" => navigate::references,
        "textDocument/documentHighlight" => navigate::highlights,
        "textDocument/prepareRename" => rename::prepare,
        "textDocument/rename" => rename::rename,
        "textDocument/completion" => complete::complete,
        "textDocument/signatureHelp" => signature::help,
        "textDocument/documentSymbol" => outline::symbols,
        "textDocument/foldingRange" => outline::folds,
        "textDocument/formatting" => actions::format,
        "textDocument/codeAction" => actions::actions,
        "textDocument/semanticTokens/full" => tokens::tokens,
        _ => return None,
    })
}

impl View<'_> {
    /// The byte that a request's `position` means.
    pub(super) fn byte(&self, params: &Value) -> usize {
        let number = |k: &str| params["position"][k].as_u64().unwrap_or(0).min(u64::from(u32::MAX)) as u32;
        let at = lsp_types::Position::new(number("line"), number("character"));
        self.now.lines.byte(&self.now.text, at)
    }
}

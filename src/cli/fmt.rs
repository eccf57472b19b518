//! `mgpu fmt`

use super::MessageFormat;
use super::compile::Session;
use crate::diag::Diagnostic;
use crate::runtime::failure::exit;
use crate::syntax::{parse::parse, print::format};
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Clone)]
pub struct FmtArgs {
    /// Source files; none: read the standard input and print
    files: Vec<PathBuf>,
    /// Change nothing; exit with 1 when a file is not in the standard form
    #[arg(long)]
    check: bool,
}

/// Formats files; gives the exit code.
pub fn fmt(args: &FmtArgs) -> u8 {
    let mut session = Session::new(MessageFormat::Human);
    let mut code = exit::OK;
    if args.files.is_empty() {
        let mut text = String::new();
        if let Err(e) = std::io::Read::read_to_string(&mut std::io::stdin(), &mut text) {
            session.sink.push(Diagnostic::bare("E0001", format!("cannot read the standard input: {e}")));
            session.flush();
            return exit::USAGE;
        }
        if let Some(done) = formatted(&mut session, "<stdin>", &text) {
            print!("{done}");
            return exit::OK;
        }
        return exit::REJECTED;
    }
    for path in &args.files {
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(t) => t,
            Err(e) => {
                session.sink.push(Diagnostic::bare("E0001", format!("cannot read `{name}`: {e}")));
                session.flush();
                code = exit::USAGE;
                continue;
            }
        };
        match formatted(&mut session, &name, &text) {
            None => code = exit::REJECTED,
            Some(done) if done == text => {}
            Some(_) if args.check => {
                println!("{name} is not in the standard form");
                code = exit::REJECTED;
            }
            Some(done) => {
                if let Err(e) = std::fs::write(path, done) {
                    session.sink.push(Diagnostic::bare("E0001", format!("cannot write `{name}`: {e}")));
                    session.flush();
                    code = exit::USAGE;
                }
            }
        }
    }
    code
}

fn formatted(session: &mut Session, name: &str, text: &str) -> Option<String> {
    let id = session.sources.add(name, text);
    let ast = parse(id, text, &mut session.sink);
    let bad = session.sink.has_errors();
    session.flush();
    ast.filter(|_| !bad).map(|ast| format(&ast, text))
}

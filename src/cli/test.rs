//! `mgpu test`: every `test` of the programs on several numbers of ranks, which must leave the same bits.

use super::compile::{Session, planning, root_of};
use super::engine::{EngineArgs, engine, uses_gpus};
use super::{MessageFormat, ProgramArgs, launcher};
use crate::diag::Diagnostic;
use crate::ir::plan::Plan;
use crate::runtime::failure::{Failure, exit};
use crate::runtime::io::root::Root;
use crate::runtime::launch::{self, Manner};
use crate::runtime::stats::Contents;
use crate::syntax::ast::ItemKind;
use clap::Args;
use scratch::Scratch;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod scratch;

#[derive(Args, Clone)]
pub struct TestArgs {
    /// Programs, folders of programs, or modules of the library (`std.stats`)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Run only the tests whose names contain this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Numbers of ranks to run every test on
    #[arg(short = 'n', long, value_name = "LIST", value_delimiter = ',', default_value = "1,2,3,4")]
    ranks: Vec<i64>,
    /// Set a parameter, where the test does not: `-p n=4096`, `-p @params.json`
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// Folder beneath which the programs read [default: each program's folder]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// How diagnostics are printed
    #[arg(long, value_enum, default_value_t = MessageFormat::Human)]
    message_format: MessageFormat,
    #[command(flatten)]
    engine: EngineArgs,
}

/// What a test leaves behind on one number of ranks.
#[derive(Debug, Default, PartialEq)]
struct Left {
    printed: String,
    files: BTreeMap<PathBuf, Vec<u8>>,
    arrays: Vec<Contents>,
    /// A value depends on the number of ranks, and what is left may too.
    depends_on_ranks: bool,
}

/// A test that failed: what it printed until then; its reports are in the session.
struct Failed {
    session: Session,
    ranks: i64,
    printed: String,
}

/// Tests run so far.
#[derive(Default)]
struct Tally {
    passed: usize,
    left_out: usize,
    failed: Vec<(String, Failed)>,
    refused: usize,
}

/// Runs the tests; gives the exit code.
pub fn test(args: &TestArgs) -> u8 {
    let files = match programs(args) {
        Ok(files) => files,
        Err(why) => return usage(args, "E0003", why),
    };
    let mut tally = Tally::default();
    for file in &files {
        tests_of(args, file, files.len() > 1, &mut tally);
    }
    if !tally.failed.is_empty() {
        println!("\nfailures:");
    }
    for (name, f) in &mut tally.failed {
        println!("\n---- {name}, on {} ----", ranks(f.ranks));
        if !f.printed.is_empty() {
            println!("printed:\n{}", f.printed.trim_end());
        }
        f.session.flush();
    }
    let good = tally.failed.is_empty() && tally.refused == 0;
    let refused = if tally.refused == 0 { String::new() } else { format!("; {} rejected", tally.refused) };
    println!(
        "\ntest result: {}. {} passed; {} failed; {} filtered out{refused}",
        if good { "ok" } else { "FAILED" },
        tally.passed,
        tally.failed.len(),
        tally.left_out
    );
    if good { exit::OK } else { exit::REJECTED }
}

/// The files that the arguments name, or why they cannot be had.
fn programs(args: &TestArgs) -> Result<Vec<PathBuf>, String> {
    if launcher::launched().is_some_and(|size| size > 1) {
        return Err("`mgpu test` runs its ranks as threads: start it without a launcher".into());
    }
    if let Some(n) = args.ranks.iter().find(|n| !(1..=4096).contains(*n)) {
        return Err(format!("{n} ranks as threads: between 1 and 4096 are possible"));
    }
    let mut files = vec![];
    for path in &args.files {
        match path.is_dir() {
            true => beneath(path, &mut files).map_err(|e| format!("cannot read `{}`: {}", path.display(), e.kind()))?,
            false => files.push(path.clone()),
        }
    }
    Ok(files)
}

/// The programs of a folder and of those in it, in order; hidden ones are left out.
fn beneath(folder: &Path, out: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect::<std::io::Result<Vec<PathBuf>>>()?;
    entries.sort();
    for e in entries {
        let hidden = e.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if e.is_dir() && !hidden && !e.is_symlink() {
            beneath(&e, out)?;
        } else if !hidden && e.extension().is_some_and(|x| x == "mgpu") {
            out.push(e);
        }
    }
    Ok(())
}

/// Runs the tests of one file.
fn tests_of(args: &TestArgs, file: &Path, many: bool, tally: &mut Tally) {
    let program = ProgramArgs {
        file: file.into(),
        param: args.param.clone(),
        root: args.root.clone(),
        message_format: args.message_format,
    };
    let mut session = Session::new(args.message_format);
    let found = session.on_deep_stack(|s| {
        let ast = s.tree(file)?;
        let title = |(k, item): (usize, &crate::syntax::ast::Item)| match &item.kind {
            ItemKind::Test(t) => Some((k, t.title.text.clone())),
            _ => None,
        };
        let tests: Vec<(usize, String)> = ast.items.iter().enumerate().filter_map(title).collect();
        match tests.is_empty() {
            // What cannot be read may have held tests.
            true => (!s.sink.has_errors()).then_some(tests),
            false => s.program(&program, 1).map(|_| tests),
        }
    });
    let Some(tests) = found else {
        println!("{}: rejected", file.display());
        session.flush();
        tally.refused += 1;
        return;
    };
    let wanted = |name: &str| args.filter.as_ref().is_none_or(|f| name.contains(f.as_str()));
    if many && tests.iter().any(|t| wanted(&t.1)) {
        println!("{}", file.display());
    }
    tally.left_out += tests.iter().filter(|t| !wanted(&t.1)).count();
    for (item, name) in tests.into_iter().filter(|t| wanted(&t.1)) {
        match one_test(args, &program, item) {
            Ok(()) => {
                println!("test {name} ... ok");
                tally.passed += 1;
            }
            Err(f) => {
                println!("test {name} ... FAILED");
                tally.failed.push((format!("{}: {name}", file.display()), f));
            }
        }
    }
}

/// Runs one test on every number of ranks.
fn one_test(args: &TestArgs, program: &ProgramArgs, item: usize) -> Result<(), Failed> {
    let mut first: Option<(i64, Left)> = None;
    for &n in &args.ranks {
        let mut session = Session::new(args.message_format);
        let mut printed = vec![];
        let left = on_ranks(args, program, item, n, &mut session, &mut printed);
        let printed = String::from_utf8_lossy(&printed).into_owned();
        let Some(left) = left.map(|left| Left { printed: printed.clone(), ..left }) else {
            return Err(Failed { session, ranks: n, printed });
        };
        match &first {
            None => first = Some((n, left)),
            Some((m, other)) => {
                if let Some(what) = difference(other, &left) {
                    let message = format!("on {} {what} than on {}", ranks(n), ranks(*m));
                    session.sink.push(Diagnostic::bare("E0613", message).help(
                        "a program gives the same bits on any number of ranks: this is a defect of mgpu; please report it with the program",
                    ));
                    return Err(Failed { session, ranks: n, printed });
                }
            }
        }
    }
    Ok(())
}

/// Runs one test on a number of ranks; `None` when it failed, with the report in the session.
fn on_ranks(
    args: &TestArgs,
    program: &ProgramArgs,
    item: usize,
    n: i64,
    session: &mut Session,
    printed: &mut Vec<u8>,
) -> Option<Left> {
    let plan: Plan = session.on_deep_stack(|s| {
        let bound = s.test(program, item, n)?;
        crate::planner::plan_with(bound, n, planning(args.engine.multiplier(uses_gpus(&args.engine))), &mut s.sink)
    })?;
    if session.sink.has_errors() {
        return None;
    }
    let bare = |session: &mut Session, why: String| session.sink.push(Diagnostic::bare("E0003", why));
    let scratch =
        Scratch::new().map_err(|e| bare(session, format!("cannot make a temporary folder: {}", e.kind()))).ok()?;
    let root = Root::open(root_of(program)).and_then(|r| r.writing_to(scratch.path()));
    let root = root.map_err(|e| bare(session, e.message)).ok()?;
    let engine = engine(&args.engine, true, &plan, &session.sources).map_err(|why| bare(session, why)).ok()?;
    let manner = Manner { contents: true, ..Manner::default() };
    match launch::run_threads(&plan, &*engine, &root, printed, manner) {
        Ok(stats) => Some(Left {
            printed: String::new(),
            files: scratch.files(),
            arrays: stats.into_iter().next().map(|s| s.contents).unwrap_or_default(),
            depends_on_ranks: plan.program.depends_on_ranks,
        }),
        Err(Failure::Agreed(d)) => {
            session.sink.push(d);
            None
        }
        Err(Failure::Lost(why) | Failure::Device(why) | Failure::Internal(why)) => {
            session.sink.push(Diagnostic::bare("E0800", why));
            None
        }
    }
}

/// In what the second run differs from the first, as far as nothing in the program asks for it.
fn difference(first: &Left, second: &Left) -> Option<String> {
    if first.depends_on_ranks || second.depends_on_ranks || first == second {
        return None;
    }
    let mut lines = first.printed.lines().zip(second.printed.lines()).enumerate();
    if let Some((k, (a, b))) = lines.find(|(_, (a, b))| a != b) {
        return Some(format!("the test prints other text (line {}: `{b}` and `{a}`)", k + 1));
    }
    if first.printed != second.printed {
        return Some("the test prints more or fewer lines".into());
    }
    let names = first.files.keys().chain(second.files.keys());
    if let Some(name) = names.into_iter().find(|name| first.files.get(*name) != second.files.get(*name)) {
        return Some(format!("the test writes another `{}`", name.display()));
    }
    let other = first.arrays.iter().zip(&second.arrays).find(|(a, b)| a != b);
    Some(match other {
        Some((a, _)) => format!("the array `{}` ends with other bits", a.array),
        None => "the test has other arrays".into(),
    })
}

fn ranks(n: i64) -> String {
    format!("{n} rank{}", if n == 1 { "" } else { "s" })
}

fn usage(args: &TestArgs, code: &'static str, why: String) -> u8 {
    let mut session = Session::new(args.message_format);
    session.sink.push(Diagnostic::bare(code, why));
    session.flush();
    exit::USAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(printed: &str, digest: u64) -> Left {
        let arrays = vec![Contents { array: "u".into(), digest }];
        Left { printed: printed.into(), arrays, ..Left::default() }
    }

    #[test]
    fn what_differs_is_named() {
        assert_eq!(difference(&left("a\n", 1), &left("a\n", 1)), None);
        let text = |a: &Left, b: &Left| difference(a, b).unwrap();
        assert!(text(&left("a\nb\n", 1), &left("a\nc\n", 1)).contains("(line 2: `c` and `b`)"));
        assert!(text(&left("a\n", 1), &left("a\n", 2)).contains("the array `u`"));
        let mut files = left("a\n", 1);
        files.files.insert("u.npy".into(), vec![1]);
        assert!(text(&left("a\n", 1), &files).contains("another `u.npy`"));
        files.depends_on_ranks = true;
        assert_eq!(difference(&left("a\n", 1), &files), None);
    }
}

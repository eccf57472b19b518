//! `mgpu explain prog.mgpu:14 --as mpi4py`: lines of a program, or all of it, as the script that one would write by hand.

use super::compile::Session;
use super::{MessageFormat, ProgramArgs};
use crate::diag::Diagnostic;
use crate::ir::program::{Program, Stmt, StmtKind};
use crate::mpi4py::script;
use crate::planner::{Options, Panelling};
use crate::runtime::failure::exit;
use crate::source::{FileId, SourceMap, Span};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// What a program may be written as.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
pub enum Form {
    /// mpi4py with NumPy or CuPy
    Mpi4py,
}

/// Ranks of a script at most; its lists of parts would get too long to read.
const MOST_RANKS: i64 = 64;

/// Prints the script; gives the exit code. Without `lines` it is that of the whole program.
pub fn by_hand(program: &ProgramArgs, lines: Option<RangeInclusive<usize>>, ranks: i64) -> u8 {
    let mut session = Session::new(MessageFormat::Human);
    if !(1..=MOST_RANKS).contains(&ranks) {
        let message = format!("a script by hand is for 1 to {MOST_RANKS} ranks, not {ranks}");
        session.sink.push(Diagnostic::bare("E0003", message));
        session.flush();
        return exit::USAGE;
    }
    let text = session.on_deep_stack(|s| {
        let mut bound = s.program(program, ranks)?;
        let mut title = title(program, lines.as_ref(), &s.sources, ranks);
        if let Some(lines) = &lines {
            match kept(&mut bound, lines, &s.sources) {
                Ok(callers) if callers.is_empty() => {}
                Ok(callers) => title += &format!("\nwhich line {} of the workflow computes", listed(&callers)),
                Err(report) => {
                    s.sink.push(report);
                    return None;
                }
            }
        }
        let plan = crate::planner::plan_with(bound, ranks, AS_READ, &mut s.sink)?;
        match script(&plan, &s.sources, &title, lines.is_some()) {
            Ok(text) => Some(text),
            Err(no) => {
                let message = format!("no script by hand for this: {}", no.what);
                s.sink.push(
                    Diagnostic::error("E0901", message, no.span, "from here")
                        .help("ask for other lines (`prog.mgpu:3-9`), or without `--as` for what they do, in prose"),
                );
                None
            }
        }
    });
    let (rejected, refusal) = (session.sink.has_errors(), session.refusal());
    session.flush();
    let Some(text) = text.filter(|_| !rejected) else { return refusal };
    print!("{text}");
    exit::OK
}

/// Every statement on its own, and factors of products gathered whole, as one writes it first.
const AS_READ: Options = Options { fused: false, panels: Panelling::Never };

/// The first lines of the script: where it comes from, and the text of the lines.
fn title(program: &ProgramArgs, lines: Option<&RangeInclusive<usize>>, sources: &SourceMap, ranks: i64) -> String {
    let name = program.file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let on = format!("on {ranks} rank{}, by hand", if ranks == 1 { "" } else { "s" });
    let Some(lines) = lines else { return format!("{name} {on}") };
    let (a, b) = (*lines.start(), *lines.end());
    let range = if a == b { a.to_string() } else { format!("{a}-{b}") };
    let mut out = format!("{name}:{range} {on}");
    let text = &sources.file(FileId(0)).text;
    for row in text.lines().skip(a - 1).take(b + 1 - a).take(8) {
        out += &format!("\n    {}", row.trim_end());
    }
    out
}

/// `3`, `3 and 4`, `3, 4 and 5`
fn listed(lines: &BTreeSet<usize>) -> String {
    let words: Vec<String> = lines.iter().map(usize::to_string).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// Leaves of a program's workflow only the statements of some lines; of lines in kernels, the statements that compute them, whose lines
/// are given. The loops around them fall away.
fn kept(
    program: &mut Program,
    lines: &RangeInclusive<usize>,
    sources: &SourceMap,
) -> Result<BTreeSet<usize>, Diagnostic> {
    let text = &sources.file(FileId(0)).text;
    if text.lines().nth(lines.start() - 1).is_none() {
        let message =
            format!("there is no line {}: the program ends with line {}", lines.start(), text.lines().count());
        return Err(Diagnostic::bare("E0002", message));
    }
    let inside = |s: Span| {
        let whole = Span { start: s.end.saturating_sub(1).max(s.start), ..s };
        s.end > 0
            && s.file == FileId(0)
            && lines.contains(&sources.line_col(s).0)
            && lines.contains(&sources.line_col(whole).0)
    };
    let (mut out, mut callers) = (vec![], BTreeSet::new());
    collect(&program.body, &|s| inside(s.source), &mut out);
    if out.is_empty() {
        let mut computed = vec![];
        collect(
            &program.body,
            &|s| matches!(s.kind, StmtKind::Compute(_) | StmtKind::Scatter { .. }) && inside(s.span),
            &mut computed,
        );
        let from: Vec<Span> = computed.iter().map(|s| s.source).filter(|s| s.end > 0).collect();
        collect(&program.body, &|s| from.contains(&s.source), &mut out);
        callers = from.iter().filter(|s| s.file == FileId(0)).map(|s| sources.line_col(*s).0).collect();
    }
    if out.is_empty() {
        let start = text.split_inclusive('\n').take(lines.start() - 1).map(str::len).sum::<usize>();
        let end = start + text[start..].lines().next().map_or(0, str::len);
        return Err(Diagnostic::error(
            "E0901",
            "no whole statement of the workflow is here, so there is no script for it",
            Span::new(FileId(0), start, end),
            "this line",
        )
        .help("ask for a line of the workflow, for all lines of a loop (`prog.mgpu:3-9`), or for the program (`prog.mgpu`)"));
    }
    program.body = out;
    Ok(callers)
}

fn collect(body: &[Stmt], inside: &dyn Fn(&Stmt) -> bool, out: &mut Vec<Stmt>) {
    for s in body {
        if inside(s) {
            out.push(s.clone());
            continue;
        }
        match &s.kind {
            StmtKind::For { body, .. } => collect(body, inside, out),
            StmtKind::While { before, body, .. } => {
                collect(before, inside, out);
                collect(body, inside, out);
            }
            StmtKind::If { then, otherwise, .. } => {
                collect(then, inside, out);
                collect(otherwise, inside, out);
            }
            _ => {}
        }
    }
}

/// `14` or `14-17`.
pub fn lines(text: &str) -> Option<RangeInclusive<usize>> {
    let (a, b) = text.split_once('-').unwrap_or((text, text));
    let (a, b) = (a.parse().ok()?, b.parse().ok()?);
    (a >= 1 && a <= b).then_some(a..=b)
}

/// The program that `mgpu explain` was given.
pub fn program(file: &str, param: &[String], root: Option<&std::path::PathBuf>) -> ProgramArgs {
    ProgramArgs { file: file.into(), param: param.to_vec(), root: root.cloned(), message_format: MessageFormat::Human }
}

//! `mgpu sim`

use super::ProgramArgs;
use super::compile::{Session, root_of};
use crate::diag::Diagnostic;
use crate::ir::plan::text::bytes;
use crate::runtime::failure::exit;
use crate::runtime::io::root::Root;
use crate::sim::broken::{Break, broken, without_files};
use crate::sim::film::Film;
use crate::sim::{record, screen, text};
use clap::Args;
use std::io::IsTerminal;

#[derive(Args, Clone)]
pub struct SimArgs {
    #[command(flatten)]
    program: ProgramArgs,
    /// Number of ranks
    #[arg(short = 'n', long, default_value_t = 4)]
    ranks: i64,
    /// Leave one exchange or one all-reduce out, and show what comes of it beside the right picture
    #[arg(long = "break", value_enum, value_name = "WHAT")]
    left_out: Option<What>,
    /// The line whose exchange or all-reduce is left out [default: the first that the plan has]
    #[arg(long, value_name = "LINE", requires = "left_out")]
    at: Option<usize>,
    /// Show only these arrays (`u,v`)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    arrays: Vec<String>,
    /// Print the steps as text, all or some (`--frames 3-9`)
    #[arg(long, value_name = "FIRST-LAST", num_args = 0..=1, default_missing_value = "")]
    frames: Option<String>,
    /// Columns of the text
    #[arg(long, value_name = "N", default_value_t = 120)]
    width: usize,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
enum What {
    Halo,
    Reduce,
}

/// Ranks that a screen has room for.
const MOST_RANKS: i64 = 64;

/// Runs a program step by step on a screen; gives the exit code.
pub fn sim(args: &SimArgs) -> u8 {
    let mut session = Session::new(args.program.message_format);
    let film = film(args, &mut session);
    session.flush();
    let film = match film {
        Ok(film) => film,
        Err(code) => return code,
    };
    if args.frames.is_some() || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        let Some(range) = range(args.frames.as_deref().unwrap_or(""), film.frames.len()) else {
            session.sink.push(Diagnostic::bare("E0003", "`--frames` takes two numbers, as in `--frames 3-9`"));
            session.flush();
            return exit::USAGE;
        };
        print!("{}", text(&film, range, args.width.clamp(20, 1000), &args.arrays));
        return exit::OK;
    }
    match screen::show(&film, &args.arrays) {
        Ok(()) => exit::OK,
        Err(e) => {
            session.sink.push(
                Diagnostic::bare("E0003", format!("the terminal cannot be used: {e}")).help("`--frames` prints text"),
            );
            session.flush();
            exit::USAGE
        }
    }
}

/// Compiles, runs and cuts into frames.
fn film(args: &SimArgs, session: &mut Session) -> Result<Film, u8> {
    let usage = |session: &mut Session, message: String, help: &str| {
        let d = Diagnostic::bare("E0003", message);
        session.sink.push(if help.is_empty() { d } else { d.help(help) });
        exit::USAGE
    };
    if !(1..=MOST_RANKS).contains(&args.ranks) {
        return Err(usage(session, format!("a simulation shows 1 to {MOST_RANKS} ranks, not {}", args.ranks), ""));
    }
    let plan = session.plan(&args.program, args.ranks);
    let Some(mut plan) = plan.filter(|_| !session.sink.has_errors()) else { return Err(session.refusal()) };
    if !plan.program.has_main {
        return Err(usage(session, "the program has no `workflow main`, so there is nothing to run".into(), ""));
    }
    for name in &args.arrays {
        if !plan.arrays.iter().any(|a| a.used && a.array.name == *name) {
            return Err(usage(session, format!("the program has no array `{name}`"), ""));
        }
    }
    let held = record::bytes(&plan);
    if held > record::MOST_BYTES {
        let message = format!(
            "the ranks hold {} in arrays; a simulation keeps every state and takes programs up to {}",
            bytes(held),
            bytes(record::MOST_BYTES)
        );
        return Err(usage(session, message, "make the arrays smaller, for example with `-p n=16`"));
    }
    let root = Root::open(root_of(&args.program)).map_err(|e| usage(session, e.message, ""))?;
    without_files(&mut plan);
    let left_out = match args.left_out {
        None => None,
        Some(what) => {
            let what = if what == What::Halo { Break::Halo } else { Break::Reduce };
            Some(broken(&plan, what, args.at, &session.sources).map_err(|why| usage(session, why, ""))?)
        }
    };
    let name = args.program.file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let title = format!("{name} on {} rank{}", args.ranks, if args.ranks == 1 { "" } else { "s" });
    Ok(Film::new(plan, left_out, &root, &session.sources, &title))
}

/// `3-9` as positions, or all of them.
fn range(text: &str, count: usize) -> Option<std::ops::Range<usize>> {
    if text.is_empty() {
        return Some(0..count);
    }
    let (a, b) = text.split_once('-').unwrap_or((text, text));
    let (a, b): (usize, usize) = (a.parse().ok()?, b.parse().ok()?);
    (a >= 1 && a <= b).then(|| (a - 1).min(count)..b.min(count))
}

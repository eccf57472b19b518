//! `mgpu plan`

use super::ProgramArgs;
use super::compile::{Multiplier, Session};
use crate::ir::plan::Plan;
use crate::picture;
use crate::runtime::failure::exit;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args, Clone)]
pub struct PlanArgs {
    #[command(flatten)]
    program: ProgramArgs,
    /// Number of ranks to plan for; none of them needs to exist
    #[arg(short = 'n', long, default_value_t = 4)]
    ranks: i64,
    /// Plan for ranks on GPUs: products of matrices are given larger panels
    #[arg(long)]
    gpus: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a page that steps through the plan, in one file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the arrays, and the exchange that carries most, as one figure
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Prints the plan of a program, or draws it; gives the exit code.
pub fn plan(args: &PlanArgs) -> u8 {
    let mut session = Session::new(args.program.message_format);
    let by = if args.gpus { Multiplier::Gpu } else { Multiplier::Cpu };
    let plan = session.plan_for(by, &args.program, args.ranks.clamp(1, 1 << 20));
    let (rejected, refusal) = (session.sink.has_errors(), session.refusal());
    session.flush();
    let Some(plan) = plan.filter(|_| !rejected) else { return refusal };
    if args.html.is_some() || args.svg.is_some() {
        return draw(args, &plan, &session);
    }
    let text = if args.json { format!("{:#}\n", plan.json(&session.sources)) } else { plan.text(&session.sources) };
    print!("{text}");
    exit::OK
}

fn draw(args: &PlanArgs, plan: &Plan, session: &Session) -> u8 {
    if plan.ranks > picture::MOST_RANKS {
        eprintln!("a picture shows at most {} ranks; `-n {}` are too many", picture::MOST_RANKS, plan.ranks);
        return exit::USAGE;
    }
    let title = args.program.file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let page = args.html.iter().map(|f| (f, picture::page(plan, &session.sources, &title)));
    let figure = args.svg.iter().map(|f| (f, picture::figure(plan, &session.sources, &title)));
    let done: Vec<bool> = page.chain(figure).map(|(file, text)| write(file, &text)).collect();
    if done.iter().all(|ok| *ok) { exit::OK } else { exit::USAGE }
}

fn write(file: &Path, text: &str) -> bool {
    let done = std::fs::write(file, text);
    if let Err(e) = &done {
        eprintln!("cannot write `{}`: {e}", file.display());
    }
    done.is_ok()
}

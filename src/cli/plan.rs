//! `mgpu plan`

use super::ProgramArgs;
use super::compile::Session;
use crate::runtime::failure::exit;
use clap::Args;

#[derive(Args, Clone)]
pub struct PlanArgs {
    #[command(flatten)]
    program: ProgramArgs,
    /// Number of ranks to plan for; none of them needs to exist
    #[arg(short = 'n', long, default_value_t = 4)]
    ranks: i64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the plan of a program; gives the exit code.
pub fn plan(args: &PlanArgs) -> u8 {
    let mut session = Session::new(args.program.message_format);
    let plan = session.plan(&args.program, args.ranks.clamp(1, 1 << 20));
    let (rejected, refusal) = (session.sink.has_errors(), session.refusal());
    session.flush();
    let Some(plan) = plan.filter(|_| !rejected) else { return refusal };
    let text = if args.json { format!("{:#}\n", plan.json(&session.sources)) } else { plan.text(&session.sources) };
    print!("{text}");
    exit::OK
}

//! `mgpu check`

use super::ProgramArgs;
use super::compile::Session;
use crate::runtime::failure::exit;
use clap::Args;

#[derive(Args, Clone)]
pub struct CheckArgs {
    #[command(flatten)]
    program: ProgramArgs,
    /// Number of ranks to check for
    #[arg(short = 'n', long, default_value_t = 4)]
    ranks: i64,
}

/// Checks a program; gives the exit code.
pub fn check(args: &CheckArgs) -> u8 {
    let mut session = Session::new(args.program.message_format);
    let plan = session.plan(&args.program, args.ranks.max(1));
    let code = if session.sink.has_errors() || plan.is_none() { session.refusal() } else { exit::OK };
    session.flush();
    code
}

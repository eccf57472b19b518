//! `mgpu emit`

use super::ProgramArgs;
use super::compile::Session;
use crate::runtime::failure::exit;
use clap::Args;

#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
enum Stage {
    /// The syntax tree
    Ast,
    /// The bound program: arrays, nests, workflow
    Program,
    /// The kernels as C
    C,
}

#[derive(Args, Clone)]
pub struct EmitArgs {
    /// What to print
    #[arg(value_enum)]
    stage: Stage,
    #[command(flatten)]
    program: ProgramArgs,
    /// Number of ranks
    #[arg(short = 'n', long, default_value_t = 1)]
    ranks: i64,
}

/// Prints what a stage makes of a program; gives the exit code.
pub fn emit(args: &EmitArgs) -> u8 {
    let mut session = Session::new(args.program.message_format);
    let plan = session.plan(&args.program, args.ranks.max(1));
    let (rejected, refusal) = (session.sink.has_errors(), session.refusal());
    session.flush();
    let Some(plan) = plan.filter(|_| !rejected) else { return refusal };
    match args.stage {
        Stage::Ast => {
            let file = crate::source::FileId(0);
            let text = session.sources.file(file).text.clone();
            if let Some(ast) = crate::syntax::parse::parse(file, &text, &mut session.sink) {
                println!("{ast:#?}");
            }
        }
        Stage::Program => println!("{:#?}", plan.program),
        Stage::C => {
            let nests: Vec<_> = plan.nests.iter().map(|n| n.nest.clone()).collect();
            println!("{}", crate::codegen::c::unit(&nests, &plan.program.tables));
        }
    }
    exit::OK
}

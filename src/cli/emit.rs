//! `mgpu emit`

use super::ProgramArgs;
use super::compile::{Multiplier, Session};
use crate::runtime::failure::exit;
use clap::Args;
#[cfg(feature = "cuda")]
use std::io::Write;

#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
enum Stage {
    /// The syntax tree
    Ast,
    /// The bound program: arrays, nests, workflow
    Program,
    /// The kernels as C
    C,
    /// The kernels as CUDA C
    #[cfg(feature = "cuda")]
    Cuda,
    /// Machine code for a GPU, compiled by NVRTC; needs no GPU
    #[cfg(feature = "cuda")]
    Cubin,
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
    /// GPU architecture of `cubin`
    #[cfg(feature = "cuda")]
    #[arg(long, default_value = "sm_90")]
    arch: String,
}

/// Prints what a stage makes of a program; gives the exit code.
pub fn emit(args: &EmitArgs) -> u8 {
    let mut session = Session::new(args.program.message_format);
    #[cfg(feature = "cuda")]
    let by = if matches!(args.stage, Stage::Cuda | Stage::Cubin) { Multiplier::Gpu } else { Multiplier::Cpu };
    #[cfg(not(feature = "cuda"))]
    let by = Multiplier::Cpu;
    let plan = session.plan_for(by, &args.program, args.ranks.max(1));
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
        #[cfg(feature = "cuda")]
        Stage::Cuda => {
            let line = |span| super::engine::line(&session.sources, span);
            println!("{}", crate::runtime::device::cuda::unit(&plan, &line).text);
        }
        #[cfg(feature = "cuda")]
        Stage::Cubin => {
            use crate::runtime::device::cuda::{driver, nvrtc, unit};
            let text = unit(&plan, &|span| super::engine::line(&session.sources, span)).text;
            // Where a run of this machine finds it too, with what all programs share.
            let cubin = |text: &str| nvrtc::cubin(text, &args.arch, driver::version());
            match cubin(&crate::codegen::cuda::common()).and_then(|_| cubin(&text)) {
                // A closed pipe is no reason to fail.
                Ok((code, _)) => drop(std::io::stdout().write_all(&code)),
                Err(why) => {
                    session.sink.push(crate::diag::Diagnostic::bare("E0620", why));
                    session.flush();
                    return exit::FAILED;
                }
            }
        }
    }
    exit::OK
}

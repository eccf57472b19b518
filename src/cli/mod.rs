//! The command line: one file a verb.

mod by_hand;
mod check;
mod compile;
mod doc;
mod doctor;
mod emit;
mod engine;
mod explain;
mod explain_line;
mod fmt;
pub mod job;
mod launcher;
#[cfg(feature = "lsp")]
mod lsp;
mod plan;
mod run;
#[cfg(feature = "sim")]
mod sim;
mod test;
mod trace;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

const ABOUT: &str = "A declarative language and compiler for array programs on many GPUs over MPI";

#[derive(Parser)]
#[command(name = "mgpu", version, about = ABOUT, subcommand_precedence_over_arg = true, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    run: Option<run::RunArgs>,
}

#[derive(Subcommand)]
enum Verb {
    /// Run a program (`mgpu prog.mgpu` means the same)
    Run(run::RunArgs),
    /// Run the `test` blocks of programs on several numbers of ranks, and compare the bits
    Test(test::TestArgs),
    /// Report what is wrong with a program, without running it
    Check(check::CheckArgs),
    /// Show what every rank will do, for any number of ranks
    Plan(plan::PlanArgs),
    /// Lay out source files in the standard form
    Fmt(fmt::FmtArgs),
    /// Print what a stage of the compiler makes of a program
    Emit(emit::EmitArgs),
    /// Print the documentation of programs and library modules, as Markdown
    Doc(doc::DocArgs),
    /// Say what this machine offers: compilers, MPI, devices
    Doctor(doctor::DoctorArgs),
    /// Explain a diagnostic's code, or in prose what a line of a program makes the ranks do
    Explain(explain::ExplainArgs),
    /// Go through a run step by step on the terminal, forwards and backwards: every rank's parts, messages, stale cells
    #[cfg(feature = "sim")]
    Sim(sim::SimArgs),
    /// Serve an editor: the language server, on the standard streams
    #[cfg(feature = "lsp")]
    Lsp(lsp::LspArgs),
    /// Try whether MPI takes addresses of device memory, in a process that may crash
    #[cfg(all(feature = "mpi", feature = "cuda"))]
    #[command(hide = true)]
    MpiTakesDeviceMemory {
        /// The device, by its number
        device: i32,
    },
    /// Print a completion script for a shell
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
}

/// How a program and its parameters are given.
#[derive(Args, Clone)]
struct ProgramArgs {
    /// The program
    file: PathBuf,
    /// Set a parameter: `-p n=4096`; a path to a JSON file sets several: `-p @params.json`
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    param: Vec<String>,
    /// Folder beneath which the program reads and writes [default: the program's folder]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// How diagnostics are printed
    #[arg(long, value_enum, default_value_t = MessageFormat::Human)]
    message_format: MessageFormat,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
enum MessageFormat {
    Human,
    Json,
}

/// Runs the command line and gives the exit code.
pub fn main() -> ExitCode {
    // SAFETY: restores the default action of SIGPIPE, so that `mgpu plan | head` ends quietly.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    // SAFETY: a file past the limit on sizes is then an error of the write, which is reported, and no end of the process.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { crate::runtime::failure::exit::USAGE } else { 0 });
        }
    };
    let code = match cli.verb {
        Some(Verb::Run(a)) => run::run(&a),
        Some(Verb::Test(a)) => test::test(&a),
        Some(Verb::Check(a)) => check::check(&a),
        Some(Verb::Plan(a)) => plan::plan(&a),
        Some(Verb::Fmt(a)) => fmt::fmt(&a),
        Some(Verb::Emit(a)) => emit::emit(&a),
        Some(Verb::Doc(a)) => doc::doc(&a),
        Some(Verb::Doctor(a)) => doctor::doctor(&a),
        Some(Verb::Explain(a)) => explain::explain(&a),
        #[cfg(feature = "sim")]
        Some(Verb::Sim(a)) => sim::sim(&a),
        #[cfg(feature = "lsp")]
        Some(Verb::Lsp(a)) => lsp::lsp(&a),
        #[cfg(all(feature = "mpi", feature = "cuda"))]
        Some(Verb::MpiTakesDeviceMemory { device }) => job::takes_device_memory(device),
        Some(Verb::Completions { shell }) => {
            let mut command = <Cli as clap::CommandFactory>::command();
            clap_complete::generate(shell, &mut command, "mgpu", &mut std::io::stdout());
            0
        }
        None => match cli.run {
            Some(a) => run::run(&a),
            None => {
                let _ = <Cli as clap::CommandFactory>::command().print_help();
                crate::runtime::failure::exit::USAGE
            }
        },
    };
    ExitCode::from(code)
}

//! `mgpu run`

use super::compile::{Session, root_of};
use super::{MessageFormat, ProgramArgs};
use crate::diag::Diagnostic;
use crate::ir::plan::Plan;
use crate::runtime::device::{Executor, vm::Vm};
use crate::runtime::failure::{Failure, exit};
use crate::runtime::io::root::Root;
use crate::runtime::launch;
use crate::runtime::stats::Stats;
use clap::Args;
use std::time::{Duration, Instant};

#[derive(Args, Clone)]
pub struct RunArgs {
    #[command(flatten)]
    program: ProgramArgs,
    /// Number of ranks [default: under a launcher the job's, else one a core]
    #[arg(short = 'n', long, value_name = "N")]
    ranks: Option<i64>,
    /// What runs the kernels on a CPU: the built-in machine, native C, or native C where a compiler is found
    #[arg(long, value_enum, default_value_t = ExecutorChoice::Auto)]
    executor: ExecutorChoice,
    /// Device to run on
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    device: Device,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// No summary
    #[arg(short, long)]
    quiet: bool,
    /// Say what is done: executor, launcher command
    #[arg(short, long)]
    verbose: bool,
    /// Start the ranks through this launcher
    #[arg(long, value_enum)]
    launcher: Option<Launcher>,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
enum ExecutorChoice {
    Auto,
    Vm,
    Native,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
enum Device {
    Auto,
    Cpu,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
enum Launcher {
    Threads,
    Mpirun,
}

/// Runs a program; gives the exit code.
pub fn run(args: &RunArgs) -> u8 {
    let _ = args.device;
    let ranks = args.ranks.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, |n| n.get() as i64));
    if !(1..=4096).contains(&ranks) {
        return usage(args, format!("{ranks} ranks as threads: between 1 and 4096 are possible"));
    }
    let mut session = Session::new(args.program.message_format);
    let start = Instant::now();
    let plan = session.plan(&args.program, ranks);
    let rejected = session.sink.has_errors();
    session.flush();
    let Some(plan) = plan.filter(|_| !rejected) else { return exit::REJECTED };
    if plan.steps.is_empty() {
        return usage(args, "the program has no `workflow main`, so there is nothing to run".into());
    }
    let root = match Root::open(root_of(&args.program)) {
        Ok(r) => r,
        Err(e) => return usage(args, e.message),
    };
    let executor = match executor(args, &plan) {
        Ok(e) => e,
        Err(why) => return usage(args, why),
    };
    let compiled = start.elapsed();
    let start = Instant::now();
    let outcome = launch::run_threads(&plan, &*executor, &root, &mut std::io::stdout());
    match outcome {
        Ok(stats) => {
            summary(args, &plan, &stats, compiled, start.elapsed(), executor.name());
            exit::OK
        }
        Err(f) => failed(&mut session, f),
    }
}

/// Reports a failed run once.
pub fn failed(session: &mut Session, f: Failure) -> u8 {
    match f {
        Failure::Agreed(d) => {
            session.sink.push(d);
            session.flush();
            exit::FAILED
        }
        Failure::Lost(why) => {
            session.sink.push(Diagnostic::bare("E0700", why));
            session.flush();
            exit::LOST
        }
    }
}

fn usage(args: &RunArgs, message: String) -> u8 {
    let mut session = Session::new(args.program.message_format);
    session.sink.push(Diagnostic::bare("E0003", message));
    session.flush();
    exit::USAGE
}

/// The executor that the arguments ask for.
fn executor(args: &RunArgs, plan: &Plan) -> Result<Box<dyn Executor>, String> {
    let nests: Vec<_> = plan.nests.iter().map(|n| n.nest.clone()).collect();
    let tables = &plan.program.tables;
    let _ = args.verbose;
    Ok(Box::new(Vm::new(&nests, tables)))
}

/// A short account of the run on stderr.
fn summary(args: &RunArgs, plan: &Plan, stats: &[Stats], compiled: Duration, ran: Duration, executor: &str) {
    if args.quiet {
        return;
    }
    let sum = |f: &dyn Fn(&Stats) -> u64| stats.iter().map(f).sum::<u64>();
    let (messages, bytes) = (sum(&|s| s.messages), sum(&|s| s.bytes));
    let longest = |f: &dyn Fn(&Stats) -> Duration| stats.iter().map(f).max().unwrap_or_default().as_secs_f64();
    let (computation, communication) = (longest(&|s| s.computation), longest(&|s| s.communication));
    let seconds = ran.as_secs_f64();
    let share = if seconds > 0.0 { 100.0 * communication / seconds } else { 0.0 };
    let bandwidth = if computation > 0.0 { sum(&|s| s.touched) as f64 / computation / 1e9 } else { 0.0 };
    if args.json {
        let value = serde_json::json!({
            "ranks": plan.ranks, "executor": executor, "compile_s": compiled.as_secs_f64(), "run_s": seconds,
            "computation_s": computation, "communication_s": communication, "messages": messages, "bytes": bytes,
            "reductions": stats.first().map_or(0, |s| s.reductions), "steps": stats.first().map_or(0, |s| s.steps),
            "compulsory_bytes": sum(&|s| s.touched),
        });
        eprintln!("{value}");
        return;
    }
    if args.program.message_format == MessageFormat::Json {
        return;
    }
    let plural = |n: i64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    eprintln!(
        "{} on {executor}: {seconds:.3} s ({:.3} s to compile), {share:.0} % communication, {}, {bytes} bytes sent, {bandwidth:.1} GB/s",
        plural(plan.ranks, "rank"),
        compiled.as_secs_f64(),
        plural(messages as i64, "message"),
    );
    let _ = MessageFormat::Human;
}

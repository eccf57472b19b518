//! `mgpu run`

use super::compile::{Session, root_of};
use super::engine::{EngineArgs, default_ranks, engine, uses_gpus};
use super::{MessageFormat, ProgramArgs, launcher};
use crate::diag::Diagnostic;
use crate::ir::plan::Plan;
#[cfg(feature = "mpi")]
use crate::runtime::comm::{Comm, mpi::MpiComm};
use crate::runtime::device::{Engine, Placement};
use crate::runtime::failure::{Failure, exit};
use crate::runtime::io::root::Root;
use crate::runtime::launch::{self, Manner, Term};
use crate::runtime::pace::slower_than_one;
use crate::runtime::startup;
use crate::runtime::stats::Stats;
use crate::runtime::trace::Trace;
#[cfg(feature = "mpi")]
use crate::runtime::watch::Watch;
use crate::source::SourceMap;
use clap::Args;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(Args, Clone)]
pub struct RunArgs {
    #[command(flatten)]
    program: ProgramArgs,
    /// Number of ranks [default: under a launcher the job's, else one a core]
    #[arg(short = 'n', long, value_name = "N")]
    ranks: Option<i64>,
    #[command(flatten)]
    engine: EngineArgs,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// Write what every rank did when, for Perfetto (ui.perfetto.dev) or chrome://tracing
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Print where the time went, by step
    #[arg(long)]
    stats: bool,
    /// Show plots in the terminal too, in half blocks; `NO_COLOR` in shades of grey
    #[arg(long)]
    term: bool,
    /// No summary; with `--json` that alone
    #[arg(short, long)]
    quiet: bool,
    /// End the run when no step completes for this many seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Start the ranks through this launcher
    #[arg(long, value_enum)]
    launcher: Option<Launcher>,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq)]
enum Launcher {
    Threads,
    Mpirun,
}

/// Runs a program; gives the exit code.
pub fn run(args: &RunArgs) -> u8 {
    let job = launcher::launched();
    match (args.launcher, job) {
        (Some(Launcher::Mpirun), None) => {
            match launcher::start_mpirun(args.ranks.unwrap_or_else(|| default_ranks(&args.engine)), args.engine.verbose)
            {
                Ok(code) => code,
                Err(why) => usage(args, why),
            }
        }
        (Some(Launcher::Threads), _) | (None, None) => run_here(args, &mut std::io::stdout()),
        // One process that is told to be several ranks: a shell inside a Slurm step, for example.
        (None, Some(1)) if args.ranks.is_some_and(|n| n > 1) => run_here(args, &mut std::io::stdout()),
        (_, Some(size)) => run_in_job(args, size),
    }
}

/// All ranks as threads of this process; the program prints to `out`.
pub fn run_here(args: &RunArgs, out: &mut (dyn Write + Send)) -> u8 {
    let ranks = args.ranks.unwrap_or_else(|| default_ranks(&args.engine));
    if !(1..=4096).contains(&ranks) {
        return usage(args, format!("{ranks} ranks as threads: between 1 and 4096 are possible"));
    }
    let mut session = Session::new(args.program.message_format);
    let start = Instant::now();
    let gpus = uses_gpus(&args.engine);
    let (plan, root, engine) = match prepare(args, &mut session, (ranks, gpus), true) {
        Ok(ready) => ready,
        Err(code) => {
            session.flush();
            return code;
        }
    };
    session.flush();
    let compiled = start.elapsed();
    let start = Instant::now();
    let outcome = launch::run_threads(&plan, &*engine, &root, out, manner(args));
    match outcome {
        Ok(stats) => {
            summary(args, &plan, &stats, (compiled, start.elapsed()), &engine.name(), &engine.placement());
            pace(args, &plan, &session.sources, gpus);
            told(args, &plan, &session.sources, &stats)
        }
        Err(f) => failed(&mut session, f),
    }
}

/// Compiles the program and finds its folder and executor. On an error the reports are in the session.
fn prepare(
    args: &RunArgs,
    session: &mut Session,
    (ranks, gpus): (i64, bool),
    speaks: bool,
) -> Result<(Plan, Root, Box<dyn Engine>), u8> {
    let plan = session.plan_for(args.engine.multiplier(gpus), &args.program, ranks);
    startup::ended("plan");
    let usage = |session: &mut Session, message: String| {
        session.sink.push(Diagnostic::bare("E0003", message));
        exit::USAGE
    };
    let Some(plan) = plan.filter(|_| !session.sink.has_errors()) else { return Err(session.refusal()) };
    if !plan.program.has_main {
        return Err(usage(session, "the program has no `workflow main`, so there is nothing to run".into()));
    }
    let root = Root::open(root_of(&args.program)).map_err(|e| usage(session, e.message))?;
    let engine = engine(&args.engine, speaks, &plan, &session.sources).map_err(|why| usage(session, why))?;
    Ok((plan, root, engine))
}

/// This process as one rank of an MPI job that has not begun yet.
#[cfg(feature = "mpi")]
fn run_in_job(args: &RunArgs, size: i64) -> u8 {
    match MpiComm::start() {
        Ok(mut comm) => {
            startup::ended("MPI");
            run_as_rank(args, size, &mut comm, &mut std::io::stdout())
        }
        Err(why) => usage(args, why),
    }
}

/// This process as one rank of an MPI job; the program prints to rank 0's `out`.
#[cfg(feature = "mpi")]
pub fn run_as_rank(args: &RunArgs, size: i64, comm: &mut MpiComm, out: &mut dyn Write) -> u8 {
    if comm.size() != size {
        return usage(args, launcher::mismatch(size, comm.size()));
    }
    if args.ranks.is_some_and(|n| n != size) {
        return reported_once(comm, || {
            usage(
                args,
                format!(
                    "`-n {}` inside a job of {size} ranks: leave `-n` out, the launcher says how many",
                    args.ranks.unwrap_or(0)
                ),
            )
        });
    }
    let mut session = Session::new(args.program.message_format);
    let start = Instant::now();
    // One plan for all, whoever has GPUs.
    let Ok(gpus) = comm.gathered(&[u8::from(uses_gpus(&args.engine))]) else { return exit::LOST };
    let gpus = gpus.iter().any(|g| g == [1]);
    let ready = prepare(args, &mut session, (size, gpus), comm.rank() == 0);
    // Everybody goes on, or nobody does.
    let verdict = ready.as_ref().err().copied().unwrap_or(0);
    let print = match &ready {
        Ok((plan, ..)) => plan.fingerprint(),
        Err(code) => vec![*code],
    };
    let Ok(all) = comm.gathered(&print) else { return exit::LOST };
    if comm.rank() == 0 {
        session.flush();
    }
    let worst = all.iter().filter(|p| p.len() == 1).map(|p| p[0]).max().unwrap_or(verdict);
    let Ok((plan, root, engine)) = ready else { return worst };
    if worst != 0 {
        return worst;
    }
    if let Some(other) = all.iter().position(|p| p != all.part(0)) {
        return reported_once(comm, || {
            usage(
                args,
                format!("rank {other} has another plan than rank 0: is it another program or version of mgpu there?"),
            )
        });
    }
    let compiled = start.elapsed();
    let start = Instant::now();
    let watch = Watch::start(manner(args).timeout, MpiComm::end);
    let outcome = launch::run_rank(&plan, comm, &*engine, &root, out, manner(args), watch.clone());
    watch.stop();
    match outcome {
        Ok(stats) => {
            let memory = stats.memory.map_or(u64::MAX, |m| m);
            let (m, b) = stats.beside;
            let words = [stats.messages, stats.bytes, stats.touched, memory, m, b].map(|w| w.to_le_bytes()).concat();
            let Ok(all) = comm.gathered(&words) else { return exit::LOST };
            let word = |b: &[u8], k: usize| b[8 * k..8 * k + 8].try_into().map_or(0, u64::from_le_bytes);
            let mut shared: Vec<Stats> = all
                .iter()
                .map(|b| Stats {
                    messages: word(b, 0),
                    bytes: word(b, 1),
                    touched: word(b, 2),
                    memory: Some(word(b, 3)).filter(|m| *m != u64::MAX),
                    beside: (word(b, 4), word(b, 5)),
                    ..Stats::default()
                })
                .collect();
            let ran = start.elapsed();
            if manner(args).trace {
                let mine = serde_json::to_vec(&stats.trace).unwrap_or_default();
                let Ok(all) = comm.gathered(&mine) else { return exit::LOST };
                for (s, bytes) in shared.iter_mut().zip(all.iter()) {
                    s.trace = serde_json::from_slice(bytes).unwrap_or_default();
                }
            }
            if let Some(mine) = shared.get_mut(comm.rank() as usize) {
                *mine = stats;
            }
            let mine = serde_json::to_vec(&engine.placement()).unwrap_or_default();
            let Ok(all) = comm.gathered(&mine) else { return exit::LOST };
            let mut placement = Placement::default();
            for one in all.iter().filter_map(|b| serde_json::from_slice::<Placement>(b).ok()) {
                placement.devices.extend(one.devices);
                placement.links.extend(one.links);
            }
            let mut code = exit::OK;
            if comm.rank() == 0 {
                summary(args, &plan, &shared, (compiled, ran), &engine.name(), &placement);
                pace(args, &plan, &session.sources, gpus);
                code = told(args, &plan, &session.sources, &shared);
            }
            // What rank 0 could not write is everybody's failure.
            let Ok(all) = comm.gathered(&[code]) else { return exit::LOST };
            all.part(0).first().copied().unwrap_or(code)
        }
        Err(f @ (Failure::Lost(_) | Failure::Device(_) | Failure::Internal(_))) => {
            let code = failed(&mut session, f);
            comm.abort(code.into())
        }
        Err(f) => reported_once(comm, || failed(&mut session, f)),
    }
}

/// Rank 0 reports; all ranks give the same code.
#[cfg(feature = "mpi")]
fn reported_once(comm: &dyn Comm, report: impl FnOnce() -> u8) -> u8 {
    if comm.rank() == 0 {
        return report();
    }
    // The others are silent: the report goes nowhere.
    let mut code = exit::FAILED;
    silently(|| code = report());
    code
}

/// Runs `f` with stderr closed.
#[cfg(feature = "mpi")]
fn silently(f: impl FnOnce()) {
    // SAFETY: redirects this process's stderr to the null device and back.
    unsafe {
        let (keep, null) = (libc::dup(2), libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY));
        libc::dup2(null, 2);
        f();
        libc::dup2(keep, 2);
        libc::close(keep);
        libc::close(null);
    }
}

#[cfg(not(feature = "mpi"))]
fn run_in_job(args: &RunArgs, size: i64) -> u8 {
    usage(
        args,
        format!(
            "a launcher started {size} ranks, but this mgpu was built without MPI (feature `mpi`); `mgpu run -n {size}` runs them as threads, `--launcher threads` does so here"
        ),
    )
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
        Failure::Device(why) => {
            let help = "a device that failed is of no use until the process ends: run again, on others if it fails again (`--devices`, `mgpu doctor`); `--device cpu` does without";
            session.sink.push(Diagnostic::bare("E0701", why).help(help));
            session.flush();
            exit::LOST
        }
        Failure::Internal(why) => {
            session.sink.push(
                Diagnostic::bare("E0800", format!("internal error: {why}"))
                    .help("this is a defect of mgpu; please report it with the program"),
            );
            session.flush();
            exit::INTERNAL
        }
    }
}

/// How the run is watched and shown.
fn manner(args: &RunArgs) -> Manner {
    let progress = !args.quiet && std::io::stderr().is_terminal();
    let timeout = args.timeout.map(|s| Duration::from_secs_f64(s.clamp(0.1, 1e6)));
    let coloured = std::env::var_os("NO_COLOR").is_none();
    let term = args.term.then_some(if coloured { Term::Coloured } else { Term::Plain });
    Manner { timeout, progress, term, trace: args.trace.is_some() || args.stats || profiled(), ..Manner::default() }
}

/// Whether a profiler wants to know each step by its name.
fn profiled() -> bool {
    #[cfg(feature = "cuda")]
    return crate::runtime::device::cuda::record::profiled();
    #[cfg(not(feature = "cuda"))]
    false
}

/// Writes the trace and prints the table, as far as they are wanted; gives the exit code.
fn told(args: &RunArgs, plan: &Plan, sources: &SourceMap, stats: &[Stats]) -> u8 {
    let traces: Vec<&Trace> = stats.iter().filter_map(|s| s.trace.as_deref()).collect();
    if args.stats {
        eprint!("{}", super::trace::table(plan, sources, &traces));
    }
    let Some(path) = &args.trace else { return exit::OK };
    let text = super::trace::json(plan, sources, &traces);
    match std::fs::write(path, text) {
        Ok(()) => exit::OK,
        Err(e) => usage(args, format!("cannot write the trace to `{}`: {}", path.display(), e.kind())),
    }
}

fn usage(args: &RunArgs, message: String) -> u8 {
    let mut session = Session::new(args.program.message_format);
    session.sink.push(Diagnostic::bare("E0003", message));
    session.flush();
    exit::USAGE
}

/// Says where one GPU would be faster than those that were taken.
fn pace(args: &RunArgs, plan: &Plan, sources: &SourceMap, gpus: bool) {
    if !gpus || args.quiet || args.json || args.program.message_format == MessageFormat::Json {
        return;
    }
    if let Some(p) = slower_than_one(plan) {
        let (file, line) = (&sources.file(p.span.file).name, sources.line_col(p.span).0);
        eprintln!(
            "a round of the loop at {file}:{line} takes about {:.1} us on {} GPUs and {:.1} us on one: use fewer, or larger arrays",
            p.all, plan.ranks, p.one
        );
    }
}

/// A short account of the run on stderr.
fn summary(
    args: &RunArgs,
    plan: &Plan,
    stats: &[Stats],
    (compiled, ran): (Duration, Duration),
    executor: &str,
    placement: &Placement,
) {
    if args.engine.verbose {
        eprintln!("{}", startup::text());
    }
    if args.quiet && !args.json {
        return;
    }
    let sum = |f: &dyn Fn(&Stats) -> u64| stats.iter().map(f).sum::<u64>();
    let (messages, bytes) = (sum(&|s| s.messages), sum(&|s| s.bytes));
    let beside = (sum(&|s| s.beside.0), sum(&|s| s.beside.1));
    let longest = |f: &dyn Fn(&Stats) -> Duration| stats.iter().map(f).max().unwrap_or_default().as_secs_f64();
    let (computation, communication) = (longest(&|s| s.computation), longest(&|s| s.communication));
    let seconds = ran.as_secs_f64();
    let share = if seconds > 0.0 { 100.0 * communication / seconds } else { 0.0 };
    let bandwidth = if seconds > 0.0 { sum(&|s| s.touched) as f64 / seconds / 1e9 } else { 0.0 };
    if args.json {
        let value = serde_json::json!({
            "ranks": plan.ranks, "executor": executor, "compile_s": compiled.as_secs_f64(), "run_s": seconds,
            "steps_s": stats.first().map_or(0.0, |s| s.ran.as_secs_f64()),
            "computation_s": computation, "communication_s": communication, "messages": messages, "bytes": bytes,
            "reductions": stats.first().map_or(0, |s| s.reductions), "steps": stats.first().map_or(0, |s| s.steps),
            "compulsory_bytes": sum(&|s| s.touched), "exchanges": stats.first().map(|s| &s.exchanges),
            "beside_exchanges": {"messages": beside.0, "bytes": beside.1},
            "start_s": startup::phases().into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "memory_per_rank": stats.iter().filter_map(|s| s.memory).max(),
            "devices": placement.devices, "links": placement.links,
        });
        eprintln!("{value}");
        return;
    }
    if args.program.message_format == MessageFormat::Json {
        return;
    }
    let plural = |n: i64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    eprintln!(
        "{} on {executor}: {seconds:.3} s ({:.3} s to compile), {share:.0} % communication, {}, {} bytes sent, {bandwidth:.1} GB/s",
        plural(plan.ranks, "rank"),
        compiled.as_secs_f64(),
        plural((messages + beside.0) as i64, "message"),
        bytes + beside.1,
    );
}

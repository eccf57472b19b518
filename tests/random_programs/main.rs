//! Random valid programs: on 1, 2, 3, 4 and 7 ranks they print the same bytes, and what a simple reference computes.
//!
//! `MGPU_RANDOM_PROGRAMS` sets how many (4000), `MGPU_RANDOM_SEED` where to begin; with `MGPU_RANDOM_SHOW`
//! the programs are printed, and with `MGPU_RANDOM_WRITE` they are written to that folder and not run: `tests/gpus.rs` runs them on
//! GPUs. A failure is shrunk by dropping statements and simplifying expressions while it stays the same kind of failure, then
//! printed with its seed.

mod complex;
mod derivative;
mod elementary;
mod exact;
mod generate;
mod minimise;
mod model;
mod reference;
mod text;
mod values;

use mgpu::check::{Loader, Options, check};
use mgpu::diag::{Sink, render};
use mgpu::ir::stored::Stored;
use mgpu::planner::Panelling;
use mgpu::runtime::device::{Executor, OnHost, native::Native, vm::Vm};
use mgpu::runtime::io::root::Root;
use mgpu::runtime::launch::{Manner, run_threads};
use mgpu::source::SourceMap;
use mgpu::syntax::parse::parse;
use model::Program;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Numbers of ranks: all for every second program, some for the others.
const RANKS: [&[i64]; 4] = [&[1, 2, 3, 4, 7], &[1, 4, 7], &[1, 2, 3, 4, 7], &[1, 2, 3]];
/// One program in so many runs as native C too; `MGPU_RANDOM_NATIVE` has another number.
const NATIVE_EVERY: u64 = 160;

/// A loader for programs with one module and no arrays from files.
struct Module(String);

impl Loader for Module {
    fn source(&self, _: &str) -> Result<String, String> {
        Ok(self.0.clone())
    }
    fn array(&self, _: &str) -> Result<(Stored, Vec<i64>), String> {
        Err("no arrays here".into())
    }
}

/// Kinds of failure; shrinking keeps the kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// With the number of the first report's code.
    Rejected(u32),
    Failed,
    Differs,
    /// Checking or planning took longer than `PLANNING`.
    Slow,
}

/// Seconds of a processor that checking, or planning for one number of ranks, may take.
const PLANNING: f64 = 2.0;

/// Seconds that this thread has spent on a processor, where the system says so.
fn spent() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

/// Compiles and runs a program everywhere; `Err` says what is wrong.
pub fn examine(program: &Program, native: bool, ranks: &'static [i64]) -> Result<(), (Kind, String)> {
    let wanted = reference::run(program);
    let (text, module) = program.text();
    let caught = std::panic::catch_unwind(|| runs(&text, module, native, ranks, &wanted));
    caught.unwrap_or_else(|_| Err((Kind::Failed, "the compiler panicked".into())))
}

fn runs(text: &str, module: String, native: bool, ranks: &[i64], wanted: &str) -> Result<(), (Kind, String)> {
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let begun = spent();
    let id = sources.add("random.mgpu", text);
    let bound = parse(id, text, &mut sink)
        .and_then(|ast| check(ast, &mut sources, &Module(module), &Options { params: &[], ranks: 1 }, &mut sink));
    let Some(bound) = bound else {
        let told: Vec<String> = sink.items.iter().map(|d| render::render(d, &sources, false)).collect();
        let code = sink.items.first().and_then(|d| d.code[1..].parse().ok()).unwrap_or(0);
        return Err((Kind::Rejected(code), told.concat()));
    };
    let slow = |what: String, begun: f64| match spent() - begun {
        s if s > PLANNING => Err((Kind::Slow, format!("{what} took {s:.1} s"))),
        _ => Ok(()),
    };
    slow("checking".into(), begun)?;
    let folder = tempfile::tempdir().unwrap();
    let root = Root::open(folder.path()).unwrap();
    for &n in ranks {
        let (mut sink, begun) = (Sink::default(), spent());
        // Products panel by panel, of another size on every number of ranks.
        let options = mgpu::planner::Options { panels: Panelling::Terms(n), ..Default::default() };
        let Some(plan) = mgpu::planner::plan_with(bound.clone(), n, options, &mut sink) else {
            return Err((Kind::Failed, format!("no plan for {n} ranks: {:?}", sink.items)));
        };
        slow(format!("planning for {n} ranks"), begun)?;
        let nests: Vec<_> = plan.nests.iter().map(|n| n.nest.clone()).collect();
        let mut executors: Vec<Box<dyn Executor>> = vec![Box::new(Vm::new(&nests, &plan.program.tables))];
        if native && [1, 3, 4].contains(&n) {
            let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("native");
            std::fs::create_dir_all(&folder).unwrap();
            executors.extend(
                Native::in_folder(&nests, &plan.program.tables, &folder).ok().map(|e| Box::new(e) as Box<dyn Executor>),
            );
        }
        for e in executors {
            let mut out: Vec<u8> = vec![];
            let here = format!("{n} ranks, {}", e.name());
            let done = run_threads(&plan, &OnHost(e), &root, &mut out, Manner::default());
            if let Err(f) = done {
                return Err((Kind::Failed, format!("{here}: {f:?}")));
            }
            let out = String::from_utf8_lossy(&out);
            if out != wanted {
                let line = out.lines().zip(wanted.lines()).position(|(a, b)| a != b).map_or(0, |k| k + 1);
                return Err((
                    Kind::Differs,
                    format!("{here}: line {line} differs\n--- wanted\n{wanted}--- found\n{out}"),
                ));
            }
        }
    }
    Ok(())
}

#[test]
fn random_programs_mean_the_same_on_any_number_of_ranks() {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let (count, first) = (number("MGPU_RANDOM_PROGRAMS", 4_000), number("MGPU_RANDOM_SEED", 1));
    let every = number("MGPU_RANDOM_NATIVE", NATIVE_EVERY);
    let shown = std::env::var_os("MGPU_RANDOM_SHOW").is_some();
    let written = std::env::var_os("MGPU_RANDOM_WRITE").map(std::path::PathBuf::from);
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let found = std::sync::Mutex::new(None);
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return;
            }
            let program = generate::program(seed);
            if shown {
                eprintln!("seed {seed}\n{}", program.whole_text());
            }
            if let Some(folder) = &written {
                program.write(folder, seed);
                continue;
            }
            let (native, ranks) = (seed % every == 0, RANKS[(seed % 4) as usize]);
            if let Err((kind, why)) = examine(&program, native, ranks) {
                stop.store(true, Ordering::Relaxed);
                eprintln!("seed {seed}: {kind:?}, {why}\nmaking it smaller");
                let small = minimise::minimise(program, kind, native, ranks);
                let why = examine(&small, native, ranks).err().map_or(String::new(), |e| e.1);
                *found.lock().unwrap() = Some(format!("seed {seed}: {kind:?}\n{}\n{why}", small.whole_text()));
            }
        }
    };
    let workers = std::thread::available_parallelism().map_or(2, |n| n.get()).min(4);
    std::thread::scope(|s| {
        for _ in 0..workers {
            std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(s, work).unwrap();
        }
    });
    if let Some(text) = found.into_inner().unwrap() {
        panic!("{text}");
    }
}

#[test]
fn the_reference_and_the_texts_are_not_empty() {
    let program = generate::program(5);
    assert!(program.whole_text().contains("workflow main"));
    assert!(!reference::run(&program).is_empty());
}

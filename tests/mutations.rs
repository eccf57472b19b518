//! Damaged programs: lessons and cases of the suite with tokens dropped, doubled, swapped and replaced go through the whole
//! compiler. It never panics, always answers within a second, and says something whenever it refuses.
//!
//! `MGPU_MUTATIONS` sets how many (20000), `MGPU_MUTATION_SEED` where to begin.

use mgpu::check::{Loader, Options, check};
use mgpu::diag::{Sink, render};
use mgpu::ir::stored::Stored;
use mgpu::ir::ty::Ty;
use mgpu::source::SourceMap;
use mgpu::syntax::parse::parse;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A program, even an odd one, is compiled in less (twice that in this profile, on a busy machine).
const LIMIT: Duration = Duration::from_secs(2);

struct NoFiles;

impl Loader for NoFiles {
    fn source(&self, _: &str) -> Result<String, String> {
        Err("no files here".into())
    }
    fn array(&self, _: &str) -> Result<(Stored, Vec<i64>), String> {
        Ok((Stored::Of(Ty::F32), vec![40, 30]))
    }
}

fn texts(folder: &Path, out: &mut Vec<String>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for e in entries {
        match e.is_dir() {
            true => texts(&e, out),
            false if e.extension().is_some_and(|x| x == "mgpu") => out.push(std::fs::read_to_string(e).unwrap()),
            false => {}
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n.max(1)
    }
}

/// Words, numbers, blanks and single signs.
fn tokens(text: &str) -> Vec<String> {
    let mut out: Vec<String> = vec![];
    let kind = |c: char| {
        if c.is_alphanumeric() || c == '_' {
            0
        } else if c.is_whitespace() {
            1
        } else {
            2
        }
    };
    for c in text.chars() {
        match out.last_mut() {
            Some(last) if kind(c) < 2 && last.chars().next().is_some_and(|f| kind(f) == kind(c)) => last.push(c),
            _ => out.push(c.to_string()),
        }
    }
    out
}

const WORDS: [&str; 40] = [
    "0",
    "1",
    "-1",
    "3",
    "1000000007",
    "9223372036854775807",
    "0.5",
    "1e308",
    "i",
    "j",
    "n",
    "u",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    "..",
    "=",
    "+",
    "*",
    "/",
    "^",
    "div",
    "mod",
    "if",
    "else",
    "for",
    "in",
    "sum",
    "max",
    "let",
    "var",
    "edge",
    "periodic",
    "f32",
    "i64",
    "bool",
];

fn damage(r: &mut Random, pool: &[String]) -> String {
    let mut t = tokens(&pool[r.below(pool.len())]);
    for _ in 0..1 + r.below(3) {
        let k = r.below(t.len());
        match r.below(6) {
            0 => drop(t.remove(k)),
            1 => t.insert(k, t[k].clone()),
            2 => {
                let j = r.below(t.len());
                t.swap(k, j);
            }
            3 => t[k] = WORDS[r.below(WORDS.len())].into(),
            4 => t.insert(k, format!(" {} ", WORDS[r.below(WORDS.len())])),
            _ => {
                // A piece of another program.
                let other = tokens(&pool[r.below(pool.len())]);
                let from = r.below(other.len());
                let piece: Vec<String> = other[from..].iter().take(1 + r.below(12)).cloned().collect();
                t.splice(k..k, piece);
            }
        }
        if t.is_empty() {
            t.push(" ".into());
        }
    }
    t.concat()
}

/// Compiles a text; what is wrong with the compiler, or nothing.
fn compile(text: &str) -> Result<bool, String> {
    let clock = Instant::now();
    let done = std::panic::catch_unwind(|| {
        let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
        let id = sources.add("damaged.mgpu", text);
        let program = parse(id, text, &mut sink)
            .and_then(|ast| check(ast, &mut sources, &NoFiles, &Options { params: &[], ranks: 3 }, &mut sink));
        let plan = program.and_then(|p| mgpu::planner::plan(p, 3, &mut sink));
        sink.items.iter().for_each(|d| drop(render::render(d, &sources, false)));
        let unproved = sink.items.iter().any(|d| d.code == "E0800");
        (plan.is_some(), sink.has_errors(), unproved)
    });
    let took = clock.elapsed();
    match done {
        Err(_) => Err("the compiler panicked".into()),
        Ok((_, _, true)) => Err("the plan could not be proved".into()),
        Ok((false, false, _)) => Err("refused without a word".into()),
        Ok(_) if took > LIMIT => Err(format!("took {took:?}")),
        Ok((compiled, errors, _)) => Ok(compiled && !errors),
    }
}

#[test]
fn damaged_programs_are_compiled_or_refused() {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let (count, first) = (number("MGPU_MUTATIONS", 20_000), number("MGPU_MUTATION_SEED", 1));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pool = vec![];
    texts(&root.join("examples"), &mut pool);
    texts(&root.join("tests/suite"), &mut pool);
    pool.sort();
    let next = std::sync::atomic::AtomicU64::new(first);
    let (wrong, good) = (std::sync::Mutex::new(vec![]), std::sync::atomic::AtomicU64::new(0));
    let work = || loop {
        let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if seed >= first + count || wrong.lock().unwrap().len() >= 5 {
            return;
        }
        let text = damage(&mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1), &pool);
        match compile(&text) {
            Err(why) => wrong.lock().unwrap().push(format!("seed {seed}: {why}\n{text}")),
            Ok(true) => drop(good.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
            Ok(false) => {}
        }
    };
    std::thread::scope(|s| {
        for _ in 0..2 {
            std::thread::Builder::new().stack_size(256 << 20).spawn_scoped(s, work).unwrap();
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n=======\n"));
    assert!(good.into_inner() * 20 > count, "hardly any damaged program still compiles: the test tests little");
}

#[test]
fn texts_that_fuzzing_found_are_compiled_or_refused() {
    let mut found = vec![];
    texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/found"), &mut found);
    assert!(!found.is_empty());
    for text in found {
        if let Err(why) = compile(&text) {
            panic!("{why}\n{text}");
        }
    }
}

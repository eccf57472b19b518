//! Every program of `tests/suite/run` and every example on GPUs, against the CPU: the same text, the same bytes in every file. All
//! run in one process, which keeps the GPUs awake.
//!
//! As a test it runs on the ranks that the machine has GPUs for. Without a GPU some programs run on emulated ones (`gpu_emulated`: the
//! generated kernels in C++, the whole of `runtime/device/cuda` as it is), others by hand with the options below. By hand, alone or under `mpirun` (then with the job's ranks):
//! `gpus [--ranks 1,2,4] [--transports auto,nccl,staged] [--only TEXT,TEXT] [--without TEXT] [--skip PROGRAMS] [--part K/N] [--loud yes] [--programs FOLDER] [-- more words of mgpu run]`.
//! Random programs for `--programs` are written by `tests/random_programs`.

use mgpu::cli::job::Job;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One program and how it is run.
struct Case {
    path: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    /// Those that it may have; any if empty.
    ranks: Vec<i64>,
    /// What it prints differs from one number of ranks to another.
    by_ranks: bool,
}

/// The text, the exit code and the files that a run leaves.
type Left = (String, u8, BTreeMap<PathBuf, Vec<u8>>);

fn main() {
    #[cfg(all(feature = "mpi", feature = "cuda"))]
    if let Some(code) = mgpu::cli::job::is_a_trial() {
        std::process::exit(code.into());
    }
    let mut options = Options::default();
    if let Err(why) = options.read(std::env::args().skip(1)) {
        eprintln!("{why}");
        std::process::exit(2);
    }
    if !options.wanted {
        return;
    }
    let on_gpus = options.device == "cuda";
    let count = if on_gpus { gpus() } else { 4 };
    if count == 0 {
        std::process::exit(on_emulated());
    }
    // A rank leaves its job before the process ends.
    let wrong = compare(options, count);
    std::process::exit(i32::from(wrong > 0));
}

/// What runs on emulated GPUs in every test: a little of everything that the runtime does, each compiled in a few seconds.
const EMULATED: &str = "halo/,edges/,contraction/panels,contraction/pair,indirect/gather,indirect/kept.,scatter_lists,scan/exclusive,\
    reduce/own,workflow/scalars,05_heat,23_page_rank";

/// Builds the GPUs and runs this test on them in two processes; gives the exit code.
fn on_emulated() -> i32 {
    if cfg!(not(feature = "cuda")) {
        println!("SKIPPED: programs on GPUs; this build has no CUDA");
        return 0;
    }
    if std::env::var_os("EMULATED").is_some() {
        println!("the emulated GPUs cannot be used");
        return 1;
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gpu_emulated");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::copy(sources.join("kernel.h"), at("kernel.h")).expect("kernel.h");
    for (source, name) in [("cuda.cpp", "libcuda.so.1"), ("nvrtc.cpp", "libnvrtc.so.13")] {
        let mut compiler = Command::new("c++");
        compiler.args(["-std=c++17", "-O2", "-Wall", "-shared", "-fPIC", "-pthread", "-o"]).arg(at(name));
        let Ok(made) = compiler.arg(format!("-Wl,-soname,{name}")).arg(sources.join(source)).arg("-ldl").output()
        else {
            println!("SKIPPED: programs on emulated GPUs; there is no C++ compiler");
            return 0;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (short, _) = name.split_once(".so").unwrap();
        std::os::unix::fs::symlink(name, at(&format!("{short}.so"))).expect("a link");
    }
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let by_hand = asked.iter().any(|w| OPTIONS.contains(&w.as_str()));
    let old = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let path = std::env::join_paths([folder.path().to_path_buf()].into_iter().chain(std::env::split_paths(&old)));
    let start = |part: usize| {
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.env("EMULATED", folder.path()).env("MGPU_CUDA_LIB", folder.path()).env("MGPU_CACHE", at("cache"));
        command.env("LD_LIBRARY_PATH", path.as_ref().expect("a path"));
        if by_hand {
            command.args(&asked);
        } else {
            command.args(["--ranks", "3", "--transports", "auto,staged", "--only", EMULATED]);
            command.args(["--part", &format!("{part}/2")]).env("MGPU_PANELS", "5").env("MGPU_LISTS", "1");
            // What a missing barrier leaves open shows in one of the two orders of threads.
            command.env("EMULATED_ORDER", ["up", "down"][part]);
        }
        command.spawn().expect("this test once more")
    };
    let parts: Vec<_> = (0..if by_hand { 1 } else { 2 }).map(start).collect();
    let failed = parts.into_iter().filter_map(|mut p| p.wait().ok()).filter(|s| !s.success()).count();
    i32::from(failed > 0)
}

/// Runs the programs on so many GPUs, and says which differ; how many.
fn compare(mut options: Options, count: i64) -> usize {
    let on_gpus = options.device == "cuda";
    let mut job = Job::start().expect("a job");
    let (me, size) = job.place();
    if size > 1 {
        options.ranks = vec![size];
    } else if options.ranks.is_empty() {
        options.ranks = [1, 2, 4].into_iter().filter(|n| *n <= count).collect();
    }
    let wanted = |c: &Case| {
        let path = c.path.to_string_lossy();
        options.only.split(',').any(|text| path.contains(text))
            && (options.without.is_empty() || !path.contains(&options.without))
    };
    let cases: Vec<Case> = cases(&options.programs).into_iter().filter(wanted).skip(options.skip).collect();
    let (mut runs, mut wrong) = (0, 0);
    for case in cases.iter().skip(options.part.0).step_by(options.part.1) {
        let mut wanted: BTreeMap<i64, Left> = BTreeMap::new();
        for &n in options.ranks.iter().filter(|n| case.ranks.is_empty() || case.ranks.contains(n)) {
            for transport in &options.transports {
                if n == 1 && transport != "auto" {
                    continue;
                }
                let what = format!("{} on {n} rank(s) by {transport}", case.path.display());
                if options.loud && me == 0 {
                    println!("{what}");
                }
                let of = if case.by_ranks { n } else { case.ranks.first().copied().unwrap_or(1) };
                if me == 0 && !wanted.contains_key(&of) {
                    let words = ["-n", &of.to_string(), "--device", "cpu", "--executor", options.executor];
                    wanted.insert(of, left(case, &words.map(String::from), None, "cpu"));
                }
                // A process that waits for this one's reference would run into its limit of time.
                job.meet();
                let mut words =
                    ["-n", &n.to_string(), "--device", &options.device, "--timeout", "60"].map(String::from).to_vec();
                if transport != "auto" {
                    words.extend(["--transport".into(), transport.clone()]);
                }
                if on_gpus && size == 1 && n < count {
                    // Runs beside this one take other GPUs.
                    let first = options.part.0 as i64 * n;
                    let list: Vec<String> = (first..first + n).map(|k| (k % count).to_string()).collect();
                    words.extend(["--devices".into(), list.join(",")]);
                }
                words.extend(options.more.clone());
                let got = left(case, &words, Some(&mut job), "gpu");
                runs += 1;
                if me == 0
                    && let Some(why) = differs(&wanted[&of], &got)
                {
                    wrong += 1;
                    println!("{what}: {why}");
                }
            }
        }
    }
    if me == 0 {
        println!("{} programs, {runs} runs on GPUs, {wrong} wrong", cases.len().div_ceil(options.part.1));
    }
    job.meet();
    wrong
}

/// What the command line says.
struct Options {
    ranks: Vec<i64>,
    transports: Vec<String>,
    only: String,
    without: String,
    /// So many programs are left out, to go on where a run was ended.
    skip: usize,
    /// Of so many parts of the programs this one.
    part: (usize, usize),
    loud: bool,
    /// `cpu` tries this test itself.
    device: String,
    more: Vec<String>,
    wanted: bool,
    /// Where programs are.
    programs: Vec<PathBuf>,
    /// What runs them on the CPU. Nobody has looked at random programs: the executor that is the simplest.
    executor: &'static str,
}

const NAME: &str = "gpus";
const OPTIONS: [&str; 9] =
    ["--ranks", "--transports", "--only", "--without", "--skip", "--device", "--loud", "--part", "--programs"];

impl Default for Options {
    fn default() -> Options {
        let transports = vec!["auto".to_string()];
        let device = "cuda".to_string();
        Options {
            ranks: vec![],
            transports,
            only: String::new(),
            without: String::new(),
            skip: 0,
            part: (0, 1),
            loud: false,
            device,
            more: vec![],
            wanted: true,
            programs: ["tests/suite/run", "examples"].map(PathBuf::from).to_vec(),
            executor: "auto",
        }
    }
}

impl Options {
    fn read(&mut self, mut words: impl Iterator<Item = String>) -> Result<(), String> {
        while let Some(word) = words.next() {
            if word == "--" {
                self.more.extend(words.by_ref());
                break;
            }
            if !OPTIONS.contains(&word.as_str()) {
                // What `cargo test` hands to every test: flags, and a part of the names of the tests that are wanted.
                self.wanted &= word.starts_with("--") || NAME.contains(&word);
                continue;
            }
            let value = words.next().ok_or(format!("the value of `{word}` is missing"))?;
            let number = |text: &str| text.parse::<i64>().map_err(|_| format!("`{text}` is no number"));
            match word.as_str() {
                "--ranks" => self.ranks = value.split(',').map(number).collect::<Result<_, _>>()?,
                "--transports" => self.transports = value.split(',').map(str::to_string).collect(),
                "--only" => self.only = value,
                "--without" => self.without = value,
                "--skip" => self.skip = number(value.as_str())? as usize,
                "--loud" => self.loud = true,
                "--device" => self.device = value,
                "--programs" => (self.programs, self.executor) = (vec![value.into()], "vm"),
                "--part" => {
                    let (k, n) = value.split_once('/').ok_or("`--part` wants K/N")?;
                    self.part = (number(k)? as usize, number(n)?.max(1) as usize);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// How many GPUs mgpu can use here.
#[cfg(feature = "cuda")]
fn gpus() -> i64 {
    use mgpu::runtime::device::cuda::{driver, nvrtc};
    let seen = driver::gpus().map_or(0, |g| g.len() as i64);
    if nvrtc::present().is_ok() { seen } else { 0 }
}

#[cfg(not(feature = "cuda"))]
fn gpus() -> i64 {
    0
}

/// Programs beneath folders of the current one, which is the package's.
fn cases(folders: &[PathBuf]) -> Vec<Case> {
    let mut found = vec![];
    folders.iter().for_each(|f| files(f, &mut found));
    found.retain(|p| p.extension().is_some_and(|e| e == "mgpu") && !p.to_string_lossy().contains(".in."));
    found.iter().filter_map(|p| case(p)).collect()
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    entries.sort();
    for e in entries {
        if e.is_dir() { files(&e, out) } else { out.push(e) }
    }
}

/// The case, unless it is one that fails.
fn case(path: &Path) -> Option<Case> {
    let text = std::fs::read_to_string(path).ok()?;
    let by_ranks = ["hello", "ring"].iter().any(|n| path.to_string_lossy().contains(n));
    let mut c = Case { path: path.into(), args: vec![], env: vec![], ranks: vec![], by_ranks };
    for (key, value) in text.lines().filter_map(|l| l.strip_prefix("// ")?.split_once(':')) {
        let words = value.split_whitespace().map(str::to_string);
        match key {
            "args" => c.args = words.collect(),
            "env" => c.env = words.filter_map(|w| w.split_once('=').map(|(k, v)| (k.into(), v.into()))).collect(),
            "ranks" => c.ranks = words.filter_map(|w| w.parse().ok()).collect(),
            "output" => c.by_ranks = true,
            "expect" => return None,
            _ => {}
        }
    }
    Some(c)
}

/// Runs a case in a folder of its own, which all processes of a job share.
fn left(case: &Case, words: &[String], job: Option<&mut Job>, kind: &str) -> Left {
    // SAFETY: nothing else runs between two runs.
    case.env.iter().for_each(|(k, v)| unsafe { std::env::set_var(k, v) });
    let mut out: Vec<u8> = vec![];
    let name = case.path.file_name().unwrap();
    // Processes of a job have one parent.
    // SAFETY: asks for a number.
    let owner = job.as_ref().map_or(0, |j| if j.place().1 > 1 { unsafe { libc::getppid() } } else { 0 });
    let owner = if owner == 0 { std::process::id() } else { owner as u32 };
    let folder = std::env::temp_dir().join(format!("mgpu-gpus-{owner}-{kind}"));
    let line: Vec<String> =
        [&["-q".to_string(), folder.join(name).to_string_lossy().into_owned()], words, &case.args].concat();
    let first = job.as_ref().is_none_or(|j| j.place().0 == 0);
    if first {
        prepare(case, &folder);
    }
    let code = match job {
        Some(job) => {
            job.meet();
            let code = job.run(&line, &mut out);
            job.meet();
            code
        }
        None => Job::run_alone(&line, &mut out),
    };
    // SAFETY: as above.
    case.env.iter().for_each(|(k, _)| unsafe { std::env::remove_var(k) });
    let mut written = BTreeMap::new();
    if first {
        let mut found = vec![];
        files(&folder, &mut found);
        for f in found {
            let data = std::fs::read(&f).unwrap_or_default();
            written.insert(f.strip_prefix(&folder).unwrap().to_path_buf(), data);
        }
        let _ = std::fs::remove_dir_all(&folder);
    }
    (String::from_utf8_lossy(&out).into_owned(), code.expect("a command line"), written)
}

/// The program and what it may read.
fn prepare(case: &Case, folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder.join("data")).unwrap();
    let from = case.path.parent().unwrap();
    std::fs::copy(&case.path, folder.join(case.path.file_name().unwrap())).unwrap();
    let stem = format!("{}.in.", case.path.file_stem().unwrap().to_string_lossy());
    for e in std::fs::read_dir(from).unwrap().flatten() {
        let name = e.file_name().to_string_lossy().into_owned();
        if let Some(input) = name.strip_prefix(&stem) {
            std::fs::copy(e.path(), folder.join(input)).unwrap();
        }
    }
    for e in std::fs::read_dir(from.join("data")).into_iter().flatten().flatten() {
        std::fs::copy(e.path(), folder.join("data").join(e.file_name())).unwrap();
    }
}

fn differs(want: &Left, got: &Left) -> Option<String> {
    if got.1 != want.1 {
        return Some(format!("exit code {}, not {}", got.1, want.1));
    }
    if got.0 != want.0 {
        let pair = want.0.lines().zip(got.0.lines()).find(|(a, b)| a != b);
        return Some(match pair {
            Some((a, b)) => format!("prints `{b}`, not `{a}`"),
            None => format!("prints {} bytes, not {}", got.0.len(), want.0.len()),
        });
    }
    if !got.2.keys().eq(want.2.keys()) {
        return Some(format!("leaves {:?}, not {:?}", got.2.keys(), want.2.keys()));
    }
    want.2.iter().find(|(name, data)| got.2[*name] != **data).map(|(name, _)| format!("{} differs", name.display()))
}

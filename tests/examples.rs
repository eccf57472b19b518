//! Every lesson of `examples/` prints and writes what NumPy says (`tests/numpy/README.md`), the same on any number of ranks.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{MGPU, Run, run_command};

const RANKS: [u64; 5] = [1, 2, 3, 4, 7];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).into()
}

fn expected() -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(root().join("tests/numpy/expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn texts(v: &Value) -> Vec<&str> {
    v.as_array().map_or(vec![], |a| a.iter().filter_map(|t| t.as_str()).collect())
}

/// A folder with the program and the data that lessons read.
fn folder(name: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let examples = root().join("examples");
    std::fs::copy(examples.join(format!("{name}.mgpu")), dir.path().join(format!("{name}.mgpu"))).unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    for e in std::fs::read_dir(examples.join("data")).unwrap().flatten() {
        std::fs::copy(e.path(), dir.path().join("data").join(e.file_name())).unwrap();
    }
    dir
}

fn arguments(name: &str, entry: &Value) -> Vec<String> {
    let mut args = vec!["run".to_string(), "-q".into(), format!("{name}.mgpu")];
    args.extend(texts(&entry["args"]).iter().map(|s| s.to_string()));
    args
}

/// Runs a lesson on the CPU (`tests/gpus.rs` compares GPUs with it); what it counts stands in `err`.
fn run_lesson(name: &str, entry: &Value, ranks: u64) -> Run {
    let dir = folder(name);
    let mut args = arguments(name, entry);
    args.retain(|a| a != "-q");
    args.extend(["-n", &ranks.to_string(), "--json", "--device", "cpu"].map(String::from));
    let mut command = Command::new(MGPU);
    command.args(args).current_dir(dir.path());
    run_command(&mut command, dir.path())
}

/// What is wrong with a run of a lesson.
fn check(entry: &Value, run: &Run, ranks: u64) -> Vec<String> {
    let mut wrong = vec![];
    if run.exit != 0 {
        return vec![format!("exit code {}\n{}{}", run.exit, run.out, run.err)];
    }
    let on = entry["stdout_contains_on"].get(ranks.to_string());
    for t in texts(&entry["stdout_contains"]).into_iter().chain(on.map_or(vec![], texts)) {
        if !run.out.contains(t) {
            wrong.push(format!("does not print `{t}`\n{}", run.out));
        }
    }
    for s in entry["scalars"].as_array().into_iter().flatten() {
        let (after, value) = (s["after"].as_str().unwrap(), s["value"].as_f64().unwrap());
        let within = s["abs"].as_f64().unwrap_or(0.0).max(s["rel"].as_f64().unwrap_or(0.0) * value.abs());
        let found = run.out.split_once(after).map(|(_, rest)| number(rest));
        match found.flatten() {
            Some(x) if (x - value).abs() <= within => {}
            x => wrong.push(format!("after `{after}`: {x:?}, wanted {value} within {within}")),
        }
    }
    for (file, want) in entry["npy"].as_object().into_iter().flatten() {
        match run.files.get(file) {
            None => wrong.push(format!("does not write {file}")),
            Some(data) => wrong.extend(compare(data, want).err().map(|why| format!("{file}: {why}"))),
        }
    }
    for file in texts(&entry["writes"]) {
        if run.files.get(file).is_none_or(|d| d.is_empty()) {
            wrong.push(format!("does not write {file}"));
        }
    }
    wrong
}

/// The number that a text begins with.
fn number(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.e".contains(c))).unwrap_or(text.len());
    text[..end].trim_end_matches('.').parse().ok()
}

/// An array of a `.npy` file: type, shape, values.
fn array(data: &[u8]) -> Option<(String, Vec<usize>, Vec<f64>)> {
    let length = u16::from_le_bytes(data.get(8..10)?.try_into().ok()?) as usize;
    let header = std::str::from_utf8(data.get(10..10 + length)?).ok()?;
    let field = |name: &str, open: &str, close: &str| -> Option<String> {
        let (_, rest) = header.split_once(&format!("'{name}':"))?;
        let (_, rest) = rest.split_once(open)?;
        Some(rest.split_once(close)?.0.to_string())
    };
    let descr = field("descr", "'", "'")?;
    let shape: Vec<usize> = field("shape", "(", ")")?.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    let size: usize = descr[2..].parse().ok()?;
    let value = |b: &[u8]| match &descr[1..] {
        "f4" => f32::from_le_bytes(b.try_into().unwrap()) as f64,
        "f8" => f64::from_le_bytes(b.try_into().unwrap()),
        "i4" => i32::from_le_bytes(b.try_into().unwrap()) as f64,
        "i8" => i64::from_le_bytes(b.try_into().unwrap()) as f64,
        "u4" => u32::from_le_bytes(b.try_into().unwrap()) as f64,
        "u8" => u64::from_le_bytes(b.try_into().unwrap()) as f64,
        _ => b[0] as f64,
    };
    Some((descr.clone(), shape, data[10 + length..].chunks_exact(size).map(value).collect()))
}

fn compare(data: &[u8], want: &Value) -> Result<(), String> {
    let (ty, shape, values) = array(data).ok_or("is no .npy file")?;
    let file = root().join("tests/numpy").join(want["file"].as_str().unwrap());
    let (want_ty, want_shape, wanted) = array(&std::fs::read(file).unwrap()).unwrap();
    let whole: Vec<usize> = want["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    if (&ty, &shape) != (&want_ty, &whole) {
        return Err(format!("{ty}{shape:?}, wanted {want_ty}{whole:?}"));
    }
    let every = want["every"].as_u64().unwrap() as usize;
    let most = want["max_abs"].as_f64().unwrap();
    for (k, w) in wanted.iter().enumerate() {
        let mut at = k;
        let mut place = 0;
        let mut stride = 1;
        for (n, m) in shape.iter().zip(&want_shape).rev() {
            place += at % m * every * stride;
            at /= m;
            stride *= n;
        }
        if (values[place] - w).abs() > most {
            return Err(format!("element {place} is {}, wanted {w}", values[place]));
        }
    }
    let (sum, wanted) = (values.iter().sum::<f64>(), want["sum"].as_f64().unwrap());
    let within = want["sum_rel"].as_f64().unwrap() * wanted.abs();
    if (sum - wanted).abs() > within { Err(format!("the sum is {sum}, wanted {wanted}")) } else { Ok(()) }
}

/// Every lesson on every number of ranks; what the plan says equals what the run counts.
#[test]
fn lessons_compute_what_numpy_says_on_any_number_of_ranks() {
    let lessons: Vec<(String, Value)> = expected().into_iter().collect();
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(vec![]));
    let work = || {
        while let Some((name, entry)) = lessons.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = lesson(name, entry);
            wrong.lock().unwrap().extend(found);
        }
    };
    std::thread::scope(|s| (0..2).for_each(|_| drop(s.spawn(work))));
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with a lesson.
fn lesson(name: &str, entry: &Value) -> Vec<String> {
    let mut wrong = vec![];
    let depends = entry.get("stdout_contains_on").is_some();
    let mut first: Option<Run> = None;
    for n in RANKS {
        let got = run_lesson(name, entry, n);
        let found = check(entry, &got, n).into_iter().chain(counts(name, entry, n, &got));
        wrong.extend(found.map(|w| format!("{name} on {n} ranks: {w}")));
        match &first {
            Some(one) if !depends && (one.out != got.out || one.files != got.files) => {
                wrong.push(format!("{name} on {n} ranks: other bytes than on one rank"));
            }
            Some(_) => {}
            None => first = Some(got),
        }
    }
    wrong
}

#[test]
fn every_lesson_has_an_expectation() {
    let known = expected();
    for e in std::fs::read_dir(root().join("examples")).unwrap().flatten() {
        let name = e.file_name().to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(".mgpu") {
            assert!(known.contains_key(stem), "tests/numpy/expected.json has no `{stem}`");
        }
    }
}

/// The same bytes as on one rank under a launcher of three processes, with messages in one piece and in many.
#[cfg(feature = "mpi")]
#[test]
fn lessons_compute_the_same_under_a_launcher() {
    let mut wrong = vec![];
    for (name, entry) in expected() {
        let alone = run_lesson(&name, &entry, 1);
        for limit in ["1073741824", "100"] {
            let dir = folder(&name);
            let mut command = support::launcher(3);
            command.arg(MGPU).args(arguments(&name, &entry)).env("MGPU_MESSAGE_LIMIT", limit);
            let got = run_command(command.current_dir(dir.path()), dir.path());
            wrong.extend(check(&entry, &got, 3).into_iter().map(|w| format!("{name} under a launcher: {w}")));
            let depends = entry.get("stdout_contains_on").is_some();
            if got.files != alone.files || (!depends && got.out != alone.out) {
                wrong.push(format!("{name}: other bytes under a launcher than on one rank\n{}{}", got.out, got.err));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What `plan --json` says equals what `run --json` counts: messages, bytes and memory. How often an exchange runs may be decided by the data
/// (`while`); the run counts that, and where the plan knows it both are compared too.
fn counts(name: &str, entry: &Value, ranks: u64, run: &Run) -> Vec<String> {
    let dir = folder(name);
    let mut args = arguments(name, entry);
    args.retain(|a| a != "run" && a != "-q");
    let mut command = Command::new(MGPU);
    command.arg("plan").args(args).args(["-n", &ranks.to_string(), "--json"]).current_dir(dir.path());
    let planned = run_command(&mut command, dir.path());
    let plan: Value = serde_json::from_str(&planned.out).unwrap_or_default();
    let run: Value = serde_json::from_str(&run.err).unwrap_or_default();
    let (Some(exchanges), Some(ran)) = (plan["exchanges"].as_array(), run["exchanges"].as_array()) else {
        return vec![format!("no counts\n{}{}", planned.err, run)];
    };
    let total = |what: &str| -> u64 {
        // A round of panels is one of those that the plan adds up.
        let number = |v: &Value| v.as_u64().unwrap();
        let each = exchanges.iter().zip(ran).map(|(e, times)| number(&e[what]) * number(times) / number(&e["panels"]));
        each.sum()
    };
    let mut known = vec![None; exchanges.len()];
    times(&plan["steps"], Some(1), &mut known);
    // The data decides what travels of listed elements.
    known.iter_mut().zip(exchanges).filter(|k| k.1["listed"] == true).for_each(|k| *k.0 = None);
    let mut wrong = vec![];
    for (what, said, counted) in [
        ("messages", total("messages"), &run["messages"]),
        ("bytes", total("bytes"), &run["bytes"]),
        ("bytes of memory", plan["memory_per_rank"].as_u64().unwrap(), &run["memory_per_rank"]),
    ] {
        if Some(said) != counted.as_u64() {
            wrong.push(format!("the plan says {said} {what}, the run counts {counted}"));
        }
    }
    let totals = &plan["totals"];
    for (what, counted) in [("messages", "messages"), ("bytes", "bytes"), ("all_reduces", "reductions")] {
        let (said, counted) = (totals[what].as_u64(), run[counted].as_u64());
        if said > counted || (totals["exact"] == true && said != counted) {
            wrong.push(format!("in all the plan says {said:?} {what}, the run counts {counted:?}"));
        }
    }
    let mut planned = known.iter().zip(ran).filter_map(|(k, r)| k.map(|k| (k, r.as_u64().unwrap())));
    if exchanges.len() != ran.len() || planned.any(|(k, r)| k != r) {
        wrong.push(format!("exchanges ran {ran:?}, the plan knows {known:?}"));
    }
    wrong
}

/// The lessons written by hand, on a number of ranks that divides nothing; with NumPy, since CuPy needs a GPU. Pictures are not theirs.
#[test]
fn versions_by_hand_compute_the_same() {
    if !support::scripts_run() {
        return;
    }
    let (mut wrong, known) = (vec![], expected());
    for e in std::fs::read_dir(root().join("tests/by_hand/lessons")).unwrap().flatten() {
        let name = e.path().file_stem().unwrap().to_string_lossy().into_owned();
        let mut entry = known[&name].clone();
        entry["writes"] = Value::Null;
        let dir = folder(&name);
        let mut python = support::launcher(3);
        python.args(["python3", "-m", "mpi4py"]).arg(e.path());
        python.args(texts(&entry["args"]).into_iter().filter(|a| *a != "-p")).current_dir(dir.path());
        let got = run_command(&mut python, dir.path());
        wrong.extend(check(&entry, &got, 3).into_iter().map(|w| format!("{name}.py: {w}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A step of training sends one message between two ranks for all its gradients, whatever the number of layers and of samples.
#[test]
fn the_gradients_of_a_step_travel_as_one_message() {
    for (program, samples) in [("one_message", 16384), ("layers", 20_000), ("layers", 16384), ("layers", 100_000)] {
        let file = format!("{}/tests/suite/run/grad/{program}.mgpu", env!("CARGO_MANIFEST_DIR"));
        let json = |verb: &str, steps: &str| -> Value {
            let samples = format!("n={samples}");
            let args = [verb, &file, "-n", "4", "-p", steps, "-p", &samples, "--json"];
            let got = Command::new(MGPU).args(args).output().unwrap();
            let text = if verb == "plan" { got.stdout } else { got.stderr };
            serde_json::from_slice(&text).expect("JSON")
        };
        let plan = json("plan", "steps=9");
        let exchanges = plan["exchanges"].as_array().unwrap();
        let mut known = vec![None; exchanges.len()];
        times(&plan["steps"], Some(1), &mut known);
        let each_step: Vec<&Value> =
            known.iter().zip(exchanges).filter(|k| *k.0 == Some(9)).map(|k| &k.1["messages"]).collect();
        assert_eq!(each_step, [&Value::from(12)], "{plan}");
        let [many, few] = ["steps=9", "steps=4"].map(|s| json("run", s));
        let more = |what: &str| many[what].as_u64().unwrap() - few[what].as_u64().unwrap();
        assert_eq!((more("messages"), more("reductions")), (5 * 12, 0), "{program}, {samples}");
    }
}

/// Of a layer the derivative holds `tanh`, which its slope follows from, and not what that is a function of.
#[test]
fn a_layer_is_held_once() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/run/grad/layers.mgpu");
    let got = Command::new(MGPU).args(["plan", file, "-n", "1", "--json"]).output().unwrap();
    let text = String::from_utf8(got.stdout).unwrap();
    assert!(text.contains("\"t__1\"") && !text.contains("\"t__0\""), "{text}");
}

/// Where the subscripts stay, a round sends values only: those of the elements that are read, and of the contributions.
#[test]
fn kept_subscripts_do_not_travel_again() {
    let dir = folder("05_heat");
    let file = dir.path().join("rounds.mgpu");
    let text = "
        param steps: i64 = 1
        array x, y: f64[1000] in (block)
        array idx, bin: i64[1000] in (block)
        workflow main {
            x[i] = f64(i)
            idx[i] = if i == 3 { 900 } else { i }
            bin[i] = if i < 5 { 999 - i } else { i }
            for t in 0..steps {
                y[i] = x[idx[i]]
                x[i] = y[i] + 1
                x[bin[i]] += y[i]
            }
            print \"{sum[i] x[i]}\"
        }";
    std::fs::write(&file, text).unwrap();
    let beside = |steps: &str| -> [u64; 2] {
        let args = ["run", file.to_str().unwrap(), "-n", "2", "-p", steps, "--device", "cpu", "--json"];
        let got = Command::new(MGPU).args(args).output().unwrap();
        let run: Value = serde_json::from_slice(&got.stderr).expect("JSON");
        assert_eq!(run["messages"], 0, "{run}");
        ["messages", "bytes"].map(|w| run["beside_exchanges"][w].as_u64().unwrap())
    };
    let (one, nine) = (beside("steps=1"), beside("steps=9"));
    // One element read from the other rank, and five contributions for it: one message each.
    assert_eq!([nine[0] - one[0], nine[1] - one[1]], [8 * 2, 8 * (8 + 5 * 8)]);
}

/// Elements and reductions of one `print` travel together, whatever is computed from them.
#[test]
fn values_wanted_together_are_reduced_in_one_message() {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/run/reduce/one_message.mgpu");
    let got = Command::new(MGPU).args(["plan", program, "-n", "3", "--json"]).output().unwrap();
    let plan: Value = serde_json::from_slice(&got.stdout).expect("JSON");
    let steps = plan["steps"].as_array().unwrap();
    let values = |s: &Value| (s["step"] == "all-reduce").then(|| s["values"].as_u64());
    let all: Vec<u64> = steps.iter().filter_map(values).flatten().collect();
    // What is printed first; the mean; what depends on the mean.
    assert_eq!(all, [6, 1, 1], "{plan}");
}

/// How often exchanges run, by their numbers, as far as the loops' ranges are known.
fn times(steps: &Value, around: Option<u64>, out: &mut Vec<Option<u64>>) {
    for s in steps.as_array().into_iter().flatten() {
        for key in ["exchange", "overlaps"] {
            if let Some(e) = s[key].as_u64() {
                out[e as usize] = around;
            }
        }
        let inside = around.zip(s["rounds"].as_u64()).map(|(n, rounds)| n * rounds);
        ["body", "before", "then", "else"].iter().for_each(|b| times(&s[b], inside, out));
    }
}

//! `mgpu run --trace` and `--stats`: what the ranks recorded, as a trace and as a table.

use crate::ir::plan::Plan;
use crate::ir::plan::prose::exchange_of;
use crate::runtime::trace::{Event, KINDS, Kind, Sums, Trace};
use crate::source::SourceMap;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;

/// A step's words, and the line that it comes from.
struct Title {
    text: String,
    /// What its exchange carries, if it has one.
    carries: Option<String>,
    line: String,
}

impl Title {
    /// A slice of the step's time in a trace. Viewers colour slices by name, so what is sent and awaited differs from what is computed.
    fn slice(&self, kind: Kind) -> String {
        match (kind, &self.carries) {
            (Kind::Send, Some(what)) => format!("send {what}"),
            (Kind::Wait, Some(what)) => format!("wait for {what}"),
            _ => self.text.clone(),
        }
    }
}

/// The steps in the order in which traces count them.
fn titles(plan: &Plan, sources: &SourceMap) -> Vec<Title> {
    let mut out = vec![];
    plan.each_step(&plan.steps, &mut |s| {
        let line = if s.span.end > 0 {
            format!("{}:{}", sources.file(s.span.file).name, sources.line_col(s.span).0)
        } else {
            String::new()
        };
        let carries = exchange_of(s).map(|e| plan.items_text(&plan.exchanges[e.0 as usize]));
        out.push(Title { text: plan.step_title(s), carries, line });
    });
    out
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Compute => "compute",
        Kind::Send => "send",
        Kind::Wait => "wait",
        Kind::Reduce => "all-reduce",
        Kind::Io => "I/O",
    }
}

/// The trace in the form of the "Trace Event Format" of Chromium's documentation (JSON object with `traceEvents`): one track
/// a rank and one a GPU, slices for what it did, flow arrows for messages. Times in microseconds.
pub fn json(plan: &Plan, sources: &SourceMap, traces: &[&Trace]) -> String {
    let titles = titles(plan, sources);
    let micros = |ns: u64| ns as f64 / 1000.0;
    let slice = |e: &Event, track: usize| {
        let title = &titles[e.step as usize];
        json!({
            "ph": "X", "pid": 0, "tid": track, "ts": micros(e.start), "dur": micros(e.end - e.start),
            "name": title.slice(e.kind), "cat": kind_name(e.kind), "args": {"kind": kind_name(e.kind), "line": title.line},
        })
    };
    let mut events: Vec<Value> = vec![
        json!({"ph": "M", "name": "process_name", "pid": 0, "tid": 0, "args": {"name": format!("mgpu, {} ranks", plan.ranks)}}),
    ];
    for (rank, trace) in traces.iter().enumerate() {
        events.push(
            json!({"ph": "M", "name": "thread_name", "pid": 0, "tid": rank, "args": {"name": format!("rank {rank}")}}),
        );
        events.extend(trace.events.iter().map(|e| slice(e, rank)));
    }
    for (rank, trace) in traces.iter().enumerate().filter(|(_, t)| !t.kernels.is_empty()) {
        let track = traces.len() + rank;
        let name = format!("rank {rank}, GPU");
        events.push(json!({"ph": "M", "name": "thread_name", "pid": 0, "tid": track, "args": {"name": name}}));
        events.extend(trace.kernels.iter().map(|e| slice(e, track)));
    }
    // The n-th message from one rank to another arrives there as the n-th.
    let mut sent: BTreeMap<(usize, i64), VecDeque<u64>> = BTreeMap::new();
    for (rank, trace) in traces.iter().enumerate() {
        for m in trace.messages.iter().filter(|m| m.sent) {
            sent.entry((rank, m.peer)).or_default().push_back(trace.events[m.event].start);
        }
    }
    let mut id = 0;
    for (rank, trace) in traces.iter().enumerate() {
        for m in trace.messages.iter().filter(|m| !m.sent) {
            let Some(from) = sent.get_mut(&(m.peer as usize, rank as i64)).and_then(|q| q.pop_front()) else {
                continue;
            };
            id += 1;
            let end = |ph: &str, tid: i64, ts: f64| json!({"ph": ph, "bp": "e", "id": id, "pid": 0, "tid": tid, "ts": ts, "name": "message", "cat": "message"});
            events.push(end("s", m.peer, micros(from)));
            // An arrow ends inside of its slice, else Perfetto leaves it out; slices do not contain their ends.
            let arrived = trace.events[m.event];
            events.push(end("f", rank as i64, micros(arrived.end.saturating_sub(1).max(arrived.start))));
        }
    }
    format!("{}\n", json!({"displayTimeUnit": "ms", "traceEvents": events}))
}

/// All ranks' sums of one step.
struct Row {
    runs: u64,
    /// Seconds by kind, the mean over the ranks.
    mean: [f64; KINDS],
    /// Seconds of the slowest rank's sweeps.
    slowest: f64,
    touched: f64,
}

fn row(sums: &[&Sums]) -> Row {
    let n = sums.len().max(1) as f64;
    let seconds = |s: &Sums, k: usize| s.spent[k] as f64 * 1e-9;
    let mut mean = [0.0; KINDS];
    for (k, m) in mean.iter_mut().enumerate() {
        *m = sums.iter().map(|s| seconds(s, k)).sum::<f64>() / n;
    }
    Row {
        runs: sums.iter().map(|s| s.runs).max().unwrap_or(0),
        mean,
        slowest: sums.iter().map(|s| seconds(s, Kind::Compute as usize)).fold(0.0, f64::max),
        touched: sums.iter().map(|s| s.touched as f64).sum(),
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        0.0 => "-".into(),
        s if s < 1e-3 => format!("{:.1} us", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.3} s"),
    }
}

/// A table of computation, communication, waiting and files by step (means over the ranks), with the bandwidth of sweeps and
/// how evenly the ranks share them, and one line of advice.
pub fn table(plan: &Plan, sources: &SourceMap, traces: &[&Trace]) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{:<44} {:<18} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>7} {:>8}",
        "step", "line", "runs", "compute", "send", "wait", "all-reduce", "I/O", "GB/s", "balance"
    );
    let mut total = [0.0; KINDS];
    let (mut slowest, mut touched, mut worst) = (0.0, 0.0, (0.0, String::new(), 1.0));
    for (k, title) in titles(plan, sources).iter().enumerate() {
        let sums: Vec<&Sums> = traces.iter().filter_map(|t| t.sums.get(k)).collect();
        let r = row(&sums);
        if r.mean.iter().all(|m| *m == 0.0) {
            continue;
        }
        let [compute, send, wait, reduce, io] = r.mean.map(time);
        let swept = r.slowest > 0.0;
        let balance = if swept { r.mean[Kind::Compute as usize] / r.slowest } else { 1.0 };
        let lost = r.slowest - r.mean[Kind::Compute as usize];
        if lost > worst.0 {
            worst = (lost, title.text.clone(), balance);
        }
        let (bandwidth, even) = match swept {
            true => (format!("{:.1}", r.touched / r.slowest / 1e9), format!("{balance:.2}")),
            false => ("-".into(), "-".into()),
        };
        let cut: String = title.text.chars().take(44).collect();
        let _ = writeln!(
            out,
            "{cut:<44} {:<18} {:>8} {compute:>10} {send:>10} {wait:>10} {reduce:>10} {io:>10} {bandwidth:>7} {even:>8}",
            title.line, r.runs
        );
        total.iter_mut().zip(r.mean).for_each(|(t, m)| *t += m);
        slowest += r.slowest;
        touched += r.touched;
    }
    let machine: f64 = traces.iter().map(|t| t.bandwidth).sum();
    let reached = if slowest > 0.0 { touched / slowest } else { 0.0 };
    let [compute, send, wait, reduce, io] = total.map(time);
    let _ = writeln!(
        out,
        "{:<44} {:<18} {:>8} {compute:>10} {send:>10} {wait:>10} {reduce:>10} {io:>10} {:>7} {:>8}",
        "all",
        "",
        "",
        format!("{:.1}", reached / 1e9),
        format!("{:.2}", if slowest > 0.0 { total[0] / slowest } else { 1.0 })
    );
    let _ = writeln!(
        out,
        "the ranks together copy {:.1} GB/s in this machine's memory; the sweeps reached {:.0} % of that (more: from caches)",
        machine / 1e9,
        100.0 * reached / machine.max(1.0)
    );
    let _ = writeln!(out, "{}", advice(total, reached / machine.max(1.0), &worst, plan.ranks));
    out
}

/// What would help most, by the largest share of the time.
fn advice(total: [f64; KINDS], reached: f64, worst: &(f64, String, f64), ranks: i64) -> String {
    let [compute, send, wait, reduce, io] = total;
    let all: f64 = total.iter().sum();
    let share = |s: f64| format!("{:.0} % of the time", 100.0 * s / all.max(1e-12));
    if all == 0.0 {
        return "nothing took time".into();
    }
    if io > 0.5 * all {
        return format!("{} goes to printing and files: do so less often", share(io));
    }
    if worst.0 > 0.2 * all {
        return format!(
            "ranks wait for the slowest in `{}` (balance {:.2}): another partition would share it more evenly",
            worst.1, worst.2
        );
    }
    if send + wait + reduce > compute {
        return format!(
            "{} is communication: larger parts (fewer than {ranks} ranks), or several steps between reductions, would help",
            share(send + wait + reduce)
        );
    }
    if reached > 0.6 {
        return format!("{} is sweeps at the speed of memory: `f32` or fewer arrays would help", share(compute));
    }
    format!("{} is arithmetic in sweeps: more ranks would help", share(compute))
}

#[cfg(all(test, feature = "cuda"))]
mod tests {
    use super::*;
    use crate::cli::MessageFormat;
    use crate::cli::compile::Session;

    /// What a GPU was busy with has a track of its own, and stands in the table for the time of its step.
    #[test]
    fn kernels_have_a_track_and_count_as_the_steps_time() {
        let program = "array u: f32[8] in (block)\nworkflow main { u[i] = f32(i) }\n";
        let mut session = Session::new(MessageFormat::Human);
        let plan = session.plan_of("p.mgpu", program, 1).unwrap();
        let mut trace = Trace::new(&plan, std::time::Instant::now());
        plan.each_step(&plan.steps, &mut |s| {
            trace.at(s);
        });
        trace.busy(vec![Event { step: 0, kind: Kind::Compute, start: 1000, end: 4000 }]);
        trace.busy(vec![Event { step: 0, kind: Kind::Compute, start: 5000, end: 7000 }]);
        let text = json(&plan, &session.sources, &[&trace]);
        let value: Value = serde_json::from_str(&text).unwrap();
        let events = value["traceEvents"].as_array().unwrap();
        let name = |e: &&Value| e["args"]["name"] == "rank 0, GPU";
        let track = events.iter().find(name).unwrap()["tid"].clone();
        let slices: Vec<&Value> = events.iter().filter(|e| e["ph"] == "X" && e["tid"] == track).collect();
        assert_eq!(slices.len(), 2);
        assert_eq!((slices[1]["ts"].as_f64(), slices[1]["dur"].as_f64()), (Some(5.0), Some(2.0)));
        assert_eq!(slices[0]["args"]["line"], "p.mgpu:2");
        let table = table(&plan, &session.sources, &[&trace]);
        assert!(table.lines().nth(1).is_some_and(|l| l.contains("5.0 us")), "{table}");
    }
}

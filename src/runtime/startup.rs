//! What a start is made of: the time from the process's start to the first step, by phase. Shown by `mgpu run -v` and in the
//! summary as JSON.

use std::sync::Mutex;
use std::time::{Duration, Instant};

static PHASES: Mutex<Vec<(&'static str, Instant)>> = Mutex::new(vec![]);

/// Time that the process had lived before `now`, by the system's count (`starttime` of proc(5), in steps of 10 ms).
fn lived() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let uptime: f64 = std::fs::read_to_string("/proc/uptime").ok()?.split_whitespace().next()?.parse().ok()?;
    // SAFETY: asks for a constant of the system.
    let rate = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Duration::try_from_secs_f64(uptime - ticks / rate as f64).ok()
}

/// A phase ended now. Where several ranks of the process go through it, the last one counts.
pub fn ended(phase: &'static str) {
    let Ok(mut phases) = PHASES.lock() else { return };
    match phases.iter_mut().find(|p| p.0 == phase) {
        Some(p) => p.1 = Instant::now(),
        None => phases.push((phase, Instant::now())),
    }
}

/// Seconds by phase, in order, and of the whole. Everything before the first phase is called `process`.
pub fn phases() -> Vec<(&'static str, f64)> {
    let Ok(mut phases) = PHASES.lock().map(|p| p.clone()) else { return vec![] };
    phases.sort_by_key(|p| p.1);
    let (Some(first), Some(last)) = (phases.first().copied(), phases.last().copied()) else { return vec![] };
    let now = Instant::now();
    let before = lived().map_or(Duration::ZERO, |l| l.saturating_sub(now.saturating_duration_since(first.1)));
    let mut out = vec![("process", before.as_secs_f64())];
    for pair in phases.windows(2) {
        out.push((pair[1].0, pair[1].1.saturating_duration_since(pair[0].1).as_secs_f64()));
    }
    out.push(("whole", (before + last.1.saturating_duration_since(first.1)).as_secs_f64()));
    out
}

/// The phases in a line.
pub fn text() -> String {
    let mut phases = phases();
    let whole = phases.pop().map_or(0.0, |p| p.1);
    let parts: Vec<String> = phases.iter().map(|(name, s)| format!("{name} {s:.2}")).collect();
    format!("start: {whole:.2} s to the first step ({})", parts.join(", "))
}

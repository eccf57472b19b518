//! What each rank did when: recorded while a run is traced (`--trace`, `--stats`).

use crate::ir::plan::{Plan, Step};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What a rank spends time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Sweeps.
    Compute,
    /// Packing and sending, and copies within the rank.
    Send,
    /// Waiting for messages and unpacking them.
    Wait,
    /// All-reduces, the waiting for others included.
    Reduce,
    /// Printing, loading, saving, plotting.
    Io,
}

/// How many kinds there are.
pub const KINDS: usize = 5;

/// Something that took time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The step's number in the order of the plan's text.
    pub step: u32,
    pub kind: Kind,
    /// Nanoseconds since all ranks began.
    pub start: u64,
    pub end: u64,
}

/// A message that was sent or has arrived. Those of a pair of ranks arrive in the order in which they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub peer: i64,
    pub sent: bool,
    /// The event in which it happened.
    pub event: usize,
}

/// The sums of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// How often the step ran.
    pub runs: u64,
    /// Nanoseconds by kind.
    pub spent: [u64; KINDS],
    /// Compulsory bytes of the sweeps: every element read and written once.
    pub touched: u64,
}

/// The clock that all processes of a machine share, in nanoseconds.
fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the time.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What tells one start of one machine from all others.
fn machine() -> Vec<u8> {
    std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

/// The machine's clock and the machine's name, for the other ranks.
pub fn clock() -> Vec<u8> {
    [&monotonic().to_le_bytes()[..], &machine()].concat()
}

/// The moment that `first`, the clock of rank 0, shows; now, if rank 0 is on another machine.
pub fn origin(first: &[u8]) -> Instant {
    // A rank that is interrupted between two looks at the time would be late by that: of several pairs the closest counts.
    let look = |_| (Instant::now(), monotonic(), Instant::now());
    let closest = (0..32).map(look).min_by_key(|(before, _, after)| *after - *before);
    let (before, mine, _) = closest.unwrap_or_else(|| look(0));
    let nanos = first.first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
    let alike = first.get(8..) == Some(&machine()[..]);
    let since = Duration::from_nanos(mine.saturating_sub(nanos));
    if alike { before.checked_sub(since).unwrap_or(before) } else { before }
}

/// Events that are kept; later ones count in the sums only.
const MOST_EVENTS: usize = 1 << 20;

/// One rank's record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trace {
    pub events: Vec<Event>,
    pub messages: Vec<Message>,
    /// What the rank's GPU did meanwhile: a kernel each.
    pub kernels: Vec<Event>,
    /// By the step's number.
    pub sums: Vec<Sums>,
    /// Bytes a second that the ranks copied at the same time after the run, read and written.
    pub bandwidth: f64,
    #[serde(skip, default = "Instant::now")]
    origin: Instant,
    #[serde(skip)]
    step: usize,
    #[serde(skip)]
    numbers: HashMap<usize, usize>,
}

impl Trace {
    /// An empty record that begins at `origin`.
    pub fn new(plan: &Plan, origin: Instant) -> Trace {
        let mut numbers = HashMap::new();
        plan.each_step(&plan.steps, &mut |s| {
            let next = numbers.len();
            numbers.insert(std::ptr::from_ref(s) as usize, next);
        });
        Trace {
            events: vec![],
            messages: vec![],
            kernels: vec![],
            sums: vec![Sums::default(); numbers.len()],
            bandwidth: 0.0,
            origin,
            step: 0,
            numbers,
        }
    }

    /// A step begins; gives its number.
    pub fn at(&mut self, step: &Step) -> u32 {
        if let Some(n) = self.numbers.get(&(std::ptr::from_ref(step) as usize)) {
            self.step = *n;
            self.sums[*n].runs += 1;
        }
        self.step as u32
    }

    /// When the record began.
    pub fn origin(&self) -> Instant {
        self.origin
    }

    /// What a GPU was busy with: its times stand for those of the step, because the rank itself only queued the work.
    pub fn busy(&mut self, kernels: Vec<Event>) {
        for k in &kernels {
            if let Some(sums) = self.sums.get_mut(k.step as usize) {
                sums.spent[k.kind as usize] += k.end - k.start;
            }
        }
        self.kernels.extend(kernels.into_iter().take(MOST_EVENTS));
    }

    /// The current step's sweep touches so many bytes.
    pub fn touched(&mut self, bytes: u64) {
        self.sums[self.step].touched += bytes;
    }

    /// Time was spent until now.
    pub fn spent(&mut self, kind: Kind, since: Instant, time: Duration) {
        self.sums[self.step].spent[kind as usize] += time.as_nanos() as u64;
        if self.events.len() < MOST_EVENTS {
            let start = since.saturating_duration_since(self.origin).as_nanos() as u64;
            self.events.push(Event { step: self.step as u32, kind, start, end: start + time.as_nanos() as u64 });
        }
    }

    /// A message was sent, or has arrived, in the last event.
    pub fn message(&mut self, peer: i64, sent: bool) {
        if self.events.len() < MOST_EVENTS {
            self.messages.push(Message { peer, sent, event: self.events.len().saturating_sub(1) });
        }
    }
}

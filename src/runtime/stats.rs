//! What a rank counts while it runs.

use crate::runtime::trace::{Kind, Trace};
use std::time::{Duration, Instant};

/// An array's name and a number that its elements decide, whichever way they are divided over the ranks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub array: String,
    pub digest: u64,
}

/// Counters and clocks of one rank.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub steps: u64,
    /// Messages and bytes sent in exchanges.
    pub messages: u64,
    pub bytes: u64,
    /// Messages and bytes sent beside exchanges, by scatters and scans: the data decides how many.
    pub beside: (u64, u64),
    /// Messages and bytes that arrived, and what the plan said would arrive.
    pub received: (u64, u64),
    pub planned: (u64, u64),
    /// All-reduces taken part in.
    pub reductions: u64,
    /// From the first step to the end.
    pub ran: Duration,
    pub computation: Duration,
    /// Packing, sending, waiting and unpacking.
    pub communication: Duration,
    /// Compulsory bytes of all nests that ran: every element read and written once.
    pub touched: u64,
    /// What the program's arrays hold at the end, where that is asked for.
    pub contents: Vec<Contents>,
    /// How often each exchange of the plan ran.
    pub exchanges: Vec<u64>,
    /// Bytes allocated for arrays and views, where the device counts them.
    pub memory: Option<u64>,
    /// What happened when, if the run is traced.
    pub trace: Option<Box<Trace>>,
}

impl Stats {
    /// Counts the time since `clock`.
    pub fn spent(&mut self, kind: Kind, clock: Instant) {
        let time = clock.elapsed();
        match kind {
            Kind::Compute => self.computation += time,
            Kind::Send | Kind::Wait | Kind::Reduce => self.communication += time,
            Kind::Io => {}
        }
        if let Some(trace) = &mut self.trace {
            trace.spent(kind, clock, time);
        }
    }

    /// Counts what has been counted since `was` so many times more; clocks are left alone.
    pub fn repeat(&mut self, was: &Stats, times: u64) {
        let more = |now: &mut u64, was: u64| *now += (*now - was) * times;
        more(&mut self.steps, was.steps);
        more(&mut self.messages, was.messages);
        more(&mut self.bytes, was.bytes);
        for (now, was) in
            [(&mut self.beside, was.beside), (&mut self.received, was.received), (&mut self.planned, was.planned)]
        {
            more(&mut now.0, was.0);
            more(&mut now.1, was.1);
        }
        more(&mut self.reductions, was.reductions);
        more(&mut self.touched, was.touched);
        for (k, now) in self.exchanges.iter_mut().enumerate() {
            more(now, was.exchanges.get(k).copied().unwrap_or(0));
        }
    }

    /// Notes messages of the last event, by peer.
    pub fn messages(&mut self, peers: impl Iterator<Item = i64>, sent: bool) {
        if let Some(trace) = &mut self.trace {
            peers.for_each(|p| trace.message(p, sent));
        }
    }

    /// Counts messages and bytes that were sent.
    pub fn sent(&mut self, (messages, bytes): (u64, u64)) {
        self.messages += messages;
        self.bytes += bytes;
    }

    /// Counts messages and bytes that were sent beside exchanges.
    pub fn sent_beside(&mut self, (messages, bytes): (u64, u64)) {
        self.beside = (self.beside.0 + messages, self.beside.1 + bytes);
    }

    /// Notes what an exchange brought and what the plan says it brings.
    pub fn arrived(&mut self, real: (u64, u64), planned: (i64, i64)) {
        self.received = (self.received.0 + real.0, self.received.1 + real.1);
        self.planned = (self.planned.0 + planned.0 as u64, self.planned.1 + planned.1 as u64);
    }
}

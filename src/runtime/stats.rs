//! What a rank counts while it runs.

use std::time::Duration;

/// Counters and clocks of one rank.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub steps: u64,
    /// Messages and bytes sent in exchanges.
    pub messages: u64,
    pub bytes: u64,
    /// All-reduces taken part in.
    pub reductions: u64,
    pub computation: Duration,
    /// Packing, sending, waiting and unpacking.
    pub communication: Duration,
    /// Compulsory bytes of all nests that ran: every element read and written once.
    pub touched: u64,
}

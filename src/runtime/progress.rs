//! The progress bar of a long loop, on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// A bar that appears when a loop has run for a second.
pub struct Progress {
    bar: Cell<Option<ProgressBar>>,
    first: i64,
    last: i64,
    since: Instant,
    /// The next time to look at the clock and to draw.
    next: Cell<Instant>,
}

impl Progress {
    /// A bar over `first..last`.
    pub fn new(first: i64, last: i64) -> Progress {
        let now = Instant::now();
        Progress { bar: Cell::new(None), first, last, since: now, next: Cell::new(now + Duration::from_secs(1)) }
    }

    /// The loop has reached `i`.
    pub fn at(&self, i: i64) {
        let now = Instant::now();
        if now < self.next.get() {
            return;
        }
        self.next.set(now + Duration::from_millis(100));
        let bar = self.bar.take().unwrap_or_else(|| {
            let bar = ProgressBar::new((self.last - self.first).max(0) as u64).with_elapsed(self.since.elapsed());
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len}  {elapsed} of about {duration}") {
                bar.set_style(style);
            }
            bar
        });
        bar.set_position((i - self.first).max(0) as u64);
        self.bar.set(Some(bar));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

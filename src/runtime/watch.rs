//! A watchdog: ends the run when no step completes for too long.

use crate::runtime::say::say;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Shared by the ranks of a process; clones watch the same run.
#[derive(Clone, Default)]
pub struct Watch {
    shared: Option<Arc<Shared>>,
}

#[derive(Default)]
struct Shared {
    steps: AtomicU64,
    over: AtomicBool,
}

impl Watch {
    /// Watches from now on, if there is a limit; `end` is called with the exit code when it passes.
    pub fn start(limit: Option<Duration>, end: impl Fn(i32) + Send + 'static) -> Watch {
        let Some(limit) = limit else { return Watch::default() };
        let shared = Arc::new(Shared::default());
        let watched = shared.clone();
        std::thread::spawn(move || {
            let (mut seen, mut since) = (0, Instant::now());
            while !watched.over.load(Ordering::Relaxed) {
                std::thread::sleep(limit.min(Duration::from_millis(50)));
                let now = watched.steps.load(Ordering::Relaxed);
                if now != seen {
                    (seen, since) = (now, Instant::now());
                } else if since.elapsed() >= limit {
                    say(format!(
                        "mgpu: no step completed for {:.1} s (after {seen} steps of the ranks here); the run is ended",
                        limit.as_secs_f64()
                    ));
                    end(crate::runtime::failure::exit::LOST.into());
                    return;
                }
            }
        });
        Watch { shared: Some(shared) }
    }

    /// Notes that a rank reached a step.
    pub fn step(&self) {
        if let Some(s) = &self.shared {
            s.steps.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The run is over.
    pub fn stop(&self) {
        if let Some(s) = &self.shared {
            s.over.store(true, Ordering::Relaxed);
        }
    }
}

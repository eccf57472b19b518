//! Launches wait here and go out in batches; a batch that comes again goes out as one CUDA graph. The host never waits.

use std::collections::HashMap;

use super::driver::{Entry, Gpu, Graph, Launch, Result};

/// Launches of a batch, at least, that ends with an iteration of a loop.
const BATCH: usize = 64;
/// Batches shorter than this are not worth a graph.
const SHORT: usize = 4;
/// Graphs that are kept.
const MOST_GRAPHS: usize = 256;

#[derive(Default)]
struct Known {
    batch: Vec<Entry>,
    graph: Option<Graph>,
}

/// A hash of a batch; equal batches have equal ones.
fn hash(batch: &[Entry]) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325u64;
    for entry in batch {
        let (Entry::Kernel(l) | Entry::Beside(l)) = entry else { continue };
        for w in &l.words {
            h = (h ^ w).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }
    h
}

/// Launches in order.
#[derive(Default)]
pub struct Queue {
    pending: Vec<Entry>,
    known: HashMap<u64, Known>,
    /// Kernels that went out, and in how many graphs.
    pub launched: u64,
    pub graphs: u64,
}

impl Queue {
    /// Adds a launch.
    pub fn push(&mut self, launch: Launch) {
        self.pending.push(Entry::Kernel(launch));
    }

    /// Adds any entry.
    pub fn add(&mut self, entry: Entry) {
        self.pending.push(entry);
    }

    /// An iteration ended: a batch may end here.
    pub fn turn(&mut self, gpu: &Gpu) -> Result<()> {
        if self.pending.len() >= BATCH { self.flush(gpu) } else { Ok(()) }
    }

    /// Everything goes out.
    pub fn flush(&mut self, gpu: &Gpu) -> Result<()> {
        let batch = std::mem::take(&mut self.pending);
        self.launched += batch.len() as u64;
        if batch.len() < SHORT {
            return batch.iter().try_for_each(|l| gpu.enqueue(l));
        }
        if self.known.len() >= MOST_GRAPHS {
            self.known.clear();
        }
        let known = self.known.entry(hash(&batch)).or_default();
        if known.batch != batch {
            // Seen for the first time.
            let sent = batch.iter().try_for_each(|l| gpu.enqueue(l));
            *known = Known { batch, graph: None };
            return sent;
        }
        if known.graph.is_none() {
            known.graph = Some(gpu.graph(&batch)?);
        }
        self.graphs += 1;
        match &known.graph {
            Some(graph) => gpu.run(graph),
            None => Ok(()),
        }
    }
}

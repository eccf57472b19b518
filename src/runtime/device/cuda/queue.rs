//! Launches wait here and go out in batches; a batch that comes again goes out as one CUDA graph. The host never waits.

use std::collections::HashMap;

use super::driver::{Gpu, Graph, Launch, Result};

/// Launches of a batch, at least, that ends with an iteration of a loop.
const BATCH: usize = 64;
/// Batches shorter than this are not worth a graph.
const SHORT: usize = 4;
/// Graphs that are kept.
const MOST_GRAPHS: usize = 256;

/// What a queued launch stores, for exchanges that can become part of it.
#[derive(Clone, Debug)]
pub struct Stores {
    pub nest: usize,
    /// Where each of the nest's stores goes; the arrays may have changed roles since.
    pub addresses: Vec<u64>,
    /// The place of the words for copies among the launch's words.
    pub pieces_at: usize,
}

#[derive(Default)]
struct Known {
    batch: Vec<Launch>,
    graph: Option<Graph>,
}

/// A hash of a batch; equal batches have equal ones.
fn hash(batch: &[Launch]) -> u64 {
    let mut h = 0xcbf2_9ce4_8422_2325u64;
    for l in batch {
        for w in &l.words {
            h = (h ^ w).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }
    h
}

/// Launches in order.
#[derive(Default)]
pub struct Queue {
    pending: Vec<Launch>,
    /// What the last launch stores, if copies may still join it.
    last: Option<Stores>,
    /// Where the batch ends, when the next launch comes.
    cut: Option<usize>,
    known: HashMap<u64, Known>,
    /// Kernels that went out, and in how many graphs.
    pub launched: u64,
    pub graphs: u64,
}

impl Queue {
    /// Adds a launch.
    pub fn push(&mut self, gpu: &Gpu, launch: Launch, stores: Option<Stores>) -> Result<()> {
        if let Some(cut) = self.cut.take() {
            self.send(gpu, cut)?;
        }
        self.pending.push(launch);
        self.last = stores;
        Ok(())
    }

    /// The last launch, while it waits, with what it stores.
    pub fn last(&mut self) -> Option<(&mut Launch, Stores)> {
        let stores = self.last.clone()?;
        self.pending.last_mut().map(|l| (l, stores))
    }

    /// Nothing may join the last launch any more.
    pub fn close_last(&mut self) {
        self.last = None;
    }

    /// An iteration ended: a batch may end here, once the copies that follow the last sweep have joined it.
    pub fn turn(&mut self) {
        if self.pending.len() >= BATCH {
            self.cut = Some(self.pending.len());
        }
    }

    /// Everything goes out.
    pub fn flush(&mut self, gpu: &Gpu) -> Result<()> {
        self.cut = None;
        self.last = None;
        self.send(gpu, self.pending.len())
    }

    fn send(&mut self, gpu: &Gpu, count: usize) -> Result<()> {
        let rest = self.pending.split_off(count);
        let batch = std::mem::replace(&mut self.pending, rest);
        self.launched += batch.len() as u64;
        if batch.len() < SHORT {
            return batch.iter().try_for_each(|l| gpu.launch(l));
        }
        if self.known.len() >= MOST_GRAPHS {
            self.known.clear();
        }
        let known = self.known.entry(hash(&batch)).or_default();
        if known.batch != batch {
            // Seen for the first time.
            let sent = batch.iter().try_for_each(|l| gpu.launch(l));
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

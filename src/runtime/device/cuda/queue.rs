//! Launches wait here and go out in batches; a batch that comes again goes out as one CUDA graph. The host never waits. In a
//! traced run each launch goes out alone, with a clock before and behind it.
//!
//! What nobody asks for at once, such as a norm that is only printed at the end, runs beside the launches behind it; those that use
//! the same words of memory wait for it. So do sweeps of few threads, beside others that touch none of their arrays.

use std::collections::HashMap;

use super::driver::{Gpu, Launch, Result};
use super::graphs::{Graph, Lane};
use super::record::Recorder;

/// Launches of a batch, at least, that ends with an iteration of a loop.
const BATCH: usize = 64;
/// Batches shorter than this are not worth a graph.
const SHORT: usize = 4;
/// Pieces of scalar code that one launch can run.
const CODES: usize = 8;
/// Graphs that are kept.
const MOST_GRAPHS: usize = 256;

#[derive(Default)]
struct Known {
    batch: Vec<Launch>,
    lanes: Vec<Lane>,
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

/// A launch beside others.
struct Side {
    number: u64,
    /// The words that it uses, or the first ones of what it uses.
    words: Vec<u64>,
    /// It works on arrays: only sweeps say whether they use the same ones.
    sweep: bool,
}

/// Launches in order.
#[derive(Default)]
pub struct Queue {
    /// The step of the plan that queues now.
    pub step: u32,
    /// Of a traced run.
    pub recorder: Option<Recorder>,
    /// What goes out is noted here.
    pub log: Option<Vec<Launch>>,
    pending: Vec<Launch>,
    /// The steps of the pending launches, and how they stand to one another.
    steps: Vec<u32>,
    lanes: Vec<Lane>,
    /// Launches beside others that nobody waits for yet.
    beside: Vec<Side>,
    /// What those use that the last launch waits for.
    waited: Vec<u64>,
    /// Where the last launch takes numbers of scalar code: the first of two words.
    codes: Option<usize>,
    /// How many launches there have been.
    count: u64,
    known: HashMap<u64, Known>,
    /// Kernels that went out, and in how many graphs.
    pub launched: u64,
    pub graphs: u64,
}

impl Queue {
    /// Adds a launch that follows all others; gives its number.
    pub fn push(&mut self, launch: Launch) -> u64 {
        self.push_behind(launch, &|_| true)
    }

    /// Adds a launch that uses, of the words that launches beside others may use, just these, and any array.
    pub fn push_using(&mut self, launch: Launch, words: &[u64]) -> u64 {
        self.push_behind(launch, &|b| b.sweep || b.words.iter().any(|w| words.contains(w)))
    }

    /// Adds a sweep that uses just these words and the arrays that begin with them.
    pub fn push_sweep(&mut self, launch: Launch, words: &[u64]) -> u64 {
        self.push_behind(launch, &|b| b.words.iter().any(|w| words.contains(w)))
    }

    /// Whether a launch beside others, which the last one does not wait for, uses one of these words.
    pub fn runs_beside(&self, words: &[u64]) -> bool {
        self.beside.iter().any(|b| b.words.iter().any(|w| words.contains(w)))
    }

    fn push_behind(&mut self, launch: Launch, waits: &dyn Fn(&Side) -> bool) -> u64 {
        let behind = self.beside.iter().rposition(waits).map_or(0, |k| k + 1);
        let waited: Vec<Side> = self.beside.drain(..behind).collect();
        let number = self.add(launch, false, waited.last().map(|b| b.number));
        self.waited = waited.into_iter().flat_map(|b| b.words).collect();
        number
    }

    /// The last launch, a sweep that follows all others and uses these words and arrays, turns out to be one that those behind it need not
    /// wait for, unless they use the same, or what it has waited for itself.
    pub fn let_beside(&mut self, mut words: Vec<u64>) {
        if let Some(lane) = self.lanes.last_mut() {
            lane.beside = true;
            words.append(&mut self.waited);
            self.beside.push(Side { number: self.count - 1, words, sweep: true });
        }
    }

    /// Adds a launch that those behind it need not wait for, unless they use one of these words.
    pub fn push_beside(&mut self, launch: Launch, words: Vec<u64>) {
        let number = self.add(launch, true, None);
        self.beside.push(Side { number, words, sweep: false });
    }

    /// The last launch runs scalar code too, up to [`CODES`] pieces, whose numbers stand in two words from this one on.
    pub fn takes_codes(&mut self, at: usize) {
        self.codes = Some(at);
    }

    /// Lets the last launch run this scalar code behind what it does, if it can; `words` as for [`push_beside`](Queue::push_beside).
    pub fn add_code(&mut self, number: u64, beside: bool, words: &[u64]) -> bool {
        let (Some(at), Some(launch), Some(lane)) = (self.codes, self.pending.last_mut(), self.lanes.last()) else {
            return false;
        };
        // Steps of a traced run have clocks of their own.
        if self.recorder.is_some() || lane.beside != beside || !beside && !self.beside.is_empty() || number > 0xffff {
            return false;
        }
        let code = |k: usize| (at + k / 4, 16 * (k % 4));
        let Some((word, shift)) = (0..CODES).map(code).find(|(w, s)| launch.words[*w] >> s & 0xffff == 0) else {
            return false;
        };
        launch.words[word] |= number << shift;
        if let Some(last) = self.beside.last_mut() {
            last.words.extend(words);
        }
        true
    }

    fn add(&mut self, launch: Launch, beside: bool, after: Option<u64>) -> u64 {
        let after = after.map_or(0, |n| u32::try_from(self.count - n).unwrap_or(0));
        self.codes = None;
        self.waited.clear();
        self.pending.push(launch);
        self.lanes.push(Lane { beside, after });
        self.steps.push(self.step);
        self.count += 1;
        self.count - 1
    }

    /// The number of the last launch, if it has not gone out yet.
    pub fn last(&self) -> Option<u64> {
        if self.pending.is_empty() { None } else { Some(self.count - 1) }
    }

    /// A launch that has not gone out yet.
    pub fn waiting(&mut self, number: u64) -> Option<&mut Launch> {
        let at = self.place(number)?;
        self.pending.get_mut(at)
    }

    fn place(&self, number: u64) -> Option<usize> {
        let first = self.count - self.pending.len() as u64;
        usize::try_from(number.checked_sub(first)?).ok()
    }

    /// An iteration ended: a batch may end here. Launch `keep` and what follows stay, because they may still be changed.
    pub fn turn(&mut self, gpu: &Gpu, keep: Option<u64>) -> Result<()> {
        if self.pending.len() < BATCH {
            return Ok(());
        }
        let at = keep.and_then(|k| self.place(k)).filter(|at| (BATCH / 2..self.pending.len()).contains(at));
        let rest = at.map(|at| (self.pending.split_off(at), self.steps.split_off(at), self.lanes.split_off(at)));
        let beside = std::mem::take(&mut self.beside);
        let sent = self.flush(gpu);
        (self.pending, self.steps, self.lanes) = rest.unwrap_or_default();
        let first = self.count - self.pending.len() as u64;
        self.beside = beside.into_iter().filter(|b| b.number >= first).collect();
        sent
    }

    /// What is queued has happened already.
    pub fn dismiss(&mut self) {
        self.pending.clear();
        self.steps.clear();
        self.lanes.clear();
        self.beside.clear();
        self.codes = None;
    }

    /// Everything goes out.
    pub fn flush(&mut self, gpu: &Gpu) -> Result<()> {
        let (batch, steps) = (std::mem::take(&mut self.pending), std::mem::take(&mut self.steps));
        let lanes = std::mem::take(&mut self.lanes);
        // What follows a batch follows all of it.
        self.beside.clear();
        self.codes = None;
        self.launched += batch.len() as u64;
        if let Some(log) = &mut self.log {
            log.extend(batch.iter().cloned());
        }
        if let Some(recorder) = &mut self.recorder {
            return batch.iter().zip(steps).try_for_each(|(l, step)| recorder.launch(gpu, l, step));
        }
        if batch.len() < SHORT {
            return gpu.launch_all(&batch, &lanes);
        }
        if self.known.len() >= MOST_GRAPHS {
            self.known.clear();
        }
        let known = self.known.entry(hash(&batch)).or_default();
        if known.batch != batch || known.lanes != lanes {
            // Seen for the first time.
            let sent = gpu.launch_all(&batch, &lanes);
            *known = Known { batch, lanes, graph: None };
            return sent;
        }
        if known.graph.is_none() {
            known.graph = Some(gpu.graph(&batch, &lanes)?);
        }
        self.graphs += 1;
        match &known.graph {
            Some(graph) => gpu.run(graph),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::device::cuda::driver::Function;

    fn launch(word: u64) -> Launch {
        Launch::single(Function::none(), vec![word])
    }

    /// Which launch the last one waits for, besides those that all wait for.
    fn waits_for(q: &Queue) -> Option<u64> {
        let after = q.lanes.last().map_or(0, |l| l.after);
        (after > 0).then(|| q.count - 1 - u64::from(after))
    }

    #[test]
    fn a_sweep_beside_others_is_waited_for_by_what_uses_its_arrays() {
        let mut q = Queue::default();
        let beside = q.push_sweep(launch(1), &[100, 200]);
        q.let_beside(vec![100, 200]);
        assert!(q.lanes[0].beside);
        // Another array, then one of its own, which is waited for once.
        q.push_sweep(launch(2), &[300]);
        assert_eq!(waits_for(&q), None);
        assert!(q.runs_beside(&[200]) && !q.runs_beside(&[300]));
        q.push_sweep(launch(3), &[200]);
        assert_eq!(waits_for(&q), Some(beside));
        q.push_sweep(launch(4), &[200]);
        assert_eq!(waits_for(&q), None);
        assert!(!q.runs_beside(&[200]));
    }

    #[test]
    fn what_a_sweep_beside_others_waited_for_is_waited_for_with_it() {
        let mut q = Queue::default();
        q.push_sweep(launch(1), &[100, 200]);
        q.let_beside(vec![100, 200]);
        // It waits for the first, and runs beside what follows as well.
        let second = q.push_sweep(launch(2), &[200, 300]);
        q.let_beside(vec![200, 300]);
        q.push_sweep(launch(3), &[400]);
        assert_eq!(waits_for(&q), None);
        // Only the second is known to be over when the first is.
        q.push_sweep(launch(4), &[100]);
        assert_eq!(waits_for(&q), Some(second));
    }

    #[test]
    fn what_is_no_sweep_waits_for_sweeps_beside_others() {
        let mut q = Queue::default();
        let beside = q.push_sweep(launch(1), &[100]);
        q.let_beside(vec![100]);
        q.push_using(launch(2), &[]);
        assert_eq!(waits_for(&q), Some(beside));
        // A norm that is finished beside others says which words it uses.
        q.push_beside(launch(3), vec![7]);
        q.push_using(launch(4), &[]);
        assert_eq!(waits_for(&q), None);
        q.push_using(launch(5), &[7]);
        assert_eq!(waits_for(&q), Some(beside + 2));
    }
}

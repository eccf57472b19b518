//! What kernels of a traced run took: each goes out alone between two events, inside an NVTX range that bears its step's name,
//! so that the trace has a track of the GPU and a profiler (Nsight Systems, Nsight Compute) shows the program's own words.

use std::collections::HashMap;
use std::ffi::CString;
use std::time::Instant;

use super::driver::{Call, Event, Function, Gpu, Launch, Result};
use crate::runtime::trace::{Event as Slice, Kind};

/// Launches whose times are read together.
const TOGETHER: usize = 4096;

/// A kernel that is on its way.
struct Timed {
    step: u32,
    kind: Kind,
    start: Event,
    end: Event,
}

/// The kernels of one rank.
pub struct Recorder {
    /// The steps' words.
    titles: Vec<CString>,
    /// What kernels do that are not sweeps.
    kinds: HashMap<Function, Kind>,
    /// The device's clock at `origin`, which is so many nanoseconds after the trace began.
    base: Event,
    since: u64,
    pending: Vec<Timed>,
    done: Vec<Slice>,
}

impl Recorder {
    /// Begins now; the trace began at `origin`.
    pub fn new(gpu: &Gpu, titles: Vec<String>, kinds: HashMap<Function, Kind>, origin: Instant) -> Result<Recorder> {
        gpu.wait()?;
        let base = gpu.event()?;
        gpu.wait()?;
        let since = origin.elapsed().as_nanos() as u64;
        let titles = titles.into_iter().map(|t| CString::new(t).unwrap_or_default()).collect();
        Ok(Recorder { titles, kinds, base, since, pending: vec![], done: vec![] })
    }

    /// Queues a kernel of a step.
    pub fn launch(&mut self, gpu: &Gpu, launch: &Launch, step: u32) -> Result<()> {
        if self.pending.len() >= TOGETHER {
            self.read(gpu)?;
        }
        let _range = nvtx::LocalRange::new(self.titles.get(step as usize).map_or(c"", |t| t.as_c_str()));
        let known = if let Call::Kernel(f) = &launch.call { self.kinds.get(f) } else { None };
        let kind = known.copied().unwrap_or(Kind::Compute);
        let start = gpu.event()?;
        gpu.launch(launch)?;
        let end = gpu.event()?;
        self.pending.push(Timed { step, kind, start, end });
        Ok(())
    }

    /// Waits for the kernels on their way and notes their times.
    fn read(&mut self, gpu: &Gpu) -> Result<()> {
        gpu.wait()?;
        for t in std::mem::take(&mut self.pending) {
            let at = |e: &Event| Ok(self.since + (1e6 * f64::from(e.after(&self.base)?)).max(0.0) as u64);
            let (start, end) = (at(&t.start)?, at(&t.end)?);
            self.done.push(Slice { step: t.step, kind: t.kind, start, end: end.max(start) });
        }
        Ok(())
    }

    /// Everything so far, in the trace's time.
    pub fn take(&mut self, gpu: &Gpu) -> Result<Vec<Slice>> {
        self.read(gpu)?;
        Ok(std::mem::take(&mut self.done))
    }
}

/// Whether a profiler listens to NVTX: it names its library to the processes that it starts.
pub fn profiled() -> bool {
    ["NVTX_INJECTION64_PATH", "CUDA_INJECTION64_PATH"].iter().any(|v| std::env::var_os(v).is_some())
}

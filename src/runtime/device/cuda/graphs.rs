//! Launches that go out as one: CUDA graphs of a batch, of which some may run beside the others, and of rounds that come again as long
//! as a condition holds.

use cudarc::driver::sys;

use super::driver::{Event, Gpu, Launch, Result, call, check};

/// How a launch stands to those around it. Most follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    /// It follows all launches before it, and those behind it need not wait for it.
    pub beside: bool,
    /// It waits for a launch beside the others: so many before it; 0 for none.
    pub after: u32,
}

/// Launches that go out as one.
pub struct Graph(sys::CUgraphExec);

impl Drop for Graph {
    fn drop(&mut self) {
        let _ = call!(cuGraphExecDestroy(self.0));
    }
}

impl Gpu {
    /// Queues launches, some of them beside the others; what is queued next comes after all of them.
    pub fn launch_all(&self, launches: &[Launch], lanes: &[Lane]) -> Result<()> {
        // The end of each launch beside the others.
        let mut ends: Vec<(usize, Event)> = vec![];
        let mut joined = 0;
        for (i, (l, lane)) in launches.iter().zip(lanes).enumerate() {
            if lane.beside {
                let before = Event::mark(self.stream)?;
                call!(cuStreamWaitEvent(self.side, before.0, 0))?;
                self.launch_in(l, self.side)?;
                ends.push((i, Event::mark(self.side)?));
                continue;
            }
            let wanted = i.checked_sub(lane.after as usize).filter(|_| lane.after > 0);
            if let Some(k) = wanted.and_then(|at| ends.iter().position(|e| e.0 == at)).filter(|k| *k >= joined) {
                call!(cuStreamWaitEvent(self.stream, ends[k].1.0, 0))?;
                joined = k + 1;
            }
            self.launch_in(l, self.stream)?;
        }
        match ends.last() {
            Some((_, end)) if joined < ends.len() => call!(cuStreamWaitEvent(self.stream, end.0, 0)),
            _ => Ok(()),
        }
    }

    /// Makes a graph of launches: see [`launch_all`](Gpu::launch_all).
    pub fn graph(&self, launches: &[Launch], lanes: &[Lane]) -> Result<Graph> {
        let mode = sys::CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        call!(cuStreamBeginCapture_v2(self.stream, mode))?;
        let queued = self.launch_all(launches, lanes);
        let mut graph = std::ptr::null_mut();
        call!(cuStreamEndCapture(self.stream, &mut graph))?;
        queued?;
        let mut exec = std::ptr::null_mut();
        let made = call!(cuGraphInstantiateWithFlags(&mut exec, graph, 0));
        call!(cuGraphDestroy(graph))?;
        made.map(|()| Graph(exec))
    }

    /// A graph that runs rounds of launches, the first, the second and so on and the first again, as long as the kernel behind each
    /// says. `look` gives that kernel, from the handles of the whole loop and of the next round.
    pub fn rounds(&self, rounds: &[Vec<Launch>], look: &dyn Fn(u64, u64) -> Launch) -> Result<Graph> {
        let mut graph = std::ptr::null_mut();
        call!(cuGraphCreate(&mut graph, 0))?;
        let mut exec = std::ptr::null_mut();
        let made =
            self.put_rounds(graph, rounds, look).and_then(|()| call!(cuGraphInstantiateWithFlags(&mut exec, graph, 0)));
        call!(cuGraphDestroy(graph))?;
        made.map(|()| Graph(exec))
    }

    fn put_rounds(&self, graph: sys::CUgraph, rounds: &[Vec<Launch>], look: &dyn Fn(u64, u64) -> Launch) -> Result<()> {
        use sys::CUgraphConditionalNodeType_enum as Kind;
        let handle = |value: u32| {
            let mut handle = 0;
            let flags = sys::CU_GRAPH_COND_ASSIGN_DEFAULT;
            call!(cuGraphConditionalHandleCreate(&mut handle, graph, self.context, value, flags)).map(|()| handle)
        };
        let whole = handle(1)?;
        let (_, body) = self.conditional(graph, whole, Kind::CU_GRAPH_COND_TYPE_WHILE, None)?;
        if let [round] = rounds {
            return self.capture_into(body, round, &look(whole, whole));
        }
        // A round that is not the first runs if the one before says so.
        let parts = (0..rounds.len()).map(|k| handle(u32::from(k == 0))).collect::<Result<Vec<_>>>()?;
        let mut last = None;
        for (k, round) in rounds.iter().enumerate() {
            let (node, inner) = self.conditional(body, parts[k], Kind::CU_GRAPH_COND_TYPE_IF, last)?;
            self.capture_into(inner, round, &look(whole, parts[(k + 1) % parts.len()]))?;
            last = Some(node);
        }
        Ok(())
    }

    /// Adds a conditional node behind another; gives it and the graph inside it.
    fn conditional(
        &self,
        graph: sys::CUgraph,
        handle: sys::CUgraphConditionalHandle,
        kind: sys::CUgraphConditionalNodeType,
        after: Option<sys::CUgraphNode>,
    ) -> Result<(sys::CUgraphNode, sys::CUgraph)> {
        // SAFETY: a structure of numbers and addresses, of which zero is none.
        let mut params: sys::CUgraphNodeParams = unsafe { std::mem::zeroed() };
        params.type_ = sys::CUgraphNodeType_enum::CU_GRAPH_NODE_TYPE_CONDITIONAL;
        params.__bindgen_anon_1.conditional = sys::CUDA_CONDITIONAL_NODE_PARAMS {
            handle,
            type_: kind,
            size: 1,
            phGraph_out: std::ptr::null_mut(),
            ctx: self.context,
        };
        let mut node = std::ptr::null_mut();
        let (before, count) =
            (after.as_ref().map_or(std::ptr::null(), std::ptr::from_ref), usize::from(after.is_some()));
        call!(cuGraphAddNode_v2(&mut node, graph, before, std::ptr::null(), count, &mut params))?;
        // SAFETY: the driver has filled in where the graphs inside the node are: there is one.
        Ok((node, unsafe { *params.__bindgen_anon_1.conditional.phGraph_out }))
    }

    /// Puts launches in order into an empty graph.
    fn capture_into(&self, graph: sys::CUgraph, round: &[Launch], last: &Launch) -> Result<()> {
        let mode = sys::CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        let none = (std::ptr::null(), std::ptr::null());
        call!(cuStreamBeginCaptureToGraph(self.stream, graph, none.0, none.1, 0, mode))?;
        let queued = round.iter().chain([last]).try_for_each(|l| self.launch(l));
        let mut same = std::ptr::null_mut();
        call!(cuStreamEndCapture(self.stream, &mut same))?;
        queued
    }

    /// Queues a graph.
    pub fn run(&self, graph: &Graph) -> Result<()> {
        call!(cuGraphLaunch(graph.0, self.stream))
    }
}

//! Loops allocate nothing: the number of allocations of a run does not depend on how often its loops turn.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use mgpu::check::{Loader, Options, check};
use mgpu::diag::Sink;
use mgpu::ir::plan::Plan;
use mgpu::ir::ty::Ty;
use mgpu::runtime::device::{Executor, OnHost, native::Native, vm::Vm};
use mgpu::runtime::io::root::Root;
use mgpu::runtime::launch::{self, Manner};
use mgpu::source::SourceMap;
use mgpu::syntax::parse::parse;

/// The system's allocator, counted.
struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);

// SAFETY: hands every request on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Exchanges of every kind, a double buffer, all reductions, scalars, `while`, `if`; nothing that prints.
const PROGRAM: &str = "
param steps: i64 = STEPS
array u: f32[64, 48] in (block, block) edge clamp
array t: f64[48, 64] in (block, *)
array w: i32[100] in (block) edge periodic
kernel smooth(u: f32[n, m]) -> v: f32[n, m] {
    v[i, j] = (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]) / 4
}
workflow main {
    u[i, j] = f32(i * j mod 7)
    w[i] = i32(i)
    var total = 0.0
    var k = 0
    while k < steps {
        u = smooth(u)
        t[i, j] = u[j, i] * 2
        w[i] = w[i - 1] + w[i + 3]
        total = sum[i, j] t[i, j]
        let low = min[i, j] u[i, j]
        let most = max[i] w[i]
        let p = prod[i] (1.0 + f64(w[i]) * 1e-12)
        if low + f32(total) + f32(most) + f32(p) < -1e30 { k = steps }
        k += 1
    }
}
";

struct NoFiles;

impl Loader for NoFiles {
    fn source(&self, _: &str) -> Result<String, String> {
        Err("no files here".into())
    }
    fn array(&self, _: &str) -> Result<(Ty, Vec<i64>), String> {
        Err("no files here".into())
    }
}

fn plan(steps: i64, ranks: i64) -> Plan {
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let text = PROGRAM.replace("STEPS", &steps.to_string());
    let id = sources.add("loops.mgpu", text.as_str());
    let program = parse(id, &text, &mut sink)
        .and_then(|ast| check(ast, &mut sources, &NoFiles, &Options { params: &[], ranks }, &mut sink));
    let plan = program.and_then(|p| mgpu::planner::plan(p, ranks, &mut sink));
    plan.unwrap_or_else(|| panic!("{:?}", sink.items))
}

/// Allocations of a run, on all its ranks.
fn allocations(steps: i64, ranks: i64, native: bool) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(steps, ranks);
    let nests: Vec<_> = plan.nests.iter().map(|n| n.nest.clone()).collect();
    let executor: Box<dyn Executor> = if native {
        Box::new(Native::new(&nests, &plan.program.tables).unwrap())
    } else {
        Box::new(Vm::new(&nests, &plan.program.tables))
    };
    let root = Root::open(dir.path()).unwrap();
    let before = COUNT.load(Ordering::Relaxed);
    launch::run_threads(&plan, &OnHost(executor), &root, &mut std::io::sink(), Manner::default()).unwrap();
    COUNT.load(Ordering::Relaxed) - before
}

#[test]
fn loops_allocate_nothing() {
    for native in [false, true] {
        for ranks in [1, 3] {
            let (few, many) = (allocations(10, ranks, native), allocations(2010, ranks, native));
            // How many buffers travel at once depends on the threads' timing, not on the number of steps.
            assert!(many < few + 100, "{ranks} ranks, native {native}: {few} allocations in 10 steps, {many} in 2010");
        }
    }
}

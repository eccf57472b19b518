//! Loops allocate nothing: the number of allocations of a run does not depend on how often its loops turn. And at its peak a run holds what
//! the plan says.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use mgpu::check::{NoFiles, Options, check};
use mgpu::diag::Sink;
use mgpu::ir::plan::Plan;
use mgpu::planner::{Panelling, plan_with};
use mgpu::runtime::device::{Executor, OnHost, native::Native, vm::Vm};
use mgpu::runtime::io::root::Root;
use mgpu::runtime::launch::{self, Manner};
use mgpu::source::SourceMap;
use mgpu::syntax::parse::parse;

/// The system's allocator, counted.
struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);
/// Bytes that are allocated now, and the most that ever were.
static LIVE: AtomicU64 = AtomicU64::new(0);
static PEAK: AtomicU64 = AtomicU64::new(0);
/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::new(());

// SAFETY: hands every request on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        let live = LIVE.fetch_add(layout.size() as u64, Ordering::Relaxed) + layout.size() as u64;
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Exchanges of every kind, a product panel by panel, a double buffer, all reductions, scalars, `while`, `if`; nothing that prints.
const PROGRAM: &str = "
param steps: i64 = STEPS
array u: f32[64 * SIZE, 48 * SIZE] in (block, block) edge clamp
array t: f64[48 * SIZE, 64 * SIZE] in (block, *)
array w: i32[100] in (block) edge periodic
kernel smooth(u: f32[n, m]) -> v: f32[n, m] {
    v[i, j] = (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]) / 4
}
array f, g: f32[36, 36] in (block, block)

workflow main {
    u[i, j] = f32(i * j mod 7)
    w[i] = i32(i)
    var total = 0.0
    var k = 0
    while k < steps {
        u = smooth(u)
        f[i, j] = g[j, i] * 0.5
        g[i, j] = sum[k] f[i, k] * f[k, j]
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

fn plan(steps: i64, size: i64, ranks: i64) -> Plan {
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let text = PROGRAM.replace("STEPS", &steps.to_string()).replace("SIZE", &size.to_string());
    let id = sources.add("loops.mgpu", text.as_str());
    let options = mgpu::planner::Options { panels: Panelling::Terms(20), ..Default::default() };
    let program = parse(id, &text, &mut sink)
        .and_then(|ast| check(ast, &mut sources, &NoFiles, &Options { params: &[], ranks }, &mut sink));
    let plan = program.and_then(|p| plan_with(p, ranks, options, &mut sink));
    plan.unwrap_or_else(|| panic!("{:?}", sink.items))
}

/// Allocations of a run, on all its ranks.
fn allocations(steps: i64, ranks: i64, native: bool) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let plan = plan(steps, 1, ranks);
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
    let _alone = ALONE.lock().unwrap();
    for native in [false, true] {
        for ranks in [1, 3] {
            let (few, many) = (allocations(10, ranks, native), allocations(2010, ranks, native));
            // How many buffers travel at once depends on the threads' timing, not on the number of steps.
            assert!(many < few + 100, "{ranks} ranks, native {native}: {few} allocations in 10 steps, {many} in 2010");
        }
    }
}

/// A plan says what its ranks allocate for arrays and for what they gather, and what messages take on their way; the rest of a run (the
/// executor's scratch) is little.
#[test]
fn the_peak_is_what_the_plan_says() {
    let _alone = ALONE.lock().unwrap();
    for ranks in [1, 3, 4] {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(3, 16, ranks);
        let said: u64 = (0..ranks).map(|r| plan.memory(r) as u64).sum();
        let under_way: u64 = plan.under_way().unwrap().iter().map(|b| *b as u64).sum();
        let nests: Vec<_> = plan.nests.iter().map(|n| n.nest.clone()).collect();
        let engine = OnHost(Box::new(Native::new(&nests, &plan.program.tables).unwrap()) as Box<dyn Executor>);
        let root = Root::open(dir.path()).unwrap();
        let before = LIVE.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        launch::run_threads(&plan, &engine, &root, &mut std::io::sink(), Manner::default()).unwrap();
        let peak = PEAK.load(Ordering::Relaxed) - before;
        assert!(said > 12 << 20, "{said}");
        assert!(
            (said..said + under_way + (1 << 20)).contains(&peak),
            "{ranks} ranks: the plan says {said} bytes and {under_way} under way, the run held {peak}"
        );
    }
}

//! What cyclic partitions are for: work that differs from index to index is even, and costs no message where arrays lie alike.

use mgpu::check::{NoFiles, Options, check};
use mgpu::diag::Sink;
use mgpu::ir::plan::Plan;
use mgpu::ir::plan::prose::exchange_of;
use mgpu::runtime::device::{OnHost, vm::Vm};
use mgpu::runtime::io::root::Root;
use mgpu::runtime::launch::{Manner, run_threads};
use mgpu::source::SourceMap;
use mgpu::syntax::parse::parse;

fn plan(text: &str, ranks: i64) -> Plan {
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let id = sources.add("p.mgpu", text);
    let ast = parse(id, text, &mut sink).unwrap();
    let program = check(ast, &mut sources, &NoFiles, &Options { params: &[], ranks }, &mut sink);
    let plan = program.and_then(|p| mgpu::planner::plan(p, ranks, &mut sink));
    plan.unwrap_or_else(|| panic!("{:?}", sink.items))
}

#[test]
fn equations_of_arrays_that_are_dealt_alike_send_nothing() {
    let text = "partition rows = (cyclic(3), *)
array a, b: f64[40, 9] in rows
array x, y: f64[40] in (cyclic(3))
array s: f64[9] in replicated
workflow main {
    a[i, j] = f64(i * j)
    s[j] = f64(j)
    for t in 0..4 {
        b[i, j] = a[i, j] * 2 + f64(i)
        x[i] = sum[j in 0..9] (b[i, j] * s[j] + a[i, 8 - j])
        a[i, j] = if j <= i { b[i, j] / (1 + x[i]) } else { 0 }
        y = x
    }
    print \"{count[i, j] a[i, j] > 1} {any[i] x[i] < 0}\"
}";
    for ranks in [2, 3, 4, 7] {
        let plan = plan(text, ranks);
        let totals = plan.totals().unwrap();
        assert!(totals.exact && totals.messages == 0, "{ranks} ranks: {totals:?}");
    }
}

/// The work of the busiest rank over that of an average one, where row `i` costs `i + 1`.
fn imbalance(partition: &str, ranks: i64) -> f64 {
    let plan = plan(&format!("array a: i64[1000] in ({partition})\nworkflow main {{ a[i] = i }}"), ranks);
    let work = |r: i64| -> i64 {
        let tiles = plan.arrays[0].layout.tiles(r);
        tiles.iter().flat_map(|b| b.dims[0].lo..b.dims[0].hi).map(|i| i + 1).sum()
    };
    let each: Vec<i64> = (0..ranks).map(work).collect();
    assert_eq!(each.iter().sum::<i64>(), 500_500);
    *each.iter().max().unwrap() as f64 * ranks as f64 / 500_500.0
}

#[test]
fn triangular_work_is_even() {
    for ranks in [2, 4, 7] {
        let (block, cyclic) = (imbalance("block", ranks), imbalance("cyclic(8)", ranks));
        assert!(block > 1.45, "{ranks} ranks: {block}");
        assert!(cyclic < 1.07, "{ranks} ranks: {cyclic}");
    }
}

#[test]
fn many_tiles_travel_as_few_pieces() {
    let plan = plan(
        "array a: f64[1000000] in (cyclic)
array b: f64[1000000]
array c: f64[1000000] in (cyclic(48))
workflow main {
    a[i] = 1
    b[i] = a[i]
    c[i] = b[i] + a[999999 - i]
    a[i] = c[i]
}",
        7,
    );
    let mut exchanges = 0;
    for e in &plan.exchanges {
        for item in &e.items {
            for r in 0..7 {
                let pieces = plan.needs(item, r).pieces;
                assert!(pieces.len() < 1000, "{} pieces", pieces.len());
                let brought: i64 = pieces.iter().map(|p| p.len()).sum();
                assert!((142_000..143_500).contains(&brought) || brought == 1_000_000, "{brought} elements");
                exchanges += 1;
            }
        }
    }
    assert!(exchanges >= 21, "{exchanges}");
}

#[test]
fn runs_send_what_plans_say() {
    let text = "array u: f64[37, 6] in (cyclic(4), *) edge periodic
array v: f64[37, 6] in (block, *)
array w: f64[37, 6] in (cyclic, cyclic(2)) edge mirror
workflow main {
    u[i, j] = f64(i + j)
    w[i, j] = u[36 - i, j]
    for t in 0..3 {
        v[i, j] = u[i - 1, j] + u[i + 1, j]
        w[i, j] = v[i, j] + u[i + 4, j] + w[i, j]
        u[i, j] = w[i - 2, j + 1] + v[i, j]
        u[0, j] = w[3, j]
    }
    print \"{u[5, 2]} {sum[i, j] w[i, j]}\"
}";
    for ranks in [2, 3, 4, 7] {
        let plan = plan(text, ranks);
        let mut exchanges = 0;
        plan.each_step(&plan.steps, &mut |s| exchanges += usize::from(exchange_of(s).is_some()));
        assert!(exchanges > 3);
        let totals = plan.totals().unwrap();
        assert!(totals.exact);
        let root = Root::open(std::env::temp_dir()).unwrap();
        let mut out = vec![];
        let nests: Vec<_> = plan.nests.iter().map(|n| n.nest.clone()).collect();
        let engine = OnHost(Box::new(Vm::new(&nests, &plan.program.tables)));
        let stats = run_threads(&plan, &engine, &root, &mut out, Manner::default()).unwrap();
        let sent = stats.iter().fold((0, 0), |s, r| (s.0 + r.messages, s.1 + r.bytes));
        assert_eq!(sent, (totals.messages as u64, totals.bytes as u64), "{ranks} ranks");
    }
}

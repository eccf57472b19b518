//! Index boxes, cuts, layouts and the needs of plans against models that list every index.

use mgpu::check::{Loader, Options, check};
use mgpu::diag::Sink;
use mgpu::ir::index_box::{IndexBox, Interval};
use mgpu::ir::layout::{Cuts, Dist, Layout, choose_mesh};
use mgpu::ir::plan::Plan;
use mgpu::ir::plan::region::Mode;
use mgpu::ir::program::Edge;
use mgpu::ir::stored::Stored;
use mgpu::ir::ty::Value;
use mgpu::planner::Panelling;
use mgpu::runtime::io::npy::read_header;
use mgpu::runtime::io::root::Root;
use mgpu::source::SourceMap;
use mgpu::syntax::parse::parse;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

type Points = BTreeSet<Vec<i64>>;

fn points(b: &IndexBox) -> Points {
    let mut out = Points::from([vec![]]);
    for d in &b.dims {
        out = out.iter().flat_map(|p| (d.lo..d.hi).map(|i| [p.clone(), vec![i]].concat())).collect();
    }
    out
}

fn interval() -> impl Strategy<Value = Interval> {
    (-4i64..6, 0i64..5).prop_map(|(lo, n)| Interval::new(lo, lo + n))
}

/// Two boxes of the same number of dimensions.
fn boxes() -> impl Strategy<Value = (IndexBox, IndexBox)> {
    (0usize..4).prop_flat_map(|rank| {
        let one = move || prop::collection::vec(interval(), rank).prop_map(IndexBox::new);
        (one(), one())
    })
}

proptest! {
    #[test]
    fn boxes_are_sets_of_points((a, b) in boxes()) {
        let (pa, pb) = (points(&a), points(&b));
        prop_assert_eq!(a.len(), pa.len() as i64);
        prop_assert_eq!(a.is_empty(), pa.is_empty());
        prop_assert_eq!(points(&a.intersect(&b)), &pa & &pb);
        prop_assert_eq!(a.contains(&b), pb.is_subset(&pa));
        let hull = points(&a.hull(&b));
        prop_assert!(pa.is_subset(&hull) && pb.is_subset(&hull));
        let rest = a.minus(&b);
        prop_assert!(rest.len() <= 2 * a.rank());
        let mut seen = Points::new();
        for r in &rest {
            for p in points(r) {
                prop_assert!(seen.insert(p), "{:?} overlap", rest);
            }
        }
        prop_assert_eq!(seen, &pa - &pb);
    }

    #[test]
    fn cuts_divide_the_extent(extent in 0i64..5000, parts in 1i64..40, more in -3i64..4) {
        for cuts in [Cuts::new(extent, parts), Cuts::new(extent, parts).stretched((extent + more).max(0))] {
            let mut at = 0;
            for k in 0..parts {
                let part = cuts.part(k);
                prop_assert_eq!(part.lo, at, "part {} of {:?}", k, cuts);
                prop_assert!(part.hi >= part.lo);
                at = part.hi;
                for i in part.lo..part.hi {
                    prop_assert_eq!(cuts.owners(Interval::new(i, i + 1)), (k, k + 1));
                }
            }
            prop_assert_eq!(at, cuts.extent);
        }
        let sizes: Vec<i64> = (0..parts).map(|k| Cuts::new(extent, parts).part(k).len()).collect();
        let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
        prop_assert!(most - least <= 1 + (extent as f64).sqrt() as i64 / 2, "{sizes:?}");
    }

    #[test]
    fn layouts_own_every_element_once((shape, dists, ranks) in layout_parts()) {
        let blocks: Vec<i64> = shape.iter().zip(&dists).filter(|d| *d.1 != Dist::Whole).map(|d| *d.0).collect();
        let Some(mesh) = choose_mesh(ranks, &blocks, &[]) else { return Ok(()) };
        let layout = if blocks.is_empty() { Layout::replicated(&shape) } else { Layout::divided(&shape, &dists, mesh) };
        let whole = IndexBox::whole(&shape);
        if !layout.is_replicated() {
            let mut seen = Points::new();
            let mut stored = Points::new();
            for r in 0..ranks {
                for p in layout.tiles(r).iter().flat_map(points) {
                    prop_assert_eq!(layout.owner(&p), r, "{:?} of {:?}", p, layout);
                    let at = p.iter().zip(&layout.cuts).map(|(&i, c)| c.map_or(i, |c| c.position(i))).collect();
                    prop_assert!(stored.insert(at));
                    prop_assert!(seen.insert(p));
                }
                prop_assert!(points(&layout.part(r)).is_subset(&stored));
            }
            prop_assert_eq!(&seen, &points(&whole));
            prop_assert_eq!(stored, seen);
        }
    }
}

fn layout_parts() -> impl Strategy<Value = (Vec<i64>, Vec<Dist>, i64)> {
    let dist = prop_oneof![Just(Dist::Block), Just(Dist::Block), Just(Dist::Whole), (1i64..4).prop_map(Dist::Cyclic)];
    (prop::collection::vec((0i64..9, dist), 1..4), 1i64..9).prop_map(|(dims, ranks)| {
        let (shape, dists) = dims.into_iter().unzip();
        (shape, dists, ranks)
    })
}

/// What a read at `i` of `n` elements sees: the element and whether its sign turns, or a constant.
fn sees(i: i64, n: i64, edge: Edge) -> Result<(i64, bool), Option<Value>> {
    let m = i.rem_euclid(2 * n);
    match edge {
        _ if (0..n).contains(&i) => Ok((i, false)),
        Edge::Periodic => Ok((i.rem_euclid(n), false)),
        Edge::Clamp => Ok((i.clamp(0, n - 1), false)),
        Edge::Mirror => Ok((if m < n { m } else { 2 * n - 1 - m }, false)),
        Edge::Odd => Ok(if m < n { (m, false) } else { (2 * n - 1 - m, true) }),
        Edge::Constant(v) | Edge::Complex(v, _) => Err(Some(v)),
        Edge::None => Err(None),
    }
}

/// Every exchange of a plan brings every rank what it needs: each place once, from a rank that owns the element that the
/// edge's definition names.
fn prove(plan: &Plan, what: &str) {
    for e in &plan.exchanges {
        for item in &e.items {
            let (id, in_place) = plan.item_array(item);
            let a = plan.array(id);
            let rounds = plan.rounds_of(e);
            for (rank, round) in (0..plan.ranks).flat_map(|r| (0..rounds).map(move |k| (r, k))) {
                let own = a.layout.part(rank);
                let needs = plan.needs_in(item, rank, round);
                if needs.pieces.iter().map(|p| p.dst.len() * p.times()).sum::<i64>() > 5000 {
                    continue;
                }
                let mut seen: BTreeMap<Vec<i64>, ()> = BTreeMap::new();
                let mut once =
                    |p: Vec<i64>| assert!(seen.insert(p.clone(), ()).is_none(), "{what}: {p:?} arrives twice");
                // Storage to indices: of the array on its owner, and of what is filled.
                let deals = plan.deals(item);
                let index = |d: usize, i: i64| a.layout.cuts[d].map_or(i, |c| c.index(i));
                let place = |d: usize, i: i64| deals[d].map_or(i, |deal| deal.index(i));
                let each = needs.pieces.iter().flat_map(|p| p.each().into_iter().map(move |(src, dst)| (p, src, dst)));
                for (p, src, dst) in each {
                    assert!(a.layout.part(p.from).contains(&src), "{what}: rank {} does not own {src}", p.from);
                    for at in points(&dst) {
                        let mut turned = false;
                        for (d, &i) in at.iter().enumerate() {
                            let (want, odd) = sees(place(d, i), a.layout.shape[d], a.array.edges[d])
                                .expect("an element, not a constant");
                            turned ^= odd;
                            let (src, dst) = (src.dims[d], dst.dims[d]);
                            let got = match p.modes[d] {
                                Mode::Shift => src.lo + (i - dst.lo),
                                Mode::Repeat => src.lo,
                                Mode::Reverse => src.hi - 1 - (i - dst.lo),
                            };
                            assert_eq!(index(d, got), want, "{what}: {at:?} of {}", a.array.name);
                        }
                        assert_eq!(turned, p.negate, "{what}: sign of {at:?}");
                        once(at);
                    }
                }
                for (b, v) in &needs.constants {
                    for at in points(b) {
                        let mut edges = at.iter().enumerate().zip(&a.layout.shape).zip(&a.array.edges);
                        let found = edges.find_map(|(((d, &i), &n), &e)| sees(place(d, i), n, e).err());
                        assert_eq!(found, Some(Some(*v)), "{what}: constant at {at:?}");
                        once(at);
                    }
                }
                // What a rank owns is not sent to itself in place.
                let owned = |p: &Vec<i64>| own.dims.iter().zip(p).all(|(d, &i)| (d.lo..d.hi).contains(&i));
                assert!(!in_place || !seen.keys().any(owned), "{what}: own elements arrive");
            }
        }
    }
}

struct Files(Root);

impl Loader for Files {
    fn source(&self, _: &str) -> Result<String, String> {
        Err("no files here".into())
    }
    fn array(&self, path: &str) -> Result<(Stored, Vec<i64>), String> {
        read_header(&self.0, path).map(|h| (h.element, h.shape)).map_err(|e| e.message)
    }
}

fn programs(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for e in entries {
        match e.is_dir() {
            true => programs(&e, out),
            false if e.extension().is_some_and(|x| x == "mgpu") => out.push(e),
            false => {}
        }
    }
}

/// Proves the plans of a program on 1 to 8 ranks; how many there were.
fn prove_all(root: &Path, path: &Path) -> usize {
    let mut plans = 0;
    let text = std::fs::read_to_string(path).unwrap();
    let lesson = path.starts_with(root.join("examples"));
    // Lessons are large; their sizes can be set.
    let args: Vec<(String, String)> = match lesson {
        true => [("n", "40"), ("steps", "3"), ("generations", "3"), ("samples", "100")]
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .to_vec(),
        false => vec![],
    };
    let args: Vec<_> = args.into_iter().filter(|(k, _)| text.contains(&format!("param {k}:"))).collect();
    for ranks in 1..=8 {
        let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
        let id = sources.add("p.mgpu", text.as_str());
        let Some(ast) = parse(id, &text, &mut sink) else { continue };
        let files = Files(Root::open(path.parent().unwrap()).unwrap());
        let options = Options { params: &args, ranks };
        let Some(program) = check(ast, &mut sources, &files, &options, &mut sink) else { continue };
        for panels in [Panelling::Large, Panelling::Terms(3)] {
            let options = mgpu::planner::Options { panels, ..Default::default() };
            let plan = mgpu::planner::plan_with(program.clone(), ranks, options, &mut sink);
            let again = |p: &Plan| panels == Panelling::Large || p.nests.iter().any(|n| n.panels.is_some());
            let Some(plan) = plan.filter(again) else { continue };
            prove(&plan, &format!("{} on {ranks}, {panels:?}", path.display()));
            plans += 1;
        }
    }
    plans
}

#[test]
fn plans_of_all_programs_bring_what_is_needed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = vec![];
    programs(&root.join("tests/suite/run"), &mut all);
    programs(&root.join("examples"), &mut all);
    let (next, plans) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, |n| n.get()) {
            scope.spawn(|| {
                while let Some(path) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    plans.fetch_add(prove_all(root, path), Ordering::Relaxed);
                }
            });
        }
    });
    let plans = plans.into_inner();
    assert!(plans > 300, "only {plans} plans were made");
}

/// Extent, partition, edge, and how far a near and a far read go.
type Dim = (i64, &'static str, &'static str, i64, i64);

/// Arrays of random shapes, partitions and edges, read around every element.
fn program() -> impl Strategy<Value = String> {
    let edge = prop_oneof![Just("clamp"), Just("periodic"), Just("mirror"), Just("odd"), Just("constant(7)")];
    let dist = prop_oneof![Just("block"), Just("block"), Just("*"), Just("cyclic"), Just("cyclic(3)")];
    let dim = (1i64..11, dist, edge, -6i64..7, -12i64..13);
    (prop::collection::vec(dim, 1..4), any::<bool>()).prop_map(|(dims, turned)| {
        let list = |f: &dyn Fn(&Dim) -> String| dims.iter().map(f).collect::<Vec<_>>().join(", ");
        let names = ["i", "j", "k"];
        let index = |pick: &dyn Fn(usize) -> String| (0..dims.len()).map(pick).collect::<Vec<_>>().join(", ");
        let plain = index(&|d| names[d].to_string());
        let near = index(&|d| format!("{} + {}", names[d], dims[d].3));
        let far = index(&|d| format!("{} - {}", names[if turned { dims.len() - 1 - d } else { d }], dims[d].4));
        format!(
            "array u, v: f64[{}] in ({}) edge ({})\nworkflow main {{\n    v[{plain}] = u[{near}] + u[{far}] + sum[q in 0..2] u[{}]\n}}\n",
            list(&|d| d.0.to_string()),
            list(&|d| d.1.to_string()),
            list(&|d| d.2.to_string()),
            index(&|d| if d == 0 { "i - q".into() } else { "0 - 1".into() }),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn plans_of_random_reads_bring_what_is_needed(text in program(), ranks in 1i64..9) {
        let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
        let id = sources.add("p.mgpu", text.as_str());
        let ast = parse(id, &text, &mut sink).unwrap();
        let files = Files(Root::open(std::env::temp_dir()).unwrap());
        let program = check(ast, &mut sources, &files, &Options { params: &[], ranks }, &mut sink);
        prop_assert!(program.is_some(), "{text}\n{:?}", sink.items);
        let plan = mgpu::planner::plan(program.unwrap(), ranks, &mut sink);
        prop_assert!(plan.is_some(), "{text}\n{:?}", sink.items);
        let plan = plan.unwrap();
        prove(&plan, &text);
        // What a rank reads, it has: in its storage or in a view.
        for n in &plan.nests {
            for r in 0..ranks {
                let Some(part) = n.part(r) else { continue };
                for a in &n.nest.accesses {
                    let image = a.image(&part, &|_| None).unwrap();
                    let held = match n.sources[a.operand.0 as usize] {
                        mgpu::ir::plan::Source::Array(id) => plan.array(id).storage(r),
                        mgpu::ir::plan::Source::View(v) => plan.view_box(v, r),
                    };
                    prop_assert!(held.contains(&image), "{text}\nrank {r} of {ranks} reads {image} and holds {held}");
                }
            }
        }
    }
}

//! Products panel by panel: what a rank holds shrinks with the ranks, what the plan says is what runs do, and no stage of the compiler
//! loses the panels.

mod support;

use mgpu::check::{NoFiles, Options, check};
use mgpu::diag::Sink;
use mgpu::ir::plan::Plan;
use mgpu::planner::{Panelling, plan_with};
use mgpu::source::SourceMap;
use mgpu::syntax::parse::parse;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{MGPU, Run, run_command};

const SQUARE: &str = "
param n: i64 = 2048
array a, b, c: f64[n, n] in PLACE
workflow main {
    a[i, k] = f64((i * 7 + k * 13) mod 101) / 50 - 1
    b[k, j] = f64((k * 3 + j * 5) mod 97) / 50 - 1
    c[i, j] = sum[k] a[i, k] * b[k, j]
    save c to \"c.npy\"
}
";

/// Bytes of one of its matrices.
const MATRIX: i64 = 2048 * 2048 * 8;

struct Program {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Program {
    fn new(text: &str) -> Program {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.mgpu");
        std::fs::write(&file, text).unwrap();
        Program { folder, file }
    }

    /// `mgpu VERB p.mgpu MORE` with panels of so many terms, as planned by itself where nothing is said.
    fn mgpu(&self, verb: &str, more: &[&str], panels: Option<i64>) -> Run {
        let mut command = Command::new(MGPU);
        command.arg(verb).arg(&self.file).args(more).current_dir(self.folder.path());
        self.run(&mut command, panels)
    }

    fn run(&self, command: &mut Command, panels: Option<i64>) -> Run {
        let done = run_command(command.envs(panels.map(|p| ("MGPU_PANELS", p.to_string()))), self.folder.path());
        assert_eq!(done.exit, 0, "{}{}", done.out, done.err);
        done
    }

    fn plan(&self, ranks: i64, panels: Option<i64>) -> Value {
        serde_json::from_str(&self.mgpu("plan", &["-n", &ranks.to_string(), "--json"], panels).out).unwrap()
    }
}

fn square(place: &str) -> Program {
    Program::new(&SQUARE.replace("PLACE", place))
}

/// The cases of tests/suite, whose panels have five terms.
fn kinds() -> Program {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/run/contraction/panels.mgpu");
    Program::new(&std::fs::read_to_string(path).unwrap())
}

#[test]
fn rows_hold_a_panel_of_the_other_factor() {
    let p = square("(block, *)");
    for ranks in [2, 4, 8, 16] {
        let (plan, whole) = (p.plan(ranks, None), p.plan(ranks, Some(0)));
        let panels = ranks.max(4);
        assert_eq!(plan["memory_per_rank"], 3 * MATRIX / ranks + MATRIX / panels, "{ranks} ranks");
        assert_eq!(whole["memory_per_rank"], 3 * MATRIX / ranks + MATRIX, "{ranks} ranks, whole");
        assert_eq!(plan["totals"]["messages"], panels * (ranks - 1), "{ranks} ranks");
        assert_eq!(plan["totals"]["bytes"], MATRIX * (ranks - 1), "{ranks} ranks");
        assert_eq!(plan["totals"]["bytes"], whole["totals"]["bytes"], "{ranks} ranks");
    }
    let text = p.mgpu("plan", &["-n", "4"], None).out;
    for line in [
        "memory: at most 32 MiB a rank",
        "compute zeros for c over",
        "for panel in 0..2048 by 512",
        "exchange of a panel, while the one before is multiplied: what `c` reads of b",
        "in 4 panels a rank receives at most 3 messages, 24 MiB; all ranks 12 messages, 96 MiB",
        "2 -> 1: b[1024..1536, 0..2048], 8192 KiB",
        "a contraction, 512 of 2048 terms a panel",
        "the whole run: 12 messages with 96 MiB",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
}

#[test]
fn tiles_hold_a_panel_of_both() {
    let p = square("(block, block)");
    for (ranks, side) in [(4, 2), (16, 4)] {
        let (plan, whole) = (p.plan(ranks, None), p.plan(ranks, Some(0)));
        assert_eq!(plan["memory_per_rank"], 3 * MATRIX / ranks + 2 * MATRIX / side / 4, "{ranks} ranks");
        assert_eq!(whole["memory_per_rank"], 3 * MATRIX / ranks + 2 * MATRIX / side, "{ranks} ranks, whole");
        // Along the rows of the mesh and along its columns, every panel to all but its owner.
        assert_eq!(plan["totals"]["messages"], 4 * 2 * side * (side - 1), "{ranks} ranks");
        assert_eq!(plan["totals"]["bytes"], 2 * MATRIX * (side - 1), "{ranks} ranks");
    }
}

#[test]
fn small_products_and_factors_that_a_loop_keeps_are_fetched_whole() {
    let small = square("(block, *)").mgpu("plan", &["-n", "4", "-p", "n=512"], None).out;
    assert!(!small.contains("panel"), "{small}");
    let text = SQUARE.replace("PLACE", "(block, *)").replace("c[i, j] = ", "for t in 0..3 { c[i, j] = ");
    let kept = Program::new(&text.replace("b[k, j]\n    save", "b[k, j] }\n    save"));
    let kept = kept.mgpu("plan", &["-n", "4"], None).out;
    assert!(!kept.contains("panel") && kept.contains("the whole run: 12 messages with 96 MiB"), "{kept}");
}

#[test]
fn runs_send_and_hold_what_the_plan_says() {
    let p = kinds();
    for ranks in ["2", "4", "7"] {
        let plan = p.plan(ranks.parse().unwrap(), Some(5));
        let run = p.mgpu("run", &["-n", ranks, "--executor", "vm", "--json"], Some(5));
        let run: Value = serde_json::from_str(&run.err).unwrap();
        assert_eq!(plan["totals"]["exact"], true);
        for what in ["messages", "bytes"] {
            assert_eq!(plan["totals"][what], run[what], "{what} of {ranks} ranks");
        }
        assert_eq!(plan["memory_per_rank"], run["memory_per_rank"], "{ranks} ranks");
    }
}

#[test]
fn large_products_have_the_bits_of_whole_factors() {
    let arrays = "a: f64[400, n] in PLACE\narray b: f64[n, 1200] in PLACE\narray c: f64[400, 1200] in PLACE";
    let text = SQUARE.replace("a, b, c: f64[n, n] in PLACE", arrays).replace("2048", "1101");
    let mut panelled = 0;
    for place in ["(block, *)", "(block, block)"] {
        let p = Program::new(&text.replace("PLACE", place));
        let run = |ranks: &str, panels| p.mgpu("run", &["-q", "-n", ranks], panels).files["c.npy"].clone();
        let one = run("1", None);
        for ranks in ["2", "3", "4", "7"] {
            panelled += usize::from(p.mgpu("plan", &["-n", ranks], None).out.contains("for panel in 0..1101"));
            assert!(run(ranks, None) == one && run(ranks, Some(0)) == one, "{place} on {ranks} ranks");
        }
    }
    assert!(panelled >= 5, "only {panelled} plans have panels");
}

#[test]
fn processes_send_panels_too() {
    let p = kinds();
    let mut command = support::launcher(3);
    command.arg(MGPU).args(["run", "-q"]).arg(&p.file).args(["--executor", "vm"]).current_dir(p.folder.path());
    command.env("MGPU_MESSAGE_LIMIT", "200");
    let ranks = p.run(&mut command, Some(5)).out;
    assert_eq!(ranks, p.mgpu("run", &["-q", "-n", "1", "--executor", "vm"], None).out);
}

#[test]
fn pages_prose_and_simulations_show_panels() {
    let p = square("(block, block)");
    let page = p.mgpu("plan", &["-n", "4", "--html", "plan.html", "--svg", "plan.svg"], None);
    let page = String::from_utf8_lossy(&page.files["plan.html"]).into_owned();
    assert!(page.contains("exchange of a panel") && page.contains("a[0..1024, 512..1024]"));
    let prose = Command::new(MGPU).args(["explain", &format!("{}:7", p.file.display()), "-n", "4"]).output().unwrap();
    let prose = String::from_utf8_lossy(&prose.stdout).into_owned();
    for part in [
        "so each rank gathers what it needs, 512 terms at a time (rank 0, first: [0..512, 0..1024])",
        "receive 16 messages with 64 MiB, panel by panel, 4 in all",
        "A panel travels while each rank multiplies with the one before.",
        "takes in the products of 512 terms, many points at a time, and goes on from what it had",
    ] {
        assert!(prose.contains(part), "no `{part}` in\n{prose}");
    }
    // By hand one gathers whole factors first.
    let script = |panels| {
        let mut command = Command::new(MGPU);
        command.arg("explain").arg(&p.file).args(["-n", "2", "--as", "mpi4py"]);
        p.run(&mut command, panels).out
    };
    assert_eq!(script(None), script(Some(0)));
    #[cfg(feature = "sim")]
    {
        let frames = p.mgpu("sim", &["-n", "4", "-p", "n=36", "--frames"], Some(9)).out;
        for line in ["0 -> 1: a[0..18, 9..18], 1296 B", "3 -> 2: a[18..36, 27..36], 1296 B", "4 messages under way"] {
            assert!(frames.contains(line), "no `{line}` in\n{frames}");
        }
        assert!(!frames.contains("16 messages under way"), "{frames}");
    }
}

/// On GPUs the chains of a panel go on from what is stored; factors that are not very large are fetched whole.
#[cfg(feature = "cuda")]
#[test]
fn on_gpus_chains_go_on_from_panel_to_panel() {
    let p = square("(block, *)");
    let text = |panels| {
        let mut command = Command::new(MGPU);
        command.args(["emit", "cuda"]).arg(&p.file).args(["-n", "4"]);
        p.run(&mut command, panels).out
    };
    let (panels, whole) = (text(Some(64)), text(Some(0)));
    assert!(panels.contains("mgpu_product_") && panels.contains("results, start, row"), "{panels}");
    assert!(whole.contains("mgpu_product_1") && whole.contains("results, mg_zeros(), row"), "{whole}");
    assert_eq!(text(None), whole);
}

fn planned(panels: Panelling) -> Plan {
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let text = SQUARE.replace("PLACE", "(block, block)");
    let id = sources.add("p.mgpu", text.as_str());
    let ast = parse(id, &text, &mut sink).unwrap();
    let bound = check(ast, &mut sources, &NoFiles, &Options { params: &[], ranks: 4 }, &mut sink).unwrap();
    plan_with(bound, 4, mgpu::planner::Options { panels, ..Default::default() }, &mut sink).unwrap()
}

#[test]
fn a_plan_that_writes_what_is_under_way_is_refused() {
    let mut plan = planned(Panelling::Large);
    assert_eq!(plan.verify(), Ok(()));
    let (other, good) = (plan.clone(), plan.nests.iter().position(|n| n.panels.is_some()).unwrap());
    let n = &mut plan.nests[good];
    let written = n.nest.operands[n.nest.stores[0].operand.0 as usize].array;
    n.panels.as_mut().unwrap().moving.push(written);
    let why = plan.verify().unwrap_err();
    assert!(why.contains("`c` is written while panels of it are under way"), "{why}");
    let mut plan = other;
    plan.nests[good].panels.as_mut().unwrap().terms.by = 500;
    assert!(plan.verify().unwrap_err().contains("a loop that is not theirs"));
}

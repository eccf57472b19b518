//! `mgpu sim`: frames as text against goldens in `tests/sim` (MGPU_BLESS=1 writes them anew), and the screen on a test terminal.
#![cfg(feature = "sim")]

mod support;

use mgpu::check::{NoFiles, Options, check};
use mgpu::diag::Sink;
use mgpu::runtime::io::root::Root;
use mgpu::sim::film::Film;
use mgpu::sim::screen::{Next, Position};
use mgpu::source::SourceMap;
use mgpu::syntax::parse::parse;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::KeyCode;
use std::collections::BTreeMap;
use std::path::Path;
use support::{bless, first_difference, run, scratch};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sim(program: &Path, args: &[&str]) -> support::Run {
    let dir = scratch(program, &BTreeMap::new());
    let file = dir.path().join(program.file_name().unwrap()).display().to_string();
    let args: Vec<String> = ["sim", &file].into_iter().chain(args.iter().copied()).map(str::to_string).collect();
    run(&args, dir.path())
}

/// Name of the golden, arguments.
const CASES: &[(&str, &[&str])] = &[
    ("spread_on_4", &["-n", "4"]),
    ("spread_on_1", &["-n", "1", "--frames", "1-3"]),
    ("no_halo_on_3", &["-n", "3", "--break", "halo", "--arrays", "u,v", "--frames"]),
    ("no_reduce_on_4", &["-n", "4", "--break", "reduce", "--arrays", "v"]),
    ("large_on_2", &["-n", "2", "-p", "n=40", "--arrays", "u", "--frames", "2-5"]),
];

#[test]
fn frames_read_as_they_did_and_no_file_is_written() {
    let program = root().join("tests/sim/spread.mgpu");
    let mut wrong = vec![];
    for (name, args) in CASES {
        let got = sim(&program, args);
        assert_eq!(got.exit, 0, "{name}: {}", got.err);
        assert_eq!(got.files.len(), 1, "{name} leaves files: {:?}", got.files.keys());
        let golden = root().join(format!("tests/sim/{name}.txt"));
        if bless() {
            std::fs::write(&golden, &got.out).unwrap();
        }
        let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
        if wanted != got.out {
            wrong.push(format!("{name}: {}", first_difference(&wanted, &got.out)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The last frame shows what a run prints, and the values of a run: here that heat is kept, and that it is not without the halo.
#[test]
fn the_values_are_those_of_a_run() {
    let program = root().join("tests/sim/spread.mgpu");
    let dir = scratch(&program, &BTreeMap::new());
    let file = dir.path().join("spread.mgpu").display().to_string();
    let ran = run(&["run".into(), file, "-n".into(), "3".into(), "-q".into()], dir.path());
    let shown = sim(&program, &["-n", "3", "--break", "halo"]);
    assert!(ran.out.trim() == "heat 8.0" && shown.out.contains(&format!("printed: {}", ran.out.trim())));
    assert!(shown.out.contains("heat = 8.0; without the exchange of `u` for line 7: 4.5"), "{}", shown.out);
    let alone = sim(&program, &["-n", "4", "--break", "reduce"]);
    assert!(alone.out.contains("heat = 8.0; without the all-reduce of line 14: by rank "), "{}", alone.out);
}

#[test]
fn what_cannot_be_shown_is_said() {
    let program = root().join("tests/sim/spread.mgpu");
    for (args, said) in [
        (&["-n", "4", "-p", "n=2000"][..], "with `-p n=16`"),
        (&["-n", "65"], "1 to 64 ranks"),
        (&["-n", "1", "--break", "halo"], "no exchange with messages on 1 rank"),
        (&["-n", "3", "--break", "reduce", "--at", "7"], "line 7 has no all-reduce on 3 ranks; these lines have: 14"),
        (&["--arrays", "w"], "no array `w`"),
        (&["--frames", "9-x"], "two numbers"),
    ] {
        let got = sim(&program, args);
        assert!(got.exit == 2 && got.err.contains(said) && got.err.contains("E0003"), "{args:?}: {}", got.err);
    }
    let power = root().join("examples/10_power.mgpu");
    let got = sim(&power, &["-n", "2", "-p", "n=8", "--break", "reduce"]);
    assert!(got.exit == 2 || got.out.contains("without the all-reduce"), "{}", got.err);
    // A run that fails, or never ends, is shown as far as it goes.
    let dir = tempfile::tempdir().unwrap();
    let fails = dir.path().join("fails.mgpu");
    std::fs::write(&fails, "array u: i64[4]\nworkflow main { u[i] = i; assert u[2] == 3, \"two\" }\n").unwrap();
    assert!(sim(&fails, &["-n", "2"]).out.contains("the run fails here: E0610 assertion failed: two"));
    let endless = dir.path().join("endless.mgpu");
    std::fs::write(&endless, "array u: i64[4]\nworkflow main { while u[0] < 1 { u[i] = 0 } }\n").unwrap();
    let got = sim(&endless, &["-n", "2", "--frames", "1-2"]);
    assert!(got.exit == 0 && got.out.contains("1 of "), "{}", got.err);
}

#[test]
fn keys_move_through_the_frames() {
    let text = std::fs::read_to_string(root().join("tests/sim/spread.mgpu")).unwrap();
    let text: Vec<&str> = text.lines().filter(|l| !l.contains("save") && !l.contains("plot")).collect();
    let text = text.join("\n");
    let (mut sources, mut sink) = (SourceMap::default(), Sink::default());
    let id = sources.add("spread.mgpu", text.as_str());
    let program = parse(id, &text, &mut sink)
        .and_then(|ast| check(ast, &mut sources, &NoFiles, &Options { params: &[], ranks: 4 }, &mut sink))
        .unwrap();
    let plan = mgpu::planner::plan(program, 4, &mut sink).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let film = Film::new(plan, None, &Root::open(dir.path()).unwrap(), &sources, "spread");
    let mut at = Position::default();
    let mut terminal = Terminal::new(TestBackend::new(100, 40)).unwrap();
    let mut seen = |at: &mut Position| {
        terminal.draw(|screen| at.draw(&film, &[], screen)).unwrap();
        let buffer = terminal.backend().buffer().clone();
        let text: String = buffer.content().iter().map(|c| c.symbol()).collect();
        text
    };
    let all = film.frames.len();
    let first = seen(&mut at);
    assert!(first.contains(&format!("1 of {all}")) && first.contains("? help"), "{first}");
    assert_eq!(at.key(&film, KeyCode::Right), Next::Stay);
    let second = seen(&mut at);
    assert!(second.contains(&format!("2 of {all}")) && second.contains("under way") && second.contains("0 -> 1"));
    at.key(&film, KeyCode::Left);
    assert_eq!(seen(&mut at), first, "back is where one came from");
    at.key(&film, KeyCode::End);
    assert!(seen(&mut at).contains("printed: heat 8.0"));
    at.key(&film, KeyCode::Right);
    assert!(seen(&mut at).contains(&format!("{all} of {all}")));
    at.key(&film, KeyCode::Char('['));
    assert!(seen(&mut at).contains("under way"));
    at.key(&film, KeyCode::Home);
    at.key(&film, KeyCode::Char('?'));
    assert!(seen(&mut at).contains("step back"));
    at.key(&film, KeyCode::Char('x'));
    assert_eq!(seen(&mut at), first);
    assert_eq!(at.key(&film, KeyCode::Char('q')), Next::Leave);
}

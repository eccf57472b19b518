//! `animate u to "u.png"`: one frame each time it is reached, read back with a PNG reader; and pictures on the terminal.

mod support;

use std::path::Path;
use support::{Run, run};

const PROGRAM: &str = "\
array u: f64[6, 9] in (block, block)
array h: f32[5]
workflow main {
    for t in 0..4 {
        u[i, j] = i + j + 10 * t
        h[t] = f32(t)^2
        animate u to \"u.png\"
        animate h to \"h.png\"
    }
    plot u to \"last.png\"
    plot h to \"curve.png\"
}
";

fn ran(program: &str, ranks: usize, more: &[&str]) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("p.mgpu");
    std::fs::write(&file, program).unwrap();
    let mut args = vec!["run".to_string(), file.display().to_string(), "-n".into(), ranks.to_string(), "-q".into()];
    args.extend(more.iter().map(|a| a.to_string()));
    run(&args, Path::new(dir.path()))
}

/// The frames of a picture, and whether it says that it moves.
fn frames(data: &[u8]) -> (u32, Vec<Vec<u8>>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(data)).read_info().unwrap();
    let count = reader.info().animation_control().map_or(0, |c| c.num_frames);
    let mut out = vec![];
    for _ in 0..count.max(1) {
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        out.push(pixels);
    }
    (count, out)
}

#[test]
fn every_frame_is_there_on_one_scale() {
    let one = ran(PROGRAM, 1, &[]);
    assert_eq!(one.exit, 0, "{}", one.err);
    for name in ["u.png", "h.png"] {
        let (count, all) = frames(&one.files[name]);
        assert_eq!(count, 4, "{name}");
        assert!(all.windows(2).all(|w| w[0] != w[1] && w[0].len() == w[1].len()), "{name}");
    }
    let (count, last) = frames(&one.files["last.png"]);
    assert_eq!(count, 0);
    // The last frame holds the same array as the picture, on a wider scale.
    assert_ne!(frames(&one.files["u.png"]).1[3], last[0]);
    for ranks in [2, 3, 4, 7] {
        assert_eq!(ran(PROGRAM, ranks, &[]).files, one.files, "{ranks} ranks");
    }
}

#[test]
fn a_run_that_fails_writes_no_animation() {
    let program = "array u: f64[4]\nworkflow main {\n    animate u to \"u.png\"\n    assert u[0] > 1, \"small\"\n}\n";
    let got = ran(program, 3, &[]);
    assert!(got.exit == 3 && !got.files.contains_key("u.png"), "{}", got.err);
    let mixed = "array u: f64[4]\narray v: f64[5]\nworkflow main { animate u to \"u.png\"; animate v to \"u.png\" }\n";
    let got = ran(mixed, 2, &[]);
    assert!(got.exit == 3 && got.err.contains("E0603") && got.err.contains("has frames of f64[4]"), "{}", got.err);
}

#[test]
fn plots_are_shown_on_the_terminal() {
    let got = ran(PROGRAM, 3, &["--term"]);
    assert_eq!(got.exit, 0, "{}", got.err);
    let lines: Vec<&str> = got.out.lines().collect();
    // Six rows of nine, four times as large, two rows a line: twelve lines that grow brighter to the right and downwards.
    assert!(lines[0].starts_with("u: 30 to 43"), "{}", got.out);
    assert!(
        lines[1].starts_with("    ") && lines[12].ends_with("████") && lines[1].chars().count() == 36,
        "{}",
        got.out
    );
    let curve = lines.iter().position(|l| l.starts_with("h: 0 to 9")).unwrap();
    // One column of h[3] = 9 on top, all three that are not zero and the zeros at the bottom.
    assert_eq!(lines[curve + 1].trim_end(), "   █");
    assert_eq!(lines[curve + 10].chars().count(), 5);
    assert_eq!(ran(PROGRAM, 1, &["--term"]).out, got.out);
    assert_eq!(ran(PROGRAM, 1, &[]).out, "");
}

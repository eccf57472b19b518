//! Runs that cannot end well: one report, the agreed exit code, no half-written file, on one rank and on three.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{MGPU, Run, run_command};

/// Runs a program in a folder of its own, which `prepare` fills.
fn run(text: &str, ranks: &str, more: &[&str], prepare: impl Fn(&Path)) -> Run {
    let dir = tempfile::tempdir().unwrap();
    run_in(dir.path(), text, ranks, more, prepare)
}

fn run_in(dir: &Path, text: &str, ranks: &str, more: &[&str], prepare: impl Fn(&Path)) -> Run {
    std::fs::write(dir.join("p.mgpu"), text).unwrap();
    prepare(dir);
    run_command(mgpu(Path::new(MGPU), ranks).args(more).current_dir(dir), dir)
}

fn mgpu(binary: &Path, ranks: &str) -> Command {
    let mut command = Command::new(binary);
    command.args(["run", "-q", "p.mgpu", "-n", ranks, "--executor", "vm"]);
    command
}

/// One report with this code and text, this exit code, and no file beside those named.
fn fails(run: &Run, exit: i32, code: &str, text: &str, files: &[&str]) {
    let reports = support::reports(&run.err);
    assert_eq!(run.exit, exit, "{}{}", run.out, run.err);
    assert_eq!(reports.iter().map(|r| r.0.as_str()).collect::<Vec<_>>(), [code], "{}", run.err);
    let flat = run.err.replace("\n  │ ", " ");
    assert!(flat.contains(text), "no `{text}` in\n{}", run.err);
    assert!(!run.err.contains("os error") && !run.err.contains("panicked"), "{}", run.err);
    let left: Vec<&str> = run.files.keys().map(String::as_str).filter(|f| *f != "p.mgpu").collect();
    assert_eq!(left, files, "files left behind");
}

fn npy(path: &Path, shape: &str, values: usize) {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
    let padded = format!("{header:<117}\n");
    let mut data = b"\x93NUMPY\x01\x00".to_vec();
    data.extend((padded.len() as u16).to_le_bytes());
    data.extend(padded.as_bytes());
    data.extend(vec![0u8; 8 * values]);
    std::fs::write(path, data).unwrap();
}

const LOAD: &str = "array u: f64[6]\nworkflow main {\n    load u from \"u.npy\"\n    print \"{u}\"\n}\n";
const SAVE: &str =
    "array u: f64[600]\nworkflow main {\n    u[i] = 1\n    save u to \"out/u.npy\"\n    print \"saved\"\n}\n";

#[test]
fn a_missing_file() {
    for n in ["1", "3"] {
        fails(&run(LOAD, n, &[], |_| {}), 3, "E0601", "cannot read `u.npy`", &[]);
    }
}

#[test]
fn a_file_of_another_shape_or_type() {
    for n in ["1", "3"] {
        let got = run(LOAD, n, &[], |d| npy(&d.join("u.npy"), "(2, 3)", 6));
        fails(&got, 3, "E0603", "`u.npy` holds f64[2, 3], and `u` is f64[6]", &["u.npy"]);
        let text = LOAD.replace("f64", "f32");
        fails(&run(&text, n, &[], |d| npy(&d.join("u.npy"), "(6,)", 6)), 3, "E0603", "holds f64[6]", &["u.npy"]);
    }
}

#[test]
fn a_file_that_stops_short_or_is_no_array() {
    for n in ["1", "3"] {
        fails(&run(LOAD, n, &[], |d| npy(&d.join("u.npy"), "(6,)", 3)), 3, "E0601", "u.npy", &["u.npy"]);
        let text = |d: &Path| std::fs::write(d.join("u.npy"), "hello").unwrap();
        fails(&run(LOAD, n, &[], text), 3, "E0601", "u.npy", &["u.npy"]);
    }
}

#[test]
fn a_folder_that_is_not_there() {
    for n in ["1", "3"] {
        fails(&run(SAVE, n, &[], |_| {}), 3, "E0601", "there is no folder `out/`", &[]);
    }
}

/// What makes a command run as a user whom permissions bind: root becomes nobody, with a binary that nobody can reach.
fn as_somebody(dir: &Path) -> (PathBuf, u32) {
    // SAFETY: reads the user of this process.
    match unsafe { libc::geteuid() } {
        0 => {
            std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
            // Another process copies: a test beside this one that forks meanwhile would keep the copy open for writing, and a file that
            // is being written cannot be started (ETXTBSY).
            let copied = Command::new("cp").args([MGPU, "mgpu"]).current_dir(dir).status().unwrap();
            assert!(copied.success());
            (dir.join("mgpu"), 65534)
        }
        me => (MGPU.into(), me),
    }
}

#[test]
fn a_folder_that_must_not_be_written() {
    for n in ["1", "3"] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("p.mgpu"), SAVE).unwrap();
        std::fs::create_dir(dir.path().join("out")).unwrap();
        let (binary, user) = as_somebody(dir.path());
        std::fs::set_permissions(dir.path().join("out"), std::fs::Permissions::from_mode(0o555)).unwrap();
        let mut got = run_command(mgpu(&binary, n).uid(user).current_dir(dir.path()), dir.path());
        got.files.remove("mgpu");
        fails(&got, 3, "E0601", "cannot write `out/u.npy`: permission denied", &[]);
    }
}

#[test]
fn a_file_larger_than_the_user_may_write() {
    let text = SAVE.replace("600", "60000");
    for n in ["1", "3"] {
        for old in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("p.mgpu"), &text).unwrap();
            std::fs::create_dir(dir.path().join("out")).unwrap();
            if old {
                std::fs::write(dir.path().join("out/u.npy"), "old").unwrap();
            }
            let mut command = mgpu(Path::new(MGPU), n);
            // SAFETY: the new process only lowers its limit.
            unsafe { command.pre_exec(|| lower(libc::RLIMIT_FSIZE, 64 << 10)) };
            let got = run_command(command.current_dir(dir.path()), dir.path());
            fails(
                &got,
                3,
                "E0601",
                "cannot write `out/u.npy`: the file would be larger",
                if old { &["out/u.npy"] } else { &[] },
            );
            assert!(!old || got.files["out/u.npy"] == b"old");
        }
    }
}

fn lower(what: libc::__rlimit_resource_t, to: u64) -> std::io::Result<()> {
    let limit = libc::rlimit { rlim_cur: to, rlim_max: to };
    // SAFETY: the limit lives as long as the call.
    if unsafe { libc::setrlimit(what, &limit) } == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[test]
fn a_name_that_is_a_folder() {
    for n in ["1", "3"] {
        let got = run(SAVE, n, &[], |d| std::fs::create_dir_all(d.join("out/u.npy")).unwrap());
        fails(&got, 3, "E0601", "it is a folder", &[]);
    }
}

/// On a file system of 64 KiB that the run mounts for itself, in a name space of its own.
#[test]
fn a_full_disk() {
    let text = SAVE.replace("600", "60000");
    // SAFETY: reads the user of this process.
    let user: &[&str] = if unsafe { libc::geteuid() } == 0 { &[] } else { &["--map-root-user"] };
    for n in ["1", "3"] {
        for old in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("p.mgpu"), &text).unwrap();
            std::fs::create_dir(dir.path().join("out")).unwrap();
            let put = if old { "echo old > out/u.npy &&" } else { "" };
            let run = format!("'{MGPU}' run -q p.mgpu -n {n} --executor vm; code=$?");
            // What is left goes where the test can see it.
            let shell = format!(
                "mount -t tmpfs -o size=64k tmpfs out && cd . && {put} {run}; cp -a out left; ls -A out | wc -l; exit $code"
            );
            let mut command = Command::new("unshare");
            command.args(user).args(["--mount", "sh", "-c", &shell]).current_dir(dir.path());
            let got = run_command(&mut command, dir.path());
            if got.err.starts_with("unshare:") || got.err.starts_with("mount:") {
                // No right to mount: `a_file_larger_than_the_user_may_write` ran the same paths, by another errno.
                eprintln!("a small file system cannot be mounted here: {}", got.err);
                return;
            }
            fails(
                &got,
                3,
                "E0601",
                "cannot write `out/u.npy`: the disk is full",
                if old { &["left/u.npy"] } else { &[] },
            );
            assert!(!old || got.files["left/u.npy"] == b"old\n");
        }
    }
}

#[test]
fn more_memory_than_the_machine_has() {
    let text = "array u: f64[1 shl 20, 1 shl 20] in (block, *)\nworkflow main {\n    save u to \"u.npy\"\n}\n";
    for ranks in ["1", "3"] {
        let r = run(text, ranks, &[], |_| {});
        fails(&r, 3, "E0602", "8192.00 GiB of memory, of which ", &[]);
        assert!(r.err.contains("the largest are `u` 8192.00 GiB"), "{}", r.err);
    }
}

#[test]
fn an_assertion_that_fails() {
    let text = "array u: f64[5]\nworkflow main {\n    u[i] = i\n    print \"before\"\n    assert sum[i] u[i] < 3, \"the sum is {sum[i] u[i]}\"\n    save u to \"u.npy\"\n}\n";
    for n in ["1", "3"] {
        let got = run(text, n, &[], |_| {});
        fails(&got, 3, "E0610", "the sum is 10.0", &[]);
        assert_eq!(got.out, "before\n");
    }
}

#[test]
fn paths_that_leave_the_root() {
    for n in ["1", "3"] {
        for path in ["../u.npy", "/etc/hostname", "a/../../u.npy"] {
            let text = LOAD.replace("u.npy", path);
            let words = if path.starts_with('/') { "is an absolute path" } else { "leads out of the program's folder" };
            fails(&run(&text, n, &[], |_| {}), 3, "E0601", words, &[]);
            let text = SAVE.replace("out/u.npy", path);
            fails(&run(&text, n, &[], |_| {}), 3, "E0601", words, &[]);
        }
    }
}

#[test]
fn programs_that_are_rejected() {
    for n in ["1", "3"] {
        fails(&run("workflow main { print \"{x}\" }", n, &[], |_| {}), 1, "E0200", "unknown name `x`", &[]);
        fails(&run("workflow main { print 3 }", n, &[], |_| {}), 1, "E0106", "expected", &[]);
    }
}

#[test]
fn wrong_usage() {
    let text = "workflow main { print \"hello\" }";
    for (ranks, more, code) in [
        ("0", &[][..], "E0003"),
        ("1", &["-p", "n"], "E0002"),
        ("1", &["-p", "@none.json"], "E0002"),
        ("2", &["--math", "tf32"], "E0003"),
        ("2", &["--transport", "nccl"], "E0003"),
    ] {
        let got = run(text, ranks, more, |_| {});
        assert_eq!(got.exit, 2, "{more:?} on {ranks}: {}", got.err);
        assert!(got.err.contains(code) && got.out.is_empty(), "{}", got.err);
    }
    let got = run("param n: i64 = 3", "1", &[], |_| {});
    fails(&got, 2, "E0003", "nothing to run", &[]);
    let dir = tempfile::tempdir().unwrap();
    let got = run_command(Command::new(MGPU).args(["run", "none.mgpu"]).current_dir(dir.path()), dir.path());
    assert_eq!(got.exit, 2, "{}", got.err);
    assert!(got.err.contains("cannot read `none.mgpu`"), "{}", got.err);
    for args in [&["run"][..], &["run", "x.mgpu", "-n", "many"], &["no-such-verb", "x"]] {
        assert_eq!(Command::new(MGPU).args(args).output().unwrap().status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.mgpu"), "workflow main { for t in 0..100000 { print \"{t}\" } }").unwrap();
    let shell = format!("'{MGPU}' run -q p.mgpu -n 2 | head -n 1; echo ${{PIPESTATUS[0]}}");
    let out = Command::new("bash").args(["-c", &shell]).current_dir(dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.starts_with("0\n"), "{text}");
    assert!(!String::from_utf8_lossy(&out.stderr).contains("panicked"));
}

//! Devices that fail, devices that are not there, and an MPI library that claims more than it does, without a GPU: a driver made for
//! that (`gpu_faults/driver.c`) stands in for NVIDIA's.
#![cfg(feature = "cuda")]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use support::{MGPU, Run, reports, run_command};

/// Steps of every kind: halos, an all-reduce, files, a picture.
const PROGRAM: &str = "array u: f64[600] edge clamp\nworkflow main {\n    u[i] = i\n    var s: f64 = 0\n    for t in 0..2 {\n        u[i] = (u[i-1] + u[i+1]) / 2\n        s = sum[i] u[i]\n    }\n    print \"{s}\"\n    save u to \"u.npy\"\n    load u from \"u.npy\"\n    plot u to \"u.png\"\n}\n";

/// A run that nobody ended would take for ever; starting one takes no second.
const SOON: Duration = Duration::from_secs(10);

/// The stand-in for the driver, in a folder of its own; `None` where this machine cannot build it, or has no NVRTC.
fn driver() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gpu_faults/driver.c");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(folder.path().join("libcuda.so.1")).arg(source);
    let Ok(made) = cc.output() else {
        println!("SKIPPED: there is no C compiler");
        return None;
    };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // Whichever name is looked for.
    std::os::unix::fs::symlink("libcuda.so.1", folder.path().join("libcuda.so")).unwrap();
    let needed = std::env::var_os("MGPU_REQUIRE_NVRTC").is_some();
    if let Err(why) = mgpu::runtime::device::cuda::nvrtc::present() {
        assert!(!needed, "{why}");
        println!("SKIPPED: {why}");
        return None;
    }
    Some(folder)
}

/// `command` with the stand-in, in a new folder that holds the program.
fn with(driver: &Path, command: &mut Command, variables: &[(&str, &str)]) -> Run {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.mgpu"), PROGRAM).unwrap();
    let old = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let path = std::env::join_paths([driver.to_path_buf()].into_iter().chain(std::env::split_paths(&old))).unwrap();
    command.env("LD_LIBRARY_PATH", path).env("MGPU_CACHE", driver.join("cache")).envs(variables.iter().copied());
    run_command(command.current_dir(dir.path()), dir.path())
}

fn run(driver: &Path, more: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command = Command::new(MGPU);
    with(driver, command.args(["run", "-q", "p.mgpu", "-n", "3"]).args(more), variables)
}

/// A loop over time queues, and the host does not wait, not for a norm of every step either.
#[test]
fn loops_over_time_do_not_wait() {
    let Some(driver) = driver() else { return };
    let program = |each: &str| {
        format!(
            "param steps: i64 = 1\narray u: f64[64, 64] edge clamp\nworkflow main {{\n    u[i, j] = i * j\n    var s: f64 = 0\n    for t in 0..steps {{\n        u[i, j] = (u[i-1, j] + u[i+1, j] + u[i, j-1] + u[i, j+1]) / 4\n        s = sqrt(sum[i, j] u[i, j]^2) + s / 2\n        {each}\n    }}\n    print \"{{s}}\"\n}}\n"
        )
    };
    let waits = |each: &str, steps: &str| {
        let (dir, file) = (tempfile::tempdir().unwrap(), driver.path().join(format!("{steps}{}", each.len())));
        std::fs::write(dir.path().join("steps.mgpu"), program(each)).unwrap();
        let path = dir.path().join("steps.mgpu");
        let more = format!("steps={steps}");
        let mut command = Command::new(MGPU);
        command.arg("run").arg(path).args(["-q", "-n", "1", "--device", "cuda", "-p", &more]);
        let got = with(driver.path(), &mut command, &[("FAKE_WAITS", file.to_str().unwrap())]);
        assert_eq!(got.exit, 0, "{}", got.err);
        let all = std::fs::read_to_string(file).unwrap();
        all.lines().map(|l| l.parse::<i64>().unwrap()).sum::<i64>()
    };
    let (few, many) = (waits("", "10"), waits("", "5000"));
    assert!(few > 0 && few == many, "{few} waits in 10 steps, {many} in 5000");
    // Unless the program prints there.
    assert!(waits("print \"{s}\"", "10") >= few + 9);
}

/// Compiled kernels are kept in a folder of their owner's; many may fill it at once, and what was damaged there is compiled anew.
#[test]
fn compiled_kernels_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let Some(driver) = driver() else { return };
    let cache = driver.path().join("cache");
    let kept = || {
        let all = std::fs::read_dir(&cache).unwrap().map(|e| e.unwrap().path());
        all.map(|p| (p.clone(), std::fs::read(&p).unwrap())).collect::<std::collections::BTreeMap<_, _>>()
    };
    let once = || assert_eq!(run(driver.path(), &["--device", "cuda"], &[]).exit, 0);
    std::thread::scope(|s| (0..4).for_each(|_| drop(s.spawn(once))));
    assert_eq!(std::fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let first = kept();
    assert!(!first.is_empty());
    once();
    assert!(kept() == first, "kernels that are there already are compiled again");
    for path in first.keys() {
        std::fs::write(path, "half a fi").unwrap();
    }
    once();
    assert!(kept().values().all(|data| data != b"half a fi"), "what is damaged is not compiled anew");
    std::fs::set_permissions(&cache, PermissionsExt::from_mode(0o777)).unwrap();
    let got = run(driver.path(), &["--device", "cuda"], &[]);
    assert!(got.exit != 0 && got.err.contains("can be written by others"), "{}", got.err);
}

/// One report, and each file as a whole run leaves it, or absent.
fn fails_once(whole: &Run, got: &Run, what: &str) -> String {
    let all = reports(&got.err);
    assert_eq!(all.len(), 1, "{what}: {}", got.err);
    for (name, data) in got.files.iter().filter(|(n, _)| *n != "p.mgpu") {
        assert!(whole.files.get(name) == Some(data), "{what}: {name} is half written, or should not be there");
    }
    all[0].0.clone()
}

#[test]
fn a_device_that_is_lost_at_any_call_ends_all_ranks_with_one_report() {
    let Some(driver) = driver() else { return };
    let calls = driver.path().join("calls");
    let whole = run(driver.path(), &["--device", "cuda"], &[("FAKE_CALLS", calls.to_str().unwrap())]);
    assert_eq!(whole.exit, 0, "{}", whole.err);
    assert_eq!(whole.files.len(), 3, "{:?}", whole.files.keys());
    let calls = std::fs::read_to_string(calls).unwrap();
    let counts: Vec<(usize, usize)> = calls
        .lines()
        .map(|l| l.split_once(' ').unwrap())
        .map(|(device, n)| (device.parse().unwrap(), n.parse().unwrap()))
        .collect();
    assert_eq!(counts.len(), 3, "{calls}");
    let (mut agreed, mut lost) = (0, 0);
    for (device, n) in counts {
        // Another device at every call: each is lost at every third.
        for call in (1 + device..n - 40).step_by(3) {
            let what = format!("{device}:{call}");
            let clock = Instant::now();
            let got = run(driver.path(), &["--device", "cuda"], &[("FAKE_LOST", &what)]);
            assert!(clock.elapsed() < SOON, "{what}: {:?}", clock.elapsed());
            let code = fails_once(&whole, &got, &what);
            let named = format!("GPU {device} of rank {device}: cu");
            assert!(got.err.contains(&named) && got.err.contains("unspecified launch failure"), "{what}: {}", got.err);
            match (got.exit, &code[..]) {
                (3, "E0620") => agreed += 1,
                (4, "E0701") => lost += 1,
                other => panic!("{what}: {other:?} {}", got.err),
            }
        }
    }
    assert!(agreed > 20 && lost > 60, "{agreed} {lost}");
}

/// Panels of products and elements that subscripts name, through the host: what GPUs send is what CPUs send. (Peers need kernels that run.)
#[test]
fn panels_and_listed_elements_travel_as_on_cpus() {
    let Some(driver) = driver() else { return };
    let text = "array a, b, c: f32[60, 60] in (block, *)\narray x, y: f64[900] in (block)\narray k: i64[900] in (block)\n\
        workflow main {\n    a[i, j] = f32(i)\n    x[i] = f64(i)\n    for t in 0..3 {\n        b[i, j] = f32(j + t)\n        \
        c[i, j] = sum[l] a[i, l] * b[l, j]\n    }\n    for t in 0..3 {\n        y[i] = x[k[i]]\n        x[i] = y[i] + 1\n    }\n    \
        print \"{sum[i, j] c[i, j]} {sum[i] x[i]}\"\n}\n";
    let counted = |more: &[&str]| -> [serde_json::Value; 4] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("q.mgpu"), text).unwrap();
        let mut command = Command::new(MGPU);
        command.args(["run", "-n", "3", "--json"]).arg(dir.path().join("q.mgpu")).args(more);
        let got = with(driver.path(), &mut command, &[("MGPU_PANELS", "7"), ("MGPU_LISTS", "1")]);
        assert_eq!(got.exit, 0, "{more:?}: {}", got.err);
        let run: serde_json::Value = serde_json::from_str(got.err.trim().lines().last().unwrap()).expect("JSON");
        let beside = &run["beside_exchanges"];
        [&run["messages"], &run["bytes"], &beside["messages"], &beside["bytes"]].map(Clone::clone)
    };
    // The stand-in computes nothing, so all subscripts are 0: they are on the CPU, too.
    let cpu = counted(&["--device", "cpu"]);
    assert!(cpu.iter().all(|n| n.as_u64().unwrap() > 0), "{cpu:?}");
    let gpus = counted(&["--device", "cuda"]);
    assert_eq!(cpu[..2], gpus[..2]);
    // GPUs tell one another where elements belong, too.
    assert!(gpus[2].as_u64() > cpu[2].as_u64(), "{cpu:?} {gpus:?}");
}

#[test]
fn devices_that_are_not_there_are_refused() {
    let Some(driver) = driver() else { return };
    let refused = |more: &[&str], gpus: &str, words: &str| {
        let got = run(driver.path(), more, &[("FAKE_GPUS", gpus)]);
        assert_eq!(got.exit, 2, "{more:?}: {}", got.err);
        assert!(got.err.replace("\n  │ ", " ").contains(words), "{more:?}: {}", got.err);
        assert_eq!(got.out, "", "{more:?}");
    };
    refused(&["--devices", "0,3"], "3", "there is no device 3: this process sees 3 (0 to 2)");
    refused(&["--devices", "1"], "1", "there is no device 1: this process sees 1 (0 to 0)");
    refused(&["--devices", "0"], "0", "no CUDA-capable device is detected");
    refused(&["--device", "cuda"], "0", "no CUDA-capable device is detected");
    refused(&["--transport", "peer"], "0", "no CUDA-capable device is detected");
    refused(&["--devices", "0", "--device", "cpu"], "3", "`--devices` is for GPUs");
    // Nobody asked for one.
    assert_eq!(run(driver.path(), &[], &[("FAKE_GPUS", "0")]).exit, 0);
    // More ranks than devices share them, with a word about it.
    let got = run(driver.path(), &["--devices", "2,0"], &[]);
    assert_eq!(got.exit, 0, "{}", got.err);
    assert!(got.err.contains("3 ranks share 2 GPU(s)"), "{}", got.err);
}

/// The last line of `err` has every rank's host and device, and every pair's transport.
fn places(err: &str) {
    let run: serde_json::Value = serde_json::from_str(err.trim().lines().last().unwrap()).expect("JSON");
    let devices = run["devices"].as_array().unwrap();
    let ranks: Vec<_> = devices.iter().map(|d| (d["rank"].as_u64(), d["device"]["ordinal"].as_u64())).collect();
    assert_eq!(ranks, [(Some(0), Some(0)), (Some(1), Some(1)), (Some(2), Some(2))], "{run}");
    assert!(devices.iter().all(|d| d["host"].is_string() && d["device"]["capability"][0] == 9), "{run}");
    let links = run["links"].as_array().unwrap();
    assert!(links.len() == 6 && links.iter().all(|l| l["transport"].is_string() && l["why"].is_string()), "{run}");
}

/// Staged messages arrive whole however they are cut: the transport is tried with 4 KiB and 512 KiB, which are compared.
#[test]
fn staged_messages_go_in_pieces() {
    let Some(driver) = driver() else { return };
    for piece in ["1000", "4096", "300000", "1048576"] {
        let got = run(driver.path(), &["--device", "cuda", "--transport", "staged"], &[("MGPU_PIECE", piece)]);
        assert_eq!(got.exit, 0, "{piece}: {}", got.err);
    }
}

#[test]
fn who_takes_which_device_is_said() {
    let Some(driver) = driver() else { return };
    let got = run(driver.path(), &["--device", "cuda", "-v", "--json"], &[]);
    assert_eq!(got.exit, 0, "{}", got.err);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for rank in 0..3 {
        let line = format!(
            "rank {rank} on {}: GPU {rank} stand-in (sm_90, 1 GiB, 0000:0{rank}:00.0): number {rank} of",
            host.trim()
        );
        assert!(got.err.contains(&line), "{}", got.err);
    }
    places(&got.err);
    // A process that shares memory with no other rank sits where its launcher counts it.
    for variable in ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"] {
        let mut command = Command::new(MGPU);
        command.args(["run", "p.mgpu", "-n", "1", "--device", "cuda", "-v"]);
        let got = with(driver.path(), &mut command, &[(variable, "2")]);
        assert!(got.err.contains("0000:02:00.0): number 2 on this machine, by its launcher"), "{}", got.err);
    }
    let mut doctor = Command::new(MGPU);
    let said = with(driver.path(), doctor.args(["doctor", "--json"]), &[]);
    let said: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(said["gpus"][2]["capability"], serde_json::json!([9, 0]), "{said}");
    assert!(said["host"] == host.trim() && said["links"].as_array().unwrap().len() == 6, "{said}");
}

#[cfg(feature = "mpi")]
mod launched {
    use super::*;

    #[test]
    fn staged_messages_go_in_pieces_between_processes() {
        let Some(driver) = driver() else { return };
        for piece in ["4096", "300000"] {
            let got = job(driver.path(), &["-q", "--transport", "staged"], &[("MGPU_PIECE", piece)]);
            assert_eq!(got.exit, 0, "{piece}: {}", got.err);
        }
    }

    #[test]
    fn who_takes_which_device_is_said_once() {
        let Some(driver) = driver() else { return };
        let got = job(driver.path(), &["--json"], &[]);
        assert_eq!(got.exit, 0, "{}", got.err);
        places(&got.err);
    }

    /// No process makes a context on a device that is not its own, and what they share is told by the devices' addresses.
    #[test]
    fn processes_touch_their_own_devices_only() {
        let Some(driver) = driver() else { return };
        let own = driver.path().join("own");
        let got = job(driver.path(), &["-v"], &[("FAKE_CALLS", own.to_str().unwrap())]);
        assert!(got.exit == 0 && !got.err.contains("in turns"), "{}", got.err);
        let own = std::fs::read_to_string(own).unwrap();
        let mut devices: Vec<&str> = own.lines().filter_map(|l| Some(l.split_once(' ')?.0)).collect();
        devices.sort();
        assert_eq!(devices, ["0", "1", "2"], "{own}");
        // Each sees one device, as Slurm may have it: not the same one.
        let mut command = support::launcher(3);
        command.args([
            "sh",
            "-c",
            "CUDA_VISIBLE_DEVICES=${OMPI_COMM_WORLD_LOCAL_RANK:-$MPI_LOCALRANKID} exec \"$@\"",
            "sh",
            MGPU,
        ]);
        let got = with(driver.path(), command.args(["run", "p.mgpu", "--device", "cuda", "-v"]), &[]);
        assert!(got.exit == 0 && !got.err.contains("in turns"), "{}", got.err);
        assert!(
            (0..3).all(|r| got.err.contains(&format!("GPU 0 stand-in (sm_90, 1 GiB, 0000:0{r}:00.0)"))),
            "{}",
            got.err
        );
        let got = job(driver.path(), &[], &[("FAKE_GPUS", "1")]);
        assert!(got.exit == 0 && got.err.contains("3 ranks share 1 GPU(s) in turns"), "{}", got.err);
    }

    fn job(driver: &Path, more: &[&str], variables: &[(&str, &str)]) -> Run {
        let mut command = support::launcher(3);
        with(driver, command.args([MGPU, "run", "p.mgpu", "--device", "cuda"]).args(more), variables)
    }

    #[test]
    fn a_device_that_is_lost_ends_all_processes() {
        let Some(driver) = driver() else { return };
        let whole = job(driver.path(), &[], &[]);
        assert_eq!(whole.exit, 0, "{}", whole.err);
        for what in ["0:5", "1:2", "2:20", "0:70", "1:90", "2:100"] {
            let clock = Instant::now();
            let got = job(driver.path(), &[], &[("FAKE_LOST", what)]);
            assert!(clock.elapsed() < 2 * SOON, "{what}: {:?}", clock.elapsed());
            let code = fails_once(&whole, &got, what);
            assert!([(3, "E0620"), (4, "E0701")].contains(&(got.exit, &code[..])), "{what}: {} {}", got.exit, got.err);
        }
    }

    /// The stand-in's device memory is as forbidden to a library that knows no GPUs as a GPU's.
    #[test]
    fn a_library_that_claims_to_take_device_memory_is_tried_first() {
        let Some(driver) = driver() else { return };
        let library = driver.path().join("libcuda.so.1").to_str().unwrap().to_string();
        let claims = [("LD_PRELOAD", &library[..]), ("FAKE_CLAIM", "1")];
        // Nobody believes it by default.
        let got = job(driver.path(), &["-v"], &claims);
        assert_eq!(got.exit, 0, "{}", got.err);
        assert!(got.err.contains("rank 0 to rank 1: staged") && !got.err.contains("gpu-aware"), "{}", got.err);
        // Asked to, it is tried by a process that may crash.
        let got = job(driver.path(), &["--transport", "gpu-aware"], &claims);
        assert_eq!(got.exit, 3, "{}", got.err);
        assert_eq!(reports(&got.err).len(), 1, "{}", got.err);
        let flat = got.err.replace("\n  │ ", " ");
        assert!(flat.contains("gpu-aware: a trial in a process of its own crashed (signal 11)"), "{}", got.err);
        // The next best goes on.
        let got = job(driver.path(), &["-v", "--transport", "gpu-aware,staged"], &claims);
        assert_eq!(got.exit, 0, "{}", got.err);
        assert!(got.err.contains("rank 0 to rank 1: staged"), "{}", got.err);
    }
}

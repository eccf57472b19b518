//! Every example's kernels compile for GPUs, with NVRTC and no GPU. `scripts/nvrtc.sh` brings NVRTC; without it the test says so
//! and passes, unless `MGPU_REQUIRE_NVRTC` is set.
#![cfg(feature = "cuda")]

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn kernels_of_every_example_compile() {
    if let Err(why) = mgpu::runtime::device::cuda::nvrtc::present() {
        assert!(std::env::var_os("MGPU_REQUIRE_NVRTC").is_none(), "{why}");
        println!("skipped: {why}");
        return;
    }
    let wrong = Mutex::new(vec![]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut programs: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    programs.retain(|p| p.extension().is_some_and(|e| e == "mgpu"));
    assert!(programs.len() > 10);
    // And the tiles of contractions of every kind.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    programs.extend(
        ["kinds", "blocks", "sizes", "tensor"].map(|n| root.join(format!("tests/suite/run/contraction/{n}.mgpu"))),
    );
    // Types of two bytes, complex numbers.
    let kinds = ["half/moves", "half/products", "half/sums", "complex/everywhere"];
    programs.extend(kinds.map(|n| root.join(format!("tests/suite/run/{n}.mgpu"))));
    programs.extend(["product", "product64", "training"].map(|n| root.join(format!("bench/{n}.mgpu"))));
    let settings = [("sm_80", "1"), ("sm_90", "1"), ("sm_90", "3")];
    let work: Vec<_> = programs.iter().flat_map(|p| settings.map(|s| (p, s))).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, |n| n.get()) {
            scope.spawn(|| {
                while let Some((program, (arch, ranks))) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut command = Command::new(env!("CARGO_BIN_EXE_mgpu"));
                    let done =
                        command.args(["emit", "cubin", "--arch", arch, "-n", ranks]).arg(program).output().unwrap();
                    if !done.status.success() || !done.stdout.starts_with(b"\x7fELF") {
                        let why = String::from_utf8_lossy(&done.stderr).into_owned();
                        wrong.lock().unwrap().push(format!("{} for {arch}, {ranks} ranks: {why}", program.display()));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

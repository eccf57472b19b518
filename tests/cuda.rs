//! Every example's kernels compile for GPUs, with NVRTC and no GPU. `scripts/nvrtc.sh` brings NVRTC; without it the test says so
//! and passes, unless `MGPU_REQUIRE_NVRTC` is set.
#![cfg(feature = "cuda")]

use std::path::Path;
use std::process::Command;

#[test]
fn kernels_of_every_example_compile() {
    if let Err(why) = mgpu::runtime::device::cuda::nvrtc::present() {
        assert!(std::env::var_os("MGPU_REQUIRE_NVRTC").is_none(), "{why}");
        println!("skipped: {why}");
        return;
    }
    let mut wrong = vec![];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut programs: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    programs.retain(|p| p.extension().is_some_and(|e| e == "mgpu"));
    assert!(programs.len() > 10);
    // And the tiles of contractions of every kind.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    programs.extend(["kinds", "blocks", "sizes"].map(|n| root.join(format!("tests/suite/run/contraction/{n}.mgpu"))));
    programs.extend(["product", "product64", "training"].map(|n| root.join(format!("bench/{n}.mgpu"))));
    for program in programs {
        for (arch, ranks) in [("sm_80", "1"), ("sm_90", "1"), ("sm_90", "3")] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_mgpu"));
            let done = command.args(["emit", "cubin", "--arch", arch, "-n", ranks]).arg(&program).output().unwrap();
            if !done.status.success() || !done.stdout.starts_with(b"\x7fELF") {
                let why = String::from_utf8_lossy(&done.stderr).into_owned();
                wrong.push(format!("{} for {arch}, {ranks} ranks: {why}", program.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

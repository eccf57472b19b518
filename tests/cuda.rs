//! Every example's kernels compile for GPUs, with NVRTC and no GPU. `scripts/nvrtc.sh` brings NVRTC; without it the test says so
//! and passes, unless `MGPU_REQUIRE_NVRTC` is set.
#![cfg(feature = "cuda")]

use mgpu::codegen::cuda::scatter::{Order, Take, write};
use mgpu::codegen::cuda::{PRELUDE, common};
use mgpu::ir::kernel::BinaryOp::{Add, Div, Max, Min, Mul, Sub};
use mgpu::ir::ty::Ty;
use mgpu::runtime::device::cuda::nvrtc;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whether there is NVRTC.
fn present() -> bool {
    let known = nvrtc::present();
    if let Err(why) = &known {
        assert!(std::env::var_os("MGPU_REQUIRE_NVRTC").is_none(), "{why}");
        println!("skipped: {why}");
    }
    known.is_ok()
}

#[test]
fn kernels_of_every_example_compile() {
    if !present() {
        return;
    }
    let wrong = Mutex::new(vec![]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut programs: Vec<_> = std::fs::read_dir(root.join("examples")).unwrap().map(|e| e.unwrap().path()).collect();
    programs.retain(|p| p.extension().is_some_and(|e| e == "mgpu"));
    assert!(programs.len() > 10);
    // And the tiles of contractions of every kind.
    programs.extend(
        ["kinds", "blocks", "sizes", "tensor", "with_scatters"]
            .map(|n| root.join(format!("tests/suite/run/contraction/{n}.mgpu"))),
    );
    // Types of two bytes, complex numbers.
    let kinds = ["half/moves", "half/products", "half/sums", "complex/everywhere"];
    programs.extend(kinds.map(|n| root.join(format!("tests/suite/run/{n}.mgpu"))));
    programs.extend(["product", "product64", "training", "page_rank"].map(|n| root.join(format!("bench/{n}.mgpu"))));
    // Examples on both architectures and on several ranks; the others, which take the longest, on one rank or several.
    let settings = [("sm_80", "3"), ("sm_90", "1"), ("sm_90", "3")];
    let of = |p: &Path| &settings[..if p.starts_with(root.join("examples")) { 3 } else { 2 }];
    let work: Vec<_> = programs.iter().flat_map(|p| of(p).iter().map(move |s| (p, s))).collect();
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

#[test]
fn scatters_of_every_type_and_operation_compile() {
    if !present() {
        return;
    }
    let mut takes: Vec<Take> = vec![];
    let mut add = |take: Take| takes.iter().all(|t| *t != take).then(|| takes.push(take));
    for wide in [false, true] {
        let order = Order::Listed { wide };
        for ty in [Ty::I32, Ty::I64, Ty::U32, Ty::U64, Ty::F16, Ty::Bf16, Ty::F32, Ty::F64] {
            for op in [Add, Sub, Mul, Min, Max] {
                add(Take::new(ty, op, false, order));
                if ty.is_int() {
                    add(Take::new(ty, op, false, Order::Any));
                }
            }
            if ty.is_float() {
                add(Take::new(ty, Div, false, order));
            }
        }
        for (ty, op) in [(Ty::F32, Mul), (Ty::F32, Div), (Ty::F64, Mul), (Ty::F64, Div)] {
            add(Take::new(ty, op, true, order));
        }
    }
    // Signed and unsigned sums and products share kernels.
    assert_eq!(takes.len(), 14 + 2 * (14 + 24 + 4));
    let mut text = String::from(PRELUDE);
    write(&mut text, &takes);
    for arch in ["sm_80", "sm_90"] {
        let code = nvrtc::cubin(&text, arch, 0).unwrap_or_else(|why| panic!("{why}")).0;
        assert!(code.starts_with(b"\x7fELF"));
        // Every kernel is there under its name.
        for name in takes.iter().map(Take::name).chain(["mgpu_pick".to_string()]) {
            assert!(code.windows(name.len()).any(|w| w == name.as_bytes()), "{name}");
        }
    }
}

#[test]
fn what_devices_ask_for_is_in_the_text() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let has = |what: &str, text: &str, names: &[&str]| {
        for name in names {
            assert!(text.contains(&format!(" {name}(")), "{what} has no {name}");
        }
    };
    // What all programs share, and what those have of their own that run scalar code on the device.
    has("all", &common(), &["mgpu_copies", "mgpu_carry", "mgpu_set", "mgpu_finish", "mgpu_codes"]);
    let asked: [(&str, &[&str]); 2] = [
        ("bench/page_rank.mgpu", &["mgpu_take_f64_add", "mgpu_pick", "mgpu_finish", "mgpu_codes"]),
        ("bench/cg.mgpu", &["mgpu_again", "mgpu_codes", "mgpu_finish"]),
    ];
    for (program, names) in asked {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mgpu"));
        let done = command.args(["emit", "cuda", "-n", "2"]).arg(root.join(program)).output().unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        has(program, &text, names);
    }
}

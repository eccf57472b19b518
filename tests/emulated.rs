//! The templates of matrix products for GPUs on the CPU, without a GPU: every shape of tiles, every order of memory, as late and as
//! early as asynchronous copies may arrive, against the chains that define a product (`emulated/product.cpp`), and two products that
//! share a matrix (`emulated/pair.cpp`).

use mgpu::codegen::cuda::{contraction, pair};
use std::path::Path;
use std::process::Command;

#[test]
fn products_of_every_shape_are_their_chains() {
    if Command::new("c++").arg("--version").output().is_err() {
        println!("SKIPPED: there is no C++ compiler");
        return;
    }
    let text = include_str!("../src/codegen/cuda/contraction.cu");
    let start = text.find("/* Where elements of a panel lie").expect("the panels");
    let (first, last) =
        (text.find("/* c += a * b for 16 by 8").unwrap(), text.find("/* Results of f64 on tensor cores").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let templates = folder.path().join("templates.inc");
    // The tensor cores are the test's own.
    std::fs::write(&templates, format!("{}{}", &text[start..first], &text[last..])).unwrap();
    // Tensor cores have fewer panels under way where there is little shared memory.
    let mut shapes = contraction::shapes();
    let few = shapes.iter().filter(|s| s.0.starts_with("mg_tensors")).map(|s| (s.0.clone(), 2)).collect::<Vec<_>>();
    shapes.extend(few);
    let run = |(threads, stages): &(String, i64)| {
        let program = folder.path().join(format!("{}-{stages}", threads.replace(|c: char| !c.is_alphanumeric(), "_")));
        let mut compiler = Command::new("c++");
        compiler.args(["-std=c++17", "-O1", "-march=native", "-ffp-contract=off", "-w", "-o"]).arg(&program);
        compiler.arg(format!("-DTEMPLATES=\"{}\"", templates.display()));
        compiler.args([format!("-DSHAPE={threads}"), format!("-DPANELS={stages}")]);
        if threads.starts_with("mg_lines") {
            compiler.arg("-DALONG_ONLY");
        }
        let made =
            compiler.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulated/product.cpp")).output().unwrap();
        assert!(made.status.success(), "{threads}: {}", String::from_utf8_lossy(&made.stderr));
        let done = Command::new(&program).output().unwrap();
        assert!(done.status.success(), "{threads}, {stages} panels: {}", String::from_utf8_lossy(&done.stdout));
    };
    let (even, odd): (Vec<_>, Vec<_>) = shapes.iter().enumerate().partition(|(k, _)| k % 2 == 0);
    std::thread::scope(|s| {
        for half in [even, odd] {
            s.spawn(|| half.into_iter().for_each(|(_, shape)| run(shape)));
        }
    });
}

#[test]
fn pairs_of_products_are_their_chains() {
    if Command::new("c++").arg("--version").output().is_err() {
        println!("SKIPPED: there is no C++ compiler");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (templates, program) = (folder.path().join("templates.inc"), folder.path().join("pair"));
    let start = pair::PRELUDE.find("/* TERMS columns of x").expect("the template");
    std::fs::write(&templates, &pair::PRELUDE[start..]).unwrap();
    let made = Command::new("c++")
        .args(["-std=c++17", "-O1", "-march=native", "-ffp-contract=off", "-w", "-o"])
        .arg(&program)
        .arg(format!("-DTEMPLATES=\"{}\"", templates.display()))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulated/pair.cpp"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let done = Command::new(&program).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

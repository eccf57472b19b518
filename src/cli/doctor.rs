//! `mgpu doctor`

use clap::Args;

#[derive(Args, Clone)]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Says what this machine offers; gives the exit code.
pub fn doctor(args: &DoctorArgs) -> u8 {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let compiler = crate::runtime::device::native_cache::compiler().map(|c| c.path.display().to_string());
    let cache = crate::runtime::device::native_cache::folder().map(|p| p.display().to_string());
    let found = |name: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|d| d.join(name)).find(|p| p.is_file()).map(|p| p.display().to_string())
    };
    #[cfg(feature = "mpi")]
    let mpi = format!("built in: {}", super::launcher::library_name());
    #[cfg(not(feature = "mpi"))]
    let mpi = "not built in (feature `mpi`)";
    let host = crate::runtime::comm::host_name();
    let gpus = gpus();
    let links = match &gpus {
        Ok(list) if list.len() > 1 => links(list.len()),
        _ => Ok(vec![]),
    };
    if args.json {
        let v = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"), "cores": cores, "compiler": compiler.ok(), "kernel_cache": cache.ok(),
            "mpi": cfg!(feature = "mpi"), "mpirun": found("mpirun"), "srun": found("srun"),
            "host": host,
            "cuda": gpus.as_ref().is_ok_and(|g| !g.is_empty()), "gpus": gpus.unwrap_or_default().into_iter().map(|g| g.0).collect::<Vec<_>>(),
            "links": links.unwrap_or_default().into_iter().map(|l| l.0).collect::<Vec<_>>(),
        });
        println!("{v:#}");
        return 0;
    }
    let or = |r: Result<String, String>| r.unwrap_or_else(|why| format!("none: {why}"));
    println!("mgpu {}", env!("CARGO_PKG_VERSION"));
    println!("host          {host}");
    println!("cores         {cores}: `mgpu run` starts one rank each");
    println!("C compiler    {}", or(compiler));
    println!("kernel cache  {}", or(cache));
    println!("MPI           {mpi}");
    println!("mpirun        {}", found("mpirun").unwrap_or_else(|| "not found: ranks run as threads".into()));
    println!("srun          {}", found("srun").unwrap_or_else(|| "not found".into()));
    match gpus {
        Ok(list) if list.is_empty() => println!("GPUs          none: kernels run on the CPU"),
        Ok(list) => {
            for (k, (_, gpu)) in list.iter().enumerate() {
                println!("{:<14}{gpu}", if k == 0 { "GPUs" } else { "" });
            }
        }
        Err(why) => println!("GPUs          none: {why}"),
    }
    match links {
        Ok(links) => {
            for (k, (_, line)) in links.iter().enumerate() {
                println!("{:<14}{line}", if k == 0 { "messages" } else { "" });
            }
        }
        Err(why) => println!("messages      the GPUs could not be tried: {why}"),
    }
    0
}

/// How messages travel between the GPUs: a program of a line runs on all of them, which tries every pair.
#[cfg(feature = "cuda")]
fn links(gpus: usize) -> Result<Vec<(serde_json::Value, String)>, String> {
    use crate::runtime::device::cuda::{CudaEngine, Options};
    use crate::runtime::failure::Failure;
    use crate::runtime::launch::{Manner, run_threads};
    let mut session = super::compile::Session::new(super::MessageFormat::Human);
    let plan =
        session.plan_of("doctor.mgpu", "array u: f32[4096] in (block)\nworkflow main { u[i] = 1 }\n", gpus as i64);
    let plan = plan.ok_or("the program for it does not compile")?;
    let engine = CudaEngine::new(&plan, Options::default(), &|_| None)?;
    let root = crate::runtime::io::root::Root::open(std::env::temp_dir()).map_err(|e| e.message)?;
    let run = run_threads(&plan, &engine, &root, &mut std::io::sink(), Manner::default());
    run.map_err(|f| match f {
        Failure::Agreed(d) => d.message,
        Failure::Lost(why) | Failure::Device(why) | Failure::Internal(why) => why,
    })?;
    Ok(engine.links().iter().filter_map(|l| Some((serde_json::to_value(l).ok()?, l.to_string()))).collect())
}

#[cfg(not(feature = "cuda"))]
fn links(_: usize) -> Result<Vec<(serde_json::Value, String)>, String> {
    Ok(vec![])
}

/// What is known of every GPU that a run may take, and a line that says it, or why it can take none.
#[cfg(feature = "cuda")]
fn gpus() -> Result<Vec<(serde_json::Value, String)>, String> {
    use crate::runtime::device::cuda::{driver, nvrtc};
    let seen = driver::gpus()?;
    nvrtc::present()?;
    let both = |g: &driver::GpuInfo| Some((serde_json::to_value(g).ok()?, format!("{}: {g}", g.ordinal)));
    Ok(seen.iter().filter_map(both).collect())
}

#[cfg(not(feature = "cuda"))]
fn gpus() -> Result<Vec<(serde_json::Value, String)>, String> {
    Err("this mgpu was built without CUDA (feature `cuda`)".into())
}

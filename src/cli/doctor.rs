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
    if args.json {
        let v = serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"), "cores": cores, "compiler": compiler.ok(), "kernel_cache": cache.ok(),
            "mpi": cfg!(feature = "mpi"), "mpirun": found("mpirun"), "srun": found("srun"), "cuda": false,
        });
        println!("{v:#}");
        return 0;
    }
    let or = |r: Result<String, String>| r.unwrap_or_else(|why| format!("none: {why}"));
    println!("mgpu {}", env!("CARGO_PKG_VERSION"));
    println!("cores         {cores}: `mgpu run` starts one rank each");
    println!("C compiler    {}", or(compiler));
    println!("kernel cache  {}", or(cache));
    println!("MPI           {mpi}");
    println!("mpirun        {}", found("mpirun").unwrap_or_else(|| "not found: ranks run as threads".into()));
    println!("srun          {}", found("srun").unwrap_or_else(|| "not found".into()));
    println!("GPU           not used by this version; kernels run on the CPU");
    0
}

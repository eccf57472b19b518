//! The command `mgpu`.

fn main() -> std::process::ExitCode {
    mgpu::runtime::startup::ended("process");
    mgpu::cli::main()
}

//! The command `mgpu`.

fn main() -> std::process::ExitCode {
    mgpu::cli::main()
}

//! The `flockc` binary.

fn main() -> std::process::ExitCode {
    flock::cli::main()
}

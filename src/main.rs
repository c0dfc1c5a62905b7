//! The command. Everything is in the library, so that a crate with steps of its own can have one.

fn main() -> std::process::ExitCode {
    fotalab::cli::main()
}

//! `features/`, each scenario one test.

fn main() -> std::process::ExitCode {
    fotalab::harness(&["features"])
}

//! fotalab: a conformance lab for firmware over the air.
//!
//! A Markdown scenario says what an update must look like from every side; fotalab starts the
//! server under test (or points at somebody else's), mocks the cloud upstream, drives both and
//! shows the evidence. `README.md` says how to use it, `ARCHITECTURE.md` where things are.
//!
//! A crate that adds steps of its own writes them with cucumber's macros over [`Lab`] and runs
//! its features from `cargo test` with [`harness`].

mod air;
pub mod cli;
pub mod conform;
mod harness;
pub mod plan;
pub mod report;
pub mod run;
pub mod scenario;
pub mod steps;
pub mod target;
pub mod trace;

pub use harness::harness;
pub use run::{Lab, Mismatch, StepError, StepResult};

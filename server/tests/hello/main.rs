//! Both generations of the hello.nrfcloud API, as somebody outside sees them, on the virtual
//! network. Expected values come from the contract, not from what the server says.

mod cloud;
mod job_executions;
mod jobs;
mod rest;
mod restart;
#[path = "../support/mod.rs"]
mod support;
mod websocket;

/// The base of the first generation.
const G1: &str = "/hello/job-executions";
/// The base of the second.
const G2: &str = "/hello/jobs";

/// The path below a device's updates.
fn fota(rest: &str) -> String {
    format!("/device/{}/fota/{rest}", support::DEVICE)
}

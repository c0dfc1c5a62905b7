//! A simulated device against a scripted CoAP peer, on virtual time and without a socket. Tests
//! are named after the rows of the contract, section 3.

mod blocks;
mod core_objects;
mod hostile;
mod management;
mod objects;
mod pull;
mod reporting;
mod rig;
mod update;

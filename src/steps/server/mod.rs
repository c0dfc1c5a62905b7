//! The server under test, asked through its adapter: updates, operations on a device.

mod operation;
mod update;

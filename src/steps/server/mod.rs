//! The server under test, asked through its adapter: updates, operations on a device, what it knows
//! of one.

mod knows;
mod operation;
mod update;

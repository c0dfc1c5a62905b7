//! The server under test, asked through its adapter: updates, operations on a device, what it knows
//! of one, what it tells.

mod knows;
mod operation;
mod tells;
mod update;

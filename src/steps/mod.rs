//! The vocabulary: one file per subject, each sentence with its catalogue entry above it.

mod context;
mod device;
pub mod matching;
mod rest;
mod schemas;
mod time;
mod upstream;
mod websocket;

//! The vocabulary: one file per subject, each sentence with its catalogue entry above it.

mod context;
mod device;
mod image;
pub mod matching;
mod rest;
mod schemas;
mod server;
mod time;
mod upstream;
mod websocket;

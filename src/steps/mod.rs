//! The vocabulary: one file per subject, each sentence with its catalogue entry above it.

mod context;
mod device;
mod image;
mod link;
pub mod matching;
mod peer;
mod rest;
mod schemas;
mod server;
mod spoof;
mod time;
mod upstream;
mod websocket;
mod wire;

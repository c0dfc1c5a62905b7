//! The FOTA server of fotalab: devices, updates and the vendor APIs over one engine.
//!
//! ```no_run
//! # async fn example() -> Result<(), fotalab_server::StartError> {
//! use fotalab_wire::net::{Clock, Sockets};
//! let config = fotalab_server::Config::for_scenarios("admin-token".into(), 1);
//! let server = fotalab_server::start(config, std::sync::Arc::new(Sockets), Clock::of_machine());
//! let server = server.await?;
//! println!("{}", serde_json::Value::from(server.context()));
//! server.stop().await;
//! # Ok(()) }
//! ```
//!
//! A request walks `api` (a face: its own JSON, to and from the core) -> `core` (devices and the
//! update engine, no I/O) -> `driver` (does what the core wants done) -> `upstream`, and what comes
//! back walks the same way to the faces' listeners.

mod air;
mod api;
mod config;
mod core;
mod driver;
mod feed;
mod images;
mod limits;
mod live;
mod lwm2m;
mod mqtt;
mod remember;
mod reports;
mod restore;
mod server;
mod start;
mod store;
mod tasks;
mod upstream;

pub use config::{Config, Fields, HordeSettings, Storage, Timing, Tokens};
pub use start::{Running, StartError, start};
pub use store::{DataError, Memory};

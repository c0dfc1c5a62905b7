//! Devices in a world: one socket for all of them, one heap for their timers.
//!
//! [`Fleet`] has no I/O either; [`Driver`] gives it a socket and a clock, real or virtual.

mod driver;
mod esp32;
mod fleet;
mod http;
#[cfg(feature = "dtls")]
mod secure;
#[cfg(not(feature = "dtls"))]
#[path = "insecure.rs"]
mod secure;

pub use self::driver::{Bind, Driver};
pub use self::fleet::{Census, Fleet, Told};
pub use self::secure::Psk;

//! Devices in a world: one socket for all of them, one heap for their timers.
//!
//! [`Fleet`] has no I/O either; [`Driver`] gives it a socket and a clock, real or virtual.

mod driver;
mod esp32;
mod fleet;
mod http;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(not(feature = "mqtt"))]
#[path = "no_mqtt.rs"]
mod mqtt;
#[cfg(feature = "dtls")]
mod secure;
#[cfg(not(feature = "dtls"))]
#[path = "insecure.rs"]
mod secure;

pub use self::driver::{Bind, Driver};
pub use self::fleet::{Census, Fleet, Tap, Told};
pub use self::mqtt::Mqtt;
pub use self::secure::Psk;

/// Takes the secrets of DTLS sessions, as lines of an NSS key log. Whoever has a line can read its
/// session.
#[derive(Clone)]
pub struct KeyLog(pub std::sync::Arc<dyn Fn(&str) + Send + Sync>);

impl std::fmt::Debug for KeyLog {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("KeyLog").finish_non_exhaustive()
    }
}

//! One simulated LwM2M device without I/O: it really receives the bytes of its firmware, checks
//! them, restarts, and comes back with the new version.

pub mod fault;
pub mod firmware;
pub mod identity;
pub mod persona;
mod slot;

pub use self::fault::{Fault, Faults};
pub use self::firmware::{Firmware, State, Step, UpdateResult};
pub use self::identity::Identity;
pub use self::persona::Persona;
pub use self::slot::Package;

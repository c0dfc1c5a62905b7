//! Devices and updates, the things all faces speak of. No I/O, no clock: time and answers are
//! arguments, what has to happen is returned.

pub(crate) mod campaigns;
pub(crate) mod devices;
pub(crate) mod firmware;
pub(crate) mod groups;
pub(crate) mod horde;
pub(crate) mod inventory;
pub(crate) mod iotaap;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod owners;
pub(crate) mod resources;
pub(crate) mod shadow;
pub(crate) mod targets;
pub(crate) mod tasks;
pub(crate) mod time;
pub(crate) mod ulid;
pub(crate) mod updates;
pub(crate) mod upgrade_path;
pub(crate) mod version;

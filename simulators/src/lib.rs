//! What stands around a FOTA server.

pub mod cloud;
pub mod device;
pub mod limits;

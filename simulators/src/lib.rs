//! What stands around a FOTA server.

pub mod cloud;
pub mod limits;

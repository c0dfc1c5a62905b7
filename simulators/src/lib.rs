//! What stands around a FOTA server.

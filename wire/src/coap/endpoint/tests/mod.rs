//! The rules of RFC 7252, 7641 and 7959, each from its text, between two endpoints.

mod any;
mod blocks;
mod hostile;
mod observe;
mod reliability;
mod rig;
mod transfers;

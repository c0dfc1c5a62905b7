//! Fleets against servers made for the purpose: on the sockets of a virtual world, and each fault
//! over UDP and DTLS.

mod faults;
mod fleet;
mod host;
mod lab;
mod sessions;

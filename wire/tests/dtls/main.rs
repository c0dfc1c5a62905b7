//! DTLS on a virtual network: two ends, a clock that only moves when told, no sleeps.

mod handshake;
mod hostile;
mod rig;
mod sessions;

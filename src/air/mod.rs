//! The air room of a laboratory: simulated devices, scripted peers, the links between them and
//! the server, and everything that crosses.
//!
//! - `setup` reads what a device is from a code block, `drive` runs them all in one task.
//! - `link` is what datagrams cross in both worlds: it harms them by `conditions`, drops what a
//!   rule says, and shows every one to the `watch`.
//! - `watch` keeps the [`Crossing`]s, knows whose they are, and puts them on the timeline (`show`).
//! - `notation` is how scenarios write CoAP messages, `peer` a scripted one that sends them.

mod conditions;
mod crossing;
mod drive;
mod drops;
pub(crate) mod limits;
mod link;
pub(crate) mod notation;
mod party;
mod peer;
mod room;
mod setup;
mod show;
mod url;
mod watch;

pub(crate) use self::{
    conditions::Way,
    crossing::Crossing,
    drive::Devices,
    party::Tally,
    peer::{LabParts, Peer},
    room::{Air, Known, add, glob},
    setup::{BLUEPRINT, Blueprint, Security, read as read_blueprint, unhex},
    show::{coap, hex},
    url::server_of,
};
pub(crate) use crate::trace::Outcome;

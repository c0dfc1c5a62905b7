//! Every limit of the air room, by name.

/// Datagrams that one laboratory remembers with their bytes; the oldest go first, and what then
/// asks about all of them says so.
pub(crate) const CROSSINGS: usize = 50_000;
/// Datagrams that a group's timeline shows; later ones are counted, so that a fleet leaves room
/// for everybody else's messages.
pub(crate) const SHOWN_CROSSINGS: usize = 400_000;
/// Bytes of a payload that the timeline shows, in hexadecimal digits twice as many.
pub(crate) const SHOWN_PAYLOAD_BYTES: usize = 256;
/// The same for one block of a longer body, where nobody asks for it: mostly it is firmware, and a
/// capture (`--capture`) has every byte.
pub(crate) const SHOWN_BLOCK_BYTES: usize = 32;
/// Bytes of a raw datagram that the timeline shows.
pub(crate) const SHOWN_RAW_BYTES: usize = 1_280;
/// Requests of one device or peer whose answers are still recognised as theirs.
pub(crate) const ASKED: usize = 64;
/// Datagrams of one path that a later one is compared with, to say that it is a retransmission.
pub(crate) const RECENT: usize = 64;
/// Sealed datagrams whose plaintext is remembered until the link has seen them, and the reverse.
pub(crate) const SEALED: usize = 4_096;
/// Devices that one step makes.
pub(crate) const DEVICES: usize = 100_000;
/// The largest firmware image that a step makes, in bytes.
pub(crate) const IMAGE_BYTES: u64 = 64 * 1024 * 1024;
/// Rules of a link that drop messages.
pub(crate) const DROPS: usize = 1_000;
/// Messages that a peer keeps; the oldest go first.
pub(crate) const RECEIVED: usize = 10_000;
/// Answers that a peer has ready.
pub(crate) const ANSWERS: usize = 1_000;
/// Messages that one selection by JSONata takes.
pub(crate) const SELECTED: usize = 2_000;

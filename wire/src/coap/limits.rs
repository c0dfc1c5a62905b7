//! Every bound of this package's CoAP, and what happens at it.
//!
//! A peer decides what it sends; these numbers decide what that may cost us.

use std::time::Duration;

/// Peers of one endpoint. At it a newcomer takes the place of a peer about which nothing but its
/// recent message ids is remembered; [`EVICTION_PROBES`] says how hard one is looked for. If there
/// is none, the newcomer's datagram is dropped and counted, and a command refused.
pub const PEERS_MAX: usize = 131_072;

/// Peers about which nothing but their recent message ids is remembered. At it a newcomer takes the
/// place of one of them: whoever forges addresses costs no more than this.
pub const IDLE_PEERS_MAX: usize = 32_768;

/// Peers looked at, in a round over the table, to find one that may go.
pub const EVICTION_PROBES: usize = 16;

/// Messages whose id is remembered per peer (RFC 7252 4.5), the oldest forgotten first. With
/// NSTART 1 a duplicate would have to be 32 exchanges late to be taken for a new message.
pub const SEEN_PER_PEER: usize = 32;

/// Answers to safe requests (GET, FETCH) kept per peer to be replayed. Older ones are forgotten:
/// RFC 7252 4.5 allows to process a safe request again, and a kilobyte a block adds up.
pub const SAFE_REPLAYS_PER_PEER: usize = 2;

/// Answers to safe requests kept by one endpoint, the oldest forgotten first.
pub const SAFE_REPLAYS_MAX: usize = 16_384;

/// Requests to one peer that are not answered yet, observations included; then refused.
pub const REQUESTS_PER_PEER: usize = 128;

/// Messages that wait for NSTART at one peer: room for each request, separate response and
/// notification; then pings are refused and what else comes counts as not delivered.
pub const QUEUE_PER_PEER: usize = 256;

/// Requests of one peer that the application has not answered yet; then 5.03.
pub const EXCHANGES_PER_PEER: usize = 32;

/// Observations that one peer holds with us; then its request is answered without Observe
/// (RFC 7641 4.1).
pub const OBSERVERS_PER_PEER: usize = 64;

/// Bodies that one peer sends us by Block1 at the same time; the least recently used is abandoned.
pub const BODIES_PER_PEER: usize = 4;

/// Message ids of the last notifications of an observation, by which a Reset finds it.
pub const NOTIFICATION_IDS: usize = 4;

/// A body that is put together in memory, unless its limit says less.
pub const WHOLE_BODY_MAX: usize = 64 * 1024;

/// How often a download starts again because its ETag changed (RFC 7959 2.4).
pub const DOWNLOAD_RESTARTS_MAX: u8 = 4;

/// How often a block is asked for again because another one came.
pub const WRONG_BLOCKS_MAX: u8 = 3;

/// How often an upload starts again after 4.08 or a 4.13 that asks for smaller blocks.
pub const UPLOAD_RESTARTS_MAX: u8 = 3;

/// Peers whose timers one call of `handle_timeout` serves; `poll_timeout` then says "now".
pub const TIMEOUTS_PER_CALL: usize = 4_096;

/// Bytes of bodies that one endpoint puts together at the same time, what each costs beside its bytes
/// included; above it the oldest is abandoned, and its next block answered by 4.08.
pub const COLLECTED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a body that is put together counts beside its bytes.
pub const COLLECTED_BODY_BYTES: usize = 512;

/// Bodies whose age is kept, completed ones included until the list is swept.
pub const COLLECTING_MAX: usize = 65_536;

/// Longest datagram that is taken or made: a UDP payload.
pub const DATAGRAM_MAX: usize = 65_507;

/// MAX_RETRANSMIT that is accepted; the derived times grow with its power of two.
pub const MAX_RETRANSMIT_MAX: u32 = 10;

/// The longest ACK_TIMEOUT that is accepted.
pub const ACK_TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// A notification is confirmable when the last confirmed one is this old (RFC 7641 4.5).
pub const CONFIRM_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// A notification is confirmable after this many that were not.
pub const CONFIRM_EVERY_COUNT: u32 = 32;

//! Every limit of the server, in one place: sizes, counts and times nobody may exceed.

use std::time::Duration;

/// Largest request body a face reads, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 256 * 1024;
/// Bodies up to this size are always read; larger ones share [`LARGE_BODIES_BYTES`].
pub(crate) const SMALL_BODY_BYTES: usize = 8 * 1024;
/// Bytes that all larger request bodies together may hold while they arrive.
pub(crate) const LARGE_BODIES_BYTES: usize = 64 * 1024 * 1024;
/// Time for a request body to arrive whole.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a request head to arrive, and the idle time between two requests.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// HTTP connections (websockets not counted) open at once.
pub(crate) const MAX_CONNECTIONS: usize = 8_192;

/// Devices the server knows at most.
pub(crate) const MAX_DEVICES: usize = 250_000;
/// Upstream accounts the server knows at most.
pub(crate) const MAX_ACCOUNTS: usize = 1_000;
/// Longest device id, account name, fingerprint, model and the like.
pub(crate) const MAX_NAME_BYTES: usize = 256;
/// Groups one device may be in.
pub(crate) const MAX_GROUPS: usize = 64;
/// Longest URL or API key of an upstream account.
pub(crate) const MAX_SECRET_BYTES: usize = 4_096;

/// Updates kept per device; the oldest ended one makes room.
pub(crate) const MAX_UPDATES_PER_DEVICE: usize = 50;
/// Jobs a list shows (contract 1.4).
pub(crate) const MAX_LISTED_JOBS: usize = 10;
/// Keys of one upgrade path.
pub(crate) const MAX_UPGRADE_STEPS: usize = 64;
/// An update ends after this time, and its record is dropped (contract 1.4, 2.3).
pub(crate) const UPDATE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3_600);
/// An update that ended late is still shown for this long.
pub(crate) const ENDED_SHOWN: Duration = Duration::from_secs(24 * 3_600);
/// How long upstream may not know a job before it counts as lost (contract 2.4).
pub(crate) const LOST_AFTER: Duration = Duration::from_secs(24 * 3_600);
/// An upstream job older than this is asked for at most once a [`SETTLED_INTERVAL`].
pub(crate) const YOUNG_JOB: Duration = Duration::from_secs(3_600);
/// The interval for upstream jobs that are not young any more.
pub(crate) const SETTLED_INTERVAL: Duration = Duration::from_secs(60);
/// Failing polls double their interval this often.
pub(crate) const MAX_BACKOFF_DOUBLINGS: u32 = 3;

/// Largest answer taken from upstream, in bytes.
pub(crate) const MAX_UPSTREAM_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// Calls to one upstream account at once.
pub(crate) const MAX_UPSTREAM_CALLS: usize = 16;
/// Time for one upstream call, waiting for its turn included.
pub(crate) const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(10);
/// Characters of an upstream answer that an error repeats.
pub(crate) const MAX_QUOTED_CHARS: usize = 300;
/// Pages of a bundle list that are followed.
pub(crate) const MAX_BUNDLE_PAGES: usize = 50;
/// Devices asked for in one shadow request (contract 3.6).
pub(crate) const MAX_SHADOWS_PER_CALL: usize = 50;
/// Shadow requests at once, over all accounts (contract 3.6).
pub(crate) const MAX_SHADOW_CALLS: usize = 3;
/// Largest shadow kept for a device, as JSON text in bytes.
pub(crate) const MAX_SHADOW_BYTES: usize = 64 * 1024;
/// At a POST, a stored shadow older than this is asked for again; the stored one is the fallback.
pub(crate) const SHADOW_STALE: Duration = Duration::from_secs(60);

/// Websockets open at once.
pub(crate) const MAX_WEBSOCKETS: usize = 4_096;
/// Websockets open at once for one device.
pub(crate) const MAX_WEBSOCKETS_PER_DEVICE: usize = 2_048;
/// Messages that may wait for one websocket; one more and it is dropped.
pub(crate) const WEBSOCKET_QUEUE: usize = 64;
/// Largest message taken from a websocket client, in bytes.
pub(crate) const MAX_WEBSOCKET_MESSAGE_BYTES: usize = 32 * 1024;
/// Buffer per websocket and direction, in bytes; the default of the library is 128 KiB.
pub(crate) const WEBSOCKET_BUFFER_BYTES: usize = 4 * 1024;
/// What a websocket holds that its peer does not read; above the largest message.
pub(crate) const MAX_WEBSOCKET_UNSENT_BYTES: usize = 4 * 1024 * 1024;

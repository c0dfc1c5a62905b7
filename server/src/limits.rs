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

/// Firmware updates over the air kept per device; the oldest ended one makes room.
pub(crate) const MAX_FIRMWARE_UPDATES_PER_DEVICE: usize = 20;
/// Entries of the history of one such update; what comes later is only counted.
pub(crate) const MAX_HISTORY: usize = 200;
/// Transfers that are tried again after result 3 or 4, a broken push or a lost download: where a fifth
/// of all datagrams is lost, a third of the pushes of 64 KiB break.
pub(crate) const MAX_FIRMWARE_RETRIES: u32 = 5;
/// The same after result 8.
pub(crate) const MAX_INSTALL_RETRIES: u32 = 1;
/// Resets without effect before an update fails.
pub(crate) const MAX_RESETS: u32 = 3;
/// How often Update is executed when the device shows that it never got it.
pub(crate) const MAX_EXECUTES: u32 = 3;
/// Registrations after Execute that are looked at; one more is a boot loop (X-FW-S29).
pub(crate) const MAX_BOOTS: u32 = 5;
/// Between two looks at a device that should tell by itself (contract 1.6, 4).
pub(crate) const FIRMWARE_POLL: Duration = Duration::from_secs(30);
/// The same where it is looked at whenever it gives a sign of life.
pub(crate) const UPLINK_POLL: Duration = Duration::from_secs(60);
/// Before a device that did not answer is asked again.
pub(crate) const SILENCE_PAUSE: Duration = Duration::from_secs(30);
/// The longest Max-Age of a 5.03 that is waited out (RFC 7252 5.9.3.4).
pub(crate) const BUSY_PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// Before a transfer is tried again; doubles each time.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_secs(10);
/// For a device to come and say that it is there.
pub(crate) const QUEUED_DEADLINE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// For one transfer.
pub(crate) const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(6 * 3_600);
/// From Execute to the device's return (X-FW-S24).
pub(crate) const INSTALL_DEADLINE: Duration = Duration::from_secs(3_600);
/// From a deferral to the end of patience (X-FW-S28).
pub(crate) const DEFER_DEADLINE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// After a restart of the server, the time that a device has at least to be heard.
pub(crate) const RESTART_GRACE: Duration = Duration::from_secs(15 * 60);
/// The longest Maximum Defer Period of a device that is waited out (/5/0/13).
pub(crate) const MAX_DEFER: Duration = Duration::from_secs(90 * 24 * 3_600);
/// After success, the time in which an old version counts as a rollback (contract 1.6, 8).
pub(crate) const SOAK: Duration = Duration::from_secs(300);

/// Documents that may wait to be written; with more, devices are told to register later (5.03).
pub(crate) const STORE_QUEUE: usize = 65_536;
/// How long changes are gathered before they are written as one, if nobody waits for them.
#[cfg(feature = "sqlite")]
pub(crate) const STORE_GATHER: Duration = Duration::from_millis(5);
/// Pages of 4 KiB that the write-ahead log holds before they go into the database: each goes there
/// once, however often it was written.
#[cfg(feature = "sqlite")]
pub(crate) const STORE_LOG_PAGES: i64 = 8_192;
/// Memory for pages of the database, for each of its two connections.
#[cfg(feature = "sqlite")]
pub(crate) const STORE_CACHE_KIB: i64 = 16 * 1_024;
/// Between two attempts to write.
#[cfg(feature = "sqlite")]
pub(crate) const STORE_RETRY: Duration = Duration::from_secs(1);
/// Attempts to write when the server ends.
#[cfg(feature = "sqlite")]
pub(crate) const STORE_LAST_ATTEMPTS: u32 = 3;
/// How long an answer waits for what it says to be safe.
pub(crate) const STORE_ANSWER: Duration = Duration::from_secs(10);
/// How long the end of a server waits for what it knows to be safe.
pub(crate) const STORE_STOP: Duration = Duration::from_secs(10);

/// Largest firmware image in memory, in bytes.
pub(crate) const MAX_IMAGE_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of memory that all images together may take.
pub(crate) const MAX_IMAGES_BYTES: usize = 256 * 1024 * 1024;
/// Largest firmware image on disk, in bytes: what block numbers of 20 bits reach at 1,024 bytes a
/// block (RFC 7959 2.2).
#[cfg(feature = "sqlite")]
pub(crate) const MAX_STORED_IMAGE_BYTES: u64 = 1 << 30;
/// Bytes of disk that all images together may take.
#[cfg(feature = "sqlite")]
pub(crate) const MAX_STORED_IMAGES_BYTES: u64 = 64 << 30;
/// An image on disk is read and written in pieces of this many bytes.
pub(crate) const CHUNK_BYTES: u64 = 256 * 1024;
/// Bytes of memory for pieces of images on disk.
pub(crate) const CHUNKS_BYTES: usize = 32 * 1024 * 1024;
/// Blocks that devices may wait for while pieces are read; one more is answered with 5.03.
pub(crate) const MAX_WAITING_BLOCKS: usize = 16_384;
/// Images kept at most.
pub(crate) const MAX_IMAGES: usize = 1_024;
/// Time for an image to arrive whole.
pub(crate) const IMAGE_TIMEOUT: Duration = Duration::from_secs(300);

/// Registrations over the air at once.
pub(crate) const MAX_REGISTRATIONS: usize = 131_072;
/// Objects and instances of a registration that are always taken.
pub(crate) const SHORT_LIST: usize = 128;
/// Objects and instances that all longer lists together may have; each takes about 100 bytes.
pub(crate) const LONG_LISTS: usize = 131_072;
/// Operations that may wait for one device.
pub(crate) const MAX_OPERATIONS_PER_DEVICE: usize = 32;
/// A registration outlives its lifetime by this: MAX_TRANSMIT_WAIT (contract 2.1).
pub(crate) const LIFETIME_GRACE: Duration = Duration::from_secs(93);
/// A device in queue mode listens this long after its last message (contract 2.2).
pub(crate) const AWAKE: Duration = Duration::from_secs(93);
/// From the answer to Register to the first request (contract 2.1).
pub(crate) const AFTER_REGISTER: Duration = Duration::from_millis(50);
/// When a device that is turned away for now may register (Max-Age of 5.03).
pub(crate) const REGISTER_LATER: Duration = Duration::from_secs(10);
/// Largest payload of Register, Update and Send, in bytes.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 64 * 1024;
/// Observations held with one device.
pub(crate) const MAX_OBSERVATIONS: usize = 32;
/// Paths of one composite operation.
pub(crate) const MAX_COMPOSITE_PATHS: usize = 64;
/// How long `POST .../operations` waits for the device, unless it says so itself.
pub(crate) const OPERATION_TIMEOUT: Duration = Duration::from_secs(25);
/// The longest it may ask for.
pub(crate) const MAX_OPERATION_TIMEOUT: Duration = Duration::from_secs(600);
/// Open `GET /events` at once.
pub(crate) const MAX_EVENT_LISTENERS: usize = 64;
/// Events that may wait for one listener; one more and it is dropped.
pub(crate) const EVENT_QUEUE: usize = 1_024;

/// Members of a campaign that are updated at once, unless its account says otherwise.
pub(crate) const CAMPAIGN_IN_FLIGHT: usize = 100;
/// Most that an account may say.
pub(crate) const MAX_CAMPAIGN_IN_FLIGHT: usize = 100_000;
/// Updates of one account under way at once that ask for a share of the quota.
pub(crate) const QUOTA: usize = 1_000;
/// Tokens that were given for passwords and have not expired.
pub(crate) const MAX_ISSUED_TOKENS: usize = 10_000;
/// How long such a token is valid.
pub(crate) const ISSUED_TOKEN: Duration = Duration::from_secs(300);
/// Tasks that may wait for one device.
pub(crate) const MAX_OPEN_TASKS_PER_DEVICE: usize = 256;
/// Tasks kept of one device, and of one group; the oldest ended one makes room.
pub(crate) const MAX_TASKS_PER_SCOPE: usize = 1_000;
/// Longest summary of a report, in characters (contract 1).
pub(crate) const MAX_SUMMARY_CHARS: usize = 9_999;
/// Operations of one task.
pub(crate) const MAX_OPERATIONS_PER_TASK: usize = 1_000;
/// Values remembered of one device.
pub(crate) const MAX_CACHED_VALUES: usize = 256;
/// Longest value remembered, as text in bytes.
pub(crate) const MAX_CACHED_BYTES: usize = 1_024;
/// Groups that somebody made, over all accounts.
pub(crate) const MAX_OWN_GROUPS: usize = 100_000;
/// Resources, over all accounts.
pub(crate) const MAX_RESOURCES: usize = 100_000;
/// Properties of a device or resource.
pub(crate) const MAX_PROPERTIES: usize = 256;
/// Lists of reports that somebody pages through.
pub(crate) const MAX_REPORT_CURSORS: usize = 1_024;
/// An extended lifetime outlasts the update by this.
pub(crate) const LIFETIME_MARGIN: Duration = Duration::from_secs(60);
/// Longest package URI, in bytes (contract 1.1 of LwM2M).
pub(crate) const MAX_PACKAGE_URI: usize = 255;
/// Collections, and IoTaaP groups, at most.
pub(crate) const MAX_COLLECTIONS: usize = 10_000;
/// Devices of one collection.
pub(crate) const MAX_MEMBERS: usize = 100_000;
/// Tags of one resource.
pub(crate) const MAX_TAGS: usize = 64;
/// Longest value of a tag.
pub(crate) const MAX_TAG_BYTES: usize = 1_024;
/// API tokens of one account.
pub(crate) const MAX_TOKENS: usize = 64;
/// Longest text part of a form, in bytes.
pub(crate) const MAX_FORM_TEXT_BYTES: usize = 8 * 1024;
/// Text parts of a form.
pub(crate) const MAX_FORM_FIELDS: usize = 32;
/// How long a token of a login is good (contract B1).
pub(crate) const LOGIN_TIME: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Digits of an IMEI or IMSI that an endpoint name has in it, at least.
pub(crate) const MIN_NUMBER_DIGITS: usize = 6;
/// For one answer of a device under a target (contract A7: 30 s).
pub(crate) const TARGET_REQUEST_TIME: Duration = Duration::from_secs(30);
/// For a device under a target to fetch its image, from the beginning of the update on (contract A7).
pub(crate) const TARGET_DOWNLOAD_TIME: Duration = Duration::from_secs(3_600);
/// From the last block of such a fetch to Execute: the device may not have noticed yet (Horde looks
/// every 5 s).
pub(crate) const TARGET_EXECUTE_PAUSE: Duration = Duration::from_secs(5);

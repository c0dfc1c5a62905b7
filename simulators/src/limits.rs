//! Every limit of this package, so that no peer and no scenario can exhaust the process.

use std::time::Duration;

/// Answers that one cloud holds at once.
pub const QUEUED_ANSWERS: usize = 10_000;
/// Bytes of headers and bodies over all queued answers of one cloud.
pub const QUEUED_BYTES: usize = 64 * 1024 * 1024;
/// Used-up answers that are remembered, to say why a call found nothing.
pub const SPENT_ANSWERS: usize = 256;

/// Calls that one cloud's journal keeps; the oldest go first.
pub const JOURNAL_CALLS: usize = 10_000;
/// Bytes that one cloud's journal keeps, requests and answers together; the oldest go first.
pub const JOURNAL_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of one request's body that the journal keeps; the rest is cut off and said so.
pub const JOURNAL_BODY_BYTES: usize = 1024 * 1024;

/// Differences that one comparison lists.
pub const DIFFERENCES: usize = 32;
/// Compiled size of one `/regex/` in a query.
pub const REGEX_BYTES: usize = 256 * 1024;

/// Connections that one cloud's front serves at once; more wait in the backlog.
pub const FRONT_CONNECTIONS: usize = 1_024;
/// Largest head of a request to a front.
pub const REQUEST_HEAD_BYTES: usize = 64 * 1024;
/// Headers of one request to a front.
pub const REQUEST_HEADERS: usize = 128;
/// Largest body of a request to a front; a larger one gets 413.
pub const REQUEST_BODY_BYTES: usize = 16 * 1024 * 1024;
/// Time for a client of a front to send its whole request.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);

/// Requests after which a wiremock server is replaced, since it keeps all it has matched.
pub const WIREMOCK_REQUESTS: usize = 1_000;
/// Bytes of requests after which a wiremock server is replaced.
pub const WIREMOCK_BYTES: usize = 16 * 1024 * 1024;
/// Time for a client of a front to take the next piece of a response.
pub const RESPONSE_PIECE_TIME: Duration = Duration::from_secs(30);
/// Time that a closed connection still takes what its client sends, so that no reset destroys
/// the response on its way.
pub const LINGER_TIME: Duration = Duration::from_secs(1);

/// Characters of a text that is no fault which its error repeats.
pub const FAULT_TEXT: usize = 80;
/// Bytes of a persona file.
pub const PERSONA_BYTES: usize = 256 * 1024;
/// States that a device's update history keeps; the oldest go first.
pub const HISTORY_STEPS: usize = 256;
/// Longest package URI (object 5, resource 1).
pub const URI_BYTES: usize = 255;
/// Peers of one device: its server, and where it fetches packages.
pub const DEVICE_PEERS: usize = 8;
/// NSTART of a persona; 1 is what RFC 7252 4.7 wants.
pub const NSTART_MAX: usize = 16;
/// Instances of one object that a server may have created.
pub const INSTANCES: usize = 32;
/// Attributes that a server may have written, in nodes that have some.
pub const ATTRIBUTED_NODES: usize = 128;
/// Sends of one device that wait for its registration; the oldest go first.
pub const SENDS_WAITING: usize = 16;
/// Copies of a request that a device makes by its fault.
pub const REQUEST_COPIES: u32 = 8;
/// Values of a device's objects that a server may write, in bytes of one request.
pub const WRITE_BYTES: usize = 64 * 1024;
/// First wait after a registration that failed; it doubles.
pub const REGISTER_AGAIN: Duration = Duration::from_secs(5);
/// Longest wait after a registration that failed.
pub const REGISTER_AGAIN_MAX: Duration = Duration::from_secs(600);
/// How long before the end of its lifetime a registration is updated: MAX_TRANSMIT_WAIT.
pub const UPDATE_MARGIN: Duration = Duration::from_secs(93);
/// Datagrams of one device that wait for its DTLS handshake.
pub const WAITING_FOR_HANDSHAKE: usize = 8;
/// DTLS sessions of one device with others than its server; the oldest goes first.
pub const FILE_SERVER_SESSIONS: usize = 2;
/// Devices whose timers one call of a fleet's `handle_timeout` serves.
pub const DEVICES_PER_CALL: usize = 1_024;
/// Events of a fleet that nobody has asked for yet; the oldest go first.
pub const FLEET_EVENTS: usize = 65_536;
/// Devices of one fleet, all with an address of 127/8 of their own.
pub const FLEET_DEVICES: usize = 1_000_000;
/// Sockets of one fleet whose server is not on this machine: one for each device, and a process
/// may have only so many files.
pub const FLEET_SOCKETS: usize = 1_000;
/// Messages of a device that wait for its MQTT broker.
#[cfg(feature = "mqtt")]
pub const MQTT_QUEUE: usize = 64;
/// Between two signs of life to the broker.
#[cfg(feature = "mqtt")]
pub const MQTT_KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Between two words about how a device is.
#[cfg(feature = "mqtt")]
pub const MQTT_STATUS: Duration = Duration::from_secs(5);
/// Longest answer to which version a device of IoTaaP should run.
pub const LATEST_BYTES: usize = 128;
/// Time for one HTTP request of a device, its answer included.
pub const HTTP_TIME: Duration = Duration::from_secs(300);
/// Largest package that a device takes over HTTP.
pub const HTTP_BODY_BYTES: usize = 64 * 1024 * 1024;
/// Bytes that a device writes to flash at once while it pulls over HTTP.
pub const HTTP_PIECE_BYTES: usize = 4_096;

//! Every bound of DTLS, by name. Those that a deployment may want otherwise are defaults of
//! [`ServerOptions`](super::ServerOptions) and [`PskOptions`](super::PskOptions).

use std::time::Duration;

/// Largest record payload (RFC 6347, section 4.1.1, as RFC 5246, section 6.2.1).
pub const MAX_PLAINTEXT_BYTES: usize = 1 << 14;

/// What a record of `TLS_PSK_WITH_AES_128_CCM_8` adds to its payload: header 13, explicit nonce 8,
/// tag 8 (RFC 6347, section 4.1; RFC 6655).
pub const RECORD_OVERHEAD_BYTES: usize = 29;

/// Largest datagram of a handshake: the IPv6 minimum of 1,280 less 48 of IP and UDP, and room for
/// a tunnel. Application data is never split: keep to it above.
pub const MTU_BYTES: usize = 1_152;

/// Longest PSK identity (RFC 7925, section 4.2; contract 2.9: 128 at least).
pub const MAX_IDENTITY_BYTES: usize = 128;

/// Longest PSK (RFC 7925, section 4.2; contract 2.9: 64 at least).
pub const MAX_KEY_BYTES: usize = 64;

/// From the first ClientHello to the end of the handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(40);

/// First retransmission of a flight (RFC 6347, section 4.2.4.1; doubled each time, +-25 %).
pub const FLIGHT_TIMEOUT: Duration = Duration::from_secs(1);

/// Retransmissions of a flight; 1+2+4+8+16+32 s is beyond [`HANDSHAKE_TIMEOUT`], which rules.
pub const FLIGHT_RETRIES: usize = 5;

/// Datagrams that a session holds for reordering; more end it.
pub const RECEIVE_QUEUE: usize = 16;

/// Datagrams that a session holds to be sent; more end it.
pub const TRANSMIT_QUEUE: usize = 16;

/// Memory for all the handshakes in progress.
pub const HALF_OPEN_BYTES: usize = 16 * 1024 * 1024;

/// What one handshake in progress may take; a test measures that it does not take more.
pub const HALF_OPEN_SESSION_BYTES: usize = 8 * 1024;

/// Handshakes in progress; the oldest whose peer has not proven its address makes room.
pub const HALF_OPEN_SESSIONS: usize = HALF_OPEN_BYTES / HALF_OPEN_SESSION_BYTES;

/// How long a handshake whose peer has proven its address is safe from a second first ClientHello
/// of the same address, which anybody can forge.
pub const HALF_OPEN_GRACE: Duration = Duration::from_secs(2);

/// Established sessions; the one idle longest makes room.
pub const SESSIONS: usize = 131_072;

/// A session without a valid record for this long is closed: a day, the default lifetime of a
/// registration, and two hours for who is late.
pub const SESSION_IDLE: Duration = Duration::from_secs(26 * 60 * 60);

/// Sessions that one call of `handle_timeout` looks after; the next call is due at once.
pub const TIMEOUTS_PER_CALL: usize = 1_024;

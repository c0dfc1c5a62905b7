//! What an endpoint tells its application, and how things are named.

use bytes::Bytes;

use super::peers::PeerRef;
use crate::coap::message::Message;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name {
            pub(super) peer: PeerRef,
            pub(super) serial: u64,
        })*
    };
}

ids! {
    /// A request of ours, or an observation.
    RequestId;
    /// A request of a peer that wants an answer.
    ExchangeId;
    /// An observation that a peer holds with us.
    ObserverId;
    /// A body that a peer sends in blocks.
    BodyId;
    /// A ping.
    PingId;
}

/// A datagram to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit<P> {
    /// To whom.
    pub to: P,
    /// The bytes.
    pub payload: Bytes,
}

/// Something that the application should know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<P> {
    /// The final answer to a request, its body complete.
    Response {
        /// Which request; it is over.
        request: RequestId,
        /// The answer.
        message: Message,
    },
    /// The first answer of an observation, or a fresh notification (RFC 7641 3.2).
    Notification {
        /// Which observation; it goes on.
        request: RequestId,
        /// The representation, complete.
        message: Message,
    },
    /// A block of an answer, in order. Unless it is the last, it wants `Endpoint::proceed`.
    Block {
        /// Which request; it is over with the last block.
        request: RequestId,
        /// Where the payload belongs.
        offset: usize,
        /// Length of the whole, where the peer told.
        total: Option<usize>,
        /// Others follow.
        more: bool,
        /// The options and the block.
        message: Message,
    },
    /// The body changed under a download: what came is void, it starts again at 0 (RFC 7959 2.4).
    Restarted {
        /// Which request.
        request: RequestId,
    },
    /// A block of an upload was taken.
    Progress {
        /// Which request.
        request: RequestId,
        /// Bytes that the peer has; less than before after a restart.
        sent: usize,
        /// All of them.
        total: usize,
    },
    /// An upload goes on when its body from here on is handed in, by `Endpoint::supply`.
    Wanted {
        /// Which request.
        request: RequestId,
        /// Where the next block begins; less than before after a restart.
        offset: usize,
    },
    /// There will be no answer.
    Failed {
        /// Which request; it is over.
        request: RequestId,
        /// Why.
        reason: Failure,
    },
    /// The peer answered a ping with Reset (RFC 7252 4.3), or not at all.
    Pong {
        /// Which ping.
        ping: PingId,
        /// It answered.
        alive: bool,
    },
    /// A request. Answer it with `Endpoint::respond`.
    Request {
        /// Names it in the answer.
        exchange: ExchangeId,
        /// Whose.
        from: P,
        /// It wants to observe (RFC 7641 2): `Endpoint::respond_observing`.
        observe: bool,
        /// The request.
        message: Message,
    },
    /// A block of a request's body, in order and once. Answer a block that has others behind it
    /// with 2.31 or an error, or let the endpoint `collect` them; the last one as a request.
    BlockReceived {
        /// Names it in the answer.
        exchange: ExchangeId,
        /// Whose.
        from: P,
        /// Which body. A new one for each block 0 (RFC 7959 2.5): what came before is void.
        body: BodyId,
        /// Where the payload belongs.
        offset: usize,
        /// Others follow.
        more: bool,
        /// The request and the block.
        message: Message,
    },
    /// A body in blocks will not be completed.
    BodyAbandoned {
        /// Whose.
        from: P,
        /// Which body.
        body: BodyId,
    },
    /// A separate response arrived (`true`), or was rejected or never acknowledged.
    Delivered {
        /// To which request.
        exchange: ExchangeId,
        /// It arrived.
        arrived: bool,
    },
    /// An observation that a peer held is over.
    ObserverGone {
        /// Which one.
        observer: ObserverId,
        /// Whose.
        from: P,
        /// Why.
        reason: Gone,
    },
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// MAX_RETRANSMIT passed without an acknowledgement (RFC 7252 4.2).
    #[error("the peer did not acknowledge")]
    Unacknowledged,
    /// Acknowledged, or sent as NON, and nothing after it.
    #[error("the peer did not answer in time")]
    Unanswered,
    /// The peer sent a Reset.
    #[error("the peer rejected the request")]
    Reset,
    /// A critical option that nobody here knows (RFC 7252 5.4.1).
    #[error("the answer has the unknown critical option {0}")]
    CriticalOption(u16),
    /// Blocks that do not belong to each other (RFC 7959).
    #[error("the answer's blocks do not fit together")]
    Blocks,
    /// Longer than the application would take.
    #[error("the answer is too long")]
    TooLong,
    /// The body changed again and again.
    #[error("the body kept changing")]
    Changing,
    /// `Endpoint::forget`.
    #[error("the peer was forgotten")]
    Forgotten,
}

/// Why an observation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gone {
    /// Observe 1 (RFC 7641 3.6).
    Deregistered,
    /// A Reset to a notification (RFC 7641 3.6).
    Rejected,
    /// A confirmable notification was not acknowledged (RFC 7641 4.5).
    Unacknowledged,
    /// A notification with an error code (RFC 7641 4.2), or `Endpoint::end_observation`.
    Ended,
    /// `Endpoint::forget`.
    Forgotten,
}

/// Why a command was refused; a bound of `limits` is behind each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// `PEERS_MAX`.
    #[error("too many peers")]
    Peers,
    /// `REQUESTS_PER_PEER` or `QUEUE_PER_PEER`.
    #[error("too many requests wait for this peer")]
    Requests,
    /// The thing named is over.
    #[error("it is over already")]
    Over,
    /// Longer than 2 ** 20 blocks.
    #[error("the body is too long for block-wise transfer")]
    TooLong,
}

/// What came in and went out, and what was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Datagrams handled.
    pub received: u64,
    /// Datagrams made, retransmissions included.
    pub sent: u64,
    /// Of those the ones sent again by a timer.
    pub retransmitted: u64,
    /// Messages that came again (RFC 7252 4.5).
    pub duplicates: u64,
    /// Datagrams that are no messages.
    pub malformed: u64,
    /// Messages that nobody waited for, and stale notifications.
    pub ignored: u64,
    /// Datagrams dropped because a table was full.
    pub overflowed: u64,
}

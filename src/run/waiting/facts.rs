//! What can be known about a wait that ended without what it waited for.

use std::net::SocketAddr;

use fotalab_simulators::device::Speaks;
use fotalab_wire::net::UnixMillis;

/// All of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// When the wait ended.
    pub(super) now: UnixMillis,
    /// Whether the server could be asked.
    pub(super) server: Asked,
    /// Devices that the step is about.
    pub(super) devices: Vec<Device>,
    /// Devices that it is about too, and that nothing is said of.
    pub(super) others: Others,
    /// The mocked cloud.
    pub(super) upstream: Upstream,
    /// Answers to the operator that refuse, while the step was at work.
    pub(super) refusals: Vec<Refusal>,
    /// Websockets, where the step is about one.
    pub(super) websocket: Option<Websocket>,
    /// The operator's last request while the step was at work.
    pub(super) rest: Option<Call>,
    /// The step is about registrations.
    pub(super) about_registration: bool,
    /// The step is about what the operator is answered.
    pub(super) about_answer: bool,
    /// The step waits for devices to sleep.
    pub(super) about_sleep: bool,
    /// The step wants the server to refuse a websocket, and it let one in.
    pub(super) let_in: bool,
    /// The step is about observations or notifications.
    pub(super) about_observing: bool,
    /// Messages that crossed while the step was at work.
    pub(super) messages: u64,
    /// Messages that were not kept, because there were too many before them.
    pub(super) forgotten: u64,
}

/// Devices that nothing is said of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Others {
    /// The step complains about them too.
    pub(super) alike: usize,
    /// They are as the step wants them.
    pub(super) fine: usize,
    /// Nobody knows.
    pub(super) unseen: usize,
}

/// The last websocket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Websocket {
    /// None was ever opened.
    pub(super) never: bool,
    /// Why none is open: how the last one ended, or did not open.
    pub(super) closed: Option<String>,
    /// When something last came through it.
    pub(super) last: Option<UnixMillis>,
}

/// A request over HTTP that is repeated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    /// `GET /device/1`.
    pub(super) what: String,
    /// How often.
    pub(super) times: u32,
    /// When the last one was sent.
    pub(super) last: UnixMillis,
    /// The status of the last answer; `None` where there was none.
    pub(super) status: Option<u16>,
    /// Why there was none, where that is known.
    pub(super) why: String,
}

/// Whether the server could be asked how it sees things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Asked {
    /// It has no face for that, so only what crossed is known.
    #[default]
    NoFace,
    /// It was asked.
    Yes,
    /// It did not answer that.
    Silent(String),
}

/// A device.
#[derive(Clone, Debug, Default)]
pub(super) struct Device {
    /// What the scenario calls it.
    pub(super) name: String,
    /// As it sees itself, where it is one of ours.
    pub(super) itself: Option<Itself>,
    /// As the server sees it, where that could be asked.
    pub(super) server: Option<AtServer>,
    /// As the wire shows it.
    pub(super) air: OnAir,
    /// It is a scripted peer.
    pub(super) peer: bool,
    /// What a step did to its link.
    pub(super) link: Link,
}

/// A link as steps left it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    /// What the device sends gets nowhere.
    pub(super) up_cut: bool,
    /// What it is sent gets nowhere.
    pub(super) down_cut: bool,
    /// Chance takes everything.
    pub(super) loses_all: bool,
    /// A NAT is on it: the server sees another address than the device has.
    pub(super) nat: bool,
}

/// A simulated device, by itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Itself {
    pub(super) on: bool,
    /// It was switched on before.
    pub(super) was_on: bool,
    /// It switched its radio off.
    pub(super) radio_off: bool,
    pub(super) speaks: Speaks,
    /// It was given another server than the one under test: where.
    pub(super) elsewhere: Option<SocketAddr>,
    /// It has a registration.
    pub(super) registered: bool,
    /// It asks for one.
    pub(super) registering: bool,
    pub(super) asleep: bool,
    /// When it starts again, while it is off.
    pub(super) starts: Option<UnixMillis>,
    /// When it registers, says that it is still there, or reports next by itself.
    pub(super) reports: Option<UnixMillis>,
    /// /5/0/3.
    pub(super) state: i64,
    /// /5/0/5.
    pub(super) result: i64,
    /// When either changed last.
    pub(super) changed: Option<UnixMillis>,
    /// The version that really runs.
    pub(super) version: String,
    /// Faults that it was told to have, and had.
    pub(super) faults: Vec<String>,
}

/// A device as the server under test sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct AtServer {
    /// It has heard of this endpoint name.
    pub(super) known: bool,
    pub(super) registration: Option<Registration>,
    /// The last update of it.
    pub(super) update: Option<Update>,
}

/// A registration, as the server sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Registration {
    pub(super) asleep: bool,
    /// In queue mode, when it stops listening, or stopped.
    pub(super) awake_until: Option<UnixMillis>,
    /// When it ends without another word.
    pub(super) expires: Option<UnixMillis>,
    /// What was sent and not answered: `Write /5/0/1`.
    pub(super) asking: Option<String>,
    /// What waits for its turn.
    pub(super) queued: Vec<String>,
    /// Where the device was when it was heard of.
    pub(super) address: Option<String>,
    /// What the server observes.
    pub(super) observed: Vec<String>,
}

/// An update, as the server sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Update {
    /// `queued`, `downloading`, `downloaded`, `updating`, `succeeded`, `failed`.
    pub(super) state: String,
    /// What it waits for, in the admin face's word.
    pub(super) what: String,
    /// What was asked, where that is an answer.
    pub(super) asked: Option<String>,
    /// When it goes on by itself.
    pub(super) until: Option<UnixMillis>,
    /// When it gives up.
    pub(super) deadline: Option<UnixMillis>,
    /// When it began.
    pub(super) began: Option<UnixMillis>,
    /// The last that happened.
    pub(super) last: String,
}

impl Update {
    /// It has not ended.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.state.as_str(), "succeeded" | "failed")
    }

    /// Since when it is under way: what happened before is not about it.
    pub(super) fn since(&self) -> Option<UnixMillis> {
        self.began.filter(|_| self.is_under_way())
    }
}

/// What crossed between a device and the server.
#[derive(Clone, Debug, Default)]
pub(super) struct OnAir {
    /// When it was last heard of, with something that arrived.
    pub(super) heard: Option<UnixMillis>,
    /// CoAP messages.
    pub(super) messages: u64,
    /// DTLS records that nobody opened, since the last message, and how many of them got lost or
    /// were damaged.
    pub(super) records: u64,
    pub(super) records_lost: u64,
    /// When the last one was sent.
    pub(super) records_last: Option<UnixMillis>,
    /// Where it last sent from.
    pub(super) address: Option<SocketAddr>,
    /// When it took its registration back, and has not asked for another since.
    pub(super) left: Option<UnixMillis>,
    /// The last request without an answer that arrived.
    pub(super) open: Option<Open>,
    /// The last answer of class 4 or 5, where no better one to the same came later.
    pub(super) refused: Option<Refused>,
    /// The last body in blocks.
    pub(super) transfer: Option<Transfer>,
}

/// A request without an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    /// `PUT /5/0/0`.
    pub(super) what: String,
    /// The device asks.
    pub(super) up: bool,
    pub(super) first: UnixMillis,
    pub(super) last: UnixMillis,
    /// How often it was sent.
    pub(super) sent: u32,
    /// How often it got lost.
    pub(super) lost: u32,
    /// How often bits of it were flipped.
    pub(super) damaged: u32,
    /// How often the answer, or an acknowledgement without one, got lost.
    pub(super) answers_lost: u32,
    /// How often bits of that were flipped.
    pub(super) answers_damaged: u32,
    /// Answers that are under way.
    pub(super) answers_coming: u32,
    /// Who was asked, or asks, at the other end.
    pub(super) other: Option<SocketAddr>,
    /// The same by name, where it is not the server under test.
    pub(super) stranger: Option<String>,
    /// It was acknowledged without an answer (RFC 7252, 5.2.2).
    pub(super) acknowledged: bool,
    /// Whoever sent it has given it up.
    pub(super) given_up: bool,
}

/// A request that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) what: String,
    /// The device asked.
    pub(super) up: bool,
    /// `4.04`, or `RST`.
    pub(super) code: String,
    pub(super) at: UnixMillis,
    /// Who was asked, or asked, at the other end.
    pub(super) other: Option<SocketAddr>,
    /// The same by name, where it is not the server under test.
    pub(super) stranger: Option<String>,
}

/// A body in blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Transfer {
    pub(super) path: String,
    /// Bytes of it that have arrived.
    pub(super) bytes: u64,
    /// The last block was among them.
    pub(super) whole: bool,
    /// When the last block crossed.
    pub(super) at: UnixMillis,
}

/// The mocked cloud.
#[derive(Clone, Debug, Default)]
pub(super) struct Upstream {
    /// The last call, when, and the status of its answer.
    pub(super) last: Option<(String, UnixMillis, u16)>,
    /// One that the cloud is still to answer: since when, and until when it was queued to wait.
    pub(super) held: Option<(String, UnixMillis, UnixMillis)>,
    /// Calls that no queued answer fits, how often, and the answer that came closest.
    pub(super) unexpected: Vec<(String, u32, Option<String>)>,
    /// Queued answers that nobody has asked for.
    pub(super) leftovers: Vec<String>,
    /// Calls that were answered with an error as queued, and with which.
    pub(super) failing: Vec<(String, u16)>,
}

/// An answer that refuses a request of the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// `GET /device/1`.
    pub(super) what: String,
    pub(super) status: u16,
    /// What it says.
    pub(super) said: String,
    pub(super) times: u32,
    /// The request proves its right by a fingerprint.
    pub(super) by_fingerprint: bool,
}

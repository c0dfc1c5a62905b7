//! Keeps what crosses: whose it is, what it answers, whether it was sent before.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use fotalab_wire::{
    coap::{Message, message::Token},
    net::{Datagram, Fate},
};

use super::{
    Crossing, Outcome,
    conditions::Conditions,
    crossing::Asked,
    limits::{ASKED, CROSSINGS, RECENT, SEALED, SHOWN_CROSSINGS},
};
use crate::trace::{Kind, Trace};

/// What one laboratory has seen on the air. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Watch(Arc<Mutex<Seen>>);

/// Behind the lock of a [`Watch`].
#[derive(Debug)]
pub(crate) struct Seen {
    trace: Trace,
    conditions: Conditions,
    parties: Vec<Party>,
    /// The numbers of devices among the parties, by their places in the fleet.
    devices: Vec<usize>,
    /// Devices that share a socket, by address.
    hosts: BTreeMap<IpAddr, usize>,
    /// Peers.
    sockets: BTreeMap<SocketAddr, usize>,
    /// Devices with a socket of their own, by its port: which of this machine's addresses it
    /// sends from is known to nobody before it does.
    ports: BTreeMap<u16, usize>,
    crossings: VecDeque<Crossing>,
    /// Crossings that are not kept any more.
    forgotten: u64,
    shown: usize,
    /// Sealed datagrams that a device is about to send, and what is in them.
    sealing: VecDeque<(Bytes, Bytes)>,
    /// Sealed datagrams for devices, which they may open: number of the crossing, of the message.
    unopened: VecDeque<(Bytes, u64, Option<u64>)>,
}

/// A device or a peer.
#[derive(Debug)]
struct Party {
    name: Arc<str>,
    device: bool,
    tally: Tally,
    asked: VecDeque<(bool, Token, Arc<Asked>)>,
    recent: VecDeque<(bool, Bytes)>,
}

/// What has arrived at a device or a peer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Datagrams that arrived.
    pub(crate) datagrams: u64,
    /// Bytes of UDP payload that arrived.
    pub(crate) bytes: u64,
    /// Datagrams that it sent.
    pub(crate) sent: u64,
}

impl Watch {
    /// Nothing seen yet.
    pub(crate) fn new(trace: Trace) -> Self {
        Self(Arc::new(Mutex::new(Seen {
            trace,
            conditions: Conditions::new(),
            parties: Vec::new(),
            devices: Vec::new(),
            ports: BTreeMap::new(),
            hosts: BTreeMap::new(),
            sockets: BTreeMap::new(),
            crossings: VecDeque::new(),
            forgotten: 0,
            shown: 0,
            sealing: VecDeque::new(),
            unopened: VecDeque::new(),
        })))
    }

    /// What was seen; do not hold it across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// A device or peer joins; its number.
    pub(crate) fn join(&mut self, name: &str, device: bool) -> usize {
        self.parties.push(Party {
            name: name.into(),
            device,
            tally: Tally::default(),
            asked: VecDeque::new(),
            recent: VecDeque::new(),
        });
        let party = self.parties.len() - 1;
        if device {
            self.devices.push(party);
        }
        party
    }

    /// How good the links are.
    pub(crate) const fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// How good the links are, to change it.
    pub(crate) const fn conditions_mut(&mut self) -> &mut Conditions {
        &mut self.conditions
    }

    /// Where a device is that shares its socket.
    pub(crate) fn place_host(&mut self, host: IpAddr, party: usize) {
        self.hosts.insert(host, party);
    }

    /// Where a device is that has a socket of its own, by its place in the fleet.
    pub(crate) fn place_port(&mut self, port: u16, device: usize) {
        if let Some(party) = self.devices.get(device) {
            self.ports.insert(port, *party);
        }
    }

    /// Where a peer is.
    pub(crate) fn place_peer(&mut self, socket: SocketAddr, party: usize) {
        self.sockets.insert(socket, party);
    }

    /// Who is behind an address.
    pub(crate) fn who(&self, address: SocketAddr) -> Option<usize> {
        let by_host = || self.hosts.get(&address.ip());
        let by_port = || self.ports.get(&address.port());
        let found = self.sockets.get(&address);
        found.or_else(by_host).or_else(by_port).copied()
    }

    /// Whose a datagram is, and whether it goes to the server: a device's in any case, a peer's
    /// where no device takes part.
    pub(crate) fn whose(&self, datagram: &Datagram) -> Option<(usize, bool)> {
        let (from, to) = (self.who(datagram.from), self.who(datagram.to));
        let is_device = |party: &usize| self.parties.get(*party).is_some_and(|it| it.device);
        match (from, to) {
            (Some(from), to) if is_device(&from) || to.is_none() => Some((from, true)),
            (_, Some(to)) if is_device(&to) || from.is_none() => Some((to, false)),
            (Some(from), Some(_)) => Some((from, true)),
            _ => None,
        }
    }

    /// A device is at one of its ends.
    pub(crate) fn is_with_device(&self, datagram: &Datagram) -> bool {
        let ends = [datagram.from, datagram.to].map(|it| self.who(it));
        let parties = ends.into_iter().flatten();
        parties
            .filter_map(|party| self.parties.get(party))
            .any(|party| party.device)
    }

    /// A rule says that it gets lost.
    pub(crate) fn drops(&mut self, _party: usize, _up: bool, _datagram: &Datagram) -> bool {
        false
    }

    /// What a datagram says in the clear, as far as that is known before it arrives.
    pub(crate) fn plain(&self, datagram: &Datagram) -> Option<Bytes> {
        if !is_record(&datagram.bytes) {
            return Some(datagram.bytes.clone());
        }
        let sealed = self.sealing.iter().rev();
        let mut found = sealed.filter(|(sealed, _)| *sealed == datagram.bytes);
        found.next().map(|(_, plain)| plain.clone())
    }

    /// A datagram was sent, and this becomes of it.
    pub(crate) fn crossed(&mut self, at: Duration, datagram: &Datagram, fate: &Fate) {
        let Some((party, up)) = self.whose(datagram) else {
            return;
        };
        let secure = is_record(&datagram.bytes);
        let plain = self.plain(datagram);
        let outcome = Outcome::of(fate);
        let copies = match outcome {
            Outcome::Lost => 0,
            Outcome::Duplicated => 2,
            _ => 1,
        };
        let Some(of) = self.parties.get_mut(party) else {
            return;
        };
        if up {
            of.tally.sent += 1;
        } else {
            of.tally.datagrams += copies;
            of.tally.bytes += copies * datagram.bytes.len() as u64;
        }
        let mut crossing = Crossing {
            at,
            party: Arc::clone(&of.name),
            up,
            from: datagram.from,
            to: datagram.to,
            secure,
            record: datagram.bytes.first().copied().unwrap_or_default(),
            length: datagram.bytes.len(),
            outcome,
            retransmission: false,
            plain: None,
            answers: None,
        };
        if let Some(plain) = plain {
            of.relate(&mut crossing, plain);
        }
        let opens = secure && !up && outcome != Outcome::Lost;
        let shown = self.show(&crossing);
        if opens {
            let unopened = (datagram.bytes.clone(), self.next_number(), shown);
            push_bounded(&mut self.unopened, unopened, SEALED);
        }
        if self.crossings.len() >= CROSSINGS {
            self.crossings.pop_front();
            self.forgotten += 1;
        }
        self.crossings.push_back(crossing);
        self.trace.wake();
    }

    /// A device puts `plain` into `sealed`, which it sends next.
    pub(crate) fn seals(&mut self, plain: &Bytes, sealed: &Bytes) {
        push_bounded(&mut self.sealing, (sealed.clone(), plain.clone()), SEALED);
    }

    /// A device found `plain` in `sealed`; `heard` says whether it is to hear it.
    pub(crate) fn opens(&mut self, sealed: &Bytes, plain: &Bytes, heard: bool) {
        let at = self.unopened.iter().position(|(it, ..)| it == sealed);
        let Some((_, number, shown)) = at.and_then(|at| self.unopened.remove(at)) else {
            return;
        };
        let kept = number.checked_sub(self.forgotten);
        let kept = kept.and_then(|it| usize::try_from(it).ok());
        let Some(crossing) = kept.and_then(|it| self.crossings.get_mut(it)) else {
            return;
        };
        let whose = self
            .parties
            .iter_mut()
            .find(|party| party.name == crossing.party);
        if let Some(party) = whose {
            party.relate(crossing, plain.clone());
        }
        if !heard {
            crossing.outcome = Outcome::Lost;
        }
        if let Some(shown) = shown {
            let (summary, detail) = (crossing.summary(), crossing.detail());
            self.trace.amend(shown, summary, detail);
        }
        self.trace.wake();
    }

    /// All that is kept, the oldest first, each with its number.
    pub(crate) fn crossings(&self) -> impl DoubleEndedIterator<Item = (u64, &Crossing)> {
        let first = self.forgotten;
        let numbered = self.crossings.iter().enumerate();
        numbered.map(move |(at, crossing)| (first + at as u64, crossing))
    }

    /// The number that the next crossing gets.
    pub(crate) fn next_number(&self) -> u64 {
        self.forgotten + self.crossings.len() as u64
    }

    /// How many crossings are not kept any more.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// What has arrived at a device or peer so far.
    pub(crate) fn tally(&self, party: usize) -> Tally {
        let party = self.parties.get(party);
        party.map(|it| it.tally).unwrap_or_default()
    }

    /// Who waits for something on the air looks again.
    pub(crate) fn wake(&self) {
        self.trace.wake();
    }

    fn show(&mut self, crossing: &Crossing) -> Option<u64> {
        if self.shown >= SHOWN_CROSSINGS {
            self.trace.not_shown();
            return None;
        }
        self.shown += 1;
        let is_request = crossing
            .message()
            .is_some_and(|message| message.code.is_request());
        let kind = match (&crossing.plain, is_request) {
            (None, _) => Kind::Connection,
            (Some(_), true) => Kind::Request,
            (Some(_), false) => Kind::Answer,
        };
        self.trace.show(kind, crossing.summary(), crossing.detail())
    }
}

impl Party {
    /// Notes what a message says, what it answers and whether it is a repetition.
    fn relate(&mut self, crossing: &mut Crossing, plain: Bytes) {
        let sent = (crossing.up, plain.clone());
        crossing.retransmission = self.recent.contains(&sent);
        push_bounded(&mut self.recent, sent, RECENT);
        if let Ok(message) = Message::parse(&plain) {
            if message.code.is_request() {
                let asked = Asked {
                    code: message.code,
                    path: message.options.path(),
                };
                let asked = (crossing.up, message.token, Arc::new(asked));
                self.asked
                    .retain(|(up, token, _)| (*up, *token) != (asked.0, asked.1));
                push_bounded(&mut self.asked, asked, ASKED);
            } else if message.code.is_response() {
                let asked = self.asked.iter().rev();
                let mut asked =
                    asked.filter(|(up, token, _)| *up != crossing.up && *token == message.token);
                crossing.answers = asked.next().map(|(.., asked)| Arc::clone(asked));
            }
        }
        crossing.plain = Some(plain);
    }
}

/// A DTLS record by its content type (RFC 6347, 4.1; RFC 7983, 7): no CoAP message begins so, its
/// version is 1.
fn is_record(bytes: &[u8]) -> bool {
    bytes.len() >= 13 && matches!(bytes.first(), Some(20..=26)) && bytes.get(1) == Some(&254)
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(item);
}

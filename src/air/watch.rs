//! Keeps what crosses: whose it is, what it answers, whether it was sent before.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use fotalab_simulators::device::drive::Tap;
use fotalab_wire::net::{Datagram, Fate};

use super::{
    Crossing, Outcome,
    conditions::Conditions,
    drops::Drops,
    limits::{CROSSINGS, SEALED, SHOWN_CROSSINGS},
    party::{Party, Tally, push_bounded},
};
use crate::trace::Trace;

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
    drops: Drops,
    /// Crossings that are not kept any more.
    forgotten: u64,
    shown: usize,
    /// Sealed datagrams that a device is about to send, and what is in them.
    sealing: VecDeque<(Bytes, Bytes)>,
    /// Sealed datagrams for devices, which they may open: number of the crossing, of the message.
    unopened: VecDeque<(Bytes, u64, Option<u64>)>,
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
            drops: Drops::default(),
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

impl Tap for Watch {
    fn sealed(&mut self, plain: &Bytes, sealed: &Bytes) {
        self.lock().seals(plain, sealed);
    }

    fn opened(&mut self, plain: &Bytes, sealed: &Bytes) -> bool {
        self.lock().opens(plain, sealed)
    }
}

impl Seen {
    /// A device or peer joins; its number.
    pub(crate) fn join(&mut self, name: &str, device: bool) -> usize {
        self.parties.push(Party::new(name, device));
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

    /// What gets lost by rules.
    pub(crate) const fn drops_mut(&mut self) -> &mut Drops {
        &mut self.drops
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

    /// What a datagram says in the clear, as far as that is known before it arrives.
    fn plain(&mut self, datagram: &Datagram) -> Option<Bytes> {
        if !is_record(&datagram.bytes) {
            return Some(datagram.bytes.clone());
        }
        let of = |(sealed, _): &(Bytes, Bytes)| *sealed == datagram.bytes;
        let at = self.sealing.iter().rposition(of)?;
        self.sealing.remove(at).map(|(_, plain)| plain)
    }

    /// A datagram is sent, by a device or peer or to it; what becomes of it is to be said yet.
    pub(crate) fn sent(
        &mut self,
        at: Duration,
        datagram: &Datagram,
        (party, up): (usize, bool),
    ) -> Crossing {
        let plain = self.plain(datagram);
        let of = self.parties.get_mut(party);
        let mut crossing = Crossing {
            at,
            party: of
                .as_ref()
                .map_or_else(|| "".into(), |it| Arc::clone(&it.name)),
            up,
            from: datagram.from,
            to: datagram.to,
            secure: is_record(&datagram.bytes),
            record: record_of(&datagram.bytes),
            length: datagram.bytes.len(),
            outcome: Outcome::Delivered,
            delay: Duration::ZERO,
            retransmission: false,
            plain: None,
            answers: None,
        };
        if let (Some(of), Some(plain)) = (of, plain) {
            of.relate(&mut crossing, plain);
        }
        crossing
    }

    /// This becomes of it.
    pub(crate) fn crossed(
        &mut self,
        party: usize,
        mut crossing: Crossing,
        datagram: &Datagram,
        fate: &Fate,
    ) {
        let Some(of) = self.parties.get_mut(party) else {
            return;
        };
        crossing.outcome = Outcome::of(fate);
        crossing.delay = fate.delay;
        self.trace.capture(datagram, crossing.outcome.name());
        let copies = match crossing.outcome {
            Outcome::Lost => 0,
            Outcome::Duplicated => 2,
            _ => 1,
        };
        if crossing.up {
            of.tally.sent += 1;
        } else {
            of.tally.datagrams += copies;
            of.tally.bytes += copies * datagram.bytes.len() as u64;
        }
        let shown = self.show(&crossing);
        if crossing.record == APPLICATION && !crossing.up && copies > 0 {
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
    fn seals(&mut self, plain: &Bytes, sealed: &Bytes) {
        push_bounded(&mut self.sealing, (sealed.clone(), plain.clone()), SEALED);
    }

    /// A device finds `plain` in `sealed`; whether it is to hear it.
    fn opens(&mut self, plain: &Bytes, sealed: &Bytes) -> bool {
        let at = self.unopened.iter().position(|(it, ..)| it == sealed);
        let Some((_, number, shown)) = at.and_then(|at| self.unopened.remove(at)) else {
            return true;
        };
        let kept = number.checked_sub(self.forgotten);
        let kept = kept.and_then(|it| usize::try_from(it).ok());
        let Some(mut crossing) = kept.and_then(|it| self.crossings.get(it)).cloned() else {
            return true;
        };
        let mut heard = true;
        let party = self.parties.iter().position(|it| it.name == crossing.party);
        if let Some(party) = party {
            if let Some(of) = self.parties.get_mut(party) {
                of.relate(&mut crossing, plain.clone());
            }
            heard = !self.drops.take(party, &crossing);
        }
        if !heard {
            crossing.outcome = Outcome::Lost;
        }
        if let Some(shown) = shown {
            self.trace.amend(shown, crossing.shown());
        }
        if let Some(place) = kept.and_then(|it| self.crossings.get_mut(it)) {
            *place = crossing;
        }
        self.trace.wake();
        heard
    }

    /// All that is kept, the oldest first, each with its number.
    pub(crate) fn crossings(&self) -> impl DoubleEndedIterator<Item = (u64, &Crossing)> {
        let first = self.forgotten;
        let numbered = self.crossings.iter().enumerate();
        numbered.map(move |(at, crossing)| (first + at as u64, crossing))
    }

    /// What all devices and peers are called, by their numbers.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parties.iter().map(|it| &*it.name)
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
        self.trace.show(crossing.shown())
    }
}

/// A DTLS record by its content type (RFC 6347, 4.1; RFC 7983, 7): no CoAP message begins so, its
/// version is 1.
fn is_record(bytes: &[u8]) -> bool {
    record_of(bytes) != 0
}

/// The content type of application data (RFC 5246, 6.2.1).
const APPLICATION: u8 = 23;

/// The content type of a DTLS record, 0 for what is none.
fn record_of(bytes: &[u8]) -> u8 {
    match bytes {
        [kind @ 20..=26, 254, ..] if bytes.len() >= 13 => *kind,
        _ => 0,
    }
}

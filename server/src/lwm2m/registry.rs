//! Who is registered, where, until when, and what waits for whom.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
};

use fotalab_wire::{
    coap::RequestId,
    lwm2m::{
        Definitions, Path, Version,
        registration::{ObjectList, Registration, Update},
    },
    net::UnixMillis,
};

use super::{Call, Peer, Watched};
use crate::{
    core::{firmware::Arrival, time::millis},
    limits,
};

/// A registered device.
#[derive(Debug)]
pub(crate) struct Registered {
    /// What it said of itself.
    pub(crate) said: Registration,
    /// The last segment of its location, `rd/{location}`.
    pub(crate) location: String,
    /// Where it is.
    pub(crate) peer: Peer,
    /// Where it reached us.
    pub(crate) local: SocketAddr,
    /// When it registered.
    pub(crate) since: UnixMillis,
    /// When it was last heard of by Register or Update.
    pub(crate) updated: UnixMillis,
    /// When it will be forgotten, grace included.
    pub(super) expires: UnixMillis,
    /// What its objects hold, once somebody asked: most devices only keep registered.
    definitions: OnceCell<Definitions>,
    /// In queue mode it listens until then.
    pub(super) awake_until: UnixMillis,
    /// It did not answer the last request.
    pub(super) silent: bool,
    /// Its DTLS session ended, and it has not been heard of since.
    pub(super) lost: bool,
    /// It is not asked anything before.
    pub(super) not_before: UnixMillis,
    pub(super) queue: VecDeque<Call>,
    pub(super) running: Option<RequestId>,
    pub(super) observed: BTreeMap<Watched, RequestId>,
    /// When this one is on the agenda.
    due: UnixMillis,
}

/// All registrations.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    by_endpoint: HashMap<String, Box<Registered>>,
    by_location: HashMap<String, String>,
    by_peer: HashMap<Peer, String>,
    agenda: BTreeSet<(UnixMillis, String)>,
    /// What the long lists of objects have together.
    listed: usize,
}

impl Registered {
    /// A device that just registered.
    pub(super) fn new(
        now: UnixMillis,
        said: Registration,
        location: String,
        (peer, local): (Peer, SocketAddr),
    ) -> Self {
        let mut registered = Self {
            definitions: OnceCell::new(),
            said,
            location,
            peer,
            local,
            since: now,
            updated: now,
            expires: 0,
            awake_until: now + millis(limits::AWAKE),
            silent: false,
            lost: false,
            not_before: now + millis(limits::AFTER_REGISTER),
            queue: VecDeque::new(),
            running: None,
            observed: BTreeMap::new(),
            due: 0,
        };
        registered.renew(now);
        registered
    }

    /// What an update has to know of this registration.
    pub(crate) fn arrival(&self) -> Arrival {
        let listed = self.said.objects.contains(Path::instance(5, 0));
        let object = self.said.objects.objects.get(&5).filter(|_| listed);
        Arrival {
            // Without `ver` it is 1.0 in all versions that are spoken (contract 1.1).
            object: object.map(|it| it.version.unwrap_or(Version::V1_0)),
            secured: self.peer.secured,
        }
    }

    /// What of it is observed.
    pub(crate) fn observed(&self) -> impl Iterator<Item = &Watched> {
        self.observed.keys()
    }

    /// The types of what it holds.
    pub(crate) fn definitions(&self) -> &Definitions {
        let said = &self.said;
        let make = || said.objects.definitions(said.version);
        self.definitions.get_or_init(make)
    }

    /// Its lifetime begins anew.
    pub(super) fn renew(&mut self, now: UnixMillis) {
        self.updated = now;
        let lifetime = UnixMillis::from(self.said.lifetime) * 1_000;
        self.expires = now + lifetime + millis(limits::LIFETIME_GRACE);
    }

    /// It would not hear a request now.
    pub(super) fn sleeps(&self, now: UnixMillis) -> bool {
        self.lost || (self.said.queue && (self.silent || now >= self.awake_until))
    }

    fn next(&self) -> UnixMillis {
        let waits = !self.queue.is_empty() && self.running.is_none() && !self.silent;
        if waits && self.not_before > self.updated {
            self.not_before.min(self.expires)
        } else {
            self.expires
        }
    }
}

impl Registrations {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_endpoint.len()
    }

    /// Takes in a registration of an endpoint that has none.
    pub(super) fn insert(&mut self, registered: Registered) {
        let endpoint = registered.said.endpoint.clone();
        let location = registered.location.clone();
        self.by_location.insert(location, endpoint.clone());
        self.by_peer.insert(registered.peer, endpoint.clone());
        self.listed += weight(&registered.said.objects);
        self.by_endpoint
            .insert(endpoint.clone(), Box::new(registered));
        self.arm(&endpoint);
    }

    /// Takes a registration out.
    pub(super) fn remove(&mut self, endpoint: &str) -> Option<Registered> {
        let registered = self.by_endpoint.remove(endpoint)?;
        self.listed -= weight(&registered.said.objects);
        self.by_location.remove(&registered.location);
        self.forget_peer(registered.peer, endpoint);
        self.agenda.remove(&(registered.due, endpoint.to_owned()));
        Some(*registered)
    }

    /// Whether there is room for a list of objects in place of the one that a device has.
    pub(super) fn has_room(&self, endpoint: &str, objects: &ObjectList) -> bool {
        let before = self.get(endpoint).map_or(0, |it| weight(&it.said.objects));
        let weight = weight(objects);
        weight == 0 || self.listed - before + weight <= limits::LONG_LISTS
    }

    /// What a device sent with an Update.
    pub(super) fn apply(&mut self, endpoint: &str, update: Update) {
        let Some(device) = self.by_endpoint.get_mut(endpoint) else {
            return;
        };
        self.listed -= weight(&device.said.objects);
        let lists = update.objects.is_some();
        device.said.apply(update);
        if lists {
            device.definitions = OnceCell::new();
        }
        self.listed += weight(&device.said.objects);
    }

    /// Notes that a device moved.
    pub(super) fn moved(&mut self, endpoint: &str, peer: Peer) {
        let before = self
            .by_endpoint
            .get_mut(endpoint)
            .map(|it| std::mem::replace(&mut it.peer, peer));
        if let Some(before) = before {
            self.forget_peer(before, endpoint);
            self.by_peer.insert(peer, endpoint.to_owned());
        }
    }

    /// One registration.
    pub(super) fn get(&self, endpoint: &str) -> Option<&Registered> {
        self.by_endpoint.get(endpoint).map(|it| &**it)
    }

    /// Whose location it is.
    pub(super) fn at_location(&self, location: &str) -> Option<&Registered> {
        self.get(self.by_location.get(location)?)
    }

    /// Who is there.
    pub(super) fn at_peer(&self, peer: Peer) -> Option<&Registered> {
        self.get(self.by_peer.get(&peer)?)
    }

    /// Changes a registration, and notes when it wants attention.
    pub(super) fn with<T>(
        &mut self,
        endpoint: &str,
        act: impl FnOnce(&mut Registered) -> T,
    ) -> Option<T> {
        let done = act(&mut **self.by_endpoint.get_mut(endpoint)?);
        self.arm(endpoint);
        Some(done)
    }

    /// The next one that wants attention now. It is off the agenda until it changes.
    pub(super) fn pop_due(&mut self, now: UnixMillis) -> Option<String> {
        self.agenda.first().filter(|(due, _)| *due <= now)?;
        let (_, endpoint) = self.agenda.pop_first()?;
        if let Some(registered) = self.by_endpoint.get_mut(&endpoint) {
            // The first requests may go out now.
            registered.not_before = registered.updated;
        }
        Some(endpoint)
    }

    /// When one wants attention.
    pub(super) fn next_due(&self) -> Option<UnixMillis> {
        self.agenda.first().map(|(due, _)| *due)
    }

    fn arm(&mut self, endpoint: &str) {
        if let Some(registered) = self.by_endpoint.get_mut(endpoint) {
            let entry = (registered.due, endpoint.to_owned());
            self.agenda.remove(&entry);
            registered.due = registered.next();
            self.agenda.insert((registered.due, entry.1));
        }
    }

    fn forget_peer(&mut self, peer: Peer, endpoint: &str) {
        if self.by_peer.get(&peer).is_some_and(|it| it == endpoint) {
            self.by_peer.remove(&peer);
        }
    }
}

/// What a list counts among the long ones.
fn weight(objects: &ObjectList) -> usize {
    let listed = objects.objects.values();
    let all = listed.map(|it| 1 + it.instances.len()).sum();
    if all > limits::SHORT_LIST { all } else { 0 }
}

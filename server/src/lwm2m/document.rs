//! A registration as it is remembered.

use std::net::SocketAddr;

use fotalab_wire::{
    lwm2m::{ContentFormat, Path, registration::Registration},
    net::UnixMillis,
};
use serde::{Deserialize, Serialize};

use super::{Air, NEWEST, Operation, Peer, Registered, Ticket, Watched};
use crate::{core::time::millis, limits};

/// A registration; the key is its endpoint name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegistrationDocument {
    /// The last segment of its location.
    location: String,
    /// Where the device is.
    address: SocketAddr,
    /// Over DTLS.
    secured: bool,
    /// Where it reached us.
    local: SocketAddr,
    /// What it said of itself, as the parameters of Register.
    said: Vec<String>,
    /// The objects that it listed, as links.
    objects: String,
    /// When it registered.
    since: UnixMillis,
    /// When it was last heard of by Register or Update.
    updated: UnixMillis,
    /// When it is forgotten.
    expires: UnixMillis,
    /// What is observed: a path, or several with spaces between them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    observed: Vec<String>,
}

impl Registered {
    /// As it is remembered.
    pub(crate) fn document(&self) -> RegistrationDocument {
        let objects = self.said.objects.payload();
        RegistrationDocument {
            location: self.location.clone(),
            address: self.peer.address,
            secured: self.peer.secured,
            local: self.local,
            said: self.said.query(),
            objects: String::from_utf8_lossy(&objects).into_owned(),
            since: self.since,
            updated: self.updated,
            expires: self.expires,
            observed: self.observed.keys().map(Watched::to_string).collect(),
        }
    }
}

impl Air {
    /// Takes in a registration of a former life. Its lifetime went on, but a device that was not
    /// heard because nobody listened gets a moment to be heard.
    pub(crate) fn restore(
        &mut self,
        now: UnixMillis,
        document: RegistrationDocument,
    ) -> Result<(), String> {
        let said = document.said.iter().map(String::as_str);
        let link = Some(ContentFormat::Link.number());
        let objects = document.objects.as_bytes();
        let said = Registration::parse(said, link, objects, None, NEWEST);
        let said = said.map_err(|why| why.to_string())?;
        let peer = Peer {
            address: document.address,
            secured: document.secured,
        };
        let between = (peer, document.local);
        let mut registered = Registered::new(now, said, document.location, between);
        registered.since = document.since;
        registered.updated = document.updated;
        registered.expires = document.expires.max(now + millis(limits::LIFETIME_GRACE));
        registered.awake_until = document.updated + millis(limits::AWAKE);
        // Its DTLS session ended with us (X-FW-S31): it has to come by itself.
        registered.lost = document.secured;
        registered.not_before = now;
        self.registrations.insert(registered);
        Ok(())
    }

    /// Observes what was observed before (all those observations ended with us).
    pub(crate) fn observe_again(&mut self, now: UnixMillis, endpoint: &str, all: Vec<Watched>) {
        for watched in all {
            let operation = match watched {
                Watched::One(path) => Operation::Observe(path),
                Watched::Many(paths) => Operation::ObserveMany(paths, ContentFormat::SenmlJson),
            };
            self.operate(now, endpoint, Ticket::Nobody, operation);
        }
    }
}

impl RegistrationDocument {
    /// What was observed.
    pub(crate) fn observed(&self) -> impl Iterator<Item = Watched> {
        self.observed.iter().filter_map(|written| {
            let paths = written.split(' ').map(str::parse);
            let paths: Vec<Path> = paths.collect::<Result<_, _>>().ok()?;
            Some(match paths.as_slice() {
                [path] => Watched::One(*path),
                _ => Watched::Many(paths),
            })
        })
    }
}

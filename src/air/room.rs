//! The room itself: made by the first step that needs it, ended with the laboratory.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use fotalab_simulators::device::{
    Kind, Setup,
    drive::{Bind, Driver, Fleet, KeyLog, Psk},
};
use fotalab_wire::net::Linked;
use rand::RngExt as _;
use serde_json::Value;

use super::{
    Crossing, Devices, Peer,
    drive::Handle,
    link::AirLink,
    peer::LabParts,
    server_of,
    watch::{Seen, Watch},
};
use crate::run::{Lab, Mismatch, StepError};

/// What a laboratory has in the air.
pub(crate) struct Air {
    devices: Devices,
    watch: Watch,
    known: Vec<Known>,
    peers: Vec<Peer>,
    marks: Marks,
}

/// A device of a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// What the scenario calls it.
    pub(crate) name: String,
    /// Its endpoint client name.
    pub(crate) endpoint: String,
    /// Its place in the fleet.
    pub(crate) index: usize,
    /// Its number among those that the watch knows.
    pub(crate) party: usize,
}

/// Since which crossing the wire of somebody is looked at, by name.
pub(crate) type Marks = BTreeMap<String, u64>;

/// A place in a laboratory for the room.
#[derive(Default)]
struct Room(Option<Air>);

impl Air {
    /// The room of a laboratory; the first call opens it.
    ///
    /// # Errors
    /// No socket can be opened.
    pub(crate) fn of(lab: &mut Lab) -> Result<&mut Self, StepError> {
        if lab.state::<Room>().0.is_none() {
            match Self::open(lab) {
                Ok(air) => lab.state::<Room>().0 = Some(air),
                Err(why) => return lab.fail(Mismatch::new(why)),
            }
        }
        let room = lab.state::<Room>();
        Ok(room.0.as_mut().expect("it has just been opened"))
    }

    /// The room of a laboratory, if it is open.
    pub(crate) fn in_use(lab: &mut Lab) -> Option<&mut Self> {
        lab.state::<Room>().0.as_mut()
    }

    fn open(lab: &mut Lab) -> Result<Self, String> {
        let watch = Watch::new(lab.trace().clone());
        let seed: u64 = lab.random().random();
        let network = lab.network();
        let clock = lab.equipment.clock;
        let shared = network.is_virtual() || server_is_here(lab.get("COAPURL"));
        if let Some(memory) = &lab.equipment.in_memory {
            memory.carry_datagrams(AirLink::new(watch.clone(), seed), clock);
        }
        let (udp, around) = (Arc::clone(&network), watch.clone());
        let bind: Bind = Box::new(move |device| {
            let socket = udp.bind(ANY.into())?;
            if udp.is_virtual() {
                return Ok(socket);
            }
            if let Some(device) = device {
                let port = socket.local_addr().port();
                around.lock().place_port(port, device);
            }
            let seed = seed.wrapping_add(device.map_or(0, |it| it as u64 + 1) << 32);
            let link = AirLink::new(around.clone(), seed);
            Ok(Box::new(Linked::new(socket, link, clock)))
        });
        let mut fleet = Fleet::new();
        if let Some(key_log) = lab.trace().key_log() {
            fleet.log_keys(KeyLog(key_log));
        }
        fleet.set_tap(Box::new(watch.clone()));
        let driver = Driver::with_sockets(fleet, network, shared, clock, bind)
            .map_err(|error| format!("no socket can be opened for devices: {error}"))?;
        Ok(Self {
            devices: Devices::run(driver, watch.clone()),
            watch,
            known: Vec::new(),
            peers: Vec::new(),
            marks: Marks::new(),
        })
    }

    /// Whether the server under test sees the addresses of devices as they are.
    pub(crate) fn is_here(lab: &mut Lab) -> bool {
        lab.network().is_virtual() || server_is_here(lab.get("COAPURL"))
    }

    /// A way to the devices.
    pub(crate) fn handle(&self) -> Handle {
        self.devices.handle()
    }

    /// What was seen; do not hold it across an await.
    pub(crate) fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.watch.lock()
    }

    /// The devices that scenarios have made, in the order that they did.
    pub(crate) fn known(&self) -> &[Known] {
        &self.known
    }

    /// Takes the next place for a device of this name.
    pub(crate) fn enrol(&mut self, name: &str, endpoint: &str) -> Known {
        let party = self.watch.lock().join(name, true);
        let known = Known {
            name: name.to_owned(),
            endpoint: endpoint.to_owned(),
            index: self.known.len(),
            party,
        };
        self.known.push(known.clone());
        known
    }

    /// The peers that scenarios have made.
    pub(crate) fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// Opens a peer's socket.
    ///
    /// # Errors
    /// What the network says.
    pub(crate) fn open_peer(
        &mut self,
        lab: &LabParts,
        name: &str,
        address: SocketAddr,
    ) -> std::io::Result<String> {
        let party = self.watch.lock().join(name, false);
        let peer = Peer::open(lab, name, party, address, &self.watch)?;
        let url = peer.url();
        self.peers.push(peer);
        Ok(url)
    }

    /// Looks at what crossed for these devices and peers since the last mark; `true`: some of it
    /// is not kept any more.
    pub(crate) fn with_crossings<T>(
        &self,
        names: &str,
        look: impl FnOnce(Vec<&Crossing>, bool) -> T,
    ) -> T {
        let seen = self.watch.lock();
        let matches = glob(names);
        let mark = |party: &str| self.marks.get(party).copied().unwrap_or(0);
        let partly = seen
            .names()
            .any(|it| matches(it) && mark(it) < seen.forgotten());
        let of = seen.crossings().filter(|(number, crossing)| {
            matches(&crossing.party) && *number >= mark(&crossing.party)
        });
        look(of.map(|(_, it)| it).collect(), partly)
    }

    /// From where a device last spoke to this address.
    pub(crate) fn spoke_from(&self, device: &str, to: SocketAddr) -> Option<SocketAddr> {
        let seen = self.watch.lock();
        let mut of = seen.crossings().rev();
        let found = of.find(|(_, it)| it.up && it.to == to && *it.party == *device);
        found.map(|(_, it)| it.from)
    }

    /// Looks at the wire of these devices and peers from here on.
    pub(crate) fn mark(&mut self, names: &str) {
        let seen = self.watch.lock();
        let (matches, now) = (glob(names), seen.next_number());
        let named = seen.names().filter(|it| matches(it));
        self.marks.extend(named.map(|it| (it.to_owned(), now)));
    }

    /// The numbers of the devices and peers of this name among those that the watch knows.
    pub(crate) fn parties(&self, names: &str) -> Vec<usize> {
        let seen = self.watch.lock();
        let matches = glob(names);
        let numbered = seen.names().enumerate();
        let found = numbered.filter(|(_, name)| matches(name));
        found.map(|(party, _)| party).collect()
    }

    /// The devices of this name; `*` stands for anything.
    pub(crate) fn named(&self, name: &str) -> Vec<Known> {
        let matches = glob(name);
        let known = self.known.iter();
        known.filter(|it| matches(&it.name)).cloned().collect()
    }
}

/// Any free port of any address.
const ANY: ([u8; 4], u16) = ([0, 0, 0, 0], 0);

/// Adds a device, switched off, and tells the watch where it is: at the address that it has.
pub(crate) async fn add(
    lab: &mut Lab,
    known: Known,
    kind: Arc<Kind>,
    setup: Setup,
    psk: Option<(Psk, Option<u64>)>,
) -> Result<Option<IpAddr>, StepError> {
    let handle = Air::of(lab)?.handle();
    let added = handle
        .fleet(move |fleet, now| {
            let psk = psk.as_ref().map(|(psk, seed)| (psk, *seed));
            let index = fleet.add_off(now, &kind, setup, psk);
            fleet.address(index)
        })
        .await;
    match added {
        Ok(address) => {
            if let Some(address) = address {
                Air::of(lab)?.seen().place_host(address, known.party);
            }
            Ok(address)
        }
        Err(why) => lab.fail(Mismatch::new(why)),
    }
}

/// Whether a text is what a pattern says; `*` stands for any text.
pub(crate) fn glob(pattern: &str) -> impl Fn(&str) -> bool {
    let mut parts: Vec<String> = pattern.split('*').map(str::to_owned).collect();
    let last = parts.pop().unwrap_or_default();
    move |text| {
        let Some((first, middle)) = parts.split_first() else {
            return text == last;
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        for part in middle {
            match rest.find(part.as_str()) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

fn server_is_here(url: Option<&Value>) -> bool {
    let server = url.and_then(Value::as_str).map(server_of);
    match server {
        Some(Ok(peer)) => matches!(peer.address, SocketAddr::V4(it) if it.ip().is_loopback()),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, is) in [
            ("meter-1", "meter-1", true),
            ("meter-1", "meter-10", false),
            ("meter-*", "meter-10", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("a*a", "a", false),
            ("0/*/512", "0/1/512", true),
        ] {
            assert_eq!(glob(pattern)(text), is, "{pattern} {text}");
        }
    }
}

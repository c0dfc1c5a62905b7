//! The room itself: made by the first step that needs it, ended with the laboratory.

use std::{net::SocketAddr, sync::Arc};

use fotalab_simulators::device::{
    Kind, Setup,
    drive::{Bind, Driver, Fleet, Psk},
};
use fotalab_wire::net::Linked;
use rand::RngExt as _;
use regex::Regex;
use serde_json::Value;

use super::{
    Devices,
    drive::Handle,
    link::AirLink,
    server_of,
    watch::{Seen, Watch},
};
use crate::run::{Lab, Mismatch, StepError};

/// What a laboratory has in the air.
pub(crate) struct Air {
    devices: Devices,
    watch: Watch,
    known: Vec<Known>,
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
        let driver = Driver::with_sockets(Fleet::new(), network, shared, clock, bind)
            .map_err(|error| format!("no socket can be opened for devices: {error}"))?;
        Ok(Self {
            devices: Devices::run(driver, watch.clone()),
            watch,
            known: Vec::new(),
        })
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

    /// The devices of this name; `*` stands for anything.
    pub(crate) fn named(&self, name: &str) -> Vec<Known> {
        let matches = glob(name);
        let known = self.known.iter();
        known.filter(|it| matches(&it.name)).cloned().collect()
    }
}

/// Any free port of any address.
const ANY: ([u8; 4], u16) = ([0, 0, 0, 0], 0);

/// Adds a device, switched off, and tells the watch where it is.
pub(crate) async fn add(
    lab: &mut Lab,
    known: Known,
    kind: Arc<Kind>,
    setup: Setup,
    psk: Option<(Psk, Option<u64>)>,
) -> Result<(), StepError> {
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
            Ok(())
        }
        Err(why) => lab.fail(Mismatch::new(why)),
    }
}

/// Whether a name is what a pattern says; `*` stands for any text.
pub(crate) fn glob(pattern: &str) -> impl Fn(&str) -> bool {
    let escaped: Vec<String> = pattern.split('*').map(regex::escape).collect();
    let regex = Regex::new(&format!("^(?s:{})$", escaped.join(".*")));
    move |text| regex.as_ref().is_ok_and(|it| it.is_match(text))
}

fn server_is_here(url: Option<&Value>) -> bool {
    let server = url.and_then(Value::as_str).map(server_of);
    match server {
        Some(Ok(peer)) => matches!(peer.address, SocketAddr::V4(it) if it.ip().is_loopback()),
        _ => true,
    }
}

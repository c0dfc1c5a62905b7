//! How a device is set up, and what it tells.

use std::net::SocketAddr;
use std::sync::Arc;

use fotalab_wire::coap::{self, BlockSize, TransmissionParameters};
use fotalab_wire::lwm2m::{Definitions, Path, Tree, Value};

use super::iotaap::Response;
use super::{Persona, Step};
use crate::limits;

/// Objects that every device has.
const CORE_OBJECTS: [u16; 5] = [0, 1, 3, 4, 5];
/// See [`Persona::portfolio`].
const PORTFOLIO: u16 = 16;

/// Who a device talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer {
    /// Where.
    pub address: SocketAddr,
    /// Over DTLS: the driver seals and opens what passes.
    pub secure: bool,
}

/// What all devices of one kind share.
#[derive(Debug)]
pub struct Kind {
    pub(super) persona: Arc<Persona>,
    pub(super) coap: Arc<coap::Config>,
    pub(super) definitions: Definitions,
    /// Instances and values of objects beside 1, 3, 4 and 5.
    pub(super) custom: Tree,
}

/// One device as it is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its endpoint client name.
    pub endpoint: String,
    /// The version that it runs.
    pub firmware: String,
    /// Where it registers.
    pub server: Peer,
    /// All of its randomness.
    pub seed: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It has a registration, at this location.
    Registered(String),
    /// The server said no, or nothing. It tries again.
    NotRegistered(Option<coap::Code>),
    /// A registration update got no answer: a driver begins a new DTLS session.
    Unanswered,
    /// A secure file server got all retransmissions and said nothing: a driver begins a new DTLS
    /// session with it.
    FileServerUnanswered(SocketAddr),
    /// It is de-registered.
    Deregistered,
    /// A Send was answered, or never was.
    Sent(Option<coap::Code>),
    /// /5/0/3 or /5/0/5 changed.
    Update(Step),
    /// It went dark: a driver drops its DTLS sessions.
    Off,
    /// It is on again.
    On,
    /// It wants a package over a protocol that is not CoAP: answer with [`Device::fetched`](super::Device::fetched).
    Fetch {
        /// From where.
        uri: String,
        /// Bytes that are there.
        offset: usize,
        /// Of what is there.
        etag: Option<Vec<u8>>,
    },
    /// It does not want it any more.
    StopFetching,
    /// It asks for a document over HTTP: answer with [`Device::answered`](super::Device::answered).
    Ask {
        /// What for.
        uri: String,
    },
    /// It says this on its `update-response`, where it has MQTT.
    Responded(Response),
}

impl Kind {
    /// Devices with the objects 1, 3, 4 and 5.
    #[must_use]
    pub fn new(persona: Persona) -> Self {
        Self::with_objects(persona, Definitions::new(), Tree::new())
    }

    /// The same with objects of one's own, and the values that they begin with.
    #[must_use]
    pub fn with_objects(persona: Persona, mut custom: Definitions, mut values: Tree) -> Self {
        let speaks = persona.speaks;
        let persona = persona.speaking(speaks);
        let core = Definitions::core(persona.lwm2m);
        if persona.portfolio {
            custom.add_from(&core, PORTFOLIO);
            for (id, identity) in (0..).zip(["host id", "manufacturer", "model", "version"]) {
                let identity = Value::String(identity.to_owned());
                let resource = Path::resource(PORTFOLIO, 0, 0);
                values.set(resource.child(id).unwrap_or(resource), identity);
            }
        }
        for object in CORE_OBJECTS {
            custom.add_from(&core, object);
        }
        custom.set_version(5, persona.firmware_object);
        Self {
            coap: Arc::new(coap_of(&persona)),
            persona: Arc::new(persona),
            definitions: custom,
            custom: values,
        }
    }

    /// Its persona.
    #[must_use]
    pub fn persona(&self) -> &Persona {
        &self.persona
    }
}

/// What the CoAP endpoint of a device is made with.
pub(super) fn coap_of(persona: &Persona) -> coap::Config {
    coap::Config {
        parameters: TransmissionParameters {
            nstart: persona.nstart,
            ..TransmissionParameters::with_ack_timeout(persona.ack_timeout)
        },
        block_size: BlockSize::at_most(persona.block_size()),
        peers: limits::DEVICE_PEERS,
        frugal: true,
        ..coap::Config::default()
    }
}

//! A build without MQTT: devices of IoTaaP poll.

use fotalab_wire::net::BrokerUrl;
use serde_json::Value;

use crate::device::iotaap::{Keys, Response};

/// No clients.
pub struct Mqtt {
    never: std::convert::Infallible,
}

impl Mqtt {
    /// There are none in this build, which is known before.
    #[must_use]
    pub fn new(_broker: BrokerUrl) -> Option<Self> {
        None
    }

    pub(super) fn join(&mut self, _index: usize, _keys: &Keys) {
        match self.never {}
    }

    pub(super) async fn due(&mut self) -> Option<usize> {
        match self.never {}
    }

    pub(super) fn respond(&self, _index: usize, _response: Response) {
        match self.never {}
    }

    pub(super) fn status(&self, _index: usize, _status: &Value) {
        match self.never {}
    }
}

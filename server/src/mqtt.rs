//! The update trigger of IoTaaP (contract B6). There is no broker: devices find a firmware when they
//! ask `latest`, and the API says that it published nothing.

use crate::{core::iotaap::Scoped, server::Server};

impl Server {
    /// Host and port of the broker.
    pub(crate) fn broker(&self) -> Option<(String, u16)> {
        None
    }

    /// Publishes a message; `false` where there is no broker.
    pub(crate) fn publish(&self, _topic: String, _message: String) -> bool {
        false
    }

    /// Tells a device, or the devices of a group, that there is a firmware for them. Those that
    /// are not reached find it when they ask `latest`.
    pub(crate) fn trigger(&self, _scoped: Scoped, _key: &str) {}
}

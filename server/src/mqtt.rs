//! The broker of IoTaaP: it carries the update trigger to devices, and what they say back
//! (contract B6). Its client is the cargo feature `mqtt`; without it devices poll.

#[cfg(feature = "mqtt")]
mod client;

use fotalab_wire::net::BrokerUrl;
use tokio::sync::mpsc;

#[cfg(feature = "mqtt")]
pub(crate) use client::connect;

use crate::{core::iotaap::Scoped, server::Server};

/// The way to a broker.
#[derive(Debug)]
pub(crate) struct Broker {
    url: BrokerUrl,
    /// Topics and messages.
    queue: mpsc::Sender<(String, String)>,
}

impl Server {
    /// Host and port of the broker.
    pub(crate) fn broker(&self) -> Option<(String, u16)> {
        let broker = self.broker.get()?;
        Some((broker.url.host.clone(), broker.url.port))
    }

    /// Publishes a message; `false` where there is no broker, or it takes no more.
    pub(crate) fn publish(&self, topic: String, message: String) -> bool {
        let broker = self.broker.get();
        broker.is_some_and(|it| it.queue.try_send((topic, message)).is_ok())
    }

    /// Tells a device, or the devices of a group, that there is a firmware for them. Those that
    /// are not reached find it when they ask `latest`.
    pub(crate) fn trigger(&self, scoped: Scoped, key: &str) {
        let user = {
            let state = self.state();
            let owner = match scoped {
                Scoped::Device => state.iotaap.any_device(key).map(|it| &it.owner),
                Scoped::Group => state.iotaap.any_group(key).map(|it| &it.owner),
            };
            let owner = owner.and_then(|it| state.owners.get(it));
            owner.map(|it| it.iotaap.mqtt_user.clone())
        };
        let all = match scoped {
            Scoped::Device => "devices",
            Scoped::Group => "groups",
        };
        if let Some(user) = user {
            let topic = format!("/{user}/{all}/{key}/update-trigger");
            let _reached = self.publish(topic, "update".to_owned());
        }
    }
}

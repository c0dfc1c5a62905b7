//! MQTT for devices of IoTaaP (contract B6): each has a client of its own, hears its trigger, says
//! how a triggered check went, and every few seconds how it is. For the real world only.

use std::{collections::BTreeMap, time::Duration};

use fotalab_wire::net::BrokerUrl;
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, QoS};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::device::iotaap::{Keys, Response};
use crate::limits;

/// The clients of a fleet.
pub struct Mqtt {
    broker: BrokerUrl,
    /// With which its topics begin.
    user: String,
    clients: BTreeMap<usize, (AsyncClient, String)>,
    triggers: mpsc::UnboundedReceiver<usize>,
    triggered: mpsc::UnboundedSender<usize>,
    tasks: JoinSet<()>,
    status_at: Instant,
}

impl Mqtt {
    /// No client yet, and `None` in a build without MQTT; the broker's URL says the user, whose topics are the devices'.
    #[must_use]
    pub fn new(broker: BrokerUrl) -> Option<Self> {
        let (triggered, triggers) = mpsc::unbounded_channel();
        let user = broker.user.as_ref().map(|it| it.0.clone());
        Some(Self {
            broker,
            user: user.unwrap_or_default(),
            clients: BTreeMap::new(),
            triggers,
            triggered,
            tasks: JoinSet::new(),
            status_at: Instant::now(),
        })
    }

    /// Connects a device, once.
    pub(super) fn join(&mut self, index: usize, keys: &Keys) {
        if self.clients.contains_key(&index) {
            return;
        }
        let device = &keys.device.0;
        let place = match &keys.group {
            Some((group, _)) => format!("groups/{group}"),
            None => format!("devices/{device}"),
        };
        let topic = format!("/{}/{place}/update-trigger", self.user);
        let mut options = MqttOptions::new(device, self.broker.host.clone(), self.broker.port);
        options.set_keep_alive(limits::MQTT_KEEP_ALIVE);
        if let Some((user, password)) = &self.broker.user {
            options.set_credentials(user, password);
        }
        let (client, events) = AsyncClient::new(options, limits::MQTT_QUEUE);
        let triggered = self.triggered.clone();
        let listening = listen(client.clone(), events, topic, move || {
            // Nobody listens any more when the fleet ends.
            let _heard = triggered.send(index);
        });
        self.tasks.spawn(listening);
        self.clients.insert(index, (client, device.clone()));
    }

    /// A device that was told to look for a firmware, or `None` when it is time to say how all are.
    pub(super) async fn due(&mut self) -> Option<usize> {
        tokio::select! {
            // It has a sender of its own, so it never ends.
            index = self.triggers.recv() => index,
            () = sleep_until(self.status_at) => {
                self.status_at += limits::MQTT_STATUS;
                None
            }
        }
    }

    /// Says how a triggered check went.
    pub(super) fn respond(&self, index: usize, response: Response) {
        self.say(index, "update-response", &json!({"code": response as u16}));
    }

    /// Says how a device is.
    pub(super) fn status(&self, index: usize, status: &Value) {
        self.say(index, "status", status);
    }

    fn say(&self, index: usize, what: &str, message: &Value) {
        if let Some((client, device)) = self.clients.get(&index) {
            let topic = format!("/{}/devices/{device}/{what}", self.user);
            // A full queue is a broker that is gone; the next message says as much.
            let _said = client.try_publish(topic, QoS::AtLeastOnce, false, message.to_string());
        }
    }
}

async fn listen(
    client: AsyncClient,
    mut events: EventLoop,
    topic: String,
    triggered: impl Fn() + Send,
) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                // The queue is empty when a connection begins.
                let _asked = client.try_subscribe(&topic, QoS::AtLeastOnce);
            }
            Ok(Event::Incoming(Incoming::Publish(_))) => triggered(),
            Ok(_) => {}
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

//! The client of a broker, connected as long as the server runs.

use std::sync::Arc;

use fotalab_wire::net::BrokerUrl;
use rumqttc::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, Publish, QoS};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::sleep};

use super::Broker;
use crate::{limits, server::Server};

/// What devices say.
const TOPICS: [&str; 2] = ["/+/devices/+/update-response", "/+/devices/+/status"];

/// Connects to a broker, and connects again whenever the connection breaks.
pub(crate) fn connect(server: &Arc<Server>, url: BrokerUrl) {
    let id = format!("fotalab-{:08x}", server.now().unsigned_abs() & 0xFFFF_FFFF);
    let mut options = MqttOptions::new(id, url.host.clone(), url.port);
    options.set_keep_alive(limits::MQTT_KEEP_ALIVE);
    if let Some((user, password)) = &url.user {
        options.set_credentials(user, password);
    }
    let (client, events) = AsyncClient::new(options, limits::MQTT_QUEUE);
    let (queue, waiting) = mpsc::channel(limits::MQTT_QUEUE);
    // Connected once in the life of a server.
    let _first = server.broker.set(Broker { url, queue });
    server.spawn(pass_on(client.clone(), waiting));
    server.spawn(listen(Arc::clone(server), client, events));
}

async fn pass_on(client: AsyncClient, mut waiting: mpsc::Receiver<(String, String)>) {
    while let Some((topic, message)) = waiting.recv().await {
        // It fails when nobody drives it any more: the server ends.
        let sent = client.publish(topic, QoS::AtLeastOnce, false, message);
        if sent.await.is_err() {
            return;
        }
    }
}

async fn listen(server: Arc<Server>, client: AsyncClient, mut events: EventLoop) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                for topic in TOPICS {
                    // The queue is as long as this list at least.
                    let _asked = client.try_subscribe(topic, QoS::AtLeastOnce);
                }
            }
            Ok(Event::Incoming(Incoming::Publish(publish))) => heard(&server, &publish),
            Ok(_) => {}
            Err(_) => sleep(limits::MQTT_PAUSE).await,
        }
    }
}

/// A device said something, if the topic is one of its owner's and the device is the owner's.
fn heard(server: &Arc<Server>, publish: &Publish) {
    let segments: Vec<&str> = publish.topic.split('/').collect();
    let ["", user, "devices", device, what] = segments.as_slice() else {
        return;
    };
    let Ok(message) = serde_json::from_slice::<Value>(&publish.payload) else {
        return;
    };
    server.change(|state, now| {
        let owner = state.owners.of_mqtt_user(user);
        let known = state.iotaap.any_device(device);
        if known.is_none_or(|it| Some(it.owner.as_str()) != owner) {
            return;
        }
        state.iotaap.contacted(now, device);
        if *what == "update-response" {
            let document = json!({"device": device, "code": message["code"]});
            state.feed.tell("updateResponse", &document);
        } else if let Some(version) = message["fw_version"].as_str() {
            let version: String = version.chars().take(limits::MAX_NAME_BYTES).collect();
            let changed = state.iotaap.with_device(device, |it| {
                let before = std::mem::replace(&mut it.standing.said.version, version.clone());
                before != version
            });
            if changed == Some(true) {
                let document = json!({"device": device, "firmwareVersion": version});
                state.feed.tell("status", &document);
            }
        }
    });
}

//! The Coiote face, in the virtual world: what its how-to does, on devices that are scripted.

mod bad_input;
#[path = "../air/device.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod device;
mod devices;
mod groups;
mod how_to;
mod oddities;
mod owners;
mod parameters;
mod restart;
#[path = "../support/mod.rs"]
mod support;
mod tasks;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use device::{Device, Reply};
use fotalab_server::Config;
use fotalab_wire::{
    coap::{Code, Message, Request as Coap, message::number},
    net::{Clock, InMemory, Network, http::send},
};
use http::{Method, Request};
use serde_json::{Value, json};
use support::{Answer, EPOCH, World};
use tokio::time::sleep;

/// The endpoint name of the how-to.
pub(crate) const DEVICE: &str = "api-test-device";
/// The group of the how-to.
pub(crate) const GROUP: &str = "root.mt.demo.api-test";
/// The resource of the how-to.
pub(crate) const RESOURCE: &str = "demo-file-resource-id";
/// Where the API is.
pub(crate) const BASE: &str = "/api/coiotedm/v3";

/// A server with its network, and a user of its API.
pub(crate) struct Lab {
    pub(crate) world: World,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) clock: Clock,
    pub(crate) coap: SocketAddr,
    pub(crate) token: String,
}

/// A registered device, and where its registration is.
pub(crate) struct Registered {
    pub(crate) device: Device,
    pub(crate) location: String,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let network: Arc<dyn Network> = Arc::new(InMemory::new());
        Self::on(network, Clock::starting_at(EPOCH), adjust).await
    }

    pub(crate) async fn on(
        network: Arc<dyn Network>,
        clock: Clock,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        let world = World::new(Arc::clone(&network), clock, adjust).await;
        let token = world.running.context()["COIOTETOKEN"].clone();
        Self {
            coap: world.running.coap().expect("devices may come"),
            token: token.as_str().expect("a token").to_owned(),
            network,
            clock,
            world,
        }
    }

    /// A request with the token of the default account.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.ask_as(&self.token, method, path, body).await
    }

    pub(crate) async fn ask_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let body = body.map(|it| it.to_string()).unwrap_or_default();
        let headers = [("authorization", format!("Bearer {token}"))];
        let path = format!("{BASE}{path}");
        self.world.request(method, &path, &headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// A POST that makes something; what it made.
    pub(crate) async fn post(&self, path: &str, body: Option<Value>) -> Value {
        let answer = self.ask(Method::POST, path, body).await;
        assert_eq!(answer.status, 201, "{path}: {}", answer.text);
        answer.json()
    }

    /// A device that registers as `endpoint` with a lifetime of five minutes.
    pub(crate) async fn device(&self, endpoint: &str) -> Registered {
        self.device_with(endpoint, "&lt=300", |_| {}).await
    }

    pub(crate) async fn device_with(
        &self,
        endpoint: &str,
        query: &str,
        adjust: impl FnOnce(&Device),
    ) -> Registered {
        let device = Device::new(&self.network, self.clock, self.coap);
        {
            let mut script = device.script();
            script.values.insert("/3/0/0", "AVSystem".into());
            script.values.insert("/3/0/1", "Svetovid".into());
            script.values.insert("/3/0/2", "322da45aa528\n".into());
            script.values.insert("/3/0/3", "0.2".into());
            script.values.insert("/5/0/8", "0".into());
            script.next_version = "0.3".into();
            let what = r#"[{"bn":"/3/0/","n":"0","vs":"AVSystem"},{"n":"1","vs":"Svetovid"},
                {"n":"2","vs":"322da45aa528\n"},{"n":"3","vs":"0.2"}]"#;
            let reply = Reply::with(Code::CONTENT, 110, what);
            script.instead.insert("GET /3/0", reply);
        }
        adjust(&device);
        let said = format!("ep={endpoint}&lwm2m=1.1{query}");
        let (code, message) = device.register(&said).await;
        assert_eq!(code, Code::CREATED);
        Registered {
            device,
            location: location(&message),
        }
    }

    /// Makes the how-to's resource and uploads `bytes`.
    pub(crate) async fn resource(&self, bytes: &[u8]) {
        let body = json!({
            "id": RESOURCE,
            "name": "demo-file-resource",
            "location": {"InternalLocation": {"fileName": "file-name"}},
            "category": "FIRMWARE",
            "domain": "/demo/",
            "expirationTime": "ONE_DAY"
        });
        assert_eq!(self.post("/resources", Some(body)).await, RESOURCE);
        assert_eq!(self.upload(RESOURCE, bytes).await.status, 204);
    }

    pub(crate) async fn upload(&self, id: &str, bytes: &[u8]) -> Answer {
        let address = self.world.running.address();
        let request = Request::put(format!("http://{address}{BASE}/resources/{id}/data"))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/octet-stream")
            .body(Bytes::copy_from_slice(bytes))
            .expect("a request");
        let answer = send(&*self.network, request, 1 << 20).await;
        let (parts, body) = answer.expect("an answer").into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(body.to_vec()).expect("UTF-8"),
        }
    }

    /// Asks for an upgrade over CoAP that begins at once; the task's id.
    pub(crate) async fn upgrade(&self, device: &str, query: &str) -> String {
        // The last of a name counts.
        let query = format!("transferProtocol=COAP&executeImmediately=true{query}");
        let path = format!("/tasks/upgrade/{device}/{RESOURCE}?{query}");
        let id = self.post(&path, None).await;
        id.as_str().expect("an id").to_owned()
    }

    /// The report of a task, once there is one. Until then 404 and 4041, in the how-to's words.
    pub(crate) async fn report(&self, task: &str, device: &str) -> Value {
        for _ in 0..20_000 {
            let path = format!("/taskReports/{}/{device}", task.replace(':', "%3A"));
            let answer = self.ask(Method::GET, &path, None).await;
            if answer.status == 200 {
                return answer.json();
            }
            assert_eq!(
                (answer.status, answer.text.as_str()),
                (
                    404,
                    r#"{"message":"Task has not been executed yet.","code":4041}"#
                )
            );
            sleep(Duration::from_millis(500)).await;
        }
        panic!("there never was a report of {task}");
    }
}

impl Registered {
    /// Sends a registration update.
    pub(crate) async fn uplink(&self) {
        let (code, _) = self.device.ask(Coap::post(&self.location(), "")).await;
        assert_eq!(code, Code::CHANGED);
    }

    /// Where its last registration is.
    pub(crate) fn location(&self) -> String {
        let script = self.device.script();
        let mut created = script.answers.iter().rev();
        let last = created.find(|(code, _)| *code == Code::CREATED);
        last.map_or(self.location.clone(), |(_, message)| location(message))
    }

    /// How often the device got `request`, such as `PUT /5/0/1`.
    pub(crate) fn count(&self, request: &str) -> usize {
        self.device.count(request)
    }

    /// What it got, without what the server reads to know it.
    pub(crate) fn got(&self) -> Vec<String> {
        let script = self.device.script();
        let got = script.got.iter().filter(|it| *it != "GET /3/0");
        got.cloned().collect()
    }
}

/// `/rd/...` of an answer to Register.
pub(crate) fn location(message: &Message) -> String {
    let options = message.options.iter();
    let segments = options.filter(|(option, _)| *option == number::LOCATION_PATH);
    let segments = segments.map(|(_, it)| format!("/{}", String::from_utf8_lossy(it)));
    segments.collect()
}

/// Bytes that differ from block to block.
pub(crate) fn image_of(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 1_024) as u8).collect()
}

/// The value of a property of a report.
pub(crate) fn property<'a>(report: &'a Value, name: &str) -> Option<&'a str> {
    let properties = report["properties"].as_array()?;
    let found = properties.iter().find(|it| it["name"] == name)?;
    found["value"].as_str()
}

/// Names of a report's properties, in order.
pub(crate) fn property_names(report: &Value) -> Vec<&str> {
    let properties = report["properties"].as_array().expect("properties");
    properties
        .iter()
        .filter_map(|it| it["name"].as_str())
        .collect()
}

//! IoTaaP's API and its devices, in the virtual world.

mod bad_input;
mod devices;
mod lwm2m;
mod ota;
mod ownership;
#[path = "../air/device.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod played;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;

use bytes::Bytes;
use fotalab_server::{Config, Memory, Storage};
use fotalab_wire::net::{Clock, InMemory, Network, http::send};
use http::{Method, Request};
use serde_json::{Value, json};
use support::{Answer, EPOCH, World};

/// A server, asked as the owner of its default account unless said otherwise.
pub(crate) struct Iotaap {
    pub(crate) world: World,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) clock: Clock,
    pub(crate) token: String,
}

impl Iotaap {
    pub(crate) async fn new() -> Self {
        Self::with(Arc::new(InMemory::new()), |_| {}).await
    }

    pub(crate) async fn with(network: Arc<dyn Network>, adjust: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::starting_at(EPOCH);
        let world = World::new(Arc::clone(&network), clock, adjust).await;
        let token = text(&world.running.context()["IOTAAPTOKEN"]).to_owned();
        Self {
            world,
            network,
            clock,
            token,
        }
    }

    /// One that keeps what it knows.
    pub(crate) async fn keeping(network: &Arc<dyn Network>, memory: &Memory) -> Self {
        let storage = Storage::Memory(memory.clone());
        Self::with(Arc::clone(network), |config| config.storage = storage).await
    }

    /// An account of our own with this token.
    pub(crate) async fn account(&self, name: &str, body: Value) {
        let path = format!("/accounts/{name}");
        let put = self.world.admin(Method::PUT, &path, &body).await;
        assert_eq!(put.status, 200, "{}", put.text);
    }

    pub(crate) async fn ask_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Answer {
        let headers = [
            ("authorization", format!("Bearer {token}")),
            ("content-type", "application/json".to_owned()),
        ];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.world
            .request(method, &format!("/iotaap/v1{path}"), &headers, body)
            .await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        self.ask_as(&self.token, method, path, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path, Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// A device or group: `devices`, `groups`.
    pub(crate) async fn make(&self, all: &str) -> Value {
        let answer = self.ask(Method::POST, &format!("/{all}"), json!({})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    pub(crate) async fn join(&self, device: &Value, group: &Value) {
        let path = format!("/devices/{}", text(&device["_id"]));
        let body = json!({"group": group["_id"]});
        let answer = self.ask(Method::PUT, &path, body).await;
        assert_eq!(answer.json()["group"], group["_id"]);
    }

    /// Deploys to `device` or `group`.
    pub(crate) async fn deploy(&self, scoped: &str, of: &Value, version: &str, bytes: &[u8]) {
        let form = [
            ("firmware", Some("firmware.bin"), bytes),
            (scoped, None, text(&of["_id"]).as_bytes()),
            ("token", None, text(&of["token"]).as_bytes()),
            ("version", None, version.as_bytes()),
        ];
        let answer = self.send_form(&self.token, scoped, &form).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(
            answer.json(),
            json!({"message": "Firmware successfully deployed"})
        );
    }

    pub(crate) async fn send_form(
        &self,
        token: &str,
        scoped: &str,
        parts: &[(&str, Option<&str>, &[u8])],
    ) -> Answer {
        let boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
        let mut body = Vec::new();
        for (name, file, bytes) in parts {
            let file = file
                .map(|it| format!("; filename=\"{it}\""))
                .unwrap_or_default();
            let head = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
            );
            body.extend(head.as_bytes());
            body.extend(*bytes);
            body.extend(b"\r\n");
        }
        body.extend(format!("--{boundary}--\r\n").as_bytes());
        let address = self.world.running.address();
        let request = Request::post(format!("http://{address}/iotaap/v1/ota/{scoped}"))
            .header("authorization", format!("Bearer {token}"))
            .header(
                "content-type",
                format!("multipart/form-data; boundary={boundary}"),
            )
            .body(Bytes::from(body))
            .expect("a request");
        let answer = send(&*self.network, request, 1 << 20)
            .await
            .expect("an answer");
        let (parts, body) = answer.into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(body.to_vec()).expect("UTF-8"),
        }
    }

    /// Asks as a device does, without a token.
    pub(crate) async fn bare(&self, path: &str) -> Answer {
        self.world
            .request(
                Method::GET,
                &format!("/iotaap/v1{path}"),
                &[],
                String::new(),
            )
            .await
    }
}

#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[track_caller]
pub(crate) fn says(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.json()["message"], message);
    // Only 500 says more.
    assert_eq!(answer.json().get("error").is_some(), status == 500);
}

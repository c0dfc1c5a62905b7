//! Horde's API and its devices, in the virtual world.

mod bad_input;
mod devices;
mod ownership;
mod peer;
mod rest;
mod restart;
mod simple;
#[path = "../support/mod.rs"]
mod support;

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use fotalab_server::{Config, Memory, Storage};
use fotalab_wire::net::{Clock, InMemory, Network, http::send};
use http::{Method, Request};
use serde_json::{Value, json};
use support::{Answer, EPOCH, World};

/// A server, asked as the owner of its default account unless said otherwise.
pub(crate) struct Horde {
    pub(crate) world: World,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) clock: Clock,
    token: String,
}

impl Horde {
    pub(crate) async fn new() -> Self {
        Self::with(Arc::new(InMemory::new()), |_| {}).await
    }

    pub(crate) async fn with(network: Arc<dyn Network>, adjust: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::starting_at(EPOCH);
        let world = World::new(Arc::clone(&network), clock, adjust).await;
        let token = world.running.context()["HORDETOKEN"]
            .as_str()
            .expect("a token")
            .to_owned();
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

    /// The same server for somebody with another token.
    pub(crate) async fn ask_as(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: &str,
    ) -> Answer {
        // Not JSON, as curl says it: nobody looks.
        let headers = [
            ("x-api-token", token.to_owned()),
            (
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            ),
        ];
        let path = format!("/horde{path}");
        self.world
            .request(method, &path, &headers, body.to_owned())
            .await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.ask_as(&self.token, method, path, &body).await
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> impl Future<Output = Value> {
        let path = path.to_owned();
        async move {
            let answer = self.ask(Method::GET, &path, Value::Null).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            answer.json()
        }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.ask(Method::POST, path, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Value {
        let answer = self.ask(Method::PATCH, path, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// A collection with this management; gives its path.
    pub(crate) async fn collection(&self, management: &str) -> String {
        let body = json!({"firmware": {"management": management}});
        let made = self.post("/collections", body).await;
        format!("/collections/{}", text(&made["collectionId"]))
    }

    /// A device of a collection; gives its path.
    pub(crate) async fn device(&self, collection: &str, number: u64) -> String {
        let body = json!({"imsi": (1_000_000 + number).to_string(), "imei": imei(number)});
        let made = self.post(&format!("{collection}/devices"), body).await;
        format!("{collection}/devices/{}", text(&made["deviceId"]))
    }

    /// Uploads an image as a form.
    pub(crate) async fn upload(&self, collection: &str, name: &str, bytes: &[u8]) -> Answer {
        let form = form(&[("image", Some(name), bytes)]);
        self.send_form(&format!("/horde{collection}/firmware"), form)
            .await
    }

    /// An image with a version; gives its id.
    pub(crate) async fn image(&self, collection: &str, version: &str, bytes: &[u8]) -> String {
        let made = self.upload(collection, "zephyr.signed.bin", bytes).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let id = text(&made.json()["imageId"]).to_owned();
        let path = format!("{collection}/firmware/{id}");
        self.patch(&path, json!({"version": version})).await;
        id
    }

    /// Tells the admin face who sends from an address.
    pub(crate) async fn address(&self, endpoint: &str, number: u64, address: SocketAddr) {
        let body = json!({"imei": imei(number), "address": address.to_string()});
        let path = format!("/devices/{endpoint}");
        let answer = self.world.admin(Method::PUT, &path, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    pub(crate) async fn firmware(&self, device: &str) -> Value {
        self.get(device).await["firmware"].clone()
    }

    pub(crate) fn coap(&self) -> SocketAddr {
        self.world.running.coap().expect("devices may come")
    }

    async fn send_form(&self, path: &str, (boundary, body): (String, Vec<u8>)) -> Answer {
        let request = Request::post(format!("http://{}{path}", self.world.running.address()))
            .header("x-api-token", &self.token)
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
}

/// A form of parts, each with a name and maybe a file name.
pub(crate) fn form(parts: &[(&str, Option<&str>, &[u8])]) -> (String, Vec<u8>) {
    let boundary = "------------------------d74496d66958873e";
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
    (boundary.to_owned(), body)
}

pub(crate) fn imei(number: u64) -> String {
    (352_656_100_000_000 + number).to_string()
}

#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    let expected = json!({"status": status, "message": message});
    assert_eq!(answer.json(), expected);
}

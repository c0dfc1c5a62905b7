//! Whole rollouts through the faces of Horde and IoTaaP, with the devices that fotalab simulates: on
//! the virtual clock, over real sockets, and with a server that is killed in the middle.

mod horde;
mod iotaap;
mod killed;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use fotalab_simulators::device::{Persona, persona::Speaks};
use fotalab_wire::net::{Clock, Network, http::send};
use http::{Method, Request};
use serde_json::{Map, Value};

/// A world in which a server is: its network, its clock, and how fast things go there.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) clock: Clock,
    /// Between two reports of a device.
    pub(crate) lifetime: Duration,
}

/// One face of a server.
#[derive(Clone)]
pub(crate) struct Api {
    network: Arc<dyn Network>,
    base: String,
    header: (&'static str, String),
}

impl Api {
    fn new(world: &World, base: &Value, header: (&'static str, String)) -> Self {
        Self {
            network: Arc::clone(&world.network),
            base: base.as_str().expect("a URL").to_owned(),
            header,
        }
    }

    pub(crate) fn horde(world: &World, context: &Map<String, Value>) -> Self {
        let token = text(&context["HORDETOKEN"]).to_owned();
        Self::new(world, &context["HORDEURL"], ("x-api-token", token))
    }

    pub(crate) fn iotaap(world: &World, context: &Map<String, Value>) -> Self {
        let token = format!("Bearer {}", text(&context["IOTAAPTOKEN"]));
        Self::new(world, &context["IOTAAPURL"], ("authorization", token))
    }

    pub(crate) fn admin(world: &World, context: &Map<String, Value>) -> Self {
        let token = format!("Bearer {}", text(&context["ADMINTOKEN"]));
        Self::new(world, &context["ADMINURL"], ("authorization", token))
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let kind = "application/json".to_owned();
        self.send(method, path, kind, body.into_bytes())
            .await
            .expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The same of a server that may be down.
    pub(crate) async fn try_get(&self, path: &str) -> Option<Value> {
        let kind = "application/json".to_owned();
        let (status, body) = self.send(Method::GET, path, kind, Vec::new()).await?;
        assert_eq!(status, 200, "{body}");
        Some(body)
    }

    pub(crate) async fn change(&self, method: Method, path: &str, body: Value) -> Value {
        let (status, body) = self.ask(method, path, body).await;
        assert!((200..300).contains(&status), "{status} {body}");
        body
    }

    /// Sends a form of texts and one file.
    pub(crate) async fn upload(
        &self,
        path: &str,
        texts: &[(&str, &str)],
        (name, bytes): (&str, &[u8]),
    ) -> Value {
        let boundary = "fotalab-form-boundary";
        let mut body = Vec::new();
        for (name, text) in texts {
            let part = format!(
                "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n"
            );
            body.extend(part.as_bytes());
        }
        let head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"firmware.bin\"\r\n\r\n"
        );
        body.extend(head.as_bytes());
        body.extend(bytes);
        body.extend(format!("\r\n--{boundary}--\r\n").as_bytes());
        let kind = format!("multipart/form-data; boundary={boundary}");
        let sent = self.send(Method::POST, path, kind, body).await;
        let (status, body) = sent.expect("an answer");
        assert_eq!(status, 201, "{body}");
        body
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: String,
        body: Vec<u8>,
    ) -> Option<(u16, Value)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(self.header.0, &self.header.1)
            .header("content-type", kind)
            .body(Bytes::from(body))
            .expect("a request");
        let answer = send(&*self.network, request, 1 << 24).await.ok()?;
        let body = serde_json::from_slice(answer.body()).unwrap_or_default();
        Some((answer.status().as_u16(), body))
    }
}

/// A device that does not take long: its reboot and its lifetime are those of the world.
pub(crate) fn persona(world: &World, speaks: Speaks) -> Persona {
    let persona = Persona {
        lifetime: world.lifetime,
        reboot: world.lifetime / 20,
        install: world.lifetime / 20,
        update_after: world.lifetime / 50,
        ..Persona::default()
    };
    persona.speaking(speaks)
}

pub(crate) fn address(url: &Value) -> SocketAddr {
    let (_, rest) = text(url).split_once("://").expect("a URL");
    rest.parse().expect("an address")
}

#[track_caller]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

pub(crate) fn list(value: &Value) -> Vec<String> {
    let list = value.as_array().expect("a list");
    list.iter().map(|it| text(it).to_owned()).collect()
}

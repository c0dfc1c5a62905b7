//! What the tests of this package share: a server in a world, and a scripted upstream beside it.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its own part"
)]

mod upstream;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use fotalab_server::{Config, Running, start};
use fotalab_wire::net::{Clock, InMemory, Network, Stream, http::send};
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, Method, Request};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};
pub(crate) use upstream::{Reply, Upstream};

pub(crate) const TOKEN: &str = "admin-token";
pub(crate) const DEVICE: &str = "oob-352656108602296";
pub(crate) const FINGERPRINT: &str = "92b.y7i24q";
/// 2023-11-14T22:13:20.000Z
pub(crate) const EPOCH: i64 = 1_700_000_000_000;
pub(crate) const PROTO: &str = "https://github.com/hello-nrfcloud/proto/";
pub(crate) const JOB: &str = "bc631093-7f7c-4c1b-aa63-a68c759bcd5c";

/// A server, its upstream, and the network between them.
pub(crate) struct World {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) upstream: Upstream,
    pub(crate) running: Running,
    base: String,
}

/// An answer with its parts as a reader would look at them.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl World {
    /// A virtual world with the account `nordic` and one device of it.
    pub(crate) async fn virtually() -> Self {
        let network = Arc::new(InMemory::new());
        Self::new(network, Clock::starting_at(EPOCH), |_| {}).await
    }

    pub(crate) async fn new(
        network: Arc<dyn Network>,
        clock: Clock,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        let upstream = Upstream::listen(&*network);
        let mut config = Config::for_scenarios(TOKEN.into(), 42);
        adjust(&mut config);
        let running = start(config, Arc::clone(&network), clock)
            .await
            .expect("a server");
        let base = format!("http://{}", running.address());
        let world = Self {
            network,
            upstream,
            running,
            base,
        };
        world.put_account("nordic", "key-of-nordic").await;
        world.put_device(DEVICE, FINGERPRINT, "nordic").await;
        world
    }

    pub(crate) async fn put_account(&self, name: &str, key: &str) {
        let account = json!({"endpoint": self.upstream.endpoint(), "apiKey": key});
        let answer = self
            .admin(Method::PUT, &format!("/accounts/{name}"), &account)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    pub(crate) async fn put_device(&self, id: &str, fingerprint: &str, account: &str) {
        let device = json!({"fingerprint": fingerprint, "model": "PCA20065", "account": account});
        let answer = self
            .admin(Method::PUT, &format!("/devices/{id}"), &device)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    pub(crate) async fn admin(&self, method: Method, path: &str, body: &Value) -> Answer {
        let headers = [("authorization", format!("Bearer {TOKEN}"))];
        self.request(method, &format!("/admin{path}"), &headers, body.to_string())
            .await
    }

    /// A request of the first generation's base, the fingerprint added.
    pub(crate) async fn g1(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.hello("/hello/job-executions", method, path, body)
            .await
    }

    /// The same of the second.
    pub(crate) async fn g2(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.hello("/hello/jobs", method, path, body).await
    }

    async fn hello(&self, base: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        let with = if path.contains("fingerprint=") {
            String::new()
        } else {
            format!("?fingerprint={FINGERPRINT}")
        };
        let headers = [("content-type", "application/json".to_owned())];
        let body = body.map(|it| it.to_string()).unwrap_or_default();
        self.request(method, &format!("{base}{path}{with}"), &headers, body)
            .await
    }

    pub(crate) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: String,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Bytes::from(body)).expect("a request");
        let sent = timeout(
            Duration::from_secs(40),
            send(&*self.network, request, 1 << 24),
        );
        let (parts, body) = sent
            .await
            .expect("in time")
            .expect("an answer")
            .into_parts();
        let text = String::from_utf8(body.to_vec()).expect("UTF-8");
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
        }
    }

    /// The list of jobs of a generation, once `matches` holds for it.
    pub(crate) async fn jobs_when(&self, base: &str, matches: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..200 {
            let path = format!("/device/{DEVICE}/fota/jobs");
            let jobs = self.hello(base, Method::GET, &path, None).await.json();
            if matches(&jobs) {
                return jobs;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the list of jobs never was as expected");
    }

    pub(crate) async fn websocket(&self, base: &str, fingerprint: &str) -> Websocket {
        let stream = self.connect().await;
        let url = format!(
            "ws://{}{base}/ws?fingerprint={fingerprint}",
            self.running.address()
        );
        let (socket, _) = client_async(url, stream).await.expect("a websocket");
        Websocket { socket }
    }

    pub(crate) async fn connect(&self) -> Stream {
        let address = self.running.address();
        self.network
            .connect(&address.ip().to_string(), address.port())
            .await
            .expect("a connection")
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|why| panic!("{why}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|it| it.to_str().expect("text"))
            .unwrap_or_default()
    }

    /// Asserts on a problem document: status, title, and the detail if one is expected.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, title: &str, detail: Option<&str>) {
        let problem = self.json();
        assert_eq!(self.status, status, "{problem}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(
            problem["@context"],
            "https://github.com/hello-nrfcloud/proto/ProblemDetail"
        );
        assert_eq!(problem["status"], status);
        assert_eq!(problem["title"], title);
        if let Some(detail) = detail {
            assert_eq!(problem["detail"], detail);
        }
    }
}

/// A websocket's client end.
pub(crate) struct Websocket {
    pub(crate) socket: WebSocketStream<Stream>,
}

impl Websocket {
    /// The next message, within five minutes.
    pub(crate) async fn next(&mut self) -> Value {
        self.next_within(Duration::from_secs(300))
            .await
            .expect("a message")
    }

    pub(crate) async fn next_within(&mut self, wait: Duration) -> Option<Value> {
        loop {
            match timeout(wait, self.socket.next())
                .await
                .ok()?
                .expect("open")
                .expect("a frame")
            {
                Message::Text(text) => return Some(serde_json::from_str(&text).expect("JSON")),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message with this context, the ones before it dropped.
    pub(crate) async fn next_of(&mut self, context: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["@context"] == format!("{PROTO}{context}") {
                return message;
            }
        }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("sent");
    }
}

/// A shadow as the seed scenario has it: only `appVersion` is told of the device.
pub(crate) fn seed_state(app: &str, version: u64) -> Value {
    json!({
        "reported": {"device": {
            "deviceInfo": {"appVersion": app},
            "serviceInfo": {"fota_v2": ["BOOT", "MODEM", "APP"]}
        }},
        "metadata": {"reported": {"device": {
            "deviceInfo": {"appVersion": {"timestamp": 1_716_801_888}},
            "serviceInfo": {"fota_v2": [{"timestamp": 1_717_409_966}, {"timestamp": 1_717_409_966}]}
        }}},
        "version": version
    })
}

/// A shadow of a device that tells everything.
pub(crate) fn full_state(app: &str, modem: &str, types: &[&str], version: u64) -> Value {
    let at = 1_717_409_000 + version;
    json!({
        "reported": {"device": {
            "deviceInfo": {"appVersion": app, "modemFirmware": modem, "imei": "352656108602296", "board": "thingy91x"},
            "serviceInfo": {"fota_v2": types}
        }},
        "metadata": {"reported": {"device": {
            "deviceInfo": {"appVersion": {"timestamp": at}, "imei": {"timestamp": at}},
            "serviceInfo": {"fota_v2": [{"timestamp": 1_717_409_966}]}
        }}},
        "version": version
    })
}

/// An upstream job.
pub(crate) fn upstream_job(
    job: &str,
    status: &str,
    detail: &str,
    updated: &str,
    version: &str,
) -> Value {
    json!({
        "createdAt": "2023-09-12T00:00:00.000Z",
        "firmware": {
            "bundleId": "APP*1e29dfa3*v2.0.1", "fileSize": 425_860, "firmwareType": "APP",
            "host": "firmware.nrfcloud.com", "uris": ["bbfe/APP*1e29dfa3*v2.0.1/app.bin"], "version": version
        },
        "jobId": job, "lastUpdatedAt": updated, "name": job, "status": status, "statusDetail": detail,
        "target": {"deviceIds": [DEVICE], "tags": []}
    })
}

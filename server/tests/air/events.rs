//! `GET /admin/events`, read one by one.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;

use crate::support::{TOKEN, World};

pub(crate) struct Events {
    body: Incoming,
}

impl Events {
    pub(crate) async fn of(world: &World) -> Self {
        let stream = world.connect().await;
        let io = hyper_util::rt::TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
            .await
            .expect("HTTP");
        tokio::spawn(connection);
        let request = http::Request::get("/admin/events")
            .header("host", "x")
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .expect("a request");
        let answer = sender.send_request(request).await.expect("answered");
        let mut events = Self {
            body: answer.into_body(),
        };
        assert_eq!(events.frame().await, ": listening\n\n");
        events
    }

    /// The next event and its document.
    pub(crate) async fn next(&mut self) -> (String, Value) {
        let frame = self.frame().await;
        let (event, rest) = frame.split_once("\ndata: ").expect("two lines");
        let event = event.strip_prefix("event: ").expect("an event");
        let document = serde_json::from_str(rest.trim_end()).expect("JSON");
        (event.to_owned(), document)
    }

    /// The next one of this name.
    pub(crate) async fn next_of(&mut self, name: &str) -> Value {
        loop {
            let (event, document) = self.next().await;
            if event == name {
                return document;
            }
        }
    }

    /// The next values that a device told.
    #[allow(dead_code, reason = "for the tests of hostile peers")]
    pub(crate) async fn values(&mut self, endpoint: &str, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < count {
            let told = self.next_of("notification").await;
            if told["endpoint"] == endpoint {
                let value = told["value"].as_u64().expect("a number");
                values.push(u32::try_from(value).expect("a small one"));
            }
        }
        values
    }

    async fn frame(&mut self) -> String {
        let frame = self.body.frame().await.expect("open").expect("a frame");
        String::from_utf8(frame.into_data().expect("bytes").to_vec()).expect("UTF-8")
    }
}

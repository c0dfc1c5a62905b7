//! A headless Chromium, driven over its DevTools protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>).

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async_with_config, tungstenite};

/// A browser with one page.
pub(super) struct Browser {
    process: Child,
    profile: PathBuf,
    socket: WebSocketStream<TcpStream>,
    session: Value,
    calls: u64,
    /// What went wrong on the page, in its words.
    pub(super) complaints: Vec<String>,
    /// What the page asked for, other than itself.
    pub(super) requests: Vec<String>,
}

/// The browser of this machine: `FOTALAB_CHROMIUM`, else one on the path. `None` is printed as a skip.
pub(super) fn program() -> Option<String> {
    let named = std::env::var("FOTALAB_CHROMIUM").ok();
    let usual = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
    let found = named.into_iter().chain(usual).find(|it| {
        let version = Command::new(it)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        version.is_ok_and(|it| it.success())
    });
    if found.is_none() {
        eprintln!(
            "SKIPPED: there is no Chromium; `apt-get install chromium`, or FOTALAB_CHROMIUM names one"
        );
    }
    found
}

/// A page that has not come to a state by then does not come to it: this machine may be busy.
const PATIENCE_MS: u32 = 60_000;

impl Browser {
    /// Starts it with a window of this size, dark or light.
    pub(super) async fn start(
        program: &str,
        directory: &Path,
        size: (u32, u32),
        dark: bool,
    ) -> Self {
        let profile = directory.join("profile");
        let mut process = Command::new(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-port=0",
                "about:blank",
            ])
            .args([
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let talk = BufReader::new(process.stderr.take().expect("it is piped"));
        let mut lines = talk.lines().map_while(Result::ok);
        let url = lines.find_map(|it| Some(it.split_once("DevTools listening on ")?.1.to_owned()));
        let url = url.expect("it says where it listens");
        // Somebody has to read what it says, or it stops when nobody does.
        std::thread::spawn(move || lines.for_each(drop));
        let host = url
            .trim_start_matches("ws://")
            .split('/')
            .next()
            .expect("a host")
            .to_owned();
        let stream = TcpStream::connect(&host).await.expect("it listens");
        let config = tungstenite::protocol::WebSocketConfig::default()
            .max_message_size(None)
            .max_frame_size(None);
        let (socket, _) = client_async_with_config(url, stream, Some(config))
            .await
            .expect("a websocket");
        let mut browser = Self {
            process,
            profile,
            socket,
            session: Value::Null,
            calls: 0,
            complaints: Vec::new(),
            requests: Vec::new(),
        };
        let targets = browser.call("Target.getTargets", json!({})).await;
        let targets = targets["targetInfos"].as_array().expect("targets").clone();
        let page = targets
            .iter()
            .find(|it| it["type"] == "page")
            .expect("a page");
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        browser.session = browser.call("Target.attachToTarget", attach).await["sessionId"].clone();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser.resize(size).await;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.call("Emulation.setEmulatedMedia", media).await;
        browser
    }

    /// Makes the window so large.
    pub(super) async fn resize(&mut self, (width, height): (u32, u32)) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Opens a page of ours and waits until it says that it is there.
    pub(super) async fn open(&mut self, file: &Path, place: &str) {
        let url = format!("file://{}{place}", file.display());
        self.call("Page.navigate", json!({ "url": "about:blank" }))
            .await;
        self.call("Page.navigate", json!({ "url": url })).await;
        let ready = "new Promise(done => {
            const look = () => document.documentElement?.dataset.ready ? done(true) : setTimeout(look, 5);
            look();
        })";
        // The first attempt may be made in the page that is just left.
        while self
            .evaluate(&format!("location.protocol === 'file:' && {ready}"))
            .await
            != true
        {}
    }

    /// The value of a JavaScript expression, promises awaited; null when it failed.
    pub(super) async fn evaluate(&mut self, expression: &str) -> Value {
        let parameters =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", parameters).await;
        answer["result"]["value"].clone()
    }

    /// Presses a key.
    pub(super) async fn press(&mut self, key: &str) {
        let press = format!(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true, cancelable: true }}))"
        );
        self.evaluate(&press).await;
    }

    /// Clicks the first element that fits, once there is one.
    pub(super) async fn click(&mut self, selector: &str) {
        let element = format!("document.querySelector(`{selector}`)");
        self.until(&element).await;
        let click = "new MouseEvent('click', { bubbles: true, cancelable: true })";
        self.evaluate(&format!("{element}.dispatchEvent({click})"))
            .await;
    }

    /// Waits until an expression is true; a page that does not get there fails.
    pub(super) async fn until(&mut self, expression: &str) {
        let wait = format!(
            "new Promise(done => {{
                const until = Date.now() + {PATIENCE_MS};
                const look = () => ({expression}) ? done(true) : Date.now() > until ? done(false) : setTimeout(look, 20);
                look();
            }})"
        );
        assert_eq!(self.evaluate(&wait).await, true, "{expression}");
    }

    /// A picture of what is on the screen.
    pub(super) async fn picture(&mut self, file: &Path) {
        use base64::Engine as _;
        // Two frames, so that what was changed is drawn.
        let drawn = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))";
        self.evaluate(drawn).await;
        let shot = self
            .call("Page.captureScreenshot", json!({ "format": "png" }))
            .await;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(shot["data"].as_str().expect("a picture"))
            .expect("Base64");
        std::fs::write(file, bytes).expect("ours to write");
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": parameters });
        if !self.session.is_null() {
            call["sessionId"] = self.session.clone();
        }
        let message = tungstenite::Message::text(call.to_string());
        self.socket.send(message).await.expect("the browser lives");
        loop {
            let message = self.socket.next().await.expect("the browser lives");
            let tungstenite::Message::Text(text) = message.expect("a message") else {
                continue;
            };
            let message: Value = serde_json::from_str(&text).expect("JSON");
            if message["id"] == self.calls {
                return message["result"].clone();
            }
            self.hear(&message);
        }
    }

    fn hear(&mut self, message: &Value) {
        let said = &message["params"];
        match message["method"].as_str() {
            Some("Runtime.consoleAPICalled") => self.complaints.push(said["args"].to_string()),
            Some("Runtime.exceptionThrown") => {
                self.complaints.push(said["exceptionDetails"].to_string())
            }
            Some("Log.entryAdded") => self.complaints.push(said["entry"]["text"].to_string()),
            Some("Network.requestWillBeSent") => {
                let url = said["request"]["url"].as_str().unwrap_or_default();
                let own = url.starts_with("file://") && said["type"] == "Document"
                    || url == "about:blank";
                if !own && url != "data:," {
                    self.requests.push(url.to_owned());
                }
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        drop(std::fs::remove_dir_all(&self.profile));
    }
}

//! `serve --data` is killed at random moments of an update, and brought back: it ends right, and a
//! device is told once to install (X-FW-S30).

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use fotalab_wire::{
    coap::{Code, Kind, Message},
    net::{Sockets, http::send},
};
use http::Request;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{directory, fotalab, long};

/// Kills per way of transfer.
const KILLS: usize = 3;
/// The same with `FOTALAB_LONG=1`.
const KILLS_LONG: usize = 20;
/// Servers that are killed at the same time.
const AT_ONCE: usize = 6;
/// An update of such a device takes a bit less, from being asked for to the new version.
const UPDATE: Duration = Duration::from_millis(3_000);
/// A device that takes its time, so that there is something to interrupt.
const PERSONA: &str = r#"
flash-bytes-per-second = 60000
ack-timeout = "500ms"
update-after = "100ms"
install = "300ms"
reboot = "700ms"
"#;

#[test]
fn killed_at_any_moment_an_update_ends_right() {
    let folder = directory("restart");
    let image = folder.join("image.bin");
    let path = image.to_str().expect("UTF-8");
    let size = ["--size", "65536"];
    let made = ["image", "--firmware", "2.0.0", size[0], size[1], path];
    assert_eq!(fotalab(&folder, &made).code, Some(0));
    fs::write(folder.join("persona.toml"), PERSONA).expect("written");

    let kills = if long() { KILLS_LONG } else { KILLS };
    let mut random = StdRng::seed_from_u64(30);
    let mut trials = Vec::new();
    for transfer in ["push", "pull:coap"] {
        // One in each part of the update, so that all parts have their turn.
        for kill in 0..kills {
            let part = (kill as f64 + random.random::<f64>()) / kills as f64;
            trials.push((transfer, UPDATE.mul_f64(part)));
        }
    }
    let (next, under_way) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((transfer, at)) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let trial = Trial::new(&folder, transfer, *at);
                    let mut runtime = tokio::runtime::Builder::new_current_thread();
                    let runtime = runtime.enable_all().build().expect("a runtime");
                    if runtime.block_on(trial.run(&image)) {
                        under_way.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let under_way = under_way.into_inner();
    assert!(
        under_way * 3 >= trials.len() * 2,
        "only {under_way} were killed during an update"
    );
}

/// An address that stays free while nobody is there: below the ports that systems give away
/// (RFC 6335, 6; Linux begins at 32768).
fn free() -> SocketAddr {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 12_000).unwrap_or_default();
    let taken_in_turn = (0..12_000).map(|_| {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        SocketAddr::from((
            Ipv4Addr::LOCALHOST,
            20_000 + (first + tried % 12_000) % 12_000,
        ))
    });
    let mut free =
        taken_in_turn.filter(|it| UdpSocket::bind(it).is_ok() && TcpListener::bind(it).is_ok());
    free.next().expect("a port")
}

struct Trial {
    name: String,
    transfer: &'static str,
    at: Duration,
    folder: PathBuf,
    persona: PathBuf,
    http: SocketAddr,
    coap: SocketAddr,
    coaps: SocketAddr,
}

/// A process that does not outlive its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

struct Server {
    process: Process,
    context: Value,
}

impl Trial {
    fn new(folder: &Path, transfer: &'static str, at: Duration) -> Self {
        let name = format!("{}-{}", transfer.replace(':', "-"), at.as_micros());
        let of_trial = folder.join(&name);
        fs::create_dir_all(&of_trial).expect("a folder");
        Self {
            name: format!("{transfer}, killed after {at:?}"),
            transfer,
            at,
            persona: folder.join("persona.toml"),
            folder: of_trial,
            http: free(),
            coap: free(),
            coaps: free(),
        }
    }

    /// Whether the update had not ended when the server was killed.
    async fn run(&self, image: &Path) -> bool {
        let mut server = self.serve();
        let watch = Arc::<Watch>::default();
        let proxy = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let proxy = proxy.expect("a port");
        let reached = proxy.local_addr().expect("bound");
        tokio::spawn(carry(proxy, self.coap, Arc::clone(&watch)));
        let _fleet = self.fleet(reached);

        let bytes = fs::read(image).expect("made before");
        let image = server.ask("POST", "/images", bytes).await;
        self.registered(&server).await;
        let wanted = json!({
            "device": "meter-0",
            "image": image["id"],
            "transfer": self.transfer,
            "version": "2.0.0",
        });
        let update = server.ask("POST", "/updates", wanted.to_string()).await;
        sleep(self.at).await;
        let path = format!("/updates/{}", update["id"].as_str().expect("an id"));
        let under_way = server.ask("GET", &path, Bytes::new()).await["state"] != "succeeded";
        server.process.0.kill().expect("it runs");
        server.process.0.wait().expect("it ended");
        server = self.serve();

        let update = self.until(&server, &path, |it| {
            it["state"] == "succeeded" || it["state"] == "failed"
        });
        let update = update.await;
        assert_eq!(update["state"], "succeeded", "{}: {update:#}", self.name);
        let read = json!({"operation": "read", "path": "/3/0/3"});
        let operations = "/devices/meter-0/operations";
        let read = server.ask("POST", operations, read.to_string()).await;
        assert_eq!(read["value"], "2.0.0", "{}: {update:#}", self.name);
        let executes = watch.executes.lock().expect("no panic").clone();
        assert_eq!(executes.len(), 1, "{}: {executes:?} {update:#}", self.name);
        under_way
    }

    fn serve(&self) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fotalab"));
        let addresses = [
            ("--http", self.http),
            ("--coap", self.coap),
            ("--coaps", self.coaps),
        ];
        command
            .arg("serve")
            .arg("--data")
            .arg(self.folder.join("data"));
        for (name, address) in addresses {
            command.arg(name).arg(address.to_string());
        }
        let said = self.folder.join("stderr");
        let stderr = fs::File::create(&said).expect("a file");
        command.stdout(Stdio::piped()).stderr(stderr);
        let mut process = Process(command.spawn().expect("built"));
        let out = process.0.stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("a line");
        let context = serde_json::from_str(&line);
        let context = context.unwrap_or_else(|why| {
            let said = fs::read_to_string(&said).unwrap_or_default();
            panic!("{}: {why}: {line}{said}", self.name)
        });
        Server { process, context }
    }

    fn fleet(&self, server: SocketAddr) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fotalab"));
        let server = format!("coap://{server}");
        command
            .args(["fleet", "--server", &server, "--endpoint", "meter-{}"])
            .arg("--persona")
            .arg(&self.persona)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Process(command.spawn().expect("built"))
    }

    async fn registered(&self, server: &Server) {
        let registered = |it: &Value| it["registration"].is_object();
        self.until(server, "/devices/meter-0", registered).await;
    }

    async fn until(&self, server: &Server, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            loop {
                let document = server.ask("GET", path, Bytes::new()).await;
                if holds(&document) {
                    return document;
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = timeout(Duration::from_secs(60), wait).await;
        waited.unwrap_or_else(|_| panic!("{}: {path} never came there", self.name))
    }
}

impl Server {
    async fn ask(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Value {
        let text = |name: &str| self.context[name].as_str().expect("a variable").to_owned();
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", text("ADMINURL")))
            .header("authorization", format!("Bearer {}", text("ADMINTOKEN")))
            .body(body.into())
            .expect("a request");
        let answer = send(&Sockets, request, 1 << 20).await.expect("an answer");
        serde_json::from_slice(answer.body()).expect("JSON")
    }
}

/// What went by between the device and its server.
#[derive(Default)]
struct Watch {
    /// Message ids of Execute; the same again is a retransmission, or a duplicate.
    executes: Mutex<Vec<u16>>,
}

/// Carries datagrams between one device and its server, whether that is there or not.
async fn carry(device: tokio::net::UdpSocket, server: SocketAddr, watch: Arc<Watch>) {
    let outside = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let outside = outside.expect("a port");
    let mut at = None;
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            Ok((length, from)) = device.recv_from(&mut up) => {
                at = Some(from);
                // Nobody may be there.
                drop(outside.send_to(&up[..length], server).await);
            }
            Ok((length, _)) = outside.recv_from(&mut down) => {
                let datagram = &down[..length];
                if let Ok(message) = Message::parse(datagram)
                    && message.kind == Kind::Confirmable
                    && message.code == Code::POST
                    && message.options.path() == "/5/0/2"
                {
                    let mut executes = watch.executes.lock().expect("no panic");
                    if !executes.contains(&message.id) {
                        executes.push(message.id);
                    }
                }
                if let Some(at) = at {
                    drop(device.send_to(datagram, at).await);
                }
            }
        }
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_said_with_how_to_mend_it() {
    let folder = directory("data");
    let data = folder.join("data");
    fs::create_dir_all(&data).expect("a folder");
    fs::write(
        data.join("fotalab.db"),
        "this is no database at all".repeat(50),
    )
    .expect("written");
    let ran = fotalab(&folder, &["serve", "--data", "data"]);
    assert_eq!(ran.code, Some(5), "{}", ran.err);
    assert!(
        ran.err.contains("fotalab.db: it is no SQLite database"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("put a copy of the whole folder back"),
        "{}",
        ran.err
    );
    fs::remove_file(data.join("fotalab.db")).expect("it is ours");
    let trial = Trial::new(&folder, "push", Duration::ZERO);
    let _first = trial.serve();
    let second = trial.folder.join("data");
    let second = second.to_str().expect("UTF-8");
    let ran = fotalab(&folder, &["serve", "--data", second]);
    assert_eq!(ran.code, Some(5), "{}", ran.err);
    assert!(ran.err.contains("another server uses it"), "{}", ran.err);
}

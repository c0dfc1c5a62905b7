//! Registrations a second, over UDP on loopback, with 1 k and 100 k devices registered before; and
//! what the smallest possible responder makes of the same datagrams (the floor).
//!
//! Each line of the table is a batch of [`BATCH`] registrations of devices that are not known yet,
//! each from an address of its own, [`WINDOW`] under way at a time. With `--data` the clock stops
//! when all of them are on the disk. `cargo bench -p fotalab-server --features sqlite`.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use divan::{Bencher, counter::ItemsCount};
use fotalab_server::{Config, Storage, start};
use fotalab_wire::{
    coap::{
        Code, Kind, Message,
        message::{Token, number},
    },
    net::{Clock, Datagrams, Network as _, Sockets, http::send},
};
use http::Request;
use tokio::{sync::oneshot, time::timeout};

/// Registrations measured at a time.
const BATCH: u32 = 4_000;
/// Registrations under way.
const WINDOW: usize = 64;
/// A datagram that is not answered by then was lost, and is sent again.
const PATIENCE: Duration = Duration::from_millis(100);
const TOKEN: &str = "bench";
const BEFORE: [u32; 2] = [1_000, 100_000];

fn main() {
    divan::main();
}

/// One thread, one socket, one table, no checks.
#[divan::bench(args = BEFORE, sample_count = 5, sample_size = 1)]
fn floor(bencher: Bencher, before: u32) {
    measure(bencher, before, floor_server());
}

#[divan::bench(args = BEFORE, sample_count = 5, sample_size = 1)]
fn in_memory(bencher: Bencher, before: u32) {
    measure(bencher, before, server(Storage::Nowhere));
}

#[cfg(feature = "sqlite")]
#[divan::bench(args = BEFORE, sample_count = 5, sample_size = 1)]
fn stored(bencher: Bencher, before: u32) {
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("registrations");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("it is ours");
    }
    measure(bencher, before, server(Storage::Folder(folder)));
}

/// Where a server is; dropping it ends the server.
struct Served {
    coap: SocketAddr,
    admin: Option<String>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

fn measure(bencher: Bencher, before: u32, served: Served) {
    let runtime = runtime();
    let devices = runtime.block_on(async { Devices::new(served.coap) });
    let mut devices = devices;
    runtime.block_on(devices.register(before));
    runtime.block_on(safe(&served));
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        runtime.block_on(async {
            devices.register(BATCH).await;
            safe(&served).await;
        });
    });
}

/// Waits until all is stored: a changing request is answered when all before it is.
async fn safe(served: &Served) {
    if let Some(admin) = &served.admin {
        let request = Request::put(format!("{admin}/devices/last"))
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(Bytes::from_static(b"{}"))
            .expect("a request");
        let answer = send(&Sockets, request, 1 << 16).await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
}

/// Devices that register one after the other, each from its own address.
struct Devices {
    socket: Box<dyn Datagrams>,
    server: SocketAddr,
    next: u32,
}

impl Devices {
    fn new(server: SocketAddr) -> Self {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self {
            socket: Sockets.bind(any).expect("a port"),
            server,
            next: 0,
        }
    }

    async fn register(&mut self, count: u32) {
        let end = self.next + count;
        let mut under_way: HashMap<u32, Bytes> = HashMap::with_capacity(WINDOW);
        let mut received = Vec::new();
        while self.next < end || !under_way.is_empty() {
            while self.next < end && under_way.len() < WINDOW {
                let bytes = register(self.next);
                self.send(self.next, &bytes).await;
                under_way.insert(self.next, bytes);
                self.next += 1;
            }
            let came = timeout(PATIENCE, self.socket.recv(&mut received)).await;
            if came.is_err() {
                let lost: Vec<_> = under_way.iter().map(|(n, it)| (*n, it.clone())).collect();
                for (device, bytes) in lost {
                    self.send(device, &bytes).await;
                }
            }
            for datagram in received.drain(..) {
                let answer = Message::parse(&datagram.bytes).expect("CoAP");
                assert_eq!(answer.code, Code::CREATED);
                let token: [u8; 4] = answer.token.as_bytes().try_into().expect("ours");
                under_way.remove(&u32::from_be_bytes(token));
            }
        }
    }

    async fn send(&self, device: u32, bytes: &[u8]) {
        // 127.1.0.0 onwards.
        let from = Ipv4Addr::from(0x7F01_0000 + device);
        let from = SocketAddr::from((from, 0));
        let sent = self.socket.send(from, self.server, bytes).await;
        sent.expect("sent");
    }
}

/// As Anjay says it: some 115 bytes, six links.
fn register(device: u32) -> Bytes {
    let mut message = Message::new(Kind::Confirmable, Code::POST, device as u16);
    message.token = Token::new(&device.to_be_bytes()).expect("four bytes");
    message.options.push_path("/rd");
    message.options.push_uint(number::CONTENT_FORMAT, 40);
    for item in [
        "lwm2m=1.1",
        &format!("ep=urn:dev:os:{device:07}"),
        "lt=86400",
    ] {
        message.options.push(number::URI_QUERY, item.as_bytes());
    }
    message.payload = Bytes::from_static(b"</1/1>,</2>,</3/0>,</4/0>,</5/0>,</3303/0>");
    message.to_bytes()
}

fn server(storage: Storage) -> Served {
    let (tell, told) = std::sync::mpsc::channel();
    let (end, ended) = oneshot::channel::<()>();
    let thread = thread::spawn(move || {
        runtime().block_on(async {
            let mut config = Config::for_scenarios(TOKEN.into(), 1);
            config.storage = storage;
            let running = start(config, Arc::new(Sockets), Clock::of_machine()).await;
            let running = running.expect("a server");
            let admin = format!("http://{}/admin", running.address());
            let coap = running.coap().expect("devices may come");
            tell.send((admin, coap)).expect("somebody waits");
            drop(ended.await);
            running.stop().await;
        });
    });
    let (admin, coap) = told.recv().expect("it started");
    Served {
        coap,
        admin: Some(admin),
        end: Some(end),
        thread: Some(thread),
    }
}

fn floor_server() -> Served {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let coap = socket.local_addr().expect("bound");
    let (end, mut ended) = oneshot::channel::<()>();
    let brief = Some(Duration::from_millis(100));
    socket.set_read_timeout(brief).expect("a time");
    let thread = thread::spawn(move || {
        let mut table: HashMap<Vec<u8>, SocketAddr> = HashMap::new();
        let mut buffer = [0; 2_048];
        let over = |ended: &mut oneshot::Receiver<()>| {
            !matches!(ended.try_recv(), Err(oneshot::error::TryRecvError::Empty))
        };
        while !over(&mut ended) {
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                table.insert(buffer[8..length].to_vec(), from);
                // 2.01 with the id and the token of the request, and a Location-Path.
                let mut answer = [0; 18];
                answer[..8].copy_from_slice(&buffer[..8]);
                answer[0] = 0x64;
                answer[1] = 0x41;
                answer[8] = 0x82;
                answer[9..11].copy_from_slice(b"rd");
                answer[11] = 0x06;
                answer[12..18].copy_from_slice(b"123456");
                socket.send_to(&answer, from).expect("sent");
            }
        }
    });
    Served {
        coap,
        admin: None,
        end: Some(end),
        thread: Some(thread),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime")
}

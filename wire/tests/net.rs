//! Datagrams in both worlds, and the links that harm them.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use fotalab_wire::net::{
    Captured, Clock, Datagram, Datagrams, Direction, Fate, InMemory, Link, Linked, Loss, Lossy,
    LossyOptions, Network, Pcapng, Shared, Sighting, Sockets, Tap, Traced, VirtualLink, What,
};

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn datagram(from: &str, to: &str, bytes: impl Into<Bytes>) -> Datagram {
    Datagram {
        from: address(from),
        to: address(to),
        bytes: bytes.into(),
    }
}

async fn receive(socket: &dyn Datagrams, count: usize) -> Vec<Datagram> {
    let mut received = Vec::new();
    while received.len() < count {
        socket.recv(&mut received).await.expect("a socket");
    }
    received
}

/// A server on one address and a fleet on the wildcard: it sees distinct peers and each gets its
/// own answer.
async fn a_fleet_shares_a_socket(network: &dyn Network) {
    let server = network.bind(address("127.0.0.1:0")).expect("a port");
    let fleet = network.bind(address("0.0.0.0:0")).expect("a port");
    assert_ne!(server.local_addr().port(), 0);
    let devices = 200_u8;
    for n in 0..devices {
        let from = SocketAddr::from(([127, 8, n, 1], 0));
        let sent = fleet.send(from, server.local_addr(), &[n]).await;
        sent.expect("loopback answers to all of 127/8");
    }
    let requests = receive(&*server, devices.into()).await;
    let peers: BTreeSet<_> = requests.iter().map(|it| it.from).collect();
    assert_eq!(peers.len(), usize::from(devices));
    for request in requests {
        assert_eq!(request.to, server.local_addr());
        let answer = server.send_to(request.from, &request.bytes).await;
        answer.expect("a peer");
    }
    for answer in receive(&*fleet, devices.into()).await {
        let device = SocketAddr::from(([127, 8, answer.bytes[0], 1], fleet.local_addr().port()));
        assert_eq!(answer.to, device);
        assert_eq!(answer.from, server.local_addr());
    }
    let empty = server.send_to(requests_from(&*fleet), &[]).await;
    empty.expect("an empty datagram");
    assert_eq!(receive(&*fleet, 1).await[0].bytes.len(), 0);
    assert!(
        server
            .send_to(server.local_addr(), &[0; 65_508])
            .await
            .is_err()
    );
    assert!(network.bind(server.local_addr()).is_err(), "it is taken");
}

fn requests_from(fleet: &dyn Datagrams) -> SocketAddr {
    ([127, 0, 0, 1], fleet.local_addr().port()).into()
}

#[tokio::test]
async fn a_fleet_shares_a_real_socket() {
    a_fleet_shares_a_socket(&Sockets).await;
}

#[tokio::test(start_paused = true)]
async fn a_fleet_shares_a_virtual_socket() {
    a_fleet_shares_a_socket(&InMemory::new()).await;
}

#[tokio::test(start_paused = true)]
async fn virtual_datagrams_take_virtual_time() {
    let network = InMemory::new();
    let clock = Clock::starting_at(0);
    network.carry_datagrams(VirtualLink::with_latency(Duration::from_secs(3_600)), clock);
    let near = network.bind(address("10.0.0.1:5683")).expect("a port");
    let far = network
        .bind(address("10.0.0.2:5683"))
        .expect("another address");
    near.send_to(far.local_addr(), b"slow").await.expect("sent");
    let arrived = receive(&*far, 1).await;
    assert_eq!(arrived[0].from, near.local_addr());
    assert_eq!(clock.elapsed(), Duration::from_secs(3_600));
    assert!(
        near.send(address("10.0.0.9:1"), far.local_addr(), b"")
            .await
            .is_err()
    );
    drop(near);
    network.bind(address("10.0.0.1:5683")).expect("free again");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_socket_hears_of_an_earlier_arrival() {
    let network = InMemory::new();
    let lossy = Shared::new(Lossy::new(VirtualLink::new(), LossyOptions::default(), 0));
    let clock = Clock::starting_at(0);
    network.carry_datagrams(lossy.clone(), clock);
    let near = network.bind(address("10.0.0.1:1")).expect("a port");
    let far = network.bind(address("10.0.0.2:1")).expect("a port");
    let to = far.local_addr();
    let waiting = tokio::spawn(async move { receive(&*far, 2).await });
    for seconds in [100, 1] {
        let delay = Duration::from_secs(seconds);
        lossy.lock().options_mut().delay_min = delay;
        lossy.lock().options_mut().delay_max = delay;
        lossy.lock().options_mut().reordering = 1.0;
        near.send_to(to, &[u8::try_from(seconds).expect("small")])
            .await
            .expect("sent");
        tokio::task::yield_now().await;
    }
    let arrived = waiting.await.expect("no panic");
    assert_eq!((arrived[0].bytes[0], arrived[1].bytes[0]), (1, 100));
    assert_eq!(clock.elapsed(), Duration::from_secs(100));
}

fn bad() -> LossyOptions {
    LossyOptions {
        loss: 0.1,
        delay_min: Duration::from_millis(20),
        delay_max: Duration::from_millis(400),
        duplication: 0.1,
        reordering: 0.1,
        reordering_by: Duration::from_secs(1),
        corruption: 0.1,
        clog: 0.01,
        clog_max: Duration::from_secs(2),
        mtu: Some(500),
        rate: Some(20_000),
        rate_queue: Duration::from_secs(1),
        nat_idle: Some(Duration::from_secs(3)),
    }
}

/// Drives 2,000 datagrams through a link and writes down all that can be seen of it.
fn diary(seed: u64) -> (Vec<(Sighting, Option<Fate>)>, Vec<u8>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&seen);
    let observer = move |it: &Sighting| {
        let fate = match it.what {
            What::Sent(fate) => Some(fate),
            What::Delivered => None,
        };
        into.lock().expect("no panic").push((it.clone(), fate));
    };
    let file = Pcapng::new(Vec::new(), Duration::ZERO).expect("memory");
    let lossy = Lossy::new(VirtualLink::new(), bad(), seed);
    let captured = Captured::new(lossy, file, Tap::Delivered);
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let mut link = Traced::new(captured, observer);
    for n in 0..2_000_u32 {
        let now = Duration::from_millis(u64::from(n) * 37);
        let [_, _, _, device] = (n % 50).to_be_bytes();
        let from = SocketAddr::from(([10, 0, 0, device], 5683));
        link.send(
            now,
            Datagram {
                from,
                to: address("127.0.0.1:5683"),
                bytes: vec![device; 1 + n as usize % 520].into(),
            },
        );
        while let Some(arrived) = link.poll_deliver(now) {
            bytes
                .lock()
                .expect("no panic")
                .extend_from_slice(&arrived.bytes);
        }
    }
    let end = Duration::from_secs(3_600);
    while link.poll_deliver(end).is_some() {}
    assert_eq!(link.poll_timeout(), None);
    drop(link);
    let seen = seen.lock().expect("no panic").clone();
    let bytes = bytes.lock().expect("no panic").clone();
    (seen, bytes)
}

#[test]
fn the_same_seed_harms_the_same_way() {
    let first = diary(7);
    assert_eq!(first, diary(7));
    assert_ne!(first, diary(8));
    let fates: Vec<Fate> = first.0.iter().filter_map(|(_, fate)| *fate).collect();
    let count = |what: &dyn Fn(&Fate) -> bool| fates.iter().filter(|it| what(it)).count();
    assert_eq!(fates.len(), 2_000);
    let passed = count(&|it| it.loss.is_none());
    assert!((140..260).contains(&count(&|it| it.loss == Some(Loss::Chance))));
    assert!(count(&|it| it.loss == Some(Loss::TooBig)) > 30);
    assert!((passed / 20..passed / 5).contains(&count(&|it| it.duplicated)));
    assert!((passed / 20..passed / 5).contains(&count(&|it| it.corrupted)));
    assert!((passed / 20..passed / 5).contains(&count(&|it| it.reordered)));
    let delivered = first
        .0
        .iter()
        .filter(|(it, _)| it.what == What::Delivered)
        .count();
    assert_eq!(delivered, passed + count(&|it| it.duplicated));
}

#[test]
fn delay_alone_keeps_the_order_of_a_path() {
    let options = LossyOptions {
        delay_max: Duration::from_secs(10),
        ..LossyOptions::default()
    };
    let mut link = Lossy::new(VirtualLink::new(), options, 1);
    for n in 0..100_u8 {
        let fate = link.send(
            Duration::ZERO,
            datagram("10.0.0.1:1", "10.0.0.2:1", vec![n]),
        );
        assert!(!fate.reordered);
    }
    let end = Duration::from_secs(60);
    let order: Vec<_> = std::iter::from_fn(|| link.poll_deliver(end)).collect();
    assert!(order.iter().map(|it| it.bytes[0]).eq(0..100));
}

#[test]
fn a_bottleneck_queues_and_then_loses() {
    let options = LossyOptions {
        rate: Some(1_000),
        rate_queue: Duration::from_secs(2),
        ..LossyOptions::default()
    };
    let mut link = Lossy::new(VirtualLink::new(), options, 1);
    let mut send = || {
        let datagram = datagram("10.0.0.1:1", "10.0.0.2:1", vec![0; 1_000]);
        link.send(Duration::ZERO, datagram)
    };
    let delays: Vec<_> = (0..3).map(|_| send().delay.as_secs()).collect();
    assert_eq!(delays, [1, 2, 3]);
    assert_eq!(send().loss, Some(Loss::QueueFull));
}

#[test]
fn partitions_cut_one_way_or_both_until_healed() {
    let mut link = Lossy::new(VirtualLink::new(), LossyOptions::default(), 1);
    let passes = |link: &mut Lossy<VirtualLink>, from: &str, to: &str| {
        link.send(Duration::ZERO, datagram(from, to, "x"))
            .loss
            .is_none()
    };
    let (device, server) = ("10.0.0.1:1", "127.0.0.1:5683");
    for (direction, out, back) in [
        (Direction::From, false, true),
        (Direction::To, true, false),
        (Direction::Both, false, false),
    ] {
        // Port 0: the whole host.
        link.partition(address("10.0.0.1:0"), direction);
        assert_eq!(passes(&mut link, device, server), out, "{direction:?}");
        assert_eq!(passes(&mut link, server, device), back, "{direction:?}");
        assert!(passes(&mut link, "10.0.0.2:1", server));
    }
    link.heal(address("10.0.0.1:0"));
    assert!(passes(&mut link, device, server));
}

#[test]
fn a_nat_forgets_and_gives_a_new_port() {
    let mut link = Lossy::new(VirtualLink::new(), LossyOptions::default(), 1);
    let (device, server) = (address("10.0.0.1:1000"), address("127.0.0.1:5683"));
    let mut at = Duration::ZERO;
    let pass = |link: &mut Lossy<VirtualLink>, at: Duration, from: SocketAddr, to: SocketAddr| {
        let fate = link.send(
            at,
            Datagram {
                from,
                to,
                bytes: "x".into(),
            },
        );
        (fate.loss, link.poll_deliver(at).map(|it| (it.from, it.to)))
    };
    assert_eq!(
        pass(&mut link, at, device, server),
        (None, Some((device, server)))
    );
    // At once...
    let outside = link.rebind(at, device);
    assert_ne!(outside, device);
    assert_eq!(
        pass(&mut link, at, device, server),
        (None, Some((outside, server)))
    );
    assert_eq!(
        pass(&mut link, at, server, outside),
        (None, Some((server, device)))
    );
    assert_eq!(
        pass(&mut link, at, server, device),
        (Some(Loss::NoBinding), None)
    );
    // ...or after an idle time, in which the binding was used both ways.
    link.options_mut().nat_idle = Some(Duration::from_secs(30));
    at += Duration::from_secs(30);
    assert_eq!(pass(&mut link, at, server, outside).0, None);
    at += Duration::from_secs(31);
    assert_eq!(
        pass(&mut link, at, server, outside).0,
        Some(Loss::NoBinding)
    );
    let (_, arrived) = pass(&mut link, at, device, server);
    let (from, _) = arrived.expect("outbound always passes");
    assert!(from != outside && from != device, "{from}");
    assert_eq!(
        pass(&mut link, at, server, from),
        (None, Some((server, device)))
    );
}

#[tokio::test]
async fn a_link_wraps_a_real_socket() {
    let clock = Clock::of_machine();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&seen);
    let observer = move |it: &Sighting| into.lock().expect("no panic").push(it.what);
    let options = LossyOptions {
        duplication: 1.0,
        ..LossyOptions::default()
    };
    let lossy = Lossy::new(VirtualLink::new(), options, 1);
    let socket = Sockets.bind(address("127.0.0.1:0")).expect("a port");
    let server = Linked::new(socket, Traced::new(lossy, observer), clock);
    let device = Sockets.bind(address("127.0.0.1:0")).expect("a port");
    device
        .send_to(server.local_addr(), b"once")
        .await
        .expect("sent");
    let arrived = receive(&server, 2).await;
    assert_eq!(
        (&arrived[0].bytes[..], &arrived[1].bytes[..]),
        (&b"once"[..], &b"once"[..])
    );
    server
        .send_to(device.local_addr(), b"back")
        .await
        .expect("sent");
    // What it sends moves while somebody waits at it.
    let mut nothing = Vec::new();
    let answers = tokio::select! {
        answers = receive(&*device, 2) => answers,
        _ = server.recv(&mut nothing) => panic!("nobody sent anything"),
    };
    assert_eq!(answers[0].from, server.local_addr());
    let sent = |it: &&What| matches!(it, What::Sent(_));
    let seen = seen.lock().expect("no panic");
    assert_eq!((seen.iter().filter(sent).count(), seen.len()), (2, 6));
}

//! Load for CoAP servers on sockets: many peers, each with one request under way, and how much CPU
//! the server spent on it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{Block, BlockSize, Code, Kind, Message, MessageView, Token};
use fotalab_wire::net::{Clock, Datagram, Network as _, Sockets};

/// Bytes of the body that each peer gets or puts.
pub(crate) const BODY_BYTES: usize = 1 << 20;
const BLOCKS: u32 = (BODY_BYTES / 1_024) as u32;
/// A request that got no answer for so long is sent again; that many are told.
const PATIENCE: Duration = Duration::from_millis(500);

/// What peers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// GET by Block2.
    Get,
    /// PUT by Block1.
    Put,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// Blocks that were answered.
    pub(crate) blocks: u64,
    /// Requests that had to be sent again.
    pub(crate) again: u64,
    /// Answers that were errors.
    pub(crate) errors: u64,
    /// How long it took.
    pub(crate) took: Duration,
}

struct Peer {
    address: SocketAddr,
    number: u32,
    id: u16,
    sent: Duration,
}

/// Lets `peers` peers, each with an address of its own, ask `server` for so long.
pub(crate) async fn load(
    way: Way,
    server: SocketAddr,
    path: &str,
    peers: u16,
    time: Duration,
) -> io::Result<Outcome> {
    let socket = Sockets.bind(([0, 0, 0, 0], 0).into())?;
    let clock = Clock::of_machine();
    let mut outcome = Outcome::default();
    let mut all: Vec<Peer> = (0..peers)
        .map(|index| {
            let [high, low] = index.to_be_bytes();
            let address = IpAddr::from(Ipv4Addr::new(127, 90, high, low + 1));
            Peer {
                address: SocketAddr::new(address, 0),
                // Not all at the same place of the body.
                number: u32::from(index) * 7 % BLOCKS * u32::from(way == Way::Get),
                id: index.wrapping_mul(257),
                sent: Duration::ZERO,
            }
        })
        .collect();
    let send = async |peer: &mut Peer, now: Duration| {
        peer.sent = now;
        let bytes = request(way, path, peer.id, peer.number);
        socket.send(peer.address, server, &bytes).await
    };
    for peer in &mut all {
        send(peer, clock.elapsed()).await?;
    }
    let begin = clock.elapsed();
    let mut received: Vec<Datagram> = Vec::new();
    loop {
        received.clear();
        let waited = tokio::time::timeout(PATIENCE, socket.recv(&mut received)).await;
        let now = clock.elapsed();
        if now - begin >= time {
            outcome.took = now - begin;
            return Ok(outcome);
        }
        if waited.is_err() {
            for peer in all.iter_mut().filter(|peer| now - peer.sent >= PATIENCE) {
                outcome.again += 1;
                send(peer, now).await?;
            }
        }
        for datagram in &received {
            let IpAddr::V4(to) = datagram.to.ip() else {
                continue;
            };
            let [_, _, high, low] = to.octets();
            let index = usize::from(u16::from_be_bytes([high, low]) - 1);
            let (Some(peer), Ok(view)) = (all.get_mut(index), MessageView::parse(&datagram.bytes))
            else {
                continue;
            };
            if view.id != peer.id {
                continue;
            }
            outcome.errors += u64::from(!view.code.is_success());
            outcome.blocks += 1;
            peer.id = peer.id.wrapping_add(1);
            peer.number = (peer.number + 1) % BLOCKS;
            send(peer, now).await?;
        }
    }
}

fn request(way: Way, path: &str, id: u16, number: u32) -> Vec<u8> {
    let get = way == Way::Get;
    let mut message = Message::new(
        Kind::Confirmable,
        if get { Code::GET } else { Code::PUT },
        id,
    );
    message.token = Token::new(&id.to_be_bytes()).unwrap_or_default();
    message.options.push_path(path);
    let more = !get && number + 1 < BLOCKS;
    let size = BlockSize::MAX;
    let block = Block { number, more, size };
    if get {
        message.options.push_block(number::BLOCK2, block);
    } else {
        message.options.push_uint(number::CONTENT_FORMAT, 42);
        message.options.push_block(number::BLOCK1, block);
        message.payload = vec![0x5a; 1_024].into();
    }
    message.to_bytes().into()
}

/// CPU time that a task has used, from its `schedstat`: `thread-self`, `self` or a process id.
pub(crate) fn cpu(task: &str) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{task}/schedstat")).unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|it| it.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

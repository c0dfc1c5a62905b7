//! A scripted peer: a bare CoAP speaker that sends what a scenario says, to the bit, and keeps
//! what it gets. It repeats nothing and acknowledges nothing by itself.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use fotalab_wire::{
    coap::{
        Message,
        message::{Kind, Token},
    },
    net::{Clock, Datagram, Datagrams, Linked, Network},
};
use tokio::task::JoinHandle;

use super::{
    Crossing, Outcome,
    crossing::Asked,
    limits::{ANSWERS, ASKED, RECEIVED},
    link::AirLink,
    notation::{Defaults, Notation, encode},
    watch::Watch,
};

/// What a peer needs of its laboratory.
pub(crate) struct LabParts {
    /// Its network.
    pub(crate) network: Arc<dyn Network>,
    /// Its clock.
    pub(crate) clock: Clock,
    /// The peer's chance.
    pub(crate) seed: u64,
}

/// A scripted peer.
pub(crate) struct Peer {
    name: String,
    socket: Arc<dyn Datagrams>,
    local: SocketAddr,
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
}

/// What a peer got and how it answers.
pub(crate) struct Script {
    name: Arc<str>,
    received: VecDeque<Received>,
    answers: Vec<(Notation, Notation)>,
    asked: VecDeque<(Token, Arc<Asked>)>,
    next_id: u16,
    next_token: u32,
    /// The newest message that a step took.
    pub(crate) taken: Option<Crossing>,
    /// The newest datagram that it sent, and to whom.
    pub(crate) sent: Option<(SocketAddr, Bytes)>,
}

/// A message that arrived.
struct Received {
    crossing: Crossing,
    taken: bool,
}

impl Peer {
    /// Opens its socket, on the current runtime.
    pub(super) fn open(
        lab: &LabParts,
        name: &str,
        party: usize,
        address: SocketAddr,
        watch: &Watch,
    ) -> io::Result<Self> {
        let socket = lab.network.bind(address)?;
        let local = socket.local_addr();
        let socket: Arc<dyn Datagrams> = if lab.network.is_virtual() {
            Arc::from(socket)
        } else {
            let link = AirLink::beside_devices(watch.clone(), lab.seed);
            Arc::new(Linked::new(socket, link, lab.clock))
        };
        watch.lock().place_peer(local, party);
        let script = Script {
            name: name.into(),
            received: VecDeque::new(),
            answers: Vec::new(),
            asked: VecDeque::new(),
            next_id: lab.seed as u16,
            next_token: (lab.seed >> 16) as u32,
            taken: None,
            sent: None,
        };
        let script = Arc::new(Mutex::new(script));
        let receiving = receive(
            Arc::clone(&socket),
            Arc::clone(&script),
            watch.clone(),
            lab.clock,
        );
        Ok(Self {
            name: name.to_owned(),
            socket,
            local,
            script,
            task: tokio::spawn(receiving),
        })
    }

    /// What the scenario calls it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The URL by which a device finds it.
    pub(crate) fn url(&self) -> String {
        format!("coap://{}", self.local)
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> Arc<dyn Datagrams> {
        Arc::clone(&self.socket)
    }

    /// What it got and how it answers; do not hold it across an await.
    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        lock(&self.script)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Script {
    /// The datagram of a message, with an ID and a token of the peer where it does not say its
    /// own; `None` for what it answers.
    ///
    /// # Errors
    /// What cannot be sent as it is written.
    pub(crate) fn datagram(&mut self, notation: &Notation) -> Result<Bytes, String> {
        self.next_id = self.next_id.wrapping_add(1);
        self.next_token = self.next_token.wrapping_add(1);
        let token = Token::new(&self.next_token.to_be_bytes()).unwrap_or_default();
        let mut defaults = Defaults {
            kind: Kind::Confirmable,
            id: self.next_id,
            token,
        };
        // An answer is one to the last request that somebody took.
        if notation.is_answer()
            && let Some(asked) = self.taken.as_ref().and_then(Crossing::message)
        {
            defaults = answering(&asked, self.next_id);
        }
        encode(notation, &defaults)
    }

    /// It sends this.
    pub(crate) fn sends(&mut self, to: SocketAddr, bytes: &Bytes) {
        if let Ok(message) = Message::parse(bytes)
            && message.code.is_request()
        {
            let asked = Asked {
                code: message.code,
                path: message.options.path(),
            };
            if self.asked.len() >= ASKED {
                self.asked.pop_front();
            }
            self.asked.push_back((message.token, Arc::new(asked)));
        }
        self.sent = Some((to, bytes.clone()));
    }

    /// From now on it answers what is like `request` so, the newest rule first.
    ///
    /// # Errors
    /// There are too many rules.
    pub(crate) fn answer(&mut self, request: Notation, with: Notation) -> Result<(), String> {
        if self.answers.len() >= ANSWERS {
            return Err(format!("a peer has at most {ANSWERS} answers"));
        }
        self.answers.insert(0, (request, with));
        Ok(())
    }

    /// Takes the first message that is so and that no step has taken.
    pub(crate) fn take(&mut self, notation: &Notation) -> bool {
        let mut free = self.received.iter_mut().filter(|it| !it.taken);
        let Some(found) = free.find(|it| notation.is(&it.crossing)) else {
            return false;
        };
        found.taken = true;
        self.taken = Some(found.crossing.clone());
        true
    }

    /// The messages that no step has taken.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Crossing> {
        let free = self.received.iter().filter(|it| !it.taken);
        free.map(|it| &it.crossing)
    }

    /// All messages that arrived.
    pub(crate) fn count(&self) -> usize {
        self.received.len()
    }

    fn hears(&mut self, at: Duration, datagram: &Datagram) -> Option<Result<Bytes, String>> {
        let message = Message::parse(&datagram.bytes).ok();
        let answers = message.as_ref().and_then(|message| {
            let mut asked = self.asked.iter().rev();
            let asked = asked.find(|(token, _)| *token == message.token);
            asked.filter(|_| message.code.is_response())
        });
        let crossing = Crossing {
            at,
            party: Arc::clone(&self.name),
            up: false,
            from: datagram.from,
            to: datagram.to,
            secure: false,
            record: 0,
            length: datagram.bytes.len(),
            outcome: Outcome::Delivered,
            delay: Duration::ZERO,
            retransmission: false,
            plain: Some(datagram.bytes.clone()),
            answers: answers.map(|(_, asked)| Arc::clone(asked)),
        };
        let rule = self
            .answers
            .iter()
            .find(|(request, _)| request.is(&crossing));
        let with = rule.map(|(_, with)| with.clone());
        if self.received.len() >= RECEIVED {
            self.received.pop_front();
        }
        self.received.push_back(Received {
            crossing,
            taken: false,
        });
        self.next_id = self.next_id.wrapping_add(1);
        let defaults = answering(&message?, self.next_id);
        with.map(|with| encode(&with, &defaults))
    }
}

/// What an answer to a message has: in an acknowledgement its ID, else one of its own.
fn answering(asked: &Message, next_id: u16) -> Defaults {
    let confirmable = asked.kind == Kind::Confirmable;
    Defaults {
        kind: if confirmable {
            Kind::Acknowledgement
        } else {
            Kind::NonConfirmable
        },
        id: if confirmable { asked.id } else { next_id },
        token: asked.token,
    }
}

async fn receive(
    socket: Arc<dyn Datagrams>,
    script: Arc<Mutex<Script>>,
    watch: Watch,
    clock: Clock,
) {
    let mut received = Vec::new();
    loop {
        received.clear();
        if socket.recv(&mut received).await.is_err() {
            // What a host says when nobody listens; a broken socket says it again and again.
            tokio::time::sleep(AFTER_ERROR).await;
            continue;
        }
        for datagram in &received {
            let answer = lock(&script).hears(clock.elapsed(), datagram);
            if let Some(Ok(bytes)) = answer {
                lock(&script).sends(datagram.from, &bytes);
                // A lost answer is one more thing that happens on networks.
                drop(socket.send_to(datagram.from, &bytes).await);
            }
        }
        watch.lock().wake();
    }
}

/// Between an error of the socket and the next try.
const AFTER_ERROR: Duration = Duration::from_millis(10);

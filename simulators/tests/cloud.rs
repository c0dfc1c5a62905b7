//! Every rule of the mock cloud, over real sockets and in the virtual world.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use fotalab_simulators::{
    cloud::{Answer, Cloud, ExpectedCall, Front, Mode, Use, start},
    limits::{JOURNAL_CALLS, REQUEST_BODY_BYTES},
};
use fotalab_wire::net::{
    Clock, InMemory, Network, Sockets, Stream,
    http::{Error, MAX_ANSWER_BYTES, send},
};
use http::{Request, Response};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
};

/// One cloud that listens, and a client beside it.
struct World {
    network: Arc<dyn Network>,
    clock: Clock,
    cloud: Cloud,
    front: Front,
}

impl World {
    async fn new(network: Arc<dyn Network>, mode: Mode) -> Self {
        let clock = Clock::starting_at(0);
        let cloud = Cloud::new(mode, clock);
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let front = start(cloud.clone(), Arc::clone(&network), any_port).await;
        Self {
            network,
            clock,
            cloud,
            front: front.expect("a free port"),
        }
    }

    fn queue(&self, request: &str, text: &str) {
        self.queue_as(Use::Default, request, text);
    }

    fn queue_as(&self, usage: Use, request: &str, text: &str) {
        let answer = Answer::parse(request, &format!("HTTP/1.1 {text}")).expect("an answer");
        self.cloud.queue(Answer { usage, ..answer }).expect("room");
    }

    async fn try_ask(&self, request: &str, body: &str) -> Result<Response<Bytes>, Error> {
        let (method, target) = request.split_once(' ').expect("METHOD /path");
        let request = Request::builder().method(method);
        let request = request.uri(format!("{}{target}", self.front.url()));
        let request = request
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .expect("a request");
        send(&*self.network, request, MAX_ANSWER_BYTES).await
    }

    /// Status and body of the answers, as in `200 text`.
    async fn ask(&self, requests: &[&str]) -> Vec<String> {
        let mut answers = Vec::new();
        for request in requests {
            let answer = self.try_ask(request, "").await.expect("an answer");
            let body = String::from_utf8_lossy(answer.body()).into_owned();
            answers.push(
                format!("{} {body}", answer.status().as_u16())
                    .trim()
                    .to_owned(),
            );
        }
        answers
    }

    async fn statuses(&self, requests: &[&str]) -> Vec<String> {
        self.ask(requests)
            .await
            .iter()
            .map(|it| it[..3].to_owned())
            .collect()
    }

    async fn connect(&self) -> Stream {
        let address = self.front.local_addr();
        self.network
            .connect("127.0.0.1", address.port())
            .await
            .expect("a connection")
    }

    /// Everything that comes back for these bytes, until the connection ends.
    async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.expect("sent");
        let mut received = Vec::new();
        // A reset is an end, too.
        drop(stream.read_to_end(&mut received).await);
        received
    }
}

macro_rules! in_both_worlds {
    ($($mode:ident $rule:ident),* $(,)?) => {
        mod on_sockets {
            use super::*;
            $(#[tokio::test]
            async fn $rule() {
                super::$rule(World::new(Arc::new(Sockets), Mode::$mode).await).await;
            })*
        }
        mod in_memory {
            use super::*;
            $(#[tokio::test(start_paused = true)]
            async fn $rule() {
                super::$rule(World::new(Arc::new(InMemory::new()), Mode::$mode).await).await;
            })*
        }
    };
}

in_both_worlds! {
    InOrder answers_come_in_order_and_the_last_get_stays,
    InOrder a_post_is_answered_once,
    InOrder once_then_404,
    InOrder kept_stays_and_the_newest_kept_wins,
    NewestFirst newest_first_is_never_consumed,
    InOrder queries_match_exactly_and_by_regex,
    InOrder an_unexpected_call_is_told_the_closest,
    InOrder targets_headers_and_bodies_are_journaled_as_sent,
    InOrder answers_keep_their_headers_and_framing_is_ours,
    InOrder an_answer_waits,
    InOrder a_connection_is_cut_where_asked,
    InOrder an_arrival_wakes,
    InOrder clients_that_keep_connections_are_served,
    InOrder clients_at_once_get_each_answer_once,
    InOrder memory_is_bounded,
    InOrder bad_requests_harm_nobody,
    InOrder a_stopped_front_leaves_its_port,
}

async fn answers_come_in_order_and_the_last_get_stays(world: World) {
    world.queue("GET /v1/x", "200 OK\n\na");
    world.queue("GET /v1/x", "201 OK\n\nb");
    let x = "GET /v1/x";
    assert_eq!(world.ask(&[x, x, x]).await, ["200 a", "201 b", "201 b"]);
    world.queue("GET /v1/x", "202 OK\n\nc");
    assert_eq!(world.ask(&[x, x]).await, ["202 c", "202 c"]);
    assert_eq!(
        world.statuses(&["HEAD /v1/x", "GET /v1/x/y"]).await,
        ["404", "404"]
    );
    assert!(world.cloud.leftovers().is_empty());
}

async fn a_post_is_answered_once(world: World) {
    world.queue("POST /v1/x", "201 Created\n\na");
    world.queue("POST /v1/x", "202 Accepted\n\nb");
    let x = "POST /v1/x";
    assert_eq!(world.statuses(&[x, x, x]).await, ["201", "202", "404"]);
}

async fn once_then_404(world: World) {
    world.queue_as(Use::Once, "GET /x", "200 OK\n\na");
    world.queue_as(Use::Once, "GET /y", "200 OK\n\nb");
    assert_eq!(world.statuses(&["GET /x", "GET /x"]).await, ["200", "404"]);
    let leftovers = world.cloud.leftovers();
    assert_eq!(leftovers.len(), 1);
    assert_eq!(leftovers[0].answer.path, "/y");
}

async fn kept_stays_and_the_newest_kept_wins(world: World) {
    let request = r"GET /v1/devices?deviceIds=/\boob-1\b/&pageLimit=100";
    world.queue_as(Use::Kept, request, "200 OK\n\nold");
    let x = "GET /v1/devices?deviceIds=oob-2%2Coob-1&pageLimit=100";
    assert_eq!(world.ask(&[x, x]).await, ["200 old", "200 old"]);
    world.queue_as(Use::Once, request, "500 Oops\n\nfails");
    world.queue_as(Use::Kept, request, "200 OK\n\nnew");
    assert_eq!(
        world.ask(&[x, x, x]).await,
        ["500 fails", "200 new", "200 new"]
    );
}

async fn newest_first_is_never_consumed(world: World) {
    world.queue("POST /v1/x", "200 OK\n\na");
    world.queue("POST /v1/x/y?q=1", "200 OK\n\nb");
    let (x, xq) = ("POST /v1/x", "POST /v1/x?q=1&r=2");
    assert_eq!(
        world.ask(&[x, x, xq, xq]).await,
        ["200 a", "200 a", "200 b", "200 b"]
    );
    world.queue_as(Use::Once, "POST /v1/x", "200 OK\n\nc");
    assert_eq!(world.ask(&[x, x, xq]).await, ["200 c", "200 c", "200 c"]);
}

async fn queries_match_exactly_and_by_regex(world: World) {
    world.queue_as(Use::Kept, r"GET /d?b=/^\d+$/&a=x%20y", "200 OK");
    world.queue_as(Use::Kept, "GET /any", "204 None");
    let asked = [
        "GET /d?a=x+y&b=12",
        "GET /d?b=12&a=x%20y",
        "GET /d?a=x+y&b=1x",
        "GET /d?b=12",
    ];
    assert_eq!(world.statuses(&asked).await, ["200", "200", "404", "404"]);
    let asked = [
        "GET /d?a=x+y&b=12&c=1",
        "GET /any",
        "GET /any?c=1",
        "GET /%61ny",
    ];
    assert_eq!(world.statuses(&asked).await, ["404", "204", "204", "204"]);
}

async fn an_unexpected_call_is_told_the_closest(world: World) {
    world.queue("GET /v1/fota-jobs/1", "200 OK");
    assert_eq!(
        world.ask(&["GET /v1/fota-jobs/2"]).await,
        ["404 No responses found for GET /v1/fota-jobs/2\n\
          closest: GET /v1/fota-jobs/1 (queued)\n  \
          path: expected `/v1/fota-jobs/1`, was `/v1/fota-jobs/2`"]
    );
    let journal = world.cloud.journal();
    assert!(journal[0].answered.unexpected && journal[0].answered.status == 404);
}

async fn targets_headers_and_bodies_are_journaled_as_sent(world: World) {
    world.queue_as(Use::Kept, "POST /../x'y", "200 OK");
    let answer = world
        .raw(
            b"POST /%2e%2e/x'y?b='&a=%61 HTTP/1.1\r\nHost: h\r\nX-CaSe: a:b\r\n\
              Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{answer:?}");
    let call = &world.cloud.journal()[0];
    assert_eq!(call.target, "/%2e%2e/x'y?b='&a=%61");
    assert_eq!(call.path, "/../x'y");
    let names: Vec<&str> = call.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Host", "X-CaSe", "Transfer-Encoding"]);
    assert_eq!((&call.body[..], call.truncated), (&b"abc"[..], false));
    let expected = ExpectedCall::parse("POST /../x'y?a=a&b=' HTTP/1.1\nx-case: a:b\n\nabc");
    assert_eq!(
        world
            .cloud
            .find_call(&expected.expect("a call"))
            .map(|it| it.seq),
        Ok(1)
    );
}

async fn answers_keep_their_headers_and_framing_is_ours(world: World) {
    let head = "200 OK\nX-A: 1\nX-A: 2\nContent-Length: 99\nTransfer-Encoding: chunked\n\nabc";
    world.queue("GET /x", head);
    let answer = world.try_ask("GET /x", "").await.expect("an answer");
    let values: Vec<_> = answer.headers().get_all("x-a").iter().collect();
    assert_eq!(values, ["1", "2"]);
    assert_eq!(
        (&answer.headers()["content-length"], &answer.body()[..]),
        (&"3".parse().expect("a value"), &b"abc"[..])
    );
    world.queue("HEAD /x", head);
    assert_eq!(world.ask(&["HEAD /x"]).await, ["200"]);
}

async fn an_answer_waits(world: World) {
    // An hour of the virtual clock is no time; of the real one a moment has to do.
    let after = Duration::from_millis(if world.network.is_virtual() {
        3_600_000
    } else {
        60
    });
    let slow = Answer {
        after: Some(after),
        ..Answer::new("GET", "/slow", 200)
    };
    world.cloud.queue(slow).expect("room");
    world.queue("GET /fast", "200 OK");
    let before = world.clock.elapsed();
    let slow = async {
        let answer = world.statuses(&["GET /slow"]).await;
        (answer, world.clock.elapsed() - before)
    };
    let mut arrivals = world.cloud.changed();
    let fast = async {
        arrivals
            .wait_for(|last| *last == 1)
            .await
            .expect("the cloud lives");
        world.statuses(&["GET /fast"]).await
    };
    let ((slow, waited), fast) = tokio::join!(slow, fast);
    assert_eq!(
        (slow, fast),
        (vec!["200".to_owned()], vec!["200".to_owned()])
    );
    assert!(
        waited >= after && (!world.network.is_virtual() || waited < after * 2),
        "{waited:?}"
    );
}

async fn a_connection_is_cut_where_asked(world: World) {
    let request = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
    let body = Bytes::from(vec![b'x'; 200_000]);
    let whole = Answer {
        usage: Use::Once,
        body,
        ..Answer::new("GET", "/x", 200)
    };
    world.cloud.queue(whole.clone()).expect("room");
    let uncut = world.raw(request).await;
    assert!(uncut.len() > 200_000 && uncut.ends_with(b"xxx"));
    for after in [
        0,
        1,
        12,
        uncut.len() - 200_000,
        100_000,
        uncut.len() - 1,
        uncut.len() + 1,
    ] {
        world
            .cloud
            .queue(Answer {
                cut_after: Some(after),
                ..whole.clone()
            })
            .expect("room");
        let received = world.raw(request).await;
        assert_eq!(received.len(), after.min(uncut.len()), "cut after {after}");
        let tells_time = |line: &[u8]| line.starts_with(b"date");
        let same = received
            .split(|it| *it == b'\n')
            .zip(uncut.split(|it| *it == b'\n'));
        assert!(
            same.filter(|(a, _)| !tells_time(a))
                .all(|(a, b)| b.starts_with(a))
        );
        assert_eq!(
            world
                .cloud
                .journal()
                .last()
                .and_then(|it| it.answered.cut_after),
            Some(after)
        );
    }
    for after in [0, 9, uncut.len() - 5] {
        world
            .cloud
            .queue(Answer {
                cut_after: Some(after),
                ..whole.clone()
            })
            .expect("room");
        let broken = world.try_ask("GET /x", "").await;
        assert!(
            matches!(broken, Err(Error::Broken { .. } | Error::BrokeOff { .. })),
            "{broken:?}"
        );
    }
    world.queue("GET /x", "200 OK\n\nwell again");
    assert_eq!(world.ask(&["GET /x"]).await, ["200 well again"]);
}

async fn an_arrival_wakes(world: World) {
    let expected = ExpectedCall::parse("GET /x HTTP/1.1").expect("a call");
    let mut arrivals = world.cloud.changed();
    let waits = async {
        while world.cloud.find_call(&expected).is_err() {
            arrivals.changed().await.expect("the cloud lives");
        }
    };
    tokio::join!(waits, world.statuses(&["GET /w", "GET /x"]));
}

async fn clients_that_keep_connections_are_served(world: World) {
    world.queue("GET /x", "200 OK\n\na");
    for _ in 0..3 {
        // Both requests at once: the second is not answered, and does not harm the first.
        let request = "GET /x HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n".repeat(2);
        let answer = String::from_utf8(world.raw(request.as_bytes()).await).expect("text");
        assert!(
            answer.to_lowercase().contains("connection: close\r\n"),
            "{answer}"
        );
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\na"));
    }
    assert_eq!(world.cloud.journal().len(), 3);
}

async fn clients_at_once_get_each_answer_once(world: World) {
    let world = Arc::new(world);
    for number in 0..1_000 {
        world.queue(
            "POST /x",
            &format!("200 OK\nContent-Type: text/plain\n\n{number}"),
        );
    }
    let mut clients = JoinSet::new();
    for _ in 0..50 {
        let world = Arc::clone(&world);
        clients.spawn(async move { world.ask(&["POST /x"; 20]).await });
    }
    let mut answers = clients.join_all().await.concat();
    answers.sort_unstable();
    answers.dedup();
    assert_eq!(answers.len(), 1_000);
    assert!(answers.iter().all(|it| it.starts_with("200")) && world.cloud.leftovers().is_empty());
}

async fn memory_is_bounded(world: World) {
    const SURPLUS: usize = 80;
    const CLIENTS: usize = 16;
    world.queue("POST /once", "200 OK");
    world.queue_as(Use::Kept, "POST /x", "200 OK\n\nok");
    let world = Arc::new(world);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let world = Arc::clone(&world);
        clients.spawn(async move {
            for _ in 0..(JOURNAL_CALLS + SURPLUS) / CLIENTS {
                let answer = world.try_ask("POST /x", "{}").await.expect("an answer");
                assert_eq!(answer.body(), "ok");
            }
        });
    }
    clients.join_all().await;
    let journal = world.cloud.journal();
    assert_eq!(
        (journal.len(), world.cloud.dropped_calls()),
        (JOURNAL_CALLS, 80)
    );
    assert_eq!(journal[0].seq, 81);
}

async fn bad_requests_harm_nobody(world: World) {
    world.queue("GET /x", "200 OK");
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), "400"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), "400"),
        (
            format!(
                "PUT /x HTTP/1.1\r\nContent-Length: {}\r\n\r\n",
                REQUEST_BODY_BYTES + 1
            ),
            "413",
        ),
        (
            format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)),
            "431",
        ),
    ] {
        let answer = world.raw(request.as_bytes()).await;
        assert!(
            answer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()),
            "{status}"
        );
    }
    assert!(world.cloud.journal().is_empty());
    // An asterisk is no path, but a target.
    let answer = world.raw(b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(answer.starts_with(b"HTTP/1.1 404 "));
    assert_eq!(world.cloud.journal()[0].target, "*");
    // Clients that leave in the middle.
    for part in [
        "",
        "GET /x HT",
        "POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc",
    ] {
        let mut stream = world.connect().await;
        stream.write_all(part.as_bytes()).await.expect("sent");
    }
    assert_eq!(world.statuses(&["GET /x"]).await, ["200"]);
    assert_eq!(world.cloud.journal().len(), 2);
}

async fn a_stopped_front_leaves_its_port(world: World) {
    let address = world.front.local_addr();
    world.front.stop().await;
    assert!(
        world
            .network
            .connect("127.0.0.1", address.port())
            .await
            .is_err()
    );
    let again = start(world.cloud, Arc::clone(&world.network), address).await;
    assert_eq!(again.expect("the port is free").local_addr(), address);
}

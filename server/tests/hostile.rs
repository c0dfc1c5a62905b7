//! Hostile input on real sockets. While each attack lasts, a bystander is answered within a second.

mod support;

use std::{sync::Arc, time::Duration};

use fotalab_wire::net::{Clock, Sockets};
use futures_util::{SinkExt as _, StreamExt as _};
use http::Method;
use serde_json::{Value, json};
use support::*;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout},
};
use tokio_tungstenite::tungstenite::Message;

async fn world() -> World {
    World::new(Arc::new(Sockets), Clock::of_machine(), |config| {
        config.timing.websocket_send = Duration::from_millis(500);
    })
    .await
}

/// Somebody else is answered within a second: a small question, and one with a body.
async fn bystander(world: &World) {
    let second = Duration::from_secs(1);
    let health = timeout(second, world.g2(Method::GET, "/health", None)).await;
    assert_eq!(health.expect("within a second").status, 200);
    let path = format!("/device/{DEVICE}/hideDataBefore");
    let posted = timeout(second, world.g1(Method::POST, &path, Some(json!({})))).await;
    assert_eq!(posted.expect("within a second").status, 200);
}

/// Sends bytes as they are and reads what comes until the server closes.
async fn raw(world: &World, bytes: &[u8]) -> (u16, String) {
    let mut stream = world.connect().await;
    // The server may answer and close before it has read all.
    drop(stream.write_all(bytes).await);
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    let ended = read.await;
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
    assert!(ended.is_ok(), "no end of the answer to {shown}: {answer:?}");
    let answer = String::from_utf8(answer).expect("UTF-8");
    let status = answer.get(9..12).and_then(|it| it.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer but {answer:?}"));
    (status, answer)
}

fn assert_problem(answer: &str, status: u16) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(
        head.to_lowercase()
            .contains("content-type: application/problem+json"),
        "{head}"
    );
    let problem: Value = serde_json::from_str(body).unwrap_or_else(|why| panic!("{why}: {body}"));
    assert_eq!(
        problem["@context"],
        "https://github.com/hello-nrfcloud/proto/ProblemDetail"
    );
    assert_eq!(problem["status"], status);
    assert!(problem["title"].is_string());
}

fn post(body: &str) -> String {
    format!(
        "POST /hello/jobs/device/{DEVICE}/fota/app?fingerprint={FINGERPRINT} HTTP/1.1\r\nhost: x\r\n\
         connection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn wrong_bodies_are_problems() {
    let world = world().await;
    let deep = |open: &str, close: &str, n: usize| {
        format!("{{\"upgradePath\":{}{}}}", open.repeat(n), close.repeat(n))
    };
    for body in [
        "{".to_owned(),
        "\"\\ud800\"".to_owned(),
        "null".to_owned(),
        "[[[]]]".to_owned(),
        "{\"upgradePath\":1e999}".to_owned(),
        "{\"upgradePath\":[\"2.0.0\"]}".to_owned(),
        "{\"upgradePath\":{\"2.0.0\":null}}".to_owned(),
        "{\"upgradePath\":{\"2.0.0\":\"APP*1e29dfa3*v\\n\"}}".to_owned(),
        "{\"fingerprint\":{\"$ne\":null}}".to_owned(),
        "{\"id\":[1,2]}".to_owned(),
        "{\"id\":\"\"}".to_owned(),
        deep("[", "]", 100_000),
        deep("{\"a\":", "}", 30_000),
    ] {
        let (status, answer) = raw(&world, post(&body).as_bytes()).await;
        assert_eq!(status, 400, "{answer}");
        assert_problem(&answer, 400);
    }
    bystander(&world).await;
}

#[tokio::test]
async fn too_large_bodies_are_refused_and_not_kept() {
    let world = world().await;
    let path = |key: &str, bytes: usize| json!({"upgradePath": {}, key: "x".repeat(bytes)});
    // Just below the limit a body is looked at, above it is not.
    let (_, answer) = raw(&world, post(&path("x", 250_000).to_string()).as_bytes()).await;
    assert!(answer.contains("Validation failed"), "{answer}");
    let (status, answer) = raw(&world, post(&path("x", 8 << 20).to_string()).as_bytes()).await;
    assert_eq!(status, 400);
    assert_problem(&answer, 400);
    assert!(answer.contains("too large"), "{answer}");
    // Without a length said before.
    let mut chunked = post("").replace("content-length: 0", "transfer-encoding: chunked");
    for _ in 0..40 {
        chunked.push_str(&format!("2000\r\n{}\r\n", " ".repeat(0x2000)));
    }
    chunked.push_str("0\r\n\r\n");
    let (status, answer) = raw(&world, chunked.as_bytes()).await;
    assert_eq!(status, 400);
    assert!(answer.contains("too large"), "{answer}");
    let admin = format!(
        "PUT /admin/devices/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: {}\r\n\r\n{}",
        1 << 20,
        "x".repeat(1 << 20)
    );
    let (status, answer) = raw(&world, admin.as_bytes()).await;
    assert_eq!(status, 400);
    assert_problem(&answer, 400);
    bystander(&world).await;
}

#[tokio::test]
async fn wrong_paths_and_heads_are_problems() {
    let world = world().await;
    let long = "x".repeat(300_000);
    let many: String = (0..200).map(|it| format!("x-{it}: y\r\n")).collect();
    let get = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").into_bytes()
    };
    let known = format!("fingerprint={FINGERPRINT}");
    for (bytes, status) in [
        (get("/hello/jobs/device/%2e%2e/%2e%2e/admin/devices"), 404),
        (get("/hello/jobs/../../admin/devices/x"), 404),
        (get("/%2e%2e/%2e%2e/etc/passwd"), 404),
        (get("//admin/devices/x"), 404),
        (get("/hello/jobs/device/%zz/fota/jobs"), 400),
        (get("/hello/jobs/device/%/fota/jobs"), 400),
        (get("/hello/jobs/device/%c3%28/fota/jobs"), 400),
        (get("/hello/jobs/device/%ff%fe/fota/bundles"), 400),
        (
            get(&format!("/hello/jobs/device/%00/fota/jobs?{known}")),
            404,
        ),
        (
            get(&format!(
                "/hello/jobs/device/{DEVICE}%2ffota/fota/jobs?{known}"
            )),
            404,
        ),
        (
            get(&format!(
                "/hello/jobs/device/{}/fota/jobs?{known}",
                "x".repeat(5_000)
            )),
            400,
        ),
        (
            get("/hello/jobs/device?fingerprint=%ff%00&fingerprint"),
            400,
        ),
        (get("/admin/devices/x"), 401),
        (get(&format!("/{long}")), 400),
        (
            format!("GET / HTTP/1.1\r\nhost: {long}\r\n\r\n").into_bytes(),
            400,
        ),
        (format!("GET / HTTP/1.1\r\n{many}\r\n").into_bytes(), 400),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), 400),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
            400,
        ),
        (b"GET /\x00 HTTP/1.1\r\n\r\n".to_vec(), 400),
        (
            b"POST /hello/jobs/health HTTP/1.1\r\ncontent-length: -1\r\n\r\n".to_vec(),
            400,
        ),
    ] {
        let (found, answer) = raw(&world, &bytes).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        assert_eq!(found, status, "{shown}: {answer}");
        assert_problem(&answer, status);
    }
    bystander(&world).await;
}

#[tokio::test]
async fn slow_senders_are_given_up_and_hold_up_nobody() {
    let world = world().await;
    let mut slow = Vec::new();
    for at in 0..300 {
        let mut stream = world.connect().await;
        let begun = if at % 2 == 0 {
            post(&"x".repeat(100))
        } else {
            "GET /hea".to_owned()
        };
        // The body, or the head, never gets to its end.
        stream
            .write_all(&begun.as_bytes()[..begun.len() - 8.min(begun.len())])
            .await
            .expect("sent");
        slow.push(stream);
    }
    bystander(&world).await;
    let begun = Instant::now();
    let mut answer = vec![0; 4096];
    let read = timeout(Duration::from_secs(15), slow[0].read(&mut answer)).await;
    let length = read.expect("within 15 seconds").expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_problem(&answer, 400);
    assert!(answer.contains("did not arrive in time"), "{answer}");
    assert!(begun.elapsed() > Duration::from_secs(5), "it had some time");
    bystander(&world).await;
}

#[tokio::test]
async fn two_thousand_idle_websockets_cost_little() {
    let world = world().await;
    let before = resident_kib();
    let mut open = Vec::new();
    for at in 0..2_000 {
        let base = if at % 2 == 0 {
            "/hello/jobs"
        } else {
            "/hello/job-executions"
        };
        let mut socket = world.websocket(base, FINGERPRINT).await;
        assert_eq!(socket.next().await["id"], DEVICE);
        open.push(socket);
        if at % 500 == 0 {
            bystander(&world).await;
        }
    }
    bystander(&world).await;
    // Both ends are in this process; the clients alone take the greater part (their buffers are
    // the library's).
    let each = resident_kib().saturating_sub(before) / 2_000;
    eprintln!("one idle websocket, both ends: {each} KiB");
    assert!(each < 300, "{each} KiB");
    // All of them are told.
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    for socket in &mut open {
        socket.next_of("shadow").await;
    }
}

#[tokio::test]
async fn a_websocket_that_is_not_read_is_dropped() {
    let world = world().await;
    let mut deaf = world.websocket("/hello/jobs", FINGERPRINT).await;
    let mut other = world.websocket("/hello/jobs", FINGERPRINT).await;
    // Every frame is answered, and no answer is read.
    let flood = async {
        loop {
            for _ in 0..100 {
                deaf.socket.feed(Message::text("{}")).await?;
            }
            deaf.socket.flush().await?;
        }
        #[expect(unreachable_code, reason = "says what the block may fail with")]
        Ok::<(), tokio_tungstenite::tungstenite::Error>(())
    };
    let (flooded, ()) = tokio::join!(timeout(Duration::from_secs(30), flood), bystander(&world));
    assert!(flooded.expect("an end within 30 seconds").is_err());
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    other.next_of("shadow").await;
    bystander(&world).await;
}

#[tokio::test]
async fn wrong_frames_end_their_own_websocket_only() {
    let world = world().await;
    let mut large = world.websocket("/hello/jobs", FINGERPRINT).await;
    large.next().await;
    drop(large.socket.send(Message::text("x".repeat(100_000))).await);
    while let Some(Ok(_)) = large.socket.next().await {}
    let mut broken = world.websocket("/hello/jobs", FINGERPRINT).await;
    broken.next().await;
    // An unmasked text frame, which a client must not send.
    broken
        .socket
        .get_mut()
        .write_all(b"\x81\x02{}")
        .await
        .expect("sent");
    while let Some(Ok(_)) = broken.socket.next().await {}
    let mut fine = world.websocket("/hello/jobs", FINGERPRINT).await;
    fine.next().await;
    fine.say("{").await;
    assert_eq!(fine.next().await["message"], "Forbidden");
    bystander(&world).await;
}

#[tokio::test]
async fn many_fingerprints_are_only_wrong() {
    let world = world().await;
    for at in 0..2_000 {
        let path = format!("/device?fingerprint={at:x}.aaaaaa");
        let answer = world.g1(Method::GET, &path, None).await;
        answer.is_problem(404, "No device found for fingerprint!", None);
    }
    bystander(&world).await;
}

#[tokio::test]
async fn an_upstream_that_hangs_or_talks_too_much_holds_up_nobody() {
    let world = world().await;
    world.upstream.keep_shadow(DEVICE, seed_state("2.0.0", 1));
    world.upstream.keep("POST /v1/fota-jobs", Reply::Hang);
    world.upstream.keep(
        "GET /v1/firmwares?pageLimit=100",
        Reply::Json(200, " ".repeat(5 << 20)),
    );
    let answer = world
        .g2(Method::GET, &format!("/device/{DEVICE}/fota/bundles"), None)
        .await;
    answer.is_problem(500, "Fetching FOTA bundles failed", None);
    let path = json!({"upgradePath": {"2.0.0": "APP*1e29dfa3*v2.0.1"}});
    let fota = format!("/device/{DEVICE}/fota/app");
    let (answer, ()) = tokio::join!(world.g1(Method::POST, &fota, Some(path)), bystander(&world));
    answer.is_problem(500, "Scheduling FOTA update failed", None);
}

/// The memory of this process in KiB; 0 where the system does not tell.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let kib = line.and_then(|it| it.trim().strip_suffix(" kB"));
    kib.and_then(|it| it.trim().parse().ok())
        .unwrap_or_default()
}

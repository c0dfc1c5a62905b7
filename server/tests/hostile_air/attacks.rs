//! The attacks, one after the other on the same server.

use std::time::Duration;

use fotalab_wire::{
    coap::{Code, Kind, Message, Request, message::number},
    dtls::ClientEvent,
};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    KEY, Measure, Scene,
    attacker::{Attacker, block, client_hello, register, request},
    device::Device,
    events::Events,
};

pub(crate) async fn all(measure: Measure) {
    let mut scene = Scene::new().await;
    wrong_keys(&mut scene).await;
    half_open_handshakes(&mut scene, measure.half_open).await;
    replayed_records(&mut scene).await;
    forged_hellos(&mut scene).await;
    names_of_others(&mut scene).await;
    lifetimes(&mut scene).await;
    blocks(&mut scene).await;
    many_sources(&mut scene, measure.sources).await;
    unfinished_bodies(&mut scene, measure.sources).await;
    long_lists(&mut scene, measure.lists).await;
    println!("at most {} KiB", scene.most / 1024);
}

/// X-DTLS-01.
async fn wrong_keys(scene: &mut Scene) {
    let bystander = scene.bystander().await;
    let mut attacker = Attacker::new(scene);
    for nth in 0..200 {
        let identity: &[u8] = if nth % 2 == 0 { b"bystander-1" } else { b"x" };
        let end = attacker.handshake(nth, scene.coaps, identity, &[1]).await;
        let refused = !matches!(end, Some(ClientEvent::Established));
        assert!(refused, "{end:?}");
    }
    scene.is_served(bystander, "wrong keys").await;
}

/// X-DTLS-05 in the large: addresses that may be forged, and some that answer their cookie.
async fn half_open_handshakes(scene: &mut Scene, count: usize) {
    let bystander = scene.bystander().await;
    let mut attacker = Attacker::new(scene);
    let hello = client_hello(scene.coaps, 0);
    for nth in 0..count {
        attacker.send(nth, scene.coaps, &hello);
        if nth % 1_000 == 999 {
            attacker.drain().await;
        }
        if nth % 20_000 == 19_999 {
            scene.look("half-open handshakes, so far");
        }
    }
    for nth in 0..count / 20 {
        attacker.half_handshake(nth, scene.coaps).await;
    }
    scene.is_served(bystander, "half-open handshakes").await;
}

/// X-DTLS-06. More messages in between than CoAP remembers: what tells a replay is DTLS alone.
async fn replayed_records(scene: &mut Scene) {
    let bystander = scene.bystander().await;
    scene.put("replayed", json!({"psk": "00ff"})).await;
    let psk = ("replayed", &[0, 255][..]);
    let device = Device::secured(&scene.network, scene.clock, scene.coaps, psk);
    device.register("ep=replayed&lwm2m=1.1").await;
    let send = |state: u32| {
        let payload = format!(r#"[{{"n":"/5/0/3","v":{state}}}]"#);
        Request::post("/dp", payload).format(110)
    };
    let mut events = Events::of(&scene.world).await;
    device.script().keeps_sealed = true;
    for state in 0..50 {
        assert_eq!(device.ask(send(state)).await.0, Code::CHANGED);
    }
    let sealed = std::mem::take(&mut device.script().sealed);
    assert!(sealed.len() >= 50);
    for _ in 0..20 {
        device.script().raw.extend(sealed.clone());
    }
    device.wake();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(device.ask(send(99)).await.0, Code::CHANGED);
    let expected: Vec<u32> = (0..50).chain([99]).collect();
    assert_eq!(events.values("replayed", expected.len()).await, expected);
    scene.is_served(bystander, "replayed records").await;
}

/// X-DTLS-05: a ClientHello in the name of somebody who has a session leaves it as it is.
async fn forged_hellos(scene: &mut Scene) {
    let bystander = scene.bystander().await;
    for nth in 0..50 {
        let hello = client_hello(scene.coaps, 10_000 + nth);
        bystander.device.script().raw.push(hello.to_vec());
    }
    bystander.device.wake();
    let handshakes = bystander.device.script().handshakes.len();
    assert_eq!(handshakes, 1);
    scene.is_served(bystander, "forged ClientHellos").await;
}

/// X-REG-04.
async fn names_of_others(scene: &mut Scene) {
    let bystander = scene.bystander().await;
    scene.put("insider", json!({"psk": "0707"})).await;
    let psk = ("insider", &KEY[..2]);
    let insider = Device::secured(&scene.network, scene.clock, scene.coaps, psk);
    for name in ["bystander-1", "x", "insider%00", "INSIDER", ""] {
        let (code, _) = insider.register(&format!("ep={name}&lwm2m=1.1")).await;
        assert_eq!(code, Code::BAD_REQUEST, "{name}");
    }
    let outsider = Device::new(&scene.network, scene.clock, scene.coap);
    let (code, _) = outsider.register("ep=bystander-1&lwm2m=1.1").await;
    assert_eq!(code, Code::FORBIDDEN);
    scene.is_served(bystander, "names of others").await;
}

async fn lifetimes(scene: &mut Scene) {
    let bystander = scene.bystander().await;
    let mut attacker = Attacker::new(scene);
    for (lifetime, code) in [
        ("0", Code::BAD_REQUEST),
        ("-1", Code::BAD_REQUEST),
        ("1.5", Code::BAD_REQUEST),
        ("x", Code::BAD_REQUEST),
        ("", Code::BAD_REQUEST),
        ("4294967296", Code::BAD_REQUEST),
        ("99999999999999999999999999", Code::BAD_REQUEST),
        ("4294967295", Code::CREATED),
        ("1", Code::CREATED),
    ] {
        let mut message = request(
            Code::POST,
            &format!("/rd?ep=lt&lwm2m=1.1&lt={lifetime}"),
            "</3/0>",
        );
        message.options.push_uint(number::CONTENT_FORMAT, 40);
        let answer = attacker.ask(1, scene.coap, message).await;
        assert_eq!(answer.code, code, "lt={lifetime}");
    }
    scene.is_served(bystander, "absurd lifetimes").await;
}

async fn blocks(scene: &mut Scene) {
    let bystander = scene.bystander().await;
    let mut attacker = Attacker::new(scene);
    let image = scene.get(&format!("/updates/{}", bystander.update)).await["image"].clone();
    let image = format!("/fw/{}", image.as_str().expect("an id"));
    let read = || request(Code::GET, &image, "");
    let list = || register("blocks", vec![b' '; 16]);
    let large = || register("blocks", vec![b' '; 1_024]);
    const LAST: u32 = (1 << 20) - 1;
    for (message, codes) in [
        (
            block(read(), number::BLOCK2, 63, false, 6),
            &[Code::CONTENT][..],
        ),
        (
            block(read(), number::BLOCK2, 64, false, 6),
            &[Code::BAD_REQUEST, Code::BAD_OPTION],
        ),
        (
            block(read(), number::BLOCK2, LAST, false, 6),
            &[Code::BAD_REQUEST, Code::BAD_OPTION],
        ),
        (
            block(read(), number::BLOCK2, LAST, true, 0),
            &[Code::BAD_REQUEST, Code::BAD_OPTION],
        ),
        (
            block(read(), number::BLOCK2, 0, false, 7),
            &[Code::BAD_REQUEST, Code::BAD_OPTION],
        ),
        (
            block(list(), number::BLOCK1, 1, true, 0),
            &[Code::REQUEST_ENTITY_INCOMPLETE],
        ),
        (
            block(list(), number::BLOCK1, LAST, false, 0),
            &[Code::REQUEST_ENTITY_INCOMPLETE],
        ),
        (
            block(list(), number::BLOCK1, 0, true, 7),
            &[Code::BAD_REQUEST, Code::BAD_OPTION],
        ),
        (
            block(list(), number::BLOCK1, 0, true, 6),
            &[Code::BAD_REQUEST],
        ),
        (
            block(large(), number::BLOCK1, 0, true, 0),
            &[Code::BAD_REQUEST],
        ),
    ] {
        let answer = attacker.ask(2, scene.coap, message.clone()).await;
        assert!(codes.contains(&answer.code), "{message:?}: {answer:?}");
    }
    // More than is taken of a list, block by block.
    let mut last = Code::CONTINUE;
    for num in 0..=64 {
        let message = block(large(), number::BLOCK1, num, true, 6);
        last = attacker.ask(2, scene.coap, message).await.code;
    }
    assert_eq!(last, Code::REQUEST_ENTITY_TOO_LARGE);
    scene.is_served(bystander, "block numbers").await;
}

/// Requests, answers and resets from everywhere.
async fn many_sources(scene: &mut Scene, count: usize) {
    let bystander = scene.bystander().await;
    let mut attacker = Attacker::new(scene);
    let get = request(Code::GET, "/fw/x", "").to_bytes();
    let post = request(Code::POST, "/rd/x", "").to_bytes();
    for nth in 0..count {
        attacker.send(nth, scene.coap, if nth % 2 == 0 { &get } else { &post });
        // In the bystander's name nothing can be said without its session.
        let id = nth as u16;
        let reset = Message::new(Kind::Reset, Code::EMPTY, id);
        attacker.send(nth, scene.coaps, &reset.to_bytes());
        if nth % 1_000 == 999 {
            attacker.drain().await;
        }
        if nth % 20_000 == 19_999 {
            scene.look("many sources, so far");
        }
    }
    scene.is_served(bystander, "many sources").await;
}

/// Block 0 of a list, and never another one.
async fn unfinished_bodies(scene: &mut Scene, count: usize) {
    let bystander = scene.bystander().await;
    let mut attacker = Attacker::new(scene);
    let first = block(register("x", vec![b' '; 1_024]), number::BLOCK1, 0, true, 6).to_bytes();
    for nth in 0..count {
        attacker.send(500_000 + nth, scene.coap, &first);
        if nth % 1_000 == 999 {
            attacker.drain().await;
        }
        if nth % 20_000 == 19_999 {
            scene.look("unfinished bodies, so far");
        }
    }
    scene.is_served(bystander, "unfinished bodies").await;
}

/// As much as a Register may list, by as many as like.
async fn long_lists(scene: &mut Scene, count: usize) {
    let bystander = scene.bystander().await;
    let mut list = "</1/0>,</3/0>".to_owned();
    for object in 100.. {
        let link = format!(",</{object}/0>");
        if list.len() + link.len() > 64 * 1024 || object >= 4_000 {
            break;
        }
        list.push_str(&link);
    }
    let mut padded = list;
    padded.extend(std::iter::repeat_n(' ', 64 * 1024 - padded.len()));
    let mut refused = 0;
    for nth in 0..count {
        let mut attacker = Attacker::new(scene);
        for num in 0..64 {
            let from = num as usize * 1_024;
            let part = padded.as_bytes()[from..from + 1_024].to_vec();
            let message = register(&format!("long-{nth}"), part);
            let message = block(message, number::BLOCK1, num, num < 63, 6);
            let answer = attacker.ask(nth, scene.coap, message).await;
            match answer.code {
                Code::CONTINUE => assert!(num < 63, "{answer:?}"),
                Code::CREATED => {}
                Code::SERVICE_UNAVAILABLE => {
                    refused += 1;
                    break;
                }
                _ => panic!("{answer:?}"),
            }
        }
        if nth % 100 == 99 {
            scene.look("long lists, so far");
        }
    }
    println!("{refused} of {count} long lists were refused");
    scene.is_served(bystander, "long lists").await;
    // One that lists what devices list is taken all the same.
    let device = Device::new(&scene.network, scene.clock, scene.coap);
    assert_eq!(device.register("ep=short&lwm2m=1.1").await.0, Code::CREATED);
}

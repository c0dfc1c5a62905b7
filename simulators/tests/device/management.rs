//! Registration, device management, observation: sections 3.2 to 3.4.

use fotalab_simulators::device::{Persona, Phase};
use fotalab_wire::coap::{Code, Request};
use fotalab_wire::lwm2m::registration::ObjectList;
use fotalab_wire::lwm2m::{ContentFormat, Definitions, Path, Value, Version, codec};

use crate::rig::Rig;

fn text(code: &str, payload: &str) -> (String, String) {
    (code.to_owned(), payload.to_owned())
}

#[test]
fn int_101_initial_registration() {
    let rig = Rig::usual();
    let (code, path) = &rig.requests[0];
    assert_eq!(*code, Code::POST);
    for part in ["ep=device-1", "lt=300", "lwm2m=1.1"] {
        assert!(path.contains(part), "{path}");
    }
    let list = ObjectList::parse(&rig.payloads[0]).expect("links");
    assert!(list.has_mandatory() && list.contains(Path::instance(5, 0)));
    assert_eq!(list.objects[&5].version, Some(Version::V1_1));
    assert_eq!(rig.device.phase(), Phase::Registered);
}

#[test]
fn int_102_107_227_a_written_lifetime_is_told_and_kept() {
    let mut rig = Rig::usual();
    assert_eq!(rig.put("/1/0/1", "20"), Code::CHANGED);
    rig.run(1);
    assert_eq!(rig.updates(), ["/rd/x1?lt=20"]);
    rig.run(25);
    assert_eq!(rig.updates(), ["/rd/x1?lt=20", "/rd/x1?", "/rd/x1?"]);
    let mut forgetful = Rig::with("omits the lifetime from its registration update");
    forgetful.put("/1/0/1", "20");
    forgetful.run(1);
    assert_eq!(forgetful.updates(), ["/rd/x1?"]);
}

#[test]
fn int_103_104_disable_and_update_trigger() {
    let mut rig = Rig::usual();
    assert_eq!(rig.execute("/1/0/8"), Some(Code::CHANGED));
    rig.run(1);
    assert_eq!(rig.updates(), ["/rd/x1?"]);
    rig.put("/1/0/5", "60");
    assert_eq!(rig.execute("/1/0/4"), Some(Code::CHANGED));
    rig.run(1);
    assert_eq!(
        rig.requests.last(),
        Some(&(Code::DELETE, "/rd/x1?".to_owned()))
    );
    assert_eq!(rig.device.phase(), Phase::Unregistered);
    rig.run(62);
    assert_eq!(rig.registrations(), 2);
}

#[test]
fn int_105_x_reg_14_a_refused_update_registers_again() {
    for code in [
        Code::NOT_FOUND,
        Code::BAD_REQUEST,
        Code::INTERNAL_SERVER_ERROR,
    ] {
        let mut rig = Rig::usual();
        rig.update_code = code;
        rig.run(250);
        assert_eq!(rig.registrations(), 2, "{code}");
    }
    let mut dead = Rig::with("does not register again after 4.04");
    dead.update_code = Code::NOT_FOUND;
    dead.run(3_000);
    assert_eq!(dead.registrations(), 1);
    let mut late = Rig::with("updates its registration too late by 120 s");
    late.run(410);
    assert!(late.updates().is_empty());
    late.run(20);
    assert_eq!(late.updates().len(), 1);
}

#[test]
fn x_reg_02_falls_back_to_1_0() {
    let mut rig = Rig::usual();
    rig.device.cut_power(rig.now);
    rig.register_code = Code::PRECONDITION_FAILED;
    rig.until("two tries", |rig| rig.requests.len() == 3);
    assert!(rig.requests[1].1.contains("lwm2m=1.1"));
    assert!(rig.requests[2].1.contains("lwm2m=1.0"));
    rig.register_code = Code::CREATED;
    rig.until_registered();
}

#[test]
fn x_reg_12_an_unheard_server_is_tried_again() {
    let mut rig = Rig::usual();
    rig.cut = true;
    rig.run(900);
    assert_ne!(rig.device.phase(), Phase::Registered);
    rig.cut = false;
    rig.until_registered();
}

#[test]
fn int_109_a_sleeping_device_hears_nothing() {
    let mut rig = Rig::new(Persona {
        queue_mode: true,
        lifetime: std::time::Duration::from_secs(600),
        ..Persona::default()
    });
    assert!(rig.requests[0].1.split(['&', '?']).any(|item| item == "Q"));
    rig.run(100);
    assert!(rig.device.is_asleep(rig.now));
    assert!(rig.ask(Request::get("/3/0/3")).is_none(), "no answer");
    rig.until("an update", |rig| rig.updates().len() == 1);
    assert_eq!(rig.text("/3/0/3"), text("2.05", "1.0.0"));
}

#[test]
fn int_201_203_231_reads_in_every_format() {
    let mut rig = Rig::usual();
    let identity = rig.device.identity();
    assert_eq!(rig.text("/3/0/0"), text("2.05", &identity.manufacturer));
    assert_eq!(rig.text("/3/0/2"), text("2.05", &identity.serial));
    let definitions = Definitions::core(Version::V1_1);
    for number in [11_542, 110, 112] {
        let message = rig.get("/5/0", Some(number));
        assert_eq!(message.code, Code::CONTENT, "{number}");
        assert_eq!(message.options.uint(12), Some(number));
        let format = ContentFormat::from_number(number as u16).expect("known");
        let path = Path::instance(5, 0);
        let tree = codec::decode(format, path, &message.payload, &definitions).expect("good");
        assert_eq!(
            tree.value(Path::resource(5, 0, 3)),
            Some(&Value::Integer(0))
        );
        assert_eq!(
            tree.value(Path::resource(5, 0, 9)),
            Some(&Value::Integer(2))
        );
    }
    let own = rig.get("/3/0", None);
    assert_eq!(own.options.uint(12), Some(112), "1.1 chooses SenML CBOR");
    let mut old = Rig::new(Persona {
        lwm2m: Version::V1_0,
        ..Persona::default()
    });
    assert_eq!(old.get("/3/0", None).options.uint(12), Some(11_542));
}

#[test]
fn reads_and_writes_that_cannot_be() {
    let mut rig = Rig::usual();
    for (path, accept, code) in [
        ("/3/0/99", None, Code::NOT_FOUND),
        ("/3/7", None, Code::NOT_FOUND),
        ("/99", None, Code::NOT_FOUND),
        ("/5/0/0", None, Code::METHOD_NOT_ALLOWED),
        ("/5/0/2", None, Code::METHOD_NOT_ALLOWED),
        ("/5/0/7", None, Code::NOT_FOUND),
        ("/5/0", Some(0), Code::NOT_ACCEPTABLE),
        ("/5/0/3", Some(60_000), Code::NOT_ACCEPTABLE),
        // int-221: the keys are not for a server.
        ("/0/0", None, Code::UNAUTHORIZED),
        ("/rd", None, Code::NOT_FOUND),
    ] {
        assert_eq!(rig.get(path, accept).code, code, "{path}");
    }
    // int-256: the value stays.
    assert_eq!(rig.put("/1/0/0", "9"), Code::METHOD_NOT_ALLOWED);
    assert_eq!(rig.text("/1/0/0"), text("2.05", "1"));
    assert_eq!(rig.put("/1/0/1", "soon"), Code::BAD_REQUEST);
    assert_eq!(rig.put("/0/0/0", "x"), Code::UNAUTHORIZED);
    let odd = rig
        .ask(Request::put("/1/0/1", "x").format(60_000))
        .expect("an answer");
    assert_eq!(odd.code, Code::UNSUPPORTED_CONTENT_FORMAT);
    assert_eq!(rig.execute("/5/0/3"), Some(Code::METHOD_NOT_ALLOWED));
}

#[test]
fn int_241_reboot_registers_again() {
    let mut rig = Rig::usual();
    assert_eq!(rig.execute("/3/0/4"), Some(Code::CHANGED));
    rig.until("again", |rig| rig.registrations() == 2);
    assert_eq!(rig.device.starts(), 2);
}

#[test]
fn int_260_discover_shows_attributes() {
    let mut rig = Rig::usual();
    let mut request = Request::new(Code::PUT, "/5/0?pmin=2&pmax=10");
    assert_eq!(
        rig.ask(request.clone()).expect("an answer").code,
        Code::CHANGED
    );
    let links = |message: fotalab_wire::coap::Message| {
        String::from_utf8_lossy(&message.payload).into_owned()
    };
    let found = links(rig.get("/5", Some(40)));
    assert!(found.contains("</5>;ver=1.1"), "{found}");
    assert!(found.contains("</5/0>;pmin=2;pmax=10"), "{found}");
    assert!(found.contains("</5/0/2>"), "{found}");
    let found = links(rig.get("/3/0/6", Some(40)));
    assert!(found.contains("</3/0/6>;dim=1"), "{found}");
    request = Request::new(Code::PUT, "/5/0/3?lt=5&gt=2");
    assert_eq!(rig.ask(request).expect("an answer").code, Code::BAD_REQUEST);
}

#[test]
fn int_301_760_notifications_keep_to_their_periods() {
    let mut rig = Rig::usual();
    let request = Request::new(Code::PUT, "/5/0/3?pmin=2&pmax=10");
    assert_eq!(rig.ask(request).expect("an answer").code, Code::CHANGED);
    let id = rig.observe("/5/0/3");
    let before = rig.now;
    rig.run(35);
    let count = rig.notified(id).len();
    assert!(
        (4..=5).contains(&count),
        "{count} in {:?}",
        rig.now - before
    );
    let last = rig.now;
    rig.put("/5/0/1", "nonsense");
    rig.push(b"firmware", 1_024);
    rig.until("two", |rig| {
        rig.notified(id).last().is_some_and(|it| it == "2")
    });
    assert!(rig.now - last < std::time::Duration::from_secs(11));
}

#[test]
fn int_302_303_observations_end() {
    let mut rig = Rig::usual();
    let id = rig.observe("/5/0/3");
    rig.server.deregister(rig.now, id).expect("there");
    rig.run(5);
    rig.push(b"firmware", 1_024);
    rig.run(5);
    assert_eq!(rig.notified(id), ["0"]);
    // By Reset: the server forgets, and answers the next notification with one.
    let id = rig.observe("/5/0/3");
    rig.server.cancel(rig.now, id);
    rig.put("/5/0/1", "");
    rig.run(5);
    rig.push(b"firmware", 1_024);
    rig.run(5);
    assert_eq!(rig.notified(id), ["2"]);
}

#[test]
fn x_coap_01_02_ping_and_unknown_critical_options() {
    let mut rig = Rig::usual();
    let mut request = Request::get("/3/0/0");
    request.options.push(9, b"x");
    assert_eq!(rig.ask(request).expect("an answer").code, Code::BAD_OPTION);
    rig.server.ping(rig.now, 1).expect("room");
    rig.run(1);
    assert_eq!(rig.text("/5/0/3"), text("2.05", "0"));
}

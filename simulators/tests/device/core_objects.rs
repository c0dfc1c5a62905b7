//! The core objects as servers use them: sections 3.2 and 3.4.

use fotalab_simulators::device::{Kind, Persona, Phase};
use fotalab_wire::coap::{Code, Request};
use fotalab_wire::lwm2m::{Definitions, Path, Value};

use crate::objects::{SENML_CBOR, path, text, tree};
use crate::rig::Rig;

/// 551, 555, 556: what of /1 can be read and written, by whom.
#[test]
fn int_551_555_556_the_server_object() {
    let mut rig = Rig::usual();
    let server = rig.read("/1/0", SENML_CBOR);
    for id in [0, 1, 2, 3, 5, 6, 7, 23] {
        assert!(server.contains(Path::resource(1, 0, id)), "/1/0/{id}");
    }
    assert_eq!(rig.put("/1/0/0", "2"), Code::METHOD_NOT_ALLOWED);
    assert_eq!(rig.put("/1/0/1", "0"), Code::BAD_REQUEST);
    assert_eq!(rig.put("/1/0/1", "-5"), Code::BAD_REQUEST);
    assert_eq!(rig.execute("/1/0/1"), Some(Code::METHOD_NOT_ALLOWED));
    assert_eq!(
        rig.execute("/1/0/9"),
        Some(Code::METHOD_NOT_ALLOWED),
        "no bootstrap"
    );
    assert_eq!(rig.execute("/1/1/8"), Some(Code::NOT_FOUND));
}

/// What follows from a request goes out behind its answer.
#[test]
fn int_102_103_104_the_answer_goes_first() {
    use fotalab_wire::coap::{Kind, Message};
    let mut rig = Rig::usual();
    for (id, path, method, body) in [
        (1, "/1/0/1", Code::PUT, "90"),
        (2, "/1/0/8", Code::POST, ""),
        (3, "/1/0/4", Code::POST, ""),
    ] {
        let mut message = Message::new(Kind::Confirmable, method, id);
        message.options.push_path(path);
        if !body.is_empty() {
            message.options.push_uint(12, 0);
        }
        message.payload = body.as_bytes().to_vec().into();
        let sent = rig.raw(&message);
        assert_eq!(
            (sent[0].kind, sent[0].code),
            (Kind::Acknowledgement, Code::CHANGED),
            "{path}"
        );
        // The one before is not answered yet: it is not sent again, but replaced.
        let methods: Vec<Code> = sent[1..].iter().map(|it| it.code).collect();
        let expected = if id == 3 { Code::DELETE } else { Code::POST };
        assert_eq!(methods, [expected], "{path}");
    }
}

#[test]
fn int_104_an_update_keeps_the_registration() {
    let mut rig = Rig::new(Persona::read("lifetime = 300").expect("good"));
    rig.run(100);
    assert_eq!(rig.execute("/1/0/8"), Some(Code::CHANGED));
    rig.run(1);
    assert_eq!(rig.updates(), ["/rd/x1?"]);
    rig.run(203);
    assert_eq!(
        rig.updates().len(),
        1,
        "the next one is 93 s before the new end"
    );
    rig.run(10);
    assert_eq!(rig.updates().len(), 2);
    assert_eq!(rig.device.phase(), Phase::Registered);
}

#[test]
fn int_651_652_655_656_657_the_device_object() {
    let mut rig = Rig::usual();
    let device = rig.read("/3/0", SENML_CBOR);
    for id in [0, 1, 2, 3, 9, 10, 13, 16, 17, 18, 21] {
        assert!(device.contains(Path::resource(3, 0, id)), "/3/0/{id}");
    }
    assert_eq!(rig.text("/3/0/3").1, "1.0.0");
    assert_eq!(rig.execute("/3/0/4"), Some(Code::CHANGED));
    rig.until("again", |rig| rig.registrations() == 2);
    rig.until_registered();
    rig.put("/1/0/2", "9");
    rig.put("/3/0/15", "Europe/Oslo");
    assert_eq!(rig.text("/3/0/15").1, "Europe/Oslo");
    assert_eq!(rig.execute("/3/0/5"), Some(Code::CHANGED));
    rig.until("again", |rig| rig.registrations() == 3);
    rig.until_registered();
    assert_eq!(rig.text("/1/0/2").1, "0");
    assert_eq!(rig.get("/3/0/15", None).code, Code::NOT_FOUND);
}

#[test]
fn int_657_the_error_code_is_set_and_reset() {
    let mut rig = Rig::with("out of memory at 60 %");
    assert_eq!(rig.text("/3/0/11/0").1, "0");
    rig.push(&[7; 5_000], 256);
    assert_eq!(rig.text("/3/0/11/0").1, "5");
    assert_eq!(rig.execute("/3/0/12"), Some(Code::CHANGED));
    assert_eq!(rig.text("/3/0/11/0").1, "0");
}

#[test]
fn memory_free_becomes_less_while_a_package_comes() {
    let mut rig = Rig::new(Persona::read("flash-bytes = 102400").expect("good"));
    assert_eq!(
        (rig.text("/3/0/10").1, rig.text("/3/0/21").1),
        ("100".into(), "100".into())
    );
    let request = Request::put("/5/0/0", vec![7; 50_000]).format(42);
    let id = rig.server.request(rig.now, 1, request).expect("room");
    rig.until("some", |rig| rig.device.firmware().received() >= 10_240);
    rig.server.cancel(rig.now, id);
    assert_eq!(rig.text("/3/0/10").1, "90");
}

#[test]
fn int_701_705_710_connectivity() {
    let mut rig = Rig::usual();
    let monitoring = rig.read("/4/0", SENML_CBOR);
    for id in [0, 2] {
        assert!(
            monitoring.value(Path::resource(4, 0, id)).is_some(),
            "/4/0/{id}"
        );
    }
    assert!(monitoring.contains(path("/4/0/1/0")) && monitoring.contains(path("/4/0/4/0")));
    assert_eq!(rig.put("/4/0/2", "-50"), Code::METHOD_NOT_ALLOWED);
    let id = rig.observe("/4/0/2");
    assert_eq!(rig.notified(id).len(), 1);
}

/// X-REG-10, from the device's side: below another root, with versions in quotes.
#[test]
fn x_reg_10_an_alternate_path_and_quoted_versions() {
    let mut rig = Rig::new(
        Persona::read("root = \"/lwm2m\"\nquotes-versions = true\nsenml = \"json\"").expect("good"),
    );
    let list = String::from_utf8(rig.payloads[0].to_vec()).expect("text");
    assert!(
        list.starts_with("</lwm2m>;rt=\"oma.lwm2m\";ct=110,"),
        "{list}"
    );
    assert!(
        list.contains("</lwm2m/5>;ver=\"1.1\",</lwm2m/5/0>"),
        "{list}"
    );
    assert_eq!(rig.listed().root, "/lwm2m");
    assert_eq!(rig.text("/lwm2m/3/0/3").1, "1.0.0");
    assert_eq!(rig.get("/3/0/3", None).code, Code::NOT_FOUND);
    assert!(
        rig.discover("/lwm2m/5")
            .starts_with("</lwm2m/5>;ver=1.1,</lwm2m/5/0>,")
    );
    assert_eq!(rig.put("/lwm2m/5/0/1", "nonsense"), Code::CHANGED);
    assert_eq!(rig.seen().1, 7);
}

#[test]
fn int_108_queue_mode_of_1_0_and_1_1() {
    for (version, item) in [("1.0", "b=UQ"), ("1.1", "Q")] {
        let persona = format!("lwm2m = \"{version}\"\nqueue-mode = true");
        let rig = Rig::new(Persona::read(&persona).expect("good"));
        let query = rig.requests[0].1.split(['?', '&']).any(|it| it == item);
        assert!(query, "{}", rig.requests[0].1);
    }
}

/// An object that its owner described in the XML of OMA's registry.
#[test]
fn an_object_of_ones_own_from_the_registrys_xml() {
    let mut definitions = Definitions::new();
    let xml = include_str!("../../../wire/src/lwm2m/definition/thing.xml");
    definitions.read_xml(xml).expect("good");
    let values = tree(&[
        ("/26241/0/0", text("mine")),
        ("/26241/0/3", Value::Float(0.5)),
        ("/26241/0/1/0", Value::Integer(7)),
    ]);
    let kind = Kind::with_objects(Persona::default(), definitions, values);
    let mut rig = Rig::of(kind);
    let list = String::from_utf8(rig.payloads[0].to_vec()).expect("text");
    assert!(list.contains("</26241>;ver=1.1,</26241/0>"), "{list}");
    assert_eq!(rig.text("/26241/0/0"), ("2.05".into(), "mine".into()));
    assert_eq!(rig.put("/26241/0/3", "1.5"), Code::CHANGED);
    assert_eq!(rig.text("/26241/0/3").1, "1.5");
    assert_eq!(rig.put("/26241/0/3", "high"), Code::BAD_REQUEST);
    assert_eq!(rig.put("/26241/0/1/0", "8"), Code::METHOD_NOT_ALLOWED);
    assert_eq!(rig.execute("/26241/0/9"), Some(Code::CHANGED));
    assert!(
        rig.discover("/26241/0/1")
            .starts_with("</26241/0/1>;dim=1,")
    );
}

#[test]
fn int_560_661_reports_are_delayed_by_the_default_period() {
    let mut rig = Rig::usual();
    assert_eq!(rig.put("/1/0/2", "15"), Code::CHANGED);
    let id = rig.observe("/5/0/11");
    rig.put("/5/0/11", "2");
    rig.run(10);
    assert_eq!(rig.notified(id), ["1"]);
    rig.run(6);
    assert_eq!(rig.notified(id), ["1", "2"]);
}

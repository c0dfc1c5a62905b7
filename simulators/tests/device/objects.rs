//! Reading and writing objects: section 3.3, and the core objects of section 3.4.

use fotalab_simulators::device::Persona;
use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{Code, Request};
use fotalab_wire::lwm2m::codec::{self, senml};
use fotalab_wire::lwm2m::registration::ObjectList;
use fotalab_wire::lwm2m::{ContentFormat, Definitions, Path, Tree, Value, Version};

use crate::rig::Rig;

const TLV: u16 = 11_542;
const JSON: u16 = 11_543;
const SENML_JSON: u16 = 110;
pub(crate) const SENML_CBOR: u16 = 112;

pub(crate) fn path(text: &str) -> Path {
    text.parse().expect("a path")
}

fn portfolio() -> Rig {
    Rig::new(Persona::read("portfolio = true").expect("good"))
}

fn old() -> Rig {
    Rig::new(Persona::read("lwm2m = \"1.0\"\nfirmware-object = \"1.0\"").expect("good"))
}

pub(crate) fn tree(values: &[(&str, Value)]) -> Tree {
    let mut tree = Tree::new();
    for (at, value) in values {
        assert!(tree.set(path(at), value.clone()));
    }
    tree
}

fn encode(format: u16, at: &str, values: &[(&str, Value)]) -> Vec<u8> {
    let format = ContentFormat::from_number(format).expect("known");
    codec::encode(format, path(at), &tree(values)).expect("it can be said")
}

pub(crate) fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

impl Rig {
    /// What a read brings, decoded.
    pub(crate) fn read(&mut self, at: &str, format: u16) -> Tree {
        let message = self.get(at, Some(format.into()));
        assert_eq!(message.code, Code::CONTENT, "{at} in {format}");
        assert_eq!(
            message.options.uint(number::CONTENT_FORMAT),
            Some(format.into())
        );
        let definitions = Definitions::core(Version::V1_2);
        let format = ContentFormat::from_number(format).expect("known");
        codec::decode(format, path(at), &message.payload, &definitions).expect("good")
    }

    /// Read-Composite.
    fn fetch(&mut self, paths: &[&str], format: u16) -> (Code, Tree) {
        let paths: Vec<Path> = paths.iter().map(|it| path(it)).collect();
        let body = match format {
            SENML_JSON => senml::json::encode_paths(&paths),
            _ => senml::cbor::encode_paths(&paths),
        };
        let mut request = Request::new(Code::FETCH, "/").format(format);
        request.options.push_uint(number::ACCEPT, format.into());
        request.payload = body.into();
        let message = self.ask(request).expect("an answer");
        let definitions = Definitions::core(Version::V1_2);
        let format = ContentFormat::from_number(format).expect("known");
        let tree = codec::decode(format, Path::ROOT, &message.payload, &definitions);
        (message.code, tree.unwrap_or_default())
    }

    /// Write-Composite.
    fn patch(&mut self, values: &[(&str, Value)], format: u16) -> Code {
        let body = encode(format, "/", values);
        self.send(Code::IPATCH, "/", format, &body)
    }

    pub(crate) fn listed(&self) -> ObjectList {
        let payload = self.payloads.iter().rev().find(|it| !it.is_empty());
        ObjectList::parse(payload.expect("a list")).expect("links")
    }
}

#[test]
fn int_202_210_opaque() {
    let mut rig = Rig::usual();
    let code = rig.send(Code::PUT, "/5/0/0", 42, b"opaque");
    assert_eq!((code, rig.seen().0), (Code::CHANGED, 2));
}

#[test]
fn int_203_204_query_in_tlv_and_json_by_1_0() {
    let mut rig = old();
    let identity = rig.device.identity();
    for format in [TLV, JSON] {
        let device = rig.read("/3/0", format);
        assert_eq!(
            device.value(path("/3/0/0")),
            Some(&text(&identity.manufacturer))
        );
        assert_eq!(device.value(path("/3/0/2")), Some(&text(&identity.serial)));
        assert_eq!(device.value(path("/3/0/11/0")), Some(&Value::Integer(0)));
    }
}

#[test]
fn int_215_220_232_234_set_in_every_format() {
    let values = |lifetime, pmin| {
        [
            ("/1/0/1", Value::Integer(lifetime)),
            ("/1/0/2", Value::Integer(pmin)),
            ("/1/0/6", Value::Boolean(true)),
            ("/1/0/7", text("U")),
        ]
    };
    for (version, formats) in [
        ("1.0", &[TLV, JSON][..]),
        ("1.1", &[TLV, SENML_JSON, SENML_CBOR][..]),
    ] {
        let mut rig = Rig::new(Persona::read(&format!("lwm2m = \"{version}\"")).expect("good"));
        for (format, n) in formats.iter().zip(1..) {
            let body = encode(*format, "/1/0", &values(100 + n, n));
            assert_eq!(rig.send(Code::PUT, "/1/0", *format, &body), Code::CHANGED);
            let read = rig.read("/1/0", *format);
            for (at, value) in values(100 + n, n) {
                assert_eq!(read.value(path(at)), Some(&value), "{at} in {format}");
            }
        }
    }
}

#[test]
fn int_205_set_in_plain_text() {
    let mut rig = Rig::usual();
    for (at, value) in [("/1/0/2", "101"), ("/1/0/3", "1010"), ("/1/0/5", "2000")] {
        assert_eq!(rig.put(at, value), Code::CHANGED);
        assert_eq!(rig.text(at).1, value);
    }
}

#[test]
fn int_211_212_cbor() {
    let mut rig = Rig::usual();
    let serial = rig.read("/3/0/2", 60);
    assert_eq!(
        serial.value(path("/3/0/2")),
        Some(&text(&rig.device.identity().serial))
    );
    let body = encode(60, "/1/0/3", &[("/1/0/3", Value::Integer(77))]);
    assert_eq!(rig.send(Code::PUT, "/1/0/3", 60, &body), Code::CHANGED);
    assert_eq!(rig.text("/1/0/3").1, "77");
}

#[test]
fn int_221_operations_on_object_0() {
    let mut rig = portfolio();
    for (method, at) in [
        (Code::GET, "/0"),
        (Code::GET, "/0/0"),
        (Code::GET, "/0/0/5"),
        (Code::PUT, "/0/0?pmin=10"),
        (Code::POST, "/0"),
        (Code::POST, "/0/0/2"),
        (Code::DELETE, "/0/0"),
    ] {
        let answer = rig.ask(Request::new(method, at)).expect("one");
        assert_eq!(answer.code, Code::UNAUTHORIZED, "{method} {at}");
    }
    assert_eq!(rig.put("/0/0/0", "coap://elsewhere"), Code::UNAUTHORIZED);
    assert_eq!(rig.get("/0/0", Some(40)).code, Code::UNAUTHORIZED);
    let observed = rig.ask(Request::get("/0/0").observing());
    assert_eq!(observed.expect("one").code, Code::UNAUTHORIZED);
    // In a composite its values are left out.
    let (code, found) = rig.fetch(&["/0/0", "/3/0/3"], SENML_CBOR);
    assert_eq!((code, found.values().count()), (Code::CONTENT, 1));
    let written = rig.patch(
        &[("/0/0/0", text("x")), ("/1/0/2", Value::Integer(1))],
        SENML_CBOR,
    );
    assert_eq!(written, Code::UNAUTHORIZED);
}

#[test]
fn int_222_to_225_an_object_an_instance_a_resource_a_resource_instance() {
    let mut rig = portfolio();
    for format in [TLV, SENML_JSON, SENML_CBOR] {
        let object = rig.read("/1", format);
        assert_eq!(object.value(path("/1/0/1")), Some(&Value::Integer(300)));
        assert!(object.objects().len() == 1 && object.values().count() >= 7);
        let instance = rig.read("/3/0", format);
        assert_eq!(instance.value(path("/3/0/16")), Some(&text("U")));
        let resource = rig.read("/16/0/0", format);
        assert_eq!(resource.values().count(), 4);
        let one = rig.read("/16/0/0/0", format);
        assert_eq!(one.value(path("/16/0/0/0")), Some(&text("host id")));
    }
    assert_eq!(
        rig.text("/16/0/0/1"),
        ("2.05".into(), "manufacturer".into())
    );
    assert_eq!(rig.get("/16/0/0/9", None).code, Code::NOT_FOUND);
}

#[test]
fn int_226_a_partial_update_leaves_the_others_alone() {
    let mut rig = portfolio();
    rig.put("/1/0/3", "60");
    let body = encode(
        TLV,
        "/1/0",
        &[
            ("/1/0/1", Value::Integer(86_400)),
            ("/1/0/2", Value::Integer(3)),
        ],
    );
    assert_eq!(rig.send(Code::POST, "/1/0", TLV, &body), Code::CHANGED);
    assert_eq!(rig.text("/1/0/1").1, "86400");
    assert_eq!(rig.text("/1/0/3").1, "60", "it was not named");
    // Of a resource with instances: one more, and one changed.
    let body = encode(
        SENML_CBOR,
        "/16/0/0",
        &[("/16/0/0/1", text("ACME")), ("/16/0/0/7", text("more"))],
    );
    assert_eq!(
        rig.send(Code::POST, "/16/0/0", SENML_CBOR, &body),
        Code::CHANGED
    );
    let all = rig.read("/16/0/0", TLV);
    assert_eq!(all.values().count(), 5);
    assert_eq!(all.value(path("/16/0/0/0")), Some(&text("host id")));
    assert_eq!(all.value(path("/16/0/0/1")), Some(&text("ACME")));
}

#[test]
fn int_227_a_replace_takes_away_what_it_does_not_name() {
    let mut rig = portfolio();
    rig.put("/1/0/2", "20");
    let body = encode(
        TLV,
        "/1/0",
        &[
            ("/1/0/1", Value::Integer(63)),
            ("/1/0/6", Value::Boolean(false)),
            ("/1/0/7", text("U")),
        ],
    );
    assert_eq!(rig.send(Code::PUT, "/1/0", TLV, &body), Code::CHANGED);
    rig.run(1);
    assert_eq!(rig.updates(), ["/rd/x1?lt=63"]);
    assert_eq!(rig.text("/1/0/2").1, "0");
    let body = encode(TLV, "/16/0/0", &[("/16/0/0/3", text("only"))]);
    assert_eq!(rig.send(Code::PUT, "/16/0/0", TLV, &body), Code::CHANGED);
    assert_eq!(rig.read("/16/0/0", TLV).values().count(), 1);
}

#[test]
fn int_228_write_of_a_resource_instance() {
    let mut rig = portfolio();
    assert_eq!(rig.put("/16/0/0/0", "another host"), Code::CHANGED);
    assert_eq!(rig.text("/16/0/0/0").1, "another host");
    assert_eq!(rig.read("/16/0/0", TLV).values().count(), 4);
    assert_eq!(rig.put("/16/0/0/9", "nobody"), Code::NOT_FOUND);
    assert_eq!(rig.put("/16/1/0/0", "nobody"), Code::NOT_FOUND);
    assert_eq!(
        rig.put("/16/0/2/0", "cmVhZCBvbmx5"),
        Code::METHOD_NOT_ALLOWED
    );
    // It is kept over a reboot, and lost by a factory reset.
    rig.device.cut_power(rig.now);
    rig.until_registered();
    assert_eq!(rig.text("/16/0/0/0").1, "another host");
    assert_eq!(rig.execute("/3/0/5"), Some(Code::CHANGED));
    rig.until("again", |rig| rig.registrations() == 3);
    rig.until_registered();
    assert_eq!(rig.text("/16/0/0/0").1, "host id");
}

#[test]
fn int_229_235_236_280_281_read_composite() {
    for format in [SENML_JSON, SENML_CBOR] {
        let mut rig = portfolio();
        let (code, found) = rig.fetch(&["/3/0/0", "/3/0/9", "/1/0/1"], format);
        assert_eq!((code, found.values().count()), (Code::CONTENT, 3));
        assert_eq!(found.value(path("/1/0/1")), Some(&Value::Integer(300)));
        // Whole objects, instances, and one instance of a resource.
        let (_, found) = rig.fetch(&["/5", "/1/0", "/16/0/0/1"], format);
        assert!(found.contains(path("/5/0/3")) && found.contains(path("/1/0/7")));
        assert_eq!(found.value(path("/16/0/0/1")), Some(&text("manufacturer")));
        assert_eq!(found.object(16).expect("some")[&0].len(), 1);
        // What is not there, or cannot be read, is left out.
        let (code, found) = rig.fetch(&["/3/0/3", "/3/0/99", "/5/0/0", "/77"], format);
        assert_eq!((code, found.values().count()), (Code::CONTENT, 1));
        let (code, found) = rig.fetch(&["/77"], format);
        assert_eq!((code, found.values().count()), (Code::CONTENT, 0));
        // The root has all objects, but those nobody may see.
        let (code, found) = rig.fetch(&["/"], format);
        let objects: Vec<u16> = found.objects().keys().copied().collect();
        assert_eq!((code, &objects[..]), (Code::CONTENT, &[1, 3, 4, 5, 16][..]));
    }
}

#[test]
fn composites_that_cannot_be() {
    let mut rig = Rig::usual();
    let paths = senml::cbor::encode_paths(&[path("/3/0/3")]);
    for (number, accept, body, code) in [
        (60, None, &paths[..], Code::UNSUPPORTED_CONTENT_FORMAT),
        (TLV, None, &paths[..], Code::UNSUPPORTED_CONTENT_FORMAT),
        (SENML_CBOR, Some(TLV), &paths[..], Code::NOT_ACCEPTABLE),
        (SENML_CBOR, None, b"\xff", Code::BAD_REQUEST),
        (SENML_CBOR, None, b"\x80", Code::BAD_REQUEST),
    ] {
        let mut request = Request::new(Code::FETCH, "/").format(number);
        if let Some(accept) = accept {
            request.options.push_uint(17, accept.into());
        }
        request.payload = body.to_vec().into();
        assert_eq!(
            rig.ask(request).expect("one").code,
            code,
            "{number} {body:?}"
        );
    }
    let mut elsewhere = Request::new(Code::FETCH, "/3/0").format(SENML_CBOR);
    elsewhere.payload = paths.clone().into();
    assert_eq!(
        rig.ask(elsewhere).expect("one").code,
        Code::METHOD_NOT_ALLOWED
    );
    let mut rig = old();
    let mut request = Request::new(Code::FETCH, "/").format(SENML_CBOR);
    request.payload = paths.into();
    assert_eq!(
        rig.ask(request).expect("one").code,
        Code::METHOD_NOT_ALLOWED
    );
}

#[test]
fn int_230_257_write_composite_is_all_or_nothing() {
    for format in [SENML_JSON, SENML_CBOR] {
        let mut rig = portfolio();
        let values = [
            ("/1/0/1", Value::Integer(1_234)),
            ("/1/0/2", Value::Integer(5)),
            ("/16/0/0/0", text("written")),
        ];
        assert_eq!(rig.patch(&values, format), Code::CHANGED);
        rig.run(1);
        assert_eq!(rig.updates(), ["/rd/x1?lt=1234"]);
        assert_eq!(rig.text("/16/0/0/0").1, "written");
        for (wrong, code) in [
            (("/3/0/3", text("2.0.0")), Code::METHOD_NOT_ALLOWED),
            (("/3/0/99", text("x")), Code::NOT_FOUND),
            (("/16/4/0/0", text("x")), Code::NOT_FOUND),
            (("/1/0/1", Value::Integer(0)), Code::BAD_REQUEST),
            (("/5/0/11", Value::Integer(3)), Code::BAD_REQUEST),
            (("/5/0/1", text("ftp://nobody/x")), Code::BAD_REQUEST),
        ] {
            let values = [
                ("/1/0/2", Value::Integer(99)),
                wrong.clone(),
                ("/16/0/0/1", text("x")),
            ];
            assert_eq!(rig.patch(&values, format), code, "{wrong:?}");
            assert_eq!(rig.text("/1/0/2").1, "5", "{wrong:?}");
            assert_eq!(rig.text("/16/0/0/1").1, "manufacturer");
        }
    }
}

#[test]
fn int_237_without_accept_the_device_chooses() {
    for (persona, number) in [
        ("lwm2m = \"1.0\"", u32::from(TLV)),
        ("", SENML_CBOR.into()),
        ("senml = \"json\"", SENML_JSON.into()),
    ] {
        let mut rig = Rig::new(Persona::read(persona).expect("good"));
        assert_eq!(rig.get("/3/0", None).options.uint(12), Some(number));
        let formats = rig.listed().formats;
        let told = number == u32::from(SENML_JSON);
        assert_eq!(formats, vec![ContentFormat::SenmlJson; usize::from(told)]);
    }
}

#[test]
fn int_260_264_266_discover_at_each_level() {
    let mut rig = portfolio();
    rig.attribute("/3?pmin=5");
    rig.attribute("/3/0?pmax=50");
    rig.attribute("/3/0/9?gt=80");
    let object = rig.discover("/3");
    assert!(
        object.starts_with("</3>;pmin=5,</3/0>;pmax=50,</3/0/0>,"),
        "{object}"
    );
    assert!(object.contains("</3/0/9>;gt=80,"), "its own only: {object}");
    assert!(object.contains("</3/0/4>"), "executable ones too: {object}");
    let instance = rig.discover("/3/0");
    assert!(
        instance.starts_with("</3/0>;pmax=50,</3/0/0>,"),
        "{instance}"
    );
    assert!(instance.contains("</3/0/6>;dim=1,"), "{instance}");
    let resource = rig.discover("/3/0/9");
    assert_eq!(
        resource, "</3/0/9>;pmin=5;pmax=50;gt=80",
        "what it inherits too"
    );
    let several = rig.discover("/16/0/0");
    assert!(
        several.starts_with("</16/0/0>;dim=4,</16/0/0/0>,"),
        "{several}"
    );
    for (path, code) in [
        ("/99", Code::NOT_FOUND),
        ("/3/1", Code::NOT_FOUND),
        ("/3/0/99", Code::NOT_FOUND),
        ("/16/0/0/0", Code::METHOD_NOT_ALLOWED),
    ] {
        assert_eq!(rig.get(path, Some(40)).code, code, "{path}");
    }
    assert_eq!(old().discover("/3/0/6"), "</3/0/6>;dim=1");
}

#[test]
fn int_261_write_attributes_are_checked_and_inherited() {
    let mut rig = portfolio();
    for (query, code) in [
        ("/3/0/9?lt=20&gt=80&st=5", Code::CHANGED),
        ("/3/0/9?lt=80&gt=20", Code::BAD_REQUEST),
        ("/3/0/9?lt=20&gt=80&st=30", Code::BAD_REQUEST),
        ("/3/0/9?pmin=a", Code::BAD_REQUEST),
        ("/3/0/9?pmin=-1", Code::BAD_REQUEST),
        ("/3/0/9?nonsense=1", Code::BAD_REQUEST),
        ("/3/0/0?gt=1", Code::BAD_REQUEST),
        ("/3/0?gt=1", Code::BAD_REQUEST),
        ("/3/0/6/0?pmin=3", Code::CHANGED),
        ("/3?pmin=10&pmax=60", Code::CHANGED),
        ("/3/0/6?pmax=200", Code::CHANGED),
        ("/77?pmin=1", Code::NOT_FOUND),
        ("/3/0/99?pmin=1", Code::NOT_FOUND),
    ] {
        assert_eq!(rig.attribute(query), code, "{query}");
    }
    assert_eq!(
        rig.discover("/3/0/9"),
        "</3/0/9>;pmin=10;pmax=60;gt=80;lt=20;st=5"
    );
    let power = rig.discover("/3/0/6");
    assert_eq!(power, "</3/0/6>;dim=1;pmin=10;pmax=200,</3/0/6/0>;pmin=3");
    // A name alone takes it away.
    assert_eq!(rig.attribute("/3/0/9?gt&lt&st"), Code::CHANGED);
    assert_eq!(rig.discover("/3/0/9"), "</3/0/9>;pmin=10;pmax=60");
}

#[test]
fn int_270_271_create_one_and_several() {
    let identity = |id: u16| (format!("/16/{id}/0/0"), text("created"));
    for format in [TLV, SENML_JSON, SENML_CBOR] {
        let mut rig = portfolio();
        let (at, value) = identity(5);
        let body = encode(format, "/16", &[(&at, value)]);
        assert_eq!(rig.send(Code::POST, "/16", format, &body), Code::CREATED);
        assert_eq!(rig.text("/16/5/0/0").1, "created");
        rig.run(1);
        assert_eq!(rig.updates(), ["/rd/x1?"]);
        let list = rig.listed();
        assert!(list.contains(path("/16/0")) && list.contains(path("/16/5")));
        assert_eq!(
            rig.send(Code::POST, "/16", format, &body),
            Code::BAD_REQUEST,
            "it is there"
        );
        let (at, value) = identity(6);
        let (other, same) = identity(7);
        let body = encode(format, "/16", &[(&at, value), (&other, same)]);
        assert_eq!(rig.send(Code::POST, "/16", format, &body), Code::CREATED);
        assert_eq!(rig.read("/16", TLV).object(16).expect("some").len(), 4);
    }
}

#[test]
fn int_270_an_id_that_the_device_chooses() {
    let mut rig = Rig::new(Persona::read("portfolio = true\nroot = \"/lwm2m\"").expect("good"));
    // Resources without an instance around them (TS 1.1 C 6.3.7).
    let body = encode(TLV, "/16/0", &[("/16/0/0/0", text("mine"))]);
    let mut request = Request::post("/lwm2m/16", body).format(TLV);
    let answer = rig.ask(request).expect("one");
    assert_eq!(answer.code, Code::CREATED);
    let place: Vec<_> = answer
        .options
        .iter()
        .filter(|(n, _)| *n == 8)
        .map(|(_, it)| it)
        .collect();
    assert_eq!(place, [&b"lwm2m"[..], b"16", b"1"]);
    assert_eq!(rig.text("/lwm2m/16/1/0/0").1, "mine");
    request = Request::post("/lwm2m/16", "");
    assert_eq!(
        rig.ask(request).expect("one").code,
        Code::BAD_REQUEST,
        "resource 0 must be there"
    );
}

#[test]
fn creations_and_deletions_that_cannot_be() {
    let mut rig = portfolio();
    let body = encode(TLV, "/3", &[("/3/1/14", text("+01:00"))]);
    assert_eq!(
        rig.send(Code::POST, "/3", TLV, &body),
        Code::METHOD_NOT_ALLOWED
    );
    assert_eq!(rig.send(Code::POST, "/77", TLV, b""), Code::NOT_FOUND);
    assert_eq!(
        rig.send(Code::POST, "/16", 60, b"\x01"),
        Code::UNSUPPORTED_CONTENT_FORMAT
    );
    assert_eq!(rig.send(Code::POST, "/16", TLV, b"\xff"), Code::BAD_REQUEST);
    for (at, code) in [
        ("/16/9", Code::NOT_FOUND),
        ("/77/0", Code::NOT_FOUND),
        ("/3/0", Code::METHOD_NOT_ALLOWED),
        ("/1/0", Code::METHOD_NOT_ALLOWED),
        ("/16", Code::METHOD_NOT_ALLOWED),
        ("/16/0/0", Code::METHOD_NOT_ALLOWED),
    ] {
        let answer = rig.ask(Request::new(Code::DELETE, at)).expect("one");
        assert_eq!(answer.code, code, "{at}");
    }
    for id in 1..40 {
        let at = format!("/16/{id}/0/0");
        let body = encode(TLV, "/16", &[(&at, text("x"))]);
        rig.send(Code::POST, "/16", TLV, &body);
    }
    assert_eq!(
        rig.read("/16", TLV).object(16).expect("some").len(),
        32,
        "not without end"
    );
}

#[test]
fn int_290_delete() {
    let mut rig = portfolio();
    rig.attribute("/16/0?pmin=3");
    let answer = rig.ask(Request::new(Code::DELETE, "/16/0")).expect("one");
    assert_eq!(answer.code, Code::DELETED);
    rig.run(1);
    assert_eq!(rig.updates(), ["/rd/x1?"]);
    assert!(!rig.listed().contains(path("/16/0")) && rig.listed().objects.contains_key(&16));
    assert_eq!(rig.get("/16/0", None).code, Code::NOT_FOUND);
    // It stays away over a reboot.
    rig.device.cut_power(rig.now);
    rig.until_registered();
    assert!(!rig.listed().contains(path("/16/0")));
}

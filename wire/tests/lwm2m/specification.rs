//! The examples of the specifications, written out by hand.

use fotalab_wire::lwm2m::codec::{self, senml, tlv};
use fotalab_wire::lwm2m::registration::{ListedObject, ObjectList, Registration};
use fotalab_wire::lwm2m::{ContentFormat, ObjectLink, Path, Tree, Value, Version};

use crate::{definitions, hex};

fn tree(values: &[(&str, Value)]) -> Tree {
    let mut tree = Tree::new();
    for (path, value) in values {
        assert!(tree.set(path.parse().unwrap(), value.clone()));
    }
    tree
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// The device that TS 1.0 6.4.3 and 6.4.4 and TS 1.1 C 7.4.3 and 7.4.4 read.
fn device() -> Tree {
    tree(&[
        ("/3/0/0", text("Open Mobile Alliance")),
        ("/3/0/1", text("Lightweight M2M Client")),
        ("/3/0/2", text("345000123")),
        ("/3/0/3", text("1.0")),
        ("/3/0/6/0", Value::Integer(1)),
        ("/3/0/6/1", Value::Integer(5)),
        ("/3/0/7/0", Value::Integer(3800)),
        ("/3/0/7/1", Value::Integer(5000)),
        ("/3/0/8/0", Value::Integer(125)),
        ("/3/0/8/1", Value::Integer(900)),
        ("/3/0/9", Value::Integer(100)),
        ("/3/0/10", Value::Integer(15)),
        ("/3/0/11/0", Value::Integer(0)),
        ("/3/0/13", Value::Time(1_367_491_215)),
        ("/3/0/14", text("+02:00")),
        ("/3/0/16", text("U")),
    ])
}

const DEVICE_TLV: &str = "
    C8 00 14 4F 70 65 6E 20 4D 6F 62 69 6C 65 20 41 6C 6C 69 61 6E 63 65
    C8 01 16 4C 69 67 68 74 77 65 69 67 68 74 20 4D 32 4D 20 43 6C 69 65 6E 74
    C8 02 09 33 34 35 30 30 30 31 32 33
    C3 03 31 2E 30
    86 06 41 00 01 41 01 05
    88 07 08 42 00 0E D8 42 01 13 88
    87 08 41 00 7D 42 01 03 84
    C1 09 64
    C1 0A 0F
    83 0B 41 00 00
    C4 0D 51 82 42 8F
    C6 0E 2B 30 32 3A 30 30
    C1 10 55";

fn holds(format: ContentFormat, base: &str, payload: &[u8], expected: &Tree) {
    let base: Path = base.parse().unwrap();
    let read = codec::decode(format, base, payload, &definitions());
    assert_eq!(read.as_ref(), Ok(expected));
    assert_eq!(codec::encode(format, base, expected).unwrap(), payload);
}

#[test]
fn tlv_of_one_instance_and_of_its_object() {
    let instance = hex(DEVICE_TLV);
    assert_eq!(instance.len(), 121);
    holds(ContentFormat::Tlv, "/3/0", &instance, &device());
    let object = [&hex("08 00 79")[..], &instance].concat();
    holds(ContentFormat::Tlv, "/3", &object, &device());
    // Leaving the entry of the instance in is allowed.
    assert_eq!(
        tlv::decode(Path::instance(3, 0), &object, &definitions()),
        Ok(device())
    );
}

#[test]
fn tlv_of_several_instances() {
    let access = tree(&[
        ("/2/0/0", Value::Integer(1)),
        ("/2/0/1", Value::Integer(0)),
        ("/2/0/2/127", Value::Integer(7)),
        ("/2/0/3", Value::Integer(127)),
        ("/2/2/0", Value::Integer(3)),
        ("/2/2/1", Value::Integer(0)),
        ("/2/2/2/127", Value::Integer(7)),
        ("/2/2/2/310", Value::Integer(1)),
        ("/2/2/3", Value::Integer(127)),
    ]);
    let payload = hex("08 00 0E C1 00 01 C1 01 00 83 02 41 7F 07 C1 03 7F
         08 02 12 C1 00 03 C1 01 00 87 02 41 7F 07 61 01 36 01 C1 03 7F");
    holds(ContentFormat::Tlv, "/2", &payload, &access);
    let server = tree(&[
        ("/1/0/0", Value::Integer(1)),
        ("/1/0/1", Value::Integer(86_400)),
        ("/1/0/6", Value::Boolean(true)),
        ("/1/0/7", text("U")),
    ]);
    let payload = hex("08 00 0F C1 00 01 C4 01 00 01 51 80 C1 06 01 C1 07 55");
    holds(ContentFormat::Tlv, "/1", &payload, &server);
}

fn linked() -> [Tree; 2] {
    let to = |object, instance| Value::ObjectLink(ObjectLink { object, instance });
    [
        tree(&[
            ("/65/0/0/0", to(66, 0)),
            ("/65/0/0/1", to(66, 1)),
            ("/65/0/1", text("8613800755500")),
            ("/65/0/2", Value::Integer(0x1234_5678)),
        ]),
        tree(&[
            ("/66/0/0", text("myService 1")),
            ("/66/0/1", text("Internet.15.234")),
            ("/66/0/2", to(67, 0)),
            ("/66/1/0", text("myService 2")),
            ("/66/1/1", text("Internet.15.235")),
            ("/66/1/2", Value::ObjectLink(ObjectLink::NULL)),
        ]),
    ]
}

#[test]
fn tlv_of_object_links() {
    let [from, to] = linked();
    let payload = hex("88 00 0C 44 00 00 42 00 00 44 01 00 42 00 01
         C8 01 0D 38 36 31 33 38 30 30 37 35 35 35 30 30 C4 02 12 34 56 78");
    holds(ContentFormat::Tlv, "/65/0", &payload, &from);
    let payload = hex("08 00 26 C8 00 0B 6D 79 53 65 72 76 69 63 65 20 31
         C8 01 0F 49 6E 74 65 72 6E 65 74 2E 31 35 2E 32 33 34 C4 02 00 43 00 00
         08 01 26 C8 00 0B 6D 79 53 65 72 76 69 63 65 20 32
         C8 01 0F 49 6E 74 65 72 6E 65 74 2E 31 35 2E 32 33 35 C4 02 FF FF FF FF");
    holds(ContentFormat::Tlv, "/66", &payload, &to);
}

#[test]
fn senml_json_of_a_device() {
    let payload = concat!(
        r#"[{"bn":"/3/0/","n":"0","vs":"Open Mobile Alliance"},{"n":"1","vs":"Lightweight M2M Client"},"#,
        r#"{"n":"2","vs":"345000123"},{"n":"3","vs":"1.0"},{"n":"6/0","v":1},{"n":"6/1","v":5},"#,
        r#"{"n":"7/0","v":3800},{"n":"7/1","v":5000},{"n":"8/0","v":125},{"n":"8/1","v":900},"#,
        r#"{"n":"9","v":100},{"n":"10","v":15},{"n":"11/0","v":0},{"n":"13","v":1367491215},"#,
        r#"{"n":"14","vs":"+02:00"},{"n":"16","vs":"U"}]"#,
    );
    holds(
        ContentFormat::SenmlJson,
        "/3/0",
        payload.as_bytes(),
        &device(),
    );
}

#[test]
fn senml_json_of_object_links() {
    let payload = concat!(
        r#"[{"bn":"/65/0/","n":"0/0","vlo":"66:0"},{"n":"0/1","vlo":"66:1"},"#,
        r#"{"n":"1","vs":"8613800755500"},{"n":"2","v":305419896}]"#,
    );
    holds(
        ContentFormat::SenmlJson,
        "/65/0",
        payload.as_bytes(),
        &linked()[0],
    );
    let nowhere = br#"[{"bn":"/66/1/2","vlo":"65535:65535"}]"#;
    let expected = tree(&[("/66/1/2", Value::ObjectLink(ObjectLink::NULL))]);
    holds(ContentFormat::SenmlJson, "/66/1/2", nowhere, &expected);
}

#[test]
fn old_json_of_a_device_and_of_times() {
    let payload = concat!(
        r#"{"bn":"/3/0/","e":[{"n":"0","sv":"Open Mobile Alliance"},{"n":"1","sv":"Lightweight M2M Client"},"#,
        r#"{"n":"2","sv":"345000123"},{"n":"3","sv":"1.0"},{"n":"6/0","v":1},{"n":"6/1","v":5},"#,
        r#"{"n":"7/0","v":3800},{"n":"7/1","v":5000},{"n":"8/0","v":125},{"n":"8/1","v":900},"#,
        r#"{"n":"9","v":100},{"n":"10","v":15},{"n":"11/0","v":0},{"n":"13","v":1367491215},"#,
        r#"{"n":"14","sv":"+02:00"},{"n":"16","sv":"U"}]}"#,
    );
    let read = |base: &str, payload: &str| {
        codec::decode(
            ContentFormat::Json,
            base.parse().unwrap(),
            payload.as_bytes(),
            &definitions(),
        )
    };
    assert_eq!(read("/3/0", payload), Ok(device()));
    assert_eq!(
        read("/3/0", &payload.replace(r#""bn":"/3/0/","#, "")),
        Ok(device())
    );
    let times = concat!(
        r#"{"bn":"/72/","bt":25462634,"e":[{"n":"1/2","v":22.4,"t":-5},"#,
        r#"{"n":"1/2","v":22.9,"t":-30},{"n":"1/2","v":24.1,"t":-50}]}"#,
    );
    assert_eq!(
        read("/72", times),
        Ok(tree(&[("/72/1/2", Value::Float(22.4))]))
    );
}

/// RFC 8428, 5.1.2, second example.
const PACK: &str = concat!(
    r#"[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"#,
    r#""n":"voltage","u":"V","v":120.1},{"n":"current","t":-5,"v":1.2},{"n":"current","t":-4,"v":1.3},"#,
    r#"{"n":"current","t":-3,"v":1.4},{"n":"current","t":-2,"v":1.5},{"n":"current","t":-1,"v":1.6},"#,
    r#"{"n":"current","v":1.7}]"#,
);

#[test]
fn senml_packs_of_rfc_8428_are_resolved() {
    let format = ContentFormat::SenmlJson;
    let read = |payload: &str| {
        senml::resolve(format, senml::json::read(payload.as_bytes()).unwrap()).unwrap()
    };
    // 5.1.1
    let point = read(r#"[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]"#);
    assert_eq!(point[0].name, "urn:dev:ow:10e2073a01080063");
    assert_eq!(point[0].unit.as_deref(), Some("Cel"));
    // 5.1.4 resolves 5.1.2 so.
    let pack = read(PACK);
    let row = |at: usize| {
        (
            pack[at].name.as_str(),
            pack[at].unit.as_deref().unwrap(),
            pack[at].value.clone().unwrap(),
        )
    };
    assert_eq!(
        row(0),
        (
            "urn:dev:ow:10e2073a0108006:voltage",
            "V",
            Value::Float(120.1)
        )
    );
    assert_eq!(
        row(1),
        ("urn:dev:ow:10e2073a0108006:current", "A", Value::Float(1.2))
    );
    let times: Vec<f64> = pack
        .iter()
        .filter_map(|record| record.time)
        .map(f64::round)
        .collect();
    let expected = [0.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0].map(|before| 1_276_020_076.0 + before);
    assert_eq!(times, expected);
    // 5.1.5
    let types = read(concat!(
        r#"[{"bn":"urn:dev:ow:10e2073a01080063:","n":"temp","u":"Cel","v":23.1},{"n":"label","vs":"Machine Room"},"#,
        r#"{"n":"open","vb":false},{"n":"nfc-reader","vd":"aGkgCg"}]"#,
    ));
    let values: Vec<Value> = types
        .into_iter()
        .filter_map(|record| record.value)
        .collect();
    let expected = [
        Value::Float(23.1),
        text("Machine Room"),
        Value::Boolean(false),
        Value::Opaque("hi \n".into()),
    ];
    assert_eq!(values, expected);
}

#[test]
fn the_cbor_of_rfc_8428_section_6() {
    let payload = hex(
        "87 a7 21 78 1b 75 72 6e 3a 64 65 76 3a 6f 77 3a 31 30 65 32 30 37 33 61 30 31 30 38 30 30 36 3a
         22 fb 41 d3 03 a1 5b 00 10 62 23 61 41 20 05 00 67 76 6f 6c 74 61 67 65 01 61 56 02 fb 40 5e 06
         66 66 66 66 66 a3 00 67 63 75 72 72 65 6e 74 06 24 02 fb 3f f3 33 33 33 33 33 33 a3 00 67 63 75
         72 72 65 6e 74 06 23 02 fb 3f f4 cc cc cc cc cc cd a3 00 67 63 75 72 72 65 6e 74 06 22 02 fb 3f
         f6 66 66 66 66 66 66 a3 00 67 63 75 72 72 65 6e 74 06 21 02 f9 3e 00 a3 00 67 63 75 72 72 65 6e
         74 06 20 02 fb 3f f9 99 99 99 99 99 9a a2 00 67 63 75 72 72 65 6e 74 02 fb 3f fb 33 33 33 33 33
         33",
    );
    let mut json = senml::json::read(PACK.as_bytes()).unwrap();
    let cbor = senml::cbor::read(&payload).unwrap();
    assert_eq!(cbor, json);
    assert_eq!(
        senml::cbor::read(&senml::cbor::write(&json)),
        Ok(json.clone())
    );
    json[0].base_version = Some(11);
    assert!(senml::resolve(ContentFormat::SenmlCbor, json).is_err());
}

#[test]
fn composite_reads_have_names_only() {
    // TS 1.1 C, Read-Composite of /3/0/0, /3/0/9 and /1/0/1.
    let payload = br#"[{"n":"/3/0/0"},{"n":"/3/0/9"},{"n":"/1/0/1"}]"#;
    let paths = senml::json::decode_paths(payload).unwrap();
    assert_eq!(
        paths,
        [
            Path::resource(3, 0, 0),
            Path::resource(3, 0, 9),
            Path::resource(1, 0, 1)
        ]
    );
    assert_eq!(senml::json::encode_paths(&paths), payload);
    let cbor = senml::cbor::encode_paths(&paths);
    assert_eq!(cbor[..9], hex("83 a1 00 66 2f 33 2f 30 2f"));
    assert_eq!(senml::cbor::decode_paths(&cbor), Ok(paths));
    assert!(senml::json::decode_paths(br#"[{"n":"/3/0/0","v":1}]"#).is_err());
}

#[test]
fn a_send_keeps_its_times() {
    let payload = br#"[{"bn":"/5/0/","bt":1600000000,"n":"3","v":1},{"n":"3","v":2,"t":30},{"n":"5","v":0,"t":30}]"#;
    let entries = senml::json::decode_entries(payload, &definitions()).unwrap();
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (entry.path.to_string(), entry.time))
        .collect();
    let at = |seconds: f64| Some(1_600_000_000.0 + seconds);
    assert_eq!(
        seen,
        [
            ("/5/0/3".into(), at(0.0)),
            ("/5/0/3".into(), at(30.0)),
            ("/5/0/5".into(), at(30.0))
        ]
    );
    let cbor = senml::cbor::encode_entries(&entries);
    assert_eq!(
        senml::cbor::decode_entries(&cbor, &definitions()),
        Ok(entries)
    );
    let newest = codec::decode(
        ContentFormat::SenmlJson,
        Path::instance(5, 0),
        payload,
        &definitions(),
    )
    .unwrap();
    assert_eq!(
        newest.value(Path::resource(5, 0, 3)),
        Some(&Value::Integer(2))
    );
}

#[test]
fn registrations_of_the_specification() {
    // TS 1.0 5.3.1: default and alternate root, JSON supported, instances of objects.
    let list = |payload: &str| ObjectList::parse(payload.as_bytes()).unwrap();
    let plain = list("</1/0>,</1/1>,</2/0>,</2/1>,</2/2>,</2/3>,</2/4>,</3/0>,</4/0>,</5>");
    assert_eq!(plain.instances().count(), 9);
    assert_eq!(plain.objects[&5], ListedObject::default());
    let root = list(r#"</>;rt="oma.lwm2m";ct=11543,</1/0>,</1/1>,</3/0>"#);
    assert_eq!(root.formats, [ContentFormat::Json]);
    let alternate = list(
        r#"</lwm2m>;rt="oma.lwm2m";ct=11543,</lwm2m/1/0>,</lwm2m/1/1>,</lwm2m/3/0>,</lwm2m/4/0>,</lwm2m/5>"#,
    );
    assert_eq!(alternate.root, "/lwm2m");
    assert_eq!(alternate.instances().count(), 4);
    // As Anjay 3.14 sends it (contract 2.1), and what it falls back to.
    let query = |version| {
        [
            format!("lwm2m={version}"),
            "ep=urn:dev:os:anjay".into(),
            "lt=60".into(),
        ]
    };
    let payload = b"</1/1>,</2>,</3/0>,</4/0>,</5/0>,</10>;ver=1.1,</10/0>";
    let register = |version| {
        let query = query(version);
        let query = query.iter().map(String::as_str);
        Registration::parse(query, Some(40), payload, None, Version::V1_1)
    };
    assert_eq!(register("1.2").unwrap_err().code.to_string(), "4.12");
    let registration = register("1.1").unwrap();
    assert_eq!(
        (registration.endpoint.as_str(), registration.lifetime),
        ("urn:dev:os:anjay", 60)
    );
    assert!(registration.objects.has_mandatory());
}

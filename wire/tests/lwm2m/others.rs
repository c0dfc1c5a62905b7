//! Payloads that other implementations wrote; see lwm2m_vectors.py for whose, and how to remake
//! them. `coap_lite` reads and writes the same links as we do.

use fotalab_wire::lwm2m::codec::{self, link};
use fotalab_wire::lwm2m::{ContentFormat, Path, Tree, Value};
use serde_json::Value as Json;

use crate::{definitions, hex};

fn vectors() -> Json {
    serde_json::from_str(include_str!("../lwm2m_vectors.json")).unwrap()
}

fn value(kind: &str, json: &Json) -> Value {
    match kind {
        "string" => Value::String(json.as_str().unwrap().to_owned()),
        "integer" => Value::Integer(json.as_i64().unwrap()),
        "unsigned" => Value::Unsigned(json.as_u64().unwrap()),
        "float" => Value::Float(json.as_f64().unwrap()),
        "boolean" => Value::Boolean(json.as_bool().unwrap()),
        "opaque" => Value::Opaque(hex(json.as_str().unwrap()).into()),
        "time" => Value::Time(json.as_i64().unwrap()),
        "object-link" => Value::ObjectLink(json.as_str().unwrap().parse().unwrap()),
        "core-link" => Value::CoreLink(json.as_str().unwrap().to_owned()),
        other => panic!("unknown kind {other}"),
    }
}

#[test]
fn what_others_write_is_read() {
    let definitions = definitions();
    let body = vectors();
    let list = body["vectors"].as_array().unwrap();
    assert!(list.len() >= 30, "{}", list.len());
    for vector in list {
        let name = format!(
            "{} {} {}",
            vector["source"], vector["format"], vector["base"]
        );
        let number = vector["format"].as_u64().unwrap() as u16;
        let format = ContentFormat::from_number(number).unwrap();
        let base: Path = vector["base"].as_str().unwrap().parse().unwrap();
        let payload = hex(vector["payload"].as_str().unwrap());
        let mut expected = Tree::new();
        for entry in vector["values"].as_array().unwrap() {
            let path = entry["path"].as_str().unwrap().parse().unwrap();
            expected.set(
                path,
                value(entry["kind"].as_str().unwrap(), &entry["value"]),
            );
        }
        let read = codec::decode(format, base, &payload, &definitions);
        assert_eq!(read.as_ref(), Ok(&expected), "{name}");
        if vector["exact"] == true {
            assert_eq!(
                codec::encode(format, base, &expected).unwrap(),
                payload,
                "{name}"
            );
        } else {
            let ours = codec::encode(format, base, &expected).unwrap();
            assert_eq!(
                codec::decode(format, base, &ours, &definitions),
                read,
                "{name}"
            );
        }
    }
}

#[test]
fn links_of_aiocoap_are_read() {
    for vector in vectors()["links"].as_array().unwrap() {
        let links = link::decode(&hex(vector["payload"].as_str().unwrap())).unwrap();
        let read: Vec<Json> = links
            .iter()
            .map(|link| serde_json::json!({"target": link.target, "attributes": link.attributes}))
            .collect();
        assert_eq!(Json::from(read), vector["links"]);
        assert_eq!(link::decode(&link::encode(&links)), Ok(links));
    }
}

#[test]
fn coap_lite_reads_our_links() {
    use coap_lite::link_format::LinkFormatParser;
    let ours = link::encode(&[
        link::Link::new("/lwm2m")
            .with("rt", "oma.lwm2m")
            .with("ct", "110 112"),
        link::Link::new("/lwm2m/5").with("ver", "1.1"),
        link::Link::new("/a").with("title", r#"x, "y"; \"#),
    ]);
    let text = String::from_utf8(ours.clone()).unwrap();
    let theirs: Vec<link::Link> = LinkFormatParser::new(&text)
        .map(|item| {
            let (target, attributes) = item.unwrap();
            attributes.fold(link::Link::new(target), |link, (name, value)| {
                link.with(name, value.to_cow())
            })
        })
        .collect();
    assert_eq!(link::decode(&ours), Ok(theirs));
}

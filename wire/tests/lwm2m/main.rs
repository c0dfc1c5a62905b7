//! The LwM2M payloads, held against the specifications, other implementations and chance.

#![expect(clippy::unwrap_used, reason = "tests, and what they are made of")]

mod hostile;
mod others;
mod round_trip;
mod specification;

use fotalab_wire::lwm2m::{Definitions, Version};

/// The core objects, a sensor, and object 1000 with a resource of each type: 0 to 8 single, 10 to
/// 18 multiple.
fn definitions() -> Definitions {
    let kinds = [
        "string",
        "integer",
        "unsigned",
        "float",
        "boolean",
        "opaque",
        "time",
        "object-link",
        "core-link",
    ];
    let resource = |multiple: bool| {
        let first = if multiple { 10 } else { 0 };
        kinds.iter().zip(first..).map(move |(kind, id)| {
            format!(r#"{{"id":{id},"name":"r{id}","operations":"RW","type":"{kind}","multiple":{multiple}}}"#)
        })
    };
    let resources: Vec<String> = resource(false).chain(resource(true)).collect();
    let objects = format!(
        r#"[{{"id":1000,"name":"all","multiple":true,"resources":[{}]}},
            {{"id":3303,"name":"temperature","multiple":true,"resources":[
                {{"id":5700,"name":"value","type":"float"}},{{"id":5701,"name":"unit","type":"string"}}]}},
            {{"id":65,"name":"a","multiple":true,"resources":[
                {{"id":0,"name":"links","type":"object-link","multiple":true}},
                {{"id":1,"name":"text","type":"string"}},{{"id":2,"name":"number","type":"integer"}}]}},
            {{"id":66,"name":"b","multiple":true,"resources":[
                {{"id":0,"name":"x","type":"string"}},{{"id":1,"name":"y","type":"string"}},
                {{"id":2,"name":"z","type":"object-link"}}]}},
            {{"id":2,"name":"access","multiple":true,"resources":[
                {{"id":0,"name":"object","type":"integer"}},{{"id":1,"name":"instance","type":"integer"}},
                {{"id":2,"name":"list","type":"integer","multiple":true}},{{"id":3,"name":"owner","type":"integer"}}]}}]"#,
        resources.join(",")
    );
    let mut definitions = Definitions::core(Version::V1_1);
    definitions.read(&objects).unwrap();
    definitions
}

/// Bytes from hex digits, blanks between them.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// How many inputs a decoder is given.
fn inputs() -> u64 {
    let long = std::env::var_os("FOTALAB_LONG").is_some_and(|it| it != "0");
    if long { 10_000_000 } else { 100_000 }
}

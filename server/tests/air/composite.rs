//! Operations beyond read and write (contract 2.4 to 2.6): attributes, Create, Delete, composites,
//! formats, cancelled observations. The device's bytes are written here by hand.

use fotalab_wire::coap::{Code, Gone, Message, Request, message::number};
use serde_json::{Value, json};

use crate::{
    Air,
    device::{Device, Reply},
};

async fn registered() -> (Air, Device) {
    let air = Air::virtually().await;
    let device = air.device();
    device.register("ep=d&lwm2m=1.1").await;
    (air, device)
}

async fn ask(air: &Air, body: Value) -> Value {
    let (status, answer) = air.post("/devices/d/operations", body.clone()).await;
    assert_eq!(status, 200, "{body}: {answer}");
    answer
}

/// The last request that the device was given an answer for.
fn last(device: &Device) -> Message {
    device.script().requests.last().expect("a request").clone()
}

fn query(message: &Message) -> Vec<String> {
    let items = message.options.iter();
    let items = items.filter(|(option, _)| *option == number::URI_QUERY);
    items
        .map(|(_, it)| String::from_utf8_lossy(it).into_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn int_261_attributes_are_set_and_cleared_and_the_device_judges_them() {
    let (air, device) = registered().await;
    let reply = Reply::new(Code::CHANGED);
    device.script().instead.insert("PUT /5/0/3", reply);
    let body = json!({
        "operation": "write-attributes", "path": "/5/0/3",
        "attributes": {"pmin": 0, "pmax": 60, "gt": 1.5, "lt": null, "epmin": 2}
    });
    assert_eq!(ask(&air, body).await, json!({"code": "2.04"}));
    let request = last(&device);
    assert_eq!(
        query(&request),
        ["pmin=0", "pmax=60", "gt=1.5", "lt", "epmin=2"]
    );
    assert!(request.payload.is_empty());
    // Wrong ones are the device's to refuse.
    let reply = Reply {
        payload: b"lt must be below gt".to_vec(),
        ..Reply::new(Code::BAD_REQUEST)
    };
    device.script().instead.insert("PUT /5/0/3", reply);
    let body = json!({
        "operation": "write-attributes", "path": "/5/0/3", "attributes": {"gt": 1, "lt": 2, "pmin": -1}
    });
    let refused = json!({"code": "4.00", "diagnostic": "lt must be below gt"});
    assert_eq!(ask(&air, body).await, refused);
    assert_eq!(query(&last(&device)), ["pmin=-1", "gt=1", "lt=2"]);
}

#[tokio::test(start_paused = true)]
async fn int_270_290_instances_are_created_and_deleted() {
    let (air, device) = registered().await;
    let reply = Reply {
        location: "/3303/7",
        ..Reply::new(Code::CREATED)
    };
    device.script().instead.insert("POST /3303", reply);
    let created = json!({"code": "2.01", "location": "/3303/7"});
    let body = json!({"operation": "create", "path": "/3303", "value": {"5701": "C"}});
    assert_eq!(ask(&air, body.clone()).await, created);
    let request = last(&device);
    assert_eq!(request.options.uint(number::CONTENT_FORMAT), Some(11_542));
    // The resource alone: which instance it becomes the device says.
    assert_eq!(request.payload.as_ref(), b"\xe1\x16\x45C");
    let mut body = body;
    body["instance"] = json!(7);
    body["format"] = json!("senml-json");
    assert_eq!(ask(&air, body).await, created);
    let pack: Value = serde_json::from_slice(&last(&device).payload).expect("JSON");
    let names: String = ["bn", "n"]
        .iter()
        .filter_map(|it| pack[0][it].as_str())
        .collect();
    assert_eq!(
        (names.as_str(), &pack[0]["vs"]),
        ("/3303/7/5701", &json!("C"))
    );
    let reply = Reply::new(Code::DELETED);
    device.script().instead.insert("DELETE /3303/7", reply);
    let body = json!({"operation": "delete", "path": "/3303/7"});
    assert_eq!(ask(&air, body).await, json!({"code": "2.02"}));
}

#[tokio::test(start_paused = true)]
async fn int_226_227_a_write_replaces_or_leaves_what_it_does_not_name() {
    let (air, device) = registered().await;
    for (partial, request) in [(true, "POST /1/0"), (false, "PUT /1/0")] {
        let reply = Reply::new(Code::CHANGED);
        device.script().instead.insert(request, reply);
        let body = json!({
            "operation": "write", "path": "/1/0", "value": {"1": 60}, "partial": partial, "format": "tlv"
        });
        assert_eq!(ask(&air, body).await, json!({"code": "2.04"}));
        assert_eq!(device.count(request), 1);
        assert_eq!(last(&device).payload.as_ref(), [0xc1, 1, 60]);
    }
}

#[tokio::test(start_paused = true)]
async fn int_222_to_232_each_level_in_each_format() {
    let (air, device) = registered().await;
    let senml = br#"[{"bn":"/1/0/","n":"1","v":60},{"n":"7","vs":"U"}]"#;
    let tlv = [0xc1, 1, 60, 0xc1, 7, b'U'];
    let both = json!({"/1/0/1": 60, "/1/0/7": "U"});
    for (path, format, number, payload, member, expected) in [
        ("/1", "senml-json", 110, &senml[..], "values", both.clone()),
        (
            "/1/0",
            "senml-json",
            110,
            &senml[..],
            "values",
            both.clone(),
        ),
        ("/1/0", "tlv", 11_542, &tlv[..], "values", both),
        ("/1/0/1", "text", 0, &b"60"[..], "value", json!(60)),
        ("/1/0/1", "cbor", 60, &[0x18, 60][..], "value", json!(60)),
        ("/5/0/0", "opaque", 42, &[0, 1][..], "value", json!("AAE=")),
        (
            "/1/0/1",
            "json",
            11_543,
            &br#"{"bn":"/1/0/1","e":[{"v":60}]}"#[..],
            "value",
            json!(60),
        ),
        ("/3/0/6/1", "text", 0, &b"5"[..], "value", json!(5)),
    ] {
        let request: &'static str = format!("GET {path}").leak();
        let reply = Reply::with(Code::CONTENT, number, payload);
        device.script().instead.insert(request, reply);
        let body = json!({"operation": "read", "path": path, "format": format});
        let answer = ask(&air, body).await;
        assert_eq!(answer[member], expected, "{path} {format}: {answer}");
        let accept = last(&device).options.uint(number::ACCEPT);
        assert_eq!(accept, Some(u32::from(number)), "{format}");
    }
    // What is no such payload is shown as it is.
    let reply = Reply::with(Code::CONTENT, 60, [0xff]);
    device.script().instead.insert("GET /1/0/1", reply);
    let answer = ask(&air, json!({"operation": "read", "path": "/1/0/1"})).await;
    assert_eq!(
        (&answer["code"], &answer["payload"]),
        (&json!("2.05"), &json!("/w=="))
    );
    assert!(answer["undecoded"].is_string(), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn int_229_230_several_paths_at_once() {
    let (air, device) = registered().await;
    let values = br#"[{"n":"/5/0/3","v":0},{"n":"/3/0/3","vs":"1.0.0"}]"#;
    let reply = Reply::with(Code::CONTENT, 110, *values);
    device.script().instead.insert("FETCH /", reply);
    let body = json!({
        "operation": "read-composite", "paths": ["/5/0/3", "/3/0/3"], "format": "senml-json"
    });
    let answer = ask(&air, body).await;
    assert_eq!(answer["values"], json!({"/3/0/3": "1.0.0", "/5/0/3": 0}));
    let request = last(&device);
    assert_eq!(
        request.payload.as_ref(),
        br#"[{"n":"/5/0/3"},{"n":"/3/0/3"}]"#
    );
    let numbers = [number::ACCEPT, number::CONTENT_FORMAT].map(|it| request.options.uint(it));
    assert_eq!(numbers, [Some(110), Some(110)]);
    let reply = Reply::new(Code::CHANGED);
    device.script().instead.insert("IPATCH /", reply);
    let body = json!({
        "operation": "write-composite", "values": {"/1/0/1": 60, "/3/0/15": "UTC"}, "format": "senml-json"
    });
    assert_eq!(ask(&air, body).await, json!({"code": "2.04"}));
    let pack: Value = serde_json::from_slice(&last(&device).payload).expect("JSON");
    assert_eq!(pack.as_array().map(Vec::len), Some(2), "{pack}");
    for body in [
        json!({"operation": "read-composite", "paths": []}),
        json!({"operation": "read-composite", "paths": ["/5/0/3"], "format": "tlv"}),
        json!({"operation": "read-composite", "path": "/5/0/3"}),
        json!({"operation": "write-composite", "values": {"/1/0/1": "x"}}),
        json!({"operation": "write", "path": "/1/0/1", "value": 1, "partial": true}),
        json!({"operation": "create", "path": "/3303/0", "value": {}}),
        json!({"operation": "create", "path": "/3303", "value": {}, "format": "cbor"}),
        json!({"operation": "write-attributes", "path": "/1", "attributes": {"pmon": 1}}),
        json!({"operation": "write-attributes", "path": "/1", "attributes": {}}),
        json!({"operation": "read", "path": "/1", "passive": true}),
        json!({"operation": "cancel"}),
        json!({"operation": "read", "path": "/1", "format": "xml"}),
        json!({"operation": "read", "path": "/1", "timeout": 0}),
    ] {
        let (status, problem) = air.post("/devices/d/operations", body.clone()).await;
        let title = &problem["title"];
        assert_eq!(
            (status, title),
            (400, &json!("Validation failed")),
            "{body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn int_302_303_304_305_observations_are_told_and_end_both_ways() {
    let one = json!({"operation": "observe", "path": "/5/0/3"});
    let many = json!({"operation": "observe-composite", "paths": ["/5/0/3", "/3/0/3"]});
    let pack = |state: u8| format!(r#"[{{"n":"/5/0/3","v":{state}}}]"#);
    for (observe, path, key, passive, ended) in [
        (&one, "/5/0/3", "path", false, Gone::Deregistered),
        (&one, "/5/0/3", "path", true, Gone::Rejected),
        (&many, "/", "paths", false, Gone::Deregistered),
        (&many, "/", "paths", true, Gone::Rejected),
    ] {
        let (air, device) = registered().await;
        let reply = Reply::with(Code::CONTENT, 110, pack(0));
        for request in ["OBSERVE /5/0/3", "OBSERVE /", "GET /5/0/3", "FETCH /"] {
            device.script().instead.insert(request, reply.clone());
        }
        let mut events = air.events().await;
        assert_eq!(ask(&air, observe.clone()).await["code"], "2.05");
        let observed = air.get("/devices/d").await["registration"]["observed"].clone();
        assert_eq!(observed.as_array().map(Vec::len), Some(1), "{observed}");
        let tell = |state| {
            let reply = Reply::with(Code::CONTENT, 110, pack(state));
            device.script().notifications.push((path, reply));
            device.wake();
        };
        tell(1);
        let told = events.next_of("notification").await;
        let expected = json!({"endpoint": "d", "path": "/5/0/3", "value": 1, "by": "observation"});
        assert_eq!(told, expected);
        let cancel = json!({"operation": "cancel", key: observe[key], "passive": passive});
        ask(&air, cancel.clone()).await;
        if passive {
            tell(2);
            // Something that is told for certain, after what must not be.
            let send = Request::post("/dp", r#"[{"n":"/5/0/3","v":3}]"#).format(110);
            assert_eq!(device.ask(send).await.0, Code::CHANGED);
            assert_eq!(events.next_of("notification").await["value"], 3);
        }
        assert_eq!(device.script().ended, [ended], "{cancel}");
        let (status, _) = air.post("/devices/d/operations", cancel).await;
        assert_eq!(status, 409, "it was observed still");
    }
}

#[tokio::test(start_paused = true)]
async fn int_306_send_is_taken_of_what_is_registered() {
    let (air, device) = registered().await;
    for (format, payload, code) in [
        (110, &br#"[{"n":"/5/0/3","v":2}]"#[..], Code::CHANGED),
        (112, &b"\x81\xa2\x00\x66/5/0/3\x02\x02"[..], Code::CHANGED),
        (110, br#"[{"n":"/3303/0/5700","v":2}]"#, Code::NOT_FOUND),
        (
            110,
            br#"[{"n":"/5/0/3","v":2},{"n":"/5/1/3","v":2}]"#,
            Code::NOT_FOUND,
        ),
        (110, b"[", Code::BAD_REQUEST),
        (110, b"[]", Code::BAD_REQUEST),
        (0, b"2", Code::UNSUPPORTED_CONTENT_FORMAT),
    ] {
        let send = Request::post("/dp", payload.to_vec()).format(format);
        let shown = String::from_utf8_lossy(payload).into_owned();
        assert_eq!(device.ask(send).await.0, code, "{format} {shown}");
    }
    let stranger = air.device();
    let send = Request::post("/dp", r#"[{"n":"/5/0/3","v":2}]"#).format(110);
    assert_eq!(stranger.ask(send).await.0, Code::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn values_longer_than_a_block_go_both_ways() {
    let (air, device) = registered().await;
    let text = "x".repeat(5_000);
    let reply = Reply::with(Code::CONTENT, 0, text.as_bytes());
    device.script().instead.insert("GET /3442/0/110", reply);
    let answer = ask(&air, json!({"operation": "read", "path": "/3442/0/110"})).await;
    let undefined = answer["value"].as_str().map(str::len);
    assert_eq!(undefined, Some(5_000), "{answer}");
    let reply = Reply::new(Code::CHANGED);
    device.script().instead.insert("PUT /3442/0/110", reply);
    let body = json!({"operation": "write", "path": "/3442/0/110", "value": text});
    assert_eq!(ask(&air, body).await, json!({"code": "2.04"}));
    assert_eq!(last(&device).payload.as_ref(), text.as_bytes());
}

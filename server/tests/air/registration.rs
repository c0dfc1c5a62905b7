//! Registration (contract 3.2), each row under its id.

use std::time::Duration;

use fotalab_wire::coap::{Code, Message, Request, message::number};
use http::Method;
use serde_json::json;
use tokio::time::sleep;

use crate::Air;

fn location(message: &Message) -> String {
    let segments = message.options.iter();
    let segments = segments.filter(|(option, _)| *option == number::LOCATION_PATH);
    segments
        .map(|(_, it)| format!("/{}", String::from_utf8_lossy(it)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn x_reg_01_02_03_versions_and_parameters() {
    let air = Air::virtually().await;
    let device = air.device();
    for (query, code) in [
        ("ep=d&lwm2m=9.9", Code::PRECONDITION_FAILED),
        ("ep=d&lwm2m=1.2", Code::PRECONDITION_FAILED),
        ("lwm2m=1.0", Code::BAD_REQUEST),
        ("ep=d&lwm2m=1.0&b=X", Code::BAD_REQUEST),
        ("ep=d&lwm2m=1.1&lt=60&Q", Code::CREATED),
        ("ep=d&lwm2m=1.0&b=UQ", Code::CREATED),
    ] {
        assert_eq!(device.register(query).await.0, code, "{query}");
    }
    let shown = air.get("/devices/d").await;
    assert_eq!(shown["registration"]["queueMode"], true);
    assert_eq!(shown["registration"]["lwm2m"], "1.0");
    let objects = json!(["/1/0", "/3/0", "/5/0"]);
    assert_eq!(shown["registration"]["objects"], objects);
}

#[tokio::test(start_paused = true)]
async fn x_reg_05_06_07_a_location_is_valid_once() {
    let air = Air::virtually().await;
    let (device, other) = (air.device(), air.device());
    let (_, first) = device.register("ep=d&lwm2m=1.0").await;
    let (_, second) = other.register("ep=d&lwm2m=1.0").await;
    let (first, second) = (location(&first), location(&second));
    assert_ne!(first, second);
    let update = |path: &str| Request::post(path, "");
    let delete = |path: &str| Request::new(Code::DELETE, path);
    assert_eq!(device.ask(update(&first)).await.0, Code::NOT_FOUND);
    assert_eq!(other.ask(update("/rd/xyz")).await.0, Code::NOT_FOUND);
    let longer = update(&format!("{second}?lt=120"));
    assert_eq!(other.ask(longer).await.0, Code::CHANGED);
    assert_eq!(air.get("/devices/d").await["registration"]["lifetime"], 120);
    let renamed = update(&format!("{second}?ep=e"));
    assert_eq!(other.ask(renamed).await.0, Code::BAD_REQUEST);
    assert_eq!(other.ask(delete(&second)).await.0, Code::DELETED);
    assert_eq!(other.ask(delete(&second)).await.0, Code::NOT_FOUND);
    assert!(air.get("/devices/d").await["registration"].is_null());
}

#[tokio::test(start_paused = true)]
async fn x_reg_08_a_silent_device_is_forgotten_after_a_grace() {
    let air = Air::virtually().await;
    let device = air.device();
    let (_, created) = device.register("ep=d&lwm2m=1.0&lt=2").await;
    sleep(Duration::from_secs(90)).await;
    assert!(air.get("/devices/d").await["registration"].is_object());
    sleep(Duration::from_secs(10)).await;
    assert!(air.get("/devices/d").await["registration"].is_null());
    let update = Request::post(&location(&created), "");
    assert_eq!(device.ask(update).await.0, Code::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn x_reg_09_10_a_big_list_with_an_alternate_path() {
    let air = Air::virtually().await;
    let device = air.device();
    let mut list = r#"</l>;rt="oma.lwm2m";ct=110,</l/1/0>,</l/3/0>"#.to_owned();
    for object in 3_300..3_360 {
        list.push_str(&format!(",</l/{object}>;ver=\"1.1\";x=y,</l/{object}/0>"));
    }
    let register = Request::post("/rd?ep=d&lwm2m=1.1", list).format(40);
    assert_eq!(device.ask(register).await.0, Code::CREATED);
    let objects = &air.get("/devices/d").await["registration"]["objects"];
    assert_eq!(objects.as_array().map(Vec::len), Some(62));
}

#[tokio::test(start_paused = true)]
async fn a_closed_server_admits_whom_it_knows() {
    let air = Air::with(|config| config.closed = true).await;
    let device = air.device();
    assert_eq!(device.register("ep=d&lwm2m=1.0").await.0, Code::FORBIDDEN);
    let put = air.world.admin(Method::PUT, "/devices/d", &json!({})).await;
    assert_eq!(put.status, 200);
    assert_eq!(device.register("ep=d&lwm2m=1.0").await.0, Code::CREATED);
}

#[tokio::test(start_paused = true)]
async fn the_context_says_where_devices_go() {
    let air = Air::virtually().await;
    let context = air.world.running.context();
    assert_eq!(context["COAPURL"], format!("coap://{}", air.coap));
}

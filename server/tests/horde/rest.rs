//! Collections, devices, images and tags, as the documentation shows them.

use http::Method;
use serde_json::{Value, json};

use crate::{Horde, imei, refused, text};

#[tokio::test(start_paused = true)]
async fn a_collection_is_made_changed_and_removed() {
    let horde = Horde::new().await;
    let made = horde
        .post(
            "/collections",
            json!({"teamId": null, "tags": {"Name": " x "}}),
        )
        .await;
    let id = text(&made["collectionId"]).to_owned();
    assert_eq!(id.len(), 14);
    let mask = json!({"imsi": false, "imei": false, "location": true, "msisdn": false});
    let expected = json!({
        "collectionId": id,
        "teamId": made["teamId"],
        "fieldMask": mask,
        "firmware": {"management": "disabled"},
        "tags": {"name": "x"},
    });
    assert_eq!(made, expected);
    let path = format!("/collections/{id}");
    // The documentation's own words; what is not named stays.
    let changed = horde
        .patch(&path, json!({"firmware": {"management": "device"}}))
        .await;
    assert_eq!(changed["firmware"], json!({"management": "device"}));
    assert_eq!(changed["tags"], json!({"name": "x"}));
    let changed = horde
        .patch(
            &path,
            json!({"fieldMask": {"imsi": true}, "managegement": 1}),
        )
        .await;
    assert_eq!(changed["fieldMask"]["imsi"], true);
    assert_eq!(changed["fieldMask"]["location"], true);
    assert_eq!(
        horde.get("/collections").await,
        json!({"collections": [changed]})
    );
    // An empty body makes one too.
    let second = horde.post("/collections", Value::Null).await;
    assert_eq!(second["tags"], json!({}));
    horde.device(&path, 1).await;
    let answer = horde.ask(Method::DELETE, &path, Value::Null).await;
    refused(&answer, 409, "The collection still has devices or firmware");
    let path = format!("/collections/{}", text(&second["collectionId"]));
    let answer = horde.ask(Method::DELETE, &path, Value::Null).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    refused(
        &horde.ask(Method::GET, &path, Value::Null).await,
        404,
        "Unknown collection",
    );
}

#[tokio::test(start_paused = true)]
async fn devices_are_known_by_their_numbers() {
    let horde = Horde::new().await;
    let collection = horde.collection("device").await;
    let devices = format!("{collection}/devices");
    let device = horde.device(&collection, 1).await;
    let shown = horde.get(&device).await;
    let expected = json!({
        "deviceId": shown["deviceId"],
        "collectionId": shown["collectionId"],
        "imsi": "1000001",
        "imei": imei(1),
        "tags": {},
        "firmware": {
            "firmwareVersion": "", "serialNumber": "", "modelNumber": "", "manufacturer": "",
            "state": "Current", "stateMessage": "",
        },
    });
    assert_eq!(shown, expected);
    let all = horde.get(&devices).await;
    assert_eq!(
        all,
        json!({"collectionId": shown["collectionId"], "devices": [shown]})
    );
    let taken = "IMSI/IMEI is already in use by another device";
    let other = horde.collection("disabled").await;
    for body in [
        json!({"imsi": "1000001", "imei": "9"}),
        json!({"imsi": "9", "imei": imei(1)}),
        json!({"imsi": "0001000001", "imei": "9"}),
    ] {
        let answer = horde
            .ask(Method::POST, &format!("{other}/devices"), body)
            .await;
        refused(&answer, 409, taken);
    }
    let second = horde.device(&collection, 2).await;
    let answer = horde
        .ask(Method::PATCH, &second, json!({"imsi": "1000001"}))
        .await;
    refused(&answer, 409, taken);
    // What was refused changed nothing: the numbers are still its own.
    assert_eq!(horde.get(&second).await["imsi"], "1000002");
    let changed = horde
        .patch(&second, json!({"imsi": "77", "tags": {"a": "1"}}))
        .await;
    assert_eq!(
        (&changed["imsi"], &changed["tags"]),
        (&json!("77"), &json!({"a": "1"}))
    );
    // Hidden numbers are not shown.
    horde
        .patch(&collection, json!({"fieldMask": {"imei": true}}))
        .await;
    assert!(horde.get(&second).await.get("imei").is_none());
    // It moves.
    let to = other.trim_start_matches("/collections/");
    let moved = horde.patch(&second, json!({"collectionId": to})).await;
    assert_eq!(moved["collectionId"], to);
    refused(
        &horde.ask(Method::GET, &second, Value::Null).await,
        404,
        "Unknown device",
    );
    assert_eq!(
        horde.get(&devices).await["devices"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    let answer = horde.ask(Method::DELETE, &device, Value::Null).await;
    assert_eq!(answer.status, 204);
    horde.device(&collection, 1).await;
}

#[tokio::test(start_paused = true)]
async fn an_image_has_its_hash_as_version_until_somebody_says_another() {
    let horde = Horde::new().await;
    let collection = horde.collection("device").await;
    let made = horde
        .upload(&collection, "build/zephyr/zephyr.signed.bin", b"image one")
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    // printf 'image one' | sha256sum
    let hash = "b873cce066eb02edb88d8bbb06a2b53fe97b14d93b7af43f88f5c57072a61904";
    assert_eq!(made["sha256"], hash);
    let expected = json!({
        "imageId": made["imageId"],
        "version": made["sha256"],
        "filename": "zephyr.signed.bin",
        "sha256": made["sha256"],
        "length": 9,
        "collectionId": collection.trim_start_matches("/collections/"),
        "created": made["created"],
        "tags": {},
    });
    assert_eq!(made, expected);
    assert!(
        made["created"]
            .as_i64()
            .is_some_and(|it| it >= 1_700_000_000_000)
    );
    let images = format!("{collection}/firmware");
    assert_eq!(horde.get(&images).await, json!({"images": [made]}));
    let image = format!("{images}/{}", text(&made["imageId"]));
    let changed = horde
        .patch(&image, json!({"version": " 1.0 ", "tags": {"git": "abc"}}))
        .await;
    assert_eq!(changed["version"], "1.0");
    assert_eq!(horde.get(&image).await, changed);
    let again = horde.upload(&collection, "other.bin", b"image one").await;
    refused(
        &again,
        409,
        "An identical image already exists in this collection",
    );
    // The same bytes in another collection are fine.
    let other = horde.collection("device").await;
    assert_eq!(
        horde.upload(&other, "a.bin", b"image one").await.status,
        201
    );
    let second = horde
        .upload(&collection, "b.bin", b"image two")
        .await
        .json();
    let second = format!("{images}/{}", text(&second["imageId"]));
    let answer = horde
        .ask(Method::PATCH, &second, json!({"version": "1.0"}))
        .await;
    let same = "A version with this number already exists in this collection";
    refused(&answer, 409, same);
    horde.patch(&second, json!({"version": "0.9"})).await;
    let versions = horde.get(&images).await;
    let versions: Vec<&str> = versions["images"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| text(&it["version"]))
        .collect();
    assert_eq!(versions, ["0.9", "1.0"]);
    let usage = horde.get(&format!("{image}/usage")).await;
    let id = &made["imageId"];
    let expected = json!({"firmwareId": id, "targetedDevices": [], "currentDevices": []});
    assert_eq!(usage, expected);
    assert_eq!(
        horde.ask(Method::DELETE, &second, Value::Null).await.status,
        204
    );
    refused(
        &horde.ask(Method::GET, &second, Value::Null).await,
        404,
        "Unknown firmware",
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_may_come_as_json_with_its_version() {
    let horde = Horde::new().await;
    let collection = horde.collection("device").await;
    // printf hello | base64
    let body =
        json!({"image": "aGVsbG8=", "filename": "x.bin", "version": "1.0", "tags": {"a": "b"}});
    let made = horde.post(&format!("{collection}/firmware"), body).await;
    assert_eq!(made["length"], 5);
    assert_eq!(made["version"], "1.0");
    assert_eq!(made["tags"], json!({"a": "b"}));
    let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(made["sha256"], hash);
    let body = json!({"image": "aGVsbG8h", "filename": "y.bin", "version": "1.0"});
    let answer = horde
        .ask(Method::POST, &format!("{collection}/firmware"), body)
        .await;
    let same = "A version with this number already exists in this collection";
    refused(&answer, 409, same);
    let images = horde.get(&format!("{collection}/firmware")).await;
    assert_eq!(
        images["images"].as_array().map(Vec::len),
        Some(1),
        "nothing half done"
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_in_use_stays() {
    let horde = Horde::new().await;
    let collection = horde.collection("device").await;
    let device = horde.device(&collection, 1).await;
    let image = horde.image(&collection, "1.0", b"one").await;
    let path = format!("{collection}/firmware/{image}");
    let wanted = json!({"firmware": {"targetFirmwareId": image}});
    assert_eq!(
        horde.patch(&device, wanted.clone()).await["firmware"]["state"],
        "Pending"
    );
    refused(
        &horde.ask(Method::DELETE, &path, Value::Null).await,
        409,
        "Firmware is in use",
    );
    let cleared = horde
        .patch(&device, json!({"firmware": {"targetFirmwareId": "0"}}))
        .await;
    assert_eq!(cleared["firmware"]["state"], "Current");
    assert!(cleared["firmware"].get("targetFirmwareId").is_none());
    let both = json!({"firmware": {"targetFirmwareId": image, "currentFirmwareId": image}});
    let shown = horde.patch(&collection, both).await;
    assert_eq!(shown["firmware"]["currentFirmwareId"], image.as_str());
    refused(
        &horde.ask(Method::DELETE, &path, Value::Null).await,
        409,
        "Firmware is in use",
    );
    let none = json!({"firmware": {"targetFirmwareId": "0", "currentFirmwareId": "0"}});
    assert_eq!(
        horde.patch(&collection, none).await["firmware"],
        json!({"management": "device"})
    );
    assert_eq!(
        horde.ask(Method::DELETE, &path, Value::Null).await.status,
        204
    );
}

#[tokio::test(start_paused = true)]
async fn the_collection_says_what_its_devices_run() {
    let horde = Horde::new().await;
    let collection = horde.collection("device").await;
    let device = horde.device(&collection, 1).await;
    let image = horde.image(&collection, "1.0", b"one").await;
    // Scope and target together.
    let both = json!({"firmware": {"management": "collection", "targetFirmwareId": image}});
    let changed = horde.patch(&collection, both).await;
    let expected = json!({"management": "collection", "targetFirmwareId": image});
    assert_eq!(changed["firmware"], expected);
    let firmware = horde.firmware(&device).await;
    assert_eq!(firmware["targetFirmwareId"], image.as_str());
    assert_eq!(
        firmware["state"], "Current",
        "nothing happens when a target is set"
    );
    let wanted = json!({"firmware": {"targetFirmwareId": "0"}});
    let answer = horde.ask(Method::PATCH, &device, wanted).await;
    refused(&answer, 400, "Firmware is managed by the collection");
    let inherits = horde.device(&collection, 2).await;
    let usage = horde
        .get(&format!("{collection}/firmware/{image}/usage"))
        .await;
    let ids = [&device, &inherits].map(|it| it.rsplit('/').next());
    assert_eq!(usage["targetedDevices"], json!(ids));
    // The target is kept when the scope changes, and the new device has it as its own.
    let changed = horde
        .patch(&collection, json!({"firmware": {"management": "device"}}))
        .await;
    assert_eq!(changed["firmware"]["targetFirmwareId"], image.as_str());
    assert!(
        horde
            .firmware(&device)
            .await
            .get("targetFirmwareId")
            .is_none()
    );
    assert_eq!(
        horde.firmware(&inherits).await["targetFirmwareId"],
        image.as_str()
    );
}

#[tokio::test(start_paused = true)]
async fn tags_have_resources_of_their_own() {
    let horde = Horde::new().await;
    let collection = horde.collection("device").await;
    let device = horde.device(&collection, 1).await;
    let image = horde.image(&collection, "1.0", b"one").await;
    for resource in [
        &collection,
        &device,
        &format!("{collection}/firmware/{image}"),
    ] {
        let tags = format!("{resource}/tags");
        assert_eq!(horde.get(&tags).await, json!({}), "{resource}");
        let changed = horde
            .patch(&tags, json!({"Name": "x", "b": "1", "none": null}))
            .await;
        assert_eq!(changed, json!({"b": "1", "name": "x"}));
        assert_eq!(horde.get(resource).await["tags"], changed);
        assert_eq!(
            horde.get(&format!("{tags}/NAME")).await,
            json!({"value": "x"})
        );
        let name = format!("{tags}/name");
        assert_eq!(
            horde.patch(&name, json!({"value": "y"})).await,
            json!({"value": "y"})
        );
        assert_eq!(
            horde.ask(Method::DELETE, &name, Value::Null).await.status,
            204
        );
        refused(
            &horde.ask(Method::GET, &name, Value::Null).await,
            404,
            "Unknown tag",
        );
        assert_eq!(horde.get(&tags).await, json!({"b": "1"}));
    }
}

#[tokio::test(start_paused = true)]
async fn root_and_system_say_what_there_is() {
    let horde = Horde::new().await;
    let root = horde.get("/").await;
    assert_eq!(root["collections"], "/collections");
    assert_eq!(horde.get("").await, root);
    let system = horde.get("/system").await;
    let mask = json!({"imsi": false, "imei": false, "location": true, "msisdn": false});
    assert_eq!(system["defaultFieldMask"], mask);
    let forced = json!({"imsi": false, "imei": false, "location": false, "msisdn": false});
    assert_eq!(system["forcedFieldMask"], forced);
    for member in ["version", "buildDate", "releaseName"] {
        assert!(system[member].is_string(), "{member}");
    }
}

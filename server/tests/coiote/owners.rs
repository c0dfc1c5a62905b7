//! Two accounts: the other's token sees nothing and changes nothing, whatever it asks for.

use super::*;

const OTHER: &str = "token-of-acme";

async fn two_accounts() -> Lab {
    let lab = Lab::new().await;
    let account = json!({"coioteToken": OTHER, "domain": "/acme/"});
    let put = lab
        .world
        .admin(Method::PUT, "/accounts/acme", &account)
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    assert!(!put.text.contains(OTHER));
    lab
}

#[tokio::test(start_paused = true)]
async fn every_endpoint_with_every_id_of_the_other() {
    let lab = two_accounts().await;
    let device = lab.device(DEVICE).await;
    lab.join(DEVICE, GROUP).await;
    lab.post("/groups", Some(json!({"id": GROUP, "description": "mine"})))
        .await;
    lab.resource(&image_of(3_000)).await;
    let read = json!({"taskDefinition": {
        "name": "n", "executeImmediately": true,
        "operations": [{"read": {"key": "Device.0.Manufacturer"}}]
    }});
    let done = lab
        .post(&format!("/tasks/configure/{DEVICE}"), Some(read.clone()))
        .await;
    let done = done.as_str().expect("an id").to_owned();
    lab.report(&done, DEVICE).await;
    let task = lab.template(DEVICE, &how_to::HOW_TO).await;
    let of_group = lab.on_group(GROUP, &how_to::HOW_TO).await;
    let cursor = lab.get("/taskReports/findReports").await;
    let before = lab.everything(&[&done, &task, &of_group]).await;
    let got = device.got();
    let not_found = [
        (Method::GET, format!("/devices/{DEVICE}"), None),
        (
            Method::PUT,
            format!("/devices/{DEVICE}"),
            Some(json!({"addGroups": ["root.theirs"]})),
        ),
        (Method::DELETE, format!("/devices/{DEVICE}"), None),
        (Method::GET, format!("/groups/{GROUP}"), None),
        (Method::DELETE, format!("/groups/{GROUP}"), None),
        (
            Method::PUT,
            format!("/resources/{RESOURCE}/data"),
            Some(json!("theirs")),
        ),
        (
            Method::POST,
            format!("/resources/{RESOURCE}/downloadUrl"),
            Some(json!({"protocol": "HTTP"})),
        ),
        (
            Method::POST,
            format!("/tasks/configure/{DEVICE}"),
            Some(read),
        ),
        (
            Method::POST,
            format!("/tasks/upgrade/{DEVICE}/{RESOURCE}"),
            None,
        ),
        (
            Method::POST,
            format!("/tasksFromTemplates/device/{DEVICE}?executeImmediately=true"),
            Some(Lab::invocation(&how_to::HOW_TO)),
        ),
        (
            Method::POST,
            format!("/tasksFromTemplates/group/{GROUP}"),
            Some(Lab::invocation(&how_to::HOW_TO)),
        ),
        (Method::GET, format!("/tasks/{task}"), None),
        (Method::DELETE, format!("/tasks/{task}"), None),
        (Method::GET, format!("/tasks/{of_group}"), None),
        (Method::DELETE, format!("/tasks/{of_group}"), None),
        (Method::GET, format!("/taskReports/{done}/{DEVICE}"), None),
        (
            Method::GET,
            format!("/taskReports/{of_group}/{DEVICE}"),
            None,
        ),
        (
            Method::GET,
            format!("/taskReports/summary?taskId={done}"),
            None,
        ),
        (
            Method::GET,
            format!("/taskReports/summary?taskId={of_group}"),
            None,
        ),
        (
            Method::GET,
            format!("/taskReports/moreReports?cursor={cursor}&count=10"),
            None,
        ),
        (Method::GET, format!("/cachedDataModels/{DEVICE}"), None),
        (Method::POST, format!("/sessions/{DEVICE}"), None),
        (
            Method::POST,
            format!("/sessions/{DEVICE}?taskId={task}"),
            None,
        ),
        (
            Method::POST,
            format!("/sessions/{DEVICE}/allow-deregistered"),
            None,
        ),
    ];
    for (method, path, body) in not_found {
        let answer = lab.ask_as(OTHER, method.clone(), &path, body).await;
        let code = answer.json()["code"].clone();
        assert_eq!(
            (answer.status, code),
            (404, json!(4040)),
            "{method} {path}: {}",
            answer.text
        );
    }
    for path in ["/tasks", "/taskReports"] {
        let answer = lab.ask_as(OTHER, Method::GET, path, None).await;
        assert_eq!((answer.status, answer.json()), (200, json!([])), "{path}");
    }
    let found = lab
        .ask_as(OTHER, Method::GET, "/devices/find/details", None)
        .await;
    assert_eq!(
        found.json(),
        json!({"devices": [], "nextPageBookmark": null})
    );
    let taken = lab
        .ask_as(OTHER, Method::POST, "/devices", Some(theirs(DEVICE)))
        .await;
    assert_eq!(taken.status, 409, "an endpoint name is one device's");
    assert_eq!(lab.everything(&[&done, &task, &of_group]).await, before);
    assert_eq!(device.got(), got, "the device heard nothing of it");
}

#[tokio::test(start_paused = true)]
async fn the_same_names_are_two_things() {
    let lab = two_accounts().await;
    lab.resource(&image_of(3_000)).await;
    let resource = json!({
        "id": RESOURCE, "name": "theirs", "location": {"InternalLocation": {"fileName": "f"}},
        "category": "FIRMWARE", "domain": "/acme/", "expirationTime": "ONE_DAY"
    });
    let made = lab
        .ask_as(OTHER, Method::POST, "/resources", Some(resource))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/resources/{RESOURCE}/downloadUrl");
    let body = json!({"protocol": "HTTP"});
    let theirs = lab
        .ask_as(OTHER, Method::POST, &path, Some(body.clone()))
        .await;
    assert_eq!(theirs.status, 404, "nothing was uploaded to theirs");
    assert_eq!(lab.ask(Method::POST, &path, Some(body)).await.status, 200);
    for (token, description) in [(lab.token.as_str(), "mine"), (OTHER, "theirs")] {
        let group = json!({"id": GROUP, "description": description});
        let made = lab
            .ask_as(token, Method::POST, "/groups", Some(group))
            .await;
        assert_eq!(made.status, 201);
    }
    let path = format!("/groups/{GROUP}");
    assert_eq!(lab.get(&path).await["description"], "mine");
    let deleted = lab.ask_as(OTHER, Method::DELETE, &path, None).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(lab.get(&path).await["description"], "mine");
}

#[tokio::test(start_paused = true)]
async fn a_domain_is_the_accounts_own() {
    let lab = two_accounts().await;
    let made = lab
        .ask_as(OTHER, Method::POST, "/devices", Some(theirs("theirs")))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let mut elsewhere = theirs("another");
    elsewhere["domain"] = json!("/demo/");
    let refused = lab
        .ask_as(OTHER, Method::POST, "/devices", Some(elsewhere))
        .await;
    assert_eq!(
        (refused.status, refused.json()["code"].clone()),
        (403, json!(4030))
    );
    assert_eq!(
        lab.ask(Method::GET, "/devices/theirs", None).await.status,
        404
    );
    lab.device("theirs").await;
    let entity = lab
        .ask_as(OTHER, Method::GET, "/devices/theirs", None)
        .await
        .json();
    let groups = entity["directGroups"].as_array().expect("groups");
    assert!(groups.contains(&json!("root.mt.acme.lwm2m")), "{groups:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_comes_without_a_valid_token() {
    let lab = two_accounts().await;
    lab.device(DEVICE).await;
    let path = format!("{BASE}/devices/{DEVICE}");
    let wrong = [
        Vec::new(),
        vec![("authorization", "Bearer".to_owned())],
        vec![("authorization", "Bearer ".to_owned())],
        vec![("authorization", "Bearer wrong".to_owned())],
        vec![("authorization", format!("Basic {}", lab.token))],
        vec![("authorization", lab.token.clone())],
        vec![("authorization", format!("Bearer {}x", lab.token))],
        vec![("authorization", format!("Bearer {}", support::TOKEN))],
    ];
    for headers in wrong {
        let answer = lab
            .world
            .request(Method::GET, &path, &headers, String::new())
            .await;
        assert_eq!(
            (answer.status, answer.json()["code"].clone()),
            (401, json!(4010)),
            "{headers:?}"
        );
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

fn theirs(id: &str) -> Value {
    json!({
        "id": id, "domain": "/acme/", "connectorType": "management", "securityMode": "nosec"
    })
}

impl Lab {
    /// All that the default account can see, to be compared.
    pub(crate) async fn everything(&self, tasks: &[&str]) -> Value {
        let mut all = Vec::new();
        for path in [
            format!("/devices/{DEVICE}"),
            format!("/groups/{GROUP}"),
            format!("/cachedDataModels/{DEVICE}"),
            "/tasks".to_owned(),
            "/taskReports".to_owned(),
            "/devices/find/details?fieldSelection=id,directGroups,description".to_owned(),
        ] {
            all.push(self.get(&path).await);
        }
        for task in tasks {
            all.push(self.get(&format!("/tasks/{task}")).await);
            all.push(self.summary(task).await);
        }
        let path = format!("/resources/{RESOURCE}/downloadUrl");
        let url = self
            .ask(Method::POST, &path, Some(json!({"protocol": "HTTP"})))
            .await;
        all.push(url.json());
        Value::Array(all)
    }
}

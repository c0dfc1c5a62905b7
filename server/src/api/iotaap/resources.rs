//! What a user asks with a token: devices, groups, OTAs, and MQTT (contract B2 to B4).

use std::sync::Arc;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{Answer, Caller, inputs::Inputs, otas, render, scoped_of};
use crate::{
    api::query,
    core::iotaap::{Page, Refused},
    server::{Server, State},
};

/// Whether anybody answers this at all.
pub(super) fn is_route(method: &Method, segments: &[&str]) -> bool {
    let methods: &[Method] = match segments {
        ["devices" | "groups"] | ["ota", "device" | "group"] => &[Method::GET, Method::POST],
        ["groups", "devices", _] => &[Method::GET],
        ["devices" | "groups", _] => &[Method::GET, Method::PUT, Method::DELETE],
        ["mqtt" | "mqtt-rest"] => &[Method::POST],
        _ => &[],
    };
    methods.contains(method)
}

/// Answers what [`is_route`] lets through.
pub(super) async fn answer(
    server: &Arc<Server>,
    caller: &Caller,
    segments: &[&str],
    request: Request<Incoming>,
) -> Result<Answer, Refused> {
    let reads = *request.method() == Method::GET;
    match *segments {
        [all @ ("devices" | "groups")] if reads => Ok(list(server, caller, all, &request)),
        [all @ ("devices" | "groups")] => {
            let inputs = Inputs::read(server, request).await;
            create(server, caller, all, &inputs)
        }
        ["groups", "devices", group] => members(server, caller, group, &request),
        ["ota", scoped] if reads => Ok(otas::list(server, caller, scoped_of(scoped), &request)),
        ["ota", scoped] => otas::deploy(server, caller, scoped_of(scoped), request).await,
        ["mqtt"] => Ok(credentials(server, caller)),
        ["mqtt-rest"] => {
            let inputs = Inputs::read(server, request).await;
            Ok(publish(server, caller, &inputs))
        }
        [all, key] if reads => {
            let state = server.state();
            one(&state, caller, all, key).map(|it| (StatusCode::OK, it))
        }
        [all, key] if *request.method() == Method::DELETE => delete(server, caller, all, key),
        [all, key] => {
            let inputs = Inputs::read(server, request).await;
            change(server, caller, (all, key), &inputs)
        }
        _ => Err(Refused::NoSuchDevice),
    }
}

/// The id of the user who asks.
pub(super) fn user<'a>(state: &'a State, caller: &Caller) -> &'a str {
    let owner = state.owners.get(&caller.owner);
    owner.map(|it| it.iotaap.id.as_str()).unwrap_or_default()
}

/// The page that a query asks for, and its `draw` (contract D23 to D27).
pub(super) fn page(request: &Request<Incoming>) -> (Page, Option<String>) {
    let mut page = Page::default();
    let mut draw = None;
    for (name, value) in query(request) {
        match name.as_str() {
            "search_value" => page.search = value,
            "offset" => page.offset = value.trim().parse().unwrap_or(0),
            "limit" => page.limit = value.trim().parse().unwrap_or(0),
            "order_dir" => page.descending = value.eq_ignore_ascii_case("desc"),
            "draw" => draw = Some(value),
            _ => {}
        }
    }
    (page, draw)
}

fn list(server: &Server, caller: &Caller, all: &str, request: &Request<Incoming>) -> Answer {
    let (page, draw) = page(request);
    let state = server.state();
    let user = user(&state, caller);
    let rendered: Vec<(&str, Value)> = if all == "groups" {
        let groups = state.iotaap.groups(&caller.owner);
        groups
            .map(|it| (it.name.as_str(), render::group(it, user)))
            .collect()
    } else {
        let devices = state.iotaap.devices(&caller.owner);
        devices
            .map(|it| (it.name.as_str(), render::device(it, user)))
            .collect()
    };
    let listing = page.of(rendered, |it| it.0).map(|it| it.1);
    (StatusCode::OK, render::listing(all, listing, draw))
}

fn members(
    server: &Server,
    caller: &Caller,
    group: &str,
    request: &Request<Incoming>,
) -> Result<Answer, Refused> {
    let (page, draw) = page(request);
    let state = server.state();
    let user = user(&state, caller);
    state.iotaap.group(&caller.owner, group)?;
    let members = state.iotaap.members(group);
    let members = members.filter(|it| it.owner == caller.owner);
    let rendered: Vec<(&str, Value)> = members
        .map(|it| (it.name.as_str(), render::device(it, user)))
        .collect();
    let listing = page.of(rendered, |it| it.0).map(|it| it.1);
    let document = render::listing("devices", listing, draw);
    Ok((StatusCode::OK, document))
}

fn one(state: &State, caller: &Caller, all: &str, key: &str) -> Result<Value, Refused> {
    let user = user(state, caller);
    if all == "groups" {
        let group = state.iotaap.group(&caller.owner, key)?;
        Ok(render::group(group, user))
    } else {
        let device = state.iotaap.device(&caller.owner, key)?;
        Ok(render::device(device, user))
    }
}

fn create(
    server: &Arc<Server>,
    caller: &Caller,
    all: &str,
    inputs: &Inputs,
) -> Result<Answer, Refused> {
    let whose = (caller.owner.as_str(), caller.model);
    let name = inputs.text("name");
    server.change(|state, now| {
        let key = if all == "groups" {
            state.iotaap.create_group(now, whose, name)?.id.clone()
        } else {
            state.iotaap.create_device(now, whose, name)?.id.clone()
        };
        one(state, caller, all, &key).map(|it| (StatusCode::CREATED, it))
    })
}

fn change(
    server: &Arc<Server>,
    caller: &Caller,
    (all, key): (&str, &str),
    inputs: &Inputs,
) -> Result<Answer, Refused> {
    let name = inputs.text("name");
    let group = inputs.text("group");
    server.change(|state, _| {
        if all == "groups" {
            state.iotaap.change_group(&caller.owner, key, name)?;
        } else {
            let group = group.as_deref();
            state
                .iotaap
                .change_device(&caller.owner, key, name, group)?;
        }
        one(state, caller, all, key).map(|it| (StatusCode::OK, it))
    })
}

fn delete(server: &Arc<Server>, caller: &Caller, all: &str, key: &str) -> Result<Answer, Refused> {
    let gone = server.change(|state, _| {
        let (blob, message) = if all == "groups" {
            let blob = state.iotaap.delete_group(&caller.owner, key)?;
            (blob, "Group successfully removed")
        } else {
            let blob = state.iotaap.delete_device(&caller.owner, key)?;
            (blob, "Device successfully removed")
        };
        let unused = blob.filter(|it| state.firmware.needs_image(it).is_none());
        Ok((unused, message))
    });
    let (blob, message) = gone?;
    if let Some(blob) = blob {
        server.forget_image(&blob);
    }
    Ok((StatusCode::OK, json!({"message": message})))
}

/// `POST /mqtt`: the user's name at the broker. The password is the user's own token, since the
/// broker is somebody else's and knows what it was told.
fn credentials(server: &Arc<Server>, caller: &Caller) -> Answer {
    let broker = server.broker();
    server.change(|state, now| {
        let id = state.iotaap.ids().draw(now);
        let password = state.iotaap.ids().secret(16);
        let Some(owner) = state.owners.get(&caller.owner) else {
            return super::internal("Error when creating MQTT user.", "no such user");
        };
        let document = json!({
            "_id": id,
            "server": broker.as_ref().map(|it| it.0.as_str()).unwrap_or_default(),
            "user": owner.iotaap.mqtt_user,
            "password": password,
            "port": broker.as_ref().map_or_else(|| "8883".to_owned(), |it| it.1.to_string()),
            "owner": owner.iotaap.id,
            "created_at": crate::core::time::iso(now),
            "__v": 0,
        });
        (StatusCode::CREATED, document)
    })
}

/// `POST /mqtt-rest`: publishes below the user's own topics.
fn publish(server: &Server, caller: &Caller, inputs: &Inputs) -> Answer {
    let topic = inputs.text("topic").unwrap_or_default();
    let message = inputs.text("message").unwrap_or_default();
    let user = {
        let state = server.state();
        let owner = state.owners.get(&caller.owner);
        owner
            .map(|it| it.iotaap.mqtt_user.clone())
            .unwrap_or_default()
    };
    let slash = if topic.starts_with('/') { "" } else { "/" };
    if server.publish(format!("/{user}{slash}{topic}"), message) {
        (StatusCode::OK, json!({"message": "Message published"}))
    } else {
        let message = "There was a problem connecting MQTT server";
        (StatusCode::BAD_REQUEST, json!({"message": message}))
    }
}

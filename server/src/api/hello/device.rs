//! The device itself: who it is, how it should be, what of it is hidden (contract 1.2).

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    Problem, Reply,
    inputs::Inputs,
    render,
    reply::{self, Keep},
};
use crate::{
    core::shadow::{KNOWN_OBJECTS, is_object_version, is_resource_value},
    remember,
    server::Server,
};

/// `GET /health`
pub(super) fn health(server: &Server) -> Reply {
    let document =
        json!({"@context": render::context("api/health"), "version": server.config.version});
    reply::json(StatusCode::OK, Keep::Minute, &document)
}

/// `GET /device?fingerprint=`
pub(super) fn identity(server: &Server, mut inputs: Inputs) -> Result<Reply, Problem> {
    let fingerprint = inputs.fingerprint();
    inputs.finish()?;
    let state = server.state();
    let device = state.registry.device_by_fingerprint(&fingerprint);
    let document = device.and_then(|it| render::identity(it, false));
    let document = document.ok_or_else(|| {
        Problem::not_found("No device found for fingerprint!").detail(fingerprint)
    })?;
    Ok(reply::json(StatusCode::OK, Keep::Day, &document))
}

/// `POST /device/{id}/hideDataBefore`: hides what happened until now.
pub(super) fn hide_data_before(server: &Arc<Server>, mut inputs: Inputs) -> Result<Reply, Problem> {
    let owner = inputs.owner();
    inputs.finish()?;
    let device = owner.device(server)?;
    server.change(|state, now| {
        if let Some(device) = state.registry.device_mut(&device.id) {
            device.hide_data_before = Some(now);
        }
        remember::device(&*server.store, state, &device.id);
    });
    Ok(reply::empty(StatusCode::OK))
}

/// `PATCH /device/{id}/state`: an LwM2M object that the device should take over.
pub(super) async fn configure(server: &Arc<Server>, mut inputs: Inputs) -> Result<Reply, Problem> {
    let owner = inputs.owner();
    let lwm2m = object_update(&mut inputs);
    inputs.finish()?;
    let device = owner.device(server)?;
    let failed = |cause: String| {
        Problem::bad_request("Configuration update failed")
            .detail(cause)
            .kind("https://hello.nrfcloud.com/errors/BadRequest")
    };
    let caller = device
        .identity
        .account
        .as_deref()
        .and_then(|it| server.caller(it));
    let caller = caller.ok_or_else(|| failed("The device has no known account.".to_owned()))?;
    let desired = server.upstream.desire(&caller, &device.id, &lwm2m).await;
    desired.map_err(|why| failed(why.to_string()))?;
    Ok(reply::empty(StatusCode::ACCEPTED))
}

/// Checks an LwM2MObjectUpdate and turns it into what upstream calls `lwm2m` (contract 3.4, 4).
fn object_update(inputs: &mut Inputs) -> Value {
    let required = |inputs: &mut Inputs, name: &str, fits: &dyn Fn(&Value) -> bool, expected| {
        let message = match inputs.get(name) {
            None => "Expected required property",
            Some(value) if fits(value) => return,
            Some(_) => expected,
        };
        inputs.mistake(&format!("/{name}"), message);
    };
    let context = render::context("lwm2m/object/update");
    required(
        inputs,
        "@context",
        &|it| *it == context,
        "Expected the context of an object update",
    );
    let known = |it: &Value| {
        it.as_u64()
            .and_then(|it| u32::try_from(it).ok())
            .is_some_and(|it| KNOWN_OBJECTS.contains(&it))
    };
    required(
        inputs,
        "ObjectID",
        &known,
        "Expected the id of a known object",
    );
    required(inputs, "Resources", &is_resources, "Expected resources");
    let instance = inputs
        .get("ObjectInstanceID")
        .cloned()
        .unwrap_or_else(|| json!(0));
    if !instance.is_u64() {
        inputs.mistake(
            "/ObjectInstanceID",
            "Expected integer to be greater or equal to 0",
        );
    }
    let version = inputs
        .get("ObjectVersion")
        .cloned()
        .unwrap_or_else(|| json!("1.0"));
    if !version.as_str().is_some_and(is_object_version) {
        inputs.mistake(
            "/ObjectVersion",
            "Expected string to match regular expression",
        );
    }
    let object = inputs.get("ObjectID").cloned().unwrap_or_default();
    let resources = inputs.get("Resources").cloned().unwrap_or_default();
    let instances = Map::from_iter([(instance.to_string(), resources)]);
    let key = format!("{object}:{}", version.as_str().unwrap_or_default());
    Map::from_iter([(key, Value::from(instances))]).into()
}

fn is_resources(value: &Value) -> bool {
    value.as_object().is_some_and(|resources| {
        resources.iter().all(|(id, value)| {
            !id.is_empty() && id.bytes().all(|it| it.is_ascii_digit()) && is_resource_value(value)
        })
    })
}

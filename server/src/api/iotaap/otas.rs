//! OTAs: deployed and listed by users, asked for and fetched by devices (contract B3 to B5).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{Answer, Caller, internal, refusal, render, resources, said};
use crate::{
    api::{firmware, form},
    core::{
        iotaap::{Refused, Scoped, id},
        owners::same,
    },
    feed::FeedBody,
    limits,
    server::Server,
    store::blob,
};

/// Digits of an id, behind which a download's path has the token.
const ID: usize = 24;

/// `GET /ota/device`, `/ota/group`.
pub(super) fn list(
    server: &Server,
    caller: &Caller,
    scoped: Scoped,
    request: &Request<Incoming>,
) -> Answer {
    let (page, draw) = resources::page(request);
    let state = server.state();
    let user = resources::user(&state, caller);
    let all = state.iotaap.otas(&caller.owner, scoped);
    let listing = page.of(all, |it| it.path.as_str());
    let listing = listing.map(|it| render::ota(it, user));
    (StatusCode::OK, render::listing("otas", listing, draw))
}

/// `POST /ota/device`, `/ota/group`. The order of the checks is the contract's (D19).
pub(super) async fn deploy(
    server: &Arc<Server>,
    caller: &Caller,
    scoped: Scoped,
    request: Request<Incoming>,
) -> Result<Answer, Refused> {
    let mut form = if form::is_form(&request) {
        match form::read(server, request, "firmware").await {
            Ok(form) => form,
            Err(form::Unreadable::Broken(why)) => return Ok(bad(&why)),
            Err(form::Unreadable::Refused(why)) => return Ok(not_stored(&why)),
        }
    } else {
        form::Form::default()
    };
    let (of, invalid) = match scoped {
        Scoped::Device => ("device", "Device ID is not valid"),
        Scoped::Group => ("group", "Group ID is not valid"),
    };
    let names = [of, "token", "version"];
    let [key, token, version] = names.map(|name| form.texts.remove(name).unwrap_or_default());
    let given = names.iter().zip([&key, &token, &version]);
    for (name, text) in given {
        if text.is_empty() {
            return Ok(bad(&format!("{name} is a mandatory field")));
        }
    }
    if !id::is_id(&key) {
        return Ok(bad(invalid));
    }
    let Some(file) = form.file else {
        return Ok(bad("No file uploaded"));
    };
    if version.len() > limits::MAX_NAME_BYTES {
        return Ok(bad("version is too long"));
    }
    if scoped == Scoped::Group && !caller.model.has_groups() {
        let message =
            "Group OTA update is not available in free model. Please upgrade your account.";
        return Ok((StatusCode::FORBIDDEN, json!({"message": message})));
    }
    let owner = caller.owner.as_str();
    server
        .state()
        .iotaap
        .may_deploy(owner, scoped, &key, &token)?;
    let md5 = hex(&file.md5);
    let image = match file.keep(server) {
        Ok(image) => image,
        Err(why) => return Ok(not_stored(&why)),
    };
    let deployed = server.change(|state, now| {
        let bytes = (image.id.clone(), md5);
        let deployed = state
            .iotaap
            .deploy(now, owner, (scoped, &key), version, bytes);
        deployed.map(|replaced| replaced.filter(|it| state.firmware.needs_image(it).is_none()))
    });
    match deployed {
        Ok(replaced) => {
            if let Some(replaced) = replaced {
                server.forget_image(&replaced);
            }
            server.trigger(scoped, &key);
            let message = "Firmware successfully deployed";
            Ok((StatusCode::CREATED, json!({"message": message})))
        }
        Err(refused) => {
            server.forget_image(&image.id);
            Err(refused)
        }
    }
}

/// `GET /ota/*/latest/{id}`: what the device should run. It needs no token, and stays short.
pub(super) fn latest(server: &Arc<Server>, scoped: Scoped, key: &str) -> Answer {
    server.change(|state, now| {
        let ota = state.iotaap.ota(key).filter(|it| it.scoped == scoped);
        let Some(version) = ota.map(|it| it.version.clone()) else {
            return missing(scoped);
        };
        if scoped == Scoped::Device {
            state.iotaap.contacted(now, key);
        }
        (StatusCode::OK, json!({"ver": version}))
    })
}

/// `GET /ota/*/download/{id}{token}`: the bytes, with their MD5.
pub(super) fn download(
    server: &Arc<Server>,
    scoped: Scoped,
    secret: &str,
) -> Response<Either<Full<Bytes>, FeedBody>> {
    let found = server.change(|state, now| {
        let (key, token) = secret.split_at_checked(ID)?;
        let own = match scoped {
            Scoped::Device => &state.iotaap.any_device(key)?.token,
            Scoped::Group => &state.iotaap.any_group(key)?.token,
        };
        if !same(own.as_bytes(), token.as_bytes()) {
            return None;
        }
        let ota = state.iotaap.ota(key).filter(|it| it.scoped == scoped)?;
        let (blob, md5) = (ota.blob.clone(), ota.md5.clone());
        let image = state.images.get(&blob)?.clone();
        if scoped == Scoped::Device {
            state.iotaap.contacted(now, key);
        }
        Some((image, md5))
    });
    let Some((image, md5)) = found else {
        return said(missing(scoped)).map(Either::Left);
    };
    let mut reply = firmware::whole(server, &image);
    if let Ok(md5) = HeaderValue::from_str(&md5) {
        reply.headers_mut().insert("x-md5", md5);
    }
    reply
}

fn missing(scoped: Scoped) -> Answer {
    let refused = match scoped {
        Scoped::Device => Refused::NoSuchDevice,
        Scoped::Group => Refused::NoSuchGroup,
    };
    let (status, mut document) = refusal(refused);
    if let Value::Object(object) = &mut document {
        object.insert("error".into(), "there is no firmware for it".into());
    }
    (status, document)
}

fn bad(message: &str) -> Answer {
    (StatusCode::BAD_REQUEST, json!({"message": message}))
}

fn not_stored(why: &blob::Refused) -> Answer {
    internal("Error when uploading firmware file", &why.to_string())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

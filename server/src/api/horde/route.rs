//! Which resource a request is about, and what is done with it.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Method, Request};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use super::{Answer, Caller, changes, object, refusal::Refusal, render};
use crate::{
    api::form::{self, File, Unreadable},
    core::horde::{CollectionChange, DeviceChange, Horde, ImageChange, Refused, Tags, Upload},
    server::{Server, State},
};

/// A resource that has tags.
#[derive(Clone, Copy)]
enum Tagged<'a> {
    Collection(&'a str),
    Device(&'a str, &'a str),
    Image(&'a str, &'a str),
}

/// Answers a request for the resource that `segments` name.
pub(super) async fn answer(
    server: &Arc<Server>,
    caller: &Caller,
    segments: &[&str],
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    match segments {
        [""] => only(&request, &Method::GET).map(|()| Answer::Ok(render::root())),
        ["system"] => {
            let system = render::system(&server.config.version);
            only(&request, &Method::GET).map(|()| Answer::Ok(system))
        }
        ["collections"] => collections(server, caller, request).await,
        ["collections", collection] => one_collection(server, caller, collection, request).await,
        ["collections", collection, "devices"] => {
            devices(server, caller, collection, request).await
        }
        ["collections", collection, "devices", device] => {
            one_device(server, caller, (collection, device), request).await
        }
        ["collections", collection, "devices", device, "fwerror"] => {
            only(&request, &Method::DELETE)?;
            let owner = &caller.owner;
            server.change(|state, _| state.horde.clear_error(owner, collection, device))?;
            Ok(Answer::Ok(json!({})))
        }
        ["collections", collection, "firmware"] => {
            images(server, caller, collection, request).await
        }
        ["collections", collection, "firmware", image] => {
            one_image(server, caller, (collection, image), request).await
        }
        ["collections", collection, "firmware", image, "usage"] => {
            only(&request, &Method::GET)?;
            let state = server.state();
            let shelf = state.horde.collection(&caller.owner, collection)?;
            state.horde.image(&caller.owner, collection, image)?;
            let usage = state.horde.usage(shelf, image);
            Ok(Answer::Ok(render::usage(image, &usage)))
        }
        [resource @ .., "tags"] => {
            let tagged = tagged(resource)?;
            tags(server, caller, tagged, request).await
        }
        [resource @ .., "tags", name] => {
            let tagged = tagged(resource)?;
            one_tag(server, caller, tagged, name, request).await
        }
        _ => Err(Refusal::not_found()),
    }
}

async fn collections(
    server: &Arc<Server>,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    match *request.method() {
        Method::GET => {
            let state = server.state();
            let all = state.horde.collections(&caller.owner);
            let all: Vec<Value> = all.map(render::collection).collect();
            Ok(Answer::Ok(json!({"collections": all})))
        }
        Method::POST => {
            let change = changes::collection(&object(server, request).await?)?;
            let whose = (caller.owner.as_str(), caller.team.as_str());
            server.change(|state, now| {
                let made = state.horde.create_collection(now, whose, &change)?;
                Ok(Answer::Created(render::collection(made)))
            })
        }
        _ => Err(Refusal::method()),
    }
}

async fn one_collection(
    server: &Arc<Server>,
    caller: &Caller,
    key: &str,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let owner = &caller.owner;
    let shown = render::collection(server.state().horde.collection(owner, key)?);
    match *request.method() {
        Method::GET => Ok(Answer::Ok(shown)),
        Method::PATCH => {
            let change = changes::collection(&object(server, request).await?)?;
            server.change(|state, _| {
                let changed = state.horde.change_collection(owner, key, &change)?;
                Ok(Answer::Ok(render::collection(changed)))
            })
        }
        Method::DELETE => {
            server.change(|state, _| state.horde.delete_collection(owner, key))?;
            Ok(Answer::Gone)
        }
        _ => Err(Refusal::method()),
    }
}

async fn devices(
    server: &Arc<Server>,
    caller: &Caller,
    collection: &str,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let owner = &caller.owner;
    server.state().horde.collection(owner, collection)?;
    match *request.method() {
        Method::GET => {
            let state = server.state();
            let here = state.horde.collection(owner, collection)?;
            let devices = state.horde.devices(collection);
            let devices: Vec<Value> = devices.map(|it| render::device(it, here)).collect();
            let document = json!({"collectionId": collection, "devices": devices});
            Ok(Answer::Ok(document))
        }
        Method::POST => {
            let mut change = changes::device(&object(server, request).await?)?;
            change.firmware = None;
            server.change(|state, now| {
                let made = state.horde.create_device(now, owner, collection, &change)?;
                let key = made.id.clone();
                shown_device(&state.horde, owner, &key).map(Answer::Created)
            })
        }
        _ => Err(Refusal::method()),
    }
}

async fn one_device(
    server: &Arc<Server>,
    caller: &Caller,
    (collection, key): (&str, &str),
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let owner = &caller.owner;
    server.state().horde.device(owner, collection, key)?;
    match *request.method() {
        Method::GET => shown_device(&server.state().horde, owner, key).map(Answer::Ok),
        Method::PATCH => {
            let change = changes::device(&object(server, request).await?)?;
            server.change(|state, _| {
                state.horde.change_device(owner, collection, key, &change)?;
                shown_device(&state.horde, owner, key).map(Answer::Ok)
            })
        }
        Method::DELETE => {
            server.change(|state, _| state.horde.delete_device(owner, collection, key))?;
            Ok(Answer::Gone)
        }
        _ => Err(Refusal::method()),
    }
}

/// A device as it is now, wherever it moved.
fn shown_device(horde: &Horde, owner: &str, key: &str) -> Result<Value, Refusal> {
    let (device, _) = horde.scoped(key).ok_or(Refused::UnknownDevice)?;
    let collection = horde.collection(owner, &device.collection)?;
    Ok(render::device(device, collection))
}

async fn images(
    server: &Arc<Server>,
    caller: &Caller,
    collection: &str,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let owner = &caller.owner;
    server.state().horde.collection(owner, collection)?;
    match *request.method() {
        Method::GET => {
            let state = server.state();
            let images = state.horde.images(collection).into_iter();
            let images: Vec<Value> = images.map(render::image).collect();
            Ok(Answer::Ok(json!({"images": images})))
        }
        Method::POST => {
            let (file, change) = uploaded(server, request).await?;
            keep(server, owner, collection, (file, change)).map(Answer::Created)
        }
        _ => Err(Refusal::method()),
    }
}

/// The file of a form, or JSON with the image in base64 and what it is called.
async fn uploaded(
    server: &Server,
    request: Request<Incoming>,
) -> Result<(File, ImageChange), Refusal> {
    if form::is_form(&request) {
        let form = form::read(server, request, "image").await;
        let form = form.map_err(|why| match why {
            Unreadable::Broken(why) => Refusal::bad(why),
            Unreadable::Refused(why) => Refusal::stored(&why),
        })?;
        // Whether there is no file, or one without bytes.
        let file = form.file.ok_or(Refused::EmptyImage)?;
        return Ok((file, ImageChange::default()));
    }
    let body = object(server, request).await?;
    let image = changes::text(&body, "image")?.unwrap_or_default();
    let bytes = BASE64_STANDARD.decode(image.trim());
    let bytes = bytes.map_err(|_| Refusal::bad("Unable to read firmware image"))?;
    if bytes.is_empty() {
        return Err(Refused::EmptyImage.into());
    }
    let filename = changes::text(&body, "filename")?.unwrap_or_default();
    if filename.trim().is_empty() {
        return Err(Refusal::bad("Filename required"));
    }
    let mut change = Map::new();
    for name in ["version", "tags"] {
        if let Some(value) = body.get(name) {
            change.insert(name.to_owned(), value.clone());
        }
    }
    let change = changes::image(&change)?;
    let file = File::of(server, &filename, Bytes::from(bytes)).await;
    let file = file.map_err(|why| Refusal::stored(&why))?;
    Ok((file, change))
}

/// Keeps an image, with its version and tags if they came along.
fn keep(
    server: &Arc<Server>,
    owner: &str,
    collection: &str,
    (file, change): (File, ImageChange),
) -> Result<Value, Refusal> {
    let mut upload = Upload {
        filename: file.name.clone(),
        sha256: file.sha256().to_string(),
        length: file.length(),
        version: change.version,
        tags: change.tags.unwrap_or_default(),
        blob: String::new(),
    };
    // Before it takes an id.
    server
        .state()
        .horde
        .accepts_image(owner, collection, &upload)?;
    let kept = file.keep(server).map_err(|why| Refusal::stored(&why))?;
    upload.blob.clone_from(&kept.id);
    let made = server.change(|state, now| {
        let image = state.horde.create_image(now, owner, collection, upload)?;
        Ok(render::image(image))
    });
    if made.is_err() {
        server.forget_image(&kept.id);
    }
    made
}

async fn one_image(
    server: &Arc<Server>,
    caller: &Caller,
    (collection, key): (&str, &str),
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let owner = &caller.owner;
    let shown = render::image(server.state().horde.image(owner, collection, key)?);
    match *request.method() {
        Method::GET => Ok(Answer::Ok(shown)),
        Method::PATCH => {
            let change = changes::image(&object(server, request).await?)?;
            server.change(|state, _| {
                let changed = state.horde.change_image(owner, collection, key, &change)?;
                Ok(Answer::Ok(render::image(changed)))
            })
        }
        Method::DELETE => {
            let gone = server.change(|state, _| {
                let blob = state.horde.delete_image(owner, collection, key)?;
                let needed = state.firmware.needs_image(&blob).is_some();
                Ok::<_, Refused>((blob, needed))
            });
            let (blob, needed) = gone?;
            if !needed {
                server.forget_image(&blob);
            }
            Ok(Answer::Gone)
        }
        _ => Err(Refusal::method()),
    }
}

fn tagged<'a>(resource: &[&'a str]) -> Result<Tagged<'a>, Refusal> {
    match *resource {
        ["collections", collection] => Ok(Tagged::Collection(collection)),
        ["collections", collection, "devices", device] => Ok(Tagged::Device(collection, device)),
        ["collections", collection, "firmware", image] => Ok(Tagged::Image(collection, image)),
        _ => Err(Refusal::not_found()),
    }
}

async fn tags(
    server: &Arc<Server>,
    caller: &Caller,
    tagged: Tagged<'_>,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let shown = tags_of(&server.state(), caller, tagged)?;
    match *request.method() {
        Method::GET => Ok(Answer::Ok(json!(shown))),
        Method::PATCH => {
            let changes = changes::texts(&object(server, request).await?)?;
            tag(server, caller, tagged, changes).map(|it| Answer::Ok(json!(it)))
        }
        _ => Err(Refusal::method()),
    }
}

async fn one_tag(
    server: &Arc<Server>,
    caller: &Caller,
    tagged: Tagged<'_>,
    name: &str,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let shown = tags_of(&server.state(), caller, tagged)?;
    let name = name.trim().to_lowercase();
    let value = |tags: &Tags| {
        let value = tags.get(&name).ok_or_else(Refusal::unknown_tag)?;
        Ok(Answer::Ok(json!({"value": value})))
    };
    match *request.method() {
        Method::GET => value(&shown),
        Method::PATCH => {
            let given = changes::text(&object(server, request).await?, "value")?;
            let given = given.ok_or_else(|| Refusal::bad("Missing tag value"))?;
            let tags = tag(server, caller, tagged, vec![(name.clone(), given)])?;
            if tags.contains_key(&name) {
                value(&tags)
            } else {
                Ok(Answer::Ok(json!({"value": ""})))
            }
        }
        Method::DELETE => {
            value(&shown)?;
            tag(server, caller, tagged, vec![(name.clone(), String::new())])?;
            Ok(Answer::Gone)
        }
        _ => Err(Refusal::method()),
    }
}

fn tags_of(state: &State, caller: &Caller, tagged: Tagged<'_>) -> Result<Tags, Refusal> {
    let (horde, owner) = (&state.horde, &caller.owner);
    Ok(match tagged {
        Tagged::Collection(collection) => horde.collection(owner, collection)?.tags.clone(),
        Tagged::Device(collection, key) => horde.device(owner, collection, key)?.tags.clone(),
        Tagged::Image(collection, key) => horde.image(owner, collection, key)?.tags.clone(),
    })
}

fn tag(
    server: &Arc<Server>,
    caller: &Caller,
    tagged: Tagged<'_>,
    tags: Vec<(String, String)>,
) -> Result<Tags, Refusal> {
    let owner = &caller.owner;
    server.change(|state, _| {
        let horde = &mut state.horde;
        match tagged {
            Tagged::Collection(key) => {
                let change = CollectionChange {
                    tags,
                    ..CollectionChange::default()
                };
                horde.change_collection(owner, key, &change)?;
            }
            Tagged::Device(collection, key) => {
                let change = DeviceChange {
                    tags,
                    ..DeviceChange::default()
                };
                horde.change_device(owner, collection, key, &change)?;
            }
            Tagged::Image(collection, key) => {
                let change = ImageChange {
                    version: None,
                    tags: Some(tags),
                };
                horde.change_image(owner, collection, key, &change)?;
            }
        }
        tags_of(state, caller, tagged)
    })
}

fn only(request: &Request<Incoming>, method: &Method) -> Result<(), Refusal> {
    if request.method() == method {
        Ok(())
    } else {
        Err(Refusal::method())
    }
}

//! The Coiote face: AVSystem's device management API, v3, as far as its firmware how-to and its
//! Python client use it (the contract `coiote.md`, classes a and b). The rest answers 501.
//!
//! A file for each family of endpoints. Who asks is an account (`auth`), and sees its own only;
//! what belongs to another account is not there for it. Nothing here decides about updates:
//! `core/tasks` does.

mod auth;
mod criteria;
mod devices;
mod groups;
mod input;
mod provision;
mod refusal;
mod reports;
mod resources;
mod shown;
mod tasks;
mod templates;
mod values;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::Value;

use super::{Reply, problem::NO_STORE, segments};
use crate::server::Server;
use input::Query;
use refusal::Refusal;

/// Where the API is.
pub(crate) const BASE: &str = "/api/coiotedm/v3";
/// Where tokens for passwords are.
const AUTH: &str = "/api/auth/";
/// Where tokens for programs are.
const REALMS: &str = "/iam/realms/";

/// What is a success.
enum Answer {
    /// With a document.
    Json(StatusCode, Value),
    /// With nothing.
    Empty(StatusCode),
}

/// Who asks what.
struct Asked<'a> {
    server: &'a Arc<Server>,
    /// The account.
    owner: String,
    query: Query,
}

/// The path of this face, if it is one. A slash too many in front does no harm: clients get it
/// from a URL that ends in one.
pub(super) fn path(path: &str) -> Option<&str> {
    let path = path
        .strip_prefix('/')
        .filter(|it| it.starts_with('/'))
        .unwrap_or(path);
    let below = |base: &str| {
        path.strip_prefix(base)
            .is_some_and(|it| it.is_empty() || it.starts_with('/'))
    };
    let is_ours = below(BASE) || path.starts_with(AUTH) || path.starts_with(REALMS);
    is_ours.then_some(path)
}

/// Answers a request for [`path`].
pub(super) async fn answer(server: &Arc<Server>, path: &str, request: Request<Incoming>) -> Reply {
    let reads = request.method() == Method::GET;
    let answer = route(server, path, request).await;
    if !reads {
        // What was answered is safe.
        server.store.flush().await;
    }
    let (status, document, closes) = match answer {
        Ok(Answer::Json(status, document)) => (status, Some(document), false),
        Ok(Answer::Empty(status)) => (status, None, false),
        Err(refusal) => (refusal.status, Some(refusal.to_json()), refusal.closes),
    };
    let text = document.map(|it| it.to_string()).unwrap_or_default();
    let json = HeaderValue::from_static("application/json");
    let has_body = !text.is_empty();
    let mut reply = Response::new(Full::new(Bytes::from(text)));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    if has_body {
        headers.insert(header::CONTENT_TYPE, json);
    }
    if status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        headers.insert(header::WWW_AUTHENTICATE, scheme);
    }
    if closes {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}

async fn route(
    server: &Arc<Server>,
    path: &str,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let method = request.method().clone();
    if let Some(rest) = path.strip_prefix(AUTH) {
        return match (rest, &method) {
            ("oauth_password", &Method::POST) => auth::password(server, request).await,
            ("invalidate_token", &Method::POST) => auth::invalidate(server, request).await,
            ("oauth_password" | "invalidate_token", _) => Err(no_method(&method, path)),
            _ => Err(no_route(&method, path)),
        };
    }
    if let Some(rest) = path.strip_prefix(REALMS) {
        let names = segments(rest).map_err(Refusal::from)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        return match names.as_slice() {
            [realm, "protocol", "openid-connect", "token"] if method == Method::POST => {
                auth::program(server, realm, request).await
            }
            _ => Err(no_route(&method, path)),
        };
    }
    let asked = Asked {
        server,
        owner: auth::owner(server, &request)?,
        query: Query::of(&request),
    };
    let rest = path.strip_prefix(BASE).unwrap_or(path);
    // Between slashes first, then decoded: `%2F` is part of a name (contract T9).
    let names = segments(rest).map_err(Refusal::from)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    asked.route(&method, path, &names, request).await
}

impl Asked<'_> {
    /// Finds the endpoint. Ids that clients do not encode may have slashes of their own: there all
    /// that is left of the path is the id.
    async fn route(
        &self,
        method: &Method,
        path: &str,
        names: &[&str],
        request: Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
        let delete = Method::DELETE;
        match names {
            ["devices", "find", "details"] if *method == get => self.find_devices(),
            ["devices"] if *method == post => self.create_device(request).await,
            ["devices"] if *method == get => Err(Refusal::not_here("GET /devices")),
            ["devices", "batch"] if *method == post => {
                Err(Refusal::not_here("POST /devices/batch"))
            }
            ["devices", "all", "count"] if *method == get => {
                Err(Refusal::not_here("GET /devices/all/count"))
            }
            ["devices", id @ ..] if !id.is_empty() => {
                let id = id.join("/");
                match method {
                    _ if *method == get => self.get_device(&id),
                    _ if *method == put => self.update_device(&id, request).await,
                    _ if *method == delete => self.delete_device(&id),
                    _ => Err(no_method(method, path)),
                }
            }
            ["groups"] if *method == post => self.put_group(request).await,
            ["groups"] if *method == get => Err(Refusal::not_here("GET /groups")),
            ["groups", id] => match method {
                _ if *method == get => self.get_group(id),
                _ if *method == delete => self.delete_group(id),
                _ if *method == put => Err(Refusal::not_here("PUT /groups/{id}")),
                _ => Err(no_method(method, path)),
            },
            ["resources"] if *method == post => self.create_resource(request).await,
            ["resources", id, "data"] if *method == put => self.upload(id, request).await,
            ["resources", id, "downloadUrl"] if *method == post => {
                self.download_url(id, request).await
            }
            ["resources", ..] if *method == get || *method == delete => {
                Err(Refusal::not_here(&format!("{method} /resources")))
            }
            ["tasks", "configure", id @ ..] if *method == post && !id.is_empty() => {
                self.configure(&id.join("/"), request).await
            }
            ["tasks", "upgrade", device, resource] if *method == post => {
                self.upgrade(device, resource)
            }
            ["tasks", "callback", ..] if *method == delete => Err(Refusal::not_here(
                "DELETE /tasks/callback/{taskId}/{callbackId}",
            )),
            ["tasks"] if *method == get => self.list_tasks(),
            ["tasks", id] => match method {
                _ if *method == get => self.get_task(id),
                _ if *method == delete => self.delete_task(id),
                _ if *method == put => Err(Refusal::not_here("PUT /tasks/{id}")),
                _ => Err(no_method(method, path)),
            },
            ["tasksFromTemplates", "deviceBlocking", ..] if *method == post => {
                let what = "POST /tasksFromTemplates/deviceBlocking/{deviceId}";
                Err(Refusal::not_here(what))
            }
            ["tasksFromTemplates", "device", id @ ..] if *method == post && !id.is_empty() => {
                self.run_on_device(&id.join("/"), request).await
            }
            ["tasksFromTemplates", "group", id] if *method == post => {
                self.run_on_group(id, request).await
            }
            ["taskReports"] if *method == get => self.list_reports(),
            ["taskReports", "summary"] if *method == get => self.summary(),
            ["taskReports", "findReports"] if *method == get => self.find_reports(),
            ["taskReports", "moreReports"] if *method == get => self.more_reports(),
            ["taskReports", "findSince"] if *method == get => {
                Err(Refusal::not_here("GET /taskReports/findSince"))
            }
            ["taskReports", task, device] if *method == get => self.get_report(task, device),
            ["cachedDataModels", id @ ..] if *method == get && !id.is_empty() => {
                self.cached_values(&id.join("/"))
            }
            ["sessions", id] if *method == post => self.start_session(id, false),
            ["sessions", id, "allow-deregistered"] if *method == post => {
                self.start_session(id, true)
            }
            [family, ..] if ELSEWHERE.contains(family) => {
                Err(Refusal::not_here(&format!("{method} /{}", names.join("/"))))
            }
            [family, ..] if FAMILIES.contains(family) => Err(no_method(method, path)),
            _ => Err(no_route(method, path)),
        }
    }
}

/// What has endpoints here.
const FAMILIES: &[&str] = &[
    "devices",
    "groups",
    "resources",
    "tasks",
    "tasksFromTemplates",
    "taskReports",
    "cachedDataModels",
    "sessions",
];

/// What the API has and this server has not (the contract's class c).
const ELSEWHERE: &[&str] = &[
    "accesses",
    "assignedDeviceProperties",
    "certificates",
    "deviceEvents",
    "deviceMonitoring",
    "deviceTests",
    "dialects",
    "domains",
    "extensions",
    "firmwareUpdate",
    "instantiatedResources",
    "observations",
    "protocolTests",
    "settingValues",
    "users",
];

fn no_route(method: &Method, path: &str) -> Refusal {
    let path: String = path.chars().take(crate::limits::MAX_NAME_BYTES).collect();
    Refusal::not_found(format!("There is no `{method} {path}`."))
}

fn no_method(method: &Method, path: &str) -> Refusal {
    let path: String = path.chars().take(crate::limits::MAX_NAME_BYTES).collect();
    Refusal::method(format!("There is no `{method}` for `{path}`."))
}

fn ok(document: Value) -> Result<Answer, Refusal> {
    Ok(Answer::Json(StatusCode::OK, document))
}

fn created(document: Value) -> Result<Answer, Refusal> {
    Ok(Answer::Json(StatusCode::CREATED, document))
}

fn done() -> Result<Answer, Refusal> {
    Ok(Answer::Empty(StatusCode::NO_CONTENT))
}

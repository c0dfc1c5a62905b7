//! hello.nrfcloud.com's API, in both generations of its contract: one engine, two renderers.
//!
//! Each generation has a base of its own and never guesses from a body (contract 0 and 8.1).

mod device;
mod fota;
mod inputs;
mod render;
mod reply;
mod websocket;

use std::sync::Arc;

use http::{Method, Request};
use hyper::body::Incoming;

use super::{Problem, Reply, body, names, query, segments};
use crate::server::Server;
use inputs::Inputs;
pub(crate) use inputs::is_fingerprint;

/// The two generations of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// G1 and the seed scenario: a job execution per upstream job.
    JobExecutions,
    /// G2: a job of our own over all steps of the upgrade path.
    Jobs,
}

/// What a path stands for, with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    Health,
    Device,
    ScheduleBundle { id: String },
    Schedule { id: String, target: String },
    Jobs { id: String },
    Abort { id: String, job: String },
    Bundles { id: String },
    State { id: String },
    HideDataBefore { id: String },
    Websocket,
}

impl Generation {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::JobExecutions, Self::Jobs];

    /// The name scenarios call it by.
    pub(crate) fn profile(self) -> &'static str {
        match self {
            Self::JobExecutions => "hello-job-executions",
            Self::Jobs => "hello-jobs",
        }
    }

    /// Where its URLs begin.
    pub(crate) fn base(self) -> &'static str {
        match self {
            Self::JobExecutions => "/hello/job-executions",
            Self::Jobs => "/hello/jobs",
        }
    }

    /// What the path stands for, by method (contract 1.2).
    fn routes(self, segments: &[&str]) -> Vec<(Method, Route)> {
        let id = |id: &&str| (*id).to_owned();
        match segments {
            ["health"] => vec![(Method::GET, Route::Health)],
            ["ws"] => vec![(Method::GET, Route::Websocket)],
            ["device"] => vec![(Method::GET, Route::Device)],
            ["device", device, "state"] => {
                vec![(Method::PATCH, Route::State { id: id(device) })]
            }
            ["device", device, "hideDataBefore"] => {
                vec![(Method::POST, Route::HideDataBefore { id: id(device) })]
            }
            ["device", device, "fota"] if self == Self::JobExecutions => {
                vec![(Method::POST, Route::ScheduleBundle { id: id(device) })]
            }
            ["device", device, "fota", target] => {
                let mut routes = match *target {
                    "jobs" => vec![(Method::GET, Route::Jobs { id: id(device) })],
                    "bundles" => vec![(Method::GET, Route::Bundles { id: id(device) })],
                    _ => Vec::new(),
                };
                let target = id(target);
                routes.push((
                    Method::POST,
                    Route::Schedule {
                        id: id(device),
                        target,
                    },
                ));
                routes
            }
            ["device", device, "fota", "job", job] if self == Self::Jobs => {
                vec![(
                    Method::DELETE,
                    Route::Abort {
                        id: id(device),
                        job: id(job),
                    },
                )]
            }
            _ => Vec::new(),
        }
    }
}

impl Route {
    /// The path's parameters, as inputs.
    fn parameters(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Health | Self::Device | Self::Websocket => Vec::new(),
            Self::ScheduleBundle { id }
            | Self::Jobs { id }
            | Self::Bundles { id }
            | Self::State { id }
            | Self::HideDataBefore { id } => vec![("id", id)],
            Self::Schedule { id, target } => vec![("id", id), ("target", target)],
            Self::Abort { id, job } => vec![("id", id), ("jobId", job)],
        }
    }
}

/// Answers a request below the base of a generation.
pub(super) async fn answer(
    server: &Arc<Server>,
    generation: Generation,
    rest: &str,
    request: Request<Incoming>,
) -> Reply {
    let origin = request.headers().get(http::header::ORIGIN).cloned();
    let (allowed, result) = route(server, generation, rest, request).await;
    let mut reply = result.unwrap_or_else(|problem| problem.reply());
    reply::finish(
        &mut reply,
        &server.config.version,
        origin.as_ref(),
        &allowed,
    );
    reply
}

/// The answer, and the method that the route allows.
async fn route(
    server: &Arc<Server>,
    generation: Generation,
    rest: &str,
    mut request: Request<Incoming>,
) -> (Method, Result<Reply, Problem>) {
    let asked = request.method().clone();
    let segments = match segments(rest) {
        Ok(segments) => segments,
        Err(problem) => return (asked, Err(problem)),
    };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let routes = generation.routes(&segments);
    let Some((first, _)) = routes.first() else {
        let problem = Problem::no_route(&asked, request.uri().path());
        return (asked, Err(problem));
    };
    let wanted = if asked == Method::OPTIONS {
        preflight(&request, &routes)
    } else {
        &asked
    };
    let Some((method, route)) = routes.iter().find(|(method, _)| method == wanted) else {
        let methods: Vec<Method> = routes.iter().map(|(method, _)| method.clone()).collect();
        let path = request.uri().path();
        let detail = format!("There is no `{asked} {path}`, only {}.", names(&methods));
        return (
            first.clone(),
            Err(Problem::not_found("Not Found").detail(detail)),
        );
    };
    if asked == Method::OPTIONS {
        return (method.clone(), Ok(reply::empty(http::StatusCode::OK)));
    }
    if *route == Route::Websocket {
        return (
            method.clone(),
            websocket::open(server, generation, &mut request),
        );
    }
    (
        method.clone(),
        dispatch(server, generation, route, request).await,
    )
}

/// The method that a preflight asks about, or the first one of the path.
fn preflight<'a>(request: &Request<Incoming>, routes: &'a [(Method, Route)]) -> &'a Method {
    let wanted = request
        .headers()
        .get(http::header::ACCESS_CONTROL_REQUEST_METHOD);
    let named = routes
        .iter()
        .find(|(method, _)| wanted.is_some_and(|it| it.as_bytes() == method.as_str().as_bytes()));
    named
        .or(routes.first())
        .map_or(&Method::GET, |(method, _)| method)
}

async fn dispatch(
    server: &Arc<Server>,
    generation: Generation,
    route: &Route,
    request: Request<Incoming>,
) -> Result<Reply, Problem> {
    let query = query(&request);
    let is_json = request
        .headers()
        .get(http::header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok())
        .is_some_and(|it| it.contains("application/json"));
    let read = body::read(server, request.into_body()).await?;
    let body: &[u8] = if is_json { &read.bytes } else { b"" };
    let inputs = Inputs::merge(&route.parameters(), query, body);
    match route {
        Route::Health | Route::Websocket => Ok(device::health(server)),
        Route::Device => device::identity(server, inputs),
        Route::State { .. } => device::configure(server, inputs).await,
        Route::HideDataBefore { .. } => device::hide_data_before(server, inputs),
        Route::ScheduleBundle { .. } => fota::schedule_bundle(server, inputs).await,
        Route::Schedule { .. } => fota::schedule(server, generation, inputs).await,
        Route::Jobs { .. } => fota::list(server, generation, inputs),
        Route::Abort { .. } => fota::abort(server, inputs),
        Route::Bundles { .. } => fota::bundles(server, inputs).await,
    }
}

//! nRF Cloud, which does the updates for us: the client of its REST API (contract section 4).
//!
//! Each account has calls of its own in flight, so that one that hangs does not hold up another.

mod answers;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use fotalab_wire::net::{Network, http as client};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::{sync::Semaphore, time::timeout};

pub(crate) use answers::{Bundle, DeviceState};

use crate::{
    core::{devices::Account, updates::JobDetails},
    limits,
};

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Why upstream gave no usable answer. Its text can be shown: it has no secret in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// No answer.
    #[error("{0}")]
    NoAnswer(String),
    /// It took too long.
    #[error("the upstream did not answer within {0} s")]
    TimedOut(u64),
    /// An answer that is no success.
    #[error("the upstream answered {status}: {text}")]
    Status {
        /// The status code.
        status: u16,
        /// The beginning of its body.
        text: String,
    },
    /// An answer that is not what the contract says.
    #[error("the upstream's answer is not usable: {0}")]
    Invalid(String),
}

/// The client, for all accounts.
pub(crate) struct Upstream {
    network: Arc<dyn Network>,
    turns: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

/// One account to call.
#[derive(Clone)]
pub(crate) struct Caller {
    /// Its name.
    pub(crate) name: String,
    /// Where and as whom.
    pub(crate) account: Account,
}

impl Upstream {
    /// A client that connects through `network`.
    pub(crate) fn new(network: Arc<dyn Network>) -> Self {
        Self {
            network,
            turns: Mutex::default(),
        }
    }

    /// Creates a job and returns its id.
    pub(crate) async fn create(
        &self,
        caller: &Caller,
        device: &str,
        bundle: &str,
    ) -> Result<String, CallError> {
        // Byte for byte as the contract says: compact, in this order.
        let body = json!({"bundleId": bundle, "autoApply": true, "deviceIdentifiers": [device]});
        let answer = self
            .call(caller, Method::POST, "v1/fota-jobs", Some(&body))
            .await?;
        answers::job_id(&json_of(&answer)?)
    }

    /// Asks how a job goes.
    pub(crate) async fn follow(&self, caller: &Caller, job: &str) -> Result<JobDetails, CallError> {
        let path = format!("v1/fota-jobs/{}", encode(job));
        let answer = self.call(caller, Method::GET, &path, None).await?;
        answers::job_details(&json_of(&answer)?)
    }

    /// Cancels a job.
    pub(crate) async fn cancel(&self, caller: &Caller, job: &str) -> Result<(), CallError> {
        let path = format!("v1/fota-jobs/{}/cancel", encode(job));
        self.call(caller, Method::PUT, &path, None)
            .await
            .map(|_| ())
    }

    /// All bundles of the account, the most recent first.
    pub(crate) async fn bundles(&self, caller: &Caller) -> Result<Vec<Bundle>, CallError> {
        let mut bundles = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..limits::MAX_BUNDLE_PAGES {
            let mut path = "v1/firmwares?pageLimit=100".to_owned();
            if let Some(token) = &next {
                let _ = write!(path, "&pageNextToken={}", encode(token));
            }
            let answer = self.call(caller, Method::GET, &path, None).await?;
            let (page, token) = answers::bundles(&json_of(&answer)?)?;
            bundles.extend(page);
            if token.is_none() || token == next {
                bundles.sort_by(|a: &Bundle, b| b.last_modified.cmp(&a.last_modified));
                return Ok(bundles);
            }
            next = token;
        }
        Err(CallError::Invalid(format!(
            "more than {} pages",
            limits::MAX_BUNDLE_PAGES
        )))
    }

    /// The states of up to [`limits::MAX_SHADOWS_PER_CALL`] devices.
    pub(crate) async fn shadows(
        &self,
        caller: &Caller,
        devices: &[String],
    ) -> Result<Vec<DeviceState>, CallError> {
        let ids: Vec<String> = devices.iter().map(|it| encode(it)).collect();
        let path = format!(
            "v1/devices?deviceIds={}&includeState=true&includeStateMeta=true&pageLimit=100",
            ids.join("%2C")
        );
        let answer = self.call(caller, Method::GET, &path, None).await?;
        answers::device_states(&json_of(&answer)?)
    }

    /// Changes what a device should be.
    pub(crate) async fn desire(
        &self,
        caller: &Caller,
        device: &str,
        lwm2m: &Value,
    ) -> Result<(), CallError> {
        let body = json!({"desired": {"lwm2m": lwm2m}});
        let path = format!("v1/devices/{}/state", encode(device));
        self.call(caller, Method::PATCH, &path, Some(&body))
            .await
            .map(|_| ())
    }

    async fn call(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Bytes, CallError> {
        let limit = limits::UPSTREAM_TIMEOUT;
        timeout(limit, self.call_in_turn(caller, method, path, body))
            .await
            .unwrap_or(Err(CallError::TimedOut(limit.as_secs())))
    }

    async fn call_in_turn(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Bytes, CallError> {
        let turns = self.turns_of(&caller.name);
        let _turn = turns.acquire().await;
        let mut request = Request::new(
            body.map(|it| Bytes::from(it.to_string()))
                .unwrap_or_default(),
        );
        *request.method_mut() = method;
        *request.uri_mut() = format!("{}{path}", caller.account.endpoint)
            .parse()
            .map_err(|_| CallError::NoAnswer("the account's endpoint is not a URL".to_owned()))?;
        *request.headers_mut() = headers(&caller.account, body.is_some())?;
        let answer = client::send(&*self.network, request, limits::MAX_UPSTREAM_ANSWER_BYTES)
            .await
            .map_err(|why| CallError::NoAnswer(with_cause(&why)))?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        Err(CallError::Status {
            status: answer.status().as_u16(),
            text: quote(answer.body(), &caller.account.api_key),
        })
    }

    fn turns_of(&self, account: &str) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Semaphore::new(limits::MAX_UPSTREAM_CALLS));
        Arc::clone(turns.entry(account.to_owned()).or_insert_with(fresh))
    }
}

impl CallError {
    /// Upstream does not know what it was asked for.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status, .. } if *status == StatusCode::NOT_FOUND.as_u16())
    }
}

fn headers(account: &Account, with_body: bool) -> Result<HeaderMap, CallError> {
    let mut headers = HeaderMap::new();
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", account.api_key))
        .map_err(|_| CallError::NoAnswer("the account's key cannot be sent".to_owned()))?;
    bearer.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, bearer);
    headers.insert(
        header::ACCEPT,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    if with_body {
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
    }
    Ok(headers)
}

fn json_of(answer: &[u8]) -> Result<Value, CallError> {
    serde_json::from_slice(answer).map_err(|why| CallError::Invalid(format!("no JSON: {why}")))
}

fn quote(body: &[u8], secret: &str) -> String {
    let text = String::from_utf8_lossy(body);
    // An upstream that echoes its key must not make us publish it.
    let text = if secret.is_empty() {
        text
    } else {
        text.replace(secret, "(key)").into()
    };
    text.chars().take(limits::MAX_QUOTED_CHARS).collect()
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, &RESERVED).to_string()
}

fn with_cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            let _ = write!(text, ": {more}");
        }
        cause = error.source();
    }
    text
}

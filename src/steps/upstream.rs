//! The mocked cloud upstream: queue answers, assert on calls.

use std::time::Duration;

use bytes::Bytes;
use cucumber::{given, then};
use fotalab_simulators::cloud::{self, Answer, Closest, Cloud, ExpectedCall, Use};
use serde_json::{Value, json};

use crate::{
    catalogue,
    plan::{BlockNeed, Budget, Part, Waiting},
    run::{Difference, Lab, Mismatch, StepError, StepResult},
    scenario::parse_duration,
};

/// How long "should not have been called" looks when no `For` says.
const DEFAULT_WINDOW: Duration = Duration::from_secs(2);
/// How far back a request for a shadow counts (contract scenario-dialect, 3.5).
const SHADOW_REQUEST_AGE_MS: i64 = 5 * 60 * 1000;

catalogue! {
    sentence: "there is this device shadow data for `DEVICE` in nRF Cloud",
    does: "The mock answers every request for this device's shadow with the code block, until there is new data for it.",
    example: "Given I have the fingerprint for a `PCA20065` device in `fp`\n\nAnd there is this device shadow data for `${fp_deviceId}` in nRF Cloud\n\n```json\n{\n  \"items\": [{\n    \"id\": \"${fp_deviceId}\",\n    \"$meta\": { \"createdAt\": \"2026-01-01T00:00:00.000Z\" },\n    \"state\": { \"reported\": {}, \"metadata\": {}, \"version\": 1 }\n  }],\n  \"total\": 1\n}\n```",
    block: BlockNeed::Json,
    waiting: Waiting::Never,
    uses: &[Part::Upstream],
}
#[given(regex = r"^there is this device shadow data for `(?P<device>[^`]+)` in nRF Cloud$")]
async fn shadow(lab: &mut Lab, device: String) -> StepResult {
    let body = lab.json_block()?;
    let mut answer = Answer::new("GET", "/v1/devices", 200);
    answer.query = [
        ("deviceIds", format!("/\\b{}\\b/", regex::escape(&device))),
        ("includeState", "true".to_owned()),
        ("includeStateMeta", "true".to_owned()),
        ("pageLimit", "100".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    answer.headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    answer.body = Bytes::from(body.to_string());
    answer.usage = Use::Kept;
    queue(lab, answer)
}

catalogue! {
    sentence: "this nRF Cloud API request is queued[ once][ and kept] for a `METHOD /PATH?QUERY` request[, answered after `DURATION`][, cut after `N bytes`]",
    does: "The mock answers such a request with the HTTP response in the code block. Answers come in the order queued; the last one to a GET stays, others answer once. `once` and `and kept` override that; a response can come late or be cut off.",
    example: "Given this nRF Cloud API request is queued for a `GET /v1/firmwares?pageLimit=100` request\n\n```\nHTTP/1.1 200 OK\nContent-Type: application/json\n\n{\"items\":[],\"total\":0}\n```\n\nWhen I `GET` `${MOCKURL}/v1/firmwares?pageLimit=100`\n\nThen the last response should match\n\n```json\n{ \"total\": 0 }\n```",
    block: BlockNeed::HttpResponse,
    durations: &["after"],
    waiting: Waiting::Never,
    uses: &[Part::Upstream],
}
#[given(
    regex = r"^this nRF Cloud API request is queued(?P<usage> once| and kept)? for an? `(?P<request>[A-Z]+ /[^`]*)` request(?:, answered after `(?P<after>[^`]+)`)?(?:, cut after `(?P<cut>\d+) bytes?`)?$"
)]
async fn queue_answer(
    lab: &mut Lab,
    usage: String,
    request: String,
    after: String,
    cut: String,
) -> StepResult {
    let mut answer = parse_answer(lab, &request)?;
    answer.usage = match usage.as_str() {
        " once" => Use::Once,
        " and kept" => Use::Kept,
        _ => Use::Default,
    };
    answer.cut_after = cut.parse().ok();
    if !after.is_empty() {
        match parse_duration(&after) {
            Ok(duration) => answer.after = Some(duration),
            Err(why) => {
                return lab.fail(Mismatch::new(format!("`{after}` is not a duration: {why}")));
            }
        }
    }
    queue(lab, answer)
}

catalogue! {
    sentence: "this HTTP API Mock response for `METHOD URL` is queued[ and kept]",
    does: "As for the nRF Cloud API, for any URL: its path and query count.",
    example: "Given this HTTP API Mock response for `GET ${MOCKURL}/hook` is queued and kept\n\n```\nHTTP/1.1 202 Accepted\n```\n\nWhen I `GET` `${MOCKURL}/hook`\n\nThen the status code of the last response should be `202`",
    block: BlockNeed::HttpResponse,
    waiting: Waiting::Never,
    uses: &[Part::Upstream],
}
#[given(
    regex = r"^this HTTP API Mock response for `(?P<method>[A-Z]+) https?://[^/`]+(?P<target>[^`]*)` is queued(?P<kept> and kept)?$"
)]
async fn queue_for_url(lab: &mut Lab, method: String, target: String, kept: String) -> StepResult {
    let target = if target.starts_with('/') {
        target
    } else {
        format!("/{target}")
    };
    let mut answer = parse_answer(lab, &format!("{method} {target}"))?;
    if !kept.is_empty() {
        answer.usage = Use::Kept;
    }
    queue(lab, answer)
}

const CALLED: &str = "the call was not made";

catalogue! {
    sentence: "the (nRF Cloud API|HTTP API Mock) should have been called with",
    does: "Waits for a call with this method, path, query, these headers (names in any case) and this body (JSON is compared as compact text, keys in order).",
    example: "When I `POST` `${MOCKURL}/v1/things` with\n\n```json\n{ \"a\": 1 }\n```\n\nAnd the status code of the last response should be `404`\n\nSoon the nRF Cloud API should have been called with\n\n```\nPOST /v1/things HTTP/1.1\nContent-Type: application/json\n\n{\"a\":1}\n```",
    block: BlockNeed::HttpRequest,
    waiting: Waiting::Always(Budget::UPSTREAM),
    wakes: true,
    uses: &[Part::Upstream],
}
#[then(regex = r"^the (?:nRF Cloud API|HTTP API Mock) should have been called with$")]
async fn called(lab: &mut Lab) -> StepResult {
    let expected = expected_call(lab)?;
    match cloud(lab)?.find_call(&expected) {
        Ok(_) => Ok(()),
        Err(closest) => lab.fail(not_called(CALLED, &closest)),
    }
}

catalogue! {
    sentence: "the nRF Cloud API should have been called with the key of the `ACCOUNT` account and",
    does: "As above, and the call carried the API key of this account.",
    example: "Given I have the fingerprint for a `PCA20065` device in the `elite` account in `fp`\n\nAnd I connect to the websocket using fingerprint `${fp}`\n\nSoon the nRF Cloud API should have been called with the key of the `elite` account and\n\n```\nGET /v1/devices?deviceIds=${fp_deviceId}&includeState=true&includeStateMeta=true&pageLimit=100 HTTP/1.1\n```",
    block: BlockNeed::HttpRequest,
    waiting: Waiting::Always(Budget::UPSTREAM),
    wakes: true,
    uses: &[Part::Upstream, Part::Server],
}
#[then(
    regex = r"^the nRF Cloud API should have been called with the key of the `(?P<account>[^`]+)` account and$"
)]
async fn called_with_key(lab: &mut Lab, account: String) -> StepResult {
    let mut expected = expected_call(lab)?;
    let key = account_key(lab, &account)?;
    expected
        .headers
        .push(("Authorization".to_owned(), format!("Bearer {key}")));
    match cloud(lab)?.find_call(&expected) {
        Ok(_) => Ok(()),
        Err(closest) => lab.fail(not_called(CALLED, &closest)),
    }
}

catalogue! {
    sentence: "the nRF Cloud API should have been called `N` times with",
    does: "Waits until there are that many such calls; more than that fail.",
    example: "When I `GET` `${MOCKURL}/v1/x`\n\nAnd the status code of the last response should be `404`\n\nThen the nRF Cloud API should have been called `1` times with\n\n```\nGET /v1/x HTTP/1.1\n```",
    block: BlockNeed::HttpRequest,
    waiting: Waiting::Always(Budget::UPSTREAM),
    wakes: true,
    uses: &[Part::Upstream],
}
#[then(regex = r"^the nRF Cloud API should have been called `(?P<times>\d+)` times with$")]
async fn called_times(lab: &mut Lab, times: String) -> StepResult {
    let expected = expected_call(lab)?;
    let actual = cloud(lab)?.count_calls(&expected);
    let times: usize = times.parse().unwrap_or(usize::MAX);
    if let (0, Err(closest)) = (actual, cloud(lab)?.find_call(&expected))
        && times > 0
    {
        return lab.fail(not_called(CALLED, &closest));
    }
    lab.expect(actual == times, || {
        Mismatch::between("the number of such calls is another one", times, actual)
    })
}

catalogue! {
    sentence: "the nRF Cloud API should not have been called with",
    does: "Holds when no such call is there and none comes for 2 s, or for as long as ``For `…` `` in front of it says. A query or a body that the code block does not name is any.",
    example: "Then for `10 seconds` the nRF Cloud API should not have been called with\n\n```\nPOST /v1/fota-jobs HTTP/1.1\n```",
    block: BlockNeed::HttpRequest,
    waiting: Waiting::Window(DEFAULT_WINDOW),
    wakes: true,
    uses: &[Part::Upstream],
}
#[then(regex = r"^the nRF Cloud API should not have been called with$")]
async fn not_called_with(lab: &mut Lab) -> StepResult {
    let unexpected = expected_call(lab)?;
    let dropped = cloud(lab)?.dropped_calls();
    if dropped > 0 {
        // Holding would be a guess: the call may be among those.
        return lab.fail(Mismatch::new(format!(
            "nobody can say: the mock's journal is full and had to drop {dropped} calls"
        )));
    }
    match cloud(lab)?.find_any_call(&unexpected) {
        None => Ok(()),
        Some(call) => lab.fail(Mismatch::between(
            "a call was made that should not have been",
            Value::Null,
            json!(format!("{} {}", call.method, call.target)),
        )),
    }
}

catalogue! {
    sentence: "the shadow for `DEVICE` in the `ACCOUNT` account has been requested",
    does: "Waits for a request for this device's shadow, made in the last five minutes with this account's key.",
    example: "Given I have the fingerprint for a `PCA20065` device in the `elite` account in `fp`\n\nWhen I connect to the websocket using fingerprint `${fp}`\n\nSoon the shadow for `${fp_deviceId}` in the `elite` account has been requested",
    waiting: Waiting::Always(Budget::UPSTREAM),
    wakes: true,
    uses: &[Part::Upstream, Part::Server],
}
#[then(
    regex = r"^the shadow for `(?P<device>[^`]+)` in the `(?P<account>[^`]+)` account has been requested$"
)]
async fn shadow_requested(lab: &mut Lab, device: String, account: String) -> StepResult {
    let key = account_key(lab, &account)?;
    let since = lab.now() - SHADOW_REQUEST_AGE_MS;
    let journal = cloud(lab)?.journal();
    let for_device = |call: &&std::sync::Arc<cloud::Received>| {
        let has = |name: &str, wanted: &str| {
            call.query
                .iter()
                .any(|(it, value)| it == name && value == wanted)
        };
        let ids = call
            .query
            .iter()
            .filter(|(name, _)| name == "deviceIds")
            .flat_map(|(_, ids)| ids.split(','));
        call.method == "GET"
            && call.path == "/v1/devices"
            && call.at >= since
            && has("includeState", "true")
            && has("includeStateMeta", "true")
            && has("pageLimit", "100")
            && ids.map(str::trim).any(|id| id == device)
    };
    let with_key = |call: &std::sync::Arc<cloud::Received>| {
        call.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("authorization") && value.ends_with(&key)
        })
    };
    let requests: Vec<_> = journal.iter().filter(for_device).collect();
    lab.expect(requests.iter().any(|call| with_key(call)), || {
        let mismatch = Mismatch::new(format!(
            "the shadow was not requested with the key of `{account}`"
        ));
        mismatch.note(format!(
            "it was requested {} times with other keys",
            requests.len()
        ))
    })
}

catalogue! {
    sentence: "no queued nRF Cloud API response should be left",
    does: "Waits until every queued answer was used; kept ones do not count.",
    example: "Then no queued nRF Cloud API response should be left",
    waiting: Waiting::Always(Budget::UPSTREAM),
    wakes: true,
    uses: &[Part::Upstream],
}
#[then(regex = r"^no queued nRF Cloud API response should be left$")]
async fn nothing_left(lab: &mut Lab) -> StepResult {
    let left = cloud(lab)?.leftovers();
    lab.expect(left.is_empty(), || {
        let names: Vec<String> = left
            .iter()
            .map(|it| format!("{} {}", it.answer.method, it.answer.path))
            .collect();
        Mismatch::between(
            "queued answers were never asked for",
            json!([]),
            json!(names),
        )
    })
}

fn cloud(lab: &mut Lab) -> Result<Cloud, StepError> {
    match lab.target().cloud() {
        Some(cloud) => Ok(cloud.clone()),
        None => lab.fail(Mismatch::new("the upstream mock is not running")),
    }
}

fn queue(lab: &mut Lab, answer: Answer) -> StepResult {
    match cloud(lab)?.queue(answer) {
        Ok(()) => Ok(()),
        Err(error) => lab.fail(Mismatch::new(format!(
            "the answer cannot be queued: {error}"
        ))),
    }
}

fn parse_answer(lab: &mut Lab, request: &str) -> Result<Answer, StepError> {
    let block = lab.block()?;
    match Answer::parse(request, &block.code) {
        Ok(answer) => Ok(answer),
        Err(error) => lab.fail(Mismatch::new(format!(
            "the response in the code block cannot be used: {error}"
        ))),
    }
}

fn expected_call(lab: &mut Lab) -> Result<ExpectedCall, StepError> {
    let block = lab.block()?;
    match ExpectedCall::parse(&block.code) {
        Ok(call) => Ok(call),
        Err(error) => lab.fail(Mismatch::new(format!(
            "the request in the code block cannot be used: {error}"
        ))),
    }
}

fn account_key(lab: &mut Lab, account: &str) -> Result<String, StepError> {
    match lab.target().account_key(account) {
        Some(key) => Ok(key),
        None => lab.fail(
            Mismatch::new(format!("no step has made an account `{account}` known")).help(format!(
                "say: Given the server knows the `{account}` account"
            )),
        ),
    }
}

fn not_called(message: &str, closest: &Closest) -> Mismatch {
    let mut mismatch =
        Mismatch::new(message).differences(closest.differences.iter().map(difference).collect());
    match &closest.call {
        Some(call) => {
            mismatch = mismatch.note(format!(
                "the closest of {} calls is {} {}",
                closest.compared, call.method, call.target
            ));
            if call.answered.unexpected {
                mismatch =
                    mismatch.note("nothing was queued for that call, so it was answered with 404");
            }
        }
        None => mismatch = mismatch.note("the mock was not called at all"),
    }
    mismatch
}

fn difference(from: &cloud::Difference) -> Difference {
    let text = |it: &Option<String>| it.as_ref().map(|it| json!(it));
    let (path, expected, actual) = match from {
        cloud::Difference::Method { expected, actual } => (
            "method".to_owned(),
            Some(json!(expected)),
            Some(json!(actual)),
        ),
        cloud::Difference::Path { expected, actual } => (
            "path".to_owned(),
            Some(json!(expected)),
            Some(json!(actual)),
        ),
        cloud::Difference::Query {
            name,
            expected,
            actual,
        } => (format!("query `{name}`"), text(expected), text(actual)),
        cloud::Difference::Header {
            name,
            expected,
            actual,
        } => (
            format!("header `{name}`"),
            Some(json!(expected)),
            text(actual),
        ),
        cloud::Difference::Json {
            path,
            expected,
            actual,
        } => (format!("body {path}"), expected.clone(), actual.clone()),
        cloud::Difference::Body {
            expected, actual, ..
        } => (
            "body".to_owned(),
            Some(json!(expected)),
            Some(json!(actual)),
        ),
    };
    Difference {
        path,
        expected,
        actual,
    }
}

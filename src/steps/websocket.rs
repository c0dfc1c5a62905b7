//! Websockets: connect with a fingerprint, wait for messages, send some.

mod client;

use cucumber::{then, when};
use serde_json::{Value, json};
use std::time::Duration;

use self::client::{Client, ConnectError, Incoming};
use crate::{
    catalogue,
    plan::{BlockNeed, Budget, Part, Waiting},
    run::{Difference, Lab, Mismatch, StepError, StepResult},
    steps::matching::{Rule, differences},
};

/// How long `reconnect` leaves the old connection closed (contract scenario-dialect, 3.4).
const RECONNECT_PAUSE: Duration = Duration::from_secs(2);
/// How long "should not receive" looks when no `For` says.
const DEFAULT_WINDOW: Duration = Duration::from_secs(2);

/// What websocket steps keep between them.
#[derive(Default)]
struct Websockets {
    /// Clients by URL, newest last; the last one used is the current one.
    clients: Vec<Client>,
    last_matched: Option<Value>,
}

catalogue! {
    sentence: "I [re]connect to the websocket using fingerprint `FINGERPRINT`",
    does: "Opens the server's websocket as this device's user. Connecting again uses the open connection and its messages; `reconnect` closes it and begins anew.",
    example: "Given I have the fingerprint for a `PCA20065` device in `fp`\n\nWhen I connect to the websocket using fingerprint `${fp}`\n\nAnd I reconnect to the websocket using fingerprint `${fp}`",
    waiting: Waiting::Always(Budget::CONNECT),
    uses: &[Part::Server],
}
#[when(
    regex = r"^I (?P<re>re)?connect to the websocket using fingerprint `(?P<fingerprint>[^`]+)`$"
)]
async fn connect(lab: &mut Lab, re: String, fingerprint: String) -> StepResult {
    let url = url(lab, &fingerprint)?;
    let clients = &mut lab.state::<Websockets>().clients;
    if let Some(at) = clients.iter().position(|it| it.url == url) {
        let client = clients.remove(at);
        if re.is_empty() && client.is_open() {
            clients.push(client);
            return Ok(());
        }
        client.close().await;
        if !re.is_empty() {
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }
    match Client::connect(lab, url).await {
        Ok(client) => {
            lab.state::<Websockets>().clients.push(client);
            Ok(())
        }
        Err(error) => lab.fail(Mismatch::new(format!(
            "the websocket does not open: {error}"
        ))),
    }
}

catalogue! {
    sentence: "the websocket should refuse the fingerprint `FINGERPRINT` with status `CODE`",
    does: "Tries to open the websocket; holds when the handshake is answered with this status.",
    example: "Then the websocket should refuse the fingerprint `92b.abcdef` with status `403`",
    uses: &[Part::Server],
}
#[then(
    regex = r"^the websocket should refuse the fingerprint `(?P<fingerprint>[^`]*)` with status `(?P<status>\d+)`$"
)]
async fn refused(lab: &mut Lab, fingerprint: String, status: String) -> StepResult {
    let url = url(lab, &fingerprint)?;
    let expected: u32 = status.parse().unwrap_or_default();
    match Client::connect(lab, url).await {
        Ok(client) => {
            client.close().await;
            lab.fail(Mismatch::between("the websocket opened", expected, 101))
        }
        Err(ConnectError::Refused(actual)) => lab.expect(u32::from(actual) == expected, || {
            Mismatch::between(
                "the handshake was refused with another status",
                expected,
                actual,
            )
        }),
        Err(error) => lab.fail(Mismatch::new(format!(
            "the handshake got no answer: {error}"
        ))),
    }
}

catalogue! {
    sentence: "I should receive a message on the websocket that (is equal to|matches)[ after N retries]",
    does: "Waits for a message that has everything the code block has (arrays in any order), or equals it. A message is taken once; others stay for later steps.",
    example: "Given I have the fingerprint for a `PCA20065` device in `fp`\n\nWhen I connect to the websocket using fingerprint `${fp}`\n\nSoon I should receive a message on the websocket that matches after 20 retries\n\n```json\n{ \"@context\": \"https://github.com/hello-nrfcloud/proto/deviceIdentity\", \"id\": \"${fp_deviceId}\" }\n```",
    block: BlockNeed::Json,
    waiting: Waiting::Always(Budget::WEBSOCKET),
    wakes: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^I should receive a message on the websocket that (?P<how>is equal to|matches)(?: after (?P<retries>\d+) retr(?:y|ies))?$"
)]
async fn receive(lab: &mut Lab, how: String, _retries: String) -> StepResult {
    let expected = lab.json_block()?;
    let rule = if how == "matches" {
        Rule::Contains
    } else {
        Rule::Equal
    };
    let messages = current(lab)?.messages();
    let mut closest: Option<(Vec<Difference>, &Incoming)> = None;
    for message in messages.iter().filter(|it| !it.taken) {
        let found = differences(rule, &expected, Some(&message.json));
        if found.is_empty() {
            let (number, json) = (message.number, message.json.clone());
            current(lab)?.take(number);
            lab.state::<Websockets>().last_matched = Some(json);
            return Ok(());
        }
        if closest
            .as_ref()
            .is_none_or(|(best, _)| found.len() <= best.len())
        {
            closest = Some((found, message));
        }
    }
    let waiting = messages.iter().filter(|it| !it.taken).count();
    let closed = !current(lab)?.is_open();
    let mut mismatch = Mismatch::new("no message on the websocket is what it should be");
    mismatch = match closest {
        Some((found, message)) => {
            let note = format!(
                "compared with the closest of {waiting} messages: {}",
                short(&message.json)
            );
            let mismatch = mismatch.differences(found);
            mismatch.sides(&expected, Some(&message.json)).note(note)
        }
        None => mismatch
            .differences(vec![Difference {
                path: "$".to_owned(),
                expected: Some(expected),
                actual: None,
            }])
            .note(format!(
                "{} messages came, all of them taken by earlier steps",
                messages.len()
            )),
    };
    if closed {
        mismatch = mismatch.note("the server has closed the connection");
    }
    lab.fail(mismatch)
}

catalogue! {
    sentence: "I should not receive a message on the websocket that (is equal to|matches)",
    does: "Holds when no such message comes for 2 s, or for as long as ``For `…` `` in front of it says. Messages taken by earlier steps do not count.",
    example: "Given I have the fingerprint for a `PCA20065` device in `fp`\n\nWhen I connect to the websocket using fingerprint `${fp}`\n\nThen for `10 seconds` I should not receive a message on the websocket that matches\n\n```json\n{ \"@context\": \"https://github.com/hello-nrfcloud/proto/fota/job\" }\n```",
    block: BlockNeed::Json,
    waiting: Waiting::Window(DEFAULT_WINDOW),
    wakes: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^I should not receive a message on the websocket that (?P<how>is equal to|matches)$"
)]
async fn not_receive(lab: &mut Lab, how: String) -> StepResult {
    let unexpected = lab.json_block()?;
    let rule = if how == "matches" {
        Rule::Contains
    } else {
        Rule::Equal
    };
    let messages = current(lab)?.messages();
    let there = messages
        .iter()
        .filter(|it| !it.taken)
        .find(|it| differences(rule, &unexpected, Some(&it.json)).is_empty());
    match there {
        None => Ok(()),
        Some(message) => lab.fail(Mismatch::between(
            "a message came that should not",
            Value::Null,
            message.json.clone(),
        )),
    }
}

catalogue! {
    sentence: "I send this message via the websocket",
    does: "Sends the code block as one text message.",
    example: "Given I have the fingerprint for a `PCA20065` device in `fp`\n\nWhen I connect to the websocket using fingerprint `${fp}`\n\nAnd I send this message via the websocket\n\n```json\n{ \"message\": \"message\", \"data\": \"PING\" }\n```",
    block: BlockNeed::Json,
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^I send this message via the websocket$")]
async fn send(lab: &mut Lab) -> StepResult {
    let message = lab.json_block()?;
    let trace = lab.trace().clone();
    if current(lab)?.send(&trace, &message).await {
        return Ok(());
    }
    lab.fail(Mismatch::new("the websocket is closed"))
}

catalogue! {
    sentence: "`JSONATA` of the last[ matched] websocket message equals",
    does: "Compares what JSONata takes from the last message (or the last one that a step matched) with the code block.",
    example: "Given I have the fingerprint for a `PCA20065` device in `fp`\n\nWhen I connect to the websocket using fingerprint `${fp}`\n\nSoon I should receive a message on the websocket that matches\n\n```json\n{ \"model\": \"PCA20065\" }\n```\n\nAnd `id` of the last matched websocket message equals\n\n```json\n\"${fp_deviceId}\"\n```",
    block: BlockNeed::Json,
    expressions: &["expression"],
    waiting: Waiting::WhenSoon(Budget::WEBSOCKET),
    wakes: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^`(?P<expression>[^`]+)` of the last(?P<matched> matched)? websocket message equals$"
)]
async fn last_message(lab: &mut Lab, expression: String, matched: String) -> StepResult {
    let expected = lab.json_block()?;
    let message = if matched.is_empty() {
        current(lab)?.messages().pop().map(|it| it.json)
    } else {
        lab.state::<Websockets>().last_matched.clone()
    };
    let Some(message) = message else {
        return lab.fail(Mismatch::new("there is no such websocket message yet"));
    };
    let actual = lab.evaluate(&expression, &message)?;
    let found = differences(Rule::Equal, &expected, actual.as_ref());
    lab.expect(found.is_empty(), || {
        Mismatch::new(format!(
            "`{expression}` of the message is not what it should be"
        ))
        .differences(found)
        .sides(&expected, actual.as_ref())
        .note(format!("the message is {}", short(&message)))
    })
}

fn url(lab: &mut Lab, fingerprint: &str) -> Result<String, StepError> {
    match lab.get("WSURL").and_then(Value::as_str) {
        Some(base) => Ok(format!("{base}?fingerprint={fingerprint}")),
        None => lab.fail(Mismatch::new(
            "the target gives no WSURL, so it has no websocket to connect to",
        )),
    }
}

fn current(lab: &mut Lab) -> Result<&mut Client, StepError> {
    if lab.state::<Websockets>().clients.is_empty() {
        return lab.fail(
            Mismatch::new("there is no websocket yet")
                .help("connect first: Given I connect to the websocket using fingerprint `…`"),
        );
    }
    Ok(lab
        .state::<Websockets>()
        .clients
        .last_mut()
        .expect("it is not empty"))
}

fn short(json: &Value) -> String {
    let text = json!(json).to_string();
    let mut short: String = text.chars().take(600).collect();
    if short.len() < text.len() {
        short.push_str(" …");
    }
    short
}

//! Operations on a device that the server is asked for, one by one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cucumber::{then, when};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::update::endpoints;
use crate::{
    catalogue,
    plan::{BlockNeed, Budget, Part, Waiting},
    run::{Lab, Mismatch, StepError, StepResult},
    steps::matching::{Rule, differences},
    target::World,
};

/// How long a step waits for the answer to an operation before it goes on without.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// The newest operation.
#[derive(Default)]
struct Operations(Option<Operation>);

struct Operation {
    said: String,
    answer: Arc<Mutex<Option<Result<Value, String>>>>,
    task: JoinHandle<()>,
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.task.abort();
    }
}

catalogue! {
    sentence: "the server asks `DEVICE` to `OPERATION` `PATH`[ with]",
    does: "Has the server carry out an operation on a device: read, write, execute, discover, observe, and whatever else the adapter knows. `with` adds the fields of the code block: `value`, `arguments`, `timeout` in seconds. The step waits 10 s for the answer and then goes on without: a sleeping device answers when it wakes up.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the server asks `meter-1` to `read` `/3/0/3`\n\nThen the operation should be answered with `2.05`\n\nWhen the server asks `meter-1` to `write` `/1/0/1` with\n\n```json\n{ \"value\": 120 }\n```\n\nThen the operation should be answered with `2.04`",
    block: BlockNeed::JsonAfterWith,
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(
    regex = r"^the server asks `(?P<device>[^`]+)` to `(?P<operation>[^`]+)` `(?P<path>/[^`]*)`(?P<with> with)?$"
)]
async fn asks(
    lab: &mut Lab,
    device: String,
    operation: String,
    path: String,
    with: String,
) -> StepResult {
    let mut body = json!({ "operation": operation, "path": path });
    if !with.is_empty() {
        let more = lab.json_block()?;
        let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) else {
            return lab.fail(Mismatch::new("the code block is no JSON object"));
        };
        body.extend(more);
    }
    begin(lab, &device, &format!("{operation} {path}"), body).await
}

catalogue! {
    sentence: "the server asks `DEVICE` for this operation",
    does: "The same with all its fields in the code block, for operations that have no single path.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the server asks `meter-1` for this operation\n\n```json\n{ \"operation\": \"discover\", \"path\": \"/5\" }\n```\n\nThen the operation should be answered with `2.05`",
    block: BlockNeed::Json,
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^the server asks `(?P<device>[^`]+)` for this operation$")]
async fn asks_for(lab: &mut Lab, device: String) -> StepResult {
    let body = lab.json_block()?;
    let said = body.get("operation").and_then(Value::as_str);
    let said = said.unwrap_or("the operation").to_owned();
    begin(lab, &device, &said, body).await
}

catalogue! {
    sentence: "the operation should be answered with `CODE`",
    does: "Waits for the device's answer to the last operation and compares its CoAP code: `2.05`, `4.04`.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the server asks `meter-1` to `execute` `/5/0/2`\n\nThen the operation should be answered with `4.05`",
    waiting: Waiting::Always(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(regex = r"^the operation should be answered with `(?P<code>\d\.\d\d)`$")]
async fn answered(lab: &mut Lab, code: String) -> StepResult {
    let (said, answer) = answer(lab)?;
    let there = answer.get("code").cloned().unwrap_or_default();
    lab.expect(there == json!(code), || {
        Mismatch::between(format!("{said} was answered otherwise"), json!(code), there)
            .note(format!("the answer is {answer}"))
    })
}

catalogue! {
    sentence: "the operation should fail",
    does: "Waits for the last operation to end without an answer of the device, or to be refused by the server.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nWhen the server asks `meter-1` to `read` `/3/0/3`\n\nThen the operation should fail",
    waiting: Waiting::Always(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(regex = r"^the operation should fail$")]
async fn fails(lab: &mut Lab) -> StepResult {
    match ended(lab)? {
        (said, None) => lab.fail(Mismatch::new(format!("{said} has not ended yet"))),
        (said, Some(Ok(answer))) => lab.fail(
            Mismatch::new(format!("{said} was answered")).note(format!("the answer is {answer}")),
        ),
        (_, Some(Err(why))) => {
            lab.note(why);
            Ok(())
        }
    }
}

catalogue! {
    sentence: "[`JSONATA` of ]the operation's answer should (match|equal)",
    does: "Waits for the device's answer to the last operation and compares it with the code block: code, contentFormat, value (of one resource), values (by path), links.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the server asks `meter-1` to `read` `/3/0/3`\n\nThen `value` of the operation's answer should equal\n\n```json\n\"1.0.0\"\n```",
    block: BlockNeed::Json,
    expressions: &["expression"],
    waiting: Waiting::Always(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^(?:`(?P<expression>[^`]+)` of )?the operation's answer should (?P<how>match|equal)$"
)]
async fn matches(lab: &mut Lab, expression: String, how: String) -> StepResult {
    let expected = lab.json_block()?;
    let (said, answer) = answer(lab)?;
    let actual = if expression.is_empty() {
        Some(answer.clone())
    } else {
        lab.evaluate(&expression, &answer)?
    };
    let rule = if how == "match" {
        Rule::Partial
    } else {
        Rule::Equal
    };
    let found = differences(rule, &expected, actual.as_ref());
    lab.expect(found.is_empty(), || {
        Mismatch::new(format!("the answer to {said} is not what it should be"))
            .differences(found)
            .note(format!("the answer is {answer}"))
    })
}

catalogue! {
    sentence: "I store `JSONATA` of the operation's answer into `NAME`",
    does: "Waits for the answer to the last operation and stores what JSONata takes from it.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the server asks `meter-1` to `read` `/3/0/2`\n\nThen I store `value` of the operation's answer into `serial`",
    stores: &["{name}"],
    expressions: &["expression"],
    waiting: Waiting::Always(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^I store `(?P<expression>[^`]+)` of the operation's answer into `(?P<name>[^`]+)`$"
)]
async fn store(lab: &mut Lab, expression: String, name: String) -> StepResult {
    let (_, answer) = answer(lab)?;
    match lab.evaluate(&expression, &answer)? {
        Some(value) => {
            lab.store(name, value);
            Ok(())
        }
        None => lab.fail(
            Mismatch::new(format!("`{expression}` finds nothing in the answer"))
                .note(format!("the answer is {answer}")),
        ),
    }
}

/// Asks, waits for a while, and leaves the answer where later steps find it.
async fn begin(lab: &mut Lab, device: &str, said: &str, body: Value) -> StepResult {
    let endpoints = endpoints(lab, device)?;
    let [(_, endpoint)] = endpoints.as_slice() else {
        let count = endpoints.len();
        return lab.fail(Mismatch::new(format!("`{device}` means {count} devices")));
    };
    let adapter = match lab.target().adapter() {
        Ok(adapter) => adapter,
        Err(error) => return lab.fail(Mismatch::new(error.to_string())),
    };
    let answer = Arc::<Mutex<Option<Result<Value, String>>>>::default();
    let (network, trace, endpoint) = (lab.network(), lab.trace().clone(), endpoint.clone());
    let place = Arc::clone(&answer);
    let mut task = tokio::spawn(async move {
        let world = World {
            network: &*network,
            trace: &trace,
        };
        let ended = adapter.operate(world, &endpoint, body).await;
        let ended = ended.map_err(|error| error.to_string());
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
        trace.wake();
    });
    let said = format!("{said} of `{device}`");
    let in_time = tokio::time::timeout(ANSWER_TIME, &mut task).await;
    if in_time.is_err() {
        lab.note(format!("{said} has no answer yet"));
    }
    lab.state::<Operations>().0 = Some(Operation { said, answer, task });
    Ok(())
}

/// What was asked, and how it ended if it has.
fn ended(lab: &mut Lab) -> Result<(String, Option<Result<Value, String>>), StepError> {
    let Some(operation) = &lab.state::<Operations>().0 else {
        return lab.fail(
            Mismatch::new("there is no operation yet")
                .help("ask for one first: When the server asks `…` to `read` `/3/0/3`"),
        );
    };
    let answer = operation.answer.lock();
    let answer = answer.unwrap_or_else(PoisonError::into_inner).clone();
    Ok((operation.said.clone(), answer))
}

/// What was asked, and the answer.
fn answer(lab: &mut Lab) -> Result<(String, Value), StepError> {
    match ended(lab)? {
        (said, Some(Ok(answer))) => Ok((said, answer)),
        (said, Some(Err(why))) => {
            lab.fail(Mismatch::new(format!("{said} was not answered: {why}")))
        }
        (said, None) => lab.fail(Mismatch::new(format!("{said} has no answer yet"))),
    }
}

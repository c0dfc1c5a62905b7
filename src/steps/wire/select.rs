//! What JSONata takes from messages that crossed.

use cucumber::then;
use serde_json::{Value, json};

use super::{look, notation};
use crate::{
    air::{limits::SELECTED, notation::in_one_line},
    catalogue,
    plan::{BlockNeed, Budget, Part, Waiting},
    run::{Lab, Mismatch, StepError, StepResult},
    steps::matching::{Rule, differences},
};

catalogue! {
    sentence: "[`JSONATA` of ]the CoAP messages `MESSAGE` of `NAME` should (match|equal)",
    does: "Compares the list of all such messages, or what JSONata takes from it, with the code block. Each is an object: at (milliseconds), device, direction (up, down), fate, retransmission, bytes, transport, summary, coap (type, code, mid, token, path, query, options, block1, block2, format, payload).",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nWhen the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nAnd `coap.query[0]` of the CoAP messages `POST /rd` of `meter-1` should equal\n\n```json\n\"ep=meter-1\"\n```",
    block: BlockNeed::Json,
    expressions: &["expression"],
    checks: &[("message", in_one_line)],
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^(?:`(?P<expression>[^`]+)` of )?the CoAP messages `(?P<message>[^`]+)` of `(?P<name>[^`]+)` should (?P<how>match|equal)$"
)]
async fn matches(
    lab: &mut Lab,
    expression: String,
    message: String,
    name: String,
    how: String,
) -> StepResult {
    let expected = lab.json_block()?;
    let all = select(lab, &message, &name)?;
    let actual = if expression.is_empty() {
        Some(all.clone())
    } else {
        lab.evaluate(&expression, &all)?
    };
    let rule = if how == "match" {
        Rule::Contains
    } else {
        Rule::Equal
    };
    let found = differences(rule, &expected, actual.as_ref());
    let count = all.as_array().map_or(0, Vec::len);
    lab.expect(found.is_empty(), || {
        Mismatch::new(format!(
            "the {count} CoAP messages `{message}` of `{name}` are not what they should be"
        ))
        .differences(found)
    })
}

catalogue! {
    sentence: "I store `JSONATA` of the CoAP messages `MESSAGE` of `NAME` into `VARIABLE`",
    does: "Stores what JSONata takes from the list of all such messages, as above.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nWhen the device `meter-1` is switched on\n\nSoon I store `coap.token[-1]` of the CoAP messages `<- POST /rd` of `meter-1` into `token`\n\nThen the CoAP message `-> ACK 2.01 Token: ${token}` should have crossed for `meter-1`",
    stores: &["{variable}"],
    expressions: &["expression"],
    checks: &[("message", in_one_line)],
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^I store `(?P<expression>[^`]+)` of the CoAP messages `(?P<message>[^`]+)` of `(?P<name>[^`]+)` into `(?P<variable>[^`]+)`$"
)]
async fn store(
    lab: &mut Lab,
    expression: String,
    message: String,
    name: String,
    variable: String,
) -> StepResult {
    let all = select(lab, &message, &name)?;
    match lab.evaluate(&expression, &all)? {
        Some(value) => {
            lab.store(variable, value);
            Ok(())
        }
        None => {
            let count = all.as_array().map_or(0, Vec::len);
            lab.fail(Mismatch::new(format!(
                "`{expression}` finds nothing in the {count} CoAP messages `{message}` of `{name}`"
            )))
        }
    }
}

/// All such messages, as JSON.
fn select(lab: &mut Lab, message: &str, name: &str) -> Result<Value, StepError> {
    let notation = notation(lab, message)?;
    let elapsed = lab.equipment.clock.elapsed().as_millis();
    let epoch = lab.now() - i64::try_from(elapsed).unwrap_or(0);
    look(lab, name, |looked| {
        looked.must_be_whole()?;
        let found = looked.crossings.iter().filter(|it| notation.is(it));
        let all: Vec<Value> = found.map(|it| it.view(epoch)).collect();
        if all.len() > SELECTED {
            let text = format!("{} messages are too many to select from", all.len());
            return Err(Mismatch::new(text)
                .help("write the message more narrowly, or look from a later point on"));
        }
        Ok(json!(all))
    })
}

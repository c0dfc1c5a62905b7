//! What the server knows of a device: its registration, and what it has reported.

use cucumber::then;

use super::update::{ask, endpoints};
use crate::{
    catalogue,
    plan::{BlockNeed, Budget, Part, Waiting},
    run::{Lab, Mismatch, StepResult},
    steps::matching::{Rule, differences},
};

catalogue! {
    sentence: "[`JSONATA` of ]what the server knows of `DEVICE` should (match|equal)",
    does: "Asks the server, through the target's adapter, what it knows of a device and compares that with the code block: endpoint, registration (null without one; else location, address, lwm2m, lifetime, queueMode, objects), reported (firmwareVersion). DEVICE may be a name that no step has made: an endpoint name.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nWhen the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nThen `registration` of what the server knows of `meter-1` should match\n\n```json\n{ \"lwm2m\": \"1.1\", \"lifetime\": 300, \"queueMode\": false }\n```",
    block: BlockNeed::Json,
    expressions: &["expression"],
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    uses: &[Part::Server],
}
#[then(
    regex = r"^(?:`(?P<expression>[^`]+)` of )?what the server knows of `(?P<device>[^`]+)` should (?P<how>match|equal)$"
)]
async fn matches(lab: &mut Lab, expression: String, device: String, how: String) -> StepResult {
    let expected = lab.json_block()?;
    let mut named = endpoints(lab, &device)?;
    let (name, endpoint) = named.pop().unwrap_or_default();
    if !named.is_empty() {
        return lab.fail(Mismatch::new(format!("`{device}` means several devices")));
    }
    let known = ask(lab, |target, world| {
        Box::pin(async move { target.adapter()?.known(world, &endpoint).await })
    })
    .await?;
    let actual = if expression.is_empty() {
        Some(known.clone())
    } else {
        lab.evaluate(&expression, &known)?
    };
    let rule = if how == "match" {
        Rule::Partial
    } else {
        Rule::Equal
    };
    let found = differences(rule, &expected, actual.as_ref());
    lab.expect(found.is_empty(), || {
        let message = format!("what the server knows of `{name}` is not what it should be");
        Mismatch::new(message)
            .differences(found)
            .note(format!("it knows {known}"))
    })
}

//! Updates that the server is asked for.

use std::collections::BTreeMap;

use cucumber::{then, when};
use serde_json::{Value, json};

use crate::{
    air::{Air, glob},
    catalogue,
    plan::{BlockNeed, Budget, Part, Waiting},
    run::{Lab, Mismatch, StepError, StepResult},
    steps::{
        image,
        matching::{Rule, differences},
    },
    target::World,
};

/// The newest update of each device, by its name.
#[derive(Default)]
struct Updates(BTreeMap<String, String>);

catalogue! {
    sentence: "the server updates `DEVICE` to the image `IMAGE`[ by `TRANSFER`]",
    does: "Asks the server, through the target's adapter, for an update; an image that it does not have yet is handed to it first. TRANSFER is `push`, `pull`, or `pull:coap` and the like. `*` in DEVICE: each of those devices.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd there is a firmware image `new` with the version `2.0.0` and `4096` bytes\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the server updates `meter-1` to the image `new` by `pull:coap`\n\nThen within `10 min` the device `meter-1` should run `2.0.0`\n\nAnd the device `meter-1` should have flashed the image `new`",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(
    regex = r"^the server updates `(?P<device>[^`]+)` to the image `(?P<image>\w+)`(?: by `(?P<transfer>[^`]+)`)?$"
)]
async fn updates(lab: &mut Lab, device: String, image: String, transfer: String) -> StepResult {
    let id = image::server_id(lab, &image).await?;
    let version = image::image_named(lab, &image)?.version;
    for (name, endpoint) in endpoints(lab, &device)? {
        let mut wanted = json!({ "device": endpoint, "image": id, "version": version });
        if !transfer.is_empty() {
            wanted["transfer"] = json!(transfer);
        }
        let answer = ask(lab, |target, world| {
            Box::pin(async move { target.adapter()?.update(world, wanted).await })
        })
        .await?;
        let Some(update) = answer.get("id").and_then(Value::as_str) else {
            return lab.fail(Mismatch::new(format!(
                "the server gave the update no id: {answer}"
            )));
        };
        lab.state::<Updates>().0.insert(name, update.to_owned());
    }
    Ok(())
}

catalogue! {
    sentence: "the server takes its update of `DEVICE` back",
    does: "Asks the server, through the target's adapter, to cancel the device's newest update; it is refused when the device installs already.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\n```toml\ndelivery = \"pull\"\nfaults = [\"stalls at 50 %\"]\n```\n\nAnd there is a firmware image `new` with the version `2.0.0` and `4096` bytes\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the server updates `meter-1` to the image `new`\n\nSoon the device `meter-1` should have the update state `downloading`\n\nWhen the server takes its update of `meter-1` back\n\nSoon the device `meter-1` should have the update result `cancelled`",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^the server takes its update of `(?P<device>[^`]+)` back$")]
async fn takes_back(lab: &mut Lab, device: String) -> StepResult {
    let update = newest(lab, &device)?;
    ask(lab, |target, world| {
        Box::pin(async move { target.adapter()?.cancel(world, &update).await })
    })
    .await?;
    Ok(())
}

catalogue! {
    sentence: "the server's update of `DEVICE` should be `STATE`",
    does: "Asks the server how the device's newest update stands: queued, downloading, downloaded, updating, succeeded, failed.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd there is a firmware image `new` with the version `2.0.0` and `4096` bytes\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the server updates `meter-1` to the image `new`\n\nSoon the server's update of `meter-1` should be `succeeded`",
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    uses: &[Part::Server],
}
#[then(regex = r"^the server's update of `(?P<device>[^`]+)` should be `(?P<state>\w+)`$")]
async fn state_is(lab: &mut Lab, device: String, state: String) -> StepResult {
    let update = look(lab, &device).await?;
    let there = update.get("state").cloned().unwrap_or_default();
    lab.expect(there == json!(state), || {
        let message = format!("the server's update of `{device}` is not {state}");
        let mismatch = Mismatch::between(message, json!(state), there);
        told(&update).into_iter().fold(mismatch, Mismatch::note)
    })
}

catalogue! {
    sentence: "[`JSONATA` of ]the server's update of `DEVICE` should (match|equal)",
    does: "Compares what the server says of the device's newest update with the code block: id, device, image, state, result, history.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd there is a firmware image `new` with the version `2.0.0` and `4096` bytes\n\nAnd the server has the image `new`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the server updates `meter-1` to the image `new`\n\nSoon the server's update of `meter-1` should match\n\n```json\n{ \"device\": \"meter-1\", \"image\": \"${new_id}\", \"result\": 1 }\n```\n\nAnd `$distinct(history.state)` of the server's update of `meter-1` should equal\n\n```json\n[\"queued\", \"downloading\", \"downloaded\", \"updating\", \"succeeded\"]\n```",
    block: BlockNeed::Json,
    expressions: &["expression"],
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    uses: &[Part::Server],
}
#[then(
    regex = r"^(?:`(?P<expression>[^`]+)` of )?the server's update of `(?P<device>[^`]+)` should (?P<how>match|equal)$"
)]
async fn matches(lab: &mut Lab, expression: String, device: String, how: String) -> StepResult {
    let expected = lab.json_block()?;
    let update = look(lab, &device).await?;
    let actual = if expression.is_empty() {
        Some(update.clone())
    } else {
        lab.evaluate(&expression, &update)?
    };
    let rule = if how == "match" {
        Rule::Partial
    } else {
        Rule::Equal
    };
    let found = differences(rule, &expected, actual.as_ref());
    lab.expect(found.is_empty(), || {
        let message = format!("the server's update of `{device}` is not what it should be");
        let mismatch = Mismatch::new(message).differences(found);
        told(&update).into_iter().fold(mismatch, Mismatch::note)
    })
}

/// Asks the target's adapter for something.
pub(super) async fn ask(
    lab: &mut Lab,
    act: impl for<'a> FnOnce(&'a crate::target::Target, World<'a>) -> crate::target::Asked<'a>,
) -> Result<Value, StepError> {
    let (target, network, trace) = (lab.target(), lab.network(), lab.trace().clone());
    let world = World {
        network: &*network,
        trace: &trace,
    };
    let answer = act(&target, world).await;
    answer.or_else(|error| lab.fail(Mismatch::new(error.to_string())))
}

/// What the server says of the newest update of a device.
async fn look(lab: &mut Lab, device: &str) -> Result<Value, StepError> {
    let update = newest(lab, device)?;
    ask(lab, |target, world| {
        Box::pin(async move { target.adapter()?.look(world, &update).await })
    })
    .await
}

/// The id of the newest update of a device.
fn newest(lab: &mut Lab, device: &str) -> Result<String, StepError> {
    let update = lab.state::<Updates>().0.get(device).cloned();
    let Some(update) = update else {
        return lab.fail(
            Mismatch::new(format!("no step has asked for an update of `{device}`")).help(format!(
                "say: When the server updates `{device}` to the image `…`"
            )),
        );
    };
    Ok(update)
}

/// The devices a name means, each with its endpoint name; one that no step made is its own
/// endpoint name, such as a real device's.
pub(super) fn endpoints(lab: &mut Lab, device: &str) -> Result<Vec<(String, String)>, StepError> {
    let known = Air::of(lab)?.known();
    let matches = glob(device);
    let found: Vec<(String, String)> = known
        .iter()
        .filter(|it| matches(&it.name))
        .map(|it| (it.name.clone(), it.endpoint.clone()))
        .collect();
    if found.is_empty() && device.contains('*') {
        return lab.fail(Mismatch::new(format!("there is no device `{device}`")));
    }
    if found.is_empty() {
        return Ok(vec![(device.to_owned(), device.to_owned())]);
    }
    Ok(found)
}

/// The last lines of an update's history, for people.
fn told(update: &Value) -> Vec<String> {
    let history = update.get("history").and_then(Value::as_array);
    let entries = history.map(Vec::as_slice).unwrap_or_default();
    let last = entries.iter().rev().take(6).rev();
    last.map(|entry| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        format!("{} {}: {}", text("at"), text("state"), text("detail"))
    })
    .collect()
}

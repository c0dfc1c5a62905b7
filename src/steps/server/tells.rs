//! What the server tells of devices: who registered, what was notified, how an update goes on.

use cucumber::{given, then};
use serde_json::{Value, json};

use crate::{
    catalogue,
    plan::{BlockNeed, Budget, Part, Waiting},
    run::{Lab, Mismatch, StepError, StepResult},
    steps::matching::{Rule, differences},
    target::{Listening, World},
};

/// Events that a mismatch shows, at most.
const SHOWN: usize = 8;
/// Events that are kept; of more, the oldest are forgotten.
const KEPT: usize = 10_000;

/// What was told since somebody listens.
#[derive(Default)]
struct Told {
    listening: Option<Listening>,
    events: Vec<Value>,
}

catalogue! {
    sentence: "I listen to what the server tells",
    does: "Listens, through the target's adapter, to what the server tells of devices from now on; what was told before does not count any more.",
    example: "Given I listen to what the server tells\n\nAnd there is a device `meter-1` running `1.0.0`\n\nWhen the device `meter-1` is switched on\n\nThen the server should tell\n\n```json\n{ \"event\": \"registered\", \"endpoint\": \"meter-1\" }\n```",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[given(regex = r"^I listen to what the server tells$")]
async fn listens(lab: &mut Lab) -> StepResult {
    let (target, network, trace) = (lab.target(), lab.network(), lab.trace().clone());
    let world = World {
        network: &*network,
        trace: &trace,
    };
    let listening = match target.adapter() {
        Ok(adapter) => adapter.listen(world).await,
        Err(error) => Err(error),
    };
    match listening {
        Ok(listening) => {
            *lab.state::<Told>() = Told {
                listening: Some(listening),
                events: Vec::new(),
            };
            Ok(())
        }
        Err(error) => lab.fail(Mismatch::new(error.to_string())),
    }
}

catalogue! {
    sentence: "the server should tell",
    does: "Waits until the server has told something that matches the code block: event (registered, updated, deregistered, expired, notification, update), endpoint, and of a notification path, value and by (observation, send).",
    example: "Given I listen to what the server tells\n\nAnd there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the device `meter-1` de-registers\n\nThen the server should tell\n\n```json\n{ \"event\": \"deregistered\", \"endpoint\": \"meter-1\" }\n```",
    block: BlockNeed::Json,
    waiting: Waiting::Always(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(regex = r"^the server should tell$")]
async fn tells(lab: &mut Lab) -> StepResult {
    let expected = lab.json_block()?;
    let events = events(lab)?;
    let nearest = events
        .iter()
        .map(|it| differences(Rule::Partial, &expected, Some(it)))
        .min_by_key(Vec::len);
    match nearest {
        Some(found) if found.is_empty() => Ok(()),
        Some(found) => {
            let mismatch = Mismatch::new("the server has not told that").differences(found);
            lab.fail(shown(mismatch, &events))
        }
        None => lab.fail(Mismatch::new("the server has told nothing")),
    }
}

catalogue! {
    sentence: "the server should have told (this|such) `N` (time|times)",
    does: "Counts what the server has told that matches the code block.",
    example: "Given I listen to what the server tells\n\nAnd there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nThen the server should have told this `1` time\n\n```json\n{ \"event\": \"registered\" }\n```\n\nAnd the server should have told such `0` times\n\n```json\n{ \"event\": \"expired\" }\n```",
    block: BlockNeed::Json,
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(regex = r"^the server should have told (?:this|such) `(?P<count>\d+)` times?$")]
async fn told_times(lab: &mut Lab, count: usize) -> StepResult {
    let expected = lab.json_block()?;
    let events = events(lab)?;
    let is_such = |it: &&Value| differences(Rule::Partial, &expected, Some(*it)).is_empty();
    let found = events.iter().filter(is_such).count();
    lab.expect(found == count, || {
        let message = format!("the server has told that {found} times");
        shown(
            Mismatch::between(message, json!(count), json!(found)),
            &events,
        )
    })
}

/// All that was told since somebody listens.
fn events(lab: &mut Lab) -> Result<Vec<Value>, StepError> {
    let told = lab.state::<Told>();
    let Some(listening) = &mut told.listening else {
        return lab.fail(
            Mismatch::new("nobody listens to the server")
                .help("say before: Given I listen to what the server tells"),
        );
    };
    told.events.extend(listening.take());
    let surplus = told.events.len().saturating_sub(KEPT);
    told.events.drain(..surplus);
    Ok(told.events.clone())
}

fn shown(mismatch: Mismatch, events: &[Value]) -> Mismatch {
    let last = &events[events.len().saturating_sub(SHOWN)..];
    last.iter().fold(mismatch, |mismatch, it| {
        mismatch.note(format!("it told {it}"))
    })
}

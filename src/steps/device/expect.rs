//! What devices should be.

use std::time::Duration;

use cucumber::then;
use serde_json::json;

use super::{
    condition::{Condition, condition_exists, condition_of, result, state},
    view,
};
use crate::{
    air::{Air, Known},
    catalogue,
    plan::{BlockNeed, Budget, Form, Mistake, Part, Waiting},
    run::{Lab, Mismatch, StepError, StepResult},
    steps::matching::{Rule, differences},
};

/// How long "should not …" and "should stay …" look when no `For` says.
const DEFAULT_WINDOW: Duration = Duration::from_secs(10);
/// Devices that a mismatch names.
const NAMED: usize = 5;

catalogue! {
    sentence: "the device `NAME` should (be registered|not be registered|be on|be off|be asleep|be awake|run `VERSION`|have the update state `STATE`|have the update state `STATE` and the result `RESULT`|have the update result `RESULT`|have flashed the image `IMAGE`|have started `N` times|have begun to install `N` times)",
    does: "Looks at a device as it is. States and results (/5/0/3, /5/0/5) by number or by name, such as `downloading` or `connection lost`; `run` is the version that really runs, whatever the device reports; `have flashed` compares every byte of the last image that arrived whole.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nWhen the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nAnd the device `meter-1` should run `1.0.0`\n\nAnd the device `meter-1` should have the update state `idle` and the result `0`",
    checks: &[("condition", condition_exists)],
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^the device `(?P<name>[^`]+)` should (?P<condition>(?:not )?be registered|be (?:on|off|asleep|awake)|run `[^`]+`|have the update (?:state|result) `[^`]+`(?: and the result `[^`]+`)?|have flashed the image `\w+`|have started `\d+` times?|have begun to install `\d+` times?)$"
)]
async fn one(lab: &mut Lab, name: String, condition: String) -> StepResult {
    let condition = condition_of(lab, &condition)?;
    let known = super::device(lab, &name)?;
    let found = look(lab, vec![known], &condition).await?;
    let it = found.into_iter().next();
    match it.and_then(|it| it.1) {
        None => Ok(()),
        Some(is) => lab.fail(Mismatch::between(
            format!("the device `{name}` should {condition}"),
            condition.wanted(),
            is,
        )),
    }
}

catalogue! {
    sentence: "(`N`|all) of the devices `NAME` should (be registered|not be registered|be on|be off|be asleep|be awake|run `VERSION`|have the update state `STATE`|have the update state `STATE` and the result `RESULT`|have the update result `RESULT`|have flashed the image `IMAGE`|have started `N` times|have begun to install `N` times)",
    does: "Counts the devices that are so: exactly N, or all. `*` in NAME stands for anything.",
    example: "Given there are `20` devices `meter-{}` running `1.0.0`\n\nWhen the devices `meter-*` are switched on\n\nSoon all of the devices `meter-*` should be registered\n\nAnd `20` of the devices `meter-*` should run `1.0.0`\n\nAnd `0` of the devices `meter-*` should run `2.0.0`",
    checks: &[("condition", condition_exists)],
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^(?:all|`(?P<count>\d+)`) of the devices `(?P<name>[^`]+)` should (?P<condition>(?:not )?be registered|be (?:on|off|asleep|awake)|run `[^`]+`|have the update (?:state|result) `[^`]+`(?: and the result `[^`]+`)?|have flashed the image `\w+`|have started `\d+` times?|have begun to install `\d+` times?)$"
)]
async fn many(lab: &mut Lab, count: String, name: String, condition: String) -> StepResult {
    let condition = condition_of(lab, &condition)?;
    let known = super::devices(lab, &name)?;
    let there = known.len();
    let wanted = if count.is_empty() {
        there
    } else {
        count.parse().unwrap_or(usize::MAX)
    };
    let found = look(lab, known, &condition).await?;
    let holding = found.iter().filter(|(_, is)| is.is_none()).count();
    lab.expect(holding == wanted, || {
        let message = format!("{holding} of {there} devices, not {wanted}, {condition}");
        let mut mismatch = Mismatch::between(message, wanted, holding);
        // Too few: who does not, and what it does. Too many: who does.
        let others = found
            .iter()
            .filter(|(_, is)| is.is_some() == (holding < wanted));
        for (name, is) in others.take(NAMED) {
            let is = is.as_deref().unwrap_or("does so");
            mismatch = mismatch.note(format!("{name}: {is}"));
        }
        mismatch
    })
}

catalogue! {
    sentence: "the device `NAME` should not (become registered|run `VERSION`)",
    does: "Has to hold for 10 s, or for as long as ``For `…` `` in front of it says.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nWhen the device `meter-1` is switched on\n\nThen for `1 h` the device `meter-1` should not run `2.0.0`",
    waiting: Waiting::Window(DEFAULT_WINDOW),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^the device `(?P<name>[^`]+)` should not (?P<what>become registered|run `(?P<version>[^`]+)`)$"
)]
async fn never(lab: &mut Lab, name: String, what: String, version: String) -> StepResult {
    let condition = if version.is_empty() {
        Condition::Registered(true)
    } else {
        Condition::Runs(version)
    };
    let known = super::device(lab, &name)?;
    let found = look(lab, vec![known], &condition).await?;
    lab.expect(found.iter().all(|(_, is)| is.is_some()), || {
        Mismatch::new(format!("the device `{name}` did {what}"))
    })
}

catalogue! {
    sentence: "the device `NAME` should stay registered",
    does: "Has to hold for 10 s, or for as long as ``For `…` `` in front of it says.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nThen for `1 h` the device `meter-1` should stay registered",
    waiting: Waiting::Window(DEFAULT_WINDOW),
    on_air: true,
    uses: &[Part::Server],
}
#[then(regex = r"^the device `(?P<name>[^`]+)` should stay registered$")]
async fn stays_registered(lab: &mut Lab, name: String) -> StepResult {
    let known = super::device(lab, &name)?;
    let found = look(lab, vec![known], &Condition::Registered(true)).await?;
    lab.expect(found.iter().all(|(_, is)| is.is_none()), || {
        Mismatch::new(format!("the device `{name}` lost its registration"))
    })
}

/// An update history, for the plan.
static HISTORY: Form = Form {
    name: "an update history, a state and a result in each line",
    example: "0/0\n1/0\n2/0",
    required: true,
    check: |_, code| read_history(code).map(drop),
    secrets: Form::no_secrets,
};

catalogue! {
    sentence: "the update history of the device `NAME` should be",
    does: "Compares all states and results (/5/0/3 and /5/0/5) that the device went through, in order, with the lines of the code block: `1/0`, or by name: `downloading/initial`. The device's own record, so that nothing is missed.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd there is a firmware image `new` with the version `2.0.0` and `4096` bytes\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the server updates `meter-1` to the image `new` by `push`\n\nSoon the device `meter-1` should run `2.0.0`\n\nAnd the update history of the device `meter-1` should be\n\n```\n0/0\n1/0\n2/0\n3/0\n0/1\n```",
    block: BlockNeed::Form(&HISTORY),
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(regex = r"^the update history of the device `(?P<name>[^`]+)` should be$")]
async fn history_is(lab: &mut Lab, name: String) -> StepResult {
    let code = lab.block()?.code;
    let expected = match read_history(&code) {
        Ok(expected) => expected,
        Err(mistake) => return lab.fail(Mismatch::new(mistake.message)),
    };
    let known = super::device(lab, &name)?;
    let handle = Air::of(lab)?.handle();
    let there = handle
        .fleet(move |fleet, _| fleet.device(known.index).map(view::history))
        .await;
    let there = match there {
        Ok(there) => there.unwrap_or_default(),
        Err(why) => return lab.fail(Mismatch::new(why)),
    };
    lab.expect(there == expected, || {
        let found = differences(Rule::Equal, &json!(expected), Some(&json!(there)));
        Mismatch::new(format!("the device `{name}` went through other states"))
            .differences(found)
            .note(format!("it went through {}", there.join(" ")))
    })
}

catalogue! {
    sentence: "the device `NAME` should have received (at least|at most|exactly) `N` (bytes|datagrams)",
    does: "Counts what has arrived at the device so far: UDP payload, copies included.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should have received at least `1` datagrams\n\nThen the device `meter-1` should have received at most `100000` bytes",
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^the device `(?P<name>[^`]+)` should have received (?P<how>at least|at most|exactly) `(?P<count>\d+)` (?P<what>bytes|datagrams)$"
)]
async fn received(
    lab: &mut Lab,
    name: String,
    how: String,
    count: String,
    what: String,
) -> StepResult {
    let known = super::device(lab, &name)?;
    let tally = Air::of(lab)?.seen().tally(known.party);
    let there = if what == "bytes" {
        tally.bytes
    } else {
        tally.datagrams
    };
    let wanted: u64 = count.parse().unwrap_or(u64::MAX);
    let holds = match how.as_str() {
        "at least" => there >= wanted,
        "at most" => there <= wanted,
        _ => there == wanted,
    };
    lab.expect(holds, || {
        let message = format!("the device `{name}` received {there} {what}");
        Mismatch::between(message, format!("{how} {wanted}"), there)
    })
}

catalogue! {
    sentence: "[`JSONATA` of ]the device `NAME` should (match|equal)",
    does: "Compares what there is to know of a device with the code block: name, endpoint, serial, imei, manufacturer, model, address, on, asleep, registered, version, reports, state, result, uri, history, flashed (version, sha256, length), starts, installs, received (datagrams, bytes), sent, faults.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nThen the device `meter-1` should match\n\n```json\n{ \"endpoint\": \"meter-1\", \"on\": false, \"version\": \"1.0.0\", \"flashed\": null }\n```\n\nAnd `received.datagrams` of the device `meter-1` should equal\n\n```json\n0\n```",
    block: BlockNeed::Json,
    expressions: &["expression"],
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^(?:`(?P<expression>[^`]+)` of )?the device `(?P<name>[^`]+)` should (?P<how>match|equal)$"
)]
async fn matches(lab: &mut Lab, expression: String, name: String, how: String) -> StepResult {
    let expected = lab.json_block()?;
    let known = super::device(lab, &name)?;
    let view = view::view(lab, &known).await?;
    let actual = if expression.is_empty() {
        Some(view)
    } else {
        lab.evaluate(&expression, &view)?
    };
    let rule = if how == "match" {
        Rule::Partial
    } else {
        Rule::Equal
    };
    let found = differences(rule, &expected, actual.as_ref());
    lab.expect(found.is_empty(), || {
        Mismatch::new(format!("the device `{name}` is not what it should be")).differences(found)
    })
}

catalogue! {
    sentence: "I store `JSONATA` of the device `NAME` into `VARIABLE`",
    does: "Stores what JSONata takes from what there is to know of a device, as above.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd I store `imei` of the device `meter-1` into `imei`\n\nThen the variable `imei` should match the pattern `^35[0-9]{13}$`",
    stores: &["{variable}"],
    expressions: &["expression"],
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^I store `(?P<expression>[^`]+)` of the device `(?P<name>[^`]+)` into `(?P<variable>[^`]+)`$"
)]
async fn store(lab: &mut Lab, expression: String, name: String, variable: String) -> StepResult {
    let known = super::device(lab, &name)?;
    let view = view::view(lab, &known).await?;
    match lab.evaluate(&expression, &view)? {
        Some(value) => {
            lab.store(variable, value);
            Ok(())
        }
        None => lab.fail(
            Mismatch::new(format!(
                "`{expression}` finds nothing in the device `{name}`"
            ))
            .note(view.to_string()),
        ),
    }
}

/// Each device with `None` when the condition holds for it, else what is.
async fn look(
    lab: &mut Lab,
    known: Vec<Known>,
    condition: &Condition,
) -> Result<Vec<(String, Option<String>)>, StepError> {
    let handle = Air::of(lab)?.handle();
    let condition = condition.clone();
    let looked = handle
        .fleet(move |fleet, now| {
            let each = known.into_iter().map(|it| {
                let device = fleet.device(it.index);
                let missed = device.and_then(|device| condition.missed(device, now));
                (it.name, missed)
            });
            each.collect()
        })
        .await;
    looked.or_else(|why| lab.fail(Mismatch::new(why)))
}

fn read_history(code: &str) -> Result<Vec<String>, Mistake> {
    let lines = code.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let read = lines.map(|(at, line)| {
        let wrong = |why: String| Mistake::in_line(at + 1, why);
        let Some((first, second)) = line.trim().split_once('/') else {
            return Err(wrong(format!(
                "`{line}` is no state and result such as `1/0`"
            )));
        };
        let state =
            state(first.trim()).map_err(|(message, help)| wrong(format!("{message}: {help}")))?;
        let result =
            result(second.trim()).map_err(|(message, help)| wrong(format!("{message}: {help}")))?;
        Ok(format!("{}/{}", state.number(), result.number()))
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_are_numbers_or_names() {
        let read =
            read_history("0/0\n\nDownloading/initial\n 2 / 0 \n0/connection lost").expect("good");
        assert_eq!(read, ["0/0", "1/0", "2/0", "0/4"]);
        let mistake = read_history("0/0\n7/0").expect_err("no such state");
        assert_eq!(mistake.line, 2);
        assert!(
            mistake.message.contains("no update state `7`"),
            "{mistake:?}"
        );
    }
}

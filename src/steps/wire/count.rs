//! How many messages have crossed.

use std::time::Duration;

use cucumber::then;

use super::{look, notation};
use crate::{
    air::notation::in_one_line,
    catalogue,
    plan::{Budget, Part, Waiting},
    run::{Lab, Mismatch, StepResult},
};

/// How long "at most" looks when no `For` says.
const DEFAULT_WINDOW: Duration = Duration::from_secs(2);

catalogue! {
    sentence: "(at least|exactly) `N` CoAP messages `MESSAGE` should have crossed for `NAME`",
    does: "Counts such messages.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the link of `meter-1` drops the next `2` messages `<- CON POST /rd`\n\nWhen the device `meter-1` is switched on\n\nSoon exactly `3` CoAP messages `<- CON POST /rd` should have crossed for `meter-1`",
    checks: &[("message", in_one_line)],
    waiting: Waiting::WhenSoon(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^(?P<how>at least|exactly) `(?P<count>\d+)` CoAP messages? `(?P<message>[^`]+)` should have crossed for `(?P<name>[^`]+)`$"
)]
async fn counted(
    lab: &mut Lab,
    how: String,
    count: String,
    message: String,
    name: String,
) -> StepResult {
    counts(lab, &how, &count, &message, &name)
}

catalogue! {
    sentence: "at most `N` CoAP messages `MESSAGE` should have crossed for `NAME`",
    does: "No more such messages have crossed, and no more do for 2 s, or for as long as ``For `…` `` in front of it says.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nWhen the device `meter-1` is switched on\n\nThen for `1 min` at most `1` CoAP message `<- CON POST /rd` should have crossed for `meter-1`",
    checks: &[("message", in_one_line)],
    waiting: Waiting::Window(DEFAULT_WINDOW),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^at most `(?P<count>\d+)` CoAP messages? `(?P<message>[^`]+)` should have crossed for `(?P<name>[^`]+)`$"
)]
async fn at_most(lab: &mut Lab, count: String, message: String, name: String) -> StepResult {
    counts(lab, "at most", &count, &message, &name)
}

fn counts(lab: &mut Lab, how: &str, count: &str, message: &str, name: &str) -> StepResult {
    let notation = notation(lab, message)?;
    let wanted: usize = count.parse().unwrap_or(usize::MAX);
    look(lab, name, |looked| {
        let there = looked.crossings.iter().filter(|it| notation.is(it)).count();
        let holds = match how {
            "at least" => there >= wanted,
            "exactly" => there == wanted,
            _ => there <= wanted,
        };
        if how != "at least" {
            looked.must_be_whole()?;
        }
        if holds {
            return Ok(());
        }
        let text = format!("{there} messages `{message}` have crossed for `{name}`");
        let mismatch = Mismatch::between(text, format!("{how} {wanted}"), there);
        Err(mismatch.note(format!("{} messages in all", looked.crossings.len())))
    })
}

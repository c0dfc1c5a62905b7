//! Messages that should have crossed, or should not have.

use std::time::Duration;

use cucumber::{given, then};

use super::{lines, look, notation, shown, somebody};
use crate::{
    air::{
        Air,
        notation::{Line, MESSAGES, exactly, in_one_line, in_order},
    },
    catalogue,
    plan::{BlockNeed, Budget, Part, Waiting},
    run::{Lab, Mismatch, StepResult},
};

/// How long "should not have crossed" looks when no `For` says.
const DEFAULT_WINDOW: Duration = Duration::from_secs(2);

catalogue! {
    sentence: "(these|exactly these) CoAP messages should have crossed for `NAME`",
    does: "Waits until the messages of the code block, one in each line, have crossed in this order, others in between; or, with `exactly`, until they and no others have, where `...` stands for any. `->` leaves the server, `<-` arrives at it; `*` stands for any text; parts that are not written do not matter: `-> CON PUT /5/0/0 Block1: 0/1/512`, `<- ACK 2.05 /5/0/3 Observe: * [/5/0/3 = 2]`. A message counts as sent, whatever became of it, unless the line says `(delivered)`. Looks from the beginning or from the last `I look at … from here on`.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nWhen the device `meter-1` is switched on\n\nThen these CoAP messages should have crossed for `meter-1`\n\n```\n<- CON POST /rd?ep=meter-1&lt=300 Content-Format: 40 [*</5/0>*]\n-> ACK 2.01 Location-Path: rd Location-Path: *\n```\n\nAnd exactly these CoAP messages should have crossed for `meter-1`\n\n```\n<- CON POST /rd\n...\n```",
    block: BlockNeed::Form(&MESSAGES),
    waiting: Waiting::Always(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^(?P<how>these|exactly these) CoAP messages should have crossed for `(?P<name>[^`]+)`$"
)]
async fn crossed(lab: &mut Lab, how: String, name: String) -> StepResult {
    let lines = lines(lab)?;
    look(lab, &name, |looked| {
        let found = if how == "exactly these" {
            looked.must_be_whole()?;
            exactly(&lines, &looked.crossings)
        } else {
            in_order(&lines, &looked.crossings)
        };
        found.map_err(|missing| looked.explain(&name, &missing))
    })
}

catalogue! {
    sentence: "the CoAP message `MESSAGE` should have crossed for `NAME`",
    does: "Waits until one such message has crossed.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nWhen the device `meter-1` is switched on\n\nThen the CoAP message `<- CON POST /rd?lwm2m=1.1` should have crossed for `meter-1`",
    checks: &[("message", in_one_line)],
    waiting: Waiting::Always(Budget::DEVICE),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^the CoAP message `(?P<message>[^`]+)` should have crossed for `(?P<name>[^`]+)`$"
)]
async fn one_crossed(lab: &mut Lab, message: String, name: String) -> StepResult {
    let line = Line::Message(Box::new(notation(lab, &message)?));
    look(lab, &name, |looked| {
        let found = in_order(&[line], &looked.crossings);
        found.map_err(|missing| looked.explain(&name, &missing))
    })
}

catalogue! {
    sentence: "the CoAP message `MESSAGE` should not have crossed for `NAME`",
    does: "No such message has crossed, and none does for 2 s, or for as long as ``For `…` `` in front of it says.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nWhen the device `meter-1` is switched on\n\nThen for `1 min` the CoAP message `-> * POST /5/0/2` should not have crossed for `meter-1`",
    checks: &[("message", in_one_line)],
    waiting: Waiting::Window(DEFAULT_WINDOW),
    on_air: true,
    uses: &[Part::Server],
}
#[then(
    regex = r"^the CoAP message `(?P<message>[^`]+)` should not have crossed for `(?P<name>[^`]+)`$"
)]
async fn one_did_not(lab: &mut Lab, message: String, name: String) -> StepResult {
    let notation = notation(lab, &message)?;
    none(lab, &[Line::Message(Box::new(notation))], &name)
}

catalogue! {
    sentence: "none of these CoAP messages should have crossed for `NAME`",
    does: "The same for each line of the code block.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nWhen the device `meter-1` is switched on\n\nThen none of these CoAP messages should have crossed for `meter-1`\n\n```\n-> * PUT /5/0/0\n-> * PUT /5/0/1\n```",
    block: BlockNeed::Form(&MESSAGES),
    waiting: Waiting::Window(DEFAULT_WINDOW),
    on_air: true,
    uses: &[Part::Server],
}
#[then(regex = r"^none of these CoAP messages should have crossed for `(?P<name>[^`]+)`$")]
async fn several_did_not(lab: &mut Lab, name: String) -> StepResult {
    let lines = lines(lab)?;
    none(lab, &lines, &name)
}

catalogue! {
    sentence: "I look at the CoAP messages of `NAME` from here on",
    does: "What has crossed so far does not count for the steps that follow. `*` in NAME stands for anything.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen I look at the CoAP messages of `meter-1` from here on\n\nAnd the device `meter-1` sends a registration update\n\nThen exactly these CoAP messages should have crossed for `meter-1`\n\n```\n<- CON POST /rd/*\n-> ACK 2.04\n```",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[given(regex = r"^I look at the CoAP messages of `(?P<name>[^`]+)` from here on$")]
async fn from_here(lab: &mut Lab, name: String) -> StepResult {
    somebody(lab, &name)?;
    Air::of(lab)?.mark(&name);
    Ok(())
}

fn none(lab: &mut Lab, lines: &[Line], name: &str) -> StepResult {
    look(lab, name, |looked| {
        looked.must_be_whole()?;
        for line in lines {
            let Line::Message(notation) = line else {
                continue;
            };
            if let Some(there) = looked.crossings.iter().find(|it| notation.is(it)) {
                let text = format!("`{}` has crossed for `{name}`", notation.text);
                return Err(Mismatch::new(text).note(format!("it is {}", shown(there))));
            }
        }
        Ok(())
    })
}

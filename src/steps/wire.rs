//! What crossed between devices (or peers) and the server, message by message.

use std::time::Duration;

use cucumber::{given, then};
use serde_json::{Value, json};

use crate::{
    air::{
        Air, Crossing,
        limits::SELECTED,
        notation::{
            Line, MESSAGES, Missing, Notation, exactly, in_one_line, in_order, read_line,
            read_lines,
        },
    },
    catalogue,
    plan::{BlockNeed, Budget, Part, Waiting},
    run::{Lab, Mismatch, StepError, StepResult},
    steps::matching::{Rule, differences},
};

/// How long "should not have crossed" looks when no `For` says.
const DEFAULT_WINDOW: Duration = Duration::from_secs(2);
/// Crossings before the place of a mismatch that it shows.
const SHOWN: usize = 6;

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
    let looked = look(lab, &name)?;
    let all: Vec<&Crossing> = looked.crossings.iter().collect();
    let exact = how == "exactly these";
    if exact {
        looked.must_be_whole(lab)?;
    }
    let found = if exact {
        exactly(&lines, &all)
    } else {
        in_order(&lines, &all)
    };
    match found {
        Ok(()) => Ok(()),
        Err(missing) => lab.fail(looked.explain(&name, &missing)),
    }
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
    let line = Line::Message(notation(lab, &message)?);
    let looked = look(lab, &name)?;
    let all: Vec<&Crossing> = looked.crossings.iter().collect();
    match in_order(&[line], &all) {
        Ok(()) => Ok(()),
        Err(missing) => lab.fail(looked.explain(&name, &missing)),
    }
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
    none(lab, &[Line::Message(notation)], &name)
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
    let wanted: usize = count.parse().unwrap_or(usize::MAX);
    let (there, looked) = count_of(lab, &message, &name)?;
    let holds = if how == "exactly" {
        looked.must_be_whole(lab)?;
        there == wanted
    } else {
        there >= wanted
    };
    lab.expect(holds, || {
        looked.counted(&message, &name, &how, wanted, there)
    })
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
    let wanted: usize = count.parse().unwrap_or(usize::MAX);
    let (there, looked) = count_of(lab, &message, &name)?;
    looked.must_be_whole(lab)?;
    lab.expect(there <= wanted, || {
        looked.counted(&message, &name, "at most", wanted, there)
    })
}

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

/// What crossed for somebody.
struct Looked {
    crossings: Vec<Crossing>,
    /// Some of them are not kept any more.
    partly: bool,
}

fn look(lab: &mut Lab, name: &str) -> Result<Looked, StepError> {
    somebody(lab, name)?;
    let (crossings, partly) = Air::of(lab)?.crossings(name);
    Ok(Looked {
        crossings: crossings.into_iter().map(|(_, it)| it).collect(),
        partly,
    })
}

/// Fails where there is no device and no peer of this name: nothing crosses for nobody.
fn somebody(lab: &mut Lab, name: &str) -> StepResult {
    if Air::of(lab)?.parties(name).is_empty() {
        return lab.fail(
            Mismatch::new(format!("there is no device or peer `{name}`"))
                .help("make it first: Given there is a device `…` running `1.0.0`"),
        );
    }
    Ok(())
}

fn lines(lab: &mut Lab) -> Result<Vec<Line>, StepError> {
    let code = lab.block()?.code;
    match read_lines(&code) {
        Ok(lines) => Ok(lines),
        Err(mistake) => lab.fail(Mismatch::new(format!(
            "line {} of the code block: {}",
            mistake.line, mistake.message
        ))),
    }
}

fn notation(lab: &mut Lab, text: &str) -> Result<Notation, StepError> {
    read_line(text).or_else(|why| lab.fail(Mismatch::new(why)))
}

fn none(lab: &mut Lab, lines: &[Line], name: &str) -> StepResult {
    let looked = look(lab, name)?;
    looked.must_be_whole(lab)?;
    for line in lines {
        let Line::Message(notation) = line else {
            continue;
        };
        if let Some(there) = looked.crossings.iter().find(|it| notation.is(it)) {
            let mismatch = Mismatch::new(format!("`{}` has crossed for `{name}`", notation.text));
            return lab.fail(mismatch.note(shown(there)));
        }
    }
    Ok(())
}

fn count_of(lab: &mut Lab, message: &str, name: &str) -> Result<(usize, Looked), StepError> {
    let notation = notation(lab, message)?;
    let looked = look(lab, name)?;
    let there = looked.crossings.iter().filter(|it| notation.is(it)).count();
    Ok((there, looked))
}

fn select(lab: &mut Lab, message: &str, name: &str) -> Result<Value, StepError> {
    let notation = notation(lab, message)?;
    let looked = look(lab, name)?;
    looked.must_be_whole(lab)?;
    let epoch = lab.now() - i64::try_from(lab.equipment.clock.elapsed().as_millis()).unwrap_or(0);
    let found = looked.crossings.iter().filter(|it| notation.is(it));
    let all: Vec<Value> = found.map(|it| it.view(epoch)).collect();
    if all.len() > SELECTED {
        let count = all.len();
        return lab.fail(
            Mismatch::new(format!("{count} messages are too many to select from"))
                .help("write the message more narrowly, or look from a later point on"),
        );
    }
    Ok(json!(all))
}

impl Looked {
    /// What says something of all messages cannot be said where some are not kept.
    fn must_be_whole(&self, lab: &mut Lab) -> StepResult {
        lab.expect(!self.partly, || {
            Mismatch::new("more crossed than is kept, so nothing can be said of all of it")
                .help("say before: When I look at the CoAP messages of `…` from here on")
        })
    }

    fn explain(&self, name: &str, missing: &Missing) -> Mismatch {
        let mut mismatch = match &missing.wanted {
            Some(wanted) => Mismatch::new(format!("`{wanted}` has not crossed for `{name}`")),
            None => Mismatch::new(format!("something else has crossed for `{name}`")),
        };
        mismatch = mismatch.differences(missing.differences.clone());
        let line = |at: usize| self.crossings.get(at).map(shown).unwrap_or_default();
        if let Some(after) = missing.after {
            mismatch = mismatch.note(format!("looked for behind {}", line(after)));
        }
        match (missing.nearest, &missing.wanted) {
            (Some(nearest), Some(_)) => {
                mismatch = mismatch.note(format!("the nearest is {}", line(nearest)));
            }
            (Some(more), None) => mismatch = mismatch.note(format!("it is {}", line(more))),
            (None, _) => {
                let count = self.crossings.len();
                mismatch = mismatch.note(match count {
                    0 => "nothing has crossed at all".to_owned(),
                    _ => format!("nothing has crossed behind that; {count} messages in all"),
                });
            }
        }
        let around = missing.nearest.unwrap_or(self.crossings.len());
        let from = around.saturating_sub(SHOWN);
        for at in from..around {
            mismatch = mismatch.note(format!("before it {}", line(at)));
        }
        if self.partly {
            mismatch = mismatch.note("what crossed first is not kept any more");
        }
        mismatch
    }

    fn counted(
        &self,
        message: &str,
        name: &str,
        how: &str,
        wanted: usize,
        there: usize,
    ) -> Mismatch {
        let text = format!("{there} messages `{message}` have crossed for `{name}`");
        let mismatch = Mismatch::between(text, format!("{how} {wanted}"), there);
        mismatch.note(format!("{} messages in all", self.crossings.len()))
    }
}

/// A crossing in one line of a mismatch.
fn shown(crossing: &Crossing) -> String {
    let arrow = if crossing.up { "<-" } else { "->" };
    let at = crossing.at.as_secs_f64();
    let outcome = match crossing.outcome {
        crate::air::Outcome::Delivered => String::new(),
        other => format!(" ({})", other.name()),
    };
    let again = if crossing.retransmission {
        " (again)"
    } else {
        ""
    };
    format!(
        "{arrow} {}{outcome}{again} at {at:.3} s",
        crossing.summary()
    )
}

//! How good the links of devices and peers are, and which messages they drop.

use std::{sync::LazyLock, time::Duration};

use cucumber::given;
use fotalab_wire::net::LossyOptions;
use regex::Regex;

use crate::{
    air::{
        Air,
        notation::{in_one_line, read_line},
    },
    catalogue,
    plan::{Part, Waiting},
    run::{Lab, Mismatch, StepError, StepResult},
    scenario::parse_duration,
};

/// How long a reordered datagram is held back at most, where the scenario does not say.
const REORDERED_BY: Duration = Duration::from_secs(2);

catalogue! {
    sentence: "the link of (all devices|`NAME`) CONDITIONS",
    does: "How what the devices send and are sent fares from now on, by the run's seed: one or more, with commas and `and` between, of: loses `20 %` · duplicates `10 %` · corrupts `1 %` · reorders `5 %`[ by `2 s`] · delays by `1 s`[ to `3 s`] · takes `512 bytes`, what is larger gets lost · carries `2000 bytes` a second · forgets addresses after `60 s`, as a NAT does (on the virtual clock). What is not said does not happen. `*` in NAME stands for anything.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the link of `meter-1` loses `20 %`, duplicates `10 %` and delays by `100 ms` to `1 s`\n\nWhen the device `meter-1` is switched on\n\nThen within `10 min` the device `meter-1` should be registered",
    checks: &[("conditions", conditions_exist)],
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[given(
    regex = r"^the link of (?:all devices|`(?P<name>[^`]+)`) (?P<conditions>(?:(?:, | and )?(?:(?:loses|duplicates|corrupts) `[^`]+`|reorders `[^`]+`(?: by `[^`]+`)?|delays by `[^`]+`(?: to `[^`]+`)?|takes `[^`]+`|carries `[^`]+` a second|forgets addresses after `[^`]+`))+)$"
)]
async fn fares(lab: &mut Lab, name: String, conditions: String) -> StepResult {
    match read(&conditions) {
        Ok(options) => set(lab, &name, options),
        Err((message, help)) => lab.fail(Mismatch::new(message).help(help)),
    }
}

catalogue! {
    sentence: "the link of (all devices|`NAME`) is perfect",
    does: "Ends the conditions of a link: everything arrives once, in order, at once. What is dropped by messages is another matter.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the link of all devices loses `100 %`\n\nAnd the link of all devices is perfect\n\nWhen the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[given(regex = r"^the link of (?:all devices|`(?P<name>[^`]+)`) is perfect$")]
async fn perfect(lab: &mut Lab, name: String) -> StepResult {
    set(lab, &name, LossyOptions::default())
}

catalogue! {
    sentence: "the link of (all devices|`NAME`) drops (the next|every) message `MESSAGE`",
    does: "Loses the next message that is so, or each one, written in one line as `-> CON PUT /5/0/0 Block1: 2/*`: `->` from the server, `<-` to it. Repetitions count as messages.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the link of `meter-1` drops the next message `-> ACK 2.01`\n\nWhen the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nAnd these CoAP messages should have crossed for `meter-1`\n\n```\n-> ACK 2.01 (lost)\n<- CON POST /rd (again)\n-> ACK 2.01\n```",
    checks: &[("message", in_one_line)],
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[given(
    regex = r"^the link of (?:all devices|`(?P<name>[^`]+)`) drops (?P<which>the next|every) message `(?P<message>[^`]+)`$"
)]
async fn drops(lab: &mut Lab, name: String, which: String, message: String) -> StepResult {
    let left = (which == "the next").then_some(1);
    drop_messages(lab, &name, &message, left)
}

catalogue! {
    sentence: "the link of (all devices|`NAME`) drops the next `N` messages `MESSAGE`",
    does: "The same for so many of them.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the link of all devices drops the next `2` messages `<- CON POST /rd`\n\nWhen the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered",
    checks: &[("message", in_one_line)],
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[given(
    regex = r"^the link of (?:all devices|`(?P<name>[^`]+)`) drops the next `(?P<count>\d+)` messages `(?P<message>[^`]+)`$"
)]
async fn drops_some(lab: &mut Lab, name: String, count: String, message: String) -> StepResult {
    drop_messages(
        lab,
        &name,
        &message,
        Some(count.parse().unwrap_or(u64::MAX)),
    )
}

catalogue! {
    sentence: "the link of (all devices|`NAME`) drops nothing any more",
    does: "Ends what `drops` began.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the link of `meter-1` drops every message `<- CON POST /rd`\n\nAnd the link of `meter-1` drops nothing any more\n\nWhen the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[given(regex = r"^the link of (?:all devices|`(?P<name>[^`]+)`) drops nothing any more$")]
async fn drops_nothing(lab: &mut Lab, name: String) -> StepResult {
    let parties = parties(lab, &name)?;
    Air::of(lab)?.seen().drops_mut().end(parties.as_deref());
    Ok(())
}

fn set(lab: &mut Lab, name: &str, options: LossyOptions) -> StepResult {
    if options.nat_idle.is_some() && !lab.network().is_virtual() {
        return lab.fail(
            Mismatch::new("a link forgets addresses on the virtual clock only")
                .help("say: When the device `…` moves to another address"),
        );
    }
    let parties = parties(lab, name)?;
    let mut seen = Air::of(lab)?.seen();
    match parties {
        Some(parties) => seen.conditions_mut().set(&parties, options),
        None => seen.conditions_mut().set_common(options),
    }
    Ok(())
}

fn drop_messages(lab: &mut Lab, name: &str, message: &str, left: Option<u64>) -> StepResult {
    let parties = parties(lab, name)?;
    let notation = match read_line(message) {
        Ok(notation) => notation,
        Err(why) => return lab.fail(Mismatch::new(why)),
    };
    let added = Air::of(lab)?
        .seen()
        .drops_mut()
        .add(notation, parties, left);
    added.or_else(|why| lab.fail(Mismatch::new(why)))
}

/// The devices and peers that a name means; `None` for all, also those to come.
fn parties(lab: &mut Lab, name: &str) -> Result<Option<Vec<usize>>, StepError> {
    if name.is_empty() {
        return Ok(None);
    }
    let parties = Air::of(lab)?.parties(name);
    if parties.is_empty() {
        return lab.fail(Mismatch::new(format!(
            "there is no device or peer `{name}`"
        )));
    }
    Ok(Some(parties))
}

fn conditions_exist(text: &str) -> Result<(), (String, String)> {
    read(text).map(drop)
}

/// The conditions of a sentence.
fn read(text: &str) -> Result<LossyOptions, (String, String)> {
    static ONE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?P<verb>loses|duplicates|corrupts|reorders|delays by|takes|carries|forgets addresses after) `(?P<first>[^`]+)`(?: (?:by|to) `(?P<second>[^`]+)`)?")
            .expect("a pattern of ours")
    });
    let mut options = LossyOptions::default();
    for found in ONE.captures_iter(text) {
        let first = &found["first"];
        let second = found.name("second").map(|it| it.as_str());
        match &found["verb"] {
            "loses" => options.loss = share(first)?,
            "duplicates" => options.duplication = share(first)?,
            "corrupts" => options.corruption = share(first)?,
            "reorders" => {
                options.reordering = share(first)?;
                options.reordering_by = second.map_or(Ok(REORDERED_BY), time)?;
            }
            "delays by" => {
                options.delay_min = time(first)?;
                options.delay_max = second.map_or(Ok(options.delay_min), time)?;
                if options.delay_max < options.delay_min {
                    let message = format!("`{first}` to `{}` is no range", second.unwrap_or(""));
                    return Err((message, "write the shorter delay first".to_owned()));
                }
            }
            "takes" => options.mtu = Some(bytes(first)?),
            "carries" => {
                options.rate = Some(bytes(first)? as u64);
                options.rate_queue = RATE_QUEUE;
            }
            _ => options.nat_idle = Some(time(first)?),
        }
    }
    Ok(options)
}

/// The longest queue before a bottleneck, as time: a modem's buffer.
const RATE_QUEUE: Duration = Duration::from_secs(30);

fn share(text: &str) -> Result<f64, (String, String)> {
    let percent = text.trim().strip_suffix('%').map(str::trim);
    let percent = percent.and_then(|it| it.parse::<f64>().ok());
    match percent.filter(|it| (0.0..=100.0).contains(it)) {
        Some(percent) => Ok(percent / 100.0),
        None => {
            let message = format!("`{text}` is no share of messages");
            Err((message, "write for example `20 %`".to_owned()))
        }
    }
}

fn time(text: &str) -> Result<Duration, (String, String)> {
    parse_duration(text).map_err(|why| {
        let message = format!("`{text}` is not a duration: {why}");
        (
            message,
            "write a number and a unit, for example `500 ms`".to_owned(),
        )
    })
}

fn bytes(text: &str) -> Result<usize, (String, String)> {
    let number = text.trim().strip_suffix("bytes").map(str::trim);
    number.and_then(|it| it.parse().ok()).ok_or_else(|| {
        let message = format!("`{text}` is no number of bytes");
        (message, "write for example `512 bytes`".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_one_by_one() {
        let read =
            read("loses `20 %`, duplicates `2.5 %`, reorders `5 %` and delays by `1 s` to `3 s`");
        let options = read.expect("good");
        assert!((options.loss - 0.2).abs() < 1e-9 && (options.duplication - 0.025).abs() < 1e-9);
        assert_eq!(options.reordering_by, REORDERED_BY);
        assert_eq!(options.delay_max, Duration::from_secs(3));
        let read = super::read("takes `512 bytes` and carries `2000 bytes` a second");
        assert_eq!(read.expect("good").rate, Some(2_000));
    }

    #[test]
    fn mistakes_are_told() {
        for wrong in [
            "loses `20`",
            "loses `120 %`",
            "delays by `soon`",
            "delays by `2 s` to `1 s`",
            "takes `512`",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

//! What a device can be asked to be, in words.

use std::{fmt, time::Duration};

use fotalab_simulators::device::{Device, Phase, State, UpdateResult};

use super::view;
use crate::{
    run::{Lab, Mismatch, StepError},
    steps::image::image_named,
};

/// What a device should be.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Registered(bool),
    On(bool),
    Asleep(bool),
    Runs(String),
    Update(Option<State>, Option<UpdateResult>),
    Flashed { image: String, sha256: String },
    Started(u64),
    Installed(usize),
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered(true) => f.write_str("be registered"),
            Self::Registered(false) => f.write_str("not be registered"),
            Self::On(on) => f.write_str(if *on { "be on" } else { "be off" }),
            Self::Asleep(asleep) => f.write_str(if *asleep { "be asleep" } else { "be awake" }),
            Self::Runs(version) => write!(f, "run {version}"),
            Self::Update(state, result) => {
                f.write_str("have the update")?;
                if let Some(state) = state {
                    write!(f, " state {} ({state})", state.number())?;
                }
                if let Some(result) = result {
                    write!(f, " result {} ({result})", result.number())?;
                }
                Ok(())
            }
            Self::Flashed { image, .. } => write!(f, "have flashed the image {image}"),
            Self::Started(times) => write!(f, "have started {times} times"),
            Self::Installed(times) => write!(f, "have begun to install {times} times"),
        }
    }
}

impl Condition {
    /// What would be, where it holds, in the words that say what is.
    pub(super) fn wanted(&self) -> String {
        match self {
            Self::Registered(true) => "registered".to_owned(),
            Self::Registered(false) => "not registered".to_owned(),
            Self::On(on) => if *on { "on" } else { "off" }.to_owned(),
            Self::Asleep(asleep) => if *asleep { "asleep" } else { "awake" }.to_owned(),
            Self::Runs(version) => format!("runs {version}"),
            Self::Update(state, result) => {
                let state = state.map(|it| format!("state {} ({it})", it.number()));
                let result = result.map(|it| format!("result {} ({it})", it.number()));
                let both: Vec<String> = state.into_iter().chain(result).collect();
                both.join(", ")
            }
            Self::Flashed { image, sha256 } => format!("flashed {image}, SHA-256 {sha256}"),
            Self::Started(times) => format!("started {times} times"),
            Self::Installed(times) => format!("began to install {times} times"),
        }
    }

    /// `None` when it holds, else what is.
    pub(super) fn missed(&self, device: &Device, now: Duration) -> Option<String> {
        let firmware = device.firmware();
        let (holds, is) = match self {
            Self::Registered(wanted) => {
                let is = match (device.is_on(), device.phase()) {
                    (false, _) => "off",
                    (_, Phase::Registered) => "registered",
                    (_, Phase::Registering) => "registering",
                    (_, Phase::Unregistered) => "not registered",
                };
                ((is == "registered") == *wanted, is.to_owned())
            }
            Self::On(wanted) => {
                let is = if device.is_on() { "on" } else { "off" };
                (device.is_on() == *wanted, is.to_owned())
            }
            Self::Asleep(wanted) => {
                let asleep = device.is_on() && device.is_asleep(now);
                let is = if asleep { "asleep" } else { "awake" };
                (asleep == *wanted && device.is_on(), is.to_owned())
            }
            Self::Runs(version) => {
                let running = firmware.running();
                (running == version, format!("runs {running}"))
            }
            Self::Update(state, result) => {
                let (is_state, is_result) = (firmware.state(), firmware.outcome());
                let holds = state.is_none_or(|it| it == is_state)
                    && result.is_none_or(|it| it == is_result);
                let (s, r) = (is_state.number(), is_result.number());
                (
                    holds,
                    format!("state {s} ({is_state}), result {r} ({is_result})"),
                )
            }
            Self::Flashed { sha256, .. } => match firmware.flashed() {
                Some(package) => {
                    let there = crate::air::hex(&package.sha256);
                    let is = format!("flashed {} bytes, SHA-256 {there}", package.length);
                    (there == *sha256, is)
                }
                None => (false, "no whole image has arrived".to_owned()),
            },
            Self::Started(times) => {
                let starts = device.starts();
                (starts == *times, format!("started {starts} times"))
            }
            Self::Installed(times) => {
                let installs = view::installs(device);
                (
                    installs == *times,
                    format!("began to install {installs} times"),
                )
            }
        };
        (!holds).then_some(is)
    }
}

/// The condition of a sentence, with the image that it names.
pub(super) fn condition_of(lab: &mut Lab, text: &str) -> Result<Condition, StepError> {
    match read_condition(text) {
        Ok(Condition::Flashed { image, .. }) => {
            let sha256 = image_named(lab, &image)?.sha256;
            Ok(Condition::Flashed { image, sha256 })
        }
        Ok(condition) => Ok(condition),
        Err((message, help)) => lab.fail(Mismatch::new(message).help(help)),
    }
}

/// Looks at the words of a condition.
pub(super) fn condition_exists(text: &str) -> Result<(), (String, String)> {
    read_condition(text).map(drop)
}

fn read_condition(text: &str) -> Result<Condition, (String, String)> {
    let arguments: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let first = arguments.first().copied().unwrap_or_default();
    let count = || first.parse::<usize>().unwrap_or(usize::MAX);
    let words = text.split('`').next().unwrap_or_default().trim_end();
    Ok(match words {
        "be registered" => Condition::Registered(true),
        "not be registered" => Condition::Registered(false),
        "be on" => Condition::On(true),
        "be off" => Condition::On(false),
        "be asleep" => Condition::Asleep(true),
        "be awake" => Condition::Asleep(false),
        "run" => Condition::Runs(first.to_owned()),
        "have the update result" => Condition::Update(None, Some(result(first)?)),
        "have the update state" => {
            let result = arguments.get(1).map(|it| result(it)).transpose()?;
            Condition::Update(Some(state(first)?), result)
        }
        "have started" => Condition::Started(count() as u64),
        "have begun to install" => Condition::Installed(count()),
        _ => Condition::Flashed {
            image: first.to_owned(),
            sha256: String::new(),
        },
    })
}

/// A state of /5/0/3 by number or name.
pub(super) fn state(text: &str) -> Result<State, (String, String)> {
    let found = State::ALL
        .iter()
        .find(|it| names(text, it.number(), it.name()));
    found.copied().ok_or_else(|| {
        let all: Vec<String> = State::ALL
            .iter()
            .map(|it| format!("{} {it}", it.number()))
            .collect();
        (
            format!("there is no update state `{text}`"),
            format!("states are {}", all.join(", ")),
        )
    })
}

/// A result of /5/0/5 by number or name.
pub(super) fn result(text: &str) -> Result<UpdateResult, (String, String)> {
    let found = UpdateResult::ALL
        .iter()
        .find(|it| names(text, it.number(), it.name()));
    found.copied().ok_or_else(|| {
        let all: Vec<String> = UpdateResult::ALL
            .iter()
            .map(|it| format!("{} {it}", it.number()))
            .collect();
        (
            format!("there is no update result `{text}`"),
            format!("results are {}", all.join(", ")),
        )
    })
}

fn names(text: &str, number: i64, name: &str) -> bool {
    text == number.to_string() || text.eq_ignore_ascii_case(name)
}

//! From flags, environment and `fotalab.toml` to what a run is set to.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc};

use fotalab_simulators::cloud::Mode;
use regex::RegexBuilder;
use serde_json::Value;

use super::{
    Failure,
    config::Config,
    files,
    run::{Arguments, Clock, Upstream},
};
use crate::{
    plan::Selection,
    run::Settings,
    scenario::ast::ClockChoice,
    target::{PROFILES, TargetChoice, TargetProfile},
    trace::Capture,
};

/// What to run with.
pub(super) fn settings(arguments: &Arguments, config: &Config) -> Result<Settings, Failure> {
    let mut settings = Settings {
        fail_fast: arguments.fail_fast,
        capture: match (arguments.capture, arguments.capture_secrets) {
            (_, true) => Capture::WithSecrets,
            (true, false) => Capture::Datagrams,
            (false, false) => Capture::No,
        },
        ..Settings::default()
    };
    let target = arguments
        .target
        .clone()
        .or_else(|| config.target.as_ref().map(PathBuf::from));
    if let Some(path) = target {
        let profile = TargetProfile::read(&path, |name| std::env::var(name).ok())
            .map_err(|error| Failure::usage(error.to_string()))?;
        settings.target = TargetChoice::Profile(Arc::new(profile));
        settings.clock = ClockChoice::Real;
    }
    settings.clock = match (arguments.clock, config.clock.as_deref()) {
        (Some(Clock::Real), _) | (None, Some("real")) => ClockChoice::Real,
        (Some(Clock::Virtual), _) | (None, Some("virtual")) => ClockChoice::Virtual,
        (None, None) => settings.clock,
        (None, Some(other)) => {
            return Err(Failure::usage(format!(
                "fotalab.toml: `clock` is `real` or `virtual`, not `{other}`"
            )));
        }
    };
    if !settings.target.is_embedded() && settings.clock == ClockChoice::Virtual {
        return Err(Failure::usage(
            "a target lives in real time: `--clock virtual` goes with the embedded server",
        ));
    }
    settings.upstream = match (arguments.upstream, config.upstream.as_deref()) {
        (Some(Upstream::NewestFirst), _) | (None, Some("newest-first")) => Mode::NewestFirst,
        (Some(Upstream::InOrder), _) | (None, None | Some("in-order")) => Mode::InOrder,
        (None, Some(other)) => {
            return Err(Failure::usage(format!(
                "fotalab.toml: `upstream` is `in-order` or `newest-first`, not `{other}`"
            )));
        }
    };
    settings.profile = arguments.profile.clone().or_else(|| config.profile.clone());
    if let Some(profile) = settings
        .profile
        .as_deref()
        .filter(|it| !PROFILES.contains(it))
    {
        let known = PROFILES.join(" and ");
        return Err(Failure::usage(format!(
            "there is no profile `{profile}`; known are {known}"
        )));
    }
    settings.seed = match arguments.seed.or(config.seed) {
        Some(seed) => seed,
        // Somebody's server remembers: two runs with the same made-up devices would meet there.
        None if !settings.target.is_embedded() => drawn_seed()?,
        None => 0,
    };
    if let Some(number) = arguments
        .concurrency
        .or_else(|| config.concurrency.and_then(NonZeroUsize::new))
    {
        settings.concurrency = Some(number);
    }
    if let Some(factor) = arguments.patience.or(config.patience) {
        if !(factor.is_finite() && (0.0..=1_000.0).contains(&factor)) {
            return Err(Failure::usage(format!(
                "patience is a factor from 0 to 1000, not {factor}"
            )));
        }
        settings.patience = factor;
    }
    for text in &arguments.set {
        let (name, value) = variable(text).map_err(Failure::usage)?;
        settings.set.insert(name, value);
    }
    Ok(settings)
}

/// A seed from the machine, short enough to type.
fn drawn_seed() -> Result<u64, Failure> {
    use rand::{RngExt as _, SeedableRng as _};
    let random = rand::rngs::StdRng::try_from_rng(&mut rand::rngs::SysRng);
    let mut random = random.map_err(|error| {
        Failure::environment(format!("the machine gives no random numbers: {error}"))
    })?;
    Ok(random.random_range(0..1_000_000_000))
}

/// `NAME=text` or `NAME:=JSON`.
pub(super) fn variable(text: &str) -> Result<(String, Value), String> {
    // The value may be a secret: errors name the variable only.
    let wrong = || {
        let name = text.split('=').next().unwrap_or_default();
        format!("`{name}…` is neither NAME=text nor NAME:=JSON; a name is letters, digits and _")
    };
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let (name, value) = match name.strip_suffix(':') {
        Some(name) => {
            let value = serde_json::from_str(value)
                .map_err(|error| format!("`{name}` is given as JSON, but it is none: {error}"))?;
            (name, value)
        }
        None => (name, Value::String(value.to_owned())),
    };
    let is_name = !name.is_empty() && name.chars().all(|it| it.is_alphanumeric() || it == '_');
    if is_name {
        Ok((name.to_owned(), value))
    } else {
        Err(wrong())
    }
}

/// What to run.
pub(super) fn selection(
    arguments: &Arguments,
    config: &Config,
    collected: &files::Collected,
) -> Result<Selection, Failure> {
    let mut selection = Selection {
        lines: collected.lines.clone(),
        ..Selection::default()
    };
    for text in &arguments.name {
        let pattern = RegexBuilder::new(text)
            .build()
            .map_err(|error| Failure::usage(format!("--name {text}: {error}")))?;
        selection.names.push(pattern);
    }
    selection.tags = match (&arguments.tags, &config.tags) {
        (Some(tags), _) => Some(tags.clone()),
        (None, Some(text)) => Some(
            text.parse()
                .map_err(|why| Failure::usage(format!("fotalab.toml: {why}")))?,
        ),
        (None, None) => None,
    };
    Ok(selection)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_texts_or_json() {
        assert_eq!(variable("A=1"), Ok(("A".to_owned(), json!("1"))));
        assert_eq!(variable("A:=1"), Ok(("A".to_owned(), json!(1))));
        assert_eq!(variable("A=b=c"), Ok(("A".to_owned(), json!("b=c"))));
        assert!(variable("A").is_err() && variable("=x").is_err() && variable("A:=x").is_err());
    }
}

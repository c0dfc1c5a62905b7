//! `fotalab.toml`: defaults below flags and environment.

use std::path::Path;

use toml::Value;

use super::Failure;
use crate::target::profile::toml_error;

/// What `fotalab.toml` says; every key may be missing.
#[derive(Clone, Debug, Default)]
pub(super) struct Config {
    pub paths: Option<Vec<String>>,
    pub target: Option<String>,
    pub profile: Option<String>,
    pub clock: Option<String>,
    pub seed: Option<u64>,
    pub concurrency: Option<usize>,
    pub patience: Option<f64>,
    pub upstream: Option<String>,
    pub report: Option<String>,
    pub junit: Option<String>,
    pub tags: Option<String>,
}

/// The file that is looked for in the working directory.
const FILE: &str = "fotalab.toml";
const KEYS: &[&str] = &[
    "paths",
    "target",
    "profile",
    "clock",
    "seed",
    "concurrency",
    "patience",
    "upstream",
    "report",
    "junit",
    "tags",
];

impl Config {
    /// Reads the working directory's file, if there is one.
    pub(super) fn of_directory() -> Result<Self, Failure> {
        if !Path::new(FILE).exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(FILE)
            .map_err(|error| Failure::usage(format!("{FILE} cannot be read: {error}")))?;
        Self::parse(&text).map_err(|why| Failure::usage(format!("{FILE}: {why}")))
    }

    /// The given paths, else the file's, else `features`.
    pub(super) fn paths(&self, given: &[String]) -> Vec<String> {
        if given.is_empty() {
            self.paths
                .clone()
                .unwrap_or_else(|| vec!["features".to_owned()])
        } else {
            given.to_vec()
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| toml_error(text, &error))?;
        let mut config = Self::default();
        for (section, value) in table {
            if section != "run" {
                return Err(outside(&section));
            }
            let Value::Table(run) = value else {
                return Err("`run` is a section: [run]".to_owned());
            };
            for (key, value) in run {
                config.take(&key, value)?;
            }
        }
        Ok(config)
    }

    fn take(&mut self, key: &str, value: Value) -> Result<(), String> {
        let wrong = format!("`{key}` cannot be {value}");
        let text = value.as_str().map(str::to_owned);
        match key {
            "paths" => {
                let paths = value.as_array().and_then(|all| {
                    all.iter()
                        .map(|it| it.as_str().map(str::to_owned))
                        .collect::<Option<Vec<_>>>()
                });
                self.paths = Some(paths.ok_or(wrong)?);
            }
            "seed" => {
                self.seed = Some(
                    value
                        .as_integer()
                        .and_then(|it| u64::try_from(it).ok())
                        .ok_or(wrong)?,
                )
            }
            "concurrency" => {
                let number = value.as_integer().and_then(|it| usize::try_from(it).ok());
                self.concurrency = Some(number.ok_or(wrong)?);
            }
            "patience" => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "a factor of that size is nonsense anyway"
                )]
                let number = value
                    .as_float()
                    .or_else(|| value.as_integer().map(|it| it as f64));
                self.patience = Some(number.ok_or(wrong)?);
            }
            "target" => self.target = Some(text.ok_or(wrong)?),
            "profile" => self.profile = Some(text.ok_or(wrong)?),
            "clock" => self.clock = Some(text.ok_or(wrong)?),
            "upstream" => self.upstream = Some(text.ok_or(wrong)?),
            "report" => self.report = Some(text.ok_or(wrong)?),
            "junit" => self.junit = Some(text.ok_or(wrong)?),
            "tags" => self.tags = Some(text.ok_or(wrong)?),
            _ => return Err(unknown("key", key, KEYS)),
        }
        Ok(())
    }
}

/// What stands outside of `[run]`: mostly a key without its section.
fn outside(word: &str) -> String {
    let likeness = |key: &&&str| strsim::jaro_winkler(key, word);
    let key = KEYS
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match key {
        Some(key) if likeness(&key) > likeness(&&"run").max(0.85) => {
            format!("there is no section `{word}`; did you mean the key `{key}`, below `[run]`?")
        }
        _ => unknown("section", word, &["run"]),
    }
}

fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|it| (strsim::jaro_winkler(it, word), it))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, nearest)) if likeness > 0.7 => {
            format!("there is no {what} `{word}`; did you mean `{nearest}`?")
        }
        _ => format!(
            "there is no {what} `{word}`; known are {}",
            known.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_errors_with_a_suggestion() {
        let error = Config::parse("[run]\nconcurency = 2").expect_err("a typo");
        assert_eq!(
            error,
            "there is no key `concurency`; did you mean `concurrency`?"
        );
        let outside = Config::parse("concurency = 2").expect_err("no section");
        assert_eq!(
            outside,
            "there is no section `concurency`; did you mean the key `concurrency`, below `[run]`?"
        );
        let section = Config::parse("[runs]\nseed = 2").expect_err("a typo");
        assert_eq!(section, "there is no section `runs`; did you mean `run`?");
        assert!(Config::parse("[run]\nseed = -1").is_err());
        assert_eq!(
            Config::parse("[run]\npatience = 2")
                .expect("a number")
                .patience,
            Some(2.0)
        );
    }
}

//! The profile of a server that somebody else wrote: `server.toml`.

use std::{net::SocketAddr, path::Path};

use serde_json::{Map, Value};
use toml::Value as Toml;

use super::{Capabilities, Deviation};

/// A server under test, as its file describes it.
#[derive(Clone, Debug, Default)]
pub struct TargetProfile {
    /// What reports call it.
    pub name: String,
    /// How operations are asked for.
    pub adapter: Option<String>,
    /// Variables for scenarios.
    pub context: Map<String, Value>,
    /// Values that came from the environment and are secret.
    pub secrets: Vec<String>,
    /// Where the server looks for its cloud.
    pub upstream: Option<SocketAddr>,
    /// The program that makes devices and accounts known.
    pub provision: Vec<String>,
    /// The program of the adapter `exec`.
    pub program: Vec<String>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// What it is known to do otherwise than the specification says.
    pub deviations: Vec<Deviation>,
}

/// A profile that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {why}")]
pub struct ProfileError {
    path: String,
    why: String,
}

const KEYS: &[&str] = &[
    "name",
    "adapter",
    "context",
    "upstream",
    "provision",
    "exec",
    "capabilities",
    "deviation",
];
const ADAPTERS: &[&str] = &[
    "fotalab", "coiote", "horde", "iotaap", "hello", "leshan", "exec", "none",
];

impl TargetProfile {
    /// Reads a profile; `environment` looks up `{ env = "NAME" }`.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, has a key that is not known or a variable of the
    /// environment that is not set.
    pub fn read(
        path: &Path,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ProfileError> {
        let fail = |why: String| ProfileError {
            path: path.display().to_string(),
            why,
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| fail(format!("cannot be read: {error}")))?;
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| fail(toml_error(&text, &error)))?;
        let mut profile = Self {
            name: path.display().to_string(),
            ..Self::default()
        };
        for (key, value) in table {
            profile.take(&key, value, &environment).map_err(fail)?;
        }
        let Self {
            capabilities,
            context,
            adapter,
            provision,
            ..
        } = &mut profile;
        capabilities.without(context, adapter.as_deref(), !provision.is_empty());
        Ok(profile)
    }

    fn take(
        &mut self,
        key: &str,
        value: Toml,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<(), String> {
        match (key, value) {
            ("name", Toml::String(name)) => self.name = name,
            ("adapter", Toml::String(adapter)) => {
                known("adapter", &adapter, ADAPTERS)?;
                self.adapter = Some(adapter);
            }
            ("context", Toml::Table(table)) => {
                for (name, value) in table {
                    if name == "PROFILES" {
                        let profiles = self.profiles(value, environment)?;
                        self.context.insert(name, Value::Object(profiles));
                        continue;
                    }
                    let value = self.variable(&name, value, environment)?;
                    self.context.insert(name, value);
                }
            }
            ("upstream", Toml::Table(table)) => {
                for (name, value) in table {
                    known("key of [upstream]", &name, &["listen"])?;
                    let text = value.as_str().unwrap_or_default();
                    let address = text.parse().map_err(|_| {
                        format!("`listen = {value}` is not an address such as \"127.0.0.1:9000\"")
                    })?;
                    self.upstream = Some(address);
                }
            }
            ("provision", Toml::Table(table)) => {
                self.provision = command("provision", table, "./provision.sh")?;
            }
            ("exec", Toml::Table(table)) => {
                self.program = command("exec", table, "./adapter.py")?;
            }
            ("capabilities", Toml::Table(table)) => self.capabilities = Capabilities::read(&table)?,
            ("deviation", Toml::Array(all)) => {
                let all = all.into_iter().map(Deviation::read);
                self.deviations = all.collect::<Result<_, _>>()?;
            }
            (key, value) => {
                known("key", key, KEYS)?;
                return Err(format!("`{key}` cannot be a {}", value.type_str()));
            }
        }
        Ok(())
    }

    /// `[context.PROFILES.NAME]`: the variables that differ between profiles.
    fn profiles(
        &mut self,
        value: Toml,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<Map<String, Value>, String> {
        let Toml::Table(profiles) = value else {
            return Err("`PROFILES` is a section: [context.PROFILES.NAME]".to_owned());
        };
        let mut found = Map::new();
        for (profile, variables) in profiles {
            known("profile", &profile, super::PROFILES)?;
            let Toml::Table(variables) = variables else {
                return Err(format!(
                    "`{profile}` is a section: [context.PROFILES.{profile}]"
                ));
            };
            let mut of_profile = Map::new();
            for (name, value) in variables {
                let value = self.variable(&name, value, environment)?;
                of_profile.insert(name, value);
            }
            found.insert(profile, Value::Object(of_profile));
        }
        Ok(found)
    }

    fn variable(
        &mut self,
        name: &str,
        value: Toml,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<Value, String> {
        match value {
            Toml::String(text) if name.ends_with("URL") => {
                Ok(Value::String(text.trim_end_matches('/').to_owned()))
            }
            Toml::String(text) => Ok(Value::String(text)),
            Toml::Integer(number) => Ok(number.into()),
            Toml::Boolean(flag) => Ok(flag.into()),
            Toml::Table(table) => {
                let variable = table
                    .get("env")
                    .and_then(Toml::as_str)
                    .filter(|_| table.len() == 1);
                let variable = variable
                    .ok_or_else(|| format!("`{name}` is a text or {{ env = \"NAME\" }}"))?;
                let text = environment(variable)
                    .ok_or_else(|| format!("`{name}` wants ${variable}, which is not set"))?;
                self.secrets.push(text.clone());
                Ok(Value::String(text))
            }
            other => Err(format!("`{name}` cannot be a {}", other.type_str())),
        }
    }
}

/// What is wrong with a TOML file, and where; without the line itself, which may hold a secret.
pub(crate) fn toml_error(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |it| it.start.min(text.len()));
    let line = text.as_bytes()[..at]
        .iter()
        .filter(|&&it| it == b'\n')
        .count()
        + 1;
    format!("line {line}: {}", error.message())
}

/// `command` of a section: a program and its arguments.
fn command(section: &str, table: toml::Table, example: &str) -> Result<Vec<String>, String> {
    let mut command = Vec::new();
    for (name, value) in table {
        known(&format!("key of [{section}]"), &name, &["command"])?;
        let words = value.as_array().and_then(|words| {
            let words = words.iter().map(|it| it.as_str().map(str::to_owned));
            words.collect::<Option<Vec<_>>>()
        });
        command = words.ok_or(format!("`command` is a list of texts: [\"{example}\"]"))?;
    }
    Ok(command)
}

/// The known word that this is, or the nearest one.
pub(super) fn known<'a>(what: &str, word: &str, words: &[&'a str]) -> Result<&'a str, String> {
    if let Some(word) = words.iter().find(|it| **it == word) {
        return Ok(word);
    }
    let nearest = words
        .iter()
        .map(|it| (strsim::jaro_winkler(it, word), it))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = match nearest {
        Some((likeness, nearest)) if likeness > 0.7 => format!("did you mean `{nearest}`?"),
        _ => format!("known are {}", words.join(", ")),
    };
    Err(format!("there is no {what} `{word}`; {hint}"))
}

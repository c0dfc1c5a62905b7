//! What a server can do, in words that conformance rows and profiles share.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde_json::{Map, Value};
use toml::Value as Toml;

use super::profile::known;

/// Every capability there is a word for: keys of `[capabilities]`, and what each may list.
pub const CAPABILITIES: &[(&str, &[&str])] = &[
    ("lwm2m", &["1.0", "1.1", "1.2"]),
    (
        "transfer",
        &["push", "pull:coap", "pull:coaps", "pull:http", "pull:https"],
    ),
    ("binding", &["udp", "tcp"]),
    ("security", &["nosec", "psk", "certificate", "oscore"]),
    (
        "format",
        &[
            "text",
            "opaque",
            "tlv",
            "json",
            "cbor",
            "senml-json",
            "senml-cbor",
        ],
    ),
    (
        "feature",
        &[
            "operations",
            "firmware",
            "campaigns",
            "queue-mode",
            "write-attributes",
            "create-delete",
            "composite",
            "send",
            "bootstrap",
            "connection-id",
            "resumption",
            "durable",
        ],
    ),
];

/// What the server in this process cannot do.
const EMBEDDED_LACKS: &[(&str, &str)] = &[
    ("lwm2m", "1.2"),
    ("transfer", "pull:https"),
    ("binding", "tcp"),
    ("security", "certificate"),
    ("security", "oscore"),
    ("feature", "bootstrap"),
    ("feature", "connection-id"),
    ("feature", "resumption"),
];

/// One thing that a server may be able to do, written `kind:value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Capability {
    kind: &'static str,
    value: &'static str,
}

impl FromStr for Capability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, value) = text
            .split_once(':')
            .ok_or_else(|| format!("`{text}` is not a capability: write `kind:value`"))?;
        let (kind, values) = of_kind(kind)?;
        Ok(Self {
            kind,
            value: known(kind, value, values)?,
        })
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.kind, self.value)
    }
}

/// What a server can do: everything that it is not known to lack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// What it lacks, and how we know.
    lacks: BTreeMap<Capability, String>,
}

impl Capabilities {
    /// Those of the server in this process.
    #[must_use]
    pub fn of_embedded() -> Self {
        let capability = |&(kind, value): &(&'static str, &'static str)| {
            (Capability { kind, value }, "not in our server".to_owned())
        };
        Self {
            lacks: EMBEDDED_LACKS.iter().map(capability).collect(),
        }
    }

    /// Why it cannot do this, if it cannot.
    #[must_use]
    pub fn lacks(&self, capability: Capability) -> Option<&str> {
        self.lacks.get(&capability).map(String::as_str)
    }

    /// `[capabilities]` of a profile. A key that is not there claims all that it could list.
    pub(super) fn read(table: &toml::Table) -> Result<Self, String> {
        let mut lacks = BTreeMap::new();
        for (key, listed) in table {
            let (kind, values) = of_kind(key)?;
            let words = listed
                .as_array()
                .and_then(|all| all.iter().map(Toml::as_str).collect::<Option<Vec<_>>>())
                .ok_or_else(|| format!("`{key}` is a list of texts: [\"{}\"]", values[0]))?;
            for word in &words {
                known(kind, word, values)?;
            }
            for value in values.iter().filter(|it| !words.contains(*it)) {
                let why = format!("`{key}` of its profile does not list it");
                lacks.insert(Capability { kind, value }, why);
            }
        }
        Ok(Self { lacks })
    }

    /// What cannot be there without these variables, or without a way to ask for operations.
    pub(super) fn without(
        &mut self,
        context: &Map<String, Value>,
        adapter: Option<&str>,
        provisions: bool,
    ) {
        let mut lack = |kind, value, why: &str| {
            let capability = Capability { kind, value };
            self.lacks
                .entry(capability)
                .or_insert_with(|| why.to_owned());
        };
        if !context.contains_key("COAPURL") {
            lack("security", "nosec", "its profile has no COAPURL");
        }
        if !context.contains_key("COAPSURL") {
            for value in ["psk", "certificate"] {
                lack("security", value, "its profile has no COAPSURL");
            }
        }
        if !provisions && !context.contains_key("ADMINURL") {
            let why =
                "its profile has no way to give it a device's key: no `[provision]`, no ADMINURL";
            lack("security", "psk", why);
        }
        let silent = match adapter {
            Some("none") => Some("its adapter is `none`"),
            None if !context.contains_key("ADMINURL") => {
                Some("its profile names no adapter and no ADMINURL")
            }
            _ => None,
        };
        if let Some(why) = silent {
            for value in ["operations", "firmware", "campaigns"] {
                lack("feature", value, why);
            }
        }
    }
}

fn of_kind(kind: &str) -> Result<(&'static str, &'static [&'static str]), String> {
    let kinds: Vec<&'static str> = CAPABILITIES.iter().map(|(kind, _)| *kind).collect();
    let kind = known("kind of capability", kind, &kinds)?;
    let values = CAPABILITIES.iter().find(|(it, _)| *it == kind);
    Ok((kind, values.map_or(&[][..], |(_, values)| values)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capability(text: &str) -> Capability {
        text.parse().expect("a capability")
    }

    #[test]
    fn a_key_that_is_listed_claims_what_it_lists_and_a_key_that_is_not_claims_all() {
        let table: toml::Table = "transfer = [\"push\"]".parse().expect("TOML");
        let capabilities = Capabilities::read(&table).expect("known words");
        assert_eq!(capabilities.lacks(capability("transfer:push")), None);
        assert!(
            capabilities
                .lacks(capability("transfer:pull:http"))
                .is_some()
        );
        assert_eq!(capabilities.lacks(capability("feature:send")), None);
    }

    #[test]
    fn words_that_nobody_knows_are_mistakes_with_the_nearest_one() {
        let read = |text: &str| {
            let table: toml::Table = text.parse().expect("TOML");
            Capabilities::read(&table).expect_err("a typo")
        };
        assert!(read("transfers = [\"push\"]").contains("did you mean `transfer`?"));
        assert!(read("feature = [\"sends\"]").contains("did you mean `send`?"));
        assert!(read("feature = \"send\"").contains("list of texts"));
        assert!("feature".parse::<Capability>().is_err());
    }

    #[test]
    fn what_the_profile_has_no_variable_for_is_lacking() {
        let mut capabilities = Capabilities::default();
        let context = serde_json::json!({ "COAPURL": "coap://127.0.0.1" });
        capabilities.without(context.as_object().expect("an object"), None, false);
        assert_eq!(capabilities.lacks(capability("security:nosec")), None);
        assert_eq!(
            capabilities.lacks(capability("security:psk")),
            Some("its profile has no COAPSURL")
        );
        assert!(
            capabilities
                .lacks(capability("feature:operations"))
                .is_some()
        );
    }
}

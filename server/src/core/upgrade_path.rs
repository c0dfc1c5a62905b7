//! Upgrade paths: which bundle a reported version gets (contract 2.1, 2.2 and 3.4).

use std::{fmt, sync::LazyLock};

use indexmap::IndexMap;
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::version::Version;
use crate::limits;

// The dots are unescaped in the contract's schema too.
static KEY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("^(<|<=|>|>=)?[0-9]+.[0-9]+.[0-9]+$").ok());
static BUNDLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"^(APP|MODEM|BOOT|SOFTDEVICE|BOOTLOADER|MDM_FULL)\*[0-9a-zA-Z]{8}\*[^\n\r\u{2028}\u{2029}]*$",
    )
    .ok()
});

/// What an update changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Target {
    /// The application firmware.
    App,
    /// The modem firmware.
    Modem,
}

impl Target {
    /// From the prefix of a bundle id; other types have no target.
    pub(crate) fn of_bundle(bundle: &str) -> Option<Self> {
        match bundle.split('*').next() {
            Some("APP") => Some(Self::App),
            Some("MODEM" | "MDM_FULL") => Some(Self::Modem),
            _ => None,
        }
    }

    /// From one of the types a device says it supports.
    pub(crate) fn of_supported_type(name: &str) -> Option<Self> {
        match name {
            "APP" => Some(Self::App),
            "MODEM" | "MDM_FULL" => Some(Self::Modem),
            _ => None,
        }
    }

    /// `app`, `modem`, or `null` for none, as the contract's messages spell it.
    pub(crate) fn name(target: Option<Self>) -> &'static str {
        match target {
            Some(Self::App) => "app",
            Some(Self::Modem) => "modem",
            None => "null",
        }
    }
}

/// Version keys to bundle ids, in the order they were given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UpgradePath(IndexMap<String, String>);

/// A place in the given JSON and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// JSON pointer below the path itself, empty for the path.
    pub(crate) pointer: String,
    /// In the words of the contract's validator.
    pub(crate) message: &'static str,
}

impl UpgradePath {
    /// Checks `value` against the schema of section 3.4.
    pub(crate) fn parse(value: &Value) -> Result<Self, Vec<Violation>> {
        let fail = |pointer, message| vec![Violation { pointer, message }];
        let Value::Object(entries) = value else {
            return Err(fail(String::new(), "Expected object"));
        };
        if entries.is_empty() {
            let message = "Expected object to have at least 1 properties";
            return Err(fail(String::new(), message));
        }
        if entries.len() > limits::MAX_UPGRADE_STEPS {
            return Err(fail(
                String::new(),
                "Expected object to have at most 64 properties",
            ));
        }
        let mut violations = Vec::new();
        let mut path = IndexMap::new();
        for (key, bundle) in entries {
            let pointer = || format!("/{}", key.replace('~', "~0").replace('/', "~1"));
            let mut violate = |message| {
                violations.push(Violation {
                    pointer: pointer(),
                    message,
                })
            };
            if !matches(&KEY, key) {
                violate("Unexpected property");
                continue;
            }
            match bundle.as_str() {
                None => violate("Expected string"),
                Some(bundle) if !is_bundle_id(bundle) => {
                    violate("Expected string to match regular expression");
                }
                Some(bundle) => {
                    path.insert(key.clone(), bundle.to_owned());
                }
            }
        }
        if violations.is_empty() {
            Ok(Self(path))
        } else {
            Err(violations)
        }
    }

    /// A path of one step, for a bundle that was asked for by its id.
    pub(crate) fn single(reported: Option<Version>, bundle: String) -> Self {
        let key = reported.map_or_else(|| ">=0.0.0".to_owned(), |version| version.to_string());
        Self(IndexMap::from([(key, bundle)]))
    }

    /// The first key that `version` satisfies, and its bundle.
    pub(crate) fn first_match(&self, version: Version) -> Option<(&str, &str)> {
        self.matches(version).next()
    }

    /// All keys that `version` satisfies, in order, with their bundles.
    pub(crate) fn matches(&self, version: Version) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter(move |(key, _)| satisfies(version, key))
            .map(|(key, bundle)| (key.as_str(), bundle.as_str()))
    }

    /// The bundles, in order.
    pub(crate) fn bundles(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// The keys, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// As it was given.
    pub(crate) fn to_json(&self) -> Value {
        self.0
            .iter()
            .map(|(key, bundle)| (key.clone(), Value::from(bundle.as_str())))
            .collect()
    }
}

impl fmt::Display for UpgradePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.to_json())
    }
}

/// Whether `id` looks like a bundle id of nRF Cloud.
pub(crate) fn is_bundle_id(id: &str) -> bool {
    id.len() <= limits::MAX_NAME_BYTES && matches(&BUNDLE, id)
}

/// node-semver's `satisfies` for the key forms of the contract.
fn satisfies(version: Version, key: &str) -> bool {
    let bare = key.trim_start_matches(['<', '>', '=']);
    let Some(bound) = Version::parse_core(bare) else {
        return false;
    };
    match &key[..key.len() - bare.len()] {
        "" => version == bound,
        "<" => version < bound,
        "<=" => version <= bound,
        ">" => version > bound,
        ">=" => version >= bound,
        _ => false,
    }
}

fn matches(pattern: &Option<Regex>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|it| it.is_match(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).expect("a version")
    }

    #[test]
    fn keys_match_as_in_node_semver() {
        // Version, keys it satisfies, keys it does not: written by hand.
        for (reported, yes, no) in [
            (
                "2.0.0",
                &["2.0.0", ">=2.0.0", "<=2.0.0", ">1.9.9", "<2.0.1", ">=0.0.0"][..],
                &[
                    "2.0.1", ">2.0.0", "<2.0.0", "02.0.0", ">=02.0.0", "2x0x0", "2.0", "=2.0.0",
                    "^2.0.0",
                ][..],
            ),
            (
                "1.10.0",
                &[">1.9.0", "<1.11.0", ">=1.10.0"],
                &["<1.9.0", "1.1.0", "<=1.2.10"],
            ),
            (
                "0.0.0",
                &["0.0.0", ">=0.0.0", "<0.0.1", "<=0.0.0"],
                &[">0.0.0", "<0.0.0"],
            ),
        ] {
            for key in yes {
                assert!(satisfies(version(reported), key), "{reported} {key}");
            }
            for key in no {
                assert!(!satisfies(version(reported), key), "{reported} {key}");
            }
        }
    }

    #[test]
    fn the_first_key_in_the_order_given_wins() {
        let path = UpgradePath::parse(&json!({
            ">=2.0.0": "APP*aaaaaaaa*v3", "2.0.0": "APP*bbbbbbbb*v2.0.1"
        }));
        let path = path.expect("a path");
        assert_eq!(
            path.first_match(version("2.0.0")),
            Some((">=2.0.0", "APP*aaaaaaaa*v3"))
        );
        assert_eq!(path.first_match(version("1.9.9")), None);
    }

    #[test]
    fn the_schema_says_what_is_wrong_in_its_own_words() {
        let wrong = |value: Value| {
            let violations = UpgradePath::parse(&value).expect_err("not a path");
            violations
                .into_iter()
                .map(|it| format!("{}: {}", it.pointer, it.message))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            wrong(json!({})),
            [": Expected object to have at least 1 properties"]
        );
        assert_eq!(wrong(json!([])), [": Expected object"]);
        assert_eq!(
            wrong(json!({"^2.0.0": "APP*1e29dfa3*v2.0.1", "a/b": 1})),
            ["/^2.0.0: Unexpected property", "/a~1b: Unexpected property"]
        );
        assert_eq!(
            wrong(json!({"2.0.0": "APP*1e29*v2", "2.0.1": 7})),
            [
                "/2.0.0: Expected string to match regular expression",
                "/2.0.1: Expected string"
            ]
        );
        assert!(UpgradePath::parse(&json!({"02.0.0": "APP*1e29dfa3*"})).is_ok());
        assert!(UpgradePath::parse(&json!({"2.0.0": "FOO*1e29dfa3*v"})).is_err());
    }

    proptest! {
        /// Against the definition: exactly one of <, =, > holds, and the other forms follow.
        #[test]
        fn comparators_agree_with_each_other(a in (0u64..4, 0u64..12, 0u64..12), b in (0u64..4, 0u64..12, 0u64..12)) {
            let reported = version(&format!("{}.{}.{}", a.0, a.1, a.2));
            let key = |operator: &str| satisfies(reported, &format!("{operator}{}.{}.{}", b.0, b.1, b.2));
            prop_assert_eq!(key(""), a == b);
            prop_assert_eq!(key("<"), a < b);
            prop_assert_eq!(key(">"), a > b);
            prop_assert_eq!(key("<="), a <= b);
            prop_assert_eq!(key(">="), a >= b);
        }

        #[test]
        fn no_text_breaks_the_readers(text in "\\PC*", key in "[<>=v0-9.x-]{0,16}") {
            let _ = Version::parse(&text);
            let _ = is_bundle_id(&text);
            let _ = satisfies(version("1.2.3"), &key);
            let _ = UpgradePath::parse(&json!({ key: text }));
        }
    }
}

//! Request targets: paths and queries, and how they are compared.

use regex::{Regex, RegexBuilder};

use super::difference::Difference;
use crate::limits::REGEX_BYTES;

/// A target in the form that is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
}

impl Target {
    /// Reads `/path?query`; a fragment, which no client sends, is dropped.
    pub(super) fn read(text: &str) -> Self {
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let query = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()));
        Self {
            path: normal_path(path),
            query: query.collect(),
        }
    }
}

/// Reads a target as scenarios write it: in a value of the form `/regex/` a `+` repeats and is no
/// space.
pub(super) fn read_wanted(text: &str) -> Target {
    let Some((path, query)) = text.split_once('?') else {
        return Target::read(text);
    };
    let parameters = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, value)) if regex_of(value).is_some() => {
                format!("{name}={}", value.replace('+', "%2B"))
            }
            _ => parameter.to_owned(),
        });
    let query: Vec<String> = parameters.collect();
    Target::read(&format!("{path}?{}", query.join("&")))
}

/// A path in which unreserved characters (RFC 3986, section 2.3) stand for themselves and other
/// escapes are upper case. Nothing else changes: `%2F` stays apart from `/`, `..` stays.
pub(super) fn normal_path(path: &str) -> String {
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        normal.push_str(before);
        let escaped = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped.filter(|_| !after.starts_with('+')) {
            Some(byte) => {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    normal.push(char::from(byte));
                } else {
                    normal.push_str(&format!("%{byte:02X}"));
                }
                rest = &after[2..];
            }
            None => {
                normal.push('%');
                rest = after;
            }
        }
    }
    normal.push_str(rest);
    normal
}

/// A `/regex/` in a query that does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value of `{name}` is not a regular expression: {why}")]
pub(super) struct BadRegex {
    pub(super) name: String,
    pub(super) why: String,
}

/// The parameters that a query must have.
#[derive(Clone, Debug)]
pub(super) struct QueryPattern {
    wanted: Vec<(String, Wanted)>,
}

#[derive(Clone, Debug)]
enum Wanted {
    Text(String),
    Regex(Regex),
}

impl Wanted {
    fn is_met_by(&self, value: &str) -> bool {
        match self {
            Self::Text(text) => text == value,
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}

impl QueryPattern {
    /// Values of the form `/re/`, with the flags `i` and `g` behind, are regular expressions that
    /// have to be found somewhere in the actual value; others are compared as they are.
    pub(super) fn compile(wanted: &[(String, String)]) -> Result<Self, BadRegex> {
        let compiled = wanted.iter().map(|(name, value)| {
            let Some((expression, ignore_case)) = regex_of(value) else {
                return Ok((name.clone(), Wanted::Text(value.clone())));
            };
            let regex = RegexBuilder::new(expression)
                .case_insensitive(ignore_case)
                .size_limit(REGEX_BYTES)
                .build();
            match regex {
                Ok(regex) => Ok((name.clone(), Wanted::Regex(regex))),
                Err(why) => Err(BadRegex {
                    name: name.clone(),
                    why: why.to_string(),
                }),
            }
        });
        Ok(Self {
            wanted: compiled.collect::<Result<_, _>>()?,
        })
    }

    /// Every value compared as it is.
    pub(super) fn literal(wanted: &[(String, String)]) -> Self {
        let literal =
            |(name, value): &(String, String)| (name.clone(), Wanted::Text(value.clone()));
        Self {
            wanted: wanted.iter().map(literal).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Whether every wanted parameter is in `query`.
    pub(super) fn is_within(&self, query: &[(String, String)]) -> bool {
        self.wanted.iter().all(|(name, wanted)| {
            query
                .iter()
                .any(|(given, value)| given == name && wanted.is_met_by(value))
        })
    }

    /// Whether `query` is this and nothing more, as sets of parameters.
    pub(super) fn is_exactly(&self, query: &[(String, String)]) -> bool {
        self.is_within(query) && query.iter().all(|(name, value)| self.wants(name, value))
    }

    /// Missing, different and (if `exact`) surplus parameters, wanted ones first.
    pub(super) fn differences(&self, query: &[(String, String)], exact: bool) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (name, wanted) in &self.wanted {
            if query
                .iter()
                .any(|(given, value)| given == name && wanted.is_met_by(value))
            {
                continue;
            }
            let expected = match wanted {
                Wanted::Text(text) => text.clone(),
                Wanted::Regex(regex) => format!("/{regex}/"),
            };
            let actual = query.iter().find(|(given, _)| given == name);
            differences.push(Difference::Query {
                name: name.clone(),
                expected: Some(expected),
                actual: actual.map(|(_, value)| value.clone()),
            });
        }
        // A parameter with another value was reported above, as what it should have been.
        let reported = |name: &str| {
            let mut wanted = self.wanted.iter();
            wanted.any(|(it, wanted)| {
                it == name && !query.iter().any(|(n, v)| n == name && wanted.is_met_by(v))
            })
        };
        for (name, value) in query {
            if exact && !self.wants(name, value) && !reported(name) {
                differences.push(Difference::Query {
                    name: name.clone(),
                    expected: None,
                    actual: Some(value.clone()),
                });
            }
        }
        differences
    }

    fn wants(&self, name: &str, value: &str) -> bool {
        self.wanted
            .iter()
            .any(|(wanted, it)| wanted == name && it.is_met_by(value))
    }
}

fn regex_of(value: &str) -> Option<(&str, bool)> {
    let (expression, flags) = value.strip_prefix('/')?.rsplit_once('/')?;
    let known = flags.len() <= 2 && flags.bytes().all(|flag| matches!(flag, b'i' | b'g'));
    (known && !expression.is_empty()).then_some((expression, flags.contains('i')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &str) -> Vec<(String, String)> {
        Target::read(&format!("/?{query}")).query
    }

    #[test]
    fn only_unreserved_escapes_are_resolved() {
        for (path, normal) in [
            ("/v1/%7euser%2Fx", "/v1/~user%2Fx"),
            ("/v1/a%2fb", "/v1/a%2Fb"),
            ("/v1/%2e%2e/x", "/v1/../x"),
            ("/100%", "/100%"),
            ("/%zz%4", "/%zz%4"),
            ("/%+1", "/%+1"),
            ("/%\u{e9}", "/%\u{e9}"),
        ] {
            assert_eq!(normal_path(path), normal, "{path}");
        }
    }

    #[test]
    fn queries_are_sets_of_decoded_pairs() {
        let pattern = QueryPattern::compile(&pairs("b=2&a=x%2Cy")).expect("no regex");
        assert!(pattern.is_exactly(&pairs("a=x,y&b=2")));
        assert!(!pattern.is_exactly(&pairs("a=x,y&b=2&c=3")));
        assert!(pattern.is_within(&pairs("a=x,y&b=2&c=3")));
        assert!(!pattern.is_within(&pairs("a=x,y")));
        assert!(!pattern.is_within(&pairs("")));
    }

    #[test]
    fn slashes_make_a_regular_expression() {
        let wanted = |value: &str| vec![("id".to_owned(), value.to_owned())];
        let matches = |wanted_value: &str, query: &str| {
            let pattern = QueryPattern::compile(&wanted(wanted_value)).expect("a regex");
            pattern.is_exactly(&pairs(query))
        };
        assert!(matches(r"/\boob-1\b/", "id=oob-2,oob-1"));
        assert!(!matches(r"/\boob-1\b/", "id=oob-11"));
        assert!(!matches("/OOB/", "id=oob"));
        assert!(matches("/OOB/i", "id=oob") && matches("/o/g", "id=oob"));
        assert!(matches("/a/x", "id=/a/x"), "an unknown flag makes it text");
        assert!(QueryPattern::compile(&wanted("/(/")).is_err());
    }

    #[test]
    fn a_plus_is_a_space_except_in_a_regular_expression() {
        let wanted = read_wanted(r"/x?a=/^\d+$/&b=1+2&c");
        let value = |index: usize| wanted.query[index].1.as_str();
        assert_eq!((value(0), value(1), value(2)), (r"/^\d+$/", "1 2", ""));
    }

    #[test]
    fn differences_name_the_parameter() {
        let pattern = QueryPattern::compile(&pairs("a=1&b=2")).expect("no regex");
        let lines: Vec<String> = pattern
            .differences(&pairs("a=9&c=3"), true)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "query `a`: expected `1`, was `9`",
                "query `b`: expected `2`, was not there",
                "query `c`: expected none, was `3`",
            ]
        );
        assert_eq!(pattern.differences(&pairs("a=1&b=2&c=3"), false), []);
    }
}

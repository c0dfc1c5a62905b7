//! Versions, read as node-semver reads them (contract 2.1).

use std::fmt;

/// node-semver refuses longer ones.
const MAX_LENGTH: usize = 256;
/// JavaScript's `Number.MAX_SAFE_INTEGER`.
const MAX_NUMBER: u64 = 9_007_199_254_740_991;

/// `major.minor.patch`; what follows was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    major: u64,
    minor: u64,
    patch: u64,
}

impl Version {
    /// Reads a full version, `v` in front, pre-release and build allowed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > MAX_LENGTH {
            return None;
        }
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        let (core, pre_release) = match text.split_once('-') {
            Some((core, pre_release)) => (core, Some(pre_release)),
            None => (text, None),
        };
        let identifiers = |text: &str, numbers_are_strict: bool| {
            text.split('.').all(|it| {
                let numeric = it.bytes().all(|byte| byte.is_ascii_digit());
                !it.is_empty()
                    && it
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                    && !(numbers_are_strict && numeric && it.len() > 1 && it.starts_with('0'))
            })
        };
        let well_formed = pre_release.is_none_or(|it| identifiers(it, true))
            && build.is_none_or(|it| identifiers(it, false));
        if well_formed {
            Self::parse_core(core)
        } else {
            None
        }
    }

    /// Reads exactly `x.y.z`: digits without leading zeros.
    pub(crate) fn parse_core(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(number);
        let version = Self {
            major: parts.next()??,
            minor: parts.next()??,
            patch: parts.next()??,
        };
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok().filter(|it| *it <= MAX_NUMBER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_contract_says() {
        for (text, reduced) in [
            ("2.0.0", Some("2.0.0")),
            ("2.0.0-development", Some("2.0.0")),
            ("v2.0.0", Some("2.0.0")),
            (" v2.0.0 ", Some("2.0.0")),
            ("0.0.0-unknown", Some("0.0.0")),
            ("1.1.3-sol-lp-mmflt", Some("1.1.3")),
            ("1.2.3+build.007", Some("1.2.3")),
            ("1.2.3-rc.1+b", Some("1.2.3")),
            ("9007199254740991.0.0", Some("9007199254740991.0.0")),
            ("9007199254740992.0.0", None),
            ("2.0", None),
            ("2.0.0.0", None),
            ("02.0.0", None),
            ("1.2.3-01", None),
            ("1.2.3-", None),
            ("1.2.3-a..b", None),
            ("1.2.3+", None),
            ("=1.2.3", None),
            ("V1.2.3", None),
            ("vv1.2.3", None),
            ("1.2.x", None),
            ("", None),
            ("main", None),
        ] {
            let read = Version::parse(text).map(|it| it.to_string());
            assert_eq!(read.as_deref(), reduced, "{text}");
        }
    }

    #[test]
    fn parts_compare_as_numbers() {
        assert!(Version::parse("2.10.0") > Version::parse("2.9.9"));
    }
}

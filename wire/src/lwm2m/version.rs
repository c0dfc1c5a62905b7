//! Versions: of LwM2M itself and of objects. Both are `major.minor`.

use std::fmt;
use std::str::FromStr;

/// `major.minor`, ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    /// Before the dot.
    pub major: u8,
    /// After it.
    pub minor: u8,
}

impl Version {
    /// 1.0
    pub const V1_0: Self = Self { major: 1, minor: 0 };
    /// 1.1
    pub const V1_1: Self = Self { major: 1, minor: 1 };
    /// 1.2
    pub const V1_2: Self = Self { major: 1, minor: 2 };
}

impl Default for Version {
    fn default() -> Self {
        Self::V1_0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().ok())?
        };
        text.split_once('.')
            .and_then(|(major, minor)| {
                Some(Self {
                    major: number(major)?,
                    minor: number(minor)?,
                })
            })
            .ok_or_else(|| {
                let shown: String = text.chars().take(20).collect();
                format!("`{shown}` is no version such as 1.1")
            })
    }
}

impl<'de> serde::Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_two_numbers_and_ordered_by_them() {
        assert_eq!("1.1".parse(), Ok(Version::V1_1));
        assert!("1.10".parse::<Version>().unwrap() > Version::V1_2);
        for text in ["1", "1.", ".1", "1.1.1", "v1.1", "+1.1", "1.999"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}

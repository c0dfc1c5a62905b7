//! Single parameters of Register and Update: what each may be, and how it is written.

use super::{Binding, Refused};
use crate::coap::Code;
use crate::lwm2m::limits;
use crate::lwm2m::version::Version;

impl Binding {
    /// Reads `b=`; whether Q is in it, too.
    fn parse(text: &str, version: Version) -> Result<(Self, bool), Refused> {
        let mut binding = Self {
            udp: false,
            ..Self::default()
        };
        let mut queue = false;
        for letter in text.chars() {
            let place = match letter {
                'U' => &mut binding.udp,
                'S' => &mut binding.sms,
                'T' if version >= Version::V1_1 => &mut binding.tcp,
                'N' if version >= Version::V1_1 => &mut binding.non_ip,
                'Q' if version < Version::V1_1 => &mut queue,
                'Q' => {
                    return Err(bad(
                        "b",
                        "since 1.1 queue mode is a parameter of its own, `Q`",
                    ));
                }
                other => return Err(bad("b", format!("`{other}` is no binding of {version}"))),
            };
            if std::mem::replace(place, true) {
                return Err(bad("b", format!("`{letter}` is there twice")));
            }
        }
        // 1.0 lists its six modes: U, UQ, S, SQ, US, UQS.
        let listed = ["U", "UQ", "S", "SQ", "US", "UQS"].contains(&text);
        if text.is_empty() || (version < Version::V1_1 && !listed) {
            let shown: String = text.chars().take(20).collect();
            return Err(bad("b", format!("`{shown}` is no binding of {version}")));
        }
        Ok((binding, queue))
    }

    /// As 1.0 or 1.1 writes it.
    pub(super) fn written(self, version: Version, queue: bool) -> String {
        let queue = queue && version < Version::V1_1;
        let letters = [
            (self.udp, 'U'),
            // UQS, but SQ: the order of 1.0's list.
            (queue && self.udp, 'Q'),
            (self.tcp, 'T'),
            (self.sms, 'S'),
            (queue && !self.udp, 'Q'),
            (self.non_ip, 'N'),
        ];
        letters
            .iter()
            .filter(|(there, _)| *there)
            .map(|(_, letter)| *letter)
            .collect()
    }
}

/// Uri-Query options by name.
pub(super) struct Parameters<'a> {
    list: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Parameters<'a> {
    pub(super) fn read(query: impl IntoIterator<Item = &'a str>) -> Result<Self, Refused> {
        let mut list: Vec<(&str, Option<&str>)> = Vec::new();
        for item in query {
            let (name, value) = match item.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (item, None),
            };
            if list.len() == limits::PARAMETERS {
                return Err(bad(
                    name,
                    format!("more than {} parameters", limits::PARAMETERS),
                ));
            }
            if list.iter().any(|(known, _)| *known == name) {
                return Err(bad(name, "it is there twice"));
            }
            list.push((name, value));
        }
        Ok(Self { list })
    }

    fn find(&self, name: &str) -> Option<Option<&'a str>> {
        let found = self.list.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    }

    /// The value; a bare name has an empty one.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.find(name).map(Option::unwrap_or_default)
    }

    pub(super) fn lifetime(&self) -> Result<Option<u32>, Refused> {
        let Some(text) = self.get("lt") else {
            return Ok(None);
        };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let lifetime = text.parse().ok().filter(|_| digits);
        let bounds = limits::SHORTEST_LIFETIME..=limits::LONGEST_LIFETIME;
        let fits = lifetime.filter(|lifetime| bounds.contains(lifetime));
        let why = || {
            format!(
                "it is a number of seconds from {} to {}",
                bounds.start(),
                bounds.end()
            )
        };
        fits.map(Some).ok_or_else(|| bad("lt", why()))
    }

    pub(super) fn binding(
        &self,
        version: Version,
    ) -> Result<(Option<Binding>, Option<bool>), Refused> {
        let bare = match self.find("Q") {
            None => false,
            Some(None) if version >= Version::V1_1 => true,
            Some(None) => return Err(bad("Q", "in 1.0 queue mode is a letter of `b`")),
            Some(Some(_)) => return Err(bad("Q", "it has no value")),
        };
        let Some(text) = self.get("b") else {
            return Ok((None, bare.then_some(true)));
        };
        let (binding, queue) = Binding::parse(text, version)?;
        Ok((Some(binding), Some(queue || bare)))
    }

    pub(super) fn sms(&self) -> Result<Option<String>, Refused> {
        let Some(number) = self.get("sms") else {
            return Ok(None);
        };
        let digits = number.strip_prefix('+').unwrap_or(number);
        let fine = !digits.is_empty()
            && number.len() <= limits::SMS_LENGTH
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = fine.then(|| Some(number.to_owned()));
        number.ok_or_else(|| bad("sms", "it is no phone number"))
    }
}

/// 4.00 for a parameter.
pub(super) fn bad(parameter: &str, why: impl Into<String>) -> Refused {
    let parameter: String = parameter.chars().take(20).collect();
    Refused {
        code: Code::BAD_REQUEST,
        why: format!("parameter `{parameter}`: {}", why.into()),
    }
}

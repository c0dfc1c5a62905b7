//! Register and Update: query parameters and the list of objects (TS 1.1 C 6.2, contract 2.1).
//!
//! Parameters are the Uri-Query options of the request, each `name=value` or a bare `Q`, in any
//! order. Errors carry the CoAP code that a server should answer.

mod objects;

pub use objects::{ListedObject, ObjectList};

use thiserror::Error;

use super::code::Code;
use super::error::DecodeError;
use super::limits;
use super::version::Version;

/// A refusal, with the code to answer.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{code}: {why}")]
pub struct Refused {
    /// What to answer.
    pub code: Code,
    /// Why, for people.
    pub why: String,
}

/// Transports that a device can be reached over: `b=`, without the queue mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Binding {
    /// U
    pub udp: bool,
    /// T, since 1.1.
    pub tcp: bool,
    /// S
    pub sms: bool,
    /// N, since 1.1.
    pub non_ip: bool,
}

/// A Register request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// `ep`
    pub endpoint: String,
    /// `lt`, seconds; [`limits::DEFAULT_LIFETIME`] when it is not there.
    pub lifetime: u32,
    /// `lwm2m`; 1.0 when it is not there.
    pub version: Version,
    /// `b`; UDP when it is not there.
    pub binding: Binding,
    /// Queue mode: Q in `b` (1.0), or the parameter `Q` (1.1).
    pub queue: bool,
    /// `sms`, a phone number.
    pub sms: Option<String>,
    /// The payload.
    pub objects: ObjectList,
}

/// An Update request: only what changes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Update {
    /// `lt`, seconds.
    pub lifetime: Option<u32>,
    /// `b`
    pub binding: Option<Binding>,
    /// Queue mode, when `b` is there (1.0) or `Q` is (1.1).
    pub queue: Option<bool>,
    /// `sms`
    pub sms: Option<String>,
    /// The whole list again, if it is there.
    pub objects: Option<ObjectList>,
}

impl Default for Binding {
    fn default() -> Self {
        Self {
            udp: true,
            tcp: false,
            sms: false,
            non_ip: false,
        }
    }
}

impl Registration {
    /// For a device: UDP, no queue mode, the default lifetime.
    #[must_use]
    pub fn new(endpoint: impl Into<String>, version: Version, objects: ObjectList) -> Self {
        Self {
            endpoint: endpoint.into(),
            lifetime: limits::DEFAULT_LIFETIME,
            version,
            binding: Binding::default(),
            queue: false,
            sms: None,
            objects,
        }
    }

    /// Reads a Register request.
    ///
    /// `secured` is the endpoint name that the DTLS identity belongs to: another `ep` is 4.00, and
    /// a 1.1 device may then leave `ep` out. `newest` is the newest version spoken: above it 4.12,
    /// after which a device tries an older one.
    pub fn parse<'a>(
        query: impl IntoIterator<Item = &'a str>,
        content_format: Option<u16>,
        payload: &[u8],
        secured: Option<&str>,
        newest: Version,
    ) -> Result<Self, Refused> {
        let parameters = Parameters::read(query)?;
        let version = match parameters.get("lwm2m") {
            Some(version) => version.parse().map_err(|why| bad("lwm2m", why))?,
            None => Version::V1_0,
        };
        // Before all else: what a newer version means by the rest is not known here.
        if version < Version::V1_0 || version > newest {
            let why = format!("LwM2M {version} is not spoken, 1.0 to {newest} are");
            return Err(Refused {
                code: Code::PRECONDITION_FAILED,
                why,
            });
        }
        let endpoint = match (parameters.get("ep"), secured) {
            (Some(""), _) => return Err(bad("ep", "it is empty")),
            (Some(endpoint), Some(secured)) if endpoint != secured => {
                return Err(bad("ep", "it does not belong to the security identity"));
            }
            (Some(endpoint), _) => endpoint,
            (None, Some(secured)) if version >= Version::V1_1 => secured,
            (None, _) => return Err(bad("ep", "it is missing")),
        };
        if endpoint.len() > limits::ENDPOINT_LENGTH {
            let why = format!("it is longer than {} bytes", limits::ENDPOINT_LENGTH);
            return Err(bad("ep", why));
        }
        let (binding, queue) = parameters.binding(Some(version))?;
        let objects = object_list(content_format, payload)?;
        Ok(Self {
            endpoint: endpoint.to_owned(),
            lifetime: parameters.lifetime()?.unwrap_or(limits::DEFAULT_LIFETIME),
            version,
            binding: binding.unwrap_or_default(),
            queue: queue.unwrap_or(false),
            sms: parameters.sms()?,
            objects,
        })
    }

    /// The Uri-Query options of the request, in the order of the specification's table.
    #[must_use]
    pub fn query(&self) -> Vec<String> {
        let mut query = vec![
            format!("ep={}", self.endpoint),
            format!("lt={}", self.lifetime),
            format!("lwm2m={}", self.version),
        ];
        if self.binding != Binding::default() || (self.queue && self.version < Version::V1_1) {
            query.push(format!(
                "b={}",
                self.binding.written(self.version, self.queue)
            ));
        }
        if self.queue && self.version >= Version::V1_1 {
            query.push("Q".to_owned());
        }
        query.extend(self.sms.as_ref().map(|sms| format!("sms={sms}")));
        query
    }

    /// Takes in an update.
    pub fn apply(&mut self, update: Update) {
        self.lifetime = update.lifetime.unwrap_or(self.lifetime);
        self.binding = update.binding.unwrap_or(self.binding);
        self.queue = update.queue.unwrap_or(self.queue);
        self.sms = update.sms.or(self.sms.take());
        if let Some(objects) = update.objects {
            self.objects = objects;
        }
    }
}

impl Update {
    /// Reads an Update request to a registration of this version.
    pub fn parse<'a>(
        query: impl IntoIterator<Item = &'a str>,
        content_format: Option<u16>,
        payload: &[u8],
        version: Version,
    ) -> Result<Self, Refused> {
        let parameters = Parameters::read(query)?;
        for name in ["ep", "lwm2m"] {
            if parameters.get(name).is_some() {
                return Err(bad(name, "it cannot change in an update"));
            }
        }
        let (binding, queue) = parameters.binding(Some(version))?;
        let objects = match payload {
            [] => None,
            payload => Some(object_list(content_format, payload)?),
        };
        Ok(Self {
            lifetime: parameters.lifetime()?,
            binding,
            queue,
            sms: parameters.sms()?,
            objects,
        })
    }

    /// The Uri-Query options of the request, for a registration of this version.
    #[must_use]
    pub fn query(&self, version: Version) -> Vec<String> {
        let mut query: Vec<String> = Vec::new();
        query.extend(self.lifetime.map(|lifetime| format!("lt={lifetime}")));
        let queue = self.queue.unwrap_or(false);
        if self.binding.is_some() || (self.queue.is_some() && version < Version::V1_1) {
            let binding = self.binding.unwrap_or_default();
            query.push(format!("b={}", binding.written(version, queue)));
        }
        if queue && version >= Version::V1_1 {
            query.push("Q".to_owned());
        }
        query.extend(self.sms.as_ref().map(|sms| format!("sms={sms}")));
        query
    }
}

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
    fn written(self, version: Version, queue: bool) -> String {
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

struct Parameters<'a> {
    list: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Parameters<'a> {
    fn read(query: impl IntoIterator<Item = &'a str>) -> Result<Self, Refused> {
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
    fn get(&self, name: &str) -> Option<&'a str> {
        self.find(name).map(Option::unwrap_or_default)
    }

    fn lifetime(&self) -> Result<Option<u32>, Refused> {
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

    fn binding(
        &self,
        version: Option<Version>,
    ) -> Result<(Option<Binding>, Option<bool>), Refused> {
        let version = version.unwrap_or_default();
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

    fn sms(&self) -> Result<Option<String>, Refused> {
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

fn object_list(content_format: Option<u16>, payload: &[u8]) -> Result<ObjectList, Refused> {
    use super::format::ContentFormat;
    if let Some(number) = content_format.filter(|number| *number != ContentFormat::Link.number()) {
        let why = format!("the list of objects is in content format 40, not {number}");
        return Err(Refused {
            code: Code::UNSUPPORTED_CONTENT_FORMAT,
            why,
        });
    }
    ObjectList::parse(payload).map_err(|error: DecodeError| Refused {
        code: error.code(),
        why: error.to_string(),
    })
}

fn bad(parameter: &str, why: impl Into<String>) -> Refused {
    let parameter: String = parameter.chars().take(20).collect();
    Refused {
        code: Code::BAD_REQUEST,
        why: format!("parameter `{parameter}`: {}", why.into()),
    }
}

#[cfg(test)]
mod tests;

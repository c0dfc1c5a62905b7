//! Register and Update: query parameters and the list of objects (TS 1.1 C 6.2, contract 2.1).
//!
//! Parameters are the Uri-Query options of the request, each `name=value` or a bare `Q`, in any
//! order. Errors carry the CoAP code that a server should answer.

mod objects;
mod parameters;

pub use objects::{ListedObject, ObjectList};

use parameters::{Parameters, bad};
use thiserror::Error;

use super::error::DecodeError;
use super::limits;
use super::version::Version;
use crate::coap::Code;

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
        let (binding, queue) = parameters.binding(version)?;
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
        let (binding, queue) = parameters.binding(version)?;
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

#[cfg(test)]
mod tests;

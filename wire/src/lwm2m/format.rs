//! Content formats, and which one to speak (contract, section 2.6).

use std::fmt;

use super::path::Path;
use super::version::Version;
use crate::coap::Code;

/// A CoAP content format that LwM2M 1.0 and 1.1 use, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum ContentFormat {
    /// `text/plain`: one value; opaque as base64.
    Text = 0,
    /// `application/link-format`: register, discover.
    Link = 40,
    /// `application/octet-stream`: one opaque value, such as firmware.
    Opaque = 42,
    /// `application/cbor`: one value, since 1.1.
    Cbor = 60,
    /// `application/senml+json`, since 1.1.
    SenmlJson = 110,
    /// `application/senml+cbor`, since 1.1.
    SenmlCbor = 112,
    /// `application/vnd.oma.lwm2m+tlv`.
    Tlv = 11_542,
    /// `application/vnd.oma.lwm2m+json`, of 1.0.
    Json = 11_543,
}

/// Why no format could be agreed on, as the code to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The Accept option names a format that cannot carry this answer: 4.06.
    #[error("content format {0} cannot be answered in")]
    NotAcceptable(u16),
    /// The payload is in a format that is not read: 4.15.
    #[error("content format {0} is not understood")]
    Unsupported(u16),
}

impl FormatError {
    /// 4.06 or 4.15.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::NotAcceptable(_) => Code::NOT_ACCEPTABLE,
            Self::Unsupported(_) => Code::UNSUPPORTED_CONTENT_FORMAT,
        }
    }
}

impl ContentFormat {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Text,
        Self::Link,
        Self::Opaque,
        Self::Cbor,
        Self::SenmlJson,
        Self::SenmlCbor,
        Self::Tlv,
        Self::Json,
    ];

    /// Its number in CoAP options.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// By number. The numbers from before the registration at IANA (1541 to 1543, still sent by
    /// old Wakaama and Zephyr) are understood.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        match number {
            1541 => Some(Self::Text),
            1542 => Some(Self::Tlv),
            1543 => Some(Self::Json),
            _ => Self::ALL
                .into_iter()
                .find(|format| format.number() == number),
        }
    }

    /// The first version of LwM2M that has it.
    #[must_use]
    pub const fn since(self) -> Version {
        match self {
            Self::Cbor | Self::SenmlJson | Self::SenmlCbor => Version::V1_1,
            _ => Version::V1_0,
        }
    }

    /// Whether it carries one value only.
    #[must_use]
    pub const fn is_single_value(self) -> bool {
        matches!(self, Self::Text | Self::Opaque | Self::Cbor)
    }

    /// Whether it can carry what is at a path: single-value formats only a resource or a resource
    /// instance, link format no value at all, TLV and old JSON no root (composite).
    #[must_use]
    pub const fn carries(self, path: Path) -> bool {
        match self {
            Self::Text | Self::Opaque | Self::Cbor => path.depth() >= 3,
            Self::Link => false,
            Self::SenmlJson | Self::SenmlCbor => true,
            Self::Tlv | Self::Json => path.depth() >= 1,
        }
    }

    /// What a device answers a read in: what Accept asks for, if it can be; without one the
    /// default of its version, which is TLV in 1.0 and SenML CBOR in 1.1 for more than a value.
    ///
    /// `single` says that the answer is one single resource or one resource instance.
    pub fn for_answer(
        accept: Option<u16>,
        version: Version,
        path: Path,
        single: bool,
    ) -> Result<Self, FormatError> {
        let Some(number) = accept else {
            return Ok(match (single, version < Version::V1_1) {
                (true, true) => Self::Text,
                (false, true) => Self::Tlv,
                (_, false) => Self::SenmlCbor,
            });
        };
        Self::from_number(number)
            .filter(|format| format.since() <= version && format.carries(path))
            .filter(|format| single || !format.is_single_value())
            .ok_or(FormatError::NotAcceptable(number))
    }

    /// As what a received payload is read; without a Content-Format option as octets, which is
    /// CoAP's own rule (RFC 7252, 5.5.1), where that can be, and 4.15 where not.
    pub fn of_payload(content_format: Option<u16>, path: Path) -> Result<Self, FormatError> {
        let number = content_format.unwrap_or(Self::Opaque.number());
        Self::from_number(number)
            .filter(|format| format.carries(path))
            .ok_or(FormatError::Unsupported(number))
    }

    /// What a server writes in: a value alone as text, bytes alone as octets, the rest in the
    /// best of what the device prefers, or TLV (1.0) and SenML CBOR (1.1).
    #[must_use]
    pub fn for_request(version: Version, preferred: &[Self], path: Path) -> Self {
        preferred
            .iter()
            .copied()
            .find(|format| {
                format.carries(path) && !format.is_single_value() && format.since() <= version
            })
            .unwrap_or(if version < Version::V1_1 {
                Self::Tlv
            } else {
                Self::SenmlCbor
            })
    }
}

impl fmt::Display for ContentFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Link => "link format",
            Self::Opaque => "octet",
            Self::Cbor => "CBOR",
            Self::SenmlJson => "SenML JSON",
            Self::SenmlCbor => "SenML CBOR",
            Self::Tlv => "TLV",
            Self::Json => "LwM2M JSON",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_decides_and_an_impossible_one_is_4_06() {
        let instance = Path::instance(5, 0);
        let state = Path::resource(5, 0, 3);
        let answer = ContentFormat::for_answer;
        assert_eq!(
            answer(Some(11_542), Version::V1_0, instance, false),
            Ok(ContentFormat::Tlv)
        );
        assert_eq!(
            answer(Some(1542), Version::V1_0, instance, false),
            Ok(ContentFormat::Tlv)
        );
        assert_eq!(
            answer(None, Version::V1_0, instance, false),
            Ok(ContentFormat::Tlv)
        );
        assert_eq!(
            answer(None, Version::V1_1, instance, false),
            Ok(ContentFormat::SenmlCbor)
        );
        assert_eq!(
            answer(None, Version::V1_0, state, true),
            Ok(ContentFormat::Text)
        );
        for (accept, path, single) in [
            (0, instance, false),
            (60, state, true),
            (65_000, state, true),
        ] {
            let error = answer(Some(accept), Version::V1_0, path, single).unwrap_err();
            assert_eq!(error.code(), Code::NOT_ACCEPTABLE, "{accept}");
        }
        // A multiple resource is no single value.
        assert!(answer(Some(0), Version::V1_1, Path::resource(3, 0, 6), false).is_err());
    }

    #[test]
    fn a_payload_nobody_reads_is_4_15() {
        let package = Path::resource(5, 0, 0);
        assert_eq!(
            ContentFormat::of_payload(None, package),
            Ok(ContentFormat::Opaque)
        );
        let error = ContentFormat::of_payload(Some(41), package).unwrap_err();
        assert_eq!(error.code().to_string(), "4.15");
        assert!(ContentFormat::of_payload(Some(0), Path::instance(5, 0)).is_err());
    }

    #[test]
    fn requests_use_what_the_device_prefers() {
        let path = Path::instance(1, 0);
        let preferred = [ContentFormat::Cbor, ContentFormat::SenmlJson];
        assert_eq!(
            ContentFormat::for_request(Version::V1_1, &preferred, path),
            ContentFormat::SenmlJson
        );
        assert_eq!(
            ContentFormat::for_request(Version::V1_0, &preferred, path),
            ContentFormat::Tlv
        );
    }
}

//! The vocabulary of Firmware Update, /5: states, results, ways of delivery; and [`transitions`],
//! what may become of what (contract, section 1).

mod table;
pub mod transitions;

use std::fmt;

use super::path::Path;

/// The object id.
pub const OBJECT: u16 = 5;
/// /5/0, the only instance.
pub const INSTANCE: Path = Path::instance(OBJECT, 0);
/// /5/0/0, pushed bytes.
pub const PACKAGE: Path = Path::resource(OBJECT, 0, 0);
/// /5/0/1, where to pull from.
pub const PACKAGE_URI: Path = Path::resource(OBJECT, 0, 1);
/// /5/0/2, executed to install.
pub const UPDATE: Path = Path::resource(OBJECT, 0, 2);
/// /5/0/3, see [`State`].
pub const STATE: Path = Path::resource(OBJECT, 0, 3);
/// /5/0/5, see [`UpdateResult`].
pub const RESULT: Path = Path::resource(OBJECT, 0, 5);
/// /5/0/6
pub const PACKAGE_NAME: Path = Path::resource(OBJECT, 0, 6);
/// /5/0/7
pub const PACKAGE_VERSION: Path = Path::resource(OBJECT, 0, 7);
/// /5/0/8, see [`Protocol`]; multiple.
pub const PROTOCOLS: Path = Path::resource(OBJECT, 0, 8);
/// /5/0/9, see [`Delivery`].
pub const DELIVERY: Path = Path::resource(OBJECT, 0, 9);
/// /5/0/10, executed to cancel; object 1.1.
pub const CANCEL: Path = Path::resource(OBJECT, 0, 10);
/// /5/0/11, see [`Severity`]; object 1.1.
pub const SEVERITY: Path = Path::resource(OBJECT, 0, 11);
/// /5/0/12, time of the last change of state; object 1.1.
pub const LAST_STATE_CHANGE: Path = Path::resource(OBJECT, 0, 12);
/// /5/0/13, seconds that an update may be put off; object 1.1.
pub const MAXIMUM_DEFER: Path = Path::resource(OBJECT, 0, 13);
/// /5/0/14, install without an Execute; object 1.2.
pub const AUTOMATIC: Path = Path::resource(OBJECT, 0, 14);
/// /3/0/3, the firmware that runs.
pub const RUNNING_VERSION: Path = Path::resource(3, 0, 3);

/// Longest Package URI, name and version, in bytes.
pub const TEXT_LENGTH: usize = 255;

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $number:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$item_doc])* $item = $number,)* }

        impl $name {
            /// All of them, by number.
            pub const ALL: &'static [Self] = &[$(Self::$item,)*];

            /// By the number on the wire.
            #[must_use]
            pub fn from_number(number: i64) -> Option<Self> {
                match number { $($number => Some(Self::$item),)* _ => None }
            }

            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> i64 {
                self as i64
            }

            /// Its name in reports and scenarios.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$item => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

numbered! {
    /// /5/0/3
    State {
        /// Nothing there, nothing happening.
        Idle = 0, "idle";
        /// Bytes are arriving.
        Downloading = 1, "downloading";
        /// A whole image waits for Execute.
        Downloaded = 2, "downloaded";
        /// Being installed.
        Updating = 3, "updating";
    }
}

numbered! {
    /// /5/0/5. Numbers from 12 on are a vendor's; treat them as failures.
    UpdateResult {
        /// Nothing to tell; set whenever a download or an update begins.
        Initial = 0, "initial";
        /// The new firmware runs.
        Success = 1, "success";
        /// The image does not fit the flash.
        NotEnoughFlash = 2, "not enough flash";
        /// The image does not fit the memory while it arrives.
        OutOfRam = 3, "out of RAM";
        /// The download broke off.
        ConnectionLost = 4, "connection lost";
        /// The image is damaged.
        IntegrityFailure = 5, "integrity check failed";
        /// The image is of no kind the device knows.
        UnsupportedPackage = 6, "unsupported package type";
        /// The URI is malformed or leads nowhere.
        InvalidUri = 7, "invalid URI";
        /// Installing failed.
        UpdateFailed = 8, "update failed";
        /// The scheme of the URI is not supported.
        UnsupportedProtocol = 9, "unsupported protocol";
        /// Cancelled by the server; object 1.1.
        Cancelled = 10, "cancelled";
        /// Put off by the device; object 1.1.
        Deferred = 11, "deferred";
    }
}

numbered! {
    /// An instance of /5/0/8: what a device can pull with.
    Protocol {
        /// `coap://`
        Coap = 0, "coap";
        /// `coaps://`
        Coaps = 1, "coaps";
        /// `http://`
        Http = 2, "http";
        /// `https://`
        Https = 3, "https";
        /// `coap+tcp://`
        CoapTcp = 4, "coap+tcp";
        /// `coaps+tcp://`
        CoapTls = 5, "coaps+tcp";
    }
}

numbered! {
    /// /5/0/9
    Delivery {
        /// Package URI only.
        Pull = 0, "pull";
        /// Package only.
        Push = 1, "push";
        /// Either.
        Both = 2, "both";
    }
}

numbered! {
    /// /5/0/11, object 1.1.
    Severity {
        /// To be installed at once.
        Critical = 0, "critical";
        /// The default.
        Mandatory = 1, "mandatory";
        /// May be refused.
        Optional = 2, "optional";
    }
}

impl UpdateResult {
    /// Whether it tells of a failure. Cancelled and deferred are none.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        (self as u8) >= 2 && (self as u8) <= 9
    }
}

impl Protocol {
    /// By the scheme of a URI; `None` for other schemes and what is no URI.
    #[must_use]
    pub fn of_uri(uri: &str) -> Option<Self> {
        let (scheme, _) = uri.split_once("://")?;
        let same = |protocol: &&Self| protocol.name().eq_ignore_ascii_case(scheme);
        Self::ALL.iter().find(same).copied()
    }
}

impl Delivery {
    /// Whether Package URI may be written.
    #[must_use]
    pub const fn can_pull(self) -> bool {
        !matches!(self, Self::Push)
    }

    /// Whether Package may be written.
    #[must_use]
    pub const fn can_push(self) -> bool {
        !matches!(self, Self::Pull)
    }
}

/// Whether a value written to Package resets: a single NUL byte, or nothing.
#[must_use]
pub const fn is_reset_package(package: &[u8]) -> bool {
    matches!(package, [] | [0])
}

/// Whether a value written to Package URI resets: an empty one.
#[must_use]
pub const fn is_reset_uri(uri: &str) -> bool {
    uri.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_wire() {
        assert_eq!(State::ALL.len(), 4);
        assert_eq!(UpdateResult::ALL.len(), 12);
        for (number, result) in (0..).zip(UpdateResult::ALL) {
            assert_eq!(UpdateResult::from_number(number), Some(*result));
            assert_eq!(result.number(), number);
            assert_eq!(result.is_failure(), (2..=9).contains(&number));
        }
        assert_eq!(UpdateResult::from_number(12), None);
        assert_eq!(State::from_number(-1), None);
    }

    #[test]
    fn a_scheme_says_the_protocol() {
        assert_eq!(Protocol::of_uri("coap+tcp://a/b"), Some(Protocol::CoapTcp));
        assert_eq!(Protocol::of_uri("HTTPS://a"), Some(Protocol::Https));
        assert_eq!(Protocol::of_uri("ftp://a"), None);
        assert_eq!(Protocol::of_uri("coap:a"), None);
    }

    #[test]
    fn the_paths_are_defined() {
        let mut definitions = crate::lwm2m::Definitions::core(crate::lwm2m::Version::V1_1);
        definitions.set_version(OBJECT, crate::lwm2m::Version::V1_2);
        let paths = [
            PACKAGE,
            PACKAGE_URI,
            UPDATE,
            STATE,
            RESULT,
            PACKAGE_NAME,
            PACKAGE_VERSION,
            PROTOCOLS,
            DELIVERY,
            CANCEL,
            SEVERITY,
            LAST_STATE_CHANGE,
            MAXIMUM_DEFER,
            AUTOMATIC,
            RUNNING_VERSION,
        ];
        assert!(
            paths
                .iter()
                .all(|path| definitions.resource(*path).is_some())
        );
        assert!(is_reset_package(&[0]) && is_reset_package(&[]) && !is_reset_package(&[0, 0]));
    }
}

//! The parameters of a firmware task, as text, and what they mean (contract 3.3).

use fotalab_wire::net::UnixMillis;

use crate::core::firmware::{Scheme, Watch};

/// Name and value of each, in the order in which they were given; of a name twice the last counts.
pub(crate) type Parameters = Vec<(String, String)>;

/// What a firmware task is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The resource with the image.
    pub(crate) resource: String,
    /// How it gets to the device.
    pub(crate) transfer: Transfer,
    /// For the whole of it, in milliseconds.
    pub(crate) timeout: UnixMillis,
    /// It needs a share of the quota.
    pub(crate) quota: bool,
    /// How the device is watched.
    pub(crate) watch: Watch,
    /// Nothing else is done on the device meanwhile.
    pub(crate) blocking: bool,
    /// State and Result are taken from what is known.
    pub(crate) cached_start: bool,
    /// What the device offers is looked at first.
    pub(crate) check: bool,
    /// A request without an answer is repeated when the device is heard of.
    pub(crate) resume: bool,
    /// The registration is made to outlast the transfer.
    pub(crate) extend_lifetime: bool,
}

/// How an image gets to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transfer {
    /// By Block1.
    Push,
    /// By a URI of this scheme.
    Pull(Protocol),
}

/// Protocols that the API knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Https,
    Coap,
    Coaps,
    CoapTcp,
    CoapTls,
}

impl Protocol {
    const ALL: [(&'static str, Self, &'static str, i64); 6] = [
        ("HTTP", Self::Http, "http", 2),
        ("HTTPS", Self::Https, "https", 3),
        ("COAP", Self::Coap, "coap", 0),
        ("COAPS", Self::Coaps, "coaps", 1),
        ("COAP_TCP", Self::CoapTcp, "coap+tcp", 4),
        ("COAP_TLS", Self::CoapTls, "coaps+tcp", 5),
    ];

    /// As the API writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|it| it.0 == text);
        found.map(|it| it.1)
    }

    /// As the API writes it.
    pub(crate) fn name(self) -> &'static str {
        self.entry().0
    }

    /// As a URI begins with it.
    pub(crate) fn of_uri(uri: &str) -> Option<Self> {
        let (scheme, _) = uri.split_once("://")?;
        let found = Self::ALL
            .iter()
            .find(|it| it.2.eq_ignore_ascii_case(scheme));
        found.map(|it| it.1)
    }

    /// Its number in /5/0/8.
    pub(crate) fn number(self) -> i64 {
        self.entry().3
    }

    /// The scheme of this server's own URIs; `None` of what it does not serve.
    pub(crate) fn scheme(self) -> Option<Scheme> {
        match self {
            Self::Http => Some(Scheme::Http),
            Self::Coap => Some(Scheme::Coap),
            Self::Coaps => Some(Scheme::Coaps),
            Self::Https | Self::CoapTcp | Self::CoapTls => None,
        }
    }

    fn entry(self) -> (&'static str, Self, &'static str, i64) {
        let found = Self::ALL.into_iter().find(|it| it.1 == self);
        found.unwrap_or(Self::ALL[0])
    }
}

impl Plan {
    /// Reads parameters. What is wrong is said as a report says it.
    pub(crate) fn of(parameters: &Parameters) -> Result<Self, String> {
        let given = |name: &str| {
            let last = parameters.iter().rev().find(|(it, _)| it == name);
            last.map(|(_, value)| value.as_str())
        };
        let truth = |name: &str, default: bool| match given(name) {
            None => Ok(default),
            Some(text) => boolean(text).ok_or_else(|| format!("Invalid value of {name}: {text}")),
        };
        let method = given("transferMethod").unwrap_or("Pull");
        let transfer = match method.strip_prefix("TransferMethod.").unwrap_or(method) {
            "Push" => Transfer::Push,
            "Pull" => {
                // The template's own text for a parameter that nobody gave.
                let protocol = given("transferProtocol").unwrap_or("${sv.transferProtocol}");
                let bare = protocol.strip_prefix("TransferProtocol.");
                let known = Protocol::parse(bare.unwrap_or(protocol));
                Transfer::Pull(known.ok_or_else(|| format!("Unknown protocol: {protocol}"))?)
            }
            _ => return Err(format!("Unknown transfer method: {method}")),
        };
        // The how-to writes `resourceID` in its cURL example.
        let resource = given("resourceId").or_else(|| given("resourceID"));
        let resource = resource.ok_or("Missing parameter: resourceId")?;
        let timeout = given("timeout").unwrap_or("20m");
        let timeout =
            duration(timeout).ok_or_else(|| format!("Invalid value of timeout: {timeout}"))?;
        let strategy = given("upgradeStrategy").unwrap_or("WithoutObservations");
        let observes = truth("useObservation", false)?;
        let watch = match strategy
            .strip_prefix("UpgradeStrategy.")
            .unwrap_or(strategy)
        {
            "WithoutObservations" if observes => Watch::StateAndResult,
            "WithoutObservations" => Watch::Uplinks,
            "ObservationTrigger" => Watch::Triggered,
            "ObservationBased" => Watch::Instance,
            "SendBased" => Watch::Sent,
            _ => return Err(format!("Unknown upgrade strategy: {strategy}")),
        };
        Ok(Self {
            resource: resource.to_owned(),
            transfer,
            timeout,
            quota: truth("useQuota", true)?,
            watch,
            blocking: truth("blocking", true)?,
            cached_start: truth("useCacheForInitialStateRead", false)?,
            check: truth("checkDeliveryAndProtocol", true)?,
            resume: truth("resumeAfterDownlinkFailure", false)?,
            extend_lifetime: truth("extendLifetime", false)?,
        })
    }
}

/// `true` and `false` in whichever case: Python writes `True`.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// `20m`, `1200s`, `2h`, `1d`, in milliseconds; nothing that is zero or longer than a year.
pub(crate) fn duration(text: &str) -> Option<UnixMillis> {
    let unit = text.chars().last()?;
    let second = 1_000;
    let unit_millis = match unit {
        's' => second,
        'm' => 60 * second,
        'h' => 3_600 * second,
        'd' => 24 * 3_600 * second,
        _ => return None,
    };
    let length = text.get(..text.len() - 1)?;
    let digits = (1..=9).contains(&length.len()) && length.bytes().all(|it| it.is_ascii_digit());
    let length: UnixMillis = length.parse().ok().filter(|_| digits)?;
    let whole = length.checked_mul(unit_millis)?;
    (1..=366 * 24 * 3_600 * second)
        .contains(&whole)
        .then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(pairs: &[(&str, &str)]) -> Result<Plan, String> {
        let pairs = pairs.iter();
        Plan::of(&pairs.map(|(a, b)| (a.to_string(), b.to_string())).collect())
    }

    const LEAST: [(&str, &str); 2] = [("resourceId", "r"), ("transferProtocol", "HTTP")];

    #[test]
    fn the_defaults_are_the_contracts() {
        let expected = Plan {
            resource: "r".into(),
            transfer: Transfer::Pull(Protocol::Http),
            timeout: 1_200_000,
            quota: true,
            watch: Watch::Uplinks,
            blocking: true,
            cached_start: false,
            check: true,
            resume: false,
            extend_lifetime: false,
        };
        assert_eq!(plan(&LEAST), Ok(expected));
    }

    #[test]
    fn a_repeated_name_an_alias_and_class_names_are_understood() {
        let python = plan(&[
            ("resourceID", "r"),
            ("transferProtocol", "HTTP"),
            ("transferMethod", "TransferMethod.Pull"),
            ("transferProtocol", "TransferProtocol.COAP_TCP"),
            ("upgradeStrategy", "UpgradeStrategy.SendBased"),
            ("useQuota", "False"),
        ])
        .expect("good");
        assert_eq!(python.transfer, Transfer::Pull(Protocol::CoapTcp));
        assert_eq!((python.watch, python.quota), (Watch::Sent, false));
    }

    #[test]
    fn what_is_wrong_is_said_as_a_report_says_it() {
        for (pairs, expected) in [
            (&[][..], "Unknown protocol: ${sv.transferProtocol}"),
            (&[("transferProtocol", "FTP")], "Unknown protocol: FTP"),
            (
                &[("transferProtocol", "TransferMethod.HTTP")],
                "Unknown protocol: TransferMethod.HTTP",
            ),
            (
                &[("transferMethod", "Throw")],
                "Unknown transfer method: Throw",
            ),
            (
                &[("transferMethod", "Push")],
                "Missing parameter: resourceId",
            ),
        ] {
            assert_eq!(plan(pairs).unwrap_err(), expected);
        }
        for (name, value, expected) in [
            ("timeout", "soon", "Invalid value of timeout: soon"),
            ("timeout", "20", "Invalid value of timeout: 20"),
            ("useQuota", "yes", "Invalid value of useQuota: yes"),
            ("upgradeStrategy", "Hope", "Unknown upgrade strategy: Hope"),
        ] {
            let all = [LEAST[0], LEAST[1], (name, value)];
            assert_eq!(plan(&all).unwrap_err(), expected);
        }
    }

    #[test]
    fn durations_have_a_length_and_a_unit() {
        for (text, expected) in [
            ("20m", Some(1_200_000)),
            ("1200s", Some(1_200_000)),
            ("1d", Some(86_400_000)),
            ("0s", None),
            ("m", None),
            ("-1m", None),
            ("+1m", None),
            ("1.5h", None),
            ("5é", None),
            ("999999999d", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }
}

//! Why a row has no scenario: a closed list.

use serde::{Deserialize, Serialize};

/// Why no scenario proves a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Uncovered {
    /// Neither our server nor our devices bootstrap.
    BootstrapNotImplemented,
    /// Our devices have no smartcard.
    NoSmartcard,
    /// Our DTLS has no Connection ID.
    NoConnectionId,
    /// Our DTLS resumes no session.
    NoResumption,
    /// We speak no CoAP over TCP or TLS.
    NoTcp,
    /// Our DTLS knows no certificates.
    CertificatesNotImplemented,
    /// We speak no OSCORE.
    NoOscore,
    /// We speak no MQTT.
    NoMqtt,
    /// LwM2M 1.2 makes it optional, and we speak 1.1.
    #[serde(rename = "optional-in-1.2")]
    OptionalIn12,
    /// The document that has it was not at hand.
    TitleUnknown,
    /// It takes a device with two servers.
    NeedsSecondServer,
    /// Our devices keep no notifications while they are away.
    NoNotificationStoring,
    /// A later version of the test specification took it out.
    Withdrawn,
    /// A test of ours proves it; no scenario can bring it about.
    CoveredByATest,
    /// It can be proved, and the scenario is to be written.
    ScenarioToCome,
}

impl Uncovered {
    /// Every reason there is.
    pub const ALL: [Self; 15] = [
        Self::BootstrapNotImplemented,
        Self::NoSmartcard,
        Self::NoConnectionId,
        Self::NoResumption,
        Self::NoTcp,
        Self::CertificatesNotImplemented,
        Self::NoOscore,
        Self::NoMqtt,
        Self::OptionalIn12,
        Self::TitleUnknown,
        Self::NeedsSecondServer,
        Self::NoNotificationStoring,
        Self::Withdrawn,
        Self::CoveredByATest,
        Self::ScenarioToCome,
    ];

    /// Its name, as rows and reports write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BootstrapNotImplemented => "bootstrap-not-implemented",
            Self::NoSmartcard => "no-smartcard",
            Self::NoConnectionId => "no-connection-id",
            Self::NoResumption => "no-resumption",
            Self::NoTcp => "no-tcp",
            Self::CertificatesNotImplemented => "certificates-not-implemented",
            Self::NoOscore => "no-oscore",
            Self::NoMqtt => "no-mqtt",
            Self::OptionalIn12 => "optional-in-1.2",
            Self::TitleUnknown => "title-unknown",
            Self::NeedsSecondServer => "needs-second-server",
            Self::NoNotificationStoring => "no-notification-storing",
            Self::Withdrawn => "withdrawn",
            Self::CoveredByATest => "covered-by-a-test",
            Self::ScenarioToCome => "scenario-to-come",
        }
    }

    /// What it means, in a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::BootstrapNotImplemented => "neither our server nor our devices bootstrap",
            Self::NoSmartcard => "our devices have no smartcard",
            Self::NoConnectionId => "our DTLS has no Connection ID",
            Self::NoResumption => "our DTLS resumes no session",
            Self::NoTcp => "we speak no CoAP over TCP or TLS",
            Self::CertificatesNotImplemented => "our DTLS knows no certificates",
            Self::NoOscore => "we speak no OSCORE",
            Self::NoMqtt => "we speak no MQTT",
            Self::OptionalIn12 => "LwM2M 1.2 makes it optional, and we speak 1.1",
            Self::TitleUnknown => "the document that has it was not at hand",
            Self::NeedsSecondServer => "it takes a device with two servers, and ours have one",
            Self::NoNotificationStoring => "our devices keep no notifications while they are away",
            Self::Withdrawn => "a later version of the test specification took it out",
            Self::CoveredByATest => "a test of ours proves it; no scenario can bring it about",
            Self::ScenarioToCome => "it can be proved; the scenario is to be written",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_rows_write() {
        for reason in Uncovered::ALL {
            let written = serde_json::to_value(reason).expect("a text");
            assert_eq!(written, reason.name());
        }
    }
}

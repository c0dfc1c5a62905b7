//! Where an MQTT broker is, as a URL says it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// `mqtt://[USER[:PASSWORD]@]HOST[:PORT]`.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    /// Its host.
    pub host: String,
    /// Its port; 1883 where none is said.
    pub port: u16,
    /// Whom to connect as, with which password.
    pub user: Option<(String, String)>,
}

/// Not such a URL. The text stays out of it: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a broker is mqtt://[USER[:PASSWORD]@]HOST[:PORT]")]
pub struct NoBroker;

impl FromStr for BrokerUrl {
    type Err = NoBroker;

    fn from_str(text: &str) -> Result<Self, NoBroker> {
        let rest = text.strip_prefix("mqtt://").ok_or(NoBroker)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((user, place)) => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                (Some((name.to_owned(), password.to_owned())), place)
            }
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| NoBroker)?)
            }
            _ => (place, 1883),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains('/') {
            return Err(NoBroker);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            user,
        })
    }
}

/// Without the password.
impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mqtt://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_has_a_host_and_maybe_more() {
        let url: BrokerUrl = "mqtt://u:p:w@[::1]:1884/".parse().expect("good");
        assert_eq!((&*url.host, url.port), ("::1", 1884));
        assert_eq!(url.user, Some(("u".into(), "p:w".into())));
        assert_eq!(format!("{url:?}"), "mqtt://::1:1884");
        let url: BrokerUrl = "mqtt://localhost".parse().expect("good");
        assert_eq!((&*url.host, url.port, url.user), ("localhost", 1883, None));
        for wrong in [
            "localhost",
            "http://x",
            "mqtt://",
            "mqtt://x:y",
            "mqtt://x/y",
        ] {
            assert!(wrong.parse::<BrokerUrl>().is_err(), "{wrong}");
        }
    }
}

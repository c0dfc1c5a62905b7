//! Package URIs (contract 1.5).

use crate::device::persona::Protocol;

/// Where a package URI points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its scheme.
    pub protocol: Protocol,
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// The scheme's own where the URI says none.
    pub port: u16,
    /// Path and query, from the first `/` on.
    pub path: String,
}

/// Why it points nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriError {
    /// Result 9.
    UnknownScheme,
    /// Result 7.
    Malformed,
}

impl Target {
    /// Reads a URI.
    pub fn parse(uri: &str) -> Result<Self, UriError> {
        let (scheme, rest) = uri.split_once("://").ok_or(UriError::Malformed)?;
        let (protocol, usual) = match scheme.to_ascii_lowercase().as_str() {
            "coap" => (Protocol::Coap, 5683),
            "coaps" => (Protocol::Coaps, 5684),
            "http" => (Protocol::Http, 80),
            "https" => (Protocol::Https, 443),
            _ => return Err(UriError::UnknownScheme),
        };
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(split);
        let blank = |text: &str| text.bytes().any(|b| b.is_ascii_whitespace() || b == 0);
        if blank(uri) || uri.contains('#') {
            return Err(UriError::Malformed);
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(v6) => {
                let (host, rest) = v6.split_once(']').ok_or(UriError::Malformed)?;
                (host, rest.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = port.map(str::parse).transpose();
        let port = port.map_err(|_| UriError::Malformed)?.unwrap_or(usual);
        if host.is_empty() || host.contains('@') {
            return Err(UriError::Malformed);
        }
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            protocol,
            host: host.to_owned(),
            port,
            path,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_uri() {
        let target = Target::parse("coap://10.0.0.1:61616/fw/1?x=2").expect("good");
        assert_eq!(
            (target.host.as_str(), target.port, target.path.as_str()),
            ("10.0.0.1", 61_616, "/fw/1?x=2")
        );
        let target = Target::parse("coaps://[::1]").expect("good");
        assert_eq!(
            (target.host.as_str(), target.port, target.path.as_str()),
            ("::1", 5684, "/")
        );
        assert_eq!(Target::parse("ftp://host/x"), Err(UriError::UnknownScheme));
        for wrong in [
            "nonsense",
            "coap://",
            "coap://h:99999/",
            "coap://h/a b",
            "coap://[::1/",
        ] {
            assert_eq!(Target::parse(wrong), Err(UriError::Malformed), "{wrong}");
        }
    }
}

//! `coap://` and `coaps://` URLs of servers and peers.

use std::net::{SocketAddr, ToSocketAddrs as _};

use fotalab_simulators::device::Peer;

/// The server behind `coap://HOST[:PORT]` or `coaps://HOST[:PORT]`.
///
/// # Errors
/// What is wrong with the URL, as the end of a sentence.
pub(crate) fn server_of(url: &str) -> Result<Peer, String> {
    let (secure, rest) = match url.split_once("://") {
        Some(("coap", rest)) => (false, rest),
        Some(("coaps", rest)) => (true, rest),
        _ => return Err("it is coap://HOST[:PORT] or coaps://HOST[:PORT]".to_owned()),
    };
    let authority = rest.trim_end_matches('/');
    if authority.is_empty() || authority.contains('/') {
        return Err("it is a host and a port, without a path".to_owned());
    }
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(host, port)| !port.is_empty() && !port.contains(']') && !is_bare_v6(host));
    let port = if secure { 5684 } else { 5683 };
    let named = if has_port {
        authority.to_owned()
    } else {
        format!("{authority}:{port}")
    };
    let mut addresses = named
        .to_socket_addrs()
        .map_err(|error| format!("it is not found: {error}"))?
        .collect::<Vec<SocketAddr>>();
    // IPv4 first: on this machine it gives each device an address of its own.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let address = addresses.first().copied();
    let address = address.ok_or_else(|| "it has no address".to_owned())?;
    Ok(Peer { address, secure })
}

fn is_bare_v6(host: &str) -> bool {
    host.contains(':') && !host.starts_with('[')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_urls_without_a_path() {
        let of = |url| server_of(url).map(|peer| (peer.address.to_string(), peer.secure));
        assert_eq!(
            of("coap://127.0.0.1").expect("good"),
            ("127.0.0.1:5683".into(), false)
        );
        assert_eq!(
            of("coaps://127.0.0.1:7/").expect("good"),
            ("127.0.0.1:7".into(), true)
        );
        assert_eq!(
            of("coaps://[::1]").expect("good"),
            ("[::1]:5684".into(), true)
        );
        for wrong in [
            "127.0.0.1",
            "http://127.0.0.1",
            "coap://",
            "coap://127.0.0.1/rd",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}

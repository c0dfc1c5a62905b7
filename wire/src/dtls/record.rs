//! A view of the first record of a datagram, enough to tell whose it is (RFC 6347, section 4.1).

use bytes::Bytes;

pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HEADER: usize = 13;
/// Message type 1, length 3, message_seq 2, fragment offset 3, fragment length 3.
const HANDSHAKE_HEADER: usize = 12;

/// The client's random, which tells its handshakes apart.
pub(super) type ClientRandom = [u8; 32];

/// The first record of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) content_type: u8,
    pub(super) epoch: u16,
    fragment: &'a [u8],
}

/// What a plaintext ClientHello says, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientHello {
    /// 0 for the first of a handshake, 1 for the one with the cookie.
    pub(super) message_seq: u16,
    pub(super) random: ClientRandom,
}

impl<'a> Record<'a> {
    /// The first record, if the datagram looks like DTLS at all.
    pub(super) fn first(datagram: &'a [u8]) -> Option<Self> {
        let header = datagram.first_chunk::<HEADER>()?;
        let [
            content_type,
            0xfe,
            minor,
            epoch_high,
            epoch_low,
            ..,
            high,
            low,
        ] = *header
        else {
            return None;
        };
        // DTLS 1.0 (0xff) in first ClientHellos, 1.2 (0xfd) else; types 20 to 23.
        if !matches!(minor, 0xff | 0xfd) || !matches!(content_type, 20..=23) {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        Some(Self {
            content_type,
            epoch: u16::from_be_bytes([epoch_high, epoch_low]),
            fragment: datagram.get(HEADER..HEADER + length)?,
        })
    }

    /// The ClientHello in it, if it begins one.
    pub(super) fn client_hello(&self) -> Option<ClientHello> {
        let header = self.handshake(CLIENT_HELLO)?;
        // client_version 2, random 32.
        let random = self
            .fragment
            .get(HANDSHAKE_HEADER + 2..)?
            .first_chunk::<32>()?;
        Some(ClientHello {
            message_seq: u16::from_be_bytes([header[4], header[5]]),
            random: *random,
        })
    }

    /// Whether it begins a ServerHello: this end has accepted the peer's cookie.
    pub(super) fn is_server_hello(&self) -> bool {
        self.handshake(SERVER_HELLO).is_some()
    }

    fn handshake(&self, kind: u8) -> Option<&'a [u8; HANDSHAKE_HEADER]> {
        let header = self.fragment.first_chunk::<HANDSHAKE_HEADER>()?;
        let first_fragment = header[6..9] == [0, 0, 0];
        (self.content_type == HANDSHAKE && self.epoch == 0 && header[0] == kind && first_fragment)
            .then_some(header)
    }
}

/// A fatal alert in the clear. Its sequence number is beyond those that a handshake uses.
pub(super) fn fatal_alert(description: u8) -> Bytes {
    const SEQUENCE: u8 = 0xf0;
    Bytes::copy_from_slice(&[
        ALERT,
        0xfe,
        0xfd,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        SEQUENCE,
        0,
        2,
        2,
        description,
    ])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_the_view_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            if let Some(record) = Record::first(&bytes) {
                let _ = record.client_hello();
                prop_assert!(record.fragment.len() + HEADER <= bytes.len());
            }
        }
    }

    #[test]
    fn an_alert_is_a_record() {
        let bytes = fatal_alert(20);
        let record = Record::first(&bytes).expect("a record");
        assert_eq!((record.content_type, record.epoch), (ALERT, 0));
        assert_eq!(record.fragment, [2, 20]);
        assert_eq!(Record::first(b"GET coap"), None);
    }
}

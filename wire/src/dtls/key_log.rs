//! Key logs: the secrets of a session, for who wants to read a capture of it.

use std::{cell::Cell, fmt::Write as _, sync::Arc};

use dimpl::{
    HashAlgorithm,
    crypto::{HmacProvider, rust_crypto},
};

use dimpl::CryptoError;

/// Takes lines in the format of NSS key logs (`CLIENT_RANDOM <random> <master secret>`), which
/// [`Pcapng::secrets`](crate::net::Pcapng::secrets) and Wireshark take. Whoever has a line can
/// read its session: no code of ours makes a `KeyLog` unless the user asked for it.
pub type KeyLog = Arc<dyn Fn(&str) + Send + Sync>;

const LABEL: &[u8] = b"key expansion";
const RANDOM: usize = 32;
const MASTER_SECRET: usize = 48;

struct Secret {
    client_random: [u8; RANDOM],
    master: [u8; MASTER_SECRET],
}

thread_local! {
    /// What the last derivation of keys on this thread used. Only [`Watched`] fills it.
    static DERIVED: Cell<Option<Secret>> = const { Cell::new(None) };
}

/// dimpl's HMAC, watched: it has no key log of its own, but derives each session's keys as
/// `PRF(master_secret, "key expansion", server_random + client_random)` (RFC 5246, section 6.3)
/// through the provider that it is given.
#[derive(Debug)]
struct Watched(&'static dyn HmacProvider);

/// The HMAC provider to configure where a key log is wanted.
pub(super) fn watched_hmac() -> &'static dyn HmacProvider {
    static WATCHED: std::sync::OnceLock<Watched> = std::sync::OnceLock::new();
    WATCHED.get_or_init(|| Watched(rust_crypto::default_provider().hmac_provider))
}

impl HmacProvider for Watched {
    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        data: &[u8],
        out: &mut [u8],
    ) -> Result<usize, CryptoError> {
        let randoms = data.strip_prefix(LABEL);
        if let (Some(randoms), Ok(master)) = (randoms, key.try_into())
            && randoms.len() == 2 * RANDOM
            && let Some(client_random) = randoms.last_chunk()
        {
            DERIVED.set(Some(Secret {
                client_random: *client_random,
                master,
            }));
        }
        self.0.hmac(hash, key, data, out)
    }
}

/// Reports the keys that were derived since the last call on this thread.
pub(super) fn report(to: &KeyLog) {
    if let Some(secret) = DERIVED.take() {
        let mut line = String::from("CLIENT_RANDOM ");
        hex(&mut line, &secret.client_random);
        line.push(' ');
        hex(&mut line, &secret.master);
        to(&line);
    }
}

fn hex(line: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(line, "{byte:02x}");
    }
}

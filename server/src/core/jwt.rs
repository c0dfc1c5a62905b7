//! JSON web tokens of a login: HS256 and nothing else (RFC 7519, contract B1).

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use fotalab_wire::net::UnixMillis;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::time::millis;
use crate::limits;

/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The user's id.
    pub(crate) id: String,
    /// The user's role.
    pub(crate) role: u8,
    /// When it was given, in seconds.
    pub(crate) iat: i64,
    /// Until when it is good, in seconds.
    pub(crate) exp: i64,
}

impl Claims {
    /// A token that is given now.
    pub(crate) fn new(id: &str, now: UnixMillis) -> Self {
        Self {
            id: id.to_owned(),
            role: 1,
            iat: now / 1_000,
            exp: (now + millis(limits::LOGIN_TIME)) / 1_000,
        }
    }

    /// As text, signed.
    pub(crate) fn sign(&self, secret: &[u8]) -> String {
        let claims = serde_json::to_vec(self).unwrap_or_default();
        let signed = format!("{HEADER}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims));
        let signature = mac(secret, &signed).map(|it| it.finalize().into_bytes());
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature.unwrap_or_default());
        format!("{signed}.{signature}")
    }
}

/// The claims of a token that is signed with the secret of the user that it names, and good now.
pub(crate) fn verify(
    token: &str,
    now: UnixMillis,
    secret_of: impl FnOnce(&str) -> Option<Vec<u8>>,
) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    let secret = secret_of(&claims.id)?;
    mac(&secret, signed)?.verify_slice(&signature).ok()?;
    (header == HEADER && claims.exp > now / 1_000).then_some(claims)
}

fn mac(secret: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the pages about RFC 7519 use everywhere.
    #[test]
    fn the_signature_is_everybodys() {
        let signed = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\
            eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ";
        let signature = mac(b"your-256-bit-secret", signed).map(|it| it.finalize().into_bytes());
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature.expect("a key"));
        assert_eq!(signature, "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c");
    }

    #[test]
    fn a_token_is_good_for_30_days_and_for_its_user() {
        let now = 1_700_000_000_000;
        let token = Claims::new("5e1b57808711f904f5df4bad", now).sign(b"secret");
        let secret = |id: &str| (id == "5e1b57808711f904f5df4bad").then(|| b"secret".to_vec());
        let claims = verify(&token, now, secret).expect("good");
        assert_eq!(claims.exp - claims.iat, 30 * 24 * 3_600);
        assert_eq!(verify(&token, claims.exp * 1_000, secret), None);
        assert_eq!(verify(&token, now, |_| Some(b"other".to_vec())), None);
        assert_eq!(verify(&token[1..], now, secret), None);
        let unsigned = format!("{}.", token.rsplit_once('.').expect("signed").0);
        assert_eq!(verify(&unsigned, now, secret), None);
    }
}

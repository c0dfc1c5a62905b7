//! Secrets are replaced by value, wherever they occur, before anything leaves the process.

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What is secret in this run, and what stands for it. Clones share the list.
///
/// Equal values get equal stand-ins, such as `[fingerprint 5f3c9a]`, so they stay recognisable.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Value in one of its written forms, stand-in; the longest value first.
    known: Arc<RwLock<Vec<(String, String)>>>,
}

/// Values shorter than this are not replaced: they would be found in any text.
const SHORTEST: usize = 4;

impl Secrets {
    /// Makes a value secret from now on, also in its JSON, URL and Base64 forms.
    pub fn add(&self, name: &str, value: &str) {
        if value.len() < SHORTEST {
            return;
        }
        let digest = Sha256::digest(value.as_bytes());
        let stand_in = format!(
            "[{name} {:02x}{:02x}{:02x}]",
            digest[0], digest[1], digest[2]
        );
        let json = serde_json::to_string(value).unwrap_or_default();
        let mut forms = vec![
            value.to_owned(),
            json.trim_matches('"').to_owned(),
            percent_encoded(value, |byte| {
                byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
            }),
            percent_encoded(value, |byte| {
                byte.is_ascii_graphic() && !b"\"#<>%".contains(&byte)
            }),
            base64(value.as_bytes()),
        ];
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        forms.retain(|form| !known.iter().any(|(it, _)| it == form));
        forms.dedup();
        known.extend(forms.into_iter().map(|form| (form, stand_in.clone())));
        // The longest first: a secret may contain another one.
        known.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then(a.cmp(b)));
    }

    /// Takes the secrets out of JSON that crosses: what stands under keys that name some.
    pub fn learn(&self, json: &Value) {
        match json {
            Value::Object(entries) => {
                for (key, value) in entries {
                    match (secret_name(key), value.as_str()) {
                        (Some(name), Some(text)) => self.add(name, text),
                        _ => self.learn(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|it| self.learn(it)),
            _ => {}
        }
    }

    /// Takes the secrets out of a URL's query.
    pub fn learn_url(&self, url: &str) {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        for (key, value) in query.split('&').filter_map(|it| it.split_once('=')) {
            if let Some(name) = secret_name(key) {
                self.add(name, value);
                self.add(name, &percent_decoded(value));
            }
        }
    }

    /// Takes the secret out of a header, if it carries one: `Authorization` without its scheme.
    pub fn learn_header(&self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        if name == "authorization" || name == "proxy-authorization" {
            let token = value.split_once(' ').map_or(value, |(_, token)| token);
            self.add("authorization", token.trim());
        } else if let Some(kind) = secret_name(&name) {
            self.add(kind, value);
        }
    }

    /// The text with every secret replaced.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = text.to_owned();
        for (value, stand_in) in known.iter() {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), stand_in);
            }
        }
        text
    }

    /// The value with every secret replaced, in keys and in texts.
    #[must_use]
    pub fn redact_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.redact(text)),
            Value::Array(items) => {
                Value::Array(items.iter().map(|it| self.redact_json(it)).collect())
            }
            Value::Object(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, it)| (self.redact(key), self.redact_json(it)))
                    .collect(),
            ),
            // A number can be a secret too: `--set PINTOKEN:=123456`.
            Value::Number(number) => {
                let text = number.to_string();
                let redacted = self.redact(&text);
                if redacted == text {
                    value.clone()
                } else {
                    Value::String(redacted)
                }
            }
            other => other.clone(),
        }
    }
}

/// What a key names, if it names something secret: `apiKey`, `x-api-key`, `fingerprint`, `PSK`.
fn secret_name(key: &str) -> Option<&'static str> {
    const KINDS: &[(&str, &str)] = &[
        ("fingerprint", "fingerprint"),
        ("apikey", "account key"),
        ("psk", "psk"),
        ("password", "password"),
        ("secret", "secret"),
        ("token", "token"),
    ];
    let plain: String = key
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|it| it.to_ascii_lowercase())
        .collect();
    // `pageNextToken` leads to the next page and `tokenUri` to a token: neither is one.
    let names_token =
        |plain: &str| plain == "token" || (plain.ends_with("token") && plain != "pagenexttoken");
    KINDS.iter().find_map(|&(word, kind)| {
        let named = if word == "token" {
            names_token(&plain)
        } else {
            plain.ends_with(word)
        };
        named.then_some(kind)
    })
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        match hex
            .and_then(|it| u8::from_str_radix(it, 16).ok())
            .filter(|_| byte == b'%')
        {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &tail[2..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn percent_encoded(text: &str, plain: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_u32, |all, &byte| all << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            text.push(char::from(
                DIGITS[(group >> (18 - 6 * digit)) as usize & 63],
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_replaced_in_every_form_and_stays_recognisable() {
        let secrets = Secrets::default();
        secrets.add("fingerprint", "92b.y7i24q");
        secrets.add("TOKEN", "a/b c\"d");
        let text =
            secrets.redact("fp=92b.y7i24q&t=a%2Fb%20c%22d {\"x\":\"a/b c\\\"d\"} YS9iIGMiZA");
        assert!(
            !text.contains("y7i24q") && !text.contains("b%20c") && !text.contains("YS9iIGMiZA"),
            "{text}"
        );
        assert_eq!(secrets.redact("92b.y7i24q"), secrets.redact("92b.y7i24q"));
        assert_ne!(secrets.redact("92b.y7i24q"), "92b.y7i24q");
    }
}

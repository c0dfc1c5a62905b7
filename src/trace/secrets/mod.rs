//! Secrets are replaced by value, wherever they occur, before anything leaves the process.

mod filter;
mod known;
mod replace;

use std::{
    fmt::Write as _,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};
use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};
use regex::Regex;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub(crate) use replace::Replacer;

/// What is secret in this run, and what stands for it. Clones share the list.
///
/// Equal values get equal stand-ins, such as `[fingerprint 5f3c9a]`, so they stay recognisable.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    known: Arc<RwLock<known::Known>>,
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
        let forms = [
            value.to_owned(),
            json.trim_matches('"').to_owned(),
            utf8_percent_encode(value, ALL).to_string(),
            utf8_percent_encode(value, LEAST).to_string(),
            BASE64.encode(value),
            // As the bytes of a datagram are shown.
            value.bytes().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            }),
        ];
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.add(forms, &stand_in);
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

    /// Takes a variable whose name says that it is secret: `MYTOKEN`, `password`, `apiKey`.
    pub fn learn_variable(&self, name: &str, value: &Value) {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        if name.ends_with("TOKEN") || secret_name(name).is_some() {
            self.add(name, &text);
        }
    }

    /// Takes the literal secrets out of a step's title or code block: headers, JSON, URLs.
    pub fn learn_text(&self, text: &str) {
        static HEADER: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?m)(?:the `(?P<of>[^`]+)` header of the next request is `(?P<is>[^`]+)`|^(?P<name>[A-Za-z-]+): *(?P<value>.+)$)")
                .expect("a pattern of ours")
        });
        for found in HEADER.captures_iter(text) {
            let pair = found.name("of").zip(found.name("is"));
            if let Some((name, value)) =
                pair.or_else(|| found.name("name").zip(found.name("value")))
                && !value.as_str().contains("${")
            {
                self.learn_header(name.as_str(), value.as_str());
            }
        }
        for url in text
            .split(['`', '"', ' ', '\n'])
            .filter(|it| it.contains("://") || it.contains('?'))
        {
            if !url.contains("=${") {
                self.learn_url(url);
            }
        }
        if let Ok(json) = serde_json::from_str(text)
            && !text.contains("${")
        {
            self.learn(&json);
        }
    }

    /// Takes the secrets out of a URL: its query, and the password before its host.
    pub fn learn_url(&self, url: &str) {
        let authority = url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split(['/', '?']).next().unwrap_or_default();
        if let Some((user, _)) = authority.rsplit_once('@')
            && let Some((_, password)) = user.split_once(':')
        {
            self.add("password", password);
            self.add("password", &percent_decoded(password));
        }
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
            let basic = BASE64
                .decode(token.trim().trim_end_matches('='))
                .ok()
                .and_then(|it| String::from_utf8(it).ok());
            if let Some((_, password)) = basic.as_deref().and_then(|it| it.split_once(':')) {
                self.add("password", password);
            }
        } else if let Some(kind) = secret_name(&name) {
            self.add(kind, value);
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
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Everything but RFC 3986's unreserved characters.
const ALL: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What has to be encoded wherever it stands in a URL.
const LEAST: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'%');

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

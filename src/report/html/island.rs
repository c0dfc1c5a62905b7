//! Data in a page: as text where scripts and tests read it at once, packed where it is much.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flate2::{Compression, write::DeflateEncoder};

/// JSON that can stand in a `script` element: nothing in it ends that element or begins another
/// (<https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements>).
pub(super) fn text(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // Outside of strings JSON has none of these.
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            other => safe.push(other),
        }
    }
    safe
}

/// Raw deflate (RFC 1951) in Base64: what a browser's `DecompressionStream` opens.
pub(super) fn packed(json: &str) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(LEVEL));
    // Writing to memory does not fail.
    drop(encoder.write_all(json.as_bytes()));
    BASE64.encode(encoder.finish().unwrap_or_default())
}

/// Above it a page of 200,000 messages takes twice as long and is a tenth smaller.
const LEVEL: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_reads_as_it_was() {
        let json = serde_json::json!({ "<!--<script>": "</script>&\u{2028}" }).to_string();
        let safe = text(&json);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}']), "{safe}");
        let read: serde_json::Value = serde_json::from_str(&safe).expect("still JSON");
        assert_eq!(read.to_string(), json);
    }
}

//! Data in a page: as text where scripts and tests read it at once, packed where it is much.

use std::{fmt::Write as _, io::Write as _};

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

/// Markup in which nothing acts unseen: control characters as their pictures, and those that turn
/// the direction of writing (<https://www.unicode.org/reports/tr9/>) by their numbers.
pub(super) fn visible(markup: &str) -> String {
    let mut shown = String::with_capacity(markup.len());
    for character in markup.chars() {
        match character {
            '\t' | '\n' => shown.push(character),
            '\0'..='\u{1f}' => {
                let picture = u32::from(character) + 0x2400;
                shown.push(char::from_u32(picture).unwrap_or('\u{fffd}'));
            }
            '\u{7f}' => shown.push('\u{2421}'),
            '\u{80}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {
                let _ = write!(shown, "\u{27e8}U+{:04X}\u{27e9}", u32::from(character));
            }
            other => shown.push(other),
        }
    }
    shown
}

/// Raw deflate (RFC 1951) in Base64: what a browser's `DecompressionStream` opens.
pub(super) fn packed(json: &str) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(LEVEL));
    // Writing to memory does not fail.
    drop(encoder.write_all(json.as_bytes()));
    BASE64.encode(encoder.finish().unwrap_or_default())
}

/// Above it a page takes much longer to make and is not much smaller.
const LEVEL: u32 = 2;

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

//! Data in a page: as text where scripts and tests read it at once, packed where it is much.

use std::{borrow::Cow, fmt::Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flate2::{Compress, Compression, FlushCompress, Status};

/// JSON that can stand in a `script` element: nothing in it ends that element or begins another
/// (<https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements>).
pub(super) fn text(json: &str) -> Cow<'_, str> {
    // Outside of strings JSON has none of these.
    const MARKUP: [char; 5] = ['<', '>', '&', '\u{2028}', '\u{2029}'];
    if !json.contains(MARKUP) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        match MARKUP.contains(&character) {
            true => drop(write!(safe, "\\u{:04x}", u32::from(character))),
            false => safe.push(character),
        }
    }
    Cow::Owned(safe)
}

/// Markup in which nothing acts unseen: control characters as their pictures, and those that turn
/// the direction of writing (<https://www.unicode.org/reports/tr9/>) by their numbers.
pub(in crate::report) fn visible(markup: &str) -> Cow<'_, str> {
    let mut replaced = String::new();
    let mut done = 0;
    for (chunk, began) in markup.as_bytes().chunks(CHUNK).zip((0..).step_by(CHUNK)) {
        if !chunk.iter().fold(false, |any, it| any | may_be_unseen(*it)) {
            continue;
        }
        let suspects = chunk.iter().zip(began..).filter(|it| may_be_unseen(*it.0));
        for (_, at) in suspects {
            // Each of these bytes begins a character.
            let Some(character) = markup[at..].chars().next().filter(|it| is_unseen(*it)) else {
                continue;
            };
            replaced.push_str(&markup[done..at]);
            match u32::from(character) {
                picture @ 0..=0x1f => {
                    let picture = char::from_u32(picture + 0x2400);
                    replaced.push(picture.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                0x7f => replaced.push('\u{2421}'),
                number => {
                    let _ = write!(replaced, "\u{27e8}U+{number:04X}\u{27e9}");
                }
            }
            done = at + character.len_utf8();
        }
    }
    if done == 0 {
        return Cow::Borrowed(markup);
    }
    replaced.push_str(&markup[done..]);
    Cow::Owned(replaced)
}

/// Bytes that are looked at together: compilers make few instructions of them.
const CHUNK: usize = 64;

fn is_unseen(character: char) -> bool {
    matches!(character,
        '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

/// Whether a character that is unseen can begin with this byte of UTF-8.
fn may_be_unseen(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\n' && byte != b'\t')
        | matches!(byte, 0x7f | 0xc2 | 0xd8 | 0xe2 | 0xef)
}

/// Packs what is much.
#[derive(Debug)]
pub(super) struct Packer {
    /// JSON that is to be packed.
    pub(super) plain: Vec<u8>,
    deflate: Compress,
    /// Room for what is packed.
    out: Vec<u8>,
}

impl Packer {
    /// For so many messages in all.
    pub(super) fn new(messages: usize) -> Self {
        let level = if messages > MANY { FAST } else { SMALL };
        Self {
            plain: Vec::new(),
            deflate: Compress::new(Compression::new(level), false),
            out: Vec::new(),
        }
    }

    /// Takes what is there: raw deflate (RFC 1951) in Base64, which a browser's
    /// `DecompressionStream` opens.
    pub(super) fn packed(&mut self) -> String {
        self.deflate.reset();
        loop {
            let so_far = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
            let (read, written) = (self.deflate.total_in(), self.deflate.total_out());
            let rest = self.plain.get(so_far(read)..).unwrap_or_default();
            // It grows and is never cleared: to fill it with zeros each time would show.
            let room = so_far(written) + (rest.len() / 4).max(4_096);
            if self.out.len() < room {
                self.out.resize(room, 0);
            }
            let out = &mut self.out[so_far(written)..];
            let end = self.deflate.compress(rest, out, FlushCompress::Finish);
            // In memory there is nothing that could fail.
            if !matches!(end, Ok(Status::Ok | Status::BufError)) {
                self.plain.clear();
                return BASE64.encode(&self.out[..so_far(self.deflate.total_out())]);
            }
        }
    }
}

/// Messages above which a page is made quickly rather than small.
const MANY: usize = 2_500;
/// Levels of deflate.
const FAST: u32 = 1;
const SMALL: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_unseen() {
        assert_eq!(visible("plain\n\ttext ä €"), "plain\n\ttext ä €");
        assert_eq!(visible("\0a\u{7f}\u{9f}"), "\u{2400}a\u{2421}⟨U+009F⟩");
        assert_eq!(visible("a\u{202e}b\u{2066}"), "a⟨U+202E⟩b⟨U+2066⟩");
        // Wherever they stand.
        for before in 0..2 * CHUNK {
            let (x, y) = ("x".repeat(before), "y".repeat(CHUNK));
            assert_eq!(
                visible(&format!("{x}\u{2066}{y}")),
                format!("{x}⟨U+2066⟩{y}")
            );
            assert_eq!(
                visible(&format!("{x}✓{y}\u{202e}")),
                format!("{x}✓{y}⟨U+202E⟩")
            );
        }
    }

    #[test]
    fn what_is_escaped_reads_as_it_was() {
        let json = serde_json::json!({ "<!--<script>": "</script>&\u{2028}" }).to_string();
        let safe = text(&json);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}']), "{safe}");
        let read: serde_json::Value = serde_json::from_str(&safe).expect("still JSON");
        assert_eq!(read.to_string(), json);
    }
}

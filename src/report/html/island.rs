//! Data in a page: as text where scripts and tests read it at once, packed where it is much.

use std::{borrow::Cow, sync::LazyLock};

use aho_corasick::AhoCorasick;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flate2::{Compress, Compression, FlushCompress, Status};

/// JSON that can stand in a `script` element: nothing in it ends that element or begins another
/// (<https://html.spec.whatwg.org/multipage/scripting.html#restrictions-for-contents-of-script-elements>).
pub(super) fn text(json: &str) -> Cow<'_, str> {
    // Outside of strings JSON has none of these.
    static MARKUP: LazyLock<AhoCorasick> =
        LazyLock::new(|| finder(&['<', '>', '&', '\u{2028}', '\u{2029}']));
    replaced(json, &MARKUP, |it| format!("\\u{:04x}", u32::from(it)))
}

/// Markup in which nothing acts unseen: control characters as their pictures, and those that turn
/// the direction of writing (<https://www.unicode.org/reports/tr9/>) by their numbers.
pub(super) fn visible(markup: &str) -> Cow<'_, str> {
    static UNSEEN: LazyLock<AhoCorasick> = LazyLock::new(|| {
        let controls = ('\0'..='\u{1f}').filter(|it| !matches!(it, '\t' | '\n'));
        let directions = ['\u{61c}', '\u{feff}'].into_iter();
        let unseen = controls
            .chain('\u{7f}'..='\u{9f}')
            .chain(directions)
            .chain('\u{200b}'..='\u{200f}')
            .chain('\u{202a}'..='\u{202e}')
            .chain('\u{2060}'..='\u{2069}');
        finder(&unseen.collect::<Vec<_>>())
    });
    replaced(markup, &UNSEEN, |it| match it {
        '\0'..='\u{1f}' => {
            let picture = u32::from(it) + 0x2400;
            char::from_u32(picture).unwrap_or('\u{fffd}').to_string()
        }
        '\u{7f}' => "\u{2421}".to_owned(),
        other => format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(other)),
    })
}

fn finder(characters: &[char]) -> AhoCorasick {
    let patterns = characters.iter().map(char::to_string);
    AhoCorasick::new(patterns).expect("a few characters")
}

/// The text with some characters replaced: most have none of them, so they are looked for in bulk.
fn replaced<'a>(
    text: &'a str,
    finder: &AhoCorasick,
    with: impl Fn(char) -> String,
) -> Cow<'a, str> {
    let mut replaced = String::new();
    let mut done = 0;
    for found in finder.find_iter(text) {
        replaced.push_str(&text[done..found.start()]);
        let character = text[found.start()..].chars().next();
        replaced.push_str(&character.map(&with).unwrap_or_default());
        done = found.end();
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    replaced.push_str(&text[done..]);
    Cow::Owned(replaced)
}

/// Packs what is much.
#[derive(Debug)]
pub(super) struct Packer {
    deflate: Compress,
    out: Vec<u8>,
}

impl Packer {
    /// For so many bytes in all.
    pub(super) fn new(bytes: usize) -> Self {
        let level = if bytes > MUCH { FAST } else { SMALL };
        Self {
            deflate: Compress::new(Compression::new(level), false),
            out: Vec::new(),
        }
    }

    /// Raw deflate (RFC 1951) in Base64: what a browser's `DecompressionStream` opens.
    pub(super) fn packed(&mut self, json: &str) -> String {
        self.deflate.reset();
        self.out.clear();
        loop {
            let read = usize::try_from(self.deflate.total_in()).unwrap_or(usize::MAX);
            let rest = json.as_bytes().get(read..).unwrap_or_default();
            self.out.reserve((json.len() / 4).max(4_096));
            let end = self
                .deflate
                .compress_vec(rest, &mut self.out, FlushCompress::Finish);
            // In memory there is nothing that could fail.
            if !matches!(end, Ok(Status::Ok | Status::BufError)) {
                return BASE64.encode(&self.out);
            }
        }
    }
}

/// Bytes above which a page is made quickly rather than small.
const MUCH: usize = 4 * 1024 * 1024;
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

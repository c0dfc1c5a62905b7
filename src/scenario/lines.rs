//! The lines of a source with their places: the one scanner below all three dialects.

use super::Span;

/// A line without its line break.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// Its text, without `\n` or `\r\n`.
    pub(super) text: &'a str,
    /// Its first byte in the source.
    pub(super) start: usize,
}

impl<'a> Line<'a> {
    /// One past its last byte, before the line break.
    pub(super) const fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// The whole line.
    pub(super) const fn span(&self) -> Span {
        Span::new(self.start, self.end())
    }

    /// Whether nothing can be seen on it.
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// The line from its first visible character on.
    pub(super) fn trimmed_start(&self) -> Line<'a> {
        let text = self.text.trim_start();
        Line {
            text,
            start: self.start + self.text.len() - text.len(),
        }
    }

    /// From the first visible character to the last.
    pub(super) fn visible(&self) -> Span {
        let from = self.trimmed_start();
        Span::new(from.start, from.start + from.text.trim_end().len())
    }
}

/// Splits a source into lines from byte `from` on; a byte order mark at the very start is skipped.
pub(super) fn lines(source: &str, from: usize) -> Vec<Line<'_>> {
    let mut start = if from == 0 {
        byte_order_mark(source)
    } else {
        from
    };
    let mut lines = Vec::new();
    for piece in source[start..].split_inclusive('\n') {
        let text = piece
            .strip_suffix('\n')
            .map_or(piece, |it| it.strip_suffix('\r').unwrap_or(it));
        lines.push(Line { text, start });
        start += piece.len();
    }
    lines
}

/// The length of the byte order mark that the source begins with, or 0.
pub(super) fn byte_order_mark(source: &str) -> usize {
    if source.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_of_both_kinds_and_a_mark() {
        let source = "\u{feff}a\r\nb\n\nc";
        let lines = lines(source, 0);
        let texts: Vec<_> = lines.iter().map(|it| it.text).collect();
        assert_eq!(texts, ["a", "b", "", "c"]);
        assert!(
            lines
                .iter()
                .all(|it| &source[it.start..it.end()] == it.text)
        );
    }
}

//! Places in a source, and texts that remember where each of their pieces stood.

use std::ops::Range;

/// A range of bytes in a source, as it was read from disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Where it begins, for people.
    #[must_use]
    pub fn position(self, source: &str) -> Position {
        let before = &source.as_bytes()[..self.start.min(source.len())];
        let line_start = before.iter().rposition(|&it| it == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|&&it| it == b'\n').count() + 1;
        let in_line = String::from_utf8_lossy(&before[line_start..]);
        let in_line = if line == 1 { in_line.trim_start_matches('\u{feff}') } else { &in_line };
        Position { line, column: in_line.chars().count() + 1 }
    }
}

/// A place for people: both count from 1, the column in code points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in code points, from 1.
    pub column: usize,
}

/// A text put together from pieces of a source (wrapped lines are joined by one space), which can
/// say where each of its bytes came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub value: String,
    /// `(byte in value, byte in source)` where each piece begins, ascending. Within a piece the
    /// bytes are the same ones.
    pieces: Vec<(usize, usize)>,
}

impl Text {
    /// An empty text; add to it with [`push`](Self::push).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A text that stands in the source as it is.
    #[must_use]
    pub fn at(value: impl Into<String>, start: usize) -> Self {
        Self { value: value.into(), pieces: vec![(0, start)] }
    }

    /// Adds a piece that stands at byte `start` of the source.
    pub fn push(&mut self, piece: &str, start: usize) {
        self.pieces.push((self.value.len(), start));
        self.value.push_str(piece);
    }

    /// Where a range of the text's bytes stands in the source.
    #[must_use]
    pub fn source(&self, range: Range<usize>) -> Span {
        let start = self.source_of(range.start);
        let end = if range.end > range.start { self.source_of(range.end - 1) + 1 } else { start };
        Span::new(start, end.max(start))
    }

    /// Where the whole text stands in the source.
    #[must_use]
    pub fn span(&self) -> Span {
        self.source(0..self.value.len())
    }

    fn source_of(&self, at: usize) -> usize {
        let next = self.pieces.partition_point(|&(value, _)| value <= at);
        let (value, source) = next.checked_sub(1).map_or((0, 0), |piece| self.pieces[piece]);
        source + (at - value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joined_text_knows_where_its_pieces_stood() {
        let source = "I `POST`\n`x`\nwith";
        let mut text = Text::at("I `POST`", 0);
        text.push(" ", 8);
        text.push("`x`", 9);
        let at = text.value.find("`x`").expect("it is there");
        assert_eq!(text.source(at..at + 3), Span::new(9, 12));
        assert_eq!(text.source(at..at + 3).position(source), Position { line: 2, column: 1 });
    }

    #[test]
    fn columns_count_code_points_and_a_bom_is_not_one() {
        let source = "\u{feff}# é😀x";
        let at = source.find('x').expect("it is there");
        assert_eq!(Span::new(at, at + 1).position(source), Position { line: 1, column: 5 });
    }
}

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
        let line_start = before
            .iter()
            .rposition(|&it| it == b'\n')
            .map_or(0, |at| at + 1);
        let line = before.iter().filter(|&&it| it == b'\n').count() + 1;
        let in_line = String::from_utf8_lossy(&before[line_start..]);
        let in_line = if line == 1 {
            in_line.trim_start_matches('\u{feff}')
        } else {
            &in_line
        };
        Position {
            line,
            column: in_line.chars().count() + 1,
        }
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
    /// Where each piece begins, ascending.
    pieces: Vec<Piece>,
}

/// A run of a text's bytes that came from one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    /// First byte in the text.
    value: usize,
    /// First byte in the source.
    source: usize,
    /// One past the last byte in the source, for bytes that do not stand there as they are.
    replaces: Option<usize>,
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
        Self {
            value: value.into(),
            pieces: vec![Piece {
                value: 0,
                source: start,
                replaces: None,
            }],
        }
    }

    /// Adds a piece that stands at byte `start` of the source.
    pub fn push(&mut self, piece: &str, start: usize) {
        self.pieces.push(Piece {
            value: self.value.len(),
            source: start,
            replaces: None,
        });
        self.value.push_str(piece);
    }

    /// Adds a piece that stands for `source` without being it: an escape, the value of a
    /// placeholder. Each of its bytes comes from the whole of `source`.
    pub fn push_replaced(&mut self, piece: &str, source: Span) {
        if piece.is_empty() {
            return;
        }
        self.pieces.push(Piece {
            value: self.value.len(),
            source: source.start,
            replaces: Some(source.end),
        });
        self.value.push_str(piece);
    }

    /// Adds a part of another text of the same source.
    pub fn push_text(&mut self, other: &Self, range: Range<usize>) {
        let mut at = range.start;
        while at < range.end {
            let next = other.pieces.partition_point(|piece| piece.value <= at);
            let end = other
                .pieces
                .get(next)
                .map_or(range.end, |it| it.value.min(range.end));
            let piece = &other.value[at..end];
            match next.checked_sub(1).map(|index| other.pieces[index]) {
                Some(Piece {
                    source,
                    replaces: Some(to),
                    ..
                }) => {
                    self.push_replaced(piece, Span::new(source, to));
                }
                Some(it) => self.push(piece, it.source + (at - it.value)),
                None => self.push(piece, at),
            }
            at = end;
        }
    }

    /// Where a range of the text's bytes stands in the source.
    #[must_use]
    pub fn source(&self, range: Range<usize>) -> Span {
        let start = self.source_of(range.start).start;
        let end = if range.end > range.start {
            self.source_of(range.end - 1).end
        } else {
            start
        };
        Span::new(start, end.max(start))
    }

    /// Where the whole text stands in the source.
    #[must_use]
    pub fn span(&self) -> Span {
        self.source(0..self.value.len())
    }

    fn source_of(&self, at: usize) -> Span {
        let next = self.pieces.partition_point(|piece| piece.value <= at);
        let Some(piece) = next.checked_sub(1).map(|index| self.pieces[index]) else {
            return Span::new(at, at + 1);
        };
        match piece.replaces {
            // Just past a replaced end there is no byte of the piece left: point behind it.
            Some(end) if at == self.value.len() => Span::new(end, end),
            Some(end) => Span::new(piece.source, end),
            None => {
                let start = piece.source + (at - piece.value);
                Span::new(start, start + 1)
            }
        }
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
        assert_eq!(
            text.source(at..at + 3).position(source),
            Position { line: 2, column: 1 }
        );
    }

    #[test]
    fn columns_count_code_points_and_a_bom_is_not_one() {
        let source = "\u{feff}# é😀x";
        let at = source.find('x').expect("it is there");
        assert_eq!(
            Span::new(at, at + 1).position(source),
            Position { line: 1, column: 5 }
        );
    }
}

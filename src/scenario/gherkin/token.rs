//! Lines and tokens, as the official implementation sees them.

use std::rc::Rc;

/// What a line is to the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TokenType {
    Eof,
    Empty,
    Comment,
    TagLine,
    FeatureLine,
    RuleLine,
    BackgroundLine,
    ScenarioLine,
    ExamplesLine,
    StepLine,
    DocStringSeparator,
    TableRow,
    Language,
    Other,
}

impl TokenType {
    /// By its name in the grammar.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "EOF" => Self::Eof,
            "Empty" => Self::Empty,
            "Comment" => Self::Comment,
            "TagLine" => Self::TagLine,
            "FeatureLine" => Self::FeatureLine,
            "RuleLine" => Self::RuleLine,
            "BackgroundLine" => Self::BackgroundLine,
            "ScenarioLine" => Self::ScenarioLine,
            "ExamplesLine" => Self::ExamplesLine,
            "StepLine" => Self::StepLine,
            "DocStringSeparator" => Self::DocStringSeparator,
            "TableRow" => Self::TableRow,
            "Language" => Self::Language,
            "Other" => Self::Other,
            _ => return None,
        })
    }
}

/// A line of the source; `None` in a token stands for the end of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct GherkinLine<'a> {
    /// As it was read, without its line break.
    pub(super) text: &'a str,
    /// Without the white space before it.
    pub(super) trimmed: &'a str,
    /// Code points of that white space.
    pub(super) indent: usize,
}

impl<'a> GherkinLine<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let trimmed = text.trim_start_matches(is_space);
        let indent = text[..text.len() - trimmed.len()].chars().count();
        Self {
            text,
            trimmed,
            indent,
        }
    }

    /// What stands behind a keyword that the line begins with.
    pub(super) fn rest_trimmed(&self, keyword: usize) -> &'a str {
        trim(self.trimmed.get(keyword..).unwrap_or_default())
    }

    /// The line without at most `indent` white space, as the official implementation takes it off:
    /// all of it where there is less.
    pub(super) fn without_indent(&self, indent: usize) -> &'a str {
        if indent > self.indent {
            return self.trimmed;
        }
        let cut = self
            .text
            .char_indices()
            .nth(indent)
            .map_or(self.text.len(), |(at, _)| at);
        &self.text[cut..]
    }

    /// Cells of a table row. Columns count UTF-16 units within the row, as there.
    pub(super) fn table_cells(&self) -> Vec<Item> {
        let mut cells = Vec::new();
        let mut cell = String::new();
        let mut first = true;
        let mut column = 0;
        let mut start = 1;
        let mut letters = self.trimmed.chars();
        while let Some(letter) = letters.next() {
            column += letter.len_utf16();
            match letter {
                '|' => {
                    if !first {
                        let left = cell.trim_start_matches(is_cell_space);
                        cells.push(Item {
                            column: self.indent + start + utf16(&cell[..cell.len() - left.len()]),
                            text: left.trim_end_matches(is_cell_space).to_owned(),
                        });
                    }
                    first = false;
                    cell.clear();
                    start = column + 1;
                }
                '\\' => {
                    let escaped = letters.next();
                    column += escaped.map_or(1, char::len_utf16);
                    match escaped {
                        Some('n') => cell.push('\n'),
                        Some(it @ ('|' | '\\')) => cell.push(it),
                        // At the end of the line JavaScript appends the text of what is not there.
                        None => cell.push_str("\\undefined"),
                        Some(it) => {
                            cell.push('\\');
                            cell.push(it);
                        }
                    }
                }
                it => cell.push(it),
            }
        }
        cells
    }
}

fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A tag or a cell with its column.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) column: usize,
    pub(super) text: String,
}

/// What was found out about a line.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) line: Option<GherkinLine<'a>>,
    /// From 1.
    pub(super) line_number: usize,
    /// Unknown until something was tried on it.
    pub(super) column: Option<usize>,
    pub(super) matched: Option<TokenType>,
    pub(super) text: Option<String>,
    pub(super) keyword: Option<String>,
    pub(super) keyword_type: Option<&'static str>,
    pub(super) items: Vec<Item>,
    pub(super) language: Option<Rc<str>>,
}

impl<'a> Token<'a> {
    pub(super) const fn new(line: Option<GherkinLine<'a>>, line_number: usize) -> Self {
        Self {
            line,
            line_number,
            column: None,
            matched: None,
            text: None,
            keyword: None,
            keyword_type: None,
            items: Vec::new(),
            language: None,
        }
    }
}

/// A mistake, worded as there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) line: usize,
    pub(super) column: Option<usize>,
    /// With the place in front, as there.
    pub(super) message: String,
    pub(super) kind: MistakeKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MistakeKind {
    /// A line that cannot stand here; tokens that could.
    Unexpected {
        expected: Vec<&'static str>,
    },
    /// The end of the file cannot stand here; the line of a doc string that is open.
    UnexpectedEnd {
        expected: Vec<&'static str>,
        doc_string: Option<usize>,
    },
    TagWithSpace,
    Language(String),
    CellCount,
}

impl Mistake {
    pub(super) fn new(
        line: usize,
        column: Option<usize>,
        message: &str,
        kind: MistakeKind,
    ) -> Self {
        let message = format!("({line}:{}): {message}", column.unwrap_or(0));
        Self {
            line,
            column,
            message,
            kind,
        }
    }
}

/// JavaScript's `\s`.
pub(super) fn is_space(it: char) -> bool {
    it == '\u{feff}' || it.is_whitespace() && it != '\u{85}'
}

/// White space that is taken off a cell.
fn is_cell_space(it: char) -> bool {
    matches!(
        it,
        ' ' | '\t' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{a0}'
    )
}

/// JavaScript's `trim`.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// As far as `.*` goes in JavaScript.
pub(super) fn up_to_line_end(text: &str) -> &str {
    let end = text
        .find(['\n', '\r', '\u{2028}', '\u{2029}'])
        .unwrap_or(text.len());
    &text[..end]
}

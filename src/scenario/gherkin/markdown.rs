//! Tokens of Markdown with Gherkin (`contracts/scenario-dialect.md`, section 5).
//!
//! This follows the official matcher to the letter, with its side effects: trying a line leaves
//! traces (an open doc string, a column), and which ones decides what a later try finds.

use super::{
    grammar::Matcher,
    languages::Language,
    token::{GherkinLine, Item, Mistake, Token, TokenType, is_space, trim, up_to_line_end},
};

/// Finds out what a line of a Markdown file is.
pub(super) struct Markdown {
    language: Language,
    /// The fence of the doc string that is open.
    open_doc_string: Option<String>,
    indent_to_remove: usize,
    feature_found: bool,
}

impl Markdown {
    pub(super) fn new(language: Language) -> Self {
        Self {
            language,
            open_doc_string: None,
            indent_to_remove: 0,
            feature_found: false,
        }
    }

    fn set(&self, token: &mut Token<'_>, indent: Option<usize>, matched: bool) -> bool {
        token.language = Some(self.language.name.clone());
        token.column = Some(indent.unwrap_or_else(|| token.line.map_or(0, |it| it.indent)) + 1);
        matched
    }

    /// A heading with a keyword.
    fn title(
        &self,
        token: &mut Token<'_>,
        line: GherkinLine<'_>,
        kind: TokenType,
        words: &[&str],
    ) -> bool {
        let mut indent = line.indent;
        let signs = line.trimmed.bytes().take_while(|&it| it == b'#').count();
        let rest = &line.trimmed[signs..];
        let space = rest
            .chars()
            .next()
            .filter(|it| is_space(*it))
            .map_or(0, char::len_utf8);
        let rest = &rest[space..];
        let prefix = if (1..=6).contains(&signs) && space > 0 {
            signs + 1
        } else {
            0
        };
        let starts = |it: &&&str| {
            rest.strip_prefix(**it)
                .is_some_and(|it| it.starts_with(':'))
        };
        let found = words.iter().find(|it| prefix > 0 && starts(it));
        if let Some(word) = found {
            token.matched = Some(kind);
            token.keyword = Some((*word).to_owned());
            token.text = Some(trim(up_to_line_end(&rest[word.len() + 1..])).to_owned());
            indent += prefix;
        }
        self.set(token, Some(indent), found.is_some())
    }

    fn step(&self, token: &mut Token<'_>, line: GherkinLine<'_>) -> bool {
        let mut indent = line.indent;
        let rest = line
            .trimmed
            .strip_prefix(['*', '+', '-'])
            .map(|it| it.trim_start_matches(is_space));
        let words = || self.language.steps.iter().filter(|(it, _)| *it != "* ");
        let found =
            rest.and_then(|rest| Some((rest, words().find(|(it, _)| rest.starts_with(it))?)));
        if let Some((rest, (word, kind))) = found {
            token.matched = Some(TokenType::StepLine);
            token.keyword = Some((*word).to_owned());
            token.keyword_type = Some(kind);
            token.text = Some(trim(up_to_line_end(&rest[word.len()..])).to_owned());
            indent += line.trimmed[..line.trimmed.len() - rest.len()]
                .encode_utf16()
                .count();
        }
        self.set(token, Some(indent), found.is_some())
    }

    fn feature(&mut self, token: &mut Token<'_>, line: GherkinLine<'_>) -> bool {
        if self.feature_found {
            return self.set(token, None, false);
        }
        if !self.title(token, line, TokenType::FeatureLine, &self.language.feature) {
            // The first line is the feature, whatever it says.
            token.matched = Some(TokenType::FeatureLine);
            token.text = Some(line.trimmed.to_owned());
            self.set(token, None, true);
        }
        self.feature_found = true;
        true
    }

    fn doc_string(&mut self, token: &mut Token<'_>, line: GherkinLine<'_>) -> bool {
        let found = match &self.open_doc_string {
            Some(fence) => (line.trimmed == fence).then(|| (fence.clone(), "")),
            None => {
                let ticks = line.trimmed.bytes().take_while(|&it| it == b'`').count();
                let (fence, rest) = line.trimmed.split_at(ticks);
                (ticks >= 3).then(|| (fence.to_owned(), up_to_line_end(rest)))
            }
        };
        let matched = found.is_some();
        if let Some((fence, media_type)) = found {
            if self.open_doc_string.is_none() {
                self.open_doc_string = Some(fence.clone());
                self.indent_to_remove = line.indent;
            } else {
                self.open_doc_string = None;
            }
            token.keyword = Some(fence);
            token.matched = Some(TokenType::DocStringSeparator);
            token.text = Some(media_type.to_owned());
        }
        self.set(token, None, matched)
    }

    /// Nothing else: prose.
    fn empty(&mut self, token: &mut Token<'_>, line: GherkinLine<'_>) -> Result<bool, Mistake> {
        let mut empty = line.trimmed.is_empty();
        const OTHERS: [TokenType; 12] = [
            TokenType::TagLine,
            TokenType::FeatureLine,
            TokenType::ScenarioLine,
            TokenType::BackgroundLine,
            TokenType::ExamplesLine,
            TokenType::RuleLine,
            TokenType::TableRow,
            TokenType::Comment,
            TokenType::Language,
            TokenType::DocStringSeparator,
            TokenType::Eof,
            TokenType::StepLine,
        ];
        let mut something_else = false;
        for kind in OTHERS {
            if self.matches(kind, token)? {
                something_else = true;
                break;
            }
        }
        empty |= !something_else;
        if empty {
            token.matched = Some(TokenType::Empty);
        }
        Ok(self.set(token, None, empty))
    }
}

impl Matcher for Markdown {
    fn matches(&mut self, kind: TokenType, token: &mut Token<'_>) -> Result<bool, Mistake> {
        let Some(line) = token.line else {
            if kind == TokenType::Eof {
                token.matched = Some(TokenType::Eof);
                return Ok(self.set(token, None, true));
            }
            return Ok(false);
        };
        let it = &self.language;
        Ok(match kind {
            TokenType::Eof => self.set(token, None, false),
            TokenType::Empty => return self.empty(token, line),
            TokenType::Comment => {
                let separator = line.trimmed.starts_with('|') && is_separator(&line.table_cells());
                self.set(token, None, separator)
            }
            TokenType::TagLine => {
                let tags = tags(line);
                if tags.is_empty() {
                    return Ok(false);
                }
                token.matched = Some(kind);
                token.items = tags;
                true
            }
            TokenType::FeatureLine => self.feature(token, line),
            TokenType::RuleLine => self.title(token, line, kind, &it.rule),
            TokenType::BackgroundLine => self.title(token, line, kind, &it.background),
            TokenType::ScenarioLine => {
                self.title(token, line, kind, &it.scenario)
                    || self.title(token, line, kind, &it.scenario_outline)
            }
            TokenType::ExamplesLine => self.title(token, line, kind, &it.examples),
            TokenType::StepLine => self.step(token, line),
            TokenType::DocStringSeparator => self.doc_string(token, line),
            TokenType::TableRow => {
                let indent = line.text.chars().take_while(|it| is_space(*it)).count();
                let cells = line.table_cells();
                if !(2..=5).contains(&indent)
                    || !line.trimmed.starts_with('|')
                    || is_separator(&cells)
                {
                    return Ok(false);
                }
                token.keyword = Some("|".to_owned());
                token.matched = Some(kind);
                token.items = cells;
                true
            }
            TokenType::Language => false,
            TokenType::Other => {
                token.matched = Some(kind);
                token.text = Some(line.without_indent(self.indent_to_remove).to_owned());
                self.set(token, None, true)
            }
        })
    }
}

/// The line below the header of a table in GitHub's Markdown.
fn is_separator(cells: &[Item]) -> bool {
    cells.iter().any(|it| {
        let text = it.text.strip_prefix(':').unwrap_or(&it.text);
        let text = text.strip_suffix(':').unwrap_or(text);
        !text.is_empty() && text.bytes().all(|it| it == b'-')
    })
}

/// Each `` `@tag` `` of a line. Columns count UTF-16 units within the line, as there.
fn tags(line: GherkinLine<'_>) -> Vec<Item> {
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some(start) = line.trimmed[at..].find("`@").map(|it| at + it) {
        let name = &line.trimmed[start + 2..];
        let end = name.find('`').filter(|end| *end > 0);
        let Some(end) = end else {
            at = start + 1;
            continue;
        };
        let before = line.trimmed[..start].encode_utf16().count();
        tags.push(Item {
            column: line.indent + before + 2,
            text: format!("@{}", &name[..end]),
        });
        at = start + 2 + end + 1;
    }
    tags
}

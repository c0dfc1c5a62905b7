//! Tokens of classic `.feature` files.

use super::{
    grammar::Matcher,
    languages::Language,
    token::{GherkinLine, Item, Mistake, MistakeKind, Token, TokenType, is_space, trim},
};

/// Finds out what a line of a classic file is.
pub(super) struct Classic {
    language: Language,
    /// The signs of the doc string that is open.
    open_doc_string: Option<&'static str>,
    indent_to_remove: usize,
}

impl Classic {
    pub(super) fn new(language: Language) -> Self {
        Self {
            language,
            open_doc_string: None,
            indent_to_remove: 0,
        }
    }

    fn matched(&self, token: &mut Token<'_>, kind: TokenType, indent: Option<usize>) -> bool {
        token.matched = Some(kind);
        token.text = None;
        token.keyword = None;
        token.keyword_type = None;
        token.items.clear();
        let indent = indent.unwrap_or_else(|| token.line.map_or(0, |it| it.indent));
        token.column = Some(indent + 1);
        token.language = Some(self.language.name.clone());
        true
    }

    fn title(&self, token: &mut Token<'_>, line: GherkinLine<'_>, kind: TokenType) -> bool {
        let it = &self.language;
        let lists: [&[&'static str]; 2] = match kind {
            TokenType::FeatureLine => [&it.feature, &[]],
            TokenType::RuleLine => [&it.rule, &[]],
            TokenType::BackgroundLine => [&it.background, &[]],
            TokenType::ExamplesLine => [&it.examples, &[]],
            _ => [&it.scenario, &it.scenario_outline],
        };
        let starts = |it: &&&str| {
            line.trimmed
                .strip_prefix(**it)
                .is_some_and(|it| it.starts_with(':'))
        };
        let Some(&keyword) = lists.into_iter().flatten().find(starts) else {
            return false;
        };
        self.matched(token, kind, None);
        token.text = Some(line.rest_trimmed(keyword.len() + 1).to_owned());
        token.keyword = Some(keyword.to_owned());
        true
    }

    fn step(&self, token: &mut Token<'_>, line: GherkinLine<'_>) -> bool {
        let found = self
            .language
            .steps
            .iter()
            .find(|(it, _)| line.trimmed.starts_with(it));
        let Some(&(keyword, kind)) = found else {
            return false;
        };
        self.matched(token, TokenType::StepLine, None);
        token.text = Some(line.rest_trimmed(keyword.len()).to_owned());
        token.keyword = Some(keyword.to_owned());
        token.keyword_type = Some(kind);
        true
    }

    fn doc_string(&mut self, token: &mut Token<'_>, line: GherkinLine<'_>) -> bool {
        let signs: &[&'static str] = match &self.open_doc_string {
            Some(open) => std::slice::from_ref(open),
            None => &["\"\"\"", "```"],
        };
        let found = signs
            .iter()
            .find(|it| line.trimmed.starts_with(**it))
            .copied();
        let Some(signs) = found else { return false };
        let opens = self.open_doc_string.is_none();
        self.open_doc_string = opens.then_some(signs);
        self.indent_to_remove = if opens { line.indent } else { 0 };
        self.matched(token, TokenType::DocStringSeparator, None);
        token.text = opens.then(|| line.rest_trimmed(signs.len()).to_owned());
        token.keyword = Some(signs.to_owned());
        true
    }

    fn language_line(
        &mut self,
        token: &mut Token<'_>,
        line: GherkinLine<'_>,
    ) -> Result<bool, Mistake> {
        let Some(name) = language_name(line.trimmed) else {
            return Ok(false);
        };
        self.matched(token, TokenType::Language, None);
        token.text = Some(name.to_owned());
        match Language::named(name) {
            Some(language) => {
                self.language = language;
                Ok(true)
            }
            None => Err(Mistake::new(
                token.line_number,
                token.column,
                &format!("Language not supported: {name}"),
                MistakeKind::Language(name.to_owned()),
            )),
        }
    }

    fn other(&self, token: &mut Token<'_>, line: GherkinLine<'_>) -> bool {
        let text = line.without_indent(self.indent_to_remove);
        let text = match self.open_doc_string {
            Some("\"\"\"") => text.replacen("\\\"\\\"\\\"", "\"\"\"", 1),
            Some(_) => text.replacen("\\`\\`\\`", "```", 1),
            None => text.to_owned(),
        };
        self.matched(token, TokenType::Other, Some(0));
        token.text = Some(text);
        true
    }

    fn tags(&self, token: &mut Token<'_>, line: GherkinLine<'_>) -> Result<bool, Mistake> {
        let items = read_tags(line, token.line_number)?;
        self.matched(token, TokenType::TagLine, None);
        token.items = items;
        Ok(true)
    }
}

impl Matcher for Classic {
    fn matches(&mut self, kind: TokenType, token: &mut Token<'_>) -> Result<bool, Mistake> {
        let Some(line) = token.line else {
            return Ok(kind == TokenType::Eof && self.matched(token, kind, None));
        };
        Ok(match kind {
            TokenType::Eof => false,
            TokenType::Empty => line.trimmed.is_empty() && self.matched(token, kind, Some(0)),
            TokenType::Comment => {
                if !line.trimmed.starts_with('#') {
                    return Ok(false);
                }
                self.matched(token, kind, Some(0));
                token.text = Some(line.text.to_owned());
                true
            }
            TokenType::TagLine => {
                return if line.trimmed.starts_with('@') {
                    self.tags(token, line)
                } else {
                    Ok(false)
                };
            }
            TokenType::StepLine => self.step(token, line),
            TokenType::DocStringSeparator => self.doc_string(token, line),
            TokenType::TableRow => {
                if !line.trimmed.starts_with('|') {
                    return Ok(false);
                }
                self.matched(token, kind, None);
                token.items = line.table_cells();
                true
            }
            TokenType::Language => return self.language_line(token, line),
            TokenType::Other => self.other(token, line),
            _ => self.title(token, line, kind),
        })
    }
}

/// `# language: no`.
fn language_name(line: &str) -> Option<&str> {
    let rest = trim(line.strip_prefix('#')?).strip_prefix("language")?;
    let name = trim(trim(rest).strip_prefix(':')?);
    let letters = |it: u8| it.is_ascii_alphabetic() || it == b'-' || it == b'_';
    (!name.is_empty() && name.bytes().all(letters)).then_some(name)
}

fn read_tags(line: GherkinLine<'_>, line_number: usize) -> Result<Vec<Item>, Mistake> {
    let mut comment = line.trimmed.len();
    let mut previous = None;
    for (at, letter) in line.trimmed.char_indices() {
        match previous {
            Some((start, it)) if letter == '#' && is_space(it) => {
                comment = start;
                break;
            }
            _ => previous = Some((at, letter)),
        }
    }
    let mut column = line.indent + 1;
    let mut tags = Vec::new();
    for item in line.trimmed[..comment].split('@') {
        let name = item.trim_end_matches(is_space);
        if name.is_empty() {
            continue;
        }
        if name.contains(is_space) {
            let message = "A tag may not contain whitespace";
            return Err(Mistake::new(
                line_number,
                Some(column),
                message,
                MistakeKind::TagWithSpace,
            ));
        }
        tags.push(Item {
            column,
            text: format!("@{name}"),
        });
        column += item.chars().count() + 1;
    }
    Ok(tags)
}

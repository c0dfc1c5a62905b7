//! The states of the official grammar, read from `grammar.txt`, and the loop that walks them.

use std::{collections::VecDeque, sync::LazyLock};

use serde_json::Value;

use super::{
    builder::Builder,
    production::Production,
    token::{GherkinLine, Mistake, MistakeKind, Token, TokenType},
};

/// Mistakes after which reading stops, as in the official implementation.
const MOST_MISTAKES: usize = 10;
/// The state behind the end of the file.
const DONE: usize = 42;

/// Finds out what a line is; one for each dialect.
pub(super) trait Matcher {
    /// Whether a line is of this kind. Leaves its findings in the token, sometimes even if not.
    fn matches(&mut self, kind: TokenType, token: &mut Token<'_>) -> Result<bool, Mistake>;
}

/// Reads the lines of a document; the first one has the number `first_line`.
pub(super) fn parse(
    lines: &[&str],
    first_line: usize,
    matcher: &mut dyn Matcher,
) -> Result<Value, Vec<Mistake>> {
    let mut parser = Parser {
        lines,
        next: 0,
        first_line,
        matcher,
        builder: Builder::new(),
        queue: VecDeque::new(),
        mistakes: Vec::new(),
        open_doc_string: None,
    };
    parser.builder.start(Production::GherkinDocument);
    // After too many mistakes what was found is reported.
    let _ = parser.walk();
    if parser.mistakes.is_empty() {
        Ok(parser.builder.result())
    } else {
        Err(parser.mistakes)
    }
}

/// Too many mistakes.
struct Enough;

struct Parser<'a, 'm> {
    lines: &'a [&'a str],
    next: usize,
    first_line: usize,
    matcher: &'m mut dyn Matcher,
    builder: Builder<'a>,
    queue: VecDeque<Token<'a>>,
    mistakes: Vec<Mistake>,
    open_doc_string: Option<usize>,
}

impl<'a> Parser<'a, '_> {
    fn walk(&mut self) -> Result<(), Enough> {
        let mut state = 0;
        loop {
            let token = self.read();
            let is_end = token.line.is_none();
            state = self.step(state, token)?;
            if is_end {
                let end = self.builder.end();
                return self.record(end);
            }
        }
    }

    fn read(&mut self) -> Token<'a> {
        self.queue.pop_front().unwrap_or_else(|| {
            let line = self.lines.get(self.next).map(|it| GherkinLine::new(it));
            self.next += 1;
            Token::new(line, self.first_line + self.next - 1)
        })
    }

    fn step(&mut self, state: usize, mut token: Token<'a>) -> Result<usize, Enough> {
        let grammar: &'static Grammar = &GRAMMAR;
        let Some(current) = grammar.states.get(state) else {
            return Ok(DONE);
        };
        for transition in &current.transitions {
            if !self.matches(transition.token, &mut token)? {
                continue;
            }
            if let Some(lookahead) = transition.lookahead
                && !self.look_ahead(lookahead)?
            {
                continue;
            }
            if transition.token == TokenType::DocStringSeparator {
                self.open_doc_string = if self.open_doc_string.is_none() {
                    Some(token.line_number)
                } else {
                    None
                };
            }
            for action in &transition.actions {
                match action {
                    Action::Start(rule) => self.builder.start(*rule),
                    Action::End => {
                        let end = self.builder.end();
                        self.record(end)?;
                    }
                }
            }
            self.builder.build(token);
            return Ok(transition.next);
        }
        self.unexpected(&token, &current.expected)?;
        Ok(state)
    }

    fn matches(&mut self, kind: TokenType, token: &mut Token<'a>) -> Result<bool, Enough> {
        match self.matcher.matches(kind, token) {
            Ok(matched) => Ok(matched),
            Err(mistake) => self.record(Err(mistake)).map(|()| false),
        }
    }

    /// Whether these tags are a scenario's (or its examples'). Once for each run of tags: the
    /// states behind do not look again.
    fn look_ahead(&mut self, lookahead: usize) -> Result<bool, Enough> {
        let wanted = [TokenType::ScenarioLine, TokenType::ExamplesLine][lookahead];
        let mut read = Vec::new();
        let found = loop {
            let mut token = self.read();
            if self.matches(wanted, &mut token)? {
                read.push(token);
                break true;
            }
            let mut goes_on = false;
            for kind in [TokenType::Empty, TokenType::Comment, TokenType::TagLine] {
                if self.matches(kind, &mut token)? {
                    goes_on = true;
                    break;
                }
            }
            read.push(token);
            if !goes_on {
                break false;
            }
        };
        self.queue.extend(read);
        Ok(found)
    }

    fn unexpected(&mut self, token: &Token<'a>, expected: &[&'static str]) -> Result<(), Enough> {
        let tokens = expected.join(", ");
        let expected = expected.to_vec();
        let mistake = match &token.line {
            Some(line) => Mistake::new(
                token.line_number,
                Some(line.indent + 1),
                &format!(
                    "expected: {tokens}, got '{}'",
                    super::token::trim(line.trimmed)
                ),
                MistakeKind::Unexpected { expected },
            ),
            None => Mistake::new(
                token.line_number,
                token.column,
                &format!("unexpected end of file, expected: {tokens}"),
                MistakeKind::UnexpectedEnd {
                    expected,
                    doc_string: self.open_doc_string,
                },
            ),
        };
        self.record(Err(mistake))
    }

    fn record(&mut self, result: Result<(), Mistake>) -> Result<(), Enough> {
        let Err(mistake) = result else { return Ok(()) };
        if self.mistakes.iter().all(|it| it.message != mistake.message) {
            self.mistakes.push(mistake);
        }
        if self.mistakes.len() > MOST_MISTAKES {
            Err(Enough)
        } else {
            Ok(())
        }
    }
}

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| Grammar::read(include_str!("grammar.txt")));

struct Grammar {
    states: Vec<State>,
}

#[derive(Default)]
struct State {
    transitions: Vec<Transition>,
    expected: Vec<&'static str>,
}

struct Transition {
    token: TokenType,
    lookahead: Option<usize>,
    actions: Vec<Action>,
    next: usize,
}

enum Action {
    Start(Production),
    End,
}

impl Grammar {
    fn read(text: &'static str) -> Self {
        let mut states: Vec<State> = Vec::new();
        for line in text.lines().filter(|it| !it.starts_with('#')) {
            let mut words = line.split(' ');
            let Some(state) = words.next().and_then(|it| it.parse::<usize>().ok()) else {
                continue;
            };
            if states.len() <= state {
                states.resize_with(state + 1, State::default);
            }
            match words.next() {
                Some("!") => states[state].expected = words.collect(),
                Some(name) => states[state].transitions.extend(transition(name, words)),
                None => {}
            }
        }
        Self { states }
    }
}

fn transition(name: &str, words: std::str::Split<'_, char>) -> Option<Transition> {
    let token = TokenType::named(name)?;
    let mut transition = Transition {
        token,
        lookahead: None,
        actions: Vec::new(),
        next: 0,
    };
    for word in words {
        match word.split_at(1) {
            ("?", number) => transition.lookahead = number.parse().ok(),
            ("+", rule) => transition
                .actions
                .push(Action::Start(Production::named(rule)?)),
            ("-", "") => transition.actions.push(Action::End),
            ("=", "") => {}
            _ => transition.next = word.parse().ok()?,
        }
    }
    Some(transition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_grammar_is_read() {
        let lines = include_str!("grammar.txt")
            .lines()
            .filter(|it| !it.starts_with('#'))
            .count();
        let read: usize = GRAMMAR.states.iter().map(|it| it.transitions.len()).sum();
        let states = GRAMMAR
            .states
            .iter()
            .filter(|it| !it.expected.is_empty())
            .count();
        assert_eq!((read + states, states), (lines, 54));
    }
}

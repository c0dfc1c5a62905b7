//! From the messages of a `gherkinDocument` to the tree that all dialects share.

use serde_json::Value;

use super::super::{
    Span, Text,
    ast::{
        Background, Block, Child, Examples, Feature, Row, Rule, Scenario, Step, StepKind, Table,
    },
    lines::Line,
};

/// The feature of a document; `lines` are those it was read from, for the places.
pub(super) fn feature(document: &Value, lines: &[Line<'_>], first_line: usize) -> Option<Feature> {
    let places = Places { lines, first_line };
    let feature = document.get("feature").filter(|it| it.is_object())?;
    let mut background = None;
    let mut children = Vec::new();
    for child in list(feature, "children") {
        if let Some(it) = child.get("background") {
            background = Some(places.background(it));
        } else if let Some(it) = child.get("scenario") {
            children.push(Child::Scenario(places.scenario(it)));
        } else if let Some(it) = child.get("rule") {
            children.push(Child::Rule(places.rule(it)));
        }
    }
    Some(Feature {
        title: places.title(feature, "name"),
        tags: places.tags(feature),
        description: description(feature),
        background,
        children,
    })
}

struct Places<'l, 'a> {
    lines: &'l [Line<'a>],
    first_line: usize,
}

impl<'a> Places<'_, 'a> {
    fn line(&self, message: &Value) -> Line<'a> {
        let number = message["location"]["line"].as_u64().unwrap_or(1);
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        self.line_at(number)
    }

    fn line_at(&self, number: usize) -> Line<'a> {
        let index = number.saturating_sub(self.first_line);
        self.lines
            .get(index)
            .or(self.lines.last())
            .copied()
            .unwrap_or(Line { text: "", start: 0 })
    }

    /// A text of one line: where it stands on it, behind the keyword.
    fn title(&self, message: &Value, field: &str) -> Text {
        let value = text(message, field);
        let line = self.line(message);
        let keyword = text(message, "keyword");
        let after = line.text.find(keyword).map_or(0, |at| at + keyword.len());
        let at = line.text[after..]
            .find(value)
            .map_or(line.text.len(), |at| after + at);
        Text::at(value, line.start + at)
    }

    fn heading(&self, message: &Value) -> Span {
        self.line(message).visible()
    }

    fn tags(&self, message: &Value) -> Vec<Text> {
        let mut from = (0, 0);
        list(message, "tags")
            .iter()
            .map(|tag| {
                let name = text(tag, "name");
                let line = self.line(tag);
                let start = if from.0 == line.start { from.1 } else { 0 };
                let at = line.text[start..].find(name).map_or(start, |at| start + at);
                from = (line.start, at + name.len());
                Text::at(name, line.start + at)
            })
            .collect()
    }

    fn background(&self, message: &Value) -> Background {
        Background {
            title: self.title(message, "name"),
            steps: self.steps(message),
            span: self.heading(message),
        }
    }

    fn rule(&self, message: &Value) -> Rule {
        let children = list(message, "children");
        Rule {
            title: self.title(message, "name"),
            tags: self.tags(message),
            description: description(message),
            background: children
                .iter()
                .find_map(|it| Some(self.background(it.get("background")?))),
            scenarios: children
                .iter()
                .filter_map(|it| Some(self.scenario(it.get("scenario")?)))
                .collect(),
            span: self.heading(message),
        }
    }

    fn scenario(&self, message: &Value) -> Scenario {
        Scenario {
            keyword: text(message, "keyword").to_owned(),
            title: self.title(message, "name"),
            tags: self.tags(message),
            description: description(message),
            steps: self.steps(message),
            examples: list(message, "examples")
                .iter()
                .map(|it| self.examples(it))
                .collect(),
            span: self.heading(message),
        }
    }

    fn examples(&self, message: &Value) -> Examples {
        let table = message.get("tableHeader").map(|header| Table {
            rows: std::iter::once(header)
                .chain(list(message, "tableBody"))
                .map(|it| self.row(it))
                .collect(),
        });
        Examples {
            title: self.title(message, "name"),
            tags: self.tags(message),
            table,
            span: self.heading(message),
        }
    }

    fn steps(&self, message: &Value) -> Vec<Step> {
        let mut previous = StepKind::Given;
        list(message, "steps")
            .iter()
            .map(|step| {
                let kind = match text(step, "keywordType") {
                    "Context" => StepKind::Given,
                    "Action" => StepKind::When,
                    "Outcome" => StepKind::Then,
                    _ => previous,
                };
                previous = kind;
                Step {
                    keyword: text(step, "keyword").trim().to_owned(),
                    kind,
                    title: self.title(step, "text"),
                    block: step.get("docString").map(|it| self.block(it)),
                    table: step.get("dataTable").map(|it| Table {
                        rows: list(it, "rows").iter().map(|it| self.row(it)).collect(),
                    }),
                    description: Vec::new(),
                    span: self.heading(step),
                }
            })
            .collect()
    }

    fn block(&self, message: &Value) -> Block {
        let opening = self.line(message);
        let number =
            usize::try_from(message["location"]["line"].as_u64().unwrap_or(1)).unwrap_or(1);
        let mut code = Text::new();
        let mut count = 0;
        let content = text(message, "content");
        for (index, line) in content.split('\n').enumerate() {
            let source = self.line_at(number + 1 + index);
            if index > 0 {
                code.push("\n", source.start.saturating_sub(1));
            }
            if source.text.ends_with(line) {
                code.push(line, source.end() - line.len());
            } else {
                // An escaped delimiter.
                code.push_replaced(line, source.visible());
            }
            count = index + 1;
        }
        if content.is_empty()
            && self
                .line_at(number + 1)
                .text
                .trim_start()
                .starts_with(text(message, "delimiter"))
        {
            count = 0;
        }
        let closing = self.line_at(number + 1 + count);
        Block {
            language: message
                .get("mediaType")
                .and_then(Value::as_str)
                .map(|it| it.trim().to_owned()),
            code,
            span: Span::new(opening.visible().start, closing.visible().end),
        }
    }

    fn row(&self, message: &Value) -> Row {
        let line = self.line(message);
        let mut from = 0;
        let cells = list(message, "cells")
            .iter()
            .map(|cell| {
                let value = text(cell, "value");
                // Cells are separated by pipes that no backslash escapes.
                let start = next_pipe(line.text, from).map_or(line.text.len(), |at| at + 1);
                let end = next_pipe(line.text, start).unwrap_or(line.text.len());
                from = end;
                let raw = &line.text[start..end];
                let at = line.start + start + raw.len() - raw.trim_start().len();
                if raw.trim() == value {
                    return Text::at(value, at);
                }
                let mut text = Text::at("", at);
                text.push_replaced(value, Span::new(at, at + raw.trim().len()));
                text
            })
            .collect();
        Row {
            cells,
            span: line.visible(),
        }
    }
}

fn next_pipe(line: &str, from: usize) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in line.get(from..)?.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '|' => return Some(from + at),
            _ => {}
        }
    }
    None
}

fn text<'v>(message: &'v Value, field: &str) -> &'v str {
    message
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn list<'v>(message: &'v Value, field: &str) -> &'v [Value] {
    message
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Paragraphs of a description, their lines joined with one space.
fn description(message: &Value) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in text(message, "description").lines().map(str::trim) {
        match paragraphs.last_mut() {
            Some(last) if line.is_empty() && !last.is_empty() => paragraphs.push(String::new()),
            Some(last) => {
                if !last.is_empty() && !line.is_empty() {
                    last.push(' ');
                }
                last.push_str(line);
            }
            None => {}
        }
    }
    paragraphs.retain(|it| !it.is_empty());
    paragraphs
}

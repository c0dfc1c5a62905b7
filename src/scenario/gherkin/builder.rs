//! Puts tokens together into the messages of a `gherkinDocument`, with ids counted as there.

use serde_json::{Map, Value, json};

use super::production::Production;
use super::token::{Item, Mistake, MistakeKind, Token, TokenType};

/// What became of a rule that ended.
enum Built<'a> {
    Node(Node<'a>),
    Message(Value),
    Rows(Vec<Value>),
    Text(String),
    Nothing,
}

/// A rule with what it holds, in order.
struct Node<'a> {
    rule: Production,
    tokens: Vec<Token<'a>>,
    rules: Vec<(Production, Built<'a>)>,
}

impl<'a> Node<'a> {
    const fn new(rule: Production) -> Self {
        Self {
            rule,
            tokens: Vec::new(),
            rules: Vec::new(),
        }
    }

    fn token(&self, kind: TokenType) -> Option<&Token<'a>> {
        self.tokens.iter().find(|it| it.matched == Some(kind))
    }

    fn tokens(&self, kind: TokenType) -> impl Iterator<Item = &Token<'a>> {
        self.tokens
            .iter()
            .filter(move |it| it.matched == Some(kind))
    }

    fn first(&self, rule: Production) -> Option<&Built<'a>> {
        self.rules
            .iter()
            .find(|(it, _)| *it == rule)
            .map(|(_, built)| built)
    }

    fn node(&self, rule: Production) -> Option<&Self> {
        match self.first(rule) {
            Some(Built::Node(node)) => Some(node),
            _ => None,
        }
    }

    fn message(&self, rule: Production) -> Option<Value> {
        match self.first(rule) {
            Some(Built::Message(message)) => Some(message.clone()),
            _ => None,
        }
    }

    fn messages(&self, rule: Production) -> Vec<Value> {
        let built = self.rules.iter().filter(|(it, _)| *it == rule);
        built
            .filter_map(|(_, it)| match it {
                Built::Message(message) => Some(message.clone()),
                _ => None,
            })
            .collect()
    }

    fn description(&self) -> String {
        match self.first(Production::Description) {
            Some(Built::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }
}

/// The stack of rules that are open.
pub(super) struct Builder<'a> {
    stack: Vec<Node<'a>>,
    comments: Vec<Value>,
    next_id: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new() -> Self {
        Self {
            stack: vec![Node::new(Production::None)],
            comments: Vec::new(),
            next_id: 0,
        }
    }

    pub(super) fn start(&mut self, rule: Production) {
        self.stack.push(Node::new(rule));
    }

    pub(super) fn build(&mut self, token: Token<'a>) {
        if token.matched == Some(TokenType::Comment) {
            self.comments
                .push(json!({ "location": location(&token), "text": token.text }));
        } else if let Some(current) = self.stack.last_mut() {
            current.tokens.push(token);
        }
    }

    pub(super) fn end(&mut self) -> Result<(), Mistake> {
        let Some(node) = self.stack.pop() else {
            return Ok(());
        };
        let rule = node.rule;
        let built = self.transform(node)?;
        if let Some(current) = self.stack.last_mut() {
            current.rules.push((rule, built));
        }
        Ok(())
    }

    /// The document, once all rules have ended.
    pub(super) fn result(&self) -> Value {
        let root = self.stack.first();
        root.and_then(|it| it.message(Production::GherkinDocument))
            .unwrap_or(Value::Null)
    }

    fn id(&mut self) -> String {
        let id = self.next_id;
        self.next_id += 1;
        id.to_string()
    }

    fn transform(&mut self, node: Node<'a>) -> Result<Built<'a>, Mistake> {
        Ok(match node.rule {
            Production::Step => Built::Message(self.step(&node)),
            Production::DocString => doc_string(&node),
            Production::DataTable => {
                let rows = self.rows(&node)?;
                let place = rows.first().map(|it| it["location"].clone());
                Built::Message(json!({ "location": place, "rows": rows }))
            }
            Production::ExamplesTable => Built::Rows(self.rows(&node)?),
            Production::Background => self.background(&node),
            Production::ScenarioDefinition => self.scenario(&node),
            Production::ExamplesDefinition => self.examples(&node),
            Production::Description => Built::Text(description(&node)),
            Production::Feature => self.feature(&node),
            Production::Rule => self.rule(&node),
            Production::GherkinDocument => {
                let mut document = Map::new();
                document.extend(
                    node.message(Production::Feature)
                        .map(|it| ("feature".to_owned(), it)),
                );
                document.insert(
                    "comments".into(),
                    Value::Array(std::mem::take(&mut self.comments)),
                );
                Built::Message(Value::Object(document))
            }
            _ => Built::Node(node),
        })
    }

    fn step(&mut self, node: &Node<'a>) -> Value {
        let Some(line) = node.token(TokenType::StepLine) else {
            return Value::Null;
        };
        let mut step = Map::new();
        step.insert("id".into(), self.id().into());
        step.insert("location".into(), location(line));
        step.insert("keyword".into(), line.keyword.clone().into());
        step.insert("keywordType".into(), line.keyword_type.into());
        step.insert("text".into(), line.text.clone().into());
        step.extend(
            node.message(Production::DataTable)
                .map(|it| ("dataTable".to_owned(), it)),
        );
        step.extend(
            node.message(Production::DocString)
                .map(|it| ("docString".to_owned(), it)),
        );
        Value::Object(step)
    }

    fn rows(&mut self, node: &Node<'a>) -> Result<Vec<Value>, Mistake> {
        let tokens = || node.tokens(TokenType::TableRow);
        let rows = tokens()
            .map(|it| {
                let cells = it.items.iter().map(
                    |cell| json!({ "location": location_at(it, cell.column), "value": cell.text }),
                );
                let cells: Vec<_> = cells.collect();
                json!({ "id": self.id(), "location": location(it), "cells": cells })
            })
            .collect();
        let count = tokens().next().map_or(0, |it| it.items.len());
        match tokens().find(|it| it.items.len() != count) {
            None => Ok(rows),
            Some(odd) => Err(Mistake::new(
                odd.line_number,
                odd.column,
                "inconsistent cell count within the table",
                MistakeKind::CellCount,
            )),
        }
    }

    fn tags(&mut self, node: &Node<'a>) -> Vec<Value> {
        let tags = node
            .node(Production::Tags)
            .into_iter()
            .flat_map(|it| it.tokens(TokenType::TagLine));
        tags.flat_map(|line| line.items.iter().map(move |it| (line, it)))
            .map(|(line, Item { column, text })| {
                json!({ "location": location_at(line, *column), "name": text, "id": self.id() })
            })
            .collect()
    }

    fn background(&mut self, node: &Node<'a>) -> Built<'a> {
        let Some(line) = node.token(TokenType::BackgroundLine) else {
            return Built::Nothing;
        };
        let mut message = Map::new();
        message.insert("id".into(), self.id().into());
        message.extend(heading(line, node.description()));
        message.insert("steps".into(), node.messages(Production::Step).into());
        Built::Message(Value::Object(message))
    }

    fn scenario(&mut self, node: &Node<'a>) -> Built<'a> {
        let tags = self.tags(node);
        let Some(inner) = node.node(Production::Scenario) else {
            return Built::Nothing;
        };
        let Some(line) = inner.token(TokenType::ScenarioLine) else {
            return Built::Nothing;
        };
        let mut message = Map::new();
        message.insert("id".into(), self.id().into());
        message.insert("tags".into(), tags.into());
        message.extend(heading(line, inner.description()));
        message.insert("steps".into(), inner.messages(Production::Step).into());
        message.insert(
            "examples".into(),
            inner.messages(Production::ExamplesDefinition).into(),
        );
        Built::Message(Value::Object(message))
    }

    fn examples(&mut self, node: &Node<'a>) -> Built<'a> {
        let tags = self.tags(node);
        let Some(inner) = node.node(Production::Examples) else {
            return Built::Nothing;
        };
        let Some(line) = inner.token(TokenType::ExamplesLine) else {
            return Built::Nothing;
        };
        let mut rows = match inner.first(Production::ExamplesTable) {
            Some(Built::Rows(rows)) => rows.clone().into_iter(),
            _ => Vec::new().into_iter(),
        };
        let mut message = Map::new();
        message.insert("id".into(), self.id().into());
        message.insert("tags".into(), tags.into());
        message.extend(heading(line, inner.description()));
        message.extend(rows.next().map(|it| ("tableHeader".to_owned(), it)));
        message.insert("tableBody".into(), rows.collect());
        Built::Message(Value::Object(message))
    }

    fn feature(&mut self, node: &Node<'a>) -> Built<'a> {
        let Some(header) = node.node(Production::FeatureHeader) else {
            return Built::Nothing;
        };
        let Some(line) = header.token(TokenType::FeatureLine) else {
            return Built::Nothing;
        };
        let mut message = Map::new();
        message.insert("tags".into(), self.tags(header).into());
        message.insert("location".into(), location(line));
        message.insert("language".into(), line.language.as_deref().into());
        message.extend(heading(line, header.description()).into_iter().skip(1));
        let mut children = children(node);
        children.extend(
            node.messages(Production::Rule)
                .into_iter()
                .map(|it| json!({ "rule": it })),
        );
        message.insert("children".into(), children.into());
        Built::Message(Value::Object(message))
    }

    fn rule(&mut self, node: &Node<'a>) -> Built<'a> {
        let Some(header) = node.node(Production::RuleHeader) else {
            return Built::Nothing;
        };
        let Some(line) = header.token(TokenType::RuleLine) else {
            return Built::Nothing;
        };
        let tags = self.tags(header);
        let mut message = Map::new();
        message.insert("id".into(), self.id().into());
        message.extend(heading(line, header.description()));
        message.insert("children".into(), children(node).into());
        message.insert("tags".into(), tags.into());
        Built::Message(Value::Object(message))
    }
}

fn children(node: &Node<'_>) -> Vec<Value> {
    let background = node
        .message(Production::Background)
        .map(|it| json!({ "background": it }));
    let scenarios = node.messages(Production::ScenarioDefinition).into_iter();
    background
        .into_iter()
        .chain(scenarios.map(|it| json!({ "scenario": it })))
        .collect()
}

/// What all headings say, in their order. A feature of Markdown may have no keyword.
fn heading(line: &Token<'_>, description: String) -> Vec<(String, Value)> {
    let mut fields = vec![("location".to_owned(), location(line))];
    fields.extend(
        line.keyword
            .clone()
            .map(|it| ("keyword".to_owned(), it.into())),
    );
    fields.push(("name".to_owned(), line.text.clone().into()));
    fields.push(("description".to_owned(), description.into()));
    fields
}

fn doc_string<'a>(node: &Node<'a>) -> Built<'a> {
    let Some(opening) = node.token(TokenType::DocStringSeparator) else {
        return Built::Nothing;
    };
    let lines: Vec<_> = node
        .tokens(TokenType::Other)
        .filter_map(|it| it.text.as_deref())
        .collect();
    let mut message = Map::new();
    message.insert("location".into(), location(opening));
    message.insert("content".into(), lines.join("\n").into());
    message.insert("delimiter".into(), opening.keyword.clone().into());
    let media_type = opening.text.clone().filter(|it| !it.is_empty());
    message.extend(media_type.map(|it| ("mediaType".to_owned(), it.into())));
    Built::Message(Value::Object(message))
}

fn description(node: &Node<'_>) -> String {
    let lines: Vec<_> = node.tokens(TokenType::Other).collect();
    let is_blank = |it: &&Token<'_>| it.line.is_none_or(|it| it.trimmed.is_empty());
    let end = lines
        .iter()
        .rposition(|it| !is_blank(it))
        .map_or(0, |at| at + 1);
    let texts: Vec<_> = lines[..end]
        .iter()
        .filter_map(|it| it.text.as_deref())
        .collect();
    texts.join("\n")
}

fn location(token: &Token<'_>) -> Value {
    match token.column {
        Some(column) => location_at(token, column),
        None => json!({ "line": token.line_number }),
    }
}

fn location_at(token: &Token<'_>, column: usize) -> Value {
    json!({ "line": token.line_number, "column": column })
}

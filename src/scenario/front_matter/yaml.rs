//! YAML 1.2, core schema, with the place of every node.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Mark};
use serde_json::{Map, Number, Value};

use super::super::{Diagnostic, Span, lines::Line};

/// Nodes of one front matter, aliases expanded: an end to what a few of them can become.
const MOST_NODES: usize = 20_000;
/// Levels of lists and maps.
const DEEPEST: usize = 64;

/// A node of the document.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Its value by the core schema, and its text.
    Scalar(Value, String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar, as it was written.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(_, text) => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar that is a string by the core schema.
    pub(super) fn string(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Value::String(text), _) => Some(text),
            _ => None,
        }
    }

    /// What it is, for people.
    pub(super) const fn kind(&self) -> &'static str {
        match &self.content {
            Content::Scalar(Value::String(_), _) => "a text",
            Content::Scalar(Value::Number(_), _) => "a number",
            Content::Scalar(Value::Bool(_), _) => "true or false",
            Content::Scalar(..) => "empty",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        }
    }

    /// The node as JSON.
    pub(super) fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value, _) => value.clone(),
            Content::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Content::Map(pairs) => Value::Object(to_map(pairs)),
        }
    }
}

/// A map as JSON; its keys are what was written.
pub(super) fn to_map(pairs: &[(Node, Node)]) -> Map<String, Value> {
    pairs
        .iter()
        .filter_map(|(key, value)| Some((key.text()?.to_owned(), value.value())))
        .collect()
}

/// Reads the lines between the `---`. `None` for an empty document, and after a mistake.
pub(super) fn read(lines: &[Line<'_>], diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    let text = lines
        .iter()
        .fold(String::new(), |text, line| text + line.text + "\n");
    let mut reader = Reader {
        parser: Parser::new_from_str(&text),
        lines,
        anchors: BTreeMap::new(),
        nodes: 0,
    };
    match reader.document(diagnostics) {
        Ok(node) => node,
        Err(diagnostic) => {
            diagnostics.push(*diagnostic);
            None
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    lines: &'t [Line<'t>],
    anchors: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
}

type Failure = Box<Diagnostic>;

impl<'t> Reader<'t> {
    fn document(&mut self, diagnostics: &mut Vec<Diagnostic>) -> Result<Option<Node>, Failure> {
        loop {
            let (event, mark) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(None),
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                event => return self.node(event, mark, 0, diagnostics).map(Some),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Mark), Failure> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let at = self.place(error.marker().line(), error.marker().col());
                Err(Box::new(
                    Diagnostic::new(
                        "front-matter::yaml",
                        Span::new(at, at),
                        format!("this is not YAML: {}", error.info().to_lowercase()),
                    )
                    .help("quote texts that contain `: `, `#` or begin with a sign, and indent with spaces"),
                ))
            }
            None => Ok((Event::StreamEnd, Mark::default())),
        }
    }

    fn node(
        &mut self,
        event: Event<'t>,
        mark: Mark,
        depth: usize,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<Node, Failure> {
        let span = self.span(mark);
        let counted = self.nodes;
        self.nodes += 1;
        if depth > DEEPEST || self.nodes > MOST_NODES {
            return Err(Box::new(
                Diagnostic::new("front-matter::yaml", span, "this front matter is too large").help(
                    format!("keep it below {MOST_NODES} values and {DEEPEST} levels"),
                ),
            ));
        }
        let (content, anchor, end) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let core = tag
                    .as_ref()
                    .filter(|it| it.is_yaml_core_schema())
                    .map(|it| it.suffix.as_str());
                let value = match (core, style) {
                    (Some("str"), _) => Value::String(text.to_string()),
                    (None, ScalarStyle::Plain) | (Some(_), _) => plain(&text),
                    _ => Value::String(text.to_string()),
                };
                (Content::Scalar(value, text.into_owned()), anchor, span.end)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, mark) => {
                            items.push(self.node(event, mark, depth + 1, diagnostics)?)
                        }
                    }
                }
                let end = items.last().map_or(span.end, |it| it.span.end);
                (Content::List(items), anchor, end)
            }
            Event::MappingStart(anchor, _) => {
                let (pairs, end) = self.pairs(depth, diagnostics)?;
                (Content::Map(pairs), anchor, end.unwrap_or(span.end))
            }
            Event::Alias(anchor) => {
                let (node, size) = self.anchors.get(&anchor).cloned().ok_or_else(|| {
                    Box::new(
                        Diagnostic::new(
                            "front-matter::yaml",
                            span,
                            "this alias is within its own anchor",
                        )
                        .help("write the value out"),
                    )
                })?;
                self.nodes += size;
                return Ok(Node { span, ..node });
            }
            _ => (Content::Scalar(Value::Null, String::new()), 0, span.end),
        };
        let node = Node {
            span: Span::new(span.start, end.max(span.start)),
            content,
        };
        if anchor > 0 {
            self.anchors
                .insert(anchor, (node.clone(), self.nodes - counted));
        }
        Ok(node)
    }

    #[expect(clippy::type_complexity, reason = "the pairs and where they end")]
    fn pairs(
        &mut self,
        depth: usize,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<(Vec<(Node, Node)>, Option<usize>), Failure> {
        let mut pairs: Vec<(Node, Node)> = Vec::new();
        loop {
            let (event, mark) = self.next()?;
            if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                let end = pairs.last().map(|(_, value)| value.span.end);
                return Ok((pairs, end));
            }
            let key = self.node(event, mark, depth + 1, diagnostics)?;
            let (event, mark) = self.next()?;
            let value = self.node(event, mark, depth + 1, diagnostics)?;
            match key.text() {
                None => diagnostics.push(
                    Diagnostic::new(
                        "front-matter::key",
                        key.span,
                        format!("a key is {}", key.kind()),
                    )
                    .help("make it a text"),
                ),
                Some(text) => match pairs.iter().find(|(it, _)| it.text() == Some(text)) {
                    Some((first, _)) => diagnostics.push(
                        Diagnostic::new(
                            "front-matter::duplicate-key",
                            key.span,
                            format!("`{text}` is given twice"),
                        )
                        .related(first.span, "the first one")
                        .help("keep one of them"),
                    ),
                    None => pairs.push((key, value)),
                },
            }
        }
    }

    fn span(&self, mark: Mark) -> Span {
        let start = self.place(mark.start.line(), mark.start.col());
        let end = self.place(mark.end.line(), mark.end.col());
        Span::new(start, end.max(start))
    }

    /// The byte in the file of a line, from 1, and a column in code points, from 0.
    fn place(&self, line: usize, column: usize) -> usize {
        let Some(line) = self.lines.get(line.saturating_sub(1)).or(self.lines.last()) else {
            return 0;
        };
        line.start
            + line
                .text
                .char_indices()
                .nth(column)
                .map_or(line.text.len(), |(at, _)| at)
    }
}

/// A plain scalar by the core schema: no timestamps, no `yes`, whole numbers of any size.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16)
            .ok()
            .filter(|_| !digits.starts_with('+'))
            .map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8)
            .ok()
            .filter(|_| !digits.starts_with('+'))
            .map(Number::from);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    if digits(unsigned) {
        let whole = text
            .parse::<i64>()
            .map(Number::from)
            .or_else(|_| text.parse::<u64>().map(Number::from));
        return whole
            .ok()
            .or_else(|| text.parse().ok().and_then(Number::from_f64));
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let is_exponent = exponent.is_none_or(|it| digits(it.strip_prefix(['-', '+']).unwrap_or(it)));
    let is_mantissa = match mantissa.split_once('.') {
        Some((whole, "")) => digits(whole),
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    (is_exponent && is_mantissa)
        .then(|| text.parse().ok().and_then(Number::from_f64))
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, value) in [
            (
                "2023-09-12T00:00:00.000Z",
                json!("2023-09-12T00:00:00.000Z"),
            ),
            ("yes", json!("yes")),
            ("1694503339523", json!(1_694_503_339_523_i64)),
            ("352656108602296", json!(352_656_108_602_296_i64)),
            ("0x1F", json!(31)),
            ("-1.5e3", json!(-1500.0)),
            ("1.", json!(1.0)),
            ("1.2.3", json!("1.2.3")),
            ("+5", json!(5)),
            ("~", json!(null)),
            ("TRUE", json!(true)),
            ("0777", json!(777)),
            (".inf", json!(".inf")),
            ("e5", json!("e5")),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }
}

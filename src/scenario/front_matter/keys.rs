//! The keys of front matter: their types, their words, and the nearest one that was meant.

use serde_json::{Map, Value};

use super::{
    super::{
        Diagnostic, Text,
        ast::{ClockChoice, Dialect, Order, RunWhen},
        nearest::nearest,
        parse_duration,
    },
    Header, text_at,
    yaml::{Content, Node, to_map},
};

/// All keys that mean something, and `info`, which is kept for readers alone.
const KEYS: [&str; 12] = [
    "needs",
    "order",
    "run",
    "variants",
    "exampleContext",
    "profile",
    "dialect",
    "tags",
    "timeout",
    "clock",
    "covers",
    "info",
];

/// Names of the dialects, for front matter and messages.
pub(in super::super) const DIALECTS: [(&str, Dialect); 3] = [
    ("bdd-markdown", Dialect::BddMarkdown),
    ("markdown-with-gherkin", Dialect::MarkdownWithGherkin),
    ("gherkin", Dialect::Gherkin),
];

/// Takes the keys of the document.
pub(super) fn read(node: &Node, header: &mut Header, diagnostics: &mut Vec<Diagnostic>) {
    let pairs = match &node.content {
        Content::Map(pairs) => pairs,
        Content::Scalar(Value::Null, _) => return,
        _ => {
            diagnostics.push(
                Diagnostic::new(
                    "front-matter::type",
                    node.span,
                    format!("front matter is a map of keys, and this is {}", node.kind()),
                )
                .help("write lines such as `order: first`"),
            );
            return;
        }
    };
    let matter = &mut header.front_matter;
    for (key, value) in pairs {
        match key.text().unwrap_or_default() {
            "needs" => matter.needs = texts(key, value, "titles of features", diagnostics),
            "covers" => matter.covers = texts(key, value, "ids of conformance rows", diagnostics),
            "tags" => matter.tags = tags(key, value, diagnostics),
            "order" => {
                let words = [("first", Order::First), ("last", Order::Last)];
                matter.order = word(key, value, &words, diagnostics);
            }
            "run" => {
                let words = [("never", RunWhen::Never), ("only", RunWhen::Only)];
                matter.run = word(key, value, &words, diagnostics);
            }
            "clock" => {
                let words = [
                    ("real", ClockChoice::Real),
                    ("virtual", ClockChoice::Virtual),
                ];
                matter.clock = word(key, value, &words, diagnostics);
            }
            "dialect" => header.dialect = word(key, value, &DIALECTS, diagnostics),
            "profile" => matter.profile = text(key, value, "the name of a profile", diagnostics),
            "timeout" => matter.timeout = timeout(value, diagnostics),
            "variants" => matter.variants = variants(value, diagnostics),
            "exampleContext" => matter.example_context = map(key, value, diagnostics),
            "info" => {}
            unknown => {
                let help = nearest(unknown, KEYS).map_or_else(
                    || format!("known keys are {}", KEYS.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                diagnostics.push(
                    Diagnostic::new(
                        "front-matter::unknown-key",
                        key.span,
                        format!("front matter has no key `{unknown}`"),
                    )
                    .help(help),
                );
            }
        }
    }
}

fn wrong_type(key: &str, value: &Node, wanted: &str, example: &str) -> Diagnostic {
    Diagnostic::new(
        "front-matter::type",
        value.span,
        format!("`{key}` is {wanted}, and this is {}", value.kind()),
    )
    .help(format!("write `{key}: {example}`"))
}

fn word<T: Copy>(
    key: &Node,
    value: &Node,
    words: &[(&str, T)],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<T> {
    let key = key.text().unwrap_or_default();
    let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
    let Some(written) = value.text() else {
        diagnostics.push(wrong_type(
            key,
            value,
            &format!("one of {}", names.join(", ")),
            names[0],
        ));
        return None;
    };
    let found = words
        .iter()
        .find(|(name, _)| *name == written)
        .map(|(_, it)| *it);
    if found.is_none() {
        let help = nearest(written, names.iter().copied()).map_or_else(
            || format!("write one of {}", names.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        diagnostics.push(
            Diagnostic::new(
                "front-matter::value",
                value.span,
                format!("`{key}` is one of {}, not `{written}`", names.join(", ")),
            )
            .help(help),
        );
    }
    found
}

fn text(key: &Node, value: &Node, what: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<Text> {
    match value.string().filter(|it| !it.is_empty()) {
        Some(it) => Some(text_at(it, value.span)),
        None => {
            let key = key.text().unwrap_or_default();
            diagnostics.push(wrong_type(key, value, what, "name"));
            None
        }
    }
}

/// A list of texts that are not empty. `needs: []` is refused, as in the reference.
fn texts(key: &Node, value: &Node, what: &str, diagnostics: &mut Vec<Diagnostic>) -> Vec<Text> {
    let key = key.text().unwrap_or_default();
    let items = match &value.content {
        Content::List(items) if !items.is_empty() => items,
        Content::List(_) => {
            diagnostics.push(
                Diagnostic::new(
                    "front-matter::type",
                    value.span,
                    format!("`{key}` is an empty list"),
                )
                .help(format!("list {what}, or take `{key}` out")),
            );
            return Vec::new();
        }
        _ => {
            diagnostics.push(wrong_type(
                key,
                value,
                &format!("a list of {what}"),
                "[...]",
            ));
            return Vec::new();
        }
    };
    let mut texts = Vec::new();
    for item in items {
        match item.string().filter(|it| !it.is_empty()) {
            Some(it) => texts.push(text_at(it, item.span)),
            None => diagnostics.push(
                Diagnostic::new(
                    "front-matter::type",
                    item.span,
                    format!(
                        "`{key}` is a list of {what}, and this item is {}",
                        item.kind()
                    ),
                )
                .help("write it as a text, in quotes if it looks like something else"),
            ),
        }
    }
    texts
}

/// Tags are `@words`: a list of them, or one text with spaces between.
fn tags(key: &Node, value: &Node, diagnostics: &mut Vec<Diagnostic>) -> Vec<Text> {
    let items = match (&value.content, value.string()) {
        (_, Some(line)) => {
            let mut at = 0;
            line.split_inclusive(' ')
                .filter_map(|word| {
                    let start = at;
                    at += word.len();
                    (!word.trim().is_empty())
                        .then(|| Text::at(word.trim(), value.span.start + start))
                })
                .collect()
        }
        _ => texts(key, value, "tags", diagnostics),
    };
    let mut tags = Vec::new();
    for tag in items {
        let name = tag.value.strip_prefix('@').unwrap_or_default();
        if name.is_empty() || name.contains(char::is_whitespace) || name.contains('@') {
            diagnostics.push(
                Diagnostic::new(
                    "front-matter::value",
                    tag.span(),
                    format!("`{}` is not a tag", tag.value),
                )
                .help(format!(
                    "write `\"@{}\"`",
                    tag.value.replace(['@', ' '], "")
                )),
            );
        } else {
            tags.push(tag);
        }
    }
    tags
}

fn timeout(value: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<std::time::Duration> {
    let Some(written) = value.text() else {
        diagnostics.push(wrong_type("timeout", value, "a duration", "30 s"));
        return None;
    };
    match parse_duration(written) {
        Ok(it) if !it.is_zero() => Some(it),
        Ok(_) => {
            diagnostics.push(
                Diagnostic::new(
                    "front-matter::value",
                    value.span,
                    "a `timeout` of nothing never passes",
                )
                .help("write a duration such as `30 s`"),
            );
            None
        }
        Err(message) => {
            diagnostics.push(
                Diagnostic::new("front-matter::value", value.span, message)
                    .help("write a duration such as `30 s`, `500 ms` or `2 minutes`"),
            );
            None
        }
    }
}

fn variants(value: &Node, diagnostics: &mut Vec<Diagnostic>) -> Vec<Map<String, Value>> {
    let Content::List(items) = &value.content else {
        diagnostics.push(wrong_type(
            "variants",
            value,
            "a list of maps",
            "[{network: ltem}]",
        ));
        return Vec::new();
    };
    if items.is_empty() {
        diagnostics.push(
            Diagnostic::new(
                "front-matter::type",
                value.span,
                "`variants` is an empty list, so the file would never run",
            )
            .help("list at least one variant, or take `variants` out"),
        );
    }
    let mut variants = Vec::new();
    for item in items {
        let Content::Map(pairs) = &item.content else {
            diagnostics.push(wrong_type(
                "variants",
                item,
                "a list of maps",
                "[{network: ltem}]",
            ));
            continue;
        };
        for (key, value) in pairs {
            if !matches!(value.content, Content::Scalar(..)) {
                diagnostics.push(
                    Diagnostic::new(
                        "front-matter::type",
                        value.span,
                        format!(
                            "`{}` of a variant is {}",
                            key.text().unwrap_or_default(),
                            value.kind()
                        ),
                    )
                    .help("the values of a variant are texts, numbers, true or false"),
                );
            }
        }
        variants.push(to_map(pairs));
    }
    variants
}

fn map(key: &Node, value: &Node, diagnostics: &mut Vec<Diagnostic>) -> Map<String, Value> {
    match &value.content {
        Content::Map(pairs) => to_map(pairs),
        Content::Scalar(Value::Null, _) => Map::new(),
        _ => {
            let key = key.text().unwrap_or_default();
            diagnostics.push(wrong_type(
                key,
                value,
                "a map of names and values",
                "{name: value}",
            ));
            Map::new()
        }
    }
}

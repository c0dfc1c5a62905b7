//! A scenario file as blocks with their lines: what its Markdown looks like when it is rendered.
//!
//! Nothing of a file becomes markup of the page: HTML in it is shown as text, images as links, and
//! links lead to the web or nowhere.

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd};

/// A part of a file that stands alone.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// Its first line, from 1.
    pub(super) line: usize,
    pub(super) content: Content<'a>,
}

#[derive(Debug)]
pub(super) enum Content<'a> {
    Heading,
    /// A paragraph or a list item: what a step can be.
    Sentence(Sentence<'a>),
    Code(String),
    Table(Markup),
    /// An HTML comment, without its marks.
    Comment(String),
    Other(Markup),
}

/// What it looks like.
#[derive(Debug)]
pub(super) struct Sentence<'a> {
    pub(super) markup: Markup,
    /// How it stands in the file, where it stands there by itself.
    pub(super) text: Option<&'a str>,
}

/// The blocks of a Markdown file.
pub(super) fn blocks(source: &str) -> Vec<Block<'_>> {
    let lines = Lines::of(source);
    let mut blocks = Vec::new();
    let mut events = Parser::new_ext(source, options()).into_offset_iter();
    while let Some((event, range)) = events.next() {
        let line = lines.number(range.start);
        let text = &source[range];
        let Event::Start(tag) = event else {
            continue;
        };
        let end = tag.to_end();
        let mut inside = Vec::new();
        let mut depth = 0;
        for (event, range) in events.by_ref() {
            match &event {
                Event::Start(it) if it.to_end() == end => depth += 1,
                Event::End(it) if *it == end && depth == 0 => break,
                Event::End(it) if *it == end => depth -= 1,
                _ => {}
            }
            inside.push((event, lines.number(range.start)));
        }
        match tag {
            Tag::List(_) => items(inside, &mut blocks),
            Tag::MetadataBlock(_) => {}
            tag => blocks.push(Block {
                line,
                content: content(tag, inside.into_iter().map(|it| it.0).collect(), Some(text)),
            }),
        }
    }
    blocks
}

/// One sentence as its Markdown looks.
pub(super) fn sentence(text: &str) -> Markup {
    let parser = Parser::new_ext(text, options());
    let inline = parser.filter(|it| {
        !matches!(
            it,
            Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph)
        )
    });
    rendered(inline.collect())
}

/// Text with its placeholders marked.
pub(super) fn with_placeholders(text: &str) -> Markup {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let Some(end) = end_of_placeholder(&rest[at..]) else {
            break;
        };
        parts.push((&rest[..at], &rest[at..at + end]));
        rest = &rest[at + end..];
    }
    html! {
        @for (before, placeholder) in parts { (before) span.placeholder { (placeholder) } }
        (rest)
    }
}

/// Where the placeholder at the beginning ends: braces count, as they do in JSONata.
fn end_of_placeholder(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(at + 1),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
}

fn content<'a>(tag: Tag<'_>, inside: Vec<Event<'_>>, text: Option<&'a str>) -> Content<'a> {
    match tag {
        Tag::Heading { .. } => Content::Heading,
        Tag::Paragraph => Content::Sentence(Sentence {
            markup: rendered(inside),
            text: text.map(str::trim_end),
        }),
        Tag::CodeBlock(_) => Content::Code(text_of(&inside)),
        Tag::HtmlBlock => {
            let text = text_of(&inside);
            let comment = text.trim().strip_prefix("<!--");
            match comment.and_then(|it| it.strip_suffix("-->")) {
                Some(comment) => Content::Comment(comment.trim().to_owned()),
                None => Content::Other(html! { p { (text) } }),
            }
        }
        tag => {
            let table = matches!(tag, Tag::Table(_));
            let end = tag.to_end();
            let mut whole = vec![Event::Start(tag)];
            whole.extend(inside);
            whole.push(Event::End(end));
            match table {
                true => Content::Table(rendered(whole)),
                false => Content::Other(rendered(whole)),
            }
        }
    }
}

/// Each item of a list is a block, since it may be a step.
fn items(inside: Vec<(Event<'_>, usize)>, blocks: &mut Vec<Block<'_>>) {
    let mut depth = 0;
    let mut item = Vec::new();
    let mut began = 0;
    for (event, line) in inside {
        match &event {
            Event::Start(Tag::Item) => {
                depth += 1;
                if depth == 1 {
                    began = line;
                    continue;
                }
            }
            Event::End(TagEnd::Item) => {
                depth -= 1;
                if depth == 0 {
                    blocks.extend(of_item(std::mem::take(&mut item), began));
                    continue;
                }
            }
            _ => {}
        }
        item.push((event, line));
    }
}

/// A step of Markdown with Gherkin may have a code block or a table in its item.
fn of_item<'a>(item: Vec<(Event<'_>, usize)>, line: usize) -> Vec<Block<'a>> {
    let at = item
        .iter()
        .position(|(event, _)| matches!(event, Event::Start(Tag::CodeBlock(_) | Tag::Table(_))));
    let mut sentence = item;
    let behind = at.map(|at| sentence.split_off(at)).unwrap_or_default();
    let plain = sentence.into_iter().map(|(event, _)| event).filter(|it| {
        !matches!(
            it,
            Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph)
        )
    });
    let mut blocks = vec![Block {
        line,
        content: Content::Sentence(Sentence {
            markup: rendered(plain.collect()),
            text: None,
        }),
    }];
    let mut behind = behind.into_iter();
    if let Some((Event::Start(tag), line)) = behind.next() {
        let end = tag.to_end();
        let inside = behind.map(|(event, _)| event);
        let inside = inside.take_while(|it| !matches!(it, Event::End(it) if *it == end));
        blocks.push(Block {
            line,
            content: content(tag, inside.collect(), None),
        });
    }
    blocks
}

fn text_of(events: &[Event<'_>]) -> String {
    let texts = events.iter().filter_map(|it| match it {
        Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) | Event::Code(text) => {
            Some(text.as_ref())
        }
        _ => None,
    });
    texts.collect()
}

/// Events as markup, without anything that acts or loads.
fn rendered(events: Vec<Event<'_>>) -> Markup {
    let safe = events.into_iter().filter_map(|event| {
        Some(match event {
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            Event::Text(text) if text.contains("${") => {
                Event::InlineHtml(with_placeholders(&text).0.into())
            }
            Event::Code(text) => {
                let code = html! { code { (with_placeholders(&text)) } };
                Event::InlineHtml(code.0.into())
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Event::InlineHtml(link(&dest_url).into())
            }
            Event::End(TagEnd::Link | TagEnd::Image) => Event::InlineHtml(CowStr::Borrowed("</a>")),
            Event::FootnoteReference(_) => return None,
            other => other,
        })
    });
    let mut markup = String::new();
    pulldown_cmark::html::push_html(&mut markup, safe);
    PreEscaped(markup)
}

/// The beginning of a link; one that does not lead to the web leads nowhere.
fn link(to: &str) -> String {
    let leads = ["https://", "http://", "mailto:"]
        .iter()
        .any(|it| to.starts_with(it));
    let whole = match leads {
        true => html! { a href=(to) rel="noreferrer noopener" {} },
        false => html! { a title=(to) {} },
    };
    whole.0.trim_end_matches("</a>").to_owned()
}

/// From offsets to line numbers.
struct Lines(Vec<usize>);

impl Lines {
    fn of(source: &str) -> Self {
        Self(source.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn number(&self, offset: usize) -> usize {
        self.0.partition_point(|it| *it < offset) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(source: &str) -> Vec<(usize, String)> {
        let blocks = blocks(source).into_iter();
        let sentences = blocks.filter_map(|it| match it.content {
            Content::Sentence(sentence) => Some((it.line, sentence.markup.0)),
            _ => None,
        });
        sentences.collect()
    }

    #[test]
    fn paragraphs_and_items_know_their_lines() {
        let source = "---\na: b\n---\n# T\n\nGiven `${a}`\nand more\n\n```json\n{}\n```\n\n* When x\n\n  ```\n  y\n  ```\n* Then z\n";
        let found = sentences(source);
        let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [6, 13, 18]);
        let placeholder = "<code><span class=\"placeholder\">${a}</span></code>";
        assert!(found[0].1.contains(placeholder), "{found:?}");
    }

    #[test]
    fn nothing_in_a_file_acts() {
        let source = "a <script>alert(1)</script> ![x](https://evil.example/x.png) [y](javascript:z) `<b>${'<i>'}</b>`\n";
        let markup = &sentences(source)[0].1;
        for tag in ["<script", "<img", "<b>", "<i>"] {
            assert!(!markup.contains(tag), "{tag} in {markup}");
        }
        assert!(!markup.contains("href=\"javascript"), "{markup}");
    }
}

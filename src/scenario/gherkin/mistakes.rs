//! Mistakes of Gherkin files in words that say how to mend them.

use super::{
    super::{Diagnostic, Span, lines::Line, nearest::nearest},
    languages,
    token::{Mistake, MistakeKind},
};

/// The official mistakes as ours. A line of tags that could not be read is not reported once more
/// for standing where it cannot.
pub(super) fn explain_all(
    mistakes: &[Mistake],
    lines: &[Line<'_>],
    first_line: usize,
) -> Vec<Diagnostic> {
    let is_tag = |it: &&Mistake| it.kind == MistakeKind::TagWithSpace;
    let tags: Vec<_> = mistakes.iter().filter(is_tag).map(|it| it.line).collect();
    let unexpected = |it: &Mistake| matches!(it.kind, MistakeKind::Unexpected { .. });
    let told = mistakes
        .iter()
        .filter(|it| !(unexpected(it) && tags.contains(&it.line)));
    told.map(|it| explain(it, lines, first_line)).collect()
}

/// The official mistake as one of ours.
fn explain(mistake: &Mistake, lines: &[Line<'_>], first_line: usize) -> Diagnostic {
    let line = |number: usize| lines.get(number.wrapping_sub(first_line));
    let place = place(mistake, lines, first_line);
    match &mistake.kind {
        MistakeKind::Unexpected { expected } => {
            let text = line(mistake.line).map_or("", |it| it.text.trim());
            Diagnostic::new(
                "gherkin::unexpected",
                place,
                format!("`{text}` cannot stand here"),
            )
            .help(format!("expected {}", in_words(expected)))
        }
        MistakeKind::UnexpectedEnd {
            doc_string: Some(opening),
            ..
        } => {
            let place = line(*opening).map_or(place, Line::visible);
            Diagnostic::new(
                "syntax::unclosed-fence",
                place,
                "this doc string is not closed",
            )
            .label("opened here")
            .help("close it with a line of the same three signs")
        }
        // Tags are read ahead, so the grammar does not say here what could follow them.
        MistakeKind::UnexpectedEnd { expected, .. } if !expected.contains(&"#FeatureLine") => {
            Diagnostic::new(
                "gherkin::end-of-file",
                place,
                "the file ends behind tags that belong to nothing",
            )
            .help("put a `Scenario:` or a `Rule:` below them, or take them out")
        }
        MistakeKind::UnexpectedEnd { expected, .. } => {
            Diagnostic::new("gherkin::end-of-file", place, "the file ends too early")
                .help(format!("expected {}", in_words(expected)))
        }
        MistakeKind::TagWithSpace => {
            Diagnostic::new("gherkin::tag", place, "a tag cannot contain a space")
                .help("begin each tag with `@`, or begin a comment with `#`")
        }
        MistakeKind::Language(name) => {
            let near = nearest(name, languages::codes()).filter(|_| name.len() > 2);
            let help = near.map_or_else(
                || "write a code such as `en`, `no` or `de`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            Diagnostic::new(
                "gherkin::language",
                place,
                format!("there is no language `{name}`"),
            )
            .help(help)
        }
        MistakeKind::CellCount => Diagnostic::new(
            "gherkin::table-width",
            place,
            "this row has not as many cells as the first one",
        )
        .help("give each row one cell for each column"),
    }
}

fn place(mistake: &Mistake, lines: &[Line<'_>], first_line: usize) -> Span {
    let Some(line) = lines.get(mistake.line.wrapping_sub(first_line)) else {
        let end = lines.last().map_or(0, Line::end);
        return Span::new(end, end);
    };
    let column = mistake.column.unwrap_or(1).saturating_sub(1);
    let start = line
        .text
        .char_indices()
        .nth(column)
        .map_or(line.end(), |(at, _)| line.start + at);
    let end = match &mistake.kind {
        MistakeKind::Language(name) => {
            let at = line.text.rfind(name.as_str()).unwrap_or(0);
            return Span::new(line.start + at, line.start + at + name.len());
        }
        _ => line.visible().end,
    };
    Span::new(start, end.max(start))
}

fn in_words(expected: &[&str]) -> String {
    let mut words: Vec<_> = expected
        .iter()
        .filter_map(|it| {
            Some(match *it {
                "#TagLine" => "tags",
                "#FeatureLine" => "`Feature:`",
                "#RuleLine" => "`Rule:`",
                "#BackgroundLine" => "`Background:`",
                "#ScenarioLine" => "`Scenario:`",
                "#ExamplesLine" => "`Examples:`",
                "#StepLine" => "a step",
                "#DocStringSeparator" => "a doc string",
                "#TableRow" => "a row of a table",
                "#Language" => "`# language:`",
                "#Comment" => "a comment",
                _ => return None,
            })
        })
        .collect();
    match words.pop() {
        Some(last) if !words.is_empty() => format!("{} or {last}", words.join(", ")),
        Some(last) => last.to_owned(),
        None => "an empty line".to_owned(),
    }
}

//! Placeholders of titles and code blocks, checked when a file is read: what is not JSONata, not
//! closed, or stands where it means nothing is a mistake of the file.

use super::{
    Diagnostic, Expression, Text,
    ast::{Child, Feature, Scenario, Step},
    placeholder::{Kind, find},
};

/// Checks all steps of a feature.
pub(super) fn check(feature: &Feature, diagnostics: &mut Vec<Diagnostic>) {
    let backgrounds = feature.background.iter();
    for step in backgrounds.flat_map(|it| &it.steps) {
        check_step(step, diagnostics);
    }
    for child in &feature.children {
        match child {
            Child::Scenario(scenario) => check_scenario(scenario, diagnostics),
            Child::Rule(rule) => {
                for step in rule.background.iter().flat_map(|it| &it.steps) {
                    check_step(step, diagnostics);
                }
                for scenario in &rule.scenarios {
                    check_scenario(scenario, diagnostics);
                }
            }
        }
    }
}

fn check_scenario(scenario: &Scenario, diagnostics: &mut Vec<Diagnostic>) {
    for step in &scenario.steps {
        check_step(step, diagnostics);
    }
}

fn check_step(step: &Step, diagnostics: &mut Vec<Diagnostic>) {
    check_text(&step.title, Place::Title, diagnostics);
    if let Some(block) = &step.block {
        let json = block.language.as_deref() == Some("json");
        check_text(
            &block.code,
            if json { Place::Json } else { Place::Block },
            diagnostics,
        );
    }
    for cell in step
        .table
        .iter()
        .flat_map(|it| &it.rows)
        .flat_map(|it| &it.cells)
    {
        check_text(cell, Place::Title, diagnostics);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Title,
    Json,
    Block,
}

fn check_text(text: &Text, place: Place, diagnostics: &mut Vec<Diagnostic>) {
    let placeholders = find(&text.value, place == Place::Json);
    for placeholder in &placeholders {
        let source = &text.value[placeholder.expression.clone()];
        // A variant's value is put in first; until then it may not be JSONata.
        if source.contains("<variant.") || text.value[placeholder.range.clone()].starts_with('<') {
            continue;
        }
        if let Err(error) = Expression::compile(source) {
            let opening = text.source(placeholder.range.start..placeholder.expression.start);
            if source.contains('\n') {
                diagnostics.push(unclosed(opening));
                continue;
            }
            // At the end of the expression something is missing: that is the brace.
            let at = (placeholder.expression.start + error.offset).min(placeholder.expression.end);
            let at = text.value.floor_char_boundary(at);
            let to = text.value.ceil_char_boundary(at + 1);
            let mut diagnostic = Diagnostic::new(
                "expression::syntax",
                text.source(at..to),
                format!("`{source}` is not valid JSONata: {}", error.message),
            )
            .help("mend the expression; it ends at the first `}`, so it cannot contain one");
            if placeholder.kind == Kind::Text
                && source.contains(':')
                && !source.contains(['?', '{'])
            {
                let new = source.replace(':', ".");
                diagnostic = diagnostic.help(format!(
                    "`{source}` was the form of old versions: write `{new}`"
                ));
            }
            diagnostics.push(diagnostic);
        }
    }
    let taken = |at: usize| placeholders.iter().any(|it| it.range.contains(&at));
    for (at, sign) in text.value.match_indices("${").filter(|(at, _)| !taken(*at)) {
        let place = text.source(at..at + sign.len());
        if text.value[at..].starts_with("${}") {
            diagnostics.push(
                Diagnostic::new(
                    "placeholder::empty",
                    text.source(at..at + 3),
                    "this placeholder is empty",
                )
                .help("write a name or an expression between the braces"),
            );
        } else {
            diagnostics.push(unclosed(place));
        }
    }
    for (at, sign) in text
        .value
        .match_indices("$number{")
        .filter(|(at, _)| !taken(*at))
    {
        let marked = text.source(at..at + sign.len());
        diagnostics.push(if place != Place::Json {
            Diagnostic::new(
                "placeholder::number-outside-json",
                marked,
                "`$number{}` means something only in a code block of the language json",
            )
            .help("write `${}`, which prints a number as it is")
        } else if !text.value[at..].contains('}') {
            unclosed(marked)
        } else {
            Diagnostic::new(
                "placeholder::number-quotes",
                marked,
                "`$number{}` stands alone between double quotes",
            )
            .help("write `\"$number{...}\"`: the quotes go away with it")
        });
    }
}

fn unclosed(span: super::Span) -> Diagnostic {
    Diagnostic::new(
        "placeholder::unclosed",
        span,
        "this placeholder is not closed",
    )
    .label("opened here")
    .help("close it with `}`")
}

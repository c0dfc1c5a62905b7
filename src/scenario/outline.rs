//! Scenario outlines: one scenario for each row of examples, by the rule of the dialect
//! (`contracts/scenario-dialect.md`, sections 2.3 and 5.2).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    Diagnostic, Expression, Span, Text,
    ast::{Block, Dialect, Examples, Row, Scenario, Step, Table},
    placeholder::{Kind, find},
    print::print,
};

/// A scenario as it runs: itself, or an outline with one row put in.
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its title; the row is put in where it is Gherkin's.
    pub title: String,
    /// Its steps, with the row put in.
    pub steps: Vec<Step>,
    /// Tags of the scenario and, in Gherkin, of its examples.
    pub tags: Vec<String>,
    /// The row: its place, and each column with its cell. `null` where the cell of a bdd-markdown
    /// table is empty.
    pub row: Option<(Span, Vec<(String, Value)>)>,
    /// The heading, or the row.
    pub span: Span,
}

/// The scenario once, or once for each row of its examples.
///
/// bdd-markdown puts in `${}` and `"$number{}"` that read columns and nothing else; what reads
/// other names or the clock is left as it is, for the pass that knows the context. That pass
/// must offer the row's values too (under the context's own), for expressions that read both.
/// Gherkin puts in `<column>`.
#[must_use]
pub fn instances(scenario: &Scenario, dialect: Dialect) -> (Vec<Instance>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let tags = || scenario.tags.iter().map(|it| it.value.clone());
    if scenario.examples.is_empty() {
        let instance = Instance {
            title: scenario.title.value.clone(),
            steps: scenario.steps.clone(),
            tags: tags().collect(),
            row: None,
            span: scenario.span,
        };
        return (vec![instance], diagnostics);
    }
    let mut instances = Vec::new();
    for examples in &scenario.examples {
        for (header, row) in rows(examples) {
            let columns = Columns::new(header, row, dialect);
            let put = |text: &Text, json, diagnostics: &mut Vec<Diagnostic>| match dialect {
                Dialect::BddMarkdown => columns.put_expressions(text, json, diagnostics),
                _ => columns.put_names(text),
            };
            let title = match dialect {
                Dialect::BddMarkdown => scenario.title.clone(),
                _ => columns.put_names(&scenario.title),
            };
            let mut steps = scenario.steps.clone();
            for step in &mut steps {
                step.title = put(&step.title, false, &mut diagnostics);
                if let Some(Block { language, code, .. }) = &mut step.block {
                    if let (Some(it), true) = (language.as_mut(), dialect != Dialect::BddMarkdown) {
                        *it = columns.put_names(&Text::at(it.as_str(), 0)).value;
                    }
                    *code = put(code, language.as_deref() == Some("json"), &mut diagnostics);
                }
                for cell in step
                    .table
                    .iter_mut()
                    .flat_map(|it| &mut it.rows)
                    .flat_map(|it| &mut it.cells)
                {
                    *cell = put(cell, false, &mut diagnostics);
                }
            }
            instances.push(Instance {
                title: title.value,
                steps,
                tags: tags()
                    .chain(examples.tags.iter().map(|it| it.value.clone()))
                    .collect(),
                row: Some((row.span, columns.named.clone())),
                span: row.span,
            });
        }
    }
    // A mistake of the steps is the same one in each row.
    let mut seen = BTreeSet::new();
    diagnostics.retain(|it| seen.insert((it.span, it.message.clone())));
    (instances, diagnostics)
}

/// Rows below the header, with it.
fn rows(examples: &Examples) -> impl Iterator<Item = (&Row, &Row)> {
    let rows = examples
        .table
        .as_ref()
        .map_or(&[][..], |Table { rows }| rows);
    let (header, rows) = rows
        .split_first()
        .map_or((None, rows), |(it, rest)| (Some(it), rest));
    rows.iter().filter_map(move |row| Some((header?, row)))
}

/// The cells of a row by the names of their columns.
struct Columns {
    named: Vec<(String, Value)>,
    input: Value,
}

impl Columns {
    fn new(header: &Row, row: &Row, dialect: Dialect) -> Self {
        let named: Vec<_> = header
            .cells
            .iter()
            .zip(&row.cells)
            .map(|(name, cell)| {
                let empty = cell.value.is_empty() && dialect == Dialect::BddMarkdown;
                let value = if empty {
                    Value::Null
                } else {
                    Value::String(cell.value.clone())
                };
                (name.value.clone(), value)
            })
            .collect();
        let input = Value::Object(named.iter().cloned().collect::<Map<_, _>>());
        Self { named, input }
    }

    fn put_expressions(&self, text: &Text, json: bool, diagnostics: &mut Vec<Diagnostic>) -> Text {
        let mut put = Text::at("", text.source(0..0).start);
        let mut done = 0;
        for placeholder in find(&text.value, json) {
            let source = &text.value[placeholder.expression.clone()];
            // What is not JSONata was reported when the file was read.
            let Ok(expression) = Expression::compile(source) else {
                continue;
            };
            let names = expression.free_names();
            let columns = |it: &str| self.named.iter().any(|(name, _)| name == it);
            if names.is_empty()
                || expression.reads_clock()
                || !names.iter().all(|it| columns(&it.name))
            {
                continue;
            }
            let place = text.source(placeholder.range.clone());
            let value = match expression.evaluate(&self.input, 0) {
                Ok(Some(value)) => value,
                Ok(None) => continue,
                Err(error) => {
                    diagnostics.push(
                        Diagnostic::new(
                            "expression::evaluation",
                            place,
                            format!("`{source}` cannot be evaluated: {error}"),
                        )
                        .help("mend the expression, or the cells that it reads"),
                    );
                    continue;
                }
            };
            let printed = print(&value);
            if placeholder.kind == Kind::Number && printed.parse::<f64>().is_err() {
                diagnostics.push(
                    Diagnostic::new(
                        "placeholder::not-a-number",
                        place,
                        format!("`{source}` is `{printed}`, which is not a number"),
                    )
                    .help("write `${}` instead, or a number into the cell"),
                );
            }
            put.push_text(text, done..placeholder.range.start);
            put.push_replaced(&printed, place);
            done = placeholder.range.end;
        }
        put.push_text(text, done..text.value.len());
        put
    }

    /// `<column>`, each column in turn, as Gherkin's own compiler does.
    fn put_names(&self, text: &Text) -> Text {
        let mut put = text.clone();
        for (name, value) in &self.named {
            let sign = format!("<{name}>");
            if !put.value.contains(&sign) {
                continue;
            }
            let mut next = Text::at("", put.source(0..0).start);
            let mut done = 0;
            for (at, _) in put.value.match_indices(&sign) {
                next.push_text(&put, done..at);
                next.push_replaced(&print(value), put.source(at..at + sign.len()));
                done = at + sign.len();
            }
            next.push_text(&put, done..put.value.len());
            put = next;
        }
        put
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{
        super::{ast::Child, parse},
        *,
    };

    fn only(source: &str) -> (Vec<Instance>, Vec<Diagnostic>) {
        let parsed = parse(Path::new("a.feature.md"), source.into());
        assert_eq!(parsed.diagnostics, []);
        let feature = parsed.document.feature.expect("a feature");
        let Some(Child::Scenario(scenario)) = feature.children.first() else {
            panic!("a scenario")
        };
        instances(scenario, parsed.document.dialect)
    }

    #[test]
    fn rows_go_in_first_and_leave_the_rest() {
        let (instances, diagnostics) = only(
            "# F\n\n## Scenario Outline: s\n\nGiven `${query = null ? '' : query}` ${other} ${query & other} ${$millis()}\n\n\
             ```json\n{\"n\": \"$number{n}\", \"m\": \"$number{m}\"}\n```\n\n### Examples\n\n| query | n |\n| --- | --- |\n| a | 1 |\n|  | 2 |\n",
        );
        assert_eq!(diagnostics, []);
        let titles: Vec<_> = instances
            .iter()
            .map(|it| it.steps[0].title.value.as_str())
            .collect();
        let rest = "${other} ${query & other} ${$millis()}";
        assert_eq!(titles, [format!("`a` {rest}"), format!("`` {rest}")]);
        let block = instances[1].steps[0].block.as_ref().expect("a block");
        assert_eq!(block.code.value, "{\"n\": 2, \"m\": \"$number{m}\"}");
        let row = instances[1].row.as_ref().expect("a row");
        assert_eq!(
            row.1,
            [
                ("query".into(), Value::Null),
                ("n".into(), Value::from("2"))
            ]
        );
    }
}

//! The ends of scenarios, rules and the file: what is missing in them.

use super::{
    super::{Diagnostic, Span, ast::Child},
    Open, Parser,
};

impl Parser<'_> {
    pub(super) fn close_scenario(&mut self) {
        let Some(open) = self.scenario.take() else {
            return;
        };
        let Open {
            scenario,
            outline,
            has_wrong_step,
            recovered,
            ..
        } = open;
        if scenario.steps.is_empty() && !has_wrong_step {
            self.diagnostics.push(
                Diagnostic::new(
                    "syntax::no-steps",
                    scenario.span,
                    "this scenario has no step",
                )
                .help("write a paragraph below it that begins with Given, When, Then or Soon"),
            );
        } else if outline && !recovered && scenario.examples.is_empty() {
            self.diagnostics.push(
                Diagnostic::new(
                    "syntax::no-examples",
                    scenario.span,
                    "this scenario outline has no examples",
                )
                .help("put an `Examples` heading with a table below its steps, or call it a `Scenario`"),
            );
        }
        if let Some(rule) = &mut self.rule {
            rule.scenarios.push(scenario);
        } else if let Some(feature) = &mut self.feature {
            feature.children.push(Child::Scenario(scenario));
        }
    }

    pub(super) fn close_rule(&mut self) {
        let Some(rule) = self.rule.take() else { return };
        if rule.scenarios.is_empty() {
            self.diagnostics.push(
                Diagnostic::new("syntax::empty-rule", rule.span, "this rule has no scenario")
                    .help("put a heading of level 3 with steps below it"),
            );
        }
        if let Some(feature) = &mut self.feature {
            feature.children.push(Child::Rule(rule));
        }
    }

    pub(super) fn finish(&mut self, end: Span, title_reported: bool) {
        let headings_wrong = self
            .diagnostics
            .iter()
            .any(|it| it.code.starts_with("syntax::heading"));
        self.close_scenario();
        self.close_rule();
        match &self.feature {
            None if !title_reported => self.diagnostics.push(
                Diagnostic::new("syntax::no-feature", end, "the file has no title")
                    .help("begin the file with a line such as `# Update a device`"),
            ),
            Some(feature) if feature.children.is_empty() && !headings_wrong => {
                self.diagnostics.push(
                    Diagnostic::new(
                        "syntax::no-scenario",
                        feature.title.span(),
                        "this feature has no scenario",
                    )
                    .help("put a heading such as `## Update the device` with steps below it"),
                );
            }
            _ => {}
        }
    }
}

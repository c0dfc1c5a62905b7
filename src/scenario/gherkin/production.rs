//! The rules of the grammar by their names.

/// A rule of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Production {
    /// The root of the stack, not a rule of the grammar.
    None,
    GherkinDocument,
    Feature,
    FeatureHeader,
    Rule,
    RuleHeader,
    Background,
    ScenarioDefinition,
    Scenario,
    ExamplesDefinition,
    Examples,
    ExamplesTable,
    Step,
    DataTable,
    DocString,
    Tags,
    Description,
    /// Rules that only group others.
    Group,
}

impl Production {
    /// By its name in the grammar.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "GherkinDocument" => Self::GherkinDocument,
            "Feature" => Self::Feature,
            "FeatureHeader" => Self::FeatureHeader,
            "Rule" => Self::Rule,
            "RuleHeader" => Self::RuleHeader,
            "Background" => Self::Background,
            "ScenarioDefinition" => Self::ScenarioDefinition,
            "Scenario" => Self::Scenario,
            "ExamplesDefinition" => Self::ExamplesDefinition,
            "Examples" => Self::Examples,
            "ExamplesTable" => Self::ExamplesTable,
            "Step" => Self::Step,
            "DataTable" => Self::DataTable,
            "DocString" => Self::DocString,
            "Tags" => Self::Tags,
            "Description" => Self::Description,
            "StepArg"
            | "DataTableAndMaybeDocString"
            | "DocStringAndMaybeDataTable"
            | "DescriptionHelper" => Self::Group,
            _ => return None,
        })
    }
}

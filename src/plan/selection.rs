//! Which scenarios were asked for: by place, by name, by tag expression.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use gherkin::tagexpr::TagOperation;
use regex::Regex;

/// What the user asked for; an empty selection takes everything.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// `PATH:LINE`: the scenario that this line belongs to.
    pub lines: Vec<(PathBuf, usize)>,
    /// A scenario's name has to match one of these.
    pub names: Vec<Regex>,
    /// Tags have to fulfil this.
    pub tags: Option<TagExpression>,
}

/// A scenario that could have been selected.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Its file.
    pub path: PathBuf,
    /// Line of its heading or example row.
    pub line: usize,
    /// Its title.
    pub title: String,
    /// Its tags.
    pub tags: Vec<String>,
}

impl Selection {
    /// Whether a scenario is asked for. `has` says whether a line of the file belongs to it.
    #[must_use]
    pub fn takes(
        &self,
        path: &Path,
        has: impl Fn(usize) -> bool,
        name: &str,
        tags: &[String],
    ) -> bool {
        let mut asked = self.lines.iter().filter(|(of, _)| of == path).peekable();
        let by_line = asked.peek().is_none() || asked.any(|(_, line)| has(*line));
        let by_name = self.names.is_empty() || self.names.iter().any(|it| it.is_match(name));
        let by_tags = self.tags.as_ref().is_none_or(|it| it.holds(tags));
        by_line && by_name && by_tags
    }

    /// Why it may have selected nothing: each filter, and what there is.
    #[must_use]
    pub fn hints(&self, offered: &[Offered]) -> Vec<String> {
        let mut hints = Vec::new();
        for (path, line) in &self.lines {
            let of_file = offered.iter().filter(|it| it.path == *path);
            let lines: BTreeSet<usize> = of_file.map(|it| it.line).collect();
            let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
            let lines = lines.join(", ");
            let path = path.display();
            hints.push(format!(
                "{path}:{line}: the scenarios of this file begin at lines {lines}"
            ));
        }
        for name in &self.names {
            let nearest = offered
                .iter()
                .map(|it| (strsim::jaro_winkler(&it.title, name.as_str()), &it.title))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let near =
                nearest.map_or_else(String::new, |(_, it)| format!("; the nearest is \"{it}\""));
            hints.push(format!("--name {name} finds no title{near}"));
        }
        if self.tags.is_some() {
            let known: BTreeSet<&str> = offered
                .iter()
                .flat_map(|it| &it.tags)
                .map(String::as_str)
                .collect();
            let known: Vec<&str> = known.into_iter().collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(" ")
            };
            hints.push(format!("--tags: the tags there are: {known}"));
        }
        hints
    }

    /// Whether it leaves anything out.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.lines.is_empty() && self.names.is_empty() && self.tags.is_none()
    }
}

/// A tag expression of Cucumber: `@fota and not (@slow or @wip)`.
#[derive(Clone, Debug)]
pub struct TagExpression(TagOperation);

impl std::str::FromStr for TagExpression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error| {
            format!("`{text}` is not a tag expression ({error}); write for example `@a and not @b`")
        })
    }
}

impl TagExpression {
    /// Whether these tags (with or without `@`) fulfil it.
    #[must_use]
    pub fn holds(&self, tags: &[String]) -> bool {
        fn holds(operation: &TagOperation, tags: &[String]) -> bool {
            match operation {
                TagOperation::And(a, b) => holds(a, tags) && holds(b, tags),
                TagOperation::Or(a, b) => holds(a, tags) || holds(b, tags),
                TagOperation::Not(it) => !holds(it, tags),
                TagOperation::Tag(name) => {
                    let name = name.trim_start_matches('@');
                    tags.iter().any(|tag| tag.trim_start_matches('@') == name)
                }
            }
        }
        holds(&self.0, tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_expressions_are_cucumbers() {
        let tags = ["@fota".to_owned(), "@slow".to_owned()];
        let holds = |text: &str| {
            text.parse::<TagExpression>()
                .expect("an expression")
                .holds(&tags)
        };
        assert!(holds("@fota"));
        assert!(holds("@fota and (@slow or @wip)"));
        assert!(!holds("@fota and not @slow"));
        assert!("@a and".parse::<TagExpression>().is_err());
    }
}

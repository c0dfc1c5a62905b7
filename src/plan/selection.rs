//! Which scenarios were asked for: by place, by name, by tag expression.

use std::path::{Path, PathBuf};

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

impl Selection {
    /// Whether a scenario is asked for. `lines` is the range of lines it occupies.
    #[must_use]
    pub fn takes(
        &self,
        path: &Path,
        lines: std::ops::Range<usize>,
        name: &str,
        tags: &[String],
    ) -> bool {
        let mut asked = self.lines.iter().filter(|(of, _)| of == path).peekable();
        let by_line = asked.peek().is_none() || asked.any(|(_, line)| lines.contains(line));
        let by_name = self.names.is_empty() || self.names.iter().any(|it| it.is_match(name));
        let by_tags = self.tags.as_ref().is_none_or(|it| it.holds(tags));
        by_line && by_name && by_tags
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

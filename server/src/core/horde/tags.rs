//! Tags: what an owner notes on a resource (contract A2).

use std::collections::BTreeMap;

use crate::limits;

/// Names and values. Names are lower case, neither has blanks around it, and no value is blank.
pub(crate) type Tags = BTreeMap<String, String>;

/// A tag cannot be noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotATag {
    /// Its name is blank.
    Blank,
    /// The name or the value is too long.
    Long,
    /// There would be too many.
    Many,
}

/// Adds to `tags`, or changes them; a blank value takes one away.
pub(crate) fn merge<'a>(
    tags: &mut Tags,
    changes: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), NotATag> {
    let mut merged = tags.clone();
    for (name, value) in changes {
        let name = name.trim().to_lowercase();
        let value = value.trim();
        if name.is_empty() {
            return Err(NotATag::Blank);
        }
        if name.len() > limits::MAX_NAME_BYTES || value.len() > limits::MAX_TAG_BYTES {
            return Err(NotATag::Long);
        }
        if value.is_empty() {
            merged.remove(&name);
        } else {
            merged.insert(name, value.to_owned());
        }
    }
    if merged.len() > limits::MAX_TAGS {
        return Err(NotATag::Many);
    }
    *tags = merged;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_merged_and_a_blank_value_takes_one_away() {
        let mut tags = Tags::new();
        merge(&mut tags, [("Name", " x "), ("b", "2")]).expect("fine");
        merge(&mut tags, [("NAME", "y"), ("b", "  "), ("c", "")]).expect("fine");
        assert_eq!(tags, Tags::from([("name".into(), "y".into())]));
        assert_eq!(
            merge(&mut tags, [("d", "1"), (" ", "1")]),
            Err(NotATag::Blank)
        );
        assert_eq!(tags.len(), 1, "nothing of a refused change is kept");
    }
}

//! The catalogue: every row that a server or a device could be held to, from TOML files.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

use super::{ConformError, Uncovered};
use crate::target::{Capability, profile::toml_error};

/// The folder of a suite that holds its rows, one file for each section, in the order of names.
pub const ROWS: &str = "rows";
/// The largest file of rows.
const MAX_ROWS_BYTES: u64 = 1024 * 1024;
/// What the ids of the enabler test specification begin with.
const ETS: &str = "LightweightM2M-";
/// What the ids of rows that are ours begin with.
const OURS: &str = "X-";

/// How much it matters that a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The specification demands it; without it a run fails.
    Must,
    /// The specification recommends it, or demands it of something optional.
    Should,
    /// Others count on it.
    Interop,
    /// The field has learnt it.
    Advice,
}

/// Whom a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// The device.
    Client,
    /// The server.
    Server,
    /// Both, each in its part.
    Both,
}

/// An outcome that a row takes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// What is seen.
    pub outcome: String,
    /// Why it is taken. A row that takes several says it of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// One row.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// `LightweightM2M-1.0-int-101` as in the enabler test specification, or `X-REG-01` of ours.
    pub id: String,
    /// Versions whose test specification has this row; the id names the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// What it is about.
    pub title: String,
    /// How much it matters.
    pub class: Class,
    /// Whom it is about.
    pub subject: Subject,
    /// What it rests on.
    pub clause: String,
    /// Capabilities without which it does not apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Outcomes that it takes. None where nobody here has seen the title.
    #[serde(default)]
    pub accept: Vec<Accepted>,
    /// Why no scenario proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncovered: Option<Uncovered>,
}

impl Row {
    /// Whether `id` names it: its own id, or that of another version's specification.
    #[must_use]
    pub fn is_called(&self, id: &str) -> bool {
        self.id == id || self.aliases().any(|it| it == id)
    }

    /// Its ids in the other versions' specifications.
    fn aliases(&self) -> impl Iterator<Item = String> {
        let number = self.id.strip_prefix(ETS).and_then(|it| it.split_once('-'));
        let versions = self.versions.iter();
        versions.filter_map(move |version| number.map(|(_, rest)| format!("{ETS}{version}-{rest}")))
    }

    /// What a server has to be able to do. It has to take devices in without security, too,
    /// unless the row is about a security of its own.
    pub fn capabilities(&self) -> impl Iterator<Item = Capability> {
        let secured = self.needs.iter().any(|it| it.starts_with("security:"));
        let open = (!secured).then_some("security:nosec");
        let all = self.needs.iter().map(String::as_str).chain(open);
        // Words that are none were refused when the row was read.
        all.filter_map(|it| it.parse().ok())
    }

    /// What is wrong with it.
    fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if !looks_like_id(&self.id) {
            mistakes.push(format!("an id begins with {ETS} or {OURS}"));
        }
        if self.versions.is_empty() == self.id.starts_with(ETS) {
            mistakes.push(format!("`versions` goes with ids that begin with {ETS}"));
        } else if self
            .versions
            .first()
            .is_some_and(|it| !self.id.starts_with(&format!("{ETS}{it}-")))
        {
            mistakes.push("the first of its `versions` is the one in its id".to_owned());
        }
        let needs = self.needs.iter();
        mistakes.extend(needs.filter_map(|it| it.parse::<Capability>().err()));
        if self.accept.is_empty() && self.uncovered != Some(Uncovered::TitleUnknown) {
            mistakes.push("it has no outcome that it would `accept`".to_owned());
        }
        if self.accept.len() > 1 && self.accept.iter().any(|it| it.because.is_none()) {
            mistakes.push("of several outcomes each says `because` why it is taken".to_owned());
        }
        mistakes
    }
}

/// Whether a tag means a row of a catalogue, right or wrong.
pub(super) fn looks_like_id(tag: &str) -> bool {
    let begins = |with: &str| {
        tag.get(..with.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(with))
    };
    begins(ETS) || begins(OURS)
}

/// Rows that belong together: one file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// Its rows.
    #[serde(default, rename = "row")]
    pub rows: Vec<Row>,
}

/// All rows.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Its sections, in order.
    pub sections: Vec<Section>,
}

impl Catalogue {
    /// Reads `rows/*.toml` of a suite's folder.
    ///
    /// # Errors
    /// There is no such folder, or a file of it is not as it should be: which, and why.
    pub fn read(suite: &Path) -> Result<Self, ConformError> {
        let folder = suite.join(ROWS);
        let fail = |path: &Path, why: &dyn fmt::Display| {
            ConformError::Catalogue(format!("{}: {why}", path.display()))
        };
        let entries = std::fs::read_dir(&folder).map_err(|error| fail(&folder, &error))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| fail(&folder, &error))?.path();
            if path.extension().is_some_and(|it| it == "toml") {
                files.push(path);
            }
        }
        files.sort();
        let mut texts = Vec::new();
        for path in files {
            let length = std::fs::metadata(&path)
                .map_err(|error| fail(&path, &error))?
                .len();
            if length > MAX_ROWS_BYTES {
                return Err(fail(&path, &format!("larger than {MAX_ROWS_BYTES} bytes")));
            }
            let text = std::fs::read_to_string(&path).map_err(|error| fail(&path, &error))?;
            texts.push((path.display().to_string(), text));
        }
        Self::parse(
            texts
                .iter()
                .map(|(name, text)| (name.as_str(), text.as_str())),
        )
    }

    /// Reads sections: the name of each for messages, and its text.
    ///
    /// # Errors
    /// The first mistake in each of them.
    pub fn parse<'a>(
        texts: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ConformError> {
        let mut catalogue = Self::default();
        let mut mistakes = Vec::new();
        for (name, text) in texts {
            match toml::from_str::<Section>(text) {
                Ok(section) => {
                    for row in &section.rows {
                        let known = catalogue.rows().chain(section.rows.iter());
                        let twice = known.filter(|it| it.is_called(&row.id)).count() > 1;
                        let twice = twice.then(|| "another row has this id".to_owned());
                        let of_row = row.mistakes().into_iter().chain(twice);
                        mistakes.extend(of_row.map(|it| format!("{name}: {}: {it}", row.id)));
                    }
                    catalogue.sections.push(section);
                }
                Err(error) => mistakes.push(format!("{name}: {}", toml_error(text, &error))),
            }
        }
        if catalogue.rows().next().is_none() && mistakes.is_empty() {
            mistakes.push("there is no row".to_owned());
        }
        if mistakes.is_empty() {
            Ok(catalogue)
        } else {
            Err(ConformError::Catalogue(mistakes.join("\n")))
        }
    }

    /// Every row of every section.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.sections.iter().flat_map(|it| &it.rows)
    }

    /// The row that this id names.
    #[must_use]
    pub fn row(&self, id: &str) -> Option<&Row> {
        self.rows().find(|it| it.is_called(id))
    }

    /// The rows that a pattern names: an id, the end of one (`int-101`), or either with `*` for
    /// any rest.
    ///
    /// # Errors
    /// None is named so.
    pub fn matching(&self, pattern: &str) -> Result<Vec<&Row>, ConformError> {
        let fits = |id: &str| match pattern.strip_suffix('*') {
            Some(start) => id.starts_with(start) || after_version(id).starts_with(start),
            None => after_version(id) == pattern,
        };
        let rows = self
            .rows()
            .filter(|it| it.is_called(pattern) || fits(&it.id));
        let rows: Vec<&Row> = rows.collect();
        if rows.is_empty() {
            return Err(ConformError::Unknown(self.unknown(pattern)));
        }
        Ok(rows)
    }

    /// Says that there is no such row, and which is nearest.
    #[must_use]
    pub fn unknown(&self, id: &str) -> String {
        let likeness = |it: &&Row| strsim::jaro_winkler(&it.id, id);
        let nearest = self
            .rows()
            .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let hint = nearest.map_or_else(String::new, |it| format!("; did you mean `{}`?", it.id));
        format!("there is no row `{id}`{hint}")
    }
}

/// `int-101` of `LightweightM2M-1.0-int-101`.
fn after_version(id: &str) -> &str {
    let rest = id.strip_prefix(ETS).and_then(|it| it.split_once('-'));
    rest.map_or(id, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "title = \"T\"\n[[row]]\nid = \"LightweightM2M-1.0-int-101\"\nversions = [\"1.0\", \"1.1\"]\n\
                       title = \"A device registers\"\nclass = \"must\"\nsubject = \"both\"\nclause = \"Core 6.2.1\"\n\
                       accept = [{ outcome = \"2.01\" }]\n";

    fn parse(text: &str) -> Result<Catalogue, String> {
        Catalogue::parse([("a.toml", text)].into_iter()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_row_is_found_by_the_ids_of_all_its_versions() {
        let catalogue = parse(ROW).expect("a row");
        for id in ["LightweightM2M-1.0-int-101", "LightweightM2M-1.1-int-101"] {
            assert!(catalogue.row(id).is_some(), "{id}");
        }
        assert!(catalogue.row("LightweightM2M-1.2-int-101").is_none());
        for pattern in [
            "int-101",
            "int-1*",
            "LightweightM2M-1.0-*",
            "LightweightM2M-1.1-int-101",
        ] {
            assert_eq!(
                catalogue.matching(pattern).map(|it| it.len()).ok(),
                Some(1),
                "{pattern}"
            );
        }
        let error = catalogue
            .matching("LightweightM2M-1.0-int-102")
            .expect_err("none");
        assert!(
            error
                .to_string()
                .contains("did you mean `LightweightM2M-1.0-int-101`")
        );
    }

    #[test]
    fn mistakes_in_rows_are_said_with_their_place() {
        let with = |from: &str, to: &str| parse(&ROW.replace(from, to)).expect_err("a mistake");
        let words = with("class = \"must\"", "class = \"shall\"");
        assert!(words.contains("a.toml: line 6"), "{words}");
        assert!(with("clause", "clauses").contains("clauses"));
        assert!(with("[\"1.0\", \"1.1\"]", "[\"1.1\"]").contains("the one in its id"));
        assert!(with("accept = [{ outcome = \"2.01\" }]", "").contains("`accept`"));
        let two = "accept = [{ outcome = \"2.01\" }, { outcome = \"2.04\" }]";
        assert!(with("accept = [{ outcome = \"2.01\" }]", two).contains("`because`"));
        let need = "needs = [\"security:certificates\"]\naccept";
        assert!(with("accept", need).contains("did you mean `certificate`"));
        let other = ROW.replace("title = \"T\"\n", "").replace("-1.0-", "-1.1-");
        let other = other.replace("[\"1.0\", \"1.1\"]", "[\"1.1\"]");
        let twice = parse(&format!("{ROW}{other}")).expect_err("the same number twice");
        assert!(twice.contains("another row has this id"), "{twice}");
    }
}

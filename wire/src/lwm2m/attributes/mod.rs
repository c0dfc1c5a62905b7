//! Notification attributes: what Write-Attributes sets and Discover shows (TS 1.1 C 5.1.2, 6.3.4;
//! contract 2.4), and [`Notifier`], which says when they ask for a notification.

mod notifier;

use std::collections::BTreeMap;

pub use notifier::{Decision, Notifier, Rules, Sample};

use super::codec::link::Link;
use super::limits;
use super::path::Path;
use super::registration::Refused;
use super::value::Kind;
use super::version::Version;
use crate::coap::Code;

/// An attribute by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// `pmin`: seconds between two notifications, at least.
    Pmin,
    /// `pmax`: seconds between two notifications, at most. 0, or less than `pmin`: not there.
    Pmax,
    /// `gt`: crossing it, either way, notifies.
    Gt,
    /// `lt`: crossing it, either way, notifies.
    Lt,
    /// `st`: a change by this much notifies.
    St,
    /// `epmin`: seconds between two looks at the value, at least. Since 1.1.
    Epmin,
    /// `epmax`: seconds between two looks at the value, at most. Since 1.1.
    Epmax,
    /// `edge`: 1 notifies of rising, 0 of falling booleans. Since 1.2.
    Edge,
    /// `con`: 1 notifies confirmably. Since 1.2.
    Con,
    /// `hqmax`: notifications kept while they cannot be sent. Since 1.2.
    Hqmax,
}

/// The attributes of one node. Numbers are kept as floats; seconds and counts are whole.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Attributes {
    values: BTreeMap<Name, f64>,
}

/// What one Write-Attributes request sets, or clears by giving a name without a value.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Changes {
    values: BTreeMap<Name, Option<f64>>,
}

impl Name {
    /// All of them, in the order they are written.
    pub const ALL: [Self; 10] = [
        Self::Pmin,
        Self::Pmax,
        Self::Gt,
        Self::Lt,
        Self::St,
        Self::Epmin,
        Self::Epmax,
        Self::Edge,
        Self::Con,
        Self::Hqmax,
    ];

    /// As in a query or a link.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pmin => "pmin",
            Self::Pmax => "pmax",
            Self::Gt => "gt",
            Self::Lt => "lt",
            Self::St => "st",
            Self::Epmin => "epmin",
            Self::Epmax => "epmax",
            Self::Edge => "edge",
            Self::Con => "con",
            Self::Hqmax => "hqmax",
        }
    }

    /// The first version of LwM2M with it.
    #[must_use]
    pub const fn since(self) -> Version {
        match self {
            Self::Epmin | Self::Epmax => Version::V1_1,
            Self::Edge | Self::Con | Self::Hqmax => Version::V1_2,
            _ => Version::V1_0,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// Whether only a resource with a number can have it.
    const fn is_threshold(self) -> bool {
        matches!(self, Self::Gt | Self::Lt | Self::St)
    }

    fn value(self, text: &str) -> Option<f64> {
        let numeric = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
        let number: f64 = text.parse().ok().filter(|_| numeric)?;
        let whole = || text.parse::<u32>().is_ok();
        let fine = match self {
            Self::Gt | Self::Lt => number.is_finite(),
            Self::St => number.is_finite() && number > 0.0,
            Self::Edge | Self::Con => matches!(text, "0" | "1"),
            _ => whole(),
        };
        fine.then_some(number)
    }
}

impl Changes {
    /// Reads the query of a Write-Attributes request. 4.00 for what is no attribute of this
    /// version, is there twice or has a value that it cannot have.
    pub fn parse<'a>(
        query: impl IntoIterator<Item = &'a str>,
        version: Version,
    ) -> Result<Self, Refused> {
        let mut changes = Self::default();
        for item in query {
            let (key, value) = match item.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (item, None),
            };
            let name = Name::parse(key).filter(|name| name.since() <= version);
            let name = name.ok_or_else(|| bad(key, format!("no attribute of LwM2M {version}")))?;
            let number = match value {
                None => None,
                Some(text) => {
                    let number = name.value(text);
                    Some(
                        number
                            .ok_or_else(|| bad(key, format!("it cannot be `{}`", shorten(text))))?,
                    )
                }
            };
            if changes.values.insert(name, number).is_some() {
                return Err(bad(key, "it is there twice"));
            }
        }
        Ok(changes)
    }

    /// The query of the request.
    #[must_use]
    pub fn query(&self) -> Vec<String> {
        let item = |(name, value): (&Name, &Option<f64>)| match value {
            Some(value) => format!("{}={value}", name.as_str()),
            None => name.as_str().to_owned(),
        };
        self.values.iter().map(item).collect()
    }

    /// Sets one attribute, or clears it.
    #[must_use]
    pub fn with(mut self, name: Name, value: Option<f64>) -> Self {
        self.values.insert(name, value);
        self
    }
}

impl Attributes {
    /// One of them.
    #[must_use]
    pub fn get(&self, name: Name) -> Option<f64> {
        self.values.get(&name).copied()
    }

    /// Sets one, unchecked.
    #[must_use]
    pub fn with(mut self, name: Name, value: f64) -> Self {
        self.values.insert(name, value);
        self
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Takes changes in, all or none. `kind` is the type of the resource, if `path` is one.
    ///
    /// 4.00 for thresholds on what is no number, and for `lt`, `gt` and `st` that overlap:
    /// `lt < gt` and `lt + 2 st < gt` must hold.
    pub fn apply(
        &mut self,
        changes: &Changes,
        path: Path,
        kind: Option<Kind>,
    ) -> Result<(), Refused> {
        let mut changed = self.values.clone();
        for (name, value) in &changes.values {
            match value {
                Some(value) => changed.insert(*name, *value),
                None => changed.remove(name),
            };
        }
        let numeric = match kind {
            None => true,
            Some(kind) => matches!(
                kind,
                Kind::Integer | Kind::Unsigned | Kind::Float | Kind::Time
            ),
        };
        let threshold = changed.keys().find(|name| name.is_threshold());
        if let Some(name) = threshold.filter(|_| path.depth() < 3 || !numeric) {
            return Err(bad(name.as_str(), format!("{path} is no number")));
        }
        let boolean = path.depth() >= 3 && kind.is_none_or(|kind| kind == Kind::Boolean);
        if changed.contains_key(&Name::Edge) && !boolean {
            return Err(bad("edge", format!("{path} is no boolean")));
        }
        let [gt, lt, st] = [Name::Gt, Name::Lt, Name::St].map(|name| changed.get(&name));
        if let (Some(gt), Some(lt)) = (gt, lt) {
            if lt >= gt {
                return Err(bad("lt", "it must be below gt"));
            }
            if st.is_some_and(|st| lt + 2.0 * st >= *gt) {
                return Err(bad("st", "lt + 2 st must be below gt"));
            }
        }
        self.values = changed;
        Ok(())
    }

    /// These, and those of the node above that are not among them. From object to instance to
    /// resource to resource instance.
    #[must_use]
    pub fn inheriting(&self, above: &Self) -> Self {
        let mut values = above.values.clone();
        values.extend(&self.values);
        Self { values }
    }

    /// Reads those of a link of Discover; other attributes and impossible values are passed over.
    #[must_use]
    pub fn of_link(link: &Link) -> Self {
        let attributes = link.attributes.iter().take(limits::LINK_ATTRIBUTES);
        let values = attributes.filter_map(|(key, value)| {
            let name = Name::parse(key)?;
            Some((name, name.value(value.as_deref()?)?))
        });
        Self {
            values: values.collect(),
        }
    }

    /// Adds them to a link of Discover.
    #[must_use]
    pub fn onto_link(&self, link: Link) -> Link {
        let values = self.values.iter();
        values.fold(link, |link, (name, value)| link.with(name.as_str(), value))
    }
}

fn bad(attribute: &str, why: impl Into<String>) -> Refused {
    let why = format!("attribute `{}`: {}", shorten(attribute), why.into());
    Refused {
        code: Code::BAD_REQUEST,
        why,
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &str, kind: Option<Kind>, query: &str) -> Result<Attributes, String> {
        let changes =
            Changes::parse(query.split('&'), Version::V1_1).map_err(|error| error.to_string())?;
        let mut attributes = Attributes::default();
        let applied = attributes.apply(&changes, path.parse().unwrap(), kind);
        applied
            .map(|()| attributes)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn refuses_with_4_00_and_the_reason() {
        for (query, why) in [
            ("pmin=-1", "attribute `pmin`: it cannot be `-1`"),
            ("pmin=1.5", "attribute `pmin`: it cannot be `1.5`"),
            ("gt=inf", "attribute `gt`: it cannot be `inf`"),
            ("st=0", "attribute `st`: it cannot be `0`"),
            ("pmin=1&pmin=2", "attribute `pmin`: it is there twice"),
            ("pmon=1", "attribute `pmon`: no attribute of LwM2M 1.1"),
            ("edge=1", "attribute `edge`: no attribute of LwM2M 1.1"),
            ("gt=10&lt=20", "attribute `lt`: it must be below gt"),
            (
                "gt=20&lt=10&st=5",
                "attribute `st`: lt + 2 st must be below gt",
            ),
        ] {
            let error = write("/4/0/2", Some(Kind::Integer), query).unwrap_err();
            assert_eq!(error, format!("4.00: {why}"));
        }
        assert!(
            write("/4/0", None, "gt=1")
                .unwrap_err()
                .contains("/4/0 is no number")
        );
        assert!(
            write("/3/0/0", Some(Kind::String), "lt=1")
                .unwrap_err()
                .contains("is no number")
        );
        assert!(write("/4/0", None, "pmin=2&pmax=10&epmin=1").is_ok());
    }

    #[test]
    fn a_name_alone_clears_and_an_error_changes_nothing() {
        let mut attributes = write("/4/0/2", None, "pmin=0&gt=20&lt=-10.5").unwrap();
        let path = Path::resource(4, 0, 2);
        let bad = Changes::default()
            .with(Name::Pmin, Some(3.0))
            .with(Name::Lt, Some(30.0));
        assert!(attributes.apply(&bad, path, None).is_err());
        assert_eq!(attributes.get(Name::Pmin), Some(0.0));
        let changes = Changes::parse(["gt", "lt=30"], Version::V1_0).unwrap();
        assert_eq!(changes.query(), ["gt", "lt=30"]);
        attributes.apply(&changes, path, None).unwrap();
        assert_eq!(attributes.get(Name::Gt), None);
        assert_eq!(attributes.get(Name::Lt), Some(30.0));
    }

    #[test]
    fn links_show_them_and_nodes_inherit_them() {
        let object = Attributes::default()
            .with(Name::Pmin, 10.0)
            .with(Name::Pmax, 60.0);
        let resource = Attributes::default().with(Name::Pmin, 1.0);
        let both = resource.inheriting(&object);
        let link = both.onto_link(Link::new("/4/0/2").with("dim", 2));
        assert_eq!(link.to_string(), "</4/0/2>;dim=2;pmin=1;pmax=60");
        assert_eq!(Attributes::of_link(&link), both);
    }
}

//! What the owner of a server says beforehand that it does not do as the specification says.

use chrono::NaiveDate;
use toml::Value as Toml;

use super::profile::known;

const KEYS: &[&str] = &["covers", "reason", "link", "until"];

/// A stated deviation: `[[deviation]]` of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The id of the conformance row.
    pub covers: String,
    /// Why it is so.
    pub reason: String,
    /// Where to read more.
    pub link: Option<String>,
    /// The last day on which it counts.
    pub until: Option<NaiveDate>,
}

impl Deviation {
    /// Whether its time is over.
    #[must_use]
    pub fn has_expired(&self, today: NaiveDate) -> bool {
        self.until.is_some_and(|until| until < today)
    }

    pub(super) fn read(value: Toml) -> Result<Self, String> {
        let Toml::Table(table) = value else {
            return Err("`deviation` is a list of sections: [[deviation]]".to_owned());
        };
        let mut texts: [Option<String>; 3] = [None, None, None];
        let mut until = None;
        for (key, value) in table {
            let key = known("key of [[deviation]]", &key, KEYS)?;
            if key == "until" {
                until = Some(day(&value)?);
                continue;
            }
            let text = value.as_str().filter(|it| !it.trim().is_empty());
            let text = text.ok_or_else(|| format!("`{key}` of a deviation is a text"))?;
            let place = KEYS.iter().position(|it| *it == key).unwrap_or_default();
            texts[place] = Some(text.to_owned());
        }
        let [covers, reason, link] = texts;
        let covers = covers.ok_or("a deviation says which row it `covers`")?;
        let reason = reason.ok_or_else(|| format!("the deviation of {covers} has no `reason`"))?;
        Ok(Self {
            covers,
            reason,
            link,
            until,
        })
    }
}

/// A day as text, or as TOML's own.
fn day(value: &Toml) -> Result<NaiveDate, String> {
    let text = match value {
        Toml::String(text) => text.clone(),
        Toml::Datetime(day) => day.to_string(),
        _ => String::new(),
    };
    NaiveDate::parse_from_str(&text, "%Y-%m-%d")
        .map_err(|_| format!("`until = {value}` is not a day such as \"2027-06-30\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Deviation, String> {
        let table: toml::Table = text.parse().expect("TOML");
        Deviation::read(Toml::Table(table))
    }

    #[test]
    fn a_deviation_counts_until_its_last_day() {
        let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").expect("a day");
        for until in ["\"2027-06-30\"", "2027-06-30"] {
            let text = format!("covers = \"X-REG-01\"\nreason = \"documented\"\nuntil = {until}");
            let deviation = read(&text).expect("a deviation");
            assert!(!deviation.has_expired(day("2027-06-30")));
            assert!(deviation.has_expired(day("2027-07-01")));
        }
    }

    #[test]
    fn a_deviation_names_its_row_and_its_reason() {
        assert!(read("covers = \"X-REG-01\"").is_err_and(|why| why.contains("`reason`")));
        assert!(read("reason = \"so\"").is_err_and(|why| why.contains("`covers`")));
        assert!(
            read("covers = \"X\"\nreason = \"so\"\nuntil = \"soon\"")
                .is_err_and(|why| why.contains("2027-06-30"))
        );
        assert!(read("cover = \"X\"").is_err_and(|why| why.contains("did you mean `covers`?")));
    }
}

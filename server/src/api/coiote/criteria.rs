//! `searchCriteria`: `field op value` (contract 1), over the JSON of what is searched.

use serde_json::{Value, json};

use super::Refusal;
use crate::limits;

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Criteria {
    field: Vec<String>,
    begins: bool,
    value: Value,
}

impl Criteria {
    /// Reads one; nothing is no criteria.
    pub(super) fn parse(text: Option<&str>) -> Result<Option<Self>, Refusal> {
        let Some(text) = text.map(str::trim).filter(|it| !it.is_empty()) else {
            return Ok(None);
        };
        let shape = || {
            let shape = "searchCriteria is `field eq 'text'`, `field startswith 'text'` or \
                         `field eq true`";
            Refusal::malformed(shape)
        };
        if text.len() > limits::MAX_SECRET_BYTES {
            return Err(shape());
        }
        let (field, rest) = text.split_once(' ').ok_or_else(shape)?;
        let (operator, value) = rest.trim_start().split_once(' ').ok_or_else(shape)?;
        let begins = match operator {
            "eq" => false,
            "startswith" => true,
            _ => return Err(shape()),
        };
        let value = value.trim();
        let quoted = value
            .strip_prefix('\'')
            .and_then(|it| it.strip_suffix('\''));
        let value = match (quoted, value) {
            (Some(text), _) if !text.contains('\'') => json!(text),
            (None, "true") => json!(true),
            (None, "false") => json!(false),
            _ => return Err(shape()),
        };
        if begins && !value.is_string() {
            return Err(shape());
        }
        let field = field.split('.').map(str::to_owned).collect();
        Ok(Some(Self {
            field,
            begins,
            value,
        }))
    }

    /// Whether a document meets it.
    pub(super) fn holds(&self, document: &Value) -> bool {
        let mut found = document;
        for (at, name) in self.field.iter().enumerate() {
            // Names of properties may have dots themselves.
            let rest = self.field[at..].join(".");
            if let Some(whole) = found.get(&rest) {
                found = whole;
                break;
            }
            match found.get(name) {
                Some(inner) => found = inner,
                None => return false,
            }
        }
        match (self.begins, found.as_str(), self.value.as_str()) {
            (true, Some(found), Some(value)) => found.starts_with(value),
            (true, ..) => false,
            _ => *found == self.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_examples_are_understood() {
        let device = json!({
            "id": "123-a", "managementEnabled": true, "properties": {"endpointName": "x", "a.b": "c"}
        });
        for (text, holds) in [
            ("id startswith '123'", true),
            ("id startswith '23'", false),
            ("managementEnabled eq true", true),
            ("managementEnabled eq 'true'", false),
            ("properties.endpointName eq 'x'", true),
            ("properties.a.b eq 'c'", true),
            ("properties.nothing eq 'x'", false),
            ("serialNumber eq 'x'", false),
            ("id eq ''", false),
        ] {
            let criteria = Criteria::parse(Some(text)).expect(text).expect(text);
            assert_eq!(criteria.holds(&device), holds, "{text}");
        }
        assert_eq!(Criteria::parse(Some(" ")), Ok(None));
        for text in [
            "id",
            "id eq",
            "id eq 1",
            "id like 'x'",
            "id eq 'a'b'",
            "id startswith true",
        ] {
            assert!(Criteria::parse(Some(text)).is_err(), "{text}");
        }
    }
}

//! Objects as they are remembered: under `id:version`, since a key of JSON is one text.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize as _, Serializer, de::Error};

use super::{Objects, Resources};

type Stored = BTreeMap<String, BTreeMap<u32, Resources>>;

pub(super) fn serialize<S: Serializer>(objects: &Objects, to: S) -> Result<S::Ok, S::Error> {
    let stored = objects.iter();
    let stored = stored.map(|((id, version), instances)| (format!("{id}:{version}"), instances));
    stored.collect::<BTreeMap<_, _>>().serialize(to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Objects, D::Error> {
    let stored = Stored::deserialize(from)?.into_iter();
    stored
        .map(|(key, instances)| {
            let parts = key.split_once(':');
            let object =
                parts.and_then(|(id, version)| Some((id.parse().ok()?, version.to_owned())));
            let object = object.ok_or_else(|| D::Error::custom(format!("`{key}` is no object")))?;
            Ok((object, instances))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::core::shadow::{Shadow, convert};

    #[test]
    fn a_shadow_is_read_as_it_was_written() {
        let upstream =
            json!({"reported": {"lwm2m": {"14204:1.0": {"0": {"3": "2.0.0", "99": 7}}}}});
        let (shadow, _) = convert(&upstream);
        let text = json!(shadow).to_string();
        assert!(text.contains("14204:1.0"), "{text}");
        assert_eq!(
            serde_json::from_str::<Shadow>(&text).expect("readable"),
            shadow
        );
    }
}

//! JSON Schemas of the contexts we know (contract hello-nrfcloud, 3.4).

use std::{
    collections::BTreeMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use jsonschema::Validator;
use serde_json::{Value, json};

/// What a body breaks of the schema of its context; nothing where we hold none.
#[must_use]
pub(super) fn violations(context: &str, body: &Value) -> Vec<String> {
    static COMPILED: LazyLock<Mutex<BTreeMap<String, Option<Validator>>>> =
        LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = compiled
        .entry(context.to_owned())
        .or_insert_with(|| compile(context));
    let Some(validator) = validator else {
        return Vec::new();
    };
    validator
        .iter_errors(body)
        .take(10)
        .map(|error| {
            let place = error.instance_path().to_string();
            format!("{}: {error}", if place.is_empty() { "/" } else { &place })
        })
        .collect()
}

fn compile(context: &str) -> Option<Validator> {
    static SCHEMAS: LazyLock<Value> = LazyLock::new(|| {
        serde_json::from_str(include_str!("schemas.json")).expect("a file of ours, read by a test")
    });
    let own = SCHEMAS.get(context)?;
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": { "@context": { "const": context } },
        "allOf": [own],
        "$defs": SCHEMAS["$defs"],
    });
    jsonschema::validator_for(&schema).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_held_against_the_schema_of_its_context() {
        let context = "https://github.com/hello-nrfcloud/proto/fota/job";
        let good = json!({
            "@context": context, "id": "01J", "deviceId": "oob-1", "timestamp": "2026-01-01T00:00:00.000Z",
            "status": "NEW", "statusDetail": "x", "reportedVersion": "2.0.0",
            "upgradePath": { ">=2.0.0": "APP*1e29dfa3*v2.0.1" }
        });
        assert_eq!(violations(context, &good), Vec::<String>::new());
        let mut bad = good.clone();
        bad["status"] = json!("COMPLETED");
        assert_eq!(violations(context, &bad).len(), 1);
        let mut bad = good;
        bad["upgradePath"] = json!({});
        assert_eq!(violations(context, &bad).len(), 1);
        assert!(violations("https://example.com/unknown", &json!(1)).is_empty());
    }
}

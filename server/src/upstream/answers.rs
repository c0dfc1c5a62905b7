//! What upstream answers, checked against the contract (section 4) before anybody believes it.

use serde_json::Value;

use super::CallError;
use crate::{
    core::{
        shadow::{Firmware, Shadow, convert},
        time::parse_iso,
        updates::{JobDetails, is_known_status},
    },
    limits,
};

/// A bundle that can be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// Its id.
    pub(crate) id: String,
    /// Its type, such as `APP`.
    pub(crate) kind: String,
    /// The version it installs.
    pub(crate) version: String,
    /// When it was changed; empty if not told.
    pub(crate) last_modified: String,
}

/// The state of a device.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeviceState {
    /// The device.
    pub(crate) id: String,
    /// Upstream's number for this state.
    pub(crate) version: f64,
    /// The objects.
    pub(crate) shadow: Shadow,
    /// What decides about updates.
    pub(crate) firmware: Firmware,
}

/// The id of a job that was created.
pub(super) fn job_id(answer: &Value) -> Result<String, CallError> {
    let id = text(answer, "jobId")?;
    if id.len() > limits::MAX_NAME_BYTES {
        return Err(wrong("jobId", "a shorter text"));
    }
    Ok(id.to_owned())
}

/// How a job goes.
pub(super) fn job_details(answer: &Value) -> Result<JobDetails, CallError> {
    job_id(answer)?;
    time(answer, "createdAt")?.ok_or_else(|| wrong("createdAt", "a time"))?;
    let status = text(answer, "status")?;
    if !is_known_status(status) {
        return Err(wrong("status", "a known status"));
    }
    let status_detail = optional_text(answer, "statusDetail")?;
    for name in ["name", "description"] {
        optional_text(answer, name)?;
    }
    time(answer, "completedAt")?;
    let last_updated_at = time(answer, "lastUpdatedAt")?;
    let version = match answer.get("firmware") {
        None => None,
        Some(firmware) => Some(firmware_version(firmware)?),
    };
    if let Some(target) = answer.get("target") {
        for name in ["deviceIds", "tags"] {
            texts(target, name)?;
        }
    }
    Ok(JobDetails {
        status: status.to_owned(),
        status_detail: status_detail.filter(|it| !it.is_empty()).map(str::to_owned),
        last_updated_at: last_updated_at.map(str::to_owned),
        version: version.map(str::to_owned),
    })
}

/// One page of bundles, and the token of the next.
pub(super) fn bundles(answer: &Value) -> Result<(Vec<Bundle>, Option<String>), CallError> {
    let items = items(answer)?;
    let bundles = items.iter().map(|item| {
        if !item["size"].is_number() {
            return Err(wrong("size", "a number"));
        }
        texts(item, "filenames")?;
        Ok(Bundle {
            id: text(item, "bundleId")?.to_owned(),
            kind: text(item, "type")?.to_owned(),
            version: text(item, "version")?.to_owned(),
            last_modified: optional_text(item, "lastModified")?
                .unwrap_or_default()
                .to_owned(),
        })
    });
    let bundles = bundles.collect::<Result<Vec<_>, _>>()?;
    let token = optional_text(answer, "pageNextToken")?.filter(|it| !it.is_empty());
    Ok((bundles, token.map(str::to_owned)))
}

/// The states of devices. One that is not usable is left out, the others count.
pub(super) fn device_states(answer: &Value) -> Result<Vec<DeviceState>, CallError> {
    let states = items(answer)?.iter().filter_map(|item| {
        let id = text(item, "id").ok()?.to_owned();
        let state = item.get("state")?;
        let version = state["version"].as_f64()?;
        if state.to_string().len() > limits::MAX_SHADOW_BYTES {
            return None;
        }
        let (shadow, firmware) = convert(state);
        Some(DeviceState {
            id,
            version,
            shadow,
            firmware,
        })
    });
    Ok(states.collect())
}

fn firmware_version(firmware: &Value) -> Result<&str, CallError> {
    for name in ["bundleId", "firmwareType", "host"] {
        text(firmware, name)?;
    }
    if firmware["fileSize"].as_f64().is_none_or(|it| it < 1.0) {
        return Err(wrong("firmware.fileSize", "at least 1"));
    }
    texts(firmware, "uris")?;
    text(firmware, "version")
}

fn items(answer: &Value) -> Result<&Vec<Value>, CallError> {
    answer["items"]
        .as_array()
        .ok_or_else(|| wrong("items", "an array"))
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, CallError> {
    optional_text(value, name)?
        .filter(|it| !it.is_empty())
        .ok_or_else(|| wrong(name, "a text that is not empty"))
}

fn optional_text<'a>(value: &'a Value, name: &str) -> Result<Option<&'a str>, CallError> {
    match value.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(name, "a text")),
    }
}

fn time<'a>(value: &'a Value, name: &str) -> Result<Option<&'a str>, CallError> {
    let time = optional_text(value, name)?;
    match time {
        Some(text) if parse_iso(text).is_none() => Err(wrong(name, "a time")),
        time => Ok(time),
    }
}

fn texts(value: &Value, name: &str) -> Result<(), CallError> {
    let list = value[name].as_array();
    if list.is_some_and(|list| list.iter().all(Value::is_string)) {
        Ok(())
    } else {
        Err(wrong(name, "an array of texts"))
    }
}

fn wrong(name: &str, expected: &str) -> CallError {
    CallError::Invalid(format!("`{name}` should be {expected}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job() -> Value {
        json!({
            "createdAt": "2023-09-12T00:00:00.000Z",
            "firmware": {"bundleId": "APP*1e29dfa3*v2.0.1", "fileSize": 425_860, "firmwareType": "SMP",
                "host": "firmware.nrfcloud.com", "uris": ["a/b.bin"], "version": "v2.0.1"},
            "jobId": "bc631093", "lastUpdatedAt": "2023-09-12T00:00:00.000Z", "name": "n",
            "status": "IN_PROGRESS", "statusDetail": "Job auto applied",
            "target": {"deviceIds": ["oob-352656108602296"], "tags": []}
        })
    }

    #[test]
    fn texts_are_taken_as_they_are() {
        let details = job_details(&job()).expect("a job");
        assert_eq!(
            details,
            JobDetails {
                status: "IN_PROGRESS".into(),
                status_detail: Some("Job auto applied".into()),
                last_updated_at: Some("2023-09-12T00:00:00.000Z".into()),
                version: Some("v2.0.1".into()),
            }
        );
    }

    #[test]
    fn a_job_that_is_not_one_is_refused() {
        for (pointer, value) in [
            ("/status", json!("PAUSED")),
            ("/status", json!(7)),
            ("/jobId", json!("")),
            ("/createdAt", json!("yesterday")),
            ("/lastUpdatedAt", json!(1_694_503_339_523_i64)),
            ("/statusDetail", json!(null)),
            ("/firmware", json!("v2.0.1")),
            ("/firmware/fileSize", json!(0)),
            ("/firmware/uris", json!([1])),
            ("/target/tags", json!(null)),
        ] {
            let mut answer = job();
            *answer.pointer_mut(pointer).expect("a place") = value;
            assert!(job_details(&answer).is_err(), "{pointer}");
        }
        assert!(job_details(&json!([])).is_err());
    }

    #[test]
    fn one_broken_device_does_not_hide_the_others() {
        let answer =
            json!({"items": [{"id": 5}, {"id": "a"}, {"id": "b", "state": {"version": 3}}]});
        let states = device_states(&answer).expect("states");
        assert_eq!(states.len(), 1);
        assert_eq!((states[0].id.as_str(), states[0].version), ("b", 3.0));
    }
}

//! Asks the server how it sees a device, through its admin face, as a third party would.

use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use fotalab_wire::net::{UnixMillis, http as client};
use http::{Request, StatusCode, header};
use serde_json::Value;
use tokio::time::timeout;

use super::facts::{AtServer, Registration, Update};
use crate::{run::Lab, target::provision::path_segment};

/// The longest answer of an admin face that is read.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// How long an admin face may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The neutral face of the server under test (`ADMINURL`).
pub(super) struct Admin {
    url: String,
    token: String,
}

impl Admin {
    pub(super) fn of(lab: &Lab) -> Option<Self> {
        let text = |name: &str| lab.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            url: text("ADMINURL")?,
            token: text("ADMINTOKEN")?,
        })
    }

    /// How the server sees a device.
    pub(super) async fn device(&self, lab: &Lab, endpoint: &str) -> Result<AtServer, String> {
        let Some(device) = self
            .get(lab, &format!("/devices/{}", path_segment(endpoint)))
            .await?
        else {
            return Ok(AtServer::default());
        };
        let update = device["update"]["id"].as_str();
        let update = match update {
            Some(id) => {
                self.get(lab, &format!("/updates/{}", path_segment(id)))
                    .await?
            }
            None => None,
        };
        let registration = Some(&device["registration"]).filter(|it| it.is_object());
        Ok(AtServer {
            known: true,
            registration: registration.map(registration_of),
            update: update.as_ref().map(update_of),
        })
    }

    /// `None` for what the server does not know.
    async fn get(&self, lab: &Lab, path: &str) -> Result<Option<Value>, String> {
        let request = Request::get(format!("{}{path}", self.url))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Bytes::new())
            .map_err(|error| error.to_string())?;
        let network = lab.network();
        let answer = client::send(&*network, request, MAX_ANSWER_BYTES);
        let answer = timeout(PATIENCE, answer).await;
        let answer = answer.map_err(|_| "it took too long".to_owned())?;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => serde_json::from_slice(answer.body())
                .map(Some)
                .map_err(|error| format!("it answered what is not JSON: {error}")),
            status => Err(format!("it answered {status}")),
        }
    }
}

fn registration_of(json: &Value) -> Registration {
    let texts = json["queued"].as_array().into_iter().flatten();
    let observed = json["observed"].as_array().into_iter().flatten();
    Registration {
        asleep: json["asleep"] == true,
        awake_until: instant(&json["awakeUntil"]),
        expires: instant(&json["expires"]),
        address: json["address"].as_str().map(str::to_owned),
        asking: json["asking"].as_str().map(str::to_owned),
        queued: texts.filter_map(Value::as_str).map(str::to_owned).collect(),
        observed: observed
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    }
}

fn update_of(json: &Value) -> Update {
    let text = |it: &Value| it.as_str().map(str::to_owned);
    let waits = &json["waitsFor"];
    let history = json["history"].as_array();
    let first = history.and_then(|it| it.first()).map(|it| &it["at"]);
    let last = history.and_then(|it| it.last()).map(|it| &it["detail"]);
    Update {
        state: text(&json["state"]).unwrap_or_default(),
        what: text(&waits["what"]).unwrap_or_default(),
        asked: text(&waits["asked"]),
        until: instant(&waits["until"]),
        deadline: instant(&waits["deadline"]),
        began: first.and_then(instant),
        last: last.and_then(text).unwrap_or_default(),
    }
}

/// `2026-01-01T00:00:00.000Z`, as the admin face writes times (RFC 3339).
fn instant(json: &Value) -> Option<UnixMillis> {
    let time = DateTime::parse_from_rfc3339(json.as_str()?).ok()?;
    Some(time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, millis) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2026-01-01T00:00:00.000Z", 1_767_225_600_000),
            ("2024-02-29T12:34:56.789Z", 1_709_210_096_789),
            ("2026-01-01T00:00:00.5Z", 1_767_225_600_500),
        ] {
            assert_eq!(instant(&Value::from(text)), Some(millis));
        }
        for strange in [
            "tomorrow",
            "99999999999999999-01-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
        ] {
            assert_eq!(instant(&Value::from(strange)), None, "{strange}");
        }
    }
}

//! What devices told last, and sessions that somebody forces (contract 2.7).

use serde_json::json;

use super::{Answer, Asked, Refusal, ok};
use crate::{
    core::{tasks::keys, time::iso},
    tasks,
};

impl Asked<'_> {
    /// `GET /cachedDataModels/{deviceId}?parameters=`: keys, or what they begin with (`Device.`);
    /// all where none is named. What is not known is not there.
    pub(super) fn cached_values(&self, device: &str) -> Result<Answer, Refusal> {
        let wanted: Vec<&str> = self.query.all("parameters").collect();
        self.server.change(|state, now| {
            self.own_device(state, device)?;
            tasks::show(state, now, device);
            let record = state.inventory.get(device);
            let values = record.into_iter().flat_map(|it| &it.values);
            let named = values.filter_map(|(path, value)| {
                let path = path.parse().ok()?;
                Some((path, keys::key(path), value))
            });
            let meets = |name: &str| {
                let begins = |it: &&str| match it.ends_with('.') {
                    true => name.starts_with(*it),
                    false => name == *it || name.starts_with(&format!("{it}.")),
                };
                wanted.is_empty() || wanted.iter().any(begins)
            };
            let mut chosen: Vec<_> = named.filter(|(_, name, _)| meets(name)).collect();
            chosen.sort_by_key(|(path, ..)| *path);
            let shown = chosen.into_iter().map(|(_, name, value)| {
                json!({
                    "name": name,
                    "value": value.text,
                    "updateTime": iso(value.at),
                    "type": value.kind,
                })
            });
            ok(shown.collect())
        })
    }

    /// `POST /sessions/{deviceId}`: what waits for the device begins, or only `taskId`. One that is
    /// not registered can only be waited for, which `/allow-deregistered` is content with.
    pub(super) fn start_session(&self, device: &str, patient: bool) -> Result<Answer, Refusal> {
        let only = self.query.text("taskId");
        self.server.change(|state, now| {
            self.own_device(state, device)?;
            if let Some(only) = only {
                self.own_task(state, only)?;
            }
            let air = state.air.as_ref();
            let is_there = air.is_some_and(|it| it.registered(device).is_some());
            if is_there {
                state.tasks.session(now, device, only);
            } else if !patient {
                return Err(Refusal::conflict("The device is not registered."));
            }
            ok(json!({"result": if is_there { "Session started" } else { "Session scheduled" }}))
        })
    }
}

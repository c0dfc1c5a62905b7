//! Devices: shown and found (contract 2.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Answer, Asked, Refusal, criteria::Criteria, ok, shown};
use crate::{
    core::{groups, inventory::Record},
    server::State,
    tasks,
};

/// Devices of one answer, unless it says otherwise; and most (contract 1).
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;

impl Asked<'_> {
    /// `GET /devices/{id}`
    pub(super) fn get_device(&self, id: &str) -> Result<Answer, Refusal> {
        self.server.change(|state, now| {
            self.own_device(state, id)?;
            tasks::show(state, now, id);
            ok(self.entity(state, id))
        })
    }

    /// `GET /devices/find/details`: by criteria, page by page, all fields or some.
    pub(super) fn find_devices(&self) -> Result<Answer, Refusal> {
        let criteria = Criteria::parse(self.query.text("searchCriteria"))?;
        let fields = self.query.text("fieldSelection").unwrap_or_default();
        let fields: Vec<&str> = fields.split(',').map(str::trim).collect();
        let fields: Vec<&str> = fields.into_iter().filter(|it| !it.is_empty()).collect();
        let limit = match self.query.text("limit") {
            None => PAGE,
            Some(text) => {
                let limit = text.parse().ok().filter(|it| *it <= LARGEST_PAGE);
                limit.ok_or_else(|| {
                    Refusal::limit(format!("limit is 0 to {LARGEST_PAGE}, not `{text}`"))
                })?
            }
        };
        let after = match self.query.text("pageBookmark") {
            None => None,
            Some(text) => {
                let id = URL_SAFE_NO_PAD.decode(text).ok();
                let id = id.and_then(|it| String::from_utf8(it).ok());
                let wrong = || Refusal::malformed("pageBookmark is none that was given");
                Some(id.ok_or_else(wrong)?)
            }
        };
        self.server.change(|state, now| {
            let ids = state.registry.devices_after(after.as_deref());
            let ids: Vec<String> = ids.map(|it| it.id.clone()).collect();
            let mut found = Vec::new();
            let mut last = None;
            let mut more = false;
            for id in ids {
                if self.own_device(state, &id).is_err() {
                    continue;
                }
                let entity = self.entity(state, &id);
                if criteria.as_ref().is_some_and(|it| !it.holds(&entity)) {
                    continue;
                }
                if found.len() == limit {
                    more = true;
                    break;
                }
                tasks::show(state, now, &id);
                found.push(shown::selected(entity, &fields));
                last = Some(id);
            }
            let next = last.filter(|_| more);
            ok(json!({
                "devices": found,
                "nextPageBookmark": next.map(|it| URL_SAFE_NO_PAD.encode(it)),
            }))
        })
    }

    /// Refuses a device of somebody else as one that is not there.
    pub(super) fn own_device(&self, state: &State, id: &str) -> Result<(), Refusal> {
        let owner = state.owners.of_device(&state.registry, id);
        if owner == Some(&self.owner) {
            Ok(())
        } else {
            Err(Refusal::not_found("Device not found."))
        }
    }

    /// All groups that a device of this account is in.
    pub(super) fn groups_of(&self, state: &State, id: &str) -> Vec<String> {
        let Some(device) = state.registry.device(id) else {
            return Vec::new();
        };
        let unseen = Record::default();
        let record = state.inventory.get(id).unwrap_or(&unseen);
        let domain = shown::domain(record, state.owners.get(&self.owner));
        groups::of_device(device, record, domain)
    }

    fn entity(&self, state: &State, id: &str) -> Value {
        let unseen = Record::default();
        let record = state.inventory.get(id).unwrap_or(&unseen);
        let owner = state.owners.get(&self.owner);
        let device = state.registry.device(id);
        device.map_or(Value::Null, |it| shown::device(it, record, owner))
    }
}

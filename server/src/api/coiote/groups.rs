//! Groups: made, shown and deleted. Who is in one is said of the device (contract 2.2).

use http::Request;
use hyper::body::Incoming;
use serde_json::json;

use super::{Answer, Asked, Refusal, created, done, input, input::Fields, ok};
use crate::{
    core::{
        groups::{Group, is_id},
        owners::Owner,
    },
    remember,
    server::State,
    store::Kind,
};

impl Asked<'_> {
    /// `POST /groups`: makes a group, or gives it another description.
    pub(super) async fn put_group(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let body = input::json(self.server, request).await?;
        let fields = Fields::of(&body, "group")?;
        let id = group_id(fields.needed("id")?)?;
        let group = Group {
            description: fields.text("description")?.map(str::to_owned),
        };
        let key = json!([self.owner, id]).to_string();
        let document = json!(group);
        let mut state = self.server.state();
        let known = state.groups.get(&self.owner, id).is_some();
        let full = |_| Refusal::too_many("There are too many groups");
        state.groups.put(&self.owner, id, group).map_err(full)?;
        self.server.store.put(Kind::Group, &key, document);
        let result = if known {
            "Group updated"
        } else {
            "Group created"
        };
        created(json!({"result": result}))
    }

    /// `GET /groups/{id}`
    pub(super) fn get_group(&self, id: &str) -> Result<Answer, Refusal> {
        let id = group_id(id)?;
        let state = self.server.state();
        let group = state.groups.get(&self.owner, id);
        if group.is_none() && self.members(&state, id).is_empty() {
            return Err(Refusal::not_found("Group not found."));
        }
        let description = group.and_then(|it| it.description.as_deref());
        ok(json!({"id": id, "description": description}))
    }

    /// `DELETE /groups/{id}`: nobody is in it any more.
    pub(super) fn delete_group(&self, id: &str) -> Result<Answer, Refusal> {
        let id = group_id(id)?;
        self.server.change(|state, now| {
            if !state.groups.remove(&self.owner, id) {
                return Err(Refusal::not_found("Group not found."));
            }
            let key = json!([self.owner, id]).to_string();
            self.server.store.remove(Kind::Group, &key);
            for device in self.members(state, id) {
                if let Some(known) = state.registry.device_mut(&device) {
                    known.identity.groups.retain(|it| it != id);
                    remember::device(&*self.server.store, state, &device);
                }
                state.tasks.left_group(now, &self.owner, id, &device);
            }
            done()
        })
    }

    /// Who is in a group, this account's devices only.
    pub(super) fn members(&self, state: &State, group: &str) -> Vec<String> {
        let own = state.registry.devices_after(None).filter(|it| {
            let owner = state.owners.of_device(&state.registry, &it.id);
            owner == Some(&self.owner)
        });
        let ids = own.map(|it| it.id.clone());
        let is_in = |id: &String| self.groups_of(state, id).iter().any(|it| it == group);
        ids.filter(is_in).collect()
    }

    /// How fast this account's group tasks go.
    pub(super) fn pace(&self, state: &State) -> crate::core::campaigns::Pace {
        let owner: Option<&Owner> = state.owners.get(&self.owner);
        owner.map(|it| it.pace).unwrap_or_default()
    }
}

/// An id of a group; one that cannot be is 400 (contract 1).
pub(super) fn group_id(text: &str) -> Result<&str, Refusal> {
    if is_id(text) {
        Ok(text)
    } else {
        let shape = "A group's id is names between dots and begins with `root`";
        Err(Refusal::malformed(shape))
    }
}

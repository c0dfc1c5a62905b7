//! Discover and Write-Attributes (TS 1.1 C 6.3.2, 6.3.5; contract 2.4).

use std::time::Duration;

use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{Code, ExchangeId, Message, Response};
use fotalab_wire::lwm2m::attributes::{Attributes, Changes};
use fotalab_wire::lwm2m::codec::link::{self, Link};
use fotalab_wire::lwm2m::{Kind, Path, Resource, Version};

use super::{Device, body};
use crate::limits;

impl Device {
    pub(super) fn write_attributes(
        &mut self,
        now: Duration,
        path: Path,
        message: &Message,
    ) -> Code {
        let queries = message
            .options
            .iter()
            .filter(|(n, _)| *n == number::URI_QUERY);
        let Ok(query) = queries
            .map(|(_, value)| std::str::from_utf8(value))
            .collect::<Result<Vec<_>, _>>()
        else {
            return Code::BAD_REQUEST;
        };
        if path.depth() == 0 {
            return Code::METHOD_NOT_ALLOWED;
        }
        if let Err(code) = self.read(now, path) {
            return code;
        }
        let kind: Option<Kind> = self.kind.definitions.kind(path);
        let changed = Changes::parse(query, self.registration.version()).and_then(|changes| {
            let mut attributes = self.attributes.get(&path).cloned().unwrap_or_default();
            attributes.apply(&changes, path, kind).map(|()| attributes)
        });
        let attributes = match changed {
            Ok(attributes) => attributes,
            Err(refused) => return Code(refused.code.0),
        };
        if attributes.is_empty() {
            self.attributes.remove(&path);
        } else if self.attributes.len() < limits::ATTRIBUTED_NODES {
            self.attributes.insert(path, attributes);
        } else {
            return Code::INTERNAL_SERVER_ERROR;
        }
        self.renew_rules(now);
        Code::CHANGED
    }

    /// The links at a path: of an object, its instances and resources; of an instance, its
    /// resources; of a resource in 1.1 its instances. Each has its own attributes, a resource that
    /// is asked for also those it inherits.
    pub(super) fn discover(&mut self, now: Duration, exchange: ExchangeId, path: Path) {
        let response = match self.links(now, path) {
            Ok(links) => Response::with(Code::CONTENT, body(link::encode(&links))).format(40),
            Err(code) => Response::new(code),
        };
        self.respond(now, exchange, response);
    }

    fn links(&self, now: Duration, path: Path) -> Result<Vec<Link>, Code> {
        let [object, ..] = *path.ids() else {
            return Err(Code::METHOD_NOT_ALLOWED);
        };
        if path.depth() > 3 {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        let mut links = Vec::new();
        if path.depth() == 1 {
            let listed = self.object_list().objects.remove(&object);
            let listed = listed.ok_or(Code::NOT_FOUND)?;
            let mut link = self.link(path);
            if let Some(version) = listed.version {
                link = link.with("ver", version);
            }
            links.push(self.own_attributes(path).onto_link(link));
        }
        for instance in self.instances(object) {
            let at = Path::instance(object, instance);
            if path.depth() > 1 && path.prefix(2) != at {
                continue;
            }
            if path.depth() <= 2 {
                links.push(self.own_attributes(at).onto_link(self.link(at)));
            }
            for definition in self.kind.definitions.resources(object) {
                let at = Path::resource(object, instance, definition.id);
                if path.depth() == 3 && path != at {
                    continue;
                }
                let held = self.read(now, at).ok();
                if definition.operations.read && held.is_none() {
                    continue;
                }
                let held = held.as_ref().and_then(|tree| tree.resource(at));
                self.resource_links(path, at, held, &mut links);
            }
        }
        if links.is_empty() {
            return Err(Code::NOT_FOUND);
        }
        Ok(links)
    }

    fn resource_links(&self, path: Path, at: Path, held: Option<&Resource>, links: &mut Vec<Link>) {
        let alone = path.depth() == 3;
        let mut link = self.link(at);
        let instances = match held {
            Some(Resource::Multiple(values)) => Some(values),
            _ => None,
        };
        if let Some(values) = instances {
            link = link.with("dim", values.len());
        }
        let shown = if alone {
            self.attributes_of(at)
        } else {
            self.own_attributes(at)
        };
        links.push(shown.onto_link(link));
        if alone && self.registration.version() >= Version::V1_1 {
            let ids = instances.into_iter().flat_map(|values| values.keys());
            for at in ids.filter_map(|id| at.child(*id)) {
                links.push(self.own_attributes(at).onto_link(self.link(at)));
            }
        }
    }

    fn link(&self, path: Path) -> Link {
        Link::new(format!("{}{path}", self.kind.persona.root))
    }

    fn own_attributes(&self, path: Path) -> Attributes {
        self.attributes.get(&path).cloned().unwrap_or_default()
    }
}

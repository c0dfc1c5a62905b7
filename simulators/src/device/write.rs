//! Write, Create and Delete, and what of it is kept (contract 3.3; TS 1.1 C 6.3.4 to 6.3.8).
//!
//! A request is done as a whole or not at all: everything is checked before anything is written.

use std::time::Duration;

use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{Code, ExchangeId, Message, Response};
use fotalab_wire::lwm2m::codec::tlv;
use fotalab_wire::lwm2m::{ContentFormat, Path, Tree, Value, codec};

use super::Device;
use super::firmware::{Answer, Reply};
use super::registration::Todo;
use super::requests::clamp;
use crate::limits;

/// /5/0/0.
const PACKAGE: Path = Path::resource(5, 0, 0);
/// /5/0/1.
const PACKAGE_URI: Path = Path::resource(5, 0, 1);

/// What becomes of that which a write does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It goes (PUT).
    Replace,
    /// It stays (POST, iPATCH).
    Update,
}

impl Device {
    pub(super) fn write(
        &mut self,
        now: Duration,
        path: Path,
        message: &Message,
        mode: Mode,
    ) -> Reply {
        let format = message.options.uint(number::CONTENT_FORMAT).map(clamp);
        if path == PACKAGE && matches!(format, None | Some(42)) {
            return self.firmware.write_package(now, &message.payload);
        }
        let empty_text = format.is_none() && message.payload.is_empty();
        let format = format.or(empty_text.then_some(ContentFormat::Text.number()));
        match self.decode(format, path, &message.payload) {
            Ok(tree) => self.write_tree(now, path, &tree, mode),
            Err(code) => Reply::code(code),
        }
    }

    /// Writes what is in a tree, all or nothing.
    pub(super) fn write_tree(
        &mut self,
        now: Duration,
        path: Path,
        tree: &Tree,
        mode: Mode,
    ) -> Reply {
        if tree.resources().next().is_none() {
            return Reply::code(Code::BAD_REQUEST);
        }
        for (at, _) in tree.resources() {
            if let Err(code) = self.check_target(at) {
                return Reply::code(code);
            }
        }
        for (at, value) in tree.values() {
            if let Err(code) = self.check_value(at, value) {
                return Reply::code(code);
            }
        }
        if path.depth() == 4 && self.value(now, path).is_none() {
            return Reply::code(Code::NOT_FOUND);
        }
        // What the state of an update may refuse goes first; nothing behind it can fail.
        for at in [PACKAGE, PACKAGE_URI] {
            let reply = tree
                .value(at)
                .map(|value| self.write_firmware(now, at, value));
            if let Some(reply) = reply.filter(|it| it.answer != Answer::Code(Code::CHANGED)) {
                return reply;
            }
        }
        if mode == Mode::Replace {
            self.clear_for(path, tree);
        }
        for (at, value) in tree.values() {
            self.write_value(at, value);
        }
        self.renew_rules(now);
        Reply::code(Code::CHANGED)
    }

    /// A resource with instances, of which a POST adds or changes some.
    pub(super) fn takes_instances(&self, path: Path) -> bool {
        let definition = self.kind.definitions.resource(path);
        definition.is_some_and(|it| it.operations.write && it.multiple)
    }

    /// POST to an object: an instance, or several, with the ids of the payload or one of ours.
    pub(super) fn create(
        &mut self,
        now: Duration,
        exchange: ExchangeId,
        path: Path,
        message: &Message,
    ) {
        let response = match self.created(path, message) {
            Err(code) => Response::new(code),
            Ok(id) => {
                let mut response = Response::new(Code::CREATED);
                if let Some(id) = id {
                    let place = format!("{}{path}/{id}", self.kind.persona.root);
                    for segment in place.split('/').filter(|it| !it.is_empty()) {
                        response
                            .options
                            .push(number::LOCATION_PATH, segment.as_bytes());
                    }
                }
                self.registration.want(Todo::Objects);
                response
            }
        };
        self.respond(now, exchange, response);
    }

    /// DELETE of an object instance. Those that are computed stay.
    pub(super) fn delete(&mut self, path: Path) -> Code {
        let [object, instance] = *path.ids() else {
            return Code::METHOD_NOT_ALLOWED;
        };
        if !self.instances(object).contains(&instance) {
            return Code::NOT_FOUND;
        }
        if !self.tree().contains(path) || self.is_computed(object) {
            return Code::METHOD_NOT_ALLOWED;
        }
        let own = self.own_tree();
        own.remove(path);
        own.touch(Path::object(object));
        self.attributes.retain(|at, _| !at.starts_with(&path));
        self.registration.want(Todo::Objects);
        Code::DELETED
    }

    /// /3/0/5: what servers wrote, and the attributes that they set.
    pub(super) fn forget_writes(&mut self) {
        self.own = None;
        self.attributes.clear();
        self.registration.forget_writes(&self.kind.persona);
    }

    // Helpers.

    fn decode(&self, format: Option<u16>, path: Path, payload: &[u8]) -> Result<Tree, Code> {
        let format = ContentFormat::of_payload(format, path);
        let format = format.map_err(|error| Code(error.code().0))?;
        let decoded = codec::decode(format, path, payload, &self.kind.definitions);
        decoded.map_err(|error| Code(error.code().0))
    }

    /// That a resource is there to be written.
    fn check_target(&self, path: Path) -> Result<(), Code> {
        let Some(definition) = self.kind.definitions.resource(path) else {
            return Err(Code::NOT_FOUND);
        };
        let [object, instance, ..] = *path.ids() else {
            return Err(Code::METHOD_NOT_ALLOWED);
        };
        if object == 0 {
            return Err(Code::UNAUTHORIZED);
        }
        if !self.instances(object).contains(&instance) {
            return Err(Code::NOT_FOUND);
        }
        if !definition.operations.write {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        Ok(())
    }

    /// That a value may stand there.
    fn check_value(&self, path: Path, value: &Value) -> Result<(), Code> {
        let checked = self.kind.definitions.check(path, value);
        checked.map_err(|_| Code::BAD_REQUEST)?;
        let number = value.as_i64().unwrap_or(-1);
        let seconds = 0..=i64::from(u32::MAX);
        let fine = match *path.ids() {
            [1, _, 1] => number > 0 && seconds.contains(&number),
            [1, _, 2 | 3 | 5] => seconds.contains(&number),
            [5, _, 11] => (0..=2).contains(&number),
            [5, _, 13] => number >= 0,
            _ => true,
        };
        fine.then_some(()).ok_or(Code::BAD_REQUEST)
    }

    fn write_firmware(&mut self, now: Duration, path: Path, value: &Value) -> Reply {
        match value {
            Value::Opaque(bytes) if path == PACKAGE => self.firmware.write_package(now, bytes),
            Value::String(uri) => Reply::code(self.firmware.write_uri(now, uri)),
            _ => Reply::code(Code::BAD_REQUEST),
        }
    }

    /// Writes a value that was checked.
    fn write_value(&mut self, path: Path, value: &Value) {
        let number = value.as_i64().unwrap_or(0);
        let seconds = u32::try_from(number).unwrap_or(0);
        let registration = &mut self.registration;
        match *path.ids() {
            [1, 0, 1] => {
                registration.lifetime = seconds;
                registration.want(Todo::Update);
            }
            [1, 0, 2] => registration.pmin = seconds,
            [1, 0, 3] => registration.pmax = seconds,
            [1, 0, 5] => registration.disable_timeout = seconds,
            [5, 0, 0 | 1] => {}
            [5, 0, 11] => drop(self.firmware.write_severity(number)),
            [5, 0, 13] => drop(self.firmware.write_defer_period(number)),
            [5, 0, 14] => {
                let automatic = *value == Value::Boolean(true);
                self.firmware.write_automatic(automatic);
            }
            _ => drop(self.own_tree().set(path, value.clone())),
        }
    }

    /// Takes away what a Replace of an instance or of a resource with instances does not name.
    /// What must be there, or only the device may say, stays.
    fn clear_for(&mut self, path: Path, tree: &Tree) {
        let [object, instance, ref resource @ ..] = *path.ids() else {
            return;
        };
        if resource.len() > 1 {
            return;
        }
        if object == 1 && resource.is_empty() {
            self.registration.forget_optional_writes();
        }
        let definitions = self.kind.definitions.resources(object);
        let goes = |it: &&fotalab_wire::lwm2m::definition::ResourceDefinition| {
            let at = Path::resource(object, instance, it.id);
            let named = tree.resource(at).is_some();
            let addressed = resource.first().is_none_or(|id| *id == it.id);
            addressed && it.operations.write && (named || !it.mandatory)
        };
        let ids: Vec<_> = definitions
            .filter(goes)
            .map(|it| (it.id, it.multiple))
            .collect();
        for (id, multiple) in ids {
            let at = Path::resource(object, instance, id);
            if self.tree().contains(at) {
                self.own_tree().remove(at);
            }
            if multiple && tree.resource(at).is_some() {
                self.own_tree().touch(at);
            }
        }
    }

    fn created(&mut self, path: Path, message: &Message) -> Result<Option<u16>, Code> {
        let [object] = *path.ids() else {
            return Err(Code::METHOD_NOT_ALLOWED);
        };
        let definition = self.kind.definitions.object(object);
        let definition = definition.ok_or(Code::NOT_FOUND)?;
        if !definition.multiple || self.is_computed(object) {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        let there = self.instances(object);
        let format = message.options.uint(number::CONTENT_FORMAT).map(clamp);
        let payload = &message.payload;
        let tlv = format.and_then(ContentFormat::from_number) == Some(ContentFormat::Tlv);
        let ours = payload.is_empty() || (tlv && !tlv::names_instance(payload));
        let id = (0..).find(|id| !there.contains(id)).filter(|_| ours);
        let base = id.map_or(path, |id| Path::instance(object, id));
        let tree = if payload.is_empty() {
            let mut tree = Tree::new();
            tree.touch(base);
            tree
        } else {
            self.decode(format, base, payload)?
        };
        let new = tree.object(object).ok_or(Code::BAD_REQUEST)?;
        if new.is_empty() || new.keys().any(|id| there.contains(id)) {
            return Err(Code::BAD_REQUEST);
        }
        if there.len() + new.len() > limits::INSTANCES {
            return Err(Code::INTERNAL_SERVER_ERROR);
        }
        for resources in new.values() {
            let needed = definition
                .resources
                .values()
                .filter(|it| it.mandatory && it.operations.write);
            if needed.into_iter().any(|it| !resources.contains_key(&it.id)) {
                return Err(Code::BAD_REQUEST);
            }
        }
        for (at, value) in tree.values() {
            if self.kind.definitions.resource(at).is_none() {
                return Err(Code::NOT_FOUND);
            }
            self.check_value(at, value)?;
        }
        self.own_tree().merge(tree);
        Ok(id)
    }
}

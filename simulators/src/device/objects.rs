//! What the objects of a device hold: computed when asked for, so that a device stays small.

use std::collections::BTreeMap;
use std::time::Duration;

use fotalab_wire::coap::Code;
use fotalab_wire::lwm2m::registration::{ListedObject, ObjectList};
use fotalab_wire::lwm2m::{ContentFormat, Path, Resource, Tree, Value, Version};

use super::firmware::State;
use super::persona::Senml;
use super::{Device, Identity};

/// Objects that every device has, each with instance 0.
const CORE: [u16; 4] = [1, 3, 4, 5];

impl Device {
    /// What Register lists. Object 5 says its version where it is not 1.0.
    pub(super) fn object_list(&self) -> ObjectList {
        let mut list = ObjectList {
            root: self.kind.persona.root.clone(),
            ..ObjectList::default()
        };
        let new = self.registration.version() >= Version::V1_1;
        if new && self.kind.persona.senml == Senml::Json {
            list.formats.push(ContentFormat::SenmlJson);
        }
        for object in self.objects() {
            let version = self.kind.definitions.version(object);
            let usual = if object == 5 || !CORE.contains(&object) {
                Version::V1_0
            } else {
                self.kind.persona.lwm2m
            };
            let listed = ListedObject {
                version: version.filter(|version| *version != usual),
                instances: self.instances(object).into_iter().collect(),
            };
            list.objects.insert(object, listed);
        }
        list
    }

    pub(super) fn objects(&self) -> Vec<u16> {
        let custom = self.tree().objects().keys().copied();
        let mut objects: Vec<u16> = CORE.into_iter().chain(custom).collect();
        objects.sort_unstable();
        objects.dedup();
        objects
    }

    pub(super) fn instances(&self, object: u16) -> Vec<u16> {
        if CORE.contains(&object) {
            return vec![0];
        }
        let instances = self.tree().object(object);
        instances.map_or_else(Vec::new, |it| it.keys().copied().collect())
    }

    /// Its instances are not in a tree, nor can they be created or deleted.
    pub(super) fn is_computed(&self, object: u16) -> bool {
        CORE.contains(&object)
    }

    /// What it holds of objects that are not computed, and what a server wrote of those that are.
    pub(super) fn tree(&self) -> &Tree {
        self.own.as_deref().unwrap_or(&self.kind.custom)
    }

    /// The same to be written: from then on it is this device's alone.
    pub(super) fn own_tree(&mut self) -> &mut Tree {
        let kind = &self.kind;
        self.own
            .get_or_insert_with(|| Box::new(kind.custom.clone()))
    }

    /// What can be read at some paths; what cannot is left out (TS 1.1 C 6.3.9).
    pub(super) fn read_all(&self, now: Duration, paths: &[Path]) -> Tree {
        let mut tree = Tree::new();
        for path in paths {
            if path.depth() > 0 {
                tree.merge(self.read(now, *path).unwrap_or_default());
                continue;
            }
            for object in self.objects() {
                tree.merge(self.read(now, Path::object(object)).unwrap_or_default());
            }
        }
        tree
    }

    /// What can be read at a path: 4.04 for nothing, 4.05 for what is only written or executed.
    pub(super) fn read(&self, now: Duration, path: Path) -> Result<Tree, Code> {
        let [object, ..] = *path.ids() else {
            return Err(Code::METHOD_NOT_ALLOWED);
        };
        if object == 0 {
            return Err(Code::UNAUTHORIZED);
        }
        let mut tree = Tree::new();
        let instances = self.instances(object);
        let wanted = path.ids().get(1);
        for instance in instances
            .iter()
            .filter(|it| wanted.is_none_or(|id| id == *it))
        {
            tree.touch(Path::instance(object, *instance));
            for definition in self.kind.definitions.resources(object) {
                let at = Path::resource(object, *instance, definition.id);
                let here = path.depth() < 3 || path.prefix(3) == at;
                if !here {
                    continue;
                }
                if path.depth() >= 3 && !definition.operations.read {
                    return Err(Code::METHOD_NOT_ALLOWED);
                }
                if definition.operations.read
                    && let Some(resource) = self.resource(now, at)
                {
                    tree.set_resource(object, *instance, definition.id, resource);
                }
            }
        }
        let tree = tree.under(path);
        let found = match path.depth() {
            1 => !instances.is_empty(),
            _ => tree.contains(path),
        };
        found.then_some(tree).ok_or(Code::NOT_FOUND)
    }

    /// One single value, if there is one at a path.
    pub(super) fn value(&self, now: Duration, path: Path) -> Option<Value> {
        let value = self.resource(now, path.prefix(3))?;
        match (value, path.ids()) {
            (Resource::Single(value), [_, _, _]) => Some(value),
            (Resource::Multiple(mut values), [_, _, _, id]) => values.remove(id),
            _ => None,
        }
    }

    fn resource(&self, now: Duration, path: Path) -> Option<Resource> {
        if let Some(held) = self.tree().resource(path) {
            return Some(held.clone());
        }
        let value = match *path.ids() {
            [1, 0, id] => self.server_resource(id)?,
            [3, 0, id] => return self.device_resource(now, id),
            [4, 0, id] => return connectivity_resource(id),
            [5, 0, id] => return self.firmware_resource(id),
            _ => return None,
        };
        Some(Resource::Single(value))
    }

    fn server_resource(&self, id: u16) -> Option<Value> {
        let registration = &self.registration;
        let binding = || {
            let old_queue = self.kind.persona.queue_mode && registration.version() < Version::V1_1;
            if old_queue { "UQ" } else { "U" }
        };
        Some(match id {
            0 => Value::Integer(1),
            1 => Value::Integer(registration.lifetime.into()),
            2 => Value::Integer(registration.pmin.into()),
            3 => Value::Integer(registration.pmax.into()),
            5 => Value::Integer(registration.disable_timeout.into()),
            6 => Value::Boolean(false),
            7 => Value::String(binding().to_owned()),
            // Absent would mean muted too (TS 1.1 appendix E.2).
            23 => Value::Boolean(false),
            _ => return None,
        })
    }

    fn device_resource(&self, now: Duration, id: u16) -> Option<Resource> {
        let text = |pick: fn(Identity) -> String| Value::String(pick(self.identity()));
        Some(Resource::Single(match id {
            0 => text(|identity| identity.manufacturer),
            1 => text(|identity| identity.model),
            2 => text(|identity| identity.serial),
            3 => Value::String(self.firmware.reported().to_owned()),
            6 => return Some(numbers(&[1])),
            7 => return Some(numbers(&[3_600])),
            8 => return Some(numbers(&[60])),
            9 => Value::Integer(90),
            10 => {
                let free = self
                    .kind
                    .persona
                    .flash_bytes
                    .saturating_sub(self.firmware.received());
                Value::Integer((free / 1_024) as i64)
            }
            11 => return Some(numbers(&[self.error_code.into()])),
            13 => Value::Time(time_of(now)),
            16 => self.server_resource(7)?,
            17 => Value::String("simulated device".to_owned()),
            18 => Value::String("1".to_owned()),
            21 => Value::Integer((self.kind.persona.flash_bytes / 1_024) as i64),
            _ => return None,
        }))
    }

    fn firmware_resource(&self, id: u16) -> Option<Resource> {
        let firmware = &self.firmware;
        let persona = &self.kind.persona;
        let has_package = firmware.state() == State::Downloaded;
        Some(Resource::Single(match id {
            1 => Value::String(firmware.uri().to_owned()),
            3 => Value::Integer(firmware.state() as i64),
            5 => Value::Integer(firmware.outcome() as i64),
            6 if has_package => Value::String("firmware".to_owned()),
            7 if has_package => Value::String(firmware.package_version()?.to_owned()),
            8 if !persona.protocols.is_empty() => {
                let protocols: Vec<i64> = persona.protocols.iter().map(|it| *it as i64).collect();
                return Some(numbers(&protocols));
            }
            9 => Value::Integer(persona.delivery as i64),
            11 => Value::Integer(firmware.severity()),
            12 => Value::Time(time_of(firmware.changed_at()?)),
            13 => Value::Unsigned(u64::try_from(firmware.defer_period()).unwrap_or(0)),
            14 => Value::Boolean(firmware.is_automatic()),
            _ => return None,
        }))
    }
}

fn connectivity_resource(id: u16) -> Option<Resource> {
    Some(Resource::Single(match id {
        // NB-IoT, as are all of its figures.
        0 => Value::Integer(7),
        1 => return Some(numbers(&[7])),
        2 => Value::Integer(-92),
        3 => Value::Integer(-7),
        4 => {
            let address = Value::String("10.0.0.1".to_owned());
            return Some(Resource::Multiple(BTreeMap::from([(0, address)])));
        }
        8 => Value::Integer(33_703_719),
        9 => Value::Integer(1),
        10 => Value::Integer(242),
        _ => return None,
    }))
}

/// The values of a multiple resource, numbered from 0.
fn numbers(values: &[i64]) -> Resource {
    let values = values.iter().map(|value| Value::Integer(*value));
    Resource::Multiple((0..).zip(values).collect())
}

/// A device's clock begins with its world, at 2026-01-01T00:00:00Z.
fn time_of(now: Duration) -> i64 {
    const BEGIN: u64 = 1_767_225_600;
    i64::try_from(now.as_secs().saturating_add(BEGIN)).unwrap_or(i64::MAX)
}

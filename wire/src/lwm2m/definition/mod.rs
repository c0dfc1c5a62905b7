//! What objects there are: types, operations, multiplicity, obligation.
//!
//! The core objects of firmware work are built in ([`Definitions::core`]); others are read from
//! JSON of the same shape ([`Definitions::read`]) or from the XML that OMA's registry publishes
//! ([`Definitions::read_xml`]). Codecs ask only for the [`Kind`] of a resource,
//! since TLV and CBOR do not say it.

mod read;
mod xml;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

pub use read::DefinitionError;

use super::path::Path;
use super::value::{Kind, Value};
use super::version::Version;

/// What a server may do with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Operations {
    /// Read, observe, discover.
    pub read: bool,
    /// Write, write-attributes.
    pub write: bool,
    /// Execute.
    pub execute: bool,
}

/// A resource of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceDefinition {
    /// Its id.
    pub id: u16,
    /// A short name of ours, not the registry's text.
    pub name: String,
    /// What may be done with it; nothing for what only bootstrap sees.
    pub operations: Operations,
    /// What it holds; `None` for what is executed.
    pub kind: Option<Kind>,
    /// Whether it has instances.
    pub multiple: bool,
    /// Whether every instance must have it.
    pub mandatory: bool,
    /// The first version of the object with it.
    pub since: Version,
}

/// An object, with the resources of all its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectDefinition {
    /// Its id.
    pub id: u16,
    /// A short name of ours.
    pub name: String,
    /// Its newest version.
    pub version: Version,
    /// Whether it may have more than one instance.
    pub multiple: bool,
    /// Whether every device must have it.
    pub mandatory: bool,
    /// Resources by id.
    pub resources: BTreeMap<u16, ResourceDefinition>,
}

/// The objects that one device, or everybody, is taken to have, each in one version.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    objects: BTreeMap<u16, (Version, Arc<ObjectDefinition>)>,
}

/// Why a value cannot be in a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct Misfit {
    /// Where.
    pub path: Path,
    /// Why not.
    pub why: String,
}

static CORE: LazyLock<Vec<Arc<ObjectDefinition>>> = LazyLock::new(|| {
    let objects = read::objects(include_str!("core.json")).unwrap_or_default();
    objects.into_iter().map(Arc::new).collect()
});

impl Definitions {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// /0 /1 /3 /4 /5 /16 in the versions that a device of this LwM2M version has unless it says
    /// otherwise: in 1.1 objects 0, 1, 3 and 4 are 1.1, while firmware update is 1.0 before 1.2.
    #[must_use]
    pub fn core(lwm2m: Version) -> Self {
        let objects = CORE.iter().map(|object| {
            let version = match object.id {
                _ if lwm2m < Version::V1_1 => Version::V1_0,
                16 => Version::V1_0,
                5 if lwm2m < Version::V1_2 => Version::V1_0,
                _ => Version::V1_1,
            };
            (object.id, (version, Arc::clone(object)))
        });
        Self {
            objects: objects.collect(),
        }
    }

    /// Adds an object in its newest version, in the place of one with the same id.
    pub fn add(&mut self, object: ObjectDefinition) {
        self.objects
            .insert(object.id, (object.version, Arc::new(object)));
    }

    /// Adds an object of another set in the version it has there, shared; whether there is one.
    pub fn add_from(&mut self, other: &Self, object: u16) -> bool {
        let known = other.objects.get(&object).cloned();
        known
            .map(|known| self.objects.insert(object, known))
            .is_some()
    }

    /// Adds objects from JSON, shaped as `core.json` beside this file; how many.
    pub fn read(&mut self, json: &str) -> Result<usize, DefinitionError> {
        Ok(self.add_all(read::objects(json)?))
    }

    /// Adds the objects of a file in the XML of OMA's registry (its schema `LWM2M.xsd`); how many.
    pub fn read_xml(&mut self, xml: &str) -> Result<usize, DefinitionError> {
        Ok(self.add_all(xml::objects(xml)?))
    }

    fn add_all(&mut self, objects: Vec<ObjectDefinition>) -> usize {
        let count = objects.len();
        objects.into_iter().for_each(|object| self.add(object));
        count
    }

    /// Takes an object in the version that a device registered (`;ver=`). Of a version newer than
    /// known all known resources count. False when the object is unknown.
    pub fn set_version(&mut self, object: u16, version: Version) -> bool {
        let known = self.objects.get_mut(&object);
        known.map(|known| known.0 = version).is_some()
    }

    /// The version in which an object is taken.
    #[must_use]
    pub fn version(&self, object: u16) -> Option<Version> {
        self.objects.get(&object).map(|(version, _)| *version)
    }

    /// An object.
    #[must_use]
    pub fn object(&self, object: u16) -> Option<&ObjectDefinition> {
        self.objects.get(&object).map(|(_, object)| &**object)
    }

    /// The resource at a path of three or four ids, if the object's version has it.
    #[must_use]
    pub fn resource(&self, path: Path) -> Option<&ResourceDefinition> {
        let [object, _, resource, ..] = *path.ids() else {
            return None;
        };
        let (version, object) = self.objects.get(&object)?;
        let resource = object.resources.get(&resource)?;
        (resource.since <= *version).then_some(resource)
    }

    /// The resources of an object that its version has, by id.
    pub fn resources(&self, object: u16) -> impl Iterator<Item = &ResourceDefinition> {
        self.objects
            .get(&object)
            .into_iter()
            .flat_map(|(version, object)| {
                let resources = object.resources.values();
                resources.filter(move |resource| resource.since <= *version)
            })
    }

    /// The type of what is at a path, in whichever version of the object.
    #[must_use]
    pub fn kind(&self, path: Path) -> Option<Kind> {
        let [object, _, resource, ..] = *path.ids() else {
            return None;
        };
        self.object(object)?.resources.get(&resource)?.kind
    }

    /// Whether a value may stand at a path; what is not defined may hold anything.
    pub fn check(&self, path: Path, value: &Value) -> Result<(), Misfit> {
        let misfit = |why| Err(Misfit { path, why });
        let Some(resource) = self.resource(path) else {
            return Ok(());
        };
        match resource.kind {
            None => misfit(format!("{} is executed, it has no value", resource.name)),
            Some(kind) if kind != value.kind() => {
                misfit(format!("{} is {kind}, not {value}", resource.name))
            }
            Some(_) if resource.multiple != (path.depth() == 4) => misfit(if resource.multiple {
                format!("{} has instances", resource.name)
            } else {
                format!("{} has no instances", resource.name)
            }),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_objects_are_there() {
        read::objects(include_str!("core.json")).unwrap();
        let core = Definitions::core(Version::V1_1);
        let counts = [0, 1, 3, 4, 5, 16].map(|id| core.resources(id).count());
        assert_eq!(counts, [18, 24, 23, 11, 9, 4]);
        assert_eq!(Definitions::core(Version::V1_0).resources(0).count(), 13);
        assert_eq!(Definitions::core(Version::V1_0).resources(1).count(), 9);
    }

    #[test]
    fn a_device_says_which_firmware_object_it_has() {
        let mut definitions = Definitions::core(Version::V1_1);
        let cancel = Path::resource(5, 0, 10);
        assert!(definitions.resource(cancel).is_none());
        assert!(definitions.set_version(5, Version::V1_1));
        assert!(definitions.resource(cancel).unwrap().operations.execute);
        assert!(definitions.resource(Path::resource(5, 0, 14)).is_none());
        assert!(definitions.set_version(5, Version { major: 1, minor: 7 }));
        assert!(definitions.resource(Path::resource(5, 0, 14)).is_some());
        assert!(!definitions.set_version(4711, Version::V1_0));
    }

    #[test]
    fn values_are_held_against_their_definition() {
        let core = Definitions::core(Version::V1_0);
        let check = |path: &str, value| {
            core.check(path.parse().unwrap(), &value)
                .map_err(|e| e.to_string())
        };
        assert_eq!(check("/5/0/3", Value::Integer(2)), Ok(()));
        assert_eq!(
            check("/5/0/3", Value::Boolean(true)),
            Err("/5/0/3: state is integer, not boolean true".into())
        );
        assert_eq!(
            check("/5/0/3/0", Value::Integer(2)),
            Err("/5/0/3: state has no instances".replace("/3:", "/3/0:"))
        );
        assert_eq!(
            check("/3/0/6", Value::Integer(2)),
            Err("/3/0/6: power-sources has instances".into())
        );
        assert_eq!(
            check("/5/0/2", Value::Integer(2)),
            Err("/5/0/2: update is executed, it has no value".into())
        );
        assert_eq!(check("/9999/0/2", Value::Integer(2)), Ok(()));
    }
}

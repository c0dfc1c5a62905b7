//! The list of objects in a registration: links to objects and instances, and to the root.

use std::collections::{BTreeMap, BTreeSet};

use crate::lwm2m::codec::link::{self, Link};
use crate::lwm2m::definition::Definitions;
use crate::lwm2m::error::{At, DecodeError, Errors};
use crate::lwm2m::format::ContentFormat;
use crate::lwm2m::limits;
use crate::lwm2m::path::Path;
use crate::lwm2m::version::Version;

const ERRORS: Errors = Errors(ContentFormat::Link);

/// Objects that are never listed: a server may not know of them (TS 1.1 C 6.2.1).
const UNLISTED: [u16; 2] = [0, 21];

/// What a device says it has.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ObjectList {
    /// The alternate root path with its slash, such as `/lwm2m`, before all paths; else empty.
    pub root: String,
    /// Formats that the device prefers, best first (`ct` of the root link).
    pub formats: Vec<ContentFormat>,
    /// Objects by id.
    pub objects: BTreeMap<u16, ListedObject>,
}

/// One object of the list.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ListedObject {
    /// `ver`, if it was given.
    pub version: Option<Version>,
    /// Instance ids; none for an object without instances.
    pub instances: BTreeSet<u16>,
}

impl ObjectList {
    /// Reads the payload of Register or Update. Links to something else, unknown attributes and
    /// versions that are none are ignored, never an error; so are objects that must not be listed.
    pub fn parse(payload: &[u8]) -> Result<Self, DecodeError> {
        let links = link::decode(payload)?;
        let mut list = Self::default();
        let is_root = |link: &&Link| {
            let types = link.attribute("rt").unwrap_or_default();
            types.split(' ').any(|kind| kind == "oma.lwm2m")
        };
        if let Some(link) = links.iter().find(is_root) {
            list.root = root(&link.target)?;
            let formats = link.attribute("ct").unwrap_or_default().split(' ');
            let known =
                formats.filter_map(|number| ContentFormat::from_number(number.parse().ok()?));
            list.formats = known.collect();
        }
        for link in &links {
            let inside = link.target.strip_prefix(&list.root);
            let Some(path) = inside.and_then(|inside| inside.parse::<Path>().ok()) else {
                continue;
            };
            let ids = path.ids();
            if ids.is_empty() || ids.len() > 2 || UNLISTED.contains(&ids[0]) {
                continue;
            }
            let object = list.objects.entry(ids[0]).or_default();
            let version = link
                .attribute("ver")
                .and_then(|version| version.parse().ok());
            object.version = object.version.or(version);
            object.instances.extend(ids.get(1));
        }
        Ok(list)
    }

    /// The payload: the root link if it says anything, then each object, its version before its
    /// instances.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut links = Vec::new();
        if !self.root.is_empty() || !self.formats.is_empty() {
            let target = if self.root.is_empty() {
                "/"
            } else {
                &self.root
            };
            let mut link = Link::new(target).with("rt", "oma.lwm2m");
            let numbers = self
                .formats
                .iter()
                .map(|format| format.number().to_string());
            let formats = numbers.collect::<Vec<_>>().join(" ");
            if !formats.is_empty() {
                link = link.with("ct", formats);
            }
            links.push(link);
        }
        for (id, object) in &self.objects {
            let target = format!("{}/{id}", self.root);
            if let Some(version) = object.version {
                links.push(Link::new(&target).with("ver", version));
            } else if object.instances.is_empty() {
                links.push(Link::new(&target));
            }
            let instances = object.instances.iter();
            links.extend(instances.map(|instance| Link::new(format!("{target}/{instance}"))));
        }
        link::encode(&links)
    }

    /// Paths of all instances, in order.
    pub fn instances(&self) -> impl Iterator<Item = Path> {
        self.objects.iter().flat_map(|(id, object)| {
            let instances = object.instances.iter();
            instances.map(|instance| Path::instance(*id, *instance))
        })
    }

    /// Whether the list has an object or an instance.
    #[must_use]
    pub fn contains(&self, path: Path) -> bool {
        match *path.ids() {
            [] => true,
            [object] => self.objects.contains_key(&object),
            [object, instance, ..] => {
                let listed = self.objects.get(&object);
                listed.is_some_and(|listed| listed.instances.contains(&instance))
            }
        }
    }

    /// Whether /1 and /3 have an instance each, as every device must list.
    #[must_use]
    pub fn has_mandatory(&self) -> bool {
        let has = |object| self.objects.get(&object);
        [1, 3]
            .into_iter()
            .all(|object| has(object).is_some_and(|listed| !listed.instances.is_empty()))
    }

    /// The core objects in the versions listed, those of the device's LwM2M version else.
    #[must_use]
    pub fn definitions(&self, lwm2m: Version) -> Definitions {
        let mut definitions = Definitions::core(lwm2m);
        for (id, object) in &self.objects {
            if let Some(version) = object.version {
                definitions.set_version(*id, version);
            }
        }
        definitions
    }
}

fn root(target: &str) -> Result<String, DecodeError> {
    let root = target.trim_end_matches('/');
    if root.len() > limits::ROOT_LENGTH {
        return Err(ERRORS.limit(At::Byte(0), "bytes of root path", limits::ROOT_LENGTH));
    }
    if !root.is_empty() && (!root.starts_with('/') || root.split('/').skip(1).any(str::is_empty)) {
        return Err(ERRORS.syntax(At::Byte(0), "the root path does not begin with `/`"));
    }
    Ok(root.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(payload: &str) -> ObjectList {
        ObjectList::parse(payload.as_bytes()).unwrap()
    }

    #[test]
    fn what_anjay_registers() {
        // Contract 2.1, captured from Anjay 3.14.
        let list = list("</1/1>,</2>,</3/0>,</4/0>,</5/0>,</10>;ver=1.1,</10/0>");
        assert_eq!(list.objects[&10].version, Some(Version::V1_1));
        assert_eq!(list.objects[&2], ListedObject::default());
        assert!(list.has_mandatory() && list.contains(Path::instance(5, 0)));
        assert_eq!(
            list.payload(),
            b"</1/1>,</2>,</3/0>,</4/0>,</5/0>,</10>;ver=1.1,</10/0>"
        );
    }

    #[test]
    fn paths_begin_at_the_alternate_root() {
        let list = list(
            r#"</lwm2m>;rt="oma.lwm2m";ct="110 112 60",</lwm2m/1/0>,</lwm2m/5>;ver="1.1",</lwm2m/5/0>,</3/0>"#,
        );
        assert_eq!(list.root, "/lwm2m");
        assert_eq!(
            list.formats,
            [
                ContentFormat::SenmlJson,
                ContentFormat::SenmlCbor,
                ContentFormat::Cbor
            ]
        );
        assert!(!list.contains(Path::object(3)));
        assert_eq!(
            list.definitions(Version::V1_0).version(5),
            Some(Version::V1_1)
        );
        let written = list.payload();
        assert_eq!(ObjectList::parse(&written).unwrap(), list);
    }

    #[test]
    fn what_nobody_knows_is_no_error() {
        let list = list(
            r#"</>;rt="oma.lwm2m x";ct=11543;hb,</1/0>;foo="bar",</3/0>;ver=new,</0/0>,</21/0>,</hello>,</65535/0>,</5/0/3>"#,
        );
        assert_eq!(
            list.instances()
                .map(|path| path.to_string())
                .collect::<Vec<_>>(),
            ["/1/0", "/3/0"]
        );
        assert_eq!(list.formats, [ContentFormat::Json]);
        assert_eq!(list.root, "");
        assert!(ObjectList::parse(b"<lwm2m>;rt=oma.lwm2m").is_err());
    }
}

//! `application/vnd.oma.lwm2m+tlv` (11542), TS 1.0 6.4.3, TS 1.1 C 7.4.3.
//!
//! An entry is a type byte (two bits what, one bit id of 1 or 2 bytes, two bits length of 0 to 3
//! bytes, three bits a length below 8), the id, the length, the value. Integers are 1, 2, 4 or 8
//! bytes, floats 4 or 8, all big endian.

mod entry;
mod value;

use entry::{Cursor, What, put};
use value::{bytes_of, value_of};

use super::{At, DecodeError, EncodeError, Errors};
use crate::lwm2m::definition::Definitions;
use crate::lwm2m::error::Problem;
use crate::lwm2m::format::ContentFormat;
use crate::lwm2m::limits;
use crate::lwm2m::node::{Instance, Resource, Tree};
use crate::lwm2m::path::Path;
use crate::lwm2m::value::Kind;

const ERRORS: Errors = Errors(ContentFormat::Tlv);

/// An object as instances, an instance as resources, a resource as itself. A resource instance is
/// written inside its resource.
pub fn encode(base: Path, tree: &Tree) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    match *base.ids() {
        [] => return Err(ERRORS.encode(base, "it has no entry for objects")),
        [object] => {
            for (id, resources) in tree.object(object).into_iter().flatten() {
                let mut inside = Vec::new();
                put_instance(&mut inside, Path::instance(object, *id), resources)?;
                put(&mut out, base, What::ObjectInstance, *id, &inside)?;
            }
        }
        [object, instance] => {
            if let Some(resources) = tree.instance(object, instance) {
                put_instance(&mut out, base, resources)?;
            }
        }
        [_, _, id] => {
            let resource = tree.resource(base);
            let resource = resource.ok_or_else(|| ERRORS.encode(base, "there is nothing"))?;
            put_resource(&mut out, base, id, resource)?;
        }
        [_, _, resource, id, ..] => {
            let value = super::single(ERRORS, base, tree)?;
            let mut inside = Vec::new();
            put(
                &mut inside,
                base,
                What::ResourceInstance,
                id,
                &bytes_of(value),
            )?;
            put(&mut out, base, What::MultipleResource, resource, &inside)?;
        }
    }
    Ok(out)
}

/// Reads entries for `base`. The instance entry around the resources of an instance, and the
/// resource entry around a resource instance, may be there or not.
pub fn decode(base: Path, payload: &[u8], definitions: &Definitions) -> Result<Tree, DecodeError> {
    let mut decoder = Decoder {
        base,
        definitions,
        values: 0,
        tree: Tree::new(),
    };
    if base.depth() < 3 {
        decoder.tree.touch(base);
    }
    decoder.entries(Cursor::new(payload), base.prefix(base.depth().min(2)))?;
    if base.depth() >= 3 && !decoder.tree.contains(base) {
        return Err(ERRORS.syntax(
            At::Byte(payload.len()),
            format!("there is nothing of {base}"),
        ));
    }
    Ok(decoder.tree)
}

/// Whether a payload begins with an object instance entry: a Create whose sender chose the id.
/// One without is decoded with the id that the device chose as `base`.
#[must_use]
pub fn names_instance(payload: &[u8]) -> bool {
    payload
        .first()
        .is_some_and(|first| first >> 6 == What::ObjectInstance as u8)
}

struct Decoder<'a> {
    base: Path,
    definitions: &'a Definitions,
    values: usize,
    tree: Tree,
}

impl Decoder<'_> {
    /// Entries inside `parent`. Recursion ends at resource instances, which hold values.
    fn entries(&mut self, mut cursor: Cursor<'_>, parent: Path) -> Result<(), DecodeError> {
        while !cursor.bytes.is_empty() {
            let start = cursor.at;
            let (what, id, inside) = cursor.entry()?;
            self.values += 1;
            if self.values > limits::VALUES {
                return Err(ERRORS.limit(At::Byte(start), "entries", limits::VALUES));
            }
            let path = self.place(what, id, parent, start)?;
            match what {
                What::ObjectInstance | What::MultipleResource => {
                    self.once(path, start)?;
                    self.tree.touch(path);
                    self.entries(inside, path)?;
                }
                What::Resource | What::ResourceInstance => {
                    self.once(path, start)?;
                    let kind = self.definitions.kind(path).unwrap_or(Kind::Opaque);
                    let value = value_of(inside.bytes, kind)
                        .map_err(|why| ERRORS.value(At::Node(path), why))?;
                    self.tree.set(path, value);
                }
            }
        }
        Ok(())
    }

    /// The path of an entry, if it may be where it is.
    fn place(&self, what: What, id: u16, parent: Path, start: usize) -> Result<Path, DecodeError> {
        let depth = match what {
            What::ObjectInstance => 2,
            What::Resource | What::MultipleResource => 3,
            What::ResourceInstance => 4,
        };
        // The entry around may have been left out, or an own instance entry be there all the same.
        let parent = match (what, parent.depth()) {
            (What::ObjectInstance, 2) if start == 0 && parent == self.base => self.base.prefix(1),
            (What::ResourceInstance, 2) if self.base.depth() == 4 => self.base.prefix(3),
            _ => parent,
        };
        if parent.depth() + 1 != depth {
            let what = match what {
                What::ObjectInstance => "an object instance",
                What::ResourceInstance => "a resource instance",
                What::MultipleResource | What::Resource => "a resource",
            };
            return Err(ERRORS.syntax(At::Byte(start), format!("{what} cannot be in {parent}")));
        }
        let path = parent.child(id).ok_or_else(|| {
            ERRORS.problem(
                At::Byte(start),
                Problem::Path("65535 is reserved and names nothing".into()),
            )
        })?;
        if path.starts_with(&self.base) || self.base.starts_with(&path) {
            return Ok(path);
        }
        Err(ERRORS.problem(
            At::Byte(start),
            Problem::Outside {
                found: path,
                base: self.base,
            },
        ))
    }

    fn once(&self, path: Path, start: usize) -> Result<(), DecodeError> {
        let there =
            self.tree.contains(path) && path != self.base || self.tree.value(path).is_some();
        if there {
            return Err(ERRORS.problem(At::Byte(start), Problem::Twice(path)));
        }
        Ok(())
    }
}

fn put_instance(out: &mut Vec<u8>, path: Path, resources: &Instance) -> Result<(), EncodeError> {
    resources
        .iter()
        .try_for_each(|(id, resource)| put_resource(out, path, *id, resource))
}

fn put_resource(
    out: &mut Vec<u8>,
    path: Path,
    id: u16,
    resource: &Resource,
) -> Result<(), EncodeError> {
    match resource {
        Resource::Single(value) => put(out, path, What::Resource, id, &bytes_of(value)),
        Resource::Multiple(values) => {
            let mut inside = Vec::new();
            for (instance, value) in values {
                put(
                    &mut inside,
                    path,
                    What::ResourceInstance,
                    *instance,
                    &bytes_of(value),
                )?;
            }
            put(out, path, What::MultipleResource, id, &inside)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lwm2m::version::Version;

    fn read(base: &str, payload: &[u8]) -> Result<Tree, String> {
        let definitions = Definitions::core(Version::V1_1);
        decode(base.parse().unwrap(), payload, &definitions).map_err(|error| error.to_string())
    }

    #[test]
    fn says_where_a_payload_lies() {
        for (base, payload, why) in [
            (
                "/5/0",
                &[0xc8, 0x03][..],
                "byte 2: 1 more bytes should follow, 0 are left",
            ),
            (
                "/5/0",
                &[0xc8, 0x03, 0xff, 1],
                "byte 3: 255 more bytes should follow, 1 are left",
            ),
            (
                "/5/0",
                &[0xc3, 0x03, 1, 2, 3],
                "/5/0/3: 3 bytes are no integer (1, 2, 4 or 8)",
            ),
            (
                "/5/0",
                &[0xc1, 0x03, 1, 0xc1, 0x03, 1],
                "byte 3: /5/0/3 is there twice",
            ),
            (
                "/5/0/3",
                &[0xc1, 0x05, 1],
                "byte 0: /5/0/5 is outside /5/0/3",
            ),
            ("/5/0/3", &[], "byte 0: there is nothing of /5/0/3"),
            (
                "/5/0",
                &[0x41, 0x05, 1],
                "byte 0: a resource instance cannot be in /5/0",
            ),
            ("/5", &[0xc1, 0x05, 1], "byte 0: a resource cannot be in /5"),
            (
                "/5/0",
                &[0x03, 0x01, 0xc1, 5, 0],
                "byte 0: /5/1 is outside /5/0",
            ),
            (
                "/5/0",
                &[0xe1, 0xff, 0xff, 1],
                "byte 0: 65535 is reserved and names nothing",
            ),
            (
                "/1/0",
                &[0xc1, 6, 2],
                "/1/0/6: a boolean is one byte, 0 or 1",
            ),
        ] {
            let error = read(base, payload).unwrap_err();
            assert_eq!(error, format!("TLV payload, {why}"));
        }
    }

    #[test]
    fn the_entry_around_may_be_there_or_not() {
        let bare = read("/5/0", &[0xc1, 3, 1]).unwrap();
        assert_eq!(read("/5/0", &[0x03, 0, 0xc1, 3, 1]).unwrap(), bare);
        let wrapped = read("/3/0/6/1", &[0x83, 6, 0x41, 1, 5]).unwrap();
        assert_eq!(read("/3/0/6/1", &[0x41, 1, 5]).unwrap(), wrapped);
        assert!(names_instance(&[0x03, 0, 0xc1, 3, 1]) && !names_instance(&[0xc1, 3, 1]));
    }
}

//! decode(encode(x)) is x, for every format and everything it can carry.

use fotalab_wire::lwm2m::codec::{self, link};
use fotalab_wire::lwm2m::{ContentFormat, ObjectLink, Path, Tree, Value};
use proptest::prelude::*;

use crate::definitions;
use crate::hostile::Noise;

/// A value for resource `id` of object 1000, whose last digit is the type.
fn value(id: u16) -> BoxedStrategy<Value> {
    let text = "\\PC{0,30}";
    match id % 10 {
        0 => text.prop_map(Value::String).boxed(),
        1 => prop_oneof![any::<i64>(), -300..300_i64]
            .prop_map(Value::Integer)
            .boxed(),
        2 => prop_oneof![any::<u64>(), 0..70_000_u64]
            .prop_map(Value::Unsigned)
            .boxed(),
        3 => prop_oneof![
            prop::num::f64::NORMAL | prop::num::f64::ZERO,
            any::<f32>().prop_map(f64::from)
        ]
        .prop_filter("JSON has no such number", |number| number.is_finite())
        .prop_map(Value::Float)
        .boxed(),
        4 => any::<bool>().prop_map(Value::Boolean).boxed(),
        5 => prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(|bytes| Value::Opaque(bytes.into()))
            .boxed(),
        6 => any::<i64>().prop_map(Value::Time).boxed(),
        7 => (any::<u16>(), any::<u16>())
            .prop_map(|(object, instance)| Value::ObjectLink(ObjectLink { object, instance }))
            .boxed(),
        _ => text.prop_map(Value::CoreLink).boxed(),
    }
}

fn single() -> impl Strategy<Value = (Path, Value)> {
    let path = (0..65_535_u16, 0..9_u16, prop::option::of(0..65_535_u16));
    path.prop_flat_map(|(instance, id, multiple)| {
        let ids = match multiple {
            None => vec![1000, instance, id],
            Some(resource_instance) => vec![1000, instance, id + 10, resource_instance],
        };
        (Just(Path::new(&ids).unwrap()), value(id))
    })
}

fn tree() -> impl Strategy<Value = Tree> {
    prop::collection::vec(single(), 0..12).prop_map(|values| {
        let mut tree = Tree::new();
        for (path, value) in values {
            // A few instances with more in them, rather than many with one.
            let mut ids = path.ids().to_vec();
            ids[1] %= 3;
            tree.set(Path::new(&ids).unwrap(), value);
        }
        tree.touch(Path::object(1000));
        tree
    })
}

proptest! {
    #[test]
    fn single_values((path, value) in single()) {
        let tree = Tree::of(path, value.clone());
        for format in ContentFormat::ALL {
            match codec::encode(format, path, &tree) {
                Ok(payload) => {
                    let read = codec::decode(format, path, &payload, &definitions());
                    prop_assert_eq!(read, Ok(tree.clone()), "{} {:02x?}", format, payload);
                }
                Err(error) => prop_assert!(
                    format == ContentFormat::Link
                        || (format == ContentFormat::Opaque && !matches!(value, Value::Opaque(_))),
                    "{}", error
                ),
            }
        }
    }

    #[test]
    fn objects_and_parts_of_them(tree in tree()) {
        let definitions = definitions();
        for format in [ContentFormat::Tlv, ContentFormat::Json, ContentFormat::SenmlJson, ContentFormat::SenmlCbor] {
            let mut bases = vec![Path::object(1000)];
            for (path, _) in tree.values() {
                bases.extend([path.prefix(2), path.prefix(3), path]);
            }
            for base in bases {
                let part = tree.under(base);
                let payload = codec::encode(format, base, &tree).unwrap();
                let read = codec::decode(format, base, &payload, &definitions);
                prop_assert_eq!(read, Ok(part), "{} {}", format, base);
            }
        }
        // The root, for composites. An object without values leaves no trace there.
        for format in [ContentFormat::SenmlJson, ContentFormat::SenmlCbor] {
            let payload = codec::encode(format, Path::ROOT, &tree).unwrap();
            let mut read = codec::decode(format, Path::ROOT, &payload, &definitions).unwrap();
            read.touch(Path::object(1000));
            prop_assert_eq!(read, tree.clone());
        }
    }

    #[test]
    fn links(links in prop::collection::vec(("[^>]{0,20}", prop::collection::vec(("[a-z]{1,8}", prop::option::of("\\PC{0,20}")), 0..4)), 0..6)) {
        let links: Vec<link::Link> = links
            .into_iter()
            .map(|(target, attributes)| link::Link { target, attributes })
            .collect();
        prop_assert_eq!(link::decode(&link::encode(&links)), Ok(links));
    }
}

/// A value of resource `id` of object 1000, as [`value`] but faster to make.
fn noisy_value(noise: &mut Noise, id: u16) -> Value {
    let number = noise.next() >> (noise.next() % 64);
    let text = |noise: &mut Noise| {
        let length = noise.below(12);
        let chars = (0..length).map(|_| char::from_u32(noise.below(0xd7ff) as u32 + 1));
        chars.flatten().collect::<String>()
    };
    match id % 10 {
        0 => Value::String(text(noise)),
        1 => Value::Integer(number as i64),
        2 => Value::Unsigned(number),
        3 => {
            let float = f64::from_bits(noise.next());
            Value::Float(if float.is_finite() {
                float
            } else {
                number as f64
            })
        }
        4 => Value::Boolean(number & 1 == 1),
        5 => Value::Opaque(number.to_be_bytes()[..noise.below(9)].to_vec().into()),
        6 => Value::Time(number as i64),
        7 => Value::ObjectLink(ObjectLink {
            object: number as u16,
            instance: noise.next() as u16,
        }),
        _ => Value::CoreLink(text(noise)),
    }
}

/// The same as above with many more trees, for all formats that carry more than a value, and a
/// value of each tree for those that carry one.
#[test]
fn trees_by_chance() {
    let definitions = definitions();
    let several = [
        ContentFormat::Tlv,
        ContentFormat::Json,
        ContentFormat::SenmlJson,
        ContentFormat::SenmlCbor,
    ];
    let single = [
        ContentFormat::Text,
        ContentFormat::Cbor,
        ContentFormat::Opaque,
    ];
    for seed in 0..crate::inputs() {
        let mut noise = Noise(seed);
        let instance = noise.below(70_000).min(65_534) as u16;
        let mut tree = Tree::new();
        for _ in 0..=noise.below(2) {
            let id = noise.below(9) as u16;
            let value = noisy_value(&mut noise, id);
            let resource = Path::resource(1000, instance, id);
            let multiple = Path::resource(1000, instance, id + 10);
            let path = match noise.below(2) {
                0 => resource,
                _ => multiple.child(noise.below(300) as u16).unwrap(),
            };
            tree.set(path, value);
        }
        let base = Path::instance(1000, instance);
        for format in several {
            let payload = codec::encode(format, base, &tree).unwrap();
            let read = codec::decode(format, base, &payload, &definitions);
            assert_eq!(read.as_ref(), Ok(&tree), "seed {seed}: {format}");
        }
        let (path, value) = tree.values().next().unwrap();
        for format in single {
            if let Ok(payload) = codec::encode(format, path, &tree) {
                let read = codec::decode(format, path, &payload, &definitions).unwrap();
                assert_eq!(read.value(path), Some(value), "seed {seed}: {format}");
            }
        }
    }
}

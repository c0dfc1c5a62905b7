//! No bytes make a decoder panic, loop, or take more memory than its limits allow.
//!
//! 100,000 inputs to each codec in `cargo test`; `FOTALAB_LONG=1 cargo test --release` is the long
//! run of 10,000,000.

use std::time::{Duration, Instant};

use fotalab_wire::image;
use fotalab_wire::lwm2m::attributes::Changes;
use fotalab_wire::lwm2m::codec::{self, link, senml};
use fotalab_wire::lwm2m::registration::{ObjectList, Registration, Update};
use fotalab_wire::lwm2m::{ContentFormat, Definitions, Path, Tree, Value, Version, limits};

use crate::{definitions, hex};

/// SplitMix64: the same inputs on every machine.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// A good payload with a few bytes changed, dropped, doubled or put in; or only noise.
fn input(noise: &mut Noise, good: &[Vec<u8>]) -> Vec<u8> {
    if noise.below(4) == 0 {
        let length = noise.below(48);
        return (0..length).map(|_| noise.next() as u8).collect();
    }
    let mut bytes = good[noise.below(good.len())].clone();
    for _ in 0..=noise.below(4) {
        let at = noise.below(bytes.len());
        match noise.below(5) {
            _ if bytes.is_empty() => bytes.push(noise.next() as u8),
            0 => bytes[at] = noise.next() as u8,
            1 => bytes[at] ^= 1 << noise.below(8),
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, noise.next() as u8),
            _ => {
                let again = bytes[at..].to_vec();
                bytes.extend(again);
            }
        }
    }
    bytes
}

fn good_payloads(definitions: &Definitions) -> Vec<Vec<u8>> {
    let mut tree = Tree::new();
    for (id, value) in [
        (0, Value::String("ä\"b".into())),
        (1, Value::Integer(-70_000)),
        (2, Value::Unsigned(u64::MAX)),
        (3, Value::Float(0.1)),
        (4, Value::Boolean(true)),
        (5, Value::Opaque(vec![0; 20].into())),
        (6, Value::Time(1_367_491_215)),
    ] {
        tree.set(Path::resource(1000, 0, id), value.clone());
        tree.set(Path::new(&[1000, 300, id + 10, 500]).unwrap(), value);
    }
    let mut good = Vec::new();
    for base in [
        Path::object(1000),
        Path::instance(1000, 0),
        Path::resource(1000, 0, 1),
        Path::resource(1000, 300, 13),
    ] {
        for format in ContentFormat::ALL {
            let payload = codec::encode(format, base, &tree);
            good.extend(payload.into_iter().inspect(|payload| {
                codec::decode(format, base, payload, definitions).unwrap();
            }));
        }
    }
    good.push(br#"{"bn":"/1000/0/","bt":1e9,"e":[{"n":"1","v":5,"t":-1},{"n":"5","sv":"AAE="},{"n":"7","ov":"1:2"}]}"#.to_vec());
    good.push(
        br#"</>;rt="oma.lwm2m";ct="110 112",</1/0>,</5>;ver=1.1,</5/0>,</a>;title="\"x\"";b"#
            .to_vec(),
    );
    good.push(hex(
        "9f bf 21 7f 62 2f 35 63 2f 30 2f ff 00 61 33 02 c4 82 21 19 6a b3 61 78 82 01 81 02 ff ff",
    ));
    good.push(b"pmin=1&pmax=10&gt=20.5&lt=-1&st=2".to_vec());
    good.push(image::build("1.2.3", 100, 1).unwrap());
    good.push(
        br#"<LWM2M><Object><Name>a</Name><ObjectID>9</ObjectID><MultipleInstances>Single</MultipleInstances><Mandatory>Optional</Mandatory><Resources><Item ID="0"><Name>b</Name><Operations>RW</Operations><MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory><Type>Integer</Type></Item></Resources></Object></LWM2M>"#
            .to_vec(),
    );
    good.push(
        br#"[{"id":9,"name":"a","resources":[{"id":0,"name":"b","type":"integer"}]}]"#.to_vec(),
    );
    good
}

#[test]
fn no_input_makes_a_decoder_panic() {
    let definitions = definitions();
    let good = good_payloads(&definitions);
    let count = crate::inputs();
    let bases = [
        "/",
        "/1000",
        "/1000/0",
        "/1000/0/1",
        "/1000/0/5",
        "/1000/300/13",
        "/1000/300/13/500",
        "/5/0/0",
    ];
    let bases = bases.map(|base| base.parse::<Path>().unwrap());
    let mut understood = 0_u64;
    for seed in 0..count {
        let mut noise = Noise(seed);
        let bytes = input(&mut noise, &good);
        let base = bases[noise.below(bases.len())];
        for format in ContentFormat::ALL {
            understood += u64::from(decoded(format, base, &bytes, &definitions, seed));
        }
        let _ = link::decode(&bytes)
            .map(|links| assert_eq!(link::decode(&link::encode(&links)), Ok(links)));
        let _ = ObjectList::parse(&bytes);
        let _ = senml::json::decode_entries(&bytes, &definitions);
        let _ = senml::cbor::decode_paths(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let query = || text.split('&').take(64);
        let _ = Registration::parse(query(), Some(40), &bytes, None, Version::V1_2);
        let _ = Update::parse(query(), Some(40), &bytes, Version::V1_2);
        let _ = Definitions::new().read(&text);
        let _ = Definitions::new().read_xml(&text);
        let _ = senml::json::decode_paths(&bytes);
        let _ = senml::cbor::decode_entries(&bytes, &definitions);
        let _ = image::version_of(&bytes);
        let _ = Changes::parse(query(), Version::V1_2);
    }
    assert!(
        understood > count / 10,
        "only {understood} of {count} were understood"
    );
}

/// Decodes, and says whether that was possible. What is understood can be said, or the reason
/// given, and means the same again.
fn decoded(
    format: ContentFormat,
    base: Path,
    bytes: &[u8],
    definitions: &Definitions,
    seed: u64,
) -> bool {
    let tree = match codec::decode(format, base, bytes, definitions) {
        Ok(tree) => tree,
        Err(error) => {
            assert!(error.to_string().len() < 500, "seed {seed}: {error}");
            return false;
        }
    };
    let objects = tree.objects().keys().map(|object| Path::object(*object));
    assert!(
        objects
            .into_iter()
            .all(|it| it.starts_with(&base.prefix(1)))
    );
    if let Ok(again) = codec::encode(format, base, &tree) {
        let read = codec::decode(format, base, &again, definitions);
        let same = read
            .as_ref()
            .is_ok_and(|read| format!("{read:?}") == format!("{tree:?}"));
        let bare = base.depth() == 0 || tree.values().count() == 0 || bare_nodes(&tree);
        assert!(
            same || bare,
            "seed {seed}: {format} {base} {tree:?} then {read:?}"
        );
    }
    true
}

/// Whether there are instances or multiple resources with nothing in them, which SenML cannot say.
fn bare_nodes(tree: &Tree) -> bool {
    let bare_resource = tree
        .resources()
        .any(|(path, _)| !tree.values().any(|(value, _)| value.starts_with(&path)));
    let bare_instance = tree
        .objects()
        .values()
        .flat_map(|object| object.values())
        .any(|instance| instance.is_empty());
    bare_resource || bare_instance
}

/// The largest payloads of the worst shapes end soon, most of them as 4.13.
#[test]
fn the_worst_shapes_end_soon() {
    let fill = |piece: &[u8]| piece.repeat(limits::PAYLOAD / piece.len());
    let instances: Vec<u8> = (0..60_000_u16)
        .flat_map(|id| [0x22, (id >> 8) as u8, id as u8, 0xc0, 1])
        .collect();
    let shapes = [
        fill(&[0x81]),
        fill(&[0x9f]),
        fill(&[0xa1, 0]),
        fill(&[0xc1]),
        [
            &[0x81, 0xa1, 0x61, b'x'][..],
            &fill(&[0x9f])[..limits::PAYLOAD - 4],
        ]
        .concat(),
        [
            &[0x81, 0xa1, 0x61, b'x'][..],
            &fill(&[0xc1])[..limits::PAYLOAD - 4],
        ]
        .concat(),
        [&[0x9f][..], &fill(&[0xa0])[1..]].concat(),
        fill(b"["),
        fill(b"{\"x\":"),
        [&b"["[..], &fill(b"{},")[3..]].concat(),
        fill(b"</1>,"),
        [&b"</1>"[..], &fill(b";a")[4..]].concat(),
        fill(&[0x00, 0x00]),
        instances,
        hex("ff ffff ffffff"),
        hex("5b ffffffffffffffff"),
        hex("bb ffffffffffffffff"),
        vec![0; limits::PAYLOAD + 1],
    ];
    #[expect(clippy::disallowed_methods, reason = "how long it really takes")]
    let now = Instant::now;
    let definitions = definitions();
    for shape in shapes {
        for format in ContentFormat::ALL {
            for base in [Path::ROOT, Path::object(1000), Path::resource(1000, 0, 5)] {
                let start = now();
                let read = codec::decode(format, base, &shape, &definitions);
                let took = start.elapsed();
                assert!(
                    took < Duration::from_secs(2),
                    "{format} {base} took {took:?}"
                );
                let values = read.map_or(0, |tree| tree.values().count());
                assert!(values <= limits::VALUES);
            }
        }
    }
}

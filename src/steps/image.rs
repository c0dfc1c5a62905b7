//! Firmware images: made, made known to the server, sent over any API.

use std::collections::BTreeMap;

use bytes::Bytes;
use cucumber::given;
use fotalab_wire::image;
use rand::RngExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    air::limits::IMAGE_BYTES,
    catalogue,
    plan::{BlockNeed, Part, Waiting},
    run::{Lab, Mismatch, StepError, StepResult},
    target::World,
};

/// The images of a laboratory.
#[derive(Default)]
struct Images(BTreeMap<String, Firmware>);

/// A firmware image of a scenario.
#[derive(Clone, Debug)]
pub(in crate::steps) struct Firmware {
    /// Its bytes.
    pub(in crate::steps) bytes: Bytes,
    /// What a device says that runs it.
    pub(in crate::steps) version: String,
    /// Of all its bytes, in hexadecimal digits.
    pub(in crate::steps) sha256: String,
    /// The id that the server gave it.
    pub(in crate::steps) id: Option<String>,
}

catalogue! {
    sentence: "there is a firmware image `NAME` with the version `VERSION` and `N` bytes",
    does: "Makes an image that simulated devices check: header, version, and a payload from the run's seed. Stores its facts under NAME_version, NAME_length and NAME_sha256.",
    example: "Given there is a firmware image `new` with the version `2.0.0` and `4096` bytes\n\nThen the variable `new_length` should be\n\n```json\n4096\n```",
    stores: &["{name}_version", "{name}_length", "{name}_sha256"],
    waiting: Waiting::Never,
}
#[given(
    regex = r"^there is a firmware image `(?P<name>\w+)` with the version `(?P<version>[^`]+)` and `(?P<size>\d+)` bytes$"
)]
async fn with_version(lab: &mut Lab, name: String, version: String, size: String) -> StepResult {
    let size: u64 = size.parse().unwrap_or(u64::MAX);
    if size > IMAGE_BYTES {
        return lab.fail(Mismatch::new(format!(
            "an image has at most {IMAGE_BYTES} bytes"
        )));
    }
    let seed = lab.random().random();
    match image::build(&version, size, seed) {
        Ok(bytes) => {
            keep(lab, &name, bytes.into());
            Ok(())
        }
        Err(error) => lab.fail(Mismatch::new(error.to_string())),
    }
}

catalogue! {
    sentence: "there is a firmware image `NAME` with these bytes",
    does: "Takes the code block as it is, or, in a `hex` block, the bytes that it writes. Devices take such bytes too; their version is then the first 12 hexadecimal digits of their SHA-256. Stores as above.",
    example: "Given there is a firmware image `tiny` with these bytes\n\n```hex\n00 01 02 03\n```\n\nThen the variable `tiny_length` should be\n\n```json\n4\n```",
    block: BlockNeed::Text,
    stores: &["{name}_version", "{name}_length", "{name}_sha256"],
    waiting: Waiting::Never,
}
#[given(regex = r"^there is a firmware image `(?P<name>\w+)` with these bytes$")]
async fn with_bytes(lab: &mut Lab, name: String) -> StepResult {
    let block = lab.block()?;
    let bytes = if block.language.as_deref() == Some("hex") {
        match crate::air::unhex(&block.code) {
            Some(bytes) => bytes,
            None => {
                return lab.fail(Mismatch::new("the block is no hexadecimal digits in pairs"));
            }
        }
    } else {
        block.code.into_bytes()
    };
    if bytes.is_empty() {
        return lab.fail(Mismatch::new("an image has at least one byte"));
    }
    keep(lab, &name, bytes.into());
    Ok(())
}

catalogue! {
    sentence: "there is a firmware image `NAME` like `OTHER` with byte `N` changed",
    does: "Copies an image and flips the bits of one of its bytes, so that its header no longer fits. Stores as above.",
    example: "Given there is a firmware image `good` with the version `2.0.0` and `4096` bytes\n\nAnd there is a firmware image `bad` like `good` with byte `1000` changed\n\nThen the variable `good_sha256 != bad_sha256` should be\n\n```json\ntrue\n```",
    stores: &["{name}_version", "{name}_length", "{name}_sha256"],
    waiting: Waiting::Never,
}
#[given(
    regex = r"^there is a firmware image `(?P<name>\w+)` like `(?P<other>\w+)` with byte `(?P<at>\d+)` changed$"
)]
async fn damaged(lab: &mut Lab, name: String, other: String, at: String) -> StepResult {
    let image = image_named(lab, &other)?;
    let mut bytes = image.bytes.to_vec();
    let byte = at.parse().ok().and_then(|at: usize| bytes.get_mut(at));
    let Some(byte) = byte else {
        let has = image.bytes.len();
        return lab.fail(Mismatch::new(format!(
            "the image `{other}` has no byte {at}: it has {has}, counted from 0"
        )));
    };
    *byte = !*byte;
    keep(lab, &name, bytes.into());
    Ok(())
}

catalogue! {
    sentence: "the server has the image `NAME`",
    does: "Hands an image to the server under test, through the target's adapter, and stores the server's id for it under NAME_id.",
    example: "Given there is a firmware image `new` with the version `2.0.0` and `4096` bytes\n\nAnd the server has the image `new`\n\nThen the variable `$type(new_id)` should be\n\n```json\n\"string\"\n```",
    stores: &["{name}_id"],
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[given(regex = r"^the server has the image `(?P<name>\w+)`$")]
async fn server_has(lab: &mut Lab, name: String) -> StepResult {
    let id = server_id(lab, &name).await?;
    lab.store(format!("{name}_id"), id);
    Ok(())
}

/// The image of this name.
pub(in crate::steps) fn image_named(lab: &mut Lab, name: &str) -> Result<Firmware, StepError> {
    if let Some(image) = lab.state::<Images>().0.get(name) {
        return Ok(image.clone());
    }
    let known: Vec<String> = lab.state::<Images>().0.keys().cloned().collect();
    lab.fail(
        Mismatch::new(format!("there is no image `{name}`"))
            .note(format!("the images are: {}", known.join(", ")))
            .help("make it first: Given there is a firmware image `…` with the version `2.0.0` and `4096` bytes"),
    )
}

/// The server's id for an image; an image that the server does not have is handed to it first.
pub(in crate::steps) async fn server_id(lab: &mut Lab, name: &str) -> Result<String, StepError> {
    let image = image_named(lab, name)?;
    if let Some(id) = image.id {
        return Ok(id);
    }
    let (target, network, trace) = (lab.target(), lab.network(), lab.trace().clone());
    let world = World {
        network: &*network,
        trace: &trace,
    };
    let answer = match target.adapter() {
        Ok(adapter) => adapter.image(world, image.bytes).await,
        Err(error) => Err(error),
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return lab.fail(Mismatch::new(error.to_string())),
    };
    let sha256 = answer.get("sha256").and_then(Value::as_str);
    if sha256.is_some_and(|it| it != image.sha256) {
        return lab.fail(Mismatch::between(
            format!("the server has other bytes for the image `{name}`"),
            json!(image.sha256),
            json!(sha256),
        ));
    }
    let Some(id) = answer.get("id").and_then(Value::as_str) else {
        return lab.fail(Mismatch::new(format!(
            "the server gave the image `{name}` no id: {answer}"
        )));
    };
    if let Some(image) = lab.state::<Images>().0.get_mut(name) {
        image.id = Some(id.to_owned());
    }
    Ok(id.to_owned())
}

fn keep(lab: &mut Lab, name: &str, bytes: Bytes) {
    let digest = Sha256::digest(&bytes);
    let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let version = image::version_of(&bytes);
    lab.store(format!("{name}_version"), version.as_str());
    lab.store(format!("{name}_length"), bytes.len());
    lab.store(format!("{name}_sha256"), sha256.as_str());
    let image = Firmware {
        bytes,
        version,
        sha256,
        id: None,
    };
    lab.state::<Images>().0.insert(name.to_owned(), image);
}

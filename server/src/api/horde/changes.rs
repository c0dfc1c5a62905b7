//! Bodies of requests as changes of the core's resources. Members that nobody knows are passed over.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::core::{
    horde::{CollectionChange, DeviceChange, ImageChange, Wish},
    targets::Management,
};

type Object = Map<String, Value>;

/// Of a collection.
pub(super) fn collection(body: &Object) -> Result<CollectionChange, Refusal> {
    let mut change = CollectionChange {
        team: text(body, "teamId")?,
        tags: tags(body)?.unwrap_or_default(),
        ..CollectionChange::default()
    };
    if let Some(mask) = object(body, "fieldMask")? {
        for (place, name) in ["imsi", "imei", "location", "msisdn"].iter().enumerate() {
            change.mask[place] = flag(mask, name)?;
        }
    }
    if let Some(firmware) = object(body, "firmware")? {
        change.management = match text(firmware, "management")?.as_deref() {
            None => None,
            Some("disabled") => Some(Management::Disabled),
            Some("collection") => Some(Management::Collection),
            Some("device") => Some(Management::Device),
            Some(_) => return Err(Refusal::bad("Unknown firmware management setting")),
        };
        change.target = text(firmware, "targetFirmwareId")?;
        change.current = text(firmware, "currentFirmwareId")?;
    }
    Ok(change)
}

/// Of a device.
pub(super) fn device(body: &Object) -> Result<DeviceChange, Refusal> {
    let firmware = object(body, "firmware")?;
    let firmware = firmware.map(|it| {
        Ok::<_, Refusal>(Wish {
            target: text(it, "targetFirmwareId")?,
            current: text(it, "currentFirmwareId")?,
        })
    });
    Ok(DeviceChange {
        collection: text(body, "collectionId")?,
        imsi: text(body, "imsi")?,
        imei: text(body, "imei")?,
        tags: tags(body)?.unwrap_or_default(),
        firmware: firmware.transpose()?,
    })
}

/// Of an image.
pub(super) fn image(body: &Object) -> Result<ImageChange, Refusal> {
    if ["filename", "sha256", "length"]
        .iter()
        .any(|it| body.contains_key(*it))
    {
        let why = "Only version and tags can be modified for firmware images";
        return Err(Refusal::bad(why));
    }
    Ok(ImageChange {
        version: text(body, "version")?,
        tags: tags(body)?,
    })
}

/// A text member.
pub(super) fn text(body: &Object, name: &str) -> Result<Option<String>, Refusal> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(name, "a string")),
    }
}

/// An object of texts, as tags are.
pub(super) fn texts(body: &Object) -> Result<Vec<(String, String)>, Refusal> {
    body.iter()
        .map(|(name, value)| {
            let value = value.as_str().ok_or_else(|| wrong(name, "a string"))?;
            Ok((name.clone(), value.to_owned()))
        })
        .collect()
}

fn tags(body: &Object) -> Result<Option<Vec<(String, String)>>, Refusal> {
    object(body, "tags")?.map(texts).transpose()
}

fn object<'a>(body: &'a Object, name: &str) -> Result<Option<&'a Object>, Refusal> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(_) => Err(wrong(name, "an object")),
    }
}

fn flag(body: &Object, name: &str) -> Result<Option<bool>, Refusal> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(wrong(name, "a boolean")),
    }
}

fn wrong(name: &str, kind: &str) -> Refusal {
    let name: String = name.chars().take(40).collect();
    Refusal::bad(format!("{name} should be {kind}"))
}

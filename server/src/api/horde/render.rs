//! The core's resources as Horde's JSON (contract A3 to A5).

use serde_json::{Map, Value, json};

use crate::core::{
    horde::{Collection, Device, FieldMask, Image, Usage},
    targets::Management,
};

/// A collection.
pub(super) fn collection(collection: &Collection) -> Value {
    let mut firmware = Map::new();
    for (name, image) in [
        ("currentFirmwareId", &collection.current),
        ("targetFirmwareId", &collection.scope.target),
    ] {
        if let Some(image) = image {
            firmware.insert(name.into(), image.as_str().into());
        }
    }
    let management = json!(collection.scope.management);
    firmware.insert("management".into(), management);
    json!({
        "collectionId": collection.id,
        "teamId": collection.team,
        "fieldMask": mask(collection.mask),
        "firmware": firmware,
        "tags": collection.tags,
    })
}

/// A device. Where the collection says what devices run, that is what is shown as its images
/// (contract A4); what the collection does not say is the device's own.
pub(super) fn device(device: &Device, collection: &Collection) -> Value {
    let mut view = Map::new();
    view.insert("deviceId".into(), device.id.as_str().into());
    view.insert("collectionId".into(), collection.id.as_str().into());
    for (name, number, hidden) in [
        ("imsi", &device.imsi, collection.mask.imsi),
        ("imei", &device.imei, collection.mask.imei),
    ] {
        if !hidden {
            view.insert(name.into(), number.as_str().into());
        }
    }
    view.insert("tags".into(), json!(device.tags));
    if let Some(network) = &device.network {
        let network = json!({"allocatedIp": network.address, "allocatedAt": network.since});
        view.insert("network".into(), network);
    }
    let standing = &device.standing;
    let managed = collection.scope.management == Management::Collection;
    let of_collection = |it: &Option<String>| it.clone().filter(|_| managed);
    let current = of_collection(&collection.current).or_else(|| standing.current.clone());
    let target = if managed {
        &collection.scope.target
    } else {
        &standing.target
    };
    let mut firmware = Map::new();
    for (name, image) in [
        ("currentFirmwareId", &current),
        ("targetFirmwareId", target),
    ] {
        if let Some(image) = image {
            firmware.insert(name.into(), image.as_str().into());
        }
    }
    let said = &standing.said;
    for (name, text) in [
        ("firmwareVersion", said.version.as_str()),
        ("serialNumber", &said.serial),
        ("modelNumber", &said.model),
        ("manufacturer", &said.manufacturer),
        ("state", standing.state.name()),
        ("stateMessage", &standing.message),
    ] {
        firmware.insert(name.into(), text.into());
    }
    view.insert("firmware".into(), firmware.into());
    view.into()
}

/// An image.
pub(super) fn image(image: &Image) -> Value {
    json!({
        "imageId": image.id,
        "version": image.version,
        "filename": image.filename,
        "sha256": image.sha256,
        "length": image.length,
        "collectionId": image.collection,
        "created": image.created,
        "tags": image.tags,
    })
}

/// Who uses an image.
pub(super) fn usage(image: &str, usage: &Usage) -> Value {
    json!({
        "firmwareId": image,
        "targetedDevices": usage.targeted,
        "currentDevices": usage.current,
    })
}

/// `GET /`: where things are.
pub(super) fn root() -> Value {
    json!({
        "collections": "/collections",
        "system": "/system",
    })
}

/// `GET /system`.
pub(super) fn system(version: &str) -> Value {
    let nothing = FieldMask {
        location: false,
        ..FieldMask::default()
    };
    json!({
        "version": version,
        "buildDate": "",
        "releaseName": "fotalab",
        "defaultFieldMask": mask(FieldMask::default()),
        "forcedFieldMask": mask(nothing),
    })
}

fn mask(mask: FieldMask) -> Value {
    json!({
        "imsi": mask.imsi,
        "imei": mask.imei,
        "location": mask.location,
        "msisdn": mask.msisdn,
    })
}

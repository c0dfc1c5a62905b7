//! Data model keys: `Device.0.Firmware Version` is /3/0/3 (contract 4). Names are those of OMA's
//! registry; ids take their place where an object or resource is not in this table.

use fotalab_wire::lwm2m::Path;

/// Names of an object and of its resources by id.
type Names = (u16, &'static str, &'static [(u16, &'static str)]);

const OBJECTS: &[Names] = &[
    (
        1,
        "LwM2M Server",
        &[
            (0, "Short Server ID"),
            (1, "Lifetime"),
            (2, "Default Minimum Period"),
            (3, "Default Maximum Period"),
            (4, "Disable"),
            (5, "Disable Timeout"),
            (6, "Notification Storing When Disabled or Offline"),
            (7, "Binding"),
            (8, "Registration Update Trigger"),
            (9, "Bootstrap-Request Trigger"),
            (22, "Preferred Transport"),
            (23, "Mute Send"),
        ],
    ),
    (
        3,
        "Device",
        &[
            (0, "Manufacturer"),
            (1, "Model Number"),
            (2, "Serial Number"),
            (3, "Firmware Version"),
            (4, "Reboot"),
            (5, "Factory Reset"),
            (6, "Available Power Sources"),
            (7, "Power Source Voltage"),
            (8, "Power Source Current"),
            (9, "Battery Level"),
            (10, "Memory Free"),
            (11, "Error Code"),
            (12, "Reset Error Code"),
            (13, "Current Time"),
            (14, "UTC Offset"),
            (15, "Timezone"),
            (16, "Supported Binding and Modes"),
            (17, "Device Type"),
            (18, "Hardware Version"),
            (19, "Software Version"),
            (20, "Battery Status"),
            (21, "Memory Total"),
            (22, "ExtDevInfo"),
        ],
    ),
    (
        4,
        "Connectivity Monitoring",
        &[
            (0, "Network Bearer"),
            (1, "Available Network Bearer"),
            (2, "Radio Signal Strength"),
            (3, "Link Quality"),
            (4, "IP Addresses"),
            (5, "Router IP Addresses"),
            (6, "Link Utilization"),
            (7, "APN"),
            (8, "Cell ID"),
            (9, "SMNC"),
            (10, "SMCC"),
            (11, "SignalSNR"),
            (12, "LAC"),
        ],
    ),
    (
        5,
        "Firmware Update",
        &[
            (0, "Package"),
            (1, "Package URI"),
            (2, "Update"),
            (3, "State"),
            (5, "Update Result"),
            (6, "PkgName"),
            (7, "PkgVersion"),
            (8, "Firmware Update Protocol Support"),
            (9, "Firmware Update Delivery Method"),
            (10, "Cancel"),
            (11, "Severity"),
            (12, "Last State Change Time"),
            (13, "Maximum Defer Period"),
        ],
    ),
    (
        6,
        "Location",
        &[
            (0, "Latitude"),
            (1, "Longitude"),
            (2, "Altitude"),
            (3, "Radius"),
            (4, "Velocity"),
            (5, "Timestamp"),
            (6, "Speed"),
        ],
    ),
];

/// The path that a key names; `Device.` and `Device.0.` name all below them.
pub(crate) fn path(key: &str) -> Option<Path> {
    let (subtree, key) = match key.strip_suffix('.') {
        Some(key) => (true, key),
        None => (false, key),
    };
    let segments: Vec<&str> = key.split('.').collect();
    let object = object(segments.first()?)?;
    let id = |at: usize| segments.get(at).map(|it| number(it));
    let resource = segments.get(2).map(|it| resource(object, it));
    let ids = [Some(Some(object)), id(1), resource, id(3)];
    let ids: Option<Vec<u16>> = ids.into_iter().flatten().collect();
    let ids = ids.filter(|it| it.len() == segments.len())?;
    match (ids.as_slice(), subtree) {
        ([object], true) => Some(Path::object(*object)),
        ([object, instance], true) => Some(Path::instance(*object, *instance)),
        ([object, instance, resource], _) => Some(Path::resource(*object, *instance, *resource)),
        ([object, instance, resource, of], false) => {
            format!("/{object}/{instance}/{resource}/{of}").parse().ok()
        }
        _ => None,
    }
}

/// The key of a value's path.
pub(crate) fn key(path: Path) -> String {
    let ids = path.ids();
    let names = ids.first().and_then(|object| names(*object));
    let named = ids.iter().enumerate().map(|(at, id)| {
        let name = match (at, names) {
            (0, Some((_, name, _))) => Some(*name),
            (2, Some((_, _, resources))) => {
                let resource = resources.iter().find(|(it, _)| it == id);
                resource.map(|(_, name)| *name)
            }
            _ => None,
        };
        name.map_or_else(|| id.to_string(), str::to_owned)
    });
    named.collect::<Vec<_>>().join(".")
}

fn names(object: u16) -> Option<&'static Names> {
    OBJECTS.iter().find(|(id, _, _)| *id == object)
}

fn object(name: &str) -> Option<u16> {
    let known = OBJECTS.iter().find(|(_, it, _)| *it == name);
    known.map(|(id, _, _)| *id).or_else(|| number(name))
}

fn resource(object: u16, name: &str) -> Option<u16> {
    let known = names(object).and_then(|(_, _, all)| all.iter().find(|(_, it)| *it == name));
    known.map(|(id, _)| *id).or_else(|| number(name))
}

/// As ids are written: no sign, no leading zero.
fn number(text: &str) -> Option<u16> {
    let number: u16 = text.parse().ok()?;
    (number.to_string() == text && number != u16::MAX).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_paths_and_back() {
        for (text, expected) in [
            ("Device.0.Firmware Version", Some("/3/0/3")),
            ("Firmware Update.0.Package URI", Some("/5/0/1")),
            (
                "Firmware Update.0.Firmware Update Protocol Support.1",
                Some("/5/0/8/1"),
            ),
            ("LwM2M Server.1.Lifetime", Some("/1/1/1")),
            ("3303.0.5700", Some("/3303/0/5700")),
            ("Device.0.", Some("/3/0")),
            ("Device.", Some("/3")),
            ("Device.0", None),
            ("Device", None),
            ("Device.0.Colour", None),
            ("Toaster.0.State", None),
            ("Device.x.Reboot", None),
            ("Device.00.Reboot", None),
            ("Device.0.Reboot.0.0", None),
            ("", None),
            (".", None),
            ("65536.0.1", None),
        ] {
            let found = path(text).map(|it| it.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
            if let Some(path) = path(text).filter(|it| it.ids().len() > 2) {
                assert_eq!(key(path), text);
            }
        }
    }
}

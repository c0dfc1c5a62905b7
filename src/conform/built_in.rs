//! The suite that the command carries along, for whoever has installed it without its repository.

use std::path::PathBuf;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../features/lwm2m/", $name)))),*]
    };
}

/// Files of `features/lwm2m`: name and text. A test looks that none is missing.
const FILES: &[(&str, &str)] = files![
    "rows/1-bootstrap.toml",
    "rows/2-registration.toml",
    "rows/3-device-management.toml",
    "rows/4-reporting.toml",
    "rows/5-firmware.toml",
    "rows/6-firmware-device.toml",
    "rows/7-firmware-server.toml",
    "Burst.feature.md",
    "Coap.feature.md",
    "Composite.feature.md",
    "CoreObjects.feature.md",
    "Creating.feature.md",
    "Discover.feature.md",
    "ErrorCodes.feature.md",
    "Executing.feature.md",
    "FirmwareFailures.feature.md",
    "FirmwareFileServer.feature.md",
    "FirmwareHttp.feature.md",
    "FirmwareObject.feature.md",
    "FirmwareOffline.feature.md",
    "FirmwarePowerLoss.feature.md",
    "FirmwarePull.feature.md",
    "FirmwarePush.feature.md",
    "FirmwareQueueMode.feature.md",
    "FirmwareReset.feature.md",
    "FirmwareServerChooses.feature.md",
    "FirmwareServerPushes.feature.md",
    "FirmwareSettings.feature.md",
    "FirmwareTelling.feature.md",
    "FirmwareVerdicts.feature.md",
    "Notifications.feature.md",
    "Observing.feature.md",
    "ObservingComposite.feature.md",
    "Pull.feature.md",
    "Push.feature.md",
    "QueueMode.feature.md",
    "Reading.feature.md",
    "Registration.feature.md",
    "RegistrationOfDevices.feature.md",
    "RegistrationOnTheWire.feature.md",
    "RegistrationRefused.feature.md",
    "Security.feature.md",
    "Sending.feature.md",
    "SpoofedHandshake.feature.md",
    "Writing.feature.md",
];

/// What the paths of its files begin with.
const FOLDER: &str = "features/lwm2m";

/// Files of rows: name and text.
pub fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES
        .iter()
        .copied()
        .filter(|(name, _)| name.ends_with(".toml"))
}

/// Files of scenarios: path and text.
pub fn scenarios() -> impl Iterator<Item = (PathBuf, &'static str)> {
    let files = FILES
        .iter()
        .filter(|(name, _)| name.ends_with(".feature.md"));
    files.map(|(name, text)| (PathBuf::from(FOLDER).join(name), *text))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    #[test]
    fn nothing_of_the_suite_is_missing() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
        let below = |name: &str, ending: &str| -> BTreeSet<String> {
            let entries = std::fs::read_dir(folder.join(name)).expect("it is there");
            let names = entries.map(|it| it.expect("an entry").file_name());
            let names = names.map(|it| it.to_string_lossy().into_owned());
            names.filter(|it| it.ends_with(ending)).collect()
        };
        let mut there = below("", ".feature.md");
        there.extend(below("rows", ".toml").iter().map(|it| format!("rows/{it}")));
        let carried: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(carried, there, "list every file of {FOLDER} in FILES");
    }
}

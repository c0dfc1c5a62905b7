//! How the update of a device stands: by the device, by the wire, by the server.

use fotalab_wire::{lwm2m::firmware::UpdateResult, net::UnixMillis};

use super::{
    facts::{Device, Itself, Transfer, Update},
    words::{duration, time},
};

/// A transfer without a block for so long stands still, in milliseconds: longer than a confirmable
/// message is tried (RFC 7252, 4.8.2: MAX_TRANSMIT_WAIT).
const STALLED: UnixMillis = 93_000;

/// How its update stands.
pub(super) fn explain(device: &Device, now: UnixMillis, present: bool, said: &mut Vec<String>) {
    let name = &device.name;
    let update = device.server.as_ref().and_then(|it| it.update.as_ref());
    let running = update.filter(|it| it.is_under_way());
    if let Some(itself) = &device.itself {
        by_itself(name, itself, update, said);
    }
    if let Some(update) = update.filter(|it| it.state == "failed") {
        said.push(format!(
            "the server gave up its update of {name}: {}",
            update.last
        ));
        return;
    }
    let moving = update.is_none() || running.is_some_and(|it| it.what != "install");
    let began = running.and_then(Update::since);
    let transfer = device.air.transfer.as_ref().filter(|_| moving);
    let ended = device.itself.as_ref().is_some_and(has_failed);
    let transfer = transfer.filter(|it| !ended && began.is_none_or(|began| it.at >= began));
    if let Some(transfer) = transfer {
        let quiet = device
            .itself
            .as_ref()
            .is_some_and(|it| !it.faults.is_empty());
        let moves = present && !quiet && running.is_none_or(is_written);
        said.extend(self::transfer(name, transfer, now, running, moves));
    }
    let has_it = device.itself.as_ref().is_some_and(|it| it.state == 2);
    if let Some(update) = running {
        said.extend(waits(device, update, now, present));
        if update.what == "download" && has_it {
            said.push(format!(
                "device {name} has the whole image, and the server has not heard of that"
            ));
        }
    } else if update.is_none() && present && has_it {
        said.push(format!(
            "device {name} has the whole image and waits to be told to install it (Execute /5/0/2)"
        ));
    }
}

/// What it did as it was told to, in an update that is over.
pub(super) fn was_told(device: &Device) -> Option<String> {
    let faults = &device.itself.as_ref()?.faults;
    let name = &device.name;
    (!faults.is_empty()).then(|| {
        format!(
            "device {name} acted as it was told to before: `{}`",
            faults.join("`, `")
        )
    })
}

/// Its last update ended, and not well.
fn has_failed(itself: &Itself) -> bool {
    let result = UpdateResult::from_number(itself.result);
    itself.state == 0 && result.is_none_or(UpdateResult::is_failure)
}

/// Nothing else is asked of it than its image.
fn is_written(update: &Update) -> bool {
    let asked = update.asked.as_deref();
    asked.is_none_or(|it| it.starts_with("Write "))
}

/// What it says of itself, as far as that is about this update.
fn by_itself(name: &str, itself: &Itself, update: Option<&Update>, said: &mut Vec<String>) {
    let began = update.and_then(Update::since);
    let since = began.is_none_or(|began| itself.changed.is_some_and(|it| it >= began));
    let result = UpdateResult::from_number(itself.result);
    if since && has_failed(itself) {
        let words = result.map_or("unknown", UpdateResult::name);
        let number = itself.result;
        // The image is at fault: integrity, package type, protocol of its URI.
        let what = match number {
            5 | 6 | 9 => "refused the image",
            8 => "did not install the image",
            _ => "could not take the image",
        };
        said.push(format!(
            "device {name} {what}: its Update Result (/5/0/5) is {number}, {words}"
        ));
    }
    let over = update.is_some_and(|it| it.state == "succeeded");
    let to_come =
        !since && update.is_some_and(|it| matches!(it.what.as_str(), "registration" | "answer"));
    if !itself.faults.is_empty() && !over && !to_come {
        let faults = itself.faults.join("`, `");
        said.push(format!("device {name} acts as it was told to: `{faults}`"));
    }
}

fn transfer(
    name: &str,
    transfer: &Transfer,
    now: UnixMillis,
    update: Option<&Update>,
    moves: bool,
) -> Option<String> {
    let still = now - transfer.at;
    let (bytes, path, at) = (transfer.bytes, &transfer.path, time(now, transfer.at));
    if transfer.whole {
        return None;
    }
    if still >= STALLED {
        return Some(format!(
            "the transfer of {path} with device {name} stands still: {bytes} bytes have crossed, \
             the last block at {at}, {} ago",
            duration(still)
        ));
    }
    let under_way = update.is_none_or(|it| it.state == "downloading");
    under_way.then(|| {
        if !moves {
            return format!(
                "{bytes} bytes of {path} have crossed between the server and device {name}, the \
                 last block at {at}"
            );
        }
        format!(
            "{path} is on its way between the server and device {name}: {bytes} bytes have \
             crossed, the last block at {at}"
        )
    })
}

/// What the server says that its update waits for.
fn waits(device: &Device, update: &Update, now: UnixMillis, present: bool) -> Option<String> {
    let name = &device.name;
    let clock = |at| time(now, at);
    let until = match (update.until, update.deadline) {
        (Some(until), Some(deadline)) => format!(
            "; it looks again at {}, and gives up at {}",
            clock(until),
            clock(deadline)
        ),
        (None, Some(deadline)) => format!("; it gives up at {}", clock(deadline)),
        (Some(until), None) => format!("; it looks again at {}", clock(until)),
        (None, None) => String::new(),
    };
    let installs = device.itself.as_ref().filter(|it| it.state == 3);
    let since = match installs.and_then(|it| it.changed) {
        Some(at) => format!(", which it does since {}", clock(at)),
        None => String::new(),
    };
    let state = &update.state;
    let of = format!("the server's update of {name} is {state} and waits for");
    Some(match update.what.as_str() {
        "registration" => format!("{of} the device to register{until}"),
        "registration after the install" => {
            format!("{of} the device to come back after it was told to install{until}")
        }
        "install" => format!("{of} the device to install{since}{until}"),
        "download" => format!("{of} the whole image to be there{until}"),
        "pause" => match update.until {
            Some(at) => format!("{of} nothing but time: it asks again at {}", clock(at)),
            None => format!("{of} nothing but time"),
        },
        "answer" => {
            let asked = update.asked.as_deref();
            let executed = asked.is_some_and(|it| it.starts_with("Execute")) && installs.is_some();
            match asked {
                Some(asked) if executed => format!(
                    "{of} the answer to {asked}, which the device has heard: it installs{until}"
                ),
                // What is asked was said already, where it is on the wire.
                _ if present && device.air.open.as_ref().is_some_and(|it| !it.up) => return None,
                _ if present => {
                    format!(
                        "{of} the answer to {}{until}",
                        asked.unwrap_or("what it asked")
                    )
                }
                Some(asked) => format!("{of} the device to hear {asked}{until}"),
                None => format!("{of} the device to hear it{until}"),
            }
        }
        "soak" => format!("{of} the old version to stay away{until}"),
        _ => return None,
    })
}

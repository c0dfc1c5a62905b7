//! What happens to devices: their switch, their power, their sleep, their place.

use std::time::Duration;

use cucumber::when;
use fotalab_simulators::device::{Device, drive::Driver};

use crate::{
    air::{Air, Known, Way},
    catalogue,
    plan::{Part, Waiting},
    run::{Lab, Mismatch, StepResult},
};

catalogue! {
    sentence: "the (device|devices) `NAME` (is|are) switched (on|off)",
    does: "Switches devices on: they start and register. Or off: they go dark at once, as by a power cut, and stay so. `*` in NAME stands for anything.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nWhen the device `meter-1` is switched on\n\nThen the device `meter-1` should be registered\n\nWhen the device `meter-1` is switched off",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^the devices? `(?P<name>[^`]+)` (?:is|are) switched (?P<how>on|off)$")]
async fn switch(lab: &mut Lab, name: String, how: String) -> StepResult {
    let on = how == "on";
    each(lab, &name, move |device, now| match (on, device.is_on()) {
        (true, false) => device.switch_on(now),
        (false, _) => device.switch_off(now),
        (true, true) => {}
    })
    .await
}

catalogue! {
    sentence: "the (device|devices) `NAME` (loses|lose) power",
    does: "Cuts the power: what is not in flash is gone. It starts again by itself after the time that a reboot takes.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nWhen the device `meter-1` loses power\n\nSoon the device `meter-1` should be registered",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^the devices? `(?P<name>[^`]+)` (?:loses?) power$")]
async fn loses_power(lab: &mut Lab, name: String) -> StepResult {
    each(lab, &name, |device, now| {
        if device.is_on() {
            device.cut_power(now);
        }
    })
    .await
}

catalogue! {
    sentence: "the (device|devices) `NAME` (de-registers|de-register)",
    does: "Sends De-register; the device stays on.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the device `meter-1` de-registers\n\nThen the device `meter-1` should not be registered",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^the devices? `(?P<name>[^`]+)` de-registers?$")]
async fn leaves(lab: &mut Lab, name: String) -> StepResult {
    each(lab, &name, Device::leave).await
}

catalogue! {
    sentence: "the (device|devices) `NAME` (sends|send) a registration update",
    does: "Sends Update now, whether or not it is due. A sleeping device wakes up by it.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the device `meter-1` sends a registration update",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^the devices? `(?P<name>[^`]+)` sends? a registration update$")]
async fn updates_registration(lab: &mut Lab, name: String) -> StepResult {
    each(lab, &name, Device::wake).await
}

catalogue! {
    sentence: "the (device|devices) `NAME` (wakes|wake) up",
    does: "Wakes a sleeping queue-mode device, which tells so by a registration update.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\n```toml\nqueue-mode = true\n```\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the device `meter-1` goes to sleep\n\nAnd the device `meter-1` wakes up",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^the devices? `(?P<name>[^`]+)` wakes? up$")]
async fn wakes(lab: &mut Lab, name: String) -> StepResult {
    each(lab, &name, Device::wake).await
}

catalogue! {
    sentence: "the (device|devices) `NAME` (goes|go) to sleep",
    does: "Ends the time that a queue-mode device stays awake after its last message: it hears nothing until it wakes up. A device without queue mode does not sleep.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\n```toml\nqueue-mode = true\n```\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the device `meter-1` goes to sleep",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^the devices? `(?P<name>[^`]+)` go(?:es)? to sleep$")]
async fn sleeps(lab: &mut Lab, name: String) -> StepResult {
    let known = super::devices(lab, &name)?;
    let handle = Air::of(lab)?.handle();
    let awake = handle
        .fleet(move |fleet, now| {
            for it in &known {
                fleet.with(now, it.index, |device| device.sleep(now));
            }
            let awake = known.into_iter().filter(|it| {
                let device = fleet.device(it.index);
                !device.is_some_and(|device| device.is_asleep(now))
            });
            awake.map(|it| it.name).collect::<Vec<_>>()
        })
        .await;
    match awake {
        Ok(awake) => lab.expect(awake.is_empty(), || {
            let who = awake.join(", ");
            Mismatch::new(format!("{who} cannot go to sleep now")).help(
                "a device sleeps when it has `queue-mode = true`, is registered and is in no \
                 transfer",
            )
        }),
        Err(why) => lab.fail(Mismatch::new(why)),
    }
}

catalogue! {
    sentence: "the (device|devices) `NAME` (moves|move) to another address",
    does: "Gives devices another IP address (or, with a server that is not on this machine, another port), as a mobile network does: the server sees a peer that it does not know.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the device `meter-1` moves to another address\n\nAnd the device `meter-1` sends a registration update",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^the devices? `(?P<name>[^`]+)` moves? to another address$")]
async fn moves(lab: &mut Lab, name: String) -> StepResult {
    let known = super::devices(lab, &name)?;
    let handle = Air::of(lab)?.handle();
    let moved = handle
        .drive(move |driver, _| {
            let places = known.iter().map(|it| move_one(driver, it));
            places.collect::<Result<Vec<_>, _>>()
        })
        .await;
    match moved {
        Ok(Ok(places)) => {
            let air = Air::of(lab)?;
            for (party, host) in places.into_iter().flatten() {
                air.seen().place_host(host, party);
            }
            Ok(())
        }
        Ok(Err(why)) | Err(why) => lab.fail(Mismatch::new(why)),
    }
}

fn move_one(
    driver: &mut Driver,
    device: &Known,
) -> Result<Option<(usize, std::net::IpAddr)>, String> {
    let moved = driver.rebind(device.index);
    moved.map_err(|error| format!("there is no other address for `{}`: {error}", device.name))?;
    Ok(driver
        .fleet
        .address(device.index)
        .map(|host| (device.party, host)))
}

catalogue! {
    sentence: "the (device|devices) `NAME` (goes|go) offline[, but can still (send|receive)]",
    does: "Cuts devices off the network: what they send and what is sent to them is lost, or only one of the two.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` goes offline\n\nWhen the device `meter-1` is switched on\n\nThen for `1 min` the device `meter-1` should not become registered",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(
    regex = r"^the devices? `(?P<name>[^`]+)` go(?:es)? offline(?:, but can still (?P<still>send|receive))?$"
)]
async fn goes_offline(lab: &mut Lab, name: String, still: String) -> StepResult {
    let way = match still.as_str() {
        "send" => Way::Down,
        "receive" => Way::Up,
        _ => Way::Both,
    };
    cut(lab, &name, Some(way))
}

catalogue! {
    sentence: "the (device|devices) `NAME` (comes|come) back online",
    does: "Ends what `goes offline` began.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` goes offline\n\nAnd the device `meter-1` is switched on\n\nWhen the device `meter-1` comes back online\n\nSoon the device `meter-1` should be registered",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^the devices? `(?P<name>[^`]+)` comes? back online$")]
async fn comes_back(lab: &mut Lab, name: String) -> StepResult {
    cut(lab, &name, None)
}

fn cut(lab: &mut Lab, name: &str, way: Option<Way>) -> StepResult {
    let known = super::devices(lab, name)?;
    let parties: Vec<usize> = known.iter().map(|it| it.party).collect();
    Air::of(lab)?.seen().conditions_mut().cut(&parties, way);
    Ok(())
}

/// Lets each of the devices do something now.
async fn each(
    lab: &mut Lab,
    name: &str,
    act: impl Fn(&mut Device, Duration) + Send + 'static,
) -> StepResult {
    let known = super::devices(lab, name)?;
    let handle = Air::of(lab)?.handle();
    let done = handle
        .fleet(move |fleet, now| {
            for it in known {
                fleet.with(now, it.index, |device| act(device, now));
            }
        })
        .await;
    done.or_else(|why| lab.fail(Mismatch::new(why)))
}

//! What happens to devices: their switch, their power, their sleep, their place.

use std::time::Duration;

use cucumber::when;
use fotalab_simulators::device::{Device, drive::Driver};
use fotalab_wire::lwm2m::{Kind, Path, Value};

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
    does: "Cuts devices off the network without their knowing: the datagrams that they send and that are sent to them are lost, or only one of the two.",
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

catalogue! {
    sentence: "the (device|devices) `NAME` (switches its|switch their) radio (off|on)",
    does: "Ends what is under way, transfers over HTTP too; the device knows that it is offline, and when its radio is on again it registers and goes on with a download where it was.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the device `meter-1` switches its radio off\n\nAnd the device `meter-1` switches its radio on\n\nThen the CoAP message `<- CON POST /rd` should have crossed for `meter-1`",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(
    regex = r"^the devices? `(?P<name>[^`]+)` (?:switches its|switch their) radio (?P<how>on|off)$"
)]
async fn radio(lab: &mut Lab, name: String, how: String) -> StepResult {
    let act = if how == "on" {
        Device::go_online
    } else {
        Device::go_offline
    };
    each(lab, &name, act).await
}

catalogue! {
    sentence: "`PATH` of the device `NAME` becomes `VALUE`",
    does: "Gives a resource of a device another value, as a sensor does; whoever observes it is notified. Not for the objects 0, 1 and 5, which are the device's own.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\n```toml\n[values]\n\"/3303/0/5700\" = 21.5\n```\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen `/3303/0/5700` of the device `meter-1` becomes `22.5`\n\nAnd the server asks `meter-1` to `read` `/3303/0/5700`\n\nThen `value` of the operation's answer should equal\n\n```json\n\"22.5\"\n```",
    checks: &[("path", resource_path)],
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^`(?P<path>/[^`]+)` of the device `(?P<name>[^`]+)` becomes `(?P<value>[^`]*)`$")]
async fn becomes(lab: &mut Lab, path: String, name: String, value: String) -> StepResult {
    let at = match path_of(&path) {
        Ok(at) => at,
        Err(why) => return lab.fail(Mismatch::new(why)),
    };
    let known = super::devices(lab, &name)?;
    let handle = Air::of(lab)?.handle();
    let set = handle
        .fleet(move |fleet, now| {
            for it in known {
                let set = fleet.with(now, it.index, |device| {
                    let kind = device.definitions().kind(at).unwrap_or(Kind::String);
                    let value = of_kind(kind, &value).ok_or_else(|| {
                        format!("{at} holds a value of type {kind}, which `{value}` is not")
                    })?;
                    if device.set_value(now, at, value) {
                        return Ok(());
                    }
                    Err(format!(
                        "the device `{}` has no {at} of its sensors to change",
                        it.name
                    ))
                });
                set.unwrap_or(Ok(()))?;
            }
            Ok(())
        })
        .await;
    set.and_then(|it| it)
        .or_else(|why| lab.fail(Mismatch::new(why)))
}

catalogue! {
    sentence: "the (device|devices) `NAME` (sends|send) the values of `PATHS`",
    does: "Tells the server values by Send (LwM2M 1.1), without being asked; several paths with commas between.",
    example: "Given there is a device `meter-1` running `1.0.0`\n\nAnd the device `meter-1` is switched on\n\nSoon the device `meter-1` should be registered\n\nWhen the device `meter-1` sends the values of `/3/0/3, /5/0/3`\n\nThen these CoAP messages should have crossed for `meter-1`\n\n```\n<- CON POST /dp Content-Format: 112 [/3/0/3 = 1.0.0]\n-> ACK 2.04 /dp\n```",
    waiting: Waiting::Never,
    uses: &[Part::Server],
}
#[when(regex = r"^the devices? `(?P<name>[^`]+)` sends? the values of `(?P<paths>/[^`]*)`$")]
async fn sends_values(lab: &mut Lab, name: String, paths: String) -> StepResult {
    let read = paths.split(',').map(|it| {
        let path = it.trim().parse::<Path>();
        path.map_err(|why| format!("`{it}`: {why}"))
    });
    let paths: Vec<Path> = match read.collect() {
        Ok(paths) => paths,
        Err(why) => return lab.fail(Mismatch::new(why)),
    };
    let known = super::devices(lab, &name)?;
    let handle = Air::of(lab)?.handle();
    let sent = handle
        .fleet(move |fleet, now| {
            for it in known {
                let sent = fleet.with(now, it.index, |device| device.send(now, &paths));
                if let Some(Err(why)) = sent {
                    return Err(format!("the device `{}` sends nothing: {why}", it.name));
                }
            }
            Ok(())
        })
        .await;
    sent.and_then(|it| it)
        .or_else(|why| lab.fail(Mismatch::new(why)))
}

fn path_of(text: &str) -> Result<Path, String> {
    let path: Path = text.parse().map_err(|why| format!("`{text}`: {why}"))?;
    if path.depth() == 3 {
        return Ok(path);
    }
    Err(format!("`{text}` is no path of a resource"))
}

fn resource_path(text: &str) -> Result<(), (String, String)> {
    let help = "write object, instance and resource, such as `/3303/0/5700`";
    path_of(text)
        .map(drop)
        .map_err(|why| (why, help.to_owned()))
}

/// A value of a type from its text.
fn of_kind(kind: Kind, text: &str) -> Option<Value> {
    Some(match kind {
        Kind::String => Value::String(text.to_owned()),
        Kind::CoreLink => Value::CoreLink(text.to_owned()),
        Kind::Integer => Value::Integer(text.parse().ok()?),
        Kind::Unsigned => Value::Unsigned(text.parse().ok()?),
        Kind::Float => Value::Float(text.parse().ok()?),
        Kind::Boolean => Value::Boolean(text.parse().ok()?),
        Kind::Time => Value::Time(text.parse().ok()?),
        Kind::ObjectLink => Value::ObjectLink(text.parse().ok()?),
        Kind::Opaque => Value::Opaque(crate::air::unhex(text)?.into()),
    })
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

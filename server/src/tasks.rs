//! Notes what devices tell, gives tasks their sessions, and does what tasks want of devices and of
//! the engine of updates.

use std::sync::Arc;

use fotalab_wire::{
    lwm2m::{ContentFormat, Definitions, Kind, Path},
    net::UnixMillis,
};
use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::{
    core::{
        firmware::{Arrival, Elsewhere, Extension, Options, Silence, Transfer as By, Wanted},
        inventory::{Record, shown},
        tasks::{Answer, Effect, JobKey, Kept, Plan, Step, Transfer},
        time::millis,
    },
    limits,
    lwm2m::{Operation, Outcome, Registered, Ticket, Told, json},
    server::{Server, State},
    store::{Kind as Document, Store},
};

/// /3/0
const DEVICE: Path = Path::instance(3, 0);

/// Notes what a device told. The device, if it did so by itself: it can be asked now.
pub(crate) fn note(state: &mut State, now: UnixMillis, told: &Told) -> Option<String> {
    match told {
        Told::Registered { endpoint } => {
            let registered = state.air.as_ref()?.registered(endpoint)?;
            let record = state.inventory.touch(now, endpoint);
            record.seen.registers(now, &registered.said);
            record.seen.address = Some(registered.peer.to_string());
            uplink(record, now, "Register");
            if record.known {
                state.inventory.edit(now, endpoint);
                look(state, now, endpoint);
            }
            Some(endpoint.clone())
        }
        Told::Updated { endpoint } => {
            let record = state.inventory.touch(now, endpoint);
            record.seen.updated = Some(now);
            uplink(record, now, "Update");
            Some(endpoint.clone())
        }
        Told::Left { endpoint, expired } => {
            let record = state.inventory.touch(now, endpoint);
            if !expired {
                uplink(record, now, "Deregister");
            }
            state.tasks.left(endpoint);
            None
        }
        Told::HandshakeFailed { .. }
        | Told::Asked { .. }
        | Told::Block { .. }
        | Told::Wanted { .. }
        | Told::Observed { .. } => None,
        Told::Heard { endpoint } => {
            state.inventory.touch(now, endpoint).seen.contact = Some(now);
            Some(endpoint.clone())
        }
        Told::Value {
            endpoint,
            path,
            value,
            sent,
        } => {
            state.inventory.learn(now, endpoint, *path, value);
            let name = if *sent { "Send" } else { "Notify" };
            uplink(state.inventory.touch(now, endpoint), now, name);
            Some(endpoint.clone())
        }
        Told::Done { ticket, outcome } => {
            let device = device_of(state, ticket)?;
            if let Outcome::Answered(answer) = outcome {
                state.inventory.touch(now, &device).seen.contact = Some(now);
                for (path, value) in answer.values() {
                    state.inventory.learn(now, &device, path, &value);
                }
            }
            None
        }
    }
}

/// A device that an API shows is there: reads what it is, if that is not known.
pub(crate) fn show(state: &mut State, now: UnixMillis, device: &str) {
    let known = state.inventory.get(device);
    if known.is_some_and(|it| it.known) {
        return;
    }
    state.inventory.edit(now, device).known = true;
    look(state, now, device);
}

/// The device answered what a task asked.
pub(crate) fn answered(state: &mut State, now: UnixMillis, serial: u64, outcome: Outcome) {
    let answer = match outcome {
        Outcome::Silent => Answer::Silent,
        Outcome::Gone => Answer::Gone,
        Outcome::Rejected => Answer::Refused("it answered with a Reset".to_owned()),
        Outcome::Answered(answer) if !answer.code.is_success() => {
            let (class, detail) = (answer.code.class(), answer.code.detail());
            Answer::Refused(format!("{class}.{detail:02}"))
        }
        Outcome::Answered(answer) => match &answer.tree {
            Err(why) => Answer::Unfit(why.clone()),
            Ok(_) => {
                let values = answer.values().into_iter();
                Answer::Done(
                    values
                        .map(|(path, value)| (path, shown(&value).0))
                        .collect(),
                )
            }
        },
    };
    state.tasks.answered(now, serial, answer);
}

/// Does what tasks want.
pub(crate) fn perform(server: &Arc<Server>, state: &mut State, now: UnixMillis, effect: Effect) {
    match effect {
        Effect::Operate {
            serial,
            device,
            step,
        } => match step {
            Step::Execute(..) => execute(server, state, now, (serial, device, step)),
            _ => operate(state, now, serial, &device, step),
        },
        Effect::Update {
            job,
            plan,
            asked_by,
        } => match wanted(state, now, &job, &plan, asked_by) {
            Err(NotNow::Never(why)) => state.tasks.refused(now, &job, &why),
            Err(NotNow::Later) => state.tasks.put_off(now, &job),
            Ok((wanted, arrival)) => {
                let made = state.firmware.create(now, wanted, Some(arrival));
                match made.map(|it| it.id.clone()) {
                    Ok(update) => {
                        state.inventory.touch(now, &job.device).seen.session = Some(now);
                        state.tasks.began(&job, &update);
                    }
                    // Somebody else's update runs.
                    Err(_busy) => state.tasks.put_off(now, &job),
                }
            }
        },
        Effect::Stop { update, why } => {
            state.firmware.stop(now, &update, why);
        }
    }
}

/// Remembers what changed.
pub(crate) fn keep(store: &dyn Store, state: &mut State) {
    let remembers = store.remembers();
    while let Some((kept, key, content)) = state.tasks.poll_kept() {
        let kind = match kept {
            Kept::Task => Document::Task,
            Kept::Job => Document::Job,
            Kept::Number => Document::TaskNumber,
        };
        match content {
            _ if !remembers => {}
            Some(content) => store.put(kind, &key, content),
            None => store.remove(kind, &key),
        }
    }
    while let Some((device, record)) = state.inventory.poll_changed() {
        match record {
            Some(record) if record.known && remembers => {
                store.put(Document::Record, &device, json!(record));
            }
            Some(_) => {}
            None => store.remove(Document::Record, &device),
        }
    }
}

/// Why an update is not made.
enum NotNow {
    /// The device is not there.
    Later,
    /// What was asked for cannot be had.
    Never(String),
}

/// What an update is to be, and what the device's registration says.
fn wanted(
    state: &State,
    now: UnixMillis,
    job: &JobKey,
    plan: &Plan,
    asked_by: String,
) -> Result<(Wanted, Arrival), NotNow> {
    let never = |why: String| NotNow::Never(why);
    let resource = state.resources.get(now, &job.owner, &plan.resource);
    let resource =
        resource.ok_or_else(|| never(format!("Resource not found: {}", plan.resource)))?;
    let elsewhere = resource.elsewhere.as_ref();
    let transfer = match (plan.transfer, elsewhere) {
        (Transfer::Push, None) => By::Push,
        (Transfer::Push, Some(_)) => {
            let why = "A resource that is stored elsewhere cannot be pushed";
            return Err(never(why.to_owned()));
        }
        (Transfer::Pull(_), Some(_)) => By::Pull,
        (Transfer::Pull(protocol), None) => {
            let scheme = protocol.scheme();
            By::PullBy(scheme.ok_or_else(|| {
                let name = protocol.name();
                never(format!("The protocol {name} is not served here"))
            })?)
        }
    };
    let no_bytes = || never(format!("Resource has no data: {}", plan.resource));
    let image = match (&resource.image, elsewhere) {
        (Some(image), _) => image.clone(),
        (None, Some(_)) => String::new(),
        (None, None) => return Err(no_bytes()),
    };
    let air = state.air.as_ref();
    let registered = air.and_then(|it| it.registered(&job.device));
    let registered = registered.ok_or(NotNow::Later)?;
    let record = state.inventory.get(&job.device);
    let options = Options {
        watch: plan.watch,
        start: record
            .filter(|_| plan.cached_start)
            .and_then(Record::firmware),
        unchecked: !plan.check,
        silence: match plan.resume {
            true => Silence::UntilHeard,
            false => Silence::Fatal,
        },
        timeout: Some(plan.timeout),
        lifetime: extension(plan, registered, record),
        any_version: true,
        elsewhere: elsewhere.and_then(|uri| {
            let protocol = crate::core::tasks::Protocol::of_uri(uri)?.number();
            let uri = uri.clone();
            Some(Elsewhere { uri, protocol })
        }),
    };
    let device = state.registry.device(&job.device);
    let wanted = Wanted {
        device: job.device.clone(),
        length: state.images.get(&image).map_or(0, |it| it.length),
        slot: device.and_then(|it| it.identity.slot),
        image,
        version: None,
        transfer,
        options,
        asked_by: Some(asked_by),
    };
    Ok((wanted, registered.arrival()))
}

/// A lifetime that outlasts the update, if the device's own does not.
fn extension(plan: &Plan, registered: &Registered, record: Option<&Record>) -> Option<Extension> {
    let longest = plan.timeout + millis(limits::LIFETIME_MARGIN);
    let extended = u32::try_from(longest / 1_000).ok()?;
    let usual = registered.said.lifetime;
    let instance = record?.seen.server_instance?;
    let needed = plan.extend_lifetime && usual < extended;
    needed.then_some(Extension {
        instance,
        usual,
        extended,
    })
}

/// Executes when it is safe that this was going to happen: after a crash it is not repeated.
fn execute(
    server: &Arc<Server>,
    state: &mut State,
    now: UnixMillis,
    (serial, device, step): (u64, String, Step),
) {
    keep(&*server.store, state);
    let mut flushed = server.store.flush();
    if (&mut flushed).now_or_never().is_some() {
        return operate(state, now, serial, &device, step);
    }
    let server_of_task = Arc::clone(server);
    server.spawn(async move {
        flushed.await;
        server_of_task.change(|state, now| {
            // Not if the task was deleted meanwhile.
            if state.tasks.device_of(serial).is_some() {
                operate(state, now, serial, &device, step);
            }
        });
    });
}

fn operate(state: &mut State, now: UnixMillis, serial: u64, device: &str, step: Step) {
    let air = state.air.as_mut();
    let Some((air, definitions)) = air.and_then(|air| {
        let definitions = air.registered(device)?.definitions().clone();
        Some((air, definitions))
    }) else {
        return state.tasks.answered(now, serial, Answer::Gone);
    };
    let name = match &step {
        Step::Read(_) => "Read",
        Step::Write(..) => "Write",
        Step::Execute(..) => "Execute",
    };
    match operation(step, &definitions) {
        Ok(operation) => {
            let seen = &mut state.inventory.touch(now, device).seen;
            seen.downlink = Some((name.to_owned(), now));
            seen.session = Some(now);
            air.operate(now, device, Ticket::Task(serial), operation);
        }
        Err(why) => state.tasks.answered(now, serial, Answer::Unfit(why)),
    }
}

fn operation(step: Step, definitions: &Definitions) -> Result<Operation, String> {
    Ok(match step {
        Step::Read(path) => Operation::Read(path),
        Step::Execute(path, arguments) => Operation::Execute { path, arguments },
        Step::Write(path, _) if path.ids().len() < 3 => {
            return Err(format!("{path} is more than one value"));
        }
        Step::Write(path, text) => {
            let value = typed(definitions.kind(path), &text)
                .ok_or_else(|| format!("`{text}` is no value of {path}"))?;
            let (payload, format) =
                json::payload(path, &value, definitions, None, ContentFormat::Tlv)?;
            Operation::Write {
                path,
                payload: payload.into(),
                format,
            }
        }
    })
}

/// Text as the JSON of a type; of no known type it stays text.
fn typed(kind: Option<Kind>, text: &str) -> Option<Value> {
    match kind {
        Some(Kind::Integer | Kind::Time) => text.parse::<i64>().ok().map(|it| json!(it)),
        Some(Kind::Unsigned) => text.parse::<u64>().ok().map(|it| json!(it)),
        Some(Kind::Float) => text.parse::<f64>().ok().map(|it| json!(it)),
        Some(Kind::Boolean) => crate::core::tasks::boolean(text).map(|it| json!(it)),
        _ => Some(json!(text)),
    }
}

/// Reads what a device is, unless an update reads it anyway.
fn look(state: &mut State, now: UnixMillis, device: &str) {
    let updating = state.firmware.of_device(device).any(|it| !it.has_ended());
    let is_there = |air: &&mut crate::lwm2m::Air| air.registered(device).is_some();
    if let Some(air) = state.air.as_mut().filter(|air| is_there(air) && !updating) {
        let ticket = Ticket::Look(device.to_owned());
        air.operate(now, device, ticket, Operation::Read(DEVICE));
    }
}

fn uplink(record: &mut Record, now: UnixMillis, name: &str) {
    record.seen.uplink = Some((name.to_owned(), now));
    record.seen.contact = Some(now);
}

/// Which device an operation was asked of.
fn device_of(state: &State, ticket: &Ticket) -> Option<String> {
    match ticket {
        Ticket::Update { update, .. } => {
            let update = state.firmware.get(update)?;
            Some(update.wanted.device.clone())
        }
        Ticket::Admin(id) => state.operations.get(id).map(|(device, _)| device.clone()),
        Ticket::Task(serial) => state.tasks.device_of(*serial).map(str::to_owned),
        Ticket::Look(device) => Some(device.clone()),
        Ticket::Inspection { endpoint, .. } => Some(endpoint.clone()),
        Ticket::Nobody => None,
    }
}

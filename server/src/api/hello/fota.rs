//! Updates: schedule, list, abort, and what there is to install (contract 1.3 to 1.5).

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;
use tokio::sync::oneshot;

use super::{
    Generation, Problem, Reply,
    inputs::Inputs,
    render,
    reply::{self, Keep},
};
use crate::{
    core::{
        devices::Device,
        shadow::Firmware,
        time::millis,
        updates::{AbortRefusal, Flow, Refusal, Wanted},
        upgrade_path::{Target, UpgradePath},
        version::Version,
    },
    driver, limits,
    server::Server,
    upstream::{Bundle, CallError},
};

/// `POST /device/{id}/fota/{target}` with an upgrade path.
pub(super) async fn schedule(
    server: &Arc<Server>,
    generation: Generation,
    mut inputs: Inputs,
) -> Result<Reply, Problem> {
    let owner = inputs.owner();
    let path = inputs.upgrade_path();
    inputs.finish()?;
    let device = owner.device(server)?;
    let path = path.ok_or_else(|| Problem::validation(&[]))?;
    let firmware = firmware_of(server, &device).await?;
    let target = eligible(&firmware, &path)?;
    let flow = match generation {
        Generation::JobExecutions => Flow::Stepwise,
        Generation::Jobs => Flow::Whole,
    };
    let wanted = wanted(&device, Some(target), path, flow);
    create(server, generation, wanted).await
}

/// `POST /device/{id}/fota` with a bundle id, as the first generation had it.
pub(super) async fn schedule_bundle(
    server: &Arc<Server>,
    mut inputs: Inputs,
) -> Result<Reply, Problem> {
    let owner = inputs.owner();
    let bundle = inputs.bundle_id();
    inputs.finish()?;
    let device = owner.device(server)?;
    let firmware = firmware_of(server, &device).await?;
    if firmware.types.is_empty() {
        return Err(Problem::bad_request("This device does not support FOTA!"));
    }
    if !firmware
        .types
        .iter()
        .any(|kind| bundle.starts_with(kind.as_str()))
    {
        let types = firmware.types.join(", ");
        return Err(
            Problem::bad_request("This device does not support the bundle type!")
                .detail(format!("Supported FOTA types are: {types}")),
        );
    }
    let target = Target::of_bundle(&bundle);
    let reported = match target {
        Some(Target::Modem) => firmware.modem_version().and_then(Version::parse),
        _ => firmware.app.as_deref().and_then(Version::parse),
    };
    let path = UpgradePath::single(reported, bundle);
    create(
        server,
        Generation::JobExecutions,
        wanted(&device, target, path, Flow::Single),
    )
    .await
}

/// `GET /device/{id}/fota/jobs`
pub(super) fn list(
    server: &Arc<Server>,
    generation: Generation,
    mut inputs: Inputs,
) -> Result<Reply, Problem> {
    let owner = inputs.owner();
    inputs.finish()?;
    let device = owner.device(server)?;
    let state = server.state();
    let document = render::jobs(generation, &device, state.updates.of_device(&device.id));
    Ok(reply::json(StatusCode::OK, Keep::No, &document))
}

/// `DELETE /device/{id}/fota/job/{jobId}`: the running check comes before the ownership check.
pub(super) fn abort(server: &Arc<Server>, mut inputs: Inputs) -> Result<Reply, Problem> {
    let owner = inputs.owner();
    let job = inputs.job_id();
    inputs.finish()?;
    let device = owner.device(server)?;
    let aborted = server.change(|state, now| state.updates.abort(now, &device.id, &job));
    aborted.map_err(|why| match why {
        AbortRefusal::Unknown => Problem::not_found("No job found with ID!").detail(&job),
        AbortRefusal::Ended(status) => {
            Problem::conflict(format!("Execution is not running, but {status}!"))
        }
        AbortRefusal::NotOwned => Problem::forbidden(format!(
            "Job {job} does not belong to device {}!",
            device.id
        )),
    })?;
    Ok(reply::empty(StatusCode::ACCEPTED))
}

/// `GET /device/{id}/fota/bundles`
pub(super) async fn bundles(server: &Arc<Server>, mut inputs: Inputs) -> Result<Reply, Problem> {
    let owner = inputs.owner();
    inputs.finish()?;
    let device = owner.device(server)?;
    let bundles = bundles_of(server, &device)
        .await
        .map_err(|why| Problem::internal("Fetching FOTA bundles failed").detail(why.to_string()))?;
    let document = render::bundles(&device.id, &bundles);
    Ok(reply::json(StatusCode::OK, Keep::Minute, &document))
}

/// Creates an update; a stepwise one once upstream has its first job.
async fn create(
    server: &Arc<Server>,
    generation: Generation,
    wanted: Wanted,
) -> Result<Reply, Problem> {
    let target = Target::name(wanted.target);
    let waits = wanted.flow != Flow::Whole;
    let (caller, scheduled) = oneshot::channel();
    let update = server.change(|state, now| {
        let update = state.updates.create(now, wanted)?;
        if waits {
            state.scheduling.insert(update.id.clone(), caller);
        }
        Ok(update)
    });
    let mut update = update.map_err(|why| match why {
        Refusal::Exists => Problem::conflict(format!(
            "A {target} FOTA job for this device already exists"
        )),
        Refusal::NoMatch { reported } => invalid_path(format!(
            "No key of the upgrade path matches the reported version {reported}!"
        )),
    })?;
    if waits {
        let failed =
            |cause: String| Problem::internal("Scheduling FOTA update failed").detail(cause);
        let outcome = scheduled
            .await
            .map_err(|_| failed("The server is stopping.".to_owned()))?;
        update = outcome.map_err(failed)?;
    }
    let document = render::created(generation, &update).unwrap_or(Value::Null);
    Ok(reply::json(StatusCode::CREATED, Keep::Minute, &document))
}

fn wanted(device: &Device, target: Option<Target>, path: UpgradePath, flow: Flow) -> Wanted {
    let account = device.identity.account.clone().unwrap_or_default();
    Wanted {
        device: device.id.clone(),
        account,
        target,
        path,
        flow,
    }
}

/// What the device runs, from the stored shadow; upstream is asked if there is none, or an old one
/// (contract 3.6, recommended reading).
async fn firmware_of(server: &Arc<Server>, device: &Device) -> Result<Firmware, Problem> {
    let fresh = device.shadow.as_ref().is_some_and(|stored| {
        server.now().saturating_sub(stored.at) < millis(limits::SHADOW_STALE)
    });
    let caller = device
        .identity
        .account
        .as_deref()
        .and_then(|it| server.caller(it));
    if !fresh && let Some(caller) = caller {
        // The stored one serves if this fails; without one the device's state is unknown.
        drop(driver::fetch_shadow(server, &caller, &device.id).await);
    }
    let state = server.state();
    let stored = state
        .registry
        .device(&device.id)
        .and_then(|it| it.shadow.as_ref());
    stored.map(|it| it.firmware.clone()).ok_or_else(|| {
        Problem::bad_request("Device is not eligible for FOTA")
            .detail(format!("Unknown device state: {}!", device.id))
    })
}

/// The checks of 1.3, in their order; the target of the path if it passes.
fn eligible(firmware: &Firmware, path: &UpgradePath) -> Result<Target, Problem> {
    let not_eligible =
        |detail: &str| Problem::bad_request("Device is not eligible for FOTA").detail(detail);
    let supported: Vec<Target> = firmware
        .types
        .iter()
        .filter_map(|it| Target::of_supported_type(it))
        .collect();
    if supported.is_empty() {
        return Err(not_eligible("This device does not support FOTA!"));
    }
    let app = firmware.app.as_deref().and_then(Version::parse);
    let modem = firmware.modem_version().and_then(Version::parse);
    if app.is_none() && modem.is_none() {
        return Err(not_eligible(
            "This device has not reported any firmware versions!",
        ));
    }
    let mut targets = path.bundles().map(Target::of_bundle);
    let target = targets.next().flatten();
    if targets.any(|it| it != target) {
        return Err(invalid_path("A job must have a single target!".to_owned()));
    }
    let Some(known) = target.filter(|it| supported.contains(it)) else {
        let target = Target::name(target);
        return Err(invalid_path(format!(
            "The device does not support FOTA for target {target}!"
        )));
    };
    match known {
        Target::App if app.is_none() => Err(invalid_path(
            "The device has not reported an application firmware version!".into(),
        )),
        Target::Modem if modem.is_none() => Err(invalid_path(
            "The device has not reported a modem firmware version!".into(),
        )),
        known => Ok(known),
    }
}

fn invalid_path(detail: String) -> Problem {
    Problem::bad_request("Invalid upgrade path defined").detail(detail)
}

/// The bundles of the device's account: remembered for a while, failures never.
async fn bundles_of(server: &Arc<Server>, device: &Device) -> Result<Arc<Vec<Bundle>>, CallError> {
    let account = device.identity.account.as_deref().unwrap_or_default();
    let caller = server
        .caller(account)
        .ok_or_else(|| CallError::NoAnswer(format!("the account `{account}` is not known")))?;
    let lifetime = millis(server.config.timing.bundles);
    let remembered = server.state().bundles.get(account).cloned();
    if let Some((at, bundles)) = remembered
        && server.now().saturating_sub(at) < lifetime
    {
        return Ok(bundles);
    }
    let bundles = Arc::new(server.upstream.bundles(&caller).await?);
    let mut state = server.state();
    // The account may have been replaced meanwhile.
    if state
        .registry
        .account_of(&device.id)
        .is_some_and(|(_, now)| *now == caller.account)
    {
        let remembered = (server.now(), Arc::clone(&bundles));
        state.bundles.insert(account.to_owned(), remembered);
    }
    Ok(bundles)
}

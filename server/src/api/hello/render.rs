//! The messages of both generations (contract 3.4). All of them have a `@context`.

use std::cmp::Reverse;

use fotalab_wire::net::UnixMillis;
use serde_json::{Map, Value, json};

use super::Generation;
use crate::{
    core::{
        devices::Device,
        shadow::{Shadow, render},
        time::{iso, parse_iso},
        updates::{Ended, State, Step, Update},
    },
    limits,
    live::Event,
    upstream::Bundle,
};

const CONTEXT: &str = "https://github.com/hello-nrfcloud/proto/";

/// A message's `@context`, by the end of its name.
pub(super) fn context(suffix: &str) -> String {
    format!("{CONTEXT}{suffix}")
}

/// What a caller gets for a new update, in its generation.
pub(super) fn created(generation: Generation, update: &Update) -> Option<Value> {
    match generation {
        Generation::Jobs => Some(job(update)),
        Generation::JobExecutions => Some(execution(update, update.steps.last()?)),
    }
}

/// The list of a device's jobs, the newest first, without what is hidden (contract 1.4).
pub(super) fn jobs<'a>(
    generation: Generation,
    device: &Device,
    updates: impl Iterator<Item = &'a Update>,
) -> Value {
    let visible = |at: Option<UnixMillis>| {
        device
            .hide_data_before
            .is_none_or(|hidden| at.is_none_or(|at| at >= hidden))
    };
    let updates: Vec<&Update> = updates.collect();
    let (suffix, jobs): (_, Vec<Value>) = match generation {
        Generation::JobExecutions => {
            let mut steps: Vec<(&Update, &Step)> = updates
                .iter()
                .flat_map(|it| it.steps.iter().map(move |step| (*it, step)))
                .collect();
            steps.retain(|(_, step)| visible(parse_iso(&step.last_updated_at)));
            steps.reverse();
            steps.sort_by_key(|(_, step)| Reverse(step.created));
            (
                "fota/job-executions",
                steps
                    .into_iter()
                    .map(|(it, step)| execution(it, step))
                    .collect(),
            )
        }
        Generation::Jobs => {
            let mut updates = updates;
            updates.retain(|it| visible(Some(it.timestamp)));
            updates.reverse();
            updates.sort_by_key(|it| Reverse(it.timestamp));
            ("fota/jobs", updates.into_iter().map(job).collect())
        }
    };
    let jobs: Vec<Value> = jobs.into_iter().take(limits::MAX_LISTED_JOBS).collect();
    json!({"@context": context(suffix), "deviceId": device.id, "jobs": jobs})
}

/// The bundles of an account.
pub(super) fn bundles(device: &str, bundles: &[Bundle]) -> Value {
    let bundles: Vec<Value> = bundles
        .iter()
        .map(|it| {
            json!({
                "@context": context("fota/bundle"),
                "bundleId": it.id,
                "type": it.kind,
                "version": it.version,
            })
        })
        .collect();
    json!({"@context": context("fota/bundles"), "deviceId": device, "bundles": bundles})
}

/// Who a device is; a websocket is also told when it was last seen (contract 1.2 and 3.2).
pub(super) fn identity(device: &Device, with_last_seen: bool) -> Option<Value> {
    let mut message = Map::new();
    message.insert("@context".into(), context("deviceIdentity").into());
    message.insert("id".into(), device.id.as_str().into());
    message.insert("model".into(), device.identity.model.as_deref()?.into());
    if let Some(seen) = device.last_seen().filter(|_| with_last_seen) {
        message.insert("lastSeen".into(), seen.into());
    }
    if let Some(at) = device.hide_data_before {
        message.insert("hideDataBefore".into(), iso(at).into());
    }
    Some(message.into())
}

/// A shadow, or the changed part of one.
pub(super) fn shadow(shadow: &Shadow) -> Value {
    json!({
        "@context": context("shadow"),
        "reported": render(&shadow.reported),
        "desired": render(&shadow.desired),
    })
}

/// What a websocket is told of an event; some are of no interest to a generation (contract 3.3).
pub(super) fn event(generation: Generation, event: &Event) -> Option<Value> {
    match (generation, event) {
        (_, Event::ShadowChanged(changed)) => Some(shadow(changed)),
        (Generation::JobExecutions, Event::StepEnded(update)) => {
            update.steps.last().map(|step| execution(update, step))
        }
        (Generation::Jobs, Event::UpdateChanged(update)) => Some(job(update)),
        _ => None,
    }
}

fn execution(update: &Update, step: &Step) -> Value {
    let mut message = Map::new();
    message.insert("@context".into(), context("fota/job-execution").into());
    message.insert("id".into(), step.id.as_str().into());
    message.insert("deviceId".into(), update.device.as_str().into());
    message.insert("lastUpdatedAt".into(), step.last_updated_at.as_str().into());
    message.insert("status".into(), step.status.as_str().into());
    if let Some(detail) = &step.status_detail {
        message.insert("statusDetail".into(), detail.as_str().into());
    }
    message.insert(
        "version".into(),
        step.version.as_deref().unwrap_or("unknown").into(),
    );
    message.into()
}

fn job(update: &Update) -> Value {
    let status = match update.state {
        State::New => "NEW",
        State::InProgress => "IN_PROGRESS",
        State::Ended(Ended::Succeeded) => "SUCCEEDED",
        State::Ended(Ended::Failed | Ended::TimedOut | Ended::Aborted) => "FAILED",
    };
    json!({
        "@context": context("fota/job"),
        "id": update.id,
        "deviceId": update.device,
        "timestamp": iso(update.timestamp),
        "status": status,
        "statusDetail": update.status_detail,
        "upgradePath": update.path.to_json(),
        "reportedVersion": update.reported_version,
    })
}

//! How a server is asked to do something on the air: an update, an operation on a device.
//!
//! The profile of a target names its adapter; the embedded server has `fotalab`, the admin face.

mod exec;
mod fotalab;

use std::{fmt, sync::Arc};

use fotalab_wire::net::{BoxFuture, Network};
use serde_json::{Map, Value};
use tokio::{sync::mpsc, task::JoinSet};

use self::{exec::Exec, fotalab::Fotalab};
use super::TargetError;
use crate::trace::Trace;

/// A server's way to be asked. All it is told and all it answers are those of the neutral admin
/// face (design, "server"), whatever the server's own API is like.
pub trait Adapter: Send + Sync + fmt::Debug {
    /// Takes a firmware image: `{id, sha256, length}`.
    fn image<'a>(&'a self, world: World<'a>, bytes: bytes::Bytes) -> Asked<'a>;

    /// Begins an update, `{device, image, transfer, version}`: `{id, state}`.
    fn update<'a>(&'a self, world: World<'a>, wanted: Value) -> Asked<'a>;

    /// Looks at an update: `{id, device, image, state, result, history}`.
    fn look<'a>(&'a self, world: World<'a>, update: &'a str) -> Asked<'a>;

    /// Takes an update back.
    fn cancel<'a>(&'a self, world: World<'a>, update: &'a str) -> Asked<'a>;

    /// Looks at a device: `{endpoint, registration, reported, …}`; without a registration that is
    /// null, also for a device that the server has never heard of.
    fn known<'a>(&'a self, world: World<'a>, endpoint: &'a str) -> Asked<'a>;

    /// Listens to what the server tells from now on: each event an object with `event`, its kind
    /// (registered, updated, notification, …), `endpoint`, and what belongs to it.
    fn listen<'a>(&'a self, world: World<'a>) -> BoxFuture<'a, Result<Listening, TargetError>>;

    /// Asks a device for something, `{operation, path, …}`: `{code, value, …}`.
    fn operate<'a>(&'a self, world: World<'a>, device: &'a str, operation: Value) -> Asked<'a>;
}

/// What a server tells, as it comes. Dropping it ends the listening.
#[derive(Debug)]
pub struct Listening {
    told: mpsc::UnboundedReceiver<Value>,
    _task: JoinSet<()>,
}

impl Listening {
    /// What has been told since the last call.
    pub(crate) fn take(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.told.try_recv().ok()).collect()
    }
}

/// What an adapter answers.
pub type Asked<'a> = BoxFuture<'a, Result<Value, TargetError>>;

/// The world that an adapter asks in, and the timeline on which it shows what it says.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Its network.
    pub network: &'a dyn Network,
    /// Its timeline.
    pub trace: &'a Trace,
}

/// The adapter of a name, with the target's variables.
///
/// # Errors
/// There is none of this name, or the target does not say what it needs.
pub(super) fn named(
    name: &str,
    command: &[String],
    variables: &Map<String, Value>,
) -> Result<Arc<dyn Adapter>, TargetError> {
    let doing = format!("ask the server by the adapter `{name}`");
    match name {
        "fotalab" => Fotalab::of_variables(variables)
            .map(|it| Arc::new(it) as Arc<_>)
            .ok_or_else(|| {
                let why = "the target gives no ADMINURL and ADMINTOKEN";
                TargetError::new(doing, why)
            }),
        "exec" if command.is_empty() => Err(TargetError::new(
            doing,
            "the target's profile does not say which program: [exec] command = [\"./adapter.py\"]",
        )),
        "exec" => Ok(Arc::new(Exec::new(command, variables))),
        "none" => Err(TargetError::new(
            doing,
            "the target's profile says that it cannot be asked; scenarios can use its own API with \
             REST steps",
        )),
        _ => Err(TargetError::new(
            doing,
            "fotalab has no such adapter yet; it has `fotalab` and `exec`",
        )),
    }
}

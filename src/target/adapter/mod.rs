//! How a server is asked to do something on the air: an update, an operation on a device.
//!
//! The profile of a target names its adapter; the embedded server has `fotalab`, the admin face.

mod fotalab;

use std::fmt;

use fotalab_wire::net::{BoxFuture, Network};
use serde_json::{Map, Value};

use self::fotalab::Fotalab;
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

    /// Asks a device for something, `{operation, path, …}`: `{code, value, …}`.
    fn operate<'a>(&'a self, world: World<'a>, device: &'a str, operation: Value) -> Asked<'a>;
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
    variables: &Map<String, Value>,
) -> Result<Box<dyn Adapter>, TargetError> {
    let doing = format!("ask the server by the adapter `{name}`");
    match name {
        "fotalab" => Fotalab::of_variables(variables)
            .map(|it| Box::new(it) as Box<_>)
            .ok_or_else(|| {
                let why = "the target gives no ADMINURL and ADMINTOKEN";
                TargetError::new(doing, why)
            }),
        "none" => Err(TargetError::new(
            doing,
            "the target's profile says that it cannot be asked; scenarios can use its own API with \
             REST steps",
        )),
        _ => Err(TargetError::new(
            doing,
            "fotalab has no such adapter yet; it has `fotalab`",
        )),
    }
}

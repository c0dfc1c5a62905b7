//! The rows of [`super::transitions`], in the order of the contract's section 1.2.

use super::State::{self, Downloaded, Downloading, Idle, Updating};
use super::UpdateResult::{self, self as R};
use super::transitions::{Basis, Event, Event as E, Transition};
use crate::coap::Code;
use crate::lwm2m::version::Version;

const CHANGED: &[Code] = &[Code::CHANGED];
const CONTINUE: &[Code] = &[Code::CONTINUE];
const NOT_ALLOWED: &[Code] = &[Code::METHOD_NOT_ALLOWED];
const NOTHING: &[Code] = &[];
const V1_0: Version = Version::V1_0;
const V1_1: Version = Version::V1_1;

const fn row(
    from: &'static [State],
    event: Event,
    to: State,
    result: Option<UpdateResult>,
    answers: &'static [Code],
    since: Version,
) -> Transition {
    Transition {
        from,
        event,
        to,
        result,
        answers,
        since,
        basis: Basis::Specification,
    }
}

/// The same, resting on what devices do.
const fn field(transition: Transition) -> Transition {
    Transition {
        basis: Basis::Field,
        ..transition
    }
}

/// 2.04 where the error shows only in the result, or an error on the last block of a push.
const PUSH_REFUSED: &[Code] = &[
    Code::CHANGED,
    Code::BAD_REQUEST,
    Code::REQUEST_ENTITY_TOO_LARGE,
    Code::UNSUPPORTED_CONTENT_FORMAT,
    Code::INTERNAL_SERVER_ERROR,
];
const URI_REFUSED: &[Code] = &[Code::CHANGED, Code::BAD_REQUEST];
const WRITE_REFUSED: &[Code] = &[Code::BAD_REQUEST, Code::METHOD_NOT_ALLOWED];
const EXECUTE_REFUSED: &[Code] = &[Code::BAD_REQUEST];

/// A download that was never seen as such ends from Idle: one message, or an error at once.
const ARRIVING: &[State] = &[Idle, Downloading];
const PENDING: &[State] = &[Downloading, Downloaded];

/// All rows. The specification's stand before those of the field.
#[rustfmt::skip]
pub const TABLE: &[Transition] = &[
    row(&[Idle], E::PackageBegins, Downloading, Some(R::Initial), CONTINUE, V1_0),
    row(ARRIVING, E::PackageComplete, Downloaded, Some(R::Initial), CHANGED, V1_0),
    row(&[Idle], E::UriWritten, Downloading, Some(R::Initial), CHANGED, V1_0),
    // "At the next practical opportunity": the download may begin later.
    row(&[Idle], E::UriWritten, Idle, Some(R::Initial), CHANGED, V1_0),
    row(ARRIVING, E::UriUnsupported, Idle, Some(R::UnsupportedProtocol), URI_REFUSED, V1_0),
    row(ARRIVING, E::UriInvalid, Idle, Some(R::InvalidUri), CHANGED, V1_0),
    row(ARRIVING, E::DownloadComplete, Downloaded, Some(R::Initial), NOTHING, V1_0),
    row(ARRIVING, E::OutOfFlash, Idle, Some(R::NotEnoughFlash), PUSH_REFUSED, V1_0),
    row(ARRIVING, E::OutOfRam, Idle, Some(R::OutOfRam), PUSH_REFUSED, V1_0),
    row(ARRIVING, E::ConnectionLost, Idle, Some(R::ConnectionLost), CHANGED, V1_0),
    row(ARRIVING, E::IntegrityFailure, Idle, Some(R::IntegrityFailure), PUSH_REFUSED, V1_0),
    row(ARRIVING, E::UnsupportedPackage, Idle, Some(R::UnsupportedPackage), PUSH_REFUSED, V1_0),
    // ETS 777 ends in state 1, devices in 0.
    field(row(ARRIVING, E::UnsupportedPackage, Downloading, Some(R::UnsupportedPackage), PUSH_REFUSED, V1_0)),
    row(&[Idle, Downloading, Downloaded], E::Reset, Idle, Some(R::Initial), CHANGED, V1_0),
    row(&[Updating], E::Reset, Updating, None, NOT_ALLOWED, V1_0),
    row(&[Downloading], E::OtherWrite, Downloading, None, WRITE_REFUSED, V1_0),
    row(&[Downloaded], E::OtherWrite, Downloaded, None, WRITE_REFUSED, V1_0),
    row(&[Updating], E::OtherWrite, Updating, None, NOT_ALLOWED, V1_0),
    // Zephyr takes a second URI without a word and without effect.
    field(row(&[Downloading], E::OtherWrite, Downloading, None, CHANGED, V1_0)),
    field(row(&[Downloaded], E::OtherWrite, Downloaded, None, CHANGED, V1_0)),
    row(&[Idle], E::Execute, Idle, None, NOT_ALLOWED, V1_0),
    row(&[Downloading], E::Execute, Downloading, None, NOT_ALLOWED, V1_0),
    row(&[Updating], E::Execute, Updating, None, NOT_ALLOWED, V1_0),
    row(&[Downloaded], E::Execute, Updating, Some(R::Initial), CHANGED, V1_0),
    // Wakaama's client.
    field(row(&[Idle], E::Execute, Idle, None, EXECUTE_REFUSED, V1_0)),
    row(&[Downloaded], E::ExecuteDeferred, Downloaded, Some(R::Deferred), CHANGED, V1_1),
    row(PENDING, E::Cancel, Idle, Some(R::Cancelled), CHANGED, V1_1),
    row(&[Idle], E::Cancel, Idle, None, NOT_ALLOWED, V1_1),
    row(&[Updating], E::Cancel, Updating, None, NOT_ALLOWED, V1_1),
    row(&[Downloaded], E::UpdateBegins, Updating, Some(R::Initial), NOTHING, V1_1),
    row(&[Updating], E::UpdateSucceeds, Idle, Some(R::Success), NOTHING, V1_0),
    row(&[Updating], E::UpdateFails, Downloaded, Some(R::UpdateFailed), NOTHING, V1_0),
    row(&[Updating], E::UpdateFails, Idle, Some(R::UpdateFailed), NOTHING, V1_1),
    row(&[Updating], E::InstallIntegrityFailure, Idle, Some(R::IntegrityFailure), NOTHING, V1_1),
    row(&[Idle], E::PowerCycle, Idle, None, NOTHING, V1_0),
    // Resumed, forgotten, or given up.
    row(&[Downloading], E::PowerCycle, Downloading, Some(R::Initial), NOTHING, V1_0),
    row(&[Downloading], E::PowerCycle, Idle, Some(R::Initial), NOTHING, V1_0),
    row(&[Downloading], E::PowerCycle, Idle, Some(R::ConnectionLost), NOTHING, V1_0),
    row(&[Downloaded], E::PowerCycle, Downloaded, None, NOTHING, V1_0),
    // The reboot of an update itself; it ends with one of the two events above.
    row(&[Updating], E::PowerCycle, Updating, None, NOTHING, V1_0),
    // Zephyr forgets where it was.
    field(row(&[Idle, Downloaded, Updating], E::PowerCycle, Idle, Some(R::Initial), NOTHING, V1_0)),
];

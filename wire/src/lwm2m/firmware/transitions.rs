//! What may happen to State and Update Result, as data (contract, sections 1.2 and 1.7).
//!
//! Server tests and device tests are both held against this table, through [`legal`].

use thiserror::Error;

use super::{State, UpdateResult};
use crate::lwm2m::code::Code;
use crate::lwm2m::version::Version;

use Event as E;
use State::{Downloaded, Downloading, Idle, Updating};
use UpdateResult as R;

/// What happens to the firmware object of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The first block of Package, more to come.
    PackageBegins,
    /// Package whole: in one message, or by its last block; and accepted.
    PackageComplete,
    /// A Package URI that can be pulled.
    UriWritten,
    /// A Package URI with a scheme that is not supported.
    UriUnsupported,
    /// A Package URI that is malformed or leads nowhere, noticed at once or when it is fetched.
    UriInvalid,
    /// A pull is done, all bytes are there and accepted.
    DownloadComplete,
    /// The image does not fit the flash.
    OutOfFlash,
    /// The image does not fit the memory.
    OutOfRam,
    /// The connection broke and did not come back, or there is no way to the data.
    ConnectionLost,
    /// The image is damaged, noticed while or after downloading.
    IntegrityFailure,
    /// The image is of no known kind.
    UnsupportedPackage,
    /// Empty Package URI, or NUL or empty Package.
    Reset,
    /// Package or Package URI with something else than a reset.
    OtherWrite,
    /// Execute of /5/0/2.
    Execute,
    /// Execute of /5/0/2, put off by the device.
    ExecuteDeferred,
    /// Execute of /5/0/10.
    Cancel,
    /// The device begins to update by itself: defer period over, user accepts, or automatic.
    UpdateBegins,
    /// The new firmware runs.
    UpdateSucceeds,
    /// The new firmware could not be installed.
    UpdateFails,
    /// The image turns out damaged when it is installed.
    InstallIntegrityFailure,
    /// Power comes back.
    PowerCycle,
}

/// On what a row rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The text of the specification.
    Specification,
    /// What real devices do where the text says nothing, or something else; to be accepted.
    Field,
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// States in which it can happen.
    pub from: &'static [State],
    /// What happens.
    pub event: Event,
    /// The state after it.
    pub to: State,
    /// The result after it; `None` when it stays what it was.
    pub result: Option<UpdateResult>,
    /// Codes that the request may be answered with; none where there is no request.
    pub answers: &'static [Code],
    /// The first version of object 5 with it.
    pub since: Version,
    /// On what it rests.
    pub basis: Basis,
}

/// A change that no row allows.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{event:?} in {from} may not lead to {to}, {result}; it may lead to {allowed}")]
pub struct Illegal {
    /// Before.
    pub from: State,
    /// What happened.
    pub event: Event,
    /// After.
    pub to: State,
    /// After.
    pub result: UpdateResult,
    /// What could have been, for people.
    pub allowed: String,
}

const CHANGED: &[Code] = &[Code::new(2, 4)];
const CONTINUE: &[Code] = &[Code::new(2, 31)];
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
    Code::new(2, 4),
    Code::BAD_REQUEST,
    Code::REQUEST_ENTITY_TOO_LARGE,
    Code::UNSUPPORTED_CONTENT_FORMAT,
    Code::new(5, 0),
];
const URI_REFUSED: &[Code] = &[Code::new(2, 4), Code::BAD_REQUEST];
const WRITE_REFUSED: &[Code] = &[Code::BAD_REQUEST, Code::METHOD_NOT_ALLOWED];
const EXECUTE_REFUSED: &[Code] = &[Code::BAD_REQUEST];

/// A download that was never seen as such ends from Idle: one message, or an error at once.
const ARRIVING: &[State] = &[Idle, Downloading];
const PENDING: &[State] = &[Downloading, Downloaded];

/// All rows.
pub const TABLE: &[Transition] = &[
    row(
        &[Idle],
        E::PackageBegins,
        Downloading,
        Some(R::Initial),
        CONTINUE,
        V1_0,
    ),
    row(
        ARRIVING,
        E::PackageComplete,
        Downloaded,
        Some(R::Initial),
        CHANGED,
        V1_0,
    ),
    row(
        &[Idle],
        E::UriWritten,
        Downloading,
        Some(R::Initial),
        CHANGED,
        V1_0,
    ),
    // "At the next practical opportunity": the download may begin later.
    row(
        &[Idle],
        E::UriWritten,
        Idle,
        Some(R::Initial),
        CHANGED,
        V1_0,
    ),
    row(
        ARRIVING,
        E::UriUnsupported,
        Idle,
        Some(R::UnsupportedProtocol),
        URI_REFUSED,
        V1_0,
    ),
    row(
        ARRIVING,
        E::UriInvalid,
        Idle,
        Some(R::InvalidUri),
        CHANGED,
        V1_0,
    ),
    row(
        ARRIVING,
        E::DownloadComplete,
        Downloaded,
        Some(R::Initial),
        NOTHING,
        V1_0,
    ),
    row(
        ARRIVING,
        E::OutOfFlash,
        Idle,
        Some(R::NotEnoughFlash),
        PUSH_REFUSED,
        V1_0,
    ),
    row(
        ARRIVING,
        E::OutOfRam,
        Idle,
        Some(R::OutOfRam),
        PUSH_REFUSED,
        V1_0,
    ),
    row(
        ARRIVING,
        E::ConnectionLost,
        Idle,
        Some(R::ConnectionLost),
        CHANGED,
        V1_0,
    ),
    row(
        ARRIVING,
        E::IntegrityFailure,
        Idle,
        Some(R::IntegrityFailure),
        PUSH_REFUSED,
        V1_0,
    ),
    row(
        ARRIVING,
        E::UnsupportedPackage,
        Idle,
        Some(R::UnsupportedPackage),
        PUSH_REFUSED,
        V1_0,
    ),
    // ETS 777 ends in state 1, devices in 0.
    field(row(
        ARRIVING,
        E::UnsupportedPackage,
        Downloading,
        Some(R::UnsupportedPackage),
        PUSH_REFUSED,
        V1_0,
    )),
    row(PENDING, E::Reset, Idle, Some(R::Initial), CHANGED, V1_0),
    row(&[Idle], E::Reset, Idle, Some(R::Initial), CHANGED, V1_0),
    row(&[Updating], E::Reset, Updating, None, NOT_ALLOWED, V1_0),
    row(
        PENDING,
        E::OtherWrite,
        Downloading,
        None,
        WRITE_REFUSED,
        V1_0,
    ),
    row(
        PENDING,
        E::OtherWrite,
        Downloaded,
        None,
        WRITE_REFUSED,
        V1_0,
    ),
    // Zephyr takes a second URI without a word and without effect.
    field(row(
        PENDING,
        E::OtherWrite,
        Downloading,
        None,
        CHANGED,
        V1_0,
    )),
    field(row(PENDING, E::OtherWrite, Downloaded, None, CHANGED, V1_0)),
    row(
        &[Updating],
        E::OtherWrite,
        Updating,
        None,
        NOT_ALLOWED,
        V1_0,
    ),
    row(&[Idle], E::Execute, Idle, None, NOT_ALLOWED, V1_0),
    row(
        &[Downloading],
        E::Execute,
        Downloading,
        None,
        NOT_ALLOWED,
        V1_0,
    ),
    row(&[Updating], E::Execute, Updating, None, NOT_ALLOWED, V1_0),
    // Wakaama's client.
    field(row(&[Idle], E::Execute, Idle, None, EXECUTE_REFUSED, V1_0)),
    row(
        &[Downloaded],
        E::Execute,
        Updating,
        Some(R::Initial),
        CHANGED,
        V1_0,
    ),
    row(
        &[Downloaded],
        E::ExecuteDeferred,
        Downloaded,
        Some(R::Deferred),
        CHANGED,
        V1_1,
    ),
    row(PENDING, E::Cancel, Idle, Some(R::Cancelled), CHANGED, V1_1),
    row(&[Idle], E::Cancel, Idle, None, NOT_ALLOWED, V1_1),
    row(&[Updating], E::Cancel, Updating, None, NOT_ALLOWED, V1_1),
    row(
        &[Downloaded],
        E::UpdateBegins,
        Updating,
        Some(R::Initial),
        NOTHING,
        V1_1,
    ),
    row(
        &[Updating],
        E::UpdateSucceeds,
        Idle,
        Some(R::Success),
        NOTHING,
        V1_0,
    ),
    row(
        &[Updating],
        E::UpdateFails,
        Downloaded,
        Some(R::UpdateFailed),
        NOTHING,
        V1_0,
    ),
    row(
        &[Updating],
        E::UpdateFails,
        Idle,
        Some(R::UpdateFailed),
        NOTHING,
        V1_1,
    ),
    row(
        &[Updating],
        E::InstallIntegrityFailure,
        Idle,
        Some(R::IntegrityFailure),
        NOTHING,
        V1_1,
    ),
    row(&[Idle], E::PowerCycle, Idle, None, NOTHING, V1_0),
    // Resumed, forgotten, or given up.
    row(
        &[Downloading],
        E::PowerCycle,
        Downloading,
        Some(R::Initial),
        NOTHING,
        V1_0,
    ),
    row(
        &[Downloading],
        E::PowerCycle,
        Idle,
        Some(R::Initial),
        NOTHING,
        V1_0,
    ),
    row(
        &[Downloading],
        E::PowerCycle,
        Idle,
        Some(R::ConnectionLost),
        NOTHING,
        V1_0,
    ),
    row(
        &[Downloaded],
        E::PowerCycle,
        Downloaded,
        None,
        NOTHING,
        V1_0,
    ),
    field(row(
        &[Downloaded, Updating, Idle],
        E::PowerCycle,
        Idle,
        Some(R::Initial),
        NOTHING,
        V1_0,
    )),
    // The reboot of an update itself; it ends with one of the two events above.
    row(&[Updating], E::PowerCycle, Updating, None, NOTHING, V1_0),
];

impl Transition {
    /// Whether this row describes a change, in object 5 of this version.
    #[must_use]
    pub fn allows(
        &self,
        version: Version,
        (from, before): (State, UpdateResult),
        (to, after): (State, UpdateResult),
    ) -> bool {
        // A row whose result stays also leaves the state as it was.
        let stays = self.result.is_none();
        self.since <= version
            && self.from.contains(&from)
            && self.to == to
            && (!stays || from == to)
            && self.result.unwrap_or(before) == after
    }
}

/// The row that allows a change by an event, for object 5 of this version; with no row, what could
/// have been. Of several the first counts, the specification's before the field's.
pub fn legal(
    version: Version,
    from: (State, UpdateResult),
    event: Event,
    to: (State, UpdateResult),
) -> Result<&'static Transition, Illegal> {
    let rows = || TABLE.iter().filter(|row| row.event == event);
    if let Some(row) = rows().find(|row| row.allows(version, from, to)) {
        return Ok(row);
    }
    let possible = rows().filter(|row| {
        let stays = row.result.is_none();
        row.since <= version && row.from.contains(&from.0) && (!stays || row.to == from.0)
    });
    let mut allowed: Vec<String> = possible
        .map(|row| format!("{}, {}", row.to, row.result.unwrap_or(from.1)))
        .collect();
    allowed.dedup();
    let allowed = if allowed.is_empty() {
        "nothing: it cannot happen there".to_owned()
    } else {
        allowed.join(" or ")
    };
    Err(Illegal {
        from: from.0,
        event,
        to: to.0,
        result: to.1,
        allowed,
    })
}

/// Whether any event at all leads from one to the other: for histories seen without their causes.
#[must_use]
pub fn possible(version: Version, from: (State, UpdateResult), to: (State, UpdateResult)) -> bool {
    from == to || TABLE.iter().any(|row| row.allows(version, from, to))
}

/// The first step of a history that no event explains, as the index of its second half.
#[must_use]
pub fn first_impossible(version: Version, history: &[(State, UpdateResult)]) -> Option<usize> {
    let step = |pair: &[(State, UpdateResult)]| possible(version, pair[0], pair[1]);
    history
        .windows(2)
        .position(|pair| !step(pair))
        .map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_and_a_pull_go_through() {
        let history = [
            (Idle, R::Initial),
            (Downloading, R::Initial),
            (Downloaded, R::Initial),
            (Updating, R::Initial),
            (Idle, R::Success),
        ];
        assert_eq!(first_impossible(V1_0, &history), None);
        let skipping = [
            (Idle, R::Initial),
            (Downloading, R::Initial),
            (Updating, R::Initial),
        ];
        assert_eq!(first_impossible(V1_0, &skipping), Some(2));
        assert!(possible(V1_0, (Idle, R::Initial), (Downloaded, R::Initial)));
        // The result must be reset when a download begins.
        assert!(!possible(
            V1_0,
            (Idle, R::Success),
            (Downloading, R::Success)
        ));
    }

    #[test]
    fn versions_differ_in_failure_cancel_and_deferral() {
        let failed = |version, to| {
            legal(
                version,
                (Updating, R::Initial),
                E::UpdateFails,
                (to, R::UpdateFailed),
            )
            .is_ok()
        };
        assert!(failed(V1_0, Downloaded) && !failed(V1_0, Idle));
        assert!(failed(V1_1, Downloaded) && failed(V1_1, Idle));
        let cancel = |version| {
            legal(
                version,
                (Downloaded, R::Initial),
                E::Cancel,
                (Idle, R::Cancelled),
            )
        };
        assert!(cancel(V1_1).is_ok());
        assert_eq!(
            cancel(V1_0).unwrap_err().to_string(),
            "Cancel in downloaded may not lead to idle, cancelled; it may lead to nothing: it cannot happen there"
        );
        let deferred = legal(
            V1_1,
            (Downloaded, R::Initial),
            E::ExecuteDeferred,
            (Downloaded, R::Deferred),
        );
        assert!(deferred.is_ok());
    }

    #[test]
    fn an_execute_without_an_image_changes_nothing_and_is_4_05() {
        for result in R::ALL {
            let row = legal(V1_0, (Idle, *result), E::Execute, (Idle, *result)).unwrap();
            assert_eq!(row.answers, NOT_ALLOWED);
            assert!(legal(V1_0, (Idle, *result), E::Execute, (Updating, R::Initial)).is_err());
        }
    }

    #[test]
    fn a_refused_write_leaves_the_state() {
        let write =
            |from, to| legal(V1_0, (from, R::Initial), E::OtherWrite, (to, R::Initial)).is_ok();
        assert!(
            write(Downloading, Downloading)
                && write(Downloaded, Downloaded)
                && write(Updating, Updating)
        );
        assert!(
            !write(Downloading, Downloaded)
                && !write(Downloaded, Downloading)
                && !write(Downloaded, Idle)
        );
    }

    #[test]
    fn every_result_is_reached_and_every_event_is_in_the_table() {
        for result in R::ALL {
            assert!(
                TABLE.iter().any(|row| row.result == Some(*result)),
                "{result}"
            );
        }
        // Success is told by nothing but a success, and only from Updating.
        for row in TABLE.iter().filter(|row| row.result == Some(R::Success)) {
            assert_eq!((row.event, row.from), (E::UpdateSucceeds, &[Updating][..]));
        }
    }
}

//! What may happen to State and Update Result, as data (contract, sections 1.2 and 1.7).
//!
//! Server tests and device tests are both held against this table, through [`legal`].

use thiserror::Error;

use super::{State, UpdateResult};
use crate::coap::Code;
use crate::lwm2m::version::Version;

pub use super::table::TABLE;

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

impl Transition {
    /// Whether this row describes a change, in object 5 of this version.
    #[must_use]
    pub fn allows(
        &self,
        version: Version,
        (from, before): (State, UpdateResult),
        (to, after): (State, UpdateResult),
    ) -> bool {
        self.since <= version
            && self.from.contains(&from)
            && self.to == to
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
    let possible = rows().filter(|row| row.since <= version && row.from.contains(&from.0));
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

/// The codes with which the request behind a legal change may be answered, the specification's
/// before the field's; none when there is no request, or the change is illegal.
pub fn answers(
    version: Version,
    from: (State, UpdateResult),
    event: Event,
    to: (State, UpdateResult),
) -> impl Iterator<Item = (Code, Basis)> {
    let rows = TABLE
        .iter()
        .filter(move |row| row.event == event && row.allows(version, from, to));
    rows.flat_map(|row| row.answers.iter().map(|code| (*code, row.basis)))
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
    use Event as E;
    use State::{Downloaded, Downloading, Idle, Updating};
    use UpdateResult as R;

    const V1_0: Version = Version::V1_0;
    const V1_1: Version = Version::V1_1;

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
            assert_eq!(row.answers, [Code::METHOD_NOT_ALLOWED]);
            let idle = (Idle, *result);
            let all: Vec<_> = answers(V1_0, idle, E::Execute, idle).collect();
            let field = (Code::BAD_REQUEST, Basis::Field);
            assert_eq!(
                all,
                [(Code::METHOD_NOT_ALLOWED, Basis::Specification), field]
            );
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

    /// A stay is a row of one state, and the specification's answer comes before the field's.
    #[test]
    fn the_table_is_in_order() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(row.result.is_some() || row.from == [row.to], "{row:?}");
            let later = TABLE[at..].iter().filter(|later| later.event == row.event);
            let bases: Vec<Basis> = later.map(|later| later.basis).collect();
            assert!(
                row.basis == Basis::Specification || !bases.contains(&Basis::Specification),
                "{row:?}"
            );
        }
    }

    #[test]
    fn every_result_is_reached_and_success_only_from_updating() {
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

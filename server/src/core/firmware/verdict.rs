//! What a device's Update Result means for what happens next (contract 1.3, X-FW-S27 and S28).

use crate::limits;

/// What follows from a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// 0: nothing is decided yet.
    Open,
    /// 1: the device says that it succeeded.
    Success,
    /// Another transfer may help, so often at most.
    Retry(u32),
    /// 11: the user of the device put it off.
    Deferred,
    /// The same would happen again.
    Final,
}

/// Classifies a result.
pub(super) fn of_result(result: i64) -> Verdict {
    match result {
        0 => Verdict::Open,
        1 => Verdict::Success,
        3 | 4 => Verdict::Retry(limits::MAX_FIRMWARE_RETRIES),
        8 => Verdict::Retry(limits::MAX_INSTALL_RETRIES),
        11 => Verdict::Deferred,
        _ => Verdict::Final,
    }
}

/// A result in words.
pub(super) fn name(result: i64) -> &'static str {
    match result {
        0 => "initial value",
        1 => "updated successfully",
        2 => "not enough flash memory",
        3 => "out of RAM while downloading",
        4 => "connection lost while downloading",
        5 => "integrity check failure",
        6 => "unsupported package type",
        7 => "invalid URI",
        8 => "firmware update failed",
        9 => "unsupported protocol",
        10 => "cancelled",
        11 => "deferred",
        _ => "a failure only its vendor knows",
    }
}

/// Whether the version that a device runs now is the new one. `None`: nobody can tell.
///
/// `expected` is what the image is said to hold; without it any change counts.
pub(super) fn runs_new_version(
    before: Option<&str>,
    expected: Option<&str>,
    now: Option<&str>,
) -> Option<bool> {
    match (expected, before, now) {
        (Some(expected), _, Some(now)) => Some(expected == now),
        (None, Some(before), Some(now)) => Some(before != now),
        _ => None,
    }
}

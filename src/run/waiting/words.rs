//! Times, spans and counts in words.

use chrono::DateTime;
use fotalab_wire::net::UnixMillis;

const DAY: UnixMillis = 86_400_000;

/// A time of the scenario's clock: `12:04:33`; on another day than `now` with its date.
pub(super) fn time(now: UnixMillis, at: UnixMillis) -> String {
    let seconds = at.div_euclid(1_000).rem_euclid(86_400);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    let clock = format!("{hours:02}:{minutes:02}:{:02}", seconds % 60);
    if at.div_euclid(DAY) == now.div_euclid(DAY) {
        return clock;
    }
    match DateTime::from_timestamp_millis(at) {
        Some(day) => format!("{clock} on {}", day.date_naive()),
        None => clock,
    }
}

pub(super) fn duration(millis: UnixMillis) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

/// `once`, or how often.
pub(super) fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

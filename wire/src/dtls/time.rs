//! From the time of a world to the `Instant`s that dimpl reckons in.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// The `Instant` that stands for the beginning of every world.
pub(super) fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "an Instant can only be had from the clock; from here on only durations are added"
    )]
    *ORIGIN.get_or_init(Instant::now)
}

/// What seeded sessions say for the seconds since 1970 when their world begins: dimpl puts them
/// into the first bytes of its randoms, and reads the machine's clock for it.
const SEEDED_UNIX_SECONDS: u32 = 4_000_000_000;

/// An origin for seeded sessions, so that the same seed makes the same bytes in every process.
///
/// dimpl ties `Instant`s to the machine's time once, at a moment it does not tell.
/// `unix_seconds(instant)` is what it makes of an instant; this finds the instant at which that
/// turns over to a new second and counts from there.
pub(super) fn seeded_origin(unix_seconds: impl Fn(Instant) -> Option<u32>) -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(|| find_seeded_origin(unix_seconds).unwrap_or_else(origin))
}

fn find_seeded_origin(unix_seconds: impl Fn(Instant) -> Option<u32>) -> Option<Instant> {
    // A little later than dimpl's own beginning, wherever that is.
    let start = origin().checked_add(Duration::from_secs(3_600))?;
    let before = unix_seconds(start)?;
    let (mut low, mut high) = (0_u64, 1_000_000_000_u64);
    while low < high {
        let middle = low.midpoint(high);
        if unix_seconds(start.checked_add(Duration::from_nanos(middle))?)? > before {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let turn = start.checked_add(Duration::from_nanos(low))?;
    let missing = SEEDED_UNIX_SECONDS.checked_sub(unix_seconds(turn)?)?;
    turn.checked_add(Duration::from_secs(u64::from(missing)))
}

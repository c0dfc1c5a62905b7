//! The time that drivers hand to the logic: the machine's, or tokio's paused one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMillis = i64;

/// Tells the time of the world it was made in.
///
/// It reads tokio's clock, so it stands still and jumps with a paused runtime. Copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: UnixMillis,
    started: Instant,
}

impl Clock {
    /// The machine's time, from now on steady (a change of the system time is not seen).
    #[must_use]
    pub fn of_machine() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where real time comes in"
        )]
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::starting_at(millis(since_epoch))
    }

    /// A clock that says `epoch` now and runs with tokio's.
    #[must_use]
    pub fn starting_at(epoch: UnixMillis) -> Self {
        Self {
            epoch,
            started: Instant::now(),
        }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.epoch.saturating_add(millis(self.started.elapsed()))
    }

    /// Time since this clock was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

fn millis(duration: Duration) -> UnixMillis {
    UnixMillis::try_from(duration.as_millis()).unwrap_or(UnixMillis::MAX)
}

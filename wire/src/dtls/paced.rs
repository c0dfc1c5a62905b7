//! A session whose clock stands still until its peer has shown that it is where it says.

use std::time::Duration;

use super::{Failure, Output, SecureSession};

/// A server's session.
///
/// HelloVerifyRequest is not sent again by itself (RFC 6347, 4.2.4): an address that may be forged
/// gets no more than it asked for. dimpl sends it again like any other flight when time passes; so no
/// time does, until the cookie has come back.
pub(super) struct Paced {
    session: Box<dyn SecureSession>,
    /// The time at which its clock stands.
    held: Option<Duration>,
    /// How far its clock is behind since then.
    behind: Duration,
}

impl Paced {
    /// A session that has just begun.
    pub(super) fn held(session: Box<dyn SecureSession>, now: Duration) -> Self {
        Self {
            session,
            held: Some(now),
            behind: Duration::ZERO,
        }
    }

    /// Lets its time pass from now on.
    pub(super) fn release(&mut self, now: Duration) {
        if let Some(held) = self.held.take() {
            self.behind = now.saturating_sub(held);
        }
    }

    fn its(&self, now: Duration) -> Duration {
        self.held.unwrap_or_else(|| now.saturating_sub(self.behind))
    }
}

impl SecureSession for Paced {
    fn handle_datagram(&mut self, now: Duration, datagram: &[u8]) -> Result<(), Failure> {
        self.session.handle_datagram(self.its(now), datagram)
    }

    fn handle_timeout(&mut self, now: Duration) -> Result<(), Failure> {
        self.session.handle_timeout(self.its(now))
    }

    fn send(&mut self, now: Duration, plaintext: &[u8]) -> Result<(), Failure> {
        self.session.send(self.its(now), plaintext)
    }

    fn close(&mut self, now: Duration) {
        self.session.close(self.its(now));
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.session.poll_output()
    }

    fn poll_timeout(&self) -> Option<Duration> {
        if self.held.is_some() {
            return None;
        }
        let its = self.session.poll_timeout()?;
        Some(its.saturating_add(self.behind))
    }
}

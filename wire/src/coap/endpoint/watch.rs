//! An observation of ours (RFC 7641 3).

use std::time::Duration;

use super::calls::Stage;
use super::outgoing::Urgency;
use super::peer::{Peer, Shared};
use super::peers::PeerKey;
use crate::coap::message::Token;

/// What decides whether a notification is fresh, and when one is missed.
#[derive(Debug)]
pub(super) struct Watch {
    /// Of the registration: the only thing that says whose a notification is.
    pub(super) token: Token,
    pub(super) max_age: Duration,
    sequence: u32,
    at: Duration,
}

impl Watch {
    pub(super) fn new(now: Duration, token: Token, sequence: u32) -> Self {
        Self {
            token,
            max_age: Duration::from_secs(60),
            sequence,
            at: now,
        }
    }

    /// RFC 7641 3.4: takes a notification unless a newer one came before it.
    pub(super) fn take(&mut self, now: Duration, sequence: u32) -> bool {
        let (v1, v2) = (self.sequence, sequence & 0x00ff_ffff);
        let fresh = (v1 < v2 && v2 - v1 < 1 << 23)
            || (v1 > v2 && v1 - v2 > 1 << 23)
            || now > self.at + Duration::from_secs(128);
        if fresh {
            self.sequence = v2;
            self.at = now;
        }
        fresh
    }
}

impl<P: PeerKey> Peer<P> {
    /// Waits for the next notification.
    pub(super) fn rest(&mut self, shared: &mut Shared<P>, now: Duration, serial: u64) {
        let grace = Duration::from_secs(5) + Duration::from_secs(10).mul_f64(shared.fraction());
        let Some(call) = self.call_mut(serial) else {
            return;
        };
        let Some(watch) = &call.watch else {
            return;
        };
        let refresh = call.request.observe.is_some_and(|observe| observe.refresh);
        call.stage = Stage::Watching;
        call.deadline = refresh.then_some(now + watch.max_age + grace);
    }

    /// RFC 7641 3.3.1: the same request with the same token.
    pub(super) fn register_again(&mut self, shared: &mut Shared<P>, now: Duration, serial: u64) {
        if let Some(call) = self.call_mut(serial)
            && call.watch.is_some()
            && call.stage == Stage::Watching
        {
            call.observe = Some(0);
            call.deadline = None;
            self.start(shared, now, serial, Urgency::Request);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7641 3.4, with sequence numbers around the wrap of 24 bits.
    #[test]
    fn fresh_and_stale() {
        let second = Duration::from_secs(1);
        let fresh =
            |v1, v2, after| Watch::new(second, Token::default(), v1).take(second + after, v2);
        assert!(fresh(1, 2, second));
        assert!(!fresh(2, 1, second));
        assert!(!fresh(2, 2, second));
        assert!(fresh(0, (1 << 23) - 1, second));
        assert!(!fresh(0, 1 << 23, second));
        assert!(fresh(0x00ff_ffff, 0, second));
        assert!(!fresh(0, 0x00ff_ffff, second));
        assert!(!fresh(2, 1, Duration::from_secs(128)));
        assert!(fresh(2, 1, Duration::from_millis(128_001)));
    }
}

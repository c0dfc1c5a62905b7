//! On and off: the switch, power cuts, the radio; and what a device forgets by each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fotalab_wire::coap;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use super::registration::Registration;
use super::{Device, Event, Kind, Peer, Power};

impl Device {
    /// Starts, and registers.
    pub fn switch_on(&mut self, now: Duration) {
        self.starts += 1;
        self.power = Power::On;
        self.renew_endpoint();
        self.events.push_back(Event::On);
        if self.starts > 1 {
            self.firmware.start(now);
        }
        self.stay_awake(now);
        self.register(now);
        self.settle(now);
    }

    /// Starts by itself at that time, if it is off.
    pub fn switch_on_at(&mut self, at: Duration) {
        if let Power::Off(until) = &mut self.power {
            *until = Some(at);
        }
    }

    /// Goes dark at once, as by a power cut, and starts again after a reboot's time.
    pub fn cut_power(&mut self, now: Duration) {
        self.go_dark(now, Some(self.kind.persona.reboot), false);
    }

    /// Its radio goes off: what is under way is cut, a download waits. It stays on.
    pub fn go_offline(&mut self, now: Duration) {
        if self.power != Power::On || self.offline {
            return;
        }
        self.offline = true;
        self.firmware.pause();
        self.forget_peers();
        self.settle(now);
        while self.coap.poll_transmit().is_some() {}
        self.out.clear();
        self.events.push_back(Event::Off);
    }

    /// Its radio is on again: it registers, and a download goes on where it was.
    pub fn go_online(&mut self, now: Duration) {
        if !std::mem::take(&mut self.offline) {
            return;
        }
        self.events.push_back(Event::On);
        self.stay_awake(now);
        self.firmware.go_on(now);
        self.register(now);
        self.settle(now);
    }

    // Helpers.

    pub(super) fn go_dark(&mut self, now: Duration, after: Option<Duration>, deregister: bool) {
        self.tell_steps(now);
        self.flush_sends(now);
        if deregister {
            self.deregister(now);
        }
        while let Some(transmit) = self.coap.poll_transmit() {
            self.out.push_back(transmit);
        }
        self.power = Power::Off(after.map(|after| now + after));
        self.forget_peers();
        self.attributes = BTreeMap::new();
        self.sends = VecDeque::new();
        self.reboot_at = None;
        self.offline = false;
        self.events.push_back(Event::Off);
    }

    pub(super) fn make_endpoint(kind: &Kind, seed: u64) -> coap::Endpoint<Peer> {
        coap::Endpoint::new(Arc::clone(&kind.coap), SmallRng::seed_from_u64(seed))
    }

    /// Other message ids and tokens than before: a peer may remember the old ones.
    fn renew_endpoint(&mut self) {
        self.endpoints += 1;
        let seed = self.setup.seed ^ self.endpoints.rotate_left(32);
        self.coap = Self::make_endpoint(&self.kind, seed);
    }

    /// All that it knows of others is gone: its registration, observations, exchanges.
    fn forget_peers(&mut self) {
        self.renew_endpoint();
        self.registration = Registration::new(&self.kind.persona);
        self.observed = Vec::new();
        self.pending = Vec::new();
        self.fetch = None;
    }
}

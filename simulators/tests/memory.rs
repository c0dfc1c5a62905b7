//! What one device of a fleet takes in memory, by a counting allocator, against the design's budgets.

use std::alloc::System;
use std::time::Duration;

use fotalab_simulators::device::drive::Fleet;
use fotalab_simulators::device::{Persona, Phase};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[path = "air/host.rs"]
mod host;
#[path = "air/lab.rs"]
#[expect(dead_code, reason = "these devices are only registered")]
mod lab;

use lab::{Lab, Way};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const DEVICES: usize = 300;
/// The design: one simulated device over UDP, registered and idle.
const OVER_UDP: usize = 4 * 1_024;
/// The same while a server observes three of its resources: room for what that takes.
const OBSERVED: usize = 512;
/// The same with its DTLS session.
const OVER_DTLS: usize = 12 * 1_024;

/// Bytes that come back when a fleet is dropped, for each device.
fn kept(lab: &mut Lab) -> usize {
    let region = Region::new(ALLOCATOR);
    drop(std::mem::replace(&mut lab.fleet, Fleet::new()));
    let change = region.change();
    (change.bytes_deallocated - change.bytes_allocated) / DEVICES
}

fn registered(secure: bool, observed: bool) -> Lab {
    let mut lab = Lab::new(secure, Way::Pull, Persona::default(), DEVICES);
    lab.idle = true;
    lab.observes = observed;
    lab.run_until(Duration::from_secs(60), |_| false);
    let phases = (0..DEVICES).map(|it| lab.fleet.device(it).expect("there").phase());
    assert!(phases.into_iter().all(|phase| phase == Phase::Registered));
    while lab.fleet.poll_event().is_some() {}
    lab
}

/// One test, since the allocator counts for all threads.
#[test]
fn a_device_stays_within_its_budgets() {
    let mut made = Lab::new(false, Way::Pull, Persona::default(), DEVICES);
    println!("made: {} bytes a device", kept(&mut made));
    for (secure, budget) in [(false, OVER_UDP), (true, OVER_DTLS)] {
        let bytes = kept(&mut registered(secure, false));
        let observed = kept(&mut registered(secure, true));
        let how = if secure { "DTLS" } else { "UDP" };
        println!("registered over {how}: {bytes} bytes a device, {observed} when observed");
        assert!(bytes <= budget, "{bytes} over {how}");
        assert!(
            observed <= budget + OBSERVED,
            "{observed} over {how}, observed"
        );
    }
}

//! Each named fault in a fleet, by push and by pull, over UDP and over DTLS.

use std::time::Duration;

use fotalab_simulators::device::{Fault, Faults, Persona};

use crate::lab::{Lab, Way};

/// Where a device ends that has this fault, when a server tries three times: the state, the
/// result and the version of the device, by push and by pull. `None`: the fault is none of this
/// way's.
type End = Option<(u8, u8, &'static str)>;

const UPDATED: End = Some((0, 1, "2.0.0"));

fn ends(fault: Fault) -> (End, End) {
    use Fault as F;
    let both = |state, result, version| {
        (
            Some((state, result, version)),
            Some((state, result, version)),
        )
    };
    match fault {
        F::OutOfFlash => both(0, 2, "1.0.0"),
        F::OutOfMemory => both(0, 3, "1.0.0"),
        F::CorruptsFlash => both(0, 5, "1.0.0"),
        F::RejectsPackageType => both(0, 6, "1.0.0"),
        F::LosesConnection => (None, Some((0, 4, "1.0.0"))),
        F::ReportsOldVersion => both(0, 1, "2.0.0"),
        F::ForgetsResult => both(0, 0, "2.0.0"),
        F::FailsToInstall | F::RollsBack => both(2, 8, "1.0.0"),
        F::NeverComesBack => both(3, 0, "1.0.0"),
        F::RollsBackSilently => both(0, 1, "1.0.0"),
        F::RefusesLargePackages => (Some((0, 0, "1.0.0")), None),
        // This server does not ask whose it is.
        F::StartsDownloaded => both(0, 1, "0.0.0-foreign"),
        F::RefusesExecute => both(2, 0, "1.0.0"),
        F::NeverFetches => (None, Some((0, 0, "1.0.0"))),
        // What it had is void, and a server that tries again gets through.
        F::ResumesWrong => (None, UPDATED),
        _ => (UPDATED, UPDATED),
    }
}

/// Faults that need something that these runs do not have, and are tested where it is: a lost
/// connection, an image that is wrong, a second URI, a Cancel, a refused registration.
const ELSEWHERE: [Fault; 13] = [
    Fault::FindsCorruptionAtInstall,
    Fault::FindsOversizeAtInstall,
    Fault::HangsOnConnectionLoss,
    Fault::ClaimsDownloaded,
    Fault::StuckUntilReboot,
    Fault::IgnoresSecondUri,
    Fault::AcceptsUnsupportedScheme,
    Fault::WritesFirstBlockTwice,
    Fault::RejectsRepeatedBlock,
    Fault::KeepsOldPush,
    Fault::InstallsAfterCancel,
    Fault::RollsBackUnregistered,
    Fault::DoesNotReregister,
];

fn run(fault: Fault, way: Way, secure: bool) -> Lab {
    let faults = Faults::default().with(fault);
    let text = match fault {
        Fault::DefersUpdate => "firmware-object = \"1.1\"",
        _ => "protocols = [\"coap\", \"coaps\"]",
    };
    let persona = Persona {
        faults,
        protocols: Persona::read("protocols = [\"coap\", \"coaps\"]")
            .expect("good")
            .protocols,
        ..Persona::read(text).expect("good")
    };
    let mut lab = Lab::new(secure, way, persona, 1);
    lab.run_until(Duration::from_secs(3 * 3_600), Lab::is_done);
    // What happens behind the server's back.
    lab.run(900);
    lab
}

#[test]
fn every_fault_ends_the_same_over_udp_and_dtls() {
    for fault in Fault::ALL.iter().filter(|it| !ELSEWHERE.contains(it)) {
        let (push, pull) = ends(*fault);
        for (way, end) in [
            (Way::Push, push),
            (Way::Pull, pull),
            (Way::PullElsewhere, pull),
        ] {
            let Some((state, result, version)) = end else {
                continue;
            };
            let plain = run(*fault, way, false);
            let secure = run(*fault, way, true);
            let what = format!("`{fault}` by {way:?}");
            let last = |lab: &Lab| *lab.states(0).last().expect("one");
            assert_eq!(
                last(&plain),
                (state, result),
                "{what}: {:?}",
                plain.states(0)
            );
            assert_eq!(plain.running(0), version, "{what}");
            assert_eq!(secure.states(0), plain.states(0), "{what} over DTLS");
            assert_eq!(secure.running(0), version, "{what} over DTLS");
            assert!(secure.server.sessions > 0, "{what}");
        }
    }
}

/// A device for each fault, in one fleet: no one of them holds up another.
#[test]
fn a_fleet_of_all_faults_ends() {
    use fotalab_simulators::device::drive::Fleet;
    use fotalab_simulators::device::{Kind, Peer, Setup};
    use std::sync::Arc;

    let mut lab = Lab::new(false, Way::Push, Persona::default(), 0);
    let mut fleet = Fleet::new();
    for (index, fault) in Fault::ALL.iter().enumerate() {
        let kind = Arc::new(Kind::new(Persona::default().with(*fault)));
        let setup = Setup {
            endpoint: format!("device-{index}"),
            firmware: "1.0.0".to_owned(),
            server: Peer {
                address: lab.server.address,
                secure: false,
            },
            seed: index as u64,
        };
        fleet.add(Duration::ZERO, &kind, setup, Duration::ZERO, None);
    }
    lab.fleet = fleet;
    lab.run(4 * 3_600);
    let census = lab.fleet.census();
    // Those that may stay as they are: it installs for ever, or says no to Execute.
    let open: Vec<_> = Fault::ALL
        .iter()
        .enumerate()
        .filter(|(index, _)| {
            let states = lab.states(*index);
            let (state, result) = states.last().copied().expect("one");
            !(state == 0 || (state, result) == (2, 8))
        })
        .map(|(_, fault)| *fault)
        .collect();
    assert_eq!(open, [Fault::NeverComesBack, Fault::RefusesExecute]);
    assert_eq!(census.stalled, 0);
}

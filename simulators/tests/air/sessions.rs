//! DTLS sessions of devices: with a server that restarts, with a file server that goes away.

use std::time::Duration;

use fotalab_simulators::device::{Event, Persona};
use sha2::{Digest as _, Sha256};

use crate::lab::{Lab, Way};

fn persona(text: &str) -> Persona {
    Persona::read(&format!("protocols = [\"coap\", \"coaps\"]\n{text}")).expect("good")
}

fn until_half(lab: &mut Lab) {
    lab.run_until(Duration::from_secs(600), |lab| {
        let device = lab.fleet.device(0).expect("there");
        device.firmware().received() >= 10_240
    });
}

fn until_downloaded(lab: &mut Lab) {
    let end = lab.now + Duration::from_secs(3_600);
    lab.run_until(end, |lab| lab.states(0).contains(&(2, 0)));
    let device = lab.fleet.device(0).expect("there");
    let flashed = device.firmware().flashed().expect("a package");
    let hash: [u8; 32] = Sha256::digest(&lab.image).into();
    assert_eq!(flashed.sha256, hash);
}

#[test]
fn x_fw_c20_the_file_server_goes_down_in_the_middle_and_comes_back_later() {
    let mut lab = Lab::new(true, Way::PullElsewhere, persona(""), 1);
    until_half(&mut lab);
    assert_eq!((lab.server.sessions, lab.files.sessions), (1, 1));
    lab.files.down = true;
    lab.run(60);
    let received = lab.fleet.device(0).expect("there").firmware().received();
    lab.files.down = false;
    lab.files.restart();
    until_downloaded(&mut lab);
    assert_eq!(lab.files.sessions, 2, "with a new ClientHello");
    assert_eq!(
        lab.server.sessions, 1,
        "the session with its server is another one"
    );
    assert!(received >= 10_240);
    let lost = |(_, event): &(usize, Event)| matches!(event, Event::FileServerUnanswered(_));
    assert_eq!(lab.told.iter().filter(|it| lost(it)).count(), 1);
}

#[test]
fn x_fw_c20_the_file_server_stays_away() {
    let mut lab = Lab::new(true, Way::PullElsewhere, persona("fetch-retries = 1"), 1);
    until_half(&mut lab);
    lab.files.down = true;
    let end = lab.now + Duration::from_secs(900);
    lab.run_until(end, |lab| lab.states(0).last() == Some(&(0, 4)));
    assert_eq!(lab.states(0), [(0, 0), (1, 0), (0, 4)]);
}

/// A pull from the server itself goes over the session that is there (contract 1.5).
#[test]
fn a_pull_from_the_server_uses_its_session() {
    let mut lab = Lab::new(true, Way::Pull, persona(""), 1);
    until_downloaded(&mut lab);
    assert_eq!(lab.server.sessions, 1);
}

#[test]
fn x_fw_s31_the_server_restarts_in_the_middle_of_a_pull() {
    let mut lab = Lab::new(true, Way::Pull, persona(""), 1);
    until_half(&mut lab);
    lab.server.restart();
    until_downloaded(&mut lab);
    assert_eq!(lab.server.sessions, 2);
    let registered = lab
        .told
        .iter()
        .filter(|(_, it)| matches!(it, Event::Registered(_)));
    assert_eq!(registered.count(), 2, "a new session begins with Register");
}

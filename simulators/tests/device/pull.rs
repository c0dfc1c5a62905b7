//! Pulls under bad conditions: section 3.6, C20 to C29.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use fotalab_simulators::device::{Event, Persona};
use fotalab_wire::coap::message::number;
use fotalab_wire::coap::{Code, Kind, Message, MessageView};
use fotalab_wire::image;
use sha2::{Digest as _, Sha256};

use crate::rig::{Rig, elsewhere};

const URI: &str = "coap://127.0.0.1:5683/fw";
const ELSEWHERE: &str = "coap://127.0.0.1:5700/fw";

fn firmware() -> Vec<u8> {
    image::build("2.0.0", 20_000, 3).expect("fits")
}

fn serving(persona: Persona) -> Rig {
    let mut rig = Rig::new(persona);
    rig.file = Some((Bytes::from(firmware()), b"one".to_vec()));
    rig
}

fn until_downloaded(rig: &mut Rig) {
    rig.until("state 2", |rig| rig.seen().0 == 2);
    let hash: [u8; 32] = Sha256::digest(firmware()).into();
    assert_eq!(rig.device.firmware().flashed().expect("one").sha256, hash);
}

fn until_half(rig: &mut Rig) {
    rig.until("half", |rig| rig.device.firmware().received() > 10_000);
}

#[test]
fn x_fw_c22_errors_of_the_file_server() {
    for (code, result) in [
        (Code::NOT_FOUND, 7),
        (Code::INTERNAL_SERVER_ERROR, 4),
        (Code::CREATED, 4),
    ] {
        let mut rig = Rig::new(Persona::default());
        rig.file_code = Some(code);
        assert_eq!(rig.put("/5/0/1", URI), Code::CHANGED);
        rig.until("its result", |rig| {
            rig.seen() == (0, result, "1.0.0".into())
        });
    }
}

#[test]
fn x_fw_c24_each_request_is_lost_as_often_as_its_number_says() {
    let mut rig = serving(Persona::default());
    let mut seen: BTreeMap<u32, u32> = BTreeMap::new();
    rig.lets_through = Some(Box::new(move |to_device, bytes| {
        let view = MessageView::parse(bytes).expect("good");
        let block = view.block(number::BLOCK2).filter(|_| !to_device);
        let Some(block) = block else {
            return true;
        };
        let times = seen.entry(block.number).or_default();
        *times += 1;
        *times > block.number % 4
    }));
    assert_eq!(rig.put("/5/0/1", URI), Code::CHANGED);
    until_downloaded(&mut rig);
    assert_eq!(rig.file_requests, 20, "each block once");
}

#[test]
fn x_fw_c25_the_server_goes_on_asking() {
    for (nstart, uri) in [(1, URI), (2, URI), (1, ELSEWHERE)] {
        let mut rig = serving(Persona {
            nstart,
            lifetime: Duration::from_secs(60),
            ack_timeout: Duration::from_secs(2),
            flash_bytes_per_second: 500,
            ..Persona::default()
        });
        assert_eq!(rig.put("/5/0/1", uri), Code::CHANGED);
        let id = rig.observe("/5/0/3");
        rig.until("begun", |rig| rig.device.firmware().received() > 0);
        while rig.seen().0 == 1 {
            assert_eq!(rig.text("/3/0/3").1, "1.0.0");
            assert_eq!(rig.text("/3/0/0").0, "2.05");
            rig.run(5);
        }
        until_downloaded(&mut rig);
        assert_eq!(rig.file_requests, 20, "{uri}");
        assert!(
            !rig.updates().is_empty(),
            "it updated its registration meanwhile"
        );
        rig.run(5);
        assert_eq!(rig.notified(id).last().map(String::as_str), Some("2"));
    }
}

#[test]
fn x_fw_c26_unrelated_requests_of_the_file_server() {
    let mut rig = serving(Persona::default());
    assert_eq!(rig.put("/5/0/1", ELSEWHERE), Code::CHANGED);
    let mut id = 0;
    while rig.seen().0 != 2 {
        rig.until("more", |rig| rig.seen().0 > 0);
        let before = rig.device.firmware().received();
        for (kind, code) in [
            (Kind::Confirmable, Code::GET),
            (Kind::Confirmable, Code::DELETE),
            (Kind::NonConfirmable, Code::POST),
        ] {
            id += 1;
            let mut message = Message::new(kind, code, id);
            message.options.push_path("/5/0/2");
            let answers = rig.raw_from(elsewhere(), &message.to_bytes());
            assert!(
                answers.iter().all(|it| it.kind == Kind::Reset),
                "{answers:?}"
            );
        }
        rig.until("a block", |rig| {
            rig.seen().0 == 2 || rig.device.firmware().received() > before
        });
    }
    until_downloaded(&mut rig);
    assert_eq!(rig.file_requests, 20);
}

#[test]
fn x_fw_c27_offline_in_the_middle_and_on_again() {
    for (seconds, uri) in [(1, URI), (300, URI), (5_000, URI), (60, ELSEWHERE)] {
        let mut rig = serving(Persona::default());
        assert_eq!(rig.put("/5/0/1", uri), Code::CHANGED);
        until_half(&mut rig);
        let received = rig.device.firmware().received();
        rig.events.clear();
        rig.device.go_offline(rig.now);
        // What was on its way arrives still.
        rig.run(1);
        let asked = rig.file_requests;
        rig.run(seconds);
        assert_eq!(rig.file_requests, asked, "nothing is sent meanwhile");
        assert_eq!(rig.device.firmware().received(), received);
        assert_eq!(rig.seen().0, 1);
        // A driver takes another port, and forgets its DTLS sessions.
        assert!(rig.events.contains(&Event::Off));
        rig.device.go_online(rig.now);
        until_downloaded(&mut rig);
        assert_eq!(rig.registrations(), 2);
        assert!(
            rig.file_requests <= 21,
            "{}: from where it was",
            rig.file_requests
        );
    }
}

#[test]
fn x_fw_c27_offline_before_the_first_block_and_when_idle() {
    let mut rig = serving(Persona::default());
    assert_eq!(rig.put("/5/0/1", URI), Code::CHANGED);
    rig.device.go_offline(rig.now);
    rig.run(60);
    assert_eq!((rig.seen().0, rig.file_requests), (0, 0));
    rig.device.go_online(rig.now);
    until_downloaded(&mut rig);
    let mut idle = Rig::usual();
    idle.device.go_offline(idle.now);
    idle.run(5);
    assert_eq!(idle.raw_from(crate::rig::server(), &[0x40, 0, 0, 1]), []);
    idle.device.go_online(idle.now);
    idle.until_registered();
    assert_eq!(idle.text("/5/0/3").1, "0");
}

#[test]
fn x_fw_c29_the_result_is_told_only_after_the_reboot() {
    for (faults, result, version) in [
        ("faults = []", "1", "2.0.0"),
        ("faults = [\"fails to install\"]", "8", "1.0.0"),
    ] {
        let mut rig = serving(Persona::read(faults).expect("good"));
        rig.put("/5/0/1", URI);
        until_downloaded(&mut rig);
        assert_eq!(rig.execute("/5/0/2"), Some(Code::CHANGED));
        assert_eq!(rig.text("/5/0/5").1, "0", "not yet");
        rig.until("again", |rig| rig.registrations() == 2);
        rig.until_registered();
        assert_eq!(rig.text("/5/0/5").1, result);
        assert_eq!(rig.text("/3/0/3").1, version);
    }
}

/// Contract 5.2, 12: a bad link is swamped, and the image is right all the same.
#[test]
fn x_fw_s15_a_device_that_asks_many_times() {
    let mut rig =
        serving(Persona::read("faults = [\"asks for each block in 3 copies\"]").expect("good"));
    rig.put("/5/0/1", URI);
    until_downloaded(&mut rig);
    assert_eq!(rig.file_requests, 60, "three requests a block");
}

#[test]
fn x_fw_c14_automatic_upgrade_of_object_1_2() {
    let persona = "firmware-object = \"1.2\"";
    let mut rig = serving(Persona::read(persona).expect("good"));
    assert_eq!(rig.text("/5/0/14").1, "0");
    assert_eq!(rig.put("/5/0/14", "1"), Code::CHANGED);
    rig.put("/5/0/1", URI);
    rig.until("by itself", |rig| rig.seen() == (0, 1, "2.0.0".into()));
    assert_eq!(rig.states(), [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1)]);
    let mut old = Rig::usual();
    assert_eq!(old.get("/5/0/14", None).code, Code::NOT_FOUND);
    assert_eq!(old.put("/5/0/14", "1"), Code::NOT_FOUND);
}

/// Contract 5.2, 35 and 36.
#[test]
fn faults_around_the_update_itself() {
    let mut rig = Rig::with("installs although it was cancelled");
    rig.push(&firmware(), 1_024);
    assert_eq!(rig.execute("/5/0/10"), Some(Code::CHANGED));
    assert_eq!((rig.seen().0, rig.seen().1), (0, 10));
    rig.until("installed", |rig| rig.seen() == (0, 1, "2.0.0".into()));
    let mut rig = Rig::with("rolls back when it cannot register after 3 tries");
    rig.push(&firmware(), 1_024);
    rig.execute("/5/0/2");
    rig.register_code = Code::FORBIDDEN;
    rig.until("back", |rig| rig.seen() == (0, 8, "1.0.0".into()));
    rig.register_code = Code::CREATED;
    rig.until_registered();
    assert_eq!(rig.text("/3/0/3").1, "1.0.0");
}

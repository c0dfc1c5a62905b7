//! Firmware update: sections 3.5 and 3.6.

use std::time::Duration;

use bytes::Bytes;
use fotalab_simulators::device::persona::Delivery;
use fotalab_simulators::device::{Fault, Persona};
use fotalab_wire::coap::{Code, Request};
use fotalab_wire::image;
use sha2::{Digest as _, Sha256};

use crate::rig::Rig;

const URI: &str = "coap://127.0.0.1:5683/fw";

fn firmware() -> Vec<u8> {
    image::build("2.0.0", 20_000, 3).expect("fits")
}

fn serving(mut rig: Rig, etag: &[u8]) -> Rig {
    rig.file = Some((Bytes::from(firmware()), etag.to_vec()));
    rig
}

fn seen(state: u8, result: u8, version: &str) -> (u8, u8, String) {
    (state, result, version.to_owned())
}

fn until_state(rig: &mut Rig, state: u8) {
    rig.until("the state", |rig| rig.seen().0 == state);
}

#[test]
fn ets_751_the_readable_resources() {
    let mut rig = Rig::usual();
    for (path, value) in [("/5/0/3", "0"), ("/5/0/5", "0"), ("/5/0/9", "2")] {
        assert_eq!(rig.text(path).1, value, "{path}");
    }
}

#[test]
fn ets_755_770_success_by_push() {
    for size in [16, 256, 1_024] {
        let mut rig = Rig::usual();
        let state = rig.observe("/5/0/3");
        assert_eq!(
            rig.ask(Request::put("/5/0/0", vec![0]).format(42))
                .expect("it")
                .code,
            Code::CHANGED
        );
        assert_eq!(rig.push(&firmware(), size), Some(Code::CHANGED));
        assert_eq!(rig.seen(), seen(2, 0, "1.0.0"));
        let flashed: [u8; 32] = Sha256::digest(firmware()).into();
        assert_eq!(
            rig.device.firmware().flashed().expect("some").sha256,
            flashed
        );
        assert_eq!(rig.execute("/5/0/2"), Some(Code::CHANGED));
        rig.until("again", |rig| rig.registrations() == 2);
        rig.until_registered();
        assert_eq!(rig.text("/5/0/3").1, "0");
        assert_eq!(rig.text("/5/0/5").1, "1");
        assert_eq!(rig.text("/3/0/3").1, "2.0.0");
        // X-FW-C08: 1, 2, 3 in order.
        assert_eq!(rig.notified(state), ["0", "1", "2", "3"]);
        assert_eq!(rig.states(), [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1)]);
    }
}

#[test]
fn ets_756_771_success_by_pull() {
    let mut rig = serving(Rig::usual(), b"one");
    let state = rig.observe("/5/0/3");
    assert_eq!(rig.put("/5/0/1", ""), Code::CHANGED);
    assert_eq!(rig.put("/5/0/1", URI), Code::CHANGED);
    assert_eq!(rig.file_requests, 0, "2.04 comes before the first GET");
    until_state(&mut rig, 2);
    assert_eq!(rig.file_requests, 20, "each block once");
    assert_eq!(rig.text("/5/0/7").1, "2.0.0");
    assert_eq!(rig.execute("/5/0/2"), Some(Code::CHANGED));
    rig.until("again", |rig| rig.registrations() == 2);
    assert_eq!(rig.notified(state), ["0", "1", "2", "3"]);
    assert_eq!(rig.seen(), seen(0, 1, "2.0.0"));
}

#[test]
fn ets_772_execute_without_a_package() {
    let mut rig = Rig::usual();
    assert_eq!(rig.execute("/5/0/2"), Some(Code::METHOD_NOT_ALLOWED));
    assert_eq!(rig.states(), [(0, 0)]);
}

#[test]
fn ets_773_776_777_errors_of_a_push() {
    for (fault, code, result) in [
        ("out of flash at 60 %", Code::REQUEST_ENTITY_TOO_LARGE, 2),
        ("out of memory at 60 %", Code::INTERNAL_SERVER_ERROR, 3),
        ("corrupts its flash", Code::BAD_REQUEST, 5),
        (
            "rejects the package type",
            Code::UNSUPPORTED_CONTENT_FORMAT,
            6,
        ),
    ] {
        let mut rig = Rig::with(fault);
        assert_eq!(rig.push(&firmware(), 1_024), Some(code), "{fault}");
        assert_eq!(rig.seen(), seen(0, result, "1.0.0"), "{fault}");
    }
}

#[test]
fn ets_775_x_fw_c21_connection_lost_then_result_4() {
    let mut rig = serving(Rig::usual(), b"one");
    rig.put("/5/0/1", URI);
    rig.until("half", |rig| rig.device.firmware().received() > 10_000);
    rig.cut = true;
    rig.until("idle", |rig| rig.seen().0 == 0);
    assert_eq!(rig.seen(), seen(0, 4, "1.0.0"));
    assert_eq!(rig.states()[1], (1, 0));
}

#[test]
fn x_fw_c21_the_network_comes_back_in_time() {
    let mut rig = serving(Rig::usual(), b"one");
    rig.put("/5/0/1", URI);
    rig.until("half", |rig| rig.device.firmware().received() > 10_000);
    rig.cut = true;
    rig.run(120);
    rig.cut = false;
    until_state(&mut rig, 2);
    assert!(rig.file_requests <= 22, "{}", rig.file_requests);
}

#[test]
fn ets_778_780_wrong_uris() {
    let mut rig = Rig::usual();
    assert_eq!(rig.put("/5/0/1", "nonsense"), Code::CHANGED);
    assert_eq!(rig.seen().1, 7);
    assert_eq!(rig.put("/5/0/1", "ftp://127.0.0.1/fw"), Code::BAD_REQUEST);
    assert_eq!(rig.seen().1, 9);
    // X-FW-C22: nothing is there.
    assert_eq!(rig.put("/5/0/1", URI), Code::CHANGED);
    rig.until("result 7", |rig| rig.seen() == seen(0, 7, "1.0.0"));
}

#[test]
fn ets_779_the_installer_refuses() {
    let mut rig = Rig::with("fails to install");
    rig.push(&firmware(), 1_024);
    rig.execute("/5/0/2");
    rig.until("again", |rig| rig.registrations() == 2);
    assert_eq!(rig.seen(), seen(2, 8, "1.0.0"));
}

#[test]
fn x_fw_c03_reset_mid_pull() {
    for by_uri in [true, false] {
        let mut rig = serving(Rig::usual(), b"one");
        rig.put("/5/0/1", URI);
        rig.until("some", |rig| rig.device.firmware().received() > 5_000);
        let code = if by_uri {
            rig.put("/5/0/1", "")
        } else {
            rig.ask(Request::put("/5/0/0", vec![0]).format(42))
                .expect("it")
                .code
        };
        assert_eq!(code, Code::CHANGED);
        let asked = rig.file_requests;
        rig.run(60);
        assert_eq!(rig.file_requests, asked, "it stopped");
        assert_eq!(rig.seen(), seen(0, 0, "1.0.0"));
    }
}

#[test]
fn x_fw_c07_base64_as_text() {
    let mut rig = Rig::usual();
    assert_eq!(rig.put("/5/0/0", "not base64!"), Code::BAD_REQUEST);
    assert_eq!(rig.put("/5/0/0", "aGVsbG8="), Code::CHANGED);
    let flashed: [u8; 32] = Sha256::digest(b"hello").into();
    assert_eq!(
        rig.device.firmware().flashed().expect("some").sha256,
        flashed
    );
}

#[test]
fn x_fw_c10_cancel() {
    let mut rig = Rig::usual();
    assert_eq!(rig.execute("/5/0/10"), Some(Code::METHOD_NOT_ALLOWED));
    rig.push(&firmware(), 1_024);
    assert_eq!(rig.execute("/5/0/10"), Some(Code::CHANGED));
    assert_eq!(rig.seen(), seen(0, 10, "1.0.0"));
}

#[test]
fn x_fw_c12_c13_severity_and_defer_period() {
    let mut rig = Rig::usual();
    assert_eq!(rig.text("/5/0/11").1, "1");
    for (path, value, code) in [
        ("/5/0/11", "3", Code::BAD_REQUEST),
        ("/5/0/11", "-1", Code::BAD_REQUEST),
        ("/5/0/11", "0", Code::CHANGED),
        ("/5/0/13", "-5", Code::BAD_REQUEST),
        ("/5/0/13", "30", Code::CHANGED),
    ] {
        assert_eq!(rig.put(path, value), code, "{path} {value}");
    }
}

#[test]
fn x_fw_c16_power_loss_in_downloaded() {
    let mut rig = Rig::usual();
    rig.push(&firmware(), 1_024);
    rig.device.cut_power(rig.now);
    rig.until_registered();
    assert_eq!(rig.seen(), seen(2, 0, "1.0.0"));
    assert_eq!(rig.execute("/5/0/2"), Some(Code::CHANGED));
    rig.until("success", |rig| rig.seen() == seen(0, 1, "2.0.0"));
}

#[test]
fn x_fw_c17_c18_a_pull_cut_at_every_block() {
    for block in 1..20 {
        for changes in [false, true] {
            let mut rig = serving(Rig::usual(), b"one");
            rig.put("/5/0/1", URI);
            rig.until("it", |rig| {
                rig.device.firmware().received() >= block * 1_024
            });
            rig.device.cut_power(rig.now);
            if changes {
                rig.file = Some((
                    Bytes::from(image::build("3.0.0", 20_000, 9).expect("fits")),
                    b"two".to_vec(),
                ));
            }
            until_state(&mut rig, 2);
            let fetched = rig.file_requests;
            let most = if changes { 20 + block + 2 } else { 22 };
            assert!(fetched <= most, "block {block}: {fetched} requests");
            rig.execute("/5/0/2");
            rig.run(60);
            let version = if changes { "3.0.0" } else { "2.0.0" };
            assert_eq!(rig.seen(), seen(0, 1, version), "block {block}");
        }
    }
}

#[test]
fn x_fw_c19_no_etag_no_resume() {
    let mut rig = serving(Rig::usual(), b"");
    rig.put("/5/0/1", URI);
    rig.until("half", |rig| rig.device.firmware().received() > 10_000);
    rig.device.cut_power(rig.now);
    until_state(&mut rig, 2);
    assert!(rig.file_requests >= 30);
}

/// At every block: what came is void, the new image is fetched from its start, and nothing of the
/// old one is flashed.
#[test]
fn x_fw_c23_etag_change_at_every_block() {
    for block in 1..20 {
        let mut rig = serving(Rig::usual(), b"one");
        rig.put("/5/0/1", URI);
        rig.until("it", |rig| {
            rig.device.firmware().received() >= block * 1_024
        });
        let other = image::build("3.0.0", 30_000, 9).expect("fits");
        rig.file = Some((Bytes::from(other.clone()), b"two".to_vec()));
        let before = rig.file_requests;
        until_state(&mut rig, 2);
        let flashed: [u8; 32] = Sha256::digest(&other).into();
        let package = rig.device.firmware().flashed().expect("some");
        assert_eq!((package.sha256, package.length), (flashed, 30_000));
        // Its 30 blocks, one of which was found to be another image's, and one on its way.
        let fetched = rig.file_requests - before;
        assert!(
            (30..=32).contains(&fetched),
            "block {block}: {fetched} requests"
        );
    }
}

#[test]
fn x_fw_c25_c38_reads_during_a_pull_are_answered() {
    let mut rig = serving(Rig::usual(), b"one");
    rig.put("/5/0/1", URI);
    for _ in 0..5 {
        rig.until("more", |rig| rig.device.firmware().received() > 0);
        assert_eq!(rig.text("/3/0/3").1, "1.0.0");
    }
    until_state(&mut rig, 2);
    assert_eq!(rig.file_requests, 20);
}

#[test]
fn x_fw_c36_block_0_again_begins_anew() {
    let mut rig = Rig::usual();
    let other = image::build("9.9.9", 5_000, 1).expect("fits");
    let request = Request::put("/5/0/0", other).format(42);
    let id = rig.server.request(rig.now, 1, request).expect("room");
    rig.until("some", |rig| rig.device.firmware().received() > 2_000);
    rig.server.cancel(rig.now, id);
    assert_eq!(rig.push(&firmware(), 256), Some(Code::CHANGED));
    assert_eq!(rig.text("/5/0/7").1, "2.0.0");
}

#[test]
fn x_fw_c41_c42_wrong_and_truncated_images() {
    let mut rig = Rig::usual();
    let whole = firmware();
    assert_eq!(rig.push(&whole[..19_000], 1_024), Some(Code::BAD_REQUEST));
    assert_eq!(rig.seen(), seen(0, 5, "1.0.0"));
    let mut strict = Rig::new(Persona {
        insists_on_header: true,
        ..Persona::default()
    });
    strict.push(&[7; 5_000], 1_024);
    assert_eq!(strict.seen(), seen(0, 6, "1.0.0"));
}

#[test]
fn x_fw_c45_execute_twice() {
    let mut rig = Rig::usual();
    rig.push(&firmware(), 1_024);
    assert_eq!(rig.execute("/5/0/2"), Some(Code::CHANGED));
    assert_eq!(rig.execute("/5/0/2"), Some(Code::METHOD_NOT_ALLOWED));
}

#[test]
fn x_fw_c46_rollback() {
    let mut rig = Rig::with("rolls back");
    rig.push(&firmware(), 1_024);
    rig.execute("/5/0/2");
    rig.until("again", |rig| rig.registrations() == 2);
    rig.until_registered();
    assert_eq!(rig.text("/3/0/3").1, "1.0.0");
    assert_eq!(rig.text("/5/0/5").1, "8");
}

#[test]
fn x_fw_s01_push_only_and_pull_only() {
    let mut rig = Rig::new(Persona {
        delivery: Delivery::Pull,
        ..Persona::default()
    });
    assert_eq!(rig.push(&firmware(), 1_024), Some(Code::METHOD_NOT_ALLOWED));
    assert_eq!(rig.text("/5/0/9").1, "0");
}

#[test]
fn x_fw_s07_a_slow_erase_is_a_separate_response() {
    let mut rig = Rig::with("slow erase before the first block of 20 s");
    let begin = rig.now;
    assert_eq!(rig.push(&firmware(), 1_024), Some(Code::CHANGED));
    assert!(rig.now - begin > Duration::from_secs(20));
    assert_eq!(rig.states(), [(0, 0), (1, 0), (2, 0)]);
}

#[test]
fn x_fw_s08_the_device_wants_smaller_blocks() {
    let mut rig = Rig::new(Persona {
        block_bytes: 256,
        ..Persona::default()
    });
    assert_eq!(rig.push(&firmware(), 1_024), Some(Code::CHANGED));
    assert_eq!(rig.seen().0, 2);
}

#[test]
fn x_fw_s10_to_s12_faults_of_blocks() {
    for (fault, code) in [
        ("is busy at 50 %", Some(Code::SERVICE_UNAVAILABLE)),
        ("rejects a block with a reset", None),
        ("stalls at 50 %", None),
        // The peer starts again after the 4.08 of a device that knows nothing any more.
        ("loses power while downloading", Some(Code::CHANGED)),
    ] {
        let mut rig = Rig::with(fault);
        assert_eq!(rig.push(&firmware(), 1_024), code, "{fault}");
    }
}

#[test]
fn x_fw_s21_the_execute_acknowledgement_is_lost() {
    let mut rig = Rig::with("loses the Execute acknowledgement");
    rig.push(&firmware(), 1_024);
    // The retransmission finds a device that has started again.
    assert_ne!(rig.execute("/5/0/2"), Some(Code::CHANGED));
    rig.until("again", |rig| rig.registrations() >= 2);
    assert_eq!(rig.seen(), seen(0, 1, "2.0.0"));
}

#[test]
fn x_fw_s24_s32_never_back_and_deregistered_before() {
    let mut rig = Rig::with("never comes back from the update");
    rig.push(&firmware(), 1_024);
    rig.execute("/5/0/2");
    rig.run(3_600);
    assert!(!rig.device.is_on());
    let mut rig = Rig::with("deregisters before the update");
    rig.push(&firmware(), 1_024);
    rig.execute("/5/0/2");
    rig.until("again", |rig| rig.registrations() == 2);
    assert!(rig.requests.contains(&(Code::DELETE, "/rd/x1?".to_owned())));
}

#[test]
fn x_fw_s25_lost_notifications() {
    let mut rig = Rig::with("loses the notifications of its state");
    let id = rig.observe("/5/0/3");
    rig.push(&firmware(), 1_024);
    rig.run(60);
    assert_eq!(rig.notified(id), ["0"]);
    assert_eq!(rig.text("/5/0/3").1, "2");
}

#[test]
fn a_seed_is_a_run() {
    let run = || {
        let persona = Persona::default().with(Fault::LosesPowerWhileDownloading);
        let mut rig = serving(Rig::new(persona), b"one");
        rig.put("/5/0/1", URI);
        rig.run(600);
        (rig.requests, rig.events, rig.now)
    };
    assert_eq!(run(), run());
}

/// 20 % loss, 20 % duplicates, reordering: 50 seeds by push and by pull. A push starts again, as
/// a server does; a pull goes on where it was.
#[test]
fn x_fw_s14_no_seed_hangs_or_mixes_an_image() {
    let image = image::build("2.0.0", 64 * 256, 3).expect("fits");
    let hash: [u8; 32] = Sha256::digest(&image).into();
    let mut lost = 0;
    for seed in 0..50 {
        for push in [true, false] {
            let persona = Persona {
                block_bytes: 256,
                fetch_retries: 10,
                ..Persona::default()
            };
            let mut rig = Rig::new(persona);
            rig.file = Some((Bytes::from(image.clone()), b"one".to_vec()));
            rig.harm = Some(rand::SeedableRng::seed_from_u64(seed));
            for _ in 0..5 {
                if rig.seen().0 == 2 {
                    break;
                }
                if push {
                    rig.push(&image, 256);
                } else {
                    rig.ask(Request::put("/5/0/1", URI).format(0));
                    rig.until("an end", |rig| rig.seen().0 != 1);
                    rig.run(10);
                    rig.until("an end", |rig| rig.seen().0 != 1);
                }
            }
            let way = if push { "push" } else { "pull" };
            match rig.seen() {
                (2, 0, _) => {
                    let flashed = rig.device.firmware().flashed().expect("some");
                    assert_eq!(flashed.sha256, hash, "seed {seed} by {way}");
                }
                (0, 4, _) => lost += 1,
                other => panic!("seed {seed} by {way}: {other:?}"),
            }
        }
    }
    assert!(lost == 0, "{lost} of 100 ended in result 4");
}

use std::sync::Arc;
use std::time::Duration;

use fotalab_wire::coap::Code;

use super::*;
use crate::device::fault::Faults;
use crate::device::persona::{AfterPowerCut, Protocol};

const BLOCK: usize = 256;
const URI: &str = "coap://127.0.0.1/fw";

/// A device's firmware and everything around it: time, restarts, a file to fetch.
struct Rig {
    firmware: Firmware,
    now: Duration,
    image: Vec<u8>,
    etag: Vec<u8>,
    fetching: Option<usize>,
    fetched: usize,
    off: bool,
    deregistered: bool,
    restarts: u32,
}

impl Rig {
    fn new(persona: Persona) -> Self {
        Self {
            firmware: Firmware::new(Duration::ZERO, Arc::new(persona), "1.0.0"),
            now: Duration::ZERO,
            image: fotalab_wire::image::build("2.0.0", 10_000, 1).expect("fits"),
            etag: b"one".to_vec(),
            fetching: None,
            fetched: 0,
            off: false,
            deregistered: false,
            restarts: 0,
        }
    }

    fn with(fault: &str) -> Self {
        let faults = Faults::read(&[fault]).expect(fault);
        Self::new(Persona {
            faults,
            ..Persona::default()
        })
    }

    /// Pushes the image, and says the last answer.
    fn push(&mut self) -> Answer {
        let image = self.image.clone();
        let total = image.len();
        let mut answer = Answer::Silence;
        for (index, bytes) in image.chunks(BLOCK).enumerate() {
            let offset = index * BLOCK;
            let last = offset + bytes.len() == total;
            let piece = Piece {
                offset,
                last,
                total: Some(total),
                bytes,
            };
            let reply = self.firmware.push(self.now, piece);
            self.now += reply.after;
            answer = reply.answer;
            self.effects();
            if answer != Answer::Code(Code::CONTINUE) {
                break;
            }
        }
        answer
    }

    fn pull(&mut self) -> Code {
        let code = self.firmware.write_uri(self.now, URI);
        self.run(120);
        code
    }

    /// Time passes, and what is due happens.
    fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        loop {
            self.effects();
            if let Some(offset) = self.fetching {
                self.serve(offset);
                continue;
            }
            match self.firmware.poll_timeout() {
                Some(at) if at <= end && !self.off => {
                    self.now = self.now.max(at);
                    self.firmware.handle_timeout(self.now);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn serve(&mut self, offset: usize) {
        let end = (offset + BLOCK).min(self.image.len());
        let bytes = self.image[offset..end].to_vec();
        let piece = Piece {
            offset,
            last: end == self.image.len(),
            total: Some(self.image.len()),
            bytes: &bytes,
        };
        self.fetched += bytes.len();
        let etag = self.etag.clone();
        let next = self.firmware.fetched(self.now, piece, Some(&etag));
        self.fetching = next.map(|after| {
            self.now += after;
            end
        });
    }

    fn effects(&mut self) {
        while let Some(effect) = self.firmware.poll_effect() {
            match effect {
                Effect::Fetch { offset, etag, .. } => {
                    self.fetching = Some(offset);
                    if etag.is_some_and(|etag| etag != self.etag) {
                        self.firmware.fetch_restarted();
                        self.fetching = Some(0);
                    }
                    if offset % BLOCK != 0 {
                        self.fetching = Some(offset - offset % BLOCK);
                    }
                }
                Effect::StopFetching => self.fetching = None,
                Effect::Restart { after, deregister } => {
                    self.fetching = None;
                    self.restarts += 1;
                    self.deregistered |= deregister;
                    match after {
                        Some(after) => {
                            self.now += after;
                            self.firmware.start(self.now);
                        }
                        None => self.off = true,
                    }
                }
            }
        }
    }

    fn update(&mut self) -> Answer {
        let reply = self.firmware.execute_update(self.now);
        self.run(30);
        reply.answer
    }

    /// State, result and version, as a server sees them.
    fn seen(&self) -> (u8, u8, &str) {
        let firmware = &self.firmware;
        (
            firmware.state() as u8,
            firmware.outcome() as u8,
            firmware.reported(),
        )
    }

    fn states(&self) -> Vec<(u8, u8)> {
        let steps = self.firmware.history().iter();
        steps.map(|it| (it.state as u8, it.outcome as u8)).collect()
    }
}

const CHANGED: Answer = Answer::Code(Code::CHANGED);

#[test]
fn ets_770_success_by_push() {
    let mut rig = Rig::new(Persona::default());
    assert_eq!(rig.push(), CHANGED);
    assert_eq!(rig.seen(), (2, 0, "1.0.0"));
    assert_eq!(rig.firmware.package_version(), Some("2.0.0"));
    assert_eq!(rig.update(), CHANGED);
    assert_eq!(rig.seen(), (0, 1, "2.0.0"));
    assert_eq!(rig.states(), [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1)]);
    assert_eq!(rig.firmware.flashed().expect("some").length, 10_000);
}

#[test]
fn ets_771_success_by_pull() {
    let mut rig = Rig::new(Persona::default());
    assert_eq!(rig.pull(), Code::CHANGED);
    assert_eq!(rig.seen(), (2, 0, "1.0.0"));
    rig.update();
    assert_eq!(rig.states(), [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1)]);
    assert_eq!(rig.fetched, 10_000);
}

#[test]
fn ets_772_execute_without_a_package() {
    let mut rig = Rig::new(Persona::default());
    assert_eq!(rig.update(), Answer::Code(Code::METHOD_NOT_ALLOWED));
    assert_eq!(rig.states(), [(0, 0)]);
}

#[test]
fn ets_773_to_780_each_error_has_its_result() {
    for (fault, outcome) in [
        ("out of flash at 60 %", 2),
        ("out of memory at 60 %", 3),
        ("loses the connection at 50 %, every time", 4),
        ("corrupts its flash at 10 %", 5),
        ("rejects the package type", 6),
    ] {
        let mut rig = Rig::with(fault);
        rig.pull();
        assert_eq!(rig.seen(), (0, outcome, "1.0.0"), "{fault} by pull");
        assert!(rig.states().iter().all(|(state, _)| *state < 2), "{fault}");
        if outcome != 4 {
            let mut rig = Rig::with(fault);
            let answer = rig.push();
            assert!(!matches!(answer, CHANGED | Answer::Silence), "{fault}");
            assert_eq!(rig.seen(), (0, outcome, "1.0.0"), "{fault} by push");
        }
    }
    let mut rig = Rig::new(Persona::default());
    for (uri, code, outcome) in [
        ("not a uri", Code::CHANGED, 7),
        ("ftp://127.0.0.1/fw", Code::BAD_REQUEST, 9),
        ("http://127.0.0.1/fw", Code::BAD_REQUEST, 9),
    ] {
        assert_eq!(rig.firmware.write_uri(rig.now, uri), code);
        assert_eq!(rig.seen(), (0, outcome, "1.0.0"), "{uri}");
    }
    let mut rig = Rig::with("accepts an unsupported scheme");
    assert_eq!(rig.firmware.write_uri(rig.now, "ftp://h/x"), Code::CHANGED);
    assert_eq!(rig.seen(), (0, 9, "1.0.0"));
}

#[test]
fn ets_779_a_failed_update_keeps_the_package_in_1_0() {
    for (version, to_idle, state) in [
        (Version::V1_0, true, 2),
        (Version::V1_1, false, 2),
        (Version::V1_1, true, 0),
    ] {
        let persona = Persona {
            firmware_object: version,
            failed_to_idle: to_idle,
            ..Persona::default()
        };
        let mut rig = Rig::new(persona.with(Fault::FailsToInstall));
        rig.push();
        rig.update();
        assert_eq!(rig.seen(), (state, 8, "1.0.0"));
    }
}

#[test]
fn x_fw_c01_c02_c03_c04_resets() {
    let mut rig = Rig::new(Persona::default());
    let reset = |rig: &mut Rig| {
        let by_nul = rig.firmware.write_package(rig.now, &[0]).answer;
        (by_nul, rig.firmware.write_uri(rig.now, ""))
    };
    assert_eq!(reset(&mut rig), (CHANGED, Code::CHANGED));
    rig.pull();
    assert_eq!(reset(&mut rig), (CHANGED, Code::CHANGED));
    assert_eq!(rig.seen(), (0, 0, "1.0.0"));
    rig.firmware.write_uri(rig.now, URI);
    rig.now += Duration::from_secs(1);
    rig.firmware.handle_timeout(rig.now);
    assert!(matches!(
        rig.firmware.poll_effect(),
        Some(Effect::Fetch { .. })
    ));
    assert_eq!(reset(&mut rig), (CHANGED, Code::CHANGED));
    assert_eq!(rig.firmware.poll_effect(), Some(Effect::StopFetching));
    rig.push();
    rig.firmware.execute_update(rig.now);
    let refused = Code::METHOD_NOT_ALLOWED;
    assert_eq!(reset(&mut rig), (Answer::Code(refused), refused));
    assert_eq!(rig.firmware.cancel(rig.now), refused);
    assert_eq!(rig.seen().0, 3);
}

#[test]
fn x_fw_c05_c06_nothing_replaces_a_package_without_a_reset() {
    let mut rig = Rig::new(Persona::default());
    rig.pull();
    assert_eq!(rig.firmware.write_uri(rig.now, URI), Code::BAD_REQUEST);
    assert_eq!(rig.push(), Answer::Code(Code::BAD_REQUEST));
    assert_eq!(rig.seen(), (2, 0, "1.0.0"));
    let mut rig = Rig::with("ignores a second package URI");
    rig.pull();
    assert_eq!(rig.firmware.write_uri(rig.now, URI), Code::CHANGED);
    assert_eq!(rig.seen(), (2, 0, "1.0.0"));
}

#[test]
fn x_fw_c10_c11_cancel_then_update() {
    let mut rig = Rig::new(Persona::default());
    assert_eq!(rig.firmware.cancel(rig.now), Code::METHOD_NOT_ALLOWED);
    rig.pull();
    assert_eq!(rig.firmware.cancel(rig.now), Code::CHANGED);
    assert_eq!(rig.seen(), (0, 10, "1.0.0"));
    rig.push();
    rig.update();
    assert_eq!(rig.seen(), (0, 1, "2.0.0"));
    let mut old = Rig::new(Persona {
        firmware_object: Version::V1_0,
        ..Persona::default()
    });
    old.pull();
    assert_eq!(old.firmware.cancel(old.now), Code::METHOD_NOT_ALLOWED);
}

#[test]
fn x_fw_c12_c13_severity_and_defer_period() {
    let mut rig = Rig::new(Persona::default());
    assert_eq!(rig.firmware.severity(), 1);
    for (severity, code) in [
        (-1, Code::BAD_REQUEST),
        (3, Code::BAD_REQUEST),
        (2, Code::CHANGED),
    ] {
        assert_eq!(rig.firmware.write_severity(severity), code);
    }
    assert_eq!(rig.firmware.write_defer_period(-5), Code::BAD_REQUEST);
    assert_eq!(rig.firmware.write_defer_period(30), Code::CHANGED);
    // C15: they are kept over a restart.
    rig.firmware.start(rig.now);
    assert_eq!(
        (rig.firmware.severity(), rig.firmware.defer_period()),
        (2, 30)
    );
}

#[test]
fn x_fw_c14_deferred_then_updated() {
    let mut rig = Rig::with("defers the update by 20 s");
    rig.firmware.write_defer_period(60);
    rig.push();
    let reply = rig.firmware.execute_update(rig.now);
    assert_eq!(reply.answer, CHANGED);
    assert_eq!(rig.seen(), (2, 11, "1.0.0"));
    rig.run(60);
    assert_eq!(rig.seen(), (0, 1, "2.0.0"));
}

#[test]
fn x_fw_c16_power_loss_in_downloaded() {
    for (keeps, state) in [(true, 2), (false, 0)] {
        let persona = Persona {
            keeps_package: keeps,
            ..Persona::default()
        };
        let mut rig = Rig::new(persona.with(Fault::LosesPowerWhenDownloaded));
        rig.push();
        rig.run(60);
        assert_eq!(rig.restarts, 1);
        assert_eq!(rig.seen(), (state, 0, "1.0.0"));
    }
}

#[test]
fn x_fw_c17_c18_power_loss_mid_pull() {
    for (left, end, fetched) in [
        (AfterPowerCut::Resume, (2, 0), 10_000..10_001),
        (AfterPowerCut::Forget, (0, 0), 5_000..5_200),
        (AfterPowerCut::ConnectionLost, (0, 4), 5_000..5_200),
    ] {
        let persona = Persona {
            after_power_cut: left,
            ..Persona::default()
        };
        let mut rig = Rig::new(persona.with(Fault::LosesPowerWhileDownloading));
        rig.pull();
        assert_eq!(rig.restarts, 1);
        assert_eq!((rig.seen().0, rig.seen().1), end);
        assert!(fetched.contains(&rig.fetched), "{left:?}: {}", rig.fetched);
    }
    let mut rig = Rig::with("loses power while downloading");
    rig.firmware.write_uri(rig.now, URI);
    while rig.restarts == 0 {
        rig.run(1);
        rig.etag = b"two".to_vec();
    }
    rig.run(60);
    assert_eq!(rig.seen(), (2, 0, "1.0.0"));
}

#[test]
fn x_fw_c42_c43_truncated_and_tiny_packages() {
    let mut rig = Rig::new(Persona::default());
    rig.image.truncate(9_999);
    rig.push();
    assert_eq!(rig.seen(), (0, 5, "1.0.0"));
    rig.firmware.write_package(rig.now, b"x");
    assert_eq!(rig.seen().0, 2);
    rig.firmware.write_package(rig.now, b"");
    assert_eq!(rig.seen(), (0, 0, "1.0.0"));
    let persona = Persona {
        insists_on_header: true,
        ..Persona::default()
    };
    let mut rig = Rig::new(persona);
    rig.firmware.write_package(rig.now, b"x");
    assert_eq!(rig.seen(), (0, 6, "1.0.0"));
}

#[test]
fn x_fw_c44_c45_long_uris_and_a_second_execute() {
    let mut rig = Rig::new(Persona::default());
    let uri = |length: usize| format!("{URI}{}", "x".repeat(length - URI.len()));
    assert_eq!(
        rig.firmware.write_uri(rig.now, &uri(256)),
        Code::BAD_REQUEST
    );
    assert_eq!(rig.firmware.write_uri(rig.now, &uri(255)), Code::CHANGED);
    rig.run(60);
    assert_eq!(rig.firmware.execute_update(rig.now).answer, CHANGED);
    let again = rig.firmware.execute_update(rig.now).answer;
    assert_eq!(again, Answer::Code(Code::METHOD_NOT_ALLOWED));
}

#[test]
fn x_fw_c46_faults_of_the_update_itself() {
    for (fault, seen) in [
        ("rolls back", (2, 8, "1.0.0")),
        ("fails to install", (2, 8, "1.0.0")),
        ("reports the old version after success", (0, 1, "1.0.0")),
        ("forgets the result over the reboot", (0, 0, "2.0.0")),
        ("never comes back from the update", (3, 0, "1.0.0")),
        ("loses power while updating", (0, 1, "2.0.0")),
        ("loses the Execute acknowledgement", (0, 1, "2.0.0")),
        ("refuses to execute the update", (2, 0, "1.0.0")),
        ("rolls back silently after 20 s", (0, 1, "1.0.0")),
        ("boot loops of 3 starts", (0, 1, "2.0.0")),
        ("deregisters before the update", (0, 1, "2.0.0")),
    ] {
        let mut rig = Rig::with(fault);
        rig.push();
        let answer = rig.update();
        rig.run(300);
        assert_eq!(rig.seen(), seen, "{fault}");
        assert_eq!(answer == Answer::Silence, fault.contains("acknowledgement"));
        assert_eq!(rig.deregistered, fault.starts_with("deregisters"));
        assert_eq!(rig.off, fault.starts_with("never"));
        if fault.starts_with("boot loops") {
            assert_eq!(rig.restarts, 4);
        }
    }
}

#[test]
fn what_only_the_installer_finds() {
    let mut rig = Rig::with("finds the corruption only at install");
    *rig.image.last_mut().expect("some") ^= 1;
    rig.push();
    assert_eq!(rig.seen(), (2, 0, "1.0.0"));
    rig.update();
    assert_eq!(rig.seen(), (0, 5, "1.0.0"));
    let persona = Persona {
        flash_bytes: 5_000,
        ..Persona::default()
    };
    let mut rig = Rig::new(persona.clone().with(Fault::FindsOversizeAtInstall));
    rig.push();
    rig.update();
    assert_eq!(rig.seen(), (2, 8, "1.0.0"));
    let mut rig = Rig::new(persona);
    assert_eq!(rig.push(), Answer::Code(Code::REQUEST_ENTITY_TOO_LARGE));
    assert_eq!(rig.seen(), (0, 2, "1.0.0"));
    rig.pull();
    assert_eq!(rig.seen(), (0, 2, "1.0.0"));
}

#[test]
fn faults_of_a_push() {
    for (fault, answer, seen) in [
        ("stalls at 50 %", Answer::Silence, (1, 0, "1.0.0")),
        (
            "forgets the blocks it has",
            Answer::Code(Code::REQUEST_ENTITY_INCOMPLETE),
            (0, 0, "1.0.0"),
        ),
        ("is busy at 50 %", Answer::Busy, (1, 0, "1.0.0")),
        (
            "rejects a block with a reset",
            Answer::Reset,
            (1, 0, "1.0.0"),
        ),
        (
            "refuses packages above 9000 bytes",
            Answer::Code(Code::REQUEST_ENTITY_TOO_LARGE),
            (0, 0, "1.0.0"),
        ),
        (
            "loses power while downloading",
            Answer::Silence,
            (0, 0, "1.0.0"),
        ),
    ] {
        let mut rig = Rig::with(fault);
        assert_eq!(rig.push(), answer, "{fault}");
        assert_eq!(rig.seen(), seen, "{fault}");
        if !fault.starts_with("refuses") {
            // It strikes once: the second push gets through.
            assert_eq!(rig.push(), CHANGED, "{fault}");
        }
    }
}

#[test]
fn faults_of_a_pull() {
    for (fault, seen) in [
        ("stalls at 50 %", (1, 0, "1.0.0")),
        ("hangs when the connection is lost", (1, 0, "1.0.0")),
        ("never fetches the package", (0, 0, "1.0.0")),
        (
            "reports downloaded after a failed download",
            (2, 0, "1.0.0"),
        ),
    ] {
        let mut rig = Rig::with(fault);
        if fault.contains("download") || fault.starts_with("hangs") {
            rig.firmware.write_uri(rig.now, URI);
            rig.run(0);
            rig.now += Duration::from_secs(1);
            rig.firmware.handle_timeout(rig.now);
            for _ in 0..=3 {
                rig.firmware.fetch_failed(rig.now, FetchFailure::Lost);
                rig.now += Duration::from_secs(60);
                rig.firmware.handle_timeout(rig.now);
            }
        } else {
            rig.pull();
        }
        assert_eq!(rig.seen(), seen, "{fault}");
    }
    let faults = Faults::read(&[
        "resumes at the wrong offset",
        "loses power while downloading",
    ]);
    let mut rig = Rig::new(Persona {
        faults: faults.expect("good"),
        ..Persona::default()
    });
    rig.pull();
    assert_eq!(rig.seen().0, 0);
    assert!(rig.seen().1 >= 4, "never a mixed image");
}

#[test]
fn stuck_after_a_failed_update_until_it_reboots() {
    let faults = Faults::read(&[
        "stuck after a failed update until it reboots",
        "out of flash, once",
    ]);
    let mut rig = Rig::new(Persona {
        faults: faults.expect("good"),
        ..Persona::default()
    });
    rig.push();
    assert_eq!(rig.push(), Answer::Code(Code::INTERNAL_SERVER_ERROR));
    rig.firmware.start(rig.now);
    assert_eq!(rig.push(), CHANGED);
}

#[test]
fn x_fw_s03_s04_starts_in_the_middle() {
    let rig = Rig::with("starts with a foreign image downloaded");
    assert_eq!(rig.seen(), (2, 0, "1.0.0"));
    let mut rig = Rig::with("starts in the middle of an update of 60 s");
    assert_eq!(rig.seen(), (3, 0, "1.0.0"));
    rig.run(120);
    assert_eq!(rig.seen().0, 0);
}

#[test]
fn x_fw_s07_slow_flash_is_late() {
    let mut rig = Rig::with("slow erase before the first block of 20 s");
    rig.push();
    assert_eq!(rig.now, Duration::from_secs(20));
    let persona = Persona {
        flash_bytes_per_second: 1_000,
        ..Persona::default()
    };
    let mut rig = Rig::new(persona);
    rig.push();
    assert!((9..=10).contains(&rig.now.as_secs()));
}

#[test]
fn x_fw_s01_s02_only_what_it_offers() {
    let mut pull = Rig::new(Persona {
        delivery: Delivery::Pull,
        ..Persona::default()
    });
    assert_eq!(pull.push(), Answer::Code(Code::METHOD_NOT_ALLOWED));
    let mut push = Rig::new(Persona {
        delivery: Delivery::Push,
        ..Persona::default()
    });
    assert_eq!(push.pull(), Code::METHOD_NOT_ALLOWED);
    let mut http = Rig::new(Persona {
        protocols: vec![Protocol::Http],
        ..Persona::default()
    });
    assert_eq!(http.pull(), Code::BAD_REQUEST);
}

#[test]
fn x_fw_c21_retries_are_counted_from_the_last_progress() {
    let mut rig = Rig::with("loses the connection at 50 %, 3 times");
    rig.pull();
    assert_eq!(rig.seen().0, 2, "three retries are enough");
    assert_eq!(rig.firmware.struck(), [(Fault::LosesConnection, 3)]);
}

//! Whether a device is there and listens.

use super::*;

pub(super) fn situations() -> Vec<Situation> {
    vec![
        (
            "asleep",
            well(|it, _| {
                itself(it).asleep = true;
                itself(it).reports = Some(at(4, 33));
                *registration(it) = Registration {
                    asleep: true,
                    awake_until: Some(at(1, 6)),
                    expires: Some(at(10, 0)),
                    queued: vec!["Write /5/0/1".to_owned()],
                    ..Registration::default()
                };
            }),
            &[
                "device meter-7 sleeps until 12:04:33 (queue mode, awake window closed 12:01:06); Write /5/0/1 is queued for it; nothing is wrong yet",
            ],
        ),
        (
            "asleep for too long",
            well(|it, _| {
                registration(it).asleep = true;
                registration(it).expires = Some(at(2, 0));
                itself(it).asleep = true;
            }),
            &[
                "device meter-7 sleeps, until it reports itself; it is forgotten at 12:02:00 (queue mode); nothing is queued for it; it should have been heard of before now",
            ],
        ),
        (
            "switched off",
            well(|it, _| {
                gone(it);
                itself(it).on = false;
            }),
            &["device meter-7 is switched off: no step has switched it on"],
        ),
        (
            "switched off again",
            well(|it, _| {
                gone(it);
                itself(it).on = false;
                itself(it).was_on = true;
            }),
            &["device meter-7 is switched off, and no step has switched it on again"],
        ),
        (
            "restarting",
            well(|it, _| {
                gone(it);
                itself(it).on = false;
                itself(it).starts = Some(at(3, 20));
                update(it, "updating", "registration after the install");
            }),
            &[
                "device meter-7 is off until 12:03:20",
                "the server's update of meter-7 is updating and waits for the device to come back after it was told to install; it gives up at 12:30:00",
            ],
        ),
        (
            "no registration",
            well(|it, _| gone(it)),
            &["nothing was heard of device meter-7: it has not asked to be registered"],
        ),
        (
            "the registration is not answered",
            well(|it, _| {
                gone(it);
                itself(it).registering = true;
                it.air.messages = 4;
                it.air.open = asks("POST /rd", true, (4, 4, 0));
            }),
            &[
                "device meter-7 asks the server to register it since 12:02:00 and has no answer: sent 4 times, last at 12:02:30, and lost on the way each time",
            ],
        ),
        (
            "not let in",
            well(|it, _| {
                gone(it);
                server(it).known = false;
                it.air.messages = 2;
                it.air.refused = refused("POST /rd", true, "4.03");
            }),
            &[
                "the server refused to register device meter-7 at 12:02:00, with 4.03: it does not know this endpoint name",
            ],
        ),
        (
            "the wrong key",
            well(|it, _| {
                gone(it);
                it.air.records = 6;
            }),
            &[
                "device meter-7 and the server have exchanged 6 DTLS records and no message: the handshake does not come through, as with a wrong identity or key",
            ],
        ),
        (
            "forgotten by the server",
            well(|it, _| {
                server(it).registration = None;
                update(it, "queued", "registration");
                if let Some(update) = &mut server(it).update {
                    update.deadline = Some(at(7 * 24 * 60, 0));
                }
            }),
            &[
                "device meter-7 takes itself for registered, but the server has no registration of it: it ended there, and the device will notice with its next update",
                "the server's update of meter-7 is queued and waits for the device to register; it gives up at 12:00:00 on 2026-01-08",
            ],
        ),
        (
            "its radio is off",
            well(|it, _| itself(it).radio_off = true),
            &["device meter-7 has its radio off, and no step has switched that on again"],
        ),
        (
            "cut off",
            well(|it, _| {
                (it.link.up_cut, it.link.down_cut) = (true, true);
                it.air.open = asks("GET /3/0/3", false, (3, 3, 0));
            }),
            &["device meter-7 is offline, and no step has brought it back online"],
        ),
        (
            "cut off one way",
            well(|it, _| {
                it.link.down_cut = true;
                it.air.open = asks("GET /3/0/3", false, (3, 3, 0));
            }),
            &[
                "nothing reaches device meter-7: a step took it offline, and it can still send",
                "the server waits for device meter-7 to answer GET /3/0/3 since 12:02:00: sent 3 times, last at 12:02:30, and lost on the way each time",
            ],
        ),
        (
            "it asks for a new registration, and the server does not know",
            well(|it, _| {
                itself(it).registered = false;
                itself(it).registering = true;
                itself(it).reports = Some(at(9, 0));
                it.air.open = asks("POST /rd", true, (40, 40, 0));
                if let Some(open) = &mut it.air.open {
                    open.given_up = true;
                }
            }),
            &[
                "device meter-7 asks the server to register it since 12:02:00 and has no answer: sent 40 times, last at 12:02:30, and lost on the way each time; it tries again at 12:09:00",
                "the server has a registration of device meter-7 all the same, until 13:00:00",
            ],
        ),
        (
            "it de-registered",
            well(|it, _| {
                gone(it);
                it.air.messages = 4;
                it.air.left = Some(at(2, 0));
            }),
            &["device meter-7 de-registered at 12:02:00, and has not registered since"],
        ),
        (
            "an update of its registration was refused, and it asks anew",
            well(|it, _| {
                gone(it);
                it.air.refused = refused("POST /rd/1", true, "4.04");
                it.air.open = asks("POST /rd", true, (4, 4, 0));
            }),
            &[
                "device meter-7 asks the server to register it since 12:02:00 and has no answer: sent 4 times, last at 12:02:30, and lost on the way each time",
            ],
        ),
        (
            "an update of its registration was refused, and it does nothing",
            well(|it, _| {
                gone(it);
                it.air.refused = refused("POST /rd/1", true, "4.04");
            }),
            &[
                "the server answered POST /rd/1 of device meter-7 with 4.04 at 12:02:00, and the device has asked for no new registration since",
            ],
        ),
        (
            "no DTLS record arrives",
            well(|it, _| {
                gone(it);
                (it.air.records, it.air.records_lost) = (6, 6);
            }),
            &[
                "device meter-7 and the server have sent each other 6 DTLS records, and all of them were lost or damaged on the way",
            ],
        ),
        (
            "asleep earlier than the server thinks",
            well(|it, _| {
                itself(it).asleep = true;
                itself(it).reports = Some(at(50, 0));
                registration(it).awake_until = Some(at(4, 0));
                registration(it).asking = Some("Read /3/0/3".to_owned());
                it.air.open = asks("GET /3/0/3", false, (4, 0, 0));
            }),
            &[
                "device meter-7 sleeps until 12:50:00 (queue mode; the server takes it for awake until 12:04:00); Read /3/0/3 was sent to it all the same",
            ],
        ),
        (
            "awake, and the server has not heard so",
            well(|it, _| {
                registration(it).asleep = true;
                it.air.open = asks("POST /rd/1", true, (3, 3, 0));
            }),
            &[
                "device meter-7 is awake, and the server takes it for asleep: it last heard of it at 12:01:00; nothing is queued for it",
                "device meter-7 asks the server for POST /rd/1 since 12:02:00 and has no answer: sent 3 times, last at 12:02:30, and lost on the way each time",
            ],
        ),
        (
            "asleep until tomorrow",
            well(|it, _| {
                itself(it).asleep = true;
                itself(it).reports = Some(at(24 * 60, 0));
                registration(it).asleep = true;
            }),
            &[
                "device meter-7 sleeps until 12:00:00 on 2026-01-02 (queue mode); nothing is queued for it; no update of it has begun",
            ],
        ),
        (
            "another server",
            well(|it, _| itself(it).elsewhere = Some(([127, 0, 0, 1], 9).into())),
            &["device meter-7 has 127.0.0.1:9 as its server, which is not the server under test"],
        ),
        (
            "a device without registrations",
            well(|it, _| {
                server(it).registration = None;
                itself(it).speaks = Speaks::Horde;
                itself(it).reports = Some(at(3, 30));
            }),
            &["device meter-7 is on, and last reported at 12:01:00; it asks again at 12:03:30"],
        ),
        (
            "a link that loses everything is no peaceful sleep",
            well(|it, _| {
                it.link = Link {
                    loses_all: true,
                    ..Link::default()
                };
                itself(it).asleep = true;
                itself(it).reports = Some(at(50, 0));
                registration(it).asleep = true;
            }),
            &["device meter-7 sleeps until 12:50:00 (queue mode); nothing is queued for it"],
        ),
    ]
}

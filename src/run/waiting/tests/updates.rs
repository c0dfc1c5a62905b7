//! What is asked of a device that is there, and how its update stands.

use super::*;

pub(super) fn situations() -> Vec<Situation> {
    vec![
        (
            "asleep, and an update of it has begun",
            well(|it, _| {
                itself(it).asleep = true;
                registration(it).asleep = true;
                update(it, "downloading", "answer");
                if let Some(update) = &mut server(it).update {
                    update.asked = Some("Write /5/0/0".to_owned());
                }
            }),
            &[
                "device meter-7 sleeps, until it reports itself; it is forgotten at 13:00:00 (queue mode); nothing is queued for it",
                "the server's update of meter-7 is downloading and waits for the device to hear Write /5/0/0; it gives up at 12:30:00",
            ],
        ),
        (
            "a lost acknowledgement",
            well(|it, _| {
                registration(it).asking = Some("Write /5/0/0".to_owned());
                it.air.open = asks("PUT /5/0/0", false, (3, 0, 3));
            }),
            &[
                "the server waits for device meter-7 to answer Write /5/0/0 since 12:02:00: sent 3 times, last at 12:02:30; it arrived, and its acknowledgement was lost on the way 3 times",
            ],
        ),
        (
            "lost both ways",
            well(|it, _| it.air.open = asks("PUT /5/0/0", false, (3, 2, 1))),
            &[
                "the server waits for device meter-7 to answer PUT /5/0/0 since 12:02:00: sent 3 times, last at 12:02:30, lost on the way 2 times, and its acknowledgement once",
            ],
        ),
        (
            "the device says nothing",
            well(|it, _| {
                registration(it).asking = Some("Read /3/0/3".to_owned());
                it.air.open = asks("GET /3/0/3", false, (1, 0, 0));
                update(it, "downloading", "answer");
            }),
            &[
                "the server waits for device meter-7 to answer Read /3/0/3 since 12:02:00: sent once",
            ],
        ),
        (
            "the server does not answer the device",
            well(|it, _| it.air.open = asks("GET /fw/1", true, (1, 0, 0))),
            &[
                "device meter-7 asks the server for GET /fw/1 since 12:02:00 and has no answer: sent once",
            ],
        ),
        (
            "the image is not there",
            well(|it, _| it.air.refused = refused("GET /fw/1", true, "4.04")),
            &["the server answered GET /fw/1 of device meter-7 with 4.04 at 12:02:00"],
        ),
        (
            "the device does not take it",
            well(|it, _| it.air.refused = refused("PUT /5/0/1", false, "4.05")),
            &["device meter-7 answered PUT /5/0/1 with 4.05 at 12:02:00"],
        ),
        (
            "a download that stands still",
            well(|it, facts| {
                facts.now = at(10, 0);
                it.air.transfer = Some(Transfer {
                    path: "/5/0/0".to_owned(),
                    bytes: 4_096,
                    whole: false,
                    at: at(2, 0),
                });
                update(it, "downloading", "download");
            }),
            &[
                "the transfer of /5/0/0 with device meter-7 stands still: 4096 bytes have crossed, the last block at 12:02:00, 8 min ago",
                "the server's update of meter-7 is downloading and waits for the whole image to be there; it gives up at 12:30:00",
            ],
        ),
        (
            "a download on its way",
            well(|it, _| {
                it.air.transfer = Some(Transfer {
                    path: "/fw/1".to_owned(),
                    bytes: 4_096,
                    whole: false,
                    at: at(2, 58),
                });
                update(it, "downloading", "download");
            }),
            &[
                "/fw/1 is on its way between the server and device meter-7: 4096 bytes have crossed, the last block at 12:02:58",
                "the server's update of meter-7 is downloading and waits for the whole image to be there; it gives up at 12:30:00",
            ],
        ),
        (
            "an image refused",
            well(|it, _| {
                itself(it).result = 5;
                itself(it).faults = vec!["corrupt download".to_owned()];
                update(it, "failed", "nothing");
                if let Some(update) = &mut server(it).update {
                    update.last = "the image is damaged".to_owned();
                }
            }),
            &[
                "device meter-7 refused the image: its Update Result (/5/0/5) is 5, integrity check failed",
                "device meter-7 acts as it was told to: `corrupt download`",
                "the server gave up its update of meter-7: the image is damaged",
            ],
        ),
        (
            "installing",
            well(|it, _| {
                itself(it).state = 3;
                itself(it).changed = Some(at(2, 40));
                update(it, "updating", "install");
                if let Some(update) = &mut server(it).update {
                    update.until = Some(at(3, 10));
                }
            }),
            &[
                "the server's update of meter-7 is updating and waits for the device to install, which it does since 12:02:40; it looks again at 12:03:10, and gives up at 12:30:00",
            ],
        ),
        (
            "asked for patience",
            well(|it, _| {
                update(it, "downloading", "pause");
                if let Some(update) = &mut server(it).update {
                    update.until = Some(at(3, 10));
                }
            }),
            &[
                "the server's update of meter-7 is downloading and waits for nothing but time: it asks again at 12:03:10",
            ],
        ),
        (
            "nobody wants anything",
            well(|_, _| ()),
            &[
                "device meter-7 is registered and listens; no update of it has begun, and the server asks nothing of it",
            ],
        ),
        (
            "its update has succeeded, and something else was expected",
            well(|it, _| {
                itself(it).version = "2.0.0".to_owned();
                itself(it).result = 1;
                update(it, "succeeded", "nothing");
            }),
            &[
                "device meter-7 is registered and listens, runs 2.0.0; its last update has succeeded, and the server asks nothing of it",
            ],
        ),
        (
            "a third party's server: what the wire shows",
            well(|it, facts| {
                facts.server = Asked::NoFace;
                it.server = None;
                it.air.open = asks("PUT /5/0/0", false, (2, 1, 0));
            }),
            &[
                "the server waits for device meter-7 to answer PUT /5/0/0 since 12:02:00: sent 2 times, last at 12:02:30, lost on the way once",
                "the target has no admin face to ask, so this is what the wire shows",
            ],
        ),
        (
            "bits were flipped",
            well(|it, _| {
                it.air.open = asks("GET /3/0/3", false, (3, 0, 0));
                if let Some(open) = &mut it.air.open {
                    open.damaged = 3;
                }
            }),
            &[
                "the server waits for device meter-7 to answer GET /3/0/3 since 12:02:00: sent 3 times, last at 12:02:30, and damaged on the way each time",
            ],
        ),
        (
            "the server has given up asking",
            well(|it, _| {
                it.air.open = asks("PUT /5/0/0", false, (5, 5, 0));
                update(it, "downloading", "pause");
                if let Some(update) = &mut server(it).update {
                    update.until = Some(at(3, 10));
                }
            }),
            &[
                "the server asked device meter-7 for PUT /5/0/0 at 12:02:00, had no answer and gave that up: sent 5 times, last at 12:02:30, and lost on the way each time",
                "the server's update of meter-7 is downloading and waits for nothing but time: it asks again at 12:03:10",
            ],
        ),
        (
            "what went wrong before this update",
            well(|it, _| {
                itself(it).result = 5;
                itself(it).changed = Some(at(1, 0));
                itself(it).faults = vec!["corrupt download".to_owned()];
                it.air.refused = refused("PUT /5/0/0", false, "4.00");
                update(it, "queued", "registration");
                if let Some(update) = &mut server(it).update {
                    update.began = Some(at(2, 30));
                }
            }),
            &[
                "the server's update of meter-7 is queued and waits for the device to register; it gives up at 12:30:00",
            ],
        ),
        (
            "it installs, and its acknowledgement of Execute was lost",
            well(|it, _| {
                itself(it).on = false;
                itself(it).state = 3;
                itself(it).starts = Some(at(4, 0));
                update(it, "downloaded", "answer");
                if let Some(update) = &mut server(it).update {
                    update.asked = Some("Execute /5/0/2".to_owned());
                }
            }),
            &[
                "device meter-7 installs its image, and is off until 12:04:00",
                "the server's update of meter-7 is downloaded and waits for the answer to Execute /5/0/2, which the device has heard: it installs; it gives up at 12:30:00",
            ],
        ),
        (
            "nothing is observed",
            well(|_, facts| facts.about_observing = true),
            &[
                "device meter-7 is registered and listens; no update of it has begun, and the server asks nothing of it; the server observes nothing of it",
            ],
        ),
    ]
}

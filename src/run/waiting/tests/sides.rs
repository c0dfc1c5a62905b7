//! The operator, the cloud, websockets, and many devices.

use super::*;

pub(super) fn situations() -> Vec<Situation> {
    vec![
        (
            "some of a fleet",
            well(|it, facts| {
                facts.others = Others {
                    alike: 8,
                    fine: 39,
                    unseen: 0,
                };
                gone(it);
                itself(it).on = false;
            }),
            &[
                "device meter-7 is switched off: no step has switched it on",
                "and 8 more devices that the step complains about; the other 39 are as it wants them",
            ],
        ),
        (
            "answers that are not what was waited for",
            Facts {
                now: at(3, 0),
                messages: 30,
                rest: Some(Call {
                    what: "GET /jobs".to_owned(),
                    times: 12,
                    last: at(2, 59),
                    status: Some(200),
                    ..Call::default()
                }),
                websocket: Some(Websocket {
                    last: Some(at(1, 0)),
                    ..Websocket::default()
                }),
                upstream: Upstream {
                    held: Some(("GET /v1/fota-jobs/1".to_owned(), at(2, 0), at(12, 0))),
                    ..Upstream::default()
                },
                ..Facts::default()
            },
            &[
                "the server answers GET /jobs with 200, asked 12 times, last at 12:02:59: what it says is not what the step waits for",
                "the websocket is open; what came through it last, at 12:01:00, is not what the step waits for",
                "the cloud has not answered GET /v1/fota-jobs/1, called at 12:02:00, yet: it was queued to do so at 12:12:00",
            ],
        ),
        (
            "no websocket",
            Facts {
                websocket: Some(Websocket {
                    never: true,
                    ..Websocket::default()
                }),
                ..Facts::default()
            },
            &["no websocket was opened, so nothing comes through one"],
        ),
        (
            "upstream 404",
            Facts {
                messages: 3,
                upstream: Upstream {
                    unexpected: vec![(
                        "GET /v1/fota-jobs/2".to_owned(),
                        7,
                        Some("GET /v1/fota-jobs/1".to_owned()),
                    )],
                    ..Upstream::default()
                },
                ..Facts::default()
            },
            &[
                "the server called the cloud with GET /v1/fota-jobs/2 7 times, for which nothing is queued, so it got 404; the nearest that is queued is for GET /v1/fota-jobs/1",
            ],
        ),
        (
            "the cloud was not called",
            Facts {
                messages: 3,
                upstream: Upstream {
                    leftovers: vec!["POST /v1/fota-jobs".to_owned()],
                    failing: vec![("GET /v1/devices".to_owned(), 503)],
                    ..Upstream::default()
                },
                ..Facts::default()
            },
            &[
                "the cloud answers GET /v1/devices with 503, as was queued; the server has to live with that",
                "the cloud waits for calls that have not come: POST /v1/fota-jobs",
            ],
        ),
        (
            "a lock that somebody holds",
            refusal(
                409,
                "The device is being updated: The update u1 has not ended.",
                false,
            ),
            &[
                "the server answered GET /device/1 with 409 12 times, and it says: The device is being updated: The update u1 has not ended.",
            ],
        ),
        (
            "the wrong fingerprint",
            refusal(403, "Forbidden", true),
            &[
                "the server answered GET /device/1 with 403 12 times: this fingerprint is not the one of that device, and it says: Forbidden",
            ],
        ),
        (
            "something crossed, and nobody knows more",
            Facts {
                messages: 7,
                ..Facts::default()
            },
            &[
                "7 messages crossed while the step waited, and nothing that is known of either side says what keeps it",
            ],
        ),
        (
            "nobody asked for it",
            Facts::default(),
            &["nothing crossed while the step waited: nobody has begun what it waits for"],
        ),
    ]
}
